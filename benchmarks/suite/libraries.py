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
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from . import numbers

# name: (the module that has to be there, what the table calls it)
LIBRARIES = {
    "minigrad": ("minigrad", "minigrad"),
    "pytorch": ("torch", "PyTorch"),
    "jax": ("jax", "JAX"),
    "autograd": ("autograd", "autograd"),
    "mygrad": ("mygrad", "MyGrad"),
    "numpy": ("numpy", "NumPy"),
}


def installed(name: str) -> bool:
    """Can the library be imported?"""
    return importlib.util.find_spec(LIBRARIES[name][0]) is not None


def environment(threads: int) -> dict[str, str]:
    """The environment of a library's process: so many threads for whatever pool it may have.

    One for NumPy's BLAS: its pool and Numba's would get in each other's way (the README recommends it). Python keeps
    its bytecode, whatever it is told elsewhere: an installed library has it from the start, a checkout after the first
    import, and without it an import takes half as long again.
    """
    here, count = Path(__file__).parents[1], str(threads)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)]),
        "PYTHONDONTWRITEBYTECODE": "",
        "OMP_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": count,
        "PJRT_NPROC": count,
        "JAX_PLATFORMS": "cpu",
    }


class Library:
    """A library that rows know by its name alone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = version(LIBRARIES[name][0])


class Torch(Library):
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
                    weight, bias = map(self.tensor, numbers.weights(i, layer.weight.shape))
                    layer.weight.copy_(weight)
                    if layer.bias is not None:
                        layer.bias.copy_(bias)
        return module

    def images(self, train: bool = True) -> Any:
        """MNIST: minigrad's dataset, or arrays of the images and labels."""
        return _dataset(train) if self.name == "minigrad" else numbers.mnist(train)

    def batches(self, size: int, train: bool = True) -> Iterator:
        """Batches of MNIST without end, images scaled to [-1, 1], always in the same order."""
        return (self._load if self.name == "minigrad" else self._gather)(size, self.images(train))

    def _load(self, size: int, data: Any) -> Iterator:
        """By a DataLoader, as anyone would."""
        loader = self.lib.data.DataLoader(data, size, sampler=numbers.order(len(data)), drop_last=True)
        while True:
            yield from loader

    def _gather(self, size: int, data: tuple) -> Iterator:
        """Without PyTorch's DataLoader, which would take longer than a step: nothing that was tried is faster."""
        images, labels = map(self.lib.from_numpy, data)
        order = self.lib.from_numpy(numbers.order(len(images)))
        while True:
            for index in order[: len(order) // size * size].split(size):
                yield images.index_select(0, index).float().mul_(2 / 255).sub_(1), labels[index]


@functools.cache
def _dataset(train: bool) -> Any:
    """minigrad's own MNIST."""
    data, transforms = (importlib.import_module(f"minigrad.data{part}") for part in ("", ".transforms"))
    scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    return data.MNIST(train=train, transform=scale)


def load(name: str, threads: int) -> Library:
    """Import the library, and let it use so many threads."""
    return Torch(name, threads) if name in ("minigrad", "pytorch") else Library(name)


def array(x: Any) -> np.ndarray:
    """The numbers of a tensor."""
    return np.asarray(x.detach() if hasattr(x, "detach") else x).copy()
