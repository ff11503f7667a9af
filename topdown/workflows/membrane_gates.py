"""What a membrane must pass before it is simulated and after it is written: each gate raises, with what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from topdown.building.bonded_energy import bonded_energy, bonded_terms
from topdown.building.conformation import conformation_of
from topdown.building.descent import descend
from topdown.building.packing import closest_distance
from topdown.engine import potential_energy
from topdown.errors import SimulationError
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.formats.naming import component_names
from topdown.formats.ndx import read_ndx
from topdown.model import CGMolecule, System
from topdown.model._arrays import FloatArray
from topdown.properties.membrane import CORE_HALF_WIDTH, heights, index_membrane

#: A start whose beads are closer than this is refused [nm].
CLOSEST_START: Final = 0.30
#: Constraints are off by less than this part of their length [1] in a finished system; the engine promises 1e-5.
_CONSTRAINT_ERROR: Final = 1e-4
#: A conformation whose constraints are off by more [nm] is none.
_UNSOLVABLE: Final = 0.01


def check_models(system: System) -> None:
    """Every set of constraints can be met by some conformation.

    Raises
    ------
    SimulationError
        The molecule and its worst constraint.
    """
    for molecule in {id(molecule): molecule for molecule, _ in system.components}.values():
        _check_constraints_solvable(molecule)


def _check_constraints_solvable(molecule: CGMolecule) -> None:
    if not molecule.constraints:
        return
    only = CGMolecule(name=molecule.name, beads=molecule.beads, constraints=molecule.constraints,
                      virtual_sites=molecule.virtual_sites)  # fmt: skip
    terms = bonded_terms([(only, 1)])

    def stretch(x: FloatArray) -> tuple[float, FloatArray]:
        at = terms.place(x)
        energy, gradient = bonded_energy(at, terms)
        terms.hand_on(at, gradient)
        return energy, gradient

    x = descend(conformation_of(molecule), stretch, max_steps=500, longest_move=0.05, gradient_tolerance=1e-3).positions
    lengths = np.array([constraint.length for constraint in molecule.constraints])
    pairs = np.array([constraint.atoms for constraint in molecule.constraints])
    off = np.abs(np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) - lengths)
    worst = int(np.argmax(off))
    if off[worst] > _UNSOLVABLE:
        i, j = (molecule.beads[k].name for k in molecule.constraints[worst].atoms)
        raise SimulationError(
            f"the constraints of {molecule.name} contradict one another: {i}-{j} is off by {off[worst]:.3f} nm at best",
            hint="correct the lengths of its constraints",
        )


def check_start(system: System, lipids: Collection[str] = ()) -> float:
    """Gate before any dynamics: no overlap, no water in the core, no net charge, finite energy and forces.

    Parameters
    ----------
    system : System
    lipids : collection of str
        Names of the lipids, where there are some.

    Returns
    -------
    float
        The closest distance of two beads [nm].

    Raises
    ------
    SimulationError
        The system as built cannot be run.
    """
    distance = closest_distance(system)
    if distance < CLOSEST_START:
        raise SimulationError(
            f"two beads are only {distance:.3f} nm apart after building", hint="try a larger box or another --seed"
        )
    charge = sum(molecule.charge * count for molecule, count in system.components)
    if abs(charge) > 1e-4:
        raise SimulationError(f"the system has a net charge of {charge:g} e", hint="ions of the table do not fit")
    if lipids:
        index = index_membrane(system, lipids)
        inside = int(np.sum(np.abs(heights(system.positions, system.box, index)[index.water]) < CORE_HALF_WIDTH))
        if inside:
            raise SimulationError(
                f"{inside} beads of water lie in the core of the bilayer as built", hint="try another --seed"
            )
    check_finite(system, "as built")
    return distance


def check_finite(system: System, when: str) -> float:
    """Largest force [kJ/mol/nm] on a bead; energy and forces must be finite.

    Raises
    ------
    SimulationError
        They are not.
    """
    terms = potential_energy(system)
    if not (np.isfinite(terms.potential) and np.all(np.isfinite(terms.forces))):
        raise SimulationError(f"the energy of the system {when} is not a finite number", hint="try another --seed")
    return float(np.sqrt((np.asarray(terms.forces) ** 2).sum(axis=1).max()))


def check_constraints(system: System) -> float:
    """Largest relative deviation of a constraint of a finished system.

    Raises
    ------
    SimulationError
        The molecule whose constraints are not met.
    """
    largest, start = 0.0, 0
    x = np.asarray(system.positions)
    for molecule, count in system.components:
        stop = start + molecule.n_beads * count
        if molecule.constraints and count:
            beads = x[start:stop].reshape(count, molecule.n_beads, 3)
            pairs = np.array([constraint.atoms for constraint in molecule.constraints])
            lengths = np.array([constraint.length for constraint in molecule.constraints])
            have = np.linalg.norm(beads[:, pairs[:, 0]] - beads[:, pairs[:, 1]], axis=2)
            off = float(np.abs(have / lengths - 1.0).max())
            if not off <= _CONSTRAINT_ERROR:
                raise SimulationError(f"constraints of {molecule.name} are off by {off:.1e} of their length")
            largest = max(largest, off)
        start = stop
    return largest


def check_written(system: System, files: Mapping[str, Path]) -> None:
    """Gate after writing: what was written is read back; topology, coordinates and index must hold the same molecules, with
    nearly the same energy.

    Parameters
    ----------
    system : System
    files : mapping
        ``top``, ``gro`` and ``ndx``.

    Raises
    ------
    TopologyError
        Names of beads or molecules that differ between topology and coordinates.
    SimulationError
        The files do not say what the system is.
    """
    top, gro = files["top"], files["gro"]
    back = read_gromacs_topology(top, gro)
    mine = [(m.n_beads, m.type_names, m.charge) for m, count in system.components for _ in range(count)]
    theirs = [(m.n_beads, m.type_names, m.charge) for m, count in back.components for _ in range(count)]
    if mine != theirs:
        raise SimulationError(f"{top} and {gro} do not hold the molecules that were built")
    _check_index(back, files["ndx"])
    charge = sum(molecule.charge * count for molecule, count in back.components)
    if abs(charge) > 1e-4:
        raise SimulationError(f"{top} has a net charge of {charge:g} e")
    here, there = potential_energy(system).potential, potential_energy(back).potential
    # Coordinates are rounded to 0.001 nm in the file.
    if not abs(here - there) <= 0.02 * abs(here):
        raise SimulationError(f"energy {there:.1f} kJ/mol read back from {gro}, {here:.1f} kJ/mol before")


def _check_index(back: System, ndx: Path) -> None:
    """``System`` is everything, each molecule's group its beads, and Membrane, Solvent and Solute share the system out."""
    groups = read_ndx(ndx)
    expected: dict[str, list[int]] = {"System": list(range(back.n_beads))}
    start = 0
    for (molecule, count), name in zip(back.components, component_names(back)):
        expected.setdefault(name, []).extend(range(start, start + molecule.n_beads * count))
        start += molecule.n_beads * count
    for name, beads in expected.items():
        if name not in groups or list(groups[name]) != beads:
            raise SimulationError(f"group {name} of {ndx} is not what the topology calls so")
    parts = [groups[name] for name in ("Membrane", "Solvent", "Solute") if name in groups]
    if parts and sorted(np.concatenate(parts).tolist()) != expected["System"]:
        raise SimulationError(f"Membrane, Solvent and Solute of {ndx} do not share out the system")
