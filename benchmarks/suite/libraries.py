"""The libraries, under one set of names.

minigrad has PyTorch's names, so a row for these two is written once: what differs is here, and it is how a batch comes
about. Each library does that as its own users would, in the fastest way that it offers.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import numbers

# name: (the module that has to be there, what the table calls it)
LIBRARIES = {
    "minigrad": ("minigrad", "minigrad"),
    "pytorch": ("torch", "PyTorch"),
}


def installed(name: str) -> bool:
    """Can the library be imported?"""
    return importlib.util.find_spec(LIBRARIES[name][0]) is not None


def environment(threads: int) -> dict[str, str]:
    """The environment of a library's process: so many threads for whatever pool it may have.

    One thread for NumPy's BLAS: minigrad leaves it the products that are too small to share, and one other layout.
    """
    count = str(threads)
    root = os.pathsep.join(str(path) for path in (numbers.MNIST.parents[2], numbers.MNIST.parents[2] / "benchmarks"))
    return {
        **os.environ,
        "PYTHONPATH": root,
        "OMP_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": count,
    }


class Torch:
    """PyTorch, or minigrad under PyTorch's names."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.lib = name, importlib.import_module(LIBRARIES[name][0])
        self.lib.set_num_threads(threads)
        self.version = self.lib.__version__
        self.nn, self.optim, self.F = self.lib.nn, self.lib.optim, self.lib.nn.functional

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        """A tensor with memory of its own."""
        return self.lib.tensor(array, requires_grad=requires_grad)

    def initialize(self, module: Any) -> Any:
        """The module, the weights of its layers drawn as PyTorch does, but by NumPy."""
        with self.lib.no_grad():
            for i, layer in enumerate(module.modules()):
                if isinstance(layer, (self.nn.Linear, self.nn.Conv2d)):
                    bound = np.prod(layer.weight.shape[1:]) ** -0.5
                    for parameter in (layer.weight, layer.bias):
                        values = np.random.default_rng([i, parameter.ndim]).uniform(-bound, bound, parameter.shape)
                        parameter.copy_(self.tensor(values.astype(np.float32)))
        return module

    def batches(self, size: int) -> Iterator:
        """Batches of MNIST without end, images scaled to [-1, 1], always in the same order."""
        return self._loader(size) if self.name == "minigrad" else self._gather(size)

    def _loader(self, size: int) -> Iterator:
        images = _dataset()
        loader = self.lib.data.DataLoader(images, size, sampler=numbers.order(len(images)).tolist(), drop_last=True)
        while True:
            yield from loader

    def _gather(self, size: int) -> Iterator:
        """Without a DataLoader, which would take longer than the step: no way that was tried is faster than this."""
        images, labels = map(self.lib.from_numpy, numbers.mnist())
        order = self.lib.from_numpy(numbers.order(len(images)))
        while True:
            for index in order[: len(order) // size * size].split(size):
                yield images.index_select(0, index).float().mul_(2 / 255).sub_(1), labels[index]


@functools.cache
def _dataset() -> Any:
    """minigrad's own MNIST."""
    data, transforms = (importlib.import_module(f"minigrad.data{part}") for part in ("", ".transforms"))
    return data.MNIST(transform=transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]))


def load(name: str, threads: int) -> Torch:
    """Import the library, and let it use so many threads."""
    return Torch(name, threads)


def array(x: Any) -> np.ndarray:
    """The numbers of a tensor."""
    return np.array(x.detach() if hasattr(x, "detach") else x)
