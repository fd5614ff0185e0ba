"""Vectors and tiles: the instructions that are emitted do what the definitions say, on every kind of processor."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels import simd
from minigrad.kernels.jit import helper

ROOT = Path(__file__).parents[2]
L = simd.LANES
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 1.0, -2.5]

compiled_only = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")


def each_vector_function(a, b, x, n, y):
    """The result of every function of vectors, one after the other in y; returns how many numbers that are."""
    u, v = simd.load(a, 0), simd.load(b, 3)
    results = (
        u,
        simd.zero(a),
        simd.broadcast(x),
        simd.load_broadcast(a, 5),
        simd.load_first(a, 2, n),
        simd.add(u, v),
        simd.sub(u, v),
        simd.mul(u, v),
        simd.div(u, v),
        simd.fma(u, v, u),
        simd.maximum(u, v),
        simd.maximum(v, u),
        simd.select(simd.less(u, v), u, v),
    )
    at = 0
    for result in results:
        simd.store(y, at, result)
        at += L
    simd.store_first(y, at, v, n)
    y[at + L] = simd.total(v)
    return at + L + 1


def outer_product(rows, vectors):
    """A function that multiplies K columns of a, K numbers apart, by K rows of b, and adds what is in c."""

    def product(a, b, c, K, n, y):
        t = simd.tile_zero(a, rows, vectors)
        t = simd.tile_load(t, c, 1, vectors * L)
        for k in range(K):
            t = simd.tile_outer(t, a, k, K, b, k * vectors * L)
        simd.tile_store(t, y, 2, vectors * L + 1)
        t = simd.tile_broadcast(t, c, 1, 2)
        for k in range(K):
            t = simd.tile_outer_first(t, a, k, K, b, k * vectors * L, n)
        simd.tile_store_first(t, y, 2 + rows * (vectors * L + 1), vectors * L + 1, n)

    return product


def inner_product(rows, vectors):
    """A function that multiplies `rows` rows of a by `vectors` rows of b, K numbers long."""

    def product(a, b, K, y, relu):
        t = simd.tile_zero(a, rows, vectors)
        whole = K // L * L
        for k in range(0, whole, L):
            t = simd.tile_inner(t, a, k, K, b, k, K)
        t = simd.tile_inner_first(t, a, whole, K, b, whole, K, K - whole)
        simd.tile_store_totals(t, y, 1, vectors + 1, relu)

    return product


compiled_vectors = helper(each_vector_function)


def operand(rng, size, dtype, special):
    """Random numbers; of the special ones a sprinkling or none."""
    a = rng.standard_normal(size).astype(dtype)
    if special:
        places = rng.integers(0, size, len(SPECIAL))
        a[places] = SPECIAL
    return a


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, L - 1, L])
def test_vector_functions_do_what_their_definitions_say(rng, dtype, n):
    for special in (False, True) * 3:
        a, b = operand(rng, L + 2, dtype, special), operand(rng, L + 3, dtype, special)
        x = dtype(rng.standard_normal())
        actual, expected = np.full((2, 15 * L + 1), 7, dtype)
        with np.errstate(all="ignore"):
            size = each_vector_function(a, b, x, n, expected)
            assert compiled_vectors(a, b, x, n, actual) == size
        assert (actual[size:] == 7).all() and (actual[size - 1 - L + n : size - 1] == 7).all()
        tolerance = 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
        exact = np.r_[0 : 8 * L, 10 * L : size]  # all but div, which LLVM may turn round, and fma
        np.testing.assert_array_equal(actual[exact], expected[exact])


@pytest.mark.parametrize("position", range(L))
def test_nan_and_infinity_stay_in_their_lane_and_reach_the_total(position):
    a, b = np.ones(L + 2, np.float32), np.full(L + 3, 2, np.float32)
    for x in (np.nan, np.inf, -np.inf):
        b[3 + position] = x
        y = np.full(15 * L + 1, 7, np.float32)
        with np.errstate(all="ignore"):
            size = compiled_vectors(a, b, np.float32(1), L, y)
        sums = y[5 * L : 6 * L].copy()
        assert np.array_equal(sums[position], 1 + x, equal_nan=True)
        assert (np.delete(sums, position) == 3).all()
        assert np.array_equal(y[size - 1], np.float32(x), equal_nan=True)
        for k in (10, 11):  # maximum, both ways round
            assert np.array_equal(y[k * L + position], np.maximum(np.float32(1), np.float32(x)), equal_nan=True)


def inner_product_at(rows, vectors):
    """As `inner_product`, of `whole` numbers, with the rows of b where a table says; added to what is in y."""

    def product(a, b, table, whole, K, y):
        t = simd.tile_zero(a, rows, vectors)
        for k in range(0, whole, L):
            t = simd.tile_inner_at(t, a, k, K, b, k + 1, table, 2)
        simd.tile_add_totals(t, y, 1)

    return product


SHAPES = [(3, 2), (4, 4), (8, 1)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outer_tiles(rng, dtype, shape):
    (rows, vectors), K = shape, 7
    definition, columns = outer_product(rows, vectors), vectors * L
    compiled = helper(definition)
    a, b = operand(rng, (rows, K), dtype, False), operand(rng, (K, columns), dtype, False)
    c = operand(rng, 1 + rows * columns + 2 * rows, dtype, False)
    for n in {0, 1, L, columns - 1, columns}:
        actual, expected = np.full((2, 2 + 2 * rows * (columns + 1) + 9), 7, dtype)
        definition(a, b, c, K, n, expected)
        compiled(a, b, c, K, n, actual)
        np.testing.assert_allclose(actual, expected, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-5)
        full = actual[2 : 2 + rows * (columns + 1)].reshape(rows, columns + 1)
        np.testing.assert_allclose(full[:, :columns], a @ b + c[1:][: rows * columns].reshape(rows, -1), rtol=1e-3)
        rest = actual[2 + rows * (columns + 1) :][: rows * (columns + 1)].reshape(rows, columns + 1)
        np.testing.assert_allclose(rest[:, :n], (a @ b + c[1:][: 2 * rows : 2, None])[:, :n], rtol=1e-3, atol=1e-5)
        assert (full[:, columns:] == 7).all() and (rest[:, n:] == 7).all() and (actual[-9:] == 7).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inner_tiles(rng, dtype, shape):
    rows, vectors = shape
    definition = inner_product(*shape)
    compiled = helper(definition)
    for K, relu in itertools.product((0, 1, L - 1, L, L + 1, 3 * L + 5), (False, True)):
        a, b = operand(rng, (rows, K), dtype, False), operand(rng, (vectors, K), dtype, False)
        actual, expected = np.full((2, 1 + rows * (vectors + 1)), 7, dtype)
        definition(a, b, K, expected, relu)
        compiled(a, b, K, actual, relu)
        np.testing.assert_allclose(actual, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)
        grid, product = actual[1:].reshape(rows, vectors + 1), a @ b.T
        np.testing.assert_allclose(grid[:, :-1], np.maximum(product, 0) if relu else product, rtol=1e-3, atol=1e-4)
        assert (grid[:, -1] == 7).all() and actual[0] == 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inner_tiles_wherever_a_table_says(rng, dtype, shape):
    rows, vectors = shape
    definition = inner_product_at(*shape)
    compiled = helper(definition)
    for K in (L, 3 * L):
        a, b = operand(rng, (rows, K + 3), dtype, False), operand(rng, 2 * K + 1, dtype, False)
        table = np.concatenate([[-99, 10**9], rng.integers(0, K + 1, vectors)]).astype(np.intp)
        actual, expected = np.full((2, 2 + rows * vectors), 7, dtype)
        definition(a, b, table, K, K + 3, expected)
        compiled(a, b, table, K, K + 3, actual)
        tolerance = 1e-4 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
        moved = np.stack([b[1 + offset :][:K] for offset in table[2:]])
        np.testing.assert_allclose(actual[1:-1], 7 + (a[:, :K] @ moved.T).reshape(-1), rtol=1e-3, atol=1e-4)
        assert actual[0] == actual[-1] == 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [-1, 0, 1, L - 1, L, L + 1])
def test_transposed_tiles_of_the_first_columns(rng, dtype, n):
    def transpose(a, n, y):
        t = simd.tile_load_first(simd.tile_zero(a, L, 1), a, 1, L + 3, n)
        simd.tile_store(simd.tile_transpose(t), y, 2, L)

    rows = max(min(n, L), 0)
    a = operand(rng, 1 + (L - 1) * (L + 3) + rows, dtype, True)  # there is nothing behind the last row's first columns
    table = np.zeros((L, L), dtype)
    for r in range(L):
        table[r, :rows] = a[1 + r * (L + 3) :][:rows]
    for function in (transpose, helper(transpose)):
        y = np.full(L * L + 3, 7, dtype)
        function(a, n, y)
        np.testing.assert_array_equal(y[2:-1].reshape(L, L), table.T)
        assert (y[:2] == 7).all() and y[-1] == 7


@pytest.mark.parametrize("n", [0, -1, -3 * L])
@pytest.mark.parametrize("at", [0, -5, 10**6])
def test_no_lanes_at_all_touch_no_memory_wherever_they_would_be(n, at):
    def move(a, at, n, y):
        simd.store_first(y, at, simd.load_first(a, 0, n), n)
        simd.store(y, 0, simd.load_first(a, at, n))

    a, y = np.ones((2, L), np.float32)
    for function in (move, helper(move)):
        y[:] = 7
        function(a, at, n, y)
        assert (y == 0).all()


@compiled_only
def test_out_of_line_functions_are_called():
    """And do what they do when copied to where they are called."""

    @helper
    def double(y):
        simd.out_of_line()
        y[0] *= 2

    @helper
    def twice(y):
        double(y)
        double(y)

    y = np.ones(1, np.float32)
    twice(y)
    assert y[0] == 4
    (assembly,) = twice.inspect_llvm().values()
    assert "noinline" in assembly


def test_totals_are_the_same_bits_whether_taken_alone_or_together(rng):
    a = operand(rng, (4, L), np.float32, False)
    b, y = np.ones((4, L), np.float32), np.zeros(1 + 4 * 5, np.float32)
    helper(inner_product(4, 4))(a, b, L, y, False)
    np.testing.assert_array_equal(y[1:].reshape(4, 5)[:, :4], np.repeat([[simd.total(row)] for row in a], 4, axis=1))


def numbers_of_each_half(a):
    """What the first and the second half of an array are, as if flat, and twice what is between them."""
    row = simd.flat(a)
    row[row.size // 2] *= 2
    return row[: row.size // 2], row[row.size // 2 :]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 1, 4)])
def test_a_flat_array_is_the_array_itself(shape, dtype):
    a = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    first, second = helper(numbers_of_each_half)(a)
    assert np.shares_memory(a, first) and np.shares_memory(a, second)
    middle = a.size // 2
    assert [*first, *second] == a.ravel().tolist() == [i * (1 + (i == middle)) for i in range(a.size)]
    del a
    assert first.tolist() == list(range(middle))


@pytest.mark.parametrize("at", [-1, 2, 100])
def test_definitions_check_bounds(at):
    a = np.zeros(L + 1, np.float32)
    with pytest.raises(IndexError, match=rf"elements {at} to {at + L} of an array of {L + 1}"):
        simd.load(a, at)
    with pytest.raises(IndexError):
        simd.store(a, at, np.zeros(L, np.float32))
    with pytest.raises(IndexError):
        simd.tile_outer(simd.tile_zero(a, 1, 1), a, 0, 1, a, at)


@compiled_only
def test_what_does_not_fit_is_refused_by_the_compiler():
    a, d = np.zeros(4 * L, np.float32), np.zeros(4 * L)

    @helper
    def two_dtypes(a, d):
        simd.store(d, 0, simd.load(a, 0))

    @helper
    def strided(a, d):
        simd.store(d, 0, simd.load(a, 0))

    @helper
    def shape_unknown(a, rows):
        simd.tile_store(simd.tile_zero(a, rows, 1), a, 0, L)

    for function, args in ((two_dtypes, (a, d)), (strided, (a[::2], a[::2])), (shape_unknown, (a, 2))):
        with pytest.raises(Exception, match=r"No implementation|Failed in nopython"):
            function(*args)


def run_for(cpu, features, *arguments):
    """Run Python with Numba compiling for another processor; features None: those that Numba takes for it."""
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu}
    if features is not None:
        environment["NUMBA_CPU_FEATURES"] = features
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@compiled_only
@pytest.mark.parametrize(
    ("cpu", "features", "lanes"),
    [("generic", None, 4), ("haswell", "", 8), ("skylake-avx512", "", 16)],
    ids=["generic", "haswell", "avx512"],
)
def test_lanes_follow_the_processor_that_numba_compiles_for(cpu, features, lanes):
    if "x86" not in os.uname().machine:
        pytest.skip("names of x86 processors")
    program = "from minigrad.kernels import simd; print(simd.LANES, simd.REGISTERS)"
    done = run_for(cpu, features, "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(lanes), str(32 if lanes == 16 else 16)]


@compiled_only
@pytest.mark.slow
@pytest.mark.parametrize(("cpu", "features"), [("generic", None), ("haswell", "")], ids=["generic", "haswell"])
def test_this_file_passes_for_other_processors(cpu, features):
    only = "(vector_functions and float32) or (tiles and 4 and float32)"
    done = run_for(cpu, features, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only, __file__)
    assert done.returncode == 0, done.stdout[-3000:]
