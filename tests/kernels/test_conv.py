"""The three faces of convolution, on both backends."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, reference

BACKENDS = [reference, compiled]


def _naive_conv2d(x, w, b, stride, padding, dilation, groups):
    """The sum written out, one multiplication at a time."""
    (N, _, H, W), (O, CG, KH, KW) = x.shape, w.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    OH, OW = (H + 2 * ph - dh * (KH - 1) - 1) // sh + 1, (W + 2 * pw - dw * (KW - 1) - 1) // sw + 1
    y = np.zeros((N, O, OH, OW))
    for n, o, i, j in np.ndindex(*y.shape):
        y[n, o, i, j] = 0 if b is None else b[o]
        first = o // (O // groups) * CG
        for c, kh, kw in np.ndindex(CG, KH, KW):
            h, v = i * sh + kh * dh - ph, j * sw + kw * dw - pw
            if 0 <= h < H and 0 <= v < W:
                y[n, o, i, j] += w[o, c, kh, kw] * x[n, first + c, h, v]
    return y


@st.composite
def convolutions(draw):
    """Arrays x, w, b, an output gradient, and the options of a convolution that has an output."""
    pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731
    groups, kernel, dilation = draw(st.integers(1, 3)), draw(pair(1, 4)), draw(pair(1, 3))
    stride, padding = draw(pair(1, 3)), draw(pair(0, 3))
    size = [
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), d * (k - 1) + 7))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    N, CG, OG = draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((N, CG * groups, *size))
    w = rng.standard_normal((OG * groups, CG, *kernel))
    b = rng.standard_normal(OG * groups) if draw(st.booleans()) else None
    options = (stride, padding, dilation, groups)
    g = rng.standard_normal(reference.conv2d(x, w, b, *options).shape)
    return x, w, b, g, options


@settings(max_examples=80, deadline=None)
@given(convolutions(), st.sampled_from([np.float32, np.float64]))
def test_compiled_equals_reference(case, dtype):
    x, w, b, g, options = case
    x, w, g = x.astype(dtype), w.astype(dtype), g.astype(dtype)
    b = None if b is None else b.astype(dtype)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    for name, args in (
        ("conv2d", (x, w, b)),
        ("conv2d_input", (g, w, x.shape)),
        ("conv2d_weight", (x, g, w.shape)),
    ):
        actual, expected = getattr(compiled, name)(*args, *options), getattr(reference, name)(*args, *options)
        assert actual.dtype == expected.dtype == dtype and actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, **tolerance, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_the_faces_are_adjoint(case):
    """<g, conv(x, w)> = <conv_input(g, w), x> = <conv_weight(x, g), w>"""
    x, w, _, g, options = case
    for kernels in BACKENDS:
        form = np.vdot(g, kernels.conv2d(x, w, None, *options))
        np.testing.assert_allclose(np.vdot(kernels.conv2d_input(g, w, x.shape, *options), x), form, atol=1e-9)
        np.testing.assert_allclose(np.vdot(kernels.conv2d_weight(x, g, w.shape, *options), w), form, atol=1e-9)


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [((1, 1), (0, 0), (1, 1), 1), ((2, 1), (1, 2), (1, 2), 2), ((3, 2), (0, 1), (2, 1), 4)],
)
def test_equals_the_sum_written_out(kernels, stride, padding, dilation, groups):
    rng = np.random.default_rng(3)
    x, w, b = rng.standard_normal((2, 4, 7, 5)), rng.standard_normal((4, 4 // groups, 3, 2)), rng.standard_normal(4)
    for bias in (b, None):
        expected = _naive_conv2d(x, w, bias, stride, padding, dilation, groups)
        actual = kernels.conv2d(x, w, bias, stride, padding, dilation, groups)
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_an_infinite_weight_meets_the_zeros_of_the_padding(kernels):
    """0 x inf is NaN in the padding too, as in PyTorch."""
    w = np.full((1, 1, 3, 3), np.inf, np.float32)
    y = kernels.conv2d(np.ones((1, 1, 4, 4), np.float32), w, None, (1, 1), (1, 1), (1, 1), 1)
    assert np.isnan(y[0, 0, 0]).all() and np.isnan(y[0, 0, :, 0]).all() and (y[0, 0, 1:3, 1:3] == np.inf).all()


@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize(
    ("x", "w", "options", "text"),
    [
        ((1, 3, 5, 5), (4, 2, 3, 3), {}, r"1 groups, 3 input channels and a weight of shape \(4, 2, 3, 3\) do not fit"),
        ((1, 4, 5, 5), (3, 2, 3, 3), {"groups": 2}, "2 groups, 4 input channels"),
        ((1, 4, 5, 5), (4, 4, 3, 3), {"groups": 0}, "0 groups"),
        ((1, 1, 2, 5), (1, 1, 3, 3), {}, r"filters of size \(3, 3\) .* are larger than the input \(2, 5\)"),
        ((1, 1, 5, 5), (1, 1, 3, 3), {"dilation": (1, 3)}, r"dilation \(1, 3\) are larger than the input \(5, 5\)"),
        ((1, 5, 5), (1, 1, 3, 3), {}, r"the input has shape \(1, 5, 5\), expected the axes \(N, C, H, W\)"),
        ((1, 1, 5, 5), (1, 3, 3), {}, r"the weight has shape \(1, 3, 3\), expected the axes"),
        ((1, 1, 5, 5), (1, 1, 3, 3), {"stride": (0, 1)}, r"stride must be two integers >= 1, got \(0, 1\)"),
        ((1, 1, 5, 5), (1, 1, 3, 3), {"padding": (-1, 0)}, r"padding must be two integers >= 0, got \(-1, 0\)"),
        ((1, 1, 5, 5), (1, 1, 3, 3), {"dilation": (0, 0)}, r"dilation must be two integers >= 1, got \(0, 0\)"),
        ((1, 1, 5, 5), (1, 1, 0, 3), {}, r"kernel_size must be two integers >= 1, got \(0, 3\)"),
    ],
)
def test_impossible_convolutions_are_refused(kernels, x, w, options, text):
    options = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **options}
    x, w = np.zeros(x, np.float32), np.zeros(w, np.float32)
    with pytest.raises(ValueError, match=f"conv2d: .*{text}"):
        kernels.conv2d(x, w, None, **options)
    with pytest.raises(ValueError, match=f"conv2d_input: .*{text}"):
        kernels.conv2d_input(np.zeros((1, 1, 1, 1), np.float32), w, x.shape, **options)
    with pytest.raises(ValueError, match=f"conv2d_weight: .*{text}"):
        kernels.conv2d_weight(x, np.zeros((1, 1, 1, 1), np.float32), w.shape, **options)


@pytest.mark.reference
@pytest.mark.parametrize("kernels", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_pytorch(kernels, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
    options = itertools.product([(1, 1), (2, 3)], [(0, 0), (2, 1)], [(1, 1), (2, 1)], [1, 2, 4], [3, 0])
    for stride, padding, dilation, groups, N in options:
        x = rng.standard_normal((N, 4, 9, 8)).astype(dtype)
        w = rng.standard_normal((8, 4 // groups, 3, 2)).astype(dtype)
        b = rng.standard_normal(8).astype(dtype)
        tx, tw, tb = (torch.tensor(a, requires_grad=True) for a in (x, w, b))
        ty = torch.nn.functional.conv2d(tx, tw, tb, stride, padding, dilation, groups)
        g = rng.standard_normal(ty.shape).astype(dtype)
        tgx, tgw = torch.autograd.grad(ty, (tx, tw), torch.from_numpy(g))
        args = (stride, padding, dilation, groups)
        np.testing.assert_allclose(kernels.conv2d(x, w, b, *args), ty.detach(), **tolerance)
        np.testing.assert_allclose(kernels.conv2d_input(g, w, x.shape, *args), tgx, **tolerance)
        np.testing.assert_allclose(kernels.conv2d_weight(x, g, w.shape, *args), tgw, **tolerance)
