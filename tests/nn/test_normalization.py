"""layer_norm, group_norm, instance_norm, rms_norm: values, derivatives to the third, precision, bad input, PyTorch."""

import re

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import autograd, gradcheck, gradgradcheck

# (function, its options, shape of the input, shape of weight and bias)
CASES = [
    ("layer_norm", {"normalized_shape": (3,)}, (4, 3), (3,)),
    ("layer_norm", {"normalized_shape": [4]}, (2, 3, 4), (4,)),
    ("layer_norm", {"normalized_shape": (3, 4)}, (2, 3, 4), (3, 4)),
    ("layer_norm", {"normalized_shape": (2, 3)}, (2, 3), (2, 3)),
    ("layer_norm", {"normalized_shape": (1,)}, (3, 1), (1,)),
    ("layer_norm", {"normalized_shape": (3,)}, (0, 3), (3,)),
    ("layer_norm", {"normalized_shape": (0,)}, (2, 0), (0,)),
    ("group_norm", {"num_groups": 2}, (3, 4), (4,)),
    ("group_norm", {"num_groups": 1}, (2, 3, 4), (3,)),
    ("group_norm", {"num_groups": 3}, (2, 6, 2, 2), (6,)),
    ("group_norm", {"num_groups": 2}, (1, 2, 3, 1, 2), (2,)),
    ("group_norm", {"num_groups": 4}, (3, 4), (4,)),
    ("group_norm", {"num_groups": 2}, (0, 4, 2), (4,)),
    ("instance_norm", {}, (2, 3, 4), (3,)),
    ("instance_norm", {}, (1, 2, 3, 2), (2,)),
    ("instance_norm", {}, (2, 2, 2, 1, 2), (2,)),
    ("instance_norm", {}, (0, 3, 2), (3,)),
]
cases = pytest.mark.parametrize(("name", "options", "shape", "affine"), CASES)


def axes_of(name, options, shape):
    """How many rows of what length, each with statistics of its own, the elements form in row-major order."""
    if name == "layer_norm":
        count = int(np.prod(options["normalized_shape"]))
    elif name == "group_norm":
        count = int(np.prod(shape[1:])) // options["num_groups"]
    else:
        count = int(np.prod(shape[2:]))
    return (int(np.prod(shape)) // count if count else shape[0]), count


def normalized(name, options, x, w=None, b=None, eps=1e-5):
    """The definition in plain NumPy, for any number of rows."""
    rows = x.reshape(axes_of(name, options, x.shape))
    y = np.empty_like(rows)
    for i, row in enumerate(rows):
        y[i] = (row - row.mean()) / np.sqrt(row.var() + eps) if row.size else row
    y = y.reshape(x.shape)
    along = (...,) if name == "layer_norm" else (slice(None), *[None] * (x.ndim - 2))
    y = y if w is None else y * w[along]
    return y if b is None else y + b[along]


def call(name, options, parameters, eps=1e-5):
    """A function of x and of the parameters named by `parameters`, of "", "w", "b", "wb"."""

    def f(x, *given):
        affine = dict(zip(parameters, given, strict=True))
        return getattr(F, name)(x, **options, weight=affine.get("w"), bias=affine.get("b"), eps=eps)

    return f


@cases
@pytest.mark.parametrize("parameters", ["", "w", "b", "wb"])
def test_values_and_two_derivatives(name, options, shape, affine, parameters, rng, backend):
    arrays = [rng.standard_normal(shape) * 3 + 1, *(rng.standard_normal(affine) for _ in parameters)]
    before = [a.copy() for a in arrays]
    f = call(name, options, parameters, eps=0.01)
    inputs = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    wanted = normalized(name, options, arrays[0], **dict(zip(parameters, arrays[1:], strict=True)), eps=0.01)
    np.testing.assert_allclose(f(*inputs).detach().numpy(), wanted, rtol=1e-12, atol=1e-12)
    assert gradcheck(f, inputs)
    assert gradgradcheck(f, inputs)
    for x, a in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), a)


@pytest.mark.parametrize("case", [CASES[2], CASES[9], CASES[13]], ids=lambda case: case[0])
def test_third_derivative(case, rng, backend):
    name, options, shape, affine = case
    x, w = (minigrad.tensor(rng.standard_normal(s), requires_grad=True) for s in (shape, affine))
    v, u = (minigrad.tensor(rng.standard_normal(shape)) for _ in range(2))

    def slope(x, w):
        with minigrad.enable_grad():
            (gx,) = autograd.grad(call(name, options, "w")(x, w), x, v, create_graph=True)
            return autograd.grad(gx, x, u, create_graph=True)[0]

    assert gradcheck(slope, (x, w))


@pytest.mark.parametrize("case", [CASES[1], CASES[9], CASES[13]], ids=lambda case: case[0])
def test_float32_far_from_zero_keeps_its_digits(case, rng, backend):
    name, options, shape, _ = case
    x = rng.integers(-64, 64, shape).astype(np.float32) / 16  # x + 1e4 is exact in float32
    near, far = (getattr(F, name)(minigrad.tensor(x + np.float32(c)), **options) for c in (0, 1e4))
    assert near.dtype == far.dtype == minigrad.float32
    assert np.abs(near.numpy() - far.numpy()).max() < 1e-5


@pytest.mark.parametrize("case", [CASES[1], CASES[9], CASES[13]], ids=lambda case: case[0])
def test_constant_rows_and_nan(case, backend):
    name, options, shape, _ = case
    x = minigrad.full(shape, 7.0, requires_grad=True)
    y = getattr(F, name)(x, **options)
    y.backward(minigrad.randn(shape))
    assert np.array_equal(y.detach().numpy(), np.zeros(shape)) and np.isfinite(x.grad.numpy()).all()
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    values.flat[0] = np.nan
    y = getattr(F, name)(minigrad.tensor(values), **options).numpy()
    bad = np.isnan(y).reshape(axes_of(name, options, shape))
    assert bad[0].all() and not bad[1:].any()  # NaN stays in its row


def test_the_family_agrees_with_batch_norm(rng, backend):
    x = minigrad.tensor(rng.standard_normal((3, 4, 5)))
    whole = F.layer_norm(x, (4, 5))
    np.testing.assert_allclose(F.group_norm(x, 1).numpy(), whole.numpy(), atol=1e-14)
    np.testing.assert_allclose(F.group_norm(x, 4).numpy(), F.instance_norm(x).numpy(), atol=1e-14)
    turned = F.batch_norm(x.permute(1, 0, 2).reshape(1, 12, 5), None, None, training=True)  # a channel an example
    np.testing.assert_allclose(turned.reshape(4, 3, 5).permute(1, 0, 2).numpy(), F.instance_norm(x).numpy(), atol=1e-14)


def test_running_statistics_of_instance_norm(rng):
    x = rng.standard_normal((3, 2, 4)) * 2 + 1
    first = rng.standard_normal(2), rng.uniform(0.5, 2, 2)
    mean, var = (minigrad.tensor(a) for a in first)
    F.instance_norm(minigrad.tensor(x), mean, var, momentum=0.3)
    np.testing.assert_allclose(mean.numpy(), 0.7 * first[0] + 0.3 * x.mean((0, 2)))
    np.testing.assert_allclose(var.numpy(), 0.7 * first[1] + 0.3 * x.var(2, ddof=1).mean(0))
    moved = mean.numpy().copy(), var.numpy().copy()
    y = F.instance_norm(minigrad.tensor(x), mean, var, use_input_stats=False, eps=1e-3)
    wanted = (x - moved[0][:, None]) / np.sqrt(moved[1][:, None] + 1e-3)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-13)
    F.instance_norm(minigrad.tensor(x[:0]), mean, var)  # a batch of none says nothing
    np.testing.assert_array_equal(mean.numpy(), moved[0])
    np.testing.assert_array_equal(var.numpy(), moved[1])


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_are_no_part_of_the_graph(training, rng):
    x = minigrad.tensor(rng.standard_normal((3, 2, 4)), requires_grad=True)
    mean, var = minigrad.zeros(2, dtype=minigrad.float64), minigrad.ones(2, dtype=minigrad.float64)
    y = F.instance_norm(x, mean, var, use_input_stats=training)
    y.backward(minigrad.tensor(rng.standard_normal(y.shape)))
    assert mean.grad_fn is var.grad_fn is mean.grad is None and not mean.requires_grad


X = minigrad.zeros(2, 4, 3)
MEAN, VAR = minigrad.zeros(4), minigrad.ones(4)
REFUSED = [
    (lambda: F.layer_norm(X, 3), TypeError, "layer_norm: normalized_shape must be a tuple or list of ints, got 3"),
    (lambda: F.layer_norm(X, (3.0,)), TypeError, "layer_norm: normalized_shape must be an int"),
    (
        lambda: F.layer_norm(X, ()),
        RuntimeError,
        "layer_norm: normalized_shape must name one dimension at least, got ()",
    ),
    (
        lambda: F.layer_norm(X, (4,)),
        RuntimeError,
        "layer_norm: normalized_shape (4,) must be the last sizes of input, wh",
    ),
    (lambda: F.layer_norm(X, (1, 2, 4, 3)), RuntimeError, "layer_norm: normalized_shape (1, 2, 4, 3) must be the last"),
    (
        lambda: F.layer_norm(X, (3,), MEAN),
        RuntimeError,
        "layer_norm: weight must have the normalized_shape (3,), got sh",
    ),
    (lambda: F.layer_norm(X, (3,), bias=X[0]), RuntimeError, "layer_norm: bias must have the normalized_shape (3,)"),
    (lambda: F.layer_norm(X, (3,), [1.0]), TypeError, "layer_norm: weight must be a Tensor, got list"),
    (lambda: F.layer_norm(X.long(), (3,)), RuntimeError, "layer_norm: input must be floating, got int64; use input.fl"),
    (lambda: F.layer_norm(X, (3,), X[0, 0].double()), RuntimeError, "layer_norm: operands must have one dtype, got fl"),
    (lambda: F.layer_norm(X, (3,), eps=-1.0), ValueError, "layer_norm: eps must be a finite number >= 0, got eps=-1.0"),
    (lambda: F.layer_norm([1.0], (1,)), TypeError, "layer_norm: input must be a Tensor, got list"),
    (
        lambda: F.group_norm(X, 3),
        RuntimeError,
        "group_norm: num_groups must divide the 4 channels (dim 1) of input, of",
    ),
    (lambda: F.group_norm(X, 0), RuntimeError, "group_norm: num_groups must divide the 4 channels"),
    (lambda: F.group_norm(X, -2), RuntimeError, "group_norm: num_groups must divide the 4 channels"),
    (lambda: F.group_norm(X, 2.0), TypeError, "group_norm: num_groups must be an int, got num_groups=2.0"),
    (lambda: F.group_norm(X[0, 0], 1), ValueError, "group_norm: input must be (N, C) or (N, C, ...), got shape (3,)"),
    (
        lambda: F.group_norm(X[:1, :, 0], 4),
        ValueError,
        "group_norm: each group holds a single value, whose variance is",
    ),
    (
        lambda: F.group_norm(X, 2, VAR[:2]),
        RuntimeError,
        "group_norm: weight has shape (2,), but input, of shape (2, 4,",
    ),
    (lambda: F.group_norm(X.long(), 2), RuntimeError, "group_norm: input must be floating, got int64"),
    (
        lambda: F.instance_norm(X[..., :1]),
        ValueError,
        "instance_norm: needs more than one value per channel of an exam",
    ),
    (
        lambda: F.instance_norm(X[:, :, 0]),
        ValueError,
        "instance_norm: needs more than one value per channel of an exam",
    ),
    (
        lambda: F.instance_norm(X[0, 0]),
        ValueError,
        "instance_norm: input must be (N, C) or (N, C, ...), got shape (3,)",
    ),
    (lambda: F.instance_norm(X, MEAN), ValueError, "instance_norm: running_mean and running_var belong together"),
    (
        lambda: F.instance_norm(X, MEAN[:2], VAR[:2]),
        RuntimeError,
        "instance_norm: running_mean has shape (2,), but inp",
    ),
    (
        lambda: F.instance_norm(X, weight=VAR[:2]),
        RuntimeError,
        "instance_norm: weight has shape (2,), but input, of sh",
    ),
    (
        lambda: F.instance_norm(X, use_input_stats=False),
        RuntimeError,
        "instance_norm: running_mean and running_var must be given when use_input_stats=False, got None",
    ),
    (lambda: F.instance_norm(X, MEAN, VAR, momentum=None), TypeError, "instance_norm: momentum must be a number"),
    (
        lambda: F.instance_norm(X, MEAN, minigrad.ones(1).expand(4)),
        RuntimeError,
        "instance_norm: running_var is updated in place, but its memory is read-only; pass a clone",
    ),
]


@pytest.mark.parametrize(("bad", "error", "text"), REFUSED)
def test_bad_calls_say_what_is_wrong_and_change_nothing(bad, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        bad()
    assert MEAN.tolist() == [0] * 4 and VAR.tolist() == [1] * 4


# ---------------------------------------------------------------------------------------------- rms_norm

RMS = [((2, 3, 4), (4,)), ((2, 3, 4), (3, 4)), ((2, 3), (2, 3)), ((3, 1), (1,)), ((0, 3), (3,)), ((2, 0), (0,))]
EPSILONS = [None, 0.5]


@pytest.mark.parametrize(("shape", "sizes"), RMS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("eps", EPSILONS)
def test_rms_norm_values_and_two_derivatives(shape, sizes, weighted, eps, rng):
    arrays = [rng.standard_normal(shape) * 3 + 1, *([rng.standard_normal(sizes)] if weighted else [])]
    inputs = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    axes = tuple(range(-len(sizes), 0))
    with np.errstate(invalid="ignore"):
        square = (arrays[0] ** 2).sum(axes, keepdims=True) / np.prod(sizes)
    wanted = arrays[0] / np.sqrt(square + (np.finfo(np.float64).eps if eps is None else eps))
    wanted = wanted * arrays[1] if weighted else wanted

    def f(x, weight=None):
        return F.rms_norm(x, sizes, weight, eps)

    np.testing.assert_allclose(f(*inputs).detach().numpy(), wanted, rtol=1e-13)
    assert gradcheck(f, inputs)
    assert gradgradcheck(f, inputs)


def test_rms_norm_third_derivative(rng):
    x, w = (minigrad.tensor(rng.standard_normal(s), requires_grad=True) for s in ((2, 4), 4))
    v, u = (minigrad.tensor(rng.standard_normal((2, 4))) for _ in range(2))

    def slope(x, w):
        with minigrad.enable_grad():
            (gx,) = autograd.grad(F.rms_norm(x, (4,), w), x, v, create_graph=True)
            return autograd.grad(gx, x, u, create_graph=True)[0]

    assert gradcheck(slope, (x, w))


def test_rms_norm_of_zeros_is_zero_and_its_gradient_finite():
    x = minigrad.zeros(2, 3, requires_grad=True)
    y = F.rms_norm(x, (3,))
    y.backward(minigrad.ones(2, 3))
    assert not y.detach().numpy().any()
    np.testing.assert_allclose(x.grad.numpy(), 1 / np.sqrt(np.finfo(np.float32).eps), rtol=1e-6)


def test_rms_norm_of_float16_is_computed_in_float32():
    x = minigrad.tensor([[1e4, 2e4, 3e4], [1e-3, 1e-3, 1e-3]], dtype=minigrad.float16)  # squares leave float16
    y = F.rms_norm(x, (3,), minigrad.ones(3, dtype=minigrad.float16))
    wide = x.numpy().astype(np.float64)
    wanted = wide / np.sqrt((wide**2).mean(1, keepdims=True) + np.finfo(np.float32).eps)
    assert y.dtype == minigrad.float16
    np.testing.assert_allclose(y.numpy(), wanted, rtol=6e-4)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        (lambda: F.rms_norm(X, 3), TypeError, "rms_norm: normalized_shape must be a tuple or list of ints, got 3"),
        (
            lambda: F.rms_norm(X, []),
            RuntimeError,
            "rms_norm: normalized_shape must name one dimension at least",
        ),
        (lambda: F.rms_norm(X, (4,)), RuntimeError, "rms_norm: normalized_shape (4,) must be the last sizes of input"),
        (lambda: F.rms_norm(X, (3,), MEAN), RuntimeError, "rms_norm: weight must have the normalized_shape (3,), got"),
        (lambda: F.rms_norm(X, (3,), [1.0]), TypeError, "rms_norm: weight must be a Tensor, got list"),
        (lambda: F.rms_norm(X.long(), (3,)), RuntimeError, "rms_norm: input must be floating, got int64"),
        (lambda: F.rms_norm(X, (3,), eps=-1.0), ValueError, "rms_norm: eps must be a finite number >= 0, got eps=-1.0"),
    ],
)
def test_rms_norm_refuses(bad, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        bad()


@pytest.mark.reference
@pytest.mark.parametrize(("shape", "sizes"), RMS)
@pytest.mark.parametrize("weight", [None, "float16", "float32", "float64"])
@pytest.mark.parametrize("eps", EPSILONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.filterwarnings("ignore:Mismatch dtype")
def test_rms_norm_equals_pytorch(shape, sizes, weight, eps, dtype, tolerance, rng):
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal(shape).astype(dtype)]
    arrays += [] if weight is None else [rng.standard_normal(sizes).astype(weight)]
    cotangent, found = rng.standard_normal(shape).astype(dtype), []
    for make, functions in ((minigrad.tensor, F), (torch.tensor, torch.nn.functional)):
        inputs = [make(a, requires_grad=True) for a in arrays]
        y = functions.rms_norm(inputs[0], sizes, *inputs[1:], eps=eps)
        y.backward(make(cotangent))
        found.append([y.detach().numpy(), *(t.grad.numpy() for t in inputs)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


# ----------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.reference
@pytest.mark.parametrize(("name", "options", "shape", "affine"), [c for c in CASES if 0 not in c[2]])
@pytest.mark.parametrize("parameters", ["", "w", "wb"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_equals_pytorch(name, options, shape, affine, parameters, dtype, tolerance, rng, backend):
    torch = pytest.importorskip("torch")
    arrays = [rng.standard_normal(s).astype(dtype) for s in (shape, *[affine] * len(parameters))]
    cotangent, found = rng.standard_normal(shape).astype(dtype), []
    for make, functions in ((minigrad.tensor, F), (torch.tensor, torch.nn.functional)):
        x, *given = inputs = [make(a, requires_grad=True) for a in arrays]
        named = dict(zip(("weight", "bias"), given, strict=False))
        y = getattr(functions, name)(x, **options, **named, eps=1e-3)
        y.backward(make(cotangent))
        found.append([y.detach().numpy(), *(t.grad.numpy() for t in inputs)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.reference
@pytest.mark.parametrize("size", [2**14, 2**20])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_is_as_accurate_as_pytorch(size, offset, rng, backend):
    torch = pytest.importorskip("torch")
    x = (rng.standard_normal((2, size)) + offset).astype(np.float32)
    exact = normalized("layer_norm", {"normalized_shape": (size,)}, x.astype(np.float64))
    ours = np.abs(F.layer_norm(minigrad.tensor(x), (size,)).numpy() - exact).max()
    theirs = np.abs(torch.nn.functional.layer_norm(torch.tensor(x), (size,)).numpy() - exact).max()
    assert ours <= max(theirs, 1e-6)


@pytest.mark.reference
@pytest.mark.parametrize("use_input_stats", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_statistics_of_instance_norm_equal_pytorch(use_input_stats, momentum, dtype, rng):
    torch = pytest.importorskip("torch")
    x, first = rng.standard_normal((3, 2, 4)).astype(dtype), [rng.uniform(0.5, 2, 2).astype(dtype) for _ in range(2)]
    found = []
    for make, functions in ((minigrad.tensor, F), (torch.tensor, torch.nn.functional)):
        mean, var = map(make, first)
        y = functions.instance_norm(make(x), mean, var, use_input_stats=use_input_stats, momentum=momentum)
        found.append((y.numpy(), mean.numpy(), var.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 1), (1, 2, 1, 1)])
def test_one_value_is_refused_as_in_pytorch(shape):
    torch = pytest.importorskip("torch")
    x, theirs = minigrad.ones(shape), torch.ones(shape)
    for ours, reference in (
        (lambda: F.group_norm(x, 2), lambda: torch.nn.functional.group_norm(theirs, 2)),
        (lambda: F.instance_norm(x), lambda: torch.nn.functional.instance_norm(theirs)),
        (
            lambda: F.batch_norm(x, None, None, training=True),
            lambda: torch.nn.functional.batch_norm(theirs, None, None, training=True),
        ),
    ):
        with pytest.raises(ValueError):
            reference()
        with pytest.raises(ValueError, match="variance is 0"):
            ours()
    assert F.layer_norm(x, shape[-1:]).shape == shape
