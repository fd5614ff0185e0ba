"""The layer that normalizes groups of channels of each example."""

from __future__ import annotations

from typing import Any

from ..checks import number, whole
from ..tensor import Tensor
from . import functional as F
from .affine import Affine
from .checks import describe

__all__ = ["GroupNorm"]


class GroupNorm(Affine):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with the statistics of each group of channels of each example.

    num_groups   : a divisor of num_channels; 1 makes the whole example a group, num_channels each channel (see
                   `InstanceNorm2d`)
    num_channels : the size of dim 1
    eps          : keeps the quotient finite where a group is constant
    affine       : learn a weight, and a bias, for each channel
    bias         : with affine, learn a bias as well

    The variance is the biased one. Training and evaluation are the same, and no example depends on its batch mates.

    RuntimeError for another number of channels. Source: Wu and He, "Group Normalization", 2018, arXiv:1803.08494.

    >>> import minigrad
    >>> layer = minigrad.nn.GroupNorm(2, 4)
    >>> layer(minigrad.tensor([[1.0, 3.0, 10.0, 30.0]])).detach()
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = whole("GroupNorm", "num_groups", num_groups, " >= 1")
        self.num_channels = whole("GroupNorm", "num_channels", num_channels, " >= 1")
        if num_channels % num_groups:
            raise ValueError(
                "GroupNorm: num_groups must divide num_channels, so that all groups have one size, got "
                f"num_groups={num_groups} and num_channels={num_channels}"
            )
        self.eps = number("GroupNorm", "eps", eps, " >= 0")
        self.affine = affine
        self.register_affine((self.num_channels,), affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C) or (N, C, ...); the output has the same shape."""
        if getattr(input, "ndim", 0) >= 2 and input.shape[1] != self.num_channels:
            raise RuntimeError(
                f"GroupNorm: needs num_channels={self.num_channels} channels (dim 1), got {describe(input)}"
            )
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
