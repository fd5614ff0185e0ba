"""Ops that move the elements of one tensor without changing them.

The first two sections and expand give views of the same memory wherever NumPy does; what repeats, reverses or pads
gives a copy.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence

import numpy as np

from ..autograd import Op, is_tensor, unwrap, wrap
from .common import (
    BroadcastTo,
    Operand,
    Sizes,
    SumTo,
    flatten_sizes,
    must_be_arrays,
    normalize_dim,
    normalize_dims,
    numpy_spelling,
    python_number,
)
from .index import Index, at, place_of

# ----------------------------------------------------------------------------------- reshape and permute


class Reshape(Op):
    """y = the elements of x in another shape; the gradient goes back to x's shape"""

    saves_inputs = False
    view = True

    def forward(self, x: np.ndarray, shape: tuple[int, ...], copy: bool | None = None) -> np.ndarray:
        self.shape = x.shape
        return x.reshape(shape) if copy is None else x.reshape(shape, copy=copy)

    def backward(self, g: Operand) -> Operand:
        return Reshape.apply(g, shape=self.shape)


class Permute(Op):
    """y = x with its axes in another order; the gradient is permuted back"""

    saves_inputs = False
    view = True

    def forward(self, x: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
        self.dims = dims
        return x.transpose(dims)

    def backward(self, g: Operand) -> Operand:
        inverse = [0] * len(self.dims)
        for i, d in enumerate(self.dims):
            inverse[d] = i
        return Permute.apply(g, dims=tuple(inverse))


def reshape(input: Operand, *sizes: Sizes, shape: Sequence[int] | None = None) -> Operand:
    """The elements of input in `shape`, a view if possible; one size may be -1, to be worked out.

    RuntimeError if the shape does not hold exactly the elements.

    >>> import minigrad
    >>> minigrad.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    return _reshape("reshape", input, _one_way("reshape", sizes, "shape", shape), copy=None)


def _one_way(op: str, many: tuple, name: str, named: Sizes | None = None) -> tuple[int, ...]:
    """The ints of `f(2, 3)`, of `f((2, 3))` and of `f(name=(2, 3))` alike."""
    if many and named is not None:
        raise TypeError(f"{op}: got {name} by position and by name; give it once")
    given = many if named is None else (named,)
    try:
        return flatten_sizes(given)
    except TypeError:
        raise TypeError(f"{op}: {name} must be ints, got {', '.join(map(repr, given))}") from None


def view(input: Operand, *sizes: Sizes, size: Sequence[int] | None = None) -> Operand:
    """`reshape` that never copies: RuntimeError where the memory layout does not allow a view.

    >>> import minigrad
    >>> x = minigrad.zeros(4)
    >>> x.view(2, -1)[0] = 7.0
    >>> x
    tensor([7., 7., 0., 0.])
    """
    return _reshape("view", input, _one_way("view", sizes, "size", size), copy=False)


def _reshape(op: str, x: Operand, shape: tuple[int, ...], copy: bool | None) -> Operand:
    must_be_arrays(op, x)
    total, unknown = math.prod(x.shape), shape.count(-1)
    known = math.prod(shape) if not unknown else -math.prod(shape)
    if min(shape, default=0) < -1:
        raise RuntimeError(f"{op}: sizes must be -1 or more, got {shape}")
    if unknown > 1:
        raise RuntimeError(f"{op}: only one size can be -1, got {shape}")
    if unknown and known == 0:
        raise RuntimeError(f"{op}: with a size 0 in {shape}, -1 could be anything; write it out")
    if total % known if unknown else total != known:
        raise RuntimeError(f"{op}: shape {shape} cannot hold the {total} elements of shape {tuple(x.shape)}")
    try:
        return Reshape.apply(x, shape=shape, copy=copy)
    except ValueError:
        raise RuntimeError(
            f"view: shape {tuple(x.shape)} with this memory layout is no view of shape {shape}; "
            "use reshape(), which copies if it must"
        ) from None


def flatten(input: Operand, start_dim: int = 0, end_dim: int = -1) -> Operand:
    """The dimensions from start_dim to end_dim, both included, as one. A 0-d tensor gets the shape (1,).

    >>> import minigrad
    >>> minigrad.ones(2, 3, 4, 4).flatten(start_dim=1).shape
    (2, 48)
    """
    must_be_arrays("flatten", input)
    if type(start_dim) is not int or type(end_dim) is not int:
        start_dim, end_dim = (normalize_dim("flatten", dim, input.ndim) for dim in (start_dim, end_dim))
    return Reshape.apply(input, shape=_flat(input.shape, start_dim, end_dim))


@functools.lru_cache(1024)
def _flat(shape: tuple[int, ...], start_dim: int, end_dim: int) -> tuple[int, ...]:
    """The shape that `flatten` gives."""
    first = normalize_dim("flatten", start_dim, len(shape))
    last = normalize_dim("flatten", end_dim, len(shape))
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def ravel(input: Operand) -> Operand:
    """All elements in one dimension, a view if the memory is contiguous.

    >>> import minigrad
    >>> minigrad.ones(2, 3).ravel().shape
    (6,)
    """
    must_be_arrays("ravel", input)
    return reshape(input, (math.prod(input.shape),))


def unflatten(input: Operand, dim: int, sizes: Sequence[int]) -> Operand:
    """One dimension split into several, of the given sizes; one of them may be -1, to be worked out.

    RuntimeError if the sizes do not multiply to that of the dimension.

    >>> import minigrad
    >>> minigrad.ones(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    must_be_arrays("unflatten", input)
    d = normalize_dim("unflatten", dim, input.ndim)
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(f"unflatten: sizes must be a tuple of ints, got {sizes!r}")
    inner = _one_way("unflatten", (sizes,), "sizes")
    known = int(np.prod([n for n in inner if n != -1], dtype=np.int64))
    if inner.count(-1) == 1 and known and input.shape[d] % known == 0:
        inner = tuple(input.shape[d] // known if n == -1 else n for n in inner)
    elif -1 in inner or known != input.shape[d]:
        raise RuntimeError(f"unflatten: sizes {inner} do not multiply to size {input.shape[d]} of dim {dim}")
    return reshape(input, *input.shape[:d], *inner, *input.shape[d + 1 :])


@numpy_spelling
def squeeze(input: Operand, dim: int | Sequence[int] | None = None) -> Operand:
    """Without the dimensions of size one: all of them, or those of `dim` that have size one.

    >>> import minigrad
    >>> x = minigrad.ones(1, 3, 1)
    >>> x.squeeze().shape, x.squeeze(0).shape, x.squeeze(1).shape
    ((3,), (3, 1), (1, 3, 1))
    """
    dims = normalize_dims("squeeze", dim, input.ndim) if dim != () else ()
    return reshape(input, *(n for i, n in enumerate(input.shape) if i not in dims or n != 1))


@numpy_spelling
def unsqueeze(input: Operand, dim: int) -> Operand:
    """With a new dimension of size one at `dim`, which may be from -ndim - 1 to ndim; else IndexError.

    >>> import minigrad
    >>> minigrad.ones(2, 3).unsqueeze(-1).shape
    (2, 3, 1)
    """
    d = normalize_dim("unsqueeze", dim, input.ndim + 1)
    return reshape(input, *input.shape[:d], 1, *input.shape[d:])


def permute(input: Operand, *order: Sizes, dims: Sequence[int] | None = None) -> Operand:
    """The dimensions in another order.

    >>> import minigrad
    >>> minigrad.ones(2, 3, 5).permute(2, 0, 1).shape
    (5, 2, 3)
    """
    must_be_arrays("permute", input)
    wanted = _one_way("permute", order, "dims", dims)
    if len(wanted) != input.ndim:
        raise RuntimeError(
            f"permute: needs the {input.ndim} dimensions of shape {tuple(input.shape)}, got dims {wanted}"
        )
    return Permute.apply(input, dims=normalize_dims("permute", wanted, input.ndim))


def transpose(input: Operand, dim0: int, dim1: int) -> Operand:
    """Two dimensions exchanged.

    >>> import minigrad
    >>> minigrad.ones(2, 3, 5).transpose(0, -1).shape
    (5, 3, 2)
    """
    return _transpose("transpose", input, dim0, dim1)


def _transpose(op: str, x: Operand, dim0: int, dim1: int) -> Operand:
    must_be_arrays(op, x)
    a, b = normalize_dim(op, dim0, x.ndim), normalize_dim(op, dim1, x.ndim)
    order = list(range(x.ndim))
    if order:
        order[a], order[b] = b, a
    return Permute.apply(x, dims=tuple(order))


def swapdims(input: Operand, dim0: int, dim1: int) -> Operand:
    """`transpose` under another name.

    >>> import minigrad
    >>> minigrad.ones(2, 3, 5).swapdims(0, 1).shape
    (3, 2, 5)
    """
    return _transpose("swapdims", input, dim0, dim1)


def swapaxes(input: Operand, axis0: int, axis1: int) -> Operand:
    """`transpose` under NumPy's name.

    >>> import minigrad
    >>> minigrad.ones(2, 3, 5).swapaxes(0, 1).shape
    (3, 2, 5)
    """
    return _transpose("swapaxes", input, axis0, axis1)


def t(input: Operand) -> Operand:
    """The transpose of a matrix; a vector or number as it is. RuntimeError for more than two dimensions.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2, 3]]).t()
    tensor([[1],
            [2],
            [3]])
    """
    must_be_arrays("t", input)
    if input.ndim > 2:
        raise RuntimeError(f"t: needs at most 2 dimensions, got shape {tuple(input.shape)}; use transpose(dim0, dim1)")
    return Permute.apply(input, dims=tuple(range(input.ndim))[::-1])


def movedim(input: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Operand:
    """The dimensions `source` moved to the places `destination`, the others in their order.

    >>> import minigrad
    >>> minigrad.ones(2, 3, 5, 7).movedim(1, -1).shape
    (2, 5, 7, 3)
    """
    must_be_arrays("movedim", input)
    src, dst = (
        normalize_dims("movedim", source, input.ndim),
        normalize_dims("movedim", destination, input.ndim),
    )
    if len(src) != len(dst):
        raise RuntimeError(f"movedim: source {source} and destination {destination} must be equally many")
    order = [d for d in range(input.ndim) if d not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return Permute.apply(input, dims=tuple(order))


moveaxis = movedim


# ------------------------------------------------------------------------------------- expand and repeat


class Tile(Op):
    """y = copies of x side by side, so many along each axis; the gradients of the copies are summed"""

    saves_inputs = False

    def forward(self, x: np.ndarray, repeats: tuple[int, ...]) -> np.ndarray:
        self.shape, self.repeats = x.shape, repeats
        return np.tile(x, repeats)

    def backward(self, g: Operand) -> Operand:
        apart = [n for pair in zip(self.repeats, self.shape, strict=True) for n in pair]
        once = [n for size in self.shape for n in (1, size)]
        return reshape(SumTo.apply(reshape(g, apart), shape=tuple(once)), self.shape)


def expand(input: Operand, *sizes: Sizes, size: Sequence[int] | None = None) -> Operand:
    """Repeat dimensions of size one to `sizes` without copying; -1 keeps a size, new dimensions come in front.

    >>> import minigrad
    >>> minigrad.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return _expand("expand", input, _one_way("expand", sizes, "size", size))


def _expand(op: str, x: Operand, wanted: tuple[int, ...]) -> Operand:
    must_be_arrays(op, x)
    have = tuple(x.shape)
    lead = len(wanted) - len(have)
    if lead < 0:
        raise RuntimeError(f"{op}: sizes {wanted} are fewer than the dimensions of shape {have}")
    shape = tuple(have[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(wanted))
    if any(n < 0 for n in shape) or any(h not in (1, n) for h, n in zip(have, shape[lead:], strict=True)):
        raise RuntimeError(f"{op}: shape {have} does not expand to sizes {wanted}; only dimensions of size 1 grow")
    if math.prod(shape) == math.prod(have):
        return reshape(x, shape)  # nothing is repeated, so it can be written to
    return BroadcastTo.apply(x, shape=shape)


def broadcast_tensors(*tensors: Operand) -> tuple[Operand, ...]:
    """Views of the tensors, all in the shape that they broadcast to. RuntimeError if they do not.

    >>> import minigrad
    >>> a, b = minigrad.broadcast_tensors(minigrad.zeros(2, 1), minigrad.ones(3))
    >>> a.shape, b.shape
    ((2, 3), (2, 3))
    """
    must_be_arrays("broadcast_tensors", *tensors)
    shapes = [tuple(x.shape) for x in tensors]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(
            f"broadcast_tensors: shapes {' and '.join(map(str, shapes))} do not broadcast; from the right, sizes must "
            "be equal or 1"
        ) from None
    return tuple(BroadcastTo.apply(x, shape=shape) for x in tensors)


def expand_as(input: Operand, other: Operand) -> Operand:
    """input expanded to the shape of other.

    >>> import minigrad
    >>> minigrad.tensor([[1], [2]]).expand_as(minigrad.zeros(2, 3))
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    must_be_arrays("expand_as", other)
    return _expand("expand_as", input, tuple(other.shape))


def broadcast_to(input: Operand, size: Sequence[int]) -> Operand:
    """input expanded to `size`. RuntimeError where a dimension that should grow is not of size one.

    >>> import minigrad
    >>> minigrad.tensor([1, 2]).broadcast_to((2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return _expand("broadcast_to", input, _one_way("broadcast_to", (size,), "size"))


def repeat(input: Operand, *sizes: Sizes, repeats: Sequence[int] | None = None) -> Operand:
    """Copies of the whole tensor side by side, `repeats` many along each dimension; new dimensions come in front.

    RuntimeError for fewer repeats than dimensions, and for a negative one.

    >>> import minigrad
    >>> minigrad.tensor([1, 2]).repeat(2, 3)
    tensor([[1, 2, 1, 2, 1, 2],
            [1, 2, 1, 2, 1, 2]])
    """
    must_be_arrays("repeat", input)
    return _tile("repeat", input, _one_way("repeat", sizes, "repeats", repeats))


def tile(input: Operand, *sizes: Sizes, dims: Sequence[int] | None = None) -> Operand:
    """`repeat` for which missing numbers, in front, are 1.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).tile(2)
    tensor([[1, 2, 1, 2],
            [3, 4, 3, 4]])
    """
    must_be_arrays("tile", input)
    times = _one_way("tile", sizes, "dims", dims)
    return _tile("tile", input, (1,) * (input.ndim - len(times)) + times)


def _tile(op: str, x: Operand, repeats: tuple[int, ...]) -> Operand:
    lead = len(repeats) - x.ndim
    if lead < 0:
        raise RuntimeError(f"{op}: needs a number for each dimension of shape {tuple(x.shape)}, got {repeats}")
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"{op}: repeats must not be negative, got {repeats}")
    return Tile.apply(reshape(x, (1,) * lead + tuple(x.shape)), repeats=repeats)


def repeat_interleave(
    input: Operand, repeats: int | Operand | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Operand:
    """Each element, or slice along `dim`, repeated in its place; without `dim` the input is flattened first.

    repeats     : how often, an int, or a tensor with a number for each slice
    output_size : the size of the result along dim, if it is known; checked

    repeat_interleave(repeats), with one tensor, gives the index that does it. RuntimeError for a negative number, and
    if there is not one for each slice.

    >>> import minigrad
    >>> x = minigrad.tensor([[1, 2], [3, 4]])
    >>> minigrad.repeat_interleave(x, 2, dim=1)
    tensor([[1, 1, 2, 2],
            [3, 3, 4, 4]])
    >>> minigrad.repeat_interleave(x, minigrad.tensor([0, 2]), dim=0)
    tensor([[3, 4],
            [3, 4]])
    """
    must_be_arrays("repeat_interleave", input)
    if repeats is None:
        index = _interleaved(unwrap(input), None, output_size)
        return wrap(index) if is_tensor(input) else index
    x, d = (ravel(input), 0) if dim is None else (input, normalize_dim("repeat_interleave", dim, input.ndim))
    if not x.ndim:
        raise IndexError("repeat_interleave: a 0-d tensor has no dimension to repeat along; leave dim out")
    times = unwrap(repeats)
    if not isinstance(times, np.ndarray):
        times = np.asarray(place_of("repeat_interleave", "repeats", times))
    return at(x, d, _interleaved(times, x.shape[d], output_size))


def _interleaved(repeats: np.ndarray, size: int | None, output_size: int | None) -> np.ndarray:
    """The index that repeats each place so often; a single number counts for all `size` places."""
    if repeats.dtype.kind not in "iu":
        raise TypeError(f"repeat_interleave: repeats must be integers, got {repeats.dtype.name}")
    if repeats.ndim > 1 or (size is None and not repeats.ndim):
        raise RuntimeError(f"repeat_interleave: repeats must be a vector, got shape {repeats.shape}")
    if repeats.size and repeats.min() < 0:
        raise RuntimeError(f"repeat_interleave: repeats must not be negative, got {repeats.min()}")
    if size is None:
        size = repeats.size
    if repeats.size not in (1, size):
        raise RuntimeError(f"repeat_interleave: got {repeats.size} repeats for a dimension of size {size}")
    index = np.repeat(np.arange(size), repeats.reshape(-1))
    if output_size is not None and output_size != index.size:
        raise RuntimeError(f"repeat_interleave: output_size must be {index.size}, got {output_size}")
    return index


# ----------------------------------------------------------------------------------------- flip and roll


class Flip(Op):
    """y = x with some axes reversed; the gradient is reversed again"""

    saves_inputs = False

    def forward(self, x: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
        self.dims = dims
        return np.flip(x, dims).copy()

    def backward(self, g: Operand) -> Operand:
        return Flip.apply(g, dims=self.dims)


class Roll(Op):
    """y = x shifted along some axes, what leaves at one end coming in at the other; the gradient is shifted back"""

    saves_inputs = False

    def forward(self, x: np.ndarray, shifts: tuple[int, ...], dims: tuple[int, ...]) -> np.ndarray:
        self.shifts, self.dims = shifts, dims
        return np.roll(x, shifts, dims)

    def backward(self, g: Operand) -> Operand:
        return Roll.apply(g, shifts=tuple(-n for n in self.shifts), dims=self.dims)


def flip(input: Operand, *reversed: Sizes, dims: Sequence[int] | None = None) -> Operand:
    """input reversed along `dims`, in a copy.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).flip(1)
    tensor([[2, 1],
            [4, 3]])
    """
    must_be_arrays("flip", input)
    reverse = _one_way("flip", reversed, "dims", dims)
    return Flip.apply(input, dims=normalize_dims("flip", reverse, input.ndim) if reverse else ())


def fliplr(input: Operand) -> Operand:
    """input reversed along its second dimension, in a copy.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).fliplr()
    tensor([[2, 1],
            [4, 3]])
    """
    must_be_arrays("fliplr", input)
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: needs at least 2 dimensions, got shape {tuple(input.shape)}")
    return flip(input, 1)


def flipud(input: Operand) -> Operand:
    """input reversed along its first dimension, in a copy.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).flipud()
    tensor([[3, 4],
            [1, 2]])
    """
    must_be_arrays("flipud", input)
    if input.ndim < 1:
        raise RuntimeError("flipud: needs at least 1 dimension, got a 0-d tensor")
    return flip(input, 0)


def rot90(input: Operand, k: int = 1, dims: Sequence[int] = (0, 1)) -> Operand:
    """input turned by k right angles in the plane of `dims`, from the first of them towards the second, in a copy.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).rot90()
    tensor([[2, 4],
            [1, 3]])
    """
    must_be_arrays("rot90", input)
    plane = _one_way("rot90", (dims,), "dims")
    if len(plane) != 2:
        raise RuntimeError(f"rot90: dims must be two dimensions, got {plane}")
    a, b = normalize_dims("rot90", plane, input.ndim)
    turns = place_of("rot90", "k", k) % 4
    y = Flip.apply(input, dims=((), (b,), (a, b), (a,))[turns])
    return transpose(y, a, b) if turns % 2 else y


def roll(input: Operand, shifts: Sizes, dims: Sizes | None = None) -> Operand:
    """input shifted by `shifts` along `dims`: what leaves at one end comes in at the other, in a copy.

    Without dims the elements are shifted as if they were in one dimension. RuntimeError unless there is a shift for
    each of the dims.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2, 3], [4, 5, 6]]).roll(1, dims=1)
    tensor([[3, 1, 2],
            [6, 4, 5]])
    """
    must_be_arrays("roll", input)
    by = _one_way("roll", (shifts,), "shifts")
    along = () if dims is None else _one_way("roll", (dims,), "dims")
    if len(by) != (len(along) or 1):
        raise RuntimeError(f"roll: needs a shift for each of the dims, got shifts {by} and dims {along}")
    if not along:
        return reshape(Roll.apply(reshape(input, (-1,)), shifts=by, dims=(0,)), tuple(input.shape))
    if not input.ndim:
        raise IndexError(f"roll: a 0-d tensor has no dimension to roll along, got dims {along}")
    return Roll.apply(input, shifts=by, dims=tuple(normalize_dim("roll", d, input.ndim) for d in along))


# ----------------------------------------------------------------------------------------------- padding


class Pad(Op):
    """y = x with a constant around it; the gradient is cut out of g"""

    saves_inputs = False

    def forward(self, x: np.ndarray, widths: tuple[tuple[int, int], ...], value: float) -> np.ndarray:
        self.inner = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
        return np.pad(x, widths, constant_values=value)

    def backward(self, g: Operand) -> Operand:
        return Index.apply(g, key=self.inner)


def pad(input: Operand, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Operand:
    """`pad` = (before, after) of the last dimension, then of the one before it, and so on; negative widths cut.

    mode is "constant" (filled with `value`, 0 by default), "reflect", "replicate" or "circular".

    >>> import minigrad
    >>> minigrad.nn.functional.pad(minigrad.ones(1, 2), (1, 0), value=7.0)
    tensor([[7., 1., 1.]])
    """
    must_be_arrays("pad", input)
    if not isinstance(pad, (tuple, list)):
        raise TypeError(f"pad: pad must be a tuple of ints, (before, after) of the last dimension first, got {pad!r}")
    widths, ndim = _one_way("pad", (pad,), "pad"), input.ndim
    if len(widths) % 2 or len(widths) > 2 * ndim:
        raise RuntimeError(
            f"pad: needs (before, after) pairs for at most the {ndim} dimensions of {tuple(input.shape)}, got {widths}"
        )
    pairs = [(0, 0)] * (ndim - len(widths) // 2) + [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
    if any(min(before, 0) + n + min(after, 0) < 0 for (before, after), n in zip(pairs, input.shape, strict=True)):
        raise RuntimeError(f"pad: {widths} cuts more than there is in shape {tuple(input.shape)}")
    if math.prod(before + n + after for (before, after), n in zip(pairs, input.shape, strict=True)) > sys.maxsize:
        raise RuntimeError(f"pad: {widths} makes more of shape {tuple(input.shape)} than any memory holds")
    if mode != "constant":
        if value not in (None, 0):
            raise ValueError(f"pad: value={value} has no meaning for mode {mode!r}")
        return _pad_by_copying(input, pairs, mode)
    if any(n < 0 for pair in pairs for n in pair):
        key = tuple(slice(max(0, -b), n - max(0, -a)) for (b, a), n in zip(pairs, input.shape, strict=True))
        input, pairs = Index.apply(input, key=key), [(max(0, b), max(0, a)) for b, a in pairs]
    return Pad.apply(input, widths=tuple(pairs), value=0 if value is None else python_number("pad", "value", value))


def _pad_by_copying(x: Operand, pairs: list[tuple[int, int]], mode: str) -> Operand:
    """Padding with x's own elements: an index along each axis."""
    modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise NotImplementedError(f'pad: mode must be "constant", "reflect", "replicate" or "circular", got {mode!r}')
    for d, (before, after) in enumerate(pairs):
        if before == after == 0:
            continue
        n = x.shape[d]
        left = n + min(before, 0) + min(after, 0)  # what negative widths do not cut off
        limit = {"reflect": n - 1, "circular": n if left else 0, "replicate": before + after + n}[mode]
        if max(before, after) > limit or n == 0:
            raise RuntimeError(f"pad: {mode} padding {(before, after)} of dim {d} is too wide for its size {n}")
        more, less = (max(0, before), max(0, after)), (max(0, -before), max(0, -after))
        index = np.arange(n)
        if mode == "circular":  # alone it goes round what negative widths leave; the others see what they cut off
            index, less = index[less[0] : n - less[1]], (0, 0)
        index = np.pad(index, more, mode=modes[mode])  # type: ignore[call-overload]
        x = Index.apply(x, key=(slice(None),) * d + (index[less[0] : len(index) - less[1]],))
    return x
