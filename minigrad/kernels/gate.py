"""The gate in front of the compiled kernels.

Numba compiles a function anew for every layout, byte order and read-only flag it meets, in the middle of a
training step. So compiled kernels are given one kind of array only: native byte order, aligned, C-contiguous,
writeable, all floats of one dtype (float32 or float64), indices int64 or uint8. The gate converts whatever else
arrives, and sends dtypes that have no compiled twin to the definition in NumPy. Arrays that are all right, which
is nearly all there are in a training step, pass after one look.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .look import FLOAT32, FLOAT64, FLOATS, look
from .results import Out, output, outputs, require_writeable, store

__all__ = ["FLOAT32", "FLOAT64", "INT64", "NOTHING", "UINT8", "Out", "gate", "gate_in_place"]
__all__ += ["output", "outputs", "store"]

INT64: np.dtype = np.dtype(np.int64)
UINT8: np.dtype = np.dtype(np.uint8)

# Parameters that hold integers. An array of any other integers that comes for one is converted.
INTEGER_OPERANDS = {"labels": INT64, "indices": INT64, "winners": UINT8}

# By dtype.char, which is the same in every byte order.
COMPILED_DTYPES: dict[str, np.dtype] = {"f": FLOAT32, "d": FLOAT64}

# In the place of an array that is not given.
NOTHING: dict[str, np.ndarray] = {"f": np.empty(0, FLOAT32), "d": np.empty(0, FLOAT64)}

Function = Callable[..., Any]


def gate(definition: Function) -> Callable[[Function], Function]:
    """Decorate the compiled twin of `definition`, a kernel that returns new arrays."""

    def decorate(twin: Function) -> Function:
        signature = inspect.signature(twin)
        arrays, integers = _array_positions(signature), _integer_positions(signature)
        wanted = tuple(integers.get(i, FLOATS) if i in arrays else None for i in range(len(signature.parameters)))
        names = {"out", *(name for i, name in enumerate(signature.parameters) if i in arrays)}  # for arrays by keyword

        @functools.wraps(twin)
        def gated(*args: Any, **options: Any) -> Any:
            if look(args, wanted):
                if not options:
                    return twin(*args)
                if names.isdisjoint(options):
                    return twin(*args, **options)
            return convert(args, **options)

        def convert(args: tuple[Any, ...], out: Out = None, **options: Any) -> Any:
            """The same, with arrays of any other kind, by keyword, or for the result."""
            if options:
                args, options = _arrays_by_position(signature, args, options)
            native = _native_arguments(args, integers)
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
        names = tuple(signature.parameters)
        changed_positions = tuple(names.index(name) for name in changed)

        @functools.wraps(twin)
        def gated(*args: Any, **options: Any) -> None:
            if options:
                args, options = _arrays_by_position(signature, args, options)
            native = _native_arguments(args, {})
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


def _array_positions(signature: inspect.Signature) -> tuple[int, ...]:
    """Which of the parameters are arrays, by their annotations."""
    annotations = [str(p.annotation) for p in signature.parameters.values()]
    return tuple(i for i, annotation in enumerate(annotations) if annotation.startswith("Array"))


def _integer_positions(signature: inspect.Signature) -> dict[int, np.dtype]:
    """Which of the parameters are arrays of integers, and of which dtype."""
    names = enumerate(signature.parameters)
    return {i: INTEGER_OPERANDS[name] for i, name in names if name in INTEGER_OPERANDS}


def _arrays_by_position(
    signature: inspect.Signature, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call with no array given by keyword."""
    if not any(isinstance(value, np.ndarray) for value in options.values()):
        return args, options
    bound = signature.bind(*args, **options)
    return bound.args, bound.kwargs


def _native_arguments(args: tuple[Any, ...], integers: dict[int, np.dtype]) -> list[Any] | None:
    """The arguments with every array in the layout kernels are compiled for; None if no kernel has this dtype."""
    dtype: np.dtype | None = None
    native = []
    for i, a in enumerate(args):
        if isinstance(a, np.ndarray):
            if i in integers:
                if a.dtype.kind not in "iu":
                    return None
                a = _native(a, integers[i])
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
