"""Adam: steps scaled by running averages of the gradient and its square."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar

import numpy as np

from .. import checks, kernels
from .optimizer import (
    Gradients,
    Group,
    Optimizer,
    Params,
    check_differentiable,
    count_step,
    no_steps,
    with_gradients,
    zeros_for,
)

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam: each element's step is scaled by running averages of its gradient and of that squared.

        g = g + weight_decay p
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        p = p - lr mhat / (sqrt(vhat) + eps),   mhat = m / (1 - beta1^t),   vhat = v / (1 - beta2^t)

    t counts the steps from 1; the two divisions undo the bias of averages that start at zero.

    params       : Tensors, (name, Tensor) pairs, or param groups; see `Optimizer`
    lr           : learning rate >= 0
    betas        : (beta1, beta2), each in [0, 1)
    eps          : >= 0, keeps the division finite
    weight_decay : L2 penalty >= 0, added to the gradient
    amsgrad      : use the largest v so far in place of v
    maximize     : climb instead of descending
    decoupled_weight_decay : take lr weight_decay p off p instead of changing g, as AdamW does

    State: `step`, `exp_avg` (m), `exp_avg_sq` (v), and with amsgrad `max_exp_avg_sq`. Raises ValueError or TypeError
    for options out of range.

    Sources: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, arXiv:1412.6980; Reddi, Kale and
    Kumar, "On the convergence of Adam and beyond", ICLR 2018, for AMSGrad.

    >>> import minigrad
    >>> w = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w                           # the first step has length lr, whatever the gradient
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    state_names: ClassVar[tuple[str, ...]] = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    required_names: ClassVar[tuple[str, ...]] = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_differentiable(type(self).__name__, differentiable)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def check_options(self, options: dict[str, Any], owner: str) -> None:
        """Raise TypeError or ValueError, beginning with `owner`, for an option out of its range."""
        for name in ("lr", "eps", "weight_decay"):
            checks.number(owner, name, options[name], " >= 0")
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"{owner}: betas must be two numbers in [0, 1), got betas={betas!r}")
        for i, beta in enumerate(betas):
            checks.number(owner, f"betas[{i}]", beta, " in [0, 1)")
        for name in ("amsgrad", "maximize", "decoupled_weight_decay"):
            checks.flag(owner, name, options[name])

    def update(self, group: Group, gradients: Gradients) -> None:
        """Move the parameters one step; see the class."""
        amsgrad = group["amsgrad"]
        arrays, gs, exp_avgs, exp_avg_sqs, largest, steps = [], [], [], [], [], []
        for p, g in gradients:
            state = self.state[p]
            if not state:
                state.update(step=no_steps(), exp_avg=zeros_for(p), exp_avg_sq=zeros_for(p))
            if amsgrad and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = zeros_for(p)
            arrays.append(p.array)
            gs.append(g)
            exp_avgs.append(state["exp_avg"].array)
            exp_avg_sqs.append(state["exp_avg_sq"].array)
            largest.append(state["max_exp_avg_sq"].array if amsgrad else None)
            steps.append(count_step(state))
        kernels.current().adam_updates(arrays, gs, exp_avgs, exp_avg_sqs, largest, steps, *_options(group))

    _same_update = staticmethod(update)

    def _try_update(self, group: Group) -> list[np.ndarray] | None:
        params, arrays, gs = with_gradients(group["params"])
        kept = self._kept(params, *(self.state_names if group["amsgrad"] else self.required_names))
        if kept is None:
            return None
        steps, exp_avgs, exp_avg_sqs, *more = kept
        counted = {*map(float, steps)}
        if len(counted) != 1 or not all(map(_writeable, steps)):
            return None
        step = int(counted.pop()) + 1
        largest = more[0] if more else [None] * len(gs)
        if not kernels.current().try_adam_updates(arrays, gs, exp_avgs, exp_avg_sqs, largest, step, *_options(group)):
            return None
        for count in steps:
            count.fill(step)
        return arrays


_writeable = attrgetter("flags.writeable")


def _options(group: Group) -> tuple[Any, ...]:
    """The options of a group as kernels take them."""
    beta1, beta2 = group["betas"]
    numbers = float(group["lr"]), float(beta1), float(beta2), float(group["eps"]), float(group["weight_decay"])
    return *numbers, group["decoupled_weight_decay"], group["maximize"]
