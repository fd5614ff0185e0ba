"""Convolution, compiled: the pixels under each tap are laid out as a matrix, and the rest is matrix products.

For one group of one image, the matrix `columns` has a row for each tap (c, kh, kw) of a filter and a column for
each output pixel (i, j); it holds the pixel that the tap reads there, or zero in the padding. Then

    y = w columns,    gw = g columns^T,    and gx adds up, pixel by pixel, the columns of w^T g.

Images are taken a few at a time, so that their columns stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output, quiet
from .jit import kernel
from .shapes import Pair, Shape

Array = np.ndarray

BLOCK = 1 << 18  # about as many numbers as columns are laid out at a time


@gate(reference.conv2d)
@quiet
def conv2d(
    x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, *, out: Out = None
) -> Array:
    """Compiled twin of `reference.conv2d`."""
    N, O, OH, OW = shapes.conv2d("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d", "the bias", b, (O,))
    y = output("conv2d", out, (N, O, OH, OW), x.dtype)
    wm, ym = _filter_matrices(w, groups), y.reshape(N, groups, O // groups, OH * OW)
    window = (*w.shape[2:], *stride, *padding, *dilation)
    for block, columns in _blocks(x.shape, w.shape, (OH, OW), x.dtype):
        _lay_out(x[block], columns, window)
        np.matmul(wm, _column_matrices(columns, groups), out=ym[block])
    if b is not None:
        y += b[:, None, None]
    return y


@gate(reference.conv2d_input)
@quiet
def conv2d_input(
    g: Array,
    w: Array,
    input_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    *,
    out: Out = None,
) -> Array:
    """Compiled twin of `reference.conv2d_input`."""
    N, O, OH, OW = shapes.conv2d("conv2d_input", input_shape, w.shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_input", "the output gradient", g, (N, O, OH, OW))
    gx = output("conv2d_input", out, input_shape, g.dtype)
    wt = _filter_matrices(w, groups).swapaxes(1, 2)
    gm = g.reshape(N, groups, O // groups, OH * OW)
    window = (*w.shape[2:], *stride, *padding, *dilation)
    for block, columns in _blocks(input_shape, w.shape, (OH, OW), g.dtype):
        np.matmul(wt, gm[block], out=_column_matrices(columns, groups))
        _add_up(columns, gx[block], window)
    return gx


@gate(reference.conv2d_weight)
@quiet
def conv2d_weight(
    x: Array,
    g: Array,
    weight_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    *,
    out: Out = None,
) -> Array:
    """Compiled twin of `reference.conv2d_weight`."""
    N, O, OH, OW = shapes.conv2d("conv2d_weight", x.shape, weight_shape, stride, padding, dilation, groups)
    shapes.require_shape("conv2d_weight", "the output gradient", g, (N, O, OH, OW))
    gw = output("conv2d_weight", out, weight_shape, x.dtype)
    gw[...] = 0
    gwm, gm = _filter_matrices(gw, groups), g.reshape(N, groups, O // groups, OH * OW)
    window = (*weight_shape[2:], *stride, *padding, *dilation)
    for block, columns in _blocks(x.shape, weight_shape, (OH, OW), x.dtype):
        _lay_out(x[block], columns, window)
        gwm += np.matmul(gm[block], _column_matrices(columns, groups).swapaxes(2, 3)).sum(axis=0)
    return gw


def _blocks(x: Shape, w: Shape, output_size: Pair, dtype: np.dtype) -> Iterator[tuple[slice, Array]]:
    """Slices of the batch, each with the array (n, C*KH*KW, OH, OW) for its columns."""
    N, C = x[:2]
    rows = C * w[2] * w[3]
    n = max(1, min(N, BLOCK // max(1, rows * output_size[0] * output_size[1])))
    columns = np.empty((n, rows, *output_size), dtype)
    for start in range(0, N, n):
        yield slice(start, start + n), columns[: N - start]


def _filter_matrices(w: Array, groups: int) -> Array:
    """(O, C/groups, KH, KW) as matrices (groups, O/groups, C/groups*KH*KW)"""
    O, C, KH, KW = w.shape
    return w.reshape(groups, O // groups, C * KH * KW)


def _column_matrices(columns: Array, groups: int) -> Array:
    """(n, C*KH*KW, OH, OW) as matrices (n, groups, C/groups*KH*KW, OH*OW)"""
    n, rows, OH, OW = columns.shape
    return columns.reshape(n, groups, rows // groups, OH * OW)


@kernel
def _lay_out(x: Array, columns: Array, window: tuple[int, ...]) -> None:
    """x (n, C, H, W) -> columns (n, C*KH*KW, OH, OW)"""
    KH, KW, sh, sw, ph, pw, dh, dw = window
    N, C, H, W = x.shape
    OH, OW = columns.shape[2:]
    for n in range(N):
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    row = (c * KH + kh) * KW + kw
                    for i in range(OH):
                        h = i * sh + kh * dh - ph
                        for j in range(OW):
                            w = j * sw + kw * dw - pw
                            if 0 <= h < H and 0 <= w < W:
                                columns[n, row, i, j] = x[n, c, h, w]
                            else:
                                columns[n, row, i, j] = 0


@kernel
def _add_up(columns: Array, gx: Array, window: tuple[int, ...]) -> None:
    """columns (n, C*KH*KW, OH, OW) -> gx (n, C, H, W): the adjoint of _lay_out."""
    KH, KW, sh, sw, ph, pw, dh, dw = window
    N, C, H, W = gx.shape
    OH, OW = columns.shape[2:]
    gx[:] = 0
    for n in range(N):
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    row = (c * KH + kh) * KW + kw
                    for i in range(OH):
                        h = i * sh + kh * dh - ph
                        for j in range(OW):
                            w = j * sw + kw * dw - pw
                            if 0 <= h < H and 0 <= w < W:
                                gx[n, c, h, w] += columns[n, row, i, j]
