"""From samples to a batch: what DataLoader does with them unless told otherwise."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..autograd import wrap
from ..ops import stack
from ..tensor import Tensor, from_numpy, tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of samples; tensors get a new first dimension.

    ==============================  =====================================================================
    samples                         batch
    ==============================  =====================================================================
    Tensors, arrays                 a Tensor of them stacked, of the same dtype
    int, float, bool, NumPy number  a Tensor of int64, float64, bool, the number's dtype
    str, bytes                      the sequence of them
    mappings                        a mapping of the same type, each key collated
    namedtuples                     one of the same type, each field collated
    tuples, lists                   a list, each position collated (other sequences keep their type)
    ==============================  =====================================================================

    Raises RuntimeError for samples that do not fit together (shapes, lengths, keys), and TypeError for a type
    not in the table; the text says where in the sample.

    >>> from minigrad.data import default_collate
    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    >>> default_collate([{"x": 0.5}, {"x": 1.5}])
    {'x': tensor([0.5000, 1.5000], dtype=minigrad.float64)}
    """
    if not checks.sized("default_collate", "batch", batch):
        raise ValueError("default_collate: the batch has no samples")
    return _collate(batch, "sample")


def default_convert(data: Any) -> Any:
    """The arrays and NumPy numbers inside `data` as Tensors, sharing memory; a tuple becomes a list.

    What DataLoader does to samples when `batch_size=None` turns batching off.

    >>> import numpy as np
    >>> from minigrad.data import default_convert
    >>> default_convert({"x": np.arange(3), "name": "a"})
    {'x': tensor([0, 1, 2]), 'name': 'a'}
    """
    if isinstance(data, np.ndarray):
        return data if data.dtype.kind in "SUO" else from_numpy(data)
    if isinstance(data, (np.bool_, np.number)):
        return tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if _is_namedtuple(data):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(value) for value in data])
    return data


def _collate(batch: Sequence[Any], where: str) -> Any:
    """The batch of these samples, which are at `where` in the ones the user sees."""
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch, where)
    if isinstance(first, np.ndarray) and first.dtype.kind not in "SUO":
        return _stack([from_numpy(x) if isinstance(x, np.ndarray) else x for x in batch], where)
    if isinstance(first, (np.bool_, np.number, float, int)):
        return _numbers(batch, where)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        values = {key: [_at_key(x, key, i, where) for i, x in enumerate(batch)] for key in first}
        return _like_mapping(first, {key: _collate(xs, f"{where}[{key!r}]") for key, xs in values.items()})
    if isinstance(first, Sequence):
        for i, x in enumerate(batch):
            if not isinstance(x, Sequence) or len(x) != len(first):
                has = f"{len(x)} elements" if isinstance(x, Sequence) else f"type {type(x).__name__}"
                raise RuntimeError(
                    f"default_collate: {where} has {len(first)} elements in sample 0 and {has} in sample "
                    f"{i} of the batch; make them equal in the dataset, or pass a collate_fn to the "
                    "DataLoader"
                )
        columns = [_collate(xs, f"{where}[{i}]") for i, xs in enumerate(zip(*batch, strict=True))]
        return type(first)(*columns) if _is_namedtuple(first) else _like_sequence(first, columns)
    kind = f"array of dtype {first.dtype}" if isinstance(first, np.ndarray) else type(first).__name__
    raise TypeError(
        f"default_collate: {where} is of type {kind}; a batch can be made of tensors, arrays of numbers, "
        "numbers, strings, and of mappings and sequences of these. Convert it in the dataset, or pass a "
        "collate_fn to the DataLoader"
    )


def _stack(batch: Sequence[Any], where: str) -> Tensor:
    """Tensors of one shape as one Tensor, with a new first dimension."""
    for i, x in enumerate(batch):
        if not isinstance(x, Tensor) or x.shape != batch[0].shape:
            has = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"type {type(x).__name__}"
            raise RuntimeError(
                f"default_collate: {where} has shape {tuple(batch[0].shape)} in sample 0 and {has} in "
                f"sample {i} of the batch; crop or pad to one shape in the dataset, or pass a collate_fn to "
                "the DataLoader"
            )
    if any(x.requires_grad or x.dtype != batch[0].dtype for x in batch):
        return stack(batch)
    return wrap(np.stack([x.array for x in batch]))  # many times faster, and there is nothing to record


def _numbers(batch: Sequence[Any], where: str) -> Tensor:
    """Numbers as a 1-D Tensor."""
    for i, x in enumerate(batch):
        if not isinstance(x, (np.bool_, np.number, float, int)):
            raise RuntimeError(
                f"default_collate: {where} is the number {batch[0]!r} in sample 0 and of type "
                f"{type(x).__name__} in sample {i} of the batch; make them alike in the dataset, or pass a "
                "collate_fn to the DataLoader"
            )
    if isinstance(batch[0], (np.bool_, np.number)):
        return tensor(np.array(batch))
    return tensor(batch, dtype=np.float64 if isinstance(batch[0], float) else None)


def _at_key(sample: Any, key: Any, i: int, where: str) -> Any:
    """sample[key], where `sample` is part of sample i."""
    try:
        return sample[key]
    except (KeyError, IndexError, TypeError):
        has = f"the keys {list(sample)}" if isinstance(sample, Mapping) else f"type {type(sample).__name__}"
        raise RuntimeError(
            f"default_collate: {where} has the key {key!r} in sample 0 and {has} in sample {i} of the "
            "batch; give them the same keys in the dataset, or pass a collate_fn to the DataLoader"
        ) from None


def _is_namedtuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def _like_mapping(original: Mapping, values: dict) -> Mapping:
    """`values` in a mapping of the original's type, or in a dict where that cannot be made."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(values)
            return clone
        return type(original)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def _like_sequence(original: Sequence, values: list) -> Sequence:
    """`values` in a sequence of the original's type; in a list for a tuple, and where that cannot be made."""
    if isinstance(original, tuple):
        return values
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(original)(values)  # type: ignore[call-arg]
    except TypeError:
        return values
