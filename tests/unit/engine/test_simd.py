"""Every vector operation against NumPy, at the width this processor chooses and at the other one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_systems import OTHER_WIDTH
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from topdown.engine import _jit, _registers, _simd, _slots
from topdown.engine._registers import BITS, F32, I32, LANES, WIDTH

REPOSITORY = Path(__file__).resolve().parents[3]
OTHER_WIDTHS = [width for width in (4, 8, 16) if width != WIDTH]
#: Sets of bits: all of them, of sixteen some.
SETS = np.arange(2**WIDTH) if WIDTH < 16 else np.unique(np.random.default_rng(9).integers(0, 2**16, 1500) | 1 << 15)
#: Slots of eight words, of which the first four are x, y, z and kind.
N_SLOTS = 12


def compiled(function: Callable[..., Any]) -> Any:
    """With the flags the engine's kernels have."""
    return njit(**_jit._FLAGS)(function)


# -- a register from an array and back, which the engine itself never needs ----------------------------------------------


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vector: Any) -> Any:
    pointer = builder.gep(context.make_array(array_type)(context, builder, array).data, [index])
    return builder.bitcast(pointer, context.get_value_type(vector).as_pointer())


def _reader(vector: Any) -> Any:
    @intrinsic
    def read(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.load(_place(context, builder, signature.args[0], *values, vector), align=4)

        return vector(array, types.intp), generate

    return read


@intrinsic
def write(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index : index + WIDTH] = value."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, index, value = values
        builder.store(value, _place(context, builder, signature.args[0], array, index, signature.args[2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@intrinsic
def write_bits(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index : index + WIDTH] = 1 where the bit is set, else 0 (int32)."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, index, value = values
        wide = builder.zext(value, ir.VectorType(ir.IntType(32), WIDTH))
        builder.store(wide, _place(context, builder, signature.args[0], array, index, I32), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, BITS), generate


floats, wholes = _reader(F32), _reader(I32)


@cache
def _elementwise(operation: Any, n_arguments: int, read: Any, store: Any) -> Any:
    """A loop over whole arrays; each is compiled once, whatever it is given."""
    if n_arguments == 1:

        @compiled
        def run(a, result):
            for k in range(0, a.shape[0], WIDTH):
                store(result, k, operation(read(a, k)))

    elif n_arguments == 2:

        @compiled
        def run(a, b, result):
            for k in range(0, a.shape[0], WIDTH):
                store(result, k, operation(read(a, k), read(b, k)))

    else:

        @compiled
        def run(a, b, c, result):
            for k in range(0, a.shape[0], WIDTH):
                store(result, k, operation(read(a, k), read(b, k), read(c, k)))

    return run


def applied(name: str, *arrays: np.ndarray, result: type = np.float32) -> np.ndarray:
    """An operation on registers, over whole arrays."""
    read = floats if arrays[0].dtype == np.float32 else wholes
    store = write_bits if name == "less" else write
    out = np.zeros(len(arrays[0]), result)
    _elementwise(getattr(_simd, name), len(arrays), read, store)(*arrays, out)
    return out


# -- numbers -------------------------------------------------------------------------------------------------------------


def numbers(n: int, seed: int) -> np.ndarray:
    """Of both signs and many magnitudes, zeros, neighbours and infinities among them; n a multiple of 64."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(n) * 10.0 ** rng.uniform(-12, 12, n)).astype(np.float32)
    x[:8] = 0.0, -0.0, 1.0, -1.0, np.nextafter(np.float32(1), np.float32(2)), 3.0, np.inf, -np.inf
    x[8 : n // 2] = (rng.integers(-(2**24), 2**24, n // 2 - 8) * 2.0**-12).astype(np.float32)
    return x


A, B, C = numbers(512, 1), np.roll(numbers(512, 2), 3), np.roll(numbers(512, 3), 5)
#: As B, but every other one equal to A, or its neighbour.
NEXT_TO_A = np.where(np.arange(512) % 2, np.nextafter(A, B), np.where(np.arange(512) % 4, A, B)).astype(np.float32)
NOT_NUMBERS = np.where(np.arange(512) % 7 == 0, np.float32(np.nan), A).astype(np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal bit for bit, but for the payload of what is not a number."""
    assert found.dtype == expected.dtype
    both_nan = np.isnan(found) & np.isnan(expected)
    as_bits = (found.view(np.uint32) == expected.view(np.uint32)) | both_nan
    assert as_bits.all(), (found[~as_bits][:5], expected[~as_bits][:5])


@pytest.mark.parametrize(
    ("name", "twin"), [("add", np.add), ("sub", np.subtract), ("mul", np.multiply)], ids=["add", "sub", "mul"]
)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_sums_and_products_are_rounded_as_numpy_rounds(name, twin):
    for other in (B, NEXT_TO_A, NOT_NUMBERS):
        same(applied(name, A, other), twin(A, other))


def test_fma_rounds_once():
    finite = np.isfinite(A) & np.isfinite(B) & np.isfinite(C)
    found = applied("fma", A, B, C)
    with np.errstate(over="ignore"):
        up, down = np.nextafter(found, np.float32(np.inf)), np.nextafter(found, np.float32(-np.inf))
    checked = 0
    for k in np.flatnonzero(finite & np.isfinite(up) & np.isfinite(down) & (np.abs(found) > 1e-30)):
        exact = Fraction(float(A[k])) * Fraction(float(B[k])) + Fraction(float(C[k]))
        off = abs(Fraction(float(found[k])) - exact)
        assert off <= min(abs(Fraction(float(up[k])) - exact), abs(Fraction(float(down[k])) - exact))
        checked += 1
    assert checked > 400
    a, rest = np.full(WIDTH, 1 + 2.0**-12, np.float32), np.full(WIDTH, -(1 + 2.0**-11), np.float32)
    assert applied("fma", a, a, rest).tolist() == [2.0**-24] * WIDTH  # 0 if the product were rounded


def test_differences_of_whole_numbers_wrap_around():
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-(2**31), 2**31, 512).astype(np.int32) for _ in range(2))
    a[:4], b[:4] = (-(2**31), 2**31 - 1, -(2**31), 0), (2**31 - 1, -(2**31), 1, -(2**31))
    found = applied("isub", a, b, result=np.int32)
    exact = a.astype(object) - b.astype(object)
    assert found.tolist() == [(d + 2**31) % 2**32 - 2**31 for d in exact]
    assert found[:4].tolist() == [1, -1, 2**31 - 1, -(2**31)]


def test_whole_numbers_become_floats():
    rng = np.random.default_rng(5)
    a = rng.integers(-(2**31), 2**31, 512).astype(np.int32)
    a[:6] = 0, -1, 2**24 + 1, -(2**24) - 3, 2**31 - 1, -(2**31)
    same(applied("to_float", a), a.astype(np.float32))


def test_magnitude():
    same(applied("magnitude", NOT_NUMBERS), np.abs(NOT_NUMBERS))


def test_quotients_and_roots_are_good_to_about_23_bits():
    """Of what is zero too; wider registers do without division and root."""
    rng = np.random.default_rng(6)
    x, y = (10.0 ** rng.uniform(-18, 18, (2, 65536))).astype(np.float32)
    exact = 1.0 / y.astype(np.float64)
    assert np.abs(applied("div", x, y) / (x * exact) - 1.0).max() < 2.0**-22.5
    assert np.abs(applied("square_root", x) / np.sqrt(x.astype(np.float64)) - 1.0).max() < 2.0**-21.5
    nothing = np.zeros(WIDTH, np.float32)
    assert applied("div", nothing, x[:WIDTH]).tolist() == nothing.tolist()
    assert applied("square_root", nothing).tolist() == nothing.tolist()


def test_comparison_is_false_for_what_is_not_a_number():
    for a, b in ((A, B), (A, NEXT_TO_A), (NOT_NUMBERS, B), (B, NOT_NUMBERS), (A, A)):
        assert applied("less", a, b, result=np.int32).tolist() == (a < b).astype(int).tolist()


def test_maximum_is_the_second_where_the_first_is_not_a_number():
    for a, b in ((A, B), (A, NEXT_TO_A), (NOT_NUMBERS, B)):
        found = applied("maximum", a, b)
        np.testing.assert_array_equal(found, np.where(np.isnan(a), b, np.maximum(a, b)))
    assert np.isfinite(B[np.isnan(NOT_NUMBERS)]).any()


def test_minimum_is_the_second_where_the_first_is_not_a_number():
    for a, b in ((A, B), (A, NEXT_TO_A), (NOT_NUMBERS, B)):
        np.testing.assert_array_equal(applied("minimum", a, b), np.where(np.isnan(a), b, np.minimum(a, b)))


@pytest.mark.parametrize("element", [0, 1, 2, 3])
def test_an_element_of_each_lane_in_all_of_it(element):
    a = np.arange(64, dtype=np.int32) * 7 - 100
    expected = np.repeat(a.reshape(-1, 4)[:, element], 4)
    assert applied(f"lane{element}", a, result=np.int32).tolist() == expected.tolist()


# -- bits ----------------------------------------------------------------------------------------------------------------


@compiled
def _bits(a, b, values, others, back, together, apart, chosen):
    for n in range(a.shape[0]):
        p, q = _simd.set_bits(a[n]), _simd.set_bits(b[n])
        write_bits(back, n * WIDTH, p)
        together[n], apart[n] = _simd.get_bits(_simd.both(p, q)), _simd.get_bits(_simd.either(p, q))
        write(chosen, n * WIDTH, _simd.where(p, floats(values, n * WIDTH), floats(others, n * WIDTH)))


def test_bits_and_choices():
    n = len(SETS)
    a = SETS.astype(np.uint32)
    b = np.random.default_rng(7).permutation(a)
    back, chosen = np.full(n * WIDTH, 9, np.int32), np.zeros(n * WIDTH, np.float32)
    together, apart = np.zeros(n, np.uint32), np.zeros(n, np.uint32)
    values, others = numbers(n * WIDTH, 8), np.full(n * WIDTH, np.nan, np.float32)
    _bits(a | (np.uint32(1) << np.uint32(31)), b, values, others, back, together, apart, chosen)
    expected = (a[:, None] >> np.arange(WIDTH, dtype=np.uint32)) & 1
    assert back.reshape(n, WIDTH).tolist() == expected.tolist()
    assert together.tolist() == (a & b).tolist()
    assert apart.tolist() == (a | b).tolist()
    same(chosen, np.where(expected.ravel() == 1, values, others))


@compiled
def _store_where(target, index, source, bits):
    return _simd.store_where(target, index, _simd.load(source, 1), bits)


def test_what_bits_choose_is_stored_side_by_side():
    source = np.arange(100, 101 + WIDTH, dtype=np.int32)
    for bits in SETS.tolist():
        target = np.full(3 * WIDTH, 7, np.uint32)
        kept = [int(source[1 + k]) for k in range(WIDTH) if bits >> k & 1]
        after = _store_where(target, 5, source, np.uint32(bits))
        assert after == 5 + len(kept)
        assert target[5:after].tolist() == kept
        beyond = np.concatenate([target[:5], target[5 + WIDTH :]])
        assert (beyond == 7).all(), "no more than a register may be written"


# -- from numbers and rows ------------------------------------------------------------------------------------------------


@compiled
def _splats(value, whole, array, single, all_float, all_whole, steps, loaded, four):
    write(all_float, 0, _simd.splat(value))
    write(all_whole, 0, _simd.splat_whole(whole))
    write(steps, 0, _simd.ramp(whole))
    write(loaded, 0, _simd.load(array, 3))
    write(four, 0, _simd.quad(single, 5))


def test_registers_from_numbers_and_rows():
    whole, array, single = np.int32(2**31 - 9), np.arange(20, dtype=np.int32) ** 3, np.arange(20, dtype=np.float32) / 3
    a, b, c, d, e = (np.zeros(WIDTH, t) for t in (np.float32, np.int32, np.int32, np.int32, np.float32))
    _splats(np.float32(-0.1), whole, array, single, a, b, c, d, e)
    assert a.tolist() == [np.float32(-0.1)] * WIDTH
    assert b.tolist() == [whole] * WIDTH
    assert c.tolist() == [(int(whole) + 4 * k + 2**31) % 2**32 - 2**31 for k in range(WIDTH)]
    assert d.tolist() == array[3 : 3 + WIDTH].tolist()
    assert e.tolist() == single[5:9].tolist() * LANES


@compiled
def _totals(a, result):
    for n in range(result.shape[0]):
        result[n] = _simd.total(floats(a, n * WIDTH))


def test_total_is_the_sum_of_all_elements():
    a = np.random.default_rng(9).standard_normal(64 * WIDTH).astype(np.float32)
    found = np.zeros(64, np.float32)
    _totals(a, found)
    rows = a.astype(np.float64).reshape(64, WIDTH)
    assert (np.abs(found - rows.sum(axis=1)) <= WIDTH * 2.0**-24 * np.abs(rows).sum(axis=1)).all()
    a[0] = np.inf
    _totals(a, found)
    assert found[0] == np.inf


# -- slots ---------------------------------------------------------------------------------------------------------------


def slots() -> np.ndarray:
    """(N_SLOTS, 8) words, all different; kinds 8, 16 and 0 in turn."""
    words = np.arange(8 * N_SLOTS, dtype=np.int32).reshape(N_SLOTS, 8) * 1000 + 3
    words[:, 3] = 8 * (np.arange(1, N_SLOTS + 1) % 3)
    return words


#: Rows hold four times the number of a slot; read from the third on.
ROWS = 4 * np.array([11, 11, 7, 2, 9, 0, 4, 5], np.uint32)


@compiled
def _gathers(words, rows, table, values, x, y, z, beads, parameters, charges):
    a, b, c = _slots.cluster_positions(words, 2)
    write(x, 0, a)
    write(y, 0, b)
    write(z, 0, c)
    write(beads, 0, _slots.gather(words, rows, 2))
    write(parameters, 0, _slots.gather_by_kind(table, words, rows, 2, 4))
    write(charges, 0, _slots.gather_values(values, rows, 2))


def test_what_is_gathered_from_slots():
    words, table = slots(), np.arange(40, dtype=np.float32) + 0.5
    values = np.random.default_rng(10).standard_normal(N_SLOTS).astype(np.float32)
    x, y, z, beads = (np.zeros(WIDTH, np.int32) for _ in range(4))
    parameters, charges = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    _gathers(words.ravel(), ROWS, table, values, x, y, z, beads, parameters, charges)
    for d, found in enumerate((x, y, z)):
        assert found.tolist() == words[8:12, d].tolist() * LANES
    chosen = (ROWS // 4)[2 : 2 + LANES]
    assert beads.tolist() == words[chosen, :4].ravel().tolist()
    assert parameters.tolist() == np.concatenate([table[4 + k : 8 + k] for k in words[chosen, 3]]).tolist()
    assert charges.tolist() == np.repeat(values[chosen], 4).tolist()


@compiled
def _positions_of_rows(words, rows, x, y, z):
    a, b, c = _slots.row_positions(words, rows, 2)
    write(x, 0, a)
    write(y, 0, b)
    write(z, 0, c)


def test_positions_of_rows_one_after_the_other():
    words, rows = slots(), 4 * np.random.default_rng(12).integers(0, N_SLOTS, WIDTH + 2).astype(np.uint32)
    found = [np.zeros(WIDTH, np.int32) for _ in range(3)]
    _positions_of_rows(words.ravel(), rows, *found)
    for d in range(3):
        assert found[d].tolist() == words[rows[2:] // 4, d].tolist()


@compiled
def _scatter(forces, rows, first, cluster, values):
    x, y, z = floats(values, 0), floats(values, WIDTH), floats(values, 2 * WIDTH)
    _slots.add_to_rows(forces, rows, first, x, y, z)
    _slots.subtract_from_cluster(forces, cluster, x, y, z)


@compiled
def _scatter_alone(forces, rows, first, cluster, values):
    x, y, z = floats(values, 0), floats(values, WIDTH), floats(values, 2 * WIDTH)
    _slots.add_to_lone_rows(forces, rows, first, x, y, z)
    _slots.subtract_from_lone_cluster(forces, cluster, x, y, z)


@pytest.mark.parametrize("first", [0, 1, 2, 4])
def test_forces_go_to_their_slots_and_nowhere_else(first):
    """Two rows of one slot (as the dummies that fill up packs are) both count."""
    rng = np.random.default_rng(11)
    before = rng.standard_normal((N_SLOTS, 8)).astype(np.float32)
    values = rng.standard_normal((3, LANES, 4)).astype(np.float32)
    after = before.copy()
    _scatter(after.reshape(-1), ROWS, first, 1, values.ravel())
    expected = before.astype(np.float64)
    for lane in range(LANES):
        expected[ROWS[first + lane] // 4, 4:7] += values[:, lane].astype(np.float64).sum(axis=1)
    expected[4:8, 4:7] -= values.astype(np.float64).sum(axis=1).T
    kept = np.ones(8, bool)
    kept[7] = False  # nobody's
    np.testing.assert_allclose(after[:, kept], expected[:, kept], rtol=0, atol=3e-6)
    assert after[:, :4].tobytes() == before[:, :4].tobytes()
    alone = np.ascontiguousarray(before[:, 4:])
    _scatter_alone(alone.reshape(-1), ROWS, first, 1, values.ravel())
    assert alone[:, :3].tobytes() == after[:, 4:7].tobytes()


# -- the other width -----------------------------------------------------------------------------------------------------


def _python(*arguments: str, width: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "TOPDOWN_SIMD_WIDTH": width}
    return subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=900
    )


@pytest.mark.skipif(OTHER_WIDTH, reason="this is the other width")
def test_the_environment_chooses_the_width_or_an_error_says_why_not():
    show = "from topdown.engine import _registers; print(_registers.WIDTH, _registers.LANES)"
    assert _python("-c", show, width="4").stdout.split() == ["4", "1"]
    assert _python("-c", show, width="").returncode == 0
    wrong = _python("-c", show, width="32")
    assert wrong.returncode == 1
    assert "SettingsError: TOPDOWN_SIMD_WIDTH is '32'" in wrong.stderr


def test_code_of_another_width_is_kept_apart(monkeypatch):
    here = _jit.engine_hash.__wrapped__()
    monkeypatch.setattr(_registers, "WIDTH", OTHER_WIDTHS[0])
    assert _jit.engine_hash.__wrapped__() != here


#: What is run at another width, which means compiling: operations, pair kernels, lists, one team of each size, and the
#: conservation of energy in a run.
CHOSEN = [
    "unit/engine/test_simd.py",
    "unit/engine/test_vector_forces.py",
    "unit/engine/test_neighbor_list.py::test_list_equals_all_pairs",
    "unit/engine/test_team.py::test_a_team_follows_the_path_of_one_thread[nve-2]",
    "unit/engine/test_team.py::test_a_team_follows_the_path_of_one_thread[nve-3]",
    "unit/engine/test_team.py::test_a_team_follows_the_path_of_one_thread[half-coupled lipids-2]",
    "physics/test_engine_dynamics.py::test_energy_is_conserved[water-mixed]",
    "physics/test_engine_dynamics.py::test_energy_error_of_a_droplet_falls_with_the_square_of_the_time_step[mixed]",
    "physics/test_engine_nist.py::test_truncated_potential_in_mixed_precision",
]
#: Systems have no bonded terms there (``of_this_width``).
#: What of these needs code that belongs to no width, so that compiling it once more shows nothing: double precision (what it
#: reads of lists of this width is among the lists above) and rare terms of molecules; and of the loops whose machine code is
#: looked at, which takes compiling them anew, those that measure: the others are the same with less to add up.
LEFT_OUT = "not double_precision and not rare and not constraints and not sites and not (width_chosen and True)"
#: What these add belongs to no width either – constraints, sites, barostats, steps in double precision – and passes in the
#: default suite at the width of this processor.
ALL = [
    *CHOSEN,
    "unit/engine/test_team.py::test_a_team_follows_the_path_of_one_thread",
    "physics/test_engine_dynamics.py::test_energy_is_conserved[water-double]",
    "physics/test_engine_dynamics.py::test_energy_error_of_a_droplet_falls_with_the_square_of_the_time_step",
]


def _passes(width: int, chosen: list[str], but: str = "") -> None:
    if _python("-c", "import topdown.engine", width=str(width)).returncode != 0:
        pytest.skip(f"this processor has no registers of {width}")
    # in one process: two would compile the same kernels
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-k", but)
    ran = _python("-m", "pytest", *options, *(f"tests/{name}" for name in chosen), width=str(width))
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]


@pytest.mark.skipif(OTHER_WIDTH, reason="this is the other width")
def test_another_width_passes_the_same_tests():
    _passes(OTHER_WIDTHS[0], CHOSEN, LEFT_OUT)


@pytest.mark.validate
@pytest.mark.skipif(OTHER_WIDTH, reason="this is the other width")
@pytest.mark.parametrize("width", OTHER_WIDTHS)
def test_every_width_passes_the_same_tests(width):
    _passes(width, ALL)
