"""Batches of images, gathered and scaled in one pass, compiled.

Images are kept as bytes, a quarter of the memory of float32, and are made floats as they are put into a batch.
"""

from __future__ import annotations

import numpy as np

from . import reference, shapes
from .gate import FLOAT32, INT64, UINT8, Out
from .memory import empty
from .parallel import threaded_kernel

Array = np.ndarray


def image_batch(images: Array, indices: Array, mean: Array, std: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.image_batch`."""
    plain = _plain(images, UINT8) and _plain(indices, INT64) and _plain(mean, FLOAT32) and _plain(std, FLOAT32)
    if out is not None or not plain:
        return reference.image_batch(images, indices, mean, std, out=out)
    N, C, P = shapes.image_batch("image_batch", images, indices, mean, std)
    y = empty((N, C, P), FLOAT32)
    _image_batch(N, 0.2 * y.size, y, images, indices, mean, std)
    return y


def _plain(a: Array, dtype: np.dtype) -> bool:
    """Is this an array of the kind that the kernel is compiled for? Others are not copied: there may be many images."""
    return a.dtype is dtype and type(a) is np.ndarray and a.flags.carray


@threaded_kernel
def _image_batch(first: int, last: int, y: Array, images: Array, indices: Array, mean: Array, std: Array) -> None:
    """images (n, P, C), indices (N,), mean and std (C,) -> y (N, C, P); the images from first to last of the batch"""
    C, kind = images.shape[2], y.dtype.type
    for n in range(first, last):
        pixels = images[indices[n]].reshape(-1)
        for c in range(C):
            row, centre, scale = y[n, c], mean[c], std[c]
            if C == 1:  # side by side: vector instructions
                for i in range(row.size):
                    row[i] = (kind(pixels[i]) / kind(255) - centre) / scale
            else:
                for i in range(row.size):
                    row[i] = (kind(pixels[i * C + c]) / kind(255) - centre) / scale
