"""Activation modules: in place is a word only, and far values."""

import numpy as np
import pytest

import minigrad
from minigrad import nn

FAR = [
    (nn.ReLU(), [0, 1e4]),
    (nn.LeakyReLU(0.5), [-5e3, 1e4]),
    (nn.ELU(2.0), [-2, 1e4]),
    (nn.GELU(), [0, 1e4]),
    (nn.GELU("tanh"), [0, 1e4]),
    (nn.SiLU(), [0, 1e4]),
    (nn.Mish(), [0, 1e4]),
    (nn.Softplus(), [0, 1e4]),
    (nn.Softsign(), [-1, 1]),
    (nn.Sigmoid(), [0, 1]),
    (nn.LogSigmoid(), [-1e4, 0]),
    (nn.Tanh(), [-1, 1]),
    (nn.Hardtanh(), [-1, 1]),
    (nn.ReLU6(), [0, 6]),
    (nn.Hardsigmoid(), [0, 1]),
    (nn.Softmax(dim=0), [0, 1]),
    (nn.LogSoftmax(dim=0), [-2e4, 0]),
]


@pytest.mark.parametrize(("layer", "wanted"), FAR, ids=[repr(layer) for layer, _ in FAR])
def test_far_values_neither_overflow_nor_warn(layer, wanted):
    x = minigrad.tensor([-1e4, 1e4], requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-3, atol=1e-6)
    y.backward(minigrad.tensor([0.7, -1.3]))
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    "kind", [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.Mish, nn.Hardtanh, nn.ReLU6, nn.Hardsigmoid]
)
def test_inplace_leaves_the_input_as_it_was(kind):
    x = minigrad.tensor([-2.0, 0.5, 9.0])
    y = kind(inplace=True)(x)
    assert x.tolist() == [-2.0, 0.5, 9.0] and minigrad.equal(y, kind()(x))
