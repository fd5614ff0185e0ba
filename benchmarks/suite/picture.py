"""What was measured, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .libraries import LIBRARIES
from .report import OURS, quantity

COLOURS = {"aim": "#2a7f4f", "must": "#6fb98f", "no": "#d1495b", "": "#8d99ae"}
KEPT = {"aim": "the aim holds", "must": "the must holds", "no": "the must does not hold", "": "nothing was asked"}


def draw(about: dict, lines: list[dict], sweeps: list[dict], path: Path) -> None:
    """Bars of the ratios to PyTorch with their targets, above the sweeps, as a PNG file."""
    from matplotlib.figure import Figure

    bars = [one for one in lines if one.get("beside") == "pytorch"]
    heights = [0.6 + 0.2 * len(bars)] * bool(bars) + [2.4] * bool(sweeps)
    if not heights:
        return
    figure = Figure(figsize=(9, sum(heights) + 0.8), layout="constrained")
    rows = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if bars:
        _bars(rows[0].subplots(), bars)
    if sweeps:
        for axes, sweep in zip(rows[-1].subplots(1, len(sweeps), squeeze=False)[0], sweeps, strict=True):
            _sweep(axes, sweep)
    where = f"{about['processor']}, {about['threads']} threads, {about['date'][:10]}"
    figure.suptitle(f"minigrad beside PyTorch {about['libraries'].get('pytorch', '')}\n{where}", fontsize=11)
    figure.savefig(path, dpi=110)


def _bars(axes: Any, lines: list[dict]) -> None:
    """The ratio of each row."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    places = range(len(lines))
    ratios = [one["ratio"]["median"] for one in lines]
    kept = [
        "aim" if one["aim holds"] else "must" if one["must holds"] else "no" if one["must"] else "" for one in lines
    ]
    axes.barh(places, ratios, color=[COLOURS[k] for k in kept], height=0.72)
    for place, one in zip(places, lines, strict=True):
        ratio = one["ratio"]
        axes.plot([ratio["low"], ratio["high"]], [place, place], color="black", linewidth=0.8)
        for name, style in (("must", "-"), ("aim", ":")):
            at = _ratio(one, one[name])
            if at:
                axes.plot([at, at], [place - 0.45, place + 0.45], style, color="black", linewidth=1.6)
        times = quantity(one[OURS]["median"], one["unit"])
        axes.annotate(f"{ratio['median']:.2f}  {times}", (1, place), (4, 0), ("axes fraction", "data"), **_TEXT)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places, [one["row"] for one in lines], fontsize=8)
    axes.set(ylim=(len(lines) - 0.4, -0.6), xlim=(0, max(1.1, min(2, 1.05 * max(ratios)))))
    axes.set_xlabel("minigrad's time (memory) / PyTorch's; right: the ratio, and what minigrad takes", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    handles = [Patch(color=COLOURS[k], label=KEPT[k]) for k in dict.fromkeys(kept)]
    handles += [Line2D([], [], color="black", linestyle=s, label=n) for n, s in (("must", "-"), ("aim", ":"))]
    axes.legend(handles=handles, fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.06), ncols=len(handles))


def _ratio(one: dict, target: str) -> float | None:
    """The ratio to PyTorch at which a row just reaches a target, which is a ratio, seconds, or a share of a limit."""
    if not target:
        return None
    if target.endswith(" s"):
        return float(target[:-2]) / one["theirs"]["median"]
    if target.endswith("%"):
        return one["share"] and one["ratio"]["median"] * one["share"] / (float(target[:-1]) / 100)
    return float(target)


_TEXT: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 7.5, "annotation_clip": False}


def _sweep(axes: Any, sweep: dict) -> None:
    """The times of a sweep, with the slopes in the legend."""
    for name, colour in ((OURS, COLOURS["aim"]), ("pytorch", COLOURS["no"])):
        if name in sweep["seconds"]:
            milliseconds = [1e3 * value for value in sweep["seconds"][name]]
            label = f"{LIBRARIES[name][1]}, slope {sweep['slopes'][name]:.2f}"
            axes.loglog(sweep["sizes"], milliseconds, "o-", color=colour, label=label, markersize=3)
    axes.set_xticks(sweep["sizes"], map(str, sweep["sizes"]), fontsize=7)
    axes.minorticks_off()
    axes.tick_params(labelsize=7)
    axes.set_xlabel(sweep["sweep"], fontsize=8)
    axes.set_ylabel("ms", fontsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
