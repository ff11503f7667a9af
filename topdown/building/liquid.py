"""Liquids: a cubic box of one molecule, a mixture, or one solute in a solvent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.building.packing import push_apart, random_rotations, rotated_copies, wrap_molecules
from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray

#: Volume a bead takes in a Martini liquid [nm³]: regular as in water (8.26 per nm³), the others by their heavy atoms.
BEAD_VOLUME: Final = {"R": 0.121, "S": 0.091, "T": 0.061, "U": 0.0}
#: A lattice site this close to the solute is not used by the solvent [nm].
_SOLUTE_CLEARANCE: Final = 0.45


def estimated_volume(molecule: CGMolecule, table: BeadTable) -> float:
    """Volume [nm³] of one molecule in its liquid, from the sizes of its beads: a start for constant pressure."""
    return sum(BEAD_VOLUME[table.bead_type(name).size] for name in molecule.type_names)


def build_liquid(
    molecule: CGMolecule,
    n_molecules: int,
    table: BeadTable,
    *,
    rng: np.random.Generator,
    density_beads_nm3: float | None = None,
    molecules_per_nm3: float | None = None,
) -> System:
    """A cubic periodic box of ``n_molecules`` equal molecules, randomly oriented, without overlaps.

    Parameters
    ----------
    molecule : CGMolecule
        Without positions it gets some from its bonded terms.
    n_molecules : int
    table : BeadTable
    rng : numpy.random.Generator
        The only source of randomness: the same state gives the same box.
    density_beads_nm3, molecules_per_nm3 : float, optional
        Number density [nm⁻³], one of them; default from the sizes of the beads.

    Raises
    ------
    SettingsError
        No molecules, or a density that is not positive or given twice.
    """
    return build_mixture(
        [(molecule, n_molecules)],
        table,
        rng=rng,
        density_beads_nm3=density_beads_nm3,
        molecules_per_nm3=molecules_per_nm3,
        title=f"{n_molecules} {molecule.name}",
    )


def build_solution(
    solute: CGMolecule,
    solvent: CGMolecule,
    n_solvent: int,
    table: BeadTable,
    *,
    rng: np.random.Generator,
    density_beads_nm3: float | None = None,
    molecules_per_nm3: float | None = None,
) -> System:
    """One solute in the middle of a cubic box of exactly ``n_solvent`` solvent molecules.

    The density is that of the solvent; the box is larger than the pure liquid's by the volume of the solute. The solute
    is the first component. Parameters and errors otherwise as for :func:`build_liquid`.
    """
    n_density = _molecules_per_nm3(
        [(solvent, n_solvent)], table, density_beads_nm3=density_beads_nm3, molecules_per_nm3=molecules_per_nm3
    )
    volume = n_solvent / n_density + estimated_volume(solute, table)
    box = np.full(3, volume ** (1.0 / 3.0))
    middle = conformation_of(solute)
    middle = middle - middle.mean(axis=0) + box / 2
    sites = _free_sites(n_solvent, box, rng, keep_clear=middle)
    body = rotated_copies(conformation_of(solvent), random_rotations(n_solvent, rng), sites)
    components = ((solute, 1), (solvent, n_solvent))
    positions = push_apart(np.concatenate([middle, body]), box, components, table)
    positions = positions + (box / 2 - positions[: solute.n_beads].mean(axis=0))
    return System(
        table=table,
        components=components,
        positions=wrap_molecules(positions, box, components),
        box=box,
        title=f"{solute.name} in {n_solvent} {solvent.name}",
    )


def build_mixture(
    components: Sequence[tuple[CGMolecule, int]],
    table: BeadTable,
    *,
    rng: np.random.Generator,
    density_beads_nm3: float | None = None,
    molecules_per_nm3: float | None = None,
    title: str = "mixture",
) -> System:
    """A cubic periodic box of several kinds of molecules, mixed at random; see :func:`build_liquid`."""
    n_total = sum(count for _, count in components)
    n_density = _molecules_per_nm3(
        components, table, density_beads_nm3=density_beads_nm3, molecules_per_nm3=molecules_per_nm3
    )
    box = np.full(3, (n_total / n_density) ** (1.0 / 3.0))
    sites = _free_sites(n_total, box, rng)
    blocks, used = [], 0
    for molecule, count in components:
        centres = sites[used : used + count]
        blocks.append(rotated_copies(conformation_of(molecule), random_rotations(count, rng), centres))
        used += count
    positions = push_apart(np.concatenate(blocks), box, components, table)
    return System(
        table=table,
        components=tuple(components),
        positions=wrap_molecules(positions, box, components),
        box=box,
        title=title,
    )


def _molecules_per_nm3(
    components: Sequence[tuple[CGMolecule, int]],
    table: BeadTable,
    *,
    density_beads_nm3: float | None,
    molecules_per_nm3: float | None,
) -> float:
    n_total = sum(count for _, count in components)
    if n_total < 1 or min(count for _, count in components) < 0:
        raise SettingsError(f"a liquid needs at least one molecule, got {[count for _, count in components]}")
    if density_beads_nm3 is not None and molecules_per_nm3 is not None:
        raise SettingsError("give density_beads_nm3 or molecules_per_nm3, not both")
    for label, value in (("density_beads_nm3", density_beads_nm3), ("molecules_per_nm3", molecules_per_nm3)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise SettingsError(f"{label} must be positive, got {value}")
    if molecules_per_nm3 is not None:
        return molecules_per_nm3
    n_beads = sum(molecule.n_beads * count for molecule, count in components)
    if density_beads_nm3 is not None:
        return density_beads_nm3 * n_total / n_beads
    volume = sum(estimated_volume(molecule, table) * count for molecule, count in components)
    if volume <= 0:
        raise SettingsError("no bead has a size to estimate the density from", hint="give molecules_per_nm3")
    return n_total / volume


def lattice(box: FloatArray, spacing: float) -> FloatArray:
    """Cell centres of the simple cubic lattice that fits ``box`` with a spacing of at most ``spacing``, (n, 3) [nm]."""
    counts = np.maximum(np.ceil(np.asarray(box) / spacing - 1e-9).astype(int), 1)
    axes = [(np.arange(n) + 0.5) * edge / n for n, edge in zip(counts, box)]
    sites: FloatArray = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return sites


def _free_sites(
    n: int, box: FloatArray, rng: np.random.Generator, *, keep_clear: FloatArray | None = None
) -> FloatArray:
    """``n`` jittered lattice sites in random order, none near ``keep_clear`` (m, 3) [nm]."""
    per_edge = max(int(np.ceil(n ** (1.0 / 3.0) - 1e-9)), 1)
    while True:
        spacing = float(box[0]) / per_edge
        sites = lattice(box, spacing)
        if keep_clear is not None:
            from scipy.spatial import cKDTree

            tree = cKDTree(np.mod(keep_clear, box), boxsize=box)
            clearance = min(_SOLUTE_CLEARANCE, 0.9 * spacing)
            sites = sites[tree.query(sites)[0] > clearance]
        if len(sites) >= n:
            break
        per_edge += 1
    chosen = rng.permutation(len(sites))[:n]
    jitter = rng.uniform(-0.1, 0.1, size=(n, 3)) * spacing
    placed: FloatArray = sites[chosen] + jitter
    return placed
