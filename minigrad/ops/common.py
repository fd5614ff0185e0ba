"""What every family of ops shares: dtype promotion, undoing a broadcast, and reading `dim` arguments."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes, kernels
from ..autograd import QUIET, Op, is_tensor, unwrap, wrap

Operand = Any  # a Tensor, an ndarray or a Python number
Dim = int | Sequence[int] | None
Sizes = int | Sequence[int]  # f(2, 3) and f((2, 3)) are both understood
Kind = tuple[type, tuple[int, ...], np.dtype]

# PyTorch computes 1/0 and log(0) without a word; so do the ops in which an infinity is an everyday result.
quiet = np.errstate(**QUIET)

USUAL = frozenset(map(np.dtype, ("f4", "f8", "f2", "i8", "i4", "i2", "i1", "u1", "?")))  # dtypes of operands

LONG = 1024  # adding fewer float32 than this one after the other loses no digit that matters


class Cast(Op):
    """y = x in another dtype; the gradient goes back in x's own"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, dtype: np.dtype) -> np.ndarray:
        self.dtype = x.dtype
        return x.astype(dtype)

    def backward(self, g: Operand) -> Operand:
        return cast(g, self.dtype)


class SumTo(Op):
    """Sum over the axes that broadcasting `shape` to x's shape would repeat: the adjoint of BroadcastTo."""

    saves_inputs = False

    def forward(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        self.shape = x.shape
        lead = x.ndim - len(shape)
        axes = tuple(i for i in range(x.ndim) if i < lead or (shape[i - lead] == 1 and x.shape[i] != 1))
        return total(x, axes, keepdims=True).reshape(shape)

    def backward(self, g: Operand) -> Operand:
        return BroadcastTo.apply(g, shape=self.shape)


class BroadcastTo(Op):
    """Repeat x along new axes and axes of size one, without copying: the adjoint of SumTo."""

    saves_inputs = False
    view = True

    def forward(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        self.shape = x.shape
        return np.broadcast_to(x, shape)

    def backward(self, g: Operand) -> Operand:
        return sum_to(g, self.shape)


class Clone(Op):
    """y = a copy of x"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.array(x, order="C")

    def backward(self, g: Operand) -> Operand:
        return g


def clone(input: Operand) -> Operand:
    """A copy of the elements; the gradient goes back to the original.

    >>> import minigrad
    >>> minigrad.clone(minigrad.ones(2, requires_grad=True))
    tensor([1., 1.], grad_fn=<Clone>)
    """
    return Clone.apply(input)


def total(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """The sum over `axes`: of float16 taken in float32, of many float32 in float64, and rounded once.

    NumPy adds in pairs along the innermost axes only: 2**25 float32 ones would sum to 2**24 over an outer axis.
    """
    if x.dtype == np.float16:
        return _wide_total(x, axes, keepdims, np.float32)
    if x.dtype == np.float32 and x.size >= LONG:
        if x.ndim > 2 and axes == (0, *range(2, x.ndim)) and x.flags.c_contiguous:
            y = kernels.current().channel_sums(x.reshape(*x.shape[:2], -1))
            return y.reshape(1, -1, *(1,) * (x.ndim - 2)) if keepdims else y
        inner = x.ndim
        while inner - 1 in axes and x.flags.c_contiguous:
            inner -= 1
        if math.prod(x.shape[i] for i in axes if i < inner) >= LONG:
            return _wide_total(x, axes, keepdims, np.float64)
    return x.sum(axis=axes, keepdims=keepdims, dtype=x.dtype)  # NumPy would make small integers wide


@quiet
def _wide_total(x: np.ndarray, axes: tuple[int, ...], keepdims: bool, wide: type) -> np.ndarray:
    return x.sum(axis=axes, keepdims=keepdims, dtype=wide).astype(x.dtype)


def in_float32(compute: Callable, x: Operand) -> Operand:
    """compute(x); for a float16 x in float32 on the way, rounded once at the end."""
    return cast(compute(cast(x, dtypes.float32)), dtypes.float16) if x.dtype == np.float16 else compute(x)


def sum_to(g: Operand, shape: tuple[int, ...]) -> Operand:
    """Bring a gradient back to `shape`, that of an input which was broadcast."""
    return g if g.shape == shape else SumTo.apply(g, shape=shape)


def sum_like(g: Operand, x: Operand) -> Operand:
    """Bring a gradient back to the shape of `x`, a Tensor or array, which was broadcast."""
    return g if g.shape == x.shape else SumTo.apply(g, shape=x.shape)


def cast(x: Operand, dtype: np.dtype) -> Operand:
    """`x` in `dtype`; `x` itself if it has that dtype already. An integer or bool result has no graph."""
    if x.dtype == dtype:
        return x
    y = Cast.apply(x, dtype=dtype)
    return y.detach() if dtype.kind != "f" and is_tensor(x) else y


def shape_of(x: Operand) -> tuple[int, ...]:
    """The shape of a Tensor or array; () for a Python number."""
    return getattr(x, "shape", ())


def promote(op: str, a: Operand, b: Operand) -> tuple[Operand, ...]:
    """Both operands in the dtype that PyTorch computes in."""
    da, db = getattr(a, "dtype", None), getattr(b, "dtype", None)
    if da is db is not None:
        return a, b
    if da is not None and da.kind == "f" and type(b) in (float, int):
        return a, b  # a Python number takes a float array's dtype
    if db is not None and db.kind == "f" and type(a) in (float, int):
        return a, b
    for x in (a, b):
        if not is_number_or_array(x):
            got = f"{type(a).__name__} and {type(b).__name__}"
            raise TypeError(f"{op}: operands must be Tensors, arrays or numbers, got {got}")
    try:
        dtype = dtypes.result_type(a, b)
    except TypeError as error:
        raise TypeError(f"{op}: {error}") from None
    try:
        return tuple(_constant(x, dtype) if isinstance(x, (int, float, np.generic)) else cast(x, dtype) for x in (a, b))
    except OverflowError as error:
        raise RuntimeError(f"{op}: {error}; convert the tensor to a wider dtype first") from None


def _constant(x: Any, dtype: np.dtype) -> np.ndarray:
    """A number as a 0-d array; OverflowError where an integer dtype cannot hold it, also for a NumPy scalar."""
    return np.asarray(x.item() if isinstance(x, np.generic) else x, dtype)


def must_share_dtype(op: str, *operands: Operand | None) -> None:
    """RuntimeError unless all operands (None aside) have one dtype: products do not promote, as in PyTorch."""
    first = operands[0].dtype  # type: ignore[union-attr]
    for x in operands:
        if x is not None and x.dtype != first:
            names = " and ".join(x.dtype.name for x in operands if x is not None)
            raise RuntimeError(f"{op}: operands must have one dtype, got {names}; convert with .to(dtype)")


# Of a Tensor, at one look, all that the checks of an operand depend on: they need not be made twice for the same kinds.
kind_of: Callable[[Any], Kind] = operator.attrgetter("__class__", "array.shape", "array.dtype")


def must_be_alike(*kinds: Kind | None) -> None:
    """TypeError unless these kinds (None aside) are of Tensors of one floating dtype, for which all checks go well."""
    classes, _, dtypes = zip(*filter(None, kinds), strict=True)
    alike = len({*dtypes}) == 1 and dtypes[0].char in "efd"
    if not (alike and all(hasattr(cls, "_grad_fn") for cls in classes)):
        raise TypeError("these are not Tensors of one floating dtype")


def python_number(op: str, name: str, value: Any) -> float:
    """An option as a Python number: that of a NumPy scalar, or of a 0-d tensor without gradient; else TypeError."""
    if type(value) in (int, float):
        return value
    x = unwrap(value)
    if isinstance(x, (np.generic, np.ndarray)) and x.ndim == 0 and not getattr(value, "requires_grad", False):
        x = x.item()
    if not isinstance(x, (int, float)):
        raise TypeError(f"{op}: {name} must be a number, got {value!r}")
    return x


def zeros_like(x: Operand) -> Operand:
    """Zeros of the shape and dtype of `x`: the gradient of what is constant almost everywhere."""
    zeros = np.zeros(x.shape, x.dtype)
    return wrap(zeros) if is_tensor(x) else zeros


def is_number_or_array(x: Any) -> bool:
    """Is `x` something an op can compute with?"""
    return is_tensor(x) or isinstance(x, (np.ndarray, np.generic, int, float))


def must_be_arrays(op: str, *operands: Any) -> None:
    """TypeError unless all operands are Tensors or arrays of a supported kind of numbers."""
    for x in operands:
        array = getattr(x, "array", x)
        if type(array) is np.ndarray and array.dtype in USUAL and (array is x or hasattr(x, "_grad_fn")):
            continue  # a Tensor or an array: nearly all there are
        if not (is_tensor(x) or isinstance(x, (np.ndarray, np.generic))):
            raise TypeError(f"{op}: needs Tensors, got {type(x).__name__}; make one with minigrad.tensor(data)")
        if x.dtype.kind not in "fiub" or x.dtype.itemsize > 8:
            raise TypeError(f"{op}: an array of dtype {x.dtype} is not supported; convert it with x.astype(dtype)")


def is_bool(x: Any) -> bool:
    """Is `x` a bool, or a Tensor or array of bools?"""
    return isinstance(x, bool) or getattr(x, "dtype", None) == np.bool_


def floating(op: str, x: Operand) -> Operand:
    """`x` with integers and bools cast to the default float dtype, as the transcendental functions want them."""
    if hasattr(x, "_grad_fn") and x.array.dtype.kind == "f":
        return x  # a Tensor, as nearly all there are
    if type(x) in (int, float, bool):
        return np.asarray(x, dtypes.get_default_dtype())
    must_be_arrays(op, x)
    return x if x.dtype.kind == "f" else cast(x, dtypes.get_default_dtype())


def normalize_dim(op: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError out of range. A 0-d tensor has the dims 0 and -1, as in PyTorch."""
    span = max(ndim, 1)
    if not isinstance(dim, (int, np.integer)) or isinstance(dim, bool):
        raise TypeError(f"{op}: dim must be an int, got {dim!r}")
    if not -span <= dim < span:
        raise IndexError(f"{op}: dim must be in [{-span}, {span - 1}] for {ndim} dimensions, got {dim}")
    return int(dim) % span


def normalize_dims(op: str, dim: Dim, ndim: int) -> tuple[int, ...]:
    """A tuple of distinct dims counted from the front; None or () means all of them."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    many = dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = tuple(normalize_dim(op, d, ndim) for d in many)
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"{op}: dim {many} names a dimension twice; name each once")
    return dims if ndim else ()


def numpy_spelling(fn: Callable) -> Callable:
    """Let a function of one tensor with `dim` and `keepdim` be called with NumPy's `axis` and `keepdims` too."""

    @functools.wraps(fn)
    def either(input: Operand, *args: Any, **kwargs: Any) -> Any:
        must_be_arrays(fn.__name__, input)
        return fn(input, *args, **_ours(fn.__name__, kwargs))

    return either


def axis_as_dim(fn: Callable) -> Callable:
    """Let a function with `dim` be called with NumPy's `axis` too."""

    @functools.wraps(fn)
    def either(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **_ours(fn.__name__, kwargs))

    return either


def _ours(op: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords with NumPy's names replaced by PyTorch's."""
    for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")) if kwargs else ():
        if theirs in kwargs:
            if ours in kwargs:
                raise TypeError(f"{op}: got both {ours} and {theirs}; they mean the same")
            kwargs[ours] = kwargs.pop(theirs)
    return kwargs


def sizes_of(op: str, sizes: tuple, size: Any = None) -> tuple[int, ...]:
    """The sizes of a tensor to make, checked: those of `f(2, 3)`, of `f((2, 3))` and of `f(size=(2, 3))` alike."""
    if (size is None) == (not sizes):
        raise TypeError(f"{op}: needs the sizes, as {op}(2, 3), {op}((2, 3)) or {op}(size=(2, 3))")
    given = sizes or (size,)
    try:
        found = flatten_sizes(given)
    except TypeError:
        raise TypeError(f"{op}: sizes must be ints, got {given}") from None
    if any(n < 0 for n in found):
        raise RuntimeError(f"{op}: sizes must not be negative, got {found}")
    must_be_few(op, math.prod(found), found)
    return found


def must_be_few(op: str, count: float, given: Any) -> None:
    """RuntimeError for more elements than any memory holds."""
    if count >= 2**60:
        raise RuntimeError(f"{op}: {given} is more elements than memory can hold")


def flatten_sizes(sizes: tuple) -> tuple[int, ...]:
    """The ints of `f(2, 3)` and of `f((2, 3))` alike."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    return tuple(operator.index(n) for n in sizes)
