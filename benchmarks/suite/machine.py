"""The machine that something was measured on."""

from __future__ import annotations

import datetime
import os
import platform
import time
from pathlib import Path


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The name of the processor's model."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class Others:
    """How many processors, on average, other programs keep busy from now on; None where the system does not say."""

    def __init__(self) -> None:
        self.start, self.before = time.monotonic(), self._seconds()

    def busy(self) -> float | None:
        """Until now. Processes of ours count as ours once they have ended."""
        now = self._seconds()
        if self.before is None or now is None:
            return None
        return round(max(0.0, now - self.before) / (time.monotonic() - self.start), 2)

    @staticmethod
    def _seconds() -> float | None:
        """Processor seconds so far: of all programs, on the processors that we may use, without ours."""
        if not Path("/proc/stat").exists() or not hasattr(os, "sched_getaffinity"):
            return None
        names, total = {f"cpu{i}" for i in os.sched_getaffinity(0)}, 0
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name in names:  # user, nice, system; idle, iowait; irq, softirq, steal
                total += sum(int(ticks[i]) for i in (0, 1, 2, 5, 6, 7))
        return total / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def facts() -> dict:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "processor": processor(),
        "cores": processors(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
