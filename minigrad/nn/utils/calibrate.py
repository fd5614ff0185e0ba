"""Measure the running statistics of batch norms on a data set, instead of averaging them during training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeGuard

from ...autograd import changed, no_grad, unwrap
from ...checks import flag
from ..module import Module
from ..running_statistics import RunningStatistics
from ..statistics import Moments

__all__ = ["calibrate"]


@no_grad
def calibrate(model: Module, loader: Iterable, *, layerwise: bool = False) -> dict[str, Moments]:
    """Set the running statistics of the batch norms in `model` to those of the data in `loader`, and give them back.

    model     : holds the batch norms, at any depth; those that are frozen or keep no statistics are left alone
    loader    : gives the batches; of a tuple or list, such as (inputs, targets), the first goes into the model
    layerwise : measure what arrives in evaluation mode; see below

    The moments of the batches are merged exactly (Chan et al. 1979; see `Moments.merge`), in float64, however the sizes
    of the batches differ. Averaging variances, as `momentum=None` and PyTorch's `torch.optim.swa_utils.update_bn` do,
    leaves out the spread of the batches' means. running_var is the unbiased variance of all values together;
    num_batches_tracked counts the batches.

    Which values these are, in a deep model, is a choice:

    - layerwise=False: one pass, in which each batch norm being measured normalizes by its batch, as in training, and
      everything else is in evaluation mode (so no dropout). What arrives behind the first batch norm then depends a
      little on how the data is cut into batches, and a batch of one value per channel is an error, as in training.
    - layerwise=True: one pass for each batch norm, in the order in which they are called, all of the model being in
      evaluation mode and those before being set already. So the statistics are exactly those of the activations of the
      network as it will be used, whatever the size of the batches, even 1. The loader must be one that can be gone
      through again, and a generator cannot.

    Gives back the moments, by the path of the layer; a batch norm that was not called has none, and stays as it was.
    Of an invertible one, calls forward are measured, and those of its inverse are not.
    The modes of all modules are put back, and a failed call changes nothing. ValueError where the loader has no batch,
    or a channel a single value.

    >>> import minigrad
    >>> from minigrad import nn
    >>> _ = minigrad.manual_seed(0)
    >>> x = minigrad.randn(100, 3) * 5 + 2
    >>> model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    >>> measured = nn.utils.calibrate(model, [(x[:64], None), (x[64:], None)])
    >>> measured["0"].count, minigrad.allclose(model[0].running_var, x.var(0))
    (100, True)
    """
    if not isinstance(model, Module):
        raise TypeError(f"calibrate: model must be a Module, got {type(model).__name__}")
    if flag("calibrate", "layerwise", layerwise) and isinstance(loader, Iterator):
        raise TypeError(
            "calibrate: layerwise=True goes through the loader once for each batch norm, which an iterator "
            f"({type(loader).__name__}) does not allow; pass a DataLoader or a list"
        )
    layers = {path: module for path, module in model.named_modules() if _is_measured(module)}
    if not layers:
        return {}
    with _put_back(model, layers.values()):
        model.eval()
        if not layerwise:
            for layer in layers.values():
                layer.training = True
        measured = _measure(model, layers, loader)  # in the order of the calls
        if layerwise:
            paths = list(measured)
            for before, path in pairwise(paths):
                layers[before].set_running_stats(*measured[before])
                measured |= _measure(model, {path: layers[path]}, loader)
    for path, (moments, batches) in measured.items():
        layers[path].set_running_stats(moments, batches)
    return {path: moments for path, (moments, _) in measured.items()}


def _is_measured(module: Module) -> TypeGuard[RunningStatistics]:
    """Does the module keep running statistics that may be changed?"""
    return (
        isinstance(module, RunningStatistics)
        and module.running_mean is not None
        and getattr(module, "track_running_stats", True)
        and not module.stats_frozen
    )


def _measure(
    model: Module, layers: Mapping[str, RunningStatistics], loader: Iterable
) -> dict[str, tuple[Moments, int]]:
    """Run every batch through the model; the moments of what arrives at each layer, and the number of its batches."""
    seen: dict[str, tuple[Moments, int]] = {}

    def watch(path: str) -> Callable:
        def measure(layer: RunningStatistics, args: tuple, kwargs: dict, output: Any) -> None:
            measured = layer._measured(*args, **kwargs)
            if measured is None:
                return
            moments = layer.batch_moments(measured)
            before, batches = seen.get(path, (None, 0))
            seen[path] = moments if before is None else before.merge(moments), batches + 1

        return measure

    handles = [layer.register_forward_hook(watch(path), with_kwargs=True) for path, layer in layers.items()]
    try:
        empty = True
        for batch in loader:
            model(batch[0] if isinstance(batch, (tuple, list)) else batch)
            empty = False
    finally:
        for handle in handles:
            handle.remove()
    if empty:
        raise ValueError("calibrate: the loader has no batch; is its dataset empty, or is it an iterator at its end?")
    for path, (moments, _) in seen.items():
        if moments.count < 2:
            where = f"{path or 'the model'} ({type(layers[path]).__name__})"
            got = "a single value" if moments.count else "no value"
            raise ValueError(
                f"calibrate: {where} got {got} per channel from the whole loader, and a variance needs two; nothing "
                "was changed"
            )
    return seen


@contextmanager
def _put_back(model: Module, layers: Iterable[RunningStatistics]) -> Iterator[None]:
    """The mode of every module, and all that the layers took from batches, as before the with-block."""
    modes = [(module, module.training) for module in model.modules()]
    held = [(layer, layer._registered("buffer")) for layer in layers]
    buffers = [unwrap(b) for layer in layers for b in layer.running_stats()]
    before = [array.copy() for array in buffers]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for layer, named in held:
            for name, buffer in named:  # an invertible layer puts what it remembers in place of what it did
                setattr(layer, name, buffer)
        for array, value in zip(buffers, before, strict=True):
            if array.flags.writeable:  # else it is as it was
                array[...] = value
                changed(array, by="calibrate")
