"""Limits on gradients, applied between `backward()` and the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ... import autograd
from ...checks import number
from ...ops.common import quiet
from ...tensor import Tensor
from ..checks import tensors

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@autograd.no_grad
@quiet
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by one factor, so that their norm, taken over all of them together, is at most `max_norm`.

    The factor is min(1, max_norm / (total + 1e-6)), `total` being the `norm_type`-norm (inf: the largest absolute
    value), taken in float32 at least. Gives back `total`, from before the scaling, in the dtype of the gradients.
    `error_if_nonfinite` raises RuntimeError, and leaves the gradients alone, if it is NaN or infinite. `foreach` is
    PyTorch's, and has no effect.

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.

    >>> import minigrad
    >>> w = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> w.grad = minigrad.tensor([3.0, 4.0])
    >>> minigrad.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    number("clip_grad_norm_", "max_norm", max_norm, " >= 0", finite=False)
    order = _order(norm_type)
    grads = _gradients("clip_grad_norm_", parameters)
    arrays = [g.array.reshape(-1) for g in grads if g.array.size]
    norms = [np.linalg.norm(a.astype(np.promote_types(a.dtype, np.float32), copy=False), order) for a in arrays]
    total = np.linalg.norm(np.stack(norms), order) if norms else np.float32(0)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients, of order {order:g}, is {total}, so scaling cannot help; no "
            "gradient was changed. error_if_nonfinite=False scales all the same"
        )
    factor = min(1.0, float(max_norm / (total + 1e-6))) if not np.isnan(total) else float("nan")
    for g in grads:
        g.mul_(factor)
    return autograd.wrap(total.astype(np.result_type(*arrays)) if arrays else total)


@autograd.no_grad
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit each element of the gradients to [-clip_value, clip_value]. `foreach` is PyTorch's, and has no effect.

    >>> import minigrad
    >>> w = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> w.grad = minigrad.tensor([-3.0, 0.5])
    >>> minigrad.nn.utils.clip_grad_value_([w], clip_value=1.0)
    >>> w.grad
    tensor([-1.0000,  0.5000])
    """
    number("clip_grad_value_", "clip_value", clip_value, " >= 0", finite=False)
    for g in _gradients("clip_grad_value_", parameters):
        g.clamp_(-clip_value, clip_value)


def _gradients(op: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients of those that have one; RuntimeError if one cannot be written to."""
    grads = [p.grad for p in tensors(op, parameters) if p.grad is not None]
    for g in grads:
        if not g.array.flags.writeable:
            raise RuntimeError(
                f"{op}: the memory of a gradient of shape {tuple(g.shape)} is read-only, so no gradient was changed; "
                "make it one of its own with p.grad = p.grad.clone()"
            )
    return grads


def _order(norm_type: float | str) -> float:
    """The order of a norm: a number, or what stands for one, such as "inf"."""
    try:
        order = float(norm_type)
    except (TypeError, ValueError):
        order = math.nan
    if math.isnan(order):
        raise ValueError(f'clip_grad_norm_: norm_type must be a number or "inf", got norm_type={norm_type!r}')
    return order
