"""Anomaly mode: find the op that made the first NaN or infinity, and arrays that were changed behind autograd's back.

While it is on, each op remembers the line of the user's code that ran it, results and gradients are looked at as they
are made, and what an op saves gets a checksum that is compared before its backward.
"""

from __future__ import annotations

import linecache
import os
import sys
import weakref
import zlib
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from ..checks import flag

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]

ADVICE = ". Inside `with minigrad.autograd.detect_anomaly():` this message names the line that ran the op"

enabled = False  # read by every op; set below, for all threads, as in PyTorch
_check_nan = _check_inf = True

_PACKAGE = os.path.join(Path(__file__).parent.parent, "")


class _Ours(dict[str, bool]):
    """By its name, is a file one of the package? It is remembered: to look a name up is quicker than to read it."""

    def __missing__(self, file: str) -> bool:
        ours = self[file] = file.startswith(_PACKAGE)
        return ours


_ours = _Ours({np.errstate.__call__.__code__.co_filename: True})  # that too, as it decorates `backward`

Place = tuple[CodeType, int] | None  # a piece of code and how far it had come, from which the line can be told


class _Trace(NamedTuple):
    """What anomaly mode knows of an op: where it was run, and what it saved."""

    place: Place
    checksums: list[int]


_traces: weakref.WeakKeyDictionary[Any, _Trace] = weakref.WeakKeyDictionary()


class set_detect_anomaly:
    """Turn anomaly mode on or off, at once or for a with-block; see `detect_anomaly`.

    >>> import minigrad
    >>> with minigrad.autograd.set_detect_anomaly(True):
    ...     minigrad.autograd.is_anomaly_enabled()
    True
    >>> minigrad.autograd.is_anomaly_enabled()
    False
    """

    def __init__(self, mode: bool, check_nan: bool = True, *, check_inf: bool = True) -> None:
        self._before = enabled, _check_nan, _check_inf
        _set(flag("set_detect_anomaly", "mode", mode), *_wanted("set_detect_anomaly", check_nan, check_inf))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


class detect_anomaly:
    """In this with-block, stop at the first op that makes a NaN or an infinity of numbers that are not.

    check_nan : False: do not look at values at all
    check_inf : False: look for NaN only

    RuntimeError names the op, forward or backward, and the line of your code that ran it. Errors about tensors that
    were changed in place name that line too. What an op saved is compared with a checksum before its backward, which
    also finds changes that autograd is not told of, such as writing to `x.numpy()`. Everything is slower: this is for
    finding a mistake. Source: PyTorch's anomaly mode, which looks for NaN in backward only.

    >>> import minigrad
    >>> x = minigrad.tensor([4.0, 0.0], requires_grad=True)
    >>> with minigrad.autograd.detect_anomaly():
    ...     try:
    ...         minigrad.sqrt(x).sum().backward()
    ...     except RuntimeError as error:
    ...         print(str(error).split(" of ")[0])
    Sqrt: backward made inf
    """

    def __init__(self, check_nan: bool = True, *, check_inf: bool = True) -> None:
        self._mode = True, *_wanted("detect_anomaly", check_nan, check_inf)

    def __enter__(self) -> None:
        self._before = enabled, _check_nan, _check_inf
        _set(*self._mode)

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


def is_anomaly_enabled() -> bool:
    """Is anomaly mode on?"""
    return enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Does anomaly mode, if on, look for NaN?"""
    return _check_nan


def _wanted(owner: str, check_nan: bool, check_inf: bool) -> tuple[bool, bool]:
    """Look for NaN? Look for infinities?"""
    return flag(owner, "check_nan", check_nan), flag(owner, "check_inf", check_inf) and check_nan


def _set(mode: bool, check_nan: bool, check_inf: bool) -> None:
    global enabled, _check_nan, _check_inf
    enabled, _check_nan, _check_inf = mode, check_nan, check_inf


def caller() -> Place:
    """Where the user's code called the package."""
    frame = sys._getframe(2)  # the function that asks is of the package
    while frame is not None and _ours[frame.f_code.co_filename]:
        frame = frame.f_back  # type: ignore[assignment]
    return None if frame is None else (frame.f_code, frame.f_lasti)


def at(place: Place) -> str:
    """ " at train.py:12, `y = model(x)`"; "" for no place."""
    if place is None:
        return ""
    code, reached = place
    number = next((line for start, end, line in code.co_lines() if start <= reached < end), None)
    text = linecache.getline(code.co_filename, number).strip() if number else ""
    return f" at {code.co_filename}:{number}" + (f", `{text}`" if text else "")


def at_line_of(op: Any) -> str:
    """The line that ran `op`, if anomaly mode was on then; else ""."""
    trace = _traces.get(op)
    return "" if trace is None else at(trace.place)


def watch(op: Any, arrays: list, y: Any, saved: list[np.ndarray] | None) -> None:
    """Look at what forward made; if the op is recorded, remember its line, and checksums of what it saved.

    RuntimeError if there is a NaN or an infinity that was not in the inputs.
    """
    place = caller()
    if saved is not None:
        _traces[op] = _Trace(place, [_checksum(array) for array in saved])
    made = _made(arrays, y if type(y) is tuple else (y,))
    if made:
        shapes = " and ".join(str(np.shape(a)) for a in arrays if a is not None)
        raise RuntimeError(f"{op.name()}: forward made {made} of inputs, of shape {shapes}, without one{at(place)}")


def backward(op: Any, g: Any, saved: list[np.ndarray]) -> Any:
    """op.backward(g), watched: RuntimeError if it reads what is not what was saved, or makes a NaN or infinity."""
    trace = _traces.get(op)
    if trace is not None and trace.checksums != [_checksum(array) for array in saved]:
        raise RuntimeError(
            f"{op.name()}: what backward needs was changed since the op ran{at(trace.place)}, and not through a "
            "Tensor: through x.numpy(), x.array, or another array that shares the memory. Change a copy instead"
        )
    modes = enabled, _check_nan, _check_inf
    _set(enabled, False, False)  # a mistake in a recorded backward is this op's, not that of the ops in its rule
    try:
        gradients = op.backward(g)
    finally:
        _set(*modes)
    made = _made([g], gradients if type(gradients) is tuple else (gradients,))
    if made:
        line = at_line_of(op) or " before anomaly mode was on"
        raise RuntimeError(f"{op.name()}: backward made {made} of a gradient without one; the op ran{line}")
    return gradients


def _made(before: Any, after: Any) -> str:
    """What is in `after` though nothing like it was `before`: "nan", "inf" or ""."""
    if not _check_nan:
        return ""
    (had_nan, had_inf), (has_nan, has_inf) = _kinds(before), _kinds(after)
    if has_nan and not had_nan:
        return "nan"
    return "inf" if _check_inf and has_inf and not (had_inf or had_nan) else ""


def _kinds(values: Any) -> tuple[bool, bool]:
    """Is there a NaN, is there an infinity, in arrays, Tensors and numbers?"""
    arrays = [np.asarray(getattr(value, "array", value)) for value in values if value is not None]
    floats = [array for array in arrays if array.dtype.kind == "f"]
    return any(np.isnan(a).any() for a in floats), any(np.isinf(a).any() for a in floats)


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())
