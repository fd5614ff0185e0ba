"""Parameter: a Tensor that a Module trains."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that a Module registers when it is assigned as an attribute, and that an optimizer updates.

    data          : a Tensor, an array (memory is shared with either), or nested lists of numbers
    requires_grad : collect its gradient; False freezes it

    It is a leaf: what made `data` is not part of it.

    >>> import minigrad
    >>> minigrad.nn.Parameter(minigrad.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict) -> Parameter:
        """A copy of the values that has no gradient yet, as in PyTorch."""
        copied = memo[id(self)] = type(self)(self.array.copy(), self.requires_grad)
        return copied
