"""LayerNorm, GroupNorm, InstanceNorm and RMSNorm as layers; their rows in test_layers.py compare them with PyTorch."""

import warnings

import numpy as np
import pytest

import minigrad
from minigrad import nn

LAYERS = [
    (nn.LayerNorm, (4,), (3, 4)),
    (nn.GroupNorm, (2, 4), (3, 4, 2)),
    (nn.InstanceNorm1d, (4, 1e-5, 0.1, True), (3, 4, 5)),
    (nn.InstanceNorm2d, (4, 1e-5, 0.1, True), (3, 4, 2, 3)),
    (nn.RMSNorm, (4,), (3, 4)),
]
every_layer = pytest.mark.parametrize(("kind", "args", "shape"), LAYERS, ids=[row[0].__name__ for row in LAYERS])


@every_layer
def test_no_example_depends_on_its_batch_mates(kind, args, shape, backend, rng):
    layer, x = kind(*args), rng.standard_normal(shape).astype(np.float32)
    for mode in (True, False):
        layer.train(mode)
        y = layer(minigrad.tensor(x)).detach().numpy()
        np.testing.assert_array_equal(layer(minigrad.tensor(x[1:2])).detach().numpy(), y[1:2])


@every_layer
@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float32, minigrad.float64])
def test_dtypes_and_resetting(kind, args, shape, dtype, rng):
    layer = kind(*args, dtype=dtype)
    x = minigrad.tensor(rng.standard_normal(shape), dtype=dtype, requires_grad=True)
    y = layer(x)
    y.backward(minigrad.tensor(rng.standard_normal(shape), dtype=dtype))
    assert y.dtype == x.grad.dtype == layer.weight.dtype == layer.weight.grad.dtype == dtype
    with minigrad.no_grad():
        for p in layer.parameters():
            p.fill_(3)
    layer.reset_parameters()
    assert set(layer.weight.detach().numpy().flat) == {1}
    assert getattr(layer, "bias", None) is None or set(layer.bias.detach().numpy().flat) == {0}


def test_running_statistics_of_instance_norm_are_used_and_moved_as_said(rng):
    layer = nn.InstanceNorm2d(3, momentum=0.3, track_running_stats=True, dtype=minigrad.float64)
    x = rng.normal(2, 3, (4, 3, 2, 5))
    y = layer(minigrad.tensor(x)).numpy()
    mean, var = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-12)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.3 * mean.mean((0, 2, 3)))
    np.testing.assert_allclose(layer.running_var.numpy(), 0.7 + 0.3 * 10 / 9 * var.mean((0, 2, 3)))
    before = [b.numpy().copy() for b in layer.buffers()]
    y = layer.eval()(minigrad.tensor(x[0])).numpy()  # one example: no batch dimension
    wanted = (x[0] - before[0].reshape(3, 1, 1)) / np.sqrt(before[1].reshape(3, 1, 1) + 1e-5)
    np.testing.assert_allclose(y, wanted, atol=1e-12)
    for a, b in zip(before, layer.buffers(), strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0] * 3 and layer.running_var.tolist() == [1] * 3


def test_another_number_of_channels_is_a_warning_where_it_makes_no_difference(rng):
    x = minigrad.tensor(rng.standard_normal((2, 5, 3)))
    with pytest.warns(UserWarning, match="InstanceNorm1d: num_features is 4, but dim 1 of the input, of .* has size 5"):
        y = nn.InstanceNorm1d(4)(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert minigrad.equal(y, nn.InstanceNorm1d(5)(x))


def test_a_failed_call_moves_no_statistics():
    layer = nn.InstanceNorm1d(3, track_running_stats=True)
    with pytest.raises(ValueError, match=r"InstanceNorm1d: .*more than one value per channel"):
        layer(minigrad.ones(2, 3, 1))
    assert layer.running_mean.tolist() == [0] * 3 and layer.running_var.tolist() == [1] * 3


def test_the_family_agrees(rng, backend):
    x = minigrad.tensor(rng.standard_normal((3, 4, 2, 5)), dtype=minigrad.float32)
    centred = x - x.mean((1, 2, 3), keepdim=True)  # RMSNorm is LayerNorm of what has mean 0
    whole = nn.LayerNorm((4, 2, 5))(x)
    for one, other in (
        (nn.GroupNorm(1, 4)(x), whole),
        (nn.GroupNorm(4, 4)(x), nn.InstanceNorm2d(4)(x)),
        (nn.RMSNorm((4, 2, 5), eps=1e-5)(centred), whole),
    ):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), atol=1e-5)


def test_a_model_with_each_of_them_trains_and_keeps_its_state(rng):
    def make():
        return nn.Sequential(
            *(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.Flatten()),
            *(nn.LayerNorm(4 * 4 * 4), nn.Linear(4 * 4 * 4, 8), nn.RMSNorm(8), nn.Linear(8, 3)),
        )

    model, x = make(), minigrad.tensor(rng.standard_normal((5, 1, 6, 6)), dtype=minigrad.float32)
    loss = nn.CrossEntropyLoss()(model(x), minigrad.tensor([0, 1, 2, 0, 1]))
    loss.backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for p in model.parameters())
    twin = make()
    twin.load_state_dict(model.state_dict())
    assert minigrad.equal(twin(x), model(x))
