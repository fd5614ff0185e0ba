"""Sorting and what rests on it. NaN counts as the largest number, and equal elements keep their order.

The gradient of a value goes to the element it was taken from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import is_tensor, unwrap, wrap
from .common import Operand, clone, must_be_arrays, normalize_dim, numpy_spelling
from .index import place_of
from .reduce import ValuesIndices
from .scatter import Gather
from .shape import squeeze


@numpy_spelling
def sort(input: Operand, dim: int = -1, descending: bool = False, *, stable: bool = False) -> ValuesIndices:
    """The elements in order along `dim`, and where each was: the pair (values, indices), both copies.

    Equal elements keep their order, whatever `stable` says.

    >>> import minigrad
    >>> minigrad.sort(minigrad.tensor([3.0, float("nan"), 1.0, 3.0]), descending=True)
    ValuesIndices(values=tensor([nan, 3., 3., 1.]), indices=tensor([1, 0, 3, 2]))
    """
    d = normalize_dim("sort", dim, input.ndim)
    return _taken(input, _order(unwrap(input), d, descending), d)


@numpy_spelling
def argsort(input: Operand, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Operand:
    """The indices that `sort` gives.

    >>> import minigrad
    >>> minigrad.argsort(minigrad.tensor([30, 10, 20]))
    tensor([1, 2, 0])
    """
    order = _order(unwrap(input), normalize_dim("argsort", dim, input.ndim), descending)
    return wrap(order) if is_tensor(input) else order


@numpy_spelling
def topk(input: Operand, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest elements along `dim`, or the smallest, in order, and where each was: (values, indices).

    Of equal elements the first are taken. (PyTorch takes any, and without `sorted` gives them in any order.)
    RuntimeError if there are fewer than k.

    >>> import minigrad
    >>> minigrad.topk(minigrad.tensor([1.0, 5.0, 3.0, 5.0]), 2)
    ValuesIndices(values=tensor([5., 5.]), indices=tensor([1, 3]))
    """
    d, many = normalize_dim("topk", dim, input.ndim), place_of("topk", "k", k)
    size = input.shape[d] if input.ndim else 1
    if not 0 <= many <= size:
        raise RuntimeError(f"topk: k must be in [0, {size}], the size of dim {dim}, got {many}")
    return _taken(input, _first(unwrap(input), d, many, descending=largest), d)


@numpy_spelling
def kthvalue(input: Operand, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest element along `dim`, counted from 1, and where it was: (values, indices).

    RuntimeError if there is no such element.

    >>> import minigrad
    >>> minigrad.kthvalue(minigrad.tensor([[30, 10, 20], [6, 5, 4]]), 2)
    ValuesIndices(values=tensor([20,  5]), indices=tensor([2, 1]))
    """
    d, nth = normalize_dim("kthvalue", dim, input.ndim), place_of("kthvalue", "k", k)
    size = input.shape[d] if input.ndim else 1
    if not 1 <= nth <= size:
        raise RuntimeError(f"kthvalue: k must be in [1, {size}], the size of dim {dim}, got {nth}")
    order = _first(unwrap(input), d, nth, descending=False)
    if not order.ndim:
        return _taken(input, order, d)
    found = _taken(input, np.take(order, [nth - 1], d), d)
    return found if keepdim else ValuesIndices(*(squeeze(part, d) for part in found))


def unique(
    input: Operand,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order, or the different slices along `dim`; each NaN is one of its own. No gradient.

    return_inverse : also for each element of the input which of them it is
    return_counts  : also how often each occurs

    >>> import minigrad
    >>> minigrad.unique(minigrad.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    must_be_arrays("unique", input)
    x = unwrap(input)
    axis = None if dim is None else normalize_dim("unique", dim, x.ndim)
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(x.shape if axis is None else -1)
    wanted = [values, *([inverse] if return_inverse else []), *([counts] if return_counts else [])]
    results = tuple(map(wrap, wanted)) if is_tensor(input) else tuple(wanted)
    return results if len(results) > 1 else results[0]


def _order(x: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """The indices that sort x along an axis. Backwards, the last of equals comes first: so x is reversed before."""
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    order = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(order, dim)


def _first(x: np.ndarray, dim: int, k: int, descending: bool) -> np.ndarray:
    """The first k of the indices that sort x along an axis: few of many are found first, and sorted then."""
    if not x.ndim:
        return _order(x, dim, descending)
    if not 0 < k <= x.shape[dim] // 8:
        return np.take(_order(x, dim, descending), np.arange(k), dim)
    rows = np.moveaxis(x, dim, -1)
    at = rows.shape[-1] - k if descending else k - 1
    edge = np.partition(rows, at)[..., at : at + 1]  # the last of them; NaN is the largest number here too
    before, equal = rows > edge if descending else rows < edge, rows == edge
    if x.dtype.kind == "f":
        nan, nan_edge = np.isnan(rows), np.isnan(edge)
        before |= nan > nan_edge if descending else nan < nan_edge
        equal |= nan & nan_edge
    room = k - np.count_nonzero(before, axis=-1, keepdims=True)
    if (np.count_nonzero(equal, axis=-1, keepdims=True) != room).any():
        equal &= np.cumsum(equal, -1) <= room  # the first of equals
    found = np.nonzero(before | equal)[-1].reshape(*rows.shape[:-1], k)
    order = _order(np.take_along_axis(rows, found, -1), -1, descending)
    return np.ascontiguousarray(np.moveaxis(np.take_along_axis(found, order, -1), -1, dim))


def _taken(x: Operand, indices: np.ndarray, dim: int) -> ValuesIndices:
    """The elements at the indices, and those."""
    values = Gather.apply(x, indices, dim=dim) if indices.ndim else clone(x)
    return ValuesIndices(values, wrap(indices) if is_tensor(x) else indices)
