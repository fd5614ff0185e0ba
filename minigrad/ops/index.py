"""Indexing: reading at the places a key names, and its adjoint, adding at them; writing there; narrow and select."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op, unwrap
from .common import Operand, must_be_arrays, normalize_dim
from .elementwise import masked

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


class IndexPut(Op):
    """y = x with v, of the shape of x[key], written at key; each gets the gradient of what it gave to y

    A place named twice keeps the last that is written, and what was overwritten has no gradient.
    """

    saves_inputs = False

    def forward(self, x: np.ndarray, v: np.ndarray, key: Key) -> np.ndarray:
        self.key, self.shape = key, v.shape
        y = np.array(x, order="C")
        y[key] = v
        self.kept = kept_places(x.shape, v.shape, key)
        return y

    def backward(self, g: Operand) -> tuple:
        gv = Index.apply(g, key=self.key) if self.needs[1] else None
        return (
            IndexPut.apply(g, np.zeros(self.shape, g.dtype), key=self.key) if self.needs[0] else None,
            gv if gv is None or self.kept is None else masked(gv, self.kept),
        )


def kept_places(x_shape: tuple[int, ...], v_shape: tuple[int, ...], key: Key) -> np.ndarray | None:
    """Where v, written to x[key], is not overwritten by a later element of v; None: everywhere."""
    if _names_each_place_once(key):
        return None
    order, seat = np.arange(math.prod(v_shape)).reshape(v_shape), np.zeros(x_shape, np.intp)
    seat[key] = order
    return seat[key] == order


def _names_each_place_once(key: Key) -> bool:
    """Slices, ints and bool masks cannot name a place twice; integer arrays can."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(not isinstance(part, np.ndarray) or part.dtype == bool for part in parts)


def getitem(x: Operand, key: Key) -> Operand:
    """x[key]: ints, slices, None, Ellipsis, and integer or bool tensors, arrays and sequences, alone or in a tuple.

    Basic indexing (no arrays) gives a view. Beside arrays, ints are applied first: x[0, :, [1, 2]] is x[0][:, [1, 2]],
    as in PyTorch (NumPy would put the arrays' dimension in front). As in NumPy, and not in PyTorch, a slice may go
    backwards, and a list of lists is one array of places. IndexError for a place that is not there.

    >>> import minigrad
    >>> x = minigrad.arange(6).reshape(2, 3)
    >>> x[:, -1], x[0, [2, 2, 0]], x[x > 3]
    (tensor([2, 5]), tensor([2, 2, 0]), tensor([4, 5]))
    """
    return Index.apply(x, key=as_key(x, key))


def as_key(x: Operand, key: Key) -> Key:
    """`key` with Tensors and sequences as arrays, checked against the shape of `x` (IndexError names both)."""
    parts = tuple(_as_index(part) for part in (key if isinstance(key, tuple) else (key,)))
    taken = sum(map(_dims_taken, parts))
    if taken > len(x.shape):
        raise IndexError(f"index: {taken} indices for a tensor of {len(x.shape)} dimensions, shape {tuple(x.shape)}")
    if not isinstance(key, tuple):
        return parts[0]
    fancy = any(isinstance(part, (np.ndarray, bool)) for part in parts)
    return _ints_first(parts, tuple(x.shape)) if fancy else parts


def _ints_first(parts: tuple, shape: tuple[int, ...]) -> tuple:
    """A key with arrays such that NumPy gives what applying the ints in it first would.

    To NumPy an int is an array too: where a slice or None separates it from the others, their dimension comes first,
    and x[:, 0, :, [1, 2]] would begin with a 2. Written as arrays, with an axis each, those between separate no more.
    Nor does an Ellipsis that stands for no dimension.
    """
    parts = _without_ellipsis(parts, len(shape))
    separates = [part is None or isinstance(part, slice) for part in parts]
    arrays = [i for i, part in enumerate(parts) if isinstance(part, (np.ndarray, bool))]
    fancy = [i for i, apart in enumerate(separates) if not apart]
    start, stop, first, last = arrays[0], arrays[-1], fancy[0], fancy[-1]
    in_front = any(separates[start:stop]) or not any(separates[:start])
    if in_front or not any(separates[first:last]):
        return parts  # the arrays' dimension is where NumPy puts it
    dims = np.cumsum([0, *map(_dims_taken, parts)])
    found = {i: _places(parts[i], shape[dims[i] :]) for i in arrays}
    before = [i for i in range(first, start) if separates[i]]
    after = [i for i in range(stop, last) if separates[i]]
    inner = max((array.ndim for group in found.values() for array in group), default=1)
    axes = [*before, *[None] * inner, *after]
    block = [1] * (inner - 1) + [0 if any(part is False for part in parts) else 1]
    every = np.zeros([1] * len(before) + block + [1] * len(after), np.intp)  # for the ints to have all the axes
    key: list = list(parts[:first])
    for i in range(first, last + 1):
        if i in found:
            key += [array.reshape(*array.shape, *[1] * len(after)) for array in found[i]]
        elif isinstance(parts[i], int):
            key.append(parts[i] + every)
        elif isinstance(parts[i], slice):
            places = np.arange(*parts[i].indices(shape[dims[i]]))
            key.append(places.reshape(-1, *[1] * (len(axes) - 1 - axes.index(i))))
    return (*key, *parts[last + 1 :])


def _places(part: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """A part of a key as arrays of integers: a mask, once it fits the dimensions, as the places where it holds."""
    if isinstance(part, bool):
        return ()
    if part.dtype != bool:
        return (part,)
    if part.shape != shape[: part.ndim]:
        raise IndexError(f"index: a mask of shape {part.shape} for dimensions of shape {shape[: part.ndim]}")
    return np.nonzero(part)


def _without_ellipsis(parts: tuple, ndim: int) -> tuple:
    """The key with the slices that Ellipsis stands for."""
    where = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(where) != 1:
        return parts
    rest = (slice(None),) * (ndim - sum(map(_dims_taken, parts)))
    return parts[: where[0]] + rest + parts[where[0] + 1 :]


def _dims_taken(part: Any) -> int:
    """How many dimensions a part of a key uses up."""
    if isinstance(part, np.ndarray):
        return part.ndim if part.dtype == bool else 1
    return int(isinstance(part, (int, slice)) and not isinstance(part, bool))


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
    return array if array.ndim else array.item()


def at(x: Operand, dim: int, place: Any) -> Operand:
    """x indexed by `place` along `dim` (which counts from the front), the other dimensions whole."""
    return Index.apply(x, key=(*(slice(None),) * dim, place))


def narrow(input: Operand, dim: int, start: int | Operand, length: int) -> Operand:
    """The elements start, ..., start + length - 1 along `dim`, a view; a negative start counts from the end.

    IndexError if there is no such start, RuntimeError if they go beyond the end.

    >>> import minigrad
    >>> minigrad.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    must_be_arrays("narrow", input)
    if not input.ndim:
        raise RuntimeError("narrow: a 0-d tensor has no dimension to narrow; reshape it to (1,)")
    d = normalize_dim("narrow", dim, input.ndim)
    first, many, n = place_of("narrow", "start", start), place_of("narrow", "length", length), input.shape[d]
    if not -n <= first <= n:
        raise IndexError(f"narrow: start must be in [{-n}, {n}] for dim {dim} of size {n}, got {first}")
    first += n if first < 0 else 0
    if many < 0 or first + many > n:
        raise RuntimeError(f"narrow: length must be in [0, {n - first}] from start {first} of size {n}, got {many}")
    return at(input, d, slice(first, first + many))


def select(input: Operand, dim: int, index: int | Operand) -> Operand:
    """The slice at one index along `dim`, a view without that dimension; a negative index counts from the end.

    IndexError if it is out of range.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    must_be_arrays("select", input)
    if not input.ndim:
        raise IndexError("select: a 0-d tensor has no dimension to select from; reshape it to (1,)")
    d = normalize_dim("select", dim, input.ndim)
    place, n = place_of("select", "index", index), input.shape[d]
    if not -n <= place < n:
        raise IndexError(f"select: index {place} is out of range for dim {dim} of size {n}")
    return at(input, d, place)


def place_of(op: str, name: str, value: Any) -> int:
    """An int; also that of a 0-d integer tensor."""
    x = unwrap(value)
    if isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0 and x.dtype.kind in "iu":
        return int(x)
    if not isinstance(x, int) or isinstance(x, bool):
        raise TypeError(f"{op}: {name} must be an int, got {value!r}")
    return x
