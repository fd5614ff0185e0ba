"""The linear layer's kernels: equal to the definition for all shapes, the same bits for any number of threads."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

import minigrad
from minigrad.kernels import compiled, gemm, linear, reference, threads

NEEDS = list(itertools.product([False, True], repeat=3))


@pytest.fixture(autouse=True)
def threads_for_any_work(monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 1)
    monkeypatch.setattr(threads, "STALL", 10**12)
    monkeypatch.setattr(threads, "_resume", 0)
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)
    forget_plans()


def forget_plans():
    linear._forward.cache_clear()
    linear._backward.cache_clear()


def operands(rng, N, I, O, dtype=np.float32):
    return [rng.standard_normal(shape).astype(dtype) for shape in ((N, I), (O, I), (O,), (N, O))]


def assert_sum(y, exact, bound, terms):
    """y is a sum of so many terms, up to the rounding of each addition."""
    assert y.dtype == np.float32 and y.shape == exact.shape and y.flags.carray and y.base is None
    assert (np.abs(y - exact) <= (terms + 3) * np.finfo(np.float32).eps * bound + 1e-30).all()


def around(*sizes):
    """0, 1, primes, and each size with its neighbours."""
    return st.sampled_from(sorted({0, 1, 2, 3, 7, 13, 31, *(size + d for size in sizes for d in (-1, 0, 1))}))


@settings(max_examples=150, deadline=None)
@given(
    around(gemm.ROWS, gemm.INNER_ROWS, 2 * gemm.ROWS),
    around(gemm.LANES, gemm.WIDTH),
    around(gemm.ROWS, gemm.INNER_COLUMNS, gemm.WIDTH),
    st.booleans(),
    st.booleans(),
    st.sampled_from(NEEDS),
    st.sampled_from([1, 2]),
    st.integers(0, 2**32 - 1),
)
@example(gemm.ROWS + 1, gemm.WIDTH + 1, gemm.ROWS + 1, True, False, (True, True, True), 2, 0)
@example(gemm.ROWS, gemm.WIDTH, gemm.ROWS, False, True, (False, False, True), 2, 0)
def test_equals_the_definition(N, I, O, bias, relu, needs, number, seed):
    x, w, b, g = operands(np.random.default_rng(seed), N, I, O)
    minigrad.set_num_threads(number)
    X, W, B, G = (a.astype(np.float64) for a in (x, w, b, g))
    y = compiled.linear(x, w, b if bias else None, relu)
    product = X @ W.T + bias * B
    assert_sum(y, np.maximum(product, 0) if relu else product, np.abs(X) @ np.abs(W).T + np.abs(B), I + 1)
    G = np.where(y == 0, 0, G) if relu else G
    exact = [(G @ W, np.abs(G) @ np.abs(W), O), (G.T @ X, np.abs(G).T @ np.abs(X), N), (G.sum(0), np.abs(G).sum(0), 1)]
    gradients = compiled.linear_backward(g, x, w, *needs, y if relu else None)
    assert tuple(gradient is not None for gradient in gradients) == needs
    for gradient, expected in itertools.compress(zip(gradients, exact, strict=True), needs):
        assert_sum(gradient, *expected)


@pytest.mark.parametrize("shape", [(37, 50, 101), (64, 40, 10), (9, 200, 131)], ids=str)
def test_the_same_bits_for_any_number_of_threads(rng, monkeypatch, shape):
    monkeypatch.setattr(gemm, "SPEED", 1e-3)
    forget_plans()
    x, w, b, g = operands(rng, *shape)
    results = []
    for number in (1, 2, 3, 4):
        minigrad.set_num_threads(number)
        for y in (None, compiled.linear(x, w, b, True)):
            gradients = [compiled.linear_backward(g, x, w, True, True, True, y) for _ in range(3)]
            results += [(compiled.linear(x, w, b, y is not None), *found) for found in gradients]
    for i, result in enumerate(results):
        assert [a.tobytes() for a in result] == [a.tobytes() for a in results[3 * (i // 3 % 2)]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_what_they_are_part_of_and_nothing_else(rng, value):
    N, I, O = gemm.ROWS + 3, gemm.WIDTH + 5, gemm.INNER_COLUMNS + 6
    for operand in range(4):
        arrays = operands(rng, N, I, O)
        for place in (0, arrays[operand].size - 1, arrays[operand].size // 2):
            x, w, b, g = spoilt = [a.copy() for a in arrays]
            spoilt[operand].flat[place] = value
            actual = compiled.linear(x, w, b), *compiled.linear_backward(g, x, w, True, True, True)
            expected = reference.linear(x, w, b), *reference.linear_backward(g, x, w, True, True, True)
            for a, e in zip(actual, expected, strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-4)
                np.testing.assert_array_equal(np.isfinite(a), np.isfinite(e))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernels", [compiled, reference])
def test_with_relu_the_bits_are_those_of_relu_afterwards(rng, kernels, dtype):
    """Also of -0.0, of NaN and infinities, and of gradients that are NaN where relu cuts them off."""
    for shape in ((37, 50, 101), (gemm.INNER_ROWS - 1, 7, 9), (64, 8 * gemm.LANES, 10)):
        x, w, b, g = operands(rng, *shape, dtype)
        x[0] = 0
        b[:3] = 0.0, -0.0, np.nan
        x[-1], w[3], b[3] = 1e-40, -1e-40, -0.0  # a sum of -0.0
        x[1, 1] = -np.inf
        g[0, ::2] = np.nan
        y = kernels.linear(x, w, b, True)
        expected = kernels.relu(kernels.linear(x, w, b))
        assert y.tobytes() == expected.tobytes() and not np.signbit(y[y == 0]).any()
        sent = kernels.relu_backward(g, expected)
        for needs in NEEDS:
            results = kernels.linear_backward(g, x, w, *needs, y), kernels.linear_backward(sent, x, w, *needs)
            for a, e in itertools.compress(zip(*results, strict=True), needs):
                assert a.tobytes() == e.tobytes()


def test_a_long_sum_for_the_bias_keeps_its_digits():
    """2**24 + 1 is no float32: ones added to it one by one would be lost."""
    g = np.ones((2**14, 8), np.float32)
    g[0] = 2**24
    x, w = np.zeros((2**14, 2), np.float32), np.zeros((8, 2), np.float32)
    for kernels in (compiled, reference):
        _, _, gb = kernels.linear_backward(g, x, w, False, False, True)
        np.testing.assert_array_equal(gb, np.full(8, 2**24 + 2**14 - 1, np.float64).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_other_dtypes_are_the_definition(rng, dtype):
    x, w, b, g = ((a * 8).astype(dtype) for a in operands(rng, 12, 20, 60))
    for kernels in (compiled, reference):
        results = kernels.linear(x, w, b), *kernels.linear_backward(g, x, w, True, True, True)
        wide = g.astype(np.float32) if dtype == np.float16 else g
        for a, e in zip(results, (x @ w.T + b, g @ w, g.T @ x, wide.sum(0)), strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, e, rtol=1e-3 if dtype == np.float16 else 1e-12, atol=1e-10)


@pytest.mark.parametrize("kernels", [compiled, reference])
@pytest.mark.parametrize("shapes", [((3, 4), (4, 3), (4,)), ((3,), (2, 3), (2,)), ((3, 4), (2, 4), (3,))], ids=str)
def test_shapes_that_do_not_fit_are_refused(kernels, shapes):
    x, w, b = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(ValueError, match=r"linear: needs rows \(N, I\), a weight \(O, I\)") as error:
        kernels.linear(x, w, b)
    assert all(str(shape) in str(error.value) for shape in shapes)
    with pytest.raises(ValueError, match="linear_backward: the gradient has shape"):
        kernels.linear_backward(np.zeros((3, 3), np.float32), np.zeros((3, 4)), np.zeros((2, 4)), True, True, True)
    g, x, w, y = (np.zeros(shape, np.float32) for shape in ((3, 2), (3, 4), (2, 4), (3, 1)))
    with pytest.raises(ValueError, match=r"linear_backward: the output has shape \(3, 1\), expected \(3, 2\)"):
        kernels.linear_backward(g, x, w, True, True, True, y)


@pytest.mark.parametrize("kernels", [compiled, reference])
def test_gradients_that_nobody_needs_have_no_array_to_go_to(rng, kernels):
    x, w, _, g = operands(rng, 20, 30, 40)
    for needs in NEEDS:
        expected = kernels.linear_backward(g, x, w, *needs)
        out = tuple(None if a is None else np.empty_like(a) for a in expected)
        assert kernels.linear_backward(g, x, w, *needs, out=out) is out
        for a, e in zip(out, expected, strict=True):
            assert (a is None) == (e is None)
            if a is not None:
                np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="linear_backward: out must be a tuple of 3 arrays"):
        kernels.linear_backward(g, x, w, False, True, True, out=(np.empty_like(w), np.empty_like(w[:, 0])))


@pytest.mark.parametrize("features", [False, True])
def test_a_linear_layer_by_tiles_has_the_gradients_of_the_definition(rng, features):
    """First and second order; leading axes are rows like any others."""
    shape = (6, 7, 45) if features else (42, 45)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in (shape, (70, 45), (70,))]
    g, v = rng.standard_normal((*shape[:-1], 70)).astype(np.float32), rng.standard_normal((70, 45)).astype(np.float32)
    results = {}
    for backend in ("numba", "numpy"):
        with minigrad.use_backend(backend):
            x, w, b = (minigrad.tensor(a, requires_grad=True) for a in arrays)
            y = minigrad.nn.functional.linear(x, w, b)
            gradients = minigrad.autograd.grad(y, (x, w, b), minigrad.tensor(g), create_graph=True)
            (second,) = minigrad.autograd.grad(gradients[0], w, gradients[0].detach() * 2, retain_graph=True)
            (third,) = minigrad.autograd.grad(gradients[1], x, minigrad.tensor(v))
            results[backend] = [t.numpy(force=True) for t in (y, *gradients, second, third)]
    for actual, expected in zip(results["numba"], results["numpy"], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)
