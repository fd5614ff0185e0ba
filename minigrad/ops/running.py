"""Along a dimension, from each element to the next: differences, and the largest and the smallest so far."""

from __future__ import annotations

import numpy as np

from ..autograd import is_tensor, unwrap, wrap
from .common import Operand, clone, is_bool, must_be_arrays, normalize_dim, numpy_spelling
from .compare import logical_xor
from .elementwise import sub
from .index import at, place_of
from .join import cat
from .reduce import ValuesIndices
from .scatter import Gather


@numpy_spelling
def diff(
    input: Operand, n: int = 1, dim: int = -1, prepend: Operand | None = None, append: Operand | None = None
) -> Operand:
    """The differences x_(i+1) - x_i along `dim`, taken n times; of bools whether they differ.

    prepend, append : tensors that are put before and after input first, unless n is 0

    RuntimeError for a negative n, and for tensors that do not fit.

    >>> import minigrad
    >>> x = minigrad.tensor([1, 4, 9, 16])
    >>> minigrad.diff(x), minigrad.diff(x, n=2)
    (tensor([3, 5, 7]), tensor([2, 2]))
    """
    if not input.ndim:
        raise RuntimeError("diff: a 0-d tensor has no neighbours; reshape it to (1,)")
    d, times = normalize_dim("diff", dim, input.ndim), place_of("diff", "n", n)
    if times < 0:
        raise RuntimeError(f"diff: n must not be negative, got {times}")
    for name, more in (("prepend", prepend), ("append", append)):
        if more is not None:
            must_be_arrays("diff", more)
            if more.ndim != input.ndim:
                raise RuntimeError(
                    f"diff: {name} must have as many dimensions as input, got shapes {tuple(more.shape)} and "
                    f"{tuple(input.shape)}"
                )
    if not times:
        return clone(input)
    given = [part for part in (prepend, input, append) if part is not None]
    y = cat(given, d) if len(given) > 1 else input
    for _ in range(min(times, y.shape[d])):
        later, earlier = at(y, d, slice(1, None)), at(y, d, slice(None, max(y.shape[d] - 1, 0)))
        y = logical_xor(later, earlier) if is_bool(y) else sub(later, earlier)
    return y


@numpy_spelling
def cummax(input: Operand, dim: int) -> ValuesIndices:
    """The largest element up to each one along `dim`, and where it was: the pair (values, indices).

    Of equal elements the last one counts; from a NaN on, the values are NaN.

    >>> import minigrad
    >>> minigrad.cummax(minigrad.tensor([1, 3, 2, 3, 5]), dim=0)
    ValuesIndices(values=tensor([1, 3, 3, 3, 5]), indices=tensor([0, 1, 1, 3, 4]))
    """
    return _records("cummax", input, dim, np.maximum)


@numpy_spelling
def cummin(input: Operand, dim: int) -> ValuesIndices:
    """The smallest element up to each one along `dim`, and where it was: the pair (values, indices), as in `cummax`.

    >>> import minigrad
    >>> minigrad.cummin(minigrad.tensor([3, 1, 2, 1, 0]), dim=0)
    ValuesIndices(values=tensor([3, 1, 1, 1, 0]), indices=tensor([0, 1, 1, 3, 4]))
    """
    return _records("cummin", input, dim, np.minimum)


def _records(op: str, input: Operand, dim: int, better: np.ufunc) -> ValuesIndices:
    """The best element so far along `dim`, and its place."""
    d, x = normalize_dim(op, dim, input.ndim), unwrap(input)
    if not x.ndim:
        places = np.zeros((), np.int64)
        return ValuesIndices(clone(input), wrap(places) if is_tensor(input) else places)
    counted = np.arange(x.shape[d]).reshape(-1, *[1] * (x.ndim - 1 - d))
    record = (x == better.accumulate(x, axis=d)) | (x != x)  # NaN differs from itself
    places = np.maximum.accumulate(np.where(record, counted, 0), axis=d)
    return ValuesIndices(Gather.apply(input, places, dim=d), wrap(places) if is_tensor(input) else places)
