"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..autograd import wrap
from ..tensor import Tensor
from .optimizer import Gradients, Group, Optimizer, Params, check_differentiable, count_step, no_steps

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad: each element's gradient is divided by the root of the sum of its squares so far.

        g = g + weight_decay p
        s = s + g^2                                      (s starts at initial_accumulator_value)
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    t counts the steps from 1.

    params       : Tensors, (name, Tensor) pairs, or param groups; see `Optimizer`
    lr           : learning rate >= 0
    lr_decay     : how fast the learning rate falls, >= 0
    weight_decay : L2 penalty >= 0, added to the gradient
    initial_accumulator_value : what s starts from, >= 0; in PyTorch a param group cannot set its own, here it can
    eps          : >= 0, keeps the division finite
    maximize     : climb instead of descending

    State: `step` and `sum` (s); as in PyTorch it is there from the start. Raises ValueError or TypeError for options
    out of range.

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    JMLR 12, 2011.

    >>> import minigrad
    >>> w = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    state_names: ClassVar[tuple[str, ...]] = ("step", "sum")
    required_names: ClassVar[tuple[str, ...]] = ("step", "sum")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_differentiable("Adagrad", differentiable)
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
            },
        )

    def check_options(self, options: dict[str, Any], owner: str) -> None:
        """Raise TypeError or ValueError, beginning with `owner`, for an option out of its range."""
        for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            checks.number(owner, name, options[name], " >= 0")
        checks.flag(owner, "maximize", options["maximize"])

    def add_param_group(self, param_group: Group) -> None:
        """As `Optimizer.add_param_group`; the sums of the new parameters are made at once."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            self._start(p, group)

    def _start(self, p: Tensor, group: Group) -> None:
        """Make the state of a parameter."""
        initial = np.full(p.shape, group["initial_accumulator_value"], p.dtype)
        self.state[p].update(step=no_steps(), sum=wrap(initial))

    def update(self, group: Group, gradients: Gradients) -> None:
        """Move the parameters one step; see the class."""
        lr, lr_decay = float(group["lr"]), float(group["lr_decay"])
        options = float(group["eps"]), float(group["weight_decay"]), group["maximize"]
        for p, g in gradients:
            state = self.state[p]
            if not state:
                self._start(p, group)
            rate = lr / (1 + (count_step(state) - 1) * lr_decay)
            _adagrad_update(p.array, g, state["sum"].array, rate, *options)


@np.errstate(all="ignore")
def _adagrad_update(
    p: np.ndarray, g: np.ndarray, total: np.ndarray, lr: float, eps: float, weight_decay: float, maximize: bool
) -> None:
    """One step of Adagrad; p and the sum of squares change in place. All arrays have p's shape."""
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * p
    total += g * g
    p -= lr * (g / (np.sqrt(total) + eps))
