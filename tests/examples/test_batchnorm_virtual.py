"""The example about virtual batch norm, run small: what it prints, its pictures, its options."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.training import cli

SCRIPT = Path(__file__).parents[2] / "examples" / "batchnorm_virtual.py"
SMALL = ["--steps", "12", "--batch-size", "8", "--width", "2"]


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("batchnorm_virtual", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(example, monkeypatch, *args):
    """The exit code of the script, run in this process."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        sys.exit(cli.run(example.main))
    return caught.value.code


def test_what_it_prints_and_draws(example, monkeypatch, capsys, tmp_path):
    assert call(example, monkeypatch, *SMALL, "--out", tmp_path / "out") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "1. The layer: VirtualBatchNorm1d(num_features=3, eps=1e-05" in out
    for name in ("mean", "mean square"):
        reference, alone, by_hand, back = map(float, re.search(rf"^   {name} +(\d.*)$", out, re.M)[1].split())
        assert by_hand == back == pytest.approx(alone / 5 + reference * 4 / 5, abs=2e-5)
    assert "VirtualBatchNorm1d: expected input (N, C) or (N, C, L) with C = num_features = 3, got shape (4, 5" in out

    second = out.split("2. One")[1].split("Exactly")[0]
    table = re.findall(r"^   (.{26}) +(an error|\d\S*) +(\d\S*) +(\d\S*)$", second, re.M)
    assert [row[0].strip() for row in table] == [
        *("63 others like it", "3 like it", "63 ten times as large", "nobody", "its gradient at 15 others")
    ]
    for _, batch, virtual_batch, virtual_example in table:
        assert virtual_example == "0"
        assert batch == "an error" or float(batch) > float(virtual_batch) > 0

    rows = re.findall(r"^   (batch norm|virtual) +(\d+) +(\d\.\d+) +(\d\.\d+) +\d+\.\d$", out, re.M)
    assert [name for name, *_ in rows] == ["batch norm"] * 10 + ["virtual"] * 10 and rows[-1][1] == "12"
    assert float(re.search(r"^   batch norm +(0\.\d+)$", out, re.M)[1]) > 1e-4
    if importlib.util.find_spec("matplotlib"):
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"samples.png", "batch_mates.png"}


def test_the_numbers_of_the_first_parts(example):
    found = example.batch_mates()
    assert found['virtual, mix="example"'] == 0 and found["difference"] < 1e-10
    assert min(found["batch norm, training"], found['virtual, mix="batch"']) > 0.01
    along = example.gradient_of_the_scale()
    assert along["virtual, detach_reference=True"] > 0.05 > 1e-4 > along["virtual, detach_reference=False"]


@pytest.mark.parametrize("virtual", [True, False])
def test_the_generators(example, monkeypatch, virtual, backend):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *SMALL])
    painter = example.Painter(virtual, example.parse_arguments())
    kind = nn.VirtualBatchNorm2d if virtual else nn.BatchNorm2d
    assert sum(isinstance(layer, kind) for layer in painter.modules()) == 2
    z, digits = minigrad.randn(5, example.NOISE), minigrad.tensor([3, 1, 4, 1, 5])
    images = painter(z, digits)
    assert images.shape == (5, 1, 28, 28) and images.detach().abs().max() <= 1
    assert example.Critic(2)(images, digits).shape == (5,)
    with minigrad.no_grad():
        mates = minigrad.randn(2, 4, example.NOISE)
        first, second = (painter(minigrad.cat([z[:1], others]), digits)[0].numpy() for others in mates)
        changed = np.abs(first - second).max()
    assert changed == 0 if virtual else changed > 1e-4
    before = [p.detach().clone() for p in painter.parameters()]
    example.train(painter, np.zeros((8, 1, 28, 28), np.float32), np.arange(8), example.parse_arguments())
    assert all((p - was).abs().max() > 0 for p, was in zip(painter.parameters(), before, strict=True))


def test_without_matplotlib(example, monkeypatch, capsys, tmp_path):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    assert call(example, monkeypatch, *SMALL, "--steps", "1") == 0
    assert "no pictures: needs matplotlib" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["batchnorm-virtual"]


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--steps", "0"], "--steps: needs a whole number of at least 1, got '0'"),
        (["--batch-size", "1"], "--batch-size: needs a whole number of at least 2, got '1'"),
        (["--lr", "0"], "--lr: needs a number above 0, got '0'"),
        (["--out", "file"], "file"),
    ],
)
def test_a_bad_option_is_one_line(example, monkeypatch, capsys, tmp_path, args, fault):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert call(example, monkeypatch, *SMALL, *args) == 2
    out, err = capsys.readouterr()
    assert out == "" and fault in err and err.count("\n") == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow is what it is about
def test_losses_that_diverge_are_one_line(example, monkeypatch, capsys, tmp_path):
    assert call(example, monkeypatch, *SMALL, "--lr", "1e30", "--out", tmp_path) == 1
    err = capsys.readouterr().err
    assert err.startswith("batchnorm_virtual.py: error: the losses became ") and err.count("\n") == 1


def test_it_runs_as_a_script(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(minigrad.__file__).parents[1])},
    )
    assert done.returncode == 0 and "--steps" in done.stdout and done.stderr == ""
