"""Kernels on several threads: who gets them, the same results, and no crash with Python threads and forks."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

import minigrad
from minigrad.kernels import jit, threads
from minigrad.kernels.parallel import ThreadedKernel, launch, reordering_threaded_kernel, threaded_kernel

ROOT = Path(__file__).parents[2]
LONG = 1e9  # nanoseconds

compiled_only = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Leave the number of threads as it was; kernels of this file stay off the disk."""
    monkeypatch.setattr(jit, "_warned", True)
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.devnull)
    monkeypatch.setattr(threads, "STALL", 10**12)  # no pauses, however busy the machine
    monkeypatch.setattr(threads, "_resume", 0)
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)


# ------------------------------------------------------------------------------------------------- the policy


def test_the_number_of_threads_is_kept():
    for n in (1, 5, np.int64(2)):
        minigrad.set_num_threads(n)
        assert minigrad.get_num_threads() == n and type(minigrad.get_num_threads()) is int


@pytest.mark.parametrize("bad", [0, -1])
def test_a_number_below_one_is_refused(bad):
    before = minigrad.get_num_threads()
    with pytest.raises(RuntimeError, match=rf"set_num_threads: the number of threads must be at least 1, got {bad}"):
        minigrad.set_num_threads(bad)
    assert minigrad.get_num_threads() == before


@pytest.mark.parametrize("bad", [1.0, "2", None, True, [2]])
def test_what_is_no_integer_is_refused(bad):
    before = minigrad.get_num_threads()
    with pytest.raises(TypeError, match="set_num_threads: the number of threads must be an integer, got") as error:
        minigrad.set_num_threads(bad)
    assert repr(bad) in str(error.value) and minigrad.get_num_threads() == before


@pytest.mark.parametrize(("asked", "number"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_the_default_is_what_numba_would_take(monkeypatch, asked, number):
    monkeypatch.setattr(threads, "_number", None)
    monkeypatch.setenv("NUMBA_NUM_THREADS", asked)
    assert minigrad.get_num_threads() == (number or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("number", "units", "nanoseconds", "pool", "expected"),
    [
        (4, 100, LONG, 8, 4),
        (4, 3, LONG, 8, 3),
        (4, 100, LONG, 2, 2),
        (4, 100, 3.5 * threads.SHARE, 8, 3),
        (4, 100, 1.9 * threads.SHARE, 8, 1),
        (4, 0, LONG, 8, 1),
        (1, 100, LONG, 8, 1),
    ],
)
def test_a_kernel_gets_as_many_threads_as_pay(number, units, nanoseconds, pool, expected):
    minigrad.set_num_threads(number)
    n = threads.claim(units, nanoseconds, pool)
    assert n == expected
    if n > 1:
        assert threads.claim(units, nanoseconds, pool) == 1  # somebody has it
        threads.release()


def test_a_kernel_that_was_kept_waiting_has_no_threads_for_a_while(monkeypatch):
    now = [10**15]
    monkeypatch.setattr(threads, "perf_counter_ns", lambda: now[0])
    monkeypatch.setattr(threads, "STALL", 300_000)
    monkeypatch.setattr(threads, "_pause", 0)
    minigrad.set_num_threads(2)

    def takes(nanoseconds):
        n = threads.claim(2, 1_000_000, 2)
        if n > 1:
            now[0] += nanoseconds
            threads.release()
        return n

    assert [takes(2_200_000) for _ in range(3)] == [2, 2, 2]
    for pause in (5, 10, 20, 40, 80, 160, 320, 640, 1280, 1280):  # milliseconds
        assert takes(2_400_000) == 2
        now[0] += pause * 1_000_000 - 1
        assert takes(0) == 1
        now[0] += 1
    assert takes(900_000) == 2
    now[0] += 3 * 1_280_000_000
    assert takes(900_000) == 2  # all is well again, and the next pause is a short one
    assert takes(2_400_000) == 2
    now[0] += 5_000_000
    assert takes(900_000) == 2


# ---------------------------------------------------------------------------------------------------- kernels


def _scale(first, last, x, factor, shift, y):
    for i in range(first, last):
        for j in range(x.shape[1]):
            y[i, j] += factor * x[i, j] + shift


def _no_arguments(first, last, y):
    for i in range(first, last):
        y[i] += 1


def _total(first, last, x, y):
    for i in range(first, last):
        s = x.dtype.type(0)
        for j in range(x.shape[1]):
            s += x[i, j]
        y[i] = s


def _checked(first, last, y):
    for i in range(first, last):
        if i == 7:
            raise IndexError("seven is out of range")
        y[i] = i


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_unit_is_done_once(rng, monkeypatch, dtype):
    monkeypatch.setattr(threads, "SHARE", 1)
    scale = threaded_kernel(_scale)
    assert isinstance(scale, ThreadedKernel) and scale.__name__ == "_scale"
    for units in (0, 1, 2, 3, 7, 64):
        x = rng.standard_normal((units, 5)).astype(dtype)
        for number in (1, 2, 3, 8):
            minigrad.set_num_threads(number)
            y = np.ones_like(x)
            scale(units, LONG, x, 3, 2.0, y)
            np.testing.assert_allclose(y, 3 * x + 3, rtol=1e-6, atol=1e-6)


def test_a_kernel_of_one_array(monkeypatch):
    kernel, y = threaded_kernel(_no_arguments), np.zeros(10)
    minigrad.set_num_threads(2)
    kernel(10, LONG, y)
    np.testing.assert_array_equal(y, 1)


def test_reordering_is_asked_for_by_name(rng):
    assert threaded_kernel(_total).fastmath == frozenset()
    kernel = reordering_threaded_kernel(_total)
    assert kernel.fastmath == jit.REORDER
    x = rng.standard_normal((9, 300))
    results = []
    for number in (1, 2):
        minigrad.set_num_threads(number)
        y = np.zeros(9)
        kernel(9, LONG, x, y)
        results.append(y)
    np.testing.assert_allclose(results[0], x.sum(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("number", [1, 2])
def test_an_exception_on_any_thread_is_raised_and_gives_the_pool_back(number):
    minigrad.set_num_threads(number)
    kernel = threaded_kernel(_checked)
    for _ in range(2):
        with pytest.raises(IndexError, match="seven is out of range"):
            kernel(8, LONG, np.zeros(8))
    y = np.zeros(7)
    kernel(7, LONG, y)
    np.testing.assert_array_equal(y, np.arange(7))
    assert threads.claim(2, LONG, 2) == number
    if number > 1:
        threads.release()


def test_the_definition_of_launch_does_the_parts_in_turn():
    done = []
    assert launch(lambda first, last, x, k: done.append((first, last, x, k)), 3, 8, "x", (1,)) is False
    assert done == [(0, 2, "x", 1), (2, 5, "x", 1), (5, 8, "x", 1)]


@compiled_only
def test_one_signature_and_no_other_where_calls_are_checked(monkeypatch):
    monkeypatch.setattr(jit, "CHECKED", True)
    kernel, x = threaded_kernel(_scale), np.ones((4, 3), np.float32)
    kernel(4, LONG, x, 3, 2.0, x.copy())
    (dispatcher,) = kernel.kernel.compiled.values()
    for bad in (x.T.copy().T, x[::2]):
        with pytest.raises(TypeError):
            kernel(4, LONG, x, 3, 2.0, bad)
    assert len(dispatcher.signatures) == 1
    with pytest.raises(TypeError, match="_scale: compiled for native"):
        threaded_kernel(_scale)(4, LONG, x, 3, 2.0, x.T)


# ----------------------------------------------------------------------------- Python threads, forks and layers

PROGRAM = """
import multiprocessing, os, sys, threading
import numpy as np
import minigrad
from minigrad.kernels import compiled, gemm, threads

minigrad.set_num_threads(2)
gemm.SPEED = 1e-3    # long enough for threads
threads.STALL = 10**15    # however busy the machine
rng = np.random.default_rng(0)
a, b = rng.standard_normal((40, 90)).astype("f"), rng.standard_normal((90, 150)).astype("f")
minigrad.set_num_threads(1)
serial = compiled.matmul(a, b)
minigrad.set_num_threads(2)

def right():
    return compiled.matmul(a, b).tobytes() == serial.tobytes()

def child(queue=None):
    os._exit(0 if right() and right() else 3)
"""

AT_ONCE = """
wrong = []
def work():
    for _ in range(200):
        if not right():
            wrong.append(1)
workers = [threading.Thread(target=work) for _ in range(8)]
for w in workers: w.start()
for w in workers: w.join()
assert not wrong
import numba
print(numba.threading_layer())
"""

FORKS = """
assert right() and threads._deadline
for _ in range(20):
    pid = os.fork()
    if not pid:
        child()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print(right())
"""

FORK_BEFORE_THE_FIRST_LAUNCH = """
minigrad.sigmoid(minigrad.tensor([1.0]))  # loads a kernel, and starts the pool; two threads have not been used
assert not threads._deadline
pid = os.fork()
if not pid:
    child()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

START_METHODS = """
if __name__ == "__main__":
    assert right()
    for method in ("fork", "forkserver", "spawn"):
        process = multiprocessing.get_context(method).Process(target=child)
        process.start()
        process.join(60)
        assert process.exitcode == 0, (method, process.exitcode)
    print("done")
"""


def run(tmp_path, program, **environment):
    """What a program prints, in an interpreter of its own."""
    file = tmp_path / "program.py"
    file.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}{program}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", file],
        env={**os.environ, "NUMBA_NUM_THREADS": "2", "NUMBA_CACHE_DIR": str(tmp_path / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-3000:])
    return done.stdout.strip()


@compiled_only
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_eight_python_threads_at_once(tmp_path, layer):
    """Without the lock the workqueue layer ends the process."""
    if layer == "omp" and not _has_openmp():
        pytest.skip("Numba has no OpenMP here")
    assert run(tmp_path, AT_ONCE, NUMBA_THREADING_LAYER=layer) == layer


@compiled_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_children_compute_on_one_thread(tmp_path):
    assert run(tmp_path, FORKS) == "True"


@compiled_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_a_process_that_has_only_loaded_kernels(tmp_path):
    assert run(tmp_path, FORK_BEFORE_THE_FIRST_LAUNCH) == "0"


@compiled_only
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_children_of_every_start_method(tmp_path):
    assert run(tmp_path, START_METHODS) == "done"


def _has_openmp():
    try:
        from numba.np.ufunc import omppool  # noqa: F401
    except ImportError:
        return False
    return True


def test_python_threads_share_the_pool_without_waiting():
    """One has it, the others go on alone."""
    minigrad.set_num_threads(2)
    assert threads.claim(2, LONG, 2) == 2
    found = []
    worker = threading.Thread(target=lambda: found.append(threads.claim(2, LONG, 2)))
    worker.start()
    worker.join(10)
    threads.release()
    assert found == [1]
