"""Pooling, compiled."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output, outputs
from .jit import helper, kernel
from .shapes import Pair, Shape

Array = np.ndarray


@gate(reference.max_pool2d)
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
    """Compiled twin of `reference.max_pool2d`."""
    shape = shapes.pool2d("max_pool2d", x.shape, kernel_size, stride, padding, dilation, output_size)
    y, indices = outputs("max_pool2d", out, (shape, x.dtype), (shape, np.dtype(np.int64)))
    _max_pool2d(x, y, indices, (*kernel_size, *stride, *padding, *dilation))
    return y, indices


@gate(reference.max_pool2d_backward)
def max_pool2d_backward(g: Array, indices: Array, input_shape: Shape, *, out: Out = None) -> Array:
    """Compiled twin of `reference.max_pool2d_backward`."""
    shapes.require_ndim("max_pool2d_backward", "the input", input_shape, "N, C, H, W")
    N, C, H, W = input_shape
    shapes.require_shape("max_pool2d_backward", "indices", indices, g.shape)
    shapes.require_shape("max_pool2d_backward", "the output gradient", g, (N, C, *g.shape[2:]))
    shapes.require_range("max_pool2d_backward", "indices", indices, H * W)
    gx = output("max_pool2d_backward", out, input_shape, g.dtype)
    images, windows = (N * C, H * W), (N * C, g.shape[2] * g.shape[3])
    _max_pool2d_backward(g.reshape(windows), indices.reshape(windows), gx.reshape(images))
    return gx


@gate(reference.max_pool2d_take)
def max_pool2d_take(x: Array, indices: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.max_pool2d_take`."""
    shapes.require_ndim("max_pool2d_take", "the input", x.shape, "N, C, H, W")
    N, C, H, W = x.shape
    shapes.require_shape("max_pool2d_take", "indices", indices, (N, C, *indices.shape[2:]))
    shapes.require_range("max_pool2d_take", "indices", indices, H * W)
    y = output("max_pool2d_take", out, indices.shape, x.dtype)
    images, windows = (N * C, H * W), (N * C, y.shape[2] * y.shape[3])
    _max_pool2d_take(x.reshape(images), indices.reshape(windows), y.reshape(windows))
    return y


@gate(reference.avg_pool2d)
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
    """Compiled twin of `reference.avg_pool2d`."""
    shape = shapes.pool2d("avg_pool2d", x.shape, kernel_size, stride, padding, (1, 1), output_size)
    y = output("avg_pool2d", out, shape, x.dtype)
    _avg_pool2d(x, y, (*kernel_size, *stride, *padding), bool(count_include_pad), int(divisor_override or 0))
    return y


@gate(reference.avg_pool2d_backward)
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
    """Compiled twin of `reference.avg_pool2d_backward`."""
    shapes.require_ndim("avg_pool2d_backward", "the output gradient", g.shape, "N, C, OH, OW")
    shape = shapes.pool2d("avg_pool2d_backward", input_shape, kernel_size, stride, padding, (1, 1), g.shape[2:])
    shapes.require_shape("avg_pool2d_backward", "the output gradient", g, shape)
    gx = output("avg_pool2d_backward", out, input_shape, g.dtype)
    window = (*kernel_size, *stride, *padding)
    _avg_pool2d_backward(g, gx, window, bool(count_include_pad), int(divisor_override or 0))
    return gx


@kernel
def _max_pool2d(x: Array, y: Array, indices: Array, window: tuple[int, ...]) -> None:
    """x (N, C, H, W) -> y, indices (N, C, OH, OW)"""
    KH, KW, sh, sw, ph, pw, dh, dw = window
    N, C, H, W = x.shape
    OH, OW = y.shape[2:]
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    y[n, c, i, j] = 0
                    indices[n, c, i, j] = -1  # nothing chosen yet
                for kh in range(KH):
                    h = i * sh + kh * dh - ph
                    for kw in range(KW):
                        for j in range(OW):  # innermost, and without a branch on values: vector instructions
                            w = j * sw + kw * dw - pw
                            if 0 <= h < H and 0 <= w < W:
                                value, best, index = x[n, c, h, w], y[n, c, i, j], indices[n, c, i, j]
                                chosen = (index < 0) | (value > best) | np.isnan(value)
                                y[n, c, i, j] = value if chosen else best
                                indices[n, c, i, j] = h * W + w if chosen else index


@kernel
def _max_pool2d_backward(g: Array, indices: Array, gx: Array) -> None:
    """g, indices (NC, P) -> gx (NC, HW)"""
    gx[:] = 0
    for image in range(g.shape[0]):
        for p in range(g.shape[1]):
            gx[image, indices[image, p]] += g[image, p]


@kernel
def _max_pool2d_take(x: Array, indices: Array, y: Array) -> None:
    """x (NC, HW), indices (NC, P) -> y (NC, P)"""
    for image in range(y.shape[0]):
        for p in range(y.shape[1]):
            y[image, p] = x[image, indices[image, p]]


@kernel
def _avg_pool2d(x: Array, y: Array, window: tuple[int, ...], include_pad: bool, override: int) -> None:
    """x (N, C, H, W) -> y (N, C, OH, OW); an override of 0 is none."""
    KH, KW, sh, sw, ph, pw = window
    N, C, H, W = x.shape
    OH, OW = y.shape[2:]
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                top, bottom, height = _extent(i * sh - ph, KH, H, ph, include_pad)
                for j in range(OW):
                    left, right, width = _extent(j * sw - pw, KW, W, pw, include_pad)
                    total = x.dtype.type(0)
                    for h in range(top, bottom):
                        for w in range(left, right):
                            total += x[n, c, h, w]
                    y[n, c, i, j] = total / x.dtype.type(override if override else height * width)


@kernel
def _avg_pool2d_backward(g: Array, gx: Array, window: tuple[int, ...], include_pad: bool, override: int) -> None:
    """g (N, C, OH, OW) -> gx (N, C, H, W); an override of 0 is none."""
    KH, KW, sh, sw, ph, pw = window
    N, C, H, W = gx.shape
    OH, OW = g.shape[2:]
    gx[:] = 0
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                top, bottom, height = _extent(i * sh - ph, KH, H, ph, include_pad)
                for j in range(OW):
                    left, right, width = _extent(j * sw - pw, KW, W, pw, include_pad)
                    share = g[n, c, i, j] / g.dtype.type(override if override else height * width)
                    for h in range(top, bottom):
                        for w in range(left, right):
                            gx[n, c, h, w] += share


@helper
def _extent(start: int, length: int, size: int, padding: int, include_pad: bool) -> tuple[int, int, int]:
    """Along one axis, the part of a window inside the image, and the length that counts in the divisor."""
    end = min(start + length, size + padding)
    first, last = max(start, 0), min(end, size)
    return first, last, end - start if include_pad else last - first
