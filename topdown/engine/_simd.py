"""Operations on vectors of the processor: what the pair kernels are written in.

numba's own vectoriser makes nothing of such loops (it gathers element by element), so the types (:mod:`_registers`) and
operations are spelled out in LLVM's vector instructions. They are pure Python, and no C compiler is needed. What knows how beads
lie in memory is in :mod:`_slots`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from topdown.engine._registers import (
    BIT,
    BITS,
    F32,
    FLOAT,
    FLOAT_QUAD,
    FLOATS,
    I32,
    INT16,
    INT32,
    INT64,
    INTS,
    LANES,
    WIDTH,
    Vector,
    called,
    loaded,
    picked,
    pointer_to,
    repeated,
    typed_pointer,
)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return called(builder, f"llvm.fma.v{WIDTH}f32", FLOATS, a, b, c)


def _constant(value: float) -> Any:
    return ir.Constant(FLOATS, [value] * WIDTH)


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
    return called(builder, name, FLOATS, x, ir.Constant(FLOATS, None), ir.Constant(INT16, -1))


def _divide(builder: Any, x: Any, y: Any) -> Any:
    """x / y; in 16 elements a division holds the multiplier for ten cycles, a guess and a Newton step for three."""
    if WIDTH < 16:
        return builder.fdiv(x, y)
    guess = _guess(builder, "rcp14", y)
    rest = _fma(builder, builder.fneg(y), guess, _constant(2.0))
    return builder.fmul(builder.fmul(x, guess), rest)


def _square_root(builder: Any, x: Any) -> Any:
    if WIDTH < 16:
        return called(builder, f"llvm.sqrt.v{WIDTH}f32", FLOATS, x)
    least = _constant(1e-30)
    positive = builder.select(builder.fcmp_ordered(">", x, least), x, least)
    guess = _guess(builder, "rsqrt14", positive)
    rest = _fma(builder, builder.fmul(builder.fmul(positive, guess), guess), _constant(-0.5), _constant(1.5))
    return builder.fmul(x, builder.fmul(guess, rest))


add = _operation(F32, (F32, F32), lambda b, x, y: b.fadd(x, y), "x + y")
sub = _operation(F32, (F32, F32), lambda b, x, y: b.fsub(x, y), "x - y")
mul = _operation(F32, (F32, F32), lambda b, x, y: b.fmul(x, y), "x y")
fma = _operation(F32, (F32, F32, F32), _fma, "x y + z, rounded once")
isub = _operation(I32, (I32, I32), lambda b, x, y: b.sub(x, y), "x - y of whole numbers, modulo 2^32")
to_float = _operation(F32, (I32,), lambda b, x: b.sitofp(x, FLOATS), "Whole numbers as floats")
square_root = _operation(F32, (F32,), _square_root, "The root of x to about 23 bits; 0 for less than 1e-30")
div = _operation(F32, (F32, F32), _divide, "x / y to about 23 bits")
minimum = _operation(
    F32, (F32, F32), lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), "The smaller; y where x is not a number"
)
magnitude = _operation(F32, (F32,), lambda b, x: called(b, f"llvm.fabs.v{WIDTH}f32", FLOATS, x), "|x|")
less = _operation(BITS, (F32, F32), lambda b, x, y: b.fcmp_ordered("<", x, y), "x < y; false for what is not a number")
both = _operation(BITS, (BITS, BITS), lambda b, x, y: b.and_(x, y), "x and y")
either = _operation(BITS, (BITS, BITS), lambda b, x, y: b.or_(x, y), "x or y")
where = _operation(F32, (BITS, F32, F32), lambda b, m, x, y: b.select(m, x, y), "x where the bit is set, else y")
maximum = _operation(
    F32, (F32, F32), lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), "The larger; y where x is not a number"
)
lane0 = _operation(I32, (I32,), lambda b, x: picked(b, x, repeated(0)), "Element 0 of each lane in all of it")
lane1 = _operation(I32, (I32,), lambda b, x: picked(b, x, repeated(1)), "Element 1 of each lane in all of it")
lane2 = _operation(I32, (I32,), lambda b, x: picked(b, x, repeated(2)), "Element 2 of each lane in all of it")
lane3 = _operation(I32, (I32,), lambda b, x: picked(b, x, repeated(3)), "Element 3 of each lane in all of it")


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """One float32 in every element."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), values[0], INT32(0))
        return picked(builder, first, [0] * WIDTH)

    return F32(types.float32), generate


@intrinsic
def set_bits(typing: Any, value: Any) -> Any:
    """Bit k of a whole number as element k."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(INTS, ir.Undefined), values[0], INT32(0))
        own = builder.and_(picked(builder, first, [0] * WIDTH), ir.Constant(INTS, [1 << k for k in range(WIDTH)]))
        return builder.icmp_signed("!=", own, ir.Constant(INTS, [0] * WIDTH))

    return BITS(types.uint32), generate


@intrinsic
def get_bits(typing: Any, bits: Any) -> Any:
    """Element k as bit k of a uint32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.bitcast(values[0], ir.IntType(WIDTH)), INT32)

    return types.uint32(BITS), generate


@intrinsic
def store_where(typing: Any, array: Any, index: Any, values: Any, bits: Any) -> Any:
    """Store the elements whose bit is set (uint32) one after the other from array[index] on; the index after the last.

    As much as a whole register may be written.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, values, bits = arguments
        if WIDTH == 16:
            chosen = builder.bitcast(builder.trunc(bits, INT16), ir.VectorType(BIT, 16))
            packed = called(
                builder, "llvm.x86.avx512.mask.compress.v16i32", INTS, values, ir.Constant(INTS, None), chosen
            )
            pointer = typed_pointer(context, builder, signature.args[0], array, index, INTS)
            builder.store(packed, pointer, align=4)
            return builder.add(index, builder.zext(called(builder, "llvm.ctpop.i32", INT32, bits), INT64))
        if WIDTH == 8:
            order = builder.gep(_left_packing(builder.module), [INT64(0), builder.zext(bits, INT64)], inbounds=True)
            packed = called(builder, "llvm.x86.avx2.permd", INTS, values, builder.load(order, align=32))
            pointer = typed_pointer(context, builder, signature.args[0], array, index, INTS)
            builder.store(packed, pointer, align=4)
            return builder.add(index, builder.zext(called(builder, "llvm.ctpop.i32", INT32, bits), INT64))
        for k in range(WIDTH):
            pointer = pointer_to(context, builder, signature.args[0], array, index)
            builder.store(builder.extract_element(values, INT32(k)), pointer)
            bit = builder.and_(builder.lshr(bits, INT32(k)), INT32(1))
            index = builder.add(index, builder.zext(bit, INT64))
        return index

    return types.intp(array, types.intp, I32, types.uint32), generate


def _left_packing(module: Any) -> Any:
    """A constant of the module: for each of 256 sets of bits, the places of those that are set, then of zeros."""
    name = "topdown_left_packing"
    if name not in module.globals:
        rows = [[k for k in range(8) if bits >> k & 1] for bits in range(256)]
        kind = ir.ArrayType(INTS, 256)
        table = ir.GlobalVariable(module, kind, name)
        table.initializer = ir.Constant(kind, [ir.Constant(INTS, row + [0] * (8 - len(row))) for row in rows])
        table.global_constant, table.linkage, table.align = True, "internal", 32
    return module.globals[name]


@intrinsic
def ramp(typing: Any, first: Any) -> Any:
    """first, first + 4, first + 8, … of int32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = builder.insert_element(ir.Constant(INTS, ir.Undefined), values[0], INT32(0))
        return builder.add(picked(builder, start, [0] * WIDTH), ir.Constant(INTS, [4 * k for k in range(WIDTH)]))

    return I32(types.int32), generate


@intrinsic
def total(typing: Any, v: Any) -> Any:
    """Sum of all elements."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        module = builder.module
        function = module.globals.get(name) or ir.Function(module, ir.FunctionType(FLOAT, [FLOAT, FLOATS]), name)
        return builder.call(function, [ir.Constant(FLOAT, 0.0), values[0]], fastmath=("reassoc",))

    return types.float32(F32), generate


@intrinsic
def splat_whole(typing: Any, value: Any) -> Any:
    """One int32 in every element."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(INTS, ir.Undefined), values[0], INT32(0))
        return picked(builder, first, [0] * WIDTH)

    return I32(types.int32), generate


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """array[index : index + WIDTH] of int32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return loaded(context, builder, signature.args[0], values[0], values[1], INTS)

    return I32(array, types.intp), generate


@intrinsic
def quad(typing: Any, array: Any, index: Any) -> Any:
    """array[index : index + 4] of float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return picked(
            builder, loaded(context, builder, signature.args[0], values[0], values[1], FLOAT_QUAD), [0, 1, 2, 3] * LANES
        )

    return F32(array, types.intp), generate


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Have the line of array[index] fetched, to be written to, while other work goes on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = typed_pointer(context, builder, signature.args[0], values[0], values[1], ir.IntType(8))
        module, name = builder.module, "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        builder.call(function, [pointer, INT32(1), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
