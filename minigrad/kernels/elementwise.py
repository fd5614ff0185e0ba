"""Elementwise functions: those that NumPy lacks, and those where one pass does what would take NumPy several.

A kernel cuts its part out of the arrays first and counts from 0, because an index that might be negative is one that
the compiler makes no vector instructions for.
"""

from __future__ import annotations

import math

import numpy as np

from . import reference, shapes
from .exponential import exp, expm1
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


@gate(reference.leaky_relu)
def leaky_relu(x: Array, slope: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.leaky_relu`."""
    y = output("leaky_relu", out, x.shape, x.dtype)
    _leaky_relu(x.size, 0.1 * x.size, x.reshape(-1), x.reshape(-1), y.reshape(-1), float(slope))
    return y


@gate(reference.leaky_relu_backward)
def leaky_relu_backward(g: Array, x: Array, slope: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.leaky_relu_backward`."""
    shapes.require_shape("leaky_relu_backward", "the input", x, g.shape)
    gx = output("leaky_relu_backward", out, g.shape, g.dtype)
    _leaky_relu(g.size, 0.1 * g.size, g.reshape(-1), x.reshape(-1), gx.reshape(-1), float(slope))
    return gx


@gate(reference.elu)
def elu(x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.elu`."""
    y = output("elu", out, x.shape, x.dtype)
    _elu(x.size, 0.4 * x.size, x.reshape(-1), y.reshape(-1), float(alpha), float(rate))
    return y


@gate(reference.elu_backward)
def elu_backward(g: Array, x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.elu_backward`."""
    shapes.require_shape("elu_backward", "the input", x, g.shape)
    gx = output("elu_backward", out, g.shape, g.dtype)
    _elu_backward(g.size, 0.4 * g.size, g.reshape(-1), x.reshape(-1), gx.reshape(-1), float(alpha), float(rate))
    return gx


@gate(reference.softplus_backward)
def softplus_backward(g: Array, x: Array, beta: float, threshold: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softplus_backward`."""
    shapes.require_shape("softplus_backward", "the input", x, g.shape)
    gx = output("softplus_backward", out, g.shape, g.dtype)
    flat = g.reshape(-1), x.reshape(-1), gx.reshape(-1)
    _softplus_backward(g.size, 0.4 * g.size, *flat, float(beta), float(threshold))
    return gx


@kernel
def _erf(x: Array, y: Array) -> None:
    """x, y (n,)"""
    for i in range(x.size):
        y[i] = math.erf(x[i])


@threaded_kernel
def _relu(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    x, y = x[first:last], y[first:last]
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] <= 0 else x[i]


@threaded_kernel
def _relu_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (n,)"""
    g, y, gx = g[first:last], y[first:last], gx[first:last]
    zero = g.dtype.type(0)
    for i in range(g.size):
        gx[i] = zero if y[i] == 0 else g[i]


@threaded_kernel
def _leaky_relu(first: int, last: int, g: Array, x: Array, gx: Array, slope: float) -> None:
    """g, x, gx (n,): g times the slope of leaky_relu at x. It gives leaky_relu itself where g is x."""
    g, x, gx = g[first:last], x[first:last], gx[first:last]
    slope = g.dtype.type(slope)
    for i in range(g.size):
        gx[i] = g[i] if x[i] > 0 else g[i] * slope


@threaded_kernel
def _elu(first: int, last: int, x: Array, y: Array, alpha: float, rate: float) -> None:
    """x, y (n,)"""
    x, y = x[first:last], y[first:last]
    kind = x.dtype.type
    zero, alpha, rate = kind(0), kind(alpha), kind(rate)
    for i in range(x.size):
        below = expm1((x[i] if x[i] <= 0 else zero) * rate) * alpha
        y[i] = below if x[i] <= 0 else x[i]


@threaded_kernel
def _elu_backward(first: int, last: int, g: Array, x: Array, gx: Array, alpha: float, rate: float) -> None:
    """g, x, gx (n,)"""
    g, x, gx = g[first:last], x[first:last], gx[first:last]
    kind = x.dtype.type
    zero, slope, rate = kind(0), kind(alpha * rate), kind(rate)
    for i in range(g.size):
        below = g[i] * (exp((x[i] if x[i] <= 0 else zero) * rate) * slope)
        gx[i] = below if x[i] <= 0 else g[i]


@threaded_kernel
def _softplus_backward(first: int, last: int, g: Array, x: Array, gx: Array, beta: float, threshold: float) -> None:
    """g, x, gx (n,)"""
    g, x, gx = g[first:last], x[first:last], gx[first:last]
    kind = x.dtype.type
    one, beta, threshold = kind(1), kind(beta), kind(threshold)
    for i in range(g.size):
        z = x[i] * beta
        gx[i] = g[i] if z > threshold else g[i] * (one / (one + exp(-z)))
