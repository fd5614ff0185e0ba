"""Batches of images, gathered and scaled, on both backends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import compiled, image, reference, threads
from minigrad.kernels.simd import LANES

BACKENDS = [reference, compiled]
SIZES = [0, 1, 2, 7, LANES - 1, LANES, LANES + 1, 37, 784]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 9),
    st.sampled_from(SIZES),
    st.integers(1, 4),
    st.integers(0, 11),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_compiled_equals_reference(count, pixels, channels, batch, dtype, seed):
    """To the bit: both take the same two quotients."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, pixels, channels)).astype(np.uint8)
    indices, mean, std = rng.integers(0, count, batch), rng.random(channels).astype(dtype), rng.random(channels) + 0.1
    std = std.astype(dtype)
    y, expected = (kernels.image_batch(images, indices, mean, std) for kernels in (compiled, reference))
    assert y.dtype == dtype and y.shape == (batch, channels, pixels) and y.flags.c_contiguous
    np.testing.assert_array_equal(y, expected)


def test_every_byte_is_what_pytorch_makes_of_it():
    """x / 255, less the mean, divided by std: each rounded to float32."""
    f = np.float32
    images = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    for mean, std in ((0.5, 0.5), (0.1307, 0.3081), (0.0, 1.0), (0.2860, 0.3530)):
        y = compiled.image_batch(images, np.zeros(1, np.int64), np.array([mean], f), np.array([std], f))
        np.testing.assert_array_equal(y[0, 0], [(f(k) / f(255) - f(mean)) / f(std) for k in range(256)])


@pytest.mark.parametrize("kernels", BACKENDS)
def test_nan_infinity_and_zero_divide_as_in_numpy(kernels):
    images, zero = np.array([[[0, 255, 7]]], np.uint8), np.zeros(1, np.int64)
    mean, std = np.array([0.0, np.inf, np.nan], np.float32), np.array([0.0, 1.0, 1.0], np.float32)
    y = kernels.image_batch(images, zero, mean, std)
    np.testing.assert_array_equal(y[0, :, 0], [np.nan, -np.inf, np.nan])


@pytest.mark.parametrize("number", [1, 3])
def test_an_index_out_of_range_is_found_by_whichever_thread_meets_it(monkeypatch, number):
    """The memory there is not read: nothing is out of the kernel's reach."""
    monkeypatch.setattr(threads, "SHARE", 10)
    images, half, before = np.zeros((4, 784, 1), np.uint8), np.full(1, 0.5, np.float32), threads.get_num_threads()
    threads.set_num_threads(number)
    try:
        for place in (0, 7, 8, 29, 30):
            for wrong in (4, -1, 2**62, -(2**63)):
                indices = np.arange(31) % 4
                indices[place] = wrong
                with pytest.raises(IndexError, match=r"image_batch: indices must be in 0..3, got values from"):
                    compiled.image_batch(images, indices, half, half)
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize("kernels", BACKENDS)
def test_what_does_not_fit_is_refused(kernels):
    images, one = np.zeros((4, 6, 2), np.uint8), np.ones(2, np.float32)
    for bad in ([4], [0, -1], [-5], [2**62]):
        with pytest.raises(IndexError, match=r"image_batch: indices must be in 0..3, got values from"):
            kernels.image_batch(images, np.array(bad), one, one)
    for call, message in (
        ((images[0], np.zeros(1, int), one, one), r"images has shape \(6, 2\), expected the axes \(n, P, C\)"),
        ((images, np.zeros((1, 1), int), one, one), r"indices has shape \(1, 1\), expected the axes \(N\)"),
        ((images, np.zeros(1, int), one[:1], one), r"mean has shape \(1,\), expected \(2,\)"),
        ((images, np.zeros(1, int), one, np.ones(3, np.float32)), r"std has shape \(3,\), expected \(2,\)"),
    ):
        with pytest.raises(ValueError, match=f"image_batch: {message}"):
            kernels.image_batch(*call)
    with pytest.raises(TypeError, match="image_batch: images must be uint8, got int64"):
        kernels.image_batch(images.astype(np.int64), np.zeros(1, int), one, one)


def test_the_same_bits_for_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "SHARE", 10)
    rng = np.random.default_rng(1)
    images, indices = rng.integers(0, 256, (50, 131, 1)).astype(np.uint8), rng.integers(0, 50, 77)
    half, before, results = np.full(1, 0.5, np.float32), threads.get_num_threads(), []
    try:
        for number in (1, 2, 4):
            threads.set_num_threads(number)
            results.append(compiled.image_batch(images, indices, half, half))
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_an_array_that_does_not_lie_side_by_side_is_not_copied_for_the_kernel(monkeypatch):
    monkeypatch.setattr(image, "_image_batch", None)
    images = np.zeros((4, 6, 2), np.uint8)[:, ::2]
    one = np.ones(2, np.float32)
    np.testing.assert_array_equal(compiled.image_batch(images, np.arange(3), one, one), -1)
