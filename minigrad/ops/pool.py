"""Pooling. Each op is linear once the winners of a maximum are known, and stands beside its adjoint."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..autograd import Op
from ..checks import whole
from .common import Operand, must_be_arrays
from .conv import Pair, Size, sizes
from .index import Index
from .reduce import mean
from .shape import cat, squeeze, unsqueeze


class MaxPool2d(Op):
    """y = the largest element of each window of x, and where it stood; the gradient goes back to it"""

    saves_inputs = False

    def forward(
        self, x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
    ) -> tuple[np.ndarray, np.ndarray]:
        self.shape = x.shape
        y, self.indices = kernels.current().max_pool2d(x, kernel_size, stride, padding, dilation, output_size)
        return y, self.indices

    def backward(self, g: Operand) -> Operand:
        return MaxPool2dInput.apply(g, self.indices, input_shape=self.shape)


class MaxPool2dInput(Op):
    """g added at `indices` of zeros of x's shape: the adjoint of MaxPool2dTake"""

    saves_inputs = False

    def forward(self, g: np.ndarray, indices: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        self.indices = indices
        return kernels.current().max_pool2d_backward(g, indices, input_shape)

    def backward(self, gx: Operand) -> tuple:
        return MaxPool2dTake.apply(gx, self.indices), None


class MaxPool2dTake(Op):
    """x read at `indices`: what max pooling does, its winners known. The adjoint of MaxPool2dInput"""

    saves_inputs = False

    def forward(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        self.shape, self.indices = x.shape, indices
        return kernels.current().max_pool2d_take(x, indices)

    def backward(self, g: Operand) -> tuple:
        return MaxPool2dInput.apply(g, self.indices, input_shape=self.shape), None


class AvgPool2d(Op):
    """y = the mean of each window of x; the gradient is spread evenly over the window"""

    saves_inputs = False

    def forward(self, x: np.ndarray, kernel_size: Pair, output_size: Pair, **options: object) -> np.ndarray:
        self.shape, self.kernel_size, self.output_size, self.options = (
            x.shape,
            kernel_size,
            output_size,
            options,
        )
        return kernels.current().avg_pool2d(x, kernel_size, output_size=output_size, **options)

    def backward(self, g: Operand) -> Operand:
        return AvgPool2dInput.apply(
            g,
            input_shape=self.shape,
            kernel_size=self.kernel_size,
            output_size=self.output_size,
            **self.options,
        )


class AvgPool2dInput(Op):
    """g spread evenly over the windows of x: the adjoint of AvgPool2d"""

    saves_inputs = False

    def forward(
        self,
        g: np.ndarray,
        input_shape: tuple[int, ...],
        kernel_size: Pair,
        output_size: Pair,
        **options: object,
    ) -> np.ndarray:
        self.kernel_size, self.output_size, self.options = kernel_size, output_size, options
        return kernels.current().avg_pool2d_backward(g, input_shape, kernel_size, **options)

    def backward(self, gx: Operand) -> Operand:
        return AvgPool2d.apply(gx, kernel_size=self.kernel_size, output_size=self.output_size, **self.options)


# --------------------------------------------------------------------------------------- public functions


def max_pool2d(
    input: Operand,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Operand:
    """The maximum over each window of images (N, C, H, W) or (C, H, W); stride is kernel_size by default.

    Padding counts as -inf. The first of equal elements gets the gradient. The output has the height
    floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1. `ceil_mode` keeps windows that hang over the far edge;
    `return_indices` gives also where each maximum stood, counted in its H x W plane.

    >>> import minigrad
    >>> x = minigrad.arange(4.0).reshape(1, 1, 2, 2)
    >>> minigrad.nn.functional.max_pool2d(x, 2)
    tensor([[[[3.]]]])
    """
    op = "max_pool2d"
    x, unbatched = _images(op, input)
    k, s, p = _windows(op, kernel_size, stride, padding)
    d = sizes(op, "dilation", dilation, 2, 1)
    out = _output_size(op, x.shape, k, s, p, d, ceil_mode)
    y, indices = MaxPool2d.apply(x, kernel_size=k, stride=s, padding=p, dilation=d, output_size=out)
    if unbatched:
        y, indices = squeeze(y, 0), squeeze(indices, 0)
    return (y, indices) if return_indices else y


def avg_pool2d(
    input: Operand,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Operand:
    """The mean over each window of images (N, C, H, W) or (C, H, W); stride is kernel_size by default.

    The output has the height floor((H + 2 padding - KH) / stride) + 1; `ceil_mode` is as in `max_pool2d`.
    `count_include_pad` counts zero padding as elements; `divisor_override` divides by an int of your own.

    >>> import minigrad
    >>> minigrad.nn.functional.avg_pool2d(minigrad.ones(1, 2, 2), 2, padding=1)
    tensor([[[0.2500, 0.2500],
             [0.2500, 0.2500]]])
    """
    op = "avg_pool2d"
    if divisor_override is not None:
        whole(op, "divisor_override", divisor_override, " != 0")
    x, unbatched = _images(op, input)
    k, s, p = _windows(op, kernel_size, stride, padding)
    out = _output_size(op, x.shape, k, s, p, (1, 1), ceil_mode)
    options = {
        "stride": s,
        "padding": p,
        "count_include_pad": count_include_pad,
        "divisor_override": divisor_override,
    }
    y = AvgPool2d.apply(x, kernel_size=k, output_size=out, **options)
    return squeeze(y, 0) if unbatched else y


def adaptive_avg_pool2d(input: Operand, output_size: int | tuple[int | None, int | None] | None) -> Operand:
    """The mean over windows chosen so that the output has `output_size`; None keeps a size.

    input (N, C, H, W) or (C, H, W); output (N, C, OH, OW) or (C, OH, OW). Row i of the output averages the input's
    rows from floor(i H / OH) up to, not including, ceil((i + 1) H / OH).

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool2d(minigrad.tensor([[[0.0, 1.0, 2.0]]]), (None, 2))
    tensor([[[0.5000, 1.5000]]])
    """
    op = "adaptive_avg_pool2d"
    x, unbatched = _images(op, input)
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(wanted) != 2 or not all(n is None or (isinstance(n, int) and n >= 0) for n in wanted):
        raise TypeError(f"{op}: output_size must be an int, None or two of them, got {output_size!r}")
    out = tuple(n if m is None else m for n, m in zip(x.shape[2:], wanted, strict=True))
    for n, m in zip(x.shape[2:], out, strict=True):
        if n == 0 and m > 0:
            raise RuntimeError(f"{op}: cannot average an input of size 0 into size {m}")
    if 0 not in out and x.shape[2] % out[0] == x.shape[3] % out[1] == 0:  # windows of one size, side by side
        y = avg_pool2d(x, (x.shape[2] // out[0], x.shape[3] // out[1]))
    else:
        y = _window_means(_window_means(x, 2, out[0]), 3, out[1])
    return squeeze(y, 0) if unbatched else y


def _window_means(x: Operand, dim: int, size: int) -> Operand:
    """The means of `size` windows along `dim`, which may overlap. Each is taken alone: an inf stays in its windows."""
    n, before = x.shape[dim], (slice(None),) * dim
    windows = [slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
    means = [mean(Index.apply(x, key=(*before, window)), dim, keepdim=True) for window in windows]
    return cat(means, dim) if means else Index.apply(x, key=(*before, slice(0)))


def _images(op: str, x: Operand) -> tuple[Operand, bool]:
    must_be_arrays(op, x)
    if x.ndim not in (3, 4):
        raise RuntimeError(f"{op}: input must be (N, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
    if x.dtype.kind != "f":
        raise RuntimeError(f"{op}: input must be floating, got {x.dtype.name}; use x.float()")
    return (x, False) if x.ndim == 4 else (unsqueeze(x, 0), True)


def _windows(op: str, kernel_size: Size, stride: Size | None, padding: Size) -> tuple[Pair, Pair, Pair]:
    k = sizes(op, "kernel_size", kernel_size, 2, 1)
    s = k if stride is None or stride == () else sizes(op, "stride", stride, 2, 1)
    p = sizes(op, "padding", padding, 2, 0)
    if any(2 * pad > size for pad, size in zip(p, k, strict=True)):
        raise RuntimeError(f"{op}: padding {p} must be at most half of kernel_size {k}")
    return k, s, p  # type: ignore[return-value]


def _output_size(op: str, shape: tuple, k: Pair, s: Pair, p: Pair, d: tuple, ceil_mode: bool) -> Pair:
    out = []
    for n, size, stride, pad, dilation in zip(shape[2:], k, s, p, d, strict=True):
        room = n + 2 * pad - dilation * (size - 1) - 1
        m = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
        if ceil_mode and (m - 1) * stride >= n + pad:
            m -= 1  # the last window must start inside the input or its near padding
        out.append(m)
    if min(out) < 1:
        raise RuntimeError(f"{op}: the window {k} with padding {p} is larger than the input, of shape {tuple(shape)}")
    return tuple(out)
