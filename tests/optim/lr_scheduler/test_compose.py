import copy

import pytest

from minigrad import optim
from minigrad.optim import lr_scheduler
from minigrad.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def warmup_then_cosine(lib, optimizer):
    first = lib.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    return lib.SequentialLR(optimizer, [first, lib.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.01)], [5])


def test_a_sequence_begins_each_schedule_at_its_milestone(make_optimizer, trace, cosine):
    optimizer = make_optimizer(0.5, 0.2)
    rows = trace(optimizer, warmup_then_cosine(lr_scheduler, optimizer), epochs=45)
    for column, base in ((0, 0.5), (2, 0.2)):
        rise = [base * (0.1 + 0.9 * t / 5) for t in range(5)]
        fall = [0.01 + (base - 0.01) * cosine(t / 40) for t in range(41)]
        assert [row[column] for row in rows] == pytest.approx(rise + fall)
        assert [row[4 + column // 2] for row in rows] == pytest.approx(rise + fall)


def test_a_chain_multiplies_its_schedules(make_optimizer, trace):
    optimizer = make_optimizer(0.5)
    parts = [ConstantLR(optimizer, factor=0.1, total_iters=20), ExponentialLR(optimizer, gamma=0.9)]
    rows = trace(optimizer, ChainedScheduler(parts, optimizer=optimizer))
    assert [row[0] for row in rows] == pytest.approx([0.5 * (0.1 if t < 20 else 1) * 0.9**t for t in range(61)])


@pytest.mark.parametrize("first", [True, False])
def test_a_chain_in_a_sequence_begins_at_its_own_epoch_0(first, make_optimizer, trace):
    optimizer = make_optimizer(1.0)
    chain = ChainedScheduler([LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)])
    steps = StepLR(optimizer, 2, gamma=0.5)
    parts = [chain, steps] if first else [steps, chain]
    rows = trace(optimizer, SequentialLR(optimizer, parts, [3]), epochs=5)
    in_chain, in_steps = [0.5, 0.75 * 0.5, 0.25], [1, 1, 0.5]
    assert [row[0] for row in rows] == (in_chain + in_steps if first else in_steps + in_chain)


@pytest.mark.parametrize("first", [True, False])
def test_a_sequence_in_a_sequence_begins_at_its_own_epoch_0(first, make_optimizer, trace):
    optimizer = make_optimizer(1.0)
    inner = SequentialLR(optimizer, [ConstantLR(optimizer, 0.25, 9), ExponentialLR(optimizer, 0.5)], [2])
    steps = StepLR(optimizer, 2, gamma=0.5)
    outer = SequentialLR(optimizer, [inner, steps] if first else [steps, inner], [4])
    rows = trace(optimizer, outer, epochs=7)
    in_inner, in_steps = [0.25, 0.25, 1, 0.5], [1, 1, 0.5, 0.5]
    assert [row[0] for row in rows] == (in_inner + in_steps if first else in_steps + in_inner)


def test_a_saved_sequence_goes_on(make_optimizer, trace):
    optimizer = make_optimizer(0.5)
    scheduler = warmup_then_cosine(lr_scheduler, optimizer)
    trace(optimizer, scheduler, epochs=12)
    other = make_optimizer(0.5)
    resumed = warmup_then_cosine(lr_scheduler, other)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    assert trace(other, resumed, epochs=20) == trace(optimizer, scheduler, epochs=20)


def test_a_state_that_does_not_fit_one_part_changes_none(make_optimizer):
    optimizer = make_optimizer(0.5)
    scheduler = warmup_then_cosine(lr_scheduler, optimizer)
    before = copy.deepcopy(scheduler.state_dict())
    state = copy.deepcopy(before)
    state["_schedulers"][0]["last_epoch"] = 17
    del state["_schedulers"][1]["T_max"]
    with pytest.raises(ValueError, match=r"CosineAnnealingLR.load_state_dict: the state lacks \['T_max'\]"):
        scheduler.load_state_dict(state)
    with pytest.raises(ValueError, match=r"_schedulers must have 2 entries, .* got 1"):
        scheduler.load_state_dict({**before, "_schedulers": before["_schedulers"][:1]})
    assert scheduler.state_dict() == before


def test_a_step_past_the_end_of_a_part_changes_nothing(make_optimizer):
    optimizer = make_optimizer(1.0)
    cycle = OneCycleLR(optimizer, 1.0, total_steps=2)
    scheduler = SequentialLR(optimizer, [cycle, StepLR(optimizer, 2)], [9])
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    before = copy.deepcopy(scheduler.state_dict())
    with pytest.raises(ValueError, match="step 3 is past the end"):
        scheduler.step()
    assert scheduler.state_dict() == before


def test_parts_that_do_not_fit_are_refused(make_optimizer):
    optimizer, other = make_optimizer(1.0), make_optimizer(1.0)
    step, foreign, plateau = StepLR(optimizer, 2), StepLR(other, 2), ReduceLROnPlateau(optimizer)
    for name, make in (
        ("SequentialLR", lambda parts: SequentialLR(optimizer, parts, [3] * (len(parts) - 1))),
        ("ChainedScheduler", lambda parts: ChainedScheduler(parts, optimizer)),
    ):
        with pytest.raises(ValueError, match=rf"{name}: schedulers must be a list of at least one scheduler, got \[\]"):
            make([])
        with pytest.raises(TypeError, match=rf"{name}: schedulers\[1\] must be a scheduler, got int"):
            make([step, 3])
        with pytest.raises(ValueError, match=rf"{name}: schedulers\[1\] is a ReduceLROnPlateau, whose step needs a me"):
            make([step, plateau])
        with pytest.raises(ValueError, match=rf"{name}: schedulers\[1\], a StepLR, is of another optimizer"):
            make([step, foreign])
    with pytest.raises(ValueError, match=r"2 schedulers need 1 milestones, got \[2, 3\]"):
        SequentialLR(optimizer, [step, StepLR(optimizer, 3)], [2, 3])
    with pytest.raises(ValueError, match=r"milestones must be in increasing order, got \[5, 3\]"):
        SequentialLR(optimizer, [step, StepLR(optimizer, 3), StepLR(optimizer, 4)], [5, 3])
    with pytest.raises(TypeError, match=r"milestones\[0\] must be an int, got milestones\[0\]=2.5"):
        SequentialLR(optimizer, [step, StepLR(optimizer, 3)], [2.5])


def three_in_a_row(lib, optimizer):
    parts = [
        lib.ConstantLR(optimizer, factor=0.1, total_iters=20),
        lib.ExponentialLR(optimizer, gamma=0.9),
        lib.CosineAnnealingWarmRestarts(optimizer, T_0=6, T_mult=2),
    ]
    return lib.SequentialLR(optimizer, parts, milestones=[4, 15])


def without_warmup(lib, optimizer):
    parts = [lib.LinearLR(optimizer, total_iters=0), lib.StepLR(optimizer, 3)]
    return lib.SequentialLR(optimizer, parts, milestones=[0])


def chain(lib, optimizer):
    parts = [lib.ConstantLR(optimizer, factor=0.1, total_iters=20), lib.ExponentialLR(optimizer, gamma=0.9)]
    return lib.ChainedScheduler([*parts, lib.MultiStepLR(optimizer, [3, 40])], optimizer)


def several_on_their_own(lib, optimizer):
    lib.LinearLR(optimizer, total_iters=9)
    return lib.CosineAnnealingLR(optimizer, T_max=13)


@pytest.mark.reference
@pytest.mark.parametrize("make", [warmup_then_cosine, three_in_a_row, without_warmup, chain, several_on_their_own])
def test_equal_to_pytorch(make, follows_torch):
    follows_torch(make, closed_form=False)


def test_names_are_those_of_the_package():
    assert optim.lr_scheduler.CosineAnnealingLR is CosineAnnealingLR
