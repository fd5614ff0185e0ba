"""Batch normalization layers: BatchNorm1d and BatchNorm2d."""

from __future__ import annotations

from typing import Any

from ..checks import number, whole
from ..creation import empty, ones, zeros
from ..dtypes import int64
from ..tensor import Tensor
from . import functional as F
from . import init
from .checks import describe
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class _BatchNorm(Module):
    """Batch normalization for any input whose dim 1 is the channels; a subclass says which shapes it takes."""

    form: str  # the shapes taken, for the error
    ndims: tuple[int, ...]

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.num_features = n = whole(layer, "num_features", num_features, " >= 1")
        self.eps = number(layer, "eps", eps, " >= 0")
        self.momentum = momentum if momentum is None else number(layer, "momentum", momentum)
        self.affine, self.track_running_stats = affine, track_running_stats
        kind = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(empty(n, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(empty(n, **kind)) if affine and bias else None)
        self.register_buffer("running_mean", zeros(n, **kind) if track_running_stats else None)
        self.register_buffer("running_var", ones(n, **kind) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0, variance 1, none tracked."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0, and forget the batches seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """x with its channels in dim 1; the output has the same shape."""
        if getattr(input, "ndim", None) not in self.ndims:
            raise ValueError(f"{type(self).__name__}: expected input {self.form}, got {describe(input)}")
        training, momentum, mean, var = self.training, self.momentum, self.running_mean, self.running_var
        seen = self.num_batches_tracked if training and self.track_running_stats else None
        if training and not self.track_running_stats:
            mean = var = None
        if seen is not None and not seen.array.flags.writeable:
            raise RuntimeError(
                f"{type(self).__name__}: num_batches_tracked is updated in place, but its memory is read-only; make it "
                "a clone"
            )
        if momentum is None:  # the average of all batches: the k-th one weighs 1 / k
            momentum = 0.0 if seen is None else 1 / (seen.item() + 1)
        by_batch = training or mean is None
        y = F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, momentum, self.eps)
        if seen is not None:
            seen.add_(1)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalize each channel of images (N, C, H, W): y = (x - mean) / sqrt(var + eps) * weight + bias.

    num_features        : C
    eps                 : keeps the quotient finite where a channel is constant
    momentum            : weight of the newest batch in the running statistics; None averages all batches alike
    affine              : learn weight and bias (C,), which start as ones and zeros
    track_running_stats : keep running statistics; without them, evaluation uses those of the batch too
    bias                : with affine, learn a bias as well

    In training, mean and var are those of the batch over N, H and W, the variance being biased (divided by the
    n = N H W values of a channel), and the running statistics move:

        running_mean = (1 - momentum) running_mean + momentum mean
        running_var  = (1 - momentum) running_var  + momentum var n / (n - 1)

    so that running_var holds the unbiased variance; num_batches_tracked counts the batches. In evaluation mode, mean
    and var are the running statistics, and nothing moves.

    ValueError for any other number of dimensions, and in training for a single value per channel.
    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", 2015, arXiv:1502.03167.

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm2d(1)
    >>> y = layer(minigrad.tensor([[[[1.0, 3.0]]], [[[5.0, 7.0]]]]))
    >>> y.detach().flatten()
    tensor([-1.3416, -0.4472,  0.4472,  1.3416])
    >>> layer.running_mean, layer.running_var   # the batch has mean 4 and unbiased variance 20 / 3
    (tensor([0.4000]), tensor([1.5667]))
    """

    form, ndims = "(N, C, H, W)", (4,)


class BatchNorm1d(_BatchNorm):
    """Normalize each feature of vectors (N, C), or each channel of sequences (N, C, L), as `BatchNorm2d` does.

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm1d(3)
    >>> y = layer(minigrad.arange(15.0).reshape(5, 3))
    >>> y.detach()[:, 0]
    tensor([-1.4142, -0.7071,  0.0000,  0.7071,  1.4142])
    """

    form, ndims = "(N, C) or (N, C, L)", (2, 3)
