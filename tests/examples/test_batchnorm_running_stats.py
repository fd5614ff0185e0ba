"""Running statistics: the numbers of the question, both conventions, the four normalizations, and the pictures."""

import importlib.util
import re

import numpy as np
import pytest

NAME = "batchnorm_running_stats"


@pytest.fixture(scope="module")
def example(load_example):
    return load_example(NAME)


@pytest.fixture
def batches(example, rng):
    return [example.batch_of(0, 1, rng), example.batch_of(1, 4, rng)]


@pytest.fixture(scope="module")
def out(run_example, tmp_path_factory):
    """What a run prints; it leaves its pictures."""
    folder = tmp_path_factory.mktemp("run")
    done = run_example(NAME, folder, "--out", "pictures")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    drawn = {"running_stats.png", "four_normalizations.png"} if importlib.util.find_spec("matplotlib") else set()
    assert pictures == drawn
    return done.stdout


def test_the_numbers_of_the_question_are_printed(out):
    assert re.search(r"variance, unbiased .* 1\.0000 +4\.0000\n", out)
    assert re.search(r"variance, biased .* 0\.9000 +3\.6000\n", out)
    for name in (
        r"BatchNorm1d\(momentum=0\.1\)",
        r"BatchNorm1d\.from_decay\(0\.9\)",
        r"0\.9 running \+ 0\.1 batch, unb",
    ):
        assert re.search(rf"{name}.* 0\.0000  1\.0000    0\.1000  1\.3000\n", out)
    assert re.search(r"BatchNorm1d\(momentum=0\.9\) .* 0\.9000  3\.7000\n", out)
    assert re.search(r"BatchNorm1d\(momentum=None\) .* 0\.5000  2\.5000\n", out)
    assert re.search(r"training: by the batch +1\.0000 +1\.1111\n", out)
    assert "-0.0000" not in out


def test_conventions(example, batches, capsys):
    table = example.compare_conventions(batches)
    assert "1.3000" in capsys.readouterr().out
    wanted = {
        "BatchNorm1d(momentum=0.1)": (0.1, 1.3),
        "0.9 running + 0.1 batch, biased": (0.1, 1.251),
        "0.1 running + 0.9 batch, unbiased": (0.9, 3.7),
        "BatchNorm1d(momentum=None)": (0.5, 2.5),
    }
    for name, statistics in wanted.items():
        np.testing.assert_allclose(table[name][1], statistics, rtol=1e-12, err_msg=name)
    assert table["BatchNorm1d(momentum=0.1)"][0] == pytest.approx((0, 1), abs=1e-12)


def test_variances_and_modes(example, batches, capsys):
    found = example.compare_variances(batches[1])
    np.testing.assert_allclose(found["training: by the batch"], (1, 10 / 9), rtol=1e-5)
    np.testing.assert_allclose(found["evaluation: by running statistics of it"], (0.9, 1), rtol=1e-5)
    modes = example.compare_modes(batches[1])
    moved = {name: (mean if mean is None else round(mean, 6), count) for name, (mean, count) in modes.items()}
    assert moved == {
        "training": (0.271, 3),
        "training, momentum=0": (0, 3),
        "training, after layer.freeze()": (0, 0),
        "training, track_running_stats=False": (None, None),
        "evaluation": (0, 0),
        "evaluation, track_running_stats=False": (None, None),
    }
    assert "num_batches_tracked" in capsys.readouterr().out


def test_the_four_normalizations_average_what_the_picture_shows(example, rng, capsys):
    found = example.compare_normalizations(rng)
    assert {name: (count, alone) for name, (count, _, alone) in found.items()} == {
        "batch norm": (6, False),
        "layer norm": (4, True),
        "instance norm": (24, True),
        "group norm": (12, True),
    }
    assert all(difference < 1e-5 for _, difference, _ in found.values())
    for each in example.FOUR:
        assert each.sets(example.N, example.C, example.G) == found[each.name][0]
    assert "the same" in capsys.readouterr().out


def test_without_matplotlib_it_says_what_to_install(run_example, tmp_path):
    done = run_example(NAME, tmp_path, prelude="import sys; sys.modules['matplotlib.figure'] = None")
    assert done.returncode == 0
    assert "no pictures: needs matplotlib" in done.stdout and 'with the extra "train"' in done.stdout
