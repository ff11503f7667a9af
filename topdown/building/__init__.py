"""Starting coordinates: liquids, solutions and bilayers."""

from topdown.building.conformation import conformation_of, initial_conformation
from topdown.building.liquid import build_liquid, build_mixture, build_solution
from topdown.building.packing import closest_distance
from topdown.building.single import single_molecule

__all__ = [
    "build_liquid",
    "build_mixture",
    "build_solution",
    "closest_distance",
    "conformation_of",
    "initial_conformation",
    "single_molecule",
]
