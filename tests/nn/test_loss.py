"""Loss modules: each is its function with the options remembered. What the functions do, test_functional checks."""

import inspect
import re

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn

PAIRS = {  # module: its function, and the options it may have
    "CrossEntropyLoss": ("cross_entropy", {"ignore_index": 1, "label_smoothing": 0.2}),
    "NLLLoss": ("nll_loss", {"ignore_index": 1}),
    "MSELoss": ("mse_loss", {}),
    "L1Loss": ("l1_loss", {}),
    "SmoothL1Loss": ("smooth_l1_loss", {"beta": 0.3}),
    "HuberLoss": ("huber_loss", {"delta": 0.3}),
    "BCELoss": ("binary_cross_entropy", {}),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", {}),
    "KLDivLoss": ("kl_div", {"log_target": True}),
}
CLASSES = ("CrossEntropyLoss", "NLLLoss")
WEIGHTED = (*CLASSES, "BCELoss", "BCEWithLogitsLoss")


def operands(name, rng):
    """An input (5, 3) in (0, 1), and a target that suits the loss."""
    x = minigrad.tensor(rng.uniform(0.1, 0.9, (5, 3)), requires_grad=True)
    return x, minigrad.tensor(rng.integers(0, 3, 5) if name in CLASSES else rng.uniform(0.1, 0.9, (5, 3)))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.filterwarnings("ignore:kl_div")
def test_a_module_is_its_function(name, reduction, rng):
    function, options = PAIRS[name]
    x, target = operands(name, rng)
    for chosen in ({}, options):
        ours = getattr(nn, name)(reduction=reduction, **chosen)(x, target)
        expected = getattr(F, function)(x, target, reduction=reduction, **chosen)
        assert np.array_equal(ours.detach().numpy(), expected.detach().numpy())
        v = minigrad.from_numpy(rng.standard_normal(ours.shape))
        ours.backward(v)
        got, x.grad = x.grad.numpy(), None
        expected.backward(v)
        assert np.array_equal(got, x.grad.numpy())
        x.grad = None


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_are_buffers(name, rng):
    x, target = operands(name, rng)
    weight = minigrad.tensor(rng.uniform(0.5, 2, 3))
    loss = getattr(nn, name)(weight)
    assert loss.weight is weight and list(loss.state_dict()) == ["weight"] and not list(loss.parameters())
    assert loss(x, target).item() == getattr(F, PAIRS[name][0])(x, target, weight).item()
    assert loss.float().weight.dtype == minigrad.float32
    assert getattr(nn, name)().weight is None and not getattr(nn, name)().state_dict()


def test_pos_weight_is_a_buffer(rng):
    x, target = operands("BCEWithLogitsLoss", rng)
    weight = minigrad.tensor(rng.uniform(0.5, 2, 3))
    loss = nn.BCEWithLogitsLoss(pos_weight=weight)
    assert list(loss.state_dict()) == ["pos_weight"]
    assert loss(x, target).item() == F.binary_cross_entropy_with_logits(x, target, pos_weight=weight).item()


def test_kl_div_has_a_reduction_of_its_own(rng):
    x, target = operands("KLDivLoss", rng)
    loss = nn.KLDivLoss(reduction="batchmean")(x, target)
    assert loss.item() == F.kl_div(x, target, reduction="batchmean").item()


@pytest.mark.parametrize("name", PAIRS)
def test_reduction_is_checked_at_once(name):
    with pytest.raises(ValueError, match=rf"^{name}: reduction must be .* or \"mean\" or .*, got reduction='average'"):
        getattr(nn, name)(reduction="average")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: nn.CrossEntropyLoss(label_smoothing=-0.1),
            "CrossEntropyLoss: label_smoothing must be a finite number in [0, 1]",
        ),
        (lambda: nn.SmoothL1Loss(beta=-1), "SmoothL1Loss: beta must be a finite number >= 0, got beta=-1"),
        (lambda: nn.HuberLoss(delta=0), "HuberLoss: delta must be a finite number > 0, got delta=0"),
    ],
)
def test_options_are_checked_at_once(make, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        make()


def test_a_weight_must_be_a_tensor():
    with pytest.raises(TypeError, match="CrossEntropyLoss: buffer 'weight' must be a Tensor or None, got list"):
        nn.CrossEntropyLoss([1.0, 2.0])


def test_a_bad_label_names_the_loss_s_place():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.loss = nn.CrossEntropyLoss()

        def forward(self, x, labels):
            return self.loss(x, labels)

    with pytest.raises(
        IndexError, match=r"model\.loss \(CrossEntropyLoss\): .*labels must be in \[0, 3\), got 7 at index 1"
    ):
        Model()(minigrad.zeros(2, 3), minigrad.tensor([0, 7]))


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
        (nn.CrossEntropyLoss(reduction="sum", ignore_index=0), "CrossEntropyLoss(ignore_index=0, reduction='sum')"),
        (nn.NLLLoss(ignore_index=0), "NLLLoss(ignore_index=0)"),
        (nn.MSELoss(reduction="none"), "MSELoss(reduction='none')"),
        (nn.SmoothL1Loss(beta=0.5), "SmoothL1Loss(beta=0.5)"),
        (nn.HuberLoss("sum", 2.0), "HuberLoss(reduction='sum', delta=2.0)"),
        (nn.KLDivLoss(log_target=True), "KLDivLoss(log_target=True)"),
    ],
)
def test_repr_shows_what_is_not_default(loss, text):
    assert repr(loss) == text


@pytest.mark.reference
@pytest.mark.parametrize("name", PAIRS)
def test_signatures_and_state_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    ours, theirs = (inspect.signature(getattr(m, name)).parameters.values() for m in (nn, torch.nn))
    left_out = ("size_average", "reduce")
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs if p.name not in left_out]
    assert list(getattr(nn, name)().state_dict()) == list(getattr(torch.nn, name)().state_dict())
    if name in WEIGHTED:
        ours, theirs = getattr(nn, name)(minigrad.ones(3)), getattr(torch.nn, name)(torch.ones(3))
        assert list(ours.state_dict()) == list(theirs.state_dict())
        torch.nn.Module.load_state_dict(theirs, {k: torch.tensor(v.tolist()) for k, v in ours.state_dict().items()})
