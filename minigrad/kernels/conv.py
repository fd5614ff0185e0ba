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
from .gate import Out, gate, output, quiet, store
from .shapes import Pair, Shape

Array = np.ndarray


@gate(reference.conv2d)
def conv2d(
    x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, *, out: Out = None
) -> Array:
    """Compiled twin of `reference.conv2d`."""
    N, O, OH, OW = shapes.conv2d("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d", "the bias", b, (O,))
    if x.size == 0 or w.size == 0:
        return reference.conv2d(x, w, b, stride, padding, dilation, groups, out=out)
    y = output("conv2d", out, (N, O, OH, OW), x.dtype)
    taps = (*w.shape[2:], *dilation)
    pixels, border = _images(x, groups), padding
    if max(stride) > 1:
        pixels, border = direct_conv.phases(pixels, (OH, OW), padding, taps, stride), (0, 0)
    biases = None if b is None else b.reshape(groups, O // groups)
    direct_conv.convolve(pixels, _filters(w, groups), biases, _images(y, groups), border, taps, stride)
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
    N, O, OH, OW = shapes.conv2d("conv2d_input", input_shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_input", "the output gradient", g, (N, O, OH, OW))
    if g.size == 0 or w.size == 0 or not _finite(w):
        return reference.conv2d_input(g, w, input_shape, stride, padding, dilation, groups, out=out)
    gx = output("conv2d_input", out, input_shape, g.dtype)
    filters, gradients, pixels = _filters(w, groups).swapaxes(1, 2), _images(g, groups), _images(gx, groups)
    for start in itertools.product(*map(range, stride)):  # every s-th pixel from there on: they meet the same taps
        part = pixels[:, :, start[0] :: stride[0], start[1] :: stride[1]]
        if part.size:
            met, apart, border = zip(*map(_taps_of, start, w.shape[2:], stride, padding, dilation), strict=True)
            _input_gradient(gradients, filters[..., met[0], met[1]], part, border, apart)
    return gx


@gate(reference.conv2d_weight)
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
    """Compiled twin of `reference.conv2d_weight`."""
    N, O, OH, OW = shapes.conv2d("conv2d_weight", x.shape, weight_shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_weight", "the output gradient", g, (N, O, OH, OW))
    if x.size and g.size:
        taps = (weight_shape[2], weight_shape[3], *dilation)
        pixels, border = _images(x, groups), padding
        if max(stride) > 1:
            pixels, border = direct_conv.phases(pixels, (OH, OW), padding, taps, stride), (0, 0)
        gw = direct_conv.correlate(pixels, _images(g, groups), groups, border, taps, stride).reshape(weight_shape)
        if _finite(gw):
            return store("conv2d_weight", out, gw)
    return reference.conv2d_weight(x, g, weight_shape, stride, padding, dilation, groups, out=out)


def _input_gradient(g: Array, w: Array, gx: Array, border: Pair, apart: Pair) -> None:
    """The convolution that an input gradient is, or each s-th pixel of it: by w (groups, C, O, KH, KW) turned round."""
    up, left = (max(0, -n) for n in border)
    g = np.ascontiguousarray(g[:, :, up:, left:])  # if there is more padding than a filter reaches
    if w.size == 0 or g.size == 0:
        gx[...] = 0
        return
    y = gx if gx.flags.c_contiguous else np.empty(gx.shape, gx.dtype)
    direct_conv.convolve(g, w, None, y, (max(0, border[0]), max(0, border[1])), (*w.shape[3:], *apart), skip_zeros=True)
    if y is not gx:
        gx[...] = y


@functools.lru_cache(1024)
def _taps_of(start: int, K: int, stride: int, padding: int, dilation: int) -> tuple[slice, int, int]:
    """Along one axis, the taps that meet every s-th pixel from `start` on, the last one first; how far apart they are,
    and how far before the output the first pixel sees."""
    taps = [k for k in range(K) if (start + padding - k * dilation) % stride == 0]
    if not taps:
        return slice(0), 1, 0
    step = stride // math.gcd(stride, dilation)
    backwards = slice(taps[-1], taps[0] - 1 if taps[0] else None, -step)
    return backwards, step * dilation // stride, (taps[-1] * dilation - padding - start) // stride


def _images(a: Array, groups: int) -> Array:
    """(N, C, H, W) as (N * groups, C / groups, H, W): groups of channels have nothing to do with each other."""
    N, C, H, W = a.shape
    return a.reshape(N * groups, C // groups, H, W)


def _filters(w: Array, groups: int) -> Array:
    """(O, C / groups, KH, KW) as (groups, O / groups, C / groups, KH, KW)"""
    return w.reshape(groups, w.shape[0] // groups, *w.shape[1:])


def _finite(a: Array) -> bool:
    """Whether all numbers are finite. (Their squares may be too large: then the slow way is taken for nothing.)"""
    return math.isfinite(np.vdot(a, a))  # no ufunc, which would take longer, and warn
