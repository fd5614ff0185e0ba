import copy
from itertools import product

import numpy as np
import pytest

from minigrad.optim.lr_scheduler import OneCycleLR

GRID = list(product((False, True), ("cos", "linear"), ("SGD", "Adam", None), (0.3, 0.25, 0.5)))
grid = pytest.mark.parametrize("three_phase, strategy, momentum, pct_start", GRID)


@grid
def test_both_rates_go_through_the_corners_of_the_cycle(
    three_phase, strategy, momentum, pct_start, make_optimizer, trace, cosine
):
    name = momentum or "Adagrad"
    optimizer = make_optimizer(0.3, 0.3, name=name)
    options = {"div_factor": 10, "final_div_factor": 100, "base_momentum": 0.8, "max_momentum": 0.9}
    scheduler = OneCycleLR(
        optimizer,
        max_lr=[1.0, 0.5],
        total_steps=40,
        pct_start=pct_start,
        anneal_strategy=strategy,
        three_phase=three_phase,
        cycle_momentum=momentum is not None,
        **options,
    )
    rows = trace(optimizer, scheduler, epochs=39)
    top = pct_start * 40 - 1
    corners = [(0, 0.1, 0.9), (top, 1.0, 0.8), (39, 0.001, 0.9)]
    if three_phase:
        corners.insert(2, (2 * top, 0.1, 0.9))
    shape = cosine if strategy == "cos" else lambda x: 1 - x
    ends = [c[0] for c in corners]
    for t, row in enumerate(rows):
        i = min(max(int(np.searchsorted(ends, t)) - 1, 0), len(corners) - 2)
        (start, lr0, m0), (end, lr1, m1) = corners[i : i + 2]
        weight = shape((t - start) / (end - start))
        assert row[-2:] == pytest.approx([lr1 + (lr0 - lr1) * weight, 0.5 * (lr1 + (lr0 - lr1) * weight)], abs=1e-12)
        if momentum:
            assert row[1] == pytest.approx(m1 + (m0 - m1) * weight)
    if momentum == "Adam":
        assert all(group["betas"][1] == 0.999 for group in optimizer.param_groups)


def test_the_length_may_be_given_in_epochs(make_optimizer):
    assert OneCycleLR(make_optimizer(1.0), 1.0, epochs=4, steps_per_epoch=25).total_steps == 100
    assert OneCycleLR(make_optimizer(1.0), 1.0, 7, epochs=4, steps_per_epoch=25).total_steps == 7


def test_a_step_past_the_end_is_refused_and_changes_nothing(make_optimizer):
    optimizer = make_optimizer(1.0)
    scheduler = OneCycleLR(optimizer, 1.0, total_steps=3)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    before = copy.deepcopy((scheduler.state_dict(), optimizer.state_dict()))
    with pytest.raises(ValueError, match="OneCycleLR: step 4 is past the end of the cycle of total_steps=3"):
        scheduler.step()
    assert (scheduler.state_dict(), optimizer.state_dict()) == before


@pytest.mark.parametrize("total_steps, pct_start", [(10, 0.1), (10, 1.0), (10, 0), (1, 0.3), (2, 0.5)])
@pytest.mark.parametrize("three_phase", [False, True])
def test_phases_without_length_are_skipped(total_steps, pct_start, three_phase, make_optimizer, trace):
    optimizer = make_optimizer(1.0)
    scheduler = OneCycleLR(optimizer, 1.0, total_steps, pct_start=pct_start, three_phase=three_phase)
    rows = trace(optimizer, scheduler, epochs=total_steps)
    assert all(np.isfinite(row).all() for row in rows)
    if (total_steps, pct_start) in ((10, 0.1), (10, 1.0)):
        assert rows[0 if pct_start == 0.1 else 9][0] == 1.0  # the top, where the rise ends
    if not three_phase and total_steps > 1:
        assert rows[-2][0] == pytest.approx(1.0 if pct_start == 1 else 1 / 25e4)


BAD = [
    ({"total_steps": 0}, ValueError, "total_steps must be an int >= 1, got total_steps=0"),
    ({"total_steps": 2.5}, TypeError, "total_steps must be an int >= 1, got total_steps=2.5"),
    ({}, ValueError, "needs total_steps, or both epochs and steps_per_epoch, got epochs=None and steps_per_epoch=None"),
    ({"epochs": 3}, ValueError, "needs total_steps, .*got epochs=3 and steps_per_epoch=None"),
    ({"epochs": -3, "steps_per_epoch": 2}, ValueError, "epochs must be an int >= 1, got epochs=-3"),
    ({"epochs": 3, "steps_per_epoch": 0}, ValueError, "steps_per_epoch must be an int >= 1"),
    ({"total_steps": 9, "pct_start": 1.5}, ValueError, r"pct_start must be a finite number in \[0, 1\], got pct_start"),
    ({"total_steps": 9, "anneal_strategy": "sin"}, ValueError, 'anneal_strategy must be "cos" or "linear", got anneal'),
    ({"total_steps": 9, "three_phase": 3}, TypeError, "three_phase must be True or False, got three_phase=3"),
    ({"total_steps": 9, "div_factor": 0}, ValueError, "div_factor must be a finite number > 0, got div_factor=0"),
    ({"total_steps": 9, "max_lr": [1.0, 2.0]}, ValueError, "max_lr has 2 entries, but there are 1 param groups"),
    ({"total_steps": 9, "max_lr": ["1"]}, TypeError, "max_lr must be a number, got max_lr='1'"),
    ({"total_steps": 9, "base_momentum": [0.1, 0.2]}, ValueError, "base_momentum has 2 entries"),
]


@pytest.mark.parametrize("options, error, message", BAD)
def test_bad_options_are_refused_and_change_nothing(options, error, message, make_optimizer):
    optimizer = make_optimizer(1.0, momentum=0.5)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(error, match=f"^OneCycleLR: {message}"):
        OneCycleLR(optimizer, **{"max_lr": 1.0, **options})
    assert optimizer.state_dict() == before


def test_cycling_momentum_needs_momentum(make_optimizer):
    with pytest.raises(
        ValueError, match="needs an optimizer with momentum or betas, and Adagrad has neither; pass cyc"
    ):
        OneCycleLR(make_optimizer(1.0, name="Adagrad"), 1.0, 10)


@pytest.mark.reference
@grid
def test_equal_to_pytorch(three_phase, strategy, momentum, pct_start, follows_torch):
    options = {
        "max_lr": 0.7,
        "pct_start": pct_start,
        "anneal_strategy": strategy,
        "three_phase": three_phase,
        "cycle_momentum": momentum is not None,
    }
    name = momentum or "Adagrad"
    follows_torch(lambda lib, o: lib.OneCycleLR(o, total_steps=60, **options), name=name, closed_form=False)
    follows_torch.resumed(lambda lib, o, last: lib.OneCycleLR(o, total_steps=60, last_epoch=last, **options), name=name)
