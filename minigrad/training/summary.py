"""The layers of a model, what shapes they give, and how many parameters they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..autograd import no_grad
from ..nn import Module
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor
from .loop import evaluation_mode

__all__ = ["LayerSummary", "ModelSummary", "summarize"]


@dataclass(frozen=True)
class LayerSummary:
    """One module of a model.

    path       : its name in the model, as in `named_modules`; "" for the model itself
    kind       : the name of its class
    output     : the shape of its output, in words; "not called" if the model did not use it
    parameters : how many numbers it holds as parameters of its own, none of them counted at an earlier module
    """

    path: str
    kind: str
    output: str
    parameters: int


@dataclass(frozen=True)
class ModelSummary:
    """What `summarize` found; as a string, a table.

    layers     : the modules, in the order of `named_modules`
    parameters : how many numbers the model learns or keeps fixed as parameters, shared ones counted once
    trainable  : how many of them require grad
    buffers    : how many numbers it holds besides, such as running statistics
    """

    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int
    buffers: int

    def __str__(self) -> str:
        rows = [("layer", "output shape", "parameters")]
        for layer in self.layers:
            if layer.path or layer.parameters or len(self.layers) == 1:  # the model itself is in the last line
                count = f"{layer.parameters:,}" if layer.parameters else "-"
                rows.append((f"{layer.path} ({layer.kind})".lstrip(), layer.output, count))
        first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}" for a, b, c in rows]
        total = f"{self.parameters:,} parameters"
        if self.trainable != self.parameters:
            total += f", {self.trainable:,} of them trainable"
        if self.buffers:
            total += f"; {self.buffers:,} values in buffers"
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, total])


def summarize(model: Module, *inputs: Any) -> ModelSummary:
    """Send an example input through the model, and tell each module's output shape and parameters.

    The model is left as it was: the example goes through in evaluation mode, no statistics and no graph are
    recorded, and the default random generator goes on as if nothing had been.

    model  : the model.
    inputs : what it is called with, for example `minigrad.zeros(1, 1, 28, 28)`.

    Raises TypeError for what is no Module, and what the model raises on these inputs.

    >>> import minigrad
    >>> from minigrad import nn
    >>> from minigrad.training import summarize
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> print(summarize(model, minigrad.zeros(1, 28, 28)))
    layer        output shape  parameters
    -------------------------------------
    0 (Flatten)  (1, 784)               -
    1 (Linear)   (1, 100)          78,500
    2 (ReLU)     (1, 100)               -
    3 (Linear)   (1, 10)            1,010
    -------------------------------------
    79,510 parameters
    """
    if not isinstance(model, Module):
        raise TypeError(f"summarize: model must be a Module, got {type(model).__name__}")
    modules = list(model.named_modules())
    shapes: dict[Module, list[str]] = {module: [] for _, module in modules}

    def keep_shape(module: Module, args: Any, output: Any) -> None:
        shapes[module].append(_shape(output))

    handles = [module.register_forward_hook(keep_shape) for _, module in modules]
    random_state = get_rng_state()
    try:
        with evaluation_mode(model), no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        set_rng_state(random_state)

    counted: set[int] = set()
    layers = []
    for path, module in modules:
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, own))
        layers.append(LayerSummary(path, type(module).__name__, _calls(shapes[module]), sum(p.numel() for p in own)))
    parameters = list(model.parameters())
    return ModelSummary(
        tuple(layers),
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(b.numel() for b in model.buffers()),
    )


def _shape(output: Any) -> str:
    """The shape of what a module gave: a Tensor, or a collection with some inside."""
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if isinstance(output, Mapping):
        return "{" + ", ".join(f"{key}: {_shape(value)}" for key, value in output.items()) + "}"
    if isinstance(output, (tuple, list)):
        return "[" + ", ".join(map(_shape, output)) + "]"
    return type(output).__name__


def _calls(shapes: list[str]) -> str:
    """The output shapes of a module over the calls it had."""
    if not shapes:
        return "not called"
    if len(shapes) > 1 and len(set(shapes)) == 1:
        return f"{shapes[0]}, {len(shapes)} times"
    return ", ".join(shapes)
