"""Convolution: three ops that are each other's derivatives.

Convolution is one trilinear form in an image x, weights w and an image y,

    sum over n, o, c, i, j, h, k of   y[n, o, i, j] w[o, c, h, k] x[n, c, s i + d h - p, s j + d k - p],

and its three partial derivatives are the three ops here: by y, the convolution of x and w; by x, the input
gradient (also called transposed convolution); by w, the weight gradient. So the backward of each one is the other
two, and derivatives of every order come without another line.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Op
from ..checks import whole
from .common import Kind, Operand, kind_of, must_be_alike, must_be_arrays, must_share_dtype
from .reduce import sum
from .shape import pad, reshape, squeeze, unsqueeze

Size = int | Sequence[int]
Pair = tuple[int, int]
KERNEL = {1: "K", 2: "KH, KW"}  # the sizes of a filter, by its number of dimensions
in_order = operator.itemgetter("stride", "padding", "dilation", "groups")  # a geometry, as kernels take it
INTS = {1: (int,) * 4, 2: (int,) * 7}  # the types of stride, padding, dilation and groups, by the same


class Conv2d(Op):
    """y = the cross-correlation of x (N, C, H, W) and w (O, C / groups, KH, KW), plus b (O,)"""

    uses = ((1,), (0,), ())

    def forward(self, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, **geometry: Any) -> np.ndarray:
        self.geometry = geometry  # stride, padding, dilation, groups
        return kernels.current().conv2d(x, w, b, *in_order(geometry))

    def backward(self, g: Operand) -> tuple:
        x, w, _ = self.operands()
        if isinstance(g, np.ndarray):
            return kernels.current().conv2d_backward(g, x, w, *in_order(self.geometry), *self.needs)
        need_x, need_w, need_b = self.needs
        return (
            Conv2dInput.apply(g, w, input_shape=x.shape, **self.geometry) if need_x else None,
            Conv2dWeight.apply(x, g, weight_shape=w.shape, **self.geometry) if need_w else None,
            sum(g, (0, 2, 3)) if need_b else None,
        )


class Conv2dInput(Op):
    """The gradient of a convolution's input, from that of its output and w; by itself, a transposed convolution"""

    uses = ((1,), (0,))

    def forward(self, g: np.ndarray, w: np.ndarray, input_shape: tuple[int, ...], **geometry: Any) -> np.ndarray:
        self.geometry = geometry
        return kernels.current().conv2d_input(g, w, input_shape, *in_order(geometry))

    def backward(self, gx: Operand) -> tuple:
        (g, w), (need_g, need_w) = self.operands(), self.needs
        return (
            Conv2d.apply(gx, w, None, **self.geometry) if need_g else None,
            Conv2dWeight.apply(gx, g, weight_shape=w.shape, **self.geometry) if need_w else None,
        )


class Conv2dWeight(Op):
    """The gradient of a convolution's weights, from its input x and the gradient of its output"""

    uses = ((1,), (0,))

    def forward(self, x: np.ndarray, g: np.ndarray, weight_shape: tuple[int, ...], **geometry: Any) -> np.ndarray:
        self.geometry = geometry
        return kernels.current().conv2d_weight(x, g, weight_shape, *in_order(geometry))

    def backward(self, gw: Operand) -> tuple:
        (x, g), (need_x, need_g) = self.operands(), self.needs
        return (
            Conv2dInput.apply(g, gw, input_shape=x.shape, **self.geometry) if need_x else None,
            Conv2d.apply(x, gw, None, **self.geometry) if need_g else None,
        )


# --------------------------------------------------------------------------------------- public functions


def conv2d(
    input: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Operand:
    """The cross-correlation of images with filters, which deep learning calls convolution.

    input (N, C, H, W) or (C, H, W); weight (O, C / groups, KH, KW); bias (O,). The output has O channels of height
    floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1, and a width by the same formula. padding is a
    number of zeros on each side, "valid" (none), or "same" (as many as keep the size; stride 1 only).

    >>> import minigrad
    >>> x = minigrad.arange(9.0).reshape(1, 1, 3, 3)
    >>> minigrad.nn.functional.conv2d(x, minigrad.ones(1, 1, 2, 2))
    tensor([[[[ 8., 12.],
              [20., 24.]]]])
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv1d(
    input: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Operand:
    """`conv2d` of sequences: input (N, C, L) or (C, L), weight (O, C / groups, K), output (N, O, L') or (O, L').

    L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1. As in `conv2d` the filter is not flipped:

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0, 4.0, 8.0]])
    >>> minigrad.nn.functional.conv1d(x, minigrad.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2., 4.]])
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose2d(
    input: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Operand:
    """The transposed convolution: `conv2d` with the roles of input and output exchanged (its input gradient).

    input (N, C, H, W) or (C, H, W); weight (C, O / groups, KH, KW); bias (O,). The output has the height
    (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1. output_padding must be smaller than stride or
    dilation, else RuntimeError.

    >>> import minigrad
    >>> x = minigrad.tensor([[[1.0, 2.0]]])
    >>> minigrad.nn.functional.conv_transpose2d(x, minigrad.ones(1, 1, 1, 2), stride=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose1d(
    input: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Operand:
    """`conv_transpose2d` of sequences: input (N, C, L) or (C, L), weight (C, O / groups, K), output (N, O, L') ...

    L' = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0]])
    >>> minigrad.nn.functional.conv_transpose1d(x, minigrad.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def _conv_transpose(
    op: str,
    dims: int,
    input: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
) -> Operand:
    x, unbatched = batched(op, dims, input)
    s, p, d, extra = (
        sizes(op, name, value, dims, least)
        for name, value, least in (
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("dilation", dilation, 1),
            ("output_padding", output_padding, 0),
        )
    )
    must_be_arrays(op, weight)
    _check_weight(op, dims, weight.shape, "(C, O / groups, {})")
    must_share_dtype(op, x, weight, bias)
    channels = x.shape[1]
    _check_groups(op, groups, channels)
    if weight.shape[0] != channels:
        raise RuntimeError(
            f"{op}: weight {tuple(weight.shape)} needs {weight.shape[0]} channels, input {tuple(input.shape)} has "
            f"{channels}"
        )
    if any(e >= max(stride, dilation) for e, stride, dilation in zip(extra, s, d, strict=True)):
        raise RuntimeError(f"{op}: output_padding {extra} must be smaller than stride {s} or dilation {d}")
    out = tuple(
        (n - 1) * s[i] - 2 * p[i] + d[i] * (weight.shape[2 + i] - 1) + extra[i] + 1 for i, n in enumerate(x.shape[2:])
    )
    if any(n <= 0 for n in out):
        raise RuntimeError(f"{op}: the output would have size {out}; less padding or a larger input is needed")
    _check_bias(op, None if bias is None else bias.shape, weight.shape[1] * groups)
    if dims == 1:  # a sequence is an image of height one
        x, weight, out = unsqueeze(x, 2), unsqueeze(weight, 2), (1, *out)
        s, p, d, extra = (1, *s), (0, *p), (1, *d), (0, *extra)
    # A convolution maps `stride` sizes of its input to one, so its input gradient knows an output_padding below that.
    # For more of it the output is computed without padding, and then cut and padded as an image.
    late = [e >= stride for e, stride in zip(extra, s, strict=True)]
    cuts = [(-n, e - n) if do else (0, 0) for n, e, do in zip(p, extra, late, strict=True)]
    image = (h - before - after for h, (before, after) in zip(out, cuts, strict=True))
    p = tuple(0 if do else n for n, do in zip(p, late, strict=True))
    shape = (x.shape[0], weight.shape[1] * groups, *image)
    y = Conv2dInput.apply(x, weight, input_shape=shape, stride=s, padding=p, dilation=d, groups=groups)
    if any(late):
        y = pad(y, (*cuts[1], *cuts[0]))
    if bias is not None:
        y = y + reshape(bias, 1, -1, 1, 1)
    if dims == 1:
        y = squeeze(y, 2)
    return squeeze(y, 0) if unbatched else y


def _conv(
    op: str,
    dims: int,
    input: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
) -> Operand:
    try:
        kinds = kind_of(input), kind_of(weight), None if bias is None else kind_of(bias)
        types = tuple(map(type, (*stride, *padding, *dilation, groups)))  # type: ignore[misc]
        plan = _plan(op, dims, kinds, stride, padding, dilation, groups, types)
    except (AttributeError, TypeError):  # not what layers pass
        plan = None
    if plan is None:  # outside of the except, so that what is wrong is the only error that a traceback shows
        must_be_arrays(op, input, weight, *(() if bias is None else (bias,)))
        must_share_dtype(op, input, weight, bias)
        stride, dilation = sizes(op, "stride", stride, dims, 1), sizes(op, "dilation", dilation, dims, 1)
        padding = padding if isinstance(padding, str) else sizes(op, "padding", padding, dims, 0)
        groups = whole(op, "groups", groups)
        b = None if bias is None else bias.shape
        plan = _geometry(op, dims, input.shape, weight.shape, b, stride, padding, dilation, groups)
    geometry, widths, at_once = plan
    if at_once:
        return Conv2d.apply(input, weight, bias, **geometry)
    unbatched = input.ndim == dims + 1
    if unbatched:
        input = unsqueeze(input, 0)
    if widths:
        input = pad(input, widths)
    if dims == 1:  # a sequence is an image of height one
        input, weight = unsqueeze(input, 2), unsqueeze(weight, 2)
    y = Conv2d.apply(input, weight, bias, **geometry)
    if dims == 1:
        y = squeeze(y, 2)
    return squeeze(y, 0) if unbatched else y


@functools.lru_cache(1024, typed=True)
def _plan(
    op: str,
    dims: int,
    kinds: tuple[Kind, Kind, Kind | None],
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    types: tuple[type, ...],
) -> tuple[dict[str, Any], list[int] | None, bool]:
    """`_geometry`, of Tensors of one floating dtype and tuples of ints; TypeError for others.

    types : of the numbers in the options; 1 and 1.0 are the same key
    """
    must_be_alike(*kinds)
    if types != INTS[dims] or not type(stride) is type(padding) is type(dilation) is tuple:
        raise TypeError("these are not tuples of ints")
    x, w, b = (None if kind is None else kind[1] for kind in kinds)
    return _geometry(op, dims, x, w, b, stride, padding, dilation, groups)


@functools.lru_cache(1024)
def _geometry(
    op: str,
    dims: int,
    x: tuple,
    weight: tuple,
    bias: tuple | None,
    stride: tuple,
    padding: tuple | str,
    dilation: tuple,
    groups: int,
) -> tuple[dict[str, Any], list[int] | None, bool]:
    """All checks of these shapes and options; the geometry they make, and what is to be padded by more than that.

    And whether there is no more to it. What went well once is not looked at again.
    """
    _check_input(op, dims, x)
    _check_weight(op, dims, weight, "(O, C / groups, {})")
    batch = x if len(x) == dims + 2 else (1, *x)
    stride, dilation = sizes(op, "stride", stride, dims, 1), sizes(op, "dilation", dilation, dims, 1)
    _check_channels(op, batch, weight, bias, groups)
    padding, widths = _resolve_padding(op, padding, weight[2:], stride, dilation)
    padded = list(batch)
    for i, width in enumerate(widths or ()):  # from the last dimension on, two for each
        padded[-1 - i // 2] += width
    _check_windows(op, tuple(padded), weight[2:], padding, dilation)
    if dims == 1:
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return geometry, widths, batch is x and dims == 2 and not widths


def _check_channels(op: str, x: tuple, weight: tuple, bias: tuple | None, groups: int) -> None:
    """RuntimeError unless these shapes go together."""
    _check_groups(op, groups, x[1])
    if weight[1] * groups != x[1]:
        raise RuntimeError(
            f"{op}: weight {weight} with groups={groups} needs {weight[1] * groups} input channels, but input "
            f"{x} has {x[1]}"
        )
    if weight[0] % groups:
        raise RuntimeError(f"{op}: the {weight[0]} output channels must be divisible by groups={groups}")
    _check_bias(op, bias, weight[0])


def _check_windows(op: str, x: tuple, kernel: tuple, padding: tuple, dilation: tuple) -> None:
    """RuntimeError if a window does not fit into the padded input."""
    for i, k in enumerate(kernel):
        span, have = dilation[i] * (k - 1) + 1, x[2 + i] + 2 * padding[i]
        if have < span:
            raise RuntimeError(
                f"{op}: the kernel {kernel} with dilation {dilation} spans {span}, more than the input {x} "
                f"with padding {padding} has in dim {i - len(kernel)} ({have})"
            )


def sizes(op: str, name: str, value: Size, dims: int, least: int) -> tuple[int, ...]:
    """`value` as one int for each dimension, none below `least`."""
    if type(value) is int and value >= least:
        return (value,) * dims
    if type(value) is tuple and len(value) == dims == 2:  # what layers pass
        a, b = value
        if type(a) is type(b) is int and a >= least <= b:
            return value
    many: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims
    if len(many) == 1:
        many *= dims
    if len(many) != dims or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in many):
        raise TypeError(f"{op}: {name} must be an int or {dims} ints, got {value!r}")
    if any(n < least for n in many):
        raise RuntimeError(f"{op}: {name} must be at least {least}, got {value!r}")
    return tuple(int(n) for n in many)


def _resolve_padding(
    op: str, padding: tuple | str, kernel: tuple, stride: tuple, dilation: tuple
) -> tuple[tuple[int, ...], list[int] | None]:
    """The padding for the kernel to do, and what the input is padded by before, where the two sides differ."""
    if padding == "valid":
        return (0,) * len(kernel), None
    if padding != "same":
        if isinstance(padding, str):
            raise ValueError(f'{op}: padding must be a number, "same" or "valid", got {padding!r}')
        return sizes(op, "padding", padding, len(kernel), 0), None
    if any(s != 1 for s in stride):
        raise RuntimeError(f'{op}: padding "same" needs stride 1, got {stride}')
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    widths = [w for n in reversed(total) for w in (0, n % 2)]  # one more on the far side, as in PyTorch
    return tuple(n // 2 for n in total), widths if any(widths) else None


def batched(op: str, dims: int, x: Operand) -> tuple[Operand, bool]:
    """`x` with a batch dimension, and whether it came without."""
    must_be_arrays(op, x)
    _check_input(op, dims, x.shape)
    return (x, False) if x.ndim == dims + 2 else (unsqueeze(x, 0), True)


def _check_input(op: str, dims: int, x: tuple) -> None:
    if len(x) not in (dims + 1, dims + 2):
        names = "H, W" if dims == 2 else "L"
        raise RuntimeError(f"{op}: input must be (N, C, {names}) or (C, {names}), got shape {tuple(x)}")


def _check_weight(op: str, dims: int, weight: tuple, form: str) -> None:
    if len(weight) != dims + 2:
        raise RuntimeError(f"{op}: weight must be {form.format(KERNEL[dims])}, got shape {tuple(weight)}")


def _check_groups(op: str, groups: int, channels: int) -> None:
    if whole(op, "groups", groups) < 1 or channels % groups:
        raise RuntimeError(f"{op}: groups must divide the {channels} input channels, got {groups!r}")


def _check_bias(op: str, bias: tuple | None, channels: int) -> None:
    if bias is not None and bias != (channels,):
        raise RuntimeError(f"{op}: bias must have shape ({channels},), one for each output channel, got {bias}")
