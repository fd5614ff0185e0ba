"""What PyTorch documents as a view shares its memory, in both directions; what it documents as a copy owns it."""

import numpy as np
import pytest

import minigrad
from minigrad.autograd import Op

X = (2, 3, 4)

VIEWS = {
    "view": lambda x: x.view(6, 4),
    "reshape": lambda x: x.reshape(4, 6),
    "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "squeeze": lambda x: x.squeeze(0),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "swapdims": lambda x: x.swapdims(0, 1),
    "movedim": lambda x: x.movedim(0, 2),
    "moveaxis": lambda x: x.moveaxis(0, 2),
    "t": lambda x: x[0].t(),
    "T": lambda x: x.T,
    "getitem": lambda x: x[1, :, ::2],
    "one element": lambda x: x[1, 2, 3],
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(2, -1),
    "split": lambda x: x.split(2, 1)[1],
    "split in sizes": lambda x: x.split([1, 3], 2)[1],
    "chunk": lambda x: x.chunk(2, 2)[0],
    "tensor_split": lambda x: x.tensor_split((1,), 1)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "diagonal": lambda x: x.diagonal(1, 1, 2),
}
READ_ONLY_VIEWS = {
    "expand": lambda x: x.expand(5, *X),
    "broadcast_to": lambda x: x.broadcast_to((5, *X)),
    "meshgrid": lambda x: minigrad.meshgrid(x[0, 0], x[0, 1])[0],
}
COPIES = {
    "flip": lambda x: x.flip(1),
    "flip of nothing": lambda x: x.flip(()),
    "fliplr": lambda x: x.fliplr(),
    "rot90": lambda x: x.rot90(),
    "rot90 by nothing": lambda x: x.rot90(4),
    "roll": lambda x: x.roll(1, 1),
    "roll by nothing": lambda x: x.roll(0, 1),
    "repeat": lambda x: x.repeat(2, 1, 1),
    "repeat once": lambda x: x.repeat(1, 1, 1),
    "repeat in front": lambda x: x[:1, :1, :1].repeat(3, 1, 1, 1),
    "tile": lambda x: x.tile(1),
    "repeat_interleave": lambda x: x.repeat_interleave(1, 1),
    "tril": lambda x: x.tril(9),
    "triu": lambda x: x.triu(-9),
    "diag": lambda x: x[0].diag(),
    "index_select": lambda x: x.index_select(1, minigrad.arange(3)),
    "take": lambda x: x.take(minigrad.arange(3)),
    "take one": lambda x: x.take(minigrad.tensor(3)),
    "take_along_dim": lambda x: x.take_along_dim(minigrad.zeros(X, dtype=minigrad.long), 1),
    "gather": lambda x: x.gather(1, minigrad.zeros(X, dtype=minigrad.long)),
    "an index with arrays": lambda x: x[[0, 1]],
    "masked_select": lambda x: x.masked_select(x == x),
    "masked_fill": lambda x: x.masked_fill(x != x, 0),
    "masked_scatter": lambda x: x.masked_scatter(x != x, x),
    "scatter": lambda x: x.scatter(0, minigrad.zeros(0, dtype=minigrad.long), x),
    "scatter a value": lambda x: x.scatter(0, minigrad.zeros(0, dtype=minigrad.long), 1.0),
    "scatter_add": lambda x: x.scatter_add(0, minigrad.zeros(0, dtype=minigrad.long), x),
    "index_add": lambda x: x.index_add(0, minigrad.zeros(0, dtype=minigrad.long), x[:0]),
    "index_copy": lambda x: x.index_copy(0, minigrad.arange(2), x),
    "index_fill": lambda x: x.index_fill(0, minigrad.zeros(0, dtype=minigrad.long), 1),
    "sort": lambda x: x.sort().values,
    "sort of a number": lambda x: x[0, 0, 0].sort().values,
    "topk": lambda x: x.topk(1).values,
    "kthvalue": lambda x: x.kthvalue(1).values,
    "cat": lambda x: minigrad.cat([x]),
    "stack": lambda x: minigrad.stack([x]),
    "clone": lambda x: x.clone(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_both_ways(name):
    x = minigrad.zeros(X)
    y = VIEWS[name](x)
    y.array[...] = 7.0
    assert (x.array == 7).sum() == y.numel() > 0, "what is written to the view shows in the tensor"
    x.array[...] = 3.0
    assert (y.array == 3).all(), "what is written to the tensor shows in the view"


@pytest.mark.parametrize("name", READ_ONLY_VIEWS)
def test_views_whose_elements_share_a_place(name):
    x = minigrad.zeros(X)
    y = READ_ONLY_VIEWS[name](x)
    assert np.shares_memory(x.array, y.array)


@pytest.mark.parametrize("name", COPIES)
def test_copies_own_their_memory(name, rng):
    x = minigrad.tensor(rng.standard_normal(X))
    y = COPIES[name](x)
    assert not np.shares_memory(x.array, y.array)
    assert y.array.flags.writeable


@pytest.mark.parametrize("name", VIEWS | READ_ONLY_VIEWS)
def test_every_op_on_the_way_to_a_view_says_that_it_may_be_one(name):
    node = (VIEWS | READ_ONLY_VIEWS)[name](minigrad.zeros(X, requires_grad=True)).grad_fn
    while isinstance(node, Op):
        assert type(node).view, f"{node.name()} gave a view without saying so"
        node = node.edges[0]


def test_the_diagonal_of_a_read_only_array_stays_read_only():
    x = minigrad.ones(3).expand(3, 3)
    assert not x.diagonal().array.flags.writeable
