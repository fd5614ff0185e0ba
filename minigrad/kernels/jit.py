"""How kernels are compiled: one machine code per function and dtype, at first use, kept on disk.

Every dtype gets a function object of its own, and that has one signature only. Its machine code is looked for in a
folder that is named after all it depends on: the sources of all kernels, for one is compiled into another, the
versions of what compiles them, the settings of the compiler, and the processor. Whatever goes wrong with the files,
kernels are compiled without them; see `cache` for how they are kept, and `machine_code` for what is in them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import platform
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import registry
from numba.core.types import unliteral

from . import cache, machine_code, whole
from .record import Made, made

Function = Callable[..., Any]

# Division by zero gives inf or nan, as in NumPy; kernels run without the interpreter's lock. An entry for callers in C,
# which Numba would add to each function, is a tenth of the time to compile it, and nobody calls;
# `whole.Pipeline` leaves out what finds nothing to do in a kernel.
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": whole.Pipeline,
}

# What may be assumed of floating point where the order of a sum is free. Not nnan and ninf: NaN must survive.
REORDER = frozenset({"contract", "reassoc", "nsz", "arcp"})


def helper(function: Function) -> Any:
    """Decorate a function that kernels call; compiled into them, once, whatever constants it is called with.

    Its arithmetic is kept in the order it is written in: without the word False it would take over what its caller
    allows.
    """
    dispatcher = numba.njit(**OPTIONS, fastmath=False)(function)
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        template = dispatcher.get_call_template
        dispatcher.get_call_template = lambda args, kws: template(tuple(map(unliteral, args)), kws)
    return dispatcher


# Settings of Numba's that do not change the machine code.
NO_MATTER = {"CACHE_DIR", "COLOR_SCHEME", "NUMBA_NUM_THREADS", "NUMBA_DEFAULT_NUM_THREADS"}
NO_MATTER |= {"THREADING_LAYER", "THREADING_LAYER_PRIORITY"}

CHECKED = bool(numba.config.BOUNDSCHECK)  # type: ignore[attr-defined]

PATIENCE = 1.0  # seconds of compiling, in the whole process, after which it is said what takes so long
QUIET = "MINIGRAD_QUIET"  # an environment variable: it is not said

_lock = threading.Lock()
_warned = _told = False


class Kernel:
    """A function of arrays, compiled for the dtype of its first argument when that dtype first arrives.

    All arguments must have passed the gate, and be of the same types at each call. Numba's dispatcher would look at the
    type of each once more, which takes as long as a small kernel does: it does so where CHECKED, and an argument of
    another type is then a TypeError. Otherwise the machine code itself is called.
    """

    def __init__(self, function: Function, fastmath: frozenset[str]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.fastmath = function, fastmath
        self.compiled: dict[str, Function] = {}  # Numba's dispatchers
        self.entries: dict[str, Function] = {}  # and the machine code they dispatch to

    def __call__(self, *args: Any) -> Any:
        entry = self.entries.get(args[0].dtype.char)
        return (entry or self.compile(args))(*args)

    def compile(self, args: tuple[Any, ...]) -> Function:
        """The machine code for arguments like these, from the disk if it is there."""
        dtype = args[0].dtype
        with _lock:
            if dtype.char not in self.entries:
                if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
                    self.compiled[dtype.char] = entry = np.errstate(all="ignore")(self.function)
                else:
                    self._require_gated(args)
                    signature = tuple(map(numba.typeof, args))
                    self.compiled[dtype.char] = dispatcher = _make(self.function, dtype.name, signature, self.fastmath)
                    entry = dispatcher if CHECKED else dispatcher.overloads[signature].entry_point
                self.entries[dtype.char] = entry
        return self.entries[dtype.char]

    def _require_gated(self, args: tuple[Any, ...]) -> None:
        """Raise rather than compile for arrays that did not pass the gate."""
        parts = [part for a in args for part in (a if isinstance(a, tuple) else (a,))]
        arrays = [a for a in parts if isinstance(a, np.ndarray)]
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


def _make(function: Function, dtype: str, signature: tuple[Any, ...], fastmath: frozenset[str]) -> Any:
    """Load or compile a function for one signature and no other."""
    start = time.perf_counter()
    dispatcher = numba.njit(**OPTIONS, fastmath=set(fastmath))(_twin(function))
    kept = function.__module__.startswith(f"{__package__}.")  # of other files we would not notice a change
    trouble = None
    if kept:
        name = _file_name(function, dtype, signature)
        try:
            content = cache.read(_folder(), name)
            if content is not None:
                dispatcher.add_overload(machine_code.link(content, function, signature))
        except Exception as error:  # whatever a damaged file or a strange system brings: there is the compiler
            trouble = error
    compiled = not dispatcher.overloads
    if compiled:
        with _progress():
            content, overload = _compile(function, signature, fastmath)
            if overload is None:
                dispatcher.compile(signature)
            else:
                dispatcher.add_overload(overload)
        if kept and overload is not None:
            try:
                cache.write(_folder(), name, content)
            except Exception as error:
                trouble = error
    dispatcher.disable_compile()
    made.append(Made(_full_name(function), dtype, time.perf_counter() - start, compiled))
    if trouble:
        _warn_once(trouble)
    return dispatcher


def _compile(function: Function, signature: tuple[Any, ...], fastmath: frozenset[str]) -> tuple[bytes, Any]:
    """The machine code for a signature, as bytes and linked; None for the latter where it is to be made Numba's way."""
    dispatcher = numba.njit(**OPTIONS, fastmath=set(fastmath))(_twin(function))
    try:
        with whole.waiting(function):
            dispatcher.compile(signature)
            content = machine_code.pack(dispatcher.overloads[signature])
        if content is not None:  # None: it would depend on what lives in this process
            return content, machine_code.link(content, function, signature)
    except Exception:  # another Numba may be another inside; what is wrong with the kernel itself comes again
        pass
    return b"", None


def _twin(function: Function) -> Function:
    """A function object of its own for each dtype."""
    twin = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    return functools.update_wrapper(twin, function, updated=())


def _full_name(function: Function) -> str:
    """The name of a function with that of its file."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"


def _file_name(function: Function, dtype: str, signature: tuple[Any, ...]) -> str:
    """Module, function and dtype, and digits that stand for the signature."""
    return f"{_full_name(function)}.{dtype}-{_digest(map(str, signature))}"


def _folder() -> Path:
    """Where machine code is kept that was made from these sources, by this compiler, for this processor."""
    codegen = registry.cpu_target.target_context.codegen()
    python = platform.python_implementation(), platform.python_version(), sys.abiflags
    versions = *python, np.__version__, numba.__version__, llvmlite.__version__
    settings = {k: v for k, v in vars(numba.config).items() if k.isupper() and k not in NO_MATTER}
    digest = _digest([_sources(), *versions, *codegen.magic_tuple(), sorted(settings.items())])
    return cache.home() / f"{cache.FOLDERS}{digest}"


@functools.cache
def _sources() -> str:
    """Digits that are others once any file in this folder has changed."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    if not files:
        raise FileNotFoundError(f"the sources in {Path(__file__).parent} cannot be read")
    return _digest(path.read_bytes() for path in files)


def _digest(parts: Any) -> str:
    """Sixteen digits that stand for some texts or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _progress() -> Iterator[None]:
    """Once compiling has taken more than a second in all, say what takes so long, while it does."""
    remaining = PATIENCE - sum(kernel.seconds for kernel in made if kernel.compiled)
    timer = threading.Timer(remaining, _tell)
    timer.daemon = True
    if remaining <= 0:
        _tell()
    elif not _told:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell() -> None:
    """Say it, in the way that a program can turn off or send elsewhere, and that is seen if it does not."""
    global _told
    if not _told and not os.environ.get(QUIET):
        _told = True
        logging.getLogger("minigrad").warning(
            "minigrad: compiling kernels for this processor, which takes a while the first time (see minigrad.warmup); "
            "they are kept in %s (%s=1 leaves this message out)",
            _place(),
            QUIET,
        )


def _place() -> str:
    """Where kernels are kept, in words."""
    try:
        return str(cache.home())
    except OSError as error:
        return f"no folder: {error}"


def _warn_once(trouble: Exception) -> None:
    """Say, the first time only, that kernels are not kept on disk."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"minigrad cannot keep compiled kernels on disk and compiles them anew ({type(trouble).__name__}: {trouble}"
            f"). They belong into a folder that only you can write to, in {_place()}; set NUMBA_CACHE_DIR to have it "
            "elsewhere.",
            RuntimeWarning,
            stacklevel=2,
        )
