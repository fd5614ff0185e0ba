"""First and second derivatives of every layer, with respect to its input and to its parameters."""

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.autograd import gradcheck, gradgradcheck

IMAGES, SEQUENCES, ROWS = (2, 4, 4, 4), (2, 4, 6), (3, 4)
CLASSES = np.array([0, 2, 1])

# Arguments of the layer, and the shape of its input.
LAYERS = {
    "Linear": ((4, 3), ROWS),
    "Conv1d": ((4, 3, 2), SEQUENCES),
    "Conv2d": ((4, 2, 2), IMAGES),
    "ConvTranspose1d": ((4, 2, 2, 2), (2, 4, 3)),
    "ConvTranspose2d": ((4, 2, 2, 2), (1, 4, 3, 3)),
    "BatchNorm1d": ((4,), ROWS),
    "BatchNorm2d": ((4,), IMAGES),
    "BatchNorm3d": ((2,), (2, 2, 2, 1, 2)),
    "LayerNorm": ((4,), ROWS),
    "GroupNorm": ((2, 4), SEQUENCES),
    "InstanceNorm1d": ((4,), SEQUENCES),
    "InstanceNorm2d": ((4,), IMAGES),
    "InstanceNorm3d": ((2,), (2, 2, 2, 1, 2)),
    "RMSNorm": ((4,), ROWS),
    "MaxPool1d": ((2,), SEQUENCES),
    "MaxPool2d": ((2,), IMAGES),
    "AvgPool1d": ((2,), SEQUENCES),
    "AvgPool2d": ((2,), IMAGES),
    "AdaptiveAvgPool1d": ((4,), SEQUENCES),
    "AdaptiveAvgPool2d": ((3,), IMAGES),
    "AdaptiveMaxPool1d": ((4,), SEQUENCES),
    "AdaptiveMaxPool2d": ((3,), IMAGES),
    "Fold": (((3, 3), 2), (1, 4, 4)),
    "Unfold": ((2,), (1, 2, 3, 3)),
    "PixelShuffle": ((2,), (1, 4, 2, 2)),
    "PixelUnshuffle": ((2,), (1, 1, 4, 4)),
    "Flatten": ((), IMAGES),
    "Unflatten": ((1, (2, 2)), ROWS),
    "Identity": ((), ROWS),
    "PReLU": ((4,), ROWS),
    "Softmax": ((1,), ROWS),
    "Softmin": ((1,), ROWS),
    "LogSoftmax": ((1,), ROWS),
    "GLU": ((), ROWS),
    "Threshold": ((0.1, 2.0), ROWS),
    "Dropout": ((0.0,), ROWS),
    "Dropout2d": ((0.0,), IMAGES),
}
PLAIN = [
    *("CELU", "ELU", "GELU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid"),
    *("Mish", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink"),
]
LOSSES = {
    "BCELoss": lambda x: (x.sigmoid(), (x.detach() > 0).double()),
    "BCEWithLogitsLoss": lambda x: (x, (x.detach() > 0).double()),
    "CrossEntropyLoss": lambda x: (x, minigrad.tensor(CLASSES)),
    "NLLLoss": lambda x: (x.log_softmax(1), minigrad.tensor(CLASSES)),
    "HuberLoss": lambda x: (x, x.detach().flip(0) + 0.07),
    "KLDivLoss": lambda x: (x.log_softmax(1), x.detach().flip(0).softmax(1)),
    "L1Loss": lambda x: (x, x.detach().flip(0) + 0.07),
    "MSELoss": lambda x: (x, x.detach().flip(0) + 0.07),
    "SmoothL1Loss": lambda x: (x, x.detach().flip(0) + 0.07),
}
# Containers, state and bases have no derivative of their own; an index has none; the others are tested where they are.
ELSEWHERE = {
    *("Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential", "Embedding"),
    *("ActNorm", "Invertible", "InvertibleBatchNorm1d", "InvertibleBatchNorm2d"),
    "Bilinear",
    *("VirtualBatchNorm1d", "VirtualBatchNorm2d"),
}


def doubled(make):
    """A layer, or whatever `make` gives, with float64 for its default dtype."""
    before = minigrad.get_default_dtype()
    minigrad.set_default_dtype(minigrad.float64)
    try:
        return make()
    finally:
        minigrad.set_default_dtype(before)


def distinct(rng, shape):
    """Numbers of which no two are close, so that no maximum changes hands, and none near a kink."""
    numbers = np.linspace(-1.9, 2.1, int(np.prod(shape))) + 0.013
    return minigrad.tensor(rng.permutation(numbers).reshape(shape), requires_grad=True)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", [*LAYERS, *PLAIN])
def test_layers(name, training, backend, rng):
    args, shape = LAYERS.get(name, ((), ROWS))
    minigrad.manual_seed(0)
    layer = doubled(lambda: getattr(nn, name)(*args)).train(training)
    for p in layer.parameters():
        minigrad.nn.init.uniform_(p, 0.5, 1.5)
    x = distinct(rng, shape)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    assert gradcheck(layer, x) and gradgradcheck(layer, x)
    for key, value in layer.state_dict().items():
        assert minigrad.equal(value, before[key]), f"{key} was left changed"


@pytest.mark.filterwarnings("ignore:kl_div")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction, rng):
    loss, x = getattr(nn, name)(reduction=reduction), distinct(rng, ROWS)
    constants = LOSSES[name](x)[1]
    assert gradcheck(lambda x: loss(LOSSES[name](x)[0], constants), x)
    assert gradgradcheck(lambda x: loss(LOSSES[name](x)[0], constants), x)


def test_every_layer_is_here():
    layers = {name for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, nn.Module)}
    assert layers == {*LAYERS, *PLAIN, *LOSSES, *ELSEWHERE}
