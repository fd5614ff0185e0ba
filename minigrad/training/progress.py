"""Progress within an epoch: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from .callback import Callback

if TYPE_CHECKING:
    from .history import EpochRecord
    from .trainer import Trainer

__all__ = ["Progress"]


class Progress(Callback):
    """Shows how far the epoch is, with its running loss and accuracy.

    On a terminal, where tqdm is installed, it is a bar, which is gone when the epoch's row is printed. In a pipe,
    a file or without tqdm it is a plain line at most every `seconds`, so a fast epoch prints none.

    stream  : where to; standard error unless told, so that standard output has the table alone.
    seconds : the time between plain lines.

    Give it to the Trainer before what prints when an epoch ends.
    """

    def __init__(self, stream: TextIO | None = None, seconds: float = 10.0) -> None:
        self.stream, self.seconds = stream, seconds
        self._display: _Display | None = None
        self._next = 0.0

    def on_epoch_start(self, trainer: Trainer) -> None:
        stream = self.stream or sys.stderr
        tqdm = _find_tqdm() if _is_terminal(stream) else None
        title = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
        self._display = (
            _Lines(stream, title, trainer.batches, self.seconds)
            if tqdm is None
            else _Bar(tqdm, stream, title, trainer.batches)
        )
        self._next = time.perf_counter() + self._display.interval

    def on_batch_end(self, trainer: Trainer) -> None:
        now = time.perf_counter()
        if self._display is not None and now >= self._next:  # drawing each batch would cost as much as a small one
            self._next = now + self._display.interval
            self._show(trainer)

    def on_validation_start(self, trainer: Trainer) -> None:
        if self._display is not None:
            self._display.validating()

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        self._close()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._close()

    def _show(self, trainer: Trainer) -> None:
        metrics = trainer.metrics
        assert self._display is not None
        self._display.show(metrics.batches, f"loss {metrics.loss:.4f}, accuracy {metrics.accuracy:.4f}")

    def _close(self) -> None:
        if self._display is not None:
            self._display.close()
            self._display = None


class _Display(Protocol):
    """One epoch on show."""

    interval: float  # seconds between two calls of show

    def show(self, batches: int, figures: str) -> None: ...
    def validating(self) -> None: ...
    def close(self) -> None: ...


class _Bar:
    """A bar that tqdm draws."""

    interval = 0.1
    layout = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"  # fits 80 columns

    def __init__(self, tqdm: Any, stream: TextIO, title: str, total: int) -> None:
        # tqdm draws nothing on a terminal that gives its size as 0 x 0, as in some containers: here that is 80 x 24
        columns, lines = shutil.get_terminal_size()
        self.bar = tqdm(
            total=total,
            desc=title,
            file=stream,
            leave=False,
            bar_format=self.layout,
            ncols=columns,
            nrows=lines,
            mininterval=0,  # drawn at every call: Progress chooses when
        )

    def show(self, batches: int, figures: str) -> None:
        self.bar.set_postfix_str(figures, refresh=False)
        self.bar.update(batches - self.bar.n)

    def validating(self) -> None:
        self.bar.update(self.bar.total - self.bar.n)
        self.bar.set_postfix_str("validating")

    def close(self) -> None:
        self.bar.close()


class _Lines:
    """A plain line each time."""

    def __init__(self, stream: TextIO, title: str, total: int, seconds: float) -> None:
        self.stream, self.title, self.total, self.interval = stream, title, total, seconds

    def show(self, batches: int, figures: str) -> None:
        print(f"{self.title}: batch {batches} of {self.total}, {figures}", file=self.stream, flush=True)

    def validating(self) -> None:
        pass

    def close(self) -> None:
        pass


def _is_terminal(stream: TextIO) -> bool:
    """Can a bar be drawn here, without ending up in a pipe together with standard output?"""
    return stream.isatty() and sys.stdout.isatty()


def _find_tqdm() -> Any:
    """The class that draws bars, or None if it is not installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
