"""Moments: exact in two passes, exact in parts, and the same for arrays and Tensors."""

import dataclasses
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import gradcheck, gradgradcheck
from minigrad.nn.statistics import Moments


def assert_same(a, b, rtol=1e-12, atol=1e-12):
    assert a.count == b.count
    np.testing.assert_allclose(np.asarray(a.mean), np.asarray(b.mean), rtol=rtol, atol=atol)
    np.testing.assert_allclose(np.asarray(a.m2), np.asarray(b.m2), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("axes", [0, -1, (0, 2), (0, -1), None])
def test_of(axes, dtype, rng):
    x = (10 * rng.standard_normal((4, 3, 5))).astype(dtype)
    found = Moments.of(x, axes)
    wide = x.astype(np.float64)
    along = axes if axes is not None else (0, 1, 2)
    count = wide.size // np.mean(wide, axis=along).size
    assert found.count == count and found.mean.dtype == found.m2.dtype == np.float64
    assert_same(found, Moments(count, wide.mean(axis=along), wide.var(axis=along) * count))
    np.testing.assert_allclose(found.var(1), wide.var(axis=along, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.mean_square, (wide**2).mean(axis=along), rtol=1e-12)


def test_of_a_tensor_records_what_it_does(backend, rng):
    x = rng.standard_normal((4, 3))
    found = Moments.of(minigrad.tensor(x, dtype=minigrad.float32, requires_grad=True), 0)
    assert found.mean.requires_grad and found.m2.requires_grad and found.mean.dtype == minigrad.float64
    whole = minigrad.tensor(x, requires_grad=True)

    def both(x):
        one, other = Moments.of(x[:1], 0), Moments.of(x[1:], 0)
        merged = one.weighing(0.25).merge(other.weighing(0.75))
        return merged.mean, merged.var(), other.mean_square, other.var(1)

    assert gradcheck(both, whole) and gradgradcheck(both, whole)


def test_no_values_and_one(rng):
    none, x = Moments.of(np.zeros((0, 3)), 0), Moments.of(rng.standard_normal((5, 3)), 0)
    assert none.count == 0 and none.mean.tolist() == none.m2.tolist() == [0, 0, 0]
    assert_same(none.merge(x), x, 0, 0)
    assert_same(x.merge(none), x, 0, 0)
    assert none.merge(none).count == 0
    one = Moments.of(np.full((1, 2), 7.0), 0)
    assert one.mean.tolist() == [7, 7] and one.m2.tolist() == [0, 0]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.sampled_from([0.0, 1e4, -1e8]), st.integers(0, 99))
def test_parts_in_any_order_equal_the_whole(sizes, offset, seed):
    rng = np.random.default_rng(seed)
    batches = [offset + rng.normal(k, 1 + k, (n, 3)) for k, n in enumerate(sizes)]
    whole = Moments.of(np.concatenate(batches), 0)
    for order in (batches, batches[::-1]):
        merged = reduce(Moments.merge, (Moments.of(x, 0) for x in order))
        assert merged.count == sum(sizes)
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-14, atol=1e-12)
        np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-6 if offset else 1e-12, atol=1e-12)


def test_the_variance_does_not_cancel(rng):
    """In float32, E[x^2] - E[x]^2 of values near 1e4 is noise of size 10."""
    x = rng.integers(-512, 512, (4000, 2)).astype(np.float32) / 512  # these keep their value at 1e4
    near, far = Moments.of(x, 0), Moments.of(x + np.float32(1e4), 0)
    exact = (x + np.float32(1e4)).astype(np.float64)
    np.testing.assert_allclose(far.var(), exact.var(0), rtol=1e-12)
    np.testing.assert_allclose(far.var(), near.var(), rtol=2e-3)  # 1e4 + x is rounded to a thousandth
    naive = (x + np.float32(1e4)).astype(np.float32)
    assert (np.abs((naive**2).mean(0) - naive.mean(0) ** 2 - near.var()) > 0.05).any()


def test_weights_mix_two_variances(rng):
    a, b = Moments.of(rng.normal(0, 1, (50, 3)), 0), Moments.of(rng.normal(4, 2, (8, 3)), 0)
    w = 0.3
    mixed = a.weighing(w).merge(b.weighing(1 - w))
    d = a.mean - b.mean
    np.testing.assert_allclose(mixed.mean, w * a.mean + (1 - w) * b.mean, rtol=1e-13)
    np.testing.assert_allclose(mixed.var(), w * a.var() + (1 - w) * b.var() + w * (1 - w) * d**2, rtol=1e-13)
    np.testing.assert_allclose(mixed.var(), w * a.mean_square + (1 - w) * b.mean_square - mixed.mean**2, rtol=1e-12)


def test_each_example_beside_a_reference(rng):
    """The shapes broadcast: (N, C) with (C,)."""
    x, reference = rng.standard_normal((4, 3, 5)), Moments.of(rng.standard_normal((6, 3)), 0)
    merged = Moments.of(x, 2).merge(reference)
    assert merged.mean.shape == merged.m2.shape == (4, 3)
    assert_same(Moments(11, merged.mean[2], merged.m2[2]), Moments.of(x[2], 1).merge(reference))


def test_from_var_is_the_inverse_of_var():
    for correction in (0, 1):
        assert Moments.from_var(4, np.zeros(2), np.array([2.0, 3.0]), correction).var(correction).tolist() == [2, 3]


def test_errors_say_what_came():
    one = Moments.of(np.ones((1, 3)), 0)
    with pytest.raises(ValueError, match=r"Moments.var: correction=1 needs a count of more than 1, got 1"):
        one.var(1)
    with pytest.raises(ValueError, match=r"Moments.var: .*more than 0, got 0"):
        Moments.of(np.ones((0, 3)), 0).var()
    with pytest.raises(ValueError, match=r"Moments.merge: the means have shapes \(3,\) and \(2,\).*same channels"):
        one.merge(Moments.of(np.ones((4, 2)), 0))
    with pytest.raises(ValueError, match=r"Moments: count must be a finite number >= 0, got count=-1"):
        Moments(-1, 0.0, 0.0)
    with pytest.raises(IndexError, match=r"Moments.of: dim must be in"):
        Moments.of(np.ones(3), 1)
    with pytest.raises(TypeError, match=r"Moments.of: needs Tensors"):
        Moments.of([1.0, 2.0], 0)


def test_moments_are_immutable(rng):
    x = rng.standard_normal((5, 2))
    a, b = Moments.of(x[:2], 0), Moments.of(x[2:], 0)
    before = a.mean.copy(), a.m2.copy(), x.copy()
    a.merge(b), a.weighing(3).var()
    np.testing.assert_array_equal(a.mean, before[0])
    np.testing.assert_array_equal(a.m2, before[1])
    np.testing.assert_array_equal(x, before[2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.count = 3
