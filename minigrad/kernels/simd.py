"""Vectors and tiles: how a kernel in Python says which vector instructions it wants.

A vector is `LANES` numbers of one dtype, as many float32 as a register of this processor holds; a tile is a block of
vectors, `rows` by `vectors`, that stays in registers. An operation on a tile is emitted unrolled, so that the inner
loop of a kernel is the same few lines for every processor and every tile:

    t = tile_zero(a, ROWS, VECTORS)
    for k in range(K):
        t = tile_outer(t, a, i + k * a_step, a_row, b, j + k * b_step)
    tile_store(t, y, at, y_row)

Arrays are C-contiguous and addressed as if they were flat: element `at` is `array.reshape(-1)[at]`. In compiled code
nothing is checked, and alignment does not matter. Float64 works as well, on more registers for the same `LANES`.

Every function here is its own definition, in NumPy: that is what runs where the compiler is switched off
(NUMBA_DISABLE_JIT=1), with bounds checked, and what the tests hold the emitted instructions against. What a compiled
kernel gets in its place is the function below it, decorated with `emits`, which says what type the result has and
which instructions make it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.core.registry import cpu_target
from numba.extending import lower_builtin, models, register_model, type_callable
from numba.np.arrayobj import populate_array

__all__ = [
    "LANES",
    "REGISTERS",
    "add",
    "broadcast",
    "div",
    "flat",
    "fma",
    "less",
    "load",
    "load_broadcast",
    "load_first",
    "maximum",
    "mul",
    "out_of_line",
    "prefetch",
    "select",
    "store",
    "store_first",
    "sub",
    "tile_add_totals",
    "tile_broadcast",
    "tile_inner",
    "tile_inner_at",
    "tile_inner_first",
    "tile_load",
    "tile_load_first",
    "tile_outer",
    "tile_outer_first",
    "tile_store",
    "tile_store_first",
    "tile_store_totals",
    "tile_transpose",
    "tile_zero",
    "total",
    "zero",
]

Array = np.ndarray
Tile = tuple[tuple[Array, ...], ...]  # rows of vectors
Type = Any  # one of Numba's types

INT32 = ir.IntType(32)


def _registers() -> tuple[int, int]:
    """How many float32 a vector register holds, and how many such registers there are.

    LLVM is asked, and not the processor: it counts for what Numba compiles (see NUMBA_CPU_NAME).
    """
    binding.initialize_native_asmprinter()
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    vector = ir.VectorType(ir.FloatType(), 16)
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(vector, [vector, vector]), "add")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(builder.fadd(*function.args))
    machine = binding.Target.from_triple(triple).create_target_machine(cpu, features)
    assembly = machine.emit_assembly(binding.parse_assembly(str(module)))
    if "zmm" in assembly:
        return 16, 32  # AVX-512
    if "ymm" in assembly:
        return 8, 16  # AVX, AVX2
    return 4, 16 if "xmm" in assembly else 32  # SSE, or NEON and the like


LANES, REGISTERS = _registers()


class Vector(types.Type):
    """LANES numbers of one dtype."""

    def __init__(self, dtype: Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"vector({dtype}, {LANES})")


class Mask(types.Type):
    """LANES truth values."""

    def __init__(self) -> None:
        super().__init__(name=f"mask({LANES})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, _vector(vector.dtype))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, mask: Mask) -> None:
        super().__init__(manager, mask, ir.VectorType(ir.IntType(1), LANES))


def _vector(dtype: Type, lanes: int = LANES) -> ir.VectorType:
    """LLVM's type for a vector."""
    return ir.VectorType(ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType(), lanes)


def _tile(dtype: Type, rows: int, vectors: int) -> Type:
    """Numba's type for a tile: its shape is part of the type."""
    return types.UniTuple(types.UniTuple(Vector(dtype), vectors), rows)


def _is_array(*kinds: Type) -> bool:
    """Are these the types of C-contiguous arrays of float32 or float64?"""
    return all(isinstance(t, types.Array) and t.layout == "C" and isinstance(t.dtype, types.Float) for t in kinds)


Emit = Callable[..., Any]  # (context, builder, signature, LLVM values) -> LLVM value


def emits(definition: Callable) -> Callable[[Callable], Callable]:
    """Decorate what compiled code is given for `definition`: types of arguments -> (signature, emit).

    The types are Numba's; None says that they do not fit.
    """

    def decorate(typed: Callable) -> Callable:
        def typer(*args: Type) -> Any:
            found = typed(*args)
            return found[0] if found else None

        typer.__signature__ = inspect.signature(typed)  # type: ignore[attr-defined]
        type_callable(definition)(lambda context: typer)

        @lower_builtin(definition, types.VarArg(types.Any))
        def lower(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
            return typed(*signature.args)[1](context, builder, signature, args)

        return typed

    return decorate


# ----------------------------------------------------------------------------------------- instructions
#
# What the emitting functions below are made of: LLVM values in, LLVM values out.


def _address(context: Any, builder: Any, array: Type, value: Any, at: Any) -> Any:
    """A pointer to one element. No test for negative indices, which costs half the speed of a tight loop."""
    data = context.data_model_manager[array].get_field_position("data")
    return builder.gep(builder.extract_value(value, data), [at])


def _offset(builder: Any, at: Any, step: Any, times: int) -> Any:
    """at + times * step"""
    return builder.add(at, builder.mul(step, ir.Constant(at.type, times)))


def _load(builder: Any, dtype: Type, address: Any) -> Any:
    """The vector at an address, which need not be aligned."""
    loaded = builder.load(builder.bitcast(address, _vector(dtype).as_pointer()))
    loaded.align = dtype.bitwidth // 8
    return loaded


def _store(builder: Any, dtype: Type, vector: Any, address: Any) -> None:
    """Write a vector to an address, which need not be aligned."""
    builder.store(vector, builder.bitcast(address, _vector(dtype).as_pointer())).align = dtype.bitwidth // 8


def _splat(builder: Any, x: Any, lanes: int = LANES) -> Any:
    """A number, or an address as an integer, in every lane."""
    empty = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
    one = builder.insert_element(empty, x, INT32(0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes))


def _first(builder: Any, n: Any) -> Any:
    """The mask of the first n lanes."""
    lanes = ir.Constant(ir.VectorType(n.type, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, _splat(builder, n))


def _masked_load(builder: Any, dtype: Type, address: Any, mask: Any) -> Any:
    """The vector at an address where the mask holds, zero elsewhere; memory is read only where it holds."""
    kind, pointer = _vector(dtype), builder.bitcast(address, _vector(dtype).as_pointer())
    function = ir.FunctionType(kind, [pointer.type, INT32, mask.type, kind])
    name = f"llvm.masked.load.v{LANES}f{dtype.bitwidth}.p0"
    load = cgutils.get_or_insert_function(builder.module, function, name)
    return builder.call(load, [pointer, INT32(dtype.bitwidth // 8), mask, ir.Constant(kind, None)])


def _masked_store(builder: Any, dtype: Type, vector: Any, address: Any, mask: Any) -> None:
    """Write those lanes of a vector where the mask holds."""
    pointer = builder.bitcast(address, vector.type.as_pointer())
    function = ir.FunctionType(ir.VoidType(), [vector.type, pointer.type, INT32, mask.type])
    name = f"llvm.masked.store.v{LANES}f{dtype.bitwidth}.p0"
    store = cgutils.get_or_insert_function(builder.module, function, name)
    builder.call(store, [vector, pointer, INT32(dtype.bitwidth // 8), mask])


def _fma(builder: Any, dtype: Type, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once on a processor that can, else twice: emulating it would take a library call a lane."""
    kind = _vector(dtype)
    function = ir.FunctionType(kind, [kind] * 3)
    fused = cgutils.get_or_insert_function(builder.module, function, f"llvm.fmuladd.v{LANES}f{dtype.bitwidth}")
    return builder.call(fused, [a, b, c])


def _totals(builder: Any, vectors: list) -> Any:
    """The horizontal sums of at most LANES vectors, one after the other in the lanes of one vector.

    Neighbours are added pair by pair, and two vectors of pairs make one, as often as it takes.
    """
    even, odd = (ir.Constant(ir.VectorType(INT32, LANES), list(range(i, 2 * LANES, 2))) for i in (0, 1))
    lanes = LANES
    while lanes > 1:
        pairs = [(v, vectors[i + 1] if i + 1 < len(vectors) else v) for i, v in enumerate(vectors) if i % 2 == 0]
        vectors = [builder.fadd(builder.shuffle_vector(*p, even), builder.shuffle_vector(*p, odd)) for p in pairs]
        lanes //= 2
    return vectors[0]


def _rows(builder: Any, tile: Type, value: Any) -> list[list]:
    """The vectors of a tile."""
    rows, vectors = tile.count, tile.dtype.count
    return [[builder.extract_value(value, [r, v]) for v in range(vectors)] for r in range(rows)]


def _tile_value(context: Any, builder: Any, tile: Type, rows: list[list]) -> Any:
    """A tile of these vectors."""
    made = [context.make_tuple(builder, tile.dtype, row) for row in rows]
    return context.make_tuple(builder, tile, made)


def out_of_line() -> None:
    """The function that says this is called where it is used, and not copied there: it costs its compilation once."""


@emits(out_of_line)
def _() -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


# ---------------------------------------------------------------------------------------------- vectors


def _part(a: Array, at: int, n: int = LANES) -> Array:
    """The n elements of an array from `at` on, as a view; IndexError if there are none."""
    flat = a.reshape(-1)
    if not 0 <= at <= flat.size - n:
        raise IndexError(f"simd: elements {at} to {at + n} of an array of {flat.size}")
    return flat[at : at + n]


def zero(a: Array) -> Array:
    """A vector of zeros, of the dtype of an array."""
    return np.zeros(LANES, a.dtype)


@emits(zero)
def _(a: Type) -> Any:
    return _is_array(a) and (
        Vector(a.dtype)(a),
        lambda context, builder, signature, args: ir.Constant(_vector(a.dtype), None),
    )


def broadcast(x: np.floating) -> Array:
    """A number in every lane."""
    return np.full(LANES, x)


@emits(broadcast)
def _(x: Type) -> Any:
    return isinstance(x, types.Float) and (
        Vector(x)(x),
        lambda context, builder, signature, args: _splat(builder, args[0]),
    )


def load(a: Array, at: int) -> Array:
    """The vector a[at : at + LANES]."""
    return _part(a, at).copy()


@emits(load)
def _(a: Type, at: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return _load(builder, a.dtype, _address(context, builder, a, *args))

    return _is_array(a) and (Vector(a.dtype)(a, types.intp), emit)


def load_broadcast(a: Array, at: int) -> Array:
    """The number a[at] in every lane."""
    return np.full(LANES, _part(a, at, 1)[0])


@emits(load_broadcast)
def _(a: Type, at: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return _splat(builder, builder.load(_address(context, builder, a, *args)))

    return _is_array(a) and (Vector(a.dtype)(a, types.intp), emit)


def load_first(a: Array, at: int, n: int) -> Array:
    """As `load`, but of the first n lanes only, and zero in the others: memory beyond is not touched."""
    vector, n = np.zeros(LANES, a.dtype), min(n, LANES)
    if n > 0:  # else nothing is touched, wherever `at` is
        vector[:n] = _part(a, at, n)
    return vector


@emits(load_first)
def _(a: Type, at: Type, n: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        address = _address(context, builder, a, *args[:2])
        return _masked_load(builder, a.dtype, address, _first(builder, args[2]))

    return _is_array(a) and (Vector(a.dtype)(a, types.intp, types.intp), emit)


def flat(a: Array) -> Array:
    """An array as a 1-D one, without a copy: what is compiled for those serves arrays of any number of dimensions."""
    return a.reshape(-1)


@emits(flat)
def _(a: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        old, new = context.make_array(a)(context, builder, args[0]), context.make_array(kind)(context, builder)
        sizes = {"shape": [old.nitems], "strides": [old.itemsize], "itemsize": old.itemsize}
        populate_array(new, data=old.data, **sizes, meminfo=old.meminfo, parent=old.parent)
        return impl_ret_borrowed(context, builder, kind, new._getvalue())

    kind = isinstance(a, types.Array) and types.Array(a.dtype, 1, "C", not a.mutable, aligned=a.aligned)
    return kind and a.layout == "C" and (kind(a), emit)


def prefetch(a: Array, at: int) -> None:
    """The hint that a[at] will be needed before long; there need not be such an element."""


@emits(prefetch)
def _(a: Type, at: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        address = builder.bitcast(_address(context, builder, a, *args), ir.IntType(8).as_pointer())
        function = ir.FunctionType(ir.VoidType(), [address.type, INT32, INT32, INT32])
        hint = cgutils.get_or_insert_function(builder.module, function, "llvm.prefetch.p0")
        builder.call(hint, [address, INT32(0), INT32(2), INT32(1)])  # for reading, to the second cache, data
        return context.get_dummy_value()

    return isinstance(a, types.Array) and a.layout == "C" and (types.void(a, types.intp), emit)


def store(a: Array, at: int, v: Array) -> None:
    """a[at : at + LANES] = v"""
    _part(a, at)[:] = v


@emits(store)
def _(a: Type, at: Type, v: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        _store(builder, a.dtype, args[2], _address(context, builder, a, *args[:2]))
        return context.get_dummy_value()

    return _is_array(a) and v == Vector(a.dtype) and (types.void(a, types.intp, v), emit)


def store_first(a: Array, at: int, v: Array, n: int) -> None:
    """As `store`, but of the first n lanes only."""
    n = min(n, LANES)
    if n > 0:
        _part(a, at, n)[:] = v[:n]


@emits(store_first)
def _(a: Type, at: Type, v: Type, n: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        address = _address(context, builder, a, *args[:2])
        _masked_store(builder, a.dtype, args[2], address, _first(builder, args[3]))
        return context.get_dummy_value()

    return _is_array(a) and v == Vector(a.dtype) and (types.void(a, types.intp, v, types.intp), emit)


def add(a: Array, b: Array) -> Array:
    """a + b"""
    return a + b


def sub(a: Array, b: Array) -> Array:
    """a - b"""
    return a - b


def mul(a: Array, b: Array) -> Array:
    """a * b"""
    return a * b


def div(a: Array, b: Array) -> Array:
    """a / b"""
    return a / b


def _emits_arithmetic(definition: Callable, instruction: str) -> None:
    """Let compiled code have one instruction of LLVM for the definition."""

    @emits(definition)
    def _(a: Type, b: Type) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
            return getattr(builder, instruction)(*args)

        return isinstance(a, Vector) and a == b and (a(a, b), emit)


for _definition, _instruction in ((add, "fadd"), (sub, "fsub"), (mul, "fmul"), (div, "fdiv")):
    _emits_arithmetic(_definition, _instruction)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c, rounded once where the processor can do so."""
    return a * b + c


@emits(fma)
def _(a: Type, b: Type, c: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return _fma(builder, a.dtype, *args)

    return isinstance(a, Vector) and a == b == c and (a(a, b, c), emit)


def maximum(a: Array, b: Array) -> Array:
    """The greater number in each lane; NaN where either is NaN, as in PyTorch."""
    return np.maximum(a, b)


@emits(maximum)
def _(a: Type, b: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        x, y = args
        keep = builder.fcmp_unordered(">", x, y)  # also where either is NaN: x + y is NaN then
        keep_y = builder.fcmp_unordered("uno", y, y)
        return builder.select(keep_y, y, builder.select(keep, x, y))

    return isinstance(a, Vector) and a == b and (a(a, b), emit)


def less(a: Array, b: Array) -> Array:
    """The mask of the lanes where a < b; a comparison with NaN is false."""
    return a < b


@emits(less)
def _(a: Type, b: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return builder.fcmp_ordered("<", *args)

    return isinstance(a, Vector) and a == b and (Mask()(a, b), emit)


def select(mask: Array, a: Array, b: Array) -> Array:
    """a where the mask holds, b elsewhere."""
    return np.where(mask, a, b)


@emits(select)
def _(mask: Type, a: Type, b: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return builder.select(*args)

    return isinstance(mask, Mask) and isinstance(a, Vector) and a == b and (a(mask, a, b), emit)


def total(v: Array) -> np.floating:
    """The sum of all lanes: neighbours are added pair by pair, then the pairs, and so on."""
    while v.size > 1:
        v = v[::2] + v[1::2]
    return v[0]


@emits(total)
def _(v: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return builder.extract_element(_totals(builder, list(args)), INT32(0))

    return isinstance(v, Vector) and (v.dtype(v), emit)


# ------------------------------------------------------------------------------------------------ tiles
#
# t[r][v] is the vector v of row r. Results are new tiles; the compiler keeps them in the same registers. `n`, where a
# function takes one, is how many columns of the tile (or lanes of each vector) there are: memory beyond them is not
# touched.


def tile_zero(a: Array, rows: int, vectors: int) -> Tile:
    """A tile of zeros, of the dtype of an array. In compiled code `rows` and `vectors` must be constants."""
    return tuple(tuple(zero(a) for _ in range(vectors)) for _ in range(rows))


@emits(tile_zero)
def _(a: Type, rows: Type, vectors: Type) -> Any:
    if not (_is_array(a) and isinstance(rows, types.IntegerLiteral) and isinstance(vectors, types.IntegerLiteral)):
        return None
    tile = _tile(a.dtype, rows.literal_value, vectors.literal_value)

    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(a, rows, vectors), emit


def tile_load(t: Tile, a: Array, at: int, row: int) -> Tile:
    """A tile of the shape of t, its row r from a[at + r * row] on. With row 0 all rows are the same."""
    return tuple(tuple(load(a, at + r * row + v * LANES) for v in range(len(t[r]))) for r in range(len(t)))


@emits(tile_load)
def _(t: Type, a: Type, at: Type, row: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        _, array, at, row = args
        rows = []
        for r in range(t.count):
            here = _address(context, builder, a, array, _offset(builder, at, row, r))
            rows.append([_load(builder, a.dtype, _ahead(builder, here, v)) for v in range(t.dtype.count)])
        return _tile_value(context, builder, t, rows)

    return _is_tile(t, a) and (t(t, a, types.intp, types.intp), emit)


def tile_load_first(t: Tile, a: Array, at: int, row: int, n: int) -> Tile:
    """As `tile_load`, but of the first n columns only, and zero in the others: memory beyond is not touched."""
    return tuple(
        tuple(load_first(a, at + r * row + v * LANES, n - v * LANES) for v in range(len(t[r]))) for r in range(len(t))
    )


@emits(tile_load_first)
def _(t: Type, a: Type, at: Type, row: Type, n: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        _, array, at, row, *n = args
        masks, rows = _masks(builder, n, t.dtype.count, step=LANES), []
        for r in range(t.count):
            here = _address(context, builder, a, array, _offset(builder, at, row, r))
            rows.append(
                [_masked_load(builder, a.dtype, _ahead(builder, here, v), mask) for v, mask in enumerate(masks)]
            )
        return _tile_value(context, builder, t, rows)

    return _is_tile(t, a) and (t(t, a, types.intp, types.intp, types.intp), emit)


def tile_transpose(t: Tile) -> Tile:
    """The transpose of a tile of LANES rows of one vector."""
    return tuple((column,) for column in np.stack([row[0] for row in t], axis=1))


@emits(tile_transpose)
def _(t: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        vectors, lanes = [row[0] for row in _rows(builder, t, args[0])], range(LANES)
        step = LANES // 2
        while step:  # blocks of step x step numbers above and below the diagonal change places
            low, high = (
                ir.Constant(
                    ir.VectorType(INT32, LANES), [i + d if i & step == 0 else i + LANES - step + d for i in lanes]
                )
                for d in (0, step)
            )
            for i in lanes:
                if i & step == 0:
                    pair = vectors[i], vectors[i + step]
                    vectors[i], vectors[i + step] = (builder.shuffle_vector(*pair, mask) for mask in (low, high))
            step //= 2
        return _tile_value(context, builder, t, [[vector] for vector in vectors])

    return _is_tile(t) and t.count == LANES and t.dtype.count == 1 and (t(t), emit)


def tile_broadcast(t: Tile, a: Array, at: int, row: int) -> Tile:
    """A tile of the shape of t with the number a[at + r * row] everywhere in its row r."""
    return tuple(tuple(load_broadcast(a, at + r * row) for _ in t[r]) for r in range(len(t)))


@emits(tile_broadcast)
def _(t: Type, a: Type, at: Type, row: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        _, array, at, row = args
        rows = []
        for r in range(t.count):
            x = builder.load(_address(context, builder, a, array, _offset(builder, at, row, r)))
            rows.append([_splat(builder, x)] * t.dtype.count)
        return _tile_value(context, builder, t, rows)

    return _is_tile(t, a) and (t(t, a, types.intp, types.intp), emit)


def tile_outer(t: Tile, a: Array, at: int, row: int, b: Array, bt: int) -> Tile:
    """t plus an outer product: t[r][v] + a[at + r * row] * b[bt + v * LANES : bt + (v + 1) * LANES].

    The step of a matrix product whose result is the tile, `rows` by `vectors * LANES` numbers.
    """
    return _outer(t, a, at, row, [load(b, bt + v * LANES) for v in range(len(t[0]))])


def tile_outer_first(t: Tile, a: Array, at: int, row: int, b: Array, bt: int, n: int) -> Tile:
    """As `tile_outer`, for a tile of which only the first n columns are wanted: the others get zero added."""
    vectors = len(t[0])
    there = [load_first(b, bt + v * LANES, n - v * LANES) for v in range(vectors) if n > v * LANES]
    return _outer(t, a, at, row, there + [zero(b)] * (vectors - len(there)))


def _outer(t: Tile, a: Array, at: int, row: int, b: list[Array]) -> Tile:
    """t[r][v] + a[at + r * row] * b[v]"""
    x = [load_broadcast(a, at + r * row) for r in range(len(t))]
    return tuple(tuple(fma(x[r], b[v], t[r][v]) for v in range(len(b))) for r in range(len(t)))


def _emit_outer(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`tile_outer`, and with one argument more `tile_outer_first`."""
    t, a, _, _, b, *_ = signature.args
    tile, x, at, row, y, bt, *n = args
    there = _address(context, builder, b, y, bt)
    columns = _loads(builder, b.dtype, [_ahead(builder, there, v) for v in range(t.dtype.count)], n, step=LANES)
    rows = []
    for r, old in enumerate(_rows(builder, t, tile)):
        here = builder.load(_address(context, builder, a, x, _offset(builder, at, row, r)))
        factor = _splat(builder, here)
        rows.append([_fma(builder, a.dtype, factor, c, v) for c, v in zip(columns, old, strict=True)])
    return _tile_value(context, builder, t, rows)


@emits(tile_outer)
def _(t: Type, a: Type, at: Type, row: Type, b: Type, bt: Type) -> Any:
    return _is_tile(t, a, b) and (t(t, a, types.intp, types.intp, b, types.intp), _emit_outer)


@emits(tile_outer_first)
def _(t: Type, a: Type, at: Type, row: Type, b: Type, bt: Type, n: types.Type) -> Any:
    return _is_tile(t, a, b) and (t(t, a, types.intp, types.intp, b, types.intp, types.intp), _emit_outer)


def tile_inner(t: Tile, a: Array, at: int, row: int, b: Array, bt: int, column: int) -> Tile:
    """t plus products lane by lane: t[r][v] + a[at + r * row : + LANES] * b[bt + v * column : + LANES].

    The step of `rows` by `vectors` inner products at once; `tile_store_totals` adds up the lanes at the end.
    """
    return tile_inner_first(t, a, at, row, b, bt, column, LANES)


def tile_inner_first(t: Tile, a: Array, at: int, row: int, b: Array, bt: int, column: int, n: int) -> Tile:
    """As `tile_inner`, with the first n lanes of each vector only: the last step of a sum over all elements."""
    x = [load_first(a, at + r * row, n) for r in range(len(t))]
    y = [load_first(b, bt + v * column, n) for v in range(len(t[0]))]
    return tuple(tuple(fma(x[r], y[v], t[r][v]) for v in range(len(y))) for r in range(len(x)))


def _emit_inner(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`tile_inner`, and with one argument more `tile_inner_first`."""
    t, a, _, _, b, *_ = signature.args
    tile, x, at, row, y, bt, column, *n = args
    here = [_address(context, builder, a, x, _offset(builder, at, row, r)) for r in range(t.count)]
    there = [_address(context, builder, b, y, _offset(builder, bt, column, v)) for v in range(t.dtype.count)]
    columns, rows = _loads(builder, b.dtype, there, n), []
    for old, address in zip(_rows(builder, t, tile), here, strict=True):
        (factor,) = _loads(builder, a.dtype, [address], n)
        rows.append([_fma(builder, a.dtype, factor, c, v) for c, v in zip(columns, old, strict=True)])
    return _tile_value(context, builder, t, rows)


@emits(tile_inner)
def _(t: Type, a: Type, at: Type, row: Type, b: Type, bt: Type, column: types.Type) -> Any:
    intp = types.intp
    return _is_tile(t, a, b) and (t(t, a, intp, intp, b, intp, intp), _emit_inner)


@emits(tile_inner_first)
def _(
    t: Type,
    a: Type,
    at: Type,
    row: Type,
    b: Type,
    bt: Type,
    column: Type,
    n: Type,
) -> Any:
    intp = types.intp
    return _is_tile(t, a, b) and (t(t, a, intp, intp, b, intp, intp, intp), _emit_inner)


def tile_inner_at(t: Tile, a: Array, at: int, row: int, b: Array, bt: int, offsets: Array, k: int) -> Tile:
    """As `tile_inner`, with the vectors of b wherever they are: t[r][v] + a[at + r * row] * b[bt + offsets[k + v]]."""
    x = [load(a, at + r * row) for r in range(len(t))]
    y = [load(b, bt + int(offset)) for offset in _part(offsets, k, len(t[0]))]
    return tuple(tuple(fma(x[r], y[v], t[r][v]) for v in range(len(y))) for r in range(len(x)))


@emits(tile_inner_at)
def _(t: Type, a: Type, at: Type, row: Type, b: Type, bt: Type, offsets: Type, k: Type) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
        tile, x, at, row, y, bt, table, k = args
        columns, rows = [], []
        for v in range(t.dtype.count):
            place = _address(context, builder, offsets, table, builder.add(k, ir.Constant(k.type, v)))
            there = _address(context, builder, b, y, builder.add(bt, builder.load(place)))
            columns.append(_load(builder, b.dtype, there))
        for r, old in enumerate(_rows(builder, t, tile)):
            factor = _load(builder, a.dtype, _address(context, builder, a, x, _offset(builder, at, row, r)))
            rows.append([_fma(builder, a.dtype, factor, c, v) for c, v in zip(columns, old, strict=True)])
        return _tile_value(context, builder, t, rows)

    intp = types.intp
    whole = isinstance(offsets, types.Array) and offsets.layout == "C" and offsets.dtype == intp
    return _is_tile(t, a, b) and whole and (t(t, a, intp, intp, b, intp, offsets, intp), emit)


def tile_store(t: Tile, a: Array, at: int, row: int) -> None:
    """Row r of the tile to a[at + r * row : at + r * row + vectors * LANES]."""
    tile_store_first(t, a, at, row, len(t[0]) * LANES)


def tile_store_first(t: Tile, a: Array, at: int, row: int, n: int) -> None:
    """As `tile_store`, but of the first n columns only."""
    for r in range(len(t)):
        for v in range(len(t[r])):
            if n > v * LANES:
                store_first(a, at + r * row + v * LANES, t[r][v], n - v * LANES)


def _emit_store(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`tile_store`, and with one argument more `tile_store_first`."""
    t, a = signature.args[:2]
    tile, array, at, row, *n = args
    masks = _masks(builder, n, t.dtype.count, step=LANES)
    for r, vectors in enumerate(_rows(builder, t, tile)):
        here = _address(context, builder, a, array, _offset(builder, at, row, r))
        for v, vector in enumerate(vectors):
            if n:
                _masked_store(builder, a.dtype, vector, _ahead(builder, here, v), masks[v])
            else:
                _store(builder, a.dtype, vector, _ahead(builder, here, v))
    return context.get_dummy_value()


@emits(tile_store)
def _(t: Type, a: Type, at: Type, row: Type) -> Any:
    return _is_tile(t, a) and (types.void(t, a, types.intp, types.intp), _emit_store)


@emits(tile_store_first)
def _(t: Type, a: Type, at: Type, row: Type, n: Type) -> Any:
    return _is_tile(t, a) and (types.void(t, a, types.intp, types.intp, types.intp), _emit_store)


def tile_store_totals(t: Tile, a: Array, at: int, row: int, relu: bool) -> None:
    """a[at + r * row + v] = total(t[r][v]); with relu, 0 where that is not above 0 (NaN stays NaN)."""
    for r in range(len(t)):
        for v in range(len(t[r])):
            x = total(t[r][v])
            _part(a, at + r * row + v, 1)[0] = 0 if relu and x <= 0 else x


def tile_add_totals(t: Tile, a: Array, at: int) -> None:
    """a[at + r * vectors + v] += total(t[r][v]), for a tile that has so many vectors in a row."""
    for r in range(len(t)):
        for v in range(len(t[r])):
            _part(a, at + r * len(t[r]) + v, 1)[0] += total(t[r][v])


def _emit_totals(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`tile_store_totals`"""
    t, a = signature.args[:2]
    tile, array, at, row, relu = args
    places = [
        (vector, _offset(builder, builder.add(at, ir.Constant(at.type, v)), row, r))
        for r, vectors in enumerate(_rows(builder, t, tile))
        for v, vector in enumerate(vectors)
    ]
    for start in range(0, len(places), LANES):
        group = places[start : start + LANES]
        sums = _totals(builder, [vector for vector, _ in group])
        zero = ir.Constant(sums.type, None)
        cut = builder.and_(builder.fcmp_ordered("<=", sums, zero), _splat(builder, relu))
        sums = builder.select(cut, zero, sums)
        for lane, (_, place) in enumerate(group):
            x, address = builder.extract_element(sums, INT32(lane)), _address(context, builder, a, array, place)
            builder.store(x, address)
    return context.get_dummy_value()


def _emit_add_totals(context: Any, builder: Any, signature: Any, args: Sequence) -> Any:
    """`tile_add_totals`, as many numbers at a time as there are lanes."""
    t, a = signature.args[:2]
    tile, array, at = args
    address = _address(context, builder, a, array, at)
    vectors = [vector for row in _rows(builder, t, tile) for vector in row]
    for start in range(0, len(vectors), LANES):
        group = vectors[start : start + LANES]
        sums, lanes = _totals(builder, group), ir.Constant(ir.VectorType(INT32, len(group)), list(range(len(group))))
        place = builder.bitcast(builder.gep(address, [INT32(start)]), _vector(a.dtype, len(group)).as_pointer())
        old = builder.load(place)
        old.align = a.dtype.bitwidth // 8
        new = builder.fadd(old, builder.shuffle_vector(sums, sums, lanes))
        builder.store(new, place).align = a.dtype.bitwidth // 8
    return context.get_dummy_value()


@emits(tile_store_totals)
def _(t: Type, a: Type, at: Type, row: Type, relu: Type) -> Any:
    return _is_tile(t, a) and (types.void(t, a, types.intp, types.intp, types.boolean), _emit_totals)


@emits(tile_add_totals)
def _(t: Type, a: Type, at: Type) -> Any:
    return _is_tile(t, a) and (types.void(t, a, types.intp), _emit_add_totals)


def _is_tile(t: Type, *arrays: Type) -> bool:
    """Is t the type of a tile, and are the others those of arrays of its dtype?"""
    return (
        isinstance(t, types.UniTuple)
        and isinstance(t.dtype, types.UniTuple)
        and isinstance(t.dtype.dtype, Vector)
        and _is_array(*arrays)
        and all(a.dtype == t.dtype.dtype.dtype for a in arrays)
    )


def _ahead(builder: Any, address: Any, vectors: int) -> Any:
    """The address so many vectors further on."""
    return builder.gep(address, [ir.Constant(ir.IntType(64), vectors * LANES)])


def _masks(builder: Any, n: Sequence, vectors: int, step: int = 0) -> list:
    """For each vector the mask of its first n lanes, of `step` fewer from vector to vector; n is () or (n,)."""
    return [_first(builder, builder.sub(m, ir.Constant(m.type, v * step))) for m in n for v in range(vectors)]


def _loads(builder: Any, dtype: Type, addresses: list, n: Sequence, step: int = 0) -> list:
    """The vectors at these addresses; n is () for all lanes, else (n,) as for `_masks`."""
    if not n:
        return [_load(builder, dtype, address) for address in addresses]
    masks = _masks(builder, n, len(addresses), step)
    return [_masked_load(builder, dtype, *pair) for pair in zip(addresses, masks, strict=True)]
