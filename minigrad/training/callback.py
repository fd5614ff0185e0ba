"""Where other code takes part in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import EpochRecord
    from .trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """What a Trainer calls as it goes. Every method does nothing: a subclass redefines those it needs.

    Callbacks are called in the order in which the Trainer got them. An exception that one raises ends the
    training. A learning rate schedule, for example, is

    >>> from minigrad.training import Callback
    >>> class Schedule(Callback):
    ...     def __init__(self, scheduler):
    ...         self.scheduler = scheduler
    ...
    ...     def on_epoch_end(self, trainer, record):
    ...         self.scheduler.step()
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Training begins, or goes on from `trainer.epoch` finished epochs."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """The epoch after `trainer.epoch` finished ones begins."""

    def on_batch_end(self, trainer: Trainer) -> None:
        """The optimizer has taken a step; `trainer.metrics` has the running figures of the epoch."""

    def on_validation_start(self, trainer: Trainer) -> None:
        """All batches of the epoch are done, and the model is about to be evaluated."""

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """The epoch is finished and its record is the last in `trainer.history`."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Training is over: finished, failed or interrupted. Called however it ends."""
