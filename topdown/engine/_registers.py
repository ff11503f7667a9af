"""Registers of the processor as numba types, and the LLVM instructions that operations on them are made of.

A register of ``WIDTH`` 32-bit elements is thought of as ``WIDTH / 4`` *lanes* of four: the four beads of an i-cluster side by
side, one j bead to a lane.

``WIDTH`` is 16 where the processor has AVX-512, 8 where it has AVX2 and 4 elsewhere; the environment variable
``TOPDOWN_SIMD_WIDTH`` overrules that. The path of width 4 uses no instruction by name and runs on any processor LLVM knows.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

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

FLOAT, INT16, INT32, INT64, BIT = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.IntType(1)
_ELEMENTS = {"f32": FLOAT, "i32": INT32, "bit": BIT}


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
FLOATS, INTS = ir.VectorType(FLOAT, WIDTH), ir.VectorType(INT32, WIDTH)
FLOAT_QUAD, INT_QUAD = ir.VectorType(FLOAT, 4), ir.VectorType(INT32, 4)


def shuffled(builder: Any, a: Any, b: Any, picks: list[int]) -> Any:
    """Elements of a, then of b, by their numbers."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(picks)), picks))


def picked(builder: Any, a: Any, picks: list[int]) -> Any:
    """Elements of a by their numbers."""
    return shuffled(builder, a, ir.Constant(a.type, ir.Undefined), picks)


def called(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """What LLVM's function of this name returns; declared where the module has not got it."""
    module = builder.module
    function = module.globals.get(name) or ir.Function(
        module, ir.FunctionType(result, [a.type for a in arguments]), name
    )
    return builder.call(function, arguments)


def pointer_to(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Where array[index] is."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index], inbounds=True)


def typed_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    """Where array[index] is, as the first of a ``kind``."""
    return builder.bitcast(pointer_to(context, builder, array_type, array, index), kind.as_pointer())


def loaded(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    """A ``kind`` from array[index] on."""
    return builder.load(typed_pointer(context, builder, array_type, array, index, kind), align=4)


def repeated(k: int) -> list[int]:
    """Numbers of the elements that fill each lane with its element k."""
    return [4 * lane + k for lane in range(LANES) for _ in range(4)]
