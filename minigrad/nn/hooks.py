"""Hooks: functions of the user's that a Module calls around its forward, and while gradients go back through it.

Around forward they are simply called. For backward, ops that change nothing are put before and behind the module:

    x[0] ── Port ─┐                    ┌─ Port ── y[0]         y = module(x)
    x[1] ── Port ─┼── what it computes ┼─ Port ── y[1]
    ...           │                    │
    Gate ─────────┴──────── Gate ──────┘

A Gate is made before its Ports, so backward comes to it when the gradients of all of them are known. They reach it as
one Parcel, and it shows them to the hooks together. The Gate behind the module hands the one before it, in the same
way, the gradients of the outputs: so nothing is kept between two passes, and none disturbs another.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..autograd import Op, RemovableHandle, is_grad_enabled, is_tensor, unwrap, version, wrap
from . import structure

if TYPE_CHECKING:
    from .module import Module

__all__ = [
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]


class Hook(NamedTuple):
    """One hook, and how it wants to be called."""

    kind: str  # "forward_pre", "forward", "backward_pre" or "backward"
    call: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


Hooks = OrderedDict[int, Hook]  # in the order in which those of a kind are called

everywhere: Hooks = OrderedDict()  # the hooks of all modules, called before their own


class _Handle(RemovableHandle):
    """That of a hook of modules, whose structure it is a part of."""

    def remove(self) -> None:
        super().remove()
        structure.latest = object()


def register(hooks: Hooks, hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Add `hook`, behind or before all others."""
    if not callable(hook.call):
        raise TypeError(f"a {hook.kind} hook must be callable, got {type(hook.call).__name__}")
    handle = _Handle(hooks, hook)  # type: ignore[arg-type]
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    structure.latest = object()
    return handle


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before the forward of every module; see `Module.register_forward_pre_hook`.

    The hooks of all modules are for debugging and profiling, and are called before a module's own.
    """
    return register(everywhere, Hook("forward_pre", hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the forward of every module; see `Module.register_forward_hook`.

    >>> import minigrad
    >>> from minigrad import nn
    >>> def tell(module, args, output):
    ...     print(type(module).__name__, output.shape)
    >>> with nn.hooks.register_module_forward_hook(tell):
    ...     _ = nn.Sequential(nn.Linear(3, 2), nn.ReLU())(minigrad.ones(5, 3))
    Linear (5, 2)
    ReLU (5, 2)
    Sequential (5, 2)
    """
    return register(everywhere, Hook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` in the backward of every module before its own hooks of that kind.

    See `Module.register_full_backward_pre_hook`.
    """
    return register(everywhere, Hook("backward_pre", hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` in the backward of every module before its own hooks of that kind.

    See `Module.register_full_backward_hook`.
    """
    return register(everywhere, Hook("backward", hook))


# ------------------------------------------------------------------------------------------- around forward


def call_with_hooks(module: Module, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)` between all its hooks."""
    called, output = set(), None
    try:
        backward_hooks = _Backward(module)
        for _, hook in _hooks_of(module, "forward_pre"):
            args, kwargs = _before(hook, module, args, kwargs)
        token = None
        if backward_hooks.needed:
            args, token = backward_hooks.enter(args)
        output = module.forward(*args, **kwargs)
        for key, hook in _hooks_of(module, "forward"):
            called.add(key)
            output = _after(hook, module, args, kwargs, output)
        return backward_hooks.leave(output, token) if backward_hooks.needed else output
    except Exception:
        for key, hook in _hooks_of(module, "forward"):
            if hook.always_call and key not in called:
                try:
                    output = _after(hook, module, args, kwargs, output)
                except Exception as error:  # the first error is the one to be told of
                    warnings.warn(
                        f"{type(module).__name__}: a forward hook with always_call=True raised {error!r}, after "
                        "another error, which is raised",
                        stacklevel=3,
                    )
        raise


def _hooks_of(module: Module, kind: str) -> Iterator[tuple[int, Hook]]:
    """The hooks of that kind, those of all modules first; they may be removed on the way."""
    both = (*everywhere.items(), *module._hooks.items())
    return ((key, hook) for key, hook in both if hook.kind == kind)


def _before(hook: Hook, module: Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """The arguments of forward, after a pre-hook has seen them."""
    answer = hook.call(module, args, kwargs) if hook.with_kwargs else hook.call(module, args)
    if answer is None:
        return args, kwargs
    if not hook.with_kwargs:
        return (answer if isinstance(answer, tuple) else (answer,)), kwargs
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise RuntimeError(
            f"forward pre-hook of {type(module).__name__}: with_kwargs=True needs None or a pair (args, kwargs) from "
            f"the hook, got {type(answer).__name__}"
        )
    return answer


def _after(hook: Hook, module: Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
    """The output of forward, after a hook has seen it."""
    given = (args, kwargs, output) if hook.with_kwargs else (args, output)
    answer = hook.call(module, *given)
    return output if answer is None else answer


# ----------------------------------------------------------------------------------------------- backward

Gradients = tuple[Any, ...]  # of all inputs or of all outputs; None where there is none

_OUTPUTS = "outputs"  # the place of the outputs' gradients in the Parcel for the Gate of the inputs


class Parcel:
    """What a Gate's Ports send it: gradients by their place. Like gradients, two for one node add up."""

    def __init__(self, gradients: dict[Any, Any]) -> None:
        self.gradients = gradients

    def __add__(self, other: Parcel) -> Parcel:
        return Parcel(self.gradients | other.gradients)

    @property
    def array(self) -> np.ndarray:
        """All numbers in it: what anomaly mode looks at."""
        outputs = self.gradients.get(_OUTPUTS, ())
        inside = [g for g in (*self.gradients.values(), *outputs) if g is not None and g is not outputs]
        return np.concatenate([np.ravel(unwrap(g)) for g in inside]) if inside else np.empty(0)


class Gate(Op):
    """y = 0, a token for Ports; the Parcel of gradients that comes back to it is opened, and each sent on its way"""

    saves_inputs = False

    def forward(self, *inputs: np.ndarray, open: Callable[[dict[Any, Any]], Gradients], of: Module) -> np.ndarray:
        self.open, self.of = open, of
        return np.zeros(())

    def name(self) -> str:
        return f"hooks of {type(self.of).__name__}"

    def backward(self, g: Parcel) -> Gradients:
        return self.open(dict(g.gradients))


class Port(Op):
    """y = x; the gradient goes to the Gate that gave the token"""

    saves_inputs = False

    def forward(self, x: np.ndarray, token: np.ndarray, place: int) -> np.ndarray:
        self.place = place
        return x

    def backward(self, g: Any) -> tuple[None, Parcel]:
        return None, Parcel({self.place: g})


class _Backward:
    """The backward hooks of one call of a module, as they were when it began.

    Both Gates hold it, so it holds neither of them, nor their tokens: a graph has no reference cycle.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.pre_hooks = [hook for _, hook in _hooks_of(module, "backward_pre")]
        self.hooks = [hook for _, hook in _hooks_of(module, "backward")]
        self.needed = bool(self.pre_hooks or self.hooks) and is_grad_enabled()
        self.versions: dict[int, tuple[int, np.ndarray]] = {}  # of the memory behind Ports

    def enter(self, args: tuple) -> tuple[tuple, Any]:
        """The arguments, each Tensor that requires grad behind a Port, and the token of their Gate if there is one."""
        self.inputs = _tensors(args)
        self.size = len(args)
        self.ported = [i for i, (_, _, needs) in self.inputs.items() if needs]
        if not self.ported:
            return args, None
        token = Gate.apply(*[args[i] for i in self.ported], open=self.at_inputs, of=self.module)
        self.versions = {i: (version(args[i].array), args[i].array) for i in self.ported}
        return _behind_ports(args, self.ported, token), token

    def leave(self, output: Any, token: Any) -> Any:
        """The output, each Tensor that requires grad behind a Port; `token` is the one that `enter` gave."""
        for i, (before, array) in self.versions.items():
            if version(array) != before:  # recorded behind the Port, where the caller's Tensor does not know of it
                raise RuntimeError(
                    f"{type(self.module).__name__}: forward changed args[{i}], of shape {array.shape}, in place, which "
                    "a module with backward hooks must not; change a clone() of it"
                )
        self.versions.clear()
        if isinstance(output, (np.ndarray, np.generic)):
            return output  # arrays in, arrays out: nothing is recorded
        if not (is_tensor(output) or isinstance(output, tuple)):
            warnings.warn(
                f"{type(self.module).__name__}: its full backward hooks are not called for an output of type "
                f"{type(output).__name__}; they need a Tensor, or a tuple with Tensors",
                stacklevel=4,
            )
            return output
        outputs = output if isinstance(output, tuple) else (output,)
        about, size = _tensors(outputs), len(outputs)
        ported = [i for i, (_, _, needs) in about.items() if needs]
        if not ported:
            return output
        first = [] if token is None else [token]

        def at_outputs(gradients: dict[Any, Any]) -> Gradients:
            return self.at_outputs(gradients, about, size, ported)

        token = Gate.apply(*first, *[outputs[i] for i in ported], open=at_outputs, of=self.module)
        outputs = _behind_ports(outputs, ported, token)
        return outputs if isinstance(output, tuple) else outputs[0]

    def at_outputs(self, gradients: dict[Any, Any], about: dict[int, Any], size: int, ported: list[int]) -> Gradients:
        """Backward begins: show the outputs' gradients to the pre-hooks."""
        grad_output = tuple(_shown(gradients.get(i)) for i in range(size))
        for hook in self.pre_hooks:
            grad_output = self.replaced(hook, grad_output, hook.call(self.module, grad_output), about)
        passed = tuple(_passed(grad_output[i]) for i in ported)
        if self.ported:
            return Parcel({_OUTPUTS: grad_output}), *passed
        nothing = (None,) * self.size
        for hook in self.hooks:
            answer = hook.call(self.module, nothing, grad_output)
            if answer is not None and not (isinstance(answer, tuple) and all(g is None for g in answer)):
                raise RuntimeError(
                    f"full backward hook of {type(self.module).__name__}: no input requires grad, so it must return "
                    f"None, got {type(answer).__name__}"
                )
        return passed

    def at_inputs(self, gradients: dict[Any, Any]) -> Gradients:
        """Backward is done: show all gradients to the hooks, if those of the outputs came this way as well."""
        grad_output = gradients.pop(_OUTPUTS, None)
        if not gradients:
            return (None,) * len(self.ported)
        for i, (shape, dtype, _) in self.inputs.items():
            if i not in gradients:  # none reached this input
                gradients[i] = np.zeros(shape, dtype)
        if not self.hooks or grad_output is None:
            return tuple(_passed(_shown(gradients[i])) for i in self.ported)
        grad_input = tuple(_shown(gradients.get(i)) for i in range(self.size))
        for hook in self.hooks:
            answer = hook.call(self.module, grad_input, grad_output)
            grad_input = self.replaced(hook, grad_input, answer, self.inputs)
        return tuple(_passed(grad_input[i]) for i in self.ported)

    def replaced(self, hook: Hook, gradients: Gradients, answer: Any, about: dict[int, Any]) -> Gradients:
        """The gradients that go on, after a hook gave this answer."""
        if answer is None:
            return gradients
        owner = f"full {hook.kind.replace('_pre', ' pre-')} hook of {type(self.module).__name__}".replace("- ", "-")
        given = (answer,) if is_tensor(answer) and len(gradients) == 1 else answer
        if not isinstance(given, (tuple, list)) or len(given) != len(gradients):
            got = f"{len(given)} of them" if isinstance(given, (tuple, list)) else type(answer).__name__
            raise RuntimeError(f"{owner}: must return None or a tuple of {len(gradients)} gradients, got {got}")
        for i, g in enumerate(given):
            if g is None or i not in about:
                continue
            shape, dtype, _ = about[i]
            if not is_tensor(g) or (g.shape, g.dtype) != (shape, dtype):
                got = f"{g.dtype.name} of shape {g.shape}" if is_tensor(g) else type(g).__name__
                raise RuntimeError(
                    f"{owner}: gradient {i} that it returned must be a Tensor, {dtype.name} of shape {shape}, or None, "
                    f"got {got}"
                )
        return tuple(given)


def _tensors(values: tuple) -> dict[int, tuple[tuple[int, ...], np.dtype, bool]]:
    """The places of the Tensors, with their shape, dtype, and whether they require grad."""
    return {i: (x.shape, x.dtype, x.requires_grad) for i, x in enumerate(values) if is_tensor(x)}


def _behind_ports(values: tuple, places: list[int], token: Any) -> tuple:
    """The values, those at `places` behind Ports."""
    new = list(values)
    for i in places:
        new[i] = Port.apply(values[i].detach(), token, place=i)
    return type(values)(*new) if hasattr(values, "_fields") else tuple(new)


def _shown(g: Any) -> Any:
    """A gradient as hooks see it: a Tensor, which they may keep."""
    return g if g is None or is_tensor(g) else wrap(np.array(g))


def _passed(g: Any) -> Any:
    """A gradient as it goes on: a Tensor in a recorded pass, else an array of its own."""
    return g if g is None or is_grad_enabled() else np.array(g.array)
