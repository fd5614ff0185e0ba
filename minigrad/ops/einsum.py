"""Sums of products named by letters: einsum and tensordot.

Both come down to one function, which multiplies its operands pair by pair, from left to right. Each pair is a batched
product of matrices once its dimensions are sorted into four groups: those of both that stay (the batch), of the first
only (rows), of both that are summed over, and of the second only (columns). It is composed of permute, reshape, matmul
and sum, whose derivatives are then its own, to any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

from ..autograd import unwrap
from .common import Operand, is_bool, must_be_arrays, must_share_dtype, normalize_dims, promote
from .diagonal import diagonal
from .elementwise import mul
from .linalg import matmul
from .reduce import sum
from .shape import permute, reshape

Label = Any  # names a dimension: a letter, or in place of an ellipsis the (negative) place of the dimension in it
LETTERS = "".join(sorted(ascii_letters))  # capitals come first, as in the order of an implicit output


def einsum(*args: Any) -> Operand:
    """A sum of products in Einstein's notation: einsum(equation, *operands).

    The equation names the dimensions of every operand by letters, "ij,jk->ik". Elements that share a letter are
    multiplied, and letters that are not in the output are summed over: this one is the product of two matrices. A
    letter that an operand has twice takes its diagonal. Without "->", the output has the letters that occur once, in
    alphabetical order, capitals first. "..." stands for any further dimensions; those of the operands broadcast, and
    come first where the output does not place them. Sizes of 1 broadcast. Spaces mean nothing.

    The operands may come as one list, and each of them may instead be followed by a list of its dimensions, as ints
    from 0 to 51 and ...: einsum(a, [0, 1], b, [1, 2], [0, 2]).

    RuntimeError for an equation that cannot be read or does not fit the operands, and for operands of different
    dtypes where a product is summed over; ValueError without operands.

    >>> import minigrad
    >>> a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> minigrad.einsum("ij,kj->ik", a, a)    # a times its transpose
    tensor([[ 5., 11.],
            [11., 25.]])
    >>> minigrad.einsum("ii", a), minigrad.einsum("...j->...", a)    # its trace, and the sums of its rows
    (tensor(5.), tensor([3., 7.]))
    """
    terms, wanted, operands = _read_call(args)
    for x in operands:
        must_be_arrays("einsum", x)
    names = [_name_dimensions(i, term, x) for i, (term, x) in enumerate(zip(terms, operands, strict=True))]
    rest = -min((label for dims in names for label in dims if isinstance(label, int)), default=0)
    return _sum_of_products("einsum", operands, names, _name_output(wanted, names, rest))


def tensordot(a: Operand, b: Operand, dims: Any = 2) -> Operand:
    """The sum of the products of a and b over pairs of dimensions; the other dimensions of a come first, then b's.

    dims : how many, the last of a with the first of b; or two lists, those of a and, in their order, those of b

    A size of 1 broadcasts. RuntimeError if the sizes or the dtypes differ.

    >>> import minigrad
    >>> a, b = minigrad.ones(3, 4, 5), minigrad.ones(4, 3, 2)
    >>> minigrad.tensordot(a, b, dims=([1, 0], [0, 1])).shape
    (5, 2)
    """
    op = "tensordot"
    must_be_arrays(op, a, b)
    must_share_dtype(op, a, b)
    if is_bool(a):
        raise RuntimeError(f"{op}: bools have no products to sum; use x.float(), or x.long() to count")
    of_a, of_b = _pairs(op, a, b, dims)
    names_a, names_b = list(range(a.ndim)), list(range(a.ndim, a.ndim + b.ndim))
    for i, j in zip(of_a, of_b, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise RuntimeError(
                f"{op}: size {a.shape[i]} of dim {i} of the first, of shape {tuple(a.shape)}, and size {b.shape[j]} of "
                f"dim {j} of the second, {tuple(b.shape)}, must be equal to be summed over"
            )
        names_b[j] = names_a[i]
    kept = [n for i, n in enumerate(names_a) if i not in of_a] + [n for j, n in enumerate(names_b) if j not in of_b]
    return _sum_of_products(op, [a, b], [names_a, names_b], kept)


def _pairs(op: str, a: Operand, b: Operand, dims: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions of a and of b that tensordot sums over."""
    if hasattr(dims, "tolist"):
        dims = unwrap(dims).tolist()
    if isinstance(dims, int) and not isinstance(dims, bool):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise RuntimeError(
                f"{op}: dims must be from 0 to {min(a.ndim, b.ndim)} for shapes {tuple(a.shape)} and {tuple(b.shape)}, "
                f"got {dims}"
            )
        return tuple(range(a.ndim - dims, a.ndim)), tuple(range(dims))
    if not isinstance(dims, (tuple, list)) or len(dims) != 2 or not all(isinstance(d, (tuple, list)) for d in dims):
        raise TypeError(f"{op}: dims must be an int, or two lists of ints, got {dims!r}")
    of_a, of_b = (normalize_dims(op, d, x.ndim) if d else () for d, x in zip(dims, (a, b), strict=True))
    if len(of_a) != len(of_b):
        raise RuntimeError(f"{op}: both lists of dims must be equally long, got {dims!r}")
    return of_a, of_b


# ------------------------------------------------------------------------------------ reading an equation


def _read_call(args: tuple) -> tuple[list[list[Label]], list[Label] | None, list[Operand]]:
    """The labels of each operand, those of the output (None: implicit), and the operands, of either form of call."""
    if args and isinstance(args[0], str):
        operands = list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        inputs, arrow, output = args[0].partition("->")
        terms = [_read_term(term, f"operand {i}") for i, term in enumerate(inputs.split(","))]
        wanted = _read_term(output, "the output") if arrow else None
    else:
        operands = list(args[0::2])
        terms = [_read_sublist(labels) for labels in args[1::2]]
        wanted = _read_sublist(operands.pop()) if len(operands) > len(terms) > 0 else None
    if not operands or not terms:
        raise ValueError(
            "einsum: needs an equation and at least one operand, or operands that are each followed by a list of dims"
        )
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum: the equation names {len(terms)} operands, but {len(operands)} were given")
    return terms, wanted, operands


def _read_term(text: str, owner: str) -> list[Label]:
    """The letters and the ellipsis of one term: "i...j" is ["i", ..., "j"]."""
    before, dots, after = text.partition("...")
    parts: list[Label] = [*before.replace(" ", ""), *([...] if dots else ()), *after.replace(" ", "")]
    for part in parts:
        if part is not ... and part not in LETTERS:
            raise RuntimeError(
                f'einsum: an equation is made of letters, "...", "," and one "->", got {part!r} for {owner} in {text!r}'
            )
    return parts


def _read_sublist(labels: Any) -> list[Label]:
    """The letters that stand for the ints of a sublist; ... stays."""
    if not isinstance(labels, (list, tuple)) or not all(n is ... or isinstance(n, int) for n in labels):
        raise TypeError(f"einsum: an operand must be followed by a list of ints and ..., got {labels!r}")
    if not all(n is ... or 0 <= n < len(LETTERS) for n in labels):
        raise ValueError(f"einsum: the ints of a list of dims must be from 0 to {len(LETTERS) - 1}, got {labels!r}")
    if labels.count(...) > 1:
        raise RuntimeError(f"einsum: a list of dims can have one ..., got {labels!r}")
    return [n if n is ... else LETTERS[n] for n in labels]


def _name_dimensions(i: int, term: Sequence[Label], x: Operand) -> list[Label]:
    """A label for each dimension of operand i, those of its ellipsis being numbered from the back: -1, -2, ..."""
    rest = x.ndim - len(term) + term.count(...)
    if rest < 0 or (rest > 0 and ... not in term):
        raise RuntimeError(
            f"einsum: operand {i} has shape {tuple(x.shape)}, but the equation names {len(term) - term.count(...)} "
            f"dimensions{' and an ellipsis' if ... in term else '; for further ones write ...'}"
        )
    return [label for part in term for label in (range(-rest, 0) if part is ... else (part,))]


def _name_output(wanted: Sequence[Label] | None, names: Sequence[Sequence[Label]], rest: int) -> list[Label]:
    """The labels of the output, whose ellipsis has `rest` dimensions."""
    used = [label for dims in names for label in dims]
    if wanted is None:
        wanted = [..., *sorted(n for n in set(used) if isinstance(n, str) and used.count(n) == 1)]
    for label in wanted:
        if label is not ... and label not in used:
            raise RuntimeError(f"einsum: {label!r} of the output is in no operand")
        if wanted.count(label) > 1:
            raise RuntimeError(f"einsum: {'...' if label is ... else repr(label)} appears more than once in the output")
    return [label for part in wanted for label in (range(-rest, 0) if part is ... else (part,))]


# --------------------------------------------------------------------------------------------- computing


def _sum_of_products(
    op: str, operands: Sequence[Operand], names: Sequence[Sequence[Label]], output: Sequence[Label]
) -> Operand:
    """The product of the operands, whose dimensions have names, summed over every name that is not in the output."""
    terms = [_take_diagonals(op, i, x, list(dims)) for i, (x, dims) in enumerate(zip(operands, names, strict=True))]
    terms = _drop_ones(op, terms)
    one_dtype = len({x.dtype for x, _ in terms}) == 1
    x, dims = terms[0]
    for k, (y, others) in enumerate(terms[1:], start=2):
        needed = {*output, *(n for _, later in terms[k:] for n in later)}
        x, dims = _sum_all_but(x, dims, needed.union(others))
        y, others = _sum_all_but(y, others, needed.union(dims))
        x, dims = _multiply(op, x, dims, y, others, needed, one_dtype)
    x, dims = _sum_all_but(x, dims, set(output))
    return permute(x, [dims.index(n) for n in output])


def _take_diagonals(op: str, i: int, x: Operand, dims: list[Label]) -> tuple[Operand, list[Label]]:
    """Operand i with each label once."""
    for label in dict.fromkeys(dims):
        while dims.count(label) > 1:
            first = dims.index(label)
            second = dims.index(label, first + 1)
            if x.shape[first] != x.shape[second]:
                raise RuntimeError(
                    f"{op}: operand {i} has {label!r} twice, so it needs a diagonal there, but its sizes "
                    f"{x.shape[first]} and {x.shape[second]} differ"
                )
            x = diagonal(x, 0, first, second)  # which comes last
            dims = [n for d, n in enumerate(dims) if d not in (first, second)] + [label]
    return x, dims


def _drop_ones(op: str, terms: list[tuple[Operand, list[Label]]]) -> list[tuple[Operand, list[Label]]]:
    """The operands without their dimensions of size one that would be broadcast: another one has the true size."""
    size: dict[Label, int] = {}
    for i, (x, dims) in enumerate(terms):
        for label, n in zip(dims, x.shape, strict=True):
            if n != 1 and size.setdefault(label, n) != n:
                what = f"dim {label} of the ellipsis" if isinstance(label, int) else repr(label)
                raise RuntimeError(
                    f"{op}: {what} has size {n} in operand {i}, but {size[label]} before; sizes must be equal, or one "
                    "of them 1"
                )
    dropped = []
    for x, dims in terms:
        kept = [d for d, label in enumerate(dims) if x.shape[d] == size.get(label, 1)]
        if len(kept) < len(dims):
            x, dims = reshape(x, *(x.shape[d] for d in kept)), [dims[d] for d in kept]
        dropped.append((x, dims))
    return dropped


def _sum_all_but(x: Operand, dims: list[Label], needed: set[Label]) -> tuple[Operand, list[Label]]:
    """x summed over the labels that are not needed any more."""
    over = tuple(d for d, label in enumerate(dims) if label not in needed)
    return (sum(x, over), [label for label in dims if label in needed]) if over else (x, dims)


def _multiply(
    op: str, x: Operand, of_x: list[Label], y: Operand, of_y: list[Label], needed: set[Label], one_dtype: bool
) -> tuple[Operand, list[Label]]:
    """The product of two operands, summed over the labels that both have and nobody needs any more."""
    batch = [n for n in of_x if n in of_y and n in needed]
    summed = [n for n in of_x if n in of_y and n not in needed]
    rows, columns = [n for n in of_x if n not in of_y], [n for n in of_y if n not in of_x]
    x, y = (
        permute(x, [of_x.index(n) for n in batch + rows + summed]),
        permute(y, [of_y.index(n) for n in batch + summed + columns]),
    )
    many, one, other = x.shape[: len(batch)], x.shape[len(batch) :][: len(rows)], y.shape[len(batch) + len(summed) :]
    if not summed:
        return mul(reshape(x, *many, *one, *(1,) * len(other)), reshape(y, *many, *(1,) * len(one), *other)), (
            batch + rows + columns
        )
    if one_dtype:  # they may differ all the same: the sum of an int32 operand is of int64
        x, y = promote(op, x, y)
    must_share_dtype(op, x, y)
    length = math.prod(x.shape[len(batch) + len(rows) :])
    product = matmul(reshape(x, *many, math.prod(one), length), reshape(y, *many, length, math.prod(other)))
    return reshape(product, *many, *one, *other), batch + rows + columns
