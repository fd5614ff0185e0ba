"""Every kernel in plain NumPy: the definition, the oracle of the tests, and the `numpy` backend.

Shapes: N examples, C input and O output channels, H x W pixels, KH x KW the size of a filter or window,
OH x OW the size of the output. Options with one value per axis (stride, padding, dilation) are pairs.
Every kernel with results takes `out`: arrays of exactly the shape and dtype of the results, in any layout,
which are written and returned; a tuple where there are several results. Inputs are never changed, except by
the updates of optimizers, which work in place. NaN and infinity pass through as they do in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import shapes
from .results import Out, quiet, require_writeable, store
from .shapes import Pair, Shape

Array = np.ndarray
Running = tuple[Array, Array, float]  # a running mean, a running variance, and their momentum

__all__ = [
    "adam_update",
    "adam_updates",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "channel_sums",
    "conv2d",
    "conv2d_backward",
    "conv2d_input",
    "conv2d_weight",
    "elu",
    "elu_backward",
    "erf",
    "gelu",
    "gelu_backward",
    "image_batch",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_take",
    "max_pool2x2",
    "max_pool2x2_backward",
    "normalize",
    "normalize_backward",
    "relu",
    "relu_backward",
    "sgd_update",
    "sgd_updates",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softplus_backward",
    "tanh_backward",
    "try_adam_updates",
    "try_sgd_updates",
]


# --- elementwise ---------------------------------------------------------------------------------------------


def erf(x: Array, *, out: Out = None) -> Array:
    """y = 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x, for x of any shape.

    Integers give float64.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.erf(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    y = np.fromiter(map(math.erf, x.flat), dtype, x.size).reshape(x.shape)
    return store("erf", out, y)


# --- products of matrices ------------------------------------------------------------------------------------


@quiet
def matmul(a: Array, b: Array, *, out: Out = None) -> Array:
    """y[i, j] = sum over k of a[i, k] b[k, j]

    a (M, K), b (K, N) -> y (M, N)

    ValueError for other shapes.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0], [10.0]]))
    array([[21.],
           [43.]])
    """
    shapes.require_matmul("matmul", a.shape, b.shape)
    return store("matmul", out, a @ b)


@quiet
def linear(x: Array, w: Array, b: Array | None, relu: bool = False, *, out: Out = None) -> Array:
    """y[n, o] = b[o] + sum over i of x[n, i] w[o, i], and relu of it if asked for

    x (N, I), w (O, I), b (O,) or None -> y (N, O)

    ValueError for other shapes.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.linear(np.array([[1.0, 2.0]]), np.array([[1.0, 10.0], [0.0, 1.0]]), np.array([0.5, 0.0]))
    array([[21.5,  2. ]])
    """
    shapes.require_linear("linear", x.shape, w.shape, None if b is None else b.shape)
    y = x @ w.T
    if b is not None:
        y = y + b
    return store("linear", out, np.maximum(y, y.dtype.type(0)) if relu else y)


@quiet
def linear_backward(
    g: Array,
    x: Array,
    w: Array,
    need_x: bool,
    need_w: bool,
    need_b: bool,
    y: Array | None = None,
    *,
    out: Out = None,
) -> tuple[Array | None, ...]:
    """The gradients of linear: gx = g w, gw = g^T x, gb = the sum of the rows of g; None for those that nobody needs.

    With y, the output of linear and relu together, g is first set to 0 where y is 0.

    g (N, O), x (N, I), w (O, I), y (N, O) or None -> gx (N, I), gw (O, I), gb (O,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, x, w = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([[1.0, 10.0], [0.0, 1.0]])
    >>> reference.linear_backward(g, x, w, True, False, True)
    (array([[ 1., 12.]]), None, array([1., 2.]))
    """
    shapes.require_linear("linear_backward", x.shape, w.shape, None)
    shapes.require_shape("linear_backward", "the gradient", g, (x.shape[0], w.shape[0]))
    shapes.require_shape("linear_backward", "the output", y, g.shape)
    if y is not None:
        g = relu_backward(g, y)
    wide = {"e": np.float32, "f": np.float64}.get(g.dtype.char)
    gx = g @ w if need_x else None
    gw = g.T @ x if need_w else None
    gb = g.sum(0, dtype=wide).astype(g.dtype) if need_b else None
    return store("linear_backward", out, (gx, gw, gb))


@quiet
def channel_sums(x: Array, *, out: Out = None) -> Array:
    """y[c] = the sum of x[n, c, l] over n and l, rounded once or nearly so

    x (N, C, L) -> y (C,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.channel_sums(np.array([[[1.0, 2.0]], [[3.0, 4.0]]]))
    array([10.])
    """
    shapes.require_ndim("channel_sums", "the input", x.shape, "N, C, L")
    wide = {"e": np.float32, "f": np.float64}.get(x.dtype.char, x.dtype)
    return store("channel_sums", out, x.sum(axis=(0, 2), dtype=wide).astype(x.dtype))


def relu(x: Array, *, out: Out = None) -> Array:
    """y = x where x > 0, else 0; NaN stays NaN. x may have any shape.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return store("relu", out, np.maximum(x, x.dtype.type(0)))


def relu_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """gx = g where y, the output of relu, is not 0, else 0, also where g is infinite or NaN.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.relu_backward(np.array([np.inf, 3.0]), np.array([0.0, 2.0]))
    array([0., 3.])
    """
    shapes.require_shape("relu_backward", "the output", y, g.shape)
    return store("relu_backward", out, np.where(y == 0, g.dtype.type(0), g))


@quiet
def leaky_relu(x: Array, slope: float, *, out: Out = None) -> Array:
    """y = x where x > 0, else slope x.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.leaky_relu(np.array([-2.0, 2.0]), 0.25)
    array([-0.5,  2. ])
    """
    return store("leaky_relu", out, np.where(x > 0, x, x * slope))


@quiet
def leaky_relu_backward(g: Array, x: Array, slope: float, *, out: Out = None) -> Array:
    """gx = g where x > 0, else slope g.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.leaky_relu_backward(np.array([1.0, 1.0]), np.array([-2.0, 2.0]), 0.25)
    array([0.25, 1.  ])
    """
    shapes.require_shape("leaky_relu_backward", "the input", x, g.shape)
    return store("leaky_relu_backward", out, np.where(x > 0, g, g * slope))


@quiet
def elu(x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """y = alpha (exp(rate x) - 1) where x <= 0, else x, also where it is NaN.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.elu(np.array([-np.inf, 0.0, 2.0]), 0.5, 1.0)
    array([-0.5,  0. ,  2. ])
    """
    return store("elu", out, np.where(x <= 0, np.expm1(x * rate) * alpha, x))


@quiet
def elu_backward(g: Array, x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """gx = g alpha rate exp(rate x) where x <= 0, else g.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.elu_backward(np.array([3.0, 3.0, 3.0]), np.array([-np.inf, 0.0, 2.0]), 0.5, 1.0)
    array([0. , 1.5, 3. ])
    """
    shapes.require_shape("elu_backward", "the input", x, g.shape)
    return store("elu_backward", out, np.where(x <= 0, g * (np.exp(x * rate) * (alpha * rate)), g))


@quiet
def softplus_backward(g: Array, x: Array, beta: float, threshold: float, *, out: Out = None) -> Array:
    """gx = g / (1 + exp(-beta x)), and g where beta x > threshold: the gradient of log(1 + exp(beta x)) / beta.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.softplus_backward(np.array([2.0, 2.0, 2.0]), np.array([-np.inf, 0.0, 25.0]), 1.0, 20.0)
    array([0., 1., 2.])
    """
    shapes.require_shape("softplus_backward", "the input", x, g.shape)
    z = x * beta
    return store("softplus_backward", out, np.where(z > threshold, g, g * (1 / (1 + np.exp(-z)))))


@quiet
def sigmoid(x: Array, *, out: Out = None) -> Array:
    """y = 1 / (1 + exp(-x)). An exponential that overflows makes a 0, as it should.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.sigmoid(np.array([-1000.0, 0.0]))
    array([0. , 0.5])
    """
    return store("sigmoid", out, 1 / (1 + np.exp(-x)))


@quiet
def sigmoid_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """gx = g y (1 - y), y being the output of sigmoid.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.sigmoid_backward(np.array([2.0]), np.array([0.5]))
    array([0.5])
    """
    shapes.require_shape("sigmoid_backward", "the output", y, g.shape)
    return store("sigmoid_backward", out, g * (y * (1 - y)))


@quiet
def tanh_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """gx = g (1 - y^2), y being the output of tanh.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.tanh_backward(np.array([2.0]), np.array([0.5]))
    array([1.5])
    """
    shapes.require_shape("tanh_backward", "the output", y, g.shape)
    return store("tanh_backward", out, g * (1 - y * y))


@quiet
def silu(x: Array, *, out: Out = None) -> Array:
    """y = x / (1 + exp(-x))

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return store("silu", out, x * (1 / (1 + np.exp(-x))))


@quiet
def silu_backward(g: Array, x: Array, *, out: Out = None) -> Array:
    """gx = g s (1 + x (1 - s)) with s = 1 / (1 + exp(-x))

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.silu_backward(np.array([2.0]), np.array([0.0]))
    array([1.])
    """
    shapes.require_shape("silu_backward", "the input", x, g.shape)
    s = 1 / (1 + np.exp(-x))
    return store("silu_backward", out, g * (s * (1 + x * (1 - s))))


@quiet
def gelu(x: Array, *, out: Out = None) -> Array:
    """y = x (1 + erf(x / sqrt(2))) / 2

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.gelu(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8413])
    """
    return store("gelu", out, x * (erf(x * math.sqrt(0.5)) + 1) * 0.5)


@quiet
def gelu_backward(g: Array, x: Array, *, out: Out = None) -> Array:
    """gx = g ((1 + erf(x / sqrt(2))) / 2 + x exp(-x^2 / 2) / sqrt(2 pi))

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.gelu_backward(np.array([2.0]), np.array([0.0]))
    array([1.])
    """
    shapes.require_shape("gelu_backward", "the input", x, g.shape)
    density = np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return store("gelu_backward", out, g * ((erf(x * math.sqrt(0.5)) + 1) * 0.5 + x * density))


# --- convolution: three faces of one trilinear form ----------------------------------------------------------
#
# All three sum over the taps (kh, kw) of the filter. The tap of window (i, j) is pixel
# (i*sh + kh*dh, j*sw + kw*dw) of the padded image; for one tap and all windows that is a strided slice, and
# what is left to do is a product of matrices over the channels, one for each group.


@quiet
def conv2d(
    x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, *, out: Out = None
) -> Array:
    """Slide filters over images (a cross-correlation, as in PyTorch).

    y[n, o, i, j] = b[o] + sum over c, kh, kw of w[o, c, kh, kw] padded_x[n, c, i*sh + kh*dh, j*sw + kw*dw]

    x (N, C, H, W), w (O, C/groups, KH, KW), b (O,) or None -> y (N, O, OH, OW)

    ValueError for shapes that do not belong together.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> reference.conv2d(x, w, None, (1, 1), (0, 0), (1, 1), 1)    # sums of four pixels
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    N, O, OH, OW = shapes.conv2d("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d", "the bias", b, (O,))
    x, w = _pad(x, padding), _split_filters(w, groups)
    y = np.zeros((N, groups, O // groups, OH * OW), np.result_type(x, w))
    for kh, kw in np.ndindex(w.shape[-2:]):
        pixels = x[:, :, *_tap(kh, kw, stride, dilation, (OH, OW))]
        y += w[..., kh, kw] @ pixels.reshape(N, groups, w.shape[2], OH * OW)
    y = y.reshape(N, O, OH, OW)
    return store("conv2d", out, y if b is None else y + b[:, None, None])


@quiet
def conv2d_input(
    g: Array,
    w: Array,
    input_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    *,
    out: Out = None,
) -> Array:
    """The gradient of conv2d's input: every output pixel sends w g back to the pixels it was made of.

    g (N, O, OH, OW), w (O, C/groups, KH, KW) -> gx of `input_shape` (N, C, H, W)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, w = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    >>> reference.conv2d_input(g, w, (1, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1)    # the windows over each pixel
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    N, O, OH, OW = shapes.conv2d("conv2d_input", input_shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_input", "the output gradient", g, (N, O, OH, OW))
    (_, C, H, W), (ph, pw) = input_shape, padding
    w = _split_filters(w, groups)
    g = g.reshape(N, groups, O // groups, OH * OW)
    gx = np.zeros((N, C, H + 2 * ph, W + 2 * pw), np.result_type(g, w))
    for kh, kw in np.ndindex(w.shape[-2:]):
        pixels = w[..., kh, kw].swapaxes(1, 2) @ g
        gx[:, :, *_tap(kh, kw, stride, dilation, (OH, OW))] += pixels.reshape(N, C, OH, OW)
    return store("conv2d_input", out, gx[:, :, ph : ph + H, pw : pw + W].copy())


@quiet
def conv2d_weight(
    x: Array,
    g: Array,
    weight_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    *,
    out: Out = None,
) -> Array:
    """The gradient of conv2d's weight: each weight gathers pixel times gradient from wherever it was used.

    x (N, C, H, W), g (N, O, OH, OW) -> gw of `weight_shape` (O, C/groups, KH, KW)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x, g = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> reference.conv2d_weight(x, g, (1, 1, 2, 2), (1, 1), (0, 0), (1, 1), 1)
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    N, O, OH, OW = shapes.conv2d("conv2d_weight", x.shape, weight_shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_weight", "the output gradient", g, (N, O, OH, OW))
    x = _pad(x, padding)
    g = g.reshape(N, groups, O // groups, OH * OW)
    gw = np.zeros((groups, O // groups, *weight_shape[1:]), np.result_type(x, g))
    for kh, kw in np.ndindex(gw.shape[-2:]):
        pixels = x[:, :, *_tap(kh, kw, stride, dilation, (OH, OW))].reshape(N, groups, gw.shape[2], OH * OW)
        gw[..., kh, kw] = (g @ pixels.swapaxes(2, 3)).sum(axis=0)
    return store("conv2d_weight", out, gw.reshape(weight_shape))


def conv2d_backward(
    g: Array,
    x: Array,
    w: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    need_x: bool,
    need_w: bool,
    need_b: bool,
    *,
    out: Out = None,
) -> tuple[Array | None, ...]:
    """The gradients of conv2d: gx = conv2d_input, gw = conv2d_weight, gb = channel_sums of g; None for those that
    nobody needs.

    g (N, O, OH, OW), x (N, C, H, W), w (O, C/groups, KH, KW) -> gx (N, C, H, W), gw (O, C/groups, KH, KW), gb (O,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, x, w = np.ones((1, 1, 1, 2)), np.array([[[[1.0, 2.0, 4.0]]]]), np.array([[[[1.0, 3.0]]]])
    >>> reference.conv2d_backward(g, x, w, (1, 1), (0, 0), (1, 1), 1, False, True, True)
    (None, array([[[[3., 6.]]]]), array([2.]))
    """
    shape = shapes.conv2d("conv2d_backward", x.shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_backward", "the output gradient", g, shape)
    options = stride, padding, dilation, groups
    gx = conv2d_input(g, w, x.shape, *options) if need_x else None
    gw = conv2d_weight(x, g, w.shape, *options) if need_w else None
    gb = channel_sums(g.reshape(*shape[:2], shape[2] * shape[3])) if need_b else None
    return store("conv2d_backward", out, (gx, gw, gb))


def _pad(x: Array, padding: Pair) -> Array:
    """`x` with a border of zeros."""
    ph, pw = padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))


def _tap(kh: int, kw: int, stride: Pair, dilation: Pair, output_size: Pair) -> tuple[slice, slice]:
    """Where the tap (kh, kw) of every window lies in the padded image."""
    (sh, sw), (dh, dw), (OH, OW) = stride, dilation, output_size
    return slice(kh * dh, kh * dh + sh * (OH - 1) + 1, sh), slice(kw * dw, kw * dw + sw * (OW - 1) + 1, sw)


def _split_filters(w: Array, groups: int) -> Array:
    """(O, C/groups, KH, KW) as (groups, O/groups, C/groups, KH, KW)"""
    return w.reshape(groups, w.shape[0] // groups, *w.shape[1:])


# --- pooling -------------------------------------------------------------------------------------------------


def max_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    output_size: Pair,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """The largest value in each window, and where it is.

    The first of equal values wins, and NaN counts as larger than any number (the last NaN wins). A window may
    reach over the edge of the image; what lies outside is never chosen.

    x (N, C, H, W) -> y (N, C, OH, OW), indices (N, C, OH, OW): h*W + w in the image without padding, int64

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x = np.array([[[[1.0, 5.0, 2.0, 2.0]]]])
    >>> reference.max_pool2d(x, (1, 2), (1, 2), (0, 0), (1, 1), (1, 2))
    (array([[[[5., 2.]]]]), array([[[[1, 2]]]]))
    """
    shape = shapes.pool2d("max_pool2d", x.shape, kernel_size, stride, padding, dilation, output_size)
    H, W = x.shape[2:]
    y = np.empty(shape, x.dtype)
    indices = np.full(shape, -1, np.int64)  # -1: nothing chosen yet
    for kh, kw in np.ndindex(*kernel_size):
        h = _tap_positions(kh, stride[0], padding[0], dilation[0], output_size[0])[:, None]
        w = _tap_positions(kw, stride[1], padding[1], dilation[1], output_size[1])
        inside = (h >= 0) & (h < H) & (w >= 0) & (w < W)
        values = x[:, :, h.clip(0, H - 1), w.clip(0, W - 1)]
        chosen = inside & ((indices < 0) | (values > y) | np.isnan(values))
        np.copyto(y, values, where=chosen)
        np.copyto(indices, h * W + w, where=chosen)
    return store("max_pool2d", out, (y, indices))


def max_pool2d_backward(g: Array, indices: Array, input_shape: Shape, *, out: Out = None) -> Array:
    """Send each gradient to the pixel that was the largest; where windows overlap, gradients add up.

    g, indices (N, C, OH, OW) -> gx of `input_shape` (N, C, H, W)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, indices = np.array([[[[1.0, 10.0]]]]), np.array([[[[1, 1]]]])
    >>> reference.max_pool2d_backward(g, indices, (1, 1, 1, 3))    # both windows chose pixel 1
    array([[[[ 0., 11.,  0.]]]])
    """
    shapes.require_ndim("max_pool2d_backward", "the input", input_shape, "N, C, H, W")
    N, C, H, W = input_shape
    shapes.require_shape("max_pool2d_backward", "indices", indices, g.shape)
    shapes.require_shape("max_pool2d_backward", "the output gradient", g, (N, C, *g.shape[2:]))
    shapes.require_range("max_pool2d_backward", "indices", indices, H * W)
    gx = np.zeros(input_shape, g.dtype)
    n, c = np.arange(N)[:, None, None, None], np.arange(C)[:, None, None]
    np.add.at(gx.reshape(N, C, H * W), (n, c, indices), g)
    return store("max_pool2d_backward", out, gx)


def max_pool2d_take(x: Array, indices: Array, *, out: Out = None) -> Array:
    """The pixels at `indices`: the adjoint of max_pool2d_backward.

    x (N, C, H, W), indices (N, C, OH, OW) -> y (N, C, OH, OW)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x, indices = np.array([[[[1.0, 5.0, 2.0]]]]), np.array([[[[1, 2]]]])
    >>> reference.max_pool2d_take(x, indices)
    array([[[[5., 2.]]]])
    """
    shapes.require_ndim("max_pool2d_take", "the input", x.shape, "N, C, H, W")
    N, C, H, W = x.shape
    shapes.require_shape("max_pool2d_take", "indices", indices, (N, C, *indices.shape[2:]))
    shapes.require_range("max_pool2d_take", "indices", indices, H * W)
    n, c = np.arange(N)[:, None, None, None], np.arange(C)[:, None, None]
    return store("max_pool2d_take", out, x.reshape(N, C, H * W)[n, c, indices])


def max_pool2x2(x: Array, relu: bool = False, *, out: Out = None) -> tuple[Array, Array]:
    """max_pool2d with windows of 2x2 side by side, and which of its four elements each winner is.

    With relu, that of max(x, 0): a window without a number above 0 has no winner, which is written as 4.

    x (N, C, H, W) -> y, winners (N, C, H // 2, W // 2): 0 and 1 above 2 and 3, uint8

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.max_pool2x2(np.array([[[[1.0, 5.0, 2.0, 2.0], [0.0, 3.0, 8.0, 2.0]]]]))
    (array([[[[5., 8.]]]]), array([[[[1, 2]]]], dtype=uint8))
    """
    *_, H, W = shape = shapes.pool2x2("max_pool2x2", x.shape)
    y = x[:, :, : 2 * H : 2, : 2 * W : 2].copy()
    winners = np.zeros(shape, np.uint8)
    for k in range(1, 4):
        values = x[:, :, k // 2 : 2 * H : 2, k % 2 : 2 * W : 2]
        chosen = (values > y) | np.isnan(values)
        np.copyto(y, values, where=chosen)
        np.copyto(winners, k, where=chosen)
    if relu:
        none = y <= 0
        y[none], winners[none] = 0, 4
    return store("max_pool2x2", out, (y, winners))


def max_pool2x2_backward(g: Array, winners: Array, input_shape: Shape, *, out: Out = None) -> Array:
    """Send each gradient to the winner of its window, if there is one, and zero to the others.

    g, winners (N, C, H // 2, W // 2) -> gx of `input_shape` (N, C, H, W)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.max_pool2x2_backward(np.array([[[[7.0]]]]), np.array([[[[2]]]]), (1, 1, 2, 3))
    array([[[[0., 0., 0.],
             [7., 0., 0.]]]])
    """
    *_, H, W = shape = shapes.pool2x2("max_pool2x2_backward", input_shape)
    shapes.require_shape("max_pool2x2_backward", "the output gradient", g, shape)
    shapes.require_shape("max_pool2x2_backward", "winners", winners, shape)
    gx = np.zeros(input_shape, g.dtype)
    for k in range(4):
        np.copyto(gx[:, :, k // 2 : 2 * H : 2, k % 2 : 2 * W : 2], g, where=winners == k)
    return store("max_pool2x2_backward", out, gx)


@quiet
def avg_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    output_size: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
    *,
    out: Out = None,
) -> Array:
    """The mean of each window.

    Pixels outside the image count as zeros. The sum is divided by the size of the window within the padded image
    (what hangs over the padding too, as `ceil_mode` allows, is not counted); without `count_include_pad`, by the
    number of pixels of the image itself; with a `divisor_override`, by that.

    x (N, C, H, W) -> y (N, C, OH, OW)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x = np.array([[[[6.0, 2.0]]]])
    >>> for count_include_pad in (True, False):    # the windows: (0, 6), (2, 0)
    ...     print(reference.avg_pool2d(x, (1, 2), (1, 2), (0, 1), (1, 2), count_include_pad, None))
    [[[[3. 1.]]]]
    [[[[6. 2.]]]]
    """
    shape = shapes.pool2d("avg_pool2d", x.shape, kernel_size, stride, padding, (1, 1), output_size)
    H, W = x.shape[2:]
    y = np.zeros(shape, x.dtype)
    for kh, kw in np.ndindex(*kernel_size):
        h = _tap_positions(kh, stride[0], padding[0], 1, output_size[0])[:, None]
        w = _tap_positions(kw, stride[1], padding[1], 1, output_size[1])
        inside = (h >= 0) & (h < H) & (w >= 0) & (w < W)
        y += np.where(inside, x[:, :, h.clip(0, H - 1), w.clip(0, W - 1)], 0)
    divisor = divisor_override or _window_sizes((H, W), kernel_size, stride, padding, output_size, count_include_pad)
    return store("avg_pool2d", out, (y / divisor).astype(x.dtype, copy=False))


@quiet
def avg_pool2d_backward(
    g: Array,
    input_shape: Shape,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
    *,
    out: Out = None,
) -> Array:
    """Share each gradient out equally over its window.

    g (N, C, OH, OW) -> gx of `input_shape` (N, C, H, W)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g = np.array([[[[2.0, 6.0]]]])
    >>> reference.avg_pool2d_backward(g, (1, 1, 1, 4), (1, 2), (1, 2), (0, 0), True, None)
    array([[[[1., 1., 3., 3.]]]])
    """
    shapes.require_ndim("avg_pool2d_backward", "the output gradient", g.shape, "N, C, OH, OW")
    OH, OW = output_size = g.shape[2:]
    shape = shapes.pool2d("avg_pool2d_backward", input_shape, kernel_size, stride, padding, (1, 1), output_size)
    shapes.require_shape("avg_pool2d_backward", "the output gradient", g, shape)
    H, W = input_shape[2:]
    divisor = divisor_override or _window_sizes((H, W), kernel_size, stride, padding, output_size, count_include_pad)
    share = (g / divisor).astype(g.dtype, copy=False)
    gx = np.zeros(input_shape, g.dtype)
    for kh, kw in np.ndindex(*kernel_size):
        h = _tap_positions(kh, stride[0], padding[0], 1, OH)
        w = _tap_positions(kw, stride[1], padding[1], 1, OW)
        rows, columns = np.nonzero((h >= 0) & (h < H))[0], np.nonzero((w >= 0) & (w < W))[0]
        gx[:, :, h[rows, None], w[columns]] += share[:, :, rows[:, None], columns]
    return store("avg_pool2d_backward", out, gx)


def _window_sizes(
    input_size: Shape, kernel_size: Pair, stride: Pair, padding: Pair, output_size: Shape, count_include_pad: bool
) -> Array:
    """How many pixels each window (i, j) of an average pooling is divided by."""
    heights_and_widths = []
    for size, k, s, p, count in zip(input_size, kernel_size, stride, padding, output_size, strict=True):
        start = np.arange(count) * s - p
        end = np.minimum(start + k, size + p)
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size)
        heights_and_widths.append(end - start)
    return np.multiply.outer(*heights_and_widths)


def _tap_positions(k: int, stride: int, padding: int, dilation: int, count: int) -> Array:
    """Along one axis, the position of tap k of every window in the image without padding."""
    return np.arange(count) * stride - padding + k * dilation


# --- images --------------------------------------------------------------------------------------------------


@quiet
def image_batch(images: Array, indices: Array, mean: Array, std: Array, *, out: Out = None) -> Array:
    """Gather images of bytes, scale them to 0..1, and normalize each channel.

    y[n, c, p] = (images[indices[n], p, c] / 255 - mean[c]) / std[c], each step rounded to the dtype of mean and std

    images (n, P, C) uint8, indices (N,) from 0 to n - 1, mean and std (C,) -> y (N, C, P)

    IndexError for an index out of range, TypeError for images of another dtype.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> images = np.array([[[0], [255]], [[51], [102]]], np.uint8)    # two images of two grey pixels
    >>> reference.image_batch(images, np.array([1, 0, 1]), np.zeros(1), np.ones(1))[:, 0]
    array([[0.2, 0.4],
           [0. , 1. ],
           [0.2, 0.4]])
    """
    shapes.image_batch("image_batch", images.shape, indices.shape, mean.shape, std.shape)
    if images.dtype != np.uint8:
        raise TypeError(f"image_batch: images must be uint8, got {images.dtype.name}")
    shapes.require_range("image_batch", "indices", indices, len(images))
    y = images[indices].swapaxes(1, 2) / mean.dtype.type(255)
    y = (y.astype(mean.dtype, copy=False) - mean[:, None]) / std[:, None]
    return store("image_batch", out, np.ascontiguousarray(y))


# --- normalization -------------------------------------------------------------------------------------------


@quiet
def batch_norm(
    x: Array,
    w: Array | None,
    b: Array | None,
    eps: float,
    running: Running | None = None,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """Normalize each channel to mean 0 and variance 1, then scale by w and shift by b; then relu, if asked for.

    y = (x - mean) / sqrt(var + eps) w + b, with the mean and the biased variance over all dimensions but C.

    The variance takes a second pass over x - mean: E[x^2] - E[x]^2 would cancel. Sums are kept in float64, and so is
    the mean: what rounding it to x's dtype left over is its second part, so x + 1e4 gives the same y as x in float32.

    `running`, a mean, a variance and a momentum, moves in place: r = (1 - momentum) r + momentum (mean, or
    var n / (n - 1), n being the values of a channel).

    x (N, C, ...), w and b (C,) or None (1 and 0) -> y of x's shape, statistics (3, C): mean, what rounding it left,
    var; of float16 in float32.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x = np.array([[[1.0, 3.0]]])
    >>> reference.batch_norm(x, None, None, 0.0)
    (array([[[-1.,  1.]]]), array([[2.],
           [0.],
           [1.]]))
    """
    C = _require_channels("batch_norm", x.shape, _shape(w), _shape(b))
    if running is not None:
        shapes.require_running("batch_norm", running, C)
    flat = _positions_in_one(x)
    mean = _channel_mean(flat)
    xc = flat - mean[:, None]
    statistics = _statistics(x.dtype, mean, _channel_mean(xc * xc))
    y = _scaled(x, w, b, statistics, eps, relu)
    results = store("batch_norm", out, (y, statistics))
    if running is not None:
        _move(running, statistics, x.size // max(C, 1))
    return results


@quiet
def batch_norm_backward(
    g: Array,
    x: Array,
    w: Array | None,
    b: Array | None,
    statistics: Array,
    eps: float,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array, Array]:
    """The gradients of batch_norm; the statistics are those it returned.

    With xhat = (x - mean) / sqrt(var + eps) and E the mean over all but C, and with relu, g where y is not 0, else 0:

    gw = sum(g xhat), gb = sum(g), gx = w / sqrt(var + eps) (g - E[g] - xhat E[g xhat])

    g, x (N, C, ...), w, b (C,) or None, statistics (3, C) -> gx of x's shape, gw (C,), gb (C,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, x = np.array([[[1.0, 1.0]]]), np.array([[[1.0, 3.0]]])
    >>> reference.batch_norm_backward(g, x, None, None, np.array([[2.0], [0.0], [1.0]]), 0.0)
    (array([[[0., 0.]]]), array([0.]), array([2.]))
    """
    g, xhat, scale = _normalized("batch_norm_backward", g, x, w, b, statistics, eps, relu)
    m = g.size / max(g.shape[1], 1)
    gb, gw = g.sum(axis=(0, 2)), (g * xhat).sum(axis=(0, 2))
    gx = (g - gb[:, None] / m - xhat * (gw[:, None] / m)) * scale
    results = gx.reshape(x.shape), gw, gb
    return store("batch_norm_backward", out, tuple(a.astype(x.dtype) for a in results))


@quiet
def normalize(
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None,
    b: Array | None,
    eps: float,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """Normalize each channel by a given mean and variance: what batch_norm does in evaluation.

    y = (x - mean) / sqrt(var + eps) w + b, and relu of it if asked for

    x (N, C, ...), mean, var (C,), w and b (C,) or None (1 and 0) -> y of x's shape, statistics (3, C), as of batch_norm

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x, mean, var = np.array([[[1.0, 3.0]]]), np.array([1.0]), np.array([4.0])
    >>> reference.normalize(x, mean, var, None, np.array([10.0]), 0.0)[0]
    array([[[10., 11.]]])
    """
    C = _require_channels("normalize", x.shape, _shape(w), _shape(b))
    shapes.require_shape("normalize", "mean", mean, (C,))
    shapes.require_shape("normalize", "var", var, (C,))
    statistics = _statistics(x.dtype, mean, var)
    return store("normalize", out, (_scaled(x, w, b, statistics, eps, relu), statistics))


@quiet
def normalize_backward(
    g: Array,
    x: Array,
    w: Array | None,
    b: Array | None,
    statistics: Array,
    eps: float,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array, Array]:
    """The gradients of normalize, whose mean and variance are constants.

    gx = g w / sqrt(var + eps), gw = sum(g (x - mean)) / sqrt(var + eps), gb = sum(g), the sums over all but C, in
    float64; with relu, g where y is not 0, else 0

    g, x (N, C, ...), w, b (C,) or None, statistics (3, C) -> gx of x's shape, gw (C,), gb (C,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, x = np.array([[[1.0, 1.0]]]), np.array([[[1.0, 3.0]]])
    >>> reference.normalize_backward(g, x, None, None, np.array([[1.0], [0.0], [4.0]]), 0.0)
    (array([[[0.5, 0.5]]]), array([1.]), array([2.]))
    """
    g, xhat, scale = _normalized("normalize_backward", g, x, w, b, statistics, eps, relu)
    results = (g * scale).reshape(x.shape), (g * xhat).sum(axis=(0, 2)), g.sum(axis=(0, 2))
    return store("normalize_backward", out, tuple(a.astype(x.dtype) for a in results))


@quiet
def _move(running: Running, statistics: Array, n: int) -> None:
    """Let running statistics, in place, take in those of a batch of n values a channel."""
    mean, var, momentum = running
    wide = statistics.astype(_wide(statistics.dtype))
    mean[...] = (1 - momentum) * mean + momentum * (wide[0] + wide[1])
    var[...] = (1 - momentum) * var + momentum * (wide[2] * (np.float64(n) / (n - 1)))


def _require_channels(kernel: str, x: Shape, w: Shape | None, b: Shape | None) -> int:
    """C of an x of shape (N, C, ...), where there is one weight and one bias for each channel, or none."""
    if len(x) < 2:
        raise ValueError(f"{kernel}: the input has shape {x}, expected the axes (N, C, ...)")
    for name, shape in (("the weight", w), ("the bias", b)):
        if shape is not None and shape != x[1:2]:
            raise ValueError(f"{kernel}: {name} has shape {shape}, expected {x[1:2]}")
    return x[1]


def _shape(a: Array | None) -> Shape | None:
    return None if a is None else a.shape


def _positions_in_one(x: Array) -> Array:
    """x (N, C, ...) as (N, C, L)."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _wide(dtype: np.dtype) -> np.dtype:
    """The dtype in which sums are taken: float64, or a wider one."""
    return np.promote_types(dtype, np.float64)


def _statistics(dtype: np.dtype, mean: Array, var: Array) -> Array:
    """The mean rounded, what that left over, and the variance, in a dtype, or in float32 where that is wider."""
    statistics = np.zeros((3, mean.size), np.promote_types(dtype, np.float32))
    statistics[0] = mean
    np.subtract(mean, statistics[0], out=statistics[1], where=np.isfinite(statistics[0]), casting="same_kind")
    statistics[2] = var
    return statistics


def _centred(x: Array, statistics: Array, eps: float) -> tuple[Array, Array]:
    """x less its mean, and 1 / sqrt(var + eps) ready to be multiplied by it, both in float64."""
    mean, rest, var = statistics.astype(_wide(statistics.dtype))[:, :, None]
    return x - mean - rest, 1 / np.sqrt(var + eps)


def _scaled(x: Array, w: Array | None, b: Array | None, statistics: Array, eps: float, relu: bool) -> Array:
    """y of batch_norm and normalize."""
    y, rstd = _centred(_positions_in_one(x), statistics, eps)
    y *= rstd if w is None else rstd * w[:, None]
    if b is not None:
        y += b[:, None]
    y = y.astype(x.dtype).reshape(x.shape)
    return np.where(y <= 0, y.dtype.type(0), y) if relu else y


def _normalized(
    kernel: str, g: Array, x: Array, w: Array | None, b: Array | None, statistics: Array, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """For a backward: g, 0 where relu made y 0; xhat; and what gx is multiplied by in the end; all in float64."""
    C = _require_channels(kernel, x.shape, _shape(w), _shape(b))
    shapes.require_shape(kernel, "the output gradient", g, x.shape)
    shapes.require_shape(kernel, "the statistics", statistics, (3, C))
    g, x = _positions_in_one(g), _positions_in_one(x)
    xhat, rstd = _centred(x, statistics, eps)
    xhat *= rstd
    g = g.astype(xhat.dtype)
    if relu:
        g[_scaled(x, w, b, statistics, eps, True) == 0] = 0
    return g, xhat, rstd if w is None else rstd * w[:, None]


@quiet
def layer_norm(
    x: Array, w: Array | None, b: Array | None, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Normalize each row to mean 0 and variance 1, then scale by w and shift by b, element by element.

    y = (x - mean) / sqrt(var + eps) w + b, with the mean and the biased variance over L, computed as in batch_norm.

    x (N, L), w and b (L,) or None (1 and 0) -> y (N, L), mean (N,), var (N,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x = np.array([[1.0, 3.0], [10.0, 30.0]])
    >>> reference.layer_norm(x, None, None, 0.0)
    (array([[-1.,  1.],
           [-1.,  1.]]), array([ 2., 20.]), array([  1., 100.]))
    """
    shapes.require_ndim("layer_norm", "the input", x.shape, "N, L")
    L = x.shape[1]
    shapes.require_shape("layer_norm", "the weight", w, (L,))
    shapes.require_shape("layer_norm", "the bias", b, (L,))
    mean = _row_mean(x)
    xc = x - mean[:, None]
    var = _row_mean(xc * xc)
    y = xc / np.sqrt(var + eps)[:, None]
    if w is not None:
        y *= w
    if b is not None:
        y += b
    return store("layer_norm", out, (y.astype(x.dtype), mean.astype(x.dtype), var.astype(x.dtype)))


@quiet
def layer_norm_backward(
    g: Array, x: Array, w: Array | None, mean: Array, var: Array, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """The gradients of layer_norm; mean and var are those it returned.

    With xhat = (x - mean) / sqrt(var + eps), gxhat = g w and E the mean over L:

    gw = sum over N of g xhat, gb = sum over N of g, gx = (gxhat - E[gxhat] - xhat E[gxhat xhat]) / sqrt(var + eps)

    g, x (N, L), w (L,) or None, mean, var (N,) -> gx (N, L), gw (L,), gb (L,)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> g, x = np.array([[1.0, 1.0]]), np.array([[1.0, 3.0]])
    >>> reference.layer_norm_backward(g, x, None, np.array([2.0]), np.array([1.0]), 0.0)
    (array([[0., 0.]]), array([-1.,  1.]), array([1., 1.]))
    """
    shapes.require_ndim("layer_norm_backward", "the input", x.shape, "N, L")
    shapes.require_shape("layer_norm_backward", "the output gradient", g, x.shape)
    N, L = x.shape
    shapes.require_shape("layer_norm_backward", "the weight", w, (L,))
    for name, a in (("mean", mean), ("var", var)):
        shapes.require_shape("layer_norm_backward", name, a, (N,))
    rstd = 1 / np.sqrt(var.astype(np.float64) + eps)[:, None]
    xc = x.astype(np.float64) - mean[:, None]
    xc -= _row_mean(xc)[:, None]  # as in batch_norm_backward
    xhat = xc * rstd
    gb = g.sum(axis=0, dtype=np.float64)
    gw = (g * xhat).sum(axis=0)
    gxhat = g.astype(np.float64) if w is None else g * w.astype(np.float64)
    gx = (gxhat - _row_mean(gxhat)[:, None] - xhat * _row_mean(gxhat * xhat)[:, None]) * rstd
    return store("layer_norm_backward", out, (gx.astype(x.dtype), gw.astype(x.dtype), gb.astype(x.dtype)))


def _channel_mean(x: Array) -> Array:
    """The mean of each channel of (N, C, L), in float64."""
    N, _, L = x.shape
    return x.sum(axis=(0, 2), dtype=np.float64) / (N * L)


def _row_mean(x: Array) -> Array:
    """The mean of each row of (N, L), in float64."""
    return x.sum(axis=1, dtype=np.float64) / x.shape[1]


# --- loss ----------------------------------------------------------------------------------------------------


@quiet
def softmax(x: Array, *, out: Out = None) -> Array:
    """y[n, c] = exp(x[n, c]) / sum over k of exp(x[n, k])

    The row's maximum is subtracted first, so that exp cannot overflow.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.softmax(np.log([[1.0, 4.0]]))
    array([[0.2, 0.8]])
    """
    shapes.require_ndim("softmax", "the input", x.shape, "N, C")
    e = np.exp(x - _row_peak(x))
    return store("softmax", out, e / e.sum(axis=1, keepdims=True))


@quiet
def softmax_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """gx[n, c] = y[n, c] (g[n, c] - sum over k of g[n, k] y[n, k]), y being the output of softmax.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.softmax_backward(np.array([[2.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.5, -0.5]])
    """
    shapes.require_ndim("softmax_backward", "the output", y.shape, "N, C")
    shapes.require_shape("softmax_backward", "the output gradient", g, y.shape)
    return store("softmax_backward", out, y * (g - (g * y).sum(axis=1, keepdims=True)))


@quiet
def log_softmax(x: Array, *, out: Out = None) -> Array:
    """y[n, c] = x[n, c] - log(sum over k of exp(x[n, k])): the logarithm of softmax, without forming the quotient.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.log_softmax(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """
    shapes.require_ndim("log_softmax", "the input", x.shape, "N, C")
    shifted = x - _row_peak(x)
    return store("log_softmax", out, shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


@quiet
def log_softmax_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """gx[n, c] = g[n, c] - exp(y[n, c]) sum over k of g[n, k], y being the output of log_softmax.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> reference.log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.25, 0.75]]))
    array([[ 0.75, -0.75]])
    """
    shapes.require_ndim("log_softmax_backward", "the output", y.shape, "N, C")
    shapes.require_shape("log_softmax_backward", "the output gradient", g, y.shape)
    return store("log_softmax_backward", out, g - np.exp(y) * g.sum(axis=1, keepdims=True))


def _row_peak(x: Array) -> Array:
    """The largest number of each row of (N, C), as (N, 1); -inf where there is none."""
    return x.max(axis=1, keepdims=True, initial=-np.inf)


@quiet
def softmax_cross_entropy(x: Array, labels: Array, average: bool = False, *, out: Out = None) -> tuple[Array, Array]:
    """The negative log-likelihood of each row's label under softmax(x), and what the gradient needs of the row.

    peak[n] = max over c of x[n, c],  share[n] = 1 / (sum over c of exp(x[n, c] - peak[n]))
    loss[n] = log(1 / share[n]) - (x[n, labels[n]] - peak[n])

    x (N, C), labels (N,) int64 -> loss (N,), or () if `average` asks for the mean of them; rows (2, N): peak and share

    IndexError for a label that is no class.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> loss, rows = reference.softmax_cross_entropy(np.full((1, 4), 7.0), np.array([2]))
    >>> loss.round(4), rows    # log 4
    (array([1.3863]), array([[7.  ],
           [0.25]]))
    """
    shapes.require_ndim("softmax_cross_entropy", "the input", x.shape, "N, C")
    N, C = x.shape
    shapes.require_shape("softmax_cross_entropy", "labels", labels, (N,))
    shapes.require_range("softmax_cross_entropy", "labels", labels, C)
    peak = _row_peak(x)
    shifted = x - peak
    total = np.exp(shifted).sum(axis=1)
    loss = np.log(total) - shifted[np.arange(N), labels]
    if average:
        loss = np.asarray(loss.sum(dtype=_wide(x.dtype)) / N, x.dtype)
    return store("softmax_cross_entropy", out, (loss, np.stack([peak[:, 0], 1 / total])))


@quiet
def softmax_cross_entropy_backward(g: Array, x: Array, labels: Array, rows: Array, *, out: Out = None) -> Array:
    """gx[n, c] = g[n] (softmax(x)[n, c] - [c == labels[n]]), where softmax(x)[n, c] = share[n] exp(x[n, c] - peak[n])

    g (N,), or () of the mean: each row's is then g / N; x (N, C), labels (N,), rows (2, N) from softmax_cross_entropy
    -> gx (N, C)

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> x, labels = np.log([[1.0, 1.0, 2.0]]), np.array([2])
    >>> _, rows = reference.softmax_cross_entropy(x, labels)
    >>> reference.softmax_cross_entropy_backward(np.array(1.0), x, labels, rows)
    array([[ 0.25,  0.25, -0.5 ]])
    """
    shapes.require_cross_entropy("softmax_cross_entropy_backward", g.shape, x.shape, labels.shape, rows.shape)
    N, C = x.shape
    shapes.require_range("softmax_cross_entropy_backward", "labels", labels, C)
    peak, share = rows
    gx = np.exp(x - peak[:, None]) * share[:, None]
    gx[np.arange(N), labels] -= 1
    return store("softmax_cross_entropy_backward", out, gx * (g[:, None] if g.ndim else g / g.dtype.type(N)))


# --- optimizer updates, in place -----------------------------------------------------------------------------


@quiet
def sgd_update(
    p: Array,
    g: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step of stochastic gradient descent; p and momentum_buffer change in place.

    g = g + weight_decay p;  buffer = momentum buffer + (1 - dampening) g;  p = p - lr buffer

    On the first step the buffer becomes a copy of g, without dampening. Nesterov steps along
    g + momentum buffer. Without momentum there is no buffer, and p = p - lr g. All arrays have p's shape.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> p, buffer = np.array([1.0]), np.array([2.0])
    >>> reference.sgd_update(p, np.array([1.0]), buffer, 0.1, 0.5, 0, 0, False, False, False)
    >>> p, buffer
    (array([0.8]), array([2.]))
    """
    require_writeable("sgd_update", p=p, momentum_buffer=momentum_buffer)
    shapes.require_shape("sgd_update", "the gradient", g, p.shape)
    shapes.require_shape("sgd_update", "momentum_buffer", momentum_buffer, p.shape)
    step = -g if maximize else g
    if weight_decay != 0:
        step = step + weight_decay * p
    if momentum != 0:
        if momentum_buffer is None:
            raise ValueError("sgd_update: momentum needs a momentum_buffer of the parameter's shape, got None")
        if first:
            momentum_buffer[...] = step
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * step
        step = step + momentum * momentum_buffer if nesterov else momentum_buffer
    p -= lr * step


def sgd_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    momentum_buffers: Sequence[Array | None],
    firsts: Sequence[bool],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """sgd_update of many parameters, `firsts` saying whose first step it is.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> ps, gs = [np.array([1.0]), np.array([2.0, 3.0])], [np.array([5.0]), np.array([5.0, 10.0])]
    >>> reference.sgd_updates(ps, gs, [None, None], [True, True], 0.1, 0, 0, 0, False, False)
    >>> ps
    [array([0.5]), array([1.5, 2. ])]
    """
    for p, g, buffer, first in zip(ps, gs, momentum_buffers, firsts, strict=True):
        sgd_update(p, g, buffer, lr, momentum, dampening, weight_decay, nesterov, maximize, first)


def try_sgd_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    momentum_buffers: Sequence[Array | None],
    first: bool,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> bool:
    """sgd_updates of arrays that nobody has looked at, all or none at the first step. Was it done, or nothing at all?

    Nothing here: what can do all of it at once, and knows beforehand that it can, is machine code.
    """
    return False


@quiet
def adam_update(
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """One step of Adam; p and the three averages change in place.

    m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
    p = p - lr / (1 - beta1^step) m / (sqrt(v / (1 - beta2^step)) + eps)

    `step` counts from 1. Weight decay is added to g, or, when decoupled (AdamW), taken off p first.
    With max_exp_avg_sq (AMSGrad) the largest v so far is used. All arrays have p's shape.
    Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019; Reddi et al. 2018.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> p, m, v = np.array([1.0, 1.0]), np.zeros(2), np.zeros(2)
    >>> reference.adam_update(p, np.array([1e-3, 1e3]), m, v, None, 1, 0.1, 0.9, 0.999, 0, 0, False, False)
    >>> p    # the first step is lr, whatever the size of g
    array([0.9, 0.9])
    """
    arrays = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    require_writeable("adam_update", p=p, **arrays)
    for name, a in {"the gradient": g, **arrays}.items():
        shapes.require_shape("adam_update", name, a, p.shape)
    g = -g if maximize else g
    if weight_decay != 0 and decoupled:
        p *= 1 - lr * weight_decay
    elif weight_decay != 0:
        g = g + weight_decay * p
    exp_avg += (1 - beta1) * (g - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * (g * g)
    v = exp_avg_sq
    if max_exp_avg_sq is not None:
        v = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    p -= lr / (1 - beta1**step) * exp_avg / (np.sqrt(v) / (1 - beta2**step) ** 0.5 + eps)


def adam_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array | None],
    steps: Sequence[int],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """adam_update of many parameters, each at a step of its own.

    >>> import numpy as np
    >>> from minigrad.kernels import reference
    >>> ps, gs, ms, vs = [[np.array([x]), np.array([x])] for x in (1.0, 5.0, 0.0, 0.0)]
    >>> reference.adam_updates(ps, gs, ms, vs, [None, None], [1, 1], 0.1, 0.9, 0.999, 0, 0, False, False)
    >>> ps
    [array([0.9]), array([0.9])]
    """
    for p, g, m, v, largest, step in zip(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, strict=True):
        adam_update(p, g, m, v, largest, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)


def try_adam_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array | None],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> bool:
    """adam_updates of arrays that nobody has looked at, all at one step. As `try_sgd_updates`, nothing is done here."""
    return False
