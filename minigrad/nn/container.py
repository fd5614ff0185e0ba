"""Modules that hold modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import groupby
from operator import index as as_index
from typing import Any, Self

from ..checks import whole
from ..tensor import Tensor
from .activation import ReLU
from .batchnorm import _BatchNorm
from .hooks import everywhere
from .linear import Linear
from .module import Module, layout
from .pooling import MaxPool2d

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Series(Module):
    """What Sequential and ModuleList share: modules in an order, with the behaviour of a list."""

    def __len__(self) -> int:
        return len(self._registered("module"))

    def __iter__(self) -> Iterator[Any]:
        return iter([module for _, module in self._registered("module")])

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(index)
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        if not isinstance(index, slice):
            self._name(index)  # checks it
        del modules[index]
        self._renumber(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end; gives back the container."""
        n = len(self)
        while str(n) in self._registry:  # a slice of a Sequential keeps its names, so they need not start at 0
            n += 1
        self.register_module(str(n), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; gives back the container."""
        for module in self._checked(modules):
            self.append(module)
        return self

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at `index`, and number them all anew; gives back the container."""
        modules = list(self)
        index = whole(f"{type(self).__name__}.insert", "index", index)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(
                f"{type(self).__name__}.insert: index must be in [{-len(modules)}, {len(modules)}], got {index}"
            )
        modules.insert(index, *self._checked([module]))
        self._renumber(modules)
        return self

    def pop(self, index: int | slice = -1) -> Any:
        """Take the module at `index` out, and number the others anew."""
        taken = self[index]
        del self[index]
        return taken

    def _name(self, index: int) -> str:
        """The name that the module at `index` goes by."""
        n = len(self)
        try:
            i = as_index(index)
        except TypeError:
            raise TypeError(f"{type(self).__name__}: indices must be ints or slices, got {index!r}") from None
        if not -n <= i < n:
            raise IndexError(f"{type(self).__name__}: index {i} is out of range for {n} modules")
        return self._registered("module")[i][0]

    def _part(self, index: slice) -> Self:
        raise NotImplementedError

    def _checked(self, modules: Iterable[Module]) -> list[Module]:
        """The modules as a list; TypeError, before any is registered, if one is not a Module."""
        if isinstance(modules, (Mapping, str)) or not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}: needs a list of modules, got {type(modules).__name__}")
        listed = list(modules)
        for i, module in enumerate(listed):
            if not isinstance(module, Module):
                raise TypeError(f"{type(self).__name__}: item {i} must be a Module, got {type(module).__name__}")
        return listed

    def _renumber(self, modules: list) -> None:
        for name, _ in self._registered("module"):
            delattr(self, name)
        for i, module in enumerate(modules):
            self.register_module(str(i), module)


class Sequential(_Series):
    """Modules called one after the other, each on what the one before gave.

    Made of modules, which are then named "0", "1", ..., or of one dict, whose keys are the names. It can be indexed,
    sliced, iterated and changed like a list.

    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> model[:2]
    Sequential(
      (0): Linear(in_features=784, out_features=100, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, input: Any) -> Any:
        """Every module in turn; a ReLU is done by the module before or after it where that can: see `_with_relu`."""
        own, modules = self.__dict__, []
        for name, kind in self._registry.items():
            if kind == "module":
                modules.append(own[name])
        i, end = 0, len(modules)
        while i < end:
            module, i = modules[i], i + 1
            one = None
            if i < end and (type(module) is ReLU or type(modules[i]) is ReLU):
                one = _with_relu(modules, i - 1, input)
            if one is None:
                input = module(input)
            else:
                input, i = one(input, relu=True), i + 1
        return input

    def __add__(self, other: Iterable[Module]) -> Sequential:
        return Sequential(*self, *self._checked(other))

    def __mul__(self, times: int) -> Sequential:
        """The modules `times` times over, the same ones each time, so that they share their parameters."""
        return Sequential(*list(self) * whole("Sequential", "times", times, " >= 1"))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list(self) * (whole("Sequential", "times", times, " >= 1") - 1))

    def _part(self, index: slice) -> Self:
        return type(self)(dict(self._registered("module")[index]))


# What runs as one must be what is defined in this package: it is compared with what may have replaced it since.
_CALL, _RELU, _POOL, _LAYERS = Module.__call__, ReLU.forward, MaxPool2d.forward, (Linear.forward, _BatchNorm.forward)


def _with_relu(modules: list, i: int, input: Any) -> Any:
    """Of modules i and i + 1, one of which is a ReLU, the other one if it can do both in one pass, with the same bits.

    A Linear or a batch norm does the ReLU after it, a maximum over 2x2 the one before it, which saves most. That only
    if both are as they are defined here and have no hooks, and if the input is one that no ReLU complains about.
    """
    first, second = modules[i : i + 2]
    if type(first) is ReLU:
        relu, other = first, second
        able = (
            type(other) is MaxPool2d
            and type(other).forward is _POOL
            and other.kernel_size in (2, (2, 2))
            and other.stride in (2, (2, 2))
            and other.padding in (0, (0, 0))
            and other.dilation in (1, (1, 1))
            and not other.return_indices
            and isinstance(input, Tensor)
            and input.array.dtype.kind == "f"
        )
    else:
        relu, other = second, first
        able = getattr(type(other), "forward", None) in _LAYERS and (
            len(modules) == i + 2 or _with_relu(modules, i + 1, input) is None
        )
    as_defined = (
        able
        and type(other).__call__ is _CALL
        and ReLU.forward is _RELU
        and not (relu._hooks or other._hooks or everywhere)
        and "forward" not in relu.__dict__
        and "forward" not in other.__dict__
    )
    return other if as_defined else None


class ModuleList(_Series):
    """A list of modules, registered so that their parameters are found. It has no forward of its own.

    >>> from minigrad import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
    )
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *self._checked(other)])

    def _part(self, index: slice) -> Self:
        return type(self)(list(self)[index])

    def __repr__(self) -> str:
        lines = []
        for text, run in groupby(enumerate(map(repr, self)), key=lambda item: item[1]):  # equal neighbours as one line
            places = [i for i, _ in run]
            first, last = places[0], places[-1]
            lines.append(f"({first}): {text}" if first == last else f"({first}-{last}): {len(places)} x {text}")
        return layout(type(self).__name__, "", lines)


class ModuleDict(Module):
    """A dict of modules, registered so that their parameters are found. It has no forward of its own.

    modules : a dict, or pairs of a name and a module. A name must be a str that is not an attribute of dicts.

    >>> from minigrad import nn
    >>> heads = nn.ModuleDict({"digit": nn.Linear(100, 10), "parity": nn.Linear(100, 2)})
    >>> list(heads)
    ['digit', 'parity']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __len__(self) -> int:
        return len(self._registered("module"))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            raise KeyError(f"{type(self).__name__}: there is no {key!r}; the keys are {list(self.keys())}")
        return getattr(self, key)

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def keys(self) -> KeysView[str]:
        """The names."""
        return dict(self._registered("module")).keys()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return dict(self._registered("module")).values()

    def items(self) -> ItemsView[str, Any]:
        """The names and modules, as pairs."""
        return dict(self._registered("module")).items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add the modules of a dict, or of pairs; those of names that are there are replaced."""
        try:
            given = dict(modules)
        except (TypeError, ValueError):
            got = type(modules).__name__
            raise TypeError(f"{type(self).__name__}: needs a dict or pairs (name, module), got {got}") from None
        for name, module in given.items():
            self._check("module", name, module)
        for name, module in given.items():
            self[name] = module

    def pop(self, key: str) -> Any:
        """Take the module of that name out; KeyError if there is none."""
        taken = self[key]
        delattr(self, key)
        return taken

    def clear(self) -> None:
        """Take every module out."""
        for name in self.keys():
            delattr(self, name)
