import warnings

import numpy as np
import pytest

import minigrad
from minigrad.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)


def generator(seed=0):
    return minigrad.Generator().manual_seed(seed)


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


# ------------------------------------------------------------------------------------------------ TensorDataset


def test_tensor_dataset():
    x, y = minigrad.arange(6.0).view(3, 2), minigrad.tensor([7, 8, 9])
    data = TensorDataset(x, y)
    assert len(data) == 3 and data.tensors == (x, y)
    first, second = data[1]
    assert first.tolist() == [2.0, 3.0] and second.item() == 8
    assert [t.item() for _, t in data] == [7, 8, 9]
    assert data[-1][1].item() == 9
    assert data[0:2][1].tolist() == [7, 8]
    assert data[[2, 0]][1].tolist() == [9, 7]


def test_tensor_dataset_wraps_arrays():
    array = np.arange(4)
    (tensor,) = TensorDataset(array).tensors
    assert isinstance(tensor, minigrad.Tensor) and np.shares_memory(tensor.array, array)


@pytest.mark.parametrize(
    ("tensors", "error", "text"),
    [
        ((), ValueError, "got 0 of shapes none"),
        ((minigrad.tensor(1.0),), ValueError, r"got 1 of shapes \(\)"),
        ((minigrad.zeros(3, 2), minigrad.zeros(4)), ValueError, r"got 2 of shapes \(3, 2\), \(4,\)"),
        ((minigrad.zeros(3), [1, 2, 3]), TypeError, "argument 1 is of type list, .* minigrad.tensor"),
        ((np.array(["a"]),), TypeError, "dtype"),
    ],
)
def test_tensor_dataset_refuses(tensors, error, text):
    with pytest.raises(error, match=text):
        TensorDataset(*tensors)


# ---------------------------------------------------------------------------------------- joining and selecting


def test_concat():
    data = ConcatDataset(["abc", [], "de"])
    assert len(data) == 5 and list(data) == list("abcde") and data.cumulative_sizes == [3, 3, 5]
    assert [data[i] for i in range(-5, 0)] == list("abcde")
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"ConcatDataset: index {index} is out of range for 5 samples"):
            data[index]


def test_adding_datasets():
    a, b = TensorDataset(minigrad.arange(2)), TensorDataset(minigrad.arange(3))
    assert isinstance(a + b, ConcatDataset) and [x.item() for (x,) in a + b] == [0, 1, 0, 1, 2]
    chain = Stream(2) + Stream(3)
    assert isinstance(chain, ChainDataset) and list(chain) == [0, 1, 0, 1, 2] and len(chain) == 5


def test_joining_refuses():
    with pytest.raises(ValueError, match="one dataset or more, got none"):
        ConcatDataset([])
    with pytest.raises(TypeError, match=r"dataset 1 is a stream \(Stream\).*ChainDataset"):
        ConcatDataset(["abc", Stream(2)])
    with pytest.raises(TypeError, match=r"got a str; use ConcatDataset"):
        list(ChainDataset([Stream(2), "abc"]))


INDICES = {
    "list": [4, 1, 1],
    "tuple": (4, 1, 1),
    "array": np.array([4, 1, 1], np.int32),
    "tensor": minigrad.tensor([4, 1, 1]),
    "range": range(4, -1, -2),
}


@pytest.mark.parametrize("kind", INDICES)
def test_subset(kind):
    subset = Subset("abcdef", INDICES[kind])
    expected = "eca" if kind == "range" else "ebb"
    assert len(subset) == 3 and list(subset) == list(expected)
    assert subset[-1] == expected[-1] and subset.__getitems__([2, 0]) == [expected[2], expected[0]]
    assert [x.item() for (x,) in Subset(TensorDataset(minigrad.arange(6)), INDICES[kind])] == (
        [4, 2, 0] if kind == "range" else [4, 1, 1]
    )


def test_subset_of_a_list_of_indices():
    data = TensorDataset(minigrad.arange(10))
    assert Subset(data, [9, 8, 7])[[0, 2]][0].tolist() == [9, 7]
    assert Subset(Subset(data, range(5, 10)), [0, 4])[[1, 0]][0].tolist() == [9, 5]


def test_subset_refuses():
    with pytest.raises(IndexError, match="Subset: index 3 is out of range for 3 samples"):
        Subset("abcdef", [1, 2, 3])[3]
    with pytest.raises(TypeError, match="dtype bool, expected integers; of a mask, take"):
        Subset("abc", np.array([True, False, True]))
    with pytest.raises(TypeError, match="dtype float32"):
        Subset("abc", minigrad.zeros(2))


def test_base_classes_name_what_is_missing():
    class Mine(Dataset):
        pass

    class MyStream(IterableDataset):
        pass

    with pytest.raises(NotImplementedError, match="Mine must define __getitem__"):
        Mine()[0]
    with pytest.raises(NotImplementedError, match="MyStream must define __iter__"):
        iter(MyStream())


# ------------------------------------------------------------------------------------------------- random_split


@pytest.mark.parametrize("lengths", [[7, 3], [10], [0, 10], [4, 0, 6], [0.5, 0.5], [0.34, 0.33, 0.33], [1.0]])
def test_random_split_shares_out_every_sample_once(lengths):
    parts = random_split(range(100, 110), lengths, generator=generator())
    assert sorted(x for part in parts for x in part) == list(range(100, 110))
    if all(isinstance(n, int) for n in lengths):
        assert [len(part) for part in parts] == lengths


def test_random_split_gives_what_is_left_to_the_first_parts():
    assert [len(part) for part in random_split(range(11), [1 / 3] * 3)] == [4, 4, 3]
    assert [len(part) for part in random_split(range(9), [0.25] * 4)] == [3, 2, 2, 2]
    assert [len(part) for part in random_split(range(10), [0.6, 0.3, 0.1])] == [6, 3, 1]


def test_random_split_is_random_and_reproducible():
    def split(seed):
        return [list(part) for part in random_split(range(50), [30, 20], generator=generator(seed))]

    assert split(0) == split(0) != split(1)
    assert split(0)[0] != list(range(30))


def test_random_split_warns_of_an_empty_part():
    with pytest.warns(UserWarning, match="subset 1 is empty, as 0.0 of 4 samples"):
        parts = random_split(range(4), [1.0, 0.0])
    assert [len(part) for part in parts] == [4, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        random_split(range(4), [4, 0])  # asked for


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        ([3, 3], r"lengths \[3, 3\] sum to 6; needs ints that sum to the 10 samples, or fractions"),
        ([0.5, 0.4], "sum to 0.9; needs"),
        ([5.0, 5.0], "sum to 10.0; needs ints"),
        ([11, -1], r"must be >= 0, got \[11, -1\]"),
        ([], "sum to 0; needs"),
    ],
)
def test_random_split_refuses(lengths, text):
    state = minigrad.get_rng_state()
    with pytest.raises(ValueError, match=text):
        random_split(range(10), lengths)
    assert minigrad.get_rng_state().equal(state)


@pytest.mark.reference
@pytest.mark.parametrize("n", [1, 7, 10, 100, 101])
@pytest.mark.parametrize("lengths", [[0.5, 0.5], [0.9, 0.1], [0.3, 0.3, 0.4], [0.7, 0.2, 0.1], [1 / 3] * 3])
@pytest.mark.filterwarnings("ignore:.*might result in an empty dataset", "ignore:.*is empty, as")
def test_random_split_lengths_as_pytorch(n, lengths):
    torch_data = pytest.importorskip("torch.utils.data")
    ours, theirs = random_split(range(n), lengths), torch_data.random_split(range(n), lengths)
    assert [len(part) for part in ours] == [len(part) for part in theirs]
