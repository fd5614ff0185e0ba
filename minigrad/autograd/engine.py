"""Reverse-mode automatic differentiation: `Op`, the backward walk, `backward` and `grad`.

The engine rests on one idea: **a derivative rule is written once**. Multiplication, for operands of one shape:

    class Mul(Op):
        def forward(self, a, b):
            return a * b

        def backward(self, g):
            a, b = self.operands()
            return g * b, g * a

Applied to arrays, `Mul.apply` gives an array. Applied to Tensors, it gives a Tensor that remembers the op.
The rule itself uses operators and other ops, so the same line serves twice. In a plain backward pass `g`, `a`
and `b` are bare arrays, and NumPy does the work. Under `create_graph=True` they are Tensors: computing the
gradient is itself recorded, and can be differentiated again, to any order.

How a graph is kept:

- The op instance **is** the graph node, and a Tensor points to the op that made it (`grad_fn`). The op points
  back along `edges` and never to its own output, so there is no reference cycle: a graph is freed the moment
  its last Tensor is.
- Every op gets a creation stamp. A result is always made after its operands, so going through the ops from the
  latest stamp to the earliest visits each one after all its consumers: by then its gradient is complete.

An op's *node* in the graph is the op itself; a leaf Tensor (one that no op made) is its own node.

Source: Linnainmaa 1970 and Speelpenning 1980 for the reverse mode; Griewank and Walther, "Evaluating
Derivatives", 2nd ed., 2008, for both.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np
from numpy import ndarray

from ..checks import flag
from . import anomaly, versions
from .grad_mode import enable_grad, recording
from .versions import tick

__all__ = ["AccumulateGrad", "Fused", "Op", "RemovableHandle", "backward", "grad"]

# PyTorch computes with infinities without a word; so does a backward pass.
QUIET: dict[str, Any] = {"divide": "ignore", "invalid": "ignore", "over": "ignore"}

_Tensor: Any = None  # the class results are wrapped in; tensor.py registers it


_new = object.__new__
_is_recording = recording.get


def register_tensor(cls: type) -> None:
    """Make `cls` the Tensor class. It has the slots array, _grad_fn, _requires_grad, _grad, _view and hooks."""
    global _Tensor
    _Tensor = cls


def is_tensor(x: object) -> bool:
    """Is `x` a Tensor (rather than an array or a number)?"""
    return isinstance(x, _Tensor)


def wrap(array: Any, op: Op | None = None) -> Any:
    """A Tensor around `array`, made by `op` (None: a constant)."""
    tensor = _new(_Tensor)
    tensor.array = array if type(array) is ndarray else np.asarray(array)  # 0-d results are NumPy scalars
    tensor._grad_fn = op
    tensor._requires_grad = op is not None
    tensor._grad = tensor._view = tensor.hooks = None
    return tensor


def unwrap(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, _Tensor) else x


# ---------------------------------------------------------------------------------------------------- Op


class Op:
    """A differentiable function. Applying it makes an instance, which is the node of the graph.

    forward  : arrays (and keyword options) -> array. What backward needs besides the inputs, it keeps on `self`, in
               attributes, under names that Op itself does not use (arrays in `__slots__` are not looked after).
               It may return a tuple: then only the first result is differentiable, and the rest are constants.
    backward : the output's gradient -> the gradient of the one input, or a tuple with one for each input. None
               stands for "no gradient"; one that nobody needs (see `edges`) may be left as None. It never
               returns an array that it holds, nor changes one in place.

    >>> import minigrad
    >>> class Cube(minigrad.autograd.Op):
    ...     def forward(self, x):
    ...         return x**3
    ...
    ...     def backward(self, g):
    ...         (x,) = self.operands()
    ...         return g * 3 * x**2
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (dx,) = minigrad.autograd.grad(Cube.apply(x), x, create_graph=True)
    >>> dx.item(), minigrad.autograd.grad(dx, x)[0].item()    # 3 x^2 and 6 x
    (27.0, 18.0)
    """

    __slots__ = ("__weakref__", "_arrays", "edges", "hooks", "inputs", "stamp")

    saves_inputs = True  # False where backward never asks for `operands`: the inputs can then be freed early
    uses: tuple[tuple[int, ...], ...] | None = None  # for each input those that its gradient is made of; None: all
    view = False  # True where the result may share memory with the first input
    by_kernel = False  # True where `kernel_backward` can be called at once in a pass that is not recorded (see `Fused`)

    edges: list[Any]  # for each input its node (an Op or a leaf Tensor), or None when it needs no gradient
    inputs: tuple | None  # the inputs themselves; () if not saved, None once freed
    _arrays: list | None  # what forward was given for them; unset unless they are saved
    hooks: dict[Any, Callable] | None  # what to show the output's gradient to; under _RETAINED: who keeps it
    stamp: int  # the moment it was recorded: later ops, and later changes in place, have higher ones

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, g: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    @classmethod
    def apply(cls, *inputs: Any, **options: Any) -> Any:
        """Run forward; if an input is a Tensor give Tensors, and record the op if a gradient may be asked for."""
        op, many = cls(), len(inputs)
        arrays, edges, others, recorded = [], [], 0, False
        for x in inputs:
            if isinstance(x, _Tensor):
                if x._view is not None and x._view[0]._grad_fn is not x._view[2]:
                    follow_base(x)
                arrays.append(x.array)
                if x._requires_grad:
                    edges.append(x._grad_fn or x)
                    recorded = True
                else:
                    edges.append(None)
            else:
                arrays.append(x)
                edges.append(None)
                others += 1
        try:
            if options:
                y = op.forward(*arrays, **options)
            elif many == 2:  # without asterisks a call takes half as long
                y = op.forward(arrays[0], arrays[1])
            elif many == 1:
                y = op.forward(arrays[0])
            else:
                y = op.forward(*arrays)
        except ValueError as error:
            if "broadcast" in str(error):
                must_broadcast(cls.__name__.lower(), *arrays)
            raise
        if others == many:
            return y  # arrays in, array out: this is what keeps a plain backward pass at NumPy's speed
        result = _new(_Tensor)  # as `wrap` makes it, without another call
        if recorded and _is_recording():
            op.edges = edges
            if cls.saves_inputs:
                op.inputs = inputs
                op._arrays = arrays
            else:
                op.inputs = ()
            op.hooks = None
            op.stamp = tick()
            result._grad_fn = op
            result._requires_grad = True
        else:
            result._grad_fn = None
            result._requires_grad = False
        if anomaly.enabled:
            anomaly.watch(op, arrays, y, versions.needed(op) if result._requires_grad else None)
        result._grad = result._view = result.hooks = None
        if type(y) is ndarray:
            result.array = y
        elif type(y) is tuple:
            result.array = np.asarray(y[0])
            return result, *map(wrap, y[1:])
        else:
            result.array = np.asarray(y)  # 0-d results are NumPy scalars
        if cls.view:
            _remember_base(result, inputs[0], cls, options)
        return result

    @property
    def needs(self) -> list[bool]:
        """For each input, whether it needs a gradient."""
        needs = []
        for edge in self.edges:  # quicker than a comprehension, in Python 3.11, or `map`
            needs.append(edge is not None)
        return needs

    def operands(self) -> Sequence[Any]:
        """The inputs of forward as this backward pass wants them: Tensors if it is recorded, else arrays.

        A pass is recorded if grad mode is on: the walk sets it for each pass, by `create_graph`. An input that was
        detached in the meantime is then tied to where it came from again.
        """
        if not _is_recording():
            return [*self._arrays]  # type: ignore[misc] # the caller's own: a second pass may ask again
        assert self.inputs is not None
        pairs = zip(self.inputs, self.edges, strict=True)
        return [x if edge is None or edge is x or edge is x._grad_fn else wrap(x.array, edge) for x, edge in pairs]

    def inputs_needed(self) -> list[int]:
        """The inputs, by number, whose elements backward reads."""
        assert self.inputs is not None
        if self.uses is None:
            return list(range(len(self.inputs)))
        found: set[int] = set()
        for used, need in zip(self.uses, self.needs, strict=True):
            if need:
                found.update(used)
        return sorted(found)

    def output(self, y: Any) -> Any:
        """A result that forward kept, tied to the graph again if this backward pass is recorded."""
        return wrap(y, self) if _is_recording() else y

    def release(self) -> None:
        """Free what was saved for backward. An op that saved no array stays usable."""
        kept = self.__dict__ if type(self).__dictoffset__ else None  # __slots__ may leave an op without one
        if self.inputs or (kept and _hold_array(kept.values())):
            self.inputs = self._arrays = None
            if kept:
                kept.clear()

    def name(self) -> str:
        """The op's name, as the repr of a Tensor shows it."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple:
        """Where gradients go: for each input (the op that made it, 0), (AccumulateGrad, 0) for a leaf, or (None, 0).

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> (x.exp() * 2).grad_fn.next_functions
        ((<Exp>, 0), (None, 0))
        """
        return tuple((AccumulateGrad(edge) if isinstance(edge, _Tensor) else edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class AccumulateGrad:
    """The end of a graph as `Op.next_functions` shows it: the place where a leaf, `variable`, takes its gradient."""

    next_functions = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def name(self) -> str:
        """AccumulateGrad"""
        return type(self).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and self.variable is other.variable

    def __hash__(self) -> int:
        return hash((AccumulateGrad, id(self.variable)))

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Fused(Op):
    """An op whose plain backward is a kernel, and whose recorded backward differentiates its definition.

    A subclass gives `kernel_backward(g)` on arrays, and `definition(*inputs)`: the same function, composed of
    other ops. The definition is the documentation, the tests' oracle and the rule for higher derivatives at
    once, so no second derivative is ever written by hand. (A `backward` of its own belongs into the body of the
    class: whether there is one is looked at when the class is made.)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.by_kernel = cls.backward is Fused.backward

    def definition(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define definition")

    def kernel_backward(self, g: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define kernel_backward")

    def backward(self, g: Any) -> Any:
        return self.recorded_backward(g) if _is_recording() else self.kernel_backward(g)

    def recorded_backward(self, g: Any) -> tuple:
        """The gradients as Tensors that can be differentiated again."""
        return self.differentiated(self.definition, g)

    def differentiated(self, definition: Callable, g: Any) -> tuple:
        """The gradients that the backward pass of `definition(*inputs)` comes to, recorded."""
        # Aliases make the inputs independent of each other: one may be passed twice, or computed from another.
        inputs = [Alias.apply(x) if isinstance(x, _Tensor) else x for x in self.operands()]
        nodes = [_node(x) if isinstance(x, _Tensor) else None for x in inputs]
        y = definition(*inputs)
        wanted = {node for node in nodes if node is not None}
        found = _walk({_node(y): g}, create_graph=True, retain_graph=True, wanted=wanted)
        return tuple(found.get(node) for node in nodes)


class Alias(Op):
    """y = x, as a node of its own."""

    saves_inputs = False
    view = True

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, g: Any) -> Any:
        return g


def must_broadcast(name: str, *arrays: Any) -> None:
    """RuntimeError, as in PyTorch, unless the shapes of the operands go together."""
    shapes = [np.shape(a) for a in arrays]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(
            f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast: from the last one on, sizes must be "
            "equal, or one of them 1"
        ) from None


_ARRAYS = (ndarray, np.generic)


def _hold_array(values: Iterable) -> bool:
    """Is there an array among these, or a tuple with one, such as the key of an index?"""
    for kept in values:
        if isinstance(kept, _ARRAYS) or (type(kept) is tuple and any(isinstance(part, ndarray) for part in kept)):
            return True
    return False


# ------------------------------------------------------------------------------------------------- views
#
# A view remembers its base, and the ops that lead to it. Writing to the base, or to another view of it, gives the
# base a new history; a view whose base has another one than it knows makes the ops again, on the base as it is now.


def _remember_base(result: Any, x: Any, cls: type[Op], options: dict) -> None:
    """Tie `result` of a view op to the Tensor that owns its memory, if it is a view and not a copy."""
    if isinstance(x, _Tensor) and (
        result.array.base is x.array or versions.memory(result.array) is versions.memory(x.array)
    ):
        base, path, _ = x._view or (x, None, None)
        result._view = base, (path, cls, options), base._grad_fn


def base_and_path(x: Any) -> tuple[Any, list[tuple[type[Op], dict]]]:
    """The Tensor that owns the memory of `x`, and the ops, with their options, that lead from there to `x`."""
    _leave_base(x)
    base, path, _ = x._view or (x, None, None)
    steps = []
    while path is not None:
        path, cls, options = path
        steps.append((cls, options))
    return base, steps[::-1]


def follow_base(view: Any) -> None:
    """Bring the history of a view up to date."""
    base, _, known = view._view
    if base._grad_fn is known or base._grad_fn is None:  # None: detached, which is not the view's business
        return
    base, path = base_and_path(view)
    if base is not view:
        fresh = base
        with enable_grad():
            for cls, options in path:
                fresh = cls.apply(fresh, **options)
        rebase(view, fresh)
        view._view = fresh._view


def _leave_base(x: Any) -> None:
    """Make a view independent whose base was given other memory (`base.data = ...`)."""
    if x._view is not None and versions.memory(x.array) is not versions.memory(x._view[0].array):
        x._view = None


def rebase(tensor: Any, new: Any) -> None:
    """Give `tensor`, which was changed in place, the history of `new`."""
    old, op = tensor._grad_fn, new._grad_fn
    if old is not None and op is not None and _retained(old) is tensor:
        _hooks_of(op)[_RETAINED] = old.hooks.pop(_RETAINED)  # .grad will be that of the new values
    tensor._grad_fn, tensor._requires_grad = op, new._requires_grad


# ---------------------------------------------------------------------------------------------- the walk


def _node(tensor: Any) -> Any:
    """The graph node of a Tensor: the op that made it, or the Tensor itself when it is a leaf."""
    return tensor.grad_fn or tensor


def _walk(seeds: dict, create_graph: bool, retain_graph: bool, wanted: set | None = None) -> dict:
    """Carry gradients back through the graph: {node: gradient} in, {node: gradient} out.

    An op's gradient is complete when its turn comes, a leaf's when all ops are done. The result holds the leaves'
    gradients, or those of the `wanted` nodes; then only ops on a way to one of them are run. Gradients are arrays,
    or Tensors when `create_graph` asks for a pass that is itself recorded; grad mode must have been set accordingly.
    """
    grads, found = dict(seeds), {}
    useful = set(seeds) if wanted is None else _useful(seeds, wanted)
    waiting: list[tuple[int, Op]] = []  # a heap, the latest op first: those that a gradient has come to
    for node in seeds:
        if isinstance(node, Op) and node in useful:
            heappush(waiting, (-node.stamp, node))
    sums: set = set()  # the nodes whose gradient so far was added up here: nobody else holds that array
    while waiting:
        order, op = heappop(waiting)  # no gradient can come to it any more: those it was used by are later, and done
        g, edges = grads.pop(op), op.edges
        if op.hooks:
            g = _run_hooks(op, g)
        if wanted is not None:
            if op in wanted:
                found[op] = g
            if useful.isdisjoint(edges):
                continue  # nothing else that is wanted lies behind it
            edges = _among(useful, edges)
        inputs = op.inputs
        if inputs is None:
            raise freed(op)
        if -order < versions.latest:
            versions.check(op)
        if anomaly.enabled:
            gradients = anomaly.backward(op, g, versions.needed(op))
        elif op.by_kernel and not create_graph:
            gradients = op.kernel_backward(g)  # type: ignore[attr-defined] # as backward would
        else:
            gradients = op.backward(g)
        if type(gradients) is not tuple:
            gradients = (gradients,)
        if len(gradients) != len(edges):
            raise RuntimeError(
                f"{op.name()}.backward gave {len(gradients)} gradients for {len(edges)} inputs; it must return "
                "one for each, None where there is none"
            )
        if not retain_graph and (inputs or type(op).__dictoffset__):
            op.release()
        for edge, gx in zip(edges, gradients):  # noqa: B905 - compared above; strict= is slow
            if edge is None or gx is None:
                continue
            if edge not in grads:
                grads[edge] = gx
                if isinstance(edge, Op):
                    heappush(waiting, (-edge.stamp, edge))
            elif edge in sums:
                grads[edge] += gx
            else:
                grads[edge] = grads[edge] + gx
                if not create_graph:
                    sums.add(edge)
    for leaf in grads if wanted is None else wanted & grads.keys():
        g, array = grads[leaf], leaf.array
        if leaf.hooks:
            g = _run_hooks(leaf, g)
        if g.shape != array.shape:
            raise RuntimeError(
                f"a gradient of shape {g.shape} arrived at a leaf of shape {array.shape}: an op's backward is wrong"
            )
        if g.dtype is not array.dtype and g.dtype != array.dtype:
            g = g.to(array.dtype) if create_graph else g.astype(array.dtype)
        found[leaf] = g
    return found


def _among(useful: set, edges: list) -> list:
    """The edges that lead to a useful node, and None for the others."""
    return [edge if edge in useful else None for edge in edges]


def freed(op: Op) -> RuntimeError:
    """The error for an op whose backward is asked for what an earlier pass has freed."""
    return RuntimeError(
        f"backward through {op.name()} a second time, but what it saved was freed by the first pass. "
        "Pass retain_graph=True to the first backward() or grad(), or run the forward again."
    )


def _useful(seeds: Iterable, wanted: set) -> set:
    """The nodes between `seeds` and those `wanted`: they are on a way to a wanted one, or wanted themselves."""
    order = [node for node in seeds if isinstance(node, Op)]
    seen = set(order)
    for op in order:  # the list grows as it is read; recursion would break on a chain of 200,000 ops
        for edge in op.edges:
            if isinstance(edge, Op) and edge not in seen:
                seen.add(edge)
                order.append(edge)
    useful = set(wanted)
    for op in sorted(order, key=attrgetter("stamp")):  # earliest first, so that an op's operands are settled before it
        if not useful.isdisjoint(op.edges):
            useful.add(op)
    return useful


_RETAINED = "retained"  # among an op's hooks: the output, if it asked for its gradient


def _run_hooks(node: Any, g: Any) -> Any:
    """A node's complete gradient as its hooks leave it, kept for a Tensor that asked for that."""
    hooks = [hook for key, hook in node.hooks.items() if key != _RETAINED]
    if hooks:
        g = _show(hooks, g)
    tensor = _retained(node)
    if tensor is not None:
        kept = g.clone() if isinstance(g, _Tensor) else wrap(np.array(g))  # its own: others go on with g
        tensor._grad = kept if tensor._grad is None else tensor._grad + kept
    return g


def _show(hooks: list[Callable], g: Any) -> Any:
    """Call hooks with a gradient; one that returns a Tensor replaces it."""
    shown = g if isinstance(g, _Tensor) else wrap(np.array(g))  # a copy: a hook may keep it, or change it in place
    for hook in hooks:
        answer = hook(shown)
        if answer is not None:
            if not isinstance(answer, _Tensor) or (answer.shape, answer.dtype) != (shown.shape, shown.dtype):
                raise RuntimeError(
                    "a hook must return None or a Tensor of the gradient's own shape and dtype, which are "
                    f"{shown.shape} and {shown.dtype.name}, got {answer!r}"
                )
            shown = answer
    return shown if isinstance(g, _Tensor) else np.array(shown.array)


def _retained(node: Any) -> Any:
    """The output of an op that asked for its gradient, if it is still there; else None."""
    output = (node.hooks or {}).get(_RETAINED)
    return None if output is None else output()


def retain_grad(tensor: Any) -> None:
    """Let backward fill `.grad` of a Tensor that an op made (see `Tensor.retain_grad`)."""
    _hooks_of(tensor.grad_fn)[_RETAINED] = weakref.ref(tensor)  # weak: an op must not keep its own output alive


def register_hook(tensor: Any, hook: Callable) -> RemovableHandle:
    """Call `hook` with the gradient of `tensor` whenever it is complete (see `Tensor.register_hook`)."""
    if not callable(hook):
        raise TypeError(f"register_hook: needs a function of the gradient, got {hook!r}")
    return RemovableHandle(_hooks_of(_node(tensor)), hook)


def _hooks_of(node: Any) -> dict:
    """The hooks of a node, in a dict to add others to."""
    if node.hooks is None:
        node.hooks = {}
    return node.hooks


class RemovableHandle:
    """What registering a hook gives back: `remove()` takes the hook away again. Also a context manager."""

    _ids = count()

    def __init__(self, hooks: dict[Any, Callable], hook: Callable) -> None:
        self._hooks, self.id = hooks, next(self._ids)
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


# ------------------------------------------------------------------------------------ backward and grad

Tensors = Any  # a Tensor, or a sequence of them


@np.errstate(**QUIET)
def backward(
    tensors: Tensors,
    grad_tensors: Tensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors = None,
) -> None:
    """Add the gradient of `tensors` into `.grad` of every leaf that they were computed from.

    tensors      : what to differentiate, each with its own `grad_tensors` entry
    grad_tensors : the gradients that arrive at them; may be left out for a Tensor of one element
    retain_graph : keep what the ops saved, so that backward can run again; by default as `create_graph`
    create_graph : record this pass too, so that the gradients can be differentiated
    inputs       : accumulate into these Tensors only

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> minigrad.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    wanted = None
    if inputs is not None:
        leaves = _as_tuple(inputs)
        if not leaves:
            raise RuntimeError("backward: inputs is empty; name at least one Tensor, or leave it out for every leaf")
        wanted = {_node(_must_require_grad(x, "backward", "inputs")): x for x in leaves}
    keep = _keep(retain_graph, create_graph, "backward")
    before = recording.set(create_graph)
    try:
        seeds = _seeds(tensors, grad_tensors, create_graph, "backward")
        found = _walk(seeds, create_graph, keep, None if wanted is None else set(wanted))
        if wanted is not None:  # the walk has filled .grad of those that retain it
            found = {wanted[node]: g for node, g in found.items() if not (node.hooks and _RETAINED in node.hooks)}
        taken = set() if grad_tensors is None else _memory_of(seeds)
        with _adding:
            for tensor, g in found.items():
                if tensor._requires_grad:
                    if tensor._grad is None and type(g) is ndarray:
                        tensor._grad = _alone(g, taken)
                    else:
                        _accumulate(tensor, g)
    finally:
        recording.reset(before)


@np.errstate(**QUIET)
def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` is touched.

    Only the ops between the two are run. An input that the outputs do not depend on is an error, unless
    `allow_unused` (its gradient is then None) or `materialize_grads` (then zeros) is set. The other arguments
    are those of `backward`; `only_inputs` can only be True, as in PyTorch, which ignores it.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (dx,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    >>> dx
    tensor(27., grad_fn=<Mul>)
    >>> minigrad.autograd.grad(dx, x)   # the second derivative
    (tensor(18.),)
    """
    targets = _as_tuple(inputs)
    if only_inputs is not True:
        raise ValueError(
            f"grad: only_inputs must be True, got {only_inputs!r}; to add to the gradients of all leaves, call "
            "backward. (The argument after it is allow_unused; give that one by name.)"
        )
    if not targets:
        raise RuntimeError("grad: inputs is empty; name the Tensors to differentiate with respect to")
    if allow_unused is False and materialize_grads:
        raise ValueError("grad: allow_unused=False contradicts materialize_grads=True; leave one of them out")
    nodes = [_node(_must_require_grad(x, "grad", "inputs")) for x in targets]
    keep = _keep(retain_graph, create_graph, "grad")
    before = recording.set(create_graph)
    try:
        seeds = _seeds(outputs, grad_outputs, create_graph, "grad")
        found = _walk(seeds, create_graph, keep, set(nodes))
    finally:
        recording.reset(before)
    if not (allow_unused or materialize_grads):
        for i, node in enumerate(nodes):
            if node not in found:
                raise RuntimeError(
                    f"grad: outputs do not depend on inputs[{i}], of shape {targets[i].shape}. Pass "
                    "allow_unused=True to get None for it, or materialize_grads=True to get zeros."
                )
    taken = set() if grad_outputs is None else _memory_of(seeds)
    result = []
    for x, node in zip(targets, nodes, strict=True):
        g = found.get(node)
        if g is None and materialize_grads:
            g = np.zeros_like(x.array)
        result.append(g if g is None or isinstance(g, _Tensor) else _alone(np.asarray(g), taken))
    return tuple(result)


def _keep(retain_graph: bool | None, create_graph: bool, caller: str) -> bool:
    """Is the graph to be kept? TypeError for what is no flag."""
    if type(create_graph) is not bool:
        flag(caller, "create_graph", create_graph)
    return create_graph if retain_graph is None else flag(caller, "retain_graph", retain_graph)


def _memory_of(seeds: dict) -> set[int]:
    """What the gradients that were passed in lie in: no leaf may keep that as its own."""
    return {id(versions.memory(unwrap(g))) for g in seeds.values()}


def _seeds(tensors: Tensors, gradients: Tensors, create_graph: bool, caller: str) -> dict:
    """{node: gradient} to start a walk from, checked: Tensors with `create_graph`, else arrays."""
    outputs = _as_tuple(tensors)
    given = () if gradients is None else _as_tuple(gradients)
    if gradients is not None and len(given) != len(outputs):
        raise RuntimeError(f"{caller}: got {len(outputs)} outputs but {len(given)} gradients; give one for each")
    seeds: dict = {}
    for i, t in enumerate(outputs):
        node = _node(_must_require_grad(t, caller, "outputs"))
        if not given or given[i] is None:
            g = wrap(_one(t, caller, i)) if create_graph else _one(t, caller, i)
        else:
            g = _checked_seed(t, given[i], f"{caller}: outputs[{i}]")
            g = g if create_graph else g.array
        seeds[node] = seeds[node] + g if node in seeds else g
    return seeds


def _one(t: Any, caller: str, i: int) -> np.ndarray:
    """The gradient that arrives at an output of one element when none is given."""
    array = t.array
    if array.size != 1:
        raise RuntimeError(
            f"{caller}: outputs[{i}] has shape {t.shape}: a gradient can be left out only for a single element. Reduce "
            "it first (for example with .sum() or .mean()), or pass a gradient of that shape."
        )
    return np.array(1, array.dtype, ndmin=array.ndim)


def _checked_seed(t: Any, g: Any, where: str) -> Any:
    """The gradient that was given for output `t`, as a Tensor of its shape and dtype."""
    if not isinstance(g, _Tensor):
        array = np.asarray(g)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{where}: its gradient must be a Tensor, an array or a number, got {g!r}")
        g = wrap(array)
    if g.shape != t.shape:
        raise RuntimeError(f"{where} has shape {t.shape}, but its gradient has shape {g.shape}; they must be equal")
    return g if g.dtype == t.dtype else g.to(t.dtype)


def _must_require_grad(t: Any, caller: str, role: str) -> Any:
    if not isinstance(t, _Tensor):
        raise TypeError(f"{caller}: {role} must be Tensors, got {type(t).__name__}")
    if not t._requires_grad:
        raise RuntimeError(
            f"{caller}: one of the {role}, of shape {t.shape}, does not require grad and has no grad_fn. "
            "Call requires_grad_() on the Tensors to differentiate before computing with them, outside of no_grad()."
        )
    return t


def _as_tuple(tensors: Tensors) -> tuple:
    """One Tensor, or any iterable of them, as a tuple."""
    if type(tensors) is tuple:
        return tensors
    one = isinstance(tensors, (_Tensor, np.ndarray)) or not isinstance(tensors, Iterable)
    return (tensors,) if one else tuple(tensors)


_adding = threading.RLock()  # two threads that add to one gradient at the same time would lose a part


def _after_fork() -> None:
    """In the child: whoever had the lock is not there."""
    global _adding
    _adding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _accumulate(tensor: Any, g: Any) -> None:
    """Add `g` into `tensor.grad`: in place, as those who hold that gradient expect."""
    held = tensor._grad
    if isinstance(g, _Tensor):
        tensor._grad = g.clone() if held is None else held + g  # a copy: no gradient is shared between leaves
    elif held is None:  # no plain array, such as a NumPy scalar
        tensor._grad = wrap(np.array(g))
    elif held.grad_fn is None and held.array.flags.writeable:
        held.array += g
        versions.changed(held.array, by="backward, which added to .grad")
    else:
        tensor._grad = wrap(held.array + g, held.grad_fn)


def _alone(g: ndarray, taken: set[int]) -> Any:
    """A Tensor that has `g` for itself: the array, or a copy if somebody else may hold its memory (`taken`: who has).

    Add hands the same array back to both its inputs; if both kept it, clipping one gradient in place would clip
    the other too.
    """
    owner = g
    if g.base is not None:
        if getattr(g.base, "size", None) != g.size:
            return wrap(g.copy())  # a part, which would keep a larger array alive
        owner = versions.memory(g)
    key = id(owner)
    if key in taken or not g.flags.writeable:  # what is read-only was broadcast: elements share memory
        g = g.copy()
    else:
        taken.add(key)
    tensor = _new(_Tensor)  # as `wrap` makes it
    tensor.array = g
    tensor._requires_grad = False
    tensor._grad_fn = tensor._grad = tensor._view = tensor.hooks = None
    return tensor
