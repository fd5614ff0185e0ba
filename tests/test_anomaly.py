"""Anomaly mode: it names the op that made the first NaN or infinity and its line, and finds hidden changes."""

import threading
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import autograd
from minigrad.autograd import detect_anomaly, set_detect_anomaly

inf, nan = float("inf"), float("nan")


def leaf(*values):
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


def line_of(text):
    """Where in this file `text` stands."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.strip() == text)


@pytest.mark.parametrize(
    ("compute", "text"),
    [
        (
            lambda x: minigrad.log(x - 1),
            r"Log: forward made inf of inputs, of shape \(2,\), without one at .*test_anomaly\.py:\d+",
        ),
        (lambda x: minigrad.sqrt(x - 2), "Sqrt: forward made nan of inputs"),
        (lambda x: x / (x - 1), r"Div: forward made inf of inputs, of shape \(2,\) and \(2,\), without one at "),
        (lambda x: (x * 1e200).exp(), "Exp: forward made inf"),
        (lambda x: (x / (x - 1)) * 0, "Div: forward made inf"),  # the first one, not the NaN that comes of it
        (lambda x: minigrad.var(x[:1]), "Div: forward made nan"),
    ],
)
def test_the_first_op_that_made_it_forward(compute, text):
    x = leaf(1.0, 3.0)
    with detect_anomaly(), pytest.raises(RuntimeError, match=text):
        compute(x)
    with np.errstate(all="ignore"):
        compute(x)  # without the mode: nothing


@pytest.mark.parametrize(
    ("compute", "text"),
    [
        (lambda x: minigrad.sqrt(x), "Sqrt: backward made inf of a gradient without one; the op ran at "),
        (lambda x: x**0.5, "Pow: backward made inf"),
        (lambda x: minigrad.sqrt(x) * 0, "Sqrt: backward made nan"),
        (lambda x: minigrad.norm(minigrad.sqrt(x), dim=0), "Sqrt: backward made"),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_first_op_that_made_it_backward(compute, text, create_graph):
    x = leaf(0.0, 3.0)
    with detect_anomaly():
        y = compute(x).sum()
        with pytest.raises(RuntimeError, match=text) as caught:
            y.backward(create_graph=create_graph)
    assert "test_anomaly.py" in str(caught.value) and x.grad is None
    compute(x).sum().backward()


def test_the_line_is_the_users():
    x = leaf(-1.0)
    with detect_anomaly():
        with pytest.raises(RuntimeError) as caught:
            y = minigrad.nn.functional.logsigmoid(x).log()
        assert f"test_anomaly.py:{line_of('y = minigrad.nn.functional.logsigmoid(x).log()')}, `y = " in str(
            caught.value
        )
        y = minigrad.nn.functional.normalize(minigrad.sqrt(x + 1), dim=0)  # here
        with pytest.raises(RuntimeError) as caught:
            y.sum().backward()
    assert "normalize(minigrad.sqrt(x + 1), dim=0)  # here`" in str(caught.value)


def test_what_was_there_before_is_nobodys_mistake():
    x = leaf(1.0, inf)
    with detect_anomaly():
        y = (x * 2).exp() + minigrad.tensor([nan, 1.0], dtype=minigrad.float64)
        z = minigrad.where(minigrad.tensor([True, False]), x, -inf)
        y.backward(minigrad.tensor([nan, inf], dtype=minigrad.float64))
    assert np.isnan(y.detach().numpy()[0]) and z.tolist() == [1.0, -inf]


def test_what_to_look_for_can_be_chosen():
    x = leaf(0.0, 1.0)
    with detect_anomaly(check_inf=False):
        minigrad.sqrt(x).sum().backward()  # inf
        with pytest.raises(RuntimeError, match="Sqrt: forward made nan"):
            minigrad.sqrt(x - 5)
    with detect_anomaly(check_nan=False):
        minigrad.sqrt(x - 5).sum().backward()
        assert autograd.is_anomaly_enabled() and not autograd.is_anomaly_check_nan_enabled()


def test_the_mode_ends_as_it_began_also_after_an_error():
    assert not autograd.is_anomaly_enabled() and autograd.is_anomaly_check_nan_enabled()
    with pytest.raises(KeyError), detect_anomaly(check_nan=False):
        with set_detect_anomaly(True):
            assert autograd.is_anomaly_check_nan_enabled()
        assert not autograd.is_anomaly_check_nan_enabled()
        raise KeyError
    assert not autograd.is_anomaly_enabled() and autograd.is_anomaly_check_nan_enabled()
    set_detect_anomaly(True)
    try:
        assert autograd.is_anomaly_enabled()
        found = []
        thread = threading.Thread(target=lambda: found.append(autograd.is_anomaly_enabled()))
        thread.start()
        thread.join()
        assert found == [True], "it is for all threads"
    finally:
        set_detect_anomaly(False)


@pytest.mark.parametrize(
    ("compute", "change"),
    [
        (lambda x: x.exp(), lambda x, y: y.numpy(force=True).__setitem__(0, 7.0)),
        (lambda x: x * x, lambda x, y: x.array.__setitem__(0, 7.0)),
        (lambda x: minigrad.softmax(x, 0), lambda x, y: y.array.fill(0.5)),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_changes_behind_autograds_back_are_found_by_their_checksum(compute, change, create_graph):
    x = leaf(1.0, 2.0)
    with detect_anomaly():
        y = compute(x)
        change(x, y)
        with pytest.raises(RuntimeError, match="what backward needs was changed since the op ran at ") as caught:
            y.sum().backward(create_graph=create_graph)
    assert "test_anomaly.py:" in str(caught.value)
    assert "not through a Tensor" in str(caught.value) and x.grad is None


def test_a_change_of_what_is_not_needed_is_nobodys_business():
    x = leaf(1.0, 2.0)
    with detect_anomaly():
        y = x + 1
        z = y * 2
        y.array[0] = 100.0
        z.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_a_whole_step_under_the_mode_gives_the_same_numbers():
    def gradients():
        minigrad.manual_seed(0)
        model = minigrad.nn.Sequential(
            minigrad.nn.Conv2d(1, 2, 3), minigrad.nn.BatchNorm2d(2), minigrad.nn.ReLU(), minigrad.nn.MaxPool2d(2),
            minigrad.nn.Flatten(), minigrad.nn.Linear(18, 3),
        )  # fmt: skip
        x, labels = minigrad.randn(4, 1, 8, 8), minigrad.tensor([0, 1, 2, 0])
        minigrad.nn.functional.cross_entropy(model(x), labels).backward()
        return [p.grad.array for p in model.parameters()]

    plain = gradients()
    with detect_anomaly():
        watched = gradients()
    for a, b in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(a, b)


def test_graphs_built_outside_can_be_run_inside():
    x = leaf(4.0)
    y = minigrad.sqrt(x)
    z = minigrad.sqrt(x - 4)
    with detect_anomaly():
        y.sum().backward()
        with pytest.raises(
            RuntimeError,
            match="Sqrt: backward made inf of a gradient without one; the op ran before anomaly mode was on",
        ):
            z.sum().backward()
    assert x.grad.tolist() == [0.25]
