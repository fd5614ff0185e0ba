"""What the in-place methods and `x[key] = value` record: a copy of the tensor with the value written into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op, is_tensor
from .common import BroadcastTo, Operand, cast
from .index import IndexPut, Key
from .shape import reshape

Path = Sequence[tuple[type[Op], dict[str, Any]]]  # the ops that lead from a tensor to a view of it, with their options


def overwritten(x: Operand, value: Any, path: Path = (), key: Key = ...) -> Operand:
    """A copy of x with `value` written to view(x)[key], the view being what the ops of `path` make of x.

    value is broadcast to that place and cast to the dtype of x; ones too many in front of its shape are dropped.
    """
    places = np.arange(x.array.size if is_tensor(x) else x.size).reshape(x.shape)
    for op, options in path:
        places = op.apply(places, **options)
    places = np.asarray(places[key])
    value = value if is_tensor(value) else np.asarray(value)
    value = reshape(value, without_leading_ones(value.shape, places.ndim))
    if value.shape != places.shape:
        value = BroadcastTo.apply(value, shape=places.shape)
    value = cast(value, x.dtype)  # last, so that the gradient is summed in the dtype of the value
    if not path:
        return IndexPut.apply(x, value, key=key)
    return reshape(IndexPut.apply(reshape(x, -1), value, key=places), x.shape)


def without_leading_ones(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """`shape` with ones dropped from its front until it has `ndim` dimensions."""
    while len(shape) > ndim and shape[0] == 1:
        shape = shape[1:]
    return shape
