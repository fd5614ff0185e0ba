"""A picture of how a run went."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

from .files import write_atomically
from .history import EpochRecord

__all__ = ["plot_curves"]


def plot_curves(history: Sequence[EpochRecord], path: str | os.PathLike[str], title: str = "") -> None:
    """Draw loss and accuracy over the epochs, training and validation, as a PNG file.

    history : one record or more.
    path    : the file.
    title   : a line above the picture.

    Raises ImportError, which names what to install, without matplotlib, and ValueError for an empty history.
    """
    if not history:
        raise ValueError("plot_curves: the history is empty, there is nothing to draw")
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ImportError(
            f'plot_curves: needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    # A Figure of its own, not pyplot: no window system is asked for, and no global state is changed.
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [record.epoch for record in history]
    for axes, name, fields in zip(
        figure.subplots(1, 2),
        ("loss", "accuracy"),
        (("train_loss", "valid_loss"), ("train_acc", "valid_acc")),
        strict=True,
    ):
        for field, label, style in zip(fields, ("training (running)", "validation"), ("o--", "o-"), strict=True):
            axes.plot(epochs, [getattr(record, field) for record in history], style, label=label, markersize=4)
        axes.set(xlabel="epoch", ylabel=name, xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    write_atomically(path, picture.getvalue())
