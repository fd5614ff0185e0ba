"""Fold batch norms into the layers before them, for inference."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd import no_grad, unwrap, wrap
from ...tensor import Tensor
from ..batchnorm import BatchNorm1d, BatchNorm2d, _BatchNorm
from ..container import Sequential
from ..conv import Conv1d, Conv2d, ConvTranspose2d
from ..identity import Identity
from ..linear import Linear
from ..module import Module
from ..parameter import Parameter

__all__ = ["FoldedBatchNorm", "Fusion", "fuse"]

# what a batch norm can be folded into: (the batch norm that goes with it, the dimensions of its output)
_FOLDABLE: dict[type[Module], tuple[type[Module], int]] = {
    Linear: (BatchNorm1d, 2),
    Conv1d: (BatchNorm1d, 3),
    Conv2d: (BatchNorm2d, 4),
    ConvTranspose2d: (BatchNorm2d, 4),
}


@dataclass(frozen=True, eq=False)
class Fusion:
    """What `fuse` gives back; `print` it. It unpacks as `model, difference`.

    model      : the folded copy, in evaluation mode
    difference : the largest |folded - original| among the outputs, divided by the largest |original|
    folded     : the paths of each layer and of the batch norm that became part of it
    skipped    : the paths of the batch norms that stayed, and why
    """

    model: Module
    difference: float
    folded: tuple[tuple[str, str], ...]
    skipped: dict[str, str]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.difference))

    def __str__(self) -> str:
        lines = [f"batch norms folded: {len(self.folded)}; largest relative difference {self.difference:.1e}"]
        lines += [f"  {norm} into {layer}" for layer, norm in self.folded]
        lines += [f"  {norm or 'the model'} not: it {reason}" for norm, reason in self.skipped.items()]
        return "\n".join(lines)


class FoldedBatchNorm(Identity):
    """What stands where a batch norm was that `fuse` folded: it does nothing.

    It knows how many dimensions the layer before gives. In an output of another number, the batch norm would have taken
    another dimension for the channels than the one that was folded: ValueError.

    >>> from minigrad import nn
    >>> nn.utils.fuse(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval()).model
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
      (1): FoldedBatchNorm(ndim=2)
    )
    """

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = ndim

    def forward(self, input: Tensor) -> Tensor:
        """x itself."""
        if input.ndim != self.ndim:
            raise ValueError(
                f"FoldedBatchNorm: the batch norm that stood here was folded for {self.ndim} dimensions, got shape "
                f"{tuple(input.shape)}; use the model that was not folded"
            )
        return input

    def extra_repr(self) -> str:
        return f"ndim={self.ndim}"


@no_grad
def fuse(model: Module, probe: Any = None, *, pairs: Iterable[Sequence[str]] = ()) -> Fusion:
    """A copy of `model` with its batch norms folded into the Linear, Conv1d, Conv2d or ConvTranspose2d before them.

    In evaluation mode a batch norm scales by s = weight / sqrt(running_var + eps), and shifts, each channel. With

        weight <- s weight,   bias <- s (bias - running_mean) + the batch norm's bias

    the layer before does both. This is computed in float64 and kept in the layer's dtype. The
    layer gets a bias if it had none. A `FoldedBatchNorm`, which does nothing, keeps the place, so that the other layers
    keep their indices and names. `model` itself is not changed.

    probe : a batch, or a tuple of arguments, that both models are run on to find the difference. Without it, each pair
            is run by itself on random inputs.
    pairs : paths of a layer and of its batch norm, such as ("conv1", "bn1"), which a forward of your own calls one on
            the output of the other. Nothing else may use this output: a probe is needed, to show that.

    Without being told, it folds what stands next to each other in a `Sequential`, nested ones included: only there is
    the flow of data certain. Other batch norms stay, and so do those of layers with hooks, with a forward of their own,
    or used more than once; `skipped` says why.

    RuntimeError in training mode, where batch norms normalize by the batch, and where the difference is above the
    square root of the precision (3e-4 in float32): the model did not compute what the pairs say, or folding would cost
    too many digits. ValueError for pairs that cannot be folded.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", 2018, arXiv:1712.05877, section 3.2.

    >>> import minigrad
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.BatchNorm2d(6)).eval()
    >>> folded, difference = fusion = nn.utils.fuse(model, minigrad.ones(2, 1, 8, 8))
    >>> difference < 1e-5
    True
    >>> fusion.folded, fusion.skipped
    ((('0', '1'),), {'3': 'stands behind 2 (ReLU), and nothing can be folded into that'})
    """
    if not isinstance(model, Module):
        raise TypeError(f"fuse: model must be a Module, got {type(model).__name__}")
    learning = [f"{path or 'the model'} ({type(m).__name__})" for path, m in model.named_modules() if m.training]
    if learning:
        raise RuntimeError(
            "fuse: in training mode a batch norm normalizes by the batch, which no fixed weights do; call model.eval() "
            f"first. In training mode: {', '.join(learning[:3])}{', ...' if len(learning) > 3 else ''}"
        )
    work = _Folding(copy.deepcopy(model))
    for layer, norm in map(_checked, pairs):
        if probe is None:
            raise ValueError("fuse: pairs need a probe, a batch that shows whether the model still computes the same")
        reason = work.fold(layer, norm)
        if reason is not None:
            raise ValueError(f"fuse: {norm} cannot be folded into {layer}: it {reason}")
    work.fold_neighbours()
    difference = work.difference
    if probe is not None:
        args = probe if isinstance(probe, tuple) else (probe,)
        difference = _difference(model(*args), work.model(*args))
    return Fusion(work.model, difference, tuple(work.folded), work.skipped)


class _Folding:
    """A model while batch norms are folded in it, and what came of it so far."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.uses = Counter(module for _, module in model.named_modules(remove_duplicate=False))
        self.folded: list[tuple[str, str]] = []
        self.skipped: dict[str, str] = {}
        self.difference = 0.0  # the largest of the pairs, each by itself

    def fold_neighbours(self) -> None:
        """Fold every batch norm that is called on the output of a fitting layer, as far as that is certain."""
        for chain in list(_chains(self.model)):
            layer = None
            for path, module in chain:
                if isinstance(module, _BatchNorm):
                    reason = "stands first in its Sequential" if layer is None else self.fold(layer, path)
                    if reason is None:
                        continue
                    self.skipped[path] = reason
                if type(module) not in (Identity, FoldedBatchNorm):  # what stands behind these is behind the layer
                    layer = path
        for path, module in self.model.named_modules():
            if isinstance(module, _BatchNorm) and path not in self.skipped:
                self.skipped[path] = (
                    "is not called by a Sequential; if it normalizes the output of one layer, name both in pairs"
                )

    def fold(self, layer_path: str, norm_path: str) -> str | None:
        """Fold a batch norm into a layer; if that cannot be done, the reason, and nothing is changed."""
        layer, norm = _submodule(self.model, layer_path), _submodule(self.model, norm_path)
        kind = next((kind for kind in _FOLDABLE if isinstance(layer, kind)), None)
        if not isinstance(norm, _BatchNorm):
            return f"is a {type(norm).__name__}, and no batch norm"
        if kind is None:
            return f"stands behind {layer_path} ({type(layer).__name__}), and nothing can be folded into that"
        fitting, ndim = _FOLDABLE[kind]
        weight = layer.weight
        channels = layer.out_features if isinstance(layer, Linear) else layer.out_channels
        if not isinstance(norm, fitting) or norm.num_features != channels:
            return (
                f"normalizes {norm.num_features} channels as a {type(norm).__name__}, and {layer_path} is a {layer!r}"
            )
        if norm.running_mean is None or norm.running_var is None:
            return "normalizes by each batch, as it keeps no running statistics"
        for path, module, known in ((layer_path, layer, kind), (norm_path, norm, _BatchNorm)):
            it = "" if module is norm else f"stands behind {path}, which "
            if self.uses[module] > 1:
                return f"{it}has more than one place in the model"
            if module._hooks:
                return f"{it}has hooks, which would see other values"
            if type(module).forward is not known.forward:
                return f"{it}has a forward of its own"
        w, b = _folded(unwrap(weight), layer.bias, norm, layer.groups if kind is ConvTranspose2d else None)
        if not (np.isfinite(w).all() and np.isfinite(b).all()):
            return f"would need weights that are not finite in {weight.dtype.name}"

        x = _random_input(layer)
        before = norm(layer(x))
        layer.weight = Parameter(wrap(w), weight.requires_grad)
        layer.bias = Parameter(wrap(b), weight.requires_grad if layer.bias is None else layer.bias.requires_grad)
        parent, _, name = norm_path.rpartition(".")
        self.model.get_submodule(parent).register_module(name, FoldedBatchNorm(ndim).eval())
        self.folded.append((layer_path, norm_path))
        self.difference = max(self.difference, _difference(before, layer(x)))
        return None


def _folded(
    weight: np.ndarray, bias: Tensor | None, norm: _BatchNorm, groups: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a layer with the batch norm folded in; `groups` are those of a transposed convolution."""
    given = ((norm.running_mean, 0), (norm.running_var, 1), (norm.weight, 1), (norm.bias, 0), (bias, 0))
    mean, var, gamma, beta, b = (np.float64(usual) if t is None else unwrap(t).astype(np.float64) for t, usual in given)
    with np.errstate(all="ignore"):  # what is not finite is refused
        scale = gamma / np.sqrt(var + norm.eps)
        shift = scale * (b - mean) + beta
        if groups is None:  # (O, ...)
            w = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
        else:  # (I, O / groups, KH, KW): each group of input channels makes its own output channels
            I, O, *kernel = weight.shape
            w = weight.reshape(groups, I // groups, O, *kernel) * scale.reshape(groups, 1, O, *[1] * len(kernel))
        return w.reshape(weight.shape).astype(weight.dtype), shift.astype(weight.dtype)


def _calls_in_order(module: Module) -> bool:
    return isinstance(module, Sequential) and type(module).forward is Sequential.forward


def _chains(model: Module) -> Iterator[list[tuple[str, Module]]]:
    """For each outermost Sequential, the paths and modules that are called one on the output of the other."""
    inner: set[Module] = set()
    for path, module in model.named_modules():
        if _calls_in_order(module) and module not in inner:
            yield list(_links(path, module, inner))


def _links(path: str, series: Module, inner: set[Module]) -> Iterator[tuple[str, Module]]:
    """What a Sequential calls, in order, going into the Sequentials in it; these are added to `inner`."""
    for name, module in series._registered("module"):
        below = f"{path}.{name}" if path else name
        if _calls_in_order(module) and not module._hooks:  # hooks may change what comes out
            inner.add(module)
            yield from _links(below, module, inner)
        else:
            yield below, module


def _checked(pair: Sequence[str]) -> tuple[str, str]:
    if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(path, str) for path in pair):
        raise TypeError(f'fuse: pairs must hold pairs of paths, such as ("conv1", "bn1"), got {pair!r}')
    return pair[0], pair[1]


def _submodule(model: Module, path: str) -> Module:
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        raise ValueError(f"fuse: {error}") from None


def _random_input(layer: Module) -> Tensor:
    """Standard normal numbers that the layer can take, large enough for a few positions of its output."""
    shape: tuple[int, ...] = (16, getattr(layer, "in_features", 0))
    if not isinstance(layer, Linear):
        pad = (0,) * layer.dims if isinstance(layer.padding, str) else layer.padding
        given = zip(layer.kernel_size, layer.stride, layer.dilation, pad, strict=True)
        shape = (4, layer.in_channels, *(d * (k - 1) + 1 + 3 * s + 2 * p for k, s, d, p in given))
    return wrap(np.random.default_rng(0).standard_normal(shape).astype(layer.weight.dtype))


def _difference(original: Any, folded: Any) -> float:
    """The largest difference between two outputs, relative to the largest original one; RuntimeError if it is large."""
    pairs = list(zip(_arrays(original), _arrays(folded), strict=True))
    if not pairs:
        raise TypeError(f"fuse: the model must give Tensors, to be compared; it gave a {type(original).__name__}")
    largest = max((float(np.max(np.abs(a), initial=0)) for a, _ in pairs), default=0)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is refused below
        apart = max(float(np.max(np.abs(a.astype(np.float64) - b), initial=0)) for a, b in pairs)
    bound = max(math.sqrt(np.finfo(a.dtype).eps) for a, _ in pairs)
    difference = apart / (largest or 1.0)
    if not difference <= bound:  # or NaN
        raise RuntimeError(
            f"fuse: folding changed the outputs by {difference:.1e} of their size; rounding explains {bound:.1e}. "
            "Is the output of a layer used by something besides its batch norm, or not by it? Is everything finite?"
        )
    return difference


def _arrays(output: Any) -> Iterator[np.ndarray]:
    """The floating Tensors in an output, as arrays."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield unwrap(output)
    elif isinstance(output, (tuple, list, Mapping)):
        for part in output.values() if isinstance(output, Mapping) else output:
            yield from _arrays(part)
