from itertools import product

import pytest

import minigrad
from minigrad import optim

MOMENTA = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.4},
    {"momentum": 0.9, "nesterov": True},
]
GRID = [
    {"lr": 0.1, "weight_decay": decay, "maximize": maximize, **momentum}
    for momentum, decay, maximize in product(MOMENTA, (0, 0.3), (False, True))
]
grid = pytest.mark.parametrize("options", GRID, ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()))


def formula(history, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False):
    """The whole of the momentum buffer at once: a sum over all gradients, each with its own power of momentum."""
    sign = -1 if maximize else 1
    gs = [sign * g + weight_decay * p for p, g in history]
    p, t = history[-1][0], len(gs) - 1
    if not momentum:
        return p - lr * gs[-1]
    buffer = momentum**t * gs[0] + sum((1 - dampening) * momentum ** (t - i) * gs[i] for i in range(1, t + 1))
    return p - lr * (gs[-1] + momentum * buffer if nesterov else buffer)


@grid
def test_steps_follow_the_formula(options, check_formula, backend):
    check_formula(lambda params: optim.SGD(params, **options), lambda history: formula(history, **options))


@pytest.mark.reference
@grid
def test_steps_equal_pytorch(options, check_torch, backend):
    check_torch("SGD", options)


def test_without_momentum_there_is_no_state(problem, take_step, backend):
    params = [minigrad.from_numpy(w).requires_grad_() for w in problem.weights()]
    optimizer = optim.SGD(params, lr=0.1, weight_decay=0.1)
    take_step(optimizer, params, problem.gradients[0])
    assert optimizer.state_dict()["state"] == {} and not optimizer.state
