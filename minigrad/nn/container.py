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
from .flatten import Flatten
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
        """Every module in turn; neighbours that are one op are run as one, with the same bits: see `_together`."""
        modules = list(self)
        i, end = 0, len(modules)
        while i < end:
            module, options, i = _together(modules, i, input)
            input = module(input, **options)
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


# What is run as one must be what is defined in this package, and not what has replaced it since.
_CALL = Module.__call__
_FORWARDS = {Flatten.forward, Linear.forward, _BatchNorm.forward, ReLU.forward, MaxPool2d.forward}


def _together(modules: list, start: int, input: Any) -> tuple[Any, dict[str, bool], int]:
    """The module to call next, the options that let it do its neighbours' work too, and the place of the one after.

    A Linear takes images from a Flatten before it. A Linear or a batch norm does the ReLU after it, and a maximum over
    2x2 the one before it, which saves more. All of them must be as they are defined here, without hooks, and the
    input one that what is left out would not complain about.
    """
    options: dict[str, bool] = {}
    module, end = modules[start], start + 1
    if everywhere or end == len(modules):
        return module, options, end
    after = modules[end]
    if type(module) is ReLU:
        if type(after) is MaxPool2d and _is_2x2(after) and isinstance(input, Tensor) and input.array.dtype.kind == "f":
            module, options, end = after, {"relu": True}, end + 1
    else:
        if (
            type(module) is Flatten
            and isinstance(after, Linear)
            and module.start_dim == 1
            and module.end_dim == -1
            and isinstance(input, Tensor)
            and input.array.ndim > 1
        ):
            module, options, end = after, {"flatten": True}, end + 1
            after = modules[end] if end < len(modules) else None
        if type(after) is ReLU and isinstance(module, (Linear, _BatchNorm)):
            pooled = end + 1 < len(modules) and type(modules[end + 1]) is MaxPool2d
            if not (pooled and _together(modules, end, input)[1]):
                options["relu"], end = True, end + 1
    if options:
        for member in modules[start:end]:
            kind = type(member)
            if member._hooks or "forward" in member.__dict__ or kind.__call__ is not _CALL:
                return modules[start], {}, start + 1
            if kind.forward not in _FORWARDS:
                return modules[start], {}, start + 1
    return module, options, end


def _is_2x2(pool: MaxPool2d) -> bool:
    """Are its windows 2x2, side by side?"""
    window = []
    for n in (pool.kernel_size, pool.stride, pool.padding, pool.dilation):
        window.append((n, n) if type(n) is int else n)
        if type(window[-1]) is not tuple:
            return False  # which the pooling itself may take, or complain of
    return window == [(2, 2), (2, 2), (0, 0), (1, 1)] and not pool.return_indices


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
