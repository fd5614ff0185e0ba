"""Array objects and tuples as they lie in memory, for machine code that looks at them by itself.

`id(x)` is where an object is, in CPython. What is in an array object stands in NumPy's interface for C
(`PyArrayObject_fields` in ndarraytypes.h), and has been so since version 1.7; what is in a tuple, in that of Python.
Whether it is so in this process too is looked at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from .simd import Type, emits

# Where it is in an array object: after what all objects begin with, whose end is the address of the type.
HEAD = object.__basicsize__
TYPE, DATA, NDIM, SIZES, DTYPE, FLAGS = HEAD - 8, HEAD, HEAD + 8, HEAD + 16, HEAD + 40, HEAD + 48
CARRAY = 0x0001 | 0x0100 | 0x0400  # C-contiguous, aligned, writeable

# And in a tuple.
LENGTH, ITEMS = HEAD, tuple.__basicsize__


def read_int(address: int) -> int:
    """The C int at an address."""
    return ctypes.c_int32.from_address(int(address)).value


def read_long(address: int) -> int:
    """The address, or size, at an address."""
    return ctypes.c_int64.from_address(int(address)).value


def _emits_reading(definition: Any, bits: int) -> None:
    """Let compiled code have one load for the definition."""

    @emits(definition)
    def _(address: Type) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
            value = builder.load(builder.inttoptr(args[0], ir.IntType(bits).as_pointer()))
            return builder.sext(value, ir.IntType(64)) if bits < 64 else value

        return types.int64(types.int64), emit


_emits_reading(read_int, 32)
_emits_reading(read_long, 64)


def are_as_expected() -> bool:
    """Are array objects and tuples in this process laid out as said above?"""
    arrays = np.zeros((3, 5), np.float32), np.zeros((2, 4, 6), np.float64)[::2, :, ::3]
    if ctypes.sizeof(ctypes.c_void_p) != 8 or ctypes.sizeof(ctypes.c_int) != 4 or HEAD not in (16, 32):
        return False
    for a in arrays:
        place = id(a)
        found = read_long(place + TYPE), read_long(place + DATA), read_int(place + NDIM), read_long(place + DTYPE)
        if found != (id(np.ndarray), a.ctypes.data, a.ndim, id(a.dtype)):
            return False
        sizes = tuple(read_long(read_long(place + SIZES) + 8 * d) for d in range(a.ndim))
        if sizes != a.shape or (read_int(place + FLAGS) & CARRAY == CARRAY) != a.flags.carray:
            return False
    items = [read_long(id(arrays) + ITEMS + 8 * i) for i in range(len(arrays))]
    return read_long(id(arrays) + LENGTH) == len(arrays) and items == [*map(id, arrays)]


AS_EXPECTED = are_as_expected()  # False for another Python than CPython, or a NumPy to come
