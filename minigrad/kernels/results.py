"""Where kernels write to: the array that was given for the result, once it is checked, or a new one."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import memory
from .shapes import Shape

Out = Any  # None, an array, or a tuple of arrays

quiet = np.errstate(all="ignore")  # decorates kernels: infinities and NaN flow without a warning


def output(kernel: str, out: np.ndarray | None, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """The array a kernel writes to: `out` once its shape and dtype are checked, or a new one."""
    if out is None:
        return memory.empty(tuple(shape), dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype.newbyteorder("=") != dtype:
        got = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"{kernel}: out must be a {dtype} array of shape {tuple(shape)}, got {got}")
    return out


def outputs(kernel: str, out: Out, *kinds: tuple[Shape, np.dtype] | None) -> list[Any]:
    """As `output`, for kernels with several results; each kind is a shape and a dtype, None for one that is not."""
    if out is None:
        return [kind and memory.empty(*kind) for kind in kinds]
    if not isinstance(out, tuple) or len(out) != len(kinds):
        raise ValueError(f"{kernel}: out must be a tuple of {len(kinds)} arrays")
    return [kind and output(kernel, o, *kind) for o, kind in zip(out, kinds, strict=True)]


def store(kernel: str, out: Out, results: Any) -> Any:
    """The results themselves, or `out` with the results copied into it."""
    if out is None:
        return results
    if not isinstance(results, tuple):
        np.copyto(output(kernel, out, results.shape, results.dtype), results)
        return out
    kinds = (None if result is None else (result.shape, result.dtype) for result in results)
    for target, result in zip(outputs(kernel, out, *kinds), results, strict=True):
        if result is not None:
            np.copyto(target, result)
    return out


def require_writeable(kernel: str, **arrays: np.ndarray | None) -> None:
    """Raise before anything is changed when an array to be updated in place is read-only."""
    for name, a in arrays.items():
        if a is not None and not a.flags.writeable:
            raise ValueError(f"{kernel}: {name} is updated in place, but it is read-only; pass a copy")
