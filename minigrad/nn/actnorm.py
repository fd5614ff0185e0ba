"""ActNorm: a scale and a shift for each channel that start as the first batch wants them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import changed
from ..checks import number, whole
from ..creation import zeros
from ..tensor import Tensor, tensor
from . import functional as F
from .checks import describe
from .invertible import Invertible
from .parameter import Parameter
from .statistics import Moments

__all__ = ["ActNorm"]


class ActNorm(Invertible):
    """y = x * exp(log_scale) + bias for each channel, a layer of a normalizing flow that starts from the first batch.

    num_features : C
    min_std      : floor on the standard deviation by which the first batch is divided: a channel that is constant there
                   is not blown up by more than 1 / min_std

    Takes (N, C) and (N, C, ...). `y, log_det = layer(x)` and `x, log_det = layer.inverse(y)`; log_det has shape (N,),
    and is L sum(log_scale), L being the number of positions.

    The first forward in training mode sets log_scale and bias so that its output has mean 0 and variance 1 in each
    channel: log_scale = -log(max(std, min_std)), bias = -mean exp(log_scale). From then on they are parameters like
    any other, and the layer treats examples one by one, in training and in evaluation alike: what batch norm does to
    the Jacobian (see `InvertibleBatchNorm2d`) does not arise. The buffer `initialized` goes with the state dict.

    RuntimeError where something else comes first: `inverse`, or a forward in evaluation mode. ValueError for a first
    batch of one value per channel, and for one that is not finite. Source: Kingma and Dhariwal, "Glow: Generative Flow
    with Invertible 1x1 Convolutions", 2018, arXiv:1807.03039, section 3.1.

    >>> import minigrad
    >>> layer = minigrad.nn.ActNorm(1)
    >>> y, log_det = layer(minigrad.tensor([[1.0], [5.0]]))
    >>> y.detach(), layer.log_scale.detach(), layer.bias.detach()
    (tensor([[-1.],
            [ 1.]]), tensor([-0.6931]), tensor([-1.5000]))
    >>> layer(minigrad.tensor([[11.0]]))[0].detach()
    tensor([[4.]])
    """

    log_scale: Parameter
    bias: Parameter
    initialized: Tensor

    def __init__(self, num_features: int, min_std: float = 1e-3, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_features = whole("ActNorm", "num_features", num_features, " >= 1")
        self.min_std = number("ActNorm", "min_std", min_std, " > 0")
        self.log_scale = Parameter(zeros(num_features, device=device, dtype=dtype))
        self.bias = Parameter(zeros(num_features, device=device, dtype=dtype))
        self.register_buffer("initialized", tensor(False))

    def transform(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, C, ...): (y, log_det). The first in training mode sets log_scale and bias."""
        if not self.initialized.item():
            if not self.training:
                raise RuntimeError(
                    "ActNorm: nothing has set log_scale and bias yet; send a batch through in training mode first, or "
                    "load a state dict"
                )
            F.act_norm(input, self.log_scale, self.bias)  # an input that will not do is refused before anything is set
            self._initialize(input)
        return F.act_norm(input, self.log_scale, self.bias)

    def inverse(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """y (N, C, ...): (x, log_det), log_det being the negative of that of `forward`."""
        if not self.initialized.item():
            raise RuntimeError(
                "ActNorm: inverse comes before log_scale and bias were set; send a batch of data forward in training "
                "mode first, or load a state dict"
            )
        return F.act_norm_inverse(input, self.log_scale, self.bias)

    def _initialize(self, x: Tensor) -> None:
        """Set log_scale and bias for the output of this batch to have mean 0 and variance 1."""
        if x.numel() < 2 * self.num_features:
            raise ValueError(
                f"ActNorm: the first batch sets the scale, and needs more than one value per channel, got "
                f"{describe(x)}; use a larger batch"
            )
        first = Moments.of(x.array, (0, *range(2, x.ndim)))
        if not (np.isfinite(first.mean).all() and np.isfinite(first.m2).all()):
            raise ValueError(
                f"ActNorm: the first batch, of {describe(x)}, sets the scale, and must be finite; it has channels "
                "with inf or nan in them"
            )
        log_scale = -np.log(np.maximum(np.sqrt(first.var()), self.min_std))
        values = (self.log_scale, log_scale), (self.bias, -first.mean * np.exp(log_scale)), (self.initialized, True)
        if not all(state.array.flags.writeable for state, _ in values):
            raise RuntimeError(
                "ActNorm: the first batch sets log_scale, bias and initialized, but the memory of one of them is "
                "read-only; make it a clone"
            )
        for state, value in values:
            state.array[...] = value
            changed(state.array, by="ActNorm, which set its scale and shift by the first batch")

    def extra_repr(self) -> str:
        return f"{self.num_features}, min_std={self.min_std}"
