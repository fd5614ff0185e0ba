"""`Function`: an op of one's own in PyTorch's form, with static methods and a context.

How a call becomes part of the graph: `Call` is its node. A single differentiable output is made by the Call itself. Of
several, each is a `Part`, whose input is the Call: its backward hands the Call a `Gradients`, which can be added to
those of the other Parts, so that the backward walk treats a Call like any other op.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from . import versions
from .engine import Op, freed, is_tensor, rebase, unwrap, wrap
from .grad_mode import enable_grad, is_grad_enabled, no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward hands to backward: one context for each call of a Function. Attributes may be set freely.

    needs_input_grad : for each argument of forward, whether it is a Tensor that requires grad

    >>> import minigrad
    >>> class Scale(minigrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x, factor):
    ...         ctx.factor = factor
    ...         return x * factor
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * ctx.factor, None
    >>> y = Scale.apply(minigrad.ones(2, requires_grad=True), 3)
    >>> y.grad_fn.needs_input_grad, y.grad_fn.factor
    ((True, False), 3)
    """

    needs_input_grad: tuple[bool, ...]

    def __init__(self, name: str, args: tuple) -> None:
        self.needs_input_grad = tuple(is_tensor(x) and x.requires_grad for x in args)
        self._recorded = is_grad_enabled() and any(self.needs_input_grad)
        self._name, self._args, self._materialize = name, args, True
        self._to_save: tuple = ()
        self._dirty: tuple = ()
        self._constant: tuple = ()
        self._node: Callable[[], Call | None] | None = None  # weak: the node holds the context
        self._outputs: dict[str, tuple[Any, int]] = {}  # attributes that are outputs

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep Tensors for backward, where `saved_tensors` gives them back; None stays None. The last call counts.

        Save inputs and outputs rather than values computed on the way: those are constants to a second derivative.
        backward raises a RuntimeError if a saved Tensor was changed in place in the meantime. TypeError for what is
        no Tensor: set that as an attribute.
        """
        for i, t in enumerate(tensors):
            if not (t is None or is_tensor(t)):
                raise TypeError(
                    f"{self._name}: save_for_backward takes Tensors and None, argument {i} is {type(t).__name__}; "
                    "keep it as an attribute, ctx.name = value"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple:
        """What forward saved, as a tuple of Tensors and None.

        RuntimeError once a backward pass has freed it (see retain_graph of `grad`).
        """
        if self._node is None:
            return ()
        node = self._node()
        if node is None:
            raise RuntimeError(f"{self._name}: the saved Tensors were freed together with their graph")
        if node.saved is None:
            raise freed(node)
        return tuple(node.tied(t, i) for t, i in zip(node.saved, node.output_of, strict=True))

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which arguments forward changes in place; it must return each of them.

        TypeError for what is no Tensor. RuntimeError for one that is no argument, or a leaf that requires grad.
        """
        self._must_be_tensors("mark_dirty", tensors)
        for t in tensors:
            place = _place(t, self._args)
            if place is None:
                raise RuntimeError(
                    f"{self._name}: mark_dirty takes arguments of forward, and this Tensor is none of them"
                )
            if self._recorded and t.requires_grad and t.is_leaf:
                raise RuntimeError(
                    f"{self._name}: argument {place} is a leaf that requires grad, which cannot be changed in place "
                    "while ops are recorded; give x.clone(), or call it inside `with minigrad.no_grad():`"
                )
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient, such as indices; backward still gets zeros for them.

        Integer and bool outputs never have one. TypeError for what is no Tensor.
        """
        self._must_be_tensors("mark_non_differentiable", tensors)
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Is backward given zeros (True, the default) or None (False) for an output that no gradient came to?"""
        if not isinstance(value, bool):
            raise TypeError(f"{self._name}: set_materialize_grads takes True or False, got {value!r}")
        self._materialize = value

    def _must_be_tensors(self, method: str, values: tuple) -> None:
        for value in values:
            if not is_tensor(value):
                raise TypeError(f"{self._name}: {method} takes Tensors, got {type(value).__name__}")

    def __getattr__(self, name: str) -> Any:
        kept = vars(self).get("_outputs", {}).get(name)
        node = self._node() if kept and self._node else None
        if node is None:
            raise AttributeError(f"{vars(self).get('_name')}: ctx has no attribute {name!r}; did forward set it?")
        return node.tied(*kept)


class Function:
    """An op of one's own in PyTorch's form: subclass it, write two static methods, call `apply`.

    forward(ctx, *args)        : computes with Tensors, unrecorded; gives a Tensor, or a tuple with Tensors
    backward(ctx, *grads)      : the gradients of the outputs -> that of the one argument, or a tuple with one for each;
                                 None for what is no Tensor. It runs on Tensors, and is recorded under create_graph.

    The newer form splits forward in two: `forward(*args)`, and `setup_context(ctx, inputs, output)`, which saves what
    backward needs. What the context offers is said at `FunctionCtx`. An output that would share memory with an
    argument is copied (PyTorch makes it a view, and refuses to change that in place).

    >>> import minigrad
    >>> class Exp(minigrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (y,) = ctx.saved_tensors
    ...         return g * y
    >>> x = minigrad.tensor([0.0, 1.0], requires_grad=True)
    >>> y = Exp.apply(x)
    >>> y
    tensor([1.0000, 2.7183], grad_fn=<Exp>)
    >>> (dx,) = minigrad.autograd.grad(y.sum(), x, create_graph=True)
    >>> minigrad.autograd.grad(dx.sum(), x)
    (tensor([1.0000, 2.7183]),)
    """

    def __init__(self) -> None:
        name = type(self).__name__
        raise TypeError(f"{name} is not instantiated: its methods are static, call {name}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """forward(ctx, *args), or forward(*args) where setup_context is defined: the outputs."""
        raise NotImplementedError("a Function must define the static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple, output: Any) -> None:
        """Save what backward needs, given the arguments and the result of forward."""
        raise NotImplementedError("setup_context is not defined: forward takes the context")

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        """The gradients of the arguments, given those of the outputs (None for an output that is no Tensor)."""
        raise NotImplementedError("a Function must define the static method backward(ctx, *grads) to be differentiated")

    vjp = backward  # another name for it, as in PyTorch

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call forward, and record the call if a Tensor among the arguments requires grad.

        Keyword arguments are put in their places, so backward gives a gradient for each of them too. TypeError for
        those that have no place; RuntimeError if forward changes arguments in place that it does not return.
        """
        split = cls.setup_context is not Function.setup_context
        if split or kwargs:
            args = _positional(cls, split, args, kwargs)
        ctx = FunctionCtx(cls.__name__, args)
        with no_grad():
            result = cls.forward(*args) if split else cls.forward(ctx, *args)
            if split:
                cls.setup_context(ctx, args, result)
        if ctx._recorded and isinstance(result, (list, dict)):
            raise TypeError(
                f"{cls.__name__}: forward gave a {type(result).__name__}, whose Tensors would be cut out of the graph; "
                "return a Tensor, or a tuple of them"
            )
        if isinstance(result, tuple):
            return tuple(_outputs(cls, ctx, result))
        return _outputs(cls, ctx, (result,))[0]


class Call(Op):
    """One call of a Function: the node of the graph that holds its context"""

    saves_inputs = False

    function: type[Function]
    ctx: FunctionCtx
    places: list[int]  # which arguments are Tensors, and so inputs of this op,
    inputs_like: list[tuple]  # with the shape and dtype of each
    outputs_like: list[tuple | None]  # the same for each output; None if it is no Tensor
    own: int | None  # the output that this op makes itself, if there is only one with a gradient
    parts: dict[int, Callable[[], Part | None]]  # the others; weak, for they hold the Call
    saved: tuple | None  # what save_for_backward was given; None once freed
    output_of: list[int | None]  # for each of these the output that it is, or None

    def forward(
        self, *_: np.ndarray, function: type[Function], ctx: FunctionCtx, raw: tuple, arrays: list, differentiable: list
    ) -> tuple[np.ndarray, ...]:
        self.function, self.ctx, self.parts = function, ctx, {}
        self.places = [i for i, x in enumerate(ctx._args) if is_tensor(x)]
        self.inputs_like = [(ctx._args[i].shape, ctx._args[i].dtype) for i in self.places]
        self.outputs_like = [None if a is None else (a.shape, a.dtype) for a in arrays]
        self.own = differentiable[0] if len(differentiable) == 1 else None

        def kept(t: Any) -> tuple[Any, int | None]:
            """What to keep of a Tensor that is to be saved, and which differentiable output it is."""
            i = None if t is None else _place(t, raw)
            if i is None or (_place(t, ctx._args) is not None and _place(t, ctx._dirty) is None):
                return t, None
            return wrap(arrays[i]), i if i in differentiable else None  # its memory alone: no cycle

        saved = [kept(t) for t in ctx._to_save]
        self.saved, self.output_of = tuple(t for t, _ in saved), [i for _, i in saved]
        for name, t in list(vars(ctx).items()):
            if is_tensor(t) and kept(t)[1] is not None:  # left as it is, it would be a constant to a second derivative
                ctx._outputs[name] = kept(t)  # type: ignore[assignment]
                delattr(ctx, name)
        ctx._args = ctx._to_save = ctx._dirty = ctx._constant = ()
        ctx._node = weakref.ref(self)
        return tuple(arrays[i] for i in differentiable)

    def output_tensor(self, i: int, array: np.ndarray) -> Any:
        """The differentiable output i."""
        if i == self.own:
            return wrap(array, self)
        part = self.parts[i]() if i in self.parts else None
        if part is not None:
            return wrap(array, part)
        with enable_grad():
            tensor = Part.apply(wrap(array, self), index=i)
        self.parts[i] = weakref.ref(tensor.grad_fn)
        return tensor

    def tied(self, tensor: Any, output: int | None) -> Any:
        """A saved Tensor; if it is an output, tied to the graph again."""
        return tensor if output is None else self.output_tensor(output, tensor.array)

    def backward(self, g: Any) -> tuple:
        arrived = g.parts if isinstance(g, Gradients) else {self.own: g}
        answers = self._rule()(self.ctx, *self._given(arrived))
        answers = self._checked(answers if isinstance(answers, tuple) else (answers,))
        recorded, gradients = is_grad_enabled(), []
        for i, need, (shape, dtype) in zip(self.places, self.needs, self.inputs_like, strict=True):
            gx = answers[i] if need else None
            if gx is not None:
                gx = _fit(gx, shape, dtype, f"{self.name()}: the gradient of argument {i}")
                # Read-only: a rule may return what it holds, such as a saved Tensor, and nobody may change that.
                gx = gx if recorded else _read_only(gx.array)
            gradients.append(gx)
        return tuple(gradients)

    def _rule(self) -> Callable:
        """The user's backward, by either of its names."""
        function = self.function
        if function.vjp is Function.vjp:
            return function.backward
        if function.backward is not Function.backward:
            raise RuntimeError(
                f"{self.name()}: both backward and vjp are defined, which are two names of one rule; leave one out"
            )
        return function.vjp

    def _given(self, arrived: dict) -> Iterator[Any]:
        """What the rule is called with: for each output its gradient as a Tensor, or zeros, or None."""
        for i, like in enumerate(self.outputs_like):
            g = arrived.get(i)
            if g is not None:
                yield g if is_tensor(g) else wrap(_read_only(g))  # others may go on with it
            else:
                yield wrap(np.zeros(*like)) if like is not None and self.ctx._materialize else None

    def _checked(self, answers: tuple) -> tuple:
        """What the rule gave: an error unless it is a Tensor or None for each argument of forward."""
        name, expected = self.name(), len(self.ctx.needs_input_grad)
        if len(answers) < expected or any(x is not None for x in answers[expected:]):
            raise RuntimeError(
                f"{name}: backward gave {len(answers)} gradients, but forward took {expected} arguments; return a "
                "tuple with one for each, None for what has no gradient"
            )
        for i, gx in enumerate(answers[:expected]):
            if gx is not None and i not in self.places:
                raise RuntimeError(
                    f"{name}: backward gave a gradient for argument {i}, which was no Tensor; return None there"
                )
            if not (gx is None or is_tensor(gx)):
                raise TypeError(
                    f"{name}: backward gave {type(gx).__name__} as the gradient of argument {i}; it must be a Tensor "
                    "or None"
                )
        return answers

    def release(self) -> None:
        """Free the saved Tensors. A call that saved none stays usable; attributes of the context stay."""
        if self.saved:
            self.inputs = self.saved = None

    def name(self) -> str:
        """The Function's name."""
        return self.function.__name__

    def __getattr__(self, name: str) -> Any:
        ctx = vars(self).get("ctx")
        if ctx is None or name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(ctx, name)  # y.grad_fn.saved_tensors: in PyTorch the node is the context


class Part(Op):
    """y = x, one of several outputs of a Function; its gradient becomes a part of the call's"""

    saves_inputs = False

    def forward(self, x: np.ndarray, index: int) -> np.ndarray:
        self.index = index
        return x

    def backward(self, g: Any) -> Gradients:
        return Gradients({self.index: g})

    def name(self) -> str:
        """The Function's name."""
        return self.edges[0].name()


class Gradients:
    """The gradients of several outputs, by number: what arrives at a Call. Adding two merges them."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: Gradients) -> Gradients:
        parts = dict(self.parts)
        for i, g in other.parts.items():
            parts[i] = parts[i] + g if i in parts else g
        return Gradients(parts)

    @property
    def array(self) -> np.ndarray:
        """All elements, for anomaly mode to look at."""
        return np.concatenate([np.ravel(unwrap(g)) for g in self.parts.values()])


def _outputs(cls: type[Function], ctx: FunctionCtx, raw: tuple) -> list:
    """What apply returns for what forward returned: recorded, if the call is."""
    tensors, dirty = [x for x in ctx._args if is_tensor(x)], ctx._dirty
    for t in dirty:
        versions.changed(t.array, by=cls.__name__)
        if _place(t, raw) is None:
            raise RuntimeError(
                f"{cls.__name__}: forward changed argument {_place(t, ctx._args)} in place (mark_dirty), but does not "
                "return it; return every argument that is changed in place"
            )
    taken = {id(versions.memory(x.array)) for x in tensors}
    arrays = [_unshared(y, taken) if is_tensor(y) else None for y in raw]
    results = [y if array is None else wrap(array) for y, array in zip(raw, arrays, strict=True)]
    differentiable = [
        i
        for i, y in enumerate(raw)
        if ctx._recorded and is_tensor(y) and y.is_floating_point() and _place(y, ctx._constant) is None
    ]
    if differentiable:
        options = {"function": cls, "ctx": ctx, "raw": raw, "arrays": arrays, "differentiable": differentiable}
        node = Call.apply(*tensors, **options)[0].grad_fn
        for i in differentiable:
            results[i] = node.output_tensor(i, arrays[i])
    for i, y in enumerate(raw):
        if _place(y, dirty) is not None:
            if i in differentiable:
                _record_change(y, results[i])
            results[i] = y
    return results


def _record_change(x: Any, new: Any) -> None:
    """Give `x`, changed in place by a Function, the history of `new`."""
    if x._view is None:
        rebase(x, new)
    else:
        x.copy_(new)  # the base and its other views have to learn of it too


def _unshared(y: Any, taken: set[int]) -> np.ndarray:
    """The array of an output, copied if it shares memory with what is `taken` already."""
    array = y.array
    if id(versions.memory(array)) in taken:
        array = array.copy()
    taken.add(id(versions.memory(array)))
    return array


def _place(x: Any, among: tuple) -> int | None:
    """The position of this very object in a tuple, or None."""
    return next((i for i, other in enumerate(among) if other is x), None)


def _positional(cls: type[Function], split: bool, args: tuple, kwargs: dict[str, Any]) -> tuple:
    """Keyword arguments in their places, and for the newer form the defaults too."""
    signature = inspect.signature(cls.forward if split else functools.partial(cls.forward, None))
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}, of forward{signature}") from None
    if split:
        bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{cls.__name__}: {', '.join(bound.kwargs)} cannot be given by keyword: each argument of "
            f"forward{signature} needs a place, without a gap before it"
        )
    return bound.args


def _fit(g: Any, shape: tuple[int, ...], dtype: np.dtype, what: str) -> Any:
    """`g` as the gradient of an argument: summed over what broadcasting repeated, and of the argument's dtype."""
    if g.shape != shape:
        lead = g.ndim - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[lead:], strict=True)):
            raise RuntimeError(f"{what} has shape {g.shape}, but the argument has shape {shape}; they must be equal")
        repeated = tuple(i for i, m in enumerate(g.shape) if i < lead or (shape[i - lead] == 1 and m != 1))
        g = g.sum(repeated, keepdim=True).reshape(shape)
    return g if g.dtype == dtype else g.to(dtype)


def _read_only(array: Any) -> np.ndarray:
    """The same elements in an array that cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


# ---------------------------------------------------------------------------------- once_differentiable


def once_differentiable(fn: Callable) -> Callable:
    """Decorate a backward that is no rule for a second derivative, such as one that computes with NumPy.

    It runs unrecorded. Differentiating its result raises a RuntimeError; without this mark a part of the second
    derivative could be missing without a word. PyTorch raises only if a gradient of an output is itself recorded, and
    else takes the result for a constant; here it always raises.

    >>> import minigrad
    >>> from minigrad.autograd.function import once_differentiable
    >>> class Cube(minigrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return minigrad.from_numpy(3 * g.numpy() * x.detach().numpy() ** 2)
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    @functools.wraps(fn)
    def unrecorded(ctx: FunctionCtx, *grads: Any) -> Any:
        with no_grad():
            answers = fn(ctx, *(g.detach() if is_tensor(g) else g for g in grads))
        node = ctx._node() if ctx._node is not None else None
        if not is_grad_enabled() or node is None:
            return answers
        edges = [edge for edge in node.edges if edge is not None]
        sources = [wrap(np.empty(0), edge) if isinstance(edge, Op) else edge for edge in edges]
        sources += [g for g in grads if is_tensor(g)]
        many = answers if isinstance(answers, tuple) else (answers,)
        tied = tuple(OnceOnly.apply(a, *sources, by=node.name()) if is_tensor(a) else a for a in many)
        return tied if isinstance(answers, tuple) else tied[0]

    return unrecorded


class OnceOnly(Op):
    """y = x, made by a rule that cannot be differentiated again"""

    saves_inputs = False

    def forward(self, x: np.ndarray, *sources: Any, by: str) -> np.ndarray:
        self.by = by
        return x

    def backward(self, g: Any) -> NoReturn:
        raise RuntimeError(
            f"{self.by}: its backward is marked @once_differentiable, so there are no higher derivatives through it"
        )
