"""A linear layer, compiled: its product with the bias in it, and all its gradients in one launch.

The tiles are those of `gemm`, which tells how the products are done, and when BLAS does them.
"""

from __future__ import annotations

import numpy as np

from . import gemm, reference, shapes
from .gate import Out, gate
from .memory import empty
from .parallel import threaded_kernel

Array = np.ndarray

SHARES = 16  # of the work of a backward pass, between which threads divide it


@gate(reference.linear)
def linear(x: Array, w: Array, b: Array | None, *, out: Out = None) -> Array:
    """Compiled twin of `reference.linear`."""
    shapes.require_linear("linear", x.shape, w.shape, b)
    (N, I), O = x.shape, w.shape[0]
    if x.dtype is gemm.FLOAT32 and out is None and gemm.by_inner_products(N, I, O):
        return gemm.inner_products(x, w, b)
    return reference.linear(x, w, b, out=out)


@gate(reference.linear_backward)
def linear_backward(
    g: Array, x: Array, w: Array, need_x: bool, need_w: bool, need_b: bool, *, out: Out = None
) -> tuple[Array, ...]:
    """Compiled twin of `reference.linear_backward`."""
    shapes.require_linear("linear_backward", x.shape, w.shape, None)
    (N, I), O = x.shape, w.shape[0]
    shapes.require_shape("linear_backward", "the gradient", g, (N, O))
    by_tiles = (
        x.dtype is gemm.FLOAT32
        and out is None
        and N > 0
        and (not need_x or gemm.by_outer_products(N, O, I))
        and (not need_w or gemm.by_outer_products(O, N, I))
    )
    if not by_tiles:
        return reference.linear_backward(g, x, w, need_x, need_w, need_b, out=out)
    gx = empty((N, I), gemm.FLOAT32) if need_x else NO_MATRIX
    gw = empty((O, I), gemm.FLOAT32) if need_w else NO_MATRIX
    gb = empty((O,), gemm.FLOAT32) if need_b else gemm.NOTHING
    _linear_backward(SHARES, (need_x + need_w) * N * I * O / gemm.SPEED, g, x, w, gx, gw, gb)
    return tuple(gradient for gradient, need in ((gx, need_x), (gw, need_w), (gb, need_b)) if need)


NO_MATRIX = np.empty((0, 0), gemm.FLOAT32)


@threaded_kernel
def _linear_backward(first: int, last: int, g: Array, x: Array, w: Array, gx: Array, gw: Array, gb: Array) -> None:
    """Those gradients that have elements; each unit does a share of the tiles of gx and gw, and of gb.

    g (N, O), x, gx (N, I), w, gw (O, I), gb (O,)
    """
    N, O = g.shape
    for product in range(2):
        if product == 0:
            b, y, a_row, a_step = x, gw, 1, O  # the columns of g times the rows of x
        else:
            b, y, a_row, a_step = w, gx, O, 1  # the rows of g times the rows of w
        tiles = gemm.outer_tiles(y.shape[0], y.shape[1])
        gemm.outer_products(first * tiles // SHARES, last * tiles // SHARES, g, a_row, a_step, b, y)
    first, last = first * gb.size // SHARES, last * gb.size // SHARES
    totals = np.zeros(last - first)
    for n in range(N):
        row = g[n, first:last]
        for o in range(totals.size):
            totals[o] += row[o]
    for o in range(totals.size):
        gb[first + o] = totals[o]
