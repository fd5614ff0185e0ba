"""The parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...ops import cat
from ...tensor import Tensor
from ..checks import tensors

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters in one vector, one after the other; gradients go back to them.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 3)
    >>> minigrad.nn.utils.parameters_to_vector(layer.parameters()).shape
    (9,)
    """
    return cat([p.reshape(-1) for p in tensors("parameters_to_vector", parameters)])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters be the successive parts of `vec`, whose memory they then share.

    RuntimeError unless it has exactly as many elements as they do; nothing is changed then.

    >>> import minigrad
    >>> layer = minigrad.nn.Linear(2, 1)
    >>> minigrad.nn.utils.vector_to_parameters(minigrad.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.weight, layer.bias
    (Parameter containing:
    tensor([[1., 2.]], requires_grad=True), Parameter containing:
    tensor([3.], requires_grad=True))
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: vec must be a Tensor, got {type(vec).__name__}")
    listed = tensors("vector_to_parameters", parameters)
    needed = sum(p.numel() for p in listed)
    if vec.shape != (needed,):
        raise RuntimeError(f"vector_to_parameters: the parameters need a vector of shape ({needed},), got {vec.shape}")
    whole, start = vec.detach(), 0
    for p in listed:
        p.data = whole[start : start + p.numel()].view(p.shape)
        start += p.numel()
