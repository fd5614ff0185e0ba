"""How fast is minigrad, next to PyTorch and to what the machine can do? One table, a file and a picture."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from suite import layers, libraries, limits, machine, measure, report, steps, updates

FAMILIES = (steps, layers, updates, limits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="rows whose family or name contains one of these")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=machine.processors())
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = [row for family in FAMILIES for row in family.rows()]
    if args.only:
        asked = [text.lower() for text in args.only]
        rows = [
            row
            for row in rows
            if row.family == "limits" or any(text in f"{row.family} {row.name}".lower() for text in asked)
        ]
    names = [name for name in libraries.LIBRARIES if libraries.installed(name)]
    found, versions = measure.measure(rows, names, args.threads, args.rounds, 0.1)
    best = report.limits(found)
    lines = report.results(found, best)
    print(report.table(lines, {name: title for name, (_, title) in libraries.LIBRARIES.items()}))
    for one in lines:
        if "error" in one:
            print(f"{one['row']}: {one['error']}")
    print(f"triad {best['triad'] / 1e9:.1f} GB/s, peak {best['peak'] / 1e9:.0f} GFLOP/s")
    about = {**machine.facts(), "versions": versions, "threads": args.threads, "rounds": args.rounds, "limits": best}
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "benchmarks.json").write_text(json.dumps({"about": about, "rows": lines}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
