from itertools import product

import numpy as np
import pytest

import minigrad
from minigrad import optim

CLASSES = {"Adam": {}, "Adam decoupled": {"decoupled_weight_decay": True}, "AdamW": {}}
GRID = [
    (name, {"lr": 0.05, "betas": betas, "weight_decay": decay, "amsgrad": amsgrad, "maximize": maximize, **extra})
    for (name, extra), betas, decay, amsgrad, maximize in product(
        CLASSES.items(), ((0.9, 0.999), (0.5, 0.6)), (0, 0.3), (False, True), (False, True)
    )
]
grid = pytest.mark.parametrize(
    "name, options", GRID, ids=[f"{name},{','.join(f'{k}={v}' for k, v in o.items())}" for name, o in GRID]
)


def formula(history, lr, betas, weight_decay, amsgrad, maximize, eps=1e-8, decoupled_weight_decay=False):
    """The averages as sums over all gradients, each with its own power of beta."""
    sign, (beta1, beta2), t = (-1 if maximize else 1), betas, len(history)
    coupled = 0 if decoupled_weight_decay else weight_decay
    gs = [sign * g + coupled * p for p, g in history]
    average = lambda beta, xs: sum((1 - beta) * beta ** (len(xs) - 1 - i) * x for i, x in enumerate(xs))  # noqa: E731
    squares = [average(beta2, [g * g for g in gs[:n]]) for n in range(1, t + 1)]
    v = np.max(squares, axis=0) if amsgrad else squares[-1]
    p = history[-1][0]
    if decoupled_weight_decay:
        p = p - lr * weight_decay * p
    return p - lr * (average(beta1, gs) / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


@grid
def test_steps_follow_the_formula(name, options, check_formula, backend):
    decoupled = {"decoupled_weight_decay": True} if name == "AdamW" else {}
    check_formula(
        lambda params: getattr(optim, name.split()[0])(params, **options),
        lambda history: formula(history, **options, **decoupled),
    )


@pytest.mark.reference
@grid
def test_steps_equal_pytorch(name, options, check_torch, backend):
    check_torch(name.split()[0], options)


def test_adamw_decays_by_a_hundredth_unless_told():
    w = minigrad.ones(2, requires_grad=True)
    assert optim.AdamW([w]).defaults["weight_decay"] == 0.01
    assert optim.Adam([w]).defaults["weight_decay"] == 0


def test_amsgrad_can_be_turned_on_later(backend):
    w = minigrad.ones(2, requires_grad=True)
    optimizer = optim.Adam([w])
    w.grad = minigrad.ones(2)
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.step()
    state = optimizer.state[w]
    np.testing.assert_array_equal(state["max_exp_avg_sq"].array, state["exp_avg_sq"].array)


def test_adamw_takes_over_a_state_of_adam_and_decays_decoupled():
    w = minigrad.ones(2, requires_grad=True)
    adam, adamw = optim.Adam([w]), optim.AdamW([w])
    adamw.load_state_dict(adam.state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"] is True
