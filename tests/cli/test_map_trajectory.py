"""``topdown map-trajectory`` and the bonded options of ``topdown map`` as a user runs them."""

import json

import chemfiles
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    """Sixty conformers of hexanol, atoms in the order of its SMILES."""
    path = tmp_path_factory.mktemp("atoms") / "hexanol.pdb"
    mol = Chem.AddHs(Chem.MolFromSmiles("OCCCCCC"))
    AllChem.EmbedMultipleConfs(mol, 60, randomSeed=1)
    with chemfiles.Trajectory(str(path), "w") as file:
        for conformer in mol.GetConformers():
            frame = chemfiles.Frame()
            for atom, x in zip(mol.GetAtoms(), conformer.GetPositions()):
                frame.add_atom(chemfiles.Atom(atom.GetSymbol()), list(x))
            for bond in mol.GetBonds():
                frame.add_bond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
            file.write(frame)
    return path


def test_from_smiles_to_distributions(topdown, tmp_path, trajectory):
    assert topdown("map", "OCCCCCC", "--name", "hexanol", "-o", tmp_path / "m")[0] == 0
    code, out, err = topdown("map-trajectory", tmp_path / "m" / "hexanol.json", trajectory, "-o", tmp_path / "t")
    assert (code, err) == (0, "")
    assert "1 copy, 60 frames, centre of geometry" in out
    names = {p.name for p in (tmp_path / "t").iterdir()}
    assert names == {"mapped.gro", "mapped.xtc", "distributions.json", "distributions.csv", "distributions.svg"}
    code, out, _ = topdown(
        "map-trajectory", tmp_path / "m" / "hexanol.json", trajectory, "-o", tmp_path / "c", "--json", "--center", "charge",
        "--stride", "2",
    )  # fmt: skip
    data = json.loads(out)
    assert (data["frames"], data["center"]) == (30, "charge")


def test_fit_bonded_takes_its_lengths_from_the_trajectory(topdown, tmp_path, trajectory):
    code, out, _ = topdown("map", "OCCCCCC", "--json", "--fit-bonded", trajectory)
    assert code == 0
    found = json.loads(out)
    assert any("fitted to 60 samples" in w for w in found["warnings"])
    assert topdown("map", "OCCCCCC", "-o", tmp_path / "m", "--name", "x")[0] == 0
    _, out, _ = topdown("map-trajectory", tmp_path / "m" / "x.json", trajectory, "-o", tmp_path / "t", "--json")
    measured = {tuple(d["atoms"]): d for d in json.loads(out)["distributions"]}
    for term in (*found["bonds"], *found["constraints"]):
        seen = measured[tuple(term["atoms"])]
        # The minimum of a soft bond lies below its mean, by about 2 kT/(k r).
        assert term["length"] == pytest.approx(seen["mean"], abs=2 * seen["sd"] ** 2 / seen["mean"] + 1e-3)


def test_check_reports_in_text_and_json(topdown, tmp_path):
    code, out, _ = topdown("map", "Cc1ccccc1", "--name", "toluene", "--check", "-o", tmp_path)
    assert code == 0
    assert "check: stable; 8 in 300 W, 100 ps at 20 fs" in out
    assert f"wrote {tmp_path / 'toluene.check.json'}" in out
    report = json.loads((tmp_path / "toluene.check.json").read_text())
    assert report["stable"]
    assert report["surface"]["volume_ratio"] == pytest.approx(1.0, abs=0.1)


def test_json_of_a_checked_molecule_names_the_engine(topdown, monkeypatch):
    from topdown.engine import engine_hash, engine_version

    report = {"stable": False}
    monkeypatch.setattr("topdown.workflows.check_molecule.checked_molecule", lambda *_, **__: report)
    code, out, _ = topdown("map", "CC", "--check", "--json", "--seed", "3")
    found = json.loads(out)
    assert (code, found["check"]) == (1, report)
    made_with = found["made_with"]
    assert (made_with["engine"], made_with["build"], made_with["seed"]) == (engine_version(), engine_hash(), 3)
    assert "rdkit" in made_with


def test_center_moves_beads(topdown):
    lengths = {}
    for center in ("geometry", "mass", "charge"):
        code, out, _ = topdown("map", "OCCCCCC", "--json", "--center", center)
        assert code == 0
        (term,) = [*(found := json.loads(out))["bonds"], *found["constraints"]]
        lengths[center] = term["length"]
    assert len(set(lengths.values())) == 3


def test_match_surface_lengthens_bonds(topdown, tmp_path):
    lengths = {}
    for option in ((), ("--match-surface",)):
        code, out, _ = topdown("map", "CCCCSCCCC", "--json", *option)
        assert code == 0
        lengths[option] = [bond["length"] for bond in json.loads(out)["bonds"]]
    factors = np.divide(lengths[("--match-surface",)], lengths[()])
    assert factors == pytest.approx(factors[0], rel=2e-3)
    assert 1.1 < factors[0] < 1.4
    listed = tmp_path / "list.smi"
    listed.write_text("CCCCSCCCC sulfide\n")
    code, out, _ = topdown("map", listed, "--json", "--match-surface", "-o", tmp_path / "out")
    assert code == 0
    assert [bond["length"] for bond in json.loads(out)["bonds"]] == lengths[("--match-surface",)]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("map", "CCO", "--match-surface", "--no-conformers"), "needs conformers"),
        (("map", "CCO", "--match-surface", "--fit-bonded", "x.xtc"), "choose one"),
        (("map", "CCO", "--fit-topology", "x.gro"), "go with --fit-bonded"),
        (("map", "CCO", "--center", "mass", "--no-conformers"), "needs conformers"),
        (("map", "CCO", "--fit-bonded", "nothing.xtc"), "no such file"),
        (("map-trajectory", "nothing.json", "nothing.xtc"), "nothing.json"),
        (("map", "CCO", "--center", "volume"), "volume"),
    ],
)
def test_wrong_options_are_one_line(topdown, arguments, text):
    code, out, err = topdown(*arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert len(err.strip().splitlines()) == 1


def test_beads_are_no_atoms(topdown, tmp_path):
    assert topdown("map", "CCCCO", "--name", "model", "-o", tmp_path, "--write", "json,itp,gro")[0] == 0
    beads = tmp_path / "beads.gro"
    lines = [
        f"{1:5d}{'POPC':<5s}{name:>5s}{k:5d}{0.4 * k:8.3f}{0:8.3f}{0:8.3f}" for k, name in enumerate(("GL1", "GL2"), 1)
    ]
    beads.write_text("\n".join(["beads", "    2", *lines, "   3.0 3.0 3.0", ""]))
    code, _, err = topdown("map-trajectory", tmp_path / "model.json", beads, "-o", tmp_path / "out")
    assert code == 2
    assert "beads.gro: the elements are not known: atom 1 is called 'GL1' (give a structure with all atoms" in err


@pytest.mark.parametrize("ending", ["gro", "pdb", "xyz", "xtc", "trr", "dcd", "mol2", "sdf"])
def test_binary_where_text_should_be_is_one_line(topdown, tmp_path, ending):
    """Also where chemfiles quotes the bytes in a message that cannot be decoded."""
    wrong = tmp_path / f"wrong.{ending}"
    wrong.write_bytes(b"title\n\xe2\x28\xa1 \xff\xfe\n" + bytes(range(256)) * 8)
    code, out, err = topdown("map", "CCO", "--fit-bonded", wrong)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {wrong}: ")
    assert len(err.strip().splitlines()) == 1
