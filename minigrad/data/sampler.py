"""Samplers: the order in which a DataLoader visits its dataset, as indices or as lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Generic, TypeVar

import numpy as np

from .. import checks
from ..autograd import unwrap
from ..random import Generator, source
from ..tensor import from_numpy
from .batching import method

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Base of samplers: `__iter__` gives the indices of one epoch, `__len__`, where there is one, their
    number.

    Any iterable does as well: `DataLoader(dataset, sampler=[3, 1, 2])`. An array or a Tensor of indices is not gone
    through one by one, but cut into batches as it is.

    >>> from minigrad.data import Sampler
    >>> class Backwards(Sampler[int]):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def __iter__(self):
    ...         return iter(range(len(self.data) - 1, -1, -1))
    ...     def __len__(self):
    ...         return len(self.data)
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__, which gives the indices")


class SequentialSampler(Sampler[int]):
    """Indices 0, 1, ... in order.

    >>> from minigrad.data import SequentialSampler
    >>> list(SequentialSampler("abcd"))
    [0, 1, 2, 3]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def _arrays(self) -> Iterator[np.ndarray]:
        yield np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order, a new one each time it is iterated.

    data_source : what has the length to sample from.
    replacement : draw each index independently, so that some come twice and others not at all.
    num_samples : how many to draw; the length of `data_source` unless told. Without replacement more than that are
                  drawn as whole shuffles, one after another.
    generator   : the only source of randomness; `minigrad.default_generator` unless told.

    >>> import minigrad
    >>> from minigrad.data import RandomSampler
    >>> order = list(RandomSampler("abcd", generator=minigrad.Generator().manual_seed(0)))
    >>> sorted(order)
    [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = checks.sized("RandomSampler", "data_source", data_source)
        self.replacement = checks.flag("RandomSampler", "replacement", replacement)
        if num_samples is not None:
            num_samples = checks.whole("RandomSampler", "num_samples", num_samples, " >= 1")
        self._num_samples = num_samples
        self.generator = generator
        self._size()

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has; follows the length of `data_source` unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        for indices in self._arrays():
            yield from indices.tolist()

    def _arrays(self) -> Iterator[np.ndarray]:
        n, wanted = self._size(), self.num_samples
        if self.replacement:
            yield source(self.generator).integers(n, size=wanted)
            return
        while wanted > 0:
            yield source(self.generator).permutation(n)[:wanted]
            wanted -= n

    def __len__(self) -> int:
        return self.num_samples

    def _size(self) -> int:
        """The length of `data_source`, of which there must be some to draw from."""
        n = len(self.data_source)
        if n == 0:
            raise ValueError("RandomSampler: data_source is empty, so there is nothing to draw from; leave out shuffle")
        return n


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, without replacement.

    >>> import minigrad
    >>> from minigrad.data import SubsetRandomSampler
    >>> sampler = SubsetRandomSampler([2, 5, 7], generator=minigrad.Generator().manual_seed(0))
    >>> sorted(sampler)
    [2, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in source(self.generator).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices into `weights`, index i with a chance proportional to weights[i].

    For data of unequal classes: give each sample one over the size of its class.

    weights     : one finite weight >= 0 a sample; they need not sum to one.
    num_samples : how many to draw.
    replacement : whether an index may be drawn again. Without, at least `num_samples` weights must be positive, and
                  each draw is among the indices left.
    generator   : the only source of randomness; `minigrad.default_generator` unless told.

    Source, without replacement: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006
    (the smallest of exponential times with rates `weights`).

    >>> from minigrad.data import WeightedRandomSampler
    >>> set(WeightedRandomSampler([0.0, 3.0, 0.0, 1.0], 100)) == {1, 3}
    True
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        try:
            chances = np.array(weights, np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"WeightedRandomSampler: weights must be numbers, got {weights!r}: {error}") from None
        if chances.ndim != 1 or not chances.size:
            raise ValueError(f"WeightedRandomSampler: weights must be one number a sample, got shape {chances.shape}")
        if not (np.isfinite(chances).all() and (chances >= 0).all() and chances.any()):
            raise ValueError(
                "WeightedRandomSampler: weights must be finite and >= 0, and one of them > 0, got values "
                f"from {chances.min()} to {chances.max()}"
            )
        self.weights = from_numpy(chances)
        self.num_samples = checks.whole("WeightedRandomSampler", "num_samples", num_samples, " >= 1")
        self.replacement = checks.flag("WeightedRandomSampler", "replacement", replacement)
        self.generator = generator
        if not replacement and np.count_nonzero(chances) < num_samples:
            raise ValueError(
                f"WeightedRandomSampler: cannot draw num_samples={num_samples} without replacement, "
                f"only {np.count_nonzero(chances)} weights are > 0"
            )

    def __iter__(self) -> Iterator[int]:
        for indices in self._arrays():
            yield from indices.tolist()

    def _arrays(self) -> Iterator[np.ndarray]:
        weights, random = self.weights.array, source(self.generator)
        if self.replacement:
            upper = np.cumsum(weights)
            drawn = random.random(self.num_samples) * upper[-1]
            # The last product may round up to the whole sum, which is past the last bin.
            last = np.flatnonzero(weights)[-1]
            chosen = np.minimum(np.searchsorted(upper, drawn, side="right"), last)
        else:
            with np.errstate(divide="ignore"):  # weight 0 waits for ever
                times = random.standard_exponential(len(weights)) / weights
            chosen = np.argsort(times, kind="stable")[: self.num_samples]
        yield chosen

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler.

    sampler    : any iterable of indices.
    batch_size : how many a list has.
    drop_last  : leave out a last list that is shorter.

    >>> from minigrad.data import BatchSampler
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=True))
    [[0, 1], [2, 3]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler = checks.iterable("BatchSampler", "sampler", sampler)
        self.batch_size = checks.whole("BatchSampler", "batch_size", batch_size, " >= 1")
        self.drop_last = checks.flag("BatchSampler", "drop_last", drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        indices, size, shortest = iter(self.sampler), self.batch_size, self.batch_size if self.drop_last else 1
        while batch := list(islice(indices, size)):
            if len(batch) < shortest:
                return
            yield batch

    def _arrays(self) -> Iterator[Sequence[int] | np.ndarray]:
        """The batches, as arrays where the sampler has its indices in arrays: making lists of them takes longer."""
        given = unwrap(self.sampler)
        if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind in "iu":
            return self._cut(iter((given,)))
        arrays = method(self.sampler, "_arrays", "__iter__")
        return iter(self) if arrays is None else self._cut(arrays())

    def _cut(self, arrays: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The batches of the indices in these arrays."""
        rest = np.empty(0, np.int64)
        for indices in arrays:
            indices = np.concatenate([rest, indices]) if rest.size else indices
            whole = len(indices) - len(indices) % self.batch_size
            for start in range(0, whole, self.batch_size):
                yield indices[start : start + self.batch_size]
            rest = indices[whole:]
        if rest.size and not self.drop_last:
            yield rest

    def __len__(self) -> int:
        count, rest = divmod(len(self.sampler), self.batch_size)
        return count + (rest > 0 and not self.drop_last)
