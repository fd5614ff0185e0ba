"""Reductions: sums and what is made of them, products, extrema and medians, softmax.

`dim` is an int, a tuple of ints, or None for all dimensions; `keepdim` keeps reduced ones with size one. NumPy's
`axis` and `keepdims` are understood as well.
"""

from __future__ import annotations

import builtins
import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes, kernels
from ..autograd import Op, is_tensor, must_broadcast, unwrap, wrap
from .common import (
    BroadcastTo,
    Dim,
    Operand,
    cast,
    clone,
    floating,
    in_float32,
    is_bool,
    must_be_arrays,
    normalize_dim,
    normalize_dims,
    numpy_spelling,
    promote,
    python_number,
    quiet,
    total,
)
from .elementwise import abs, div, exp, log, maximum, minimum, pow, sqrt, where
from .index import at
from .join import cat
from .scatter import gather
from .shape import reshape

# --------------------------------------------------------------------------------------------------- sums


class Sum(Op):
    """y = sum of x over some axes; every element summed gets the gradient of its sum"""

    saves_inputs = False

    def forward(self, x: np.ndarray, dims: tuple[int, ...], keepdim: bool) -> np.ndarray:
        self.shape, self.kept = x.shape, _kept(x.shape, dims)
        return total(x, dims, keepdim)

    def backward(self, g: Operand) -> Operand:
        return BroadcastTo.apply(reshape(g, self.kept), shape=self.shape)


class CumSum(Op):
    """y_i = x_0 + ... + x_i along one axis, or from the other end (`reverse`): each is the other's adjoint"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, dim: int, reverse: bool) -> np.ndarray:
        self.dim, self.reverse = dim, reverse
        if x.ndim == 0:
            return x.copy()
        wide = {"e": np.float32, "f": np.float64}.get(x.dtype.char, x.dtype)  # rounded once, not at every step
        y = np.flip(np.cumsum(np.flip(x, dim), dim, wide), dim) if reverse else np.cumsum(x, dim, wide)
        return y.astype(x.dtype, copy=False)

    def backward(self, g: Operand) -> Operand:
        return CumSum.apply(g, dim=self.dim, reverse=not self.reverse)


def _kept(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with size one at `dims`."""
    return tuple(1 if i in dims else n for i, n in enumerate(shape))


@numpy_spelling
def sum(input: Operand, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Operand:
    """The sum over `dim`. Integers and bools are summed as int64.

    >>> import minigrad
    >>> minigrad.sum(minigrad.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    return Sum.apply(_summable(input, dtype), dims=normalize_dims("sum", dim, input.ndim), keepdim=keepdim)


@numpy_spelling
def mean(input: Operand, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Operand:
    """The mean over `dim`: sum / n, NaN over no elements. RuntimeError for integers, unless `dtype` is a floating one.

    >>> import minigrad
    >>> minigrad.mean(minigrad.tensor([[1.0, 2.0], [3.0, 6.0]]), dim=0, keepdim=True)
    tensor([[2., 4.]])
    """
    x = input if dtype is None else cast(input, dtypes.as_dtype(dtype))
    _must_be_floating("mean", x)
    dims = normalize_dims("mean", dim, x.ndim)
    return in_float32(lambda x: div(Sum.apply(x, dims=dims, keepdim=keepdim), _count(x, dims)), x)


@numpy_spelling
def var(
    input: Operand,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> Operand:
    """The variance over `dim`: the sum of squared deviations from the mean, divided by (n - correction).

    correction=1, the default, is Bessel's (unbiased); 0 is the variance of the elements themselves. Computed in
    two passes: the mean first, then the deviations, which does not cancel. RuntimeError for integers.

    >>> import minigrad
    >>> minigrad.var(minigrad.tensor([1.0, 2.0, 3.0]), correction=0)
    tensor(0.6667)
    """
    _must_be_floating("var", input)
    if isinstance(dim, bool):  # PyTorch's var(x, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    less = 1 if correction is None else python_number("var", "correction", correction)
    dims = normalize_dims("var", dim, input.ndim)
    n = _count(input, dims)

    def of_deviations(x: Operand) -> Operand:
        centred = x - div(Sum.apply(x, dims=dims, keepdim=True), n)
        return div(Sum.apply(centred * centred, dims=dims, keepdim=keepdim), builtins.max(n - less, 0))

    return in_float32(of_deviations, input)


@numpy_spelling
def std(
    input: Operand,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> Operand:
    """The square root of `var`, of the same arguments; where it is 0 the gradient is 0.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 3.0])
    >>> minigrad.std(x), minigrad.std(x, correction=0)
    (tensor(1.4142), tensor(1.))
    """
    _must_be_floating("std", input)
    return in_float32(lambda x: _flat_sqrt(var(x, dim, unbiased, keepdim, correction=correction)), input)


@numpy_spelling
def var_mean(
    input: Operand,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> tuple[Operand, Operand]:
    """The pair (variance, mean) over `dim`; the arguments are those of `var`.

    >>> import minigrad
    >>> minigrad.var_mean(minigrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    _must_be_floating("var_mean", input)
    over = None if isinstance(dim, bool) else dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


@numpy_spelling
def std_mean(
    input: Operand,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = 1,
) -> tuple[Operand, Operand]:
    """The pair (standard deviation, mean) over `dim`; the arguments are those of `var`.

    >>> import minigrad
    >>> minigrad.std_mean(minigrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    _must_be_floating("std_mean", input)
    over = None if isinstance(dim, bool) else dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


@numpy_spelling
def cumsum(input: Operand, dim: int, *, dtype: Any = None) -> Operand:
    """The running sum along `dim`, y_i = x_0 + ... + x_i. Integers and bools are summed as int64.

    >>> import minigrad
    >>> minigrad.cumsum(minigrad.tensor([[1, 2, 3], [4, 5, 6]]), dim=1)
    tensor([[ 1,  3,  6],
            [ 4,  9, 15]])
    """
    return CumSum.apply(_summable(input, dtype), dim=normalize_dim("cumsum", dim, input.ndim), reverse=False)


@numpy_spelling
def norm(
    input: Operand, p: float | str = "fro", dim: Dim = None, keepdim: bool = False, *, dtype: Any = None
) -> Operand:
    """The p-norm of the elements over `dim`: (sum |x|^p)^(1/p); the largest |x| for p = inf, for 0 how many are not 0.

    "fro" is p = 2. For p < 0 it is 0 if an element is. At x = 0 the gradient is 0. With `dtype`, a floating one no
    narrower than that of input, it is computed in that. RuntimeError for integers.

    >>> import minigrad
    >>> x = minigrad.tensor([3.0, 0.0, -4.0])
    >>> minigrad.norm(x), minigrad.norm(x, p=0)
    (tensor(5.), tensor(2.))
    """
    _must_be_floating("norm", input)
    if isinstance(p, str) and p != "fro":
        raise ValueError(f'norm: p must be a number or "fro", got {p!r}')
    power = 2 if p == "fro" else python_number("norm", "p", p)
    if dtype is not None:
        wanted = dtypes.as_dtype(dtype)
        if wanted.kind != "f" or wanted.itemsize < input.dtype.itemsize:
            raise RuntimeError(
                f"norm: dtype must be a floating one no narrower than {input.dtype.name}, got {wanted.name}; convert "
                "the result with .to(dtype)"
            )
        input = cast(input, wanted)
    return in_float32(lambda x: _norm(x, power, dim, keepdim), input)


def dist(input: Operand, other: Operand, p: float = 2) -> Operand:
    """The p-norm of input - other, broadcast: their distance. Where they are equal the gradient is 0.

    RuntimeError if the shapes do not broadcast, and for bools and integers.

    >>> import minigrad
    >>> minigrad.dist(minigrad.tensor([1.0, 5.0]), minigrad.tensor([4.0, 1.0]))
    tensor(5.)
    """
    must_be_arrays("dist", input, other)
    a, b = promote("dist", input, other)
    must_broadcast("dist", unwrap(a), unwrap(b))
    if is_bool(input) or is_bool(other):
        raise RuntimeError("dist: bools cannot be subtracted; convert with .to(dtype)")
    _must_be_floating("dist", a)
    return in_float32(lambda x: _norm(x, python_number("dist", "p", p), None, False), a - b)


@quiet  # inf - inf, and powers that overflow
def _norm(x: Operand, p: float, dim: Dim, keepdim: bool) -> Operand:
    if p == 2:
        return _flat_sqrt(sum(x * x, dim, keepdim))
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p == float("inf"):
        return amax(abs(x), dim, keepdim)
    if p == float("-inf"):
        return amin(abs(x), dim, keepdim)
    zero = unwrap(x) == 0
    if p == 0:
        return sum(where(zero, 0.0, pow(x, 0)), dim, keepdim)
    powers = sum(where(zero, 0.0, pow(where(zero, 1.0, abs(x)), p)), dim, keepdim)
    empty = unwrap(powers) == 0 if p > 0 else any(zero, dim, keepdim) & ~np.isnan(unwrap(powers))
    return where(empty, 0.0, pow(where(empty, 1.0, powers), 1 / p))


def _flat_sqrt(x: Operand) -> Operand:
    """The square root, with the gradient 0 at 0 instead of an infinite one."""
    zero = unwrap(x) == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def _count(x: Operand, dims: tuple[int, ...]) -> int:
    """How many elements a reduction over `dims` takes together."""
    n = 1
    for d in dims:
        n *= x.shape[d]
    return n


def _summable(x: Operand, dtype: Any) -> Operand:
    """`x` in `dtype`; by default integers and bools in int64, as NumPy and PyTorch sum them."""
    if dtype is not None:
        return cast(x, dtypes.as_dtype(dtype))
    return x if x.dtype.kind == "f" else cast(x, dtypes.int64)


def _must_be_floating(op: str, x: Operand) -> None:
    if x.dtype.kind != "f":
        raise RuntimeError(f"{op}: needs a floating dtype, got {x.dtype.name}; use x.float() or pass dtype=")


# ----------------------------------------------------------------------------------------------- products


@numpy_spelling
def prod(input: Operand, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Operand:
    """The product of all elements, or along one `dim`; 1 of no elements. Integers and bools are multiplied as int64.

    No rule divides by an element, so with zeros among them derivatives of every order are right.

    >>> import minigrad
    >>> x = minigrad.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> minigrad.autograd.grad(minigrad.prod(x), x)
    (tensor([0., 6., 0.]),)
    """
    x, d = _summable(input, dtype), None if dim is None else normalize_dim("prod", dim, input.ndim)
    shape = _kept(x.shape, tuple(range(x.ndim)) if d is None else (d,))
    if not keepdim:
        shape = () if d is None else x.shape[:d] + x.shape[d + 1 :]
    if d is None or not x.ndim:
        x, d = reshape(x, (-1,)), 0
    return reshape(in_float32(lambda x: _product(x, d), x), shape)


@quiet
def _product(x: Operand, dim: int) -> Operand:
    """The product along `dim`, of size one then: one half times the other, until one is left."""
    if not x.shape[dim]:
        return Sum.apply(x, dims=(dim,), keepdim=True) + 1
    if x.shape[dim] == 1:
        return clone(x)  # a result owns its memory
    while (n := x.shape[dim]) > 1:
        pairs = at(x, dim, slice(n // 2)) * at(x, dim, slice(n // 2, n // 2 * 2))
        x = cat([pairs, at(x, dim, slice(n - 1, n))], dim) if n % 2 else pairs
    return x


@numpy_spelling
def cumprod(input: Operand, dim: int, *, dtype: Any = None) -> Operand:
    """The running product along `dim`, y_i = x_0 ... x_i. Integers and bools are multiplied as int64.

    No rule divides by an element, so with zeros among them derivatives of every order are right.

    >>> import minigrad
    >>> minigrad.cumprod(minigrad.tensor([[1, 2, 3], [4, 5, 6]]), dim=1)
    tensor([[  1,   2,   6],
            [  4,  20, 120]])
    """
    x, d = _summable(input, dtype), normalize_dim("cumprod", dim, input.ndim)
    if not x.ndim or not x.shape[d]:
        return clone(x)
    return in_float32(lambda x: _running_product(x, d), x)


@quiet
def _running_product(x: Operand, dim: int) -> Operand:
    """After the round with width w each place holds the product of the 2 w elements that end there (Hillis, Steele)."""
    n, width = x.shape[dim], 1
    y = clone(x)
    while width < n:
        y = cat([at(y, dim, slice(width)), at(y, dim, slice(width, n)) * at(y, dim, slice(n - width))], dim)
        width *= 2
    return y


# ------------------------------------------------------------------------------------- extrema and medians


class Chosen(Op):
    """y = the element that `choose` takes over some axes, such as the largest; equal ones share the gradient"""

    saves_inputs = False

    def forward(self, x: np.ndarray, dims: tuple[int, ...], keepdim: bool, choose: Callable) -> np.ndarray:
        self.x, self.dims, self.kept = x, dims, _kept(x.shape, dims)
        self.y = np.asarray(choose(x, axis=dims, keepdims=True))
        return self.y if keepdim else self.y.reshape(tuple(n for i, n in enumerate(x.shape) if i not in dims))

    def backward(self, g: Operand) -> Operand:
        hit = (self.x == self.y) | (np.isnan(self.x) & np.isnan(self.y))
        share = (hit / hit.sum(axis=self.dims, keepdims=True)).astype(self.x.dtype)
        return reshape(g, self.kept) * share


@numpy_spelling
def amax(input: Operand, dim: Dim = (), keepdim: bool = False) -> Operand:
    """The largest element over `dim`, NaN if one is; ties share the gradient equally. IndexError over no elements.

    >>> import minigrad
    >>> x = minigrad.tensor([2.0, 5.0, 5.0], requires_grad=True)
    >>> minigrad.autograd.grad(minigrad.amax(x), x)
    (tensor([0.0000, 0.5000, 0.5000]),)
    """
    return _extremum("amax", input, dim, keepdim, np.max)


@numpy_spelling
def amin(input: Operand, dim: Dim = (), keepdim: bool = False) -> Operand:
    """The smallest element over `dim`, NaN if one is; ties share the gradient equally. IndexError over no elements.

    >>> import minigrad
    >>> minigrad.amin(minigrad.tensor([[1.0, 5.0], [7.0, float("nan")]]), dim=1)
    tensor([1., nan])
    """
    return _extremum("amin", input, dim, keepdim, np.min)


MinMax = namedtuple("MinMax", ["min", "max"])


@numpy_spelling
def aminmax(input: Operand, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The pair (min, max) of `amin` and `amax`, over one `dim` or all elements. IndexError over no elements.

    >>> import minigrad
    >>> minigrad.aminmax(minigrad.tensor([2.0, 5.0, 3.0]))
    MinMax(min=tensor(2.), max=tensor(5.))
    """
    dims = None if dim is None else normalize_dim("aminmax", dim, input.ndim)
    return MinMax(*(_extremum("aminmax", input, dims, keepdim, choose) for choose in (np.min, np.max)))


def _extremum(op: str, x: Operand, dim: Dim, keepdim: bool, choose: Callable) -> Operand:
    dims = normalize_dims(op, dim, x.ndim)
    if _count(x, dims) == 0:
        raise IndexError(f"{op}: no extremum of zero elements: shape {tuple(x.shape)} over dim {dims}")
    return Chosen.apply(x, dims=dims, keepdim=keepdim, choose=choose)


ValuesIndices = namedtuple("ValuesIndices", ["values", "indices"])


@numpy_spelling
def max(input: Operand, dim: Operand | None = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim`, the pair (values, indices); with a second tensor, `maximum`.

    With `dim` the gradient goes to the first of equal elements, without it to all of them equally. IndexError for no
    elements.

    >>> import minigrad
    >>> minigrad.max(minigrad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    ValuesIndices(values=tensor([5., 7.]), indices=tensor([1, 0]))
    """
    return _max_or_min("max", input, dim, keepdim)


@numpy_spelling
def min(input: Operand, dim: Operand | None = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim`, the pair (values, indices); with a second tensor, `minimum`.

    The gradient goes as in `max`. IndexError for no elements.

    >>> import minigrad
    >>> values, indices = minigrad.min(minigrad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    >>> values, indices
    (tensor([1., 2.]), tensor([0, 1]))
    """
    return _max_or_min("min", input, dim, keepdim)


def _max_or_min(op: str, x: Operand, dim: Operand | None, keepdim: bool) -> Any:
    if is_tensor(dim):
        return (maximum if op == "max" else minimum)(x, dim)
    if dim is None:
        if keepdim:
            raise TypeError(f"{op}: keepdim needs a dim; use a{op}(x, keepdim=True) for the {op}imum of all elements")
        return _extremum(op, x, None, False, np.max if op == "max" else np.min)
    return _values_at(op, x, dim, keepdim, _arg_extremum(op, x, dim, True, np.argmax if op == "max" else np.argmin))


def _values_at(op: str, x: Operand, dim: int, keepdim: bool, indices: Operand) -> ValuesIndices:
    """The elements at `indices`, one along `dim`, and these."""
    d = normalize_dim(op, dim, x.ndim)
    values = gather(x, d, indices) if x.ndim else clone(x)
    if not keepdim and x.ndim:
        shape = values.shape[:d] + values.shape[d + 1 :]
        values, indices = reshape(values, shape), reshape(indices, shape)
    return ValuesIndices(values, indices)


@numpy_spelling
def median(input: Operand, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element in order of size, of two the smaller; NaN if one is. With `dim`, the pair (values, indices).

    Without `dim`, elements equal to the median share the gradient equally, and that of no elements is NaN. With `dim`
    the index is that of the first such element (PyTorch: of any), and it gets the gradient; IndexError for a `dim` of
    size 0. RuntimeError for bools.

    >>> import minigrad
    >>> x = minigrad.tensor([[5.0, 1.0, 3.0], [4.0, 2.0, 9.0]])
    >>> minigrad.median(x), minigrad.median(x, dim=1)
    (tensor(3.), ValuesIndices(values=tensor([3., 4.]), indices=tensor([2, 0])))
    """
    if input.dtype == bool:
        raise RuntimeError("median: bools have no median; convert with .to(dtype)")
    if dim is not None:
        return _values_at("median", input, dim, keepdim, _arg_extremum("median", input, dim, True, _arg_middle))
    if keepdim:
        raise TypeError("median: keepdim needs a dim")
    if 0 in input.shape:
        if input.dtype.kind != "f":
            raise RuntimeError(f"median: no {input.dtype.name} is the median of zero elements: shape {input.shape}")
        return sum(input) + np.nan
    return Chosen.apply(reshape(input, (-1,)), dims=(0,), keepdim=False, choose=_middle)


def _middle(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    """The lower median over one axis, kept with size one; NaN if an element is."""
    (d,) = axis
    ordered = np.sort(x, d)  # NaN comes last
    middle, last = (np.take(ordered, [i], d) for i in ((x.shape[d] - 1) // 2, -1))
    return np.where(np.isnan(last), last, middle)


def _arg_middle(x: np.ndarray, axis: int | None, keepdims: bool) -> np.ndarray:
    """Where the lower median first stands along the axis."""
    if axis is None:
        return np.zeros_like(x, np.int64)  # of a 0-d array
    found = _middle(x, (axis,), True)
    return np.argmax((x == found) | (np.isnan(x) & np.isnan(found)), axis=axis, keepdims=keepdims)


@numpy_spelling
def argmax(input: Operand, dim: int | None = None, keepdim: bool = False) -> Operand:
    """The index of the largest element, the first of equals; in the flattened tensor without `dim`.

    The result is int64. IndexError for no elements.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 5], [7, 2]])
    >>> minigrad.argmax(x), minigrad.argmax(x, dim=1)
    (tensor(2), tensor([1, 0]))
    """
    return _arg_extremum("argmax", input, dim, keepdim, np.argmax)


@numpy_spelling
def argmin(input: Operand, dim: int | None = None, keepdim: bool = False) -> Operand:
    """The index of the smallest element, the first of equals; in the flattened tensor without `dim`.

    The result is int64. IndexError for no elements.

    >>> import minigrad
    >>> minigrad.argmin(minigrad.tensor([3, 1, 1]))
    tensor(1)
    """
    return _arg_extremum("argmin", input, dim, keepdim, np.argmin)


def _arg_extremum(op: str, x: Operand, dim: int | None, keepdim: bool, choose: Callable) -> Operand:
    array = unwrap(x)
    axis = None if dim is None else normalize_dim(op, dim, array.ndim)
    if (array.size if axis is None or array.ndim == 0 else array.shape[axis]) == 0:
        raise IndexError(
            f"{op}: no {'median' if op == 'median' else 'extremum'} of zero elements: shape {array.shape}, dim {dim}"
        )
    if array.ndim == 0:
        axis = None
    index = np.asarray(choose(array, axis=axis, keepdims=keepdim), np.int64)
    return wrap(index) if is_tensor(x) else index


@numpy_spelling
def all(input: Operand, dim: Dim = None, keepdim: bool = False) -> Operand:
    """Are all elements non-zero? True over no elements. A bool, but of uint8 a uint8; with dim=() each for itself.

    >>> import minigrad
    >>> minigrad.all(minigrad.tensor([[1, 2], [0, 4]]), dim=1)
    tensor([ True, False])
    """
    return _logical(np.all, "all", input, dim, keepdim)


@numpy_spelling
def any(input: Operand, dim: Dim = None, keepdim: bool = False) -> Operand:
    """Is any element non-zero? False over no elements. A bool, but of uint8 a uint8; with dim=() each for itself.

    >>> import minigrad
    >>> minigrad.any(minigrad.tensor([[0, 0], [0, 4]]), dim=1)
    tensor([False,  True])
    """
    return _logical(np.any, "any", input, dim, keepdim)


def _logical(reduce: Callable, op: str, x: Operand, dim: Dim, keepdim: bool) -> Operand:
    array = unwrap(x)
    dims = () if isinstance(dim, (tuple, list)) and not dim else normalize_dims(op, dim, x.ndim)
    result = np.asarray(reduce(array, axis=dims, keepdims=keepdim), np.uint8 if array.dtype == np.uint8 else bool)
    return wrap(result) if is_tensor(x) else result


@numpy_spelling
def count_nonzero(input: Operand, dim: Dim = None) -> Operand:
    """How many elements are not zero, over `dim`; int64. NaN counts.

    >>> import minigrad
    >>> minigrad.count_nonzero(minigrad.tensor([[0, 7], [8, 9]]), dim=1)
    tensor([1, 2])
    """
    count = np.asarray(np.count_nonzero(unwrap(input), axis=normalize_dims("count_nonzero", dim, input.ndim)), np.int64)
    return wrap(count) if is_tensor(input) else count


# ------------------------------------------------------------------------------------ softmax and its log


class Softmax(Op):
    """y_i = exp(x_i) / sum_j exp(x_j); dx = y (g - sum_j g_j y_j)"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, dim: int) -> np.ndarray:
        self.dim, self.last = dim, dim == x.ndim - 1
        if self.last:
            self.y = _by_rows(kernels.current().softmax, x)
        else:
            e = np.exp(x - _peak(x, dim))  # the largest exponent is 0: nothing overflows
            self.y = e / total(e, (dim,), keepdims=True)
        return self.y

    def backward(self, g: Operand) -> Operand:
        if self.last and not is_tensor(g):
            return _by_rows(kernels.current().softmax_backward, g, self.y)
        y = self.output(self.y)
        return y * (g - sum(g * y, self.dim, keepdim=True))


class LogSoftmax(Op):
    """y_i = x_i - log sum_j exp(x_j); dx = g - softmax(x) sum_j g_j"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, dim: int) -> np.ndarray:
        self.dim, self.last = dim, dim == x.ndim - 1
        if self.last:
            self.y = _by_rows(kernels.current().log_softmax, x)
        else:
            z = x - _peak(x, dim)
            self.y = z - np.log(total(np.exp(z), (dim,), keepdims=True))
        return self.y

    def backward(self, g: Operand) -> Operand:
        if self.last and not is_tensor(g):
            return _by_rows(kernels.current().log_softmax_backward, g, self.y)
        return g - exp(self.output(self.y)) * sum(g, self.dim, keepdim=True)


def _by_rows(kernel: Callable, *arrays: np.ndarray) -> np.ndarray:
    """A kernel of matrices, applied to arrays of one shape as matrices whose rows lie along the last dimension."""
    shape = arrays[0].shape
    if len(shape) == 2:
        return kernel(*arrays)
    matrix = math.prod(shape[:-1]), shape[-1]
    return kernel(*(a.reshape(matrix) for a in arrays)).reshape(shape)


def _peak(x: np.ndarray, dim: int) -> np.ndarray:
    """The maximum along `dim`; 0 for no elements."""
    return x.max(axis=dim, keepdims=True, initial=-np.inf) if x.size else np.zeros((), x.dtype)


@numpy_spelling
def softmax(input: Operand, dim: int, dtype: Any = None) -> Operand:
    """exp(input) scaled to sum to one along `dim`.

    >>> import minigrad
    >>> minigrad.softmax(minigrad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = floating("softmax", input) if dtype is None else cast(input, dtypes.as_dtype(dtype))
    return _along(Softmax, "softmax", x, dim)


@numpy_spelling
def log_softmax(input: Operand, dim: int, dtype: Any = None) -> Operand:
    """The logarithm of softmax, x_i - log sum_j exp(x_j) along `dim`, computed without forming the quotient.

    So it stays finite where softmax rounds to 0:

    >>> import minigrad
    >>> minigrad.log_softmax(minigrad.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    x = floating("log_softmax", input) if dtype is None else cast(input, dtypes.as_dtype(dtype))
    return _along(LogSoftmax, "log_softmax", x, dim)


def _along(op: type[Op], name: str, x: Operand, dim: int) -> Operand:
    """Apply along one dimension; a 0-d tensor counts as one element."""
    d = normalize_dim(name, dim, x.ndim)
    if not x.ndim:
        return reshape(op.apply(reshape(x, (1,)), dim=0), ())
    return in_float32(lambda x: op.apply(x, dim=d), x)


@numpy_spelling
def logsumexp(input: Operand, dim: Dim, keepdim: bool = False) -> Operand:
    """log(sum(exp(input))) over `dim`, without overflow.

    >>> import minigrad
    >>> minigrad.logsumexp(minigrad.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    x = floating("logsumexp", input)
    dims = normalize_dims("logsumexp", dim, x.ndim)
    return in_float32(lambda x: _logsumexp(x, dims, keepdim), x)


def _logsumexp(x: Operand, dims: tuple[int, ...], keepdim: bool) -> Operand:
    if builtins.any(x.shape[d] == 0 for d in dims):
        return log(Sum.apply(exp(x), dims=dims, keepdim=keepdim))
    peak = np.asarray(unwrap(x).max(axis=dims, keepdims=True))
    peak = np.where(np.isinf(peak), 0, peak).astype(x.dtype)  # inf - inf would be NaN
    y = log(Sum.apply(exp(x - peak), dims=dims, keepdim=True)) + peak
    return y if keepdim else reshape(y, tuple(n for i, n in enumerate(y.shape) if i not in dims))
