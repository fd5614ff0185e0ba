"""`fuse`: the folded network computes what the network in evaluation mode does, or says why it stays as it is."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils import fuse

SCRIPT = Path(minigrad.__file__).parents[1] / "examples" / "train_mnist.py"


def lived_in(model, shape, rng, dtype=minigrad.float32):
    """The model in evaluation mode, with weights and statistics that are no longer those it began with."""
    model.to(dtype)
    with minigrad.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                for p in module.parameters():
                    p.copy_(minigrad.tensor(rng.uniform(-1.5, 1.5, p.shape), dtype=dtype))
        model.train()
        for _ in range(10):
            model(minigrad.tensor(rng.normal(0.5, 2, shape), dtype=dtype))
    return model.eval()


def relative_difference(model, folded, x):
    with minigrad.no_grad():
        a, b = (m(x).numpy().astype(np.float64) for m in (model, folded))
    return np.abs(a - b).max() / np.abs(a).max()


def norms(model):
    return [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]


@pytest.fixture(scope="module")
def networks():
    """The networks of the training script, by name."""
    spec = importlib.util.spec_from_file_location("train_mnist_for_fuse", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return {name: make for name, (make, _) in script.MODELS.items()}


@pytest.mark.parametrize("name", ["mlp", "mlp-bn", "conv", "conv-bn"])
def test_the_networks_of_the_training_script(name, networks, backend, rng):
    model = lived_in(networks[name](), (32, 1, 28, 28), rng)
    x = minigrad.tensor(rng.standard_normal((64, 1, 28, 28)), dtype=minigrad.float32)
    fusion = fuse(model, x)
    folded, difference = fusion
    assert folded is fusion.model and difference == fusion.difference
    assert difference == pytest.approx(relative_difference(model, folded, x)) and difference < 1e-5
    assert not norms(folded) and len(fusion.folded) == len(norms(model)) and not fusion.skipped
    assert fuse(model).difference < 1e-5


# (the layer, its batch norm, shape of an input); the transposed ones have groups whose channels must not be mixed up
PAIRS = [
    (lambda: nn.Linear(5, 6), nn.BatchNorm1d, (8, 5)),
    (lambda: nn.Linear(5, 6, bias=False), nn.BatchNorm1d, (8, 5)),
    (lambda: nn.Conv1d(4, 6, 3, padding=1, groups=2), nn.BatchNorm1d, (8, 4, 9)),
    (lambda: nn.Conv1d(4, 6, 3, padding="same", padding_mode="reflect", bias=False), nn.BatchNorm1d, (8, 4, 9)),
    (lambda: nn.Conv2d(3, 6, (3, 2), stride=2, padding=1, dilation=(2, 1)), nn.BatchNorm2d, (4, 3, 9, 8)),
    (lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d, (4, 4, 6, 6)),
    (lambda: nn.Conv2d(6, 6, 3, groups=6, padding=2, padding_mode="circular"), nn.BatchNorm2d, (4, 6, 6, 6)),
    (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), nn.BatchNorm2d, (4, 4, 5, 5)),
    (lambda: nn.ConvTranspose2d(4, 6, (2, 3), groups=2, bias=False), nn.BatchNorm2d, (4, 4, 5, 5)),
    (lambda: nn.ConvTranspose2d(6, 6, 2, groups=6, dilation=2), nn.BatchNorm2d, (4, 6, 5, 5)),
]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(minigrad.float32, 1e-5), (minigrad.float64, 1e-13)])
@pytest.mark.parametrize(("make", "kind", "shape"), PAIRS)
def test_every_layer_that_can_be_folded_into(make, kind, shape, dtype, tolerance, affine, backend, rng):
    model = lived_in(nn.Sequential(make(), kind(6, affine=affine)), shape, rng, dtype)
    x = minigrad.tensor(rng.standard_normal(shape), dtype=dtype)
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    for fusion in (fuse(model, x), fuse(model)):
        assert fusion.folded == (("0", "1"),) and fusion.skipped == {} and fusion.difference < tolerance
        folded = fusion.model
        assert relative_difference(model, folded, x) < tolerance
        assert {p.dtype for p in folded.parameters()} == {dtype} and folded[0].bias is not None
        assert list(folded.state_dict()) == ["0.weight", "0.bias"]
        assert not any(m.training for m in folded.modules())
        np.testing.assert_allclose(  # another check than the one fuse makes itself, with every digit
            folded[0](x).detach().numpy(), model(x).detach().numpy(), rtol=0, atol=20 * tolerance
        )
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


def test_half_precision(rng):
    model = lived_in(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), (16, 4), rng).half()
    folded, difference = fuse(model, minigrad.tensor(rng.standard_normal((16, 4)), dtype=minigrad.float16))
    assert folded[0].weight.dtype == minigrad.float16 and difference < 1e-2


def test_nested_sequentials_and_places_that_do_nothing(rng):
    model = nn.Sequential(
        nn.Sequential(nn.Linear(4, 5), nn.Identity()),
        nn.Sequential(nn.Sequential(nn.BatchNorm1d(5), nn.BatchNorm1d(5)), nn.ReLU()),
        nn.BatchNorm1d(5),
        nn.Linear(5, 2),
    )
    lived_in(model, (32, 4), rng)
    fusion = fuse(model, minigrad.tensor(rng.standard_normal((16, 4)), dtype=minigrad.float32))
    assert fusion.folded == (("0.0", "1.0.0"), ("0.0", "1.0.1"))
    assert fusion.skipped == {"2": "stands behind 1.1 (ReLU), and nothing can be folded into that"}
    assert fusion.difference < 1e-5
    text = str(fusion)
    assert "folded: 2" in text and "1.0.1 into 0.0" in text and "2 not: it stands behind 1.1 (ReLU)" in text
    again = fuse(fusion.model)
    assert again.folded == () and again.difference == 0


class Block(nn.Module):
    """Layers as attributes, called by a forward of its own; `twice` lets something else use the convolution."""

    def __init__(self, twice=False):
        super().__init__()
        self.conv, self.norm, self.twice = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), twice

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + (y if self.twice else x)


def test_a_forward_of_ones_own_must_be_told_and_shown(rng):
    shape = (4, 3, 5, 5)
    x = minigrad.tensor(rng.standard_normal(shape), dtype=minigrad.float32)
    model = lived_in(nn.Sequential(Block(), nn.ReLU()), shape, rng)
    fusion = fuse(model, x)
    assert (
        fusion.folded == () and list(fusion.skipped) == ["0.norm"] and "name both in pairs" in fusion.skipped["0.norm"]
    )
    fusion = fuse(model, x, pairs=[("0.conv", "0.norm")])
    assert fusion.folded == (("0.conv", "0.norm"),) and fusion.skipped == {} and fusion.difference < 1e-5
    with pytest.raises(ValueError, match="pairs need a probe"):
        fuse(model, pairs=[("0.conv", "0.norm")])
    with pytest.raises(RuntimeError, match=r"folding changed the outputs by .*something besides its batch norm"):
        fuse(lived_in(Block(twice=True), shape, rng), x, pairs=[("conv", "norm")])


def test_pairs_that_cannot_be_folded(rng):
    model, x = lived_in(Block(), (4, 3, 5, 5), rng), minigrad.ones(1, 3, 5, 5)
    for pair, match in [
        (("conv", "conv"), r"conv cannot be folded into conv: it is a Conv2d, and no batch norm"),
        (("norm", "norm"), r"it stands behind norm \(BatchNorm2d\), and nothing can be folded into that"),
        (("conv", "nrm"), r"no module 'nrm'"),
    ]:
        with pytest.raises(ValueError, match=match):
            fuse(model, x, pairs=[pair])
    for pair in ("conv", ("conv",), ("conv", 1)):
        with pytest.raises(TypeError, match="pairs must hold pairs of paths"):
            fuse(model, x, pairs=[pair])


class Doubling(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


class Halving(nn.BatchNorm1d):
    def forward(self, input):
        return super().forward(input) / 2


class Reversed(nn.Sequential):
    def forward(self, input):
        return self[0](self[1](input))


def hooked(module):
    module.register_forward_hook(lambda module, args, output: None)
    return module


def shared():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.BatchNorm1d(4), layer, nn.BatchNorm1d(4))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)), "stands first in its Sequential"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.BatchNorm1d(4)), r"behind 1 \(Dropout\)"),
        (lambda: nn.Sequential(Doubling(4, 4), nn.BatchNorm1d(4)), "behind 0, which has a forward of its own"),
        (lambda: nn.Sequential(nn.Linear(4, 4), Halving(4)), "^has a forward of its own"),
        (lambda: Reversed(nn.BatchNorm1d(4), nn.Linear(4, 4)), "not called by a Sequential"),
        (lambda: nn.Sequential(hooked(nn.Linear(4, 4)), nn.BatchNorm1d(4)), "behind 0, which has hooks"),
        (lambda: nn.Sequential(nn.Linear(4, 4), hooked(nn.BatchNorm1d(4))), "^has hooks"),
        (lambda: nn.Sequential(hooked(nn.Sequential(nn.Linear(4, 4))), nn.BatchNorm1d(4)), r"behind 0 \(Sequential\)"),
        (shared, "behind 0, which has more than one place|behind 2, which has more than one place"),
        (
            lambda: nn.Sequential(nn.Linear(4, 4), *[nn.BatchNorm1d(4)] * 2),
            r"^has more than one place|behind 1 \(Batch",
        ),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)), "no running statistics"),
        (lambda: nn.BatchNorm1d(4), "not called by a Sequential"),
    ],
)
def test_what_is_not_certain_stays(make, reason, rng):
    model, x = lived_in(make(), (16, 4), rng), minigrad.tensor(rng.standard_normal((8, 4)), dtype=minigrad.float32)
    fusion = fuse(model, x)
    assert fusion.folded == () and fusion.skipped and fusion.difference == 0
    for text in fusion.skipped.values():
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(text)
    assert len(norms(fusion.model)) == len(norms(model))


def test_statistics_that_weights_cannot_express(rng):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, eps=0)).eval()
    model[1].running_var.zero_()
    assert "not finite in float32" in fuse(model).skipped["1"]


def test_weights_shared_with_others_are_their_own_afterwards(rng):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 3))
    model[3].weight = model[0].weight
    model[0].weight.requires_grad_(False)
    lived_in(model, (16, 3), rng)
    fusion = fuse(model, minigrad.tensor(rng.standard_normal((8, 3)), dtype=minigrad.float32))
    assert fusion.difference < 1e-5 and not minigrad.equal(fusion.model[0].weight, fusion.model[3].weight)
    assert minigrad.equal(fusion.model[3].weight, model[3].weight) and not fusion.model[0].weight.requires_grad


def test_another_number_of_dimensions_is_refused(rng):
    """(N, 4, 4): the batch norm would normalize dim 1, and Linear makes the last one."""
    model = lived_in(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), (16, 4), rng)
    folded = fuse(model).model
    model(minigrad.ones(2, 4, 4))
    with pytest.raises(ValueError, match=r"model.1 \(FoldedBatchNorm\): .*2 dimensions, got shape \(2, 4, 4\)"):
        folded(minigrad.ones(2, 4, 4))


def test_training_mode_is_refused(rng):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    with pytest.raises(
        RuntimeError, match=r"fuse: in training mode .*model.eval\(\) first.*the model \(Sequential\), 0"
    ):
        fuse(model)
    model.eval()[1].train()
    with pytest.raises(RuntimeError, match=r"In training mode: 1 \(BatchNorm1d\)$"):
        fuse(model, minigrad.ones(2, 3))
    model[1].eval()
    with pytest.raises(TypeError, match="fuse: model must be a Module, got list"):
        fuse([model])


def test_outputs_of_several_tensors_and_several_arguments(rng):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))

        def forward(self, x, scale):
            y = self.body(x)
            return {"y": [y * scale], "label": y.argmax(1)}

    model = Two()
    model.body = lived_in(model.body, (16, 3), rng)
    model.eval()
    x = minigrad.tensor(rng.standard_normal((8, 3)), dtype=minigrad.float32)
    fusion = fuse(model, (x, 2.0))
    assert 0 < fusion.difference < 1e-5 and fusion.folded == (("body.0", "body.1"),)
    model.body[0].weight.data[0] = float("nan")
    fused = fuse(nn.Sequential(nn.ReLU()).eval(), x)
    assert fused.difference == 0
    with pytest.raises(RuntimeError, match="Is everything finite"):
        fuse(nn.Sequential(nn.ReLU()).eval(), x * float("inf"))


def test_it_draws_no_random_numbers_of_others(rng):
    model = lived_in(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), (16, 3), rng)
    minigrad.manual_seed(3)
    wanted = minigrad.rand(4)
    minigrad.manual_seed(3)
    fuse(model)
    assert minigrad.equal(minigrad.rand(4), wanted)
