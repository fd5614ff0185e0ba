"""The update of all parameters of a network by an optimizer: gradients are there, and stay as they are."""

from __future__ import annotations

from . import steps
from .libraries import Torch, array
from .numbers import normal
from .row import Row, Target, Task, ratio

TARGET = {"pytorch": Target(ratio(0.6), ratio(0.3))}


def rows() -> list[Row]:
    """PyTorch's default, and its faster `fused=True`, which minigrad takes and ignores."""
    found = []
    for optimizer in ("SGD", "Adam"):
        for network in ("mlp-bn", "conv-bn"):
            for fused in (False, True):
                name = f"{optimizer} of {network}{', fused=True' if fused else ''}"
                found.append(Row("updates", name, "updates.update", (optimizer, network, fused), TARGET))
    return found


def update(library: Torch, kind: str, network: str, fused: bool) -> Task:
    """The parameters after three updates have to agree."""
    model = library.initialize(steps.network(library.nn, network))
    parameters = list(model.parameters())
    for i, p in enumerate(parameters):
        p.grad = library.tensor(normal(*p.shape, seed=i))
    options = {"fused": True} if fused else {}
    optimizer = getattr(library.optim, kind)(parameters, lr=1e-4, **options)

    def results() -> list:
        for _ in range(3):
            optimizer.step()
        return [array(p) for p in parameters]

    return Task(optimizer.step, results)
