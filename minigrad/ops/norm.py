"""Batch and layer normalization: the fused ops, and the definitions they are fused from.

Sources: Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1; its backward is the formula of section 3. Ba,
Kiros and Hinton, "Layer Normalization", 2016.
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..autograd import Fused, is_tensor
from .activation import relu
from .common import Operand
from .elementwise import rsqrt
from .reduce import mean
from .shape import reshape


class BatchNorm(Fused):
    """y = (x - mean) / sqrt(var + eps) * w + b, with the mean and biased variance of each channel of x (N, C, ...).

    `running`, a mean, a variance and a momentum, moves in place (see `reference.batch_norm`). With
    u = (x - mean) / sqrt(var + eps) and M = the numbers of a channel, gb = sum g, gw = sum g u,
    gx = w / sqrt(var + eps) (g - gb / M - u gw / M), the sums over all but C.
    """

    uses: tuple[tuple[int, ...], ...] | None = ((0, 1), (0,), ())
    relu = False

    def forward(
        self,
        x: np.ndarray,
        w: np.ndarray | None,
        b: np.ndarray | None,
        eps: float,
        running: tuple[np.ndarray, np.ndarray, float] | None = None,
    ) -> np.ndarray:
        self.eps = eps
        y, self.statistics = kernels.current().batch_norm(x, w, b, eps, running, self.relu)
        return y

    def kernel_backward(self, g: np.ndarray) -> tuple:
        x, w, b = self.operands()
        return kernels.current().batch_norm_backward(g, x, w, b, self.statistics, self.eps, self.relu)

    def definition(self, x: Operand, w: Operand | None, b: Operand | None) -> Operand:
        y = reshape(batch_norm_definition(positions_in_one(x), w, b, self.eps), x.shape)
        return relu(y) if self.relu else y


class BatchNormReLU(BatchNorm):
    """relu of batch norm, in the same pass. Its backward computes y once more, to see where it is 0."""

    uses = None
    relu = True


def batch_norm_definition(x: Operand, w: Operand | None, b: Operand | None, eps: float) -> Operand:
    """Batch normalization of x (N, C, L) over N and L, written out: the two passes of the variance are visible."""
    centred = x - mean(x, (0, 2), keepdim=True)
    var = mean(centred * centred, (0, 2), keepdim=True)
    return scale_and_shift(centred * rsqrt(var + eps), w, b)


def positions_in_one(x: Operand) -> Operand:
    """x (N, C, ...) as (N, C, L)."""
    shape = (*x.shape[:2], math.prod(x.shape[2:]))
    return reshape(x, shape) if is_tensor(x) else x.reshape(shape)


def scale_and_shift(x: Operand, w: Operand | None, b: Operand | None) -> Operand:
    """x (N, C, L) times w plus b, one of each for a channel; either may be None."""
    if w is not None:
        x = x * reshape(w, 1, -1, 1)
    return x if b is None else x + reshape(b, 1, -1, 1)


class Normalize(Fused):
    """y = (x - mean) / sqrt(var + eps) * w + b for x (N, C, ...), where mean and var are constants.

    gb = sum g, gw = sum g (x - mean) / sqrt(var + eps), the sums over all but C, and gx = g w / sqrt(var + eps).
    """

    uses: tuple[tuple[int, ...], ...] | None = ((1,), (0,), ())
    relu = False

    def forward(
        self, x: np.ndarray, w: np.ndarray | None, b: np.ndarray | None, mean: np.ndarray, var: np.ndarray, eps: float
    ) -> np.ndarray:
        self.eps = eps
        y, self.statistics = kernels.current().normalize(x, mean, var, w, b, eps, self.relu)
        return y

    def kernel_backward(self, g: np.ndarray) -> tuple:
        x, w, b = self.operands()
        return kernels.current().normalize_backward(g, x, w, b, self.statistics, self.eps, self.relu)

    def definition(self, x: Operand, w: Operand | None, b: Operand | None) -> Operand:
        mean, _, var = self.statistics.astype(np.float64)
        rstd = (1 / np.sqrt(var + self.eps)).astype(x.dtype)
        y = reshape(normalize_definition(positions_in_one(x), w, b, mean.astype(x.dtype), rstd), x.shape)
        return relu(y) if self.relu else y


class NormalizeReLU(Normalize):
    """relu of `Normalize`, in the same pass. Its backward computes y once more, to see where it is 0."""

    uses = None
    relu = True


def normalize_definition(
    x: Operand, w: Operand | None, b: Operand | None, mean: np.ndarray, rstd: np.ndarray
) -> Operand:
    """Normalization of x (N, C, L) by constants, written out."""
    return scale_and_shift(x - np.reshape(mean, (1, -1, 1)), rstd if w is None else w * rstd, b)


class LayerNorm(Fused):
    """y = (x - mean) / sqrt(var + eps) * w + b, with the mean and biased variance of each row of x (N, L).

    Gives also the mean and the variance, as constants. With u = (x - mean) / sqrt(var + eps) and v = g w,
    gb = sum g, gw = sum g u, the sums over N, and gx = (v - mean v - u mean(v u)) / sqrt(var + eps), the means over L.
    """

    uses = ((0, 1), (0,), ())

    def forward(
        self, x: np.ndarray, w: np.ndarray | None, b: np.ndarray | None, eps: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.eps = eps
        y, self.mean, self.var = kernels.current().layer_norm(x, w, b, eps)
        return y, self.mean, self.var

    def kernel_backward(self, g: np.ndarray) -> tuple:
        x, w, _ = self.operands()
        return kernels.current().layer_norm_backward(g, x, w, self.mean, self.var, self.eps)

    def definition(self, x: Operand, w: Operand | None, b: Operand | None) -> Operand:
        return layer_norm_definition(x, w, b, self.eps)


def layer_norm_definition(x: Operand, w: Operand | None, b: Operand | None, eps: float) -> Operand:
    """Layer normalization of x (N, L) over L, written out: the two passes of the variance are visible."""
    centred = x - mean(x, 1, keepdim=True)
    var = mean(centred * centred, 1, keepdim=True)
    y = centred * rsqrt(var + eps)
    y = y if w is None else y * w
    return y if b is None else y + b
