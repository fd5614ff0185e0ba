"""Checks of arguments that are nn's own; numbers and flags are those of `minigrad.checks`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..tensor import Tensor

__all__ = ["KL_REDUCTIONS", "REDUCTIONS", "describe", "tensors"]

REDUCTIONS = ("none", "mean", "sum")
KL_REDUCTIONS = (*REDUCTIONS, "batchmean")


def describe(x: Any) -> str:
    """For an error: the shape of a Tensor or an array, or what else came in its place."""
    return f"shape {tuple(x.shape)}" if hasattr(x, "shape") else type(x).__name__


def tensors(op: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The parameters, or the one, as a list; TypeError if they are anything but Tensors."""
    listed = (
        list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else [parameters]
    )
    for p in listed:
        if not isinstance(p, Tensor):
            raise TypeError(f"{op}: parameters must be Tensors, such as model.parameters(), got {type(p).__name__}")
    return listed
