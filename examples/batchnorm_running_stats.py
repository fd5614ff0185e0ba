"""What do running_mean, running_var and momentum really do? And which axes do the normalizations average over?

    python examples/batchnorm_running_stats.py

The question: with momentum 0.1, after one batch of N(0, 1) data a layer's running_var is 1.0, and after a second one of
N(1, 4) data running_mean is 0.1 and running_var 1.3. Why these numbers, which variance is it, what does momentum=None
do, when do the statistics move; and why does a notebook with running = 0.1 running + 0.9 batch give others? Prints the
answers as tables, and writes running_stats.png and four_normalizations.png (if matplotlib is there) into --out.
"""

import argparse
import io
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad import Tensor, nn, training
from minigrad.training import cli

MOMENTUM = 0.1
BATCH = 10  # small, so that biased and unbiased can be told apart


def say(text: str) -> None:
    """A paragraph."""
    print(textwrap.fill(text, 100))


def batch_of(mean: float, var: float, rng: np.random.Generator) -> Tensor:
    """Normal numbers (BATCH, 1), moved and scaled to have exactly this mean and this unbiased variance."""
    x = rng.standard_normal((BATCH, 1))
    x = (x - x.mean()) / x.std(ddof=1)
    return minigrad.tensor(mean + np.sqrt(var) * x)


# ---------------------------------------------------------------------------- the two batches

Statistics = tuple[float, float]  # mean and variance


def by_layer(layer: nn.BatchNorm1d, batches: list[Tensor]) -> list[Statistics]:
    """The running statistics of a layer after each batch."""
    found = []
    for x in batches:
        layer(x)
        found.append((layer.running_mean.item(), layer.running_var.item()))
    return found


def by_rule(old: float, new: float, correction: int, batches: list[Tensor]) -> list[Statistics]:
    """The same by running = old running + new batch, with the variance divided by N - correction."""
    mean, var, found = 0.0, 1.0, []
    for x in batches:
        mean, var = old * mean + new * x.mean().item(), old * var + new * x.var(correction=correction).item()
        found.append((mean, var))
    return found


def compare_conventions(batches: list[Tensor]) -> dict[str, list[Statistics]]:
    """Print the statistics of the batches, and what the running ones become by each convention."""
    print("1. Two batches of ten numbers, of N(0, 1) and of N(1, 4)\n")
    print("                                            batch 1   batch 2")
    for name, statistic in (
        ("mean", lambda x: x.mean()),
        ("variance, unbiased (divided by 9)", lambda x: x.var()),
        ("variance, biased   (divided by 10)", lambda x: x.var(correction=0)),
    ):
        print(f"    {name:36}" + "".join(f"{statistic(x).item():z10.4f}" for x in batches))

    def layer(**options: Any) -> nn.BatchNorm1d:
        return nn.BatchNorm1d(1, dtype=minigrad.float64, **options)

    decay = nn.BatchNorm1d.from_decay(1, 0.9, dtype=minigrad.float64)
    table = {
        "BatchNorm1d(momentum=0.1)": by_layer(layer(momentum=MOMENTUM), batches),
        "0.9 running + 0.1 batch, unbiased": by_rule(0.9, 0.1, 1, batches),
        "BatchNorm1d.from_decay(0.9)": by_layer(decay, batches),
        "0.9 running + 0.1 batch, biased": by_rule(0.9, 0.1, 0, batches),
        "0.1 running + 0.9 batch, unbiased": by_rule(0.1, 0.9, 1, batches),
        "BatchNorm1d(momentum=0.9)": by_layer(layer(momentum=0.9), batches),
        "BatchNorm1d(momentum=None)": by_layer(layer(momentum=None), batches),
    }
    print("\nrunning_mean and running_var, which start as 0 and 1,     after batch 1     after batch 2\n")
    for name, found in table.items():
        if name in (
            "0.9 running + 0.1 batch, biased",
            "0.1 running + 0.9 batch, unbiased",
            "BatchNorm1d(momentum=None)",
        ):
            print()
        print(f"    {name:50}" + "".join(f"{mean:z10.4f}{var:8.4f}" for mean, var in found))
    print()
    say(
        "Momentum is the weight of the new batch: 0.9 * 0 + 0.1 * 1 = 0.1 and 0.9 * 1 + 0.1 * 4 = 1.3, with the "
        "unbiased variance. TensorFlow, Keras and many a notebook call the weight of the old value momentum, or decay: "
        "their 0.9 is 0.1 here, which from_decay works out. Read the other way round, 0.1 keeps little but the last "
        "batch. momentum=None weighs the k-th batch 1 / k: the mean of all, (0 + 1) / 2 and (1 + 4) / 2."
    )
    return table


def compare_variances(batch: Tensor) -> dict[str, Statistics]:
    """Print the variances of the output, which tell the one that it was normalized by."""
    layer = nn.BatchNorm1d(1, momentum=1.0, dtype=minigrad.float64)  # keeps the last batch, nothing else
    print("\n2. Which variance normalizes? The output of batch 2, whose own variance should then be 1\n")
    print("                                                    biased   unbiased")
    outputs = {"training: by the batch": layer(batch), "evaluation: by running statistics of it": layer.eval()(batch)}
    found = {name: (y.var(correction=0).item(), y.var().item()) for name, y in outputs.items()}
    for name, (biased, unbiased) in found.items():
        print(f"    {name:43}{biased:11.4f}{unbiased:11.4f}")
    print("\nTraining divides by the biased one; what is kept for evaluation is the unbiased one.")
    return found


def compare_modes(batch: Tensor) -> dict[str, tuple[float | None, int | None]]:
    """Print in which modes the running statistics move, and num_batches_tracked counts."""

    def layer(**options: Any) -> nn.BatchNorm1d:
        return nn.BatchNorm1d(1, dtype=minigrad.float64, **options)

    layers = {
        "training": layer(),
        "training, momentum=0": layer(momentum=0.0),
        "training, after layer.freeze()": layer().freeze(),
        "training, track_running_stats=False": layer(track_running_stats=False),
        "evaluation": layer().eval(),
        "evaluation, track_running_stats=False": layer(track_running_stats=False).eval(),
    }
    print("\n3. When do they move? One layer each, and three times batch 2, whose mean is 1\n")
    print("                                             running_mean   num_batches_tracked   output's mean")
    found = {}
    for name, each in layers.items():
        for _ in range(3):
            y = each(batch)
        tracked = each.running_mean is not None
        found[name] = (each.running_mean.item(), each.num_batches_tracked.item()) if tracked else (None, None)
        mean, count = (f"{found[name][0]:.4f}", str(found[name][1])) if tracked else ("none", "none")
        print(f"    {name:41}{mean:>12}{count:>22}{abs(y.mean().item()):16.4f}")
    print("\nThey move in training, if they are tracked. An output of mean 0 was normalized by the batch.")
    return found


# ---------------------------------------------------------------------- the four normalizations


class Normalization(NamedTuple):
    """What one of the four averages over, for x (N, C, H, W)."""

    name: str
    layer: Callable[[int, int, int], nn.Module]  # of C, groups and the size of an image
    axes: str
    members: Callable[[int, int, int, int], tuple]  # of n, c, C and groups: the set that this element belongs to
    sets: Callable[[int, int, int], int]  # of N, C and groups: how many means and variances there are


FOUR = [
    Normalization(
        "batch norm",
        lambda C, G, size: nn.BatchNorm2d(C),
        "N, H, W",
        lambda n, c, C, G: (c,),
        lambda N, C, G: C,
    ),
    Normalization(
        "layer norm",
        lambda C, G, size: nn.LayerNorm((C, size, size)),
        "C, H, W",
        lambda n, c, C, G: (n,),
        lambda N, C, G: N,
    ),
    Normalization(
        "instance norm",
        lambda C, G, size: nn.InstanceNorm2d(C),
        "H, W",
        lambda n, c, C, G: (n, c),
        lambda N, C, G: N * C,
    ),
    Normalization(
        "group norm",
        lambda C, G, size: nn.GroupNorm(G, C),
        "C / G channels, H, W",
        lambda n, c, C, G: (n, c * G // C),
        lambda N, C, G: N * G,
    ),
]
N, C, G, SIZE = 4, 6, 3, 5  # of the example and the picture: examples, channels, groups, and the height and width


def compare_normalizations(rng: np.random.Generator) -> dict[str, tuple[int, float, bool]]:
    """Print how many statistics each has, whether it is the formula, and whether an example depends on the others."""
    x = rng.normal(1, 2, (N, C, SIZE, SIZE)).astype(np.float32)
    print(f"\n4. The four normalizations of x of shape ({N}, {C}, {SIZE}, {SIZE}), with G = {G} groups of channels\n")
    print("                    averages over           means    differs from the formula    one example alone")
    found = {}
    for each in FOUR:
        layer = each.layer(C, G, SIZE)
        y = layer(minigrad.tensor(x)).detach().numpy()
        alone = layer(minigrad.tensor(x[:1])).detach().numpy()
        sets: dict[tuple, list[tuple[int, int]]] = {}
        for n, c in np.ndindex(N, C):
            sets.setdefault(each.members(n, c, C, G), []).append((n, c))
        wanted = np.empty_like(x)
        for places in sets.values():
            rows, columns = map(list, zip(*places, strict=True))
            values = x[rows, columns]
            wanted[rows, columns] = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
        same = np.array_equal(alone, y[:1])
        found[each.name] = len(sets), float(np.abs(y - wanted).max()), same
        verdict = "the same" if same else "something else"
        print(f"    {each.name:16}{each.axes:22}{len(sets):7}{found[each.name][1]:28.1e}    {verdict}")
    print("\nOnly batch norm mixes examples, so only batch norm needs running statistics for evaluation.")
    return found


# ------------------------------------------------------------------------------------ pictures


def new_figure(**options: Any) -> Any:
    """An empty picture; ImportError, which names what to install, without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    return Figure(layout="constrained", **options)


def save(figure: Any, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    training.write_atomically(path, picture.getvalue())


def draw_running(rng: np.random.Generator, path: Path) -> None:
    """How the running statistics come close to those of N(1, 4), by each convention."""
    figure = new_figure(figsize=(11, 4))
    batches = [minigrad.tensor(rng.normal(1, 2, (32, 1))) for _ in range(60)]
    panels = figure.subplots(1, 2)
    for name, momentum, style in (
        ("momentum 0.9 (or: decay 0.1)", 0.9, "tab:orange"),
        ("momentum 0.1 (or: decay 0.9)", 0.1, "tab:blue"),
        ("momentum None: average of all", None, "tab:green"),
    ):
        history = [(0.0, 1.0), *by_layer(nn.BatchNorm1d(1, momentum=momentum, dtype=minigrad.float64), batches)]
        for axes, values in zip(panels, zip(*history, strict=True), strict=True):
            axes.plot(values, color=style, label=name, linewidth=1 if momentum == 0.9 else 2)
    for axes, name, true in zip(panels, ("running_mean", "running_var"), (1, 4), strict=True):
        axes.axhline(true, color="black", linestyle=":", linewidth=1, label="the true one")
        axes.set(xlabel="batches of 32, from N(1, 4)", title=name, ylim=(0, None))
        axes.grid(alpha=0.3)
    panels[1].legend(loc="lower right")
    save(figure, path)


def draw_normalizations(path: Path) -> None:
    """A block of N x C x (H, W) cells for each, and in it one of the sets that share a mean and a variance."""
    figure = new_figure(figsize=(15, 4.2))
    from matplotlib.patches import Polygon  # there, if Figure is

    positions = 5  # of H and W, drawn as one axis
    slant = np.array([0.42, 0.34])  # where the axis of the examples goes, away from the reader

    def corner(n: float, c: float, p: float) -> np.ndarray:
        """Where a corner of a cell is on paper: C to the right, H and W upwards, N to the back."""
        return np.array([c, p]) + n * slant

    for axes, each in zip(figure.subplots(1, 4), FOUR, strict=True):
        chosen = each.members(0, C - 1, C, G)
        faces = [  # of the cells that can be seen: the front, the top, the right side; each with its shade
            *((0, c, p, "ncp"[1:], 1.0) for c in range(C) for p in range(positions)),
            *((n, c, positions, "nc", 0.88) for n in range(N) for c in range(C)),
            *((n, C, p, "np", 0.74) for n in range(N) for p in range(positions)),
        ]
        for n, c, p, plane, shade in faces:
            steps = {"n": (1, 0, 0), "c": (0, 1, 0), "p": (0, 0, 1)}
            a, b = (np.array(steps[axis]) for axis in plane)
            at = np.array([n, c, p])
            colour = (0.18, 0.45, 0.85) if each.members(n, min(c, C - 1), C, G) == chosen else (0.93, 0.93, 0.93)
            outline = [corner(*at), corner(*(at + a)), corner(*(at + a + b)), corner(*(at + b))]
            axes.add_patch(Polygon(outline, facecolor=np.array(colour) * shade, edgecolor="white", linewidth=1))
        labels = {
            "C": corner(0, C / 2, -0.55),
            "H, W": corner(0, -0.55, positions / 2),
            "N": corner(N / 2, C + 0.75, -0.35),
        }
        for text, place in labels.items():
            averaged = text in each.axes
            axes.text(
                *place,
                text,
                ha="center",
                va="center",
                rotation=90 if text == "H, W" else 0,
                fontsize=12,
                color="tab:blue" if averaged else "gray",
                fontweight="bold" if averaged else "normal",
            )
        count = {"batch norm": "C", "layer norm": "N", "instance norm": "N C", "group norm": "N G"}[each.name]
        axes.set_title(each.name, fontsize=14)
        axes.text(
            *corner(0, C / 2 + 0.8, -1.6),
            f"averages over {each.axes}\n{count} = {each.sets(N, C, G)} means and variances",
            ha="center",
            va="center",
        )
        axes.set(xlim=(-1, C + N * slant[0] + 1), ylim=(-2.1, positions + N * slant[1] + 0.2), aspect="equal")
        axes.axis("off")
    figure.suptitle("x (N, C, H, W): the blue cells share one mean and one variance", fontsize=13)
    save(figure, path)


# ---------------------------------------------------------------------------------------- main


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--out", help="folder for the pictures (default: a new one, runs/batchnorm-running-stats)")
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    try:
        if args.out:
            out = Path(args.out)
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = training.new_run_directory("runs/batchnorm-running-stats")
    except OSError as error:
        cli.fail(error)
    rng = np.random.default_rng(0)
    batches = [batch_of(0, 1, rng), batch_of(1, 4, rng)]
    with minigrad.no_grad():
        compare_conventions(batches)
        compare_variances(batches[1])
        compare_modes(batches[1])
        compare_normalizations(rng)
        try:
            draw_running(rng, out / "running_stats.png")
            draw_normalizations(out / "four_normalizations.png")
        except ImportError as error:
            print(f"\nno pictures: {error}")
        else:
            print(f"\nrunning_stats.png and four_normalizations.png are in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
