"""Batch and layer normalization, compiled.

Work is done with what the cache holds, a channel or a row, before it goes on to the next, so that memory is read and
written once however many passes a formula takes. Sums are kept in float64, those of short runs of a gradient aside;
what is done to each element is done in the dtype of the elements, so that a register holds more of them. A mean is then
taken off in two parts, the mean rounded to that dtype and what the rounding left: x near 1e4 would lose its digits
otherwise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from . import reference, shapes
from .gate import NOTHING, Out, gate, outputs
from .jit import helper, reordering_kernel
from .look import FLOATS, look
from .memory import Maker, maker
from .parallel import ThreadedKernel, threaded_kernel
from .reference import Running
from .shapes import Shape
from .simd import (
    LANES,
    Type,
    Vector,
    _first,
    add,
    broadcast,
    div,
    emits,
    fma,
    load,
    load_broadcast,
    load_first,
    maximum,
    mul,
    store,
    store_first,
    sub,
    total,
    zero,
)

Array = np.ndarray

ZERO, ONE = np.float64(0), np.float64(1)  # where the compiler is off, 0.0 and a float32 would make a float32
SHORT = 64 * LANES  # so many numbers, 64 in a lane, are added up in their own dtype before float64 takes them over
CACHED = 1 << 17  # so many numbers stay in a core's cache (512 KiB of float32) while passes go over them


@gate(reference.batch_norm)
def batch_norm(
    x: Array,
    w: Array | None,
    b: Array | None,
    eps: float,
    running: Running | None = None,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """Compiled twin of `reference.batch_norm`."""
    shape, dtype = x.shape, x.dtype
    kernel, units, nanoseconds, N, C, L, make = _plan(
        "batch_norm", shape, None if w is None else w.shape, None if b is None else b.shape, dtype
    )
    if running is None:
        mean, var, momentum, left = NOTHING[dtype.char], NOTHING[dtype.char], 0.0, False
    else:
        mean, var, momentum = running
        # What the kernel cannot move is left to be moved after it.
        left = kernel is None or not (look((x, mean, var), ALIKE) and mean.shape == var.shape == (C,))
        if left:
            shapes.require_running("batch_norm", running, C)
            mean = var = NOTHING[dtype.char]
    if out is None:
        y, statistics = make(), np.empty((3, C), dtype)
    else:
        y, statistics = outputs("batch_norm", out, (shape, dtype), ((3, C), dtype))
    if w is None:
        w = np.ones(C, dtype)
    if b is None:
        b = np.zeros(C, dtype)
    if kernel is None:
        statistics[:] = [[math.nan], [0.0], [math.nan]]
    else:
        x, flat = x.ravel(), y.ravel()
        eps, momentum, relu = float(eps), float(momentum), bool(relu)
        kernel(units, nanoseconds, x, w, b, mean, var, statistics, flat, N, C, L, eps, momentum, relu, True)
    if left:
        reference._move(running, statistics, N * L)  # type: ignore[arg-type]
    return y, statistics


@gate(reference.normalize)
def normalize(
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None,
    b: Array | None,
    eps: float,
    relu: bool = False,
    *,
    out: Out = None,
) -> tuple[Array, Array]:
    """Compiled twin of `reference.normalize`."""
    shape, dtype = x.shape, x.dtype
    kernel, units, nanoseconds, N, C, L, _ = _plan(
        "normalize", shape, None if w is None else w.shape, None if b is None else b.shape, dtype
    )
    shapes.require_shape("normalize", "mean", mean, (C,))
    shapes.require_shape("normalize", "var", var, (C,))
    y, statistics = outputs("normalize", out, (shape, dtype), ((3, C), dtype))
    if w is None:
        w = np.ones(C, dtype)
    if b is None:
        b = np.zeros(C, dtype)
    if kernel is None:
        statistics[0], statistics[1], statistics[2] = mean, 0, var
    else:
        x, flat = x.ravel(), y.ravel()
        kernel(units, nanoseconds, x, w, b, mean, var, statistics, flat, N, C, L, float(eps), 0.0, bool(relu), False)
    return y, statistics


def _gradients(definition: Callable, constant: bool) -> Callable:
    """The compiled twin of batch_norm_backward, or, where the statistics are constants, of normalize_backward."""
    name = definition.__name__

    @gate(definition)
    @functools.wraps(definition, assigned=("__name__", "__qualname__"))
    def twin(
        g: Array,
        x: Array,
        w: Array | None,
        b: Array | None,
        statistics: Array,
        eps: float,
        relu: bool = False,
        *,
        out: Out = None,
    ) -> tuple[Array, Array, Array]:
        dtype, shape = x.dtype, x.shape
        given = None if w is None else w.shape, None if b is None else b.shape
        kernel, units, nanoseconds, N, C, L, make = _plan(name, shape, *given, dtype, g.shape, statistics.shape)
        if out is None:
            gx, gw, gb = make(), np.empty(C, dtype), np.empty(C, dtype)
        else:
            gx, gw, gb = outputs(name, out, (shape, dtype), ((C,), dtype), ((C,), dtype))
        if w is None:
            w = np.ones(C, dtype)
        if b is None:
            b = np.zeros(C, dtype)
        if kernel is None:
            gw[:] = gb[:] = 0
        else:
            g, x, flat = g.ravel(), x.ravel(), gx.ravel()
            eps, relu = float(eps), bool(relu)
            kernel(units, nanoseconds, g, x, w, b, statistics, flat, gw, gb, N, C, L, eps, relu, constant)
        return gx, gw, gb

    twin.__doc__ = f"Compiled twin of `reference.{name}`."
    return twin


batch_norm_backward = _gradients(reference.batch_norm_backward, constant=False)
normalize_backward = _gradients(reference.normalize_backward, constant=True)


@gate(reference.layer_norm)
def layer_norm(
    x: Array, w: Array | None, b: Array | None, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.layer_norm`."""
    shapes.require_ndim("layer_norm", "the input", x.shape, "N, L")
    N, L = x.shape
    shapes.require_shape("layer_norm", "the weight", w, (L,))
    shapes.require_shape("layer_norm", "the bias", b, (L,))
    y, mean, var = outputs("layer_norm", out, (x.shape, x.dtype), ((N,), x.dtype), ((N,), x.dtype))
    w = np.ones(L, x.dtype) if w is None else w
    b = np.zeros(L, x.dtype) if b is None else b
    _layer_norm(x, w, b, float(eps), y, mean, var)
    return y, mean, var


@gate(reference.layer_norm_backward)
def layer_norm_backward(
    g: Array, x: Array, w: Array | None, mean: Array, var: Array, eps: float, *, out: Out = None
) -> tuple[Array, Array, Array]:
    """Compiled twin of `reference.layer_norm_backward`."""
    shapes.require_ndim("layer_norm_backward", "the input", x.shape, "N, L")
    shapes.require_shape("layer_norm_backward", "the output gradient", g, x.shape)
    N, L = x.shape
    shapes.require_shape("layer_norm_backward", "the weight", w, (L,))
    for name, a in (("mean", mean), ("var", var)):
        shapes.require_shape("layer_norm_backward", name, a, (N,))
    gx, gw, gb = outputs("layer_norm_backward", out, (x.shape, x.dtype), ((L,), x.dtype), ((L,), x.dtype))
    w = np.ones(L, x.dtype) if w is None else w
    _layer_norm_backward(g, x, w, mean, var, float(eps), gx, gw, gb)
    return gx, gw, gb


ALIKE = (FLOATS,) * 3


class Plan(NamedTuple):
    """What of a normalization depends on shapes and dtype alone."""

    kernel: ThreadedKernel | None  # None if there are no numbers
    units: int
    nanoseconds: float
    N: int
    C: int
    L: int
    make: Maker  # of arrays like x


@functools.lru_cache(1024)
def _plan(
    name: str,
    x: Shape,
    w: Shape | None,
    b: Shape | None,
    dtype: np.dtype,
    g: Shape | None = None,
    statistics: Shape | None = None,
) -> Plan:
    """The plan for an x of shape (N, C, ...); ValueError unless w and b, where given, have one number for each channel,
    and the others the shapes they must have."""
    C = reference._require_channels(name, x, w, b)
    if g is not None and statistics is not None:
        shapes.require_equal(name, "the output gradient", g, x)
        shapes.require_equal(name, "the statistics", statistics, (3, C))
    size, L, make = math.prod(x), math.prod(x[2:]), maker(x, dtype)
    if size == 0:
        return Plan(None, 0, 0.0, x[0], C, L, make)
    rows, columns, each = KERNELS[name]
    kernel, units = (columns, -(-C // LANES)) if L == 1 else (rows, C)
    return Plan(kernel, units, each * size, x[0], C, L, make)


# ------------------------------------------------------------------------------------------ batch normalization
#
# Two kernels forward and two backward: for rows (N, C, L), where a vector runs along a row, and for columns (N, C, 1),
# where it runs across channels. Vectors of float32 are widened to sum them. All arrays are addressed as if flat:
# of the statistics (3, C) the mean of channel c is element c, what rounding it left C + c, and the variance 2 C + c.


@threaded_kernel
def _batch_norm(
    first: int,
    last: int,
    x: Array,
    w: Array,
    b: Array,
    mean: Array,
    var: Array,
    statistics: Array,
    y: Array,
    N: int,
    C: int,
    L: int,
    eps: float,
    momentum: float,
    relu: bool,
    measured: bool,
) -> None:
    """x, y (N, C, L) but flat, statistics (3, C), the others (C,), but mean and var (0,) if there are none to move.

    The channels from first to last. Their statistics are measured, and move mean and var; or mean and var are theirs.
    """
    block, whole = max(1, CACHED // max(1, N * L)), L - L % LANES
    scales, sums = np.empty(C, x.dtype), np.empty(3 * C + LANES)  # of each channel: a value of it, sum d, sum d^2
    parts = np.empty(2 * block * LANES)
    for start in range(first, last, block):
        end = min(start + block, last)
        if measured:
            parts[:] = 0
            for n in range(N):
                for c in range(start, end):
                    at, part = (n * C + c) * L, 2 * (c - start) * LANES
                    pivot = widened(finite(load_broadcast(x, c * L)))
                    sum_d, sum_dd = load(parts, part), load(parts, part + LANES)
                    for i in range(at, at + whole, LANES):
                        d = sub(widened(load(x, i)), pivot)
                        sum_d, sum_dd = add(sum_d, d), fma(d, d, sum_dd)
                    if whole < L:
                        d = first_lanes(sub(widened(load_first(x, at + whole, L - whole)), pivot), L - whole)
                        sum_d, sum_dd = add(sum_d, d), fma(d, d, sum_dd)
                    store(parts, part, sum_d)
                    store(parts, part + LANES, sum_dd)
            for c in range(start, end):
                part = 2 * (c - start) * LANES
                store_first(sums, c, widened(finite(load_broadcast(x, c * L))), 1)
                store_first(sums, C + c, broadcast(total(load(parts, part))), 1)
                store_first(sums, 2 * C + c, broadcast(total(load(parts, part + LANES))), 1)
        for c in range(start, end, LANES):
            k = end - c
            pivot, sum_d, sum_dd = load_first(sums, c, k), load_first(sums, C + c, k), load_first(sums, 2 * C + c, k)
            _settle(c, k, C, N * L, pivot, sum_d, sum_dd, mean, var, momentum, measured, statistics)
            store_first(scales, c, _scale(c, k, C, statistics, w, eps), k)
        for n in range(N):
            for c in range(start, end):
                at = (n * C + c) * L
                high, low = load_broadcast(statistics, c), load_broadcast(statistics, C + c)
                scale, shift = load_broadcast(scales, c), load_broadcast(b, c)
                for i in range(at, at + whole, LANES):
                    store(y, i, _scaled(load(x, i), high, low, scale, shift, relu))
                if whole < L:
                    v = _scaled(load_first(x, at + whole, L - whole), high, low, scale, shift, relu)
                    store_first(y, at + whole, v, L - whole)


@threaded_kernel
def _batch_norm_columns(
    first: int,
    last: int,
    x: Array,
    w: Array,
    b: Array,
    mean: Array,
    var: Array,
    statistics: Array,
    y: Array,
    N: int,
    C: int,
    L: int,
    eps: float,
    momentum: float,
    relu: bool,
    measured: bool,
) -> None:
    """The same for one value an example, x, y (N, C, 1); LANES channels are a unit."""
    for c in range(first * LANES, min(last * LANES, C), LANES):
        k = C - c
        pivot = widened(finite(load_first(x, c, k)))
        sum_d = sum_dd = sub(pivot, pivot)
        if measured:
            for n in range(N):
                d = sub(widened(load_first(x, n * C + c, k)), pivot)
                sum_d, sum_dd = add(sum_d, d), fma(d, d, sum_dd)
        _settle(c, k, C, N, pivot, sum_d, sum_dd, mean, var, momentum, measured, statistics)
        high, low = load_first(statistics, c, k), load_first(statistics, C + c, min(k, LANES))
        scale, shift = _scale(c, k, C, statistics, w, eps), load_first(b, c, k)
        for n in range(N):
            store_first(y, n * C + c, _scaled(load_first(x, n * C + c, k), high, low, scale, shift, relu), k)


@threaded_kernel
def _batch_norm_backward(
    first: int,
    last: int,
    g: Array,
    x: Array,
    w: Array,
    b: Array,
    statistics: Array,
    gx: Array,
    gw: Array,
    gb: Array,
    N: int,
    C: int,
    L: int,
    eps: float,
    relu: bool,
    constant: bool,
) -> None:
    """g, x, gx (N, C, L) but flat, statistics (3, C), the others (C,); the channels from first to last."""
    block, whole = max(1, CACHED // (2 * N * L)), L - L % LANES
    scales, offsets, slopes = np.empty(C, x.dtype), np.empty(C, x.dtype), np.empty(C, x.dtype)
    rstds, sums, parts = np.empty(C, x.dtype), np.empty(2 * C), np.empty(2 * block * LANES)
    for start in range(first, last, block):
        end = min(start + block, last)
        for c in range(start, end, LANES):
            store_first(scales, c, _scale(c, end - c, C, statistics, w, eps), end - c)
            store_first(rstds, c, narrowed(div(broadcast(ONE), _spread(c, end - c, C, statistics, eps)), x), end - c)
        parts[:] = 0
        for n in range(N):
            for c in range(start, end):
                at, part = (n * C + c) * L, 2 * (c - start) * LANES
                high, low = load_broadcast(statistics, c), load_broadcast(statistics, C + c)
                scale, shift, rstd = load_broadcast(scales, c), load_broadcast(b, c), load_broadcast(rstds, c)
                sum_g, sum_gu = load(parts, part), load(parts, part + LANES)
                for run in range(at, at + whole, SHORT):
                    some_g = some_gu = zero(x)
                    for i in range(run, min(run + SHORT, at + whole), LANES):
                        v = load(x, i)
                        passed = _passed(load(g, i), v, high, low, scale, shift, relu)
                        some_g, some_gu = add(some_g, passed), fma(passed, _hat(v, high, low, rstd), some_gu)
                    sum_g, sum_gu = add(sum_g, widened(some_g)), add(sum_gu, widened(some_gu))
                if whole < L:
                    v, k = load_first(x, at + whole, L - whole), L - whole
                    passed = _passed(load_first(g, at + whole, k), v, high, low, scale, shift, relu)
                    u = first_lanes(widened(_hat(v, high, low, rstd)), k)
                    sum_g, sum_gu = add(sum_g, widened(passed)), fma(widened(passed), u, sum_gu)
                store(parts, part, sum_g)
                store(parts, part + LANES, sum_gu)
        for c in range(start, end):
            part = 2 * (c - start) * LANES
            sums[c], sums[C + c] = total(load(parts, part)), total(load(parts, part + LANES))
        for c in range(start, end, LANES):
            k = end - c
            offset, slope = _slopes(
                c, k, C, N * L, statistics, load_first(sums, c, k), load_first(sums, C + c, k), eps, gw, gb
            )
            store_first(offsets, c, offset, k)
            store_first(slopes, c, slope, k)
        for n in range(N):
            for c in range(start, end):
                at = (n * C + c) * L
                high, low = load_broadcast(statistics, c), load_broadcast(statistics, C + c)
                scale, shift = load_broadcast(scales, c), load_broadcast(b, c)
                offset, slope = load_broadcast(offsets, c), load_broadcast(slopes, c)
                for i in range(at, at + whole, LANES):
                    v = load(x, i)
                    passed = _passed(load(g, i), v, high, low, scale, shift, relu)
                    store(gx, i, _gradient(passed, v, high, low, offset, slope, scale, constant))
                if whole < L:
                    v, k = load_first(x, at + whole, L - whole), L - whole
                    passed = _passed(load_first(g, at + whole, k), v, high, low, scale, shift, relu)
                    store_first(gx, at + whole, _gradient(passed, v, high, low, offset, slope, scale, constant), k)


@threaded_kernel
def _batch_norm_columns_backward(
    first: int,
    last: int,
    g: Array,
    x: Array,
    w: Array,
    b: Array,
    statistics: Array,
    gx: Array,
    gw: Array,
    gb: Array,
    N: int,
    C: int,
    L: int,
    eps: float,
    relu: bool,
    constant: bool,
) -> None:
    """The same for one value an example, g, x, gx (N, C, 1); LANES channels are a unit."""
    for c in range(first * LANES, min(last * LANES, C), LANES):
        k = C - c
        high, low = load_first(statistics, c, k), load_first(statistics, C + c, min(k, LANES))
        scale, shift, mean = _scale(c, k, C, statistics, w, eps), load_first(b, c, k), add(widened(high), widened(low))
        sum_g = sum_gd = broadcast(ZERO)
        for n in range(N):
            v = load_first(x, n * C + c, k)
            passed = widened(_passed(load_first(g, n * C + c, k), v, high, low, scale, shift, relu))
            sum_g, sum_gd = add(sum_g, passed), fma(passed, sub(widened(v), mean), sum_gd)
        sum_gu = div(sum_gd, _spread(c, k, C, statistics, eps))
        offset, slope = _slopes(c, k, C, N, statistics, sum_g, sum_gu, eps, gw, gb)
        for n in range(N):
            v = load_first(x, n * C + c, k)
            passed = _passed(load_first(g, n * C + c, k), v, high, low, scale, shift, relu)
            store_first(gx, n * C + c, _gradient(passed, v, high, low, offset, slope, scale, constant), k)


# By name: for rows, for columns, and about how many nanoseconds a number takes.
KERNELS = {
    "batch_norm": (_batch_norm, _batch_norm_columns, 0.2),
    "normalize": (_batch_norm, _batch_norm_columns, 0.1),
    "batch_norm_backward": (_batch_norm_backward, _batch_norm_columns_backward, 0.3),
    "normalize_backward": (_batch_norm_backward, _batch_norm_columns_backward, 0.3),
}


@helper
def _settle(
    c: int,
    k: int,
    C: int,
    count: int,
    pivot: Array,
    sum_d: Array,
    sum_dd: Array,
    mean: Array,
    var: Array,
    momentum: float,
    measured: bool,
    statistics: Array,
) -> None:
    """Write the statistics of k channels, LANES at most, from c on, and move mean and var unless they are empty.

    Each had `count` values, whose distances d from a pivot were summed. The pivot is a value of the channel itself:
    (mean - pivot)^2, which cancels in the variance, is at most count times as large, and that is count / 2^53 of it.
    """
    k = min(k, LANES)
    if measured:
        m = broadcast(np.float64(count))
        shift = div(sum_d, m)
        centre, spread = add(pivot, shift), maximum(sub(div(sum_dd, m), mul(shift, shift)), broadcast(ZERO))
        high = narrowed(centre, statistics)
        store_first(statistics, c, high, k)
        store_first(statistics, C + c, finite(narrowed(sub(centre, widened(high)), statistics)), k)
        store_first(statistics, 2 * C + c, narrowed(spread, statistics), k)
        if mean.size:
            old, new = broadcast(np.float64(1 - momentum)), broadcast(np.float64(momentum))
            spread = mul(spread, div(m, sub(m, broadcast(ONE))))
            old_mean, old_var = widened(load_first(mean, c, k)), widened(load_first(var, c, k))
            store_first(mean, c, narrowed(add(mul(old, old_mean), mul(new, centre)), mean), k)
            store_first(var, c, narrowed(add(mul(old, old_var), mul(new, spread)), var), k)
    else:
        store_first(statistics, c, load_first(mean, c, k), k)
        store_first(statistics, C + c, zero(statistics), k)
        store_first(statistics, 2 * C + c, load_first(var, c, k), k)


@helper
def _scale(c: int, k: int, C: int, statistics: Array, w: Array, eps: float) -> Array:
    """w / sqrt(var + eps) of k channels, LANES at most, from c on."""
    return narrowed(div(widened(load_first(w, c, min(k, LANES))), _spread(c, k, C, statistics, eps)), w)


@helper
def _spread(c: int, k: int, C: int, statistics: Array, eps: float) -> Array:
    """sqrt(var + eps) of k channels, LANES at most, from c on."""
    return root(add(widened(load_first(statistics, 2 * C + c, min(k, LANES))), broadcast(np.float64(eps))))


@helper
def _slopes(
    c: int, k: int, C: int, count: int, statistics: Array, sum_g: Array, sum_gu: Array, eps: float, gw: Array, gb: Array
) -> tuple[Array, Array]:
    """Of k channels from c on: write gw and gb, and give the numbers of gx = (g - offset - (x - mean) slope) scale."""
    k, m = min(k, LANES), broadcast(np.float64(count))
    store_first(gw, c, narrowed(sum_gu, gw), k)
    store_first(gb, c, narrowed(sum_g, gb), k)
    return narrowed(div(sum_g, m), gw), narrowed(div(div(sum_gu, _spread(c, k, C, statistics, eps)), m), gw)


@helper
def _scaled(v: Array, high: Array, low: Array, scale: Array, shift: Array, relu: bool) -> Array:
    """A vector of y: (v - mean) scale + shift, or its relu."""
    y = fma(sub(sub(v, high), low), scale, shift)
    return where_positive(y, y) if relu else y


@helper
def _passed(g: Array, v: Array, high: Array, low: Array, scale: Array, shift: Array, relu: bool) -> Array:
    """A vector of g, or what relu lets through of it."""
    return where_positive(g, fma(sub(sub(v, high), low), scale, shift)) if relu else g


@helper
def _hat(v: Array, high: Array, low: Array, rstd: Array) -> Array:
    """A vector of (v - mean) / sqrt(var + eps)."""
    return mul(sub(sub(v, high), low), rstd)


@helper
def _gradient(
    g: Array, v: Array, high: Array, low: Array, offset: Array, slope: Array, scale: Array, constant: bool
) -> Array:
    """A vector of gx: (g - offset - (v - mean) slope) scale; or g scale, where mean and variance are constants."""
    if constant:
        return mul(g, scale)
    return mul(sub(sub(g, offset), mul(sub(sub(v, high), low), slope)), scale)


# ---------------------------------------------------------------------- instructions that only these kernels need


def widened(v: Array) -> Array:
    """A vector in float64."""
    return v.astype(np.float64)


@emits(widened)
def _(v: Type) -> Any:
    wide = Vector(types.float64)

    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return args[0] if v == wide else builder.fpext(args[0], context.get_value_type(wide))

    return isinstance(v, Vector) and (wide(v), emit)


def narrowed(v: Array, a: Array) -> Array:
    """A vector of float64 in the dtype of an array."""
    return v.astype(a.dtype)


@emits(narrowed)
def _(v: Type, a: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        narrow = Vector(a.dtype)
        return args[0] if v == narrow else builder.fptrunc(args[0], context.get_value_type(narrow))

    return v == Vector(types.float64) and (Vector(a.dtype)(v, a), emit)


def root(v: Array) -> Array:
    """The square root in each lane."""
    return np.sqrt(v)


@emits(root)
def _(v: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        (x,) = args
        name = f"llvm.sqrt.v{LANES}f{v.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(x.type, [x.type]), name)
        return builder.call(function, [x])

    return isinstance(v, Vector) and (v(v), emit)


def finite(v: Array) -> Array:
    """A vector with zero in the place of infinities and NaN."""
    return np.where(np.isfinite(v), v, v.dtype.type(0))


@emits(finite)
def _(v: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        (x,) = args
        return builder.select(builder.fcmp_ordered("ord", builder.fsub(x, x), x), x, ir.Constant(x.type, None))

    return isinstance(v, Vector) and (v(v), emit)


def first_lanes(v: Array, n: int) -> Array:
    """The first n lanes of a vector, and zero in the others."""
    return np.where(np.arange(LANES) < n, v, v.dtype.type(0))


@emits(first_lanes)
def _(v: Type, n: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return builder.select(_first(builder, args[1]), args[0], ir.Constant(args[0].type, None))

    return isinstance(v, Vector) and (v(v, types.intp), emit)


def where_positive(v: Array, y: Array) -> Array:
    """The lanes of v, and zero where y <= 0; not so where y is NaN."""
    return np.where(y <= 0, v.dtype.type(0), v)


@emits(where_positive)
def _(v: Type, y: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        v, y = args
        zero = ir.Constant(v.type, None)
        return builder.select(builder.fcmp_ordered("<=", y, zero), zero, v)

    return isinstance(v, Vector) and v == y and (v(v, v), emit)


@reordering_kernel
def _layer_norm(x: Array, w: Array, b: Array, eps: float, y: Array, mean: Array, var: Array) -> None:
    """x, y (N, L), w and b (L,), mean and var (N,)"""
    N, L = x.shape
    m = np.float64(L)  # by which 0.0 can be divided in Python too
    for n in range(N):
        centre, spread = ZERO, ZERO
        for i in range(L):
            centre += x[n, i]
        centre /= m
        for i in range(L):
            spread += (x[n, i] - centre) ** 2
        spread /= m
        rstd = 1 / np.sqrt(spread + eps)
        mean[n], var[n] = centre, spread
        for i in range(L):
            y[n, i] = (x[n, i] - centre) * rstd * w[i] + b[i]


@reordering_kernel
def _layer_norm_backward(
    g: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, gx: Array, gw: Array, gb: Array
) -> None:
    """g, x, gx (N, L), w, gw, gb (L,), mean and var (N,)"""
    N, L = x.shape
    m = np.float64(L)
    sum_gxhat, sum_g = np.zeros(L), np.zeros(L)
    for n in range(N):
        rstd = 1 / np.sqrt(np.float64(var[n]) + eps)
        shift, offset, slope = ZERO, ZERO, ZERO
        for i in range(L):
            shift += np.float64(x[n, i]) - mean[n]
        centre = mean[n] + shift / m  # the mean without the rounding to x's dtype
        for i in range(L):
            gxhat = np.float64(g[n, i]) * w[i]
            offset += gxhat
            slope += gxhat * (x[n, i] - centre)
        _layer_norm_backward_row(n, g, x, w, centre, rstd, offset / m, slope * rstd / m, gx, sum_gxhat, sum_g)
    for i in range(L):
        gw[i], gb[i] = sum_gxhat[i], sum_g[i]


@helper
def _layer_norm_backward_row(
    n: int,
    g: Array,
    x: Array,
    w: Array,
    centre: float,
    rstd: float,
    offset: float,
    slope: float,
    gx: Array,
    sum_gxhat: Array,
    sum_g: Array,
) -> None:
    """Write row n of gx, and add its part to the sums; in the order written, for x slope - centre slope may be NaN."""
    for i in range(x.shape[1]):
        xhat, g_i = (x[n, i] - centre) * rstd, np.float64(g[n, i])
        gx[n, i] = (g_i * w[i] - offset - xhat * slope) * rstd
        sum_gxhat[i] += g_i * xhat
        sum_g[i] += g_i
