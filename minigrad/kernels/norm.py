"""Batch and layer normalization, compiled.

Each pass runs through memory once, in order; sums are kept in float64. Layer normalization is done with a row, which
the cache holds, before it goes on to the next.
"""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, outputs
from .jit import helper, reordering_kernel

Array = np.ndarray


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
    _batch_norm(x, w, b, float(eps), y, mean, var)
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
    _batch_norm_backward(g, x, w, mean, var, float(eps), gx, gw, gb)
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


@reordering_kernel
def _batch_norm(x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array) -> None:
    """x, y (N, C, L), everything else (C,)"""
    N, C, L = x.shape
    m = np.float64(N * L)
    centre, spread, scale = np.zeros(C), np.zeros(C), np.empty(C)
    for n in range(N):
        for c in range(C):
            total = 0.0
            for i in range(L):
                total += x[n, c, i]
            centre[c] += total
    for c in range(C):
        centre[c] /= m
    for n in range(N):
        for c in range(C):
            total = 0.0
            for i in range(L):
                total += (x[n, c, i] - centre[c]) ** 2
            spread[c] += total
    for c in range(C):
        spread[c] /= m
        scale[c] = w[c] / np.sqrt(spread[c] + eps)
        mean[c], var[c] = centre[c], spread[c]
    for n in range(N):
        for c in range(C):
            for i in range(L):
                y[n, c, i] = (x[n, c, i] - centre[c]) * scale[c] + b[c]


@reordering_kernel
def _batch_norm_backward(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, gx: Array, gw: Array, gb: Array
) -> None:
    """g, x, gx (N, C, L), everything else (C,)"""
    N, C, L = x.shape
    m = np.float64(N * L)
    if m == 0:  # the sums are empty, but mean and var are NaN
        gw[:] = 0
        gb[:] = 0
        return
    sum_g, sum_xc, sum_gxc = np.zeros(C), np.zeros(C), np.zeros(C)
    for n in range(N):
        for c in range(C):
            a, b, ab = 0.0, 0.0, 0.0
            for i in range(L):
                xc = np.float64(x[n, c, i]) - mean[c]
                a += g[n, c, i]
                b += xc
                ab += g[n, c, i] * xc
            sum_g[c] += a
            sum_xc[c] += b
            sum_gxc[c] += ab
    centre, slope, scale = np.empty(C), np.empty(C), np.empty(C)
    for c in range(C):
        rstd = 1 / np.sqrt(np.float64(var[c]) + eps)
        shift = sum_xc[c] / m  # what rounding the mean to x's dtype left over
        dot = sum_gxc[c] * rstd  # sum(g xhat), but for the shift
        if np.isfinite(sum_g[c]):  # an infinite g makes both terms infinite, and their difference NaN
            dot -= shift * sum_g[c] * rstd
        gw[c], gb[c] = dot, sum_g[c]
        centre[c], slope[c], scale[c] = mean[c] + shift, dot * rstd / m, w[c] * rstd
    for n in range(N):
        for c in range(C):
            offset = sum_g[c] / m
            for i in range(L):
                gx[n, c, i] = (g[n, c, i] - offset - (x[n, c, i] - centre[c]) * slope[c]) * scale[c]


@reordering_kernel
def _layer_norm(x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array) -> None:
    """x, y (N, L), w and b (L,), mean and var (N,)"""
    N, L = x.shape
    for n in range(N):
        centre, spread = 0.0, 0.0
        for i in range(L):
            centre += x[n, i]
        centre /= L
        for i in range(L):
            spread += (x[n, i] - centre) ** 2
        spread /= L
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
    sum_gxhat, sum_g = np.zeros(L), np.zeros(L)
    for n in range(N):
        rstd = 1 / np.sqrt(np.float64(var[n]) + eps)
        shift, offset, slope = 0.0, 0.0, 0.0
        for i in range(L):
            shift += np.float64(x[n, i]) - mean[n]
        centre = mean[n] + shift / L  # the mean without the rounding to x's dtype
        for i in range(L):
            gxhat = np.float64(g[n, i]) * w[i]
            offset += gxhat
            slope += gxhat * (x[n, i] - centre)
        _layer_norm_backward_row(n, g, x, w, centre, rstd, offset / L, slope * rstd / L, gx, sum_gxhat, sum_g)
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
