"""Numerical checks of derivatives: does `backward` agree with finite differences?

The outputs are projected on a random cotangent v, and the gradient of <v, f(x)> is compared with central
differences, element by element. A sum instead of v would hide mistakes: the true gradient of sum(softmax(x)) is
zero, so a wrong rule passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine import grad, is_tensor, wrap
from .grad_mode import enable_grad, no_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Analytic and numeric derivatives disagree; the text says where."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    generator: Any = None,
) -> bool:
    """Check the first derivatives of `func(*inputs)` against central differences.

    func      : gives a Tensor or a tuple of them; called many times, so it must give the same each time
    inputs    : a Tensor or a tuple; those that require grad are checked, and must be float64
    eps       : the step of the differences
    generator : a minigrad.Generator that draws the cotangent; by default the same one each time

    True if they agree within atol + rtol |numeric|. Otherwise GradcheckError, or False without `raise_exception`.

    >>> import minigrad
    >>> x = minigrad.tensor([0.5, 2.0], dtype=minigrad.float64, requires_grad=True)
    >>> minigrad.gradcheck(minigrad.tanh, x)
    True
    """
    args = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = [(i, x) for i, x in enumerate(args) if is_tensor(x) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: none of the inputs requires grad, so there is nothing to check")
    for i, x in checked:
        if x.dtype != np.float64:
            raise ValueError(
                f"gradcheck: inputs[{i}] is {x.dtype.name}; finite differences need float64, use x.double()"
            )
        if not x.array.flags.writeable:
            raise ValueError(f"gradcheck: inputs[{i}] is read-only (expanded, say), and is changed to take differences")
    rng = _random(generator)

    floating = {i: y for i, y in enumerate(_as_list(func(*args))) if y.is_floating_point()}
    outputs = {i: y for i, y in floating.items() if y.requires_grad}  # beside these, the others count as constants
    cotangents = {i: rng.standard_normal(y.shape) for i, y in (outputs or floating).items()}
    analytic: Sequence[Any] = [None] * len(checked)
    if outputs:
        wanted, seeds = [x for _, x in checked], [wrap(np.asarray(v)) for v in cotangents.values()]
        analytic = grad(tuple(outputs.values()), wanted, seeds, allow_unused=True)

    def projection() -> float:
        with no_grad():
            ys = _as_list(func(*args))
        return sum(float((v * ys[i].array).sum()) for i, v in cotangents.items())

    for (i, x), g in zip(checked, analytic, strict=True):
        claimed = np.zeros(x.shape) if g is None else g.array
        if claimed.shape != x.shape:
            return _fail(f"inputs[{i}] has shape {x.shape}, but its gradient {claimed.shape}", raise_exception)
        numeric = _central_differences(projection, x.array, eps)
        wrong = ~np.isclose(claimed, numeric, rtol=rtol, atol=atol)
        if wrong.any():
            worst = np.unravel_index(np.argmax(np.where(wrong, np.abs(claimed - numeric), -1.0)), x.shape)
            place = tuple(int(n) for n in worst)
            return _fail(
                f"{getattr(func, '__name__', func)}: the gradient of inputs[{i}], of shape {x.shape}, disagrees with "
                f"central differences in {int(wrong.sum())} of {wrong.size} elements; the worst is {place}: backward "
                f"gives {claimed[worst]:.9g}, differences give {numeric[worst]:.9g}, at the value {x.array[worst]:.9g}",
                raise_exception,
            )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
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
    args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    rng = _random(generator)
    outputs = [y for y in _as_list(func(*args)) if y.requires_grad]
    if grad_outputs is None:
        seeds = tuple(wrap(rng.standard_normal(y.shape)).requires_grad_() for y in outputs)
    else:
        seeds = tuple(_as_list(grad_outputs))
    wanted = [i for i, x in enumerate(args) if is_tensor(x) and x.requires_grad]

    def gradient(*both: Any, create_graph: bool = True) -> tuple:
        xs, vs = both[: len(args)], both[len(args) :]
        with enable_grad():
            ys = [y for y in _as_list(func(*xs)) if y.requires_grad]
            return grad(ys, [xs[i] for i in wanted], vs, create_graph=create_graph, materialize_grads=True)

    name = getattr(func, "__name__", func)
    gradient.__name__ = f"the gradient of {name}"
    if outputs:
        both = (gradient(*args, *seeds, create_graph=record) for record in (True, False))
        for i, recorded, plain in zip(wanted, *both, strict=True):
            if not np.allclose(recorded.array, plain.array, rtol=rtol, atol=atol, equal_nan=True):
                return _fail(
                    f"{name}: the gradient of inputs[{i}] under create_graph=True differs from the plain one, by up to "
                    f"{np.abs(recorded.array - plain.array).max():.9g}",
                    raise_exception,
                )
    options: dict[str, Any] = {
        "eps": eps,
        "atol": atol,
        "rtol": rtol,
        "raise_exception": raise_exception,
        "generator": generator,
    }
    return gradcheck(gradient, (*args, *seeds), **options)


def _random(generator: Any) -> np.random.Generator:
    """What draws the cotangents: a minigrad.Generator's source, or one that always starts from the same seed."""
    return np.random.default_rng(67280421310721) if generator is None else generator.numpy


def _central_differences(f: Callable[[], float], x: np.ndarray, eps: float) -> np.ndarray:
    """The gradient of `f` with respect to `x`, which is changed in place and put back."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        held = x[place]
        try:
            x[place] = held + eps
            above = f()
            x[place] = held - eps
            below = f()
        finally:
            x[place] = held
        gradient[place] = (above - below) / (2 * eps)
    return gradient


def _as_list(outputs: Any) -> list:
    """The Tensors of one output or a sequence of them."""
    many = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    for y in many:
        if not is_tensor(y):
            raise TypeError(f"gradcheck: func must give a Tensor or a tuple of them, got {type(y).__name__}")
    return many


def _fail(text: str, raise_exception: bool) -> bool:
    if raise_exception:
        raise GradcheckError(text)
    return False
