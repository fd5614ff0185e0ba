"""The layers that normalize each channel of each example: InstanceNorm1d, InstanceNorm2d and InstanceNorm3d."""

from __future__ import annotations

import warnings
from typing import Any

from ..checks import number, whole
from ..tensor import Tensor
from . import functional as F
from .affine import Affine
from .checks import describe
from .running_statistics import RunningBuffers

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(Affine, RunningBuffers):
    """Instance normalization for (N, C, ...) and for one example (C, ...); a subclass says which shapes it takes."""

    form: str  # the shapes taken, for the error
    ndim: int  # the number of dimensions with a batch

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
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
        self.register_affine((n,), affine, bias, device, dtype)
        self.register_running_stats((n,), track_running_stats, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0, and forget the batches seen."""
        self.reset_running_stats()
        super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, ...), or one example (C, ...); the output has the same shape."""
        layer = type(self).__name__
        if getattr(input, "ndim", None) not in (self.ndim - 1, self.ndim):
            raise ValueError(f"{layer}: expected input {self.form}, got {describe(input)}")
        dim = input.ndim - self.ndim + 1  # of the channels
        if input.shape[dim] != self.num_features:
            wrong = (
                f"{layer}: num_features is {self.num_features}, but dim {dim} of the input, of shape "
                f"{tuple(input.shape)}, has size {input.shape[dim]}"
            )
            if self.affine or self.track_running_stats:
                raise ValueError(f"{wrong}; these must be equal")
            warnings.warn(f"{wrong}; without affine and tracking it makes no difference", UserWarning, stacklevel=2)
        y = F.instance_norm(
            input if dim == 1 else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y if dim == 1 else y.squeeze(0)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class InstanceNorm2d(_InstanceNorm):
    """Normalize each channel of each image of (N, C, H, W) or (C, H, W).

    y = (x - mean) / sqrt(var + eps) * weight + bias, with the statistics over H and W, the variance being the biased
    one.

    num_features        : C
    eps                 : keeps the quotient finite where a channel is constant
    momentum            : weight of the newest batch in the running statistics; None is 0, as in PyTorch
    affine              : learn a weight, and a bias, for each channel
    track_running_stats : keep running statistics, and normalize by them in evaluation mode
    bias                : with affine, learn a bias as well

    Without running statistics, training and evaluation are the same, and no example depends on its batch mates. With
    them, training moves them as `BatchNorm2d` does, towards the mean over the examples of mean and unbiased variance;
    num_batches_tracked is there, as in PyTorch, and stays 0.

    ValueError for any other number of dimensions, for a single value per channel, and for another number of channels;
    where that makes no difference, without affine and running statistics, it is a UserWarning.
    Source: Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016,
    arXiv:1607.08022.

    >>> import minigrad
    >>> layer = minigrad.nn.InstanceNorm2d(1)
    >>> layer(minigrad.tensor([[[[1.0, 3.0]]], [[[10.0, 30.0]]]])).flatten()
    tensor([-1.0000,  1.0000, -1.0000,  1.0000])
    """

    form, ndim = "(N, C, H, W) or (C, H, W)", 4


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each sequence of (N, C, L) or (C, L), as `InstanceNorm2d` does.

    >>> import minigrad
    >>> minigrad.nn.InstanceNorm1d(2)(minigrad.tensor([[1.0, 3.0], [10.0, 30.0]]))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """

    form, ndim = "(N, C, L) or (C, L)", 3


class InstanceNorm3d(_InstanceNorm):
    """Normalize each channel of each volume of (N, C, D, H, W) or (C, D, H, W), as `InstanceNorm2d` does.

    >>> import minigrad
    >>> minigrad.nn.InstanceNorm3d(2)(minigrad.randn(4, 2, 3, 3, 3)).shape
    (4, 2, 3, 3, 3)
    """

    form, ndim = "(N, C, D, H, W) or (C, D, H, W)", 5
