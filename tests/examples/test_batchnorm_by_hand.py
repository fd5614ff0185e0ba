"""Batch norm by hand: the numbers of the question, the layer beside it, and the picture."""

import importlib.util
import re

import numpy as np
import pytest

NAME = "batchnorm_by_hand"
X = np.arange(15.0).reshape(5, 3)


@pytest.fixture(scope="module")
def example(load_example):
    return load_example(NAME)


@pytest.fixture(scope="module")
def out(run_example, tmp_path_factory):
    """What a run prints; it leaves its picture."""
    folder = tmp_path_factory.mktemp("run")
    done = run_example(NAME, folder, "--out", "pictures")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    pictures = [path.name for path in (folder / "pictures").iterdir()]
    assert pictures == (["by_hand.png"] if importlib.util.find_spec("matplotlib") else [])
    return done.stdout


def test_every_column_becomes_the_numbers_of_the_question(out):
    assert re.search(r"y +-1\.4142  -0\.7071   0\.0000   0\.7071   1\.4142\n", out)
    for value in ("-1.4142", "-0.7071", " 0.0000", " 0.7071", " 1.4142"):
        assert re.search(rf"( +\d+){{3}} +{value}  {value}  {value}\n", out)
    for step in (r"mean +6\.0000\n", r"var, their mean +18\.0000\n", r"sqrt\(var \+ eps\) +4\.2426\n"):
        assert re.search(step, out)


def test_training_evaluation_and_company(out):
    assert re.search(r" 1 +0\.6000 +3\.1500 +-1\.4142 +-0\.3381\n", out)
    assert re.search(r" 100 +5\.9998 +22\.4994 +-1\.4142 +-1\.2649\n", out)
    assert out.count("-1.2649 -1.2649 -1.2649") == 3 and "-1.2247 -1.2247 -1.2247" in out
    assert "ValueError: BatchNorm1d: training needs more than one value per channel" in out


def test_the_layer_by_hand_is_the_layer(example, capsys):
    history = example.compare_modes(X, 50)
    difference = float(re.search(r"largest difference is (\S+)\.", capsys.readouterr().out)[1])
    assert len(history) == 51 and difference < 1e-5
    steps = np.arange(51)
    np.testing.assert_allclose([row[0] for row in history], 6 * (1 - 0.9**steps), rtol=1e-4)
    np.testing.assert_allclose([row[1] for row in history], 22.5 - 21.5 * 0.9**steps, rtol=1e-4)


def test_without_matplotlib_it_says_what_to_install(run_example, tmp_path):
    done = run_example(NAME, tmp_path, prelude="import sys; sys.modules['matplotlib.figure'] = None")
    assert done.returncode == 0
    assert "no by_hand.png: needs matplotlib" in done.stdout and 'with the extra "train"' in done.stdout
    assert (tmp_path / "runs" / "batchnorm-by-hand").is_dir()


def test_a_folder_that_cannot_be_made_is_one_line(run_example, tmp_path):
    (tmp_path / "file").write_text("")
    done = run_example(NAME, tmp_path, "--out", "file")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("batchnorm_by_hand.py: error: ") and done.stderr.count("\n") == 1
