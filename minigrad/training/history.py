"""What a run has been through: one record an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["EpochRecord", "best_epoch"]


@dataclass(frozen=True)
class EpochRecord:
    """The figures of one epoch; its fields are the columns of metrics.csv.

    epoch      : the number of the epoch, from 1
    train_loss : mean loss over the epoch's training batches, each before its own step, in training mode
    train_acc  : accuracy over the same, as a fraction
    valid_loss : mean loss over the validation examples after the epoch, in evaluation mode
    valid_acc  : accuracy over the same, as a fraction
    seconds    : how long the epoch took, validation included

    The training figures are running ones: they average over an epoch in which the model changes, so an early
    one can look worse than the validation figures.

    >>> from minigrad.training import EpochRecord
    >>> record = EpochRecord(1, 0.3, 0.90, 0.2, 0.95, seconds=6.0)
    >>> f"epoch {record.epoch}: {record.valid_acc:.1%} in {record.seconds:.0f} s"
    'epoch 1: 95.0% in 6 s'
    """

    epoch: int
    train_loss: float
    train_acc: float
    valid_loss: float
    valid_acc: float
    seconds: float


def best_epoch(history: Sequence[EpochRecord]) -> EpochRecord:
    """The record of the highest validation accuracy; of equal ones the first.

    Raises ValueError for an empty history.

    >>> from minigrad.training import EpochRecord, best_epoch
    >>> history = [EpochRecord(1, 0.3, 0.90, 0.2, 0.95, 6.0), EpochRecord(2, 0.2, 0.94, 0.2, 0.94, 6.0)]
    >>> best_epoch(history).epoch
    1
    """
    if not history:
        raise ValueError("best_epoch: the history is empty, no epoch has been finished")
    return max(history, key=lambda record: record.valid_acc)
