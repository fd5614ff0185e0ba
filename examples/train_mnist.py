"""Does batch norm help on MNIST? Train one of four small networks on handwritten digits, and see.

    python examples/train_mnist.py                      # a convolutional network with batch norm, 5 epochs
    python examples/train_mnist.py --model conv         # the same without; also mlp and mlp-bn
    python examples/train_mnist.py --data-dir fashion   # another data set in the same four files

Prints a row an epoch, and writes metrics.csv, result.json and curves.png (if matplotlib is there) into --out.
The training columns are running figures: averages over the epoch while the network was still changing.
result.json is there only if the run was finished.
"""

import argparse
import sys
from functools import partial

import minigrad
from minigrad import nn, optim, training
from minigrad.data import MNIST, DataLoader, Dataset, Subset
from minigrad.data.transforms import Compose, Normalize, ToTensor
from minigrad.training import cli


def mlp(batch_norm: bool) -> nn.Module:
    """784 - 100 - 10."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, 100),
        *([nn.BatchNorm1d(100)] if batch_norm else []),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def conv(batch_norm: bool) -> nn.Module:
    """Two convolutions, each pooled to half the size, then one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),  # (N, 6, 28, 28)
        *([nn.BatchNorm2d(6)] if batch_norm else []),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 6, 14, 14)
        nn.Conv2d(6, 16, 5),  # (N, 16, 10, 10)
        *([nn.BatchNorm2d(16)] if batch_norm else []),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (N, 16, 5, 5)
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
    )


# name: (how the network is made, epochs unless --epochs says otherwise)
MODELS = {
    "mlp": (partial(mlp, batch_norm=False), 10),
    "mlp-bn": (partial(mlp, batch_norm=True), 10),
    "conv": (partial(conv, batch_norm=False), 5),
    "conv-bn": (partial(conv, batch_norm=True), 5),
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


def parse_arguments() -> argparse.Namespace:
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--model", choices=MODELS, default="conv-bn", help="the network (default: conv-bn)")
    add("--epochs", type=cli.at_least(1), help="default: 10 for mlp and mlp-bn, 5 for conv and conv-bn")
    add("--batch-size", type=cli.at_least(2), default=32, help="images a step (default: 32)")
    add("--optimizer", choices=OPTIMIZERS, default="sgd", help="default: sgd; momentum is sgd with momentum 0.9")
    add("--lr", type=cli.positive, help="learning rate (default: 0.1 for sgd, a usual one for the others)")
    add("--seed", type=cli.at_least(0), default=0, help="of the weights and of the order of images (default: 0)")
    add("--data-dir", help="a folder of four IDX files (default: MNIST, which comes with minigrad)")
    add("--limit-train", type=cli.at_least(2), metavar="N", help="train on the first N images only")
    add("--limit-valid", type=cli.at_least(1), metavar="N", help="validate on the first N test images only")
    add("--out", help="folder for the results (default: runs/MODEL, and if that is there runs/MODEL-2, ...)")
    add("--overwrite", action="store_true", help="let --out be a folder with results of an earlier run")
    args = parser.parse_args()
    if args.overwrite and not args.out:
        parser.error("--overwrite needs --out, which says what to overwrite")
    args.epochs = args.epochs or MODELS[args.model][1]
    args.lr = args.lr or OPTIMIZERS[args.optimizer][1]
    return args


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


def main() -> int:
    args = parse_arguments()
    minigrad.manual_seed(args.seed)
    try:
        if args.out:
            training.check_run_directory(args.out, args.overwrite)
        train, source = load(args.data_dir, True, args.limit_train)
        valid, _ = load(args.data_dir, False, args.limit_valid)
        # Batch norm cannot train on a last batch of one image.
        alone = args.model.endswith("-bn") and len(train) % args.batch_size == 1
        left_out = " (one an epoch is left out: batch norm cannot train on a last batch of one)" if alone else ""
        print(f"data: {source}\n{len(train):,} images to train on{left_out}, {len(valid):,} to validate\n")
        model = MODELS[args.model][0]()
        summary = training.summarize(model, train[0][0].unsqueeze(0))
        if args.out:
            out = training.create_run_directory(args.out, args.overwrite)
        else:
            out = training.new_run_directory(f"runs/{args.model}")
    except (OSError, ImportError, ValueError, IndexError, RuntimeError) as error:
        cli.fail(error)  # nothing has been written yet
    print(f"{args.model}\n{summary}\n")
    print(f"{args.optimizer}, learning rate {args.lr}, batches of {args.batch_size}, seed {args.seed}\n", flush=True)

    order = minigrad.Generator().manual_seed(args.seed)  # of its own: the same order of images for every network
    train_loader = DataLoader(train, args.batch_size, shuffle=True, drop_last=alone, generator=order)
    valid_loader = DataLoader(valid, 500)
    callbacks = training.Progress(), training.EpochTable(), training.MetricsCSV(out / "metrics.csv")
    optimizer = OPTIMIZERS[args.optimizer][0](model.parameters(), lr=args.lr)
    trainer = training.Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks)
    try:
        history = trainer.fit(train_loader, valid_loader, args.epochs)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"finished epochs, in {out}/metrics.csv: {trainer.epoch}") from None

    best, final = training.best_epoch(history), history[-1]
    print(f"\nvalidation accuracy: best {best.valid_acc:.4f} (epoch {best.epoch}), final {final.valid_acc:.4f}")
    result = {
        "final_valid_acc": final.valid_acc,
        "best_valid_acc": best.valid_acc,
        "best_epoch": best.epoch,
        "settings": {**vars(args), "data": source, "train_images": len(train), "valid_images": len(valid)},
        "version": minigrad.__version__,
        "backend": minigrad.get_backend(),
    }
    training.write_json(out / "result.json", result)
    try:
        training.plot_curves(history, out / "curves.png", f"{args.model}: validation accuracy {final.valid_acc:.4f}")
    except ImportError as error:
        print(f"no curves.png: {error}")
    print(f"results in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
