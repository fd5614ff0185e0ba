"""What does the engine itself cost? Microseconds an op, on tensors so small that the arithmetic is next to nothing.

    python benchmarks/overhead.py                                # less than a minute
    python benchmarks/overhead.py --only "short chain" scalars --rounds 50
    python benchmarks/overhead.py --libraries minigrad numpy --json overhead.json

forward  : old gradients dropped, then from the leaves to the result, the graph recorded
backward : from the result's gradient to those of the leaves, and the graph freed; the forward pass is not in it
both     : their sum

The graphs are those of `suite/engine.py`, and rows of `run.py` as well, in wall time; this is the finer instrument for
work on the engine. NumPy is the floor: the same arithmetic, forward and backward written out by hand, without a graph.
PyTorch (on one thread), HIPS autograd and MyGrad take part where they are installed.

After a warm-up, the libraries take turns in each round (A B C, A B C, ...), with the garbage collector off. What is
counted is processor time, so that other programs on the machine disturb little. A time is the median over the rounds;
a ratio is the median of the rounds' own ratios, whose two sides were taken within a second of each other. It can
therefore differ a little from the quotient of the two times.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from suite import machine
from suite.engine import ADAPTERS, CASES, Case, cotangent
from suite.libraries import LIBRARIES, installed

# Processor time of the whole process, other threads' too; wall time where the system counts it too coarsely.
CLOCK = "process_time" if time.get_clock_info("process_time").resolution < 1e-6 else "perf_counter"
OPS_A_TURN = 2000  # short graphs are run so many times in a turn that this many ops come together
PARTS = "forward", "backward", "both"
BASELINES = {"pytorch": "PyTorch", "numpy": "NumPy"}  # what the other libraries are divided by


# ------------------------------------------------------------------------------------------------ timing


def reading() -> float:
    """The seconds that it takes to look at the clock: as much as an op or two."""
    clock = getattr(time, CLOCK)
    return min(-clock() + clock() for _ in range(1000))


def turn(forward: Callable, backward: Callable, times: int) -> tuple[float, float]:
    """The seconds of `times` forward and of `times` backward passes."""
    clock = getattr(time, CLOCK)
    there = back = -times * reading()
    for _ in range(times):
        start = clock()
        y = forward()
        middle = clock()
        backward(y)
        del y  # the last to hold the graph: freeing it is part of the backward pass
        there, back = there + middle - start, back + clock() - middle
    return there, back


def measure(cases: Sequence[str], libraries: dict[str, Any], rounds: int) -> list[dict]:
    """One row for each case and library, with the rounds' microseconds an op."""
    rows = []
    for name in cases:
        case = CASES[name]()
        times = max(1, round(OPS_A_TURN / case.ops))
        passes = {library: engine.prepare(case, cotangent(case)) for library, engine in libraries.items()}
        taken: dict[str, list] = {library: [] for library in libraries}
        for forward, backward in passes.values():
            turn(forward, backward, 2)  # caches fill, kernels compile
        gc.collect()
        gc.freeze()  # what the libraries hold for good need not be looked through again
        enabled = gc.isenabled()
        gc.disable()
        try:
            for _ in range(rounds):
                for library, (forward, backward) in passes.items():
                    there, back = (seconds * 1e6 / times / case.ops for seconds in turn(forward, backward, times))
                    taken[library].append({"forward": there, "backward": back, "both": there + back})
                    gc.collect()
        finally:
            if enabled:
                gc.enable()
            gc.unfreeze()
        rows += [row(name, case, library, taken) for library in libraries]
    return rows


def row(name: str, case: Case, library: str, taken: dict[str, list]) -> dict:
    """What the table and the file say about a library in a case."""
    result = {"case": name, "ops": case.ops, "library": library}
    for part in PARTS:
        result[part] = statistics.median(one[part] for one in taken[library])
    for base in [base for base in BASELINES if base in taken]:
        for part in PARTS:
            pairs = zip(taken[library], taken[base], strict=True)
            result[f"{part}/{base}"] = statistics.median(one[part] / other[part] for one, other in pairs)
    return {**result, "rounds": taken[library]}


# ------------------------------------------------------------------------------------------------ report


def facts(libraries: dict[str, Any], missing: list[str], rounds: int) -> dict:
    """What a reader must know besides the figures."""
    return {
        **machine.facts(),
        "numpy": np.__version__,
        "libraries": {name: adapter.version for name, adapter in libraries.items()},
        "not installed": missing,
        "rounds": rounds,
        "clock": CLOCK,
        "garbage collector": "off while timing, run between the turns",
        "threads": "one in PyTorch; NumPy uses no second one for arrays so small",
    }


NAMES = "case", "library"  # the columns of text
HEADINGS = {
    "case": "case",
    "library": "library",
    "ops": "ops",
    **{part: f"{part} µs/op" for part in PARTS},
    **{f"{part}/{base}": f"{part}/{title}" for base, title in BASELINES.items() for part in PARTS},
}


def table(rows: list[dict]) -> str:
    """The rows under their headings, as Markdown that is readable as it is."""
    columns = []
    for key in [key for key in HEADINGS if key in rows[0]]:
        cells = [f"{one[key]:.2f}" if isinstance(one[key], float) else str(one[key]) for one in rows]
        width, text = max(map(len, [HEADINGS[key], *cells])), key in NAMES
        rule = "-" * width if text else "-" * (width - 1) + ":"
        columns.append([cell.ljust(width) if text else cell.rjust(width) for cell in (HEADINGS[key], rule, *cells)])
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*columns, strict=True))


def report(about: dict, rows: list[dict]) -> str:
    """All that is printed: the facts, what the cases are, and the table."""
    versions = ", ".join(f"{name} {number}" for name, number in about["libraries"].items())
    lines = [
        f"{about['date']}, {about['processor']}, {about['cores']} cores, {about['system']}",
        f"Python {about['python']}, {versions}",
        *(f"{name}: not installed (pip install {LIBRARIES[name][0]})" for name in about["not installed"]),
        f"{about['rounds']} rounds, medians of {about['clock']}; garbage collector: {about['garbage collector']}",
        f"threads: {about['threads']}",
        "",
        *(f"{name}: {CASES[name]().about}" for name in dict.fromkeys(one["case"] for one in rows)),
        "",
        table(rows),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25, help="how often each library takes its turn (default 25)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument(
        "--libraries",
        nargs="+",
        choices=ADAPTERS,
        metavar="LIBRARY",
        help=f"{', '.join(ADAPTERS)}; by default those that are installed",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too, with every round's")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {args.rounds}")
    missing = [name for name in args.libraries or ADAPTERS if not installed(name)]
    if args.libraries and missing:
        parser.error(f"not installed: {', '.join(missing)}; leave --libraries out to time those that are")
    libraries = {name: ADAPTERS[name]() for name in args.libraries or ADAPTERS if name not in missing}
    if "pytorch" in libraries:
        libraries["pytorch"].do.set_num_threads(1)
    about, rows = facts(libraries, missing, args.rounds), measure(args.only, libraries, args.rounds)
    print(report(about, rows))
    if args.json:
        args.json.write_text(json.dumps({"about": about, "results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
