"""Named tuples as kernels see them, and parts called by their address."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from topdown.engine._jit import call_part, helper, kernel, kind_of, part, shared
from topdown.engine._lent import Lent, lent


@lent
class Inner(NamedTuple):
    weight: float
    rows: np.ndarray


@lent
class Outer(NamedTuple):
    counts: np.ndarray
    flag: bool
    number: int
    inner: Inner
    cube: np.ndarray
    singles: np.ndarray


def outer(flag: bool = True) -> Outer:
    return Outer(
        counts=np.arange(5),
        flag=flag,
        number=-7,
        inner=Inner(0.25, np.arange(12.0).reshape(4, 3)),
        cube=np.arange(24.0).reshape(2, 3, 4),
        singles=np.arange(3, dtype=np.float32),
    )


@helper
def _last_row(rows: Any) -> Any:
    return rows[rows.shape[0] - 1]


@kernel
def _read(lent_one: Any) -> Any:
    inner = lent_one.inner
    row = _last_row(inner.rows)
    return (
        lent_one.counts[4], lent_one.flag, lent_one.number, inner.weight, row[2], inner.rows.reshape(-1)[4],
        lent_one.cube[1, 2, 3], lent_one.cube[1].shape[1], lent_one.singles[2], inner.rows.size,
    )  # fmt: skip


@kernel
def _write(lent_one: Any) -> None:
    lent_one.counts[1:3] = 9
    lent_one.inner.rows[3, 2] = -1.0
    _last_row(lent_one.inner.rows)[0] = 5.0


@pytest.mark.parametrize("flag", [True, False])
def test_fields_of_every_kind_are_found(flag):
    assert _read(outer(flag)) == (4, flag, -7, 0.25, 11.0, 4.0, 23.0, 4, 2.0, 12)


def test_arrays_are_written_to_where_they_are():
    given = outer()
    _write(given)
    assert given.counts.tolist() == [0, 9, 9, 3, 4]
    assert given.inner.rows[3].tolist() == [5.0, 10.0, -1.0]


def test_types_follow_from_the_kinds_of_fields():
    kind = kind_of(outer())
    assert kind is kind_of(outer(False))
    assert dict(kind.fields)["cube"] == Lent(kind_of(np.zeros(1)).dtype, 3)
    assert kind_of(outer()._replace(singles=np.zeros(3))) != kind
    assert kind_of(outer()._replace(number=0.5)) != kind


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(TypeError, match="C-contiguous"):
        kind_of(outer()._replace(cube=np.zeros((2, 3, 4)).T))


def test_nobody_s_reference_is_lost():
    """The arrays die with their last owner in Python, not before and not never."""
    import gc
    import weakref

    given = outer()
    watched = weakref.ref(given.counts)
    for _ in range(5):
        _read(given)
        _write(given)
    assert given.counts[4] == 4
    del given
    gc.collect()
    assert watched() is None


# -- parts -------------------------------------------------------------------------------------------------------------


@part
def _weighed(lent_one: Any, factor: int) -> int:
    total = 0
    for count in lent_one.counts:
        total += factor * count
    lent_one.singles[0] = total
    return total


@kernel
def _by_address(address: int, lent_one: Any, factor: int) -> int:
    return call_part(address, (lent_one, factor)) if address != 0 else -1


def test_a_part_is_called_by_its_address():
    given = outer()
    address = _weighed.address((kind_of(given), kind_of(0)))
    assert address == _weighed.address((kind_of(outer(False)), kind_of(1)))
    assert _by_address(address, given, 3) == 30
    assert given.singles[0] == 30.0
    assert _by_address(0, given, 3) == -1


@shared
def _first_of(numbers: Any) -> Any:
    return numbers[0]


@kernel
def _first_single(lent_one: Any) -> Any:
    return _first_of(lent_one.singles)


def test_a_shared_function_is_called_by_python_and_by_kernels():
    assert _first_of(np.array([3.0, 4.0])) == 3.0
    assert _first_single(outer()) == 0.0
    assert len(_first_of.kernel.signatures) == 1  # lent arrays are another matter
