"""Compiling what a model needs before it is needed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import autograd, kernels, random
from .kernels.record import Made, made
from .nn import Module
from .optim import Optimizer
from .tensor import Tensor


@dataclass(frozen=True)
class Warmup:
    """What `warmup` gives back; `print` it.

    seconds  : how long it took
    compiled : the kernels that were compiled, with their dtypes; the next process will load them
    loaded   : those that had been kept from an earlier process

    Kernels that were ready before are in neither.
    """

    seconds: float
    compiled: tuple[str, ...]
    loaded: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(self.compiled)} kernels compiled and {len(self.loaded)} loaded in {self.seconds:.1f} s"


def warmup(
    model: Module,
    example: Any,
    *,
    loss: Callable[..., Any] | None = None,
    target: Any = None,
    optimizer: Optimizer | None = None,
) -> Warmup:
    """Compile, or load, all kernels that training and evaluating `model` on batches like `example` will call.

    Kernels are compiled when they are first called, which makes the first training step on a machine seconds long. Call
    this before what shall not wait: a request to a server, a run whose steps are timed, or processes that all start at
    once and would compile the same.

    example   : a batch as the model is given it, of the shape and dtype it will have: a tensor or an array, or a tuple
                of them for a model with several inputs
    loss      : a function of the model's output, and of `target` if that is given, as in training
    target    : what the loss compares the output with
    optimizer : the one that will update the model's parameters

    A copy of the model goes forward in the mode that the model is in and, where gradients are enabled, backward from
    the loss, or else from all outputs; then through a step of a copy of the optimizer, and forward once more in
    evaluation mode. Parameters, buffers, gradients, modes, the optimizer's state and minigrad's random numbers stay
    as they were, whatever happens. For evaluation alone, call it under `no_grad`.

    TypeError for what is no model, loss or optimizer, or an input that is no tensor or array; ValueError for a target
    without a loss. Errors of the model itself are passed on.

    >>> import minigrad
    >>> from minigrad import nn, optim
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU())
    >>> x, labels = minigrad.ones(2, 4), minigrad.tensor([0, 2])
    >>> sgd = optim.SGD(model.parameters(), lr=0.1)
    >>> ready = minigrad.warmup(model, x, loss=nn.CrossEntropyLoss(), target=labels, optimizer=sgd)
    >>> model[1].num_batches_tracked, model[0].weight.grad
    (tensor(0), None)
    >>> minigrad.warmup(model, x).compiled    # all is there
    ()
    """
    if not isinstance(model, Module):
        raise TypeError(f"warmup: model must be a Module, got {type(model).__name__}")
    if loss is not None and not callable(loss):
        raise TypeError(f"warmup: loss must be a function of the output and the target, got {type(loss).__name__}")
    if target is not None and loss is None:
        raise ValueError("warmup: a target was given, but no loss to compare it with the output; pass loss=...")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"warmup: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    inputs = [_copied(x) for x in (example if isinstance(example, tuple) else (example,))]
    known, start = len(made), time.perf_counter()
    state = random.get_rng_state()
    try:
        kernels.current()
        _rehearse(*copy.deepcopy((model, optimizer, loss)), inputs, target)
    finally:
        random.set_rng_state(state)
    new = made[known:]
    return Warmup(
        time.perf_counter() - start,
        tuple(_name(kernel) for kernel in new if kernel.compiled),
        tuple(_name(kernel) for kernel in new if not kernel.compiled),
    )


def _rehearse(
    model: Module, optimizer: Optimizer | None, loss: Callable[..., Any] | None, inputs: list[Tensor], target: Any
) -> None:
    """A training step and an evaluation with copies of everything."""
    result = model(*inputs)
    if loss is not None:
        result = loss(result) if target is None else loss(result, target)
    differentiable = [t for t in _tensors(result) if t.requires_grad]
    if differentiable:
        autograd.backward(differentiable, [autograd.wrap(np.ones_like(t.array)) for t in differentiable])
        if optimizer is not None:
            optimizer.step()
    if any(module.training for module in model.modules()):
        with autograd.no_grad():
            model.eval()(*inputs)


def _copied(x: Any) -> Tensor:
    """An input that the model may do with as it likes."""
    if isinstance(x, np.ndarray):
        return Tensor(x.copy())
    if not isinstance(x, Tensor):
        raise TypeError(f"warmup: the example must be a tensor or an array, or a tuple of them, got {type(x).__name__}")
    copied = x.detach().clone()
    return copied.requires_grad_() if x.requires_grad else copied


def _tensors(result: Any) -> Iterator[Tensor]:
    """The tensors in what a model returns, however they are nested."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, dict):
        for value in result.values():
            yield from _tensors(value)
    elif isinstance(result, (list, tuple)):
        for value in result:
            yield from _tensors(value)


def _name(kernel: Made) -> str:
    """A kernel with its dtype."""
    return f"{kernel.name} {kernel.dtype}"
