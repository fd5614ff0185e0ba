"""Many arrays in one call of a kernel, of any number and shapes.

To look at arrays in Python and hand them over one by one takes longer than to update a small parameter, and machine
code for twenty arrays takes seconds to compile. So a kernel for many gets where a tuple of them is in memory, its `id`
in CPython, and finds the rest there by itself (see `objects`). What kernels need of an array, for which others have the
`gate`, is looked at in every call, before anything is changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.np.arrayobj import populate_array

from . import jit
from .gate import FLOAT32, FLOAT64
from .objects import AS_EXPECTED, CARRAY, DATA, DTYPE, FLAGS, ITEMS, LENGTH, NDIM, SIZES, TYPE, read_int, read_long
from .parallel import ThreadedKernel
from .simd import Type, emits

__all__ = ["LIKE", "part", "require_alike", "run"]

Array = np.ndarray

UNITS = 64  # every array is cut into so many parts, for threads to share

# Arrays as all must be. Where objects are laid out in another way, kernels for many are not used.
LIKE = {dtype: np.empty(1, dtype) for dtype in (FLOAT32, FLOAT64) if AS_EXPECTED}

_size = attrgetter("size")


class Unlike(Exception):
    """An array is not as a kernel needs it."""


def run(kernel: ThreadedKernel, cost: float, kinds: Sequence[Sequence[Array | None]], options: tuple) -> bool:
    """Run a kernel on several kinds of arrays, as many of each: all in place. False, and nothing done, if it cannot.

    cost : about how many nanoseconds an element takes

    The kernel gets, after first and last of UNITS: an array of the dtype of all others; the place of a tuple of that
    array, all arrays of the first kind, of the second, and so on; how many there are of each kind; and the options.
    """
    first = kinds[0]
    count = len(first)
    like = LIKE.get(first[0].dtype) if count else None  # type: ignore[union-attr]
    if like is None:
        return False
    arrays = like, *chain.from_iterable(kinds)  # which keeps them where they are until the kernel is done
    if len(arrays) != 1 + len(kinds) * count:
        return False
    try:
        kernel(UNITS, cost * sum(map(_size, first)), like, id(arrays), count, *options)
    except Unlike:
        return False
    return True


def array_at(like: Array, address: int, n: int) -> Array:
    """The n numbers at an address, as an array with the dtype of another."""
    memory: Any = (ctypes.c_char * (n * like.itemsize)).from_address(int(address))
    return np.ndarray(n, like.dtype, memory)


@emits(array_at)
def _(like: Type, address: Type, n: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        array, itemsize = context.make_array(kind)(context, builder), ir.IntType(64)(like.dtype.bitwidth // 8)
        data = builder.inttoptr(args[1], array.data.type)
        populate_array(array, data=data, shape=[args[2]], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    kind = types.Array(like.dtype, 1, "C")
    return kind(like, types.int64, types.int64), emit


@jit.helper
def _item(place: int, k: int) -> int:
    """Where the k-th object of the tuple at a place is."""
    return read_long(place + ITEMS + 8 * k)


@jit.helper
def require_alike(place: int, count: int) -> None:
    """Raise Unlike unless all arrays are as the first is, and for kernels, and the i-th of each kind of one shape."""
    like, alike = _item(place, 0), True
    kind, dtype = read_long(like + TYPE), read_long(like + DTYPE)
    for k in range(read_long(place + LENGTH) - 1):
        a, b = _item(place, 1 + k), _item(place, 1 + k % count)
        if alike and read_long(a + TYPE) == kind and read_long(a + DTYPE) == dtype:
            rank, sizes, others = read_int(a + NDIM), read_long(a + SIZES), read_long(b + SIZES)
            alike = read_int(a + FLAGS) & CARRAY == CARRAY and rank == read_int(b + NDIM)
            for d in range(rank if alike else 0):
                alike &= read_long(sizes + 8 * d) == read_long(others + 8 * d)
        else:
            alike = False
    if not alike:
        raise Unlike


@jit.helper
def part(like: Array, place: int, k: int, first: int, last: int) -> Array:
    """The units from first to last of the k-th array of the tuple, which is like the others, as a 1-D array."""
    array, n = _item(place, k), 1
    for d in range(read_int(array + NDIM)):
        n *= read_long(read_long(array + SIZES) + 8 * d)
    start, stop = n * first // UNITS, n * last // UNITS
    return array_at(like, read_long(array + DATA) + start * like.itemsize, stop - start)
