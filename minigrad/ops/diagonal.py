"""Diagonals and triangles of matrices."""

from __future__ import annotations

import numpy as np

from ..autograd import Op
from .common import Operand, clone, must_be_arrays, normalize_dim
from .elementwise import where
from .index import place_of
from .shape import ravel


class Diagonal(Op):
    """y = the diagonals of x in the plane of two axes, as the last axis; the gradient goes back to them"""

    saves_inputs = False
    view = True

    def forward(self, x: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
        self.shape, self.where = x.shape, {"offset": offset, "dim1": dim1, "dim2": dim2}
        return _diagonal(x, offset, dim1, dim2)

    def backward(self, g: Operand) -> Operand:
        return DiagonalPut.apply(g, shape=self.shape, **self.where)


class DiagonalPut(Op):
    """y = zeros of `shape` with x on the diagonals: the adjoint of Diagonal"""

    saves_inputs = False

    def forward(self, x: np.ndarray, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> np.ndarray:
        self.where = {"offset": offset, "dim1": dim1, "dim2": dim2}
        y = np.zeros(shape, x.dtype)
        _diagonal(y, offset, dim1, dim2)[...] = x
        return y

    def backward(self, g: Operand) -> Operand:
        return Diagonal.apply(g, **self.where)


def _diagonal(x: np.ndarray, offset: int, dim1: int, dim2: int) -> np.ndarray:
    """The diagonals as a view that can be written to if x can."""
    y = x.diagonal(offset, dim1, dim2)
    y.flags.writeable = x.flags.writeable  # NumPy's is read-only
    return y


def diagonal(input: Operand, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Operand:
    """The diagonals of the matrices in the plane of dim1 and dim2, a view: (A, B, n, m) for -2 and -1 gives (A, B, k).

    offset : 0 for the main diagonal, n > 0 for the one n columns to the right, n < 0 for the one -n rows below

    RuntimeError if dim1 is dim2.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 2, 3], [4, 5, 6]])
    >>> x.diagonal(), x.diagonal(1)
    (tensor([1, 5]), tensor([2, 6]))
    """
    must_be_arrays("diagonal", input)
    a, b = _plane("diagonal", dim1, dim2, input.ndim)
    return Diagonal.apply(input, offset=place_of("diagonal", "offset", offset), dim1=a, dim2=b)


def diag_embed(input: Operand, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Operand:
    """Matrices in the plane of dim1 and dim2 with the vectors of the last dimension of input on their diagonals.

    offset : of the diagonal, as in `diagonal`; the matrices have the size to hold it

    >>> import minigrad
    >>> minigrad.diag_embed(minigrad.tensor([1, 2]), offset=1)
    tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
    """
    must_be_arrays("diag_embed", input)
    if not input.ndim:
        raise IndexError("diag_embed: a 0-d tensor is no vector; reshape it to (1,)")
    a, b = _plane("diag_embed", dim1, dim2, input.ndim + 1)
    place = place_of("diag_embed", "offset", offset)
    size, shape = input.shape[-1] + abs(place), list(input.shape[:-1])
    for d in sorted((a, b)):
        shape.insert(d, size)
    return DiagonalPut.apply(input, shape=tuple(shape), offset=place, dim1=a, dim2=b)


def diag(input: Operand, diagonal: int = 0) -> Operand:
    """The matrix with a vector on its diagonal; of a matrix, its diagonal in a copy. RuntimeError for anything else.

    >>> import minigrad
    >>> minigrad.diag(minigrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    >>> minigrad.diag(minigrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    must_be_arrays("diag", input)
    if input.ndim not in (1, 2):
        raise RuntimeError(
            f"diag: needs a vector or a matrix, got shape {tuple(input.shape)}; use diagonal or diag_embed"
        )
    place = place_of("diag", "diagonal", diagonal)
    return diag_embed(input, place) if input.ndim == 1 else clone(Diagonal.apply(input, offset=place, dim1=0, dim2=1))


def diagflat(input: Operand, offset: int = 0) -> Operand:
    """The matrix with all elements of input, flattened, on a diagonal.

    >>> import minigrad
    >>> minigrad.diagflat(minigrad.tensor([[1], [2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    must_be_arrays("diagflat", input)
    return diag_embed(ravel(input), offset)


def _plane(op: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    a, b = normalize_dim(op, dim1, ndim), normalize_dim(op, dim2, ndim)
    if a == b:
        raise RuntimeError(f"{op}: dim1 and dim2 must be two dimensions, got {dim1} and {dim2}")
    return a, b


def tril(input: Operand, diagonal: int = 0) -> Operand:
    """The lower triangle of a matrix, or of each in a batch, and 0 above it; `diagonal` is the last one it takes in.

    >>> import minigrad
    >>> minigrad.tril(minigrad.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _triangle("tril", input, place_of("tril", "diagonal", diagonal), lower=True)


def triu(input: Operand, diagonal: int = 0) -> Operand:
    """The upper triangle of a matrix, or of each in a batch, and 0 below it; `diagonal` is the first one it takes in.

    >>> import minigrad
    >>> minigrad.triu(minigrad.tensor([[1, 2], [3, 4]]), diagonal=1)
    tensor([[0, 2],
            [0, 0]])
    """
    return _triangle("triu", input, place_of("triu", "diagonal", diagonal), lower=False)


def _triangle(op: str, x: Operand, diagonal: int, lower: bool) -> Operand:
    must_be_arrays(op, x)
    if x.ndim < 2:
        raise RuntimeError(f"{op}: needs at least 2 dimensions, got shape {tuple(x.shape)}")
    rows, columns = x.shape[-2:]
    kept = np.tri(rows, columns, diagonal, dtype=bool) if lower else ~np.tri(rows, columns, diagonal - 1, dtype=bool)
    return where(kept, x, False if x.dtype == bool else 0)
