"""minigrad.warmup: everything is compiled afterwards, and nothing else has changed."""

import copy

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.kernels import record


def network():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(27, 4),
    )


def everything(model, optimizer=None):
    """All that a call could change, as bytes."""
    return (
        {name: value.array.tobytes() for name, value in model.state_dict().items()},
        {name: p.grad if p.grad is None else p.grad.array.tobytes() for name, p in model.named_parameters()},
        [module.training for module in model.modules()],
        repr(minigrad.get_rng_state()),
        None if optimizer is None else repr(optimizer.state_dict()),
    )


@pytest.fixture
def images(rng):
    return minigrad.tensor(rng.standard_normal((4, 1, 8, 8)).astype(np.float32))


def train(model, optimizer, images, labels):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_training_and_evaluation_need_nothing_more(images, kind):
    pytest.importorskip("numba")
    with minigrad.use_backend("numba"):
        model, labels = network(), minigrad.tensor([0, 1, 2, 3])
        optimizer = kind(model.parameters(), lr=0.1)
        ready = minigrad.warmup(model, images, loss=nn.functional.cross_entropy, target=labels, optimizer=optimizer)
        known = len(record.made)
        train(model, optimizer, images, labels)
        with minigrad.no_grad():
            model.eval()(images)
        assert len(record.made) == known
        assert ready.seconds > 0
        assert str(ready) == (
            f"{len(ready.compiled)} kernels compiled and {len(ready.loaded)} loaded in {ready.seconds:.1f} s"
        )
        again = minigrad.warmup(model, images)
        assert again.compiled == again.loaded == ()


def test_what_was_made_is_named(images, monkeypatch):
    pytest.importorskip("numba")
    model = network()

    def forward(*inputs):
        record.made.append(record.Made("norm._one", "float32", 0.5, True))
        record.made.append(record.Made("pool._two", "float64", 0.5, False))
        return model[0](*inputs)

    before = len(record.made)
    monkeypatch.setattr(nn.Sequential, "forward", lambda self, *inputs: forward(*inputs))
    ready = minigrad.warmup(model.eval(), images)
    assert "norm._one float32" in ready.compiled and "pool._two float64" in ready.loaded
    del record.made[before:]


def test_nothing_changes(backend, images, rng):
    model, labels = network(), minigrad.tensor([0, 1, 2, 3])
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, optimizer, images, labels)  # so that there are gradients and momentum
    model[1].eval()
    images.requires_grad_()
    before, x = everything(model, optimizer), images.array.copy()
    minigrad.warmup(model, images, loss=nn.CrossEntropyLoss(), target=labels, optimizer=optimizer)
    assert everything(model, optimizer) == before
    np.testing.assert_array_equal(images.array, x)
    assert images.grad is None and images.requires_grad


def test_training_goes_on_with_the_same_bits(backend, images):
    labels, results = minigrad.tensor([0, 1, 2, 3]), []
    for warm in (False, True):
        minigrad.manual_seed(3)
        model = network()
        optimizer = optim.Adam(model.parameters())
        for _ in range(3):
            if warm:
                minigrad.warmup(model, images, loss=nn.functional.cross_entropy, target=labels, optimizer=optimizer)
            train(model, optimizer, images, labels)
        results.append(everything(model, optimizer))
    assert results[0] == results[1]


def test_nothing_changes_when_the_model_raises(images):
    model = network()
    before = everything(model)
    with pytest.raises(RuntimeError, match=r"model.6 \(Linear\): expected last dimension 27"):
        minigrad.warmup(model, minigrad.ones(4, 1, 10, 10))
    assert everything(model) == before


class Many(nn.Module):
    """Two inputs, and outputs of every shape in a nest of containers."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 2), nn.Linear(4, 2)
        self.seen = []

    def forward(self, x, y):
        self.seen.append((type(x), x.dtype, self.training, minigrad.is_grad_enabled()))
        p, q = self.a(x), self.b(y)
        return {"sum": p + q, "parts": [p, (q.sum(), None)], "count": 2, "detached": p.detach()}


def test_models_with_several_inputs_and_any_output(backend, monkeypatch):
    model, calls = Many(), []
    monkeypatch.setattr(minigrad.autograd, "backward", lambda tensors, grads: calls.append((tensors, grads)))
    minigrad.warmup(model, (np.ones((5, 3), np.float32), minigrad.ones(5, 4)))
    ((tensors, gradients),) = calls
    assert [t.shape for t in tensors] == [g.shape for g in gradients] == [(5, 2), (5, 2), ()]
    assert model.seen == []  # what a model notes in its attributes is noted in the copy


def test_backward_reaches_all_parameters(backend, monkeypatch):
    steps = []

    class Noting(optim.SGD):
        def step(self, closure=None):
            steps.append([p.grad is not None for p in self.param_groups[0]["params"]])
            return super().step(closure)

    model = Many()
    optimizer = Noting(model.parameters(), lr=1.0)
    minigrad.warmup(model, (minigrad.ones(5, 3), minigrad.ones(5, 4)), optimizer=optimizer)
    assert steps == [[True] * 4]


def test_modes(backend):
    """As the model is, and then in evaluation mode without gradients; nothing more for a model that evaluates."""

    notes = []

    class Noting(nn.Linear):
        def forward(self, x):
            notes.append((self.training, minigrad.is_grad_enabled()))
            return super().forward(x)

    model, x = Noting(3, 2), minigrad.ones(4, 3)
    minigrad.warmup(model, x)
    minigrad.warmup(model.eval(), x)
    with minigrad.no_grad():
        minigrad.warmup(model, x)
    assert notes == [(True, True), (False, False), (False, True), (False, False)]
    assert not model.training


def test_a_loss_of_the_output_alone(backend):
    seen = []

    def loss(output):
        seen.append(output.shape)
        return (output * output).mean()

    minigrad.warmup(nn.Linear(3, 2), minigrad.ones(4, 3), loss=loss)
    assert seen == [(4, 2)]


def test_a_model_that_keeps_its_output_can_be_warmed_up(backend):
    """Layers that remember something of their last pass are copied like any other."""
    model = nn.Sequential(nn.InvertibleBatchNorm1d(3))
    x = minigrad.tensor(np.arange(12.0, dtype=np.float32).reshape(4, 3) ** 2)
    model[0](x)
    minigrad.warmup(copy.deepcopy(model), x)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"model": len}, TypeError, "warmup: model must be a Module, got builtin_function_or_method"),
        ({"example": [1.0, 2.0]}, TypeError, "the example must be a tensor or an array, or a tuple of them, got list"),
        ({"example": (np.ones(3), "b")}, TypeError, "the example must be a tensor or an array.* got str"),
        ({"loss": 3}, TypeError, "warmup: loss must be a function of the output and the target, got int"),
        ({"target": 3}, ValueError, "warmup: a target was given, but no loss to compare it with"),
        ({"optimizer": 0.1}, TypeError, "warmup: optimizer must be an Optimizer, got float"),
    ],
)
def test_bad_calls(arguments, error, text):
    model = nn.Linear(3, 2)
    before = everything(model)
    with pytest.raises(error, match=text):
        minigrad.warmup(**{"model": model, "example": minigrad.ones(1, 3), **arguments})
    assert everything(model) == before
