"""Parameter and Buffer: Tensors that a Module keeps, to train them or not."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import changed, wrap
from ..checks import flag
from ..tensor import Tensor

__all__ = ["Buffer", "Parameter", "clear_grad"]


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


class Buffer(Tensor):
    """A Tensor that a Module registers as a buffer when it is assigned as an attribute: state that is not trained.

    data       : a Tensor, an array (memory is shared with either), or nested lists of numbers
    persistent : keep it in the state dict

    `register_buffer` does the same for any Tensor. Like a Parameter it is a leaf.

    >>> import minigrad
    >>> layer = minigrad.nn.Identity()
    >>> layer.steps = minigrad.nn.Buffer(minigrad.tensor(0))
    >>> layer.state_dict()
    {'steps': tensor(0)}
    """

    __slots__ = ("persistent",)

    persistent: bool

    def __init__(self, data: Any = (), *, persistent: bool = True) -> None:
        super().__init__(data, requires_grad=isinstance(data, Tensor) and data.requires_grad)
        self.persistent = flag("Buffer", "persistent", persistent)

    def __deepcopy__(self, memo: dict) -> Buffer:
        copied = super().__deepcopy__(memo)
        copied.persistent = self.persistent  # type: ignore[attr-defined]
        return copied  # type: ignore[return-value]


def clear_grad(p: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of `p`, or set it to zero: in place, but where a graph or read-only memory forbids that."""
    g = p._grad  # the property takes longer than all of this
    if g is None:
        return
    if set_to_none:
        p._grad = None
    elif g.grad_fn is None and g.array.flags.writeable:
        g.requires_grad_(False)
        g.array.fill(0)
        changed(g.array, by="zero_grad")
    else:
        p.grad = wrap(np.zeros_like(g.array))
