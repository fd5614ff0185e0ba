"""NumPy's functions on Tensors, `np.asarray`, and DLPack: values, gradients, shared memory, refusals."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, gradcheck, numpy_protocol

inf, nan = float("inf"), float("nan")


@dataclass
class Row:
    """What is called, a call of it, and its inputs: a shape for floats of either sign, or an array."""

    entry: Any
    call: Callable
    inputs: tuple
    positive: bool = False


def row(entry, call, *inputs, positive=False):
    return Row(entry, call, inputs, positive)


INTS, MORE_INTS = np.array([[5, -3, 0], [2, 7, -7]]), np.array([[2, 3, -4], [-2, 1, 3]])
BOOLS, MORE_BOOLS = np.array([[True, False, True]]), np.array([[False, False, True]])
ODD = np.array([[1.0, nan, inf], [-inf, 0.0, -0.0]])
PLACES = np.array([[2, 0], [1, -1]])

one = lambda f: row(f, lambda x: f(x), (2, 3))  # noqa: E731
two = lambda f: row(f, lambda a, b: f(a, b), (2, 3), (3,))  # noqa: E731

UFUNC_ROWS = [
    *map(two, (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.arctan2)),
    *(
        row(f, lambda a, b, f=f: f(a, b), *pair)
        for f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
        for pair in (((2, 3), (3,)), (INTS, INTS[:, ::-1]), (ODD, ODD))
    ),
    *map(one, (np.negative, np.positive, np.square, np.reciprocal, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.tan)),
    *map(one, (np.arctan, np.sinh, np.cosh, np.tanh, np.absolute, np.sign, np.floor, np.ceil, np.trunc, np.rint)),
    *(row(f, lambda x, f=f: f(x), (2, 3), positive=True) for f in (np.log, np.log2, np.log10, np.log1p, np.sqrt)),
    *(row(f, lambda x, f=f: f(x), np.linspace(-0.9, 0.8, 6).reshape(2, 3)) for f in (np.arcsin, np.arccos)),
    *(row(f, lambda x, f=f: f(x), ODD) for f in (np.isnan, np.isinf, np.isfinite)),
    *(
        row(f, lambda a, b, f=f: f(a, b), *pair)
        for f in (np.logical_and, np.logical_or, np.logical_xor)
        for pair in ((INTS, MORE_INTS), (BOOLS, MORE_BOOLS), (ODD, INTS * 1.0))
    ),
    row(np.logical_not, lambda a: np.logical_not(a), INTS),
    *(row(f, lambda a, b, f=f: f(a, b), INTS, MORE_INTS) for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor)),
    *(row(f, lambda a, b, f=f: f(a, b), BOOLS, MORE_BOOLS) for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor)),
    row(np.invert, lambda a: np.invert(a), INTS),
    row(np.invert, lambda a: ~a, BOOLS),
    row(np.power, lambda a, b: np.power(a, b), (2, 3), (3,), positive=True),
    row(np.power, lambda a: np.power(2.0, a), (2, 3)),
    row(np.matmul, lambda a, b: np.matmul(a, b), (2, 3), (3, 4)),
    row(np.matmul, lambda a, b: a @ b, (5, 2, 3), (3,)),
    row(np.add, lambda a: np.add(a, 1.5, where=True, casting="same_kind", order="K", subok=True, dtype=None), (3,)),
    row(np.add, lambda a: np.float64(2.5) + a, (3,)),
    row(np.maximum, lambda a: np.maximum(0, a), (3, 2)),
    *(
        row(f, lambda a, b, f=f: f(a, b), *pair)
        for f in (np.floor_divide, np.remainder, np.fmod)
        for pair in ((INTS, MORE_INTS), (INTS + 0.37, MORE_INTS * 0.83), (np.array(2.9), np.array([0.7, -1.3])))
    ),
    # ufunc.outer
    row(np.multiply, lambda a, b: np.multiply.outer(a, b), (2, 3), (4,)),
    row(np.subtract, lambda a, b: np.subtract.outer(a, b), (2,), (3, 2)),
    row(np.maximum, lambda a: np.maximum.outer(0.25, a), (2, 3)),
    row(np.add, lambda a: np.add.outer(a, 2), (2, 3)),
]

REDUCE_ROWS = [
    row(np.add, lambda x: np.add.reduce(x), (3, 4)),
    row(np.add, lambda x: np.add.reduce(x, axis=(0, 2), keepdims=True), (3, 4, 2)),
    row(np.multiply, lambda x: np.multiply.reduce(x, 1), (3, 4)),
    row(np.maximum, lambda x: np.maximum.reduce(x, axis=None), (3, 4)),
    row(np.minimum, lambda x: np.minimum.reduce(x, axis=-1), (3, 4)),
    row(np.logical_and, lambda x: np.logical_and.reduce(x), BOOLS),
    row(np.logical_or, lambda x: np.logical_or.reduce(x, axis=1), INTS),
]

ACCUMULATE_ROWS = [
    row(np.add, lambda x: np.add.accumulate(x), (3, 4)),
    row(np.multiply, lambda x: np.multiply.accumulate(x, axis=1), (3, 4)),
]


def reductions(f, *arrays):
    """Every form that a reduction's axis and keepdims take."""
    for x in arrays:
        yield row(f, lambda x: f(x), x)
        yield row(f, lambda x: f(x, 1), x)
        yield row(f, lambda x: f(x, axis=(0, -1)), x)
        yield row(f, lambda x: f(x, axis=(-1,), keepdims=True), x)
        yield row(f, lambda x: f(x, axis=None, keepdims=True), x)
        yield row(f, lambda x: f(x, axis=()), x)


def arg_reductions(f):
    for x in ((3, 4), INTS):
        yield row(f, lambda x: f(x), x)
        yield row(f, lambda x: f(x, 1), x)
        yield row(f, lambda x: f(x, axis=0, keepdims=True), x)


FUNCTION_ROWS = [
    *(r for f in (np.sum, np.prod) for r in reductions(f, (3, 4), (2, 3, 2), INTS, BOOLS)),
    *(r for f in (np.max, np.min, np.amax, np.amin) for r in reductions(f, (3, 4), (2, 3, 2), INTS)),
    *(r for f in (np.mean, np.var, np.std) for r in reductions(f, (3, 4), (2, 3, 2))),
    *(r for f in (np.all, np.any, np.count_nonzero) for r in reductions(f, INTS, BOOLS)),
    *(r for f in (np.argmax, np.argmin) for r in arg_reductions(f)),
    *(
        row(f, lambda x, f=f, o=o: f(x, **o), (3, 4))
        for f in (np.var, np.std)
        for o in ({"ddof": 1}, {"axis": 0, "ddof": 2, "keepdims": True}, {"axis": 1, "correction": 1})
    ),
    row(np.sum, lambda x: np.sum(x, 0, np.float64), INTS),
    row(np.sum, lambda x: np.sum(x), ()),
    row(np.prod, lambda x: np.prod(x, axis=(0, 1), dtype=np.float64), INTS),
    row(np.mean, lambda x: np.mean(x, dtype=np.float64), INTS),
    row(np.var, lambda x: np.var(x, dtype=np.float64), INTS),
    *(
        row(f, lambda x, f=f, a=a: f(x, axis=a), x)
        for f in (np.cumsum, np.cumprod)
        for x in ((3, 4), INTS)
        for a in (None, 0, -1)
    ),
    *(
        row(f, lambda x, f=f, o=o: f(x, **o), x)
        for f in (np.cumulative_sum, np.cumulative_prod)
        for x, o in (
            ((4,), {}),
            ((4,), {"include_initial": True}),
            ((3, 4), {"axis": -1, "include_initial": True}),
            (INTS, {"axis": 0}),
        )
    ),
    *(
        row(np.linalg.norm, lambda x, o=o: np.linalg.norm(x, **o), (3, 4))
        for o in (
            {},
            {"keepdims": True},
            {"axis": 1},
            {"ord": 3, "axis": 0, "keepdims": True},
            {"ord": inf, "axis": (1,)},
            *({"ord": ord} for ord in (None, "fro", 1, -1, inf, -inf)),
            *({"ord": ord, "axis": (1, 0), "keepdims": True} for ord in (None, 1, -inf)),
        )
    ),
    *(row(np.linalg.norm, lambda x, o=o: np.linalg.norm(x, o), (5,)) for o in (None, 1, 2, 2.5, -2, 0, inf, -inf)),
    row(np.linalg.norm, lambda x: np.linalg.norm(x), (2, 3, 2)),
    row(np.linalg.norm, lambda x: np.linalg.norm(x, 1, (-1, 0)), (2, 3, 2)),
    row(np.linalg.vector_norm, lambda x: np.linalg.vector_norm(x), (2, 3)),
    row(np.linalg.vector_norm, lambda x: np.linalg.vector_norm(x, axis=1, keepdims=True, ord=3), (2, 3)),
    row(np.linalg.matrix_norm, lambda x: np.linalg.matrix_norm(x), (2, 3, 4)),
    row(np.linalg.matrix_norm, lambda x: np.linalg.matrix_norm(x, keepdims=True, ord=inf), (2, 3, 4)),
    row(np.clip, lambda x: np.clip(x, -0.5, 0.5), (3, 4)),
    row(np.clip, lambda x: np.clip(x, None, a_max=0.5), (3, 4)),
    row(np.clip, lambda x: np.clip(x, min=-0.5), (3, 4)),
    row(np.clip, lambda x, low, high: np.clip(x, low, high), (3, 4), (4,), (3, 1)),
    row(np.clip, lambda high: np.clip(0.3, -1.0, high), (4,)),
    row(np.where, lambda c, a, b: np.where(c, a, b), BOOLS, (2, 3), (2, 1)),
    row(np.where, lambda c, a: np.where(c, a, 0.0), INTS, (2, 3)),
    row(np.where, lambda a: np.where([True, False, True], 1.0, a), (2, 3)),
    row(np.where, lambda a: np.where(a > 0, a, -a), (2, 3)),
    row(np.where, lambda a: np.where(a), INTS),
    row(np.nonzero, lambda a: np.nonzero(a), INTS),
    row(np.argwhere, lambda a: np.argwhere(a), INTS),
    row(np.flatnonzero, lambda a: np.flatnonzero(a), INTS),
    row(np.nan_to_num, lambda a: np.nan_to_num(a, nan=1.5, posinf=7.0, neginf=-7.0), ODD),
    row(np.nan_to_num, lambda a: np.nan_to_num(a), (2, 3)),
    row(np.round, lambda a: np.round(a), (2, 3)),
    row(np.round, lambda a: np.round(a, 1), (2, 3)),
    row(np.around, lambda a: np.around(a, decimals=0), (2, 3)),
    row(np.isclose, lambda a, b: np.isclose(a, b), ODD, ODD),
    row(np.isclose, lambda a, b: np.isclose(a, b, equal_nan=True), ODD, ODD),
    row(np.isclose, lambda a: np.isclose(a, 0.5, 0.1, atol=0.5), (2, 3)),
    *(row(np.sort, lambda a, k=k: np.sort(a, axis=k), x) for x in ((3, 4), INTS) for k in (None, 0, -1)),
    *(row(np.argsort, lambda a, k=k: np.argsort(a, axis=k), x) for x in ((3, 4), INTS * 5) for k in (None, 0, -1)),
    row(np.argsort, lambda a: np.argsort(a, kind="stable", stable=None), np.array([2, 1, 2, 1, 2])),
    row(np.reshape, lambda a: np.reshape(a, (3, -1)), (2, 6)),
    row(np.reshape, lambda a: np.reshape(a, 12), (2, 6)),
    row(np.reshape, lambda a: np.reshape(a, shape=(4, 3), order="C", copy=True), (2, 6)),
    row(np.reshape, lambda a: np.reshape(a, (4, 3), copy=False), (2, 6)),
    row(np.ravel, lambda a: np.ravel(a), (2, 3)),
    row(np.transpose, lambda a: np.transpose(a), (2, 3, 4)),
    row(np.transpose, lambda a: np.permute_dims(a, axes=[1, -1, 0]), (2, 3, 4)),
    row(np.matrix_transpose, lambda a: np.matrix_transpose(a), (2, 3, 4)),
    row(np.linalg.matrix_transpose, lambda a: np.linalg.matrix_transpose(a), (2, 3, 4)),
    row(np.swapaxes, lambda a: np.swapaxes(a, 0, -1), (2, 3, 4)),
    row(np.moveaxis, lambda a: np.moveaxis(a, 0, -1), (2, 3, 4)),
    row(np.moveaxis, lambda a: np.moveaxis(a, source=[0, 1], destination=[-1, -2]), (2, 3, 4)),
    row(np.squeeze, lambda a: np.squeeze(a), (1, 3, 1)),
    row(np.squeeze, lambda a: np.squeeze(a, axis=(0, -1)), (1, 3, 1)),
    row(np.squeeze, lambda a: np.squeeze(a, 2), (1, 3, 1)),
    row(np.expand_dims, lambda a: np.expand_dims(a, 1), (2, 3)),
    row(np.expand_dims, lambda a: np.expand_dims(a, axis=(0, -1)), (2, 3)),
    row(np.broadcast_to, lambda a: np.broadcast_to(a, (4, 2, 3)), (2, 1)),
    row(np.broadcast_to, lambda a: np.broadcast_to(a, 3), (1,)),
    row(np.broadcast_arrays, lambda a, b: np.broadcast_arrays(a, b), (2, 1), (3,)),
    row(np.atleast_1d, lambda a: np.atleast_1d(a), ()),
    row(np.atleast_1d, lambda a, b: np.atleast_1d(a, b), (2, 3), ()),
    row(np.atleast_2d, lambda a, b: np.atleast_2d(a, b), (3,), (2, 3, 1)),
    row(np.flip, lambda a: np.flip(a), (2, 3)),
    row(np.flip, lambda a: np.flip(a, axis=1), (2, 3)),
    row(np.flip, lambda a: np.flip(a, (0, -1)), (2, 3, 2)),
    row(np.fliplr, lambda a: np.fliplr(a), (2, 3)),
    row(np.flipud, lambda a: np.flipud(a), (2, 3)),
    row(np.rot90, lambda a: np.rot90(a), (2, 3)),
    row(np.rot90, lambda a: np.rot90(a, k=-1, axes=(1, 2)), (2, 3, 2)),
    row(np.roll, lambda a: np.roll(a, 2), (2, 3)),
    row(np.roll, lambda a: np.roll(a, -1, axis=1), (2, 3)),
    row(np.roll, lambda a: np.roll(a, (1, 2), (0, 1)), (2, 3)),
    row(np.roll, lambda a: np.roll(a, 1, axis=(0, 1)), (2, 3)),
    row(np.tile, lambda a: np.tile(a, 2), (2, 3)),
    row(np.tile, lambda a: np.tile(a, reps=(2, 1, 3)), (2, 3)),
    row(np.tile, lambda a: np.tile(a, [3]), (2, 3)),
    row(np.repeat, lambda a: np.repeat(a, 2), (2, 3)),
    row(np.repeat, lambda a: np.repeat(a, [2, 0, 1], axis=1), (2, 3)),
    row(np.diagonal, lambda a: np.diagonal(a), (3, 4)),
    row(np.diagonal, lambda a: np.diagonal(a, offset=-1, axis1=2, axis2=0), (3, 2, 4)),
    row(np.trace, lambda a: np.trace(a), (3, 4)),
    row(np.trace, lambda a: np.trace(a, 1, 0, 2), (3, 2, 4)),
    row(np.linalg.diagonal, lambda a: np.linalg.diagonal(a, offset=1), (2, 3, 4)),
    row(np.linalg.trace, lambda a: np.linalg.trace(a, offset=-1), (2, 3, 4)),
    row(np.diag, lambda a: np.diag(a, 1), (3,)),
    row(np.diag, lambda a: np.diag(a, k=-1), (3, 3)),
    row(np.diagflat, lambda a: np.diagflat(a, k=1), (2, 2)),
    row(np.tril, lambda a: np.tril(a), (3, 4)),
    row(np.tril, lambda a: np.tril(a, k=-1), (2, 3, 4)),
    row(np.triu, lambda a: np.triu(a, 1), (3, 4)),
    row(np.take, lambda a: np.take(a, PLACES), (2, 3)),
    row(np.astype, lambda a: np.astype(a, np.float64), (2, 3)),
    row(np.astype, lambda a: np.astype(a, np.int64, copy=False), (2, 3)),
    row(np.take, lambda a, i: np.take(a, i, axis=1), (2, 3), PLACES),
    row(np.take, lambda a: np.take(a, 1, axis=0), (2, 3)),
    row(np.take_along_axis, lambda a, i: np.take_along_axis(a, i, axis=1), (2, 3), PLACES),
    row(np.take_along_axis, lambda a: np.take_along_axis(a, np.argsort(a, axis=0), 0), (3, 2)),
    row(np.take_along_axis, lambda a: np.take_along_axis(a, np.array([3, 0, 0]), None), (3, 2)),
    row(np.pad, lambda a: np.pad(a, 1), (2, 3)),
    row(np.pad, lambda a: np.pad(a, ((0, 2), (1, 0)), constant_values=1.5), (2, 3)),
    row(np.pad, lambda a: np.pad(a, (1, 2), "reflect"), (3, 4)),
    row(np.pad, lambda a: np.pad(a, (1, 2), mode="edge"), (3, 4)),
    row(np.pad, lambda a: np.pad(a, ((2, 1),), mode="wrap"), (3, 4)),
    row(np.copy, lambda a: np.copy(a), (2, 3)),
    row(np.concatenate, lambda a, b: np.concatenate([a, b]), (2, 3), (1, 3)),
    row(np.concatenate, lambda a, b: np.concatenate((a, b), axis=1), (2, 3), (2, 1)),
    row(np.concatenate, lambda a, b: np.concat((a, b), axis=None), (2, 3), (4,)),
    row(np.concatenate, lambda a: np.concatenate(a), (2, 3)),
    row(np.stack, lambda a, b: np.stack([a, b]), (2, 3), (2, 3)),
    row(np.stack, lambda a, b: np.stack((a, b), axis=-1), (2, 3), (2, 3)),
    row(np.hstack, lambda a, b: np.hstack([a, b]), (2, 3), (2, 1)),
    row(np.hstack, lambda a, b: np.hstack([a, b]), (2,), (3,)),
    row(np.vstack, lambda a, b: np.vstack([a, b]), (3,), (2, 3)),
    row(np.dstack, lambda a, b: np.dstack([a, b]), (2, 3), (2, 3)),
    row(np.split, lambda a: np.split(a, 3), (6, 2)),
    row(np.split, lambda a: np.split(a, [1, 2, 9], axis=1), (2, 4)),
    row(np.array_split, lambda a: np.array_split(a, 3), (7, 2)),
    row(np.array_split, lambda a: np.array_split(a, np.array([2]), axis=-1), (2, 4)),
    row(np.unstack, lambda a: np.unstack(a), (3, 2)),
    row(np.unstack, lambda a: np.unstack(a, axis=-1), (3, 2)),
    row(np.meshgrid, lambda a, b: np.meshgrid(a, b), (2,), (3,)),
    row(np.meshgrid, lambda a, b: np.meshgrid(a, b, indexing="ij", copy=False), (2,), (3,)),
    *(
        row(np.dot, lambda a, b: np.dot(a, b), *shapes)
        for shapes in (((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (4, 3, 2)), ((), (2, 3)), ((2,), ()))
    ),
    row(np.dot, lambda a: np.dot(2.0, a), (2, 3)),
    row(np.vdot, lambda a, b: np.vdot(a, b), (2, 3), (3, 2)),
    row(np.inner, lambda a, b: np.inner(a, b), (2, 3), (4, 5, 3)),
    row(np.inner, lambda a, b: np.inner(a, b), (3,), (3,)),
    row(np.inner, lambda a: np.inner(2.0, a), (3,)),
    row(np.outer, lambda a, b: np.outer(a, b), (2, 3), (4,)),
    row(np.outer, lambda a: np.outer(a, 0.1), (2,)),
    row(np.tensordot, lambda a, b: np.tensordot(a, b), (2, 3, 4), (3, 4, 5)),
    row(np.tensordot, lambda a, b: np.tensordot(a, b, axes=1), (2, 3), (3, 4)),
    row(np.tensordot, lambda a, b: np.tensordot(a, b, axes=(0, -1)), (3, 2), (4, 3)),
    row(np.tensordot, lambda a, b: np.tensordot(a, b, ([0, 2], (1, 0))), (3, 2, 4), (4, 3)),
    row(np.tensordot, lambda a, b: np.tensordot(a, b, axes=0), (2,), (3,)),
    row(np.einsum, lambda a, b: np.einsum("ij,kj->ik", a, b), (2, 3), (4, 3)),
    row(np.einsum, lambda a, b: np.einsum("...i,...i", a, b, optimize=True), (2, 3), (3,)),
    row(np.einsum, lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), (2, 3), (3, 4)),
    row(np.linalg.matmul, lambda a, b: np.linalg.matmul(a, b), (2, 3), (3, 4)),
    row(np.linalg.outer, lambda a, b: np.linalg.outer(a, b), (2,), (3,)),
    row(np.linalg.tensordot, lambda a, b: np.linalg.tensordot(a, b, axes=1), (2, 3), (3, 4)),
    row(np.zeros_like, lambda a: np.zeros_like(a), (2, 3)),
    row(np.zeros_like, lambda a: np.zeros_like(a, dtype=np.int64, shape=(4, 5)), (2, 3)),
    row(np.ones_like, lambda a: np.ones_like(a, order="K", subok=True, device="cpu"), (2, 3)),
    row(np.ones_like, lambda a: np.ones_like(a), INTS),
    row(np.full_like, lambda a: np.full_like(a, 7), (2, 3)),
    row(np.full_like, lambda a: np.full_like(a, fill_value=2.5, dtype=np.float64, shape=4), INTS),
]

QUESTION_ROWS = [
    row(np.shape, lambda a: np.shape(a), (2, 3)),
    row(np.ndim, lambda a: np.ndim(a), (2, 3)),
    row(np.size, lambda a: np.size(a), (2, 3)),
    row(np.size, lambda a: np.size(a, axis=1), (2, 3)),
    row(np.allclose, lambda a, b: np.allclose(a, b), (2, 3), (2, 3)),
    row(np.allclose, lambda a: np.allclose(a, a * (1 + 1e-9), rtol=1e-6), (2, 3)),
    row(np.allclose, lambda a: np.allclose(a, a, equal_nan=True), ODD),
    row(np.array_equal, lambda a: np.array_equal(a, a + 0), (2, 3)),
    row(np.array_equal, lambda a: np.array_equal(a, a, equal_nan=True), ODD),
    row(np.array_equiv, lambda a: np.array_equiv(a, a[:1]), np.ones((2, 3))),
    row(np.shares_memory, lambda a: np.shares_memory(a, a[1:]), (2, 3)),
    row(np.may_share_memory, lambda a: np.may_share_memory(a[0], a[1]), (2, 3)),
    row(np.iscomplexobj, lambda a: np.iscomplexobj(a), (2, 3)),
    row(np.isrealobj, lambda a: np.isrealobj(a), (2, 3)),
    row(np.array_repr, lambda a: np.array_repr(a), (2, 3)),
    row(np.array_str, lambda a: np.array_str(a, precision=2), (2, 3)),
    row(np.array2string, lambda a: np.array2string(a, separator=", "), (2, 3)),
]

ARRAY_ROWS = UFUNC_ROWS + REDUCE_ROWS + ACCUMULATE_ROWS + FUNCTION_ROWS


def names(rows):
    return [f"{i}-{r.entry.__name__}" for i, r in enumerate(rows)]


def drawn(row, rng):
    """The inputs as arrays: floats no closer than 1/16 to each other and to a whole number, or what the row gives."""
    arrays = []
    for x in row.inputs:
        if isinstance(x, np.ndarray):
            arrays.append(x)
            continue
        n = int(np.prod(x))
        apart = rng.permutation(np.arange(len(row.inputs) * n) + 0.5)[:n] / (len(row.inputs) * n)  # in (0, 1)
        signs = 1 if row.positive else rng.choice([-1, 1], n)
        arrays.append(np.asarray(((0.1 + 0.8 * apart + rng.integers(0, 2, n)) * signs).reshape(x)))
    return arrays


def parts(y):
    return list(y) if isinstance(y, (list, tuple)) else [y]


@pytest.mark.parametrize("row", ARRAY_ROWS, ids=names(ARRAY_ROWS))
def test_values_are_numpys_and_results_are_tensors(row, rng):
    arrays = drawn(row, rng)
    wanted = row.call(*[a.copy() for a in arrays])
    ours = row.call(*[minigrad.from_numpy(a.copy()) for a in arrays])
    assert isinstance(ours, (list, tuple)) == isinstance(wanted, (list, tuple))
    for y, w in zip(parts(ours), parts(wanted), strict=True):
        assert type(y) is Tensor
        np.testing.assert_allclose(y.numpy(), np.asarray(w), rtol=1e-12, atol=1e-14, strict=True)


@pytest.mark.parametrize("row", ARRAY_ROWS, ids=names(ARRAY_ROWS))
def test_gradients_are_right_with_tensors_and_arrays_mixed(row, rng):
    arrays = drawn(row, rng)
    floats = [i for i, x in enumerate(row.inputs) if arrays[i].dtype.kind == "f" and x is not ODD]
    for which in ({i} for i in floats) if len(floats) > 1 else ():
        check_gradient(row, arrays, which)
    check_gradient(row, arrays, set(floats))


def check_gradient(row, arrays, which):
    """The gradient for the inputs `which`, the others being plain arrays."""
    tensors = [minigrad.tensor(arrays[i], requires_grad=True) for i in sorted(which)]

    def call(*xs):
        given = iter(xs)
        return row.call(*[next(given) if i in which else a for i, a in enumerate(arrays)])

    ys = parts(call(*tensors)) if tensors else []
    recorded = [i for i, y in enumerate(ys) if isinstance(y, Tensor) and y.requires_grad]
    for i in recorded:
        if ys[i].numel():
            assert gradcheck(lambda *xs, i=i: parts(call(*xs))[i], tensors)


DIFFERENTIABLE = {
    *(set(numpy_protocol.FUNCTIONS) | set(numpy_protocol.UFUNCS)),
} - {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.invert),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.isnan, np.isinf, np.isfinite),
    *(np.argmax, np.argmin, np.all, np.any, np.count_nonzero, np.nonzero, np.argwhere, np.flatnonzero),
    *(np.isclose, np.argsort, np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.copyto, np.result_type),
}


@pytest.mark.parametrize("row", ARRAY_ROWS, ids=names(ARRAY_ROWS))
def test_what_is_differentiable_is_recorded(row, rng):
    tensors = [minigrad.tensor(a, requires_grad=a.dtype.kind == "f") for a in drawn(row, rng)]
    if not any(t.requires_grad for t in tensors):
        return
    ys = parts(row.call(*tensors))
    indices_alone = row.entry is np.where and ys[0].dtype == "int64"
    recorded = row.entry in DIFFERENTIABLE and not indices_alone and ys[0].is_floating_point()
    assert any(y.requires_grad for y in ys) == recorded


@pytest.mark.parametrize("row", QUESTION_ROWS, ids=names(QUESTION_ROWS))
def test_questions_are_answered_as_for_arrays(row, rng):
    arrays = drawn(row, rng)
    wanted = row.call(*arrays)
    ours = row.call(*[minigrad.tensor(a, requires_grad=True) for a in arrays])
    assert ours == wanted and type(ours) is type(wanted)


def test_every_entry_of_the_tables_has_a_row():
    apart = {np.empty_like, np.copyto, np.result_type}  # tests of their own below
    assert {r.entry for r in UFUNC_ROWS} == set(numpy_protocol.UFUNCS)
    assert {r.entry for r in REDUCE_ROWS} == set(numpy_protocol.REDUCTIONS)
    assert {r.entry for r in ACCUMULATE_ROWS} == set(numpy_protocol.ACCUMULATIONS)
    assert {r.entry for r in FUNCTION_ROWS} | apart == set(numpy_protocol.FUNCTIONS)
    assert {r.entry for r in QUESTION_ROWS} == numpy_protocol.QUESTIONS
    tables = [numpy_protocol.UFUNCS, numpy_protocol.FUNCTIONS, numpy_protocol.QUESTIONS, numpy_protocol.ON_ARRAYS]
    everything = [f for table in (*tables, numpy_protocol.INSTEAD) for f in table]
    assert len(everything) == len(set(everything)), "a function in two tables"


# ------------------------------------------------------------------------------------------------ dtypes and types


def test_dtypes_are_those_of_the_op():
    t = minigrad.ones(3)
    for y in (np.add(t, 2.5), np.float64(2.5) * t, np.exp(t), np.float32(2) + t, np.sum(t), np.where(t > 0, t, 2.5)):
        assert y.dtype == minigrad.float32
    for number in (2.5, np.float64(2.5), 2, np.int64(2)):
        for y in (np.outer(t, number), np.maximum(number, t), np.clip(t, 0, number), np.dot(t, number)):
            assert y.dtype == minigrad.float32
        assert np.isclose(t, number).dtype == minigrad.bool
    assert np.add(t, np.ones(3)).dtype == minigrad.float64  # an array has a say, a scalar has not
    assert np.exp(minigrad.arange(3)).dtype == minigrad.float32 and np.add(minigrad.arange(3), 0.5).dtype == "float32"
    assert np.add(minigrad.arange(3), np.float64(0.5)).dtype == minigrad.float32
    assert np.result_type(t, 2.5) == minigrad.float32 and np.result_type(minigrad.arange(2), 2.5) == minigrad.float32
    assert np.result_type(t, np.float64) == np.result_type("f8", t) == np.result_type(t, np.dtype("f8")) == "float64"
    assert np.result_type(t, np.int64) == np.result_type(t, np.float16) == minigrad.float32
    with pytest.raises(RuntimeError, match=r"mean: needs a floating dtype, got int64; use x.float\(\) or pass dtype="):
        np.mean(minigrad.arange(3))
    with pytest.raises(RuntimeError, match=r"matmul: operands must have one dtype, got float64 and float32"):
        np.ones((2, 3)) @ t


def test_new_tensors_are_plain_and_own_their_memory():
    t = minigrad.nn.Parameter(minigrad.ones(2, 3))
    made = np.empty_like(t, dtype=np.int64, shape=(4,))
    assert type(made) is Tensor and made.shape == (4,) and made.dtype == "int64" and not made.requires_grad
    for y in (np.empty_like(t), np.zeros_like(t), np.ones_like(t), np.full_like(t, 2)):
        assert type(y) is Tensor and y.shape == (2, 3) and y.dtype == "float32" and not y.requires_grad
    assert type(np.exp(t)) is Tensor and np.exp(t).requires_grad
    assert not np.shares_memory(np.copy(t), t) and np.shares_memory(np.transpose(t), t)


def test_what_is_no_tensor_stays_an_array_where_each_operand_has_its_own_result():
    t, a = minigrad.ones(2, 1, requires_grad=True), np.array([None, "b"])
    y, b, n = np.broadcast_arrays(t, a, 0.5)
    assert y.shape == b.shape == n.shape == (2, 2) and y.requires_grad and b.dtype == object and n.dtype == np.float64
    y, n = np.atleast_1d(t, 0.5)
    assert y is t and type(n) is np.ndarray


def test_counts_are_numpys():
    t = minigrad.tensor([0.5, 1.5, 1.7])
    counts, edges = np.histogram(t, bins=2, range=(0, 2))
    assert counts.tolist() == [1, 2] and edges.tolist() == [0.0, 1.0, 2.0] and type(counts) is np.ndarray
    assert np.histogram2d(t, t, bins=1)[0] == 3 and np.histogram_bin_edges(t, 1).tolist() == [0.5, float(t[2])]
    assert np.bincount(minigrad.tensor([0, 2, 2]), weights=t).tolist() == [0.5, 0.0, 1.5 + float(t[2])]
    assert np.digitize(t, bins=minigrad.tensor([1.0])).tolist() == [0, 1, 1] and np.searchsorted(t, 1.6) == 2
    with pytest.raises(RuntimeError, match=r"np.asarray: .* use x.detach\(\)"):
        np.histogram(t.requires_grad_())


def test_nothing_is_recorded_under_no_grad():
    t = minigrad.ones(3, requires_grad=True)
    with minigrad.no_grad():
        assert not np.exp(t).requires_grad and not np.sum(t).requires_grad


def test_higher_derivatives_go_through_numpy():
    t = minigrad.tensor([0.5, 1.5], dtype=minigrad.float64, requires_grad=True)
    assert minigrad.gradgradcheck(lambda t: np.sum(np.exp(t) * np.sin(t), axis=0), t)
    assert minigrad.gradgradcheck(lambda t: np.linalg.norm(np.outer(t, t), ord=1), t)


def test_other_libraries_get_their_turn():
    class Other:
        __array_priority__ = 1000

        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return "other's ufunc"

        def __array_function__(self, function, types, args, kwargs):
            return "other's function"

    t = minigrad.ones(2)
    assert np.add(t, Other()) == np.add(Other(), t) == "other's ufunc"
    assert np.hypot(t, Other()) == np.add(t, 1, out=Other()) == np.add.outer(t, Other()) == "other's ufunc"
    assert np.concatenate([t, Other()]) == "other's function"
    with pytest.raises(TypeError, match="operands must be Tensors, arrays or numbers, got Tensor and list"):
        np.add(t, [1.0, 2.0])

    class NotTakingPart:
        __array_ufunc__ = None

    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.add(t, NotTakingPart())


# -------------------------------------------------------------------------------------------------- writing: out=


def test_arrays_take_tensors_in_place_where_nothing_would_be_recorded():
    a, t = np.ones(3), minigrad.tensor([1.0, 2.0, 3.0])
    b = a
    a += t
    a *= t
    assert a is b and a.tolist() == [2.0, 6.0, 12.0]
    assert np.add(t, 1, out=None).tolist() == [2.0, 3.0, 4.0]
    assert np.add(t, 1, out=a) is a and a.tolist() == [2.0, 3.0, 4.0]
    np.add(t, 10, out=a, where=t > 1)
    assert a.tolist() == [2.0, 12.0, 13.0]
    np.cbrt(t, out=a)  # NumPy writes what it can, into its own
    assert a[0] == 1.0
    np.add.at(a, minigrad.tensor([0, 0]), minigrad.tensor([5.0, 6.0]))
    assert a[0] == 12.0
    np.add.reduce(minigrad.ones(2, 3), axis=0, out=a)
    assert a.tolist() == [2.0, 2.0, 2.0]
    np.copyto(a, t, where=minigrad.tensor([True, False, True]))
    assert a.tolist() == [1.0, 2.0, 3.0]
    grad = minigrad.ones(3, requires_grad=True)
    with minigrad.no_grad():
        a += grad
    assert a.tolist() == [2.0, 3.0, 4.0]
    for write in (lambda: np.add(a, grad, out=a), lambda: a.__iadd__(grad)):
        with pytest.raises(TypeError, match=r"np.add: out=, also that of `array \+= tensor`, .*t.detach\(\)"):
            write()
    with pytest.raises(TypeError, match=r"np.copyto: this cannot be recorded"):
        np.copyto(a, grad)
    assert a.tolist() == [2.0, 3.0, 4.0]
    with pytest.raises(TypeError, match="Cannot cast ufunc 'add' output"):  # NumPy's own rule
        np.add(np.ones(3, dtype=np.int64), t, out=np.ones(3, dtype=np.int64))


def test_out_takes_a_tensor_outside_of_a_graph():
    t, out = minigrad.tensor([1.0, 2.0]), minigrad.zeros(2)
    assert np.exp(t, out=out) is out and minigrad.equal(out, minigrad.exp(t))
    assert np.add(np.ones(2), t, out=out) is out and out.tolist() == [2.0, 3.0] and out.dtype == minigrad.float32
    for bad, text in [
        (lambda: np.add(t, 1, out=minigrad.zeros(3)), r"out= has shape \(3,\) and dtype float32, which cannot hold"),
        (lambda: np.add(t, 1, out=minigrad.zeros(2, dtype=minigrad.int64)), "dtype int64, which cannot hold"),
        (lambda: np.add(t, 1, out=out, where=t > 1), r"np.add: where= is not supported for a Tensor"),
        (lambda: np.add(t, 1, out=minigrad.zeros(2, requires_grad=True)), r"np.add: out=.* cannot be recorded"),
        (lambda: np.add(np.ones(2), 1, out=out), r"np.add: out= takes one Tensor"),
        (lambda: np.modf(np.ones(2), out=(out, out)), r"np.modf: out= takes one Tensor"),
    ]:
        with pytest.raises(TypeError, match=text):
            bad()
    assert out.tolist() == [2.0, 3.0]


def test_writing_through_out_counts_as_a_change():
    x = minigrad.ones(2, requires_grad=True)
    saved = minigrad.tensor([2.0, 3.0])
    y = x * saved
    np.add(saved, 1, out=saved)
    with pytest.raises(RuntimeError, match="in place"):
        y.sum().backward()


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("function", "names"),
    [
        *((f, "t") for f in (np.diff, np.nansum, np.nanmean, np.nanmax, np.nanmin, np.deg2rad, np.degrees, np.cbrt)),
        *((f, "ab") for f in (np.hypot, np.logaddexp, np.append, np.vecdot)),
    ],
)
@pytest.mark.parametrize("odd", [0.5, inf, nan])
def test_what_an_error_advises_gives_numpys_values(function, names, odd, rng):
    arrays = [rng.standard_normal((2, 3)) for _ in names]
    arrays[0][1, 1] = odd
    tensors = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    with pytest.raises(TypeError) as error:
        function(*tensors)
    advice = str(error.value).split("; use ")[1]
    found = eval(advice, {"np": np, "minigrad": minigrad, **dict(zip(names, tensors, strict=True))})
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found.detach().numpy(), function(*arrays), rtol=1e-12)


G = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
REFUSED = [
    # no such op
    (lambda t: np.linalg.svd(t), TypeError, "np.linalg.svd: minigrad has no such op; use t.detach().numpy() for a"),
    (lambda t: np.linalg.inv(t.detach()), TypeError, "np.linalg.inv: minigrad has no such op; use t.detach().numpy()"),
    (lambda t: np.fft.fft(t), TypeError, "np.fft.fft: minigrad has no such op; use t.detach().numpy()"),
    (lambda t: np.cumulative_sum(t), ValueError, "np.cumulative_sum: axis must be given for a tensor of 2 dimensions"),
    (lambda t: np.cumulative_prod(t, axis=2), IndexError, "np.cumulative_prod: dim must be in [-2, 1]"),
    (lambda t: np.percentile(t, 50), TypeError, "np.percentile: minigrad has no such op"),
    (lambda t: np.heaviside(t, 0.5), TypeError, "np.heaviside: minigrad has no such op"),
    (lambda t: np.median(t), TypeError, "np.median: minigrad has no such op; use minigrad.median(t)"),
    (lambda t: np.append(t, t), TypeError, "np.append: minigrad has no such op; use np.concatenate([a, b], axis"),
    (lambda t: np.cbrt(t), TypeError, "np.cbrt: minigrad has no such op; use np.sign(t) * np.abs(t) ** (1 / 3)"),
    (lambda t: np.hypot(t, t), TypeError, "np.hypot: minigrad has no such op; use np.sqrt(a * a + b * b)"),
    (lambda t: np.modf(t), TypeError, "np.modf: minigrad has no such op"),
    (lambda t: np.divmod(t, 2), TypeError, "np.divmod: minigrad has no such op; use np.floor_divide(a, b) and np.rem"),
    (lambda t: np.subtract.reduce(t), TypeError, "np.subtract.reduce: minigrad has no such op"),
    (lambda t: np.maximum.accumulate(t), TypeError, "np.maximum.accumulate: minigrad has no such op"),
    (lambda t: np.add.reduceat(t, [0, 1]), TypeError, "np.add.reduceat: minigrad has no such op"),
    (lambda t: np.frompyfunc(abs, 1, 1)(t), TypeError, "abs (vectorized): minigrad has no such op"),
    (lambda t: np.linalg.norm(t, 2), TypeError, "np.linalg.norm: a matrix norm with ord=2 needs singular values"),
    (lambda t: np.linalg.norm(t, "nuc"), TypeError, "np.linalg.norm: a matrix norm with ord='nuc' needs singular"),
    # writing into a Tensor
    (lambda t: np.add.at(t, [0], 1.0), TypeError, "np.add.at: cannot write into a Tensor; use t[index] = value"),
    (lambda t: np.copyto(t, 1.0), TypeError, "np.copyto: cannot write into a Tensor this way; use t.copy_(source)"),
    (lambda t: np.put_along_axis(t, PLACES, 0.0, 1), TypeError, "np.put_along_axis: minigrad has no such op; use t.sc"),
    # options of ufuncs
    (lambda t: np.add(t, t, dtype=np.float64), TypeError, "np.add: dtype= is not supported for a Tensor; convert with"),
    (lambda t: np.exp(t, where=BOOLS[:, :2]), TypeError, "np.exp: where= is not supported for a Tensor; choose with"),
    (lambda t: np.exp(t, casting="unsafe"), TypeError, "np.exp: casting= is not supported for a Tensor; convert"),
    (lambda t: np.exp(t, order="F"), TypeError, "np.exp: order= is not supported for a Tensor; elements are in row"),
    (lambda t: np.exp(t, subok=False), TypeError, "np.exp: subok= is not supported for a Tensor; use t.detach()"),
    (lambda t: np.matmul(t, t, axes=[(0, 1)] * 3), TypeError, "np.matmul: axes= is not supported for a Tensor; move"),
    (lambda t: np.add.outer(t, t, dtype=np.float64), TypeError, "np.add.outer: dtype= is not supported"),
    # options of functions
    (lambda t: np.sum(t, out=np.zeros(())), TypeError, "np.sum: out= is not supported for a Tensor; take the result"),
    (lambda t: np.sum(t, where=BOOLS[:, :2]), TypeError, "np.sum: where= is not supported for a Tensor; choose with"),
    (lambda t: np.sum(t, initial=1.0), TypeError, "np.sum: initial= is not supported for a Tensor; join it with"),
    (lambda t: np.max(t, initial=1.0), TypeError, "np.max: initial= is not supported for a Tensor; join it with"),
    (lambda t: np.add.reduce(t, initial=1.0), TypeError, "np.sum: initial= is not supported"),
    (lambda t: np.var(t, mean=np.zeros(())), TypeError, "np.var: mean= is not supported"),
    (lambda t: np.var(t, ddof=1, correction=1), ValueError, "np.var: got both ddof=1 and correction=1"),
    (lambda t: np.concatenate([t, t], dtype=np.float32), TypeError, "np.concatenate: dtype= is not supported"),
    (lambda t: np.stack([t, t], casting="unsafe"), TypeError, "np.stack: casting= is not supported"),
    (lambda t: np.stack([t, t], out=np.zeros((2, 2, 2))), TypeError, "np.stack: out= is not supported"),
    (lambda t: np.reshape(t, (4,), order="F"), TypeError, "np.reshape: order= is not supported for a Tensor; elements"),
    (
        lambda t: np.reshape(t.T, (4,), copy=False),
        RuntimeError,
        "view: shape (2, 2) with this memory layout is no view",
    ),
    (lambda t: np.ravel(t, "F"), TypeError, "np.ravel: order= is not supported"),
    (lambda t: np.copy(t, order="F"), TypeError, "np.copy: order= is not supported"),
    (lambda t: np.zeros_like(t, order="F"), TypeError, "np.zeros_like: order= is not supported"),
    (lambda t: np.take(t, [0], mode="wrap"), TypeError, "np.take: mode= is not supported"),
    (lambda t: np.pad(t, 1, "linear_ramp"), TypeError, "np.pad: mode must be 'constant', 'reflect', 'edge', 'wrap'"),
    (lambda t: np.pad(t, 1, "reflect", reflect_type="odd"), TypeError, "np.pad: reflect_type= is not supported"),
    (lambda t: np.einsum("ij->i", t, dtype=np.float64), TypeError, "np.einsum: dtype= is not supported"),
    (lambda t: np.sort(t, order="field"), TypeError, "np.sort: order= is not supported"),
    (lambda t: np.meshgrid(t[0], t[1], sparse=True), TypeError, "np.meshgrid: sparse= is not supported"),
    (lambda t: np.nan_to_num(t, copy=False), TypeError, "np.nan_to_num: copy= is not supported"),
    (lambda t: np.clip(t, 0, 1, min=0), ValueError, "np.clip: got both a_min or a_max and min or max"),
    (lambda t: np.clip(t, None, None), RuntimeError, "clamp: give min, max or both"),
    # arguments that do not fit
    (lambda t: np.reshape(t, None), TypeError, "np.reshape: needs a shape"),
    (lambda t: np.sum(t, axis=2), IndexError, "sum: dim must be in [-2, 1] for 2 dimensions, got 2"),
    (lambda t: np.squeeze(t, 0), ValueError, "np.squeeze: axis 0 of shape (2, 2) has not the size 1"),
    (lambda t: np.expand_dims(t, (0, 0)), ValueError, "np.expand_dims: axis (0, 0) names a dimension twice"),
    (lambda t: np.split(t, 3), ValueError, "np.split: size 2 of axis 0 does not divide into 3 equal parts; use np.arr"),
    (lambda t: np.linalg.norm(t, 3), ValueError, 'np.linalg.norm: a matrix norm has ord None, "fro", 1, -1, inf or'),
    (lambda t: np.linalg.norm(t[0], "fro"), ValueError, "np.linalg.norm: a vector norm has a number for ord"),
    (lambda t: np.linalg.norm(t[None], 1), ValueError, "np.linalg.norm: a norm with ord=1 is over one or two axes, go"),
    (lambda t: np.full_like(t, t[0, 0]), TypeError, "np.full_like: fill_value must be a number"),
    (lambda t: np.zeros_like(t, dtype=np.complex64), TypeError, "dtype complex64 is not supported"),
    (lambda t: np.add(t, np.ones(2, dtype=np.complex64)), TypeError, "dtype complex64 is not supported"),
    (lambda t: np.add(t, np.ones(3)), RuntimeError, "add: shapes (2, 2) and (3,) do not broadcast"),
]


@pytest.mark.parametrize("bad", REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_there_names_the_way_round(bad):
    call, kind, text = bad
    before = G.tolist()
    with pytest.raises(kind, match=re.escape(text)):
        call(G)
    assert G.tolist() == before and G.grad is None


# ---------------------------------------------------------------------------------------- np.asarray, files, numbers


def test_asarray_shares_memory_and_copies_as_numpy_2_has_it():
    t = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    for a in (np.asarray(t), np.asarray(t, copy=False), np.array(t, copy=None), np.asarray(t.T), np.asarray(t[1:])):
        assert type(a) is np.ndarray and np.shares_memory(a, t.array)
    for a in (np.array(t), np.asarray(t, copy=True), np.array(t, dtype=np.float64), np.asarray(t, np.int64)):
        assert not np.shares_memory(a, t.array) and a.tolist() == t.tolist()
    assert np.asarray(t, np.int64).dtype == np.int64 and np.shares_memory(np.asarray(t, dtype="float32"), t.array)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(t, dtype=np.float64, copy=False)
    np.asarray(t)[0, 0] = 7.0
    assert t[0, 0] == 7.0
    x = minigrad.ones(2, requires_grad=True)
    assert np.shares_memory(np.asarray(x.detach()), x.array)
    for refused in (x, x * 2, x.sum()):
        with pytest.raises(RuntimeError, match=r"np.asarray: .* use x.detach\(\)"):
            np.asarray(refused)
    with minigrad.no_grad():
        assert np.asarray(x * 2).tolist() == [2.0, 2.0]


def test_numpys_own_assertions_take_tensors():
    t, a = minigrad.tensor([1.0, 2.0]), np.array([1.0, 2.0])
    np.testing.assert_array_equal(t, a)
    np.testing.assert_allclose(a, t, rtol=1e-6)
    with pytest.raises(AssertionError, match="Mismatched elements: 1 / 2"):
        np.testing.assert_allclose(t, [1.0, 3.0])


def test_single_elements_become_numbers():
    for t in (minigrad.tensor(2.5), minigrad.tensor([[2.5]])):
        assert float(t) == 2.5 and int(t) == 2 and t.item() == 2.5
    t = minigrad.tensor(2.5)
    assert np.float32(t) == 2.5 and np.float64(t) == 2.5 and type(np.float64(t)) is np.float64
    assert np.int64(minigrad.tensor(3)) == 3 and range(5)[minigrad.tensor(3)] == 3
    a = np.zeros(3)
    a[1], a[minigrad.tensor(2)] = t, 4.0
    assert a.tolist() == [0.0, 2.5, 4.0] and a[minigrad.tensor([2, 1])].tolist() == [4.0, 2.5]
    with pytest.raises(RuntimeError, match="item: needs exactly one element"):
        float(minigrad.ones(2))


def test_tensors_are_saved_as_arrays(tmp_path):
    t, other = minigrad.arange(3), minigrad.ones(2, 2)
    np.save(tmp_path / "t.npy", t)
    np.savez(tmp_path / "t.npz", t, other=other)
    np.savez_compressed(tmp_path / "c.npz", t, other=other)
    np.savetxt(tmp_path / "t.txt", other, fmt="%g")
    assert np.load(tmp_path / "t.npy").tolist() == [0, 1, 2] and (tmp_path / "t.txt").read_text() == "1 1\n1 1\n"
    for name in ("t.npz", "c.npz"):
        with np.load(tmp_path / name) as saved:
            assert saved["arr_0"].tolist() == [0, 1, 2] and saved["other"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    with pytest.raises(RuntimeError, match=r"np.asarray: .* use x.detach\(\)"):
        np.save(tmp_path / "x.npy", minigrad.ones(2, requires_grad=True))


# ---------------------------------------------------------------------------------------------------------- DLPack

DTYPES = [
    *(minigrad.bool, minigrad.uint8, minigrad.int8, minigrad.int16, minigrad.int32, minigrad.int64),
    *(minigrad.float16, minigrad.float32, minigrad.float64),
]
LAYOUTS = {
    "whole": lambda t: t,
    "transposed": lambda t: t.T,
    "strided": lambda t: t[:, ::2],
    "offset": lambda t: t[1:, 1],
    "expanded": lambda t: t[:1].expand(3, 4),
    "empty": lambda t: t[:0],
    "0-d": lambda t: t[1, 2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dlpack_to_numpy_and_back_shares_memory(dtype, layout):
    t = LAYOUTS[layout](minigrad.tensor(np.arange(12).reshape(3, 4) % 2, dtype=dtype))
    a = np.from_dlpack(t)
    assert a.dtype == dtype and a.tolist() == t.tolist() and (np.shares_memory(a, t.array) or not t.numel())
    back = minigrad.from_dlpack(a)
    assert type(back) is Tensor and back.dtype == dtype and back.shape == t.shape and not back.requires_grad
    assert back.tolist() == t.tolist() and (np.shares_memory(back.array, t.array) or not t.numel())
    assert np.shares_memory(minigrad.from_dlpack(t).array, t.array) or not t.numel()


@pytest.mark.skipif(np.__version__.startswith("2.1."), reason="NumPy 2.1 takes all memory of others for read-only")
def test_dlpack_writes_show_on_both_sides():
    t = minigrad.zeros(2)
    np.from_dlpack(t)[0] = 5.0
    assert t.tolist() == [5.0, 0.0]
    a = np.zeros(2, dtype=np.float32)
    minigrad.from_dlpack(a)[1] = 6.0
    assert a.tolist() == [0.0, 6.0]


def test_dlpack_of_read_only_memory_stays_so():
    a = np.zeros(2, dtype=np.float32)
    a.flags.writeable = False
    read_only = minigrad.from_dlpack(a)
    assert np.shares_memory(read_only.array, a) and not read_only.array.flags.writeable
    with pytest.raises(RuntimeError, match="read-only"):
        read_only.zero_()
    with pytest.raises(BufferError, match="readonly"):  # the first version of the protocol cannot say so
        minigrad.zeros(1).expand(3).__dlpack__()
    assert not np.from_dlpack(minigrad.zeros(1).expand(3)).flags.writeable


def test_dlpack_copies_when_asked():
    t, a = minigrad.zeros(2), np.zeros(2)
    assert not np.shares_memory(np.from_dlpack(t, copy=True), t.array)
    assert np.shares_memory(np.from_dlpack(t, copy=False), t.array)
    assert not np.shares_memory(minigrad.from_dlpack(a, copy=True).array, a)
    assert np.shares_memory(minigrad.from_dlpack(a, device="cpu", copy=False).array, a)


def test_dlpack_refuses_what_cannot_be_shared():
    backwards = minigrad.arange(3)[::-1]
    for copy in (None, False):
        with pytest.raises(BufferError, match=r"read no memory backwards, as the strides \(-8,\) .* x.contiguous\(\)"):
            np.from_dlpack(backwards, copy=copy)
    assert np.from_dlpack(backwards, copy=True).tolist() == [2, 1, 0]
    assert np.from_dlpack(backwards.contiguous()).tolist() == [2, 1, 0]
    assert minigrad.from_dlpack(np.arange(3)[::-1]).tolist() == [2, 1, 0]
    x = minigrad.ones(2, requires_grad=True)
    for refused in (x, x * 2):
        with pytest.raises(BufferError, match=r"__dlpack__: a tensor that requires grad cannot be .* x.detach\(\)"):
            np.from_dlpack(refused)
    assert np.shares_memory(np.from_dlpack(x.detach()), x.array)
    with pytest.raises((BufferError, ValueError), match="device"):  # before NumPy 2.3 it is a ValueError
        minigrad.ones(2).__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="stream"):
        minigrad.ones(2).__dlpack__(stream=1)
    assert minigrad.ones(2).__dlpack_device__() == (1, 0)


def test_from_dlpack_says_what_it_needs():
    class OnTheGPU:
        def __dlpack__(self, **options):
            raise AssertionError("not asked for")

        def __dlpack_device__(self):
            return (2, 0)

    class Odd(OnTheGPU):
        dtype = "bfloat16"

        def __dlpack__(self, **options):
            raise RuntimeError("Unsupported dtype in DLTensor.")

        def __dlpack_device__(self):
            return (1, 0)

    class Broken(Odd):
        def __dlpack__(self, **options):
            raise RuntimeError("out of order")

    for bad, kind, text in [
        (
            [1.0],
            TypeError,
            "from_dlpack: needs an object with __dlpack__ and __dlpack_device__, got list; use minigrad",
        ),
        (np.ones(2).__dlpack__(), TypeError, "from_dlpack: needs an object with __dlpack__ .* got PyCapsule"),
        (np.ones(2, dtype=np.complex64), TypeError, "dtype complex64 is not supported"),
        (np.ones(2, dtype=np.uint16), TypeError, "dtype uint16 is not supported"),
        (OnTheGPU(), RuntimeError, r"from_dlpack: the only device is the CPU, DLPack's \(1, 0\), got \(2, 0\)"),
        (Odd(), TypeError, "from_dlpack: dtype bfloat16 is not supported; convert it first"),
        (Broken(), RuntimeError, "out of order"),
    ]:
        with pytest.raises(kind, match=text):
            minigrad.from_dlpack(bad)
    with pytest.raises(RuntimeError, match='from_dlpack: the only device is "cpu", got'):
        minigrad.from_dlpack(np.ones(2), device="cuda")


@pytest.mark.reference
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dlpack_to_pytorch_and_back_shares_memory(dtype, layout):
    torch = pytest.importorskip("torch")
    t = LAYOUTS[layout](minigrad.tensor(np.arange(12).reshape(3, 4) % 2, dtype=dtype))
    theirs = torch.from_dlpack(t)
    assert theirs.tolist() == t.tolist() and str(theirs.dtype) == f"torch.{dtype.name}"
    assert theirs.data_ptr() == t.array.ctypes.data or not t.numel()
    back = minigrad.from_dlpack(theirs)
    assert back.dtype == dtype and back.tolist() == t.tolist()
    assert np.shares_memory(back.array, t.array) or not t.numel()


@pytest.mark.reference
def test_dlpack_with_pytorch_in_the_details():
    torch = pytest.importorskip("torch")
    t = minigrad.zeros(3)
    torch.from_dlpack(t)[0] = 5.0
    assert t.tolist() == [5.0, 0.0, 0.0]
    theirs = torch.zeros(2)
    minigrad.from_dlpack(theirs)[1] = 6.0
    assert theirs.tolist() == [0.0, 6.0]
    assert minigrad.from_dlpack(torch.arange(6).reshape(2, 3).T).tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(BufferError, match=r"use x\.contiguous"):  # PyTorch would end the process
        torch.from_dlpack(t[::-1])
    with pytest.raises(BufferError, match=r"x.detach\(\)"):
        torch.from_dlpack(minigrad.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="detach"):
        minigrad.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"from_dlpack: dtype torch\.bfloat16 is not supported"):
        minigrad.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
