"""The layer that divides each example by its root mean square."""

from __future__ import annotations

import numbers
from typing import Any

from ..checks import number
from ..tensor import Tensor
from . import functional as F
from .affine import Affine
from .checks import normalized_shape as as_normalized_shape

__all__ = ["RMSNorm"]


class RMSNorm(Affine):
    """y = x / sqrt(mean(x^2) + eps) * weight, with the mean of each example over its last dimensions.

    normalized_shape   : the sizes of these dimensions, such as (C, H, W); an int is the size of the last one
    eps                : keeps the quotient finite where an example is 0; None: the machine epsilon of the dtype that is
                         computed in, which is float32 for a float16 input
    elementwise_affine : learn a weight for each element of normalized_shape

    It is `LayerNorm` without centring and bias. Training and evaluation are the same.

    RuntimeError for an input that does not end in normalized_shape. Source: Zhang and Sennrich, "Root Mean Square
    Layer Normalization", 2019, arXiv:1910.07467.

    >>> import minigrad
    >>> layer = minigrad.nn.RMSNorm(2)
    >>> layer(minigrad.tensor([[1.0, 7.0], [10.0, 70.0]])).detach()    # the root mean squares are 5 and 50
    tensor([[0.2000, 1.4000],
            [0.2000, 1.4000]])
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        one = isinstance(normalized_shape, numbers.Integral)
        self.normalized_shape = as_normalized_shape("RMSNorm", (normalized_shape,) if one else normalized_shape)
        self.eps = eps if eps is None else number("RMSNorm", "eps", eps, " >= 0")
        self.elementwise_affine = elementwise_affine
        self.register_affine(self.normalized_shape, elementwise_affine, False, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """x (..., *normalized_shape); the output has the same shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
