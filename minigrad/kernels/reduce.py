"""Sums, compiled: over everything but the channels, which is the gradient of a convolution's bias."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output
from .parallel import reordering_threaded_kernel

Array = np.ndarray


@gate(reference.channel_sums)
def channel_sums(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.channel_sums`."""
    shapes.require_ndim("channel_sums", "the input", x.shape, "N, C, L")
    y = output("channel_sums", out, x.shape[1:2], x.dtype)
    _channel_sums(x.shape[1], 0.05 * x.size, x, y)
    return y


@reordering_threaded_kernel
def _channel_sums(first: int, last: int, x: Array, y: Array) -> None:
    """x (N, C, L), y (C,); the units are channels."""
    for c in range(first, last):
        total = 0.0
        for n in range(x.shape[0]):
            row, part = x[n, c], x.dtype.type(0)
            for i in range(row.size):
                part += row[i]
            total += part
        y[c] = total
