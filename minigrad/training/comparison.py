"""Runs that differ in one thing, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .history import EpochRecord, best_epoch

__all__ = ["ComparedRun", "Comparison"]


@dataclass
class ComparedRun:
    """One of the runs of a Comparison.

    name       : what it is called there
    parameters : how many numbers its model learns
    history    : its finished epochs
    note       : what else there is to say, such as that it diverged
    """

    name: str
    parameters: int
    history: Sequence[EpochRecord]
    note: str = ""

    def result(self) -> dict[str, Any]:
        """Its figures in short, ready for JSON; None for those that need an epoch, if none was finished.

        `seconds_per_epoch` is the median, so that a first epoch that compiles kernels does not count.
        """
        history = self.history
        best, final = (best_epoch(history), history[-1]) if history else (None, None)
        return {
            "parameters": self.parameters,
            "epochs": len(history),
            "seconds_per_epoch": statistics.median(record.seconds for record in history) if history else None,
            "best_valid_acc": best and best.valid_acc,
            "best_epoch": best and best.epoch,
            "final_valid_acc": final and final.valid_acc,
            "final_train_loss": final and final.train_loss,
            "final_valid_loss": final and final.valid_loss,
            "note": self.note,
        }


# heading of a column, the figure of ComparedRun.result in it, and how that is printed
_COLUMNS = [
    ("parameters", "parameters", ",d"),
    ("seconds an epoch", "seconds_per_epoch", ".1f"),
    ("best valid accuracy", "best_valid_acc", ".4f"),
    ("in epoch", "best_epoch", "d"),
    ("final train loss", "final_train_loss", ".4f"),
    ("final valid loss", "final_valid_loss", ".4f"),
]


class Comparison:
    """Runs that differ in one thing; as a string, a table with a row for each.

    what : the thing, as the heading of their names.

    Attribute `runs` has a ComparedRun for each, in the order in which they were added. `MetricsCSV` and
    `plot_comparison` take a Comparison as well.

    >>> from minigrad.training import Comparison, EpochRecord
    >>> comparison = Comparison("norm")
    >>> _ = comparison.add("none", 6486, [EpochRecord(1, 0.3, 0.90, 0.2, 0.95, seconds=6.0)])
    >>> _ = comparison.add("batch", 6530, [EpochRecord(1, 0.2, 0.94, 0.1, 0.97, seconds=7.0)])
    >>> print(comparison)
    norm   parameters  seconds an epoch  best valid accuracy  in epoch  final train loss  final valid loss
    none        6,486               6.0               0.9500         1            0.3000            0.2000
    batch       6,530               7.0               0.9700         1            0.2000            0.1000
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.runs: list[ComparedRun] = []

    def add(self, name: str, parameters: int, history: Sequence[EpochRecord]) -> ComparedRun:
        """Take in a run. Its history may still grow, as that of a Trainer does: the list itself is kept.

        Raises ValueError for a name that another run has.
        """
        if any(run.name == name for run in self.runs):
            raise ValueError(f"Comparison.add: there is a {self.what} {name!r} already; give each run its own name")
        self.runs.append(ComparedRun(name, parameters, history))
        return self.runs[-1]

    def results(self) -> dict[str, dict[str, Any]]:
        """The figures of each run in short, by name: see `ComparedRun.result`."""
        return {run.name: run.result() for run in self.runs}

    def __str__(self) -> str:
        width = max(map(len, [self.what, *(run.name for run in self.runs)]))
        lines = ["  ".join([self.what.ljust(width), *(heading for heading, _, _ in _COLUMNS)])]
        for run in self.runs:
            figures = run.result()
            cells = (_cell(figures[key], spec, len(heading)).rjust(len(heading)) for heading, key, spec in _COLUMNS)
            lines.append("  ".join([run.name.ljust(width), *cells, *([run.note] if run.note else [])]))
        return "\n".join(lines)


def _cell(figure: float | None, spec: str, width: int) -> str:
    """The figure in `spec`, or short where that is too wide, as the loss of a run that went astray can be."""
    if figure is None:
        return "-"
    text = format(figure, spec)
    return text if len(text) <= width else format(figure, ".4g")
