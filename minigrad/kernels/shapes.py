"""Output shapes of the kernels, and the checks that keep every index inside its array.

Both backends call these first: compiled code does not check bounds, so a shape that is let through wrongly
would read foreign memory instead of raising.
"""

from __future__ import annotations

import functools
import math

import numpy as np

Pair = tuple[int, int]
Shape = tuple[int, ...]


def require_shape(kernel: str, name: str, array: np.ndarray | None, shape: Shape) -> None:
    """Raise unless `array` is absent or has `shape`."""
    if array is not None:
        require_equal(kernel, name, array.shape, shape)


def require_equal(kernel: str, name: str, shape: Shape, expected: Shape) -> None:
    """Raise unless an array has the shape that is expected."""
    if shape != tuple(expected):
        raise ValueError(f"{kernel}: {name} has shape {shape}, expected {tuple(expected)}")


def require_running(kernel: str, running: tuple[np.ndarray, np.ndarray, float], channels: int) -> None:
    """Raise unless a running mean and variance, which change in place, are writeable and have one value a channel."""
    for name, values in (("the running mean", running[0]), ("the running variance", running[1])):
        require_shape(kernel, name, values, (channels,))
        if not values.flags.writeable:
            raise ValueError(f"{kernel}: {name} is updated in place, but it is read-only; pass a copy")


@functools.lru_cache(1024)
def image_batch(kernel: str, images: Shape, indices: Shape, mean: Shape, std: Shape) -> tuple[int, int, int]:
    """The shape (N, C, P) of a batch of the images (n, P, C) at N indices, with as many means and stds as channels."""
    require_ndim(kernel, "images", images, "n, P, C")
    require_ndim(kernel, "indices", indices, "N")
    _, P, C = images
    require_equal(kernel, "mean", mean, (C,))
    require_equal(kernel, "std", std, (C,))
    return indices[0], C, P


def require_ndim(kernel: str, name: str, shape: Shape, axes: str) -> None:
    """Raise unless `shape` has one size for each of the axes, given as "N, C, L"."""
    if len(shape) != axes.count(",") + 1:
        raise ValueError(f"{kernel}: {name} has shape {tuple(shape)}, expected the axes ({axes})")


def require_range(kernel: str, name: str, indices: np.ndarray, size: int) -> None:
    """Raise unless every index is in 0..size-1."""
    if indices.dtype == np.int64 and indices.size and int(indices.view(np.uint64).max()) < size:
        return  # looked through once: as unsigned, a negative number is huge
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        raise IndexError(
            f"{kernel}: {name} must be in 0..{size - 1}, got values from {indices.min()} to {indices.max()}"
        )


def require_matmul(kernel: str, a: Shape, b: Shape) -> None:
    """Raise unless matrices of these shapes can be multiplied."""
    if len(a) != 2 or len(b) != 2 or a[1] != b[0]:
        raise ValueError(f"{kernel}: needs matrices (M, K) and (K, N), got shapes {tuple(a)} and {tuple(b)}")


def require_linear(kernel: str, x: Shape, w: Shape, b: Shape | None) -> None:
    """Raise unless a linear layer with these weights can be applied to rows of such a length."""
    if len(x) != 2 or len(w) != 2 or x[1] != w[1] or (b is not None and b != w[:1]):
        bias = "" if b is None else f" and a bias {b}"
        raise ValueError(
            f"{kernel}: needs rows (N, I), a weight (O, I) and a bias (O,) or None, got rows {tuple(x)}, a weight "
            f"{tuple(w)}{bias}"
        )


def require_cross_entropy(kernel: str, g: Shape, x: Shape, labels: Shape, rows: Shape) -> None:
    """Raise unless these are the shapes for the gradient of cross entropy: g may also be that of the mean."""
    require_ndim(kernel, "the input", x, "N, C")
    if g != ():
        require_equal(kernel, "the output gradient", g, x[:1])
    require_equal(kernel, "labels", labels, x[:1])
    require_equal(kernel, "rows", rows, (2, x[0]))


@functools.lru_cache(1024)
def conv2d(
    kernel: str, x: Shape, w: Shape, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[int, int, int, int]:
    """The output shape (N, O, OH, OW) of filters of shape `w` on an input of shape `x`."""
    require_ndim(kernel, "the input", x, "N, C, H, W")
    require_ndim(kernel, "the weight", w, "O, C/groups, KH, KW")
    if groups < 1 or x[1] != w[1] * groups or w[0] % groups:
        raise ValueError(
            f"{kernel}: {groups} groups, {x[1]} input channels and a weight of shape {tuple(w)} do not fit: needed "
            "are input channels = groups x weight.shape[1] and a weight.shape[0] that groups divides"
        )
    _require_window(kernel, w[2:], stride, padding, dilation)
    sizes = []
    for size, k, s, p, d in zip(x[2:], w[2:], stride, padding, dilation, strict=True):
        sizes.append((size + 2 * p - d * (k - 1) - 1) // s + 1)
    if min(sizes) < 1:
        raise ValueError(
            f"{kernel}: filters of size {tuple(w[2:])} with dilation {tuple(dilation)} are larger than the input "
            f"{tuple(x[2:])} with padding {tuple(padding)}"
        )
    shape = x[0], w[0], sizes[0], sizes[1]
    if math.prod(shape) >= 2**60:
        raise ValueError(f"{kernel}: an output of shape {shape} is more than memory can hold; reduce the padding")
    return shape


def pool2d(
    kernel: str, x: Shape, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> tuple[int, int, int, int]:
    """The output shape (N, C, OH, OW); raises when a window would hold no element of the input."""
    require_ndim(kernel, "the input", x, "N, C, H, W")
    _require_window(kernel, kernel_size, stride, padding, dilation)
    for size, k, s, p, d, count in zip(x[2:], kernel_size, stride, padding, dilation, output_size, strict=True):
        first, last = -p, (count - 1) * s - p  # where the first and the last window start
        inside = count >= 1 and first + d * (k - 1) >= 0 and last < size
        if inside and d > 1:  # a window may then step over a small input
            taps = np.arange(count)[:, None] * s - p + np.arange(k) * d
            inside = bool(((taps >= 0) & (taps < size)).any(axis=1).all())
        if not inside:
            raise ValueError(
                f"{kernel}: with kernel_size {tuple(kernel_size)}, stride {tuple(stride)}, padding "
                f"{tuple(padding)} and dilation {tuple(dilation)}, an output of size {tuple(output_size)} has "
                f"windows outside the input {tuple(x[2:])}; reduce the padding or the output size"
            )
    return x[0], x[1], output_size[0], output_size[1]


@functools.lru_cache(1024)
def pool2x2(kernel: str, x: Shape) -> Shape:
    """The output shape of windows of 2x2 side by side; a last row or column that fills none is left out."""
    require_ndim(kernel, "the input", x, "N, C, H, W")
    if min(x[2:]) < 2:
        raise ValueError(f"{kernel}: windows of 2x2 do not fit into the input {tuple(x[2:])}")
    return x[0], x[1], x[2] // 2, x[3] // 2


def _require_window(kernel: str, kernel_size: Shape, stride: Pair, padding: Pair, dilation: Pair) -> None:
    """Raise unless the sizes and steps of a sliding window make sense."""
    for name, pair, least in (
        ("kernel_size", kernel_size, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if len(pair) != 2 or min(pair) < least:
            raise ValueError(f"{kernel}: {name} must be two integers >= {least}, got {tuple(pair)}")
