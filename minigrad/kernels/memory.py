"""Memory for the results of kernels, which is used again and not returned to the system.

A large array that is freed goes back to the operating system, and the next one is made of new pages: each is cleared,
and entered into the process's table of pages, when it is first touched. On the machines this was measured on that
takes 0.5 nanoseconds a byte, more than most kernels need to fill it. A training step makes the same arrays over and
over, so their memory is kept and handed out again.

How it is known that nobody uses an array any more: what a kernel gets is a view of a `_Block`, which refers to a piece
of memory that is kept here, and so is every view, slice or buffer made of that, however far. NumPy lets each keep the
block alive. When the last one is gone the block goes too, and the piece is idle: nothing but this file refers to it.

Before more memory is asked for, as much is given up that is idle and of a size that nobody has wanted for a while, such
as another network, or another size of batches, left behind. What is wanted in every step must stay: else the sizes of a
step push each other out, again and again. And it is never more than LIMIT, used and idle together: arrays beyond that
are left to NumPy.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from math import prod
from operator import attrgetter
from sys import getrefcount
from typing import Any

import numpy as np

from .shapes import Shape

__all__ = ["Maker", "empty", "idle_bytes", "maker", "release"]

SMALLEST, LARGEST = 1 << 16, 1 << 26  # bytes of an array; others are left to NumPy
LIMIT = 1 << 28  # bytes that are kept
WHILE = 200  # arrays that are asked for while a size nobody wants stays; a training step asks for a few dozen
PAGE, LINE = 4096, 64  # memory is kept in multiples of the one, and begins at a multiple of the other

Array = np.ndarray

Maker = Callable[[], np.ndarray]

Piece = tuple[Any]  # so many bytes: an array of ctypes, in a tuple so that the references to it can be counted


class _Pieces(deque[Piece]):
    """Those of one size; the one that was handed out last comes last."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.wanted = size, 0  # and when one was last asked for


_pool: dict[int, _Pieces] = {}  # by size
_now = itertools.count(1).__next__  # time, as it is told here: for how many arrays was asked
_bytes = 0  # of all pieces, changed under the lock
_lock = threading.Lock()  # is never waited for: who does not get it does without


class _Block(np.ndarray):
    """The owner of a piece of memory for the time being, as an array of the shape that was asked for."""


def empty(shape: Shape, dtype: np.dtype) -> np.ndarray:
    """As np.empty, of memory that was used before if there is some of this size."""
    return maker(shape, dtype)()


@functools.lru_cache(4096)
def maker(shape: Shape, dtype: np.dtype) -> Maker:
    """A function that makes arrays as `empty` does, for who makes many of one kind."""
    size = prod(shape) * dtype.itemsize
    if not SMALLEST <= size <= LARGEST:
        return functools.partial(np.empty, shape, dtype)
    size = -(-size // PAGE) * PAGE
    return functools.partial(_make, _pool.setdefault(size, _Pieces(size)), shape, dtype)


def _make(pieces: _Pieces, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """An array of memory that was used before, if one of these pieces is idle."""
    pieces.wanted = _now()
    piece: Piece | None
    try:
        piece = pieces.popleft()  # the first one is idle, nearly always
        if getrefcount(piece[0]) > _ALONE:
            pieces.append(piece)
            piece = _idle(pieces) or _more(pieces)
    except IndexError:
        piece = _more(pieces)
    if piece is None:
        return np.empty(shape, dtype)
    array = _Block(shape, dtype, piece[0]).view(Array)
    pieces.append(piece)
    return array


def idle_bytes() -> int:
    """How much memory is kept that no array uses."""
    kept = tuple(_pool.values())
    return sum(pieces.size for pieces in kept for piece in tuple(pieces) if getrefcount(piece[0]) <= _ALONE)


def release() -> None:
    """Return idle memory to the system."""
    with _lock:
        _give_up(_bytes, _now())


def _idle(pieces: _Pieces) -> Piece | None:
    """Take an idle piece out. While it is looked at, a piece is in the hands of this thread alone."""
    used = []
    try:
        while getrefcount((piece := pieces.popleft())[0]) > _ALONE:
            used.append(piece)
    except IndexError:  # there is no other, or other threads look at them
        piece = None
    if used:
        pieces.extend(used)
    return piece


_alone: Piece = ((ctypes.c_ubyte * 1)(),)
_ALONE = getrefcount(_alone[0])  # references to what is in such a tuple, and nowhere else


def _more(pieces: _Pieces) -> Piece | None:
    """A new piece, in the place of what nobody wants; None if there would be too much, or for another thread."""
    global _bytes
    size, now = pieces.size, pieces.wanted
    if not _lock.acquire(blocking=False):
        return None
    try:
        _give_up(size, now - WHILE)
        _give_up(_bytes + size - LIMIT, now)
        if _bytes + size > LIMIT:
            return None
        _bytes += size
    finally:
        _lock.release()
    raw = np.empty(size + LINE, np.uint8)
    return ((ctypes.c_ubyte * size).from_buffer(raw.data, -raw.ctypes.data % LINE),)


def _give_up(count: int, until: int) -> None:
    """Give up so many bytes of idle memory, or a little more, of sizes not wanted since `until`. The lock is held."""
    global _bytes
    for pieces in sorted(_pool.values(), key=attrgetter("wanted")):
        while count > 0 and pieces.wanted <= until and _idle(pieces):
            _bytes -= pieces.size
            count -= pieces.size


def _after_fork() -> None:
    """In the child: whoever had the lock is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
