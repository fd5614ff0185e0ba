"""Which matrix products are faster by tiles, and which by BLAS? The table behind `minigrad/kernels/gemm.py`.

    OPENBLAS_NUM_THREADS=1 python benchmarks/matmul.py      # about a minute; one thread on both sides
    OPENBLAS_NUM_THREADS=2 python benchmarks/matmul.py --threads 2

For a linear layer of a batch M, K features in and N out, its three products: y = x w^T, gx = g w and gw = g^T x. Tiles
and BLAS (NumPy's) take turns in each round; a time is the median over the rounds, in microseconds, and a ratio below 1
says that tiles are faster. The last column is what the library chooses. BLAS reads the number of its threads when it
is loaded, so it must be given by the environment.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest import mock

import numpy as np

import minigrad
from minigrad.kernels import gemm

SHAPES = [  # M, K, N
    (32, 100, 10),
    (128, 100, 10),
    (64, 64, 64),
    (32, 784, 100),
    (128, 784, 100),
    (64, 256, 256),
    (256, 512, 512),
    (256, 1024, 1024),
    (1000, 784, 100),
    (512, 2048, 2048),
    (1024, 1024, 1024),
]
ROW = "{:>18}  {:<10} {:>10} {:>10} {:>7} {:>12} {:>8}"


def products(M: int, K: int, N: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The operands of the three products of a layer."""
    rng = np.random.default_rng(0)
    x, w, g = (rng.standard_normal(shape).astype(np.float32) for shape in ((M, K), (N, K), (M, N)))
    return {"x w^T": (x, w.T), "g w": (g, w), "g^T x": (g.T, x)}


def seconds(function: Callable[[], object], times: int) -> float:
    """What one call takes, over so many of them."""
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def measure(a: np.ndarray, b: np.ndarray, rounds: int) -> tuple[float, float]:
    """The seconds of a product by tiles and by BLAS: medians."""
    times = max(1, round(2e8 / (a.size * b.shape[1])))
    taken = []
    with mock.patch.object(gemm, "_by_tiles", lambda *args: True):
        gemm.matmul(a, b)  # compiles
        for _ in range(rounds):
            taken.append((seconds(lambda: gemm.matmul(a, b), times), seconds(lambda: a @ b, times)))
    return statistics.median(tiles for tiles, _ in taken), statistics.median(blas for _, blas in taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="how many threads tiles may use (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, help="default: 9")
    parser.add_argument("--shapes", nargs="+", help="M,K,N of other layers: 32,784,100 64,64,64")
    args = parser.parse_args()
    minigrad.set_num_threads(args.threads)
    shapes = [tuple(map(int, s.split(","))) for s in args.shapes] if args.shapes else SHAPES
    print(ROW.format("M, K, N", "product", "tiles us", "BLAS us", "ratio", "GFLOP/s", "choice"))
    for M, K, N in shapes:
        for name, (a, b) in products(M, K, N).items():
            tiles, blas = measure(a, b, args.rounds)
            choice = "tiles" if gemm._by_tiles(a, b, *a.shape, b.shape[1]) else "BLAS"
            speed = f"{2 * M * K * N / min(tiles, blas) / 1e9:.0f}"
            columns = f"{M}, {K}, {N}", name, f"{tiles * 1e6:.1f}", f"{blas * 1e6:.1f}", f"{tiles / blas:.2f}", speed
            print(ROW.format(*columns, choice), flush=True)


if __name__ == "__main__":
    main()
