"""The processes of the libraries, as seen from the command."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from . import libraries


class WorkerError(RuntimeError):
    """A library could not do what a row asks."""


class Process:
    """One library in a process of its own."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        command = [sys.executable, "-m", "suite.worker", name, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=libraries.environment(threads)
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have something done, and wait for the answer."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer is missing as well
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.name} ended with status {self.process.wait()} during {do}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer["value"]

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
