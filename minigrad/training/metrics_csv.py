"""metrics.csv: the history of a run as a table for other programs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from .callback import Callback
from .comparison import Comparison
from .files import write_atomically
from .history import EpochRecord

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["MetricsCSV"]


class MetricsCSV(Callback):
    """Writes the history after each epoch: epoch, train_loss, train_acc, valid_loss, valid_acc, seconds.

    Accuracies are fractions; all digits are kept, seconds to the millisecond. The file is written anew each
    time, atomically, so it is always whole, and right when a run is taken up again.

    path       : the file.
    comparison : a Comparison that the run belongs to: the rows of all its runs are then written, each after the name of
                 its run.

    >>> import pathlib, tempfile
    >>> from minigrad.training import EpochRecord, MetricsCSV
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "metrics.csv")
    ...     MetricsCSV(path).write([EpochRecord(1, 0.25, 0.9, 0.125, 0.95, 6.0)])
    ...     print(path.read_text().strip())
    epoch,train_loss,train_acc,valid_loss,valid_acc,seconds
    1,0.25,0.9,0.125,0.95,6.0
    """

    def __init__(self, path: str | os.PathLike[str], comparison: Comparison | None = None) -> None:
        self.path, self.comparison = path, comparison

    def on_fit_start(self, trainer: Trainer) -> None:
        self._write(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        self._write(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        self._write(trainer)  # an interrupt may have come before on_epoch_end did

    def _write(self, trainer: Trainer) -> None:
        self.write(trainer.history if self.comparison is None else self.comparison)

    def write(self, history: Sequence[EpochRecord] | Comparison) -> None:
        """Write these records, or those of each run of a Comparison, in place of what the file held."""
        columns: list[str] = [field.name for field in fields(EpochRecord)]
        rows: Iterable[list[Any]]
        if isinstance(history, Comparison):
            columns = [history.what, *columns]
            rows = ([run.name, *_cells(record)] for run in history.runs for record in run.history)
        else:
            rows = map(_cells, history)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        write_atomically(self.path, text.getvalue().encode())


def _cells(record: EpochRecord) -> list[Any]:
    *figures, seconds = astuple(record)
    return [*figures, round(seconds, 3)]
