"""Activations in float16, and of tensors of one element."""

import numpy as np
import pytest

import minigrad
from minigrad import autograd, nn, ops


def tanh_gelu(x):
    return ops.gelu(x, approximate="tanh")


@pytest.mark.parametrize("f", [ops.gelu, tanh_gelu, ops.silu, ops.mish, ops.hardsigmoid, ops.hardswish])
def test_float16_is_rounded_once(f):
    x = np.linspace(-12, 12, 2001).astype(np.float16)
    half, single = (minigrad.tensor(x.astype(t), requires_grad=True) for t in (np.float16, np.float32))
    y, wanted = f(half), f(single)
    np.testing.assert_array_equal(y.detach().numpy(), wanted.detach().half().numpy())
    (g,), (g_wanted,) = (autograd.grad(z, t, minigrad.ones_like(z)) for z, t in ((y, half), (wanted, single)))
    np.testing.assert_array_equal(g.numpy(), g_wanted.half().numpy())


@pytest.mark.parametrize("f", [nn.functional.elu, nn.functional.selu, nn.functional.celu, ops.sigmoid, ops.tanh])
def test_the_gradient_of_a_0d_tensor_is_that_of_one_element(rng, f):
    for value in rng.standard_normal(100).astype(np.float32):
        single, row = (minigrad.tensor(value).reshape(shape).detach().requires_grad_() for shape in ((), (1,)))
        g = minigrad.tensor(np.float32(1.7))
        f(single).backward(g)
        f(row).backward(g.reshape(1))
        assert single.grad.array == row.grad.array[0]
