"""The three faces of convolution, compiled, out of the two kernels of `direct_conv`.

Every shape goes that way. On one core it took a third to two thirds of the time of a matrix of patches and BLAS for
filters of 3x3 to 11x11 on images of 14x14 to 224x224, dilated or in steps, and for sequences; a fifth where each
channel is a group by itself; as much for 1x1, and for many channels of 7x7. It takes longer for the gradient of an
input in steps so large that a tap or two meet each of many phases. What is left to the definitions in NumPy is

- a convolution with nothing in it, which is not worth a kernel;
- the gradient of the input where a weight is not finite, and of the weights where the sum of a gradient comes out not
  finite: the kernels multiply numbers by zeros of their own, next to the image, and 0 times infinity is not 0.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from . import direct_conv, reference, shapes
from .direct_conv import Filters, Taps
from .gate import Out, gate, output, store
from .memory import empty
from .reduce import channel_sums
from .shapes import Pair, Shape

Array = np.ndarray


@gate(reference.conv2d)
def conv2d(
    x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, *, out: Out = None
) -> Array:
    """Compiled twin of `reference.conv2d`."""
    shape = shapes.conv2d("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    if b is not None and b.shape != w.shape[:1]:
        shapes.require_shape("conv2d", "the bias", b, w.shape[:1])
    if x.size == 0 or w.size == 0:
        return reference.conv2d(x, w, b, stride, padding, dilation, groups, out=out)
    y = output("conv2d", out, shape, x.dtype)
    filters, taps = _filters(w.shape, dilation, groups)
    if stride != (1, 1):
        x, padding = direct_conv.phases(x, shape[2:], padding, taps, stride), (0, 0)
    direct_conv.convolve(x, w, b, y, groups, filters, padding, taps, stride)
    return y


@gate(reference.conv2d_input)
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
    """Compiled twin of `reference.conv2d_input`."""
    shape = shapes.conv2d("conv2d_input", input_shape, w.shape, stride, padding, dilation, groups)
    if g.shape != shape:
        shapes.require_shape("conv2d_input", "the output gradient", g, shape)
    gx = output("conv2d_input", out, input_shape, g.dtype)
    return _input_gradient(g, w, gx, stride, padding, dilation, groups)


@gate(reference.conv2d_weight)
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
    """Compiled twin of `reference.conv2d_weight`."""
    shape = shapes.conv2d("conv2d_weight", x.shape, weight_shape, stride, padding, dilation, groups)
    if g.shape != shape:
        shapes.require_shape("conv2d_weight", "the output gradient", g, shape)
    return store(
        "conv2d_weight", out, _weight_gradients(x, g, weight_shape, stride, padding, dilation, groups, False)[0]
    )


@gate(reference.conv2d_backward)
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
) -> tuple[Array, ...]:
    """Compiled twin of `reference.conv2d_backward`."""
    shape = shapes.conv2d("conv2d_backward", x.shape, w.shape, stride, padding, dilation, groups)
    if g.shape != shape:
        shapes.require_shape("conv2d_backward", "the output gradient", g, shape)
    gradients = []
    if need_x:
        gradients.append(_input_gradient(g, w, empty(x.shape, x.dtype), stride, padding, dilation, groups))
    if need_w:
        gw, gb = _weight_gradients(x, g, w.shape, stride, padding, dilation, groups, need_b)
        gradients.append(gw)
        if need_b:
            gradients.append(gb)
    elif need_b:
        gradients.append(_bias_gradient(g))
    return tuple(gradients) if out is None else store("conv2d_backward", out, tuple(gradients))


def _weight_gradients(
    x: Array, g: Array, weight_shape: Shape, stride: Pair, padding: Pair, dilation: Pair, groups: int, bias: bool
) -> tuple[Array, Array]:
    """The gradient of the weights, and if it is wanted that of the bias, else an array of no numbers."""
    gb = None
    if x.size and g.size:
        taps, pixels, border = (weight_shape[2], weight_shape[3], *dilation), x, padding
        if stride != (1, 1):
            pixels, border = direct_conv.phases(x, g.shape[2:], padding, taps, stride), (0, 0)
        gw, gb, finite = direct_conv.correlate(pixels, g, weight_shape, groups, border, taps, stride, bias)
        if finite:
            return gw, gb
    gw = reference.conv2d_weight(x, g, weight_shape, stride, padding, dilation, groups)
    return gw, _bias_gradient(g) if gb is None else gb


def _bias_gradient(g: Array) -> Array:
    """The sums of g over all but the channels."""
    N, O, OH, OW = g.shape
    return channel_sums(g.reshape(N, O, OH * OW))


def _input_gradient(g: Array, w: Array, gx: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
    """gx, with the gradient of the input in it."""
    if g.size == 0 or w.size == 0:
        finite = False
    elif stride == (1, 1):
        finite = _some_input_gradient(g, w, gx, (0, 0), stride, padding, dilation, groups)
    else:
        finite = True
        for i, j in itertools.product(*map(range, stride)):  # every s-th pixel from there on meets the same taps
            part = gx[:, :, i :: stride[0], j :: stride[1]]
            if part.size:
                pixels = np.empty(part.shape, part.dtype)
                finite &= _some_input_gradient(g, w, pixels, (i, j), stride, padding, dilation, groups)
                part[...] = pixels
    return gx if finite else reference.conv2d_input(g, w, gx.shape, stride, padding, dilation, groups, out=gx)


def _some_input_gradient(
    g: Array, w: Array, gx: Array, start: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> bool:
    """The convolution that an input gradient is, or each s-th pixel of it: by w turned round. Is w finite?"""
    filters, taps, border = _turned(w.shape, start, stride, padding, dilation, groups)
    if min(border) < 0:  # there is more padding than a filter reaches
        up, left = (max(0, -n) for n in border)
        g, border = np.ascontiguousarray(g[:, :, up:, left:]), (max(0, border[0]), max(0, border[1]))
    if g.size and 0 not in taps:
        return direct_conv.convolve(g, w, None, gx, groups, filters, border, taps)
    gx[...] = 0
    return True


@functools.lru_cache(1024)
def _filters(w: Shape, dilation: Pair, groups: int) -> tuple[Filters, Taps]:
    """Where the weights of a convolution are, and how many taps it has."""
    O, C, KH, KW = w
    taps = KH * KW
    return Filters(O // groups * C * taps, C * taps, taps, range(0, taps, KW), range(KW)), (KH, KW, *dilation)


@functools.lru_cache(1024)
def _turned(
    w: Shape, start: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Filters, Taps, Pair]:
    """The same for the gradient of every s-th pixel from `start` on, and how far before g the first one sees."""
    O, C, KH, KW = w
    (rows, down, above), (columns, across, before) = map(_taps_of, start, w[2:], stride, padding, dilation)
    rows = range(rows.start * KW, rows.stop * KW, rows.step * KW)
    filters = Filters(O // groups * C * KH * KW, KH * KW, C * KH * KW, rows, columns)
    return filters, (len(rows), len(columns), down, across), (above, before)


def _taps_of(start: int, K: int, stride: int, padding: int, dilation: int) -> tuple[range, int, int]:
    """Along one axis, the taps that meet every s-th pixel from `start` on, the last one first; how far apart they are,
    and how far before the output the first pixel sees."""
    taps = [k for k in range(K) if (start + padding - k * dilation) % stride == 0]
    if not taps:
        return range(0), 1, 0
    step = stride // math.gcd(stride, dilation)
    return (
        range(taps[-1], taps[0] - 1, -step),
        step * dilation // stride,
        (taps[-1] * dilation - padding - start) // stride,
    )
