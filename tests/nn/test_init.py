"""nn.init: each distribution, by its moments and bounds from a seeded generator; bad input; PyTorch's formulas."""

import inspect
import math
import re
from functools import partial

import numpy as np
import pytest

import minigrad
from minigrad.nn import init

RANDOM = {
    "uniform_": {},
    "normal_": {},
    "trunc_normal_": {},
    "xavier_uniform_": {},
    "xavier_normal_": {},
    "kaiming_uniform_": {},
    "kaiming_normal_": {},
    "orthogonal_": {},
    "sparse_": {"sparsity": 0.1},
}


@pytest.fixture
def generator(seed):
    """A generator of the test's own."""
    return minigrad.Generator().manual_seed(seed)


def resembles(x, mean, std):
    """Are the moments of the independent numbers x within five standard errors of these?"""
    n = x.size
    return abs(x.mean() - mean) < 5 * std / math.sqrt(n) and abs(x.std() / std - 1) < 5 / math.sqrt(n)


# ----------------------------------------------------------------------------------- what all have in common


@pytest.mark.parametrize("name", [*RANDOM, "constant_", "ones_", "zeros_", "eye_"])
def test_filling_in_place_records_nothing(name):
    options = {"val": 2.0} if name == "constant_" else RANDOM.get(name, {})
    w = minigrad.empty(6, 5, requires_grad=True)
    memory = w.array
    assert getattr(init, name)(w, **options) is w
    assert w.array is memory and w.requires_grad and w.is_leaf and w.grad is None
    assert minigrad.is_grad_enabled()


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float32, minigrad.float64])
def test_one_seed_gives_one_result(name, dtype):
    fill = partial(getattr(init, name), **RANDOM[name])
    own = [fill(minigrad.empty(6, 5, dtype=dtype), generator=minigrad.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert own[0].dtype == dtype
    assert own[0].tolist() == own[1].tolist() != own[2].tolist()
    shared = []
    for _ in range(2):
        minigrad.manual_seed(3)
        shared.append(fill(minigrad.empty(6, 5)).tolist())
    assert shared[0] == shared[1] != fill(minigrad.empty(6, 5)).tolist()


@pytest.mark.parametrize("name", [*RANDOM, "ones_", "zeros_", "eye_", "dirac_", "calculate_fan_in_and_fan_out"])
def test_only_tensors_can_be_filled(name):
    with pytest.raises(TypeError, match=rf"^{name}: needs a Tensor to fill, got ndarray"):
        getattr(init, name)(np.zeros((2, 2)), **RANDOM.get(name, {}))


@pytest.mark.parametrize("name", RANDOM)
def test_integers_are_refused(name):
    w = minigrad.full((2, 2), 7)
    with pytest.raises(TypeError, match=rf"^{name}: needs a floating tensor, got int64"):
        getattr(init, name)(w, **RANDOM[name])
    assert w.tolist() == [[7, 7], [7, 7]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_fill(name, shape):
    assert getattr(init, name)(minigrad.empty(shape), **RANDOM[name]).shape == shape


# ------------------------------------------------------------------------------------------- distributions


def test_uniform(generator):
    x = init.uniform_(minigrad.empty(200, 100), -1, 3, generator=generator).numpy()
    assert x.min() >= -1 and x.max() <= 3 and x.min() < -0.99 and x.max() > 2.99
    assert resembles(x, 1, 4 / math.sqrt(12))


def test_normal(generator):
    x = init.normal_(minigrad.empty(200, 100), 2, 0.5, generator=generator).numpy()
    assert resembles(x, 2, 0.5)
    assert abs((np.abs(x - 2) < 0.5).mean() - 0.6827) < 0.015


def phi(z):
    """The density of the standard normal distribution."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) if math.isfinite(z) else 0.0


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),
        (0.0, 0.02, -0.04, 0.04),
        (1.0, 2.0, 0.5, 0.6),  # narrow
        (0.0, 1.0, 0.0, 9.0),  # one-sided
        (0.0, 1.0, 1.0, 30.0),  # a tail
        (0.0, 1.0, -4.0, -2.5),
        (3.0, 1.0, -math.inf, 0.5),
        (0.0, 1.0, 7.0, math.inf),  # so far out that the distribution function is 1
    ],
)
def test_truncated_normal(mean, std, a, b, generator):
    x = init.trunc_normal_(minigrad.empty(20_000, dtype=minigrad.float64), mean, std, a, b, generator=generator).numpy()
    assert x.min() >= a and x.max() <= b
    low, high = (a - mean) / std, (b - mean) / std
    if low > 5:  # the difference of two distribution functions would be lost; Mills' ratio, to the fourth term
        chance = phi(low) / low * (1 - low**-2 + 3 * low**-4 - 15 * low**-6 + 105 * low**-8)
    else:
        chance = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    shift = (phi(low) - phi(high)) / chance
    edges = (low * phi(low) if math.isfinite(low) else 0) - (high * phi(high) if math.isfinite(high) else 0)
    spread = math.sqrt(1 + edges / chance - shift**2)
    assert abs(x.mean() - (mean + std * shift)) < 5 * std * spread / math.sqrt(x.size)
    assert abs(x.std() / (std * spread) - 1) < 0.05


def test_truncated_normal_keeps_its_bounds_in_every_dtype(generator):
    for dtype in (minigrad.float16, minigrad.float32):
        x = init.trunc_normal_(minigrad.empty(5000, dtype=dtype), 0, 1, -0.1, 0.1, generator=generator).numpy()
        assert np.abs(x).max() <= np.asarray(0.1, dtype)


def test_constants():
    assert init.constant_(minigrad.empty(2, 2), 0.5).tolist() == [[0.5, 0.5]] * 2
    assert init.ones_(minigrad.empty(3)).tolist() == [1, 1, 1]
    assert init.zeros_(minigrad.empty(3)).tolist() == [0, 0, 0]
    assert init.constant_(minigrad.zeros(2).long(), 3).tolist() == [3, 3]


# --------------------------------------------------------------------------------------- fans and gains


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((3, 5), (5, 3)), ((16, 6, 5, 5), (150, 400)), ((4, 2, 3), (6, 12)), ((2, 3, 2, 2, 2), (24, 16))],
)
def test_fans(shape, fans):
    assert init.calculate_fan_in_and_fan_out(minigrad.empty(shape)) == fans
    assert init._calculate_fan_in_and_fan_out(minigrad.empty(shape)) == fans


@pytest.mark.parametrize(
    "name", ["calculate_fan_in_and_fan_out", "xavier_uniform_", "xavier_normal_", "kaiming_normal_"]
)
@pytest.mark.parametrize("shape", [(), (4,)])
def test_fans_need_two_dimensions(name, shape):
    w = minigrad.zeros(shape)
    with pytest.raises(ValueError, match=rf"^{name}: fans are defined .*got shape {re.escape(str(shape))}"):
        getattr(init, name)(w)
    assert not w.numpy().any()


def test_gains():
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1) == 1
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("conv2d") == init.calculate_gain("sigmoid") == 1
    with pytest.raises(ValueError, match=r"calculate_gain: unknown nonlinearity 'gelu'; choose one of linear, .*leaky"):
        init.calculate_gain("gelu")
    with pytest.raises(ValueError, match="calculate_gain: the negative slope must be a number, got True"):
        init.calculate_gain("leaky_relu", True)


@pytest.mark.parametrize("shape", [(100, 300), (60, 20, 5, 5)])
@pytest.mark.parametrize(
    ("name", "options", "scale"),
    [
        ("xavier", {}, lambda i, o: math.sqrt(2 / (i + o))),
        ("xavier", {"gain": 3.0}, lambda i, o: 3 * math.sqrt(2 / (i + o))),
        ("kaiming", {}, lambda i, o: math.sqrt(2 / i)),
        ("kaiming", {"mode": "fan_out"}, lambda i, o: math.sqrt(2 / o)),
        ("kaiming", {"a": math.sqrt(5)}, lambda i, o: 1 / math.sqrt(3 * i)),
        ("kaiming", {"nonlinearity": "tanh"}, lambda i, o: 5 / 3 / math.sqrt(i)),
    ],
)
def test_scaled_to_the_fans(name, options, scale, shape, generator):
    std = scale(*init.calculate_fan_in_and_fan_out(minigrad.empty(shape)))
    x = getattr(init, f"{name}_normal_")(minigrad.empty(shape), **options, generator=generator).numpy()
    assert resembles(x, 0, std)
    assert np.abs(x).max() > 3 * std
    x = getattr(init, f"{name}_uniform_")(minigrad.empty(shape), **options, generator=generator).numpy()
    assert resembles(x, 0, std)
    bound = math.sqrt(3) * std
    assert 0.99 * bound < np.abs(x).max() <= bound * (1 + 1e-6)


# ------------------------------------------------------------------------------------------------ matrices


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (1, 1), (0, 2)])
def test_eye(shape):
    assert np.array_equal(init.eye_(minigrad.full(shape, 9.0)).numpy(), np.eye(*shape))


@pytest.mark.parametrize(("shape", "groups"), [((4, 4, 3), 1), ((2, 3, 3, 5), 1), ((6, 2, 3, 3), 1), ((6, 3, 3, 3), 2)])
def test_dirac_hands_channels_on(shape, groups, rng):
    weight = init.dirac_(minigrad.full(shape, 9.0), groups)
    outputs, inputs, *kernel = shape
    x = rng.standard_normal((2, inputs * groups, *(6,) * len(kernel)))
    conv = minigrad.nn.functional.conv1d if len(kernel) == 1 else minigrad.nn.functional.conv2d
    y = conv(minigrad.tensor(x), weight.double(), padding=tuple(n // 2 for n in kernel), groups=groups).numpy()
    for o in range(outputs):
        group, channel = divmod(o, outputs // groups)
        expected = x[:, group * inputs + channel] if channel < inputs else 0 * x[:, 0]
        assert np.allclose(y[:, o], expected)


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 3, 2, 2), (1, 6)])
@pytest.mark.parametrize("gain", [1, 2.5])
def test_orthogonal(shape, gain, generator):
    w = init.orthogonal_(minigrad.empty(shape, dtype=minigrad.float64), gain, generator).numpy().reshape(shape[0], -1)
    small = w if w.shape[0] <= w.shape[1] else w.T
    assert np.allclose(small @ small.T, gain**2 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_are_uniform(generator):
    # the trace of a uniform orthogonal matrix has mean 0 and variance 1; without the signs of R the mean is negative
    traces = [np.trace(init.orthogonal_(minigrad.empty(3, 3), generator=generator).numpy()) for _ in range(2000)]
    assert resembles(np.array(traces), 0, 1)


def test_sparse(generator):
    w = init.sparse_(minigrad.empty(50, 200), 0.35, std=0.5, generator=generator).numpy()
    assert ((w == 0).sum(axis=0) == math.ceil(0.35 * 50)).all()
    assert np.ptp((w == 0).sum(axis=1)) > 0
    assert resembles(w[w != 0], 0, 0.5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda w: init.uniform_(w, 1, 0), "uniform_: a must not exceed b, got a=1 and b=0"),
        (lambda w: init.normal_(w, 0, -1), "normal_: std must be a finite number >= 0, got std=-1"),
        (lambda w: init.trunc_normal_(w, std=0), "trunc_normal_: std must be a finite number > 0, got std=0"),
        (lambda w: init.uniform_(w, 0, math.inf), "uniform_: b must be a finite number, got b=inf"),
        (lambda w: init.uniform_(w, -1e308, 1e308), "uniform_: b - a must be a finite number, got b - a=inf"),
        (lambda w: init.normal_(w, math.nan), "normal_: mean must be a finite number, got mean=nan"),
        (lambda w: init.trunc_normal_(w, mean=math.nan), "trunc_normal_: mean must be a finite number, got mean=nan"),
        (lambda w: init.trunc_normal_(w, std=math.inf), "trunc_normal_: std must be a finite number > 0, got std=inf"),
        (lambda w: init.trunc_normal_(w, a=math.nan), "trunc_normal_: a must be less than b, got a=nan and b=2.0"),
        (lambda w: init.xavier_normal_(w, math.nan), "xavier_normal_: gain must be a finite number, got gain=nan"),
        (lambda w: init.orthogonal_(w, math.inf), "orthogonal_: gain must be a finite number, got gain=inf"),
        (lambda w: init.trunc_normal_(w, a=1, b=1), "trunc_normal_: a must be less than b, got a=1 and b=1"),
        (
            lambda w: init.kaiming_normal_(w, mode="fan"),
            'kaiming_normal_: mode must be "fan_in" or "fan_out", got \'fan\'',
        ),
        (lambda w: init.kaiming_uniform_(w, nonlinearity="x"), "calculate_gain: unknown nonlinearity 'x'"),
        (lambda w: init.eye_(w[0]), "eye_: needs a matrix, got shape (3,)"),
        (
            lambda w: init.dirac_(w),
            "dirac_: needs the weight of a convolution, of 3, 4 or 5 dimensions, got shape (2, 3)",
        ),
        (lambda w: init.dirac_(w[:, :, None], 3), "dirac_: groups must divide the 2 output channels, got 3"),
        (lambda w: init.orthogonal_(w[0]), "orthogonal_: needs 2 or more dimensions, got shape (3,)"),
        (lambda w: init.sparse_(w[0], 0.5), "sparse_: needs a matrix, got shape (3,)"),
        (lambda w: init.sparse_(w, 1.5), "sparse_: sparsity must be a finite number in [0, 1], got sparsity=1.5"),
        (lambda w: init.sparse_(w, 0.5, std=-1), "sparse_: std must be a finite number >= 0, got std=-1"),
    ],
)
def test_bad_arguments_change_nothing(call, text):
    w = minigrad.full((2, 3), 7.0)
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        call(w)
    assert w.tolist() == [[7, 7, 7]] * 2


def test_a_generator_is_checked():
    with pytest.raises(TypeError, match=r"generator must be a minigrad.Generator, got int"):
        init.normal_(minigrad.empty(2), generator=3)


# ------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.reference
def test_signatures_gains_and_fixed_values_are_pytorch_s():
    torch = pytest.importorskip("torch")
    for name in init.__all__:
        if name == "calculate_fan_in_and_fan_out":
            continue
        ours, theirs = (inspect.signature(getattr(m, name)).parameters.values() for m in (init, torch.nn.init))
        assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs], name
    for name in (*init._GAINS, "leaky_relu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for shape, groups in (((6, 2, 3, 3), 1), ((6, 2, 4), 2), ((4, 5, 2, 3, 1), 4)):
        ours = init.dirac_(minigrad.empty(shape), groups)
        assert ours.tolist() == torch.nn.init.dirac_(torch.empty(shape), groups).tolist()
    assert init.eye_(minigrad.empty(2, 4)).tolist() == torch.nn.init.eye_(torch.empty(2, 4)).tolist()


@pytest.mark.parametrize(
    ("fill", "text"),
    [
        (lambda w: init.uniform_(w, "x"), "uniform_: a must be a number, got a='x'"),
        (lambda w: init.normal_(w, 0, "x"), "normal_: std must be a number >= 0, got std='x'"),
        (lambda w: init.trunc_normal_(w, b=None), "trunc_normal_: b must be a number, got b=None"),
        (lambda w: init.xavier_uniform_(w, "x"), "xavier_uniform_: gain must be a number, got gain='x'"),
        (lambda w: init.sparse_(w, "x"), "sparse_: sparsity must be a number in [0, 1], got sparsity='x'"),
        (lambda w: init.dirac_(w[:, :, None], 1.5), "dirac_: groups must be an int, got groups=1.5"),
    ],
)
def test_options_that_are_no_numbers_are_named(fill, text):
    w = minigrad.ones(2, 3)
    with pytest.raises(TypeError, match=f"^{re.escape(text)}"):
        fill(w)
    assert (w == 1).all()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"std": 1e-320, "a": 1.0, "b": 2.0}, 1.0),
        ({"std": 1e-320, "a": -2.0, "b": -1.0}, -1.0),
        ({"std": 1e-300, "a": 1.0, "b": math.inf}, 1.0),
        ({"mean": 1e308, "std": 1e300, "a": -1.0, "b": 0.0}, 0.0),
    ],
)
def test_trunc_normal_ends_however_far_out(options, wanted):
    w = init.trunc_normal_(minigrad.empty(50, dtype=minigrad.float64), **options)
    np.testing.assert_allclose(w.numpy(), wanted, atol=1e-6)
