"""Schedules that a function of the epoch gives."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ... import checks
from ..optimizer import Optimizer
from .base import LRScheduler, check_lengths, check_optimizer, current_lrs, per_group

__all__ = ["LambdaLR", "MultiplicativeLR"]

Factor = Callable[[int], float]


class _FunctionLR(LRScheduler):
    """A schedule with one function for each param group. Plain functions are not saved, other callables' state is."""

    unchecked: ClassVar[frozenset[str]] = frozenset({"lr_lambdas"})  # attributes may be of any kind

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        owner = type(self).__name__
        groups = check_optimizer(owner, optimizer).param_groups
        self.lr_lambdas: list[Factor] = per_group(owner, "lr_lambda", lr_lambda, groups)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"{owner}: lr_lambda must be a function of the epoch, got {function!r}")
        super().__init__(optimizer, last_epoch)

    def _factors(self) -> list[float]:
        """What the functions give for `self.last_epoch`."""
        owner, epoch = type(self).__name__, self.last_epoch
        values = [function(epoch) for function in self.lr_lambdas]
        return [checks.number(owner, f"lr_lambda({epoch})", value, finite=False) for value in values]

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`; functions are left out, other callable objects give their attributes."""
        attributes = [_attributes(function) for function in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": [None if a is None else a.copy() for a in attributes]}

    def _check_state(self, state_dict: dict[str, Any]) -> None:
        super()._check_state(state_dict)
        owner = f"{type(self).__name__}.load_state_dict"
        check_lengths(owner, "lr_lambdas", self.state_dict(), state_dict)
        for i, saved in enumerate(state_dict["lr_lambdas"]):
            if saved is not None and not isinstance(saved, dict):
                raise TypeError(f"{owner}: lr_lambdas[{i}] must be a dict or None, got lr_lambdas[{i}]={saved!r}")

    def _set_state(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        for function, saved in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            own = _attributes(function)
            if saved is not None and own is not None:
                own.update(copy.deepcopy(saved))
        super()._set_state(state)


class LambdaLR(_FunctionLR):
    """lr = initial lr * lr_lambda(epoch)

    optimizer  : whose learning rates are set
    lr_lambda  : a function of the epoch (0, 1, ...), or a list of one for each param group
    last_epoch : the last epoch that was trained, -1 to begin

    Raises TypeError for what is not callable, ValueError for another number of functions than of groups.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = minigrad.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`."""
        return [base_lr * factor for base_lr, factor in zip(self.base_lrs, self._factors(), strict=True)]


class MultiplicativeLR(_FunctionLR):
    """lr = lr * lr_lambda(epoch): the factors multiply up, from epoch 1 on.

    The arguments and errors are those of `LambdaLR`.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = minigrad.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> for epoch in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def get_lr(self) -> list[float]:
        """The learning rate of each param group for `self.last_epoch`."""
        rates = current_lrs(self.optimizer)
        if self.starting:
            return rates
        return [lr * factor for lr, factor in zip(rates, self._factors(), strict=False)]


def _attributes(function: Factor) -> dict[str, Any] | None:
    """The attributes of a callable object; None for a function, or an object that has none."""
    return None if isinstance(function, types.FunctionType) else getattr(function, "__dict__", None)
