import gzip
import shutil
import struct
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.data import MNIST, DataError, DataLoader
from minigrad.data.transforms import Compose, Lambda, Normalize, ToTensor

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def small(train):
    """A small data set of other pictures."""
    rng = np.random.default_rng(int(train))
    n = 12 if train else 5
    return rng.integers(0, 256, (n, 6, 7), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)


def fill(folder, spell=lambda name: name, pack=lambda data: data):
    folder.mkdir(parents=True, exist_ok=True)
    contents = [array for train in (True, False) for array in small(train)]
    for name, array in zip(NAMES, contents, strict=True):
        (folder / spell(name)).write_bytes(pack(idx(array)))


@pytest.fixture(scope="module")
def train_set():
    return MNIST()


@pytest.fixture(scope="module")
def test_set():
    return MNIST(train=False)


# ------------------------------------------------------------------------------------------------ embedded


def test_embedded_training_set(train_set):
    assert len(train_set) == 60_000
    assert train_set.data.shape == (60_000, 28, 28) and train_set.data.dtype == minigrad.uint8
    assert train_set.targets.shape == (60_000,) and train_set.targets.dtype == minigrad.int64
    assert train_set.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(train_set.targets.array).tolist() == TRAIN_COUNTS
    assert train_set.data.array.mean() == pytest.approx(33.318, abs=1e-3)
    assert train_set.source == "embedded in the package (SHA-256 verified)"


def test_embedded_test_set(test_set):
    assert len(test_set) == 10_000 and not test_set.train
    assert np.bincount(test_set.targets.array).tolist() == TEST_COUNTS
    assert test_set.data.array.mean() == pytest.approx(33.791, abs=1e-3)


def test_samples(test_set):
    image, label = test_set[0]
    assert isinstance(image, minigrad.Tensor) and image.shape == (28, 28) and image.dtype == minigrad.uint8
    assert type(label) is int and label == 7
    assert image.equal(test_set.data[0])
    image.array[...] = 0  # a copy
    assert test_set.data[0].array.any()
    assert test_set[-1][1] == test_set[9_999][1] == test_set[np.int64(9_999)][1] == 6
    assert test_set[minigrad.tensor(1)][1] == 2


def test_class_names(test_set):
    assert test_set.classes[0] == "0 - zero" and test_set.classes[9] == "9 - nine" and len(test_set.classes) == 10
    assert test_set.class_to_idx["7 - seven"] == 7 and len(test_set.class_to_idx) == 10


def test_repr(test_set):
    lines = repr(test_set).splitlines()
    assert lines[0] == "Dataset MNIST" and "    Number of datapoints: 10000" in lines
    assert "    Split: Test" in lines and not any("ransform" in line for line in lines)
    text = repr(MNIST(train=False, transform=ToTensor(), target_transform=str))
    assert "Transform: ToTensor()" in text and "Target transform: <class 'str'>" in text


def test_transforms_of_one_sample():
    data = MNIST(train=False, transform=lambda x: x.shape, target_transform=lambda y: -y)
    assert data[0] == ((28, 28), -7)


def test_batches_to_train_on(train_set):
    transform = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    data = MNIST(transform=transform)
    order = minigrad.Generator().manual_seed(0)
    images, labels = next(iter(DataLoader(data, 32, shuffle=True, generator=order)))
    assert images.shape == (32, 1, 28, 28) and images.dtype == minigrad.float32 and images.is_contiguous()
    assert labels.shape == (32,) and labels.dtype == minigrad.int64
    assert images.array.min() == -1 and images.array.max() == 1
    chosen = order.manual_seed(0).numpy.permutation(60_000)[:32]
    np.testing.assert_array_equal(labels.array, train_set.targets.array[chosen])
    pixels = train_set.data.array[chosen].astype(np.float32)
    np.testing.assert_allclose(images.array[:, 0], pixels / 127.5 - 1, atol=1e-6)


def test_batches_with_a_batched_target_transform():
    mirror = Lambda(lambda y: 9 - y, batch=lambda y: 9 - y)
    raw, labels = next(iter(DataLoader(MNIST(train=False, target_transform=mirror), 5)))
    assert raw.shape == (5, 28, 28) and raw.dtype == minigrad.uint8
    assert labels.tolist() == [2, 7, 8, 9, 5] and labels.dtype == minigrad.int64


@pytest.mark.parametrize("index", [slice(0, 2), [0, 1], 1.0, "0", None])
def test_an_index_is_an_int(test_set, index):
    with pytest.raises(TypeError, match=r"MNIST: an index is an int, got .*; for several samples, use Subset"):
        test_set[index]


@pytest.mark.parametrize("index", [10_000, -10_001])
def test_an_index_out_of_range(test_set, index):
    with pytest.raises(IndexError, match=f"MNIST: index {index} is out of range for 10000 samples"):
        test_set[index]


def test_embedded_files_are_checked(tmp_path, monkeypatch):
    folder = tmp_path / "mnist"
    shutil.copytree(resources.files("minigrad.data") / "mnist", folder)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    assert len(MNIST(train=False)) == 10_000
    labels = folder / "t10k-labels-idx1-ubyte.gz"
    changed = bytearray(gzip.decompress(labels.read_bytes()))
    changed[100] ^= 1
    labels.write_bytes(gzip.compress(bytes(changed)))
    with pytest.raises(DataError, match=r"ubyte\.gz: was damaged or replaced: the SHA-256"):
        MNIST(train=False)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte\.gz"):
        MNIST(train=False)


# -------------------------------------------------------------------------------------------- another folder


LAYOUTS = {
    "plain": {},
    "gzipped": {"spell": "{}.gz".format, "pack": gzip.compress},
    "gzipped, named plain": {"pack": gzip.compress},
    "dotted": {"spell": lambda name: name.replace("-idx", ".idx")},
    "dotted, gzipped": {"spell": lambda name: name.replace("-idx", ".idx") + ".gz", "pack": gzip.compress},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("folder", [".", "MNIST/raw", "raw"])
@pytest.mark.parametrize("train", [True, False])
def test_a_folder_of_the_same_files(tmp_path, layout, folder, train):
    fill(tmp_path / folder, **LAYOUTS[layout])
    data = MNIST(str(tmp_path), train, download=True)  # they are there, so there is nothing to download
    images, labels = small(train)
    np.testing.assert_array_equal(data.data.array, images)
    np.testing.assert_array_equal(data.targets.array, labels)
    assert data.source == str(tmp_path / folder) and data.root == str(tmp_path)
    (batch, targets), *_ = DataLoader(data, 4)
    np.testing.assert_array_equal(batch.array, images[:4])
    assert targets.tolist() == [0, 1, 2, 3]


def test_both_files_come_from_one_folder(tmp_path):
    fill(tmp_path / "raw")
    (tmp_path / NAMES[0]).write_bytes(b"images without labels")
    assert MNIST(tmp_path).source == str(tmp_path / "raw")


def test_a_subclass_has_its_own_folder_and_classes(tmp_path):
    class Letters(MNIST):
        classes = [*"abcdefghijkl"]  # noqa: RUF012

    fill(tmp_path / "Letters" / "raw")
    labels = np.arange(12, dtype=np.uint8)
    (tmp_path / "Letters" / "raw" / NAMES[1]).write_bytes(idx(labels))
    data = Letters(tmp_path)
    assert data[11][1] == 11 and data.class_to_idx["l"] == 11 and repr(data).startswith("Dataset Letters")


def test_download_puts_the_embedded_files_into_the_folder(tmp_path):
    data = MNIST(tmp_path / "data", train=False, download=True)
    assert data.source == str(tmp_path / "data" / "MNIST" / "raw") and len(data) == 10000
    assert sorted(p.name for p in Path(data.source).iterdir()) == sorted(f"{name}.gz" for name in NAMES)
    assert len(MNIST(tmp_path / "data", train=False)) == 10000  # they stay there


class Other(MNIST):
    """Other data in the same four files."""


@pytest.mark.parametrize("cls, download", [(MNIST, False), (Other, False), (Other, True)])
def test_missing_files(tmp_path, cls, download):
    fill(tmp_path / "raw")
    (tmp_path / "raw" / NAMES[1]).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        cls(tmp_path, download=download)
    text = str(caught.value)
    for part in (*NAMES[:2], str(tmp_path), str(tmp_path / cls.__name__ / "raw"), "leave root out"):
        assert part in text
    assert len(cls(tmp_path, train=False)) == 5  # the other two are there


FAULTS = {
    "no images": (0, np.zeros((12, 42), np.uint8), 0x08, "uint8 values of shape (12, 42), expected images"),
    "images of int8": (0, np.zeros((12, 6, 7), np.int8), 0x09, "int8 values of shape (12, 6, 7), expected images"),
    "no labels": (1, np.zeros((12, 1), np.uint8), 0x08, "uint8 values of shape (12, 1), expected labels"),
    "labels of int32": (1, np.zeros(12, ">i4"), 0x0C, "int32 values of shape (12,), expected labels"),
    "counts": (1, np.zeros(11, np.uint8), 0x08, "holds 11 labels, and "),
    "label 10": (1, np.arange(12, dtype=np.uint8), 0x08, "label 10 at position 10 is out of range, labels are 0 to 9"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_do_not_fit(tmp_path, fault):
    which, array, code, text = FAULTS[fault]
    fill(tmp_path)
    path = tmp_path / NAMES[which]
    path.write_bytes(idx(array, code))
    with pytest.raises(DataError) as caught:
        MNIST(tmp_path)
    assert str(caught.value).startswith(f"{path}: ") and text in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files(tmp_path, name):
    fill(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{name}: is truncated"):
        MNIST(tmp_path, train=name.startswith("train"))
