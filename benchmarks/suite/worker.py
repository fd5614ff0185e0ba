"""The process of one library: it stays, and does what it is told, a line of JSON each.

    python -m suite.worker LIBRARY THREADS

    {"do": "prepare", "row": "...", "make": "steps.step", "arguments": [...], "results": "file.npz"}
    {"do": "time", "row": "...", "seconds": 0.1}

The answer is a line as well: {"value": ...}, or {"error": "..."} with what went wrong. The process ends when its input
does. Between two commands it sleeps, so that the library whose turn it is has the processor for itself.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from . import libraries
from .row import Task

WARM_UP = 0.02  # seconds at the start of a turn that are not counted: caches fill, threads wake, those of others sleep
BLOCK = 0.002  # the least number of seconds between two looks at the clock
LEAST = 3  # blocks in a turn


class Worker:
    """The tasks that are ready, in one library."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.tasks: dict[str, Task] = {}

    def version(self) -> str:
        return self.library.version

    def prepare(self, row: str, make: str, arguments: list, results: str) -> None:
        """Make a row ready, and write what all libraries must agree on to a file."""
        module, function = make.split(".")
        task = getattr(importlib.import_module(f"{__package__}.{module}"), function)(self.library, *arguments)
        np.savez(results, *task.results())
        self.tasks[row] = task

    def time(self, row: str, seconds: float) -> float:
        """A turn of this row."""
        return turn(self.tasks[row].run, seconds)


def turn(run: Callable[[], Any], seconds: float) -> float:
    """The seconds of a run: blocks of runs for about so many seconds, of which the fastest counts.

    What else the machine does only ever adds, and most to what waits for all of its threads.
    """
    clock = time.perf_counter
    start, warm_up_runs = clock(), 0
    while clock() - start < WARM_UP:
        run()
        warm_up_runs += 1
    times = max(1, round(BLOCK * warm_up_runs / (clock() - start)))
    taken: list[float] = []
    begin = clock()
    while len(taken) < LEAST or clock() - begin < seconds:
        start = clock()
        for _ in range(times):
            run()
        taken.append((clock() - start) / times)
    return min(taken)


def main() -> None:
    name, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    worker = Worker(libraries.load(name, int(threads)))
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"value": getattr(worker, command.pop("do"))(**command)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
