"""Batch and layer normalization, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference

BACKENDS = [reference, compiled]


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(0, 7), st.integers(0, 5), st.sampled_from([0, 1, 2, 3, 7, 11, 16, 17, 64, 67])),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_compiled_equals_reference(shape, dtype, weighted, shifted, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(dtype)
    w, b = rng.standard_normal((2, shape[1])).astype(dtype)
    w, b = w if weighted else None, b if shifted else None
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    results = compiled.batch_norm(x, w, b, 1e-3)
    expected = reference.batch_norm(x, w, b, 1e-3)
    _, mean, var = expected
    results += compiled.batch_norm_backward(g, x, w, mean, var, 1e-3)
    expected += reference.batch_norm_backward(g, x, w, mean, var, 1e-3)
    for actual, e in zip(results, expected, strict=True):
        assert actual.dtype == e.dtype == dtype and actual.shape == e.shape
        np.testing.assert_allclose(actual, e, **tolerance)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(0, 7), st.integers(0, 5), st.sampled_from([0, 1, 2, 3, 7, 11, 16, 17, 64, 67])),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_compiled_normalize_equals_reference(shape, dtype, weighted, shifted, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(dtype)
    mean, rstd, w, b = rng.standard_normal((4, shape[1])).astype(dtype)
    w, b = w if weighted else None, b if shifted else None
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    results, expected = (
        (kernels.normalize(x, mean, rstd, w, b), *kernels.normalize_backward(g, x, mean, rstd, w))
        for kernels in (compiled, reference)
    )
    for actual, e in zip(results, expected, strict=True):
        assert actual.dtype == e.dtype == dtype and actual.shape == e.shape
        np.testing.assert_allclose(actual, e, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_more_channels_than_the_cache_holds(kernels):
    """Blocks of channels, the last one smaller: 3 and 3 and 1 of 2 x 20,000 numbers."""
    rng = np.random.default_rng(8)
    x, g = rng.standard_normal((2, 2, 7, 20_000)).astype(np.float32)
    w, b = rng.standard_normal((2, 7)).astype(np.float32)
    y, mean, var = kernels.batch_norm(x, w, b, 1e-5)
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, mean, var, 1e-5)
    for c in range(7):
        alone = np.ascontiguousarray(x[:, c : c + 1])
        expected = kernels.batch_norm(alone, w[c : c + 1], b[c : c + 1], 1e-5)
        statistics = expected[1:]
        expected += kernels.batch_norm_backward(
            np.ascontiguousarray(g[:, c : c + 1]), alone, w[c : c + 1], *statistics, 1e-5
        )
        for actual, e in zip((y, mean, var, gx, gw, gb), expected, strict=True):
            np.testing.assert_array_equal(actual[:, c] if actual.ndim == 3 else actual[c], np.squeeze(e))


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 3, 1), (3, 2, 5), (2, 2, 17)])
def test_nan_and_infinity_at_each_position(kernels, shape):
    """One that comes into a channel stays in it."""
    rng = np.random.default_rng(9)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    w, b = rng.standard_normal((2, shape[1])).astype(np.float32)
    clean = reference.batch_norm(x, w, b, 1e-3)
    for value in (np.nan, np.inf, -np.inf):
        for position in np.ndindex(shape):
            bad_x, bad_g = x.copy(), g.copy()
            bad_x[position] = bad_g[position] = value
            for a, e in zip(kernels.batch_norm(bad_x, w, b, 1e-3), clean, strict=True):
                there = np.arange(shape[1]) == position[1]
                keep = (slice(None), ~there) if a.ndim == 3 else ~there
                np.testing.assert_allclose(a[keep], e[keep], rtol=1e-5, atol=1e-6)
            assert np.isnan(kernels.batch_norm(bad_x, w, b, 1e-3)[0][:, position[1]]).all()
            results = kernels.batch_norm_backward(bad_g, x, w, *clean[1:], 1e-3)
            for a, e in zip(results, reference.batch_norm_backward(bad_g, x, w, *clean[1:], 1e-3), strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_by_hand(kernels):
    """A column 0, 3, 6, 9, 12 becomes -1.4142, -0.7071, 0, 0.7071, 1.4142."""
    x = np.arange(15.0).reshape(5, 3, 1)
    y, mean, var = kernels.batch_norm(x, None, None, 0.0)
    np.testing.assert_allclose(y[:, :, 0], np.repeat([[-(2**0.5)], [-(0.5**0.5)], [0], [0.5**0.5], [2**0.5]], 3, 1))
    np.testing.assert_allclose(mean, [6, 7, 8])
    np.testing.assert_allclose(var, [18, 18, 18])
    y, *_ = kernels.batch_norm(x, np.array([1.0, 2.0, 0.0]), np.array([0.0, 1.0, -1.0]), 0.0)
    np.testing.assert_allclose(y[0, :, 0], [-(2**0.5), 1 - 2 * 2**0.5, -1])


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("shape", [(64, 3, 1), (8, 3, 25)])
def test_an_offset_changes_nothing(kernels, shape):
    """x + 1e4 has the variance, output and gradients of x; the values are such that the sum is exact in float32."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal(shape) * 64).round().astype(np.float32) / 64
    g, (w, b) = rng.standard_normal(shape).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    moved = x + np.float32(1e4)
    np.testing.assert_array_equal(moved - np.float32(1e4), x)
    y, mean, var = kernels.batch_norm(x, w, b, 1e-5)
    my, mmean, mvar = kernels.batch_norm(moved, w, b, 1e-5)
    np.testing.assert_allclose(my, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mvar, var, rtol=1e-6)
    np.testing.assert_allclose(mmean, mean + 1e4, rtol=1e-6)
    expected = kernels.batch_norm_backward(g, x, w, mean, var, 1e-5)
    for actual, e in zip(kernels.batch_norm_backward(g, moved, w, mmean, mvar, 1e-5), expected, strict=True):
        np.testing.assert_allclose(actual, e, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_constant_channel_and_a_weight_of_zero(kernels):
    x, g = np.random.default_rng(2).standard_normal((2, 6, 3, 4))
    x[:, 0] = 7.0
    w, b = np.array([2.0, 0.0, 1.0]), np.array([0.5, 1.5, -1.0])
    y, mean, var = kernels.batch_norm(x, w, b, 1e-5)
    np.testing.assert_array_equal(y[:, 0], 0.5)
    np.testing.assert_array_equal(y[:, 1], 1.5)
    assert mean[0] == 7 and var[0] == 0
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, mean, var, 1e-5)
    np.testing.assert_allclose(gb, g.sum(axis=(0, 2)))
    assert gw[0] == 0 and not gx[:, 1].any() and np.isfinite(gx).all()
    np.testing.assert_allclose(gx[:, 0], 2 / 1e-5**0.5 * (g[:, 0] - g[:, 0].mean()))


@pytest.mark.parametrize("kernels", BACKENDS)
def test_gradients_equal_central_differences(kernels):
    rng = np.random.default_rng(3)
    shape = (5, 3, 2)
    x, g, dx = rng.standard_normal((3, *shape))
    w, b, dw, db = rng.standard_normal((4, 3))
    _, mean, var = kernels.batch_norm(x, w, b, 1e-2)
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, mean, var, 1e-2)

    def loss(t):
        return np.vdot(g, kernels.batch_norm(x + t * dx, w + t * dw, b + t * db, 1e-2)[0])

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(np.vdot(gx, dx) + np.vdot(gw, dw) + np.vdot(gb, db), slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_an_empty_batch(kernels):
    y, mean, var = kernels.batch_norm(np.zeros((0, 3, 4), np.float32), None, None, 1e-5)
    assert y.shape == (0, 3, 4) and np.isnan(mean).all() and np.isnan(var).all()
    gx, gw, gb = kernels.batch_norm_backward(y, y, None, mean, var, 1e-5)
    assert gx.shape == (0, 3, 4) and gw.shape == gb.shape == (3,) and not gw.any() and not gb.any()


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("affine", [True, False])
def test_equals_pytorch(kernels, dtype, affine):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x, g = (rng.standard_normal((2, 6, 4, 5)) * 2 + 1).astype(dtype)
    w, b = rng.standard_normal((2, 4)).astype(dtype) if affine else (None, None)
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, w, b) if a is not None]
    running_mean, running_var = torch.zeros(4, dtype=inputs[0].dtype), torch.zeros(4, dtype=inputs[0].dtype)
    weights = inputs[1:] or (None, None)
    ty = torch.nn.functional.batch_norm(inputs[0], running_mean, running_var, *weights, True, 1.0, 1e-3)
    gradients = torch.autograd.grad(ty, inputs, torch.from_numpy(g))
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    y, mean, var = kernels.batch_norm(x, w, b, 1e-3)
    np.testing.assert_allclose(y, ty.detach(), **tolerance)
    np.testing.assert_allclose(mean, running_mean, **tolerance)
    np.testing.assert_allclose(var * 30 / 29, running_var, **tolerance)
    for actual, expected in zip(kernels.batch_norm_backward(g, x, w, mean, var, 1e-3), gradients, strict=False):
        np.testing.assert_allclose(actual, expected, **tolerance)


# ------------------------------------------------------------------------------------- layer normalization


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(0, 7), st.integers(0, 19)),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_compiled_layer_norm_equals_reference(shape, dtype, weighted, shifted, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(dtype)
    w, b = rng.standard_normal((2, shape[1])).astype(dtype)
    w, b = w if weighted else None, b if shifted else None
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    results = compiled.layer_norm(x, w, b, 1e-3)
    expected = reference.layer_norm(x, w, b, 1e-3)
    _, mean, var = expected
    results += compiled.layer_norm_backward(g, x, w, mean, var, 1e-3)
    expected += reference.layer_norm_backward(g, x, w, mean, var, 1e-3)
    for actual, e in zip(results, expected, strict=True):
        assert actual.dtype == e.dtype == dtype and actual.shape == e.shape
        np.testing.assert_allclose(actual, e, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_layer_norm_without_weight_is_batch_norm_of_one_example(kernels):
    g, x = np.random.default_rng(5).standard_normal((2, 4, 6)) * 2 + 1
    results, expected = kernels.layer_norm(x, None, None, 1e-3), kernels.batch_norm(x[None], None, None, 1e-3)
    for actual, e in zip(results, expected, strict=True):
        np.testing.assert_allclose(actual, np.squeeze(e), rtol=1e-12, atol=1e-12)
    gx, *_ = kernels.layer_norm_backward(g, x, None, *results[1:], 1e-3)
    np.testing.assert_allclose(gx, kernels.batch_norm_backward(g[None], x[None], None, *results[1:], 1e-3)[0][0])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_an_offset_changes_nothing_for_layer_norm(kernels):
    rng = np.random.default_rng(6)
    x = (rng.standard_normal((8, 33)) * 64).round().astype(np.float32) / 64
    g, (w, b) = rng.standard_normal((8, 33)).astype(np.float32), rng.standard_normal((2, 33)).astype(np.float32)
    moved = x + np.float32(1e4)
    np.testing.assert_array_equal(moved - np.float32(1e4), x)
    y, mean, var = kernels.layer_norm(x, w, b, 1e-5)
    my, mmean, mvar = kernels.layer_norm(moved, w, b, 1e-5)
    np.testing.assert_allclose(my, y, rtol=1e-5, atol=1e-6)
    expected = kernels.layer_norm_backward(g, x, w, mean, var, 1e-5)
    for actual, e in zip(kernels.layer_norm_backward(g, moved, w, mmean, mvar, 1e-5), expected, strict=True):
        np.testing.assert_allclose(actual, e, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_gradients_of_layer_norm_equal_central_differences(kernels):
    rng = np.random.default_rng(7)
    x, g, dx = rng.standard_normal((3, 4, 5))
    w, b, dw, db = rng.standard_normal((4, 5))
    _, mean, var = kernels.layer_norm(x, w, b, 1e-2)
    gx, gw, gb = kernels.layer_norm_backward(g, x, w, mean, var, 1e-2)

    def loss(t):
        return np.vdot(g, kernels.layer_norm(x + t * dx, w + t * dw, b + t * db, 1e-2)[0])

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(np.vdot(gx, dx) + np.vdot(gw, dw) + np.vdot(gb, db), slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("bad", ["weight", "bias", "gradient", "mean", "var"])
def test_layer_norm_refuses_shapes_that_do_not_fit(kernels, bad):
    x, row, column = np.zeros((3, 4)), np.zeros(4), np.zeros(3)
    with pytest.raises(ValueError, match=rf"^layer_norm\w*: (the )?(output )?{bad} has shape"):
        if bad in ("weight", "bias"):
            kernels.layer_norm(x, *(column if name == bad else row for name in ("weight", "bias")), 1e-5)
        else:
            statistics = (row if name == bad else column for name in ("mean", "var"))
            kernels.layer_norm_backward(x.T if bad == "gradient" else x, x, row, *statistics, 1e-5)
