"""Bonds made longer until the beads of a molecule show as much surface as its atoms do.

Centres of geometry of neighbouring fragments lie closer than beads can without losing surface and volume, the more so the
smaller and the more branched the fragments. Martini 3 allows bonds to be lengthened for that (Alessandri et al., Adv. Theory
Simul. 5, 2100391 (2022)). Here all lengths of a molecule grow by one factor, so that its shape, its angles and the places of its
virtual sites stay as they are; no bond grows beyond the distance at which its two beads only touch. Tables whose ``bond_lengths``
are ``surface`` have all their molecules so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from topdown.mapping.operators import Center
from topdown.mapping.surface import MappedSurface, largest_factor
from topdown.model import BeadTable, CGMolecule, VirtualSite

#: Parameters of a virtual site that are lengths, and that are inverse lengths, by construction.
_LENGTHS: Final = {"2fd": (0,), "3fd": (1,), "3fad": (1,), "4fdn": (2,)}
_INVERSE: Final = {"3out": (2,)}


def surface_factor(molecule: CGMolecule, table: BeadTable, *, seed: int = 1, center: Center | None = None) -> float:
    """By how much all lengths grow (:meth:`topdown.mapping.surface.MappedSurface.matching_factor`), at most
    :func:`topdown.mapping.surface.largest_factor`; 1 without conformers."""
    seen = MappedSurface.of(molecule, table, seed=seed, center=center) if molecule.n_beads > 1 else None
    return 1.0 if seen is None else seen.matching_factor(largest_factor(molecule, table))


def with_longer_bonds(molecule: CGMolecule, factor: float) -> CGMolecule:
    """The molecule with all lengths and coordinates times ``factor``."""
    return replace(
        molecule,
        bonds=tuple(replace(bond, length=bond.length * factor) for bond in molecule.bonds),
        constraints=tuple(replace(bond, length=bond.length * factor) for bond in molecule.constraints),
        virtual_sites=tuple(_site(site, factor) for site in molecule.virtual_sites),
        positions=None if molecule.positions is None else molecule.positions * factor,
    )


def match_surface(molecule: CGMolecule, table: BeadTable, *, seed: int = 1, center: Center | None = None) -> CGMolecule:
    """The molecule with its bonds as long as the surface of its atoms asks for, which a warning then says.

    Parameters
    ----------
    molecule : CGMolecule
        Mapped from its SMILES; published models, whose beads name no atoms, stay as they are.
    table : BeadTable
    seed : int
        Of the conformers.
    center : {"geometry", "mass", "charge"}, optional
    """
    factor = surface_factor(molecule, table, seed=seed, center=center)
    if factor == 1.0:
        return molecule
    note = f"bonds {100.0 * (factor - 1.0):.0f} % longer than between the centres of the beads, to match the surface"
    if factor == largest_factor(molecule, table):
        note += "; the most allowed, the beads still show less surface than the atoms"
    return replace(with_longer_bonds(molecule, factor), warnings=(*molecule.warnings, note))


def _site(site: VirtualSite, factor: float) -> VirtualSite:
    lengths, inverse = _LENGTHS.get(site.construction, ()), _INVERSE.get(site.construction, ())
    parameters = tuple(
        value * factor if k in lengths else value / factor if k in inverse else value
        for k, value in enumerate(site.parameters)
    )
    return replace(site, parameters=parameters)
