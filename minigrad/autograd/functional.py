"""Jacobians and Hessians of a function of Tensors, and products with them: PyTorch's `autograd.functional`.

For y = f(x) with the Jacobian J[i, j] = dy_i / dx_j, and for a scalar f with the Hessian H[i, j] = d^2 f / dx_i dx_j:

    vjp       v^T J     one backward pass
    jvp       J v       two: v^T J is linear in v, and its derivative with respect to v is J
    vhp       v^T H     a backward pass through a backward pass
    hvp       H v       the same, and the trick of jvp; H is symmetric where f has continuous second derivatives
    jacobian  J         a backward pass for each element of y
    hessian   H         the Jacobian of the gradient

All are in reverse mode. No `.grad` is touched. The function is given new Tensors that share memory with the inputs,
so that the derivative is taken with respect to its arguments, and not to the same Tensors where it refers to them in
another way. The arguments have one meaning everywhere:

func         : takes as many Tensors as there are inputs; gives a Tensor or a tuple of them (vhp, hvp and hessian: one
               Tensor of one element)
inputs       : a Tensor, or a tuple of them
v            : the vector: of the shape of the outputs (vjp) or inputs (others); may be left out for one element, then 1
create_graph : give results that can be differentiated again; with respect to the inputs too if they require grad
strict       : RuntimeError, instead of zeros, where a result does not depend on an input

This file stands above `tensor`, unlike the rest of the package: it computes with Tensors, as a user would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor
from .engine import grad, wrap
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]
Grads = tuple[Tensor | None, ...]


def vjp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """(func(inputs), v^T J): a vector times the Jacobian, which is what backward computes.

    The second is like the inputs, v like the outputs. RuntimeError if v does not fit them.

    >>> import minigrad
    >>> from minigrad.autograd.functional import vjp
    >>> x = minigrad.tensor([1.0, 2.0, 3.0])
    >>> vjp(lambda x: x * x, x, minigrad.tensor([1.0, 0.0, 10.0]))
    (tensor([1., 4., 9.]), tensor([ 2.,  0., 60.]))
    """
    with enable_grad():
        xs, one_x = _arguments("vjp", inputs, create_graph)
        ys, one_y = _results("vjp", func(*xs), strict)
        vs = _vector("vjp", v, ys, "output", create_graph)
        products = _grads(ys, xs, vs, create_graph)
    result = _or_zeros("vjp", products, xs, strict, create_graph, "the output", "input")
    return _like(ys, one_y, create_graph), _like(result, one_x, create_graph)


def jvp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """(func(inputs), J v): the Jacobian times a vector, the derivative in the direction v.

    The second is like the outputs, v like the inputs. RuntimeError if v does not fit them. It takes two backward
    passes: u^T J is linear in u, so that its derivative with respect to u, times v, is J v.

    >>> import minigrad
    >>> from minigrad.autograd.functional import jvp
    >>> x = minigrad.tensor([1.0, 2.0, 3.0])
    >>> jvp(lambda x: (x * x).sum(), x, minigrad.tensor([1.0, 0.0, 10.0]))
    (tensor(14.), tensor(62.))
    """
    with enable_grad():
        xs, _ = _arguments("jvp", inputs, create_graph)
        vs = _vector("jvp", v, xs, "input", create_graph)
        ys, one_y = _results("jvp", func(*xs), strict)
        us = tuple(_zeros(y if y.is_floating_point() else y.double(), True) for y in ys)
        products = _grads(ys, xs, us, create_graph=True)
        if strict:
            _must_depend("jvp", products, "the gradient of input {}", "the output")
        products = _grads(products, us, vs, create_graph)
    result = _or_zeros("jvp", products, ys, strict, create_graph, "the gradient", "the vector for output")
    return _like(ys, one_y, create_graph), _like(result, one_y, create_graph)


def vhp(
    func: Callable[..., Tensor],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """(func(inputs), v^T H): a vector times the Hessian of a scalar function; both v and the product like the inputs.

    RuntimeError if v does not fit the inputs, or func gives more than one element.

    >>> import minigrad
    >>> from minigrad.autograd.functional import vhp
    >>> x = minigrad.tensor([1.0, 2.0])
    >>> vhp(lambda x: (x**3).sum(), x, minigrad.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    with enable_grad():
        xs, one_x = _arguments("vhp", inputs, create_graph)
        vs = _vector("vhp", v, xs, "input", create_graph)
        y, gradient = _gradient("vhp", func, xs, strict)
        products = _grads(gradient, xs, vs, create_graph)
    result = _or_zeros("vhp", products, xs, strict, create_graph, "the gradient", "input")
    return _like((y,), True, create_graph), _like(result, one_x, create_graph)


def hvp(
    func: Callable[..., Tensor],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """(func(inputs), H v): the Hessian of a scalar function times a vector; both v and the product like the inputs.

    Where second derivatives are continuous this is `vhp`, which is cheaper: here the trick of `jvp` is applied to the
    gradient. RuntimeError if v does not fit the inputs, or func gives more than one element.

    >>> import minigrad
    >>> from minigrad.autograd.functional import hvp
    >>> x = minigrad.tensor([1.0, 2.0])
    >>> hvp(lambda x: x[0] ** 2 * x[1], x, minigrad.tensor([1.0, 0.0]))
    (tensor(2.), tensor([4., 2.]))
    """
    with enable_grad():
        xs, one_x = _arguments("hvp", inputs, create_graph)
        vs = _vector("hvp", v, xs, "input", create_graph)
        y, gradient = _gradient("hvp", func, xs, strict)
        us = tuple(_zeros(x, True) for x in xs)
        products = _grads(gradient, xs, us, create_graph=True)
        if strict:
            _must_depend("hvp", products, "the Hessian's row for input {}", "the gradient")
        products = _grads(products, us, vs, create_graph)
    result = _or_zeros("hvp", products, xs, strict, create_graph, "the Hessian", "the vector for input")
    return _like((y,), True, create_graph), _like(result, one_x, create_graph)


def jacobian(
    func: Callable[..., Tensors],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: for an output y and an input x a Tensor of shape (*y.shape, *x.shape), of dy / dx.

    It is a tuple over the outputs if func gives a tuple, of tuples over the inputs if these are one.

    vectorize : accepted; the rows are computed one after the other all the same. As in PyTorch not with `strict`
    strategy  : "reverse-mode"; forward mode is not offered, and raises NotImplementedError

    >>> import minigrad
    >>> from minigrad.autograd.functional import jacobian
    >>> jacobian(lambda x: x * x.sum(), minigrad.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    >>> jacobian(lambda a, b: a * b, (minigrad.tensor(2.0), minigrad.tensor(5.0)))
    (tensor(5.), tensor(2.))
    """
    _must_be_reverse("jacobian", "strategy", strategy)
    return _jacobian("jacobian", func, inputs, create_graph, strict, vectorize)


def hessian(
    func: Callable[..., Tensor],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function, of shape (*x.shape, *x.shape); a tuple of tuples for a tuple of inputs.

    [i][j] of these holds the derivatives of the gradient of inputs[i] with respect to inputs[j]. `vectorize` and
    the strategy are those of `jacobian`. RuntimeError if func gives more than one element.

    >>> import minigrad
    >>> from minigrad.autograd.functional import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1], minigrad.tensor([3.0, 5.0]))
    tensor([[10.,  6.],
            [ 6.,  0.]])
    """
    _must_be_reverse("hessian", "outer_jacobian_strategy", outer_jacobian_strategy)

    def gradient(*xs: Tensor) -> tuple[Tensor, ...]:
        _, found = _gradient("hessian", func, xs, strict)
        return tuple(_zeros(x) if g is None else g for g, x in zip(found, xs, strict=True))

    rows = _jacobian("hessian", gradient, inputs, create_graph, strict, vectorize)
    return rows if isinstance(inputs, tuple) else rows[0]


# ------------------------------------------------------------------------------------------- what they share


def _arguments(name: str, inputs: Any, create_graph: bool) -> tuple[tuple[Tensor, ...], bool]:
    """What to call the function with: new Tensors that require grad; and whether there was one, not a tuple."""
    tensors, one = _tensors(name, "inputs", inputs)
    if not tensors:
        raise ValueError(f"{name}: inputs is empty; give at least one Tensor")
    for i, x in enumerate(tensors):
        if not x.is_floating_point():
            which = "inputs" if one else f"inputs[{i}]"
            raise RuntimeError(f"{name}: {which} is {x.dtype.name}; derivatives need a floating tensor, use .float()")
    return tuple(_anew(x, create_graph) for x in tensors), one


def _anew(x: Tensor, create_graph: bool) -> Tensor:
    """A new Tensor that requires grad, of the same memory; it leads back to `x` if its gradients are to."""
    return x.view(x.shape) if create_graph and x.requires_grad else x.detach().requires_grad_()


def _results(name: str, outputs: Any, strict: bool) -> tuple[tuple[Tensor, ...], bool]:
    """What the function gave as a tuple, and whether it was one Tensor, not a tuple."""
    ys, one = _tensors(name, "what func gives", outputs)
    for i, y in enumerate(ys):
        if strict and not y.requires_grad:
            raise RuntimeError(f"{name}: output {i} of func does not depend on any input, which strict=True forbids")
    return ys, one


def _tensors(name: str, role: str, given: Any) -> tuple[tuple[Tensor, ...], bool]:
    many = given if isinstance(given, tuple) else (given,)
    for i, x in enumerate(many):
        if not isinstance(x, Tensor):
            where = f", got {type(x).__name__}" + (f" at index {i}" if many is given else "")
            raise TypeError(f"{name}: {role} must be a Tensor or a tuple of Tensors{where}")
    return many, many is not given


def _vector(
    name: str, v: Any, like: tuple[Tensor, ...], role: str, create_graph: bool
) -> tuple[Tensor, ...] | tuple[None]:
    """The vector as a tuple, checked against the Tensors that it must be `like`."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            shapes = ", ".join(str(x.shape) for x in like)
            raise RuntimeError(f"{name}: v can be left out only for one {role} of one element, not for shapes {shapes}")
        return (None,)
    vs, _ = _tensors(name, "v", v)
    if len(vs) != len(like):
        raise RuntimeError(
            f"{name}: v must hold a Tensor for each {role}, of which there are {len(like)}; got {len(vs)}"
        )
    for i, (part, x) in enumerate(zip(vs, like, strict=True)):
        if part.shape != x.shape:
            raise RuntimeError(
                f"{name}: v[{i}] has shape {part.shape}, but {role} {i} has {x.shape}; they must be equal"
            )
    return vs if create_graph else tuple(part.detach() for part in vs)


def _gradient(name: str, func: Callable, xs: tuple[Tensor, ...], strict: bool) -> tuple[Tensor, Grads]:
    """func(*xs), which must be one element, and its gradient, recorded."""
    (y, *more), one = _results(name, func(*xs), strict)
    if more or not one or y.numel() != 1:
        got = f"shape {y.shape}" if one else "a tuple"
        raise RuntimeError(f"{name}: func must give one Tensor of one element, got {got}; reduce it, with .sum() say")
    gradient = _grads((y,), xs, (None,), create_graph=True)
    if strict:
        _must_depend(name, gradient, "the gradient of input {}", "the output")
    return y, gradient


def _grads(ys: Grads, xs: tuple[Tensor, ...], vs: tuple, create_graph: bool, retain_graph: bool | None = None) -> Grads:
    """`grad` where some outputs may be missing or constant; None for an input that none depends on."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    outputs, vectors = zip(*pairs, strict=True)
    return grad(outputs, xs, vectors, retain_graph, create_graph, allow_unused=True)


def _must_depend(name: str, grads: Grads, what: str, output: str) -> None:
    """RuntimeError where a gradient is missing, or does not depend on the inputs."""
    for i, g in enumerate(grads):
        if g is None:
            raise RuntimeError(f"{name}: {output} does not depend on input {i}, which strict=True forbids")
        if not g.requires_grad:
            raise RuntimeError(f"{name}: {what.format(i)} does not depend on the inputs, which strict=True forbids")


def _or_zeros(
    name: str, grads: Grads, like: tuple[Tensor, ...], strict: bool, create_graph: bool, what: str, of: str
) -> tuple[Tensor, ...]:
    """The gradients, with zeros for those that are missing: an error if `strict`."""
    for i, g in enumerate(grads):
        if strict and (g is None or (create_graph and not g.requires_grad)):
            thing = what if g is None else "the result"
            raise RuntimeError(f"{name}: {thing} does not depend on {of} {i}, which strict=True forbids")
    return tuple(_zeros(x) if g is None else g for g, x in zip(grads, like, strict=True))


def _zeros(x: Tensor, requires_grad: bool = False) -> Tensor:
    zeros = wrap(np.zeros_like(x.array))
    return zeros.requires_grad_() if requires_grad else zeros


def _jacobian(name: str, func: Callable, inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    """The Jacobian, nested as outputs and inputs are."""
    if strict and vectorize:
        raise RuntimeError(f"{name}: strict=True and vectorize=True do not go together; leave one of them out")
    with enable_grad():
        xs, one_x = _arguments(name, inputs, create_graph)
        ys, one_y = _results(name, func(*xs), strict)
        blocks = []
        for i, y in enumerate(ys):
            rows = []
            for place in np.ndindex(*y.shape):
                unit = _zeros(y)
                unit.array[place] = 1
                found = _grads((y,), xs, (unit,), create_graph, retain_graph=True)
                rows.append(_or_zeros(name, found, xs, strict, create_graph, f"output {i}", "input"))
            columns = zip(*rows, strict=True) if rows else [()] * len(xs)
            block = tuple(_stacked(column, y, x) for column, x in zip(columns, xs, strict=True))
            blocks.append(_like(block, one_x, create_graph))
    return blocks[0] if one_y else tuple(blocks)


def _stacked(rows: tuple[Tensor, ...], y: Tensor, x: Tensor) -> Tensor:
    """The rows of a Jacobian in one Tensor of the shapes of y and x; there is none for a y without elements."""
    shape = (*y.shape, *x.shape)
    return ops.stack(rows).reshape(shape) if rows else wrap(np.zeros(shape, x.dtype))


def _like(tensors: tuple[Tensor, ...], one: bool, create_graph: bool) -> Any:
    """One Tensor or a tuple of them, as what they belong to was; detached unless they are to be differentiated."""
    given = tensors if create_graph else tuple(t.detach() for t in tensors)
    return given[0] if one else given


def _must_be_reverse(name: str, argument: str, strategy: str) -> None:
    if strategy == "forward-mode":
        raise NotImplementedError(f'{name}: {argument}="forward-mode" is not offered; use "reverse-mode"')
    if strategy != "reverse-mode":
        raise ValueError(f'{name}: {argument} must be "reverse-mode", got {strategy!r}')
