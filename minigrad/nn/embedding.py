"""The table of learned vectors."""

from __future__ import annotations

from typing import Any, Self

from .. import autograd
from ..checks import whole
from ..creation import empty
from ..tensor import Tensor
from . import functional as F
from . import init
from .checks import describe
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    """A table of vectors, looked up by integer indices.

    num_embeddings : rows of the table; the indices are 0 to num_embeddings - 1
    embedding_dim  : size of each vector
    padding_idx    : a row, negative counted from the end, that starts as zeros and gets no gradient

    max_norm, norm_type, scale_grad_by_freq and sparse are those of `functional.embedding`.
    weight (num_embeddings, embedding_dim) starts from the standard normal distribution.

    >>> import minigrad
    >>> layer = minigrad.nn.Embedding(10, 3)
    >>> layer(minigrad.tensor([[1, 2], [4, 9]])).shape
    (2, 2, 3)
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = whole("Embedding", "num_embeddings", num_embeddings, " >= 1")
        self.embedding_dim = whole("Embedding", "embedding_dim", embedding_dim, " >= 1")
        self.padding_idx = _row(padding_idx, self.num_embeddings)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.sparse = sparse
        shape = (self.num_embeddings, self.embedding_dim)
        if _weight is None:
            self.weight = Parameter(empty(shape, device=device, dtype=dtype), requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(getattr(_weight, "shape", ())) != shape:
                raise ValueError(f"Embedding: the table must have shape {shape}, got {describe(_weight)}")
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """A layer around a table (num_embeddings, embedding_dim) that is there already, and that it shares.

        `freeze` leaves it untrained.

        >>> import minigrad
        >>> layer = minigrad.nn.Embedding.from_pretrained(minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> layer(minigrad.tensor(1))
        tensor([3., 4.])
        """
        if getattr(embeddings, "ndim", None) != 2:
            raise ValueError(
                "Embedding.from_pretrained: embeddings must be (num_embeddings, embedding_dim), got "
                f"{describe(embeddings)}"
            )
        rows, size = embeddings.shape
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        return cls(rows, size, *options, _weight=embeddings, _freeze=freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew; the row of padding_idx becomes zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with autograd.no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        """Integer indices of any shape (...) to vectors (..., embedding_dim)."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text


def _row(padding_idx: int | None, rows: int) -> int | None:
    """padding_idx counted from the first row."""
    if padding_idx is None:
        return None
    row = whole("Embedding", "padding_idx", padding_idx)
    if not -rows <= row < rows:
        raise ValueError(f"Embedding: padding_idx must be in [{-rows}, {rows - 1}], got {padding_idx!r}")
    return row % rows
