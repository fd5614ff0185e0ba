"""What was measured, as figures for the file and as a table."""

from __future__ import annotations

import statistics
from typing import Any

from .measure import Measured
from .row import OURS, Target


def limits(found: list[Measured]) -> dict[str, float]:
    """Bytes and floating point operations in a second, at best; what was not measured is left out."""
    best = {}
    for one in found:
        if one.row.family == "limits" and one.samples:
            fastest = min(min(samples) for samples in one.samples.values())
            best[one.row.name] = (one.row.bytes or one.row.flop or 0) / fastest
    return best


def results(found: list[Measured], best: dict[str, float]) -> list[dict]:
    """For each row and each library beside ours the figures of the table."""
    lines = []
    for one in found:
        if one.error:
            lines.append({"family": one.row.family, "row": one.row.name, "error": one.error})
        elif one.row.family != "limits":
            lines += [line(one, other, best) for other in one.samples if other != OURS] or [line(one, None, best)]
    return lines


def line(one: Measured, other: str | None, best: dict[str, float]) -> dict[str, Any]:
    """The figures of a row against one other library, or against none."""
    row, ours = one.row, one.samples[OURS]
    theirs = one.samples[other] if other else []
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)] if other else []
    target = row.targets.get(other or "", Target())
    figures = {
        "family": row.family,
        "row": row.name,
        "against": other,
        "unit": row.unit,
        "minigrad": spread(ours),
        "theirs": spread(theirs) if other else None,
        "ratio": spread(ratios) if other else None,
        "limit": "peak" if row.flop else "triad" if row.bytes else None,
        "share": share(one, OURS, best),
        "their share": share(one, other, best) if other else None,
        "must": str(target.must) if target.must else None,
        "aim": str(target.aim) if target.aim else None,
        "samples": {"minigrad": ours, "theirs": theirs},
    }
    measured = statistics.median(ratios) if ratios else None, statistics.median(ours), figures["share"]
    figures["must holds"] = target.must.holds(*measured) if target.must else None
    figures["aim holds"] = target.aim.holds(*measured) if target.aim else None
    return figures


def spread(samples: list[float]) -> dict[str, float]:
    """The median and the quartiles."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return {"median": middle, "low": low, "high": high}


def share(one: Measured, name: str, best: dict[str, float]) -> float | None:
    """How much of what the machine can do at most is done: operations or bytes in a second."""
    amount, limit = (one.row.flop, "peak") if one.row.flop else (one.row.bytes, "triad")
    if not amount or limit not in best:
        return None
    return amount / statistics.median(one.samples[name]) / best[limit]


HEADINGS = "row", "minigrad", "theirs", "ratio", "quartiles", "must", "aim", "holds", "of the limit"


def table(lines: list[dict], names: dict[str, str]) -> str:
    """The figures under their headings, as Markdown that is readable as it is."""
    cells = [HEADINGS, *(texts(one, names) for one in lines if "error" not in one)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    text = [
        [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in cells
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [text[0], rule, *text[1:]])


def texts(one: dict, names: dict[str, str]) -> tuple[str, ...]:
    """The cells of a line."""
    unit = one["unit"]
    theirs, relative = one["theirs"], one["ratio"]
    held = "aim" if one["aim holds"] else "must" if one["must holds"] else "no" if one["must"] else ""
    against = f" ({names[one['against']]})" if one["against"] not in (None, "pytorch") else ""
    return (
        one["row"] + against,
        quantity(one["minigrad"]["median"], unit),
        quantity(theirs["median"], unit) if theirs else "",
        f"{relative['median']:.2f}" if relative else "",
        f"{relative['low']:.2f}-{relative['high']:.2f}" if relative else "",
        one["must"] or "",
        one["aim"] or "",
        held,
        f"{one['share']:.0%} {one['limit']}" if one["share"] is not None else "",
    )


def quantity(value: float, unit: str) -> str:
    """Seconds or bytes in three digits and a unit that suits."""
    steps = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((2**20, "MiB"), (2**10, "KiB"))}[unit]
    size, name = next((one for one in steps if value >= one[0]), steps[-1])
    digits = value / size
    return (
        f"{digits:.0f} {name}" if digits >= 100 else f"{digits:.1f} {name}" if digits >= 10 else f"{digits:.2f} {name}"
    )
