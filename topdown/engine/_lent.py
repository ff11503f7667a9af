"""Tuples of arrays as kernels see them: one pointer to a record of addresses, sizes and numbers.

numba would hand such a tuple on field by field, seven numbers to an array, and count the references to each wherever one
function calls another: most of the code of a kernel with fifty arrays, and most of the time to compile it. Whoever calls a
kernel holds its arrays until it returns, so nothing need be counted: a named tuple that is declared :func:`lent` is written
down once, when Python calls the kernel, and from then on is a pointer. The arrays found in it are :class:`Lent`: numba's arrays
in all but that they belong to somebody else.

Fields can be read, not set; their arrays can be written to, and must be C-contiguous.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)

Class = TypeVar("Class", bound=type)


class Lent(types.Array):  # type: ignore[misc]
    """An array whose references are not counted; views of it are the same."""

    def __init__(self, dtype: Any, ndim: int, layout: str = "C", readonly: bool = False) -> None:
        super().__init__(dtype, ndim, layout, readonly=readonly, name=f"lent({dtype}, {ndim}d, {layout})")

    def copy(self, dtype: Any = None, ndim: int | None = None, layout: str | None = None, readonly: Any = None) -> Any:
        return Lent(dtype or self.dtype, self.ndim if ndim is None else ndim, layout or self.layout)


@register_model(Lent)
class _LentModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lent) -> None:
        members = [
            ("meminfo", types.voidptr), ("parent", types.voidptr), ("nitems", types.intp), ("itemsize", types.intp),
            ("data", types.CPointer(kind.dtype)), ("shape", types.UniTuple(types.intp, kind.ndim)),
            ("strides", types.UniTuple(types.intp, kind.ndim)),
        ]  # fmt: skip
        super().__init__(manager, kind, members)


class Record(types.Type):  # type: ignore[misc]
    """The pointer to a lent tuple; ``fields`` are pairs of name and type."""

    def __init__(self, name: str, fields: tuple[tuple[str, Any], ...]) -> None:
        self.fields = fields
        # short, for it is written into the name of every function that takes one
        digest = hashlib.sha256("|".join(f"{field}:{kind}" for field, kind in fields).encode()).hexdigest()[:8]
        super().__init__(name=f"{name}.{digest}")

    @property
    def key(self) -> Any:
        return self.name, self.fields


def _words(manager: Any, kind: Any) -> list[Any]:
    """LLVM types of the members that hold one field: address and shape of an array, or one number or pointer."""
    if isinstance(kind, Lent):
        return [manager.lookup(kind.dtype).get_data_type().as_pointer(), *([ir.IntType(64)] * kind.ndim)]
    return [manager.lookup(kind).get_data_type()]


def _place(kind: Record, name: str) -> tuple[Any, int]:
    """Type of a field and the number of its first member."""
    place = 0
    for field, found in kind.fields:
        if field == name:
            return found, place
        place += 1 + (found.ndim if isinstance(found, Lent) else 0)
    raise AttributeError(name)


@register_model(Record)
class _RecordModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Record) -> None:
        members = [word for _, field in kind.fields for word in _words(manager, field)]
        super().__init__(manager, kind, ir.LiteralStructType(members).as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):  # type: ignore[misc]
    key = Record

    def generic_resolve(self, kind: Record, name: str) -> Any:
        return dict(kind.fields).get(name)


@lower_getattr_generic(Record)
def _read_field(context: Any, builder: Any, kind: Record, record: Any, name: str) -> Any:
    field, place = _place(kind, name)

    def member(k: int) -> Any:
        value = builder.load(cgutils.gep_inbounds(builder, record, 0, place + k))
        value.set_metadata("invariant.load", builder.module.add_metadata([]))  # nobody writes to it meanwhile
        return value

    if not isinstance(field, Lent):
        return context.data_model_manager[field].from_data(builder, member(0))
    array = cgutils.create_struct_proxy(field)(context, builder)
    shape = [member(1 + d) for d in range(field.ndim)]
    stride = ir.Constant(ir.IntType(64), context.get_abi_sizeof(context.get_data_type(field.dtype)))
    array.itemsize, array.data, array.nitems = stride, member(0), ir.Constant(ir.IntType(64), 1)
    strides: list[Any] = []
    for edge in reversed(shape):
        strides.insert(0, stride)
        stride = builder.mul(stride, edge, flags=["nsw"])
        array.nitems = builder.mul(array.nitems, edge, flags=["nsw"])
    array.shape, array.strides = (cgutils.pack_array(builder, part, ir.IntType(64)) for part in (shape, strides))
    array.meminfo = array.parent = cgutils.voidptr_t(None)
    return array._getvalue()


@unbox(Record)
def _write_down(kind: Record, named_tuple: Any, c: Any) -> Any:
    """Fill a record on the stack of the kernel's wrapper."""
    manager = c.context.data_model_manager
    record = cgutils.alloca_once(c.builder, manager.lookup(kind).get_value_type().pointee)
    is_error = ir.Constant(ir.IntType(1), 0)
    place = 0
    for k, (_, field) in enumerate(kind.fields):
        source = types.Array(field.dtype, field.ndim, "C") if isinstance(field, Lent) else field
        native = c.unbox(source, c.pyapi.tuple_getitem(named_tuple, k))
        is_error = c.builder.or_(is_error, native.is_error)
        if isinstance(field, Lent):
            array = cgutils.create_struct_proxy(source)(c.context, c.builder, native.value)
            values = [array.data, *cgutils.unpack_tuple(c.builder, array.shape, field.ndim)]
            c.context.nrt.decref(c.builder, source, native.value)  # the tuple still has its own
        else:
            values = [manager[field].as_data(c.builder, native.value)]
        for value in values:
            c.builder.store(value, cgutils.gep_inbounds(c.builder, record, 0, place))
            place += 1
    return NativeValue(record, is_error=is_error)


def lent(named_tuple: Class) -> Class:
    """Declare that kernels get named tuples of this class as records."""

    known: dict[Any, Record] = {}

    @typeof_impl.register(named_tuple)
    def kind_of(value: Any, context: Any) -> Record:
        key = _look(value)
        if key not in known:
            known[key] = Record(named_tuple.__name__, tuple(zip(value._fields, map(_kind, value))))
        return known[key]

    return named_tuple


def _look(value: Any) -> tuple[Any, ...]:
    """What the type of a tuple follows from, found quickly: Python asks at every call."""
    return tuple([
        (part.dtype, part.ndim, part.flags.c_contiguous) if type(part) is np.ndarray
        else _look(part) if isinstance(part, tuple) else type(part)
        for part in value
    ])  # fmt: skip


def _kind(part: Any) -> Any:
    """Type of a field."""
    kind = typeof(part)
    if not isinstance(part, np.ndarray):
        return kind
    if kind.layout != "C":
        raise TypeError(f"a kernel takes C-contiguous arrays, not {kind}")
    return Lent(kind.dtype, kind.ndim)
