"""Checks of arguments that are nn's own; numbers and flags are those of `minigrad.checks`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..checks import whole
from ..tensor import Tensor

__all__ = ["KL_REDUCTIONS", "REDUCTIONS", "describe", "normalized_shape", "tensors"]

REDUCTIONS = ("none", "mean", "sum")
KL_REDUCTIONS = (*REDUCTIONS, "batchmean")


def describe(x: Any) -> str:
    """For an error: the shape of a Tensor or an array, or what else came in its place."""
    return f"shape {tuple(x.shape)}" if hasattr(x, "shape") else type(x).__name__


def normalized_shape(owner: str, value: Any) -> tuple[int, ...]:
    """`value`, the sizes of the last dimensions, one at least, over which each example is normalized."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{owner}: normalized_shape must be a tuple or list of ints, got {value!r}")
    if not value:
        raise RuntimeError(f"{owner}: normalized_shape must name one dimension at least, got {value!r}")
    return tuple(whole(owner, "normalized_shape", n, " >= 0") for n in value)


def tensors(op: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The parameters, or the one, as a list; TypeError if they are anything but Tensors."""
    listed = (
        list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else [parameters]
    )
    for p in listed:
        if not isinstance(p, Tensor):
            raise TypeError(f"{op}: parameters must be Tensors, such as model.parameters(), got {type(p).__name__}")
    return listed
