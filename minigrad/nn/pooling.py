"""Pooling layers: MaxPool2d, AvgPool2d, AdaptiveAvgPool2d."""

from __future__ import annotations

from typing import Any

from ..checks import whole
from ..ops.conv import Size, sizes
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d"]


def _check_window(layer: str, kernel_size: Size, stride: Size | None, padding: Size) -> None:
    """Are these the size, step and padding of a window? They are kept as they came, as in PyTorch."""
    kernel = sizes(layer, "kernel_size", kernel_size, 2, 1)
    if stride is not None:
        sizes(layer, "stride", stride, 2, 1)
    pads = sizes(layer, "padding", padding, 2, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{layer}: padding must be at most half of kernel_size, got {padding} and {kernel_size}")


class MaxPool2d(Module):
    """The maximum over each window of images (N, C, H, W) or (C, H, W).

    kernel_size, stride : size and step of the window; stride is kernel_size by default
    padding             : rows and columns of -inf added on each side
    dilation            : distance between the elements of a window
    return_indices      : give also where each maximum stood, counted in its H x W plane
    ceil_mode           : keep the windows that hang over the far edge

    >>> import minigrad
    >>> minigrad.nn.MaxPool2d(2)(minigrad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        _check_window("MaxPool2d", kernel_size, stride, padding)
        sizes("MaxPool2d", "dilation", dilation, 2, 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """x (N, C, H, W) to (N, C, H', W'), and the indices if they were asked for."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean over each window of images (N, C, H, W) or (C, H, W).

    kernel_size, stride : size and step of the window; stride is kernel_size by default
    padding             : rows and columns of zeros added on each side
    ceil_mode           : keep the windows that hang over the far edge
    count_include_pad   : count the zeros of the padding as elements
    divisor_override    : divide by this number, instead of the number of elements

    >>> import minigrad
    >>> minigrad.nn.AvgPool2d(2)(minigrad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        _check_window("AvgPool2d", kernel_size, stride, padding)
        if divisor_override is not None:
            whole("AvgPool2d", "divisor_override", divisor_override, " != 0")
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, H, W) to (N, C, H', W')."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean over windows chosen so that images of any size come out in one size.

    output_size : the height and width wanted: an int, or a pair; None keeps the size of the input

    >>> import minigrad
    >>> minigrad.nn.AdaptiveAvgPool2d((1, None))(minigrad.zeros(2, 3, 8, 9)).shape
    (2, 3, 1, 9)
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        super().__init__()
        wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        sizes("AdaptiveAvgPool2d", "output_size", [0 if n is None else n for n in wanted], 2, 0)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, H, W) to (N, C, *output_size)."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
