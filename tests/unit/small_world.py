"""A soft little world with a short cut-off, in which a liquid of 64 beads, and a slab of 250, will do."""

from __future__ import annotations

import numpy as np

from topdown.model import Bead, BeadTable, BeadType, Bond, CGMolecule, NonbondedScheme


def single(name: str) -> CGMolecule:
    return CGMolecule(name=name, beads=(Bead(name=name, bead_type=name),))


def small_table(epsilon: float = 1.2) -> BeadTable:
    """A and B: a soft little world with a short cut-off, so that a box of 64 beads will do."""
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in ("A", "B"))
    return BeadTable(
        name="small",
        bead_types=types,
        epsilon=np.array([[3.6, epsilon], [epsilon, 3.0]]),
        sigma=np.full((2, 2), 0.40),
        scheme=NonbondedScheme(cutoff=0.75),
    )


def dimer(charge: float = 0.0) -> CGMolecule:
    """A and B on a spring, with opposite charges where asked for."""
    beads = (Bead(name="A", bead_type="A", charge=charge), Bead(name="B", bead_type="B", charge=-charge))
    bond = Bond(atoms=(0, 1), length=0.3, force_constant=3000.0)
    return CGMolecule(name="AB", beads=beads, bonds=(bond,), molar_mass=100.0)
