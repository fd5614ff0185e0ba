"""Channels as pixels, and back: PixelShuffle and PixelUnshuffle."""

from __future__ import annotations

from ..checks import whole
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """Images (..., C r r, H, W) to r times their size, (..., C, H r, W r), r being `upscale_factor`.

    >>> import minigrad
    >>> minigrad.nn.PixelShuffle(2)(minigrad.zeros(1, 8, 3, 3)).shape
    (1, 2, 6, 6)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = whole("PixelShuffle", "upscale_factor", upscale_factor, " >= 1")

    def forward(self, input: Tensor) -> Tensor:
        """x (..., C r r, H, W) to (..., C, H r, W r)."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """The inverse of `PixelShuffle`: images (..., C, H r, W r) to (..., C r r, H, W), r being `downscale_factor`.

    >>> import minigrad
    >>> minigrad.nn.PixelUnshuffle(2)(minigrad.zeros(1, 2, 6, 6)).shape
    (1, 8, 3, 3)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = whole("PixelUnshuffle", "downscale_factor", downscale_factor, " >= 1")

    def forward(self, input: Tensor) -> Tensor:
        """x (..., C, H r, W r) to (..., C r r, H, W)."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
