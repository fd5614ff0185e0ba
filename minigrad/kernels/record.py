"""Which kernels this process has compiled or loaded."""

from __future__ import annotations

from typing import NamedTuple


class Made(NamedTuple):
    """A kernel that can be called from now on."""

    name: str  # its file and function
    dtype: str
    seconds: float  # that it took
    compiled: bool  # or else loaded


made: list[Made] = []  # in that order
