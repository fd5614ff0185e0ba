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
LIMIT = 1 << 28  # bytes that are kept
WHILE = 200  # arrays that are asked for while a size nobody wants stays; a training step asks for a few dozen
PAGE, LINE = 4096, 64  # memory is kept in multiples of the one, and begins at a multiple of the other

Piece = tuple[Any]  # so many bytes: an array of ctypes, in a tuple so that the references to it can be counted


class _Pieces(deque[Piece]):
    """Those of one size; the one that was handed out last comes last."""

    wanted = 0  # when one was last asked for


_pool: dict[int, _Pieces] = {}  # by size
_asked = 0  # for how many arrays
_bytes = 0  # of all pieces, changed under the lock
_lock = threading.Lock()  # is never waited for: who does not get it does without


class _Block(np.ndarray):
    """The owner of a piece of memory for the time being, as an array of the shape that was asked for."""


def empty(shape: Shape, dtype: np.dtype) -> np.ndarray:
    """As np.empty, of memory that was used before if there is some of this size."""
    global _asked
    size = prod(shape) * dtype.itemsize
    if not SMALLEST <= size <= LARGEST:
        return np.empty(shape, dtype)
    size = -(-size // PAGE) * PAGE
    pieces, piece = _pool.get(size), None
    _asked += 1
    if pieces is not None:
        pieces.wanted, piece = _asked, _idle(pieces)
    piece = piece or _more(size)
    if piece is None:
        return np.empty(shape, dtype)
    array = np.ndarray.__new__(_Block, shape, dtype, piece[0]).view(np.ndarray)
    _pool[size].append(piece)
    return array


def idle_bytes() -> int:
    """How much memory is kept that no array uses."""
    return sum(size for size, pieces in tuple(_pool.items()) for piece in tuple(pieces) if _is_idle(piece))


def release() -> None:
    """Return idle memory to the system."""
    with _lock:
        _give_up(_bytes, _asked)


def _idle(pieces: deque[Piece]) -> Piece | None:
    """Take an idle piece out. While it is looked at, a piece is in the hands of this thread alone."""
    for _ in range(len(pieces)):
        try:
            piece = pieces.popleft()
        except IndexError:  # other threads look at the rest
            return None
        if _is_idle(piece):
            return piece
        pieces.append(piece)
    return None


def _is_idle(piece: Piece) -> bool:
    return sys.getrefcount(piece[0]) <= _ALONE


_alone: Piece = ((ctypes.c_ubyte * 1)(),)
_ALONE = sys.getrefcount(_alone[0])  # references to what is in such a tuple, and nowhere else


def _more(size: int) -> Piece | None:
    """A new piece, in the place of what nobody wants; None if there would be too much, or for another thread."""
    global _bytes
    if not _lock.acquire(blocking=False):
        return None
    try:
        _give_up(size, _asked - WHILE)
        _give_up(_bytes + size - LIMIT, _asked)
        if _bytes + size > LIMIT:
            return None
        _bytes += size
        _pool.setdefault(size, _Pieces()).wanted = _asked
    finally:
        _lock.release()
    raw = np.empty(size + LINE, np.uint8)
    return ((ctypes.c_ubyte * size).from_buffer(raw.data, -raw.ctypes.data % LINE),)


def _give_up(count: int, until: int) -> None:
    """Give up so many bytes of idle memory, or a little more, of sizes not wanted since `until`. The lock is held."""
    global _bytes
    for size, pieces in sorted(_pool.items(), key=lambda item: item[1].wanted):
        while count > 0 and pieces.wanted <= until and _idle(pieces):
            _bytes -= size
            count -= size


def _after_fork() -> None:
    """In the child: whoever had the lock is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
