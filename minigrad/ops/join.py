"""Joining tensors, and cutting one into parts, which are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import Op, unwrap
from .common import BroadcastTo, Operand, axis_as_dim, cast, must_be_arrays, normalize_dim
from .index import at, place_of
from .shape import reshape, transpose, unsqueeze

# ------------------------------------------------------------------------------------------------ joining


class Cat(Op):
    """y = the inputs one after another along an axis; each gets its part of the gradient"""

    saves_inputs = False

    def forward(self, *xs: np.ndarray, dim: int) -> np.ndarray:
        self.dim, self.sizes = dim, [x.shape[dim] for x in xs]
        return np.concatenate(xs, axis=dim)

    def backward(self, g: Operand) -> tuple:
        parts, start = [], 0
        for size, need in zip(self.sizes, self.needs, strict=True):
            parts.append(at(g, self.dim, slice(start, start + size)) if need else None)
            start += size
        return tuple(parts)


@axis_as_dim
def cat(tensors: Sequence[Operand], dim: int = 0) -> Operand:
    """The tensors one after another along `dim`; the other sizes must agree. A 1-d empty tensor is passed over.

    RuntimeError if they do not.

    >>> import minigrad
    >>> minigrad.cat([minigrad.zeros(1, 2), minigrad.ones(2, 2)]).shape
    (3, 2)
    """
    parts = _same_dtype("cat", tensors)
    first = next((tuple(x.shape) for x in parts if tuple(x.shape) != (0,)), (0,))
    shapes = [tuple(x.shape) for x in parts]
    if any(not shape for shape in shapes):
        raise RuntimeError("cat: a 0-d tensor cannot be joined; use stack, or reshape it to (1,)")
    d = normalize_dim("cat", dim, len(first))
    for i, shape in enumerate(shapes):
        if shape != (0,) and (len(shape) != len(first) or _without(shape, d) != _without(first, d)):
            raise RuntimeError(
                f"cat: sizes must agree except in dim {d}, but tensor {i} has shape {shape} and the first {first}"
            )
    none = (*first[:d], 0, *first[d + 1 :])  # the shape in which an empty tensor is joined, for its empty gradient
    return Cat.apply(*[reshape(x, none) if shape == (0,) else x for x, shape in zip(parts, shapes, strict=True)], dim=d)


concat = concatenate = cat


@axis_as_dim
def stack(tensors: Sequence[Operand], dim: int = 0) -> Operand:
    """The tensors, all of one shape, along a new dimension: n of shape (A, B) give (n, A, B) for dim 0.

    RuntimeError if the shapes differ.

    >>> import minigrad
    >>> minigrad.stack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    parts = _same_dtype("stack", tensors)
    for i, x in enumerate(parts):
        if x.shape != parts[0].shape:
            raise RuntimeError(
                f"stack: shapes must be equal; the first is {tuple(parts[0].shape)}, tensor {i} {tuple(x.shape)}"
            )
    d = normalize_dim("stack", dim, parts[0].ndim + 1)
    return Cat.apply(*[unsqueeze(x, d) for x in parts], dim=d)


def hstack(tensors: Sequence[Operand]) -> Operand:
    """The tensors side by side: `cat` along dim 1, or dim 0 for vectors and 0-d tensors.

    >>> import minigrad
    >>> minigrad.hstack([minigrad.tensor([[1], [2]]), minigrad.tensor([[3], [4]])])
    tensor([[1, 3],
            [2, 4]])
    """
    parts = [x if x.ndim else reshape(x, (1,)) for x in _tensors("hstack", tensors)]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Operand]) -> Operand:
    """The tensors one below the other: `cat` along dim 0, vectors being rows.

    >>> import minigrad
    >>> minigrad.vstack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([x if x.ndim > 1 else reshape(x, (1, -1)) for x in _tensors("vstack", tensors)], 0)


def dstack(tensors: Sequence[Operand]) -> Operand:
    """The tensors one behind the other: `cat` along dim 2, matrices having depth 1, vectors being rows of those.

    >>> import minigrad
    >>> minigrad.dstack([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    parts = []
    for x in _tensors("dstack", tensors):
        matrix = x if x.ndim > 1 else reshape(x, (1, -1))
        parts.append(matrix if matrix.ndim > 2 else unsqueeze(matrix, 2))
    return cat(parts, 2)


def _without(shape: tuple[int, ...], d: int) -> tuple[int, ...]:
    """The shape but for one dimension."""
    return shape[:d] + shape[d + 1 :]


def _same_dtype(op: str, tensors: Sequence[Operand]) -> list[Operand]:
    parts = _tensors(op, tensors)
    dtype = dtypes.result_type(*parts)
    return [cast(x, dtype) for x in parts]


def _tensors(op: str, tensors: Sequence[Operand]) -> list[Operand]:
    parts = list(tensors) if isinstance(tensors, (list, tuple)) else None
    if not parts or not all(hasattr(x, "dtype") for x in parts):
        raise TypeError(f"{op}: needs a list or tuple of one or more Tensors, got {tensors!r}")
    return parts


def meshgrid(*tensors: Operand | Sequence[Operand], indexing: str = "ij") -> tuple[Operand, ...]:
    """The coordinates of a grid from those along its axes: of n vectors, n views with n dimensions.

    indexing : "ij", the axes in the order of the vectors, or "xy", the first two of them exchanged

    RuntimeError for tensors with more than one dimension, or of different dtypes.

    >>> import minigrad
    >>> minigrad.meshgrid(minigrad.tensor([1, 2]), minigrad.tensor([3, 4, 5]))[1]
    tensor([[3, 4, 5],
            [3, 4, 5]])
    """
    given: Sequence[Any] = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if not given:
        raise RuntimeError("meshgrid: needs one or more tensors")
    must_be_arrays("meshgrid", *given)
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be "ij" or "xy", got {indexing!r}')
    found = {x.dtype.name for x in given}
    if len(found) > 1:
        raise RuntimeError(f"meshgrid: the tensors must have one dtype, got {' and '.join(sorted(found))}")
    for x in given:
        if x.ndim > 1:
            raise RuntimeError(f"meshgrid: the tensors must have at most 1 dimension, got shape {tuple(x.shape)}")
    n, shape = len(given), tuple(x.shape[0] if x.ndim else 1 for x in given)
    grids = [
        BroadcastTo.apply(reshape(x, tuple(shape[i] if j == i else 1 for j in range(n))), shape=shape)
        for i, x in enumerate(given)
    ]
    return tuple(transpose(x, 0, 1) if indexing == "xy" and n > 1 else x for x in grids)


# ------------------------------------------------------------------------------------------------ cutting


def split(tensor: Operand, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Operand, ...]:
    """Views of parts along `dim`: of one size, the last being what is left, or of the sizes in a list.

    RuntimeError if the sizes in a list do not add up to that of the dimension.

    >>> import minigrad
    >>> minigrad.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> minigrad.arange(5).split([1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
    """
    d, n = _cut_dim("split", tensor, dim)
    if isinstance(split_size_or_sections, (tuple, list)):
        sizes = [place_of("split", "a size", size) for size in split_size_or_sections]
        if sum(sizes) != n or min(sizes, default=0) < 0:
            raise RuntimeError(f"split: sizes {sizes} must add up to size {n} of dim {dim}, and none be negative")
        ends = np.cumsum(sizes, dtype=int).tolist()
        return _cut(tensor, d, [end - size for end, size in zip(ends, sizes, strict=True)], ends)
    size = place_of("split", "split_size", split_size_or_sections)
    if size < 0 or (size == 0 and n):
        raise RuntimeError(f"split: split_size must be positive for a dimension of size {n}, got {size}")
    starts = list(range(0, n, size)) if n else [0]
    return _cut(tensor, d, starts, [min(start + size, n) for start in starts])


def chunk(input: Operand, chunks: int, dim: int = 0) -> tuple[Operand, ...]:
    """Views of at most `chunks` parts of one size along `dim`, the last being what is left.

    >>> import minigrad
    >>> minigrad.arange(5).chunk(3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    d, n = _cut_dim("chunk", input, dim)
    many = place_of("chunk", "chunks", chunks)
    if many < 1:
        raise RuntimeError(f"chunk: chunks must be at least 1, got {many}")
    return split(input, -(-n // many), d) if n else split(input, [0] * many, d)


def tensor_split(
    input: Operand,
    indices_or_sections: int | Sequence[int] | Operand | None = None,
    dim: int = 0,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Operand, ...]:
    """Views of parts along `dim`: so many as equal as can be, or those between indices, cut as slices are.

    indices_or_sections : the number of parts, or the places to cut at; a 0-d or 1-d tensor of integers does as well

    >>> import minigrad
    >>> minigrad.arange(5).tensor_split(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    >>> minigrad.arange(5).tensor_split((1, -1))
    (tensor([0]), tensor([1, 2, 3]), tensor([4]))
    """
    d, n = _cut_dim("tensor_split", input, dim)
    given = [x for x in (indices_or_sections, indices, sections) if x is not None]
    if len(given) != 1:
        raise TypeError("tensor_split: give one of indices_or_sections, indices and sections")
    wanted = unwrap(given[0])
    if isinstance(wanted, np.ndarray):
        if wanted.dtype.kind not in "iu" or wanted.ndim > 1:
            raise RuntimeError(
                "tensor_split: a tensor of indices or sections must be of integers, with at most 1 dimension, got "
                f"{wanted.dtype.name} of shape {wanted.shape}"
            )
        wanted = wanted.tolist()
    if isinstance(wanted, (tuple, list)):
        places = [place_of("tensor_split", "an index", place) for place in wanted]
        return _cut(input, d, [0, *places], [*places, n])
    many = place_of("tensor_split", "sections", wanted)
    if many < 1:
        raise RuntimeError(f"tensor_split: sections must be at least 1, got {many}")
    sizes = [n // many + (i < n % many) for i in range(many)]
    return split(input, sizes, d)


def unbind(input: Operand, dim: int = 0) -> tuple[Operand, ...]:
    """Views of all the slices along `dim`, without that dimension.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).unbind(1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    must_be_arrays("unbind", input)
    if not input.ndim:
        raise IndexError("unbind: a 0-d tensor has no dimension to take apart; reshape it to (1,)")
    d = normalize_dim("unbind", dim, input.ndim)
    return tuple(at(input, d, i) for i in range(input.shape[d]))


def _cut_dim(op: str, x: Operand, dim: int) -> tuple[int, int]:
    """The dimension to cut along, counted from the front, and its size."""
    must_be_arrays(op, x)
    if not x.ndim:
        raise RuntimeError(f"{op}: a 0-d tensor has no dimension to cut; reshape it to (1,)")
    d = normalize_dim(op, dim, x.ndim)
    return d, x.shape[d]


def _cut(x: Operand, d: int, starts: Sequence[int], ends: Sequence[int]) -> tuple[Operand, ...]:
    return tuple(at(x, d, slice(start, end)) for start, end in zip(starts, ends, strict=True))
