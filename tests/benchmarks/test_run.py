"""The benchmark command: what it runs, what it makes of the figures, and what it writes. No time is judged here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from suite import growth, jax_steps, libraries, limits, machine, measure, picture, report, start, steps, worker
from suite.measure import Measured
from suite.row import Row, Target, Task, ratio, seconds, share
from suite.workers import WorkerError

import minigrad
from minigrad import nn

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def load(path):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*args):
    """The benchmark as a command."""
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *map(str, args)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def command():
    return load(ROOT / "benchmarks" / "run.py")


def library(name):
    """A library in this process, its number of threads left alone."""
    return libraries.load(name, minigrad.get_num_threads())


# -------------------------------------------------------------------------------------------------- the rows


def test_rows_have_names_of_their_own_and_fit_the_table(command):
    names = [row.name for row in command.all_rows()]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 32


def test_every_row_of_the_target_table_is_there(command):
    names = "\n".join(f"{row.name}: {row.targets}" for row in command.all_rows() if row.targets)
    for work in (
        *("step of conv-bn, batch 32", "step of conv, batch 128", "step of mlp-bn, batch 128", "step of mlp, batch 32"),
        *("conv2d 6->16 5x5", "conv2d 32->64 3x3", "conv2d 64->64 3x3", "max pool 2x2 (128, 6, 28, 28)"),
        *("batch norm (32, 64, 28, 28)", "batch norm (128, 6, 28, 28)", "relu", "softmax"),
        *("cross entropy (128, 10)", "cross entropy (128, 1000)", "linear 32x784->100", "linear 256x1024->1024"),
        *("SGD", "Adam", "long chain, 1,000 ops", "import", "nothing on disk", "kernels on disk", "memory"),
    ):
        assert work in names


def test_a_quick_run_has_fewer_sizes(command):
    all_of_them, quick = ({row.name for row in command.all_rows(quick)} for quick in (False, True))
    assert quick < all_of_them and len(all_of_them - quick) > 5


def test_limits_come_with_the_rows_that_are_held_against_them(command):
    rows = command.all_rows()
    assert [row.name for row in command.chosen(rows, ["RELU"])][-1] == limits.TRIAD
    assert [row.name for row in command.chosen(rows, ["linear 32"])] == ["linear 32x784->100", limits.PEAK]
    assert [row.name for row in command.chosen(rows, ["start: import"])] == ["import"]
    assert command.chosen(rows, ["no such row"]) == []
    assert command.chosen(rows, None) == rows


@pytest.mark.parametrize("name", steps.NETWORKS)
def test_the_networks_are_those_of_the_example(name):
    make, _ = load(ROOT / "examples" / "train_mnist.py").MODELS[name]
    assert repr(steps.network(nn, name)) == repr(make())


@pytest.mark.parametrize("name", steps.NETWORKS)
def test_the_multiplications_of_a_network_are_counted(name):
    shape, total, first = (1, 1, 28, 28), 0, True
    for layer in steps.network(nn, name):
        shape = layer(minigrad.zeros(*shape)).shape if "Norm" not in type(layer).__name__ else shape
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            pixels = shape[2] * shape[3] if len(shape) == 4 else 1
            total += (2 if first else 3) * layer.weight.numel() * pixels  # no gradient of the images
            first = False
    assert steps.multiplications(name) == total


def test_batches_are_the_images_in_the_order_that_is_asked_for():
    images, labels = next(library("minigrad").batches(3, train=False))
    pixels, targets = libraries.numbers.mnist(train=False)
    index = libraries.numbers.order(len(pixels))[:3]
    np.testing.assert_allclose(images.numpy(), pixels[index] / 127.5 - 1, atol=1e-6)
    assert labels.tolist() == targets[index].tolist()


def eager(command):
    """The rows of PyTorch's names; large ones, and those of other kinds, left out."""
    rows = [row for row in command.all_rows() if row.make.partition(".")[0] in ("steps", "layers", "updates", "growth")]
    return [row for row in rows if getattr(row, "size", 0) < 40 and (row.flop or 0) < 5e8]


@pytest.mark.reference
def test_minigrad_and_pytorch_compute_the_same(command):
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    ours, theirs = library("minigrad"), library("pytorch")
    try:
        for row in eager(command):
            module, function = row.make.split(".")
            make = getattr(importlib.import_module(f"suite.{module}"), function)
            results = [make(each, *row.arguments).results() for each in (ours, theirs)]
            assert measure.disagreement(*results) == "", row.name
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["mlp-bn", "conv-bn"])
def test_minigrad_and_jax_compute_the_same(name):
    pytest.importorskip("jax")
    theirs = jax_steps.step(steps.layers(name), 8, steps.LEARNING_RATE).results()
    assert measure.disagreement(steps.step(library("minigrad"), name, 8).results(), theirs) == ""


# ----------------------------------------------------------------------------------------------- the figures


def measured(row, **samples):
    return Measured(row, {name: list(values) for name, values in samples.items()})


CONV = Row("layers", "conv", targets={"pytorch": Target(ratio(1.0), ratio(0.5))}, flop=4e9)
NORM = Row("layers", "norm", targets={"pytorch": Target(ratio(0.7), share(0.7))}, bytes=8e9)
COLD = Row("start", "cold", targets={"": Target(seconds(10), seconds(4))}, libraries=("minigrad",))
MEMORY = Row("start", "memory", targets={"pytorch": Target(ratio(0.6))}, unit="B")
CHAIN = Row("engine", "chain", targets={"mygrad": Target(ratio(0.2))}, libraries=("minigrad", "pytorch", "mygrad"))
POINTS = [growth.Point("growth", f"n: {n}", sweep=next(iter(growth.SWEEPS)), size=n) for n in (1, 10, 100)]


def everything():
    """Figures of rows of each kind, as if they had been measured."""
    return [
        measured(CONV, minigrad=[2.0, 8.0, 6.0], pytorch=[4.0, 4.0, 12.0]),
        measured(NORM, minigrad=[2.0, 2.0, 2.0], pytorch=[4.0, 4.0, 4.0]),
        measured(COLD, minigrad=[5.0, 6.0]),
        measured(MEMORY, minigrad=[150 * 2**20], pytorch=[200 * 2**20]),
        measured(CHAIN, minigrad=[1e-3] * 3, pytorch=[2e-3] * 3, mygrad=[1e-2] * 3),
        Measured(Row("layers", "broken"), error="minigrad: ValueError: no"),
        *(measured(row, minigrad=[row.size**2.0], pytorch=[3.0 * row.size]) for row in POINTS),
        measured(Row("limits", limits.PEAK, flop=2e9), minigrad=[1.0, 0.5]),
        measured(Row("limits", limits.TRIAD, bytes=10e9), minigrad=[3.0, 4.0], pytorch=[2.0, 4.0]),
    ]


def test_limits_are_the_best_of_all_libraries_and_rounds():
    assert report.best(everything()) == {limits.PEAK: 4e9, limits.TRIAD: 5e9}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    line = report.results(everything())[0]
    assert line["minigrad"] == {"median": 6.0, "low": 4.0, "high": 7.0}
    assert line["ratio"] == {"median": 0.5, "low": 0.5, "high": 1.25}
    assert (line["must"], line["must holds"], line["aim"], line["aim holds"]) == ("1.00", True, "0.50", True)
    assert line["samples"] == {"minigrad": [2.0, 8.0, 6.0], "pytorch": [4.0, 4.0, 12.0]}


def test_shares_of_the_limit():
    conv, norm = report.results(everything())[:2]
    assert (conv["limit"], conv["share"], conv["their share"]) == (limits.PEAK, 4 / 6 / 4, 1 / 4)
    assert (norm["limit"], norm["share"]) == (limits.TRIAD, 0.8)
    assert norm["aim holds"]


@pytest.mark.parametrize(
    ("bound", "kept", "broken"),
    [
        (ratio(0.5), (0.5, 9.0, None), (0.51, 0.1, 1.0)),
        (seconds(4), (None, 4.0, None), (0.1, 4.1, 1.0)),
        (share(0.7), (9.0, 9.0, 0.7), (0.1, 0.1, 0.69)),
        (share(0.7), (9.0, 9.0, 0.8), (0.1, 0.1, None)),
        (ratio(0.5), (0.1, 9.0, None), (None, 0.1, 1.0)),
    ],
)
def test_bounds(bound, kept, broken):
    assert bound.holds(*kept) and not bound.holds(*broken)


def test_slopes_are_powers():
    (line,) = report.sweeps(everything())
    assert line["sizes"] == [1, 10, 100] and line["seconds"]["minigrad"] == [1, 100, 10000]
    assert line["slopes"] == {"minigrad": pytest.approx(2), "pytorch": pytest.approx(1)}


def test_the_table_says_what_holds():
    lines = report.results(everything())
    text = report.table(lines)
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]] == [
        ["conv", "6.00 s", "4.00 s", "0.50 (0.50-1.25)", "1.00", "0.50", "aim", "17% peak"],
        ["norm", "2.00 s", "4.00 s", "0.50 (0.50-0.50)", "0.70", "70%", "aim", "80% triad"],
        ["cold", "5.50 s", "", "", "10 s", "4 s", "must", ""],
        ["memory", "150 MiB", "200 MiB", "0.75 (0.75-0.75)", "0.60", "", "NO", ""],
        ["chain", "1.00 ms", "2.00 ms", "0.50 (0.50-0.50)", "", "", "", ""],
        ["chain / MyGrad", "1.00 ms", "10.0 ms", "0.10 (0.10-0.10)", "0.20", "", "must", ""],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1
    assert report.summary(lines) == {"must": [4, 5], "aim": [2, 3]}


def test_the_text_names_what_was_not_measured():
    about = {"date": "d", "processor": "p", "threads": 2, "cores": 2, "system": "s", "python": "3", "rounds": 3}
    about |= {
        "turn": 0.1,
        "busy with others": 1.5,
        "libraries": {"minigrad": "0"},
        "not installed": ["jax"],
        "limits": {},
    }
    text = report.text(about, report.results(everything()), report.sweeps(everything()))
    assert "NOT MEASURED: broken: minigrad: ValueError: no" in text
    assert "NOTE: other programs kept 1.5 processors busy" in text
    assert "left out: JAX" in text
    assert "must holds in 4 of 5 rows; aim holds in 2 of 3 rows" in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.234, "s", "1.23 s"), (0.01234, "s", "12.3 ms"), (123.4e-6, "s", "123 µs"), (5e-9, "s", "0.01 µs"),
     (0.9999, "s", "1000 ms"), (2.5 * 2**20, "B", "2.50 MiB")],
)  # fmt: skip
def test_quantities_have_three_digits(value, unit, text):
    assert report.quantity(value, unit) == text


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    about = {"processor": "p", "threads": 2, "date": "2025-01-01", "libraries": {}}
    lines, sweeps = report.results(everything()), report.sweeps(everything())
    for name, arguments in {"all": (lines, sweeps), "bars": (lines, []), "sweeps": ([], sweeps)}.items():
        picture.draw(about, *arguments, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    picture.draw(about, [], [], tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()


# -------------------------------------------------------------------------------------------- the measurement


def test_a_turn_counts_the_runs_after_the_warm_up(monkeypatch):
    now, taken = [0.0], []

    def work():
        taken.append(0.01 if len(taken) < 2 else 0.004)  # the first two are the warm-up
        now[0] += taken[-1]

    monkeypatch.setattr(worker.time, "perf_counter", lambda: now[0])
    assert worker.turn(work, 0.1) == pytest.approx(0.004)
    assert 0.1 <= sum(taken[2:]) < 0.12


def test_a_long_run_is_taken_three_times(monkeypatch):
    now, taken = [0.0], []

    def work():
        taken.append(1.0)
        now[0] += 1

    monkeypatch.setattr(worker.time, "perf_counter", lambda: now[0])
    assert worker.turn(work, 0.1) == 1.0
    assert len(taken) == 1 + worker.LEAST


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([np.ones(3)], ""),
        ([np.full(3, 1.0005)], ""),
        ([np.full(3, 1.01)], "result 0, of shape (3,), is off by 0.01 where the largest number is 1"),
        ([np.array([1, np.nan, 1])], "result 0, of shape (3,), is off by nan where the largest number is nan"),
        ([np.ones(2)], "result 0 has the shapes (3,) and (2,)"),
        ([], "1 results against 0"),
    ],
)
def test_disagreement(theirs, said):
    assert measure.disagreement([np.ones(3)], theirs) == said


class StandIn:
    """In the place of a process: it makes a row ready and takes turns, in no time."""

    def __init__(self, value, turns):
        self.value, self.turns = value, turns

    def ask(self, do, **arguments):
        if do == "prepare" and arguments["row"] == "broken":
            raise WorkerError("stand-in: no such thing")
        if do == "prepare":
            np.savez(arguments["results"], self.value)
        if do == "time":
            self.turns.append((arguments["row"], self.value))
        return 1.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_libraries_take_turns_in_rounds_over_all_rows(monkeypatch, capsys):
    turns, values = [], {"minigrad": 1.0, "pytorch": 1.0001, "numpy": 2.0}
    monkeypatch.setattr(measure, "Process", lambda name, threads: StandIn(values[name], turns))
    both, alone = ("minigrad", "pytorch"), ("minigrad",)
    rows = [Row("f", "a", libraries=both), Row("f", "broken"), Row("f", "b", libraries=alone, most=1)]
    wrong = Row("f", "wrong", libraries=("minigrad", "numpy"))
    measurement = measure.Measurement([*rows, wrong], list(values), threads=1, seconds=0.1)
    measurement.run(rounds=2)
    a, broken, b, wrong = measurement.found
    assert turns == [("a", 1.0), ("a", 1.0001), ("b", 1.0), ("a", 1.0), ("a", 1.0001)]
    assert a.samples == {"minigrad": [1.0, 1.0], "pytorch": [1.0, 1.0]} and b.samples == {"minigrad": [1.0]}
    assert broken.error == "stand-in: no such thing"
    assert wrong.error.startswith("minigrad and numpy do not compute the same: result 0, of shape (), is off by 1 ")
    assert "wrong: minigrad and numpy do not compute the same" in capsys.readouterr().err


def test_a_worker_says_what_went_wrong_and_goes_on(tmp_path):
    with measure.Process("numpy", 1) as process:
        with pytest.raises(WorkerError, match=r"numpy: AttributeError: .*no_such_function"):
            process.ask("prepare", row="a", make="layers.no_such_function", arguments=[], results="")
        file = tmp_path / "results.npz"
        process.ask("prepare", row="a", make="engine.graph", arguments=["scalars"], results=str(file))
        assert process.ask("time", row="a", seconds=1e-3) > 0
        with np.load(file, allow_pickle=False) as arrays:
            assert f"{arrays['arr_0']:.4f}" == "24.7041"
    assert process.process.returncode == 0


def test_a_program_gives_what_it_prints(tmp_path):
    row = start.Program("start", "it", program="import os, {module}; print(bool(os.environ.get('NUMBA_CACHE_DIR')))")
    with pytest.raises(ValueError, match="True"):
        start.Program(row.family, row.name, program=row.program, cold=True).sample("numpy", 1)
    assert start.Program("start", "it", program="print({threads} + 0.5)").sample("minigrad", 2) == 2.5
    with pytest.raises(WorkerError, match="minigrad: the program of this row ended with status 1: ZeroDivisionError"):
        start.Program("start", "it", program="1 / 0").sample("minigrad", 1)


def test_the_programs_about_starting_run():
    for row in start.rows():
        if not row.cold:
            assert row.sample("minigrad", 1) > 0


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the system does not say how busy it is")
def test_what_others_take_is_told_from_what_we_take(monkeypatch):
    now = {"all": 100.0, "time": 10.0}
    monkeypatch.setattr(machine.Others, "_seconds", staticmethod(lambda: now["all"]))
    monkeypatch.setattr(machine.time, "monotonic", lambda: now["time"])
    others = machine.Others()
    now.update(all=106.0, time=14.0)
    assert others.busy() == 1.5
    monkeypatch.undo()
    assert machine.Others._seconds() is not None


def test_both_loops_of_the_limits_run():
    pytest.importorskip("numba")
    (result,) = limits.triad(library("minigrad")).results()
    assert (result == 2).all()
    assert isinstance(limits.peak(library("minigrad")), Task)


# ------------------------------------------------------------------------------------------------ the command


def test_the_command_prints_the_table_that_it_writes(tmp_path):
    options = "--quick", "--rounds", 2, "--threads", 1, "--out", tmp_path / "here", "--libraries", "minigrad", "numpy"
    done = run(*options, "--only", "scalars", "relu (128, 100)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "here" / "benchmarks.md").read_text()
    written = json.loads((tmp_path / "here" / "benchmarks.json").read_text())
    assert set(written) == {"about", "summary", "rows", "growth"}
    about = written["about"]
    assert about["threads"] == 1 and about["rounds"] == 2 and set(about["limits"]) == {limits.TRIAD}
    assert about["libraries"] == {"minigrad": minigrad.__version__, "numpy": np.__version__}
    relu, scalars = written["rows"]
    assert (relu["row"], relu["beside"], relu["ratio"], relu["must holds"]) == ("relu (128, 100)", "", None, None)
    assert (scalars["row"], scalars["beside"]) == ("scalars, 25 ops", "numpy")
    for row in written["rows"]:
        assert len(row["samples"]["minigrad"]) == 2
        assert 0 < row["minigrad"]["low"] <= row["minigrad"]["median"] <= row["minigrad"]["high"]
    for line in done.stdout.splitlines():
        if line.startswith("|"):
            assert len(line) <= 120
    assert "relu (128, 100)" in done.stdout and "scalars, 25 ops / NumPy" in done.stdout


def test_what_can_be_asked_of_the_command():
    for options, status, said in [
        (["--list", "--only", "softmax (128, 10)"], 0, "layers: softmax (128, 10)\n"),
        (["--only", "nothing like it"], 2, "no row has 'nothing like it' in its family or name"),
        (["--rounds", "0"], 2, "must be at least 1, got 0"),
        (["--libraries", "tensorflow"], 2, "invalid choice: 'tensorflow'"),
    ]:
        done = run(*options)
        assert done.returncode == status and said in done.stdout + done.stderr
