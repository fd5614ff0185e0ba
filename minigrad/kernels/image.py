"""Batches of images, gathered and scaled in one pass, compiled.

Images are kept as bytes, a quarter of the memory of float32, and are made floats as they are put into a batch. Those of
a shuffled batch lie anywhere in memory: waiting for them takes several times as long as the arithmetic, unless they are
asked for ahead. First comes a byte at either end, far ahead: where in memory those pages are has to be looked up, which
takes longest, and is then done for many images at once.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from . import reference, shapes
from .gate import FLOAT32, INT64, UINT8, Out
from .look import FLOATS, look
from .memory import Maker, maker
from .parallel import threaded_kernel
from .shapes import Shape
from .simd import prefetch

Array = np.ndarray

FAR, NEAR = 32, 4  # how many images ahead their pages are asked for, and all of an image
LINE = 64  # bytes that come at once


def image_batch(images: Array, indices: Array, mean: Array, std: Array, *, out: Out = None) -> Array:
    """Compiled twin of `reference.image_batch`."""
    if out is not None or mean.dtype is not FLOAT32 or not look((images, indices, mean, std), KINDS):
        return reference.image_batch(images, indices, mean, std, out=out)  # without a copy: there may be many images
    count, make, nanoseconds = _plan(images.shape, indices.shape, mean.shape, std.shape)
    y = make()
    try:
        _image_batch(count, nanoseconds, y, images, indices, mean, std)
    except IndexError:
        shapes.require_range("image_batch", "indices", indices, len(images))
        raise
    return y


KINDS = UINT8, INT64, FLOATS, FLOATS


@functools.lru_cache(1024)
def _plan(images: Shape, indices: Shape, mean: Shape, std: Shape) -> tuple[int, Maker, float]:
    """How many images, what makes the output, and the nanoseconds to fill it; ValueError unless the shapes fit."""
    shape = shapes.image_batch("image_batch", images, indices, mean, std)
    return shape[0], maker(shape, FLOAT32), 0.12 * math.prod(shape)


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
