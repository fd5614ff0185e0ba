"""Running a schedule, ours or PyTorch's, and writing down what it sets."""

import math

import pytest

import minigrad
from minigrad import optim

EPOCHS = 60


def _trace(optimizer, scheduler, epochs):
    """What the groups have, and what get_last_lr says, at the start and after each of the epochs."""
    rows = []
    for epoch in range(epochs + 1):
        if epoch:
            optimizer.step()
            scheduler.step()
        rows.append([v for group in optimizer.param_groups for v in _options(group)] + list(scheduler.get_last_lr()))
    return rows


def _options(group):
    return [group["lr"], *group.get("betas", ()), *([group["momentum"]] if "momentum" in group else [])]


@pytest.fixture
def trace():
    """A function that takes an optimizer and its scheduler through some epochs and gives all rates."""
    return lambda optimizer, scheduler, epochs=EPOCHS: _trace(optimizer, scheduler, epochs)


@pytest.fixture
def make_optimizer():
    """A function that makes an optimizer of one parameter for each learning rate."""

    def make(*lrs, name="SGD", lib=minigrad, **options):
        groups = [{"params": [lib.ones(1, requires_grad=True)], "lr": lr} for lr in lrs]
        return getattr(lib.optim, name)(groups, **options)

    return make


@pytest.fixture
def follows_torch(make_optimizer):
    """Check a schedule against PyTorch's, both made by `make(lr_scheduler module, optimizer)`.

    From the start with one and two param groups; going on from the state of a scheduler half way; resumed with
    last_epoch; and by step(epoch).
    """
    torch = pytest.importorskip("torch")

    def same(ours, theirs):
        assert ours == [pytest.approx(row, rel=1e-12, abs=1e-15) for row in theirs]

    def check(make, name="SGD", epochs=EPOCHS, closed_form=True, **options):
        for lrs in ((0.5,), (0.5, 0.1)):
            optimizer = make_optimizer(*lrs, name=name, **options)
            reference = make_optimizer(*lrs, name=name, lib=torch, **options)
            scheduler = make(optim.lr_scheduler, optimizer)
            theirs = make(torch.optim.lr_scheduler, reference)
            same(_trace(optimizer, scheduler, epochs // 2), _trace(reference, theirs, epochs // 2))
            half_way, saved = theirs.state_dict(), reference.state_dict()
            flags = {"_is_initial", "_get_lr_called_within_step"}
            assert scheduler.state_dict().keys() == half_way.keys() - flags

            other = make_optimizer(*lrs, name=name, **options)
            resumed = make(optim.lr_scheduler, other)
            other.load_state_dict(saved)
            resumed.load_state_dict(half_way)
            rest = epochs - epochs // 2
            same(_trace(other, resumed, rest), _trace(reference, theirs, rest))
            if closed_form:
                for epoch in (0, 3, 17):
                    with pytest.warns(UserWarning, match="deprecat"):
                        theirs.step(epoch)
                    with pytest.warns(UserWarning, match="deprecat"):
                        resumed.step(epoch)
                    same([resumed.get_last_lr()], [theirs.get_last_lr()])

    def check_resumed(make, **options):
        """`make(module, optimizer, last_epoch)`, begun and then made again for the same optimizer."""
        for last_epoch in (0, 1, 3, 4, 10, 29):
            optimizer, reference = make_optimizer(0.5, 0.1, **options), make_optimizer(0.5, 0.1, lib=torch, **options)
            make(optim.lr_scheduler, optimizer, -1)
            make(torch.optim.lr_scheduler, reference, -1)
            ours = make(optim.lr_scheduler, optimizer, last_epoch)
            theirs = make(torch.optim.lr_scheduler, reference, last_epoch)
            same(_trace(optimizer, ours, 20), _trace(reference, theirs, 20))

    check.resumed = check_resumed
    return check


@pytest.fixture
def cosine():
    """From 1 at 0 down to 0 at 1."""
    return lambda x: (1 + math.cos(math.pi * x)) / 2
