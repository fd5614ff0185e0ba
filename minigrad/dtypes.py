"""Data types under PyTorch's names, the default one, and PyTorch's rules for mixing them.

A dtype here is a NumPy dtype, so `minigrad.float32 == np.float32` holds. The rules differ from NumPy's in three
places, and follow PyTorch: a Python number or a 0-d tensor never widens a dtype of its own kind or below (int64
times 2.5 is float32, not float64); an integer tensor met by a float one takes the float one's dtype, whatever
the widths; true division and the transcendental functions turn integers into the default dtype.

Source: PyTorch, "Tensor Attributes: type promotion".
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

__all__ = [
    "bool",
    "double",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "iinfo",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "set_default_dtype",
    "short",
    "uint8",
]

bool = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
float16 = half = np.dtype(np.float16)
float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)

SUPPORTED = (bool, uint8, int8, int16, int32, int64, float16, float32, float64)
_default = float32


def get_default_dtype() -> np.dtype:
    """The floating dtype that Python floats become.

    >>> import minigrad
    >>> minigrad.get_default_dtype()
    dtype('float32')
    """
    return _default


def set_default_dtype(dtype: Any) -> None:
    """Set the floating dtype that Python floats become (float32 at first).

    Raises TypeError for a dtype that is not a floating one.

    >>> import minigrad
    >>> minigrad.set_default_dtype(minigrad.float64)
    >>> minigrad.tensor([0.5]).dtype
    dtype('float64')
    >>> minigrad.set_default_dtype(minigrad.float32)
    """
    global _default
    wanted = as_dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"set_default_dtype: needs a floating dtype such as minigrad.float32, got {wanted.name}")
    _default = wanted


def as_dtype(dtype: Any) -> np.dtype:
    """A supported dtype from a dtype, a NumPy scalar type, a name or a Python type; TypeError otherwise.

    As in PyTorch, `float` is float64 and `int` is int64, whatever the default dtype.

    >>> import minigrad
    >>> minigrad.dtypes.as_dtype("float16") is minigrad.half
    True
    """
    try:
        if dtype is None:
            raise TypeError  # NumPy takes it for float64
        found = np.dtype(dtype).newbyteorder("=")
        if isinstance(dtype, str) and found.kind in "SUVMm":
            raise TypeError  # one of NumPy's codes for text, bytes or times, and hardly meant so
    except TypeError:
        raise TypeError(f"{dtype!r} is not a dtype; use one such as minigrad.float32 or minigrad.int64") from None
    if found not in SUPPORTED:
        names = ", ".join(d.name for d in SUPPORTED)
        raise TypeError(f"dtype {found.name} is not supported; the dtypes are {names}")
    return SUPPORTED[SUPPORTED.index(found)]  # that very object, so that `is` finds two dtypes equal


class finfo:
    """What a floating dtype, by default the default one, can hold: in Python numbers.

    bits            : the size of a number
    min, max        : the lowest and the largest number
    eps             : the distance from 1 to the next larger number
    smallest_normal : the smallest positive number with all its digits; also called `tiny`
    resolution      : 10^-d, where d is the number of decimal digits that are kept
    dtype           : the name of the dtype

    TypeError for a dtype that is not a floating one.

    >>> import minigrad
    >>> minigrad.finfo(minigrad.float16).max
    65504.0
    >>> minigrad.finfo().eps == 2**-23
    True
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: Any = None) -> None:
        found = _default if type is None else as_dtype(type)
        if found.kind != "f":
            raise TypeError(f"finfo: needs a floating dtype, got {found.name}; use minigrad.iinfo for integers")
        limits = np.finfo(found)
        self.bits, self.dtype = limits.bits, found.name
        self.min, self.max, self.eps = limits.min.item(), limits.max.item(), limits.eps.item()
        self.smallest_normal = self.tiny = limits.smallest_normal.item()
        self.resolution = 10.0**-limits.precision

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in names)}, dtype={self.dtype})"


class iinfo:
    """What an integer dtype can hold: in Python ints.

    bits     : the size of a number
    min, max : the lowest and the largest number
    dtype    : the name of the dtype

    TypeError for a dtype that is not one of integers.

    >>> import minigrad
    >>> minigrad.iinfo(minigrad.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: Any) -> None:
        found = as_dtype(type)
        if found.kind not in "iu":
            raise TypeError(f"iinfo: needs an integer dtype, got {found.name}; use minigrad.finfo for floats")
        limits = np.iinfo(found)
        self.bits, self.min, self.max, self.dtype = limits.bits, limits.min, limits.max, found.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def result_type(*operands: Any) -> np.dtype:
    """The dtype that an operation on these Tensors, arrays and numbers computes in. TypeError for anything else.

    >>> import minigrad
    >>> minigrad.result_type(minigrad.ones(2, dtype=minigrad.int64), 2.5)
    dtype('float32')
    """
    if not operands:
        raise TypeError("result_type: needs one or more Tensors, arrays or numbers")
    # Tensors with dimensions decide before 0-d ones, and those before Python numbers and NumPy scalars: one with
    # less say counts only where its kind (bool, integer, float) is a higher one.
    by_say: list[np.dtype | None] = [None, None, None]
    for x in operands:
        say, dtype = _describe(x)
        held = by_say[say]
        by_say[say] = dtype if held is None else _promote(held, dtype)
    result: np.dtype | None = None
    for found in by_say:
        if found is not None and (result is None or _rank(found) > _rank(result)):
            result = found
    assert result is not None
    return result


def promote_types(a: Any, b: Any) -> np.dtype:
    """The smallest dtype that both convert to, by PyTorch's table.

    >>> import minigrad
    >>> minigrad.promote_types(minigrad.int64, minigrad.float16)
    dtype('float16')
    """
    return _promote(as_dtype(a), as_dtype(b))


def _describe(x: Any) -> tuple[builtins.int, np.dtype]:
    """(0 for an array with dimensions, 1 for a 0-d one, 2 for a Python number or NumPy scalar) and its dtype."""
    if isinstance(x, (builtins.bool, np.bool_)):
        return 2, bool
    if isinstance(x, (builtins.int, np.integer)):
        return 2, int64
    if isinstance(x, (builtins.float, np.float32, np.float16)):
        return 2, _default
    dtype = getattr(x, "dtype", None)
    if not isinstance(dtype, np.dtype):
        raise TypeError(f"result_type: needs Tensors, arrays or numbers, got {type(x).__name__}")
    return (0 if x.ndim else 1), as_dtype(dtype)


def _rank(dtype: np.dtype) -> builtins.int:
    """bool 0, integers 1, floats 2."""
    return "bif".index(dtype.kind if dtype.kind != "u" else "i")


def _promote(a: np.dtype, b: np.dtype) -> np.dtype:
    if a == b:
        return a
    if _rank(a) != _rank(b):
        return a if _rank(a) > _rank(b) else b
    return np.promote_types(a, b)


def can_hold(kept: np.dtype, made: np.dtype) -> builtins.bool:
    """Can a result of dtype `made` be written into a tensor of dtype `kept`: is it of no higher kind?"""
    return _rank(made) <= _rank(kept)
