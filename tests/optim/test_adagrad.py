from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import optim

GRID = [
    {
        "lr": 0.1,
        "lr_decay": lr_decay,
        "weight_decay": decay,
        "initial_accumulator_value": initial,
        "eps": eps,
        "maximize": maximize,
    }
    for lr_decay, decay, initial, eps, maximize in product((0, 0.1), (0, 0.3), (0, 0.5), (1e-10, 1e-2), (False, True))
]
grid = pytest.mark.parametrize("options", GRID, ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()))


def formula(history, lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize):
    gs = [(-g if maximize else g) + weight_decay * p for p, g in history]
    total = initial_accumulator_value + sum(g**2 for g in gs)
    return history[-1][0] - lr / (1 + (len(gs) - 1) * lr_decay) * gs[-1] / (np.sqrt(total) + eps)


@grid
def test_steps_follow_the_formula(options, check_formula):
    check_formula(lambda params: optim.Adagrad(params, **options), lambda history: formula(history, **options))


@pytest.mark.reference
@grid
def test_steps_equal_pytorch(options, check_torch):
    check_torch("Adagrad", options)


def test_the_sums_are_there_from_the_start_and_of_each_groups_own_value():
    a, b, c = (minigrad.ones(2, requires_grad=True) for _ in range(3))
    optimizer = optim.Adagrad(
        [{"params": [a]}, {"params": [b], "initial_accumulator_value": 2}], initial_accumulator_value=1
    )
    optimizer.add_param_group({"params": [c], "initial_accumulator_value": 3})
    assert [optimizer.state[p]["sum"].tolist() for p in (a, b, c)] == [[1, 1], [2, 2], [3, 3]]
    assert [optimizer.state[p]["step"].item() for p in (a, b, c)] == [0, 0, 0]


def test_state_that_was_thrown_away_is_made_again():
    w = minigrad.ones(2, requires_grad=True)
    optimizer = optim.Adagrad([w], initial_accumulator_value=1)
    optimizer.state.clear()
    w.grad = minigrad.ones(2)
    optimizer.step()
    assert optimizer.state[w]["sum"].tolist() == [2, 2]


def test_gradients_that_overflow_pass_without_a_warning():
    w = minigrad.ones(2, requires_grad=True)
    w.grad = minigrad.tensor([1e30, np.nan])
    optim.Adagrad([w]).step()
    assert w.tolist()[0] == 1.0 and np.isnan(w.array[1])
