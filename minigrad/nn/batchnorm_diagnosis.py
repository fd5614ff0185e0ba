"""What `diagnose` of a batch norm layer gives back: a batch against the running statistics, and why they disagree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .statistics import Moments

__all__ = ["BatchNormDiagnosis"]

_MOST = 0.9  # a cause explains a disagreement if, with it undone, so many of the channels agree


class _Finding(NamedTuple):
    """A likely cause, and what to do about it."""

    cause: str
    remedy: str


@dataclass(frozen=True, eq=False)
class BatchNormDiagnosis:
    """A batch against the running statistics of a batch norm layer; `print` it.

    layer           : the kind of layer, such as "BatchNorm2d"
    shape           : of the batch
    batch           : its `Moments`
    running_mean, running_var : (C,), as they were
    batches_tracked : how many batches went into them
    momentum, eps, frozen : as the layer has them

    A channel agrees if its mean is off by no more than 1/4 of a running standard deviation, and its own is within a
    factor of 5/4 of it; or if chance explains it, at four standard errors: 4 / sqrt(N) and exp(4 / sqrt(2 N - 2)) for a
    batch of N examples. (The positions of one example depend on each other, so they do not count.)

    The cause is the first of these that fits: values that are not finite; a layer that has seen no batch, or has
    momentum 0; channels that are constant; a momentum too small for the number of batches, if the statistics agree
    once the start values 0 and 1 are taken out; values scaled and shifted alike in all (four or more) channels, if the
    statistics agree once that is undone; frozen statistics; a momentum too large; a different distribution.

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm1d(2)
    >>> x = minigrad.tensor([[0.0, 9.0], [2.0, 11.0], [4.0, 13.0], [2.0, 11.0]])
    >>> print(layer.diagnose(x.repeat(16, 1)))
    BatchNorm1d: a batch of shape (64, 2) against the running statistics
      batches tracked    : 0, with momentum 0.1
      mean               : off by 2 to 11 running standard deviations
      standard deviation : 1.43 to 1.43 times the running one
      channels agreeing  : 0 of 2
      channel  batch mean  running mean  off by  batch std  running std  ratio
            1          11             0      11       1.43            1   1.43
            0           2             0       2       1.43            1   1.43
      likely cause: the layer has seen no batch in training mode, and still has mean 0 and variance 1
      remedy: train, load a checkpoint, or measure them with nn.utils.calibrate(model, loader)
    """

    layer: str
    shape: tuple[int, ...]
    batch: Moments
    running_mean: np.ndarray
    running_var: np.ndarray
    batches_tracked: int
    momentum: float | None
    eps: float
    frozen: bool

    @property
    def shift(self) -> np.ndarray:
        """(C,) how far the batch's mean lies from the running one, in running standard deviations."""
        return self._shift_from(self.running_mean, self.running_var)

    @property
    def ratio(self) -> np.ndarray:
        """(C,) the batch's standard deviation divided by the running one, eps being added to both variances."""
        return self._ratio_to(self.running_var)

    @property
    def agreeing(self) -> np.ndarray:
        """(C,) which channels agree, as bools."""
        return self._agreeing_with(self.running_mean, self.running_var)

    @property
    def agrees(self) -> bool:
        """Do all channels agree?"""
        return bool(self.agreeing.all())

    @property
    def constant(self) -> np.ndarray:
        """(C,) which channels vary by no more than eps, in the batch or in the running statistics."""
        return (self.batch.var() <= self.eps) | (self.running_var <= self.eps)

    @property
    def cause(self) -> str:
        """The likely cause of the disagreement, or that there is none."""
        return self._finding.cause

    @property
    def remedy(self) -> str:
        """What to do about it; empty if there is nothing to do."""
        return self._finding.remedy

    def __str__(self) -> str:
        momentum = "the average of all" if self.momentum is None else f"momentum {self.momentum:g}"
        shift, ratio = np.abs(self.shift), self.ratio
        lines = [
            f"{self.layer}: a batch of shape {self.shape} against the running statistics",
            f"  batches tracked    : {self.batches_tracked}, with {momentum}{', frozen' if self.frozen else ''}",
            f"  mean               : off by {shift.min():.3g} to {shift.max():.3g} running standard deviations",
            f"  standard deviation : {ratio.min():.3g} to {ratio.max():.3g} times the running one",
            f"  channels agreeing  : {self.agreeing.sum()} of {len(shift)}",
            *(f"  {line}" for line in self._worst(5)),
            f"  likely cause: {self.cause}",
        ]
        return "\n".join([*lines, f"  remedy: {self.remedy}"] if self.remedy else lines)

    # ------------------------------------------------------------------------------------------- comparing

    def _shift_from(self, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # what is not finite shall show, and is the first cause looked at
            return (self.batch.mean - mean) / np.sqrt(var + self._floor)

    def _ratio_to(self, var: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.sqrt((self.batch.var(1) + self._floor) / (var + self._floor))

    def _agreeing_with(self, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
        """(C,) which channels of the batch agree with such statistics."""
        N = self.shape[0]
        far, wide = max(0.25, 4 / math.sqrt(N)), max(math.log(1.25), 4 / math.sqrt(2 * max(N - 1, 1)))
        with np.errstate(all="ignore"):
            return (abs(self._shift_from(mean, var)) <= far) & (abs(np.log(self._ratio_to(var))) <= wide)

    def _explains(self, mean: np.ndarray, var: np.ndarray) -> bool:
        """Would the batch agree, had the running statistics these values?"""
        return bool(self._agreeing_with(mean, var).mean() >= _MOST)

    @property
    def _floor(self) -> float:
        """eps, or where that is 0 something that divides all the same."""
        return max(self.eps, float(np.finfo(np.float64).tiny))

    def _worst(self, most: int) -> Iterator[str]:
        """The channels that disagree most, as the lines of a table."""
        with np.errstate(all="ignore"):
            badness = np.nan_to_num(abs(self.shift) + abs(np.log(self.ratio)), nan=np.inf)
            stds = np.sqrt(self.batch.var(1)), np.sqrt(self.running_var)
        chosen = [c for c in np.argsort(-badness, kind="stable")[:most] if not self.agreeing[c]]
        heads = ("channel", "batch mean", "running mean", "off by", "batch std", "running std", "ratio")
        columns = self.batch.mean, self.running_mean, self.shift, stds[0], stds[1], self.ratio
        rows = [(str(c), *(f"{column[c]:.3g}" for column in columns)) for c in chosen]
        widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
        for row in [heads, *rows] if rows else []:
            yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))

    # -------------------------------------------------------------------------------------------- explaining

    @cached_property
    def _finding(self) -> _Finding:
        """The first explanation that fits."""
        return (
            self._not_finite()
            or self._agreement()
            or self._never_moved()
            or self._constant_channels()
            or self._too_few_batches()
            or self._scaled_or_shifted()
            or self._stopped()
            or self._too_large_momentum()
            or _Finding(
                "the batch is distributed differently than the data that the running statistics were collected on, or "
                "the layers before this one have changed since",
                "compare the two data sets and their preprocessing; nn.utils.calibrate(model, loader) measures anew",
            )
        )

    def _not_finite(self) -> _Finding | None:
        bad = ~(np.isfinite(self.batch.mean) & np.isfinite(self.batch.m2))
        if bad.any():
            return _Finding(
                f"the batch holds NaN or infinite values, in {_channels(bad)}",
                "find where they come from: minigrad.autograd.detect_anomaly() names the op",
            )
        bad = ~(np.isfinite(self.running_mean) & np.isfinite(self.running_var) & (self.running_var >= 0))
        if bad.any():
            return _Finding(
                f"the running statistics hold NaN, infinite values or negative variances, in {_channels(bad)}: one bad "
                "batch stays in a running average for good",
                "reset_running_stats(), then train on or nn.utils.calibrate(model, loader)",
            )
        return None

    def _agreement(self) -> _Finding | None:
        return _Finding("none: they agree", "") if self.agrees else None

    def _never_moved(self) -> _Finding | None:
        new = not self.running_mean.any() and (self.running_var == 1).all()
        if new and self.batches_tracked == 0:
            frozen = "; it is frozen" if self.frozen else ""
            return _Finding(
                "the layer has seen no batch in training mode, and still has mean 0 and variance 1" + frozen,
                "train, load a checkpoint, or measure them with nn.utils.calibrate(model, loader)",
            )
        if self.momentum == 0:
            return _Finding(
                f"momentum is 0, so that the {self.batches_tracked} batches tracked moved nothing",
                "give a momentum such as 0.1; from_decay(...) takes 1 - momentum",
            )
        return None

    def _constant_channels(self) -> _Finding | None:
        if not (self.agreeing | self.constant).all():
            return None
        dead = self.constant & ~self.agreeing
        where = "in the running statistics" if (self.running_var <= self.eps).any() else "in the batch"
        return _Finding(
            f"dead channels: {_channels(dead)} {'varies' if dead.sum() == 1 else 'vary'} by no more than "
            f"eps={self.eps:g} {where}",
            "look for units of the layer before that always give the same value, and for an input that never changes",
        )

    def _too_few_batches(self) -> _Finding | None:
        m = self.momentum
        if m is None or not 0 < m < 1:
            return None
        left = (1 - m) ** self.batches_tracked  # the weight of the start values, mean 0 and variance 1
        if not 0.02 < left < 1:
            return None
        if not self._explains(self.running_mean / (1 - left), np.maximum(self.running_var - left, 0) / (1 - left)):
            return None
        return _Finding(
            f"momentum {m:g} is too small for {self.batches_tracked} batches: the start values, mean 0 and variance 1, "
            f"still weigh {left:.0%}; without them the statistics agree",
            "train longer, or use a larger momentum, or momentum=None, which averages all batches",
        )

    def _scaled_or_shifted(self) -> _Finding | None:
        live = ~self.constant
        if live.sum() < 4:  # with few channels, some scale and shift always fit
            return None
        a = float(np.exp(np.median(np.log(self.ratio[live]))))
        for scale, fits_shift in ((a, False), (1.0, True), (a, True)):
            offsets = (self.batch.mean - scale * self.running_mean)[live]
            shift = float(np.median(offsets)) if fits_shift else 0.0
            if self._explains(scale * self.running_mean + shift, scale**2 * self.running_var):
                times = f"{scale:.3g} times " if scale != 1 else ""
                plus = f", plus {shift:.3g}" if fits_shift else ""
                hint = ": are pixels divided by 255 in one of them only?" if _near_255(scale) else ""
                return _Finding(
                    f"another preprocessing: in every channel the values are about {times}those that the statistics "
                    f"were collected on{plus}",
                    f"scale and shift the inputs as in training{hint}",
                )
        return None

    def _stopped(self) -> _Finding | None:
        if not self.frozen:
            return None
        return _Finding(
            "the statistics are frozen, and what arrives at this layer has changed since",
            "unfreeze(), or measure them with nn.utils.calibrate(model, loader) after it",
        )

    def _too_large_momentum(self) -> _Finding | None:
        m = self.momentum
        if m is None or 0 <= m < 0.5:
            return None
        if 0 < m <= 1:
            cause = f"momentum {m:g} is large: the running statistics are little more than those of the last batch"
        else:
            cause = f"momentum {m:g} is not in [0, 1]: the running statistics are no average of the batches"
        return _Finding(cause, "use a smaller momentum, such as 0.1; if the number is a decay, from_decay(...)")


def _near_255(scale: float) -> bool:
    return any(abs(scale / k - 1) < 0.2 for k in (255, 1 / 255))


def _channels(mask: np.ndarray) -> str:
    """ "channel 3", or "channels 0, 4, 7", the first few of them."""
    found = np.flatnonzero(mask).tolist()
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return f"channel{'s' if len(found) > 1 else ''} {', '.join(map(str, found[:6]))}{more}"
