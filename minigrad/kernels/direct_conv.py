"""Direct convolution: sums of products straight from the pixels, without laying out a matrix of patches first.

Take an image as one flat row of numbers, its rows `pitch` apart. The tap (kh, kw, c) of the window at position
p = i * pitch + j then reads the number at p + offset, where the offset depends on the tap alone: for all windows at
once, the pixels under a tap are the image itself, moved. So a vector of outputs is a sum, over the taps, of a weight
times a vector of pixels from memory:

    y[o, p] = b[o] + sum over k of w[o, k] x[p + offset[k]]         `convolve`
    gw[o, k] = sum over p of g[o, p] x[p + offset[k]]               `correlate`

There are two ways to fill a vector:

- With the same pixel of as many images as a vector has lanes: their rows are laid out as one, pixel by pixel. Nothing
  is computed that is not needed, whatever the sizes, and taps that see zeros only are left out. But images have to be
  transposed, there and back, and there must be so many of them.
- With pixels of one image that are neighbours, row after row. The last columns of a row, less than a filter's width of
  them, belong to no window. Their sums are taken and dropped; in the gradient of the weights, g is zero there.

An image is copied first to where it is read from, which costs little: with a border of zeros for padding, and if it is
large in bands of rows, which stay in the processor's cache. Dilation is a matter of the offsets, and a group of
channels is an image by itself. With a stride s there is an image of every s-th pixel for each of the s places to
start from (`phases`), so that the windows are neighbours again.

The input gradient of a convolution is a convolution too, of the output gradient with a border of zeros: by filters
that are turned round, with their input and output channels exchanged. With a stride it is one for each phase, by the
taps that meet pixels of that phase. All of them run the same machine code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .gate import NOTHING
from .jit import helper, kernel
from .memory import empty
from .parallel import ThreadedKernel, threaded_kernel
from .shapes import Pair, Shape
from .simd import (
    LANES,
    REGISTERS,
    add,
    flat,
    load,
    load_first,
    out_of_line,
    prefetch,
    store_first,
    tile_add_totals,
    tile_broadcast,
    tile_inner_at,
    tile_load_first,
    tile_outer,
    tile_store,
    tile_store_first,
    tile_transpose,
    tile_zero,
    total,
    zero,
)

Array = np.ndarray
Tiles = tuple[Pair, ...]
Taps = tuple[int, int, int, int]  # KH, KW, and how far apart they are

BAND = 1 << 16  # about as many numbers of an image as are laid out at a time
SPEED = 50  # multiplications and additions in a nanosecond on one thread, roughly

# Rows by vectors: as large as there are registers for, with a few left over for what they are multiplied by.
# A vector of float64 takes two registers.
FLOAT32_TILES: Tiles = (
    ((8, 2), (16, 1), (12, 2), (6, 2), (4, 6), (2, 8)) if REGISTERS == 32 else ((6, 2), (4, 3), (2, 4))
)
FLOAT64_TILES: Tiles = ((6, 2), (2, 4)) if REGISTERS == 32 else ((3, 2),)

# The same for inner products: output channels by taps.
FLOAT32_INNER_TILES: Tiles = ((8, 3),) if REGISTERS == 32 else ((3, 3),)
FLOAT64_INNER_TILES: Tiles = ((3, 3),) if REGISTERS == 32 else ((2, 2),)

LINE = 16  # numbers that come from memory together

SLICES = 8  # at most so many slices of the batch,
SLICE = 1 << 19  # of so many multiplications at least,
LENGTH = 48  # and of so many vectors of g, for their sums have to be added up,
PARTIAL = 1 << 22  # and not more numbers than this for the sums of all of them
FEW = 8  # with fewer slices than this the channels are cut into parts as well,
BLOCKS = 8  # of so many blocks at least, for each has to lay out the image anew

COPY, TRANSPOSE = 5.0, 60.0  # cycles it takes to lay out a vector of one image, and a square of pixels by images
START = 30.0  # cycles for what is done once for each tile
UNITS = 4  # images side by side are done in bands if there would be fewer units of work than this: for threads to share


class Filters(NamedTuple):
    """Where a convolution finds its weights, in an array that may have been made for another one."""

    group: int  # numbers from one group to the next,
    output: int  # from one output channel to the next
    input: int  # and from one input channel to the next
    rows: range  # where the rows of taps are,
    columns: range  # and the taps of a row


class Part(NamedTuple):
    """A launch of the kernel of `convolve`, for some of the images: all of it but the arrays."""

    kernel: ThreadedKernel
    units: int
    nanoseconds: float
    packed: Shape  # of the weights, as `_pack` lays them out
    sizes: tuple[int, ...]  # what it needs to know for that
    places: Array  # of the weights of the taps, in the order (kh, kw, c)
    offsets: Array  # of the pixels under the taps
    met: Array  # which taps see more than zeros: the first and the last of rows, and of columns
    window: tuple[int, ...]
    all: Array  # the same two, if zeros count
    window_of_all: tuple[int, ...]


class CorrelationPart(NamedTuple):
    """A launch of the kernel of `correlate`, for some of the images."""

    kernel: ThreadedKernel
    units: int
    nanoseconds: float
    offsets: Array  # of the taps, in the order (c, kh, kw), filled up to whole tiles
    window: tuple[int, ...]


class Correlation(NamedTuple):
    """What of a correlation depends on the shapes alone."""

    sums: Shape
    biases: Shape
    weights: Shape
    matrix: Shape  # the same, a row for all taps of an output channel
    channels: int  # for which a bias is wanted
    launches: tuple[CorrelationPart, ...]
    slices: int  # of the batch
    parts: int  # of the blocks of output channels, done one by one


def convolve(launches: tuple[Part, ...], x: Array, w: Array, b: Array | None, y: Array) -> bool:
    """y[n, g, o, i, j] = b[g, o] + sum over c, kh, kw of w[g, o, c, kh, kw] x[n, g, c, i + kh * dh, j + kw * dw]

    with x in a border of zeros: `padding` many above and to the left, as many as it takes below and to the right.
    x (N, groups * C, H, W), or with a stride (N, groups * C * A * B, H, W) as from `phases`; w as `filters` says;
    b (groups * O,) or None; y (N, groups * O, OH, OW) is written to. The launches are those that `convolution` plans.
    Are all weights finite?
    """
    dtype, weights = x.dtype, w.reshape(-1)
    if b is None:
        b = NOTHING[dtype.char]
    for run, units, nanoseconds, shape, sizes, places, offsets, met, window, everything, window_of_all in launches:
        packed = np.zeros(shape, dtype)
        finite = _pack(weights, b, places, packed.reshape(-1), sizes)
        if finite:
            run(units, nanoseconds, x, packed, y, offsets, met, window)
        else:
            run(units, nanoseconds, x, packed, y, offsets, everything, window_of_all)
    return finite


def convolution(
    x: Shape, y: Shape, groups: int, filters: Filters, padding: Pair, taps: Taps, stride: Pair, itemsize: int
) -> tuple[Part, ...]:
    """The launches of `convolve` for these shapes: for the images that fill vectors, and for those that do not."""
    (N, _, H, W), (_, _, OH, OW) = x, y
    A, B = phase_count(taps, stride)
    C, O, (KH, KW, dh, dw) = x[1] // (groups * A * B), y[1] // groups, taps
    rows_met, columns_met = _met(OH, KH, dh, padding[0], H), _met(OW, KW, dw, padding[1], W)
    if stride != (1, 1):
        rows_met[:], columns_met[:] = (0, KH), (0, KW)
    share = (rows_met[:, 1] - rows_met[:, 0]).mean() / KH, (columns_met[:, 1] - columns_met[:, 0]).mean() / KW

    def cycles(layout: Layout, tile: Pair) -> float:
        rows, vectors = tile
        back = O * OH * -(-OW // LANES) * (TRANSPOSE if layout.lanes > 1 else COPY)
        if layout.lanes > 1:
            tiles, steps = OH * -(-OW // vectors), C * KH * KW * share[0] * share[1]
        else:
            tiles = -(-((layout.band - 1) * layout.pitch + OW) // (vectors * LANES)) * -(-OH // layout.band)
            steps = C * KH * KW * share[0]
        work = -(-O // rows) * tiles * (steps * _cycles(rows * vectors, rows + 2 * vectors) + START)
        return (work + back + layout.cycles) / layout.lanes

    tiles = FLOAT32_TILES if itemsize == 4 else FLOAT64_TILES
    places = np.add.outer(np.add.outer(filters.rows, filters.columns), filters.input * np.arange(C))
    parts, done = [], 0
    for images, lanes in _shares(N):
        least = -(-UNITS * lanes // (images * groups))
        layout, (rows, vectors) = _best(C, W, OH, OW, taps, padding, stride, lanes, least, tiles, cycles)
        band, pitch, width = layout.band, layout.pitch, vectors * LANES
        bands = -(-OH // band)
        if layout.lanes > 1:  # a line of tiles is a row of windows
            lines, count, line = band, -(-OW // vectors), pitch * LANES
            met = np.zeros((bands * lines, 2), np.intp)
            met[:OH], columns = rows_met, _united(columns_met, np.arange(count) * vectors, vectors)
        else:  # or a tile of all rows in one
            lines, count, line = -(-((band - 1) * pitch + OW) // width), 1, width
            starts = np.add.outer(np.arange(bands) * band, np.arange(lines) * width // pitch).reshape(-1)
            met, columns = _united(rows_met, starts, -(-width // pitch) + 1), np.array([(0, KW)])
        window: tuple[int, ...] = (done, groups, C * A * B, H, W, O, OH, OW, KH, KW, *padding, band, layout.halo)
        window = (*window, pitch * layout.lanes, layout.plane * layout.lanes, layout.lanes, lines, line, count)
        everything = [(0, KH)] * len(met) + [(0, KW)] * len(columns)
        parts.append(
            Part(
                kernel=_convolve[rows, vectors],
                units=images // layout.lanes * groups * bands,
                nanoseconds=images * groups * O * OH * OW * C * KH * KW / SPEED,
                packed=(groups, -(-O // rows), places.size + 1, rows),
                sizes=(groups, O, rows, filters.group, filters.output),
                places=places.reshape(-1).astype(np.intp),
                offsets=np.ascontiguousarray(_offsets(C, taps, stride, layout).transpose(1, 2, 0)).reshape(-1),
                met=np.concatenate([met, columns]).astype(np.intp),
                window=(*window, 1),  # zeros may be left out
                all=np.array(everything, np.intp),
                window_of_all=(*window, 0),
            )
        )
        done += images
    return tuple(parts)


def _met(positions: int, K: int, apart: int, padding: int, size: int) -> Array:
    """Of K taps along one axis, the first that sees the image and not the zeros next to it, and the one after the last:
    for each of so many positions."""
    before = padding - np.arange(positions)
    first, end = (np.clip(-(-n // apart), 0, K) for n in (before, before + size))
    return np.stack([first, np.maximum(first, end)], axis=1)


def _united(met: Array, starts: Array, count: int) -> Array:
    """What `_met` found, for so many positions from each of these on."""
    positions = np.minimum(np.add.outer(starts, np.arange(count)), len(met) - 1)
    return np.stack([met[positions, 0].min(axis=1), met[positions, 1].max(axis=1)], axis=1)


def _shares(N: int) -> list[Pair]:
    """The batch as images that fill vectors and images that do not: how many of them, and images in a vector."""
    whole = N // LANES * LANES
    return [share for share in ((whole, LANES), (N - whole, 1)) if share[0]]


def correlate(plan: Correlation, x: Array, g: Array) -> tuple[Array, Array, bool]:
    """gw[g, o, c, kh, kw] = sum over n, i, j of g[n, g, o, i, j] x[n, g, c, i + kh * dh, j + kw * dw]

    with x (N, groups * C, H, W), padding and stride as in `convolve`; g (N, groups * O, OH, OW)
    -> gw (groups * O, C, KH, KW); gb (groups * O,), the sums of g, or no numbers if `correlation` planned it without a
    bias; and whether gw is finite. The batch is cut into slices, whose sums are added up: which they are depends on the
    shapes alone, and not on the number of threads.
    """
    shape, biases_shape, weights, matrix, channels, launches, _, _ = plan
    dtype = x.dtype
    sums, biases = np.zeros(shape, dtype), np.zeros(biases_shape, dtype)
    gw, gb = empty(weights, dtype), np.empty(channels, dtype)
    for run, units, nanoseconds, offsets, window in launches:
        run(units, nanoseconds, x, g, sums, biases, offsets, window)
    return gw, gb, _add_slices(sums.reshape(-1), biases, gw.reshape(matrix), gb, shape)


def correlation(
    x: Shape, g: Shape, w: Shape, groups: int, padding: Pair, taps: Taps, stride: Pair, bias: bool, itemsize: int
) -> Correlation:
    """The plan of `correlate` for these shapes; the bias is wanted or not."""
    (N, _, H, W), (_, channels, OH, OW), C, O = x, g, w[1], g[1] // groups
    tiles = FLOAT32_INNER_TILES if itemsize == 4 else FLOAT64_INNER_TILES
    K = C * taps[0] * taps[1]
    A, B = phase_count(taps, stride)

    def cycles(layout: Layout, tile: Pair) -> float:
        rows, columns = tile
        vectors = OH * OW if layout.lanes > 1 else -(-layout.band * layout.pitch // LANES) * -(-OH // layout.band)
        there = O * OH * -(-OW // LANES) * (TRANSPOSE if layout.lanes > 1 else COPY)
        steps = -(-O // rows) * -(-K // columns) * vectors * _cycles(rows * columns, rows + 2 * columns)
        return (steps + there + layout.cycles) / layout.lanes

    launches, done, all_slices = [], 0, 0
    for images, lanes in _shares(N):
        least = 1 if images > lanes else 2
        layout, tile = _best(C, W, OH, OW, taps, padding, stride, lanes, least, tiles, cycles)
        bands, bundles = -(-OH // layout.band), images // layout.lanes
        blocks, columns = -(-O // tile[0]), -(-K // tile[1]) * tile[1]
        offsets = np.zeros(columns, np.intp)
        offsets[:K] = _offsets(C, taps, stride, layout).reshape(-1)
        stretch = layout.band * OW * LANES if layout.lanes > 1 else -(-layout.band * layout.pitch // LANES) * LANES
        length, work = bundles * bands * stretch // LANES, images * O * OH * OW * K
        slices = parts = 1
        while 2 * slices <= min(bundles * bands, SLICES, length // LENGTH, work // SLICE, PARTIAL // (O * K)):
            slices *= 2
        while slices * parts < FEW and 2 * parts <= min(blocks // BLOCKS, work // slices // SLICE):
            parts *= 2
        size = C * A * B * layout.plane * layout.lanes
        size += -(-blocks // parts) * tile[0] * stretch
        together = max(1, min(2 * BAND // size, -(-LENGTH * LANES // stretch), length * LANES // stretch // slices))
        window: tuple[int, ...] = (done, images, all_slices, slices, parts, groups)
        window = (*window, C * A * B, H, W, O, OH, OW, *padding, layout.band, layout.halo)
        window = (*window, layout.pitch * layout.lanes, layout.plane * layout.lanes, layout.lanes, together)
        nanoseconds = groups * work / SPEED
        launches.append(CorrelationPart(_correlate[tile], slices * groups * parts, nanoseconds, offsets, window))
        done, all_slices = done + images, all_slices + slices
    sums = (all_slices, groups, blocks, columns // tile[1], *tile)
    wanted = channels if bias else 0
    matrix = groups, O, K
    return Correlation(sums, (all_slices, wanted), w, matrix, wanted, tuple(launches), all_slices, parts)


class Layout(NamedTuple):
    """How an image is laid out."""

    band: int  # rows of windows that are done at a time
    halo: int  # rows of pixels more than that
    pitch: int  # pixels in a row
    plane: int  # and from one channel to the next
    lanes: int  # images side by side, pixel by pixel
    cycles: float  # that it takes, about


def _layout(
    C: int, W: int, OH: int, OW: int, taps: Taps, padding: Pair, stride: Pair, lanes: int, least: int = 1
) -> Layout:
    """The layout of so many images side by side, in so many bands at least.

    The zeros to the right of a row are those to the left of the next.
    """
    KH, KW, dh, dw = taps
    A, B = phase_count(taps, stride)
    halo, reach = (KH - 1) * dh // stride[0], (KW - 1) * dw // stride[1]
    pitch = OW + reach - max(0, min(reach, padding[1], OW + reach - padding[1] - W))
    channels = C * A * B
    space = BAND if lanes == 1 else 2 * BAND
    bands = max(least, -(-OH // max(1, space // (channels * pitch * lanes) - halo)))
    band = -(-OH // min(bands, OH))
    bands = -(-OH // band)
    plane = (band + halo) * pitch
    if lanes > 1:
        plane |= 1  # an odd number of cache lines: the same pixel of all channels goes to different sets
    cost = TRANSPOSE if lanes > 1 else COPY
    return Layout(band, halo, pitch, plane, lanes, cost * bands * channels * (band + halo) * -(-pitch // LANES))


def _best(
    C: int,
    W: int,
    OH: int,
    OW: int,
    taps: Taps,
    padding: Pair,
    stride: Pair,
    lanes: int,
    least: int,
    tiles: Tiles,
    cycles: Callable[[Layout, Pair], float],
) -> tuple[Layout, Pair]:
    """The layout and the tile that take the fewest cycles; if so many images are side by side, in `least` bands."""
    layouts = [_layout(C, W, OH, OW, taps, padding, stride, 1)]
    if lanes > 1:
        layouts.append(_layout(C, W, OH, OW, taps, padding, stride, lanes, least))
    return min(((layout, tile) for layout in layouts for tile in tiles), key=lambda option: cycles(*option))


def _cycles(products: int, loads: int) -> float:
    """About how long a step of a tile takes, on a processor that does two of either at a time."""
    return max(products, loads) / 2


def _offsets(C: int, taps: Taps, stride: Pair, layout: Layout) -> Array:
    """Where the taps (C, KH, KW) of the first window are."""
    KH, KW, dh, dw = taps
    A, B = phase_count(taps, stride)
    c, h, v = np.ogrid[:C, : KH * dh : dh, : KW * dw : dw]
    (h, a), (v, b) = divmod(h, stride[0]), divmod(v, stride[1])
    return (((c * A + a) * B + b) * layout.plane + h * layout.pitch + v) * layout.lanes


def phase_count(taps: Taps, stride: Pair) -> Pair:
    """The places to start from in steps of the stride, those that no tap can reach left out."""
    if stride == (1, 1):
        return stride
    KH, KW, dh, dw = taps
    return min(stride[0], (KH - 1) * dh + 1), min(stride[1], (KW - 1) * dw + 1)


def phases_shape(x: Shape, y: Shape, taps: Taps, stride: Pair) -> tuple[int, int, int, int]:
    """The shape of what `phases` makes of an x of this shape, to be convolved to y: what windows see of a phase."""
    (A, B), (KH, KW, dh, dw), (sh, sw) = phase_count(taps, stride), taps, stride
    return x[0], x[1] * A * B, y[2] + (KH - 1) * dh // sh, y[3] + (KW - 1) * dw // sw


def phases(x: Array, y: Shape, padding: Pair, taps: Taps, stride: Pair) -> Array:
    """x (N, C, H, W), in a border of zeros, as (N, C * A * B, h, w): every sh-th row from a on, columns alike.

    y is the shape of what it is convolved to.
    """
    M, C = x.shape[:2]
    shape = *_, h, w = phases_shape(x.shape, y, taps, stride)
    (A, B), (sh, sw), (ph, pw) = phase_count(taps, stride), stride, padding
    padded = np.zeros((M, C, h, sh, w, sw), x.dtype)
    image = padded.reshape(M, C, h * sh, w * sw)[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]]
    image[...] = x[:, :, : image.shape[2], : image.shape[3]]  # no window sees the rest
    return np.ascontiguousarray(padded[:, :, :, :A, :, :B].transpose(0, 1, 3, 5, 2, 4)).reshape(shape)


def _tiled(rows: int, vectors: int) -> ThreadedKernel:
    """The kernel of `convolve` that makes tiles of so many output channels by so many vectors of positions."""
    width = vectors * LANES

    def convolve(first: int, last: int, x: Array, w: Array, y: Array, offsets: Array, met: Array, window: Any) -> None:
        """As `convolve`, with w as `_pack` makes it. The units are bands of a group of an image, or of LANES of them.

        met (bands * lines + tiles, 2) : see `Part`
        """
        base, groups, C, H, W, O, OH, OW, KH, KW, ph, pw, band, halo = window[:14]
        pitch, plane, lanes, lines, line, tiles, leave_out = window[14:]
        taps, blocks, bands = offsets.size, w.shape[1], (OH + band - 1) // band
        x, y = flat(x), flat(y)
        x_image, y_image = groups * C * H * W, groups * O * OH * OW  # numbers from one image to the next
        channel, row = taps // (KH * KW), taps // KH  # how many taps they have
        stretch, clear = lines * tiles * width, bands > 1 and not (lanes > 1 and leave_out)
        pixels = np.zeros(C * plane + stretch + width + LANES * LANES, x.dtype)
        sums = np.zeros(rows * stretch + LANES * LANES, x.dtype)
        for unit in range(first, last):
            image, start = unit // bands // groups * lanes + base, unit % bands * band
            group, above, height = unit // bands % groups, ph - start, min(band, OH - start)
            at, n = image * x_image + (group * C * H - above) * W, min(W, pitch // lanes - pw)
            bottom = above + H
            if lanes > 1:
                turn(
                    x, at, x_image, H * W, W, 1, pixels, pw * lanes, lanes, plane, pitch, lanes,
                    C, band + halo, n, above, bottom, clear,
                )  # fmt: skip
            else:
                copy(x, at, H * W, W, pixels, pw, plane, pitch, C, band + halo, n, above, bottom, clear)
            ahead, share = (image + lanes) * x_image, 0  # what is asked for with each tile: a part of the next image
            if bands == groups == 1:
                share = lanes * x_image // (blocks * lines * tiles) + 1
            for block in range(blocks):
                at = image * y_image + ((group * O + block * rows) * OH + start) * OW
                channels, filters = min(rows, O - block * rows), (group * blocks + block) * (taps + 1) * rows
                for i in range(lines):
                    top, end = met[unit % bands * lines + i, 0], met[unit % bands * lines + i, 1]
                    for j in range(tiles):
                        left, right = met[bands * lines + j, 0], met[bands * lines + j, 1]
                        fetch(x, ahead, share)
                        ahead += share
                        if lanes == 1:
                            for r in range(rows):
                                fetch(y, at + r * OH * OW + i * width, width)
                        k, count, pieces = top * row + left * channel, (right - left) * channel, end - top
                        if count == row:
                            count, pieces = count * pieces, 1
                        t = tile_broadcast(tile_zero(x, rows, vectors), w, filters, 1)
                        here = i * line + j * width
                        for piece in range(pieces):
                            for tap in range(k + piece * row, k + piece * row + count):
                                t = tile_outer(t, w, filters + (tap + 1) * rows, 1, pixels, here + offsets[tap])
                        tile_store(t, sums, (i * tiles + j) * width, stretch)
                if lanes > 1:
                    turn(
                        sums, 0, lanes, stretch, tiles * width, lanes, y, at, y_image, OH * OW, OW, 1,
                        channels, height, OW, 0, height, False,
                    )  # fmt: skip
                else:
                    copy(sums, 0, stretch, pitch, y, at, OH * OW, OW, channels, height, OW, 0, height, False)

    convolve.__name__ = convolve.__qualname__ = f"convolve_{rows}x{vectors}"
    return threaded_kernel(convolve)


def _inner(rows: int, columns: int) -> ThreadedKernel:
    """The kernel of `correlate` that makes tiles of so many output channels by so many taps."""

    def correlate(
        first: int, last: int, x: Array, g: Array, sums: Array, biases: Array, offsets: Array, window: Any
    ) -> None:
        """As `correlate`, to sums (slices, groups, blocks, taps / columns, rows, columns), biases (slices, groups * O).

        The units are parts of a group of a slice. `biases` may have no numbers.
        """
        base, images, first_slice, slices, parts, groups = window[:6]
        C, H, W, O, OH, OW, ph, pw, band, halo, pitch, plane, lanes, together = window[6:]
        blocks, bands, bundles = sums.shape[2], (OH + band - 1) // band, images // lanes
        taps = offsets.size
        if lanes > 1:  # each row of windows by itself
            lines, row_length, stretch = band, OW * lanes, band * OW * lanes
        else:  # all rows as one
            lines, stretch = 1, (band * pitch + LANES - 1) // LANES * LANES
            row_length = stretch
        channels = (blocks + parts - 1) // parts * rows
        pixels = np.zeros(together * C * plane + stretch + pitch + LANES * LANES, x.dtype)
        gradients = np.zeros(together * channels * stretch + LANES * LANES, x.dtype)
        x, g = flat(x), flat(g)
        x_image, g_image = groups * C * H * W, groups * O * OH * OW  # numbers from one image to the next
        totals = np.zeros(channels)
        for unit in range(first, last):
            part, group, piece = unit % parts, unit // parts % groups, unit // parts // groups
            first_block, end_block = blocks * part // parts, blocks * (part + 1) // parts
            o = first_block * rows
            channels_here = min(end_block * rows, O) - o
            end = bundles * bands * (piece + 1) // slices
            totals[:] = 0
            for start in range(bundles * bands * piece // slices, end, together):
                count = min(together, end - start)
                for q in range(count):
                    image, i = (start + q) // bands * lanes + base, (start + q) % bands * band
                    above = ph - i
                    at = image * x_image + (group * C * H - above) * W
                    g_at = image * g_image + ((group * O + o) * OH + i) * OW
                    g_to, h, n, bottom = q * channels * stretch, band + halo, min(W, pitch // lanes - pw), above + H
                    to = q * C * plane + pw * lanes
                    if lanes > 1:
                        turn(
                            x, at, x_image, H * W, W, 1, pixels, to, lanes, plane, pitch, lanes,
                            C, h, n, above, bottom, bands > 1,
                        )  # fmt: skip
                        turn(
                            g, g_at, g_image, OH * OW, OW, 1, gradients, g_to, lanes, stretch, OW * lanes, lanes,
                            channels_here, band, OW, 0, OH - i, bands > 1,
                        )  # fmt: skip
                    else:
                        copy(x, at, H * W, W, pixels, to, plane, pitch, C, h, n, above, bottom, bands > 1)
                        copy(
                            g, g_at, OH * OW, OW, gradients, g_to, stretch, pitch,
                            channels_here, band, OW, 0, OH - i, bands > 1,
                        )  # fmt: skip
                    if biases.size > 0:
                        for c in range(channels_here):
                            lanes_of_g = zero(g)
                            for p in range(0, stretch, LANES):
                                lanes_of_g = add(lanes_of_g, load(gradients, g_to + c * stretch + p))
                            totals[c] += total(lanes_of_g)
                ahead, x_share, g_share = base + (start + count) * lanes, 0, 0  # the next images: see `convolve`
                x_ahead, g_ahead = ahead * x_image, ahead * g_image
                if groups == bands == 1 and start + count < end:
                    tiles = (end_block - first_block) * taps // columns
                    x_share, g_share = count * lanes * x_image // tiles + 1, count * lanes * g_image // tiles + 1
                for block in range(first_block, end_block):
                    for k in range(0, taps, columns):
                        fetch(x, x_ahead, x_share)
                        fetch(g, g_ahead, g_share)
                        x_ahead += x_share
                        g_ahead += g_share
                        t = tile_zero(x, rows, columns)
                        for q in range(count):
                            for line in range(lines):
                                a = (q * channels + block * rows - o) * stretch + line * row_length
                                b = q * C * plane + line * pitch
                                for p in range(0, row_length, LANES):
                                    t = tile_inner_at(t, gradients, a + p, stretch, pixels, b + p, offsets, k)
                        to = (((first_slice + piece) * groups + group) * blocks + block) * rows * taps + k * rows
                        tile_add_totals(t, sums, to)
            if biases.size > 0:
                for c in range(channels_here):
                    biases[first_slice + piece, group * O + o + c] = totals[c]

    correlate.__name__ = correlate.__qualname__ = f"correlate_{rows}x{columns}"
    return threaded_kernel(correlate)


@kernel
def _pack(w: Array, b: Array, places: Array, packed: Array, sizes: Any) -> bool:
    """To packed (groups, blocks, 1 + taps, rows): the bias, then the weights of each tap. Are all weights finite?"""
    groups, O, rows, group_step, output_step = sizes
    taps, blocks, check = places.size, (O + rows - 1) // rows, 0 * w[0]
    for group in range(groups):
        for o in range(O):
            start = group * group_step + o * output_step
            to = (group * blocks + o // rows) * (taps + 1) * rows + o % rows
            if b.size > 0:
                packed[to] = b[group * O + o]
            for k in range(taps):
                weight = w[start + places[k]]
                packed[to + (k + 1) * rows] = weight
                check += 0 * weight
    return check == 0


@kernel
def _add_slices(sums: Array, biases: Array, gw: Array, gb: Array, shape: Any) -> bool:
    """The sums of all slices, in the order of weights. Are those for gw finite?

    sums of this shape: (slices, groups, blocks, tiles, rows, columns); biases (slices, groups * O),
    gw (groups, O, taps), gb (groups * O,) or empty
    """
    slices, groups, blocks, tiles, rows, columns = shape
    size, check = sums.size // slices, 0 * sums[0]
    O, taps = gw.shape[1], gw.shape[2]
    for group in range(groups):
        for o in range(O):
            start = ((group * blocks + o // rows) * tiles * rows + o % rows) * columns
            for tile in range(tiles):
                for v in range(min(columns, taps - tile * columns)):
                    at = start + tile * rows * columns + v
                    weight = sums[at]
                    for i in range(1, slices):
                        weight += sums[at + i * size]
                    gw[group, o, tile * columns + v] = weight
                    check += 0 * weight
    for o in range(gb.size):
        bias = 0.0
        for i in range(slices):
            bias += biases[i, o]
        gb[o] = bias
    return check == 0


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
    clear: bool,
) -> None:
    """Rows of n numbers from a to b, both as if flat; those from top to bottom, and zeros for the others to `clear`."""
    out_of_line()
    first, last = (0, rows) if clear else (max(top, 0), min(bottom, rows))
    for k in range(0, n, LANES):  # outside, for the masks
        for i in range(planes):
            for j in range(first, last):
                there = n - k if top <= j < bottom else 0
                v = load_first(a, at + i * a_plane + j * a_row + k, there)
                store_first(b, to + i * b_plane + j * b_row + k, v, n - k)


@helper
def turn(
    a: Array,
    at: int,
    a_image: int,
    a_plane: int,
    a_row: int,
    a_pixel: int,
    b: Array,
    to: int,
    b_image: int,
    b_plane: int,
    b_row: int,
    b_pixel: int,
    planes: int,
    rows: int,
    n: int,
    top: int,
    bottom: int,
    clear: bool,
) -> None:
    """As `copy`, of LANES images: to side by side, pixel by pixel, from one after the other, or the other way round.

    A row is n pixels, each `pixel` numbers from the last, and images are `image` numbers from each other. What comes
    after a row of images side by side, up to LANES * LANES numbers, is read too, or becomes zero; so rows go in order.
    """
    out_of_line()
    if top <= 0 and bottom >= rows and a_row == n * a_pixel and b_row == n * b_pixel:  # rows that follow each other
        n, rows, bottom = n * rows, 1, 1
    first, last = (0, rows) if clear else (max(top, 0), min(bottom, rows))
    for i in range(planes):
        for j in range(first, last):
            source, target = at + i * a_plane + j * a_row, to + i * b_plane + j * b_row
            there = n if top <= j < bottom else 0
            for k in range(0, n, LANES):
                read, written = (there - k, LANES) if a_pixel == 1 else (LANES, n - k)
                t = tile_load_first(tile_zero(a, LANES, 1), a, source + k * a_pixel, a_image, read)
                tile_store_first(tile_transpose(t), b, target + k * b_pixel, b_image, written)


_convolve = {tile: _tiled(*tile) for tile in {*FLOAT32_TILES, *FLOAT64_TILES}}
_correlate = {tile: _inner(*tile) for tile in {*FLOAT32_INNER_TILES, *FLOAT64_INNER_TILES}}
