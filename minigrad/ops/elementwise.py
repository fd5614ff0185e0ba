"""Elementwise arithmetic, powers, exponentials, circular functions, limits and selections.

Each rule reads as calculus has it: `g` arrives, the derivative times `g` leaves. An operand that was broadcast
gets its gradient summed back to its own shape (`sum_to`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes, kernels
from ..autograd import Op, is_tensor, must_broadcast, unwrap
from .common import (
    Operand,
    cast,
    floating,
    is_bool,
    must_be_arrays,
    must_share_dtype,
    promote,
    python_number,
    quiet,
    shape_of,
    sum_like,
    sum_to,
    zeros_like,
)
from .compare import logical_and, logical_or, lt, ne, nonzero
from .rounding import quotient

# ------------------------------------------------------------------------------------------- arithmetic


class Add(Op):
    """y = a + b"""

    __slots__ = ("shapes",)  # and no __dict__, in which there might be arrays to free
    saves_inputs = False

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = getattr(a, "shape", ()), getattr(b, "shape", ())
        return a + b

    def backward(self, g: Operand) -> tuple:
        (a, b), (to_a, to_b) = self.shapes, self.edges
        return None if to_a is None else sum_to(g, a), None if to_b is None else sum_to(g, b)


class Sub(Op):
    """y = a - b"""

    __slots__ = ("shapes",)
    saves_inputs = False

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.shapes = getattr(a, "shape", ()), getattr(b, "shape", ())
        return a - b

    def backward(self, g: Operand) -> tuple:
        (a, b), (to_a, to_b) = self.shapes, self.edges
        return None if to_a is None else sum_to(g, a), None if to_b is None else sum_to(-g, b)


class Mul(Op):
    """y = a b"""

    __slots__ = ()  # it keeps nothing but its inputs
    uses = ((1,), (0,))  # the gradient of each factor is made of the other one

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b

    def backward(self, g: Operand) -> tuple:
        (a, b), (to_a, to_b) = self.operands(), self.edges
        return None if to_a is None else sum_like(g * b, a), None if to_b is None else sum_like(g * a, b)


class Div(Op):
    """y = a / b"""

    __slots__ = ()
    uses = ((1,), (0, 1))

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b

    def backward(self, g: Operand) -> tuple:
        (a, b), (to_a, to_b) = self.operands(), self.edges
        ga = g / b
        return None if to_a is None else sum_like(ga, a), None if to_b is None else sum_like(-ga * (a / b), b)


class Neg(Op):
    """y = -x"""

    __slots__ = ()
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
            ga = sum_like(ga, a)
        if need_b:
            a = np.asarray(a, b.dtype) if isinstance(a, (int, float)) else a
            flat = (unwrap(a) == 0) & (unwrap(b) >= 0)
            gb = sum_like(where(flat, 0.0, g * (a**b * log(where(flat, 1.0, a)))), b)
        return ga, gb


def add(input: Operand, other: Operand, *, alpha: float = 1) -> Operand:
    """input + alpha * other, broadcast. RuntimeError if the shapes do not broadcast.

    RuntimeError for a float alpha with integers too.

    >>> import minigrad
    >>> minigrad.add(minigrad.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    if alpha != 1:
        input, other = _scaled("add", input, other, alpha)
    if getattr(input, "dtype", None) is not getattr(other, "dtype", False):
        input, other = promote("add", input, other)
    return Add.apply(input, other)


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Operand:
    """input - alpha * other, broadcast. RuntimeError if the shapes do not broadcast.

    RuntimeError for bools too, and for a float alpha with integers.

    >>> import minigrad
    >>> minigrad.sub(minigrad.tensor([5.0, 6.0]), minigrad.tensor([1.0, 2.0]), alpha=2)
    tensor([3., 2.])
    """
    if is_bool(input) or is_bool(other):
        raise RuntimeError("sub: bools cannot be subtracted; use ^ (exclusive or), or convert with .to(dtype)")
    if alpha != 1:
        input, other = _scaled("sub", input, other, alpha)
    if getattr(input, "dtype", None) is not getattr(other, "dtype", False):
        input, other = promote("sub", input, other)
    return Sub.apply(input, other)


def _scaled(op: str, a: Operand, b: Operand, alpha: float, name: str = "alpha") -> tuple[Operand, ...]:
    """a and alpha * b in one dtype, which alpha (the option `name`) has no say in."""
    a, b = promote(op, a, b)
    if alpha == 1:
        return a, b
    dtype = getattr(a, "dtype", None) or b.dtype
    alpha = python_number(op, name, alpha)
    if dtype.kind != "f" and not isinstance(alpha, int):
        raise RuntimeError(f"{op}: {name} must be an int for {dtype.name} operands, got {alpha!r}")
    scaled = b * alpha
    return a, cast(scaled, dtype) if hasattr(scaled, "dtype") else scaled


def mul(input: Operand, other: Operand) -> Operand:
    """input * other, broadcast. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.mul(minigrad.tensor([1, 2]), 0.5)  # integers times a float: the default dtype
    tensor([0.5000, 1.0000])
    """
    if getattr(input, "dtype", None) is not getattr(other, "dtype", False):
        input, other = promote("mul", input, other)
    return Mul.apply(input, other)


def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Operand:
    """input / other, broadcast: true division, also of integers; by 0 it is infinite or NaN.

    With rounding_mode "trunc" the quotient is rounded towards 0, with "floor" down: integers then stay integers, and
    the gradient is 0. RuntimeError if the shapes do not broadcast, for any other rounding_mode, and where integers are
    rounded that were divided by 0.

    >>> import minigrad
    >>> minigrad.div(minigrad.tensor([1, -1, 0]), minigrad.tensor([2, 0, 0]))
    tensor([0.5000,   -inf,    nan])
    >>> x = minigrad.tensor([7, -7])
    >>> minigrad.div(x, 2, rounding_mode="trunc"), minigrad.div(x, 2, rounding_mode="floor")
    (tensor([ 3, -3]), tensor([ 3, -4]))
    """
    if rounding_mode is not None:
        if rounding_mode not in ("trunc", "floor"):
            raise RuntimeError(f'div: rounding_mode must be None, "trunc" or "floor", got {rounding_mode!r}')
        return quotient("div", input, other, floor=rounding_mode == "floor")
    a, b = promote("div", input, other)
    return Div.apply(floating("div", a) if hasattr(a, "dtype") else a, floating("div", b) if hasattr(b, "dtype") else b)


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

    RuntimeError if the shapes do not broadcast, for two tensors of bools, and for integers to a negative Python number.

    >>> import minigrad
    >>> minigrad.pow(minigrad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if is_bool(input) and is_bool(exponent):
        if isinstance(exponent, bool):
            return logical_or(input, not exponent)
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


def addcmul(input: Operand, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Operand:
    """input + value * tensor1 * tensor2, broadcast.

    RuntimeError if the shapes do not broadcast, for bools, and for a float value with integers.

    >>> import minigrad
    >>> minigrad.addcmul(minigrad.zeros(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0]), value=0.5)
    tensor([1.5000, 4.0000])
    """
    x, a, b = _in_one_dtype("addcmul", input, tensor1, tensor2)
    if is_bool(x):
        raise RuntimeError("addcmul: bools have no products; convert with .to(dtype)")
    return Add.apply(*_scaled("addcmul", x, Mul.apply(a, b), value, "value"))


def addcdiv(input: Operand, tensor1: Operand, tensor2: Operand, *, value: float = 1) -> Operand:
    """input + value * tensor1 / tensor2, broadcast.

    RuntimeError if the shapes do not broadcast, and if tensor1 and tensor2 both hold integers.

    >>> import minigrad
    >>> minigrad.addcdiv(minigrad.zeros(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([4.0, 4.0]), value=2)
    tensor([0.5000, 1.0000])
    """
    x, a, b = _in_one_dtype("addcdiv", input, tensor1, tensor2)
    if tensor1.dtype.kind != "f" and tensor2.dtype.kind != "f":
        raise RuntimeError(
            f"addcdiv: tensor1 and tensor2 are of {tensor1.dtype.name} and {tensor2.dtype.name}; use tensor1.float(), "
            "or div with rounding_mode, to say which quotient is meant"
        )
    return Add.apply(*_scaled("addcdiv", x, Div.apply(a, b), value, "value"))


def _in_one_dtype(op: str, *operands: Operand) -> list[Operand]:
    """The operands, Tensors or arrays that broadcast, in the dtype that all of them promote to."""
    must_be_arrays(op, *operands)
    must_broadcast(op, *map(unwrap, operands))
    dtype = dtypes.result_type(*operands)
    return [cast(x, dtype) for x in operands]


class Lerp(Op):
    """y = a + w (b - a)"""

    uses = ((2,), (2,), (0, 1))

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
        # At w = 1 it has to be b exactly, so from the middle on b is what the rest is taken off.
        if not np.ndim(w):
            return a + w * (b - a) if -0.5 < w < 0.5 else b - (b - a) * (1 - w)
        return np.where(np.abs(w) < 0.5, a + w * (b - a), b - (b - a) * (1 - w))

    def backward(self, g: Operand) -> tuple:
        (a, b, w), (need_a, need_b, need_w) = self.operands(), self.needs
        return (
            sum_like(g * (1 - w), a) if need_a else None,
            sum_like(g * w, b) if need_b else None,
            sum_like(g * (b - a), w) if need_w else None,
        )


def lerp(input: Operand, end: Operand, weight: Operand) -> Operand:
    """On the line from input (weight 0) to end (weight 1): input + weight * (end - input), broadcast.

    weight : a number, or a tensor

    RuntimeError if the shapes do not broadcast, and unless all have one floating dtype; a 0-d weight may have another.

    >>> import minigrad
    >>> minigrad.lerp(minigrad.tensor([0.0, 10.0]), minigrad.tensor([1.0, 20.0]), 0.25)
    tensor([ 0.2500, 12.5000])
    """
    must_be_arrays("lerp", input, end)
    if is_tensor(weight) or shape_of(weight):
        must_share_dtype("lerp", input, end, weight if shape_of(weight) else None)
        x, end, weight = _in_one_dtype("lerp", input, end, weight)
    else:
        must_share_dtype("lerp", input, end)
        must_broadcast("lerp", unwrap(input), unwrap(end))
        x, weight = input, python_number("lerp", "weight", weight)
    if x.dtype.kind != "f":
        raise RuntimeError(f"lerp: needs a floating dtype, got {x.dtype.name}; use x.float()")
    return Lerp.apply(x, end, weight)


true_divide = divide = div  # PyTorch's other names
subtract, multiply, negative = sub, mul, neg

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


class Exp2(Op):
    """y = 2^x; dy/dx = y log(2)"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.exp2(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return g * (self.output(self.y) * math.log(2))


class Log2(Op):
    """y = log(x) / log(2); dy/dx = 1 / (x log(2))"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.log2(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / (x * math.log(2))


class Log10(Op):
    """y = log(x) / log(10); dy/dx = 1 / (x log(10))"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.log10(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / (x * math.log(10))


class Sqrt(Op):
    """y = sqrt(x); dy/dx = 1 / (2 y), infinite at 0"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.sqrt(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        return g / (self.output(self.y) * 2)


class Sigmoid(Op):
    """y = 1 / (1 + exp(-x)); dy/dx = y (1 - y)"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        # In float16 the exponential would overflow at -11, where y still has digits.
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        self.y = kernels.current().sigmoid(wide).astype(x.dtype, copy=False)
        return self.y

    def backward(self, g: Operand) -> Operand:
        if type(g) is np.ndarray:
            return kernels.current().sigmoid_backward(g, self.y)
        y = self.output(self.y)
        return g * (y * (1 - y))


class Erf(Op):
    """y = erf(x), the error function; dy/dx = 2 / sqrt(pi) exp(-x^2)"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return kernels.current().erf(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * exp(-(x * x)) * (2 / math.pi**0.5)


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


def exp2(input: Operand) -> Operand:
    """2 to the power of input.

    >>> import minigrad
    >>> minigrad.exp2(minigrad.tensor([0.0, 3.0, -1.0]))
    tensor([1.0000, 8.0000, 0.5000])
    """
    return Exp2.apply(floating("exp2", input))


def log2(input: Operand) -> Operand:
    """The logarithm to the base 2; -inf at 0, NaN below.

    >>> import minigrad
    >>> minigrad.log2(minigrad.tensor([8.0, 0.5, 0.0]))
    tensor([ 3., -1., -inf])
    """
    return Log2.apply(floating("log2", input))


def log10(input: Operand) -> Operand:
    """The logarithm to the base 10; -inf at 0, NaN below.

    >>> import minigrad
    >>> minigrad.log10(minigrad.tensor([100.0, 0.5, 0.0]))
    tensor([ 2.0000, -0.3010,    -inf])
    """
    return Log10.apply(floating("log10", input))


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


# ------------------------------------------------------------------------ circular and hyperbolic functions


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


class Tan(Op):
    """y = tan(x); dy/dx = 1 + y^2"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.tan(x)
        return self.y

    def backward(self, g: Operand) -> Operand:
        y = self.output(self.y)
        return g * (1 + y * y)


class Asin(Op):
    """y = asin(x); dy/dx = 1 / sqrt(1 - x^2), infinite at -1 and 1"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.arcsin(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / sqrt(1 - x * x)


class Acos(Op):
    """y = acos(x); dy/dx = -1 / sqrt(1 - x^2), infinite at -1 and 1"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.arccos(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return -g / sqrt(1 - x * x)


class Atan(Op):
    """y = atan(x); dy/dx = 1 / (1 + x^2)"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.arctan(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g / (x * x + 1)


class Atan2(Op):
    """y = the angle of the point (b, a); dy/da = b / (a^2 + b^2), dy/db = -a / (a^2 + b^2), both 0 at the origin"""

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.arctan2(a, b)

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        squares = a * a + b * b
        origin = unwrap(squares) == 0
        g = where(origin, 0.0, g / where(origin, 1.0, squares))
        return sum_like(g * b, a) if need_a else None, sum_like(-g * a, b) if need_b else None


class LogAddExp(Op):
    """y = log(exp(a) + exp(b)); dy/da = sigmoid(a - b), dy/db = sigmoid(b - a), each half where a = b = -inf or inf"""

    @quiet
    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.logaddexp(a, b)

    def backward(self, g: Operand) -> tuple:
        (a, b), (need_a, need_b) = self.operands(), self.needs
        same = (unwrap(a) == unwrap(b)) & np.isinf(unwrap(a))
        d = where(same, 0.0, a - b) if same.any() else a - b
        return (
            sum_like(g * sigmoid(d), a) if need_a else None,
            sum_like(g * sigmoid(-d), b) if need_b else None,
        )


class Sinh(Op):
    """y = sinh(x); dy/dx = cosh(x)"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.sinh(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * cosh(x)


class Cosh(Op):
    """y = cosh(x); dy/dx = sinh(x)"""

    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.cosh(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * sinh(x)


class Tanh(Op):
    """y = tanh(x); dy/dx = 1 - y^2"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.y = np.asarray(np.tanh(x))
        return self.y

    def backward(self, g: Operand) -> Operand:
        if type(g) is np.ndarray:
            return kernels.current().tanh_backward(g, self.y)
        y = self.output(self.y)
        return g * (1 - y * y)


def sin(input: Operand) -> Operand:
    """The sine, of radians.

    >>> import minigrad
    >>> minigrad.sin(minigrad.tensor([0.0, 1.57079633]))
    tensor([0., 1.])
    """
    return Sin.apply(floating("sin", input))


def cos(input: Operand) -> Operand:
    """The cosine, of radians.

    >>> import minigrad
    >>> minigrad.cos(minigrad.tensor([0.0, 3.14159265]))
    tensor([ 1., -1.])
    """
    return Cos.apply(floating("cos", input))


def tan(input: Operand) -> Operand:
    """The tangent, of radians: sin(input) / cos(input).

    >>> import minigrad
    >>> minigrad.tan(minigrad.tensor([0.0, 0.78539816]))
    tensor([0., 1.])
    """
    return Tan.apply(floating("tan", input))


def asin(input: Operand) -> Operand:
    """The angle in [-pi/2, pi/2], in radians, whose sine is input; NaN outside of [-1, 1].

    >>> import minigrad
    >>> minigrad.asin(minigrad.tensor([-1.0, 0.5, 2.0]))
    tensor([-1.5708,  0.5236,     nan])
    """
    return Asin.apply(floating("asin", input))


def acos(input: Operand) -> Operand:
    """The angle in [0, pi], in radians, whose cosine is input; NaN outside of [-1, 1].

    >>> import minigrad
    >>> minigrad.acos(minigrad.tensor([-1.0, 0.5, 2.0]))
    tensor([3.1416, 1.0472,    nan])
    """
    return Acos.apply(floating("acos", input))


def atan(input: Operand) -> Operand:
    """The angle in [-pi/2, pi/2], in radians, whose tangent is input.

    >>> import minigrad
    >>> minigrad.atan(minigrad.tensor([-1.0, 0.0, float("inf")]))
    tensor([-0.7854,  0.0000,  1.5708])
    """
    return Atan.apply(floating("atan", input))


def atan2(input: Operand, other: Operand) -> Operand:
    """The angle in [-pi, pi], in radians, from the x axis to the point with y = input and x = other, broadcast.

    At the origin the gradient is 0. RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> minigrad.atan2(minigrad.tensor([1.0, 1.0, -1.0]), minigrad.tensor([1.0, -1.0, -1.0]))
    tensor([ 0.7854,  2.3562, -2.3562])
    """
    a, b = promote("atan2", input, other)
    return Atan2.apply(*(floating("atan2", x) if hasattr(x, "dtype") else x for x in (a, b)))


def logaddexp(input: Operand, other: Operand) -> Operand:
    """log(exp(input) + exp(other)), broadcast, without overflow. TypeError for integers.

    >>> import minigrad
    >>> minigrad.logaddexp(minigrad.tensor([1000.0, 0.0]), minigrad.tensor([1000.0, -1000.0]))
    tensor([1000.6932,    0.0000])
    """
    must_be_arrays("logaddexp", input, other)
    a, b = promote("logaddexp", input, other)
    if a.dtype.kind != "f":
        raise TypeError(f"logaddexp: needs a floating tensor, got {a.dtype.name}; use x.float()")
    return LogAddExp.apply(a, b)


def sinh(input: Operand) -> Operand:
    """The hyperbolic sine, (exp(input) - exp(-input)) / 2.

    >>> import minigrad
    >>> minigrad.sinh(minigrad.tensor([-1.0, 0.0, 1.0]))
    tensor([-1.1752,  0.0000,  1.1752])
    """
    return Sinh.apply(floating("sinh", input))


def cosh(input: Operand) -> Operand:
    """The hyperbolic cosine, (exp(input) + exp(-input)) / 2.

    >>> import minigrad
    >>> minigrad.cosh(minigrad.tensor([-1.0, 0.0, 1.0]))
    tensor([1.5431, 1.0000, 1.5431])
    """
    return Cosh.apply(floating("cosh", input))


def tanh(input: Operand) -> Operand:
    """The hyperbolic tangent, (exp(2 input) - 1) / (exp(2 input) + 1): from -1 to 1.

    >>> import minigrad
    >>> minigrad.tanh(minigrad.tensor([-100.0, 0.0, 0.5]))
    tensor([-1.0000,  0.0000,  0.4621])
    """
    return Tanh.apply(floating("tanh", input))


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2  # PyTorch's other names

# --------------------------------------------------------------------- kinks: absolute value, sign, limits


class Abs(Op):
    """y = |x|; dy/dx = sign(x), 0 at 0 and at NaN"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x)

    def backward(self, g: Operand) -> Operand:
        (x,) = self.operands()
        return g * sign(x)


class Sign(Op):
    """y = sign(x), 0 for NaN; dy/dx = 0"""

    saves_inputs = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.copy(x) if x.dtype == bool else np.subtract(x > 0, x < 0, dtype=x.dtype)  # NumPy's keeps NaN

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
        sum_like(masked(g, ~loses(a, b)), a) if need_a else None,
        sum_like(masked(g, ~loses(b, a)), b) if need_b else None,
    )


class Clamp(Op):
    """y = x limited to [low, high]; dy/dx = 1 inside and on the limits, else 0"""

    saves_inputs = False

    def forward(self, x: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
        self.inside = np.asarray((True if low is None else x >= low) & (True if high is None else x <= high))
        return np.clip(x, low, high)

    def backward(self, g: Operand) -> Operand:
        return masked(g, self.inside)


class ClampBetween(Op):
    """y = x limited to [low, high], arrays of which one may be None; NaN if one of them is

    The gradient is that of the one which y is: of x inside and on the limits, of low below them, of high above them
    and where low exceeds high. Below two equal limits, and where a comparison with NaN decides, it is nobody's.
    """

    saves_inputs = False

    def forward(self, x: np.ndarray, low: Any, high: Any) -> np.ndarray:
        self.shapes = shape_of(x), shape_of(low), shape_of(high)
        self.masks: tuple
        if low is None:
            self.masks = x <= high, None, x > high
            return np.minimum(x, high)
        if high is None:
            self.masks = x >= low, x < low, None
            return np.maximum(x, low)
        self.masks = (x >= low) & (x <= high), (x < low) & (low < high), (x > high) | (high < low)
        return np.minimum(np.maximum(x, low), high)

    def backward(self, g: Operand) -> tuple:
        return tuple(
            sum_to(masked(g, mask), shape) if need else None
            for mask, shape, need in zip(self.masks, self.shapes, self.needs, strict=True)
        )


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
        if not math.isnan(product.sum()):
            return product
    return where(mask, g, 0.0)


def abs(input: Operand) -> Operand:
    """The absolute value; its gradient is 0 at 0 and at NaN.

    >>> import minigrad
    >>> x = minigrad.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> minigrad.autograd.grad(minigrad.abs(x).sum(), x)
    (tensor([-1.,  0.,  1.]),)
    """
    must_be_arrays("abs", input)
    return Abs.apply(input)


def sign(input: Operand) -> Operand:
    """-1, 0 or 1, and 0 for NaN; its gradient is 0 everywhere.

    >>> import minigrad
    >>> minigrad.sign(minigrad.tensor([-2.0, 0.0, 3.0, float("nan")]))
    tensor([-1.,  0.,  1.,  0.])
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
        return _clamp_between(input, min, max)
    low, high = (
        None if limit is None else python_number("clamp", name, limit) for name, limit in (("min", min), ("max", max))
    )
    for limit in (low, high):
        if limit is not None:
            input, _ = promote("clamp", input, limit)
    return Clamp.apply(input, low=low, high=high)


def _clamp_between(x: Operand, low: Operand | None, high: Operand | None) -> Operand:
    for limit in (low, high):
        if limit is not None:
            x, _ = promote("clamp", x, limit)
    low, high = (None if limit is None else promote("clamp", x, limit)[1] for limit in (low, high))
    must_broadcast("clamp", *(unwrap(v) for v in (x, low, high) if v is not None))
    return ClampBetween.apply(x, low, high)


def clamp_min(input: Operand, min: Operand) -> Operand:
    """input, but nowhere below min, a number or a tensor; `clamp` without max.

    >>> import minigrad
    >>> minigrad.clamp_min(minigrad.tensor([-2.0, 0.5, 3.0]), 0)
    tensor([0.0000, 0.5000, 3.0000])
    """
    return clamp(input, min=min)


def clamp_max(input: Operand, max: Operand) -> Operand:
    """input, but nowhere above max, a number or a tensor; `clamp` without min.

    >>> import minigrad
    >>> minigrad.clamp_max(minigrad.tensor([-2.0, 0.5, 3.0]), 1)
    tensor([-2.0000,  0.5000,  1.0000])
    """
    return clamp(input, max=max)


class NanToNum(Op):
    """y = x with numbers in the place of NaN and the infinities; dy/dx = 1 where x is finite, else 0"""

    saves_inputs = False

    @quiet
    def forward(self, x: np.ndarray, nan: float, posinf: float | None, neginf: float | None) -> np.ndarray:
        self.finite = np.isfinite(x)
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    def backward(self, g: Operand) -> Operand:
        return masked(g, self.finite)


def nan_to_num(
    input: Operand, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Operand:
    """A copy with 0, or `nan`, for NaN and with the largest and smallest finite number, or `posinf` and `neginf`, for
    the infinities. The gradient there is 0.

    >>> import minigrad
    >>> minigrad.nan_to_num(minigrad.tensor([1.0, float("nan"), float("inf")]), posinf=9)
    tensor([1., 0., 9.])
    """
    must_be_arrays("nan_to_num", input)
    given = {"nan": 0.0 if nan is None else nan, "posinf": posinf, "neginf": neginf}
    numbers = {name: n if n is None else python_number("nan_to_num", name, n) for name, n in given.items()}
    return NanToNum.apply(input, **numbers)


def where(condition: Operand, input: Operand | None = None, other: Operand | None = None) -> Any:
    """input where the condition holds, else other; all three are broadcast.

    With a condition alone, the indices of where it holds: nonzero(condition, as_tuple=True). TypeError if the condition
    is not a bool tensor, or one of the other two is missing; RuntimeError if the shapes do not broadcast.

    >>> import minigrad
    >>> x = minigrad.tensor([-1.0, 2.0])
    >>> minigrad.where(x > 0, x, 0.0)
    tensor([0., 2.])
    >>> minigrad.where(x > 0)
    (tensor([1]),)
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise TypeError("where: needs both input and other, or neither of them for the indices of the condition")
    if not is_bool(condition):
        raise TypeError(f"where: the condition must be a bool tensor, got {getattr(condition, 'dtype', condition)!r}")
    return Where.apply(condition, *promote("where", input, other))


absolute, clip = abs, clamp  # PyTorch's other names
