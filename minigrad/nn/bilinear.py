"""The layer that is linear in each of two inputs."""

from __future__ import annotations

import math
from typing import Any

from ..checks import whole
from ..creation import empty
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Bilinear"]


class Bilinear(Module):
    """y_o = x1^T weight_o x2 + bias_o, over the last dimensions of x1 and x2.

    in1_features, in2_features : the last sizes of the two inputs
    out_features               : the last size of the output
    bias                       : add a bias

    weight (out_features, in1_features, in2_features) and bias (out_features,) start uniform in ±1/sqrt(in1_features).

    >>> import minigrad
    >>> layer = minigrad.nn.Bilinear(20, 30, 40)
    >>> layer(minigrad.zeros(8, 20), minigrad.zeros(8, 30)).shape
    (8, 40)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in1_features = whole("Bilinear", "in1_features", in1_features, " >= 1")
        self.in2_features = whole("Bilinear", "in2_features", in2_features, " >= 1")
        self.out_features = whole("Bilinear", "out_features", out_features, " >= 1")
        sizes = self.out_features, self.in1_features, self.in2_features
        self.weight = Parameter(empty(sizes, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(self.out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights, and the bias, anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """x1 (..., in1_features) and x2 (..., in2_features) to (..., out_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
