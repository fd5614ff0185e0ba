"""Flatten, Unflatten and Identity."""

import minigrad
from minigrad import nn


def test_flatten_is_a_view_that_keeps_the_batch():
    x = minigrad.ones(2, 3, 4, 5)
    y = nn.Flatten()(x)
    assert y.shape == (2, 60) and y.array.base is not None
    assert nn.Flatten(-3, -2)(x).shape == (2, 12, 5)
    assert nn.Flatten()(minigrad.ones(0, 3, 4)).shape == (0, 12)


def test_unflatten_undoes_it():
    x = minigrad.arange(24.0).view(2, 3, 4)
    assert minigrad.equal(nn.Unflatten(1, [3, -1])(nn.Flatten()(x)), x)


def test_identity_takes_any_arguments():
    x = minigrad.ones(2)
    assert nn.Identity(54, unused=True)(x) is x and repr(nn.Identity(54)) == "Identity()"
