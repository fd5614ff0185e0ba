"""The benchmark of the first step: what it reports adds up."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("numba")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "compile_time.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("compile_time", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
def test_kernels_are_compiled_and_then_loaded(benchmark, monkeypatch, tmp_path, capsys):
    file = tmp_path / "figures.json"
    monkeypatch.setattr("sys.argv", [str(BENCHMARK), "--model", "mlp", "--batch", "8", "--json", str(file)])
    benchmark.main()
    figures, printed = json.loads(file.read_text()), capsys.readouterr().out
    cold, warm = figures["cold"], figures["warm"]
    assert all(kernel[3] for kernel in cold["kernels"])
    names = {tuple(kernel[:2]) for kernel in cold["kernels"]}
    for measured in warm:
        assert {tuple(kernel[:2]) for kernel in measured["kernels"]} == names
        assert not any(kernel[3] for kernel in measured["kernels"])
    assert sum(kernel[2] for kernel in cold["kernels"]) <= cold["first"][0] < cold["process"]
    assert printed.count("compiled |") == len(names) == printed.count("loaded |")
