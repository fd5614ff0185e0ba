"""Dropout layers: Dropout and Dropout2d."""

from __future__ import annotations

from ..checks import number
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["Dropout", "Dropout2d"]


class _Dropout(Module):
    """What the kinds of dropout share: the probability and the repr."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p, self.inplace = number(type(self).__name__, "p", p, " in [0, 1]"), inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, set each element to zero with probability `p`, and divide the others by 1 - p.

    In evaluation mode the input passes through unchanged. `inplace` is accepted, and has no effect.
    Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.

    >>> import minigrad
    >>> layer = minigrad.nn.Dropout(0.5)
    >>> layer.eval()(minigrad.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape."""
        return F.dropout(input, self.p, self.training)


class Dropout2d(_Dropout):
    """`Dropout` of whole channels of images (N, C, H, W) or sequences (N, C, L), whose neighbouring elements are alike.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    ValueError unless 0 <= p <= 1.

    >>> import minigrad
    >>> y = minigrad.nn.Dropout2d(0.5)(minigrad.ones(8, 3, 4, 4))
    >>> bool((y == y[:, :, :1, :1]).all())    # a channel is all 0 or all 2
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, H, W) or (N, C, L)."""
        return F.dropout2d(input, self.p, self.training)
