"""What the machine can do at most: the rows of the others are held against it.

triad : a = b + s c over arrays far larger than the caches, all threads; the faster one of minigrad's compiled loop and
        PyTorch's `torch.add(b, c, alpha=s, out=a)`. Three arrays are counted: what the processor reads of `a` before
        it writes to it is not.
peak  : multiplications with an addition each on numbers that stay in registers, all threads.
"""

from __future__ import annotations

import numpy as np

from .libraries import Torch, array
from .row import Row, Task

NUMBERS = 1 << 24  # in each array of the triad: 64 MiB
STEPS = 20_000  # of a unit of the peak
ROWS, VECTORS, UNITS = 8, 2, 64


def rows() -> list[Row]:
    from minigrad.kernels import simd

    flop = 2 * UNITS * STEPS * ROWS * VECTORS * simd.LANES
    return [
        Row("limits", "triad", "limits.triad", bytes=3 * 4 * NUMBERS),
        Row("limits", "peak", "limits.peak", libraries=("minigrad",), flop=flop),
    ]


def triad(library: Torch) -> Task:
    b, c = (np.full(NUMBERS, value, np.float32) for value in (1, 2))
    a = np.zeros(NUMBERS, np.float32)
    if library.name == "pytorch":
        add, (x, y, z) = library.lib.add, map(library.lib.from_numpy, (a, b, c))
        return Task(lambda: add(y, z, alpha=0.5, out=x), lambda: [array(add(y, z, alpha=0.5, out=x)[:5])])
    from . import loops

    units = NUMBERS // loops.CHUNK

    def run() -> None:
        loops.triad(units, 1e7, a, b, c, 0.5)

    def results() -> list:
        run()
        return [a[:5]]

    return Task(run, results)


def peak(library: Torch) -> Task:
    from . import loops

    a = np.full(loops.LENGTH, 1e-3, np.float32)
    y = np.zeros(UNITS * ROWS * VECTORS * loops.LANES, np.float32)
    return Task(lambda: loops.peak(UNITS, 1e7, y, a, STEPS), list)
