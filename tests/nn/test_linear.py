"""Linear: first values, and what the table of layers does not show."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import nn


def test_first_values_lie_within_the_bound_and_differ_each_time():
    layer = nn.Linear(49, 200)
    for p in layer.parameters():
        assert 0.9 / 7 < abs(p.detach().numpy()).max() <= 1 / 7
    before = layer.weight.detach().numpy().copy()
    held = layer.weight
    layer.reset_parameters()
    assert layer.weight is held and not np.array_equal(before, layer.weight.detach().numpy())


def test_the_same_seed_gives_the_same_layer():
    minigrad.manual_seed(3)
    first = nn.Linear(5, 4)
    minigrad.manual_seed(3)
    assert minigrad.equal(nn.Linear(5, 4).weight, first.weight)


def test_arrays_are_taken_too():
    layer = nn.Linear(3, 2)
    x = np.ones((4, 3), np.float32)
    assert minigrad.equal(layer(x), layer(minigrad.from_numpy(x)))


def test_integer_sizes_of_numpy():
    layer = nn.Linear(np.int64(math.prod((2, 3))), np.int32(2))
    assert layer.weight.shape == (2, 6) and repr(layer) == "Linear(in_features=6, out_features=2, bias=True)"


@pytest.mark.parametrize("bias", [True, False])
def test_a_size_of_zero(bias, backend):
    layer = nn.Linear(4, 0, bias=bias)
    assert layer(minigrad.ones(2, 4)).shape == (2, 0) and layer.weight.shape == (0, 4)
    layer = nn.Linear(0, 3, bias=bias)
    assert layer(minigrad.ones(2, 0)).tolist() == [[0, 0, 0]] * 2
