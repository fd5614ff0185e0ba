"""Whole batches from datasets and transforms of a user's own."""

import numpy as np
import pytest

import minigrad
from minigrad.data import MNIST, DataLoader, Dataset, Subset, TensorDataset, default_collate
from minigrad.data.transforms import Compose, Normalize, ToTensor


class Squares(Dataset):
    """Keeps what it was asked for."""

    def __init__(self, n):
        self.array = np.arange(n) ** 2
        self.asked = []

    def __getitem__(self, index):
        self.asked.append(index)
        return int(self.array[index])

    def __getbatch__(self, index):
        self.asked.append(index)
        return minigrad.tensor(self.array[index])

    def __len__(self):
        return len(self.array)


def batches(dataset, *indices):
    return [batch.tolist() for batch in DataLoader(dataset, batch_sampler=indices)]


def test_runs_come_as_slices():
    data = Squares(10)
    assert batches(data, [0, 1, 2], [7, 8, 9], [4]) == [[0, 1, 4], [49, 64, 81], [16]]
    assert data.asked == [slice(0, 3), slice(7, 10), slice(4, 5)]


@pytest.mark.parametrize("indices", [[1, 0], [0, 2], [3, 3, 3], [0, 2, 1, 3], [0, 0, 3, 3], [-2, -1], [-1, 0], [-1]])
def test_other_indices_come_as_int64_arrays(indices):
    data = Squares(10)
    assert batches(data, indices) == [[data.array[i] for i in indices]]
    (asked,) = data.asked
    assert isinstance(asked, np.ndarray) and asked.dtype == np.int64 and asked.tolist() == indices


@pytest.mark.parametrize("indices", [[8, 9, 10], [10, 11], [9, 10]])
def test_a_run_past_the_end_is_no_slice_that_would_be_cut(indices):
    with pytest.raises(IndexError):
        batches(Squares(10), indices)


def test_subsets_pass_on_slices():
    data = Squares(20)
    assert batches(Subset(data, range(5, 15)), [2, 3], [4, 6]) == [[49, 64], [81, 121]]
    assert batches(Subset(data, [3, 4, 9]), [0, 1], [1, 2]) == [[9, 16], [16, 81]]
    run, scattered, inner_run, inner_scattered = data.asked
    assert run == slice(7, 9) and scattered.tolist() == [9, 11]
    assert inner_run == slice(3, 5) and inner_scattered.tolist() == [4, 9]


def test_not_implemented_goes_sample_by_sample():
    class Sometimes(Squares):
        def __getbatch__(self, index):
            return NotImplemented

    data = Sometimes(5)
    assert batches(data, [1, 2]) == [[1, 4]] and data.asked == [1, 2]
    assert batches(Subset(data, [4, 0]), [1, 0]) == [[0, 16]]


def test_a_collate_fn_gets_samples():
    data = Squares(5)
    assert list(DataLoader(data, 2, collate_fn=list)) == [[0, 1], [4, 9], [16]]
    assert data.asked == [0, 1, 2, 3, 4]
    data.asked.clear()
    assert len(list(DataLoader(data, 2, collate_fn=default_collate))) == 3
    assert data.asked == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_a_redefined_getitem_is_never_bypassed():
    class Negated(Squares):
        def __getitem__(self, index):
            return -super().__getitem__(index)

    class Mixin:
        def __getitem__(self, index):
            return 100 + super().__getitem__(index)

    class Mixed(Mixin, Squares):
        pass

    class Both(Negated):
        def __getbatch__(self, index):
            return minigrad.tensor(-self.array[index])

    class Shifted(Subset):
        def __getitem__(self, index):
            return 1000 + super().__getitem__(index)

    assert batches(Negated(3), [0, 1, 2]) == [[0, -1, -4]]
    assert batches(Mixed(3), [0, 1, 2]) == [[100, 101, 104]]
    both = Both(3)
    assert batches(both, [0, 1, 2]) == [[0, -1, -4]] and both.asked == []
    assert batches(Subset(Negated(5), [4, 3]), [0, 1]) == [[-16, -9]]
    assert batches(Shifted(Squares(5), [4, 3]), [0, 1]) == [[1016, 1009]]
    assert batches(Shifted(range(5), [4, 3]), [0, 1]) == [[1004, 1003]]  # nor is it by __getitems__


def test_keys_that_are_no_integers():
    class ByName(Dataset):
        samples = {"a": 1, "b": 2, (0, 1): 3, (2,): 4, True: 5}  # noqa: RUF012

        def __getitem__(self, key):
            return self.samples[key]

        def __getbatch__(self, index):
            raise AssertionError("asked for a batch")

        def __len__(self):
            return len(self.samples)

    assert batches(ByName(), ["a", "b"], [(0, 1), (2,)], [True], [True, "a"]) == [[1, 2], [3, 4], [5], [5, 1]]


def test_samples_may_be_anything_that_collates():
    class Named(TensorDataset):
        def __getitem__(self, index):
            return {"x": self.tensors[0][index]}

        def __getbatch__(self, index):
            return {"x": super().__getbatch__(index)[0]}

    data = Named(minigrad.arange(4))
    (batch,) = DataLoader(data, 4)
    assert batch["x"].tolist() == default_collate([data[i] for i in range(4)])["x"].tolist() == [0, 1, 2, 3]


def test_a_redefined_call_of_a_transform_is_never_bypassed():
    class Inverted(ToTensor):
        def __call__(self, pic):
            return 1 - super().__call__(pic)

    class Both(Inverted):
        def batch(self, images):
            return 1 - super().batch(images)

    plain = MNIST(train=False, transform=ToTensor())
    expected = 1 - next(iter(DataLoader(plain, 3)))[0]
    for transform in (Inverted(), Both()):
        images, _ = next(iter(DataLoader(MNIST(train=False, transform=transform), 3)))
        np.testing.assert_array_equal(images.array, expected.array)


def test_what_is_replaced_between_batches_counts_from_the_next_on():
    """Also in the middle of an epoch: what is made once for many batches does not outlive what it was made of."""
    data, f = MNIST(train=False, transform=Compose([ToTensor(), Normalize(0.5, 0.5)])), np.float32
    loader, pixels = iter(DataLoader(data, 4)), data.data.array / f(255)

    def images():
        return next(loader)[0].array[:, 0]

    np.testing.assert_array_equal(images(), (pixels[:4] - f(0.5)) / f(0.5))
    data.transform.transforms[1] = Normalize(0.25, 2.0)
    np.testing.assert_array_equal(images(), (pixels[4:8] - f(0.25)) / f(2))
    data.transform = ToTensor()
    np.testing.assert_array_equal(images(), pixels[8:12])
    data.data = minigrad.tensor(data.data.array[::-1].copy())
    data.targets = data.targets + 0.5
    x, labels = next(loader)
    np.testing.assert_array_equal(x.array[:, 0], pixels[::-1][12:16])
    np.testing.assert_array_equal(labels.array, data.targets.array[12:16])
    minigrad.set_default_dtype(minigrad.float64)
    try:
        np.testing.assert_array_equal(images(), data.data.array[16:20] / 255)
    finally:
        minigrad.set_default_dtype(minigrad.float32)
    with minigrad.use_backend("numpy"):
        np.testing.assert_array_equal(images(), pixels[::-1][20:24])
    data.transform = lambda image: image.sum()
    assert next(loader)[0].tolist() == [image.sum() for image in data.data.array[24:28]]


def test_functions_and_modules_transform_sample_by_sample():
    seen = []

    def double(image):
        seen.append(tuple(image.shape))
        return image.float() * 2

    data = MNIST(train=False, transform=double, target_transform=lambda y: y + 0.5)
    images, labels = next(iter(DataLoader(data, 2)))
    assert seen == [(28, 28)] * 2
    assert images.shape == (2, 28, 28) and images.array.max() == 510
    assert labels.dtype == np.float64 and labels.tolist() == [7.5, 2.5]


def test_transform_errors_are_the_same_both_ways():
    data = MNIST(train=False, transform=Normalize((0.5,), (0.5,)))
    with pytest.raises(ValueError, match=r"Normalize: needs \(C, H, W\), got shape \(28, 28\)"):
        data[0]
    with pytest.raises(ValueError, match=r"Normalize: needs \(N, C, H, W\), got shape \(4, 28, 28\)"):
        next(iter(DataLoader(data, 4)))
