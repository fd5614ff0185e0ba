"""Reverse-mode automatic differentiation: `Op`, the backward walk, `backward` and `grad`.

The engine rests on one idea: **a derivative rule is written once**.

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

import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

__all__ = [
    "Fused",
    "Op",
    "backward",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]

_Tensor: Any = None  # the class results are wrapped in; tensor.py registers it
_stamps = count()


def register_tensor(cls: type) -> None:
    """Make `cls` the Tensor class. It has the slots array, grad_fn, _requires_grad, _grad and hooks."""
    global _Tensor
    _Tensor = cls


def is_tensor(x: object) -> bool:
    """Is `x` a Tensor (rather than an array or a number)?"""
    return isinstance(x, _Tensor)


def wrap(array: Any, op: Op | None = None) -> Any:
    """A Tensor around `array`, made by `op` (None: a constant)."""
    tensor = _Tensor.__new__(_Tensor)
    tensor.array = array if type(array) is np.ndarray else np.asarray(array)  # 0-d results are NumPy scalars
    tensor.grad_fn = op
    tensor._requires_grad = op is not None
    tensor._grad = tensor.hooks = None
    return tensor


def unwrap(x: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return x.array if isinstance(x, _Tensor) else x


# --------------------------------------------------------------------------------------------- grad mode


class _Mode(threading.local):
    enabled = True  # each thread starts out recording


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Are ops being recorded in this thread?"""
    return _mode.enabled


class set_grad_enabled:
    """Turn recording on or off in this thread: at once, for a with-block, or for a function it decorates.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode, self.before = bool(mode), _mode.enabled
        _mode.enabled = self.mode

    def __enter__(self) -> None:
        _mode.enabled = self.mode

    def __exit__(self, *exc: object) -> None:
        _mode.enabled = self.before

    def __call__(self, fn: Callable) -> Callable:
        _mode.enabled = self.before  # used as a decorator: the function alone is affected
        return _decorate(fn, functools.partial(set_grad_enabled, self.mode))


class _GradContext:
    """A with-block and decorator (with or without parentheses) that sets the grad mode to `mode`."""

    mode: bool
    before: list[bool]

    def __new__(cls, fn: Callable | None = None) -> Any:
        if fn is not None:
            return _decorate(fn, cls)
        context = super().__new__(cls)
        context.before = []  # the modes to come back to: one object may be entered inside itself
        return context

    def __enter__(self) -> None:
        self.before.append(_mode.enabled)
        _mode.enabled = self.mode

    def __exit__(self, *exc: object) -> None:
        _mode.enabled = self.before.pop()

    def __call__(self, fn: Callable) -> Callable:
        return _decorate(fn, type(self))


class no_grad(_GradContext):
    """Do not record ops in this thread, in a with-block or in a function it decorates.

    >>> import minigrad
    >>> w = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad():
    ...     w -= 0.1        # changed in place, outside of any graph
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    mode = False


class enable_grad(_GradContext):
    """Record ops again inside `no_grad`, in a with-block or in a function it decorates.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad(), minigrad.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    mode = True


def _decorate(fn: Callable, context: Callable) -> Callable:
    """Run `fn` inside `context()`; a generator only while it is running, not while it is suspended."""
    if inspect.isgeneratorfunction(fn):

        @functools.wraps(fn)
        def stepped(*args: Any, **kwargs: Any) -> Any:
            generator, step, value = fn(*args, **kwargs), "send", None
            while True:
                try:
                    with context():
                        item = getattr(generator, step)(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    step, value = "send", (yield item)
                except GeneratorExit:
                    with context():
                        generator.close()
                    raise
                except BaseException as error:
                    step, value = "throw", error

        return stepped

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with context():
            return fn(*args, **kwargs)

    return wrapped


# ---------------------------------------------------------------------------------------------------- Op


class Op:
    """A differentiable function. Applying it makes an instance, which is the node of the graph.

    forward  : arrays (and keyword options) -> array. What backward needs besides the inputs, it keeps on `self`.
               It may return a tuple: then only the first result is differentiable, and the rest are constants.
    backward : the output's gradient -> the gradient of the one input, or a tuple with one for each input. None
               stands for "no gradient"; one that nobody needs (see `needs`) may be left as None. It never
               returns an array that it holds, nor changes one in place.
    """

    __slots__ = ("__dict__", "edges", "hooks", "inputs", "needs", "stamp")

    saves_inputs = True  # False where backward never asks for `operands`: the inputs can then be freed early

    edges: list[Any]  # for each input its node (an Op or a leaf Tensor), or None when it needs no gradient
    needs: list[bool]  # for each input, whether it needs a gradient
    inputs: tuple | None  # the inputs themselves; () if not saved, None once freed
    hooks: dict[float, Callable] | None
    stamp: int  # how many ops were recorded before this one

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, g: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    @classmethod
    def apply(cls, *inputs: Any, **options: Any) -> Any:
        """Run forward; if an input is a Tensor give Tensors, and record the op if a gradient may be asked for."""
        op = cls()
        arrays, needs, any_tensor = [], [], False
        for x in inputs:
            if isinstance(x, _Tensor):
                any_tensor = True
                arrays.append(x.array)
                needs.append(x._requires_grad)
            else:
                arrays.append(x)
                needs.append(False)
        try:
            y = op.forward(*arrays, **options)
        except ValueError as error:
            if "broadcast" in str(error):
                raise RuntimeError(cannot_broadcast(cls.__name__, *arrays)) from None
            raise
        if not any_tensor:
            return y  # arrays in, array out: this is what keeps a plain backward pass at NumPy's speed
        recorded = _mode.enabled and True in needs
        if recorded:
            op.edges = [(x.grad_fn or x) if need else None for x, need in zip(inputs, needs, strict=True)]
            op.needs = needs
            op.inputs = inputs if cls.saves_inputs else ()
            op.hooks = None
            op.stamp = next(_stamps)
        if type(y) is tuple:
            return wrap(y[0], op if recorded else None), *map(wrap, y[1:])
        return wrap(y, op if recorded else None)

    def operands(self) -> Sequence[Any]:
        """The inputs of forward as this backward pass wants them: Tensors if it is recorded, else arrays."""
        assert self.inputs is not None
        return self.inputs if _mode.enabled else [unwrap(x) for x in self.inputs]

    def output(self, y: Any) -> Any:
        """A result that forward kept, tied to the graph again if this backward pass is recorded."""
        return wrap(y, self) if _mode.enabled else y

    def release(self) -> None:
        """Free what was saved for backward. An op that saved nothing stays usable."""
        if self.inputs or any(isinstance(kept, (np.ndarray, np.generic)) for kept in self.__dict__.values()):
            self.inputs = None
            self.__dict__.clear()

    def name(self) -> str:
        """The op's name, as the repr of a Tensor shows it."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Fused(Op):
    """An op whose plain backward is a kernel, and whose recorded backward differentiates its definition.

    A subclass gives `kernel_backward(g)` on arrays, and `definition(*inputs)`: the same function, composed of
    other ops. The definition is the documentation, the tests' oracle and the rule for higher derivatives at
    once, so no second derivative is ever written by hand.
    """

    def definition(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define definition")

    def kernel_backward(self, g: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define kernel_backward")

    def backward(self, g: Any) -> Any:
        if not isinstance(g, _Tensor):
            return self.kernel_backward(g)
        # Aliases make the inputs independent of each other: one may be passed twice, or computed from another.
        inputs = [Alias.apply(x) if isinstance(x, _Tensor) else x for x in self.operands()]
        nodes = [_node(x) if isinstance(x, _Tensor) else None for x in inputs]
        y = self.definition(*inputs)
        wanted = {node for node in nodes if node is not None}
        found = _walk({_node(y): g}, create_graph=True, retain_graph=True, wanted=wanted)
        return tuple(found.get(node) for node in nodes)


def cannot_broadcast(name: str, *arrays: Any) -> str:
    """What to say when the shapes of operands do not go together."""
    shapes = " and ".join(str(np.shape(a)) for a in arrays)
    return f"{name}: shapes {shapes} do not broadcast: from the last one on, sizes must be equal, or one of them 1"


class Alias(Op):
    """y = x, as a node of its own."""

    saves_inputs = False

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, g: Any) -> Any:
        return g


# ---------------------------------------------------------------------------------------------- the walk


def _node(tensor: Any) -> Any:
    """The graph node of a Tensor: the op that made it, or the Tensor itself when it is a leaf."""
    return tensor.grad_fn or tensor


def _walk(seeds: dict, create_graph: bool, retain_graph: bool, wanted: set | None = None) -> dict:
    """Carry gradients back through the graph: {node: gradient} in, {node: gradient} out.

    The result holds the leaves' gradients, or those of the `wanted` nodes; then only ops on a way to one of them
    are run. Gradients are arrays, or Tensors when `create_graph` asks for a pass that is itself recorded.
    """
    order, useful = _schedule(seeds, wanted)
    grads, found = dict(seeds), {}
    with set_grad_enabled(create_graph), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for op in order:
            g = grads.pop(op, None)
            if g is None:
                continue  # no gradient came this way
            if op.hooks:
                g = _run_hooks(op, g)
            if wanted is not None and op in wanted:
                found[op] = g
                if useful.isdisjoint(op.edges):
                    continue
            if op.inputs is None:
                raise RuntimeError(
                    f"backward through {op.name()} a second time, but what it saved was freed by the first pass. "
                    "Pass retain_graph=True to the first backward() or grad(), or run the forward again."
                )
            gradients = op.backward(g)
            if type(gradients) is not tuple:
                gradients = (gradients,)
            if len(gradients) != len(op.edges):
                raise RuntimeError(
                    f"{op.name()}.backward gave {len(gradients)} gradients for {len(op.edges)} inputs; it must return "
                    "one for each, None where there is none"
                )
            if not retain_graph:
                op.release()
            for edge, gx in zip(op.edges, gradients, strict=True):
                if edge is None or gx is None or (wanted is not None and edge not in useful):
                    continue
                grads[edge] = grads[edge] + gx if edge in grads else gx
        for leaf in grads if wanted is None else wanted & grads.keys():
            g = _run_hooks(leaf, grads[leaf]) if leaf.hooks else grads[leaf]
            if g.shape != leaf.shape:
                raise RuntimeError(
                    f"a gradient of shape {g.shape} arrived at a leaf of shape {leaf.shape}: an op's backward is wrong"
                )
            if g.dtype != leaf.dtype:
                g = g.to(leaf.dtype) if create_graph else g.astype(leaf.dtype)
            found[leaf] = g
    return found


def _schedule(seeds: Iterable, wanted: set | None) -> tuple[list[Op], set]:
    """The ops to run, latest first, and the nodes on a way to a `wanted` one (themselves included)."""
    seen: set[Op] = set()
    todo = [node for node in seeds if isinstance(node, Op)]
    while todo:  # an explicit stack: a chain of 200,000 ops would break recursion
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo.extend(edge for edge in op.edges if isinstance(edge, Op) and edge not in seen)
    order = sorted(seen, key=attrgetter("stamp"))
    useful = set(wanted or ())
    if wanted is not None:
        for op in order:  # earliest first, so that an op's operands are settled before it
            if not useful.isdisjoint(op.edges):
                useful.add(op)
        order = [op for op in order if op in useful]
    return order[::-1], useful


def _run_hooks(node: Any, g: Any) -> Any:
    """Show a node's complete gradient to its hooks; one that returns a Tensor replaces it."""
    shown = g if isinstance(g, _Tensor) else wrap(np.array(g))  # a copy: a hook may keep it, or change it in place
    for _, hook in sorted(node.hooks.items()):
        answer = hook(shown)
        if answer is not None:
            if not isinstance(answer, _Tensor) or answer.shape != shown.shape:
                raise RuntimeError(
                    f"a hook must return None or a Tensor of the gradient's shape {shown.shape}, got {answer!r}"
                )
            shown = answer
    return shown if isinstance(g, _Tensor) else np.array(shown.array)


class RemovableHandle:
    """What registering a hook gives back: `remove()` takes the hook away again. Also a context manager.

    `hooks` are called in the order of their places; by default a new one comes after those that are there.
    """

    _places = count()

    def __init__(self, hooks: dict[float, Callable], hook: Callable, place: float | None = None) -> None:
        self._hooks, self._place = hooks, next(self._places) if place is None else place
        hooks[self._place] = hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(self._place, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_hook(tensor: Any, hook: Callable, place: float | None = None) -> RemovableHandle:
    """Call `hook` with the gradient of `tensor` whenever it is complete (see `Tensor.register_hook`)."""
    node = _node(tensor)
    if node.hooks is None:
        node.hooks = {}
    return RemovableHandle(node.hooks, hook, place)


_LAST = float("inf")  # the place of the one hook that retains a gradient: after those that may replace it


def retain_grad(tensor: Any) -> None:
    """Let backward fill `.grad` of a Tensor that an op made (see `Tensor.retain_grad`)."""
    ref = weakref.ref(tensor)  # the op must not keep its own output alive

    def keep(g: Any) -> None:
        owner = ref()
        if owner is not None:
            owner._grad = g.clone() if owner._grad is None else owner._grad + g

    register_hook(tensor, keep, _LAST)


# ------------------------------------------------------------------------------------ backward and grad

Tensors = Any  # a Tensor, or a sequence of them


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
    seeds = _seeds(tensors, grad_tensors, create_graph, "backward")
    keep = create_graph if retain_graph is None else retain_graph
    found = _walk(seeds, create_graph, keep, None if wanted is None else set(wanted))
    taken = {_memory(unwrap(g)) for g in seeds.values()}
    for node, g in found.items():
        _accumulate(node if wanted is None else wanted[node], g, taken)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` is touched.

    Only the ops between the two are run. An input that the outputs do not depend on is an error, unless
    `allow_unused` (its gradient is then None) or `materialize_grads` (then zeros) is set. The other arguments
    are those of `backward`.

    >>> import minigrad
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> (dx,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    >>> dx
    tensor(27., grad_fn=<Mul>)
    >>> minigrad.autograd.grad(dx, x)   # the second derivative
    (tensor(18.),)
    """
    targets = _as_tuple(inputs)
    if allow_unused is False and materialize_grads:
        raise ValueError("grad: allow_unused=False contradicts materialize_grads=True; leave one of them out")
    nodes = [_node(_must_require_grad(x, "grad", "inputs")) for x in targets]
    seeds = _seeds(outputs, grad_outputs, create_graph, "grad")
    keep = create_graph if retain_graph is None else retain_graph
    found = _walk(seeds, create_graph, keep, set(nodes))
    if not (allow_unused or materialize_grads):
        for i, node in enumerate(nodes):
            if node not in found:
                raise RuntimeError(
                    f"grad: outputs do not depend on inputs[{i}], of shape {targets[i].shape}. Pass "
                    "allow_unused=True to get None for it, or materialize_grads=True to get zeros."
                )
    taken = {_memory(unwrap(g)) for g in seeds.values()}
    result = []
    for x, node in zip(targets, nodes, strict=True):
        g = found.get(node)
        if g is None and materialize_grads:
            g = np.zeros_like(x.array)
        result.append(g if g is None or isinstance(g, _Tensor) else wrap(_own(g, taken)))
    return tuple(result)


def _seeds(tensors: Tensors, gradients: Tensors, create_graph: bool, caller: str) -> dict:
    """{node: gradient} to start a walk from, checked."""
    outputs = _as_tuple(tensors)
    given = _as_tuple(gradients) if gradients is not None else (None,) * len(outputs)
    if len(given) != len(outputs):
        raise RuntimeError(f"{caller}: got {len(outputs)} outputs but {len(given)} gradients; give one for each")
    seeds: dict = {}
    for i, (t, g) in enumerate(zip(outputs, given, strict=True)):
        node, g = _node(_must_require_grad(t, caller, "outputs")), _seed(t, g, f"{caller}: outputs[{i}]")
        g = g if create_graph else g.array
        seeds[node] = seeds[node] + g if node in seeds else g
    return seeds


def _seed(t: Any, g: Any, where: str) -> Any:
    """The gradient that arrives at output `t`, as a Tensor of its shape and dtype."""
    if g is None:
        if t.array.size != 1:
            raise RuntimeError(
                f"{where} has shape {t.shape}: a gradient can be left out only for a single element. Reduce it "
                "first (for example with .sum() or .mean()), or pass a gradient of that shape."
            )
        return wrap(np.ones_like(t.array))
    if not isinstance(g, _Tensor):
        g = wrap(np.asarray(g))
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
    return tuple(tensors) if isinstance(tensors, (list, tuple)) or inspect.isgenerator(tensors) else (tensors,)


def _accumulate(tensor: Any, g: Any, taken: set[int]) -> None:
    """Add `g` into `tensor.grad`: in place, as those who hold that gradient expect."""
    held = tensor._grad
    if isinstance(g, _Tensor):
        tensor._grad = g.clone() if held is None else held + g  # a copy: no gradient is shared between leaves
    elif held is None:
        tensor._grad = wrap(_own(g, taken))
    elif held.grad_fn is None and held.array.flags.writeable:
        held.array += g
    else:
        tensor._grad = wrap(held.array + g)


def _own(g: Any, taken: set[int]) -> np.ndarray:
    """`g` for one holder alone, copied if its memory is in `taken` or part of something larger.

    Add hands the same array back to both its inputs; if both kept it, clipping one gradient in place would clip
    the other too.
    """
    g = np.asarray(g)
    memory, whole = _memory(g), g.base is None or getattr(g.base, "size", None) == g.size
    if memory in taken or not whole or not g.flags.writeable:
        return g.copy()
    taken.add(memory)
    return g


def _memory(array: np.ndarray) -> int:
    """An identity for the memory behind an array, shared by all its views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array)
