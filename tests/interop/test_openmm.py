"""Write a system for OpenMM, let the real OpenMM (Reference platform, double) read and compute it, and compare term by term."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from engine_systems import W, constrained, everything, molecule, placed
from molecule_zoo import (
    BONDED,
    CUT_OFFS,
    SITES,
    STEROL,
    angles,
    in_a_box,
    proper,
    scattered,
    six,
    with_cut_off,
    with_sites,
)

from topdown.engine import potential_energy
from topdown.errors import TopologyError
from topdown.formats import RunSettings, write_openmm
from topdown.formats.openmm_forces import FORCE_GROUPS
from topdown.model import (
    Bond,
    FlatBottomRestraint,
    PositionRestraint,
    System,
)
from topdown.tables import load_all_molecules, load_bead_table

openmm = pytest.importorskip("openmm", reason="OpenMM is not installed")

TERMS = ("bond", "angle", "dihedral", "restraint", "lj", "coulomb")


@dataclass(frozen=True)
class Answer:
    """What OpenMM says: its system, terms [kJ/mol], and forces (n, 3) [kJ/mol/nm]."""

    system: object
    terms: dict[str, float]
    forces: np.ndarray


def _load(path: Path):
    return openmm.XmlSerializer.deserialize(path.read_text())


def _without_charges(system, context) -> None:
    pairs = next(force for force in system.getForces() if force.getName() == "pairs")
    if pairs.getNumPerParticleParameters() == 2:
        for k in range(pairs.getNumParticles()):
            pairs.setParticleParameters(k, [pairs.getParticleParameters(k)[0], 0.0])
        pairs.updateParametersInContext(context)


def ask_openmm(files: dict[str, Path]) -> Answer:
    """Energies by force group; Lennard-Jones is what is left of the pairs without their charges."""
    system, state = _load(files["system"]), _load(files["state"])
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    context.computeVirtualSites()

    def energy(group: int) -> float:
        return context.getState(getEnergy=True, groups=1 << group).getPotentialEnergy()._value

    forces = context.getState(getForces=True).getForces(asNumpy=True)._value
    terms = {name: energy(FORCE_GROUPS[name]) for name in ("bond", "angle", "dihedral", "restraint")}
    both = energy(FORCE_GROUPS["pairs"])
    _without_charges(system, context)
    terms["lj"] = energy(FORCE_GROUPS["pairs"])
    terms["coulomb"] = both - terms["lj"] + energy(FORCE_GROUPS["charges"])
    return Answer(_load(files["system"]), terms, np.array(forces))


def assert_same(system: System, folder: Path) -> Answer:
    """Every term to 1e-8, the force on every bead with mass to 1e-8 of their root mean square."""
    theirs, ours = ask_openmm(write_openmm(system, folder)), potential_energy(system)
    scale = abs(ours.potential)
    assert {name: getattr(ours, name) for name in TERMS} == pytest.approx(theirs.terms, rel=1e-8, abs=1e-12 * scale)
    beads = [bead for m, count in system.components for _ in range(count) for bead in m.beads]
    massive = np.array([bead.mass > 0 for bead in beads])
    error = np.abs(theirs.forces - ours.forces)[massive].max()
    assert error < 1e-8 * np.sqrt(np.mean(ours.forces[massive] ** 2))
    assert [theirs.system.getParticleMass(k)._value for k in range(len(beads))] == [bead.mass for bead in beads]
    return theirs


# -- the reference systems -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w400c1", "w1600", "hd1000", "oco2000", "popc128", "dppc128_m2"])
def test_reference_systems(name, reference, tmp_path):
    expected = reference(name)
    answer = assert_same(expected.system, tmp_path)
    if name != "dppc128_m2":  # whose reference has C6 and C12 of five digits
        assert answer.terms["lj"] == pytest.approx(expected.energies["LJ (SR)"], rel=1e-8)
    assert answer.terms["bond"] == pytest.approx(expected.energies.get("Bond", 0.0), rel=1e-8)
    assert answer.terms["coulomb"] == pytest.approx(expected.energies.get("Coulomb (SR)", 0.0), rel=1e-8, abs=1e-9)
    # float32 storage rounds forces of order 100 to 4e-6
    error = np.sqrt(np.mean((answer.forces - expected.forces) ** 2))
    assert error < (1e-2 if name == "dppc128_m2" else 1e-5)


@pytest.mark.parametrize("name", ["martini2", "martini3"])
def test_every_shipped_molecule(name, tmp_path):
    table = load_bead_table(name)
    models = tuple(curated.model for curated in load_all_molecules(name))
    answer = assert_same(scattered(tuple((m, 1) for m in models), table=table, spacing=2.0), tmp_path)
    charges = sum(bead.charge for m in models for bead in m.beads)
    pairs = next(force for force in answer.system.getForces() if force.getName() == "pairs")
    written = sum(pairs.getParticleParameters(k)[1] for k in range(pairs.getNumParticles()))
    assert written == pytest.approx(charges, abs=1e-9)


# -- a zoo of molecules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", BONDED)
def test_bonded_terms(label, tmp_path):
    m = six(**BONDED[label])
    answer = assert_same(in_a_box(m), tmp_path)
    assert abs(answer.terms[label.split("-")[0]]) > 1.0
    exclusions = next(f for f in answer.system.getForces() if f.getName() == "pairs").getNumExclusions()
    assert exclusions == 4 * len(m.excluded_pairs())


@pytest.mark.parametrize("site", SITES, ids=lambda s: f"{s[0]}-{len(s[1])}")
def test_virtual_sites(site, tmp_path):
    assert_same(in_a_box(with_sites(site)), tmp_path)


def test_virtual_sites_of_virtual_sites(tmp_path):
    late_first = (("n", (5, 6), (1.0, 1.0)), ("3out", (0, 1, 2), (0.3, 0.3, 2.0)), ("2fd", (5, 3), (0.2,)))
    answer = assert_same(in_a_box(with_sites(*late_first)), tmp_path)
    assert sum(answer.system.isVirtualSite(k) for k in range(answer.system.getNumParticles())) == 12


def test_position_restraints(tmp_path):
    m = six(position_restraints=(PositionRestraint(atom=0, force_constants=(500.0, 0.0, 90.0)),
                                  PositionRestraint(atom=3, force_constants=(200.0, 200.0, 200.0))))  # fmt: skip
    system = in_a_box(m)
    away = system.positions + np.random.default_rng(1).normal(0.0, 0.2, system.positions.shape) + system.box
    answer = assert_same(replace(system, reference_positions=away), tmp_path / "away")
    assert answer.terms["restraint"] > 10.0
    assert assert_same(system, tmp_path / "in place").terms["restraint"] == 0.0


@pytest.mark.parametrize("geometry", range(1, 9))
def test_flat_bottomed_restraints(geometry, tmp_path):
    m = six(
        flat_bottom_restraints=tuple(
            FlatBottomRestraint(atom=k, geometry=geometry, radius=radius, force_constant=300.0 + k)
            for k, radius in enumerate((0.1, -0.3, 5.0))
        )
    )
    system = in_a_box(m)
    away = system.positions + np.random.default_rng(geometry).normal(0.0, 0.2, system.positions.shape) - system.box
    answer = assert_same(replace(system, reference_positions=away), tmp_path)
    assert answer.terms["restraint"] > 1.0


@pytest.mark.parametrize("scheme", CUT_OFFS, ids=str)
def test_other_cut_offs(scheme, tmp_path):
    system, other, changed = with_cut_off(scheme)
    terms = [assert_same(s, tmp_path / str(k)).terms for k, s in enumerate((system, other))]
    assert abs(terms[0][changed] - terms[1][changed]) > 1e-3


def test_only_charges_make_a_coulomb_term(tmp_path):
    system = placed(((W, 60),), (2.6, 2.6, 2.6))
    answer = assert_same(system, tmp_path)
    names = [force.getName() for force in answer.system.getForces()]
    assert names == ["pairs"]


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"bonds": (Bond(atoms=(0, 1), length=0.3, force_constant=1.0, function=3),)}, "bond function 3"),
        ({"angles": angles(5, 100.0)}, "angle function 5"),
        ({"dihedrals": (proper(1.0, 1, 4),)}, "dihedral function 4"),
        ({"angles": angles(8, 0.0)}, "table from 0 to 180"),
        ({"dihedrals": (proper(1.0, 1, 11),)}, "0 coefficients"),
        (
            {"flat_bottom_restraints": (FlatBottomRestraint(atom=0, geometry=9, radius=1.0, force_constant=1.0),)},
            "geometry 9",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_file(terms, message, tmp_path):
    with pytest.raises(TopologyError, match=message):
        write_openmm(in_a_box(six(**terms)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_massless_beads_and_small_boxes_are_refused(tmp_path):
    massless = molecule("NUL", "AB", masses=[72.0, 0.0])
    with pytest.raises(TopologyError, match="never move"):
        write_openmm(in_a_box(massless), tmp_path)
    small = replace(placed(((W, 5),), (3.0, 3.0, 3.0)), box=np.array([3.0, 2.1, 3.0]))
    with pytest.raises(TopologyError, match="twice the cut-off"):
        write_openmm(small, tmp_path)


def test_names_become_no_paths_and_state_keeps_every_bit(tmp_path):
    rng = np.random.default_rng(2)
    system = replace(everything(), velocities=rng.normal(size=(everything().n_beads, 3)))
    files = write_openmm(system, tmp_path, name="../../my system")
    assert {path.parent for path in files.values()} == {tmp_path}
    state = _load(files["state"])
    assert np.array_equal(state.getPositions(asNumpy=True)._value, system.whole().positions)
    assert np.array_equal(state.getVelocities(asNumpy=True)._value, system.velocities)
    assert np.array_equal([v[k] for k, v in enumerate(state.getPeriodicBoxVectors()._value)], system.box)


# -- the run script ------------------------------------------------------------------------------------------------------


def _script(files: dict[str, Path], *arguments: str, ok: bool = True, platform: str = "Reference") -> str:
    done = subprocess.run(
        [sys.executable, files["script"].name, *(("--platform", platform) if platform else ()), *arguments],
        cwd=files["script"].parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def _table(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{key: float(value) for key, value in line.items()} for line in csv.DictReader(file)]


@pytest.mark.parametrize(("platform", "relative"), [("Reference", 1e-8), ("", 1e-5)], ids=["Reference", "fastest"])
def test_script_prints_the_terms(platform, relative, tmp_path):
    system = everything()
    terms = json.loads(_script(write_openmm(system, tmp_path), "--terms", platform=platform))
    ours = potential_energy(system)
    assert terms == pytest.approx({name: getattr(ours, name) for name in (*TERMS, "potential")}, rel=relative)


def test_script_runs_constraints_at_20_fs_and_goes_on_bit_for_bit(tmp_path):
    short = RunSettings(equilibration=0.002, production=0.006, temperature=310.0)
    runs = {name: write_openmm(constrained(), tmp_path / name, settings=short) for name in ("straight", "broken")}
    common = ("--barostat", "none", "--every", "50", "--minimize", "200")
    _script(runs["straight"], *common)
    _script(runs["broken"], *common, "--produce", "0.0033")
    _pretend_to_be_killed_while_writing(runs["broken"]["script"].parent)
    _script(runs["broken"], *common, "--continue")
    straight, broken = (files["script"].parent for files in runs.values())
    for name in ("md.csv", "md_eq.csv", "md_final.xml"):
        assert (straight / name).read_bytes() == (broken / name).read_bytes()
    # bytes 180 to 260 hold the time of writing
    one, other = ((folder / "md.dcd").read_bytes() for folder in (straight, broken))
    assert (one[:180], one[260:]) == (other[:180], other[260:])
    rows = _table(straight / "md.csv")
    assert [row["step"] for row in rows] == [150, 200, 250, 300, 350, 400]
    assert all(220 < row["temperature_k"] < 400 for row in rows)
    assert _deviation(constrained(), straight / "md_final.xml") < 1e-5


def test_script_computes_the_same_without_tables_on_the_cpu(tmp_path):
    files = write_openmm(everything(), tmp_path)
    standing_still = ("--minimize", "0", "--time-step", "1e-9", "--equilibrate", "1e-12", "--produce", "0")
    _script(files, *standing_still, "--every", "1", "--barostat", "none", platform="CPU")
    energy = _table(tmp_path / "md_eq.csv")[0]["potential_kj_mol"]
    assert energy == pytest.approx(potential_energy(everything()).potential, rel=1e-5)


def _pretend_to_be_killed_while_writing(folder: Path) -> None:
    """A row and a frame beyond the checkpoint, the next of each begun."""
    table, trajectory = (folder / "md.csv").read_text(), (folder / "md.dcd").read_bytes()
    last = table.splitlines()[-1]
    (folder / "md.csv").write_text(f"{table}{last.replace('250', '300', 1)}\n{last[:30]}")
    (folder / "md.dcd").write_bytes(trajectory + trajectory[-2000:])


def _deviation(system: System, path: Path) -> float:
    """Largest relative error of a constraint in a written state."""
    positions = _load(path).getPositions(asNumpy=True)._value
    lengths = [
        (np.linalg.norm(positions[start + c.atoms[0]] - positions[start + c.atoms[1]]), c.length)
        for m, start in system.molecules()
        for c in m.constraints
    ]
    measured, wanted = np.array(lengths).T
    return float(np.abs(measured / wanted - 1.0).max())


def test_script_runs_sterols_at_20_fs(tmp_path):
    system = scattered(((STEROL, 8), (W, 56)), spacing=0.9)
    files = write_openmm(system, tmp_path, settings=RunSettings(equilibration=0.004, production=0.012))
    _script(files, "--barostat", "none", "--every", "50")
    assert all(200 < row["temperature_k"] < 420 for row in _table(tmp_path / "md.csv"))
    assert _deviation(system, tmp_path / "md_final.xml") < 1e-5


@pytest.mark.parametrize(
    ("barostat", "equal"),
    [("isotropic", (True, True)), ("semiisotropic", (True, False)), ("anisotropic", (False, False))],
)
def test_script_moves_the_box(barostat, equal, tmp_path):
    system = placed(((W, 200),), (2.9, 2.9, 2.9))
    files = write_openmm(system, tmp_path, settings=RunSettings(equilibration=0.01, production=0.004, pressure=500.0))
    _script(files, "--barostat", barostat, "--every", "100")
    rows = _table(tmp_path / "md.csv")
    assert rows[-1]["volume_nm3"] < 0.99 * 2.9**3
    edges = [rows[-1][f"box_{axis}_nm"] for axis in "xyz"]
    assert (edges[0] == edges[1], edges[1] == edges[2]) == equal


def test_script_stops_at_a_signal_with_a_checkpoint(tmp_path):
    files = write_openmm(everything(), tmp_path, settings=RunSettings(equilibration=0.001, production=1000.0))
    command = [sys.executable, "run_openmm.py", "--platform", "Reference", "--every", "25", "--time-step", "0.01"]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "md.dcd").exists() or len(_table(tmp_path / "md.csv")) < 3:
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "--continue goes on" in said
    before = len(_table(tmp_path / "md.csv"))
    reached = int(said.split("step ")[1].split(";")[0])
    length = str((reached + 200 - 100) * 0.01 / 1000)
    _script(files, "--every", "25", "--time-step", "0.01", "--continue", "--produce", length)
    steps = [row["step"] for row in _table(tmp_path / "md.csv")]
    assert len(steps) > before
    assert steps == [125 + 25 * k for k in range(len(steps))]


def test_script_says_what_is_wrong_in_one_line(tmp_path):
    files = write_openmm(everything(), tmp_path)
    assert _script(files, "--continue", ok=False).startswith("cannot read the checkpoint")
    assert "cannot read nothing.xml" in _script(files, "--start", "nothing.xml", ok=False)
    assert "--every" in _script(files, "--every", "0", ok=False)
