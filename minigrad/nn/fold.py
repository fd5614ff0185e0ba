"""Images as columns of patches, and back: Unfold and Fold."""

from __future__ import annotations

from ..ops.conv import Size, sizes
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["Fold", "Unfold"]


class _Window(Module):
    """The geometry that both share. It is kept as it came, as in PyTorch."""

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> None:
        super().__init__()
        for name, value, least in (
            ("kernel_size", kernel_size, 1),
            ("dilation", dilation, 1),
            ("padding", padding, 0),
            ("stride", stride, 1),
        ):
            sizes(type(self).__name__, name, value, 2, least)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Window):
    """Every window of images (N, C, H, W) or (C, H, W) as a column: (N, C KH KW, L) or (C KH KW, L).

    kernel_size, stride : size and step of the window
    dilation            : distance between the elements of a window
    padding             : rows and columns of zeros added on each side

    >>> import minigrad
    >>> minigrad.nn.Unfold(2)(minigrad.zeros(1, 3, 4, 5)).shape    # 3 x 4 places of a window of 3 x 2 x 2
    (1, 12, 12)
    """

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, H, W) to (N, C KH KW, L)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Window):
    """Columns of windows added up to images of `output_size`: the adjoint of `Unfold`, whose arguments these are.

    >>> import minigrad
    >>> minigrad.nn.Fold((4, 5), 2)(minigrad.zeros(1, 12, 12)).shape
    (1, 3, 4, 5)
    """

    def __init__(
        self, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        sizes("Fold", "output_size", output_size, 2, 1)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C KH KW, L) to (N, C, *output_size)."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
