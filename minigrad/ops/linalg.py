"""Matrix products."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Fused, Op
from .activation import relu as relu_of
from .common import (
    Kind,
    Operand,
    is_bool,
    kind_of,
    must_be_alike,
    must_be_arrays,
    must_share_dtype,
    python_number,
    quiet,
    sum_to,
)
from .diagonal import diagonal
from .elementwise import add, masked, mul, where
from .reduce import sum
from .shape import permute, reshape, squeeze, transpose, unsqueeze


class MatMul(Op):
    """y = a b, batched over leading axes that broadcast; ga = g b^T, gb = a^T g"""

    uses = ((1,), (0,))

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return kernels.current().matmul(a, b) if a.ndim == b.ndim == 2 else a @ b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        return (
            sum_to(g @ b.mT, a.shape) if need_a else None,
            sum_to(a.mT @ g, b.shape) if need_b else None,
        )


class Linear(Fused):
    """y = x w^T + b, over the last axis of x; gx = g w, gw = g^T x, gb = the sum of g over all rows

    rows : the shape of a matrix that x is made first
    """

    uses = ((1,), (0,), ())
    relu = False
    rows: tuple[int, int] | None = None
    y: np.ndarray | None = None  # kept with relu, to see where it is 0

    def forward(
        self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, rows: tuple[int, int] | None = None
    ) -> np.ndarray:
        if rows is not None:
            self.rows = rows
            x = x.reshape(rows)
        y = kernels.current().linear(x if x.ndim == 2 else _rows(x), w, b, self.relu)
        if x.ndim != 2:
            y = y.reshape(*x.shape[:-1], w.shape[0])
        if self.relu:
            self.y = y
        return y

    def definition(self, x: Operand, w: Operand, b: Operand | None) -> Operand:
        y = matmul(x if self.rows is None else reshape(x, self.rows), transpose(w, 0, 1))
        return y if b is None else add(y, b)

    def kernel_backward(self, g: np.ndarray) -> tuple:
        x, w, _ = self.operands()
        y, shape = self.y, x.shape
        if self.rows is not None:
            x = x.reshape(self.rows)
        elif len(shape) != 2:
            g, x, y = _rows(g), _rows(x), y if y is None else _rows(y)
        gradients = kernels.current().linear_backward(g, x, w, *self.needs, y)
        if gradients[0] is None or len(shape) == 2:
            return gradients
        gx, gw, gb = gradients
        return gx.reshape(shape), gw, gb


class LinearReLU(Linear):
    """relu of `Linear`, in the same pass; its backward sets g to 0 where y is 0, and goes on like that of `Linear`"""

    relu = True

    def definition(self, x: Operand, w: Operand, b: Operand | None) -> Operand:
        return relu_of(super().definition(x, w, b))

    def recorded_backward(self, g: Operand) -> tuple:
        assert self.y is not None
        # Where y is 0 is known: the inputs, of which `uses` names only some, may have changed since.
        return self.differentiated(super().definition, masked(g, self.y != 0))


def _rows(x: np.ndarray) -> np.ndarray:
    """The last axis of x as rows of a matrix."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def matmul(input: Operand, other: Operand) -> Operand:
    """The product of matrices, batched over leading dimensions that broadcast; a 1-d operand is a row or column.

    (..., n, m) and (..., m, p) to (..., n, p). Integers stay in their dtype, and wrap around where it overflows.
    RuntimeError if the sizes do not fit or the dtypes differ, and for bools.

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
    if is_bool(a):
        raise RuntimeError("matmul: bools have no matrix product; use x.float(), or x.long() to count")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise RuntimeError(
            f"matmul: the last size of the first must equal the {'last but one' if b.ndim > 1 else 'only'} size of "
            f"the second, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if a.ndim > 2 and b.ndim > 2:
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


def mv(input: Operand, vec: Operand) -> Operand:
    """The product of a matrix (n, m) and a vector (m,): (n,). RuntimeError for other shapes and for different dtypes.

    >>> import minigrad
    >>> minigrad.mv(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.tensor([1.0, -1.0]))
    tensor([-1., -1.])
    """
    must_be_arrays("mv", input, vec)
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(
            f"mv: needs a matrix (n, m) and a vector (m,), got shapes {tuple(input.shape)} and {tuple(vec.shape)}; "
            "use matmul"
        )
    return matmul(input, vec)


def vdot(input: Operand, other: Operand) -> Operand:
    """`dot`: all numbers here are real, so there is nothing to conjugate.

    >>> import minigrad
    >>> minigrad.vdot(minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return dot(input, other)


def inner(input: Operand, other: Operand) -> Operand:
    """The inner products along the last dimensions: (..., m) and (***, m) to (..., ***). With a 0-d one, the product.

    RuntimeError if the last sizes or the dtypes differ.

    >>> import minigrad
    >>> minigrad.inner(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), minigrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    must_be_arrays("inner", input, other)
    if not input.ndim or not other.ndim:
        return mul(input, other)
    must_share_dtype("inner", input, other)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            f"inner: the last sizes must be equal, got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    m = input.shape[-1]
    rows, columns = (reshape(x, math.prod(x.shape[:-1]), m) for x in (input, other))
    return reshape(matmul(rows, transpose(columns, 0, 1)), *input.shape[:-1], *other.shape[:-1])


def outer(input: Operand, vec2: Operand) -> Operand:
    """The products of every element of one vector with every one of another, out[i, j] = input[i] vec2[j]; also `ger`.

    Different dtypes promote. RuntimeError for other shapes.

    >>> import minigrad
    >>> minigrad.outer(minigrad.tensor([1, 2]), minigrad.tensor([3, 4, 5]))
    tensor([[ 3,  4,  5],
            [ 6,  8, 10]])
    """
    must_be_arrays("outer", input, vec2)
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: needs two vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}")
    return mul(unsqueeze(input, 1), vec2)


ger = outer


def trace(input: Operand) -> Operand:
    """The sum of a matrix' diagonal, as a 0-d tensor. RuntimeError for other shapes, and for bools.

    >>> import minigrad
    >>> minigrad.trace(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    must_be_arrays("trace", input)
    if input.ndim != 2:
        raise RuntimeError(f"trace: needs a matrix, got shape {tuple(input.shape)}; use diagonal(...).sum(-1)")
    if is_bool(input):
        raise RuntimeError("trace: a bool matrix has no trace; use x.long()")
    return sum(diagonal(input))


# ------------------------------------------------------------------------- a product added to something


def addmm(input: Operand, mat1: Operand, mat2: Operand, *, beta: float = 1, alpha: float = 1) -> Operand:
    """beta input + alpha (mat1 mat2): mat1 (n, m), mat2 (m, p), and an input that broadcasts to (n, p).

    With beta 0 the input counts for nothing, even where it is NaN. RuntimeError for other shapes, different dtypes,
    and a fraction as beta or alpha of integers.

    >>> import minigrad
    >>> a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> minigrad.addmm(minigrad.tensor([10.0, 20.0]), a, a, alpha=2)
    tensor([[24., 40.],
            [40., 64.]])
    """
    must_share_dtype("addmm", *_matrices("addmm", 2, "(n, m) and (m, p)", input, mat1, mat2))
    return _add_product("addmm", input, matmul(mat1, mat2), beta, alpha)


def addmv(input: Operand, mat: Operand, vec: Operand, *, beta: float = 1, alpha: float = 1) -> Operand:
    """beta input + alpha (mat vec): mat (n, m), vec (m,), and an input that broadcasts to (n,); as `addmm`.

    >>> import minigrad
    >>> a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> minigrad.addmv(minigrad.ones(2), a, minigrad.ones(2), beta=10)
    tensor([13., 17.])
    """
    must_be_arrays("addmv", input)
    product = mv(mat, vec)
    must_share_dtype("addmv", input, product)
    return _add_product("addmv", input, product, beta, alpha)


def baddbmm(input: Operand, batch1: Operand, batch2: Operand, *, beta: float = 1, alpha: float = 1) -> Operand:
    """beta input + alpha (batch1 batch2), matrix by matrix: batch1 (B, n, m), batch2 (B, m, p); as `addmm`.

    The input broadcasts to (B, n, p).

    >>> import minigrad
    >>> minigrad.baddbmm(minigrad.ones(3, 1), minigrad.ones(10, 3, 4), minigrad.ones(10, 4, 5)).shape
    (10, 3, 5)
    """
    must_share_dtype("baddbmm", *_matrices("baddbmm", 3, "(B, n, m) and (B, m, p)", input, batch1, batch2))
    return _add_product("baddbmm", input, matmul(batch1, batch2), beta, alpha)


def addbmm(input: Operand, batch1: Operand, batch2: Operand, *, beta: float = 1, alpha: float = 1) -> Operand:
    """beta input + alpha (the sum of all batch1[b] batch2[b]): batch1 (B, n, m), batch2 (B, m, p); as `addmm`.

    The input broadcasts to (n, p).

    >>> import minigrad
    >>> minigrad.addbmm(minigrad.zeros(1), minigrad.ones(10, 1, 4), minigrad.ones(10, 4, 1))
    tensor([[40.]])
    """
    must_share_dtype("addbmm", *_matrices("addbmm", 3, "(B, n, m) and (B, m, p)", input, batch1, batch2))
    (B, n, m), p = batch1.shape, batch2.shape[2]
    rows = reshape(permute(batch1, 1, 0, 2), n, B * m)  # one product of matrices that are B times as long
    return _add_product("addbmm", input, matmul(rows, reshape(batch2, B * m, p)), beta, alpha)


def _matrices(op: str, ndim: int, form: str, x: Operand, a: Operand, b: Operand) -> tuple[Operand, ...]:
    """The three operands, once it is known that a and b can be multiplied without broadcasting."""
    must_be_arrays(op, x, a, b)
    if a.ndim != ndim or b.ndim != ndim or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"{op}: needs shapes {form} to multiply, got {tuple(a.shape)} and {tuple(b.shape)}")
    return x, a, b


def _add_product(op: str, x: Operand, product: Operand, beta: float, alpha: float) -> Operand:
    """beta x + alpha product, of the product's shape."""
    try:
        fits = np.broadcast_shapes(x.shape, product.shape) == tuple(product.shape)
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{op}: an input of shape {tuple(x.shape)} does not broadcast to the product's shape {tuple(product.shape)}"
        )
    beta, alpha = python_number(op, "beta", beta), python_number(op, "alpha", alpha)
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if x.dtype.kind != "f" and not isinstance(factor, int):
            raise RuntimeError(f"{op}: {name} must be an int for {x.dtype.name} operands, got {factor}")
    if alpha != 1:
        product = mul(product, alpha)
    if beta == 0:
        return where(np.False_, x, product)  # x stays in the graph, with a gradient of zeros
    return add(x if beta == 1 else mul(x, beta), product)


def linear(input: Operand, weight: Operand, bias: Operand | None = None) -> Operand:
    """input weight^T + bias: input (..., in_features), weight (out_features, in_features), bias (out_features,).

    A weight (in_features,) with a bias () or none is one output feature without a dimension of its own.

    >>> import minigrad
    >>> x, w = minigrad.ones(1, 2), minigrad.tensor([[1.0, 2.0]])
    >>> minigrad.nn.functional.linear(x, w)
    tensor([[3.]])
    """
    return linear_by(Linear, input, weight, bias)


def linear_by(op: type[Linear], input: Operand, weight: Operand, bias: Operand | None, flat: bool = False) -> Operand:
    """`linear`, by this op; with `flat`, of an input (N, ...) as (N, in_features)."""
    try:
        plan = _plan(kind_of(input), kind_of(weight), None if bias is None else kind_of(bias), flat)
    except (AttributeError, TypeError):  # not Tensors of one floating dtype
        plan = None
    if plan is None:  # outside of the except, so that what is wrong is the only error that a traceback shows
        must_be_arrays("linear", input, weight, *(() if bias is None else (bias,)))
        plan = _checked(input.shape, weight.shape, None if bias is None else bias.shape, flat)
        must_share_dtype("linear", input, weight, bias)
    features, options = plan
    if features:
        return op.apply(input, weight, bias, **options)
    return squeeze(op.apply(input, unsqueeze(weight, 0), None if bias is None else unsqueeze(bias, 0), **options), -1)


@functools.lru_cache(1024)
def _plan(x: Kind, w: Kind, b: Kind | None, flat: bool) -> tuple[bool, dict[str, Any]]:
    """`_checked`, of Tensors of one floating dtype; TypeError for others."""
    must_be_alike(x, w, b)
    return _checked(x[1], w[1], None if b is None else b[1], flat)


def _checked(x: tuple[int, ...], w: tuple[int, ...], b: tuple[int, ...] | None, flat: bool) -> tuple[bool, dict]:
    """Has the output a dimension of features? And the options of `Linear`. RuntimeError unless the shapes fit."""
    options = {"rows": (x[0], math.prod(x[1:]))} if flat else {}
    x = options.get("rows", x)
    if len(w) not in (1, 2):
        raise RuntimeError(f"linear: weight must be (out_features, in_features) or (in_features,), got shape {w}")
    if not x or x[-1] != w[-1]:
        raise RuntimeError(
            f"linear: expected last dimension {w[-1]} (in_features of weight {w}), got input of shape {x}; flatten or "
            "transpose it first?"
        )
    if b is not None and b != w[:-1]:
        raise RuntimeError(f"linear: bias must have shape {w[:-1]}, got {b}")
    return len(w) == 2, options
