"""Tensors from nothing: constants, ranges and random numbers, with PyTorch's signatures."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .autograd import is_tensor, must_broadcast
from .ops.common import must_be_few, python_number, sizes_of
from .random import Generator, source
from .tensor import Tensor, dtype_to_make, fill_number, filled, finished

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "normal",
    "ones",
    "ones_like",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
]

Size = Any  # an int or a tuple of ints; None where it may be left out


def _index(op: str, name: str, value: Any) -> int:
    """An int argument."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: {name} must be an int, got {value!r}") from None


# ---------------------------------------------------------------------------------------------- constants


def zeros(
    *sizes: Size, size: Size = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of the given size.

    >>> import minigrad
    >>> minigrad.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    wanted = dtype_to_make("zeros", dtype, device, requires_grad)
    return finished(np.zeros(sizes_of("zeros", sizes, size), wanted), wanted, requires_grad)


def ones(*sizes: Size, size: Size = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given size.

    The dtype is the default one, float32.

    >>> import minigrad
    >>> minigrad.ones(2, dtype=minigrad.int64)
    tensor([1, 1])
    """
    wanted = dtype_to_make("ones", dtype, device, requires_grad)
    return finished(np.ones(sizes_of("ones", sizes, size), wanted), wanted, requires_grad)


def empty(
    *sizes: Size, size: Size = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of the given size whose elements are whatever the memory held.

    >>> import minigrad
    >>> minigrad.empty(2, 3).shape
    (2, 3)
    """
    wanted = dtype_to_make("empty", dtype, device, requires_grad)
    return finished(np.empty(sizes_of("empty", sizes, size), wanted), wanted, requires_grad)


def full(size: Size, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size filled with one value, a number or a 0-d tensor, which also decides the dtype.

    A float makes the default dtype, an int int64. TypeError for more than one value, RuntimeError for one that the
    dtype cannot hold.

    >>> import minigrad
    >>> minigrad.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    value = fill_number("full", fill_value)
    wanted = dtype_to_make("full", dtype, device, requires_grad, dtypes.result_type(value))
    return filled("full", sizes_of("full", (size,)), value, wanted, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n x m matrix with ones on its diagonal; m is n by default.

    >>> import minigrad
    >>> minigrad.eye(2, 3)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    wanted, sizes = dtype_to_make("eye", dtype, device, requires_grad), sizes_of("eye", (n, n if m is None else m))
    return finished(np.eye(*sizes, dtype=wanted), wanted, requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The places of the lower triangle of a row x col matrix: their rows, and below those their columns, by rows.

    offset : the last diagonal that is in it, as in `tril`. The dtype is int64 unless another integer one is asked for.

    >>> import minigrad
    >>> minigrad.tril_indices(2, 3)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle_indices(np.tril_indices, "tril_indices", row, col, offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The places of the upper triangle of a row x col matrix: their rows, and below those their columns, by rows.

    offset : the first diagonal that is in it, as in `triu`. The dtype is int64 unless another integer one is asked for.

    >>> import minigrad
    >>> minigrad.triu_indices(2, 3, offset=1)
    tensor([[0, 0, 1],
            [1, 2, 2]])
    """
    return _triangle_indices(np.triu_indices, "triu_indices", row, col, offset, dtype, device)


def _triangle_indices(places: Callable, op: str, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    wanted = dtype_to_make(op, dtype, device, requires_grad=False, default=dtypes.int64)
    if wanted.kind not in "iu":
        raise RuntimeError(f"{op}: needs an integer dtype, got {wanted.name}")
    rows, columns = sizes_of(op, (row, col))
    return finished(np.stack(places(rows, _index(op, "offset", offset), columns)), wanted, requires_grad=False)


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without `end`; `arange(end)` starts at 0.

    The dtype is int64, or the default one if an argument is a float.

    >>> import minigrad
    >>> minigrad.arange(1, 2, 0.5)
    tensor([1.0000, 1.5000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (
        python_number("arange", "start", start),
        python_number("arange", "end", end),
        python_number("arange", "step", step),
    )
    if not math.isfinite(end - start) or not math.isfinite(step):
        raise RuntimeError(f"arange: start, end and step must be finite, got {start}, {end} and {step}")
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    must_be_few("arange", (end - start) / step, f"from {start} to {end}")
    whole = not any(isinstance(x, float) for x in (start, end, step))
    wanted = dtype_to_make("arange", dtype, device, requires_grad, dtypes.int64 if whole else None)
    return finished(np.arange(start, end, step), wanted, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced numbers from start to end, both included.

    The numbers start + i (end - start) / (steps - 1), shape (steps,). RuntimeError for negative `steps`.

    >>> import minigrad
    >>> minigrad.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end = python_number("linspace", "start", start), python_number("linspace", "end", end)
    wanted, count = dtype_to_make("linspace", dtype, device, requires_grad), _index("linspace", "steps", steps)
    if count < 0:
        raise RuntimeError(f"linspace: steps must not be negative, got {count}")
    return finished(np.linspace(start, end, count), wanted, requires_grad)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The powers of `base` whose exponents are `steps` evenly spaced numbers from start to end, both included.

    Shape (steps,). RuntimeError for negative `steps`.

    >>> import minigrad
    >>> minigrad.logspace(0, 3, 4)
    tensor([   1.,   10.,  100., 1000.])
    """
    op, base = "logspace", python_number("logspace", "base", base)
    start, end = python_number(op, "start", start), python_number(op, "end", end)
    wanted, count = dtype_to_make(op, dtype, device, requires_grad), _index(op, "steps", steps)
    if count < 0:
        raise RuntimeError(f"{op}: steps must not be negative, got {count}")
    with np.errstate(all="ignore"):  # overflow is an infinity, the root of a negative base NaN
        return finished(np.power(float(base), np.linspace(start, end, count)), wanted, requires_grad)


# ------------------------------------------------------------------------------------------ random numbers


def rand(
    *sizes: Size,
    size: Size = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1).

    >>> import minigrad
    >>> x = minigrad.rand(1000, generator=minigrad.Generator().manual_seed(0))
    >>> bool((x >= 0).all()), bool((x < 1).all())
    (True, True)
    """
    wanted, shape = _floating("rand", dtype, device, requires_grad), sizes_of("rand", sizes, size)
    if wanted == dtypes.float16:  # rounding a float32 could give 1
        array = source(generator).integers(0, 2**11, shape) / 2**11
    else:
        array = source(generator).random(shape, dtype=wanted.type)
    return finished(array, wanted, requires_grad)


def randn(
    *sizes: Size,
    size: Size = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn from the standard normal distribution.

    >>> import minigrad
    >>> minigrad.randn(2, 3, generator=minigrad.Generator().manual_seed(0)).shape
    (2, 3)
    """
    wanted, shape = _floating("randn", dtype, device, requires_grad), sizes_of("randn", sizes, size)
    draw = wanted if wanted.itemsize >= 4 else dtypes.float32
    return finished(source(generator).standard_normal(shape, dtype=draw.type), wanted, requires_grad)


def _floating(op: str, dtype: Any, device: Any = None, requires_grad: bool = False) -> np.dtype:
    """As `_checked`, for numbers that only floating dtypes can hold."""
    wanted = dtype_to_make(op, dtype, device, requires_grad)
    if wanted.kind != "f":
        raise RuntimeError(f"{op}: needs a floating dtype, got {wanted.name}; use randint for integers")
    return wanted


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers drawn uniformly from low up to but without high; `randint(high, size)` starts at 0.

    RuntimeError unless low < high, and if the dtype (int64) cannot hold them.

    >>> import minigrad
    >>> g = minigrad.Generator().manual_seed(0)
    >>> x = minigrad.randint(3, 5, (1000,), generator=g)
    >>> int(x.min()), int(x.max())    # 5 is left out
    (3, 4)
    """
    if size is None:
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: size must be a tuple of ints, got {size!r}")
    low, high = _index("randint", "low", low), _index("randint", "high", high)
    shape = sizes_of("randint", (tuple(size),))
    if high <= low:
        raise RuntimeError(f"randint: high must exceed low, got low={low} and high={high}")
    wanted = dtype_to_make("randint", dtype, device, requires_grad, dtypes.int64)
    _must_hold("randint", wanted, low, high - 1)
    return finished(source(generator).integers(low, high, shape), wanted, requires_grad)


def _must_hold(op: str, dtype: np.dtype, lowest: int, highest: int) -> None:
    """RuntimeError unless an integer dtype can hold these; what a floating one cannot, it rounds."""
    if dtype.kind in "iu" and not (np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max):
        raise RuntimeError(f"{op}: {dtype.name} cannot hold the integers from {lowest} to {highest}")


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers from 0 to n - 1 in random order.

    >>> import minigrad
    >>> sorted(minigrad.randperm(5).tolist())
    [0, 1, 2, 3, 4]
    """
    count, wanted = _index("randperm", "n", n), dtype_to_make("randperm", dtype, device, requires_grad, dtypes.int64)
    if count < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {count}")
    _must_hold("randperm", wanted, 0, count - 1)
    return finished(source(generator).permutation(count), wanted, requires_grad)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normally distributed numbers: `mean` and `std` are tensors, or numbers together with `size`.

    Tensors are broadcast: one number for each element. RuntimeError for a negative std.

    >>> import minigrad
    >>> minigrad.normal(minigrad.tensor([0.0, 10.0]), minigrad.zeros(2))    # without spread: the means
    tensor([ 0., 10.])
    """
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not given and size is None:
        raise TypeError("normal: with numbers for mean and std, size must be given")
    if given and size is not None:
        raise TypeError("normal: size is that of the tensors mean and std; leave it out")
    means, stds = (x.array if isinstance(x, Tensor) else x for x in (mean, std))
    if np.any(np.asarray(stds) < 0):
        raise RuntimeError(f"normal: std must not be negative, got {np.min(stds):g}")
    try:
        shape = np.broadcast_shapes(np.shape(means), np.shape(stds)) if given else sizes_of("normal", (size,))
    except ValueError:
        must_broadcast("normal", means, stds)
        raise
    wanted = _floating(
        "normal", dtypes.result_type(*given) if given and dtype is None else dtype, device, requires_grad
    )
    return finished(source(generator).normal(means, stds, shape), wanted, requires_grad)


# --------------------------------------------------------------------------------- like another tensor


def _like(op: str, input: Any, dtype: Any, device: Any, requires_grad: bool) -> dict[str, Any]:
    """The options with which a function makes a tensor like `input`."""
    if not (is_tensor(input) or isinstance(input, np.ndarray)):
        raise TypeError(f"{op}: input must be a Tensor, got {type(input).__name__}")
    return {"dtype": dtype_to_make(op, dtype, device, requires_grad, input.dtype), "requires_grad": requires_grad}


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of another tensor.

    >>> import minigrad
    >>> minigrad.zeros_like(minigrad.tensor([1, 2]))
    tensor([0, 0])
    """
    options = _like("zeros_like", input, dtype, device, requires_grad)
    return zeros(input.shape, **options)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of another tensor.

    A gradient is asked for anew: it is not taken over.

    >>> import minigrad
    >>> x = minigrad.zeros(2, requires_grad=True)
    >>> minigrad.ones_like(x), minigrad.ones_like(x).requires_grad
    (tensor([1., 1.]), False)
    """
    options = _like("ones_like", input, dtype, device, requires_grad)
    return ones(input.shape, **options)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape and dtype of another, its elements whatever the memory held.

    >>> import minigrad
    >>> x = minigrad.empty_like(minigrad.tensor([[1, 2, 3]]))
    >>> x.shape, x.dtype
    ((1, 3), dtype('int64'))
    """
    options = _like("empty_like", input, dtype, device, requires_grad)
    return empty(input.shape, **options)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype of another tensor.

    The dtype stays that of `input`, whatever the value.

    >>> import minigrad
    >>> minigrad.full_like(minigrad.zeros(2), 7)
    tensor([7., 7.])
    """
    options = _like("full_like", input, dtype, device, requires_grad)
    return full(input.shape, fill_value, **options)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in the shape and dtype of another tensor.

    RuntimeError unless that dtype is a floating one.

    >>> import minigrad
    >>> x = minigrad.zeros(2, 3, dtype=minigrad.float64)
    >>> minigrad.rand_like(x).shape, minigrad.rand_like(x).dtype
    ((2, 3), dtype('float64'))
    """
    options = _like("rand_like", input, dtype, device, requires_grad)
    return rand(input.shape, generator=generator, **options)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers in the shape and dtype of another tensor.

    RuntimeError unless that dtype is a floating one.

    >>> import minigrad
    >>> x = minigrad.zeros(2, 3)
    >>> a = minigrad.randn_like(x, generator=minigrad.Generator().manual_seed(0))
    >>> b = minigrad.randn(2, 3, generator=minigrad.Generator().manual_seed(0))
    >>> bool((a == b).all())
    True
    """
    options = _like("randn_like", input, dtype, device, requires_grad)
    return randn(input.shape, generator=generator, **options)


def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random integers in the shape and dtype of another tensor; `randint_like(input, high)` starts at 0.

    >>> import minigrad
    >>> minigrad.randint_like(minigrad.zeros(3), 4, 5)    # the only choice, as floats
    tensor([4., 4., 4.])
    """
    options = _like("randint_like", input, dtype, device, requires_grad)
    bounds = (0, low) if high is None else (low, high)
    return randint(*bounds, input.shape, generator=generator, **options)
