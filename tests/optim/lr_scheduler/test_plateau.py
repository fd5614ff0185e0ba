import copy
from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad.optim.lr_scheduler import ReduceLROnPlateau


def run(scheduler, metrics):
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(list(scheduler.get_last_lr()))
    return rates


def test_patience_is_how_many_bad_epochs_are_put_up_with(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer(1.0, 0.5), factor=0.5, patience=2)
    rates = run(scheduler, [5, 4, 4, 4, 4, 4, 3.9, 4, 4, 4])
    assert [r[0] for r in rates] == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert [r[1] for r in rates] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.125]


def test_cooldown_puts_off_the_count(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer(1.0), factor=0.5, patience=0, cooldown=2)
    rates = run(scheduler, [1, 1, 1, 1, 1, 1, 1])
    assert [r[0] for r in rates] == [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert scheduler.in_cooldown is False


@pytest.mark.parametrize(
    "mode, threshold_mode, good, bad",
    [("min", "rel", 8.9, 9.0), ("min", "abs", 9.8, 9.9), ("max", "rel", 11.1, 11.0), ("max", "abs", 10.2, 10.1)],
)
def test_an_improvement_is_one_beyond_the_threshold(mode, threshold_mode, good, bad, make_optimizer):
    for metric, bad_epochs in ((good, 0), (bad, 1), (float("nan"), 1)):
        scheduler = ReduceLROnPlateau(make_optimizer(1.0), mode, threshold=0.1, threshold_mode=threshold_mode)
        run(scheduler, [10.0, metric])
        assert scheduler.num_bad_epochs == bad_epochs


def test_the_lowest_rates_and_the_least_change(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer(1.0, 1.0), factor=0.1, patience=0, min_lr=[0.05, 0], eps=2e-3)
    rates = run(scheduler, [1] * 5)
    assert rates == [pytest.approx(r) for r in ([1, 1], [0.1, 0.1], [0.05, 0.01], [0.05, 0.001], [0.05, 0.001])]


def test_the_metric_may_be_a_tensor_and_must_be_a_number(make_optimizer):
    scheduler = ReduceLROnPlateau(make_optimizer(1.0))
    scheduler.step(minigrad.tensor(2.5, requires_grad=True))
    scheduler.step(np.float32(2.0))
    assert scheduler.best == 2.0
    before = copy.deepcopy(scheduler.state_dict())
    for metric in (None, "low", minigrad.ones(2)):
        with pytest.raises(TypeError, match=r"ReduceLROnPlateau.step: metrics must be a number such as the validation"):
            scheduler.step(metric)
    assert scheduler.state_dict() == before


def test_groups_that_come_later(make_optimizer):
    one_for_all, listed = make_optimizer(1.0), make_optimizer(1.0)
    schedulers = [
        ReduceLROnPlateau(one_for_all, patience=0, min_lr=0.5),
        ReduceLROnPlateau(listed, patience=0, min_lr=[0.5]),
    ]
    for optimizer in (one_for_all, listed):
        optimizer.add_param_group({"params": minigrad.ones(1, requires_grad=True), "lr": 2.0})
    assert run(schedulers[0], [1, 1])[-1] == [0.5, 0.5]
    with pytest.raises(ValueError, match=r"has 2 param groups now, but min_lr was given for 1; set scheduler.min_lrs"):
        schedulers[1].step(1)


def test_a_saved_schedule_goes_on(make_optimizer):
    metrics = np.random.default_rng(0).random(20).round(1)
    optimizer = make_optimizer(1.0)
    scheduler = ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    run(scheduler, metrics[:7])
    other = make_optimizer(1.0)
    resumed = ReduceLROnPlateau(other)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    resumed.load_state_dict(scheduler.state_dict())
    assert run(resumed, metrics[7:]) == run(scheduler, metrics[7:])


BAD = [
    ({"mode": "low"}, ValueError, 'mode must be "min" or "max", got mode=\'low\''),
    ({"factor": 1.0}, ValueError, r"factor must be a finite number in \[0, 1\), got factor=1.0"),
    ({"patience": -1}, ValueError, "patience must be a finite number >= 0, got patience=-1"),
    ({"threshold": -1}, ValueError, "threshold must be a finite number >= 0"),
    ({"threshold_mode": "max"}, ValueError, 'threshold_mode must be "rel" or "abs", got threshold_mode=\'max\''),
    ({"cooldown": "2"}, TypeError, "cooldown must be a number >= 0, got cooldown='2'"),
    ({"min_lr": [0, 0]}, ValueError, "min_lr has 2 entries, but there are 1 param groups"),
    ({"min_lr": -1}, ValueError, "min_lr must be a finite number >= 0"),
    ({"eps": None}, TypeError, "eps must be a number >= 0, got eps=None"),
]


@pytest.mark.parametrize("options, error, message", BAD)
def test_bad_options_are_refused(options, error, message, make_optimizer):
    with pytest.raises(error, match=f"^ReduceLROnPlateau: {message}"):
        ReduceLROnPlateau(make_optimizer(1.0), **options)


@pytest.mark.reference
@pytest.mark.parametrize("mode, threshold_mode", list(product(("min", "max"), ("rel", "abs"))))
@pytest.mark.parametrize("patience, cooldown", [(0, 0), (2, 0), (1, 3)])
def test_equal_to_pytorch(mode, threshold_mode, patience, cooldown, make_optimizer):
    torch = pytest.importorskip("torch")
    metrics = np.random.default_rng(1).normal(size=60).round(1)
    metrics[20] = np.nan
    options = {
        "mode": mode,
        "factor": 0.7,
        "patience": patience,
        "threshold": 0.05,
        "threshold_mode": threshold_mode,
        "cooldown": cooldown,
        "min_lr": [0.01, 0.001],
        "eps": 1e-3,
    }
    ours = ReduceLROnPlateau(make_optimizer(0.5, 0.1), **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(make_optimizer(0.5, 0.1, lib=torch), **options)
    assert run(ours, metrics[:30]) == run(theirs, metrics[:30])
    assert ours.state_dict() == theirs.state_dict()
    ours.load_state_dict(theirs.state_dict())
    assert run(ours, metrics[30:]) == run(theirs, metrics[30:])
