"""Matrix products of float32, compiled: tile by tile, straight from the operands, without packing them first.

A product y = a b comes in three layouts, those of a linear layer and its two gradients (g is y's gradient):

    y  = x w^T     inner products: x and w are both contiguous along the axis that is summed over, so a vector runs
                   along it, and its lanes are added up at the end
    gx = g w       outer products: a column of the left times a row of the right, again and again; a vector runs along
    gw = g^T x     the rows of the right, which are contiguous

BLAS copies its operands into an order of its own first. At the sizes of a layer this costs more than it saves: the
tiles are about twice as fast as OpenBLAS on a core (`benchmarks/matmul.py` shows it, shape by shape). For matrices of
which neither stays in the processor's cache it is the other way round, and for very small ones nothing counts but the
cost of a call. `by_outer_products` and `by_inner_products` are where this is decided; what is not float32 goes to BLAS
as well.

Every number of y is the same sum in the same order, whichever tile it falls in and whichever thread does the tile.
"""

from __future__ import annotations

import numpy as np

from . import reference
from .gate import FLOAT32, NOTHING, Out
from .jit import helper
from .memory import Maker, empty, maker
from .parallel import threaded_kernel
from .shapes import require_matmul
from .simd import (
    LANES,
    REGISTERS,
    tile_inner,
    tile_inner_first,
    tile_outer,
    tile_outer_first,
    tile_store,
    tile_store_first,
    tile_store_totals,
    tile_zero,
)

Array = np.ndarray

# Tiles as large as there are registers for, with one or two left over for what they are multiplied by.
ROWS, VECTORS = (8, 3) if REGISTERS == 32 else (6, 2)  # outer products
WIDTH = VECTORS * LANES
INNER_ROWS, INNER_COLUMNS = (4, 5) if REGISTERS == 32 else (3, 3)  # inner products

SMALL = 1 << 18  # multiplications that BLAS has done, on one thread, before a kernel of ours has been called
CACHED = 1 << 18  # numbers that stay in a core's cache while all of them are gone through again and again
SPEED = 50  # multiplications and additions in a nanosecond on one thread, roughly


def matmul(a: Array, b: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.matmul`."""
    require_matmul("matmul", a.shape, b.shape)
    (M, K), N = a.shape, b.shape[1]
    if out is not None or not _by_tiles(a, b, M, K, N):
        return reference.matmul(a, b, out=out)
    if not b.flags.c_contiguous:
        make, units, nanoseconds = inner_plan(M, K, N)
        y = make()
        inner_products(units, nanoseconds, a, b.T, NOTHING["f"], y, False)
        return y
    y = empty((M, N), FLOAT32)
    a, a_row, a_step = (a, K, 1) if a.flags.c_contiguous else (a.T, 1, M)
    _outer_products(-(-M // ROWS) * -(-N // WIDTH), M * K * N / SPEED, a, a_row, a_step, b, y)
    return y


def _by_tiles(a: Array, b: Array, M: int, K: int, N: int) -> bool:
    """Whether a product is done by tiles and not by BLAS."""
    if M * K * N < SMALL or not (_plain(a) and _plain(b)):
        return False
    if b.flags.c_contiguous:
        return by_outer_products(M, K, N)
    return a.flags.c_contiguous and by_inner_products(M, K, N)


def inner_plan(M: int, K: int, N: int) -> tuple[Maker, int, float]:
    """What makes the output of `inner_products`, and its units and nanoseconds."""
    return maker((M, N), FLOAT32), -(-M // INNER_ROWS) * -(-N // INNER_COLUMNS), M * K * N / SPEED


def by_outer_products(M: int, K: int, N: int) -> bool:
    """Are (M, K) (K, N) outer products better done by tiles than by BLAS?"""
    return M >= ROWS and K * N > 0 and min(M, N) * K <= CACHED


def by_inner_products(M: int, K: int, N: int) -> bool:
    """Are (M, K) (N, K)^T inner products better done by tiles than by BLAS?"""
    return M >= INNER_ROWS and N >= INNER_COLUMNS and K > 0 and min(M, N) * K <= CACHED


def _plain(a: Array) -> bool:
    """Is this an array, or a transposed array, of the kind that kernels are compiled for?"""
    flags = a.flags
    return type(a) is np.ndarray and a.dtype == FLOAT32 and flags.forc and flags.behaved


@helper
def outer_tiles(M: int, N: int) -> int:
    """How many tiles cover (M, N). The last ones reach back over those before, or end early."""
    return ((M + ROWS - 1) // ROWS) * ((N + WIDTH - 1) // WIDTH)


@threaded_kernel
def _outer_products(first: int, last: int, a: Array, a_row: int, a_step: int, b: Array, y: Array) -> None:
    """y[i, j] = sum over k of a[i * a_row + k * a_step] b[k, j], the units being tiles; a is addressed as flat."""
    outer_products(first, last, a, a_row, a_step, b, y)


@helper
def outer_products(first: int, last: int, a: Array, a_row: int, a_step: int, b: Array, y: Array) -> None:
    """What `_outer_products` does, for other kernels to call."""
    (M, N), K = y.shape, b.shape[0]
    down, across = (M + ROWS - 1) // ROWS, (N + WIDTH - 1) // WIDTH
    for unit in range(first, last):
        # The smaller operand is gone through again for each tile of the larger one.
        i, j = (unit % down, unit // down) if M < N else (unit // across, unit % across)
        i, j = min(i * ROWS, M - ROWS), j * WIDTH
        t = tile_zero(b, ROWS, VECTORS)
        if j + WIDTH <= N:
            for k in range(K):
                t = tile_outer(t, a, i * a_row + k * a_step, a_row, b, k * N + j)
            tile_store(t, y, i * N + j, N)
        else:
            for k in range(K):
                t = tile_outer_first(t, a, i * a_row + k * a_step, a_row, b, k * N + j, N - j)
            tile_store_first(t, y, i * N + j, N, N - j)


@threaded_kernel
def inner_products(first: int, last: int, x: Array, w: Array, b: Array, y: Array, relu: bool) -> None:
    """y[i, j] = b[j] + sum over k of x[i, k] w[j, k], or relu of it, the units being tiles; there may be no b."""
    (M, N), K = y.shape, x.shape[1]
    whole = K - K % LANES
    one = np.ones(1, x.dtype)
    down, across = (M + INNER_ROWS - 1) // INNER_ROWS, (N + INNER_COLUMNS - 1) // INNER_COLUMNS
    rows_first = M < N or M * K <= CACHED // 2  # for they are fewer in a tile, and so less to read again
    for unit in range(first, last):
        i, j = (unit % down, unit // down) if rows_first else (unit // across, unit % across)
        i, j = min(i * INNER_ROWS, M - INNER_ROWS), min(j * INNER_COLUMNS, N - INNER_COLUMNS)
        t = tile_zero(x, INNER_ROWS, INNER_COLUMNS)
        if b.size:
            t = tile_inner_first(t, one, 0, 0, b, j, 1, 1)  # the first lane starts at 1 * b[j]
        for k in range(0, whole, LANES):
            t = tile_inner(t, x, i * K + k, K, w, j * K + k, K)
        if whole < K:
            t = tile_inner_first(t, x, i * K + whole, K, w, j * K + whole, K, K - whole)
        tile_store_totals(t, y, i * N + j, N, relu)
