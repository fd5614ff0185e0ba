"""Kernels compiled in one piece, and what else becomes of their parts."""

import ctypes
import gc
import os

import numpy as np
import pytest

pytest.importorskip("numba")

import llvmlite.binding as llvm
import numba

from minigrad.kernels import gemm, jit, machine_code, whole

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")

one = ctypes.pythonapi.Py_IsInitialized  # gives 1; its address is another in each process
one.restype, one.argtypes = ctypes.c_int, ()


@jit.helper
def doubled(x):
    return x + x


@jit.kernel
def double(x, y):
    for i in range(x.size):
        y[i] = doubled(x[i])


@numba.njit
def quadrupled(x):
    return doubled(doubled(x))


def add_one(x, y):
    for i in range(x.size):
        y[i] = x[i] + one()


add_one.__module__ = "minigrad.kernels.elementwise"


def test_a_part_of_a_kernel_serves_functions_outside_of_kernels_too():
    y = np.empty(3, np.float32)
    double(np.arange(3, dtype=np.float32), y)
    assert y.tolist() == [0, 2, 4]
    assert quadrupled(np.float32(1.5)) == 6


def test_a_part_of_a_kernel_is_compiled_once_whatever_constants_it_is_called_with():
    @jit.helper
    def scaled(x, factor, up):
        return x * factor if up else x / factor

    @jit.helper
    def scale(x, factor, up):
        return scaled(scaled(scaled(x, 2.0, True), 8.0, False), factor, up)

    assert scale(1.0, 3.0, True) == 0.75
    assert scaled.signatures == [(numba.float64, numba.float64, numba.boolean)]


def test_a_kernel_that_needs_an_address_in_this_process_is_compiled_for_it_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    signature = numba.float64[::1], numba.float64[::1]
    assert jit._compile(add_one, signature, frozenset()) == (b"", None)
    y = np.empty(2)
    jit.kernel(add_one)(np.array([1.0, 2.0]), y)
    assert y.tolist() == [2, 3]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("collecting", [True, False])
def test_the_compiler_and_python_are_left_as_they_were(collecting):
    context, was_collecting = jit.registry.cpu_target.target_context, gc.isenabled()
    before, names = context.codegen(), set(vars(context))
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError), whole.waiting(add_one):
            assert context.codegen() is not before and not gc.isenabled()
            raise ZeroDivisionError
        assert context.codegen() is before and gc.isenabled() == collecting
        assert set(vars(context)) == names
    finally:
        (gc.enable if was_collecting else gc.disable)()


@pytest.mark.parametrize("broken", ["waiting", "module"])
def test_another_numba_inside_leaves_its_own_way(monkeypatch, broken):
    def missing(*args):
        raise AttributeError("_internal_codegen")

    monkeypatch.setattr(whole, broken, missing)
    y = np.empty(2, np.float32)
    jit.kernel(double.function)(np.array([1.0, 2.0], np.float32), y)
    assert y.tolist() == [2, 4]


def test_machine_code_is_that_of_the_module_as_it_is_written_down():
    """LLVM chooses addresses and registers by the order in which uses are listed, which is one of chance in memory."""
    function = gemm._outer_products.kernel.function
    matrix = numba.float32[:, ::1]
    signature = matrix, numba.intp, numba.intp, numba.types.Tuple((numba.intp, numba.intp, matrix, matrix))
    numba.get_num_threads()
    dispatcher = numba.njit(**jit.OPTIONS)(jit._twin(function))
    written = []
    with whole.waiting(function), pytest.MonkeyPatch.context() as patch:
        dispatcher.compile(signature)
        made = whole.module
        patch.setattr(whole, "module", lambda *args: written.append(made(*args)) or written[0])
        packed = machine_code.pack(dispatcher.overloads[signature])
    module = llvm.parse_assembly(str(written[0]))
    expected = dispatcher.overloads[signature].library.codegen._tm.emit_object(module)
    assert packed.partition(b"\n")[2] == expected
