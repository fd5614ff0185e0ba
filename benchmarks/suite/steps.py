"""Whole training steps of the four MNIST networks: the batch, forward, cross entropy, backward, SGD.

The batch is gathered from the 60,000 images of uint8 and scaled to [-1, 1]. JAX compiles all of it into one function,
whose result is waited for.
"""

from __future__ import annotations

from typing import Any

from . import jax_steps
from .libraries import Library, array
from .row import Row, Target, Task, ratio

LEARNING_RATE = 0.1
NETWORKS = ("conv-bn", "conv", "mlp-bn", "mlp")
DENSE, CONV = Target(ratio(0.45), ratio(0.25)), Target(ratio(0.30), ratio(0.12))


def rows() -> list[Row]:
    return [
        row("steps", f"step of {name}, batch {batch}", name, batch, DENSE if name.startswith("mlp") else CONV)
        for name in NETWORKS
        for batch in (32, 128)
    ]


def row(family: str, title: str, name: str, batch: int, target: Target) -> Row:
    flop = 2 * batch * multiplications(name)
    libraries = "minigrad", "pytorch", "jax"
    return Row(family, title, "steps.step", (name, batch), {"pytorch": target}, libraries, flop=flop)


def multiplications(name: str) -> int:
    """How many of them, with an addition each, an image takes: forward, and the gradients that are needed."""
    if name.startswith("mlp"):
        return 2 * 784 * 100 + 3 * 100 * 10
    return 2 * 28 * 28 * 6 * 9 + 3 * 10 * 10 * 16 * 6 * 25 + 3 * 400 * 10


def layers(name: str) -> list[tuple[str, tuple]]:
    """One of the networks of `examples/train_mnist.py`: the layers' names in `nn`, and what they are made with."""
    bn = name.endswith("-bn")
    if name.startswith("mlp"):
        norm = [("BatchNorm1d", (100,))] if bn else []
        return [("Flatten", ()), ("Linear", (784, 100)), *norm, ("ReLU", ()), ("Linear", (100, 10))]
    found: list[tuple[str, tuple]] = []
    for convolution in ((1, 6, 3, 1, 1), (6, 16, 5)):  # channels in and out, kernel; stride and padding
        norm = [("BatchNorm2d", (convolution[1],))] if bn else []
        found += [("Conv2d", convolution), *norm, ("ReLU", ()), ("MaxPool2d", (2,))]
    return [*found, ("Flatten", ()), ("Linear", (400, 10))]


def network(nn: Any, name: str) -> Any:
    return nn.Sequential(*(getattr(nn, kind)(*arguments) for kind, arguments in layers(name)))


def step(library: Library, name: str, batch: int, train: bool = True) -> Task:
    """The parameters after a step, and the losses of it and of two more, have to agree. `train` chooses the images."""
    if library.name == "jax":
        return jax_steps.step(layers(name), batch, LEARNING_RATE)
    model = library.initialize(network(library.nn, name))
    optimizer = library.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    batches, cross_entropy = library.batches(batch, train), library.F.cross_entropy

    def run() -> Any:
        images, labels = next(batches)
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    def results() -> list:
        first = array(run())
        return [array(p) for p in model.parameters()] + [first, array(run()), array(run())]

    return Task(run, results)
