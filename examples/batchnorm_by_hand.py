"""What does batch norm do to the numbers, line by line? And why does it answer differently in evaluation?

    python examples/batchnorm_by_hand.py

The question: a notebook writes batch norm by hand. For arange(15).view(5, 3), a batch of five examples with three
features, every column becomes -1.4142, -0.7071, 0, 0.7071, 1.4142. The first part shows each step of the formula on
these numbers; the second, the layer with its running statistics, in training and in evaluation; the third, what an
example becomes in different company. Prints the tables, and writes by_hand.png (if matplotlib is there) into --out.
"""

import argparse
import io
import sys
import textwrap
from pathlib import Path

import numpy as np

import minigrad
from minigrad import Tensor, nn, training
from minigrad.training import cli

EPS = 1e-5
MOMENTUM = 0.1


class BatchNormByHand(nn.Module):
    """Batch norm for (N, C), written out."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(minigrad.ones(features))
        self.bias = nn.Parameter(minigrad.zeros(features))
        self.register_buffer("running_mean", minigrad.zeros(features))
        self.register_buffer("running_var", minigrad.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            mean, var = x.mean(0), x.var(0, correction=0)  # biased: divided by N
            with minigrad.no_grad():
                self.running_mean += MOMENTUM * (mean - self.running_mean)
                self.running_var += MOMENTUM * (x.var(0) - self.running_var)  # unbiased: divided by N - 1
        else:
            mean, var = self.running_mean, self.running_var
        return (x - mean) / (var + EPS).sqrt() * self.weight + self.bias


def say(text: str, indent: str = "") -> None:
    """A paragraph."""
    print(textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent))


def show(name: str, values: np.ndarray) -> None:
    """A line of a table: a name, and a number or the numbers of a column."""
    print(f"    {name:18}" + "".join(f"{v:9.4f}" for v in np.atleast_1d(values)))


def show_the_formula(x: np.ndarray) -> np.ndarray:
    """Print each step for the first column, and the result for all; give the result."""
    print("1. The formula: y = (x - mean) / sqrt(var + eps) * weight + bias\n")
    print("step by step, for the first column of arange(15).view(5, 3), with eps = 1e-5:\n")
    mean, var = x.mean(0), x.var(0)
    y = (x - mean) / np.sqrt(var + EPS)
    show("x", x[:, 0])
    show("mean", mean[0])
    show("x - mean", (x - mean)[:, 0])
    show("(x - mean)^2", ((x - mean) ** 2)[:, 0])
    show("var, their mean", var[0])
    show("sqrt(var + eps)", np.sqrt(var + EPS)[0])
    show("y", y[:, 0])
    show("2 y + 1", 2 * y[:, 0] + 1)
    print("\nThe last line is what weight 2 and bias 1 make of it; they start as 1 and 0, and are learned.")

    print("\nall columns: they differ by a constant, and batch norm does not see one\n")
    print("             x                    y")
    for before, after in zip(x, y, strict=True):
        print("    " + "".join(f"{v:5.0f}" for v in before) + "    " + "".join(f"{v:9.4f}" for v in after))

    def layer(x: np.ndarray) -> np.ndarray:
        return nn.BatchNorm1d(3)(minigrad.tensor(x, dtype=minigrad.float32)).detach().numpy()

    print("\nlargest difference from y, in float32, of\n")
    others = {"nn.BatchNorm1d(3)(x)": x, "the same of x + 1000": x + 1000, "the same of -10 x": -10 * x}
    for name, other in others.items():
        sign = np.sign(other[1, 0] - other[0, 0])
        print(f"    {name:22}{np.abs(sign * layer(other) - y).max():9.1e}" + ("    from -y" if sign < 0 else ""))
    return y


def compare_modes(x: np.ndarray, batches: int) -> list[tuple[float, float, float, float]]:
    """Send the same batch through the layer again and again, and print what evaluation makes of it.

    Gives, after 0, 1, 2... batches: running mean and variance of the first column, and the first number of the output
    in training and in evaluation.
    """
    by_hand, layer, batch = BatchNormByHand(3), nn.BatchNorm1d(3), minigrad.tensor(x, dtype=minigrad.float32)
    history, difference = [], 0.0
    with minigrad.no_grad():
        for count in range(batches + 1):
            if count:
                trained = by_hand.train()(batch)
                difference = max(difference, (trained - layer.train()(batch)).abs().max().item())
            evaluated = by_hand.eval()(batch)
            difference = max(difference, (evaluated - layer.eval()(batch)).abs().max().item())
            statistics = by_hand.running_mean[0].item(), by_hand.running_var[0].item()
            history.append((*statistics, trained[0, 0].item() if count else float("nan"), evaluated[0, 0].item()))

    print("\n2. Training and evaluation\n")
    say(
        "Training normalizes by the batch, evaluation by running statistics, which start as mean 0 and variance 1 and "
        "move a tenth of the way towards each batch (momentum 0.1). The same batch, again and again; first column:"
    )
    print()
    print("    batches   running  running    y[0, 0], the first number of the output")
    print("       seen      mean      var     training  evaluation")
    for count in (0, 1, 2, 5, 10, 20, 50, batches):
        mean, var, trained, evaluated = history[count]
        shown = f"{trained:13.4f}" if count else f"{'-':>13}"
        print(f"    {count:7}{mean:10.4f}{var:9.4f}{shown}{evaluated:12.4f}")
    print(f"\nnn.BatchNorm1d beside these lines of Python: the largest difference is {difference:.1e}.")
    biased, unbiased, y = x[:, 0].var(), x[:, 0].var(ddof=1), history[-1]
    ratio, of_images = np.sqrt(biased / unbiased), np.sqrt(25_087 / 25_088)
    print()
    say(
        f"Why {y[3]:.4f} and not {y[2]:.4f}, after so many batches? Training divides by the biased variance of the "
        f"batch, {biased:.1f}; running_var holds the unbiased one, {unbiased:.1f}, as an estimate for all data. The "
        f"outputs differ by a factor sqrt({biased:.1f} / {unbiased:.1f}) = {ratio:.4f}, as a channel has only five "
        f"values here. With the 25,088 of 32 MNIST images it is {of_images:.5f}."
    )
    return history


def compare_mates(x: np.ndarray) -> dict[str, tuple[list[float], list[float]]]:
    """Print what the first example becomes beside other examples, in training and in evaluation."""
    layer = nn.BatchNorm1d(3)
    batch = minigrad.tensor(x, dtype=minigrad.float32)
    mates = {"the other four": batch, "the next two": batch[:3], "four of its kind": batch[:1].repeat(5, 1)}
    print("\n3. The first example, (0, 1, 2), in different company\n")
    print("    beside               in training                 in evaluation")
    with minigrad.no_grad():
        for _ in range(100):
            layer(batch)
        evaluated = {name: layer.eval()(company)[0].tolist() for name, company in mates.items()}
        trained = {name: layer.train()(company)[0].tolist() for name, company in mates.items()}
    outputs = {name: (trained[name], evaluated[name]) for name in mates}
    for name, rows in outputs.items():
        print(f"    {name:17}" + "    ".join("".join(f"{v:8.4f}" for v in row) for row in rows))
    print("\nand alone, in training:\n")
    try:
        layer(batch[:1])
    except ValueError as error:
        say(f"ValueError: {error}", "    ")
    return outputs


def draw(x: np.ndarray, y: np.ndarray, history: list[tuple[float, float, float, float]], path: Path) -> None:
    """The columns before and after, and the first output over the batches. ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    before, after, modes = figure.subplots(1, 3, width_ratios=(1, 1, 1.4))
    for axes, values, title in ((before, x, "x = arange(15).view(5, 3)"), (after, y, "y = batch norm of x")):
        for column, marker in enumerate("osD"):
            size = 9 - 3 * column if axes is after else 6  # they coincide
            axes.plot(range(5), values[:, column], marker, markersize=size, label=f"column {column}")
        axes.set(title=title, xlabel="example", xticks=range(5))
        axes.grid(alpha=0.3)
        axes.legend()
    after.set_yticks([-np.sqrt(2), -np.sqrt(0.5), 0, np.sqrt(0.5), np.sqrt(2)])
    trained, evaluated = (np.array(history)[:, column] for column in (2, 3))
    modes.plot(evaluated, "-", label="evaluation: running statistics")
    modes.plot(trained, "--", label="training: those of the batch")
    modes.axhline(evaluated[-1], color="gray", linewidth=0.8, linestyle=":")
    modes.set(title="y[0, 0] for the same batch, again and again", xlabel="batches seen in training")
    modes.text(len(trained) - 1, evaluated[-1] + 0.03, f"{evaluated[-1]:.4f}", ha="right")
    modes.text(len(trained) - 1, trained[-1] - 0.08, f"{trained[-1]:.4f}", ha="right")
    modes.set_ylim(bottom=trained[-1] - 0.15)
    modes.grid(alpha=0.3)
    modes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    training.write_atomically(path, picture.getvalue())


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--out", help="folder for the picture (default: a new one, runs/batchnorm-by-hand)")
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    try:
        if args.out:
            out = Path(args.out)
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = training.new_run_directory("runs/batchnorm-by-hand")
    except OSError as error:
        cli.fail(error)
    x = np.arange(15.0).reshape(5, 3)
    y = show_the_formula(x)
    history = compare_modes(x, 100)
    compare_mates(x)
    try:
        draw(x, y, history, out / "by_hand.png")
    except ImportError as error:
        print(f"\nno by_hand.png: {error}")
    else:
        print(f"\nby_hand.png is in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
