"""Softmax and cross entropy, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference, threads

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
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    results = []
    for kernels in (compiled, reference):
        loss, rows = kernels.softmax_cross_entropy(x, labels)
        mean, _ = kernels.softmax_cross_entropy(x, labels, True)
        each = kernels.softmax_cross_entropy_backward(g, x, labels, rows)
        same = kernels.softmax_cross_entropy_backward(np.ones((), dtype), x, labels, rows)
        results.append((loss, mean, rows, each, same))
    actual, expected = results
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype == dtype and a.shape == e.shape
        np.testing.assert_allclose(a, e, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("C", [1, 5, 32, 50])
def test_nan_and_infinity_at_each_position(kernels, C):
    """They spoil their own row alone."""
    x, labels = np.random.default_rng(3).standard_normal((3, C)).astype(np.float32), np.array([0, C - 1, C // 2])

    def results(kernels, x):
        loss, rows = kernels.softmax_cross_entropy(x, labels)
        gx = kernels.softmax_cross_entropy_backward(np.ones(3, np.float32), x, labels, rows)
        y, log_y = kernels.softmax(x), kernels.log_softmax(x)
        g = np.ones_like(x)
        return loss, gx, y, log_y, kernels.softmax_backward(g, y), kernels.log_softmax_backward(g, log_y)

    clean = results(reference, x)
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        for position in np.ndindex(x.shape):
            poisoned = x.copy()
            poisoned[position] = value
            for a, e, c in zip(results(kernels, poisoned), results(reference, poisoned), clean, strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-5)
                others = np.arange(3) != position[0]
                np.testing.assert_allclose(a[others], c[others], rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9),
    st.sampled_from([1, 2, 3, 7, 10, 13, 16, 17, 31, 32, 33, 47, 48, 49, 101]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.1, 1.0, 30.0, 1000.0]),
    st.integers(0, 2**32 - 1),
)
def test_compiled_softmax_equals_reference(N, C, dtype, size, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((N, C)) * size).astype(dtype), rng.standard_normal((N, C)).astype(dtype)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    y, log_y = reference.softmax(x), reference.log_softmax(x)
    for name, arrays in (
        ("softmax", (x,)),
        ("log_softmax", (x,)),
        ("softmax_backward", (g, y)),
        ("log_softmax_backward", (g, log_y)),
    ):
        actual, expected = (getattr(kernels, name)(*arrays) for kernels in (compiled, reference))
        assert actual.dtype == expected.dtype == dtype and actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, **tolerance, err_msg=name)


def test_small_probabilities_keep_their_digits():
    """Also those that float32 can only hold with fewer digits."""
    x = -np.linspace(0, 103, 500, dtype=np.float32)[None]
    exact = np.exp(x.astype(np.float64))
    exact /= exact.sum()
    np.testing.assert_allclose(compiled.softmax(x), exact, rtol=2e-6, atol=3e-45)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_by_hand(kernels):
    x = np.log([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]])
    loss, rows = kernels.softmax_cross_entropy(x, np.array([2, 0]))
    np.testing.assert_allclose(kernels.softmax(x), [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]])
    np.testing.assert_allclose(loss, -np.log([5 / 8, 1 / 4]))
    np.testing.assert_allclose(rows, [np.log([5, 8]), [5 / 8, 1 / 2]])
    gx = kernels.softmax_cross_entropy_backward(np.array([8.0, -4.0]), x, np.array([2, 0]), rows)
    np.testing.assert_allclose(gx, [[1, 2, -3], [3, -1, -2]])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_large_values_do_not_overflow(kernels):
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4 - 1, -3e4]], np.float32)
    loss, _ = kernels.softmax_cross_entropy(x, np.array([1, 0]))
    np.testing.assert_allclose(loss, [1 + np.log1p(np.exp(-1)), np.log1p(np.exp(-1))], rtol=1e-6)
    np.testing.assert_allclose(kernels.softmax(x).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 3), (700, 10), (90, 1000), (3, 20_000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_of_many_rows_and_its_gradient(shape, dtype, monkeypatch):
    """The same bits for any number of threads."""
    monkeypatch.setattr(threads, "SHARE", 10)  # so that small ones are shared too
    rng = np.random.default_rng(4)
    x, labels, g = rng.standard_normal(shape).astype(dtype), rng.integers(0, shape[1], shape[0]), np.array(3, dtype)
    each, _ = reference.softmax_cross_entropy(x, labels)
    before, results = threads.get_num_threads(), []
    try:
        for number in (1, 2, 4):
            threads.set_num_threads(number)
            mean, rows = compiled.softmax_cross_entropy(x, labels, True)
            gx = compiled.softmax_cross_entropy_backward(g, x, labels, rows)
            results.append((mean, rows, gx))
    finally:
        threads.set_num_threads(before)
    for others in results[1:]:
        for a, first in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(a, first)
    tolerance = {"rtol": 1e-5, "atol": 1e-9} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(results[0][0], each.mean(dtype=np.float64), **tolerance)
    expected = reference.softmax_cross_entropy_backward(np.full(shape[0], g / shape[0]), x, labels, rows)
    np.testing.assert_allclose(results[0][2], expected, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_the_mean_of_no_rows_is_nan(kernels):
    for dtype in (np.float16, np.float32, np.float64):
        mean, rows = kernels.softmax_cross_entropy(np.zeros((0, 3), dtype), np.zeros(0, np.int64), True)
        assert np.isnan(mean) and mean.shape == () and mean.dtype == dtype and rows.shape == (2, 0)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_minus_infinity_is_a_probability_of_zero(kernels):
    x = np.array([[0.0, -np.inf, 0.0]], np.float32)
    for label, expected in ((0, np.log(2)), (1, np.inf)):
        loss, _ = kernels.softmax_cross_entropy(x, np.array([label]))
        np.testing.assert_allclose(loss, [expected], rtol=1e-6)
        np.testing.assert_allclose(kernels.softmax(x), [[0.5, 0, 0.5]])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_gradient_equals_central_differences(kernels):
    rng = np.random.default_rng(1)
    (x, dx), g, labels = rng.standard_normal((2, 6, 4)), rng.standard_normal(6), rng.integers(0, 4, 6)
    gx = kernels.softmax_cross_entropy_backward(g, x, labels, kernels.softmax_cross_entropy(x, labels)[1])

    def loss(t):
        return np.vdot(g, kernels.softmax_cross_entropy(x + t * dx, labels)[0])

    np.testing.assert_allclose(np.vdot(gx, dx), (loss(1e-5) - loss(-1e-5)) / 2e-5, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_refused_label_leaves_out_unchanged(kernels):
    out = np.full(3, 7.0), np.full((2, 3), 7.0)
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
    loss, rows = kernels.softmax_cross_entropy(x, labels)
    np.testing.assert_allclose(loss, tloss.detach(), **tolerance)
    np.testing.assert_allclose(kernels.softmax(x), torch.softmax(tx, 1).detach(), **tolerance)
    np.testing.assert_allclose(kernels.log_softmax(x), torch.log_softmax(tx, 1).detach(), **tolerance)
    np.testing.assert_allclose(kernels.softmax_cross_entropy_backward(g, x, labels, rows), tgx, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("bits", [0x7FC00001, 0x7F800001, 0xFFFFFFFF, 0xFFC001FF])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_nan_with_other_bits_stays_nan(kernels, bits):
    x = np.zeros((2, 40), np.float32)
    x.view(np.uint32)[0, 7] = bits
    loss, _ = kernels.softmax_cross_entropy(x, np.array([0, 1]))
    assert np.isnan([loss[0], *kernels.softmax(x)[0], *kernels.log_softmax(x)[0]]).all()
    assert not np.isnan([loss[1], *kernels.softmax(x)[1], *kernels.log_softmax(x)[1]]).any()
