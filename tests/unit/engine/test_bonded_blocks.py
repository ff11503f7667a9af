"""Bonded kernels against their twins: any number of terms, any mixture of functions, bonds with and without angles."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from engine_systems import NO_LENNARD_JONES, THREE_TYPES, everything, gate, molecule, table_over_degrees

from topdown.engine import reference, reference_bonded
from topdown.engine.bonded_forces import BLOCK, angle_forces, bending_torsion_forces, bond_forces, dihedral_forces
from topdown.engine.excluded_pairs import excluded_pair_forces
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import build_parameters
from topdown.engine.potentials import arc_cosine
from topdown.model import Angle, Bond, CGMolecule, Constraint, Dihedral, System

BOX = np.array([3.0, 2.5, 3.5])
TABLES = (table_over_degrees(), table_over_degrees(1.0, 1))


def _zigzag(components: list[tuple[CGMolecule, int]], seed: int = 1) -> tuple[System, np.ndarray]:
    """Bent chains in random places, and positions with every bead in whatever image."""
    rng = np.random.default_rng(seed)
    chains = []
    for m, count in components:
        k = np.arange(m.n_beads)
        shape = np.stack([0.3 * k, 0.25 * (k % 2), 0.2 * (k % 3 == 0)], axis=-1)
        for _ in range(count):
            turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
            chains.append((shape + rng.normal(0.0, 0.03, shape.shape)) @ turn + rng.random(3) * BOX)
    x = np.concatenate([*chains, np.zeros((0, 3))])
    system = System(table=NO_LENNARD_JONES, components=tuple(components), positions=x, box=BOX)
    return system, x + rng.integers(-2, 3, x.shape) * BOX


def _parts_of(system: System, n_parts: int) -> list[tuple[int, int]]:
    """Beads of whole molecules, cut into parts that cover the system."""
    starts = [start for _, start in system.molecules()]
    cuts = [0, *(starts[len(starts) * k // n_parts] for k in range(1, n_parts)), system.n_beads]
    return list(pairwise(cuts))


def _both_kernels_equal_the_twin(system: System, x: np.ndarray, constraint_stiffness: float = 0.0) -> None:
    bonded = build_parameters(system, constraint_stiffness=constraint_stiffness).bonded
    twin = (
        reference_bonded.bond_terms(x, BOX, bonded)
        + reference_bonded.angle_terms(x, BOX, bonded)
        + reference_bonded.dihedral_terms(x, BOX, bonded)
        + reference_bonded.bending_torsion_terms(x, BOX, bonded)
    )
    for measure in (True, False):
        energies, virial, forces = np.full(len(TERMS), 7.0), np.full((3, 3), 7.0), np.full(x.shape, 7.0)
        for kernel in (bond_forces, angle_forces, dihedral_forces, bending_torsion_forces):
            kernel((0, len(x)), x, BOX, bonded, forces, energies, virial, measure)
        largest = max(np.abs(twin.forces).max(initial=0.0), 1.0)
        assert np.abs(forces - 7.0 - twin.forces).max(initial=0.0) <= 1e-11 * largest
        shared = np.full(x.shape, 7.0)
        for own in _parts_of(system, 3):
            for kernel in (bond_forces, angle_forces, dihedral_forces, bending_torsion_forces):
                kernel(own, x, BOX, bonded, shared, np.zeros(len(TERMS)), np.zeros((3, 3)), measure)
        assert np.abs(shared - forces).max(initial=0.0) <= 1e-12 * largest, "terms left out or done twice"
        if measure:
            assert energies - 7.0 == pytest.approx(twin.energies, rel=1e-11, abs=1e-11)
            assert np.abs(virial - 7.0 - twin.virial).max() <= 1e-11 * max(np.abs(twin.virial).max(), 1.0)
        else:
            assert np.all(energies == 7.0)
            assert np.all(virial == 7.0)


def _angle(function: int, atoms: tuple[int, int, int], number: int = 0) -> Angle:
    table = TABLES[number % 2] if function == 8 else None
    return Angle(atoms=atoms, angle=100.0 + number, force_constant=20.0 + number, function=function, table=table)


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
@pytest.mark.parametrize("what", ["bonds", 1, 2, 8, 10])
def test_any_number_of_terms(what, count):
    """One molecule per term, and one that has none of them, so that bead numbers are not those of terms."""
    if what == "bonds":
        m = molecule("M", "AB", bonds=(Bond(atoms=(1, 0), length=0.35, force_constant=900.0),))
    else:
        bonds = (Bond(atoms=(2, 1), length=0.35, force_constant=900.0),)
        m = molecule("M", "ABA", bonds=bonds, angles=(_angle(what, (0, 1, 2)),))
    system, x = _zigzag([(molecule("N", "A"), 1), *([(m, count)] if count else [])], seed=count)
    _both_kernels_equal_the_twin(system, x)


def _mixed(seed: int) -> CGMolecule:
    """A chain with one to three angles on every triple, functions in random order, rings of bonds and doubled bonds."""
    rng = np.random.default_rng(seed)
    n = 9
    chain = [(int(a), int(a) + 1) for a in rng.permutation(n - 1)]
    pairs = [*chain, (3, 2), (2, 3), (0, 4), (8, 5)]
    triples = [tuple(t) for t in rng.permutation([(k, k + 1, k + 2) for k in range(n - 2)] * 3).tolist()][:15]
    kinds = rng.permutation([1, 2, 8, 10] * 4)
    quads = [(k, k + 1, k + 2, k + 3) for k in range(n - 3)]
    dihedrals = [
        Dihedral(
            atoms=quads[k % len(quads)], angle=30.0 + k, force_constant=4.0 + k, multiplicity=1 + k % 3, function=int(f),
            coefficients={3: (3.0, -6.0, 8.0, 5.0, -7.0, 4.0), 11: (2.0, -1.0, 3.0, 5.0, -4.0)}.get(int(f), ()),
        )
        for k, f in enumerate(rng.permutation([1, 2, 3, 9, 11] * 2))
    ]  # fmt: skip
    return molecule(
        f"M{seed}",
        "ABABABABA",
        bonds=tuple(Bond(atoms=a, length=0.3 + 0.01 * k, force_constant=800.0 + k) for k, a in enumerate(pairs)),
        angles=tuple(_angle(int(f), t, k) for k, (f, t) in enumerate(zip(kinds, triples))),
        dihedrals=tuple(dihedrals),
    )


@pytest.mark.parametrize("seed", range(4))
def test_functions_in_any_order_in_several_kinds_of_molecules(seed):
    one, two = _mixed(2 * seed), _mixed(2 * seed + 1)
    assert [a.function for a in one.angles] != [a.function for a in two.angles]
    _both_kernels_equal_the_twin(*_zigzag([(one, 5), (molecule("W", "A"), 3), (two, 4), (one, 2)], seed=seed))


def test_stiff_bonds_in_place_of_constraints_lie_along_arms_too():
    links = tuple(Constraint(atoms=(k, k + 1), length=0.31) for k in range(3))
    m = molecule("M", "ABAB", constraints=links, angles=(_angle(1, (0, 1, 2)), _angle(2, (1, 2, 3))))
    system, x = _zigzag([(m, 4)])
    assert len(build_parameters(system, constraint_stiffness=1000.0).bonded.lone_bonds) == 0
    _both_kernels_equal_the_twin(system, x, constraint_stiffness=1000.0)


def test_every_bond_is_either_on_the_arm_of_one_angle_or_alone():
    m = _mixed(1)
    bonded = build_parameters(_zigzag([(m, 2)])[0]).bonded
    values = Counter(map(tuple, bonded.bond_values))
    lone = Counter(map(tuple, bonded.lone_bond_values))
    on_arms = Counter(map(tuple, bonded.angle_bonds.reshape(-1, 2)))
    del on_arms[0.0, 0.0]
    assert lone + on_arms == values
    # no angle has an arm along (0, 4) or (8, 5)
    assert {(0, 4), (8, 5)} <= set(map(tuple, bonded.lone_bonds.tolist()))
    assert sum(on_arms.values()) == 2 * 10, "eight of the chain and two that double 2-3"


def test_angles_are_sorted_by_function_and_otherwise_in_order():
    bonded = build_parameters(_zigzag([(_mixed(1), 3), (_mixed(2), 2)])[0]).bonded
    for k, function in enumerate((1, 2, 8, 10)):
        rows = slice(*bonded.angle_kinds[k : k + 2].astype(int))
        assert np.all(bonded.angle_functions[rows] == function)
        assert np.all(np.diff(bonded.angles[rows, 0].astype(int) // 9) >= 0), "molecules follow one another"
    assert bonded.angle_kinds[-1] == len(bonded.angles)


def test_the_same_positions_give_the_same_bits():
    system, x = _zigzag([(_mixed(1), 8)])
    bonded = build_parameters(system).bonded
    results = []
    for measure in (False, False, True, True):
        forces = np.zeros_like(x)
        for kernel in (bond_forces, angle_forces, dihedral_forces, bending_torsion_forces):
            kernel((0, len(x)), x.copy(), BOX, bonded, forces, np.zeros(len(TERMS)), np.zeros((3, 3)), measure)
        results.append(forces)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[2], results[3])
    gate("bonded forces with and without energies", float(np.abs(results[0] - results[2]).max()), 1e-10)


def test_excluded_pairs_without_charge_are_not_listed_and_the_others_equal_the_twin():
    system = everything(2)
    pair = build_parameters(system).pair
    charged = [tuple(p) for p in pair.excluded_pairs.tolist() if np.all(pair.charges[p] != 0.0)]
    assert [tuple(p) for p in pair.charged_exclusions.tolist()] == charged
    assert 0 < len(charged) < len(pair.excluded_pairs)
    assert pair.charged.tolist() == [k for k, q in enumerate(pair.charges) if q != 0.0]
    x, box = np.array(system.positions), np.array(system.box)
    twin = reference.excluded_terms(x, box, pair)
    forces, energies, virial = np.zeros_like(x), np.zeros(len(TERMS)), np.zeros((3, 3))
    excluded_pair_forces((0, len(x)), x, box, pair, forces, energies, virial, True)
    assert energies == pytest.approx(twin.energies, rel=1e-13)
    assert np.abs(forces - twin.forces).max() <= 1e-12 * np.abs(twin.forces).max()
    assert np.abs(virial - twin.virial).max() <= 1e-12 * np.abs(twin.virial).max()
    neutral = System(
        table=THREE_TYPES, components=((molecule("M", "AB", exclusions=((0, 1),)), 1),),
        positions=np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0]]), box=[3.0] * 3,
    )  # fmt: skip
    parameters = build_parameters(neutral)
    assert len(parameters.pair.excluded_pairs) == 1
    assert len(parameters.pair.charged_exclusions) == len(parameters.pair.charged) == 0


def test_the_angle_of_a_cosine():
    """To a few units in the last place, everywhere and where its two branches meet."""
    cosines = np.concatenate(
        [np.linspace(-1.0, 1.0, 4001), np.cos(np.geomspace(1e-7, 1.0, 500)), np.nextafter(0.5, [0.0, 1.0]), [-0.5, 0.5]]
    )
    angles = np.array([arc_cosine(float(c)) for c in cosines])
    np.testing.assert_allclose(angles, np.arccos(cosines), rtol=5e-16, atol=4e-16)
