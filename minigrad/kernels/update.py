"""Optimizer steps, compiled: one pass over the parameter and its state, in place."""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import gate_in_place
from .jit import helper, kernel

Array = np.ndarray


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
    _sgd_update(
        p.reshape(-1),
        g.reshape(-1),
        momentum_buffer.reshape(-1),
        float(lr),
        float(momentum),
        float(1 - dampening),
        float(weight_decay),
        bool(nesterov),
        bool(maximize),
        bool(first),
    )


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
    options = (
        float(1 - lr * weight_decay if decoupled else 1),
        float(0 if decoupled else weight_decay),
        float(1 - beta1),
        float(beta2),
        float(1 - beta2),
        float(lr / (1 - beta1**step)),
        float((1 - beta2**step) ** 0.5),
        float(eps),
        bool(maximize),
    )
    state = p.reshape(-1), g.reshape(-1), exp_avg.reshape(-1), exp_avg_sq.reshape(-1)
    if max_exp_avg_sq is None:
        _adam_update(*state, *options)
    else:
        _amsgrad_update(*state, max_exp_avg_sq.reshape(-1), *options)


@kernel
def _sgd_update(
    p: Array,
    g: Array,
    buffer: Array,
    lr: float,
    momentum: float,
    gain: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """All arrays (n,); the buffer is used with momentum only, and gain is 1 - dampening."""
    kind = p.dtype.type
    lr, m, gain, decay = kind(lr), kind(momentum), kind(gain), kind(weight_decay)
    for i in range(p.size):
        step = -g[i] if maximize else g[i]
        if decay != 0:
            step += decay * p[i]
        if m != 0:
            buffer[i] = step if first else m * buffer[i] + gain * step
            step = step + m * buffer[i] if nesterov else buffer[i]
        p[i] -= lr * step


@kernel
def _adam_update(
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    shrink: float,
    weight_decay: float,
    gain1: float,
    beta2: float,
    gain2: float,
    step_size: float,
    correction: float,
    eps: float,
    maximize: bool,
) -> None:
    """All arrays (n,); shrink is what decoupled weight decay leaves of p, and a gain is 1 - beta."""
    shrink, decay, gain1, beta2, gain2, step_size, correction, eps = _in_dtype(
        p, shrink, weight_decay, gain1, beta2, gain2, step_size, correction, eps
    )
    for i in range(p.size):
        x = p[i] * shrink
        m, v = _averages(x, -g[i] if maximize else g[i], exp_avg[i], exp_avg_sq[i], decay, gain1, beta2, gain2)
        exp_avg[i], exp_avg_sq[i] = m, v
        p[i] = x - step_size * m / (np.sqrt(v) / correction + eps)


@kernel
def _amsgrad_update(
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array,
    shrink: float,
    weight_decay: float,
    gain1: float,
    beta2: float,
    gain2: float,
    step_size: float,
    correction: float,
    eps: float,
    maximize: bool,
) -> None:
    """As _adam_update, with the largest average of squares so far."""
    shrink, decay, gain1, beta2, gain2, step_size, correction, eps = _in_dtype(
        p, shrink, weight_decay, gain1, beta2, gain2, step_size, correction, eps
    )
    for i in range(p.size):
        x = p[i] * shrink
        m, v = _averages(x, -g[i] if maximize else g[i], exp_avg[i], exp_avg_sq[i], decay, gain1, beta2, gain2)
        exp_avg[i], exp_avg_sq[i] = m, v
        if v > max_exp_avg_sq[i] or np.isnan(v):
            max_exp_avg_sq[i] = v
        p[i] = x - step_size * m / (np.sqrt(max_exp_avg_sq[i]) / correction + eps)


@helper
def _in_dtype(
    p: Array,
    shrink: float,
    decay: float,
    gain1: float,
    beta2: float,
    gain2: float,
    step_size: float,
    correction: float,
    eps: float,
) -> tuple[float, ...]:
    """Adam's numbers in the dtype of p, in which the arithmetic is then done."""
    kind = p.dtype.type
    return (
        kind(shrink),
        kind(decay),
        kind(gain1),
        kind(beta2),
        kind(gain2),
        kind(step_size),
        kind(correction),
        kind(eps),
    )


@helper
def _averages(
    p: float, g: float, m: float, v: float, decay: float, gain1: float, beta2: float, gain2: float
) -> tuple[float, float]:
    """The running averages of one element's gradient and its square, one step on."""
    if decay != 0:
        g = g + decay * p
    return m + gain1 * (g - m), beta2 * v + gain2 * (g * g)
