"""The CPU as an object, and what a script asks about a GPU."""

import copy

import numpy as np
import pytest

import minigrad
from minigrad import cuda, nn


@pytest.mark.reference
@pytest.mark.parametrize("args", [("cpu",), ("cpu:0",), ("cpu", 0)])
def test_a_device_is_what_it_is_in_pytorch(args):
    torch = pytest.importorskip("torch")
    ours, theirs = minigrad.device(*args), torch.device(*args)
    assert (str(ours), repr(ours), ours.type, ours.index) == (str(theirs), repr(theirs), theirs.type, theirs.index)


def test_a_device_is_equal_to_its_name():
    cpu = minigrad.device("cpu")
    assert cpu == "cpu" == str(cpu) and {cpu: 1}["cpu"] == 1 and f"{cpu}" == "cpu"
    assert cpu == minigrad.device(cpu) == copy.deepcopy(cpu) == minigrad.ones(2).device
    assert cpu != minigrad.device("cpu:0") != "cuda"
    assert minigrad.device(type="cpu", index=0) == "cpu:0"


def test_a_device_is_taken_wherever_a_device_is_asked_for():
    for cpu in (minigrad.device("cpu"), minigrad.device("cpu", 0)):
        x = minigrad.tensor([1.0], device=cpu)
        assert x.to(cpu) is x and x.to(cpu, non_blocking=True) is x and x.to(device=cpu, non_blocking=True) is x
        assert x.to(cpu, minigrad.float64, non_blocking=True).dtype == minigrad.float64
        layer = nn.Linear(2, 1, device=cpu)
        assert layer.to(cpu) is layer and layer.to(cpu, non_blocking=True) is layer


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: minigrad.device("cuda"), RuntimeError, "device: the only device is \"cpu\", got 'cuda'"),
        (lambda: minigrad.device("cpu", 1), RuntimeError, "got 'cpu:1'"),
        (lambda: minigrad.device("cpu:0", 0), RuntimeError, "device: 'cpu:0' has an index, so none can be given"),
        (lambda: minigrad.device(0), TypeError, 'device: the name of a device must be a str such as "cpu", got 0'),
    ],
)
def test_there_is_no_other_device(make, error, text):
    with pytest.raises(error) as caught:
        make()
    assert text in str(caught.value)


def test_a_script_finds_no_gpu():
    assert minigrad.device("cuda" if cuda.is_available() else "cpu") == "cpu"
    assert cuda.device_count() == 0 and not minigrad.ones(2).is_cuda
    state = minigrad.get_rng_state()
    cuda.manual_seed(1)
    cuda.manual_seed_all(1)
    np.testing.assert_array_equal(minigrad.get_rng_state().array, state.array)
