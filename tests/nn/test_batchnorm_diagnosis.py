"""`diagnose`: what it measures, and that each cause is recognized, none where there is none."""

import numpy as np
import pytest

import minigrad
from minigrad import nn

N, C = 64, 8


def data(rng, n=N):
    """Batches of channels that differ in mean and spread."""
    return rng.normal(np.linspace(-3, 5, C), np.linspace(0.5, 4, C), (n, C))


def trained(rng, batches=100, momentum=0.1, **options):
    layer = nn.BatchNorm1d(C, momentum=momentum, dtype=minigrad.float64, **options)
    for _ in range(batches):
        layer(minigrad.tensor(data(rng)))
    return layer


def test_it_measures_in_running_standard_deviations(rng):
    layer = nn.BatchNorm2d(2, eps=1e-3, dtype=minigrad.float64)
    layer.set_running_stats(layer.batch_moments(minigrad.tensor(rng.normal(1, 3, (9, 2, 3, 3)))), 12)
    before = {key: value.numpy().copy() for key, value in layer.state_dict().items()}
    x = rng.normal(4, 2, (16, 2, 3, 3))
    report = layer.diagnose(minigrad.tensor(x, requires_grad=True))
    mean, var = before["running_mean"], before["running_var"]
    np.testing.assert_allclose(report.shift, (x.mean((0, 2, 3)) - mean) / np.sqrt(var + 1e-3))
    np.testing.assert_allclose(report.ratio, np.sqrt((x.var((0, 2, 3), ddof=1) + 1e-3) / (var + 1e-3)))
    assert report.batches_tracked == 12 and report.shape == x.shape and report.batch.count == 144
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])
    assert layer.training
    layer.running_mean.fill_(7)  # the report is of the moment
    np.testing.assert_array_equal(report.running_mean, mean)


@pytest.mark.parametrize("n", [16, 32, 512])
def test_a_batch_like_those_seen_agrees(n, rng):
    layer = trained(rng)
    for _ in range(20):
        report = layer.diagnose(minigrad.tensor(data(rng, n)))
        assert report.agrees and report.cause == "none: they agree" and report.remedy == ""
    assert "remedy" not in str(report) and "agreeing  : 8 of 8" in str(report)


def changed(make):
    return pytest.param(make, id=make.__name__)


def never_trained(rng):
    return nn.BatchNorm1d(C), data(rng), "seen no batch in training mode"


def frozen_before_it_was_trained(rng):
    return nn.BatchNorm1d(C).freeze(), data(rng), "seen no batch .*it is frozen"


def no_momentum(rng):
    return trained(rng, momentum=0), data(rng), "momentum is 0, so that the 100 batches"


def small_momentum(rng):
    return trained(rng, momentum=0.01), data(rng), r"momentum 0.01 is too small for 100 batches.*weigh 37%"


def few_batches(rng):
    return trained(rng, batches=4), data(rng), "momentum 0.1 is too small for 4 batches"


def large_momentum(rng):
    layer = trained(rng, momentum=0.95)
    layer(minigrad.tensor(data(rng) * rng.uniform(2, 4, C) + rng.normal(0, 9, C)))
    return layer, data(rng), "momentum 0.95 is large"


def momentum_out_of_range(rng):
    layer = trained(rng, batches=3, momentum=1.9)
    layer.running_var.abs_()
    return layer, data(rng), r"momentum 1.9 is not in \[0, 1\]"


def not_divided_by_255(rng):
    return trained(rng), 255 * data(rng), "another preprocessing: .* about 25. times those that the .* collected on$"


def divided_by_255(rng):
    return trained(rng), data(rng) / 255, "another preprocessing: .* about 0.00[34]"


def shifted(rng):
    return trained(rng), data(rng) + 20, r"another preprocessing: .* about those that the .* collected on, plus (19|20)"


def scaled_and_shifted(rng):
    return trained(rng), 5 * data(rng) - 30, "another preprocessing: .* times those that .*, plus -"


def frozen_since(rng):
    return trained(rng).freeze(), data(rng)[:, ::-1], "frozen"


def other_data(rng):
    return trained(rng), data(rng)[:, ::-1], "distributed differently"


def dead_in_the_batch(rng):
    x = data(rng)
    x[:, [2, 5]] = 0
    return trained(rng), x, "dead channels: channels 2, 5 vary by .*in the batch"


def dead_when_trained(rng):
    layer = trained(rng)
    layer.running_var[3] = 0
    return layer, data(rng), "dead channels: channel 3 varies by .*in the running statistics"


def nan_in_the_batch(rng):
    x = data(rng)
    x[7, 1] = np.nan
    return trained(rng), x, "the batch holds NaN.* in channel 1$"


def nan_in_the_statistics(rng):
    layer = trained(rng)
    layer.running_mean[6], layer.running_var[0] = float("inf"), -1.0
    return layer, data(rng), "running statistics hold NaN.* in channels 0, 6:"


@pytest.mark.parametrize(
    "make",
    [
        changed(make)
        for make in (
            never_trained, frozen_before_it_was_trained, no_momentum, small_momentum, few_batches, large_momentum,
            momentum_out_of_range, not_divided_by_255, divided_by_255, shifted, scaled_and_shifted, frozen_since,
            other_data, dead_in_the_batch, dead_when_trained, nan_in_the_batch, nan_in_the_statistics,
        )
    ],
)  # fmt: skip
def test_the_likely_cause(make, rng):
    layer, x, cause = make(rng)
    report = layer.diagnose(minigrad.tensor(np.ascontiguousarray(x)))
    assert not report.agrees and report.remedy
    with pytest.raises(AssertionError, match=cause):
        raise AssertionError(report.cause)
    text = str(report)
    assert report.cause in text and report.remedy in text and f"tracked    : {report.batches_tracked}" in text


def test_scaling_asks_for_four_channels(rng):
    """With one channel, a scale and a shift always fit; that is no finding."""
    layer = nn.BatchNorm1d(1, momentum=None, dtype=minigrad.float64)
    layer(minigrad.tensor(rng.standard_normal((N, 1))))
    assert "distributed differently" in layer.diagnose(minigrad.tensor(rng.normal(50, 3, (N, 1)))).cause


def test_the_worst_channels_are_listed(rng):
    layer, x = trained(rng), data(rng)
    x[:, 4] += 100
    lines = str(layer.diagnose(minigrad.tensor(x))).splitlines()
    table = [line.split() for line in lines[5:-2]]
    assert table[0][:3] == ["channel", "batch", "mean"] and [row[0] for row in table[1:]] == ["4"]


def test_eps_zero_divides_all_the_same(rng):
    layer = nn.BatchNorm1d(2, eps=0, dtype=minigrad.float64)
    layer.running_var.zero_()
    report = layer.diagnose(minigrad.tensor(np.repeat([[1.0, 0.0], [3.0, 0.0]], 20, 0)))
    assert report.constant.tolist() == [True, True] and not report.agrees and "dead" in report.cause
    assert str(report)


def test_errors():
    with pytest.raises(RuntimeError, match=r"BatchNorm1d.diagnose: .*keeps no running statistics"):
        nn.BatchNorm1d(3, track_running_stats=False).diagnose(minigrad.ones(4, 3))
    with pytest.raises(ValueError, match=r"BatchNorm1d.diagnose: needs at least two values .*\(1, 3\) has 1"):
        nn.BatchNorm1d(3).diagnose(minigrad.ones(1, 3))
    with pytest.raises(ValueError, match=r"BatchNorm2d: expected input \(N, C, H, W\), got shape \(4, 3\)"):
        nn.BatchNorm2d(3).diagnose(minigrad.ones(4, 3))
    with pytest.raises(ValueError, match=r"needs 3 channels \(dim 1\), got shape \(4, 2\)"):
        nn.BatchNorm1d(3).diagnose(minigrad.ones(4, 2))
