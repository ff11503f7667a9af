"""Free energy of a solute across a bilayer from umbrella runs, and its partition coefficient between bilayer and water.

All runs are pooled by MBAR with the biases they were made with, k/2 (ζ - q)²; every frame then has a weight in the system
without bias. With p(z) the weighted density of the solute's centre of mass along the normal and p_w its mean in bulk water,

    ΔG(z) = -kT ln[p(z)/p_w],   K_V = 1/(2d) ∫_{-d}^{d} e^{-βΔG(z)} dz,

the ratio of the concentrations in a slab of 2d and in water, which for both leaflets alike is (1/d) ∫_0^d. The water above the
bilayer is the same as that below: windows go all round the periodic box, so that the profile closes upon itself and errors do not
add up from one side to the other. Per mass of lipid,

    K_m = K_V d A N_A/M   [litres of water per kg of lipid],

with A the area per lipid and M the mean molar mass of the lipids: all that is within d, over what lipids weigh.

Errors come from a block bootstrap of every run; where runs that reached their windows from the water and from inside disagree by
more, half of their difference is the error. Profiles from the two halves of time and of the two leaflets are compared as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from topdown.errors import SamplingError
from topdown.estimators.free_energy import kish_effective_samples
from topdown.estimators.reweighting import MIN_EFFECTIVE
from topdown.model import Estimate
from topdown.model._arrays import FloatArray
from topdown.properties.membrane_umbrella import ProfileSamples, WindowRun
from topdown.properties.umbrella_pool import AREA, BULK, HEIGHT, PROFILE_STEP, Solved, half_of, solve, thinned
from topdown.sampling.umbrella import DENSITY_BIN, DENSITY_REACH
from topdown.units import LN10, NM3_TO_CM3_MOL

#: Part of its maximum below which the density of lipids counts as none.
_LIPID_REACH: Final = 0.01
_REPLICATES: Final = 50
#: Replicates of the parts of the data that are only compared with one another.
_PART_REPLICATES: Final = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """ΔG along the normal, 0 in bulk water.

    Attributes
    ----------
    z : (n_bins,) float64 [nm]
        Centres of the bins, symmetric about 0.
    delta_g : (n_bins,) float64 [kJ/mol]
        NaN where no frame fell.
    """

    z: FloatArray
    delta_g: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far two parts of the data agree.

    Attributes
    ----------
    names : (str, str)
    log_k : (float, float)
        log10 K_V of either.
    standard_error : float
        Of their difference.
    rms : float
        Root mean square difference of the profiles [kJ/mol].
    largest : float
        Largest difference [kJ/mol].
    at : float
        Where that is [nm].
    """

    names: tuple[str, str]
    log_k: tuple[float, float]
    standard_error: float
    rms: float
    largest: float
    at: float

    @property
    def difference(self) -> float:
        """Of log10 K_V."""
        return self.log_k[0] - self.log_k[1]

    @property
    def agrees(self) -> bool:
        """Whether the difference is within three standard errors, or too small to matter (0.05)."""
        return abs(self.difference) <= max(3.0 * self.standard_error, 0.05)


@dataclass(frozen=True, kw_only=True, eq=False)
class PartitionProfile:
    """The result.

    Attributes
    ----------
    profile : Profile
    standard_error : (n_bins,) float64 [kJ/mol]
    log_k_v : Estimate
        log10 of K_V (volume over volume).
    log_k_m : Estimate or None
        log10 of K_m [L/kg]; None where the molar mass of a lipid is unknown.
    depth : float
        d [nm].
    area_per_lipid : Estimate [nm²]
    minimum : float
        Where ΔG is lowest [nm].
    delta_g_minimum, delta_g_centre : Estimate [kJ/mol]
        At that bin, and at the middle plane.
    comparisons : tuple of Comparison
        Pulled in against pulled out, first half against second half, upper against lower leaflet.
    overlap : float
        Of the two neighbouring windows that overlap least.
    n_frames : int
    n_effective : float
        Frames that carry the weight of the unbiased system, correlation counted.
    remarks : tuple of str
    """

    profile: Profile
    standard_error: FloatArray
    log_k_v: Estimate
    log_k_m: Estimate | None
    depth: float
    area_per_lipid: Estimate
    minimum: float
    delta_g_minimum: Estimate
    delta_g_centre: Estimate
    comparisons: tuple[Comparison, ...]
    overlap: float
    n_frames: int
    n_effective: float
    remarks: tuple[str, ...]


def lipid_reach(lipids: FloatArray) -> float:
    """d [nm]: farthest from the middle plane that the density of lipid beads is 1 % of its maximum, mean of both sides."""
    z = (np.arange(len(lipids)) + 0.5) * DENSITY_BIN - DENSITY_REACH
    there = np.flatnonzero(lipids >= _LIPID_REACH * lipids.max())
    return float(0.5 * (z[there[-1]] - z[there[0]] + DENSITY_BIN))


def _spread(values: FloatArray) -> FloatArray:
    """Standard deviation over replicates, ignoring those without a value."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(n, 1)
    square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    spread: FloatArray = np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)
    return spread


def _compared(names: tuple[str, str], one: Solved, other: Solved) -> Comparison:
    rms, largest, worst = _apart(one.delta_g - other.delta_g)
    return Comparison(
        names=names,
        log_k=(one.log_k, other.log_k),
        standard_error=float(np.hypot(np.std(one.log_k_replicates, ddof=1), np.std(other.log_k_replicates, ddof=1))),
        rms=rms,
        largest=largest,
        at=float(one.bins.z[worst]),
    )


def _leaflets(whole: Solved) -> Comparison:
    rms, largest, worst = _apart(whole.delta_g - whole.delta_g[::-1])
    logs = np.log10(whole.side_replicates)
    return Comparison(
        names=("upper leaflet", "lower leaflet"),
        log_k=(float(np.log10(whole.sides[0])), float(np.log10(whole.sides[1]))),
        standard_error=float(np.std(logs[:, 0] - logs[:, 1], ddof=1)),
        rms=rms,
        largest=largest,
        at=float(abs(whole.bins.z[worst])),
    )


def _apart(difference: FloatArray) -> tuple[float, float, int]:
    """Root mean square and largest difference of two profiles, and the bin of the latter, where both have a value."""
    known = np.isfinite(difference)
    away = np.where(known, np.abs(difference), -1.0)
    worst = int(np.argmax(away))
    return float(np.sqrt(np.mean(difference[known] ** 2))), float(away[worst]), worst


def partition_profile(
    samples: ProfileSamples,
    *,
    temperature: float,
    molar_mass: float,
    depth: float | None = None,
    replicates: int = _REPLICATES,
) -> PartitionProfile:
    """Profile, partition coefficient, errors and checks.

    Parameters
    ----------
    samples : ProfileSamples
    temperature : float
        [K]
    molar_mass : float
        Mean real molar mass of the lipids [g/mol]; 0 when unknown.
    depth : float, optional
        d [nm]; by default that of :func:`lipid_reach`.
    replicates : int
        Of the bootstrap.

    Raises
    ------
    SamplingError
        Windows that do not overlap, or too few effective samples in bulk water.
    """
    reach, d = _extent(samples, depth)
    solved = partial(solve, spring=samples.spring, temperature=temperature, reach=reach, depth=d)
    runs = tuple(thinned(run) for run in samples.runs)
    whole = solved(runs, replicates=replicates)
    inefficiency = float(np.mean([segment.inefficiency for segment in whole.pool.segments]))
    _check_water(whole, inefficiency)
    comparisons = _comparisons(runs, whole, partial(solved, replicates=min(replicates, _PART_REPLICATES)))
    n_effective = kish_effective_samples(whole.weights) / inefficiency
    log_k_v = _log_k(whole, comparisons[0], n_effective)
    area = _area(samples)
    errors = _spread(whole.delta_g_replicates)
    lowest, centre = int(np.nanargmin(whole.delta_g)), len(whole.delta_g) // 2

    return PartitionProfile(
        profile=Profile(z=whole.bins.z, delta_g=whole.delta_g),
        standard_error=errors,
        log_k_v=log_k_v,
        log_k_m=_per_mass(log_k_v, d, area, molar_mass) if molar_mass > 0 else None,
        depth=d,
        area_per_lipid=area,
        minimum=float(whole.bins.z[lowest]),
        delta_g_minimum=_delta_g(whole, errors, lowest, n_effective),
        delta_g_centre=_delta_g(whole, errors, centre, n_effective),
        comparisons=comparisons,
        overlap=whole.pool.overlap,
        n_frames=sum(len(run.frames) for run in samples.runs),
        n_effective=n_effective,
        remarks=_remarks(whole, comparisons, errors),
    )


def _extent(samples: ProfileSamples, depth: float | None) -> tuple[float, float]:
    """How far the profile reaches, in whole bins, and d, both [nm]; refused when no bulk water is left between them."""
    half = 0.5 * min(float(run.frames[:, HEIGHT].mean()) for run in samples.runs)
    reach = PROFILE_STEP * np.floor(min(half, max(abs(run.target) for run in samples.runs)) / PROFILE_STEP + 1e-9)
    d = lipid_reach(samples.densities["lipids"]) if depth is None else depth
    if not 0.0 < d <= reach - BULK:
        raise SamplingError(
            f"d = {d:.2f} nm leaves no bulk water within the {reach:.2f} nm that windows and box reach",
            hint="a taller box (--size)",
        )
    return float(reach), d


def _check_water(whole: Solved, inefficiency: float) -> None:
    in_water = whole.bins.bulk_effective(whole.weights) / inefficiency
    if in_water < MIN_EFFECTIVE:
        raise SamplingError(
            f"{in_water:.0f} effective samples in bulk water, fewer than {MIN_EFFECTIVE:g}",
            hint="longer runs (--length)",
        )


def _comparisons(
    runs: Sequence[WindowRun], whole: Solved, solved: Callable[[Sequence[WindowRun]], Solved]
) -> tuple[Comparison, ...]:
    """Pulled in against pulled out, first against second half of time, upper against lower leaflet."""
    return (
        _compared(
            ("pulled in", "pulled out"),
            solved([run for run in runs if run.pulled_in]),
            solved([run for run in runs if not run.pulled_in]),
        ),
        _compared(
            ("first half", "second half"),
            solved([half_of(run, False) for run in runs]),
            solved([half_of(run, True) for run in runs]),
        ),
        _leaflets(whole),
    )


def _delta_g(whole: Solved, errors: FloatArray, row: int, n_effective: float) -> Estimate:
    """ΔG of a bin."""
    return Estimate(
        value=float(whole.delta_g[row]),
        standard_error=float(errors[row]),
        n_effective=n_effective,
        provenance="MBAR over umbrella windows, error from a block bootstrap",
    )


def _log_k(whole: Solved, ways: Comparison, n_effective: float) -> Estimate:
    drawn = float(np.std(whole.log_k_replicates, ddof=1))
    return Estimate(
        value=whole.log_k,
        standard_error=max(drawn, 0.5 * abs(ways.difference)),
        n_effective=n_effective,
        provenance="MBAR over umbrella windows; larger of bootstrap and half the difference of pulled in and out",
    )


def _area(samples: ProfileSamples) -> Estimate:
    """Area per lipid from the means of the runs."""
    means = np.array([run.frames[:, AREA].mean() / (samples.n_lipids / 2) for run in samples.runs])
    return Estimate(
        value=float(means.mean()),
        standard_error=float(np.std(means, ddof=1) / np.sqrt(len(means))),
        n_effective=float(len(means)),
        provenance="lateral box area over half the number of lipids, with the solute in the box",
    )


def _per_mass(log_k_v: Estimate, d: float, area: Estimate, molar_mass: float) -> Estimate:
    """log10 of K_V d A N_A/M; 1 nm³ per molecule is NM3_TO_CM3_MOL cm³/mol, and cm³/g is L/kg."""
    factor = d * area.value * NM3_TO_CM3_MOL / molar_mass
    error = area.standard_error / (area.value * LN10)
    return Estimate(
        value=log_k_v.value + float(np.log10(factor)),
        standard_error=float(np.hypot(log_k_v.standard_error, error)),
        n_effective=log_k_v.n_effective,
        provenance="K_V d A N_A/M",
    )


def _remarks(whole: Solved, comparisons: tuple[Comparison, ...], errors: FloatArray) -> tuple[str, ...]:
    remarks = [
        f"{c.names[0]} and {c.names[1]} disagree on log K: {c.log_k[0]:.2f} and {c.log_k[1]:.2f}, up to "
        f"{c.largest:.1f} kJ/mol at {c.at:.2f} nm; longer runs are needed"
        for c in comparisons
        if not c.agrees
    ]
    empty = np.flatnonzero(~np.isfinite(whole.delta_g))
    if len(empty):
        remarks.append(f"no frame at {', '.join(f'{whole.bins.z[k]:.2f}' for k in empty[:5])} nm")
    n = round(BULK / PROFILE_STEP)
    outer = np.concatenate([whole.delta_g[: n // 2], whole.delta_g[-(n // 2) :]]).mean()
    inner = np.concatenate([whole.delta_g[n // 2 : n], whole.delta_g[-n : -(n // 2)]]).mean()
    error = float(np.nanmean(np.concatenate([errors[:n], errors[-n:]])))
    if abs(outer - inner) > max(3.0 * error, 0.5):
        remarks.append(
            f"ΔG is not flat in bulk water: it changes by {outer - inner:+.1f} kJ/mol; take a taller box (--size)"
        )
    return tuple(remarks)
