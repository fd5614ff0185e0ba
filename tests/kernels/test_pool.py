"""Maximum and average pooling, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference

BACKENDS = [reference, compiled]
DTYPES = st.sampled_from([np.float32, np.float64])


def _output_size(size, k, s, p, d, ceil_mode):
    """PyTorch's rule: with ceil_mode the last window may hang over, but must start inside or left of the padding."""
    span = size + 2 * p - d * (k - 1) - 1
    count = (span + (s - 1 if ceil_mode else 0)) // s + 1
    return count - 1 if ceil_mode and (count - 1) * s >= size + p else count


@st.composite
def poolings(draw, dilated):
    """An image of few distinct values, so that ties are common, and the options of a pooling of it."""
    axes = []
    for _ in range(2):
        k, s, d = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3)) if dilated else 1
        p = draw(st.integers(0, k // 2))
        size = draw(st.integers(max(1, d * (k - 1) + 1 - p), d * (k - 1) + 7))
        axes.append((size, k, s, p, d, _output_size(size, k, s, p, d, draw(st.booleans()))))
    size, *options, output_size = zip(*axes, strict=True)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-2, 3, (draw(st.integers(0, 2)), draw(st.integers(0, 3)), *size))
    return x, tuple(options), output_size, rng


@settings(max_examples=80, deadline=None)
@given(poolings(dilated=True), st.sampled_from([np.float32, np.float64]))
def test_compiled_max_pool_equals_reference(case, dtype):
    x, options, output_size, rng = case
    x = x.astype(dtype)
    x[rng.random(x.shape) < 0.1] = rng.choice([np.nan, -np.inf, np.inf, -0.0])
    y, indices = compiled.max_pool2d(x, *options, output_size)
    for actual, expected in zip((y, indices), reference.max_pool2d(x, *options, output_size), strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(compiled.max_pool2d_take(x, indices), y)
    np.testing.assert_array_equal(reference.max_pool2d_take(x, indices), y)
    g = rng.standard_normal(y.shape).astype(dtype)
    expected = reference.max_pool2d_backward(g, indices, x.shape)
    np.testing.assert_allclose(compiled.max_pool2d_backward(g, indices, x.shape), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=80, deadline=None)
@given(
    poolings(dilated=False), st.sampled_from([np.float32, np.float64]), st.booleans(), st.sampled_from([None, 3, -2])
)
def test_compiled_avg_pool_equals_reference(case, dtype, count_include_pad, divisor_override):
    x, (kernel_size, stride, padding, _), output_size, rng = case
    x = rng.standard_normal(x.shape).astype(dtype)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    options, counting = (kernel_size, stride, padding), (count_include_pad, divisor_override)
    y = compiled.avg_pool2d(x, *options, output_size, *counting)
    np.testing.assert_allclose(y, reference.avg_pool2d(x, *options, output_size, *counting), **tolerance)
    g = rng.standard_normal(y.shape).astype(dtype)
    gx = compiled.avg_pool2d_backward(g, x.shape, *options, *counting)
    np.testing.assert_allclose(gx, reference.avg_pool2d_backward(g, x.shape, *options, *counting), **tolerance)
    assert y.dtype == gx.dtype == dtype


@pytest.mark.parametrize("kernels", BACKENDS)
def test_backwards_are_adjoint(kernels):
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((2, 3, 4, 6))
    indices = rng.integers(0, 42, g.shape)
    gx = kernels.max_pool2d_backward(g, indices, x.shape)
    np.testing.assert_allclose(np.vdot(gx, x), np.vdot(g, kernels.max_pool2d_take(x, indices)), rtol=1e-12)
    for counting in ((True, None), (False, None), (True, 5)):
        options = ((3, 2), (2, 1), (1, 1))
        y = kernels.avg_pool2d(x, *options, (4, 6), *counting)
        gx = kernels.avg_pool2d_backward(g, x.shape, *options, *counting)
        np.testing.assert_allclose(np.vdot(gx, x), np.vdot(g, y), rtol=1e-12)


SIZES = st.sampled_from([2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 28, 31, 32, 33, 34, 35, 66])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), SIZES, SIZES, DTYPES, st.integers(0, 2**32 - 1))
def test_windows_of_2x2_equal_the_general_kernel(N, C, H, W, dtype, seed):
    """Small integers for ties, NaN and infinities wherever the generator puts them."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (N, C, H, W)).astype(dtype)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.1] = rng.choice([-np.inf, np.inf])
    y, indices = reference.max_pool2d(x, (2, 2), (2, 2), (0, 0), (1, 1), (H // 2, W // 2))
    g = rng.standard_normal(y.shape).astype(dtype)
    gx = reference.max_pool2d_backward(g, indices, x.shape)
    for kernels in BACKENDS:
        y2, winners = kernels.max_pool2x2(x)
        assert y2.dtype == dtype and winners.dtype == np.uint8
        np.testing.assert_array_equal(y2, y)
        rows, columns = np.divmod(indices, W)
        np.testing.assert_array_equal(winners, rows % 2 * 2 + columns % 2)
        gx2 = kernels.max_pool2x2_backward(g, winners, x.shape)
        assert gx2.dtype == dtype
        np.testing.assert_array_equal(gx2, gx)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), SIZES, SIZES, DTYPES, st.integers(0, 2**32 - 1))
def test_windows_of_2x2_with_relu_are_relu_and_then_the_windows(N, C, H, W, dtype, seed):
    """The same bits, -0.0, NaN and infinities included; NaN gradients end where relu cuts them off."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 3, (N, C, H, W)).astype(dtype)
    x[rng.random(x.shape) < 0.1] = rng.choice([np.nan, -np.inf, np.inf, -0.0])
    g = rng.standard_normal((N, C, H // 2, W // 2)).astype(dtype)
    g[rng.random(g.shape) < 0.1] = rng.choice([np.nan, np.inf])
    for kernels in BACKENDS:
        positive = kernels.relu(x)
        y, winners = kernels.max_pool2x2(x, True)
        expected, among = kernels.max_pool2x2(positive)
        assert y.tobytes() == expected.tobytes() and not np.signbit(y[y == 0]).any()
        np.testing.assert_array_equal(winners, np.where(y == 0, 4, among))
        gx = kernels.max_pool2x2_backward(g, winners, x.shape)
        expected = kernels.relu_backward(kernels.max_pool2x2_backward(g, among, x.shape), positive)
        assert gx.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("width", [2, 5, 32, 35, 67])
def test_windows_of_2x2_with_nan_or_infinity_at_each_position(kernels, width):
    x = np.random.default_rng(6).standard_normal((1, 1, 3, width)).astype(np.float32)
    options = (2, 2), (2, 2), (0, 0), (1, 1), (1, width // 2)
    for value in (np.nan, np.inf, -np.inf):
        for position in np.ndindex(x.shape):
            poisoned = x.copy()
            poisoned[position] = value
            np.testing.assert_array_equal(kernels.max_pool2x2(poisoned)[0], reference.max_pool2d(poisoned, *options)[0])
    y, winners = kernels.max_pool2x2(x)
    for value in (np.nan, np.inf, -np.inf):
        for j in range(width // 2):
            g = np.ones_like(y)
            g[..., j] = value
            gx = kernels.max_pool2x2_backward(g, winners, x.shape)
            np.testing.assert_array_equal(gx, reference.max_pool2x2_backward(g, winners, x.shape))
            assert np.isfinite(gx).sum() == gx.size - 1


@pytest.mark.parametrize("kernels", BACKENDS)
def test_windows_of_2x2_write_nothing_outside_of_their_arrays(kernels):
    """Rows of windows of every length up to a few vectors, between guards."""
    for W in range(2, 70):
        shape, pooled = (1, 1, 2, W), (1, 1, 1, W // 2)
        memory = [
            np.full(2 * W + 200, 7, np.float32),
            np.full(W // 2 + 200, 7, np.float32),
            np.full(W // 2 + 200, 7, "u1"),
        ]
        gx, y, winners = (a[100:-100].reshape(s) for a, s in zip(memory, (shape, pooled, pooled), strict=True))
        x = np.random.default_rng(W).standard_normal(shape).astype(np.float32)
        kernels.max_pool2x2(x, W % 2 == 0, out=(y, winners))
        kernels.max_pool2x2_backward(y, winners, shape, out=gx)
        for a in memory:
            assert (a[:100] == 7).all() and (a[-100:] == 7).all()


@pytest.mark.parametrize("kernels", BACKENDS)
def test_images_too_small_for_windows_of_2x2_are_refused(kernels):
    with pytest.raises(ValueError, match=r"max_pool2x2: windows of 2x2 do not fit into the input \(1, 4\)"):
        kernels.max_pool2x2(np.zeros((1, 1, 1, 4), np.float32))
    x, g = np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    with pytest.raises(ValueError, match="max_pool2x2_backward: the output gradient has shape"):
        kernels.max_pool2x2_backward(x, np.zeros((1, 1, 2, 2), np.uint8), x.shape)
    with pytest.raises(ValueError, match="max_pool2x2_backward: winners has shape"):
        kernels.max_pool2x2_backward(g, np.zeros((1, 1, 4, 4), np.uint8), x.shape)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_the_first_of_equal_values_wins(kernels):
    x = np.array([[[[1, 3, 3, 0], [3, 2, 3, 3]]]], np.float32)
    y, indices = kernels.max_pool2d(x, (2, 2), (1, 1), (0, 0), (1, 1), (1, 3))
    np.testing.assert_array_equal(y, [[[[3, 3, 3]]]])
    np.testing.assert_array_equal(indices, [[[[1, 1, 2]]]])
    gx = kernels.max_pool2d_backward(np.array([[[[1, 10, 100]]]], np.float32), indices, x.shape)
    np.testing.assert_array_equal(gx, [[[[0, 11, 100, 0], [0, 0, 0, 0]]]])  # overlapping windows add up


@pytest.mark.parametrize("kernels", BACKENDS)
def test_nan_wins_and_so_does_the_last_of_several(kernels):
    nan = np.nan
    x = np.array([[[[5, nan, 9], [nan, 1, nan]]]], np.float32)
    y, indices = kernels.max_pool2d(x, (2, 3), (1, 1), (0, 0), (1, 1), (1, 1))
    assert np.isnan(y).all() and indices.item() == 5
    y, indices = kernels.max_pool2d(x, (1, 3), (1, 1), (0, 0), (1, 1), (2, 1))
    np.testing.assert_array_equal(indices.ravel(), [1, 5])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_windows_of_minus_infinity_choose_an_element_of_the_image(kernels):
    """Not one of the padding, whose value is the same."""
    x = np.full((1, 1, 3, 3), -np.inf, np.float32)
    y, indices = kernels.max_pool2d(x, (2, 2), (2, 2), (1, 1), (1, 1), (2, 2))
    assert (y == -np.inf).all()
    np.testing.assert_array_equal(indices[0, 0], [[0, 1], [3, 4]])


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(
    ("counting", "divisors"),
    [((True, None), [3, 3, 2]), ((False, None), [2, 3, 1]), ((True, 6), [6, 6, 6]), ((False, 6), [6, 6, 6])],
)
def test_average_divisors_where_a_window_hangs_over(kernels, counting, divisors):
    """Windows of 3 on [0 | 1 2 3 4 | 0], in steps of 2: [0 1 2], [2 3 4] and [4 0], which ends beyond the padding."""
    x = np.arange(1.0, 5.0).reshape(1, 1, 1, 4)
    y = kernels.avg_pool2d(x, (1, 3), (1, 2), (0, 1), (1, 3), *counting)
    np.testing.assert_allclose(y[0, 0, 0], np.array([3, 9, 4]) / divisors)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(
    ("kernel_size", "stride", "padding", "dilation", "output_size"),
    [
        ((2, 2), (2, 2), (0, 0), (1, 1), (2, 4)),  # a window that starts right of the image
        ((2, 2), (2, 2), (2, 0), (1, 1), (2, 2)),  # a window that ends above it
        ((2, 2), (1, 1), (1, 0), (4, 1), (2, 3)),  # taps that step over it
        ((2, 2), (1, 1), (0, 0), (1, 1), (0, 3)),  # no window
    ],
)
def test_windows_outside_the_image_are_refused(kernels, kernel_size, stride, padding, dilation, output_size):
    x = np.zeros((1, 1, 3, 5), np.float32)
    if dilation == (1, 1):
        with pytest.raises(ValueError, match=r"avg_pool2d: with kernel_size .* has windows outside the input \(3, 5\)"):
            kernels.avg_pool2d(x, kernel_size, stride, padding, output_size, True, None)
    with pytest.raises(ValueError, match=r"max_pool2d: with kernel_size .* has windows outside the input \(3, 5\)"):
        kernels.max_pool2d(x, kernel_size, stride, padding, dilation, output_size)


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
def test_max_pool_equals_pytorch(kernels):
    torch = pytest.importorskip("torch")
    for k, s, p, d, ceil_mode in _cases(dilations=(1, 2)):
        rng = np.random.default_rng(1)
        x = rng.integers(-3, 4, (2, 3, 9, 8)).astype(np.float32)
        x[0, 0, 2:5, 2:5] = np.nan
        x[1] = np.where(rng.random(x[1].shape) < 0.8, -np.inf, x[1])
        tx = torch.tensor(x, requires_grad=True)
        ty, tindices = torch.nn.functional.max_pool2d(tx, k, s, p, d, ceil_mode, return_indices=True)
        y, indices = kernels.max_pool2d(x, k, s, p, d, tuple(ty.shape[2:]))
        np.testing.assert_array_equal(y, ty.detach())
        np.testing.assert_array_equal(indices, tindices)
        g = rng.standard_normal(y.shape).astype(np.float32)
        (tgx,) = torch.autograd.grad(ty, tx, torch.from_numpy(g))
        np.testing.assert_allclose(kernels.max_pool2d_backward(g, indices, x.shape), tgx, rtol=1e-5, atol=1e-5)


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
def test_avg_pool_equals_pytorch(kernels):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 3, 9, 8))
    for k, s, p, _, ceil_mode in _cases(dilations=(1,)):
        for counting in ((True, None), (False, None), (False, 7)):
            tx = torch.tensor(x, requires_grad=True)
            ty = torch.nn.functional.avg_pool2d(tx, k, s, p, ceil_mode, *counting)
            y = kernels.avg_pool2d(x, k, s, p, tuple(ty.shape[2:]), *counting)
            np.testing.assert_allclose(y, ty.detach(), rtol=1e-12, atol=1e-12)
            g = rng.standard_normal(y.shape)
            (tgx,) = torch.autograd.grad(ty, tx, torch.from_numpy(g))
            gx = kernels.avg_pool2d_backward(g, x.shape, k, s, p, *counting)
            np.testing.assert_allclose(gx, tgx, rtol=1e-12, atol=1e-12)


def _cases(dilations):
    """Windows, steps, paddings, dilations and ceil_mode."""
    for k, p in (((2, 2), (0, 0)), ((3, 2), (1, 1)), ((1, 4), (0, 2)), ((4, 3), (2, 0))):
        for s in ((1, 1), (2, 2), (3, 4)):
            for d in dilations:
                for ceil_mode in (False, True):
                    yield k, s, p, (d, 1), ceil_mode
