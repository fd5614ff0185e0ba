"""Optimizer steps, compiled: one pass over a parameter and its state, in place, on threads if it is large.

Many parameters are looked at together, and then updated by one call each, of less than a microsecond. One flat
buffer for all of them would not be faster: gradients come as arrays of their own, and to copy one into a second buffer
takes as long as the call. Nor would one call for many arrays: it must look at each of them as well, and machine code
for sixteen arrays takes seconds to compile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import reference, shapes
from .gate import are_alike, gate_in_place
from .parallel import threaded_kernel

Array = np.ndarray

SMALL = 1 << 17  # arrays with fewer numbers are updated on the calling thread, without asking for others


@gate_in_place(reference.sgd_update, "p", "momentum_buffer")
def sgd_update(
    p: Array,
    g: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """Compiled twin of `reference.sgd_update`."""
    shapes.require_shape("sgd_update", "the gradient", g, p.shape)
    shapes.require_shape("sgd_update", "momentum_buffer", momentum_buffer, p.shape)
    if momentum != 0 and momentum_buffer is None:
        raise ValueError("sgd_update: momentum needs a momentum_buffer of the parameter's shape, got None")
    _sgd([p], [g], [momentum_buffer], [first], lr, momentum, dampening, weight_decay, nesterov, maximize)


def sgd_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    momentum_buffers: Sequence[Array | None],
    firsts: Sequence[bool],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """Compiled twin of `reference.sgd_updates`."""
    if momentum == 0:
        dtype = ps[0].dtype if len(ps) else None
        entry = None if dtype is None else _sgd_step.kernel.entries.get(dtype.char)
        lr, decay, sign = float(lr), float(weight_decay), -1.0 if maximize else 1.0
        for p, g in zip(ps, gs, strict=True):
            n = p.size
            if (
                n < SMALL
                and entry is not None
                and p.dtype is dtype is g.dtype
                and p.shape == g.shape
                and p.flags.carray
                and g.flags.carray
                and type(p) is type(g) is np.ndarray
            ):
                entry(p.ravel(), 1, n, (g.ravel(), lr, decay, sign))
            else:
                sgd_update(p, g, None, lr, momentum, dampening, weight_decay, nesterov, maximize, True)
    elif are_alike(ps, gs, momentum_buffers):
        _sgd(ps, gs, momentum_buffers, firsts, lr, momentum, dampening, weight_decay, nesterov, maximize)
    else:
        for p, g, buffer, first in zip(ps, gs, momentum_buffers, firsts, strict=True):
            sgd_update(p, g, buffer, lr, momentum, dampening, weight_decay, nesterov, maximize, first)


@gate_in_place(reference.adam_update, "p", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
def adam_update(
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """Compiled twin of `reference.adam_update`."""
    arrays = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    for name, a in {"the gradient": g, **arrays}.items():
        shapes.require_shape("adam_update", name, a, p.shape)
    options = lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    _adam([p], [g], [exp_avg], [exp_avg_sq], [max_exp_avg_sq], [step], *options)


def adam_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array | None],
    steps: Sequence[int],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """Compiled twin of `reference.adam_updates`."""
    options = lr, beta1, beta2, eps, weight_decay, decoupled, maximize
    kinds: list[Sequence[Array | None]] = [ps, gs, exp_avgs, exp_avg_sqs]
    if any(a is not None for a in max_exp_avg_sqs):
        kinds.append(max_exp_avg_sqs)
    if are_alike(*kinds):
        _adam(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, *options)
    else:
        for *arrays, step in zip(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, strict=True):
            adam_update(*arrays, step, *options)


def _sgd(
    ps: Sequence[Array],
    gs: Sequence[Array],
    momentum_buffers: Sequence[Array | None],
    firsts: Sequence[bool],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """sgd_updates of arrays that passed the gate."""
    options = float(lr), float(weight_decay), -1.0 if maximize else 1.0
    more = float(momentum), float(1 - dampening), bool(nesterov)
    for p, g, buffer, first in zip(ps, gs, momentum_buffers, firsts, strict=True):
        if momentum == 0:
            _sgd_step(p.size, 0.08 * p.size, p.ravel(), g.ravel(), *options)
        else:
            assert buffer is not None
            _momentum_step(p.size, 0.15 * p.size, p.ravel(), g.ravel(), buffer.ravel(), bool(first), *options, *more)


def _adam(
    ps: Sequence[Array],
    gs: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array | None],
    steps: Sequence[int],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """adam_updates of arrays that passed the gate."""
    shrink, decay = float(1 - lr * weight_decay if decoupled else 1), float(0 if decoupled else weight_decay)
    before = shrink, decay, -1.0 if maximize else 1.0, float(1 - beta1), float(beta2), float(1 - beta2), float(eps)
    for p, g, m, v, largest, step in zip(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, strict=True):
        amsgrad = largest is not None
        arrays = p.ravel(), g.ravel(), m.ravel(), v.ravel(), (largest if amsgrad else v).ravel()
        rates = float(lr / (1 - beta1**step)), float((1 - beta2**step) ** 0.5)
        _adam_step(p.size, 0.5 * p.size, *arrays, amsgrad, *before, *rates)


@threaded_kernel
def _sgd_step(first: int, last: int, p: Array, g: Array, lr: float, weight_decay: float, sign: float) -> None:
    """p, g (n,); sign is that of the gradient."""
    p, g, kind = p[first:last], g[first:last], p.dtype.type
    lr, decay, sign = kind(lr), kind(weight_decay), kind(sign)
    if decay == 0:  # an infinite parameter times 0 would be NaN
        for i in range(p.size):
            p[i] -= lr * (sign * g[i])
    else:
        for i in range(p.size):
            p[i] -= lr * (sign * g[i] + decay * p[i])


@threaded_kernel
def _momentum_step(
    first: int,
    last: int,
    p: Array,
    g: Array,
    buffer: Array,
    begin: bool,
    lr: float,
    weight_decay: float,
    sign: float,
    momentum: float,
    gain: float,
    nesterov: bool,
) -> None:
    """p, g, buffer (n,); gain is 1 - dampening, and at the beginning the buffer is not read."""
    p, g, buffer, kind = p[first:last], g[first:last], buffer[first:last], p.dtype.type
    lr, decay, sign, m, gain = kind(lr), kind(weight_decay), kind(sign), kind(momentum), kind(gain)
    for i in range(p.size):
        old, step = p[i], sign * g[i]
        step = step if decay == 0 else step + decay * old
        b = step if begin else m * buffer[i] + gain * step
        buffer[i] = b
        p[i] = old - lr * (step + m * b if nesterov else b)


@threaded_kernel
def _adam_step(
    first: int,
    last: int,
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    largest: Array,
    amsgrad: bool,
    shrink: float,
    weight_decay: float,
    sign: float,
    gain1: float,
    beta2: float,
    gain2: float,
    eps: float,
    step_size: float,
    correction: float,
) -> None:
    """All arrays (n,). shrink is what decoupled weight decay leaves of p, and a gain is 1 - beta."""
    p, g, exp_avg, kind = p[first:last], g[first:last], exp_avg[first:last], p.dtype.type
    exp_avg_sq, largest = exp_avg_sq[first:last], largest[first:last]
    shrink, decay, sign, eps = kind(shrink), kind(weight_decay), kind(sign), kind(eps)
    gain1, beta2, gain2 = kind(gain1), kind(beta2), kind(gain2)
    step_size, correction = kind(step_size), kind(correction)
    for i in range(p.size):
        x, g_i = p[i] * shrink, sign * g[i]
        g_i = g_i if decay == 0 else g_i + decay * x
        m = exp_avg[i] + gain1 * (g_i - exp_avg[i])
        v = beta2 * exp_avg_sq[i] + gain2 * (g_i * g_i)
        exp_avg[i], exp_avg_sq[i] = m, v
        if amsgrad:
            v = v if v > largest[i] or np.isnan(v) else largest[i]
            largest[i] = v
        p[i] = x - step_size * m / (np.sqrt(v) / correction + eps)
