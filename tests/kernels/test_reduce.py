"""Sums: equal to the definition for all shapes, the same bits for any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

import minigrad
from minigrad import ops
from minigrad.kernels import compiled, reference, threads

SIZES = st.sampled_from([0, 1, 2, 3, 7, 15, 16, 17, 31, 33, 65])


@pytest.fixture(autouse=True)
def threads_for_any_work(monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 1e-6)
    monkeypatch.setattr(threads, "STALL", 10**12)
    monkeypatch.setattr(threads, "_resume", 0)
    before = minigrad.get_num_threads()
    yield
    minigrad.set_num_threads(before)


@settings(max_examples=100, deadline=None)
@given(SIZES, SIZES, SIZES, st.sampled_from([np.float32, np.float64]), st.sampled_from([1, 2]), st.integers(0, 99))
def test_channel_sums_equal_the_definition(N, C, L, dtype, number, seed):
    x = np.random.default_rng(seed).standard_normal((N, C, L)).astype(dtype)
    minigrad.set_num_threads(number)
    y = compiled.channel_sums(x)
    assert y.dtype == dtype and y.shape == (C,)
    bound = np.abs(x).sum((0, 2), dtype=np.float64)
    assert (np.abs(y - x.sum((0, 2), dtype=np.float64)) <= (L + 1) * np.finfo(dtype).eps * bound).all()


def test_channel_sums_have_the_same_bits_for_any_number_of_threads(rng):
    x, results = rng.standard_normal((9, 5, 77)).astype(np.float32), set()
    for number in (1, 2, 3, 4):
        minigrad.set_num_threads(number)
        results.add(compiled.channel_sums(x).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_stay_in_their_channel(rng, value):
    for place in ((0, 0, 0), (2, 1, 18), (1, 3, 7)):
        x = rng.standard_normal((3, 4, 19)).astype(np.float32)
        x[place] = value
        y = compiled.channel_sums(x)
        np.testing.assert_array_equal(y[place[1]], np.float32(value))
        assert np.isfinite(np.delete(y, place[1])).all()
        np.testing.assert_allclose(y, reference.channel_sums(x), rtol=1e-5, atol=1e-5)  # sums near 0 lose digits
    x[:2, 0, 0] = np.inf, -np.inf
    assert np.isnan(compiled.channel_sums(x)[0])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("keepdim", [False, True])
def test_sums_over_all_but_the_channels_go_that_way_and_are_right(rng, backend, keepdim):
    x = rng.standard_normal((3, 5, 9, 13)).astype(np.float32)
    with minigrad.use_backend(backend):
        for a in (x, np.asfortranarray(x), x[:, :, ::-1]):
            y = ops.sum(minigrad.tensor(a), (0, 2, 3), keepdim=keepdim).numpy()
            expected = a.sum((0, 2, 3), dtype=np.float64, keepdims=keepdim)
            assert y.shape == expected.shape
            np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
