"""Elementwise kernels, on both backends."""

import math

import numpy as np
import pytest

from minigrad.kernels import compiled, reference


@pytest.mark.parametrize("kernels", [reference, compiled])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 2)])
def test_erf(kernels, dtype, shape):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape) * 2, dtype)
    y = kernels.erf(x)
    assert isinstance(y, np.ndarray) and y.shape == shape and y.dtype == dtype
    expected = np.array([math.erf(v) for v in x.ravel()]).reshape(shape)
    np.testing.assert_allclose(y, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("kernels", [reference, compiled])
def test_erf_at_the_ends(kernels):
    y = kernels.erf(np.array([-np.inf, -0.0, np.inf, np.nan]))
    np.testing.assert_array_equal(y, [-1, 0, 1, np.nan])
    assert np.signbit(y[1])
