"""Schedules along a cosine."""

from __future__ import annotations

import math

from ... import checks
from ..optimizer import Optimizer
from .base import LRScheduler, current_lrs

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) (1 + cos(pi epoch / T_max)) / 2

    The learning rate falls to eta_min at epoch T_max. As in PyTorch it would rise again after that, without a
    restart, and each step goes on from the learning rate there is, so that other schedules can act on it too.

    optimizer  : whose learning rates are set
    T_max      : the epochs from the highest to the lowest learning rate, > 0
    eta_min    : the lowest learning rate
    last_epoch : the last epoch that was trained, -1 to begin

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983, equation 5.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(lr, 6) for lr in rates]
    [1.0, 0.75, 0.25, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = checks.number("CosineAnnealingLR", "T_max", T_max, " > 0")
        self.eta_min = checks.number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`."""
        rates = current_lrs(self.optimizer)
        if self.starting:
            return rates
        now, before = (1 + math.cos(math.pi * t / self.T_max) for t in (self.last_epoch, self.last_epoch - 1))
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # At the lowest point nothing is left to scale: the first rise is taken from the initial learning rate.
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(rates, self.base_lrs, strict=False)]
        return [now / before * (lr - self.eta_min) + self.eta_min for lr in rates]

    def _get_closed_form_lr(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2, back at the top after each period

    T_cur is the time since the last restart, T_i the length of the period: T_0, T_0 T_mult, T_0 T_mult^2, ...

    optimizer  : whose learning rates are set
    T_0        : the epochs of the first period, >= 1
    T_mult     : how much longer each period is than the last, >= 1
    eta_min    : the lowest learning rate
    last_epoch : the last epoch that was trained, -1 to begin

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    arXiv:1608.03983.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(lr, 6) for lr in rates]
    [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        owner = "CosineAnnealingWarmRestarts"
        self.T_0 = self.T_i = checks.whole(owner, "T_0", T_0, " >= 1")
        self.T_mult = checks.whole(owner, "T_mult", T_mult, " >= 1")
        self.eta_min = checks.number(owner, "eta_min", eta_min)
        self.T_cur: float = checks.whole(owner, "last_epoch", last_epoch, " >= -1")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each param group at `T_cur` of a period of `T_i`."""
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, which may have a fraction: `step(epoch + batch / batches)`.

        Raises ValueError for a negative epoch.
        """
        before = self.T_cur, self.T_i
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        else:
            epoch = checks.number("CosineAnnealingWarmRestarts.step", "epoch", 0 if epoch is None else epoch, " >= 0")
            self.T_cur, self.T_i = epoch, self.T_0
            if self.T_mult == 1:
                self.T_cur = epoch % self.T_0
            while self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        try:
            self._update_lr(math.floor(epoch))
        except BaseException:
            self.T_cur, self.T_i = before
            raise
