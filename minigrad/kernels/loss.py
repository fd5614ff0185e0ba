"""Losses, compiled."""

from __future__ import annotations

import functools

import numpy as np

from . import reference, shapes
from .exponential import exponentials
from .gate import Out, gate, output, outputs
from .memory import Maker, maker
from .parallel import threaded_kernel
from .shapes import Shape
from .simd import LANES, broadcast, load, load_broadcast, load_first, mul, store, store_first, sub
from .softmax import NANOSECONDS, NANOSECONDS_A_ROW, row_peak, row_total

Array = np.ndarray

UNIT, A_ROW = 1 << 14, 64  # about so many numbers are a unit of work; a row takes as long as so many more


@gate(reference.softmax_cross_entropy)
def softmax_cross_entropy(x: Array, labels: Array, average: bool = False, *, out: Out = None) -> tuple[Array, Array]:
    """Compiled twin of `reference.softmax_cross_entropy`."""
    dtype = x.dtype
    N, C, units, nanoseconds, rows_each = _forward(x.shape, labels.shape)
    if out is None:
        result, rows = np.empty(() if average else N, dtype), np.empty((2, N), dtype)
    else:
        shapes.require_range("softmax_cross_entropy", "labels", labels, C)  # before anything is written
        result, rows = outputs("softmax_cross_entropy", out, (() if average else (N,), dtype), ((2, N), dtype))
    loss = np.empty(N, dtype) if average else result
    means = result.ravel() if average and units == 1 else np.empty(units, dtype)
    try:
        _softmax_cross_entropy(units, nanoseconds, x, labels, loss, rows, means, rows_each)
    except IndexError:
        shapes.require_range("softmax_cross_entropy", "labels", labels, C)
        raise
    if average and units != 1:
        result[()] = means.sum() if N else np.nan
    return result, rows


@gate(reference.softmax_cross_entropy_backward)
def softmax_cross_entropy_backward(g: Array, x: Array, labels: Array, rows: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softmax_cross_entropy_backward`."""
    shape = x.shape
    N, make, nanoseconds = _backward(g.shape, shape, labels.shape, rows.shape, x.dtype)
    if out is None:
        gx = make()
    else:
        shapes.require_range("softmax_cross_entropy_backward", "labels", labels, shape[1])
        gx = output("softmax_cross_entropy_backward", out, shape, x.dtype)
    try:
        _softmax_cross_entropy_backward(N, nanoseconds, g.ravel(), x, labels, rows, gx)
    except IndexError:
        shapes.require_range("softmax_cross_entropy_backward", "labels", labels, shape[1])
        raise
    return gx


@functools.lru_cache(1024)
def _forward(x: Shape, labels: Shape) -> tuple[int, int, int, float, int]:
    """N, C, and of the kernel its units, its nanoseconds and the rows of a unit; ValueError unless the shapes fit."""
    shapes.require_ndim("softmax_cross_entropy", "the input", x, "N, C")
    N, C = x
    shapes.require_equal("softmax_cross_entropy", "labels", labels, (N,))
    rows_each = 1 + UNIT // (C + A_ROW)
    return N, C, -(-N // rows_each), _nanoseconds(N, C), rows_each


@functools.lru_cache(1024)
def _backward(g: Shape, x: Shape, labels: Shape, rows: Shape, dtype: np.dtype) -> tuple[int, Maker, float]:
    """The units of the kernel, what makes its output, and its nanoseconds; ValueError unless the shapes fit."""
    shapes.require_cross_entropy("softmax_cross_entropy_backward", g, x, labels, rows)
    return x[0], maker(x, dtype), _nanoseconds(*x)


def _nanoseconds(N: int, C: int) -> float:
    """About how many an (N, C) takes on one thread."""
    return NANOSECONDS * N * C + NANOSECONDS_A_ROW * N


@threaded_kernel
def _softmax_cross_entropy(
    first: int, last: int, x: Array, labels: Array, loss: Array, rows: Array, means: Array, rows_each: int
) -> None:
    """x (N, C), labels, loss (N,), rows (2, N), means (units,): of each unit, its rows' part of the mean loss"""
    N, C = x.shape
    for unit in range(first, last):
        start, end = unit * rows_each, min((unit + 1) * rows_each, N)
        for n in range(start, end):
            peak = row_peak(x, n * C, C)
            rows[0, n], rows[1, n] = peak, row_total(x, n * C, C, peak)
        losses = np.float64(0)
        for n in range(start, end):  # a loop of its own: to call the logarithm, the one above would have to tidy up
            label = labels[n]
            if label < 0 or label >= C:
                raise IndexError("a label is no class")
            total = rows[1, n]
            loss[n] = np.log(total) - (x[n, label] - rows[0, n])
            losses += loss[n]
            rows[1, n] = x.dtype.type(1) / total
            if np.isnan(total) and np.isfinite(rows[0, n]):  # there is a NaN in the row
                rows[0, n] = total
        means[unit] = losses / N


@threaded_kernel
def _softmax_cross_entropy_backward(
    first: int, last: int, g: Array, x: Array, labels: Array, rows: Array, gx: Array
) -> None:
    """x, gx (N, C), g (N,), or (1,) of the mean, labels (N,), rows (2, N)"""
    N, C = x.shape
    rest, count, one = C % LANES, x.dtype.type(N), broadcast(x.dtype.type(1))
    for n in range(first, last):
        label = labels[n]
        if label < 0 or label >= C:
            raise IndexError("a label is no class")
        at, tail = n * C, n * C + C - rest
        peak, share, g_n = rows[0, n], rows[1, n], g[0] / count if len(g) == 1 else g[n]
        top, factor = broadcast(peak), broadcast(g_n * share)
        for i in range(at, tail, LANES):
            store(gx, i, mul(exponentials(sub(load(x, i), top)), factor))
        if rest:
            store_first(gx, tail, mul(exponentials(sub(load_first(x, tail, rest), top)), factor), rest)
        p = mul(exponentials(sub(load_broadcast(x, at + label), top)), broadcast(share))
        store_first(gx, at + label, mul(sub(p, one), broadcast(g_n)), 1)
