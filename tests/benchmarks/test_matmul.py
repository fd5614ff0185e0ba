"""The benchmark of matrix products runs, and says of each what the library chooses. No time is judged here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

pytest.importorskip("numba")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "matmul.py"


def test_one_line_for_each_product():
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    command = [sys.executable, BENCHMARK, "--rounds", "1", "--shapes", "9,20,10", "32,784,100"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[-1] == "choice" and len(rows) == 6
    assert [row.split()[-1] for row in rows] == ["BLAS"] * 3 + ["tiles"] * 3
    assert all(float(row.split()[-3]) > 0 for row in rows)
