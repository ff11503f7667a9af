"""Slots of beads in memory: read into registers, and forces added to them.

A slot is eight 32-bit words: x, y, z, kind (int32), three of force and one unused (float32). Rows of j beads hold four times
the number of the slot, so that the processor's addressing multiplies it out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from topdown.engine._registers import (
    F32,
    FLOAT_QUAD,
    FLOATS,
    I32,
    INT32,
    INT64,
    INT_QUAD,
    LANES,
    WIDTH,
    loaded,
    picked,
    pointer_to,
    repeated,
    shuffled,
    typed_pointer,
)


def _row(context: Any, builder: Any, rows_type: Any, rows: Any, first: Any, k: int) -> Any:
    """rows[first + k] as 64 bits."""
    place = builder.add(first, ir.Constant(first.type, k))
    return builder.zext(builder.load(pointer_to(context, builder, rows_type, rows, place)), INT64)


def _slots_of_rows(context: Any, builder: Any, signature: Any, values: Any, count: int) -> list[Any]:
    """x, y, z and kind of rows[first], …, rows[first + count - 1], each a quad; ``values`` are slots, rows and first."""
    slots, rows, first = values
    quads = []
    for k in range(count):
        index = builder.shl(_row(context, builder, signature.args[1], rows, first, k), INT64(1))
        quads.append(loaded(context, builder, signature.args[0], slots, index, INT_QUAD))
    return quads


def _across(builder: Any, a: Any, b: Any, picks: tuple[int, ...]) -> Any:
    """From each lane of a (0 … 3) and of b (4 … 7)."""
    size = a.type.count
    return shuffled(builder, a, b, [n + p % 4 + (size if p > 3 else 0) for n in range(0, size, 4) for p in picks])


def _side_by_side(builder: Any, quads: list[Any]) -> Any:
    size = 4
    while len(quads) > 1:
        quads = [shuffled(builder, a, b, list(range(2 * size))) for a, b in zip(quads[::2], quads[1::2])]
        size *= 2
    return quads[0]


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
        first = builder.shl(values[1], INT64(5))
        beads = [
            loaded(context, builder, signature.args[0], values[0], builder.add(first, INT64(8 * k)), INT_QUAD)
            for k in range(4)
        ]
        wide = [picked(builder, v, [0, 1, 2, 3] * LANES) for v in _coordinates(builder, beads)]
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
            index = builder.shl(_row(context, builder, signature.args[2], values[2], values[3], k), INT64(1))
            place = builder.add(index, INT64(3))
            kind = builder.zext(builder.load(pointer_to(context, builder, signature.args[1], values[1], place)), INT64)
            quads.append(
                loaded(context, builder, signature.args[0], values[0], builder.add(kind, values[4]), FLOAT_QUAD)
            )
        return _side_by_side(builder, quads)

    return F32(table, slots, rows, types.intp, types.intp), generate


@intrinsic
def gather_values(typing: Any, values: Any, rows: Any, first: Any) -> Any:
    """All of lane k is values[slot] (float32) of row rows[first + k]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, rows, first = arguments
        result = ir.Constant(FLOATS, ir.Undefined)
        for k in range(LANES):
            slot = builder.lshr(_row(context, builder, signature.args[1], rows, first, k), INT64(2))
            value = builder.load(pointer_to(context, builder, signature.args[0], values, slot))
            result = builder.insert_element(result, value, INT32(4 * k))
        return picked(builder, result, repeated(0))

    return F32(values, rows, types.intp), generate


def _force_words(builder: Any, place: Any, alone: bool) -> Any:
    """Where the force is of what is four times ``place``: behind the position in a slot, or in an array of forces alone."""
    return place if alone else builder.add(builder.shl(place, INT64(1)), INT64(4))


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
                pointer = typed_pointer(context, builder, signature.args[0], forces, place, FLOAT_QUAD)
                own = picked(builder, sums, [4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3])
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
                parts = [picked(builder, v, [4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3]) for k in range(LANES)]
                result = parts[0]
                for part in parts[1:]:
                    result = builder.fadd(result, part)
                return result

            x, y, z = (over_lanes(v) for v in components)
            nothing = ir.Constant(FLOAT_QUAD, None)
            xy = [shuffled(builder, x, y, picks) for picks in ([0, 4, 1, 5], [2, 6, 3, 7])]
            zw = [shuffled(builder, z, nothing, picks) for picks in ([0, 4, 1, 5], [2, 6, 3, 7])]
            first = builder.shl(cluster, INT64(4))
            for i in range(4):
                own = shuffled(builder, xy[i // 2], zw[i // 2], [0, 1, 4, 5] if i % 2 == 0 else [2, 3, 6, 7])
                place = _force_words(builder, builder.add(first, INT64(4 * i)), alone)
                pointer = typed_pointer(context, builder, signature.args[0], forces, place, FLOAT_QUAD)
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
