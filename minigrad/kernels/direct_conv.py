"""Direct convolution: sums of products straight from the pixels, without laying out a matrix of patches first.

Take an image as one flat row of numbers, its rows `pitch` apart. The tap (c, kh, kw) of the window at position
p = i * pitch + j then reads the number at p + offset, where the offset depends on the tap alone: for all windows at
once, the pixels under a tap are the image itself, moved. So a vector of outputs is a sum, over the taps, of a weight
times a vector of pixels from memory:

    y[o, p] = b[o] + sum over k of w[o, k] x[p + offset[k]]         `convolve`
    gw[o, k] = sum over p of g[o, p] x[p + offset[k]]               `correlate`

The last columns of a row, less than a filter's width of them, belong to no window. Their sums are taken and dropped;
in the gradient of the weights, g is zero there. Where that would be much of the work, an image is there once for each
tap in a row of the filter, moved by so much, and has the other columns only.

An image is copied first to where it is read from, which costs next to nothing: with a border of zeros for padding, and
if it is large in bands of rows, which stay in the processor's cache. Dilation is a matter of the offsets, and a group
of channels is an image by itself. With a stride s there is an image of every s-th pixel for each of the s places to
start from (`phases`), so that the windows are neighbours again.

The input gradient of a convolution is a convolution too, of the output gradient with a border of zeros: by filters
that are turned round, with their input and output channels exchanged. With a stride it is one for each phase, by the
taps that meet pixels of that phase. All of them run the same machine code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .jit import helper
from .parallel import ThreadedKernel, threaded_kernel
from .shapes import Pair
from .simd import (
    LANES,
    REGISTERS,
    load_first,
    out_of_line,
    prefetch,
    store_first,
    tile_add_totals,
    tile_broadcast,
    tile_inner_at,
    tile_outer,
    tile_store,
    tile_zero,
)

Array = np.ndarray
Tiles = tuple[Pair, ...]
Taps = tuple[int, int, int, int]  # KH, KW, and how far apart they are

BAND = 1 << 16  # about as many numbers of an image as are laid out at a time
SPEED = 50  # multiplications and additions in a nanosecond on one thread, roughly

# Rows by vectors: as large as there are registers for, with a few left over for what they are multiplied by.
# A vector of float64 takes two registers.
FLOAT32_TILES: Tiles = (
    ((8, 2), (16, 1), (12, 2), (6, 4), (4, 6), (2, 8)) if REGISTERS == 32 else ((6, 2), (4, 3), (2, 4))
)
FLOAT64_TILES: Tiles = ((6, 2), (2, 4)) if REGISTERS == 32 else ((3, 2),)

# The same for inner products: output channels by taps.
FLOAT32_INNER_TILES: Tiles = ((8, 3),) if REGISTERS == 32 else ((3, 3),)
FLOAT64_INNER_TILES: Tiles = ((3, 3),) if REGISTERS == 32 else ((2, 2),)

LINE = 16  # numbers that come from memory together

SLICES = 16  # at most so many slices of the batch,
SLICE = 1 << 19  # of so many multiplications at least,
LENGTH = 48  # and of so many vectors of g, for their sums have to be added up,
PARTIAL = 1 << 22  # and not more numbers than this for the sums of all of them
FEW = 8  # with fewer slices than this the channels are cut into parts as well,
BLOCKS = 8  # of so many blocks at least, for each has to lay out the image anew


class Plan(NamedTuple):
    """What of a convolution depends on the shapes alone."""

    tile: Pair
    blocks: int  # of output channels, each as many as a tile has rows
    bands: int  # of rows
    window: tuple[int, ...]
    offsets: Array  # of the taps, in the order (kh, c, kw) of packed filters


class CorrelationPlan(NamedTuple):
    """What of a correlation depends on the shapes alone."""

    tile: Pair
    blocks: int  # of output channels
    slices: int  # of the batch
    parts: int  # of the blocks, done one by one
    window: tuple[int, ...]
    offsets: Array  # of the taps, in the order (c, kh, kw), filled up to whole tiles


def convolve(
    x: Array,
    w: Array,
    b: Array | None,
    y: Array,
    padding: Pair,
    taps: Taps,
    stride: Pair = (1, 1),
    skip_zeros: bool = False,
) -> None:
    """y[n, g, o, i, j] = b[g, o] + sum over c, kh, kw of w[g, o, c, kh, kw] x[n, g, c, i + kh * dh, j + kw * dw]

    with x in a border of zeros: `padding` many above and to the left, as many as it takes below and to the right.
    x (N * groups, C, H, W), or with a stride (N * groups, C * A * B, H, W) as from `phases`;
    w (groups, O, C, KH, KW), in any layout; b (groups, O) or None; y (N * groups, O, OH, OW) is written to.
    With `skip_zeros` rows of zeros above and below are not multiplied: as if 0 times a weight were 0 always.
    """
    groups, O, C = w.shape[:3]
    tiles = FLOAT32_TILES if x.dtype == np.float32 else FLOAT64_TILES
    plan = _plan(C, O, x.shape[3], *y.shape[2:], taps, padding, stride, tiles, skip_zeros)
    rows = plan.blocks * plan.tile[0]
    packed = _filled_up(w, rows).reshape(groups, plan.blocks, plan.tile[0], *w.shape[2:]).transpose(0, 1, 4, 3, 5, 2)
    bias = np.zeros((groups, rows), x.dtype) if b is None else _filled_up(b, rows)
    nanoseconds = y.size * w[0, 0].size / SPEED
    _convolve[plan.tile](
        len(y) * plan.bands, nanoseconds, x, np.ascontiguousarray(packed), bias, y, plan.offsets, groups, plan.window
    )


def _filled_up(a: Array, rows: int) -> Array:
    """a (groups, O, ...) with zeros after the last of axis 1, so that there are so many."""
    if a.shape[1] == rows:
        return a
    filled = np.zeros((a.shape[0], rows, *a.shape[2:]), a.dtype)
    filled[:, : a.shape[1]] = a
    return filled


@functools.lru_cache(1024)
def _plan(
    C: int, O: int, W: int, OH: int, OW: int, taps: Taps, padding: Pair, stride: Pair, tiles: Tiles, skip_zeros: bool
) -> Plan:
    """The plan of `convolve` for these shapes."""
    KH, KW, dh, _ = taps

    def cycles(layout: Layout, tile: Pair) -> float:
        rows, vectors = tile
        reach = (layout.band - 1) * layout.pitch + OW
        tiles = -(-O // rows) * -(-reach // (vectors * LANES)) * -(-OH // layout.band)
        return tiles * C * KH * KW * _cycles(rows * vectors, rows + 2 * vectors) + layout.cycles

    layout, tile = _best(C, W, OH, OW, taps, padding, stride, tiles, cycles)
    window = (KH if skip_zeros else 0, dh, *padding, *layout[:5])
    offsets = np.ascontiguousarray(_offsets(C, taps, stride, layout).transpose(1, 0, 2)).reshape(-1)
    return Plan(tile, -(-O // tile[0]), -(-OH // layout.band), window, offsets)


def correlate(x: Array, g: Array, groups: int, padding: Pair, taps: Taps, stride: Pair = (1, 1)) -> Array:
    """gw[g, o, c, kh, kw] = sum over n, i, j of g[n, g, o, i, j] x[n, g, c, i + kh * dh, j + kw * dw]

    with x (N * groups, C, H, W), padding and stride as in `convolve`; g (N * groups, O, OH, OW)
    -> gw (groups, O, C, KH, KW). The batch is cut into slices, whose sums are added up: which they are depends on the
    shapes alone, and not on the number of threads.
    """
    (M, O), (KH, KW) = g.shape[:2], taps[:2]
    A, B = phase_count(taps, stride)
    C = x.shape[1] // (A * B)
    tiles = FLOAT32_INNER_TILES if x.dtype == np.float32 else FLOAT64_INNER_TILES
    plan = _correlation_plan(M // groups, C, O, x.shape[3], *g.shape[2:], taps, padding, stride, tiles)
    (rows, columns), size = plan.tile, plan.offsets.size
    sums = np.zeros((plan.slices, groups, plan.blocks, size // columns, rows, columns), x.dtype)
    nanoseconds = g.size * C * KH * KW / SPEED
    _correlate[plan.tile](
        plan.slices * groups * plan.parts, nanoseconds, x, g, sums, plan.offsets, groups, plan.parts, plan.window
    )
    total = sums.sum(axis=0).swapaxes(2, 3)
    gw = np.empty(total.shape, x.dtype)
    for v in range(columns):  # one by one, for NumPy would go along the last axis, which is short
        gw[..., v] = total[..., v]
    gw = gw.reshape(groups, plan.blocks * rows, size)[:, :O, : C * KH * KW]
    return np.ascontiguousarray(gw).reshape(groups, O, C, KH, KW)


@functools.lru_cache(1024)
def _correlation_plan(
    N: int, C: int, O: int, W: int, OH: int, OW: int, taps: Taps, padding: Pair, stride: Pair, tiles: Tiles
) -> CorrelationPlan:
    """The plan of `correlate` for these shapes."""
    K = C * taps[0] * taps[1]

    def cycles(layout: Layout, tile: Pair) -> float:
        rows, columns = tile
        vectors = -(-layout.band * layout.pitch // LANES) * -(-OH // layout.band)
        return -(-O // rows) * -(-K // columns) * vectors * _cycles(rows * columns, rows + 2 * columns) + layout.cycles

    layout, tile = _best(C, W, OH, OW, taps, padding, stride, tiles, cycles)
    blocks, columns = -(-O // tile[0]), -(-K // tile[1]) * tile[1]
    offsets = np.zeros(columns, np.intp)
    offsets[:K] = _offsets(C, taps, stride, layout).reshape(-1)
    stretch = -(-layout.band * layout.pitch // LANES) * LANES
    length, work = N * -(-OH // layout.band) * stretch // LANES, N * O * OH * OW * K
    slices = parts = 1
    while 2 * slices <= min(N, SLICES, length // LENGTH, work // SLICE, PARTIAL // (O * K)):
        slices *= 2
    while slices * parts < FEW and 2 * parts <= min(blocks // BLOCKS, work // slices // SLICE):
        parts *= 2
    A, B = phase_count(taps, stride)
    size = C * A * B * layout.copies * (layout.band + layout.halo) * layout.pitch
    size += -(-blocks // parts) * tile[0] * stretch
    together = max(1, min(2 * BAND // size, -(-LENGTH * LANES // stretch), length * LANES // stretch // slices))
    return CorrelationPlan(tile, blocks, slices, parts, (*padding, *layout[:5], together), offsets)


class Layout(NamedTuple):
    """How an image is laid out."""

    band: int  # rows of windows that are done at a time
    halo: int  # rows of pixels more than that
    pitch: int  # numbers in a row
    copies: int  # 1; or one for each tap in a row of a filter, moved, with no columns but those that windows start in
    apart: int  # by how much a copy is moved
    cycles: float  # that it takes, about


def _layout(C: int, W: int, OH: int, OW: int, taps: Taps, padding: Pair, stride: Pair, copies: int) -> Layout:
    """The layout with so many copies. With one, the zeros to the right of a row are those to the left of the next."""
    KH, KW, dh, dw = taps
    A, B = phase_count(taps, stride)
    halo, reach = (KH - 1) * dh // stride[0], (KW - 1) * dw // stride[1]
    shared = reach if copies > 1 else max(0, min(reach, padding[1], OW + reach - padding[1] - W))
    pitch = OW + reach - shared
    channels = C * A * B * copies
    bands = -(-OH // max(1, BAND // (channels * pitch) - halo))
    band = -(-OH // bands)
    return Layout(band, halo, pitch, copies, dw, 2.0 * bands * channels * (band + halo) * -(-pitch // LANES))


def _best(
    C: int,
    W: int,
    OH: int,
    OW: int,
    taps: Taps,
    padding: Pair,
    stride: Pair,
    tiles: Tiles,
    cycles: Callable[[Layout, Pair], float],
) -> tuple[Layout, Pair]:
    """The layout and the tile that take the fewest cycles; several copies only if they save a tenth."""
    choices = [(1, 1.0), (taps[1], 1.1)] if stride == (1, 1) and taps[1] > 1 else [(1, 1.0)]
    layouts = [(_layout(C, W, OH, OW, taps, padding, stride, copies), cost) for copies, cost in choices]
    options = [(layout, tile, cost) for layout, cost in layouts for tile in tiles]
    return min(options, key=lambda option: option[2] * cycles(*option[:2]))[:2]


def _cycles(products: int, loads: int) -> float:
    """About how long a step of a tile takes, on a processor that does two of either at a time."""
    return max(products, loads) / 2


def _offsets(C: int, taps: Taps, stride: Pair, layout: Layout) -> Array:
    """Where the taps (C, KH, KW) of the first window are."""
    KH, KW, dh, dw = taps
    A, B = phase_count(taps, stride)
    c, h, v = np.ogrid[:C, : KH * dh : dh, : KW * dw : dw]
    (h, a), (v, b) = divmod(h, stride[0]), divmod(v, stride[1])
    depth, pitch = layout.band + layout.halo, layout.pitch
    if layout.copies > 1:
        return ((v // dw * C + c) * depth + h) * pitch
    return (((c * A + a) * B + b) * depth + h) * pitch + v


def phase_count(taps: Taps, stride: Pair) -> Pair:
    """The places to start from in steps of the stride, those that no tap can reach left out."""
    KH, KW, dh, dw = taps
    return min(stride[0], (KH - 1) * dh + 1), min(stride[1], (KW - 1) * dw + 1)


def phases(x: Array, output_size: Pair, padding: Pair, taps: Taps, stride: Pair) -> Array:
    """x (M, C, H, W), in a border of zeros, as (M, C * A * B, h, w): every sh-th row from a on, columns alike."""
    M, C = x.shape[:2]
    A, B = phase_count(taps, stride)
    size = [n + (k - 1) * d // s for n, k, d, s in zip(output_size, taps[:2], taps[2:], stride, strict=True)]
    (h, w), (sh, sw), (ph, pw) = size, stride, padding
    padded = np.zeros((M, C, h, sh, w, sw), x.dtype)
    image = padded.reshape(M, C, h * sh, w * sw)[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]]
    image[...] = x[:, :, : image.shape[2], : image.shape[3]]  # no window sees the rest
    return np.ascontiguousarray(padded[:, :, :, :A, :, :B].transpose(0, 1, 3, 5, 2, 4)).reshape(M, C * A * B, h, w)


def _tiled(rows: int, vectors: int) -> ThreadedKernel:
    """The kernel of `convolve` that makes tiles of so many output channels by so many vectors of positions."""
    width = vectors * LANES

    def convolve(
        first: int, last: int, x: Array, w: Array, b: Array, y: Array, offsets: Array, groups: int, window: Any
    ) -> None:
        """As `convolve`, with w (groups, blocks, KH, C, KW, rows), b (groups, blocks * rows); the units are bands."""
        KH, dh, ph, pw, band, halo, pitch, copies, apart = window
        _, C, H, W = x.shape
        _, O, OH, OW = y.shape
        taps, plane = offsets.size, (band + halo) * pitch
        blocks, bands = (O + rows - 1) // rows, (OH + band - 1) // band
        stretch = (band * pitch + width - 1) // width * width
        pixels, sums = np.zeros(copies * C * plane + stretch + pitch, x.dtype), np.zeros(rows * stretch, x.dtype)
        for unit in range(first, last):
            image, start = unit // bands, unit % bands * band
            height, above = min(band, OH - start), ph - start
            end = (height - 1) * pitch + OW
            ahead, share = (image + 1) * C * H * W, 0  # what is asked for with each tile: a part of the next image
            if bands == 1:
                share = C * H * W // (blocks * ((end + width - 1) // width)) + 1
            at = (image * C * H - above) * W
            for v in range(copies):
                left = max(pw - v * apart, 0)
                n, source = min(W + pw - v * apart, pitch) - left, at + left + v * apart - pw
                to = v * C * plane + left
                copy(x, source, H * W, W, pixels, to, plane, pitch, C, height + halo, n, above, above + H)
            for block in range(blocks):
                filters = image % groups * blocks + block
                at = ((image * O + block * rows) * OH + start) * OW
                for p in range(0, end, width):
                    fetch(x, ahead, share)
                    ahead += share
                    for r in range(rows):
                        fetch(y, at + r * OH * OW + p, width)
                    first_k, end_k = 0, taps
                    if KH > 0:
                        top, bottom = p // pitch, min((p + width - 1) // pitch, height - 1)
                        first_k = min(max(above - bottom + dh - 1, 0) // dh, KH) * (taps // KH)
                        end_k = min(max(above - top + H + dh - 1, 0) // dh, KH) * (taps // KH)
                    t = tile_broadcast(tile_zero(x, rows, vectors), b, filters * rows, 1)
                    for k in range(first_k, end_k):
                        t = tile_outer(t, w, (filters * taps + k) * rows, 1, pixels, p + offsets[k])
                    tile_store(t, sums, p, stretch)
                copy(sums, 0, stretch, pitch, y, at, OH * OW, OW, min(rows, O - block * rows), height, OW, 0, height)

    convolve.__name__ = convolve.__qualname__ = f"convolve_{rows}x{vectors}"
    return threaded_kernel(convolve)


def _inner(rows: int, columns: int) -> ThreadedKernel:
    """The kernel of `correlate` that makes tiles of so many output channels by so many taps."""

    def correlate(
        first: int, last: int, x: Array, g: Array, sums: Array, offsets: Array, groups: int, parts: int, window: Any
    ) -> None:
        """As `correlate`, to sums (slices, groups, blocks, taps / columns, rows, columns).

        The units are parts of a group of a slice.
        """
        ph, pw, band, halo, pitch, copies, apart, together = window
        M, C, H, W = x.shape
        _, O, OH, OW = g.shape
        N, slices, blocks, bands = M // groups, len(sums), sums.shape[2], (OH + band - 1) // band
        taps, plane, stretch = offsets.size, (band + halo) * pitch, (band * pitch + LANES - 1) // LANES * LANES
        channels = (blocks + parts - 1) // parts * rows
        pixels = np.zeros(together * copies * C * plane + stretch + pitch, x.dtype)
        gradients = np.zeros(together * channels * stretch, x.dtype)
        for unit in range(first, last):
            part, group, piece = unit % parts, unit // parts % groups, unit // parts // groups
            first_block, end_block = blocks * part // parts, blocks * (part + 1) // parts
            o = first_block * rows
            channels_here = min(end_block * rows, O) - o
            end = N * (piece + 1) // slices * bands
            for start in range(N * piece // slices * bands, end, together):
                count = min(together, end - start)
                for q in range(count):
                    image, i = (start + q) // bands * groups + group, (start + q) % bands * band
                    above = ph - i
                    at = (image * C * H - above) * W
                    for v in range(copies):
                        left = max(pw - v * apart, 0)
                        n, source = min(W + pw - v * apart, pitch) - left, at + left + v * apart - pw
                        to = (q * copies + v) * C * plane + left
                        copy(x, source, H * W, W, pixels, to, plane, pitch, C, band + halo, n, above, above + H)
                    at, to = ((image * O + o) * OH + i) * OW, q * channels * stretch
                    copy(g, at, OH * OW, OW, gradients, to, stretch, pitch, channels_here, band, OW, 0, OH - i)
                x_ahead, g_ahead, x_share, g_share = (start + count) * C * H * W, (start + count) * O * OH * OW, 0, 0
                if groups == bands == 1 and start + count < end:
                    tiles = (end_block - first_block) * taps // columns
                    x_share, g_share = count * C * H * W // tiles + 1, count * O * OH * OW // tiles + 1
                for block in range(first_block, end_block):
                    for k in range(0, taps, columns):
                        fetch(x, x_ahead, x_share)
                        fetch(g, g_ahead, g_share)
                        x_ahead += x_share
                        g_ahead += g_share
                        t = tile_zero(x, rows, columns)
                        for q in range(count):
                            a, b = (q * channels + block * rows - o) * stretch, q * copies * C * plane
                            for p in range(0, stretch, LANES):
                                t = tile_inner_at(t, gradients, a + p, stretch, pixels, b + p, offsets, k)
                        to = ((piece * groups + group) * blocks + block) * rows * taps + k * rows
                        tile_add_totals(t, sums, to)

    correlate.__name__ = correlate.__qualname__ = f"correlate_{rows}x{columns}"
    return threaded_kernel(correlate)


@helper
def fetch(a: Array, at: int, n: int) -> None:
    """The hint that n numbers will be needed before long."""
    for i in range(at, min(at + n, a.size), LINE):
        prefetch(a, i)


@helper
def copy(
    a: Array,
    at: int,
    a_plane: int,
    a_row: int,
    b: Array,
    to: int,
    b_plane: int,
    b_row: int,
    planes: int,
    rows: int,
    n: int,
    top: int,
    bottom: int,
) -> None:
    """Rows of n numbers from a to b, both as if flat; zeros for those rows of a above top, and from bottom on."""
    out_of_line()
    for i in range(planes):
        for j in range(rows):
            there = n if top <= j < bottom else 0
            source, target = at + i * a_plane + j * a_row, to + i * b_plane + j * b_row
            for k in range(0, n, LANES):
                store_first(b, target + k, load_first(a, source + k, there - k), n - k)


_convolve = {tile: _tiled(*tile) for tile in {*FLOAT32_TILES, *FLOAT64_TILES}}
_correlate = {tile: _inner(*tile) for tile in {*FLOAT32_INNER_TILES, *FLOAT64_INNER_TILES}}
