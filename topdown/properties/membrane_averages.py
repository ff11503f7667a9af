"""Averages with errors of a bilayer's structure, after the part of the run that is left for equilibration is cut off.

Equilibration ends at the later of the points that :func:`topdown.estimators.time_series.detect_equilibration` finds for the area
of the box and for the mean height of the heads. The standard error of a series is the larger of that from blocks and that from
the correlation time; of what only whole blocks have (peaks of profiles), that from blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.errors import SamplingError
from topdown.estimators.time_series import block_average, detect_equilibration, statistical_inefficiency
from topdown.model import Estimate
from topdown.model._arrays import FloatArray
from topdown.properties.membrane import (
    PROFILE_BIN,
    MembraneSeries,
    density_profile,
    luzzati_thickness,
    membrane_problems,
    peak_distance,
)
from topdown.properties.membrane_diffusion import LateralDiffusion, lateral_diffusion
from topdown.properties.membrane_parts import MembraneParts
from topdown.properties.membrane_structure import StructureSeries

N_BLOCKS: Final = 5
#: Fewest frames that averages with errors can be made of.
FEWEST_FRAMES: Final = 2 * N_BLOCKS
#: The part of the hydrocarbon core in which its density is taken, this far from the middle plane [nm].
CORE: Final = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileEstimate:
    """A number density along the normal with its error, (n_bins,) float64 [nm⁻³]."""

    density: FloatArray
    standard_error: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LipidAverages:
    """What is known of one species of lipid.

    Attributes
    ----------
    name : str
    upper, lower : float
        Mean number in each leaflet.
    cell_area_upper, cell_area_lower : Estimate or None [nm²]
        Voronoi area per lipid; None where the leaflet has none at some time.
    order : tuple of (str, Estimate)
        P2 of each bond.
    diffusion : LateralDiffusion or None
        None where the frames do not allow it.
    """

    name: str
    upper: float
    lower: float
    cell_area_upper: Estimate | None
    cell_area_lower: Estimate | None
    order: tuple[tuple[str, Estimate], ...]
    diffusion: LateralDiffusion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoluteAverages:
    """Where the copies of a solute are and how they stand.

    Attributes
    ----------
    name : str
    n_copies : int
    depth : Estimate [nm]
        |z| of the centre.
    axis_order : Estimate or None
        P2 of the long axis; None for a single bead.
    outward : Estimate or None
        Cosine between the outward normal and the line from apolar to polar beads; None without both.
    """

    name: str
    n_copies: int
    depth: Estimate
    axis_order: Estimate | None
    outward: Estimate | None


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneStructure:
    """Averages over the equilibrated part of a run.

    Attributes
    ----------
    n_frames, first_ps, last_ps, left_out_ps
        Frames averaged over, their times, and the time cut off before them.
    area_per_lipid, area_upper, area_lower : Estimate [nm²]
    d_hh, d_b, d_c : Estimate or None [nm]
        D_HH, D_B and 2D_C.
    lipids : tuple of LipidAverages
    solutes : tuple of SoluteAverages
    z : (n_bins,) float64 [nm]
    profiles : dict of str to ProfileEstimate
    problems, notes : tuple of str
        What speaks against an intact bilayer, and what could not be given.
    """

    n_frames: int
    first_ps: float
    last_ps: float
    left_out_ps: float
    area_per_lipid: Estimate
    area_upper: Estimate
    area_lower: Estimate
    d_hh: Estimate
    d_b: Estimate | None
    d_c: Estimate | None
    lipids: tuple[LipidAverages, ...]
    solutes: tuple[SoluteAverages, ...]
    z: FloatArray
    profiles: dict[str, ProfileEstimate]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def series_estimate(values: FloatArray, provenance: str) -> Estimate:
    """Mean of a series whose equilibration has been cut off, with the larger of two errors."""
    blocks = block_average(values, N_BLOCKS)
    g = statistical_inefficiency(values)
    spread = float(np.std(values, ddof=1))
    return Estimate(
        value=float(values.mean()),
        standard_error=max(blocks.standard_error, spread * (g / len(values)) ** 0.5),
        n_effective=len(values) / g,
        provenance=provenance,
    )


def settled_from(series: MembraneSeries, others: tuple[FloatArray, ...] = ()) -> int:
    """First frame after equilibration: the latest that area and ``others`` (n_frames,) ask for, with enough frames left.

    Raises
    ------
    SamplingError
        Too few frames for errors.
    """
    if series.n_frames < FEWEST_FRAMES:
        raise SamplingError(
            f"{series.n_frames} frames are too few for averages with errors",
            hint=f"at least {FEWEST_FRAMES}: take a longer trajectory, or every frame of it",
        )
    starts = [detect_equilibration(values).start for values in (series.box[:, 0] * series.box[:, 1], *others)]
    return min(max(starts), series.n_frames - FEWEST_FRAMES)


def hydrocarbon_thickness(series: MembraneSeries, n_tails: int) -> float | None:
    """2D_C [nm] = N_tails/(A ρ): height of a slab of the density ρ of tail beads within ``CORE`` of the middle plane.

    None where the core holds no tails.
    """
    profile = density_profile(series)
    core = float(profile.tails[np.abs(profile.z) < CORE].mean())
    area = float(np.mean(series.box[:, 0] * series.box[:, 1]))
    return n_tails / (area * core) if core > 0 else None


def _blocked(series: MembraneSeries, measure: Callable[[MembraneSeries], float | None], what: str) -> Estimate | None:
    """A number that needs many frames, with the error from blocks; None where it has no value."""
    rows = np.array_split(np.arange(series.n_frames), N_BLOCKS)
    parts = [MembraneSeries(**{name: array[r] for name, array in series.arrays().items()}) for r in rows]
    whole, blocks = measure(series), [measure(part) for part in parts]
    known = [value for value in blocks if value is not None]
    if whole is None or len(known) < len(blocks):
        return None
    error = float(np.std(known, ddof=1) / N_BLOCKS**0.5)
    return Estimate(value=whole, standard_error=error, n_effective=float(N_BLOCKS), provenance=what)


def basic_estimates(
    series: MembraneSeries, n_tails: int, n_water: int
) -> tuple[Estimate, Estimate | None, Estimate | None]:
    """D_HH, D_B and 2D_C of frames that are all equilibrated.

    Raises
    ------
    SamplingError
        One leaflet holds no heads.
    """
    d_hh = _blocked(series, lambda part: peak_distance(density_profile(part)), "peaks of the density of phosphates")
    assert d_hh is not None
    d_b = _blocked(series, lambda part: luzzati_thickness(part, n_water), "Gibbs surface of water")
    d_c = _blocked(
        series, lambda part: hydrocarbon_thickness(part, n_tails), "tail beads over their density in the core"
    )
    return d_hh, d_b, d_c


def analyse_structure(series: StructureSeries, parts: MembraneParts) -> MembraneStructure:
    """All averages of a run.

    Parameters
    ----------
    series : StructureSeries
        At least :data:`FEWEST_FRAMES` frames, in order of time.
    parts : MembraneParts

    Raises
    ------
    SamplingError
        Too few frames, or no bilayer.
    """
    start = settled_from(series.basic, (series.head_height,))
    kept = series.since(start)
    basic, index = kept.basic, parts.index
    area = basic.box[:, 0] * basic.box[:, 1]
    upper = kept.counts[:, :, 0].sum(axis=1)
    if not (np.all(upper > 0) and np.all(upper < index.n_lipids)):
        raise SamplingError("one leaflet holds no lipids: this is no bilayer, or z is not its normal")
    d_hh, d_b, d_c = basic_estimates(basic, len(index.tails), len(index.water))
    notes = [] if d_b is not None else ["no D_B: the water has no flat plateau between the periodic images"]
    diffusion, why = _diffusion(kept, parts)
    notes += [why] if why else []
    return MembraneStructure(
        n_frames=kept.n_frames,
        first_ps=float(basic.time[0]),
        last_ps=float(basic.time[-1]),
        left_out_ps=float(basic.time[0] - series.basic.time[0]),
        area_per_lipid=series_estimate(area / (index.n_lipids / 2), "lateral box area over half the number of lipids"),
        area_upper=series_estimate(area / upper, "lateral box area over lipids of the upper leaflet"),
        area_lower=series_estimate(
            area / (index.n_lipids - upper), "lateral box area over lipids of the lower leaflet"
        ),
        d_hh=d_hh,
        d_b=d_b,
        d_c=d_c,
        lipids=tuple(_lipid(kept, parts, k, diffusion.get(name)) for k, name in enumerate(parts.species)),
        solutes=_solutes(kept, parts),
        z=density_profile(basic).z,
        profiles=_profiles(kept, parts),
        problems=membrane_problems(basic, index, d_hh.value),
        notes=tuple(notes),
    )


def _lipid(series: StructureSeries, parts: MembraneParts, k: int, diffusion: LateralDiffusion | None) -> LipidAverages:
    cells = [series.cell_areas[:, k, side] for side in (0, 1)]
    areas = [
        None if np.isnan(values).any() else series_estimate(values, "Voronoi cells of the marker beads")
        for values in cells
    ]
    counts = series.counts[:, k].mean(axis=0)
    order = tuple(
        (kind.name, series_estimate(series.order[:, n], "P2 of the bond with the normal"))
        for n, kind in enumerate(parts.bond_kinds)
        if kind.species == parts.species[k]
    )
    return LipidAverages(
        name=parts.species[k],
        upper=float(counts[0]),
        lower=float(counts[1]),
        cell_area_upper=areas[0],
        cell_area_lower=areas[1],
        order=order,
        diffusion=diffusion,
    )


def _solutes(series: StructureSeries, parts: MembraneParts) -> tuple[SoluteAverages, ...]:
    found, first = [], 0

    def mean(values: FloatArray, what: str) -> Estimate | None:
        return None if np.isnan(values).any() else series_estimate(values.mean(axis=1), what)

    for solute in parts.solutes:
        mine = slice(first, first + solute.n_copies)
        first += solute.n_copies
        depth = series_estimate(
            np.abs(series.depth[:, mine]).mean(axis=1), "distance of the centre from the middle plane"
        )
        found.append(
            SoluteAverages(
                name=solute.name,
                n_copies=solute.n_copies,
                depth=depth,
                axis_order=mean(series.axis_order[:, mine], "P2 of the long axis with the normal"),
                outward=mean(series.outward[:, mine], "cosine of the polar end with the outward normal"),
            )
        )
    return tuple(found)


def _profiles(series: StructureSeries, parts: MembraneParts) -> dict[str, ProfileEstimate]:
    """Number density of every group, with errors from blocks."""
    volume = series.basic.box[:, 0] * series.basic.box[:, 1] * PROFILE_BIN
    blocks = np.array_split(np.arange(series.n_frames), N_BLOCKS)
    profiles = {}
    for k, name in enumerate(parts.groups):
        density = series.densities[:, k] / volume[:, None]
        means = np.array([density[rows].mean(axis=0) for rows in blocks])
        profiles[name] = ProfileEstimate(
            density=density.mean(axis=0), standard_error=means.std(axis=0, ddof=1) / N_BLOCKS**0.5
        )
    return profiles


def _diffusion(series: StructureSeries, parts: MembraneParts) -> tuple[dict[str, LateralDiffusion], str]:
    """D of every species, or none and why not."""
    try:
        found = lateral_diffusion(
            series.centres, series.upper, series.basic.box[:, :2], series.basic.time, parts.species_of, parts.species
        )
    except SamplingError as error:
        return {}, f"no lateral diffusion: {error.message}"
    return found, ""
