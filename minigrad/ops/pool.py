"""Pooling. Each op is linear once the winners of a maximum are known, and stands beside its adjoint."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Op, is_tensor, unwrap, wrap
from ..checks import whole
from .activation import relu as relu_of
from .common import Kind, Operand, is_bool, kind_of, must_be_alike, must_be_arrays
from .conv import Pair, Size, batched, sizes
from .elementwise import masked
from .index import Index
from .join import cat
from .reduce import mean
from .shape import squeeze, unsqueeze


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


class MaxPool2x2(Op):
    """MaxPool2d with windows of 2x2 side by side, which remembers its winners in a byte each"""

    saves_inputs = False
    relu = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        y, self.winners = kernels.current().max_pool2x2(x, self.relu)
        self.shape = x.shape
        return y

    def backward(self, g: Operand) -> Operand:
        if isinstance(g, np.ndarray):
            return kernels.current().max_pool2x2_backward(g, self.winners, self.shape)
        if self.relu:
            g = masked(g, self.winners < 4)
        return MaxPool2dInput.apply(g, self._indices(), input_shape=self.shape)

    def _indices(self) -> np.ndarray:
        """Where the winners stand in their H x W plane; that of a window without a winner is any place in it."""
        H, W = self.winners.shape[2:]
        winners = self.winners % 4
        rows, columns = 2 * np.arange(H)[:, None] + winners // 2, 2 * np.arange(W) + winners % 2
        return rows * self.shape[3] + columns


class MaxPool2x2ReLU(MaxPool2x2):
    """MaxPool2x2 of relu(x), in one pass: the same as relu of the maximum. A window that is all 0 has no winner, 4"""

    relu = True


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

    Padding counts as -inf. The first of equal elements gets the gradient. Integers stay integers. The output has the
    height floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1. `ceil_mode` keeps windows that hang over the far
    edge; `return_indices` gives also where each maximum stood, counted in its H x W plane.

    >>> import minigrad
    >>> x = minigrad.arange(4.0).reshape(1, 1, 2, 2)
    >>> minigrad.nn.functional.max_pool2d(x, 2)
    tensor([[[[3.]]]])
    """
    return max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d(
    input: Operand,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Operand:
    """`max_pool2d` of sequences (N, C, L) or (C, L), which must be floating; an index counts along L.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 3.0, 2.0, 0.0]])
    >>> minigrad.nn.functional.max_pool1d(x, 2, return_indices=True)
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """
    return max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool(
    dims: int,
    input: Operand,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    return_indices: bool,
    relu: bool = False,
) -> Operand:
    """`max_pool2d` or `max_pool1d`; with `relu`, of max(input, 0), in the same pass where a kernel does both."""
    pool2x2 = MaxPool2x2ReLU if relu else MaxPool2x2
    try:
        usual = _usual(dims, kind_of(input), kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    except (AttributeError, TypeError):  # not a Tensor, or sizes in a list
        usual = False
    if usual:
        return pool2x2.apply(input)
    op = f"max_pool{dims}d"
    if dims == 1:
        must_be_floating(op, input)
    x, restore = _images(op, dims, input)
    k, s, p = _windows(op, dims, kernel_size, stride, padding)
    d = sizes(op, "dilation", dilation, dims, 1)
    out = _output_size(op, input.shape, k, s, p, d, ceil_mode)
    if dims == 1:
        k, s, p, d, out = (1, *k), (1, *s), (0, *p), (1, *d), (1, *out)
    side_by_side = k == s == (2, 2) and p == (0, 0) and d == (1, 1) and out == (x.shape[2] // 2, x.shape[3] // 2)
    if side_by_side and not return_indices and x.dtype.kind == "f":
        return restore(pool2x2.apply(x))
    if relu:
        x = relu_of(x)
    y, indices = map(restore, MaxPool2d.apply(x, kernel_size=k, stride=s, padding=p, dilation=d, output_size=out))
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
    options = {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    return _avg_pool("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, options)


def avg_pool1d(
    input: Operand,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Operand:
    """`avg_pool2d` of sequences (N, C, L) or (C, L).

    >>> import minigrad
    >>> minigrad.nn.functional.avg_pool1d(minigrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    options = {"count_include_pad": count_include_pad, "divisor_override": None}
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, options)


def _avg_pool(
    op: str,
    dims: int,
    input: Operand,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    ceil_mode: bool,
    options: dict[str, Any],
) -> Operand:
    must_be_floating(op, input)
    if options["divisor_override"] is not None:
        whole(op, "divisor_override", options["divisor_override"], " != 0")
    x, restore = _images(op, dims, input)
    k, s, p = _windows(op, dims, kernel_size, stride, padding)
    out = _output_size(op, input.shape, k, s, p, (1,) * dims, ceil_mode)
    if dims == 1:
        k, s, p, out = (1, *k), (1, *s), (0, *p), (1, *out)
    return restore(AvgPool2d.apply(x, kernel_size=k, stride=s, padding=p, output_size=out, **options))


def adaptive_avg_pool2d(input: Operand, output_size: int | tuple[int | None, int | None] | None) -> Operand:
    """The mean over windows chosen so that the output has `output_size`; None keeps a size.

    input (N, C, H, W) or (C, H, W); output (N, C, OH, OW) or (C, OH, OW). Row i of the output averages the input's
    rows from floor(i H / OH) up to, not including, ceil((i + 1) H / OH).

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool2d(minigrad.tensor([[[0.0, 1.0, 2.0]]]), (None, 2))
    tensor([[[0.5000, 1.5000]]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool1d(input: Operand, output_size: int | tuple[int | None] | None) -> Operand:
    """`adaptive_avg_pool2d` of sequences (N, C, L) or (C, L): output (N, C, output_size) or (C, output_size).

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_avg_pool1d(minigrad.tensor([[0.0, 1.0, 2.0]]), 2)
    tensor([[0.5000, 1.5000]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def _adaptive_avg_pool(op: str, dims: int, input: Operand, output_size: Any) -> Operand:
    must_be_floating(op, input)
    x, restore = _images(op, dims, input)
    out = _adaptive_size(op, dims, input.shape, output_size)
    if 0 not in out and x.shape[2] % out[0] == x.shape[3] % out[1] == 0:  # windows of one size, side by side
        return restore(avg_pool2d(x, (x.shape[2] // out[0], x.shape[3] // out[1])))
    return restore(_window_means(_window_means(x, 2, out[0]), 3, out[1]))


def _window_means(x: Operand, dim: int, size: int) -> Operand:
    """The means of `size` windows along `dim`, which may overlap. Each is taken alone: an inf stays in its windows."""
    before = (slice(None),) * dim
    windows = [slice(start, end) for start, end in _adaptive_windows(x.shape[dim], size)]
    means = [mean(Index.apply(x, key=(*before, window)), dim, keepdim=True) for window in windows]
    return cat(means, dim) if means else Index.apply(x, key=(*before, slice(0)))


def adaptive_max_pool2d(
    input: Operand, output_size: int | tuple[int | None, int | None] | None, return_indices: bool = False
) -> Operand:
    """The maximum over the windows of `adaptive_avg_pool2d`; the first of equal elements gets the gradient.

    `return_indices` gives also where each maximum stood, counted in its H x W plane.

    >>> import minigrad
    >>> x = minigrad.tensor([[[0.0, 3.0, 1.0, 2.0, 5.0]]])
    >>> minigrad.nn.functional.adaptive_max_pool2d(x, (1, 2))
    tensor([[[3., 5.]]])
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool1d(
    input: Operand, output_size: int | tuple[int | None] | None, return_indices: bool = False
) -> Operand:
    """`adaptive_max_pool2d` of sequences (N, C, L) or (C, L); an index counts along L.

    >>> import minigrad
    >>> minigrad.nn.functional.adaptive_max_pool1d(minigrad.tensor([[0.0, 3.0, 1.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def _adaptive_max_pool(op: str, dims: int, input: Operand, output_size: Any, return_indices: bool) -> Operand:
    must_be_floating(op, input)
    x, restore = _images(op, dims, input)
    out = _adaptive_size(op, dims, input.shape, output_size)
    indices = _adaptive_winners(unwrap(x), out)
    y = restore(MaxPool2dTake.apply(x, indices))
    return (y, restore(wrap(indices) if is_tensor(y) else indices)) if return_indices else y


def _adaptive_winners(x: np.ndarray, out: Pair) -> np.ndarray:
    """Where the maximum of each adaptive window of x (N, C, H, W) stands.

    The windows are laid side by side, each made as large as the largest by repeating its last row and column, so that
    the pooling of one window size finds the winners: the same, for a repeated one comes after the original.
    """
    if 0 in out:
        return np.zeros((*x.shape[:2], *out), np.int64)
    places, size = [], []
    for n, m in zip(x.shape[2:], out, strict=True):
        start, end = np.array(_adaptive_windows(n, m)).T[:, :, None]
        size.append(int((end - start).max()))
        places.append(np.minimum(start + np.arange(size[-1]), end - 1).reshape(-1))
    rows, columns = places[0][:, None], places[1]
    side_by_side = x[:, :, rows, columns]
    _, winners = kernels.current().max_pool2d(side_by_side, tuple(size), tuple(size), (0, 0), (1, 1), out)
    return (rows * x.shape[3] + columns).reshape(-1)[winners]


def _adaptive_windows(n: int, size: int) -> list[Pair]:
    """The start and the end of `size` windows that cover n elements."""
    return [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def _adaptive_size(op: str, dims: int, shape: tuple[int, ...], output_size: Any) -> Pair:
    """The height and width of the output; the height of a sequence is 1."""
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(wanted) != dims or not all(n is None or (isinstance(n, int) and n >= 0) for n in wanted):
        many = "two of them" if dims == 2 else "one of them in a tuple"
        raise TypeError(f"{op}: output_size must be an int, None or {many}, got {output_size!r}")
    out = tuple(n if m is None else m for n, m in zip(shape[-dims:], wanted, strict=True))
    for n, m in zip(shape[-dims:], out, strict=True):
        if n == 0 and m > 0:
            raise RuntimeError(f"{op}: cannot pool an input of size 0 into size {m}")
    return (1,) * (2 - dims) + out


def _images(op: str, dims: int, x: Operand) -> tuple[Operand, Callable]:
    """x as images (N, C, H, W), a sequence having height 1, and what takes a result back into x's own form."""
    images, unbatched = batched(op, dims, x)
    if is_bool(x):
        raise RuntimeError(f"{op}: input must hold numbers, got bools; use x.float()")

    def restore(y: Operand) -> Operand:
        y = squeeze(y, 2) if dims == 1 else y
        return squeeze(y, 0) if unbatched else y

    return (unsqueeze(images, 2) if dims == 1 else images), restore


def must_be_floating(op: str, x: Operand) -> None:
    """RuntimeError unless x has a floating dtype."""
    must_be_arrays(op, x)
    if x.dtype.kind != "f":
        raise RuntimeError(f"{op}: input must be floating, got {x.dtype.name}; use x.float()")


def _windows(op: str, dims: int, kernel_size: Size, stride: Size | None, padding: Size) -> tuple[tuple, tuple, tuple]:
    """The size, the step and the padding of the windows, one number for each dimension."""
    k = sizes(op, "kernel_size", kernel_size, dims, 1)
    s = (
        k
        if stride is None or (isinstance(stride, (tuple, list)) and not stride)
        else sizes(op, "stride", stride, dims, 1)
    )
    return k, s, sizes(op, "padding", padding, dims, 0)


@functools.lru_cache(1024, typed=True)
def _usual(
    dims: int,
    kind: Kind,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    return_indices: bool,
) -> bool:
    """Is this what most networks ask for: windows of 2x2 side by side that leave out no more than an odd row or column?

    TypeError unless the images are a Tensor.
    """
    must_be_alike(kind)
    windows, shape = (kernel_size, stride, padding, dilation), kind[1]
    if len(shape) != 4 or dims != 2 or windows != (2, 2, 0, 1) or {*map(type, windows)} != {int} or return_indices:
        return False
    H, W = shape[2:]
    return min(H, W) > 1 and not (ceil_mode and (H % 2 or W % 2))


@functools.lru_cache(1024)
def _output_size(op: str, shape: tuple, k: tuple, s: tuple, p: tuple, d: tuple, ceil_mode: bool) -> tuple[int, ...]:
    if any(2 * pad > size for pad, size in zip(p, k, strict=True)):
        raise RuntimeError(f"{op}: padding {p} must be at most half of kernel_size {k}")
    out = []
    for n, size, stride, pad, dilation in zip(shape[-len(k) :], k, s, p, d, strict=True):
        room = n + 2 * pad - dilation * (size - 1) - 1
        m = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
        if ceil_mode and (m - 1) * stride >= n + pad:
            m -= 1  # the last window must start inside the input or its near padding
        out.append(m)
    if min(out) < 1:
        raise RuntimeError(f"{op}: the window {k} with padding {p} is larger than the input, of shape {tuple(shape)}")
    return tuple(out)
