"""The functions of minigrad.ops beside PyTorch's: every one, with its options; every dtype; every refusal.

`calls` makes a grid of its arguments: tensors, then positional and named options, each a list to choose from.
"""

import math
from array import array
from functools import partial
from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import autograd, ops

inf, nan = math.inf, math.nan


def calls(names, inputs, *args, **options):
    """(name, inputs, args, options) for every name and every combination of options."""
    for name, *values in product(names.split(), *args, *options.values()):
        yield name, inputs, values[: len(args)], dict(zip(options, values[len(args) :], strict=True))


def composed(name, function, inputs, *args):
    """As `calls`, of a function of the library and the rest: for what is not a call with tensors in front."""
    for values in product(*args):
        yield name, inputs, (function, *values), {}


def constant(x, data):
    """A tensor of `data` in the library that x is of."""
    library = minigrad if isinstance(x, minigrad.Tensor) else pytest.importorskip("torch")
    return library.tensor(data)


def ties(*shape):
    """Whole numbers from 0 to 2."""
    return np.random.default_rng(0).integers(0, 3, shape).astype(float)


X = (2, 3, 4)
# equations, each with the shapes of its operands; the last ones broadcast sizes of one, or have no elements
EQUATIONS = [
    ("ij", (2, 3)), ("ji", (2, 3)), ("bA", (2, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)), (" i  j -> j i ", (2, 3)),
    ("ii", (3, 3)), ("ii->i", (3, 3)), ("iji->j", (2, 3, 2)), ("iii->i", (2, 2, 2)), ("ijij->ji", (2, 3, 2, 3)),
    ("", ()), ("->", ()), (",", (), ()), ("i,->i", (3,), ()), ("i,i", (3,), (3,)), ("i,j", (2,), (3,)),
    ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,kl->ijkl", (2, 3), (4, 2)), ("ij,kl->jl", (2, 3), (4, 2)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("bij,bkj->bik", (2, 3, 4), (2, 2, 4)), ("bnm,bmk,kb->n", (2, 3, 4), (2, 4, 2), (2, 2)),
    ("i,ij,j", (2,), (2, 3), (3,)),
    ("bi,oij,bj->bo", (2, 3), (4, 3, 2), (2, 2)), ("ij,jk,kl,li->", (2, 3), (3, 4), (4, 2), (2, 2)),
    ("...", (2, 3)), ("...j->...", (2, 3)), ("i...->...", (2, 3)), ("...ii->...i", (2, 3, 3)), ("...ij->ij", (4, 2, 3)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)), ("...i,...i", (2, 3), (4, 1, 3)),
    ("i...,j...->...ij", (2, 3), (4, 5, 3)),
    ("...i,i...->...", (2, 3), (3, 2)), ("ij->...ij", (2, 3)), ("a...b,b...->...", (2, 4, 3), (3, 4)),
    ("...,i->i...", (), (2,)),
    ("ij,ij->ij", (2, 3), (1, 3)), ("ij,j", (2, 3), (1,)), ("ij,jk", (2, 1), (3, 4)), ("ij,jk->ik", (2, 3), (1, 4)),
    ("bij,bjk->bik", (1, 3, 4), (2, 4, 2)), ("i,i,i", (1,), (3,), (1,)), ("ii,i->i", (1, 1), (3,)),
    ("ij,ij->", (1, 1), (1, 1)),
    ("ij,jk", (2, 0), (0, 3)), ("ij,jk", (0, 2), (2, 3)), ("ij->i", (3, 0)), ("ij,j->i", (2, 0), (1,)),
    ("...i->i", (0, 3)),
]  # fmt: skip
IMAGE = (2, 4, 7, 6)
DIMS, ANY_DIMS, KEEP = [0, 1, -1], [0, 1, -1, (0, 2), (-1, 0, 1)], [False, True]
FEW = ties(2, 3, 4)
FINITE = np.array([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 30.0, -30.0, 1e3, -1e3, inf, -inf])
SPECIAL = np.append(FINITE, nan)
PEAKS = np.array([[inf, inf, 0], [-inf, -inf, 0], [0, 1, 1], [nan, 3, nan]])
LONELY = np.where(np.arange(36).reshape(1, 6, 6) == 15, inf, ties(1, 6, 6))  # one infinity among numbers
INDEX = [1, 0, 1]
KEYS = [
    0, -1, (1, 2, 3), slice(1, None), (..., 1), (0, ..., slice(None, None, 2)), None, (slice(None), None), True,
    INDEX, (slice(None), INDEX), (INDEX, INDEX), ((0, 0),), (..., (1, 1, 0)), range(2), (0, array("b", INDEX)),
    (0, INDEX), (INDEX, slice(1, 3)), (..., INDEX), (INDEX, slice(None), INDEX), (INDEX, None, INDEX), (INDEX, ..., 1),
    (0, slice(None), INDEX), (slice(None), 0, INDEX), (1, None, INDEX), (slice(None), INDEX, 0), (..., 0, INDEX),
    (INDEX, 0, slice(1, None)), (-1, slice(None, None, 2), [[0], [3]]), (0, slice(None), None, [True, False] * 2),
    [True, False], (slice(None), [True, False, True], [0, 1]), ([True, False], slice(None), 1), False, (..., True),
    (True, INDEX), (slice(None), True, INDEX), (0, slice(None), True), (0, None, False), ([], slice(1)), (..., []),
    (None, ..., None, INDEX), (np.array(INDEX), 1), np.array(1), np.int64(-1), (slice(None), np.array([[0], [2]]), 1),
]  # fmt: skip
PAIRS_OF_SHAPES = [[(2, 3), (2, 3)], [(2, 1), (3,)], [(), (2,)], [(0, 2), (1,)], [(), ()]]
TRIPLES = [[(2, 3), (2, 3), (2, 3)], [(3,), (2, 1), ()], [(), (), ()], [(0, 3), (1,), (3,)]]
SMOOTH = """neg negative square reciprocal exp exp2 expm1 sin cos tan atan arctan sinh cosh tanh sigmoid erf
    silu softplus gelu mish softsign clone"""
KINKED = "abs absolute sign relu leaky_relu elu hardtanh relu6 hardsigmoid floor ceil round trunc fix frac nan_to_num"

GRID = [
    # elementwise
    *calls("add sub mul div maximum minimum", [(2, 3), (2, 3)]),
    *calls("add sub mul div maximum minimum", [(2, 1), (3,)]),
    *calls("add sub mul div maximum minimum", [(), (2,)]),
    *calls("add sub mul div maximum minimum", [(0, 2), (1,)]),
    *calls("add sub mul div maximum minimum", [(), ()]),
    *calls("subtract multiply divide true_divide", [(2, 1), (3,)]),
    *calls("maximum minimum remainder fmod atan2 arctan2", [SPECIAL[:, None], SPECIAL]),
    *[c for s in PAIRS_OF_SHAPES for c in calls("remainder fmod atan2", s)],
    *[c for s in [*PAIRS_OF_SHAPES, [SPECIAL[:, None], SPECIAL]]
      for c in composed("floor_divide", lambda m, a, b: m.floor_divide(a, b).detach(), s)],  # PyTorch: no gradient
    *[c for s in PAIRS_OF_SHAPES for c in calls("div", s, rounding_mode=["trunc", "floor", None])],
    *calls("div divide", [SPECIAL[:, None], SPECIAL], rounding_mode=["trunc", "floor"]),
    *calls("remainder fmod", [X], [2, 0.3, -1.5, inf, 0]),
    *calls("div", [X], [0.3, -2], rounding_mode=["trunc", "floor"]),
    *composed("floor_divide", lambda m, x: (x.detach() // 0.3, 7.5 // x.detach(), 7.5 % x.detach(), x % -0.3), [X]),
    *composed("remainder", lambda m, x: [f(x.long(), n) for f in (m.remainder, m.fmod, m.floor_divide)
                                         for n in (3, -3, 2.5)], [np.arange(-7.0, 8)]),
    *composed("div", lambda m, x, how: (m.div(x.long(), 3, rounding_mode=how), m.div(x.long(), -3, rounding_mode=how)),
              [np.arange(-7.0, 8)], ["trunc", "floor"]),
    *composed("div", lambda m, x, how: m.div(x.long() * 2**61 + 1, 3, rounding_mode=how) - x.long() * 2**61 // 3,
              [np.arange(-3.0, 4)], ["trunc", "floor"]),
    *calls("round", [np.linspace(-3e3, 3e3, 24).reshape(2, 3, 4) * 1.111], decimals=[-2, -1, 0, 1, 3]),
    *calls("round", [SPECIAL * 1.375], decimals=[-1, 2]),
    *calls("round", [np.arange(-10, 11) / 4], decimals=[0, 1]),
    *composed("round", lambda m, x: [f(x.long()) for f in (m.floor, m.ceil, m.round, m.trunc)], [X]),
    *[c for s in PAIRS_OF_SHAPES for c in calls("logaddexp broadcast_tensors", s)],
    *calls("logaddexp", [SPECIAL[:, None], SPECIAL]),
    *composed("broadcast_tensors", lambda m, a, b, c: m.broadcast_tensors(a, b, c), [(2, 1), (), (1, 3)]),
    *calls("diff", [X], [0, 1, 2, 5], [0, 1, -1]),
    *calls("diff", [(0, 2)], [1], [0, 1]),
    *composed("diff", lambda m, x, p, d: [m.diff(x, n, d, p, x) for n in (0, 1, 2)], [X, X], [0, -1]),
    *composed("diff", lambda m, x: (m.diff(x > 0, 2), m.diff(x.long(), prepend=x.long()), x.diff(append=x)), [X]),
    *[c for s in (X, FEW, ()) for c in calls("cummax cummin", [s], [0, -1])],
    *[c for s in ((0, 2), (2, 0)) for c in composed("cummin", lambda m, x, d: m.cummin(x.detach(), d), [s], [0, -1])],
    *calls("cummax cummin", [SPECIAL], dim=[0]),
    *calls("cummax cummin", [np.array([[1.0, nan, 0, nan, 5], [nan, 1, 2, nan, 0]])], [0, 1]),
    *composed("cummax", lambda m, x: (m.cummax(x > 0, 0), m.cummin(x.long(), 1)), [X]),
    *composed("index_put", lambda m, x, v, add: m.index_put(x, (constant(x, [1, 0]),), v, add), [X, (3, 1)],
              [False, True]),
    *composed("index_put", lambda m, x, v, add: x.index_put((constant(x, [1, 0]), constant(x, [[0], [-1]])), v,
                                                            accumulate=add), [X, ()], [False, True]),
    *composed("index_put", lambda m, x, v: m.index_put(x, [constant(x, [1, 1, 1])], v, True), [X, (3, 1, 4)]),
    *composed("index_put", lambda m, x, v, add: m.index_put(x, (x > 0,), v, add), [FEW, (1,)], [False, True]),
    *composed("index_put", lambda m, x: m.index_put(x.long(), (constant(x, [0]),), constant(x, 7)), [X]),
    *calls("asin arcsin acos arccos", [np.array([-1.0, -0.5, -0.0, 0.5, 1.0, 2.0, -inf, nan])]),
    *[c for s in TRIPLES for c in calls("addcmul addcdiv", s, value=[1, -0.5])],
    *[c for s in TRIPLES for c in calls("lerp", s)],
    *calls("lerp", [X, X], [0, 0.25, 0.5, 1, -2.0, 3]),
    *calls("lerp", [SPECIAL[:, None], SPECIAL], [0.25, 0.5]),
    *calls("lerp", [np.zeros(8), np.ones(8), np.array([0, 0.2, 0.5, 0.9, 1, -3, inf, nan])]),
    *calls("nan_to_num", [SPECIAL], [None, 1.5], [None, 2], [None, -inf]),
    *calls("nan_to_num", [SPECIAL], nan=[nan], posinf=[inf]),
    *calls("add sub", [(2, 3), (3,)], alpha=[2, -0.5]),
    *[call for shape in [X, (), (0, 2)] for call in calls(f"{SMOOTH} {KINKED}", [shape])],
    *calls(SMOOTH, [SPECIAL]),
    *calls(KINKED, [SPECIAL]),
    *calls("log log1p log2 log10 sqrt rsqrt", [np.array([0.5, 1.0, 2.0, 1e-300, 1e300, 0.0, inf, -1.0, nan])]),
    *calls("leaky_relu elu", [X], [0.5, -1.0, 0.0]),
    *calls("gelu", [X], approximate=["none", "tanh"]),
    *calls("softplus", [X], [0.5, 1, 3], [20, 1]),
    *calls("hardtanh", [X], [-0.5], [2.0]),
    *calls("pow", [np.array([0.0, 1.0, 2.0, 0.3])], [0, 1, 2, 3, -1, 0.5, -0.5, 2.5]),
    *calls("pow", [np.array([[1.0], [2.0], [0.3]]), np.array([0.0, 1, 2, 3, -1, 0.5, -0.5, 2.5])]),
    *calls("pow", [np.array([0.0, 0.0, 0.0, -1.0]), np.array([0.0, 2.0, -1.0, 2.0])]),
    *calls("pow", np.meshgrid(SPECIAL, SPECIAL)),
    *composed("pow", lambda m, x: 2.0**x, [X]),
    *composed("pow", lambda m, x: m.pow(x.long(), -(x.long() ** 2)), [np.arange(-3.0, 4)]),
    *composed("pow", lambda m, x: m.pow(2, x.long()), [np.arange(-3.0, 4)]),
    *calls("clamp", [X], [-0.5, 0, None], [0.5, 1, -1]),
    *calls("clamp", [X], min=[0.3]),
    *calls("clamp", [X, (4,), (3, 1)]),
    *calls("clamp", [X, X]),
    *calls("clamp clip", np.meshgrid(SPECIAL, SPECIAL, SPECIAL)),
    *calls("clamp_min clamp_max", [SPECIAL[:, None], SPECIAL]),
    *calls("clamp_min clamp_max", [SPECIAL], [0, -1.0, inf, nan]),
    *calls("clamp clip", [SPECIAL], min=[nan, 1, None], max=[nan, 3]),
    *composed("clamp", lambda m, x, y: (m.clamp(x, min=y), m.clamp(x, max=y)), [SPECIAL[:, None], SPECIAL]),
    *composed("where", lambda m, a, b: m.where(a > b, a, b * 2), [(2, 3), (3,)]),
    *composed("where", lambda m, a: m.where(a > 0, a, 0.0) + m.where(a > 0, 1.5, a), [(2, 3)]),
    # an infinite gradient that arrives where the function is flat must stop there
    *composed("relu", lambda m, x: m.log(m.relu(x)) + m.sqrt(m.relu(x)), [(9,)]),
    *composed("relu6", lambda m, x: m.log(m.relu6(x)) + m.sqrt(m.hardtanh(x, 0.0, 1.0)), [(9,)]),
    *composed("clamp", lambda m, x: m.sqrt(m.clamp(x, min=0)), [(9,)]),
    *composed("maximum", lambda m, x, y: m.sqrt(m.maximum(x, y * 0)) + m.log(m.minimum(x, y)), [(9,), (9,)]),
    *composed("where", lambda m, x: m.sqrt(m.where(x > 0, x, 0.0)), [(9,)]),
    *composed("amax", lambda m, x: m.log(m.amax(x, 1)) + m.log(m.amin(x, 1)), [(2, 3)]),
    *[
        call for shape in [X, (), (0, 2)]
        for call in calls("selu celu hardswish hardshrink softshrink tanhshrink", [shape])
    ],
    *calls("selu celu hardshrink softshrink tanhshrink", [FINITE]),
    *calls("hardswish", [FINITE[np.isfinite(FINITE)]]),
    *calls("celu", [X], [0.5, 2, -1.0]), *calls("celu", [X], alpha=[3]),
    *calls("hardshrink", [FINITE], [0, 1, -1, 2.5]), *calls("hardshrink", [X], lambd=[0.3]),
    *calls("softshrink", [FINITE], [0, 1, 2.5]), *calls("softshrink", [X], lambd=[0.3]),
    *[call for x in [X, FINITE, ()] for call in calls("threshold", [x], [0, 1, -0.5], [0, 7, -2.5])],
    *calls("threshold", [X], threshold=[0.1], value=[20]),
    *[call for s in [(), (3,), (2, 3), X, (0, 3)] for call in calls("prelu", [s, (1,)])],
    *[call for s in [(2, 3), X, (2, 3, 2, 2), (0, 3)] for call in calls("prelu", [s, (3,)])],
    *calls("prelu", [X, ()]), *calls("prelu", [FINITE, (1,)]),
    *calls("glu", [(2, 4, 6)], DIMS), *calls("glu", [(2, 4)]), *calls("glu", [(2, 0)]), *calls("glu", [X], dim=[2]),
    # comparisons
    *calls("eq ne lt le gt ge logical_and logical_or logical_xor", [ties(2, 3), (3,)]),
    *calls("eq ne lt le gt ge", [FEW], [1, 0.5, True]),
    *calls("not_equal less less_equal greater greater_equal", [ties(2, 3), ties(3)]),
    *calls("eq ne lt le gt ge logical_xor", [SPECIAL[:, None], SPECIAL]),
    *calls("isclose", [SPECIAL[:, None], SPECIAL], [1e-5, 1.0], [1e-8, 2.0, inf], [False, True]),
    *composed("isclose", lambda m, x: m.isclose(x, x + 1e-6), [X]),
    *composed("isclose", lambda m, x: m.isclose(x.long(), x.long() + 1, atol=1), [X]),
    *[c for s in [FEW, SPECIAL, (), (0, 3), np.zeros(()), (1, 0)] for c in calls("nonzero", [s], as_tuple=KEEP)],
    *[c for s in [FEW, (), np.zeros(()), (0, 3)] for c in calls("where nonzero", [s])],
    *composed("where", lambda m, x: m.where(x > 0), [X]),
    *composed("all", lambda m, x, dim: (m.all(x, dim), m.any(x, dim, True)), [FEW], [(), (0,), (0, 2)]),
    *calls("isnan isinf isfinite logical_not", [SPECIAL]),
    *calls("allclose equal", [X, X]),
    *composed("allclose", lambda m, x, *tolerances: m.allclose(x, x + 1e-6, *tolerances), [X], [0, 1e-3], [0, 1e-3]),
    *composed("equal", lambda m, x: (m.equal(x, x + 0), m.equal(x, x[:1])), [X]),
    *composed("bitwise_and", lambda m, a, b: m.bitwise_and(a > 0, b > 0), [(2, 3), (3,)]),
    *composed("bitwise_or", lambda m, a, b: m.bitwise_or(a > 0, b > 0), [(2, 3), (3,)]),
    *composed("bitwise_xor", lambda m, a, b: m.bitwise_xor(a > 0, b > 0), [(2, 3), (3,)]),
    *composed("bitwise_not", lambda m, a: m.bitwise_not(a > 0), [X]),
    # reductions
    *calls("sum mean amax amin logsumexp", [X], ANY_DIMS, KEEP),
    *calls("sum mean amax amin logsumexp all any", [FEW], dim=[0, 1, -1, (0, 2)], keepdim=KEEP),
    *[c for s in [X, (), (1,)] for c in calls("sum mean amax amin max min all any norm argmax argmin var std", [s])],
    *calls("sum mean amax amin max min all any norm argmax argmin", [FEW]),
    *calls("amax amin", [PEAKS[:3]], [1]),
    *calls("max min", [PEAKS], [0, 1]),
    *calls("sum mean", [(0, 3)], [None, (), 0, 1]),
    *calls("var std", [X], [None, *ANY_DIMS], correction=[0, 1, 0.5], keepdim=KEEP),
    *calls("var std", [X], KEEP),
    *calls("var std", [X], correction=[None]),
    *calls("var std", [X], [1], KEEP, KEEP),
    *composed("std", lambda m, x: m.std(x * 0 + 3, 1), [X]),
    *calls("norm", [X], ["fro", 0, 1, 2, 3, 2.5, 0.5, -1, inf, -inf], [0, -1, (0, 2)], KEEP),
    *calls("norm", [np.array([[0.0, 0.0], [0.0, 2.0], [3.0, -3.0]])], [0, 1, 2, 3, 1.5, -1, -2, inf, -inf], [1]),
    *calls("max min argmax argmin", [X], DIMS, KEEP),
    *calls("max min", [FEW], dim=DIMS, keepdim=KEEP),
    *calls("max min", [(2, 3), (3,)]),
    *calls("norm", [X], ["fro", 0, 1, 3, inf], [None, 1], KEEP, dtype=[None]),
    *composed("norm", lambda m, x, *args: m.norm(x.detach().float(), *args, dtype=x.dtype), [X], ["fro", 3], [None, 1]),
    *calls("norm", [np.array([1.0, nan, -3.0])], [0, 0.5, 1, 2, 3, inf, -inf, -1]),
    *composed("norm", lambda m, x: m.norm(x, -1, 0).detach(), [np.array([[1, nan, 3.0, 0], [0.0, 0, 2, 0]])]),
    *[c for s in [X, (), (0, 3), FEW, (7,), (1, 5)] for c in calls("prod count_nonzero", [s])],
    *composed("prod", lambda m, x: (m.prod(x, 1).detach(), m.cumprod(x, 1).detach(), m.count_nonzero(x)), [PEAKS]),
    *[c for s in [X, FEW, (2, 0, 3), (5, 1, 7)] for c in calls("prod", [s], DIMS, KEEP)],
    *[c for s in [X, FEW, (2, 0, 3), (5, 1, 7)] for c in calls("cumprod", [s], DIMS)],
    *calls("prod cumprod", [()], [0, -1]),
    *composed("prod", lambda m, x: (m.prod(x.long()), m.prod(x > -9), m.prod(x.long(), 0), m.cumprod(x > 0, 0)), [X]),
    *calls("prod", [np.array([[0.0, 2, 3], [0, 0, 3], [0, 0, 0], [1, 2, 3]])], [1]),
    *calls("count_nonzero", [FEW], [None, *ANY_DIMS, ()]),
    *calls("var_mean std_mean", [X], [None, *ANY_DIMS], correction=[0, 1, 0.5], keepdim=KEEP),
    *calls("var_mean std_mean", [X], KEEP),
    *calls("var_mean std_mean", [X], [1], KEEP, KEEP),
    *[c for s in [X, (), (1,), (7,)] for c in calls("var_mean std_mean median", [s])],
    *[c for s in [X, (5,), (2, 1)] for c in calls("median", [s], [0, -1], KEEP)],
    *calls("median", [()], [0, -1], KEEP),
    *[c for s in [FEW, SPECIAL, (0,), (2, 0)] for c in calls("median", [s])],
    *calls("median", [(0, 3)], [1], KEEP),
    *composed("median", lambda m, x: m.median(x, 1).values.detach(), [FEW]),  # PyTorch: any of equal indices
    *[c for s in [X, FEW, (), FINITE] for c in calls("aminmax", [s], dim=[None, 0, -1], keepdim=KEEP)],
    *[c for s in PAIRS_OF_SHAPES for c in calls("dist", s, [0.5, 1, 2, 3])],
    *calls("dist", [X, X], p=[2, -1, inf, -inf, 1.5]),
    *composed("dist", lambda m, x, p: m.dist(x, x, p), [X], [1, 2, 3, inf]),
    *composed("dist", lambda m, x, y: m.dist(x, y, 0).detach(), [FEW, ties(4)]),  # PyTorch: no gradient at all
    *calls("softmax log_softmax cumsum", [X], DIMS),
    *calls("softmax log_softmax", [np.array([[0.0, -inf, 3.0], [1e3, 0, -1e3], [2, 2, 2]])], dim=[0, 1]),
    *calls("softmax log_softmax cumsum logsumexp", [()], [0, -1]),
    *calls("logsumexp", [np.array([[0.0, -inf, 3.0], [1e3, 1e3, -1e3]])], [0, 1]),
    # shapes
    *calls("reshape", [X], [(6, 4), (-1,), (2, -1, 2), (4, 3, 2), (1, 24)]),
    *composed("view", lambda m, x, sizes: m.view(x, *sizes), [X], [(6, 4), (-1,), (2, -1, 2), (2, 3, 4, 1)]),
    *calls("flatten", [X], [0, -3], [-1, 0, 1]),
    *calls("flatten t", [()]),
    *calls("unflatten", [X], [2, -1], [(2, -1), (4, 1), (2, 2, 1), (-1,)]),
    *calls("squeeze", [(1, 3, 1)], [0, 1, -1, (0, 2), (1,), ()]),
    *calls("squeeze", [(1, 3, 1)]),
    *calls("unsqueeze", [X], [0, 1, 3, -1, -4]),
    *calls("permute", [X], [(0, 1, 2), (2, 0, 1), (-1, 0, 1)]),
    *calls("transpose", [X], [0, -1, 1], [1, 2, -3]),
    *[call for shape in [(2, 3), (3,)] for call in calls("t", [shape])],
    *calls("movedim", [X], [0, -1], [2, 0, -2]),
    *calls("movedim", [X], [(0, 1), (2, 0)], [(2, 0), (0, -1)]),
    *composed("expand", lambda m, x, sizes: m.expand(x, *sizes), [(2, 1, 4)], [X, (-1, 3, -1), (5, 2, 3, 4)]),
    *calls("expand_as", [(3, 1), X]),
    *calls("broadcast_to", [(3,)], [(3,), (2, 3), (5, 2, 3)]),
    *calls("flip", [X], [(0,), (0, 2), (-1,), ()]),
    *calls("flip", [X], dims=[(0,), (0, 2)]),
    *calls("permute", [X], dims=[(2, 0, 1)]),
    *calls("reshape", [X], shape=[(4, 6), (-1,)]),
    *composed("cat", lambda m, a, b, dim: m.cat([a, b, a], dim), [X, X], DIMS),
    *composed("cat", lambda m, a, b, dim: m.cat((a, b, a), dim), [(0,), (2, 3)], [0, 1]),
    *composed("cat", lambda m, a, b: (m.cat([a, b], axis=1), m.stack([a, b], axis=1)), [(2, 3), (2, 3)]),
    *calls("unsqueeze squeeze", [X], axis=[1, -1]),
    *composed("softmax", lambda m, x: (x.softmax(axis=1), x.log_softmax(axis=-1)), [X]),
    *composed("view", lambda m, x: (x.view(size=(6, 4)), x.expand(size=(5, 2, 3, 4))), [X]),
    *composed("stack", lambda m, a, b, dim: m.stack([a, b, a], dim=dim), [X, X], [0, 1, -1, -4]),
    *composed("concat", lambda m, a, b: (m.concat([a, b], 1), m.concatenate((a, b), dim=-1)), [X, X]),
    *composed("concatenate", lambda m, a, b: m.concatenate([a, b], axis=-1), [X, X]),
    *[
        c for name in ("hstack", "vstack", "dstack") for shape in [(), (3,), (0,), (2, 3), X]
        for c in composed(name, lambda m, a, b, name: getattr(m, name)((a, b, a)), [shape, shape], [name])
    ],
    *composed("hstack", lambda m, a, b: (m.hstack([a, b]), m.vstack([b, b]), m.dstack([a, a])), [(), (1,)]),
    *calls("split", [X], [1, 2, 3, 100], DIMS),
    *calls("split", [X], [[1, 2], (0, 3, 0)], [1]),
    *calls("split", [X], split_size_or_sections=[2], dim=[-1]),
    *composed("split", lambda m, x: x.split(split_size=2, dim=2) + x.split([1, 3], 2), [X]),
    *calls("split", [(0, 3)], [0, 2, [], [0, 0]]),
    *calls("chunk", [X], [1, 2, 3, 5], DIMS),
    *calls("chunk", [(0, 3)], [3], dim=[0, 1]),
    *calls("tensor_split", [X], [1, 2, 3, 5, (1,), (1, 2), (), (-1, 5, 1), (3, 1)], DIMS),
    *calls("tensor_split", [X], sections=[2], dim=[1]),
    *calls("tensor_split", [X], indices=[(1, 2)], dim=[2]),
    *composed("tensor_split", lambda m, x, at: m.tensor_split(x, constant(x, at), 1), [X], [2, [1, 2]]),
    *calls("unbind", [X], DIMS),
    *calls("unbind", [(0, 3)], [0, 1]),
    *calls("unbind", [X]),
    *calls("narrow", [X], [1, -2], [0, 1, -1], [0, 1]),
    *calls("narrow", [X], [1], [3], [0]),
    *composed("narrow", lambda m, x: m.narrow(x, 2, start=constant(x, 1), length=3), [X]),
    *calls("select", [X], [0, 1, -1], [0, 1, -1, -2]),
    *composed("select", lambda m, x: m.select(x, dim=1, index=constant(x, 2)), [X]),
    *[c for s in [(3,), (), (0,)] for c in calls("meshgrid", [s, (2,), (4,)], indexing=["ij", "xy"])],
    *composed("meshgrid", lambda m, a, b: m.meshgrid([a, b], indexing="xy"), [(3,), (2,)]),
    *calls("meshgrid", [(3,)], indexing=["xy", "ij"]),
    *calls("ravel", [X]), *calls("ravel", [()]), *calls("ravel", [(0, 2)]),
    *calls("swapaxes swapdims", [X], [0, -1, 1], [1, 2, -3]),
    *calls("swapaxes", [X], axis0=[0], axis1=[2]), *calls("swapdims", [X], dim0=[0], dim1=[2]),
    *calls("moveaxis", [X], [0, -1], [2, 0]),
    *calls("moveaxis", [X], source=[(0, 1)], destination=[(2, 0)]),
    *calls("tile", [X], [(2,), (2, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1, 3), ()]),
    *calls("tile", [()], [(2,), (), (2, 3)]), *calls("tile", [X], dims=[(2, 2)]),
    *composed("repeat", lambda m, x, n: (x.repeat(*n), x.repeat(n)), [X], [(1, 1, 1), (2, 0, 3), (2, 1, 1, 2)]),
    *composed("repeat", lambda m, x: (x.repeat(2, 3), x.repeat(repeats=(2,))), [()]),
    *composed("repeat", lambda m, x: (x.repeat(2, 3), x.tile(2, 3), x.tile((2,))), [(0, 2)]),
    *calls("repeat_interleave", [X], [0, 1, 3], [None, *DIMS]),
    *calls("repeat_interleave", [X], [2], dim=[1], output_size=[None, 6]),
    *calls("repeat_interleave", [()], [3]),
    *composed("repeat_interleave", lambda m, x, n: m.repeat_interleave(x, constant(x, n), 1), [X], [[2, 0, 1], [2], 3]),
    *composed("repeat_interleave", lambda m, x: x.repeat_interleave(constant(x, [2, 0, 1]), dim=1, output_size=3), [X]),
    *composed("repeat_interleave", lambda m, x, **o: m.repeat_interleave(constant(x, [2, 0, 3])), [()]),
    *calls("roll", [X], [0, 1, -2, 7], [None, *DIMS]),
    *calls("roll", [X], [(1, -2)], [(0, 2), (1, 1)]), *calls("roll", [X], [(2,)], [None, ()]),
    *calls("roll", [X], shifts=[2], dims=[-2]), *calls("roll", [()], [1]), *calls("roll", [(0, 2)], [1], [0, None]),
    *calls("rot90", [X], [0, 1, 2, 3, -1, 5], [(0, 1), (2, 1), (-1, 0)]), *calls("rot90", [X]),
    *calls("fliplr flipud", [X]), *calls("fliplr flipud", [(0, 3)]), *calls("flipud", [(3,)]),
    *calls("diagonal", [X], [0, 1, -1, 9, -9], [0, -1], [1]), *calls("diagonal", [X]),
    *calls("diagonal", [X], offset=[1], dim1=[2], dim2=[0]), *calls("diagonal", [(0, 3)]),
    *calls("diag_embed", [X], [0, 1, -2]), *calls("diag_embed", [X], [1], [0, 3], [2, -3]),
    *calls("diag_embed", [X], offset=[-1], dim1=[0], dim2=[1]), *calls("diag_embed", [(0,)], [0, 2]),
    *[c for s in [(3,), (3, 4), (0,), (0, 2)] for c in calls("diag", [s], [0, 1, -2])],
    *calls("diag", [(3,)], diagonal=[1]),
    *[c for s in [(3,), (), (2, 2), (0,)] for c in calls("diagflat", [s], [0, 1, -1])],
    *calls("tril triu", [X], [0, 1, -1, 9, -9]), *calls("tril triu", [X], diagonal=[2]), *calls("tril triu", [(0, 3)]),
    *calls("tril triu", [PEAKS]),
    *calls("pad", [X], [(1, 2), (0, 1, 2, 0), (-1, 1), (1, -2, -1, 0), (1, 1, 1, 1, 1, 1)], ["constant"], [None, 2.5]),
    *calls("pad", [X], [(1, 2), (2, 0), (0, 1)], mode=["reflect", "replicate", "circular"]),
    *calls("pad", [(2, *X)], [(1, 2, 1, 1)], ["reflect", "replicate", "circular"]),
    *calls("pad", [X], [(2, -1), (-1, 2), (-2, 1), (-1, -1)], ["reflect", "replicate", "circular"]),
    *calls("pad", [(2, 3)], [(-3, 2)], ["replicate"]),
    *calls("pad", [(2, 2, *X)], [(1, 2, 1, 1, 1, 0), (1, -1, 0, 1, -1, 1)], ["reflect", "replicate", "circular"]),
    # indices
    *calls("getitem", [X], KEYS),
    *composed("getitem", lambda m, x: (m.getitem(x, x > 0), m.getitem(x, (slice(None), x[0, :, 0] > 0))), [X]),
    *composed("gather", lambda m, x, dim: m.gather(x, dim, (x > 0).long()), [X], DIMS),
    *composed("gather", lambda m, x, *n: m.gather(x, 0, m.argmax(x).reshape(1)[:0].reshape(n)), [X], [0], [1, 5]),
    *composed("gather", lambda m, x, *n: m.gather(x, 0, (x[..., None] < inf).long().reshape(n)[:1] - 1), [()], [1]),
    *composed("gather", lambda m, x: m.gather(x, 0, m.argmax(x)), [(3,)]),
    *composed("gather", lambda m, x: m.gather(x, 2, m.argmax(x, 2, True)[:, :2]), [X]),
    *composed("take", lambda m, x, at: m.take(x, constant(x, at)), [X], [3, [0, 23, 0], [[-1], [5]], -24]),
    *composed("take", lambda m, x: m.take(x, constant(x, [0, -1])), [()]),
    *composed("take", lambda m, x: m.take(x, constant(x, [0])[:0]), [(0,)]),
    *composed("take_along_dim", lambda m, x, dim: m.take_along_dim(x, m.argsort(x, dim), dim), [X], DIMS),
    *composed("take_along_dim", lambda m, x: m.take_along_dim(x, constant(x, [5, 0, 5])), [X]),
    *composed("take_along_dim", lambda m, x: m.take_along_dim(x, constant(x, [[[0], [-1], [2], [0]]]), dim=1), [X]),
    *composed("take_along_dim", lambda m, x: x.take_along_dim(indices=constant(x, [[[0]]] * 5), dim=2), [(1, 2, 3)]),
    *composed("index_select", lambda m, x, at: m.index_select(x, 1, constant(x, at)), [X], [[0, 2, 0], 1, [2]]),
    *composed("index_select", lambda m, x: m.index_select(x, dim=-1, index=constant(x, [3])[:0]), [X]),
    *composed("index_select", lambda m, x: m.index_select(x, 0, constant(x, [0])), [()]),
    *composed("index_add", lambda m, x, s, a: m.index_add(x, 1, constant(x, [0, 2, 0]), s, alpha=a), [X, X], [1, -0.5]),
    *composed("index_add", lambda m, x, s: x.index_add(dim=-1, index=constant(x, 3), source=s), [X, (2, 3, 1)]),
    *composed("index_add", lambda m, x, s: m.index_add(x, 0, constant(x, 0), s), [(), ()]),
    *composed("index_copy", lambda m, x, s: m.index_copy(x, 1, constant(x, [2, 0]), s), [X, (2, 2, 4)]),
    *composed("index_copy", lambda m, x, s: m.index_copy(x, 0, constant(x, [0]), s), [(), (1,)]),
    *composed("index_fill", lambda m, x, v: m.index_fill(x, 1, constant(x, [0, -1]), v), [X], [2.5, True, -3]),
    *composed("index_fill", lambda m, x, v: m.index_fill(x, -1, constant(x, 2), v), [X, ()]),
    *composed("index_fill", lambda m, x: m.index_fill(x, 0, constant(x, [0]), value=7), [()]),
    *[
        c for dim in (0, 1, 2) for how in ({}, {"reduce": "add"}, {"reduce": "multiply"})
        for c in composed(
            "scatter",
            # with `reduce` PyTorch has no gradient; without, it has a wrong one for what is overwritten
            lambda m, x, s, dim, how: (
                m.scatter(x.detach(), dim, m.argsort(x, dim)[:2, :2, :3] // 2, s.detach(), **how)
                if how
                else m.scatter(x, dim, m.argsort(x, dim)[:2, :2, :3], s)
            ),
            [X, (2, 2, 3)], [dim], [how],
        )
    ],
    *composed("scatter", lambda m, x: m.scatter(x, 1, m.argsort(x, 1)[:1, :2], 2.5), [X]),
    *composed("scatter", lambda m, x: m.scatter(x, 1, m.argsort(x, 1)[:1], value=7), [X]),
    *composed("scatter", lambda m, x: m.scatter(x.detach(), 1, m.argsort(x, 1) // 2, 3, reduce="multiply"), [X]),
    *composed("scatter", lambda m, x: m.scatter(x.detach(), 1, m.argsort(x, 1) // 2, 3, reduce="add"), [X]),
    *composed("scatter", lambda m, x, s: m.scatter(x, 0, constant(x, 0), s), [(), ()]),
    *composed("scatter", lambda m, x, s: m.scatter(x, 0, constant(x, [2, 0]), s), [(3,), (2,)]),
    *composed("scatter", lambda m, x: m.scatter(x, 1, constant(x, [0])[:0], x.detach()), [X]),
    *composed("scatter_add", lambda m, x, s, dim: m.scatter_add(x, dim, m.argsort(x, dim) // 2, s), [X, X], DIMS),
    *composed("scatter_add", lambda m, x, s: m.scatter_add(x, 0, constant(x, 0), s), [(), ()]),
    *composed("scatter_add", lambda m, x, s: x.scatter_add(dim=0, index=constant(x, [2, 2]), src=s), [(3,), (2,)]),
    *composed("masked_fill", lambda m, x, v: m.masked_fill(x, x > 0, v), [X], [2.5, -inf, nan, 3, True]),
    *composed("masked_fill", lambda m, x, v: m.masked_fill(x, x[0] > 0, v), [X, ()]),
    *composed("masked_fill", lambda m, x, y: m.masked_fill(x, mask=y > 0, value=1), [(3, 1), X]),
    *composed("masked_fill", lambda m, x: m.masked_fill(x, x > 0, 1), [()]),
    *composed("masked_select", lambda m, x: m.masked_select(x, x > 0), [X]),
    *composed("masked_select", lambda m, x, y: m.masked_select(x, mask=y > 0), [(3, 1), X]),
    *composed("masked_select", lambda m, x: (m.masked_select(x, x == x), m.masked_select(x, x != x)), [()]),
    *composed("masked_scatter", lambda m, x, s: m.masked_scatter(x, x > 0, s), [X, (30,)]),
    *composed("masked_scatter", lambda m, x, y, s: m.masked_scatter(x, y > 0, s), [(3, 1), X, (4, 6)]),
    # order
    *calls("sort argsort", [X], DIMS, KEEP),
    *calls("sort argsort", [FEW], dim=DIMS, descending=KEEP, stable=[True]),
    *calls("sort argsort", [SPECIAL], dim=[0], descending=KEEP, stable=[True]),
    *calls("sort argsort", [PEAKS], dim=[0, 1], descending=KEEP, stable=[True]),
    *[c for s in [(), (0, 3), (1,)] for c in calls("sort argsort", [s])],
    *calls("sort", [X], axis=[1]),
    *calls("topk", [X], [0, 1, 3], DIMS[1:], KEEP), *calls("topk", [X], [2]), *calls("topk", [()], [1]),
    *calls("topk", [X], k=[2], dim=[0], largest=KEEP, sorted=[True]),
    *composed("topk", lambda m, x, k, up: m.topk(x, k, 1, up).values.detach(), [FEW], [1, 2, 3], KEEP),
    *composed("topk", lambda m, x, k, up: m.topk(x, k, -1, up).values.detach(), [SPECIAL], [1, 5, 14], KEEP),
    *composed("topk", lambda m, x: m.sort(m.topk(x, 2, 1, sorted=False).values, 1).values, [X]),
    *calls("kthvalue", [X], [1, 3], [1, -1], KEEP), *calls("kthvalue", [X], [2]), *calls("kthvalue", [()], [1]),
    *composed("kthvalue", lambda m, x, k: m.kthvalue(x, k, 0).values.detach(), [SPECIAL], [1, 7, 14]),
    *composed("unique", lambda m, x, *how: m.unique(x.detach(), True, *how), [FEW], KEEP, KEEP, [None, 0, 1, -1]),
    *composed("unique", lambda m, x: m.unique(x.detach(), return_inverse=True, return_counts=True), [SPECIAL]),
    # views and copies of what is not contiguous
    *[
        c for name in ("ravel", "unbind", "tril", "diagonal", "sort", "flipud", "rot90")
        for c in composed(name, lambda m, x, name: getattr(m, name)(m.transpose(x, 0, 2)[1:]), [X], [name])
    ],
    *composed("tile", lambda m, x: (m.tile(m.expand_as(x, m.flip(x, (0,))), (2, 2)), x.T[:, 0].repeat(2, 2)), [(3, 2)]),
    # products
    *calls("matmul dot", [(3,), (3,)]),
    *calls("matmul", [(2, 3), (3,)]),
    *calls("matmul", [(3,), (3, 2)]),
    *calls("matmul", [(3,), (2, 3, 2)]),
    *calls("matmul", [(2, 2, 3), (3,)]),
    *calls("matmul", [(5, 1, 2, 3), (4, 3, 2)]),
    *calls("matmul mm", [(2, 3), (3, 4)]),
    *calls("matmul mm", [(2, 0), (0, 3)]),
    *calls("matmul mm", [(0, 3), (3, 2)]),
    *calls("matmul bmm", [(5, 2, 3), (5, 3, 4)]),
    *[call for shape in [(3,), (2, 3), (2, 4, 3), (0, 3)] for call in calls("linear", [shape, (5, 3), (5,)])],
    *calls("linear", [(2, 3), (5, 3)]),
    *[call for shape in [(3,), (2, 3), (2, 4, 3)] for call in calls("linear", [shape, (3,)])],
    *[call for m, v in [((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,))] for call in calls("mv", [m, v])],
    *[call for n in (3, 1, 0) for call in calls("vdot dot inner", [(n,), (n,)])],
    *calls("inner", [X, (5, 4)]), *calls("inner", [(), X]), *calls("inner", [X, ()]), *calls("inner", [(2, 0), (3, 0)]),
    *calls("outer ger", [(3,), (4,)]), *calls("outer ger", [(0,), (4,)]),
    *[call for shape in [(3, 3), (2, 4), (4, 2), (0, 3), (1, 1)] for call in calls("trace", [shape])],
    *[
        call for x in [(2, 4), (4,), (2, 1), ()]
        for call in calls("addmm", [x, (2, 3), (3, 4)], beta=[0, 1, 0.5], alpha=[1, -2])
    ],
    *calls("addmm", [(2, 4), (2, 0), (0, 4)], beta=[0, 2]),
    *[call for x in [(2,), (1,), ()] for call in calls("addmv", [x, (2, 3), (3,)], beta=[0, 1, 0.5], alpha=[1, -2])],
    *calls("addmv", [(2,), (2, 0), (0,)], beta=[0, 2]),
    *[
        call for x in [(5, 2, 4), (2, 1), ()]
        for call in calls("baddbmm", [x, (5, 2, 3), (5, 3, 4)], beta=[0, 1, 0.5], alpha=[1, -2])
    ],
    *[
        call for x in [(2, 4), (4,), ()]
        for call in calls("addbmm", [x, (5, 2, 3), (5, 3, 4)], beta=[0, 0.5], alpha=[1, -2])
    ],
    *calls("addbmm baddbmm", [(2, 4), (0, 2, 3), (0, 3, 4)], beta=[0.5]),
    *composed("addmm", lambda m, *xs: m.addmm(*xs, beta=0), [np.full((2, 4), nan), (2, 3), (3, 4)]),
    *[c for e, *x in EQUATIONS for c in composed("einsum", lambda m, *xs: m.einsum(xs[-1], *xs[:-1]), x, [e])],
    *composed("einsum", lambda m, a, b: m.einsum("ij,jk", [a, b]), [(2, 3), (3, 4)]),
    *composed("einsum", lambda m, a, b: m.einsum(a, [0, 1], b, [1, 51], [51, 0]), [(2, 3), (3, 4)]),
    *composed("einsum", lambda m, a, b: m.einsum(a, [..., 7], b, (7, 3)), [(5, 2, 3), (3, 4)]),
    *composed("einsum", lambda m, a: (m.einsum(a, [27, 1]), m.einsum(a, [1, 1, 0][1:], [])), [(2, 3)]),
    *composed("einsum", lambda m, a: m.einsum("ji,kj", a.T, a[::2][:1]), [(2, 3)]),
    *composed("einsum", lambda m, a: m.einsum("ij,jk", a, a.T) + m.einsum("ii", m.einsum("ij,ik", a, a)), [(2, 3)]),
    *calls("tensordot", [(3, 4, 5), (4, 5, 2)]), *calls("tensordot", [(2, 3), (3, 2)], [0, 1]),
    *calls("tensordot", [(3, 4, 5), (4, 3, 2)], [([1, 0], [0, 1]), ((1, 0), (0, 1)), [[-2], [0]], ([], [])]),
    *calls("tensordot", [(3, 4, 5), (4, 3, 2)], dims=[([0], [1])]), *calls("tensordot", [(), (2, 3)], [0]),
    *calls("tensordot", [(3, 4), (1, 2)], [([0], [0])]), *calls("tensordot", [(3, 0), (0, 2)], [1]),
    # convolution and pooling
    *[
        c for size in [IMAGE, IMAGE[1:]]
        for c in calls("unfold", [size], [2, (3, 2)], [1, (1, 2)], [0, (1, 2)], [1, (2, 3)])
    ],
    *calls("unfold", [(0, 2, 3, 3)], [2]), *calls("unfold", [IMAGE], kernel_size=[(7, 6)], stride=[5]),
    *composed("unfold", lambda m, x, *how: m.unfold(m.transpose(x, 2, 3)[:, ::2], *how), [IMAGE], [2], [2]),
    *composed(
        "fold", lambda m, x, *how: m.fold(m.unfold(x, *how), IMAGE[2:], *how), [IMAGE],
        [2, (3, 2)], [1, (1, 2)], [0, (1, 2)], [1, (2, 3)],
    ),
    *calls("fold", [(2, 8, 12)], [(4, 5)], [2]), *calls("fold", [(6, 6)], [5], [(2, 3)], [(2, 1)], [1], [(2, 3)]),
    *calls("fold", [(0, 8, 12)], output_size=[(4, 5)], kernel_size=[2]),
    *composed("fold", lambda m, x: m.fold(x.T, (4, 5), 2), [(12, 8)]),
    *calls("conv_transpose1d", [(2, 4, 5), (4, 6, 3), (6,)], [1, 3], [0, 2], [0], [1], [1, 2]),
    *calls("conv_transpose1d", [(2, 4, 5), (4, 3, 3), (6,)], [3], [0, 1], [0, 2], [2], [1, 4]),
    *calls("conv_transpose1d", [(2, 4, 5), (4, 3, 3)], padding=[1], output_padding=[2, 3], dilation=[4]),
    *calls("conv_transpose1d", [(4, 5), (4, 2, 3)], stride=[(2,)]),
    *calls("max_pool1d", [(2, 3, 9)], [2, (3,)], [None, 1, (2,)], [0, 1], [1, 2], KEEP, return_indices=KEEP),
    *calls("max_pool1d", [ties(4, 9)], [3], [1], [1], return_indices=[True]),
    *calls("avg_pool1d", [(2, 3, 9)], [2, (3,)], [None, 1, (2,)], [0, 1], KEEP, KEEP),
    *calls("avg_pool1d", [(3, 9)], [4]), *calls("avg_pool1d max_pool1d", [(0, 2, 4)], [2]),
    *[c for s in [(2, 3, 9), (3, 9)] for c in calls("adaptive_avg_pool1d adaptive_max_pool1d", [s], [1, 4, (3,), 12])],
    *calls("adaptive_max_pool1d", [ties(3, 9)], [4], [True]),
    *calls("adaptive_max_pool2d", [IMAGE], [1, 3, (2, 5), (None, 2), (9, 8), (7, 3)], KEEP),
    *calls("adaptive_max_pool2d", [LONELY], [(1, 3), (3, 2), (4, 4), 6, (None, 5)], return_indices=[True]),
    *calls("adaptive_max_pool2d", [np.where(inf == LONELY, nan, LONELY)], [(3, 2), (4, 4)], return_indices=[True]),
    *calls("adaptive_max_pool2d", [np.full((1, 3, 4), -inf)], [(2, 3)], return_indices=[True]),
    *calls("adaptive_max_pool2d adaptive_avg_pool2d", [(0, 2, 4, 4)], [2]),
    *calls("conv2d", [IMAGE, (6, 4, 3, 2), (6,)], [1, 2, (2, 1)], [0, 1, (1, 2)], [1, 2, (1, 2)]),
    *calls("conv2d", [IMAGE, (6, 2, 3, 2), (6,)], [1, (2, 1)], [0, (1, 2)], [1, (1, 2)], [2]),
    *calls("conv2d", [IMAGE, (2, 4, 3, 2)], padding=["same", "valid"], dilation=[1, 2]),
    *calls("conv2d", [IMAGE, (2, 4, 1, 4)], padding=["same"], dilation=[1, (1, 2)]),
    *calls("conv2d", [IMAGE[1:], (2, 4, 2, 2)], stride=[1, 3]),
    *calls("conv1d", [(2, 4, 8), (3, 4, 2), (3,)], [1, 2], [0, 2], [1, 2]),
    *calls("conv1d", [(2, 4, 8), (3, 4, 2)], padding=["same", "valid"]),
    *calls("conv1d", [(4, 8), (2, 2, 3)], groups=[2]),
    *calls("conv_transpose2d", [(2, 4, 3, 4), (4, 6, 3, 2), (6,)], [2, (3, 2)], [0, (1, 0)], [0, (0, 1)], [1], [1, 2]),
    *calls("conv_transpose2d", [(2, 4, 3, 4), (4, 3, 3, 2), (6,)], [2, (3, 2)], [0, (1, 0)], [0, (0, 1)], [2], [1, 2]),
    *calls("conv_transpose2d", [(4, 3, 4), (4, 2, 3, 2)]),
    *calls("max_pool2d", [IMAGE], [2, (3, 2)], [None, 1, (2, 3)], [0, 1], [1, 2], KEEP, return_indices=KEEP),
    *calls("max_pool2d", [ties(4, 7, 6)], [3], [1], [1], return_indices=[True]),
    *calls("avg_pool2d", [IMAGE], [2, (3, 2)], [None, 1, (2, 3)], [0, 1], KEEP, KEEP, [None, 5]),
    *calls("adaptive_avg_pool2d", [IMAGE], [1, 3, (2, 5), (None, 2), (9, 8), (7, 3)]),
    *calls("adaptive_avg_pool2d", [LONELY], [(1, 3), (3, 2), (4, 4), 6, (None, 5)]),
]  # fmt: skip

NOT_IN_PYTORCH = {
    "BatchNorm", "LayerNorm", "Normalize", "SoftmaxCrossEntropy",  # parts of the functional ones
    "BatchNormReLU", "NormalizeReLU",
    "batch_norm_definition", "layer_norm_definition", "positions_in_one", "scale_and_shift",
    "as_key", "cast", "is_number_or_array", "normalize_dim", "overwrite", "without_leading_ones",  # tools for methods
}  # fmt: skip


def label(case):
    """For example `sum((2, 3, 4), 0, keepdim=True)`."""
    name, inputs, args, options = case
    shown = [x.shape if isinstance(x, np.ndarray) else x for x in inputs] + [a for a in args if not callable(a)]
    return f"{name}({', '.join([*map(str, shown), *(f'{k}={v}' for k, v in options.items())])})"


def call(library, name, tensors, args, options):
    """One call of the grid, in either library."""
    if args and callable(args[0]):
        return args[0](library, *tensors, *args[1:])
    return getattr(library, name)(*tensors, *args, **options)


def parts(result):
    """The single results of what may be nested tuples of them."""
    return [y for part in result for y in parts(part)] if isinstance(result, (tuple, list)) else [result]


def close(ours, theirs, tolerance=1e-10):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, strict=True)


@pytest.mark.reference
@pytest.mark.parametrize("case", GRID, ids=label)
def test_values_and_gradients(case, pytorch, rng):
    compare(case, np.array, pytorch, rng)


def gapped(a):
    """The same numbers in column-major order, with NaN between them."""
    wide = np.full([2 * n + 1 for n in reversed(a.shape)], nan)
    view = wide.T[(..., *(slice(1, None, 2) for _ in a.shape))]
    view[...] = a
    return view


def has_a_layout(case):
    """Is there an input with more than one element, for a function that PyTorch has for any layout?"""
    name, inputs, *_ = case
    sizes = [x.size if isinstance(x, np.ndarray) else math.prod(x) for x in inputs]
    return max(sizes) > 1 and name not in ("view", "take_along_dim")


@pytest.mark.reference
@pytest.mark.parametrize("case", [case for case in GRID if has_a_layout(case)], ids=label)
def test_values_and_gradients_of_what_is_not_contiguous(case, pytorch, rng):
    compare(case, gapped, pytorch, rng)


def compare(case, layout, pytorch, rng):
    """One call of the grid in both libraries, its inputs and what arrives from behind in a layout of memory."""
    name, inputs, args, options = case
    arrays = [layout(x if isinstance(x, np.ndarray) else np.asarray(rng.standard_normal(x))) for x in inputs]
    ours = [minigrad.from_numpy(a).requires_grad_() for a in arrays]
    theirs = [pytorch.from_numpy(a).requires_grad_() for a in arrays]
    found = parts(call(ops, name, ours, args, options))
    expected = parts(call(pytorch, name, theirs, args, options))
    for y, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, bool):
            assert y is wanted
            continue
        close(y.array, wanted.detach().numpy())
        if not wanted.requires_grad:
            assert not y.requires_grad
            continue
        g = layout(np.asarray(rng.standard_normal(y.shape)))
        again = {"retain_graph": True, "materialize_grads": True}
        gradients = pytorch.autograd.grad(wanted, theirs, pytorch.from_numpy(g), **again)
        if y.requires_grad:
            ours_gradients = autograd.grad(y, ours, minigrad.from_numpy(g), **again)
        else:
            ours_gradients = [minigrad.zeros_like(x) for x in ours]  # constant: PyTorch gives a graph of zeros
        for gx, wx in zip(ours_gradients, gradients, strict=True):
            # PyTorch's derivative of hardsigmoid is the float32 that is nearest to 1/6, in float64 too.
            close(gx.array, wx.numpy(), 1e-7 if name == "hardsigmoid" else 1e-10)


def test_every_public_function_is_in_the_grid():
    compared = {name for name, *_ in GRID}
    assert sorted(set(ops.__all__) - compared - NOT_IN_PYTORCH) == []
    assert sorted((compared | NOT_IN_PYTORCH) - set(ops.__all__)) == []


# ---------------------------------------------------------------------------- dtypes: the same, or an error in both

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
TENSORS = [(name, shape) for name in DTYPES for shape in ((2,), ())]
NUMBERS = [True, 2, 2.5, np.int64(2), np.float64(2.5)]

PAIRS = {
    "add": lambda m, a, b: a + b,
    "sub": lambda m, a, b: a - b,
    "mul": lambda m, a, b: a * b,
    "div": lambda m, a, b: a / b,
    "floor_divide": lambda m, a, b: a // b,
    "remainder": lambda m, a, b: a % b,
    "pow": lambda m, a, b: a**b,
    "and": lambda m, a, b: a & b,
    "or": lambda m, a, b: a | b,
    "xor": lambda m, a, b: a ^ b,
    "eq": lambda m, a, b: a == b,
    "le": lambda m, a, b: a <= b,
    "where": lambda m, a, b: m.where(m.tensor([True, False]), a, b),
    "where with a 0-d condition": lambda m, a, b: m.where(m.tensor(True), a, b),
    "add with alpha": lambda m, a, b: m.add(a, b, alpha=2),
    "sub with alpha": lambda m, a, b: m.sub(a, b, alpha=0.5),
    "result_type": lambda m, a, b: m.ones(1, dtype=m.result_type(a, b)),
}
TENSOR_PAIRS = {
    "maximum": lambda m, a, b: m.maximum(a, b),
    "logical_or": lambda m, a, b: m.logical_or(a, b),
    "logical_xor": lambda m, a, b: m.logical_xor(a, b),
    "atan2": lambda m, a, b: m.atan2(a, b),
    "addcmul": lambda m, a, b: m.addcmul(a, b, b),
    "addcmul with value": lambda m, a, b: m.addcmul(b, a, a, value=2),
    "addcdiv": lambda m, a, b: m.addcdiv(a, b, b),
    "addcdiv the other way": lambda m, a, b: m.addcdiv(a, a, b, value=0.5),
    "lerp": lambda m, a, b: m.lerp(a, b, 0.25),
    "lerp with a weight": lambda m, a, b: m.lerp(a, a, b),
    "dist": lambda m, a, b: m.dist(a, b),
    "cat": lambda m, a, b: m.cat([a, b]),
    "hstack": lambda m, a, b: m.hstack([a, b]),
    "masked_fill": lambda m, a, b: m.masked_fill(a, a == a, b.reshape(-1)[0]),
    "index_add": lambda m, a, b: m.index_add(a, 0, m.zeros(len(b) if b.ndim else 1, dtype=m.int64), b),
    "scatter": lambda m, a, b: m.scatter(a, 0, m.zeros(1, dtype=m.int64), b),
    "stack": lambda m, a, b: m.stack([a, b]),
    "matmul": lambda m, a, b: a @ b,
    "outer": lambda m, a, b: m.outer(a, b),
    "inner": lambda m, a, b: m.inner(a, b),
    "addmm": lambda m, a, b: m.addmm(b, b.expand(2)[None], b.expand(2)[:, None]),
    "einsum": lambda m, a, b: m.einsum("...,...->...", a, b),
    "einsum, summed": lambda m, a, b: m.einsum("i,i", a, b),
    "tensordot": lambda m, a, b: m.tensordot(a, b, 0),
    "promote_types": lambda m, a, b: m.ones(1, dtype=m.promote_types(a.dtype, b.dtype)),
}
IN_PLACE = {
    "fill_": lambda m, a, b: a.fill_(b),
    "add_": lambda m, a, b: a.add_(b),
    "sub_": lambda m, a, b: a.sub_(b),
    "mul_": lambda m, a, b: a.mul_(b),
    "div_": lambda m, a, b: a.div_(b),
    "pow_": lambda m, a, b: a.pow_(b),
    "clamp": lambda m, a, b: m.clamp(a, max=b),
    "clamp_min": lambda m, a, b: m.clamp_min(a, b),
    "fmod": lambda m, a, b: m.fmod(a, b),
    "trunc": lambda m, a, b: m.div(a, b, rounding_mode="trunc"),
    "floor": lambda m, a, b: m.div(a, b, rounding_mode="floor"),
    "new value": lambda m, a, b: a.__setitem__(..., b) or a,
}
SINGLE = """sum mean var std norm amax max argmax all any exp log sqrt rsqrt sin tanh sigmoid erf abs neg sign square
    reciprocal floor ceil round trunc frac nan_to_num exp2 log2 log10 tan asin acos atan sinh cosh prod cumprod median
    aminmax count_nonzero nonzero var_mean std_mean relu isnan logical_not bitwise_not cumsum softmax logsumexp
    sort argsort unique ravel diagflat"""
# Where we differ: these take bools or integers that PyTorch refuses.
INTEGERS = {"bool", "uint8", "int8", "int16", "int32", "int64"}
DIFFERENT = {
    "abs": {"bool"}, "argmax": {"bool"}, "clamp": {"bool"}, "clamp_min": {"bool"},
    "softmax": INTEGERS,
}  # fmt: skip


def operand(library, kind):
    """A Python number as it is; else a tensor of ones of that dtype and shape."""
    return library.ones(kind[1], dtype=getattr(library, kind[0])) if isinstance(kind, tuple) else kind


def outcome(function, *args):
    """The dtype and the numbers of a result, or None for a refusal."""
    try:
        y = function(*args)
    except (TypeError, ValueError, RuntimeError, IndexError):
        return None
    y = y[0] if isinstance(y, tuple) else y
    return str(y.dtype).removeprefix("torch."), np.array(y.tolist(), float).round(3).tolist()  # but for rounding


def differences(name, function, pytorch, pairs):
    for kinds in pairs:
        if any(kind[0] in DIFFERENT.get(name, ()) for kind in kinds if isinstance(kind, tuple)):
            continue
        ours = outcome(partial(function, minigrad), *(operand(minigrad, kind) for kind in kinds))
        theirs = outcome(partial(function, pytorch), *(operand(pytorch, kind) for kind in kinds))
        if str(ours) != str(theirs):  # as text: NaN equals NaN
            yield f"{name} of {kinds}: {ours}, in PyTorch {theirs}"


@pytest.mark.reference
@pytest.mark.parametrize("name", PAIRS)
def test_dtypes_of_tensors_and_numbers(name, pytorch):
    pairs = [*product(TENSORS, TENSORS + NUMBERS), *product(NUMBERS, TENSORS)]
    assert list(differences(name, PAIRS[name], pytorch, pairs)) == []


@pytest.mark.reference
@pytest.mark.parametrize("name", TENSOR_PAIRS)
def test_dtypes_of_tensors(name, pytorch):
    assert list(differences(name, TENSOR_PAIRS[name], pytorch, product(TENSORS, TENSORS))) == []


@pytest.mark.reference
@pytest.mark.parametrize("name", IN_PLACE)
def test_dtypes_in_place(name, pytorch):
    assert list(differences(name, IN_PLACE[name], pytorch, product(TENSORS, TENSORS + NUMBERS))) == []


@pytest.mark.reference
@pytest.mark.parametrize("name", SINGLE.split())
def test_dtypes_of_one_tensor(name, pytorch):
    def apply(library, x):
        return getattr(library, name)(x, *[0] * (name in ("cumsum", "cumprod", "softmax", "logsumexp")))

    assert list(differences(name, apply, pytorch, [(kind,) for kind in TENSORS])) == []


OPTIONS = {
    "clamp": lambda m, x, n: m.clamp(x, n(-1.5), n(0.5)),
    "leaky_relu": lambda m, x, n: m.leaky_relu(x, n(0.5)),
    "elu": lambda m, x, n: m.elu(x, n(0.5)),
    "softplus": lambda m, x, n: m.softplus(x, n(2), n(3)),
    "hardtanh": lambda m, x, n: m.hardtanh(x, n(-0.5), n(1)),
    "norm": lambda m, x, n: m.norm(x, n(3)),
    "var": lambda m, x, n: m.var(x, correction=n(1)),
    "add": lambda m, x, n: m.add(x, x, alpha=n(2)),
    "full": lambda m, x, n: minigrad.full((2,), n(2.5)),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_options_may_be_numpy_scalars_or_0d_tensors(name, dtype, rng):
    x = minigrad.tensor(rng.standard_normal((2, 3)).astype(dtype))
    wanted = OPTIONS[name](ops, x, float)
    for kind in (np.float64, np.float32, partial(minigrad.tensor, dtype=minigrad.float64)):
        if not (kind not in (np.float64, np.float32) and name in ("clamp", "full")):  # there a tensor has a say
            found = OPTIONS[name](ops, x, kind)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found.array, wanted.array)


# ---------------------------------------------------------------------- precision: long sums, float16 rounded once

LONG_SUMS = {
    "sum": lambda m, x: m.sum(x, 0),
    "sum of all": lambda m, x: m.sum(x.T),
    "mean": lambda m, x: m.mean(x, 0),
    "var": lambda m, x: m.var(x, 0),
    "norm": lambda m, x: m.norm(x, 2, 0),
    "cumsum": lambda m, x: m.cumsum(x, 0)[-1],
    "softmax": lambda m, x: m.softmax(x, 0)[-1],
    "logsumexp": lambda m, x: m.logsumexp(x, 0),
}


def bias_gradient(m, x):
    """What arrives at a bias that is added to every row of x, x being the cotangent."""
    b = m.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    return m.autograd.grad(x + b, [b], x)[0]


@pytest.mark.reference
@pytest.mark.parametrize("function", [*LONG_SUMS.values(), bias_gradient], ids=[*LONG_SUMS, "bias gradient"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-6), ("float16", 1.1e-3)])
def test_long_sums_keep_their_digits(function, dtype, rtol, rng, pytorch):
    many, scale = (500_000, 1) if dtype == "float32" else (40_000, 1 / 2**5)
    x = (rng.random((many, 2)) * scale).astype(dtype)
    wanted = function(pytorch, pytorch.from_numpy(x.astype(np.float64))).numpy()
    np.testing.assert_allclose(function(minigrad, minigrad.as_tensor(x)).array, wanted.astype(dtype), rtol=rtol)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["mean", "var", "std", "norm", "softmax", "log_softmax", "logsumexp"])
def test_float16_does_not_overflow_on_the_way(name, pytorch):
    x = np.full((60_000, 2), 2.0, np.float16)
    x[::2] = 3
    found = getattr(minigrad, name)(minigrad.as_tensor(x), dim=0)
    wanted = getattr(pytorch, name)(pytorch.from_numpy(x), dim=0)
    assert found.dtype == minigrad.float16
    np.testing.assert_allclose(found.array, wanted.numpy(), rtol=1e-3)


# ------------------------------------------------------------------------------ bad calls: refused here as there

image, filters = (lambda m, x: m.reshape(x, (2, 3, 2, 2))), (lambda m, x: m.reshape(x, (2, 3, 2, 2)))

# (call of the library and x of shape (2, 3, 4), what the text must say)
BAD = [
    (lambda m, x: m.add(x, x[:, :2]), "add: shapes (2, 3, 4) and (2, 2, 4)"),
    (lambda m, x: m.eq(x, x[:, :2]), "eq: shapes (2, 3, 4) and (2, 2, 4)"),
    (lambda m, x: m.where(x > 0, x, x[:, :2]), "where: shapes (2, 3, 4) and (2, 3, 4) and (2, 2, 4)"),
    (lambda m, x: m.clamp(x, x[:, :2]), "clamp: shapes (2, 3, 4) and (2, 2, 4)"),
    (lambda m, x: m.mul(x, "2"), "mul: operands must be Tensors, arrays or numbers, got Tensor and str"),
    (lambda m, x: m.lt(x, "2"), "lt: operands must be Tensors, arrays or numbers, got str"),
    (lambda m, x: m.sub(x > 0, x > 0), "sub: bools"),
    (lambda m, x: m.neg(x > 0), "neg: a bool"),
    (lambda m, x: m.relu(x > 0), "relu: a bool"),
    (lambda m, x: m.pow(x > 0, x > 0), "pow: bools"),
    (lambda m, x: m.pow((x > 0).long(), -1), "pow: an integer to a negative power"),
    (lambda m, x: m.add((x > 0).long(), 1, alpha=0.5), "add: alpha must be an int for int64 operands, got 0.5"),
    (lambda m, x: m.clamp(x), "clamp: give min, max or both"),
    (lambda m, x: m.where(x, x, x), "where: the condition must be a bool tensor"),
    (lambda m, x: m.bitwise_and(x, x), "bitwise_and: needs bools or integers, got float64"),
    (lambda m, x: m.bitwise_not(x), "bitwise_not: needs bools or integers, got float64"),
    (lambda m, x: m.softplus(x, "a"), "softplus: beta must be a number, got 'a'"),
    (lambda m, x: m.elu(x, "a"), "elu: alpha must be a number, got 'a'"),
    (lambda m, x: m.leaky_relu(x, "a"), "leaky_relu: negative_slope must be a number, got 'a'"),
    (lambda m, x: m.hardtanh(x, "a", 2), "hardtanh: min_val must be a number, got 'a'"),
    (lambda m, x: m.clamp(x, "a"), "clamp: min must be a number, got 'a'"),
    (lambda m, x: m.clamp(x, max=[1.0]), "clamp: max must be a number, got [1.0]"),
    (lambda m, x: m.add(x, x, alpha="a"), "add: alpha must be a number, got 'a'"),
    (lambda m, x: m.var(x, correction="a"), "var: correction must be a number, got 'a'"),
    (lambda m, x: m.norm(x, [2]), "norm: p must be a number, got [2]"),
    (lambda m, x: m.exp("a"), "exp: needs Tensors, got str; make one with minigrad.tensor(data)"),
    (lambda m, x: m.abs("a"), "abs: needs Tensors, got str"),
    (lambda m, x: m.sign("a"), "sign: needs Tensors, got str"),
    (lambda m, x: m.neg([1]), "neg: needs Tensors, got list"),
    (lambda m, x: m.clamp([1], 0), "clamp: needs Tensors, got list"),
    (lambda m, x: m.isnan("a"), "isnan: needs Tensors, got str"),
    (lambda m, x: m.allclose(x, "a"), "allclose: needs Tensors, got str"),
    (lambda m, x: m.allclose(x, x[:, :2]), "allclose: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.equal(x, "a"), "equal: needs Tensors, got str"),
    (lambda m, x: m.gelu(x, approximate="exact"), "gelu: approximate"),
    (lambda m, x: m.div(x, x, rounding_mode="up"),
     """div: rounding_mode must be None, "trunc" or "floor", got 'up'"""),
    (lambda m, x: m.div(x, x[:, :2], rounding_mode="floor"), "div: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.div(x.long(), 0, rounding_mode="trunc"), "div: ZeroDivisionError: integers cannot be divided by 0"),
    (lambda m, x: x.long() // x.long(), "floor_divide: ZeroDivisionError: integers cannot be divided by 0"),
    (lambda m, x: x.long() % 0, "remainder: ZeroDivisionError: integers cannot be divided by 0"),
    (lambda m, x: 7 % x.long(), "remainder: ZeroDivisionError"),
    (lambda m, x: m.fmod(x.long(), 0), "fmod: ZeroDivisionError"),
    (lambda m, x: m.remainder(x, x[:, :2]), "remainder: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.remainder(x, "a"), "remainder: operands must be Tensors, arrays or numbers, got Tensor and str"),
    (lambda m, x: (x > 0) // (x > 0), "floor_divide: bools cannot be divided into whole numbers"),
    (lambda m, x: (x > 0) % True, "remainder: bools cannot be divided into whole numbers"),
    (lambda m, x: m.floor("a"), "floor: needs Tensors, got str"),
    (lambda m, x: m.ceil(x > 0), "ceil: a bool tensor cannot be rounded"),
    (lambda m, x: m.round(x.long(), decimals=1), "round: decimals are for floating dtypes, got int64"),
    (lambda m, x: m.round(x, decimals=1.5), "round: decimals must be an int, got 1.5"),
    (lambda m, x: m.frac(x.long()), "frac: needs a floating dtype, got int64"),
    (lambda m, x: m.atan2(x, x[:, :2]), "atan2: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.tan("a"), "tan: needs Tensors, got str"),
    (lambda m, x: m.lerp(x, x.float(), 0.5), "lerp: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.lerp(x, x, x.float()), "lerp: operands must have one dtype, got float64 and float64 and float32"),
    (lambda m, x: m.lerp(x.long(), x.long(), 0.5), "lerp: needs a floating dtype, got int64"),
    (lambda m, x: m.lerp(x, x[:, :2], 0.5), "lerp: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.lerp(x, x, "a"), "lerp: weight must be a number, got 'a'"),
    (lambda m, x: m.lerp(x, 2.0, 0.5), "lerp: needs Tensors, got float"),
    (lambda m, x: m.addcmul(x, x, 2.0), "addcmul: needs Tensors, got float"),
    (lambda m, x: m.addcmul(x, x, x[:, :2]), "addcmul: shapes (2, 3, 4) and (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.addcmul(x > 0, x > 0, x > 0), "addcmul: bools have no products"),
    (lambda m, x: m.addcmul(x, x, x, value="a"), "addcmul: value must be a number, got 'a'"),
    (lambda m, x: m.addcdiv(x, x.long(), x.int()), "addcdiv: tensor1 and tensor2 are of int64 and int32"),
    (lambda m, x: m.nan_to_num(x, "a"), "nan_to_num: nan must be a number, got 'a'"),
    (lambda m, x: m.nan_to_num([1.0]), "nan_to_num: needs Tensors, got list"),
    (lambda m, x: m.clamp_min(x, "a"), "clamp: min must be a number, got 'a'"),
    (lambda m, x: m.clamp_max(x, x[:, :2]), "clamp: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.where(x > 0, x), "where: needs both input and other, or neither of them"),
    (lambda m, x: m.where([True]), "nonzero: needs Tensors, got list"),
    (lambda m, x: m.isclose(x, x, rtol=-1), "isclose: rtol must be 0 or more, got -1"),
    (lambda m, x: m.allclose(x, x, atol=-0.5), "allclose: atol must be 0 or more, got -0.5"),
    (lambda m, x: m.isclose(x, x[:, :2]), "isclose: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.isclose(x, 2.0), "isclose: needs Tensors, got float"),
    (lambda m, x: m.logical_xor(x, "2"), "logical_xor: operands must be Tensors, arrays or numbers, got str"),
    (lambda m, x: m.nonzero("a"), "nonzero: needs Tensors, got str"),
    # reductions
    (lambda m, x: m.sum(x, 3), "sum: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.amax(x, (0, -4)), "amax: dim must be in [-3, 2] for 3 dimensions, got -4"),
    (lambda m, x: m.sum(x, (0, -3)), "sum: dim (0, -3) names a dimension twice"),
    (lambda m, x: m.sum(x, "0"), "sum: dim must be an int, got '0'"),
    (lambda m, x: m.mean((x > 0).long()), "mean: needs a floating dtype, got int64"),
    (lambda m, x: m.var((x > 0).long()), "var: needs a floating dtype, got int64"),
    (lambda m, x: m.norm((x > 0).long()), "norm: needs a floating dtype, got int64"),
    (lambda m, x: m.norm(x, "l2"), "norm: p must be a number"),
    (lambda m, x: m.amax(x[:0], 0), "amax: no extremum of zero elements: shape (0, 3, 4)"),
    (lambda m, x: m.max(x[:0]), "max: no extremum of zero elements: shape (0, 3, 4)"),
    (lambda m, x: m.min(x[:0], 0), "min: no extremum of zero elements: shape (0, 3, 4)"),
    (lambda m, x: m.argmax(x[:0]), "argmax: no extremum of zero elements: shape (0, 3, 4)"),
    (lambda m, x: m.max(x, keepdim=True), "max: keepdim needs a dim; use amax(x, keepdim=True)"),
    (lambda m, x: m.min(x, keepdims=True), "min: keepdim needs a dim; use amin(x, keepdim=True)"),
    (lambda m, x: m.max(x, (0, 1)), "dim must be an int, got (0, 1)"),
    (lambda m, x: m.max(x, 5), "max: dim must be in [-3, 2] for 3 dimensions, got 5"),
    (lambda m, x: m.softmax(x, 3), "softmax: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.logsumexp(x, 3), "logsumexp: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.cumsum(x, 3), "cumsum: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.prod(x, 3), "prod: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.prod(x, (0, 1)), "prod: dim must be an int, got (0, 1)"),
    (lambda m, x: m.prod([1.0]), "prod: needs Tensors, got list"),
    (lambda m, x: m.cumprod(x, 3), "cumprod: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.count_nonzero(x, (0, 0)), "count_nonzero: dim (0, 0) names a dimension twice"),
    (lambda m, x: m.dist(x, x[:, :2]), "dist: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.dist(x, 2.0), "dist: needs Tensors, got float"),
    (lambda m, x: m.dist(x, x, "fro"), "dist: p must be a number, got 'fro'"),
    (lambda m, x: m.dist(x.long(), x.long()), "dist: needs a floating dtype, got int64"),
    (lambda m, x: m.dist(x, x > 0), "dist: bools cannot be subtracted"),
    (lambda m, x: m.norm(x, dtype=x.float().dtype), "norm: dtype must be a floating one no narrower than float64, got"),
    (lambda m, x: m.norm(x, dtype=x.long().dtype), "norm: dtype must be a floating one no narrower than float64, got"),
    (lambda m, x: m.var_mean(x.long()), "var_mean: needs a floating dtype, got int64"),
    (lambda m, x: m.std_mean(x.long()), "std_mean: needs a floating dtype, got int64"),
    (lambda m, x: m.median(x[:0], 0), "median: no median of zero elements: shape (0, 3, 4), dim 0"),
    (lambda m, x: m.median(x > 0), "median: bools have no median"),
    (lambda m, x: m.median(x, keepdim=True), "median: keepdim needs a dim"),
    (lambda m, x: m.median(x, 3), "median: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.aminmax(x, dim=(0, 1)), "aminmax: dim must be an int, got (0, 1)"),
    (lambda m, x: m.aminmax(x[:0]), "aminmax: no extremum of zero elements: shape (0, 3, 4)"),
    (lambda m, x: m.all(x, 3), "all: dim must be in [-3, 2] for 3 dimensions, got 3"),
    # shapes
    (lambda m, x: m.reshape(x, (5, 5)), "reshape: shape (5, 5) cannot hold the 24 elements of shape (2, 3, 4)"),
    (lambda m, x: m.reshape(x, (7, -1)), "reshape: shape (7, -1) cannot hold the 24 elements"),
    (lambda m, x: m.reshape(x, (-1, -1)), "reshape: only one size can be -1, got (-1, -1)"),
    (lambda m, x: m.reshape(x, (-2, 12)), "reshape: sizes must be -1 or more, got (-2, 12)"),
    (lambda m, x: m.reshape(x[:0], (0, -1)), "reshape: with a size 0 in (0, -1), -1 could be anything"),
    (lambda m, x: m.reshape(x, (2.0, 12)), "reshape: shape must be ints, got (2.0, 12)"),
    (lambda m, x: m.reshape(x, "a"), "reshape: shape must be ints, got 'a'"),
    (lambda m, x: x.view("a"), "view: size must be ints, got 'a'"),
    (lambda m, x: x.expand(2, 1.0), "expand: size must be ints, got 2, 1.0"),
    (lambda m, x: m.expand_as(x, 3), "expand_as: needs Tensors, got int"),
    (lambda m, x: x.view_as(3), "view_as: needs Tensors, got int"),
    (lambda m, x: x.type_as(3), "type_as: needs Tensors, got int"),
    (lambda m, x: m.unflatten(x, 1, 3), "unflatten: sizes must be a tuple of ints, got 3"),
    (lambda m, x: m.squeeze(x, dim=0, axis=0), "squeeze: got both dim and axis"),
    (lambda m, x: m.view(m.transpose(x, 0, 1), 24),
     "view: shape (3, 2, 4) with this memory layout is no view of shape (24,)"),
    (lambda m, x: m.flatten(x, 2, 0), "flatten: start_dim 2 comes after end_dim 0"),
    (lambda m, x: m.flatten(x, 3), "flatten: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.unflatten(x, 1, (2, 2)), "unflatten: sizes (2, 2) do not multiply to size 3 of dim 1"),
    (lambda m, x: m.unflatten(x, 2, (3, -1)), "unflatten: sizes (3, -1) do not multiply to size 4 of dim 2"),
    (lambda m, x: m.squeeze(x, 3), "squeeze: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.unsqueeze(x, 4), "unsqueeze: dim must be in [-4, 3] for 4 dimensions, got 4"),
    (lambda m, x: m.permute(x, (0, 1)), "permute: needs the 3 dimensions of shape (2, 3, 4), got dims (0, 1)"),
    (lambda m, x: m.permute(x, (0, 0, 1)), "permute: dim (0, 0, 1) names a dimension twice"),
    (lambda m, x: m.permute(x, (0, 1, 2), dims=(0, 1, 2)), "permute: got dims by position and by name; give it once"),
    (lambda m, x: m.transpose(x, 0, 3), "transpose: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.t(x), "t: needs at most 2 dimensions, got shape (2, 3, 4)"),
    (lambda m, x: m.movedim(x, (0, 1), (0,)), "movedim: source (0, 1) and destination (0,) must be equally many"),
    (lambda m, x: m.movedim(x, 0, 5), "movedim: dim must be in [-3, 2] for 3 dimensions, got 5"),
    (lambda m, x: m.expand(x, 3, 4), "expand: sizes (3, 4) are fewer than the dimensions of shape (2, 3, 4)"),
    (lambda m, x: m.expand(x, 2, 5, 4), "expand: shape (2, 3, 4) does not expand to sizes (2, 5, 4)"),
    (lambda m, x: m.expand(x, -1, 2, 3, 4), "expand: shape (2, 3, 4) does not expand to sizes (-1, 2, 3, 4)"),
    (lambda m, x: m.broadcast_to(x, (4,)), "broadcast_to: sizes (4,) are fewer than the dimensions of shape (2, 3, 4)"),
    (lambda m, x: m.flip(x, (0, -3)), "flip: dim (0, -3) names a dimension twice"),
    (lambda m, x: m.flip(x, (3,)), "flip: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.repeat(x, 2, 2), "repeat: needs a number for each dimension of shape (2, 3, 4), got (2, 2)"),
    (lambda m, x: m.repeat(x, 2, -1, 1), "repeat: repeats must not be negative, got (2, -1, 1)"),
    (lambda m, x: m.repeat(x, 2, 1.5, 1), "repeat: repeats must be ints, got 2, 1.5, 1"),
    (lambda m, x: m.tile(x, (2, -1)), "tile: repeats must not be negative, got (1, 2, -1)"),
    (lambda m, x: m.tile(x, "a"), "tile: dims must be ints, got 'a'"),
    (lambda m, x: m.repeat_interleave(x, -1, 0), "repeat_interleave: repeats must not be negative, got -1"),
    (lambda m, x: m.repeat_interleave(x, 1.5, 0), "repeat_interleave: repeats must be an int, got 1.5"),
    (lambda m, x: m.repeat_interleave(x, constant(x, [1, 2]), 1),
     "repeat_interleave: got 2 repeats for a dimension of size 3"),
    (lambda m, x: m.repeat_interleave(x, constant(x, [1, -2, 0]), 1),
     "repeat_interleave: repeats must not be negative, got -2"),
    (lambda m, x: m.repeat_interleave(x, constant(x, [[1]]), 1),
     "repeat_interleave: repeats must be a vector, got shape (1, 1)"),
    (lambda m, x: m.repeat_interleave(x, x[0, 0, :3], 1), "repeat_interleave: repeats must be integers, got float64"),
    (lambda m, x: m.repeat_interleave(x, 2, 1, output_size=5), "repeat_interleave: output_size must be 6, got 5"),
    (lambda m, x: m.repeat_interleave(m.sum(x), 2, 0), "repeat_interleave: a 0-d tensor has no dimension"),
    (lambda m, x: m.repeat_interleave(x, 2, 3), "repeat_interleave: dim must be in [-3, 2]"),
    (lambda m, x: m.roll(x, (1, 2)), "roll: needs a shift for each of the dims, got shifts (1, 2) and dims ()"),
    (lambda m, x: m.roll(x, 1, (0, 1)), "roll: needs a shift for each of the dims, got shifts (1,) and dims (0, 1)"),
    (lambda m, x: m.roll(x, (), ()), "roll: needs a shift for each of the dims"),
    (lambda m, x: m.roll(x, 1, 3), "roll: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.roll(x, 1.5), "roll: shifts must be ints, got 1.5"),
    (lambda m, x: m.roll(m.sum(x), 1, 0), "roll: a 0-d tensor has no dimension to roll along"),
    (lambda m, x: m.rot90(x, 1, (0,)), "rot90: dims must be two dimensions, got (0,)"),
    (lambda m, x: m.rot90(x, 1, (0, -3)), "rot90: dim (0, -3) names a dimension twice"),
    (lambda m, x: m.rot90(x[0, 0]), "rot90: dim must be in [-1, 0] for 1 dimensions, got 1"),
    (lambda m, x: m.fliplr(x[0, 0]), "fliplr: needs at least 2 dimensions, got shape (4,)"),
    (lambda m, x: m.flipud(m.sum(x)), "flipud: needs at least 1 dimension"),
    (lambda m, x: m.ravel([1]), "ravel: needs Tensors, got list"),
    (lambda m, x: m.swapaxes(x, 0, 3), "swapaxes: dim must be in [-3, 2]"),
    (lambda m, x: m.moveaxis(x, 0, (1, 2)), "movedim: source 0 and destination (1, 2) must be equally many"),
    (lambda m, x: m.split(x, 0), "split: split_size must be positive for a dimension of size 2, got 0"),
    (lambda m, x: m.split(x, -1), "split: split_size must be positive for a dimension of size 2, got -1"),
    (lambda m, x: m.split(x, 1.0), "split: split_size must be an int, got 1.0"),
    (lambda m, x: m.split(x, [1, 1], 1), "split: sizes [1, 1] must add up to size 3 of dim 1"),
    (lambda m, x: m.split(x, [4, -1], 1), "split: sizes [4, -1] must add up to size 3 of dim 1, and none be negative"),
    (lambda m, x: m.split(m.sum(x), 1), "split: a 0-d tensor has no dimension to cut"),
    (lambda m, x: m.split(x, 1, 3), "split: dim must be in [-3, 2]"),
    (lambda m, x: m.chunk(x, 0), "chunk: chunks must be at least 1, got 0"),
    (lambda m, x: m.chunk(m.sum(x), 1), "chunk: a 0-d tensor has no dimension to cut"),
    (lambda m, x: m.tensor_split(x, 0), "tensor_split: sections must be at least 1, got 0"),
    (lambda m, x: m.tensor_split(x, x[0, 0]), "tensor_split: a tensor of indices or sections must be of integers"),
    (lambda m, x: m.tensor_split(x), "tensor_split: give one of indices_or_sections, indices and sections"),
    (lambda m, x: m.unbind(m.sum(x)), "unbind: a 0-d tensor has no dimension to take apart"),
    (lambda m, x: m.unbind(x, 3), "unbind: dim must be in [-3, 2]"),
    (lambda m, x: m.narrow(x, 1, 4, 0), "narrow: start must be in [-3, 3] for dim 1 of size 3, got 4"),
    (lambda m, x: m.narrow(x, 1, 1, 3), "narrow: length must be in [0, 2] from start 1 of size 3, got 3"),
    (lambda m, x: m.narrow(x, 1, 1, -1), "narrow: length must be in [0, 2] from start 1 of size 3, got -1"),
    (lambda m, x: m.narrow(x, 1, 0.5, 1), "narrow: start must be an int, got 0.5"),
    (lambda m, x: m.narrow(m.sum(x), 0, 0, 1), "narrow: a 0-d tensor has no dimension to narrow"),
    (lambda m, x: m.select(x, 1, 3), "select: index 3 is out of range for dim 1 of size 3"),
    (lambda m, x: m.select(x, 1, -4), "select: index -4 is out of range for dim 1 of size 3"),
    (lambda m, x: m.select(m.sum(x), 0, 0), "select: a 0-d tensor has no dimension to select from"),
    (lambda m, x: m.hstack(x), "hstack: needs a list or tuple"),
    (lambda m, x: m.vstack([]), "vstack: needs a list or tuple"),
    (lambda m, x: m.dstack([x, x[:1]]), "cat: sizes must agree except in dim 2"),
    (lambda m, x: m.meshgrid(x, indexing="ij"), "meshgrid: the tensors must have at most 1 dimension, got shape (2, 3"),
    (lambda m, x: m.meshgrid(x[0, 0], indexing="ab"), 'meshgrid: indexing must be "ij" or "xy", got \'ab\''),
    (lambda m, x: m.meshgrid(x[0, 0], x[0, 0].float(), indexing="ij"),
     "meshgrid: the tensors must have one dtype, got float32 and float64"),
    (lambda m, x: m.meshgrid(indexing="ij"), "meshgrid: needs one or more tensors"),
    (lambda m, x: m.diagonal(x, 0, 1, -2), "diagonal: dim1 and dim2 must be two dimensions, got 1 and -2"),
    (lambda m, x: m.diagonal(x[0, 0]), "diagonal: dim must be in [-1, 0] for 1 dimensions, got 1"),
    (lambda m, x: m.diagonal(x, 0.5), "diagonal: offset must be an int, got 0.5"),
    (lambda m, x: m.diag_embed(x, 0, 1, 1), "diag_embed: dim1 and dim2 must be two dimensions, got 1 and 1"),
    (lambda m, x: m.diag_embed(m.sum(x)), "diag_embed: a 0-d tensor is no vector"),
    (lambda m, x: m.diag(x), "diag: needs a vector or a matrix, got shape (2, 3, 4); use diagonal or diag_embed"),
    (lambda m, x: m.tril(x[0, 0]), "tril: needs at least 2 dimensions, got shape (4,)"),
    (lambda m, x: m.triu(x, 1.5), "triu: diagonal must be an int, got 1.5"),
    (lambda m, x: m.cat([]), "cat: needs a list or tuple of one or more Tensors, got []"),
    (lambda m, x: m.cat(x), "cat: needs a list or tuple"),
    (lambda m, x: m.cat([x, 1.0]), "cat: needs a list or tuple"),
    (lambda m, x: m.cat([x, x[0]]),
     "cat: sizes must agree except in dim 0, but tensor 1 has shape (3, 4) and the first (2, 3, 4)"),
    (lambda m, x: m.cat([x, x[:, :2]]), "cat: sizes must agree except in dim 0, but tensor 1 has shape (2, 2, 4)"),
    (lambda m, x: m.cat([x, x], 3), "cat: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.cat([m.sum(x)]), "cat: a 0-d tensor cannot be joined"),
    (lambda m, x: m.stack([]), "stack: needs a list or tuple of one or more Tensors, got []"),
    (lambda m, x: m.stack([x, x[:1]]), "stack: shapes must be equal; the first is (2, 3, 4), tensor 1 (1, 3, 4)"),
    (lambda m, x: m.pad(x, (-5, 3)), "pad: (-5, 3) cuts more than there is in shape (2, 3, 4)"),
    (lambda m, x: m.pad(x, (-3, -2)), "pad: (-3, -2) cuts more than there is in shape (2, 3, 4)"),
    (lambda m, x: m.pad(x, (1.5, 0)), "pad: pad must be ints, got (1.5, 0)"),
    (lambda m, x: m.pad(x, 1), "pad: pad must be a tuple of ints"),
    (lambda m, x: m.pad(x, (1, 0), value="a"), "pad: value must be a number, got 'a'"),
    (lambda m, x: m.pad(x, (1,)),
     "pad: needs (before, after) pairs for at most the 3 dimensions of (2, 3, 4), got (1,)"),
    (lambda m, x: m.pad(x, (1,) * 8), "pad: needs (before, after) pairs for at most the 3 dimensions of (2, 3, 4)"),
    (lambda m, x: m.pad(x, (-5, 0)), "pad: (-5, 0) cuts more than there is in shape (2, 3, 4)"),
    (lambda m, x: m.pad(x, (4, 0), "reflect"), "pad: reflect padding (4, 0) of dim 2 is too wide for its size 4"),
    (lambda m, x: m.pad(x, (5, 0), "circular"), "pad: circular padding (5, 0) of dim 2 is too wide for its size 4"),
    (lambda m, x: m.pad(x, (1, 0), "mirror"), "pad: mode must be"),
    (lambda m, x: m.pad(x, (-4, 5), "circular"), "pad: circular padding (-4, 5) of dim 2 is too wide for its size 4"),
    # indices
    (lambda m, x: x[5], "index: index 5 is out of bounds for axis 0 with size 2; the tensor has shape (2, 3, 4)"),
    (lambda m, x: x[0, -4], "is out of bounds for axis 1 with size 3; the tensor has shape (2, 3, 4)"),
    (lambda m, x: x[:, [0, 3]], "out of bounds"),
    (lambda m, x: x[0, 0, 0, 0], "index: 4 indices for a tensor of 3 dimensions, shape (2, 3, 4)"),
    (lambda m, x: x[1.5], "index: must be ints, slices, None, ... or integer and bool tensors, got 1.5"),
    (lambda m, x: x["a"], "index: must be ints, slices, None, ... or integer and bool tensors, got 'a'"),
    (lambda m, x: x[x], "index: a tensor used as index must be of integers or bools, got float64"),
    (lambda m, x: x[(x > 0)[:, :2]], "shape (2, 3, 4)"),
    (lambda m, x: x[{0}], "index: must be ints, slices, None, ... or integer and bool tensors, got {0}"),
    (lambda m, x: x[[0, 1], [[0], [1, 2]]], "index: must be ints, slices, None, ... or integer"),
    (lambda m, x: m.gather([1, 2], 0, (x > 0).long()), "gather: needs Tensors, got list"),
    (lambda m, x: m.gather(x, 0, x), "gather: the index must be of integers, got float64"),
    (lambda m, x: m.gather(x, 0, (x > 0).long() * 2), "gather: index 2 is out of range for dim 0 of size 2"),
    (lambda m, x: m.gather(x, 0, (x > 0).long()[0]),
     "gather: index of shape (3, 4) does not fit input of shape (2, 3, 4)"),
    (lambda m, x: m.gather(x, 3, (x > 0).long()), "gather: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: x[0, :, constant(x, [True, False])], "index: a mask of shape (2,) for dimensions of shape (4,)"),
    (lambda m, x: m.take(x, constant(x, [24])), "take: index 24 is out of range for dim 0 of size 24"),
    (lambda m, x: m.take(x, constant(x, -25)), "take: index -25 is out of range for dim 0 of size 24"),
    (lambda m, x: m.take(x, x), "take: the index must be of integers, got float64; use index.long()"),
    (lambda m, x: m.take_along_dim(x, constant(x, [0]), 1),
     "take_along_dim: input and indices must have equally many dimensions, got shapes (2, 3, 4) and (1,)"),
    (lambda m, x: m.take_along_dim(x, constant(x, [[[0, 1]]]), 1),
     "take_along_dim: shapes (2, 3, 4) and (1, 1, 2) do not broadcast outside of dim 1"),
    (lambda m, x: m.take_along_dim(x, x, 1), "take_along_dim: the index must be of integers, got float64"),
    (lambda m, x: m.index_select(x, 1, constant(x, [3])), "index_select: index 3 is out of range for dim 1 of size 3"),
    (lambda m, x: m.index_select(x, 1, constant(x, [0, -1])), "index_select: index -1 is out of range for dim 1"),
    (lambda m, x: m.index_select(x, 1, constant(x, [[0]])), "index_select: index must be a vector of places along dim"),
    (lambda m, x: m.index_select(x, 1, [0]), "index_select: needs Tensors, got list"),
    (lambda m, x: m.index_select(m.sum(x), 0, constant(x, [0, 0])), "index_select: a 0-d tensor has one element"),
    (lambda m, x: m.index_add(x, 1, constant(x, [0]), x),
     "index_add: source must have shape (2, 1, 4), a slice for each index, got (2, 3, 4)"),
    (lambda m, x: m.index_add(x, 1, constant(x, [0, 1, 2]), x.float()), "index_add: operands must have one dtype, got"),
    (lambda m, x: m.index_copy(x, 1, constant(x, [0, 1]), x[:1, :2]), "index_copy: source must have shape (2, 2, 4)"),
    (lambda m, x: m.index_copy(x, 1, constant(x, [0, 1, 5]), x), "index_copy: index 5 is out of range for dim 1"),
    (lambda m, x: m.index_fill(x, 1, constant(x, [-4]), 1), "index_fill: index -4 is out of range for dim 1 of size 3"),
    (lambda m, x: m.index_fill(x, 1, constant(x, [0]), x[0, 0]),
     "index_fill: value must be a number or a 0-d tensor, got shape (4,)"),
    (lambda m, x: m.scatter(x, 1, constant(x, [[[3]]]), x), "scatter: index 3 is out of range for dim 1 of size 3"),
    (lambda m, x: m.scatter(x, 1, constant(x, [[[-1]]]), 1.0), "scatter: index -1 is out of range for dim 1 of size 3"),
    (lambda m, x: m.scatter(x, 1, constant(x, [[0]]), x),
     "scatter: index of shape (1, 1) does not fit input of shape (2, 3, 4) along dim 1"),
    (lambda m, x: m.scatter(x, 1, (x > 0).long(), x[:1]),
     "scatter: src must have as many dimensions as the index, and be as large; got shapes (1, 3, 4) and (2, 3, 4)"),
    (lambda m, x: m.scatter(x, 1, (x > 0).long(), x.float()), "scatter: operands must have one dtype, got float64 and"),
    (lambda m, x: m.scatter(x, 1, (x > 0).long(), x, reduce="mean"),
     'scatter: reduce must be None, "add" or "multiply", got \'mean\''),
    (lambda m, x: m.scatter(x, 1, (x > 0).long()), "scatter: give either src or value"),
    (lambda m, x: m.scatter(x, 1, (x > 0).long(), "a"), "scatter: value must be a number, got 'a'"),
    (lambda m, x: m.scatter_add(x, 1, (x > 0).long(), 1.0), "scatter_add: needs Tensors, got float"),
    (lambda m, x: m.scatter_add(x, 1, (x > 0).long(), x[:, :2]), "scatter_add: src must have as many dimensions"),
    (lambda m, x: m.masked_fill(x, x, 1), "masked_fill: mask must be a bool tensor, got float64; use mask.bool()"),
    (lambda m, x: m.masked_fill(x, x[:, :2] > 0, 1), "masked_fill: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.masked_fill(x, x > 0, x), "masked_fill: value must be a number or a 0-d tensor, got shape (2,"),
    (lambda m, x: m.masked_fill(x.int(), x > 0, 2**40), "masked_fill: 1099511627776 does not fit into int32"),
    (lambda m, x: m.masked_fill(x, True, 1), "masked_fill: needs Tensors, got bool"),
    (lambda m, x: m.masked_select(x, x.long()), "masked_select: mask must be a bool tensor, got int64"),
    (lambda m, x: m.masked_select(x, x[:, :2] > 0), "masked_select: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.masked_scatter(x, x > 0, x[0]),
     "masked_scatter: the mask is True 23 times, but source has 12 elements"),
    (lambda m, x: m.masked_scatter(x, x > 0, x.float()), "masked_scatter: operands must have one dtype"),
    # order
    (lambda m, x: m.sort(x, 3), "sort: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.sort(x, "a"), "sort: dim must be an int, got 'a'"),
    (lambda m, x: m.sort("a"), "sort: needs Tensors, got str"),
    (lambda m, x: m.argsort(x, -4), "argsort: dim must be in [-3, 2] for 3 dimensions, got -4"),
    (lambda m, x: m.topk(x, 5), "topk: k must be in [0, 4], the size of dim -1, got 5"),
    (lambda m, x: m.topk(x, -1, 1), "topk: k must be in [0, 3], the size of dim 1, got -1"),
    (lambda m, x: m.topk(x, 1.5), "topk: k must be an int, got 1.5"),
    (lambda m, x: m.kthvalue(x, 0), "kthvalue: k must be in [1, 4], the size of dim -1, got 0"),
    (lambda m, x: m.kthvalue(x, 4, 1), "kthvalue: k must be in [1, 3], the size of dim 1, got 4"),
    (lambda m, x: m.unique(x, dim=3), "unique: dim must be in [-3, 2]"),
    (lambda m, x: m.logaddexp(x, 2.0), "logaddexp: needs Tensors, got float"),
    (lambda m, x: m.logaddexp(x.long(), x.long()), "logaddexp: needs a floating tensor, got int64; use x.float()"),
    (lambda m, x: m.logaddexp(x, x[:, :2]), "logaddexp: shapes (2, 3, 4) and (2, 2, 4) do not broadcast"),
    (lambda m, x: m.broadcast_tensors(x, x[:, :2]),
     "broadcast_tensors: shapes (2, 3, 4) and (2, 2, 4) do not broadcast; from the right, sizes must be equal or 1"),
    (lambda m, x: m.broadcast_tensors([x, x]), "broadcast_tensors: needs Tensors, got list"),
    (lambda m, x: m.diff(m.sum(x)), "diff: a 0-d tensor has no neighbours; reshape it to (1,)"),
    (lambda m, x: m.diff(x, -1), "diff: n must not be negative, got -1"),
    (lambda m, x: m.diff(x, 1.5), "diff: n must be an int, got 1.5"),
    (lambda m, x: m.diff(x, dim=3), "diff: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.diff(x, prepend=x[0]), "diff: prepend must have as many dimensions as input, got shapes (3, 4)"),
    (lambda m, x: m.diff(x, append=x[:, :2]), "sizes must agree except in dim 2"),
    (lambda m, x: m.cummax(x, 3), "cummax: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.cummin(x, -4), "cummin: dim must be in [-3, 2] for 3 dimensions, got -4"),
    (lambda m, x: m.index_put(x, constant(x, [0]), x), "index_put: indices must be a tuple of tensors, got tensor"),
    (lambda m, x: m.index_put(x, (0,), x), "index_put: needs Tensors, got int"),
    (lambda m, x: m.index_put(x, (constant(x, [0]),), 2.0), "index_put: needs Tensors, got float"),
    (lambda m, x: m.index_put(x, (constant(x, [0]),), x.float()), "index_put: operands must have one dtype"),
    (lambda m, x: m.index_put(x, (constant(x, [0]),), x),
     "index_put: values of shape (2, 3, 4) do not broadcast to (1, 3, 4), the shape of input[indices]"),
    (lambda m, x: m.index_put(x, (constant(x, [2]),), x), "index 2 is out of bounds for axis 0 with size 2"),
    # products
    (lambda m, x: m.matmul(x, x),
     "matmul: the last size of the first must equal the last but one size of the second, got shapes (2, "
     "3, 4) and (2, 3, 4)"),
    (lambda m, x: m.matmul(x, m.sum(x)), "matmul: both operands need at least one dimension"),
    (lambda m, x: m.matmul(x, 2.0), "matmul: needs Tensors, got float"),
    (lambda m, x: m.matmul(x, x[0].float().T), "matmul: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.matmul(x, m.reshape(x, (3, 4, 2))),
     "matmul: the batch sizes of (2, 3, 4) and (3, 4, 2) do not broadcast"),
    (lambda m, x: m.mm(x, x), "mm: needs two matrices, got shapes (2, 3, 4) and (2, 3, 4)"),
    (lambda m, x: m.bmm(x, x[0]), "bmm: needs shapes (B, n, m) and (B, m, p), got (2, 3, 4) and (3, 4)"),
    (lambda m, x: m.dot(x, x), "dot: needs two vectors, got shapes (2, 3, 4) and (2, 3, 4)"),
    (lambda m, x: m.dot(x[0, 0], x[0, 0, :2]), "got shapes (4,) and (2,)"),
    (lambda m, x: m.linear(x, x[0, :, :3]),
     "linear: expected last dimension 3 (in_features of weight (3, 3)), got input of shape (2, 3, 4)"),
    (lambda m, x: m.linear(x, x[0], x[0, 0]), "linear: bias must have shape (3,), got (4,)"),
    (lambda m, x: m.linear(x, m.sum(x)), "linear: weight must be (out_features, in_features) or (in_features,), got"),
    (lambda m, x: m.linear(x, x), "linear: weight must be (out_features, in_features) or (in_features,), got shape"),
    (lambda m, x: m.matmul(x > 0, (x > 0)[0].T), "matmul: bools have no matrix product"),
    (lambda m, x: m.mv(x[0], x[0]), "mv: needs a matrix (n, m) and a vector (m,), got shapes (3, 4) and (3, 4)"),
    (lambda m, x: m.mv(x[0], x[0, :, 0]), "got shapes (3, 4) and (3,)"),
    (lambda m, x: m.mv(x[0], x[0, 0].float()), "matmul: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.vdot(x, x), "dot: needs two vectors"),
    (lambda m, x: m.inner(x, x[0, :, 0]), "inner: the last sizes must be equal, got shapes (2, 3, 4) and (3,)"),
    (lambda m, x: m.inner(x, x.float()), "inner: operands must have one dtype"),
    (lambda m, x: m.outer(x[0], x[0, 0]), "outer: needs two vectors, got shapes (3, 4) and (4,)"),
    (lambda m, x: m.trace(x), "trace: needs a matrix, got shape (2, 3, 4)"),
    (lambda m, x: m.trace(x[0] > 0), "trace: a bool matrix"),
    (lambda m, x: m.addmm(x[0], x[0], x[0]),
     "addmm: needs shapes (n, m) and (m, p) to multiply, got (3, 4) and (3, 4)"),
    (lambda m, x: m.addmm(x[0], x[0], x[0].T),
     "addmm: an input of shape (3, 4) does not broadcast to the product's shape (3, 3)"),
    (lambda m, x: m.addmm(x[:1, :3, :3], x[0], x[0].T), "addmm: an input of shape (1, 3, 3) does not broadcast"),
    (lambda m, x: m.addmm(x[0, 0, :3].float(), x[0], x[0].T), "addmm: operands must have one dtype, got float32 and"),
    (lambda m, x: m.addmm(x[0, 0, :3], x[0], x[0].T, beta="a"), "addmm: beta must be a number, got 'a'"),
    (lambda m, x: m.addmm(1.0, x[0], x[0].T), "addmm: needs Tensors, got float"),
    (lambda m, x: m.addmv(x[0, 0], x[0], x[0, 0]), "addmv: an input of shape (4,) does not broadcast to the product's"),
    (lambda m, x: m.addmv(x[0, 0], x[0], x[0]), "mv: needs a matrix (n, m) and a vector (m,)"),
    (lambda m, x: m.baddbmm(x, x, x[:1]), "baddbmm: needs shapes (B, n, m) and (B, m, p) to multiply"),
    (lambda m, x: m.addbmm(x, x, x[0].T), "addbmm: needs shapes (B, n, m) and (B, m, p) to multiply"),
    (lambda m, x: m.einsum("ij", x), "einsum: operand 0 has shape (2, 3, 4), but the equation names 2 dimensions; for"),
    (lambda m, x: m.einsum("ijkl...", x),
     "einsum: operand 0 has shape (2, 3, 4), but the equation names 4 dimensions and"),
    (lambda m, x: m.einsum("ijk,ijk", x), "einsum: the equation names 2 operands, but 1 were given"),
    (lambda m, x: m.einsum("ijk", x, x), "einsum: the equation names 1 operands, but 2 were given"),
    (lambda m, x: m.einsum("ijk"), "einsum: needs an equation and at least one operand"),
    (lambda m, x: m.einsum("ijk", []), "einsum: needs an equation and at least one operand"),
    (lambda m, x: m.einsum(x), "einsum: needs an equation and at least one operand"),
    (lambda m, x: m.einsum(x, 0), "einsum: an operand must be followed by a list of ints and ..., got 0"),
    (lambda m, x: m.einsum(x, [0, 1, "a"]),
     "einsum: an operand must be followed by a list of ints and ..., got [0, 1, 'a']"),
    (lambda m, x: m.einsum(x, [0, 1, 52]), "einsum: the ints of a list of dims must be from 0 to 51, got [0, 1, 52]"),
    (lambda m, x: m.einsum(x, [..., 1, ...]), "einsum: a list of dims can have one ..."),
    (lambda m, x: m.einsum("ij1", x), 'einsum: an equation is made of letters, "...", "," and one "->", got \'1\''),
    (lambda m, x: m.einsum("i.k", x), "got '.' for operand 0"),
    (lambda m, x: m.einsum("i..k", x), "got '.' for operand 0"),
    (lambda m, x: m.einsum("......", x), "got '.' for operand 0"),
    (lambda m, x: m.einsum("ijk->i->j", x), "got '-' for the output"),
    (lambda m, x: m.einsum("ijk->i,j", x), "got ',' for the output"),
    (lambda m, x: m.einsum("ijk->l", x), "einsum: 'l' of the output is in no operand"),
    (lambda m, x: m.einsum("ijk->ii", x), "einsum: 'i' appears more than once in the output"),
    (lambda m, x: m.einsum("iik", x),
     "einsum: operand 0 has 'i' twice, so it needs a diagonal there, but its sizes 2 and 3"),
    (lambda m, x: m.einsum("ijk,kji", x, x), "einsum: 'k' has size 2 in operand 1, but 4 before"),
    (lambda m, x: m.einsum("...,...", x, x[:, :2]),
     "einsum: dim -2 of the ellipsis has size 2 in operand 1, but 3 before"),
    (lambda m, x: m.einsum("ijk,k", x, x[0, 0].float()),
     "einsum: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.einsum("ijk,->", x, 2.0), "einsum: needs Tensors, got float"),
    (lambda m, x: m.tensordot(x, x),
     "tensordot: size 3 of dim 1 of the first, of shape (2, 3, 4), and size 2 of dim 0"),
    (lambda m, x: m.tensordot(x, x, 4), "tensordot: dims must be from 0 to 3"),
    (lambda m, x: m.tensordot(x, x, -1), "tensordot: dims must be from 0 to 3"),
    (lambda m, x: m.tensordot(x, x, 1.0), "tensordot: dims must be an int, or two lists of ints, got 1.0"),
    (lambda m, x: m.tensordot(x, x, ([0], [0, 1])), "tensordot: both lists of dims must be equally long"),
    (lambda m, x: m.tensordot(x, x, ([0, 0], [0, 0])), "tensordot: dim [0, 0] names a dimension twice"),
    (lambda m, x: m.tensordot(x, x, ([3], [0])), "tensordot: dim must be in [-3, 2] for 3 dimensions, got 3"),
    (lambda m, x: m.tensordot(x, x.float(), 0), "tensordot: operands must have one dtype"),
    (lambda m, x: m.tensordot(x > 0, x > 0, 0), "tensordot: bools have no products to sum"),
    (lambda m, x: m.prelu(x, x[0, 0]),
     "prelu: weight must be one number, or one for each of the 3 channels (dim 1) of input, of shape (2, 3, 4), got"),
    (lambda m, x: m.prelu(x, x[0]), "prelu: weight must be one number"),
    (lambda m, x: m.prelu(x, x[0, 0, :1].float()), "prelu: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.prelu(x.long(), x[0, 0, :1].long()), "prelu: input must be floating, got int64"),
    (lambda m, x: m.celu(x, 0), "celu: alpha must not be 0"),
    (lambda m, x: m.softshrink(x, -1), "softshrink: lambd must not be negative, got -1"),
    (lambda m, x: m.hardshrink(x, "a"), "hardshrink: lambd must be a number, got 'a'"),
    (lambda m, x: m.threshold(x > 0, 0, 1), "threshold: a bool tensor"),
    (lambda m, x: m.threshold(x, "a", 1), "threshold: threshold must be a number, got 'a'"),
    (lambda m, x: m.glu(x, 1), "glu: dim 1 must have an even size to be halved, got shape (2, 3, 4)"),
    (lambda m, x: m.glu(m.sum(x)), "glu: dim -1 must have an even size"),
    (lambda m, x: m.glu(x, 3), "glu: dim must be in [-3, 2] for 3 dimensions, got 3"),
    # convolution and pooling: an image of shape (2, 3, 2, 2)
    (lambda m, x: m.unfold(x[0], 2), "unfold: input must be (N, C, H, W) or (C, H, W), got shape (3, 4)"),
    (lambda m, x: m.unfold(x, 5),
     "unfold: a window (5, 5) with dilation (1, 1) does not fit into an image of size (3, 4)"),
    (lambda m, x: m.unfold(x, 2, stride=0), "unfold: stride must be at least 1, got 0"),
    (lambda m, x: m.unfold(x, (2, 2, 2)), "unfold: kernel_size must be an int or 2 ints, got (2, 2, 2)"),
    (lambda m, x: m.unfold(x, 2, padding=-1), "unfold: padding must be at least 0, got -1"),
    (lambda m, x: m.unfold(x[:0], 2), "unfold: only the batch may be empty, got shape (0, 3, 4)"),
    (lambda m, x: m.fold(x, 2, 2),
     "fold: a window (2, 2) has 1 x 1 places in an output of size (2, 2), so input must be"),
    (lambda m, x: m.fold(x, 3, (1, 3)), "so input must be (N, 3 C, 3), got shape (2, 3, 4)"),
    (lambda m, x: m.fold(x, 1, 3),
     "fold: a window (3, 3) with dilation (1, 1) does not fit into an image of size (1, 1)"),
    (lambda m, x: m.fold(x[0, 0], 2, 2), "fold: input must be (N, C KH KW, L) or (C KH KW, L), and only the batch"),
    (lambda m, x: m.conv_transpose1d(x, x),
     "conv_transpose1d: weight (2, 3, 4) needs 2 channels, input (2, 3, 4) has 3"),
    (lambda m, x: m.conv_transpose1d(x[0, 0], x),
     "conv_transpose1d: input must be (N, C, L) or (C, L), got shape (4,)"),
    (lambda m, x: m.conv_transpose1d(x[:, :2], x, output_padding=1),
     "conv_transpose1d: output_padding (1,) must be smaller than stride (1,) or dilation (1,)"),
    (lambda m, x: m.max_pool1d(x[0, 0], 2), "max_pool1d: input must be (N, C, L) or (C, L), got shape (4,)"),
    (lambda m, x: m.max_pool1d(x, 5),
     "max_pool1d: the window (5,) with padding (0,) is larger than the input, of shape (2,"),
    (lambda m, x: m.max_pool1d(x, (2, 2)), "max_pool1d: kernel_size must be an int or 1 ints, got (2, 2)"),
    (lambda m, x: m.max_pool1d(x.long(), 2), "max_pool1d: input must be floating, got int64"),
    (lambda m, x: m.max_pool2d(x > 0, 2), "max_pool2d: input must hold numbers, got bools"),
    (lambda m, x: m.avg_pool1d(x, 3, padding=2), "avg_pool1d: padding (2,) must be at most half of kernel_size (3,)"),
    (lambda m, x: m.adaptive_avg_pool1d(x, (1, 2)),
     "adaptive_avg_pool1d: output_size must be an int, None or one of them"),
    (lambda m, x: m.adaptive_max_pool2d(x[:, :0], 1),
     "adaptive_max_pool2d: cannot pool an input of size 0 into size 1"),
    (lambda m, x: m.adaptive_max_pool2d(x.long(), 1), "adaptive_max_pool2d: input must be floating, got int64"),
    (lambda m, x: m.adaptive_max_pool1d(x[0, 0], 1),
     "adaptive_max_pool1d: input must be (N, C, L) or (C, L), got shape"),
    (lambda m, x: m.conv2d(x[0], filters(m, x)), "conv2d: input must be (N, C, H, W) or (C, H, W), got shape (3, 4)"),
    (lambda m, x: m.conv2d(image(m, x), x), "conv2d: weight must be (O, C / groups, KH, KW), got shape (2, 3, 4)"),
    (lambda m, x: m.conv2d(image(m, x)[:, :2], filters(m, x)), "needs 3 input channels, but input (2, 2, 2, 2) has 2"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), groups=2),
     "conv2d: groups must divide the 3 input channels, got 2"),
    (lambda m, x: m.conv2d(image(m, x)[..., :1], filters(m, x)),
     "conv2d: the kernel (2, 2) with dilation (1, 1) spans 2"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), stride=0), "conv2d: stride must be at least 1, got 0"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), padding=-1), "conv2d: padding must be at least 0, got -1"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), padding=(1, 1, 1)),
     "conv2d: padding must be an int or 2 ints, got (1, 1, 1)"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), padding="full"),
     'conv2d: padding must be a number, "same" or "valid"'),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), stride=2, padding="same"),
     'conv2d: padding "same" needs stride 1, got (2, 2)'),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x), x[0, 0]),
     "conv2d: bias must have shape (2,), one for each output channel, got (4,)"),
    (lambda m, x: m.conv2d(image(m, x), filters(m, x).float()),
     "conv2d: operands must have one dtype, got float64 and float32"),
    (lambda m, x: m.conv1d(x, x[:, :2]),
     "conv1d: weight (2, 2, 4) with groups=1 needs 2 input channels, but input (2, 3, 4) has 3"),
    (lambda m, x: m.conv_transpose2d(image(m, x), filters(m, x)),
     "conv_transpose2d: weight (2, 3, 2, 2) needs 2 channels, input (2, 3, 2, 2) has 3"),
    (lambda m, x: m.conv_transpose2d(image(m, x)[:, :2], filters(m, x), output_padding=1),
     "conv_transpose2d: output_padding (1, 1) must be smaller than stride (1, 1) or dilation (1, 1)"),
    (lambda m, x: m.conv_transpose2d(image(m, x)[:, :2], filters(m, x), padding=2),
     "conv_transpose2d: the output would have size (-1, -1)"),
    (lambda m, x: m.max_pool2d(x[0], 2), "max_pool2d: input must be (N, C, H, W) or (C, H, W), got shape (3, 4)"),
    (lambda m, x: m.max_pool2d(x, 5), "max_pool2d: the window (5, 5) with padding (0, 0) is larger than the input"),
    (lambda m, x: m.max_pool2d(x, 2, padding=2),
     "max_pool2d: padding (2, 2) must be at most half of kernel_size (2, 2)"),
    (lambda m, x: m.max_pool2d(x, 2, stride=0), "max_pool2d: stride must be at least 1, got 0"),
    (lambda m, x: m.max_pool2d(x, 0), "max_pool2d: kernel_size must be at least 1, got 0"),
    (lambda m, x: m.avg_pool2d(x, 2, divisor_override=0), "avg_pool2d: divisor_override must be"),
    (lambda m, x: m.adaptive_avg_pool2d(x, (1, 2, 3)),
     "adaptive_avg_pool2d: output_size must be an int, None or two of them"),
    (lambda m, x: m.adaptive_avg_pool2d(x, -1), "adaptive_avg_pool2d: output_size must be"),
]  # fmt: skip
REFUSALS = (TypeError, ValueError, RuntimeError, IndexError)


@pytest.mark.parametrize(("bad", "text"), BAD, ids=[str(text).split(":")[0] for _, text in BAD])
def test_bad_calls_say_what_is_wrong(bad, text):
    x = minigrad.tensor(np.arange(24.0).reshape(2, 3, 4))
    with pytest.raises(REFUSALS) as caught:
        bad(ops, x)
    assert caught.type in (*REFUSALS, NotImplementedError)
    if text is not None:
        assert text in str(caught.value)
    np.testing.assert_array_equal(x.array.reshape(-1), np.arange(24.0))


@pytest.mark.reference
@pytest.mark.parametrize(("bad", "text"), BAD, ids=[str(text).split(":")[0] for _, text in BAD])
def test_bad_calls_are_bad_in_pytorch_too(bad, text, pytorch):
    with pytest.raises(REFUSALS):
        bad(pytorch, pytorch.from_numpy(np.arange(24.0).reshape(2, 3, 4)))
