"""Phases by name, SMILES, model and composition; boxes of mixtures hold what the mole fractions say."""

from __future__ import annotations

from pathlib import Path

import pytest

from topdown.errors import BeadTableError, MoleculeError, SettingsError
from topdown.properties.molecule_models import molecule_model
from topdown.properties.phases import (
    Phase,
    box_components,
    find_phase,
    solvent_components,
    solvent_phase,
    split_phases,
)
from topdown.properties.transfer import coupling_request
from topdown.tables import load_bead_table, load_molecule


def types(phase: Phase) -> list[tuple[str, ...]]:
    return [component.molecule.type_names for component in phase.components]


def test_names_and_models() -> None:
    assert find_phase("gas", "martini2").solvent is None
    dry = find_phase(" Dry Octanol", "martini3")
    assert types(dry) == [("SC2", "SC2", "SP1")]
    assert (dry.name, dry.data_name) == ("dry octanol", "octanol(dry)")
    water = find_phase("water", "martini3")
    assert water.components[0].model.n_real == 4
    assert water.components[0].molecule.molar_mass == pytest.approx(4 * 18.015)
    assert types(find_phase("HD", "martini3")) == types(find_phase("n-hexadecane", "martini3"))
    assert find_phase("n-Octanol", "martini3").name == "octanol"
    assert find_phase("Tetrachloromethane", "martini3").name == "carbon tetrachloride"
    assert types(find_phase("model:oco", "martini3")) == types(dry)
    assert find_phase("OCO", "martini3").name == "CCCCCCCCO", "a model's name wins over the SMILES of methanediol"
    assert find_phase("smiles:OCO", "martini3").name == "OCO"


def test_liquids_without_a_published_model_are_mapped() -> None:
    heptane = find_phase("heptane", "martini3")
    assert heptane.name == "heptane"
    assert heptane.components[0].model.origin.startswith("mapped: ")
    assert heptane.components[0].molecule.molar_mass == pytest.approx(100.2, abs=0.05)
    assert types(find_phase("CCCCCCC", "martini3")) == types(heptane)
    assert find_phase("2-heptanone", "martini3").components[0].molecule.canonical_smiles == "CCCCCC(C)=O"
    assert find_phase("benzene", "martini2").components[0].model.origin.startswith("published model BENZ")


def test_octanol_is_wet() -> None:
    phase = find_phase("octanol", "martini3")
    assert types(phase) == [("SC2", "SC2", "SP1"), ("W",)]
    assert [component.fraction for component in phase.components] == pytest.approx([0.73, 0.27])
    assert "saturated with water" in phase.remark
    table = load_bead_table("martini3")
    (octanol, n_octanol), (water, n_water) = box_components(phase, table)
    assert n_octanol * octanol.n_beads + n_water >= 400
    assert n_octanol / n_water == pytest.approx(0.73 / 0.27 * 4, rel=0.04), "one W bead to about 11 octanols"
    assert water.name == "W"


def test_mixtures() -> None:
    phase = find_phase("hexane:3, smiles:CCO:1", "martini3")
    assert [component.fraction for component in phase.components] == pytest.approx([0.75, 0.25])
    assert phase.name == "hexane:0.75,smiles:CCO:0.25"
    counts = [n for _, n in box_components(phase, load_bead_table("martini3"))]
    assert counts[0] == pytest.approx(3 * counts[1], abs=1.6)
    aqueous = find_phase("water:0.8,ethanol:0.2", "martini3")
    counts = [n for _, n in box_components(aqueous, load_bead_table("martini3"))]
    assert counts[0] == pytest.approx(counts[1], abs=0.6), "four waters to one ethanol is bead to molecule"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("octanoll", SettingsError, "did you mean octanol"),
        ("C1CC", MoleculeError, "E_SYNTAX"),
        ("smiles:C1CC", MoleculeError, "E_SYNTAX"),
        ("model:XYZ", BeadTableError, "no molecule 'XYZ'"),
        ("hexane:0.5,water", SettingsError, "'water' in .* has no mole fraction"),
        ("hexane:0.5,water:-1", SettingsError, "must be positive"),
        ("hexane:0.5,CCCCCC:0.5", SettingsError, "given twice"),
        ("hexane:0.5,gas:0.5", SettingsError, "gas"),
        ("hexane:0.5,octanol:0.5", SettingsError, "a mixture itself"),
        (",", SettingsError, "no mole fraction"),
    ],
)
def test_refusals(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        find_phase(name, "martini3")


def test_lists_of_phases_may_hold_mixtures() -> None:
    assert split_phases("octanol,hexadecane") == ("octanol", "hexadecane")
    assert split_phases("heptane, CCO:0.4,water:0.6 ,smiles:CCC") == ("heptane", "CCO:0.4,water:0.6", "smiles:CCC")
    assert split_phases("smiles:CCO") == ("smiles:CCO",)


def test_one_solute_in_a_mixture() -> None:
    table = load_bead_table("martini3")
    octane, octanol = load_molecule("martini3", "OCT"), find_phase("octanol", "martini3")
    request = coupling_request(octane, octanol, table, temperature=300.0, nanoseconds=0.1, seed=1)
    assert request.components == solvent_components(octane, octanol, table)
    assert request.system == f"OCT in {request.n_solvent} OCO, {request.cosolvents[0][1]} W"
    assert {t.name for t in request.table.bead_types} == {"C1", "SC2", "SP1", "W"}
    with pytest.raises(SettingsError, match="gas"):
        box_components(find_phase("gas", "martini3"), table)


def test_the_published_model_wins(tmp_path: Path) -> None:
    table = load_bead_table("martini3")
    octanol = molecule_model("OCCCCCCCC", table, "martini3", name="mine")
    assert (octanol.molecule.name, octanol.n_real) == ("mine", 1)
    assert octanol.origin == "published model OCO: SC2 SC2 SP1"
    assert molecule_model("O", table, "martini3").n_real == 4


def test_mapped_molecules_may_have_longer_bonds() -> None:
    def first_bond(liquid: str, *, longer: bool) -> float:
        return find_phase(liquid, "martini3", longer_bonds=longer).components[0].molecule.bonds[0].length

    longer = first_bond("CCCCSCCCC", longer=True)
    assert longer > 1.1 * first_bond("CCCCSCCCC", longer=False)
    assert (
        "bonds 24 % longer: SC2 SC6 SC2"
        in find_phase("CCCCSCCCC", "martini3", longer_bonds=True).components[0].model.origin
    )
    assert first_bond("CCCCSCCCC:0.5,octane:0.5", longer=True) == longer
    assert first_bond("octane", longer=True) == first_bond("octane", longer=False), "published models stay"


def test_a_table_of_classes_meets_other_solvents_as_its_parent_models_them() -> None:
    """Where it holds their beads; its liquids, and the solvents it was fitted to, stay its own."""
    toluene = solvent_phase("toluene", "topdown1")
    assert toluene.name == "toluene"
    assert toluene.type_names() == {"SC4", "TC5"}
    assert all(load_bead_table("topdown1").bead_type(t).size in "ST" for t in toluene.type_names())
    liquid = find_phase("toluene", "topdown1")
    assert not liquid.type_names() & toluene.type_names(), "density and surface tension are those of classes"
    for name in ("octanol", "chloroform", "gas", "water"):
        same = find_phase(name, "topdown1")
        assert solvent_phase(name, "topdown1").type_names() == same.type_names()
    kept = {t.name for t in load_bead_table("topdown1").bead_types}
    rare = "CN1CCCC1=O"  # N-methylpyrrolidone, SP3a
    assert not find_phase(rare, "martini3").type_names() <= kept
    assert solvent_phase(rare, "topdown1").type_names() == find_phase(rare, "topdown1").type_names()
    assert solvent_phase("toluene", "martini3").type_names() == find_phase("toluene", "martini3").type_names()
