"""Batch normalization, compiled.

Each pass runs through memory once, in order; sums are kept in float64.
"""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, outputs
from .jit import reordering_kernel

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
