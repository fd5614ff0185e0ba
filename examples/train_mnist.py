"""Does batch norm help on MNIST? Train one of four small networks on handwritten digits, and see.

    python examples/train_mnist.py                      # a convolutional network with batch norm, 5 epochs
    python examples/train_mnist.py --model conv         # the same without; also mlp and mlp-bn
    python examples/train_mnist.py --norm layer         # the same with another norm
    python examples/train_mnist.py --compare-norms none,batch,layer,group   # one after the other: a table, a picture
    python examples/train_mnist.py --data-dir fashion   # another data set in the same four files

Prints a row an epoch, and writes metrics.csv, result.json and curves.png (if matplotlib is there) into --out.
The training columns are running figures: averages over the epoch while the network was still changing.
result.json is there only if the run was finished.

The norms stand where batch norm does, before each ReLU:

    none        nothing
    batch       each channel over the batch and the pixels: mlp-bn is mlp with it, conv-bn is conv with it
    virtual     each channel of an image and of a fixed reference batch, the first 64 training images
    invertible  batch norm as in normalizing flows, with exp(log_scale) as its weight; the log-determinant is left out
    layer       each image over channels and pixels, with a weight for each element of it
    group       each image over half of the channels and the pixels
    instance    each channel of each image over its pixels, so there is none for mlp
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import minigrad
from minigrad import nn, optim, training
from minigrad.data import MNIST, DataLoader, Dataset, Subset
from minigrad.data.transforms import Compose, Normalize, ToTensor
from minigrad.training import cli

Batches = tuple[DataLoader, DataLoader]  # to train on, to validate on
Loaders = Callable[[], Batches]  # gives the same images in the same order at each call
Outcome = tuple[dict[str, Any], Callable[[Path], None]]  # what result.json is to say of it, and what draws curves.png

NORMS = ("none", "batch", "virtual", "invertible", "layer", "group", "instance")
NEED_A_BATCH = {"batch", "invertible"}  # in training they cannot normalize one image by itself
REFERENCE_IMAGES = 64


class OutputOnly(nn.Module):
    """An invertible layer without its log-determinant, which a classifier has no use for."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        y, _ = self.layer(x)
        return y


class WithReference(nn.Module):
    """A network with virtual batch norms, which sends a reference batch through it before each batch.

    The reference is in the state dict: a network that is loaded normalizes by the same images, bit for bit.
    """

    def __init__(self, network: nn.Module, reference: minigrad.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("reference", reference)

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        with nn.reference_batch(self.network, self.reference):
            return self.network(x)


def normalization(norm: str, channels: int, *size: int) -> list[nn.Module]:
    """The layer, if any, that normalizes activations (N, channels) or (N, channels, *size)."""
    match norm:
        case "none":
            return []
        case "batch":
            return [nn.BatchNorm2d(channels) if size else nn.BatchNorm1d(channels)]
        case "virtual":
            # Gradients go through the reference too: were it a constant, training would be far slower.
            kind = nn.VirtualBatchNorm2d if size else nn.VirtualBatchNorm1d
            before = minigrad.get_rng_state()  # it draws gamma, and the weights after it shall be as with any norm
            layer = kind(channels, mix="example", detach_reference=False)
            minigrad.set_rng_state(before)
            return [layer]
        case "invertible":
            return [OutputOnly((nn.InvertibleBatchNorm2d if size else nn.InvertibleBatchNorm1d)(channels))]
        case "layer":
            return [nn.LayerNorm((channels, *size))]
        case "group":
            return [nn.GroupNorm(2, channels)]
        case "instance":
            return [nn.InstanceNorm2d(channels, affine=True)]
    raise ValueError(f"there is no norm {norm!r}; choose from {', '.join(NORMS)}")


def mlp(norm: str = "none") -> nn.Module:
    """784 - 100 - 10."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, 100),
        *normalization(norm, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def conv(norm: str = "none") -> nn.Module:
    """Two convolutions, each pooled to half the size, then one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),  # (N, 6, 28, 28)
        *normalization(norm, 6, 28, 28),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 6, 14, 14)
        nn.Conv2d(6, 16, 5),  # (N, 16, 10, 10)
        *normalization(norm, 16, 10, 10),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 16, 5, 5)
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
    )


# name: (how the network is made, epochs unless --epochs says otherwise)
MODELS = {
    "mlp": (mlp, 10),
    "mlp-bn": (partial(mlp, "batch"), 10),
    "conv": (conv, 5),
    "conv-bn": (partial(conv, "batch"), 5),
}
# name: (the optimizer, learning rate unless --lr says otherwise)
OPTIMIZERS = {
    "sgd": (optim.SGD, 0.1),
    "momentum": (partial(optim.SGD, momentum=0.9), 0.01),
    "adam": (optim.Adam, 0.001),
    "adamw": (optim.AdamW, 0.001),
    "rmsprop": (optim.RMSprop, 0.001),
    "adagrad": (optim.Adagrad, 0.01),
}


def parse_norms(text: str) -> list[str]:
    """The names in a list with commas, two or more different ones."""
    names = text.split(",")
    for name in names:
        if name not in NORMS:
            raise argparse.ArgumentTypeError(f"there is no norm {name!r}; choose from {', '.join(NORMS)}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"needs two or more different norms with commas between, got {text!r}")
    return names


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--model", choices=MODELS, help="the network (default: conv-bn, or conv with the norm that is asked for)")
    norm = parser.add_mutually_exclusive_group()
    norm.add_argument("--norm", choices=NORMS, help="what mlp or conv normalizes by (default: none)")
    norm.add_argument(
        "--compare-norms",
        type=parse_norms,
        metavar="A,B,...",
        help="train mlp or conv with each of these norms, from the same weights, on the same images in the same order",
    )
    add("--epochs", type=cli.at_least(1), help="default: 10 for mlp and mlp-bn, 5 for conv and conv-bn")
    add("--batch-size", type=cli.at_least(2), default=32, help="images a step (default: 32)")
    add("--optimizer", choices=OPTIMIZERS, default="sgd", help="default: sgd; momentum is sgd with momentum 0.9")
    add("--lr", type=cli.positive, help="learning rate (default: 0.1 for sgd, a usual one for the others)")
    add("--seed", type=cli.at_least(0), default=0, help="of the weights and of the order of images (default: 0)")
    add("--data-dir", help="a folder of four IDX files (default: MNIST, which comes with minigrad)")
    add("--limit-train", type=cli.at_least(2), metavar="N", help="train on the first N images only")
    add("--limit-valid", type=cli.at_least(1), metavar="N", help="validate on the first N test images only")
    add("--out", help="folder for the results (default: runs/NAME, and if that is there runs/NAME-2, ...)")
    add("--overwrite", action="store_true", help="let --out be a folder with results of an earlier run")
    args = parser.parse_args()
    if args.overwrite and not args.out:
        parser.error("--overwrite needs --out, which says what to overwrite")
    settle_norm(parser, args)
    args.epochs = args.epochs or MODELS[args.model][1]
    args.lr = args.lr or OPTIMIZERS[args.optimizer][1]
    return args


def settle_norm(parser: cli.Parser, args: argparse.Namespace) -> None:
    """Make --model and --norm say the same: conv-bn and mlp-bn are the names of conv and mlp with batch norm."""
    asked = ",".join(args.compare_norms or [args.norm or ""])
    option = "--compare-norms" if args.compare_norms else "--norm"
    model = args.model or ("conv" if asked else "conv-bn")
    network = model.removesuffix("-bn")
    if model != network and asked not in ("", "batch"):
        parser.error(
            f"--model {model} is {network} with batch norm, which {option} {asked} contradicts; say --model {network}"
        )
    if network == "mlp" and "instance" in asked.split(","):
        parser.error(
            f"{option} {asked}: instance norm averages over the pixels of a channel, and the units of mlp have no "
            "pixels, each would become 0; choose another norm, or --model conv"
        )
    if args.compare_norms:
        args.model = network
    else:
        args.norm = args.norm or ("batch" if model != network else "none")
        args.model = f"{network}-bn" if args.norm == "batch" else network


def load(folder: str | None, train: bool, limit: int | None) -> tuple[Dataset, str]:
    """The training or the test images, pixels scaled to [-1, 1], and where they came from."""
    try:
        data = MNIST(folder, train=train, transform=Compose([ToTensor(), Normalize((0.5,), (0.5,))]))
    except FileNotFoundError:
        half = "train" if train else "t10k"
        raise FileNotFoundError(
            f"--data-dir {folder}: there is no {half}-images-idx3-ubyte with {half}-labels-idx1-ubyte, gzipped or not, "
            "in this folder, its MNIST/raw or its raw; leave --data-dir out to use MNIST, which comes with minigrad"
        ) from None
    kind, least = ("training", 2) if train else ("test", 1)  # batch norm cannot train on one image
    if len(data) < least:
        raise ValueError(f"too few {kind} images in {data.source}: {len(data)}, and the least is {least}")
    if data.data.shape[1:] != (28, 28):
        size = " x ".join(map(str, data.data.shape[1:]))
        raise ValueError(f"the {kind} images in {data.source} are {size}, and the networks take 28 x 28")
    return (data if limit is None else Subset(data, range(min(limit, len(data))))), data.source


def full_name(network: str, norm: str) -> str:
    """What the network with this norm is called: conv, conv-bn, conv-layer."""
    return network + {"none": "", "batch": "-bn"}.get(norm, f"-{norm}")


def build(network: str, norm: str, images: Dataset) -> nn.Module:
    """mlp or conv with a norm, and with a reference of the first of these images where the norm needs one."""
    model = MODELS[network][0](norm)
    if norm != "virtual":
        return model
    return WithReference(model, minigrad.stack([images[i][0] for i in range(min(REFERENCE_IMAGES, len(images)))]))


def make_loaders(args: argparse.Namespace, train: Dataset, valid: Dataset, alone: bool) -> Batches:
    """The batches of both, those to train on without a last one of one image if it would stand `alone`."""
    order = minigrad.Generator().manual_seed(args.seed)  # of its own: the same order of images for every network
    return DataLoader(train, args.batch_size, shuffle=True, drop_last=alone, generator=order), DataLoader(valid, 500)


def make_trainer(args: argparse.Namespace, model: nn.Module, csv: training.MetricsCSV) -> training.Trainer:
    """What trains the model as the options say, and prints a row an epoch."""
    optimizer = OPTIMIZERS[args.optimizer][0](model.parameters(), lr=args.lr)
    callbacks = training.Progress(), training.EpochTable(), csv
    return training.Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks)


def train_one(args: argparse.Namespace, name: str, model: nn.Module, loaders: Loaders, out: Path) -> Outcome:
    """Train one network."""
    trainer = make_trainer(args, model, training.MetricsCSV(out / "metrics.csv"))
    try:
        history = trainer.fit(*loaders(), args.epochs)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"finished epochs, in {out}/metrics.csv: {trainer.epoch}") from None
    best, final = training.best_epoch(history), history[-1]
    print(f"\nvalidation accuracy: best {best.valid_acc:.4f} (epoch {best.epoch}), final {final.valid_acc:.4f}")
    result = {
        "final_valid_acc": final.valid_acc,
        "best_valid_acc": best.valid_acc,
        "best_epoch": best.epoch,
    }
    title = f"{name}: validation accuracy {final.valid_acc:.4f}"
    return result, partial(training.plot_curves, history, title=title)


def train_each(args: argparse.Namespace, models: dict[str, nn.Module], loaders: Loaders, out: Path) -> Outcome:
    """Train a network with one norm after the other. One that diverges is a result, and the others go on."""
    comparison = training.Comparison("norm")
    for norm, model in models.items():
        trainer = make_trainer(args, model, training.MetricsCSV(out / "metrics.csv", comparison))
        run = comparison.add(norm, sum(p.numel() for p in model.parameters()), trainer.history)
        print(full_name(args.model, norm))
        try:
            trainer.fit(*loaders(), args.epochs)
        except training.DivergenceError as error:
            run.note = f"diverged in epoch {trainer.epoch + 1}"
            print(f"{run.note}: {error}")
        except KeyboardInterrupt:
            epochs = ", ".join(f"{run.name} {len(run.history)}" for run in comparison.runs)
            raise KeyboardInterrupt(f"finished epochs, in {out}/metrics.csv: {epochs}") from None
        print()
    print(comparison)
    if not any(run.history for run in comparison.runs):
        raise training.DivergenceError("no norm got through its first epoch; a smaller --lr is the usual cure")
    return {"norms": comparison.results()}, partial(training.plot_comparison, comparison, title=args.model)


def main() -> int:
    args = parse_arguments()
    network, norms = args.model.removesuffix("-bn"), args.compare_norms or [args.norm]
    name = f"{network}-norms" if args.compare_norms else full_name(network, args.norm)
    models = {}
    try:
        if args.out:
            training.check_run_directory(args.out, args.overwrite)
        train, source = load(args.data_dir, True, args.limit_train)
        valid, _ = load(args.data_dir, False, args.limit_valid)
        # Batch norm cannot train on a last batch of one image.
        alone = not NEED_A_BATCH.isdisjoint(norms) and len(train) % args.batch_size == 1
        left_out = " (one an epoch is left out: batch norm cannot train on a last batch of one)" if alone else ""
        print(f"data: {source}\n{len(train):,} images to train on{left_out}, {len(valid):,} to validate\n")
        for norm in norms:
            minigrad.manual_seed(args.seed)
            models[norm] = build(network, norm, train)
        summary = training.summarize(models[norms[0]], train[0][0].unsqueeze(0))
        if args.out:
            out = training.create_run_directory(args.out, args.overwrite)
        else:
            out = training.new_run_directory(f"runs/{name}")
    except (OSError, ImportError, ValueError, IndexError, RuntimeError) as error:
        cli.fail(error)  # nothing has been written yet
    print(f"{network} with the norms {', '.join(norms)}\n" if args.compare_norms else f"{name}\n{summary}\n")
    print(f"{args.optimizer}, learning rate {args.lr}, batches of {args.batch_size}, seed {args.seed}\n", flush=True)

    loaders = partial(make_loaders, args, train, valid, alone)
    if args.compare_norms:
        result, plot = train_each(args, models, loaders, out)
    else:
        result, plot = train_one(args, name, models[args.norm], loaders, out)
    settings = {**vars(args), "data": source, "train_images": len(train), "valid_images": len(valid)}
    result |= {"settings": settings, "version": minigrad.__version__, "backend": minigrad.get_backend()}
    training.write_json(out / "result.json", result)
    try:
        plot(out / "curves.png")
    except ImportError as error:
        print(f"no curves.png: {error}")
    print(f"results in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
