"""Parameters as one vector, and back."""

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils import parameters_to_vector, vector_to_parameters


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))


def test_round_trip(rng):
    net = model()
    held = list(net.parameters())
    vector = minigrad.tensor(rng.standard_normal(11), dtype=minigrad.float32)
    vector_to_parameters(vector, net.parameters())
    assert all(a is b for a, b in zip(held, net.parameters(), strict=True))
    assert net[0].weight.shape == (2, 3) and net[0].weight.requires_grad
    np.testing.assert_array_equal(net[0].weight.detach().numpy().reshape(-1), vector.numpy()[:6])
    assert minigrad.equal(parameters_to_vector(net.parameters()), vector)
    vector[0] = 100.0  # the memory is shared
    assert net[0].weight[0, 0].item() == 100


def test_gradients_go_back():
    net = model()
    v = minigrad.randn(11)
    parameters_to_vector(net.parameters()).backward(v)
    np.testing.assert_array_equal(np.concatenate([p.grad.numpy().reshape(-1) for p in net.parameters()]), v.numpy())


def test_a_wrong_size_changes_nothing():
    net = model()
    before = parameters_to_vector(net.parameters()).detach()
    for wrong in (minigrad.ones(10), minigrad.ones(12), minigrad.ones(11, 1)):
        with pytest.raises(RuntimeError, match=r"\(11,\), got"):
            vector_to_parameters(wrong, net.parameters())
    with pytest.raises(TypeError, match="list"):
        vector_to_parameters([1.0] * 11, net.parameters())
    for convert in (parameters_to_vector, lambda parameters: vector_to_parameters(before, parameters)):
        for wrong in (net, nn.Linear(2, 3), None):
            with pytest.raises(TypeError, match=r"parameters.*: parameters must be Tensors, such as"):
                convert(wrong)
    assert minigrad.equal(parameters_to_vector(net.parameters()), before)
