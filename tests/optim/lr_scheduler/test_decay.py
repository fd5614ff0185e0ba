import json

import pytest

from minigrad.optim import lr_scheduler

# name, arguments, and the factor of the initial learning rate at epoch t
FORMS = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}, lambda t: 0.5 ** (t // 7)),
    ("StepLR", {"step_size": 1, "gamma": 1.1}, lambda t: 1.1**t),
    ("MultiStepLR", {"milestones": [3, 30, 30, 80]}, lambda t: 0.1 ** ((t >= 3) + 2 * (t >= 30))),
    ("MultiStepLR", {"milestones": (20, 10), "gamma": 0.3}, lambda t: 0.3 ** ((t >= 10) + (t >= 20))),
    ("MultiStepLR", {"milestones": []}, lambda t: 1),
    ("ConstantLR", {}, lambda t: 1 / 3 if t < 5 else 1),
    ("ConstantLR", {"factor": 0.25, "total_iters": 40}, lambda t: 0.25 if t < 40 else 1),
    ("ConstantLR", {"factor": 0, "total_iters": 3}, lambda t: 0 if t < 3 else 1),
    ("LinearLR", {}, lambda t: min(1, 1 / 3 + 2 / 3 * t / 5)),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20}, lambda t: max(0, 1 - t / 20)),
    ("LinearLR", {"start_factor": 0.01, "end_factor": 0.5, "total_iters": 80}, lambda t: 0.01 + 0.49 * t / 80),
    ("LinearLR", {"total_iters": 0}, lambda t: 1 / 3),
    ("ExponentialLR", {"gamma": 0.9}, lambda t: 0.9**t),
    ("PolynomialLR", {}, lambda t: max(0, 1 - t / 5)),
    ("PolynomialLR", {"total_iters": 80, "power": 2.5}, lambda t: (1 - t / 80) ** 2.5),
    ("PolynomialLR", {"total_iters": 0}, lambda t: 1),
]
forms = pytest.mark.parametrize("name, options, form", FORMS, ids=[f"{name},{options}" for name, options, _ in FORMS])


@forms
def test_each_follows_its_formula_step_by_step_and_by_epoch(name, options, form, make_optimizer, trace):
    optimizer = make_optimizer(0.5, 0.1)
    scheduler = getattr(lr_scheduler, name)(optimizer, **options)
    rows = trace(optimizer, scheduler)
    assert [row[0] for row in rows] == pytest.approx([0.5 * form(t) for t in range(61)], rel=1e-9, abs=1e-12)
    assert [row[2] for row in rows] == pytest.approx([0.1 * form(t) for t in range(61)], rel=1e-9, abs=1e-12)
    for epoch in (0, 2, 19, 20, 45):
        with pytest.warns(UserWarning, match="deprecated"):
            scheduler.step(epoch)
        assert scheduler.get_last_lr() == pytest.approx([0.5 * form(epoch), 0.1 * form(epoch)], abs=1e-12)


def test_changes_from_elsewhere_are_kept(make_optimizer):
    optimizer = make_optimizer(1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert scheduler.get_last_lr() == [4.0]


def test_milestones_survive_json(make_optimizer):
    scheduler = lr_scheduler.MultiStepLR(make_optimizer(1.0), [2, 2, 5])
    other = lr_scheduler.MultiStepLR(make_optimizer(1.0), [1])
    other.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert other.milestones == scheduler.milestones and other.state_dict() == scheduler.state_dict()


BAD = [
    ("StepLR", {"step_size": 0}, ValueError, "step_size must be an int >= 1, got step_size=0"),
    ("StepLR", {"step_size": 2.5}, TypeError, "step_size must be an int >= 1, got step_size=2.5"),
    ("StepLR", {"step_size": 2, "gamma": None}, TypeError, "gamma must be a number, got gamma=None"),
    ("MultiStepLR", {"milestones": 3}, TypeError, "milestones must be a list of epochs, got milestones=3"),
    ("MultiStepLR", {"milestones": [1, "2"]}, TypeError, r"milestones\[1\] must be an int, got milestones\[1\]='2'"),
    ("ConstantLR", {"factor": 1.5}, ValueError, r"factor must be a finite number in \[0, 1\], got factor=1.5"),
    ("ConstantLR", {"total_iters": -1}, ValueError, "total_iters must be a finite number >= 0, got total_iters=-1"),
    ("LinearLR", {"start_factor": 0}, ValueError, r"start_factor must be a finite number in \(0, 1\], got"),
    ("LinearLR", {"end_factor": -0.1}, ValueError, r"end_factor must be a finite number in \[0, 1\], got"),
    ("ExponentialLR", {"gamma": float("nan")}, ValueError, "gamma must be a finite number, got gamma=nan"),
    ("PolynomialLR", {"power": "2"}, TypeError, "power must be a number, got power='2'"),
    ("PolynomialLR", {"total_iters": -5}, ValueError, "total_iters must be a finite number >= 0"),
]


@pytest.mark.parametrize("name, options, error, message", BAD)
def test_bad_options_are_refused(name, options, error, message, make_optimizer):
    optimizer = make_optimizer(1.0)
    with pytest.raises(error, match=f"^{name}: {message}"):
        getattr(lr_scheduler, name)(optimizer, **options)
    assert optimizer.param_groups[0]["lr"] == 1.0 and "initial_lr" not in optimizer.param_groups[0]


@pytest.mark.reference
@forms
def test_equal_to_pytorch(name, options, form, follows_torch):
    if options.get("factor") == 0:
        pytest.skip("PyTorch divides by zero")
    follows_torch(lambda lib, o: getattr(lib, name)(o, **options), closed_form=options.get("total_iters") != 0)
    follows_torch.resumed(lambda lib, o, last: getattr(lib, name)(o, **options, last_epoch=last))
