import inspect

import numpy as np
import pytest

import minigrad
from minigrad.data import (
    MNIST,
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
)
from minigrad.data.transforms import Compose, Normalize, ToTensor


def generator(seed=0):
    return minigrad.Generator().manual_seed(seed)


def values(loader):
    """The batches as nested lists."""
    return [batch.tolist() for batch in loader]


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


class SizedStream(Stream):
    def __len__(self):
        return self.n


# ----------------------------------------------------------------------------------------------- batching


@pytest.mark.parametrize("n", [1, 5, 6, 7])
@pytest.mark.parametrize("batch_size", [1, 3, 10])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("make", [range, SizedStream])
def test_batches_in_order(n, batch_size, drop_last, make):
    loader = DataLoader(make(n), batch_size, drop_last=drop_last)
    expected = [list(range(n))[i : i + batch_size] for i in range(0, n, batch_size)]
    expected = [batch for batch in expected if len(batch) == batch_size or not drop_last]
    assert values(loader) == expected == values(loader)
    assert len(loader) == len(expected)


def test_shuffling_gives_every_sample_once_in_a_new_order_each_epoch():
    loader = DataLoader(range(20), 6, shuffle=True, generator=generator())
    epochs = [values(loader) for _ in range(3)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [6, 6, 6, 2]
        assert sorted(i for batch in epoch for i in batch) == list(range(20))
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_generator_is_the_only_randomness():
    global_state = np.random.get_state()[1].copy()  # noqa: NPY002
    default_state = minigrad.get_rng_state()
    loaders = [DataLoader(range(100), 10, shuffle=True, generator=generator(5)) for _ in range(2)]
    for _ in range(2):
        assert values(loaders[0]) == values(loaders[1])
    assert minigrad.get_rng_state().equal(default_state)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)  # noqa: NPY002


def test_a_generator_state_restores_the_order():
    g = generator(1)
    loader = DataLoader(range(100), 10, shuffle=True, generator=g)
    values(loader)
    state = g.get_state()
    second = values(loader)
    g.set_state(state)
    assert values(loader) == second


def test_sequential_loading_draws_no_random_number():
    state = minigrad.get_rng_state()
    values(DataLoader(range(10), 2))
    assert minigrad.get_rng_state().equal(state)


def test_iterators_of_one_loader_are_independent():
    loader = DataLoader(range(4), 2)
    a, b = iter(loader), iter(loader)
    assert next(a).tolist() == next(b).tolist() == [0, 1]
    assert next(a).tolist() == [2, 3]


def test_samplers():
    assert values(DataLoader(range(10), 2, sampler=[7, 3, 5])) == [[7, 3], [5]]
    loader = DataLoader(range(10), batch_sampler=[[1, 2, 3], [9]])
    assert values(loader) == [[1, 2, 3], [9]] and len(loader) == 2 and loader.batch_size is None
    shuffled = BatchSampler(RandomSampler(range(10), generator=generator()), 4, True)
    assert [len(batch) for batch in values(DataLoader(range(10), batch_sampler=shuffled))] == [4, 4]


def test_without_batching():
    data = TensorDataset(minigrad.arange(3), minigrad.ones(3, 2))
    loader = DataLoader(data, batch_size=None)
    assert len(loader) == 3
    assert [(x.item(), y.tolist()) for x, y in loader] == [(0, [1, 1]), (1, [1, 1]), (2, [1, 1])]
    arrays = list(DataLoader(np.arange(6).reshape(3, 2), batch_size=None))
    assert all(isinstance(x, minigrad.Tensor) for x in arrays) and arrays[2].tolist() == [4, 5]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    # Indices in lists: the dataset does the batching.
    bulk = DataLoader(data, batch_size=None, sampler=BatchSampler(range(3), 2, False))
    assert [x.tolist() for x, _ in bulk] == [[0, 1], [2]]


def test_collate_fn():
    loader = DataLoader(["a", "bc"], 2, collate_fn=lambda samples: "+".join(samples))
    assert list(loader) == ["a+bc"]
    assert list(DataLoader(Stream(3), 2, collate_fn=sum)) == [1, 2]
    assert list(DataLoader("ab", batch_size=None, collate_fn=str.upper)) == ["A", "B"]


def test_getitems_is_used_as_in_pytorch():
    class Bulk(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            raise AssertionError("one by one")

        def __getitems__(self, indices):
            return [10 * i for i in indices]

    assert values(DataLoader(Bulk(), 3)) == [[0, 10, 20], [30]]
    assert values(DataLoader(Subset(Bulk(), [3, 1]), 3)) == [[30, 10]]


def test_options_without_workers():
    loader = DataLoader(range(2), 2, pin_memory=True, worker_init_fn=print, pin_memory_device="", in_order=False)
    assert values(loader) == [[0, 1]] and loader.num_workers == 0


# ------------------------------------------------------------------------------------------- whole batches


class SampleBySample(Dataset):
    """Another dataset, with whole batches hidden."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, index):
        return self.dataset[index]

    def __len__(self):
        return len(self.dataset)


@pytest.fixture(scope="module")
def digits():
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    return MNIST(train=False, transform=transform)


def tensors():
    rng = np.random.default_rng(0)
    return TensorDataset(
        rng.standard_normal((40, 3, 2), dtype=np.float32),
        np.arange(40),
        rng.standard_normal((40, 4))[:, ::2],
        rng.integers(0, 2, 40).astype(bool),
        np.zeros((40, 0)),
    )


ARRAY_DATASETS = {
    "tensors": lambda digits: tensors(),
    "digits": lambda digits: Subset(digits, range(40)),
    "digits, scattered": lambda digits: Subset(digits, [i * i for i in range(40)]),
    "nested": lambda digits: Subset(Subset(tensors(), range(5, 40)), [*range(10, 30), 2, 2, -1]),
    "array of indices": lambda digits: Subset(tensors(), np.arange(39, 0, -2)),
    "tensor of indices": lambda digits: Subset(tensors(), minigrad.arange(3, 20)),
    "negative indices": lambda digits: Subset(tensors(), range(-10, 0)),
    "joined": lambda digits: ConcatDataset([tensors(), Subset(tensors(), [3, 4])]),
}


@pytest.mark.parametrize("name", ARRAY_DATASETS)
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_whole_batches_equal_batches_sample_by_sample(name, shuffle, batch_size, digits):
    dataset = ARRAY_DATASETS[name](digits)
    whole = DataLoader(dataset, batch_size, shuffle, generator=generator())
    single = DataLoader(SampleBySample(dataset), batch_size, shuffle, generator=generator())
    count = 0
    for a, b in zip(whole, single, strict=True):
        count += 1
        assert type(a) is type(b) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype and x.shape == y.shape and x.is_contiguous()
            np.testing.assert_array_equal(x.array, y.array)
    assert count == len(whole)


def test_array_datasets_are_never_asked_for_single_samples(digits, monkeypatch):
    def refuse(self, index):
        raise AssertionError("one by one")

    dataset = Subset(Subset(digits, range(100)), range(50))
    whole = Subset(TensorDataset(minigrad.arange(60)), range(50))
    for cls in (MNIST, TensorDataset, Subset):
        monkeypatch.setattr(cls, "__getitem__", refuse)
    assert sum(len(x) for x, _ in DataLoader(dataset, 8, shuffle=True)) == 50
    assert sum(len(x) for (x,) in DataLoader(whole, 8)) == 50


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_share_no_memory_with_the_dataset(shuffle):
    x = minigrad.zeros(10, 2)
    for (batch,) in DataLoader(TensorDataset(x), 5, shuffle):
        batch.array[...] = 1
    assert x.array.sum() == 0


def test_tensors_that_require_grad_stay_in_the_graph():
    x = minigrad.arange(6.0).requires_grad_()
    for (batch,) in DataLoader(TensorDataset(x), 2):
        (batch * minigrad.tensor([1.0, 3.0])[: len(batch)]).sum().backward()
    assert x.grad.tolist() == [1, 3, 1, 3, 1, 3]


def test_changing_a_dataset_is_seen():
    digits = MNIST(train=False)
    digits.data, digits.targets = digits.data[:10], digits.targets[:10]
    subset = Subset(TensorDataset(minigrad.arange(10)), [1, 2])
    loader = DataLoader(subset, 4)
    assert [x.tolist() for (x,) in loader] == [[1, 2]]
    subset.indices.append(7)
    assert [x.tolist() for (x,) in loader] == [[1, 2, 7]]
    assert [len(y) for _, y in DataLoader(digits, 6)] == [6, 4]


def test_out_of_range_indices():
    data = TensorDataset(minigrad.arange(4))
    for indices in ([0, 9], [9, 0], [2, 3, 4], [-5, 0]):
        with pytest.raises(IndexError, match=r"index (9|4|-5) is out of range for 4 samples"):
            list(DataLoader(data, batch_sampler=[indices]))
    with pytest.raises(IndexError, match="Subset: index 5 is out of range for 2 samples"):
        list(DataLoader(Subset(data, [0, 1]), batch_sampler=[[0, 5]]))


@pytest.mark.parametrize("indices", [(2, 0), np.array([2, 0]), minigrad.tensor([2, 0]), range(2, -1, -2)])
def test_batch_sampler_may_give_any_sequence(indices):
    data = TensorDataset(minigrad.arange(4))
    assert [x.tolist() for (x,) in DataLoader(data, batch_sampler=[indices])] == [[2, 0]]
    assert values(DataLoader(range(4), batch_sampler=[indices])) == [[2, 0]]


def test_an_empty_batch_is_an_error():
    for data in (TensorDataset(minigrad.arange(4)), range(4)):
        with pytest.raises(ValueError, match="the batch has no samples"):
            list(DataLoader(data, batch_sampler=[[]]))


# ----------------------------------------------------------------------------------------------- bad input

BAD = {
    "workers": ({"num_workers": 2}, "num_workers=2, and only 0 is possible.*leave num_workers out"),
    "negative workers": ({"num_workers": -1}, "num_workers=-1, and only 0"),
    "timeout": ({"timeout": 5}, "timeout=5 is about worker processes"),
    "context": ({"multiprocessing_context": "spawn"}, "multiprocessing_context='spawn' is about worker"),
    "prefetch": ({"prefetch_factor": 2}, "prefetch_factor=2 is about worker"),
    "persistent": ({"persistent_workers": True}, "persistent_workers=True is about worker"),
    "sampler and shuffle": ({"sampler": [0], "shuffle": True}, "sampler and shuffle=True exclude each other"),
    "batch_sampler and batch_size": ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler .* got batch_size=2"),
    "batch_sampler and shuffle": ({"batch_sampler": [[0]], "shuffle": True}, "shuffle=True"),
    "batch_sampler and sampler": ({"batch_sampler": [[0]], "sampler": [0]}, "a sampler"),
    "batch_sampler and drop_last": ({"batch_sampler": [[0]], "drop_last": True}, "drop_last=True"),
    "drop_last without batches": ({"batch_size": None, "drop_last": True}, "batch_size=None turns batching off"),
    "batch size 0": ({"batch_size": 0}, "DataLoader: batch_size must be an int >= 1, got batch_size=0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options(case):
    options, text = BAD[case]
    with pytest.raises(ValueError, match=text):
        DataLoader(range(4), **options)


@pytest.mark.parametrize("options", [{"shuffle": "yes"}, {"shuffle": 1}, {"drop_last": "no"}, {"drop_last": 0}])
def test_flags_are_true_or_false(options):
    (name, value), *_ = options.items()
    for batch_size in (2, None):
        with pytest.raises(TypeError, match=f"DataLoader: {name} must be True or False, got {name}={value!r}"):
            DataLoader(range(4), batch_size, **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_streams_have_an_order_of_their_own(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"Stream is an IterableDataset.*leave {name} out"):
        DataLoader(Stream(3), **options)
    assert values(DataLoader(Stream(3), 2, shuffle=False)) == [[0, 1], [2]]


def test_the_length_of_a_stream_without_one():
    with pytest.raises(TypeError, match="no len"):
        len(DataLoader(Stream(3)))


def test_shuffling_nothing():
    with pytest.raises(ValueError, match=r"data_source is empty.*leave out shuffle"):
        DataLoader([], shuffle=True)
    assert list(DataLoader([], 2)) == []


@pytest.mark.parametrize("name", ["dataset", "batch_size", "drop_last", "sampler", "batch_sampler"])
def test_what_is_fixed(name):
    loader = DataLoader(range(4), 2)
    with pytest.raises(ValueError, match=f"{name} cannot be changed afterwards"):
        setattr(loader, name, None)
    assert values(loader) == [[0, 1], [2, 3]]
    loader.collate_fn = list
    assert list(loader) == [[0, 1], [2, 3]]


# ----------------------------------------------------------------------------------------------- reference


@pytest.mark.reference
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 4},
        {"batch_size": 4, "drop_last": True},
        {"batch_size": None},
        {"batch_size": 3, "sampler": [9, 1, 4, 4]},
        {"batch_sampler": [[1, 2], [5], [7, 8, 9]]},
        {"batch_size": None, "sampler": [[1, 2], [3]]},
        {"batch_size": 20, "drop_last": True},
        {"batch_size": 5, "shuffle": False},
    ],
)
def test_batches_as_pytorch(options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10, 3), dtype=np.float32), rng.integers(0, 5, 10)
    ours = DataLoader(TensorDataset(x, y), **options)
    theirs = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), **options
    )
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert type(a) is type(b)
        for p, q in zip(a, b, strict=True):
            assert p.dtype == q.numpy().dtype
            np.testing.assert_array_equal(p.array, q.numpy())
    assert ours.batch_size == theirs.batch_size and ours.drop_last == theirs.drop_last


@pytest.mark.reference
@pytest.mark.parametrize("options", [{"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}])
def test_streams_as_pytorch(options):
    torch = pytest.importorskip("torch")

    class TorchStream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(8))

        def __len__(self):
            return 8

    ours, theirs = DataLoader(SizedStream(8), **options), torch.utils.data.DataLoader(TorchStream(), **options)
    assert len(ours) == len(theirs)
    assert [np.asarray(x).tolist() for x in ours] == [np.asarray(x).tolist() for x in theirs]


@pytest.mark.reference
def test_arguments_are_those_of_pytorch():
    torch_data = pytest.importorskip("torch.utils.data")
    ours = inspect.signature(DataLoader).parameters
    theirs = inspect.signature(torch_data.DataLoader).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
