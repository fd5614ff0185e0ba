"""A linear layer, compiled: its product with the bias in it, and all its gradients in one launch.

The tiles are those of `gemm`, which tells how the products are done, and when BLAS does them.
"""

from __future__ import annotations

import functools

import numpy as np

from . import gemm, reference, shapes
from .gate import FLOAT32, NOTHING, Out, gate
from .jit import helper
from .memory import Maker, maker
from .norm import narrowed, widened
from .parallel import threaded_kernel
from .shapes import Shape
from .simd import LANES, add, flat, load_first, store_first, zero

Array = np.ndarray

SHARES = 16  # of the work of a backward pass, between which threads divide it


@gate(reference.linear)
def linear(x: Array, w: Array, b: Array | None, relu: bool = False, *, out: Out = None) -> Array:
    """Compiled twin of `reference.linear`."""
    plan = _forward(x.shape, w.shape, None if b is None else b.shape)
    if plan is None or x.dtype is not FLOAT32 or out is not None:
        return reference.linear(x, w, b, relu, out=out)
    make, units, nanoseconds = plan
    y = make()
    gemm.inner_products(units, nanoseconds, x, w, NO_BIAS if b is None else b, y, bool(relu))
    return y


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
) -> tuple[Array | None, ...]:
    """Compiled twin of `reference.linear_backward`."""
    plan = _backward(g.shape, x.shape, w.shape, None if y is None else y.shape, need_x, need_w)
    if plan is None or x.dtype is not FLOAT32 or out is not None:
        return reference.linear_backward(g, x, w, need_x, need_w, need_b, y, out=out)
    make_x, make_w, make_b, nanoseconds = plan
    gx = make_x() if need_x else NO_MATRIX
    gw = make_w() if need_w else NO_MATRIX
    gb = make_b() if need_b else NO_BIAS
    _linear_backward(SHARES, nanoseconds, g, x, w, NO_MATRIX if y is None else y, gx, gw, gb)
    return gx if need_x else None, gw if need_w else None, gb if need_b else None


NO_MATRIX, NO_BIAS = np.empty((0, 0), FLOAT32), NOTHING["f"]


@functools.lru_cache(1024)
def _forward(x: Shape, w: Shape, b: Shape | None) -> tuple[Maker, int, float] | None:
    """The plan of the product by tiles, None if BLAS does it; ValueError unless the shapes fit."""
    shapes.require_linear("linear", x, w, b)
    size = x[0], x[1], w[0]
    return gemm.inner_plan(*size) if gemm.by_inner_products(*size) else None


@functools.lru_cache(1024)
def _backward(
    g: Shape, x: Shape, w: Shape, y: Shape | None, need_x: bool, need_w: bool
) -> tuple[Maker, Maker, Maker, float] | None:
    """What makes gx, gw and gb, and how many nanoseconds tiles take for all products that are needed.

    None unless tiles do all of these.

    ValueError unless the shapes fit.
    """
    shapes.require_linear("linear_backward", x, w, None)
    (N, I), O = x, w[0]
    for name, shape in (("the gradient", g), ("the output", y)):
        if shape is not None:
            shapes.require_equal("linear_backward", name, shape, (N, O))
    x_by_tiles, w_by_tiles = gemm.by_outer_products(N, O, I), gemm.by_outer_products(O, N, I)
    if N == 0 or (need_x and not x_by_tiles) or (need_w and not w_by_tiles):
        return None
    makers = maker(x, FLOAT32), maker(w, FLOAT32), maker((O,), FLOAT32)
    return *makers, (need_x + need_w) * N * I * O / gemm.SPEED


@threaded_kernel
def _linear_backward(
    first: int, last: int, g: Array, x: Array, w: Array, y: Array, gx: Array, gw: Array, gb: Array
) -> None:
    """Those gradients that have elements; each unit does a share of the tiles of gx and gw, and of gb.

    g (N, O), x, gx (N, I), w, gw (O, I), gb (O,), and y (N, O) if relu is to be undone first
    """
    (N, O), sent = g.shape, flat(g)
    if y.size:
        sent = _where_not_zero(sent, flat(y))  # by each thread for itself: it is little next to the products
    for product in range(2):
        if product == 0:
            b, to, a_row, a_step = x, gw, 1, O  # the columns of g times the rows of x
        else:
            b, to, a_row, a_step = w, gx, O, 1  # the rows of g times the rows of w
        tiles = gemm.outer_tiles(to.shape[0], to.shape[1])
        gemm.outer_products(first * tiles // SHARES, last * tiles // SHARES, sent, a_row, a_step, b, to)
    end = last * gb.size // SHARES
    for o in range(first * gb.size // SHARES, end, LANES):
        sums = widened(zero(gb))
        for n in range(N):
            sums = add(sums, widened(load_first(sent, n * O + o, end - o)))
        store_first(gb, o, narrowed(sums, gb), end - o)


@helper
def _where_not_zero(g: Array, y: Array) -> Array:
    """g where y is not 0, and 0 elsewhere."""
    found, nothing = np.empty(g.size, g.dtype), g.dtype.type(0)
    for i in range(g.size):
        found[i] = nothing if y[i] == 0 else g[i]
    return found
