"""Pooling layers: what the table of layers does not show."""

import numpy as np
import pytest

import minigrad
from minigrad import nn


def test_indices_say_where_each_maximum_stood(backend, rng):
    x = rng.standard_normal((2, 3, 6, 6))
    y, indices = nn.MaxPool2d(2, return_indices=True)(minigrad.tensor(x))
    assert indices.dtype == minigrad.int64
    taken = np.take_along_axis(x.reshape(2, 3, 36), indices.numpy().reshape(2, 3, 9), axis=2)
    np.testing.assert_array_equal(taken.reshape(y.shape), y.numpy())


def test_stride_is_the_kernel_size_by_default():
    assert nn.MaxPool2d((2, 3)).stride == (2, 3) and nn.AvgPool2d(4).stride == 4
    assert nn.MaxPool2d((2, 3), stride=1).stride == 1


def test_what_equals_an_int_is_refused_also_after_the_int(backend):
    x = minigrad.ones(1, 1, 4, 4)
    for wrong in (2.0, np.float32(2)):
        assert nn.functional.max_pool2d(x, 2).shape == (1, 1, 2, 2)
        with pytest.raises(TypeError, match="max_pool2d: kernel_size must be an int or 2 ints"):
            nn.functional.max_pool2d(x, wrong)
        with pytest.raises(TypeError, match="max_pool2d: dilation must be an int or 2 ints"):
            nn.functional.max_pool2d(x, 2, dilation=wrong / 2)
    assert nn.functional.max_pool2d(x, [2, 2]).shape == (1, 1, 2, 2)


def test_adaptive_pooling_of_everything_is_the_mean(backend, rng):
    x = rng.standard_normal((2, 3, 5, 7))
    y = nn.AdaptiveAvgPool2d(1)(minigrad.tensor(x))
    np.testing.assert_allclose(y.numpy()[:, :, 0, 0], x.mean((2, 3)), atol=1e-14)
    assert nn.AdaptiveAvgPool2d(None)(minigrad.tensor(x)).shape == x.shape
