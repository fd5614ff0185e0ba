"""metrics.csv: the history of a run as a table for other programs."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from .callback import Callback
from .files import write_atomically
from .history import EpochRecord

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["MetricsCSV"]


class MetricsCSV(Callback):
    """Writes the history after each epoch: epoch, train_loss, train_acc, valid_loss, valid_acc, seconds.

    Accuracies are fractions; all digits are kept, seconds to the millisecond. The file is written anew each
    time, atomically, so it is always whole, and right when a run is taken up again.

    path : the file.

    >>> import pathlib, tempfile
    >>> from minigrad.training import EpochRecord, MetricsCSV
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "metrics.csv")
    ...     MetricsCSV(path).write([EpochRecord(1, 0.25, 0.9, 0.125, 0.95, 6.0)])
    ...     print(path.read_text().strip())
    epoch,train_loss,train_acc,valid_loss,valid_acc,seconds
    1,0.25,0.9,0.125,0.95,6.0
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_fit_start(self, trainer: Trainer) -> None:
        self.write(trainer.history)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        self.write(trainer.history)

    def on_fit_end(self, trainer: Trainer) -> None:
        self.write(trainer.history)  # an interrupt may have come before on_epoch_end did

    def write(self, history: list[EpochRecord]) -> None:
        """Write these records in place of what the file held."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(field.name for field in fields(EpochRecord))
        for record in history:
            *figures, seconds = astuple(record)
            rows.writerow([*figures, round(seconds, 3)])
        write_atomically(self.path, text.getvalue().encode())
