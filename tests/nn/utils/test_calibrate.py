"""`calibrate`: the statistics of a whole data set from its batches, and nothing else changed."""

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.data import DataLoader, TensorDataset
from minigrad.nn.statistics import Moments
from minigrad.nn.utils import calibrate


def deep():
    """Two batch norms, with something between them that training mode changes."""
    return nn.Sequential(
        nn.Linear(5, 4),
        nn.BatchNorm1d(4),
        nn.Dropout(0.5),
        nn.Sequential(nn.Tanh(), nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=None)),
    ).double()


def batches(x, sizes):
    return [minigrad.tensor(part) for part in np.split(x, np.cumsum(sizes)[:-1])]


def state(model):
    return {key: value.numpy().copy() for key, value in model.state_dict().items()}


def assert_unchanged(before, model):
    for key, value in state(model).items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)


@pytest.mark.parametrize("layerwise", [False, True])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_equals_the_whole_data_set_in_one_batch(layerwise, offset, backend, rng):
    x = offset + rng.normal(np.linspace(-9, 9, 101)[:, None, None, None], 2, (101, 3, 4, 2))  # every batch another mean
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()).double()
    measured = calibrate(model, batches(x, [50, 1, 20, 0, 30]), layerwise=layerwise)
    whole = np.moveaxis(x, 1, 0).reshape(3, -1)
    np.testing.assert_allclose(model[0].running_mean.numpy(), whole.mean(1), rtol=1e-10)
    np.testing.assert_allclose(model[0].running_var.numpy(), whole.var(1, ddof=1), rtol=1e-10)
    assert model[0].num_batches_tracked.item() == 5
    assert list(measured) == ["0"] and measured["0"].count == 808
    np.testing.assert_allclose(measured["0"].var(), whole.var(1), rtol=1e-10)


def test_an_average_of_variances_is_something_else(rng):
    """What momentum=None gives, to which the batches' means do not matter."""
    x = rng.normal(0, 1, (4, 25, 1)) + np.arange(4)[:, None, None]
    averaged, exact = (nn.BatchNorm1d(1, momentum=None, dtype=minigrad.float64) for _ in range(2))
    for batch in x:
        averaged(minigrad.tensor(batch))
    calibrate(exact, [minigrad.tensor(batch) for batch in x])
    assert exact.running_var.item() == pytest.approx(x.var(ddof=1), rel=1e-12)
    assert averaged.running_var.item() < 0.6 * exact.running_var.item()


def test_one_pass_normalizes_each_batch_by_itself(backend, rng):
    model, x = deep(), rng.normal(2, 3, (60, 5))
    parts = batches(x, [30, 10, 20])
    calibrate(model, parts)
    second = Moments(0, np.zeros(3), np.zeros(3))
    with minigrad.no_grad():
        for part in parts:
            h = model[0](part)
            m = Moments.of(h.numpy(), 0)
            h = (h - minigrad.tensor(m.mean)) / minigrad.tensor(np.sqrt(m.var() + 1e-5))  # weight 1, bias 0
            second = second.merge(Moments.of(model[3][:2](h).numpy(), 0))  # no dropout
        first = Moments.of(model[0](minigrad.tensor(x)).numpy(), 0)
    for norm, wanted in ((model[1], first), (model[3][2], second)):
        np.testing.assert_allclose(norm.running_mean.numpy(), wanted.mean, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(norm.running_var.numpy(), wanted.var(1), rtol=1e-10)


@pytest.mark.parametrize("sizes", [[60], [30, 10, 20], [1] * 60])
def test_layer_after_layer_measures_the_network_in_evaluation(sizes, backend, rng):
    """Whatever the batches: each batch norm's statistics are those of its inputs in one batch of everything."""
    model, x = deep(), rng.normal(2, 3, (60, 5))
    measured = calibrate(model, batches(x, sizes), layerwise=True)
    model.eval()
    seen = {}
    for path in ("1", "3.2"):
        model.get_submodule(path).register_forward_pre_hook(
            lambda module, args, path=path: seen.update({path: args[0].detach().numpy()})
        )
    model(minigrad.tensor(x))
    for path, h in seen.items():
        norm = model.get_submodule(path)
        np.testing.assert_allclose(norm.running_mean.numpy(), h.mean(0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(norm.running_var.numpy(), h.var(0, ddof=1), rtol=1e-10)
        assert norm.num_batches_tracked.item() == len(sizes)
        assert norm.diagnose(minigrad.tensor(h)).agrees
        np.testing.assert_allclose(measured[path].mean, h.mean(0), rtol=1e-10, atol=1e-12)


def test_the_earlier_statistics_do_not_matter(rng):
    x, results = rng.standard_normal((20, 5)), []
    model = deep()
    for layerwise in (False, True):
        for value in (0.5, 40.0):
            for norm in (model[1], model[3][2]):
                norm.running_mean.fill_(value), norm.running_var.fill_(value)
            calibrate(model, batches(x, [10, 10]), layerwise=layerwise)
            results.append(state(model))
        for key in results[-1]:
            np.testing.assert_array_equal(results[-1][key], results[-2][key])


def test_modes_momentum_and_everything_else_are_put_back(rng):
    model = deep()
    model[1].eval(), model[3].eval(), model[3][0].train()
    modes = [m.training for m in model.modules()]
    before = state(model)
    calibrate(model, batches(rng.standard_normal((8, 5)), [8]))
    assert [m.training for m in model.modules()] == modes
    assert model[1].momentum == 0.1 and model[3][2].momentum is None
    assert not any(m._hooks for m in model.modules())
    for key, value in state(model).items():
        if "running" not in key and "tracked" not in key:
            np.testing.assert_array_equal(value, before[key])
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not model[1].running_mean.requires_grad


def test_frozen_and_untracked_layers_are_left_alone(rng):
    model = nn.Sequential(
        nn.BatchNorm1d(2).freeze(), nn.BatchNorm1d(2, track_running_stats=False), nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    ).double()
    model[3].track_running_stats = False
    model[0].running_mean.fill_(3)
    x = rng.normal(5, 2, (40, 2))
    measured = calibrate(model, batches(x, [40]))
    assert list(measured) == ["2"]
    assert model[0].running_mean.tolist() == [3, 3] and model[0].num_batches_tracked.item() == 0
    assert model[3].running_mean.tolist() == [0, 0]
    np.testing.assert_allclose(measured["2"].mean, 0, atol=1e-12)  # the second one has centred them
    assert calibrate(nn.Linear(2, 1), [x]) == {}


def test_a_layer_that_is_called_twice_and_one_that_is_not(rng):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.spare = nn.BatchNorm1d(2).double(), nn.BatchNorm1d(2).double()

        def forward(self, x):
            return self.norm(input=x), self.norm(x + 10)

    x, model = rng.standard_normal((30, 2)), Net()
    measured = calibrate(model, batches(x, [10, 20]))
    assert list(measured) == ["norm"] and measured["norm"].count == 60
    np.testing.assert_allclose(model.norm.running_mean.numpy(), x.mean(0) + 5, rtol=1e-10)
    assert model.norm.num_batches_tracked.item() == 4 and model.spare.num_batches_tracked.item() == 0


@pytest.mark.parametrize("layerwise", [False, True])
def test_of_an_invertible_layer_the_way_back_is_not_measured(layerwise, rng):
    class ThereAndBack(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.InvertibleBatchNorm1d(3).double()

        def forward(self, x):
            return self.norm(self.norm(x)[0], reverse=True)[0]

    x, model = rng.normal(5, 3, (30, 3)), ThereAndBack()
    measured = calibrate(model, batches(x, [10, 20]), layerwise=layerwise)
    assert measured["norm"].count == 30 and model.norm.num_batches_tracked.item() == 2
    np.testing.assert_allclose(model.norm.running_mean.numpy(), x.mean(0), rtol=1e-10)
    np.testing.assert_allclose(model.norm.running_var.numpy(), x.var(0, ddof=1), rtol=1e-10)


@pytest.mark.parametrize("failing", [False, True])
def test_an_invertible_layer_still_undoes_its_latest_forward(failing, rng):
    layer, fresh = (nn.InvertibleBatchNorm1d(3).double() for _ in range(2))
    x = minigrad.tensor(rng.standard_normal((6, 3)))
    y, _ = layer(x)
    loader = batches(rng.normal(5, 3, (9, 3)), [9]) + [minigrad.ones(4, 2).double()] * failing
    for each in (layer, fresh):
        if failing:
            with pytest.raises(RuntimeError, match="channels"):
                calibrate(each, loader)
        else:
            calibrate(each, loader)
    np.testing.assert_allclose(layer.inverse(y)[0].detach().numpy(), x.numpy(), atol=1e-12)
    with pytest.raises(RuntimeError, match="there was none"):
        fresh.inverse(y)


def test_batches_are_tensors_or_tuples(rng):
    x = minigrad.tensor(rng.standard_normal((50, 3)), dtype=minigrad.float32)
    labels = minigrad.zeros(50, dtype=minigrad.int64)
    loader = DataLoader(TensorDataset(x, labels), batch_size=16, shuffle=True)
    for given in (loader, [x[:20], x[20:]], [[x, labels]], iter([(x,)])):
        model = nn.BatchNorm1d(3)
        calibrate(model, given)
        np.testing.assert_allclose(model.running_var.numpy(), x.numpy().astype(np.float64).var(0, ddof=1), rtol=1e-6)
    assert model.running_var.dtype == minigrad.float32


def test_float32_statistics_are_right_to_the_last_digit(backend, rng):
    x = (1e4 + rng.standard_normal((4096, 2))).astype(np.float32)
    model = nn.BatchNorm1d(2)
    calibrate(model, batches(x, [64] * 64))
    exact = x.astype(np.float64)
    np.testing.assert_array_equal(model.running_mean.numpy(), exact.mean(0).astype(np.float32))
    np.testing.assert_allclose(model.running_var.numpy(), exact.var(0, ddof=1), rtol=1e-7)


@pytest.mark.parametrize("layerwise", [False, True])
def test_a_failed_call_changes_nothing(layerwise, rng):
    x = rng.standard_normal((8, 5))
    model = deep()
    calibrate(model, batches(x, [8]))
    before, modes = state(model), [m.training for m in model.modules()]

    def check(error, match, loader):
        with pytest.raises(error, match=match):
            calibrate(model, loader, layerwise=layerwise)
        assert_unchanged(before, model)
        assert [m.training for m in model.modules()] == modes and not any(m._hooks for m in model.modules())

    check(ValueError, "calibrate: the loader has no batch", [])
    check(RuntimeError, r"model.0 \(Linear\)", [minigrad.tensor(x), minigrad.tensor(x[:, :2])])
    one = [minigrad.tensor(x[:1])]
    if layerwise:
        check(ValueError, r"calibrate: 1 \(BatchNorm1d\) got a single value per channel .*nothing was changed", one)
        check(TypeError, r"layerwise=True goes through the loader once.*list_iterator", iter([minigrad.tensor(x)]))
    else:
        check(ValueError, r"model.1 \(BatchNorm1d\): .*more than one value per channel", one)


def test_bad_arguments(rng):
    with pytest.raises(TypeError, match="calibrate: model must be a Module, got list"):
        calibrate([], [])
    with pytest.raises(TypeError, match="calibrate: layerwise must be True or False, got layerwise=2"):
        calibrate(nn.BatchNorm1d(2), [], layerwise=2)
