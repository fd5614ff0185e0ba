"""Parameter and Buffer: leaves that share memory, and that modules register."""

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


class TestBuffer:
    def test_registers_itself(self):
        layer = nn.Module()
        layer.kept, layer.scratch = nn.Buffer(minigrad.ones(2)), nn.Buffer([1.0], persistent=False)
        assert [name for name, _ in layer.named_buffers()] == ["kept", "scratch"]
        assert list(layer.state_dict()) == ["kept"] and not list(layer.parameters())
        layer.kept = nn.Buffer(minigrad.zeros(1), persistent=False)
        assert list(layer.state_dict()) == [] and layer.kept.shape == (1,)
        layer.scratch = nn.Buffer(minigrad.zeros(1))
        layer.scratch = minigrad.ones(1)  # any Tensor may follow
        assert list(layer.state_dict()) == ["scratch"]

    def test_shares_memory_and_is_a_leaf(self):
        x = minigrad.ones(3, requires_grad=True) * 2
        assert nn.Buffer(x).array is x.array and nn.Buffer(x).is_leaf and nn.Buffer(x).requires_grad
        assert not nn.Buffer(x.detach()).requires_grad
        assert type(nn.Buffer(x) * 2) is type(nn.Buffer(x).detach()) is minigrad.Tensor

    def test_copies_and_conversions_keep_it_a_buffer(self):
        layer = nn.Module()
        layer.scratch = nn.Buffer(minigrad.ones(2), persistent=False)
        twin = copy.deepcopy(layer).double()
        assert type(twin.scratch) is nn.Buffer and not twin.scratch.persistent
        assert twin.scratch.dtype == minigrad.float64 and layer.scratch.dtype == minigrad.float32

    def test_bad_calls(self):
        layer = nn.Linear(1, 1)
        layer.plain = minigrad.ones(1)
        with pytest.raises(TypeError, match="parameter 'weight' must be a Parameter or None, got Buffer"):
            layer.weight = nn.Buffer(minigrad.ones(1))
        with pytest.raises(ValueError, match="cannot register buffer 'plain': there is an attribute of that name"):
            layer.plain = nn.Buffer(minigrad.ones(1))
        with pytest.raises(TypeError, match="Buffer: persistent must be True or False, got persistent=1"):
            nn.Buffer(minigrad.ones(1), persistent=1)
        assert list(layer.state_dict()) == ["weight", "bias"] and type(layer.plain) is minigrad.Tensor

        class Hasty(nn.Module):
            def __init__(self):
                self.value = nn.Buffer(minigrad.ones(1))

        with pytest.raises(AttributeError, match="Hasty: cannot assign 'value' before"):
            Hasty()
