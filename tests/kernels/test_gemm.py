"""Products of matrices: equal to the definition for all shapes and layouts, the same bits for any number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

import minigrad
from minigrad.kernels import compiled, gemm, reference, threads

ROOT = Path(__file__).parents[2]
LAYOUTS = {"NN": (False, False), "NT": (False, True), "TN": (True, False), "TT": (True, True)}

each_layout = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture(autouse=True)
def small_products_too(monkeypatch):
    """Tiles for products of any size, and threads for any amount of work."""
    monkeypatch.setattr(gemm, "SMALL", 1)
    monkeypatch.setattr(threads, "SHARE", 1)
    monkeypatch.setattr(threads, "STALL", 10**12)
    monkeypatch.setattr(threads, "_resume", 0)
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)


def stored(a, transposed):
    """The same matrix, laid out column by column if `transposed`."""
    return np.ascontiguousarray(a.T).T if transposed else np.ascontiguousarray(a)


def operands(rng, M, K, N, layout="NN", dtype=np.float32):
    a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
    return tuple(stored(x, transposed) for x, transposed in zip((a, b), LAYOUTS[layout], strict=True))


def assert_product(y, a, b):
    """y is a b up to the rounding of so many additions, and a plain array."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    assert y.dtype == a.dtype and y.shape == exact.shape and y.flags.carray and y.base is None
    assert (np.abs(y - exact) <= (a.shape[1] + 2) * np.finfo(y.dtype).eps * bound + 1e-30).all()


def around(*sizes):
    """0, 1, primes, and each size with its neighbours."""
    return st.sampled_from(sorted({0, 1, 2, 3, 7, 13, 31, *(size + d for size in sizes for d in (-1, 0, 1))}))


@settings(max_examples=150)
@given(
    around(gemm.ROWS, gemm.INNER_ROWS, 2 * gemm.ROWS),
    around(gemm.LANES, 2 * gemm.LANES),
    around(gemm.WIDTH, gemm.INNER_COLUMNS, gemm.LANES),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([1, 2]),
    st.integers(0, 2**32 - 1),
)
@example(gemm.ROWS + 1, 1, gemm.WIDTH + 1, "TN", 2, 0)
def test_equals_the_definition(M, K, N, layout, number, seed):
    a, b = operands(np.random.default_rng(seed), M, K, N, layout)
    minigrad.set_num_threads(number)
    assert_product(compiled.matmul(a, b), a, b)


@each_layout
@pytest.mark.parametrize("shape", [(37, 50, 101), (64, 40, 10), (9, 200, 131)], ids=str)
def test_the_same_bits_for_any_number_of_threads(rng, monkeypatch, layout, shape):
    monkeypatch.setattr(gemm, "SPEED", 1e-3)
    a, b = operands(rng, *shape, layout)
    results = []
    for number in (1, 2, 3, 4):
        minigrad.set_num_threads(number)
        results += [compiled.matmul(a, b) for _ in range(3)]
    assert all(y.tobytes() == results[0].tobytes() for y in results)


@each_layout
def test_a_number_does_not_depend_on_the_tile_it_falls_in(rng, layout):
    """A row and a column taken out of the operands give what they give in the whole."""
    a, b = operands(rng, 29, 45, 67, layout)
    whole = compiled.matmul(a, b)
    for i, j in ((0, 0), (5, 11), (17, 19)):
        part = compiled.matmul(stored(a[i:], LAYOUTS[layout][0]), stored(b[:, j:], LAYOUTS[layout][1]))
        if layout != "TT":  # that is BLAS
            np.testing.assert_array_equal(part, whole[i:, j:])


@each_layout
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_their_row_or_column_and_no_other(rng, layout, value):
    M, K, N = gemm.ROWS + 3, gemm.LANES + 5, gemm.WIDTH + 7
    for i, k in ((0, 0), (M - 1, K - 1), (gemm.ROWS - 1, gemm.LANES), (3, gemm.LANES - 1)):
        a, b = operands(rng, M, K, N, layout)
        clean = compiled.matmul(a, b)
        a[i, k] = value
        y = compiled.matmul(a, b)
        np.testing.assert_array_equal(y[i], np.copysign(1, b[k]) * np.float32(value))
        np.testing.assert_array_equal(np.delete(y, i, 0), np.delete(clean, i, 0))
    for k, j in ((0, 0), (K - 1, N - 1), (gemm.LANES, gemm.WIDTH)):
        a, b = operands(rng, M, K, N, layout)
        clean = compiled.matmul(a, b)
        b[k, j] = value
        y = compiled.matmul(a, b)
        np.testing.assert_array_equal(y[:, j], np.copysign(1, a[:, k]) * np.float32(value))
        np.testing.assert_array_equal(np.delete(y, j, 1), np.delete(clean, j, 1))


def test_infinity_times_zero_is_nan_and_padding_makes_none(rng):
    a, b = operands(rng, gemm.ROWS + 1, 3, gemm.LANES + 1)
    b[1, 4] = np.inf
    a[2, 1] = 0
    y = compiled.matmul(a, b)
    assert np.isnan(y[2, 4]) and np.isnan(y).sum() == 1 and np.isinf(np.delete(y[:, 4], 2)).all()


@each_layout
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_other_dtypes_are_the_definition(rng, layout, dtype):
    a, b = (x * 8 for x in operands(rng, 12, 20, 60, layout))
    a, b = a.astype(dtype), b.astype(dtype)
    y = compiled.matmul(a, b)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, reference.matmul(a, b))


@pytest.mark.parametrize("kernels", [compiled, reference])
@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3,), (3, 2)), ((2, 3, 4), (4, 5)), ((0, 1), (0, 1))], ids=str)
def test_shapes_that_do_not_fit_are_refused(kernels, shapes):
    a, b = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(ValueError, match=r"matmul: needs matrices \(M, K\) and \(K, N\), got shapes") as error:
        kernels.matmul(a, b)
    assert all(str(shape) in str(error.value) for shape in shapes)


def test_the_choice_by_shape(monkeypatch):
    """Tiles for what a layer multiplies; BLAS for next to nothing, for what no cache holds, and for one row."""
    monkeypatch.undo()

    def by_tiles(M, K, N, a_transposed=False, b_transposed=False, dtype=np.float32):
        a, b = (stored(np.zeros(s, dtype), t) for s, t in (((M, K), a_transposed), ((K, N), b_transposed)))
        return gemm._by_tiles(a, b, M, K, N)

    assert by_tiles(32, 784, 100, b_transposed=True)
    assert by_tiles(32, 100, 784) and by_tiles(100, 32, 784, a_transposed=True)
    assert by_tiles(256, 1024, 1024, b_transposed=True)
    assert not by_tiles(32, 100, 10, b_transposed=True)
    assert not by_tiles(2048, 2048, 2048)
    assert not by_tiles(1, 4096, 4096) and not by_tiles(1, 4096, 4096, b_transposed=True)
    assert not by_tiles(100, 100, 100, a_transposed=True, b_transposed=True)
    assert not by_tiles(32, 784, 100, b_transposed=True, dtype=np.float64)
    assert not by_tiles(0, 784, 100) and not by_tiles(100, 0, 100) and not by_tiles(100, 784, 0)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
@pytest.mark.parametrize(("cpu", "features"), [("generic", None), ("haswell", "")], ids=["generic", "haswell"])
def test_this_file_passes_for_other_processors(cpu, features):
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu}
    if features is not None:
        environment["NUMBA_CPU_FEATURES"] = features
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "equals or bits or nan", __file__]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
