"""Modules that hold modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import partial
from itertools import groupby, takewhile
from operator import attrgetter
from operator import index as as_index
from typing import Any, NamedTuple, Self

from ..checks import whole
from . import structure
from .activation import ReLU
from .batchnorm import _BatchNorm
from .conv import Conv2d
from .flatten import Flatten
from .hooks import everywhere
from .linear import Linear
from .module import LOCATED, Module, layout, locate
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


_called = attrgetter("forward", "__call__")  # what a class is called by


class _Plan(NamedTuple):
    """How a Sequential is run, as long as no module changed since `stamp` and the `kinds` are `called` as they were."""

    stamp: object
    kinds: tuple[type, ...]
    called: list[tuple]
    steps: list[tuple[Callable[[Any], Any] | None, Any, tuple]]  # what `_together` says, and the modules that it is of


class Sequential(_Series):
    """Modules called one after the other, each on what the one before gave.

    Made of modules, which are then named "0", "1", ..., or of one dict, whose keys are the names. It can be indexed,
    sliced, iterated and changed like a list. How it is run is decided once, until an attribute of a module is set or
    deleted or a hook added or removed; what goes past these, into a module's `__dict__`, is not noticed.

    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> model[:2]
    Sequential(
      (0): Linear(in_features=784, out_features=100, bias=True)
      (1): ReLU()
    )
    """

    _plan = _Plan(None, (), [], [])  # none yet

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, input: Any) -> Any:
        """Every module in turn; neighbours that are one op are run as one, with the same bits: see `_together`."""
        stamp, kinds, called, steps = self._plan
        if stamp is not structure.latest or [*map(_called, kinds)] != called:
            stamp, _, _, steps = self._decide()
        for run, runner, modules in steps:
            if run is not None and stamp is not structure.latest:  # a module that ran has changed one: look again
                run, runner, end = _together(modules, 0)
                run = run if end == len(modules) else None
            if run is not None:
                try:
                    input = run(input)
                    continue
                except LOCATED as error:
                    if runner is modules[0]:
                        locate(error, runner)
                        raise
            for module in modules:  # it is to be called; or one that was left out has to say what is wrong
                input = module(input)
        return input

    def _decide(self) -> _Plan:
        """How this is run until something changes."""
        stamp = structure.latest if type(self).__iter__ is _Series.__iter__ else None  # one's own may vary
        modules, steps, i = list(self), [], 0
        while i < len(modules):
            run, runner, end = _together(modules, i)
            steps.append((run, runner, tuple(modules[i:end])))
            i = end
        kinds = tuple({type(module) for run, _, together in steps if run is not None for module in together})
        plan = self.__dict__["_plan"] = _Plan(stamp, kinds, [*map(_called, kinds)], steps)
        return plan

    def _structure_changed(self) -> None:
        super()._structure_changed()
        self.__dict__.pop("_plan", None)  # which would keep alive what was taken out

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: all but the plan, which names the functions of this process."""
        return {name: value for name, value in self.__dict__.items() if name != "_plan"}

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


# What is run as one, or straight, must be what is defined in this package, and not what has replaced it since.
_CALL = Module.__call__
_OURS = (Flatten, Linear, _BatchNorm, ReLU, MaxPool2d, Conv2d)
_FORWARDS = tuple(kind.forward for kind in _OURS)


def _together(modules: Sequence, start: int) -> tuple[Callable[[Any], Any] | None, Any, int]:
    """What runs the module at `start`, and maybe those after it (None: it must be called); whose it is; what is next.

    A Linear takes images from a Flatten before it. A Linear or a batch norm does the ReLU after it, and a maximum over
    2x2 the one before it, which saves more. All of them must be as they are defined here, and without hooks: then
    nothing is to be done around their `forward`.
    """
    ours: Any = (*takewhile(_is_ours, modules[start : start + 4]), None, None, None)
    first, second, third = ours[:3]
    if first is None:
        return None, modules[start], start + 1
    if _is_pooled(first, second):
        return partial(second.forward, relu=True), second, start + 2
    options: dict[str, bool] = {}
    if _is_of_images(first, second):
        options["flatten"] = True
        first, second, third = ours[1:4]
    if isinstance(first, (Linear, _BatchNorm)) and type(second) is ReLU and not _is_pooled(second, third):
        options["relu"] = True
    return partial(first.forward, **options) if options else first.forward, first, start + 1 + len(options)


def _is_ours(module: Any) -> bool:
    """Is it a module of this package, as it is defined here, which no hook looks at?"""
    kind = type(module)
    if everywhere or not isinstance(module, _OURS) or module._hooks or "forward" in module.__dict__:
        return False
    return kind.__call__ is _CALL and kind.forward in _FORWARDS


def _is_of_images(flatten: Any, linear: Any) -> bool:
    """Are they a Flatten of all but the batch, and a Linear? But one of one feature would take an input (N,) too."""
    if type(flatten) is not Flatten or (flatten.start_dim, flatten.end_dim) != (1, -1):
        return False
    return isinstance(linear, Linear) and linear.weight.shape[-1] != 1


def _is_pooled(relu: Any, pool: Any) -> bool:
    """Are they a ReLU, and a maximum over windows of 2x2, side by side?"""
    return type(relu) is ReLU and type(pool) is MaxPool2d and _is_2x2(pool)


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
