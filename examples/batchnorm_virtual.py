"""Virtual batch normalization: normalize an example against a reference, not against whoever is in its batch.

    python examples/batchnorm_virtual.py                  # about 2 minutes
    python examples/batchnorm_virtual.py --steps 4000     # better digits

The question: a layer for (N, C, L), called as layer(x, ref_mean, ref_mean_sq), which gives (out, mean, mean_sq). With
no reference it normalizes by x's own statistics; with one it mixes them, 1 / (N + 1) from the new batch and the rest
from the reference. The first part shows that layer, nn.VirtualBatchNorm1d, and what it is for: in batch norm the output
for one example depends on its batch mates, and so does its gradient. What would be the right way for it not to?

The second part is where that was first felt (Salimans et al., "Improved Techniques for Training GANs", 2016): two
small generators learn to draw the digit that they are told, one with batch norm and one with virtual batch norm. Prints
ten rows for each, and writes samples.png and batch_mates.png (if matplotlib is there) into --out.
"""

import argparse
import io
import math
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn, optim, training
from minigrad.data import MNIST
from minigrad.training import DivergenceError, cli

NOISE = 16  # numbers that a digit is drawn from

# ------------------------------------------------------------------------------------- the question


def show_the_layer() -> None:
    """Print the layer that was asked for: what it gives, and what it says to a wrong number of features."""
    layer = nn.VirtualBatchNorm1d(3)
    x_ref, x = 5 + 2 * minigrad.randn(64, 3, 10), 5 + 2 * minigrad.randn(4, 3, 10)
    _, ref_mean, ref_mean_sq = layer(x_ref, None, None)
    out, mean, mean_sq = layer(x, ref_mean, ref_mean_sq)
    print(f"1. The layer: {layer}\n")
    print("   _, ref_mean, ref_mean_sq = layer(x_ref, None, None)     x_ref ~ N(5, 4), of shape (64, 3, 10)")
    print("   out, mean, mean_sq = layer(x, ref_mean, ref_mean_sq)    x ~ N(5, 4), of shape (4, 3, 10)\n")
    own = x.mean((0, 2)), (x * x).mean((0, 2))
    print("                      reference      x alone    1/5 x + 4/5 reference    what came back")
    for name, r, s, mixed in (("mean", ref_mean, own[0], mean), ("mean square", ref_mean_sq, own[1], mean_sq)):
        r, s, mixed = r.flatten()[0].item(), s[0].item(), mixed.flatten()[0].item()
        print(f"   {name:15} {r:12.5f} {s:12.5f} {s / 5 + 4 * r / 5:24.5f} {mixed:17.5f}")
    print(f"\n   That is channel 0 of 3: mean and mean_sq have shape {tuple(mean.shape)}, out has {tuple(out.shape)}.")
    try:
        layer(minigrad.zeros(4, 5, 10), ref_mean, ref_mean_sq)
    except ValueError as error:
        print(f"   With 5 channels: {error}\n")


def written(change: float) -> str:
    """A difference in six digits; 0 only if there is none at all."""
    return f"{change:.6f}" if change else "0"


def batch_mates() -> dict[str, float]:
    """Print how much the output for one example changes with its batch mates, and its gradient. Gives the numbers."""
    x_ref, example, noise = minigrad.randn(64, 8), minigrad.randn(1, 8), minigrad.randn(126, 8)
    mates = {
        "63 like it": noise[:63],  # with these the others are compared
        "63 others like it": noise[63:],
        "3 like it": noise[:3],
        "63 ten times as large": 10 * noise[:63],
        "nobody": noise[:0],
    }
    layers = {
        "batch norm, training": nn.BatchNorm1d(8),
        'virtual, mix="batch"': nn.VirtualBatchNorm1d(8).set_reference(x_ref),
        'virtual, mix="example"': nn.VirtualBatchNorm1d(8, mix="example").set_reference(x_ref),
    }
    print("2. One example beside different batch mates: the largest change of its output\n")
    changes: dict[str, dict[str, float]] = {}
    for name, layer in layers.items():
        outputs = {}
        for what, others in mates.items():
            if len(others) or not isinstance(layer, nn.BatchNorm1d):  # which cannot normalize a single vector
                outputs[what] = layer(minigrad.cat([example, others]))[0]
        first = outputs.pop("63 like it")
        changes[name] = {what: (y - first).abs().max().item() for what, y in outputs.items()}
        batch = minigrad.randn(16, 8).requires_grad_()
        (layer(batch)[0] * minigrad.randn(8)).sum().backward()
        changes[name]["its gradient at 15 others"] = batch.grad[1:].abs().max().item()
    print(f"   {'the others are':26}" + "".join(f"{name:>25}" for name in layers))
    for what in changes['virtual, mix="example"']:
        cells = [written(changes[name][what]) if what in changes[name] else "an error" for name in layers]
        print(f"   {what:26}" + "".join(f"{cell:>25}" for cell in cells))

    exact = minigrad.randn(64, 8, dtype=minigrad.float64), minigrad.randn(5, 8, dtype=minigrad.float64)
    virtual = nn.VirtualBatchNorm1d(8, mix="example", dtype=minigrad.float64).set_reference(exact[0])
    gamma, beta = virtual.gamma.flatten(), virtual.beta.flatten()
    together = [
        F.batch_norm(minigrad.cat([exact[0], exact[1][i : i + 1]]), None, None, gamma, beta, training=True)[-1]
        for i in range(5)
    ]
    difference = (virtual(exact[1]) - minigrad.stack(together)).abs().max().item()
    print('\n   Exactly 0: with mix="example" each example is normalized together with the 64 of the reference alone,')
    print(f"   as batch norm would do for these 65 (largest difference, in float64: {difference:.1e}).\n")
    return {**{name: max(row.values()) for name, row in changes.items()}, "difference": difference}


def gradient_of_the_scale() -> dict[str, float]:
    """Print how the gradient of a weight before the layer depends on detach_reference. Gives the numbers."""
    x_ref, x, target = (minigrad.randn(n, 8, dtype=minigrad.float64) for n in (64, 16, 16))
    weight = minigrad.randn(8, 8, dtype=minigrad.float64)
    found = {}
    print("3. A weight before the layer: scaled by any factor, it changes no output. Its gradient, along itself\n")
    for name, layer in {
        "batch norm": nn.BatchNorm1d(8),
        "virtual, detach_reference=True": nn.VirtualBatchNorm1d(8, mix="example"),
        "virtual, detach_reference=False": nn.VirtualBatchNorm1d(8, mix="example", detach_reference=False),
    }.items():
        model = nn.Sequential(nn.Linear(8, 8, bias=False), layer).double()
        model[0].weight.data = weight.clone()
        with nn.reference_batch(model, x_ref) if "virtual" in name else nullcontext():
            F.mse_loss(model(x), target).backward()
        gradient = model[0].weight.grad
        found[name] = abs((gradient * weight).sum().item()) / (gradient.norm() * weight.norm()).item()
        print(f"   {name:34} |cos(gradient, weight)| = {found[name]:.6f}")
    print("\n   With a constant reference, the gradient asks for another scale, in vain: the reference is scaled too.")
    print("   So the generator below lets gradients flow through the reference.\n")
    return found


# ----------------------------------------------------------------------------------------- the GANs


class Painter(nn.Module):
    """A generator: noise (N, 16) and digits (N,) to images (N, 1, 28, 28) in [-1, 1]. It normalizes before each ReLU.

    virtual : by virtual batch norm, against the reference batch z_ref, digits_ref, and not by batch norm
    """

    def __init__(self, virtual: bool, args: argparse.Namespace) -> None:
        super().__init__()
        width, self.virtual = args.width, virtual
        options = {"mix": "example", "detach_reference": False}  # see 3. for why
        norm = partial(nn.VirtualBatchNorm2d, **options) if virtual else nn.BatchNorm2d
        self.layers = nn.Sequential(
            nn.Linear(NOISE + 10, 2 * width * 7 * 7),
            nn.Unflatten(1, (2 * width, 7, 7)),
            norm(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),  # (N, width, 14, 14)
            norm(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),  # (N, 1, 28, 28)
            nn.Tanh(),
        )
        self.register_buffer("z_ref", minigrad.randn(args.batch_size, NOISE))
        self.register_buffer("digits_ref", minigrad.arange(args.batch_size) % 10)

    def forward(self, z: Tensor, digits: Tensor) -> Tensor:
        """The images of the noise z (N, 16)."""
        x, x_ref = told(z, digits), told(self.z_ref, self.digits_ref)
        with nn.reference_batch(self.layers, x_ref) if self.virtual else nullcontext():
            return self.layers(x)


def told(z: Tensor, digits: Tensor) -> Tensor:
    """Noise, with what to draw: (N, 16 + 10)."""
    return minigrad.cat([z, F.one_hot(digits, 10).to(z.dtype)], 1)


class Critic(nn.Module):
    """A discriminator: images and the digits that they should be, to scores (N,), above 0 for those held to be real."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),  # (N, width, 14, 14)
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # (N, 2 width, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(2 * width * 7 * 7, 1 + 10),
        )

    def forward(self, images: Tensor, digits: Tensor) -> Tensor:
        """How real it looks, and how much like the digit that it should be."""
        scores = self.layers(images)
        return scores[:, 0] + scores[:, 1:].gather(1, digits.unsqueeze(1)).squeeze(1)


class Row(NamedTuple):
    """Means since the row before: the losses, in nats, and the seconds it took."""

    step: int
    discriminator: float
    generator: float
    seconds: float


def train(painter: Painter, images: np.ndarray, labels: np.ndarray, args: argparse.Namespace) -> list[Row]:
    """Let a generator and a discriminator play against each other; print a row ten times."""
    critic = Critic(args.width)
    optimizers = [optim.Adam(m.parameters(), lr=args.lr, betas=(0.5, 0.999)) for m in (painter, critic)]
    rng = np.random.default_rng(args.seed)
    rows, losses, start = [], [], time.perf_counter()
    for step in range(1, args.steps + 1):
        which = rng.integers(0, len(images), args.batch_size)
        real, digits = minigrad.tensor(images[which]), minigrad.tensor(labels[which])
        fake = painter(minigrad.randn(args.batch_size, NOISE), digits)

        # -log p(real) - log(1 - p(fake)), with p = sigmoid(score)
        loss_critic = F.softplus(-critic(real, digits)).mean() + F.softplus(critic(fake.detach(), digits)).mean()
        optimizers[1].zero_grad()
        loss_critic.backward()
        optimizers[1].step()

        critic.requires_grad_(False)
        loss_painter = F.softplus(-critic(fake, digits)).mean()  # -log p(fake)
        optimizers[0].zero_grad()
        loss_painter.backward()
        optimizers[0].step()
        critic.requires_grad_(True)

        losses.append((loss_critic.item(), loss_painter.item()))
        if not math.isfinite(sum(losses[-1])):
            raise DivergenceError(f"the losses became {losses[-1]} in step {step}; a smaller --lr is the usual cure")
        if step * 10 // args.steps > (step - 1) * 10 // args.steps:
            means = np.mean(losses, axis=0)
            rows.append(Row(step, *means.tolist(), time.perf_counter() - start))
            print("   {:14} {:6} {:13.3f} {:10.3f} {:9.1f}".format(_name(painter.virtual), *rows[-1]), flush=True)
            losses, start = [], time.perf_counter()
    return rows


def _name(virtual: bool) -> str:
    return "virtual" if virtual else "batch norm"


def same_noise(painter: Painter, z: Tensor, batches: int) -> np.ndarray:
    """A digit of each noise in z, drawn in `batches` different batches of 4: (batches, len(z), 28, 28)."""
    digits = minigrad.arange(len(z)) % 10
    rows = []
    for _ in range(batches):
        mates, others = minigrad.randn(len(z), 3, NOISE), minigrad.randint(0, 10, (len(z), 3))
        drawn = [
            painter(minigrad.cat([z[i : i + 1], mates[i]]), minigrad.cat([digits[i : i + 1], others[i]]))[0, 0].numpy()
            for i in range(len(z))
        ]
        rows.append(drawn)
    return np.array(rows)


# ---------------------------------------------------------------------------------------- pictures


def draw(panels: dict[str, np.ndarray], path: Path) -> None:
    """Grids of digits (rows, columns, 28, 28) side by side, each below its title."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'needs matplotlib ({error}); pip install matplotlib, or minigrad with the extra "train"'
        ) from None
    rows, columns = next(iter(panels.values())).shape[:2]
    figure = Figure(figsize=(0.55 * columns * len(panels) + 0.4, 0.55 * rows + 0.6), layout="constrained")
    for axes, (title, digits) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        axes.imshow(digits.transpose(0, 2, 1, 3).reshape(28 * rows, 28 * columns), cmap="gray", vmin=-1, vmax=1)
        axes.set(title=title, xticks=[], yticks=[])
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    training.write_atomically(path, picture.getvalue())


# -------------------------------------------------------------------------------------------- main


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--steps", type=cli.at_least(1), default=1200, help="of training, for each of the two (default: 1200)")
    add("--batch-size", type=cli.at_least(2), default=64, help="images a step, and in the reference (default: 64)")
    add("--lr", type=cli.positive, default=0.001, help="Adam's learning rate (default: 0.001)")
    add("--width", type=cli.at_least(1), default=16, help="channels of the larger images (default: 16)")
    add("--seed", type=cli.at_least(0), default=0, help="of everything random (default: 0)")
    add("--out", help="folder for the pictures, those in it are replaced (default: a new one, runs/batchnorm-virtual)")
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    minigrad.manual_seed(args.seed)
    try:
        if args.out:
            out = Path(args.out)
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = training.new_run_directory("runs/batchnorm-virtual")
        data = MNIST(train=True)
    except OSError as error:
        cli.fail(error)
    images = (np.asarray(data.data, dtype=np.float32) / 127.5 - 1)[:, None]
    labels = np.asarray(data.targets, dtype=np.int64)
    show_the_layer()
    batch_mates()
    gradient_of_the_scale()

    print(f"4. Two generators of digits: {args.steps} steps of {args.batch_size} images each\n")
    print("   normalization    step  discriminator  generator   seconds")
    samples, mates, changes = {}, {}, {}
    for virtual in (False, True):
        minigrad.manual_seed(args.seed)  # the same weights and noise for both
        painter = Painter(virtual, args)
        train(painter, images, labels, args)
        with minigrad.no_grad():
            name = _name(virtual)
            drawn = painter(minigrad.randn(100, NOISE), minigrad.arange(100) % 10)
            samples[name] = drawn.numpy().reshape(10, 10, 28, 28)
            mates[name] = same_noise(painter, minigrad.randn(10, NOISE), 4)
        changes[name] = float(np.abs(mates[name] - mates[name][:1]).max())
    print("\n   The same noise beside different batch mates, in batches of 4: the largest change of a pixel in [-1, 1]")
    for name, change in changes.items():
        print(f"   {name:14} {written(change)}")
    try:
        draw(samples, out / "samples.png")
        draw({f"{name}: each row the same noise, other batch mates": m for name, m in mates.items()},
             out / "batch_mates.png")  # fmt: skip
        print(f"\nsamples.png and batch_mates.png in {out}")
    except ImportError as error:
        print(f"\nno pictures: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
