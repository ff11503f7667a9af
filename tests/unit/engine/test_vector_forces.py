"""Pairs in mixed precision against the double path of the same lists and against the O(n²) twin."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_precision import evaluated, place_all, prepared
from engine_systems import (
    CUTOFF,
    LIPID,
    THREE_TYPES,
    WATER,
    W,
    bead_table,
    constrained,
    everything,
    gate,
    molecule,
    none_at_the_cutoff,
    placed,
    rare,
    rms,
    sterols,
    water,
)

from topdown.engine import reference
from topdown.engine._jit import kernel
from topdown.engine._registers import WIDTH
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import Parameters
from topdown.engine.vector_forces import vector_forces, vector_forces_and_energies
from topdown.model import System

#: Gates of mixed precision (relative): root mean square of the force error, energy, largest element of the virial.
FORCE, ENERGY, VIRIAL = 1e-5, 1e-6, 1e-5


def salt(edges: tuple[float, float, float], n: int = 60) -> System:
    """Charges everywhere, and exclusions inside molecules, in and out of the box, some beads on its faces or half-way between."""
    ion, dimer = molecule("ION", "C", charges=[1.0]), molecule("DIM", "BA", charges=[0.5, -1.5], exclusions=((0, 1),))
    system = placed(((LIPID, 3), (ion, 12), (dimer, 12), (W, n)), edges, closest=0.33, seed=3)
    x, edges = np.array(system.positions), 0.5 * np.array(system.box)
    face = edges * np.rint(x / edges)
    x = np.where(np.abs(x - face) < 0.06, face, x)
    assert (x == face).sum() > 10
    x += system.box * np.random.default_rng(3).integers(-2, 3, x.shape)
    return system.with_coordinates(x)


def without_shift(system: System) -> System:
    return replace(system, table=replace(system.table, scheme=replace(system.table.scheme, lj_modifier="none")))


def lone(n: int) -> System:
    """A few beads, some charged."""
    m = molecule("FEW", "ABCBA"[:n], charges=[1.0, -1.0, 0.0, 0.5, 0.0][:n])
    x = np.random.default_rng(n).uniform(0.0, 0.9, (n, 3)) + np.arange(n)[:, None] * 0.2
    return System(table=THREE_TYPES, components=((m, 1),), positions=x, box=[2.3, 2.4, 2.5])


#: Systems, component coupled as a solute, and λ.
CASES: dict[str, tuple[Callable[[], System], int, float]] = {
    "water": (lambda: water(300), -1, 1.0),
    "water, not shifted": (lambda: without_shift(water(300)), -1, 1.0),
    "water, box of twice the cut-off": (lambda: water(90, density=90 / 2.2001**3), -1, 1.0),
    "three types": (lambda: placed([(molecule(t, t), 60) for t in "ABC"], (3.0, 3.1, 2.9), closest=0.3), -1, 1.0),
    "mixture": (everything, -1, 1.0),
    "mixture, not shifted": (lambda: without_shift(everything(4)), -1, 1.0),
    "charges, cube": (lambda: salt((3.0, 3.0, 3.0)), -1, 1.0),
    "charges, flat box": (lambda: salt((5.2, 4.1, 2.21)), -1, 1.0),
    "charges, long box": (lambda: salt((2.25, 2.4, 9.0)), -1, 1.0),
    "half-coupled solute": (everything, 1, 0.5),
    "half-coupled lipids": (lambda: everything(5), 0, 0.5),
    "decoupled solute": (lambda: everything(6), 2, 0.0),
    "rare terms": (rare, -1, 1.0),
    "constraints": (constrained, -1, 1.0),
    "virtual sites": (sterols, -1, 1.0),
}


def pair_energies(parameters: Parameters, x, box) -> float:
    """Σ |u| over pairs: what an error of their sum is compared with, in which most cancels."""
    energies, _ = reference._pair_arm(x, box, parameters.pair)
    return float(sum(np.abs(values).sum() for values in energies.values()))


def check_mixed(name: str, double: bool) -> None:
    """One of ``CASES`` in mixed precision against its twin, or, ``double``, both against double precision."""
    make, component, lam = CASES[name]
    parameters, x, box, near = prepared(make(), component)
    assert none_at_the_cutoff(x, box, parameters.pair.cutoff)
    mixed = evaluated(parameters, x, box, near, lam, double=False)
    twin, pairs = reference.total(parameters, x, box, lam=lam), reference.pair_terms(x, box, parameters.pair)
    forces, energies, virial = twin.forces, twin.energies, twin.virial
    scale = rms(pairs.forces)
    assert scale > 1.0
    if double:
        forces, energies, virial = evaluated(parameters, x, box, near, lam, double=True)
        assert np.abs(forces - twin.forces).max() <= 1e-10 * np.abs(twin.forces).max()
        np.testing.assert_allclose(energies, twin.energies, rtol=1e-10, atol=1e-10 * np.abs(twin.energies).max())
        assert np.abs(virial - twin.virial).max() <= 1e-10 * np.abs(twin.virial).max()
    other = "double" if double else "twin"
    gate(f"{name}: mixed force against {other}, rms, relative", rms(mixed[0] - forces) / scale, FORCE)
    gate(
        f"{name}: mixed energies against {other}, relative to pairs",
        np.abs(mixed[1] - energies).max() / pair_energies(parameters, x, box),
        ENERGY,
    )
    gate(
        f"{name}: mixed virial against {other}, relative",
        np.abs(mixed[2] - virial).max() / np.abs(pairs.virial).max(),
        VIRIAL,
    )
    assert not np.array_equal(mixed[0], forces), "both are the same code"


@pytest.mark.parametrize("name", list(CASES))
def test_mixed_precision_equals_the_twin(name):
    check_mixed(name, double=False)


@pytest.mark.parametrize("name", list(CASES))
def test_double_precision_equals_the_twin_and_mixed_equals_both(name):
    check_mixed(name, double=True)


@pytest.mark.parametrize("name", list(CASES))
def test_measuring_does_not_change_the_forces(name):
    make, component, lam = CASES[name]
    parameters, x, box, near = prepared(make(), component)
    scale = rms(reference.pair_terms(x, box, parameters.pair).forces)
    measured, plain = (evaluated(parameters, x, box, near, lam, double=False, measure=m) for m in (True, False))
    gate(f"{name}: measured force against plain, rms, relative", rms(measured[0] - plain[0]) / scale, 2e-6)
    assert not plain[1].any()
    assert not plain[2].any()
    once_more = evaluated(parameters, x, box, near, lam, double=False, measure=False)
    assert once_more[0].tobytes() == plain[0].tobytes()


@pytest.mark.parametrize("longer", [0.0, 0.1, 0.4])
def test_forces_do_not_depend_on_how_far_the_lists_reach(longer):
    parameters, x, box, near = prepared(everything(2), longer=0.7)
    expected = evaluated(parameters, x, box, near, double=False)
    parameters, x, box, near = prepared(everything(2), longer=longer)
    found = evaluated(parameters, x, box, near, double=False)
    scale = rms(reference.pair_terms(x, box, parameters.pair).forces)
    gate("force with another list, rms, relative", rms(found[0] - expected[0]) / scale, 1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_few_beads(n):
    parameters, x, box, near = prepared(lone(n))
    mixed = evaluated(parameters, x, box, near, double=False)
    twin = reference.total(parameters, x, box)
    assert np.abs(mixed[0] - twin.forces).max() <= 1e-6 * np.abs(twin.forces).max()
    np.testing.assert_allclose(mixed[1], twin.energies, rtol=1e-6, atol=1e-6 * np.abs(twin.energies).max())
    np.testing.assert_allclose(mixed[2], twin.virial, atol=1e-6 * np.abs(twin.virial).max())
    assert (n == 1) == (not twin.forces.any())


@pytest.mark.parametrize("measure", [True, False])
@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-3, 9.99e-3, 1.01e-2])
def test_beads_in_one_place_feel_a_huge_but_finite_force(apart, measure):
    """Below ``SMALLEST_R2`` the force goes to zero along the line, in double and in mixed precision alike."""
    system = salt((3.0, 3.0, 3.0))
    x = np.array(system.whole().positions)
    x[-1] = x[-2] + [apart, 0.0, 0.0]  # two beads of water
    x[-3] = x[-4]
    parameters, x, box, near = prepared(system.with_coordinates(x))
    forces, energies, _ = evaluated(parameters, x, box, near, double=False, measure=measure)
    twin = reference.total(parameters, x, box)
    assert np.isfinite(forces).all()
    assert (np.abs(forces[-1]).max() > 1e20) == (apart > 1e-4)
    # the distance is a difference of whole numbers, 2e-10 of the box each
    assert np.abs(forces - twin.forces).max() <= (1e-5 if apart > 1e-4 else 3e-2) * np.abs(twin.forces).max()
    if measure:
        assert energies.sum() == pytest.approx(twin.energies.sum(), rel=2e-5)


def test_ions_in_one_place_are_finite_too():
    pair = molecule("PAI", "BC", charges=[1.0, -1.0])
    x = np.concatenate([[[0.4, 0.4, 0.4]] * 2, np.random.default_rng(2).uniform(0, 2.5, (8, 3))])
    nothing = bead_table([[0.0] * 3] * 3, [[0.47] * 3] * 3)
    system = System(table=nothing, components=((pair, 5),), positions=x, box=[2.5] * 3)
    parameters, x, box, near = prepared(system)
    mixed, twin = evaluated(parameters, x, box, near, double=False), reference.total(parameters, x, box)
    assert np.abs(mixed[0] - twin.forces).max() <= 1e-6 * np.abs(twin.forces).max()
    np.testing.assert_allclose(mixed[1], twin.energies, rtol=1e-6)


def test_a_bead_that_is_not_a_number_is_seen():
    _, x, box, near = prepared(water(100))
    x[7, 1] = np.nan
    assert not place_all(x, box, near, CUTOFF)


def test_pairs_inside_the_cutoff_count_and_others_do_not():
    """Two beads as near the cut-off as float32 tells apart."""
    for r, inside in ((CUTOFF * (1 - 3e-7), True), (CUTOFF * (1 + 3e-7), False)):
        system = System(
            table=without_shift(water(2)).table, components=((W, 2),), box=[2.5] * 3,
            positions=np.array([[0.1, 1.0, 1.0], [0.1 - r, 1.0, 1.0]]),
        )  # fmt: skip
        parameters, x, box, near = prepared(system)
        forces, energies, _ = evaluated(parameters, x, box, near, double=False)
        assert (energies[TERMS.index("lj")] != 0.0) == inside
        assert (forces[0, 0] != 0.0) == inside
    assert WATER.scheme.cutoff == CUTOFF


# -- what the compiler made of it ----------------------------------------------------------------------------------------


@kernel
def _plain(last, box, pair, near):
    vector_forces(0, last, box, pair, near, near.forces)


@kernel
def _measured(last, box, pair, near, energies, virial):
    vector_forces_and_energies(0, last, box, pair, near, near.forces, energies, virial)


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names of x86 instructions")
def test_the_compiled_loops_are_vectors_of_the_width_chosen(measure):
    """No gathering element by element, arithmetic on whole registers, and no call left inside."""
    parameters, x, box, near = prepared(everything())
    place_all(x, box, near, CUTOFF)
    function = _measured if measure else _plain
    sums = (np.zeros(len(TERMS)), np.zeros((3, 3))) if measure else ()
    function(int(near.counts[0]), box, parameters.pair, near, *sums)
    if sum(function.stats.cache_hits.values()):  # machine code from the cache cannot be read
        function.recompile()
    (assembly,) = function.inspect_asm().values()
    assert not re.search(r"^\s+vp?gather", assembly, re.MULTILINE)
    register = {4: "xmm", 8: "ymm", 16: "zmm"}[WIDTH]
    inverse = r"vrcp14ps" if WIDTH == 16 else r"v?divps"
    for operation, least in ((r"v?mulps", 20), (r"v?addps", 8), (r"v?cmp\w*ps", 2), (inverse, 1)):
        found = re.findall(rf"^\s+{operation}\s[^\n]*%{register}\d", assembly, re.MULTILINE)
        assert len(found) >= least, operation
    if WIDTH > 4:
        assert re.search(rf"^\s+vfn?m\w+ps\s[^\n]*%{register}", assembly, re.MULTILINE)
        assert re.search(rf"^\s+v(rsqrt14|rsqrt|sqrt)ps\s[^\n]*%{register}", assembly, re.MULTILINE)
