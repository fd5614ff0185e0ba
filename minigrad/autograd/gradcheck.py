"""Numerical checks of derivatives: does `backward` agree with finite differences?

The outputs are projected on a random cotangent v, and the gradient of <v, f(x)> is compared with central
differences, element by element. A sum instead of v would hide mistakes: the true gradient of sum(softmax(x)) is
zero, so a wrong rule passes. What to say of a gradient that disagrees is the business of diagnosis.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks import number
from .diagnosis import Comparison, report
from .engine import QUIET, grad, is_tensor, wrap
from .grad_mode import enable_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Named = list[tuple[str, Any]]  # Tensors with what to call them


class GradcheckError(RuntimeError):
    """Analytic and numeric derivatives disagree; the text says where, and what is the likely cause."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    generator: Any = None,
) -> bool:
    """Check the first derivatives of `func(*inputs)` against central differences.

    func       : gives a Tensor or a tuple of them; called many times. Of a module the parameters that require grad
                 are checked as well, and its buffers (batch norm's running statistics, say) are left as they were
    inputs     : a Tensor or a tuple; those that require grad are checked, and must be float64
    eps        : the step of the differences
    nondet_tol : by how much the results of two calls, and their gradients, may differ
    generator  : a minigrad.Generator that draws the cotangent; by default the same one each time

    True if they agree within atol + rtol |numeric|. Otherwise GradcheckError, or False without `raise_exception`; its
    text names the input or parameter, the worst elements, and the likely cause where there is a pattern. ValueError
    if nothing requires grad, or is not float64.

    >>> import minigrad
    >>> x = minigrad.tensor([0.5, 2.0], dtype=minigrad.float64, requires_grad=True)
    >>> minigrad.gradcheck(minigrad.tanh, x)
    True
    >>> layer = minigrad.nn.Linear(2, 3).double()
    >>> minigrad.gradcheck(layer, x)    # the weight and the bias too
    True
    """
    options = _Options("gradcheck", number("gradcheck", "eps", eps, " > 0"), atol, rtol, nondet_tol)
    with _Subject(func, inputs, options) as subject:

        def check() -> None:
            _must_repeat(subject, options)
            _compare(subject.name, lambda _: subject.run(), subject.checked, subject, _random(generator), options)

        return _verdict(check, raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    generator: Any = None,
) -> bool:
    """Check the second derivatives of `func(*inputs)`: the gradient, as a function of inputs and cotangent.

    Checked too is that the gradient recorded for it is the plain one: fused ops compute the two in different ways.
    The arguments are those of `gradcheck`; grad_outputs are the cotangents, random by default.

    >>> import minigrad
    >>> x = minigrad.tensor([0.5, 2.0], dtype=minigrad.float64, requires_grad=True)
    >>> minigrad.gradgradcheck(minigrad.tanh, x)
    True
    """
    options = _Options("gradgradcheck", number("gradgradcheck", "eps", eps, " > 0"), atol, rtol, nondet_tol)
    rng = _random(generator)
    with _Subject(func, inputs, options) as subject:
        if grad_outputs is None:
            shapes = [y.shape for y in subject.run() if y.requires_grad]
            seeds = [wrap(rng.standard_normal(shape)).requires_grad_() for shape in shapes]
        else:
            seeds = _as_list(grad_outputs)
        cotangents = [(f"grad_outputs[{i}]", v) for i, v in enumerate(seeds) if v.requires_grad]
        _must_be_float64(options, cotangents)

        def gradient(record: bool) -> tuple:
            outputs, wanted = [y for y in subject.run() if y.requires_grad], [x for _, x in subject.checked]
            return grad(outputs, wanted, seeds, create_graph=record, materialize_grads=True)

        def check() -> None:
            _must_repeat(subject, options)
            _must_be_alike(subject, gradient, options)
            checked = subject.checked + cotangents
            _compare(f"the gradient of {subject.name}", gradient, checked, subject, rng, options)

        return _verdict(check, raise_exception)


class _Options(NamedTuple):
    caller: str
    eps: float
    atol: float
    rtol: float
    nondet_tol: float


class _Subject:
    """A function to check and its inputs; of a module also its parameters. As a context it leaves buffers unchanged."""

    def __init__(self, func: Any, inputs: Any, options: _Options) -> None:
        self.func, self.name = func, _name(func)
        self.args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
        is_module = hasattr(func, "named_parameters") and hasattr(func, "named_buffers")
        parameters = list(func.named_parameters()) if is_module else []
        self.buffers = [(name, t, t.array, t.array.copy()) for name, t in func.named_buffers()] if is_module else []
        for name, t in parameters + [(name, t) for name, t, *_ in self.buffers]:
            if t.is_floating_point() and t.dtype != np.float64:
                raise ValueError(
                    f"{options.caller}: {name} of {self.name} is {t.dtype.name}; finite differences need float64, use "
                    "module.double()"
                )
        named = [(f"inputs[{i}]", x) for i, x in enumerate(self.args) if is_tensor(x)] + parameters
        self.tensors: Named = list({id(x): (name, x) for name, x in named[::-1]}.values())[::-1]  # each once
        self.checked = [(name, x) for name, x in self.tensors if x.requires_grad]
        if not self.checked:
            raise ValueError(f"{options.caller}: none of the inputs requires grad, so there is nothing to check")
        _must_be_float64(options, self.checked)

    def run(self) -> list:
        """The results, as a list, of a call that finds the buffers as they were at the beginning."""
        self._put_back()
        with enable_grad():  # also where only values are wanted: func may ask for a gradient itself
            return _as_list(self.func(*self.args))

    def _put_back(self) -> None:
        """Give the buffers the values, and the module the buffers, that it had."""
        for name, tensor, array, values in self.buffers:
            tensor.array = array
            if array.flags.writeable:
                array[...] = values
            self._hold(name, tensor)

    def _hold(self, name: str, buffer: Any) -> None:
        """Make the module hold this very buffer, also where a call has put another one in its place."""
        path, _, last = name.rpartition(".")
        owner = self.func.get_submodule(path)
        if getattr(owner, last, None) is not buffer:
            setattr(owner, last, buffer)

    def random_parts(self) -> str:
        """The modules that draw random numbers, for an error."""
        modules = self.func.named_modules() if hasattr(self.func, "named_modules") else ()
        found = [(path or "it", m) for path, m in modules if "Dropout" in type(m).__name__ and m.training]
        return ", ".join(f"{path} ({type(m).__name__}) is in training mode" for path, m in found)

    def __enter__(self) -> _Subject:
        return self

    def __exit__(self, *exc: object) -> None:
        self._put_back()


def _must_be_float64(options: _Options, checked: Named) -> None:
    """ValueError unless differences can be taken of all these."""
    for name, x in checked:
        if x.dtype != np.float64:
            raise ValueError(
                f"{options.caller}: {name} is {x.dtype.name}; finite differences need float64, use x.double()"
            )
        if not x.array.flags.writeable:
            raise ValueError(
                f"{options.caller}: {name} is read-only (expanded, say), and is changed to take differences"
            )


def _compare(
    name: str,
    call: Callable[[bool], Sequence[Any]],
    checked: Named,
    subject: _Subject,
    rng: np.random.Generator,
    options: _Options,
) -> None:
    """GradcheckError unless the gradient of what `call` gives agrees with differences.

    It is told whether its results will be differentiated.
    """
    first = call(True)
    floating = [i for i, y in enumerate(first) if y.is_floating_point()]
    chosen = [i for i in floating if first[i].requires_grad] or floating  # beside these, the others are constants
    cotangents = {i: rng.standard_normal(first[i].shape) for i in chosen}
    analytic = _gradient(first, cotangents, checked)
    repeated = _gradient(call(True), cotangents, checked)
    if not all(_repeats(g, h, options) for g, h in zip(analytic, repeated, strict=True)):
        raise _not_repeatable(f"{name}: two calls with the same results have different gradients", subject)

    def projection() -> float:
        ys = call(False)
        return sum(float((v * ys[i].array).sum()) for i, v in cotangents.items())

    with np.errstate(**QUIET):
        here = projection()
        comparisons = []
        for (which, x), g in zip(checked, analytic, strict=True):
            claimed = np.zeros(x.shape) if g is None else g.array
            if claimed.shape != x.shape:
                raise GradcheckError(f"{name}: {which} has shape {x.shape}, but its gradient {claimed.shape}")
            above, below = _steps(projection, x.array, options.eps)
            numeric = (above - below) / (2 * options.eps)
            comparisons.append(
                Comparison(
                    which=which,
                    x=x.array,
                    claimed=claimed,
                    reached=g is not None,
                    numeric=numeric,
                    right=(above - here) / options.eps,
                    left=(here - below) / options.eps,
                    wrong=~np.isclose(claimed, numeric, rtol=options.rtol, atol=options.atol),
                    slope=_slope(projection, x.array),
                    shares=_sharing(x, subject.tensors),
                )
            )
        if any(c.wrong.any() for c in comparisons):
            narrow = {first[i].dtype.name for i in chosen if first[i].dtype != np.float64}
            raise GradcheckError(report(name, comparisons, options, sorted(narrow)))


def _must_repeat(subject: _Subject, options: _Options) -> None:
    """GradcheckError unless two calls give the same."""
    first, again = subject.run(), subject.run()
    if len(first) != len(again) or not all(_repeats(a, b, options) for a, b in zip(first, again, strict=True)):
        raise _not_repeatable(f"{subject.name}: two calls give different results", subject)


def _not_repeatable(what: str, subject: _Subject) -> GradcheckError:
    """The error for a function that is another one at each call."""
    parts = subject.random_parts()
    advice = f"{parts}; call .eval()" if parts else (
        "Does it draw random numbers, as dropout does in training mode, or change what it computes with? Turn that "
        "off, or seed it inside of the function"
    )  # fmt: skip
    return GradcheckError(f"{what}, so there is nothing to take differences of. {advice}")


def _gradient(ys: Sequence[Any], cotangents: dict[int, np.ndarray], checked: Named) -> Sequence[Any]:
    """The gradient of <v, y> by backward; None for what no gradient reaches."""
    pairs = [(ys[i], wrap(np.asarray(v))) for i, v in cotangents.items() if ys[i].requires_grad]
    if not pairs:
        return [None] * len(checked)
    outputs, seeds = zip(*pairs, strict=True)
    return grad(outputs, [x for _, x in checked], seeds, allow_unused=True)


def _repeats(a: Any, b: Any, options: _Options) -> bool:
    """Are two results, or two gradients, the same?"""
    if a is None or b is None:
        return a is b
    tolerance = options.nondet_tol
    return a.shape == b.shape and np.allclose(a.array, b.array, rtol=0, atol=tolerance, equal_nan=True)


def _must_be_alike(subject: _Subject, gradient: Callable[[bool], tuple], options: _Options) -> None:
    """GradcheckError unless the recorded gradient is the plain one."""
    for (which, _), a, b in zip(subject.checked, gradient(True), gradient(False), strict=True):
        if not np.allclose(a.array, b.array, rtol=options.rtol, atol=options.atol, equal_nan=True):
            raise GradcheckError(
                f"{subject.name}: the gradient of {which} under create_graph=True differs from the plain one, by up to "
                f"{np.abs(a.array - b.array).max():.9g}"
            )


def _steps(f: Callable[[], float], x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """f with each element of `x`, which is changed in place and put back, a step larger; and a step smaller."""
    above, below = np.empty(x.shape), np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        above[place], below[place] = _either_side(f, x, place, eps)
    return above, below


def _either_side(f: Callable[[], float], x: np.ndarray, place: tuple, step: float) -> tuple[float, float]:
    """f with one element of `x` a step larger, and a step smaller."""
    held = x[place]
    try:
        x[place] = held + step
        above = f()
        x[place] = held - step
        return above, f()
    finally:
        x[place] = held


def _slope(f: Callable[[], float], x: np.ndarray) -> Callable[[tuple, float], float]:
    """The central difference at one element, as a function of the step."""

    def slope(place: tuple, step: float) -> float:
        above, below = _either_side(f, x, place, step)
        return (above - below) / (2 * step)

    return slope


def _sharing(x: Any, tensors: Named) -> str:
    """The first other Tensor of the same memory, "" if there is none."""
    for name, other in tensors:
        if other is not x and np.may_share_memory(x.array, other.array) and np.shares_memory(x.array, other.array):
            return name
    return ""


def _verdict(check: Callable[[], None], raise_exception: bool) -> bool:
    try:
        check()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _random(generator: Any) -> np.random.Generator:
    """What draws the cotangents: a minigrad.Generator's source, or one that always starts from the same seed."""
    return np.random.default_rng(67280421310721) if generator is None else generator.numpy


def _as_list(outputs: Any) -> list:
    """The Tensors of one output or a sequence of them."""
    many = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    for y in many:
        if not is_tensor(y):
            raise TypeError(f"gradcheck: func must give a Tensor or a tuple of them, got {type(y).__name__}")
    return many


def _name(func: Callable[..., Any]) -> str:
    """What to call the function: `Cube` rather than `apply` for the bound Cube.apply, the class for a module."""
    if inspect.ismethod(func) and isinstance(func.__self__, type):
        return func.__self__.__name__
    return getattr(func, "__name__", type(func).__name__)
