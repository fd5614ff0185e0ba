"""Batch normalization for normalizing flows: InvertibleBatchNorm1d and InvertibleBatchNorm2d."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from ..checks import choice, flag, number, whole
from ..creation import zeros
from ..tensor import Tensor
from . import functional as F
from . import init
from .checks import describe
from .invertible import Invertible
from .parameter import Parameter
from .running_statistics import RunningStatistics

__all__ = ["InvertibleBatchNorm1d", "InvertibleBatchNorm2d"]


class _InvertibleBatchNorm(RunningStatistics, Invertible):
    """Invertible batch norm for any input whose dim 1 is the channels; a subclass says which shapes it takes."""

    form: str  # the shapes taken, for the error
    ndims: tuple[int, ...]

    log_scale: Parameter | None
    bias: Parameter | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    latest_mean: Tensor | None  # what the latest forward in training mode normalized by
    latest_var: Tensor | None

    def __init__(
        self,
        num_features: int | Sequence[int],
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        statistics: str = "channel",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.statistics = choice(layer, "statistics", statistics, "channel", "activation")
        self.num_features = self._features(num_features)
        self.eps = number(layer, "eps", eps, " > 0")
        self.momentum = momentum if momentum is None else number(layer, "momentum", momentum)
        self.affine = flag(layer, "affine", affine)
        shape = self.num_features if isinstance(self.num_features, tuple) else (self.num_features,)
        kind = {"device": device, "dtype": dtype}
        self.register_parameter("log_scale", Parameter(zeros(shape, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, **kind)) if affine else None)
        self.register_running_stats(shape, device=device, dtype=dtype)
        self.register_buffer("latest_mean", None, persistent=False)
        self.register_buffer("latest_var", None, persistent=False)
        self.stats_frozen = False

    def _features(self, given: Any) -> int | tuple[int, ...]:
        """num_features, checked: C by channel, the shape of an example by activation."""
        layer = type(self).__name__
        if self.statistics == "channel":
            if isinstance(given, (tuple, list)):
                raise TypeError(
                    f"{layer}: num_features must be an int, the number of channels, got {given!r}; the shape of an "
                    'example goes with statistics="activation"'
                )
            return whole(layer, "num_features", given, " >= 1")
        sizes = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        if len(sizes) + 1 not in self.ndims:
            forms = self.form.replace("N, ", "")
            raise ValueError(
                f'{layer}: with statistics="activation", num_features must be the shape of an example, {forms}, got '
                f"{given!r}"
            )
        return tuple(whole(layer, "num_features", size, " >= 1") for size in sizes)

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0, variance 1, none tracked, and nothing for `inverse` to undo."""
        super().reset_running_stats()
        self.latest_mean = self.latest_var = None

    def reset_parameters(self) -> None:
        """Set the scale to 1 (log_scale to 0) and bias to 0, and forget the batches seen."""
        self.reset_running_stats()
        if self.log_scale is not None and self.bias is not None:
            init.zeros_(self.log_scale)
            init.zeros_(self.bias)

    @contextmanager
    def frozen(self) -> Iterator[Self]:
        """For a with-block: normalize by the running statistics in training mode too, and move none of them.

        A `forward` in the block, and an `inverse` in it, are each other's inverse in any order. The mode of the layer
        stays as it is, and dropout and the like beside it go on as in training.

        >>> import minigrad
        >>> bn = minigrad.nn.InvertibleBatchNorm1d(1)
        >>> with bn.frozen():
        ...     y, log_det = bn(minigrad.tensor([[3.0]]))   # running mean 0, running variance 1
        >>> y.detach()
        tensor([[3.0000]])
        """
        before, self.stats_frozen = self.stats_frozen, True
        try:
            yield self
        finally:
            self.stats_frozen = before

    def transform(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """x with its channels in dim 1: (y, log_det), of the same shape and of shape (N,)."""
        self._check_input(input)
        by_batch, seen = self.training and not self.stats_frozen, self.num_batches_tracked
        momentum = self.momentum
        if by_batch and not seen.array.flags.writeable:
            raise RuntimeError(
                f"{type(self).__name__}: num_batches_tracked is updated in place, but its memory is read-only; make it "
                "a clone"
            )
        if momentum is None:  # the average of all batches: the k-th one weighs 1 / k
            momentum = 1 / (seen.item() + 1)
        y, log_det, mean, var = F.invertible_batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.log_scale,
            self.bias,
            by_batch,
            momentum,
            self.eps,
            self.statistics,
        )
        if by_batch:
            seen.add_(1)
        if self.training:
            # Copies: the running statistics will have moved on by the time `inverse` asks.
            self.latest_mean, self.latest_var = mean.detach().clone(), var.detach().clone()
        return y, log_det

    def inverse(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """y with its channels in dim 1: (x, log_det), log_det being the negative of that of `forward`.

        In training mode it undoes the latest forward, by the mean and variance that this normalized by: constants here.
        In evaluation mode and in `frozen()` it uses the running statistics. RuntimeError in training mode where there
        was no forward yet.
        """
        self._check_input(input)
        mean, var = self.running_mean, self.running_var
        if self.training and not self.stats_frozen:
            if self.latest_mean is None or self.latest_var is None:
                raise RuntimeError(
                    f"{type(self).__name__}: inverse in training mode undoes the latest forward, and there was none. "
                    "Call the layer on a batch first, or normalize by the running statistics: in eval mode, or inside "
                    "`with layer.frozen():`"
                )
            mean, var = self.latest_mean, self.latest_var
        return F.invertible_batch_norm_inverse(input, mean, var, self.log_scale, self.bias, self.eps, self.statistics)

    def _check_input(self, input: Any) -> None:
        if getattr(input, "ndim", None) not in self.ndims:
            raise ValueError(f"{type(self).__name__}: expected input {self.form}, got {describe(input)}")

    def _axes(self, input: Tensor) -> tuple[int, ...]:
        return (0,) if self.statistics == "activation" else super()._axes(input)

    def _measured(self, input: Tensor, reverse: bool = False) -> Tensor | None:
        return None if reverse else input

    def _hold(self) -> None:
        if self.training and self.latest_mean is not None and self.latest_var is not None:
            self.running_mean, self.running_var = self.latest_mean, self.latest_var
        self.training = False

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"statistics={self.statistics!r}"
        )


class InvertibleBatchNorm2d(_InvertibleBatchNorm):
    """Batch norm of images (N, C, H, W) as a layer of a normalizing flow: `y, log_det = bn(x)`, and back.

        y       = (x - mean) / sqrt(var + eps) * exp(log_scale) + bias
        log_det = H W sum_c(log_scale_c - log(var_c + eps) / 2)    for each example, shape (N,)

        x, log_det = bn.inverse(y)    or bn(y, reverse=True); its log_det is the negative

    num_features : C; with statistics="activation" the shape of an example, (C, H, W)
    eps          : keeps the quotient finite where a channel is constant; it is part of the way back and of log_det too
    momentum     : weight of the newest batch in the running statistics; None averages all batches alike
    affine       : learn log_scale and bias, which start as zeros
    statistics   : "channel": a mean and variance for each channel, over N, H and W; or "activation": for each element
                   of an example, over N alone, so that log_det sums over all of them, without the factor H W

    In training, mean and var (biased) are those of the batch, and gradients flow through them, in y and in log_det. The
    running statistics move as in `BatchNorm2d`, running_var by the unbiased variance. The layer remembers the batch's
    mean and variance, as latest_mean and latest_var, so that `inverse` undoes the latest forward. (To take them from
    the tensor that is to be inverted would be wrong: that one is normalized already.) In evaluation mode, and in
    `with bn.frozen():`, the running statistics take their place in both directions.

    What log_det is, in training: mean and var are functions of all examples, and of the true Jacobian of the whole
    batch there is no log-determinant to give. It is singular: adding a constant to a channel changes no output, so that
    the Jacobian maps this direction to zero. (Stretching the channel hardly changes it either: by a share eps / (var +
    eps).) The log-determinant here, as in every library of flows, is that of the map with mean and var held constant.
    In training, the sum log p(y) + log_det is hence a substitute for the log-likelihood of x. In evaluation mode the
    statistics are constants, and it is the log-likelihood.

    ValueError for any other number of dimensions, and in training for a single value per channel or activation.
    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017, arXiv:1605.08803, section 3.7.

    >>> import minigrad
    >>> bn = minigrad.nn.InvertibleBatchNorm2d(1)
    >>> x = minigrad.tensor([[[[1.0, 3.0]]], [[[5.0, 7.0]]]])
    >>> y, log_det = bn(x)
    >>> y.detach().flatten(), log_det.detach()   # the variance is 5: - 1 * 2 * log(5) / 2
    (tensor([-1.3416, -0.4472,  0.4472,  1.3416]), tensor([-1.6094, -1.6094]))
    >>> back, log_det = bn.inverse(y)
    >>> back.detach().flatten(), log_det.detach()
    (tensor([1.0000, 3.0000, 5.0000, 7.0000]), tensor([1.6094, 1.6094]))
    """

    form, ndims = "(N, C, H, W)", (4,)


class InvertibleBatchNorm1d(_InvertibleBatchNorm):
    """Batch norm of vectors (N, C) or sequences (N, C, L) as a layer of a flow, as `InvertibleBatchNorm2d` is.

    With statistics="activation", num_features is C for vectors, where it makes no difference, or (C, L).

    >>> import minigrad
    >>> bn = minigrad.nn.InvertibleBatchNorm1d(2)
    >>> x = minigrad.tensor([[1.0, 10.0], [5.0, 10.5], [9.0, 11.0]])
    >>> y, log_det = bn(x)
    >>> y.detach(), log_det.shape
    (tensor([[-1.2247, -1.2247],
            [ 0.0000,  0.0000],
            [ 1.2247,  1.2247]]), (3,))
    >>> bn.check_inverse(x) < 1e-5
    True
    """

    form, ndims = "(N, C) or (N, C, L)", (2, 3)
