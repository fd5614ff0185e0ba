"""ActNorm: what the first batch sets, the way back, derivatives, state, and what it refuses."""

import copy

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import gradcheck, gradgradcheck, nn

SHAPES = [(6, 3), (5, 3, 4), (4, 3, 2, 2)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=["(N, C)", "(N, C, L)", "(N, C, H, W)"])


def axes(x):
    return (0, *range(2, x.ndim))


def initialized(rng, dtype=minigrad.float64, shape=(6, 3)):
    layer = nn.ActNorm(3, dtype=dtype)
    layer(minigrad.tensor(rng.normal(3, 2, shape), dtype=dtype))
    return layer


@every_shape
def test_the_first_batch_comes_out_with_mean_zero_and_variance_one(shape, rng):
    layer = nn.ActNorm(3, dtype=minigrad.float64)
    x = rng.normal(3, 2, shape)
    y, log_det = layer(minigrad.tensor(x))
    y = y.detach().numpy()
    np.testing.assert_allclose(y.mean(axes(x)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axes(x)), 1, rtol=1e-12)
    np.testing.assert_allclose(layer.log_scale.detach().numpy(), -np.log(x.std(axes(x))), rtol=1e-12)
    wanted = np.prod(shape[2:]) * -np.log(x.std(axes(x))).sum()
    np.testing.assert_allclose(log_det.detach().numpy(), np.full(len(x), wanted), rtol=1e-12)
    assert layer.initialized.item() is True


@every_shape
@pytest.mark.parametrize("training", [True, False])
def test_later_batches_change_nothing_and_come_back(shape, training, rng):
    layer = initialized(rng).train(training)
    before = copy.deepcopy(layer.state_dict())
    x = minigrad.tensor(rng.normal(-5, 3, shape))
    y, log_det = layer(x)
    back, log_det_back = layer.inverse(y)
    s, b = (before[k].numpy().reshape(-1, *[1] * (x.ndim - 2)) for k in ("log_scale", "bias"))
    np.testing.assert_allclose(y.detach().numpy(), x.numpy() * np.exp(s) + b, rtol=1e-13)
    np.testing.assert_allclose(back.detach().numpy(), x.numpy(), atol=1e-12)
    np.testing.assert_array_equal(log_det.detach().numpy(), -log_det_back.detach().numpy())
    assert layer.check_inverse(x) <= 1e-12 and layer.check_log_det(x) <= 1e-10
    assert layer.check_inverse(x, tolerance=1e-12) == layer.check_inverse(x)
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key].numpy())


def test_the_checks_do_not_initialize(rng):
    layer = nn.ActNorm(3, dtype=minigrad.float64)
    x = minigrad.tensor(rng.normal(3, 2, (4, 3)))
    assert layer.check_inverse(x) <= 1e-12 and layer.check_log_det(x) <= 1e-10
    assert layer.initialized.item() is False and not layer.log_scale.detach().numpy().any()


@every_shape
def test_two_derivatives_both_ways(shape, backend, rng):
    x, s, b = (minigrad.tensor(rng.standard_normal(k), requires_grad=True) for k in (shape, 3, 3))
    for f in (F.act_norm, F.act_norm_inverse):
        assert gradcheck(f, (x, s, b))
        assert gradgradcheck(f, (x, s, b))


def test_a_constant_channel_is_blown_up_no_more_than_the_floor_allows(rng):
    x = rng.standard_normal((8, 2)).astype(np.float32)
    x[:, 1] = 7
    layer = nn.ActNorm(2, min_std=0.01)
    y, _ = layer(minigrad.tensor(x))
    np.testing.assert_allclose(y.detach().numpy()[:, 1], 0, atol=1e-4)
    assert layer.log_scale.detach().numpy()[1] == pytest.approx(-np.log(0.01))


def test_the_first_step_trains_what_the_first_batch_set(rng):
    layer = nn.ActNorm(3)
    optimizer = minigrad.optim.SGD(layer.parameters(), lr=0.1)
    y, log_det = layer(minigrad.tensor(rng.normal(3, 2, (8, 3)), dtype=minigrad.float32))
    set_by_the_batch = layer.log_scale.detach().numpy().copy()
    (-(log_det - (y**4).sum(1) / 4).mean()).backward()
    optimizer.step()
    assert layer.bias.grad is not None
    assert not np.array_equal(layer.log_scale.detach().numpy(), set_by_the_batch)


def test_no_graph_of_the_initialization(rng):
    x = minigrad.tensor(rng.normal(3, 2, (8, 3)), dtype=minigrad.float32, requires_grad=True)
    layer = nn.ActNorm(3)
    _, log_det = layer(x)
    assert layer.log_scale.is_leaf and layer.bias.is_leaf and layer.log_scale.requires_grad
    log_det.sum().backward()
    assert x.grad is None  # the parameters are constants of the batch, not functions of it


def test_the_state_dict_knows_that_it_is_initialized(rng):
    layer = initialized(rng)
    assert list(layer.state_dict()) == ["log_scale", "bias", "initialized"]
    other = nn.ActNorm(3, dtype=minigrad.float64)
    other.load_state_dict(layer.state_dict())
    x = minigrad.tensor(rng.normal(0, 1, (4, 3)))
    assert minigrad.equal(other(x)[0], layer(x)[0])
    assert minigrad.equal(other.eval().inverse(x)[0], layer.inverse(x)[0])


def test_what_comes_too_early_is_an_error(rng):
    layer, x = nn.ActNorm(3), minigrad.tensor(rng.normal(0, 1, (4, 3)), dtype=minigrad.float32)
    with pytest.raises(RuntimeError, match=r"ActNorm: inverse comes before .* were set; send a batch .* forward"):
        layer.inverse(x)
    with pytest.raises(RuntimeError, match=r"^ActNorm: nothing has set log_scale and bias yet; .* training mode first"):
        layer.eval()(x)
    assert layer.initialized.item() is False


NAN, INF = (np.full((4, 3), value, np.float32) for value in (np.nan, np.inf))
REFUSED = [
    (minigrad.ones(1, 3), ValueError, r"needs more than one value per channel, got shape \(1, 3\)"),
    (minigrad.ones(0, 3), ValueError, r"needs more than one value per channel, got shape \(0, 3\)"),
    (minigrad.tensor(NAN), ValueError, r"the first batch, of shape \(4, 3\), .* must be finite"),
    (minigrad.tensor(INF), ValueError, r"the first batch, of shape \(4, 3\), .* must be finite"),
    (minigrad.ones(4, 2), RuntimeError, r"log_scale has shape \(3,\), but input, of shape \(4, 2\), has 2 channels"),
    (minigrad.ones(4), ValueError, r"input must be \(N, C\) or \(N, C, ...\), got shape \(4,\)"),
    (minigrad.ones(4, 3, dtype=minigrad.int64), RuntimeError, "input must be floating, got int64"),
    (minigrad.ones(4, 3, dtype=minigrad.float64), RuntimeError, "one dtype, got float64 and float32"),
    ([[1.0, 2.0, 3.0]], TypeError, "input must be a Tensor, got list"),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("given", "error", "text"), REFUSED)
def test_a_first_batch_that_will_not_do_changes_nothing(given, error, text):
    layer = nn.ActNorm(3)
    with pytest.raises(error, match=text):
        layer(given)
    assert layer.initialized.item() is False
    assert not layer.log_scale.detach().numpy().any() and not layer.bias.detach().numpy().any()


def test_read_only_state_is_found_before_anything_is_set(rng):
    layer = nn.ActNorm(3)
    layer.initialized.numpy().flags.writeable = False
    layer.initialized.array.flags.writeable = False
    with pytest.raises(RuntimeError, match=r"ActNorm: .*read-only; make it a clone"):
        layer(minigrad.tensor(rng.normal(0, 1, (4, 3)), dtype=minigrad.float32))
    assert not layer.log_scale.detach().numpy().any()


def test_arguments_and_repr():
    assert repr(nn.ActNorm(3)) == "ActNorm(3, min_std=0.001)"
    for make, error, text in [
        (lambda: nn.ActNorm(0), ValueError, "ActNorm: num_features must be an int >= 1, got num_features=0"),
        (lambda: nn.ActNorm(2.0), TypeError, "ActNorm: num_features must be an int >= 1"),
        (lambda: nn.ActNorm(2, min_std=0), ValueError, "ActNorm: min_std must be a finite number > 0"),
    ]:
        with pytest.raises(error, match=text):
            make()
