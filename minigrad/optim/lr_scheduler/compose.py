"""Schedules made of others: one after another, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar

from ... import checks
from ..optimizer import Optimizer
from .base import LRScheduler, check_lengths, check_optimizer, current_lrs
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composite(LRScheduler):
    """A schedule made of others, whose states it saves with its own."""

    _schedulers: Sequence[LRScheduler]
    unsaved: ClassVar[frozenset[str]] = frozenset({"optimizer", "_schedulers"})
    unchecked: ClassVar[frozenset[str]] = frozenset({"_schedulers"})  # each of them checks its own

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with a list of the states of the schedulers this one is made of."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def _check_state(self, state_dict: dict[str, Any]) -> None:
        super()._check_state(state_dict)
        check_lengths(f"{type(self).__name__}.load_state_dict", "_schedulers", self.state_dict(), state_dict)
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler._check_state(state)

    def _set_state(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        for scheduler, saved in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            scheduler._set_state(saved)
        super()._set_state(state)

    def _undo_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._undo_step()

    def _rewind(self) -> None:
        for scheduler in self._schedulers:
            scheduler._rewind()


class SequentialLR(_Composite):
    """One schedule after another: the next takes over, from its own beginning, at each milestone.

    optimizer  : whose learning rates are set; the same for all schedulers
    schedulers : the schedules, in order
    milestones : the epochs at which the second, third, ... one begins
    last_epoch : the last epoch that was trained, -1 to begin

    A sequence or a chain may be one of the schedulers, and begins at its own epoch 0; in PyTorch a sequence is one
    epoch ahead then, and a chain fails.

    Raises ValueError for no schedulers, one of another optimizer, a ReduceLROnPlateau (its step needs a metric), or
    another number of milestones than of schedulers less one.

    >>> import minigrad
    >>> from minigrad.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> warmup, decay = ConstantLR(optimizer, factor=0.1, total_iters=2), ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.1, 0.1, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self.optimizer = check_optimizer("SequentialLR", optimizer)
        _check_schedulers("SequentialLR", schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} milestones, got {milestones!r}"
            )
        self._schedulers = list(schedulers)
        self._milestones = [
            checks.whole("SequentialLR", f"milestones[{i}]", epoch) for i, epoch in enumerate(milestones)
        ]
        if self._milestones != sorted(self._milestones):
            raise ValueError(f"SequentialLR: milestones must be in increasing order, got {milestones!r}")
        self.last_epoch = checks.whole("SequentialLR", "last_epoch", last_epoch, " >= -1") + 1
        self._undo_step()  # each scheduler made a step when it was made
        self._begin()

    def _begin(self) -> None:
        """Make the first step of the first scheduler."""
        _reset_lrs(self.optimizer)
        scheduler = self._schedulers[bisect_right(self._milestones, 0)]
        scheduler._initial_step()
        self._last_lr = scheduler.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch, in the schedule whose turn it is."""
        epoch = self.last_epoch + 1
        turn = bisect_right(self._milestones, epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self.last_epoch, self._last_lr = epoch, scheduler.get_last_lr()

    def _initial_step(self) -> None:
        self.last_epoch = 0
        self._begin()

    def _rewind(self) -> None:
        self.last_epoch = 0
        super()._rewind()

    def _restart(self) -> None:
        self._rewind()
        self._begin()


class ChainedScheduler(_Composite):
    """Several schedules at once: each `step()` takes one step of all of them, in order.

    schedulers : schedules that go on from the learning rate there is, such as StepLR, LinearLR or ExponentialLR
    optimizer  : whose learning rates are set; that of the schedulers

    Raises ValueError for no schedulers, one of another optimizer, or a ReduceLROnPlateau (its step needs a metric).

    >>> import minigrad
    >>> from minigrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = minigrad.optim.SGD([minigrad.ones(1, requires_grad=True)], lr=1.0)
    >>> warmup, decay = ConstantLR(optimizer, factor=0.25, total_iters=2), ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = ChainedScheduler([warmup, decay], optimizer=optimizer)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.125, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        _check_schedulers("ChainedScheduler", schedulers, optimizer)
        self._schedulers = list(schedulers)
        self.optimizer = schedulers[0].optimizer
        self._last_lr = current_lrs(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch, in every schedule."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current_lrs(self.optimizer)

    def _initial_step(self) -> None:
        for scheduler in self._schedulers:
            scheduler._initial_step()
        self._last_lr = current_lrs(self.optimizer)

    def _restart(self) -> None:
        _reset_lrs(self.optimizer)
        self._rewind()
        self._initial_step()


def _check_schedulers(owner: str, schedulers: Any, optimizer: Optimizer | None) -> None:
    """Raise unless these are schedulers, of one optimizer, whose step needs no metric."""
    if not isinstance(schedulers, (list, tuple)) or not schedulers:
        raise ValueError(f"{owner}: schedulers must be a list of at least one scheduler, got {schedulers!r}")
    for i, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, LRScheduler):
            raise TypeError(f"{owner}: schedulers[{i}] must be a scheduler, got {type(scheduler).__name__}")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                f"{owner}: schedulers[{i}] is a ReduceLROnPlateau, whose step needs a metric; step it by itself"
            )
        if scheduler.optimizer is not (optimizer or schedulers[0].optimizer):
            raise ValueError(f"{owner}: schedulers[{i}], a {type(scheduler).__name__}, is of another optimizer")


def _reset_lrs(optimizer: Optimizer) -> None:
    """Set the learning rates that the schedule began with."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"]
