"""One look at the arguments of a kernel, by machine code.

To ask each array in Python for its type, its flags and its dtype takes longer than some kernels do. What is asked is a
few comparisons of addresses and bits; so that the compiler need not be waited for, they are given to LLVM as they are.
"""

from __future__ import annotations

import sys
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils

from .objects import AS_EXPECTED, CARRAY, DTYPE, FLAGS, ITEMS, LENGTH, TYPE

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

FLOATS = "floats"  # what is wanted: an array of floats, of the same dtype as all others for which that is said


def are_native(args: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Whether all arrays are as compiled kernels need them, and at least one is of floats.

    wanted : for each argument FLOATS, or the dtype of an array of integers; None for one that is not looked at

    An array may be left out, by None. This is the definition; `look` does the same.
    """
    dtype = None
    for a, want in zip(args, wanted, strict=False):
        if a is not None and want is not None:
            if type(a) is not np.ndarray or not a.flags.carray:
                return False
            if want is FLOATS:
                if dtype is None and (a.dtype is FLOAT32 or a.dtype is FLOAT64):
                    dtype = a.dtype
                want = dtype
            if a.dtype is not want:
                return False
    return dtype is not None


WORD = ir.IntType(64)
OBJECT = ir.IntType(8).as_pointer()


def _emit(name: str) -> ir.Module:
    """`are_native` as Python calls functions in C: (self, the tuple of the arguments, those by keyword)."""
    module = ir.Module(name)
    function = ir.Function(module, ir.FunctionType(OBJECT, [OBJECT] * 3), name)
    boolean = ir.Function(module, ir.FunctionType(OBJECT, [WORD]), "PyBool_FromLong")
    b, refuse = ir.IRBuilder(function.append_basic_block()), function.append_basic_block()

    def is_same(value: Any, constant: Any) -> Any:
        return b.icmp_unsigned("==", value, value.type(constant if isinstance(constant, int) else id(constant)))

    def read(address: Any, offset: int, bits: int = 64) -> Any:
        return b.load(b.inttoptr(b.add(address, WORD(offset)), ir.IntType(bits).as_pointer()))

    def require(condition: Any) -> None:
        going_on = function.append_basic_block()
        b.cbranch(condition, going_on, refuse)
        b.position_at_end(going_on)

    given = b.ptrtoint(function.args[1], WORD)
    args, wanted = read(given, ITEMS), read(given, ITEMS + 8)
    lengths = read(args, LENGTH), read(wanted, LENGTH)
    dtype = cgutils.alloca_once_value(b, WORD(0))
    with cgutils.for_range(b, b.select(b.icmp_signed("<", *lengths), *lengths), intp=WORD) as loop:
        offset = b.mul(loop.index, WORD(8))
        a, want = read(b.add(args, offset), ITEMS), read(b.add(wanted, offset), ITEMS)
        with b.if_then(b.not_(b.or_(is_same(a, None), is_same(want, None)))):
            require(is_same(read(a, TYPE), np.ndarray))
            require(is_same(b.and_(read(a, FLAGS, bits=32), ir.IntType(32)(CARRAY)), CARRAY))
            found = read(a, DTYPE)
            with b.if_else(is_same(want, FLOATS)) as (floats, integers):
                with floats:
                    others = b.load(dtype)
                    first = b.and_(is_same(others, 0), b.or_(is_same(found, FLOAT32), is_same(found, FLOAT64)))
                    require(b.or_(first, b.icmp_unsigned("==", found, others)))
                    b.store(found, dtype)
                with integers:
                    require(b.icmp_unsigned("==", found, want))
    b.ret(b.call(boolean, [b.zext(b.not_(is_same(b.load(dtype), 0)), WORD)]))
    b.position_at_end(refuse)
    b.ret(b.call(boolean, [WORD(0)]))
    return module


def _compile(name: str) -> Any:
    """That function, which keeps what its machine code lives in."""
    if not llvm.address_of_symbol("PyBool_FromLong"):  # the engine would end the process
        return are_native
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(_emit(name))), machine)
    engine.finalize_object()
    python: Any = numba._dynfunc  # type: ignore[attr-defined]
    module, environment = sys.modules[__name__], python.Environment(globals())
    address = engine.get_function_address(name)
    return python.make_function(module, name, are_native.__doc__, address, environment, (engine,))


look = _compile("look") if AS_EXPECTED and not numba.config.DISABLE_JIT else are_native  # type: ignore[attr-defined]
