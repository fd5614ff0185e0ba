"""Compile a kernel together with all it calls: optimized once, and turned into machine code once.

Numba does both for every function by itself, in case somebody calls it, and then again for each that it is inlined
into: three quarters of LLVM's work are thrown away. Here LLVM gets to see a kernel only when all of it is there.
Nothing but its entry is visible from outside, so that what is called from one place is moved there, without a copy.

What Numba has compiled in this way can be used by other functions, outside of kernels, as well: it is finished, as
Numba would have done it at once, when the first of them asks for it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
from numba.core import compiler, registry
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys

# Steps of Numba's compiler that find nothing to do in a kernel: it has no closures, comprehensions, `with`, arithmetic
# of whole arrays or exceptions made as it runs, and asks neither for literals nor for Numba's own inlining.
IDLE = {
    "DumpParforDiagnostics",
    "FindLiterallyCalls",
    "InlineClosureLikes",
    "InlineInlinables",
    "InlineOverloads",
    "LiteralPropagationSubPipelinePass",
    "LiteralUnroll",
    "MakeFunctionToJitFunction",
    "NopythonRewrites",
    "RewriteDynamicRaises",
    "WithLifting",
}


class Pipeline(compiler.CompilerBase):
    """Numba's compiler without these steps."""

    def define_pipelines(self) -> list[Any]:
        pipeline = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [step for step in pipeline.passes if step[0].__name__ not in IDLE]
        pipeline.finalize()
        return [pipeline]


class Library(JITCodeLibrary):
    """A function that waits for what is to become of it."""

    _codegen: Codegen

    def add_llvm_module(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout
        self._final_module.link_in(module)

    def add_linking_library(self, library: Any) -> None:
        self._linking_libraries.append(library)

    def get_pointer_to_function(self, name: str) -> int:
        return super().get_pointer_to_function(name) if self._finalized else 0

    def _optimize_functions(self, module: Any) -> None:
        """Only what makes them much smaller: all the rest is done once, when they have been inlined."""
        builder, manager = self._codegen._pass_builder(), llvm.create_new_function_pass_manager()
        manager.add_sroa_pass()
        for function in module.functions:
            if not function.is_declaration:
                manager.run(function, builder)

    def _optimize_final_module(self) -> None:
        self._optimize_functions(self._final_module)
        super()._optimize_final_module()

    def _finalize_specific(self) -> None:
        super()._finalize_specific()
        for variable in self._final_module.global_variables:
            if variable.name in self._codegen.environments and not variable.is_declaration:
                JITCPUCodegen.set_env(self._codegen, variable.name, self._codegen.environments[variable.name])

    def parts(self) -> list[Any]:
        """This library, and those it is to be linked with, down to the last."""
        found, waiting = [], [self]
        while waiting:
            library = waiting.pop()
            if library not in found:
                found.append(library)
                waiting += library._linking_libraries if isinstance(library, Library) else []
        return sorted(found, key=lambda library: not isinstance(library, Library))  # what is only copied if asked for


class Codegen(JITCPUCodegen):
    """Numba's, with libraries that wait."""

    _library_class = Library

    def __init__(self, codegen: JITCPUCodegen) -> None:
        vars(self).update(vars(codegen))
        self.environments: dict[str, Any] = {}

    def set_env(self, env_name: str, env: Any) -> None:
        self.environments[env_name] = env


@contextlib.contextmanager
def waiting(entry: Callable[..., Any]) -> Iterator[None]:
    """What is compiled meanwhile stays as it comes from Numba, for `module`; only the entry can be called from Python.

    Python does not look for garbage: there is little among millions of objects, and it would take a tenth of the time.
    """
    context, collecting = registry.cpu_target.target_context, gc.isenabled()
    with global_compiler_lock:
        rtsys.initialize(context)
        codegen = context.codegen()
        wrap = context.create_cpython_wrapper

        def wrap_entry(library: Any, names: Any, *args: Any, **options: Any) -> None:
            if (names.modname, names.qualname) == (entry.__module__, entry.__qualname__):
                wrap(library, names, *args, **options)

        context._internal_codegen = Codegen(codegen)
        context.get_abi_sizeof = functools.cache(context.get_abi_sizeof)  # each answer takes a module of its own
        context.create_cpython_wrapper = wrap_entry
        context.create_cfunc_wrapper = lambda *args, **options: None
        gc.disable()
        try:
            yield
        finally:
            context._internal_codegen = codegen
            del context.create_cpython_wrapper, context.create_cfunc_wrapper, context.get_abi_sizeof
            if collecting:
                gc.enable()


def module(library: Library, entries: set[str]) -> Any:
    """A function compiled by `waiting`, and all it calls, as one optimized module where the entries are visible."""
    whole = library._codegen.create_library(library.name)
    with global_compiler_lock:
        for part in library.parts():
            linked = part._final_module if isinstance(part, Library) else part._get_module_for_linking()
            whole._final_module.link_in(linked, preserve=True)
        for function in whole._final_module.functions:
            if not function.is_declaration and function.name not in entries and not function.name.startswith("NRT_"):
                function.linkage = llvm.Linkage.internal
        whole._optimize_final_module()
        whole._final_module.verify()
    return whole._final_module
