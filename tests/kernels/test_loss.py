"""Softmax cross entropy, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference

BACKENDS = [reference, compiled]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9),
    st.sampled_from([1, 2, 3, 7, 10, 13, 16, 17, 31, 32, 33, 47, 48, 49, 101]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([np.int64, np.int32, np.uint8]),
    st.integers(0, 2**32 - 1),
)
def test_compiled_equals_reference(N, C, dtype, label_dtype, seed):
    rng = np.random.default_rng(seed)
    x, labels = (rng.standard_normal((N, C)) * 20).astype(dtype), rng.integers(0, C, N).astype(label_dtype)
    g = rng.standard_normal(N).astype(dtype)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    actual, expected = compiled.softmax_cross_entropy(x, labels), reference.softmax_cross_entropy(x, labels)
    actual += (compiled.softmax_cross_entropy_backward(g, expected[1], labels),)
    expected += (reference.softmax_cross_entropy_backward(g, expected[1], labels),)
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype == dtype and a.shape == e.shape
        np.testing.assert_allclose(a, e, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("C", [1, 5, 32, 50])
def test_nan_and_infinity_at_each_position(kernels, C):
    """They spoil their own row alone."""
    x, labels = np.random.default_rng(3).standard_normal((3, C)).astype(np.float32), np.array([0, C - 1, C // 2])
    clean = reference.softmax_cross_entropy(x, labels)
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        for position in np.ndindex(x.shape):
            poisoned = x.copy()
            poisoned[position] = value
            expected = reference.softmax_cross_entropy(poisoned, labels)
            for a, e, c in zip(kernels.softmax_cross_entropy(poisoned, labels), expected, clean, strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)
                others = np.arange(3) != position[0]
                np.testing.assert_allclose(a[others], c[others], rtol=1e-5, atol=1e-6)


def test_rows_are_done_in_blocks():
    """More than the block of 4,096 numbers, and not a multiple of it."""
    rng = np.random.default_rng(4)
    for N, C in ((1000, 9), (3, 5000)):
        x, labels = rng.standard_normal((N, C)).astype(np.float32), rng.integers(0, C, N)
        expected = reference.softmax_cross_entropy(x, labels)
        for a, e in zip(compiled.softmax_cross_entropy(x, labels), expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_by_hand(kernels):
    x = np.log([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]])
    loss, probs = kernels.softmax_cross_entropy(x, np.array([2, 0]))
    np.testing.assert_allclose(probs, [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]])
    np.testing.assert_allclose(loss, -np.log([5 / 8, 1 / 4]))
    gx = kernels.softmax_cross_entropy_backward(np.array([8.0, -4.0]), probs, np.array([2, 0]))
    np.testing.assert_allclose(gx, [[1, 2, -3], [3, -1, -2]])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_large_values_do_not_overflow(kernels):
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4 - 1, -3e4]], np.float32)
    loss, probs = kernels.softmax_cross_entropy(x, np.array([1, 0]))
    np.testing.assert_allclose(loss, [1 + np.log1p(np.exp(-1)), np.log1p(np.exp(-1))], rtol=1e-6)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_minus_infinity_is_a_probability_of_zero(kernels):
    x = np.array([[0.0, -np.inf, 0.0]], np.float32)
    for label, expected in ((0, np.log(2)), (1, np.inf)):
        loss, probs = kernels.softmax_cross_entropy(x, np.array([label]))
        np.testing.assert_allclose(loss, [expected], rtol=1e-6)
        np.testing.assert_allclose(probs, [[0.5, 0, 0.5]])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_gradient_equals_central_differences(kernels):
    rng = np.random.default_rng(1)
    (x, dx), g, labels = rng.standard_normal((2, 6, 4)), rng.standard_normal(6), rng.integers(0, 4, 6)
    gx = kernels.softmax_cross_entropy_backward(g, kernels.softmax_cross_entropy(x, labels)[1], labels)

    def loss(t):
        return np.vdot(g, kernels.softmax_cross_entropy(x + t * dx, labels)[0])

    np.testing.assert_allclose(np.vdot(gx, dx), (loss(1e-5) - loss(-1e-5)) / 2e-5, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_refused_label_leaves_out_unchanged(kernels):
    out = np.full(3, 7.0), np.full((3, 2), 7.0)
    with pytest.raises(IndexError):
        kernels.softmax_cross_entropy(np.zeros((3, 2)), np.array([0, 1, 2]), out=out)
    assert (out[0] == 7).all() and (out[1] == 7).all()


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_pytorch(kernels, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x, labels, g = (
        rng.standard_normal((9, 7)).astype(dtype),
        rng.integers(0, 7, 9),
        rng.standard_normal(9).astype(dtype),
    )
    x[3, 2], x[4, :], x[5, 0], labels[5] = np.nan, -np.inf, -np.inf, 0
    tx = torch.tensor(x, requires_grad=True)
    tloss = torch.nn.functional.cross_entropy(tx, torch.from_numpy(labels), reduction="none")
    (tgx,) = torch.autograd.grad(tloss, tx, torch.from_numpy(g))
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    loss, probs = kernels.softmax_cross_entropy(x, labels)
    np.testing.assert_allclose(loss, tloss.detach(), **tolerance)
    np.testing.assert_allclose(probs, torch.softmax(tx, 1).detach(), **tolerance)
    np.testing.assert_allclose(kernels.softmax_cross_entropy_backward(g, probs, labels), tgx, **tolerance)
