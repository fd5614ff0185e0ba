"""What rounding does to integers, where Python has the same rules without rounding errors."""

import numpy as np
import pytest

import minigrad
from minigrad import ops

INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "fix"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_come_back_as_copies(name, dtype):
    x = minigrad.tensor([1, 2, 100], dtype=getattr(minigrad, dtype))
    y = getattr(minigrad, name)(x)
    assert y.dtype == x.dtype and minigrad.equal(x, y)
    assert not np.shares_memory(x.array, y.array)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_whole_division_of_integers_is_exact(dtype, rng):
    ends = np.iinfo(dtype)
    a = rng.integers(ends.min, ends.max, 200, dtype, endpoint=True)
    b = rng.integers(max(ends.min, -50), 50, 200, dtype, endpoint=True)
    b[b == 0] = 7
    a[a == ends.min] += 1  # divided by -1 it would be one more than the dtype holds
    x, y = minigrad.tensor(a), minigrad.tensor(b)
    python = [(int(m), int(n)) for m, n in zip(a, b, strict=True)]
    truncated = [abs(m) // abs(n) * (1 if (m < 0) == (n < 0) else -1) for m, n in python]
    assert (x // y).tolist() == ops.div(x, y, rounding_mode="floor").tolist() == [m // n for m, n in python]
    assert (x % y).tolist() == [m % n for m, n in python]
    assert ops.div(x, y, rounding_mode="trunc").tolist() == truncated
    assert ops.fmod(x, y).tolist() == [m - n * q for (m, n), q in zip(python, truncated, strict=True)]


@pytest.mark.parametrize("other", [0, [0, 1]])
def test_nothing_is_divided_by_zero_where_there_is_nothing_to_divide(other):
    empty, zeros = minigrad.zeros(0, 2, dtype=minigrad.int64), minigrad.tensor(other)
    for function in (ops.floor_divide, ops.remainder, ops.fmod):
        assert function(empty, zeros).shape == (0, 2)


def test_operators_take_numbers_on_either_side():
    x = minigrad.tensor([2.0, -2.0])
    assert (x // 1.5).tolist() == [1.0, -2.0] and (x % 1.5).tolist() == [0.5, 1.0]
    assert (5 // x).tolist() == [2.0, -3.0] and (5 % x).tolist() == [1.0, -1.0]
