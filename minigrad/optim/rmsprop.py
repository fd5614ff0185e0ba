"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import checks
from .optimizer import Gradients, Group, Optimizer, Params, check_differentiable, count_step, no_steps, zeros_for

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop: each element's gradient is divided by the root of a running mean of its square.

        g = g + weight_decay p
        v = alpha v + (1 - alpha) g^2
        a = alpha a + (1 - alpha) g,  s = v - a^2       (centered; else s = v)
        b = momentum b + g / (sqrt(s) + eps)
        p = p - lr b

    params       : Tensors, (name, Tensor) pairs, or param groups; see `Optimizer`
    lr           : learning rate >= 0
    alpha        : what is kept of the running means, >= 0
    eps          : >= 0, keeps the division finite; added after the root, as in PyTorch
    weight_decay : L2 penalty >= 0, added to the gradient
    momentum     : what is kept of the last direction b, >= 0
    centered     : divide by an estimate of the gradient's standard deviation
    maximize     : climb instead of descending

    State: `step`, `square_avg` (v), with momentum `momentum_buffer` (b), centered `grad_avg` (a). Raises ValueError
    or TypeError for options out of range.

    Sources: Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, 2012; Graves, "Generating
    sequences with recurrent neural networks", arXiv:1308.0850, for the centered form.

    >>> import minigrad
    >>> w = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = minigrad.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w                           # 0.01 / sqrt(1 - 0.99) = 0.1
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    state_names: ClassVar[tuple[str, ...]] = ("step", "square_avg", "momentum_buffer", "grad_avg")
    required_names: ClassVar[tuple[str, ...]] = ("step", "square_avg")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_differentiable("RMSprop", differentiable)
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def check_options(self, options: dict[str, Any], owner: str) -> None:
        """Raise TypeError or ValueError, beginning with `owner`, for an option out of its range."""
        for name in ("lr", "alpha", "eps", "weight_decay", "momentum"):
            checks.number(owner, name, options[name], " >= 0")
        for name in ("centered", "maximize"):
            checks.flag(owner, name, options[name])

    def update(self, group: Group, gradients: Gradients) -> None:
        """Move the parameters one step; see the class."""
        momentum, centered = float(group["momentum"]), group["centered"]
        numbers = (float(group[name]) for name in ("lr", "alpha", "eps", "weight_decay", "momentum"))
        options = (*numbers, group["maximize"])
        for p, g in gradients:
            state = self.state[p]
            if not state:
                state.update(step=no_steps(), square_avg=zeros_for(p))
            if momentum != 0 and "momentum_buffer" not in state:
                state["momentum_buffer"] = zeros_for(p)
            if centered and "grad_avg" not in state:
                state["grad_avg"] = zeros_for(p)
            count_step(state)
            buffer = state["momentum_buffer"].array if momentum != 0 else None
            mean = state["grad_avg"].array if centered else None
            _rmsprop_update(p.array, g, state["square_avg"].array, mean, buffer, *options)


@np.errstate(all="ignore")
def _rmsprop_update(
    p: np.ndarray,
    g: np.ndarray,
    square_avg: np.ndarray,
    grad_avg: np.ndarray | None,
    momentum_buffer: np.ndarray | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop; p and the three state arrays change in place. All arrays have p's shape."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * p
    square_avg *= alpha
    square_avg += (1 - alpha) * (g * g)
    if grad_avg is None:
        scale = np.sqrt(square_avg)
    else:
        grad_avg += (1 - alpha) * (g - grad_avg)
        scale = np.sqrt(square_avg - grad_avg * grad_avg)
    scale += eps
    direction = g / scale
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        momentum_buffer += direction
        direction = momentum_buffer
    p -= lr * direction
