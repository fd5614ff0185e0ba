from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import optim

GRID = [
    {
        "lr": 0.01,
        "alpha": alpha,
        "momentum": momentum,
        "centered": centered,
        "weight_decay": decay,
        "maximize": maximize,
    }
    for alpha, momentum, centered, decay, maximize in product(
        (0.99, 0.5), (0, 0.9), (False, True), (0, 0.3), (False, True)
    )
]
grid = pytest.mark.parametrize("options", GRID, ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()))


def formula(history, lr, alpha, momentum, centered, weight_decay, maximize, eps=1e-8):
    """The averages and the momentum as sums over all gradients."""
    gs = [(-g if maximize else g) + weight_decay * p for p, g in history]
    average = lambda xs: sum((1 - alpha) * alpha ** (len(xs) - 1 - i) * x for i, x in enumerate(xs))  # noqa: E731
    steps = []
    for n in range(1, len(gs) + 1):
        v = average([g * g for g in gs[:n]])
        if centered:
            v = v - average(gs[:n]) ** 2
        steps.append(gs[n - 1] / (np.sqrt(v) + eps))
    return history[-1][0] - lr * sum(momentum ** (len(steps) - 1 - i) * step for i, step in enumerate(steps))


@grid
def test_steps_follow_the_formula(options, check_formula):
    check_formula(lambda params: optim.RMSprop(params, **options), lambda history: formula(history, **options))


@pytest.mark.reference
@grid
def test_steps_equal_pytorch(options, check_torch):
    check_torch("RMSprop", options)


def test_options_can_be_turned_on_later():
    w = minigrad.ones(2, requires_grad=True)
    optimizer = optim.RMSprop([w])
    w.grad = minigrad.ones(2)
    optimizer.step()
    assert set(optimizer.state[w]) == {"step", "square_avg"}
    optimizer.param_groups[0].update(momentum=0.9, centered=True)
    optimizer.step()
    assert set(optimizer.state[w]) == {"step", "square_avg", "momentum_buffer", "grad_avg"}
    assert np.isfinite(w.array).all() and optimizer.state[w]["step"].item() == 2


def test_gradients_that_overflow_pass_without_a_warning():
    w = minigrad.ones(2, requires_grad=True)
    w.grad = minigrad.tensor([1e30, np.nan])
    optim.RMSprop([w]).step()
    assert w.tolist()[0] == 1.0 and np.isnan(w.array[1])
