"""What gradcheck says of a gradient that disagrees with differences: where, how much, and what is the likely cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

ROWS = 5  # so many elements are shown


class Comparison(NamedTuple):
    """The gradient of one input or parameter beside its differences."""

    which: str  # what the input is called
    x: np.ndarray
    claimed: np.ndarray  # by backward; zeros if
    reached: bool  # no gradient reached the input
    numeric: np.ndarray  # by central differences
    left: np.ndarray  # by differences to one side,
    right: np.ndarray  # and to the other
    wrong: np.ndarray  # where the two disagree
    slope: Callable[[tuple, float], float]  # the central difference at one place, with another step
    shares: str  # another input of the same memory, "" if there is none


def report(name: str, comparisons: list[Comparison], options: Any, narrow: list[str]) -> str:
    """The text of the error. `options` are gradcheck's; `narrow` are dtypes of results that are not float64."""
    wrong = [c for c in comparisons if c.wrong.any()]
    parts = [_section(name, c, _cause(c, comparisons, options, narrow)) for c in wrong]
    agreeing = [c.which for c in comparisons if not c.wrong.any()]
    if agreeing:
        parts.append(f"The gradient of {', '.join(agreeing)} agrees.")
    return "\n".join(parts)


def _section(name: str, c: Comparison, cause: str) -> str:
    """One input: what is wrong, the worst elements as a table, the cause."""
    count = int(c.wrong.sum())
    text = (
        f"{name}: the gradient of {c.which}, of shape {c.x.shape}, disagrees with central differences in {count} of "
        f"{c.wrong.size} elements:\n"
    )
    header = ("element", "value", "backward", "differences", "off by")
    rows = [header, *(_row(c, place) for place in _worst(c, ROWS))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for row in rows:
        text += "    " + "   ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + "\n"
    if count > ROWS:
        text += f"    and {count - ROWS} more\n"
    return text + f"  Likely cause: {cause}"


def _row(c: Comparison, place: tuple) -> tuple[str, ...]:
    numbers = c.x[place], c.claimed[place], c.numeric[place], c.claimed[place] - c.numeric[place]
    return str(place), *(f"{number:.7g}" for number in numbers)


def _worst(c: Comparison, count: int) -> list[tuple]:
    """The places of the wrong elements, the worst first; NaN is the worst."""
    with np.errstate(invalid="ignore"):
        off = np.where(c.wrong, np.nan_to_num(np.abs(c.claimed - c.numeric), nan=np.inf), -1.0).reshape(-1)
    order = np.argsort(-off, kind="stable")[: min(count, int(c.wrong.sum()))]
    return [tuple(int(i) for i in np.unravel_index(flat, c.x.shape)) for flat in order]


def _cause(c: Comparison, comparisons: list[Comparison], options: Any, narrow: list[str]) -> str:
    """The first explanation that fits, the most certain ones first."""
    for found in _causes(c, comparisons, options, narrow):
        if found:
            return found
    return "no simple pattern; compare the rule with the formula, an operand at a time"


def _causes(c: Comparison, comparisons: list[Comparison], options: Any, narrow: list[str]) -> Iterator[str]:
    yield _not_a_number(c)
    yield _shared_memory(c)
    yield _lost_step(c, options.eps)
    yield _jump(c, options.eps)
    yield _kink(c, options)
    yield _zero(c)
    yield _noise(c, options, narrow)
    yield _exchanged(c, comparisons, options)
    yield _transposed(c, options)
    yield _factor(c, options)
    yield _one_slice(c)


def _not_a_number(c: Comparison) -> str:
    """NaN or infinity on either side."""
    if not np.isfinite(c.numeric[c.wrong]).all():
        return "func is not finite there, or a step beside it; check at points inside of its domain"
    if not np.isfinite(c.claimed[c.wrong]).all():
        return "backward gives NaN or inf where func is finite: look for 0/0, 0 * inf or a log of 0 in the rule"
    return ""


def _shared_memory(c: Comparison) -> str:
    """Another input of the same memory."""
    return f"it shares memory with {c.shares}, which a step in it moves too; give a clone()" if c.shares else ""


def _lost_step(c: Comparison, eps: float) -> str:
    """A value so large that adding eps hardly changes it."""
    value = c.x[_worst(c, 1)[0]]
    if abs((value + eps) - value - eps) > 0.01 * eps:
        return f"the step eps={eps:g} is lost beside the value {value:.3g}; pass a larger eps, or scale the input"
    return ""


def _jump(c: Comparison, eps: float) -> str:
    """Differences that grow as the step shrinks."""
    places = _worst(c, 3)
    if all(c.numeric[p] and abs(10 * c.slope(p, 10 * eps) / c.numeric[p] - 1) < 0.1 for p in places):
        return f"func jumps at {places[0]}: a step ten times smaller makes the differences ten times larger"
    return ""


def _kink(c: Comparison, options: Any) -> str:
    """Differences to the left and to the right that disagree."""
    left, right = c.left[c.wrong], c.right[c.wrong]
    if (np.abs(left - right) > 10 * (options.atol + options.rtol * np.maximum(np.abs(left), np.abs(right)))).all():
        place = _worst(c, 1)[0]
        return (
            f"func has a kink: at {place} differences to the left give {c.left[place]:.6g}, to the right "
            f"{c.right[place]:.6g}; check at another point"
        )
    return ""


def _zero(c: Comparison) -> str:
    """No gradient at all, on either side."""
    if not c.reached:
        return "no gradient reaches it: on the way there is a detach(), a no_grad(), or NumPy and .item()"
    if not c.claimed[c.wrong].any():
        where = "everywhere" if not c.claimed.any() else "in these elements"
        return f"backward gives zero {where}: the rule forgets this input, or a part is detached"
    if not c.numeric.any():
        return "func does not depend on it, but backward gives a gradient"
    return ""


def _noise(c: Comparison, options: Any, narrow: list[str]) -> str:
    """Differences with a larger step agree: func rounds to fewer digits than float64 has."""
    places = _worst(c, 3)
    for step in (1e-4, 1e-3, 1e-2):
        slopes = np.array([c.slope(place, step) for place in places])
        claimed = np.array([c.claimed[place] for place in places])
        if step > 10 * options.eps and np.allclose(slopes, claimed, rtol=0.02, atol=10 * options.atol):
            what = f"a result is {narrow[0]}" if narrow else "func computes in float32 somewhere"
            return (
                f"{what}: differences with the larger step {step:g} agree, so these are rounding errors; compute in "
                "float64 throughout"
            )
    return ""


def _exchanged(c: Comparison, comparisons: list[Comparison], options: Any) -> str:
    """The gradient of another input."""
    for other in comparisons:
        if other is not c and other.x.shape == c.x.shape and _alike(c.claimed, other.numeric, options):
            return f"this is the gradient of {other.which}; are the two exchanged in what backward returns?"
    return ""


def _transposed(c: Comparison, options: Any) -> str:
    """The right numbers in another order."""
    if c.x.ndim >= 2 and min(c.x.shape[-2:]) > 1:
        swapped = c.claimed.reshape(*c.x.shape[:-2], c.x.shape[-1], c.x.shape[-2]).swapaxes(-1, -2)
        if _alike(swapped, c.numeric, options):
            return "it is the transpose of the right gradient (its last two dimensions exchanged)"
    return ""


def _factor(c: Comparison, options: Any) -> str:
    """Every element off by one factor."""
    clear = np.abs(c.numeric) > max(1e-3 * np.abs(c.numeric).max(), 10 * options.atol)
    if not clear.any():
        return ""
    factor = float(np.median(c.claimed[clear] / c.numeric[clear]))
    if not (factor and _alike(c.claimed / factor, c.numeric, options)):
        return ""
    if abs(factor + 1) < options.rtol:
        return "every element has the opposite sign (is off by the factor -1)"
    size = factor if abs(factor) > 1 else 1 / factor
    whole = round(size)
    if abs(size - whole) > options.rtol * abs(size):
        return f"every element is off by the factor {factor:.6g}" if clear.sum() > 1 else ""
    text = f"every element is off by the factor {whole if abs(factor) > 1 else f'1/{whole}'}"
    if abs(whole) > 2 and abs(whole) in (c.x.size, *c.x.shape):
        what = "the number of elements" if abs(whole) == c.x.size else "a dimension"
        text += f"; {abs(whole)} is {what}: does a mean divide twice, or not at all?"
    return text


def _one_slice(c: Comparison) -> str:
    """All wrong elements at one index of a dimension."""
    if c.wrong.sum() == 1:
        return "only this element is wrong, so look for a special case: a border, a tie, a limit"
    for dim, places in enumerate(np.nonzero(c.wrong)):
        if c.x.shape[dim] > 1 and len(set(places.tolist())) == 1:
            return f"all wrong elements have the index {int(places[0])} in dimension {dim}: look for a border"
    return ""


def _alike(a: np.ndarray, b: np.ndarray, options: Any) -> bool:
    return np.allclose(a, b, rtol=options.rtol, atol=options.atol)
