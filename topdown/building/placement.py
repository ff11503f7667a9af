"""Solutes in a bilayer: the leaflet each belongs to, the depth it starts at, and how it is turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from topdown.building.conformation import conformation_of
from topdown.building.leaflets import Bilayer, Guests
from topdown.building.lipids import is_apolar
from topdown.building.liquid import BEAD_VOLUME
from topdown.building.packing import random_rotations, rotated_copies
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray

PLACES: Final = ("interface", "water", "core")
#: Places and rotations a free solute is tried at; the one farthest from all other beads is taken.
_TRIALS: Final = 60
#: Area [nm²] that a guest takes in a leaflet.
_GUEST_AREA: Final = (0.2, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Solutes and where they start.

    Attributes
    ----------
    solute : CGMolecule
    count : int
    depth : float or "interface" | "water" | "core"
        |z - z_middle| [nm], or by name: at the border of polar heads and tails, in the water, in the middle plane.
    """

    solute: CGMolecule
    count: int = 1
    depth: float | str = "interface"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingsError(f"the number of solutes must be at least 1, got {self.count}")
        if isinstance(self.depth, str) and self.depth not in PLACES:
            raise SettingsError(f"no place {self.depth!r}", hint="interface, water, core, or a depth in nm")
        if not isinstance(self.depth, str) and not (np.isfinite(self.depth) and self.depth >= 0):
            raise SettingsError(f"the depth of the solute must be zero or more, got {self.depth}")


def sides_of(placements: Sequence[Placement]) -> list[FloatArray]:
    """+1 (upper side) or -1 for every solute of every placement, in turn through all of them, so that both leaflets get as
    many as they can; those at the interface, which take room in a leaflet, are counted on their own."""
    turn = {True: 0, False: 0}
    sides = []
    for placement in placements:
        at_interface = placement.depth == "interface"
        first = turn[at_interface]
        turn[at_interface] += placement.count
        numbers = first + np.arange(placement.count)
        sides.append(np.where(numbers % 2 == 0, 1.0, -1.0))
    return sides


def guests(placements: Sequence[Placement], table: BeadTable) -> tuple[Guests, Guests]:
    """Solutes that take a lipid's place in the upper and the lower leaflet, and the area they take."""
    number, area = {1.0: 0, -1.0: 0}, {1.0: 0.0, -1.0: 0.0}
    for placement, sides in zip(placements, sides_of(placements)):
        if placement.depth != "interface":
            continue
        volume = sum(BEAD_VOLUME[table.bead_type(name).size] for name in placement.solute.type_names)
        for side in (1.0, -1.0):
            here = int((sides == side).sum())
            number[side] += here
            area[side] += here * float(np.clip(volume ** (2.0 / 3.0), *_GUEST_AREA))
    upper, lower = (Guests(number=number[side], area=area[side]) for side in (1.0, -1.0))
    return upper, lower


def place_solutes(
    placements: Sequence[Placement], bilayer: Bilayer, box: FloatArray, table: BeadTable, rng: np.random.Generator
) -> list[FloatArray]:
    """Coordinates of the solutes, one block per placement.

    At the interface they stand on the places the bilayer left for guests, polar end outwards; elsewhere each takes, of many
    random places and rotations at its depth, the one that leaves most room.

    Raises
    ------
    SettingsError
        A depth outside the box.
    """
    blocks: list[FloatArray] = []
    free = {1.0: list(bilayer.free_sites[0]), -1.0: list(bilayer.free_sites[1])}
    for placement, height, sides in zip(placements, _heights(placements, bilayer, box), sides_of(placements)):
        if placement.depth == "interface":
            sites = np.array([free[float(side)].pop(0) for side in sides])
            blocks.append(_at_interface(placement.solute, height, sides, sites, box, table, rng))
        else:
            occupied = np.concatenate([bilayer.positions, *blocks])
            blocks.append(_with_most_room(placement.solute, height, sides, occupied, box, rng))
    return blocks


def _heights(placements: Sequence[Placement], bilayer: Bilayer, box: FloatArray) -> list[float]:
    """Distance of each placement from the middle plane [nm]."""
    named = {"interface": bilayer.border, "core": 0.0, "water": (bilayer.top + float(box[2]) / 2) / 2}
    heights = [named[p.depth] if isinstance(p.depth, str) else float(p.depth) for p in placements]
    for height in heights:
        if height > box[2] / 2:
            raise SettingsError(f"a depth of {height:g} nm lies outside the box", hint=f"at most {box[2] / 2:g} nm")
    return heights


def _at_interface(
    solute: CGMolecule,
    height: float,
    sides: FloatArray,
    sites: FloatArray,
    box: FloatArray,
    table: BeadTable,
    rng: np.random.Generator,
) -> FloatArray:
    shape = conformation_of(solute)
    apolar = np.array([is_apolar(name, table) for name in solute.type_names])
    if apolar.any() and not apolar.all():
        shape = _polar_up(shape, apolar)
        turns = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi, (len(sides), 1)))
        turns = turns * Rotation.from_euler("x", np.where(sides > 0, 0.0, np.pi)[:, None])
        # The border of head groups and tails goes through the border of the solute's own polar and apolar beads.
        border = (shape[~apolar, 2].mean() + shape[apolar, 2].mean()) / 2 - shape[:, 2].mean()
        height = max(height - border, 0.0)
    else:
        turns = random_rotations(len(sides), rng)
    return rotated_copies(shape, turns, np.column_stack([sites, box[2] / 2 + sides * height]))


def _with_most_room(
    solute: CGMolecule,
    height: float,
    sides: FloatArray,
    occupied: FloatArray,
    box: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    shape = conformation_of(solute)
    placed: list[FloatArray] = []
    for side in sides:
        centres = np.column_stack(
            [rng.uniform(0, 1, (_TRIALS, 2)) * box[:2], np.full(_TRIALS, box[2] / 2 + side * height)]
        )
        tried = rotated_copies(shape, random_rotations(_TRIALS, rng), centres).reshape(_TRIALS, -1, 3)
        tree = cKDTree(np.mod(np.concatenate([occupied, *placed]), box), boxsize=box)
        room = tree.query(np.mod(tried, box))[0].min(axis=1)
        placed.append(tried[int(np.argmax(room))])
    return np.concatenate(placed)


def _polar_up(shape: FloatArray, apolar: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FloatArray:
    """Turn the molecule so that the line from its apolar to its polar beads points along +z."""
    line = shape[~apolar].mean(axis=0) - shape[apolar].mean(axis=0)
    if np.linalg.norm(line) < 1e-6:
        return shape
    turn, _ = Rotation.align_vectors(np.array([[0.0, 0.0, 1.0]]), line[None, :] / np.linalg.norm(line))
    turned: FloatArray = turn.apply(shape - shape.mean(axis=0))
    return turned
