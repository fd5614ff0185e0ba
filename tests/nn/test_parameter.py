"""Parameter: a leaf that shares memory, and that modules register."""

import copy

import numpy as np
import pytest

import minigrad
from minigrad import nn


def test_shares_memory_and_is_a_leaf():
    array = np.zeros(3, np.float32)
    p = nn.Parameter(array)
    array[0] = 5
    assert p.tolist() == [5, 0, 0] and p.requires_grad and p.is_leaf

    x = minigrad.ones(3, requires_grad=True) * 2
    q = nn.Parameter(x)
    assert q.is_leaf and q.array is x.array


def test_can_be_frozen_and_holds_integers_only_then():
    assert not nn.Parameter(minigrad.ones(2), requires_grad=False).requires_grad
    assert nn.Parameter(minigrad.tensor([1]), requires_grad=False).dtype == minigrad.int64
    with pytest.raises(RuntimeError, match="int64"):
        nn.Parameter(minigrad.tensor([1]))


def test_results_of_ops_are_plain_tensors():
    p = nn.Parameter(minigrad.ones(2))
    for y in (p * 2, p.detach(), p.data, p.clone(), p[0]):
        assert type(y) is minigrad.Tensor


def test_repr():
    text = repr(nn.Parameter(minigrad.tensor([1.0, 2.5])))
    assert text == "Parameter containing:\ntensor([1.0000, 2.5000], requires_grad=True)"


def test_deepcopy_is_independent_and_has_no_gradient_yet():
    p = nn.Parameter(minigrad.ones(2), requires_grad=True)
    p.grad = minigrad.ones(2)
    q = copy.deepcopy(p)
    with minigrad.no_grad():
        q.fill_(7)
    assert type(q) is nn.Parameter and q.requires_grad and q.grad is None
    assert p.tolist() == [1, 1] and p.grad is not None
    first, second = copy.deepcopy([p, p])
    assert first is second
