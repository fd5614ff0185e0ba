"""Whole batches: the protocol by which a dataset hands over a batch at once, and a transform works on one.

Collecting a batch sample by sample costs a few microseconds a sample, which for a small network is longer
than the training step. A dataset that keeps its samples in arrays can define

    def __getbatch__(self, index): ...

and `DataLoader` (with the default `collate_fn`) asks it for each batch at once. It is the sibling of
PyTorch's `__getitems__`, which gives a list of samples, while this gives the collated batch:

- `index` is a `slice(start, stop)` within the dataset where the batch is a run of samples, else a 1-D int64
  array, which may hold negative indices. Either indexes an array directly.
- The result equals `default_collate([self[i] for i in index])`, and shares no memory with the dataset.
- It may return `NotImplemented`; the loader then goes sample by sample.

A transform, any callable on one image, takes part in it by a second method

    def batch(self, images): ...

which takes images with a new first dimension and gives what the single results stacked would be. It too may
return `NotImplemented`.

A subclass that redefines `__getitem__` (or a transform's `__call__`) alone is used sample by sample, so the
batch form that it inherits is never stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__: list[str] = []


def batch_at(dataset: Any, positions: Any) -> Any:
    """The batch of the samples at these positions, or NotImplemented if they have to be got one by one."""
    get = _current(dataset, "__getbatch__", "__getitem__")
    if get is None:
        return NotImplemented
    index = _as_index(positions, len(dataset))
    return NotImplemented if index is None else get(index)


def samples_at(dataset: Any, positions: Any) -> list:
    """The samples at these positions, by PyTorch's `__getitems__` where there is one."""
    get = _current(dataset, "__getitems__", "__getitem__")
    return [dataset[i] for i in positions] if get is None else get(positions)


def transform_batch(transform: Callable | None, images: Any) -> Any:
    """The transform of all images at once, or NotImplemented if it has to be done one by one."""
    if transform is None:
        return images
    run = _current(transform, "batch", "__call__")
    return NotImplemented if run is None else run(images)


def take(array: np.ndarray, index: slice | np.ndarray) -> np.ndarray:
    """The rows of `array` at `index`, in memory of their own."""
    if isinstance(index, slice):
        return array[index].copy()
    try:
        return array[index]
    except IndexError:
        wrong = index[(index < -len(array)) | (index >= len(array))][0]
        raise IndexError(f"index {wrong} is out of range for {len(array)} samples") from None


def _current(owner: Any, name: str, single: str) -> Callable | None:
    """Method `name`, unless a subclass redefined `single` below it, so that the two no longer agree."""
    for cls in type(owner).__mro__:
        if name in cls.__dict__:
            return getattr(owner, name)
        if single in cls.__dict__:
            return None
    return None


def _as_index(positions: Any, length: int) -> slice | np.ndarray | None:
    """What `__getbatch__` takes: a slice for a run of samples, else an array; None if not integers."""
    try:
        index = np.asarray(positions)
    except ValueError:  # a ragged list
        return None
    if index.ndim != 1 or index.dtype.kind not in "iu" or not index.size:
        return None
    index = index.astype(np.int64, copy=False)
    first, last, count = int(index[0]), int(index[-1]), len(index)
    if last - first == count - 1 and first >= 0 and last < length and (np.diff(index) == 1).all():
        return slice(first, last + 1)
    return index
