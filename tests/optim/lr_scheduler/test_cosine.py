import pytest

import minigrad
from minigrad.optim import lr_scheduler
from minigrad.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts


@pytest.mark.parametrize("T_max, eta_min", [(60, 0.0), (20, 0.01), (7, 0.2), (1, 0.0), (100, 0)])
def test_annealing_follows_the_cosine_down_and_up(T_max, eta_min, make_optimizer, trace, cosine):
    optimizer = make_optimizer(0.5, 0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max, eta_min)
    rows = trace(optimizer, scheduler)
    for column, base in ((0, 0.5), (2, 0.1)):
        expected = [eta_min + (base - eta_min) * cosine(t / T_max) for t in range(61)]
        assert [row[column] for row in rows] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    with pytest.warns(UserWarning, match="deprecated"):
        scheduler.step(3)
    assert scheduler.get_last_lr()[0] == pytest.approx(eta_min + (0.5 - eta_min) * cosine(3 / T_max))


@pytest.mark.parametrize("T_0, T_mult", [(10, 1), (5, 2), (3, 3), (1, 1), (1, 2)])
def test_warm_restarts_follow_the_cosine_of_each_period(T_0, T_mult, make_optimizer, trace, cosine):
    expected, length = [], T_0
    while len(expected) < 61:
        expected += [0.01 + 0.49 * cosine(t / length) for t in range(length)]
        length *= T_mult
    optimizer = make_optimizer(0.5)
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0, T_mult, eta_min=0.01)
    assert [row[0] for row in trace(optimizer, scheduler)] == pytest.approx(expected[:61])
    for epoch in (40, 0, 5, 13, 31, 60):
        scheduler.step(epoch)
        assert scheduler.get_last_lr() == pytest.approx([expected[epoch]])
        assert scheduler.last_epoch == epoch
    scheduler.step(7)
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([expected[8]]) and scheduler.last_epoch == 8
    scheduler.step(T_0 - 0.25)
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.01 + 0.49 * cosine(0.75 / (T_0 * T_mult))])


def test_warm_restarts_take_fractions_of_an_epoch(make_optimizer, cosine):
    scheduler = CosineAnnealingWarmRestarts(make_optimizer(1.0), T_0=4, T_mult=2)
    for epoch, progress in ((0.5, 0.5 / 4), (3.75, 3.75 / 4), (4.0, 0), (6.5, 2.5 / 8), (13, 1 / 16)):
        scheduler.step(epoch)
        assert scheduler.get_last_lr() == pytest.approx([cosine(progress)])
        assert scheduler.last_epoch == int(epoch)
    with pytest.raises(ValueError, match=r"CosineAnnealingWarmRestarts.step: epoch must be a finite number >= 0, got"):
        scheduler.step(-1)
    assert scheduler.get_last_lr() == pytest.approx([cosine(1 / 16)]) and scheduler.T_cur == 1


def test_a_step_that_fails_changes_nothing(make_optimizer):
    optimizer = make_optimizer(1.0)
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=2)
    before = scheduler.state_dict()
    optimizer.add_param_group({"params": minigrad.ones(1, requires_grad=True)})
    with pytest.raises(ValueError, match="has 2 param groups, but the schedule gives 1"):
        scheduler.step()
    assert scheduler.state_dict() == before


BAD = [
    (CosineAnnealingLR, {"T_max": 0}, ValueError, "T_max must be a finite number > 0, got T_max=0"),
    (CosineAnnealingLR, {"T_max": 5, "eta_min": "0"}, TypeError, "eta_min must be a number, got eta_min='0'"),
    (CosineAnnealingWarmRestarts, {"T_0": 0}, ValueError, "T_0 must be an int >= 1, got T_0=0"),
    (CosineAnnealingWarmRestarts, {"T_0": 2.5}, TypeError, "T_0 must be an int >= 1, got T_0=2.5"),
    (CosineAnnealingWarmRestarts, {"T_0": 1, "T_mult": 0}, ValueError, "T_mult must be an int >= 1, got T_mult=0"),
]


@pytest.mark.parametrize("cls, options, error, message", BAD)
def test_bad_options_are_refused(cls, options, error, message, make_optimizer):
    with pytest.raises(error, match=f"^{cls.__name__}: {message}"):
        cls(make_optimizer(1.0), **options)


@pytest.mark.reference
@pytest.mark.parametrize("T_max, eta_min", [(60, 0.0), (20, 0.01), (7, 0.2), (1, 0.0), (100, 0)])
def test_annealing_equals_pytorch(T_max, eta_min, follows_torch):
    follows_torch(lambda lib, o: lib.CosineAnnealingLR(o, T_max, eta_min))
    follows_torch.resumed(lambda lib, o, last: lib.CosineAnnealingLR(o, T_max, eta_min, last_epoch=last))


@pytest.mark.reference
@pytest.mark.parametrize("T_0, T_mult", [(10, 1), (5, 2), (3, 3), (1, 1), (1, 2)])
def test_warm_restarts_equal_pytorch(T_0, T_mult, follows_torch, make_optimizer):
    torch = pytest.importorskip("torch")
    make = lambda lib, o: lib.CosineAnnealingWarmRestarts(o, T_0, T_mult, eta_min=0.01)  # noqa: E731
    follows_torch(make, closed_form=False)
    follows_torch.resumed(
        lambda lib, o, last: lib.CosineAnnealingWarmRestarts(o, T_0, T_mult, eta_min=0.01, last_epoch=last)
    )
    ours = make(lr_scheduler, make_optimizer(0.5))
    theirs = make(torch.optim.lr_scheduler, make_optimizer(0.5, lib=torch))
    for epoch in (0.25, 2.5, 7.75, None, 33.3, None, 1.5):
        ours.step(epoch)
        theirs.step(epoch)
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-12)
