"""Losses, compiled."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output, outputs
from .jit import helper, kernel

Array = np.ndarray


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


@kernel
def _softmax_cross_entropy(x: Array, labels: Array, loss: Array, probs: Array) -> bool:
    """x, probs (N, C), labels, loss (N,); False, with nothing written, when a label is out of range."""
    N, C = x.shape
    if not _all_below(labels, C):
        return False
    for n in range(N):
        peak = x[n, 0]
        for c in range(1, C):
            if x[n, c] > peak or np.isnan(x[n, c]):
                peak = x[n, c]
        total = x.dtype.type(0)
        for c in range(C):
            probs[n, c] = np.exp(x[n, c] - peak)
            total += probs[n, c]
        for c in range(C):
            probs[n, c] /= total
        loss[n] = np.log(total) - (x[n, labels[n]] - peak)
    return True


@kernel
def _softmax_cross_entropy_backward(g: Array, probs: Array, labels: Array, gx: Array) -> bool:
    """g, labels (N,), probs, gx (N, C); False, with nothing written, when a label is out of range."""
    N, C = probs.shape
    if not _all_below(labels, C):
        return False
    for n in range(N):
        for c in range(C):
            gx[n, c] = g[n] * probs[n, c]
        gx[n, labels[n]] = g[n] * (probs[n, labels[n]] - 1)
    return True


@helper
def _all_below(labels: Array, C: int) -> bool:
    """Whether every label is in 0..C-1."""
    fits = True
    for label in labels:
        fits &= 0 <= label < C
    return fits
