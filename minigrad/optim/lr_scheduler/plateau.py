"""A schedule that waits for a metric to stop improving."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from ... import checks
from ..optimizer import Optimizer
from .base import LRScheduler, check_optimizer, current_lrs, per_group

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """lr = max(lr * factor, min_lr), whenever a metric has not improved for more than `patience` epochs.

    `step(metric)` is called once an epoch, after validation.

    optimizer      : whose learning rates are set
    mode           : "min" if less is better, "max" if more is
    factor         : in [0, 1)
    patience       : how many epochs without improvement are put up with, >= 0
    threshold      : what counts as an improvement, >= 0
    threshold_mode : "rel": less than best * (1 - threshold), or more than best * (1 + threshold);
                     "abs": less than best - threshold, or more than best + threshold
    cooldown       : how many epochs after a reduction are not counted, >= 0
    min_lr         : the lowest learning rate, one or a list of one for each param group
    eps            : a reduction by no more than this is left out, >= 0

    A metric that is NaN is no improvement. Raises ValueError or TypeError for options out of range.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    ...     print(scheduler.get_last_lr())
    [1.0]
    [1.0]
    [1.0]
    [0.5]
    """

    unchecked: ClassVar[frozenset[str]] = frozenset({"default_min_lr"})  # a number or None

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        owner = "ReduceLROnPlateau"
        self.optimizer = check_optimizer(owner, optimizer)
        self.mode = checks.choice(owner, "mode", mode, "min", "max")
        self.factor = checks.number(owner, "factor", factor, " in [0, 1)")
        self.patience = checks.number(owner, "patience", patience, " >= 0")
        self.threshold = checks.number(owner, "threshold", threshold, " >= 0")
        self.threshold_mode = checks.choice(owner, "threshold_mode", threshold_mode, "rel", "abs")
        self.cooldown = checks.number(owner, "cooldown", cooldown, " >= 0")
        lowest = per_group(owner, "min_lr", min_lr, optimizer.param_groups)
        self.min_lrs = [checks.number(owner, "min_lr", lr, " >= 0") for lr in lowest]
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.eps = checks.number(owner, "eps", eps, " >= 0")
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.num_bad_epochs: float = 0
        self.cooldown_counter: float = 0
        self.last_epoch = 0
        self._last_lr = current_lrs(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Was the learning rate reduced so lately that epochs are not counted yet?"""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the metric of an epoch: a number, or a tensor of one. Reduce the learning rates if it is time.

        epoch : the number of the epoch; deprecated as in PyTorch
        """
        current, lowest = self._metric(metrics), self._min_lrs()
        if epoch is not None:
            warnings.warn("ReduceLROnPlateau.step(metrics, epoch) is deprecated; leave out epoch", stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, min_lr in zip(self.optimizer.param_groups, lowest, strict=True):
                lr = max(float(group["lr"]) * self.factor, min_lr)
                if group["lr"] - lr > self.eps:
                    group["lr"] = lr
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = current_lrs(self.optimizer)

    def _is_better(self, current: float) -> bool:
        """Is that an improvement over the best so far?"""
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            bar = self.best * (1.0 + sign * self.threshold)
        else:
            bar = self.best + sign * self.threshold
        return current > bar if self.mode == "max" else current < bar

    def _metric(self, metrics: Any) -> float:
        """The metric as a float."""
        try:
            return float(metrics)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(
                f"ReduceLROnPlateau.step: metrics must be a number such as the validation loss, got {metrics!r}"
            ) from None

    def _min_lrs(self) -> list[float]:
        """The lowest learning rate of each param group, among them groups that were added later."""
        n = len(self.optimizer.param_groups)
        if len(self.min_lrs) != n:
            if self.default_min_lr is None:
                raise ValueError(
                    f"ReduceLROnPlateau: the optimizer has {n} param groups now, but min_lr was given for "
                    f"{len(self.min_lrs)}; set scheduler.min_lrs to a list of {n}"
                )
            self.min_lrs = [self.default_min_lr] * n
        return self.min_lrs
