"""Tensors from nothing: constants, ranges and random numbers, with PyTorch's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .autograd import wrap
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

Size = Any  # ints, or one tuple of ints


def _sizes(op: str, size: tuple) -> tuple[int, ...]:
    try:
        sizes = flatten_sizes(size)
    except (TypeError, ValueError):
        raise TypeError(f"{op}: sizes must be ints, got {size!r}") from None
    if any(n < 0 for n in sizes):
        raise RuntimeError(f"{op}: sizes must not be negative, got {sizes}")
    return sizes


def _finish(op: str, array: np.ndarray, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    check_device(op, device)
    made = wrap(array.astype(dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype), copy=False))
    return made.requires_grad_() if requires_grad else made


def _float(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


# ---------------------------------------------------------------------------------------------- constants


def zeros(*size: Size, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the given size.

    >>> import minigrad
    >>> minigrad.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _finish("zeros", np.zeros(_sizes("zeros", size), _float(dtype)), dtype, device, requires_grad)


def ones(*size: Size, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given size."""
    return _finish("ones", np.ones(_sizes("ones", size), _float(dtype)), dtype, device, requires_grad)


def empty(*size: Size, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size whose elements are whatever the memory held."""
    return _finish("empty", np.empty(_sizes("empty", size), _float(dtype)), dtype, device, requires_grad)


def full(size: Size, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size filled with one value, which also decides the dtype."""
    if dtype is None:
        dtype = dtypes.result_type(fill_value)
    array = np.full(_sizes("full", (size,)), fill_value, dtypes.as_dtype(dtype))
    return _finish("full", array, dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n x m matrix with ones on its diagonal; m is n by default."""
    return _finish("eye", np.eye(n, m, dtype=_float(dtype)), dtype, device, requires_grad)


def arange(
    start: Any,
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
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: step {step} does not lead from {start} to {end}")
    if dtype is None:
        dtype = _float(None) if any(isinstance(x, (float, np.floating)) for x in (start, end, step)) else dtypes.int64
    return _finish("arange", np.arange(start, end, step), dtype, device, requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced numbers from start to end, both included."""
    if steps < 0:
        raise RuntimeError(f"linspace: steps must not be negative, got {steps}")
    return _finish("linspace", np.linspace(start, end, steps), dtype, device, requires_grad)


# ------------------------------------------------------------------------------------------ random numbers


def rand(
    *size: Size,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1)."""
    wanted = _random_float("rand", dtype)
    draw = wanted if wanted.itemsize >= 4 else dtypes.float32
    array = source(generator).random(_sizes("rand", size), dtype=draw.type)
    return _finish("rand", array, wanted, device, requires_grad)


def randn(
    *size: Size,
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
    array = source(generator).standard_normal(_sizes("randn", size), dtype=draw.type)
    return _finish("randn", np.asarray(array), wanted, device, requires_grad)


def _random_float(op: str, dtype: Any) -> np.dtype:
    wanted = _float(dtype)
    if wanted.kind != "f":
        raise RuntimeError(f"{op}: needs a floating dtype, got {wanted.name}; use randint for integers")
    return wanted


def randint(
    low: int,
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
    if size is None or isinstance(size, int):
        raise TypeError(f"randint: size must be a tuple of ints, got {size!r}")
    if high <= low:
        raise RuntimeError(f"randint: high must exceed low, got low={low} and high={high}")
    array = source(generator).integers(low, high, _sizes("randint", (tuple(size),)))
    return _finish("randint", np.asarray(array), dtypes.int64 if dtype is None else dtype, device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    if n < 0:
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
    shape = np.broadcast_shapes(np.shape(means), np.shape(stds)) if given else _sizes("normal", (size,))
    wanted = dtypes.result_type(*given) if given and dtype is None else _float(dtype)
    return _finish("normal", np.asarray(source(generator).normal(means, stds, shape)), wanted, None, False)


# --------------------------------------------------------------------------------- like another tensor


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of another tensor."""
    return zeros(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of another tensor."""
    return ones(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape and dtype of another, its elements whatever the memory held."""
    return empty(input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in the shape and dtype of another tensor."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, requires_grad=requires_grad)


def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in the shape and dtype of another tensor."""
    return rand(input.shape, generator=generator, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers in the shape and dtype of another tensor."""
    return randn(input.shape, generator=generator, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: Any = None
) -> Tensor:
    """Random integers in the shape and dtype of another tensor."""
    bounds = (0, low) if high is None else (low, high)
    return randint(*bounds, input.shape, generator=generator, dtype=dtype or input.dtype)
