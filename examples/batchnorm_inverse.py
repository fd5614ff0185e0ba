"""My batch norm and its inverse agree for a batch of one, and are far apart for a batch of three. Why?

    python examples/batchnorm_inverse.py                  # about 20 seconds
    python examples/batchnorm_inverse.py --epochs 80      # a closer fit

The question: a layer for a normalizing flow normalizes each activation over the batch, scales it by exp(log_gamma) and
gives a log-determinant along with its output. For x of shape (3, 10, 100, 100), `inverse` does not bring x back. The
first part shows the layer, what goes wrong in it, and nn.InvertibleBatchNorm2d, which does not; and what the
log-determinant of a batch norm is.

The second part is what such a layer is for: a flow of affine couplings with invertible batch norm between them
(Dinh et al., "Density estimation using Real NVP", 2017) learns the density of two moons, by maximum likelihood: a
quarter of the epochs with the statistics of each batch, then with the running ones, frozen, where the likelihood that
it maximizes is exact. Prints a row an epoch, and writes likelihood.png, samples.png and density.png (if matplotlib is
there) into --out.
"""

import argparse
import io
import itertools
import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad import Tensor, nn, optim, training
from minigrad.autograd.functional import jacobian
from minigrad.training import DivergenceError, cli

NOISE = 0.1  # standard deviation of the points around the moons
WINDOW = (-1.75, 2.75), (-1.25, 1.75)  # what the pictures show: left, right; bottom, top

# ------------------------------------------------------------------------------------- the question


class FailingBatchNorm(nn.Module):
    """The asker's layer: `inverse` is made after the image of `forward`, line by line, and that is what is wrong."""

    def __init__(self, shape: tuple[int, ...], dtype: Any = None) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(minigrad.zeros(shape, dtype=dtype))
        self.beta = nn.Parameter(minigrad.zeros(shape, dtype=dtype))
        self.register_buffer("running_mean", minigrad.zeros(shape, dtype=dtype))
        self.register_buffer("running_var", minigrad.ones(shape, dtype=dtype))

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the batch; one example alone has no variance, and gets the running ones."""
        if len(x) == 1:
            return self.running_mean, self.running_var
        return x.mean(0), x.var(0, correction=0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = self.statistics(x)
        y = (x - mean) / (var + 1e-5).sqrt() * self.log_gamma.exp() + self.beta
        return y, (self.log_gamma - 0.5 * (var + 1e-5).log()).sum()

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = self.statistics(y)  # of y: but y was normalized, its mean is 0 and its variance 1
        x = (y - self.beta) * (-self.log_gamma).exp() * (var + 1e-5).sqrt() + mean
        return x, (0.5 * (var + 1e-5).log() - self.log_gamma).sum()


def largest_difference(layer: nn.Module, x: Tensor) -> float:
    """Between x and what comes back of it."""
    with minigrad.no_grad():
        return (layer.inverse(layer(x)[0])[0] - x).abs().max().item()


def answer_the_question(shape: tuple[int, ...]) -> dict[str, Any]:
    """Print what fails, why, and what works, for a batch x ~ N(5, 3^2) of this shape. Gives the numbers."""
    batch, *example = shape
    x = 5 + 3 * minigrad.randn(shape, dtype=minigrad.float64)
    failing = FailingBatchNorm(tuple(example), dtype=x.dtype)

    print(f"1. The question: x of shape {shape}, forward, then inverse\n")
    print("the layer that fails: inverse takes mean and variance from the tensor that it is given")
    fails = {n: largest_difference(failing, x[:n]) for n in (1, batch)}
    for n, difference in fails.items():
        print(f"    batch of {n}: x comes back within {difference:.1e}")

    with minigrad.no_grad():
        y, log_det = failing(x)
        _, log_det_back = failing.inverse(y)
    print("\nwhy: these are not the mean and variance that forward took away")
    print("                        mean  variance    (of the first activation)")
    seen = {"x, which forward saw": x, "y, which inverse saw": y}
    first = {name: (z[:, 0, 0, 0].mean().item(), z[:, 0, 0, 0].var(correction=0).item()) for name, z in seen.items()}
    for name, (mean, var) in first.items():
        print(f"{name}  {mean:8.4f}  {var:8.4f}")
    print(f"log-determinants: {log_det.item():.1f} and {log_det_back.item():.1f}, which should cancel")
    print("(a batch of one has no variance of its own: its running statistics are the same both ways)")

    print("\nnn.InvertibleBatchNorm2d keeps what forward used for inverse: x comes back within")
    print("    statistics  mode          float32    float64")
    back = {}
    for statistics, features in (("channel", example[0]), ("activation", tuple(example))):
        layers = [
            nn.InvertibleBatchNorm2d(features, statistics=statistics, dtype=dtype)
            for dtype in (minigrad.float32, minigrad.float64)
        ]
        for mode in ("training", "evaluation", "frozen"):
            for layer in layers:
                z = x.to(layer.running_mean.dtype)
                layer.train(mode != "evaluation")
                if mode == "frozen":
                    with layer.frozen():
                        difference = largest_difference(layer, z)
                else:
                    difference = largest_difference(layer, z)
                back[statistics, mode, z.dtype.name] = difference
            figures = "    ".join(f"{back[statistics, mode, dtype]:.1e}" for dtype in ("float32", "float64"))
            print(f"    {statistics:10}  {mode:10}    {figures}")
    return {"fails": fails, "first": first, "back": back, "truth": tell_the_truth()}


def tell_the_truth() -> dict[str, float]:
    """Print what log_det is the log-determinant of, with a batch small enough for the whole Jacobian."""
    x = 5 + 3 * minigrad.randn(4, 2, dtype=minigrad.float64)
    bn = nn.InvertibleBatchNorm1d(2, dtype=x.dtype)
    log_det = bn(x)[1].sum().item()
    error = bn.check_log_det(x)
    whole = jacobian(lambda x: bn(x)[0], x).reshape(8, 8).numpy()
    sizes = np.linalg.svd(whole, compute_uv=False)
    print("\nand the log-determinant, of a batch of 4 examples with 2 features, in training mode:")
    print(f"    log_det, summed over the examples                         {log_det:.4f}")
    print(f"    Jacobian with mean and variance constant: differs by      {error:.1e}")
    print(f"    Jacobian of the batch as it is: singular values           {', '.join(f'{s:.2g}' for s in sizes)}")
    print("The whole is singular: adding a constant to a feature changes no output, and stretching it hardly does.")
    print("What flows train with is the log-determinant of the first; in evaluation mode, the two are the same.\n")
    return {"log_det": log_det, "error": error, "smallest": sizes[-2:].max().item()}


# ------------------------------------------------------------------------------------------ a flow


class AffineCoupling(nn.Invertible):
    """One coordinate of two is scaled and shifted by functions of the other: y_i = x_i exp(s(x_j)) + t(x_j)."""

    def __init__(self, changed: int, hidden: int) -> None:
        super().__init__()
        self.changed = changed
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.last = nn.Linear(hidden, 2)
        nn.init.zeros_(self.last.weight)  # it starts as the identity
        nn.init.zeros_(self.last.bias)

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The other coordinate, and the logarithm of the scale and the shift that follow from it, (N, 1) each."""
        other = x[:, 1 - self.changed].unsqueeze(1)
        log_scale, shift = self.last(self.net(other)).chunk(2, 1)
        return other, 3 * (log_scale / 3).tanh(), shift  # a factor between exp(-3) and exp(3)

    def join(self, changed: Tensor, other: Tensor) -> Tensor:
        return minigrad.cat([other, changed] if self.changed else [changed, other], 1)

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        other, log_scale, shift = self.scale_and_shift(x)
        y = x[:, self.changed].unsqueeze(1) * log_scale.exp() + shift
        return self.join(y, other), log_scale.squeeze(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        other, log_scale, shift = self.scale_and_shift(y)  # the other coordinate is as it was
        x = (y[:, self.changed].unsqueeze(1) - shift) * (-log_scale).exp()
        return self.join(x, other), -log_scale.squeeze(1)


class Flow(nn.Invertible):
    """Couplings in turns, and after each an invertible batch norm. Log-determinants add up."""

    def __init__(self, couplings: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(couplings):
            self.layers.append(AffineCoupling(i % 2, hidden))
            self.layers.append(nn.InvertibleBatchNorm1d(2))

    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = minigrad.zeros(len(x), dtype=x.dtype)
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = minigrad.zeros(len(y), dtype=y.dtype)
        for layer in reversed(self.layers):
            y, log_det = layer.inverse(y)
            total = total + log_det
        return y, total

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """For a with-block, every batch norm normalizes by its running statistics."""
        with ExitStack() as stack:
            for layer in self.layers:
                if isinstance(layer, nn.InvertibleBatchNorm1d):
                    stack.enter_context(layer.frozen())
            yield

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) = log N(y; 0, 1) + log |det dy/dx|, in nats, for each point."""
        y, log_det = self(x)
        return log_det - 0.5 * (y * y).sum(1) - math.log(2 * math.pi)

    def sample(self, n: int) -> Tensor:
        """Points of the flow: noise, sent back through it."""
        return self.inverse(minigrad.randn(n, 2))[0]


def two_moons(n: int) -> Tensor:
    """n points, half of them around each of two half circles."""
    angle = math.pi * minigrad.rand(n)
    upper = minigrad.stack([angle.cos(), angle.sin()], 1)
    lower = minigrad.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    which = (minigrad.arange(n) % 2 == 0).unsqueeze(1)
    return minigrad.where(which, upper, lower) + NOISE * minigrad.randn(n, 2)


def true_log_prob(x: np.ndarray) -> np.ndarray:
    """log p of points of the two moons: the noise, averaged over both half circles."""
    angle = np.pi * (np.arange(400) + 0.5) / 400
    centres = np.concatenate(
        [np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)]
    )
    density = np.empty(len(x))
    for part in range(0, len(x), 1000):
        square = ((x[part : part + 1000, None] - centres) ** 2).sum(2)
        density[part : part + 1000] = np.exp(-0.5 * square / NOISE**2).mean(1)
    return np.log(np.maximum(density / (2 * np.pi * NOISE**2), 1e-300))


def gaussian_log_prob(data: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log p of points under the normal distribution that fits the data best."""
    covariance = np.cov(data.T, bias=True)
    d = x - data.mean(0)
    quadratic = (d @ np.linalg.inv(covariance) * d).sum(1)
    return -0.5 * (quadratic + np.linalg.slogdet(covariance).logabsdet) - np.log(2 * np.pi)


class Epoch(NamedTuple):
    """Mean log p(x) in nats: while training on each batch, and of the validation points in evaluation mode."""

    statistics: str  # "batch" or "running": what the batch norms normalized by while training
    train: float
    valid: float
    seconds: float


def fit(flow: Flow, train: Tensor, valid: Tensor, args: argparse.Namespace) -> list[Epoch]:
    """Maximize the likelihood with Adam, its learning rate falling to zero along a cosine; print a row an epoch."""
    optimizer = optim.Adam(flow.parameters(), lr=args.lr)
    batches = len(train) // args.batch_size  # points beyond these wait for another order
    history, step = [], itertools.count()
    print("epoch  statistics  train log p  valid log p  seconds")
    for epoch in range(1, args.epochs + 1):
        start, total = time.perf_counter(), 0.0
        flow.train()
        order = minigrad.randperm(len(train))
        frozen = epoch > max(1, args.epochs // 4)
        with flow.frozen() if frozen else nullcontext():
            for i in range(batches):
                progress = next(step) / (args.epochs * batches)
                optimizer.param_groups[0]["lr"] = args.lr * (1 + math.cos(math.pi * progress)) / 2
                loss = -flow.log_prob(train[order[i * args.batch_size : (i + 1) * args.batch_size]]).mean()
                if not math.isfinite(loss.item()):
                    raise DivergenceError(
                        f"the loss became {loss.item()} in epoch {epoch}, so training was stopped; a smaller --lr is "
                        "the usual cure"
                    )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
                optimizer.step()
                total -= loss.item()
        with training.evaluation_mode(flow), minigrad.no_grad():
            likelihood = flow.log_prob(valid).mean().item()
        row = Epoch("running" if frozen else "batch", total / batches, likelihood, time.perf_counter() - start)
        history.append(row)
        print(f"{epoch:5}  {row.statistics:10}  {row.train:11.4f}  {row.valid:11.4f}  {row.seconds:7.1f}", flush=True)
    return history


# ---------------------------------------------------------------------------------------- pictures


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


def draw_likelihood(history: list[Epoch], truth: float, gaussian: float, path: Path) -> None:
    """Log-likelihood over the epochs, between that of a normal distribution and that of the true density."""
    figure = new_figure(figsize=(7, 4.2))
    axes = figure.subplots()
    epochs = range(1, len(history) + 1)
    axes.axhline(truth, color="black", linestyle="--", label=f"the true density: {truth:.3f}")
    axes.plot(epochs, [row.valid for row in history], "o-", markersize=3, label="flow, validation (evaluation mode)")
    axes.plot(epochs, [row.train for row in history], "o-", markersize=3, label="flow, training")
    axes.axhline(gaussian, color="gray", linestyle=":", label=f"the best normal distribution: {gaussian:.3f}")
    frozen = sum(row.statistics == "batch" for row in history)
    if frozen < len(history):
        axes.axvspan(frozen + 0.5, len(history) + 0.5, color="tab:green", alpha=0.1, label="running statistics, frozen")
    lowest = min(gaussian, history[-1].valid)  # the first epochs may lie far below
    axes.set(xlabel="epoch", ylabel="mean log p(x), nats", title="Two moons: the likelihood of the flow")
    axes.set(xlim=(0.5, len(history) + 0.5), ylim=(lowest - 0.2 * (truth - lowest), truth + 0.1 * (truth - lowest)))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    save(figure, path)


def draw_samples(data: np.ndarray, samples: np.ndarray, noise: np.ndarray, path: Path) -> None:
    """The data, what the flow draws, and what it makes of the data."""
    figure = new_figure(figsize=(12, 3.4))
    panels = figure.subplots(1, 3, width_ratios=(1.5, 1.5, 1))
    titles = "data x", "samples: inverse of noise", "data, forward: y, near N(0, 1)"
    for axes, points, title in zip(panels, (data, samples, noise), titles, strict=True):
        axes.scatter(*points.T, s=3, alpha=0.5, linewidths=0, color="tab:blue")
        axes.set(title=title, aspect="equal")
        axes.grid(alpha=0.3)
    for axes in panels[:2]:
        axes.set(xlim=WINDOW[0], ylim=WINDOW[1])
    panels[2].set(xlim=(-4, 4), ylim=(-4, 4), xticks=range(-4, 5, 2), yticks=range(-4, 5, 2))
    angle = np.linspace(0, 2 * np.pi, 100)
    for radius in (1, 2, 3):  # standard deviations
        panels[2].plot(radius * np.cos(angle), radius * np.sin(angle), color="gray", linewidth=0.8)
    save(figure, path)


def draw_density(flow: np.ndarray, truth: np.ndarray, path: Path) -> None:
    """p(x) as the flow has it, beside the true one, in the same colours."""
    figure = new_figure(figsize=(11, 3.8))
    panels = figure.subplots(1, 2)
    for axes, density, title in zip(panels, (flow, truth), ("p(x), flow", "p(x), true"), strict=True):
        image = axes.imshow(
            density, origin="lower", extent=(*WINDOW[0], *WINDOW[1]), vmin=0, vmax=1.2 * truth.max(), cmap="viridis"
        )
        axes.set(title=title)
    figure.colorbar(image, ax=panels, label="density", shrink=0.9)
    save(figure, path)


def grid(width: int = 240, height: int = 160) -> tuple[np.ndarray, float]:
    """The middles of the pixels of the window, row by row from below, and the area of one."""
    (left, right), (bottom, top) = WINDOW
    dx, dy = (right - left) / width, (top - bottom) / height
    x, y = np.meshgrid(left + dx * (np.arange(width) + 0.5), bottom + dy * (np.arange(height) + 0.5))
    return np.stack([x, y], 2), dx * dy


# -------------------------------------------------------------------------------------------- main


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--epochs", type=cli.at_least(1), default=20, help="of the flow (default: 20)")
    add("--points", type=cli.at_least(2), default=10_000, help="to train the flow on (default: 10000)")
    add("--batch-size", type=cli.at_least(2), default=200, help="points a step (default: 200)")
    add("--lr", type=cli.positive, default=0.005, help="Adam's learning rate (default: 0.005)")
    add("--couplings", type=cli.at_least(1), default=8, help="in the flow (default: 8)")
    add("--hidden", type=cli.at_least(1), default=64, help="width of the networks in them (default: 64)")
    add("--size", type=cli.at_least(2), default=100, help="height and width of the first part's images (default: 100)")
    add("--seed", type=cli.at_least(0), default=0, help="of everything random (default: 0)")
    add("--out", help="folder for the pictures, those in it are replaced (default: a new one, runs/batchnorm-inverse)")
    args = parser.parse_args()
    if args.points < args.batch_size:
        parser.error(f"--points {args.points} is less than one batch, of --batch-size {args.batch_size}")
    return args


def main() -> int:
    args = parse_arguments()
    minigrad.manual_seed(args.seed)
    try:
        if args.out:
            out = Path(args.out)
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = training.new_run_directory("runs/batchnorm-inverse")
    except OSError as error:
        cli.fail(error)
    answer_the_question((3, 10, args.size, args.size))

    train, valid = two_moons(args.points), two_moons(5000)
    truth = true_log_prob(valid.numpy().astype(np.float64)).mean()
    gaussian = gaussian_log_prob(train.numpy(), valid.numpy()).mean()
    flow = Flow(args.couplings, args.hidden)
    parameters = sum(p.numel() for p in flow.parameters())
    print(f"2. A flow for two moons: {args.couplings} affine couplings, each followed by invertible batch norm;")
    print(f"   {parameters:,} parameters, {args.points:,} points to learn from")
    print(f"   mean log p(x) of {len(valid):,} new points, in nats: {gaussian:.4f} by the best normal distribution,")
    print(f"   {truth:.4f} by the true density, which no other exceeds on average\n")
    history = fit(flow, train, valid, args)

    flow.eval()
    points, area = grid()
    with minigrad.no_grad():
        log_density = flow.log_prob(minigrad.tensor(points.reshape(-1, 2), dtype=minigrad.float32)).numpy()
        samples, noise = flow.sample(3000).numpy(), flow(valid[:3000])[0].numpy()
    density = np.exp(log_density.astype(np.float64)).reshape(points.shape[:2])
    true_density = np.exp(true_log_prob(points.reshape(-1, 2))).reshape(points.shape[:2])
    print(f"\nthe flow's mean log p(x) is {truth - history[-1].valid:.4f} nats below that of the true density")
    print(f"its density over the window adds up to {density.sum() * area:.4f}, the true one to ", end="")
    print(f"{true_density.sum() * area:.4f}")
    print(f"inverse(forward(x)) is within {flow.check_inverse(valid, tolerance=1e-3):.1e} of x, in float32;")
    print(f"log_det is within {flow.check_log_det(valid[:100], tolerance=1e-9):.1e} of that of the dense Jacobian")
    try:
        draw_likelihood(history, truth, gaussian, out / "likelihood.png")
        draw_samples(valid.numpy()[:3000], samples, noise, out / "samples.png")
        draw_density(density, true_density, out / "density.png")
    except ImportError as error:
        print(f"no pictures: {error}")
    else:
        print(f"likelihood.png, samples.png and density.png are in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
