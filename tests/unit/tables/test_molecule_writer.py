"""Curated models written as TOML and read back: nothing that matters is lost, and what cannot be kept is refused."""

from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import BeadTableError
from topdown.model import (
    Angle,
    Bead,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    PositionRestraint,
    TabulatedPotential,
    VirtualSite,
)
from topdown.tables import list_molecules, load_bead_types, load_curated_molecule, molecule_toml, write_molecule
from topdown.tables.molecules import read_molecule

TYPES = load_bead_types("martini3")
KEPT = (
    "name", "bonds", "constraints", "angles", "dihedrals", "virtual_sites", "exclusions", "nrexcl", "smiles",
    "canonical_smiles", "molar_mass",
)  # fmt: skip


def everything() -> CGMolecule:
    """One term of every kind, with values that have no short decimal form."""
    third = 1.0 / 3.0
    beads = [Bead(name=f"B{k}", bead_type="SC1", mass=45.0 + third, charge=0.1 + 0.2) for k in range(4)]
    sites = [Bead(name=f"V{k}", bead_type="TC2", mass=0.0, residue="RES", residue_number=7) for k in range(8)]
    kinds = {
        "2": (2, (third,)), "2fd": (2, (0.1,)), "3": (3, (third, 0.2)), "3fd": (3, (0.5, 0.27)),
        "3fad": (3, (110.0, 0.3)), "3out": (3, (third, 0.1, -2.0)), "4fdn": (4, (0.9, 1.1, 0.2)), "n": (4, (1.0,) * 4),
    }  # fmt: skip
    return CGMolecule(
        name="All-1",
        beads=(*beads, *sites),
        bonds=(Bond(atoms=(0, 1), length=third, force_constant=1e5 / 3, function=6),),
        constraints=(Constraint(atoms=(1, 2), length=0.3, function=2), Constraint(atoms=(2, 3), length=0.4)),
        angles=tuple(Angle(atoms=(0, 1, 2), angle=100 * third, force_constant=7.0, function=f) for f in (1, 2, 10)),
        dihedrals=(
            Dihedral(atoms=(0, 1, 2, 3), angle=-179.7, force_constant=50.0, function=2),
            Dihedral(atoms=(0, 1, 2, 3), angle=60.0, force_constant=-5.0, multiplicity=3, function=1),
            Dihedral(atoms=(0, 1, 2, 3), angle=60.0, force_constant=5.0, multiplicity=2, function=9),
            Dihedral(atoms=(0, 1, 2, 3), angle=0.0, force_constant=0.0, function=3, coefficients=(third,) * 6),
            Dihedral(atoms=(0, 1, 2, 3), angle=0.0, force_constant=third, function=11, coefficients=(third,) * 5),
        ),
        virtual_sites=tuple(
            VirtualSite(site=4 + k, construction=kind, atoms=tuple(range(n)), parameters=values)
            for k, (kind, (n, values)) in enumerate(kinds.items())
        ),
        exclusions=((0, 3), (1, 4), (1, 5)),
        nrexcl=0,
        positions=np.random.default_rng(1).normal(size=(12, 3)),
        smiles="C\\C=C/C",
        canonical_smiles="C/C=C\\C",
        molar_mass=56.108,
    )


def test_every_kind_of_term_comes_back_bit_for_bit(tmp_path):
    model = everything()
    path = write_molecule(model, tmp_path / "molecules", bead_types=TYPES)
    assert path == tmp_path / "molecules" / "All-1.toml"
    back = read_molecule(path, TYPES).model
    for name in KEPT:
        assert getattr(back, name) == getattr(model, name), name
    assert [replace(bead, reason="") for bead in back.beads] == list(model.beads)
    np.testing.assert_array_equal(back.positions, model.positions)


@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_every_curated_model_is_written_as_it_is_shipped(table):
    types = load_bead_types(table)
    for name in list_molecules(table):
        curated = load_curated_molecule(table, name)
        assert molecule_toml(curated, bead_types=types) == curated.path.read_text(encoding="utf-8"), name


def test_masses_are_always_given_when_the_types_are_not_known():
    text = molecule_toml(load_curated_molecule("martini3", "W"))
    assert "mass = 72.0" in text


@pytest.mark.parametrize("name", ["", "../W", "a/b", ".hidden", "x" * 65, "W\n", "Ω"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(BeadTableError, match="cannot be the name"):
        write_molecule(replace(everything(), name=name), tmp_path, bead_types=TYPES)
    assert not list(tmp_path.iterdir())


def test_what_a_file_cannot_hold_is_refused(tmp_path):
    model = everything()
    table = TabulatedPotential(x=[0.0, 90.0, 180.0], energy=[0.0, 1.0, 0.0], slope=[0.0, 0.0, 0.0])
    tabulated = Angle(atoms=(0, 1, 2), angle=0.0, force_constant=1.0, function=8, table=table)
    restraint = PositionRestraint(atom=0, force_constants=(1.0, 1.0, 1.0))
    twins = tuple(replace(bead, name="B") for bead in model.beads)
    for broken, message in (
        (replace(model, angles=(tabulated,)), "angle function 8"),
        (replace(model, position_restraints=(restraint,)), "restraints cannot stand"),
        (replace(model, beads=twins), "bead name 'B' is not unique"),
    ):
        with pytest.raises(BeadTableError, match=message):
            molecule_toml(broken)
    (tmp_path / "file").write_text("")
    with pytest.raises(BeadTableError, match="cannot be written"):
        write_molecule(model, tmp_path / "file", bead_types=TYPES)
