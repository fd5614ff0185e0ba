"""Batch norm: which statistics normalize, how the running ones move, and when they stay."""

import numpy as np
import pytest

import minigrad
from minigrad import nn

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
