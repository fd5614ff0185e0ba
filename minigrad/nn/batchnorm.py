"""Batch normalization layers: BatchNorm1d, BatchNorm2d and BatchNorm3d."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..autograd import unwrap
from ..checks import flag, number, whole
from ..tensor import Tensor
from . import functional as F
from .affine import Affine
from .batchnorm_diagnosis import BatchNormDiagnosis
from .checks import describe
from .running_statistics import RunningStatistics

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"]


class _BatchNorm(Affine, RunningStatistics):
    """Batch normalization for any input whose dim 1 is the channels; a subclass says which shapes it takes."""

    form: str  # the shapes taken, for the error
    ndims: tuple[int, ...]

    _frozen_parameters: tuple[str, ...]  # the names that `freeze` stopped

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        self.num_features = n = whole(layer, "num_features", num_features, " >= 1")
        self.eps = number(layer, "eps", eps, " >= 0")
        self.momentum = momentum if momentum is None else number(layer, "momentum", momentum)
        self.affine, self.track_running_stats = affine, track_running_stats
        self.stats_frozen, self._frozen_parameters = False, ()
        self.register_affine((n,), affine, bias, device, dtype)
        self.register_running_stats((n,), track_running_stats, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0, and forget the batches seen."""
        self.reset_running_stats()
        super().reset_parameters()

    @classmethod
    def from_decay(cls, num_features: int, decay: float, **options: Any) -> Self:
        """The layer for a decay of the other convention: running = decay running + (1 - decay) batch.

        TensorFlow, Keras and many a notebook call this decay "momentum"; it is 1 - momentum here. Beside the decay,
        in [0, 1], the arguments are those of the layer. running_var holds the unbiased variance in either convention.

        >>> from minigrad import nn
        >>> nn.BatchNorm1d.from_decay(3, 0.9).momentum, nn.BatchNorm2d.from_decay(3, 0.99, eps=1e-3).momentum
        (0.1, 0.01)
        """
        if "momentum" in options:
            raise TypeError(f"{cls.__name__}.from_decay: takes decay, which is 1 - momentum, and no momentum beside it")
        number(f"{cls.__name__}.from_decay", "decay", decay, " in [0, 1]")
        momentum = float(f"{1 - decay:.12g}")  # 1 - 0.9 is 0.09999999999999998
        return cls(num_features, momentum=momentum, **options)

    def freeze(self, stats: bool = True, affine: bool = False) -> Self:
        """Stop the running statistics, the weight and bias, or both, until `unfreeze`. Gives back the layer.

        stats  : normalize by the running statistics in training mode too, and leave them as they are
        affine : collect no gradients for weight and bias, and forget those that they have

        It stays so whatever `train()` is called later, which is what fine-tuning with small batches needs: a layer
        put into evaluation mode by hand is back in training mode at the next epoch's `model.train()`.

        RuntimeError where there are no running statistics.

        >>> import minigrad
        >>> layer = minigrad.nn.BatchNorm1d(1).freeze()
        >>> layer.train()(minigrad.tensor([[2.0], [4.0]])).detach()
        tensor([[2.0000],
                [4.0000]])
        >>> layer.running_mean
        tensor([0.])
        """
        layer = type(self).__name__
        if flag(f"{layer}.freeze", "stats", stats) and self.running_mean is None:
            raise RuntimeError(
                f"{layer}.freeze: the layer keeps no running statistics to normalize by; make it with "
                "track_running_stats=True, or freeze(stats=False, affine=True)"
            )
        if flag(f"{layer}.freeze", "affine", affine):
            learning = tuple(name for name, p in self.named_parameters() if p.requires_grad)
            self._frozen_parameters += learning
            for name in learning:
                param = self.get_parameter(name).requires_grad_(False)
                param.grad = None  # an optimizer would go on by it
        self.stats_frozen = self.stats_frozen or stats
        return self

    def unfreeze(self, stats: bool = True, affine: bool = True) -> Self:
        """Undo `freeze`: for the statistics, and for what it froze of weight and bias. Gives back the layer."""
        layer = type(self).__name__
        if flag(f"{layer}.unfreeze", "stats", stats):
            self.stats_frozen = False
        if flag(f"{layer}.unfreeze", "affine", affine):
            for name in self._frozen_parameters:
                self.get_parameter(name).requires_grad_()
            self._frozen_parameters = ()
        return self

    def diagnose(self, input: Tensor) -> BatchNormDiagnosis:
        """Compare a batch, as it arrives at this layer, with the running statistics; print what comes back.

        It tells how many standard deviations each channel's mean lies off, how many times larger or smaller its
        spread is, how many batches were tracked, and the likely cause where they disagree: see `BatchNormDiagnosis`.
        Nothing is changed.

        ValueError for fewer than two values per channel, RuntimeError without running statistics.

        >>> import minigrad
        >>> layer = minigrad.nn.BatchNorm1d(2)
        >>> x = minigrad.arange(20.0).reshape(10, 2)
        >>> print(layer.diagnose(x).cause)
        the layer has seen no batch in training mode, and still has mean 0 and variance 1
        """
        layer = type(self).__name__
        if self.running_mean is None:
            raise RuntimeError(
                f"{layer}.diagnose: the layer keeps no running statistics (track_running_stats=False), so there is "
                "nothing to compare a batch with: each is normalized by its own"
            )
        self._check_input(input)
        if input.shape[1] != self.num_features:
            raise ValueError(
                f"{layer}.diagnose: needs {self.num_features} channels (dim 1), got shape {tuple(input.shape)}"
            )
        batch = self.batch_moments(input)
        if batch.count < 2:
            raise ValueError(
                f"{layer}.diagnose: needs at least two values per channel, but shape {tuple(input.shape)} has "
                f"{batch.count}; take a larger batch"
            )
        return BatchNormDiagnosis(
            layer=layer,
            shape=tuple(input.shape),
            batch=batch,
            running_mean=unwrap(self.running_mean).astype(np.float64),
            running_var=unwrap(self.running_var).astype(np.float64),
            batches_tracked=self.num_batches_tracked.item(),  # type: ignore[union-attr]
            momentum=self.momentum,
            eps=self.eps,
            frozen=self.stats_frozen,
        )

    def _check_input(self, input: Any) -> None:
        if getattr(input, "ndim", None) not in self.ndims:
            raise ValueError(f"{type(self).__name__}: expected input {self.form}, got {describe(input)}")

    def forward(self, input: Tensor, *, relu: bool = False) -> Tensor:
        """x with its channels in dim 1; the output has the same shape.

        relu : give max(y, 0) in place of y, made in the same pass. `Sequential` asks for it where a `ReLU` comes next.
        """
        self._check_input(input)
        training, mean, var = self.training, self.running_mean, self.running_var
        if self.stats_frozen:
            training = False
        batches = None
        if training:
            if not self.track_running_stats:
                mean = var = None
            else:
                batches = self.num_batches_tracked
        momentum = self.momentum
        if batches is not None and not batches.array.flags.writeable:
            raise RuntimeError(
                f"{type(self).__name__}: num_batches_tracked is updated in place, but its memory is read-only; make it "
                "a clone"
            )
        if momentum is None:  # the average of all batches: the k-th one weighs 1 / k
            momentum = 0.0 if batches is None else 1 / (batches.item() + 1)
        by_batch = training or mean is None
        return F.normalize_batch(
            input, mean, var, self.weight, self.bias, by_batch, momentum, self.eps, relu=relu, batches=batches
        )

    def extra_repr(self) -> str:
        batch, running = "batch, biased", "running, unbiased"
        in_training = f"{running}: frozen" if self.stats_frozen else batch
        in_eval = batch if self.running_mean is None else running
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}, "
            f"training_var={in_training!r}, eval_var={in_eval!r}"
        )


class BatchNorm2d(_BatchNorm):
    """Normalize each channel of images (N, C, H, W): y = (x - mean) / sqrt(var + eps) * weight + bias.

    num_features        : C
    eps                 : keeps the quotient finite where a channel is constant
    momentum            : weight of the newest batch in the running statistics; None averages all batches alike
    affine              : learn weight and bias (C,), which start as ones and zeros
    track_running_stats : keep running statistics; without them, evaluation uses those of the batch too
    bias                : with affine, learn a bias as well

    In training, mean and var are those of the batch over N, H and W, the variance being biased (divided by the
    n = N H W values of a channel), and the running statistics move:

        running_mean = (1 - momentum) running_mean + momentum mean
        running_var  = (1 - momentum) running_var  + momentum var n / (n - 1)

    so that running_var holds the unbiased variance; num_batches_tracked counts the batches. In evaluation mode, mean
    and var are the running statistics, and nothing moves. Where the convention running = decay running + (1 - decay)
    batch is meant, `from_decay` takes the decay. `freeze` stops the statistics for good, `diagnose` compares them with
    a batch, `nn.utils.calibrate` measures them on a data set, `nn.utils.fuse` folds the layer into the one before it.

    The repr names the variance that each mode divides by: that of the batch is biased, the running one unbiased.

    ValueError for any other number of dimensions, and in training for a single value per channel.
    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift", 2015, arXiv:1502.03167.

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm2d(1)
    >>> y = layer(minigrad.tensor([[[[1.0, 3.0]]], [[[5.0, 7.0]]]]))
    >>> y.detach().flatten()
    tensor([-1.3416, -0.4472,  0.4472,  1.3416])
    >>> layer.running_mean, layer.running_var   # the batch has mean 4 and unbiased variance 20 / 3
    (tensor([0.4000]), tensor([1.5667]))
    """

    form, ndims = "(N, C, H, W)", (4,)


class BatchNorm1d(_BatchNorm):
    """Normalize each feature of vectors (N, C), or each channel of sequences (N, C, L), as `BatchNorm2d` does.

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm1d(3)
    >>> y = layer(minigrad.arange(15.0).reshape(5, 3))
    >>> y.detach()[:, 0]
    tensor([-1.4142, -0.7071,  0.0000,  0.7071,  1.4142])
    """

    form, ndims = "(N, C) or (N, C, L)", (2, 3)


class BatchNorm3d(_BatchNorm):
    """Normalize each channel of volumes (N, C, D, H, W), as `BatchNorm2d` does.

    >>> import minigrad
    >>> minigrad.nn.BatchNorm3d(2)(minigrad.zeros(4, 2, 3, 3, 3)).shape
    (4, 2, 3, 3, 3)
    """

    form, ndims = "(N, C, D, H, W)", (5,)
