"""Elementwise functions: those that NumPy lacks, and those where one pass does what would take NumPy several."""

from __future__ import annotations

import math

import numpy as np

from . import reference, shapes
from .gate import Out, gate, output
from .jit import kernel
from .parallel import threaded_kernel

Array = np.ndarray


@gate(reference.erf)
def erf(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.erf`."""
    y = output("erf", out, x.shape, x.dtype)
    _erf(x.reshape(-1), y.reshape(-1))
    return y


@gate(reference.relu)
def relu(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.relu`."""
    y = output("relu", out, x.shape, x.dtype)
    _relu(x.size, 0.1 * x.size, x.reshape(-1), y.reshape(-1))
    return y


@gate(reference.relu_backward)
def relu_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.relu_backward`."""
    shapes.require_shape("relu_backward", "the output", y, g.shape)
    gx = output("relu_backward", out, g.shape, g.dtype)
    _relu_backward(g.size, 0.1 * g.size, g.reshape(-1), y.reshape(-1), gx.reshape(-1))
    return gx


@kernel
def _erf(x: Array, y: Array) -> None:
    """x, y (n,)"""
    for i in range(x.size):
        y[i] = math.erf(x[i])


@threaded_kernel
def _relu(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    zero = x.dtype.type(0)
    for i in range(first, last):
        y[i] = zero if x[i] <= 0 else x[i]


@threaded_kernel
def _relu_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (n,)"""
    zero = g.dtype.type(0)
    for i in range(first, last):
        gx[i] = zero if y[i] == 0 else g[i]
