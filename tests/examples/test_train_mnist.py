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
from minigrad.training import cli, evaluate, train_epoch

SCRIPT = Path(__file__).parents[2] / "examples" / "train_mnist.py"
MODELS = ["mlp", "mlp-bn", "conv", "conv-bn"]
PARAMETERS = {"mlp": 79_510, "mlp-bn": 79_710, "conv": 6_486, "conv-bn": 6_530}
NORMS = ["none", "batch", "virtual", "invertible", "layer", "group", "instance"]
PAIRS = [(network, norm) for network in ("mlp", "conv") for norm in NORMS if (network, norm) != ("mlp", "instance")]
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


def figures(path, *but):
    """The rows of metrics.csv without the seconds, and other columns."""
    with (path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(text) for name, text in row.items() if name not in ("seconds", *but)} for row in rows]


def call(example, monkeypatch, *args):
    """The exit code of the script, run in this process and without the picture, for speed."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, args)])
    for name in ("plot_curves", "plot_comparison"):
        monkeypatch.setattr(example.training, name, lambda *args, **options: None)
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
        (["--norm", "batchnorm"], "--norm: invalid choice: 'batchnorm'"),
        (
            ["--model", "mlp", "--norm", "instance"],
            "--norm instance: instance norm averages over the pixels of a channel, and the units of mlp have no "
            "pixels, each would become 0; choose another norm, or --model conv",
        ),
        (["--model", "mlp", "--compare-norms", "batch,instance"], "--compare-norms batch,instance: instance norm av"),
        (
            ["--model", "mlp-bn", "--norm", "layer"],
            "--model mlp-bn is mlp with batch norm, which --norm layer contradicts; say --model mlp",
        ),
        (
            ["--model", "conv-bn", "--compare-norms", "batch,none"],
            "conv with batch norm, which --compare-norms batch,none contradicts; say --model conv",
        ),
        (["--norm", "layer", "--compare-norms", "batch,none"], "--compare-norms: not allowed with argument --norm"),
        (
            ["--compare-norms", "batch"],
            "--compare-norms: needs two or more different norms with commas between, got 'b",
        ),
        (["--compare-norms", "batch,batch"], "--compare-norms: needs two or more different norms with commas between"),
        (["--compare-norms", "batch, none"], "there is no norm ' none'; choose from none, batch, virtual, inv"),
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


def state_of(model):
    return {name: value.array.copy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(("network", "norm"), PAIRS)
def test_every_network_with_every_norm_trains_and_evaluates(example, monkeypatch, capsys, tmp_path, network, norm):
    monkeypatch.chdir(tmp_path)
    args = ["--model", network, "--norm", norm, "--limit-train", 128, "--limit-valid", 50, "--epochs", 2]
    assert call(example, monkeypatch, *args) == 0
    name = {"none": network, "batch": f"{network}-bn"}.get(norm, f"{network}-{norm}")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [name]
    assert f"\n{name}\nlayer " in capsys.readouterr().out
    first, second = figures(tmp_path / "runs" / name)
    assert second["train_loss"] < first["train_loss"]
    settings = json.loads((tmp_path / "runs" / name / "result.json").read_text())["settings"]
    assert (settings["norm"], settings["compare_norms"]) == (norm, None)
    assert settings["model"] == (name if norm == "batch" else network)


LAYERS = {
    "batch": (nn.BatchNorm1d, nn.BatchNorm2d),
    "virtual": (nn.VirtualBatchNorm1d, nn.VirtualBatchNorm2d),
    "invertible": (nn.InvertibleBatchNorm1d, nn.InvertibleBatchNorm2d),
    "layer": (nn.LayerNorm, nn.LayerNorm),
    "group": (nn.GroupNorm, nn.GroupNorm),
    "instance": (None, nn.InstanceNorm2d),
}


@pytest.mark.parametrize(("network", "norm"), PAIRS)
def test_a_norm_adds_its_layer_before_each_relu_and_no_other_weight(example, digits, network, norm):
    images = [(image, 0) for image in digits[0][0]]
    minigrad.manual_seed(5)
    plain = state_of(example.build(network, "none", images))
    minigrad.manual_seed(5)
    model = example.build(network, norm, images)
    kinds = [type(module) for module in model.modules() if not isinstance(module, nn.Sequential)]
    relus = [kinds[i - 1] for i, kind in enumerate(kinds) if kind is nn.ReLU]
    if norm != "none":
        assert relus == [LAYERS[norm][network == "conv"]] * (1 if network == "mlp" else 2)
    weights = [
        parameter.array
        for module in model.modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
        for parameter in module.parameters()
    ]
    assert all(np.array_equal(a, b) for a, b in zip(weights, plain.values(), strict=True))
    more = 0 if norm == "none" else 2 * (100 if network == "mlp" else 6 + 16)
    if (network, norm) == ("conv", "layer"):
        more = 2 * (6 * 28 * 28 + 16 * 10 * 10)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[network] + more


def test_batch_norm_has_one_network_under_two_names(example, monkeypatch, tmp_path):
    for out, args in (("a", ["--model", "mlp-bn"]), ("b", ["--model", "mlp", "--norm", "batch"])):
        assert call(example, monkeypatch, *args, *SMALL, "--epochs", 1, "--out", tmp_path / out) == 0
    assert figures(tmp_path / "a") == figures(tmp_path / "b")
    results = [json.loads((tmp_path / out / "result.json").read_text())["settings"] for out in "ab"]
    assert [(settings["model"], settings["norm"]) for settings in results] == [("mlp-bn", "batch")] * 2


@pytest.mark.parametrize(("network", "norm"), PAIRS)
def test_a_network_taken_up_again_from_its_state_dict_goes_on_bit_for_bit(example, digits, network, norm):
    images = [(image, 0) for batch, _ in digits[:3] for image in batch]
    loss_fn = nn.CrossEntropyLoss()

    def build(data):
        model = example.build(network, norm, data)
        return model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    model, optimizer = build(images)
    train_epoch(model, digits[:4], loss_fn, optimizer)
    kept, kept_steps = state_of(model), optimizer.state_dict()
    # Other images, so that a reference that the state dict had not kept would be another one.
    again, again_optimizer = build([(-image, 0) for image, _ in images])
    again.load_state_dict({name: minigrad.tensor(value) for name, value in kept.items()})
    again_optimizer.load_state_dict(kept_steps)

    assert evaluate(again, digits[4:6], loss_fn).loss == evaluate(model, digits[4:6], loss_fn).loss
    for a, b in ((model, optimizer), (again, again_optimizer)):
        train_epoch(a, digits[6:9], loss_fn, b)
    assert all(np.array_equal(again.state_dict()[name].array, value) for name, value in state_of(model).items())


def test_virtual_batch_norm_sees_the_first_training_images_and_no_batch_mates(example, digits):
    images = digits[0][0].array, digits[1][0].array, digits[2][0].array
    data = [(minigrad.tensor(image), 0) for image in np.concatenate(images)]
    model = example.build("conv", "virtual", data).eval()
    assert np.array_equal(model.reference.array, np.concatenate(images[:2]))
    assert not any(parameter is model.reference for parameter in model.parameters())
    with minigrad.no_grad():
        together, alone = model(minigrad.tensor(images[2])), model(minigrad.tensor(images[2][:1]))
    np.testing.assert_allclose(together.array[:1], alone.array, rtol=1e-5, atol=1e-5)
    assert example.build("mlp", "virtual", data[:3]).reference.shape == (3, 1, 28, 28)


def test_gradients_go_through_the_reference(example, digits):
    images = [(image, 0) for image in digits[0][0]]
    model = example.build("mlp", "virtual", images)
    reference = model.reference.requires_grad_()
    loss = nn.CrossEntropyLoss()(model(digits[1][0]), digits[1][1])
    loss.backward()
    assert np.abs(reference.grad.array).max() > 0


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Three norms compared: the folder of the results, and what was printed."""
    folder = tmp_path_factory.mktemp("comparison")
    return folder / "runs" / "mlp-norms", train(
        folder, "--model", "mlp", "--compare-norms", "none,virtual,batch", *SMALL, "--epochs", 2, "--seed", 7
    )


def test_a_comparison_trains_each_norm_as_if_alone(comparison, example, monkeypatch, tmp_path):
    folder, _ = comparison
    with (folder / "metrics.csv").open(newline="") as file:
        names = [(row["norm"], row["epoch"]) for row in csv.DictReader(file)]
    assert names == [(norm, epoch) for norm in ("none", "virtual", "batch") for epoch in "12"]
    alone = []
    for norm in ("none", "virtual", "batch"):
        args = ["--model", "mlp", "--norm", norm, *SMALL, "--epochs", 2, "--seed", 7, "--out", tmp_path / norm]
        assert call(example, monkeypatch, *args) == 0
        alone += figures(tmp_path / norm)
    assert figures(folder, "norm") == alone


def test_a_comparison_prints_one_table_and_writes_one_file_of_each_kind(comparison):
    folder, done = comparison
    assert done.stderr == ""
    names = {path.name for path in folder.iterdir()}
    assert names - {"curves.png"} == {"metrics.csv", "result.json"}
    if importlib.util.find_spec("matplotlib"):
        assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    lines = done.stdout.splitlines()
    assert "mlp with the norms none, virtual, batch" in lines
    assert [line for line in lines if line in ("mlp", "mlp-virtual", "mlp-bn")] == ["mlp", "mlp-virtual", "mlp-bn"]
    assert len(rows_of_the_table(lines)) == 6
    heading = next(i for i, line in enumerate(lines) if line.startswith("norm "))
    assert lines[heading + 4 :] == ["results in runs/mlp-norms"]
    result = json.loads((folder / "result.json").read_text())
    for line, norm, parameters in zip(lines[heading + 1 :], result["norms"], [79_510, 79_710, 79_710], strict=False):
        found = result["norms"][norm]
        assert (found["parameters"], found["epochs"], found["note"]) == (parameters, 2, "")
        assert line.split() == [
            norm,
            f"{parameters:,}",
            f"{found['seconds_per_epoch']:.1f}",
            f"{found['best_valid_acc']:.4f}",
            str(found["best_epoch"]),
            f"{found['final_train_loss']:.4f}",
            f"{found['final_valid_loss']:.4f}",
        ]
    settings = result["settings"]
    assert settings["compare_norms"] == list(result["norms"]) == ["none", "virtual", "batch"]
    assert (settings["model"], settings["norm"], settings["epochs"]) == ("mlp", None, 2)
    assert result["version"] == minigrad.__version__


DIVERGING = ["--model", "mlp", *SMALL, "--epochs", "1", "--compare-norms"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow is what it is about
def test_a_norm_that_diverges_is_a_result_and_the_others_go_on(example, monkeypatch, capsys, tmp_path):
    assert call(example, monkeypatch, *DIVERGING, "layer,none", "--lr", "10000", "--out", tmp_path / "run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("diverged in epoch 1: the loss became ") for line in lines)
    assert lines[-3].split(maxsplit=7) == ["layer", "79,710", *"-----", "diverged in epoch 1"]
    assert lines[-2].startswith("none ") and "-" not in lines[-2].split()
    norms = json.loads((tmp_path / "run" / "result.json").read_text())["norms"]
    assert (norms["layer"]["note"], norms["layer"]["best_valid_acc"]) == ("diverged in epoch 1", None)
    assert (norms["none"]["note"], norms["none"]["epochs"]) == ("", 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_if_every_norm_diverges_the_run_has_failed(example, monkeypatch, capsys, tmp_path):
    assert call(example, monkeypatch, *DIVERGING, "layer,none", "--lr", "1e30", "--out", tmp_path / "run") == 1
    err = capsys.readouterr().err
    assert err == "train_mnist.py: error: no norm got through its first epoch; a smaller --lr is the usual cure\n"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["metrics.csv"]


def test_ctrl_c_in_a_comparison_says_how_far_each_norm_came(example, monkeypatch, capsys, tmp_path):
    evaluate, calls = example.training.trainer.evaluate, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 4:  # in the second epoch of the second norm
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(example.training.trainer, "evaluate", interrupted)
    args = ["--model", "mlp", *SMALL, "--epochs", 2, "--compare-norms", "group,none", "--out", tmp_path / "run"]
    assert call(example, monkeypatch, *args) == 130
    said = f"interrupted; finished epochs, in {tmp_path}/run/metrics.csv: group 2, none 1\n"
    assert capsys.readouterr().err == f"train_mnist.py: {said}"
    assert [row["epoch"] for row in figures(tmp_path / "run", "norm")] == [1, 2, 1]


def test_a_last_batch_of_one_is_left_out_for_all_norms_or_for_none(example, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data", train=33, test=8)
    for norms, left_out in (("layer,virtual", False), ("layer,invertible", True)):
        args = ["--data-dir", "data", "--model", "mlp", "--compare-norms", norms, "--epochs", 1]
        assert call(example, monkeypatch, *args) == 0
        assert ("one an epoch is left out" in capsys.readouterr().out) == left_out
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"mlp-norms", "mlp-norms-2"}


def torch_network(torch, network, norm):
    """The same network in PyTorch."""
    layers = torch.nn

    def normalization(channels, *size):
        return {
            "none": list,
            "batch": lambda: [layers.BatchNorm2d(channels) if size else layers.BatchNorm1d(channels)],
            "layer": lambda: [layers.LayerNorm((channels, *size))],
            "group": lambda: [layers.GroupNorm(2, channels)],
            "instance": lambda: [layers.InstanceNorm2d(channels, affine=True)],
        }[norm]()

    if network == "mlp":
        return layers.Sequential(
            *(layers.Flatten(), layers.Linear(784, 100), *normalization(100), layers.ReLU(), layers.Linear(100, 10))
        )
    return layers.Sequential(
        *(layers.Conv2d(1, 6, 3, padding=1), *normalization(6, 28, 28), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Conv2d(6, 16, 5), *normalization(16, 10, 10), layers.ReLU(), layers.MaxPool2d(2)),
        *(layers.Flatten(), layers.Linear(400, 10)),
    )


@pytest.mark.reference
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize(
    ("network", "norm"), [(network, norm) for network, norm in PAIRS if norm not in ("virtual", "invertible")]
)
def test_a_whole_training_step_equals_pytorchs(example, digits, network, norm, dtype, tolerance, backend):
    torch = pytest.importorskip("torch")
    minigrad.manual_seed(0)
    ours, theirs = example.MODELS[network][0](norm).to(getattr(minigrad, dtype)), torch_network(torch, network, norm)
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
