"""Batches of images, gathered and scaled in one pass, compiled.

Images are kept as bytes, a quarter of the memory of float32, and are made floats as they are put into a batch. Those of
a shuffled batch lie anywhere in memory: waiting for them takes several times as long as the arithmetic, unless they are
asked for ahead. First comes a byte at either end, far ahead: where in memory those pages are has to be looked up, which
takes longest, and is then done for many images at once.
"""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from . import reference, shapes
from .gate import FLOAT32, INT64, UINT8, Out
from .memory import empty
from .parallel import threaded_kernel
from .shapes import Shape
from .simd import prefetch

Array = np.ndarray

FAR, NEAR = 32, 4  # how many images ahead their pages are asked for, and all of an image
LINE = 64  # bytes that come at once


def image_batch(images: Array, indices: Array, mean: Array, std: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.image_batch`."""
    plan = _plan(_kind(images), _kind(indices), _kind(mean), _kind(std))
    if plan is None or out is not None:
        return reference.image_batch(images, indices, mean, std, out=out)
    shape, nanoseconds = plan
    y = empty(shape, FLOAT32)
    try:
        _image_batch(shape[0], nanoseconds, y, images, indices, mean, std)
    except IndexError:
        shapes.require_range("image_batch", "indices", indices, len(images))
        raise
    return y


_kind = operator.attrgetter("__class__", "dtype", "flags.carray", "shape")
Kind = tuple[type, np.dtype, bool, Shape]


@functools.lru_cache(1024)
def _plan(*kinds: Kind) -> tuple[Shape, float] | None:
    """The output's shape, and the nanoseconds it takes to fill it; ValueError unless the shapes fit.

    None for arrays of other kinds than the kernel is compiled for. They are not copied: there may be many images.
    """
    classes, dtypes, flags, sizes = zip(*kinds, strict=True)
    if dtypes != (UINT8, INT64, FLOAT32, FLOAT32) or {*classes} != {np.ndarray} or not all(flags):
        return None
    shape = shapes.image_batch("image_batch", *sizes)
    return shape, 0.12 * math.prod(shape)


@threaded_kernel
def _image_batch(first: int, last: int, y: Array, images: Array, indices: Array, mean: Array, std: Array) -> None:
    """images (n, P, C), indices (N,), mean and std (C,) -> y (N, C, P); the images from first to last of the batch"""
    count, P, C = images.shape
    size, kind = P * C, y.dtype.type
    for n in range(first - FAR, last):
        if n + FAR < last:
            start = indices[n + FAR] * size
            prefetch(images, start)
            prefetch(images, start + size - 1)
        if first <= n + NEAR < last:
            for at in range(0, size, LINE):
                prefetch(images, indices[n + NEAR] * size + at)
        if n < first:
            continue
        if not 0 <= indices[n] < count:
            raise IndexError
        pixels = images[indices[n]].reshape(-1)
        for c in range(C):
            row, centre, scale = y[n, c], mean[c], std[c]
            if C == 1:  # side by side: vector instructions
                for i in range(row.size):
                    row[i] = (kind(pixels[i]) / kind(255) - centre) / scale
            else:
                for i in range(row.size):
                    row[i] = (kind(pixels[i * C + c]) / kind(255) - centre) / scale
