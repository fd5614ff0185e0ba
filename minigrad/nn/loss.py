"""Losses as modules: the functions of `nn.functional` with their options remembered.

`reduction` is "mean" (the default), "sum", or "none" for one loss per element. PyTorch's deprecated `size_average`
and `reduce` are not there; what PyTorch puts behind them is given by keyword.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..checks import choice, number, whole
from ..tensor import Tensor
from . import functional as F
from .checks import KL_REDUCTIONS, REDUCTIONS
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A module that remembers how to reduce; the repr shows the options that differ from their defaults."""

    reductions: Sequence[str] = REDUCTIONS

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = choice(type(self).__name__, "reduction", reduction, *self.reductions)

    def extra_repr(self) -> str:
        return _differences(reduction=(self.reduction, "mean"))


def _differences(**options: tuple[object, object]) -> str:
    """`name=value` of the options, given as (value, default), that differ from their defaults."""
    return ", ".join(f"{name}={value!r}" for name, (value, default) in options.items() if value != default)


class CrossEntropyLoss(_Loss):
    """-log softmax(input)[target]: the loss for scores (logits) of classes. See `functional.cross_entropy`.

    weight          : a factor for each class, shape (C,); a buffer
    ignore_index    : a label that counts for nothing
    label_smoothing : this share of the target is spread evenly over all classes

    >>> import minigrad
    >>> loss = minigrad.nn.CrossEntropyLoss(label_smoothing=0.1)
    >>> loss
    CrossEntropyLoss(label_smoothing=0.1)
    >>> loss(minigrad.zeros(2, 4), minigrad.tensor([0, 3]))
    tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = whole("CrossEntropyLoss", "ignore_index", ignore_index)
        self.label_smoothing = number("CrossEntropyLoss", "label_smoothing", label_smoothing, " in [0, 1]")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        return _differences(
            ignore_index=(self.ignore_index, -100),
            reduction=(self.reduction, "mean"),
            label_smoothing=(self.label_smoothing, 0.0),
        )


class NLLLoss(_Loss):
    """-input[target], for log-probabilities of classes. See `functional.nll_loss`.

    weight       : a factor for each class, shape (C,); a buffer
    ignore_index : a label that counts for nothing

    >>> import minigrad
    >>> minigrad.nn.NLLLoss()(minigrad.tensor([[-0.5, -1.0]]), minigrad.tensor([1]))
    tensor(1.)
    """

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = whole("NLLLoss", "ignore_index", ignore_index)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)

    def extra_repr(self) -> str:
        return _differences(ignore_index=(self.ignore_index, -100), reduction=(self.reduction, "mean"))


class MSELoss(_Loss):
    """(input - target)^2. See `functional.mse_loss`.

    >>> import minigrad
    >>> minigrad.nn.MSELoss()(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|input - target|. See `functional.l1_loss`.

    >>> import minigrad
    >>> minigrad.nn.L1Loss(reduction="sum")(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """A parabola for differences below `beta`, a line of slope 1 beyond. See `functional.smooth_l1_loss`.

    >>> import minigrad
    >>> minigrad.nn.SmoothL1Loss(beta=2.0)(minigrad.tensor([1.0, 4.0]), minigrad.zeros(2))
    tensor(1.6250)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = number("SmoothL1Loss", "beta", beta, " >= 0")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)

    def extra_repr(self) -> str:
        return _differences(reduction=(self.reduction, "mean"), beta=(self.beta, 1.0))


class HuberLoss(_Loss):
    """A parabola for differences up to `delta`, a line of slope `delta` beyond. See `functional.huber_loss`.

    >>> import minigrad
    >>> minigrad.nn.HuberLoss(delta=2.0)(minigrad.tensor([1.0, 4.0]), minigrad.zeros(2))
    tensor(3.2500)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = number("HuberLoss", "delta", delta, " > 0")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)

    def extra_repr(self) -> str:
        return _differences(reduction=(self.reduction, "mean"), delta=(self.delta, 1.0))


class BCELoss(_Loss):
    """The cross entropy of probabilities and binary targets. See `functional.binary_cross_entropy`.

    weight : a factor for each element, broadcast; a buffer

    >>> import minigrad
    >>> minigrad.nn.BCELoss()(minigrad.tensor([0.5, 0.5]), minigrad.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`BCELoss` of sigmoid(input), for scores of any size. See `functional.binary_cross_entropy_with_logits`.

    weight     : a factor for each element, broadcast; a buffer
    pos_weight : a factor for the positive examples, broadcast; a buffer

    >>> import minigrad
    >>> minigrad.nn.BCEWithLogitsLoss()(minigrad.tensor([0.0, 100.0]), minigrad.tensor([1.0, 1.0]))
    tensor(0.3466)
    """

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """target (log(target) - input), for log-probabilities. See `functional.kl_div`.

    reduction  : besides the usual ones "batchmean", which gives the divergence; the default, "mean", warns
    log_target : target holds log-probabilities too

    >>> import minigrad
    >>> loss = minigrad.nn.KLDivLoss(reduction="batchmean")
    >>> loss(minigrad.tensor([[0.5, 0.5]]).log(), minigrad.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    reductions = KL_REDUCTIONS

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)

    def extra_repr(self) -> str:
        return _differences(reduction=(self.reduction, "mean"), log_target=(self.log_target, False))
