"""Optimizer steps, compiled: one pass over all parameters and their state, in place, on threads if they are large.

All parameters of a group are updated by one call of a kernel; see `many`. One flat buffer for all of them would not be
faster: gradients come as arrays of their own, and to copy one into a second buffer takes as long as to update it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import many, reference, shapes
from .gate import gate_in_place
from .parallel import ThreadedKernel, threaded_kernel

Array = np.ndarray

# About how many nanoseconds an element takes on one thread.
SGD, MOMENTUM, ADAM = 0.08, 0.15, 0.3


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
    options = lr, momentum, dampening, weight_decay, nesterov, maximize
    if not try_sgd_updates([p], [g], [momentum_buffer], first, *options):
        reference.sgd_update(p, g, momentum_buffer, *options, first)


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
    options = lr, momentum, dampening, weight_decay, nesterov, maximize
    together = len(ps) > 0 and (momentum == 0 or all(firsts) or not any(firsts))
    if not (together and try_sgd_updates(ps, gs, momentum_buffers, firsts[0], *options)):
        for p, g, buffer, first in zip(ps, gs, momentum_buffers, firsts, strict=True):
            sgd_update(p, g, buffer, *options, first)


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
    if not try_adam_updates([p], [g], [exp_avg], [exp_avg_sq], [max_exp_avg_sq], step, *options):
        reference.adam_update(p, g, exp_avg, exp_avg_sq, max_exp_avg_sq, step, *options)


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
    if len(set(steps)) > 1 or len(set(map(type, max_exp_avg_sqs))) > 1:  # those at one step together, and AMSGrad
        groups = [*zip(steps, map(type, max_exp_avg_sqs), strict=True)]
        for group in dict.fromkeys(groups):
            which = [i for i, other in enumerate(groups) if other == group]
            kinds = ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps
            some: list[Any] = [[kind[i] for i in which] for kind in kinds]
            adam_updates(*[*some, *options])
    elif steps and not try_adam_updates(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps[0], *options):
        for *arrays, step in zip(ps, gs, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, strict=True):
            adam_update(*arrays, step, *options)


def try_sgd_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    momentum_buffers: Sequence[Array | None],
    first: bool,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> bool:
    """Compiled twin of `reference.try_sgd_updates`; False if the arrays are not as kernels need them, or do not fit."""
    options = float(lr), float(weight_decay), -1.0 if maximize else 1.0
    if momentum == 0:
        return many.run(_sgd_step, SGD, [ps, gs], options)
    more = float(momentum), float(1 - dampening), bool(nesterov), bool(first)
    return many.run(_momentum_step, MOMENTUM, [ps, gs, momentum_buffers], (*options, *more))


def try_adam_updates(
    ps: Sequence[Array],
    gs: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array | None],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> bool:
    """Compiled twin of `reference.try_adam_updates`; False as for `try_sgd_updates`."""
    amsgrad = max_exp_avg_sqs[0] is not None
    shrink, decay = float(1 - lr * weight_decay if decoupled else 1), float(0 if decoupled else weight_decay)
    before = shrink, decay, -1.0 if maximize else 1.0, float(1 - beta1), float(beta2), float(1 - beta2), float(eps)
    rates = float(lr / (1 - beta1**step)), float((1 - beta2**step) ** 0.5)
    arrays = [ps, gs, exp_avgs, exp_avg_sqs, *([max_exp_avg_sqs] if amsgrad else [])]
    return many.run(_amsgrad_step if amsgrad else _adam_step, ADAM, arrays, (*before, *rates))


@threaded_kernel
def _sgd_step(
    first: int,
    last: int,
    like: Array,
    place: int,
    count: int,
    lr: float,
    weight_decay: float,
    sign: float,
) -> None:
    """At the place: parameters, and gradients; sign is that of the gradient."""
    many.require_alike(place, count)
    kind = like.dtype.type
    lr, decay, sign = kind(lr), kind(weight_decay), kind(sign)
    for k in range(count):
        p, g = many.part(like, place, 1 + k, first, last), many.part(like, place, 1 + count + k, first, last)
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
    like: Array,
    place: int,
    count: int,
    lr: float,
    weight_decay: float,
    sign: float,
    momentum: float,
    gain: float,
    nesterov: bool,
    begin: bool,
) -> None:
    """At the place: parameters, gradients, buffers, not read at the beginning; gain is 1 - dampening."""
    many.require_alike(place, count)
    kind = like.dtype.type
    lr, decay, sign, m, gain = kind(lr), kind(weight_decay), kind(sign), kind(momentum), kind(gain)
    for k in range(count):
        p, g = many.part(like, place, 1 + k, first, last), many.part(like, place, 1 + count + k, first, last)
        buffer = many.part(like, place, 1 + 2 * count + k, first, last)
        for i in range(p.size):
            old, step = p[i], sign * g[i]
            step = step if decay == 0 else step + decay * old
            b = step if begin else m * buffer[i] + gain * step
            buffer[i] = b
            p[i] = old - lr * (step + m * b if nesterov else b)


def _adam_kernel(amsgrad: bool) -> ThreadedKernel:
    """Adam's kernel, or AMSGrad's: one for both would have to say in its loop what `largest` is where there is none."""

    def _adam_step(
        first: int,
        last: int,
        like: Array,
        place: int,
        count: int,
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
        """At the place: parameters, gradients, their averages, those of squares, for amsgrad the largest of these.

        shrink is what decoupled weight decay leaves of p, and a gain is 1 - beta.
        """
        many.require_alike(place, count)
        kind = like.dtype.type
        shrink, decay, sign, eps = kind(shrink), kind(weight_decay), kind(sign), kind(eps)
        gain1, beta2, gain2 = kind(gain1), kind(beta2), kind(gain2)
        step_size, correction = kind(step_size), kind(correction)
        for k in range(count):
            p, g = many.part(like, place, 1 + k, first, last), many.part(like, place, 1 + count + k, first, last)
            exp_avg = many.part(like, place, 1 + 2 * count + k, first, last)
            exp_avg_sq = many.part(like, place, 1 + 3 * count + k, first, last)
            largest = many.part(like, place, 1 + 4 * count + k, first, last) if amsgrad else exp_avg_sq
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

    _adam_step.__name__ = _adam_step.__qualname__ = "_amsgrad_step" if amsgrad else "_adam_step"
    return threaded_kernel(_adam_step)


_adam_step, _amsgrad_step = _adam_kernel(False), _adam_kernel(True)
