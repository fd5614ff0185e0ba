import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.training import summarize


class Block(nn.Module):
    """A parameter of its own, a layer used twice, a layer never used, and a tuple as its output."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(minigrad.ones(3))
        self.twice = nn.Linear(3, 3)
        self.idle = nn.Linear(3, 2)

    def forward(self, x):
        y = self.twice(self.twice(x)) * self.scale
        return y, {"half": y[:, :1]}


def test_shapes_parameters_and_totals():
    model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 10))
    summary = summarize(model, minigrad.zeros(2, 1, 4, 4))
    assert [(layer.path, layer.kind, layer.output, layer.parameters) for layer in summary.layers] == [
        ("", "Sequential", "(2, 10)", 0),
        ("0", "Conv2d", "(2, 6, 4, 4)", 60),
        ("1", "BatchNorm2d", "(2, 6, 4, 4)", 12),
        ("2", "ReLU", "(2, 6, 4, 4)", 0),
        ("3", "Flatten", "(2, 96)", 0),
        ("4", "Linear", "(2, 10)", 970),
    ]
    assert (summary.parameters, summary.trainable, summary.buffers) == (1042, 1042, 13)
    assert str(summary).splitlines()[-1] == "1,042 parameters; 13 values in buffers"


def test_a_module_called_twice_one_never_called_and_outputs_of_every_kind():
    summary = summarize(nn.Sequential(Block()), minigrad.zeros(5, 3))
    layers = {layer.path: layer for layer in summary.layers}
    assert layers["0"].output == "[(5, 3), {half: (5, 1)}]"
    assert layers["0"].parameters == 3
    assert layers["0.twice"].output == "(5, 3), 2 times"
    assert layers["0.idle"].output == "not called"
    assert summary.parameters == 3 + 12 + 8 == sum(layer.parameters for layer in summary.layers)


def test_shared_and_frozen_parameters_are_counted_as_such():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    first.bias.requires_grad_(False)
    summary = summarize(nn.Sequential(first, second), minigrad.zeros(1, 4))
    assert [layer.parameters for layer in summary.layers] == [0, 20, 4]
    assert (summary.parameters, summary.trainable) == (24, 20)
    assert str(summary).splitlines()[-1] == "24 parameters, 20 of them trainable"


def test_a_model_of_one_layer_is_a_table_of_one_row():
    lines = str(summarize(nn.Linear(3, 2), minigrad.zeros(1, 3))).splitlines()
    assert lines[2].split() == ["(Linear)", "(1,", "2)", "8"]
    assert lines[-1] == "8 parameters"


def test_columns_are_aligned():
    model = nn.Sequential(nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 1))
    lines = str(summarize(model, minigrad.zeros(1, 1000))).splitlines()
    assert len(set(map(len, lines[:-1]))) == 1
    assert "1,001,000" in lines[2]


class Noise(nn.Module):
    """Draws random numbers in evaluation mode too."""

    def forward(self, x):
        return x + minigrad.randn_like(x)


def test_the_model_is_left_as_it_was():
    minigrad.manual_seed(3)
    model = nn.Sequential(nn.BatchNorm1d(3), Noise(), nn.Linear(3, 2))
    model[1].eval()
    before = {name: value.array.copy() for name, value in model.state_dict().items()}
    random_state = minigrad.get_rng_state().array.copy()
    summarize(model, minigrad.ones(4, 3))
    assert [module.training for module in model.modules()] == [True, True, False, True]
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.array, before[name], err_msg=name)
    np.testing.assert_array_equal(minigrad.get_rng_state().array, random_state)
    calls = []
    model[2].register_forward_hook(lambda *args: calls.append(args))
    summarize(model, minigrad.ones(4, 3))
    model(minigrad.ones(4, 3))
    assert len(calls) == 2  # a hook of the user's stays


def test_hooks_are_removed_when_the_model_refuses_the_example():
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises((ValueError, RuntimeError), match=r"model\.0 \(Linear\)"):
        summarize(model, minigrad.zeros(1, 4))
    assert model.training
    assert not any(module._hooks for module in model.modules())


@pytest.mark.parametrize("model", [5, None, nn.Linear])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match=r"summarize: model must be a Module, got (int|NoneType|type)"):
        summarize(model, minigrad.zeros(1, 2))
