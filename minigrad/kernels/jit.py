"""How kernels are compiled: one machine code per function and dtype, at first use, kept on disk.

Three traps of Numba's cache on disk shape this file. Its index is keyed by a function's qualified name and
line, and two processes that fill it at once can leave it naming one signature over the machine code of
another: so every dtype gets a function object with a name of its own, and a function of one name only ever
has one signature. The cache notices a change of the kernel's own file only, and not of what it calls in
others: so a digest of all these files is part of that name. And it raises when it is damaged or cannot be
written: then kernels are compiled without it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import threading
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

Function = Callable[..., Any]

# Division by zero gives inf or nan, as in NumPy; kernels run without the interpreter's lock.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}

# What may be assumed of floating point where the order of a sum is free. Not nnan and ninf: NaN must survive.
REORDER = frozenset({"contract", "reassoc", "nsz", "arcp"})

# A function that kernels call; compiled into them. Its arithmetic is kept in the order it is written
# in: without the word False it would take over what its caller allows.
helper = numba.njit(**OPTIONS, fastmath=False)

_lock = threading.Lock()
_warned = False


class Kernel:
    """A function of arrays, compiled for the dtype of its first argument when that dtype first arrives.

    All arguments must have passed the gate; floats must be floats and not integers. A second signature for
    the same dtype is an error, not another compilation.
    """

    def __init__(self, function: Function, fastmath: frozenset[str]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.fastmath = function, fastmath
        self.compiled: dict[str, Function] = {}

    def __call__(self, *args: Any) -> Any:
        compiled = self.compiled.get(args[0].dtype.char)
        return (compiled or self._compile(args))(*args)

    def _compile(self, args: tuple[Any, ...]) -> Function:
        """The machine code for arguments like these, from the cache on disk if it is there."""
        dtype = args[0].dtype
        with _lock:
            if dtype.char not in self.compiled:
                if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
                    compiled = np.errstate(all="ignore")(self.function)
                else:
                    self._require_gated(args)
                    name = f"{self.function.__qualname__}_{dtype.name}_{_sources()}"
                    function = _renamed(self.function, name)
                    compiled = _compile(function, tuple(numba.typeof(a) for a in args), self.fastmath)
                self.compiled[dtype.char] = compiled
        return self.compiled[dtype.char]

    def _require_gated(self, args: tuple[Any, ...]) -> None:
        """Raise rather than compile for arrays that did not pass the gate."""
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        if not all(a.flags.carray and a.dtype in (args[0].dtype, np.int64, np.uint8) for a in arrays):
            raise TypeError(
                f"{self.function.__qualname__}: compiled for native, C-contiguous, writeable arrays of one dtype and "
                f"int64 or uint8 indices, got (dtype, strides) {[(a.dtype.str, a.strides) for a in arrays]}"
            )


def kernel(function: Function) -> Kernel:
    """Decorate a kernel whose arithmetic is kept in the order it is written in."""
    return Kernel(function, fastmath=frozenset())


def reordering_kernel(function: Function) -> Kernel:
    """Decorate a kernel whose sums may be taken in any order, which lets them use vector instructions."""
    return Kernel(function, fastmath=REORDER)


@functools.cache
def _sources() -> str:
    """Digits that are others once any file in this folder has changed."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _renamed(function: Function, name: str) -> Function:
    """A copy of the function with a qualified name of its own."""
    twin = types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
    twin.__qualname__, twin.__module__, twin.__doc__ = name, function.__module__, function.__doc__
    return twin


def _compile(function: Function, signature: tuple[Any, ...], fastmath: frozenset[str]) -> Function:
    """Compile for one signature and no other, with the cache on disk if that can be had."""
    options = {**OPTIONS, "fastmath": set(fastmath)}
    if function.__code__.co_flags & inspect.CO_VARARGS:
        n = function.__code__.co_argcount
        signature = (*signature[:n], numba.types.BaseTuple.from_types(signature[n:]))
    dispatcher = trouble = None
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
        dispatcher.compile(signature)
    except Exception as error:  # whatever a missing or damaged cache raises; an error in the kernel comes again
        place = f" in {dispatcher.stats.cache_path}" if dispatcher else ""
        trouble = f"{type(error).__name__}{place}: {error}"
        dispatcher = numba.njit(**options)(function)
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    if trouble:
        _warn_once(trouble)
    return dispatcher


def _warn_once(trouble: str) -> None:
    """Say, the first time only, that kernels are not kept on disk."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"minigrad cannot keep compiled kernels on disk and compiles them in every process anew ({trouble}). "
            "Empty that folder, or set NUMBA_CACHE_DIR to one that can be written.",
            RuntimeWarning,
            stacklevel=2,
        )
