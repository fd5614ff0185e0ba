"""Transforms of images, under torchvision's names, each for one image and for a whole batch at once.

A transform is any callable that takes an image. With a method `batch` as well (see `minigrad.data.batching`)
it keeps a dataset on the path where `DataLoader` gathers whole batches. All those here have it, except a
`Lambda` that was given none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import wrap
from ..dtypes import as_dtype, get_default_dtype, uint8
from ..tensor import Tensor
from .batching import take, transform_batch

__all__ = ["Compose", "Lambda", "Normalize", "ToTensor"]


class Compose:
    """The transforms one after another.

    >>> import minigrad
    >>> from minigrad.data.transforms import Compose, Normalize, ToTensor
    >>> to_unit = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    >>> to_unit(minigrad.tensor([[0, 255]], dtype=minigrad.uint8))
    tensor([[[-1.,  1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def batch(self, images: Tensor) -> Any:
        """All the images at once; NotImplemented unless each of the transforms can."""
        for transform in self.transforms:
            images = transform_batch(transform, images)
            if images is NotImplemented:
                break
        return images

    def gather(self, images: np.ndarray, index: slice | np.ndarray) -> Any:
        """The images at `index`, with `ToTensor` and a `Normalize` right after it in one pass, and the others then."""
        transforms = self.transforms
        if not transforms or type(transforms[0]) is not ToTensor:
            return NotImplemented
        done, normalize = 1, _AS_IT_IS
        if len(transforms) > 1 and type(transforms[1]) is Normalize:
            done, normalize = 2, transforms[1]
        batch = _gather(images, index, normalize)
        for transform in transforms[done:]:
            if batch is NotImplemented:
                break
            batch = transform_batch(transform, batch)
        return batch

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.transforms))})"


class ToTensor:
    """An image (H, W) or (H, W, C) as a Tensor (C, H, W); bytes 0..255 become floats 0..1, other dtypes stay.

    Takes a Tensor, an array, or what NumPy makes one of, such as a PIL image.

    Raises ValueError for other numbers of dimensions, TypeError for a dtype that Tensors do not have, and
    RuntimeError for a Tensor that requires grad, which this would cut out of its graph.

    >>> import minigrad
    >>> from minigrad.data.transforms import ToTensor
    >>> image = minigrad.tensor([[0, 51], [102, 255]], dtype=minigrad.uint8)
    >>> ToTensor()(image)
    tensor([[[0.0000, 0.2000],
             [0.4000, 1.0000]]])
    """

    def __call__(self, pic: Any) -> Tensor:
        return wrap(self._convert(np.asarray(pic)[None])[0])

    def batch(self, images: Tensor) -> Tensor:
        """Images (N, H, W) or (N, H, W, C) as (N, C, H, W)."""
        return wrap(self._convert(np.asarray(images)))

    def gather(self, images: np.ndarray, index: slice | np.ndarray) -> Any:
        """Those at `index` of images (n, H, W) or (n, H, W, C) of bytes, as (N, C, H, W), in one pass."""
        return _gather(images, index, _AS_IT_IS)

    @staticmethod
    def _convert(pixels: np.ndarray) -> np.ndarray:
        if pixels.ndim not in (3, 4):
            raise ValueError(f"ToTensor: an image is (H, W) or (H, W, C), got shape {pixels.shape[1:]}")
        as_dtype(pixels.dtype)  # refuses what a Tensor cannot have
        pixels = pixels[:, None] if pixels.ndim == 3 else np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
        if pixels.dtype != np.uint8:
            return pixels
        dtype = get_default_dtype()
        return np.divide(pixels, dtype.type(255), dtype=dtype)

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """Each channel c of a float image (C, H, W) as (image[c] - mean[c]) / std[c].

    mean, std : one number a channel, or one for all of them.

    Raises ValueError for a std of 0, for numbers of channels that differ, and for an image of other
    dimensions; TypeError for an image that is not floating (ToTensor makes it so).

    >>> import minigrad
    >>> from minigrad.data.transforms import Normalize
    >>> Normalize((0.5,), (0.25,))(minigrad.tensor([[[0.0, 0.5, 1.0]]]))
    tensor([[[-2.,  0.,  2.]]])
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean, self.std = mean, std
        self._mean, self._std = (np.asarray(x, np.float64).reshape(-1, 1, 1) for x in (mean, std))
        if not self._std.all():
            raise ValueError(f"Normalize: std must not be 0, got {std}")
        self._scales: dict[tuple[int, np.dtype], tuple[np.ndarray, np.ndarray] | None] = {}  # made as they are needed

    def __call__(self, tensor: Tensor) -> Tensor:
        return self._normalize(tensor, "(C, H, W)", 3)

    def batch(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) likewise."""
        return self._normalize(images, "(N, C, H, W)", 4)

    def _normalize(self, images: Tensor, layout: str, ndim: int) -> Tensor:
        """Images of at least `ndim` dimensions, the third from the end the channels."""
        if images.ndim < ndim:
            raise ValueError(f"Normalize: needs {layout}, got shape {tuple(images.shape)}; put ToTensor before it")
        if not images.is_floating_point():
            raise TypeError(f"Normalize: needs floats, got {images.dtype.name}; put ToTensor before it")
        channels = images.shape[-3]
        for name, values in (("mean", self._mean), ("std", self._std)):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"Normalize: {name} has {len(values)} values, and the image {channels} channels, shape "
                    f"{tuple(images.shape)}; give one value a channel"
                )
        x = images if images.requires_grad else images.array  # an array saves recording what nobody asks for
        y = (x - self._mean.astype(x.dtype)) / self._std.astype(x.dtype)
        return y if isinstance(y, Tensor) else wrap(y)

    def _scale(self, channels: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray] | None:
        """A mean and a std for each channel, made once; None for images with another number of channels."""
        try:
            return self._scales[channels, dtype]
        except KeyError:
            fit = {len(self._mean), len(self._std)} <= {1, channels}
            mean, std = (np.resize(a, channels).astype(dtype) for a in (self._mean, self._std))
            return self._scales.setdefault((channels, dtype), (mean, std) if fit else None)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


_AS_IT_IS = Normalize(0.0, 1.0)


def _gather(images: np.ndarray, index: slice | np.ndarray, normalize: Normalize) -> Any:
    """Images of bytes as ToTensor and Normalize make them; NotImplemented for others, and for what these refuse."""
    layout = _layout(images.shape)
    if layout is None or images.dtype is not uint8 or not images.flags.c_contiguous:
        return NotImplemented
    flat, C, H, W = layout
    scale = normalize._scale(C, get_default_dtype())
    if scale is None:
        return NotImplemented
    if type(index) is slice:
        index = np.arange(*index.indices(len(images)))
    pixels, gather, (mean, std) = images.reshape(flat), kernels.current().image_batch, scale
    try:
        batch = gather(pixels, index, mean, std)
    except IndexError:  # some count from the end, or are out of range indeed
        batch = gather(pixels, take(np.arange(len(images)), index), mean, std)
    return wrap(batch.reshape(len(index), C, H, W))


@functools.lru_cache(256)
def _layout(shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int, int, int] | None:
    """Images (n, H, W) or (n, H, W, C) as (n, H W, C), and C, H and W; None for others, and for none at all."""
    if len(shape) not in (3, 4) or 0 in shape:
        return None
    n, H, W, C = (*shape, 1)[:4]
    return (n, H * W, C), C, H, W


class Lambda:
    """A function of yours as a transform.

    lambd : takes one image.
    batch : takes images with a first dimension N, and gives what N calls of `lambd` stacked would. Without it samples
            are transformed one by one.

    >>> import minigrad
    >>> from minigrad.data.transforms import Lambda
    >>> flat = Lambda(lambda x: x.flatten(), batch=lambda x: x.flatten(1))
    >>> flat(minigrad.zeros(1, 28, 28)).shape, flat.batch(minigrad.zeros(32, 1, 28, 28)).shape
    ((784,), (32, 784))
    """

    def __init__(self, lambd: Callable[[Any], Any], batch: Callable[[Tensor], Tensor] | None = None) -> None:
        for name, function in (("lambd", lambd), ("batch", lambd if batch is None else batch)):
            if not callable(function):
                raise TypeError(f"Lambda: {name} must be callable, got {type(function).__name__}")
        self.lambd, self._batch = lambd, batch

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def batch(self, images: Tensor) -> Any:
        """All the images at once; NotImplemented without a function for it."""
        return NotImplemented if self._batch is None else self._batch(images)

    def __repr__(self) -> str:
        return f"Lambda({getattr(self.lambd, '__qualname__', self.lambd)})"
