"""Batch and layer normalization, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference, threads
from minigrad.kernels.simd import LANES

BACKENDS = [reference, compiled]
SIZES = [0, 1, 2, 3, 7, 11, LANES - 1, LANES, LANES + 1, 64, 67]
SHAPES = st.tuples(st.integers(0, 7), st.one_of(st.integers(0, 5), st.sampled_from(SIZES)), st.sampled_from(SIZES))


@settings(max_examples=100, deadline=None)
@given(
    SHAPES, st.sampled_from([np.float32, np.float64]), *[st.booleans()] * 4, st.floats(0, 1), st.integers(0, 2**32 - 1)
)
def test_compiled_equals_reference(shape, dtype, weighted, shifted, relu, moving, momentum, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(dtype)
    w, b = rng.standard_normal((2, shape[1])).astype(dtype)
    w, b = w if weighted else None, b if shifted else None
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    running = [(np.full(shape[1], 2, dtype), np.ones(shape[1], dtype), momentum) for _ in BACKENDS]
    expected = reference.batch_norm(x, w, b, 1e-3, running[0] if moving else None, relu)
    results = compiled.batch_norm(x, w, b, 1e-3, running[1] if moving else None, relu)
    results += compiled.batch_norm_backward(g, x, w, b, expected[1], 1e-3, relu) + running[1][:2]
    expected += reference.batch_norm_backward(g, x, w, b, expected[1], 1e-3, relu) + running[0][:2]
    for actual, e in zip(results, expected, strict=True):
        assert actual.dtype == e.dtype == dtype and actual.shape == e.shape
        np.testing.assert_allclose(actual, e, **tolerance)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from([np.float32, np.float64]), *[st.booleans()] * 3, st.integers(0, 2**32 - 1))
def test_compiled_normalize_equals_reference(shape, dtype, weighted, shifted, relu, seed):
    rng = np.random.default_rng(seed)
    x, g = (rng.standard_normal((2, *shape)) * 3 + 1).astype(dtype)
    mean, var, w, b = rng.standard_normal((4, shape[1])).astype(dtype)
    var, w, b = abs(var), w if weighted else None, b if shifted else None
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    results, expected = (kernels.normalize(x, mean, var, w, b, 1e-3, relu) for kernels in (compiled, reference))
    results += compiled.normalize_backward(g, x, w, b, expected[1], 1e-3, relu)
    expected += reference.normalize_backward(g, x, w, b, expected[1], 1e-3, relu)
    for actual, e in zip(results, expected, strict=True):
        assert actual.dtype == e.dtype == dtype and actual.shape == e.shape
        np.testing.assert_allclose(actual, e, **tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("shape", [(6, 5, 1), (4, 19, 1), (3, 4, 37), (2, 3, 64)])
def test_with_relu_the_same_bits_as_relu_after_it(kernels, shape):
    rng = np.random.default_rng(11)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    w, b, mean, var = rng.standard_normal((4, shape[1])).astype(np.float32)
    var = abs(var)
    x[:, 0] = 3.0  # y is b here: 0 in one case, a number below it in the other
    for b[0] in (0.0, -1.0):
        for forward, backward in (
            (lambda relu: kernels.batch_norm(x, w, b, 1e-5, None, relu), kernels.batch_norm_backward),
            (lambda relu: kernels.normalize(x, mean, var, w, b, 1e-5, relu), kernels.normalize_backward),
        ):
            y, statistics = forward(True)
            apart, same = forward(False)
            apart = kernels.relu(apart)
            np.testing.assert_array_equal(y, apart)
            np.testing.assert_array_equal(statistics, same)
            expected = backward(kernels.relu_backward(g, apart), x, w, b, statistics, 1e-5)
            for a, e in zip(backward(g, x, w, b, statistics, 1e-5, True), expected, strict=True):
                np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_running_statistics_move_whatever_array_they_are(kernels):
    """By the mean and the unbiased variance; in their own dtype, and also where they do not lie side by side."""
    x = np.arange(12, dtype=np.float32).reshape(4, 3, 1)
    for dtype in (np.float16, np.float32, np.float64):
        wide = np.ones((3, 2), dtype)
        for mean, var in (np.ones((2, 3), dtype), wide.T):
            y, statistics = kernels.batch_norm(x, None, None, 1e-5, (mean, var, 0.25))
            np.testing.assert_array_equal(mean, [0.75 + 0.25 * 4.5, 0.75 + 0.25 * 5.5, 0.75 + 0.25 * 6.5])
            np.testing.assert_array_equal(var, [0.75 + 0.25 * 15] * 3)
            assert mean.dtype == dtype and statistics.dtype == y.dtype == np.float32
    frozen = np.ones(3, np.float32)
    frozen.flags.writeable = False
    moving = np.ones(3, np.float32)
    for running in ((moving, frozen, 0.1), (frozen, moving, 0.1)):
        with pytest.raises(ValueError, match=r"batch_norm: the running (mean|variance) is updated in place, but it is"):
            kernels.batch_norm(x, None, None, 1e-5, running)
    with pytest.raises(ValueError, match=r"batch_norm: the running variance has shape \(2,\), expected \(3,\)"):
        kernels.batch_norm(x, None, None, 1e-5, (moving, np.ones(2, np.float32), 0.1))
    np.testing.assert_array_equal(moving, 1)


@pytest.mark.parametrize("shape", [(9, 7, 1001), (40, 300, 1), (1000, 37, 1), (30, 5, 400)])
def test_the_same_bits_for_any_number_of_threads(shape, monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 10)  # so that small ones are shared too
    rng = np.random.default_rng(12)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    w, b = rng.standard_normal((2, shape[1])).astype(np.float32)
    before, results = threads.get_num_threads(), []
    try:
        for number in (1, 2, 4):
            threads.set_num_threads(number)
            y, statistics = compiled.batch_norm(x, w, b, 1e-5, None, True)
            results.append((y, statistics, *compiled.batch_norm_backward(g, x, w, b, statistics, 1e-5, True)))
    finally:
        threads.set_num_threads(before)
    for others in results[1:]:
        for a, first in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(a, first)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_more_channels_than_the_cache_holds(kernels):
    """Blocks of channels, the last one smaller; each channel is what it is alone."""
    rng = np.random.default_rng(8)
    x, g = rng.standard_normal((2, 2, 19, 9_000)).astype(np.float32)
    w, b = rng.standard_normal((2, 19)).astype(np.float32)
    y, statistics = kernels.batch_norm(x, w, b, 1e-5)
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, b, statistics, 1e-5)
    for c in range(19):
        alone, one = np.ascontiguousarray(x[:, c : c + 1]), slice(c, c + 1)
        expected = kernels.batch_norm(alone, w[one], b[one], 1e-5)
        expected += kernels.batch_norm_backward(
            np.ascontiguousarray(g[:, one]), alone, w[one], b[one], expected[1], 1e-5
        )
        for actual, e in zip((y, statistics, gx, gw, gb), expected, strict=True):
            np.testing.assert_array_equal(actual[c] if actual.ndim == 1 else actual[:, c], np.squeeze(e))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("shape", [(4, 3, 1), (3, 2, 5), (2, 2, 17)])
def test_nan_and_infinity_at_each_position(kernels, shape, relu):
    """One that comes into a channel stays in it."""
    rng = np.random.default_rng(9)
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    w, b = rng.standard_normal((2, shape[1])).astype(np.float32)
    clean = reference.batch_norm(x, w, b, 1e-3, None, relu)
    for value in (np.nan, np.inf, -np.inf):
        for position in np.ndindex(shape):
            bad_x, bad_g = x.copy(), g.copy()
            bad_x[position] = bad_g[position] = value
            for a, e in zip(kernels.batch_norm(bad_x, w, b, 1e-3, None, relu), clean, strict=True):
                there = np.arange(shape[1]) == position[1]
                np.testing.assert_allclose(a[:, ~there], e[:, ~there], rtol=1e-5, atol=1e-6)
            y, statistics = kernels.batch_norm(bad_x, w, b, 1e-3, None, relu)
            assert np.isnan(y[:, position[1]]).all()
            np.testing.assert_array_equal(statistics[:, position[1]], [value, 0, np.nan])
            for g_here, x_here, s in ((bad_g, x, clean[1]), (g, bad_x, clean[1]), (g, bad_x, statistics)):
                results = kernels.batch_norm_backward(g_here, x_here, w, b, s, 1e-3, relu)
                expected = reference.batch_norm_backward(g_here, x_here, w, b, s, 1e-3, relu)
                for a, e in zip(results, expected, strict=True):
                    np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_by_hand(kernels):
    """A column 0, 3, 6, 9, 12 becomes -1.4142, -0.7071, 0, 0.7071, 1.4142."""
    x = np.arange(15.0).reshape(5, 3, 1)
    y, statistics = kernels.batch_norm(x, None, None, 0.0)
    np.testing.assert_allclose(y[:, :, 0], np.repeat([[-(2**0.5)], [-(0.5**0.5)], [0], [0.5**0.5], [2**0.5]], 3, 1))
    np.testing.assert_allclose(statistics, [[6, 7, 8], [0, 0, 0], [18, 18, 18]])
    y, _ = kernels.batch_norm(x, np.array([1.0, 2.0, 0.0]), np.array([0.0, 1.0, -1.0]), 0.0)
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
    y, statistics = kernels.batch_norm(x, w, b, 1e-5)
    my, mstatistics = kernels.batch_norm(moved, w, b, 1e-5)
    np.testing.assert_allclose(my, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mstatistics[2], statistics[2], rtol=1e-6)
    np.testing.assert_allclose(mstatistics[:2].sum(0, np.float64), statistics[:2].sum(0, np.float64) + 1e4, rtol=1e-12)
    expected = kernels.batch_norm_backward(g, x, w, b, statistics, 1e-5)
    for actual, e in zip(kernels.batch_norm_backward(g, moved, w, b, mstatistics, 1e-5), expected, strict=True):
        np.testing.assert_allclose(actual, e, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("shape", [(50, 3, 1), (4, 3, 40)])
def test_the_variance_does_not_depend_on_which_value_comes_first(kernels, shape):
    """Sums are taken around the first value of a channel: one far out costs few digits, in float64 and float32."""
    for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 1e-6)):
        x = np.random.default_rng(13).standard_normal(shape).astype(dtype)
        x[0, :, 0] = 1e6
        _, statistics = kernels.batch_norm(x, None, None, 1e-5)
        wide = x.astype(np.longdouble)
        np.testing.assert_allclose(statistics[2], wide.var(axis=(0, 2)).astype(np.float64), rtol=tolerance)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_a_constant_channel_and_a_weight_of_zero(kernels):
    x, g = np.random.default_rng(2).standard_normal((2, 6, 3, 4))
    x[:, 0] = 7.0
    w, b = np.array([2.0, 0.0, 1.0]), np.array([0.5, 1.5, -1.0])
    y, statistics = kernels.batch_norm(x, w, b, 1e-5)
    np.testing.assert_array_equal(y[:, 0], 0.5)
    np.testing.assert_array_equal(y[:, 1], 1.5)
    np.testing.assert_array_equal(statistics[:, 0], [7, 0, 0])
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, b, statistics, 1e-5)
    np.testing.assert_allclose(gb, g.sum(axis=(0, 2)))
    assert gw[0] == 0 and not gx[:, 1].any() and np.isfinite(gx).all()
    np.testing.assert_allclose(gx[:, 0], 2 / 1e-5**0.5 * (g[:, 0] - g[:, 0].mean()))


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("relu", [False, True])
def test_gradients_equal_central_differences(kernels, relu):
    rng = np.random.default_rng(3)
    shape = (5, 3, 2)
    x, g, dx = rng.standard_normal((3, *shape))
    w, b, dw, db = rng.standard_normal((4, 3))
    _, statistics = kernels.batch_norm(x, w, b, 1e-2)
    gx, gw, gb = kernels.batch_norm_backward(g, x, w, b, statistics, 1e-2, relu)

    def loss(t):
        return np.vdot(g, kernels.batch_norm(x + t * dx, w + t * dw, b + t * db, 1e-2, None, relu)[0])

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    np.testing.assert_allclose(np.vdot(gx, dx) + np.vdot(gw, dw) + np.vdot(gb, db), slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_an_empty_batch(kernels):
    running = np.ones(3, np.float32), np.ones(3, np.float32), 0.0
    y, statistics = kernels.batch_norm(np.zeros((0, 3, 4), np.float32), None, None, 1e-5, running)
    assert y.shape == (0, 3, 4) and np.isnan(statistics[[0, 2]]).all() and np.isnan(running[:2]).all()
    gx, gw, gb = kernels.batch_norm_backward(y, y, None, None, statistics, 1e-5)
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
    running = np.zeros(4, dtype), np.zeros(4, dtype), 1.0
    y, statistics = kernels.batch_norm(x, w, b, 1e-3, running)
    np.testing.assert_allclose(y, ty.detach(), **tolerance)
    np.testing.assert_allclose(running[0], running_mean, **tolerance)
    np.testing.assert_allclose(running[1], running_var, **tolerance)
    for actual, expected in zip(kernels.batch_norm_backward(g, x, w, b, statistics, 1e-3), gradients, strict=False):
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
    for actual, e in zip(results, (expected[0], *expected[1][[0, 2]]), strict=True):
        np.testing.assert_allclose(actual, np.squeeze(e), rtol=1e-12, atol=1e-12)
    gx, *_ = kernels.layer_norm_backward(g, x, None, *results[1:], 1e-3)
    gradients = kernels.batch_norm_backward(g[None], x[None], None, None, expected[1], 1e-3)
    np.testing.assert_allclose(gx, gradients[0][0])


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


@pytest.mark.parametrize("shape", [(0, 5), (0, 5, 1), (0, 3, 4), (2, 3, 0), (0, 100_000)])
def test_normalizing_nothing_reads_nothing(shape):
    rng = np.random.default_rng(3)
    mean, var = rng.standard_normal(shape[1]).astype(np.float32), rng.random(shape[1], np.float32)
    x = np.empty(shape, np.float32)
    for module in (compiled, reference):
        y, statistics = module.normalize(x, mean, var, None, None, 1e-5)
        assert y.shape == shape
        np.testing.assert_array_equal(statistics, [mean, 0 * mean, var])
