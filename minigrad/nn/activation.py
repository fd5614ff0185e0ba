"""Activations as modules. The formulas stand with the functions of the same name in `functional.py`.

`inplace` is accepted where PyTorch has it, and shown in the repr; the result is a new tensor all the same.
"""

from __future__ import annotations

from ..checks import number
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "Hardsigmoid",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
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
        return F.relu(input)

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
