"""The two loops everything else is built around: an epoch of training, and an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd import no_grad
from ..nn import Module
from ..optim import Optimizer
from .metrics import Metrics

__all__ = ["DivergenceError", "evaluate", "evaluation_mode", "train_epoch"]


class DivergenceError(RuntimeError):
    """The loss is no longer a finite number. The text says since when."""


def train_epoch(
    model: Module,
    loader: Iterable,
    loss_fn: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    on_batch: Callable[[Metrics], None] | None = None,
) -> Metrics:
    """Train on every batch once, in training mode.

    model     : gives the scores (N, C) of a batch of inputs.
    loader    : gives pairs of inputs and targets (N,).
    loss_fn   : `loss_fn(scores, targets)`, the mean over the batch.
    optimizer : takes a step after each batch.
    on_batch  : called after each step with the metrics so far.

    Returns the running metrics: each batch counts with its loss and accuracy before its own step.

    Raises DivergenceError when a loss is nan or infinite, before its gradients reach the model, and ValueError
    if the loader has no batch.

    >>> import minigrad
    >>> from minigrad import nn, optim
    >>> from minigrad.training import train_epoch
    >>> _ = minigrad.manual_seed(0)
    >>> x = minigrad.randn(64, 3)
    >>> model, batches = nn.Linear(3, 2), [(x, (x[:, 0] > 0).long())] * 100
    >>> metrics = train_epoch(model, batches, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5))
    >>> metrics.batches, metrics.accuracy > 0.9
    (100, True)
    """
    model.train()
    metrics = Metrics()
    for inputs, targets in loader:
        outputs = model(inputs)
        loss = loss_fn(outputs, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss became {value} in batch {metrics.batches + 1} of the epoch, so training was stopped; "
                "a smaller learning rate is the usual cure"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        metrics.add(value, outputs, targets)
        if on_batch is not None:
            on_batch(metrics)
    return _not_empty(metrics, "train_epoch")


def evaluate(model: Module, loader: Iterable, loss_fn: Callable[[Any, Any], Any]) -> Metrics:
    """Measure the model on every batch once, in evaluation mode and without recording a graph.

    The arguments are those of `train_epoch`. Nothing is changed: each module goes back into the mode it was in.

    Raises ValueError if the loader has no batch.

    >>> import minigrad
    >>> from minigrad import nn
    >>> from minigrad.training import evaluate
    >>> batch = minigrad.tensor([[3.0, 0.0], [0.0, 3.0]]), minigrad.tensor([0, 0])
    >>> evaluate(nn.Identity(), [batch], nn.CrossEntropyLoss()).accuracy
    0.5
    """
    metrics = Metrics()
    with evaluation_mode(model), no_grad():
        for inputs, targets in loader:
            outputs = model(inputs)
            metrics.add(loss_fn(outputs, targets).item(), outputs, targets)
    return _not_empty(metrics, "evaluate")


@contextmanager
def evaluation_mode(model: Module) -> Iterator[None]:
    """Every module in evaluation mode for a with-block, and afterwards back in its own."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _not_empty(metrics: Metrics, caller: str) -> Metrics:
    if not metrics.batches:
        raise ValueError(
            f"{caller}: the loader has no batch; is its dataset empty, or smaller than one batch with drop_last=True?"
        )
    return metrics
