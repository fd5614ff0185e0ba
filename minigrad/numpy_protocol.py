"""NumPy's functions on Tensors: `np.exp(t)`, `np.sum(t, axis=0)` and `array @ t` give Tensors, and differentiate.

NumPy lets an operand answer in its place, and a Tensor answers with the tables of this file: for each function of
NumPy the op that does its work. The arguments, their order and their defaults are NumPy's, and so are the values;
dtypes and refusals are the op's own. So a NumPy scalar is weak and keeps float32, as a Python number does, `np.var`
divides by n, and `np.mean` of integers asks for a floating dtype.

    UFUNCS                     the elementwise functions, and matmul; also `ufunc.outer` of those that take two
    REDUCTIONS, ACCUMULATIONS  `ufunc.reduce` and `ufunc.accumulate`
    FUNCTIONS                  all others, by an adapter where the arguments differ
    QUESTIONS                  about the elements, which NumPy answers as for arrays
    ON_ARRAYS                  files and counts, which no gradient passes: NumPy's, of np.asarray(t)
    INSTEAD                    some that are in no table, and what to write instead

A function in no table, or an option that an op does not have, raises TypeError and names the way round it.

Source: NumPy Enhancement Proposals 13 (`__array_ufunc__`) and 18 (`__array_function__`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import dtypes, ops
from .autograd import is_grad_enabled, is_tensor, unwrap, wrap
from .ops.common import Operand, normalize_dim, normalize_dims, python_number

__all__ = ["ACCUMULATIONS", "FUNCTIONS", "INSTEAD", "ON_ARRAYS", "QUESTIONS", "REDUCTIONS", "UFUNCS"]

Axis = int | Sequence[int] | None
Function = Callable[..., Any]
ABSENT = np._NoValue  # what NumPy writes for an argument that was not given

# ------------------------------------------------------------------------------------- what NumPy asks


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """What `ufunc.method(*inputs, **options)` gives for Tensors; NotImplemented leaves it to another operand.

    It is `Tensor.__array_ufunc__` itself, so that `array * tensor` costs no further call.
    """
    op = UFUNCS.get(ufunc)
    if method != "__call__" or options or op is None:
        return _call_with_options(ufunc, method, inputs, options)
    try:
        return op(*inputs)
    except TypeError:
        if any(map(_answers_itself, inputs)):
            return NotImplemented
        raise


def call_function(function: Function, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What `function(*args, **kwargs)`, one of NumPy's, gives for Tensors."""
    ours = FUNCTIONS.get(function)
    if ours is not None:
        return ours(*args, **kwargs)
    if function in QUESTIONS:
        return function(*map(unwrap, args), **{name: unwrap(x) for name, x in kwargs.items()})
    if function in ON_ARRAYS:  # np.asarray refuses a tensor that requires grad
        plain = {name: np.asarray(x) if is_tensor(x) else x for name, x in kwargs.items()}
        return function(*(np.asarray(x) if is_tensor(x) else x for x in args), **plain)
    raise _missing(function, f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}")


def _call_with_options(ufunc: np.ufunc, method: str, inputs: tuple, options: dict[str, Any]) -> Any:
    """The calls that are rare: with `out=` and other options, methods such as reduce, functions of no table."""
    if any(map(_answers_itself, (*inputs, *options.get("out", ())))):
        return NotImplemented
    name = _name(ufunc)
    if method == "at" or "out" in options:
        return _write(ufunc, method, inputs, options)
    if method == "reduce" and ufunc in REDUCTIONS:
        return REDUCTIONS[ufunc](*inputs, **{"axis": 0, **options})
    if method == "accumulate" and ufunc in ACCUMULATIONS:
        return ACCUMULATIONS[ufunc](*inputs, **{"axis": 0, **options})
    if ufunc not in UFUNCS:
        raise _missing(ufunc, name)
    if method == "outer":
        _refuse(f"{name}.outer", **options)
        return _outer_of(UFUNCS[ufunc], *inputs)
    if method == "__call__":
        _refuse(name, **options)
        return UFUNCS[ufunc](*inputs)
    raise _missing(None, f"{name}.{method}")


def _write(ufunc: np.ufunc, method: str, inputs: tuple, options: dict[str, Any]) -> Any:
    """`out=`, of which `array += tensor` is a case, and `ufunc.at`: written where no graph has to record it."""
    name = _name(ufunc) if method == "__call__" else f"{_name(ufunc)}.{method}"
    out = options.get("out", ())
    if method == "at" and is_tensor(inputs[0]):
        raise TypeError(f"{name}: cannot write into a Tensor; use t[index] = value, or t.scatter_add(dim, index, src)")
    _must_not_record(name, "out=, also that of `array += tensor`,", *inputs, *out)
    if not any(map(is_tensor, out)):
        return getattr(ufunc, method)(*map(unwrap, inputs), **{key: unwrap(x) for key, x in options.items()})
    rest = {key: x for key, x in options.items() if key != "out"}
    result, target = getattr(ufunc, method)(*inputs, **rest), out[0]
    if len(out) != 1 or not is_tensor(result):
        raise TypeError(f"{name}: out= takes one Tensor")
    if result.shape != target.shape or not dtypes.can_hold(target.dtype, result.dtype):
        raise TypeError(
            f"{name}: out= has shape {target.shape} and dtype {target.dtype.name}, which cannot hold the result of "
            f"shape {result.shape} and dtype {result.dtype.name}"
        )
    return target.copy_(result)


def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if is_tensor(dst):
        raise TypeError("np.copyto: cannot write into a Tensor this way; use t.copy_(source)")
    _must_not_record("np.copyto", "this", src, where)
    np.copyto(dst, unwrap(src), casting=casting, where=unwrap(where))


def _must_not_record(name: str, what: str, *operands: Any) -> None:
    """TypeError if a graph would have to record what is written with these operands."""
    if is_grad_enabled() and any(is_tensor(x) and x.requires_grad for x in operands):
        raise TypeError(
            f"{name}: {what} cannot be recorded, and a tensor here requires grad; write a new tensor, such as "
            "`y = array + t`, or use t.detach() for values without gradients"
        )


def _answers_itself(x: Any) -> bool:
    """Is `x` of another library that takes part in NumPy's protocol?"""
    return not ops.is_number_or_array(x) and hasattr(type(x), "__array_ufunc__")


def _name(ufunc: np.ufunc) -> str:
    """np.exp, or the bare name of a ufunc that is not NumPy's."""
    name = ufunc.__name__
    return f"np.{name}" if getattr(np, name, None) is ufunc else name


def _missing(function: Any, name: str) -> TypeError:
    """The error for a function that has no op."""
    instead = INSTEAD.get(function, "use t.detach().numpy() for a result without gradients")
    return TypeError(f"{name}: minigrad has no such op; {instead}")


WITHOUT_OPTION = {
    "out": "take the result that is given back",
    "where": "choose with np.where(condition, a, b)",
    "initial": "join it with np.maximum, np.minimum, + or *",
    "dtype": "convert with t.to(dtype)",
    "casting": "convert with t.to(dtype)",
    "signature": "convert with t.to(dtype)",
    "order": "elements are in row-major order",
    "axes": "move the axes with np.moveaxis",
    "axis": "move the axes with np.moveaxis",
}
AS_BY_DEFAULT = {"where": True, "casting": "same_kind", "order": "K", "subok": True, "device": "cpu", "mode": "raise"}


def _refuse(name: str, **options: Any) -> None:
    """TypeError for the first option that is there and would change something."""
    for option, value in options.items():
        if value is None or value is ABSENT:
            continue
        default = AS_BY_DEFAULT.get(option, ABSENT)
        if value is not default and not (isinstance(value, str) and value == default):
            way = WITHOUT_OPTION.get(option, "use t.detach().numpy() for a result without gradients")
            raise TypeError(f"{name}: {option}= is not supported for a Tensor; {way}")


def _given(value: Any, default: Any) -> Any:
    """The argument, or the default if NumPy says that there is none."""
    return default if value is ABSENT else value


def _ndim(x: Operand) -> int:
    """The number of dimensions, 0 for a Python number."""
    return getattr(x, "ndim", 0)


def _arrays(*operands: Operand) -> tuple[Operand, ...]:
    """The operands, numbers among them as arrays of the dtype that all promote to: a number has no say of its own."""
    numbers = [isinstance(x, (int, float, np.generic)) for x in operands]
    if True not in numbers:
        return operands
    dtype = dtypes.result_type(*operands)
    return tuple(np.asarray(x, dtype) if number else x for x, number in zip(operands, numbers, strict=True))


def _tensor(x: Operand) -> Operand:
    """An array as a Tensor."""
    return x if is_tensor(x) else wrap(x)


def _in(x: Operand, dtype: Any) -> Operand:
    """`x` in the dtype that was asked for, if one was."""
    return x if dtype is None else ops.cast(x, dtypes.as_dtype(dtype))


# ------------------------------------------------------------------------------------ elementwise and reductions


def _over(a: Operand, axis: Axis, keepdims: Any) -> tuple[Operand, Axis, bool]:
    """The tensor, dim and keepdim of a reduction. Over no axes, which NumPy writes (), it is over one of size one."""
    if isinstance(axis, (tuple, list)) and not axis:
        return ops.unsqueeze(a, -1), -1, False
    return a, axis, _given(keepdims, False)


def _outer_of(op: Function, a: Operand, b: Operand) -> Operand:
    """op of every element of a with every element of b, in the shape of a followed by that of b."""
    return op(ops.reshape(a, (*a.shape, *(1,) * _ndim(b))) if _ndim(a) else a, b)


def _sum(
    a: Operand, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Any:
    _refuse("np.sum", out=out, **options)
    return ops.sum(*_over(a, axis, keepdims), dtype=dtype)


def _mean(
    a: Operand, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Any:
    _refuse("np.mean", out=out, **options)
    return ops.mean(*_over(a, axis, keepdims), dtype=dtype)


def _var(
    a: Operand,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    correction: Any = ABSENT,
    **options: Any,
) -> Any:
    _refuse("np.var", out=out, **options)
    x, dim, keepdim = _over(_in(a, dtype), axis, keepdims)
    return ops.var(x, dim, keepdim=keepdim, correction=_less("np.var", ddof, correction))


def _std(
    a: Operand,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    correction: Any = ABSENT,
    **options: Any,
) -> Any:
    _refuse("np.std", out=out, **options)
    x, dim, keepdim = _over(_in(a, dtype), axis, keepdims)
    return ops.std(x, dim, keepdim=keepdim, correction=_less("np.std", ddof, correction))


def _less(name: str, ddof: float, correction: Any) -> float:
    """What a variance takes from n."""
    if correction is ABSENT:
        return ddof
    if ddof != 0:
        raise ValueError(f"{name}: got both ddof={ddof} and correction={correction}; they mean the same")
    return correction


def _max(a: Operand, axis: Axis = None, out: Any = None, keepdims: Any = False, **options: Any) -> Any:
    _refuse("np.max", out=out, **options)
    return ops.amax(*_over(a, axis, keepdims))


def _min(a: Operand, axis: Axis = None, out: Any = None, keepdims: Any = False, **options: Any) -> Any:
    _refuse("np.min", out=out, **options)
    return ops.amin(*_over(a, axis, keepdims))


def _argmax(a: Operand, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    _refuse("np.argmax", out=out)
    return ops.argmax(a, axis, _given(keepdims, False))


def _argmin(a: Operand, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
    _refuse("np.argmin", out=out)
    return ops.argmin(a, axis, _given(keepdims, False))


def _all(a: Operand, axis: Axis = None, out: Any = None, keepdims: Any = False, **options: Any) -> Any:
    _refuse("np.all", out=out, **options)
    return ops.all(*_over(a, axis, keepdims))


def _any(a: Operand, axis: Axis = None, out: Any = None, keepdims: Any = False, **options: Any) -> Any:
    _refuse("np.any", out=out, **options)
    return ops.any(*_over(a, axis, keepdims))


def _cumsum(a: Operand, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    _refuse("np.cumsum", out=out)
    return ops.cumsum(*_along(a, axis), dtype=dtype)


def _prod(
    a: Operand, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Any:
    _refuse("np.prod", out=out, **options)
    x, dim, keepdim = _over(a, axis, keepdims)
    if not isinstance(dim, (tuple, list)):
        return ops.prod(x, dim, keepdim, dtype=dtype)
    dims = normalize_dims("np.prod", dim, x.ndim)
    for d in dims:
        x = ops.prod(x, d, True, dtype=dtype)
    return x if keepdim else ops.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in dims))


def _cumprod(a: Operand, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    _refuse("np.cumprod", out=out)
    return ops.cumprod(*_along(a, axis), dtype=dtype)


def _cumulative_sum(
    x: Operand, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    _refuse("np.cumulative_sum", out=out)
    y = ops.cumsum(*_one_axis("np.cumulative_sum", x, axis), dtype=dtype)
    return _from_the_neutral(y, axis, include_initial, 0)


def _cumulative_prod(
    x: Operand, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    _refuse("np.cumulative_prod", out=out)
    y = ops.cumprod(*_one_axis("np.cumulative_prod", x, axis), dtype=dtype)
    return _from_the_neutral(y, axis, include_initial, 1)


def _one_axis(name: str, x: Operand, axis: int | None) -> tuple[Operand, int]:
    """The tensor and the axis, which may be left out where there is but one."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: axis must be given for a tensor of {x.ndim} dimensions")
    return x, normalize_dim(name, 0 if axis is None else axis, x.ndim)


def _from_the_neutral(y: Operand, axis: int | None, include_initial: bool, value: int) -> Operand:
    """A running sum or product with what it starts from in front, if that was asked for."""
    if not include_initial:
        return y
    dim = 0 if axis is None else normalize_dim("include_initial", axis, y.ndim)
    shape = tuple(1 if i == dim else n for i, n in enumerate(y.shape))
    return ops.cat([wrap(np.full(shape, value, y.dtype)), y], dim)


def _along(a: Operand, axis: int | None) -> tuple[Operand, int]:
    """The tensor and the axis; for None, as NumPy has it, all elements in a row."""
    return (ops.reshape(a, -1), 0) if axis is None else (a, axis)


def _clip(
    a: Operand, a_min: Any = ABSENT, a_max: Any = ABSENT, out: Any = None, *, min: Any = ABSENT, max: Any = ABSENT,
    **options: Any,
) -> Any:  # fmt: skip
    _refuse("np.clip", out=out, **options)
    for old, new in ((a_min, min), (a_max, max)):
        if old is not ABSENT and new is not ABSENT:
            raise ValueError("np.clip: got both a_min or a_max and min or max; give each limit once")
    low, high = _given(a_min, _given(min, None)), _given(a_max, _given(max, None))
    return ops.clamp(_arrays(a, *(x for x in (low, high) if x is not None))[0], low, high)


def _where(condition: Any, x: Any = ABSENT, y: Any = ABSENT) -> Any:
    if x is ABSENT or y is ABSENT:
        return ops.nonzero(condition, as_tuple=True)
    condition = condition if is_tensor(condition) else np.asarray(condition)
    return ops.where(condition if condition.dtype == np.bool_ else ops.ne(condition, 0), x, y)


def _nonzero(a: Operand) -> Any:
    return ops.nonzero(a, as_tuple=True)


def _argwhere(a: Operand) -> Any:
    return ops.nonzero(a)


def _flatnonzero(a: Operand) -> Any:
    return ops.nonzero(ops.reshape(a, -1), as_tuple=True)[0]


def _count_nonzero(a: Operand, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return ops.sum(*_over(ops.ne(a, 0), axis, keepdims))


def _nan_to_num(x: Operand, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    _refuse("np.nan_to_num", copy=None if copy else copy)
    return ops.nan_to_num(x, nan, posinf, neginf)


def _round(a: Operand, decimals: int = 0, out: Any = None) -> Any:
    _refuse("np.round", out=out)
    return ops.round(a, decimals=decimals)


def _sort(a: Operand, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    _refuse("np.sort", order=order)
    return ops.sort(*_along(a, axis)).values


def _argsort(a: Operand, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    _refuse("np.argsort", order=order)
    return ops.argsort(*_along(a, axis))


def _isclose(a: Operand, b: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    a, b = _arrays(a, b)
    return ops.isclose(a, b, rtol, atol, equal_nan)


def _norm(x: Operand, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """Of a vector the p-norm, of a matrix the one that bears the same name."""
    name = "np.linalg.norm"
    if axis is None and (ord is None or x.ndim == 1):
        return _vector_norm(x, axis=None, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) == 1:
        return _vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"{name}: a norm with ord={ord!r} is over one or two axes, got {len(axes)}")
    rows, columns = (normalize_dim(name, d, x.ndim) for d in axes)
    if ord in (None, "fro"):
        return ops.norm(x, 2, (rows, columns), keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        sums = ops.sum(ops.abs(x), rows if abs(ord) == 1 else columns, keepdim=True)
        return (ops.amax if ord > 0 else ops.amin)(sums, (rows, columns), keepdims)
    if ord in (2, -2, "nuc"):
        raise TypeError(
            f"{name}: a matrix norm with ord={ord!r} needs singular values, and minigrad has no such op; use "
            "t.detach().numpy() for a result without gradients"
        )
    raise ValueError(f'{name}: a matrix norm has ord None, "fro", 1, -1, inf or -inf, got {ord!r}')


def _vector_norm(x: Operand, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"np.linalg.norm: a vector norm has a number for ord, got {ord!r}")
    return ops.norm(x, ord, axis, keepdims)


def _matrix_norm(x: Operand, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _norm(x, ord, (-2, -1), keepdims)


# ----------------------------------------------------------------------------------------------------- shape


def _reshape(a: Operand, /, shape: Any = None, order: str = "C", *, copy: bool | None = None, **options: Any) -> Any:
    _refuse("np.reshape", order=None if order == "C" else order, **options)
    if shape is None:
        raise TypeError("np.reshape: needs a shape")
    if copy is None:
        return ops.reshape(a, shape)
    return ops.clone(ops.reshape(a, shape)) if copy else ops.view(a, shape)


def _ravel(a: Operand, order: str = "C") -> Any:
    _refuse("np.ravel", order=None if order == "C" else order)
    return ops.reshape(a, -1)


def _transpose(a: Operand, axes: Sequence[int] | None = None) -> Any:
    return ops.permute(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _swapaxes(a: Operand, axis1: int, axis2: int) -> Any:
    return ops.transpose(a, axis1, axis2)


def _matrix_transpose(x: Operand, /) -> Any:
    return ops.transpose(x, -2, -1)


def _moveaxis(a: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    return ops.movedim(a, source, destination)


def _squeeze(a: Operand, axis: Axis = None) -> Any:
    for d in () if axis is None else (axis if isinstance(axis, (tuple, list)) else (axis,)):
        if a.ndim and a.shape[normalize_dim("np.squeeze", d, a.ndim)] != 1:
            raise ValueError(f"np.squeeze: axis {d} of shape {tuple(a.shape)} has not the size 1; t.squeeze() keeps it")
    return ops.squeeze(a, axis)


def _expand_dims(a: Operand, axis: int | Sequence[int]) -> Any:
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(axes)
    new = [normalize_dim("np.expand_dims", d, ndim) for d in axes]
    if len(set(new)) != len(new):
        raise ValueError(f"np.expand_dims: axis {axis} names a dimension twice")
    sizes = iter(a.shape)
    return ops.reshape(a, tuple(1 if d in new else next(sizes) for d in range(ndim)))


def _broadcast_to(array: Operand, shape: int | Sequence[int], subok: bool = False) -> Any:
    return ops.broadcast_to(array, shape if isinstance(shape, (tuple, list)) else (shape,))


def _broadcast_arrays(*args: Operand, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*map(np.shape, map(unwrap, args)))
    return tuple(ops.broadcast_to(x, shape) if is_tensor(x) else np.broadcast_to(x, shape) for x in args)


def _atleast_1d(*arys: Any) -> Any:
    return _each(lambda x: ops.reshape(x, 1) if not x.ndim else x, np.atleast_1d, arys)


def _atleast_2d(*arys: Any) -> Any:
    return _each(lambda x: ops.reshape(x, (1, -1)) if x.ndim < 2 else x, np.atleast_2d, arys)


def _each(ours: Function, numpys: Function, operands: tuple) -> Any:
    """One result, or a tuple of them; what is no Tensor stays NumPy's."""
    results = tuple(ours(x) if is_tensor(x) else numpys(x) for x in operands)
    return results if len(results) != 1 else results[0]


def _flip(m: Operand, axis: Axis = None) -> Any:
    return ops.flip(m, tuple(range(m.ndim)) if axis is None else axis)


def _rot90(m: Operand, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    return ops.rot90(m, k, axes)


def _roll(a: Operand, shift: Any, axis: Axis = None) -> Any:
    if axis is None:
        return ops.roll(a, shift)
    shifts, dims = np.broadcast_arrays(unwrap(shift), axis)
    return ops.roll(a, tuple(shifts.reshape(-1).tolist()), tuple(dims.reshape(-1).tolist()))


def _tile(A: Operand, reps: Any) -> Any:
    return ops.tile(A, tuple(np.atleast_1d(unwrap(reps)).tolist()))


def _repeat(a: Operand, repeats: Any, axis: int | None = None) -> Any:
    return ops.repeat_interleave(a, repeats if isinstance(repeats, int) else np.asarray(unwrap(repeats)), axis)


def _diagonal(a: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return ops.diagonal(a, offset, axis1, axis2)


def _trace(a: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    _refuse("np.trace", out=out)
    return ops.sum(ops.diagonal(a, offset, axis1, axis2), -1, dtype=dtype)


def _matrix_diagonal(x: Operand, /, *, offset: int = 0) -> Any:
    return ops.diagonal(x, offset, -2, -1)


def _matrix_trace(x: Operand, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return ops.sum(ops.diagonal(x, offset, -2, -1), -1, dtype=dtype)


def _diag(v: Operand, k: int = 0) -> Any:
    return ops.diag(v, k)


def _diagflat(v: Operand, k: int = 0) -> Any:
    return ops.diagflat(v, k)


def _tril(m: Operand, k: int = 0) -> Any:
    return ops.tril(m, k)


def _triu(m: Operand, k: int = 0) -> Any:
    return ops.triu(m, k)


def _take_along_axis(arr: Operand, indices: Operand, axis: int | None = -1) -> Any:
    return ops.take_along_dim(arr, indices, axis)


def _copy(a: Operand, order: str = "K", subok: bool = False) -> Any:
    _refuse("np.copy", order=None if order in ("K", "C") else order)
    return ops.clone(a)


def _take(a: Operand, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    _refuse("np.take", out=out, mode=mode)
    x, dim = _along(a, axis)
    return ops.getitem(x, (slice(None),) * normalize_dim("np.take", dim, x.ndim) + (indices,))


def _pad(array: Operand, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    value = options.pop("constant_values", 0)
    _refuse("np.pad", **options)
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in modes:
        raise TypeError(f"np.pad: mode must be {', '.join(map(repr, modes))} for a Tensor, got {mode!r}")
    pairs = np.broadcast_to(np.asarray(unwrap(pad_width)), (array.ndim, 2)).tolist()
    return ops.pad(array, [n for pair in pairs[::-1] for n in pair], modes[mode], value if mode == "constant" else None)


# ------------------------------------------------------------------------------------------- joining and splitting


def _concatenate(arrays: Any, /, axis: int | None = 0, out: Any = None, **options: Any) -> Any:
    _refuse("np.concatenate", out=out, **options)
    parts = list(arrays)
    return ops.cat([ops.reshape(x, -1) for x in parts], 0) if axis is None else ops.cat(parts, axis)


def _stack(arrays: Any, axis: int = 0, out: Any = None, **options: Any) -> Any:
    _refuse("np.stack", out=out, **options)
    return ops.stack(list(arrays), axis)


def _hstack(tup: Any, **options: Any) -> Any:
    _refuse("np.hstack", **options)
    return ops.hstack(list(tup))


def _vstack(tup: Any, **options: Any) -> Any:
    _refuse("np.vstack", **options)
    return ops.vstack(list(tup))


def _dstack(tup: Any) -> Any:
    return ops.dstack(list(tup))


def _split(ary: Operand, indices_or_sections: Any, axis: int = 0) -> Any:
    n = ary.shape[normalize_dim("np.split", axis, ary.ndim)]
    if isinstance(indices_or_sections, (int, np.integer)) and n % indices_or_sections:
        raise ValueError(
            f"np.split: size {n} of axis {axis} does not divide into {indices_or_sections} equal parts; use "
            "np.array_split"
        )
    return _array_split(ary, indices_or_sections, axis)


def _array_split(ary: Operand, indices_or_sections: Any, axis: int = 0) -> Any:
    return list(ops.tensor_split(ary, indices_or_sections, axis))


def _unstack(x: Operand, /, *, axis: int = 0) -> Any:
    return ops.unbind(x, axis)


def _meshgrid(*xi: Operand, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    _refuse("np.meshgrid", sparse=sparse or None)
    grid = ops.meshgrid(*map(_tensor, _arrays(*xi)), indexing=indexing)
    return tuple(map(ops.clone, grid)) if copy else grid


# ---------------------------------------------------------------------------------------------------- products


def _dot(a: Operand, b: Operand, out: Any = None) -> Any:
    """A product with a number; else the sum over the last axis of a and the last but one (or only) of b."""
    _refuse("np.dot", out=out)
    if not _ndim(a) or not _ndim(b):
        return ops.mul(a, b)
    if b.ndim <= 2:
        return ops.matmul(a, b)
    return ops.tensordot(a, b, ([a.ndim - 1], [b.ndim - 2]))


def _inner(a: Operand, b: Operand, /) -> Any:
    return ops.inner(a, b) if _ndim(a) and _ndim(b) else ops.mul(a, b)


def _outer(a: Operand, b: Operand, out: Any = None) -> Any:
    _refuse("np.outer", out=out)
    return ops.outer(*(ops.reshape(x, -1) for x in _arrays(a, b)))


def _vdot(a: Operand, b: Operand, /) -> Any:
    return ops.vdot(*(ops.reshape(x, -1) for x in _arrays(a, b)))


def _tensordot(a: Operand, b: Operand, axes: Any = 2) -> Any:
    if isinstance(axes, (tuple, list)):
        axes = tuple(list(d) if isinstance(d, (tuple, list)) else [d] for d in axes)
    return ops.tensordot(a, b, axes)


def _einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    _refuse("np.einsum", out=out, **options)
    return ops.einsum(*operands)


# --------------------------------------------------------------------------------------------------- new tensors


def _astype(x: Operand, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    _refuse("np.astype", device=device)
    y = ops.cast(x, dtypes.as_dtype(dtype))
    return ops.clone(y) if copy and y is x else y


def _result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """That of the op; a dtype has the say of a tensor that has dimensions."""
    kinds = (type, str, np.dtype)
    return dtypes.result_type(
        *(np.empty(0, dtypes.as_dtype(x)) if isinstance(x, kinds) else x for x in arrays_and_dtypes)
    )


def _like(name: str, a: Operand, dtype: Any, shape: Any, options: dict[str, Any]) -> tuple:
    """The shape and dtype of the new tensor."""
    _refuse(name, **options)
    return a.shape if shape is None else shape, a.dtype if dtype is None else dtypes.as_dtype(dtype)


def _zeros_like(
    a: Operand, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any
) -> Any:
    return wrap(np.zeros(*_like("np.zeros_like", a, dtype, shape, {"order": order, **options})))


def _ones_like(
    a: Operand, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any
) -> Any:
    return wrap(np.ones(*_like("np.ones_like", a, dtype, shape, {"order": order, **options})))


def _empty_like(
    a: Operand, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **options: Any
) -> Any:
    return wrap(np.empty(*_like("np.empty_like", a, dtype, shape, {"order": order, **options})))


def _full_like(
    a: Operand,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    **options: Any,
) -> Any:
    shape, dtype = _like("np.full_like", a, dtype, shape, {"order": order, **options})
    return wrap(np.full(shape, python_number("np.full_like", "fill_value", fill_value), dtype))


# ---------------------------------------------------------------------------------------------------- the tables

UFUNCS: dict[np.ufunc, Function] = {
    np.add: ops.add,
    np.subtract: ops.sub,
    np.multiply: ops.mul,
    np.divide: ops.div,
    np.floor_divide: ops.floor_divide,
    np.remainder: ops.remainder,
    np.fmod: ops.fmod,
    np.power: ops.pow,
    np.negative: ops.neg,
    np.positive: ops.clone,
    np.matmul: ops.matmul,
    np.square: ops.square,
    np.reciprocal: ops.reciprocal,
    np.exp: ops.exp,
    np.exp2: ops.exp2,
    np.expm1: ops.expm1,
    np.log: ops.log,
    np.log2: ops.log2,
    np.log10: ops.log10,
    np.log1p: ops.log1p,
    np.sqrt: ops.sqrt,
    np.sin: ops.sin,
    np.cos: ops.cos,
    np.tan: ops.tan,
    np.arcsin: ops.asin,
    np.arccos: ops.acos,
    np.arctan: ops.atan,
    np.arctan2: ops.atan2,
    np.sinh: ops.sinh,
    np.cosh: ops.cosh,
    np.tanh: ops.tanh,
    np.absolute: ops.abs,
    np.sign: ops.sign,
    np.floor: ops.floor,
    np.ceil: ops.ceil,
    np.trunc: ops.trunc,
    np.rint: ops.round,
    np.maximum: ops.maximum,
    np.minimum: ops.minimum,
    np.equal: ops.eq,
    np.not_equal: ops.ne,
    np.less: ops.lt,
    np.less_equal: ops.le,
    np.greater: ops.gt,
    np.greater_equal: ops.ge,
    np.logical_and: ops.logical_and,
    np.logical_or: ops.logical_or,
    np.logical_xor: ops.logical_xor,
    np.logical_not: ops.logical_not,
    np.bitwise_and: ops.bitwise_and,
    np.bitwise_or: ops.bitwise_or,
    np.bitwise_xor: ops.bitwise_xor,
    np.invert: ops.bitwise_not,
    np.isnan: ops.isnan,
    np.isinf: ops.isinf,
    np.isfinite: ops.isfinite,
}

REDUCTIONS: dict[np.ufunc, Function] = {
    np.add: _sum,
    np.multiply: _prod,
    np.maximum: _max,
    np.minimum: _min,
    np.logical_and: _all,
    np.logical_or: _any,
}

ACCUMULATIONS: dict[np.ufunc, Function] = {
    np.add: _cumsum,
    np.multiply: _cumprod,
}

FUNCTIONS: dict[Function, Function] = {
    np.sum: _sum,
    np.prod: _prod,
    np.mean: _mean,
    np.var: _var,
    np.std: _std,
    np.max: _max,
    np.amax: _max,
    np.min: _min,
    np.amin: _min,
    np.argmax: _argmax,
    np.argmin: _argmin,
    np.all: _all,
    np.any: _any,
    np.count_nonzero: _count_nonzero,
    np.cumsum: _cumsum,
    np.cumprod: _cumprod,
    np.cumulative_sum: _cumulative_sum,
    np.cumulative_prod: _cumulative_prod,
    np.linalg.norm: _norm,
    np.linalg.vector_norm: _vector_norm,
    np.linalg.matrix_norm: _matrix_norm,
    np.clip: _clip,
    np.where: _where,
    np.nonzero: _nonzero,
    np.argwhere: _argwhere,
    np.flatnonzero: _flatnonzero,
    np.nan_to_num: _nan_to_num,
    np.round: _round,
    np.around: _round,
    np.isclose: _isclose,
    np.sort: _sort,
    np.argsort: _argsort,
    np.reshape: _reshape,
    np.ravel: _ravel,
    np.transpose: _transpose,
    np.matrix_transpose: _matrix_transpose,
    np.linalg.matrix_transpose: _matrix_transpose,
    np.swapaxes: _swapaxes,
    np.moveaxis: _moveaxis,
    np.squeeze: _squeeze,
    np.expand_dims: _expand_dims,
    np.broadcast_to: _broadcast_to,
    np.broadcast_arrays: _broadcast_arrays,
    np.atleast_1d: _atleast_1d,
    np.atleast_2d: _atleast_2d,
    np.flip: _flip,
    np.fliplr: ops.fliplr,
    np.flipud: ops.flipud,
    np.rot90: _rot90,
    np.roll: _roll,
    np.tile: _tile,
    np.repeat: _repeat,
    np.diagonal: _diagonal,
    np.trace: _trace,
    np.linalg.diagonal: _matrix_diagonal,
    np.linalg.trace: _matrix_trace,
    np.diag: _diag,
    np.diagflat: _diagflat,
    np.tril: _tril,
    np.triu: _triu,
    np.take: _take,
    np.take_along_axis: _take_along_axis,
    np.pad: _pad,
    np.copy: _copy,
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.hstack: _hstack,
    np.vstack: _vstack,
    np.dstack: _dstack,
    np.split: _split,
    np.array_split: _array_split,
    np.unstack: _unstack,
    np.meshgrid: _meshgrid,
    np.dot: _dot,
    np.vdot: _vdot,
    np.inner: _inner,
    np.outer: _outer,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.linalg.matmul: ops.matmul,
    np.linalg.outer: ops.outer,
    np.linalg.tensordot: _tensordot,
    np.zeros_like: _zeros_like,
    np.ones_like: _ones_like,
    np.empty_like: _empty_like,
    np.full_like: _full_like,
    np.copyto: _copyto,
    np.astype: _astype,
    np.result_type: _result_type,
}

QUESTIONS: frozenset[Function] = frozenset(
    {
        np.shape,
        np.ndim,
        np.size,
        np.allclose,
        np.array_equal,
        np.array_equiv,
        np.shares_memory,
        np.may_share_memory,
        np.iscomplexobj,
        np.isrealobj,
        np.array_repr,
        np.array_str,
        np.array2string,
    }
)

ON_ARRAYS: frozenset[Function] = frozenset(
    {
        np.save,
        np.savez,
        np.savez_compressed,
        np.savetxt,
        np.histogram,
        np.histogram2d,
        np.histogram_bin_edges,
        np.bincount,
        np.digitize,
        np.searchsorted,
    }
)

INSTEAD: dict[Function, str] = {
    np.hypot: "use np.sqrt(a * a + b * b)",
    np.cbrt: "use np.sign(t) * np.abs(t) ** (1 / 3)",
    np.fabs: "use np.abs(t)",
    np.float_power: "use a ** b",
    np.fmax: "use np.maximum(a, b), in which NaN wins",
    np.fmin: "use np.minimum(a, b), in which NaN wins",
    np.divmod: "use np.floor_divide(a, b) and np.remainder(a, b)",
    np.logaddexp: "use minigrad.logaddexp(a, b)",
    np.append: "use np.concatenate([a, b], axis=None)",
    np.average: "use np.mean(t), or np.sum(weights * t) / np.sum(weights)",
    np.median: "use minigrad.median(t), which gives the smaller of two middle elements",
    np.ptp: "use np.max(t) - np.min(t)",
    np.diff: "use minigrad.diff(t)",
    np.nansum: "use np.sum(np.where(np.isnan(t), 0, t))",
    np.nanmean: "use np.mean(t[~np.isnan(t)])",
    np.nanmax: "use np.max(t[~np.isnan(t)])",
    np.nanmin: "use np.min(t[~np.isnan(t)])",
    np.deg2rad: "use t * (np.pi / 180)",
    np.radians: "use t * (np.pi / 180)",
    np.rad2deg: "use t * (180 / np.pi)",
    np.degrees: "use t * (180 / np.pi)",
    np.vecdot: "use np.sum(a * b, axis=-1)",
    np.kron: "use np.einsum('ij,kl->ikjl', a, b).reshape(rows, columns)",
    np.block: "use np.concatenate of the rows, each np.concatenate(row, axis=-1)",
    np.select: "use np.where(condition, a, b), one in the other",
    np.piecewise: "use np.where(condition, a, b), one in the other",
    np.real: "a Tensor is real: use t itself",
    np.insert: "use np.concatenate([t[:i], values, t[i:]])",
    np.delete: "use t[keep], keep being the indices or a mask of what stays",
    np.unique: "use minigrad.unique(t)",
    np.put_along_axis: "use t.scatter(dim, index, src)",
    np.hsplit: "use np.split(t, sections, axis=1), or axis=0 for one dimension",
    np.vsplit: "use np.split(t, sections, axis=0)",
    np.column_stack: "use np.stack(vectors, axis=1), or np.concatenate(matrices, axis=1)",
    np.rollaxis: "use np.moveaxis(t, source, destination)",
    np.extract: "use t[condition]",
    np.compress: "use t[condition]",
    np.linspace: "use minigrad.linspace(start, end, steps)",
}
