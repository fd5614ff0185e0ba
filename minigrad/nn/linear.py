"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

from ..checks import whole
from ..creation import empty
from ..ops.linalg import Linear as LinearOp
from ..ops.linalg import LinearReLU, linear_by
from ..tensor import Tensor
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Linear"]


class Linear(Module):
    """y = x weight^T + bias, over the last dimension of x.

    in_features, out_features : the last size of the input, and of the output; either may be 0
    bias                      : add a bias

    weight (out_features, in_features) and bias (out_features,) start uniform in ±1/sqrt(in_features).

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(784, 10)
    >>> layer(minigrad.zeros(32, 784)).shape
    (32, 10)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = whole("Linear", "in_features", in_features, " >= 0")
        self.out_features = whole("Linear", "out_features", out_features, " >= 0")
        self.weight = Parameter(empty(self.out_features, self.in_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(self.out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights, and the bias, anew."""
        if self.weight.numel():
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, *, relu: bool = False, flatten: bool = False) -> Tensor:
        """x (..., in_features) to (..., out_features).

        relu    : give max(y, 0) in place of y, made in the same pass
        flatten : take x (N, ...) as (N, in_features)

        `Sequential` asks for them where a `ReLU` comes next, or a `Flatten` comes before.
        """
        return linear_by(LinearReLU if relu else LinearOp, input, self.weight, self.bias, flatten)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
