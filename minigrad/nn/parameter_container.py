"""Modules that hold parameters: ParameterList and ParameterDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping
from operator import index as as_index
from typing import Any, NoReturn, Self

from ..tensor import Tensor
from .module import Module
from .parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


class _Holder(Module):
    """What the two share: they cannot be called."""

    def forward(self, *inputs: Any) -> NoReturn:
        raise RuntimeError(f"{type(self).__name__} holds parameters and cannot be called; use them one by one")


class ParameterList(_Holder):
    """A list of parameters, registered so that they are found. It cannot be called.

    values : Parameters, or other Tensors, which become Parameters; anything else is held as it is

    The names in the state dict are "0", "1", ...

    >>> import minigrad
    >>> from minigrad import nn
    >>> powers = nn.ParameterList(minigrad.zeros(n) for n in (1, 2))
    >>> list(powers.state_dict())
    ['0', '1']
    >>> powers
    ParameterList(
        (0): Parameter containing: [minigrad.float32 of size 1]
        (1): Parameter containing: [minigrad.float32 of size 2]
    )
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name(index), _as_parameter(value))

    def append(self, value: Any) -> Self:
        """Add a value at the end; gives back the list."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end; gives back the list."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"{type(self).__name__}: needs a list of values, got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def _name(self, index: int) -> str:
        """The name that the value at `index` goes by."""
        try:
            i = as_index(index)
        except TypeError:
            raise TypeError(f"{type(self).__name__}: indices must be ints or slices, got {index!r}") from None
        if not -self._size <= i < self._size:
            raise IndexError(f"{type(self).__name__}: index {i} is out of range for {self._size} values")
        return str(i % self._size)

    def extra_repr(self) -> str:
        """A line for each value."""
        return _lines(enumerate(self))


class ParameterDict(_Holder):
    """A dict of parameters, registered so that they are found. It cannot be called.

    parameters : a dict, or pairs of a name and a value. Tensors that are no Parameters become Parameters; anything
                 that is no Tensor is held as it is. A name must be a str that is not an attribute of dicts.

    The names in the state dict are the keys; they keep the order of insertion. (PyTorch sorts those of a plain dict.)

    >>> import minigrad
    >>> from minigrad import nn
    >>> scales = nn.ParameterDict({"in": minigrad.ones(2), "out": minigrad.ones(3)})
    >>> [name for name, _ in scales.named_parameters()]
    ['in', 'out']
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._keys = dict(self._keys)  # a copy has names of its own

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(f"{type(self).__name__}: there is no {key!r}; the keys are {list(self._keys)}")
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._check_item(key, value)
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and values, as pairs."""
        return ((key, self[key]) for key in self._keys)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of that name; `default` if there is none."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of that name; `default`, which is added, if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, parameters: Mapping[str, Any] | ParameterDict | Iterable[tuple[str, Any]]) -> None:
        """Add the values of a dict, or of pairs; those of names that are there are replaced."""
        try:
            given: dict[str, Any] = dict(parameters)
        except (TypeError, ValueError):
            got = type(parameters).__name__
            raise TypeError(f"{type(self).__name__}: needs a dict or pairs (name, value), got {got}") from None
        for key, value in given.items():
            self._check_item(key, value)
        for key, value in given.items():
            self[key] = value

    def pop(self, key: str) -> Any:
        """Take the value of that name out; KeyError if there is none."""
        taken = self[key]
        delattr(self, key)
        del self._keys[key]
        return taken

    def popitem(self) -> tuple[str, Any]:
        """Take the last name and value out; KeyError if there is none."""
        if not self._keys:
            raise KeyError(f"{type(self).__name__}: popitem of an empty one")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take every value out."""
        for key in list(self._keys):
            self.pop(key)

    def copy(self) -> ParameterDict:
        """A dict of its own, with the same parameters."""
        return ParameterDict(self.items())

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new dict that has `default` under every key."""
        return ParameterDict((key, default) for key in keys)

    def __or__(self, other: ParameterDict) -> ParameterDict:
        merged = self.copy()
        merged.update(other)
        return merged

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        return ParameterDict(other.items()) | self

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def _check_item(self, key: Any, value: Any) -> None:
        """TypeError or ValueError for a key that cannot be a name, and for no Tensor in a parameter's place."""
        held = self._registry.get(key) == "parameter"
        if held or key not in self._keys:
            self._check("parameter", key, _as_parameter(value) if held else None)

    def extra_repr(self) -> str:
        """A line for each value."""
        return _lines(self.items())


def _as_parameter(value: Any) -> Any:
    """A Tensor as a Parameter."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _lines(items: Iterable[tuple[Any, Any]]) -> str:
    """What the repr says of the values."""
    lines = []
    for key, value in items:
        text = f"Object of type: {type(value).__name__}"
        if isinstance(value, Tensor):
            size = "x".join(map(str, value.shape))
            text = f"Parameter containing: [minigrad.{value.dtype.name} of size {size}]"
        lines.append(f"  ({key}): {text}")
    return "\n".join(lines)
