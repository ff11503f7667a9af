"""The nouns: frozen dataclasses over numpy, without I/O and without physics."""

from topdown.model.bead import Bead, BeadType
from topdown.model.bead_table import BeadTable, BuildingBlock, NonbondedScheme, Provenance
from topdown.model.bonded import (
    CONSTRUCTIONS,
    Angle,
    Bond,
    Constraint,
    Construction,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    TabulatedPotential,
    VirtualSite,
)
from topdown.model.measurement import Estimate, Measurement
from topdown.model.molecule import CGMolecule
from topdown.model.samples import PairSums, WindowFailure, WindowSamples
from topdown.model.system import System

__all__ = [
    "CONSTRUCTIONS",
    "Angle",
    "Bead",
    "BeadTable",
    "BeadType",
    "Bond",
    "BuildingBlock",
    "CGMolecule",
    "Constraint",
    "Construction",
    "Dihedral",
    "Estimate",
    "FlatBottomRestraint",
    "Measurement",
    "NonbondedScheme",
    "PairSums",
    "PositionRestraint",
    "Provenance",
    "System",
    "TabulatedPotential",
    "VirtualSite",
    "WindowFailure",
    "WindowSamples",
]
