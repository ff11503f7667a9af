"""Bilayers in water: lipids on a staggered grid in two leaflets, tails meeting in the middle of the box, water and ions
outside, and solutes at a chosen depth.

The normal is z and the middle plane lies at L_z/2. Components come in the order of the files Martini users know: lipids
of the upper leaflet, lipids of the lower one, solutes, water, ions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from topdown.building.conformation import conformation_of
from topdown.building.lipids import HALF_GAP, LIPID_PACKING, hanging_lipid, is_apolar, starting_area
from topdown.building.liquid import BEAD_VOLUME, lattice
from topdown.building.packing import push_apart, random_rotations, rotated_copies, wrap_molecules
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray

#: Water keeps this distance from every other bead when it is put on its lattice [nm].
_WATER_CLEARANCE: Final = 0.43
#: No lattice of water is finer than this [nm].
_DENSEST_WATER: Final = 0.42
#: One Martini water bead stands for four molecules of water; pure water is 55.5 mol/l.
_WATERS_PER_BEAD: Final = 4
_WATER_MOLARITY: Final = 55.51
_MINIMUM_WATER_LAYER: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaflets:
    """Composition of a bilayer.

    Attributes
    ----------
    upper, lower : tuple of (CGMolecule, float)
        Lipids and their shares of the leaflet in any proportion, for instance 7 and 3; ``lower`` empty: as ``upper``.
    """

    upper: tuple[tuple[CGMolecule, float], ...]
    lower: tuple[tuple[CGMolecule, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.upper:
            raise SettingsError("a bilayer needs at least one lipid")
        for lipid, share in (*self.upper, *self.lower):
            if not (np.isfinite(share) and share > 0):
                raise SettingsError(f"the share of {lipid.name} must be positive, got {share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solvent:
    """What surrounds the bilayer.

    Attributes
    ----------
    water, cation, anion : CGMolecule
    salt_molarity : float
        Of cation-anion pairs [mol/l of water], on top of the ions that neutralise the system.
    """

    water: CGMolecule
    cation: CGMolecule
    anion: CGMolecule
    salt_molarity: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.salt_molarity) and 0 <= self.salt_molarity <= 6):
            raise SettingsError(f"the salt concentration must be 0 to 6 mol/l, got {self.salt_molarity}")
        for ion, sign, role in ((self.cation, 1, "cation"), (self.anion, -1, "anion")):
            if ion.n_beads != 1 or ion.charge * sign <= 0:
                raise SettingsError(f"{ion.name} cannot serve as the {role}: one bead of that charge is needed")
        if self.water.n_beads != 1:
            raise SettingsError(f"{self.water.name} cannot serve as water: a model of one bead is needed")


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
        if isinstance(self.depth, str) and self.depth not in ("interface", "water", "core"):
            raise SettingsError(f"no place {self.depth!r}", hint="interface, water, core, or a depth in nm")
        if not isinstance(self.depth, str) and not (np.isfinite(self.depth) and self.depth >= 0):
            raise SettingsError(f"the depth of the solute must be zero or more, got {self.depth}")


def leaflet_counts(lipids: Sequence[tuple[CGMolecule, float]], area: float, areas: Mapping[str, float]) -> list[int]:
    """How many of each lipid fill ``area`` [nm²], each taking the area ``areas`` gives its name: shares kept by largest
    remainders, at least one of each.

    Raises
    ------
    SettingsError
        The area holds fewer lipids than there are kinds.
    """
    shares = np.array([share for _, share in lipids], dtype=float)
    shares /= shares.sum()
    mean_area = float(sum(s * areas[lipid.name] for (lipid, _), s in zip(lipids, shares)))
    total = round(area / mean_area)
    if total < len(lipids):
        raise SettingsError(f"{area:.2f} nm² hold {total} lipids, fewer than kinds of lipid", hint="enlarge --size")
    counts = np.maximum(np.floor(shares * total).astype(int), 1)
    while counts.sum() != total:
        rest = shares * total - counts
        step = 1 if counts.sum() < total else -1
        counts[int(np.argmax(rest * step + np.where((step < 0) & (counts <= 1), -np.inf, 0.0)))] += step
    return [int(n) for n in counts]


def staggered_grid(n: int, width: float, depth: float) -> FloatArray:
    """``n`` points on a periodic rectangle in rows as even as possible, every other row shifted: near-hexagonal.

    Returns
    -------
    (n, 2) float64 [nm]
    """
    rows = max(1, round(np.sqrt(n * depth / width * 2 / np.sqrt(3))))
    rows = min(rows + rows % 2 if rows > 1 else rows, n)
    per_row = np.diff(np.round(np.linspace(0, n, rows + 1)).astype(int))
    points = [
        ((column + 0.25 + 0.5 * (row % 2)) * width / in_row, (row + 0.5) * depth / rows)
        for row, in_row in enumerate(per_row)
        for column in range(in_row)
    ]
    grid: FloatArray = np.asarray(points, dtype=float).reshape(n, 2)
    return grid


def build_bilayer(
    leaflets: Leaflets,
    size: tuple[float, float, float],
    table: BeadTable,
    solvent: Solvent,
    *,
    rng: np.random.Generator,
    placements: Sequence[Placement] = (),
    area_per_lipid: Mapping[str, float] | None = None,
) -> System:
    """A solvated bilayer without overlaps, whole molecules, net charge zero.

    Parameters
    ----------
    leaflets : Leaflets
    size : (float, float, float)
        Edges of the box [nm]; z is the normal of the bilayer.
    table : BeadTable
    solvent : Solvent
    rng : numpy.random.Generator
        The only source of randomness.
    placements : sequence of Placement
        Solutes, alternating between the two sides.
    area_per_lipid : mapping of str to float, optional
        Areas [nm²] that replace those of :func:`topdown.building.lipids.starting_area` by lipid name.

    Raises
    ------
    SettingsError
        A box with no room for two leaflets and a nanometre of water, or for the lipids asked for.
    TopologyError
        A lipid without head or tails.
    """
    box = np.asarray(size, dtype=float)
    if box.shape != (3,) or not np.all(np.isfinite(box)) or np.any(box <= 0):
        raise SettingsError(f"a box needs three positive edges, got {list(size)}")
    chosen = area_per_lipid or {}
    areas = {
        lipid.name: chosen.get(lipid.name, starting_area(lipid)) for lipid, _ in (*leaflets.upper, *leaflets.lower)
    }
    membrane = _membrane(leaflets, box, table, areas, placements, rng)
    components: list[tuple[CGMolecule, int]] = [*membrane.components]
    blocks = [membrane.positions]
    for placement, where in zip(placements, _solute_heights(placements, membrane, box)):
        blocks.append(_placed_solutes(placement, where, membrane, box, table, rng))
        components.append((placement.solute, placement.count))
    around = np.concatenate(blocks)
    n_sites = _water_count(components, len(membrane.components), box, table)
    sites = _water_sites(around, n_sites, membrane.border, box, rng)
    charge = round(sum(molecule.charge * count for molecule, count in components), 6)
    n_cations, n_anions = _ion_counts(charge, len(sites), solvent)
    sites = sites + rng.uniform(-0.03, 0.03, size=sites.shape)
    n_water = len(sites) - n_cations - n_anions
    if n_water < 1:
        raise SettingsError("no room for water beside the ions", hint="make the box taller")
    components += [(solvent.water, n_water), (solvent.cation, n_cations), (solvent.anion, n_anions)]
    components = [(molecule, count) for molecule, count in components if count]
    positions = push_apart(np.concatenate([around, sites]), box, components, table)
    return System(
        table=table,
        components=tuple(components),
        positions=wrap_molecules(positions, box, components),
        box=box,
        title=" ".join(f"{count} {molecule.name}" for molecule, count in components),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Membrane:
    """The two leaflets: coordinates with z measured in the box, and the heights that matter."""

    components: tuple[tuple[CGMolecule, int], ...]
    positions: FloatArray
    border: float
    top: float
    free_sites: tuple[FloatArray, FloatArray]


def _membrane(
    leaflets: Leaflets,
    box: FloatArray,
    table: BeadTable,
    areas: Mapping[str, float],
    placements: Sequence[Placement],
    rng: np.random.Generator,
) -> _Membrane:
    components: list[tuple[CGMolecule, int]] = []
    blocks: list[FloatArray] = []
    free: list[FloatArray] = []
    shapes: dict[int, FloatArray] = {}
    for side, lipids in ((1, leaflets.upper), (-1, leaflets.lower or leaflets.upper)):
        n_guests, guest_area = _guests(placements, side, table)
        counts = leaflet_counts(lipids, float(box[0] * box[1]) - guest_area, areas)
        sites = staggered_grid(sum(counts) + n_guests, float(box[0]), float(box[1]))
        sites = sites[rng.permutation(len(sites))] + rng.uniform(-0.04, 0.04, size=sites.shape)
        used = 0
        for (lipid, _), count in zip(lipids, counts):
            if id(lipid) not in shapes:
                shapes[id(lipid)] = hanging_lipid(lipid, table, areas[lipid.name])
            shape = shapes[id(lipid)]
            blocks.append(_standing(shape, sites[used : used + count], side, float(box[2]), rng))
            components.append((lipid, count))
            used += count
        free.append(sites[used:])
    apolar = np.concatenate(
        [np.tile([is_apolar(name, table) for name in lipid.type_names], count) for lipid, count in components]
    )
    positions = np.concatenate(blocks)
    heights = np.abs(positions[:, 2] - box[2] / 2)
    polar_floor = np.concatenate(
        [
            heights_of[:, [not is_apolar(name, table) for name in lipid.type_names]].min(axis=1)
            for lipid, heights_of in _per_molecule(heights, components)
        ]
    )
    top = float(heights[~apolar].max())
    needed = 2 * top + _MINIMUM_WATER_LAYER
    if box[2] < needed:
        raise SettingsError(
            f"a box {box[2]:g} nm tall leaves no room for water: the two leaflets are {2 * top:.1f} nm thick",
            where="size",
            hint=f"at least {np.ceil(10 * needed) / 10:g} nm in z",
        )
    return _Membrane(
        components=tuple(components),
        positions=positions,
        border=float(polar_floor.mean()),
        top=top,
        free_sites=(free[0], free[1]),
    )


def _per_molecule(
    values: FloatArray, components: Sequence[tuple[CGMolecule, int]]
) -> list[tuple[CGMolecule, FloatArray]]:
    parts, start = [], 0
    for molecule, count in components:
        stop = start + molecule.n_beads * count
        parts.append((molecule, values[start:stop].reshape(count, molecule.n_beads)))
        start = stop
    return parts


def _standing(shape: FloatArray, sites: FloatArray, side: int, height: float, rng: np.random.Generator) -> FloatArray:
    """Lipids at ``sites`` (n, 2), turned about z at random; the lower leaflet is turned over, not mirrored."""
    turns = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi, (len(sites), 1)))
    if side < 0:
        turns = turns * Rotation.from_euler("x", np.pi)
    centre = shape.mean(axis=0)
    middle = height / 2 + side * (HALF_GAP + centre[2])
    offsets = np.column_stack([sites, np.full(len(sites), middle)])
    return rotated_copies(shape, turns, offsets)


def _guests(placements: Sequence[Placement], side: int, table: BeadTable) -> tuple[int, float]:
    """Solutes that take a lipid's place in this leaflet, and the area they take [nm²]."""
    number, area = 0, 0.0
    for placement in placements:
        if placement.depth != "interface":
            continue
        here = (placement.count + (side > 0)) // 2
        volume = sum(BEAD_VOLUME[table.bead_type(name).size] for name in placement.solute.type_names)
        number += here
        area += here * min(max(volume ** (2.0 / 3.0), 0.2), 2.0)
    return number, area


def _solute_heights(placements: Sequence[Placement], membrane: _Membrane, box: FloatArray) -> list[float]:
    """Distance of each placement from the middle plane [nm]."""
    named = {"interface": membrane.border, "core": 0.0, "water": (membrane.top + float(box[2]) / 2) / 2}
    heights = [named[p.depth] if isinstance(p.depth, str) else float(p.depth) for p in placements]
    for height in heights:
        if height > box[2] / 2:
            raise SettingsError(f"a depth of {height:g} nm lies outside the box", hint=f"at most {box[2] / 2:g} nm")
    return heights


def _placed_solutes(
    placement: Placement,
    height: float,
    membrane: _Membrane,
    box: FloatArray,
    table: BeadTable,
    rng: np.random.Generator,
) -> FloatArray:
    """Solutes at ``height`` above and below the middle plane in turn, polar end outwards at the interface."""
    solute, count = placement.solute, placement.count
    sides = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    shape = conformation_of(solute)
    apolar = np.array([is_apolar(name, table) for name in solute.type_names])
    amphiphile = placement.depth == "interface" and apolar.any() and not apolar.all()
    if amphiphile:
        shape = _polar_up(shape, apolar)
        turns = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi, (count, 1)))
        turns = turns * Rotation.from_euler("x", np.where(sides > 0, 0.0, np.pi)[:, None])
        # The border of head groups and tails goes through the border of the solute's own polar and apolar beads.
        border = (shape[~apolar, 2].mean() + shape[apolar, 2].mean()) / 2 - shape[:, 2].mean()
        height = max(height - border, 0.0)
    else:
        turns = random_rotations(count, rng)
    centres = np.column_stack([rng.uniform(0, 1, size=(count, 2)) * box[:2], box[2] / 2 + sides * height])
    if placement.depth == "interface":
        for side, free in ((1.0, membrane.free_sites[0]), (-1.0, membrane.free_sites[1])):
            mine = np.flatnonzero(sides == side)
            taken = [int(k) for k in range(min(len(mine), len(free)))]
            centres[mine[: len(taken)], :2] = free[taken]
    return rotated_copies(shape, turns, centres)


def _polar_up(shape: FloatArray, apolar: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FloatArray:
    """Turn the molecule so that the line from its apolar to its polar beads points along +z."""
    line = shape[~apolar].mean(axis=0) - shape[apolar].mean(axis=0)
    if np.linalg.norm(line) < 1e-6:
        return shape
    turn, _ = Rotation.align_vectors(np.array([[0.0, 0.0, 1.0]]), line[None, :] / np.linalg.norm(line))
    turned: FloatArray = turn.apply(shape - shape.mean(axis=0))
    return turned


def _water_count(components: Sequence[tuple[CGMolecule, int]], n_lipids: int, box: FloatArray, table: BeadTable) -> int:
    """Beads of water that fill what lipids (the first ``n_lipids`` components) and solutes leave of the box."""
    taken = 0.0
    for position, (molecule, count) in enumerate(components):
        packing = LIPID_PACKING if position < n_lipids else 1.0
        taken += packing * count * sum(BEAD_VOLUME[table.bead_type(name).size] for name in molecule.type_names)
    return max(int((float(np.prod(box)) - taken) / BEAD_VOLUME["R"]), 0)


def _water_sites(
    around: FloatArray, n_wanted: int, border: float, box: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """``n_wanted`` lattice sites in random order, outside the core and clear of every other bead, (n, 3) [nm].

    Heads are not as tightly packed as they will be, so water that belongs among them starts a little too dense outside.
    """
    tree = cKDTree(np.mod(around, box), boxsize=box)
    spacing = BEAD_VOLUME["R"] ** (1.0 / 3.0)
    while True:
        sites = lattice(box, spacing)
        sites = sites[np.abs(sites[:, 2] - box[2] / 2) > border]
        sites = sites[tree.query(sites)[0] > min(_WATER_CLEARANCE, 0.9 * spacing)]
        if len(sites) >= n_wanted or spacing < _DENSEST_WATER:
            chosen: FloatArray = sites[rng.permutation(len(sites))[:n_wanted]]
            return chosen
        spacing *= 0.98


def _ion_counts(charge: float, n_sites: int, solvent: Solvent) -> tuple[int, int]:
    """Cations and anions: enough to neutralise ``charge`` [e], and salt by the volume of the water."""
    cation, anion = solvent.cation.charge, -solvent.anion.charge
    spare = charge % 1.0
    if min(spare, 1.0 - spare) > 1e-4:
        raise SettingsError(f"the molecules add up to {charge:g} e: ions cannot neutralise a fraction")
    neutral_cations, neutral_anions = (0, charge / anion) if charge > 0 else (-charge / cation, 0)
    if abs(neutral_cations - round(neutral_cations)) > 1e-4 or abs(neutral_anions - round(neutral_anions)) > 1e-4:
        raise SettingsError(f"ions of {cation:g} and {-anion:g} e cannot neutralise {charge:g} e")
    pairs = round(solvent.salt_molarity * n_sites * _WATERS_PER_BEAD / _WATER_MOLARITY)
    return round(neutral_cations) + round(pairs * anion), round(neutral_anions) + round(pairs * cation)
