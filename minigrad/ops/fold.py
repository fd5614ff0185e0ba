"""Images as columns of patches, and back: unfold (im2col) and fold (col2im), each the adjoint of the other."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..autograd import Op
from .common import Operand, must_be_arrays
from .conv import Size, batched, sizes
from .shape import squeeze, unsqueeze

Sizes = tuple[int, ...]  # two of them: along the height, and along the width


class Unfold(Op):
    """y = every window of x (N, C, H, W) as a column: (N, C KH KW, L), one for each of the L places of the window"""

    saves_inputs = False

    def forward(self, x: np.ndarray, padding: Sizes, **window: Sizes) -> np.ndarray:
        self.size, self.padding, self.window = x.shape[2:], padding, window  # kernel_size, stride, dilation
        patches = _patches(_with_border(x, padding), **window)
        N, C, KH, KW, OH, OW = patches.shape
        return patches.reshape(N, C * KH * KW, OH * OW)

    def backward(self, g: Operand) -> Operand:
        return Fold.apply(g, output_size=self.size, padding=self.padding, **self.window)


class Fold(Op):
    """y = an image (N, C, H, W) of zeros, to which every column of x (N, C KH KW, L) is added as a window"""

    saves_inputs = False

    def forward(self, x: np.ndarray, output_size: Sizes, padding: Sizes, **window: Sizes) -> np.ndarray:
        self.padding, self.window = padding, window
        (H, W), (ph, pw) = output_size, padding
        N, C = x.shape[0], x.shape[1] // math.prod(window["kernel_size"])
        image = np.zeros((N, C, H + 2 * ph, W + 2 * pw), x.dtype)
        patches = _patches(image, **window)
        columns = x.reshape(patches.shape)
        for tap in np.ndindex(*window["kernel_size"]):  # the places of one tap are all different
            patches[:, :, *tap] += columns[:, :, *tap]
        return np.ascontiguousarray(image[:, :, ph : ph + H, pw : pw + W])

    def backward(self, g: Operand) -> Operand:
        return Unfold.apply(g, padding=self.padding, **self.window)


def _patches(image: np.ndarray, kernel_size: Sizes, stride: Sizes, dilation: Sizes) -> np.ndarray:
    """All windows of an image as a view of it that can be written to: (N, C, KH, KW, OH, OW)."""
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True))
    windows = sliding_window_view(image, span, axis=(2, 3), writeable=True)
    (sh, sw), (dh, dw) = stride, dilation
    return windows[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)


def _with_border(x: np.ndarray, padding: Sizes) -> np.ndarray:
    """A copy of x (N, C, H, W) with zeros around it."""
    ph, pw = padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))


# --------------------------------------------------------------------------------------- public functions


def unfold(input: Operand, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Operand:
    """Every window of images (N, C, H, W) or (C, H, W) as a column: (N, C KH KW, L) or (C KH KW, L).

    The L columns are the places of the window in row-major order; there are L = OH OW of them, with
    OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1 and OW by the same formula. A convolution is a
    product of matrices with them. Where windows overlap, elements are repeated; `fold` adds them up again.

    RuntimeError where the window is larger than the padded image.

    >>> import minigrad
    >>> x = minigrad.arange(6.0).reshape(1, 2, 3)
    >>> minigrad.nn.functional.unfold(x, kernel_size=2)    # two places of a window of four
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    op = "unfold"
    x, unbatched = batched(op, 2, input)
    window, p = _window(op, kernel_size, dilation, padding, stride)
    if 0 in x.shape[1:]:
        raise RuntimeError(f"{op}: only the batch may be empty, got shape {tuple(input.shape)}")
    _places(op, x.shape[2:], p, **window)
    y = Unfold.apply(x, padding=p, **window)
    return squeeze(y, 0) if unbatched else y


def fold(
    input: Operand,
    output_size: Size,
    kernel_size: Size,
    dilation: Size = 1,
    padding: Size = 0,
    stride: Size = 1,
) -> Operand:
    """Columns of windows (N, C KH KW, L) or (C KH KW, L) added up to images (N, C, *output_size) or (C, *output_size).

    The adjoint of `unfold`, not its inverse: an element that lies in several windows is the sum of all of them.
    RuntimeError unless L is the number of places of the window in an image of that size.

    >>> import minigrad
    >>> columns = minigrad.nn.functional.unfold(minigrad.ones(1, 1, 3), (1, 2))
    >>> minigrad.nn.functional.fold(columns, (1, 3), (1, 2))    # the middle lies in two windows
    tensor([[[1., 2., 1.]]])
    """
    op = "fold"
    must_be_arrays(op, input)
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            f"{op}: input must be (N, C KH KW, L) or (C KH KW, L), and only the batch may be empty, got shape "
            f"{tuple(input.shape)}"
        )
    out = sizes(op, "output_size", output_size, 2, 1)
    window, p = _window(op, kernel_size, dilation, padding, stride)
    rows, (OH, OW) = math.prod(window["kernel_size"]), _places(op, out, p, **window)
    if input.shape[-2] % rows or input.shape[-1] != OH * OW:
        raise RuntimeError(
            f"{op}: a window {window['kernel_size']} has {OH} x {OW} places in an output of size {out}, so input must "
            f"be (N, {rows} C, {OH * OW}), got shape {tuple(input.shape)}"
        )
    y = Fold.apply(input if input.ndim == 3 else unsqueeze(input, 0), output_size=out, padding=p, **window)
    return y if input.ndim == 3 else squeeze(y, 0)


def _window(op: str, kernel_size: Size, dilation: Size, padding: Size, stride: Size) -> tuple[dict[str, Sizes], Sizes]:
    """The geometry of a window, and the padding of the image, as pairs."""
    pairs = (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    return {name: sizes(op, name, size, 2, 1) for name, size in pairs}, sizes(op, "padding", padding, 2, 0)


def _places(op: str, image: Sizes, padding: Sizes, kernel_size: Sizes, stride: Sizes, dilation: Sizes) -> Sizes:
    """How many places a window has along both axes of an image."""
    numbers = zip(image, kernel_size, stride, padding, dilation, strict=True)
    places = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in numbers)
    if min(places) < 1:
        raise RuntimeError(
            f"{op}: a window {kernel_size} with dilation {dilation} does not fit into an image of size {tuple(image)} "
            f"with padding {padding}"
        )
    return places
