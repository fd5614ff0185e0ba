"""Hot loops: arrays in, arrays out. Two backends have the same kernels, and one choice between them.

`reference` defines every kernel in plain NumPy; `compiled` has its twins, compiled by Numba at first use.
`current()` is the module in force: compiled if Numba is installed, unless the environment variable
MINIGRAD_BACKEND (`numba` or `numpy`) or `use_backend` says otherwise. Importing this package imports neither
Numba nor any compiled kernel.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from types import ModuleType
from typing import Any

from .threads import get_num_threads, set_num_threads

__all__ = ["current", "get_backend", "get_num_threads", "set_num_threads", "use_backend"]

VARIABLE = "MINIGRAD_BACKEND"
MODULES = {"numba": f"{__name__}.compiled", "numpy": f"{__name__}.reference"}
NAMES = {module: name for name, module in MODULES.items()}


class _Choice(threading.local):
    """`module`: the module of kernels chosen in this thread; that of the class is the default, once it is settled."""

    module: ModuleType

    def __getattr__(self, name: str) -> ModuleType:
        if name != "module":
            raise AttributeError(name)
        _Choice.module = _load_default()
        return _Choice.module


_choice = _Choice()

# The module of kernels in force in this thread. Every op asks for it, so no function in Python stands behind it.
current: Callable[[], Any] = partial(attrgetter("module"), _choice)


def get_backend() -> str:
    """The name of the backend in force in this thread: "numba" or "numpy".

    >>> import minigrad
    >>> minigrad.get_backend() in ("numba", "numpy")
    True
    """
    module = vars(_choice).get("module") or vars(_Choice).get("module")
    return _default_name() if module is None else NAMES[module.__name__]


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the kernels of one backend inside a with-block, or in a function decorated with it.

    `name` is "numba" (compiled, fast) or "numpy" (plain, readable). The choice holds for the thread that makes
    it; blocks nest. Without it the environment variable MINIGRAD_BACKEND decides, read when a kernel is first
    needed, and without that, whether Numba is installed.

    Raises ValueError for an unknown name, ImportError when Numba is asked for and cannot be imported.

    >>> import minigrad
    >>> with minigrad.use_backend("numpy"):
    ...     minigrad.get_backend()
    'numpy'
    """
    if name not in MODULES:
        raise ValueError(f"use_backend: unknown backend {name!r}; choose one of {_choices()}")
    before, _choice.module = vars(_choice).get("module"), _load(name, f"use_backend({name!r})")
    try:
        yield
    finally:
        if before is None:
            del _choice.module
        else:
            _choice.module = before


def _load_default() -> ModuleType:
    """The default, when a kernel is first needed."""
    name = _default_name()
    return _load(name, f"{VARIABLE}={name}" if os.environ.get(VARIABLE) else "the default")


def _default_name() -> str:
    """What the environment asks for; without a word from there, Numba if it is installed."""
    name = os.environ.get(VARIABLE)
    if not name:
        return "numba" if importlib.util.find_spec("numba") else "numpy"
    if name not in MODULES:
        raise ValueError(f"the environment variable {VARIABLE} is {name!r}; set it to one of {_choices()}, or unset it")
    return name


def _load(name: str, asked_by: str) -> ModuleType:
    """Import a module of kernels."""
    try:
        return importlib.import_module(MODULES[name])
    except ImportError as error:
        raise ImportError(
            f"the numba backend ({asked_by}) needs Numba, which cannot be imported ({error}); install numba, or "
            f'choose the backend "numpy" with {VARIABLE}=numpy or use_backend("numpy")'
        ) from error


def _choices() -> str:
    """The names of the backends, quoted."""
    return " or ".join(f'"{name}"' for name in MODULES)
