"""Single layers and functions, forward and backward: the gradients of the input and of all parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from .libraries import Torch, array
from .numbers import labels, normal
from .row import Row, Target, Task, ratio, share

FAMILY = "layers"
FLOAT = 4  # bytes


def conv2d(batch: int, c_in: int, c_out: int, kernel: int, size: int, padding: int) -> Row:
    out = size + 2 * padding - kernel + 1
    name = f"conv2d {c_in}->{c_out} {kernel}x{kernel} on {size}x{size}"
    make = "Conv2d", (c_in, c_out, kernel), {"padding": padding}, (batch, c_in, size, size)
    flop = 3 * 2 * batch * c_out * out * out * c_in * kernel * kernel
    return Row(FAMILY, name, "layers.module", make, {"pytorch": Target(ratio(1.0), ratio(0.7))}, flop=flop)


def batch_norm(*shape: int) -> Row:
    """x to y, then x and y's gradient to x's: five arrays at least, if nothing stays in a cache."""
    make = "BatchNorm2d", (shape[1],), {}, shape
    target = Target(ratio(0.7), share(0.7))
    return Row(FAMILY, f"batch norm {shape}", "layers.module", make, {"pytorch": target}, bytes=5 * FLOAT * prod(shape))


def linear(batch: int, c_in: int, c_out: int) -> Row:
    make = "Linear", (c_in, c_out), {}, (batch, c_in)
    target = Target(ratio(1.0), ratio(0.7))
    flop = 3 * 2 * batch * c_in * c_out
    return Row(FAMILY, f"linear {batch}x{c_in}->{c_out}", "layers.module", make, {"pytorch": target}, flop=flop)


def of_one(name: str, must: float, aim: float, shape: tuple[int, ...], passes: float) -> Row:
    """A function of one tensor, which has to read and write so many arrays of its size."""
    target = Target(ratio(must), ratio(aim))
    passes = passes * FLOAT * prod(shape)
    return Row(FAMILY, f"{name} {shape}", "layers.function", (name, shape), {"pytorch": target}, bytes=passes)


def rows() -> list[Row]:
    return [
        conv2d(32, 6, 16, 5, 14, padding=0),
        conv2d(32, 32, 64, 3, 14, padding=1),
        conv2d(32, 64, 64, 3, 28, padding=1),
        batch_norm(32, 64, 28, 28),
        batch_norm(128, 6, 28, 28),
        of_one("max pool 2x2", 0.3, 0.1, (128, 6, 28, 28), 2.5),
        of_one("cross entropy", 0.6, 0.3, (128, 10), 3),
        of_one("cross entropy", 0.6, 0.3, (128, 1000), 3),
        of_one("relu", 1.0, 0.7, (128, 6, 28, 28), 5),
        of_one("relu", 1.0, 0.7, (128, 100), 5),
        of_one("softmax", 1.0, 0.7, (128, 10), 5),
        of_one("softmax", 1.0, 0.7, (128, 1000), 5),
        linear(32, 784, 100),
        linear(256, 1024, 1024),
    ]


def functions(library: Torch, shape: tuple[int, ...]) -> dict[str, Callable]:
    """What a row's name stands for."""
    F, targets = library.F, library.tensor(labels(shape[0], shape[-1]))
    return {
        "max pool 2x2": lambda x: F.max_pool2d(x, 2),
        "cross entropy": lambda x: F.cross_entropy(x, targets),
        "relu": F.relu,
        "softmax": lambda x: F.softmax(x, 1),
    }


def module(library: Torch, kind: str, arguments: list, options: dict, shape: list) -> Task:
    """A module of `nn`, made with these arguments, on an input of this shape."""
    layer = library.initialize(getattr(library.nn, kind)(*arguments, **options))
    return there_and_back(library, layer, normal(*shape), list(layer.parameters()))


def function(library: Torch, name: str, shape: list) -> Task:
    return there_and_back(library, functions(library, tuple(shape))[name], normal(*shape), [])


def there_and_back(library: Torch, f: Callable, x: Any, parameters: list) -> Task:
    """y = f(x), and from a gradient of y those of x and of the parameters."""
    x = library.tensor(x, requires_grad=True)
    leaves = [x, *parameters]
    shape = tuple(f(x).shape)
    g = library.tensor(normal(*shape, seed=1)) if shape else None

    def run() -> Any:
        for leaf in leaves:
            leaf.grad = None
        y = f(x)
        y.backward(g)
        return y

    return Task(run, lambda: [array(run()), *(array(leaf.grad) for leaf in leaves)])
