"""How fast is minigrad, beside PyTorch and beside what the machine can do? One table, a file and a picture.

    python benchmarks/run.py                            # about five minutes on two cores
    python benchmarks/run.py --quick                    # less than one; rougher
    python benchmarks/run.py --only "step of conv" linear --rounds 15
    python benchmarks/run.py --list

PyTorch, JAX, HIPS autograd and MyGrad take part where they are installed; none is needed. What is measured and how, and
how a row is added, is in `benchmarks/README.md`. With --out FOLDER (by default runs/benchmarks) come benchmarks.json,
benchmarks.md (what is printed) and benchmarks.png, which needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from suite import engine, growth, layers, limits, machine, picture, report, start, steps, updates
from suite.libraries import LIBRARIES, installed
from suite.measure import Measurement, say
from suite.row import OURS, Row

ROUNDS, SECONDS = 7, 0.1  # and how long a turn is
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.02


def all_rows(quick: bool = False) -> list[Row]:
    """All rows there are, family by family, in the order of the table."""
    families = [
        steps.rows,
        layers.rows,
        updates.rows,
        engine.rows,
        start.rows,
        partial(growth.rows, quick),
        limits.rows,
    ]
    rows = [row for rows in families for row in rows()]
    return [replace(row, most=1) if quick and isinstance(row, start.Program) else row for row in rows]


def chosen(rows: list[Row], only: list[str] | None) -> list[Row]:
    """The rows whose family or name contains one of the texts, and with them the limits that they are held against."""
    texts = [text.lower() for text in only or [""]]
    found = [row for row in rows if any(text in f"{row.family}: {row.name}".lower() for text in texts)]
    needed = {"peak" if row.flop else "triad" for row in found if row.flop or row.bytes}
    return [row for row in rows if row in found or (row.family == "limits" and row.name in needed)]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds of short turns, fewer sizes")
    add("--only", nargs="+", metavar="TEXT", help="the rows whose family or name contains one of these")
    add("--libraries", nargs="+", choices=LIBRARIES, metavar="NAME", help=f"of {', '.join(LIBRARIES)}")
    add("--rounds", type=positive, help=f"default: {ROUNDS}")
    add("--threads", type=positive, default=machine.processors(), help="of each library (default: all processors)")
    add("--out", type=Path, default=Path("runs/benchmarks"), metavar="FOLDER", help="default: runs/benchmarks")
    add("--list", action="store_true", help="print the names of the rows, and measure nothing")
    args = parser.parse_args()
    missing = [name for name in args.libraries or () if not installed(name)]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; leave --libraries out to time those that are")
    args.rows = chosen(all_rows(args.quick), args.only)
    if not args.rows:
        parser.error(f"no row has {' or '.join(map(repr, args.only))} in its family or name; --list prints them")
    return args


def positive(text: str) -> int:
    """A number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def main() -> int:
    args = parse_arguments()
    if args.list:
        print("\n".join(f"{row.family}: {row.name}" for row in args.rows))
        return 0
    others = [name for name in LIBRARIES if name != OURS]
    used = {name for row in args.rows for name in row.libraries} & {*(args.libraries or others)}
    names = [OURS, *(name for name in others if name in used and installed(name))]
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if args.quick else (ROUNDS, SECONDS)
    others_busy = machine.Others()
    measurement = Measurement(args.rows, names, args.threads, seconds)
    measurement.run(args.rounds or rounds)
    about = {
        **machine.facts(),
        "busy with others": others_busy.busy(),
        "threads": args.threads,
        "libraries": measurement.versions,
        "not installed": [name for name in others if not installed(name)],
        "rounds": args.rounds or rounds,
        "turn": seconds,
        "limits": report.best(measurement.found),
    }
    lines, sweeps = report.results(measurement.found), report.sweeps(measurement.found)
    text = report.text(about, lines, sweeps)
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    figures = {"about": about, "summary": report.summary(lines), "rows": lines, "growth": sweeps}
    (args.out / "benchmarks.json").write_text(json.dumps(figures, indent=1) + "\n")
    (args.out / "benchmarks.md").write_text(text + "\n")
    try:
        picture.draw(about, lines, sweeps, args.out / "benchmarks.png")
    except ImportError as error:
        say(f"no benchmarks.png: {error}")
    say(f"results in {args.out}")
    return int(any("error" in one for one in lines))


if __name__ == "__main__":
    sys.exit(main())
