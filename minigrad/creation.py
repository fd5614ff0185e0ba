"""Tensors from nothing: constants, ranges and random numbers, with PyTorch's signatures."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import dtypes
from .autograd import cannot_broadcast, is_tensor, unwrap, wrap
from .ops.common import flatten_sizes
from .random import Generator, source
from .tensor import Tensor, check_device

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
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
    "zeros",
    "zeros_like",
]

Size = Any  # an int or a tuple of ints; None where it may be left out


def _sizes(op: str, sizes: tuple, size: Size = None) -> tuple[int, ...]:
    """The ints of `f(2, 3)`, of `f((2, 3))` and of `f(size=(2, 3))` alike."""
    if (size is None) == (not sizes):
        raise TypeError(f"{op}: needs the sizes, as {op}(2, 3), {op}((2, 3)) or {op}(size=(2, 3))")
    given = sizes or (size,)
    try:
        found = flatten_sizes(given)
    except TypeError:
        raise TypeError(f"{op}: sizes must be ints, got {given}") from None
    if any(n < 0 for n in found):
        raise RuntimeError(f"{op}: sizes must not be negative, got {found}")
    return found


def _index(op: str, name: str, value: Any) -> int:
    """An int argument."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: {name} must be an int, got {value!r}") from None


def _finish(op: str, array: np.ndarray, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    check_device(op, device)
    made = wrap(array.astype(dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype), copy=False))
    return made.requires_grad_() if requires_grad else made


def _float(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


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
    return _finish("zeros", np.zeros(_sizes("zeros", sizes, size), _float(dtype)), dtype, device, requires_grad)


def ones(*sizes: Size, size: Size = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given size."""
    return _finish("ones", np.ones(_sizes("ones", sizes, size), _float(dtype)), dtype, device, requires_grad)


def empty(
    *sizes: Size, size: Size = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of the given size whose elements are whatever the memory held."""
    return _finish("empty", np.empty(_sizes("empty", sizes, size), _float(dtype)), dtype, device, requires_grad)


def full(size: Size, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size filled with one value, a number or a 0-d tensor, which also decides the dtype."""
    value = unwrap(fill_value)
    if np.ndim(value):
        raise TypeError(f"full: fill_value must be one number, got shape {np.shape(value)}")
    if dtype is None:
        dtype = dtypes.result_type(value)
    try:
        array = np.full(_sizes("full", (size,)), value, dtypes.as_dtype(dtype))
    except OverflowError as error:
        raise RuntimeError(f"full: {error}") from None
    return _finish("full", array, dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n x m matrix with ones on its diagonal; m is n by default."""
    sizes = _sizes("eye", (n, n if m is None else m))
    return _finish("eye", np.eye(*sizes, dtype=_float(dtype)), dtype, device, requires_grad)


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
    if not math.isfinite(end - start) or not math.isfinite(step):
        raise RuntimeError(f"arange: start, end and step must be finite, got {start}, {end} and {step}")
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    if dtype is None:
        dtype = _float(None) if any(isinstance(x, (float, np.floating)) for x in (start, end, step)) else dtypes.int64
    return _finish("arange", np.arange(start, end, step), dtype, device, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced numbers from start to end, both included."""
    if _index("linspace", "steps", steps) < 0:
        raise RuntimeError(f"linspace: steps must not be negative, got {steps}")
    return _finish("linspace", np.linspace(start, end, steps), dtype, device, requires_grad)


# ------------------------------------------------------------------------------------------ random numbers


def rand(
    *sizes: Size,
    size: Size = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1)."""
    wanted, shape = _random_float("rand", dtype), _sizes("rand", sizes, size)
    if wanted == dtypes.float16:  # rounding a float32 could give 1
        array = source(generator).integers(0, 2**11, shape) / 2**11
    else:
        array = source(generator).random(shape, dtype=wanted.type)
    return _finish("rand", np.asarray(array), wanted, device, requires_grad)


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
    wanted = _random_float("randn", dtype)
    draw = wanted if wanted.itemsize >= 4 else dtypes.float32
    array = source(generator).standard_normal(_sizes("randn", sizes, size), dtype=draw.type)
    return _finish("randn", np.asarray(array), wanted, device, requires_grad)


def _random_float(op: str, dtype: Any) -> np.dtype:
    wanted = _float(dtype)
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
    """Integers drawn uniformly from low up to but without high; `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    if size is None or isinstance(size, int):
        raise TypeError(f"randint: size must be a tuple of ints, got {size!r}")
    low, high = _index("randint", "low", low), _index("randint", "high", high)
    if high <= low:
        raise RuntimeError(f"randint: high must exceed low, got low={low} and high={high}")
    wanted = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    if wanted.kind in "iu" and not (np.iinfo(wanted).min <= low and high - 1 <= np.iinfo(wanted).max):
        raise RuntimeError(f"randint: {wanted.name} cannot hold the integers from {low} to {high - 1}")
    array = source(generator).integers(low, high, _sizes("randint", (tuple(size),)))
    return _finish("randint", np.asarray(array), wanted, device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    if _index("randperm", "n", n) < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    array = source(generator).permutation(n)
    return _finish("randperm", array, dtypes.int64 if dtype is None else dtype, device, requires_grad)


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None
) -> Tensor:
    """Normally distributed numbers: `mean` and `std` are tensors, or numbers together with `size`."""
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not given and size is None:
        raise TypeError("normal: with numbers for mean and std, size must be given")
    if given and size is not None:
        raise TypeError("normal: size is that of the tensors mean and std; leave it out")
    means, stds = (x.array if isinstance(x, Tensor) else x for x in (mean, std))
    if np.any(np.asarray(stds) < 0):
        raise RuntimeError("normal: std must not be negative")
    try:
        shape = np.broadcast_shapes(np.shape(means), np.shape(stds)) if given else _sizes("normal", (size,))
    except ValueError:
        raise RuntimeError(cannot_broadcast("normal", means, stds)) from None
    wanted = _random_float("normal", dtypes.result_type(*given) if given and dtype is None else dtype)
    return _finish("normal", np.asarray(source(generator).normal(means, stds, shape)), wanted, None, False)


# --------------------------------------------------------------------------------- like another tensor


def _like(op: str, input: Any, dtype: Any, device: Any, requires_grad: bool) -> dict[str, Any]:
    """The options with which a function makes a tensor like `input`."""
    if not (is_tensor(input) or isinstance(input, np.ndarray)):
        raise TypeError(f"{op}: input must be a Tensor, got {type(input).__name__}")
    check_device(op, device)
    return {"dtype": input.dtype if dtype is None else dtype, "requires_grad": requires_grad}


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of another tensor."""
    options = _like("zeros_like", input, dtype, device, requires_grad)
    return zeros(input.shape, **options)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of another tensor."""
    options = _like("ones_like", input, dtype, device, requires_grad)
    return ones(input.shape, **options)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape and dtype of another, its elements whatever the memory held."""
    options = _like("empty_like", input, dtype, device, requires_grad)
    return empty(input.shape, **options)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype of another tensor."""
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
    """Uniform numbers in the shape and dtype of another tensor."""
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
    """Normal numbers in the shape and dtype of another tensor."""
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
    """Random integers in the shape and dtype of another tensor; `randint_like(input, high)` starts at 0."""
    options = _like("randint_like", input, dtype, device, requires_grad)
    bounds = (0, low) if high is None else (low, high)
    return randint(*bounds, input.shape, generator=generator, **options)
