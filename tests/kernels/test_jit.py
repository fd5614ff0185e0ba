"""How kernels are compiled: one signature per function, in sight of the user, and never twice at once."""

import logging
import os
import threading

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels import jit
from minigrad.kernels.jit import Kernel, kernel, reordering_kernel

compiled_only = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")


def _double(x, y):
    for i in range(x.size):
        y[i] = 2 * x[i]


def _crooked(x):
    return x.there_is_no_such_attribute


@compiled_only
@pytest.mark.parametrize("checked", [False, True])
def test_a_dtype_is_compiled_for_once_and_where_calls_are_checked_another_signature_is_an_error(monkeypatch, checked):
    monkeypatch.setattr(jit, "CHECKED", checked)
    double = kernel(_double)
    assert isinstance(double, Kernel) and double.__name__ == "_double" and not double.compiled
    for dtype in (np.float32, np.float64):
        y = np.zeros(3, dtype)
        double(np.ones(3, dtype), y)
        np.testing.assert_array_equal(y, 2)
    assert {char: len(d.signatures) for char, d in double.compiled.items()} == {"f": 1, "d": 1}
    for x in (np.ones((2, 3), np.float32), np.ones(6, np.float32)[::2]) if checked else ():
        with pytest.raises(TypeError):
            double(x, y)
    assert {char: len(d.signatures) for char, d in double.compiled.items()} == {"f": 1, "d": 1}


@compiled_only
def test_arrays_that_went_past_the_gate_are_never_compiled_for():
    double, x = kernel(_double), np.ones(3, np.float32)
    read_only = x.copy()
    read_only.flags.writeable = False
    for arrays in ((x, np.zeros(3)), (np.ones(6, np.float32)[::2], x), (read_only, x), (x.astype(">f4"), x)):
        with pytest.raises(
            TypeError, match="_double: compiled for native, C-contiguous, writeable arrays of one dtype"
        ):
            double(*arrays)
    assert not double.compiled


@compiled_only
def test_threads_that_arrive_together_share_one_compilation():
    double, results, barrier = kernel(_double), [], threading.Barrier(6)

    def work():
        y = np.zeros(4)
        barrier.wait()
        double(np.ones(4), y)
        results.append((y.sum(), double.compiled["d"]))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [total for total, _ in results] == [8.0] * 6
    assert len({id(compiled) for _, compiled in results}) == 1


@compiled_only
def test_an_error_in_a_kernel_is_not_taken_for_a_broken_cache(monkeypatch):
    monkeypatch.setattr(jit, "_warned", False)
    with pytest.raises(Exception, match="there_is_no_such_attribute"):
        kernel(_crooked)(np.ones(3))
    assert not jit._warned


def test_reordering_never_assumes_that_nan_and_infinity_do_not_occur():
    assert kernel(_double).fastmath == frozenset()
    assert reordering_kernel(_double).fastmath <= {"contract", "reassoc", "nsz", "arcp"}
    assert "fastmath" not in jit.OPTIONS
    assert jit.OPTIONS["error_model"] == "numpy" and jit.OPTIONS["nogil"] is True


@compiled_only
def test_what_was_compiled_is_written_down():
    double, before = kernel(_double), len(jit.made)
    double(np.ones(3), np.zeros(3))
    double(np.ones(3), np.zeros(3))
    (made,) = jit.made[before:]
    assert made.name.endswith("._double") and made.dtype == "float64" and made.compiled and 0 < made.seconds < 60


class _Notes(logging.Handler):
    """Notes what is logged, and whether a kernel was being compiled at that time."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append((record.getMessage(), jit._lock.locked()))


@pytest.fixture
def logged(monkeypatch):
    """Messages of this test, in which nothing has been compiled or said before."""
    handler = _Notes()
    monkeypatch.setattr(jit, "_told", False)
    monkeypatch.delenv(jit.QUIET, raising=False)
    monkeypatch.setattr(jit, "made", [])
    logger = logging.getLogger("minigrad")
    logger.addHandler(handler)
    yield handler.messages
    logger.removeHandler(handler)


@compiled_only
def test_a_user_who_waits_is_told_why_once_and_while_it_lasts(logged, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "PATIENCE", 0.0)
    for dtype in (np.float32, np.float64):
        kernel(_double)(np.ones(3, dtype), np.zeros(3, dtype))
    ((message, compiling),) = logged
    assert message.startswith("minigrad: compiling kernels for this processor") and compiling
    assert str(tmp_path) in message and "minigrad.warmup" in message


@compiled_only
def test_patience_is_for_the_sum_of_all_kernels(logged, monkeypatch):
    jit.made.append(jit.Made("_loaded", "float32", 100.0, False))
    kernel(_double)(np.ones(3), np.zeros(3))
    assert not logged
    jit.made.append(jit.Made("_compiled", "float32", jit.PATIENCE, True))
    kernel(_double)(np.ones(3), np.zeros(3))
    assert len(logged) == 1


@compiled_only
def test_who_need_not_wait_is_told_nothing(logged, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 60.0)
    kernel(_double)(np.ones(3), np.zeros(3))
    assert not logged


@compiled_only
def test_who_does_not_want_to_be_told_is_not(logged, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0.0)
    monkeypatch.setenv("MINIGRAD_QUIET", "1")
    kernel(_double)(np.ones(3), np.zeros(3))
    assert not logged


@compiled_only
def test_a_single_long_compilation_is_told_of_while_it_lasts(logged, monkeypatch):
    monkeypatch.setattr(jit, "PATIENCE", 0.001)
    told = threading.Event()
    monkeypatch.setattr(jit, "_tell", told.set)
    with jit._progress():
        assert told.wait(60)
