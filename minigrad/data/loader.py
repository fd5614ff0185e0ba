"""DataLoader: a dataset in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from .. import checks
from ..random import Generator
from .batching import batch_by, method, samples_at
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)

_FIXED = ("dataset", "batch_size", "drop_last", "sampler", "batch_sampler")


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches; each iteration is one epoch, in a new order if shuffled.

    A batch is collected by `dataset.__getbatch__` where there is one (TensorDataset, MNIST, a Subset of such, a
    dataset of yours: see `minigrad.data.batching`) and `collate_fn` is the default, with the same result as sample
    by sample. Batches never share memory with the dataset.

    dataset                 : anything with `len(dataset)` and `dataset[i]`, or an IterableDataset.
    batch_size              : samples a batch; None turns batching off and gives each sample as it is, its arrays as
                              Tensors.
    shuffle                 : a new random order each epoch.
    sampler                 : the indices of an epoch, in order: any iterable. In place of `shuffle`.
    batch_sampler           : the lists of indices, one a batch: any iterable. In place of `batch_size`, `shuffle`,
                              `sampler` and `drop_last`.
    num_workers             : 0. Samples are loaded in this process: whole batches are gathered at once, which leaves
                              nothing for other processes to win.
    collate_fn              : makes a batch of a list of samples.
    pin_memory              : no effect, as there is no device to copy to.
    drop_last               : leave out a last batch that is smaller.
    timeout                 : 0, as there are no workers to wait for.
    worker_init_fn          : never called, as there are no workers.
    multiprocessing_context : None, as there are no workers.
    generator               : the only source of randomness when shuffling; `minigrad.default_generator` unless told.
    prefetch_factor         : None, as there are no workers.
    persistent_workers      : False, as there are no workers.
    pin_memory_device       : no effect.
    in_order                : no effect; batches always come in order.

    Raises ValueError for options that exclude each other or that need workers, TypeError for a `shuffle` or `drop_last`
    that is not True or False.

    >>> import minigrad
    >>> from minigrad.data import DataLoader, TensorDataset
    >>> data = TensorDataset(minigrad.arange(5))
    >>> [x.tolist() for x, in DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    >>> g = minigrad.Generator().manual_seed(0)
    >>> loader = DataLoader(data, batch_size=2, shuffle=True, drop_last=True, generator=g)
    >>> len(loader), [tuple(x.shape) for x, in loader]
    (2, [(2,), (2,)])
    """

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable[Sequence] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if shuffle is not None:
            checks.flag("DataLoader", "shuffle", shuffle)
        checks.flag("DataLoader", "drop_last", drop_last)
        if num_workers != 0:
            raise ValueError(
                f"DataLoader: num_workers={num_workers}, and only 0 is possible: batches are gathered "
                "whole, in this process; leave num_workers out"
            )
        for name, value in {
            "timeout": timeout,
            "multiprocessing_context": multiprocessing_context,
            "prefetch_factor": prefetch_factor,
            "persistent_workers": persistent_workers,
        }.items():
            if value:
                raise ValueError(
                    f"DataLoader: {name}={value!r} is about worker processes, and there are none; leave {name} out"
                )
        if isinstance(dataset, IterableDataset):
            for name, given in {
                "shuffle": bool(shuffle),
                "sampler": sampler is not None,
                "batch_sampler": batch_sampler is not None,
            }.items():
                if given:
                    raise ValueError(
                        f"DataLoader: {type(dataset).__name__} is an IterableDataset, which has an order of "
                        f"its own; leave {name} out"
                    )
        elif (
            sampler is None
            and batch_sampler is None
            and not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"))
        ):
            raise TypeError(
                "DataLoader: dataset must have len(dataset) and dataset[i], or be an IterableDataset, got "
                f"{type(dataset).__name__}"
            )
        for name, order in {"sampler": sampler, "batch_sampler": batch_sampler}.items():
            if order is not None:
                checks.iterable("DataLoader", name, order)
        if batch_size is not None:
            checks.whole("DataLoader", "batch_size", batch_size, " >= 1")
        if collate_fn is not None:
            checks.function("DataLoader", "collate_fn", collate_fn)
        if sampler is not None and shuffle:
            raise ValueError(
                "DataLoader: sampler and shuffle=True exclude each other, as the sampler sets the order; "
                "leave one of them out"
            )
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "DataLoader: batch_sampler sets the batches, and excludes batch_size, shuffle, sampler and "
                f"drop_last; got batch_size={batch_size}, shuffle={shuffle}, drop_last={drop_last} and "
                f"{'no' if sampler is None else 'a'} sampler"
            )
        if batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None turns batching off; leave drop_last out")

        if sampler is None and shuffle:
            sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]
        elif sampler is None:
            sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn: Callable[[Any], Any] = collate_fn

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and name in self.__dict__:
            raise ValueError(f"DataLoader: {name} cannot be changed afterwards; make another DataLoader")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return self._stream(iter(self.dataset))
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        arrays = method(self.batch_sampler, "_arrays", "__iter__")
        return self._batches(iter(self.batch_sampler) if arrays is None else arrays())

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def _batches(self, batches: Iterator[Sequence | np.ndarray]) -> Iterator[Any]:
        """The batches of the samples at these indices."""
        get = method(self.dataset, "__getbatch__", "__getitem__")
        for indices in batches:
            batch = NotImplemented
            if get is not None and self.collate_fn is default_collate:
                batch = batch_by(get, self.dataset, indices)
            if batch is NotImplemented:
                indices = indices.tolist() if isinstance(indices, np.ndarray) else indices
                batch = self.collate_fn(samples_at(self.dataset, indices))
            yield batch

    def _stream(self, samples: Iterator[Any]) -> Iterator[Any]:
        """The batches, or single samples, of an IterableDataset."""
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)
