"""Batch and layer normalization, compiled.

Work is done with what the cache holds, a channel or a row, before it goes on to the next, so that memory is read and
written once however many passes a formula takes. Sums are kept in float64; what is done to each element is done in
the dtype of the elements, so that a register holds more of them. A mean is then taken off in two parts, the mean
rounded to that dtype and what the rounding left: x near 1e4 would lose its digits otherwise.
"""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output, outputs
from .jit import helper, reordering_kernel
from .parallel import reordering_threaded_kernel, threaded_kernel

Array = np.ndarray

ZERO = np.float64(0)  # where the compiler is switched off, 0.0 and a float32 would make a float32
CACHED = 1 << 17  # so many numbers stay in a core's cache (512 KiB of float32) while passes go over them


@gate(reference.batch_norm)
def batch_norm(
    x: Array, w: Array | None, b: Array | None, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.batch_norm`."""
    shapes.require_ndim("batch_norm", "the input", x.shape, "N, C, L")
    C = x.shape[1]
    shapes.require_shape("batch_norm", "the weight", w, (C,))
    shapes.require_shape("batch_norm", "the bias", b, (C,))
    y, mean, var = outputs("batch_norm", out, (x.shape, x.dtype), ((C,), x.dtype), ((C,), x.dtype))
    w = np.ones(C, x.dtype) if w is None else w
    b = np.zeros(C, x.dtype) if b is None else b
    if x.shape[2] == 1:
        _batch_norm_columns(x.reshape(x.shape[:2]), w, b, float(eps), y.reshape(x.shape[:2]), mean, var)
    else:
        _batch_norm(x.shape[1], 0.3 * x.size, x, w, b, float(eps), y, mean, var)
    return y, mean, var


@gate(reference.batch_norm_backward)
def batch_norm_backward(
    g: Array, x: Array, w: Array | None, mean: Array, var: Array, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.batch_norm_backward`."""
    shapes.require_ndim("batch_norm_backward", "the input", x.shape, "N, C, L")
    shapes.require_shape("batch_norm_backward", "the output gradient", g, x.shape)
    C = x.shape[1]
    for name, a in (("the weight", w), ("mean", mean), ("var", var)):
        shapes.require_shape("batch_norm_backward", name, a, (C,))
    gx, gw, gb = outputs("batch_norm_backward", out, (x.shape, x.dtype), ((C,), x.dtype), ((C,), x.dtype))
    w = np.ones(C, x.dtype) if w is None else w
    if x.size == 0:  # the sums are empty, but mean and var are NaN
        gw[:] = gb[:] = 0
    elif x.shape[2] == 1:
        columns = x.shape[:2]
        _batch_norm_columns_backward(
            g.reshape(columns), x.reshape(columns), w, mean, var, float(eps), gx.reshape(columns), gw, gb
        )
    else:
        _batch_norm_backward(x.shape[1], 0.4 * x.size, g, x, w, mean, var, float(eps), gx, gw, gb)
    return gx, gw, gb


@gate(reference.normalize)
def normalize(x: Array, mean: Array, rstd: Array, w: Array | None, b: Array | None, *, out: Out = None) -> Array:
    """Compiled twin of `reference.normalize`."""
    shapes.require_channels("normalize", x, {"mean": mean, "rstd": rstd, "the weight": w, "the bias": b})
    y = output("normalize", out, x.shape, x.dtype)
    w = np.ones_like(mean) if w is None else w
    b = np.zeros_like(mean) if b is None else b
    _normalize(x.shape[1], 0.1 * x.size, x, mean, rstd * w, b, y)
    return y


@gate(reference.normalize_backward)
def normalize_backward(
    g: Array, x: Array, mean: Array, rstd: Array, w: Array | None, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.normalize_backward`."""
    shapes.require_channels("normalize_backward", x, {"mean": mean, "rstd": rstd, "the weight": w})
    shapes.require_shape("normalize_backward", "the output gradient", g, x.shape)
    gx, gw, gb = outputs("normalize_backward", out, *((a.shape, x.dtype) for a in (x, mean, mean)))
    _normalize_backward(x.shape[1], 0.2 * x.size, g, x, mean, rstd, rstd if w is None else rstd * w, gx, gw, gb)
    return gx, gw, gb


@gate(reference.layer_norm)
def layer_norm(
    x: Array, w: Array | None, b: Array | None, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.layer_norm`."""
    shapes.require_ndim("layer_norm", "the input", x.shape, "N, L")
    N, L = x.shape
    shapes.require_shape("layer_norm", "the weight", w, (L,))
    shapes.require_shape("layer_norm", "the bias", b, (L,))
    y, mean, var = outputs("layer_norm", out, (x.shape, x.dtype), ((N,), x.dtype), ((N,), x.dtype))
    w = np.ones(L, x.dtype) if w is None else w
    b = np.zeros(L, x.dtype) if b is None else b
    _layer_norm(x, w, b, float(eps), y, mean, var)
    return y, mean, var


@gate(reference.layer_norm_backward)
def layer_norm_backward(
    g: Array, x: Array, w: Array | None, mean: Array, var: Array, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.layer_norm_backward`."""
    shapes.require_ndim("layer_norm_backward", "the input", x.shape, "N, L")
    shapes.require_shape("layer_norm_backward", "the output gradient", g, x.shape)
    N, L = x.shape
    shapes.require_shape("layer_norm_backward", "the weight", w, (L,))
    for name, a in (("mean", mean), ("var", var)):
        shapes.require_shape("layer_norm_backward", name, a, (N,))
    gx, gw, gb = outputs("layer_norm_backward", out, (x.shape, x.dtype), ((L,), x.dtype), ((L,), x.dtype))
    w = np.ones(L, x.dtype) if w is None else w
    _layer_norm_backward(g, x, w, mean, var, float(eps), gx, gw, gb)
    return gx, gw, gb


@reordering_threaded_kernel
def _batch_norm(
    first: int, last: int, x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array
) -> None:
    """x, y (N, C, L), everything else (C,); the channels from first to last"""
    N, C, L = x.shape
    m = np.float64(N * L)
    block = _channels_at_once(x)
    centre, spread = np.zeros(C), np.zeros(C)
    for start in range(first, last, block):
        end = min(start + block, last)
        for n in range(N):
            for c in range(start, end):
                row, total = x[n, c], ZERO
                for i in range(L):
                    total += row[i]
                centre[c] += total
        for c in range(start, end):
            centre[c] /= m
        for n in range(N):
            for c in range(start, end):
                row, mid, total = x[n, c], centre[c], ZERO
                for i in range(L):
                    total += (row[i] - mid) ** 2
                spread[c] += total
        for c in range(start, end):
            spread[c] /= m
            mean[c], var[c] = centre[c], spread[c]
            spread[c] = w[c] / np.sqrt(spread[c] + eps)
        for n in range(N):
            for c in range(start, end):
                _scale_row(x[n, c], centre[c], spread[c], b[c], y[n, c])


@reordering_kernel
def _batch_norm_columns(x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array) -> None:
    """The same for one value an example: x, y (N, C), everything else (C,)"""
    N, C = x.shape
    m, kind = np.float64(N), x.dtype.type
    centre, spread = np.zeros(C), np.zeros(C)
    for n in range(N):
        for c in range(C):
            centre[c] += x[n, c]
    for c in range(C):
        centre[c] /= m
    for n in range(N):
        for c in range(C):
            spread[c] += (x[n, c] - centre[c]) ** 2
    for c in range(C):
        spread[c] /= m
        mean[c], var[c] = centre[c], spread[c]
        spread[c] = w[c] / np.sqrt(spread[c] + eps)
    for n in range(N):
        for c in range(C):
            y[n, c] = kind((x[n, c] - centre[c]) * spread[c] + b[c])


@reordering_threaded_kernel
def _batch_norm_backward(
    first: int,
    last: int,
    g: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    gx: Array,
    gw: Array,
    gb: Array,
) -> None:
    """g, x, gx (N, C, L), not empty, everything else (C,); the channels from first to last"""
    N, C, L = x.shape
    m = np.float64(N * L)
    block = _channels_at_once(x)
    sum_g, sum_xc, sum_gxc = np.zeros(C), np.zeros(C), np.zeros(C)
    centre, slope, scale = np.empty(C), np.empty(C), np.empty(C)
    for start in range(first, last, block):
        end = min(start + block, last)
        for n in range(N):
            for c in range(start, end):
                row, g_row, mid = x[n, c], g[n, c], np.float64(mean[c])
                total, total_xc, total_gxc = ZERO, ZERO, ZERO
                for i in range(L):
                    xc, g_i = row[i] - mid, np.float64(g_row[i])
                    total += g_i
                    total_xc += xc
                    total_gxc += g_i * xc
                sum_g[c] += total
                sum_xc[c] += total_xc
                sum_gxc[c] += total_gxc
        for c in range(start, end):
            gw[c], gb[c], centre[c], slope[c], scale[c] = _batch_norm_slopes(
                w[c], np.float64(mean[c]), var[c], eps, m, sum_g[c], sum_xc[c], sum_gxc[c]
            )
        for n in range(N):
            for c in range(start, end):
                _gradient_row(g[n, c], x[n, c], sum_g[c] / m, centre[c], slope[c], scale[c], gx[n, c])


@reordering_kernel
def _batch_norm_columns_backward(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, gx: Array, gw: Array, gb: Array
) -> None:
    """The same for one value an example: g, x, gx (N, C), everything else (C,)"""
    N, C = x.shape
    m, kind = np.float64(N), x.dtype.type
    sum_g, sum_xc, sum_gxc = np.zeros(C), np.zeros(C), np.zeros(C)
    for n in range(N):
        for c in range(C):
            xc, g_c = x[n, c] - np.float64(mean[c]), np.float64(g[n, c])
            sum_g[c] += g_c
            sum_xc[c] += xc
            sum_gxc[c] += g_c * xc
    centre, slope, scale = np.empty(C), np.empty(C), np.empty(C)
    for c in range(C):
        gw[c], gb[c], centre[c], slope[c], scale[c] = _batch_norm_slopes(
            w[c], np.float64(mean[c]), var[c], eps, m, sum_g[c], sum_xc[c], sum_gxc[c]
        )
        sum_g[c] /= m
    for n in range(N):
        for c in range(C):
            gx[n, c] = kind((g[n, c] - sum_g[c] - (x[n, c] - centre[c]) * slope[c]) * scale[c])


@helper
def _channels_at_once(x: Array) -> int:
    """How many channels of x (N, C, L) the cache holds: neighbours lie side by side, and are read as one."""
    N, _, L = x.shape
    return max(1, CACHED // max(1, N * L))


@helper
def _batch_norm_slopes(
    w: float, mean: float, var: float, eps: float, m: float, sum_g: float, sum_xc: float, sum_gxc: float
) -> tuple[float, float, float, float, float]:
    """Of one channel gw, gb, and the numbers of gx = (g - sum_g / m - (x - centre) slope) scale."""
    rstd = 1 / np.sqrt(np.float64(var) + eps)
    shift = sum_xc / m  # what rounding the mean to x's dtype left over
    dot = sum_gxc * rstd  # sum(g xhat), but for the shift
    if np.isfinite(sum_g):  # an infinite g makes both terms infinite, and their difference NaN
        dot -= shift * sum_g * rstd
    if not np.isfinite(shift):  # x is infinite somewhere, and xhat is NaN there
        dot = np.nan
    return dot, sum_g, mean + shift, dot * rstd / m, w * rstd


@helper
def _in_two_parts(centre: float, kind: type) -> tuple[float, float]:
    """A number rounded to a dtype, and what the rounding left."""
    high = kind(centre)
    return high, kind(centre - high) if np.isfinite(high) else kind(0)


@helper
def _scale_row(x: Array, centre: float, scale: float, shift: float, y: Array) -> None:
    """y = (x - centre) scale + shift, in x's dtype."""
    kind = x.dtype.type
    scale, shift = kind(scale), kind(shift)
    high, low = _in_two_parts(centre, kind)
    for i in range(x.size):
        y[i] = ((x[i] - high) - low) * scale + shift


@helper
def _gradient_row(g: Array, x: Array, offset: float, centre: float, slope: float, scale: float, gx: Array) -> None:
    """gx = (g - offset - (x - centre) slope) scale, in x's dtype."""
    kind = x.dtype.type
    offset, slope, scale = kind(offset), kind(slope), kind(scale)
    high, low = _in_two_parts(centre, kind)
    for i in range(x.size):
        gx[i] = (g[i] - offset - ((x[i] - high) - low) * slope) * scale


@threaded_kernel
def _normalize(first: int, last: int, x: Array, mean: Array, scale: Array, b: Array, y: Array) -> None:
    """x, y (N, C, L), everything else (C,); the channels from first to last"""
    N, _, L = x.shape
    if L == 1:
        columns, y_columns = x.reshape(x.shape[:2]), y.reshape(x.shape[:2])
        mean, scale, b = mean[first:last], scale[first:last], b[first:last]
        for n in range(N):
            row, y_row = columns[n][first:last], y_columns[n][first:last]
            for c in range(row.size):
                y_row[c] = (row[c] - mean[c]) * scale[c] + b[c]
    else:
        for n in range(N):
            for c in range(first, last):
                _scale_row(x[n, c], mean[c], scale[c], b[c], y[n, c])


@reordering_threaded_kernel
def _normalize_backward(
    first: int, last: int, g: Array, x: Array, mean: Array, rstd: Array, scale: Array, gx: Array, gw: Array, gb: Array
) -> None:
    """g, x, gx (N, C, L), everything else (C,); the channels from first to last"""
    N, C, L = x.shape
    mean, rstd, scale, gw, gb = mean[first:last], rstd[first:last], scale[first:last], gw[first:last], gb[first:last]
    sum_g, sum_gxc = np.zeros(mean.size), np.zeros(mean.size)
    if L == 1:
        x_columns, g_columns, gx_columns = x.reshape(N, C), g.reshape(N, C), gx.reshape(N, C)
        for n in range(N):
            row, g_row, gx_row = x_columns[n][first:last], g_columns[n][first:last], gx_columns[n][first:last]
            for c in range(mean.size):
                sum_g[c] += g_row[c]
                sum_gxc[c] += np.float64(g_row[c]) * (row[c] - mean[c])
                gx_row[c] = g_row[c] * scale[c]
    else:
        for n in range(N):
            for c in range(mean.size):
                row, g_row, gx_row = x[n, first + c], g[n, first + c], gx[n, first + c]
                centre, factor, total, dot = mean[c], scale[c], ZERO, ZERO
                for i in range(L):
                    total += g_row[i]
                    dot += np.float64(g_row[i]) * (row[i] - centre)
                sum_g[c] += total
                sum_gxc[c] += dot
                for i in range(L):  # in the loop above, the order of the sum would depend on where gx lies in memory
                    gx_row[i] = g_row[i] * factor
    for c in range(mean.size):
        gw[c], gb[c] = sum_gxc[c] * rstd[c], sum_g[c]


@reordering_kernel
def _layer_norm(x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array) -> None:
    """x, y (N, L), w and b (L,), mean and var (N,)"""
    N, L = x.shape
    m = np.float64(L)  # by which 0.0 can be divided in Python too
    for n in range(N):
        centre, spread = ZERO, ZERO
        for i in range(L):
            centre += x[n, i]
        centre /= m
        for i in range(L):
            spread += (x[n, i] - centre) ** 2
        spread /= m
        rstd = 1 / np.sqrt(spread + eps)
        mean[n], var[n] = centre, spread
        for i in range(L):
            y[n, i] = (x[n, i] - centre) * rstd * w[i] + b[i]


@reordering_kernel
def _layer_norm_backward(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, gx: Array, gw: Array, gb: Array
) -> None:
    """g, x, gx (N, L), w, gw, gb (L,), mean and var (N,)"""
    N, L = x.shape
    m = np.float64(L)
    sum_gxhat, sum_g = np.zeros(L), np.zeros(L)
    for n in range(N):
        rstd = 1 / np.sqrt(np.float64(var[n]) + eps)
        shift, offset, slope = ZERO, ZERO, ZERO
        for i in range(L):
            shift += np.float64(x[n, i]) - mean[n]
        centre = mean[n] + shift / m  # the mean without the rounding to x's dtype
        for i in range(L):
            gxhat = np.float64(g[n, i]) * w[i]
            offset += gxhat
            slope += gxhat * (x[n, i] - centre)
        _layer_norm_backward_row(n, g, x, w, centre, rstd, offset / m, slope * rstd / m, gx, sum_gxhat, sum_g)
    for i in range(L):
        gw[i], gb[i] = sum_gxhat[i], sum_g[i]


@helper
def _layer_norm_backward_row(
    n: int,
    g: Array,
    x: Array,
    w: Array,
    centre: float,
    rstd: float,
    offset: float,
    slope: float,
    gx: Array,
    sum_gxhat: Array,
    sum_g: Array,
) -> None:
    """Write row n of gx, and add its part to the sums; in the order written, for x slope - centre slope may be NaN."""
    for i in range(x.shape[1]):
        xhat, g_i = (x[n, i] - centre) * rstd, np.float64(g[n, i])
        gx[n, i] = (g_i * w[i] - offset - xhat * slope) * rstd
        sum_gxhat[i] += g_i * xhat
        sum_g[i] += g_i
