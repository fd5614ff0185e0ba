"""Pooling layers: maxima and means over windows of images, and of sequences."""

from __future__ import annotations

from typing import Any

from ..checks import whole
from ..ops.conv import Size, sizes
from ..ops.pool import max_pool
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
]


def _check_window(layer: str, dims: int, kernel_size: Size, stride: Size | None, padding: Size) -> None:
    """Are these the size, step and padding of a window? They are kept as they came, as in PyTorch."""
    kernel = sizes(layer, "kernel_size", kernel_size, dims, 1)
    if stride is not None:
        sizes(layer, "stride", stride, dims, 1)
    pads = sizes(layer, "padding", padding, dims, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{layer}: padding must be at most half of kernel_size, got {padding} and {kernel_size}")


class _MaxPool(Module):
    """The maximum over each window; a subclass says over how many dimensions."""

    dims: int

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
        layer = type(self).__name__
        _check_window(layer, self.dims, kernel_size, stride, padding)
        sizes(layer, "dilation", dilation, self.dims, 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor, *, relu: bool = False) -> Any:
        """x (N, C, H, W) to (N, C, H', W'), or (N, C, L) to (N, C, L'); and the indices if they were asked for.

        relu : pool max(x, 0) in place of x, in the same pass if there is a kernel for that. `Sequential` asks for it
               where a `ReLU` comes before.
        """
        return max_pool(
            self.dims,
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
            relu,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_MaxPool):
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

    dims = 2


class MaxPool1d(_MaxPool):
    """The maximum over each window of sequences (N, C, L) or (C, L); the arguments are those of `MaxPool2d`.

    >>> import minigrad
    >>> minigrad.nn.MaxPool1d(2)(minigrad.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    dims = 1


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
        _check_window("AvgPool2d", 2, kernel_size, stride, padding)
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


class AvgPool1d(Module):
    """The mean over each window of sequences (N, C, L) or (C, L); the arguments are those of `AvgPool2d`.

    >>> import minigrad
    >>> minigrad.nn.AvgPool1d(2)(minigrad.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        _check_window("AvgPool1d", 1, kernel_size, stride, padding)
        self.kernel_size = sizes("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else sizes("AvgPool1d", "stride", stride, 1, 1)
        self.padding = sizes("AvgPool1d", "padding", padding, 1, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, L) to (N, C, L')."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AdaptivePool(Module):
    """Pooling to a given size; a subclass says over how many dimensions."""

    dims: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * self.dims
        sizes(type(self).__name__, "output_size", [0 if n is None else n for n in wanted], self.dims, 0)
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_AdaptivePool):
    """The mean over windows chosen so that images of any size come out in one size.

    output_size : the height and width wanted: an int, or a pair; None keeps the size of the input

    >>> import minigrad
    >>> minigrad.nn.AdaptiveAvgPool2d((1, None))(minigrad.zeros(2, 3, 8, 9)).shape
    (2, 3, 1, 9)
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, H, W) to (N, C, *output_size)."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The mean over windows chosen so that sequences of any length come out in one length, `output_size`.

    >>> import minigrad
    >>> minigrad.nn.AdaptiveAvgPool1d(2)(minigrad.tensor([[0.0, 1.0, 2.0]]))
    tensor([[0.5000, 1.5000]])
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, L) to (N, C, output_size)."""
        return F.adaptive_avg_pool1d(input, self.output_size)


class _AdaptiveMaxPool(_AdaptivePool):
    """The maximum over the windows; with `return_indices`, also where each one stood."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maximum over the windows of `AdaptiveAvgPool2d`.

    return_indices : give also where each maximum stood, counted in its H x W plane

    >>> import minigrad
    >>> minigrad.nn.AdaptiveMaxPool2d((1, 2))(minigrad.tensor([[[0.0, 3.0, 1.0, 2.0, 5.0]]]))
    tensor([[[3., 5.]]])
    """

    dims = 2

    def forward(self, input: Tensor) -> Any:
        """x (N, C, H, W) to (N, C, *output_size), and the indices if they were asked for."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maximum over the windows of `AdaptiveAvgPool1d`, and where each one stood if `return_indices`.

    >>> import minigrad
    >>> minigrad.nn.AdaptiveMaxPool1d(2)(minigrad.tensor([[0.0, 3.0, 1.0, 2.0, 5.0]]))
    tensor([[3., 5.]])
    """

    dims = 1

    def forward(self, input: Tensor) -> Any:
        """x (N, C, L) to (N, C, output_size), and the indices if they were asked for."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)
