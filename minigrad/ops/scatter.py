"""Reading and writing at places that a tensor names: an index along one dimension, or a mask.

Whatever reads makes a copy. Nothing is changed in place: what writes gives a new tensor. A place that is named twice
receives both of what is added, and the last of what is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op, is_tensor, must_broadcast, unwrap
from .common import (
    BroadcastTo,
    Operand,
    cast,
    clone,
    is_bool,
    must_be_arrays,
    must_share_dtype,
    normalize_dim,
    python_number,
)
from .elementwise import Where, add, mul
from .index import Index, IndexAdd, IndexPut, as_key, at
from .shape import reshape

# ------------------------------------------------------------------ an index with a place for each element


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


def gather(input: Operand, dim: int, index: Operand) -> Operand:
    """The elements of input at `index` along `dim`: for dim 0 of a matrix, out[i, j] = input[index[i, j], j].

    index has as many dimensions as input, and is no larger than it outside of `dim`; an empty one may have any shape.
    RuntimeError if it has not, IndexError for a place that is not there.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 2], [3, 4]])
    >>> minigrad.gather(x, 1, minigrad.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    d, places = _checked("gather", input, dim, index)
    if not places.size:
        return Index.apply(_lifted(input), key=(places,) * max(input.ndim, 1))
    found = Gather.apply(_lifted(input), _lifted(places), dim=d)
    return found if places.ndim else reshape(found, ())


def take_along_dim(input: Operand, indices: Operand, dim: int | None = None) -> Operand:
    """`gather` with input and indices broadcast outside of `dim`; without `dim` both are flattened.

    So what `argmax` and `argsort` give can be used as it is. Negative indices count from the end.

    >>> import minigrad
    >>> x = minigrad.tensor([[10, 30, 20], [60, 40, 50]])
    >>> minigrad.take_along_dim(x, x.argmax(dim=1, keepdim=True), dim=1)
    tensor([[30],
            [60]])
    """
    must_be_arrays("take_along_dim", input, indices)
    if dim is None:
        return take_along_dim(reshape(input, (-1,)), reshape(indices, (-1,)), 0)
    d, places = normalize_dim("take_along_dim", dim, input.ndim), _integers("take_along_dim", indices)
    if places.ndim != input.ndim:
        raise RuntimeError(
            f"take_along_dim: input and indices must have equally many dimensions, got shapes {tuple(input.shape)} and "
            f"{places.shape}"
        )
    if not input.ndim:
        return gather(input, 0, places)
    have, wanted = list(input.shape), list(places.shape)
    size, have[d], many, wanted[d] = have[d], 1, wanted[d], 1
    try:
        common = list(np.broadcast_shapes(tuple(have), tuple(wanted)))
    except ValueError:
        raise RuntimeError(
            f"take_along_dim: shapes {tuple(input.shape)} and {places.shape} do not broadcast outside of dim {dim}"
        ) from None
    places = np.where(places < 0, places + size, places)
    places = np.broadcast_to(places, [*common[:d], many, *common[d + 1 :]])
    return gather(BroadcastTo.apply(input, shape=(*common[:d], size, *common[d + 1 :])), d, places)


def scatter(
    input: Operand,
    dim: int,
    index: Operand,
    src: Any = None,
    *,
    value: float | None = None,
    reduce: str | None = None,
) -> Operand:
    """input with `src` written at `index` along `dim`: for dim 0 of a matrix, out[index[i, j], j] = src[i, j].

    src    : a tensor at least as large as index in each dimension, or a number, which may also be given as `value`
    reduce : "add" or "multiply" to combine with what is there; "multiply" has no gradient for `src`

    Where a place is named more than once the last element stays, and it alone has a gradient. (PyTorch gives one to
    those that were overwritten too, and has none at all with `reduce`.) RuntimeError where the shapes do not fit,
    IndexError for a place that is not there.

    >>> import minigrad
    >>> index = minigrad.tensor([[2, 0]])
    >>> minigrad.zeros(1, 3).scatter(1, index, minigrad.tensor([[5.0, 7.0]]))
    tensor([[7., 0., 5.]])
    >>> minigrad.ones(1, 3).scatter(1, index, 5, reduce="multiply")
    tensor([[5., 1., 5.]])
    """
    if (src is None) == (value is None):
        raise TypeError("scatter: give either src or value")
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f'scatter: reduce must be None, "add" or "multiply", got {reduce!r}')
    d, places = _checked("scatter", input, dim, index)
    src = value if src is None else src
    if is_tensor(src) or isinstance(src, np.ndarray):
        part: Any = _source("scatter", input, places, src)
    else:
        part = python_number("scatter", "value", src)
        if reduce is None:
            hit = np.zeros(_lifted(input).shape, bool)
            hit[_open_index(_lifted(places), d)] = True
            return _filled("scatter", input, hit.reshape(input.shape), part)
        part = np.full(places.shape, _converted("scatter", part, input.dtype))
    if not places.size:
        return clone(input)
    x, places, part = _lifted(input), _lifted(places), _lifted(part)
    if reduce is None:
        y = IndexPut.apply(x, part, key=_open_index(places, d))
    elif reduce == "add":
        y = add(x, ScatterAdd.apply(part, places, dim=d, shape=tuple(x.shape)))
    else:
        if getattr(part, "requires_grad", False):
            raise RuntimeError('scatter: reduce="multiply" has no gradient for src; use src.detach()')
        factors = np.ones(x.shape, x.dtype)
        np.multiply.at(factors, _open_index(places, d), unwrap(part))
        y = mul(x, factors)
    return y if input.ndim else reshape(y, ())


def scatter_add(input: Operand, dim: int, index: Operand, src: Operand) -> Operand:
    """input with `src` added at `index` along `dim`: for dim 0 of a matrix, out[index[i, j], j] += src[i, j].

    A place that is named more than once receives all. src may be larger than index: what has no index is not used.
    RuntimeError where the shapes do not fit, IndexError for a place that is not there.

    >>> import minigrad
    >>> minigrad.zeros(3).scatter_add(0, minigrad.tensor([0, 2, 0]), minigrad.tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.])
    """
    d, places = _checked("scatter_add", input, dim, index)
    part = _source("scatter_add", input, places, src)
    if not places.size:
        return clone(input)
    x = _lifted(input)
    y = add(x, ScatterAdd.apply(_lifted(part), _lifted(places), dim=d, shape=tuple(x.shape)))
    return y if input.ndim else reshape(y, ())


def _checked(op: str, x: Operand, dim: int, index: Operand) -> tuple[int, np.ndarray]:
    """`dim` counted from the front, and `index` as an array of valid, non-negative places along it."""
    must_be_arrays(op, x, index)
    d, places = normalize_dim(op, dim, x.ndim), _integers(op, index)
    fits = max(places.ndim, 1) == max(x.ndim, 1) and all(
        n <= m for i, (n, m) in enumerate(zip(places.shape, x.shape, strict=False)) if i != d
    )
    if places.size and not fits:
        raise RuntimeError(
            f"{op}: index of shape {places.shape} does not fit input of shape {tuple(x.shape)} along dim {dim}; it "
            "must have as many dimensions, and be no larger outside of that one"
        )
    _must_be_there(op, places, dim, x.shape[d] if x.ndim else 1)
    return d, places


def _integers(op: str, index: Operand) -> np.ndarray:
    """An index as an array, which must be of integers."""
    places = np.asarray(unwrap(index))
    if places.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: the index must be of integers, got {places.dtype.name}; use index.long()")
    return places


def _must_be_there(op: str, places: np.ndarray, dim: int, size: int, lowest: int = 0) -> None:
    """IndexError unless all places are from `lowest` to size - 1."""
    if places.size and (places.min() < lowest or places.max() >= size):
        bad = places[(places < lowest) | (places >= size)][0] if places.ndim else places
        raise IndexError(f"{op}: index {bad} is out of range for dim {dim} of size {size}")


def _source(op: str, x: Operand, places: np.ndarray, src: Operand) -> Operand:
    """The part of `src` that has a place."""
    must_be_arrays(op, src)
    must_share_dtype(op, x, src)
    if not places.size:
        return src
    if max(src.ndim, 1) != max(places.ndim, 1) or any(
        n > m for n, m in zip(_lifted(places).shape, _lifted(src).shape, strict=True)
    ):
        raise RuntimeError(
            f"{op}: src must have as many dimensions as the index, and be as large; got shapes {tuple(src.shape)} and "
            f"{places.shape}"
        )
    if tuple(src.shape) == places.shape:
        return src
    return Index.apply(_lifted(src), key=tuple(slice(n) for n in _lifted(places).shape))


def _lifted(x: Operand) -> Operand:
    """A 0-d tensor as one of one element; any other as it is."""
    return x if x.ndim else reshape(x, (1,))


# ---------------------------------------------------------------------- a vector of places along a dimension


def index_select(input: Operand, dim: int, index: Operand) -> Operand:
    """The slices of input at the places of a vector, along `dim`, in a copy.

    IndexError for a place that is not there (a negative one too), and if index is no vector.

    >>> import minigrad
    >>> minigrad.index_select(minigrad.tensor([[1, 2], [3, 4]]), 1, minigrad.tensor([1, 1, 0]))
    tensor([[2, 2, 1],
            [4, 4, 3]])
    """
    d, places = _vector("index_select", input, dim, index)
    if not input.ndim:
        if places.size != 1:
            raise RuntimeError(f"index_select: a 0-d tensor has one element to select, got {places.size} places")
        return clone(input)
    return at(input, d, places)


def index_add(input: Operand, dim: int, index: Operand, source: Operand, *, alpha: float = 1) -> Operand:
    """input with alpha times the slices of `source` added at the places of a vector, along `dim`.

    A place that is named more than once receives all.

    >>> import minigrad
    >>> x = minigrad.zeros(3, 2)
    >>> minigrad.index_add(x, 0, minigrad.tensor([2, 2]), minigrad.ones(2, 2))
    tensor([[0., 0.],
            [0., 0.],
            [2., 2.]])
    """
    d, places = _vector("index_add", input, dim, index)
    _must_have_slices("index_add", input, d, places, source)
    x, added = _lifted(input), _lifted(source)
    spread = IndexAdd.apply(added, key=(*(slice(None),) * d, places), shape=tuple(x.shape))
    y = add(x, spread, alpha=alpha)
    return y if input.ndim else reshape(y, ())


def index_copy(input: Operand, dim: int, index: Operand, source: Operand) -> Operand:
    """input with the slices of `source` written at the places of a vector, along `dim`.

    >>> import minigrad
    >>> minigrad.zeros(3).index_copy(0, minigrad.tensor([2, 0]), minigrad.tensor([5.0, 7.0]))
    tensor([7., 0., 5.])
    """
    d, places = _vector("index_copy", input, dim, index)
    _must_have_slices("index_copy", input, d, places, source)
    y = IndexPut.apply(_lifted(input), _lifted(source), key=(*(slice(None),) * d, places))
    return y if input.ndim else reshape(y, ())


def index_fill(input: Operand, dim: int, index: Operand, value: Any) -> Operand:
    """input with `value`, a number or 0-d tensor, at the places of a vector, along `dim`; negative ones from the end.

    >>> import minigrad
    >>> minigrad.index_fill(minigrad.zeros(2, 3), 1, minigrad.tensor([0, -1]), 7)
    tensor([[7., 0., 7.],
            [7., 0., 7.]])
    """
    d, places = _vector("index_fill", input, dim, index, from_the_end=True)
    hit = np.zeros(input.shape[d] if input.ndim else 1, bool)
    hit[places] = True
    hit = hit.reshape(-1, *[1] * (input.ndim - 1 - d)) if input.ndim else hit.reshape(())
    return _filled("index_fill", input, hit, value)


def take(input: Operand, index: Operand) -> Operand:
    """The elements of the flattened input at `index`, in the shape of index; a negative one counts from the end.

    >>> import minigrad
    >>> minigrad.take(minigrad.tensor([[10, 20], [30, 40]]), minigrad.tensor([[0, 2], [-1, 0]]))
    tensor([[10, 30],
            [40, 10]])
    """
    must_be_arrays("take", input, index)
    places, flat = _integers("take", index), reshape(input, (-1,))
    _must_be_there("take", places, 0, flat.shape[0], lowest=-flat.shape[0])
    return Index.apply(flat, key=places)


def _vector(op: str, x: Operand, dim: int, index: Operand, from_the_end: bool = False) -> tuple[int, np.ndarray]:
    """`dim` counted from the front, and a vector of valid places along it."""
    must_be_arrays(op, x, index)
    d, places = normalize_dim(op, dim, x.ndim), _integers(op, index)
    if places.ndim > 1:
        raise IndexError(f"{op}: index must be a vector of places along dim {dim}, got shape {places.shape}")
    size = x.shape[d] if x.ndim else 1
    _must_be_there(op, places, dim, size, -size if from_the_end else 0)
    return d, places.reshape(-1)


def _must_have_slices(op: str, x: Operand, d: int, places: np.ndarray, source: Operand) -> None:
    """RuntimeError unless source has the shape of x, with as many slices along dim d as there are places."""
    must_be_arrays(op, source)
    must_share_dtype(op, x, source)
    if not x.ndim and places.size == 1 and tuple(source.shape) in ((), (1,)):
        return
    wanted = (*x.shape[:d], places.size if x.ndim else 1, *x.shape[d + 1 :])
    if tuple(source.shape) != wanted:
        raise RuntimeError(f"{op}: source must have shape {wanted}, a slice for each index, got {tuple(source.shape)}")


def index_put(input: Operand, indices: Sequence[Operand], values: Operand, accumulate: bool = False) -> Operand:
    """input with `values` written at input[indices], a tuple of integer or bool tensors; they are broadcast to it.

    accumulate : add them to what is there; a place that is named more than once receives all

    Otherwise the last element stays at such a place, and it alone has a gradient. (PyTorch gives one to those that
    were overwritten too.) RuntimeError where the values do not fit or have another dtype, IndexError for a place that
    is not there.

    >>> import minigrad
    >>> rows, columns = minigrad.tensor([0, 1, 0]), minigrad.tensor([0, 1, 0])
    >>> minigrad.zeros(2, 2).index_put((rows, columns), minigrad.tensor(1.0), accumulate=True)
    tensor([[2., 0.],
            [0., 1.]])
    """
    op = "index_put"
    must_be_arrays(op, input, values)
    if not isinstance(indices, (tuple, list)) or not indices:
        raise TypeError(f"{op}: indices must be a tuple of tensors, got {indices!r}")
    must_be_arrays(op, *indices)
    must_share_dtype(op, input, values)
    key = as_key(input, tuple(indices))
    wanted = Index.apply(unwrap(input), key=key).shape
    try:
        fits = np.broadcast_shapes(tuple(values.shape), wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{op}: values of shape {tuple(values.shape)} do not broadcast to {wanted}, the shape of input[indices]"
        )
    part = BroadcastTo.apply(values, shape=wanted)
    if not accumulate:
        return IndexPut.apply(input, part, key=key)
    if is_bool(input):
        raise RuntimeError(f"{op}: bools cannot be added; use accumulate=False")
    return add(input, IndexAdd.apply(part, key=key, shape=tuple(input.shape)))


# -------------------------------------------------------------------------------------------------- masks


def masked_fill(input: Operand, mask: Operand, value: Any) -> Operand:
    """input with `value`, a number or 0-d tensor, where the mask is True; the two are broadcast.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.masked_fill(minigrad.tensor([True, False]), float("-inf"))
    tensor([[-inf, 2.],
            [-inf, 4.]])
    """
    return _filled("masked_fill", input, _mask("masked_fill", input, mask), value)


def masked_select(input: Operand, mask: Operand) -> Operand:
    """The elements of input where the mask is True, as a vector; the two are broadcast.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 5], [7, 2]])
    >>> x.masked_select(x > 3)
    tensor([5, 7])
    """
    where = _mask("masked_select", input, mask)
    shape = np.broadcast_shapes(tuple(input.shape), where.shape)
    return Index.apply(BroadcastTo.apply(input, shape=shape), key=np.broadcast_to(where, shape))


def masked_scatter(input: Operand, mask: Operand, source: Operand) -> Operand:
    """input with the elements of `source`, one after another, where the mask is True; input and mask are broadcast.

    RuntimeError if source has too few.

    >>> import minigrad
    >>> x = minigrad.tensor([0, 1, 0, 1])
    >>> x.masked_scatter(x == 0, minigrad.tensor([7, 8, 9]))
    tensor([7, 1, 8, 1])
    """
    where = _mask("masked_scatter", input, mask)
    must_be_arrays("masked_scatter", source)
    must_share_dtype("masked_scatter", input, source)
    shape = np.broadcast_shapes(tuple(input.shape), where.shape)
    where = np.broadcast_to(where, shape)
    many, flat = int(where.sum()), reshape(source, (-1,))
    if flat.shape[0] < many:
        raise RuntimeError(f"masked_scatter: the mask is True {many} times, but source has {flat.shape[0]} elements")
    return IndexPut.apply(BroadcastTo.apply(input, shape=shape), at(flat, 0, slice(many)), key=where)


def _mask(op: str, x: Operand, mask: Operand) -> np.ndarray:
    """A mask as an array: of bools, and of a shape that broadcasts with x."""
    must_be_arrays(op, x, mask)
    if not is_bool(mask):
        raise RuntimeError(f"{op}: mask must be a bool tensor, got {mask.dtype.name}; use mask.bool() or a comparison")
    where = np.asarray(unwrap(mask))
    must_broadcast(op, unwrap(x), where)
    return where


def _filled(op: str, x: Operand, hit: np.ndarray, value: Any) -> Operand:
    """x with `value`, in the dtype of x, where the mask holds."""
    if is_tensor(value) or isinstance(value, np.ndarray):
        if value.ndim:
            raise RuntimeError(f"{op}: value must be a number or a 0-d tensor, got shape {tuple(value.shape)}")
        return Where.apply(hit, cast(value, x.dtype), x)
    return Where.apply(hit, _converted(op, python_number(op, "value", value), x.dtype), x)


def _converted(op: str, number: float, dtype: np.dtype) -> np.ndarray:
    """A number as a 0-d array; RuntimeError where an integer dtype cannot hold it."""
    try:
        return np.asarray(number, dtype)
    except (OverflowError, ValueError):
        raise RuntimeError(f"{op}: {number} does not fit into {dtype.name}; convert the tensor first") from None
