"""Comparisons, tests and bitwise functions: what has no gradient, for it is a bool, a whole number or an index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import is_tensor, must_broadcast, unwrap, wrap
from .common import Operand, is_number_or_array, must_be_arrays, promote, python_number, quiet

# ----------------------------------------------------------------------------------------- comparisons


def _compare(name: str, ufunc: np.ufunc, a: Operand, b: Operand) -> Operand:
    for x in (a, b):
        if not is_number_or_array(x):
            raise TypeError(f"{name}: operands must be Tensors, arrays or numbers, got {type(x).__name__}")
    x, y = unwrap(a), unwrap(b)
    if hasattr(x, "dtype") and hasattr(y, "dtype"):
        x, y = promote(name, x, y)  # NumPy would compare a float32 array with a float64 number in float64
    try:
        result = ufunc(x, y)
    except ValueError:
        must_broadcast(name, x, y)
        raise
    return wrap(result) if is_tensor(a) or is_tensor(b) else result


def eq(input: Operand, other: Operand) -> Operand:
    """input == other, elementwise: bools. NaN equals nothing. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.eq(minigrad.tensor([1.0, 2.0, float("nan")]), minigrad.tensor([1.0, 3.0, float("nan")]))
    tensor([ True, False, False])
    """
    return _compare("eq", np.equal, input, other)


def ne(input: Operand, other: Operand) -> Operand:
    """input != other, elementwise: bools. NaN differs from everything. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.ne(minigrad.tensor([1.0, 2.0, float("nan")]), minigrad.tensor([1.0, 3.0, float("nan")]))
    tensor([False,  True,  True])
    """
    return _compare("ne", np.not_equal, input, other)


def lt(input: Operand, other: Operand) -> Operand:
    """input < other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.lt(minigrad.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return _compare("lt", np.less, input, other)


def le(input: Operand, other: Operand) -> Operand:
    """input <= other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.le(minigrad.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return _compare("le", np.less_equal, input, other)


def gt(input: Operand, other: Operand) -> Operand:
    """input > other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.gt(minigrad.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return _compare("gt", np.greater, input, other)


def ge(input: Operand, other: Operand) -> Operand:
    """input >= other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.ge(minigrad.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return _compare("ge", np.greater_equal, input, other)


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge  # PyTorch's other names


# ------------------------------------------------------------------------------------ logic and tests


def logical_and(input: Operand, other: Operand) -> Operand:
    """True where both are non-zero. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.logical_and(minigrad.tensor([1, 2, 0]), minigrad.tensor([4, 0, 0]))
    tensor([ True, False, False])
    """
    return _compare("logical_and", np.logical_and, input, other)


def logical_or(input: Operand, other: Operand) -> Operand:
    """True where either is non-zero. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.logical_or(minigrad.tensor([1, 2, 0]), minigrad.tensor([4, 0, 0]))
    tensor([ True,  True, False])
    """
    return _compare("logical_or", np.logical_or, input, other)


def logical_xor(input: Operand, other: Operand) -> Operand:
    """True where one is non-zero and the other is zero. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.logical_xor(minigrad.tensor([1, 2, 0]), minigrad.tensor([4, 0, 0]))
    tensor([False,  True, False])
    """
    return _compare("logical_xor", np.logical_xor, input, other)


def _test(name: str, ufunc: np.ufunc, x: Operand) -> Operand:
    must_be_arrays(name, x)
    result = ufunc(unwrap(x))
    return wrap(result) if is_tensor(x) else result


def logical_not(input: Operand) -> Operand:
    """True where input is zero.

    >>> import minigrad
    >>> minigrad.logical_not(minigrad.tensor([0.0, 0.5, float("nan")]))
    tensor([ True, False, False])
    """
    return _test("logical_not", np.logical_not, input)


def isnan(input: Operand) -> Operand:
    """True where input is NaN.

    >>> import minigrad
    >>> minigrad.isnan(minigrad.tensor([1.0, float("inf"), float("nan")]))
    tensor([False, False,  True])
    """
    return _test("isnan", np.isnan, input)


def isinf(input: Operand) -> Operand:
    """True where input is inf or -inf.

    >>> import minigrad
    >>> minigrad.isinf(minigrad.tensor([1.0, -float("inf"), float("nan")]))
    tensor([False,  True, False])
    """
    return _test("isinf", np.isinf, input)


def isfinite(input: Operand) -> Operand:
    """True where input is neither NaN nor infinite.

    >>> import minigrad
    >>> minigrad.isfinite(minigrad.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return _test("isfinite", np.isfinite, input)


@quiet  # inf - inf
def isclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Operand:
    """True where |input - other| <= atol + rtol |other|, and where both are the same infinity.

    NaN is close to NaN only with `equal_nan`. Operands of two dtypes are compared in the one they promote to (PyTorch
    refuses them). RuntimeError if the shapes do not broadcast, and for a negative tolerance.

    >>> import minigrad
    >>> minigrad.isclose(minigrad.tensor([1.0, 100.0]), minigrad.tensor([1.001, 100.0005]))
    tensor([False,  True])
    """
    result = _are_close("isclose", input, other, rtol, atol, equal_nan)
    return wrap(result) if is_tensor(input) or is_tensor(other) else result


@quiet
def allclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Does `isclose`, of the same arguments, hold everywhere?

    >>> import minigrad
    >>> minigrad.allclose(minigrad.tensor([1.0, 100.0]), minigrad.tensor([1.0, 100.0005]))
    True
    """
    return bool(np.all(_are_close("allclose", input, other, rtol, atol, equal_nan)))


def _are_close(op: str, a: Operand, b: Operand, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    must_be_arrays(op, a, b)
    a, b = promote(op, unwrap(a), unwrap(b))
    must_broadcast(op, a, b)
    rtol, atol = python_number(op, "rtol", rtol), python_number(op, "atol", atol)
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance >= 0:
            raise RuntimeError(f"{op}: {name} must be 0 or more, got {tolerance}")
    close = a == b
    if equal_nan:
        close = close | (np.isnan(a) & np.isnan(b))
    x, y = (v if v.dtype.kind == "f" else v.astype(np.float64) for v in (a, b))  # uint8 would wrap around below 0
    error = np.abs(x - y)
    return np.asarray(close | (np.isfinite(error) & (error <= atol + np.abs(rtol * y))))


def equal(input: Operand, other: Operand) -> bool:
    """Are shape and all elements the same? The dtypes may differ; NaN equals nothing.

    >>> import minigrad
    >>> x = minigrad.tensor([1, 2])
    >>> minigrad.equal(x, x.float()), minigrad.equal(x, x[:1])
    (True, False)
    """
    must_be_arrays("equal", input, other)
    return bool(np.array_equal(unwrap(input), unwrap(other)))


def nonzero(input: Operand, *, as_tuple: bool = False) -> Any:
    """Where the elements are not zero: a row of indices for each, in the order of the elements; int64, (count, ndim).

    With `as_tuple` the columns apart, one tensor for each dimension: an index that picks these elements. A 0-d tensor
    then counts as one of one element.

    >>> import minigrad
    >>> x = minigrad.tensor([[0, 7], [8, 0]])
    >>> minigrad.nonzero(x)
    tensor([[0, 1],
            [1, 0]])
    >>> x[minigrad.nonzero(x, as_tuple=True)]
    tensor([7, 8])
    """
    must_be_arrays("nonzero", input)
    array = np.asarray(unwrap(input))
    if as_tuple:
        places = np.nonzero(np.atleast_1d(array))
        return tuple(map(wrap, places)) if is_tensor(input) else places
    rows = np.argwhere(array)
    return wrap(rows) if is_tensor(input) else rows


# ---------------------------------------------------------------------------------------------- bits


def bitwise_and(input: Operand, other: Operand) -> Operand:
    """The and of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_and(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([2, 1])
    """
    return _bitwise("bitwise_and", np.bitwise_and, input, other)


def bitwise_or(input: Operand, other: Operand) -> Operand:
    """The or of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_or(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([7, 7])
    """
    return _bitwise("bitwise_or", np.bitwise_or, input, other)


def bitwise_xor(input: Operand, other: Operand) -> Operand:
    """The exclusive or of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_xor(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([5, 6])
    """
    return _bitwise("bitwise_xor", np.bitwise_xor, input, other)


def bitwise_not(input: Operand) -> Operand:
    """The opposite of bools, or of the bits of integers (-1 - input if signed); TypeError for floats.

    >>> import minigrad
    >>> minigrad.bitwise_not(minigrad.tensor([0, 5])), minigrad.bitwise_not(minigrad.tensor([True, False]))
    (tensor([-1, -6]), tensor([False,  True]))
    """
    _must_have_bits("bitwise_not", input)
    return _test("bitwise_not", np.invert, input)


def _bitwise(name: str, ufunc: np.ufunc, a: Operand, b: Operand) -> Operand:
    a, b = promote(name, a, b)
    _must_have_bits(name, a, b)
    return _compare(name, ufunc, a, b)


def _must_have_bits(name: str, *operands: Operand) -> None:
    for x in operands:
        if not hasattr(x, "dtype") or x.dtype.kind == "f":
            raise TypeError(f"{name}: needs bools or integers, got {x.dtype.name if hasattr(x, 'dtype') else repr(x)}")
