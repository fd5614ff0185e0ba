import collections

import numpy as np
import pytest

import minigrad
from minigrad.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)


def generator(seed=0):
    return minigrad.Generator().manual_seed(seed)


RANDOM = {
    "shuffle": lambda g: RandomSampler(range(50), generator=g),
    "replacement": lambda g: RandomSampler(range(50), replacement=True, generator=g),
    "fewer": lambda g: RandomSampler(range(50), num_samples=7, generator=g),
    "more": lambda g: RandomSampler(range(50), num_samples=120, generator=g),
    "subset": lambda g: SubsetRandomSampler(range(100, 150), generator=g),
    "weighted": lambda g: WeightedRandomSampler(np.arange(50.0), 40, generator=g),
    "weighted, no replacement": lambda g: WeightedRandomSampler(np.arange(50.0), 40, False, generator=g),
}


@pytest.mark.parametrize("name", RANDOM)
def test_the_generator_is_the_only_randomness(name):
    make = RANDOM[name]
    global_state = np.random.get_state()[1].copy()  # noqa: NPY002
    default_state = minigrad.get_rng_state()
    first, second = make(generator(3)), make(generator(3))
    epochs = [list(first) for _ in range(3)]
    assert epochs == [list(second) for _ in range(3)]
    assert epochs[0] != epochs[1] and epochs[1] != epochs[2]
    assert epochs[0] != list(make(generator(4)))
    assert all(type(i) is int for i in epochs[0]) and len(epochs[0]) == len(first)
    assert minigrad.get_rng_state().equal(default_state)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)  # noqa: NPY002


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_generator_the_default_one_is_drawn_from(name):
    saved = minigrad.get_rng_state()
    try:
        minigrad.manual_seed(11)
        order = list(RANDOM[name](None))
        minigrad.manual_seed(11)
        assert order == list(RANDOM[name](None))
    finally:
        minigrad.set_rng_state(saved)


def test_sequential():
    data = [5, 6, 7]
    sampler = SequentialSampler(data)
    assert list(sampler) == [0, 1, 2] and len(sampler) == 3
    data.append(8)  # the length is asked each time
    assert list(sampler) == [0, 1, 2, 3] and len(sampler) == 4


def test_random_sampler_is_a_permutation():
    sampler = RandomSampler(range(100), generator=generator())
    assert sorted(sampler) == list(range(100))
    assert list(sampler) != sorted(sampler)


def test_random_sampler_with_more_samples_than_data_shuffles_again():
    order = list(RandomSampler(range(10), num_samples=25, generator=generator()))
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert len(set(order[20:])) == 5


def test_random_sampler_with_replacement_is_uniform():
    order = list(RandomSampler(range(10), replacement=True, num_samples=10_000, generator=generator()))
    counts = np.bincount(order, minlength=10)
    assert len(order) == 10_000 and counts.min() > 880 and counts.max() < 1120  # 4 standard deviations


def test_permutations_are_uniform():
    sampler = RandomSampler("abc", generator=generator())
    counts = collections.Counter(tuple(sampler) for _ in range(6000))
    assert len(counts) == 6 and min(counts.values()) > 880 and max(counts.values()) < 1120


def test_subset_random_sampler():
    sampler = SubsetRandomSampler([3, 5, 8], generator=generator())
    assert sorted(sampler) == [3, 5, 8] and len(sampler) == 3


def test_weighted_sampler_follows_the_weights():
    order = list(WeightedRandomSampler([0, 1, 0, 3, 0], 8000, generator=generator()))
    counts = np.bincount(order, minlength=5)
    assert counts[[0, 2, 4]].sum() == 0 and abs(counts[3] - 6000) < 160


def test_weighted_sampler_without_replacement():
    sampler = WeightedRandomSampler([1.0, 0.0, 2.0, 5.0], 3, replacement=False, generator=generator())
    orders = [tuple(sampler) for _ in range(4000)]
    assert all(sorted(order) == [0, 2, 3] for order in orders)
    # First 3 with 5/8; then, with 3 gone, 2 with 2/3.
    assert abs(sum(order[0] == 3 for order in orders) - 2500) < 130
    after = [order[1] for order in orders if order[0] == 3]
    assert abs(np.mean([second == 2 for second in after]) - 2 / 3) < 0.04


def test_batch_sampler():
    assert list(BatchSampler(range(7), 3, False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(BatchSampler(range(7), 3, True)) == [[0, 1, 2], [3, 4, 5]]
    assert list(BatchSampler(range(6), 3, False)) == [[0, 1, 2], [3, 4, 5]]
    assert list(BatchSampler([], 3, False)) == []
    assert list(BatchSampler("ab", 5, False)) == [["a", "b"]]
    with pytest.raises(TypeError):  # as len of the sampler within
        len(BatchSampler(iter("ab"), 5, False))


@pytest.mark.parametrize("replacement", [False, True])
def test_data_that_were_emptied_end_at_once(replacement):
    data = [1, 2]
    sampler = RandomSampler(data, replacement, num_samples=5)
    data.clear()
    with pytest.raises(ValueError, match="data_source is empty"):
        list(sampler)


def test_own_sampler_must_define_iter():
    class Lazy(Sampler):
        pass

    with pytest.raises(NotImplementedError, match="Lazy must define __iter__"):
        iter(Lazy())


def weighted(*args):
    return lambda: WeightedRandomSampler(*args)


BAD = {
    "batch size 0": (ValueError, lambda: BatchSampler(range(3), 0, False), "an int >= 1, got batch_size=0"),
    "batch size 1.5": (TypeError, lambda: BatchSampler(range(3), 1.5, False), "got batch_size=1.5"),
    "batch size True": (TypeError, lambda: BatchSampler(range(3), True, False), "got batch_size=True"),
    "drop_last 1": (TypeError, lambda: BatchSampler(range(3), 2, 1), "must be True or False, got drop_last=1"),
    "nothing to sample": (ValueError, lambda: RandomSampler([]), "data_source is empty"),
    "5 of nothing": (ValueError, lambda: RandomSampler([], num_samples=5), "data_source is empty"),
    "5 of nothing, replaced": (ValueError, lambda: RandomSampler([], True, 5), "data_source is empty"),
    "num_samples 2.5": (TypeError, lambda: RandomSampler("ab", num_samples=2.5), "an int >= 1, got num_samples=2.5"),
    "num_samples -1": (ValueError, lambda: RandomSampler("ab", num_samples=-1), "got num_samples=-1"),
    "replacement None": (TypeError, lambda: RandomSampler("ab", replacement=None), "got replacement=None"),
    "generator": (TypeError, lambda: list(RandomSampler("ab", generator=1)), "minigrad.Generator, got int"),
    "negative weight": (ValueError, weighted([1, -1], 2), ">= 0, .* got values from -1.0 to 1.0"),
    "nan weight": (ValueError, weighted([1, np.nan], 2), "finite and >= 0"),
    "no weight": (ValueError, weighted([0.0, 0.0], 2), "one of them > 0"),
    "empty weights": (ValueError, weighted([], 2), r"one number a sample, got shape \(0,\)"),
    "2-d weights": (ValueError, weighted(np.ones((2, 3)), 2), r"got shape \(2, 3\)"),
    "too few weights": (ValueError, weighted([1, 0, 1], 3, False), "num_samples=3 without replacement, only 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    error, call, text = BAD[case]
    with pytest.raises(error, match=text):
        call()


@pytest.mark.reference
@pytest.mark.parametrize("n", [1, 2, 10, 33])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 50])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_as_pytorch(n, batch_size, drop_last):
    torch_data = pytest.importorskip("torch.utils.data")
    ours = BatchSampler(SequentialSampler(range(n)), batch_size, drop_last)
    theirs = torch_data.BatchSampler(torch_data.SequentialSampler(range(n)), batch_size, drop_last)
    assert list(ours) == list(theirs) and len(ours) == len(theirs)


@pytest.mark.reference
@pytest.mark.parametrize("kwargs", [{}, {"num_samples": 3}, {"num_samples": 25}, {"replacement": True}])
def test_random_sampler_lengths_as_pytorch(kwargs):
    torch_data = pytest.importorskip("torch.utils.data")
    ours, theirs = RandomSampler(range(10), **kwargs), torch_data.RandomSampler(range(10), **kwargs)
    assert len(ours) == len(theirs) == len(list(ours)) == len(list(theirs))
    assert ours.num_samples == theirs.num_samples


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 5, 7, 100])
@pytest.mark.parametrize("name", ["random", "more than once through", "with replacement", "in order", "weighted"])
def test_a_loader_gets_as_arrays_what_others_get_as_lists(name, batch_size, drop_last):
    """The same batches, drawn from the same random numbers in the same order."""

    def sampler():
        generator = minigrad.Generator().manual_seed(3)
        return {
            "random": lambda: RandomSampler(range(10), generator=generator),
            "more than once through": lambda: RandomSampler(range(4), num_samples=13, generator=generator),
            "with replacement": lambda: RandomSampler(range(4), True, 13, generator=generator),
            "in order": lambda: SequentialSampler(range(11)),
            "weighted": lambda: WeightedRandomSampler([0.0, 3.0, 1.0], 13, generator=generator),
        }[name]()

    listed = list(BatchSampler(sampler(), batch_size, drop_last))
    data = TensorDataset(np.arange(20))
    loaded = [x.tolist() for (x,) in DataLoader(data, batch_sampler=BatchSampler(sampler(), batch_size, drop_last))]
    assert loaded == listed and all(type(i) is int for batch in listed for i in batch)
    seen = []
    loader = DataLoader(range(20), batch_sampler=BatchSampler(sampler(), batch_size, drop_last), collate_fn=seen.append)
    for _ in loader:
        pass
    assert seen == listed and all(type(i) is int for batch in seen for i in batch)


def test_a_sampler_whose_order_was_changed_is_asked_for_it():
    class Backwards(SequentialSampler):
        def __iter__(self):
            return iter(range(len(self.data_source) - 1, -1, -1))

    class Odd(BatchSampler):
        def __iter__(self):
            return iter([[1, 3], [5]])

    data = TensorDataset(np.arange(6))
    assert [x.tolist() for (x,) in DataLoader(data, 4, sampler=Backwards(data))] == [[5, 4, 3, 2], [1, 0]]
    odd = Odd(SequentialSampler(data), 2, False)
    assert [x.tolist() for (x,) in DataLoader(data, batch_sampler=odd)] == [[1, 3], [5]]


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
@pytest.mark.parametrize("drop_last", [False, True])
def test_an_array_or_tensor_of_indices_gives_the_batches_of_the_list(dtype, drop_last):
    order = np.random.default_rng(0).permutation(10).astype(dtype)
    data = TensorDataset(minigrad.arange(20.0).reshape(10, 2), minigrad.arange(10))
    loaders = [
        DataLoader(data, 4, sampler=sampler, drop_last=drop_last)
        for sampler in (order.tolist(), order, minigrad.from_numpy(order))
    ]
    wanted, *others = [[(x.tolist(), y.tolist()) for x, y in loader] for loader in loaders]
    assert len(wanted) == 3 - drop_last and others == [wanted, wanted]
    assert [len(loader) for loader in loaders] == [3 - drop_last] * 3


def test_samples_of_an_array_of_indices_are_asked_for_one_by_one_where_they_have_to_be():
    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, i):
            assert type(i) is int
            return i * i

    loader = DataLoader(Squares(), 2, sampler=np.array([3, 0, 4]))
    assert [batch.tolist() for batch in loader] == [[9, 0], [16]]
