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
return `NotImplemented`. By a third one, if it has it,

    def gather(self, images, index): ...

it makes the batch straight from an array of all images, without a copy of those wanted in between:
`batch(images[index])` in one pass. `transform_at(transform, images, index)` takes the best way there is, and is what
a `__getbatch__` of images calls; `ToTensor` and `Normalize` after it have a kernel for images of bytes.

A subclass that redefines `__getitem__` (or a transform's `__call__`) alone is used sample by sample, so the
batch form that it inherits is never stale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import wrap
from ..dtypes import int64

__all__: list[str] = []


def batch_at(dataset: Any, positions: Any) -> Any:
    """The batch of the samples at these positions, or NotImplemented if they have to be got one by one."""
    get = method(dataset, "__getbatch__", "__getitem__")
    return NotImplemented if get is None else batch_by(get, dataset, positions)


def batch_by(get: Callable, dataset: Any, positions: Any) -> Any:
    """As `batch_at`, by the dataset's `__getbatch__`."""
    try:
        index = np.asarray(positions)
    except ValueError:  # a ragged list
        return NotImplemented
    if index.dtype is not int64:
        if index.dtype.kind not in "iu":
            return NotImplemented
        index = index.astype(np.int64)
    if index.ndim != 1 or not index.size:
        return NotImplemented
    first, end = index.item(0), index.item(-1) + 1
    if end - first == index.size and first >= 0 and end <= len(dataset) and (np.diff(index) == 1).all():
        return get(slice(first, end))
    return get(index)


def samples_at(dataset: Any, positions: Any) -> list:
    """The samples at these positions, by PyTorch's `__getitems__` where there is one."""
    get = method(dataset, "__getitems__", "__getitem__")
    return [dataset[i] for i in positions] if get is None else get(positions)


def transform_batch(transform: Callable | None, images: Any) -> Any:
    """The transform of all images at once, or NotImplemented if it has to be done one by one."""
    if transform is None:
        return images
    run = method(transform, "batch", "__call__")
    return NotImplemented if run is None else run(images)


def transform_at(transform: Callable | None, images: np.ndarray, index: slice | np.ndarray) -> Any:
    """The transform of all images at `index`, or NotImplemented if it has to be done one by one."""
    gather = method(transform, "gather", "__call__", "batch")
    if gather is not None:
        batch = gather(images, index)
        if batch is not NotImplemented:
            return batch
    return transform_batch(transform, wrap(take(images, index)))


def take(array: np.ndarray, index: slice | np.ndarray) -> np.ndarray:
    """The rows of `array` at `index`, in memory of their own."""
    if isinstance(index, slice):
        return array[index].copy()
    try:
        return array[index]
    except IndexError:
        wrong = index[(index < -len(array)) | (index >= len(array))][0]
        raise IndexError(f"index {wrong} is out of range for {len(array)} samples") from None


def method(owner: Any, name: str, *others: str) -> Callable | None:
    """Method `name`, unless a subclass redefined one of the others below it, so that they no longer agree."""
    for cls in type(owner).__mro__:
        own = cls.__dict__
        if name in own:
            return getattr(owner, name)
        for other in others:
            if other in own:
                return None
    return None
