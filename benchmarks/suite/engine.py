"""The engine itself: graphs on tensors so small that the arithmetic is next to nothing.

Forward from the leaves to the result, the graph recorded; then backward from a gradient of the result to those of the
leaves, and the graph freed. NumPy is the floor: the same arithmetic, forward and backward written out by hand, without
a graph.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np

from .row import Row, Target, Task, ratio

SMALL_OPS = {
    "pytorch": Target(ratio(0.8), ratio(0.5)),
    "autograd": Target(ratio(0.2)),
    "mygrad": Target(ratio(0.2)),
}
TARGETS = {"long chain": SMALL_OPS, "products": SMALL_OPS}  # one factor needs a gradient, or both do


def rows() -> list[Row]:
    return [
        Row("engine", f"{name}, {make().ops:,} ops", "engine.graph", (name,), TARGETS.get(name, {}), tuple(ADAPTERS))
        for name, make in CASES.items()
    ]


def graph(library: Any, name: str) -> Task:
    """One case, in whichever library."""
    case, adapter = CASES[name](), ADAPTERS[library.name]()
    forward, backward = adapter.prepare(case, cotangent(case))

    def results() -> list[np.ndarray]:
        y = forward()
        return [np.array(adapter.numbers(y)), *(np.array(adapter.numbers(g)) for g in backward(y))]

    return Task(lambda: backward(forward()), results)


def cotangent(case: Case) -> np.ndarray:
    """The gradient that arrives at a case's result."""
    shape = case.by_hand()[0].shape
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(np.float32) if shape else np.ones((), np.float32)


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


def same_names(module: str) -> Graphs:
    """minigrad or PyTorch."""
    lib = importlib.import_module(module)
    return Graphs(lib.__version__, lib, lambda x: lib.tensor(x, requires_grad=True), lib.tensor)


# how a library is made ready
ADAPTERS: dict[str, Callable[[], Any]] = {
    "minigrad": lambda: same_names("minigrad"),
    "pytorch": lambda: same_names("torch"),
    "autograd": Autograd,
    "mygrad": MyGrad,
    "numpy": NumPy,
}
