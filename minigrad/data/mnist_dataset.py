"""MNIST, which comes with the package, and data sets in the same four files."""

from __future__ import annotations

import errno
import operator
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..autograd import wrap
from .batching import take, transform_at, transform_batch
from .dataset import Dataset
from .idx import DataError, read_idx

__all__ = ["MNIST"]

# The SHA-256 of the unpacked files.
_EMBEDDED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class MNIST(Dataset[tuple[Any, Any]]):
    """Handwritten digits: 60,000 images of 28 x 28 grey bytes to train on and 10,000 to test, labels 0 to 9.

    `dataset[i]` is (image, label): the image a uint8 Tensor (28, 28) that `transform` is applied to, the
    label an int that `target_transform` is applied to. (torchvision hands `transform` a PIL image; the rest
    is the same.) Where the transforms have a batch form, as those of `minigrad.data.transforms`, a DataLoader
    gathers and transforms whole batches at once.

    root             : None for the files in the package. Else a folder with files of the same four names and layout,
                       for example Fashion-MNIST or KMNIST: in `root` itself, in `root/MNIST/raw` (where torchvision
                       puts them; MNIST stands for the name of the class) or in `root/raw`; gzipped or not;
                       "train-images.idx3-ubyte" does for "train-images-idx3-ubyte".
    train            : the training files or the test files.
    transform        : applied to each image.
    target_transform : applied to each label.
    download         : put the four files into `root/MNIST/raw` unless `root` has them. They come from the package:
                       nothing is ever downloaded, so a subclass for other data cannot have them put there.

    Attributes:

    data    : the images, a uint8 Tensor (N, height, width).
    targets : the labels, an int64 Tensor (N,).
    classes : the name of each label; a subclass for other data can set its own.
    source  : where the data came from, in words.

    Raises FileNotFoundError if `root` has no such files, with where they were looked for; DataError, with the name of
    the file, for one that is damaged or no IDX file of uint8 images or labels, for numbers of images and labels that
    differ, and for a label out of range.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

    >>> from minigrad.data import MNIST, DataLoader
    >>> from minigrad.data.transforms import Compose, Normalize, ToTensor
    >>> test = MNIST(train=False, transform=Compose([ToTensor(), Normalize((0.5,), (0.5,))]))
    >>> len(test), test.source
    (10000, 'embedded in the package (SHA-256 verified)')
    >>> images, labels = next(iter(DataLoader(test, batch_size=32)))
    >>> images.shape, images.dtype.name, labels[:5]
    ((32, 1, 28, 28), 'float32', tensor([7, 2, 1, 0, 4]))
    """

    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        self.root = root
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        names = [name for name in _EMBEDDED if name.startswith("train" if train else "t10k")]
        if root is None:
            folder = resources.files(__package__) / "mnist"
            images, labels = (read_idx(folder / f"{name}.gz", sha256=_EMBEDDED[name]) for name in names)
            self.source = "embedded in the package (SHA-256 verified)"
        else:
            paths = self._find(Path(root), names, download)
            images, labels = (read_idx(p) for p in paths)
            self._check(images, labels, *paths)
            self.source = str(paths[0].parent)
        self.data = wrap(images.copy())  # NumPy asks for large pages, in which scattered images are found sooner
        self.targets = wrap(labels.astype(np.int64))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        try:
            position = operator.index(index)
        except TypeError:
            raise TypeError(
                f"{type(self).__name__}: an index is an int, got {index!r}; for several samples, use "
                "Subset, or index .data and .targets"
            ) from None
        if not -len(self) <= position < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(self)} samples")
        image, label = wrap(self.data.array[position].copy()), int(self.targets.array[position])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def __getbatch__(self, index: slice | np.ndarray) -> Any:
        images = transform_at(self.transform, self.data.array, index)
        labels = wrap(take(self.targets.array, index))
        if self.target_transform is not None:
            labels = transform_batch(self.target_transform, labels)
        return NotImplemented if images is NotImplemented or labels is NotImplemented else [images, labels]

    def __len__(self) -> int:
        return len(self.data.array)

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        lines += [f"Source: {self.source}", f"Split: {'Train' if self.train else 'Test'}"]
        lines += [f"Transform: {self.transform!r}"] if self.transform else []
        lines += [f"Target transform: {self.target_transform!r}"] if self.target_transform else []
        return "\n    ".join(lines)

    def _find(self, root: Path, names: list[str], download: bool) -> list[Path]:
        """The files of these names, all in one folder."""
        folders = [root, root / type(self).__name__ / "raw", root / "raw"]
        for folder in folders:
            found = [_first_file(folder, name) for name in names]
            if all(found):
                return [path for path in found if path]
        if download and type(self) is MNIST:
            _copy_embedded(folders[1])
            return [folders[1] / f"{name}.gz" for name in names]
        raise FileNotFoundError(
            errno.ENOENT,
            f"{type(self).__name__}: no folder among {', '.join(map(str, folders))} has both "
            f"{' and '.join(names)} "
            '(either of them also with ".gz", or with "." for the "-" before "idx"). '
            "MNIST comes with the package: leave root out to use it, or pass download=True to have it put there. "
            "For other data put the files into",
            str(root),
        )

    def _check(self, images: np.ndarray, labels: np.ndarray, images_path: Any, labels_path: Any) -> None:
        """Refuse arrays that are no images with a label each."""
        if images.dtype != np.uint8 or images.ndim != 3:
            raise DataError(
                f"{images_path}: holds {images.dtype.name} values of shape {images.shape}, expected images: "
                "uint8 of shape (N, height, width)"
            )
        if labels.dtype != np.uint8 or labels.ndim != 1:
            raise DataError(
                f"{labels_path}: holds {labels.dtype.name} values of shape {labels.shape}, expected labels: "
                "uint8 of shape (N,)"
            )
        if len(images) != len(labels):
            raise DataError(
                f"{labels_path}: holds {len(labels)} labels, and {images_path} {len(images)} images; they "
                "must be files of one data set"
            )
        wrong = np.flatnonzero(labels >= len(self.classes))
        if wrong.size:
            raise DataError(
                f"{labels_path}: label {labels[wrong[0]]} at position {wrong[0]} is out of range, labels "
                f"are 0 to {len(self.classes) - 1}"
            )


def _copy_embedded(folder: Path) -> None:
    """Put the package's four files into `folder`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _EMBEDDED:
        unfinished = folder / f"{name}.gz.{os.getpid()}"
        unfinished.write_bytes((resources.files(__package__) / "mnist" / f"{name}.gz").read_bytes())
        unfinished.replace(folder / f"{name}.gz")


def _first_file(folder: Path, name: str) -> Path | None:
    """The file of this name in `folder`, in the first spelling that is there."""
    spellings = (name, name.replace("-idx", ".idx"))
    paths = (folder / f"{spelling}{suffix}" for spelling in spellings for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
