"""Elementwise arithmetic, powers, exponentials, comparisons and selections.

Each rule reads as calculus has it: `g` arrives, the derivative times `g` leaves. An operand that was broadcast
gets its gradient summed back to its own shape (`sum_to`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import dtypes, kernels
from ..autograd import Op, is_tensor, must_broadcast, unwrap, wrap
from .common import (
    Operand,
    cast,
    floating,
    is_bool,
    is_number_or_array,
    must_be_arrays,
    promote,
    python_number,
    quiet,
    shape_of,
    sum_to,
    zeros_like,
)

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
    """input + alpha * other, broadcast. RuntimeError if the shapes do not broadcast.

    RuntimeError for a float alpha with integers too.

    >>> import minigrad
    >>> minigrad.add(minigrad.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return Add.apply(*_scaled("add", input, other, alpha))


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Operand:
    """input - alpha * other, broadcast. RuntimeError if the shapes do not broadcast.

    RuntimeError for bools too, and for a float alpha with integers.

    >>> import minigrad
    >>> minigrad.sub(minigrad.tensor([5.0, 6.0]), minigrad.tensor([1.0, 2.0]), alpha=2)
    tensor([3., 2.])
    """
    if is_bool(input) or is_bool(other):
        raise RuntimeError("sub: bools cannot be subtracted; use ^ (exclusive or), or convert with .to(dtype)")
    return Sub.apply(*_scaled("sub", input, other, alpha))


def _scaled(op: str, a: Operand, b: Operand, alpha: float) -> tuple[Operand, ...]:
    """a and alpha * b in one dtype, which alpha has no say in."""
    a, b = promote(op, a, b)
    if alpha == 1:
        return a, b
    dtype = getattr(a, "dtype", None) or b.dtype
    alpha = python_number(op, "alpha", alpha)
    if dtype.kind != "f" and not isinstance(alpha, int):
        raise RuntimeError(f"{op}: alpha must be an int for {dtype.name} operands, got {alpha!r}")
    scaled = b * alpha
    return a, cast(scaled, dtype) if hasattr(scaled, "dtype") else scaled


def mul(input: Operand, other: Operand) -> Operand:
    """input * other, broadcast. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.mul(minigrad.tensor([1, 2]), 0.5)  # integers times a float: the default dtype
    tensor([0.5000, 1.0000])
    """
    return Mul.apply(*promote("mul", input, other))


def div(input: Operand, other: Operand) -> Operand:
    """input / other, broadcast: true division, also of integers; by 0 it is infinite or NaN.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.div(minigrad.tensor([1, -1, 0]), minigrad.tensor([2, 0, 0]))
    tensor([0.5000,   -inf,    nan])
    """
    a, b = promote("div", input, other)
    return Div.apply(*(floating("div", x) if hasattr(x, "dtype") else x for x in (a, b)))


def neg(input: Operand) -> Operand:
    """-input; RuntimeError for bools.

    >>> import minigrad
    >>> minigrad.neg(minigrad.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    must_be_arrays("neg", input)
    if is_bool(input):
        raise RuntimeError("neg: a bool tensor has no negative; use minigrad.logical_not(x)")
    return Neg.apply(input)


def pow(input: Operand, exponent: Operand) -> Operand:
    """input ** exponent, broadcast; NaN for a negative input and an exponent that is not whole.

    RuntimeError if the shapes do not broadcast, for two bools, and for an integer to a negative Python number.

    >>> import minigrad
    >>> minigrad.pow(minigrad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if is_bool(input) and is_bool(exponent):
        raise RuntimeError("pow: bools have no powers; convert with .to(dtype)")
    a, b = promote("pow", input, exponent)
    if getattr(a, "dtype", dtypes.float64).kind in "iu" and np.any(unwrap(b) < 0):
        if not (is_tensor(exponent) or isinstance(exponent, np.ndarray)):
            raise RuntimeError("pow: an integer to a negative power is no integer; use x.float() ** exponent")
        # By a tensor of powers it is rounded towards 0, as in PyTorch: only 1 and -1 do not become 0.
        a, b = where(logical_and(lt(b, 0), ne(abs(a), 1)), 0, a), abs(b)
    return Pow.apply(a, b)


def square(input: Operand) -> Operand:
    """input ** 2

    >>> import minigrad
    >>> minigrad.square(minigrad.tensor([-3, 2]))  # integers stay integers
    tensor([9, 4])
    """
    return pow(input, 2)


def reciprocal(input: Operand) -> Operand:
    """1 / input; infinite at 0. Integers become floats.

    >>> import minigrad
    >>> minigrad.reciprocal(minigrad.tensor([4, -2, 0]))
    tensor([ 0.2500, -0.5000,     inf])
    """
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

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.sin(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * cos(x)


class Cos(Op):
    """y = cos(x); dy/dx = -sin(x)"""

    @quiet
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
    """e to the power of input; its gradient is exp(input).

    >>> import minigrad
    >>> minigrad.exp(minigrad.tensor([0.0, 1.0, -float("inf")]))
    tensor([1.0000, 2.7183, 0.0000])
    """
    return Exp.apply(floating("exp", input))


def log(input: Operand) -> Operand:
    """The natural logarithm; -inf at 0, NaN below.

    >>> import minigrad
    >>> minigrad.log(minigrad.tensor([1.0, 0.0, -1.0]))
    tensor([0., -inf, nan])
    """
    return Log.apply(floating("log", input))


def log1p(input: Operand) -> Operand:
    """log(1 + input), accurate for small input; -inf at -1, NaN below.

    >>> import minigrad
    >>> x = minigrad.tensor([1e-8])
    >>> minigrad.log1p(x), minigrad.log(1 + x)
    (tensor([1.0000e-08]), tensor([0.]))
    """
    return Log1p.apply(floating("log1p", input))


def expm1(input: Operand) -> Operand:
    """exp(input) - 1, accurate for small input.

    >>> import minigrad
    >>> x = minigrad.tensor([1e-8])
    >>> minigrad.expm1(x), minigrad.exp(x) - 1
    (tensor([1.0000e-08]), tensor([0.]))
    """
    return Expm1.apply(floating("expm1", input))


def sqrt(input: Operand) -> Operand:
    """The square root, NaN below 0; its gradient 1 / (2 sqrt(input)) is infinite at 0.

    >>> import minigrad
    >>> x = minigrad.tensor([0.0, 4.0], requires_grad=True)
    >>> minigrad.autograd.grad(minigrad.sqrt(x).sum(), x)
    (tensor([   inf, 0.2500]),)
    """
    return Sqrt.apply(floating("sqrt", input))


def rsqrt(input: Operand) -> Operand:
    """1 / sqrt(input); infinite at 0, NaN below.

    >>> import minigrad
    >>> minigrad.rsqrt(minigrad.tensor([4.0, 0.0, -1.0]))
    tensor([0.5000,    inf,    nan])
    """
    return div(1.0, sqrt(floating("rsqrt", input)))


def sin(input: Operand) -> Operand:
    """The sine, of radians."""
    return Sin.apply(floating("sin", input))


def cos(input: Operand) -> Operand:
    """The cosine, of radians.

    >>> import minigrad
    >>> minigrad.cos(minigrad.tensor([0.0, 3.14159265]))
    tensor([ 1., -1.])
    """
    return Cos.apply(floating("cos", input))


def tanh(input: Operand) -> Operand:
    """The hyperbolic tangent, (exp(2 input) - 1) / (exp(2 input) + 1): from -1 to 1.

    >>> import minigrad
    >>> minigrad.tanh(minigrad.tensor([-100.0, 0.0, 0.5]))
    tensor([-1.0000,  0.0000,  0.4621])
    """
    return Tanh.apply(floating("tanh", input))


def sigmoid(input: Operand) -> Operand:
    """The logistic function 1 / (1 + exp(-input)), from 0 to 1, without overflow.

    >>> import minigrad
    >>> minigrad.sigmoid(minigrad.tensor([-1000.0, 0.0, 1.0]))
    tensor([0.0000, 0.5000, 0.7311])
    """
    return Sigmoid.apply(floating("sigmoid", input))


def erf(input: Operand) -> Operand:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to input: from -1 to 1.

    >>> import minigrad
    >>> minigrad.erf(minigrad.tensor([-10.0, 0.0, 0.5]))
    tensor([-1.0000,  0.0000,  0.5205])
    """
    return Erf.apply(floating("erf", input))


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
        return np.copy(x) if x.dtype == bool else np.sign(x)

    def backward(self, g: Operand) -> Operand:
        return zeros_like(g)


class Maximum(Op):
    """y = max(a, b), NaN if either is; at a tie each gets half of the gradient, at NaN each all of it"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b)

    def backward(self, g: Operand) -> tuple:
        return _split_by_loser(self, g, np.less)


class Minimum(Op):
    """y = min(a, b), NaN if either is; at a tie each gets half of the gradient, at NaN each all of it"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b)

    def backward(self, g: Operand) -> tuple:
        return _split_by_loser(self, g, np.greater)


def _split_by_loser(op: Op, g: Operand, loses: np.ufunc) -> tuple:
    """The gradient to the operand that does not lose, half to each at a tie."""
    a, b = (unwrap(x) for x in op.operands())  # the choice is piecewise constant: no graph goes through it
    g = g * np.asarray(1 - 0.5 * (a == b), g.dtype)
    need_a, need_b = op.needs
    return (
        sum_to(masked(g, ~loses(a, b)), shape_of(a)) if need_a else None,
        sum_to(masked(g, ~loses(b, a)), shape_of(b)) if need_b else None,
    )


class Clamp(Op):
    """y = x limited to [low, high]; dy/dx = 1 inside and on the limits, else 0"""

    saves_inputs = False

    def forward(self, x: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
        self.inside = np.asarray((True if low is None else x >= low) & (True if high is None else x <= high))
        return np.clip(x, low, high)

    def backward(self, g: Operand) -> Operand:
        return masked(g, self.inside)


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
            sum_to(masked(g, self.condition), a) if need_a else None,
            sum_to(masked(g, np.logical_not(self.condition)), b) if need_b else None,
        )


def masked(g: Operand, mask: np.ndarray) -> Operand:
    """`g` where the mask holds, else 0, also where g is infinite or NaN.

    >>> import minigrad
    >>> g = minigrad.tensor([float("inf"), 2.0])
    >>> minigrad.ops.elementwise.masked(g, (g < 3).numpy())
    tensor([0., 2.])
    """
    if not is_tensor(g):
        product = g * mask  # many times as fast as np.where, but 0 inf is NaN
        if not np.isnan(product.sum()):
            return product
    return where(mask, g, 0.0)


def abs(input: Operand) -> Operand:
    """The absolute value; its gradient is 0 at 0, and NaN at NaN (PyTorch gives 0).

    >>> import minigrad
    >>> x = minigrad.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> minigrad.autograd.grad(minigrad.abs(x).sum(), x)
    (tensor([-1.,  0.,  1.]),)
    """
    must_be_arrays("abs", input)
    return Abs.apply(input)


def sign(input: Operand) -> Operand:
    """-1, 0 or 1, and NaN for NaN (PyTorch gives 0); its gradient is 0 everywhere.

    >>> import minigrad
    >>> minigrad.sign(minigrad.tensor([-2.0, 0.0, 3.0, float("nan")]))
    tensor([-1.,  0.,  1., nan])
    """
    must_be_arrays("sign", input)
    return Sign.apply(input)


def maximum(input: Operand, other: Operand) -> Operand:
    """The larger of two, elementwise; NaN if either is. A tie splits the gradient in halves.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.maximum(minigrad.tensor([1.0, 3.0, float("nan")]), 2.0)
    tensor([2., 3., nan])
    """
    return Maximum.apply(*promote("maximum", input, other))


def minimum(input: Operand, other: Operand) -> Operand:
    """The smaller of two, elementwise; NaN if either is. A tie splits the gradient in halves.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> x, y = minigrad.tensor([1.0, 2.0], requires_grad=True), minigrad.tensor([1.0, 3.0])
    >>> minigrad.autograd.grad(minigrad.minimum(x, y).sum(), x)  # a tie, then x alone
    (tensor([0.5000, 1.0000]),)
    """
    return Minimum.apply(*promote("minimum", input, other))


def clamp(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Operand:
    """input limited to [min, max]; each limit is a number or a tensor, and one of them may be left out.

    Where min exceeds max the result is max. On a limit the gradient is 1. RuntimeError if both are left out.

    >>> import minigrad
    >>> minigrad.clamp(minigrad.tensor([-2.0, 0.5, 3.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    must_be_arrays("clamp", input)
    if min is None and max is None:
        raise RuntimeError("clamp: give min, max or both")
    if any(is_tensor(limit) or shape_of(limit) for limit in (min, max)):
        input = input if min is None else _limited("clamp", input, min, ge)
        return input if max is None else _limited("clamp", input, max, le)
    low, high = (
        None if limit is None else python_number("clamp", name, limit) for name, limit in (("min", min), ("max", max))
    )
    for limit in (low, high):
        if limit is not None:
            input, _ = promote("clamp", input, limit)
    return Clamp.apply(input, low=low, high=high)


def _limited(op: str, x: Operand, limit: Operand, inside: Callable) -> Operand:
    """x where it is `inside` of the limit or NaN, else the limit; a limit of NaN gives NaN."""
    x, limit = promote(op, x, limit)
    must_broadcast(op, unwrap(x), unwrap(limit))
    return where(logical_or(inside(x, limit), isnan(x)), x, limit)


def where(condition: Operand, input: Operand, other: Operand) -> Operand:
    """input where the condition holds, else other; all three are broadcast.

    TypeError if the condition is not a bool tensor; RuntimeError if the shapes do not broadcast.

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
    x, y = unwrap(a), unwrap(b)
    if hasattr(x, "dtype") and hasattr(y, "dtype"):
        x, y = promote(name, x, y)  # NumPy would compare a float32 array with a float64 number in float64
    try:
        result = ufunc(x, y)
    except ValueError:
        must_broadcast(name, x, y)
        raise
    return wrap(result) if is_tensor(a) or is_tensor(b) else result


def eq(input: Operand, other: Operand) -> Operand:
    """input == other, elementwise: bools. NaN equals nothing. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.eq(minigrad.tensor([1.0, 2.0, float("nan")]), minigrad.tensor([1.0, 3.0, float("nan")]))
    tensor([ True, False, False])
    """
    return _compare("eq", np.equal, input, other)


def ne(input: Operand, other: Operand) -> Operand:
    """input != other, elementwise: bools. NaN differs from everything. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.ne(minigrad.tensor([1.0, 2.0, float("nan")]), minigrad.tensor([1.0, 3.0, float("nan")]))
    tensor([False,  True,  True])
    """
    return _compare("ne", np.not_equal, input, other)


def lt(input: Operand, other: Operand) -> Operand:
    """input < other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.lt(minigrad.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return _compare("lt", np.less, input, other)


def le(input: Operand, other: Operand) -> Operand:
    """input <= other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.le(minigrad.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return _compare("le", np.less_equal, input, other)


def gt(input: Operand, other: Operand) -> Operand:
    """input > other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.gt(minigrad.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return _compare("gt", np.greater, input, other)


def ge(input: Operand, other: Operand) -> Operand:
    """input >= other, elementwise: bools, False for NaN. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.ge(minigrad.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return _compare("ge", np.greater_equal, input, other)


def logical_and(input: Operand, other: Operand) -> Operand:
    """True where both are non-zero. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.logical_and(minigrad.tensor([1, 2, 0]), minigrad.tensor([4, 0, 0]))
    tensor([ True, False, False])
    """
    return _compare("logical_and", np.logical_and, input, other)


def logical_or(input: Operand, other: Operand) -> Operand:
    """True where either is non-zero. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.logical_or(minigrad.tensor([1, 2, 0]), minigrad.tensor([4, 0, 0]))
    tensor([ True,  True, False])
    """
    return _compare("logical_or", np.logical_or, input, other)


def _test(name: str, ufunc: np.ufunc, x: Operand) -> Operand:
    must_be_arrays(name, x)
    result = ufunc(unwrap(x))
    return wrap(result) if is_tensor(x) else result


def logical_not(input: Operand) -> Operand:
    """True where input is zero.

    >>> import minigrad
    >>> minigrad.logical_not(minigrad.tensor([0.0, 0.5, float("nan")]))
    tensor([ True, False, False])
    """
    return _test("logical_not", np.logical_not, input)


def isnan(input: Operand) -> Operand:
    """True where input is NaN.

    >>> import minigrad
    >>> minigrad.isnan(minigrad.tensor([1.0, float("inf"), float("nan")]))
    tensor([False, False,  True])
    """
    return _test("isnan", np.isnan, input)


def isinf(input: Operand) -> Operand:
    """True where input is inf or -inf.

    >>> import minigrad
    >>> minigrad.isinf(minigrad.tensor([1.0, -float("inf"), float("nan")]))
    tensor([False,  True, False])
    """
    return _test("isinf", np.isinf, input)


def isfinite(input: Operand) -> Operand:
    """True where input is neither NaN nor infinite.

    >>> import minigrad
    >>> minigrad.isfinite(minigrad.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return _test("isfinite", np.isfinite, input)


def allclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Is |input - other| <= atol + rtol |other| everywhere? NaN is close to NaN only with `equal_nan`.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.allclose(minigrad.tensor([1.0, 100.0]), minigrad.tensor([1.0, 100.0005]))
    True
    """
    must_be_arrays("allclose", input, other)
    a, b = unwrap(input), unwrap(other)
    must_broadcast("allclose", a, b)
    rtol, atol = python_number("allclose", "rtol", rtol), python_number("allclose", "atol", atol)
    return bool(np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


def equal(input: Operand, other: Operand) -> bool:
    """Are shape and all elements the same? The dtypes may differ; NaN equals nothing.

    >>> import minigrad
    >>> x = minigrad.tensor([1, 2])
    >>> minigrad.equal(x, x.float()), minigrad.equal(x, x[:1])
    (True, False)
    """
    must_be_arrays("equal", input, other)
    return bool(np.array_equal(unwrap(input), unwrap(other)))


def bitwise_and(input: Operand, other: Operand) -> Operand:
    """The and of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_and(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([2, 1])
    """
    return _bitwise("bitwise_and", np.bitwise_and, input, other)


def bitwise_or(input: Operand, other: Operand) -> Operand:
    """The or of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_or(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([7, 7])
    """
    return _bitwise("bitwise_or", np.bitwise_or, input, other)


def bitwise_xor(input: Operand, other: Operand) -> Operand:
    """The exclusive or of bools, or of the bits of integers; TypeError for floats.

    RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.bitwise_xor(minigrad.tensor([0b110, 0b101]), 0b011)
    tensor([5, 6])
    """
    return _bitwise("bitwise_xor", np.bitwise_xor, input, other)


def bitwise_not(input: Operand) -> Operand:
    """The opposite of bools, or of the bits of integers (-1 - input if signed); TypeError for floats.

    >>> import minigrad
    >>> minigrad.bitwise_not(minigrad.tensor([0, 5])), minigrad.bitwise_not(minigrad.tensor([True, False]))
    (tensor([-1, -6]), tensor([False,  True]))
    """
    _must_have_bits("bitwise_not", input)
    return _test("bitwise_not", np.invert, input)


def _bitwise(name: str, ufunc: np.ufunc, a: Operand, b: Operand) -> Operand:
    a, b = promote(name, a, b)
    _must_have_bits(name, a, b)
    return _compare(name, ufunc, a, b)


def _must_have_bits(name: str, *operands: Operand) -> None:
    for x in operands:
        if not hasattr(x, "dtype") or x.dtype.kind == "f":
            raise TypeError(f"{name}: needs bools or integers, got {x.dtype.name if hasattr(x, 'dtype') else repr(x)}")
