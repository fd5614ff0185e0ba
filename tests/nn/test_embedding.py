"""Embedding: rows, repeated indices, the padding row, tables that are there already."""

import numpy as np
import pytest

import minigrad
from minigrad import nn


def test_rows_and_gradients_of_repeated_indices(rng):
    layer = nn.Embedding(5, 3, dtype=minigrad.float64)
    indices = minigrad.tensor([[1, 4], [1, 0]])
    y = layer(indices)
    table = layer.weight.detach().numpy()
    np.testing.assert_array_equal(y.detach().numpy(), table[indices.numpy()])
    v = rng.standard_normal(y.shape)
    y.backward(minigrad.tensor(v))
    wanted = np.zeros((5, 3))
    np.add.at(wanted, indices.numpy(), v)
    np.testing.assert_allclose(layer.weight.grad.numpy(), wanted, atol=1e-14)


@pytest.mark.parametrize("row", [2, -3])
def test_the_padding_row_starts_as_zeros_and_gets_no_gradient(row):
    layer = nn.Embedding(5, 3, padding_idx=row)
    assert layer.padding_idx == 2
    assert layer.weight[2].tolist() == [0, 0, 0] and layer.weight.detach().numpy()[[0, 1, 3, 4]].all()
    y = layer(minigrad.tensor([2, 1, 2]))
    y.backward(minigrad.ones(3, 3))
    assert layer.weight.grad[2].tolist() == [0, 0, 0] and layer.weight.grad[1].tolist() == [1, 1, 1]


def test_from_pretrained():
    table = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(table, padding_idx=-1)
    assert layer.weight.array is table.array and not layer.weight.requires_grad and layer.padding_idx == 1
    assert layer(minigrad.tensor(1)).tolist() == [3, 4]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_any_integer_dtype_and_no_indices_at_all():
    layer = nn.Embedding(4, 2)
    for dtype in (minigrad.uint8, minigrad.int16, minigrad.int64):
        assert layer(minigrad.tensor([3, 0], dtype=dtype)).shape == (2, 2)
    assert layer(minigrad.zeros(0, 3, dtype=minigrad.int64)).shape == (0, 3, 2)


def test_repr():
    assert repr(nn.Embedding(10, 3, padding_idx=0, max_norm=2.0)) == "Embedding(10, 3, padding_idx=0, max_norm=2.0)"
