"""Limits on gradients, applied between `backward()` and the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ... import autograd
from ...ops.common import quiet
from ...tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@autograd.no_grad
@quiet
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by one factor, so that their norm, taken over all of them together, is at most `max_norm`.

    The factor is min(1, max_norm / (total + 1e-6)), `total` being the `norm_type`-norm (inf: the largest absolute
    value). Gives back `total`, from before the scaling. `error_if_nonfinite` raises RuntimeError, and leaves the
    gradients alone, if it is NaN or infinite. `foreach` is PyTorch's, and has no effect.

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.

    >>> import minigrad
    >>> w = minigrad.nn.Parameter(minigrad.zeros(2))
    >>> w.grad = minigrad.tensor([3.0, 4.0])
    >>> minigrad.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    grads = _gradients("clip_grad_norm_", parameters)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must not be negative, got {max_norm}")
    norms = [np.linalg.norm(g.array.reshape(-1), norm_type) for g in grads]
    total = np.linalg.norm(np.stack(norms), norm_type) if norms else np.float32(0)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients, of order {norm_type}, is {total}, so scaling cannot help; no "
            "gradient was changed. error_if_nonfinite=False scales all the same"
        )
    factor = min(1.0, float(max_norm / (total + 1e-6))) if not np.isnan(total) else float("nan")
    for g in grads:
        g.mul_(factor)
    return autograd.wrap(total)


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
    grads = _gradients("clip_grad_value_", parameters)
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must not be negative, got {clip_value}")
    for g in grads:
        g.clamp_(-clip_value, clip_value)


def _gradients(op: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients of those that have one."""
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in listed:
        if not isinstance(p, Tensor):
            raise TypeError(f"{op}: parameters must be Tensors, such as model.parameters(), got {type(p).__name__}")
    return [p.grad for p in listed if p.grad is not None]
