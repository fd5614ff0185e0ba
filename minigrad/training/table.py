"""The table of epochs that a run prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from .callback import Callback
from .history import EpochRecord

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["EpochTable"]

# heading of a column, the field of EpochRecord in it, and how that is printed
_COLUMNS = [
    ("epoch", "epoch", "d"),
    ("train loss", "train_loss", ".4f"),
    ("train accuracy", "train_acc", ".4f"),
    ("valid loss", "valid_loss", ".4f"),
    ("valid accuracy", "valid_acc", ".4f"),
    ("seconds", "seconds", ".1f"),
]


class EpochTable(Callback):
    """Prints the column headings when training starts, and a row after each epoch.

    stream : where to; standard output unless told.

    >>> from minigrad.training import EpochRecord, EpochTable
    >>> print(EpochTable.heading())
    epoch  train loss  train accuracy  valid loss  valid accuracy  seconds
    >>> print(EpochTable.row(EpochRecord(1, 0.25, 0.9, 0.125, 0.95, 6.0)))
        1      0.2500          0.9000      0.1250          0.9500      6.0
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def on_fit_start(self, trainer: Trainer) -> None:
        self._print(self.heading())
        for record in trainer.history:
            self._print(self.row(record))

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        self._print(self.row(record))

    @staticmethod
    def heading() -> str:
        """The line of headings."""
        return "  ".join(heading for heading, _, _ in _COLUMNS)

    @staticmethod
    def row(record: EpochRecord) -> str:
        """The line of an epoch, its figures under their headings."""
        return "  ".join(format(getattr(record, field), spec).rjust(len(heading)) for heading, field, spec in _COLUMNS)

    def _print(self, line: str) -> None:
        print(line, file=self.stream or sys.stdout, flush=True)
