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
    (nn.CELU(2.0), [-2, 1e4]),
    (nn.SELU(), [-1.758, 1.0507e4]),
    (nn.PReLU(), [-2.5e3, 1e4]),
    (nn.Hardswish(), [0, 1e4]),
    (nn.Threshold(0, 7), [7, 1e4]),
    (nn.Hardshrink(), [-1e4, 1e4]),
    (nn.Softshrink(), [-1e4, 1e4]),
    (nn.Tanhshrink(), [-1e4, 1e4]),
    (nn.GLU(), [-1e4]),
    (nn.Softmin(dim=0), [1, 0]),
    (nn.Softmax(dim=0), [0, 1]),
    (nn.LogSoftmax(dim=0), [-2e4, 0]),
]


@pytest.mark.parametrize(("layer", "wanted"), FAR, ids=[repr(layer) for layer, _ in FAR])
def test_far_values_neither_overflow_nor_warn(layer, wanted):
    x = minigrad.tensor([-1e4, 1e4], requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-3, atol=1e-6)
    y.backward(minigrad.tensor([0.7, -1.3][: len(wanted)]))
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    "kind",
    [
        nn.ReLU,
        nn.LeakyReLU,
        nn.ELU,
        nn.SiLU,
        nn.Mish,
        nn.Hardtanh,
        nn.ReLU6,
        nn.Hardsigmoid,
        nn.CELU,
        nn.SELU,
        nn.Hardswish,
    ],
)
def test_inplace_leaves_the_input_as_it_was(kind):
    x = minigrad.tensor([-2.0, 0.5, 9.0])
    y = kind(inplace=True)(x)
    assert x.tolist() == [-2.0, 0.5, 9.0] and minigrad.equal(y, kind()(x))


@pytest.mark.reference
@pytest.mark.parametrize(
    "name",
    [
        *("elu", "hardsigmoid", "hardtanh", "relu6", "leaky_relu", "selu", "celu", "hardswish", "hardshrink"),
        *("softshrink", "threshold", "prelu"),
    ],
)
def test_gradients_at_nan_and_the_kinks_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    options = {"threshold": (1.0, 6.0), "softshrink": (1.0,), "hardshrink": (1.0,)}.get(name, ())
    slope = ([0.5],) if name == "prelu" else ()
    values = [np.nan, -np.inf, np.inf, -3.0, 3.0, -1.0, 1.0, 0.0, 6.0]
    x, theirs = minigrad.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    g = np.linspace(-1, 2, len(values), dtype=np.float32)
    y = getattr(nn.functional, name)(x, *map(minigrad.tensor, slope), *options)
    wanted = getattr(torch.nn.functional, name)(theirs, *map(torch.tensor, slope), *options)
    y.backward(minigrad.tensor(g)), wanted.backward(torch.tensor(g))
    np.testing.assert_allclose(y.detach().numpy(), wanted.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-6)


@pytest.mark.reference
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize("limits", [(-1.0, 1.0), (-2.7, 3.9), (0, 6)])
def test_integers_stay_integers(dtype, limits):
    torch = pytest.importorskip("torch")
    x = np.arange(-9, 10, dtype=dtype)
    for ours, theirs in (
        (nn.functional.hardtanh(minigrad.tensor(x), *limits), torch.nn.functional.hardtanh(torch.tensor(x), *limits)),
        (nn.functional.relu6(minigrad.tensor(x)), torch.nn.functional.relu6(torch.tensor(x))),
    ):
        assert ours.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_limits_beyond_an_integer_type():
    x = minigrad.tensor([0, 7, 255], dtype=minigrad.uint8)
    assert nn.functional.hardtanh(x, -5, 300).tolist() == [0, 7, 255]
    assert nn.functional.hardtanh(x, float("-inf"), 6.5).tolist() == [0, 6, 6]
    with pytest.raises(ValueError, match="hardtanh: min_val must not exceed max_val, got nan and 1"):
        nn.functional.hardtanh(x, float("nan"), 1)
