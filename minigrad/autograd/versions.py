"""Version counters: which memory was changed in place, how often, and when.

What an op saved for backward must still be there when backward comes. Every recorded op takes a stamp from `tick`;
so does every change in place, and it is noted for the memory that it hit, whichever Tensor, view, `.data` or detached
copy it went through. A saved array is out of date if its memory was changed after the op's stamp. So ops pay nothing
for this when they run, and backward looks only at ops older than the latest change.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from itertools import chain, count
from typing import Any

import numpy as np

from . import anomaly

tick = count(1).__next__  # the stamps of ops and of changes in place
latest = 0  # the stamp of the latest change: ops made since then saved nothing that is out of date

_noting = threading.Lock()  # `latest` must not go back when two threads write


def _after_fork() -> None:
    """In the child: whoever had the lock is not there."""
    global _noting
    _noting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


_NUMBERS = frozenset((int, float, bool, str, type(None)))  # what an op may keep that nobody can change

_REMEMBERED = 64  # so many changes are dated one by one


class _History:
    """The changes of one piece of memory (or of a Tensor that was given other memory)."""

    __slots__ = ("alive", "changes", "made", "stamps")

    stamps: deque[int]
    made: tuple[str, anomaly.Place]  # what made the latest change, and where in the user's code

    def __init__(self, owner: Any) -> None:
        key = id(owner)
        self.alive = weakref.ref(owner, lambda _: _histories.pop(key, None))
        self.changes, self.stamps = 0, deque(maxlen=_REMEMBERED)

    def version_at(self, stamp: int) -> int:
        """The number of changes before `stamp`."""
        return self.changes - sum(1 for change in self.stamps if change > stamp)


_histories: dict[int, _History] = {}  # by the id of the owner, which takes its entry along when it dies


def memory(array: Any) -> np.ndarray:
    """The array that owns the memory behind `array`: the same one for all its views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def changed(*owners: Any, by: str) -> None:
    """Note that `by` changed these arrays in place (or gave these Tensors other memory)."""
    global latest
    made, histories = (by, anomaly.caller()), _histories
    with _noting:
        latest = stamp = tick()
    for owner in owners:
        if isinstance(owner, np.ndarray) and owner.base is not None:
            owner = memory(owner)
        history = histories.get(id(owner))
        if history is None:
            history = histories[id(owner)] = _History(owner)
        history.changes += 1
        history.stamps.append(stamp)
        history.made = made


def version(array: np.ndarray) -> int:
    """How often the memory behind `array` was changed in place."""
    history = _histories.get(id(memory(array)))
    return 0 if history is None else history.changes


def check(op: Any) -> None:
    """RuntimeError if something that the backward of `op` needs was changed in place since the op ran.

    A quick look at all that the op has hold of comes first: other memory than that is what was changed, nearly always.
    """
    histories, stamp = _histories, op.stamp
    for x in chain(op.inputs or (), getattr(op, "__dict__", {}).values()):
        kind = type(x)
        if kind is tuple:
            if not _NUMBERS.issuperset(map(type, x)):
                return _check(op)
            continue
        if kind in _NUMBERS:
            continue
        history = histories.get(id(x))
        if history is not None and history.stamps[-1] > stamp:
            return _check(op)
        owner = getattr(x, "array", x)
        base = getattr(owner, "base", None)
        while isinstance(base, np.ndarray):
            owner, base = base, base.base
        history = histories.get(id(owner))
        if history is not None and history.stamps[-1] > stamp:
            return _check(op)
    return None


def _check(op: Any) -> None:
    """As `check`, by what the backward of `op` does need."""
    for owner, array, which in _needed(op):
        history = _histories.get(id(owner))
        if history is not None and history.stamps[-1] > op.stamp:
            by, place = history.made
            what = f"what it saved as {which}" if isinstance(which, str) else f"inputs[{which}]"
            advice = "" if anomaly.is_anomaly_enabled() else anomaly.ADVICE
            raise RuntimeError(
                f"{op.name()}: backward needs {what}, of shape {array.shape}, as it was when the op ran"
                f"{anomaly.at_line_of(op)}, at version {history.version_at(op.stamp)}; it is at version "
                f"{history.changes} now, last changed in place by {by}{anomaly.at(place)}. "
                f"Change a clone() instead, or change it after backward{advice}"
            )


def needed(op: Any) -> list[np.ndarray]:
    """The arrays that the backward of `op` reads."""
    return [array for _, array, _ in _needed(op)]


def _needed(op: Any) -> list[tuple[Any, np.ndarray, int | str]]:
    """(the owner of its history, array, which input or what name) for everything that the backward of `op` reads."""
    found: list[tuple[Any, np.ndarray, int | str]] = []
    inputs = op.inputs
    for i in op.inputs_needed() if inputs else ():
        x = inputs[i]
        array = getattr(x, "array", x)
        if isinstance(array, np.ndarray):
            found.append((memory(array), array, i))
            if array is not x:
                found.append((x, array, i))
    for name, kept in getattr(op, "__dict__", {}).items():
        for part in kept if type(kept) is tuple else (kept,):
            array = getattr(part, "array", part)
            if isinstance(array, np.ndarray):
                found.append((memory(array), array, name))
    return found
