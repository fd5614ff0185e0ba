"""Kernels that run on several threads.

    @threaded_kernel
    def _scale(first, last, x, y):
        for i in range(first, last):
            y[i] = 2 * x[i]

    _scale(len(x), 0.3 * x.size, x, y)    # so many units; about so many nanoseconds on one thread

The function does the units first, ..., last - 1 of its work, and different units write to different places. One machine
code serves one thread and many: it runs the function, or hands it to Numba's pool of threads. That is done without
Numba's own `prange`, which would compile everything once more, and takes a second for each kernel; the call it ends up
with, `numba_parallel_for`, is the same. Who may use the pool is decided in `threads`.
"""

from __future__ import annotations

import functools
import types as python_types
from collections.abc import Callable, Sequence
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types

from . import jit, threads
from .simd import Type, emits
from .threads import claim, release

BYTES = ir.IntType(8).as_pointer()
INTP = ir.IntType(types.intp.bitwidth)  # type: ignore[attr-defined]

POOL_SIZE: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]


class ThreadedKernel:
    """A function (first, last, array, *arguments), compiled for the dtype of its first array when that first arrives.

    It is called with the number of units, and about how many nanoseconds one thread would take, in the place of
    first and last. All arrays must have passed the gate; the other arguments are numbers.
    """

    def __init__(self, function: Callable[..., None], fastmath: frozenset[str]) -> None:
        functools.update_wrapper(self, function)
        self.fastmath = fastmath
        self.kernel = jit.Kernel(_runner(function, fastmath), frozenset())
        self.entry = self.kernel.entries.get

    def __call__(self, units: int, nanoseconds: float, array: Any, *args: Any) -> Any:
        entry = self.entry(array.dtype.char) or self._compile(array, 1, units, args)
        if nanoseconds < 2 * threads.SHARE:  # not worth the asking
            return entry(array, 1, units, args)
        parts = claim(units, nanoseconds, POOL_SIZE)
        if parts == 1:
            return entry(array, 1, units, args)
        try:
            return entry(array, parts, units, args)
        finally:
            release()

    def _compile(self, *args: Any) -> Callable[..., None]:
        threads.note_start()
        numba.get_num_threads()  # loads the threading layer, which the machine code refers to, and starts its threads
        return self.kernel.compile(args)


def threaded_kernel(function: Callable[..., None]) -> ThreadedKernel:
    """Decorate a kernel for several threads whose arithmetic is kept in the order it is written in."""
    return ThreadedKernel(function, fastmath=frozenset())


def reordering_threaded_kernel(function: Callable[..., None]) -> ThreadedKernel:
    """Decorate a kernel for several threads whose sums, within one unit, may be taken in any order."""
    return ThreadedKernel(function, fastmath=jit.REORDER)


def _runner(function: Callable[..., None], fastmath: frozenset[str]) -> Callable[..., None]:
    """`_run` for this function: a function object of its own, which the cache on disk takes for the kernel."""
    code = function.__code__
    run = python_types.FunctionType(
        _run.__code__.replace(co_filename=code.co_filename, co_firstlineno=code.co_firstlineno),
        {
            "part": numba.njit(**jit.OPTIONS, fastmath=set(fastmath))(function),
            "launch": launch,
        },
        code.co_name,
    )
    functools.update_wrapper(run, function)
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def _run(array, parts, units, args):
    """All units, on as many threads as there are parts. What went wrong on a thread is raised by doing it again."""
    if parts == 1 or launch(part, parts, units, array, args):  # type: ignore[name-defined] # noqa: F821
        part(0, units, array, *args)  # type: ignore[name-defined] # noqa: F821


def launch(part: Callable[..., None], parts: int, units: int, array: Any, args: tuple[Any, ...]) -> bool:
    """Call `part` on a thread for each of `parts` equal runs of units, and wait. Was there an exception?"""
    for p in range(parts):
        part(units * p // parts, units * (p + 1) // parts, array, *args)
    return False


@emits(launch)
def _(part: Type, parts: Type, units: Type, array: Type, args: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, values: Sequence) -> Any:
        _, parts_value, units_value, array_value, args_value = values
        arguments = [array_value, *cgutils.unpack_tuple(builder, args_value)]
        frame = [cgutils.false_bit, parts_value, units_value, *arguments]  # what the threads see
        shared = cgutils.alloca_once(builder, ir.LiteralStructType([value.type for value in frame]))
        for i, value in enumerate(frame):
            builder.store(value, cgutils.gep_inbounds(builder, shared, 0, i))
        signature = (types.intp, types.intp, array, *args)
        callback = _callback(context, builder, part.dispatcher.overloads[signature], signature, shared.type)
        _parallel_for(builder, callback, parts_value, shared)
        return builder.load(cgutils.gep_inbounds(builder, shared, 0, 0))

    return isinstance(part, types.Dispatcher) and (types.boolean(part, types.intp, types.intp, array, args), emit)


def _callback(context: Any, builder: Any, compiled: Any, signature: tuple, shared: ir.PointerType) -> ir.Function:
    """A C function that does some parts of the work, as a threading layer calls it.

    It gets the number of the first part (as an address: that of element 0 of an array at address 0 whose elements
    are 1 byte long), how many parts it is to do, and what `launch` laid out.
    """
    kind = ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), INTP.as_pointer(), INTP.as_pointer(), BYTES])
    callback = ir.Function(builder.module, kind, builder.module.get_unique_name("part"))
    callback.linkage = "internal"
    b = ir.IRBuilder(callback.append_basic_block("entry"))
    start, count, _, data = callback.args
    frame = b.bitcast(data, shared)
    parts, units, *arguments = (b.load(cgutils.gep_inbounds(b, frame, 0, i)) for i in range(1, len(signature) + 1))
    function = context.declare_function(b.module, compiled.fndesc)  # linked in, for `_run` calls it directly as well
    with cgutils.for_range(b, b.load(count), intp=INTP) as loop:
        p = b.add(b.ptrtoint(b.load(start), INTP), loop.index)
        first, last = (b.sdiv(b.mul(units, q), parts) for q in (p, b.add(p, INTP(1))))
        status, _ = context.call_conv.call_function(
            b, function, compiled.signature.return_type, signature, [first, last, *arguments]
        )
        with b.if_then(status.is_error):
            b.store(cgutils.true_bit, cgutils.gep_inbounds(b, frame, 0, 0))
    b.ret_void()
    return callback


def _parallel_for(builder: Any, callback: ir.Function, parts: Any, shared: Any) -> None:
    """Have Numba's pool of threads call the callback for all parts: a loop of `parts` over one array of bytes."""
    kind = ir.FunctionType(ir.VoidType(), [BYTES] * 5 + [INTP] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "numba_parallel_for")
    start, count, step = (
        cgutils.alloca_once_value(builder, value) for value in (ir.Constant(BYTES, None), parts, INTP(1))
    )
    pointers = [builder.bitcast(value, BYTES) for value in (callback, start, count, step, shared)]
    builder.call(function, [*pointers, INTP(0), INTP(1), parts])  # no inner dimensions, one array
