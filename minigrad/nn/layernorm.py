"""The layer that normalizes each example by itself."""

from __future__ import annotations

import numbers
from typing import Any

from ..checks import number
from ..tensor import Tensor
from . import functional as F
from .affine import Affine
from .checks import normalized_shape as as_normalized_shape

__all__ = ["LayerNorm"]


class LayerNorm(Affine):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with the statistics of each example over its last dimensions.

    normalized_shape   : the sizes of these dimensions, such as (C, H, W); an int is the size of the last one
    eps                : keeps the quotient finite where an example is constant
    elementwise_affine : learn a weight, and a bias, for each element of normalized_shape
    bias               : with elementwise_affine, learn a bias as well

    The variance is the biased one. Training and evaluation are the same, and no example depends on its batch mates.

    RuntimeError for an input that does not end in normalized_shape. Source: Ba, Kiros and Hinton, "Layer
    Normalization", 2016, arXiv:1607.06450.

    >>> import minigrad
    >>> layer = minigrad.nn.LayerNorm(2)
    >>> layer(minigrad.tensor([[1.0, 3.0], [10.0, 30.0]])).detach()
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        one = isinstance(normalized_shape, numbers.Integral)
        self.normalized_shape = as_normalized_shape("LayerNorm", (normalized_shape,) if one else normalized_shape)
        self.eps = number("LayerNorm", "eps", eps, " >= 0")
        self.elementwise_affine = elementwise_affine
        self.register_affine(self.normalized_shape, elementwise_affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """x (..., *normalized_shape); the output has the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
