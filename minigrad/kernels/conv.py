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
from typing import Any, NamedTuple

import numpy as np

from . import direct_conv, reference, shapes
from .direct_conv import Correlation, Filters, Part, Taps
from .gate import Out, gate, output, store
from .memory import empty
from .reduce import channel_sums
from .shapes import Pair, Shape

Array = np.ndarray
Options = tuple[Pair, Pair, Pair, int]  # stride, padding, dilation and groups
Place = tuple[Any, ...]  # slices


@gate(reference.conv2d)
def conv2d(
    x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, *, out: Out = None
) -> Array:
    """Compiled twin of `reference.conv2d`."""
    bias = None if b is None else b.shape
    shape, launches = _forward(x.shape, w.shape, bias, stride, padding, dilation, groups, x.itemsize)
    if not launches:
        return reference.conv2d(x, w, b, stride, padding, dilation, groups, out=out)
    y = empty(shape, x.dtype) if out is None else output("conv2d", out, shape, x.dtype)
    if stride != (1, 1):
        x = direct_conv.phases(x, shape, padding, _taps(w.shape, dilation), stride)
    direct_conv.convolve(launches, x, w, b, y)
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
    options = stride, padding, dilation, groups
    pieces, _ = _backward("conv2d_input", g.shape, input_shape, w.shape, *options, True, False, False, g.itemsize)
    return _input_gradient(pieces, g, w, output("conv2d_input", out, input_shape, g.dtype), options)


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
    options = stride, padding, dilation, groups
    plan = _backward("conv2d_weight", g.shape, x.shape, weight_shape, *options, False, True, False, x.itemsize)[1]
    return store("conv2d_weight", out, _weight_gradients(plan, x, g, weight_shape, options)[0])


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
) -> tuple[Array | None, ...]:
    """Compiled twin of `reference.conv2d_backward`."""
    options, gx, gw, gb = (stride, padding, dilation, groups), None, None, None
    pieces, plan = _backward("conv2d_backward", g.shape, x.shape, w.shape, *options, need_x, need_w, need_b, x.itemsize)
    if need_x:
        gx = _input_gradient(pieces, g, w, empty(x.shape, x.dtype), options)
    if need_w:
        gw, gb = _weight_gradients(plan, x, g, w.shape, options)
    if need_b and gb is None:
        gb = _bias_gradient(g)
    gradients = gx, gw, gb if need_b else None
    return gradients if out is None else store("conv2d_backward", out, gradients)


def _weight_gradients(
    plan: Correlation | None, x: Array, g: Array, weight_shape: Shape, options: Options
) -> tuple[Array, Array | None]:
    """The gradient of the weights, and that of the bias if the plan has it."""
    gb = None
    if plan is not None:
        stride, padding, dilation, _ = options
        pixels = x
        if stride != (1, 1):
            pixels = direct_conv.phases(x, g.shape, padding, _taps(weight_shape, dilation), stride)
        gw, gb, finite = direct_conv.correlate(plan, pixels, g)
        if finite:
            return gw, gb
    return reference.conv2d_weight(x, g, weight_shape, *options), gb


def _bias_gradient(g: Array) -> Array:
    """The sums of g over all but the channels."""
    N, O, OH, OW = g.shape
    return channel_sums(g.reshape(N, O, OH * OW))


def _input_gradient(pieces: tuple[Piece, ...], g: Array, w: Array, gx: Array, options: Options) -> Array:
    """gx, with the gradient of the input in it: the convolution that it is, or one for every s-th pixel."""
    finite = len(pieces) > 0
    for launches, place, seen in pieces:
        to = gx if place is None else np.empty(gx[place].shape, gx.dtype)
        if launches:
            finite &= direct_conv.convolve(launches, g if seen is None else np.ascontiguousarray(g[seen]), w, None, to)
        else:
            to[...] = 0
        if place is not None:
            gx[place] = to
    return gx if finite else reference.conv2d_input(g, w, gx.shape, *options, out=gx)


class Piece(NamedTuple):
    """The gradient of some pixels of the input, which is a convolution of g by w turned round."""

    launches: tuple[Part, ...]  # none if no window has these pixels
    place: Place | None  # of the pixels in gx; None: they are all
    seen: Place | None  # what the convolution sees of g; None: all of it


@functools.lru_cache(1024)
def _forward(
    x: Shape, w: Shape, b: Shape | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, itemsize: int
) -> tuple[Shape, tuple[Part, ...]]:
    """The output's shape, and the launches, none if there is nothing to do; ValueError unless the shapes fit."""
    shape = shapes.conv2d("conv2d", x, w, stride, padding, dilation, groups)
    if b is not None:
        shapes.require_equal("conv2d", "the bias", b, w[:1])
    if 0 in (*x, *w):
        return shape, ()
    np.empty(shape, f"V{itemsize}")  # MemoryError, before a plan is made of many rows, for what cannot be had
    O, C, KH, KW = w
    size, taps = KH * KW, _taps(w, dilation)
    filters = Filters(O // groups * C * size, C * size, size, range(0, size, KW), range(KW))
    if stride != (1, 1):
        x, padding = direct_conv.phases_shape(x, shape, taps, stride), (0, 0)
    return shape, direct_conv.convolution(x, shape, groups, filters, padding, taps, stride, itemsize)


@functools.lru_cache(1024)
def _backward(
    kernel: str,
    g: Shape,
    x: Shape,
    w: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    need_x: bool,
    need_w: bool,
    need_b: bool,
    itemsize: int,
) -> tuple[tuple[Piece, ...], Correlation | None]:
    """What gives the gradients that are needed; nothing where it is left to the definition.

    ValueError unless the shapes fit.
    """
    shape = shapes.conv2d(kernel, x, w, stride, padding, dilation, groups)
    shapes.require_equal(kernel, "the output gradient", g, shape)
    pieces, plan = [], None
    if need_x and 0 not in (*g, *w):
        # Every s-th pixel, from one on, meets the same taps.
        for start in itertools.product(range(stride[0]), range(stride[1])):
            piece = _piece(g, x, w, start, stride, padding, dilation, groups, itemsize)
            if piece is not None:
                pieces.append(piece)
    if need_w and 0 not in (*g, *x):
        taps, border, pixels = _taps(w, dilation), padding, x
        if stride != (1, 1):
            pixels, border = direct_conv.phases_shape(x, g, taps, stride), (0, 0)
        plan = direct_conv.correlation(pixels, g, w, groups, border, taps, stride, need_b, itemsize)
    return tuple(pieces), plan


def _taps(w: Shape, dilation: Pair) -> Taps:
    """The taps of filters of this shape."""
    return w[2], w[3], *dilation


def _piece(
    g: Shape, x: Shape, w: Shape, start: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int, itemsize: int
) -> Piece | None:
    """The gradient of every s-th pixel from `start` on, None if there are no such pixels."""
    place = None if stride == (1, 1) else (..., slice(start[0], None, stride[0]), slice(start[1], None, stride[1]))
    size = tuple(len(range(*bounds)) for bounds in zip(start, x[2:], stride, strict=True))
    if 0 in (*x[:2], *size):
        return None
    filters, taps, border = _turned(w, start, stride, padding, dilation, groups)
    seen = None
    if min(border) < 0:  # there is more padding than a filter reaches
        up, left = (max(0, -n) for n in border)
        seen, border = (..., slice(up, None), slice(left, None)), (max(0, border[0]), max(0, border[1]))
        g = *g[:2], max(0, g[2] - up), max(0, g[3] - left)
    if 0 in (*g, *taps):
        return Piece((), place, seen)
    return Piece(
        direct_conv.convolution(g, (*x[:2], *size), groups, filters, border, taps, (1, 1), itemsize), place, seen
    )


def _turned(
    w: Shape, start: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Filters, Taps, Pair]:
    """The filters for the gradient of every s-th pixel from `start` on, and how far before g the first one sees."""
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
