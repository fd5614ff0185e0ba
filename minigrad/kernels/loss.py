"""Losses, compiled."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .exponential import exp
from .gate import Out, gate, output, outputs
from .jit import helper, kernel, reordering_kernel

Array = np.ndarray

CACHED = 4096  # so many numbers stay in a core's innermost cache


@gate(reference.softmax_cross_entropy)
def softmax_cross_entropy(x: Array, labels: Array, *, out: Out = None) -> tuple[Array, Array]:
    """Compiled twin of `reference.softmax_cross_entropy`."""
    shapes.require_ndim("softmax_cross_entropy", "the input", x.shape, "N, C")
    N, C = x.shape
    shapes.require_shape("softmax_cross_entropy", "labels", labels, (N,))
    loss, probs = outputs("softmax_cross_entropy", out, ((N,), x.dtype), (x.shape, x.dtype))
    if not _softmax_cross_entropy(x, labels, loss, probs):
        shapes.require_range("softmax_cross_entropy", "labels", labels, C)
    return loss, probs


@gate(reference.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(g: Array, probs: Array, labels: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softmax_cross_entropy_backward`."""
    shapes.require_ndim("softmax_cross_entropy_backward", "probs", probs.shape, "N, C")
    N, C = probs.shape
    shapes.require_shape("softmax_cross_entropy_backward", "the output gradient", g, (N,))
    shapes.require_shape("softmax_cross_entropy_backward", "labels", labels, (N,))
    gx = output("softmax_cross_entropy_backward", out, probs.shape, probs.dtype)
    if not _softmax_cross_entropy_backward(g, probs, labels, gx):
        shapes.require_range("softmax_cross_entropy_backward", "labels", labels, C)
    return gx


@reordering_kernel
def _softmax_cross_entropy(x: Array, labels: Array, loss: Array, probs: Array) -> bool:
    """x, probs (N, C), labels, loss (N,); False, with nothing written, when a label is out of range."""
    N, C = x.shape
    if not _all_below(labels, C):
        return False
    rows = max(1, CACHED // max(1, C))
    for first in range(0, N, rows):
        last = min(first + rows, N)
        for n in range(first, last):
            peak = _largest(x[n])
            for c in range(C):
                probs[n, c] = x[n, c] - peak
            loss[n] = probs[n, labels[n]]
        _exponentials(probs[first:last].reshape(-1))  # of many rows at once: they may be short
        for n in range(first, last):
            row, total = probs[n], x.dtype.type(0)
            for c in range(C):
                total += row[c]
            share = x.dtype.type(1) / total
            for c in range(C):
                row[c] *= share
            loss[n] = np.log(total) - loss[n]
    return True


@kernel
def _softmax_cross_entropy_backward(g: Array, probs: Array, labels: Array, gx: Array) -> bool:
    """g, labels (N,), probs, gx (N, C); False, with nothing written, when a label is out of range."""
    N, C = probs.shape
    if not _all_below(labels, C):
        return False
    for n in range(N):
        g_n, row, gx_row = g[n], probs[n], gx[n]
        for c in range(C):
            gx_row[c] = g_n * row[c]
        gx_row[labels[n]] = g_n * (row[labels[n]] - 1)
    return True


@helper
def _largest(row: Array) -> float:
    """The largest number of a row; what it is where there are NaNs does not matter, which exp does not lose."""
    lanes = 16
    peak = row[0]
    if row.size >= 2 * lanes:  # 16 at once, for the compiler does not change the order of comparisons
        peaks = row[:lanes].copy()
        for start in range(lanes, row.size - lanes + 1, lanes):
            for lane in range(lanes):
                value = row[start + lane]
                peaks[lane] = value if value > peaks[lane] else peaks[lane]
        for lane in range(lanes):
            peak = peaks[lane] if peaks[lane] > peak else peak
        row = row[row.size // lanes * lanes :]
    for value in row:
        peak = value if value > peak else peak
    return peak


@helper
def _exponentials(x: Array) -> None:
    """x = exp(x), in place."""
    for i in range(x.size):
        x[i] = exp(x[i])


@helper
def _all_below(labels: Array, C: int) -> bool:
    """Whether every label is in 0..C-1."""
    fits = True
    for label in labels:
        fits &= 0 <= label < C
    return fits
