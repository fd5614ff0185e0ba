"""A row: some work that several libraries do, and what is asked of the time that minigrad takes for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

OURS = "minigrad"


class Task(NamedTuple):
    """The work of a row, made ready in one library."""

    run: Callable[[], Any]  # what is timed
    results: Callable[[], list]  # arrays that have to be the same in every library; asked for once, before the timing


@dataclass(frozen=True)
class Bound:
    """At most so much of another library's time (a ratio), or of seconds; or at least a share of a physical limit."""

    value: float
    of: str  # "ratio", "seconds" or "share"

    def holds(self, ratio: float | None, value: float, share: float | None) -> bool:
        """Is it kept by a row whose figures are these?"""
        if self.of == "share":
            return share is not None and share >= self.value
        figure = ratio if self.of == "ratio" else value
        return figure is not None and figure <= self.value

    def __str__(self) -> str:
        return {"ratio": f"{self.value:.2f}", "seconds": f"{self.value:g} s", "share": f"{self.value:.0%}"}[self.of]


def ratio(value: float) -> Bound:
    """At most so many times what the other library takes."""
    return Bound(value, "ratio")


def seconds(value: float) -> Bound:
    """At most so many seconds, whatever others take."""
    return Bound(value, "seconds")


def share(value: float) -> Bound:
    """At least this share of what the machine can do at most."""
    return Bound(value, "share")


class Target(NamedTuple):
    """What is asked of a row against one library: at the least, and at best."""

    must: Bound | None = None
    aim: Bound | None = None


@dataclass(frozen=True)
class Row:
    """Work that is timed.

    make      : "module.function" in this folder. The function is called with a library of `libraries.py` and the
                arguments, in the library's process, and gives the Task
    targets   : what is asked against each library; under "" what is asked whatever others take
    libraries : which of them can do it
    flop      : floating point operations of a run, for the share of the peak
    bytes     : what a run has to read and write at least, for the share of the memory triad
    unit      : "s" for seconds, "B" for bytes
    most      : no more samples than this, however many rounds there are
    """

    family: str
    name: str
    make: str = ""
    arguments: tuple = ()
    targets: dict[str, Target] = field(default_factory=dict)
    libraries: tuple[str, ...] = (OURS, "pytorch")
    flop: float | None = None
    bytes: float | None = None
    unit: str = "s"
    most: int | None = None
