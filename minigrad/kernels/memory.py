"""Memory for the results of kernels, which is used again and not returned to the system.

A large array that is freed goes back to the operating system, and the next one is made of new pages: each is cleared,
and entered into the process's table of pages, when it is first touched. On the machines this was measured on that
takes 0.5 nanoseconds a byte, more than most kernels need to fill it. A training step makes the same arrays over and
over, so their memory is kept and handed out again.

How it is known that nobody uses an array any more: what a kernel gets is a view of a `_Block`, and so is every view,
slice or buffer made of that, however far. NumPy lets each keep the block alive. When the last one is gone the block
goes too, and its memory is idle.

There is never more idle memory than LIMIT, and it does not add to what the process needs at its peak: before memory
is asked for, as much idle memory of other sizes is given up, that which has been idle the longest first.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections import deque
from math import prod
from typing import Any

import numpy as np

from .shapes import Shape

__all__ = ["empty", "idle_bytes", "release"]

SMALLEST, LARGEST = 1 << 16, 1 << 26  # bytes of an array; others are left to NumPy
LIMIT = 1 << 28  # bytes that may be idle
PAGE, LINE = 4096, 64  # memory is kept in multiples of the one, and begins at a multiple of the other

_lock = threading.Lock()  # is never waited for: who does not get it does without
_freed: deque[Any] = deque()  # memory whose block has just gone, at whatever moment that was
_idle: dict[int, list[Any]] = {}  # by size; the size that was freed last comes last
_idle_bytes = 0


class _Block(np.ndarray):
    """The owner of a piece of memory, as an array of the shape that was asked for."""

    def __del__(self) -> None:
        memory = self.base
        if isinstance(memory, ctypes.Array):  # not so for what somebody has made of a block
            _freed.append(memory)
            if _lock.acquire(blocking=False):
                try:
                    _collect()
                finally:
                    _lock.release()


def empty(shape: Shape, dtype: np.dtype) -> np.ndarray:
    """As np.empty, of memory that was used before if there is some of this size."""
    size = prod(shape) * dtype.itemsize
    if not SMALLEST <= size <= LARGEST or not _lock.acquire(blocking=False):
        return np.empty(shape, dtype)
    try:
        memory = _take(-(-size // PAGE) * PAGE)
    finally:
        _lock.release()
    return np.ndarray.__new__(_Block, shape, dtype, memory).view(np.ndarray)


def idle_bytes() -> int:
    """How much memory is kept that no array uses."""
    return _idle_bytes + sum(map(len, tuple(_freed)))


def release() -> None:
    """Return idle memory to the system."""
    with _lock:
        _collect()
        _give_up(_idle_bytes)


def _collect() -> None:
    """Enter what was freed under its size, and see to the limit."""
    global _idle_bytes
    while _freed:
        memory = _freed.popleft()
        size = len(memory)
        _idle[size] = [*_idle.pop(size, ()), memory]
        _idle_bytes += size
    _give_up(_idle_bytes - LIMIT)


def _take(size: int) -> Any:
    """Idle memory of this size, or new memory in the place of as much that is idle."""
    global _idle_bytes
    _collect()
    while size in _idle:
        memory = _pop(size)
        if sys.getrefcount(memory) == 2:  # this name and the argument: nobody has dug it out of a block
            return memory
    _give_up(min(size, _idle_bytes))
    raw = np.empty(size + LINE, np.uint8)
    return (ctypes.c_ubyte * size).from_buffer(raw.data, -raw.ctypes.data % LINE)


def _give_up(count: int) -> None:
    """Give up so many bytes of idle memory, or a little more."""
    while count > 0:
        size = next(iter(_idle))
        _pop(size)
        count -= size


def _pop(size: int) -> Any:
    """Take memory of this size, of which there is some, out of what is idle."""
    global _idle_bytes
    memory = _idle[size].pop()
    _idle_bytes -= size
    if not _idle[size]:
        del _idle[size]
    return memory


def _after_fork() -> None:
    """In the child: whoever had the lock is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
