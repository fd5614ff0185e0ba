"""What does the engine itself cost? Microseconds an op, on tensors so small that the arithmetic is next to nothing.

    python benchmarks/overhead.py                                # less than a minute
    python benchmarks/overhead.py --only "short chain" scalars --rounds 50
    python benchmarks/overhead.py --libraries minigrad numpy --json overhead.json

forward  : old gradients dropped, then from the leaves to the result, the graph recorded
backward : from the result's gradient to those of the leaves, and the graph freed; the forward pass is not in it
both     : their sum

NumPy is the floor: the same arithmetic, forward and backward written out by hand, without a graph. PyTorch (on one
thread), HIPS autograd and MyGrad take part where they are installed.

After a warm-up, the libraries take turns in each round (A B C, A B C, ...), with the garbage collector off. What is
counted is processor time, so that other programs on the machine disturb little. A time is the median over the rounds;
a ratio is the median of the rounds' own ratios, whose two sides were taken within a second of each other. It can
therefore differ a little from the quotient of the two times.
"""

import argparse
import datetime
import gc
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import minigrad

# Processor time of the whole process, other threads' too; wall time where the system counts it too coarsely.
CLOCK = "process_time" if time.get_clock_info("process_time").resolution < 1e-6 else "perf_counter"
OPS_A_TURN = 2000  # short graphs are run so many times in a turn that this many ops come together
PARTS = "forward", "backward", "both"
BASELINES = {"pytorch": "PyTorch", "numpy": "NumPy"}  # what the other libraries are divided by


# ------------------------------------------------------------------------------------------------ cases
#
# `forward` is the graph as a user writes it, the same lines for every library: `do` holds the functions that are no
# operators. `by_hand` and `backward_by_hand` are the floor. The numbers are such that values and gradients stay
# between 1e-8 and 1e4 (or are 0): infinities and subnormal numbers would slow some libraries and not others.


class Case:
    """A graph: what it starts from, how a user writes it, and the same by hand."""

    about: str  # in a line
    ops: int  # how many the graph has
    leaves: list[np.ndarray]  # what the gradients are asked for
    constants: Sequence[np.ndarray] = ()

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        """The result, by a library's tensors and operators; `do` has its functions tanh and relu."""
        raise NotImplementedError

    def by_hand(self) -> tuple[np.ndarray, Any]:
        """The result in NumPy, and what its backward pass needs."""
        raise NotImplementedError

    def backward_by_hand(self, g: np.ndarray, saved: Any) -> tuple[np.ndarray, ...]:
        """The gradients of the leaves in NumPy."""
        raise NotImplementedError


class Chain(Case):
    """y = tanh(y w + b) over and over, vectors of 16; only x needs a gradient, so each op has one to compute."""

    about = "y * w, y + b, tanh(y) in turn; 16 numbers; the gradient of x"

    def __init__(self, ops: int) -> None:
        self.ops = ops
        self.leaves = [np.linspace(-1, 1, 16, dtype=np.float32)]
        self.constants = [np.linspace(0.99, 1.01, 16, dtype=np.float32), np.linspace(-2e-3, 1e-3, 16, dtype=np.float32)]

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        (y,), (w, b) = leaves, constants
        for i in range(self.ops):
            y = y * w if i % 3 == 0 else y + b if i % 3 == 1 else do.tanh(y)
        return y

    def by_hand(self) -> tuple[np.ndarray, Any]:
        (y,), (w, b), tanhs = self.leaves, self.constants, []
        for i in range(self.ops):
            if i % 3 == 2:
                y = np.tanh(y)
                tanhs.append(y)
            else:
                y = y * w if i % 3 == 0 else y + b
        return y, tanhs

    def backward_by_hand(self, g: np.ndarray, tanhs: Any) -> tuple[np.ndarray, ...]:
        w = self.constants[0]
        for i in reversed(range(self.ops)):
            if i % 3 == 2:
                y = tanhs.pop()
                g = g * (1 - y * y)
            elif i % 3 == 0:
                g = g * w
        return (g,)


class Products(Case):
    """y = y w over and over, vectors of 16; x and w need a gradient, so each op has two, and w's are added up."""

    about = "y * w; 16 numbers; the gradients of x and w"

    def __init__(self, ops: int) -> None:
        self.ops = ops
        self.leaves = [np.linspace(-1, 1, 16, dtype=np.float32), np.linspace(0.999, 1.001, 16, dtype=np.float32)]

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        y, w = leaves
        for _ in range(self.ops):
            y = y * w
        return y

    def by_hand(self) -> tuple[np.ndarray, Any]:
        (y, w), factors = self.leaves, []
        for _ in range(self.ops):
            factors.append(y)
            y = y * w
        return y, factors

    def backward_by_hand(self, g: np.ndarray, factors: Any) -> tuple[np.ndarray, ...]:
        w, gw = self.leaves[1], None
        for y in reversed(factors):
            gw = g * y if gw is None else gw + g * y
            g = g * w
        return g, gw


class FanOut(Case):
    """The sum of many multiples of one leaf, vectors of 16: as many gradients arrive at it."""

    about = "x * 0.001 + x * 0.002 + ...; 16 numbers; the gradient of x"

    def __init__(self, uses: int) -> None:
        self.ops = 2 * uses - 1
        self.factors = [i / uses for i in range(1, uses + 1)]
        self.leaves = [np.linspace(-1, 1, 16, dtype=np.float32)]

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        (x,) = leaves
        y = x * self.factors[0]
        for factor in self.factors[1:]:
            y = y + x * factor
        return y

    def by_hand(self) -> tuple[np.ndarray, Any]:
        return self.forward(np, self.leaves, ()), None

    def backward_by_hand(self, g: np.ndarray, _: Any) -> tuple[np.ndarray, ...]:
        gx = g * self.factors[-1]
        for factor in self.factors[-2::-1]:
            gx = gx + g * factor
        return (gx,)


class Layers(Case):
    """Three layers relu(x @ w + b) of 4x4 matrices, b being a vector; the gradients of every w and b."""

    about = "three times relu(x @ w + b); 4x4, b of 4; the gradients of w and b"
    ops = 9

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.leaves = [rng.uniform(-1, 1, shape).astype(np.float32) for shape in [(4, 4), (4,)] * 3]
        self.constants = [rng.uniform(-1, 1, (4, 4)).astype(np.float32)]

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        (x,), (w1, b1, w2, b2, w3, b3) = constants, leaves
        for w, b in ((w1, b1), (w2, b2), (w3, b3)):
            x = do.relu(x @ w + b)
        return x

    def by_hand(self) -> tuple[np.ndarray, Any]:
        saved = [*self.constants]
        for w, b in zip(self.leaves[::2], self.leaves[1::2], strict=True):
            saved.append(np.maximum(saved[-1] @ w + b, 0))
        return saved[-1], saved

    def backward_by_hand(self, g: np.ndarray, saved: Any) -> tuple[np.ndarray, ...]:
        gradients: list[np.ndarray] = []
        for i in (2, 1, 0):
            g = g * (saved[i + 1] > 0)
            gradients[:0] = saved[i].T @ g, g.sum(0)
            if i:
                g = g @ self.leaves[2 * i].T
        return tuple(gradients)


class Scalars(Case):
    """The expression of micrograd's README on 0-d tensors; its results are known: g = 24.7041, 138.8338, 645.5773."""

    about = "the expression of micrograd's README; 0-d; the gradients of a and b"
    ops = 25

    def __init__(self) -> None:
        self.leaves = [np.array(-4, np.float32), np.array(2, np.float32)]

    def forward(self, do: Any, leaves: Sequence, constants: Sequence) -> Any:
        a, b = leaves
        c = a + b
        d = a * b + b**3
        c = c + (c + 1)
        c = c + (1 + c + (-a))
        d = d + (d * 2 + do.relu(b + a))
        d = d + (3 * d + do.relu(b - a))
        e = c - d
        f = e**2
        return f / 2.0 + 10.0 / f

    def by_hand(self) -> tuple[np.ndarray, Any]:
        a, b = self.leaves
        c = a + b
        d = a * b + b**3
        c = c + (c + 1)
        c = c + (1 + c + (-a))
        left = np.maximum(b + a, 0)
        d = d + (d * 2 + left)
        right = np.maximum(b - a, 0)
        d = d + (3 * d + right)
        e = c - d
        f = e**2
        return f / 2.0 + 10.0 / f, (left, right, e, f)

    def backward_by_hand(self, g: np.ndarray, saved: Any) -> tuple[np.ndarray, ...]:
        (a, b), (left, right, e, f) = self.leaves, saved
        ge = (g / 2.0 - g * 10.0 / f**2) * 2 * e
        gc, gd = ge, -ge
        gright = gd * (right > 0)
        gd = gd + 3 * gd
        gleft = gd * (left > 0)
        gd = gd + gd * 2
        ga, gc = -gc, gc + gc
        gc = gc + gc
        ga = ga - gright + gleft + gd * b + gc
        gb = gright + gleft + gd * a + gd * 3 * b**2 + gc
        return ga, gb


CASES: dict[str, Callable[[], Case]] = {
    "short chain": lambda: Chain(10),
    "long chain": lambda: Chain(1000),
    "products": lambda: Products(1000),
    "fan-out": lambda: FanOut(1000),
    "layers": Layers,
    "scalars": Scalars,
}


# -------------------------------------------------------------------------------------------- libraries


class Graphs:
    """A library whose tensors have `backward` and `grad`: how a case is run with it."""

    def __init__(self, version: str, do: Any, tensor: Callable, constant: Callable) -> None:
        self.version, self.do, self.tensor, self.constant = version, do, tensor, constant

    def prepare(self, case: Case, g: np.ndarray) -> tuple[Callable, Callable]:
        """forward() -> result and backward(result) -> gradients, on tensors made beforehand."""
        do, g = self.do, self.constant(g)
        leaves, constants = [self.tensor(x) for x in case.leaves], [self.constant(x) for x in case.constants]

        def forward() -> Any:
            for x in leaves:
                x.grad = None
            return case.forward(do, leaves, constants)

        def backward(y: Any) -> Any:
            y.backward(g)
            return [x.grad for x in leaves]

        return forward, backward

    def numbers(self, x: Any) -> np.ndarray:
        """The ndarray of a result or gradient."""
        return np.asarray(x.detach() if hasattr(x, "detach") else x)


class MyGrad(Graphs):
    """MyGrad clears old gradients by itself, and gives new ones as arrays."""

    def __init__(self) -> None:
        import mygrad
        from mygrad.nnet.activations import relu

        do = SimpleNamespace(tanh=mygrad.tanh, relu=relu)
        super().__init__(mygrad.__version__, do, mygrad.tensor, lambda x: mygrad.tensor(x, constant=True))

    def prepare(self, case: Case, g: np.ndarray) -> tuple[Callable, Callable]:
        leaves, constants = [self.tensor(x) for x in case.leaves], [self.constant(x) for x in case.constants]

        def backward(y: Any) -> Any:
            y.backward(g)
            return [x.grad for x in leaves]

        return lambda: case.forward(self.do, leaves, constants), backward

    def numbers(self, x: Any) -> np.ndarray:
        return np.asarray(getattr(x, "data", x))


class Autograd:
    """HIPS autograd differentiates functions: its forward pass is `make_vjp`, its backward pass what that returns."""

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        anp = autograd.numpy
        self.version, self.make_vjp = version("autograd"), autograd.make_vjp
        self.do = SimpleNamespace(tanh=anp.tanh, relu=lambda x: anp.maximum(x, 0))

    def prepare(self, case: Case, g: np.ndarray) -> tuple[Callable, Callable]:
        several = len(case.leaves) > 1  # several leaves come out of one tuple, an op each

        def function(*leaves: Any) -> Any:
            return case.forward(self.do, leaves, case.constants)

        forward = self.make_vjp(function, tuple(range(len(case.leaves))) if several else 0)
        return lambda: forward(*case.leaves), lambda y: y[0](g) if several else (y[0](g),)

    def numbers(self, x: Any) -> np.ndarray:
        return np.asarray(x[1] if isinstance(x, tuple) else x)


class NumPy:
    """The floor: every case by hand."""

    version = np.__version__

    def prepare(self, case: Case, g: np.ndarray) -> tuple[Callable, Callable]:
        return case.by_hand, lambda y: case.backward_by_hand(g, y[1])

    def numbers(self, x: Any) -> np.ndarray:
        return np.asarray(x[0] if isinstance(x, tuple) else x)


def this_library() -> Graphs:
    return Graphs(minigrad.__version__, minigrad, lambda x: minigrad.tensor(x, requires_grad=True), minigrad.tensor)


def pytorch() -> Graphs:
    import torch

    torch.set_num_threads(1)
    return Graphs(torch.__version__, torch, lambda x: torch.tensor(x, requires_grad=True), torch.tensor)


# the name of a library, the module that must be there, and how it is made ready
LIBRARIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "minigrad": ("minigrad", this_library),
    "pytorch": ("torch", pytorch),
    "autograd": ("autograd", Autograd),
    "mygrad": ("mygrad", MyGrad),
    "numpy": ("numpy", NumPy),
}


def installed(name: str) -> bool:
    """Can the library be imported?"""
    return importlib.util.find_spec(LIBRARIES[name][0]) is not None


# ------------------------------------------------------------------------------------------------ timing


def cotangent(case: Case) -> np.ndarray:
    """The gradient that arrives at a case's result."""
    shape = case.by_hand()[0].shape
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(np.float32) if shape else np.ones((), np.float32)


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


def processor() -> str:
    """The name of the processor's model."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def facts(libraries: dict[str, Any], missing: list[str], rounds: int) -> dict:
    """What a reader must know besides the figures."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "libraries": {name: engine.version for name, engine in libraries.items()},
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
        choices=LIBRARIES,
        metavar="LIBRARY",
        help=f"{', '.join(LIBRARIES)}; by default those that are installed",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too, with every round's")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {args.rounds}")
    missing = [name for name in args.libraries or LIBRARIES if not installed(name)]
    if args.libraries and missing:
        parser.error(f"not installed: {', '.join(missing)}; leave --libraries out to time those that are")
    libraries = {name: LIBRARIES[name][1]() for name in args.libraries or LIBRARIES if name not in missing}
    about, rows = facts(libraries, missing, args.rounds), measure(args.only, libraries, args.rounds)
    print(report(about, rows))
    if args.json:
        args.json.write_text(json.dumps({"about": about, "results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
