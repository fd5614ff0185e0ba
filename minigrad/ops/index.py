"""Indexing and gathering, each with its adjoint: reading at places, and adding at places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op, unwrap
from .common import Operand, must_be_arrays, normalize_dim

Key = Any  # what stands in the brackets: ints, slices, None, Ellipsis, integer and bool arrays, or a tuple of them


class Index(Op):
    """y = x[key]; the gradient is added at the same places of zeros"""

    saves_inputs = False
    view = True

    def forward(self, x: np.ndarray, key: Key) -> np.ndarray:
        self.shape, self.key = x.shape, key
        try:
            y = x[key]
        except IndexError as error:
            raise IndexError(f"index: {error}; the tensor has shape {x.shape}") from None
        if isinstance(y, np.ndarray):
            return y
        return x[(*(key if isinstance(key, tuple) else (key,)), ...)]  # one element: a 0-d view, not a copy of it

    def backward(self, g: Operand) -> Operand:
        return IndexAdd.apply(g, key=self.key, shape=self.shape)


class IndexAdd(Op):
    """y = zeros of `shape` with x added at key: a place named twice receives both. The adjoint of Index."""

    saves_inputs = False

    def forward(self, x: np.ndarray, key: Key, shape: tuple[int, ...]) -> np.ndarray:
        self.key = key
        y = np.zeros(shape, x.dtype)
        if _names_each_place_once(key):
            y[key] = x
        else:
            np.add.at(y, key, x)
        return y

    def backward(self, g: Operand) -> Operand:
        return Index.apply(g, key=self.key)


class Gather(Op):
    """y[i, j] = x[index[i, j], j], along any one axis; the gradient is added back at the index"""

    saves_inputs = False

    def forward(self, x: np.ndarray, index: np.ndarray, dim: int) -> np.ndarray:
        self.shape, self.index, self.dim = x.shape, index, dim
        return x[_open_index(index, dim)]

    def backward(self, g: Operand) -> tuple:
        return ScatterAdd.apply(g, self.index, dim=self.dim, shape=self.shape), None


class ScatterAdd(Op):
    """y = zeros of `shape` with x[i, j] added at y[index[i, j], j]: the adjoint of Gather"""

    saves_inputs = False

    def forward(self, x: np.ndarray, index: np.ndarray, dim: int, shape: tuple[int, ...]) -> np.ndarray:
        self.index, self.dim = index, dim
        y = np.zeros(shape, x.dtype)
        np.add.at(y, _open_index(index, dim), x)
        return y

    def backward(self, g: Operand) -> tuple:
        return Gather.apply(g, self.index, dim=self.dim), None


def _open_index(index: np.ndarray, dim: int) -> tuple:
    """The key that pairs `index` along `dim` with every position along the other axes."""
    key = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    key[dim] = index
    return tuple(key)


def _names_each_place_once(key: Key) -> bool:
    """Slices, ints and one bool mask cannot name a place twice; integer arrays can."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(not isinstance(part, np.ndarray) or part.dtype == bool for part in parts)


def getitem(x: Operand, key: Key) -> Operand:
    """x[key] with NumPy's rules: ints, slices, None, Ellipsis, and integer or bool tensors, arrays and sequences.

    Basic indexing (no arrays) gives a view, as in NumPy; a slice may also go backwards, which PyTorch refuses.
    IndexError for a place that is not there.

    >>> import minigrad
    >>> x = minigrad.arange(6).reshape(2, 3)
    >>> x[:, -1], x[0, [2, 2, 0]], x[x > 3]
    (tensor([2, 5]), tensor([2, 2, 0]), tensor([4, 5]))
    """
    return Index.apply(x, key=as_key(x, key))


def as_key(x: Operand, key: Key) -> Key:
    """`key` with Tensors and sequences as arrays, checked against the shape of `x` (IndexError names both)."""
    parts = tuple(_as_index(part) for part in (key if isinstance(key, tuple) else (key,)))
    taken = sum(
        part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else part is not None and part is not Ellipsis
        for part in parts
        if not isinstance(part, (bool, np.bool_))
    )
    if taken > len(x.shape):
        raise IndexError(f"index: {taken} indices for a tensor of {len(x.shape)} dimensions, shape {tuple(x.shape)}")
    return parts if isinstance(key, tuple) else parts[0]


def _as_index(part: Any) -> Any:
    """An int, slice, None, Ellipsis or bool as it is; anything else as an array (of which repeats are expected)."""
    if part is None or part is Ellipsis or isinstance(part, (int, slice)):
        return part
    if isinstance(part, np.integer):
        return int(part)
    array = unwrap(part)
    if isinstance(part, Sequence) and not isinstance(part, (str, bytes)):
        try:
            array = np.asarray(part) if len(part) else np.zeros(0, np.int64)
        except ValueError:
            array = None  # of unequal lengths
    if isinstance(array, np.bool_):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray):
        raise IndexError(f"index: must be ints, slices, None, ... or integer and bool tensors, got {part!r}")
    if array.dtype.kind not in "iub":
        raise IndexError(
            f"index: a tensor used as index must be of integers or bools, got {array.dtype.name}; use x.long()"
        )
    if array.dtype == np.uint8:
        raise IndexError(
            "index: a uint8 tensor could mean places or a mask (PyTorch takes it for a mask); "
            "use index.long() for places, index.bool() for a mask"
        )
    return array.item() if array.ndim == 0 and array.dtype.kind in "iu" else array


def gather(input: Operand, dim: int, index: Operand) -> Operand:
    """The elements of input at `index` along `dim`: for dim 0 of a matrix, out[i, j] = input[index[i, j], j].

    index has as many dimensions as input, and is no larger than it outside of `dim`; an empty one may have any shape.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 2], [3, 4]])
    >>> minigrad.gather(x, 1, minigrad.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    must_be_arrays("gather", input, index)
    d, places = normalize_dim("gather", dim, input.ndim), check_index("gather", input, dim, index)
    if input.ndim < 2:  # a 0-d tensor counts as one element
        return Index.apply(input if input.ndim else Index.apply(input, key=None), key=places)
    if not places.size:
        return Index.apply(input, key=(places,) * input.ndim)
    return Gather.apply(input, places, dim=d)


def check_index(op: str, x: Operand, dim: int, index: Operand) -> np.ndarray:
    """`index` as an array of valid, non-negative places along `dim` of `x`."""
    places, d = np.asarray(unwrap(index)), normalize_dim(op, dim, x.ndim)
    if places.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: the index must be of integers, got {places.dtype.name}")
    fits = max(places.ndim, 1) == max(x.ndim, 1) and all(
        n <= m for i, (n, m) in enumerate(zip(places.shape, x.shape, strict=False)) if i != d
    )
    if places.size and not fits:
        raise RuntimeError(
            f"{op}: index of shape {places.shape} does not fit input of shape {tuple(x.shape)} along dim {dim}"
        )
    size = x.shape[d] if x.ndim else 1
    if places.size and (places.min() < 0 or places.max() >= size):
        bad = places[(places < 0) | (places >= size)][0]
        raise IndexError(f"{op}: index {bad} is out of range for dim {dim} of size {size}")
    return places
