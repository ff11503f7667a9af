"""A small system with every kind of term, shared by the tests of this room."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.model import (
    Angle,
    Bead,
    BeadTable,
    BeadType,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    Provenance,
    System,
)


@pytest.fixture
def table() -> BeadTable:
    names = ("W", "C1", "SC3", "Q5", "P4")
    rng = np.random.default_rng(3)
    epsilon, sigma = rng.uniform(1, 6, (5, 5)), rng.uniform(0.3, 0.6, (5, 5))
    return BeadTable(
        name="trial",
        bead_types=tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in names),
        epsilon=(epsilon + epsilon.T) / 2,
        sigma=(sigma + sigma.T) / 2,
        provenance=Provenance(source="made up", licence="none"),
    )


@pytest.fixture
def molecule() -> CGMolecule:
    types = ("C1", "C1", "SC3", "SC3", "Q5")
    return CGMolecule(
        name="surfactant",
        smiles="CCCCCCCC/C=C\\CCCC",
        beads=tuple(
            Bead(name=f"B{k}", bead_type=t, mass=50.0 + k, charge=-1.0 if t == "Q5" else 0.0, reason="tail; see [1]")
            for k, t in enumerate(types)
        ),
        bonds=(
            Bond(atoms=(0, 1), length=0.47, force_constant=1250.0),
            Bond(atoms=(1, 2), length=0.1 + 0.2, force_constant=5000.0),
            Bond(atoms=(0, 4), length=0.8, force_constant=500.0, function=6),
        ),
        constraints=(Constraint(atoms=(2, 3), length=0.29), Constraint(atoms=(3, 4), length=0.31)),
        angles=(
            Angle(atoms=(0, 1, 2), angle=180.0, force_constant=25.0),
            Angle(atoms=(1, 2, 3), angle=120.0, force_constant=50.0, function=1),
        ),
        dihedrals=(
            Dihedral(atoms=(0, 1, 2, 3), angle=-70.0, force_constant=50.0),
            Dihedral(atoms=(1, 2, 3, 4), angle=180.0, force_constant=3.0, multiplicity=1, function=1),
            Dihedral(atoms=(1, 2, 3, 4), angle=0.0, force_constant=1.5, multiplicity=2, function=9),
        ),
        exclusions=((0, 3), (0, 2), (1, 4)),
        nrexcl=2,
    )


@pytest.fixture
def system(table: BeadTable, molecule: CGMolecule) -> System:
    water = CGMolecule(name="W", beads=(Bead(name="W", bead_type="W"),))
    rng = np.random.default_rng(5)
    centres = rng.uniform(-6, 12, size=(5, 1, 3))
    shape = np.cumsum(rng.uniform(0.1, 0.3, size=(5, 3)), axis=0)
    return System(
        table=table,
        components=((molecule, 2), (molecule, 3), (water, 4)),
        positions=np.concatenate([(centres + shape).reshape(-1, 3), rng.uniform(0, 5, size=(4, 3))]),
        velocities=rng.normal(size=(29, 3)),
        box=np.array([5.0, 5.5, 6.0]),
        title="trial system",
    )
