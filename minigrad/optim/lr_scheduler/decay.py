"""Schedules that multiply the learning rate by a factor, in steps or along a curve."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ... import checks
from ..optimizer import Optimizer
from .base import RatioScheduler

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class StepLR(RatioScheduler):
    """lr = initial lr * gamma^(epoch // step_size): a factor every `step_size` epochs.

    optimizer  : whose learning rates are set
    step_size  : epochs between the changes, >= 1
    gamma      : the factor
    last_epoch : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = checks.whole("StepLR", "step_size", step_size, " >= 1")
        self.gamma = checks.number("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        """gamma at each multiple of step_size but 0."""
        return self.gamma if self.last_epoch != 0 and self.last_epoch % self.step_size == 0 else 1.0

    def scale(self) -> float:
        """gamma^(epoch // step_size)"""
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(RatioScheduler):
    """lr = initial lr * gamma^(how many milestones have been reached)

    optimizer  : whose learning rates are set
    milestones : epochs at which the factor comes in; one that occurs twice counts twice
    gamma      : the factor
    last_epoch : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"MultiStepLR: milestones must be a list of epochs, got milestones={milestones!r}")
        epochs = [checks.whole("MultiStepLR", f"milestones[{i}]", epoch) for i, epoch in enumerate(milestones)]
        self.milestones = Counter(epochs)
        self.gamma = checks.number("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        """gamma at a milestone."""
        return self.gamma ** self.milestones[self.last_epoch]

    def scale(self) -> float:
        """gamma^(how many milestones have been reached)"""
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)

    def _check_state(self, state_dict: dict[str, Any]) -> None:
        super()._check_state(state_dict)
        for epoch, n in state_dict["milestones"].items():
            number = str(epoch).removeprefix("-")
            if not (number.isdecimal() and isinstance(n, int)):
                raise ValueError(
                    "MultiStepLR.load_state_dict: milestones must be a dict {epoch: how often}, got "
                    f"{state_dict['milestones']!r}"
                )

    def _set_state(self, state_dict: dict[str, Any]) -> None:
        super()._set_state(state_dict)
        self.milestones = Counter({int(epoch): n for epoch, n in self.milestones.items()})  # JSON has no int keys


class ConstantLR(RatioScheduler):
    """lr = initial lr * (factor before epoch `total_iters`, 1 from there on)

    optimizer   : whose learning rates are set
    factor      : what the learning rate is multiplied by at first, in [0, 1]
    total_iters : how many epochs that lasts, >= 0
    last_epoch  : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = checks.number("ConstantLR", "factor", factor, " in [0, 1]")
        self.total_iters = checks.number("ConstantLR", "total_iters", total_iters, " >= 0")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`."""
        if self.factor == 0 and self.last_epoch == self.total_iters != 0:
            return list(self.base_lrs)  # what was multiplied by 0 cannot be divided back
        return super().get_lr()

    def ratio(self) -> float:
        """factor at the start, 1 / factor at the end."""
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def scale(self) -> float:
        """factor, then 1"""
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(RatioScheduler):
    """lr = initial lr * (a line from start_factor at epoch 0 to end_factor at epoch `total_iters`, level from there)

    optimizer    : whose learning rates are set
    start_factor : in (0, 1]
    end_factor   : in [0, 1]
    total_iters  : the length of the slope in epochs, >= 0
    last_epoch   : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = checks.number("LinearLR", "start_factor", start_factor, " in (0, 1]")
        self.end_factor = checks.number("LinearLR", "end_factor", end_factor, " in [0, 1]")
        self.total_iters = checks.number("LinearLR", "total_iters", total_iters, " >= 0")
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        """The line at this epoch, divided by the line at the last one."""
        if self.last_epoch == 0:
            return self.start_factor
        if self.starting or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def scale(self) -> float:
        """The line at this epoch."""
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * _progress(self.last_epoch, self.total_iters)


class ExponentialLR(RatioScheduler):
    """lr = initial lr * gamma^epoch

    optimizer  : whose learning rates are set
    gamma      : the factor of one epoch
    last_epoch : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = checks.number("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        """gamma"""
        return 1.0 if self.starting else self.gamma

    def scale(self) -> float:
        """gamma^epoch"""
        return self.gamma**self.last_epoch


class PolynomialLR(RatioScheduler):
    """lr = initial lr * (1 - epoch / total_iters)^power, until it is 0 at epoch `total_iters`

    optimizer   : whose learning rates are set
    total_iters : the epochs that takes, >= 0
    power       : of the polynomial; 1 is a straight line
    last_epoch  : the last epoch that was trained, -1 to begin

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = minigrad.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = checks.number("PolynomialLR", "total_iters", total_iters, " >= 0")
        self.power = checks.number("PolynomialLR", "power", power)
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        """The polynomial at this epoch, divided by the polynomial at the last one."""
        if self.starting or self.last_epoch > self.total_iters:
            return 1.0
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return (left / before) ** self.power

    def scale(self) -> float:
        """The polynomial at this epoch."""
        return (1.0 - _progress(self.last_epoch, self.total_iters)) ** self.power


def _progress(epoch: int, total: float) -> float:
    """How much of `total` epochs has passed, at most 1; a schedule of no epochs never begins."""
    return min(total, epoch) / total if total else 0.0
