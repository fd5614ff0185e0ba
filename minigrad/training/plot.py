"""Pictures of how a run went, or several."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

from .comparison import Comparison
from .files import write_atomically
from .history import EpochRecord

__all__ = ["plot_comparison", "plot_curves"]

_TRAINING, _VALIDATION = "training (running)", "validation"


def plot_curves(history: Sequence[EpochRecord], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw loss and accuracy over the epochs, training and validation, as a PNG file.

    history : one record or more.
    path    : the file.
    title   : a line above the picture.

    Raises ImportError, which names what to install, without matplotlib, and ValueError for an empty history.
    """
    if not history:
        raise ValueError("plot_curves: the history is empty, there is nothing to draw")
    figure = _figure("plot_curves", 9, 3.6)
    for axes, name, fields in zip(
        figure.subplots(1, 2),
        ("loss", "accuracy"),
        (("train_loss", "valid_loss"), ("train_acc", "valid_acc")),
        strict=True,
    ):
        for field, label, style in zip(fields, (_TRAINING, _VALIDATION), ("o--", "o-"), strict=True):
            _curve(axes, history, field, style, label)
        _finish(axes, name, history)
        axes.legend()
    _save(figure, path, title)


def plot_comparison(comparison: Comparison, path: str | os.PathLike[str], title: str = "") -> None:
    """Draw loss and accuracy of every run, training to the left and validation to the right, as a PNG file.

    comparison : runs, one of which at least has finished an epoch.
    path       : the file.
    title      : a line above the picture.

    Raises ImportError, which names what to install, without matplotlib, and ValueError if there is nothing to draw.
    """
    records = [record for run in comparison.runs for record in run.history]
    if not records:
        raise ValueError("plot_comparison: no run has finished an epoch, there is nothing to draw")
    figure = _figure("plot_comparison", 10, 7)
    panels = figure.subplots(2, 2)
    for row, name, fields in zip(
        panels, ("loss", "accuracy"), (("train_loss", "valid_loss"), ("train_acc", "valid_acc")), strict=True
    ):
        for axes, field, part in zip(row, fields, (_TRAINING, _VALIDATION), strict=True):
            for i, run in enumerate(comparison.runs):
                # Colours come round after ten and markers after seven. A curve on top is thinner than those it hides.
                style, width = f"-{'os^vDPX'[i % 7]}C{i % 10}", 3 - 2 * i / len(comparison.runs)
                _curve(axes, run.history, field, style, run.name, width)
            _finish(axes, name, records)
            axes.set_title(part)
    lines, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, title=comparison.what, loc="outside right upper")
    _save(figure, path, title)


def _figure(caller: str, width: float, height: float) -> Any:
    """A Figure of its own, not pyplot's: no window system is asked for, and no global state is changed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'{caller}: needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def _curve(
    axes: Any, history: Sequence[EpochRecord], field: str, style: str, label: str, width: float | None = None
) -> None:
    """One figure of the records over their epochs."""
    epochs = [record.epoch for record in history]
    figures = [getattr(record, field) for record in history]
    axes.plot(epochs, figures, style, label=label, linewidth=width, markersize=4)


def _finish(axes: Any, name: str, records: Sequence[EpochRecord]) -> None:
    """What every panel has: names on the axes, whole epochs, a grid."""
    epochs = [record.epoch for record in records]
    axes.set(xlabel="epoch", ylabel=name, xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.grid(alpha=0.3)


def _save(figure: Any, path: str | os.PathLike[str], title: str) -> None:
    figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    write_atomically(path, picture.getvalue())
