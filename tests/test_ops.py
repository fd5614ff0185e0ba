"""One row an op. The harness below turns a row into every check that an op has to pass.

A row names the op (its class, or the public function composed of others), gives it as a function on Tensors, the
same function in plain NumPy, and the shapes of its inputs, one tuple a case. What else there is to say is said by
keyword: how the inputs are drawn, awkward points with the value and the gradients expected there.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad
from minigrad import autograd, nn, ops
from minigrad.autograd import Op, gradcheck, gradgradcheck
from minigrad.ops.diagonal import DiagonalPut
from minigrad.ops.scatter import ScatterAdd

inf, nan = math.inf, math.nan

# ------------------------------------------------------------------------------------ how inputs are drawn


def normal(rng, shape):
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def positive(rng, shape):
    """Numbers in [0.5, 2)."""
    return rng.uniform(0.5, 2.0, shape)


def unit(rng, shape):
    """Numbers in (-0.9, 0.9)."""
    return rng.uniform(-0.9, 0.9, shape)


def nonzero(rng, shape):
    """Numbers of either sign, of size 0.5 to 2."""
    return rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


def few(rng, shape):
    """Whole numbers from 0 to 2: many ties."""
    return rng.integers(0, 3, shape).astype(float)


def hooked_tanh(x):
    """tanh x by a module with a backward hook, which puts ops of its own around it."""
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    return layer(x)


# ----------------------------------------------------------------------- definitions in plain NumPy and Python

erf = np.vectorize(math.erf, otypes=[float])


def pad_pairs(x, pad):
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2)
    return pairs + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]


def index_add(key, shape, x):
    y = np.zeros(shape)
    np.add.at(y, key, x)
    return y


def scatter_add(dim, size, index, x):
    y = np.zeros([size if i == dim else n for i, n in enumerate(x.shape)])
    for place in np.ndindex(*x.shape):
        y[(*place[:dim], index[place], *place[dim + 1 :])] += x[place]
    return y


def written(x, key, v):
    y = x.copy()
    y[key] = v
    return y


def scattered(dim, index, x, v):
    """x with v written at the index along dim, one element after the other."""
    y = x.copy()
    for place in np.ndindex(*index.shape):
        y[(*place[:dim], index[place], *place[dim + 1 :])] = v[place]
    return y


def p_norm(p, x, axis=None):
    return (np.abs(x) ** p).sum(axis) ** (1 / p)


@np.errstate(divide="ignore")  # over no elements
def log_sum_exp(x, axis):
    return np.log(np.exp(x).sum(axis))


def constants(x):
    """A mean and a variance for each channel of x, and eps, that make 1 / standard deviation 3."""
    kind = x.dtype
    return {"mean": np.full(x.shape[1], 0.25, kind), "var": np.full(x.shape[1], 1 / 9 - 1e-3, kind), "eps": 1e-3}


def normalized(x, w=None, b=None, eps=1e-5):
    y = (x - x.mean((0, 2), keepdims=True)) / np.sqrt(x.var((0, 2), keepdims=True) + eps)
    y = y if w is None else y * w[:, None]
    return y if b is None else y + b[:, None]


def normalized_rows(x, w=None, b=None, eps=1e-5):
    y = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps)
    y = y if w is None else y * w
    return y if b is None else y + b


def taps(x_shape, w_shape, y_shape, stride, padding, dilation, groups):
    """Every (y index, w index, x index) that a convolution multiplies, one image of the batch at a time."""
    (_, _, height, width), (channels_out, per_group, kh, kw) = x_shape, w_shape
    for o, c, i, j, h, k in product(*map(range, (channels_out, per_group, *y_shape[2:], kh, kw))):
        row, column = i * stride[0] + h * dilation[0] - padding[0], j * stride[1] + k * dilation[1] - padding[1]
        if 0 <= row < height and 0 <= column < width:
            group = o // (channels_out // groups)
            yield (..., o, i, j), (o, c, h, k), (..., group * per_group + c, row, column)


def conv_shape(x_shape, w_shape, stride, padding, dilation):
    image = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x_shape[2:], w_shape[2:], stride, padding, dilation, strict=True)
    ]
    return (x_shape[0], w_shape[0], *image)


def conv(x, w, b=None, **geometry):
    y = np.zeros(conv_shape(x.shape, w.shape, **{k: v for k, v in geometry.items() if k != "groups"}))
    for at_y, at_w, at_x in taps(x.shape, w.shape, y.shape, **geometry):
        y[at_y] += x[at_x] * w[at_w]
    return y if b is None else y + b[:, None, None]


def conv_input(g, w, input_shape, **geometry):
    x = np.zeros(input_shape)
    for at_y, at_w, at_x in taps(input_shape, w.shape, g.shape, **geometry):
        x[at_x] += g[at_y] * w[at_w]
    return x


def conv_weight(x, g, weight_shape, **geometry):
    w = np.zeros(weight_shape)
    for at_y, at_w, at_x in taps(x.shape, weight_shape, g.shape, **geometry):
        w[at_w] += (g[at_y] * x[at_x]).sum()
    return w


def window(n, i, k, stride=1, padding=0, dilation=1):
    """The positions that window i of k places covers in an axis of n."""
    return [m for m in (i * stride - padding + dilation * h for h in range(k)) if 0 <= m < n]


def pooled(reduce, x, k, out, **geometry):
    y = np.empty((*x.shape[:2], *out))
    for i, j in np.ndindex(*out):
        rows, columns = (window(n, m, k, **geometry) for n, m in zip(x.shape[2:], (i, j), strict=True))
        y[..., i, j] = reduce(x[:, :, rows][:, :, :, columns], axis=(2, 3))
    return y


def adaptive(x, out, reduce=np.mean):
    y = np.empty((*x.shape[:2], *out))
    for i, j in np.ndindex(*out):
        rows, columns = (
            slice(m * n // o, -(-(m + 1) * n // o)) for m, n, o in zip((i, j), x.shape[2:], out, strict=True)
        )
        y[..., i, j] = reduce(x[:, :, rows, columns], axis=(2, 3))
    return y


def unfolded(x, kernel_size, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True)]
    starts = product(*(range(0, n - span + 1, s) for n, span, s in zip(x.shape[2:], spans, stride, strict=True)))
    windows = [x[:, :, i : i + spans[0] : dilation[0], j : j + spans[1] : dilation[1]] for i, j in starts]
    return np.stack([w.reshape(len(x), math.prod(w.shape[1:])) for w in windows], -1)


def folded(x, output_size, **window):
    image = (x.shape[1] // math.prod(window["kernel_size"]), *output_size)
    places = unfolded(np.arange(math.prod(image)).reshape(1, *image) + 1, **window)[0]  # 0 where the padding is
    y = np.zeros((len(x), math.prod(image) + 1))
    for n, columns in enumerate(x):
        np.add.at(y[n], places, columns)
    return y[:, 1:].reshape(len(x), *image)


def cross_entropy(x, labels):
    return log_sum_exp(x, 1) - x[np.arange(len(x)), labels]


# ------------------------------------------------------------------------------------------------- the rows


class Row(NamedTuple):
    """An op, and all that the harness has to know of it."""

    name: str  # its class in minigrad.ops, or the function that is composed of others
    ours: Callable
    numpy: Callable
    cases: Sequence[tuple]  # for each case the shapes of the inputs
    draw: Any = normal  # or a tuple of these, one an input
    awkward: Sequence[tuple] = ()  # (inputs..., value, gradients...), the gradient of the output being ones
    order: int = 3  # up to which derivatives are compared with differences


ONE = [((2, 3),), ((),), ((0, 2),), ((1, 1, 2),)]
THREE = [((2, 3),) * 3, ((2, 3), (3,), ()), ((), (2,), (1,)), ((0, 3), (1,), (3,))]
TWO = [((2, 3), (2, 3)), ((2, 1), (1, 3)), ((3,), (2, 3)), ((), (2,)), ((), ()), ((0, 3), (3,)), ((1,), (2, 1, 2))]
MATRIX = [((3, 4),), ((2, 3, 2),), ((1, 1),), ((2, 0),)]
RAGGED = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
PLAIN = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
WIDE = {**PLAIN, "stride": (1, 2)}
WINDOW = {"kernel_size": (2, 2), "stride": (1, 2), "padding": (1, 0), "dilation": (1, 2)}
KEY = (slice(None), np.array([0, 2, 0, 1]))  # a place named twice
TO_ROWS = [(ops.shape.Permute, {"dims": (1, 0)}), (ops.index.Index, {"key": (slice(1, None),)})]
MASK = np.array([[True, False, True], [False, False, True]])
PLACES = np.array([[0, 2, 0, 1], [1, 1, 2, 2]])
WINNERS = np.array([[[[0, 2], [5, 8]]]])
AVERAGE = {"stride": (2, 2), "padding": (1, 1), "count_include_pad": True, "divisor_override": None}


def there_and_back(x):
    return ops.cast(ops.cast(x, minigrad.float32 if x.dtype == minigrad.float64 else minigrad.float64), x.dtype)


def labels(x):
    return np.arange(x.shape[0]) % 3


ROWS = [
    # arithmetic
    Row("Add", ops.add, np.add, TWO, awkward=[(-0.0, -0.0, -0.0, 1, 1), (inf, -inf, nan, 1, 1), (nan, 1, nan, 1, 1)]),
    Row("Sub", ops.sub, np.subtract, TWO, awkward=[(0.0, 0.0, 0.0, 1, -1), (inf, inf, nan, 1, -1)]),
    Row(
        "Mul",
        ops.mul,
        np.multiply,
        TWO,
        awkward=[(-0.0, 2, -0.0, 2, -0.0), (0, inf, nan, inf, 0), (1e200, 1e200, inf, 1e200, 1e200)],
    ),
    Row(
        "Div",
        ops.div,
        np.divide,
        TWO,
        (normal, nonzero),
        [(1, 0.0, inf, inf, -inf), (1, -0.0, -inf, -inf, -inf), (0, 0, nan, inf, nan), (1, inf, 0, 0, -0.0)],
    ),
    Row("Neg", ops.neg, np.negative, ONE, awkward=[(0.0, -0.0, -1), (inf, -inf, -1), (nan, nan, -1)]),
    Row(
        "Pow",
        ops.pow,
        np.power,
        TWO,
        (positive, normal),
        [
            (0, 0, 1, 0, 0),
            (0, 2, 0, 0, 0),
            (0, 1, 0, 1, 0),
            (2, 0, 1, 0, math.log(2)),
            (0, -1, inf, -inf, -inf),
            (-2, 2, 4, -4, nan),
        ],
    ),
    Row("Pow", lambda x: ops.pow(x, 3), lambda x: x**3, ONE, awkward=[(0, 0, 0), (-2, -8, 12), (inf, inf, inf)]),
    Row("Pow", lambda x: ops.pow(x, 0), np.ones_like, ONE, awkward=[(0, 1, 0), (nan, 1, 0), (inf, 1, 0)]),
    Row("Pow", lambda x: ops.pow(x, 0.5), lambda x: x**0.5, ONE, positive, [(0, 0, inf), (-1, nan, nan)]),
    Row("Pow", lambda x: ops.pow(2.0, x), lambda x: 2.0**x, ONE, awkward=[(0, 1, math.log(2)), (-inf, 0, 0)]),
    Row("square", ops.square, np.square, ONE, awkward=[(-0.0, 0, 0), (-inf, inf, -inf)]),
    Row(
        "reciprocal", ops.reciprocal, np.reciprocal, ONE, nonzero, [(0, inf, -inf), (-0.0, -inf, -inf), (inf, 0, -0.0)]
    ),
    Row("add", lambda a, b: ops.add(a, b, alpha=-2), lambda a, b: a - 2 * b, TWO),
    Row("sub", lambda a, b: ops.sub(a, b, alpha=3), lambda a, b: a - 3 * b, TWO),
    Row(
        "addcmul",
        lambda x, a, b: ops.addcmul(x, a, b, value=-2),
        lambda x, a, b: x - 2 * a * b,
        THREE,
        awkward=[(1, 2, 0, 1, 1, 0, -4), (-0.0, 0, 0, 0, 1, 0, 0)],
    ),
    Row(
        "addcdiv",
        lambda x, a, b: ops.addcdiv(x, a, b, value=3),
        lambda x, a, b: x + 3 * a / b,
        THREE,
        (normal, normal, nonzero),
        awkward=[(0, 1, 0.0, inf, 1, inf, -inf), (0, 0, 2, 0, 1, 1.5, 0)],
    ),
    Row(
        "Lerp",
        ops.lerp,
        lambda a, b, w: a + w * (b - a),
        THREE,
        awkward=[(1e17, 1, 1, 1, 0, 1, -1e17), (3, 0.1, 0, 3, 1, 0, -2.9), (1, 3, -1, -1, 2, -1, 2)],
    ),
    Row("Lerp", lambda a, b: ops.lerp(a, b, 0.3), lambda a, b: 0.7 * a + 0.3 * b, TWO, awkward=[(1, 1, 1, 0.7, 0.3)]),
    Row(
        "LogAddExp",
        ops.logaddexp,
        np.logaddexp,
        TWO,
        awkward=[
            (0, 0, math.log(2), 0.5, 0.5),
            (800, -800, 800, 1, 0),
            (-inf, 2, 2, 0, 1),
            (inf, 2, inf, 1, 0),
            (nan, 1, nan, nan, nan),
        ],
    ),
    # rounding: flat almost everywhere
    Row("Rounded", ops.floor, np.floor, ONE, awkward=[(-0.5, -1, 0), (2, 2, 0), (-0.0, -0.0, 0), (nan, nan, 0)]),
    Row("Rounded", ops.ceil, np.ceil, ONE, awkward=[(-0.5, -0.0, 0), (2, 2, 0), (inf, inf, 0)]),
    Row("Rounded", ops.trunc, np.trunc, ONE, awkward=[(-1.5, -1, 0), (1.5, 1, 0), (-inf, -inf, 0)]),
    Row("Rounded", ops.round, np.round, ONE, awkward=[(0.5, 0, 0), (-0.5, -0.0, 0), (1.5, 2, 0), (2.5, 2, 0)]),
    Row(
        "round",
        lambda x: ops.round(x, decimals=2),
        lambda x: np.rint(x * 100) / 100,
        ONE,
        few,  # elsewhere float16 and float64 do not agree on what is nearest
        awkward=[(0.125, 0.12, 0), (inf, inf, 0), (1e308, inf, 0)],
    ),
    Row("round", lambda x: ops.round(x, decimals=-1), lambda x: np.rint(x / 10) * 10, ONE, few, [(25, 20, 0)]),
    Row("frac", ops.frac, lambda x: x - np.trunc(x), ONE, awkward=[(-1.25, -0.25, 1), (2, 0, 1), (inf, nan, 1)]),
    Row(
        "Quotient",
        ops.floor_divide,
        np.floor_divide,
        TWO,
        (normal, nonzero),
        [(-7, 2, -4, 0, 0), (1, 0.0, inf, 0, 0), (0, 0, nan, 0, 0), (-1, inf, -1, 0, 0)],
    ),
    Row(
        "div",
        lambda a, b: ops.div(a, b, rounding_mode="trunc"),
        lambda a, b: np.trunc(a / b),
        TWO,
        (normal, nonzero),
        [(-7, 2, -3, 0, 0), (-1, 0.0, -inf, 0, 0), (-1, inf, -0.0, 0, 0)],
    ),
    Row(
        "Remainder",
        ops.remainder,
        np.remainder,
        TWO,
        (normal, nonzero),
        [(-7, 2, 1, 1, 4), (7, -2, -1, 1, 4), (4, -2, 0, 1, 2), (-1, inf, inf, 1, 1), (1, 0, nan, 1, -inf)],
    ),
    Row(
        "Remainder", ops.fmod, np.fmod, TWO, (normal, nonzero), [(-7, 2, -1, 1, 3), (7, -2, 1, 1, 3), (4, 2, 0, 1, -2)]
    ),
    # exponentials and their relatives
    Row("Exp", ops.exp, np.exp, ONE, awkward=[(-inf, 0, 0), (inf, inf, inf), (800, inf, inf), (nan, nan, nan)]),
    Row("Log", ops.log, np.log, ONE, positive, [(0, -inf, inf), (-0.0, -inf, -inf), (-1, nan, -1), (inf, inf, 0)]),
    Row("Log1p", ops.log1p, np.log1p, ONE, unit, [(-1, -inf, inf), (1e-20, 1e-20, 1), (-2, nan, -1)]),
    Row(
        "Expm1", ops.expm1, np.expm1, ONE, awkward=[(-0.0, -0.0, 1), (1e-20, 1e-20, 1), (-inf, -1, 0), (800, inf, inf)]
    ),
    Row("Exp2", ops.exp2, np.exp2, ONE, awkward=[(3, 8, 8 * math.log(2)), (-inf, 0, 0), (1e4, inf, inf)]),
    Row("Log2", ops.log2, np.log2, ONE, positive, [(8, 3, 1 / (8 * math.log(2))), (0, -inf, inf), (inf, inf, 0)]),
    Row("Log10", ops.log10, np.log10, ONE, positive, [(0.1, -1, 10 / math.log(10)), (0, -inf, inf), (inf, inf, 0)]),
    Row("Sqrt", ops.sqrt, np.sqrt, ONE, positive, [(0, 0, inf), (-0.0, -0.0, -inf), (-1, nan, nan), (inf, inf, 0)]),
    Row(
        "rsqrt",
        ops.rsqrt,
        lambda x: 1 / np.sqrt(x),
        ONE,
        positive,
        [(0, inf, -inf), (inf, 0, -0.0), (-1, nan, nan), (-0.0, -inf, inf), (-inf, nan, nan)],
    ),
    Row("Sin", ops.sin, np.sin, ONE, awkward=[(-0.0, -0.0, 1), (inf, nan, nan)]),
    Row("Cos", ops.cos, np.cos, ONE, awkward=[(0, 1, 0), (-inf, nan, nan)]),
    Row("Tan", ops.tan, np.tan, ONE, unit, [(-0.0, -0.0, 1), (inf, nan, nan)]),
    Row("Asin", ops.asin, np.arcsin, ONE, unit, [(-0.0, -0.0, 1), (1, math.pi / 2, inf), (2, nan, nan)]),
    Row("Acos", ops.acos, np.arccos, ONE, unit, [(0, math.pi / 2, -1), (-1, math.pi, -inf), (-2, nan, nan)]),
    Row("Atan", ops.atan, np.arctan, ONE, awkward=[(-0.0, -0.0, 1), (-inf, -math.pi / 2, 0), (1e200, math.pi / 2, 0)]),
    Row(
        "Atan2",
        ops.atan2,
        np.arctan2,
        TWO,
        (normal, nonzero),
        [(0, 0, 0, 0, 0), (0, -1, math.pi, -1, 0), (-0.0, -1, -math.pi, -1, 0), (1, 0, math.pi / 2, 0, -1)],
    ),
    Row("Sinh", ops.sinh, np.sinh, ONE, awkward=[(-0.0, -0.0, 1), (-inf, -inf, inf), (800, inf, inf)]),
    Row("Cosh", ops.cosh, np.cosh, ONE, awkward=[(0, 1, 0), (-inf, inf, -inf), (800, inf, inf)]),
    Row("Tanh", ops.tanh, np.tanh, ONE, awkward=[(-0.0, -0.0, 1), (inf, 1, 0), (-1000, -1, 0), (nan, nan, nan)]),
    Row(
        "Sigmoid",
        ops.sigmoid,
        lambda x: 1 / (1 + np.exp(-x)),
        ONE,
        awkward=[(0, 0.5, 0.25), (-800, 0, 0), (inf, 1, 0), (-inf, 0, 0), (nan, nan, nan)],
    ),
    Row(
        "Erf", ops.erf, erf, ONE, awkward=[(-0.0, -0.0, 2 / math.pi**0.5), (inf, 1, 0), (-inf, -1, 0), (nan, nan, nan)]
    ),
    # kinks
    Row("Abs", ops.abs, np.abs, ONE, awkward=[(0.0, 0.0, 0), (-0.0, 0.0, 0), (-inf, inf, -1), (nan, nan, 0)]),
    Row("Sign", ops.sign, np.sign, ONE, awkward=[(0, 0, 0), (-0.0, 0, 0), (-inf, -1, 0), (nan, 0, 0)]),
    Row(
        "Maximum",
        ops.maximum,
        np.maximum,
        TWO,
        awkward=[(1, 1, 1, 0.5, 0.5), (-0.0, 0.0, 0, 0.5, 0.5), (1, inf, inf, 0, 1), (2, -inf, 2, 1, 0)],
    ),
    Row("Minimum", ops.minimum, np.minimum, TWO, awkward=[(1, 1, 1, 0.5, 0.5), (1, -inf, -inf, 0, 1), (2, 3, 2, 1, 0)]),
    Row(
        "Clamp",
        lambda x: ops.clamp(x, -0.5, 0.7),
        lambda x: np.clip(x, -0.5, 0.7),
        ONE,
        awkward=[(-0.5, -0.5, 1), (0.7, 0.7, 1), (-inf, -0.5, 0), (inf, 0.7, 0), (nan, nan, 0)],
    ),
    Row("Clamp", lambda x: ops.clamp(x, max=0), lambda x: np.minimum(x, 0), ONE, awkward=[(0, 0, 1), (1, 0, 0)]),
    Row("Clamp", lambda x: ops.clamp(x, 1, -1), lambda x: np.full_like(x, -1), ONE, awkward=[(0, -1, 0)]),
    Row(
        "ClampBetween",
        ops.clamp,
        lambda x, low, high: np.minimum(np.maximum(x, low), high),
        THREE,
        awkward=[
            (1, 1, 2, 1, 1, 0, 0),
            (0, 2, 1, 1, 0, 0, 1),
            (5, 1, 2, 2, 0, 0, 1),
            (2, 2, 2, 2, 1, 0, 0),
            (1, 2, 2, 2, 0, 0, 0),
            (nan, 1, 2, nan, 0, 0, 0),
            (1, nan, 2, nan, 0, 0, 0),
            (3, nan, 2, nan, 0, 0, 1),
        ],
    ),
    Row(
        "clamp_min", ops.clamp_min, np.maximum, TWO, awkward=[(1, 1, 1, 1, 0), (0, inf, inf, 0, 1), (nan, 0, nan, 0, 0)]
    ),
    Row("clamp_max", ops.clamp_max, np.minimum, TWO, awkward=[(1, 1, 1, 1, 0), (2, 1, 1, 0, 1), (0, nan, nan, 0, 0)]),
    Row("clamp_max", lambda x: ops.clamp_max(x, 0.5), lambda x: np.minimum(x, 0.5), ONE, awkward=[(0.5, 0.5, 1)]),
    Row(
        "NanToNum",
        lambda x: ops.nan_to_num(x, 3, -inf, -2),
        np.copy,
        ONE,
        awkward=[(nan, 3, 0), (inf, -inf, 0), (-inf, -2, 0), (-0.0, -0.0, 1)],
    ),
    Row(
        "Where",
        lambda c, a, b: ops.where(c > 0, a, b),
        lambda c, a, b: np.where(c > 0, a, b),
        [((2, 3),) * 3, ((3,), (2, 1), ()), ((), (), (2,)), ((0, 1), (), (3,))],
        awkward=[(1, 2, nan, 2, 0, 1, 0), (-1, inf, 3, 3, 0, 0, 1)],
    ),
    Row(
        "ReLU",
        ops.relu,
        lambda x: np.maximum(x, 0),
        ONE,
        awkward=[(0.0, 0.0, 0), (-0.0, 0.0, 0), (inf, inf, 1), (-inf, 0, 0)],
    ),
    Row(
        "LeakyReLU",
        lambda x: ops.leaky_relu(x, 0.2),
        lambda x: np.where(x > 0, x, 0.2 * x),
        ONE,
        awkward=[(0, 0, 0.2), (-inf, -inf, 0.2), (nan, nan, 0.2)],
    ),
    Row(
        "ELU",
        lambda x: ops.elu(x, 0.7),
        lambda x: np.where(x > 0, x, 0.7 * np.expm1(x)),
        ONE,
        awkward=[(0, 0, 0.7), (inf, inf, 1), (-inf, -0.7, 0), (800, 800, 1)],
    ),
    Row(
        "Softplus",
        lambda x: ops.softplus(x, 2, 5),
        lambda x: np.where(x > 2.5, x, np.log1p(np.exp(2 * x)) / 2),
        ONE,
        awkward=[(0, math.log(2) / 2, 0.5), (3, 3, 1), (-800, 0, 0), (inf, inf, 1), (-inf, 0, 0)],
    ),
    Row(
        "HardTanh",
        ops.hardtanh,
        lambda x: np.clip(x, -1, 1),
        ONE,
        awkward=[(1, 1, 0), (-1, -1, 0), (inf, 1, 0), (0.5, 0.5, 1)],
    ),
    Row("relu6", ops.relu6, lambda x: np.clip(x, 0, 6), ONE, awkward=[(0, 0, 0), (6, 6, 0), (7, 6, 0)]),
    Row(
        "HardSigmoid",
        ops.hardsigmoid,
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        ONE,
        awkward=[(-3, 0, 0), (3, 1, 0), (0, 0.5, 1 / 6), (nan, nan, 0), (inf, 1, 0)],
    ),
    Row(
        "GELU",
        ops.gelu,
        lambda x: 0.5 * x * (1 + erf(x / 2**0.5)),
        ONE,
        awkward=[(0, 0, 0.5), (inf, inf, nan), (-50, 0, 0)],
    ),
    Row(
        "gelu",
        partial(ops.gelu, approximate="tanh"),
        lambda x: 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        ONE,
        awkward=[(0, 0, 0.5), (50, 50, 1)],
    ),
    Row("SiLU", ops.silu, lambda x: x / (1 + np.exp(-x)), ONE, awkward=[(0, 0, 0.5), (-800, 0, 0), (800, 800, 1)]),
    Row(
        "mish",
        ops.mish,
        lambda x: x * np.tanh(np.log1p(np.exp(x))),
        ONE,
        awkward=[(0, 0, 0.6), (800, 800, 1), (-800, 0, 0)],
    ),
    Row("softsign", ops.softsign, lambda x: x / (1 + np.abs(x)), ONE, awkward=[(0, 0, 1), (-1, -0.5, 0.25)]),
    Row(
        "HardSwish",
        ops.hardswish,
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        ONE,
        awkward=[(-3, -0.0, 0), (3, 3, 1), (0, 0, 0.5), (nan, nan, 1), (inf, inf, 1), (-4, -0.0, 0)],
    ),
    Row(
        "selu",
        ops.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        ONE,
        awkward=[(0, 0, 1.7580993408473766), (inf, inf, 1.0507009873554805), (-800, -1.7580993408473766, 0)],
    ),
    Row(
        "celu",
        lambda x: ops.celu(x, 0.4),
        lambda x: np.where(x > 0, x, 0.4 * np.expm1(x / 0.4)),
        ONE,
        awkward=[(0, 0, 1), (inf, inf, 1), (-inf, -0.4, 0), (nan, nan, 1)],
    ),
    Row(
        "threshold",
        lambda x: ops.threshold(x, 0.3, -2.0),
        lambda x: np.where(x > 0.3, x, -2.0),
        ONE,
        awkward=[(0.3, -2, 0), (inf, inf, 1), (-inf, -2, 0), (nan, nan, 1)],
    ),
    Row(
        "hardshrink",
        ops.hardshrink,
        lambda x: np.where(np.abs(x) > 0.5, x, 0),
        ONE,
        awkward=[(0.5, 0, 0), (-0.5, 0, 0), (inf, inf, 1), (nan, nan, 1)],
    ),
    Row(
        "softshrink",
        lambda x: ops.softshrink(x, 0.3),
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.3, 0),
        ONE,
        awkward=[(0.3, 0, 0), (-0.3, 0, 0), (-inf, -inf, 1), (nan, nan, 1)],
    ),
    Row("tanhshrink", ops.tanhshrink, lambda x: x - np.tanh(x), ONE, awkward=[(0, 0, 0), (inf, inf, 1)]),
    Row(
        "prelu",
        ops.prelu,
        lambda x, w: np.where(x > 0, x, x * (w[:, None] if x.ndim > 2 else w)),
        [((2, 3), (3,)), ((2, 3, 2), (3,)), ((4,), (1,)), ((0, 2), (2,)), ((2, 3), ())],
        awkward=[([inf, 0], [0.5], [inf, 0], [1, 0.5], [0]), ([nan, -2], [2], [nan, -4], [2, 2], [nan])],
    ),
    Row(
        "glu",
        lambda x: ops.glu(x, 1),
        lambda x: x[:, : x.shape[1] // 2] / (1 + np.exp(-x[:, x.shape[1] // 2 :])),
        [((2, 4),), ((3, 2, 2),), ((0, 2),), ((2, 0),)],
        awkward=[([[3, -800]], [[0]], [[0, 0]]), ([[3, 800]], [[3]], [[1, 0]])],
    ),
    # what every family shares
    Row("Cast", there_and_back, np.copy, ONE, few, awkward=[(0.1, np.float32(0.1), 1), (1e-50, 0, 1)], order=0),
    Row(
        "SumTo",
        lambda x: ops.common.SumTo.apply(x, shape=(1, 3)),
        lambda x: x.sum((0, 1), keepdims=True)[0],
        [((2, 4, 3),), ((0, 1, 3),), ((1, 1, 3),)],
    ),
    Row(
        "BroadcastTo",
        lambda x: ops.broadcast_to(x, (2, 4, 3)),
        lambda x: np.broadcast_to(x, (2, 4, 3)),
        [((4, 1),), ((),), ((2, 1, 3),)],
    ),
    Row("Clone", ops.clone, np.copy, ONE),
    Row("Alias", autograd.engine.Alias.apply, np.copy, ONE),
    Row("Port", hooked_tanh, np.tanh, ONE),
    Row("Gate", hooked_tanh, np.tanh, ONE),
    # reductions
    Row("Sum", lambda x: ops.sum(x, 1), lambda x: x.sum(1), MATRIX, awkward=[([[1, inf, -inf]], [nan], [[1, 1, 1]])]),
    Row("Sum", ops.sum, np.sum, ONE, awkward=[([], 0, [])]),
    Row("Sum", lambda x: ops.sum(x, (0, -1), keepdim=True), lambda x: x.sum((0, -1), keepdims=True), MATRIX),
    Row(
        "mean",
        lambda x: ops.mean(x, (0, 1)),
        lambda x: x.mean((0, 1)),
        MATRIX[:3],
        awkward=[([[1, 3]], 2, [[0.5, 0.5]])],
    ),
    Row(
        "var",
        lambda x: ops.var(x, 1),
        lambda x: x.var(1, ddof=1),
        MATRIX[:2],
        awkward=[([[3, 3, 3]], [0], [[0, 0, 0]])],
    ),
    Row(
        "var",
        lambda x: ops.var(x, correction=0, keepdim=True),
        lambda x: x.var(keepdims=True),
        MATRIX[:3],
        awkward=[([1e8, 1e8 + 2], [1], [-1, 1])],
    ),
    Row(
        "std",
        lambda x: ops.std(x, 0),
        lambda x: x.std(0, ddof=1),
        [*MATRIX[:2], ((4,),)],
        awkward=[([3, 3, 3], 0, [0, 0, 0])],
    ),
    Row(
        "norm", ops.norm, lambda x: p_norm(2, x), ONE, awkward=[([3, 4], 5, [0.6, 0.8]), ([0, 0], 0, [0, 0]), (0, 0, 0)]
    ),
    Row(
        "norm",
        lambda x: ops.norm(x, 3, 1),
        lambda x: p_norm(3, x, 1),
        MATRIX,
        awkward=[([[0, -2]], [2], [[0, -1]]), ([[0, 0]], [0], [[0, 0]])],
    ),
    Row(
        "norm",
        lambda x: ops.norm(x, 1, 0, keepdim=True),
        lambda x: np.abs(x).sum(0, keepdims=True),
        MATRIX,
        awkward=[([0, -2], [2], [0, -1])],
    ),
    Row(
        "norm",
        lambda x: ops.norm(x, -2, 1),
        lambda x: p_norm(-2, x, 1),
        [((3, 4),), ((2, 3, 2),), ((1, 1),)],
        nonzero,
        awkward=[([[0, -2]], [0], [[0, 0]])],
    ),
    Row(
        "norm",
        lambda x: ops.norm(x, 0),
        lambda x: np.sum(x != 0.0, dtype=float),
        MATRIX,
        awkward=[([0, -2, nan], 2, [0, 0, 0])],
    ),
    Row("norm", lambda x: ops.norm(x, inf), lambda x: np.abs(x).max(), MATRIX[:3], awkward=[([3, -3], 3, [0.5, -0.5])]),
    Row("norm", lambda x: ops.norm(x, -inf, 1), lambda x: np.abs(x).min(1), MATRIX[:3]),
    Row(
        "CumSum",
        lambda x: ops.cumsum(x, 1),
        lambda x: x.cumsum(1),
        MATRIX,
        awkward=[([[1, inf, -inf]], [[1, inf, nan]], [[3, 2, 1]])],
    ),
    Row("CumSum", lambda x: ops.reduce.CumSum.apply(x, dim=0, reverse=True), lambda x: x[::-1].cumsum(0)[::-1], MATRIX),
    Row(
        "Chosen",
        lambda x: ops.amax(x, 1),
        lambda x: x.max(1),
        MATRIX[:3],
        awkward=[
            ([[2, 2, 1, 2]], [2], [[1 / 3, 1 / 3, 0, 1 / 3]]),
            ([[-inf, -inf]], [-inf], [[0.5, 0.5]]),
            ([[1, nan]], [nan], [[0, 1]]),
        ],
    ),
    Row("Chosen", ops.amin, np.min, MATRIX[:3], awkward=[([2, 1, 1], 1, [0, 0.5, 0.5]), (3, 3, 1)]),
    Row(
        "max",
        lambda x: ops.max(x, 1).values,
        lambda x: x.max(1),
        MATRIX[:3],
        awkward=[([[2, 5, 5]], [5], [[0, 1, 0]]), ([[nan, 1, nan]], [nan], [[1, 0, 0]])],
    ),
    Row("min", lambda x: ops.min(x, -1, keepdim=True).values, lambda x: x.min(-1, keepdims=True), MATRIX[:3]),
    Row("max", ops.max, np.max, MATRIX[:3], awkward=[([2, 5, 5], 5, [0, 0.5, 0.5])]),
    Row(
        "aminmax",
        lambda x: ops.stack(ops.aminmax(x, dim=1, keepdim=True)),
        lambda x: np.stack([x.min(1, keepdims=True), x.max(1, keepdims=True)]),
        MATRIX[:3],
        awkward=[([[2, 5, 5]], [[[2]], [[5]]], [[1, 0.5, 0.5]]), ([[2, 2]], [[[2]], [[2]]], [[1, 1]])],
    ),
    Row(
        "median",
        ops.median,
        lambda x: np.quantile(x, 0.5, method="lower"),
        MATRIX[:3],
        awkward=[([1, 2, 2, 3], 2, [0, 0.5, 0.5, 0]), ([nan, 1, 2], nan, [1, 0, 0]), ([], nan, [])],
    ),
    Row(
        "median",
        lambda x: ops.median(x, 1, keepdim=True).values,
        lambda x: np.quantile(x, 0.5, axis=1, method="lower", keepdims=True),
        MATRIX[:3],
        awkward=[([[3, 2, 2, 3]], [[2]], [[0, 1, 0, 0]]), ([[1, nan, nan]], [[nan]], [[0, 1, 0]])],
    ),
    Row(
        "prod",
        ops.prod,
        np.prod,
        [((2, 3),), ((),), ((0, 2),), ((7,),)],
        awkward=[
            ([2, 0, 3], 0, [0, 6, 0]),
            ([0, 0, 3], 0, [0, 0, 0]),
            ([0, 0, 0], 0, [0, 0, 0]),
            ([2, inf], inf, [inf, 2]),
            ([], 1, []),
        ],
    ),
    Row(
        "prod",
        lambda x: ops.prod(x, 1, keepdim=True),
        lambda x: x.prod(1, keepdims=True),
        MATRIX,
        few,  # zeros
        awkward=[([[2, 0, 3], [0, 0, 5]], [[0], [0]], [[0, 6, 0], [0, 0, 0]])],
    ),
    Row(
        "cumprod",
        lambda x: ops.cumprod(x, 1),
        lambda x: x.cumprod(1),
        [*MATRIX, ((2, 7),)],
        awkward=[([[2, 0, 3, 0]], [[2, 0, 0, 0]], [[1, 8, 0, 0]]), ([[nan, 0]], [[nan, nan]], [[1, nan]])],
    ),
    Row("cumprod", lambda x: ops.cumprod(x, 0), lambda x: x.cumprod(0), MATRIX, few),
    Row(
        "dist",
        ops.dist,
        lambda a, b: p_norm(2, a - b),
        TWO,
        awkward=[([1, 2], [1, 2], 0, [0, 0], [0, 0]), (3, 5, 2, -1, 1)],
    ),
    Row("dist", lambda a, b: ops.dist(a, b, p=3), lambda a, b: p_norm(3, a - b), TWO),
    Row(
        "dist",
        lambda a, b: ops.dist(a, b, inf),
        lambda a, b: np.abs(a - b).max(),
        [case for case in TWO if (0, 3) not in case],
        awkward=[([1, 2, 3], [0, 3, 3], 1, [0.5, -0.5, 0], [-0.5, 0.5, 0])],
    ),
    Row(
        "var_mean",
        lambda x: ops.stack(ops.var_mean(x, 1, correction=0)),
        lambda x: np.stack([x.var(1), x.mean(1)]),
        MATRIX[:3],
        awkward=[([[1, 3]], [[1], [2]], [[-0.5, 1.5]])],
    ),
    Row(
        "std_mean",
        lambda x: ops.stack(ops.std_mean(x, (0, 1), keepdim=True)),
        lambda x: np.stack([x.std((0, 1), ddof=1, keepdims=True), x.mean((0, 1), keepdims=True)]),
        [*MATRIX[:2], ((1, 2),)],
        awkward=[([[3, 3]], [[[0]], [[3]]], [[0.5, 0.5]])],
    ),
    Row(
        "Softmax",
        lambda x: ops.softmax(x, 1),
        lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
        MATRIX,
        awkward=[
            ([[0, -inf]], [[1, 0]], [[0, 0]]),
            ([[1e4, 1e4]], [[0.5, 0.5]], [[0, 0]]),
            ([[-inf, -inf]], [[nan, nan]], [[nan, nan]]),
        ],
    ),
    Row("Softmax", lambda x: ops.softmax(x, 0), np.ones_like, [((),), ((1,),)]),
    Row(
        "LogSoftmax",
        lambda x: ops.log_softmax(x, -1),
        lambda x: x - log_sum_exp(x, -1)[..., None],
        MATRIX,
        awkward=[([0, -inf], [0, -inf], [-1, 1]), ([1e4, 0], [0, -1e4], [-1, 1])],
    ),
    Row(
        "logsumexp",
        lambda x: ops.logsumexp(x, (0, 1)),
        lambda x: log_sum_exp(x, (0, 1)),
        MATRIX[:3],
        awkward=[
            ([[1000, 1000]], 1000 + math.log(2), [[0.5, 0.5]]),
            ([[-inf, 0]], 0, [[0, 1]]),
            ([[inf, 0]], inf, [[nan, 0]]),
        ],
    ),
    # shape
    Row(
        "Reshape",
        lambda x: ops.reshape(x, -1, 2),
        lambda x: x.reshape(-1, 2),
        [((3, 4),), ((2,),), ((0, 2),), ((1, 1, 2),)],
    ),
    Row(
        "Permute",
        lambda x: ops.permute(x, 2, 0, 1),
        lambda x: x.transpose(2, 0, 1),
        [((2, 3, 4),), ((1, 1, 1),), ((2, 0, 3),)],
    ),
    Row("Flip", lambda x: ops.flip(x, 0, -1), lambda x: np.flip(x, (0, -1)), MATRIX),
    Row("rot90", lambda x: ops.rot90(x, -1), lambda x: np.rot90(x, -1), MATRIX),
    Row("Roll", lambda x: ops.roll(x, (1, -3), (0, 1)), lambda x: np.roll(x, (1, -3), (0, 1)), MATRIX),
    Row("roll", lambda x: ops.roll(x, 2), lambda x: np.roll(x, 2), ONE),
    Row("Tile", lambda x: ops.repeat(x, 2, 1, 3), lambda x: np.tile(x, (2, 1, 3)), ONE),
    Row("tile", lambda x: ops.tile(x, (2, 0)), lambda x: np.tile(x, (2, 0)), ONE),
    Row("repeat_interleave", lambda x: ops.repeat_interleave(x, 2, 1), lambda x: np.repeat(x, 2, 1), MATRIX),
    Row(
        "repeat_interleave",
        lambda x: ops.repeat_interleave(x, np.array([2, 0, 1]), 0),
        lambda x: np.repeat(x, [2, 0, 1], 0),
        [((3,),), ((3, 2),), ((3, 0),)],
    ),
    Row("ravel", ops.ravel, np.ravel, ONE),
    Row("swapaxes", lambda x: ops.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1), MATRIX),
    Row(
        "Cat",
        lambda a, b: ops.cat([a, b], 1),
        lambda a, b: np.concatenate([a, b], 1),
        [((2, 3), (2, 1)), ((1, 0), (1, 2)), ((0, 1), (0, 2))],
    ),
    Row(
        "stack",
        lambda a, b: ops.stack([a, b, a], -1),
        lambda a, b: np.stack([a, b, a], -1),
        [((2, 3), (2, 3)), ((), ()), ((0,), (0,))],
    ),
    *[
        Row(
            name,
            lambda a, b, name=name: getattr(ops, name)([a, b, a]),
            lambda a, b, name=name: getattr(np, name)([a, b, a]),
            [((2, 3), (2, 3)), ((), ()), ((3,), (3,)), ((0,), (0,))],
        )
        for name in ("hstack", "vstack", "dstack")
    ],
    Row("split", lambda x: ops.split(x, 2, 1)[-1], lambda x: x[:, (x.shape[1] - 1) // 2 * 2 :], MATRIX[:3]),
    Row("chunk", lambda x: ops.chunk(x, 2, 1)[0], lambda x: x[:, : -(-x.shape[1] // 2)], MATRIX),
    Row("tensor_split", lambda x: ops.tensor_split(x, (1, 2), 1)[1], lambda x: x[:, 1:2], MATRIX),
    Row("unbind", lambda x: ops.unbind(x)[-1], lambda x: x[-1], MATRIX),
    Row("narrow", lambda x: ops.narrow(x, 1, -1, 1), lambda x: x[:, -1:], MATRIX[:3]),
    Row("select", lambda x: ops.select(x, 0, -1), lambda x: x[-1], MATRIX),
    Row(
        "meshgrid",
        lambda a, b: ops.meshgrid(a, b, indexing="xy")[1],
        lambda a, b: np.meshgrid(a, b)[1],
        [((2,), (3,)), ((), (2,)), ((0,), (2,))],
    ),
    Row(
        "Diagonal",
        lambda x: ops.diagonal(x, 1, 1, 0),
        lambda x: x.diagonal(1, 1, 0),
        [((3, 4),), ((4, 3, 2),), ((1, 1),), ((2, 0),)],
    ),
    Row(
        "DiagonalPut",
        lambda x: DiagonalPut.apply(x, shape=(3, len(x), 4), offset=1, dim1=0, dim2=2),
        lambda x: np.stack([np.diag(row, 1)[:3] for row in x], 1),
        [((2, 3),), ((1, 3),), ((5, 3),)],
    ),
    Row(
        "diag_embed",
        lambda x: ops.diag_embed(x, -1),
        lambda x: np.apply_along_axis(np.diag, -1, x, -1),
        [((3,),), ((2, 3),), ((1, 2, 1),)],
    ),
    Row("diag", lambda x: ops.diag(x, -1), lambda x: np.diag(x, -1), [((3,),), ((3, 4),), ((1, 1),), ((0,),)]),
    Row("diagflat", ops.diagflat, np.diagflat, ONE),
    Row(
        "tril",
        lambda x: ops.tril(x, -1),
        lambda x: np.tril(x, -1),
        MATRIX,
        awkward=[([[nan], [1]], [[0], [1]], [[0], [1]])],
    ),
    Row("triu", ops.triu, np.triu, MATRIX, awkward=[([[1, inf], [inf, 2]], [[1, inf], [0, 2]], [[1, 1], [0, 1]])]),
    Row(
        "Pad",
        lambda x: ops.pad(x, (1, 2, 0, 1), value=3.0),
        lambda x: np.pad(x, pad_pairs(x, (1, 2, 0, 1)), constant_values=3.0),
        MATRIX,
    ),
    Row(
        "pad",
        lambda x: ops.pad(x, (-1, 1, 1, -1)),
        lambda x: np.pad(x[:-1, 1:], pad_pairs(x, (0, 1, 1, 0))),
        [((3, 4),), ((1, 1),)],
    ),
    Row(
        "pad",
        lambda x: ops.pad(x, (1, 2), "reflect"),
        lambda x: np.pad(x, pad_pairs(x, (1, 2)), "reflect"),
        [((2, 3),), ((2, 1, 5),)],
    ),
    Row(
        "pad",
        lambda x: ops.pad(x, (2, 1, 1, 1), "circular"),
        lambda x: np.pad(x, pad_pairs(x, (2, 1, 1, 1)), "wrap"),
        MATRIX[:2],
    ),
    Row(
        "pad", lambda x: ops.pad(x, (2, 0), "replicate"), lambda x: np.pad(x, pad_pairs(x, (2, 0)), "edge"), MATRIX[:3]
    ),
    # indexing
    Row("Index", lambda x: ops.getitem(x, KEY), lambda x: x[KEY], [((2, 3),), ((0, 3),), ((1, 3, 2),)]),
    Row("Index", lambda x: ops.getitem(x, (..., None, slice(None, None, -2))), lambda x: x[..., None, ::-2], MATRIX),
    Row("Index", lambda x: ops.getitem(x, MASK), lambda x: x[MASK], [((2, 3),), ((2, 3, 2),), ((2, 3, 0),)]),
    Row(
        "IndexAdd",
        lambda x: ops.index.IndexAdd.apply(x, key=KEY, shape=(len(x), 3)),
        lambda x: index_add(KEY, (len(x), 3), x),
        [((2, 4),), ((1, 4),), ((0, 4),)],
    ),
    Row(
        "Gather",
        lambda x: ops.gather(x, 1, PLACES),
        lambda x: np.take_along_axis(x, PLACES, 1),
        [((2, 3),), ((2, 4),), ((2, 5),)],
    ),
    Row(
        "ScatterAdd",
        lambda x: ScatterAdd.apply(x, PLACES[: len(x)], dim=1, shape=(len(x), 3)),
        lambda x: scatter_add(1, 3, PLACES[: len(x)], x),
        [((2, 4),), ((1, 4),), ((0, 4),)],
    ),
    Row(
        "IndexPut",
        lambda x, v: ops.index.IndexPut.apply(x, v, key=KEY),
        lambda x, v: written(x, KEY, v),
        [((2, 3), (2, 4)), ((1, 3), (1, 4)), ((0, 3), (0, 4))],
    ),
    Row(
        "Write",
        lambda x, v: ops.write.Write.apply(x * 1, v, path=TO_ROWS, key=...),
        lambda x, v: written(x.T, np.s_[1:], v).T,
        [((3, 4), (3, 3)), ((1, 3), (2, 1)), ((0, 2), (1, 0))],
    ),
    Row(
        "Write",
        lambda x, v: ops.write.Write.apply(x * 1, v, path=[], key=KEY),
        lambda x, v: written(x, KEY, v),
        [((2, 3), (2, 4)), ((1, 3), (1, 4)), ((0, 3), (0, 4))],
    ),
    Row(
        "IndexPut",
        lambda x, v: ops.index.IndexPut.apply(x, v, key=(slice(None, None, 2), 0)),
        lambda x, v: written(x, (slice(None, None, 2), 0), v),
        [((3, 2), (2,)), ((2, 1, 3), (1, 3)), ((0, 2), (0,))],
        awkward=[([[inf], [nan]], [5], [[5], [nan]], [[0], [1]], [1])],
    ),
    Row(
        "scatter",
        lambda x, v: ops.scatter(x, 1, PLACES, v),
        lambda x, v: scattered(1, PLACES, x, v),
        [((2, 3), (2, 4)), ((3, 3), (3, 5)), ((2, 6), (2, 4))],
    ),
    Row(
        "scatter",
        lambda x: ops.scatter(x, 0, PLACES, 2.5),
        lambda x: scattered(0, PLACES, x, np.full((2, 4), 2.5)),
        [((3, 4),), ((4, 5),)],
    ),
    Row(
        "scatter",
        lambda x, v: ops.scatter(x, 1, PLACES, v, reduce="add"),
        lambda x, v: x + scatter_add(1, x.shape[1], PLACES, v),
        [((2, 3), (2, 4)), ((2, 6), (2, 4))],
    ),
    Row(
        "scatter",
        lambda x: ops.scatter(x, 1, PLACES, 3.0, reduce="multiply"),
        lambda x: x * 3.0 ** scatter_add(1, x.shape[1], PLACES, np.ones((2, 4))),
        [((2, 3),), ((2, 6),)],
    ),
    Row(
        "scatter_add",
        lambda x, v: ops.scatter_add(x, 1, PLACES, v),
        lambda x, v: x + scatter_add(1, x.shape[1], PLACES, v),
        [((2, 3), (2, 4)), ((2, 6), (2, 4)), ((2, 4), (2, 4))],
    ),
    Row(
        "index_select",
        lambda x: ops.index_select(x, 1, KEY[1]),
        lambda x: x[KEY],
        [((2, 3),), ((0, 3),), ((1, 3, 2),)],
    ),
    Row(
        "index_add",
        lambda x, v: ops.index_add(x, 1, KEY[1], v, alpha=-2),
        lambda x, v: x + index_add(KEY, x.shape, -2 * v),
        [((2, 3), (2, 4)), ((0, 3), (0, 4)), ((1, 3, 2), (1, 4, 2))],
    ),
    Row(
        "index_copy",
        lambda x, v: ops.index_copy(x, 1, KEY[1], v),
        lambda x, v: written(x, KEY, v),
        [((2, 3), (2, 4)), ((0, 3), (0, 4)), ((1, 3, 2), (1, 4, 2))],
    ),
    Row(
        "index_fill",
        lambda x: ops.index_fill(x, 1, KEY[1] - 2, 2.5),
        lambda x: written(x, (slice(None), KEY[1] - 2), 2.5),
        [((2, 3),), ((0, 3),), ((1, 3, 2),)],
    ),
    Row(
        "take", lambda x: ops.take(x, PLACES - 2), lambda x: np.take(x, PLACES - 2), [((2, 3),), ((3,),), ((1, 2, 2),)]
    ),
    Row(
        "take_along_dim",
        lambda x: ops.take_along_dim(x, PLACES, 1),
        lambda x: np.take_along_axis(np.broadcast_to(x, (2, x.shape[1])), PLACES, 1),
        [((2, 3),), ((1, 3),), ((2, 5),)],
    ),
    Row(
        "masked_fill",
        lambda x, v: ops.masked_fill(x, MASK, v),
        lambda x, v: np.where(MASK, v, x),
        [((2, 3), ()), ((3,), ()), ((), ()), ((4, 2, 3), ())],
        awkward=[([[1, nan, inf]], 5, [[5, nan, 5], [1, nan, 5]], [[1, 2, 0]], 3)],
    ),
    Row(
        "masked_select",
        lambda x: ops.masked_select(x, MASK),
        lambda x: (x + np.zeros((2, 3)))[..., MASK].ravel(),
        [((2, 3),), ((3,),), ((),), ((4, 2, 3),)],
    ),
    Row(
        "masked_scatter",
        lambda x, v: ops.masked_scatter(x, MASK, v),
        lambda x, v: written(np.broadcast_to(x, (2, 3)), MASK, v.ravel()[:3]),
        [((2, 3), (5,)), ((3,), (2, 2)), ((), (3,))],
    ),
    # order
    Row(
        "sort",
        lambda x: ops.sort(x, 1).values,
        lambda x: np.sort(x, 1),
        MATRIX,
        awkward=[
            ([[2, nan, -inf, inf]], [[-inf, 2, inf, nan]], [[1, 1, 1, 1]]),
            ([[0.0, -0.0]], [[0.0, -0.0]], [[1, 1]]),
        ],
    ),
    Row(
        "sort",
        lambda x: ops.sort(x, descending=True).values,
        lambda x: -np.sort(-x),
        MATRIX,
    ),
    Row(
        "topk",
        lambda x: ops.topk(x, 1, 1).values,
        lambda x: x.max(1, keepdims=True),
        MATRIX[:3],
        awkward=[([[2, 5, 5]], [[5]], [[0, 1, 0]]), ([[1, nan, inf]], [[nan]], [[0, 1, 0]])],
    ),
    Row(
        "topk",
        lambda x: ops.topk(x, 2, 0, largest=False).values,
        lambda x: np.sort(x, 0)[:2],
        [((3,),), ((3, 2),), ((2, 0),)],
    ),
    Row(
        "kthvalue",
        lambda x: ops.kthvalue(x, 2, 0).values,
        lambda x: np.sort(x, 0)[1],
        [((3,),), ((3, 2),), ((2, 0),)],
        awkward=[([2, 2, 1], 2, [1, 0, 0]), ([nan, 1], nan, [1, 0])],
    ),
    # products
    Row(
        "MatMul",
        ops.matmul,
        np.matmul,
        [
            ((2, 3), (3, 4)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (2, 3, 2)),
            ((2, 1, 2, 3), (3, 3, 1)),
            ((0, 3), (3, 2)),
            ((2, 0), (0, 3)),
        ],
        awkward=[([[0, 1]], [[inf], [2]], [[nan]], [[inf, 2]], [[0], [1]])],
    ),
    Row(
        "Linear",
        ops.linear,
        lambda x, w, b: x @ w.T + b,
        [((4, 3), (2, 3), (2,)), ((3,), (2, 3), (2,)), ((2, 1, 3), (1, 3), (1,)), ((0, 3), (2, 3), (2,))],
    ),
    Row("Linear", ops.linear, lambda x, w: x @ w.T, [((4, 3), (2, 3)), ((3,), (2, 3))]),
    Row(
        "Linear",
        lambda x, w, b: ops.linalg.linear_by(ops.linalg.Linear, x, w, b, flat=True),
        lambda x, w, b: x.reshape(len(x), -1) @ w.T + b,
        [((2, 2, 3), (2, 6), (2,)), ((2, 1, 2, 1), (1, 2), (1,)), ((2, 3), (2, 3), (2,))],
    ),
    Row(
        "LinearReLU",
        lambda x, w, b: ops.linalg.linear_by(ops.linalg.LinearReLU, x, w, b),
        lambda x, w, b: np.maximum(x @ w.T + b, 0),
        [((4, 3), (2, 3), (2,)), ((3,), (2, 3), (2,)), ((2, 1, 3), (1, 3), (1,)), ((0, 3), (2, 3), (2,))],
        awkward=[
            ([[1.0]], [[2.0]], [-2.0], [[0.0]], [[0.0]], [[0.0]], [0.0]),
            ([[nan]], [[2.0]], [1.0], [[nan]], [[2.0]], [[nan]], [1.0]),
        ],
    ),
    Row("mv", ops.mv, np.matmul, [((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,))]),
    Row("vdot", ops.vdot, np.dot, [((3,), (3,)), ((1,), (1,)), ((0,), (0,))]),
    Row("inner", ops.inner, np.inner, [((2, 3), (4, 3)), ((2, 1, 3), (3,)), ((), (2, 2)), ((2, 0), (3, 0))]),
    Row("outer", ops.outer, np.outer, [((2,), (3,)), ((1,), (1,)), ((0,), (2,))]),
    Row(
        "trace", ops.trace, np.trace, [((3, 3),), ((2, 4),), ((0, 2),)], awkward=[([[inf, 1], [2, 3]], inf, np.eye(2))]
    ),
    Row(
        "addmm",
        lambda x, a, b: ops.addmm(x, a, b, beta=0.5, alpha=-2),
        lambda x, a, b: 0.5 * x - 2 * (a @ b),
        [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4)), ((), (2, 1), (1, 2)), ((2, 1), (2, 0), (0, 3))],
    ),
    Row(
        "addmm",
        lambda x, a, b: ops.addmm(x, a, b, beta=0),
        lambda x, a, b: a @ b,
        [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4))],
        awkward=[([[nan]], [[2]], [[3]], [[6]], [[0]], [[3]], [[2]])],
    ),
    Row(
        "addmv",
        lambda x, a, b: ops.addmv(x, a, b, beta=3),
        lambda x, a, b: 3 * x + a @ b,
        [((2,), (2, 3), (3,)), ((), (2, 3), (3,)), ((1,), (2, 0), (0,))],
    ),
    Row(
        "baddbmm",
        lambda x, a, b: ops.baddbmm(x, a, b, alpha=0.5),
        lambda x, a, b: x + 0.5 * (a @ b),
        [((2, 2, 4), (2, 2, 3), (2, 3, 4)), ((2, 1), (3, 2, 2), (3, 2, 1)), ((), (0, 2, 2), (0, 2, 1))],
    ),
    Row(
        "addbmm",
        lambda x, a, b: ops.addbmm(x, a, b, beta=2, alpha=3),
        lambda x, a, b: 2 * x + 3 * (a @ b).sum(0),
        [((2, 4), (2, 2, 3), (2, 3, 4)), ((1,), (3, 2, 2), (3, 2, 1)), ((2, 2), (0, 2, 1), (0, 1, 2))],
    ),
    Row(
        "einsum",
        partial(ops.einsum, "bij,bjk->bik"),
        np.matmul,
        [((2, 2, 3), (2, 3, 2)), ((1, 1, 2), (1, 2, 1)), ((2, 0, 3), (2, 3, 2))],
    ),
    Row(
        "einsum",
        partial(ops.einsum, "...ii,Ai,...->A"),
        lambda a, b, c: np.einsum("nii,Ai,n->A", a.reshape(-1, *a.shape[-2:]), b, c.reshape(-1)),
        [((2, 3, 3), (2, 3), (2,)), ((2, 2), (3, 2), ()), ((0, 1, 1), (2, 1), (0,))],
    ),
    Row(
        "einsum",
        partial(ops.einsum, "ij,ij,j->i"),
        lambda a, b, c: (a * b * c).sum(1),
        [((2, 3), (1, 3), (3,)), ((2, 1), (2, 3), (1,)), ((2, 3), (2, 3), (3,))],
    ),
    Row(
        "tensordot",
        lambda a, b: ops.tensordot(a, b, ([2, 0], [0, 1])),
        lambda a, b: np.tensordot(a, b, ([2, 0], [0, 1])),
        [((2, 3, 4), (4, 2, 2)), ((1, 1, 1), (1, 1)), ((2, 0, 3), (3, 2))],
    ),
    # convolution
    Row(
        "Conv2d",
        lambda x, w, b: ops.conv2d(x, w, b, **RAGGED),
        partial(conv, **RAGGED),
        [((2, 4, 5, 5), (2, 2, 3, 2), (2,)), ((1, 2, 2, 3), (2, 1, 2, 2), (2,)), ((0, 2, 3, 3), (2, 1, 1, 1), (2,))],
    ),
    Row("Conv2d", ops.conv2d, partial(conv, **PLAIN), [((2, 2, 3, 4), (3, 2, 2, 2)), ((1, 1, 1, 1), (1, 1, 1, 1))]),
    Row(
        "Conv2dInput",
        lambda y, w: ops.conv.Conv2dInput.apply(y, w, input_shape=(len(y), 2, 3, 5), **RAGGED),
        lambda y, w: conv_input(y, w, input_shape=(len(y), 2, 3, 5), **RAGGED),
        [((n, 2, 2, 3), (2, 1, 2, 2)) for n in (2, 1, 0)],
    ),
    Row(
        "Conv2dWeight",
        partial(ops.conv.Conv2dWeight.apply, weight_shape=(2, 1, 2, 2), **RAGGED),
        partial(conv_weight, weight_shape=(2, 1, 2, 2), **RAGGED),
        [((n, 2, 3, 5), (n, 2, 2, 3)) for n in (2, 1, 0)],
    ),
    Row(
        "conv1d",
        lambda x, w: ops.conv1d(x, w, padding="same"),
        lambda x, w: conv(np.pad(x, ((0, 0), (0, 0), (0, 1)))[:, :, None], w[:, :, None], **PLAIN)[:, :, 0],
        [((2, 2, 4), (3, 2, 2)), ((1, 1, 1), (1, 1, 2)), ((0, 2, 3), (1, 2, 2))],
    ),
    Row(
        "conv_transpose2d",
        lambda x, w: ops.conv_transpose2d(x, w, stride=2, output_padding=1),
        lambda x, w: conv_input(
            x,
            w,
            (len(x), w.shape[1], *(2 * n - 1 + k for n, k in zip(x.shape[2:], w.shape[2:], strict=True))),
            **{**PLAIN, "stride": (2, 2)},
        ),
        [((2, 2, 3, 3), (2, 3, 1, 1)), ((1, 1, 1, 2), (1, 1, 2, 1)), ((0, 1, 2, 2), (1, 2, 1, 1))],
    ),
    Row(
        "conv_transpose1d",
        lambda x, w: ops.conv_transpose1d(x, w, stride=2, output_padding=1),
        lambda x, w: conv_input(
            x[:, :, None], w[:, :, None], (len(x), w.shape[1], 1, 2 * x.shape[2] + w.shape[2] - 1), **WIDE
        )[:, :, 0],
        [((2, 2, 3), (2, 3, 2)), ((1, 1, 1), (1, 1, 1)), ((0, 1, 2), (1, 2, 2))],
    ),
    Row(
        "Unfold",
        lambda x: ops.unfold(x, **WINDOW),
        lambda x: unfolded(x, **WINDOW),
        [((2, 2, 3, 5),), ((1, 1, 1, 3),), ((0, 2, 2, 3),)],
    ),
    Row(
        "Fold",
        lambda x: ops.fold(x, (3, 5), **WINDOW),
        lambda x: folded(x, (3, 5), **WINDOW),
        [((2, 8, 8),), ((1, 4, 8),), ((0, 4, 8),)],
    ),
    # pooling
    Row(
        "max_pool1d",
        lambda x: ops.max_pool1d(x, 2, 1, 1, 2),
        lambda x: np.stack([x[..., window(x.shape[2], i, 2, 1, 1, 2)].max(-1) for i in range(x.shape[2])], -1),
        [((2, 2, 4),), ((1, 1, 3),), ((0, 1, 3),)],
        awkward=[([[[2, 2, nan]]], [[[2, nan, 2]]], [[[0, 2, 1]]])],
    ),
    Row(
        "avg_pool1d",
        lambda x: ops.avg_pool1d(x, 2),
        lambda x: (x[..., :-1:2] + x[..., 1::2]) / 2,
        [((2, 2, 5),), ((1, 1, 2),), ((0, 1, 4),)],
    ),
    Row(
        "adaptive_avg_pool1d",
        lambda x: ops.adaptive_avg_pool1d(x, 3),
        lambda x: adaptive(x[:, :, None], (1, 3))[:, :, 0],
        [((2, 2, 5),), ((1, 1, 2),), ((0, 1, 6),)],
    ),
    Row(
        "adaptive_max_pool1d",
        lambda x: ops.adaptive_max_pool1d(x, 3),
        lambda x: adaptive(x[:, :, None], (1, 3), np.max)[:, :, 0],
        [((2, 2, 5),), ((1, 1, 1),), ((0, 1, 4),)],
        awkward=[
            ([[[2, 2, 1, 1, nan]]], [[[2, 2, nan]]], [[[1, 1, 0, 0, 1]]]),
            ([[[-inf, -inf, 1, nan, nan]]], [[[-inf, nan, nan]]], [[[1, 0, 0, 1, 1]]]),
        ],
    ),
    Row(
        "adaptive_max_pool2d",
        lambda x: ops.adaptive_max_pool2d(x, (2, 3)),
        lambda x: adaptive(x, (2, 3), np.max),
        [((2, 1, 3, 4),), ((1, 1, 1, 1),), ((0, 2, 3, 3),), ((1, 2, 4, 6),)],
    ),
    Row(
        "MaxPool2d",
        lambda x: ops.max_pool2d(x, 2, 1, 1, 2),
        lambda x: pooled(np.max, x, 2, (3, 2), padding=1, dilation=2),
        [((2, 2, 3, 2),), ((1, 1, 3, 2),)],
    ),
    Row(
        "MaxPool2d",
        lambda x: ops.max_pool2d(x, 2, 1),
        lambda x: pooled(np.max, x, 2, (2, 2)),
        [((1, 2, 3, 3),), ((0, 2, 3, 3),)],
        awkward=[
            ([[[[nan, 1, 2], [0, 3, 3], [3, 3, 3]]]], [[[[nan, 3], [3, 3]]]], [[[[1, 0, 0], [0, 3, 0], [0, 0, 0]]]])
        ],
    ),
    Row(
        "MaxPool2x2",
        lambda x: ops.max_pool2d(x, 2),
        lambda x: pooled(np.max, x, 2, (x.shape[2] // 2, x.shape[3] // 2), stride=2),
        [((1, 2, 4, 6),), ((2, 1, 5, 3),), ((0, 2, 2, 2),)],
        awkward=[([[[[1, nan, 2, 2], [nan, 3, 2, 2]]]], [[[[nan, 2]]]], [[[[0, 0, 1, 0], [1, 0, 0, 0]]]])],
    ),
    Row(
        "MaxPool2x2ReLU",
        lambda x: ops.pool.max_pool(2, x, 2, 2, 0, 1, False, False, relu=True),
        lambda x: np.maximum(pooled(np.max, x, 2, (x.shape[2] // 2, x.shape[3] // 2), stride=2), 0),
        [((1, 2, 4, 6),), ((2, 1, 5, 3),), ((0, 2, 2, 2),)],
        awkward=[
            ([[[[1, nan, 2, 2], [nan, 3, 2, 2]]]], [[[[nan, 2]]]], [[[[0, 0, 1, 0], [1, 0, 0, 0]]]]),
            ([[[[-1, -2, 0, -2], [-3, -inf, -0.0, 0]]]], [[[[0, 0]]]], [[[[0, 0, 0, 0], [0, 0, 0, 0]]]]),
        ],
    ),
    Row(
        "MaxPool2dInput",
        lambda g: ops.pool.MaxPool2dInput.apply(g, np.repeat(WINNERS, len(g), 0), input_shape=(len(g), 1, 3, 3)),
        lambda g: index_add((*np.ogrid[: len(g), :1, :1, :1][:2], WINNERS // 3, WINNERS % 3), (len(g), 1, 3, 3), g),
        [((n, 1, 2, 2),) for n in (1, 3, 0)],
    ),
    Row(
        "MaxPool2dTake",
        lambda x: ops.pool.MaxPool2dTake.apply(x, np.repeat(WINNERS, len(x), 0)),
        lambda x: x[(*np.ogrid[: len(x), :1, :1, :1][:2], WINNERS // 3, WINNERS % 3)],
        [((n, 1, 3, 3),) for n in (1, 3, 0)],
    ),
    Row(
        "AvgPool2d",
        lambda x: ops.avg_pool2d(x, 2, padding=1, count_include_pad=False),
        lambda x: pooled(np.mean, x, 2, (2, 3), stride=2, padding=1),
        [((2, 1, 3, 4),), ((0, 1, 3, 4),), ((1, 1, 2, 4),)],
    ),
    Row(
        "AvgPool2d",
        lambda x: ops.avg_pool2d(x, 3, 1, divisor_override=2),
        lambda x: pooled(np.sum, x, 3, (2, 3)) / 2,
        [((2, 1, 4, 5),)],
    ),
    Row(
        "AvgPool2dInput",
        lambda g: ops.pool.AvgPool2dInput.apply(
            g, input_shape=(len(g), 1, 3, 3), kernel_size=(2, 2), output_size=(2, 2), **AVERAGE
        ),
        lambda g: np.repeat(np.repeat(g, 2, 2), 2, 3)[:, :, 1:, 1:] / 4,
        [((n, 1, 2, 2),) for n in (1, 3, 0)],
    ),
    Row(
        "adaptive_avg_pool2d",
        lambda x: ops.adaptive_avg_pool2d(x, (2, 3)),
        lambda x: adaptive(x, (2, 3)),
        [((2, 1, 3, 4),), ((1, 1, 1, 1),), ((0, 2, 3, 3),), ((1, 2, 4, 6),)],
    ),
    # normalization and loss
    Row(
        "BatchNorm",
        lambda x, w, b: ops.BatchNorm.apply(x, w, b, eps=1e-5),
        normalized,
        [((3, 2, 2), (2,), (2,)), ((4, 1, 1), (1,), (1,)), ((1, 2, 3), (2,), (2,))],
        awkward=[([[[5.0]], [[5.0]]], [0.0], [2.0], [[[2.0]], [[2.0]]], [[[0.0]], [[0.0]]], [0.0], [2.0])],
    ),
    Row(
        "BatchNorm",
        lambda x: ops.BatchNorm.apply(x, None, None, eps=0.1),
        lambda x: normalized(x, eps=0.1),
        [((3, 2, 2),), ((2, 3, 1),)],
    ),
    Row(
        "BatchNorm",
        lambda x, w, b: ops.BatchNorm.apply(x, w, b, eps=1e-5),
        lambda x, w, b: normalized(x.reshape(*x.shape[:2], -1), w, b).reshape(x.shape),
        [((4, 2), (2,), (2,)), ((2, 2, 3, 2), (2,), (2,)), ((2, 1, 1, 2, 2), (1,), (1,))],
    ),
    Row(
        "BatchNormReLU",
        lambda x, w, b: ops.BatchNormReLU.apply(x, w, b, eps=1e-5),
        lambda x, w, b: np.maximum(normalized(x.reshape(*x.shape[:2], -1), w, b).reshape(x.shape), 0),
        [((4, 2), (2,), (2,)), ((3, 2, 2), (2,), (2,)), ((2, 2, 3, 2), (2,), (2,))],
        awkward=[([[[5.0]], [[5.0]]], [1.0], [0.0], [[[0.0]], [[0.0]]], [[[0.0]], [[0.0]]], [0.0], [0.0])],
    ),
    Row(
        "batch_norm_definition",
        lambda x, w, b: ops.batch_norm_definition(x, w, b, 1e-5),
        normalized,
        [((3, 2, 2), (2,), (2,)), ((2, 1, 3), (1,), (1,)), ((2, 3, 1), (3,), (3,))],
    ),
    Row(
        "Normalize",
        lambda x, w, b: ops.Normalize.apply(x, w, b, **constants(x)),
        lambda x, w, b: (x - 0.25) * (3 * w[:, None]) + b[:, None],
        [((3, 2, 2), (2,), (2,)), ((4, 1, 1), (1,), (1,)), ((2, 3, 1), (3,), (3,)), ((0, 2, 3), (2,), (2,))],
        awkward=[([[[5.0]], [[0.25]]], [0.0], [2.0], [[[2.0]], [[2.0]]], [[[0.0]], [[0.0]]], [14.25], [2.0])],
    ),
    Row(
        "Normalize",
        lambda x: ops.Normalize.apply(x, None, None, **constants(x)),
        lambda x: (x - 0.25) * 3,
        [((3, 2, 2),), ((2, 3),), ((1, 1, 7, 2),)],
    ),
    Row(
        "NormalizeReLU",
        lambda x, w, b: ops.NormalizeReLU.apply(x, w, b, **constants(x)),
        lambda x, w, b: np.maximum((x - 0.25) * (3 * w[:, None]) + b[:, None], 0),
        [((3, 2, 2), (2,), (2,)), ((4, 1, 1), (1,), (1,)), ((0, 2, 3), (2,), (2,))],
        awkward=[([[[0.25]], [[0.25]]], [1.0], [0.0], [[[0.0]], [[0.0]]], [[[0.0]], [[0.0]]], [0.0], [0.0])],
    ),
    Row(
        "LayerNorm",
        lambda x, w, b: ops.LayerNorm.apply(x, w, b, eps=1e-5)[0],
        normalized_rows,
        [((3, 4), (4,), (4,)), ((1, 5), (5,), (5,)), ((4, 1), (1,), (1,)), ((0, 3), (3,), (3,))],
        awkward=[([[5.0, 5.0]], [3.0, 3.0], [2.0, 1.0], [[2.0, 1.0]], [[0.0, 0.0]], [0.0, 0.0], [1.0, 1.0])],
    ),
    Row(
        "LayerNorm",
        lambda x: ops.LayerNorm.apply(x, None, None, eps=0.1)[0],
        lambda x: normalized_rows(x, eps=0.1),
        [((3, 4),), ((2, 1),)],
    ),
    Row(
        "layer_norm_definition",
        lambda x, w, b: ops.layer_norm_definition(x, w, b, 1e-5),
        normalized_rows,
        [((3, 4), (4,), (4,)), ((1, 5), (5,), (5,)), ((0, 3), (3,), (3,))],
    ),
    Row(
        "SoftmaxCrossEntropy",
        lambda x: ops.SoftmaxCrossEntropy.apply(x, labels(x)),
        lambda x: cross_entropy(x, labels(x)),
        [((4, 3),), ((1, 3),), ((0, 3),)],
        awkward=[([[0, 0, -inf]], [math.log(2)], [[-0.5, 0.5, 0]]), ([[1e4, 0, 0]], [0], [[0, 0, 0]])],
    ),
    Row(
        "SoftmaxCrossEntropy",
        lambda x: ops.SoftmaxCrossEntropy.apply(x, labels(x), average=True),
        lambda x: cross_entropy(x, labels(x)).mean(),
        [((4, 3),), ((1, 3),), ((7, 3),)],
    ),
]


def _id(row):
    return row.name


each_row = pytest.mark.parametrize("row", ROWS, ids=_id)


# --------------------------------------------------------------------------------------------- the harness


def draw(row, rng, case, dtype=np.float64):
    """Arrays for the inputs of one case."""
    draws = row.draw if isinstance(row.draw, tuple) else (row.draw,) * len(case)
    return [np.asarray(d(rng, shape), dtype) for d, shape in zip(draws, case, strict=True)]


def run(row, arrays, g=None):
    """Forward on leaves, then backward from the cotangent g (ones if None): (output, gradients), all arrays."""
    leaves = [minigrad.as_tensor(a).requires_grad_() for a in arrays]
    y = row.ours(*leaves)
    y.backward(minigrad.as_tensor(np.ones(y.shape, y.dtype) if g is None else g))
    return y.array, [None if x.grad is None else x.grad.array for x in leaves]


def close(ours, wanted, rtol=1e-12, atol=1e-12):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(wanted), rtol=rtol, atol=atol, strict=True)


def transposed(a):
    return a.T.copy().T


def strided(a):
    wide = np.full([2 * n + 1 for n in a.shape], nan)
    view = wide[(..., *(slice(1, None, 2) for _ in a.shape))]
    view[...] = a
    return view


def backwards(a):
    return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def repeated(a):
    """The first element of each axis, repeated without copying: stride 0 everywhere."""
    return np.broadcast_to(a[tuple(slice(1) for _ in a.shape)], a.shape) if a.size else a


@each_row
def test_values_are_those_of_numpy_and_inputs_stay_as_they_are(row, backend, rng):
    for case in row.cases:
        arrays = draw(row, rng, case)
        before = [a.copy() for a in arrays]
        wanted = np.asarray(row.numpy(*before))
        g = rng.standard_normal(wanted.shape)
        cotangent = g.copy()
        y, grads = run(row, arrays, g)
        close(y, wanted)
        for a, held, gx in zip(arrays, before, grads, strict=True):
            np.testing.assert_array_equal(a, held, err_msg="an input was changed")
            assert gx is None or (gx.shape == a.shape and not np.shares_memory(gx, g))
        np.testing.assert_array_equal(g, cotangent, err_msg="the gradient passed to backward was changed")


@each_row
def test_first_and_second_derivatives_agree_with_differences(row, backend, rng):
    for case in row.cases:
        leaves = [minigrad.tensor(a, requires_grad=True) for a in draw(row, rng, case)]
        if row.order >= 1:
            gradcheck(row.ours, leaves, atol=1e-7, rtol=1e-6)
        if row.order >= 2:
            gradgradcheck(row.ours, leaves, atol=1e-6, rtol=1e-6)


@each_row
def test_third_derivatives_agree_with_differences(row, rng):
    if row.order < 3:
        pytest.skip(f"compared up to order {row.order}")
    leaves = [minigrad.tensor(a, requires_grad=True) for a in draw(row, rng, row.cases[0])]
    g = minigrad.as_tensor(rng.standard_normal(row.ours(*leaves).shape))

    def gradient(*xs):
        return autograd.grad(row.ours(*xs), xs, g, create_graph=True, materialize_grads=True)

    if any(gx.requires_grad for gx in gradient(*leaves)):
        gradgradcheck(gradient, leaves, atol=1e-5, rtol=1e-5)


@each_row
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["float32", "float16"])
def test_values_and_gradients_keep_the_dtype(row, dtype, backend, rng):
    tolerance = 2e-5 if dtype is np.float32 else 2e-2
    for case in row.cases:
        arrays = draw(row, rng, case, dtype)
        wide = [a.astype(np.float64) for a in arrays]
        g = rng.standard_normal(np.shape(row.numpy(*wide)))
        y, grads = run(row, arrays, g.astype(dtype))
        wanted, wanted_grads = run(row, wide, g)
        assert y.dtype == dtype
        close(y, wanted.astype(dtype), tolerance, tolerance)
        for gx, wx in zip(grads, wanted_grads, strict=True):
            if wx is not None:
                assert gx.dtype == dtype
                close(gx, wx.astype(dtype), tolerance, tolerance)


@each_row
@pytest.mark.parametrize("layout", [transposed, strided, backwards, read_only, repeated])
def test_memory_layout_does_not_matter(row, layout, backend, rng):
    for case in row.cases[:2]:
        odd = [layout(a) for a in draw(row, rng, case)]
        tidy = [np.array(a, order="C") for a in odd]
        g = layout(np.asarray(rng.standard_normal(np.shape(row.numpy(*tidy)))))
        y, grads = run(row, odd, g)
        wanted, wanted_grads = run(row, tidy, np.array(g, order="C"))
        close(y, wanted)
        for gx, wx in zip(grads, wanted_grads, strict=True):
            assert gx is wx is None or close(gx, wx) is None


@each_row
def test_arrays_in_arrays_out(row, rng):
    for case in row.cases:
        arrays = draw(row, rng, case)
        y = row.ours(*arrays)
        assert isinstance(y, (np.ndarray, np.generic)), type(y)  # NumPy gives scalars for 0-d, and so may we
        close(y, row.ours(*map(minigrad.as_tensor, arrays)).array, 0, 0)


@each_row
def test_no_graph_without_need(row, rng):
    arrays = draw(row, rng, row.cases[0])
    leaves = [minigrad.as_tensor(a) for a in arrays]
    assert row.ours(*leaves).grad_fn is None
    leaves = [x.requires_grad_() for x in leaves]
    with minigrad.no_grad():
        y = row.ours(*leaves)
    assert y.grad_fn is None and not y.requires_grad


# Silencing NumPy costs these a third of their time, so they let its warning of an overflow or of inf - inf through.
LOUD = {"Add", "Sub", "Mul", "Sum"}


def same(ours, wanted):
    """Equal to rounding; NaN equals NaN, infinities equal themselves, and zeros that are said to be -0.0 are."""
    ours, wanted = np.asarray(ours, float), np.asarray(wanted, float)
    np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-14)
    assert ours.shape == wanted.shape
    assert np.signbit(ours[(wanted == 0) & np.signbit(wanted)]).all(), f"expected -0.0, got {ours}"


@pytest.mark.parametrize(
    ("row", "point"),
    [pytest.param(row, point, id=f"{row.name}-{point[: len(point) // 2]}") for row in ROWS for point in row.awkward],
)
def test_awkward_points(row, point, backend):
    n = len(point) // 2
    value, wanted = point[n], point[n + 1 :]
    with np.errstate(over="ignore", invalid="ignore") if row.name in LOUD else nullcontext():
        y, grads = run(row, [np.asarray(x, float) for x in point[:n]])
    same(y, value)
    for gx, wx in zip(grads, wanted, strict=True):
        same(np.zeros(np.shape(wx)) if gx is None else gx, wx)


@pytest.mark.parametrize("at", [-800.0, -30.0, -1.0, 1.0, 30.0, 800.0])
@pytest.mark.parametrize(
    "f",
    [
        *(ops.elu, ops.softplus, ops.sigmoid, ops.tanh, ops.silu, ops.gelu, ops.mish, ops.softsign, ops.leaky_relu),
        *(ops.selu, ops.celu, ops.hardswish, ops.tanhshrink),
    ],
)
def test_saturated_activations_have_second_derivatives_of_zero(f, at):
    x = minigrad.tensor(at, dtype=minigrad.float64, requires_grad=True)
    (g,) = autograd.grad(f(x), x, create_graph=True)
    np.testing.assert_allclose(g.item(), autograd.grad(f(x), x)[0].item(), rtol=1e-12)
    (gg,) = autograd.grad(g + x * 0, x)  # leaky_relu has a constant slope
    assert np.isfinite(gg.item()) and (abs(at) == 1 or abs(gg.item()) < 1e-4)


def every_op(cls=Op):
    """All subclasses of Op in the package, theirs too."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("minigrad."):
            yield sub
            yield from every_op(sub)


def test_every_op_has_a_row_and_the_row_applies_it(rng):
    used = {}
    for row in ROWS:
        leaves = [minigrad.tensor(a, requires_grad=True) for a in draw(row, rng, row.cases[0])]
        todo, used_here = [row.ours(*leaves).grad_fn], set()
        while todo:
            op = todo.pop()
            if isinstance(op, Op):
                used_here.add(type(op))
                todo.extend(op.edges)
        used.setdefault(row.name, set()).update(used_here)
    # The nodes of a user's Function are tested by tests/test_function.py.
    classes = {op for op in every_op() if op is not autograd.Fused and op.__module__ != "minigrad.autograd.function"}
    without = sorted(op.__name__ for op in classes if op not in used.get(op.__name__, ()))
    assert not without, f"these ops have no row in tests/test_ops.py that applies them: {without}"
    unknown = [name for name in used if name not in {op.__name__ for op in classes} and not hasattr(ops, name)]
    assert not unknown, f"these rows name neither an op nor a public function: {unknown}"


def test_every_op_is_tried_with_three_shapes_and_to_the_third_order():
    for name in {row.name for row in ROWS}:
        rows = [row for row in ROWS if row.name == name]
        assert len({case for row in rows for case in row.cases}) >= 3, f"{name}: give its row more shapes"
        # Cast goes to float32 and back, whose steps are larger than those of differences.
        assert name == "Cast" or max(row.order for row in rows) == 3, f"{name}: no row compares third derivatives"


def test_every_op_says_what_it_computes():
    assert not [op.__name__ for op in every_op() if not op.__doc__]


# ------------------------------------------------------------------------------- shapes, drawn by Hypothesis

BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum}
REDUCTIONS = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min}


def filled(shape, seed):
    """Numbers for a shape that Hypothesis drew."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def view_of(a, how):
    """The same numbers in another memory layout."""
    return np.asarray([np.copy, transposed, strided, backwards, read_only][how](a))


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4, min_side=0), st.data())
def test_binary_ops_broadcast_as_numpy_does(shapes, data):
    name = data.draw(st.sampled_from(sorted(BINARY)))
    layouts = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    a, b = (view_of(filled(s, i), how) for i, (s, how) in enumerate(zip(shapes.input_shapes, layouts, strict=True)))
    x, y = minigrad.as_tensor(a).requires_grad_(), minigrad.as_tensor(b).requires_grad_()
    z = getattr(ops, name)(x, y)
    wanted = BINARY[name](a, b)
    close(z.array, wanted)
    g = filled(z.shape, 2)
    z.backward(minigrad.as_tensor(g))
    for leaf, sign in ((x, 1.0), (y, -1.0 if name == "sub" else 1.0)):
        other = b if leaf is x else a
        slope = {"add": sign, "sub": sign, "mul": other, "maximum": leaf.array > other, "minimum": leaf.array < other}
        whole = g * slope[name]
        # Sum over what broadcasting repeated: new axes in front, then axes of size one.
        whole = whole.sum(tuple(range(whole.ndim - leaf.ndim)))
        ones = tuple(i for i, n in enumerate(leaf.shape) if n == 1)
        close(leaf.grad.array, whole.sum(ones, keepdims=True))


@given(hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4), st.booleans(), st.data())
def test_reductions_over_any_dims(shape, keepdim, data):
    name = data.draw(st.sampled_from(sorted(REDUCTIONS)))
    dims = data.draw(
        st.lists(st.integers(-len(shape), len(shape) - 1), unique_by=lambda d: d % len(shape)) if shape else st.just([])
    )
    a = view_of(filled(shape, 0), data.draw(st.integers(0, 4)))
    x = minigrad.as_tensor(a).requires_grad_()
    y = getattr(ops, name)(x, tuple(dims), keepdim)
    axis = tuple(dims) or None
    close(y.array, REDUCTIONS[name](a, axis=axis, keepdims=keepdim))
    g = filled(y.shape, 1)
    y.backward(minigrad.as_tensor(g))
    spread = g.reshape(np.sum(a, axis=axis, keepdims=True).shape)
    if name in ("amax", "amin"):
        slope = a == REDUCTIONS[name](a, axis=axis, keepdims=True)
    else:
        slope = 1.0 if name == "sum" else spread.size / a.size
    close(x.grad.array, np.broadcast_to(spread * slope, shape))


@given(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4), st.data())
def test_reshape_and_permute_and_back(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    a = view_of(filled(shape, 0), data.draw(st.integers(0, 4)))
    x = minigrad.as_tensor(a).requires_grad_()
    turned = ops.permute(x, *(order if order else ((),)))
    close(turned.array, a.transpose(order), 0, 0)
    assert a.size == 0 or np.shares_memory(turned.array, a), "permute gives a view"
    flat = turned.reshape(-1)
    close(flat.array, a.transpose(order).reshape(-1), 0, 0)
    g = filled(flat.shape, 1)
    flat.backward(minigrad.as_tensor(g))
    close(x.grad.array, g.reshape(turned.shape).transpose(np.argsort(order)), 0, 0)


@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4), st.data())
def test_any_basic_index(shape, data):
    key = data.draw(hnp.basic_indices(shape, allow_ellipsis=True, allow_newaxis=True))
    a = view_of(filled(shape, 0), data.draw(st.integers(0, 4)))
    x = minigrad.as_tensor(a).requires_grad_()
    y = x[key]
    close(y.array, a[key], 0, 0)
    g = filled(y.shape, 1)
    y.backward(minigrad.as_tensor(g))
    wanted = np.zeros(shape)
    wanted[key] = g
    close(x.grad.array, wanted, 0, 0)


@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), st.data())
def test_any_integer_array_index(shape, data):
    key = data.draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(min_dims=0, max_dims=2, max_side=4)))
    a = filled(shape, 0)
    x = minigrad.as_tensor(a).requires_grad_()
    y = x[tuple(map(minigrad.as_tensor, key))]
    close(y.array, a[key], 0, 0)
    g = filled(y.shape, 1)
    y.backward(minigrad.as_tensor(g))
    close(x.grad.array, index_add(key, shape, g))


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)))
def test_any_mask(mask):
    a = filled((*mask.shape, 2), 0)
    x = minigrad.as_tensor(a).requires_grad_()
    y = x[minigrad.as_tensor(mask)]
    close(y.array, a[mask], 0, 0)
    y.backward(minigrad.as_tensor(filled(y.shape, 1)))
    wanted = np.zeros(a.shape)
    wanted[mask] = filled(y.shape, 1)
    close(x.grad.array, wanted, 0, 0)


@given(st.data())
def test_conv2d_of_any_geometry(data):
    size = st.integers(1, 3)
    groups = data.draw(st.integers(1, 2))
    geometry = {
        "stride": data.draw(st.tuples(size, size)),
        "padding": data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "groups": groups,
    }
    kernel = data.draw(st.tuples(size, size))
    span = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(geometry["dilation"], kernel, geometry["padding"], strict=True)]
    image = [max(1, n) + data.draw(st.integers(0, 3)) for n in span]
    arrays = filled((2, 2 * groups, *image), 0), filled((groups, 2, *kernel), 1)
    x, w = (minigrad.tensor(a, requires_grad=True) for a in arrays)
    y = ops.conv2d(x, w, **geometry)
    close(y.array, conv(*arrays, **geometry))
    g = filled(y.shape, 2)
    y.backward(minigrad.as_tensor(g))
    close(x.grad.array, conv_input(g, arrays[1], x.shape, **geometry))
    close(w.grad.array, conv_weight(arrays[0], g, w.shape, **geometry))


# -------------------------------------------------------------------------------------------- single cases


@pytest.mark.parametrize("shape", [(), (2,)])
def test_an_index_of_uint8_is_refused_for_pytorch_takes_it_for_a_mask(shape):
    with pytest.raises(IndexError, match=r"index: a uint8 tensor .* use index.long\(\) for places, index.bool\(\)"):
        minigrad.ones(2, 3)[minigrad.ones(shape, dtype=minigrad.uint8)]
