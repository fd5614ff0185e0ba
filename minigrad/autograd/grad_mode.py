"""Grad mode: are ops being recorded? Each thread has its own answer, and starts out with yes.

So has each async task, but that starts out with the answer of the code that made it, as does `asyncio.to_thread`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ..checks import flag

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]


# Read by every op (a threading.local takes five times as long); set in this file and by the engine's passes alone.
recording = ContextVar("recording", default=True)


def is_grad_enabled() -> bool:
    """Are ops being recorded in this thread?

    >>> import minigrad
    >>> with minigrad.no_grad():
    ...     minigrad.is_grad_enabled()
    False
    >>> minigrad.is_grad_enabled()
    True
    """
    return recording.get()


class _GradMode:
    """Sets the grad mode in a with-block, or in a function it decorates. It may be entered inside itself."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before: list[bool] = []  # what to come back to

    def __enter__(self) -> None:
        self.before.append(recording.get())
        recording.set(self.mode)

    def __exit__(self, *exc: object) -> None:
        recording.set(self.before.pop())

    def __call__(self, fn: Callable) -> Callable:
        return _decorate(fn, self.mode)


def no_grad(fn: Callable | None = None) -> Any:
    """Do not record ops in this thread, in a with-block or in a function it decorates (parentheses optional).

    >>> import minigrad
    >>> w = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad():
    ...     w -= 0.1        # changed in place, outside of any graph
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """
    return _GradMode(False) if fn is None else _decorate(fn, False)


def enable_grad(fn: Callable | None = None) -> Any:
    """Record ops again inside `no_grad`, in a with-block or in a function it decorates (parentheses optional).

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad(), minigrad.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """
    return _GradMode(True) if fn is None else _decorate(fn, True)


def inference_mode(mode: bool | Callable = True) -> Any:
    """`no_grad`, under the name that PyTorch gives to its stricter form; with `mode` False `enable_grad`.

    What is made inside is an ordinary tensor, which may be used in a graph afterwards (PyTorch refuses that).

    >>> import minigrad
    >>> w = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.inference_mode():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """
    return _decorate(mode, False) if callable(mode) else _GradMode(not flag("inference_mode", "mode", mode))


class set_grad_enabled(_GradMode):
    """Turn recording on or off in this thread: at once, for a with-block, or for a function it decorates.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(flag("set_grad_enabled", "mode", mode))
        self.outside = recording.get()
        recording.set(self.mode)

    def __enter__(self) -> None:
        self.before.append(self.outside)
        recording.set(self.mode)

    def __call__(self, fn: Callable) -> Callable:
        recording.set(self.outside)  # a decorator: the function alone is affected
        return super().__call__(fn)


def _decorate(fn: Callable, mode: bool) -> Callable:
    """Run `fn` in a grad mode; a generator only while it is running, not while it is suspended."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _GradMode(mode):
            return fn(*args, **kwargs)

    @functools.wraps(fn)
    def stepped(*args: Any, **kwargs: Any) -> Any:
        generator, step, value = fn(*args, **kwargs), "send", None
        while True:
            try:
                with _GradMode(mode):
                    item = getattr(generator, step)(value)
            except StopIteration as stop:
                return stop.value
            try:
                step, value = "send", (yield item)
            except GeneratorExit:
                with _GradMode(mode):
                    generator.close()
                raise
            except BaseException as error:
                step, value = "throw", error

    return stepped if inspect.isgeneratorfunction(fn) else wrapped
