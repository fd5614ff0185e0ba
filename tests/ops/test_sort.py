"""The order of equal elements, of NaN and of zeros; long vectors."""

import math

import numpy as np
import pytest

import minigrad

nan, inf = math.nan, math.inf


def test_nan_counts_as_the_largest_number():
    x = minigrad.tensor([1.0, nan, -inf, inf, nan])
    np.testing.assert_array_equal(x.sort().indices.array, [2, 0, 3, 1, 4])
    np.testing.assert_array_equal(x.sort(descending=True).indices.array, [1, 4, 3, 0, 2])
    np.testing.assert_array_equal(x.topk(3).indices.array, [1, 4, 3])
    np.testing.assert_array_equal(x.topk(2, largest=False).indices.array, [2, 0])
    assert math.isnan(x.kthvalue(4).values.item())


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "float32"])
def test_equal_elements_keep_their_order(descending, dtype, rng):
    a = rng.integers(0, 2 if dtype == "bool" else 4, (50, 3)).astype(dtype)
    values, indices = minigrad.sort(minigrad.as_tensor(a), 0, descending)
    assert values.dtype == dtype and indices.dtype == np.int64
    for column, order in zip(a.T.tolist(), indices.array.T.tolist(), strict=True):
        assert order == sorted(range(50), key=lambda i: -column[i] if descending else column[i])
    np.testing.assert_array_equal(values.array, np.take_along_axis(a, indices.array, 0))


def test_zeros_of_both_signs_are_equal():
    x = minigrad.tensor([0.0, -0.0, 0.0])
    np.testing.assert_array_equal(x.sort().indices.array, [0, 1, 2])
    np.testing.assert_array_equal(x.sort(descending=True).indices.array, [0, 1, 2])


def test_of_equal_elements_topk_takes_the_first():
    x = minigrad.tensor([5.0, 7.0, 5.0, 7.0, 7.0], requires_grad=True)
    values, indices = x.topk(2)
    np.testing.assert_array_equal(indices.array, [1, 3])
    values.backward(minigrad.tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.array, [0, 1, 0, 10, 0])


def test_results_have_names():
    for result in (minigrad.ones(3).sort(), minigrad.ones(3).topk(2), minigrad.ones(3).kthvalue(1)):
        assert result._fields == ("values", "indices")


def test_arrays_in_arrays_out(rng):
    a = rng.standard_normal((3, 4))
    values, indices = minigrad.ops.sort(a, 0)
    assert type(values) is type(indices) is type(minigrad.ops.argsort(a)) is type(minigrad.ops.unique(a)) is np.ndarray


def test_sorting_twice_gives_ranks(rng):
    a = rng.permutation(1000)
    x = minigrad.as_tensor(a)
    np.testing.assert_array_equal(x.argsort().argsort().array, a)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("largest", [True, False])
def test_few_of_many_are_the_first_of_all_in_order(dtype, largest, rng):
    x = rng.integers(0, 6, (3, 40, 2)).astype(dtype)  # ties everywhere
    if x.dtype.kind == "f":
        x[0, :5, 0], x[1, :, 1], x[2, 3, 0], x[2, 4, 0] = nan, nan, inf, -inf
    everything = minigrad.from_numpy(x).sort(1, descending=largest)
    for k in range(7):
        few = minigrad.from_numpy(x).topk(k, 1, largest)
        for found, wanted in zip(few, everything, strict=True):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy()[:, :k])
        if k and not largest:
            nth = minigrad.from_numpy(x).kthvalue(k, 1, keepdim=True)
            np.testing.assert_array_equal(nth.indices.numpy(), everything.indices.numpy()[:, k - 1 : k])
