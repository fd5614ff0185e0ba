"""Convolution layers: Conv1d, Conv2d and ConvTranspose2d."""

from __future__ import annotations

import math
from typing import Any

from ..checks import whole
from ..creation import empty
from ..ops.conv import Size, sizes
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What convolutions of every kind share: checked arguments, weights, and their first values."""

    dims: int
    transposed = False
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        *,
        stride: Size,
        padding: Size | str,
        dilation: Size,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.in_channels = whole(layer, "in_channels", in_channels, " >= 1")
        self.out_channels = whole(layer, "out_channels", out_channels, " >= 1")
        self.groups = whole(layer, "groups", groups, " >= 1")
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ValueError(f"{layer}: groups must divide {name}, got groups={groups} and {name}={channels}")
        self.kernel_size = sizes(layer, "kernel_size", kernel_size, self.dims, 1)
        self.stride = sizes(layer, "stride", stride, self.dims, 1)
        self.dilation = sizes(layer, "dilation", dilation, self.dims, 1)
        self.output_padding = sizes(layer, "output_padding", output_padding, self.dims, 0)
        self.padding: Any  # a tuple of ints, or "same" or "valid"
        if not isinstance(padding, str):
            self.padding = sizes(layer, "padding", padding, self.dims, 0)
        elif padding in ("same", "valid"):
            self.padding = padding
        else:
            raise ValueError(f'{layer}: padding must be a number, "same" or "valid", got {padding!r}')
        if padding == "same" and any(n != 1 for n in self.stride):
            raise ValueError(f'{layer}: padding "same" needs stride 1, got stride={stride}')
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"{layer}: padding_mode must be one of {_PADDING_MODES}, got {padding_mode!r}")
        self.padding_mode = padding_mode

        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        shape = (first, second // self.groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(self.out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights, and the bias, anew: uniform in ±1/sqrt(fan_in), the fan_in being weight[0].numel()."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight.numel() // self.weight.shape[0])
            init.uniform_(self.bias, -bound, bound)

    def _padded(self, input: Tensor) -> tuple[Tensor, tuple[int, ...] | str]:
        """The input, padded if by anything but zeros, and the padding that is left for the convolution to do."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return input, self.padding
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(n // 2, n - n // 2) for n in total]
        else:
            sides = [(int(n), int(n)) for n in self.padding]
        widths = [width for pair in reversed(sides) for width in pair]  # F.pad goes from the last dimension on
        return F.pad(input, widths, mode=self.padding_mode), (0,) * self.dims

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * self.dims:
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _ForwardConv(_Conv):
    """Conv1d and Conv2d take the same arguments."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=0,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )


class Conv1d(_ForwardConv):
    """The convolution of sequences (N, C, L) or (C, L): `Conv2d` in one dimension, with the same arguments.

    >>> import minigrad
    >>> layer = minigrad.nn.Conv1d(4, 8, kernel_size=3, padding="same")
    >>> layer(minigrad.zeros(2, 4, 10)).shape
    (2, 8, 10)
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """x (N, in_channels, L) to (N, out_channels, L'), by the formula of `Conv2d`."""
        x, padding = self._padded(input)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_ForwardConv):
    """The convolution (cross-correlation) of images (N, C, H, W) or (C, H, W) with learned filters.

    in_channels, out_channels : channels of the input, and of the output
    kernel_size, stride       : size and step of the filters; an int, or a pair (height, width)
    padding                   : rows and columns added on each side; "same" keeps the size (stride 1), "valid" adds none
    dilation                  : distance between the points that a filter touches
    groups                    : the channels fall into so many groups, each convolved by itself
    bias                      : add a bias to each output channel
    padding_mode              : what is added: "zeros", "reflect", "replicate" or "circular"

    weight (out_channels, in_channels / groups, *kernel_size) and bias (out_channels,) start uniform in
    ±1/sqrt(fan_in), fan_in = in_channels / groups * kernel height * kernel width.

    >>> import minigrad
    >>> layer = minigrad.nn.Conv2d(1, 6, kernel_size=3, padding=1)
    >>> layer(minigrad.zeros(32, 1, 28, 28)).shape
    (32, 6, 28, 28)
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """x (N, in_channels, H, W) to (N, out_channels, H', W').

        H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and W' likewise.
        """
        x, padding = self._padded(input)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _TransposedConv(_Conv):
    """What the transposed convolutions share: their arguments, and the output_padding that a wanted size asks for."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'{type(self).__name__}: padding_mode can only be "zeros", got {padding_mode!r}')
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding must be an int or {self.dims} ints, got {padding!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=output_padding,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )

    def _output_padding(self, input: Tensor, output_size: Size) -> tuple[int, ...]:
        """What must be added to the smallest possible output to give `output_size`, which may name N and C too."""
        if isinstance(output_size, (tuple, list)) and len(output_size) == input.ndim:
            output_size = output_size[-self.dims :]
        wanted = sizes(type(self).__name__, "output_size", output_size, self.dims, 1)
        given = zip(input.shape[-self.dims :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in given)
        extra = tuple(n - m for n, m in zip(wanted, least, strict=True))
        if not all(0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(
                f"{type(self).__name__}: input {tuple(input.shape)} allows an output_size between {least} and {most}, "
                f"got {wanted}"
            )
        return extra


class ConvTranspose1d(_TransposedConv):
    """The transposed convolution of sequences: `ConvTranspose2d` in one dimension, with the same arguments.

    >>> import minigrad
    >>> layer = minigrad.nn.ConvTranspose1d(4, 2, kernel_size=4, stride=2, padding=1)
    >>> layer(minigrad.zeros(8, 4, 10)).shape
    (8, 2, 20)
    """

    dims = 1

    def forward(self, input: Tensor, output_size: Size | None = None) -> Tensor:
        """x (N, in_channels, L) to (N, out_channels, L'), by the formula of `ConvTranspose2d`."""
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return F.conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class ConvTranspose2d(_TransposedConv):
    """The transposed convolution of images: `Conv2d` with input and output exchanged, used to enlarge.

    output_padding : rows and columns added to one side of the output, to tell apart the sizes that a strided
                     convolution maps to the same one

    The other arguments are those of `Conv2d`. weight is (in_channels, out_channels / groups, *kernel_size).

    >>> import minigrad
    >>> layer = minigrad.nn.ConvTranspose2d(6, 1, kernel_size=2, stride=2)
    >>> layer(minigrad.zeros(32, 6, 14, 14)).shape
    (32, 1, 28, 28)
    """

    dims = 2

    def forward(self, input: Tensor, output_size: Size | None = None) -> Tensor:
        """x (N, in_channels, H, W) to (N, out_channels, H', W').

        H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, and W' likewise; `output_size`
        asks for a height and width, and so chooses the output_padding for this call.
        """
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
