"""Module: what layers and models are made of. It keeps parameters, buffers and submodules in order, by name.

They are ordinary attributes: `layer.weight` costs what any attribute does. Next to them, `_registry` remembers which
names are what; everything that goes through a model (parameters, state dicts, `to`...) goes by it.
"""

from __future__ import annotations

import textwrap
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np

from .. import autograd, checks, dtypes
from ..device import check_device
from ..ops.common import quiet
from ..tensor import Tensor
from . import structure
from .hooks import Hook, Hooks, call_with_hooks, everywhere, register
from .parameter import Buffer, Parameter, clear_grad

__all__ = ["LOCATED", "Module", "layout", "locate"]

LOCATED = (ValueError, TypeError, RuntimeError, IndexError)  # the errors that are told where in the model they rose


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` could not match: keys it missed, and keys it has no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not (self.missing_keys or self.unexpected_keys):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def _no_forward(self: Module, *inputs: Any) -> NoReturn:
    """What a subclass replaces."""
    raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...), which computes its output")


class Module:
    """Base of layers and models. A subclass makes its state in `__init__` and computes in `forward`.

    Assigning a Parameter, a Buffer or a Module as an attribute registers it, in the order of assignment;
    `register_buffer` does so for any Tensor that is state but is not trained. `model(x)` runs `forward(x)` and the
    hooks around it.

    An error that leaves `forward` says which layer it came from, by its path in the model: see `__call__`.

    >>> import minigrad
    >>> from minigrad import nn
    >>> class Line(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = nn.Parameter(minigrad.ones(1))
    ...         self.offset = nn.Parameter(minigrad.zeros(1))
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> [name for name, _ in line.named_parameters()]
    ['slope', 'offset']
    >>> line(minigrad.tensor([2.0]))
    tensor([2.], grad_fn=<Add>)
    """

    training: bool
    _registry: dict[str, str]  # name: "parameter", "buffer" or "module", in the order of registration
    _non_persistent: set[str]  # names of the buffers that the state dict leaves out
    _hooks: Hooks

    forward: Callable[..., Any] = _no_forward

    def __init__(self) -> None:
        self._registry = {}
        self._non_persistent = set()
        self._hooks = OrderedDict()
        self.training = True

    def __setstate__(self, state: dict[str, Any]) -> None:
        # what copy.copy() ends with: the copy must not register its names with the original
        self.__dict__.update(state)
        for own in ("_registry", "_non_persistent", "_hooks"):
            self.__dict__[own] = copy(self.__dict__[own])
        self._structure_changed()

    def _structure_changed(self) -> None:
        """Called when an attribute was set to something else, or taken away."""
        structure.latest = object()

    # ------------------------------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward(*args, **kwargs)`, between the hooks if there are any.

        A ValueError, TypeError, RuntimeError or IndexError that leaves it gets the path of the layer in front of
        its text: `model.2 (Linear): ...`. Each module that the error passes through adds its own step.
        """
        try:
            if self._hooks or everywhere:
                return call_with_hooks(self, args, kwargs)
            return self.forward(*args, **kwargs)
        except LOCATED as error:
            locate(error, self)
            raise

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> autograd.RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns, if not None, replaces the arguments.

        With `with_kwargs` it is called as `hook(module, args, kwargs)`, and returns None or both, as a pair.
        `prepend` puts it before the hooks that are there. `remove()` of the handle given back takes it away.
        """
        return register(self._hooks, Hook("forward_pre", hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> autograd.RemovableHandle:
        """Call `hook(module, args, output)` after each forward; what it returns, if not None, is the output.

        With `with_kwargs` it is called as `hook(module, args, kwargs, output)`. `always_call` has it called also when
        an error ends the call first: `output` is then what there was of it, mostly None, and the error goes on, while
        one of the hook's own is only warned of. `prepend` puts it before the hooks that are there. `remove()` of the
        handle given back takes it away.

        >>> import minigrad
        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Identity(), nn.Identity())
        >>> seen = []
        >>> handle = model[0].register_forward_hook(lambda module, args, output: seen.append(output.shape))
        >>> _ = model(minigrad.ones(2, 3))
        >>> handle.remove()
        >>> seen
        [(2, 3)]
        """
        return register(self._hooks, Hook("forward", hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> autograd.RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known, before the module's backward.

        `grad_output` is a tuple of what arrived at each output; None for one that is no Tensor, and for one that no
        gradient reached. A tuple that the hook returns goes on in its place (or a Tensor, for one output).

        What else there is to know is said at `register_full_backward_hook`.
        """
        return register(self._hooks, Hook("backward_pre", hook), prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> autograd.RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of all inputs are known.

        `grad_input` is a tuple of the gradients of the positional arguments, `grad_output` that of the outputs; None
        stands for what is no Tensor. A Tensor among the arguments that no gradient reached has one of zeros. A tuple
        that the hook returns goes on in place of `grad_input` (or a Tensor, for one argument), None for "none".

        - If no argument requires grad, the hook is called with (None, ...) as soon as `grad_output` is known, and must
          return None. If the gradients asked for do not lie behind the inputs, as in `grad(loss, parameters)`, it is
          not called.
        - The output must be a Tensor or a tuple; for another there is a warning, and no hook is called.
        - A call of the module keeps the hooks that were there when it began, whenever its backward comes.
        - It is called in each pass that comes by; not where no gradient comes, as PyTorch does, with None. Under
          create_graph=True it gets Tensors with a graph.
        - A module with such hooks must not change its inputs in place: RuntimeError. Nor should anyone its outputs.
        - `prepend` puts the hook before those that are there. `remove()` of the handle given back takes it away.

        RuntimeError, during backward, if what it returns has another length, or gradients of other shape or dtype.

        >>> import minigrad
        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
        >>> for name, layer in model.named_children():
        ...     _ = layer.register_full_backward_hook(
        ...         lambda module, grad_input, grad_output: print(type(module).__name__, grad_output[0].shape)
        ...     )
        >>> model(minigrad.ones(5, 3)).sum().backward()
        Linear (5, 1)
        Tanh (5, 2)
        Linear (5, 2)
        """
        return register(self._hooks, Hook("backward", hook), prepend)

    # --------------------------------------------------------------------------------- registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register `param` under `name`; None reserves the name, as layers do with `bias=False`."""
        self._check("parameter", name, param)
        self._register("parameter", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a Tensor that is state but is not trained; None reserves the name.

        It follows `to(dtype)`, and is kept in the state dict if `persistent`.

        >>> import minigrad
        >>> layer = minigrad.nn.Identity()
        >>> layer.register_buffer("steps", minigrad.tensor(0))
        >>> layer.state_dict()
        {'steps': tensor(0)}
        """
        self._check("buffer", name, tensor)
        self._register("buffer", name, tensor)
        if not persistent:
            self._non_persistent.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Register a submodule under `name`; None reserves the name."""
        self._check("module", name, module)
        self._register("module", name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """`register_module` under its older name."""
        self.register_module(name, module)

    def _check(self, kind: str, name: str, value: Any) -> None:
        """Can `value` be registered under this name, as a parameter, buffer or module?"""
        owner = type(self).__name__
        if "_registry" not in self.__dict__:
            raise _not_initialized(self, f"register {kind} {name!r}")
        if not isinstance(name, str):
            raise TypeError(f"{owner}: the name of a {kind} must be a str, got {name!r}")
        if not name or "." in name:
            raise ValueError(f"{owner}: the name of a {kind} must not be empty nor contain a dot, got {name!r}")
        if self._registry.get(name) != kind and hasattr(self, name):
            raise ValueError(f"{owner}: cannot register {kind} {name!r}: there is an attribute of that name already")
        accepted = _KINDS[kind]
        if value is not None and not isinstance(value, accepted):
            raise TypeError(
                f"{owner}: {kind} {name!r} must be a {accepted.__name__} or None, got {type(value).__name__}"
            )

    def _register(self, kind: str, name: str, value: Any) -> None:
        """Set the attribute, and remember what it is."""
        if self._registry.get(name) != kind:
            self._registry.pop(name, None)  # what changes its kind goes to the end
            self._registry[name] = kind
        self._non_persistent.discard(name)
        if self.__dict__.get(name, _NOTHING) is not value:
            self.__dict__[name] = value
            self._structure_changed()

    def _registered(self, kind: str) -> list[tuple[str, Any]]:
        """The names and values of one kind, in the order of registration."""
        own = self.__dict__
        return [(name, own[name]) for name, what in self._registry.items() if what == kind]

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        before, registry = own.get(name, _NOTHING), own.get("_registry")
        if registry is None:
            if isinstance(value, (Parameter, Buffer, Module)):
                raise _not_initialized(self, f"assign {name!r}")
            object.__setattr__(self, name, value)
        elif isinstance(value, Parameter):
            self._register("parameter", name, value)
        elif isinstance(value, Buffer) and registry.get(name, "buffer") == "buffer":
            self.register_buffer(name, value, value.persistent)
        elif name in registry:
            accepted = _KINDS[registry[name]]
            if value is not None and not isinstance(value, accepted):
                raise TypeError(
                    f"{type(self).__name__}: {registry[name]} {name!r} must be a {accepted.__name__} or None, got "
                    f"{type(value).__name__}; `del` it first to make something else of it"
                )
            own[name] = value
        elif isinstance(value, Module):
            self._register("module", name, value)
        else:
            object.__setattr__(self, name, value)
        if before is not value:
            self._structure_changed()

    def __getattr__(self, name: str) -> Any:
        # reached only when there is no such attribute
        if name in Module.__annotations__ and "_registry" not in self.__dict__:
            raise _not_initialized(self, "be used")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._registry.pop(name, None)
        self._non_persistent.discard(name)
        self._structure_changed()

    # --------------------------------------------------------------------------------- looking inside

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each after the one that holds it, with their paths; its own is `prefix`.

        memo             : modules to leave out; those that are given out are added to it
        remove_duplicate : give a module that is registered twice only once

        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Identity(), nn.Sequential(nn.Identity()))
        >>> [path for path, _ in model.named_modules()]
        ['', '0', '1', '1.0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._registered("module"):
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules registered in this one itself, each once, with their names."""
        seen = set()
        for name, module in self._registered("module"):
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules registered in this one itself, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths, those of a module before those of its submodules.

        prefix           : put in front of every path
        recurse          : include the submodules' parameters
        remove_duplicate : give a parameter that is registered twice only once
        """
        return self._named("parameter", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once; those of the submodules too if `recurse`."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths; the arguments are those of `named_parameters`."""
        return self._named("buffer", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once; those of the submodules too if `recurse`."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        holders = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        seen = set()
        for path, module in holders:
            for name, tensor in module._registered(kind):
                if tensor is not None and not (remove_duplicate and id(tensor) in seen):
                    seen.add(id(tensor))
                    yield (f"{path}.{name}" if path else name), tensor

    def get_submodule(self, target: str) -> Module:
        """The submodule at a path such as "features.0"; the module itself for ""."""
        module = self
        for name in target.split(".") if target else ():
            module = self._step(module, "module", name, target)
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "features.0.weight"."""
        path, _, name = target.rpartition(".")
        return self._step(self.get_submodule(path), "parameter", name, target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "features.1.running_mean"."""
        path, _, name = target.rpartition(".")
        return self._step(self.get_submodule(path), "buffer", name, target)

    def _step(self, module: Module, kind: str, name: str, target: str) -> Any:
        """What `module` holds by that name, on the way to `target`."""
        held = dict(module._registered(kind))
        if held.get(name) is None:
            raise AttributeError(
                f"{type(self).__name__} has no {kind} {target!r}: {name!r} is none of the {kind}s of "
                f"{type(module).__name__}, {list(held)}"
            )
        return held[name]

    # ------------------------------------------------------------------------- changing all of it at once

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it into training mode, which dropout and batch norm look at."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all below it into evaluation mode: `train(False)`."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module below this one, and on this one last. Gives back the module.

        >>> import minigrad
        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Identity(), nn.Identity())
        >>> names = []
        >>> _ = model.apply(lambda module: names.append(type(module).__name__))
        >>> names
        ['Identity', 'Identity', 'Sequential']
        """
        checks.function(f"{type(self).__name__}.apply", "fn", fn)
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or stop asking, which freezes them."""
        checks.flag(f"{type(self).__name__}.requires_grad_", "requires_grad", requires_grad)
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero in place if not `set_to_none`."""
        for param in self.parameters():
            clear_grad(param, set_to_none)

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Convert the floating parameters and buffers, and gradients: `to(dtype)`, `to("cpu")`, `to(tensor)`.

        The Parameters stay the same objects, so an optimizer that holds them stays valid. Integer buffers stay.

        >>> import minigrad
        >>> minigrad.nn.Linear(2, 1).to(minigrad.float64).weight.dtype
        dtype('float64')
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, str) and arg.split(":")[0] in ("cpu", "cuda", "mps"):
                device = arg
            elif arg is not None and not isinstance(arg, bool):  # PyTorch's non_blocking
                dtype = arg
        check_device(f"{type(self).__name__}.to", device)
        if dtype is None:
            return self
        wanted = dtypes.as_dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"{type(self).__name__}.to: needs a floating dtype, got {wanted.name}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(wanted)
                if tensor.grad is not None:
                    tensor.grad.data = tensor.grad.data.to(wanted)
        return self

    def float(self) -> Self:
        """`to(float32)`"""
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """`to(float64)`"""
        return self.to(dtypes.float64)

    def half(self) -> Self:
        """`to(float16)`"""
        return self.to(dtypes.float16)

    def cpu(self) -> Self:
        """The module itself: it is there already."""
        return self

    # ------------------------------------------------------------------------------------ the state dict

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by path, detached but sharing memory.

        destination : a dict to fill and give back, instead of a new one
        prefix      : put in front of every path
        keep_vars   : give the Parameters and buffers themselves

        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        >>> list(model.state_dict())   # doctest: +NORMALIZE_WHITESPACE
        ['0.weight', '0.bias', '1.weight', '1.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked']
        """
        state = {} if destination is None else destination
        for name, tensor in self._registered("parameter") + self._registered("buffer"):
            if tensor is not None and name not in self._non_persistent:
                state[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, module in self._registered("module"):
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy values into the parameters and persistent buffers of these paths.

        state_dict : Tensors, arrays, or tensors of another library that NumPy can read, such as PyTorch's, by path;
                     they are converted to the dtype of what they go into
        strict     : a missing or an unexpected key is an error; otherwise they are only given back
        assign     : take over the values' memory and dtype, instead of copying them

        Gives back (missing_keys, unexpected_keys). Raises one RuntimeError that lists everything that does not fit,
        and changes nothing then. (PyTorch has by then loaded what did fit.)

        >>> from minigrad import nn
        >>> nn.Linear(3, 2).load_state_dict(nn.Linear(3, 2).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict must be a dict, got {type(state_dict).__name__}")
        own = self.state_dict(keep_vars=True)
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        faults = []
        if strict and missing:
            faults.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            faults.append(f"unexpected keys: {', '.join(map(str, unexpected))}")
        pairs = []
        for key, tensor in own.items():
            if key in state_dict:
                try:
                    pairs.append((tensor, _fitting(tensor, state_dict[key], assign)))
                except ValueError as error:
                    faults.append(f"{key}: {error}")
        if faults:
            raise RuntimeError(
                f"{type(self).__name__}.load_state_dict: nothing was loaded, because\n  " + "\n  ".join(faults)
            )
        for tensor, array in pairs:
            _load(tensor, array, assign)
        return IncompatibleKeys(missing, unexpected)

    # ------------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """What the repr shows between the parentheses: the arguments that the module was made with."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {module!r}" for name, module in self._registered("module")]
        return layout(type(self).__name__, self.extra_repr(), children)


_KINDS: dict[str, type] = {"parameter": Parameter, "buffer": Tensor, "module": Module}
_NOTHING = object()


def layout(name: str, extra: str, children: list[str]) -> str:
    """PyTorch's form of a repr: on one line without children, else one to a line, indented by two."""
    extras = extra.split("\n") if extra else []
    if not children and len(extras) <= 1:
        return f"{name}({extra})"
    return f"{name}(\n{textwrap.indent(chr(10).join(extras + children), '  ')}\n)"


def _not_initialized(module: Module, action: str) -> AttributeError:
    name = type(module).__name__
    return AttributeError(f"{name}: cannot {action} before Module.__init__(); call super().__init__() first")


def _fitting(tensor: Tensor, value: Any, assign: bool) -> np.ndarray:
    """`value` as an array that can be loaded into `tensor`; ValueError says why it cannot."""
    array, kind = autograd.unwrap(value), type(value)
    if not hasattr(array, "__array__"):
        raise ValueError(f"must be a Tensor or an array, got {kind.__name__}")
    try:
        array = np.asarray(array)
    except Exception as error:  # whatever another library raises where its memory is not to be read
        raise ValueError(f"NumPy cannot read the {kind.__module__}.{kind.__qualname__}: {error}") from error
    if array.shape != tensor.shape:
        raise ValueError(f"has shape {tensor.shape} in the model, but {array.shape} in the state dict")
    fits = array.dtype.kind in "biuf"
    if assign:
        fits = array.dtype in dtypes.SUPPORTED and (array.dtype.kind == "f") == tensor.is_floating_point()
    if not fits:
        raise ValueError(f"has dtype {tensor.dtype} in the model, but {array.dtype} in the state dict")
    if not assign and not tensor.array.flags.writeable:
        raise ValueError("cannot be copied into, as its memory is read-only; pass assign=True")
    return array


@quiet
def _load(tensor: Tensor, array: np.ndarray, assign: bool) -> None:
    """Copy `array` into `tensor`, or let it take over the memory."""
    if assign:
        tensor.data, tensor.grad = autograd.wrap(array), None
    else:
        tensor.array[...] = array
        autograd.changed(tensor.array, by="load_state_dict")


def locate(error: Exception, module: Module) -> None:
    """Put the path of the layer that an error came from in front of its text, as the error leaves `module`.

    A module does not know its own name, but the next one out does: so the path grows by a step for each module
    that the error passes through. An error whose text is not simply its one argument is left alone.
    """
    if len(error.args) != 1 or not isinstance(error.args[0], str) or type(error).__str__ is not BaseException.__str__:
        return
    inner, path, layer, text = getattr(error, "_place", (None, "", "", ""))
    step = next((name for name, held in module.named_modules() if held is inner), None)
    if step is None:  # the error rises here, or in a module that is not registered in this one
        path, layer, text = "", type(module).__name__, error.args[0]
    else:
        path = ".".join(filter(None, (step, path)))
    error._place = (module, path, layer, text)  # type: ignore[attr-defined]
    op, colon, rest = text.partition(": ")
    if colon and op.replace("_", "").lower() in (layer.lower(), layer.lower().rstrip("123d")):
        text = rest  # "BatchNorm2d: batch_norm: ..." would say it twice
    elif not path:
        return  # the model itself failed, and its text is its own
    error.args = (f"model.{path} ({layer}): {text}" if path else f"{layer}: {text}",)
