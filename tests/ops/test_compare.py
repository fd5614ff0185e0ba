"""Comparisons and tests beside NumPy's, on tensors, arrays and dtypes of all kinds."""

from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import ops

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 1.0 + 1e-6, 1e30, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize(("rtol", "atol", "equal_nan"), [*product([0, 1e-5, 1], [0, 1e-8, 2.0], [False, True])])
def test_isclose_and_allclose_are_numpys(rtol, atol, equal_nan):
    a, b = np.meshgrid(SPECIAL, SPECIAL)
    with np.errstate(invalid="ignore"):
        wanted = np.isclose(a, b, rtol, atol, equal_nan)
    options = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan}
    found = minigrad.isclose(minigrad.tensor(a), minigrad.tensor(b), **options)
    np.testing.assert_array_equal(found.array, wanted)
    assert isinstance(ops.isclose(a, b, **options), np.ndarray)
    for x, y, close in zip(a.ravel(), b.ravel(), wanted.ravel(), strict=True):
        assert minigrad.allclose(minigrad.tensor(x), minigrad.tensor(y), **options) is bool(close)


def test_small_unsigned_integers_do_not_wrap_around():
    a, b = (minigrad.tensor(n, dtype=minigrad.uint8) for n in ([0, 255], [1, 0]))
    assert minigrad.isclose(a, b, atol=1).tolist() == [True, False]
    assert minigrad.isclose(b, a, atol=1).tolist() == [True, False]


def test_an_infinite_tolerance_does_not_reach_infinity():
    inf = minigrad.tensor(float("inf"))
    assert not minigrad.allclose(inf, minigrad.tensor(1.0), atol=float("inf"))
    assert minigrad.allclose(inf, inf)


@pytest.mark.parametrize("shape", [(3, 4), (), (0, 3), (5,)])
@pytest.mark.parametrize("dtype", ["bool", "int64", "float32"])
def test_nonzero_gives_the_places_of_what_is_not_zero(shape, dtype, rng):
    x = minigrad.tensor(rng.integers(0, 2, shape).astype(dtype))
    rows, columns = minigrad.nonzero(x), minigrad.nonzero(x, as_tuple=True)
    np.testing.assert_array_equal(rows.array, np.argwhere(x.array))
    assert rows.dtype == minigrad.int64 and all(column.dtype == minigrad.int64 for column in columns)
    assert len(columns) == max(len(shape), 1)
    picked = x.reshape(shape or (1,))[columns]
    assert picked.shape == (int(minigrad.count_nonzero(x)),) and bool((picked != 0).all())
    for column, same in zip(columns, minigrad.where(x), strict=True):
        assert minigrad.equal(column, same)


def test_zero_of_no_dimensions_is_at_no_place():
    zero, one = minigrad.tensor(0), minigrad.tensor(3)
    assert minigrad.nonzero(zero).shape == (0, 0) and minigrad.nonzero(one).shape == (1, 0)
    assert minigrad.where(zero)[0].tolist() == [] and minigrad.where(one)[0].tolist() == [0]


@pytest.mark.reference
@pytest.mark.parametrize("family", ["compare", "elementwise", "rounding", "reduce"])
def test_what_pytorch_has_as_a_function_or_a_method_we_have_so_too(family):
    torch = pytest.importorskip("torch")
    names = [name for name in ops.__all__ if getattr(ops, name).__module__ == f"minigrad.ops.{family}"]
    assert len(names) > 8
    assert [name for name in names if hasattr(torch, name) and not hasattr(minigrad, name)] == []
    assert [name for name in names if hasattr(torch.Tensor, name) and not hasattr(minigrad.Tensor, name)] == []


PAIRS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}
BITS = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}
SINGLE = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "logical_not": np.logical_not}
OTHER_NAMES = {"ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}


@pytest.mark.parametrize("name", PAIRS)
def test_comparisons_are_numpys(name):
    x, y = minigrad.tensor(SPECIAL[:, None], requires_grad=True), minigrad.tensor(SPECIAL)
    found = getattr(x, name)(y)
    np.testing.assert_array_equal(found.array, PAIRS[name](SPECIAL[:, None], SPECIAL))
    assert found.dtype == minigrad.bool and not found.requires_grad
    np.testing.assert_array_equal(getattr(y, name)(1.0).array, PAIRS[name](SPECIAL, 1.0))
    assert getattr(ops, OTHER_NAMES.get(name, name)) is getattr(ops, name)


@pytest.mark.parametrize("name", BITS)
def test_bits_are_numpys(name, rng):
    for dtype in ("bool", "uint8", "int32"):
        a, b = (rng.integers(0, 2 if dtype == "bool" else 100, 9).astype(dtype) for _ in range(2))
        found = getattr(minigrad.tensor(a), name)(minigrad.tensor(b))
        np.testing.assert_array_equal(found.array, BITS[name](a, b), strict=True)
        np.testing.assert_array_equal((~minigrad.tensor(a)).array, ~a, strict=True)


@pytest.mark.parametrize("name", SINGLE)
def test_tests_are_numpys(name):
    np.testing.assert_array_equal(getattr(minigrad.tensor(SPECIAL), name)().array, SINGLE[name](SPECIAL))


def test_equal_wants_the_same_shape_and_no_nan():
    x = minigrad.tensor([1.0, 2.0])
    assert minigrad.equal(x, minigrad.tensor([1, 2])) and not minigrad.equal(x, minigrad.tensor([[1.0, 2.0]]))
    assert not minigrad.equal(x * float("nan"), x * float("nan"))
