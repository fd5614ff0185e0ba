"""Invertible: what the checks find, and that they change nothing."""

import copy
import re

import numpy as np
import pytest

import minigrad
from minigrad import nn


class Cube(nn.Invertible):
    """y = x^3 for each element, with one thing after the other made wrong on demand."""

    def __init__(self, wrong=""):
        super().__init__()
        self.wrong = wrong
        self.calls = 0

    def transform(self, x):
        self.calls += 1
        log_det = (3 * x * x).log().reshape(len(x), -1).sum(1)
        y = x**3
        if self.wrong == "log_det":
            log_det = log_det + 1e-6
        if self.wrong == "sum":
            log_det = log_det.sum()
        if self.wrong == "mixing":
            y = y + 1e-3 * x.flip(0)
        if self.wrong == "size":
            y = y[:, :1]
        if self.wrong == "nan":
            log_det = log_det * float("nan")
        return y, log_det

    def inverse(self, y):
        x = y ** (1 / 3)
        log_det = -(3 * x * x).log().reshape(len(x), -1).sum(1)
        if self.wrong == "inverse":
            x = x * 1.001
        if self.wrong == "sign":
            log_det = -log_det
        if self.wrong == "transposed":
            x = x.t()
        return x, log_det


@pytest.fixture
def x(rng):
    return minigrad.tensor(rng.uniform(0.5, 2, (3, 2)))


def test_a_right_layer_passes_both_checks(x):
    layer = Cube()
    assert layer.check_inverse(x) <= 1e-12 and layer.check_log_det(x) <= 1e-10
    assert layer.check_inverse(x.float()) <= 2e-5  # 1e-5, relative to the largest x
    images = x.reshape(1, 2, 1, 3)
    assert layer.check_inverse(images) <= 1e-12 and layer.check_log_det(images) <= 1e-10


WRONG_INVERSE = {
    "inverse": r"Cube.check_inverse: inverse\(forward\(x\)\) differs from x 0\.00\d+; at most .*e-12 is expected",
    "sign": r"log-determinants of forward and inverse do not cancel: their sum is",
    "sum": r"log_det must have shape \(3,\), a value per example, got shape \(\)",
    "transposed": r"from an input of shape \(3, 2\) came one of shape \(2, 3\)",
    "nan": "do not cancel: their sum is nan",
}
WRONG_LOG_DET = {
    "log_det": r"Cube.check_log_det: log_det differs from that of the Jacobian 1e-06; at most .*e-10 is expected",
    "sum": r"log_det must have shape \(3,\), a value per example, got shape \(\)",
    "mixing": "an example's output depends on another example, by a derivative of up to 0.001$",
    "size": r"the output has shape \(3, 1\), of another size than the input, shape \(3, 2\)",
    "nan": "log_det differs from that of the Jacobian nan",
}


@pytest.mark.parametrize("wrong", WRONG_INVERSE)
def test_check_inverse_finds(wrong, x):
    with pytest.raises(RuntimeError, match=WRONG_INVERSE[wrong]):
        Cube(wrong).check_inverse(x)


@pytest.mark.parametrize("wrong", WRONG_LOG_DET)
def test_check_log_det_finds(wrong, x):
    with pytest.raises(RuntimeError, match=WRONG_LOG_DET[wrong]):
        Cube(wrong).check_log_det(x)


def test_a_tolerance_of_ones_own(x):
    assert Cube("inverse").check_inverse(x, tolerance=0.01) > 1e-4
    assert Cube("log_det").check_log_det(x, tolerance=1e-5) == pytest.approx(1e-6)
    with pytest.raises(ValueError, match="tolerance must be a finite number >= 0, got tolerance=-1"):
        Cube().check_inverse(x, tolerance=-1)


@pytest.mark.parametrize("method", ["check_inverse", "check_log_det"])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (np.ones((2, 2)), TypeError, "input must be a floating Tensor, got ndarray"),
        (minigrad.ones(2, 2, dtype=minigrad.int64), TypeError, "input must be a floating Tensor, got int64"),
        (minigrad.ones(3), ValueError, r"input must be a batch of examples, \(N, ...\), got shape \(3,\)"),
        (minigrad.ones(0, 3), ValueError, r"input must be a batch of examples, .* got shape \(0, 3\)"),
    ],
)
def test_input_that_cannot_be_checked(method, given, error, text):
    with pytest.raises(error, match=rf"Cube.{method}: {text}"):
        getattr(Cube(), method)(given)


def test_a_dense_jacobian_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match=r"shape \(5, 1000\) has 5000 x 5000 elements; pass one of 4096 .* x\[:4\]"):
        Cube().check_log_det(minigrad.ones(5, 1000))


def test_reverse_runs_the_inverse_with_hooks_and_the_path_in_errors(x):
    model = nn.Sequential(Cube())
    seen = []
    model[0].register_forward_hook(lambda module, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
    y, _ = model[0](x)
    back, _ = model[0](y, reverse=True)
    assert seen == [{}, {"reverse": True}]
    np.testing.assert_array_equal(back.numpy(), model[0].inverse(y)[0].numpy())
    bn = nn.Sequential(nn.InvertibleBatchNorm1d(2))[0]
    with pytest.raises(RuntimeError, match=r"^InvertibleBatchNorm1d: inverse in training mode"):
        bn(x.float(), reverse=True)


def test_a_subclass_must_define_both_ways(x):
    class Empty(nn.Invertible):
        pass

    for method, reverse in (("transform", False), ("inverse", True)):
        with pytest.raises(NotImplementedError, match=rf"Empty must define {method}\(self, input\)"):
            Empty()(x, reverse=reverse)


class Flow(nn.Invertible):
    """Layers one after the other."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def transform(self, x):
        total = 0
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return x, total

    def inverse(self, y):
        total = 0
        for layer in reversed(self.layers):
            y, log_det = layer.inverse(y)
            total = total + log_det
        return y, total


@pytest.mark.parametrize("training", [True, False])
def test_a_flow_of_layers_is_checked_as_a_whole_and_stays_as_it_is(training, rng):
    shape = (4, 2, 2, 1)
    x = minigrad.tensor(rng.standard_normal(shape) + 2)
    by_activation = nn.InvertibleBatchNorm2d((2, 2, 1), statistics="activation")
    flow = Flow(nn.ActNorm(2), nn.InvertibleBatchNorm2d(2), by_activation)
    flow.double()
    if not training:
        flow(x)
        flow.eval()
    before = copy.deepcopy(flow.state_dict())
    assert flow.check_inverse(x) < 1e-12 and flow.check_log_det(x) < 1e-10
    for key, value in flow.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key].numpy(), err_msg=key)
    assert all(module.training is training for module in flow.modules())
    if training:
        with pytest.raises(RuntimeError, match="inverse in training mode undoes the latest forward"):
            flow.layers[1].inverse(x)
    assert all(p.grad is None for p in flow.parameters())


def test_the_checks_are_documented_where_users_look():
    for cls in (nn.InvertibleBatchNorm1d, nn.InvertibleBatchNorm2d, nn.ActNorm):
        assert issubclass(cls, nn.Invertible)
        assert re.search(r"held\s+constant", cls.check_log_det.__doc__)
    assert "singular" in nn.InvertibleBatchNorm2d.__doc__
