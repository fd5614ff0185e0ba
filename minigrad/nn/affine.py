"""What layers share that end in y * weight + bias: the two parameters, and what they start as."""

from __future__ import annotations

from typing import Any

from ..creation import empty
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Affine"]


class Affine(Module):
    """A layer whose weight, which starts at 1, and bias, which starts at 0, may each be missing (None)."""

    weight: Parameter | None
    bias: Parameter | None

    def register_affine(
        self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any = None, dtype: Any = None
    ) -> None:
        """Add the parameters: weight if asked for, and bias if both are."""
        for name, wanted in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, Parameter(empty(shape, device=device, dtype=dtype)) if wanted else None)

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)
