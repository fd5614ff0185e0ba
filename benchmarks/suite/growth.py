"""How the time grows with the size of the work: sweeps over the batch, the side of the image, and the channels.

A row is one point of a sweep. The slope of the straight line through a sweep, both axes logarithmic, is the power of
the size that the time grows with: 1 for the batch and 2 for the others, once the work outweighs the cost of a call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import layers
from .libraries import Torch
from .numbers import normal
from .row import Row, Task


@dataclass(frozen=True)
class Point(Row):
    """A row that is a point of a sweep."""

    sweep: str = ""
    size: int = 0


# what grows, the sizes, and the function below that does the work, of all other sizes as given
SWEEPS = {
    "batch, conv-bn": ((8, 16, 32, 64, 128, 256, 512, 1024), "steps.step", lambda n: ("conv-bn", n)),
    "image side, block": ((8, 16, 32, 64, 128), "growth.block", lambda n: (8, 16, n)),
    "channels, block": ((4, 8, 16, 32, 64, 128), "growth.block", lambda n: (8, n, 28)),
}


def rows(quick: bool = False) -> list[Row]:
    """All points; `quick` leaves out those between the first, one in the middle and the last."""
    found: list[Row] = []
    for sweep, (sizes, make, arguments) in SWEEPS.items():
        for n in (sizes[0], sizes[len(sizes) // 2], sizes[-1]) if quick else sizes:
            found.append(Point("growth", f"{sweep}: {n}", make, arguments(n), most=5, sweep=sweep, size=n))
    return found


def block(library: Torch, batch: int, channels: int, size: int) -> Task:
    """Convolution 3x3, batch norm, relu and pooling, with as many channels out as in: forward and backward."""
    nn = library.nn
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    model = library.initialize(nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)))
    return layers.there_and_back(library, model, normal(batch, channels, size, size), list(model.parameters()))


def slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The slope of the line through the logarithms, by least squares."""
    if len(sizes) < 2:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
