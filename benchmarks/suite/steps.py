"""Whole training steps of the four MNIST networks: the batch, forward, cross entropy, backward, SGD.

The batch is gathered from the 60,000 images of uint8 and scaled to [-1, 1].
"""

from __future__ import annotations

from typing import Any

from .libraries import Torch, array
from .row import Row, Target, Task, ratio

NETWORKS = ("conv-bn", "conv", "mlp-bn", "mlp")
DENSE, CONV = Target(ratio(0.45), ratio(0.25)), Target(ratio(0.30), ratio(0.12))


def multiplications(name: str) -> int:
    """How many of them, with an addition each, an image takes: forward, and the gradients that are needed."""
    if name.startswith("mlp"):
        return 2 * 784 * 100 + 3 * 100 * 10
    return 2 * 28 * 28 * 6 * 9 + 3 * 10 * 10 * 16 * 6 * 25 + 3 * 400 * 10


def rows() -> list[Row]:
    return [
        Row(
            "steps",
            f"step {name}, batch {batch}",
            "steps.step",
            (name, batch),
            {"pytorch": DENSE if name.startswith("mlp") else CONV},
            flop=2 * batch * multiplications(name),
        )
        for name in NETWORKS
        for batch in (32, 128)
    ]


def network(nn: Any, name: str) -> Any:
    """One of the networks of `examples/train_mnist.py`."""
    bn = name.endswith("-bn")
    if name.startswith("mlp"):
        norm = [nn.BatchNorm1d(100)] if bn else []
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), *norm, nn.ReLU(), nn.Linear(100, 10))
    norm1, norm2 = ([nn.BatchNorm2d(6)], [nn.BatchNorm2d(16)]) if bn else ([], [])
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        *norm1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        *norm2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 10),
    )


def step(library: Torch, name: str, batch: int) -> Task:
    """The parameters after a step, and the losses of it and of two more, have to agree."""
    model = library.initialize(network(library.nn, name))
    optimizer = library.optim.SGD(model.parameters(), lr=0.1)
    batches, cross_entropy = library.batches(batch), library.F.cross_entropy

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
