"""Bilayers in water: lipids on a staggered grid in two leaflets, tails meeting in the middle of the box, water and ions
outside, and solutes at a chosen depth.

The normal is z and the middle plane lies at L_z/2. Components come in the order of the files Martini users know: lipids
of the upper leaflet, lipids of the lower one, solutes, water, ions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from topdown.building.aqueous import Solvent, ion_counts, water_count, water_sites
from topdown.building.leaflets import Leaflets, leaflet_counts, staggered_grid, stand_leaflets
from topdown.building.limits import check_bead_count
from topdown.building.lipids import starting_areas
from topdown.building.packing import push_apart, wrap_molecules
from topdown.building.placement import PLACES, Placement, guests, place_solutes
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray

__all__ = [
    "PLACES",
    "Leaflets",
    "Placement",
    "Solvent",
    "build_bilayer",
    "leaflet_counts",
    "staggered_grid",
]


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
        Areas [nm²] that replace those of :func:`topdown.building.lipids.starting_areas` by lipid name.

    Raises
    ------
    SettingsError
        A box with no room for two leaflets and a nanometre of water, or for the lipids asked for; more beads than
        :data:`topdown.building.limits.MOST_BEADS`.
    TopologyError
        A lipid without head or tails.
    """
    box = np.asarray(size, dtype=float)
    if box.shape != (3,) or not np.all(np.isfinite(box)) or np.any(box <= 0):
        raise SettingsError(f"a box needs three positive edges, got {list(size)}")
    areas = {**starting_areas(*filter(None, (leaflets.upper, leaflets.lower))), **(area_per_lipid or {})}
    _check_size(leaflets, box, table, areas, placements)
    bilayer = stand_leaflets(leaflets, box, table, areas, guests(placements, table), rng)
    components: list[tuple[CGMolecule, int]] = [*bilayer.components]
    components += [(placement.solute, placement.count) for placement in placements]
    around = np.concatenate([bilayer.positions, *place_solutes(placements, bilayer, box, table, rng)])
    n_sites = water_count(components, len(bilayer.components), box, table)
    sites = water_sites(around, n_sites, bilayer.border, box, rng)
    charge = round(sum(molecule.charge * count for molecule, count in components), 6)
    n_cations, n_anions = ion_counts(charge, len(sites), solvent)
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


def _check_size(
    leaflets: Leaflets, box: FloatArray, table: BeadTable, areas: Mapping[str, float], placements: Sequence[Placement]
) -> None:
    """Refuse too many solutes, or a box too large: its beads from areas of lipids and volumes of beads, solutes on top."""
    n_solute = sum(placement.count * placement.solute.n_beads for placement in placements)
    check_bead_count(n_solute, "the molecules", hint="a smaller --count")
    area = float(box[0] * box[1])
    lipids = [
        (lipid, count)
        for leaflet in (leaflets.upper, leaflets.lower or leaflets.upper)
        for (lipid, _), count in zip(leaflet, leaflet_counts(leaflet, area, areas))
    ]
    n_lipid = sum(count * lipid.n_beads for lipid, count in lipids)
    n_water = water_count(lipids, len(lipids), box, table)
    edges = " × ".join(f"{edge:g}" for edge in box)
    check_bead_count(n_solute + n_lipid + n_water, f"a box of {edges} nm", hint="a smaller --size")
