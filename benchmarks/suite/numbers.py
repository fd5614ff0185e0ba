"""Inputs and weights, the same in every library: they come from NumPy's generator."""

from __future__ import annotations

import functools
import gzip
from math import prod
from pathlib import Path

import numpy as np

MNIST = Path(__file__).parents[2] / "minigrad" / "data" / "mnist"


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers in float32."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def weights(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The weights, of this shape, and the biases of a layer, distributed as PyTorch's are at first."""
    rng, bound = np.random.default_rng(seed), prod(shape[1:]) ** -0.5
    return tuple(rng.uniform(-bound, bound, size).astype(np.float32) for size in (tuple(shape), shape[0]))


def labels(n: int, classes: int) -> np.ndarray:
    """The labels of n samples."""
    return np.random.default_rng(n).integers(classes, size=n)


def order(n: int) -> np.ndarray:
    """The order in which n samples are gone through."""
    return np.random.default_rng(0).permutation(n)


@functools.cache
def mnist(train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The images of MNIST, uint8 (N, 1, 28, 28), and their labels, int64, read without minigrad."""
    half = "train" if train else "t10k"
    with gzip.open(MNIST / f"{half}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28).copy()
    with gzip.open(MNIST / f"{half}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
