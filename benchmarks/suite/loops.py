"""The two loops of `limits.py`, compiled as minigrad's kernels are."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.parallel import threaded_kernel
from minigrad.kernels.simd import LANES, tile_outer, tile_store, tile_zero

from .limits import ROWS, VECTORS

CHUNK = 1 << 14  # numbers of the triad that are a unit
TILE = ROWS * VECTORS * LANES


@threaded_kernel
def triad(first: int, last: int, a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
    """a = b + s c"""
    x, y, z = a[first * CHUNK : last * CHUNK], b[first * CHUNK : last * CHUNK], c[first * CHUNK : last * CHUNK]
    factor = a.dtype.type(s)
    for i in range(len(x)):
        x[i] = y[i] + factor * z[i]


@threaded_kernel
def peak(first: int, last: int, y: np.ndarray, a: np.ndarray, steps: int) -> None:
    """Nothing but multiplications and additions: what they work on is loaded before the loop."""
    for unit in range(first, last):
        t = tile_zero(y, ROWS, VECTORS)
        for _ in range(steps):
            t = tile_outer(t, a, 0, 1, a, 0)
        tile_store(t, y, unit * TILE, VECTORS * LANES)
