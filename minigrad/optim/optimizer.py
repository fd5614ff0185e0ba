"""Optimizer: parameters in groups with options of their own, the state kept for each, and what all steps share."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from operator import is_, itemgetter
from types import MethodType
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..autograd import changed, enable_grad, unwrap, wrap
from ..nn.parameter import clear_grad
from ..tensor import Tensor

__all__ = ["Optimizer"]

Group = dict[str, Any]
Gradients = list[tuple[Tensor, np.ndarray]]
Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]


class Optimizer:
    """Base of optimizers: holds parameters, options and state; a subclass brings the update rule.

    params   : the Tensors to optimize, or (name, Tensor) pairs such as `model.named_parameters()`, or a list of
               dicts, the param groups: `params` and any options that differ from the defaults
    defaults : the options of groups that do not set their own

    `param_groups` is a list of dicts of options and `params`; changing an option there takes effect at the next
    step. `state` maps a parameter to what the optimizer remembers of it, made at its first step. `step` leaves
    parameters without a gradient alone, and checks all the others before it changes the first.

    Raises TypeError for what is not a Tensor, ValueError for no parameters at all, one that occurs twice (PyTorch
    only warns if that is within one group, and updates it twice a step), and one that is not a leaf.

    foreach, fused and capturable, which choose among PyTorch's own ways to compute a step, are taken by all optimizers
    that have them there, and have no effect; differentiable=True is refused, as steps are not recorded.

    A subclass defines `update`, as here, or a `step` of its own.

    >>> import minigrad, numpy as np
    >>> class SignSGD(minigrad.optim.Optimizer):
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, group, gradients):
    ...         for p, g in gradients:
    ...             p.array -= group["lr"] * np.sign(g)
    >>> w = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignSGD([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    # What the state of a parameter may hold, `step` and tensors of its shape, and what it cannot do without. A
    # subclass that leaves them empty may keep anything, and no state is checked.
    state_names: ClassVar[tuple[str, ...]] = ()
    required_names: ClassVar[tuple[str, ...]] = ()

    _same_update: ClassVar[Callable[..., None] | None] = None  # the update that `_try_update` does the same as

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        owner = type(self).__name__
        if not isinstance(defaults, dict):
            raise TypeError(f"{owner}: defaults must be a dict of options, got {type(defaults).__name__}")
        self.check_options(defaults, owner)
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._options_of = itemgetter("params", *defaults)  # a group,
        self._checked: dict[int, tuple] = {}  # and what that gave for a group, by its number, and was in range
        self._scheduled = False  # has a scheduler been made for this optimizer,
        self._stepped = False  # and was there a step since
        if isinstance(params, (Tensor, dict)):
            raise TypeError(
                f"{owner}: params must be an iterable of Tensors or of dicts, got a single {type(params).__name__}; "
                "put it in a list"
            )
        groups = _as_list(params, owner)
        if not groups:
            raise ValueError(
                f"{owner}: params is empty; is it a generator, such as model.parameters(), that was used up before?"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def check_options(self, options: dict[str, Any], owner: str) -> None:
        """Raise TypeError or ValueError, beginning with `owner`, for an option out of its range."""

    def add_param_group(self, param_group: Group) -> None:
        """Optimize more parameters, with options of their own: `{"params": ..., "lr": ...}`.

        Options that are left out are the defaults; the dict itself is not changed. Raises as the constructor.

        >>> import minigrad
        >>> a, b = minigrad.ones(2, requires_grad=True), minigrad.ones(3, requires_grad=True)
        >>> optimizer = minigrad.optim.SGD([a], lr=0.1)
        >>> optimizer.add_param_group({"params": [b], "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        owner = f"{type(self).__name__}: param group {len(self.param_groups)}"
        if not isinstance(param_group, dict):
            raise TypeError(f'{owner} must be a dict with the key "params", got {_describe(param_group)}')
        if "params" not in param_group:
            raise ValueError(f'{owner} must have the key "params", got {_describe(param_group)}')
        group = {**self.defaults, **param_group}
        group["params"], names = _named_tensors(group["params"], owner)
        if names:
            group["param_names"] = names
        self.check_options(group, owner)
        for other in self.param_groups:
            if ("param_names" in other) != ("param_names" in group):
                with_names = "with" if names else "without"
                raise ValueError(f"{owner} comes {with_names} names; give them for all param groups or for none")
        seen = {id(p): f"params[{i}] of group {j}" for j, i, p in self._places()}
        for i, p in enumerate(group["params"]):
            place = f"params[{i}]"
            if id(p) in seen:
                raise ValueError(
                    f"{owner}: {place}, of shape {p.shape}, is also {seen[id(p)]}; a parameter is optimized once only"
                )
            if not p.is_leaf:
                raise ValueError(
                    f"{owner}: {place}, of shape {p.shape}, was made by {p.grad_fn}, and only leaf tensors can be "
                    "optimized; optimize what it was computed from, or x.detach().requires_grad_()"
                )
            seen[id(p)] = f"{place} of the same group"
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero in place if not `set_to_none`.

        A parameter whose gradient is None is left alone by `step`; one whose gradient is zero is not: momentum and
        weight decay still move it.
        """
        for group in self.param_groups:
            if set_to_none:
                for p in group["params"]:
                    p._grad = None  # many times faster than to ask for it
            else:
                for p in group["params"]:
                    clear_grad(p, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once, from their gradients.

        closure : computes the loss again and calls backward; run first, with gradients recorded

        Returns what `closure` returned, or None. Raises, before anything is changed, RuntimeError for a parameter
        that cannot be updated: one that is read-only, or got another shape than its gradient or state has, or another
        dtype than its gradient has (state follows the parameter's dtype, so `model.double()` may come between steps);
        and ValueError or TypeError for an option that was changed to one out of range.
        """
        loss = None
        if closure is not None:
            checks.function(f"{type(self).__name__}.step", "closure", closure)
            with enable_grad():
                loss = closure()
        groups = self.param_groups
        for i, group in enumerate(groups):
            self._check_group(i, group)
        written, same = None, self._same_update
        if len(groups) == 1 and same is not None and self.update == MethodType(same, self):
            written = self._try_update(groups[0])  # of several groups, a later one could fail
        if written is None:
            written = self._look_and_update(groups)
        changed(*written, by=f"{type(self).__name__}.step")
        self._stepped = True
        return loss

    def update(self, group: Group, gradients: Gradients) -> None:
        """Update those parameters of a group that have a gradient: `p.array` in place, and `self.state[p]`.

        gradients : (parameter, the array of its gradient) pairs; the array is not to be changed
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(group, gradients), or a step of its own")

    def _try_update(self, group: Group) -> list[np.ndarray] | None:
        """As `_same_update`, where a kernel looks at the arrays by itself: those of the parameters that it has changed.

        Not called where `update` is another: that of a subclass, or what was put in its place. None, and nothing is
        changed, if this has to be done step by step: the state is still to be made, something does not fit, or the
        kernel cannot do it.
        """
        return None

    def _kept(self, params: Sequence[Tensor], *names: str) -> list[list[np.ndarray]] | None:
        """For each of these names the arrays in the state of all these parameters; None if one of them is missing."""
        states = [*map(self.state.get, params, repeat({}))]
        try:
            return [[state[name].array for state in states] for name in names]
        except KeyError:
            return None

    def _look_and_update(self, groups: list[Group]) -> list[np.ndarray]:
        """Update all parameters, after a look at each of them; their arrays."""
        converted: list[tuple[dict[str, Any], str, np.ndarray]] = []
        ready = [self._ready(group, converted) for group in groups]
        for state, name, array in converted:
            state[name] = wrap(array)
        written: list[np.ndarray] = []
        for group, gradients in zip(groups, ready, strict=True):
            self.update(group, gradients)
            written += [p.array for p, _ in gradients]
        return written

    def _ready(self, group: Group, converted: list[tuple[dict[str, Any], str, np.ndarray]]) -> Gradients:
        """The parameters of a group that have a gradient, and that, once it is sure that they can be updated.

        State in another dtype than the parameter's is put into `converted`, as (state, name, array in that dtype).
        """
        ready = []
        states = self.state if self.state_names else {}
        for p in group["params"]:
            grad = p._grad  # the property would take as long as a check below
            if grad is None:
                continue
            array, g = p.array, grad.array
            shape, dtype = array.shape, array.dtype
            if g.shape != shape or (g.dtype is not dtype and g.dtype != dtype):
                raise self._cannot_update(p, "its gradient", g, "call zero_grad() after changing a parameter")
            if not array.flags.writeable:
                raise RuntimeError(f"{self._name(p)} is read-only memory; make the parameter of a copy, x.clone()")
            ready.append((p, g))
            if not states or p not in states:
                continue
            state = states[p]
            for name in state:
                if name == "step":
                    continue
                kept = state[name].array
                if kept.shape != shape:
                    fix = "make the optimizer after changing parameters, or forget with optimizer.state.pop(p)"
                    raise self._cannot_update(p, f"its {name}", kept, fix)
                if kept.dtype is not dtype and kept.dtype != dtype:
                    converted.append((state, name, kept.astype(dtype, order="C")))
        return ready

    def _check_group(self, i: int, group: Group) -> None:
        """Raise if an option of group i is missing or out of range. What is still the same object is not looked at."""
        try:
            options = self._options_of(group)
        except KeyError:
            missing = sorted({"params", *self.defaults} - group.keys())
            raise ValueError(
                f"{type(self).__name__}: param group {i} lacks {', '.join(missing)}; options can be changed, but not "
                f"deleted; set them again, as param_groups[{i}][{missing[0]!r}] = ..."
            ) from None
        checked = self._checked.get(i)
        if checked is not None and all(map(is_, options, checked)):
            return
        self.check_options(group, f"{type(self).__name__}: param group {i}")
        if all(map(_is_constant, options[1:])):
            self._checked[i] = options

    def _cannot_update(self, p: Tensor, what: str, kept: np.ndarray, fix: str) -> RuntimeError:
        """The error for something that does not fit to a parameter, in shape or dtype."""
        return RuntimeError(
            f"{self._name(p)} is {p.dtype.name} of shape {p.shape}, but {what} is {kept.dtype.name} of shape "
            f"{kept.shape}; {fix}"
        )

    def _places(self) -> Iterable[tuple[int, int, Tensor]]:
        """The group, the position in it, and the parameter, for every parameter."""
        return ((j, i, p) for j, group in enumerate(self.param_groups) for i, p in enumerate(group["params"]))

    def _name(self, parameter: Tensor) -> str:
        """How messages call a parameter."""
        j, i = next((j, i) for j, i, p in self._places() if p is parameter)
        names = self.param_groups[j].get("param_names")
        return f"{type(self).__name__}: params[{i}] of group {j}" + (f" ({names[i]})" if names else "")

    # ---------------------------------------------------------------------------------- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """The options and the state, in PyTorch's form. The tensors are those in use: copy them to keep them.

        state        : {index of the parameter: {name: Tensor}}
        param_groups : the groups, with indices counted through all of them in place of parameters

        >>> import minigrad
        >>> w = minigrad.ones(2, requires_grad=True)
        >>> optimizer = minigrad.optim.SGD([w], lr=0.1, momentum=0.9)
        >>> w.grad = minigrad.ones(2)
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'momentum_buffer': tensor([1., 1.])}}
        """
        index = {id(p): n for n, (_, _, p) in enumerate(self._places())}
        return {
            "state": {index[id(p)]: state for p, state in self.state.items() if id(p) in index},
            "param_groups": [
                {
                    **{name: value for name, value in group.items() if name != "params"},
                    "params": [index[id(p)] for p in group["params"]],
                }
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over options and state, such as `state_dict` gives and PyTorch's optimizers do.

        Parameters are matched by their order. Tensors are copied and take the dtype of the parameter; numbers and
        arrays will do for them. Options that this optimizer does not know are kept with the others.

        Raises ValueError or TypeError, and changes nothing, when the number of groups or parameters differs, an
        option is missing or out of range, or the state of a parameter is not one this optimizer could have left.
        """
        owner = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(
                f'{owner}: needs a dict with the keys "state" and "param_groups", got {_describe(state_dict)}'
            )
        saved_groups, saved_states = state_dict["param_groups"], state_dict["state"]
        if not _is_packed(saved_groups, saved_states):
            raise ValueError(
                f'{owner}: "param_groups" must be a list of dicts with a list "params", each index in it once, and '
                '"state" a dict of dicts, as state_dict() gives them'
            )
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"{owner}: the saved param groups have {saved_sizes} parameters, those of this optimizer {sizes}; "
                "the two must be made of the same parameters in the same order"
            )
        groups = []
        for i, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            missing = self.defaults.keys() - saved.keys()
            if missing:
                raise ValueError(
                    f"{owner}: the saved param group {i} lacks {', '.join(sorted(missing))}; was it saved from "
                    f"another kind of optimizer than {type(self).__name__}?"
                )
            loaded = {**copy.deepcopy(saved), "params": group["params"]}
            if "param_names" in group:
                loaded.setdefault("param_names", group["param_names"])
            self.check_options(loaded, f"{owner}: param group {i}")
            groups.append(loaded)
        keys = chain.from_iterable(saved["params"] for saved in saved_groups)
        param_of = dict(zip(keys, (p for _, _, p in self._places()), strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, saved in saved_states.items():
            if key not in param_of:
                raise ValueError(f"{owner}: there is state for parameter {key!r}, but no param group has it")
            p = param_of[key]
            state[p] = self._load_state(saved, p, f"{owner}: the state of parameter {key}, of shape {p.shape}")
        self.param_groups, self.state = groups, state

    def _load_state(self, saved: dict[str, Any], p: Tensor, owner: str) -> dict[str, Any]:
        """A copy of the saved state of one parameter, checked and in its dtype."""
        if not self.state_names:
            return {name: _copy_for(p, name, value) for name, value in saved.items()}
        saved = {name: value for name, value in saved.items() if value is not None}
        missing, unknown = set(self.required_names) - saved.keys(), saved.keys() - set(self.state_names)
        if (saved and missing) or unknown:
            raise ValueError(
                f"{owner}, has {', '.join(sorted(saved))}; {type(self).__name__} needs "
                f"{', '.join(self.required_names) or 'nothing'} and knows {', '.join(self.state_names)}"
            )
        state = {}
        for name, value in saved.items():
            array, shape = np.asarray(unwrap(value)), () if name == "step" else p.shape
            if array.dtype.kind not in "fiub" or (array.size != 1 if name == "step" else array.shape != shape):
                wanted = "one number" if name == "step" else f"numbers of shape {shape}"
                raise ValueError(f"{owner}: {name} must be {wanted}, got {array.dtype} of shape {array.shape}")
            if name == "step":
                checks.number(owner, name, array.item(), " >= 0")
            dtype = np.float32 if name == "step" else p.dtype
            state[name] = wrap(array.astype(dtype, order="C").reshape(shape))
        return state

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines.extend(f"    {name}: {group[name]}" for name in sorted(group) if name != "params")
        return "\n".join([*lines, ")"])


def check_differentiable(owner: str, differentiable: bool) -> None:
    """Raise unless this option is False."""
    if checks.flag(owner, "differentiable", differentiable):
        raise ValueError(
            f"{owner}: differentiable=True is not possible, as a step is not recorded; write the update with "
            "operators, w = w - lr * g, to differentiate through it"
        )


def with_gradients(params: Sequence[Tensor]) -> tuple[Sequence[Tensor], list[np.ndarray], list[np.ndarray]]:
    """The parameters that have a gradient, their arrays, and those of the gradients."""
    try:
        gradients = [p._grad.array for p in params]  # type: ignore[union-attr]
    except AttributeError:  # None has no array
        params = [p for p in params if p._grad is not None]
        gradients = [p._grad.array for p in params]  # type: ignore[union-attr]
    return params, [p.array for p in params], gradients


def no_steps() -> Tensor:
    """The step count of a parameter that has not been updated: a 0-d float32 tensor, as in PyTorch."""
    return wrap(np.zeros((), np.float32))


def count_step(state: dict[str, Any]) -> int:
    """Count one more step of a parameter, and say which it is: 1 for the first."""
    steps = state["step"].array
    n = int(steps.item()) + 1
    steps.fill(n)
    return n


def zeros_for(p: Tensor) -> Tensor:
    """Zeros of the shape and dtype of a parameter, to keep in its state."""
    return wrap(np.zeros(p.shape, p.dtype))


def _named_tensors(params: Any, owner: str) -> tuple[list[Tensor], list[str]]:
    """The Tensors and the names (none, or one each) of a single Tensor, of Tensors, or of (name, Tensor) pairs."""
    tensors: list[Tensor] = []
    names: list[str] = []
    for i, item in enumerate([params] if isinstance(params, Tensor) else _as_list(params, owner)):
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            names.append(item[0])
            item = item[1]
        if not isinstance(item, Tensor):
            advice = "; pass its .parameters()" if hasattr(item, "parameters") else ""
            raise TypeError(
                f"{owner}: params[{i}] must be a Tensor or a (name, Tensor) pair, got {_describe(item)}{advice}"
            )
        tensors.append(item)
    if names and len(names) != len(tensors):
        raise ValueError(
            f"{owner}: {len(names)} of {len(tensors)} parameters come with names; give them for all or for none"
        )
    return tensors, names


def _is_constant(option: Any) -> bool:
    """Is this a number or the like, or a tuple of such, which stays what it is?"""
    if type(option) is tuple:
        return all(map(_is_constant, option))
    return option is None or type(option) in (float, int, bool, str)


def _is_packed(groups: Any, states: Any) -> bool:
    """Are these the two parts of a state_dict?"""
    if not isinstance(groups, (list, tuple)) or not isinstance(states, dict):
        return False
    if not all(isinstance(group, dict) and isinstance(group.get("params"), (list, tuple)) for group in groups):
        return False
    keys = list(chain.from_iterable(group["params"] for group in groups))
    return len(set(keys)) == len(keys) and all(isinstance(state, dict) for state in states.values())


def _as_list(params: Any, owner: str) -> list:
    """What `params` iterates over."""
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{owner}: params is a set, whose order changes from run to run; use a list")
    if hasattr(params, "parameters"):
        raise TypeError(
            f"{owner}: params must be an iterable of Tensors, got a {type(params).__name__}; pass its .parameters()"
        )
    try:
        return list(params)
    except TypeError:
        raise TypeError(
            f"{owner}: params must be an iterable of Tensors or of dicts, got {_describe(params)}"
        ) from None


def _describe(x: Any) -> str:
    """What came instead of something else, in short."""
    if isinstance(x, dict):
        return f"a dict with the keys {', '.join(map(repr, x)) or '(none)'}"
    return f"{type(x).__name__}" + (f" of shape {x.shape}" if hasattr(x, "shape") else "")


def _copy_for(p: Tensor, name: str, value: Any) -> Any:
    """A deep copy of one piece of state, its tensors in the parameter's dtype; `step` keeps its own, as in PyTorch."""
    if isinstance(value, Tensor):
        return wrap(np.array(value.array, value.dtype if name == "step" else p.dtype))
    if isinstance(value, dict):
        return {key: _copy_for(p, key, item) for key, item in value.items()}
    return copy.deepcopy(value)
