"""Dropout: how much it drops, what it keeps, and when it does nothing."""

import numpy as np
import pytest

import minigrad
from minigrad import nn


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_drops_a_share_and_scales_the_rest(p):
    y = nn.Dropout(p)(minigrad.ones(200, 200)).numpy()
    dropped = (y == 0).mean()
    assert abs(dropped - p) < 5 * np.sqrt(p * (1 - p) / y.size)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


def test_whole_channels():
    y = nn.Dropout2d(0.5)(minigrad.ones(40, 50, 3, 4)).numpy()
    assert ((y == 0).all((2, 3)) | (y == 2).all((2, 3))).all()
    assert 0.4 < (y == 0).mean() < 0.6


def test_the_gradient_goes_where_the_values_went():
    x = minigrad.ones(50, dtype=minigrad.float64, requires_grad=True)
    y = nn.Dropout(0.4)(x)
    v = minigrad.randn(50, dtype=minigrad.float64)
    y.backward(v)
    assert minigrad.allclose(x.grad, v * y.detach())


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
def test_evaluation_and_p_zero_pass_the_input_through(kind):
    x = minigrad.ones(2, 3, 4)
    assert kind(0.5).eval()(x) is x and kind(0)(x) is x
    assert not kind(1)(x).numpy().any()


def test_the_seed_decides():
    layer, x = nn.Dropout(0.5), minigrad.ones(100)
    minigrad.manual_seed(1)
    first = layer(x)
    second = layer(x)
    minigrad.manual_seed(1)
    assert minigrad.equal(layer(x), first) and not minigrad.equal(first, second)


def test_repr():
    assert repr(nn.Dropout(0.1, inplace=True)) == "Dropout(p=0.1, inplace=True)"
