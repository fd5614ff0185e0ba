"""Losses, compiled."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .exponential import exponentials
from .gate import Out, gate, output, outputs
from .parallel import threaded_kernel
from .simd import LANES, broadcast, load, load_first, mul, store, store_first, sub
from .softmax import row_peak, row_total, work

Array = np.ndarray


@gate(reference.softmax_cross_entropy)
def softmax_cross_entropy(x: Array, labels: Array, *, out: Out = None) -> tuple[Array, Array]:
    """Compiled twin of `reference.softmax_cross_entropy`."""
    if x.ndim != 2:
        shapes.require_ndim("softmax_cross_entropy", "the input", x.shape, "N, C")
    N, C = x.shape
    if labels.shape != (N,):
        shapes.require_shape("softmax_cross_entropy", "labels", labels, (N,))
    if out is None:
        loss, rows = np.empty(N, x.dtype), np.empty((2, N), x.dtype)
    else:
        shapes.require_range("softmax_cross_entropy", "labels", labels, C)  # before anything is written
        loss, rows = outputs("softmax_cross_entropy", out, ((N,), x.dtype), ((2, N), x.dtype))
    try:
        _softmax_cross_entropy(N, work(x), x, labels, loss, rows)
    except IndexError:
        shapes.require_range("softmax_cross_entropy", "labels", labels, C)
        raise
    return loss, rows


@gate(reference.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(g: Array, x: Array, labels: Array, rows: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softmax_cross_entropy_backward`."""
    N, C = x.shape if x.ndim == 2 else (-1, 0)
    if not (labels.shape == (N,) and rows.shape == (2, N) and g.shape in ((1,), (N,))):
        shapes.require_cross_entropy("softmax_cross_entropy_backward", g, x, labels, rows)
    if out is not None:
        shapes.require_range("softmax_cross_entropy_backward", "labels", labels, C)
    gx = output("softmax_cross_entropy_backward", out, x.shape, x.dtype)
    try:
        _softmax_cross_entropy_backward(N, work(x), g, x, labels, rows, gx)
    except IndexError:
        shapes.require_range("softmax_cross_entropy_backward", "labels", labels, C)
        raise
    return gx


@threaded_kernel
def _softmax_cross_entropy(first: int, last: int, x: Array, labels: Array, loss: Array, rows: Array) -> None:
    """x (N, C), labels, loss (N,), rows (2, N)"""
    C = x.shape[1]
    for n in range(first, last):
        peak = row_peak(x, n * C, C)
        rows[0, n], rows[1, n] = peak, row_total(x, n * C, C, peak)
    for n in range(first, last):  # a loop of its own: to call the logarithm, the one above would have to tidy up
        label = labels[n]
        if label < 0 or label >= C:
            raise IndexError("a label is no class")
        total = rows[1, n]
        loss[n] = np.log(total) - (x[n, label] - rows[0, n])
        rows[1, n] = x.dtype.type(1) / total
        if np.isnan(total) and np.isfinite(rows[0, n]):  # there is a NaN in the row
            rows[0, n] = total


@threaded_kernel
def _softmax_cross_entropy_backward(
    first: int, last: int, g: Array, x: Array, labels: Array, rows: Array, gx: Array
) -> None:
    """x, gx (N, C), g (N,) or (1,), labels (N,), rows (2, N)"""
    C, each = x.shape[1], len(g) > 1
    rest = C % LANES
    for n in range(first, last):
        label = labels[n]
        if label < 0 or label >= C:
            raise IndexError("a label is no class")
        at, tail = n * C, n * C + C - rest
        peak, share, g_n = rows[0, n], rows[1, n], g[n] if each else g[0]
        top, factor = broadcast(peak), broadcast(g_n * share)
        for i in range(at, tail, LANES):
            store(gx, i, mul(exponentials(sub(load(x, i), top)), factor))
        if rest:
            store_first(gx, tail, mul(exponentials(sub(load_first(x, tail, rest), top)), factor), rest)
        gx[n, label] = g_n * (np.exp(x[n, label] - peak) * share - x.dtype.type(1))
