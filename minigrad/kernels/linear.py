"""A linear layer, compiled: its product with the bias in it, and all its gradients in one launch.

The tiles are those of `gemm`, which tells how the products are done, and when BLAS does them.
"""

from __future__ import annotations

import functools

import numpy as np

from . import gemm, reference, shapes
from .gate import NOTHING, Out, gate
from .jit import helper
from .memory import empty
from .parallel import threaded_kernel
from .shapes import Shape

Array = np.ndarray

SHARES = 16  # of the work of a backward pass, between which threads divide it


@gate(reference.linear)
def linear(x: Array, w: Array, b: Array | None, relu: bool = False, *, out: Out = None) -> Array:
    """Compiled twin of `reference.linear`."""
    by_tiles = _forward_by_tiles(x.shape, w.shape, None if b is None else b.shape)
    if by_tiles and x.dtype is gemm.FLOAT32 and out is None:
        return gemm.inner_products(x, w, b, bool(relu))
    return reference.linear(x, w, b, relu, out=out)


@gate(reference.linear_backward)
def linear_backward(
    g: Array,
    x: Array,
    w: Array,
    need_x: bool,
    need_w: bool,
    need_b: bool,
    y: Array | None = None,
    *,
    out: Out = None,
) -> tuple[Array, ...]:
    """Compiled twin of `reference.linear_backward`."""
    by_tiles = _backward_by_tiles(g.shape, x.shape, w.shape, None if y is None else y.shape, need_x, need_w)
    if not by_tiles or x.dtype is not gemm.FLOAT32 or out is not None:
        return reference.linear_backward(g, x, w, need_x, need_w, need_b, y, out=out)
    gx, gw, gb, gradients = NO_MATRIX, NO_MATRIX, NOTHING["f"], []
    if need_x:
        gradients.append(gx := empty(x.shape, gemm.FLOAT32))
    if need_w:
        gradients.append(gw := empty(w.shape, gemm.FLOAT32))
    if need_b:
        gradients.append(gb := np.empty(w.shape[0], gemm.FLOAT32))
    nanoseconds = (need_x + need_w) * x.shape[0] * w.size / gemm.SPEED
    _linear_backward(SHARES, nanoseconds, g, x, w, NO_MATRIX if y is None else y, gx, gw, gb)
    return tuple(gradients)


NO_MATRIX = np.empty((0, 0), gemm.FLOAT32)


@functools.lru_cache(1024)
def _forward_by_tiles(x: Shape, w: Shape, b: Shape | None) -> bool:
    """Whether tiles do the product, and not BLAS; ValueError unless the shapes fit."""
    shapes.require_linear("linear", x, w, b)
    return gemm.by_inner_products(x[0], x[1], w[0])


@functools.lru_cache(1024)
def _backward_by_tiles(g: Shape, x: Shape, w: Shape, y: Shape | None, need_x: bool, need_w: bool) -> bool:
    """Whether tiles do all products that are needed; ValueError unless the shapes fit."""
    shapes.require_linear("linear_backward", x, w, None)
    (N, I), O = x, w[0]
    for name, shape in (("the gradient", g), ("the output", y)):
        if shape is not None and shape != (N, O):
            raise ValueError(f"linear_backward: {name} has shape {shape}, expected {(N, O)}")
    x_by_tiles, w_by_tiles = gemm.by_outer_products(N, O, I), gemm.by_outer_products(O, N, I)
    return N > 0 and (x_by_tiles or not need_x) and (w_by_tiles or not need_w)


@threaded_kernel
def _linear_backward(
    first: int, last: int, g: Array, x: Array, w: Array, y: Array, gx: Array, gw: Array, gb: Array
) -> None:
    """Those gradients that have elements; each unit does a share of the tiles of gx and gw, and of gb.

    g (N, O), x, gx (N, I), w, gw (O, I), gb (O,), and y (N, O) if relu is to be undone first
    """
    N, O = g.shape
    if y.size:
        g = _where_not_zero(g, y)  # by each thread for itself: it is little next to the products
    for product in range(2):
        if product == 0:
            b, to, a_row, a_step = x, gw, 1, O  # the columns of g times the rows of x
        else:
            b, to, a_row, a_step = w, gx, O, 1  # the rows of g times the rows of w
        tiles = gemm.outer_tiles(to.shape[0], to.shape[1])
        gemm.outer_products(first * tiles // SHARES, last * tiles // SHARES, g, a_row, a_step, b, to)
    first, last = first * gb.size // SHARES, last * gb.size // SHARES
    totals = np.zeros(last - first)
    for n in range(N):
        row = g[n, first:last]
        for o in range(totals.size):
            totals[o] += row[o]
    for o in range(totals.size):
        gb[first + o] = totals[o]


@helper
def _where_not_zero(g: Array, y: Array) -> Array:
    """g where y is not 0, and 0 elsewhere."""
    found, zero = np.empty_like(g), g.dtype.type(0)
    to, sent, output = found.ravel(), g.ravel(), y.ravel()
    for i in range(to.size):
        to[i] = zero if output[i] == 0 else sent[i]
    return found
