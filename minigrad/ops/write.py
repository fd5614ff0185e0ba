"""Writing into a tensor, as an op: what `x[key] = value` and the in-place methods record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op
from .common import Operand, cast, sum_to
from .elementwise import where
from .index import Index, Key
from .shape import reshape

Path = Sequence[tuple[type[Op], dict[str, Any]]]  # the ops that lead from a tensor to a view of it, with their options


class Overwrite(Op):
    """y = a copy of x with `value` written to view(x)[key]; x gets g but for that place, value the g of that place

    The view is what the ops of `path` make of x. Leading dimensions of size one that are too many are dropped from
    value, as in NumPy; what broadcasting repeated is summed.
    """

    saves_inputs = False

    def forward(self, x: np.ndarray, value: Any, path: Path = (), key: Key = ...) -> np.ndarray:
        value = np.asarray(value)
        self.path, self.key, self.shape = tuple(path), key, x.shape
        self.value_shape, self.value_dtype = value.shape, value.dtype
        y, part = x.copy(), self._view(np.arange(x.size).reshape(x.shape))[key]
        y.reshape(-1)[part] = value.reshape(without_leading_ones(value.shape, np.ndim(part)))
        return y

    def _view(self, x: Operand) -> Operand:
        for op, options in self.path:
            x = op.apply(x, **options)
        return x

    def backward(self, g: Operand) -> tuple:
        gx = gv = None
        if self.needs[0]:
            written = np.zeros(self.shape, bool)
            written.reshape(-1)[self._view(np.arange(written.size).reshape(self.shape))[self.key]] = True
            gx = where(written, 0.0, g)
        if self.needs[1]:
            gv = Index.apply(self._view(g), key=self.key)
            gv = reshape(sum_to(gv, without_leading_ones(self.value_shape, gv.ndim)), self.value_shape)
            gv = cast(gv, self.value_dtype)
        return gx, gv


def without_leading_ones(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """`shape` with ones dropped from its front until it has `ndim` dimensions."""
    while len(shape) > ndim and shape[0] == 1:
        shape = shape[1:]
    return shape
