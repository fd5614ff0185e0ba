"""Elementwise arithmetic, powers, exponentials, comparisons and selections.

Each rule reads as calculus has it: `g` arrives, the derivative times `g` leaves. An operand that was broadcast
gets its gradient summed back to its own shape (`sum_to`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Op, is_tensor, unwrap, wrap
from .common import Operand, floating, is_bool, is_number_or_array, promote, quiet, shape_of, sum_to, zeros_like

# ------------------------------------------------------------------------------------------- arithmetic


class Add(Op):
    """y = a + b"""

    saves_inputs = False

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = shape_of(a), shape_of(b)
        return a + b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.shapes, self.needs
        return sum_to(g, a) if need_a else None, sum_to(g, b) if need_b else None


class Sub(Op):
    """y = a - b"""

    saves_inputs = False

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = shape_of(a), shape_of(b)
        return a - b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.shapes, self.needs
        return sum_to(g, a) if need_a else None, sum_to(-g, b) if need_b else None


class Mul(Op):
    """y = a b"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        return sum_to(g * b, shape_of(a)) if need_a else None, sum_to(g * a, shape_of(b)) if need_b else None


class Div(Op):
    """y = a / b"""

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        ga = g / b
        return (
            sum_to(ga, shape_of(a)) if need_a else None,
            sum_to(-ga * (a / b), shape_of(b)) if need_b else None,
        )


class Neg(Op):
    """y = -x"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        return -x

    def backward(self, g: Operand) -> Operand:
        return -g


class Pow(Op):
    """y = a^b. Where b is 0 the gradient of a is 0, also at a = 0; where a is 0 and b >= 0 that of b is 0."""

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a**b

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        ga = gb = None
        if need_a:
            if isinstance(b, (int, float)):
                ga = g * (b * a ** (b - 1)) if b != 0 else zeros_like(g)
            else:
                ga = where(unwrap(b) == 0, 0.0, g * (b * a ** (b - 1)))
            ga = sum_to(ga, shape_of(a))
        if need_b:
            a = np.asarray(a, b.dtype) if isinstance(a, (int, float)) else a
            flat = (unwrap(a) == 0) & (unwrap(b) >= 0)
            gb = sum_to(where(flat, 0.0, g * (a**b * log(where(flat, 1.0, a)))), shape_of(b))
        return ga, gb


def add(input: Operand, other: Operand, *, alpha: float = 1) -> Operand:
    """input + alpha * other, broadcast.

    >>> import minigrad
    >>> minigrad.add(minigrad.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return Add.apply(*promote("add", input, other if alpha == 1 else mul(other, alpha)))


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Operand:
    """input - alpha * other, broadcast."""
    a, b = promote("sub", input, other if alpha == 1 else mul(other, alpha))
    if is_bool(a) and is_bool(b):
        raise RuntimeError("sub: two bool tensors cannot be subtracted; use != (exclusive or) instead")
    return Sub.apply(a, b)


def mul(input: Operand, other: Operand) -> Operand:
    """input * other, broadcast."""
    return Mul.apply(*promote("mul", input, other))


def div(input: Operand, other: Operand) -> Operand:
    """input / other, broadcast: true division, also of integers."""
    return Div.apply(*promote("div", floating(input), floating(other)))


def neg(input: Operand) -> Operand:
    """-input"""
    if is_bool(input):
        raise RuntimeError("neg: a bool tensor has no negative; use minigrad.logical_not(x)")
    return Neg.apply(input)


def pow(input: Operand, exponent: Operand) -> Operand:
    """input ** exponent, broadcast.

    >>> import minigrad
    >>> minigrad.pow(minigrad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    a, b = promote("pow", input, exponent)
    whole = getattr(a, "dtype", np.dtype(type(a))).kind in "iu"
    if whole and isinstance(b, int) and b < 0:
        raise RuntimeError(f"pow: an integer tensor to the power {b} is no integer; use x.float() ** {b}")
    return Pow.apply(a, b)


def square(input: Operand) -> Operand:
    """input ** 2"""
    return pow(input, 2)


def reciprocal(input: Operand) -> Operand:
    """1 / input"""
    return div(1.0, input)


# ----------------------------------------------------------------------- exponentials and their relatives


class Exp(Op):
    """y = exp(x); dy/dx = y"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.exp(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return g * self.output(self.y)


class Log(Op):
    """y = log(x); dy/dx = 1 / x"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.log(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / x


class Log1p(Op):
    """y = log(1 + x), accurate near 0; dy/dx = 1 / (1 + x)"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.log1p(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / (x + 1)


class Expm1(Op):
    """y = exp(x) - 1, accurate near 0; dy/dx = y + 1"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.expm1(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return g * (self.output(self.y) + 1)


class Sqrt(Op):
    """y = sqrt(x); dy/dx = 1 / (2 y), infinite at 0"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.sqrt(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return g / (self.output(self.y) * 2)


class Sin(Op):
    """y = sin(x); dy/dx = cos(x)"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.sin(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * cos(x)


class Cos(Op):
    """y = cos(x); dy/dx = -sin(x)"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return -g * sin(x)


class Tanh(Op):
    """y = tanh(x); dy/dx = 1 - y^2"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.tanh(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        y = self.output(self.y)
        return g * (1 - y * y)


class Sigmoid(Op):
    """y = 1 / (1 + exp(-x)); dy/dx = y (1 - y)"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        e = np.exp(-np.abs(x))  # the exponent is never positive, so nothing overflows
        self.y = (np.where(x >= 0, 1, e) / (1 + e)).astype(x.dtype, copy=False)
        return self.y

    def backward(self, g: Operand) -> Operand:
        y = self.output(self.y)
        return g * (y * (1 - y))


class Erf(Op):
    """y = erf(x), the error function; dy/dx = 2 / sqrt(pi) exp(-x^2)"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return kernels.current().erf(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * exp(-(x * x)) * (2 / np.pi**0.5)


def exp(input: Operand) -> Operand:
    """e to the power of input."""
    return Exp.apply(floating(input))


def log(input: Operand) -> Operand:
    """The natural logarithm; -inf at 0, NaN below."""
    return Log.apply(floating(input))


def log1p(input: Operand) -> Operand:
    """log(1 + input), accurate for small input."""
    return Log1p.apply(floating(input))


def expm1(input: Operand) -> Operand:
    """exp(input) - 1, accurate for small input."""
    return Expm1.apply(floating(input))


def sqrt(input: Operand) -> Operand:
    """The square root; its gradient at 0 is infinite."""
    return Sqrt.apply(floating(input))


def rsqrt(input: Operand) -> Operand:
    """1 / sqrt(input)"""
    return pow(floating(input), -0.5)


def sin(input: Operand) -> Operand:
    """The sine, of radians."""
    return Sin.apply(floating(input))


def cos(input: Operand) -> Operand:
    """The cosine, of radians."""
    return Cos.apply(floating(input))


def tanh(input: Operand) -> Operand:
    """The hyperbolic tangent."""
    return Tanh.apply(floating(input))


def sigmoid(input: Operand) -> Operand:
    """The logistic function 1 / (1 + exp(-input)), without overflow."""
    return Sigmoid.apply(floating(input))


def erf(input: Operand) -> Operand:
    """The error function."""
    return Erf.apply(floating(input))


# --------------------------------------------------------------------- kinks: absolute value, sign, limits


class Abs(Op):
    """y = |x|; dy/dx = sign(x), 0 at 0"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * sign(x)


class Sign(Op):
    """y = sign(x); dy/dx = 0"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.sign(x)

    def backward(self, g: Operand) -> Operand:
        return zeros_like(g)


class Maximum(Op):
    """y = max(a, b), NaN if either is; at a tie each gets half of the gradient"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b)

    def backward(self, g: Operand) -> tuple:
        return _split_by_winner(self, g, np.greater)


class Minimum(Op):
    """y = min(a, b), NaN if either is; at a tie each gets half of the gradient"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b)

    def backward(self, g: Operand) -> tuple:
        return _split_by_winner(self, g, np.less)


def _split_by_winner(op: Op, g: Operand, wins: np.ufunc) -> tuple:
    """The gradient to the operand that wins, half to each at a tie."""
    a, b = (unwrap(x) for x in op.operands())
    share = wins(a, b) + 0.5 * (a == b)  # of a; piecewise constant, so no graph goes through it
    share = np.asarray(share, dtype=g.dtype)
    need_a, need_b = op.needs
    return (
        sum_to(g * share, shape_of(a)) if need_a else None,
        sum_to(g * (1 - share), shape_of(b)) if need_b else None,
    )


class Clamp(Op):
    """y = x limited to [low, high]; dy/dx = 1 inside and on the limits, else 0"""

    saves_inputs = False

    def forward(self, x: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
        self.inside = np.asarray((True if low is None else x >= low) & (True if high is None else x <= high))
        return np.clip(x, low, high)

    def backward(self, g: Operand) -> Operand:
        return g * self.inside


class Where(Op):
    """y = a where the condition holds, else b"""

    saves_inputs = False

    def forward(self, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.condition, self.shapes = condition, (shape_of(a), shape_of(b))
        return np.where(condition, a, b)

    def backward(self, g: Operand) -> tuple:
        (a, b), (_, need_a, need_b) = self.shapes, self.needs
        return (
            None,
            sum_to(where(self.condition, g, 0.0), a) if need_a else None,
            sum_to(where(self.condition, 0.0, g), b) if need_b else None,
        )


def abs(input: Operand) -> Operand:
    """The absolute value; its gradient at 0 is 0."""
    return Abs.apply(input)


def sign(input: Operand) -> Operand:
    """-1, 0 or 1; its gradient is 0 everywhere."""
    return Sign.apply(input)


def maximum(input: Operand, other: Operand) -> Operand:
    """The larger of two, elementwise; NaN if either is. A tie splits the gradient in halves."""
    return Maximum.apply(*promote("maximum", input, other))


def minimum(input: Operand, other: Operand) -> Operand:
    """The smaller of two, elementwise; NaN if either is. A tie splits the gradient in halves."""
    return Minimum.apply(*promote("minimum", input, other))


def clamp(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Operand:
    """input limited to [min, max]; each limit is a number or a tensor, and one of them may be left out.

    Where min exceeds max the result is max. On a limit the gradient is 1.

    >>> import minigrad
    >>> minigrad.clamp(minigrad.tensor([-2.0, 0.5, 3.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("clamp: give min, max or both")
    if shape_of(min) or shape_of(max) or is_tensor(min) or is_tensor(max):
        low = input if min is None else where(input < min, min, input)
        return low if max is None else where(low > max, max, low)
    for limit in (min, max):
        if isinstance(limit, float):
            input, _ = promote("clamp", input, limit)
    return Clamp.apply(input, low=min, high=max)


def where(condition: Operand, input: Operand, other: Operand) -> Operand:
    """input where the condition holds, else other; all three are broadcast.

    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if not is_bool(condition):
        raise TypeError(f"where: the condition must be a bool tensor, got {getattr(condition, 'dtype', condition)!r}")
    return Where.apply(condition, *promote("where", input, other))


# ------------------------------------------------------------- comparisons and tests: results without a graph


def _compare(name: str, ufunc: np.ufunc, a: Operand, b: Operand) -> Operand:
    for x in (a, b):
        if not is_number_or_array(x):
            raise TypeError(f"{name}: operands must be Tensors, arrays or numbers, got {type(x).__name__}")
    result = ufunc(unwrap(a), unwrap(b))
    return wrap(result) if is_tensor(a) or is_tensor(b) else result


def eq(input: Operand, other: Operand) -> Operand:
    """input == other, elementwise."""
    return _compare("eq", np.equal, input, other)


def ne(input: Operand, other: Operand) -> Operand:
    """input != other, elementwise."""
    return _compare("ne", np.not_equal, input, other)


def lt(input: Operand, other: Operand) -> Operand:
    """input < other, elementwise."""
    return _compare("lt", np.less, input, other)


def le(input: Operand, other: Operand) -> Operand:
    """input <= other, elementwise."""
    return _compare("le", np.less_equal, input, other)


def gt(input: Operand, other: Operand) -> Operand:
    """input > other, elementwise."""
    return _compare("gt", np.greater, input, other)


def ge(input: Operand, other: Operand) -> Operand:
    """input >= other, elementwise."""
    return _compare("ge", np.greater_equal, input, other)


def logical_and(input: Operand, other: Operand) -> Operand:
    """True where both are non-zero."""
    return _compare("logical_and", np.logical_and, input, other)


def logical_or(input: Operand, other: Operand) -> Operand:
    """True where either is non-zero."""
    return _compare("logical_or", np.logical_or, input, other)


def _test(ufunc: Any, x: Operand) -> Operand:
    result = ufunc(unwrap(x))
    return wrap(result) if is_tensor(x) else result


def logical_not(input: Operand) -> Operand:
    """True where input is zero."""
    return _test(np.logical_not, input)


def isnan(input: Operand) -> Operand:
    """True where input is NaN."""
    return _test(np.isnan, input)


def isinf(input: Operand) -> Operand:
    """True where input is infinite."""
    return _test(np.isinf, input)


def isfinite(input: Operand) -> Operand:
    """True where input is neither NaN nor infinite."""
    return _test(np.isfinite, input)


def allclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Is |input - other| <= atol + rtol |other| everywhere?"""
    return bool(np.allclose(unwrap(input), unwrap(other), rtol=rtol, atol=atol, equal_nan=equal_nan))


def equal(input: Operand, other: Operand) -> bool:
    """Are shape and all elements the same?"""
    return bool(np.array_equal(unwrap(input), unwrap(other)))


def bitwise_and(input: Operand, other: Operand) -> Operand:
    """The and of bools, or of the bits of integers."""
    return _compare("bitwise_and", np.bitwise_and, input, other)


def bitwise_or(input: Operand, other: Operand) -> Operand:
    """The or of bools, or of the bits of integers."""
    return _compare("bitwise_or", np.bitwise_or, input, other)


def bitwise_xor(input: Operand, other: Operand) -> Operand:
    """The exclusive or of bools, or of the bits of integers."""
    return _compare("bitwise_xor", np.bitwise_xor, input, other)


def bitwise_not(input: Operand) -> Operand:
    """The opposite of bools, or of the bits of integers."""
    return _test(np.invert, input)
