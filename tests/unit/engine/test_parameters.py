"""The arrays of a system, against one plain loop over its molecules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_systems import W, bead_table, constrained, everything, placed, rare, sterols

from topdown.engine.parameters import build_parameters
from topdown.model import System

SYSTEMS = {
    "everything": everything,
    "constrained": constrained,
    "rare": rare,
    "sterols": sterols,
    "water": lambda: placed(((W, 60),), (2.7, 2.7, 2.7)),
    "again": lambda: placed(((W, 3), *everything().components, (W, 0), (W, 2)), (4.0, 4.0, 4.0)),
    "nothing": lambda: System(
        table=bead_table([[1.0]], [[0.47]]), components=(), positions=np.zeros((0, 3)), box=[3.0] * 3
    ),
}


@pytest.mark.parametrize("case", list(SYSTEMS))
def test_arrays_equal_those_of_a_loop_over_molecules(case):
    system = SYSTEMS[case]()
    p = build_parameters(system)
    masses, charges, types, starts, molecule_masses, groups = [], [], [], [0], [], [0]
    bonds, angles, dihedrals, torsions, constraints, lengths, excluded = [], [], [], [], [], [], []
    for molecule, first in system.molecules():
        here = lambda term, first=first: [first + atom for atom in term.atoms]  # noqa: E731
        starts.append(first + molecule.n_beads)
        molecule_masses.append(math.fsum(b.mass for b in molecule.beads))
        for bead in molecule.beads:
            masses.append(bead.mass)
            charges.append(bead.charge)
            types.append(bead.bead_type)
        bonds += [(*here(b), b.length, b.force_constant) for b in molecule.bonds]
        angles += [here(a) for a in molecule.angles]
        dihedrals += [(*here(d), d.multiplicity) for d in molecule.dihedrals if d.function in (1, 2, 9)]
        torsions += [here(d) for d in molecule.dihedrals if d.function == 11]
        constraints += [here(c) for c in molecule.constraints]
        lengths += [c.length for c in molecule.constraints]
        if molecule.constraints:
            groups.append(len(constraints))
        excluded += [(first + i, first + j) for i, j in molecule.excluded_pairs()]
    assert p.molecules.start.tolist() == starts
    assert p.molecules.masses.tolist() == masses
    np.testing.assert_allclose(p.molecules.molecule_masses, molecule_masses, rtol=1e-14)
    assert p.molecules.inverse_masses.tolist() == [1.0 / m if m else 0.0 for m in masses]
    assert p.pair.charges.tolist() == charges
    assert [p.type_names[k] for k in p.pair.types] == types
    assert sorted(map(tuple, np.column_stack([p.bonded.bonds, p.bonded.bond_values]).tolist())) == sorted(bonds)
    assert sorted(p.bonded.angles.tolist()) == sorted(angles)
    plain = p.bonded.dihedral_functions != 3
    rows = np.column_stack([p.bonded.dihedrals, p.bonded.dihedral_values[:, 2]])[plain].tolist()
    assert sorted(map(tuple, rows)) == sorted(dihedrals)
    assert sorted(p.bonded.bending_torsions.tolist()) == sorted(torsions)
    assert p.constraints.pairs.tolist() == constraints
    assert p.constraints.lengths.tolist() == lengths
    assert p.constraints.group_start.tolist() == groups
    two_way = {(i, j) for i, j in excluded} | {(j, i) for i, j in excluded}
    rows = np.repeat(np.arange(system.n_beads), np.diff(p.pair.exclusion_start))
    assert list(zip(rows.tolist(), p.pair.exclusions.tolist())) == sorted(two_way)
    for array in (p.molecules.start, p.pair.types, p.pair.exclusion_start, p.constraints.group_start, p.bonded.bonds):
        assert array.dtype == np.uint32
        assert array.flags.c_contiguous
