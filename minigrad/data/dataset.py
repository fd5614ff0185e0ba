"""Datasets: samples by index, or as a stream."""

from __future__ import annotations

import math
import numbers
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np

from .. import checks
from ..autograd import wrap
from ..random import Generator, source
from ..tensor import Tensor, from_numpy
from .batching import batch_at, samples_at, take

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base of datasets: `dataset[i]` is sample i, and `len(dataset)` their number.

    A sample is whatever `default_collate` (or your own `collate_fn`) can make a batch of. A dataset of arrays
    can hand over whole batches, and load many times faster, by defining `__getbatch__` (see
    `minigrad.data.batching`) as well.

    >>> from minigrad.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, i):
    ...         return i, i * i
    >>> for x, y in DataLoader(Squares(), batch_size=3):
    ...     print(x, y)
    tensor([0, 1, 2]) tensor([0, 1, 4])
    tensor([3, 4]) tensor([ 9, 16])
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__, which gives one sample")

    def __add__(self, other: Dataset[T_co]) -> Dataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Base of datasets that are streams: `iter(dataset)` gives the samples, in an order of its own.

    A DataLoader over one takes no sampler and no shuffle. `__len__` is needed only for the loader's length.

    >>> from minigrad.data import DataLoader, IterableDataset
    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(DataLoader(Countdown(), batch_size=2))
    [tensor([3, 2]), tensor([1])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, which gives the samples")

    def __add__(self, other: Dataset[T_co]) -> ChainDataset[T_co]:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of one length, whose rows i together are sample i.

    tensors : Tensors, or arrays, which are wrapped without copying.

    Raises ValueError for no tensor, a 0-d one or different lengths; TypeError for what is neither.

    >>> import minigrad
    >>> from minigrad.data import TensorDataset
    >>> data = TensorDataset(minigrad.arange(6.0).view(3, 2), minigrad.tensor([0, 1, 1]))
    >>> len(data), data[1]
    (3, (tensor([2., 3.]), tensor(1)))
    """

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        self.tensors = tuple(from_numpy(t) if isinstance(t, np.ndarray) else t for t in tensors)
        for i, t in enumerate(self.tensors):
            if not isinstance(t, Tensor):
                raise TypeError(
                    f"TensorDataset: argument {i} is of type {type(t).__name__}, expected a Tensor or an "
                    "array; convert it with minigrad.tensor"
                )
        shapes = [tuple(t.shape) for t in self.tensors]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                "TensorDataset: needs one tensor or more, all with the same size of dimension 0 (the "
                f"samples), got {len(shapes)} of shapes {', '.join(map(str, shapes)) or 'none'}"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __getbatch__(self, index: slice | np.ndarray) -> Any:
        if any(t.requires_grad for t in self.tensors):
            return NotImplemented  # the batch has to be recorded
        return [wrap(take(t.array, index)) for t in self.tensors]

    def __len__(self) -> int:
        return len(self.tensors[0].array)


class ConcatDataset(Dataset[T_co]):
    """Datasets one after another. `a + b` makes one too.

    Raises ValueError for no dataset, TypeError for an IterableDataset (see ChainDataset).

    >>> from minigrad.data import ConcatDataset
    >>> data = ConcatDataset(["abc", "de"])
    >>> len(data), data[3], data[-1]
    (5, 'd', 'e')
    """

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: needs one dataset or more, got none")
        for i, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset):
                raise TypeError(
                    f"ConcatDataset: dataset {i} is a stream ({type(dataset).__name__}), which has no "
                    "samples by index; join streams with ChainDataset"
                )
            checks.sized("ConcatDataset", f"dataset {i}", dataset)

    @property
    def cumulative_sizes(self) -> list[int]:
        """The number of samples up to and including each dataset."""
        return list(accumulate(len(dataset) for dataset in self.datasets))  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> T_co:
        ends = self.cumulative_sizes
        position = index + ends[-1] if index < 0 else index
        if not 0 <= position < ends[-1]:
            raise IndexError(f"ConcatDataset: index {index} is out of range for {ends[-1]} samples")
        which = bisect_right(ends, position)
        return self.datasets[which][position - (ends[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[T_co]):
    """Streams one after another. `a + b` of two IterableDatasets makes one too.

    Raises TypeError, once it is read that far, for what is no IterableDataset.
    """

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[T_co]:
        for dataset in self.datasets:
            yield from self._stream(dataset)

    def __len__(self) -> int:
        return sum(len(self._stream(dataset)) for dataset in self.datasets)  # type: ignore[misc, arg-type]

    @staticmethod
    def _stream(dataset: Dataset[T_co]) -> IterableDataset[T_co]:
        if not isinstance(dataset, IterableDataset):
            raise TypeError(
                f"ChainDataset: joins IterableDatasets, got a {type(dataset).__name__}; use ConcatDataset "
                "for datasets with samples by index"
            )
        return dataset


class Subset(Dataset[T_co]):
    """The samples of `dataset` at `indices`, in that order.

    Raises TypeError for an array or Tensor of indices that are no integers, as a mask.

    >>> from minigrad.data import Subset
    >>> first = Subset("abcdef", range(3))
    >>> len(first), first[-1]
    (3, 'c')
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        dtype = getattr(indices, "dtype", None)
        if dtype is not None and dtype.kind not in "iu":
            raise TypeError(
                f"Subset: indices are of dtype {dtype.name}, expected integers; of a mask, take np.flatnonzero"
            )
        if not (hasattr(indices, "__len__") and hasattr(indices, "__getitem__")):
            raise TypeError(f"Subset: indices must be a sequence of ints, got {indices!r}")
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self._position(i) for i in index]]
        return self.dataset[self._position(index)]

    def __getitems__(self, indices: Sequence[int]) -> list[T_co]:
        return samples_at(self.dataset, [self._position(i) for i in indices])

    def __getbatch__(self, index: slice | np.ndarray) -> Any:
        if isinstance(index, slice):
            return batch_at(self.dataset, self.indices[index])
        return batch_at(self.dataset, [self._position(i) for i in index.tolist()])

    def __len__(self) -> int:
        return len(self.indices)

    def _position(self, index: Any) -> Any:
        """Where sample `index` is in the whole dataset."""
        try:
            return self.indices[index]
        except IndexError:
            raise IndexError(f"Subset: index {index} is out of range for {len(self)} samples") from None


def random_split(
    dataset: Dataset[T],
    lengths: Sequence[int | float],
    generator: Generator | None = None,
) -> list[Subset[T]]:
    """Share out the samples at random among subsets.

    dataset   : what to split.
    lengths   : how many samples each subset gets, together all of them; or fractions that sum to 1. Of a fraction the
                whole samples count, and those left go one each to the first subsets.
    generator : the only source of randomness; `minigrad.default_generator` unless told.

    Raises ValueError if the lengths do not add up to the dataset's. Warns if fractions leave a subset empty.

    >>> import minigrad
    >>> from minigrad.data import random_split
    >>> train, valid = random_split(range(10), [0.75, 0.25], generator=minigrad.Generator().manual_seed(0))
    >>> len(train), len(valid), sorted([*train, *valid]) == list(range(10))
    (8, 2, True)
    """
    total = len(checks.sized("random_split", "dataset", dataset))
    lengths = list(checks.iterable("random_split", "lengths", lengths))
    if not all(isinstance(length, numbers.Real) for length in lengths):
        raise TypeError(f"random_split: lengths must be ints or fractions, got {lengths}")
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths must be >= 0, got {list(lengths)}")
    if math.isclose(sum(lengths), 1):
        counts = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(counts)):
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                warnings.warn(
                    f"random_split: subset {i} is empty, as {lengths[i]} of {total} samples is less than one",
                    stacklevel=2,
                )
    else:
        counts = list(lengths)  # type: ignore[arg-type]
    if sum(counts) != total or not all(isinstance(count, (int, np.integer)) for count in counts):
        raise ValueError(
            f"random_split: lengths {list(lengths)} sum to {sum(lengths)}; needs ints that sum to the {total} "
            "samples, or fractions that sum to 1"
        )
    order = source(generator).permutation(total).tolist()
    ends = accumulate(counts)
    return [Subset(dataset, order[end - count : end]) for end, count in zip(ends, counts, strict=True)]
