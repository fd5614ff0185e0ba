"""Checks of arguments that several layers share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["count", "describe", "integer"]


def integer(layer: str, name: str, value: Any) -> int:
    """`value` as an int, which it must be."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{layer}: {name} must be an int, got {value!r}")
    return int(value)


def count(layer: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int, which it must be, of at least `least`."""
    n = integer(layer, name, value)
    if n < least:
        raise ValueError(f"{layer}: {name} must be at least {least}, got {n}")
    return n


def describe(x: Any) -> str:
    """For an error: the shape of a Tensor or an array, or what else came in its place."""
    return f"shape {tuple(x.shape)}" if hasattr(x, "shape") else type(x).__name__
