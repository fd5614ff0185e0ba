"""How kernels are compiled: one signature per function, and a cache on disk that may fail."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from minigrad.kernels import jit
from minigrad.kernels.jit import Kernel, kernel, reordering_kernel

ROOT = Path(__file__).parents[2]

# Prints the result of a kernel in both dtypes, and how often the user was warned.
CODE = """
import sys, warnings
sys.path.insert(0, {root!r})
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from minigrad.kernels import compiled
    for dtype in (np.float32, np.float64):
        print(compiled.erf(np.array([0.5, np.inf], dtype)), compiled.erf(np.zeros(1, dtype)))
        p = np.ones(2, dtype)
        compiled.sgd_update(p, p.copy(), None, 0.5, 0, 0, 0, False, False, False)
        print(p)
print(len(caught), *[w.category.__name__ + " " + str(w.message) for w in caught])
"""
RESULTS = ["[0.5204999 1.       ] [0.]", "[0.5 0.5]", "[0.52049988 1.        ] [0.]", "[0.5 0.5]"]


def _run(root=ROOT, **environment):
    """What the code prints at its end in a fresh interpreter, with the package that lies in `root`."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(root=str(root))],
        env={**os.environ, "NUMBA_DISABLE_JIT": "0", **{name: str(value) for name, value in environment.items()}},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *results, warned = done.stdout.strip().split("\n")
    assert results == RESULTS
    return warned


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder filled by one run of the code."""
    folder = tmp_path_factory.mktemp("cache")
    assert _run(NUMBA_CACHE_DIR=folder) == "0"
    return folder


def test_each_dtype_has_a_cache_entry_of_its_own(cache):
    indices, codes = ({p.name: p for p in cache.rglob(f"*.{ending}")} for ending in ("nbi", "nbc"))
    stems = {name.rsplit("_", 1)[0] for name in indices}  # without the digest of the sources
    assert stems == {f"{f}_{d}" for f in ("elementwise._erf", "update._sgd_updates") for d in ("float32", "float64")}
    assert len(codes) == len(indices)  # one signature, one machine code


def test_a_change_in_any_file_of_kernels_leaves_old_machine_code_behind(cache, tmp_path):
    """Also in one that the kernel only calls: its own file, and the date of that, stay as they are."""
    kernels = tmp_path / "minigrad" / "kernels"
    shutil.copytree(ROOT / "minigrad" / "kernels", kernels, ignore=_no_caches)
    (tmp_path / "minigrad" / "__init__.py").touch()
    folder = tmp_path / "cache"
    _run(tmp_path, NUMBA_CACHE_DIR=folder)
    before = {path.name for path in folder.rglob("*.nbi")}
    assert len(before) == 4
    _run(tmp_path, NUMBA_CACHE_DIR=folder)
    assert {path.name for path in folder.rglob("*.nbi")} == before
    with (kernels / "simd.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    _run(tmp_path, NUMBA_CACHE_DIR=folder)
    assert len({path.name for path in folder.rglob("*.nbi")} - before) == 4


def test_a_damaged_cache_is_reported_once_and_done_without(cache, tmp_path):
    folder = shutil.copytree(cache, tmp_path / "cache")
    damages = [lambda content: content[: len(content) // 2], lambda content: b"", lambda content: b"\x80garbage" * 9]
    files = sorted(folder.rglob("*.nb?"), key=lambda path: path.name)
    assert len(files) == 8
    for path, damage in zip(files, [*damages, *damages, *damages], strict=False):
        path.write_bytes(damage(path.read_bytes()))
    warned = _run(NUMBA_CACHE_DIR=folder)
    assert warned.startswith("1 RuntimeWarning minigrad cannot keep compiled kernels on disk")
    assert str(folder) in warned and "set NUMBA_CACHE_DIR" in warned


def test_a_cache_that_cannot_be_written_is_reported_once_and_done_without(tmp_path):
    """A package in a folder where nothing can be written, and no home directory."""
    shutil.copytree(ROOT / "minigrad" / "kernels", tmp_path / "minigrad" / "kernels", ignore=_no_caches)
    (tmp_path / "minigrad" / "__init__.py").touch()
    file = tmp_path / "minigrad" / "kernels" / "__pycache__"
    file.touch()  # a file where folders are looked for: root may write anywhere, but not in here
    warned = _run(tmp_path, HOME=file, XDG_CACHE_HOME=file / "cache", NUMBA_CACHE_DIR=file / "numba")
    assert warned.startswith("1 RuntimeWarning minigrad cannot keep compiled kernels on disk")
    assert "no locator available" in warned and "set NUMBA_CACHE_DIR" in warned


def _no_caches(folder, names):
    return [name for name in names if name == "__pycache__"]


def _double(x, y):
    for i in range(x.size):
        y[i] = 2 * x[i]


def _crooked(x):
    return x.there_is_no_such_attribute


@pytest.fixture
def no_cache(monkeypatch):
    """Kernels of this file stay off the disk."""
    monkeypatch.setattr(jit, "_warned", True)
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.devnull)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
def test_a_second_signature_is_an_error_and_not_a_compilation(no_cache):
    double = kernel(_double)
    assert isinstance(double, Kernel) and double.__name__ == "_double" and not double.compiled
    for dtype in (np.float32, np.float64):
        y = np.zeros(3, dtype)
        double(np.ones(3, dtype), y)
        np.testing.assert_array_equal(y, 2)
    assert {char: len(d.signatures) for char, d in double.compiled.items()} == {"f": 1, "d": 1}
    names = {d.py_func.__qualname__.rsplit("_", 1)[0] for d in double.compiled.values()}
    assert names == {"_double_float32", "_double_float64"}
    for x in (np.ones((2, 3), np.float32), np.ones(6, np.float32)[::2]):
        with pytest.raises(TypeError):
            double(x, y)
    assert {char: len(d.signatures) for char, d in double.compiled.items()} == {"f": 1, "d": 1}


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
def test_arrays_that_went_past_the_gate_are_never_compiled_for(no_cache):
    double, x = kernel(_double), np.ones(3, np.float32)
    read_only = x.copy()
    read_only.flags.writeable = False
    for arrays in ((x, np.zeros(3)), (np.ones(6, np.float32)[::2], x), (read_only, x), (x.astype(">f4"), x)):
        with pytest.raises(
            TypeError, match="_double: compiled for native, C-contiguous, writeable arrays of one dtype"
        ):
            double(*arrays)
    assert not double.compiled


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
def test_threads_that_arrive_together_share_one_compilation(no_cache):
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


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
def test_an_error_in_a_kernel_is_not_taken_for_a_broken_cache(no_cache, monkeypatch):
    monkeypatch.setattr(jit, "_warned", False)
    with pytest.raises(Exception, match="there_is_no_such_attribute"):
        kernel(_crooked)(np.ones(3))
    assert not jit._warned


def test_reordering_never_assumes_that_nan_and_infinity_do_not_occur():
    assert kernel(_double).fastmath == frozenset()
    assert reordering_kernel(_double).fastmath <= {"contract", "reassoc", "nsz", "arcp"}
    assert "fastmath" not in jit.OPTIONS
    assert jit.OPTIONS["error_model"] == "numpy" and jit.OPTIONS["nogil"] is True
