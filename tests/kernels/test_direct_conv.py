"""Convolution straight from the pixels: every tile and band, any number of threads, no zero where none belongs."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

import minigrad
from minigrad.kernels import compiled, conv, direct_conv, reference, threads
from minigrad.kernels.simd import LANES

ROOT = Path(__file__).parents[2]
FACES = ("conv2d", "conv2d_input", "conv2d_weight")
TILES = {np.float32: direct_conv.FLOAT32_TILES, np.float64: direct_conv.FLOAT64_TILES}
INNER_TILES = {np.float32: direct_conv.FLOAT32_INNER_TILES, np.float64: direct_conv.FLOAT64_INNER_TILES}


@pytest.fixture(autouse=True)
def any_number_of_threads(monkeypatch):
    """Threads for any amount of work, and as many as before when the test is over; plans are made anew."""
    monkeypatch.setattr(threads, "SHARE", 1)
    monkeypatch.setattr(threads, "STALL", 10**12)
    monkeypatch.setattr(threads, "_resume", 0)
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)
    forget_plans()


def forget_plans():
    conv._forward.cache_clear()
    conv._backward.cache_clear()


def operands(rng, x, w, options, dtype=np.float32):
    """Random arrays x, w, b and g for a convolution of these shapes."""
    x, w = rng.standard_normal(x).astype(dtype), rng.standard_normal(w).astype(dtype)
    b = rng.standard_normal(len(w)).astype(dtype)
    return x, w, b, rng.standard_normal(reference.conv2d(x, w, b, *options).shape).astype(dtype)


def faces(kernels, x, w, b, g, options):
    """The results of the three kernels."""
    calls = ((x, w, b), (g, w, x.shape), (x, g, w.shape))
    return [getattr(kernels, name)(*args, *options) for name, args in zip(FACES, calls, strict=True)]


def assert_right(x, w, b, g, options):
    """All three faces equal their definitions, up to the rounding of so many additions."""
    absolute = [np.abs(a) for a in (x, w, b, g)]
    results = zip(FACES, faces(compiled, x, w, b, g, options), faces(reference, x, w, b, g, options), strict=True)
    bounds = faces(reference, *(a.astype(np.float64) for a in absolute), options)
    terms = (w[0].size, w.size // w.shape[1], g.size // g.shape[1])
    for (name, actual, expected), bound, n in zip(results, bounds, terms, strict=True):
        assert actual.dtype == x.dtype and actual.shape == expected.shape and actual.flags.carray, name
        tolerance = 2 * (n + 2) * np.finfo(x.dtype).eps * bound + 1e-30
        assert (np.abs(actual - expected) <= tolerance).all(), f"{name}: off by {np.abs(actual - expected).max()}"


def around(*sizes):
    """Each size with its neighbours."""
    return st.sampled_from(sorted({size + d for size in sizes for d in (-1, 0, 1) if size + d > 0}))


CHANNELS = st.sampled_from([1, 2, 3, 4, 6, 7, 8, 9, 12, 16, 17, 33])


@settings(max_examples=60)
@given(
    CHANNELS,
    CHANNELS,
    around(1, 5, 14),
    around(1, 7, LANES, 2 * LANES),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(0, 2), st.integers(0, 4)),
    st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]),
    st.integers(1, 2),
    st.sampled_from([1, 2]),
    st.integers(0, 2**32 - 1),
)
def test_equals_the_definition(C, O, H, W, kernel, padding, stride, dilation, number, seed):
    rng = np.random.default_rng(seed)
    H, W = (max(n, dilation * (k - 1) + 1 - 2 * p) for n, k, p in zip((H, W), kernel, padding, strict=True))
    options = (stride, padding, (dilation, dilation), 1)
    minigrad.set_num_threads(number)
    assert_right(*operands(rng, (3, C, H, W), (O, C, *kernel), options), options)


@settings(max_examples=60)
@given(
    st.sampled_from([LANES, LANES + 1, 2 * LANES]),
    st.sampled_from([1, 2, 3, 9, 17]),
    st.sampled_from([1, 2, 3, 9, 17]),
    around(1, 5, LANES),
    around(1, 5, LANES, 2 * LANES),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]),
    st.sampled_from([(1, 1), (2, 1), (1, 3)]),
    st.integers(1, 2),
    st.sampled_from([1, 300, 1 << 16]),
    st.sampled_from([np.float32, np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_as_many_images_as_fill_vectors(N, C, O, H, W, kernel, padding, stride, dilation, groups, band, dtype, seed):
    """Images side by side, whatever they cost, and those that are left over; in bands, and on two threads."""
    rng = np.random.default_rng(seed)
    sizes = zip((H, W), kernel, padding, dilation, strict=True)
    H, W = (max(n, d * (k - 1) + 1 - 2 * p) for n, k, p, d in sizes)
    options = (stride, padding, dilation, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct_conv, "TRANSPOSE", 0.0)
        patch.setattr(direct_conv, "COPY", 1e9)
        patch.setattr(direct_conv, "BAND", band)
        patch.setattr(direct_conv, "SLICE", 1000)
        patch.setattr(direct_conv, "LENGTH", 1)
        forget_plans()
        minigrad.set_num_threads(1 + seed % 2)
        arrays = operands(rng, (N, C * groups, H, W), (O * groups, C, *kernel), options, dtype)
        forget_plans()
        assert_right(*arrays, options)
    forget_plans()


def test_images_side_by_side_and_one_by_one_give_the_same_bits(rng):
    """What a batch brings for an image does not depend on the size of the batch."""
    options = ((1, 1), (2, 1), (1, 1), 1)
    x, w, b, g = operands(rng, (LANES + 3, 5, 9, 8), (7, 5, 3, 3), options)
    whole = compiled.conv2d(x, w, b, *options), compiled.conv2d_input(g, w, x.shape, *options)
    for n in range(len(x)):
        one = slice(n, n + 1)
        parts = compiled.conv2d(x[one], w, b, *options), compiled.conv2d_input(g[one], w, x[one].shape, *options)
        for a, part in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(a[one], part)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_tile_is_right(rng, monkeypatch, dtype):
    """Also for fewer channels than it has rows, and more."""
    options = ((1, 1), (1, 0), (1, 1), 1)
    name = "FLOAT32" if dtype == np.float32 else "FLOAT64"
    for tile in TILES[dtype]:
        for inner in INNER_TILES[dtype]:
            monkeypatch.setattr(direct_conv, f"{name}_TILES", (tile,))
            monkeypatch.setattr(direct_conv, f"{name}_INNER_TILES", (inner,))
            forget_plans()
            for N, O in ((2, 1), (2, tile[0] + 1), (LANES + 1, tile[0] + 1)):
                assert_right(*operands(rng, (N, 3, 6, 17), (O, 3, 3, 2), options, dtype), options)


@pytest.mark.parametrize("band", [1, 200, 1000])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_large_images_are_done_in_bands(rng, monkeypatch, band, stride):
    """The same bits, for each number is the same sum; in the gradient of the weights, up to the order of the sum."""
    options = (stride, (2, 1), (2, 1), 1)
    arrays = operands(rng, (3, 5, 23, 9), (7, 5, 3, 3), options)
    whole = faces(compiled, *arrays, options)
    monkeypatch.setattr(direct_conv, "BAND", band)
    forget_plans()
    assert direct_conv._layout(5, 9, *arrays[3].shape[2:], (3, 3, 2, 1), (2, 1), stride, 1).band < arrays[3].shape[2]
    assert_right(*arrays, options)
    for a, b in zip(whole[:2], faces(compiled, *arrays, options), strict=False):
        np.testing.assert_array_equal(a, b)


CASES = [
    ((37, 6, 14, 14), (16, 6, 5, 5), ((1, 1), (0, 0), (1, 1), 1)),
    ((5, 8, 9, 12), (12, 4, 3, 3), ((1, 1), (1, 1), (1, 1), 2)),
    ((3 * LANES + 5, 4, 9, 12), (10, 2, 3, 3), ((1, 1), (1, 1), (1, 1), 2)),
    ((7, 3, 13, 11), (6, 3, 3, 2), ((2, 3), (1, 0), (1, 2), 1)),
]


@pytest.mark.parametrize(("x", "w", "options"), CASES)
def test_the_same_bits_for_any_number_of_threads(rng, monkeypatch, x, w, options):
    monkeypatch.setattr(direct_conv, "SLICE", 1000)  # several slices, whatever the size
    monkeypatch.setattr(direct_conv, "LENGTH", 1)
    forget_plans()
    arrays = operands(rng, x, w, options)
    assert_right(*arrays, options)
    minigrad.set_num_threads(1)
    expected = [a.tobytes() for a in faces(compiled, *arrays, options)]
    for number in (2, 3, 4):
        minigrad.set_num_threads(number)
        for _ in range(3):
            assert [a.tobytes() for a in faces(compiled, *arrays, options)] == expected


@pytest.mark.parametrize(("slices", "parts"), [(1, 1), (4, 1), (1, 4), (2, 2)])
def test_slices_of_the_batch_and_parts_of_the_channels(rng, monkeypatch, slices, parts):
    """A gradient of weights is cut up either way, or both."""
    options = ((1, 1), (1, 1), (1, 1), 1)
    N, O, C, size = slices + slices // 2, 5 * parts * max(rows for rows, _ in direct_conv.FLOAT32_INNER_TILES), 3, 5
    for name, value in (("FEW", slices * parts), ("SLICE", 1), ("LENGTH", 1), ("BLOCKS", 1)):
        monkeypatch.setattr(direct_conv, name, value)
    monkeypatch.setattr(direct_conv, "PARTIAL", slices * O * C * 9)
    monkeypatch.setattr(direct_conv, "_shares", lambda N: [(N, 1)])  # also where so few images fill vectors
    forget_plans()
    shapes = (N, C, size, size), (N, O, size, size), (O, C, 3, 3)
    plan = direct_conv.correlation(*shapes, 1, (1, 1), (3, 3, 1, 1), (1, 1), bias=False, itemsize=4)
    assert (plan.slices, plan.parts) == (slices, parts)
    assert_right(*operands(rng, (N, C, size, size), (O, C, 3, 3), options), options)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize(
    "options",
    [
        ((1, 1), (0, 0), (1, 1), 1),
        ((1, 1), (1, 2), (1, 1), 1),
        ((1, 1), (4, 3), (1, 2), 1),
        ((2, 2), (1, 0), (1, 1), 2),
        ((1, 3), (2, 0), (2, 1), 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("N", [2, LANES + 1])
def test_nan_and_infinity_reach_what_they_reach_in_the_definition(rng, options, value, N):
    """At each position of each operand. There are zeros next to the image that the definition knows nothing of."""
    arrays = operands(rng, (N, 2, 5, 4), (2, 2 // options[3], 3, 2), options)
    for k, a in enumerate(arrays):
        for i in range(a.size) if N == 2 else rng.integers(0, a.size, 20):
            changed = [array.copy() for array in arrays]
            changed[k].reshape(-1)[i] = value
            changed[k].reshape(-1)[(7 * i + 3) % a.size] *= 0  # 0 times infinity is NaN where they do meet
            results = zip(FACES, faces(compiled, *changed, options), faces(reference, *changed, options), strict=True)
            for name, actual, expected in results:
                np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5, err_msg=f"{name}, operand {k}, {i}")


def test_infinity_beside_the_last_window_stays_out_of_the_gradient(rng):
    """The columns of x that no window starts in meet zeros in the kernel; the definition multiplies them by g alone."""
    options = ((1, 1), (0, 0), (1, 1), 1)
    x, w, _, g = operands(rng, (2, 1, 6, LANES + 3), (4, 1, 2, 3), options)
    x[0, 0, 2, -1] = np.inf  # read by the last window, under its last tap only
    gw = compiled.conv2d_weight(x, g, w.shape, *options)
    assert np.isinf(gw[:, 0, :, 2]).all() and np.isfinite(gw[:, 0, :, :2]).all()


def test_sums_that_overflow_are_those_of_the_definition():
    x, g = np.full((1, 1, 4, 4), 3e38, np.float32), np.full((1, 1, 3, 3), 1.0, np.float32)
    g[0, 0, 1:] = 0
    g[0, 0, 0] = 1, -1, 1
    options = ((1, 1), (0, 0), (1, 1), 1)
    actual = compiled.conv2d_weight(x, g, (1, 1, 2, 2), *options)
    np.testing.assert_array_equal(actual, np.full((1, 1, 2, 2), 3e38, np.float32))


NEEDS = [(x, w, b) for x in (True, False) for w in (True, False) for b in (True, False)]


@pytest.mark.parametrize("needs", NEEDS, ids=str)
@pytest.mark.parametrize(("x", "w", "options"), CASES)
def test_all_gradients_in_one_call_are_those_of_single_ones(rng, x, w, options, needs):
    x, w, _, g = operands(rng, x, w, options)
    _, gx, gw = faces(compiled, x, w, None, g, options)
    gradients = compiled.conv2d_backward(g, x, w, *options, *needs)
    assert tuple(a is not None for a in gradients) == needs
    gradients = [a for a in gradients if a is not None]
    expected = itertools.compress((gx, gw, g.sum((0, 2, 3), dtype=np.float64)), needs)
    for a, e in zip(gradients, expected, strict=True):
        assert a.dtype == np.float32
        (np.testing.assert_allclose if a.ndim == 1 else np.testing.assert_array_equal)(
            a, e, **({"rtol": 1e-4, "atol": 1e-4} if a.ndim == 1 else {})
        )


@pytest.mark.parametrize("N", [3, 2 * LANES])
def test_the_bias_gradient_has_the_same_bits_for_any_number_of_threads(rng, monkeypatch, N):
    monkeypatch.setattr(direct_conv, "SLICE", 1000)
    monkeypatch.setattr(direct_conv, "LENGTH", 1)
    forget_plans()
    options = ((1, 1), (1, 1), (1, 1), 1)
    x, w, _, g = operands(rng, (N, 2, 9, 9), (9, 2, 3, 3), options)
    results = set()
    for number in (1, 2, 3):
        minigrad.set_num_threads(number)
        results.add(compiled.conv2d_backward(g, x, w, *options, False, True, True)[2].tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bias_gradient_that_is_not_finite_stays_in_its_channel(rng, value):
    options = ((1, 1), (1, 1), (1, 1), 1)
    x, w, _, g = operands(rng, (LANES + 1, 2, 6, 5), (4, 2, 3, 3), options)
    for n in (0, LANES):
        changed = g.copy()
        changed[n, 2, 3, 3] = value
        gx, gw, gb = compiled.conv2d_backward(changed, x, w, *options, True, True, True)
        for actual, name in ((gx, "conv2d_input"), (gw, "conv2d_weight")):
            args = (changed, w, x.shape) if actual is gx else (x, changed, w.shape)
            np.testing.assert_allclose(actual, getattr(reference, name)(*args, *options), rtol=1e-3, atol=1e-3)
        assert np.array_equal(gb[2], np.float32(value), equal_nan=True) and np.isfinite(np.delete(gb, 2)).all()


@pytest.mark.parametrize("x", [(0, 3, 6, 6), (2, 0, 6, 6)], ids=str)
def test_nothing_in_gives_zeros_or_the_bias_out(x):
    options = ((1, 1), (1, 1), (1, 1), 1)
    w, b = np.ones((4, x[1], 3, 3), np.float32), np.arange(4, dtype=np.float32)
    y, gx, gw = faces(compiled, np.ones(x, np.float32), w, b, np.ones((x[0], 4, 6, 6), np.float32), options)
    assert y.shape == (x[0], 4, 6, 6) and (y == b[:, None, None]).all()
    assert gx.shape == x and gw.shape == w.shape and (gw == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_go_to_arrays_of_the_caller(rng, dtype):
    options = ((2, 1), (1, 1), (1, 1), 1)
    x, w, b, g = operands(rng, (2, 3, 7, 8), (4, 3, 3, 3), options, dtype)
    calls = ((x, w, b), (g, w, x.shape), (x, g, w.shape))
    for name, args, expected in zip(FACES, calls, faces(compiled, x, w, b, g, options), strict=True):
        out = np.full_like(expected, 7)
        assert getattr(compiled, name)(*args, *options, out=out) is out
        np.testing.assert_array_equal(out, expected)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="is about the compiler")
@pytest.mark.parametrize(("cpu", "features"), [("generic", None), ("haswell", "")], ids=["generic", "haswell"])
def test_this_file_passes_for_other_processors(cpu, features):
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu}
    if features is not None:
        environment["NUMBA_CPU_FEATURES"] = features
    only = "(tile and float32) or (bands and 200) or bits"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only, __file__]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
