"""Checks of options. Each message names the owner and the option, what is wanted, and the value that came.

A TypeError is for what is of the wrong kind, a ValueError for what is out of range. NumPy's numbers count as numbers,
and True and False do not.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

__all__ = ["choice", "flag", "function", "iterable", "number", "sized", "whole"]

RANGES = {
    "": lambda x: True,
    " >= -1": lambda x: x >= -1,
    " >= 0": lambda x: x >= 0,
    " > 0": lambda x: x > 0,
    " >= 1": lambda x: x >= 1,
    " != 0": lambda x: x != 0,
    " in [0, 1)": lambda x: 0 <= x < 1,
    " in [0, 1]": lambda x: 0 <= x <= 1,
    " in (0, 1]": lambda x: 0 < x <= 1,
}


def number(owner: str, name: str, value: Any, wanted: str = "", *, finite: bool = True) -> Any:
    """`value`, a number in the range `wanted`, one of RANGES; an infinite one or NaN only if not `finite`."""
    # float and int are named, though they are Real: the test for an abstract class is slow, and each step comes here
    if isinstance(value, bool) or not isinstance(value, (float, int, numbers.Real)):
        advice = "; pass its .item()" if hasattr(value, "item") else ""
        raise TypeError(f"{owner}: {name} must be a number{wanted}, got {name}={value!r}{advice}")
    if (finite and not math.isfinite(value)) or not RANGES[wanted](value):
        kind = "a finite number" if finite else "a number"
        raise ValueError(f"{owner}: {name} must be {kind}{wanted}, got {name}={value!r}")
    return value


def whole(owner: str, name: str, value: Any, wanted: str = "") -> int:
    """`value`, an int in the range `wanted`, one of RANGES."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{owner}: {name} must be an int{wanted}, got {name}={value!r}")
    if not RANGES[wanted](value):
        raise ValueError(f"{owner}: {name} must be an int{wanted}, got {name}={value!r}")
    return int(value)


def flag(owner: str, name: str, value: Any) -> bool:
    """`value`, True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be True or False, got {name}={value!r}")
    return value


def function(owner: str, name: str, value: Any) -> Any:
    """`value`, something that can be called."""
    if not callable(value):
        raise TypeError(f"{owner}: {name} must be callable, got {name}={value!r}")
    return value


def iterable(owner: str, name: str, value: Any) -> Any:
    """`value`, something to iterate over."""
    if not (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
        raise TypeError(f"{owner}: {name} must be iterable, got {name}={value!r}")
    return value


def sized(owner: str, name: str, value: Any) -> Any:
    """`value`, something that has a length."""
    if not hasattr(value, "__len__"):
        raise TypeError(f"{owner}: {name} must have a length, so that len({name}) works, got {type(value).__name__}")
    return value


def choice(owner: str, name: str, value: Any, *choices: str) -> str:
    """`value`, one of the choices."""
    if not isinstance(value, str) or value not in choices:
        wanted = " or ".join(f'"{c}"' for c in choices)
        raise ValueError(f"{owner}: {name} must be {wanted}, got {name}={value!r}")
    return value
