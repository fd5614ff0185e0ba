"""The backward of batch norm: what agrees to 1e-12, what does not, and PyTorch's gradients beside the engine's."""

import importlib.util
import re

import numpy as np
import pytest

NAME = "batchnorm_backward"


@pytest.fixture(scope="module")
def example(load_example):
    return load_example(NAME)


@pytest.fixture(scope="module")
def table(example):
    return example.compare()


@pytest.fixture(scope="module")
def out(run_example, tmp_path_factory):
    """What a run prints; it leaves its picture."""
    folder = tmp_path_factory.mktemp("run")
    done = run_example(NAME, folder, "--out", "pictures")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    pictures = [path.name for path in (folder / "pictures").iterdir()]
    assert pictures == (["backward.png"] if importlib.util.find_spec("matplotlib") else [])
    return done.stdout


@pytest.mark.parametrize("mode", ["training", "testing"])
def test_what_is_right_agrees_and_the_mistakes_do_not(example, table, mode):
    found = example.differences(table[mode])
    assert len(found) == len(table[mode]) - 1 >= 5
    for row in table[mode][1:]:
        if row.name == "finite differences":
            assert max(found[row.name]) < 1e-7
        elif row.right:
            assert max(found[row.name]) < example.TOLERANCE, row.name
        else:
            assert row.name.startswith("mistake: ") and found[row.name][0] > 0.1, row.name


def test_what_it_prints(out):
    assert re.search(r"staged derivation +\d\.\de-1[3-9] +(\d\.\de-1[3-9]|0) +(\d\.\de-1[3-9]|0)\n", out)
    assert re.search(r"fused formula +\d\.\de-1[3-9] ", out)
    assert re.search(r"mistake: staged, mean 0, var 1 +\d\.\de\+00 +\d\.\de\+00 +0\n", out)
    assert "\nin training " in out and "\nin testing " in out
    assert "eps 1e-05" in out and "0.9 running + 0.1 batch" in " ".join(out.split())


def test_the_staged_derivation_holds_for_any_shape(example, rng):
    for shape in ((2, 1), (7, 3), (64, 10)):
        x, dy, gamma = rng.standard_normal(shape), rng.standard_normal(shape), rng.standard_normal(shape[1])
        staged = example.staged_backward(dy, example.staged_forward(x, gamma, gamma, 1e-3)[1])
        for a, b in zip(staged, example.fused_backward(dy, x, gamma, 1e-3), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.reference
def test_pytorch_gives_the_same_gradients(example, rng):
    torch = pytest.importorskip("torch")
    x, dy = rng.standard_normal((2, 16, 4))
    gamma, beta, mean, var = rng.uniform(0.5, 2, (4, 4))
    for training in (True, False):
        inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
        y = torch.nn.functional.batch_norm(
            inputs[0], torch.tensor(mean), torch.tensor(var), *inputs[1:], training, eps=example.EPS
        )
        theirs = torch.autograd.grad(y, inputs, torch.tensor(dy))
        ours = (
            example.fused_backward(dy, x, gamma, example.EPS)
            if training
            else example.backward_with_constants(dy, x, gamma, mean, var, example.EPS)
        )
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_without_matplotlib_it_says_what_to_install(run_example, tmp_path):
    done = run_example(NAME, tmp_path, prelude="import sys; sys.modules['matplotlib.figure'] = None")
    assert done.returncode == 0
    assert "no backward.png: needs matplotlib" in done.stdout and 'with the extra "train"' in done.stdout
