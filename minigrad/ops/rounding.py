"""Rounding to whole numbers, and division that does: floor, ceil, round, trunc, frac; quotients and remainders.

A step function is flat wherever it has a derivative, so the gradient of what is rounded is 0. Integers are whole
already: they come back as copies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..autograd import Op, must_broadcast, unwrap
from .common import (
    Operand,
    is_bool,
    must_be_arrays,
    promote,
    python_number,
    quiet,
    shape_of,
    sum_like,
    sum_to,
    zeros_like,
)

# ---------------------------------------------------------------------------------- one number rounded


class Rounded(Op):
    """y = x rounded to a whole number, in the way that `rounding` does; dy/dx = 0"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, rounding: Callable) -> np.ndarray:
        return rounding(x) if x.dtype.kind == "f" else np.copy(x)

    def backward(self, g: Operand) -> Operand:
        return zeros_like(g)


def floor(input: Operand) -> Operand:
    """The largest whole number that is not above; its gradient is 0. RuntimeError for bools.

    >>> import minigrad
    >>> minigrad.floor(minigrad.tensor([-1.5, -0.2, 2.0, 2.7]))
    tensor([-2., -1.,  2.,  2.])
    """
    return _rounded("floor", input, np.floor)


def ceil(input: Operand) -> Operand:
    """The smallest whole number that is not below; its gradient is 0. RuntimeError for bools.

    >>> import minigrad
    >>> minigrad.ceil(minigrad.tensor([-1.5, 2.0, 2.3]))
    tensor([-1.,  2.,  3.])
    """
    return _rounded("ceil", input, np.ceil)


def trunc(input: Operand) -> Operand:
    """The number without its fraction: rounded towards 0; its gradient is 0. RuntimeError for bools.

    >>> import minigrad
    >>> minigrad.trunc(minigrad.tensor([-1.5, 2.0, 2.7]))
    tensor([-1.,  2.,  2.])
    """
    return _rounded("trunc", input, np.trunc)


def round(input: Operand, *, decimals: int = 0) -> Operand:
    """The nearest number of so many decimals, of two that are equally near the even one; its gradient is 0.

    A negative `decimals` rounds to tens, hundreds, ... RuntimeError for bools, and for integers with decimals.

    >>> import minigrad
    >>> minigrad.round(minigrad.tensor([0.5, 1.5, 2.5, -2.6]))
    tensor([ 0.,  2.,  2., -3.])
    >>> x = minigrad.tensor([1234.567])
    >>> minigrad.round(x, decimals=1), minigrad.round(x, decimals=-2)
    (tensor([1234.6000]), tensor([1200.]))
    """
    places = python_number("round", "decimals", decimals)
    if not isinstance(places, int):
        raise TypeError(f"round: decimals must be an int, got {decimals!r}")
    if not places:
        return _rounded("round", input, np.rint)
    must_be_arrays("round", input)
    if input.dtype.kind != "f":
        raise RuntimeError(f"round: decimals are for floating dtypes, got {input.dtype.name}; use x.float()")
    return _rounded("round", input, partial(_round_to, decimals=places))


def _round_to(x: np.ndarray, decimals: int) -> np.ndarray:
    scale = x.dtype.type(np.float64(10) ** abs(decimals))  # a power of ten below 1 would not be exact
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


def frac(input: Operand) -> Operand:
    """The fraction, with the sign of input: input - trunc(input); its gradient is 1. RuntimeError for integers.

    >>> import minigrad
    >>> minigrad.frac(minigrad.tensor([1.5, -2.25, 3.0]))
    tensor([ 0.5000, -0.2500,  0.0000])
    """
    must_be_arrays("frac", input)
    if input.dtype.kind != "f":
        raise RuntimeError(f"frac: needs a floating dtype, got {input.dtype.name}; integers have no fraction")
    with np.errstate(invalid="ignore"):  # inf - inf
        return input - trunc(input)


def _rounded(op: str, x: Operand, rounding: Callable) -> Operand:
    must_be_arrays(op, x)
    if is_bool(x):
        raise RuntimeError(f"{op}: a bool tensor cannot be rounded; convert it with .to(dtype)")
    return Rounded.apply(x, rounding=rounding)


fix = trunc  # PyTorch's other name

# -------------------------------------------------------------------------------- quotients and remainders


class Quotient(Op):
    """y = a / b rounded to a whole number, down (`floor`) or towards 0; dy/da = dy/db = 0"""

    saves_inputs = False

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray, floor: bool) -> np.ndarray:
        self.shapes = shape_of(a), shape_of(b)
        if floor:
            return np.floor_divide(a, b)
        if np.result_type(a, b).kind == "f":
            return np.trunc(a / b)
        return (a - np.fmod(a, b)) // b  # goes without remainder: float64 would not hold all int64

    def backward(self, g: Operand) -> tuple:
        zeros = zeros_like(g)
        (a, b), (need_a, need_b) = self.shapes, self.needs
        return sum_to(zeros, a) if need_a else None, sum_to(zeros, b) if need_b else None


class Remainder(Op):
    """y = a - b q, q being a / b rounded to a whole number, down (`floor`) or towards 0; dy/da = 1, dy/db = -q"""

    uses = ((), (0, 1))

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray, floor: bool) -> np.ndarray:
        self.floor = floor
        y = np.fmod(a, b)  # exact, and of the sign of a
        return np.where((y != 0) & ((y < 0) != (b < 0)), y + b, y) if floor else y

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        return (
            sum_like(g, a) if need_a else None,
            sum_like(-g * Quotient.apply(a, b, floor=self.floor), b) if need_b else None,
        )


def floor_divide(input: Operand, other: Operand) -> Operand:
    """input / other rounded down, as // in Python; its gradient is 0.

    RuntimeError if the shapes do not broadcast, for bools, and for integers divided by 0; floats are then infinite or
    NaN.

    >>> import minigrad
    >>> minigrad.floor_divide(minigrad.tensor([7, -7]), 2), minigrad.tensor([7.5, -7.5]) // 2
    (tensor([ 3, -4]), tensor([ 3., -4.]))
    """
    return quotient("floor_divide", input, other, floor=True)


def quotient(op: str, a: Operand, b: Operand, floor: bool) -> Operand:
    """a / b rounded to a whole number, down or towards 0, for the public function `op`."""
    return _divided(Quotient, op, a, b, floor)


def remainder(input: Operand, other: Operand) -> Operand:
    """What input // other leaves over, as % in Python: its sign is that of other.

    The gradients are 1 and -(input // other). RuntimeError if the shapes do not broadcast, for bools, and for integers
    divided by 0; floats are then NaN.

    >>> import minigrad
    >>> minigrad.remainder(minigrad.tensor([7, -7]), 3), minigrad.tensor([7.5, -7.5]) % 2
    (tensor([1, 2]), tensor([1.5000, 0.5000]))
    """
    return _divided(Remainder, "remainder", input, other, floor=True)


def fmod(input: Operand, other: Operand) -> Operand:
    """What is left of input once other is taken off as often as it goes into it, as in C: its sign is that of input.

    The gradients are 1 and -trunc(input / other). Errors as those of `remainder`.

    >>> import minigrad
    >>> minigrad.fmod(minigrad.tensor([7, -7]), 3), minigrad.fmod(minigrad.tensor([7.5, -7.5]), 2)
    (tensor([ 1, -1]), tensor([ 1.5000, -1.5000]))
    """
    return _divided(Remainder, "fmod", input, other, floor=False)


def _divided(cls: type[Op], op: str, a: Operand, b: Operand, floor: bool) -> Operand:
    a, b = promote(op, a, b)
    x, y = unwrap(a), unwrap(b)
    must_broadcast(op, x, y)
    if is_bool(x) and is_bool(y):
        raise RuntimeError(f"{op}: bools cannot be divided into whole numbers; convert with .to(dtype)")
    if np.result_type(x, y).kind in "iu" and x.size and not np.all(y):
        raise RuntimeError(f"{op}: ZeroDivisionError: integers cannot be divided by 0; use floats for inf and NaN")
    return cls.apply(a, b, floor=floor)
