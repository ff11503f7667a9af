"""Every section and function our topologies know, written, read by GROMACS, and compared term by term with the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.engine import potential_energy
from topdown.formats import RunSettings, read_gromacs_topology, write_gromacs
from topdown.model import (
    Angle,
    Bead,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    System,
    TabulatedPotential,
    VirtualSite,
)
from topdown.tables import load_bead_table, load_molecule

#: Our term → the names GROMACS gives its parts; the ones in use must all be there.
TERMS = {
    "bond": ("Bond", "Harmonic Pot."),
    "angle": ("Angle", "G96Angle", "Restr. Angles", "Tab. Angles"),
    "dihedral": ("Proper Dih.", "Improper Dih.", "Ryckaert-Bell.", "CBT Dih."),
    "restraint": ("Position Rest.", "Flat-b. P-R."),
    "lj": ("LJ (SR)",),
    "coulomb": ("Coulomb (SR)",),
    "potential": ("Potential",),
}


def _table(number: int, depth: float) -> TabulatedPotential:
    x = np.linspace(0.0, 180.0, 181)
    return TabulatedPotential(
        x=x,
        energy=depth * np.cos(np.radians(2 * x)) + 1e-3 * x,
        slope=-2 * depth * np.sin(np.radians(2 * x)) * np.pi / 180 + 1e-3,
        number=number,
    )


def _beads(types: str, charges: dict[int, float], masses: dict[int, float] | None = None) -> tuple[Bead, ...]:
    masses = masses or {}
    return tuple(
        Bead(
            name=f"B{k}",
            bead_type=t,
            charge=charges.get(k, 0.0),
            mass=masses.get(k, 50.0 + k),
            residue="HEAD" if k < 3 else "",
            residue_number=1 if k < 3 else 2,
        )
        for k, t in enumerate(types.split())
    )


def _chain() -> CGMolecule:
    """Every bonded function, charges at the ends, and pairs excluded in some of the ways."""
    return CGMolecule(
        name="chain",
        beads=_beads("Q1 SC3 SC3 SP1 C1 C1 C1 Q5", {0: 1.0, 3: 0.2, 7: -1.2}),
        bonds=(
            Bond(atoms=(0, 1), length=0.35, force_constant=5000.0),
            Bond(atoms=(1, 2), length=0.4, force_constant=3000.0),
            Bond(atoms=(2, 3), length=0.4, force_constant=700.0, function=6),
            Bond(atoms=(0, 7), length=1.8, force_constant=50.0, function=6),
            Bond(atoms=(5, 6), length=0.4, force_constant=1250.0),
            Bond(atoms=(6, 7), length=0.4, force_constant=1250.0),
        ),
        constraints=(Constraint(atoms=(3, 4), length=0.4), Constraint(atoms=(4, 5), length=0.4, function=2)),
        angles=(
            Angle(atoms=(0, 1, 2), angle=120.0, force_constant=50.0, function=1),
            Angle(atoms=(1, 2, 3), angle=150.0, force_constant=25.0, function=2),
            Angle(atoms=(2, 3, 4), angle=0.0, force_constant=7.0, function=8, table=_table(4, 1.5)),
            Angle(atoms=(3, 4, 5), angle=130.0, force_constant=35.0, function=10),
            Angle(atoms=(4, 5, 6), angle=0.0, force_constant=-3.0, function=8, table=_table(4, 2.5)),
        ),
        dihedrals=(
            Dihedral(atoms=(0, 1, 2, 3), angle=30.0, force_constant=4.0, multiplicity=2, function=1),
            Dihedral(atoms=(1, 2, 3, 4), angle=-70.0, force_constant=50.0, function=2),
            Dihedral(
                atoms=(2, 3, 4, 5),
                angle=0.0,
                force_constant=0.0,
                function=3,
                coefficients=(9.28, 12.16, -13.12, -3.06, 26.24, -31.5),
            ),
            Dihedral(
                atoms=(3, 4, 5, 6),
                angle=0.0,
                force_constant=8.0,
                function=11,
                coefficients=(0.657, -1.3278, -0.4366, 1.0809, 0.68),
            ),
            Dihedral(atoms=(4, 5, 6, 7), angle=180.0, force_constant=3.0, multiplicity=1, function=9),
            Dihedral(atoms=(4, 5, 6, 7), angle=0.0, force_constant=1.5, multiplicity=3, function=9),
        ),
        exclusions=((1, 6), (0, 4)),
    )


def _frame() -> CGMolecule:
    """Four beads with mass and nine virtual sites: every construction, one of them built from another site."""
    sites = (
        VirtualSite(site=4, construction="2", atoms=(0, 1), parameters=(-0.6,)),
        VirtualSite(site=5, construction="2fd", atoms=(1, 2), parameters=(-0.4,)),
        VirtualSite(site=6, construction="3", atoms=(0, 1, 2), parameters=(0.9, 0.8)),
        VirtualSite(site=7, construction="3fd", atoms=(2, 0, 1), parameters=(0.3, -0.5)),
        VirtualSite(site=8, construction="3fad", atoms=(3, 1, 0), parameters=(130.0, 0.45)),
        VirtualSite(site=9, construction="3out", atoms=(0, 1, 2), parameters=(0.3, 0.4, -4.0)),
        VirtualSite(site=10, construction="4fdn", atoms=(0, 1, 2, 3), parameters=(0.8, 0.7, 0.6)),
        VirtualSite(site=11, construction="n", atoms=(0, 1, 2, 3), parameters=(1.0, 1.0, 1.0, 1.0)),
        VirtualSite(site=12, construction="n", atoms=(8, 3, 1), parameters=(2.0, 1.0, 0.5)),
    )
    return CGMolecule(
        name="frame",
        beads=_beads(
            "C1 SP1 SC3 Q5 C1 SP1 SC3 Q1 C1 SC3 SP1 TC5 TC5",
            {3: -1.0, 7: 1.0, 10: 0.4, 12: -0.4},
            dict.fromkeys(range(4, 13), 0.0),
        ),
        bonds=(
            *(Bond(atoms=(0, k), length=0.5, force_constant=5000.0) for k in (1, 2, 3)),
            Bond(atoms=(9, 12), length=0.7, force_constant=100.0, function=6),
        ),
        angles=(Angle(atoms=(4, 0, 10), angle=100.0, force_constant=20.0),),
        virtual_sites=sites,
        position_restraints=(PositionRestraint(atom=0, force_constants=(200.0, 0.0, 300.0)),),
        exclusions=((0, 4), (0, 11), (3, 5), (5, 10), (8, 12), (3, 12), (11, 12), (6, 7)),
    )


def _held() -> CGMolecule:
    """A chain of single beads, each flat-bottomed in another way, one held harmonically as well."""
    flat = tuple(
        FlatBottomRestraint(atom=k, geometry=k % 8 + 1, radius=0.35 if k < 8 else -0.9, force_constant=500.0)
        for k in range(16)
    )
    return CGMolecule(
        name="held",
        beads=_beads(" ".join(["C1"] * 16), {}),
        bonds=tuple(Bond(atoms=(k, k + 1), length=0.5, force_constant=800.0) for k in range(15)),
        flat_bottom_restraints=flat,
        position_restraints=(PositionRestraint(atom=3, force_constants=(10.0, 20.0, 30.0)),),
    )


def _walk(rng: np.random.Generator, n: int) -> np.ndarray:
    """A loose helix: neighbours 0.4 nm apart, others further."""
    turn = np.arange(n) * 1.9
    points = np.stack([0.25 * np.cos(turn), 0.25 * np.sin(turn), 0.3 * np.arange(n)], axis=1)
    return points + rng.normal(0.0, 0.03, size=(n, 3))


def _zoo() -> System:
    """A few of each, ions among them, some across the faces of the box; reference points lie up to 0.6 nm away."""
    rng = np.random.default_rng(11)
    box = np.array([7.0, 7.2, 7.5])
    corners = np.array([[0, 0, 0], [0.5, 0, 0], [0.15, 0.5, 0.1], [-0.2, -0.1, 0.5]])
    shapes = {"chain": lambda: _walk(rng, 8), "frame": lambda: corners, "held": lambda: _walk(rng, 16)}
    molecules = {"chain": _chain(), "frame": _frame(), "held": _held()}
    positions, components = [], []
    for column, (name, molecule) in enumerate(molecules.items()):
        for row in range(3):
            shape = shapes[name]()
            sites = np.zeros((molecule.n_beads - len(shape), 3))  # programs place them themselves
            positions.append(np.concatenate([shape, sites]) + np.array([2.3 * column, 2.4 * row, 0.2 * row]))
        components.append((molecule, 3))
    for label, spot in (("NA", 1.15), ("CL", 3.45)):
        positions.append(np.array([[spot, y, z] for y in (1.2, 3.6, 6.0) for z in (1.0, 3.0, 6.0)]))
        components.append((load_molecule("martini3", label), 9))
    places = np.concatenate(positions)
    return System(
        table=load_bead_table("martini3").subset(["C1", "SC3", "SP1", "Q1", "Q5", "TC5", "TQ5"]),
        components=tuple(components),
        positions=places,
        reference_positions=places + rng.uniform(-0.6, 0.6, size=places.shape) + box * rng.integers(-1, 2, (1, 3)),
        box=box,
        title="zoo",
    )


def _compared(gromacs, system: System, folder) -> dict[str, float]:
    files = write_gromacs(system, folder, decimals=10)
    theirs, forces = gromacs.single_point(files)
    used = {part for parts in TERMS.values() for part in parts}
    assert used <= set(theirs), "a term is missing in GROMACS's list"
    ours = potential_energy(read_gromacs_topology(files["top"], files["gro"], reference=files["reference"]))
    summed = {name: sum(theirs[part] for part in parts) for name, parts in TERMS.items()}
    assert {name: getattr(ours, name) for name in TERMS} == pytest.approx(summed, rel=1e-8 if gromacs.double else 1e-5)
    error = np.sqrt(np.mean((ours.forces - forces) ** 2)) / np.sqrt(np.mean(forces**2))
    assert error < (1e-7 if gromacs.double else 1e-4)
    return {part: theirs[part] for part in used}


def test_every_term_is_that_of_gromacs(gromacs, tmp_path):
    parts = _compared(gromacs, _zoo(), tmp_path)
    assert all(abs(value) > 1.0 for value in parts.values()), parts


def _content(path) -> list[str]:
    lines = (line for line in path.read_text().splitlines() if not line.startswith(";"))
    return [line.split(" ; ")[0] for line in lines]


def test_what_was_read_is_written_the_same(gromacs, tmp_path):
    files = write_gromacs(_zoo(), tmp_path / "a", decimals=10)
    again = read_gromacs_topology(files["top"], files["gro"], reference=files["reference"])
    other = write_gromacs(again, tmp_path / "b", decimals=10)
    assert set(other) == set(files)
    for key, path in files.items():
        assert _content(other[key]) == _content(path), key
    first, forces = gromacs.single_point(files)
    second, same = gromacs.single_point(other)
    assert first == second
    np.testing.assert_array_equal(forces, same)


def test_grompp_accepts_every_run_file_of_it(gromacs, tmp_path):
    files = write_gromacs(_zoo(), tmp_path, settings=RunSettings(coupling="semiisotropic"))
    for run in ("em", "eq", "md", "single_point"):
        gromacs.grompp(files, run)


def test_a_wrong_weight_is_noticed(gromacs, tmp_path):
    system = _zoo()
    frame = system.components[1][0]
    wrong = replace(frame.virtual_sites[2], parameters=(0.9, 0.8001))
    other = replace(frame, virtual_sites=(*frame.virtual_sites[:2], wrong, *frame.virtual_sites[3:]))
    files = write_gromacs(system, tmp_path, decimals=10)
    theirs, _ = gromacs.single_point(files)
    components = (system.components[0], (other, 3), *system.components[2:])
    assert potential_energy(replace(system, components=components)).lj != pytest.approx(theirs["LJ (SR)"], rel=1e-5)
