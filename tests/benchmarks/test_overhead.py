"""The benchmark of the engine's own cost: what it compares is the same everywhere. No time is judged here."""

import gc
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "overhead.py"
CASES = ["short chain", "long chain", "products", "fan-out", "layers", "scalars"]
PARTS = ["forward", "backward", "both"]


@pytest.fixture(scope="module")
def overhead():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("overhead", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Counted:
    """Stands for a tensor, and counts the ops applied to it and to whatever comes of it."""

    def __init__(self, tally):
        self.tally = tally

    def _op(self, *_):
        self.tally.append(1)
        return Counted(self.tally)

    __add__ = __radd__ = __sub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __neg__ = _op
    __matmul__ = tanh = relu = _op


def results(overhead, library, name):
    """The value and the gradients of a case, as arrays."""
    case, engine = overhead.CASES[name](), overhead.ADAPTERS[library]()
    forward, backward = engine.prepare(case, overhead.cotangent(case))
    y = forward()
    value = np.array(engine.numbers(y))
    first = [np.array(engine.numbers(g)) for g in backward(y)]
    again = [np.array(engine.numbers(g)) for g in backward(forward())]
    assert all(map(np.array_equal, first, again)), "a second pass must not add to the first one's gradients"
    return [value, *first]


def run(*args):
    """The benchmark as a command."""
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    command = [sys.executable, str(BENCHMARK), *map(str, args)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def cells(line):
    """The cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_cases_are_those_that_are_tested(overhead):
    assert list(overhead.CASES) == CASES
    assert list(overhead.ADAPTERS) == ["minigrad", "pytorch", "autograd", "mygrad", "numpy"]


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_as_many_ops_as_it_says(overhead, name):
    case, tally = overhead.CASES[name](), []
    do = type("Functions", (), {"tanh": staticmethod(Counted.tanh), "relu": staticmethod(Counted.relu)})
    case.forward(do, [Counted(tally) for _ in case.leaves], [Counted(tally) for _ in case.constants])
    assert len(tally) == case.ops


@pytest.mark.parametrize("name", CASES)
def test_a_case_by_hand_gives_what_numpy_computes_and_central_differences_confirm(overhead, name):
    case, g = overhead.CASES[name](), overhead.cotangent(overhead.CASES[name]())
    y, saved = case.by_hand()
    gradients = case.backward_by_hand(g, saved)
    assert [np.shape(gx) for gx in gradients] == [x.shape for x in case.leaves]
    do = type("Functions", (), {"tanh": np.tanh, "relu": staticmethod(lambda x: np.maximum(x, 0))})
    constants, leaves = [x.astype(float) for x in case.constants], [x.astype(float) for x in case.leaves]
    np.testing.assert_allclose(y, case.forward(do, leaves, constants), rtol=1e-4)
    rng = np.random.default_rng(3)
    for i, gx in enumerate(gradients):
        step = 1e-6 * rng.normal(size=leaves[i].shape)
        up, down = ([*leaves[:i], leaves[i] + sign * step, *leaves[i + 1 :]] for sign in (1, -1))
        change = np.sum(g * (case.forward(do, up, constants) - case.forward(do, down, constants))) / 2
        np.testing.assert_allclose(np.sum(gx * step), change, rtol=1e-3, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_stay_where_all_libraries_are_equally_fast(overhead, name):
    for x in results(overhead, "numpy", name):
        assert x.dtype == np.float32
        size = np.abs(x[x != 0])
        assert size.size and size.min() > 1e-8 and size.max() < 1e4


def test_the_scalar_expression_has_the_known_results(overhead):
    y, ga, gb = results(overhead, "minigrad", "scalars")
    assert [f"{x:.4f}" for x in (y, ga, gb)] == ["24.7041", "138.8338", "645.5773"]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "library",
    ["minigrad", "autograd", "mygrad", pytest.param("pytorch", marks=pytest.mark.reference)],
)
def test_every_library_computes_the_same(overhead, library, name):
    if not overhead.installed(library):
        pytest.skip(f"{library} is not installed")
    for x, by_hand in zip(results(overhead, library, name), results(overhead, "numpy", name), strict=True):
        assert x.shape == by_hand.shape
        np.testing.assert_allclose(x, by_hand, rtol=2e-4, atol=2e-6)


def test_the_command_prints_the_table_that_it_writes(tmp_path):
    file = tmp_path / "overhead.json"
    done = run("--rounds", 3, "--only", "short chain", "scalars", "--libraries", "minigrad", "numpy", "--json", file)
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    about, rows = written["about"], written["results"]
    lines = done.stdout.splitlines()
    for fact in (about["date"], about["processor"], f"{about['cores']} cores", f"Python {about['python']}"):
        assert fact in "\n".join(lines[:2])
    assert f"minigrad {minigrad.__version__}, numpy {np.__version__}" in lines[1]
    assert "3 rounds" in done.stdout and "garbage collector: off" in done.stdout

    heading, _, *body = [cells(line) for line in lines if line.startswith("|")]
    ratios = [f"{part}/NumPy" for part in PARTS]
    assert heading == ["case", "library", "ops", *(f"{part} µs/op" for part in PARTS), *ratios]
    assert [line[:3] for line in body] == [
        [case, library, ops]
        for case, ops in (("short chain", "10"), ("scalars", "25"))
        for library in about["libraries"]
    ]
    for line, row in zip(body, rows, strict=True):
        keys = ["case", "library", "ops", *PARTS, *(f"{part}/numpy" for part in PARTS)]
        assert line == [f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key]) for key in keys]
        assert len(row["rounds"]) == 3
        for part in PARTS:
            assert row[part] == sorted(one[part] for one in row["rounds"])[1] > 0
        if row["library"] == "numpy":
            assert {row[f"{part}/numpy"] for part in PARTS} == {1.0}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios(overhead):
    taken = {
        "minigrad": [dict.fromkeys(PARTS, time) for time in (2.0, 8.0, 6.0)],
        "pytorch": [dict.fromkeys(PARTS, time) for time in (1.0, 2.0, 6.0)],
    }
    row = overhead.row("short chain", overhead.CASES["short chain"](), "minigrad", taken)
    assert (row["forward"], row["forward/pytorch"]) == (6.0, 2.0)
    assert "forward/numpy" not in row and "forward/NumPy" not in overhead.table([row])


def test_a_turn_counts_what_the_passes_take_and_not_the_clock(overhead, monkeypatch):
    ticks = iter(range(10**9))  # a clock that moves on by a second whenever it is looked at
    monkeypatch.setattr(overhead.time, overhead.CLOCK, lambda: float(next(ticks)))
    assert overhead.turn(lambda: [next(ticks)], lambda y: [next(ticks) for _ in range(5)], times=3) == (3.0, 15.0)


def test_all_cases_run_and_the_collector_is_left_as_it_was(overhead):
    libraries = {name: overhead.ADAPTERS[name]() for name in ("minigrad", "numpy")}
    was = gc.isenabled()
    for state in (gc.disable, gc.enable):
        state()
        expected = gc.isenabled()
        rows = overhead.measure(CASES, libraries, rounds=1)
        assert gc.isenabled() == expected and gc.get_freeze_count() == 0
    if not was:
        gc.disable()
    assert [(row["case"], row["library"]) for row in rows] == [(case, lib) for case in CASES for lib in libraries]


def test_what_is_not_installed_is_said(overhead, monkeypatch, capsys):
    monkeypatch.setattr(overhead, "installed", lambda name: name in ("minigrad", "numpy"))
    monkeypatch.setattr(sys, "argv", ["overhead.py", "--rounds", "1", "--only", "scalars"])
    overhead.main()
    printed = capsys.readouterr().out.splitlines()
    for line in ("pytorch: not installed (pip install torch)", "mygrad: not installed (pip install mygrad)"):
        assert line in printed
    monkeypatch.setattr(sys, "argv", ["overhead.py", "--libraries", "minigrad", "mygrad"])
    with pytest.raises(SystemExit):
        overhead.main()
    assert "not installed: mygrad" in capsys.readouterr().err


def test_bad_options_are_refused():
    for options, said in [
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
        (["--libraries", "jax"], "invalid choice: 'jax'"),
    ]:
        done = run(*options)
        assert done.returncode == 2 and said in done.stderr
