"""What a simulated bilayer shows: area per lipid, thickness, density profiles, and whether it is still a bilayer.

Definitions, with z normal to the bilayer and measured from the centre of the tails in each frame:

- area per lipid: A = L_x L_y / (n_lipids / 2), all kinds of lipid counted alike;
- D_HH: distance of the two peaks of the number density of the phosphate beads (of the head beads where no lipid has a
  phosphate);
- D_B (Luzzati): L_z - n_W / (A_box ρ_W), with ρ_W the density of water in the plateau; only where there is a plateau.

Errors come from blocks of the part of the run that detection of equilibration leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from topdown.building.lipids import head_bead, is_apolar, tail_ends
from topdown.errors import SamplingError, TopologyError
from topdown.estimators.time_series import block_average, detect_equilibration
from topdown.model import Estimate, System
from topdown.model._arrays import FloatArray, IntArray, frozen_array

#: Bins of the density profiles [nm]: z from -PROFILE_REACH to +PROFILE_REACH.
PROFILE_BIN: Final = 0.05
PROFILE_REACH: Final = 8.0
_N_BINS: Final = 2 * round(PROFILE_REACH / PROFILE_BIN)
#: Width of the smoothing of a profile before its peak is sought [nm]; a symmetric kernel does not move the peak.
_SMOOTHING: Final = 0.12
#: The inner core, where a bilayer holds no water: this far from the middle plane [nm].
CORE_HALF_WIDTH: Final = 0.5
#: The outermost layer of water, in which its density must be flat for D_B [nm].
_PLATEAU: Final = 0.4
_MINIMUM_BLOCKS: Final = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneIndex:
    """Which beads of a system play which part.

    Attributes
    ----------
    lipid_names : tuple of str
        Molecule name of each lipid.
    markers : (n_lipids,) int64
        The phosphate bead of each lipid, or its head bead where it has none.
    is_phosphate : (n_lipids,) bool
    tails : (n_tail_beads,) int64
        Apolar beads of all lipids.
    ends : (n_ends,) int64, end_owner : (n_ends,) int64
        Last bead of each tail, and the lipid it belongs to.
    water : (n_water,) int64
    """

    lipid_names: tuple[str, ...]
    markers: IntArray
    is_phosphate: np.ndarray[tuple[int], np.dtype[np.bool_]]
    tails: IntArray
    ends: IntArray
    end_owner: IntArray
    water: IntArray

    @property
    def n_lipids(self) -> int:
        """Number of lipids in both leaflets."""
        return len(self.lipid_names)


def index_membrane(system: System, lipids: Collection[str], water: str = "W") -> MembraneIndex:
    """Find the parts of a bilayer by molecule name.

    Parameters
    ----------
    system : System
    lipids : collection of str
        Names of the molecules that make up the bilayer.
    water : str
        Name of the one-bead water.

    Raises
    ------
    TopologyError
        No lipid of these names, or one without head or tails.
    """
    names: list[str] = []
    markers, phosphate, tails, ends, owner, waters = [], [], [], [], [], []
    parts: dict[int, tuple[int, bool, list[int], list[int]]] = {}
    for molecule, start in system.molecules():
        if molecule.name == water and molecule.n_beads == 1:
            waters.append(start)
        if molecule.name not in lipids:
            continue
        if id(molecule) not in parts:
            phosphates = [i for i, bead in enumerate(molecule.beads) if bead.name.upper().startswith("PO4")]
            apolar = [i for i, name in enumerate(molecule.type_names) if is_apolar(name, system.table)]
            marker = phosphates[0] if phosphates else head_bead(molecule, system.table)
            parts[id(molecule)] = (marker, bool(phosphates), apolar, list(tail_ends(molecule, system.table)))
        marker, has_phosphate, apolar, tips = parts[id(molecule)]
        markers.append(start + marker)
        phosphate.append(has_phosphate)
        tails += [start + i for i in apolar]
        ends += [start + i for i in tips]
        owner += [len(names)] * len(tips)
        names.append(molecule.name)
    if not names:
        raise TopologyError(f"the system holds none of the lipids {', '.join(sorted(lipids))}")
    return MembraneIndex(
        lipid_names=tuple(names),
        markers=np.asarray(markers, dtype=np.int64),
        is_phosphate=np.asarray(phosphate, dtype=bool),
        tails=np.asarray(tails, dtype=np.int64),
        ends=np.asarray(ends, dtype=np.int64),
        end_owner=np.asarray(owner, dtype=np.int64),
        water=np.asarray(waters, dtype=np.int64),
    )


def middle_plane(positions: FloatArray, box: FloatArray, index: MembraneIndex) -> float:
    """Height z [nm], 0 ≤ z < L_z, of the centre of all tail beads; a bilayer across the boundary is no trouble.

    A circular mean finds the bilayer, an ordinary mean of the nearest images then centres it exactly.
    """
    z, height = positions[index.tails, 2], float(box[2])
    angle = 2 * np.pi * z / height
    guess = np.arctan2(np.sin(angle).mean(), np.cos(angle).mean()) * height / (2 * np.pi)
    offsets = z - guess
    return float((guess + (offsets - height * np.round(offsets / height)).mean()) % height)


def heights(positions: FloatArray, box: FloatArray, index: MembraneIndex) -> FloatArray:
    """z of every bead from the middle plane, in the image nearest to it, (n_beads,) [nm]."""
    offsets = positions[:, 2] - middle_plane(positions, box, index)
    nearest: FloatArray = offsets - box[2] * np.round(offsets / box[2])
    return nearest


def orientations(positions: FloatArray, index: MembraneIndex) -> FloatArray:
    """Height of each lipid's marker above the mean of its tail ends [nm], (n_lipids,): positive when it stands upright
    as in the upper leaflet. Molecules must be whole."""
    count = np.bincount(index.end_owner, minlength=index.n_lipids)
    tips = np.bincount(index.end_owner, weights=positions[index.ends, 2], minlength=index.n_lipids) / count
    rise: FloatArray = positions[index.markers, 2] - tips
    return rise


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneSeries:
    """What is kept of each frame.

    Attributes
    ----------
    time : (n_frames,) float64 [ps]
    box : (n_frames, 3) float64 [nm]
    upturned : (n_frames,) float64
        Lipids that stand the wrong way round for their leaflet.
    upper : (n_frames,) float64
        Lipids in the upper leaflet.
    core_water : (n_frames,) float64
        Water beads within ``CORE_HALF_WIDTH`` of the middle plane.
    farthest_head : (n_frames,) float64 [nm]
        Largest distance of a marker bead from the middle plane.
    heads, tails, water : (n_frames, n_bins) uint16
        Counts of marker, tail and water beads in bins of ``PROFILE_BIN`` from -``PROFILE_REACH`` on.
    """

    time: FloatArray
    box: FloatArray
    upturned: FloatArray
    upper: FloatArray
    core_water: FloatArray
    farthest_head: FloatArray
    heads: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
    tails: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
    water: np.ndarray[tuple[int, int], np.dtype[np.uint16]]

    def __post_init__(self) -> None:
        n = len(self.time)
        for name, shape in (("time", (n,)), ("box", (n, 3)), ("upturned", (n,)), ("upper", (n,))):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), shape))
        for name in ("core_water", "farthest_head"):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), (n,)))
        for name in ("heads", "tails", "water"):
            counts = frozen_array(name, getattr(self, name), (n, _N_BINS), dtype=np.uint16)
            object.__setattr__(self, name, counts)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.time)

    def arrays(self) -> dict[str, Any]:
        """All arrays by name, to be stored."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def until(self, time: float) -> MembraneSeries:
        """The frames up to ``time`` [ps]."""
        kept = self.time <= time + 1e-6
        return MembraneSeries(**{name: array[kept] for name, array in self.arrays().items()})


def empty_series() -> MembraneSeries:
    """A series without frames."""
    arrays: dict[str, Any] = {name: np.zeros((0, _N_BINS), np.uint16) for name in ("heads", "tails", "water")}
    arrays |= {name: np.zeros(0) for name in ("time", "upturned", "upper", "core_water", "farthest_head")}
    return MembraneSeries(box=np.zeros((0, 3)), **arrays)


def join_series(parts: Sequence[MembraneSeries]) -> MembraneSeries:
    """One series after the other; at least one."""
    arrays = [part.arrays() for part in parts]
    return MembraneSeries(**{name: np.concatenate([a[name] for a in arrays]) for name in arrays[0]})


def observe_membrane(positions: FloatArray, box: FloatArray, time: float, index: MembraneIndex) -> MembraneSeries:
    """One frame as a series of one.

    Parameters
    ----------
    positions : (n_beads, 3) float64 [nm]
        Whole molecules.
    box : (3,) float64 [nm]
    time : float [ps]
    index : MembraneIndex
    """
    z = heights(positions, box, index)
    side = np.where(z[index.markers] >= 0, 1.0, -1.0)
    chosen = index.markers[index.is_phosphate] if index.is_phosphate.any() else index.markers
    return MembraneSeries(
        time=np.array([time]),
        box=np.asarray(box, dtype=float)[None, :],
        upturned=np.array([float(np.sum(orientations(positions, index) * side < 0))]),
        upper=np.array([float(np.sum(side > 0))]),
        core_water=np.array([float(np.sum(np.abs(z[index.water]) < CORE_HALF_WIDTH))]),
        farthest_head=np.array([float(np.abs(z[index.markers]).max())]),
        heads=_histogram(z[chosen]),
        tails=_histogram(z[index.tails]),
        water=_histogram(z[index.water]),
    )


def _histogram(z: FloatArray) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    counts, _ = np.histogram(z, bins=_N_BINS, range=(-PROFILE_REACH, PROFILE_REACH))
    row: np.ndarray[tuple[int, int], np.dtype[np.uint16]] = (
        np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16).reshape(1, _N_BINS)
    )
    return row


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityProfile:
    """Number densities along the normal.

    Attributes
    ----------
    z : (n_bins,) float64 [nm]
        Centres of the bins, from the middle plane.
    heads, tails, water : (n_bins,) float64 [nm⁻³]
    """

    z: FloatArray
    heads: FloatArray
    tails: FloatArray
    water: FloatArray


def density_profile(series: MembraneSeries) -> DensityProfile:
    """Mean number densities of marker beads, tail beads and water over all frames of ``series``."""
    volume = float(np.mean(series.box[:, 0] * series.box[:, 1])) * PROFILE_BIN
    centres: FloatArray = (np.arange(_N_BINS, dtype=np.float64) + 0.5) * PROFILE_BIN - PROFILE_REACH
    mean = {name: getattr(series, name).mean(axis=0) / volume for name in ("heads", "tails", "water")}
    return DensityProfile(z=centres, **mean)


def peak_distance(profile: DensityProfile) -> float:
    """D_HH [nm]: distance of the head peaks below and above the middle plane, by a parabola through each maximum.

    Raises
    ------
    SamplingError
        One side has no heads.
    """
    smooth = gaussian_filter1d(profile.heads, _SMOOTHING / PROFILE_BIN)
    peaks = []
    for side in (-1, 1):
        here = np.where(profile.z * side > 0, smooth, 0.0)
        top = int(np.argmax(here))
        if here[top] <= 0:
            raise SamplingError("one leaflet holds no head groups: this is no bilayer")
        left, middle, right = smooth[top - 1], smooth[top], smooth[top + 1]
        curvature = left - 2 * middle + right
        shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
        peaks.append(profile.z[top] + shift * PROFILE_BIN)
    return float(peaks[1] - peaks[0])


def luzzati_thickness(series: MembraneSeries, n_water: int) -> float | None:
    """D_B [nm] from the Gibbs surface of water, or None where the water between the images has no flat plateau."""
    profile, edges = density_profile(series), series.box.mean(axis=0)
    half = float(edges[2]) / 2
    # Bins that reach past the shortest box of the series would be partly empty.
    outer = min(float(series.box[:, 2].min()) / 2, PROFILE_REACH)
    away = np.abs(profile.z)
    plateau = (away < outer - PROFILE_BIN) & (away > outer - PROFILE_BIN - _PLATEAU)
    inner = (away < outer - PROFILE_BIN - _PLATEAU) & (away > outer - PROFILE_BIN - 2 * _PLATEAU)
    if n_water == 0 or not plateau.any() or not inner.any():
        return None
    density = float(profile.water[plateau].mean())
    if density <= 0 or abs(float(profile.water[inner].mean()) / density - 1.0) > 0.02:
        return None
    return 2 * half - n_water / (float(edges[0] * edges[1]) * density)


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneObservables:
    """Averages over the equilibrated part of a run.

    Attributes
    ----------
    area_per_lipid : Estimate [nm²]
    thickness : Estimate [nm]
        D_HH.
    luzzati : Estimate [nm] or None
        D_B; None where the water has no plateau.
    equilibration_ps : float
        Time at the start that was left out.
    simulated_ps : float
        Time between the first and the last frame used.
    profile : DensityProfile
    problems : tuple of str
        What speaks against an intact bilayer; empty when all is well.
    """

    area_per_lipid: Estimate
    thickness: Estimate
    luzzati: Estimate | None
    equilibration_ps: float
    simulated_ps: float
    profile: DensityProfile
    problems: tuple[str, ...]


def analyse_membrane(series: MembraneSeries, index: MembraneIndex, *, n_blocks: int = 5) -> MembraneObservables:
    """Averages with block errors over what is left after equilibration.

    Parameters
    ----------
    series : MembraneSeries
        At least ``2 * n_blocks`` frames.
    index : MembraneIndex
    n_blocks : int
        Blocks for the errors, 5 or more.

    Raises
    ------
    SamplingError
        Too few frames, or no bilayer.
    """
    n_blocks = max(n_blocks, _MINIMUM_BLOCKS)
    if series.n_frames < 2 * n_blocks:
        raise SamplingError(
            f"{series.n_frames} frames are too few for averages with errors", hint="relax longer: --relax"
        )
    areas = series.box[:, 0] * series.box[:, 1] / (index.n_lipids / 2)
    settled = detect_equilibration(areas)
    start = min(settled.start, series.n_frames - 2 * n_blocks)
    kept = MembraneSeries(**{name: array[start:] for name, array in series.arrays().items()})
    blocks = [
        MembraneSeries(**{name: array[rows] for name, array in kept.arrays().items()})
        for rows in np.array_split(np.arange(kept.n_frames), n_blocks)
    ]
    area = block_average(areas[start:], n_blocks)
    # Blocks shorter than the correlation time give too small an error: the larger of the two is reported.
    from_inefficiency = float(np.std(areas[start:], ddof=1)) * (settled.inefficiency / kept.n_frames) ** 0.5
    distances = [peak_distance(density_profile(block)) for block in blocks]
    luzzati = [luzzati_thickness(block, len(index.water)) for block in blocks]
    whole = luzzati_thickness(kept, len(index.water))
    thickness = _estimate(peak_distance(density_profile(kept)), distances, "phosphate peaks of the density profile")
    return MembraneObservables(
        area_per_lipid=Estimate(
            value=float(areas[start:].mean()),
            standard_error=max(area.standard_error, from_inefficiency),
            n_effective=settled.n_effective,
            provenance="lateral box area over half the number of lipids",
        ),
        thickness=thickness,
        luzzati=(
            None
            if whole is None or any(value is None for value in luzzati)
            else _estimate(whole, [value for value in luzzati if value is not None], "Gibbs surface of water")
        ),
        equilibration_ps=float(kept.time[0] - series.time[0]),
        simulated_ps=float(kept.time[-1] - kept.time[0]),
        profile=density_profile(kept),
        problems=membrane_problems(kept, index, thickness.value),
    )


def _estimate(value: float, blocks: list[float], provenance: str) -> Estimate:
    error = float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))
    return Estimate(value=value, standard_error=error, n_effective=float(len(blocks)), provenance=provenance)


def membrane_problems(series: MembraneSeries, index: MembraneIndex, thickness: float) -> tuple[str, ...]:
    """What speaks against an intact bilayer in these frames; thresholds are far outside thermal fluctuation."""
    found = []
    water = float(series.core_water.mean())
    if water > max(1.0, 0.01 * index.n_lipids):
        found.append(f"{water:.1f} water beads on average within {CORE_HALF_WIDTH:g} nm of the middle plane")
    upturned = float(series.upturned.mean())
    if upturned > max(1.0, 0.02 * index.n_lipids):
        found.append(f"{upturned:.1f} lipids on average stand the wrong way round")
    if not 2.0 <= thickness <= 6.0:
        found.append(f"a head-to-head distance of {thickness:.2f} nm is outside 2 to 6 nm")
    lost = float(series.farthest_head.mean()) - thickness / 2
    if lost > 1.5:
        found.append(f"a lipid has left its leaflet: its head is {lost:.1f} nm outside the others")
    return tuple(found)
