"""All-atom trajectories to beads: copies, orders of atoms, broken images, files, and fits that get back what was put in."""

import csv
import json
import math

import chemfiles
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from topdown.errors import InputFileError, SettingsError
from topdown.formats.trajectory import read_trajectory
from topdown.mapping import map_molecule
from topdown.tables import load_bead_table
from topdown.units import kt
from topdown.workflows.fit_bonded import fit_bonded, with_center
from topdown.workflows.map_molecules import MoleculeRequest, mapping_json
from topdown.workflows.map_trajectory import bead_samples, map_trajectory, model_from_json, read_model

M3 = load_bead_table("martini3")
BOX = 4.0


@pytest.fixture(scope="module")
def toluene():
    mol = Chem.AddHs(Chem.MolFromSmiles("Cc1ccccc1"))
    AllChem.EmbedMultipleConfs(mol, 6, randomSeed=7)
    return mol


def written(path, mol, frames, *, order=None, box=BOX, bonds=True, others=0):
    """Write frames of (n_copies, n_atoms, 3) positions [nm], wrapped into the box atom by atom."""
    n = mol.GetNumAtoms()
    order = list(range(n)) if order is None else order
    place = {atom: k for k, atom in enumerate(order)}
    with chemfiles.Trajectory(str(path), "w") as file:
        for copies in frames:
            frame = chemfiles.Frame()
            if box:
                frame.cell = chemfiles.UnitCell([10 * box] * 3)
            for c, x in enumerate(copies):
                for atom in order:
                    at = x[atom] % box if box else x[atom]
                    frame.add_atom(chemfiles.Atom(mol.GetAtomWithIdx(atom).GetSymbol()), 10 * at)
                for bond in mol.GetBonds() if bonds else ():
                    ends = (place[bond.GetBeginAtomIdx()], place[bond.GetEndAtomIdx()])
                    frame.add_bond(c * n + ends[0], c * n + ends[1])
            for k in range(others):
                frame.add_atom(chemfiles.Atom("O"), [3.0 * k, 0.0, 0.0])
            file.write(frame)
    return path


def frames_of(mol, n_copies=2):
    """Conformers of an RDKit molecule, copies apart from one another and over the edge of the box."""
    rng = np.random.default_rng(1)
    return [
        [conformer.GetPositions() / 10 + rng.uniform(0, BOX, 3) for _ in range(n_copies)]
        for conformer in mol.GetConformers()
    ]


def expected(molecule, mol, frames):
    """Bead positions by hand, from the frames before they were wrapped."""
    times = {a: sum(a in b.atoms for b in molecule.beads) for a in range(mol.GetNumHeavyAtoms())}
    found = []
    for copies in frames:
        for x in copies:
            for bead in molecule.beads:
                weights, points = [], []
                for a in bead.atoms:
                    near = [n.GetIdx() for n in mol.GetAtomWithIdx(a).GetNeighbors() if n.GetAtomicNum() == 1]
                    points += [x[k] for k in (a, *near)]
                    weights += [1 / times[a]] * (1 + len(near))
                found.append(np.average(points, axis=0, weights=weights))
    return np.array(found).reshape(-1, molecule.n_beads, 3)


def apart(x):
    return np.linalg.norm(x[:, :, None] - x[:, None], axis=-1)


@pytest.mark.parametrize("shuffled", [False, True])
def test_broken_copies_in_any_order_map_to_the_right_beads(tmp_path, toluene, shuffled):
    molecule = map_molecule("Cc1ccccc1", M3)
    frames = frames_of(toluene)
    order = np.random.default_rng(3).permutation(toluene.GetNumAtoms()).tolist() if shuffled else None
    path = written(tmp_path / "t.pdb", toluene, frames, order=order, others=2 if shuffled else 0)
    found = bead_samples(molecule, path)
    wanted = expected(molecule, toluene, frames)
    assert found.shape == wanted.shape
    # PDB holds 0.0001 nm; a symmetric molecule may be matched either way round, its distances are the same.
    near = np.sort(apart(found).reshape(len(found), -1)) - np.sort(apart(wanted).reshape(len(found), -1))
    assert np.abs(near).max() < 2e-4
    if not shuffled:
        assert np.abs(apart(found) - apart(wanted)).max() < 2e-4


def test_files_and_report(tmp_path, toluene):
    molecule = map_molecule("Cc1ccccc1", M3, name="<toluene>")
    frames = frames_of(toluene, 3)
    path = written(tmp_path / "t.xyz", toluene, frames, bonds=False, box=0)
    result = map_trajectory(molecule, path, tmp_path / "out", output="trr")
    assert (result.n_copies, result.n_frames) == (3, 6)
    assert any("no box" in note for note in result.notes)
    again = list(read_trajectory(result.files["trajectory"], n_beads=9))
    wanted = apart(expected(molecule, toluene, frames))
    got = np.concatenate([f.positions.reshape(3, 3, 3) for f in again])
    assert np.abs(apart(got) - wanted).max() < 2e-4
    data = json.loads((tmp_path / "out" / "distributions.json").read_text())
    lengths = {tuple(d["atoms"]): d for d in data["distributions"]}
    mean = wanted[:, 0, 1].mean()
    assert lengths[0, 1]["mean"] == pytest.approx(mean, abs=2e-4)
    width = np.diff(lengths[0, 1]["edges"])
    assert (width * lengths[0, 1]["density"]).sum() == pytest.approx(1.0, abs=1e-3)
    rows = list(csv.DictReader((tmp_path / "out" / "distributions.csv").read_text().splitlines()))
    assert {r["kind"] for r in rows} == {"constraint"}
    svg = (tmp_path / "out" / "distributions.svg").read_text()
    assert "&lt;toluene&gt;" in svg
    assert svg.count("<polygon") == 3


def test_index_groups_weigh_repeated_atoms(tmp_path, toluene):
    molecule = map_molecule("Cc1ccccc1", M3)
    frames = frames_of(toluene, 2)
    path = written(tmp_path / "t.pdb", toluene, frames)
    index = tmp_path / "beads.ndx"
    # Atom 4 stands in two beads: written out, it counts in each as often as it stands there.
    index.write_text("[ B1 ]\n1 2\n[ B2 ]\n3 3 4\n[ B3 ]\n4 7\n")
    found = bead_samples(molecule, path, groups_file=index)
    x = np.array(frames).reshape(-1, toluene.GetNumAtoms(), 3)
    wanted = np.stack([x[:, :2].mean(axis=1), (2 * x[:, 2] + x[:, 3]) / 3, (x[:, 3] + x[:, 6]) / 2], axis=1)
    assert np.abs(apart(found) - apart(wanted)).max() < 2e-4


def test_centres_differ_and_are_passed_on(tmp_path, toluene):
    molecule = map_molecule("Cc1ccccc1", M3)
    path = written(tmp_path / "t.pdb", toluene, frames_of(toluene))
    lengths = {c: apart(bead_samples(molecule, path, center=c))[:, 0, 1].mean() for c in ("geometry", "mass", "charge")}
    assert len({round(v, 3) for v in lengths.values()}) == 3
    moved = with_center(molecule, M3, "mass", seed=1)
    found = {c.atoms: c.length for c in moved.constraints}
    assert found[0, 1] == pytest.approx(lengths["mass"], abs=0.004)


def test_skewed_cells_are_unwrapped(tmp_path, toluene):
    molecule = map_molecule("Cc1ccccc1", M3)
    cell = chemfiles.UnitCell([30.0, 30.0, 30.0], [70.0, 80.0, 60.0])
    rows = np.array(cell.matrix).T / 10
    x = toluene.GetConformer(0).GetPositions() / 10
    path = tmp_path / "t.pdb"
    with chemfiles.Trajectory(str(path), "w") as file:
        frame = chemfiles.Frame()
        frame.cell = cell
        inverse = np.linalg.inv(rows)
        for k, at in enumerate(x):
            inside = ((at + 0.05) @ inverse % 1.0) @ rows
            frame.add_atom(chemfiles.Atom(toluene.GetAtomWithIdx(k).GetSymbol()), 10 * inside)
        file.write(frame)
    found = bead_samples(molecule, path)
    wanted = expected(molecule, toluene, [[x]])
    assert np.abs(apart(found) - apart(wanted)).max() < 3e-4
    result = map_trajectory(molecule, path, tmp_path / "out")
    assert "trajectory" not in result.files
    assert any("not rectangular" in note for note in result.notes)


def test_errors_say_what_to_do(tmp_path, toluene):
    molecule = map_molecule("CCO", M3)
    path = written(tmp_path / "t.pdb", toluene, frames_of(toluene))
    with pytest.raises(InputFileError, match="no molecule like CCO"):
        bead_samples(molecule, path)
    with pytest.raises(InputFileError, match="no such file"):
        bead_samples(molecule, tmp_path / "nothing.xtc")
    index = tmp_path / "beads.ndx"
    index.write_text("[ A ]\n1\n[ B ]\n2\n[ C ]\n3\n[ D ]\n4\n")
    with pytest.raises(InputFileError, match="4 groups for 1 beads"):
        bead_samples(molecule, path, groups_file=index)
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    with pytest.raises(InputFileError, match="not a model"):
        read_model(bad)


def test_json_models_come_back_whole():
    molecule = map_molecule("CCc1cccc2ccccc12", M3, name="x")
    data = json.loads(json.dumps(mapping_json(molecule, M3, MoleculeRequest(smiles="CCc1cccc2ccccc12", name="x"))))
    again = model_from_json(data)
    for field in ("bonds", "constraints", "angles", "dihedrals", "virtual_sites", "exclusions", "smiles", "table"):
        assert getattr(again, field) == getattr(molecule, field), field
    assert [b.atoms for b in again.beads] == [b.atoms for b in molecule.beads]


def test_fit_bonded_recovers_the_terms_of_a_synthetic_trajectory(tmp_path):
    """Octane halves moved rigidly to distances drawn from r² exp(-k/2kT (r - r0)²)."""
    r0, k, temperature, n = 0.46, 1800.0, 320.0, 900
    mol = Chem.AddHs(Chem.MolFromSmiles("CCCCCCCC"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    molecule = map_molecule("CCCCCCCC", M3)
    x = mol.GetConformer().GetPositions() / 10
    halves = []
    for bead in molecule.beads:
        hydrogens = {
            m.GetIdx() for a in bead.atoms for m in mol.GetAtomWithIdx(a).GetNeighbors() if m.GetAtomicNum() == 1
        }
        halves.append(sorted({*bead.atoms, *hydrogens}))
    axis = x[halves[1]].mean(axis=0) - x[halves[0]].mean(axis=0)
    spread = math.sqrt(kt(temperature) / k)
    grid = np.linspace(r0 - 6 * spread, r0 + 6 * spread, 20_001)
    total = np.cumsum(grid**2 * np.exp(-0.5 * ((grid - r0) / spread) ** 2))
    frames = []
    for r in np.interp(np.random.default_rng(2).uniform(0, total[-1], n), total, grid):
        y = x.copy()
        y[halves[1]] += axis / np.linalg.norm(axis) * (r - np.linalg.norm(axis))
        frames.append([y])
    path = written(tmp_path / "octane.xyz", mol, frames, box=0, bonds=False)
    (bond,) = fit_bonded(molecule, M3, path, temperature=temperature).bonds
    assert bond.length == pytest.approx(r0, abs=5 * spread / math.sqrt(n))
    assert bond.force_constant == pytest.approx(k, rel=5 * math.sqrt(2 / n))
    with pytest.raises(SettingsError, match="out of range"):
        fit_bonded(molecule, M3, path, temperature=-1.0)


def test_too_few_frames_are_no_fit(tmp_path, toluene):
    path = written(tmp_path / "t.pdb", toluene, frames_of(toluene))
    with pytest.raises(SettingsError, match="too few"):
        fit_bonded(map_molecule("Cc1ccccc1", M3), M3, path)
