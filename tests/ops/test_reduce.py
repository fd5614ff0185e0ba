"""Reductions: the forms of their arguments, no elements, no dimensions, and products of which some factors are zero."""

import numpy as np
import pytest

import minigrad
from minigrad import autograd, ops

X = np.random.default_rng(0).standard_normal((2, 3, 4))


@pytest.fixture
def x():
    """A float64 tensor of shape (2, 3, 4)."""
    return minigrad.tensor(X)


def close(ours, wanted):
    np.testing.assert_allclose(ours.array, wanted, rtol=1e-12, strict=True)


def test_unbiased_is_the_old_name_of_correction(x):
    close(ops.var(x, False), X.var())
    close(ops.var(x, 1, True, True), X.var(1, ddof=1, keepdims=True))
    close(ops.std(x, (0, 2), False), X.std((0, 2)))
    for pair, spread in ((ops.var_mean(x, False), X.var()), (ops.std_mean(x, unbiased=False), X.std())):
        close(pair[0], spread)
        close(pair[1], np.asarray(X.mean()))


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("name", ["argmax", "argmin", "amax", "amin", "all", "any"])
def test_numpys_spelling(name, axis, x):
    found = getattr(ops, name)(x.round(), axis=axis, keepdims=True)
    function = getattr(np, name.replace("ama", "ma").replace("ami", "mi"))
    np.testing.assert_array_equal(found.array, function(X.round(), axis=axis, keepdims=True))


def test_a_dtype_is_what_is_computed_in():
    x = minigrad.full((3,), 200, dtype=minigrad.uint8)
    assert ops.sum(x).dtype == ops.prod(x).dtype == ops.cumprod(x, 0).dtype == minigrad.int64
    assert (ops.sum(x, dtype=minigrad.uint8).item(), ops.sum(x, dtype=minigrad.int8).dtype) == (88, minigrad.int8)
    assert ops.prod(x, dtype=minigrad.float64).item() == 8e6
    close(ops.norm(minigrad.tensor([3.0, 4.0]), dtype=minigrad.float64), np.float64(5.0))


DTYPES = ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.reference
@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_are_pytorchs(name, dtype, pytorch):
    for wanted in DTYPES[name.startswith("cum") :]:  # PyTorch has no running sums of bools
        ours, theirs = (
            getattr(m, name)(m.tensor([7, 0, 9]).to(getattr(m, dtype)), 0, dtype=getattr(m, wanted))
            for m in (minigrad, pytorch)
        )
        np.testing.assert_array_equal(ours.array, theirs.numpy(), strict=True)


def test_of_no_dimensions():
    x = minigrad.tensor(3.0)
    for name in ("max", "min", "median"):
        values, indices = getattr(ops, name)(x, 0)
        assert (values.item(), indices.item(), indices.dtype) == (3.0, 0, minigrad.int64)
    for name in ("cumsum", "cumprod"):
        y = getattr(ops, name)(x, -1)
        assert y.item() == 3.0 and not np.shares_memory(y.array, x.array)
    assert ops.prod(x, 0, keepdim=True).shape == ops.aminmax(x, dim=0).max.shape == ()


def test_of_no_elements():
    x = minigrad.zeros(0, 3)
    assert ops.prod(x).item() == 1.0 and ops.prod(x, 0).tolist() == [1.0] * 3 and ops.prod(x, 1).shape == (0,)
    assert ops.logsumexp(x, 0).tolist() == [-float("inf")] * 3
    assert ops.count_nonzero(x).item() == 0 and np.isnan(ops.median(x).item())
    with pytest.raises(RuntimeError, match="median: no int64 is the median of zero elements"):
        ops.median(x.long())
    assert ops.median(x, 1).values.shape == (0,)


def test_dim_of_two_tensors(x):
    close(ops.max(x, -x), np.abs(X))
    close(ops.min(x, -x), -np.abs(X))


@pytest.mark.parametrize("name", ["all", "any"])
def test_all_and_any_over_no_dims_and_of_uint8(name):
    x = minigrad.tensor([[0, 2], [3, 4]], dtype=minigrad.uint8)
    assert getattr(ops, name)(x, dim=()).tolist() == [[0, 1], [1, 1]]
    assert getattr(ops, name)(x).dtype == minigrad.uint8 and getattr(ops, name)(x.int()).dtype == minigrad.bool


@pytest.mark.parametrize("factors", [[2.0, 3.0, 5.0, 7.0], [2.0, 0.0, 5.0, 7.0], [0.0, 3.0, 0.0, 7.0], [0.0] * 4])
def test_every_derivative_of_a_product_is_the_product_of_the_rest(factors):
    x = minigrad.tensor(factors, dtype=minigrad.float64, requires_grad=True)
    y, left = ops.prod(x), list(range(4))
    while left:
        i = left.pop()
        (g,) = autograd.grad(y, x, create_graph=True, materialize_grads=True)
        y = g[i]
        assert y.item() == np.prod([factors[j] for j in left])
        assert [g[j].item() for j in range(4) if j > i] == [0.0] * (3 - i)  # every factor is there once


@pytest.mark.parametrize(
    "reduce", [ops.prod, lambda x: ops.prod(x, 0), lambda x: ops.median(x, 0)[0], lambda x: ops.max(x, 0)[0]]
)
@pytest.mark.parametrize("shape", [(), (1,), (1, 2)])
def test_a_result_of_one_element_along_dim_owns_its_memory(reduce, shape):
    x = minigrad.ones(shape)
    reduce(x).add_(5)
    assert (x.array == 1).all()
