"""Pooling, compiled.

The window of most networks, 2x2 in steps of 2, has kernels of its own. Rows of 14 or of 5 windows are too short for
the compiler to make vectors of them, so these say themselves which instructions they want: `_largest_of_four` and
`_to_one_of_four` do as many windows at once as a register holds numbers (see `simd`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from . import reference, shapes, simd
from .gate import UINT8, Out, gate, output, outputs
from .jit import helper
from .memory import empty
from .parallel import threaded_kernel
from .shapes import Pair, Shape
from .simd import LANES, Type

Array = np.ndarray

INT8, INT32 = ir.IntType(8), ir.IntType(32)
NONE = np.int32(-(2**31))  # the place of a winner before there is one


@gate(reference.max_pool2d)
def max_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    output_size: Pair,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """Compiled twin of `reference.max_pool2d`."""
    shape = shapes.pool2d("max_pool2d", x.shape, kernel_size, stride, padding, dilation, output_size)
    if x.shape[2] * x.shape[3] + max(padding) >= 2**31:  # the kernel counts places in 32 bits
        return reference.max_pool2d(x, kernel_size, stride, padding, dilation, output_size, out=out)
    y, indices = outputs("max_pool2d", out, (shape, x.dtype), (shape, np.dtype(np.int64)))
    images, windows = x.reshape(-1, *x.shape[2:]), (-1, *shape[2:])
    nanoseconds = 0.15 * y.size * kernel_size[0] * kernel_size[1]
    _max_pool2d(
        len(images),
        nanoseconds,
        images,
        y.reshape(windows),
        indices.reshape(windows),
        *kernel_size,
        *stride,
        *padding,
        *dilation,
    )
    return y, indices


@gate(reference.max_pool2d_backward)
def max_pool2d_backward(g: Array, indices: Array, input_shape: Shape, *, out: Out = None) -> Array:
    """Compiled twin of `reference.max_pool2d_backward`."""
    shapes.require_ndim("max_pool2d_backward", "the input", input_shape, "N, C, H, W")
    N, C, H, W = input_shape
    shapes.require_shape("max_pool2d_backward", "indices", indices, g.shape)
    shapes.require_shape("max_pool2d_backward", "the output gradient", g, (N, C, *g.shape[2:]))
    shapes.require_range("max_pool2d_backward", "indices", indices, H * W)
    gx = output("max_pool2d_backward", out, input_shape, g.dtype)
    images, windows = (N * C, H * W), (N * C, g.shape[2] * g.shape[3])
    _max_pool2d_backward(N * C, 0.5 * gx.size, g.reshape(windows), indices.reshape(windows), gx.reshape(images))
    return gx


@gate(reference.max_pool2d_take)
def max_pool2d_take(x: Array, indices: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.max_pool2d_take`."""
    shapes.require_ndim("max_pool2d_take", "the input", x.shape, "N, C, H, W")
    N, C, H, W = x.shape
    shapes.require_shape("max_pool2d_take", "indices", indices, (N, C, *indices.shape[2:]))
    shapes.require_range("max_pool2d_take", "indices", indices, H * W)
    y = output("max_pool2d_take", out, indices.shape, x.dtype)
    images, windows = (N * C, H * W), (N * C, y.shape[2] * y.shape[3])
    _max_pool2d_take(N * C, y.size, x.reshape(images), indices.reshape(windows), y.reshape(windows))
    return y


@gate(reference.max_pool2x2)
def max_pool2x2(x: Array, relu: bool = False, *, out: Out = None) -> tuple[Array, Array]:
    """Compiled twin of `reference.max_pool2x2`."""
    shape, units, nanoseconds = _plan2x2("max_pool2x2", x.shape)
    if out is None:
        y, winners = empty(shape, x.dtype), empty(shape, UINT8)
    else:
        y, winners = outputs("max_pool2x2", out, (shape, x.dtype), (shape, UINT8))
    _max_pool2x2(units, nanoseconds, x, y, winners, bool(relu))
    return y, winners


@gate(reference.max_pool2x2_backward)
def max_pool2x2_backward(g: Array, winners: Array, input_shape: Shape, *, out: Out = None) -> Array:
    """Compiled twin of `reference.max_pool2x2_backward`."""
    shape, units, nanoseconds = _plan2x2("max_pool2x2_backward", input_shape)
    if not g.shape == winners.shape == shape:
        shapes.require_shape("max_pool2x2_backward", "the output gradient", g, shape)
        shapes.require_shape("max_pool2x2_backward", "winners", winners, shape)
    gx = empty(input_shape, g.dtype) if out is None else output("max_pool2x2_backward", out, input_shape, g.dtype)
    _max_pool2x2_backward(units, nanoseconds, g, winners, gx)
    return gx


@functools.lru_cache(1024)
def _plan2x2(kernel: str, x: Shape) -> tuple[Shape, int, float]:
    """The shape of the windows of 2x2, and for the kernel its units and nanoseconds; ValueError if there are none."""
    shape = shapes.pool2x2(kernel, x)
    return shape, x[0] * x[1], 0.1 * math.prod(x)


@gate(reference.avg_pool2d)
def avg_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    output_size: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
    *,
    out: Out = None,
) -> Array:
    """Compiled twin of `reference.avg_pool2d`."""
    shape = shapes.pool2d("avg_pool2d", x.shape, kernel_size, stride, padding, (1, 1), output_size)
    y = output("avg_pool2d", out, shape, x.dtype)
    images, window = x.reshape(-1, *x.shape[2:]), (*kernel_size, *stride, *padding)
    _avg_pool2d(
        len(images),
        0.2 * x.size,
        images,
        y.reshape(-1, *shape[2:]),
        *window,
        bool(count_include_pad),
        int(divisor_override or 0),
    )
    return y


@gate(reference.avg_pool2d_backward)
def avg_pool2d_backward(
    g: Array,
    input_shape: Shape,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
    *,
    out: Out = None,
) -> Array:
    """Compiled twin of `reference.avg_pool2d_backward`."""
    shapes.require_ndim("avg_pool2d_backward", "the output gradient", g.shape, "N, C, OH, OW")
    shape = shapes.pool2d("avg_pool2d_backward", input_shape, kernel_size, stride, padding, (1, 1), g.shape[2:])
    shapes.require_shape("avg_pool2d_backward", "the output gradient", g, shape)
    gx = output("avg_pool2d_backward", out, input_shape, g.dtype)
    images, window = gx.reshape(-1, *gx.shape[2:]), (*kernel_size, *stride, *padding)
    _avg_pool2d_backward(
        len(images),
        0.2 * gx.size,
        g.reshape(-1, *g.shape[2:]),
        images,
        *window,
        bool(count_include_pad),
        int(divisor_override or 0),
    )
    return gx


@threaded_kernel
def _max_pool2d(
    first: int,
    last: int,
    x: Array,
    y: Array,
    indices: Array,
    KH: int,
    KW: int,
    sh: int,
    sw: int,
    ph: int,
    pw: int,
    dh: int,
    dw: int,
) -> None:
    """x (NC, H, W) -> y, indices (NC, OH, OW); the images from first to last

    The winner of window j is kept as the place of its tap in window 0: as narrow as a float32, to fit its vectors.
    """
    H, W = x.shape[1:]
    OH, OW = y.shape[1:]
    winners = np.empty(OW, np.int32)
    for image in range(first, last):
        for i in range(OH):
            best, best_index = y[image, i], indices[image, i]
            best[:] = 0
            winners[:] = NONE
            for kh in range(KH):
                h = i * sh + kh * dh - ph
                if not 0 <= h < H:
                    continue
                for kw in range(KW):
                    start = kw * dw - pw
                    j_first, j_last = _inside(start, sw, W, OW)
                    row = x[image, h][j_first * sw + start :] if j_first < j_last else x[image, h][:0]
                    part, places, place = best[j_first:j_last], winners[j_first:j_last], np.int32(h * W + start)
                    if sw == 1:
                        for j in range(part.size):  # without a branch: vector instructions
                            part[j], places[j] = _larger(part[j], places[j], row[j], place)
                    elif sw == 2:
                        for j in range(part.size):
                            part[j], places[j] = _larger(part[j], places[j], row[2 * j], place)
                    else:
                        for j in range(part.size):
                            part[j], places[j] = _larger(part[j], places[j], row[j * sw], place)
            for j in range(OW):
                best_index[j] = winners[j] + j * sw


@helper
def _larger(best: float, best_place: int, value: float, place: int) -> tuple[float, int]:
    """The best number so far and its place, or a new one, if it is larger, NaN or the first."""
    chosen = (best_place == NONE) | (value > best) | (value != value)
    return value if chosen else best, place if chosen else best_place


@threaded_kernel
def _max_pool2d_backward(first: int, last: int, g: Array, indices: Array, gx: Array) -> None:
    """g, indices (NC, P) -> gx (NC, HW); the images from first to last"""
    for image in range(first, last):
        to, sent, places = gx[image], g[image], indices[image]
        to[:] = 0
        for p in range(sent.size):
            to[places[p]] += sent[p]


@threaded_kernel
def _max_pool2d_take(first: int, last: int, x: Array, indices: Array, y: Array) -> None:
    """x (NC, HW), indices (NC, P) -> y (NC, P); the images from first to last"""
    for image in range(first, last):
        for p in range(y.shape[1]):
            y[image, p] = x[image, indices[image, p]]


@threaded_kernel
def _max_pool2x2(first: int, last: int, x: Array, y: Array, winners: Array, relu: bool) -> None:
    """x (N, C, H, W) -> y, winners (N, C, H // 2, W // 2); the planes from first to last"""
    H, W = x.shape[2:]
    OH, OW = y.shape[2:]
    whole = OW - OW % LANES
    for plane in range(first, last):
        for i in range(OH):
            top, at = (plane * H + 2 * i) * W, (plane * OH + i) * OW
            for j in range(0, whole, LANES):
                _largest_of_four(x, top + 2 * j, W, y, winners, at + j, relu)
            if whole < OW:
                _largest_of_four_first(x, top + 2 * whole, W, y, winners, at + whole, relu, OW - whole)


@threaded_kernel
def _max_pool2x2_backward(first: int, last: int, g: Array, winners: Array, gx: Array) -> None:
    """g, winners (N, C, H // 2, W // 2) -> gx (N, C, H, W); the planes from first to last"""
    H, W = gx.shape[2:]
    OH, OW = g.shape[2:]
    whole = OW - OW % LANES
    for plane in range(first, last):
        for i in range(OH):
            top, at = (plane * H + 2 * i) * W, (plane * OH + i) * OW
            for j in range(0, whole, LANES):
                _to_one_of_four(g, winners, at + j, gx, top + 2 * j, W)
            if whole < OW:
                _to_one_of_four_first(g, winners, at + whole, gx, top + 2 * whole, W, OW - whole)
        if W % 2:
            for end in range((plane * H + 1) * W - 1, (plane + 1) * H * W, W):
                simd.store_first(gx, end, simd.zero(gx), 1)
        if H % 2:
            for j in range(0, W, LANES):
                simd.store_first(gx, ((plane + 1) * H - 1) * W + j, simd.zero(gx), W - j)


# A window is rows times columns. So the rows of a window are added up first, for all columns of the image at once,
# which vector instructions do; then the columns, of one row. Backward is the same in the other order.


@threaded_kernel
def _avg_pool2d(
    first: int,
    last: int,
    x: Array,
    y: Array,
    KH: int,
    KW: int,
    sh: int,
    sw: int,
    ph: int,
    pw: int,
    include_pad: bool,
    override: int,
) -> None:
    """x (NC, H, W) -> y (NC, OH, OW), the images from first to last; an override of 0 is none."""
    H, W = x.shape[1:]
    OH, OW = y.shape[1:]
    divisors = _divisors(np.empty(OW, x.dtype), KW, sw, pw, W, include_pad, override)
    columns = np.empty(W, x.dtype)
    for image in range(first, last):
        for i in range(OH):
            top, bottom, height = _extent(i * sh - ph, KH, H, ph, include_pad)
            height_share = x.dtype.type(1 if override else height)
            columns[:] = 0
            for h in range(top, bottom):
                row = x[image, h]
                for w in range(W):
                    columns[w] += row[w]
            sums = y[image, i]
            sums[:] = 0
            if KW < OW:
                for kw in range(KW):
                    j_first, j_last = _inside(kw - pw, sw, W, OW)
                    for j in range(j_first, j_last):
                        sums[j] += columns[j * sw + kw - pw]
            else:
                for j in range(OW):
                    left, right, _ = _extent(j * sw - pw, KW, W, pw, include_pad)
                    for w in range(left, right):
                        sums[j] += columns[w]
            for j in range(OW):
                sums[j] /= height_share * divisors[j]


@threaded_kernel
def _avg_pool2d_backward(
    first: int,
    last: int,
    g: Array,
    gx: Array,
    KH: int,
    KW: int,
    sh: int,
    sw: int,
    ph: int,
    pw: int,
    include_pad: bool,
    override: int,
) -> None:
    """g (NC, OH, OW) -> gx (NC, H, W), the images from first to last; an override of 0 is none."""
    H, W = gx.shape[1:]
    OH, OW = g.shape[1:]
    divisors = _divisors(np.empty(OW, g.dtype), KW, sw, pw, W, include_pad, override)
    share, columns = np.empty(OW, g.dtype), np.empty(W, g.dtype)
    for image in range(first, last):
        gx[image] = 0
        for i in range(OH):
            top, bottom, height = _extent(i * sh - ph, KH, H, ph, include_pad)
            height_share, sent = g.dtype.type(1 if override else height), g[image, i]
            for j in range(OW):
                share[j] = sent[j] / (height_share * divisors[j])
            columns[:] = 0
            if KW < OW:
                for kw in range(KW):
                    j_first, j_last = _inside(kw - pw, sw, W, OW)
                    for j in range(j_first, j_last):
                        columns[j * sw + kw - pw] += share[j]
            else:
                for j in range(OW):
                    left, right, _ = _extent(j * sw - pw, KW, W, pw, include_pad)
                    for w in range(left, right):
                        columns[w] += share[j]
            for h in range(top, bottom):
                row = gx[image, h]
                for w in range(W):
                    row[w] += columns[w]


@helper
def _inside(start: int, stride: int, size: int, count: int) -> tuple[int, int]:
    """Along one axis, the windows of which a tap lies inside the image; that of window 0 is at `start`."""
    first = 0 if start >= 0 else (-start + stride - 1) // stride
    last = 0 if start >= size else (size - 1 - start) // stride + 1
    return first, min(last, count)


@helper
def _divisors(
    divisors: Array, length: int, stride: int, padding: int, size: int, include_pad: bool, override: int
) -> Array:
    """What the sums of the windows along an axis are divided by: the override, or the lengths that count."""
    for j in range(divisors.size):
        divisors[j] = override if override else _extent(j * stride - padding, length, size, padding, include_pad)[2]
    return divisors


@helper
def _extent(start: int, length: int, size: int, padding: int, include_pad: bool) -> tuple[int, int, int]:
    """Along one axis, the part of a window inside the image, and the length that counts in the divisor."""
    end = min(start + length, size + padding)
    first, last = max(start, 0), min(end, size)
    return first, last, end - start if include_pad else last - first


# ------------------------------------------------------------------------------------ windows of 2x2, as vectors
#
# The windows lie side by side: window j has the numbers 2 j and 2 j + 1 of two rows. `top` is where the first of them
# starts in the flat array, and W is how far below it the second row starts. A winner is numbered 0 1 above 2 3; 4 is
# none, for with relu a window may be all zeros.


def _largest_of_four(x: Array, top: int, W: int, y: Array, winners: Array, at: int, relu: bool) -> None:
    """The largest number of each of LANES windows, and which it is, to y and winners from `at` on."""
    _largest_of_four_first(x, top, W, y, winners, at, relu, LANES)


def _largest_of_four_first(x: Array, top: int, W: int, y: Array, winners: Array, at: int, relu: bool, n: int) -> None:
    """As `_largest_of_four`, of n windows."""
    x, y, winners = x.reshape(-1), y.reshape(-1), winners.reshape(-1)
    for j in range(n):
        places = top + 2 * j, top + 2 * j + 1, top + W + 2 * j, top + W + 2 * j + 1
        y[at + j], winners[at + j] = x[places[0]], 0
        for k in range(1, 4):
            if x[places[k]] > y[at + j] or np.isnan(x[places[k]]):
                y[at + j], winners[at + j] = x[places[k]], k
        if relu and y[at + j] <= 0:
            y[at + j], winners[at + j] = 0, 4


def _emit_largest_of_four(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """Both: with one argument more, of so many windows."""
    x, top, W, y, winners, at, relu, *n = args
    masks = _masks_of_pairs(builder, n)
    numbers = []
    for start in (top, builder.add(top, W)):
        here = simd._address(context, builder, signature.args[0], x, start)
        halves = [_load(builder, simd._ahead(builder, here, v), masks[v : v + 1]) for v in range(2)]
        numbers += [builder.shuffle_vector(*halves, _lanes(range(odd, 2 * LANES, 2))) for odd in range(2)]
    best, winner = numbers[0], _bytes(0)
    for k in range(1, 4):
        larger = builder.fcmp_ordered(">", numbers[k], best)
        chosen = builder.or_(larger, builder.fcmp_unordered("uno", numbers[k], numbers[k]))
        best, winner = builder.select(chosen, numbers[k], best), builder.select(chosen, _bytes(k), winner)
    zero = ir.Constant(best.type, None)
    none = builder.and_(builder.fcmp_ordered("<=", best, zero), simd._splat(builder, relu))
    best, winner = builder.select(none, zero, best), builder.select(none, _bytes(4), winner)
    mask = [simd._first(builder, m) for m in n]
    _store(builder, best, simd._address(context, builder, signature.args[3], y, at), mask)
    _store(builder, winner, simd._address(context, builder, signature.args[4], winners, at), mask)
    return context.get_dummy_value()


@simd.emits(_largest_of_four)
def _(x: Type, top: Type, W: Type, y: Type, winners: Type, at: Type, relu: Type) -> Any:
    intp = types.intp
    return types.void(x, intp, intp, y, winners, intp, types.boolean), _emit_largest_of_four


@simd.emits(_largest_of_four_first)
def _(x: Type, top: Type, W: Type, y: Type, winners: Type, at: Type, relu: Type, n: Type) -> Any:
    intp = types.intp
    return types.void(x, intp, intp, y, winners, intp, types.boolean, intp), _emit_largest_of_four


def _to_one_of_four(g: Array, winners: Array, at: int, gx: Array, top: int, W: int) -> None:
    """Each of LANES numbers of g from `at` on to the winner of its window, zero to the others."""
    _to_one_of_four_first(g, winners, at, gx, top, W, LANES)


def _to_one_of_four_first(g: Array, winners: Array, at: int, gx: Array, top: int, W: int, n: int) -> None:
    """As `_to_one_of_four`, for n windows."""
    g, winners, gx = g.reshape(-1), winners.reshape(-1), gx.reshape(-1)
    for j in range(n):
        for k, place in enumerate((top + 2 * j, top + 2 * j + 1, top + W + 2 * j, top + W + 2 * j + 1)):
            gx[place] = g[at + j] if winners[at + j] == k else 0


def _emit_to_one_of_four(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """Both: with one argument more, for so many windows."""
    g, winners, at, gx, top, W, *n = args
    mask, masks = [simd._first(builder, m) for m in n], _masks_of_pairs(builder, n)
    number = _load(builder, simd._address(context, builder, signature.args[0], g, at), mask)
    winner = _load(builder, simd._address(context, builder, signature.args[1], winners, at), mask)
    zero = ir.Constant(number.type, None)
    parts = [builder.select(builder.icmp_unsigned("==", winner, _bytes(k)), number, zero) for k in range(4)]
    for row, start in enumerate((top, builder.add(top, W))):
        here = simd._address(context, builder, signature.args[3], gx, start)
        for v in range(2):
            lanes = [lane + LANES * odd for lane in range(v * LANES // 2, (v + 1) * LANES // 2) for odd in range(2)]
            half = builder.shuffle_vector(parts[2 * row], parts[2 * row + 1], _lanes(lanes))
            _store(builder, half, simd._ahead(builder, here, v), masks[v : v + 1])
    return context.get_dummy_value()


@simd.emits(_to_one_of_four)
def _(g: Type, winners: Type, at: Type, gx: Type, top: Type, W: Type) -> Any:
    intp = types.intp
    return types.void(g, winners, intp, gx, intp, intp), _emit_to_one_of_four


@simd.emits(_to_one_of_four_first)
def _(g: Type, winners: Type, at: Type, gx: Type, top: Type, W: Type, n: Type) -> Any:
    intp = types.intp
    return types.void(g, winners, intp, gx, intp, intp, intp), _emit_to_one_of_four


def _lanes(lanes: Any) -> Any:
    """The lanes that a shuffle takes."""
    return ir.Constant(ir.VectorType(INT32, LANES), list(lanes))


def _bytes(k: int) -> Any:
    """A byte in every lane."""
    return ir.Constant(ir.VectorType(INT8, LANES), [k] * LANES)


def _masks_of_pairs(builder: Any, n: Sequence) -> list:
    """The masks of the two vectors that hold n pairs; n is () or (n,)."""
    return [
        simd._first(builder, builder.sub(builder.add(m, m), ir.Constant(m.type, v * LANES))) for m in n for v in (0, 1)
    ]


INTRINSIC_NAMES = {"i8": ("i8", 1), "float": ("f32", 4), "double": ("f64", 8)}  # and how they are aligned


def _load(builder: Any, address: Any, mask: list) -> Any:
    """The vector at an address; where there is a mask, only where it holds."""
    vector = ir.VectorType(address.type.pointee, LANES)
    name, align = INTRINSIC_NAMES[str(vector.element)]
    pointer = builder.bitcast(address, vector.as_pointer())
    if not mask:
        loaded = builder.load(pointer)
        loaded.align = align
        return loaded
    function = ir.FunctionType(vector, [pointer.type, INT32, mask[0].type, vector])
    load = cgutils.get_or_insert_function(builder.module, function, f"llvm.masked.load.v{LANES}{name}.p0")
    return builder.call(load, [pointer, INT32(align), mask[0], ir.Constant(vector, None)])


def _store(builder: Any, vector: Any, address: Any, mask: list) -> None:
    """Write a vector to an address; where there is a mask, only where it holds."""
    name, align = INTRINSIC_NAMES[str(vector.type.element)]
    pointer = builder.bitcast(address, vector.type.as_pointer())
    if not mask:
        builder.store(vector, pointer).align = align
        return
    function = ir.FunctionType(ir.VoidType(), [vector.type, pointer.type, INT32, mask[0].type])
    store = cgutils.get_or_insert_function(builder.module, function, f"llvm.masked.store.v{LANES}{name}.p0")
    builder.call(store, [vector, pointer, INT32(align), mask[0]])
