"""Virtual batch normalization, by the statistics of a reference batch: VirtualBatchNorm1d, 2d, reference_batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import EllipsisType
from typing import Any, Self

import numpy as np

from .. import ops
from ..autograd import is_grad_enabled, no_grad, set_grad_enabled, unwrap, wrap
from ..checks import choice, flag, number, whole
from ..creation import empty, ones, zeros
from ..dtypes import float64, int64
from ..ops.common import cast
from ..tensor import Tensor
from . import functional as F
from . import init
from .checks import describe
from .module import Module
from .parameter import Parameter
from .statistics import Moments

__all__ = ["VirtualBatchNorm1d", "VirtualBatchNorm2d", "reference_batch"]


class _Reference:
    """One `reference_batch` in force: the layers it is for, and the statistics of it that each has measured."""

    def __init__(self, layers: list[_VirtualBatchNorm]) -> None:
        self.layers = frozenset(layers)
        self.moments: dict[_VirtualBatchNorm, Moments] = {}
        self.measuring = True


class _InForce(threading.local):
    """The references in force in this thread, the innermost last."""

    def __init__(self) -> None:
        self.references: list[_Reference] = []


_in_force = _InForce()


@contextmanager
def reference_batch(model: Module, *inputs: Any, **named: Any) -> Iterator[Any]:
    """Let the virtual batch norms of `model` normalize against a reference batch, in a with-block.

    First `model(*inputs, **named)` is called: it sends the reference batch through the model, where each of these
    layers normalizes it by its own statistics, and keeps them. In the block they normalize all other inputs by these,
    mixed with a little of their own. So a layer deep in a model sees what the reference has become there, which
    changes with the weights: enter the block anew for each training step. It costs a second forward pass.

    The block gives what the model made of the reference batch. That pass is not recorded, unless a layer has
    detach_reference=False, which is the better choice for training: see `VirtualBatchNorm1d`. Other layers work in it
    as ever, in the mode that they are in: dropout drops, and batch norm in training mode counts one more batch.
    If it is recorded, all outputs made in the block share its graph: add up their losses for one backward, or pass
    retain_graph=True to all but the last.

    Blocks nest, the innermost counts; a block holds for the thread that enters it, and ends also with an error. It
    comes before what `set_reference` gave to a layer.

    ValueError for a model without a virtual batch norm, RuntimeError for one that uses such a layer twice in a pass.

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.VirtualBatchNorm1d(3, mix="example"), nn.ReLU())
    >>> x_ref, x = minigrad.randn(64, 4), minigrad.randn(8, 4)
    >>> with nn.reference_batch(model, x_ref):
    ...     y = model(x)
    >>> y.shape
    (8, 3)
    """
    if not isinstance(model, Module):
        raise TypeError(f"reference_batch: model must be a Module, got {describe(model)}")
    layers = [layer for layer in model.modules() if isinstance(layer, _VirtualBatchNorm)]
    if not layers:
        raise ValueError(
            f"reference_batch: {type(model).__name__} has no VirtualBatchNorm1d or VirtualBatchNorm2d, so a reference "
            "batch would change nothing"
        )
    reference = _Reference(layers)
    _in_force.references.append(reference)
    try:
        recording = is_grad_enabled() and not all(layer.detach_reference for layer in layers)
        with set_grad_enabled(recording):
            output = model(*inputs, **named)
        reference.measuring = False
        yield output
    finally:
        _in_force.references.remove(reference)


class _VirtualBatchNorm(Module):
    """Virtual batch normalization of any input whose dim 1 is the channels; a subclass says which shapes it takes."""

    form: str  # the shapes taken, for the error
    ndims: tuple[int, ...]

    gamma: Parameter
    beta: Parameter
    ref_mean: Tensor
    ref_var: Tensor
    ref_size: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        mix: str = "batch",
        detach_reference: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.num_features = n = whole(layer, "num_features", num_features, " >= 1")
        self.eps = number(layer, "eps", eps, " > 0")
        self.mix = choice(layer, "mix", mix, "batch", "example")
        self.detach_reference = flag(layer, "detach_reference", detach_reference)
        kind = {"device": device, "dtype": dtype}
        per_channel = self._per_channel(1, max(self.ndims))
        self.gamma = Parameter(empty(per_channel, **kind))
        self.beta = Parameter(empty(per_channel, **kind))
        self.register_buffer("ref_mean", zeros(n, **kind))
        self.register_buffer("ref_var", ones(n, **kind))
        self.register_buffer("ref_size", zeros((), dtype=int64))  # 0 while there is no reference
        self.reset_parameters()

    def _per_channel(self, examples: int, ndim: int) -> tuple[int, ...]:
        """The shape of one number per channel that broadcasts against an input of `ndim` dimensions."""
        return (examples, self.num_features, *[1] * (ndim - 2))

    def reset_parameters(self) -> None:
        """Draw gamma from N(1, 0.02), set beta to 0, and forget the reference."""
        init.normal_(self.gamma, 1.0, 0.02)
        init.zeros_(self.beta)
        self.set_reference(None)

    @property
    def ref_mean_sq(self) -> Tensor:
        """The mean of squares of the reference that `set_reference` keeps: ref_mean^2 + ref_var."""
        return self.ref_mean * self.ref_mean + self.ref_var

    @no_grad
    def set_reference(self, input: Tensor | None) -> Self:
        """Keep the statistics of a reference batch, as it arrives at this layer; None forgets them. Gives the layer.

        They are constants, in the buffers ref_mean, ref_var and ref_size (the number of examples, 0 without a
        reference), so the state dict keeps them. In a model whose weights change, `reference_batch` keeps up with them.

        ValueError for a batch of one value per channel.

        >>> import minigrad
        >>> layer = minigrad.nn.VirtualBatchNorm1d(1).set_reference(minigrad.tensor([[2.0], [4.0]]))
        >>> layer.ref_mean, layer.ref_var, layer.ref_size
        (tensor([3.]), tensor([1.]), tensor(2))
        """
        mean, var, size = np.zeros(self.num_features), np.ones(self.num_features), 0
        if input is not None:
            self._must_fit(input)
            _, moments = F.virtual_batch_norm(input.detach(), eps=self.eps)
            mean, var, size = unwrap(moments.mean), unwrap(moments.var()), int(moments.count)
        for buffer, value in ((self.ref_mean, mean), (self.ref_var, var), (self.ref_size, np.asarray(size))):
            buffer.copy_(wrap(value))
        return self

    def forward(
        self,
        input: Tensor,
        ref_mean: Tensor | EllipsisType | None = ...,
        ref_mean_sq: Tensor | EllipsisType | None = ...,
        ref_size: int | None = None,
    ) -> Any:
        """The normalized input; with two more arguments (output, mean, mean_sq).

        vbn(x)                        : by the reference in force, of `reference_batch`, or else of `set_reference`
        vbn(x, None, None)            : x is a reference: by its own statistics, which are constants unless
                                        detach_reference=False, and come back to be given next
        vbn(x, ref_mean, ref_mean_sq) : by that reference, mixed with x; the mixed statistics come back

        They hold one number per channel, ready to broadcast, (1, C, 1) for an input (N, C, L). With mix="example",
        `ref_size` must say how many examples the reference had, and those that come back are (N, C, 1).

        A variance given as a mean of squares loses digits where the mean is large: in float32 all of them, at a mean of
        some thousands of standard deviations. The other ways to give a reference lose none.

        ValueError for another number of features or dimensions, and for a mean of squares below the square of the
        mean; RuntimeError without a reference.
        """
        self._must_fit(input)
        if ref_mean is ... and ref_mean_sq is ...:
            return self._by_reference_in_force(input)
        layer = type(self).__name__
        if ref_mean is ... or ref_mean_sq is ... or (ref_mean is None) != (ref_mean_sq is None):
            raise ValueError(
                f"{layer}: ref_mean and ref_mean_sq belong together; give both, None for both where the input is the "
                "reference, or neither to use the reference in force"
            )
        reference = None
        if ref_mean is not None:
            if self.mix == "example" and ref_size is None:
                raise ValueError(
                    f'{layer}: mix="example" weighs a reference by its number of examples; give that as ref_size'
                )
            size = 1 if ref_size is None else whole(layer, "ref_size", ref_size, " >= 1")
            reference = self._given(ref_mean, ref_mean_sq, size)
        y, moments = self._normalize(input, reference)
        mean, mean_sq = (
            cast(ops.reshape(s, self._per_channel(-1, input.ndim)), input.dtype)
            for s in (moments.mean, moments.mean_square)
        )
        return y, mean, mean_sq

    def _by_reference_in_force(self, x: Tensor) -> Tensor:
        """x normalized by the innermost reference; or measured, if it is one on its way through the model."""
        layer, passed_by = type(self).__name__, False
        for reference in reversed(_in_force.references):
            if self in reference.moments and not reference.measuring:
                return self._normalize(x, reference.moments[self])[0]
            if self in reference.moments:
                raise RuntimeError(
                    f"{layer}: the reference batch came to this layer twice, but it keeps one reference; make a layer "
                    "for each place in the model, or call it with ref_mean and ref_mean_sq"
                )
            if self in reference.layers and reference.measuring:
                y, reference.moments[self] = self._normalize(x, None)
                return y
            passed_by = passed_by or self in reference.layers
        size = self.ref_size.item()
        if size:
            mean, var = (cast(s.detach(), float64) for s in (self.ref_mean, self.ref_var))
            return self._normalize(x, Moments.from_var(size, mean, var))[0]
        if passed_by:
            raise RuntimeError(
                f"{layer}: the reference batch did not come to this layer, so there is nothing to normalize by; it "
                "must take the way through the model that the input takes"
            )
        raise RuntimeError(
            f"{layer}: there is no reference to normalize by; run the model inside `with nn.reference_batch(model, "
            "x_ref):` (in this thread), give this layer one with set_reference(x_ref), or call it with ref_mean and "
            "ref_mean_sq"
        )

    def _normalize(self, x: Tensor, reference: Moments | None) -> tuple[Tensor, Moments]:
        return F.virtual_batch_norm(
            x,
            reference,
            ops.reshape(self.gamma, -1),
            ops.reshape(self.beta, -1),
            self.eps,
            mix=self.mix,
            detach_reference=self.detach_reference,
        )

    def _given(self, mean: Any, mean_sq: Any, size: int) -> Moments:
        """The moments of a reference that is given as mean and mean of squares."""
        layer = type(self).__name__
        for name, statistic in (("ref_mean", mean), ("ref_mean_sq", mean_sq)):
            if not isinstance(statistic, Tensor) or not statistic.is_floating_point():
                raise TypeError(f"{layer}: {name} must be a floating Tensor, got {describe(statistic)}")
            shape = tuple(statistic.shape)
            if shape not in [(self.num_features,), *(self._per_channel(1, ndim) for ndim in self.ndims)]:
                raise ValueError(
                    f"{layer}: {name} must hold one number for each of the {self.num_features} features, in shape "
                    f"{self._per_channel(1, max(self.ndims))}, got shape {shape}"
                )
        exactness = max(float(np.finfo(s.dtype).eps) for s in (mean, mean_sq))
        mean, mean_sq = (cast(ops.reshape(s, -1), float64) for s in (mean, mean_sq))
        var = mean_sq - mean * mean
        below = unwrap(var) < -100 * exactness * unwrap(mean_sq)
        if below.any():
            c = int(below.argmax())
            raise ValueError(
                f"{layer}: ref_mean_sq must be the mean of squares, at least the square of ref_mean, but in channel "
                f"{c} it is {unwrap(mean_sq)[c]:.6g} and ref_mean is {unwrap(mean)[c]:.6g}; for a variance, give "
                "variance + ref_mean ** 2"
            )
        return Moments.from_var(size, mean, ops.clamp(var, min=0.0))  # below 0 by rounding alone

    def _must_fit(self, input: Any) -> None:
        shape = tuple(getattr(input, "shape", ()))
        if len(shape) not in self.ndims or shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected input {self.form} with C = num_features = {self.num_features}, got "
                f"{describe(input)}"
            )

    def extra_repr(self) -> str:
        return (
            f"num_features={self.num_features}, eps={self.eps}, mix={self.mix!r}, "
            f"detach_reference={self.detach_reference}"
        )


class VirtualBatchNorm1d(_VirtualBatchNorm):
    """Normalize vectors (N, C) or sequences (N, C, L) by a reference: y = (x - mean) / sqrt(var + eps) gamma + beta.

    num_features     : C
    eps              : keeps the quotient finite where a channel is constant
    mix              : how x adds to the statistics of the reference:
                       "batch", by one mean and variance of all N examples, which weigh 1 / (N + 1);
                       "example", by those of each example by itself, which weigh 1 / (N_ref + 1)
    detach_reference : let the statistics of the reference be constants; False: gradients flow through them

    Batch norm makes an example depend on those that happen to be in its batch. Here they depend on a reference batch
    that is chosen once: with mix="example", the output for an example is the same, bit for bit, whatever its batch
    mates are, and is that of batch norm over the reference and this example. With mix="batch", they still count a
    little. Training and evaluation are the same.

    To train the layers before it, have detach_reference=False: scaling their weights scales x and reference alike and
    changes no output, but with a constant reference the gradient does not know that, and much of it points that way.

    The reference is given in one of three ways:

        with nn.reference_batch(model, x_ref): y = model(x)   anywhere in a model; kept up with the weights
        layer.set_reference(x_ref)                            for a single layer; kept in the state dict
        y, mean, mean_sq = layer(x, ref_mean, ref_mean_sq)    by hand: see `forward`

    gamma starts as N(1, 0.02) and beta as 0; both have shape (1, C, 1).

    Keras' `virtual_batch_size` is another method, ghost batch norm: plain batch norm over parts of a batch.

    ValueError for another number of features or dimensions, RuntimeError without a reference.
    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, arXiv:1606.03498, section 3.4.

    >>> import minigrad
    >>> layer = minigrad.nn.VirtualBatchNorm1d(1, mix="example")
    >>> _ = minigrad.nn.init.ones_(layer.gamma)
    >>> _ = layer.set_reference(minigrad.tensor([[2.0], [4.0], [6.0]]))
    >>> layer(minigrad.tensor([[8.0]])).detach(), layer(minigrad.tensor([[8.0], [0.0]])).detach()
    (tensor([[1.3416]]), tensor([[ 1.3416],
            [-1.3416]]))
    >>> y, mean, mean_sq = layer(minigrad.tensor([[2.0], [4.0], [6.0]]), None, None)
    >>> mean, mean_sq
    (tensor([[4.]]), tensor([[18.6667]]))
    """

    form, ndims = "(N, C) or (N, C, L)", (2, 3)


class VirtualBatchNorm2d(_VirtualBatchNorm):
    """Normalize images (N, C, H, W) against a reference batch, as `VirtualBatchNorm1d` does sequences.

    gamma, beta and the statistics have shape (1, C, 1, 1).

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.VirtualBatchNorm2d(6), nn.ReLU())
    >>> with nn.reference_batch(model, minigrad.randn(32, 1, 8, 8)):
    ...     y = model(minigrad.randn(4, 1, 8, 8))
    >>> y.shape
    (4, 6, 6, 6)
    """

    form, ndims = "(N, C, H, W)", (4,)
