"""Activations as modules. The formulas stand with the functions of the same name in `functional.py`.

`inplace` is accepted where PyTorch has it, and shown in the repr; the result is a new tensor all the same.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..checks import number, whole
from ..creation import empty
from ..tensor import Tensor
from . import functional as F
from .init import constant_
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class ReLU(Module):
    """max(x, 0)

    >>> import minigrad
    >>> minigrad.nn.ReLU()(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return ops.relu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where positive, else negative_slope x.

    >>> import minigrad
    >>> minigrad.nn.LeakyReLU(0.1)(minigrad.tensor([-1.0, 2.0]))
    tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope, finite=False)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where positive, else alpha (exp(x) - 1).

    >>> import minigrad
    >>> minigrad.nn.ELU(alpha=2.0)(minigrad.tensor([-100.0, 2.0]))    # never below -alpha
    tensor([-2.,  2.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = number("ELU", "alpha", alpha, finite=False), inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class CELU(Module):
    """x where positive, else alpha (exp(x / alpha) - 1). ValueError if alpha is 0.

    >>> import minigrad
    >>> minigrad.nn.CELU(alpha=2.0)(minigrad.tensor([-100.0, 2.0]))    # never below -alpha
    tensor([-2.,  2.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = number("CELU", "alpha", alpha, " != 0", finite=False), inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(Module):
    """1.0507 `ELU`(alpha=1.6733): layers of it keep the mean 0 and the variance 1 (Klambauer et al., 2017).

    >>> import minigrad
    >>> minigrad.nn.SELU()(minigrad.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.selu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class PReLU(Module):
    """x where positive, else weight x: `LeakyReLU` with slopes that are learned (He et al., 2015).

    num_parameters : 1, or as many as there are channels, which lie in dim 1
    init           : the slopes to start with

    weight has the shape (num_parameters,). Weight decay would pull it to 0, and is better not applied to it.

    >>> import minigrad
    >>> minigrad.nn.PReLU()(minigrad.tensor([-1.0, 2.0])).detach()
    tensor([-0.2500,  2.0000])
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = whole("PReLU", "num_parameters", num_parameters, " >= 1")
        self.init = number("PReLU", "init", init, finite=False)
        self.weight = Parameter(empty(self.num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every slope to `init`."""
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class GELU(Module):
    """x Phi(x), Phi the normal distribution function; approximate="tanh" uses a formula without it.

    ValueError for any other value of `approximate`.

    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.nn.GELU()(x), minigrad.nn.GELU(approximate="tanh")(x)
    (tensor([-0.1587,  1.9545]), tensor([-0.1588,  1.9546]))
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: approximate must be "none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), also called swish.

    >>> import minigrad
    >>> minigrad.nn.SiLU()(minigrad.tensor([-1.0, 0.0, 10.0]))
    tensor([-0.2689,  0.0000,  9.9995])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.silu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Mish(Module):
    """x tanh(softplus(x))

    >>> import minigrad
    >>> minigrad.nn.Mish()(minigrad.tensor([-1.0, 0.0, 10.0]))
    tensor([-0.3034,  0.0000, 10.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.mish(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x exceeds `threshold`.

    ValueError unless beta > 0.

    >>> import minigrad
    >>> minigrad.nn.Softplus()(minigrad.tensor([-1.0, 0.0, 100.0]))    # exp(100) would overflow
    tensor([  0.3133,   0.6931, 100.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = number("Softplus", "beta", beta, " > 0")
        self.threshold = number("Softplus", "threshold", threshold, finite=False)

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|)

    >>> import minigrad
    >>> minigrad.nn.Softsign()(minigrad.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.5000,  0.0000,  0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.softsign(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))

    >>> import minigrad
    >>> minigrad.nn.Sigmoid()(minigrad.tensor([-1000.0, 0.0, 2.0]))    # no overflow
    tensor([0.0000, 0.5000, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.sigmoid(input)


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x)))

    >>> import minigrad
    >>> minigrad.nn.LogSigmoid()(minigrad.tensor([-200.0, 0.0]))    # the logarithm of Sigmoid would be -inf
    tensor([-200.0000,   -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> import minigrad
    >>> minigrad.nn.Tanh()(minigrad.tensor([-1.0, 0.0, 100.0]))
    tensor([-0.7616,  0.0000,  1.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.tanh(input)


class Hardtanh(Module):
    """x limited to [min_val, max_val].

    ValueError unless min_val < max_val.

    >>> import minigrad
    >>> minigrad.nn.Hardtanh(-2.0, 2.0)(minigrad.tensor([-3.0, 0.5, 2.5]))
    tensor([-2.0000,  0.5000,  2.0000])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        layer = type(self).__name__
        number(layer, "min_val", min_val, finite=False)
        number(layer, "max_val", max_val, finite=False)
        if not min_val < max_val:
            raise ValueError(f"{layer}: min_val must be below max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """x limited to [0, 6].

    >>> import minigrad
    >>> minigrad.nn.ReLU6()(minigrad.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(Module):
    """x / 6 + 1 / 2, limited to [0, 1].

    >>> import minigrad
    >>> minigrad.nn.Hardsigmoid()(minigrad.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.hardsigmoid(input)


class Hardswish(Module):
    """x `ReLU6`(x + 3) / 6

    >>> import minigrad
    >>> minigrad.nn.Hardswish()(minigrad.tensor([-1.0, 1.0, 4.0]))
    tensor([-0.3333,  0.6667,  4.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.hardswish(input)


class Threshold(Module):
    """x where it exceeds `threshold`, else `value`.

    >>> import minigrad
    >>> minigrad.nn.Threshold(0.5, -7.0)(minigrad.tensor([-1.0, 0.5, 2.0]))
    tensor([-7., -7.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = number("Threshold", "threshold", threshold, finite=False)
        self.value, self.inplace = number("Threshold", "value", value, finite=False), inplace

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class Hardshrink(Module):
    """x, but 0 where it lies in [-lambd, lambd].

    >>> import minigrad
    >>> minigrad.nn.Hardshrink()(minigrad.tensor([-1.0, 0.3, 0.6]))
    tensor([-1.0000,  0.0000,  0.6000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = number("Hardshrink", "lambd", lambd, finite=False)

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Module):
    """x moved towards 0 by lambd, and 0 where it lies in [-lambd, lambd]. ValueError if lambd is negative.

    >>> import minigrad
    >>> minigrad.nn.Softshrink()(minigrad.tensor([-1.0, 0.3, 0.6]))
    tensor([-0.5000,  0.0000,  0.1000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = number("Softshrink", "lambd", lambd, " >= 0", finite=False)

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Tanhshrink(Module):
    """x - tanh(x)

    >>> import minigrad
    >>> minigrad.nn.Tanhshrink()(minigrad.tensor([-1.0, 0.0, 100.0]))
    tensor([-0.2384,  0.0000, 99.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.tanhshrink(input)


class GLU(Module):
    """The first half of x along `dim` times the sigmoid of the second half (Dauphin et al., 2017).

    >>> import minigrad
    >>> minigrad.nn.GLU()(minigrad.tensor([1.0, 2.0, 0.0, 100.0]))
    tensor([0.5000, 2.0000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = whole("GLU", "dim", dim)

    def forward(self, input: Tensor) -> Tensor:
        """x whose size along dim is even."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Module):
    """`Softmax` of -x.

    >>> import minigrad
    >>> minigrad.nn.Softmin(dim=0)(minigrad.tensor([0.0, 1.0]))
    tensor([0.7311, 0.2689])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(Module):
    """exp(x) scaled to sum to one along `dim`.

    >>> import minigrad
    >>> minigrad.nn.Softmax(dim=1)(minigrad.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, computed without forming the quotient.

    >>> import minigrad
    >>> minigrad.nn.LogSoftmax(dim=1)(minigrad.zeros(1, 2)).exp()
    tensor([[0.5000, 0.5000]])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
