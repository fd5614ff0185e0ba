"""Places that are named twice, options that PyTorch's gradients do not cover, and dtypes."""

import numpy as np
import pytest

import minigrad

INDEX = minigrad.tensor([2, 0, 2])


def test_the_last_that_is_written_stays_and_alone_has_a_gradient():
    src = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = minigrad.zeros(4, requires_grad=True)
    y = x.scatter(0, INDEX, src)
    np.testing.assert_array_equal(y.array, [2, 0, 3, 0])
    y.backward(minigrad.tensor([1.0, 10.0, 100.0, 1000.0]))
    np.testing.assert_array_equal(src.grad.array, [0, 1, 100])
    np.testing.assert_array_equal(x.grad.array, [0, 10, 0, 1000])


def test_a_src_larger_than_the_index_has_a_gradient_of_zero_for_the_rest():
    src = minigrad.ones(5, requires_grad=True)
    minigrad.zeros(4).scatter_add(0, INDEX, src).backward(minigrad.tensor([1.0, 10.0, 100.0, 1000.0]))
    np.testing.assert_array_equal(src.grad.array, [100, 1, 100, 0, 0])


@pytest.mark.parametrize("reduce", ["add", "multiply"])
def test_scatter_with_reduce_has_a_gradient_for_the_input(reduce):
    x = minigrad.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = x.scatter(0, INDEX, minigrad.tensor([5.0, 6.0, 7.0]), reduce=reduce)
    np.testing.assert_array_equal(y.array, [7, 2, 15, 4] if reduce == "add" else [6, 2, 105, 4])
    y.backward(minigrad.ones(4))
    np.testing.assert_array_equal(x.grad.array, [1, 1, 1, 1] if reduce == "add" else [6, 1, 35, 1])


def test_multiplying_has_no_gradient_for_src():
    src = minigrad.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r'reduce="multiply" has no gradient for src; use src.detach\(\)'):
        minigrad.ones(4).scatter(0, INDEX, src, reduce="multiply")


def test_a_src_whose_elements_share_memory():
    src = minigrad.ones(1).expand(3)
    np.testing.assert_array_equal(minigrad.zeros(3).scatter_add(0, INDEX, src).array, [1, 0, 2])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_an_index_of_any_integers(dtype):
    index = minigrad.tensor([2, 0, 2], dtype=dtype)
    x = minigrad.tensor([10, 20, 30])
    np.testing.assert_array_equal(x.gather(0, index).array, [30, 10, 30])
    np.testing.assert_array_equal(x.index_select(0, index).array, [30, 10, 30])
    np.testing.assert_array_equal(x.scatter(0, index, 7).array, [7, 20, 7])


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), minigrad.tensor(2.5), np.array(2.5)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_a_value_takes_the_dtype_of_the_tensor(value, dtype):
    x = minigrad.zeros(3, dtype=dtype)
    y = x.masked_fill(minigrad.tensor([True, False, True]), value)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.array, np.array([2.5, 0, 2.5]).astype(dtype))


def test_take_along_dim_of_a_number():
    assert minigrad.tensor(5).take_along_dim(minigrad.tensor(0), 0).item() == 5
