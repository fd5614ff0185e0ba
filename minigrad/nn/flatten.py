"""Layers that change the shape alone: Flatten and Unflatten."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ops
from ..checks import whole
from ..tensor import Tensor
from .module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """The dimensions from start_dim to end_dim, both included, as one: by default all but the batch.

    >>> import minigrad
    >>> minigrad.nn.Flatten()(minigrad.zeros(32, 16, 5, 5)).shape
    (32, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = whole("Flatten", "start_dim", start_dim)
        self.end_dim = whole("Flatten", "end_dim", end_dim)

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return ops.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The dimension `dim` split into several, of the sizes `unflattened_size`; one may be -1.

    >>> import minigrad
    >>> minigrad.nn.Unflatten(1, (16, 5, 5))(minigrad.zeros(32, 400)).shape
    (32, 16, 5, 5)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {unflattened_size!r}")
        self.unflattened_size = tuple(whole("Unflatten", "unflattened_size", n, " >= -1") for n in unflattened_size)
        self.dim = whole("Unflatten", "dim", dim)

    def forward(self, input: Tensor) -> Tensor:
        """x (..., product of the sizes, ...)."""
        return ops.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
