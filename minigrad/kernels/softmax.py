"""Softmax and its logarithm along rows, and what cross entropy needs of a row.

A row is read vector by vector. Its last vector is filled up with -inf, which neither changes the largest number of the
row nor adds to the sum of its exponentials. A NaN need not be found among the numbers of a row: it comes out as the sum
of the exponentials, whatever was taken for the largest number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from . import reference, shapes
from .exponential import exponentials
from .gate import Out, gate, output
from .jit import helper
from .memory import empty
from .parallel import threaded_kernel
from .simd import (
    LANES,
    Mask,
    Vector,
    add,
    broadcast,
    emits,
    fma,
    load,
    load_first,
    mul,
    select,
    store,
    store_first,
    sub,
    total,
    zero,
)

Array = np.ndarray

NANOSECONDS, NANOSECONDS_A_ROW = 0.2, 20  # about what a number, and a row, take


@gate(reference.softmax)
def softmax(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softmax`."""
    if x.ndim != 2:
        shapes.require_ndim("softmax", "the input", x.shape, "N, C")
    y = empty(x.shape, x.dtype) if out is None else output("softmax", out, x.shape, x.dtype)
    _softmax(len(x), work(x), x, y)
    return y


@gate(reference.softmax_backward)
def softmax_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softmax_backward`."""
    if y.ndim != 2 or g.shape != y.shape:
        shapes.require_ndim("softmax_backward", "the output", y.shape, "N, C")
        shapes.require_shape("softmax_backward", "the output gradient", g, y.shape)
    gx = empty(y.shape, y.dtype) if out is None else output("softmax_backward", out, y.shape, y.dtype)
    _softmax_backward(len(y), 0.6 * work(y), g, y, gx)
    return gx


@gate(reference.log_softmax)
def log_softmax(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.log_softmax`."""
    if x.ndim != 2:
        shapes.require_ndim("log_softmax", "the input", x.shape, "N, C")
    y = empty(x.shape, x.dtype) if out is None else output("log_softmax", out, x.shape, x.dtype)
    _log_softmax(len(x), work(x), x, y)
    return y


@gate(reference.log_softmax_backward)
def log_softmax_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.log_softmax_backward`."""
    if y.ndim != 2 or g.shape != y.shape:
        shapes.require_ndim("log_softmax_backward", "the output", y.shape, "N, C")
        shapes.require_shape("log_softmax_backward", "the output gradient", g, y.shape)
    gx = empty(y.shape, y.dtype) if out is None else output("log_softmax_backward", out, y.shape, y.dtype)
    _log_softmax_backward(len(y), work(y), g, y, gx)
    return gx


def work(x: Array) -> float:
    """About how many nanoseconds one thread takes for x (N, C)."""
    return NANOSECONDS * x.size + NANOSECONDS_A_ROW * len(x)


@threaded_kernel
def _softmax(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (N, C)"""
    C = x.shape[1]
    rest = C % LANES
    for n in range(first, last):
        at, tail = n * C, n * C + C - rest
        peak = broadcast(row_peak(x, at, C))
        end = exponentials(sub(load_padded(x, tail, rest), peak)) if rest else zero(x)
        sums = end
        for i in range(at, tail, LANES):
            e = exponentials(sub(load(x, i), peak))
            store(y, i, e)
            sums = add(sums, e)
        share = broadcast(x.dtype.type(1) / total(sums))
        for i in range(at, tail, LANES):
            store(y, i, mul(load(y, i), share))
        store_first(y, tail, mul(end, share), rest)


@threaded_kernel
def _softmax_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (N, C)"""
    C = y.shape[1]
    rest = C % LANES
    for n in range(first, last):
        at, tail = n * C, n * C + C - rest
        g_end, y_end = load_first(g, tail, rest), load_first(y, tail, rest)
        sums, others = mul(g_end, y_end), zero(y)
        for i in range(at, tail - LANES, 2 * LANES):  # two sums at once, for each has to wait for its last product
            sums, others = fma(load(g, i), load(y, i), sums), fma(load(g, i + LANES), load(y, i + LANES), others)
        if (tail - at) % (2 * LANES):
            sums = fma(load(g, tail - LANES), load(y, tail - LANES), sums)
        mean = broadcast(total(add(sums, others)))
        for i in range(at, tail, LANES):
            store(gx, i, mul(load(y, i), sub(load(g, i), mean)))
        store_first(gx, tail, mul(y_end, sub(g_end, mean)), rest)


@threaded_kernel
def _log_softmax(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (N, C)"""
    C = x.shape[1]
    rest = C % LANES
    for n in range(first, last):
        at, tail = n * C, n * C + C - rest
        peak = row_peak(x, at, C)
        shift, log = broadcast(peak), broadcast(np.log(row_total(x, at, C, peak)))
        for i in range(at, tail, LANES):
            store(y, i, sub(sub(load(x, i), shift), log))
        store_first(y, tail, sub(sub(load_first(x, tail, rest), shift), log), rest)


@threaded_kernel
def _log_softmax_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (N, C)"""
    C = y.shape[1]
    rest = C % LANES
    for n in range(first, last):
        at, tail = n * C, n * C + C - rest
        end = load_first(g, tail, rest)
        sums = end
        for i in range(at, tail, LANES):
            sums = add(sums, load(g, i))
        minus = broadcast(-total(sums))
        for i in range(at, tail, LANES):
            store(gx, i, fma(exponentials(load(y, i)), minus, load(g, i)))
        if rest:
            store_first(gx, tail, fma(exponentials(load_first(y, tail, rest)), minus, end), rest)


@helper
def row_peak(x: Array, at: int, C: int) -> np.floating:
    """The largest of C numbers from `at` on; any number, or NaN, if one of them is NaN."""
    rest = C % LANES
    tail = at + C - rest
    peak = load_padded(x, tail, rest)
    other = peak
    for i in range(at, tail - LANES, 2 * LANES):
        peak, other = greater(peak, load(x, i)), greater(other, load(x, i + LANES))
    if (tail - at) % (2 * LANES):
        peak = greater(peak, load(x, tail - LANES))
    return largest(greater(peak, other))


@helper
def row_total(x: Array, at: int, C: int, peak: np.floating) -> np.floating:
    """The sum of exp(x - peak) over C numbers from `at` on."""
    rest, shift = C % LANES, broadcast(peak)
    sums = exponentials(sub(load_padded(x, at + C - rest, rest), shift)) if rest else zero(x)
    for i in range(at, at + C - rest, LANES):
        sums = add(sums, exponentials(sub(load(x, i), shift)))
    return total(sums)


@helper
def load_padded(x: Array, at: int, n: int) -> Array:
    """As `load_first`, with -inf in the other lanes."""
    return select(first_lanes(n), load_first(x, at, n), broadcast(x.dtype.type(-np.inf)))


def first_lanes(n: int) -> Array:
    """The mask of the first n lanes of a vector."""
    return np.arange(LANES) < n


@emits(first_lanes)
def _(n: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        (count,) = args
        kind = ir.VectorType(count.type, LANES)
        lanes = ir.Constant(kind, list(range(LANES)))
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), count, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.icmp_signed("<", lanes, builder.shuffle_vector(one, one, zeros))

    return isinstance(n, types.Integer) and (Mask()(types.intp), emit)


def greater(a: Array, b: Array) -> Array:
    """The greater number in each lane; either where one is NaN, which takes one instruction and not five."""
    return np.where(a < b, b, a)


@emits(greater)
def _(a: Any, b: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        x, y = args
        return builder.select(builder.fcmp_ordered("<", x, y), y, x)

    return isinstance(a, Vector) and a == b and (a(a, b), emit)


def largest(v: Array) -> np.floating:
    """The largest of all lanes; any of them, or NaN, if one is NaN."""
    return v.max()


@emits(largest)
def _(v: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        (x,) = args
        lanes = LANES
        while lanes > 1:
            lanes //= 2
            order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [(i + lanes) % LANES for i in range(LANES)])
            other = builder.shuffle_vector(x, x, order)
            x = builder.select(builder.fcmp_ordered("<", x, other), other, x)
        return builder.extract_element(x, ir.IntType(32)(0))

    return isinstance(v, Vector) and (v.dtype(v), emit)
