"""exp, expm1 and erf for kernels: in float32 arithmetic alone, which the compiler can make vector instructions of.

exp(x) = 2^n exp(r) with n = round(x / log 2) and r = x - n log 2, which lies in [-0.35, 0.35]. There a polynomial of
degree 7 is right to the last bit but one, and 2^n is a matter of writing n into the exponent of a float. The
coefficients are those of the Cephes library (Moshier, 1989). The one for vectors and the two polynomials of erf are
least squares of our own, weighted until the largest error was the least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import overload

from .simd import LANES, Vector, emits

__all__ = ["erf", "exp", "expm1", "exponentials"]

Array = np.ndarray

# Inlined always, for a loop with a call in it is done number by number. Digits are only won by fused instructions.
OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}

LOWEST, HIGHEST = np.float32(-104), np.float32(89)  # beyond them exp is 0 and inf in float32
ONE_OVER_LOG_2 = np.float32(1.44269504088896341)
LOG_2_HIGH, LOG_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # n times the first is exact
ROUND = np.float32(12582912)  # 1.5 2^23: adding it leaves no digit after the point, and n in the lowest bits
ROUND_UP, DOWN, LIMIT = np.float32(12582912 + 64), np.float32(2.0**-64), np.float32(40)
ROUND_BITS, BIAS, MANTISSA, ONE = np.int32(0x4B400000), np.int32(127), np.int32(23), np.int32(1)
P7, P6, P5, P4, P3, P2 = map(
    np.float32,
    (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
)
E6, E5, E4, E3, E2 = map(
    np.float32, (1.3814320555e-3, 8.3688506857e-3, 4.1668400168e-2, 1.6666519642e-1, 4.9999994040e-1)
)
AVX512 = LANES == 16
UNIT = np.float32(1)
SMALL, LARGE = np.float32(0.93), np.float32(4)  # below the one erf is a polynomial, from the other on it is 1
S5, S4, S3, S2, S1, S0 = map(  # erf(x) = x + x s(x^2)
    np.float32, (-5.97689243e-4, 4.99098003e-3, -2.67655663e-2, 1.12818025e-1, -3.76124948e-1, 1.28379151e-1)
)
L6, L5, L4, L3, L2, L1, L0 = map(  # 1 - erf(t) = exp(-t - t l(t))
    np.float32,
    (1.16125984e-5, -3.26625537e-4, 3.65802110e-3, -2.37950291e-2, 1.06275216e-1, 6.35128081e-1, 1.28654227e-1),
)


def exp(x: Any) -> Any:
    """The exponential function of a number, which in compiled code is a float32 or a float64."""
    return np.exp(x)


@overload(exp, jit_options=OPTIONS, inline="never")
def _(x: Any) -> Any:  # annotated like what it gives, which Numba insists on
    return _exp_float32 if x == types.float32 else _exp_float64


def _exp_float64(x: Any) -> Any:
    """Left to the C library, one number at a time."""
    return np.exp(x)


def _exp_float32(x: Any) -> Any:
    """Right to 1 in the last place; NaN stays NaN."""
    r, p, low, high = _in_parts(x)
    return (p + r + UNIT) * low * high


def expm1(x: Any) -> Any:
    """exp(x) - 1 without loss of digits near 0, for x <= 0; in compiled code a float32 or a float64."""
    return np.expm1(x)


@overload(expm1, jit_options=OPTIONS, inline="never")
def _(x: Any) -> Any:  # annotated like what it gives, which Numba insists on
    return _expm1_float32 if x == types.float32 else _expm1_float64


def _expm1_float64(x: Any) -> Any:
    """Left to the C library, one number at a time."""
    return np.expm1(x)


def _expm1_float32(x: Any) -> Any:
    """2^n (exp(r) - 1) + (2^n - 1)"""
    r, p, low, high = _in_parts(x)
    power = low * high
    return (p + r) * power + (power - UNIT)


def erf(x: Any) -> Any:
    """The error function of a number, which in compiled code is a float32 or a float64."""
    return math.erf(x)


@overload(erf, jit_options=OPTIONS, inline="never")
def _(x: Any) -> Any:  # annotated like what it gives, which Numba insists on
    return _erf_float32 if x == types.float32 else _erf_float64


def _erf_float64(x: Any) -> Any:
    """Left to the C library, one number at a time."""
    return math.erf(x)


def _erf_float32(x: Any) -> Any:
    """Right to 2 in the last place; NaN stays NaN."""
    s = x * x
    small = x + x * (((((S5 * s + S4) * s + S3) * s + S2) * s + S1) * s + S0)
    t = abs(x)
    t = LARGE if t > LARGE else t
    large = UNIT - exp(-(t + t * ((((((L6 * t + L5) * t + L4) * t + L3) * t + L2) * t + L1) * t + L0)))
    large = -large if x < 0 else large
    return large if abs(x) > SMALL else small


@njit(**OPTIONS)
def _in_parts(x: np.float32) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """r, exp(r) - 1 - r, and two numbers whose product is 2^n: by itself it may be beyond float32."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    shifted = np.float32(x * ONE_OVER_LOG_2 + ROUND)
    n = np.int32(shifted.view(np.int32) - ROUND_BITS)
    rounded = shifted - ROUND
    r = (x - rounded * LOG_2_HIGH) - rounded * LOG_2_LOW
    p = ((((P7 * r + P6) * r + P5) * r + P4) * r + P3) * r + P2
    half = np.int32(n >> ONE)
    low = np.float32(np.int32((half + BIAS) << MANTISSA).view(np.float32))
    high = np.float32(np.int32((np.int32(n - half) + BIAS) << MANTISSA).view(np.float32))
    return r, p * (r * r), low, high


def exponentials(v: Array) -> Array:
    """exp of every lane of a vector; what is greater than 40 may come out as infinite. See `simd`."""
    return np.exp(v)


@emits(exponentials)
def _(v: Any) -> Any:
    return isinstance(v, Vector) and (v(v), _emit_float32 if v.dtype == types.float32 else _emit_float64)


def _emit_float64(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """The C library's, lane by lane."""
    kind = args[0].type
    function = ir.FunctionType(kind, [kind])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.exp.v{LANES}f64"), args)


def _emit_float32(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`_exp_float32` on all lanes at once, with a polynomial that is as good and one degree lower.

    Where there is no instruction that multiplies by 2^n whatever n is, n + 64 goes into the exponent of the
    polynomial's value, and a factor of 2^-64 makes up for it. The factor is NaN where x is, for adding to the bits of a
    NaN may make a number of it; and 0 where the result is, for a product that is too small for a float takes a
    processor a hundred times as long.
    """
    (x,) = args
    kind, ints = x.type, ir.VectorType(ir.IntType(32), LANES)
    function = ir.FunctionType(kind, [kind] * 3)
    fused = cgutils.get_or_insert_function(builder.module, function, f"llvm.fmuladd.v{LANES}f32")

    def every(number: Any, kind: ir.VectorType = kind) -> ir.Constant:
        return ir.Constant(kind, [number.item()] * LANES)

    def fma(a: Any, b: Any, c: Any) -> Any:
        return builder.call(fused, [a, b, c])

    highest, none = every(HIGHEST if AVX512 else LIMIT), every(np.float32(0))
    below, above = builder.fcmp_ordered("<", x, every(LOWEST)), builder.fcmp_ordered(">", x, highest)
    x = builder.select(above, highest, builder.select(below, every(LOWEST), x))
    shifted = fma(x, every(ONE_OVER_LOG_2), every(ROUND_UP))
    rounded = builder.fsub(shifted, every(ROUND_UP))
    r = fma(rounded, every(-LOG_2_LOW), fma(rounded, every(-LOG_2_HIGH), x))
    p = every(E6)
    for coefficient in (E5, E4, E3, E2, UNIT, UNIT):
        p = fma(p, r, every(coefficient))
    if AVX512:
        bits, how = ir.IntType(LANES), ir.IntType(32)
        function = ir.FunctionType(kind, [kind, kind, kind, bits, how])
        scale = cgutils.get_or_insert_function(builder.module, function, "llvm.x86.avx512.mask.scalef.ps.512")
        return builder.call(scale, [p, rounded, none, bits(-1), how(4)])  # in all lanes, rounded as always
    n = builder.shl(builder.bitcast(shifted, ints), every(MANTISSA, ints))  # the other bits of `shifted` drop out
    p = builder.bitcast(builder.add(builder.bitcast(p, ints), n), kind)
    factor = builder.select(below, none, fma(x, none, every(DOWN)))
    return builder.fmul(p, builder.select(above, every(np.float32(np.inf)), factor))
