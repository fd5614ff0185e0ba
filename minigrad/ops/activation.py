"""Activations: elementwise, but with a name of their own in the field.

Those that are one line of arithmetic are composed of other ops (SiLU is x sigmoid(x)). Those where that would
overflow or waste a pass have their own rule.
"""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Op
from .common import Operand, floating, is_bool, must_be_arrays, python_number, quiet
from .elementwise import abs, erf, exp, masked, sigmoid, tanh, where


class ReLU(Op):
    """y = max(x, 0), NaN where x is NaN; dy/dx = 1 where y is not 0, else 0 (also at x = 0)"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.maximum(x, 0)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return masked(g, self.y != 0)


class LeakyReLU(Op):
    """y = x where x > 0, else slope x"""

    saves_inputs = False

    def forward(self, x: np.ndarray, slope: float) -> np.ndarray:
        self.slope, self.positive = slope, x > 0
        return np.where(self.positive, x, x * slope)

    def backward(self, g: Operand) -> Operand:
        return where(self.positive, g, g * self.slope)


class ELU(Op):
    """y = alpha (exp(x) - 1) where x <= 0, else x, also where it is NaN; dy/dx = alpha exp(x) or 1"""

    @quiet
    def forward(self, x: np.ndarray, alpha: float) -> np.ndarray:
        self.alpha, self.negative = alpha, x <= 0
        return np.where(self.negative, np.expm1(x) * alpha, x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        # exp is not asked for large x: its infinity, unused, would still turn a second derivative into NaN
        return where(self.negative, g * exp(where(self.negative, x, 0.0)) * self.alpha, g)


class Softplus(Op):
    """y = log(1 + exp(beta x)) / beta, and x itself where beta x > threshold; dy/dx = sigmoid(beta x)"""

    def forward(self, x: np.ndarray, beta: float, threshold: float) -> np.ndarray:
        self.beta, self.linear = beta, x * beta > threshold
        z = x * beta
        return np.where(self.linear, x, (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / beta)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return where(self.linear, g, g * sigmoid(x * self.beta))


class HardTanh(Op):
    """y = x limited to [low, high]; dy/dx = 1 strictly inside, 0 on and beyond the limits"""

    saves_inputs = False

    def forward(self, x: np.ndarray, low: float, high: float) -> np.ndarray:
        self.inside = ~((x <= low) | (x >= high))
        return np.clip(x, low, high)

    def backward(self, g: Operand) -> Operand:
        return masked(g, self.inside)


class HardSigmoid(Op):
    """y = x / 6 + 1 / 2 limited to [0, 1]; dy/dx = 1 / 6 for -3 < x < 3, else 0, also where x is NaN"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.inside = (x > -3) & (x < 3)
        return np.clip(x / 6 + 0.5, 0, 1)

    def backward(self, g: Operand) -> Operand:
        return masked(g / 6, self.inside)


def relu(input: Operand) -> Operand:
    """max(input, 0); the gradient at 0 is 0. RuntimeError for bools.

    >>> import minigrad
    >>> minigrad.relu(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    must_be_arrays("relu", input)
    if is_bool(input):
        raise RuntimeError("relu: a bool tensor has no positive part; use x.float()")
    return ReLU.apply(input)


def leaky_relu(input: Operand, negative_slope: float = 0.01) -> Operand:
    """input where positive, else negative_slope * input (Maas et al., 2013).

    >>> import minigrad
    >>> minigrad.nn.functional.leaky_relu(minigrad.tensor([-1.0, 2.0]), negative_slope=0.1)
    tensor([-0.1000,  2.0000])
    """
    return LeakyReLU.apply(
        floating("leaky_relu", input), slope=python_number("leaky_relu", "negative_slope", negative_slope)
    )


def elu(input: Operand, alpha: float = 1.0) -> Operand:
    """input where positive, else alpha * (exp(input) - 1), never below -alpha (Clevert et al., 2015).

    >>> import minigrad
    >>> minigrad.nn.functional.elu(minigrad.tensor([-10.0, -1.0, 2.0]))
    tensor([-1.0000, -0.6321,  2.0000])
    """
    return ELU.apply(floating("elu", input), alpha=python_number("elu", "alpha", alpha))


@quiet  # -inf times 0
def gelu(input: Operand, approximate: str = "none") -> Operand:
    """input * Phi(input), Phi the normal distribution function (Hendrycks and Gimpel, 2016).

    `approximate="tanh"` uses 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) instead of the error function.
    ValueError for any other name than "none" and "tanh". At infinity it is infinity (PyTorch: NaN).

    >>> import minigrad
    >>> x = minigrad.tensor([-3.0, -0.75, 1.0])
    >>> minigrad.nn.functional.gelu(x), minigrad.nn.functional.gelu(x, approximate="tanh")
    (tensor([-0.0040, -0.1700,  0.8413]), tensor([-0.0036, -0.1700,  0.8412]))
    """
    x = floating("gelu", input)
    if approximate == "none":
        return x * (erf(x * math.sqrt(0.5)) + 1) * 0.5
    if approximate == "tanh":
        return x * (tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)) + 1) * 0.5
    raise ValueError(f'gelu: approximate must be "none" or "tanh", got {approximate!r}')


@quiet  # -inf times 0
def silu(input: Operand) -> Operand:
    """input * sigmoid(input), also called swish; never below -0.2785 (Elfwing et al., 2018).

    >>> import minigrad
    >>> minigrad.nn.functional.silu(minigrad.tensor([-1.2785, 0.0, 1.0]))
    tensor([-0.2785,  0.0000,  0.7311])
    """
    x = floating("silu", input)
    return x * sigmoid(x)


def softplus(input: Operand, beta: float = 1, threshold: float = 20) -> Operand:
    """log(1 + exp(beta * input)) / beta, and input itself where beta * input exceeds `threshold`.

    Never negative: a smooth `relu`, sharper with a larger beta. ValueError unless beta is positive.

    >>> import minigrad
    >>> minigrad.nn.functional.softplus(minigrad.tensor([-1.0, 0.0, 100.0]))
    tensor([  0.3133,   0.6931, 100.0000])
    """
    beta, threshold = python_number("softplus", "beta", beta), python_number("softplus", "threshold", threshold)
    if beta <= 0:
        raise ValueError(f"softplus: beta must be positive, got {beta}")
    return Softplus.apply(floating("softplus", input), beta=beta, threshold=threshold)


def hardtanh(input: Operand, min_val: float = -1.0, max_val: float = 1.0) -> Operand:
    """input limited to [min_val, max_val]; the gradient on the limits is 0 (that of `clamp` is 1).

    Integers stay integers: the limits are then cut to whole numbers, towards 0, as in PyTorch.
    ValueError if min_val exceeds max_val.

    >>> import minigrad
    >>> x = minigrad.tensor([-2.0, 0.5, 1.0], requires_grad=True)
    >>> minigrad.nn.functional.hardtanh(x).tolist(), minigrad.autograd.grad(minigrad.nn.functional.hardtanh(x).sum(), x)
    ([-1.0, 0.5, 1.0], (tensor([0., 1., 0.]),))
    """
    min_val, max_val = python_number("hardtanh", "min_val", min_val), python_number("hardtanh", "max_val", max_val)
    if not min_val <= max_val:
        raise ValueError(f"hardtanh: min_val must not exceed max_val, got {min_val} and {max_val}")
    if getattr(input, "dtype", np.dtype(bool)).kind in "iu":
        must_be_arrays("hardtanh", input)
        ends = np.iinfo(input.dtype)
        low, high = (int(min(max(limit, ends.min), ends.max)) for limit in (min_val, max_val))
        return HardTanh.apply(input, low=low, high=high)
    return HardTanh.apply(floating("hardtanh", input), low=min_val, high=max_val)


def relu6(input: Operand) -> Operand:
    """input limited to [0, 6]; the gradient at 0 and at 6 is 0.

    >>> import minigrad
    >>> minigrad.nn.functional.relu6(minigrad.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0.0, 6.0)


def hardsigmoid(input: Operand) -> Operand:
    """input / 6 + 1 / 2, limited to [0, 1]: `sigmoid` in straight lines (Howard et al., 2019).

    >>> import minigrad
    >>> minigrad.nn.functional.hardsigmoid(minigrad.tensor([-3.0, 0.0, 1.5, 4.0]))
    tensor([0.0000, 0.5000, 0.7500, 1.0000])
    """
    return HardSigmoid.apply(floating("hardsigmoid", input))


@quiet  # -inf times 0
def mish(input: Operand) -> Operand:
    """input * tanh(softplus(input)); never below -0.3089 (Misra, 2019).

    >>> import minigrad
    >>> minigrad.nn.functional.mish(minigrad.tensor([-1.1924, 0.0, 1.0]))
    tensor([-0.3088,  0.0000,  0.8651])
    """
    x = floating("mish", input)
    return x * tanh(softplus(x))


def softsign(input: Operand) -> Operand:
    """input / (1 + |input|), between -1 and 1: a `tanh` that flattens slowly.

    >>> import minigrad
    >>> minigrad.nn.functional.softsign(minigrad.tensor([-1.0, 0.0, 9.0]))
    tensor([-0.5000,  0.0000,  0.9000])
    """
    x = floating("softsign", input)
    return x / (abs(x) + 1)
