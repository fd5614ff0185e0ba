"""Convolution layers: paddings, first values, and the sizes a transposed one can give."""

import numpy as np
import pytest

import minigrad
from minigrad import nn


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("kernel", [1, 2, 3, (4, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_keeps_the_size(mode, kernel, dilation, backend):
    layer = nn.Conv2d(2, 3, kernel, padding="same", dilation=dilation, padding_mode=mode)
    assert layer(minigrad.ones(2, 2, 9, 10)).shape == (2, 3, 9, 10)
    assert layer(minigrad.ones(2, 9, 10)).shape == (3, 9, 10)
    layer = nn.Conv1d(2, 3, kernel if isinstance(kernel, int) else 5, padding="same", dilation=dilation)
    assert layer(minigrad.ones(2, 9)).shape == (3, 9)


def test_padding_modes_are_numpys(backend, rng):
    """Convolution of an input padded by hand."""
    x = rng.standard_normal((2, 2, 5, 6))
    for mode, theirs in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"), ("zeros", "constant")):
        layer = nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode, dtype=minigrad.float64)
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), mode=theirs)
        wanted = nn.functional.conv2d(minigrad.tensor(padded), layer.weight, layer.bias)
        np.testing.assert_allclose(layer(minigrad.tensor(x)).detach().numpy(), wanted.detach().numpy(), atol=1e-12)


def test_first_values_lie_within_the_bound():
    for layer, fan_in in (
        (nn.Conv1d(8, 30, 2, groups=2), 4 * 2),
        (nn.Conv2d(4, 60, (2, 3)), 4 * 6),
        (nn.ConvTranspose2d(12, 20, 3, groups=4), 5 * 9),  # PyTorch counts the other side for a transposed one
    ):
        for p in layer.parameters():
            assert 0.75 < abs(p.detach().numpy()).max() * fan_in**0.5 <= 1.0001


def test_weight_shapes():
    assert nn.Conv2d(4, 6, (2, 3), groups=2).weight.shape == (6, 2, 2, 3)
    assert nn.ConvTranspose2d(4, 6, (2, 3), groups=2).weight.shape == (4, 3, 2, 3)
    assert nn.ConvTranspose2d(4, 6, 3, bias=False).bias is None


@pytest.mark.parametrize("stride", [2, (3, 2)])
def test_output_size_undoes_every_size(stride, backend):
    down = nn.Conv2d(2, 3, 3, stride=stride, padding=1, dilation=2)
    up = nn.ConvTranspose2d(3, 2, 3, stride=stride, padding=1, dilation=2)
    for height in range(5, 9):
        for width in range(5, 8):
            x = minigrad.ones(2, 2, height, width)
            y = down(x)
            assert up(y, output_size=(height, width)).shape == x.shape
            assert up(y, output_size=x.shape).shape == x.shape
            assert up(y[0], output_size=list(x.shape[1:])).shape == x.shape[1:]
    assert up.output_padding == (0, 0)
    least = up(y).shape[2:]
    for wrong in (least[0] - 1, least[1]), (least[0], least[1] + up.stride[1]):
        with pytest.raises(
            ValueError, match=rf"ConvTranspose2d: input \(2, 3, .*between .* got \({wrong[0]}, {wrong[1]}\)"
        ):
            up(y, output_size=wrong)
    with pytest.raises(TypeError, match=r"output_size.*\(1, 2, 3\)"):
        up(y, output_size=(1, 2, 3))


@pytest.mark.reference
def test_output_size_equals_pytorch_s(rng):
    torch = pytest.importorskip("torch")
    options = {"stride": (2, 3), "padding": 1, "dilation": (1, 2)}
    ours = nn.ConvTranspose2d(2, 3, 3, dtype=minigrad.float64, **options)
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, dtype=torch.float64, **options)
    theirs.load_state_dict({key: torch.tensor(t.numpy()) for key, t in ours.state_dict().items()})
    x = rng.standard_normal((2, 2, 4, 3))
    for size in ((7, 9), (8, 9), (8, 11)):
        a, b = ours(minigrad.tensor(x), size), theirs(torch.tensor(x), size)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-12)
    for size in ((6, 9), (9, 9), (8, 12)):
        with pytest.raises(ValueError):
            ours(minigrad.tensor(x), size)
        with pytest.raises(ValueError):
            theirs(torch.tensor(x), size)


@pytest.mark.reference
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("stride", "padding", "output_padding", "dilation"),
    [(1, 0, 1, 2), (2, 0, 2, 3), (1, 1, 1, 2), ((2, 1), (3, 0), (1, 2), (1, 3)), ((1, 3), (2, 1), (2, 1), 3)],
)
def test_an_output_padding_of_the_stride_or_more(stride, padding, output_padding, dilation, bias, backend, rng):
    torch = pytest.importorskip("torch")
    options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    layer = nn.ConvTranspose2d(4, 6, 3, bias=bias, dtype=minigrad.float64, **options)
    theirs = torch.nn.ConvTranspose2d(4, 6, 3, bias=bias, dtype=torch.float64, **options)
    theirs.load_state_dict({name: torch.tensor(p.numpy()) for name, p in layer.state_dict().items()})
    x = rng.standard_normal((2, 4, 5, 4))
    ours, wanted = minigrad.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, wanted_y = layer(ours), theirs(wanted)
    g = rng.standard_normal(y.shape)
    y.backward(minigrad.tensor(g))
    wanted_y.backward(torch.tensor(g))
    np.testing.assert_allclose(y.detach().numpy(), wanted_y.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.grad.numpy(), wanted.grad.numpy(), atol=1e-12)
    for p, q in zip(layer.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("stride", [(True, 1), (1.0, 1.0), (1, 1, 1), (np.float64(1), 1)], ids=str)
def test_options_of_another_type_are_refused_also_after_equal_ones_went_well(stride):
    x, w = minigrad.ones(1, 2, 5, 5), minigrad.ones(3, 2, 2, 2)
    assert nn.functional.conv2d(x, w, None, (1, 1), (0, 0), (1, 1), 1).shape == (1, 3, 4, 4)
    with pytest.raises(TypeError, match="conv2d: stride must be an int or 2 ints"):
        nn.functional.conv2d(x, w, None, stride, (0, 0), (1, 1), 1)
    with pytest.raises(TypeError, match="conv2d: stride must be an int or 2 ints"):
        nn.functional.conv2d(x, w, None, (1, 1, 1), (0,), (1, 1, 1), 1)  # as many numbers as there should be
    with pytest.raises(TypeError, match="conv2d: groups must be an int"):
        nn.functional.conv2d(x, w, None, (1, 1), (0, 0), (1, 1), True)


@pytest.mark.parametrize("frozen", [(), ("weight",), ("bias",), ("weight", "bias")], ids=str)
@pytest.mark.parametrize("need_input", [True, False])
def test_gradients_that_are_needed_and_no_others(rng, backend, frozen, need_input):
    """The same, whether the backward pass is recorded or not."""
    layer = nn.Conv2d(4, 6, 3, padding=1, groups=2, dtype=minigrad.float64)
    for name in frozen:
        getattr(layer, name).requires_grad_(False)
    x = minigrad.tensor(rng.standard_normal((3, 4, 5, 6)), requires_grad=need_input)
    wanted = [t for t in (x, layer.weight, layer.bias) if t.requires_grad]
    if not wanted:
        return
    y = layer(x)
    g = minigrad.tensor(rng.standard_normal(y.shape))
    recorded = minigrad.autograd.grad(y, wanted, g, create_graph=True)
    y.backward(g)
    for t, expected in zip(wanted, recorded, strict=True):
        np.testing.assert_allclose(t.grad.numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    for t in (x, layer.weight, layer.bias):
        assert t.requires_grad or t.grad is None
