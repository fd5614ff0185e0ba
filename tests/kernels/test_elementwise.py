"""Elementwise kernels, on both backends."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, memory, reference, threads
from minigrad.kernels.elementwise import SMALL
from minigrad.kernels.exponential import exp, expm1
from minigrad.kernels.jit import helper


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


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1, 2, 7, 15, 16, 17, 64, 67]), st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_compiled_relu_equals_reference(n, dtype, seed):
    rng = np.random.default_rng(seed)
    x, g = rng.choice([-np.inf, -2.0, -0.0, 0.0, 1e-45, 3.0, np.inf, np.nan], (2, n)).astype(dtype)
    y, expected = compiled.relu(x), reference.relu(x)
    assert y.dtype == expected.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(compiled.relu_backward(g, y), reference.relu_backward(g, expected))


@pytest.mark.parametrize("kernels", [reference, compiled])
def test_relu_by_hand(kernels):
    x = np.array([-np.inf, -1.0, 0.0, 2.0, np.inf, np.nan], np.float32)
    y = kernels.relu(x)
    np.testing.assert_array_equal(y, [0, 0, 0, 2, np.inf, np.nan])
    np.testing.assert_array_equal(kernels.relu_backward(np.full(6, np.inf, np.float32), y), [0, 0, 0] + 3 * [np.inf])
    with pytest.raises(ValueError, match=r"relu_backward: the output has shape \(6,\), expected \(5,\)"):
        kernels.relu_backward(x[:5].copy(), y)


def test_compiled_exp():
    """Right to 2 in the last place from the least normal number to the largest; beyond, 0 and inf."""

    @np.errstate(over="ignore")
    @helper
    def exponentials(x):
        y = np.empty_like(x)
        for i in range(x.size):
            y[i] = exp(x[i])
        return y

    x = np.linspace(-87.3, 88.7, 20011).astype(np.float32)
    expected = np.exp(x.astype(np.float64))
    y = exponentials(x)
    assert np.max(np.abs(y / expected - 1)) < 2 * np.finfo(np.float32).eps
    ends = np.array([-np.inf, -200, -104, 89, 1e30, np.inf, np.nan, -0.0], np.float32)
    np.testing.assert_array_equal(
        exponentials(ends), np.array([0, 0, 0, np.inf, np.inf, np.inf, np.nan, 1], np.float32)
    )
    small = np.linspace(-103, -87, 99).astype(np.float32)
    np.testing.assert_allclose(exponentials(small), np.exp(small.astype(np.float64)), atol=3e-45, rtol=1e-6)


def calls(g, x):
    """Calls of the kernels: name, arrays, numbers."""
    return (
        ("leaky_relu", (x,), (0.1,)),
        ("leaky_relu_backward", (g, x), (0.1,)),
        ("elu", (x,), (1.5, 1.0)),
        ("elu", (x,), (0.7, 0.25)),
        ("elu_backward", (g, x), (0.7, 0.25)),
        ("softplus_backward", (g, x), (0.5, 3.0)),
        ("softplus_backward", (g, x), (1.0, np.inf)),
        ("sigmoid", (x,), ()),
        ("sigmoid_backward", (g, x), ()),
        ("tanh_backward", (g, x), ()),
        ("silu", (x,), ()),
        ("silu_backward", (g, x), ()),
        ("gelu", (x,), ()),
        ("gelu_backward", (g, x), ()),
        ("erf", (x,), ()),
        ("relu", (x,), ()),
        ("relu_backward", (g, x), ()),
    )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1, 2, 7, 15, 16, 17, 64, 67]), st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_compiled_activations_equal_reference(n, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.choice([-np.inf, -200, -9, -1, -1e-3, -1e-30, -0.0, 0.0, 1e-20, 1e-3, 1, 25, 95, np.inf, np.nan], n)
    x, g = x.astype(dtype), rng.standard_normal(n).astype(dtype)
    tolerance = {"rtol": 2e-6, "atol": 1e-37} if dtype == np.float32 else {"rtol": 1e-14, "atol": 0}
    for name, arrays, numbers in calls(g, x):
        y, expected = (getattr(kernels, name)(*arrays, *numbers) for kernels in (compiled, reference))
        assert y.dtype == expected.dtype == dtype
        np.testing.assert_allclose(y, expected, **tolerance, err_msg=name)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_do_not_depend_on_the_size(dtype):
    """A small array takes a shorter way to the same machine code."""
    rng = np.random.default_rng(0)
    x = rng.choice([-np.inf, -200, -9, -1, -1e-3, -0.0, 0.0, 1e-20, 1e-3, 1, 25, 95, np.inf, np.nan], SMALL + 1)
    x, g = (x * rng.choice([0.9, 1.0, 1.1], x.size)).astype(dtype), rng.standard_normal(x.size).astype(dtype)
    bits = np.int32 if dtype == np.float32 else np.int64
    for name, arrays, numbers in calls(g, x):
        kernel = getattr(compiled, name)
        whole = kernel(*arrays, *numbers)
        for n in (0, 1, 16, 67, SMALL):
            y = kernel(*(a[:n].copy() for a in arrays), *numbers)
            expected = whole[:n]
            np.testing.assert_array_equal(y, expected, err_msg=name)
            known = ~np.isnan(y)
            np.testing.assert_array_equal(y.view(bits)[known], expected.view(bits)[known], err_msg=name)


def test_small_arrays_keep_their_shape_and_whole_numbers_count_as_options():
    rng = np.random.default_rng(1)
    for shape in ((), (1,), (3, 4), (2, 0, 3)):
        g, x = (np.asarray(rng.standard_normal(shape), np.float32) for _ in range(2))
        for name, arrays, numbers in calls(g, x):
            numbers = [2 for _ in numbers]
            for _ in range(2):  # the first call may compile
                y = getattr(compiled, name)(*arrays, *numbers)
                assert type(y) is np.ndarray and y.shape == shape and y.dtype == np.float32 and y.flags.owndata, name
            expected = getattr(reference, name)(*arrays, *numbers)
            np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-6, err_msg=name)


def test_small_arrays_are_looked_at_like_large_ones():
    g = np.ones(8, np.float32)
    others = (
        (g[:7].copy(), "the input has shape (7,), expected (8,)"),
        (np.ones((2, 4), np.float32), "the input has shape (2, 4), expected (8,)"),
    )
    compiled.silu_backward(g, g)
    for x, message in others:
        with pytest.raises(ValueError, match=re.escape(message)):
            compiled.silu_backward(g, x)
    for wrong in ((), (g,), (g, g, g)):
        with pytest.raises(TypeError):
            compiled.silu_backward(*wrong)
    assert compiled.silu_backward(g, g.astype(np.float64)).dtype == np.float64  # what the definition makes of them


def test_what_is_small_needs_neither_threads_nor_memory_of_the_pool():
    assert SMALL * np.dtype(np.float64).itemsize <= memory.SMALLEST
    assert 0.7 * SMALL < 2 * threads.SHARE  # nanoseconds of gelu_backward, the slowest


def test_compiled_expm1():
    """No digits are lost near 0."""

    @helper
    def differences(x):
        y = np.empty_like(x)
        for i in range(x.size):
            y[i] = expm1(x[i])
        return y

    x = -np.concatenate([np.geomspace(1e-30, 1, 5000), np.linspace(0.01, 90, 20000)]).astype(np.float32)
    expected = np.expm1(x.astype(np.float64))
    assert np.max(np.abs(differences(x) / expected - 1)) < 3 * np.finfo(np.float32).eps
    np.testing.assert_array_equal(differences(np.array([-np.inf, -0.0, np.nan], np.float32)), [-1, 0, np.nan])


def test_compiled_erf_to_the_last_place_but_one():
    x = np.concatenate([np.geomspace(1e-40, 1, 3000), np.linspace(0.5, 5, 30000)]).astype(np.float32)
    x = np.concatenate([x, -x])
    exact = np.array([math.erf(v) for v in x.tolist()])
    assert np.max(np.abs(compiled.erf(x) - exact) / np.spacing(np.abs(exact).astype(np.float32))) < 2
    np.testing.assert_array_equal(compiled.erf(np.array([-np.inf, np.inf, np.nan], np.float32)), [-1, 1, np.nan])
    assert np.signbit(compiled.erf(np.array([-0.0], np.float32)))[0]


def test_compiled_sigmoid_silu_and_gelu_are_accurate():
    x = np.linspace(-30, 30, 20011).astype(np.float32)
    wide = x.astype(np.float64)
    for name, last_places in (("sigmoid", 3), ("silu", 4)):
        exact = getattr(reference, name)(wide)
        error = np.abs(getattr(compiled, name)(x) - exact) / np.spacing(np.abs(exact).astype(np.float32))
        assert error.max() < last_places, name
    np.testing.assert_allclose(compiled.gelu(x), reference.gelu(wide), rtol=3e-7, atol=1e-6)  # 1 + erf cancels below 0
