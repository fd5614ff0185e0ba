"""Trainer: epochs of training and evaluation, with callbacks on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from .. import checks
from ..data import DataLoader
from ..nn import Module
from ..optim import Optimizer
from .callback import Callback
from .history import EpochRecord
from .loop import evaluate, train_epoch
from .metrics import Metrics

__all__ = ["Trainer"]


class Trainer:
    """Trains a classifier for a number of epochs, and evaluates it after each.

    model, loss_fn, optimizer : as for `train_epoch`.
    callbacks                 : told of each stage, in this order.

    Attributes, for callbacks to read:

    history : an EpochRecord for each finished epoch. Put the records of an earlier run here to go on from it.
    epochs  : how many epochs there will be.
    batches : how many batches an epoch has.
    metrics : the running figures of the epoch under way, or of the last one.

    >>> import minigrad
    >>> from minigrad import nn, optim
    >>> from minigrad.data import DataLoader, TensorDataset
    >>> from minigrad.training import Trainer
    >>> _ = minigrad.manual_seed(0)
    >>> x = minigrad.randn(256, 3)
    >>> data = TensorDataset(x, (x[:, 0] > 0).long())
    >>> model = nn.Linear(3, 2)
    >>> trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5))
    >>> history = trainer.fit(DataLoader(data, 16, shuffle=True), DataLoader(data, 256), epochs=5)
    >>> len(history), history[-1].valid_acc > 0.95
    (5, True)
    """

    def __init__(
        self,
        model: Module,
        loss_fn: Callable[[Any, Any], Any],
        optimizer: Optimizer,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.callbacks = list(callbacks)
        self.history: list[EpochRecord] = []
        self.epochs = self.batches = 0
        self.metrics = Metrics()

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return len(self.history)

    def fit(self, train_loader: DataLoader, valid_loader: DataLoader, epochs: int) -> list[EpochRecord]:
        """Train until `epochs` epochs are finished, those of earlier calls included; gives back the history.

        An interrupted call leaves the finished epochs in `history`.

        Raises TypeError or ValueError if `epochs` is no int >= 1, and what `train_epoch` and the callbacks raise.
        """
        epochs = checks.whole("Trainer.fit", "epochs", epochs, " >= 1")
        self.epochs, self.batches = epochs, len(train_loader)
        with ExitStack() as ending:
            for callback in reversed(self.callbacks):  # an ExitStack goes backwards
                ending.callback(callback.on_fit_end, self)
            for callback in self.callbacks:
                callback.on_fit_start(self)
            while self.epoch < epochs:
                self._run_epoch(train_loader, valid_loader)
        return self.history

    def _run_epoch(self, train_loader: DataLoader, valid_loader: DataLoader) -> None:
        """Train and evaluate once."""
        start = time.perf_counter()
        self.metrics = Metrics()
        for callback in self.callbacks:
            callback.on_epoch_start(self)
        train = train_epoch(self.model, train_loader, self.loss_fn, self.optimizer, self._batch_ended)
        for callback in self.callbacks:
            callback.on_validation_start(self)
        valid = evaluate(self.model, valid_loader, self.loss_fn)
        seconds = time.perf_counter() - start
        record = EpochRecord(self.epoch + 1, train.loss, train.accuracy, valid.loss, valid.accuracy, seconds)
        self.history.append(record)
        for callback in self.callbacks:
            callback.on_epoch_end(self, record)

    def _batch_ended(self, metrics: Metrics) -> None:
        self.metrics = metrics
        for callback in self.callbacks:
            callback.on_batch_end(self)
