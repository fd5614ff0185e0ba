"""What layers that keep running statistics of each channel share: the buffers, measuring a batch, setting them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import changed, unwrap
from ..checks import whole
from ..creation import ones, zeros
from ..dtypes import int64
from ..tensor import Tensor
from .module import Module
from .statistics import Moments

__all__ = ["RunningBuffers", "RunningStatistics"]


class RunningBuffers(Module):
    """A layer with running_mean, running_var (unbiased) and num_batches_tracked; all None where it keeps none."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def register_running_stats(
        self, shape: tuple[int, ...], wanted: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        """Add the three buffers, as they are before any batch; None for each unless they are wanted."""
        kind = {"device": device, "dtype": dtype}
        self.register_buffer("running_mean", zeros(shape, **kind) if wanted else None)
        self.register_buffer("running_var", ones(shape, **kind) if wanted else None)
        self.register_buffer("num_batches_tracked", zeros((), device=device, dtype=int64) if wanted else None)

    def running_stats(self) -> list[Tensor]:
        """running_mean, running_var and num_batches_tracked themselves; nothing where the layer keeps none."""
        return [b for b in (self.running_mean, self.running_var, self.num_batches_tracked) if b is not None]

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0, variance 1, none tracked."""
        if self.running_mean is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]


class RunningStatistics(RunningBuffers):
    """A layer whose running statistics are the moments of all values of a channel together.

    `nn.utils.calibrate` works on every layer of this kind. A subclass registers the three buffers, refuses an unfit
    input in `_check_input`, and says in `_axes` what the statistics are taken over.
    """

    stats_frozen: bool  # training mode normalizes by the running statistics too, and leaves them as they are

    def _check_input(self, input: Any) -> None:
        """ValueError where `input` has not the dimensions that the layer takes."""
        raise NotImplementedError(f"{type(self).__name__} must define _check_input(self, input)")

    def _axes(self, input: Tensor) -> tuple[int, ...]:
        """The dimensions that the statistics are taken over: all but the channels."""
        return (0, *range(2, input.ndim))

    def _measured(self, input: Tensor) -> Tensor | None:
        """Of the arguments of a call, what training mode takes the statistics of; None where it takes none."""
        return input

    def batch_moments(self, input: Tensor) -> Moments:
        """Count, mean and m2 of each channel of a batch, in float64: what training mode would normalize by.

        >>> import minigrad
        >>> minigrad.nn.BatchNorm1d(1).batch_moments(minigrad.tensor([[2.0], [4.0]]))
        Moments(count=2, mean=array([3.]), m2=array([2.]))
        """
        self._check_input(input)
        return Moments.of(unwrap(input), self._axes(input))

    def set_running_stats(self, moments: Moments, batches: int) -> None:
        """Let the running statistics be the mean and the unbiased variance of `moments`, taken from so many batches.

        ValueError for moments of another shape, or of a single value; RuntimeError where the layer keeps no statistics.

        >>> import minigrad
        >>> layer = minigrad.nn.BatchNorm1d(1)
        >>> layer.set_running_stats(layer.batch_moments(minigrad.tensor([[2.0], [4.0]])), batches=1)
        >>> layer.running_mean, layer.running_var, layer.num_batches_tracked
        (tensor([3.]), tensor([2.]), tensor(1))
        """
        where = f"{type(self).__name__}.set_running_stats"
        if self.running_mean is None:
            raise RuntimeError(f"{where}: the layer keeps no running statistics (track_running_stats=False)")
        if np.shape(moments.mean) != self.running_mean.shape:
            raise ValueError(
                f"{where}: needs moments of shape {self.running_mean.shape}, got {tuple(np.shape(moments.mean))}"
            )
        values = moments.mean, moments.var(correction=1), whole(where, "batches", batches, " >= 0")
        buffers = [unwrap(b) for b in self.running_stats()]
        if not all(array.flags.writeable for array in buffers):
            raise RuntimeError(f"{where}: the memory of the running statistics is read-only; make them clones")
        for array, value in zip(buffers, values, strict=True):
            array[...] = unwrap(value)
        changed(*buffers, by="set_running_stats")
