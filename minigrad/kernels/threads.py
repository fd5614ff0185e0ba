"""Threads: how many kernels may use, when they use them, and who may start them. One policy for all kernels.

A kernel is handed a number of units of work (tiles, rows, images) and each thread does a run of neighbours. What a
unit computes does not depend on which thread does it, or on how many there are: the results are the same bits.

A kernel runs on the calling thread alone

- when it is so short that waking other threads would cost more than they save;
- when another Python thread has the pool: two at once would only slow each other down, and Numba's workqueue layer
  ends the process when it happens;
- for a while after it had to wait for a thread that other programs kept from running: on a busy machine each launch
  may cost milliseconds, and kernels here take a tenth of one;
- in a process that was forked from one whose pool had been started, as the first kernel to be loaded does: the pool's
  threads do not exist there, and to wait for them would never end, or end the process.
"""

from __future__ import annotations

import math
import operator
import os
import threading
from time import perf_counter_ns

__all__ = ["get_num_threads", "set_num_threads"]

# All in nanoseconds.
SHARE = 3_000  # work that makes it worth while to give a thread a share
STALL = 300_000  # a kernel that takes so much longer than twice what it would on one thread was kept waiting
PAUSE, LONGEST_PAUSE = 5_000_000, 1_280_000_000  # for how long after that no threads are used; doubled if it goes on

_number: int | None = None  # what was asked for
_pool = threading.Lock()  # held while a kernel runs on more than one thread
_started = False  # are there threads in the pool
_deadline: float = 0  # when the latest kernel that had the pool should be done
_pause = 0  # how long the latest pause was,
_resume: float = 0  # and when it ends


def get_num_threads() -> int:
    """The number of threads that compiled kernels may use.

    At first as many as this process has processors, or as the environment variable NUMBA_NUM_THREADS says.

    >>> import minigrad
    >>> minigrad.get_num_threads() >= 1
    True
    """
    global _number
    if _number is None:
        asked = os.environ.get("NUMBA_NUM_THREADS", "")
        _number = int(asked) if asked.isdecimal() and int(asked) else _processors()
    return _number


def set_num_threads(num: int) -> None:
    """Let compiled kernels use at most so many threads, in the whole process; 1 keeps them on the calling thread.

    The results are the same bits for any number. More than Numba's pool has (NUMBA_NUM_THREADS) are not used. Large
    matrix products are left to NumPy's BLAS, whose threads this does not govern; see OPENBLAS_NUM_THREADS.

    RuntimeError unless the number is positive, TypeError unless it is an integer.

    >>> import minigrad
    >>> before = minigrad.get_num_threads()
    >>> minigrad.set_num_threads(1)
    >>> minigrad.get_num_threads()
    1
    >>> minigrad.set_num_threads(before)
    """
    global _number
    try:
        number = operator.index(num)
    except TypeError:
        number = None
    if number is None or isinstance(num, bool):
        raise TypeError(f"set_num_threads: the number of threads must be an integer, got {num!r}")
    if number < 1:
        raise RuntimeError(f"set_num_threads: the number of threads must be at least 1, got {number}")
    _number = number


def claim(units: int, nanoseconds: float, pool_size: int) -> int:
    """The number of threads for a kernel of so many units that would take one thread so long.

    If it is more than 1, the caller has the pool, and must `release` it when the kernel is done.
    """
    global _deadline
    n = min(_number or get_num_threads(), pool_size, units, int(nanoseconds // SHARE))
    if n < 2:
        return 1
    now = perf_counter_ns()
    if now < _resume or not _pool.acquire(False):
        return 1
    _deadline = now + 2 * nanoseconds + STALL
    return n


def release() -> None:
    """Give back what `claim` gave, and see whether it was worth it."""
    if perf_counter_ns() > _deadline:
        _stop_for_a_while(perf_counter_ns())
    _pool.release()


def _stop_for_a_while(now: int) -> None:
    """Give nobody the pool until it is worth a try again."""
    global _pause, _resume
    again = now < _resume + 2 * _pause
    _pause = min(2 * _pause, LONGEST_PAUSE) if again else PAUSE
    _resume = max(_resume, now + _pause)  # in a child of `_after_fork` it stays infinite


def note_start() -> None:
    """The pool's threads are there from now on."""
    global _started
    _started = True


def _processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _after_fork() -> None:
    """In the child: the pool's threads stayed behind, so it is never to be had; and so did whoever had claimed it."""
    global _pool, _resume
    _pool = threading.Lock()
    if _started:
        _pool.acquire()  # for a `release` that is still to come, if it was this thread that had claimed it
        _resume = math.inf


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
