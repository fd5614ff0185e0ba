"""Matrix products."""

from __future__ import annotations

import numpy as np

from ..autograd import Op
from .common import Operand, must_be_arrays, must_share_dtype, quiet, sum_to
from .reduce import sum
from .shape import reshape, squeeze, transpose, unsqueeze


class MatMul(Op):
    """y = a b, batched over leading axes that broadcast; ga = g b^T, gb = a^T g"""

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a @ b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        return (
            sum_to(MatMul.apply(g, transpose(b, -1, -2)), a.shape) if need_a else None,
            sum_to(MatMul.apply(transpose(a, -1, -2), g), b.shape) if need_b else None,
        )


class Linear(Op):
    """y = x w^T + b, over the last axis of x; gx = g w, gw = g^T x, gb = the sum of g over all rows"""

    @quiet
    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        y = x @ w.T
        if b is not None:
            y += b
        return y

    def backward(self, g: Operand) -> tuple:
        (x, w, _), (need_x, need_w, need_b) = self.operands(), self.needs
        n = int(np.prod(x.shape[:-1]))
        g, rows = reshape(g, n, w.shape[0]), reshape(x, n, w.shape[1])
        return (
            reshape(MatMul.apply(g, w), x.shape) if need_x else None,
            MatMul.apply(transpose(g, 0, 1), rows) if need_w else None,
            sum(g, 0) if need_b else None,
        )


def matmul(input: Operand, other: Operand) -> Operand:
    """The product of matrices, batched over leading dimensions that broadcast; a 1-d operand is a row or column.

    (..., n, m) and (..., m, p) to (..., n, p). RuntimeError if the sizes do not fit or the dtypes differ.

    >>> import minigrad
    >>> a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> minigrad.matmul(a, minigrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    a, b = input, other
    must_be_arrays("matmul", a, b)
    if not a.ndim or not b.ndim:
        raise RuntimeError("matmul: both operands need at least one dimension; multiply by a number with *")
    must_share_dtype("matmul", a, b)
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise RuntimeError(
            f"matmul: the last size of the first must equal the {'last but one' if b.ndim > 1 else 'only'} size of "
            f"the second, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise RuntimeError(
            f"matmul: the batch sizes of {tuple(a.shape)} and {tuple(b.shape)} do not broadcast"
        ) from None
    y = MatMul.apply(a if a.ndim > 1 else unsqueeze(a, 0), b if b.ndim > 1 else unsqueeze(b, 1))
    if a.ndim == 1:
        y = squeeze(y, -1 if b.ndim == 1 else -2)
    return squeeze(y, -1) if b.ndim == 1 else y


def mm(input: Operand, mat2: Operand) -> Operand:
    """The product of two matrices, (n, m) and (m, p) to (n, p), without broadcasting.

    RuntimeError for other numbers of dimensions, sizes that do not fit and different dtypes.

    >>> import minigrad
    >>> minigrad.mm(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.tensor([[1.0], [1.0]]))
    tensor([[3.],
            [7.]])
    """
    must_be_arrays("mm", input, mat2)
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(
            f"mm: needs two matrices, got shapes {tuple(input.shape)} and {tuple(mat2.shape)}; use matmul"
        )
    return matmul(input, mat2)


def bmm(input: Operand, mat2: Operand) -> Operand:
    """The products of two equally long batches of matrices, (B, n, m) and (B, m, p) to (B, n, p), without broadcasting.

    RuntimeError for other shapes and for different dtypes.

    >>> import minigrad
    >>> minigrad.bmm(minigrad.ones(10, 2, 3), minigrad.ones(10, 3, 5)).shape
    (10, 2, 5)
    """
    must_be_arrays("bmm", input, mat2)
    if input.ndim != 3 or mat2.ndim != 3 or input.shape[0] != mat2.shape[0]:
        raise RuntimeError(
            f"bmm: needs shapes (B, n, m) and (B, m, p), got {tuple(input.shape)} and {tuple(mat2.shape)}"
        )
    return matmul(input, mat2)


def dot(input: Operand, tensor: Operand) -> Operand:
    """The inner product of two vectors, sum_i x_i y_i, as a 0-d tensor. RuntimeError for other shapes.

    >>> import minigrad
    >>> minigrad.dot(minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    must_be_arrays("dot", input, tensor)
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(
            f"dot: needs two vectors, got shapes {tuple(input.shape)} and {tuple(tensor.shape)}; use matmul"
        )
    return matmul(input, tensor)


def linear(input: Operand, weight: Operand, bias: Operand | None = None) -> Operand:
    """input weight^T + bias: input (..., in_features), weight (out_features, in_features), bias (out_features,).

    A weight (in_features,) with a bias () or none is one output feature without a dimension of its own.

    >>> import minigrad
    >>> x, w = minigrad.ones(1, 2), minigrad.tensor([[1.0, 2.0]])
    >>> minigrad.nn.functional.linear(x, w)
    tensor([[3.]])
    """
    must_be_arrays("linear", input, weight, *(() if bias is None else (bias,)))
    if weight.ndim not in (1, 2):
        raise RuntimeError(
            f"linear: weight must be (out_features, in_features) or (in_features,), got shape {tuple(weight.shape)}"
        )
    if input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            f"linear: expected last dimension {weight.shape[-1]} (in_features of weight {tuple(weight.shape)}), "
            f"got input of shape {tuple(input.shape)}; flatten or transpose it first?"
        )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:-1]):
        raise RuntimeError(f"linear: bias must have shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}")
    must_share_dtype("linear", input, weight, bias)
    if weight.ndim == 1:
        y = Linear.apply(input, unsqueeze(weight, 0), None if bias is None else unsqueeze(bias, 0))
        return squeeze(y, -1)
    return Linear.apply(input, weight, bias)
