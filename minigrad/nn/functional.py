"""Layers and losses as functions: everything they need is an argument, nothing is remembered.

Names, argument order, defaults and results are PyTorch's, with three differences:

- `inplace` is accepted where PyTorch has it, and ignored: results are new tensors, inputs stay as they were.
- `size_average` and `reduce`, which PyTorch has deprecated, are not there; what PyTorch puts behind them is given
  by keyword: `cross_entropy(x, labels, weight, reduction="sum")`.
- Class indices may have any integer dtype, not only int64 and uint8.

The `reduction` of a loss is "mean" (the default), "sum", or "none", which gives one loss for each element or label.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..autograd import changed, is_tensor, unwrap, wrap
from ..checks import choice, number, whole
from ..dtypes import float32, float64, int64
from ..ops import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    fold,
    gelu,
    glu,
    hardshrink,
    linear,
    max_pool1d,
    max_pool2d,
    pad,
    prelu,
    sigmoid,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    unfold,
)
from ..ops.common import cast, must_share_dtype
from ..random import source
from ..tensor import Tensor
from .checks import KL_REDUCTIONS, REDUCTIONS, describe
from .checks import normalized_shape as as_normalized_shape
from .statistics import Moments

__all__ = [
    "act_norm",
    "act_norm_inverse",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "elu",
    "embedding",
    "fold",
    "gelu",
    "glu",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "instance_norm",
    "invertible_batch_norm",
    "invertible_batch_norm_inverse",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "unfold",
    "virtual_batch_norm",
]

# -------------------------------------------------------------------------------------------- activations


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0); the gradient at 0 is 0.

    >>> import minigrad
    >>> minigrad.nn.functional.relu(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return ops.relu(input)


def relu_(input: Tensor) -> Tensor:
    """`relu` in place: it changes the input, and gives it back.

    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.nn.functional.relu_(x) is x, x
    (True, tensor([0., 2.]))
    """
    _must_be_tensors("relu_", input=input)
    return input.relu_()


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, else negative_slope * input (Maas et al., 2013).

    >>> import minigrad
    >>> minigrad.nn.functional.leaky_relu(minigrad.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return ops.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, else alpha * (exp(input) - 1) (Clevert et al., 2015).

    >>> import minigrad
    >>> minigrad.nn.functional.elu(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return ops.elu(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input), also called swish.

    >>> import minigrad
    >>> minigrad.nn.functional.silu(minigrad.tensor([-1.0, 0.0, 10.0]))
    tensor([-0.2689,  0.0000,  9.9995])
    """
    return ops.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * tanh(softplus(input)) (Misra, 2019).

    >>> import minigrad
    >>> minigrad.nn.functional.mish(minigrad.tensor([-1.0, 0.0, 10.0]))
    tensor([-0.3034,  0.0000, 10.0000])
    """
    return ops.mish(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """input limited to [min_val, max_val]; the gradient on the limits is 0.

    >>> import minigrad
    >>> x = minigrad.tensor([-3.0, 0.5, 1.0], requires_grad=True)
    >>> minigrad.nn.functional.hardtanh(x).sum().backward()
    >>> x.grad
    tensor([0., 1., 0.])
    """
    return ops.hardtanh(input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """input limited to [0, 6].

    >>> import minigrad
    >>> minigrad.nn.functional.relu6(minigrad.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return ops.relu6(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """input / 6 + 1 / 2, limited to [0, 1].

    >>> import minigrad
    >>> minigrad.nn.functional.hardsigmoid(minigrad.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    return ops.hardsigmoid(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * relu6(input + 3) / 6.

    >>> import minigrad
    >>> minigrad.nn.functional.hardswish(minigrad.tensor([-4.0, -1.0, 1.0, 4.0]))
    tensor([-0.0000, -0.3333,  0.6667,  4.0000])
    """
    return ops.hardswish(input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 elu(input, alpha=1.6733), which keeps the mean 0 and the variance 1 (Klambauer et al., 2017).

    >>> import minigrad
    >>> minigrad.nn.functional.selu(minigrad.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """
    return ops.selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, else alpha * (exp(input / alpha) - 1) (Barron, 2017). ValueError if alpha is 0.

    >>> import minigrad
    >>> minigrad.nn.functional.celu(minigrad.tensor([-1.0, 0.0, 2.0]), alpha=2.0)
    tensor([-0.7869,  0.0000,  2.0000])
    """
    return ops.celu(input, alpha)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """input where it exceeds `threshold`, else `value`, a constant without a gradient.

    >>> import minigrad
    >>> minigrad.nn.functional.threshold(minigrad.tensor([-1.0, 0.5, 2.0]), 0.5, -7.0)
    tensor([-7., -7.,  2.])
    """
    return ops.threshold(input, threshold, value)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input)), computed as -log(1 + exp(-input)) without overflow.

    >>> import minigrad
    >>> minigrad.nn.functional.logsigmoid(minigrad.tensor([-1000.0, 0.0]))
    tensor([-1.0000e+03, -6.9315e-01])
    """
    return -softplus(-input, threshold=math.inf)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """exp(input) scaled to sum to one along `dim`.

    Without `dim` PyTorch's old rule holds, with a warning: dim 0 for 0, 1 or 3 dimensions, else dim 1.

    >>> import minigrad
    >>> minigrad.nn.functional.softmax(minigrad.tensor([[0.0, 0.0]]), dim=1)
    tensor([[0.5000, 0.5000]])
    """
    return ops.softmax(input, _implicit_dim("softmax", input) if dim is None else dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, computed without forming the quotient; `dim` as there.

    >>> import minigrad
    >>> minigrad.nn.functional.log_softmax(minigrad.tensor([0.0, 1000.0]), dim=0)    # log(softmax) would give -inf
    tensor([-1000.,     0.])
    """
    return ops.log_softmax(input, _implicit_dim("log_softmax", input) if dim is None else dim, dtype)


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """`softmax` of -input, largest where input is smallest; `dim` as there.

    >>> import minigrad
    >>> minigrad.nn.functional.softmin(minigrad.tensor([0.0, 1.0]), dim=0)
    tensor([0.7311, 0.2689])
    """
    _must_be_tensors("softmin", input=input)
    return ops.softmax(-input, _implicit_dim("softmin", input) if dim is None else dim, dtype)


def _implicit_dim(op: str, x: Tensor) -> int:
    """The dimension that PyTorch takes when none is given; a warning says which."""
    _must_be_tensors(op, input=x)
    dim = 0 if x.ndim in (0, 1, 3) else 1
    warnings.warn(
        f"{op}: no dim was given, so dim={dim} is taken for shape {tuple(x.shape)}; pass dim to say which is meant",
        UserWarning,
        stacklevel=3,
    )
    return dim


# ------------------------------------------------------------------------------------------ normalization


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias, for each channel of an input (N, C), (N, C, L), (N, C, H, W)...

    Training, mean and var are those of the batch, over every dimension but C, the variance being the biased one
    (divided by the n = N L values of a channel). The running statistics, where given, then move in place by

        running_mean = (1 - momentum) running_mean + momentum mean
        running_var  = (1 - momentum) running_var  + momentum var n / (n - 1)

    where the variance is the unbiased one. They keep their own dtype, and are no part of the graph. momentum = 1 / k
    at the k-th batch gives the cumulative average. Otherwise, mean and var are the running statistics, constants.

    input : floating, of 2 or more dimensions; weight, bias, running_mean, running_var : shape (C,)

    ValueError for a single value per channel in training. Source: Ioffe and Szegedy, 2015, arXiv:1502.03167.

    >>> import minigrad
    >>> mean, var = minigrad.zeros(1), minigrad.ones(1)
    >>> x = minigrad.tensor([[2.0], [4.0]])
    >>> minigrad.nn.functional.batch_norm(x, mean, var, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    >>> mean, var    # the batch has mean 3 and unbiased variance 2
    (tensor([0.3000]), tensor([1.1000]))
    """
    return normalize_batch(input, running_mean, running_var, weight, bias, training, momentum, eps)


def normalize_batch(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *,
    relu: bool = False,
    batches: Tensor | None = None,
) -> Tensor:
    """`batch_norm` as the layers call it: with `relu` in the same pass, and counting one more of the `batches`."""
    op = "batch_norm"
    plain = _plainly_fit(input, running_mean, running_var, weight, bias, momentum, eps)
    if not plain:
        _check_channels(op, input, running_mean, running_var, weight, bias)
        number(op, "eps", eps, " > 0" if training else " >= 0")
    mean: Any = unwrap(running_mean)
    var: Any = unwrap(running_var)
    if not training:
        _must_be_given(op, "training=False", running_mean)
        return _normalize_by_constants(input, mean, var, weight, bias, eps, relu)
    size, shape = input.array.size, input.array.shape
    if size == shape[1]:  # one value each; or none of both
        _must_be_many(op, input)
    running: Any = None
    moving: tuple = ()
    if mean is not None:
        running = mean, var, momentum
        if not (plain and mean.flags.writeable and var.flags.writeable):
            _check_momentum(op, running_mean, running_var, momentum)
        if size:
            moving = mean, var
    if batches is not None:
        moving = *moving, batches.array
    if moving:  # said before the op runs, which keeps none of them: backward need not look at what it keeps
        changed(*moving, by="batch_norm, which moved its running statistics")
    if size:
        y = (ops.BatchNormReLU if relu else ops.BatchNorm).apply(input, weight, bias, eps=eps, running=running)
    else:
        y = ops.reshape(ops.scale_and_shift(ops.positions_in_one(input), weight, bias), shape)
        y = ops.relu(y) if relu else y
    if batches is not None:
        batches.array[()] += 1  # of a 0-d array many times faster than without the brackets
    return y


def _must_be_many(op: str, x: Tensor) -> None:
    """ValueError for one value per channel."""
    if x.shape[0] * math.prod(x.shape[2:]) == 1:
        raise ValueError(
            f"{op}: training needs more than one value per channel, but input of shape {tuple(x.shape)} has one, "
            "whose variance is 0. Use a larger batch (drop_last=True in the DataLoader leaves out a last batch of one) "
            "or eval mode, which normalizes by the running statistics."
        )


def _plainly_fit(x: Any, mean: Any, var: Any, weight: Any, bias: Any, momentum: Any, eps: Any) -> bool:
    """Is x a float Tensor of channels, is all that is given of its dtype, one for each, and the rest usual?"""
    try:
        dtype, shape = x.array.dtype, x.array.shape
        each = dtype, shape[1:2]
        return (
            isinstance(x, Tensor)
            and dtype.kind == "f"
            and len(shape) > 1
            and (
                mean is var is None
                or (mean.array.dtype, mean.array.shape) == each == (var.array.dtype, var.array.shape)
            )
            and (weight is None or (weight.array.dtype, weight.array.shape) == each)
            and (bias is None or (bias.array.dtype, bias.array.shape) == each)
            and type(momentum) is type(eps) is float
            and 0 <= momentum <= 1
            and 0 < eps < math.inf
        )
    except (AttributeError, TypeError):  # not a Tensor, not a number
        return False


def _check_channels(
    op: str,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
) -> None:
    """Errors unless everything is floating, and there is one statistic, weight and bias for each channel of x."""
    _must_be_floating(op, x)
    if x.ndim < 2:
        raise ValueError(f"{op}: input must be (N, C) or (N, C, ...), got shape {tuple(x.shape)}")
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{op}: running_mean and running_var belong together; give both, or None for both")
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _must_be_one_for_each(op, x, "channel", given)
    must_share_dtype(op, x, weight, bias)


def _must_be_one_for_each(op: str, x: Tensor, each: str, given: dict[str, Tensor | None]) -> None:
    """Errors unless all that is given is floating, with one value for each "channel" or "activation" of x."""
    if each == "channel":
        shape, why = tuple(x.shape[1:2]), f"has {x.shape[1]} channels (dim 1)"
    else:
        shape, why = tuple(x.shape[1:]), "is normalized activation by activation"
    for name, values in given.items():
        if values is None:
            continue
        _must_be_floating(op, values, name)
        if tuple(values.shape) != shape:
            raise RuntimeError(
                f"{op}: {name} has shape {tuple(values.shape)}, but input, of shape {tuple(x.shape)}, {why} and needs "
                f"{shape}"
            )


def _must_be_given(op: str, when: str, running_mean: Tensor | None) -> None:
    if running_mean is None:
        raise RuntimeError(f"{op}: running_mean and running_var must be given when {when}, got None")


def _check_momentum(op: str, running_mean: Tensor | None, running_var: Tensor | None, momentum: float) -> None:
    """Errors, before anything is computed, where the running statistics could not take the batch in."""
    if running_mean is None:
        return
    number(op, "momentum", momentum)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if not unwrap(running).flags.writeable:
            raise RuntimeError(f"{op}: {name} is updated in place, but its memory is read-only; pass a clone")


def _move(op: str, *statistics: tuple[Tensor | None, np.ndarray], momentum: float) -> None:
    """Move each running statistic, in place, towards that of the batch."""
    arrays = [unwrap(running) for running, _ in statistics]
    for array, (_, batch) in zip(arrays, statistics, strict=True):
        array *= 1 - momentum
        array += momentum * batch
    changed(*arrays, by=f"{op}, which moved its running statistics")


def _normalize_by_constants(
    x: Tensor,
    mean: np.ndarray,
    var: np.ndarray,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    relu: bool = False,
) -> Tensor:
    """x (N, C, ...) normalized by a given mean and variance, which are constants; then relu, if asked for."""
    if mean.dtype is not x.dtype:
        dtype = np.promote_types(x.dtype, np.float32)  # float16 has no eps of 1e-8
        mean, var = mean.astype(dtype), var.astype(dtype)
    return (ops.NormalizeReLU if relu else ops.Normalize).apply(x, weight, bias, mean=mean, var=var, eps=eps)


def _normalize_rows(op: str, x: Tensor, rows: int, count: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """x as so many rows of `count` elements, each normalized by its own statistics, and these: mean and variance."""
    number(op, "eps", eps, " >= 0")
    return ops.LayerNorm.apply(ops.reshape(x, rows, count), None, None, eps=eps)


def invertible_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    log_scale: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    statistics: str = "channel",
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Batch norm as a step of a normalizing flow: (y, log_det, mean, var).

        y       = (input - mean) / sqrt(var + eps) * exp(log_scale) + bias
        log_det = L sum(log_scale - log(var + eps) / 2)    the same for each of the N examples

    Training, mean and var are those of the batch, var being the biased one; the running statistics, where given, move
    as in `batch_norm`. Otherwise they are the running statistics, constants. Gradients flow through y and through
    log_det, in training by way of mean and var too: these are functions of the input. The Jacobian that log_det is
    of holds them constant; see `InvertibleBatchNorm2d`.

    input      : floating, (N, C, ...)
    statistics : "channel": one mean and variance for each channel, over the batch and the L positions; or
                 "activation": one for each element of an example, over the batch alone, where L = 1
    log_scale, bias, running_mean, running_var : (C,) by channel, input.shape[1:] by activation

    log_det has shape (N,), mean and var that of the running statistics. log_det is a sum of logarithms, taken in
    float64. ValueError for fewer than two values per statistic in training. Source: Dinh, Sohl-Dickstein and Bengio,
    "Density estimation using Real NVP", 2017, arXiv:1605.08803, section 3.7.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0], [5.0]])
    >>> y, log_det, mean, var = minigrad.nn.functional.invertible_batch_norm(x, None, None, training=True)
    >>> y, log_det
    (tensor([[-1.0000],
            [ 1.0000]]), tensor([-0.6931, -0.6931]))
    >>> mean, var
    (tensor([3.]), tensor([4.]))
    """
    op = "invertible_batch_norm"
    running = {"running_mean": running_mean, "running_var": running_var}
    x, scale, shift = _check_flow(op, input, statistics, log_scale, bias, running)
    number(op, "eps", eps, " > 0")
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{op}: running_mean and running_var belong together; give both, or None for both")
    if not training:
        _must_be_given(op, "training=False", running_mean)
        mean, var = unwrap(running_mean).copy(), unwrap(running_var).copy()  # these will have moved on by the inverse
        y = _normalize_by_constants(x, mean.reshape(-1), var.reshape(-1), scale, shift, eps)
        return ops.reshape(y, input.shape), _log_det(x, log_scale, wrap(var), eps), wrap(mean), wrap(var)
    count = x.shape[0] * x.shape[2]
    if count < 2:
        raise ValueError(
            f"{op}: training needs more than one value per {statistics}, but an input of shape {tuple(input.shape)} "
            f"has {count}. Use a larger batch (drop_last=True in the DataLoader leaves out a last batch of one), or "
            "normalize by the running statistics, as eval mode does."
        )
    _check_momentum(op, running_mean, running_var, momentum)
    batch = Moments.of(x, (0, 2))
    y = ops.BatchNorm.apply(x, scale, shift, eps=eps)
    shape = input.shape[1:] if statistics == "activation" else input.shape[1:2]
    mean, var = (ops.reshape(cast(each, x.dtype), shape) for each in (batch.mean, batch.var()))
    log_det = _log_det(x, log_scale, var, eps)  # of var as it is rounded: the inverse has the same, and its negative
    if running_mean is not None:
        unbiased = unwrap(var) * (count / (count - 1))
        _move(op, (running_mean, unwrap(mean)), (running_var, unbiased), momentum=momentum)
    return ops.reshape(y, input.shape), log_det, mean, var


def invertible_batch_norm_inverse(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    log_scale: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    statistics: str = "channel",
) -> tuple[Tensor, Tensor]:
    """What `invertible_batch_norm` made `input` of, and the log-determinant of the way back: (x, log_det).

        x       = (input - bias) * exp(-log_scale) * sqrt(var + eps) + mean
        log_det = L sum(log(var + eps) / 2 - log_scale)

    mean, var : those that the forward pass normalized by, and gave back. Statistics of `input` itself will not do: it
                is normalized already, its mean is about 0 and its variance about 1.

    They may require grad: with those of the forward pass, the two are one identity, with the gradient of one. The other
    arguments and the errors are those of the forward pass.

    >>> import minigrad
    >>> import minigrad.nn.functional as F
    >>> x = minigrad.tensor([[1.0], [5.0]])
    >>> y, log_det, mean, var = F.invertible_batch_norm(x, None, None, training=True)
    >>> F.invertible_batch_norm_inverse(y, mean, var)
    (tensor([[1.0000],
            [5.0000]]), tensor([0.6931, 0.6931]))
    """
    op = "invertible_batch_norm_inverse"
    _must_be_tensors(op, mean=mean, var=var)
    y, scale, shift = _check_flow(op, input, statistics, log_scale, bias, {"mean": mean, "var": var})
    number(op, "eps", eps, " > 0")
    flat_mean, spread = ops.reshape(mean, -1), ops.sqrt(cast(ops.reshape(var, -1), float64) + eps)
    if scale is not None:
        spread = spread / scale
    if shift is not None:
        y = y - ops.reshape(shift, 1, -1, 1)
    x = ops.scale_and_shift(y, cast(spread, y.dtype), cast(flat_mean, y.dtype))
    return ops.reshape(x, input.shape), -_log_det(y, log_scale, var, eps)


def act_norm(input: Tensor, log_scale: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A scale and a shift for each channel, as a step of a normalizing flow: (y, log_det).

        y       = input * exp(log_scale) + bias
        log_det = L sum(log_scale)    the same for each of the N examples

    input : floating, (N, C, ...), L being the number of positions; log_scale, bias : (C,)

    log_det has shape (N,). Source: Kingma and Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", 2018,
    arXiv:1807.03039, section 3.1.

    >>> import minigrad
    >>> minigrad.nn.functional.act_norm(minigrad.ones(2, 1), minigrad.tensor([1.0]), minigrad.tensor([0.5]))
    (tensor([[3.2183],
            [3.2183]]), tensor([1., 1.]))
    """
    op = "act_norm"
    _must_be_tensors(op, log_scale=log_scale, bias=bias)
    x, scale, shift = _check_flow(op, input, "channel", log_scale, bias)
    return ops.reshape(ops.scale_and_shift(x, scale, shift), input.shape), _log_det(x, log_scale)


def act_norm_inverse(input: Tensor, log_scale: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """What `act_norm` made `input` of, (input - bias) * exp(-log_scale), and the log-determinant, -L sum(log_scale).

    >>> import minigrad
    >>> y = minigrad.tensor([[3.21828]])
    >>> minigrad.nn.functional.act_norm_inverse(y, minigrad.tensor([1.0]), minigrad.tensor([0.5]))
    (tensor([[1.0000]]), tensor([-1.]))
    """
    op = "act_norm_inverse"
    _must_be_tensors(op, log_scale=log_scale, bias=bias)
    y, scale, shift = _check_flow(op, input, "channel", log_scale, bias)
    x = (y - ops.reshape(shift, 1, -1, 1)) / ops.reshape(scale, 1, -1, 1)
    return ops.reshape(x, input.shape), -_log_det(y, log_scale)


def _check_flow(
    op: str,
    x: Tensor,
    statistics: str,
    log_scale: Tensor | None,
    bias: Tensor | None,
    others: dict[str, Tensor | None] | None = None,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """x as (N, C, L), by activation as (N, C L, 1), with the scale and shift of each of its channels, all checked."""
    _must_be_floating(op, x)
    choice(op, "statistics", statistics, "channel", "activation")
    if x.ndim < 2:
        raise ValueError(f"{op}: input must be (N, C) or (N, C, ...), got shape {tuple(x.shape)}")
    _must_be_one_for_each(op, x, statistics, {**(others or {}), "log_scale": log_scale, "bias": bias})
    must_share_dtype(op, x, log_scale, bias)
    size = math.prod(x.shape[1:])
    flat = ops.positions_in_one(x) if statistics == "channel" else ops.reshape(x, x.shape[0], size, 1)
    scale = None if log_scale is None else ops.reshape(ops.exp(log_scale), -1)
    return flat, scale, None if bias is None else ops.reshape(bias, -1)


def _log_det(x: Tensor, log_scale: Tensor | None, var: Tensor | None = None, eps: float = 0.0) -> Tensor:
    """L sum(log_scale - log(var + eps) / 2) for each of the N examples of x (N, C, L), summed in float64."""
    logs = []
    if log_scale is not None:
        logs.append(ops.sum(cast(log_scale, float64)))
    if var is not None:
        logs.append(ops.sum(ops.log(cast(var, float64) + eps)) * -0.5)
    N, _, L = x.shape
    return ops.clone(ops.expand(cast(sum(logs) * L, x.dtype), N))  # a copy: to be added to in place, maybe


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias, with the statistics of each example over its last dimensions.

    normalized_shape : the sizes of these, such as (C, H, W), or [features]
    weight, bias     : of that shape, one for each element

    The variance is the biased one. There are no running statistics: training and evaluation are the same.
    RuntimeError where the shapes do not fit. Source: Ba, Kiros and Hinton, 2016, arXiv:1607.06450.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 3.0], [10.0, 30.0]])
    >>> minigrad.nn.functional.layer_norm(x, (2,))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """
    op = "layer_norm"
    shape = _check_last_dimensions(op, input, normalized_shape, weight=weight, bias=bias)
    must_share_dtype(op, input, weight, bias)
    number(op, "eps", eps, " >= 0")
    rows, count = math.prod(input.shape[: input.ndim - len(shape)]), math.prod(shape)
    weight, bias = (None if p is None else ops.reshape(p, count) for p in (weight, bias))
    return ops.reshape(ops.LayerNorm.apply(ops.reshape(input, rows, count), weight, bias, eps=eps)[0], input.shape)


def _check_last_dimensions(
    op: str, x: Tensor, normalized_shape: Sequence[int], **parameters: Tensor | None
) -> tuple[int, ...]:
    """normalized_shape, once it is that of the last dimensions of x, and of all parameters."""
    _must_be_floating(op, x)
    shape = as_normalized_shape(op, normalized_shape)
    if tuple(x.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"{op}: normalized_shape {shape} must be the last sizes of input, which has shape {tuple(x.shape)}"
        )
    for name, p in parameters.items():
        if p is not None:
            _must_be_floating(op, p, name)
            if tuple(p.shape) != shape:
                raise RuntimeError(f"{op}: {name} must have the normalized_shape {shape}, got shape {tuple(p.shape)}")
    return shape


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """input / sqrt(mean(input^2) + eps) * weight, with the mean of each example over its last dimensions.

    normalized_shape : the sizes of these, such as (C, H, W), or [features]
    weight           : of that shape, one for each element
    eps              : None: the machine epsilon of the dtype computed in

    float16 is computed in float32; the result has the dtype of the input, whatever that of the weight is.
    RuntimeError where the shapes do not fit. Source: Zhang and Sennrich, 2019, arXiv:1910.07467.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 7.0], [10.0, 70.0]])    # the root mean squares are 5 and 50
    >>> minigrad.nn.functional.rms_norm(x, (2,))
    tensor([[0.2000, 1.4000],
            [0.2000, 1.4000]])
    """
    op = "rms_norm"
    shape = _check_last_dimensions(op, input, normalized_shape, weight=weight)
    x = cast(input, float32) if input.dtype == np.float16 else input
    eps = float(np.finfo(x.dtype).eps) if eps is None else number(op, "eps", eps, " >= 0")
    y = x * ops.rsqrt(ops.mean(x * x, tuple(range(-len(shape), 0)), keepdim=True) + eps)
    return cast(y if weight is None else y * weight, input.dtype)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias, with the statistics of each group of channels of an example.

    input        : (N, C) or (N, C, ...)
    num_groups   : a divisor of C; 1 makes the group a whole example, C a single channel (`instance_norm`)
    weight, bias : of shape (C,), one for each channel

    The variance is the biased one. ValueError where each group is a single value and the batch is one example, as in
    PyTorch, for the result could only be 0. Source: Wu and He, 2018, arXiv:1803.08494.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 3.0, 10.0, 30.0]])
    >>> minigrad.nn.functional.group_norm(x, num_groups=2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    op = "group_norm"
    _check_channels(op, input, None, None, weight, bias)
    N, C, *rest = input.shape
    if whole(op, "num_groups", num_groups) < 1 or C % num_groups:
        raise RuntimeError(
            f"{op}: num_groups must divide the {C} channels (dim 1) of input, of shape {tuple(input.shape)}, got "
            f"{num_groups}"
        )
    L = math.prod(rest)
    count = C // num_groups * L
    if N * count == 1:
        raise ValueError(
            f"{op}: each group holds a single value, whose variance is 0: input has shape {tuple(input.shape)} and "
            f"num_groups is {num_groups}; use fewer groups"
        )
    y = ops.reshape(_normalize_rows(op, input, N * num_groups, count, eps)[0], N, C, L)
    return ops.reshape(ops.scale_and_shift(y, weight, bias), input.shape)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias, with the statistics of each channel of each example.

    input           : (N, C, L), (N, C, H, W)...
    use_input_stats : False: mean and var are the running statistics, as in the evaluation of `batch_norm`
    weight, bias, running_mean, running_var : of shape (C,)

    The running statistics, where given, move in place as in `batch_norm`, by the mean over the batch of the examples'
    means and unbiased variances. ValueError for a single value per channel, unless running statistics are used.
    Source: Ulyanov, Vedaldi and Lempitsky, 2016, arXiv:1607.08022.

    >>> import minigrad
    >>> x = minigrad.tensor([[[1.0, 3.0]], [[10.0, 30.0]]])
    >>> minigrad.nn.functional.instance_norm(x).flatten()
    tensor([-1.0000,  1.0000, -1.0000,  1.0000])
    """
    op = "instance_norm"
    _check_channels(op, input, running_mean, running_var, weight, bias)
    number(op, "eps", eps, " >= 0")
    if not use_input_stats:
        _must_be_given(op, "use_input_stats=False", running_mean)
        return _normalize_by_constants(input, unwrap(running_mean), unwrap(running_var), weight, bias, eps)
    N, C, L = (*input.shape[:2], math.prod(input.shape[2:]))
    if L == 1:
        raise ValueError(
            f"{op}: needs more than one value per channel of an example, but input of shape {tuple(input.shape)} has "
            "one, whose variance is 0"
        )
    _check_momentum(op, running_mean, running_var, momentum)
    y, mean, var = _normalize_rows(op, input, N * C, L, eps)
    if running_mean is not None and N * C * L:
        means, variances = (unwrap(x).reshape(N, C).mean(axis=0) for x in (mean, var))
        _move(op, (running_mean, means), (running_var, variances * (L / (L - 1))), momentum=momentum)
    return ops.reshape(ops.scale_and_shift(ops.reshape(y, N, C, L), weight, bias), input.shape)


def virtual_batch_norm(
    input: Tensor,
    reference: Moments | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *,
    mix: str = "batch",
    detach_reference: bool = True,
) -> tuple[Tensor, Moments]:
    """(input - mean) / sqrt(var + eps) * weight + bias, with the statistics of a reference batch and of input.

    Gives the output, and the statistics that it was normalized by. What the input adds to those of the reference is

        mix="batch"   : one mean and variance for the batch of N, which weigh 1 / (N + 1), and the reference the rest
        mix="example" : those of each example by itself, which weigh 1 / (N_ref + 1); its output is then the same, bit
                        for bit, whatever the other examples are, how many, and in which order

    Without a reference, the input is one: it is normalized by its own statistics, as in `batch_norm`. They come back
    with a count of N, and can be given as a reference next.

    input            : floating (N, C), (N, C, L), (N, C, H, W)...; weight, bias : of shape (C,)
    reference        : mean and m2 of shape (C,), and for count the number N_ref of examples, not of values
    detach_reference : without a reference: let the input's own statistics be constants

    With w for the weight of the input, m and v for its mean and variance, the mixed ones are

        mean = w m + (1 - w) m_ref,    var = w v + (1 - w) v_ref + w (1 - w) (m - m_ref)^2

    computed in float64; the means of squares, which define the same variance, would cancel. Gradients flow through m
    and v, and through the reference if it holds Tensors with a graph.

    ValueError for a reference of one value per channel, whose variance is 0.
    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 3.4.

    >>> import minigrad
    >>> F = minigrad.nn.functional
    >>> y_ref, reference = F.virtual_batch_norm(minigrad.tensor([[2.0], [4.0], [6.0]]))
    >>> y, mixed = F.virtual_batch_norm(minigrad.tensor([[8.0], [0.0]]), reference, mix="example")
    >>> y
    tensor([[ 1.3416],
            [-1.3416]])
    >>> mixed.mean, mixed.var()    # those of {2, 4, 6, 8} and of {2, 4, 6, 0}
    (tensor([[5.],
            [3.]], dtype=minigrad.float64), tensor([[5.],
            [5.]], dtype=minigrad.float64))
    """
    op = "virtual_batch_norm"
    _check_channels(op, input, None, None, weight, bias)
    number(op, "eps", eps, " > 0")
    choice(op, "mix", mix, "batch", "example")
    x = ops.positions_in_one(input)
    N, C, L = x.shape
    if reference is None and N * L < 2:
        raise ValueError(
            f"{op}: a reference batch needs more than one value per channel, but an input of {N} x {L} (batch x "
            f"positions) has {N * L}; use a larger reference batch"
        )
    if reference is not None:
        _check_reference(op, reference, tuple(input.shape))
        if 0 in x.shape:
            return ops.reshape(ops.scale_and_shift(x, weight, bias), input.shape), reference
    # In row-major memory an example is summed in the same order whatever stands beside it.
    wide = cast(x, float64).contiguous()
    if reference is None:
        moments = Moments.of(wide.detach() if detach_reference else wide, (0, 2)).weighing(N)
    elif mix == "batch":
        moments = reference.weighing(N).merge(Moments.of(wide, (0, 2)).weighing(1))
    else:
        moments = reference.merge(Moments.of(wide, 2).weighing(1))
    mean, scale = (ops.reshape(s, -1, C, 1) for s in (moments.mean, ops.rsqrt(moments.var() + eps)))
    y = cast((wide - mean) * scale, x.dtype)
    return ops.reshape(ops.scale_and_shift(y, weight, bias), input.shape), moments


def _check_reference(op: str, reference: Moments, shape: tuple[int, ...]) -> None:
    """Errors unless the statistics of a reference are there for each channel of an input of that shape."""
    if not isinstance(reference, Moments):
        raise TypeError(f"{op}: reference must be the Moments of a reference batch or None, got {describe(reference)}")
    for name, statistic in (("mean", reference.mean), ("m2", reference.m2)):
        if np.shape(statistic) != (shape[1],):
            raise ValueError(
                f"{op}: the {name} of the reference has shape {tuple(np.shape(statistic))}, but input, of shape "
                f"{shape}, has {shape[1]} channels (dim 1) and needs ({shape[1]},)"
            )
    if reference.count == 0:
        raise ValueError(f"{op}: the reference has a count of 0, so there is nothing to normalize by")


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(|input|_p, eps), the norm being taken over `dim`.

    >>> import minigrad
    >>> minigrad.nn.functional.normalize(minigrad.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    _must_be_floating("normalize", input)
    number("normalize", "eps", eps)
    return input / ops.clamp(ops.norm(input, p, dim, keepdim=True), min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along `dim`; the other dimensions are broadcast.

    A norm below eps counts as eps, so that the zero vector is similar to nothing: 0.

    >>> import minigrad
    >>> minigrad.nn.functional.cosine_similarity(minigrad.tensor([1.0, 1.0]), minigrad.tensor([2.0, 0.0]), dim=0)
    tensor(0.7071)
    """
    _must_be_floating("cosine_similarity", x1, "x1")
    _must_be_floating("cosine_similarity", x2, "x2")
    number("cosine_similarity", "eps", eps)
    _must_broadcast("cosine_similarity", "x1", x1, "x2", x2)
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    units = []
    for x in (ops.broadcast_to(x1, shape), ops.broadcast_to(x2, shape)):
        size = ops.norm(x, dim=dim, keepdim=True)
        units.append(x / (size + np.maximum(eps - unwrap(size), 0)))  # the gradient sees no limit, as in PyTorch
    return ops.sum(units[0] * units[1], dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension; the other dimensions are broadcast.

    >>> import minigrad
    >>> minigrad.nn.functional.pairwise_distance(minigrad.tensor([[3.0, 4.0]]), minigrad.zeros(1, 2))
    tensor([5.0000])
    """
    op = "pairwise_distance"
    _must_be_floating(op, x1, "x1")
    _must_be_floating(op, x2, "x2")
    number(op, "eps", eps)
    _must_broadcast(op, "x1", x1, "x2", x2)
    return ops.norm(x1 - x2 + eps, p, -1, keepdim)


# -------------------------------------------------------------------------------------------- attention


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query key^T scale + mask) value: each of L queries takes an average of S values.

    query (..., L, E), key (..., S, E), value (..., S, V); the sizes in front are broadcast; result (..., L, V).

    attn_mask  : of bools, True where a query may look; or numbers that are added; broadcast to (..., L, S)
    dropout_p  : the probability with which each weight is set to 0, whether or not a model is being trained
    is_causal  : query i looks at keys 0 to i only; instead of attn_mask
    scale      : 1 / sqrt(E) by default
    enable_gqa : key and value may have fewer heads (dim -3) than query, of which each serves an equal group

    A query that may look nowhere gets zeros. RuntimeError where shapes or dtypes do not fit.

    Source: Vaswani et al., 2017, "Attention is all you need", equation 1.

    >>> import minigrad
    >>> x = minigrad.eye(3)
    >>> y = minigrad.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    >>> y[0], y.shape    # the first query sees the first value only
    (tensor([1., 0., 0.]), (3, 3))
    """
    op = "scaled_dot_product_attention"
    _must_be_tensors(op, query=query, key=key, value=value)
    must_share_dtype(op, query, key, value)
    _must_be_floating(op, query, "query")
    factor = None if scale is None else number(op, "scale", scale)
    number(op, "dropout_p", dropout_p, " in [0, 1]")
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)} and value {tuple(value.shape)}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(f"{op}: needs shapes (..., L, E), (..., S, E) and (..., S, V), got {shapes}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"{op}: query and key must share E, their last size, key and value S, got {shapes}")
    if enable_gqa:
        if min(query.ndim, key.ndim, value.ndim) < 3:
            raise RuntimeError(f"{op}: enable_gqa needs heads in dim -3, got {shapes}")
        heads = query.shape[-3]
        if any(not x.shape[-3] or heads % x.shape[-3] for x in (key, value)):
            raise RuntimeError(f"{op}: the heads (dim -3) of key and value must divide those of query, got {shapes}")
        key, value = (ops.repeat_interleave(x, heads // x.shape[-3], -3) for x in (key, value))
    if is_causal and attn_mask is not None:
        raise RuntimeError(f"{op}: is_causal=True is a mask of its own; leave attn_mask out, or combine them before")
    try:
        front = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except ValueError:
        raise RuntimeError(f"{op}: the sizes in front do not broadcast, got {shapes}") from None
    shape = (*front, query.shape[-2], key.shape[-2])
    factor = 1 / math.sqrt(query.shape[-1]) if factor is None and query.shape[-1] else factor or 0.0
    scores = ops.matmul(query * factor, ops.transpose(key, -2, -1))
    if is_causal:
        attn_mask = wrap(np.tri(*shape[-2:], dtype=bool))
    if attn_mask is None:
        weights = ops.softmax(scores, -1)
    else:
        weights = _masked_softmax(op, scores, attn_mask, shape)
    return ops.matmul(_dropout(op, weights, dropout_p, training=True), value)


def _masked_softmax(op: str, scores: Tensor, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The weights along the last dimension; zeros for a row in which the mask leaves nothing."""
    _must_be_tensors(op, attn_mask=mask)
    if mask.dtype != np.bool_ and mask.dtype != scores.dtype:
        raise RuntimeError(
            f"{op}: attn_mask must be of bools, or of the dtype of query, {scores.dtype.name}, got {mask.dtype.name}"
        )
    try:
        fits = np.broadcast_shapes(tuple(mask.shape), shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(f"{op}: attn_mask of shape {tuple(mask.shape)} does not broadcast to (..., L, S) = {shape}")
    scores = ops.where(mask, scores, -math.inf) if mask.dtype == np.bool_ else scores + mask
    nowhere = np.all(unwrap(scores) == -np.inf, axis=-1, keepdims=True)
    if not nowhere.any():
        return ops.softmax(scores, -1)
    return ops.where(nowhere, 0.0, ops.softmax(ops.where(nowhere, 0.0, scores), -1))  # softmax of -inf alone is NaN


# ---------------------------------------------------------------------------------- products and pixels


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_o = sum over i, j of input1_i weight_oij input2_j, plus bias_o.

    input1 (..., I), input2 (..., J), with the same sizes in front; weight (O, I, J); bias (O,); result (..., O).
    RuntimeError where they do not fit.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0]])
    >>> minigrad.nn.functional.bilinear(x, x, minigrad.eye(2).reshape(1, 2, 2))    # 1 1 + 2 2
    tensor([[5.]])
    """
    op = "bilinear"
    _must_be_tensors(op, input1=input1, input2=input2, weight=weight)
    if (
        weight.ndim != 3
        or not input1.ndim
        or (*input1.shape[:-1], *weight.shape[1:])
        != (
            *input2.shape[:-1],
            *input1.shape[-1:],
            *input2.shape[-1:],
        )
    ):
        raise RuntimeError(
            f"{op}: needs shapes (..., I), (..., J) and a weight (O, I, J), got {tuple(input1.shape)}, "
            f"{tuple(input2.shape)} and {tuple(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        raise RuntimeError(f"{op}: bias must have shape ({weight.shape[0]},), got {tuple(bias.shape)}")
    must_share_dtype(op, input1, input2, weight, bias)
    y = ops.einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels rearranged into pixels: (..., C r r, H, W) to (..., C, H r, W r), r being `upscale_factor`.

    RuntimeError for fewer than 3 dimensions, and if r r does not divide the channels. Source: Shi et al., 2016.

    >>> import minigrad
    >>> minigrad.nn.functional.pixel_shuffle(minigrad.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    op, r = "pixel_shuffle", upscale_factor
    _check_pixels(op, input, "upscale_factor", r)
    *batch, C, H, W = input.shape
    if C % (r * r):
        raise RuntimeError(f"{op}: the channels (dim -3) of shape {tuple(input.shape)} must be divisible by {r} x {r}")
    n = len(batch)
    x = ops.reshape(input, *batch, C // (r * r), r, r, H, W)
    x = ops.permute(x, *range(n), n, n + 3, n + 1, n + 4, n + 2)
    return ops.reshape(x, *batch, C // (r * r), H * r, W * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels rearranged into channels: (..., C, H r, W r) to (..., C r r, H, W), the inverse of `pixel_shuffle`.

    RuntimeError for fewer than 3 dimensions, and if r does not divide height and width.

    >>> import minigrad
    >>> minigrad.nn.functional.pixel_unshuffle(minigrad.arange(4.0).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    op, r = "pixel_unshuffle", downscale_factor
    _check_pixels(op, input, "downscale_factor", r)
    *batch, C, H, W = input.shape
    if H % r or W % r:
        raise RuntimeError(f"{op}: height and width of shape {tuple(input.shape)} must be divisible by {r}")
    n = len(batch)
    x = ops.reshape(input, *batch, C, H // r, r, W // r, r)
    x = ops.permute(x, *range(n), n, n + 2, n + 4, n + 1, n + 3)
    return ops.reshape(x, *batch, C * r * r, H // r, W // r)


def _check_pixels(op: str, x: Tensor, name: str, factor: int) -> None:
    _must_be_tensors(op, input=x)
    if x.ndim < 3:
        raise RuntimeError(f"{op}: input must be (..., C, H, W), got shape {tuple(x.shape)}")
    if whole(op, name, factor) < 1:
        raise RuntimeError(f"{op}: {name} must be positive, got {factor}")


# ------------------------------------------------------------------------------------------------ dropout


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability p and scale the rest by 1 / (1 - p); without training, do nothing.

    So the expected value stays. Draws from the default generator (`minigrad.manual_seed`). ValueError unless
    0 <= p <= 1. Source: Srivastava et al., 2014.

    >>> import minigrad
    >>> x = minigrad.ones(3)
    >>> minigrad.nn.functional.dropout(x, p=0.5, training=False) is x
    True
    """
    return _dropout("dropout", input, p, training)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels: input (N, C, H, W), or (N, C, L).

    Other inputs (N, C, ...) are taken too, as in PyTorch with a warning; of (N, C) each element is a channel.
    Source: Tompson et al., 2015, "Efficient Object Localization Using Convolutional Networks".

    ValueError for fewer than 2 dimensions, and unless 0 <= p <= 1.

    >>> import minigrad
    >>> y = minigrad.nn.functional.dropout2d(minigrad.ones(8, 3, 4, 4), p=0.5)
    >>> bool((y == y[:, :, :1, :1]).all())    # a channel is all 0 or all 2
    True
    """
    _must_be_tensors("dropout2d", input=input)
    if input.ndim < 2:
        raise ValueError(f"dropout2d: input must be (N, C, H, W) or (N, C, L), got shape {tuple(input.shape)}")
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: input should be (N, C, H, W) or (N, C, L), got shape {tuple(input.shape)}, whose channels are "
            "taken to lie in dim 1; dropout zeroes single elements",
            UserWarning,
            stacklevel=2,
        )
    return _dropout("dropout2d", input, p, training, whole_channels=True)


def _dropout(op: str, x: Tensor, p: float, training: bool, whole_channels: bool = False) -> Tensor:
    """x times a mask of 0 and 1 / (1 - p), with a number of its own for each element or each channel."""
    number(op, "p", p, " in [0, 1]")
    _must_be_floating(op, x)
    if not training or p == 0:
        return x
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if whole_channels else x.shape
    kept = source(None).random(shape, dtype=np.float32) >= p
    return x * (kept * x.dtype.type(0 if p == 1 else 1 / (1 - p)))


# ---------------------------------------------------------------------------------------- sparse features


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of weight (num_embeddings, embedding_dim) that the integers in `input` name.

    The result has shape (*input.shape, embedding_dim).

    padding_idx        : a row that gets no gradient
    max_norm           : first scale down, in place, the named rows whose `norm_type`-norm exceeds it
    scale_grad_by_freq : divide a row's gradient by how often `input` names it
    sparse             : accepted; the gradient is dense all the same

    IndexError for an index outside of [0, num_embeddings).

    >>> import minigrad
    >>> weight = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> minigrad.nn.functional.embedding(minigrad.tensor([1, 0, 1]), weight)
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    op = "embedding"
    _must_be_tensors(op, input=input, weight=weight)
    if weight.ndim != 2:
        raise RuntimeError(f"{op}: weight must be (num_embeddings, embedding_dim), got shape {tuple(weight.shape)}")
    count, width = weight.shape
    if padding_idx is not None and not -count <= whole(op, "padding_idx", padding_idx) < count:
        raise ValueError(f"{op}: padding_idx must be in [{-count}, {count}) for {count} embeddings, got {padding_idx}")
    places = _as_indices(op, "input", input)
    _must_be_in_range(op, "indices", places, count, f"weight has {count} rows")
    if max_norm is not None:
        _shorten_rows(op, unwrap(weight), np.unique(places), max_norm, norm_type)
    rows = ops.reshape(ops.getitem(weight, places.reshape(-1)), (*places.shape, width))
    if is_tensor(rows) and rows.requires_grad:
        if scale_grad_by_freq:
            uses = np.bincount(places.reshape(-1), minlength=count)[places][..., None].astype(weight.dtype)
            rows.register_hook(lambda g: g / uses)
        if padding_idx is not None:
            trained = (places != padding_idx % count)[..., None]
            rows.register_hook(lambda g: ops.where(trained, g, 0.0))
    return rows


def _shorten_rows(op: str, weight: np.ndarray, rows: np.ndarray, max_norm: float, norm_type: float) -> None:
    """Scale the given rows down, in place, to a norm of at most `max_norm`."""
    number(op, "max_norm", max_norm, finite=False)
    number(op, "norm_type", norm_type, finite=False)
    _must_be_floating(op, wrap(weight), "weight")
    if not weight.flags.writeable:
        raise RuntimeError(f"{op}: max_norm changes weight in place, but its memory is read-only; pass a clone")
    sizes = np.linalg.norm(weight[rows], ord=norm_type, axis=1)
    long = sizes > max_norm
    if long.any():
        weight[rows[long]] *= (max_norm / (sizes[long] + 1e-7))[:, None]
        changed(weight, by=f"{op}, which shortened rows to max_norm={max_norm}")


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 zeros with a one at each class: shape (*tensor.shape, num_classes), by default as many as are needed.

    >>> import minigrad
    >>> minigrad.nn.functional.one_hot(minigrad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    op = "one_hot"
    _must_be_tensors(op, tensor=tensor)
    labels = _as_indices(op, "tensor", tensor)
    num_classes = whole(op, "num_classes", num_classes)
    if num_classes == -1:
        if labels.size == 0:
            raise RuntimeError(f"{op}: an empty tensor does not say how many classes there are; give num_classes")
        num_classes = max(int(labels.max()) + 1, 1)
    if num_classes < 1:
        raise RuntimeError(f"{op}: num_classes must be positive, or -1 to be worked out, got {num_classes}")
    _must_be_in_range(op, "classes", labels, num_classes, f"num_classes is {num_classes}")
    shape = (*labels.shape, num_classes)
    try:
        hot: Any = np.zeros(shape, np.int64)
    except (MemoryError, ValueError, OverflowError):
        raise RuntimeError(
            f"{op}: no memory for a result of shape {shape}; classes are to be numbered from 0 on"
        ) from None
    np.put_along_axis(hot, labels[..., None], 1, axis=-1)
    return wrap(hot) if is_tensor(tensor) else hot


# ------------------------------------------------------------------------------- losses of classification


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target], the classes lying along dim 1: the negative log-likelihood of the right class.

    input           : scores (logits), floating: (N, C), (N, C, d1, ...), or (C,) for a single example
    target          : class indices of shape (N,), (N, d1, ...) or (); or, if floating, the probability of each
                      class, in input's shape: then the loss is -sum over c of target_c log softmax(input)_c
    weight          : a factor for each class, shape (C,); "mean" divides by the sum of the factors used (but with
                      probabilities by N)
    ignore_index    : a label that counts for nothing, which need not be a class
    label_smoothing : this share of the target, between 0 and 1, is spread evenly over all classes
                      (Szegedy et al., 2016)

    If every label is ignored, the mean is NaN and the gradient zero, as in PyTorch. IndexError for a label that is no
    class, ValueError for shapes that do not belong together.

    >>> import minigrad
    >>> scores = minigrad.tensor([[2.0, 1.0], [0.0, 0.0]])
    >>> minigrad.nn.functional.cross_entropy(scores, minigrad.tensor([0, 1]), reduction="none")
    tensor([0.3133, 0.6931])
    """
    op = "cross_entropy"
    usual = weight is None and reduction == "mean" and type(ignore_index) is int and ignore_index < 0
    if usual and type(label_smoothing) is float and label_smoothing == 0 and type(input) is type(target) is Tensor:
        scores, given = input.array, target.array
        if given.dtype is int64 and _is_labelled(scores.dtype, scores.shape, given.shape):
            try:
                return ops.SoftmaxCrossEntropy.apply(input, given, average=True)  # what most calls come to
            except IndexError:
                pass  # a label that is to be ignored, or one to complain of
    choice(op, "reduction", reduction, *REDUCTIONS)
    number(op, "label_smoothing", label_smoothing, " in [0, 1]")
    whole(op, "ignore_index", ignore_index)
    classes = _check_classes(op, input, target, weight)
    if target.dtype.kind == "f":
        if ignore_index >= 0:
            raise RuntimeError(f"{op}: ignore_index={ignore_index} means nothing to class probabilities; leave it out")
        return _cross_entropy_of_probabilities(op, input, target, weight, reduction, label_smoothing)
    labels, kept = _check_labels(op, input, target, ignore_index)
    x = input if input.ndim > 1 else ops.reshape(input, 1, classes)
    smooth = None
    if label_smoothing == 0:
        rows = x if x.ndim == 2 else ops.reshape(ops.movedim(x, 1, -1), labels.size, classes)
        if weight is None and kept is None and reduction == "mean" and labels.size:
            return ops.SoftmaxCrossEntropy.apply(rows, labels.reshape(-1), average=True)
        loss = ops.SoftmaxCrossEntropy.apply(rows, labels.reshape(-1))
    else:
        log_p = ops.log_softmax(x, 1)
        loss = _pick(log_p, labels)
        smooth = -ops.sum(log_p if weight is None else log_p * _along_classes(weight, x.ndim), 1)
        smooth = ops.reshape(smooth, target.shape) * (label_smoothing / classes)
    return _reduce_labelled(loss, labels, kept, weight, reduction, target.shape, smooth, 1 - label_smoothing)


@functools.lru_cache(1024)
def _is_labelled(dtype: np.dtype, scores: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Are they the dtype and shape of some scores (N, C), and the shape of N labels?"""
    return dtype.kind == "f" and len(scores) == 2 and labels == scores[:1] != (0,)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[target], for an input of log-probabilities: `cross_entropy` for what has gone through `log_softmax`.

    Shapes and arguments are those of `cross_entropy` with class indices.

    >>> import minigrad
    >>> log_p = minigrad.tensor([[-0.5, -1.0], [-2.0, -0.25]])
    >>> minigrad.nn.functional.nll_loss(log_p, minigrad.tensor([0, 1]), reduction="sum")
    tensor(0.7500)
    """
    op = "nll_loss"
    choice(op, "reduction", reduction, *REDUCTIONS)
    whole(op, "ignore_index", ignore_index)
    classes = _check_classes(op, input, target, weight)
    labels, kept = _check_labels(op, input, target, ignore_index)
    loss = _pick(input if input.ndim > 1 else ops.reshape(input, 1, classes), labels)
    return _reduce_labelled(loss, labels, kept, weight, reduction, target.shape)


def _check_classes(op: str, x: Tensor, target: Tensor, weight: Tensor | None) -> int:
    """The number of classes of the scores x; the weight must have one factor for each."""
    _must_be_tensors(op, input=x, target=target)
    _must_be_floating(op, x)
    if x.ndim == 0:
        raise ValueError(f"{op}: input must be (N, C), (N, C, d1, ...) or (C,), got a 0-d tensor")
    classes = x.shape[min(1, x.ndim - 1)]
    if weight is not None:
        _must_be_tensors(op, weight=weight)
        if tuple(weight.shape) != (classes,):
            raise RuntimeError(
                f"{op}: weight must have one factor for each of the {classes} classes of input, of shape "
                f"{tuple(x.shape)}: shape ({classes},), got {tuple(weight.shape)}"
            )
        must_share_dtype(op, x, weight)
    return classes


def _check_labels(op: str, x: Tensor, target: Tensor, ignore_index: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels of at least one dimension, all valid, and which of them are not to be ignored (None: all count)."""
    shape = (x.shape[0], *x.shape[2:]) if x.ndim > 1 else ()
    if target.shape != shape:
        hint = ""
        if target.shape == x.shape:
            hint = "; class probabilities, in input's shape, must be floating: use target.float()"
        elif 1 < target.ndim == x.ndim and target.shape[1] == 1:
            hint = "; target.squeeze(1) has it"
        raise ValueError(
            f"{op}: an input of shape {tuple(x.shape)} needs class indices of shape {shape}, got target of shape "
            f"{tuple(target.shape)}{hint}"
        )
    labels = np.atleast_1d(_as_indices(op, "target", target))
    classes = x.shape[min(1, x.ndim - 1)]
    if not 0 <= ignore_index < classes and _all_in_range(labels, classes):
        return labels, None
    kept = labels != ignore_index
    labels = np.where(kept, labels, 0)
    _must_be_in_range(op, "labels", labels, classes, f"input of shape {tuple(x.shape)} has {classes} classes")
    return labels, kept


def _pick(log_p: Tensor, labels: np.ndarray) -> Tensor:
    """-log_p[n, labels[n, ...], ...]"""
    return -ops.gather(log_p, 1, np.expand_dims(labels, 1))


def _along_classes(weight: Tensor, ndim: int) -> Tensor:
    """A weight (C,) in a shape that broadcasts along dim 1 of `ndim`."""
    return ops.reshape(weight, (1, -1, *(1,) * (ndim - 2)) if ndim > 1 else (-1,))


def _reduce_labelled(
    loss: Tensor,
    labels: np.ndarray,
    kept: np.ndarray | None,
    weight: Tensor | None,
    reduction: str,
    shape: tuple[int, ...],
    smooth: Tensor | None = None,
    share: float = 1.0,
) -> Tensor:
    """The losses of all labels, weighted by class and without the ignored ones, reduced.

    `smooth` is added to `share` times the weighted loss.
    """
    if weight is None and kept is None and smooth is None and reduction == "mean":
        return ops.mean(loss)
    loss = ops.reshape(loss, shape)
    factor = None
    if weight is not None:
        factor = ops.reshape(ops.getitem(weight, labels), shape)
        loss = loss * factor
    if smooth is not None:
        loss = loss * share + smooth
    if kept is not None:  # by selection: an ignored loss may be infinite, and 0 times that is NaN
        kept = kept.reshape(shape)
        loss = ops.where(kept, loss, 0.0)
        factor = factor if factor is None else ops.where(kept, factor, 0.0)
    if reduction != "mean":
        return _reduce(loss, reduction)
    if factor is not None:
        return ops.sum(loss) / ops.sum(factor)
    return ops.mean(loss) if kept is None else ops.sum(loss) / int(kept.sum())


def _cross_entropy_of_probabilities(
    op: str, x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    """Cross entropy with a probability for each class."""
    if target.shape != x.shape:
        hint = ""
        if target.shape == ((x.shape[0], *x.shape[2:]) if x.ndim > 1 else ()):
            hint = "; class indices must be of integers: use target.long()"
        raise ValueError(
            f"{op}: a floating target holds class probabilities in the shape of input, {tuple(x.shape)}, got "
            f"{tuple(target.shape)}{hint}"
        )
    dim = min(1, x.ndim - 1)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[dim]
    terms = ops.log_softmax(x, dim) * target
    if weight is not None:
        terms = terms * _along_classes(weight, x.ndim)
    return _reduce(-ops.sum(terms, dim), reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), for probabilities, the logs being -100 at least.

    input, target : of one shape; input in [0, 1]
    weight        : a factor for each element, broadcast

    As in PyTorch the gradient is (input - target) / max(input (1 - input), 1e-12): finite also at 0 and 1. With
    scores instead of probabilities use `binary_cross_entropy_with_logits`, which loses nothing there. RuntimeError
    for an input outside of [0, 1].

    >>> import minigrad
    >>> p = minigrad.tensor([0.5, 1.0])
    >>> minigrad.nn.functional.binary_cross_entropy(p, minigrad.tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    op = "binary_cross_entropy"
    choice(op, "reduction", reduction, *REDUCTIONS)
    target = _check_binary(op, input, target, weight=weight)
    p = unwrap(input)
    if not ((p >= 0) & (p <= 1)).all():
        bad = p[~((p >= 0) & (p <= 1))][0]
        raise RuntimeError(
            f"{op}: input must hold probabilities, between 0 and 1, got {bad:g}; put scores through sigmoid, or use "
            "binary_cross_entropy_with_logits"
        )
    t = unwrap(target)
    if not ((t >= 0) & (t <= 1)).all():
        bad = t[~((t >= 0) & (t <= 1))][0]
        raise RuntimeError(f"{op}: target must hold probabilities, between 0 and 1, got {bad:g}; 0 and 1 are classes")
    edge = p * (1 - p) < 1e-12
    x = ops.where(edge, 0.5, input) if edge.any() else input
    loss = -(target * ops.log(x) + (1 - target) * ops.log1p(-x))
    if edge.any():
        with np.errstate(divide="ignore"):
            log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        slope = (p - unwrap(target)) * 1e12
        # the last term is 0, and has the gradient that is meant
        limited = (input - p) * slope - (target * log_p + (1 - target) * log_q)
        loss = ops.where(edge, limited, loss)
    return _reduce(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), for scores of any size.

    With s = log(1 + exp(-input)) the loss is (1 - target) input + (1 + (pos_weight - 1) target) s.

    input, target : of one shape
    weight        : a factor for each element, broadcast
    pos_weight    : a factor for the positive examples, broadcast: 3 counts each of them as three

    >>> import minigrad
    >>> scores = minigrad.tensor([0.0, 100.0])
    >>> minigrad.nn.functional.binary_cross_entropy_with_logits(scores, minigrad.tensor([1.0, 0.0]), reduction="none")
    tensor([  0.6931, 100.0000])
    """
    op = "binary_cross_entropy_with_logits"
    choice(op, "reduction", reduction, *REDUCTIONS)
    target = _check_binary(op, input, target, weight=weight, pos_weight=pos_weight)
    s = softplus(-input, threshold=math.inf)
    loss = (1 - target) * input + (s if pos_weight is None else ((pos_weight - 1) * target + 1) * s)
    return _reduce(loss if weight is None else loss * weight, reduction)


def _check_binary(op: str, x: Tensor, target: Tensor, **factors: Tensor | None) -> Tensor:
    """The target, floating. It must have the shape of x, and each factor must broadcast to it."""
    _must_be_tensors(op, input=x, target=target)
    _must_be_floating(op, x)
    if x.shape != target.shape:
        raise ValueError(
            f"{op}: target must have the shape of input, {tuple(x.shape)}, got {tuple(target.shape)}; reshape one of "
            "them"
        )
    for name, factor in factors.items():
        if factor is not None:
            _must_be_tensors(op, **{name: factor})
            _must_broadcast(op, name, factor, "target", target)
    return target if target.dtype.kind == "f" else ops.cast(target, x.dtype)


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence, element by element: target (log(target) - input), input being log-probabilities.

    log_target : target holds log-probabilities too
    reduction  : "batchmean" divides the sum by the first size, and is what mathematics calls the divergence; "mean",
                 the default, divides by the number of elements, and warns of that

    A target of 0 contributes 0.

    >>> import minigrad
    >>> log_q = minigrad.tensor([[0.5, 0.5]]).log()
    >>> minigrad.nn.functional.kl_div(log_q, minigrad.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)
    """
    op = "kl_div"
    choice(op, "reduction", reduction, *KL_REDUCTIONS)
    _must_be_tensors(op, input=input, target=target)
    _must_be_floating(op, input)
    _must_be_floating(op, target, "target")
    _must_broadcast(op, "input", input, "target", target)
    if reduction == "mean":
        warnings.warn(
            'kl_div: reduction="mean" divides by the number of elements; reduction="batchmean", by the batch size, '
            "gives the divergence",
            UserWarning,
            stacklevel=2,
        )
    if log_target:
        loss = ops.exp(target) * (target - input)
    else:
        loss = target * ops.log(ops.where(unwrap(target) == 0, 1.0, target)) - target * input
    if reduction == "batchmean":
        return ops.sum(loss) / (input.shape[0] if input.ndim else 1)
    return _reduce(loss, reduction)


# ----------------------------------------------------------------------------------- losses of regression


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target)^2

    weight : a factor for each element; "mean" then divides by its sum

    Shapes that differ are broadcast, with a warning: (N, 1) against (N,) is N x N differences, and seldom meant.

    >>> import minigrad
    >>> minigrad.nn.functional.mse_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 4.0]))
    tensor(2.)
    """
    d = _difference("mse_loss", input, target, reduction, weight)
    return _reduce_weighted(d * d, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|input - target|, whose gradient where they are equal is 0; the arguments are those of `mse_loss`.

    >>> import minigrad
    >>> minigrad.nn.functional.l1_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 5.0]))
    tensor(1.5000)
    """
    d = _difference("l1_loss", input, target, reduction, weight)
    return _reduce_weighted(ops.abs(d), weight, reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = input - target; for beta 0 it is |d|.

    Shapes that differ are broadcast, with a warning. Source: Girshick, 2015, "Fast R-CNN".

    >>> import minigrad
    >>> minigrad.nn.functional.smooth_l1_loss(minigrad.tensor([0.5, 3.0]), minigrad.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    number("smooth_l1_loss", "beta", beta, " >= 0")
    d = _difference("smooth_l1_loss", input, target, reduction)
    return _reduce(_huber(d, beta) / beta if beta > 0 else ops.abs(d), reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = input - target: delta times `smooth_l1_loss`.

    weight : a factor for each element; "mean" divides by their number all the same, as in PyTorch

    Shapes that differ are broadcast, with a warning. Source: Huber, 1964.

    >>> import minigrad
    >>> minigrad.nn.functional.huber_loss(minigrad.tensor([0.5, 3.0]), minigrad.zeros(2), reduction="none", delta=2.0)
    tensor([0.1250, 4.0000])
    """
    number("huber_loss", "delta", delta, " > 0")
    d = _difference("huber_loss", input, target, reduction, weight)
    loss = _huber(d, delta)
    return _reduce(loss if weight is None else loss * weight, reduction)


def _huber(d: Tensor, threshold: float) -> Tensor:
    """d^2 / 2 up to the threshold, a line from there on."""
    near = np.abs(unwrap(d)) <= threshold
    small = ops.where(near, d, 0.0)  # the square is not asked for large d: its infinity times 0 would be NaN
    return ops.where(near, small * small * 0.5, (ops.abs(d) - 0.5 * threshold) * threshold)


def _difference(op: str, x: Tensor, target: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """x - target, once the arguments of a regression loss are checked."""
    choice(op, "reduction", reduction, *REDUCTIONS)
    _must_be_tensors(op, input=x, target=target)
    if weight is not None:
        _must_be_tensors(op, weight=weight)
        if weight.shape != x.shape:
            raise ValueError(f"{op}: weight must have the shape of input, {tuple(x.shape)}, got {tuple(weight.shape)}")
    if x.shape != target.shape:
        _must_broadcast(op, "input", x, "target", target)
        warnings.warn(
            f"{op}: input of shape {tuple(x.shape)} and target of shape {tuple(target.shape)} are broadcast, which is "
            "likely to give wrong results; make their shapes the same",
            UserWarning,
            stacklevel=3,
        )
    d = x - target
    _must_be_floating(op, d)
    return d


# --------------------------------------------------------------------------------- reductions and checks


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    """The losses, or their mean or sum."""
    if reduction == "mean":
        return ops.mean(loss)
    return ops.sum(loss) if reduction == "sum" else loss


def _reduce_weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """The losses times their weights, reduced; the mean divides by the sum of the weights."""
    if weight is None:
        return _reduce(loss, reduction)
    loss = loss * weight
    return ops.sum(loss) / ops.sum(weight) if reduction == "mean" else _reduce(loss, reduction)


def _must_be_tensors(op: str, **operands: Any) -> None:
    """TypeError for lists, numbers and the like."""
    for name, x in operands.items():
        if not isinstance(x, (Tensor, np.ndarray)):
            raise TypeError(f"{op}: {name} must be a Tensor, got {type(x).__name__}; use minigrad.tensor(...)")


def _must_be_floating(op: str, x: Any, name: str = "input") -> None:
    """TypeError unless a Tensor or array, RuntimeError unless of a floating dtype."""
    _must_be_tensors(op, **{name: x})
    if x.dtype.kind != "f":
        raise RuntimeError(f"{op}: {name} must be floating, got {x.dtype.name}; use {name}.float()")


def _must_broadcast(op: str, name: str, a: Tensor, other: str, b: Tensor) -> None:
    """RuntimeError unless the shapes of `a` and `b` broadcast."""
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise RuntimeError(
            f"{op}: {name} of shape {tuple(a.shape)} and {other} of shape {tuple(b.shape)} do not broadcast"
        ) from None


def _as_indices(op: str, name: str, x: Tensor) -> np.ndarray:
    """x as an int64 array; RuntimeError unless it holds integers."""
    array = unwrap(x)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: {name} must hold integers, got {array.dtype.name}; use {name}.long()")
    return array.astype(np.int64, copy=False)


def _must_be_in_range(op: str, what: str, indices: np.ndarray, size: int, because: str) -> None:
    """IndexError that names the first of the indices outside of [0, size), and where it stands."""
    if not _all_in_range(indices, size):
        place = tuple(int(i) for i in np.argwhere((indices < 0) | (indices >= size))[0])
        at = f" at index {place[0] if len(place) == 1 else place}" if place else ""
        raise IndexError(f"{op}: {what} must be in [0, {size}), got {indices[place]}{at}; {because}")


def _all_in_range(indices: np.ndarray, size: int) -> bool:
    """Are all the int64 indices in [0, size)? As unsigned, a negative one is huge: one pass will do."""
    return not indices.size or bool(indices.view(np.uint64).max() < size)
