"""What training is judged by: the mean loss, and the fraction of examples that are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import unwrap

__all__ = ["Mean", "Metrics", "accuracy"]


class Mean:
    """The mean of numbers that come one at a time, each with a weight: sum(weight * value) / sum(weight).

    The loss of a batch is a mean over its examples. Over an epoch the batches are weighted by their sizes, as
    the last one may be smaller than the rest.

    `value` raises RuntimeError as long as nothing has been added.

    >>> from minigrad.training import Mean
    >>> loss = Mean()
    >>> loss.add(1.0, weight=3)
    >>> loss.add(5.0, weight=1)
    >>> loss.value
    2.0
    """

    def __init__(self) -> None:
        self.total, self.weight = 0.0, 0

    def add(self, value: float, weight: int = 1) -> None:
        """Take in a value that stands for `weight` examples."""
        self.total += weight * value
        self.weight += weight

    @property
    def value(self) -> float:
        """The mean of what was added so far."""
        if not self.weight:
            raise RuntimeError("Mean: there is no mean of nothing; add a value with a positive weight first")
        return self.total / self.weight


def accuracy(output: Any, target: Any) -> float:
    """The fraction, from 0 to 1, of examples whose largest output is that of the right class.

    output : a score for each class, Tensor or array (N, C); the first of equal ones counts as the largest.
    target : the right classes, integers (N,).

    Raises ValueError for other shapes or no example, TypeError for targets that are not integers.

    >>> import minigrad
    >>> from minigrad.training import accuracy
    >>> scores = minigrad.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    >>> accuracy(scores, minigrad.tensor([1, 0, 1, 1]))
    0.75
    """
    scores, classes = np.asarray(unwrap(output)), np.asarray(unwrap(target))
    if scores.ndim != 2 or not scores.size or classes.shape != scores.shape[:1]:
        raise ValueError(
            f"accuracy: needs output (N, C) and target (N,) of at least one example, got shapes {scores.shape} "
            f"and {classes.shape}"
        )
    if classes.dtype.kind not in "iu":
        raise TypeError(f"accuracy: target must hold class numbers, which are integers, got {classes.dtype.name}")
    return int(np.count_nonzero(scores.argmax(axis=1) == classes)) / len(classes)


class Metrics:
    """The loss and the accuracy over the batches seen so far, each batch weighted by its size.

    >>> import minigrad
    >>> from minigrad.training import Metrics
    >>> metrics = Metrics()
    >>> metrics.add(0.5, minigrad.tensor([[0.1, 0.9], [0.8, 0.2]]), minigrad.tensor([1, 1]))
    >>> metrics.loss, metrics.accuracy, metrics.batches
    (0.5, 0.5, 1)
    """

    def __init__(self) -> None:
        self.batches = 0
        self._loss, self._accuracy = Mean(), Mean()

    def add(self, loss: float, output: Any, target: Any) -> None:
        """Take in one batch: its mean loss, and what `accuracy` takes."""
        fraction = accuracy(output, target)
        self.batches += 1
        self._loss.add(loss, len(target))
        self._accuracy.add(fraction, len(target))

    @property
    def loss(self) -> float:
        """The mean loss of an example."""
        return self._loss.value

    @property
    def accuracy(self) -> float:
        """The fraction of examples that were right."""
        return self._accuracy.value
