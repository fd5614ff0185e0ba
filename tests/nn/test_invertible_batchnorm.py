"""Invertible batch norm: there and back, the log-determinant, derivatives, what moves and what is remembered."""

import copy
import warnings

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import autograd, gradcheck, gradgradcheck, nn
from minigrad.autograd.functional import jacobian

ROUNDING = {"float32": 1e-5, "float64": 1e-12}

# (layer, num_features by channel, num_features by activation, shape)
LAYERS = [
    (nn.InvertibleBatchNorm1d, 3, (3,), (5, 3)),
    (nn.InvertibleBatchNorm1d, 3, (3, 4), (5, 3, 4)),
    (nn.InvertibleBatchNorm2d, 3, (3, 2, 2), (4, 3, 2, 2)),
]
CASES = [
    (cls, features, statistics, shape)
    for cls, channels, example, shape in LAYERS
    for features, statistics in ((channels, "channel"), (example, "activation"))
]
cases = pytest.mark.parametrize(
    ("cls", "features", "statistics", "shape"), CASES, ids=[f"{c[0].__name__}-{c[2]}-{len(c[3])}d" for c in CASES]
)
modes = pytest.mark.parametrize("mode", ["training", "eval", "frozen"])


def random_layer(cls, features, statistics, rng, dtype="float64", **options):
    """A layer with parameters and running statistics that are not the initial ones."""
    layer = cls(features, statistics=statistics, dtype=getattr(minigrad, dtype), **options)
    with minigrad.no_grad():
        for tensor, values in (
            (layer.log_scale, rng.normal(0, 0.5, layer.running_mean.shape)),
            (layer.bias, rng.normal(0, 1, layer.running_mean.shape)),
            (layer.running_mean, rng.normal(1, 1, layer.running_mean.shape)),
            (layer.running_var, rng.uniform(0.5, 4, layer.running_mean.shape)),
        ):
            if tensor is not None:
                tensor.copy_(minigrad.tensor(values))
    return layer


def in_mode(layer, mode):
    """The layer in this mode, in a with-block."""
    layer.train(mode != "eval")
    return layer.frozen() if mode == "frozen" else warnings.catch_warnings()


def axes_of(statistics, ndim):
    return 0 if statistics == "activation" else (0, *range(2, ndim))


def wide(values, x, statistics):
    """Values of each channel or activation, ready to broadcast with x."""
    values = values.array if isinstance(values, minigrad.Tensor) else values
    return values if statistics == "activation" else values.reshape(-1, *[1] * (x.ndim - 2))


def definition(x, mean, var, log_scale, bias, statistics, eps=1e-5):
    """y and log_det in plain NumPy."""
    mean, var, log_scale, bias = (wide(a, x, statistics) for a in (mean, var, log_scale, bias))
    y = (x - mean) / np.sqrt(var + eps) * np.exp(log_scale) + bias
    log_det = np.broadcast_to(log_scale - 0.5 * np.log(var + eps), x.shape[1:]).sum()
    return y, np.full(len(x), log_det)


# ------------------------------------------------------------------------------------------ values


@cases
@modes
def test_values_are_those_of_the_definition(cls, features, statistics, shape, mode, backend, rng):
    layer = random_layer(cls, features, statistics, rng)
    x = rng.normal(2, 3, shape)
    axes = axes_of(statistics, x.ndim)
    mean, var = (
        (x.mean(axes), x.var(axes))
        if mode == "training"
        else (layer.running_mean.numpy().copy(), layer.running_var.numpy().copy())
    )
    with in_mode(layer, mode):
        y, log_det = layer(minigrad.tensor(x))
        back, log_det_back = layer.inverse(y)
    wanted_y, wanted_log_det = definition(x, mean, var, layer.log_scale, layer.bias, statistics)
    np.testing.assert_allclose(y.detach().numpy(), wanted_y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_det.detach().numpy(), wanted_log_det, rtol=1e-12)
    np.testing.assert_allclose(back.detach().numpy(), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(log_det_back.detach().numpy(), -log_det.detach().numpy())
    assert log_det.shape == (len(x),)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("features", "statistics"), [(10, "channel"), ((10, 100, 100), "activation")])
def test_the_input_of_the_question_comes_back_in_every_mode(features, statistics, dtype, backend, rng):
    layer = nn.InvertibleBatchNorm2d(features, statistics=statistics, dtype=getattr(minigrad, dtype))
    x = minigrad.tensor(rng.standard_normal((3, 10, 100, 100)), dtype=getattr(minigrad, dtype))
    for mode in ("training", "eval", "frozen"):
        with in_mode(layer, mode), minigrad.no_grad():
            y, log_det = layer(x)
            back, log_det_back = layer.inverse(y)
            assert np.abs(back.numpy() - x.numpy()).max() <= ROUNDING[dtype], mode
            assert np.array_equal(log_det.numpy(), -log_det_back.numpy())
            assert layer.check_inverse(x) <= ROUNDING[dtype]
        assert back.dtype == y.dtype == log_det.dtype == x.dtype


@cases
@modes
def test_log_det_is_that_of_the_dense_jacobian(cls, features, statistics, shape, mode, backend, rng):
    layer = random_layer(cls, features, statistics, rng)
    x = minigrad.tensor(rng.normal(2, 3, shape))
    with in_mode(layer, mode):
        assert layer.check_log_det(x) <= 1e-10
        # and without the method, the statistics written out as constants
        _, log_det = layer(x)
        mean, var = (
            (layer.latest_mean, layer.latest_var) if mode == "training" else (layer.running_mean, layer.running_var)
        )

    def constant(x):
        each = (1, *mean.shape, *[1] * (x.ndim - 1 - mean.ndim))
        m, v, s, b = (a.reshape(each) for a in (mean, var, layer.log_scale, layer.bias))
        return (x - m) / (v + layer.eps).sqrt() * s.exp() + b

    size = x[0].numel()
    for n, example in enumerate(x):
        dense = jacobian(lambda e: constant(e.unsqueeze(0)), example).numpy().reshape(size, size)
        assert abs(np.linalg.slogdet(dense).logabsdet - log_det[n].item()) <= 1e-10


@cases
def test_with_batch_statistics_the_jacobian_of_the_batch_is_singular(cls, features, statistics, shape, rng):
    layer = random_layer(cls, features, statistics, rng, eps=1e-12)
    x = minigrad.tensor(rng.normal(2, 3, shape))
    n = x.numel()
    sizes = np.linalg.svd(jacobian(lambda x: layer(x)[0], x).numpy().reshape(n, n), compute_uv=False)
    # Each statistic takes two dimensions away: shift and stretch.
    assert (sizes < 1e-9).sum() == 2 * layer.running_mean.numel()


def test_log_det_is_a_sum_of_logs():
    """The product of the scales of 100,000 activations is 0 or inf in any dtype."""
    layer = nn.InvertibleBatchNorm2d((10, 100, 100), statistics="activation")
    x = minigrad.randn(3, 10, 100, 100) * 1e-3
    _, log_det = layer(x)
    var = x.double().var(0, correction=0).numpy()
    wanted = -0.5 * np.log(var + 1e-5).sum()
    assert wanted > 1e5
    np.testing.assert_allclose(log_det.detach().numpy(), wanted, rtol=1e-6)


def test_eps_is_part_of_both_directions_and_of_log_det(rng):
    layer = nn.InvertibleBatchNorm1d(1, eps=3.0, dtype=minigrad.float64)
    y, log_det = layer(minigrad.tensor([[1.0], [3.0]], dtype=minigrad.float64))  # variance 1
    np.testing.assert_allclose(y.detach().numpy(), [[-0.5], [0.5]])
    np.testing.assert_allclose(log_det.detach().numpy(), -np.log(2))
    np.testing.assert_allclose(layer.inverse(y)[0].detach().numpy(), [[1], [3]])


@pytest.mark.parametrize("statistics", ["channel", "activation"])
def test_a_constant_channel_comes_back(statistics, backend, rng):
    data = rng.standard_normal((6, 3)).astype(np.float32)
    data[:, 1] = 7.25
    layer = nn.InvertibleBatchNorm1d(3, statistics=statistics)
    x = minigrad.tensor(data, requires_grad=True)
    assert layer.check_inverse(x.detach()) <= 1e-5
    y, log_det = layer(x)
    (y * minigrad.tensor(rng.standard_normal(y.shape), dtype=minigrad.float32)).sum().backward(retain_graph=True)
    log_det.sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and np.isfinite(log_det.detach().numpy()).all()


def test_large_offsets_do_not_cancel(backend, rng):
    x = (rng.integers(-64, 64, (64, 3)) / 16).astype(np.float32)  # x + 1e4 is exact in float32
    for shift in (0, 1e4):
        layer = nn.InvertibleBatchNorm1d(3)
        z = minigrad.tensor(x + np.float32(shift))
        y, log_det = layer(z)
        wanted = (x - x.astype(np.float64).mean(0)) / np.sqrt(x.astype(np.float64).var(0) + 1e-5)
        np.testing.assert_allclose(y.detach().numpy(), wanted, atol=1e-5)
        np.testing.assert_allclose(log_det.detach().numpy(), -0.5 * np.log(x.var(0) + 1e-5).sum(), rtol=1e-6)
        assert layer.check_inverse(z) <= 1e-5 * max(1, shift)


# ------------------------------------------------------------------------------------- derivatives


@cases
@pytest.mark.parametrize("mode", ["training", "eval"])
@pytest.mark.parametrize("affine", [True, False])
def test_two_derivatives_of_forward_and_log_det(cls, features, statistics, shape, mode, affine, backend, rng):
    layer = random_layer(cls, features, statistics, rng, affine=affine)
    inputs = minigrad.tensor(rng.normal(2, 1, shape), requires_grad=True), *layer.parameters()
    running = layer.running_mean, layer.running_var

    def forward(x, *given):
        log_scale, bias = given or (None, None)
        return F.invertible_batch_norm(
            x,
            *(r.clone() for r in running),
            log_scale,
            bias,
            training=mode == "training",
            eps=0.01,
            statistics=statistics,
        )[:2]

    with in_mode(layer, mode):
        assert gradcheck(forward, inputs)
        assert gradgradcheck(forward, inputs)


@cases
@pytest.mark.parametrize("affine", [True, False])
def test_two_derivatives_of_inverse(cls, features, statistics, shape, affine, backend, rng):
    layer = random_layer(cls, features, statistics, rng, affine=affine)
    y = minigrad.tensor(rng.normal(0, 1, shape), requires_grad=True)
    mean, var = (
        minigrad.tensor(values, requires_grad=True)
        for values in (rng.normal(0, 1, layer.running_mean.shape), rng.uniform(0.5, 2, layer.running_mean.shape))
    )

    def inverse(y, mean, var, *given):
        return F.invertible_batch_norm_inverse(y, mean, var, *(given or (None, None)), 0.01, statistics)

    inputs = y, mean, var, *layer.parameters()
    assert gradcheck(inverse, inputs)
    assert gradgradcheck(inverse, inputs)


@cases
def test_third_derivative(cls, features, statistics, shape, rng):
    x = minigrad.tensor(rng.standard_normal(shape), requires_grad=True)
    v, u = (minigrad.tensor(rng.standard_normal(shape)) for _ in range(2))
    w = minigrad.tensor(rng.standard_normal(len(x)))

    def slope(x):
        with minigrad.enable_grad():
            y, log_det, _, _ = F.invertible_batch_norm(x, None, None, training=True, statistics=statistics)
            (gx,) = autograd.grad((y, log_det), x, (v, w), create_graph=True)
            return autograd.grad(gx, x, u, create_graph=True)[0]

    assert gradcheck(slope, x)


def test_there_and_back_with_the_statistics_in_the_graph_is_the_identity(rng):
    x = minigrad.tensor(rng.standard_normal((4, 2, 3)))

    def there_and_back(x):
        y, _, mean, var = F.invertible_batch_norm(x, None, None, training=True)
        return F.invertible_batch_norm_inverse(y, mean, var)[0]

    np.testing.assert_allclose(jacobian(there_and_back, x).numpy().reshape(24, 24), np.eye(24), atol=1e-12)


def test_the_layer_gives_the_gradients_of_the_functional(backend, rng):
    layer = random_layer(nn.InvertibleBatchNorm1d, 3, "channel", rng)
    x = minigrad.tensor(rng.standard_normal((5, 3)), requires_grad=True)
    v, w = minigrad.tensor(rng.standard_normal((5, 3))), minigrad.tensor(rng.standard_normal(5))
    inputs = x, layer.log_scale, layer.bias
    y, log_det, _, _ = F.invertible_batch_norm(x, None, None, layer.log_scale, layer.bias, training=True)
    wanted = autograd.grad((y, log_det), inputs, (v, w))
    got = autograd.grad(layer(x), inputs, (v, w))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# ------------------------------------------------------------------------------ state and its updates


@cases
def test_running_statistics_move_as_those_of_batch_norm(cls, features, statistics, shape, backend, rng):
    layer = cls(features, momentum=0.3, statistics=statistics, dtype=minigrad.float64)
    assert layer.running_var.numpy().min() == 1 and layer.running_mean.numpy().any() == 0
    mean, var = np.zeros(layer.running_mean.shape), np.ones(layer.running_mean.shape)
    axes = axes_of(statistics, len(shape))
    for step in range(1, 4):
        x = rng.normal(2, 3, shape)
        layer(minigrad.tensor(x))
        mean, var = 0.7 * mean + 0.3 * x.mean(axes), 0.7 * var + 0.3 * x.var(axes, ddof=1)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, atol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, atol=1e-12)
        assert layer.num_batches_tracked.item() == step


def test_by_channel_it_is_batch_norm_with_another_scale(backend, rng):
    ours, theirs = nn.InvertibleBatchNorm2d(3), nn.BatchNorm2d(3)
    for _ in range(3):
        x = minigrad.tensor(rng.normal(2, 3, (4, 3, 5, 2)), dtype=minigrad.float32)
        np.testing.assert_array_equal(ours(x)[0].detach().numpy(), theirs(x).detach().numpy())
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        np.testing.assert_allclose(getattr(ours, name).numpy(), getattr(theirs, name).numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        ours.eval()(x)[0].detach().numpy(), theirs.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_no_momentum_averages_all_batches(rng):
    layer = nn.InvertibleBatchNorm1d(3, momentum=None, dtype=minigrad.float64)
    batches = [rng.normal(1, 2, (4, 3)) for _ in range(5)]
    for x in batches:
        layer(minigrad.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean([x.mean(0) for x in batches], 0), atol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), np.mean([x.var(0, ddof=1) for x in batches], 0), atol=1e-12)


@cases
def test_calibrate_gives_the_statistics_of_all_batches_together(cls, features, statistics, shape, rng):
    layer = cls(features, statistics=statistics, dtype=minigrad.float64)
    batches = [minigrad.tensor(rng.normal(2, 3, shape)) for _ in range(3)]
    nn.utils.calibrate(layer, [(x, None) for x in batches])
    whole = np.concatenate([x.numpy() for x in batches])
    axes = axes_of(statistics, len(shape))
    np.testing.assert_allclose(layer.running_mean.numpy(), whole.mean(axes), rtol=1e-10)
    np.testing.assert_allclose(layer.running_var.numpy(), whole.var(axes, ddof=1), rtol=1e-10)
    assert layer.num_batches_tracked.item() == 3


def test_the_statistics_that_come_back_do_not_move_with_the_running_ones(rng):
    x, x_next = (minigrad.tensor(rng.normal(2, 3, (5, 3))) for _ in range(2))
    running = minigrad.zeros(3).double(), minigrad.ones(3).double()
    y, _, mean, var = F.invertible_batch_norm(x, *running)
    F.invertible_batch_norm(x_next, *running, training=True)
    assert running[0].numpy().all()
    np.testing.assert_allclose(F.invertible_batch_norm_inverse(y, mean, var)[0].numpy(), x.numpy(), atol=1e-12)


@pytest.mark.parametrize("mode", ["eval", "frozen"])
def test_nothing_moves_in_evaluation_and_when_frozen(mode, rng):
    layer = random_layer(nn.InvertibleBatchNorm1d, 3, "channel", rng)
    before = copy.deepcopy(layer.state_dict())
    with in_mode(layer, mode):
        layer(minigrad.tensor(rng.normal(2, 3, (5, 3))))
        layer(minigrad.tensor(rng.normal(2, 3, (1, 3))))  # one value per channel will do here
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key].numpy())


def test_updates_and_what_is_remembered_record_no_graph(rng):
    layer = nn.InvertibleBatchNorm1d(3, dtype=minigrad.float64)
    x = minigrad.tensor(rng.standard_normal((4, 3)), requires_grad=True)
    held = layer.running_mean, layer.running_var, layer.num_batches_tracked
    for _ in range(2):
        layer(x * 2)
        assert all(not b.requires_grad and b.grad_fn is None for b in layer.buffers())
    assert all(a is b for a, b in zip(held, layer.buffers(), strict=False))
    y, _ = layer(x)
    with in_mode(layer, "eval"):
        layer(x)
    (gradient,) = autograd.grad(layer.train().inverse(y.detach().requires_grad_())[0].sum(), layer.bias)
    assert np.isfinite(gradient.numpy()).all()  # what is remembered is a constant, and the running ones are too


def test_frozen_is_undone_after_an_error_and_can_be_nested(rng):
    layer = random_layer(nn.InvertibleBatchNorm1d, 3, "channel", rng)
    x = minigrad.tensor(rng.standard_normal((5, 3)))
    with pytest.raises(ZeroDivisionError), layer.frozen():
        1 / 0
    with layer.frozen() as inner:
        assert inner is layer
        with layer.frozen():
            pass
        frozen = layer(x)[0]
    assert layer.training
    assert minigrad.equal(frozen, layer.eval()(x)[0])
    assert not minigrad.equal(frozen, layer.train()(x)[0])


def test_inverse_in_training_undoes_the_latest_forward_whatever_moved_since(rng):
    layer = random_layer(nn.InvertibleBatchNorm1d, 3, "channel", rng)
    first, second = (minigrad.tensor(rng.normal(loc, 2, (5, 3))) for loc in (0, 4))
    with pytest.raises(RuntimeError, match="InvertibleBatchNorm1d: inverse in training mode undoes the latest"):
        layer.inverse(first)
    y, _ = layer(first)
    y, _ = layer(second)
    layer.eval()(first)  # evaluation is no forward of training
    layer.train()
    assert np.allclose(layer.inverse(y)[0].detach().numpy(), second.numpy(), atol=1e-12)
    with layer.frozen():
        y, _ = layer(first)
    moved = layer.running_mean.numpy().copy()
    layer.running_mean.add_(1)
    assert np.allclose(layer.inverse(y)[0].detach().numpy(), first.numpy(), atol=1e-12)
    assert not np.allclose(layer.running_mean.numpy(), moved)
    layer.reset_running_stats()
    with pytest.raises(RuntimeError, match="there was none"):
        layer.inverse(y)
    with layer.frozen():
        layer.inverse(y)  # mean 0 and variance 1 are statistics as good as any


def test_resetting(rng):
    layer = random_layer(nn.InvertibleBatchNorm1d, 3, "channel", rng)
    layer(minigrad.tensor(rng.standard_normal((5, 3))))
    layer.reset_parameters()
    assert all(not value.numpy().any() for key, value in layer.state_dict().items() if key != "running_var")
    assert (layer.running_var.numpy() == 1).all()
    nn.InvertibleBatchNorm1d(3, affine=False).reset_parameters()


@cases
def test_the_state_dict_goes_round(cls, features, statistics, shape, rng):
    layer = random_layer(cls, features, statistics, rng)
    x = minigrad.tensor(rng.standard_normal(shape))
    layer(x)
    state = layer.state_dict()
    assert list(state) == ["log_scale", "bias", "running_mean", "running_var", "num_batches_tracked"]
    other = cls(features, statistics=statistics, dtype=minigrad.float64)
    other.load_state_dict(state)
    y, log_det = layer.eval()(x)
    same_y, same_log_det = other.eval()(x)
    assert minigrad.equal(y, same_y) and minigrad.equal(log_det, same_log_det)
    assert minigrad.equal(other.inverse(y)[0], layer.inverse(y)[0])


def test_dtypes_can_be_changed_and_copies_stand_alone(rng):
    layer = nn.InvertibleBatchNorm1d(3)
    x = minigrad.tensor(rng.standard_normal((5, 3)))
    y, _ = layer(x.float())
    copied = copy.deepcopy(layer)
    layer.double()
    assert all(b.dtype == minigrad.float64 for b in layer.buffers() if b.is_floating_point())
    assert layer.inverse(y.double())[0].dtype == minigrad.float64
    layer(x + 5)
    assert np.allclose(copied.inverse(y)[0].detach().numpy(), x.numpy(), atol=1e-5)
    half = nn.InvertibleBatchNorm1d(3, dtype=minigrad.float16)
    y, log_det = half(x.half())
    assert y.dtype == log_det.dtype == half.inverse(y)[0].dtype == minigrad.float16
    assert half.check_inverse(x.half()) <= 1e-2


def test_log_det_can_be_added_to_in_place():
    layer = nn.InvertibleBatchNorm1d(2)
    _, log_det = layer(minigrad.randn(3, 2))
    log_det = log_det.detach()
    before = log_det.numpy().copy()
    log_det += minigrad.tensor([1.0, 2.0, 3.0])
    np.testing.assert_allclose(log_det.numpy(), np.add(before, [1, 2, 3]), rtol=1e-6)


def test_repr():
    assert repr(nn.InvertibleBatchNorm1d(3, momentum=None)) == (
        "InvertibleBatchNorm1d(3, eps=1e-05, momentum=None, affine=True, statistics='channel')"
    )
    layer = nn.InvertibleBatchNorm2d([3, 2, 2], 1e-3, 0.2, False, "activation")
    assert repr(layer) == (
        "InvertibleBatchNorm2d((3, 2, 2), eps=0.001, momentum=0.2, affine=False, statistics='activation')"
    )
    assert not list(layer.parameters())


# ------------------------------------------------------------------------------------- bad input

CONSTRUCTORS = [
    (lambda: nn.InvertibleBatchNorm1d(0), ValueError, "InvertibleBatchNorm1d: num_features must be an int >= 1, got"),
    (lambda: nn.InvertibleBatchNorm1d(2.5), TypeError, "num_features must be an int >= 1, got num_features=2.5"),
    (lambda: nn.InvertibleBatchNorm2d((3, 4, 4)), TypeError, r'got \(3, 4, 4\); the shape .* statistics="activation"'),
    (
        lambda: nn.InvertibleBatchNorm2d(3, statistics="activation"),
        ValueError,
        r"num_features must be the shape of an example, \(C, H, W\), got 3",
    ),
    (
        lambda: nn.InvertibleBatchNorm1d((3, 4, 4), statistics="activation"),
        ValueError,
        r"the shape of an example, \(C\) or \(C, L\), got \(3, 4, 4\)",
    ),
    (lambda: nn.InvertibleBatchNorm1d((3, 0), statistics="activation"), ValueError, "num_features must be an int >= 1"),
    (lambda: nn.InvertibleBatchNorm1d(3, statistics="layer"), ValueError, "statistics must be .*, got .*'layer'"),
    (lambda: nn.InvertibleBatchNorm1d(3, eps=0), ValueError, "eps must be a finite number > 0, got eps=0"),
    (lambda: nn.InvertibleBatchNorm1d(3, momentum="0.1"), TypeError, "momentum must be a number"),
    (lambda: nn.InvertibleBatchNorm1d(3, affine=1), TypeError, "affine must be True or False, got affine=1"),
]


@pytest.mark.parametrize(("make", "error", "text"), CONSTRUCTORS)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make()


INPUTS = [
    (nn.InvertibleBatchNorm2d, 3, "channel", (4, 3), ValueError, r"expected input \(N, C, H, W\), got shape \(4, 3\)"),
    (nn.InvertibleBatchNorm1d, 3, "channel", (4, 3, 2, 2), ValueError, r"expected input \(N, C\) or \(N, C, L\), got"),
    (nn.InvertibleBatchNorm1d, 3, "channel", (4, 2), RuntimeError, r"shape \(4, 2\), has 2 channels .* needs \(2,\)"),
    (
        nn.InvertibleBatchNorm2d,
        (3, 2, 2),
        "activation",
        (4, 3, 2, 5),
        RuntimeError,
        r"running_mean has shape \(3, 2, 2\), but input, of shape \(4, 3, 2, 5\), is normalized activation by "
        r"activation and needs \(3, 2, 5\)",
    ),
    (nn.InvertibleBatchNorm1d, 3, "channel", (1, 3), ValueError, r"more than one value per channel, .* \(1, 3\) has 1"),
    (nn.InvertibleBatchNorm1d, 3, "channel", (0, 3), ValueError, r"more than one value per channel, .* \(0, 3\) has 0"),
    (nn.InvertibleBatchNorm1d, 3, "channel", (2, 3, 0), ValueError, r"\(2, 3, 0\) has 0.*eval mode"),
    (
        nn.InvertibleBatchNorm2d,
        (3, 2, 2),
        "activation",
        (1, 3, 2, 2),
        ValueError,
        r"more than one value per activation, but .* \(1, 3, 2, 2\) has 1\. Use a larger batch",
    ),
]


@pytest.mark.parametrize(("cls", "features", "statistics", "shape", "error", "text"), INPUTS)
def test_bad_input_changes_nothing(cls, features, statistics, shape, error, text, rng):
    layer = cls(features, statistics=statistics)
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(error, match=f"^{cls.__name__}: .*{text}"):
        layer(minigrad.tensor(rng.standard_normal(shape), dtype=minigrad.float32))
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key].numpy())
    assert layer.latest_mean is None


@pytest.mark.parametrize("method", ["__call__", "inverse"])
def test_other_things_than_floating_tensors_of_its_dtype(method):
    layer = nn.InvertibleBatchNorm1d(3)
    layer(minigrad.randn(4, 3))
    for given, error, text in [
        ([[1.0]], ValueError, "expected input .* got list"),
        (minigrad.ones(4, 3, dtype=minigrad.int64), RuntimeError, "input must be floating, got int64"),
        (minigrad.ones(4, 3, dtype=minigrad.float64), RuntimeError, "one dtype, got float64 and float32"),
    ]:
        with pytest.raises(error, match=text):
            getattr(layer, method)(given)


def test_read_only_state_is_found_before_anything_moves(rng):
    x = minigrad.tensor(rng.standard_normal((4, 3)), dtype=minigrad.float32)
    for name in ("num_batches_tracked", "running_mean", "running_var"):
        layer = nn.InvertibleBatchNorm1d(3)
        array = getattr(layer, name).numpy()
        array.flags.writeable = False
        setattr(layer, name, minigrad.from_numpy(array))
        with pytest.raises(RuntimeError, match=rf"{name} .*read-only"):
            layer(x)
        assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]
        assert layer.num_batches_tracked.item() == 0 and layer.latest_mean is None


def test_bad_arguments_of_the_functionals():
    x, one = minigrad.randn(4, 3), minigrad.ones(3)
    with pytest.raises(RuntimeError, match="invertible_batch_norm: running_mean and running_var must be given when"):
        F.invertible_batch_norm(x, None, None)
    with pytest.raises(ValueError, match="invertible_batch_norm: running_mean and running_var belong together"):
        F.invertible_batch_norm(x, one, None, training=True)
    with pytest.raises(ValueError, match=r"invertible_batch_norm: input must be \(N, C\) .* got shape \(3,\)"):
        F.invertible_batch_norm(one, None, None, training=True)
    with pytest.raises(RuntimeError, match=r"log_scale has shape \(2,\), .* needs \(3,\)"):
        F.invertible_batch_norm(x, None, None, minigrad.ones(2), training=True)
    with pytest.raises(ValueError, match="invertible_batch_norm_inverse: eps must be a finite number > 0"):
        F.invertible_batch_norm_inverse(x, one, one, eps=0)
    with pytest.raises(ValueError, match="invertible_batch_norm_inverse: statistics must be"):
        F.invertible_batch_norm_inverse(x, one, one, statistics="batch")
    with pytest.raises(TypeError, match="invertible_batch_norm_inverse: mean must be a Tensor"):
        F.invertible_batch_norm_inverse(x, None, None)


def test_an_empty_batch_in_evaluation_mode(backend):
    layer = nn.InvertibleBatchNorm2d(3).eval()
    y, log_det = layer(minigrad.ones(0, 3, 2, 2))
    assert y.shape == (0, 3, 2, 2) and log_det.shape == (0,)
    y, log_det = layer(minigrad.ones(2, 3, 0, 2))
    assert y.shape == (2, 3, 0, 2) and log_det.tolist() == [0, 0]
