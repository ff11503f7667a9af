"""Write a system, let GROMACS compute its energy, and compare term by term with the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.engine import potential_energy
from topdown.formats import RunSettings, read_gromacs_topology, write_gromacs
from topdown.formats.mdp import CouplingSettings, free_energy_mdp
from topdown.model import Angle, Bead, Bond, CGMolecule, Constraint, Dihedral, System
from topdown.tables import load_bead_table, load_molecule

#: Our term → the names GROMACS gives its parts.
TERMS = {
    "bond": ("Bond", "Harmonic Pot."),
    "angle": ("Angle", "G96Angle"),
    "dihedral": ("Proper Dih.", "Improper Dih."),
    "lj": ("LJ (SR)",),
    "coulomb": ("Coulomb (SR)",),
    "potential": ("Potential",),
}


def _assert_same(gromacs, system: System, folder, *, decimals: int) -> dict[str, float]:
    files = write_gromacs(system, folder, decimals=decimals)
    theirs, forces = gromacs.single_point(files)
    # what was written is what is compared: coordinates rounded to the decimals of the file
    ours = potential_energy(read_gromacs_topology(files["top"], files["gro"]))
    summed = {name: sum(theirs.get(part, 0.0) for part in parts) for name, parts in TERMS.items()}
    relative = 1e-8 if gromacs.double else 1e-5
    assert {name: getattr(ours, name) for name in TERMS} == pytest.approx(summed, rel=relative, abs=1e-6)
    error = np.sqrt(np.mean((ours.forces - forces) ** 2)) / np.sqrt(np.mean(forces**2))
    assert error < (1e-7 if gromacs.double else 1e-4)
    if not any(molecule.constraints for molecule, _ in system.components):
        virial = np.array([[theirs[f"Vir-{a}{b}"] for b in "XYZ"] for a in "XYZ"])
        assert np.abs(ours.virial - virial).max() < 10 * relative * np.abs(virial).max()
    return summed


def _shaken(system: System, seed: int) -> System:
    """Every bead moved by some pm, so that no stored number answers for this frame."""
    shift = np.random.default_rng(seed).normal(0.0, 0.004, size=(system.n_beads, 3))
    return system.with_coordinates(np.asarray(system.positions) + shift)


def test_dppc_in_water(gromacs, reference, tmp_path):
    system = reference("dppc128_m2").system
    terms = _assert_same(gromacs, system, tmp_path, decimals=3)
    assert terms["bond"] > 1000
    assert terms["coulomb"] < -100
    assert (tmp_path / "system.top").read_text().count("DPPC ") == 1  # two neighbouring entries became one line


@pytest.mark.parametrize("decimals", [3, 7])
def test_octanol_box(gromacs, reference, tmp_path, decimals):
    terms = _assert_same(gromacs, _shaken(reference("oco2000").system, 1), tmp_path, decimals=decimals)
    assert terms["angle"] > 100


def test_popc_with_salt(gromacs, reference, tmp_path):
    _assert_same(gromacs, _shaken(reference("popc128").system, 2), tmp_path, decimals=8)


def _every_term() -> CGMolecule:
    """A charged molecule with every interaction that can be written, a rigid ring, and pairs excluded in every way."""
    types = ("SC3", "SC3", "SP1", "TC5", "Q5", "C1", "C1", "Q1")
    charges = (0.0, 0.0, 0.2, -0.2, -1.0, 0.0, 0.0, 1.0)
    return CGMolecule(
        name="every term",
        beads=tuple(
            Bead(name=f"B{k}", bead_type=t, charge=q, mass=60.0 + k) for k, (t, q) in enumerate(zip(types, charges))
        ),
        constraints=tuple(Constraint(atoms=a, length=0.3) for a in ((0, 1), (1, 2), (0, 2))),
        bonds=(
            Bond(atoms=(2, 3), length=0.35, force_constant=5000.0),
            Bond(atoms=(3, 4), length=0.4, force_constant=3000.0),
            Bond(atoms=(4, 5), length=0.47, force_constant=1250.0),
            Bond(atoms=(5, 6), length=0.45, force_constant=500.0, function=6),
            Bond(atoms=(6, 7), length=0.47, force_constant=1250.0),
        ),
        angles=(
            Angle(atoms=(2, 3, 4), angle=120.0, force_constant=50.0, function=1),
            Angle(atoms=(3, 4, 5), angle=180.0, force_constant=25.0, function=2),
        ),
        dihedrals=(
            Dihedral(atoms=(1, 2, 3, 4), angle=30.0, force_constant=4.0, multiplicity=2, function=1),
            Dihedral(atoms=(2, 3, 4, 5), angle=-70.0, force_constant=50.0, function=2),
            Dihedral(atoms=(4, 5, 6, 7), angle=180.0, force_constant=3.0, multiplicity=1, function=9),
            Dihedral(atoms=(4, 5, 6, 7), angle=0.0, force_constant=1.5, multiplicity=3, function=9),
        ),
        exclusions=((0, 7), (1, 4), (2, 7)),
        nrexcl=2,
    )


def _charged_system() -> System:
    """27 of those around a lattice, and ions, in random orientations without overlap, some sticking out of the box."""
    molecule, box = _every_term(), np.array([5.0, 5.1, 5.3])
    ring = 0.3 * np.array([[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0]])
    tail = ring[2] + np.array([[0.2, 0.3, 0.1], [0.5, 0.5, 0.25], [0.8, 0.2, 0.5], [0.5, 0.2, 0.9], [0.1, 0.4, 0.8]])
    shape = np.concatenate([ring, tail])
    rng = np.random.default_rng(7)
    placed: list[np.ndarray] = []

    def place(points: np.ndarray, centre: np.ndarray) -> None:
        for _ in range(2000):
            rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
            trial = points @ rotation + centre + rng.normal(0.0, 0.1, size=3)
            apart = trial[:, None] - np.concatenate([*placed, np.full((1, 3), 1e3)])[None]
            if np.linalg.norm(apart - box * np.round(apart / box), axis=-1).min() > 0.36:
                placed.append(trial)
                return
        raise AssertionError("no room")

    for cell in np.ndindex(3, 3, 3):
        place(shape - shape.mean(axis=0), box * np.array(cell) / 3)
    for cell in np.ndindex(2, 2, 2):
        place(np.zeros((1, 3)), box * (np.array(cell) + 0.5) / 3)
    components = ((molecule, 27), (load_molecule("martini3", "NA"), 4), (load_molecule("martini3", "CL"), 4))
    return System(
        table=load_bead_table("martini3").subset(["SC3", "SP1", "TC5", "Q5", "C1", "Q1", "TQ5"]),
        components=components,
        positions=np.concatenate(placed),
        box=box,
        title="[every] term; with \\",
    )


def test_charged_system_with_constraints_and_every_term(gromacs, tmp_path):
    system = _charged_system()
    terms = _assert_same(gromacs, system, tmp_path, decimals=9)
    assert all(abs(terms[name]) > 10 for name in TERMS)


def test_grompp_accepts_every_run_file(gromacs, reference, tmp_path):
    charged = _charged_system()
    for name, system, coupling in (
        ("membrane", reference("popc128").system, "semiisotropic"),
        ("constrained", charged, "isotropic"),
    ):
        settings = RunSettings(temperature=310.0, coupling=coupling)
        files = write_gromacs(system, tmp_path / name, groups={"Solute": range(12)}, settings=settings)
        for run in ("em", "eq", "md", "single_point"):
            gromacs.grompp(files, run)
        options = CouplingSettings(molecule=system.components[0][0].name[:5].replace(" ", ""))
        files["fep"] = files["top"].parent / "fep.mdp"
        files["fep"].write_text(free_energy_mdp(system, options, 3))
        gromacs.grompp(files, "fep")


def test_grompp_accepts_a_small_box(gromacs, tmp_path):
    water, table = load_molecule("martini3", "W"), load_bead_table("martini3").subset(["W"])
    grid = np.stack(np.meshgrid(*[np.arange(5) * 0.5] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    system = System(table=table, components=((water, 125),), positions=grid, box=np.full(3, 2.5))
    files = write_gromacs(system, tmp_path)
    for run in ("em", "eq", "md", "single_point"):
        gromacs.grompp(files, run)


def test_a_wrong_parameter_is_noticed(gromacs, reference, tmp_path):
    system = reference("w400c1").system
    files = write_gromacs(system, tmp_path)
    theirs, _ = gromacs.single_point(files)
    other = replace(system, table=system.table.with_epsilon({("C1", "W"): 2.2}))
    assert potential_energy(other).lj != pytest.approx(theirs["LJ (SR)"], rel=1e-5)
    assert potential_energy(system).lj == pytest.approx(theirs["LJ (SR)"], rel=1e-5)


def test_minimisation_and_dynamics_run(gromacs, tmp_path):
    if gromacs.double:
        pytest.skip("one precision is enough")
    files = write_gromacs(_charged_system(), tmp_path)
    gromacs.grompp(files, "em")
    gromacs.call(tmp_path, "mdrun", "-s", "em.tpr", "-deffnm", "em", "-nt", "1", "-pin", "off")
    files["gro"] = tmp_path / "em.gro"
    gromacs.grompp(files, "eq")
    steps = ("-nsteps", "200")
    gromacs.call(tmp_path, "mdrun", "-s", "eq.tpr", "-deffnm", "eq", "-nt", "1", "-pin", "off", *steps)
    assert (tmp_path / "eq.gro").is_file()
