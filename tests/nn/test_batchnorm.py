"""Batch norm: which statistics normalize, how the running ones move, and when they stay."""

import copy
from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.autograd import grad

BOTH = [(nn.BatchNorm1d, (8, 3)), (nn.BatchNorm1d, (4, 3, 5)), (nn.BatchNorm2d, (4, 3, 2, 5))]
every_shape = pytest.mark.parametrize(("kind", "shape"), BOTH, ids=["(N, C)", "(N, C, L)", "(N, C, H, W)"])


def statistics(x):
    """Mean, biased and unbiased variance of each channel."""
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    return rows.mean(0), rows.var(0), rows.var(0, ddof=1)


def per_channel(a, x):
    return np.reshape(a, (1, -1) + (1,) * (x.ndim - 2))


def running(layer):
    return layer.running_mean.numpy().copy(), layer.running_var.numpy().copy(), layer.num_batches_tracked.item()


@every_shape
def test_training_normalizes_by_the_batch_and_moves_the_running_statistics(kind, shape, backend, rng):
    layer = kind(3, momentum=0.3, dtype=minigrad.float64)
    mean, var = np.zeros(3), np.ones(3)
    for step in range(1, 4):
        x = rng.normal(2, 3, shape)
        m, biased, unbiased = statistics(x)
        y = layer(minigrad.tensor(x)).detach().numpy()
        wanted = (x - per_channel(m, x)) / np.sqrt(per_channel(biased, x) + 1e-5)
        np.testing.assert_allclose(y, wanted, atol=1e-10)
        mean, var = 0.7 * mean + 0.3 * m, 0.7 * var + 0.3 * unbiased
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, atol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, atol=1e-12)
        assert layer.num_batches_tracked.item() == step


@every_shape
def test_evaluation_normalizes_by_the_running_statistics_and_moves_nothing(kind, shape, backend, rng):
    layer = kind(3, dtype=minigrad.float64)
    layer(minigrad.tensor(rng.normal(2, 3, shape)))
    layer.eval()
    before = running(layer)
    x = rng.normal(5, 2, shape)
    y = layer(minigrad.tensor(x)).detach().numpy()
    wanted = (x - per_channel(before[0], x)) / np.sqrt(per_channel(before[1], x) + 1e-5)
    np.testing.assert_allclose(y, wanted, atol=1e-12)
    for a, b in zip(before, running(layer), strict=True):
        np.testing.assert_array_equal(a, b)
    assert layer(minigrad.tensor(x[:1])).shape == x[:1].shape  # one value per channel will do here


def test_the_figures_of_the_usual_question(backend):
    """momentum 0.1: a batch of mean 0 and variance 1, then one of mean 1 and variance 4."""
    layer = nn.BatchNorm1d(1, dtype=minigrad.float64)
    unit = np.array([[-1.0], [0.0], [1.0]])  # mean 0, unbiased variance 1
    layer(minigrad.tensor(unit))
    assert layer.running_mean.item() == 0 and layer.running_var.item() == pytest.approx(1)
    layer(minigrad.tensor(1 + 2 * unit))
    assert layer.running_mean.item() == pytest.approx(0.1) and layer.running_var.item() == pytest.approx(1.3)
    assert layer.num_batches_tracked.item() == 2


def test_no_momentum_averages_all_batches(backend, rng):
    layer = nn.BatchNorm2d(3, momentum=None, dtype=minigrad.float64)
    batches = [rng.normal(1, 2, (4, 3, 2, 2)) for _ in range(5)]
    for x in batches:
        layer(minigrad.tensor(x))
    means, _, variances = zip(*map(statistics, batches), strict=True)
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean(means, 0), atol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), np.mean(variances, 0), atol=1e-12)


def test_without_running_statistics_evaluation_uses_the_batch(backend, rng):
    layer = nn.BatchNorm1d(3, track_running_stats=False, dtype=minigrad.float64)
    assert list(layer.state_dict()) == ["weight", "bias"] and layer.running_mean is None
    x = minigrad.tensor(rng.standard_normal((5, 3)))
    y = layer(x)
    assert minigrad.equal(layer.eval()(x), y)
    with pytest.raises(ValueError, match=r"BatchNorm1d: .*more than one value"):
        layer(x[:1])


def test_tracking_can_be_switched_off_later(backend, rng):
    layer = nn.BatchNorm1d(3, dtype=minigrad.float64)
    x = minigrad.tensor(rng.standard_normal((5, 3)))
    layer(x)
    layer.track_running_stats = False
    before = running(layer)
    layer(x + 3)
    for a, b in zip(before, running(layer), strict=True):
        np.testing.assert_array_equal(a, b)
    y = layer.eval()(x).detach().numpy()
    np.testing.assert_allclose(y, (x.numpy() - before[0]) / np.sqrt(before[1] + 1e-5), atol=1e-12)


def test_large_offsets_do_not_cancel(backend, rng):
    """The variance takes two passes: with E[x^2] - E[x]^2, x + 1e4 would lose every digit in float32."""
    x = rng.standard_normal((64, 3)).astype(np.float32)
    layer = nn.BatchNorm1d(3)
    y, z = layer(minigrad.tensor(x)), layer(minigrad.tensor(x + np.float32(1e4)))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=5e-3)


def test_five_by_three(backend):
    y = nn.BatchNorm1d(3)(minigrad.arange(15.0).view(5, 3)).detach().numpy()
    np.testing.assert_allclose(y, np.repeat([[-1.4142], [-0.7071], [0], [0.7071], [1.4142]], 3, 1), atol=1e-4)


def test_a_constant_channel_and_a_zero_weight_are_no_trouble(backend, rng):
    layer = nn.BatchNorm1d(3, dtype=minigrad.float64)
    data = rng.standard_normal((6, 3))
    data[:, 1] = 7.25
    x = minigrad.tensor(data, requires_grad=True)
    with minigrad.no_grad():
        layer.weight[2] = 0
        layer.weight[0] = -2
    assert np.isfinite(layer(x).detach().numpy()).all()
    x.requires_grad_(False)
    x[:, 1] = minigrad.tensor(rng.standard_normal(6))
    assert minigrad.gradcheck(lambda *_: layer(x), (x.requires_grad_(), *layer.parameters()))
    assert minigrad.gradgradcheck(lambda *_: layer(x), (x, *layer.parameters()))


def test_the_count_is_an_integer_and_statistics_record_no_graph(backend, rng):
    layer = nn.BatchNorm1d(3).double()
    assert layer.num_batches_tracked.dtype == minigrad.int64 and layer.num_batches_tracked.shape == ()
    held = layer.running_mean, layer.running_var, layer.num_batches_tracked
    layer(minigrad.tensor(rng.standard_normal((4, 3)), requires_grad=True))
    assert held == (layer.running_mean, layer.running_var, layer.num_batches_tracked) or all(
        a is b for a, b in zip(held, layer.buffers(), strict=True)
    )
    assert not any(t.requires_grad for t in layer.buffers())


def test_resetting(backend, rng):
    layer = nn.BatchNorm1d(2)
    layer(minigrad.tensor(rng.standard_normal((4, 2)), dtype=minigrad.float32))
    with minigrad.no_grad():
        layer.weight.fill_(3)
        layer.bias.fill_(3)
    layer.reset_running_stats()
    assert running(layer)[2] == 0 and layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
    assert layer.weight.tolist() == [3, 3]
    layer.reset_parameters()
    assert layer.weight.tolist() == [1, 1] and layer.bias.tolist() == [0, 0]


def test_affine_and_bias():
    assert [name for name, _ in nn.BatchNorm1d(2, bias=False).named_parameters()] == ["weight"]
    assert not list(nn.BatchNorm1d(2, affine=False).parameters())


def test_a_read_only_count_is_found_before_the_statistics_move(backend, rng):
    layer = nn.BatchNorm1d(3)
    layer.num_batches_tracked = minigrad.from_numpy(np.broadcast_to(np.int64(0), ()))
    with pytest.raises(RuntimeError, match=r"BatchNorm1d: num_batches_tracked .*read-only"):
        layer(minigrad.tensor(rng.standard_normal((4, 3)), dtype=minigrad.float32))
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]


@pytest.mark.reference
@pytest.mark.parametrize("momentum", [1.5, -0.5])
def test_any_momentum_is_taken_as_in_pytorch(momentum, backend, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((5, 3))
    ours, theirs = nn.BatchNorm1d(3, momentum=momentum).double(), torch.nn.BatchNorm1d(3, momentum=momentum).double()
    ours(minigrad.tensor(x)), theirs(torch.tensor(x))
    np.testing.assert_allclose(ours.running_mean.numpy(), theirs.running_mean.numpy(), rtol=1e-10)
    np.testing.assert_allclose(ours.running_var.numpy(), theirs.running_var.numpy(), rtol=1e-10)


# ------------------------------------------------------------------------------------- every combination of options

SHAPES = {2: (nn.BatchNorm1d, (5, 3)), 3: (nn.BatchNorm1d, (2, 3, 4)), 4: (nn.BatchNorm2d, (3, 3, 2, 2))}
SHAPES[5] = (nn.BatchNorm3d, (2, 3, 1, 2, 2))
COMBINATIONS = list(
    product([True, False], [True, False], [True, False], [0.1, 0.7, None], SHAPES, ["float32", "float64"])
)
every_combination = pytest.mark.parametrize(
    ("training", "affine", "tracking", "momentum", "ndim", "dtype"),
    COMBINATIONS,
    ids=lambda value: str(value),
)


def made(affine, tracking, momentum, ndim, dtype, rng):
    """A layer in training mode with parameters and statistics of no particular values, and three batches for it."""
    kind, shape = SHAPES[ndim]
    layer = kind(3, eps=1e-3, momentum=momentum, affine=affine, track_running_stats=tracking, dtype=dtype)
    with minigrad.no_grad():
        for tensor in (*layer.parameters(), *(b for b in layer.buffers() if b.is_floating_point())):
            tensor.copy_(minigrad.tensor(rng.uniform(0.5, 1.5, 3), dtype=dtype))
    return layer, [rng.normal(1, 2, shape).astype(dtype) for _ in range(3)]


def composed(x, mean, var, weight, bias, eps):
    """Batch norm written out in Tensor operations; without a mean and variance, by those of the batch."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    axes = (0, *range(2, x.ndim))
    if mean is None:
        mean = x.mean(axes, keepdim=True)
        var = ((x - mean) ** 2).mean(axes, keepdim=True)
    else:
        mean, var = mean.view(shape), var.view(shape)
    y = (x - mean) / (var + eps).sqrt()
    return y if weight is None else y * weight.view(shape) + bias.view(shape)


def derivatives(y, inputs, cotangents):
    """y, and its derivatives of the first to the third order, each along a random direction of the one before."""
    found = [y]
    for order, (v, *directions) in enumerate(cotangents, 1):
        if order == 1:
            gs = grad(y, inputs, v, create_graph=True)
        else:
            gs = grad(gs, inputs, directions, create_graph=True, allow_unused=True, materialize_grads=True)
        found += gs
        if not any(g.requires_grad for g in gs):  # affine in everything, as in evaluation without weights
            break
        gs = [g if g.requires_grad else g + 0 * inputs[0].sum() for g in gs]
    return [t.detach().numpy() for t in found]


@every_combination
def test_values_derivatives_and_buffers(training, affine, tracking, momentum, ndim, dtype, backend, rng):
    """Against the definition, in float64: values, derivatives of the first to the third order, and the buffers."""
    layer, batches = made(affine, tracking, momentum, ndim, dtype, rng)
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    mean, var = (b.numpy().astype(np.float64) for b in (layer.running_mean, layer.running_var)) if tracking else (0, 0)
    layer.train(training)
    for k, batch in enumerate(batches, 1):
        x = minigrad.tensor(batch, requires_grad=True)
        wide = [
            minigrad.tensor(t.detach().numpy(), dtype="float64", requires_grad=True) for t in (x, *layer.parameters())
        ]
        by_batch = training or not tracking
        constants = (None, None) if by_batch else (minigrad.tensor(mean), minigrad.tensor(var))
        directions = [[rng.standard_normal(t.shape) for t in (x, x, *layer.parameters())] for _ in range(3)]

        def cotangents(dtype, directions=directions):
            return [[minigrad.tensor(v, dtype=dtype) for v in vs] for vs in directions]

        found = derivatives(layer(x), [x, *layer.parameters()], cotangents(dtype))
        weight, bias = wide[1:] or (None, None)
        wanted = derivatives(composed(wide[0], *constants, weight, bias, 1e-3), wide, cotangents("float64"))
        assert len(found) == len(wanted) and (len(found) == 1 + 3 * len(wide) or not by_batch)
        for a, b in zip(found, wanted, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, atol=tolerance * max(1, np.abs(b).max()), rtol=0)

        if tracking and training:
            m = 1 / k if momentum is None else momentum
            batch_mean, _, unbiased = statistics(batch.astype(np.float64))
            mean, var = (1 - m) * mean + m * batch_mean, (1 - m) * var + m * unbiased
        if tracking:
            np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=tolerance)
            np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=tolerance)
            assert layer.running_mean.dtype == layer.running_var.dtype == dtype
            assert layer.num_batches_tracked.item() == (k if training else 0)


@pytest.mark.reference
@every_combination
def test_equals_pytorch(training, affine, tracking, momentum, ndim, dtype, backend, rng):
    """Values, first derivatives and buffers, batch after batch."""
    torch = pytest.importorskip("torch")
    layer, batches = made(affine, tracking, momentum, ndim, dtype, rng)
    theirs = getattr(torch.nn, type(layer).__name__)(3, 1e-3, momentum, affine, tracking, dtype=getattr(torch, dtype))
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in layer.state_dict().items()})
    layer.train(training), theirs.train(training)
    tolerance = {"atol": 1e-5, "rtol": 1e-5} if dtype == "float32" else {"atol": 1e-11, "rtol": 1e-11}
    for batch in batches:
        x, tx = minigrad.tensor(batch, requires_grad=True), torch.tensor(batch, requires_grad=True)
        v = rng.standard_normal(batch.shape).astype(dtype)
        y, ty = layer(x), theirs(tx)
        layer.zero_grad(), theirs.zero_grad()
        y.backward(minigrad.tensor(v)), ty.backward(torch.tensor(v))
        pairs = [(y, ty), (x.grad, tx.grad)]
        pairs += [(a.grad, b.grad) for a, b in zip(layer.parameters(), theirs.parameters(), strict=True)]
        pairs += list(zip(layer.buffers(), theirs.buffers(), strict=True))
        for a, b in pairs:
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), **tolerance)


def test_third_derivatives_against_differences(backend, rng):
    layer = nn.BatchNorm1d(2, eps=0.1).double()
    x = minigrad.tensor(rng.standard_normal((4, 2)), requires_grad=True)
    v, w = (minigrad.tensor(rng.standard_normal((4, 2))) for _ in range(2))

    def first(x):
        return grad(layer(x) @ v.T, x, minigrad.eye(4).double() + 0.5, create_graph=True)[0]

    def second(x):
        return grad(first(x), x, w, create_graph=True)[0]

    assert minigrad.gradcheck(second, x)


# ------------------------------------------------------------------------------------------------- awkward points


@pytest.mark.parametrize("offset", [1e4, -1e4])
@every_shape
def test_an_offset_changes_only_what_rounding_to_it_does(kind, shape, offset, backend, rng):
    """Values that float32 holds exactly at 1e4 too give the same outputs, gradients and variances there."""
    near = (rng.integers(-2048, 2048, shape) / 1024).astype(np.float32)
    far = (near + np.float32(offset)).astype(np.float32)
    np.testing.assert_array_equal((far - np.float32(offset)), near)
    v = minigrad.tensor(rng.standard_normal(shape), dtype=minigrad.float32)
    results = []
    for data in (near, far):
        layer, x = kind(3, momentum=1.0), minigrad.tensor(data, requires_grad=True)
        layer(x).backward(v)
        results.append([layer(x), x.grad, layer.weight.grad, layer.running_var])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-5, atol=2e-5)


@every_shape
def test_weight_zero_and_constant_channels(kind, shape, backend, rng):
    layer = kind(3, dtype=minigrad.float64)
    data = rng.standard_normal(shape)
    data[:, 1] = -3.5
    with minigrad.no_grad():
        layer.weight[0] = 0.0
        layer.bias[1] = 0.25
    x, v = minigrad.tensor(data, requires_grad=True), minigrad.tensor(rng.standard_normal(shape))
    y = layer(x)
    y.backward(v)
    assert (y[:, 0] == 0).all() and (y[:, 1] == 0.25).all()
    assert (x.grad[:, 0] == 0).all() and layer.weight.grad[0].item() != 0  # the weight can leave 0 again
    assert layer.weight.grad[1].item() == 0 and minigrad.isfinite(x.grad).all()
    others = [t.detach().numpy() for t in derivatives_of_definition(x, layer, v)]
    np.testing.assert_allclose(x.grad.numpy(), others[0], atol=1e-9)
    np.testing.assert_allclose(layer.weight.grad.numpy(), others[1], atol=1e-12)


def derivatives_of_definition(x, layer, v):
    return grad(composed(x, None, None, layer.weight, layer.bias, layer.eps), [x, layer.weight], v)


@every_shape
def test_one_value_per_channel(kind, shape, backend):
    model = nn.Sequential(nn.Identity(), kind(3))
    x = minigrad.ones(1, 3, *(1 for _ in shape[2:]))
    before = running(model[1])
    with pytest.raises(
        ValueError,
        match=rf"model\.1 \({kind.__name__}\): .*one value per channel.*shape \(1, 3[^)]*\).*drop_last=True.*eval",
    ):
        model(x)
    for a, b in zip(before, running(model[1]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.eval()(x).shape == x.shape
    model[1].freeze()
    assert model.train()(x).shape == x.shape


def test_a_small_eps_counts_in_float16_too(backend):
    """1e-8 + 0 is 0 in float16; the layer computes it in a wider one."""
    layer, flow = nn.BatchNorm1d(2, eps=1e-8).half().eval(), nn.InvertibleBatchNorm1d(2, eps=1e-8).half().eval()
    x = minigrad.tensor([[1e-3, 1.0], [-2e-3, -3.0]], dtype=minigrad.float16)
    for norm in (layer, flow):
        norm.running_var[0] = 0.0
    y, (z, log_det) = layer(x), flow(x)
    assert minigrad.equal(y, z) and minigrad.isfinite(log_det).all()
    np.testing.assert_allclose(y.detach().numpy(), x.numpy() * [1e4, 1], rtol=2e-3)
    np.testing.assert_allclose(flow.inverse(z)[0].detach().numpy(), x.numpy(), rtol=3e-3)


# -------------------------------------------------------------------------------------------------- freeze, from_decay


def test_frozen_statistics_stay_whatever_train_says(backend, rng):
    model = nn.Sequential(nn.BatchNorm1d(3, dtype=minigrad.float64), nn.Dropout(0.5))
    layer, x = model[0], minigrad.tensor(rng.normal(2, 3, (6, 3)))
    layer(x)
    held = running(layer)
    assert layer.freeze() is layer
    for _ in range(2):
        model.train()
        y = layer(x).detach().numpy()
        np.testing.assert_allclose(y, (x.numpy() - held[0]) / np.sqrt(held[1] + 1e-5), atol=1e-12)
    assert layer.training  # the mode is the model's business
    for a, b in zip(held, running(layer), strict=True):
        np.testing.assert_array_equal(a, b)
    assert copy.deepcopy(layer).stats_frozen
    assert layer.unfreeze() is layer
    layer(x)
    assert running(layer)[2] == held[2] + 1 and (running(layer)[0] != held[0]).all()


def test_gradients_through_frozen_statistics(backend, rng):
    """They are constants: the gradient is a scale, as in evaluation."""
    layer = nn.BatchNorm1d(3, dtype=minigrad.float64)
    layer(minigrad.tensor(rng.normal(2, 3, (6, 3))))
    x, v = minigrad.tensor(rng.standard_normal((6, 3)), requires_grad=True), rng.standard_normal((6, 3))
    layer.freeze()(x).backward(minigrad.tensor(v))
    np.testing.assert_allclose(x.grad.numpy(), v / np.sqrt(layer.running_var.numpy() + 1e-5), rtol=1e-12)
    assert minigrad.gradcheck(lambda *_: layer(x), (x, *layer.parameters()))


def test_freezing_weight_and_bias(rng):
    layer = nn.BatchNorm1d(3)
    layer.weight.requires_grad_(False)  # by someone else, whose wish outlasts unfreeze
    layer.bias.grad = minigrad.ones(3)
    layer.freeze(stats=False, affine=True)
    assert not layer.stats_frozen and not layer.bias.requires_grad and layer.bias.grad is None
    layer.freeze(stats=False, affine=True).freeze()  # again, and then more
    assert layer.stats_frozen
    layer.unfreeze(stats=False)
    assert layer.stats_frozen and layer.bias.requires_grad and not layer.weight.requires_grad
    layer.freeze(affine=True).unfreeze(affine=False)
    assert not layer.stats_frozen and not layer.bias.requires_grad
    nn.BatchNorm1d(3, affine=False).freeze(affine=True).unfreeze()


def test_freeze_says_what_it_cannot_do():
    untracked = nn.BatchNorm2d(3, track_running_stats=False)
    with pytest.raises(RuntimeError, match=r"BatchNorm2d.freeze: .*no running statistics.*track_running_stats=True"):
        untracked.freeze(affine=True)
    assert untracked.weight.requires_grad and not untracked.stats_frozen
    untracked.freeze(stats=False, affine=True)
    with pytest.raises(TypeError, match=r"BatchNorm1d.freeze: affine must be True or False, got affine=1"):
        nn.BatchNorm1d(3).freeze(affine=1)
    with pytest.raises(TypeError, match=r"BatchNorm1d.unfreeze: stats must be True or False"):
        nn.BatchNorm1d(3).unfreeze("all")


def test_the_other_convention(rng):
    layer = nn.BatchNorm1d.from_decay(2, 0.9, eps=1e-3, dtype=minigrad.float64)
    assert layer.momentum == 0.1 and layer.eps == 1e-3
    x = rng.standard_normal((5, 2))
    layer(minigrad.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.9 * 0 + 0.1 * x.mean(0))
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 * 1 + 0.1 * x.var(0, ddof=1))
    assert [nn.BatchNorm2d.from_decay(2, d).momentum for d in (0, 0.3, 0.999, 1)] == [1, 0.7, 0.001, 0]
    assert type(nn.BatchNorm3d.from_decay(2, 0.5)) is nn.BatchNorm3d
    with pytest.raises(ValueError, match=r"BatchNorm1d.from_decay: decay must be .* in \[0, 1\], got decay=1.1"):
        nn.BatchNorm1d.from_decay(2, 1.1)
    with pytest.raises(TypeError, match=r"from_decay: takes decay, which is 1 - momentum"):
        nn.BatchNorm1d.from_decay(2, 0.9, momentum=0.1)


def test_the_repr_says_which_variance_is_used_where():
    stem = "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats="
    layer = nn.BatchNorm1d(3)
    assert repr(layer) == stem + "True, training_var='batch, biased', eval_var='running, unbiased')"
    assert "training_var='running, unbiased: frozen', eval_var='running, unbiased')" in repr(layer.freeze())
    untracked = nn.BatchNorm1d(3, track_running_stats=False)
    assert repr(untracked) == stem + "False, training_var='batch, biased', eval_var='batch, biased')"


# -------------------------------------------------------------------------------------------- measuring and setting


def test_batch_moments_and_set_running_stats(backend, rng):
    layer, x = nn.BatchNorm2d(3), rng.normal(3, 2, (4, 3, 2, 5)).astype(np.float32)
    moments = layer.batch_moments(minigrad.tensor(x, requires_grad=True))
    mean, biased, unbiased = statistics(x.astype(np.float64))
    assert moments.count == 40
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(moments.var(), biased, rtol=1e-12)
    layer.set_running_stats(moments, batches=7)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-7)
    np.testing.assert_allclose(layer.running_var.numpy(), unbiased, rtol=1e-7)
    assert layer.num_batches_tracked.item() == 7 and layer.running_var.dtype == minigrad.float32


def test_setting_says_what_does_not_fit_and_changes_nothing(rng):
    layer = nn.BatchNorm1d(3)
    moments = layer.batch_moments(minigrad.tensor(rng.standard_normal((4, 3))))
    with pytest.raises(ValueError, match=r"needs moments of shape \(2,\), got \(3,\)"):
        nn.BatchNorm1d(2).set_running_stats(moments, 1)
    with pytest.raises(RuntimeError, match=r"BatchNorm1d.set_running_stats: .*keeps no running statistics"):
        nn.BatchNorm1d(3, track_running_stats=False).set_running_stats(moments, 1)
    with pytest.raises(ValueError, match="count of more than 1"):
        layer.set_running_stats(moments.weighing(1), 1)
    with pytest.raises(ValueError, match="batches must be an int >= 0"):
        layer.set_running_stats(moments, -1)
    with pytest.raises(ValueError, match=r"BatchNorm1d: expected input \(N, C\) or \(N, C, L\), got shape \(4,\)"):
        layer.batch_moments(minigrad.ones(4))
    layer.num_batches_tracked = minigrad.from_numpy(np.broadcast_to(np.int64(0), ()))
    with pytest.raises(RuntimeError, match="read-only"):
        layer.set_running_stats(moments, 1)
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.running_var.tolist() == [1, 1, 1]
