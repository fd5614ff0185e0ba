import copy
import json
import warnings

import pytest

import minigrad
from minigrad import optim
from minigrad.optim import lr_scheduler
from minigrad.optim.lr_scheduler import ExponentialLR, LambdaLR, LRScheduler, MultiStepLR, OneCycleLR, StepLR


def test_the_module_has_pytorch_s_name():
    assert minigrad.optim.lr_scheduler is lr_scheduler
    assert all(hasattr(lr_scheduler, name) for name in lr_scheduler.__all__)


def test_what_is_not_an_optimizer_is_refused():
    arguments = {
        "LambdaLR": [abs],
        "MultiplicativeLR": [abs],
        "StepLR": [1],
        "MultiStepLR": [[1]],
        "ExponentialLR": [0.5],
        "CosineAnnealingLR": [5],
        "CosineAnnealingWarmRestarts": [5],
        "OneCycleLR": [1.0, 5],
        "SequentialLR": [[], []],
    }
    for name in set(lr_scheduler.__all__) - {"ChainedScheduler"}:
        with pytest.raises(TypeError, match=f"^{name}: optimizer must be a minigrad.optim.Optimizer, got int"):
            getattr(lr_scheduler, name)(3, *arguments.get(name, []))


def test_groups_keep_their_own_rates(make_optimizer, trace):
    optimizer = make_optimizer(1.0, 0.25)
    rows = trace(optimizer, StepLR(optimizer, 2, gamma=0.5), epochs=4)
    assert [row[0] for row in rows] == [1, 1, 0.5, 0.5, 0.25]
    assert [row[2] for row in rows] == [0.25, 0.25, 0.125, 0.125, 0.0625]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [1.0, 0.25]


def test_stepping_before_the_optimizer_warns_once(make_optimizer):
    optimizer = make_optimizer(1.0)
    optimizer.step()  # before there was a schedule
    scheduler = StepLR(optimizer, 2)
    with pytest.warns(
        UserWarning, match=r"StepLR: `lr_scheduler.step\(\)` was called before `optimizer.step\(\)`"
    ) as got:
        scheduler.step()
    assert got[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_no_warning_where_there_is_no_reason(make_optimizer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = make_optimizer(1.0)
        first, second = StepLR(optimizer, 2), ExponentialLR(optimizer, 0.9)
        optimizer.step()
        first.step()
        second.step()
        StepLR(optimizer, 2).step()  # PyTorch is content with a step since the first scheduler

        class Own(optim.SGD):
            def step(self, closure=None):
                return None

        own = Own([minigrad.ones(1, requires_grad=True)])
        StepLR(own, 2).step()


@pytest.mark.reference
def test_pytorch_warns_in_the_same_places(make_optimizer):
    torch = pytest.importorskip("torch")
    for calls in ("S", "oS", "so", "soS", "SS", "ossS", "sosSS", "soSssS"):
        counts = []
        for lib in (minigrad, torch):
            optimizer, schedulers = make_optimizer(1.0, lib=lib), []
            with warnings.catch_warnings(record=True) as got:
                warnings.simplefilter("always")
                for call in "s" + calls:
                    if call == "o":
                        optimizer.step()
                    elif call == "s":
                        schedulers.append(lib.optim.lr_scheduler.StepLR(optimizer, 2))
                    else:
                        schedulers[-1].step()
            counts.append(len(got))
        assert counts[0] == counts[1], calls


def test_one_may_write_a_schedule(make_optimizer, trace):
    class Halves(LRScheduler):
        def get_lr(self):
            return [lr / 2**self.last_epoch for lr in self.base_lrs]

    optimizer = make_optimizer(1.0, 0.5)
    rows = trace(optimizer, Halves(optimizer), epochs=2)
    assert [row[-2:] for row in rows] == [[1, 0.5], [0.5, 0.25], [0.25, 0.125]]
    with pytest.raises(NotImplementedError, match="Nothing must define get_lr"):
        type("Nothing", (LRScheduler,), {})(optimizer)


def test_resuming_needs_initial_rates(make_optimizer):
    optimizer = make_optimizer(1.0, 0.5)
    with pytest.raises(
        ValueError, match="StepLR: last_epoch=4 resumes a schedule, but param group 0 has no initial_lr"
    ):
        StepLR(optimizer, 2, last_epoch=4)
    with pytest.raises(
        ValueError, match="param group 0 has no initial_lr, max_lr, min_lr, max_momentum, base_momentum"
    ):
        OneCycleLR(optimizer, 1.0, 10, last_epoch=4)
    with pytest.raises(ValueError, match="last_epoch must be an int >= -1, got last_epoch=-2"):
        StepLR(optimizer, 2, last_epoch=-2)
    with pytest.raises(TypeError, match=r"last_epoch must be an int >= -1, got last_epoch=1.5"):
        StepLR(optimizer, 2, last_epoch=1.5)


def test_a_group_that_comes_later(make_optimizer):
    optimizer = make_optimizer(1.0)
    step, function = StepLR(optimizer, 1, gamma=0.5), LambdaLR(optimizer, lambda epoch: 1.0)
    optimizer.add_param_group({"params": [minigrad.ones(1, requires_grad=True)], "lr": 0.5})
    optimizer.step()
    step.step()  # goes on from whatever there is
    assert step.get_last_lr() == [0.5, 0.25]
    with pytest.raises(ValueError, match="LambdaLR: the optimizer has 2 param groups, but the schedule gives 1"):
        function.step()
    assert function.last_epoch == 0 and [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25]


def test_a_schedule_that_fails_changes_nothing(make_optimizer):
    def broken(epoch):
        if epoch == 2:
            raise RuntimeError("no rate")
        return 1 / (1 + epoch)

    optimizer = make_optimizer(1.0)
    scheduler = LambdaLR(optimizer, broken)
    optimizer.step()
    scheduler.step()
    before = copy.deepcopy(scheduler.state_dict())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no rate"):
            scheduler.step()
    assert scheduler.state_dict() == before and optimizer.param_groups[0]["lr"] == 0.5


def test_step_to_an_epoch(make_optimizer):
    optimizer = make_optimizer(1.0)
    scheduler = StepLR(optimizer, 10, gamma=0.5)
    optimizer.step()
    with pytest.warns(UserWarning, match=r"StepLR.step\(epoch\) is deprecated"):
        scheduler.step(25)
    assert scheduler.get_last_lr() == [0.25] and scheduler.last_epoch == 25
    with pytest.raises(TypeError, match=r"StepLR.step: epoch must be a number, got epoch='25'"):
        scheduler.step("25")
    assert scheduler.last_epoch == 25


def test_a_saved_schedule_goes_on(make_optimizer, trace):
    optimizer = make_optimizer(1.0, 0.5)
    scheduler = MultiStepLR(optimizer, [2, 4], gamma=0.5)
    trace(optimizer, scheduler, epochs=3)
    saved, state = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    expected = trace(optimizer, scheduler, epochs=4)

    other = make_optimizer(1.0, 0.5)
    resumed = MultiStepLR(other, [1], gamma=0.9)
    other.load_state_dict(saved)
    resumed.load_state_dict(state)
    assert trace(other, resumed, epochs=4) == expected
    assert resumed.milestones is not state["milestones"] and resumed.base_lrs is not state["base_lrs"]


RESUMABLE = [
    ("StepLR", {"step_size": 5, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [3, 9]}),
    ("ConstantLR", {"total_iters": 9}),
    ("LinearLR", {"total_iters": 9}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 9}),
    ("CosineAnnealingLR", {"T_max": 9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 9}),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)}),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 1 / (1 + t)}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 12}),
]


@pytest.mark.parametrize("name, options", RESUMABLE)
def test_a_schedule_may_be_resumed_by_its_last_epoch(name, options, make_optimizer, trace):
    make = getattr(lr_scheduler, name)
    optimizer = make_optimizer(1.0, 0.5)
    scheduler = make(optimizer, **options)
    trace(optimizer, scheduler, epochs=7)
    saved = copy.deepcopy(optimizer.state_dict())
    expected = trace(optimizer, scheduler, epochs=4)

    other = make_optimizer(1.0, 0.5)
    other.load_state_dict(saved)
    assert trace(other, make(other, **options, last_epoch=6), epochs=4) == expected


def cycle(optimizer):
    return OneCycleLR(optimizer, 1.0, 10)


def chain(optimizer):
    return lr_scheduler.ChainedScheduler([ExponentialLR(optimizer, 0.5)])


JUNK = [
    (lambda o: StepLR(o, 2), "last_epoch", "x", TypeError, "last_epoch must be a number >= -1, got last_epoch='x'"),
    (lambda o: StepLR(o, 2), "last_epoch", -2, ValueError, "last_epoch must be a number >= -1, got last_epoch=-2"),
    (lambda o: StepLR(o, 2), "last_epoch", None, TypeError, "last_epoch must be a number"),
    (lambda o: StepLR(o, 2), "step_size", True, TypeError, "step_size must be a number, got step_size=True"),
    (lambda o: StepLR(o, 2), "base_lrs", 5, TypeError, "base_lrs must be a list, got base_lrs=5"),
    (lambda o: StepLR(o, 2), "base_lrs", ["a"], TypeError, r"base_lrs\[0\] must be a number, got base_lrs\[0\]='a'"),
    (lambda o: StepLR(o, 2), "_last_lr", "ab", TypeError, "_last_lr must be a list"),
    (lambda o: MultiStepLR(o, [2]), "milestones", [2], TypeError, r"milestones must be a dict, got milestones=\[2\]"),
    (lambda o: MultiStepLR(o, [2]), "milestones", {"a": 1}, ValueError, "milestones must be a dict {epoch: how often}"),
    (lambda o: MultiStepLR(o, [2]), "milestones", {2: "a"}, (TypeError, ValueError), "milestones"),
    (lambda o: LambdaLR(o, abs), "lr_lambdas", 5, TypeError, "lr_lambdas must be a list"),
    (lambda o: LambdaLR(o, abs), "lr_lambdas", [5], TypeError, r"lr_lambdas\[0\] must be a dict or None"),
    (cycle, "_anneal_func_type", 1, TypeError, "_anneal_func_type must be a string"),
    (
        cycle,
        "_schedule_phases",
        [{"end_step": "a"}],
        TypeError,
        r"phases\[0\]\['end_step'\] must be a number",
    ),
    (cycle, "cycle_momentum", 1, TypeError, "cycle_momentum must be True or False"),
    (lr_scheduler.ReduceLROnPlateau, "best", "a", TypeError, "best must be a number, got best='a'"),
    (lr_scheduler.ReduceLROnPlateau, "mode", None, TypeError, "mode must be a string"),
    (chain, "_schedulers", 5, TypeError, "_schedulers must be a list"),
    (chain, "_schedulers", [5], TypeError, "needs a dict, got int"),
]


@pytest.mark.parametrize("make, name, value, error, message", JUNK)
def test_an_entry_of_another_kind_is_refused_and_changes_nothing(make, name, value, error, message, make_optimizer):
    scheduler = make(make_optimizer(1.0, momentum=0.9))
    before = copy.deepcopy(scheduler.state_dict())
    with pytest.raises(error, match=f"load_state_dict: .*{message}"):
        scheduler.load_state_dict({**copy.deepcopy(before), name: value})
    assert scheduler.state_dict() == before


def test_a_state_may_come_from_json(make_optimizer):
    for make in {make for make, *_ in JUNK}:
        optimizer = make_optimizer(1.0, momentum=0.9)
        scheduler = make(optimizer)
        state = copy.deepcopy(scheduler.state_dict())
        scheduler.load_state_dict(json.loads(json.dumps(state)))
        assert scheduler.state_dict() == state


def test_a_plateau_may_take_over_one_minimum_or_several(make_optimizer):
    one, several = (lr_scheduler.ReduceLROnPlateau(make_optimizer(1.0), min_lr=low) for low in (0.1, [0.2]))
    kept = one.state_dict()
    one.load_state_dict(several.state_dict())
    assert one.min_lrs == [0.2] and one.default_min_lr is None
    one.load_state_dict(kept)
    assert one.min_lrs == [0.1] and one.default_min_lr == 0.1


def test_a_state_of_another_kind_is_refused(make_optimizer):
    optimizer = make_optimizer(1.0)
    scheduler = StepLR(optimizer, 2)
    before = copy.deepcopy(scheduler.state_dict())
    for state, message in [
        (ExponentialLR(optimizer, 0.5).state_dict(), r"lacks \['step_size'\] and has unknown \[\]"),
        (LambdaLR(optimizer, abs).state_dict(), r"lacks \['gamma', 'step_size'\] and has unknown \['lr_lambdas'\]"),
        ({**before, "step": 3}, r"has unknown \['step'\]"),
        (StepLR(make_optimizer(1.0, 0.5), 2).state_dict(), "base_lrs must have 1 entries, .* got 2"),
    ]:
        with pytest.raises(ValueError, match=f"^StepLR.load_state_dict: .*{message}"):
            scheduler.load_state_dict(state)
    with pytest.raises(TypeError, match="needs a dict, got list"):
        scheduler.load_state_dict([])
    assert scheduler.state_dict() == before
