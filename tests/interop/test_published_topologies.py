"""Topologies that other packages publish: read as they are, and compared with GROMACS reading the very same files.

vermouth (Apache 2) carries what martinize2 writes for proteins, with coordinates; mstool (GPL 3) carries the Martini 2.2 force
field with the lipids of 2015, cholesterol with out-of-plane sites among them. Neither is copied here: the tests use the packages
where they are installed (``pip install --no-deps vermouth mstool``).
"""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from topdown.engine import potential_energy
from topdown.formats import read_gromacs_topology, read_pdb, read_topology, write_gromacs
from topdown.formats.gromacs_write import force_field_itp
from topdown.formats.mdp import single_point_mdp
from topdown.model import CGMolecule
from topdown.tables import load_bead_table


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        pytest.skip(f"{name} is not installed")
    return Path(found.origin).parent


def _molecule_names(path: Path) -> list[str]:
    text = re.sub(r";.*", "", path.read_text(errors="replace"))
    return re.findall(r"\[\s*moleculetype\s*\]\s*(\S+)", text)


def _lipids(tmp_path: Path, names: list[str], **options) -> dict[str, CGMolecule]:
    folder = _package("mstool") / "FF" / "martini2.2"
    top = tmp_path / "a.top"
    lines = ["[ system ]", "x", "[ molecules ]", *(f"{name} 1" for name in names)]
    files = ("martini_v2.2.itp", "martini_v2.0_lipids_all_201506.itp")
    top.write_text("\n".join([*(f'#include "{file}"' for file in files), *lines, ""]))
    return {m.name: m for m, _ in read_topology(top, include=[folder], **options).components}


def test_every_lipid_of_martini_2_is_read(tmp_path):
    names = _molecule_names(_package("mstool") / "FF" / "martini2.2" / "martini_v2.0_lipids_all_201506.itp")
    assert len(names) > 200
    molecules = _lipids(tmp_path, names)
    assert list(molecules) == names
    cholesterol = molecules["CHOL"]
    assert [site.construction for site in cholesterol.virtual_sites] == ["3", "3out", "3out"]
    assert (len(cholesterol.constraints), len(cholesterol.bonds), cholesterol.n_beads) == (5, 1, 8)


def test_macros_hold_heads_and_keep_tails_out_of_pores(tmp_path):
    held = _lipids(tmp_path, ["DPPC"], defines={"BILAYER_LIPIDHEAD_FC": "200"})["DPPC"]
    assert [r.force_constants for r in held.position_restraints] == [(0.0, 0.0, 200.0)]
    pores = _lipids(tmp_path, ["DPPC"], defines={"VESICLE_LIPIDTAIL_R": "5.0"})["DPPC"].flat_bottom_restraints
    assert {(r.geometry, r.radius, r.force_constant) for r in pores} == {(g, -5.0, 1000.0) for g in (2, 6, 7)}
    soft = _lipids(tmp_path, ["CHOL"], defines={"FLEXIBLE": ""})["CHOL"]
    assert (len(soft.constraints), len(soft.bonds)) == (0, 6)


#: Cases of vermouth's integration tests: plain chains, elastic networks, Go models and virtual sites with types of their own.
PROTEINS = {
    "tier-0/mini-protein1_betasheet": "martini2",
    "tier-0/mini-protein3_trp-cage": "martini2",
    "tier-1/bpti": "martini2",
    "tier-1/1UBQ": "martini3",
    "tier-1/EN_region": "martini3",
    "tier-1/hst5": "martini3",
    "tier-1/lysozyme_GO": "martini3",
    "tier-1/lysozyme_ENbias": "martini3",
}


def _gro_text(names: list[tuple[int, str, str]], positions: np.ndarray, box: np.ndarray) -> str:
    rows = [
        f"{number:5d}{residue:<5s}{name:>5s}{k % 99999 + 1:5d}" + "".join(f"{x:12.7f}" for x in row)
        for k, ((number, residue, name), row) in enumerate(zip(names, positions))
    ]
    return "\n".join(["protein", str(len(rows)), *rows, " ".join(f"{edge:.5f}" for edge in box), ""])


@pytest.mark.parametrize("case", PROTEINS)
def test_martinize_proteins_have_the_energy_of_gromacs(gromacs, case, tmp_path):
    if not gromacs.double:
        pytest.skip("single precision loses the fifth digit of stiff angles")
    source = _package("vermouth") / "tests" / "data" / "integration_tests" / case / "martinize2"
    for path in source.iterdir():
        shutil.copy(path, tmp_path)
    top = next(tmp_path.glob("*.top"))
    (tmp_path / "martini.itp").write_text(force_field_itp(load_bead_table(PROTEINS[case])))
    pdb = read_pdb(tmp_path / "cg.pdb")
    low = pdb.positions.min(axis=0)
    box = np.ceil(pdb.positions.max(axis=0) - low + 3.0)
    names = list(zip(pdb.residue_numbers, pdb.residue_names, pdb.names))
    (tmp_path / "conf.gro").write_text(_gro_text(names, pdb.positions - low + 0.5, box))
    system = read_gromacs_topology(top, tmp_path / "conf.gro")
    (tmp_path / "single_point.mdp").write_text(single_point_mdp(system))
    (tmp_path / "all.ndx").write_text("[ System ]\n" + "\n".join(str(k + 1) for k in range(system.n_beads)) + "\n")
    files = {"top": top, "gro": tmp_path / "conf.gro", "ndx": tmp_path / "all.ndx"}
    theirs, forces = gromacs.single_point(files | {"single_point": tmp_path / "single_point.mdp"}, strict=False)
    ours = potential_energy(system)
    parts = {
        "bond": ("Bond", "Harmonic Pot."),
        "angle": ("Angle", "G96Angle", "Restr. Angles"),
        "dihedral": ("Proper Dih.", "Improper Dih."),
        "lj": ("LJ (SR)",),
        "coulomb": ("Coulomb (SR)",),
        "potential": ("Potential",),
    }
    summed = {name: sum(theirs.get(part, 0.0) for part in known) for name, known in parts.items()}
    assert {name: getattr(ours, name) for name in parts} == pytest.approx(summed, rel=1e-8, abs=1e-6)
    error = np.sqrt(np.mean((ours.forces - forces) ** 2)) / np.sqrt(np.mean(forces**2))
    assert error < 1e-7
    again = write_gromacs(system, tmp_path / "again", decimals=7)
    rewritten, _ = gromacs.single_point(again, strict=False)
    assert rewritten["Potential"] == pytest.approx(theirs["Potential"], rel=1e-12)
