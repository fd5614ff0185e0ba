"""Elementwise functions: those that NumPy lacks, and those where one pass does what would take NumPy several.

A kernel cuts its part out of the arrays first and counts from 0, because an index that might be negative is one that
the compiler makes no vector instructions for. What the kernels are the loops of comes after them, a line for each
function of arrays alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import memory, reference, shapes
from .exponential import erf as _erf_of
from .exponential import exp, expm1
from .gate import Out, gate, output
from .look import FLOATS, look
from .parallel import ThreadedKernel, threaded_kernel

Array = np.ndarray

ROOT_HALF = math.sqrt(0.5)


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


# Up to so many numbers a kernel takes less time than what stands around it: the calls of gate, twin and kernel, the
# search for memory that can be used again, the question whether other threads are worth it. So few are less than the
# smallest piece of memory that is kept, and done before two threads would have a share: after one look at them they go
# to the machine code at once. With 16 numbers that takes about 0.7 microseconds for one array and 0.8 for two, in place
# of 1.05 and 1.17. The definitions in NumPy take 0.6 (relu), 1.1 (tanh_backward), 1.6 (sigmoid), 3.6 (silu_backward):
# to ask these instead would not pay at any size worth a rule, and so no result depends on the size.
SMALL = (memory.SMALLEST - 1) // 8


def _small_at_once(kernel: ThreadedKernel, arrays: int) -> Callable[[Callable], Callable]:
    """Decorate the gated twin of a function of one array, or of two, with a shorter way for small ones."""
    wanted = (FLOATS,) * arrays

    def decorate(gated: Callable) -> Callable:
        @functools.wraps(gated)
        def function(*args: Any, **options: Any) -> Any:
            if not options and len(args) == arrays and look(args, wanted):
                x, a = args[0], args[-1]
                if x.size <= SMALL and (a is x or a.shape == x.shape):
                    entry = kernel.entry(x.dtype.char)
                    if entry is not None:  # as it is before the first call
                        y = out = np.empty(x.shape, x.dtype)
                        if x.ndim != 1:
                            x, a, out = x.ravel(), a.ravel(), y.ravel()
                        entry(x, 1, x.size, (out,) if arrays == 1 else (a, out))
                        return y
            return gated(*args, **options)

        return function

    return decorate


def _twin(definition: Callable, kernel: ThreadedKernel, nanoseconds: float) -> Callable:
    """The compiled twin of a function of x, whose kernel takes so many nanoseconds for a number."""
    name = definition.__name__

    @_small_at_once(kernel, 1)
    @gate(definition)
    @functools.wraps(definition, assigned=("__name__", "__qualname__"))
    def twin(x: Array, *, out: Out = None) -> Array:
        y = memory.empty(x.shape, x.dtype) if out is None else output(name, out, x.shape, x.dtype)
        kernel(x.size, nanoseconds * x.size, x.ravel(), y.ravel())
        return y

    twin.__doc__ = f"Compiled twin of `reference.{name}`."
    return twin


def _backward_twin(definition: Callable, of: str, kernel: ThreadedKernel, nanoseconds: float) -> Callable:
    """The same for a gradient, a function of g and of what `of` says."""
    name = definition.__name__

    @_small_at_once(kernel, 2)
    @gate(definition)
    @functools.wraps(definition, assigned=("__name__", "__qualname__"))
    def twin(g: Array, a: Array, *, out: Out = None) -> Array:
        if a.shape != g.shape:
            shapes.require_shape(name, of, a, g.shape)
        gx = memory.empty(g.shape, g.dtype) if out is None else output(name, out, g.shape, g.dtype)
        kernel(g.size, nanoseconds * g.size, g.ravel(), a.ravel(), gx.ravel())
        return gx

    twin.__doc__ = f"Compiled twin of `reference.{name}`."
    return twin


erf = _twin(reference.erf, _erf, 0.5)
sigmoid = _twin(reference.sigmoid, _sigmoid, 0.3)
sigmoid_backward = _backward_twin(reference.sigmoid_backward, "the output", _sigmoid_backward, 0.15)
tanh_backward = _backward_twin(reference.tanh_backward, "the output", _tanh_backward, 0.15)
silu = _twin(reference.silu, _silu, 0.3)
silu_backward = _backward_twin(reference.silu_backward, "the input", _silu_backward, 0.4)
gelu = _twin(reference.gelu, _gelu, 0.5)
gelu_backward = _backward_twin(reference.gelu_backward, "the input", _gelu_backward, 0.7)
relu = _twin(reference.relu, _relu, 0.1)
relu_backward = _backward_twin(reference.relu_backward, "the output", _relu_backward, 0.1)


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
