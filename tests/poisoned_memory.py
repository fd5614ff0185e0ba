"""A plugin for pytest: what np.empty gives is full of NaN, or of huge integers, so that nobody can rely on it.

    MINIGRAD_BACKEND=numpy python -m pytest -p tests.poisoned_memory

Arrays that compiled code makes for itself are left out: to Numba this np.empty means the real one. NUMBA_DISABLE_JIT=1
has them in.
"""

import importlib.util

import numpy as np

_empty = np.empty


def poison(a):
    """The array, with each number the worst of its kind."""
    if a.dtype.kind in "fc":
        a.fill(np.nan)
    elif a.dtype.kind in "iu":
        a.fill(np.iinfo(a.dtype).max)
    elif a.dtype.kind == "b":
        a.fill(True)
    return a


def empty(shape, dtype=float, *args, **kwargs):
    return poison(_empty(shape, dtype, *args, **kwargs))


np.empty = empty

if importlib.util.find_spec("numba"):
    from numba.extending import overload

    @overload(empty)
    def _(shape, dtype=float):
        return lambda shape, dtype=float: _empty(shape, dtype)
