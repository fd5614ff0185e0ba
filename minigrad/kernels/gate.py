"""The gate in front of the compiled kernels.

Numba compiles a function anew for every layout, byte order and read-only flag it meets, in the middle of a
training step. So compiled kernels are given one kind of array only: native byte order, aligned, C-contiguous,
writeable, all floats of one dtype (float32 or float64), indices int64 or uint8. The gate converts whatever else
arrives, and sends dtypes that have no compiled twin to the definition in NumPy. Arrays that are all right, which
is nearly all there are in a training step, pass after one look at each.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import memory
from .shapes import Shape

FLOAT32, FLOAT64, INT64, UINT8 = map(np.dtype, (np.float32, np.float64, np.int64, np.uint8))

# Parameters that hold integers. An array of any other integers that comes for one is converted.
INTEGER_OPERANDS = {"labels": INT64, "indices": INT64, "winners": UINT8}

# By dtype.char, which is the same in every byte order.
COMPILED_DTYPES: dict[str, np.dtype] = {"f": FLOAT32, "d": FLOAT64}

NOTHING = {"f": np.empty(0, FLOAT32), "d": np.empty(0, FLOAT64)}  # in the place of an array that is not given

quiet = np.errstate(all="ignore")  # decorates kernels: infinities and NaN flow without a warning

Out = Any  # None, an array, or a tuple of arrays
Function = Callable[..., Any]


def gate(definition: Function) -> Callable[[Function], Function]:
    """Decorate the compiled twin of `definition`, a kernel that returns new arrays."""

    def decorate(twin: Function) -> Function:
        signature = inspect.signature(twin)
        arrays, integers = _array_positions(signature), _integer_positions(signature)
        names = {name for i, name in enumerate(signature.parameters) if i in arrays}
        looked_at = [(i, integers.get(i)) for i in arrays]
        first = {n: [(i, integer) for i, integer in looked_at if i < n] for n in range(len(signature.parameters))}

        @functools.wraps(twin)
        def gated(*args: Any, out: Out = None, **options: Any) -> Any:
            if out is None and names.isdisjoint(options):
                dtype = None
                for i, integer in first.get(len(args), looked_at):
                    a = args[i]
                    if a is None:
                        continue
                    if type(a) is not np.ndarray or not a.flags.carray:
                        break
                    if integer is not None:
                        if a.dtype is not integer:
                            break
                    elif dtype is None:
                        dtype = a.dtype
                        if dtype is not FLOAT32 and dtype is not FLOAT64:
                            break
                    elif a.dtype is not dtype:
                        break
                else:
                    if dtype is not None:
                        return twin(*args, **options)
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


def output(kernel: str, out: np.ndarray | None, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """The array a kernel writes to: `out` once its shape and dtype are checked, or a new one."""
    if out is None:
        return memory.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype.newbyteorder("=") != dtype:
        got = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"{kernel}: out must be a {dtype} array of shape {tuple(shape)}, got {got}")
    return out


def outputs(kernel: str, out: Out, *kinds: tuple[Shape, np.dtype]) -> list[np.ndarray]:
    """As `output`, for kernels with several results; each kind is a shape and a dtype."""
    if out is None:
        return [memory.empty(shape, dtype) for shape, dtype in kinds]
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
