"""What was measured: as figures for the file, and as a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from . import growth
from .libraries import LIBRARIES
from .limits import PEAK, TRIAD
from .measure import Measured
from .row import OURS, Target

# ------------------------------------------------------------------------------------------------ figures


def best(found: list[Measured]) -> dict[str, float]:
    """The limits: bytes and floating point operations in a second, at best."""
    return {
        one.row.name: (one.row.bytes or one.row.flop) / min(min(samples) for samples in one.samples.values() if samples)
        for one in found
        if one.row.family == "limits" and not one.error
    }


def results(found: list[Measured]) -> list[dict]:
    """For each row, and each library beside ours, the figures of a line of the table."""
    limits, lines = best(found), []
    for one in found:
        if one.error:
            lines.append({"family": one.row.family, "row": one.row.name, "error": one.error})
        elif one.row.family not in ("limits", "growth"):
            others = [name for name in one.samples if name != OURS] or [""]
            targets = {others[0]: one.row.targets.get("", Target()), **one.row.targets}
            lines += [figures(one, other, targets.get(other, Target()), limits) for other in others]
    return lines


def figures(one: Measured, other: str, target: Target, limits: dict[str, float]) -> dict[str, Any]:
    """A row beside another library, or beside none."""
    row, ours, theirs = one.row, one.samples[OURS], one.samples.get(other, [])
    ratios = spread([a / b for a, b in zip(ours, theirs, strict=True)]) if other else None
    taken, share = spread(ours), share_of_limit(one, OURS, limits)
    measured = ratios and ratios["median"], taken["median"], share
    return {
        "family": row.family,
        "row": row.name,
        "beside": other,
        "unit": row.unit,
        OURS: taken,
        "theirs": spread(theirs) if other else None,
        "ratio": ratios,
        "must": str(target.must) if target.must else None,
        "must holds": target.must.holds(*measured) if target.must else None,
        "aim": str(target.aim) if target.aim else None,
        "aim holds": target.aim.holds(*measured) if target.aim else None,
        "limit": limit_of(one),
        "share": share,
        "their share": share_of_limit(one, other, limits) if other else None,
        "samples": {OURS: ours, other: theirs} if other else {OURS: ours},
    }


def spread(samples: Sequence[float]) -> dict[str, float]:
    """The median and the quartiles."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else 3 * [*samples]
    return {"median": middle, "low": low, "high": high}


def limit_of(one: Measured) -> str | None:
    """Which limit a row is held against."""
    return PEAK if one.row.flop else TRIAD if one.row.bytes else None


def share_of_limit(one: Measured, name: str, limits: dict[str, float]) -> float | None:
    """How much is done of what the machine can do at most: operations, or bytes, in a second."""
    limit = limits.get(limit_of(one) or "")
    amount = one.row.flop or one.row.bytes
    return amount / statistics.median(one.samples[name]) / limit if amount and limit else None


def sweeps(found: list[Measured]) -> list[dict]:
    """For each sweep the medians of all points, and the slopes."""
    lines = []
    for sweep in growth.SWEEPS:
        points = [one for one in found if getattr(one.row, "sweep", "") == sweep and not one.error]
        if points:
            sizes = [one.row.size for one in points]
            times = {name: [statistics.median(one.samples[name]) for one in points] for name in points[0].samples}
            slopes = {name: growth.slope(sizes, values) for name, values in times.items()}
            lines.append({"sweep": sweep, "sizes": sizes, "seconds": times, "slopes": slopes})
    return lines


def summary(lines: list[dict]) -> dict[str, list[int]]:
    """How many of the targets hold, and how many there are."""
    return {
        kind: [sum(bool(one.get(f"{kind} holds")) for one in lines), sum(bool(one.get(kind)) for one in lines)]
        for kind in ("must", "aim")
    }


# ------------------------------------------------------------------------------------------------ tables

BUSY = 0.1  # processors: with more than that at work for others, times mean little
HEADINGS = "work", "minigrad", "theirs", "ratio (quartiles)", "must", "aim", "holds", "of the limit"


def table(lines: list[dict]) -> str:
    """The figures of all rows."""
    return columns(HEADINGS, [cells(one) for one in lines if "error" not in one])


def cells(one: dict) -> tuple[str, ...]:
    """A line of the table. Beside a library other than PyTorch it says which."""
    theirs, relative, unit = one["theirs"], one["ratio"], one["unit"]
    other = f" / {LIBRARIES[one['beside']][1]}" if one["beside"] not in ("", "pytorch") else ""
    held = "aim" if one["aim holds"] else "must" if one["must holds"] else "NO" if one["must"] else ""
    return (
        one["row"] + other,
        quantity(one[OURS]["median"], unit),
        quantity(theirs["median"], unit) if theirs else "",
        "{median:.2f} ({low:.2f}-{high:.2f})".format(**relative) if relative else "",
        one["must"] or "",
        one["aim"] or "",
        held,
        f"{one['share']:.0%} {one['limit']}" if one["share"] is not None else "",
    )


def growth_table(lines: list[dict]) -> str:
    """The slopes of all sweeps."""
    rows = []
    for one in lines:
        theirs = one["seconds"].get("pytorch")
        ratios = [a / b for a, b in zip(one["seconds"][OURS], theirs, strict=True)] if theirs else []
        slopes = [f"{one['slopes'][name]:.2f}" if name in one["slopes"] else "" for name in (OURS, "pytorch")]
        sizes = " ".join(map(str, one["sizes"]))
        rows.append((one["sweep"], *slopes, sizes, " ".join(f"{ratio:.2f}" for ratio in ratios)))
    return columns(("time grows with, to the power", "minigrad", "PyTorch", "sizes", "ratios"), rows)


def columns(headings: Sequence[str], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown that is readable as it is: the first column to the left, the others to the right."""
    widths = [max(3, *map(len, column)) for column in zip(headings, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in (headings, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def quantity(value: float, unit: str) -> str:
    """Seconds or bytes, in three digits and the unit that suits."""
    units = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((2**20, "MiB"),)}[unit]
    size, name = next((one for one in units if value >= one[0]), units[-1])
    decimals = max(0, 2 - int(math.log10(max(value / size, 1))))
    return f"{value / size:.{decimals}f} {name}"


# ------------------------------------------------------------------------------------------------ all of it


def text(about: dict, lines: list[dict], grown: list[dict]) -> str:
    """All that is printed."""
    versions = ", ".join(f"{LIBRARIES[name][1]} {number}" for name, number in about["libraries"].items())
    limits, busy = about["limits"], about["busy with others"]
    parts = [
        f"{about['date']}, {about['processor']}, {about['threads']} of {about['cores']} cores, {about['system']}",
        f"Python {about['python']}, {versions}",
        f"{about['rounds']} rounds, turns of {about['turn']:g} s; medians, of the times and of the rounds' ratios",
    ]
    if limits:
        units = {TRIAD: "GB/s", PEAK: "GFLOP/s"}
        parts.append("limits: " + ", ".join(f"{name} {limits[name] / 1e9:.0f} {units[name]}" for name in limits))
    if busy and busy > BUSY:
        parts.append(f"NOTE: other programs kept {busy:g} processors busy meanwhile; the figures may be far off")
    if about["not installed"]:
        names = ", ".join(LIBRARIES[name][1] for name in about["not installed"])
        parts.append(f"not installed, and left out: {names}")
    parts += ["", table(lines)]
    if grown:
        parts += ["", growth_table(grown)]
    kept = [f"{kind} holds in {holds} of {all_of_them} rows" for kind, (holds, all_of_them) in summary(lines).items()]
    parts += ["", "; ".join(kept)]
    parts += [f"NOT MEASURED: {one['row']}: {one['error']}" for one in lines if "error" in one]
    return "\n".join(parts)
