"""How well do the four MNIST networks learn, next to PyTorch? Three seeds each, one table.

    python benchmarks/mnist_accuracy.py                     # about a quarter of an hour on two cores
    python benchmarks/mnist_accuracy.py --models mlp --seeds 0

Each run is `examples/train_mnist.py` with its defaults: SGD, learning rate 0.1, batches of 32, ten epochs for the dense
networks and five for the convolutional ones. The figure is the best validation accuracy of a run. PyTorch's were
measured once with PyTorch 2.13 on the same networks, data and settings.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "examples" / "train_mnist.py"
PYTORCH = {
    "mlp-bn": (0.9811, 0.9803, 0.9804),
    "mlp": (0.9745, 0.9725, 0.9740),
    "conv-bn": (0.9881, 0.9903, 0.9891),
    "conv": (0.9884, 0.9889, 0.9883),
}


def train(model: str, seed: int, out: Path) -> tuple[float, float]:
    """The best validation accuracy of a run, and the median seconds of its epochs."""
    command = [sys.executable, SCRIPT, "--model", model, "--seed", str(seed), "--out", out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    best = json.loads((out / "result.json").read_text())["best_valid_acc"]
    with (out / "metrics.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return best, statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=PYTORCH, default=list(PYTORCH))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    print(
        "| network | best validation accuracy, seeds " + ", ".join(map(str, args.seeds)) + " | mean | PyTorch's mean |"
        " seconds an epoch |"
    )
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            runs = [train(model, seed, Path(folder) / f"{model}-{seed}") for seed in args.seeds]
            best = [accuracy for accuracy, _ in runs]
            seconds = statistics.median(time for _, time in runs)
            print(
                f"| {model} | {', '.join(f'{a:.4f}' for a in best)} | {statistics.mean(best):.4f} "
                f"| {statistics.mean(PYTORCH[model]):.4f} | {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
