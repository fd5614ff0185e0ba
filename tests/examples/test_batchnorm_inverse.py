"""The example of the inverse: its numbers, its flow, its pictures, and what it says when something is missing."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.training import cli

SCRIPT = Path(__file__).parents[2] / "examples" / "batchnorm_inverse.py"
SMALL = [
    "--size",
    "10",
    "--epochs",
    "4",
    "--points",
    "1000",
    "--batch-size",
    "100",
    "--couplings",
    "4",
    "--hidden",
    "16",
]
PICTURES = {"likelihood.png", "samples.png", "density.png"}


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("batchnorm_inverse", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_script(folder, *args, prelude=""):
    """Run the script in `folder`, after some lines of Python if wanted, and give what came of it."""
    run = (
        f"{prelude}\nimport runpy, sys; sys.argv[0] = {str(SCRIPT)!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    command = [sys.executable, "-c", run, *map(str, args)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run: the folder it was started in, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    done = run_script(folder, *SMALL)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return folder, done.stdout


def rows_of_the_table(out):
    """(statistics, train, valid) of each epoch."""
    rows = re.findall(r"^ +\d+  (batch|running) +(-?\d+\.\d+) +(-?\d+\.\d+) +\d+\.\d$", out, re.MULTILINE)
    return [(statistics, float(train), float(valid)) for statistics, train, valid in rows]


def test_what_it_prints(run):
    _, out = run
    assert "1. The question: x of shape (3, 10, 10, 10)" in out
    alone, three = (float(re.search(rf"batch of {n}: x comes back within (\S+)", out)[1]) for n in (1, 3))
    assert alone < 1e-12 and three > 1
    assert re.search(r"y, which inverse saw +-?0\.0000 +1\.0000", out)
    back = re.findall(r"^    (channel|activation) +(training|evaluation|frozen) +(\S+) +(\S+)$", out, re.MULTILINE)
    assert len(back) == 6
    assert all(float(single) <= 1e-5 and float(double) <= 1e-12 for *_, single, double in back)
    assert float(re.search(r"constant: differs by +(\S+)", out)[1]) <= 1e-10
    assert "2. A flow for two moons: 4 affine couplings" in out
    rows = rows_of_the_table(out)
    assert [statistics for statistics, *_ in rows] == ["batch", "running", "running", "running"]
    gaussian, truth = (
        float(re.search(r"(-\S+) by the best normal", out)[1]),
        float(re.search(r"(-\S+) by the true", out)[1]),
    )
    assert gaussian < rows[-1][2] < truth and rows[-1][2] > rows[0][2]
    below = float(re.search(r"log p\(x\) is (\S+) nats below", out)[1])
    assert below == pytest.approx(truth - rows[-1][2], abs=2e-4)
    flow_sum, true_sum = re.search(r"adds up to (\S+), the true one to (\S+)\n", out).groups()
    assert float(flow_sum) == pytest.approx(1, abs=0.02) and float(true_sum) == pytest.approx(1, abs=1e-3)
    assert float(re.search(r"log_det is within (\S+) of that", out)[1]) < 1e-9


def test_it_draws_into_a_folder_of_its_own(run):
    folder, out = run
    pictures = folder / "runs" / "batchnorm-inverse"
    if importlib.util.find_spec("matplotlib") is None:
        assert "no pictures: needs matplotlib" in out
        return
    assert "likelihood.png, samples.png and density.png are in runs/batchnorm-inverse" in out
    assert {path.name for path in pictures.iterdir()} == PICTURES
    for path in pictures.iterdir():
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 10_000


def test_without_matplotlib_it_says_what_to_install(tmp_path):
    missing = "import sys; sys.modules.update(dict.fromkeys(['matplotlib', 'matplotlib.figure']))"
    done = run_script(tmp_path, *SMALL, "--epochs", "1", "--out", "pictures", prelude=missing)
    assert done.returncode == 0, done.stderr
    assert re.search(r'no pictures: needs matplotlib .*; pip install matplotlib, or .* extra "train"', done.stdout)
    assert [row[0] for row in rows_of_the_table(done.stdout)] == ["batch"]
    assert list((tmp_path / "pictures").iterdir()) == []


def test_the_question_in_its_own_shape(example, capsys):
    numbers = example.answer_the_question((3, 10, 100, 100))
    capsys.readouterr()
    assert numbers["fails"][1] < 1e-12 and numbers["fails"][3] > 1
    assert numbers["first"]["y, which inverse saw"] == pytest.approx((0, 1), abs=1e-4)
    for (_, _, dtype), difference in numbers["back"].items():
        assert difference <= (1e-5 if dtype == "float32" else 1e-12)
    assert len(numbers["back"]) == 12
    assert numbers["truth"]["error"] <= 1e-10 and numbers["truth"]["smallest"] < 1e-15


@pytest.mark.parametrize("training", [True, False])
def test_the_flow_is_invertible_and_knows_its_determinant(example, training, rng):
    flow = example.Flow(couplings=3, hidden=8).double()
    with minigrad.no_grad():
        for p in flow.parameters():
            p.add_(minigrad.tensor(rng.normal(0, 0.3, p.shape)))
    x = example.two_moons(20).double()
    flow(x)
    flow.train(training)
    assert flow.check_inverse(x) < 1e-12 and flow.check_log_det(x) < 1e-10


def test_frozen_and_evaluation_give_the_same_likelihood(example):
    flow, x = example.Flow(couplings=2, hidden=4), example.two_moons(50)
    flow(x)
    with flow.frozen():
        frozen = flow.log_prob(x)
    assert minigrad.equal(frozen, flow.eval().log_prob(x))


def test_the_densities_are_densities(example):
    points, area = example.grid(120, 80)
    flat = points.reshape(-1, 2)
    assert np.exp(example.true_log_prob(flat)).sum() * area == pytest.approx(1, abs=1e-3)
    data = example.two_moons(4000).numpy()
    mean = data.mean(0)
    assert mean == pytest.approx([0.5, 0.25], abs=0.05)
    wide, cell = np.stack(np.meshgrid(np.linspace(-6, 7, 200), np.linspace(-5, 6, 200)), 2), 13 / 199 * 11 / 199
    assert np.exp(example.gaussian_log_prob(data, wide.reshape(-1, 2))).sum() * cell == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--epochs", "0"], "--epochs: needs a whole number of at least 1, got '0'"),
        (["--batch-size", "1"], "--batch-size: needs a whole number of at least 2, got '1'"),
        (["--points", "100"], "--points 100 is less than one batch, of --batch-size 200"),
        (["--lr", "0"], "--lr: needs a number above 0, got '0'"),
        (["--out", "file"], "File exists: file"),
    ],
)
def test_a_bad_option_is_one_line(example, monkeypatch, capsys, tmp_path, args, fault):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *args])
    with pytest.raises(SystemExit) as caught:
        sys.exit(cli.run(example.main))
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and fault in err and err.count("\n") == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow is what it is about
def test_a_loss_that_diverges_is_one_line(example, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *SMALL, "--lr", "1e30", "--out", str(tmp_path)])
    assert cli.run(example.main) == 1
    err = capsys.readouterr().err
    assert "error: the loss became " in err and err.count("\n") == 1
