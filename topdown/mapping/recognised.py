"""What recognition hands on: beads that are given, and the bonded terms where the whole molecule is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite
from topdown.model._arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedBead:
    """One bead of a published model.

    Attributes
    ----------
    name : str
        As in the published model, for instance ``GL1`` or ``D2A``; unique only where the whole molecule is recognised.
    bead_type : str
    atoms : tuple of int
        Heavy atoms of the molecule handed in, sorted; empty for a virtual site without atoms of its own.
    charge : int
        [e]
    reason : str
    confidence : float
    alternatives : tuple of str
        Bead types next in line; none for those of the published model.
    """

    name: str
    bead_type: str
    atoms: tuple[int, ...]
    charge: int
    reason: str
    confidence: float
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PublishedTerms:
    """Bonded terms of a published model, by bead index.

    Attributes
    ----------
    bonds, constraints, angles, dihedrals, virtual_sites : tuples of bonded terms
    exclusions : tuple of (int, int)
    masses : mapping of int to float
        Masses [u] that differ from those of the bead types; 0 for virtual sites.
    positions : (n_beads, 3) float64 [nm] or None
        Of the model at rest; ``None`` leaves it to :func:`topdown.mapping.lipid_layout.extended`.
    """

    bonds: tuple[Bond, ...]
    constraints: tuple[Constraint, ...]
    angles: tuple[Angle, ...]
    dihedrals: tuple[Dihedral, ...]
    virtual_sites: tuple[VirtualSite, ...]
    exclusions: tuple[tuple[int, int], ...]
    masses: Mapping[int, float]
    positions: FloatArray | None


@dataclass(frozen=True, kw_only=True)
class RecognisedBlocks:
    """The recognised part of a molecule.

    Attributes
    ----------
    beads : tuple of RecognisedBead
        In the order of the published model.
    model : str
        What the whole molecule is, empty when only parts of it were recognised.
    terms : PublishedTerms or None
        All bonded terms when the beads are the whole molecule.
    n_atoms : int
        Heavy atoms of the molecule.
    """

    beads: tuple[RecognisedBead, ...]
    model: str
    terms: PublishedTerms | None
    n_atoms: int

    @property
    def whole(self) -> bool:
        """Whether nothing is left to the general partition."""
        return self.terms is not None

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Atoms of each bead that has any."""
        return tuple(bead.atoms for bead in self.beads if bead.atoms)
