"""Compiled kernels as bytes, and back: what Numba's cache does, without pickle and ten times as fast.

Numba pickles all it knows of a function, and brings up its whole compiler before it reads that. To run a kernel
takes less: the object file that LLVM made, the names of two symbols in it, and an engine to link it into the process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import compiler, registry, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.environment import lookup_environment
from numba.core.runtime import rtsys

from . import whole

Function = Callable[..., Any]

DYNAMIC = "numba.dynamic.globals"  # how the names of variables begin that hold addresses in this process


def pack(compiled: Any) -> bytes | None:
    """What was compiled in `whole.waiting` as bytes; None if they would depend on what lives in this process."""
    if compiled.objectmode or compiled.lifted:
        return None
    names = compiled.fndesc
    module = whole.module(compiled.library, {names.llvm_cpython_wrapper_name})
    variables = [variable.name for variable in module.global_variables]
    environments = [compiled.environment, *map(lookup_environment, variables)]
    if any(e is not None and e.consts for e in environments) or any(v.startswith(DYNAMIC) for v in variables):
        return None
    needed = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    head = {"function": names.llvm_cpython_wrapper_name, "environment": names.env_name, "needed": needed}
    module = llvm.parse_bitcode(module.as_bitcode())  # what is made of it would else depend on how it came about
    return json.dumps(head).encode() + b"\n" + compiled.library.codegen._tm.emit_object(module)


def link(packed: bytes, function: Function, signature: tuple[types.Type, ...]) -> compiler.CompileResult:
    """Make what was packed ready to be called as `function`, for arguments of these types."""
    head, _, object_file = packed.partition(b"\n")
    names = json.loads(head)
    context = registry.cpu_target.target_context
    with global_compiler_lock:
        rtsys.initialize(context)  # makes Numba's memory management known to the engine
        missing = [name for name in names["needed"] if not llvm.address_of_symbol(name)]
        if missing:  # the engine would end the process
            raise ImportError(f"{function.__qualname__} needs {', '.join(missing)}, which nothing in this process has")
        engine = context.codegen()._engine._ee
        engine.add_object_file(llvm.ObjectFileRef.from_data(object_file))
        engine.finalize_object()
        environment = numba._dynfunc.Environment(function.__globals__)  # type: ignore[attr-defined]
        context.codegen().set_env(names["environment"], environment)
        entry_point = numba._dynfunc.make_function(  # type: ignore[attr-defined]
            sys.modules[function.__module__],
            function.__name__,
            f"compiled {function.__qualname__}",
            engine.get_function_address(names["function"]),
            environment,
            (),
        )
    return compiler.compile_result(
        signature=typing.signature(types.none, *signature), entry_point=entry_point, objectmode=False
    )
