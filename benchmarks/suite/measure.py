"""Who takes a turn when."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .row import OURS, Row
from .start import Program
from .workers import Process, WorkerError

TOLERANCE = 1e-3  # of the largest number in an array: float32, and sums in another order


@dataclass
class Measured:
    """A row with what was measured: for each library a figure a round; or what is wrong with it."""

    row: Row
    samples: dict[str, list[float]] = field(default_factory=dict)
    error: str = ""


class Measurement:
    """The libraries' processes, and what they have measured so far.

    rows    : what is to be done
    names   : of the libraries, ours among them
    threads : how many each of them may use
    seconds : how long a turn lasts, at the least
    """

    def __init__(self, rows: Iterable[Row], names: list[str], threads: int, seconds: float) -> None:
        self.names, self.threads, self.seconds = names, threads, seconds
        self.found = [Measured(row) for row in rows]
        self.versions: dict[str, str] = {}

    def run(self, rounds: int) -> None:
        """Make all rows ready; then, in each round, each row once in each library."""
        start = time.monotonic()
        with contextlib.ExitStack() as stack:
            processes = {name: stack.enter_context(Process(name, self.threads)) for name in self.names}
            self.versions = {name: process.ask("version") for name, process in processes.items()}
            say(f"making {len(self.found)} rows ready")
            for one in self.found:
                self._attempt(one, processes, self._prepare)
            for i in range(rounds):
                say(f"round {i + 1} of {rounds}, after {time.monotonic() - start:.0f} s")
                for one in self.found:
                    if not one.error and (one.row.most is None or i < one.row.most):
                        self._attempt(one, processes, self._sample)

    def _attempt(self, one: Measured, processes: dict[str, Process], do: Callable) -> None:
        try:
            do(one, {name: processes[name] for name in one.row.libraries if name in processes})
        except WorkerError as error:
            one.error = str(error)
            say(f"{one.row.name}: {error}")

    def _prepare(self, one: Measured, processes: dict[str, Process]) -> None:
        """Make a row ready in every library that is there, and see whether they agree on the result."""
        row, results = one.row, {}
        one.samples = {name: [] for name in processes}
        if isinstance(row, Program):
            for name in processes if not row.cold else ():
                row.sample(name, self.threads)  # its files are in memory from now on, and its kernels on disk
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, process in processes.items():
                file = Path(folder) / f"{name}.npz"
                process.ask("prepare", row=row.name, make=row.make, arguments=row.arguments, results=str(file))
                with np.load(file, allow_pickle=False) as arrays:
                    results[name] = [arrays[key] for key in arrays]
        for name in results:
            difference = disagreement(results[OURS], results[name])
            if difference:
                raise WorkerError(f"minigrad and {name} do not compute the same: {difference}")

    def _sample(self, one: Measured, processes: dict[str, Process]) -> None:
        """One turn each."""
        for name, process in processes.items():
            if isinstance(one.row, Program):
                figure = one.row.sample(name, self.threads)
            else:
                figure = process.ask("time", row=one.row.name, seconds=self.seconds)
            one.samples[name].append(figure)


def disagreement(ours: list[np.ndarray], theirs: list[np.ndarray]) -> str:
    """In words what differs between two lists of results; nothing if they agree."""
    if len(ours) != len(theirs):
        return f"{len(ours)} results against {len(theirs)}"
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape:
            return f"result {i} has the shapes {a.shape} and {b.shape}"
        error, size = np.abs(a - b).max(initial=0), np.abs(b).max(initial=0)
        if not error <= TOLERANCE * size:
            return f"result {i}, of shape {a.shape}, is off by {error:.2g} where the largest number is {size:.2g}"
    return ""


def say(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)
