"""What a new process costs: import, the first training step, memory. Each sample is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass

from . import libraries
from .row import Row, Target, ratio, seconds
from .workers import WorkerError

IMPORT = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""

# The library is imported and the images are read before; what has to be compiled, or loaded from disk, is counted.
FIRST_STEP = """
import time
from suite import libraries, steps
library = libraries.load("{name}", {threads})
library.images(train=False)
start = time.perf_counter()
steps.step(library, "conv-bn", 32, train=False).run()
print(time.perf_counter() - start)
"""

# The most that the process ever had in memory: the interpreter, the library, its kernels, the 10,000 test images of
# uint8 (8 MB), the network, and what twenty steps need.
MEMORY = """
import resource, sys
from pathlib import Path
from suite import libraries, steps
library = libraries.load("{name}", {threads})
task = steps.step(library, "conv-bn", 128, train=False)
for _ in range(20):
    task.run()
status = Path("/proc/self/status")  # there it does not include the process that started this one
if status.exists():
    print(int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@dataclass(frozen=True)
class Program(Row):
    """A row whose samples are what a program prints.

    cold : each time with an empty folder for compiled kernels
    """

    program: str = ""
    cold: bool = False

    def sample(self, name: str, threads: int) -> float:
        """Run the program once, for the library of this name."""
        module, _ = libraries.LIBRARIES[name]
        program = self.program.format(name=name, module=module, threads=threads)
        environment = libraries.environment(threads)
        with tempfile.TemporaryDirectory() as folder:
            if self.cold:
                environment["NUMBA_CACHE_DIR"] = folder
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise WorkerError(f"{name}: the program of this row ended with status {done.returncode}: {last}")
        return float(done.stdout)


def rows() -> list[Row]:
    time, memory = Target(ratio(0.25), ratio(0.15)), Target(ratio(0.6))
    first, again = Target(seconds(10), seconds(4)), Target(seconds(1), seconds(0.4))

    def row(name: str, program: str, targets: dict[str, Target], **options: object) -> Program:
        return Program("start", name, program=program, targets=targets, **options)  # type: ignore[arg-type]

    return [
        row("import", IMPORT, {"pytorch": time}, most=5),
        row("first step, kernels on disk", FIRST_STEP, {"": again}, most=5),
        row("first step, nothing on disk", FIRST_STEP, {"": first}, libraries=("minigrad",), cold=True, most=3),
        row("memory, training conv-bn", MEMORY, {"pytorch": memory}, unit="B", most=2),
    ]
