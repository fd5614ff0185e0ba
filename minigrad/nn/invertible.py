"""Invertible: what the layers of a normalizing flow have in common, and how to check that such a layer keeps its word.

A flow makes data x of noise y by the inverse of y = f(x). The density of the data is that of the noise at f(x), times
how much f stretches space there:

    log p(x) = log p(y) + log |det dy/dx|

so each layer gives the logarithm of that determinant along with y, and those of all layers add up.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NoReturn

import numpy as np

from ..autograd import no_grad
from ..autograd.functional import jacobian
from ..checks import number
from ..tensor import Tensor
from .checks import describe
from .module import Module

__all__ = ["Invertible"]

_LARGEST = 4096  # elements of an input whose dense Jacobian is still quick to compute: a backward pass for each

_ROUNDING = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}


class Invertible(Module):
    """Base of layers of a normalizing flow: `y, log_det = layer(x)` and `x, log_det = layer.inverse(y)`.

    log_det has shape (N,): for each example the logarithm of |det dy/dx|, and of |det dx/dy| on the way back, which is
    its negative. `layer(y, reverse=True)` is `layer.inverse(y)` between the layer's hooks, with its path in errors.

    A subclass defines `transform(x)` and `inverse(y)`. `check_inverse` and `check_log_det` see whether it got them
    right; a flow of many layers that is an Invertible itself can be checked as a whole.

    >>> import minigrad
    >>> from minigrad import nn
    >>> class Sinh(nn.Invertible):
    ...     def transform(self, x):
    ...         return x.sinh(), x.cosh().log().sum(1)
    ...     def inverse(self, y):
    ...         x = (y + (y * y + 1).sqrt()).log()
    ...         return x, -x.cosh().log().sum(1)
    >>> x = minigrad.tensor([[0.5, -1.0], [0.0, 2.0]])
    >>> Sinh()(x)[1]
    tensor([0.5539, 1.3250])
    >>> Sinh().check_inverse(x) < 1e-5, Sinh().check_log_det(x) < 1e-10
    (True, True)
    """

    def forward(self, input: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        """`transform(input)`, or `inverse(input)` if `reverse`."""
        return self.inverse(input) if reverse else self.transform(input)

    def transform(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """From data towards noise: (y, log_det). To be defined by a subclass."""
        self._not_defined("transform")

    def inverse(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """From noise towards data: (x, log_det). To be defined by a subclass."""
        self._not_defined("inverse")

    def _not_defined(self, method: str) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} must define {method}(self, input), which gives two Tensors")

    def _hold(self) -> None:
        """Make constants of what `transform` took from its latest batch; most layers take nothing from it."""

    def check_inverse(self, input: Tensor, tolerance: float | None = None) -> float:
        """Go forward and back, and give the largest difference to the input; RuntimeError if it is too large.

        tolerance : what is too large, relative to the largest |input|, and absolutely if that is below 1; unless told
                    1e-5 for float32, 1e-12 for float64 and 1e-2 for float16. Twice that for the two log-determinants,
                    whose sum must be 0

        It works on a copy: nothing in the layer changes, nor is a graph recorded.

        >>> import minigrad
        >>> bn = minigrad.nn.InvertibleBatchNorm1d(2)
        >>> bn.check_inverse(minigrad.tensor([[1.0, 2.0], [3.0, 8.0]])) < 1e-5
        True
        """
        where = f"{type(self).__name__}.check_inverse"
        _must_be_a_batch(where, input)
        wanted = _ROUNDING[input.dtype.name] if tolerance is None else number(where, "tolerance", tolerance, " >= 0")
        layer = copy.deepcopy(self)
        with no_grad():
            y, log_det = layer(input)
            x, log_det_back = layer.inverse(y)
        if x.shape != input.shape:
            raise RuntimeError(f"{where}: from an input of {describe(input)} came one of {describe(x)}")
        _check_log_dets(where, len(input), log_det, log_det_back)
        error = _largest(x.array - input.array)
        _must_be_small(where, error, wanted * max(1.0, _largest(input.array)), "inverse(forward(x)) differs from x")
        apart = _largest(log_det.array + log_det_back.array)
        enough = 2 * wanted * max(1.0, _largest(log_det.array))
        _must_be_small(where, apart, enough, "the log-determinants of forward and inverse do not cancel: their sum is")
        return error

    def check_log_det(self, input: Tensor, tolerance: float = 1e-10) -> float:
        """Compare log_det with the Jacobian from autograd: the largest difference; RuntimeError if it is too large.

        input     : a small one, for the dense Jacobian of all its elements takes a backward pass for each
        tolerance : what is too large, relative to the largest |log_det|, and absolutely if that is below 1

        It works on a copy, in float64. What a layer takes from its batch, as batch norm does in training, is held
        constant: log_det is the log-determinant of that map, one example after the other. RuntimeError also where the
        output of one example depends on another example.

        >>> import minigrad
        >>> bn = minigrad.nn.InvertibleBatchNorm1d(2)
        >>> bn.check_log_det(minigrad.tensor([[1.0, 2.0], [3.0, 8.0]])) < 1e-10
        True
        """
        where = f"{type(self).__name__}.check_log_det"
        _must_be_a_batch(where, input)
        number(where, "tolerance", tolerance, " >= 0")
        if input.numel() > _LARGEST:
            raise ValueError(
                f"{where}: the dense Jacobian of an input of shape {tuple(input.shape)} has {input.numel()} x "
                f"{input.numel()} elements; pass one of {_LARGEST} elements at most, such as x[:4]"
            )
        layer, x = copy.deepcopy(self).double(), input.detach().double()
        with no_grad():
            y, log_det = layer(x)
        _check_log_dets(where, len(x), log_det)
        N, size = len(x), math.prod(x.shape[1:])
        if y.numel() != x.numel() or len(y) != N:
            raise RuntimeError(f"{where}: the output has {describe(y)}, of another size than the input, {describe(x)}")
        for module in layer.modules():
            if isinstance(module, Invertible):
                module._hold()
        dense = jacobian(lambda x: layer(x)[0], x).numpy().reshape(N, size, N, size)
        each = np.arange(N)
        blocks = dense[each, :, each, :]
        dense[each, :, each, :] = 0
        mixed = _largest(dense)
        _must_be_small(where, mixed, 0.0, "an example's output depends on another example, by a derivative of up to")
        error = _largest(np.linalg.slogdet(blocks).logabsdet - log_det.array)
        enough = tolerance * max(1.0, _largest(log_det.array))
        _must_be_small(where, error, enough, "log_det differs from that of the Jacobian")
        return error


def _must_be_a_batch(where: str, x: Any) -> None:
    """TypeError unless a floating Tensor, ValueError unless of examples (N, ...), of which there is one."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = x.dtype.name if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{where}: input must be a floating Tensor, got {got}")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(f"{where}: input must be a batch of examples, (N, ...), got shape {tuple(x.shape)}")


def _check_log_dets(where: str, N: int, *log_dets: Any) -> None:
    """RuntimeError unless there is one value for each of N examples."""
    for log_det in log_dets:
        if getattr(log_det, "shape", None) != (N,):
            raise RuntimeError(f"{where}: log_det must have shape ({N},), a value per example, got {describe(log_det)}")


def _largest(x: np.ndarray) -> float:
    return float(np.abs(x).max())


def _must_be_small(where: str, value: float, enough: float, text: str) -> None:
    """RuntimeError, `text` and the value, where that is NaN or more than enough."""
    if not value <= enough:
        at_most = f"; at most {enough:.3g} is expected" if enough else ""
        raise RuntimeError(f"{where}: {text} {value:.3g}{at_most}")
