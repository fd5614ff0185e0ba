"""How long does a first training step take, and which kernels take how much of it? In fresh processes.

    python benchmarks/compile_time.py                       # the convolutional network with batch norm
    python benchmarks/compile_time.py --model mlp --json compile.json

First with an empty folder of machine code, where each kernel is compiled, then twice with what that left, where it is
loaded. A step is the forward pass, the loss, the backward pass and the update. Seconds are of a clock on the wall; the
processor time of the process is beside them, because other programs on the machine disturb it less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAINING_SCRIPT = Path(__file__).parents[1] / "examples" / "train_mnist.py"

PROGRAM = """
import json, runpy, time
start, busy = time.perf_counter(), time.process_time()
import minigrad
from minigrad import nn, optim
imported = time.perf_counter()
networks = runpy.run_path({script!r})["MODELS"]
minigrad.manual_seed(0)
model = networks[{model!r}][0]()
optimizer = optim.SGD(model.parameters(), lr=0.1)
images, labels = minigrad.randn({batch}, 1, 28, 28), minigrad.randint(0, 10, ({batch},))

def step():
    begin, busy = time.perf_counter(), time.process_time()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
    return time.perf_counter() - begin, time.process_time() - busy

first, second = step(), step()
from minigrad.kernels.record import made
print(json.dumps({{"import": imported - start, "first": first, "second": second, "kernels": made}}))
"""


def run(model: str, batch: int, folder: str) -> dict:
    """What a fresh process measures with this folder of machine code."""
    program = PROGRAM.format(script=str(TRAINING_SCRIPT), model=model, batch=batch)
    environment = {**os.environ, "NUMBA_CACHE_DIR": folder, "MINIGRAD_BACKEND": "numba"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return {**json.loads(done.stdout), "process": time.perf_counter() - start}


def report(title: str, measured: dict) -> None:
    """A table of the kernels, the slowest first, and the totals."""
    (wall, busy), kernels = measured["first"], measured["kernels"]
    print(f"\n{title}\n\n| kernel | dtype | seconds | |\n|---|---|---|---|")
    for name, dtype, seconds, compiled in sorted(kernels, key=lambda kernel: -kernel[2]):
        print(f"| {name} | {dtype} | {seconds:.3f} | {'compiled' if compiled else 'loaded'} |")
    print(f"| {len(kernels)} kernels | | {sum(kernel[2] for kernel in kernels):.3f} | |")
    print(
        f"\nimport {measured['import']:.2f} s, first step {wall:.2f} s ({busy:.2f} s of processor time), "
        f"second step {1e3 * measured['second'][0]:.1f} ms, whole process {measured['process']:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["mlp", "mlp-bn", "conv", "conv-bn"], default="conv-bn")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cold, *warm = (run(args.model, args.batch, folder) for _ in range(3))
    best = min(warm, key=lambda measured: measured["first"][0])
    report(f"{args.model}, batches of {args.batch}, nothing compiled before", cold)
    report("the next process", best)
    if args.json:
        args.json.write_text(
            json.dumps({"model": args.model, "batch": args.batch, "cold": cold, "warm": warm}, indent=1)
        )


if __name__ == "__main__":
    main()
