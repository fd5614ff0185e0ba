"""How a Tensor prints: PyTorch's form, character for character, but for the names of ops and dtypes.

All elements have the width of the widest. Floats have four decimals; `1.` if all of them are whole; an exponent
if they span more than three orders of magnitude, or are very large or small. Of more than 1000 elements only the
first and last three along each dimension are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

PRECISION, THRESHOLD, EDGE, LINE_WIDTH = 4, 1000, 3, 80
PREFIX = "tensor("


def text_of(array: np.ndarray, notes: Iterable[str]) -> str:
    """`tensor(elements, notes)`; a note that would make its line too long begins a new one.

    >>> import numpy as np
    >>> print(text_of(np.array([1.5, 200.0]), ["requires_grad=True"]))
    tensor([  1.5000, 200.0000], requires_grad=True)
    """
    text = PREFIX + ("[]" if array.size == 0 else _elements(array))
    for note in notes:
        line = len(text) - text.rfind("\n") + 1
        fits = line + len(note) + 2 <= LINE_WIDTH
        text += f", {note}" if fits else f",\n{' ' * len(PREFIX)}{note}"
    return f"{text})"


def _elements(array: np.ndarray) -> str:
    summarize = array.size > THRESHOLD
    shown = array[np.ix_(*map(_edges, array.shape))] if summarize else array
    write, width = _writer(shown)
    return _nested(array, len(PREFIX), summarize, write, width)


def _edges(n: int) -> list[int]:
    """The places along a dimension that a summary shows."""
    return list(range(n)) if n <= 2 * EDGE else [*range(EDGE), *range(n - EDGE, n)]


def _writer(shown: np.ndarray) -> tuple[Callable, int]:
    """A function that writes one element, and the width that they all need."""
    if shown.dtype.kind != "f":
        return str, max(len(str(x)) for x in shown.ravel().tolist())
    # The width is that of the finite elements other than 0; infinities, NaN and zeros have to do with it.
    values = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
    size = np.abs(values)
    if size.size and (size.max() > 1000 * size.min() or size.max() > 1e8 or size.min() < 1e-4):
        form = f".{PRECISION}e"
    else:
        form = ".0f" if (values == np.trunc(values)).all() else f".{PRECISION}f"

    def write(x: float) -> str:
        return format(x, form) + ("." if form == ".0f" and math.isfinite(x) else "")

    return write, max((len(write(x)) for x in values.tolist()), default=1)


def _nested(array: np.ndarray, indent: int, summarize: bool, write: Callable, width: int) -> str:
    """The elements in nested brackets, `indent` being the column of the outermost one."""
    if array.ndim == 0:
        return write(array.item()).rjust(width)
    parts = array[_edges(len(array))] if summarize else array
    rows = [_nested(part, indent + 1, summarize, write, width) for part in parts]
    if summarize and len(array) > 2 * EDGE:
        middle = " ..." if array.ndim == 1 else "..."
        rows = [*rows[:EDGE], middle, *rows[-EDGE:]]
    margin = " " * (indent + 1)
    if array.ndim == 1:
        per_line = max(1, (LINE_WIDTH - indent) // (width + 2))
        lines = [", ".join(rows[i : i + per_line]) for i in range(0, len(rows), per_line)]
        return "[" + f",\n{margin}".join(lines) + "]"
    return "[" + ("," + "\n" * (array.ndim - 1) + margin).join(rows) + "]"
