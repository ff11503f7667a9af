"""The job behind ``topdown map --fit-bonded``: bonded terms of a mapped molecule from an all-atom trajectory of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from topdown.errors import SettingsError
from topdown.mapping.conformers import BeadEnsemble, bead_ensemble
from topdown.mapping.geometry import BondedTerms, bonded_terms
from topdown.mapping.operators import Center
from topdown.mapping.smiles import parse_smiles
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray
from topdown.workflows.map_trajectory import bead_samples

#: Least samples for a fit, and most that are looked at (evenly spaced).
LEAST_SAMPLES: Final = 50
MOST_SAMPLES: Final = 5000


def fit_bonded(
    molecule: CGMolecule,
    table: BeadTable,
    trajectory: Path,
    *,
    topology: Path | None = None,
    groups_file: Path | None = None,
    center: Center | None = None,
    temperature: float = 300.0,
) -> CGMolecule:
    """The molecule with lengths, angles, dihedrals and force constants of an all-atom trajectory.

    Which terms there are follows the same rules as without one (:mod:`topdown.mapping.geometry`); their numbers are Boltzmann
    inversions at ``temperature``, without the bounds that are put on conformers. Distances stiffer than 25,000 kJ/mol/nm²
    become constraints where no cycle is closed, and all force constants are lowered as far as 20 fs asks for.

    Parameters
    ----------
    molecule : CGMolecule
        With its SMILES and the atoms of its beads.
    table : BeadTable
    trajectory, topology, groups_file, center
        As in :func:`topdown.workflows.map_trajectory.map_trajectory`.
    temperature : float
        Of the trajectory [K].

    Raises
    ------
    SettingsError
        A temperature out of range, fewer than 50 samples, or a model with beads that stand for no atoms.
    TopdownError
        As :func:`topdown.workflows.map_trajectory.map_trajectory`.
    """
    if not 50.0 <= temperature <= 2000.0:
        raise SettingsError(f"a temperature of {temperature:g} K is out of range", hint="50 to 2000 K")
    if any(not bead.atoms for bead in molecule.beads):
        raise SettingsError(
            "a published model keeps its own bonded terms: some of its beads stand for no atoms", where=molecule.name
        )
    samples = bead_samples(molecule, trajectory, topology=topology, groups_file=groups_file, center=center)
    return fit_samples(molecule, table, samples, temperature=temperature)


def fit_samples(
    molecule: CGMolecule, table: BeadTable, samples: FloatArray, *, temperature: float = 300.0
) -> CGMolecule:
    """As :func:`fit_bonded`, from bead positions (n_samples, n_beads, 3) [nm]."""
    if len(samples) < LEAST_SAMPLES:
        raise SettingsError(
            f"{len(samples)} samples are too few to fit force constants", hint=f"{LEAST_SAMPLES} at least"
        )
    if len(samples) > MOST_SAMPLES:
        samples = samples[np.linspace(0, len(samples) - 1, MOST_SAMPLES).astype(int)]
    weights = np.full(len(samples), 1.0 / len(samples))
    ensemble = BeadEnsemble(positions=samples, weights=weights, temperature=temperature, thermal=True)
    masses = [table.bead_type(bead.bead_type).mass for bead in molecule.beads]
    terms = bonded_terms(parse_smiles(molecule.smiles).mol, [b.atoms for b in molecule.beads], masses, ensemble)
    note = f"bonded terms fitted to {len(samples)} samples of an all-atom trajectory at {temperature:g} K"
    return _with_terms(molecule, terms, note)


def _with_terms(molecule: CGMolecule, terms: BondedTerms, note: str) -> CGMolecule:
    return replace(
        molecule,
        beads=tuple(replace(bead, mass=mass) for bead, mass in zip(molecule.beads, terms.masses)),
        bonds=terms.bonds,
        constraints=terms.constraints,
        angles=terms.angles,
        dihedrals=terms.dihedrals,
        virtual_sites=terms.virtual_sites,
        exclusions=terms.exclusions,
        positions=terms.positions,
        warnings=(*molecule.warnings, note),
    )


def with_center(molecule: CGMolecule, table: BeadTable, center: Center, *, seed: int) -> CGMolecule:
    """The molecule with beads at another centre of their atoms, bonded terms from conformers.

    Parameters
    ----------
    molecule : CGMolecule
        Mapped from its SMILES.
    table : BeadTable
    center : {"geometry", "mass", "charge"}
    seed : int
        Of the conformers.
    """
    if any(not bead.atoms for bead in molecule.beads) or molecule.n_beads == 1:
        return molecule
    mol = parse_smiles(molecule.smiles).mol
    groups = tuple(bead.atoms for bead in molecule.beads)
    ensemble = bead_ensemble(mol, groups, seed=seed, with_hydrogens="2" not in molecule.table, center=center)
    if ensemble is None:
        return molecule
    masses = [table.bead_type(bead.bead_type).mass for bead in molecule.beads]
    return _with_terms(molecule, bonded_terms(mol, groups, masses, ensemble), f"beads at the centre of {center}")
