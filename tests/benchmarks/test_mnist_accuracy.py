"""The accuracy benchmark with a script in place of the training, which takes minutes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "mnist_accuracy.py"
# Takes the options that the benchmark gives, and writes a result that depends on the seed.
STAND_IN = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["mlp", "mlp-bn", "conv", "conv-bn"], required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
args = parser.parse_args()
args.out.mkdir()
(args.out / "result.json").write_text(json.dumps({"best_valid_acc": 0.9 + args.seed / 100}))
(args.out / "metrics.csv").write_text("epoch,seconds\\n1,9.0\\n2,1.0\\n3,2.0\\n")
print("what the script prints is not part of the table")
"""


@pytest.fixture
def benchmark_module(monkeypatch, tmp_path):
    """The benchmark as a module, with the stand-in for the training script."""
    spec = importlib.util.spec_from_file_location("mnist_accuracy", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stand_in = tmp_path / "train.py"
    stand_in.write_text(STAND_IN)
    monkeypatch.setattr(module, "SCRIPT", stand_in)
    return module


def test_the_script_is_there_with_the_options_and_figures_that_are_used():
    spec = importlib.util.spec_from_file_location("mnist_accuracy", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.SCRIPT.read_text()
    for part in ("--model", "--seed", "--out", "best_valid_acc", *module.PYTORCH):
        assert f'"{part}"' in text


def test_a_run_gives_its_best_accuracy_and_the_median_of_its_seconds(benchmark_module, tmp_path):
    assert benchmark_module.train("mlp", 3, tmp_path / "run") == (pytest.approx(0.93), 2.0)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["best_valid_acc"] == pytest.approx(0.93)


def test_the_table(benchmark_module, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["mnist_accuracy.py", "--models", "mlp", "conv-bn", "--seeds", "0", "4"])
    benchmark_module.main()
    assert capfd.readouterr().out.splitlines() == [
        "| network | best validation accuracy, seeds 0, 4 | mean | PyTorch's mean | seconds an epoch |",
        "|---|---|---|---|---|",
        "| mlp | 0.9000, 0.9400 | 0.9200 | 0.9737 | 2.0 |",
        "| conv-bn | 0.9000, 0.9400 | 0.9200 | 0.9892 | 2.0 |",
    ]


def test_a_run_that_fails_stops_the_benchmark(benchmark_module, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        benchmark_module.train("mlp", 0, tmp_path / "run")
