"""The training script as its users meet it, and its four networks against PyTorch."""

import csv
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.training import cli, train_epoch

SCRIPT = Path(__file__).parents[2] / "examples" / "train_mnist.py"
MODELS = ["mlp", "mlp-bn", "conv", "conv-bn"]
PARAMETERS = {"mlp": 79_510, "mlp-bn": 79_710, "conv": 6_486, "conv-bn": 6_530}
SMALL = ["--limit-train", "512", "--limit-valid", "300"]


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("train_mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(*args, prelude=""):
    """The command line that runs the script, after some lines of Python if wanted."""
    if not prelude:
        return [sys.executable, str(SCRIPT), *map(str, args)]
    run = (
        f"{prelude}\nimport runpy, sys; sys.argv[0] = {str(SCRIPT)!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return [sys.executable, "-c", run, *map(str, args)]


def environment(**extra):
    """This environment, in which the script finds the package that is being tested."""
    return {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), **extra}


def train(folder, *args, prelude="", **extra):
    """Run the script in `folder`, and give what it printed."""
    done = subprocess.run(
        command(*args, prelude=prelude), cwd=folder, env=environment(**extra), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def figures(path):
    """The rows of metrics.csv but for the seconds."""
    with (path / "metrics.csv").open(newline="") as file:
        return [{name: float(text) for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def call(example, monkeypatch, *args):
    """The exit code of the script, run in this process and without the picture, for speed."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, args)])
    monkeypatch.setattr(example.training, "plot_curves", lambda *args: None)
    with pytest.raises(SystemExit) as caught:
        sys.exit(cli.run(example.main))
    return caught.value.code


def rows_of_the_table(lines):
    """The cells of each row, without the headings."""
    cells = [line.split() for line in lines]
    return [row for row in cells if len(row) == 6 and row[0].isdigit()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs: the folder it was started in, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder, *SMALL, "--epochs", 2, "--seed", 7)


def test_it_writes_into_a_folder_named_after_the_model(run):
    folder, _ = run
    names = {path.name for path in (folder / "runs" / "conv-bn").iterdir()}
    assert names - {"curves.png"} == {"metrics.csv", "result.json"}
    if importlib.util.find_spec("matplotlib"):
        assert "curves.png" in names


def test_what_it_prints(run):
    _, done = run
    out = done.stdout
    assert "data: embedded in the package (SHA-256 verified)\n512 images to train on, 300 to validate\n" in out
    assert "0 (Conv2d)" in out and "(1, 6, 28, 28)" in out and "6,530 parameters" in out
    assert "sgd, learning rate 0.1, batches of 32, seed 7" in out
    lines = out.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert lines[heading].split("  ") == [
        *("epoch", "train loss", "train accuracy", "valid loss", "valid accuracy", "seconds")
    ]
    assert [line.split()[0] for line in lines[heading + 1 : heading + 3]] == ["1", "2"]
    assert lines[-2].startswith("validation accuracy: best 0.") and ", final 0." in lines[-2]
    assert "\r" not in out and "\x1b" not in out
    assert done.stderr == ""


def test_the_metrics_are_those_that_were_printed(run):
    folder, done = run
    rows = figures(folder / "runs" / "conv-bn")
    for row, cells in zip(rows, rows_of_the_table(done.stdout.splitlines()), strict=True):
        names = ["epoch", "train_loss", "train_acc", "valid_loss", "valid_acc"]
        assert [row[name] for name in names] == pytest.approx([float(cell) for cell in cells[:-1]], abs=5.1e-5)
        assert 0 <= row["train_acc"] <= 1 and 0 <= row["valid_acc"] <= 1


def test_the_result_has_the_accuracy_the_settings_and_the_version(run):
    folder, _ = run
    result = json.loads((folder / "runs" / "conv-bn" / "result.json").read_text())
    accuracies = [row["valid_acc"] for row in figures(folder / "runs" / "conv-bn")]
    assert result["final_valid_acc"] == accuracies[-1]
    assert result["best_valid_acc"] == max(accuracies)
    assert result["best_epoch"] == accuracies.index(max(accuracies)) + 1
    assert result["version"] == minigrad.__version__
    settings = result["settings"]
    assert (settings["model"], settings["epochs"], settings["batch_size"]) == ("conv-bn", 2, 32)
    assert (settings["optimizer"], settings["lr"], settings["seed"]) == ("sgd", 0.1, 7)
    assert (settings["train_images"], settings["valid_images"]) == (512, 300)


def test_the_same_seed_gives_the_same_figures_in_a_folder_of_its_own(run):
    folder, _ = run
    train(folder, *SMALL, "--epochs", 2, "--seed", 7)
    assert figures(folder / "runs" / "conv-bn-2") == figures(folder / "runs" / "conv-bn")


def test_another_seed_gives_other_figures(run, example, monkeypatch, tmp_path):
    folder, _ = run
    assert call(example, monkeypatch, *SMALL, "--epochs", 1, "--seed", 8, "--out", tmp_path / "other") == 0
    assert figures(tmp_path / "other")[0] != figures(folder / "runs" / "conv-bn")[0]


def test_it_learns(example, monkeypatch, tmp_path):
    args = ["--limit-train", 4000, "--limit-valid", 1000, "--epochs", 1, "--out", tmp_path / "run"]
    assert call(example, monkeypatch, *args) == 0
    assert figures(tmp_path / "run")[0]["valid_acc"] > 0.8


def test_it_works_without_numba_tqdm_and_matplotlib(tmp_path):
    missing = "import sys; sys.modules.update(dict.fromkeys(['numba', 'tqdm', 'matplotlib', 'matplotlib.figure']))"
    args = [*SMALL, "--epochs", 1, "--model", "mlp-bn", "--optimizer", "adam", "--out", "run"]
    done = train(tmp_path, *args, prelude=missing)
    assert "no curves.png: plot_curves: needs matplotlib" in done.stdout
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"metrics.csv", "result.json"}
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["backend"], result["settings"]["lr"]) == ("numpy", 0.001)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    # A shell starts jobs in the background with Ctrl-C ignored, and the script would inherit that from the tests.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    args = command("--limit-train", 2000, "--limit-valid", 100, "--epochs", 10_000, "--out", "run", prelude=heard)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(args, cwd=tmp_path, env=environment(), **pipes) as process:
        for line in process.stdout:
            if line.startswith("    2 "):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    rows = figures(tmp_path / "run")
    assert err == f"train_mnist.py: interrupted; finished epochs, in run/metrics.csv: {len(rows)}\n"
    assert len(rows) >= 2 and [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["metrics.csv"]


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_reader_that_has_gone_ends_it_in_silence(tmp_path):
    args = command("--model", "mlp", *SMALL, "--epochs", 10_000, "--out", "run")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(args, cwd=tmp_path, env=environment(), **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_bar_on_a_terminal_and_the_table_beside_it(tmp_path):
    pytest.importorskip("tqdm")
    import pty

    ours, theirs = pty.openpty()
    args = command("--model", "mlp", *SMALL, "--epochs", 2, "--out", "run")
    with subprocess.Popen(args, cwd=tmp_path, env=environment(COLUMNS="100"), stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                shown += chunk
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"epoch 1/2:" in shown and b"/16, " in shown and b"left, validating" in shown
    # What stays on each line is what was written last, after the bar had been wiped out.
    lines = [line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode().strip() for line in shown.split(b"\n")]
    assert [row[0] for row in rows_of_the_table(lines)] == ["1", "2"]


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--epochs", "0"], "--epochs: needs a whole number of at least 1, got '0'"),
        (["--epochs", "2.5"], "--epochs: needs a whole number of at least 1, got '2.5'"),
        (["--lr", "-0.1"], "--lr: needs a number above 0, got '-0.1'"),
        (["--lr", "nan"], "--lr: needs a number above 0, got 'nan'"),
        (["--batch-size", "1"], "--batch-size: needs a whole number of at least 2, got '1'"),
        (["--seed", "-1"], "--seed: needs a whole number of at least 0, got '-1'"),
        (["--model", "resnet"], "--model: invalid choice: 'resnet'"),
        (["--optimizer", "lion"], "--optimizer: invalid choice: 'lion'"),
        (["--limit-train", "0"], "--limit-train: needs a whole number of at least 2, got '0'"),
        (["--data-dir", "nowhere"], "error: --data-dir nowhere: there is no train-images-idx3-ubyte with train-labels"),
        (["--overwrite"], "--overwrite needs --out"),
    ],
)
def test_a_bad_option_is_one_line_and_writes_nothing(example, monkeypatch, capsys, tmp_path, args, fault):
    monkeypatch.chdir(tmp_path)
    assert call(example, monkeypatch, *args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("train_mnist.py: error: ") and fault in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def write_idx(path, array):
    """An IDX file of bytes."""
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def write_data(folder, train=8, test=8, size=28):
    """The four files, with so many images."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for half, n in (("train", train), ("t10k", test)):
        write_idx(folder / f"{half}-images-idx3-ubyte", rng.integers(0, 256, (n, size, size), np.uint8))
        write_idx(folder / f"{half}-labels-idx1-ubyte", rng.integers(0, 10, n, np.uint8))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"train": 0}, "too few training images in data: 0, and the least is 2"),
        ({"train": 1}, "too few training images in data: 1, and the least is 2"),
        ({"test": 0}, "too few test images in data: 0, and the least is 1"),
        ({"size": 32}, "the training images in data are 32 x 32, and the networks take 28 x 28"),
        ("truncated", "t10k-images-idx3-ubyte: is truncated"),
    ],
)
def test_bad_data_are_one_line_and_nothing_is_written(example, monkeypatch, capsys, tmp_path, damage, fault):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data", **({} if damage == "truncated" else damage))
    if damage == "truncated":
        path = tmp_path / "data" / "t10k-images-idx3-ubyte"
        path.write_bytes(path.read_bytes()[:-1])
    assert call(example, monkeypatch, "--data-dir", "data") == 2
    err = capsys.readouterr().err
    assert err.startswith("train_mnist.py: error: ") and fault in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("model", ["mlp", "mlp-bn"])
def test_other_data_and_a_last_batch_of_one_image(example, monkeypatch, capsys, tmp_path, model):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data", train=33, test=33)
    seen = []
    train_epoch = example.training.trainer.train_epoch

    def count(model, loader, *args):
        seen.extend(len(images) for images, _ in loader)
        return train_epoch(model, loader, *args)

    monkeypatch.setattr(example.training.trainer, "train_epoch", count)
    args = ["--data-dir", "data", "--model", model, "--epochs", "1", "--limit-train", "1000000", "--out", "run"]
    assert call(example, monkeypatch, *args) == 0
    out = capsys.readouterr().out
    if model == "mlp":
        assert "data: data\n33 images to train on, 33 to validate\n" in out and seen == [32, 1]
    else:
        assert "33 images to train on (one an epoch is left out: batch norm" in out and seen == [32]
    assert len(figures(tmp_path / "run")) == 1


def test_an_earlier_run_is_overwritten_only_when_asked_to(example, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("earlier")
    args = ["--model", "mlp", *SMALL, "--epochs", "1", "--out", "run"]
    assert call(example, monkeypatch, *args) == 2
    out, err = capsys.readouterr()
    assert out == "" and "run" in err and "of an earlier run" in err
    assert (tmp_path / "run" / "metrics.csv").read_text() == "earlier"
    assert call(example, monkeypatch, *args, "--overwrite") == 0
    assert len(figures(tmp_path / "run")) == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow is what it is about
def test_a_loss_that_diverges_is_one_line(example, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(example, monkeypatch, "--model", "mlp", *SMALL, "--lr", "1e30", "--out", "run") == 1
    err = capsys.readouterr().err
    assert err.startswith("train_mnist.py: error: the loss became ") and err.count("\n") == 1
    assert figures(tmp_path / "run") == []


@pytest.fixture(scope="module")
def digits(example):
    """The first 2,000 training images, one batch after another."""
    return list(minigrad.data.DataLoader(example.load(None, train=True, limit=2000)[0], 32))


def test_pixels_are_scaled_from_minus_one_to_one(digits):
    images = np.concatenate([images.array for images, _ in digits])
    assert images.shape == (2000, 1, 28, 28) and images.dtype == np.float32
    assert (images.min(), images.max()) == (-1.0, 1.0)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "rmsprop", "adagrad"])
def test_every_optimizer_learns_with_its_own_learning_rate(example, digits, name):
    minigrad.manual_seed(0)
    model = example.MODELS["mlp"][0]()
    make, lr = example.OPTIMIZERS[name]
    optimizer = make(model.parameters(), lr=lr)
    for _ in range(3):
        metrics = train_epoch(model, digits, nn.CrossEntropyLoss(), optimizer)
    assert metrics.accuracy > 0.8


@pytest.mark.parametrize("name", MODELS)
def test_the_networks_have_the_sizes_they_should(example, name):
    model = example.MODELS[name][0]()
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert example.MODELS[name][1] == (10 if name.startswith("mlp") else 5)
    assert model(minigrad.zeros(2, 1, 28, 28)).shape == (2, 10)


def torch_network(torch, name):
    """The same network in PyTorch."""
    layers = torch.nn
    return {
        "mlp": lambda: layers.Sequential(
            layers.Flatten(), layers.Linear(784, 100), layers.ReLU(), layers.Linear(100, 10)
        ),
        "mlp-bn": lambda: layers.Sequential(
            layers.Flatten(), layers.Linear(784, 100), layers.BatchNorm1d(100), layers.ReLU(), layers.Linear(100, 10)
        ),
        "conv": lambda: layers.Sequential(
            *(layers.Conv2d(1, 6, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2)),
            *(layers.Conv2d(6, 16, 5), layers.ReLU(), layers.MaxPool2d(2)),
            *(layers.Flatten(), layers.Linear(400, 10)),
        ),
        "conv-bn": lambda: layers.Sequential(
            *(layers.Conv2d(1, 6, 3, padding=1), layers.BatchNorm2d(6), layers.ReLU(), layers.MaxPool2d(2)),
            *(layers.Conv2d(6, 16, 5), layers.BatchNorm2d(16), layers.ReLU(), layers.MaxPool2d(2)),
            *(layers.Flatten(), layers.Linear(400, 10)),
        ),
    }[name]()


@pytest.mark.reference
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("name", MODELS)
def test_a_whole_training_step_equals_pytorchs(example, digits, name, dtype, tolerance, backend):
    torch = pytest.importorskip("torch")
    minigrad.manual_seed(0)
    ours, theirs = example.MODELS[name][0]().to(getattr(minigrad, dtype)), torch_network(torch, name)
    theirs.to(getattr(torch, dtype))
    theirs.load_state_dict({key: torch.tensor(value.array) for key, value in ours.state_dict().items()})

    images, labels = digits[0][0].to(getattr(minigrad, dtype)), digits[0][1]

    optimizer = optim.SGD(ours.parameters(), lr=0.1)
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(ours(images), labels)
    loss.backward()
    optimizer.step()

    their_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    their_optimizer.zero_grad()
    their_loss = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(images.array)), torch.tensor(labels.array))
    their_loss.backward()
    their_optimizer.step()

    assert loss.item() == pytest.approx(their_loss.item(), abs=tolerance, rel=0)
    for (key, mine), parameter in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        # Behind a batch norm the sums cancel, and PyTorch's own float32 gradient is 2.6e-5 from the float64 one.
        np.testing.assert_allclose(mine.grad.array, parameter.grad, rtol=0, atol=5 * tolerance, err_msg=f"{key}.grad")
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for key, value in ours.state_dict().items():
        np.testing.assert_allclose(value.array, state[key], rtol=0, atol=tolerance, err_msg=key)
