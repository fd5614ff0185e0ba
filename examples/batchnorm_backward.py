"""The gradients of my naive batch norm backward differ from the framework's, in training and in testing. Why?

    python examples/batchnorm_backward.py

The question: a naive backward pass goes back through batch norm stage by stage (mean, centre, square, variance, square
root, inverse, scale), and its gradients are not those of a framework. Here the staged derivation, the fused formula,
the engine and finite differences stand side by side, in float64, in training and in testing, and with them what goes
wrong: in testing the mean and variance are constants, so the training derivation does not hold, whatever mean and
variance are put into it; and eps and the decay of the running statistics must be the framework's. Prints one table, and
writes backward.png (if matplotlib is there) into --out.
"""

import argparse
import io
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import training
from minigrad.training import cli

Array = np.ndarray

EPS = 1e-5  # PyTorch's and minigrad's; Keras has 1e-3
MOMENTUM = 0.1  # running = (1 - MOMENTUM) running + MOMENTUM batch
TOLERANCE = 1e-12  # what rounding explains in float64; finite differences are good to 1e-7 or so


class Gradients(NamedTuple):
    """Of the sum of dy * y, with respect to x (N, C), gamma (C,) and beta (C,)."""

    dx: Array
    dgamma: Array
    dbeta: Array


# ------------------------------------------------------------------------------- by hand, in NumPy


def staged_forward(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, tuple]:
    """Batch norm in training mode, one operation a line; also what the way back needs."""
    mean = x.mean(axis=0)
    centred = x - mean
    square = centred**2
    var = square.mean(axis=0)
    std = np.sqrt(var + eps)
    inverse = 1 / std
    xhat = centred * inverse
    y = gamma * xhat + beta
    return y, (gamma, centred, std, inverse, xhat)


def staged_backward(dy: Array, saved: tuple) -> Gradients:
    """The same lines, last to first; each gives the gradient of what it was computed from."""
    gamma, centred, std, inverse, xhat = saved
    N = len(dy)
    dbeta = dy.sum(axis=0)  # y = gamma xhat + beta
    dgamma = (dy * xhat).sum(axis=0)
    dxhat = dy * gamma
    dinverse = (dxhat * centred).sum(axis=0)  # xhat = centred inverse
    dcentred = dxhat * inverse
    dstd = -dinverse / std**2  # inverse = 1 / std
    dvar = dstd / (2 * std)  # std = sqrt(var + eps)
    dsquare = np.ones_like(dy) * dvar / N  # var = mean of square
    dcentred += dsquare * 2 * centred  # square = centred^2: centred was used twice
    dmean = -dcentred.sum(axis=0)  # centred = x - mean
    dx = dcentred + dmean / N  # mean = mean of x: x was used twice
    return Gradients(dx, dgamma, dbeta)


def fused_backward(dy: Array, x: Array, gamma: Array, eps: float) -> Gradients:
    """The stages in one formula: dx = gamma / std (dy - mean(dy) - xhat mean(dy xhat))."""
    std = np.sqrt(x.var(axis=0) + eps)
    xhat = (x - x.mean(axis=0)) / std
    dx = gamma / std * (dy - dy.mean(axis=0) - xhat * (dy * xhat).mean(axis=0))
    return Gradients(dx, (dy * xhat).sum(axis=0), dy.sum(axis=0))


def backward_with_constants(dy: Array, x: Array, gamma: Array, mean: Array, var: Array, eps: float) -> Gradients:
    """Batch norm in testing: mean and var do not depend on x, and dx = dy gamma / std."""
    std = np.sqrt(var + eps)
    return Gradients(dy * gamma / std, (dy * (x - mean) / std).sum(axis=0), dy.sum(axis=0))


def training_derivation(dy: Array, x: Array, gamma: Array, mean: Array, var: Array, eps: float) -> Gradients:
    """`staged_backward` with any mean and variance put in: right for those of the batch only."""
    std = np.sqrt(var + eps)
    return staged_backward(dy, (gamma, x - mean, std, 1 / std, (x - mean) / std))


# --------------------------------------------------------------- the engine, and finite differences


def engine(f: Callable, dy: Array, *inputs: Array, create_graph: bool = False) -> Gradients:
    """What backward gives; with create_graph, by the recorded pass, which differentiates the definition."""
    tensors = [minigrad.tensor(a, requires_grad=True) for a in inputs]
    gradients = minigrad.autograd.grad(f(*tensors), tensors, minigrad.tensor(dy), create_graph=create_graph)
    return Gradients(*(g.detach().numpy() for g in gradients))


def finite_differences(f: Callable, dy: Array, *inputs: Array) -> Gradients:
    """Central differences, one element of the inputs after the other."""

    def loss() -> float:
        return float((dy * f(*map(minigrad.tensor, inputs)).numpy()).sum())

    gradients, step = [], 1e-6
    for a in inputs:
        slope = np.empty_like(a)
        for place in np.ndindex(a.shape):
            before = a[place]
            a[place] = before + step
            above = loss()
            a[place] = before - step
            slope[place] = (above - loss()) / (2 * step)
            a[place] = before
        gradients.append(slope)
    return Gradients(*gradients)


# --------------------------------------------------------------------------------------- the table


class Row(NamedTuple):
    """A way to the gradients, and the gradients it gives."""

    name: str
    gradients: Gradients
    right: bool  # should it agree?


def compare(N: int = 16, C: int = 4) -> dict[str, list[Row]]:
    """The rows of the table for training and for testing; the first of each is the engine."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, C)) * [3.0, 1.0, 0.3, 0.1] + [5.0, 0.0, -1.0, 0.1]  # eps matters in the last column
    gamma, beta = rng.uniform(0.5, 2, C), rng.standard_normal(C)
    dy = rng.standard_normal((N, C))
    mean, var = np.zeros(C), np.ones(C)
    other_mean, other_var = np.zeros(C), np.ones(C)
    for _ in range(20):  # batches seen in training, and the running statistics they leave
        batch = rng.standard_normal((N, C)) * [3.0, 1.0, 0.3, 0.1] + [5.0, 0.0, -1.0, 0.1]
        batch_mean, batch_var = batch.mean(axis=0), batch.var(axis=0, ddof=1)
        mean, var = (1 - MOMENTUM) * mean + MOMENTUM * batch_mean, (1 - MOMENTUM) * var + MOMENTUM * batch_var
        other_mean = MOMENTUM * other_mean + (1 - MOMENTUM) * batch_mean
        other_var = MOMENTUM * other_var + (1 - MOMENTUM) * batch_var

    def train(x, gamma, beta):
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)

    def test(x, gamma, beta):
        return F.batch_norm(x, minigrad.tensor(mean), minigrad.tensor(var), gamma, beta, eps=EPS)

    inputs, zero, one = (x, gamma, beta), np.zeros(C), np.ones(C)
    return {
        "training": [
            Row("the engine: backward()", engine(train, dy, *inputs), True),
            Row("the engine: create_graph=True", engine(train, dy, *inputs, create_graph=True), True),
            Row("staged derivation", staged_backward(dy, staged_forward(x, gamma, beta, EPS)[1]), True),
            Row("fused formula", fused_backward(dy, x, gamma, EPS), True),
            Row("finite differences", finite_differences(train, dy, *inputs), True),
            Row(
                "mistake: mean, var as constants",
                backward_with_constants(dy, x, gamma, x.mean(axis=0), x.var(axis=0), EPS),
                False,
            ),
            Row("mistake: eps 1e-3 for 1e-5", fused_backward(dy, x, gamma, 1e-3), False),
        ],
        "testing": [
            Row("the engine: backward()", engine(test, dy, *inputs), True),
            Row("the engine: create_graph=True", engine(test, dy, *inputs, create_graph=True), True),
            Row("dx = dy gamma / sqrt(var + eps)", backward_with_constants(dy, x, gamma, mean, var, EPS), True),
            Row("finite differences", finite_differences(test, dy, *inputs), True),
            Row("mistake: staged, mean 0, var 1", training_derivation(dy, x, gamma, zero, one, EPS), False),
            Row("mistake: staged, running mean, var", training_derivation(dy, x, gamma, mean, var, EPS), False),
            Row(
                "mistake: decay 0.1 for 0.9",
                backward_with_constants(dy, x, gamma, other_mean, other_var, EPS),
                False,
            ),
        ],
    }


def differences(rows: list[Row]) -> dict[str, list[float]]:
    """For each row the largest differences of dx, dgamma and dbeta from those of the first."""
    truth = rows[0].gradients
    return {
        row.name: [float(np.abs(a - b).max()) for a, b in zip(row.gradients, truth, strict=True)] for row in rows[1:]
    }


def say(text: str) -> None:
    """A paragraph."""
    print(textwrap.fill(text, 100))


def show(table: dict[str, list[Row]]) -> None:
    """Print the largest differences from the engine's gradients."""
    N, C = table["training"][0].gradients.dx.shape
    say(
        f"Batch norm of x ({N}, {C}), float64, eps {EPS:g} inside the square root; running = 0.9 running + 0.1 batch, "
        "of the unbiased variance. The gradients of sum(dy * y) for a random dy; largest differences from the engine's:"
    )
    for mode, rows in table.items():
        print(f"\nin {mode:34}      dx    dgamma     dbeta")
        for name, found in differences(rows).items():
            print(f"    {name:35}" + "".join(f"{'0' if d == 0 else f'{d:.1e}':>10}" for d in found))
    print()
    say(
        "In training, mean and variance depend on every x of their channel: leaving that out is wrong, and so is "
        "another eps, which shows where the variance is small. In testing they are constants, whatever their values: "
        "no mean and variance make the training derivation right, for it sends gradients through them. With mean 0 "
        "and variance 1, xhat is x itself, and dgamma is wrong as well. And a decay read the other way round leaves "
        "running statistics of about the last batch only, with other gradients in testing."
    )


def draw(table: dict[str, list[Row]], path: Path) -> None:
    """The differences on a logarithmic scale, and dx in testing. ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    figure = Figure(figsize=(12.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    lines = [
        (mode, row, found)
        for mode in table
        for row, found in zip(table[mode][1:], differences(table[mode]).values(), strict=True)
    ]
    least = 1e-18  # where 0 is drawn
    left.axvspan(least / 10, TOLERANCE, color="tab:green", alpha=0.12, linewidth=0)
    left.text(TOLERANCE / 1.5, -0.75, "rounding", color="tab:green", ha="right", va="center")
    for i, (_, row, found) in enumerate(lines):
        for value, marker, name in zip(found, "oD^", ("dx", "dgamma", "dbeta"), strict=True):
            colour = "tab:blue" if row.right else "tab:red"
            left.plot(max(value, least), i, marker, color=colour, alpha=0.75, label=name if i == 0 else None)
    left.set_xscale("log")
    left.set(
        xlim=(least / 3, 300), ylim=(len(lines) - 0.4, -1.2), xlabel="largest difference from the engine's gradients"
    )
    left.set_yticks(range(len(lines)), [f"{row.name}  [{mode}]" for mode, row, _ in lines])
    left.set_xticks([least, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1], ["0", *(f"1e{e}" for e in (-15, -12, -9, -6, -3)), "1"])
    left.axhline(len(table["training"]) - 1.5, color="gray", linewidth=0.8)
    left.grid(alpha=0.3)
    left.legend(loc="lower center", bbox_to_anchor=(0.65, 0.02), title="0: exactly equal")
    truth, wrong = (next(row for row in table["testing"] if key in row.name) for key in ("dx =", "mean 0, var 1"))
    for row, style in ((table["testing"][0], "o"), (truth, "k+"), (wrong, "rx")):
        right.plot(row.gradients.dx[:, 0], style, label=row.name, markersize=9 if style == "k+" else 6)
    right.set(title="dx of the first channel, in testing", xlabel="example", xticks=range(0, 16, 3))
    right.margins(y=0.5)
    right.grid(alpha=0.3)
    right.legend(loc="upper center")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    training.write_atomically(path, picture.getvalue())


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--out", help="folder for the picture (default: a new one, runs/batchnorm-backward)")
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    try:
        if args.out:
            out = Path(args.out)
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = training.new_run_directory("runs/batchnorm-backward")
    except OSError as error:
        cli.fail(error)
    table = compare()
    show(table)
    try:
        draw(table, out / "backward.png")
    except ImportError as error:
        print(f"\nno backward.png: {error}")
    else:
        print(f"\nbackward.png is in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
