"""What the in-place methods and `x[key] = value` record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Op, is_tensor, unwrap
from .common import BroadcastTo, Clone, Operand, cast
from .elementwise import masked
from .index import Index, Key, kept_places
from .shape import Permute, reshape

Path = Sequence[tuple[type[Op], dict[str, Any]]]  # the ops that lead from a tensor to a view of it, with their options


class Write(Op):
    """y = x, changed in place: v is written to view(x)[key], the view being what the ops of `path` make of x"""

    saves_inputs = False

    def forward(self, x: np.ndarray, v: np.ndarray, path: Path, key: Key) -> np.ndarray:
        self.path, self.key, self.shape = path, key, x.shape
        self.order = tuple(sorted(range(x.ndim), key=lambda dim: -abs(x.strides[dim])))
        target = _view(x, path)
        target[key] = v
        self.kept = kept_places(target.shape, v.shape, key)
        return x

    def backward(self, g: Operand) -> tuple:
        gx = gv = None
        if self.needs[0]:
            untouched = self._laid_out(np.ones(self.shape, bool))
            _view(untouched, self.path)[self.key] = False
            gx = masked(g, untouched)
        if self.needs[1]:
            gv = Index.apply(_view(self._laid_out(g), self.path), key=self.key)
            gv = gv if self.kept is None else masked(gv, self.kept)
        return gx, gv

    def _laid_out(self, a: Operand) -> Operand:
        """`a` with its dimensions in memory in the order in which those of x were, so that it has the same views."""
        inverse = tuple(int(dim) for dim in np.argsort(self.order))
        if self.order == inverse == tuple(range(len(inverse))) and unwrap(a).flags.c_contiguous:
            return a
        return Permute.apply(Clone.apply(Permute.apply(a, dims=self.order)), dims=inverse)


def overwrite(x: Operand, value: Any, path: Path = (), key: Key = ...) -> Operand:
    """Write `value` to view(x)[key], in the memory of x; see `Write`.

    value is broadcast to that place and cast to the dtype of x; ones too many in front of its shape are dropped.
    """
    shape = np.shape(_view(x.array if is_tensor(x) else x, path)[key])
    value = value if is_tensor(value) else np.asarray(value)
    value = reshape(value, without_leading_ones(value.shape, len(shape)))
    if value.shape != shape:
        value = BroadcastTo.apply(value, shape=shape)
    value = cast(value, x.dtype)  # last, so that the gradient is summed in the dtype of the value
    return Write.apply(x, value, path=path, key=key)


def without_leading_ones(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """`shape` with ones dropped from its front until it has `ndim` dimensions."""
    while len(shape) > ndim and shape[0] == 1:
        shape = shape[1:]
    return shape


def _view(x: Operand, path: Path) -> Operand:
    """What the ops of `path` make of x."""
    for op, options in path:
        x = op.apply(x, **options)
    return x
