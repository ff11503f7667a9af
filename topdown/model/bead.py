"""Bead types of a table, and beads of a molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Size = Literal["R", "S", "T", "U"]
#: Sizes of beads that stand for molecules, largest first: regular, small, tiny.
SIZES: Final = "RST"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadType:
    """One row of ``bead_types.csv``.

    Attributes
    ----------
    name : str
        Name used in topologies, for instance ``"SC3"``.
    chemical_class : str
        Name without the size prefix, for instance ``"C3"``.
    size : {"R", "S", "T", "U"}
        Regular (4 heavy atoms), small (3), tiny (2) or dummy (``U``).
    mass : float
        Mass [u] a bead of this type has when its molecule does not say otherwise.
    charge : float
        Default charge [e].
    description : str
        What it stands for.
    """

    name: str
    chemical_class: str
    size: Size
    mass: float
    charge: float = 0.0
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bead:
    """One bead of a molecule.

    Attributes
    ----------
    name : str
        Name of the bead, unique inside its residue; files hold five characters of it.
    bead_type : str
        Name of its :class:`BeadType`.
    charge : float
        Charge [e].
    mass : float
        Mass [u]; 0 for a virtual site, and for nothing else.
    atoms : tuple of int
        Indices of its heavy atoms, counted over the heavy atoms in the order of the SMILES as written; empty for curated models
        without an atomistic mapping.
    reason : str
        Why this type was given.
    confidence : float
        Probability that an expert gives the same type, 0 to 1; 1 for curated models.
    alternatives : tuple of str
        Next-best bead types, best first.
    residue : str
        Name of the residue it belongs to; empty for the name of the molecule.
    residue_number : int
        Number of that residue within the molecule, as in its topology.
    """

    name: str
    bead_type: str
    charge: float = 0.0
    mass: float = 72.0
    atoms: tuple[int, ...] = ()
    reason: str = ""
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()
    residue: str = ""
    residue_number: int = 1
