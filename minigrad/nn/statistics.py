"""Moments: how many values, their mean, and the spread around it: the statistics of every batch norm.

A variance alone cannot be combined with another: it does not say how many values it stands for, nor around which mean.
The three numbers here can, exactly and in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .. import dtypes, ops
from ..checks import number
from ..ops.common import Dim, Operand, cast, must_be_arrays, normalize_dims

__all__ = ["Moments"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The count of some values, their mean, and m2 = sum (x - mean)^2; for many channels at once.

    count : how many values each channel has; any number >= 0, for it may also be a weight
    mean  : (C,), or any other shape
    m2    : of the same shape

    They are arrays, or Tensors where gradients shall flow through the statistics: the arithmetic is the same. Nothing
    is changed in place.

    >>> import numpy as np
    >>> from minigrad.nn.statistics import Moments
    >>> x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]])
    >>> whole = Moments.of(x, 0)
    >>> whole.count, whole.mean, whole.m2
    (3, array([ 3., 20.]), array([  8., 600.]))
    >>> parts = Moments.of(x[:1], 0).merge(Moments.of(x[1:], 0))
    >>> parts.count, parts.mean, parts.m2
    (3, array([ 3., 20.]), array([  8., 600.]))
    """

    count: float
    mean: Any
    m2: Any

    def __post_init__(self) -> None:
        number("Moments", "count", self.count, " >= 0")

    @classmethod
    def of(cls, x: Operand, axes: Dim) -> Self:
        """The moments of an array or Tensor over `axes` (None: all of them), in float64, in two passes.

        First the mean, then the deviations from it: m2 by sum x^2 - n mean^2 would cancel wherever the mean is large.
        Of no values at all, count, mean and m2 are 0.
        """
        must_be_arrays("Moments.of", x)
        wide = cast(x, dtypes.float64)
        dims = normalize_dims("Moments.of", axes, wide.ndim)
        count = math.prod(wide.shape[i] for i in dims)
        if count == 0:
            none = ops.sum(wide, dims)
            return cls(0, none, none)
        mean = ops.mean(wide, dims, keepdim=True)
        centred = wide - mean
        return cls(count, ops.squeeze(mean, dims), ops.sum(centred * centred, dims))

    @classmethod
    def from_var(cls, count: float, mean: Any, var: Any, correction: float = 0) -> Self:
        """The moments of `count` values with that mean and variance: m2 = (count - correction) var.

        >>> from minigrad.nn.statistics import Moments
        >>> Moments.from_var(5, 0.0, 2.0).var(correction=1)
        2.5
        """
        return cls(count, mean, var * (count - correction))

    def merge(self, other: Moments) -> Moments:
        """The moments of these values and the other's together; their shapes broadcast.

            n    = n_a + n_b,  d = mean_b - mean_a
            mean = mean_a + n_b / n d
            m2   = m2_a + m2_b + n_a n_b / n d^2

        So a data set can be measured batch by batch, or by several processes. With the weights w and 1 - w for counts,
        m2 is the variance of a mixture: w var_a + (1 - w) var_b + w (1 - w) d^2. ValueError where the shapes do not
        broadcast.

        Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
        1979, Stanford STAN-CS-79-773.
        """
        a, b = self, other
        try:
            np.broadcast_shapes(np.shape(a.mean), np.shape(b.mean))
        except ValueError:
            raise ValueError(
                f"Moments.merge: the means have shapes {tuple(np.shape(a.mean))} and {tuple(np.shape(b.mean))}, which "
                "do not broadcast; both must be of the same channels"
            ) from None
        n = a.count + b.count
        share = b.count / n if n else 0.0
        d = b.mean - a.mean
        return Moments(n, a.mean + d * share, a.m2 + b.m2 + d * d * (a.count * share))

    def weighing(self, count: float) -> Moments:
        """The same mean and variance, standing for `count` values: how much they weigh in a merge.

        >>> from minigrad.nn.statistics import Moments
        >>> a, b = Moments.from_var(100, 0.0, 1.0), Moments.from_var(3, 4.0, 1.0)
        >>> mixed = a.weighing(0.75).merge(b.weighing(0.25))
        >>> mixed.mean, mixed.var()
        (1.0, 4.0)
        """
        return Moments.from_var(count, self.mean, self.var())

    def var(self, correction: float = 0) -> Any:
        """The variance m2 / (count - correction): 0 gives the biased one, of the values themselves; 1 is Bessel's.

        ValueError unless there are more than `correction` values.
        """
        if self.count <= correction:
            raise ValueError(
                f"Moments.var: correction={correction} needs a count of more than {correction}, got {self.count}"
            )
        return self.m2 / (self.count - correction)

    @property
    def mean_square(self) -> Any:
        """The mean of x^2, which is mean^2 + var.

        >>> from minigrad.nn.statistics import Moments
        >>> Moments.from_var(2, 3.0, 1.0).mean_square
        10.0
        """
        return self.mean * self.mean + self.var()
