"""Optimizer steps, compiled: one pass over a parameter and its state, in place, and one call for many parameters.

A call costs about a microsecond, which is longer than the update of a bias. `sgd_updates` and `adam_updates` hand
`TOGETHER` parameters at a time to the compiled code, as tuples of that length, for the length is part of the type
that the code is compiled for; empty arrays fill up the last ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import reference, shapes
from .gate import are_alike, gate_in_place
from .jit import helper, kernel

Array = np.ndarray

TOGETHER = 8


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
    if momentum == 0:
        momentum_buffer = p  # not touched
    elif momentum_buffer is None:
        raise ValueError("sgd_update: momentum needs a momentum_buffer of the parameter's shape, got None")
    options = _sgd_options(lr, momentum, dampening, weight_decay, nesterov, maximize, first)
    for state in _together([p], [g], [momentum_buffer]):
        _sgd_updates(state[0][0], *state, *options)


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
    buffers = ps if momentum == 0 else momentum_buffers
    if _all_equal(firsts) and are_alike(ps, gs, buffers):
        options = _sgd_options(lr, momentum, dampening, weight_decay, nesterov, maximize, firsts[0])
        for state in _together(ps, gs, buffers):
            _sgd_updates(state[0][0], *state, *options)
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
    largest = exp_avg_sq if max_exp_avg_sq is None else max_exp_avg_sq
    options = _adam_options(step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, max_exp_avg_sq is not None)
    for state in _together([p], [g], [exp_avg], [exp_avg_sq], [largest]):
        _adam_updates(state[0][0], *state, *options)


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
    amsgrad = any(a is not None for a in max_exp_avg_sqs)
    largest = max_exp_avg_sqs if amsgrad else exp_avg_sqs
    if _all_equal(steps) and are_alike(ps, gs, exp_avgs, exp_avg_sqs, largest):
        options = _adam_options(steps[0], lr, beta1, beta2, eps, weight_decay, decoupled, maximize, amsgrad)
        for state in _together(ps, gs, exp_avgs, exp_avg_sqs, largest):
            _adam_updates(state[0][0], *state, *options)
    else:
        options = lr, beta1, beta2, eps, weight_decay, decoupled, maximize
        for *arrays, step in zip(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, strict=True):
            adam_update(*arrays, step, *options)


def _all_equal(values: Sequence[Any]) -> bool:
    """Are there values, and is each of them equal to the first?"""
    return len(values) > 0 and all(value == values[0] for value in values)


def _together(*kinds: Sequence[Any]) -> Iterator[list[tuple[Array, ...]]]:
    """Of each kind (parameters, gradients, ...) TOGETHER flat arrays at a time, filled up with empty ones."""
    count = len(kinds[0])
    empty = (kinds[0][0].reshape(-1)[:0],) * (-count % TOGETHER)
    for start in range(0, count, TOGETHER):
        rest, flat = empty if start + TOGETHER > count else (), {}
        for kind in kinds:
            if id(kind) not in flat:  # one kind may stand in for another, which is not used
                flat[id(kind)] = tuple([a.reshape(-1) for a in kind[start : start + TOGETHER]]) + rest
        yield [flat[id(kind)] for kind in kinds]


def _sgd_options(
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first: bool
) -> tuple[Any, ...]:
    """What _sgd_updates takes after the arrays."""
    numbers = float(lr), float(momentum), float(1 - dampening), float(weight_decay)
    return *numbers, bool(nesterov), bool(maximize), bool(first)


def _adam_options(
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
    amsgrad: bool,
) -> tuple[Any, ...]:
    """What _adam_updates takes after the arrays."""
    return (
        float(1 - lr * weight_decay if decoupled else 1),
        float(0 if decoupled else weight_decay),
        float(1 - beta1),
        float(beta2),
        float(1 - beta2),
        float(lr / (1 - beta1**step)),
        float((1 - beta2**step) ** 0.5),
        float(eps),
        bool(maximize),
        bool(amsgrad),
    )


@kernel
def _sgd_updates(
    like: Array,
    ps: tuple[Array, ...],
    gs: tuple[Array, ...],
    buffers: tuple[Array, ...],
    lr: float,
    momentum: float,
    gain: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """Tuples of arrays (n,), of the dtype of `like`; gain is 1 - dampening."""
    kind = like.dtype.type
    lr, m, gain, decay = kind(lr), kind(momentum), kind(gain), kind(weight_decay)
    for k in range(len(ps)):
        _sgd_update(ps[k], gs[k], buffers[k], lr, m, gain, decay, nesterov, maximize, first)


@helper
def _sgd_update(
    p: Array,
    g: Array,
    buffer: Array,
    lr: float,
    m: float,
    gain: float,
    decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """All arrays (n,); the buffer is used with momentum only."""
    for i in range(p.size):
        step = -g[i] if maximize else g[i]
        if decay != 0:
            step += decay * p[i]
        if m != 0:
            buffer[i] = step if first else m * buffer[i] + gain * step
            step = step + m * buffer[i] if nesterov else buffer[i]
        p[i] -= lr * step


@kernel
def _adam_updates(
    like: Array,
    ps: tuple[Array, ...],
    gs: tuple[Array, ...],
    exp_avgs: tuple[Array, ...],
    exp_avg_sqs: tuple[Array, ...],
    max_exp_avg_sqs: tuple[Array, ...],
    shrink: float,
    weight_decay: float,
    gain1: float,
    beta2: float,
    gain2: float,
    step_size: float,
    correction: float,
    eps: float,
    maximize: bool,
    amsgrad: bool,
) -> None:
    """Tuples of arrays (n,), of the dtype of `like`.

    shrink is what decoupled weight decay leaves of p, and a gain is 1 - beta.
    """
    kind = like.dtype.type
    shrink, decay, gain1, beta2, gain2 = kind(shrink), kind(weight_decay), kind(gain1), kind(beta2), kind(gain2)
    step_size, correction, eps = kind(step_size), kind(correction), kind(eps)
    for k in range(len(ps)):
        p, g, exp_avg, exp_avg_sq, largest = ps[k], gs[k], exp_avgs[k], exp_avg_sqs[k], max_exp_avg_sqs[k]
        for i in range(p.size):
            x = p[i] * shrink
            g_i = -g[i] if maximize else g[i]
            if decay != 0:
                g_i = g_i + decay * x
            m = exp_avg[i] + gain1 * (g_i - exp_avg[i])
            v = beta2 * exp_avg_sq[i] + gain2 * (g_i * g_i)
            exp_avg[i], exp_avg_sq[i] = m, v
            if amsgrad:
                v = v if v > largest[i] or np.isnan(v) else largest[i]
                largest[i] = v
            p[i] = x - step_size * m / (np.sqrt(v) / correction + eps)
