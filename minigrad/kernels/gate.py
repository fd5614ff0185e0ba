"""The gate in front of the compiled kernels.

Numba compiles a function anew for every layout, byte order and read-only flag it meets, in the middle of a
training step. So compiled kernels are given one kind of array only: native byte order, aligned, C-contiguous,
writeable, all floats of one dtype (float32 or float64), all indices int64. The gate converts whatever else
arrives, and sends dtypes that have no compiled twin to the definition in NumPy.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .shapes import Shape

INDEX_OPERANDS = frozenset({"labels", "indices"})  # parameters that hold int64 indices
INT64 = np.dtype(np.int64)

# By dtype.char, which is the same in every byte order.
COMPILED_DTYPES: dict[str, np.dtype] = {"f": np.dtype(np.float32), "d": np.dtype(np.float64)}

quiet = np.errstate(all="ignore")  # decorates kernels: infinities and NaN flow without a warning

Out = Any  # None, an array, or a tuple of arrays
Function = Callable[..., Any]


def gate(definition: Function) -> Callable[[Function], Function]:
    """Decorate the compiled twin of `definition`, a kernel that returns new arrays."""

    def decorate(twin: Function) -> Function:
        signature = inspect.signature(twin)
        index_positions = _positions(signature, INDEX_OPERANDS)

        @functools.wraps(twin)
        def gated(*args: Any, out: Out = None, **options: Any) -> Any:
            if options:
                args, options = _arrays_by_position(signature, args, options)
            native = _native_arguments(args, index_positions)
            if native is None:
                return definition(*args, out=out, **options)
            if out is None or _usable(out, native):
                return twin(*native, out=out, **options)
            return store(twin.__name__, out, twin(*native, **options))

        return gated

    return decorate


def gate_in_place(definition: Function, *changed: str) -> Callable[[Function], Function]:
    """Decorate the compiled twin of `definition`, a kernel that updates the parameters named in `changed`."""

    def decorate(twin: Function) -> Function:
        signature = inspect.signature(twin)
        names, changed_positions = tuple(signature.parameters), _positions(signature, changed)

        @functools.wraps(twin)
        def gated(*args: Any, **options: Any) -> None:
            if options:
                args, options = _arrays_by_position(signature, args, options)
            native = _native_arguments(args, ())
            if native is None:
                return definition(*args, **options)
            copied = [i for i in changed_positions if i < len(args) and native[i] is not args[i]]
            require_writeable(twin.__name__, **{names[i]: args[i] for i in copied})
            twin(*native, **options)
            for i in copied:
                args[i][...] = native[i]
            return None

        return gated

    return decorate


def output(kernel: str, out: np.ndarray | None, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """The array a kernel writes to: `out` once its shape and dtype are checked, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype.newbyteorder("=") != dtype:
        got = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"{kernel}: out must be a {dtype} array of shape {tuple(shape)}, got {got}")
    return out


def outputs(kernel: str, out: Out, *kinds: tuple[Shape, np.dtype]) -> list[np.ndarray]:
    """As `output`, for kernels with several results; each kind is a shape and a dtype."""
    if out is None:
        return [np.empty(shape, dtype) for shape, dtype in kinds]
    if not isinstance(out, tuple) or len(out) != len(kinds):
        raise ValueError(f"{kernel}: out must be a tuple of {len(kinds)} arrays")
    return [output(kernel, o, shape, dtype) for o, (shape, dtype) in zip(out, kinds, strict=True)]


def store(kernel: str, out: Out, results: Any) -> Any:
    """The results themselves, or `out` with the results copied into it."""
    if out is None:
        return results
    if not isinstance(results, tuple):
        np.copyto(output(kernel, out, results.shape, results.dtype), results)
        return out
    for target, result in zip(outputs(kernel, out, *((r.shape, r.dtype) for r in results)), results, strict=True):
        np.copyto(target, result)
    return out


def require_writeable(kernel: str, **arrays: np.ndarray | None) -> None:
    """Raise before anything is changed when an array to be updated in place is read-only."""
    for name, a in arrays.items():
        if a is not None and not a.flags.writeable:
            raise ValueError(f"{kernel}: {name} is updated in place, but it is read-only; pass a copy")


def _positions(signature: inspect.Signature, names: Iterable[str]) -> tuple[int, ...]:
    """Where among the parameters those of the given names are."""
    order = list(signature.parameters)
    return tuple(order.index(name) for name in names if name in order)


def _arrays_by_position(
    signature: inspect.Signature, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call with no array given by keyword."""
    for a in options.values():
        if isinstance(a, np.ndarray):
            bound = signature.bind(*args, **options)
            return bound.args, bound.kwargs
    return args, options


def _native_arguments(args: tuple[Any, ...], index_positions: tuple[int, ...]) -> list[Any] | None:
    """The arguments with every array in the layout kernels are compiled for; None if no kernel has this dtype."""
    dtype: np.dtype | None = None
    native = []
    for i, a in enumerate(args):
        if isinstance(a, np.ndarray):
            if i in index_positions:
                if a.dtype.kind not in "iu":
                    return None
                a = _native(a, INT64)
            else:
                if dtype is None:
                    dtype = COMPILED_DTYPES.get(a.dtype.char)
                if dtype is None or dtype.char != a.dtype.char:
                    return None
                a = _native(a, dtype)
        native.append(a)
    return native


def _native(a: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """`a` itself if it is aligned, writeable, C-contiguous and of `dtype`, else a copy that is."""
    if type(a) is np.ndarray and a.flags.carray and a.dtype == dtype:
        return a
    return np.array(a, dtype=dtype, order="C", copy=True, subok=False)


def _usable(out: Out, operands: Sequence[Any]) -> bool:
    """Whether a compiled kernel can write straight to `out`: right layout, and no operand lies under it."""
    arrays = out if isinstance(out, tuple) else (out,)
    return all(
        type(o) is np.ndarray
        and o.flags.carray
        and o.dtype.isnative
        and not any(isinstance(a, np.ndarray) and np.may_share_memory(o, a) for a in operands)
        for o in arrays
    )
