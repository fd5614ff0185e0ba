"""Who takes a turn when: the rounds."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .row import OURS, Row
from .workers import Process, WorkerError

TOLERANCE = 1e-3  # of the largest number in an array: float32, and sums in another order


@dataclass
class Measured:
    """A row with what was measured: for each library a figure a round, or what is wrong."""

    row: Row
    samples: dict[str, list[float]] = field(default_factory=dict)
    error: str = ""


def measure(rows: list[Row], names: list[str], threads: int, rounds: int, seconds: float) -> tuple[list, dict]:
    """All rows in all libraries, and the libraries' versions."""
    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(Process(name, threads)) for name in names}
        versions = {name: process.ask("version") for name, process in processes.items()}
        found = [prepare(row, processes) for row in rows]
        for i in range(rounds):
            print(f"round {i + 1} of {rounds}", file=sys.stderr, flush=True)
            for one in found:
                for name, samples in one.samples.items():
                    samples.append(processes[name].ask("time", row=one.row.name, seconds=seconds))
    return found, versions


def prepare(row: Row, processes: dict[str, Process]) -> Measured:
    """Make a row ready in every library that is there, and see whether they agree on the result."""
    names = [name for name in row.libraries if name in processes]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            file = Path(folder) / f"{name}.npz"
            try:
                processes[name].ask("prepare", row=row.name, make=row.make, arguments=row.arguments, results=str(file))
            except WorkerError as error:
                return Measured(row, error=str(error))
            with np.load(file, allow_pickle=False) as arrays:
                results[name] = [arrays[key] for key in arrays]
    for name in names:
        difference = disagreement(results[OURS], results[name])
        if difference:
            return Measured(row, error=f"minigrad and {name} do not compute the same: {difference}")
    return Measured(row, {name: [] for name in names})


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
