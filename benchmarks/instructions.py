"""What does Python cost in a training step? The bytecode instructions that are executed, function by function.

    python benchmarks/instructions.py                            # the four networks at batch 32
    python benchmarks/instructions.py --only conv-bn --batch 128 --lines 60

A step is that of `run.py`: a batch is loaded, forward, loss, backward, SGD. The count is the same to a few in a
thousand, on a busy machine too, and hardly depends on the batch. In a small network it is most of the time: an
instruction takes about 12 ns on the machine of the README's table, with what the interpreter calls in C for it. So
this is the instrument for work on the engine and the layers, where a change of one per cent is lost in a clock's noise.
"""

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from suite import libraries, steps

import minigrad
from minigrad.kernels import threads

PACKAGE = Path(minigrad.__file__).parent


def count(step: Callable[[], None]) -> tuple[Counter[str], Counter[str]]:
    """The instructions that each function executes in a step, and how often it is called."""
    instructions: Counter[str] = Counter()
    calls: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event in ("call", "opcode"):
            (calls if event == "call" else instructions)[name_of(frame)] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)
    return instructions, calls


def name_of(frame: FrameType) -> str:
    """The file, by its path within the package if it belongs to it, and the function."""
    file = Path(frame.f_code.co_filename)
    inside = file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.name
    return f"{inside}:{frame.f_code.co_qualname}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=steps.NETWORKS, default=steps.NETWORKS, metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=32, help="images in a batch (default 32)")
    parser.add_argument("--lines", type=int, default=25, help="functions to show (default 25)")
    args = parser.parse_args()
    threads.STALL = 10**12  # a step that is traced takes long, but that is no reason to do without threads
    print(f"{platform.python_implementation()} {platform.python_version()}, instructions of a training step")
    for name in args.only:
        step = steps.step(libraries.load("minigrad", 2), name, args.batch).run
        for _ in range(3):  # what is worked out once, and compiled, is
            step()
        instructions, calls = count(step)
        print(f"\n{name}, batch {args.batch}: {instructions.total():,} instructions in {calls.total()} calls")
        for function, executed in instructions.most_common(args.lines):
            print(f"{executed:>7,} {calls[function]:>4} x  {function}")


if __name__ == "__main__":
    main()
