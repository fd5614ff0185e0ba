"""The layer that does nothing."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .module import Module

__all__ = ["Identity"]


class Identity(Module):
    """y = x: a place holder. Whatever arguments it is made with, it leaves alone.

    >>> import minigrad
    >>> minigrad.nn.Identity()(minigrad.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """x itself."""
        return input
