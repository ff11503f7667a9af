"""Typing by classes: features of atoms and beads, the nearest class, and what is said about it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from topdown.errors import BeadTableError
from topdown.mapping import map_molecule, parse_smiles
from topdown.mapping.class_typing import (
    CLASSES_FILE,
    WEIGHTS_FILE,
    ClassModel,
    class_model_of,
    class_model_rows,
    read_class_model,
    size_of_type,
    type_name,
)
from topdown.mapping.environments import atom_features, bead_features
from topdown.tables import load_bead_table
from topdown.tables.writer import csv_text

TABLE = load_bead_table("topdown1")


def features_of(smiles: str) -> list[set[tuple[int, str]]]:
    return [set(found) for found in atom_features(parse_smiles(smiles).mol)]


def test_features_say_what_an_atom_is() -> None:
    methyl, carbonyl, oxygen, amide, _ = features_of("CC(=O)NC")
    assert {(0, "C"), (1, "CH3"), (2, "CH3(C=O)")} <= methyl
    assert (1, "CH02O") in carbonyl
    assert (3, "OH02C(C=O)") in oxygen
    assert (1, "NH1") in amide
    assert {(4, "d2"), (5, "NH,O2")} <= amide & oxygen, "polar atoms see each other"
    assert {(0, "c"), (1, "cH1")} <= features_of("c1ccccc1O")[0]
    assert not any(level >= 4 for found in features_of("CCCCO") for level, _ in found)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["CC(=O)Nc1ccc(O)cc1", "OCC(F)(F)F", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)Cc1ccccc1"]), st.randoms()
)
def test_features_do_not_depend_on_the_order_of_atoms(smiles: str, random: object) -> None:
    mol = Chem.MolFromSmiles(smiles)
    order = list(range(mol.GetNumAtoms()))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = Chem.RenumberAtoms(mol, order)
    before, after = atom_features(mol), atom_features(turned)
    for new, old in enumerate(order):
        assert sorted(after[new]) == sorted(before[old])


def test_halogens_of_one_carbon_count_once_as_neighbours() -> None:
    """Counted one by one, what six fluorines do to a hydroxyl would be six times what one does."""

    def counted(smiles: str, atom: int, feature: tuple[int, str]) -> int:
        return atom_features(parse_smiles(smiles).mol)[atom].count(feature)

    one, three, six = "OCCF", "OCC(F)(F)F", "OC(C(F)(F)F)C(F)(F)F"
    assert [counted(s, 0, (5, "OH,X3")) for s in (one, three, six)] == [1, 1, 2]
    assert [counted(s, 0, (4, "d3")) for s in (one, three, six)] == [1, 1, 2]
    assert counted(three, 3, (5, "OH,X3")) == 1, "each fluorine sees the hydroxyl"
    assert counted(three, 3, (5, "X,X2")) == 1
    assert counted("OCC(O)O", 0, (5, "OH,OH3")) == 2, "other atoms count one by one"
    assert counted("OCC(F)CF", 0, (4, "d3")) == 1
    assert counted("OCC(F)CF", 0, (4, "d4")) == 1


def test_a_shared_atom_counts_in_parts() -> None:
    mol = parse_smiles("CCO").mol
    alone = bead_features(mol, [(0, 1), (1, 2)])
    whole = bead_features(mol, [(0, 1, 2)])[0]
    total: dict = {}
    for found in alone:
        for feature, count in found.items():
            total[feature] = total.get(feature, 0.0) + count
    assert total == pytest.approx(whole)


def test_a_molecule_gets_classes_with_reasons() -> None:
    model = map_molecule("CC(=O)Nc1ccc(O)cc1", TABLE)
    assert all(name in TABLE for name in model.type_names)
    for bead in model.beads:
        assert 0.0 < bead.confidence <= 1.0
        assert re.match(r"(nearest class to|class near) the strengths estimated from its atoms \(W -?\d", bead.reason)
        assert len(bead.alternatives) == 3
        assert all(name in TABLE for name in bead.alternatives)


def test_a_class_taken_for_the_molecule_s_sake_is_told() -> None:
    beads = map_molecule("CC(=O)OCCc1ccccc1", TABLE, conformers=False).beads
    told = [bead for bead in beads if "makes the molecule's sum right" in bead.reason]
    assert told
    for bead in told:
        nearest, distance = re.search(r"away; (\w+) is at ([\d.]+)", bead.reason).groups()  # type: ignore[union-attr]
        own = float(re.search(r", ([\d.]+) kJ/mol away", bead.reason).group(1))  # type: ignore[union-attr]
        assert nearest == bead.alternatives[0] != bead.bead_type
        assert float(distance) <= own <= float(distance) + 2.05


def test_polar_and_apolar_differ_as_they_should() -> None:
    def water(smiles: str) -> float:
        (bead,) = map_molecule(smiles, TABLE).beads
        return TABLE.pair(bead.bead_type, "W")[1]

    assert water("CCCC") < water("CC(C)=O") < water("CC(N)=O")


def test_the_same_for_every_way_of_writing_it() -> None:
    mol = Chem.MolFromSmiles("COc1ccc(C=O)cc1Cl")
    seen = {
        tuple(sorted(map_molecule(Chem.MolToSmiles(mol, doRandom=True), TABLE, conformers=False).type_names))
        for _ in range(8)
    }
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [("C[N+](C)(C)CCCC", "Q1"), ("CCCC[NH3+]", "Q4p"), ("CC(=O)[O-]", "Q5n"), ("COP(=O)([O-])OC", "Q5")],
)
def test_charged_groups_get_charged_beads(smiles: str, expected: str) -> None:
    model = map_molecule(smiles, TABLE)
    charged = [bead for bead in model.beads if bead.charge]
    assert len(charged) == 1
    assert charged[0].bead_type.lstrip("ST") == expected


def test_lipids_keep_the_published_beads_and_terms() -> None:
    """Only the types of neutral beads are the table's own; a chain bent by its conformers would be no lipid."""
    popc = r"CCCCCCCC\C=C/CCCCCCCC(=O)OC[C@H](COP([O-])(=O)OCC[N+](C)(C)C)OC(=O)CCCCCCCCCCCCCCC"
    published, found = map_molecule(popc, load_bead_table("martini3")), map_molecule(popc, TABLE)
    assert [bead.name for bead in found.beads] == [bead.name for bead in published.beads]
    assert (found.bonds, found.angles, found.constraints) == (published.bonds, published.angles, published.constraints)
    for bead, of_parent in zip(found.beads, published.beads):
        assert bead.atoms == of_parent.atoms
        assert bead.mass == TABLE.bead_type(bead.bead_type).mass == of_parent.mass
        if bead.charge:
            assert bead.bead_type == of_parent.bead_type
        else:
            assert size_of_type(bead.bead_type) == size_of_type(of_parent.bead_type)
            assert bead.bead_type.rstrip("bc")[-1].isdigit(), "a class"
            assert "nearest class" in bead.reason
            assert bead.alternatives
    linker, tail_end = found.beads[2], found.beads[-1]
    assert tail_end.bead_type == map_molecule("CCCCCCCCCCCC", TABLE).beads[0].bead_type, "a methyl end is one anywhere"
    assert linker.bead_type != tail_end.bead_type


@pytest.mark.parametrize(
    ("name", "size"), [("SN4a", "S"), ("TC5e", "T"), ("C1", "R"), ("SC25", "S"), ("T", "R"), ("P14", "R")]
)
def test_sizes_of_types(name: str, size: str) -> None:
    assert size_of_type(name) == size


def test_a_user_s_type_wins() -> None:
    from topdown.mapping.mapper import UserChoices

    other = next(
        name for name in (t.name for t in TABLE.bead_types) if name not in map_molecule("CCCC", TABLE).type_names
    )
    model = map_molecule("CCCC", TABLE, choices=UserChoices(types={"1": other}))
    assert model.type_names == (other,)


def small_model() -> ClassModel:
    return ClassModel(
        names=("C01", "P01"),
        solvents=("W", "C1"),
        places=np.array([[0.1, 0.9], [0.9, 0.2]]),
        base=np.array([0.5, 0.5]),
        sizes=np.zeros((3, 2)),
        weights={(0, "O"): np.array([0.3, -0.2])},
        metric=np.array([[[-20.0, 15.0]]] * 3),
        labels=("oil→water",),
    )


def test_models_read_back_and_damage_is_named(tmp_path: Path) -> None:
    model = small_model()
    header, *rows = class_model_rows(model)
    (tmp_path / WEIGHTS_FILE).write_text(csv_text(header, rows))
    (tmp_path / CLASSES_FILE).write_text("class,place W,place C1\nC01,0.1,0.9\nP01,0.9,0.2\n")
    found = read_class_model(tmp_path)
    assert found.names == model.names
    np.testing.assert_allclose(found.estimate({(0, "O"): 2.0}, "S"), [1.1, 0.1])
    assert np.linalg.norm(found.deviations(np.array([0.9, 0.2]), "R"), axis=1).argmin() == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / CLASSES_FILE).write_text("class,place W\nC01,x\n")
    (other / WEIGHTS_FILE).write_text("kind,name,W\nbase,,0.5\n")
    with pytest.raises(BeadTableError, match="damaged class model"):
        read_class_model(other)


def test_tables_without_classes_have_no_model() -> None:
    assert class_model_of(load_bead_table("martini3")) is None
    assert class_model_of(TABLE) is not None
    assert type_name("N07", "R") == "N07"
    assert type_name("N07", "T") == "TN07"


def test_a_table_elsewhere_brings_its_own_classes(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(TABLE.folder, folder, ignore=shutil.ignore_patterns("sums", "shapes"))
    text = (folder / CLASSES_FILE).read_text()
    own = load_bead_table(folder)
    assert map_molecule("CCCC", own).type_names == map_molecule("CCCC", TABLE).type_names
    # with all classes but the last taken away, everything is of that class
    header, *rows = text.splitlines()
    (folder / CLASSES_FILE).write_text("\n".join([header, rows[-1]]) + "\n")
    read_class_model.cache_clear()
    (name,) = map_molecule("CCCC", load_bead_table(folder)).type_names
    assert name.rstrip("bc") == rows[-1].split(",")[0]


@pytest.mark.parametrize("n", range(6, 21))
def test_chains_of_acids_are_of_classes_whatever_beads_of_solvents_the_table_has(n: int) -> None:
    """The rule for tails, which fatty acids are known in part by, says C1: in a table of classes the bead of hexadecane."""
    mapped = map_molecule("C" * n + "C(=O)O", TABLE, conformers=False)
    classes = set(class_model_of(TABLE).names)  # type: ignore[union-attr]
    assert {TABLE.bead_type(name).chemical_class for name in mapped.type_names} <= classes
