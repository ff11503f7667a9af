"""Vectors of the processor as numba types: the few operations the pair kernels are written in.

A register of ``WIDTH`` 32-bit elements is thought of as ``WIDTH / 4`` *lanes* of four: the four beads of an i-cluster side by
side, one j bead to a lane. numba's own vectoriser makes nothing of such loops (it gathers element by element), so the types
and operations are spelled out in LLVM's vector instructions. They are pure Python, and no C compiler is needed.

``WIDTH`` is 16 where the processor has AVX-512, 8 where it has AVX2 and 4 elsewhere; the environment variable
``TOPDOWN_SIMD_WIDTH`` overrules that. The path of width 4 uses no instruction by name and runs on any processor LLVM knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from topdown.errors import SettingsError

#: What the processor must have for each width above 4.
_NEEDED = {8: ("avx2", "fma"), 16: ("avx512f", "avx512bw", "avx512dq", "avx512vl")}


def _chosen_width() -> int:
    wanted = os.environ.get("TOPDOWN_SIMD_WIDTH", "")
    if wanted not in ("", "4", "8", "16"):
        raise SettingsError(f"TOPDOWN_SIMD_WIDTH is {wanted!r}", hint="4, 8 or 16")
    features = llvm.get_host_cpu_features()
    able = [4] + [width for width, names in _NEEDED.items() if all(features.get(name, False) for name in names)]
    if wanted and int(wanted) not in able:
        needed = "AVX-512" if wanted == "16" else "AVX2"
        raise SettingsError(f"TOPDOWN_SIMD_WIDTH is {wanted} but this processor has no {needed}", hint="use 4")
    return int(wanted) if wanted else max(able)


#: Elements in a register, and lanes of four: as many j beads are treated at a time.
WIDTH = _chosen_width()
LANES = WIDTH // 4

_F32, _I16, _I32, _I64, _BIT = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.IntType(1)
_ELEMENTS = {"f32": _F32, "i32": _I32, "bit": _BIT}


class Vector(types.Type):  # type: ignore[misc]
    """A register of ``WIDTH`` elements: ``f32``, ``i32``, or ``bit`` for the outcome of a comparison."""

    def __init__(self, element: str) -> None:
        self.element = element
        super().__init__(name=f"{element}x{WIDTH}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, ir.VectorType(_ELEMENTS[vector.element], WIDTH))


F32, I32, BITS = Vector("f32"), Vector("i32"), Vector("bit")
_V, _VI = ir.VectorType(_F32, WIDTH), ir.VectorType(_I32, WIDTH)
_QUAD, _QUADI = ir.VectorType(_F32, 4), ir.VectorType(_I32, 4)


def _shuffle(builder: Any, a: Any, b: Any, picks: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(picks)), picks))


def _pick(builder: Any, a: Any, picks: list[int]) -> Any:
    return _shuffle(builder, a, ir.Constant(a.type, ir.Undefined), picks)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    module = builder.module
    function = module.globals.get(name) or ir.Function(
        module, ir.FunctionType(result, [a.type for a in arguments]), name
    )
    return builder.call(function, arguments)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return _call(builder, f"llvm.fma.v{WIDTH}f32", _V, a, b, c)


def _constant(value: float) -> Any:
    return ir.Constant(_V, [value] * WIDTH)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index], inbounds=True)


def _typed_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    return builder.bitcast(_pointer(context, builder, array_type, array, index), kind.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    return builder.load(_typed_pointer(context, builder, array_type, array, index, kind), align=4)


def _row(context: Any, builder: Any, rows_type: Any, rows: Any, first: Any, k: int) -> Any:
    """rows[first + k] as 64 bits."""
    place = builder.add(first, ir.Constant(first.type, k))
    return builder.zext(builder.load(_pointer(context, builder, rows_type, rows, place)), _I64)


def _slots_of_rows(context: Any, builder: Any, signature: Any, values: Any, count: int) -> list[Any]:
    """x, y, z and kind of rows[first], …, rows[first + count - 1], each a quad; ``values`` are slots, rows and first."""
    slots, rows, first = values
    quads = []
    for k in range(count):
        index = builder.shl(_row(context, builder, signature.args[1], rows, first, k), _I64(1))
        quads.append(_load(context, builder, signature.args[0], slots, index, _QUADI))
    return quads


def _across(builder: Any, a: Any, b: Any, picks: tuple[int, ...]) -> Any:
    """From each lane of a (0 … 3) and of b (4 … 7)."""
    size = a.type.count
    return _shuffle(builder, a, b, [n + p % 4 + (size if p > 3 else 0) for n in range(0, size, 4) for p in picks])


def _side_by_side(builder: Any, quads: list[Any]) -> Any:
    size = 4
    while len(quads) > 1:
        quads = [_shuffle(builder, a, b, list(range(2 * size))) for a, b in zip(quads[::2], quads[1::2])]
        size *= 2
    return quads[0]


def _operation(result: Vector, arguments: tuple[Vector, ...], emit: Callable[..., Any], doc: str) -> Any:
    """An intrinsic on registers; ``emit(builder, *values)`` writes the instructions."""
    signature = result(*arguments)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return emit(builder, *values)

    def typed(*given: Any) -> Any:
        return (signature, generate) if given == arguments else None

    if len(arguments) == 1:

        def operation(typing: Any, a: Any) -> Any:
            return typed(a)
    elif len(arguments) == 2:

        def operation(typing: Any, a: Any, b: Any) -> Any:  # type: ignore[misc]
            return typed(a, b)
    else:

        def operation(typing: Any, a: Any, b: Any, c: Any) -> Any:  # type: ignore[misc]
            return typed(a, b, c)

    operation.__doc__ = doc
    return intrinsic(operation)


def _guess(builder: Any, function: str, x: Any) -> Any:
    """``rcp14`` or ``rsqrt14``: 1/x or its root, to 14 bits."""
    name = f"llvm.x86.avx512.{function}.ps.512"
    return _call(builder, name, _V, x, ir.Constant(_V, None), ir.Constant(_I16, -1))


def _divide(builder: Any, x: Any, y: Any) -> Any:
    """x / y; in 16 elements a division holds the multiplier for ten cycles, a guess and a Newton step for three."""
    if WIDTH < 16:
        return builder.fdiv(x, y)
    guess = _guess(builder, "rcp14", y)
    rest = _fma(builder, builder.fneg(y), guess, _constant(2.0))
    return builder.fmul(builder.fmul(x, guess), rest)


def _square_root(builder: Any, x: Any) -> Any:
    if WIDTH < 16:
        return _call(builder, f"llvm.sqrt.v{WIDTH}f32", _V, x)
    least = _constant(1e-30)
    positive = builder.select(builder.fcmp_ordered(">", x, least), x, least)
    guess = _guess(builder, "rsqrt14", positive)
    rest = _fma(builder, builder.fmul(builder.fmul(positive, guess), guess), _constant(-0.5), _constant(1.5))
    return builder.fmul(x, builder.fmul(guess, rest))


def _repeated(k: int) -> list[int]:
    return [4 * lane + k for lane in range(LANES) for _ in range(4)]


add = _operation(F32, (F32, F32), lambda b, x, y: b.fadd(x, y), "x + y")
sub = _operation(F32, (F32, F32), lambda b, x, y: b.fsub(x, y), "x - y")
mul = _operation(F32, (F32, F32), lambda b, x, y: b.fmul(x, y), "x y")
fma = _operation(F32, (F32, F32, F32), _fma, "x y + z, rounded once")
isub = _operation(I32, (I32, I32), lambda b, x, y: b.sub(x, y), "x - y of whole numbers, modulo 2^32")
to_float = _operation(F32, (I32,), lambda b, x: b.sitofp(x, _V), "Whole numbers as floats")
square_root = _operation(F32, (F32,), _square_root, "The root of x to about 23 bits; 0 for less than 1e-30")
div = _operation(F32, (F32, F32), _divide, "x / y to about 23 bits")
minimum = _operation(
    F32, (F32, F32), lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), "The smaller; y where x is not a number"
)
magnitude = _operation(F32, (F32,), lambda b, x: _call(b, f"llvm.fabs.v{WIDTH}f32", _V, x), "|x|")
less = _operation(BITS, (F32, F32), lambda b, x, y: b.fcmp_ordered("<", x, y), "x < y; false for what is not a number")
both = _operation(BITS, (BITS, BITS), lambda b, x, y: b.and_(x, y), "x and y")
either = _operation(BITS, (BITS, BITS), lambda b, x, y: b.or_(x, y), "x or y")
where = _operation(F32, (BITS, F32, F32), lambda b, m, x, y: b.select(m, x, y), "x where the bit is set, else y")
maximum = _operation(
    F32, (F32, F32), lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), "The larger; y where x is not a number"
)
lane0 = _operation(I32, (I32,), lambda b, x: _pick(b, x, _repeated(0)), "Element 0 of each lane in all of it")
lane1 = _operation(I32, (I32,), lambda b, x: _pick(b, x, _repeated(1)), "Element 1 of each lane in all of it")
lane2 = _operation(I32, (I32,), lambda b, x: _pick(b, x, _repeated(2)), "Element 2 of each lane in all of it")
lane3 = _operation(I32, (I32,), lambda b, x: _pick(b, x, _repeated(3)), "Element 3 of each lane in all of it")


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """One float32 in every element."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(_V, ir.Undefined), values[0], _I32(0))
        return _pick(builder, first, [0] * WIDTH)

    return F32(types.float32), generate


@intrinsic
def set_bits(typing: Any, value: Any) -> Any:
    """Bit k of a whole number as element k."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VI, ir.Undefined), values[0], _I32(0))
        own = builder.and_(_pick(builder, first, [0] * WIDTH), ir.Constant(_VI, [1 << k for k in range(WIDTH)]))
        return builder.icmp_signed("!=", own, ir.Constant(_VI, [0] * WIDTH))

    return BITS(types.uint32), generate


@intrinsic
def get_bits(typing: Any, bits: Any) -> Any:
    """Element k as bit k of a uint32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.bitcast(values[0], ir.IntType(WIDTH)), _I32)

    return types.uint32(BITS), generate


@intrinsic
def store_where(typing: Any, array: Any, index: Any, values: Any, bits: Any) -> Any:
    """Store the elements whose bit is set (uint32) one after the other from array[index] on; the index after the last.

    As much as a whole register may be written.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, values, bits = arguments
        if WIDTH == 16:
            chosen = builder.bitcast(builder.trunc(bits, _I16), ir.VectorType(_BIT, 16))
            packed = _call(builder, "llvm.x86.avx512.mask.compress.v16i32", _VI, values, ir.Constant(_VI, None), chosen)
            pointer = _typed_pointer(context, builder, signature.args[0], array, index, _VI)
            builder.store(packed, pointer, align=4)
            return builder.add(index, builder.zext(_call(builder, "llvm.ctpop.i32", _I32, bits), _I64))
        if WIDTH == 8:
            order = builder.gep(_left_packing(builder.module), [_I64(0), builder.zext(bits, _I64)], inbounds=True)
            packed = _call(builder, "llvm.x86.avx2.permd", _VI, values, builder.load(order, align=32))
            pointer = _typed_pointer(context, builder, signature.args[0], array, index, _VI)
            builder.store(packed, pointer, align=4)
            return builder.add(index, builder.zext(_call(builder, "llvm.ctpop.i32", _I32, bits), _I64))
        for k in range(WIDTH):
            pointer = _pointer(context, builder, signature.args[0], array, index)
            builder.store(builder.extract_element(values, _I32(k)), pointer)
            bit = builder.and_(builder.lshr(bits, _I32(k)), _I32(1))
            index = builder.add(index, builder.zext(bit, _I64))
        return index

    return types.intp(array, types.intp, I32, types.uint32), generate


def _left_packing(module: Any) -> Any:
    """A constant of the module: for each of 256 sets of bits, the places of those that are set, then of zeros."""
    name = "topdown_left_packing"
    if name not in module.globals:
        rows = [[k for k in range(8) if bits >> k & 1] for bits in range(256)]
        kind = ir.ArrayType(_VI, 256)
        table = ir.GlobalVariable(module, kind, name)
        table.initializer = ir.Constant(kind, [ir.Constant(_VI, row + [0] * (8 - len(row))) for row in rows])
        table.global_constant, table.linkage, table.align = True, "internal", 32
    return module.globals[name]


@intrinsic
def ramp(typing: Any, first: Any) -> Any:
    """first, first + 4, first + 8, … of int32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = builder.insert_element(ir.Constant(_VI, ir.Undefined), values[0], _I32(0))
        return builder.add(_pick(builder, start, [0] * WIDTH), ir.Constant(_VI, [4 * k for k in range(WIDTH)]))

    return I32(types.int32), generate


@intrinsic
def total(typing: Any, v: Any) -> Any:
    """Sum of all elements."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        module = builder.module
        function = module.globals.get(name) or ir.Function(module, ir.FunctionType(_F32, [_F32, _V]), name)
        return builder.call(function, [ir.Constant(_F32, 0.0), values[0]], fastmath=("reassoc",))

    return types.float32(F32), generate


@intrinsic
def splat_whole(typing: Any, value: Any) -> Any:
    """One int32 in every element."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VI, ir.Undefined), values[0], _I32(0))
        return _pick(builder, first, [0] * WIDTH)

    return I32(types.int32), generate


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """array[index : index + WIDTH] of int32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _load(context, builder, signature.args[0], values[0], values[1], _VI)

    return I32(array, types.intp), generate


@intrinsic
def quad(typing: Any, array: Any, index: Any) -> Any:
    """array[index : index + 4] of float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _pick(
            builder, _load(context, builder, signature.args[0], values[0], values[1], _QUAD), [0, 1, 2, 3] * LANES
        )

    return F32(array, types.intp), generate


# A slot is eight 32-bit words: x, y, z, kind (int32), three of force and one unused (float32). Rows of j beads hold four times
# the number of the slot, so that the processor's addressing multiplies it out.


def _coordinates(builder: Any, rows: list[Any]) -> list[Any]:
    """x, y and z of four registers or quads whose lanes are slots: of the four first lanes, the four second ones, …"""
    a, b, c, d = rows
    across = partial(_across, builder)
    low, high = across(a, b, (0, 4, 1, 5)), across(c, d, (0, 4, 1, 5))
    above = across(a, b, (2, 6, 3, 7)), across(c, d, (2, 6, 3, 7))
    return [across(low, high, (0, 1, 4, 5)), across(low, high, (2, 3, 6, 7)), across(*above, (0, 1, 4, 5))]


@intrinsic
def cluster_positions(typing: Any, slots: Any, cluster: Any) -> Any:
    """x, y and z of the four beads of a cluster, in every lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.shl(values[1], _I64(5))
        beads = [
            _load(context, builder, signature.args[0], values[0], builder.add(first, _I64(8 * k)), _QUADI)
            for k in range(4)
        ]
        wide = [_pick(builder, v, [0, 1, 2, 3] * LANES) for v in _coordinates(builder, beads)]
        return context.make_tuple(builder, signature.return_type, wide)

    return types.UniTuple(I32, 3)(slots, types.intp), generate


@intrinsic
def row_positions(typing: Any, slots: Any, rows: Any, first: Any) -> Any:
    """x, y and z of the beads of rows[first : first + WIDTH], one after the other."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        beads = _slots_of_rows(context, builder, signature, values, WIDTH)
        found = _coordinates(builder, [_side_by_side(builder, beads[k::4]) for k in range(4)])
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(I32, 3)(slots, rows, types.intp), generate


@intrinsic
def gather(typing: Any, slots: Any, rows: Any, first: Any) -> Any:
    """Lane k holds x, y, z and kind of row rows[first + k]."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _side_by_side(builder, _slots_of_rows(context, builder, signature, values, LANES))

    return I32(slots, rows, types.intp), generate


@intrinsic
def gather_by_kind(typing: Any, table: Any, slots: Any, rows: Any, first: Any, offset: Any) -> Any:
    """Lane k holds table[offset + kind : … + 4] for the kind of row rows[first + k]."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        quads = []
        for k in range(LANES):
            index = builder.shl(_row(context, builder, signature.args[2], values[2], values[3], k), _I64(1))
            place = builder.add(index, _I64(3))
            kind = builder.zext(builder.load(_pointer(context, builder, signature.args[1], values[1], place)), _I64)
            quads.append(_load(context, builder, signature.args[0], values[0], builder.add(kind, values[4]), _QUAD))
        return _side_by_side(builder, quads)

    return F32(table, slots, rows, types.intp, types.intp), generate


@intrinsic
def gather_values(typing: Any, values: Any, rows: Any, first: Any) -> Any:
    """All of lane k is values[slot] (float32) of row rows[first + k]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, rows, first = arguments
        result = ir.Constant(_V, ir.Undefined)
        for k in range(LANES):
            slot = builder.lshr(_row(context, builder, signature.args[1], rows, first, k), _I64(2))
            value = builder.load(_pointer(context, builder, signature.args[0], values, slot))
            result = builder.insert_element(result, value, _I32(4 * k))
        return _pick(builder, result, _repeated(0))

    return F32(values, rows, types.intp), generate


def _force_words(builder: Any, place: Any, alone: bool) -> Any:
    """Where the force is of what is four times ``place``: behind the position in a slot, or in an array of forces alone."""
    return place if alone else builder.add(builder.shl(place, _I64(1)), _I64(4))


def _adding_to_rows(alone: bool, doc: str) -> Any:
    def operation(typing: Any, forces: Any, rows: Any, first: Any, x: Any, y: Any, z: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            forces, rows, first, x, y, z = values
            across = partial(_across, builder)
            xy = builder.fadd(across(x, y, (0, 4, 1, 5)), across(x, y, (2, 6, 3, 7)))  # x02 y02 x13 y13
            zz = builder.fadd(z, across(z, z, (2, 3, 2, 3)))  # z02 z13 - -
            sums = builder.fadd(across(xy, zz, (0, 1, 4, 4)), across(xy, zz, (2, 3, 5, 5)))
            for k in range(LANES):
                place = _force_words(builder, _row(context, builder, signature.args[1], rows, first, k), alone)
                pointer = _typed_pointer(context, builder, signature.args[0], forces, place, _QUAD)
                own = _pick(builder, sums, [4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3])
                builder.store(builder.fadd(builder.load(pointer, align=4), own), pointer, align=4)
            return context.get_dummy_value()

        return types.void(forces, rows, types.intp, F32, F32, F32), generate

    operation.__doc__ = doc
    return intrinsic(operation)


def _subtracting_from_cluster(alone: bool, doc: str) -> Any:
    def operation(typing: Any, forces: Any, cluster: Any, x: Any, y: Any, z: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            forces, cluster, *components = values

            def over_lanes(v: Any) -> Any:
                parts = [_pick(builder, v, [4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3]) for k in range(LANES)]
                result = parts[0]
                for part in parts[1:]:
                    result = builder.fadd(result, part)
                return result

            x, y, z = (over_lanes(v) for v in components)
            nothing = ir.Constant(_QUAD, None)
            xy = [_shuffle(builder, x, y, picks) for picks in ([0, 4, 1, 5], [2, 6, 3, 7])]
            zw = [_shuffle(builder, z, nothing, picks) for picks in ([0, 4, 1, 5], [2, 6, 3, 7])]
            first = builder.shl(cluster, _I64(4))
            for i in range(4):
                own = _shuffle(builder, xy[i // 2], zw[i // 2], [0, 1, 4, 5] if i % 2 == 0 else [2, 3, 6, 7])
                place = _force_words(builder, builder.add(first, _I64(4 * i)), alone)
                pointer = _typed_pointer(context, builder, signature.args[0], forces, place, _QUAD)
                builder.store(builder.fsub(builder.load(pointer, align=4), own), pointer, align=4)
            return context.get_dummy_value()

        return types.void(forces, types.intp, F32, F32, F32), generate

    operation.__doc__ = doc
    return intrinsic(operation)


add_to_rows = _adding_to_rows(
    False, "Add the sum of (x, y, z) over lane k to the force in the slot of row rows[first + k]."
)
add_to_lone_rows = _adding_to_rows(True, "As add_to_rows, onto forces alone, four words to a slot.")
subtract_from_cluster = _subtracting_from_cluster(
    False,
    "Subtract (x, y, z) of element i, summed over the lanes, from the force of bead i of a cluster, for all four.",
)
subtract_from_lone_cluster = _subtracting_from_cluster(True, "As subtract_from_cluster, from forces alone.")


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Have the line of array[index] fetched, to be written to, while other work goes on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _typed_pointer(context, builder, signature.args[0], values[0], values[1], ir.IntType(8))
        module, name = builder.module, "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        builder.call(function, [pointer, _I32(1), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
