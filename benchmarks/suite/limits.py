"""What the machine can do at most: the other rows are held against it.

triad : a = b + s c over arrays far larger than the caches, on all threads: the faster one of minigrad's compiled loop
        and PyTorch's `torch.add(b, c, alpha=s, out=a)`. Three arrays are counted, and not what the processor reads of
        `a` before it writes to it.
peak  : multiplications with an addition each, of numbers that stay in registers, on all threads.

Both are the best of all rounds, since what else the machine does can only slow them down.
"""

from __future__ import annotations

import numpy as np

from .libraries import Library, array
from .row import Row, Task

TRIAD, PEAK = "triad", "peak"
NUMBERS = 1 << 24  # in each array of the triad: 64 MiB
UNITS, LENGTH = 64, 1 << 18  # of the peak, and how many numbers each row of a unit's tile goes through
ROWS, VECTORS = 8, 2  # sixteen sums at once: no multiplication waits for the one before


def rows() -> list[Row]:
    return [
        Row("limits", TRIAD, "limits.triad", bytes=3 * 4 * NUMBERS),
        Row("limits", PEAK, "limits.peak", libraries=("minigrad",), flop=2 * UNITS * ROWS * VECTORS * LENGTH),
    ]


def triad(library: Library) -> Task:
    a, b, c = (np.full(NUMBERS, value, np.float32) for value in (0, 1, 2))
    if library.name == "pytorch":
        add, x, y, z = library.lib.add, *map(library.lib.from_numpy, (a, b, c))

        def run() -> None:
            add(y, z, alpha=0.5, out=x)

    else:
        from . import loops

        def run() -> None:
            loops.triad(NUMBERS // loops.CHUNK, 1e7, a, b, c, 0.5)

    def results() -> list:
        run()
        return [array(a)]

    return Task(run, results)


def peak(library: Library) -> Task:
    from . import loops

    a, y = np.full(loops.TILE, 1e-3, np.float32), np.zeros(UNITS * loops.TILE, np.float32)
    return Task(lambda: loops.peak(UNITS, 1e7, y, a, LENGTH // loops.LANES), list)
