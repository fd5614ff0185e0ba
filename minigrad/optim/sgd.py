"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import checks, kernels
from .optimizer import Gradients, Group, Optimizer, Params, check_differentiable, with_gradients, zeros_for

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

        g = g + weight_decay p
        b = momentum b + (1 - dampening) g        (b = g at the first step)
        p = p - lr b                              (nesterov: p - lr (g + momentum b))

    params       : Tensors, (name, Tensor) pairs, or param groups; see `Optimizer`
    lr           : learning rate >= 0
    momentum     : what is kept of the last direction b, >= 0; 0 for none
    dampening    : what is taken off the gradient as it enters b, from the second step on
    weight_decay : L2 penalty >= 0, added to the gradient
    nesterov     : look ahead along b; needs momentum > 0 and no dampening
    maximize     : climb instead of descending

    State: `momentum_buffer` (b), if there is momentum. Raises ValueError or TypeError for options out of range.

    Sources: Polyak 1964; Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in
    deep learning", ICML 2013, for Nesterov's momentum. As in PyTorch the learning rate is outside of b, so a change
    of it takes effect at once.

    >>> import minigrad
    >>> w = minigrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = minigrad.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([ 0.4600, -0.9200], requires_grad=True)
    """

    state_names: ClassVar[tuple[str, ...]] = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_differentiable("SGD", differentiable)
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check_options(self, options: dict[str, Any], owner: str) -> None:
        """Raise TypeError or ValueError, beginning with `owner`, for an option out of its range."""
        for name in ("lr", "momentum", "weight_decay"):
            checks.number(owner, name, options[name], " >= 0")
        checks.number(owner, "dampening", options["dampening"])
        for name in ("nesterov", "maximize"):
            checks.flag(owner, name, options[name])
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError(
                f"{owner}: nesterov=True needs momentum > 0 and dampening=0, got momentum={options['momentum']!r} and "
                f"dampening={options['dampening']!r}"
            )

    def update(self, group: Group, gradients: Gradients) -> None:
        """Move the parameters one step; see the class."""
        arrays, gs = [p.array for p, _ in gradients], [g for _, g in gradients]
        buffers: list[np.ndarray | None] = [None] * len(gs)
        firsts = [True] * len(gs)
        if group["momentum"] != 0:
            for i, (p, _) in enumerate(gradients):
                state = self.state[p]
                kept = state.get("momentum_buffer")
                firsts[i] = kept is None
                if kept is None:
                    kept = state["momentum_buffer"] = zeros_for(p)
                buffers[i] = kept.array
        kernels.current().sgd_updates(arrays, gs, buffers, firsts, *_options(group))

    _same_update = staticmethod(update)

    def _try_update(self, group: Group) -> list[np.ndarray] | None:
        params, arrays, gs = with_gradients(group["params"])
        if group["momentum"] != 0:
            kept = self._kept(params, "momentum_buffer")
        else:
            kept = None if self.state else [gs]  # buffers that are not used now have to fit as well
        if kept and kernels.current().try_sgd_updates(arrays, gs, *kept, False, *_options(group)):
            return arrays
        return None


def _options(group: Group) -> tuple[Any, ...]:
    """The options of a group as kernels take them."""
    numbers = float(group["lr"]), float(group["momentum"]), float(group["dampening"]), float(group["weight_decay"])
    return *numbers, group["nesterov"], group["maximize"]
