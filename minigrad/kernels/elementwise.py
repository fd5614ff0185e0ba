"""Elementwise functions: those that NumPy lacks, and those where one pass does what would take NumPy several.

A kernel cuts its part out of the arrays first and counts from 0, because an index that might be negative is one that
the compiler makes no vector instructions for.
"""

from __future__ import annotations

import math

import numpy as np

from . import reference, shapes
from .exponential import erf as _erf_of
from .exponential import exp, expm1
from .gate import Out, gate, output
from .parallel import threaded_kernel

Array = np.ndarray

ROOT_HALF = math.sqrt(0.5)


@gate(reference.erf)
def erf(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.erf`."""
    y = output("erf", out, x.shape, x.dtype)
    _erf(x.size, 0.5 * x.size, x.ravel(), y.ravel())
    return y


@gate(reference.sigmoid)
def sigmoid(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.sigmoid`."""
    y = output("sigmoid", out, x.shape, x.dtype)
    _sigmoid(x.size, 0.3 * x.size, x.ravel(), y.ravel())
    return y


@gate(reference.sigmoid_backward)
def sigmoid_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.sigmoid_backward`."""
    shapes.require_shape("sigmoid_backward", "the output", y, g.shape)
    gx = output("sigmoid_backward", out, g.shape, g.dtype)
    _sigmoid_backward(g.size, 0.15 * g.size, g.ravel(), y.ravel(), gx.ravel())
    return gx


@gate(reference.tanh_backward)
def tanh_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.tanh_backward`."""
    shapes.require_shape("tanh_backward", "the output", y, g.shape)
    gx = output("tanh_backward", out, g.shape, g.dtype)
    _tanh_backward(g.size, 0.15 * g.size, g.ravel(), y.ravel(), gx.ravel())
    return gx


@gate(reference.silu)
def silu(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.silu`."""
    y = output("silu", out, x.shape, x.dtype)
    _silu(x.size, 0.3 * x.size, x.ravel(), y.ravel())
    return y


@gate(reference.silu_backward)
def silu_backward(g: Array, x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.silu_backward`."""
    shapes.require_shape("silu_backward", "the input", x, g.shape)
    gx = output("silu_backward", out, g.shape, g.dtype)
    _silu_backward(g.size, 0.4 * g.size, g.ravel(), x.ravel(), gx.ravel())
    return gx


@gate(reference.gelu)
def gelu(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.gelu`."""
    y = output("gelu", out, x.shape, x.dtype)
    _gelu(x.size, 0.5 * x.size, x.ravel(), y.ravel())
    return y


@gate(reference.gelu_backward)
def gelu_backward(g: Array, x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.gelu_backward`."""
    shapes.require_shape("gelu_backward", "the input", x, g.shape)
    gx = output("gelu_backward", out, g.shape, g.dtype)
    _gelu_backward(g.size, 0.7 * g.size, g.ravel(), x.ravel(), gx.ravel())
    return gx


@gate(reference.relu)
def relu(x: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.relu`."""
    y = output("relu", out, x.shape, x.dtype)
    _relu(x.size, 0.1 * x.size, x.ravel(), y.ravel())
    return y


@gate(reference.relu_backward)
def relu_backward(g: Array, y: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.relu_backward`."""
    shapes.require_shape("relu_backward", "the output", y, g.shape)
    gx = output("relu_backward", out, g.shape, g.dtype)
    _relu_backward(g.size, 0.1 * g.size, g.ravel(), y.ravel(), gx.ravel())
    return gx


@gate(reference.leaky_relu)
def leaky_relu(x: Array, slope: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.leaky_relu`."""
    y = output("leaky_relu", out, x.shape, x.dtype)
    _leaky_relu(x.size, 0.1 * x.size, x.ravel(), x.ravel(), y.ravel(), float(slope))
    return y


@gate(reference.leaky_relu_backward)
def leaky_relu_backward(g: Array, x: Array, slope: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.leaky_relu_backward`."""
    shapes.require_shape("leaky_relu_backward", "the input", x, g.shape)
    gx = output("leaky_relu_backward", out, g.shape, g.dtype)
    _leaky_relu(g.size, 0.1 * g.size, g.ravel(), x.ravel(), gx.ravel(), float(slope))
    return gx


@gate(reference.elu)
def elu(x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.elu`."""
    y = output("elu", out, x.shape, x.dtype)
    _elu(x.size, 0.4 * x.size, x.ravel(), y.ravel(), float(alpha), float(rate))
    return y


@gate(reference.elu_backward)
def elu_backward(g: Array, x: Array, alpha: float, rate: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.elu_backward`."""
    shapes.require_shape("elu_backward", "the input", x, g.shape)
    gx = output("elu_backward", out, g.shape, g.dtype)
    _elu_backward(g.size, 0.4 * g.size, g.ravel(), x.ravel(), gx.ravel(), float(alpha), float(rate))
    return gx


@gate(reference.softplus_backward)
def softplus_backward(g: Array, x: Array, beta: float, threshold: float, *, out: Out = None) -> Array:
    """Compiled twin of `reference.softplus_backward`."""
    shapes.require_shape("softplus_backward", "the input", x, g.shape)
    gx = output("softplus_backward", out, g.shape, g.dtype)
    flat = g.ravel(), x.ravel(), gx.ravel()
    _softplus_backward(g.size, 0.4 * g.size, *flat, float(beta), float(threshold))
    return gx


@threaded_kernel
def _erf(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    x, y = x[first:last], y[first:last]
    for i in range(x.size):
        y[i] = _erf_of(x[i])


@threaded_kernel
def _sigmoid(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    x, y, one = x[first:last], y[first:last], x.dtype.type(1)
    for i in range(x.size):
        y[i] = one / (one + exp(-x[i]))


@threaded_kernel
def _sigmoid_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (n,)"""
    g, y, gx, one = g[first:last], y[first:last], gx[first:last], g.dtype.type(1)
    for i in range(g.size):
        gx[i] = g[i] * (y[i] * (one - y[i]))


@threaded_kernel
def _tanh_backward(first: int, last: int, g: Array, y: Array, gx: Array) -> None:
    """g, y, gx (n,)"""
    g, y, gx, one = g[first:last], y[first:last], gx[first:last], g.dtype.type(1)
    for i in range(g.size):
        gx[i] = g[i] * (one - y[i] * y[i])


@threaded_kernel
def _silu(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    x, y, one = x[first:last], y[first:last], x.dtype.type(1)
    for i in range(x.size):
        y[i] = x[i] * (one / (one + exp(-x[i])))


@threaded_kernel
def _silu_backward(first: int, last: int, g: Array, x: Array, gx: Array) -> None:
    """g, x, gx (n,)"""
    g, x, gx, one = g[first:last], x[first:last], gx[first:last], g.dtype.type(1)
    for i in range(g.size):
        s = one / (one + exp(-x[i]))
        gx[i] = g[i] * (s * (one + x[i] * (one - s)))


@threaded_kernel
def _gelu(first: int, last: int, x: Array, y: Array) -> None:
    """x, y (n,)"""
    x, y, kind = x[first:last], y[first:last], x.dtype.type
    one, half, root = kind(1), kind(0.5), kind(ROOT_HALF)
    for i in range(x.size):
        y[i] = x[i] * (_erf_of(x[i] * root) + one) * half


@threaded_kernel
def _gelu_backward(first: int, last: int, g: Array, x: Array, gx: Array) -> None:
    """g, x, gx (n,)"""
    g, x, gx, kind = g[first:last], x[first:last], gx[first:last], g.dtype.type
    one, half, root, scale = kind(1), kind(0.5), kind(ROOT_HALF), kind(1 / math.sqrt(2 * math.pi))
    for i in range(g.size):
        density = exp(x[i] * x[i] * -half) * scale
        gx[i] = g[i] * ((_erf_of(x[i] * root) + one) * half + x[i] * density)


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
