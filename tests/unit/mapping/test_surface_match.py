"""Bonds grow until the beads show the surface of the atoms; nothing else of the molecule changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.mapping import conformers, map_molecule
from topdown.mapping.all_atoms import placed_atoms
from topdown.mapping.surface import LARGEST_FACTOR, MappedSurface, surface_check
from topdown.mapping.surface_match import match_surface, surface_factor, with_longer_bonds
from topdown.model import Bead, CGMolecule, Constraint, VirtualSite
from topdown.tables import load_bead_table, load_molecule

M3 = load_bead_table("martini3")


@pytest.mark.parametrize("smiles", ["CC(C)c1ccccc1", "Cc1ccccc1", "C1CCNCCC1"])
def test_the_beads_show_what_the_atoms_show(smiles: str) -> None:
    molecule = map_molecule(smiles, M3)
    factor = surface_factor(molecule, M3)
    assert 1.0 < factor < LARGEST_FACTOR
    before, after = surface_check(molecule, M3), surface_check(molecule, M3, matched=True)
    assert before is not None
    assert after is not None
    assert before.sasa_ratio < 0.98
    assert after.sasa_ratio == pytest.approx(1.0, abs=2e-3)
    assert after.volume_ratio > before.volume_ratio
    longer = match_surface(molecule, M3)
    for old, new in ((molecule.bonds, longer.bonds), (molecule.constraints, longer.constraints)):
        assert [b.length for b in new] == pytest.approx([factor * b.length for b in old])
    assert longer.angles == molecule.angles
    assert longer.dihedrals == molecule.dihedrals
    assert longer.positions == pytest.approx(factor * molecule.positions)
    assert f"{100 * (factor - 1):.0f} % longer" in longer.warnings[-1]


def test_one_bead_and_published_models_stay() -> None:
    for molecule in (map_molecule("CCCC", M3), load_molecule("martini3", "POPC")):
        assert match_surface(molecule, M3) is molecule


def test_no_further_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    molecule = map_molecule("CCCCCCCC", M3)
    monkeypatch.setattr(MappedSurface, "of_atoms", lambda self: 100.0)
    longer = match_surface(molecule, M3)
    assert longer.type_names == ("C1", "C1")
    # The beads touch: twice the radius of a regular bead.
    assert longer.bonds[0].length == pytest.approx(2 * 0.264)
    assert "most allowed" in longer.warnings[-1]
    assert surface_factor(map_molecule("C1CCCC1", M3), M3) == LARGEST_FACTOR
    monkeypatch.setattr(MappedSurface, "of_atoms", lambda self: 0.1)
    assert match_surface(molecule, M3) is molecule


@pytest.mark.parametrize("smiles", ["CC(C)Cc1ccc(cc1)C(C)C(=O)O", "C1CCNCCC1", "CCCC"])
def test_a_table_may_have_all_bonds_so(smiles: str) -> None:
    table = replace(M3, bond_lengths="surface")
    plain, made = map_molecule(smiles, M3), map_molecule(smiles, table)
    longer = match_surface(plain, M3)
    assert [b.length for b in (*made.bonds, *made.constraints)] == pytest.approx(
        [b.length for b in (*longer.bonds, *longer.constraints)], abs=1e-9
    )
    assert made.positions == pytest.approx(longer.positions, abs=1e-9)
    assert made.warnings == plain.warnings
    graph_only = map_molecule(smiles, table, conformers=False)
    assert any("too short" in warning for warning in graph_only.warnings) == (made.n_beads > 1)


def test_the_factor_does_not_depend_on_the_spelling() -> None:
    spellings = ("CC(C)c1ccccc1", "c1ccc(cc1)C(C)C", "[H]C(C)(C)c1ccccc1")
    factors = {round(surface_factor(map_molecule(s, M3), M3), 9) for s in spellings}
    assert len(factors) == 1
    assert factors != {1.0}


def test_mapping_surface_and_pictures_embed_the_molecule_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    embed = conformers._embed
    monkeypatch.setattr(conformers, "_embed", lambda *given: made.append(1) or embed(*given))
    # A spelling and a seed that no other test asks for.
    molecule = map_molecule("C(COC)c1ccccc1", M3, seed=20)
    surface_factor(molecule, M3, seed=20)
    assert placed_atoms(molecule, seed=20)[1]
    assert len(made) == 1
    surface_factor(molecule, M3, seed=21)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("construction", "atoms", "parameters"),
    [
        ("2", (0, 1), (0.4,)), ("2fd", (0, 1), (0.21,)), ("3", (0, 1, 2), (0.3, 0.4)), ("3fd", (0, 1, 2), (0.4, 0.23)),
        ("3fad", (0, 1, 2), (100.0, 0.25)), ("3out", (0, 1, 2), (0.3, 0.2, 1.7)), ("4fdn", (0, 1, 2, 3), (0.6, 0.7, 0.22)),
        ("n", (0, 1, 2, 3), (1.0, 2.0, 1.0, 1.0)),
    ],
)  # fmt: skip
def test_virtual_sites_keep_their_place_in_the_frame(construction, atoms, parameters) -> None:
    """Placed on the longer frame they are where they were, times the factor."""
    from topdown.engine import reference
    from topdown.engine.parameters import build_parameters
    from topdown.model import System

    x = np.array([[0.0, 0, 0], [0.3, 0, 0], [0.1, 0.28, 0], [0.1, 0.1, 0.3], [0, 0, 0]])
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    beads = [Bead(name=f"B{k}", bead_type="C1", mass=72.0 if k < 4 else 0.0) for k in range(5)]
    molecule = CGMolecule(
        name="X",
        beads=tuple(beads),
        constraints=tuple(
            Constraint(atoms=(i, j), length=float(np.linalg.norm(x[i] - x[j]))) for i, j in pairs
        ),
        virtual_sites=(VirtualSite(site=4, construction=construction, atoms=atoms, parameters=parameters),),
        positions=x,
    )  # fmt: skip

    def placed(one: CGMolecule) -> np.ndarray:
        table = M3.subset({"C1"})
        system = System(components=((one, 1),), positions=one.positions, box=np.full(3, 4.0), table=table)
        return reference.place_sites(system.positions, build_parameters(system).bonded.sites)[4]

    longer = with_longer_bonds(molecule, 1.3)
    np.testing.assert_allclose(placed(longer), 1.3 * placed(molecule), atol=1e-12)
    assert replace(longer, positions=x).virtual_sites[0].site == 4
