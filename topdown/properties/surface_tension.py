"""Surface tension of a slab at constant volume, from the pressure tensor and from test areas, and its density profile.

The two surfaces of a slab of area A give

    γ = (L_z/2) ⟨P_zz - (P_xx + P_yy)/2⟩ = (1/2A) ⟨Σ_p ε_p w_p + w_rest⟩,     w = W_z - (W_x + W_y)/2,

W the molecular virial; the kinetic part of the pressure is the same along each axis and drops out. The test-area method (Gloor
et al., J. Chem. Phys. 123, 134703, 2005) widens and narrows the surfaces by a small part δ at constant volume,

    γ = [ΔF(+δ) - ΔF(-δ)]/(4 A δ),     ΔF(±δ) = -kT ln ⟨exp(-ΔU/kT)⟩.

The potential is cut and shifted, as Martini's is, and there is no tail correction. γ is linear in ε frame by frame, so that
∂γ/∂ε_p = ⟨w_p⟩/2A - β Cov(γ̂, S_p).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import MIN_EFFECTIVE, Pair, PooledSamples, ReweightedValue, sorted_pair
from topdown.model import BeadTable, Estimate, PairSums, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import Components, SlabRequest
from topdown.properties.averages import average_runs, join_parts, stationary_start, trust_remarks
from topdown.properties.density import potential_energies, require_liquid, run_seed
from topdown.properties.measurements import MeasuredValue, measured_at
from topdown.properties.phases import Phase, box_components
from topdown.sampling.equilibrate import TIME_STEP
from topdown.units import BAR_NM_TO_MN_M, KJ_MOL_NM3_TO_BAR, U_NM3_TO_KG_M3, kt

#: Steps of one part of a run, before its first frame, and between frames.
PART_STEPS = 25_000
EQUILIBRATION_STEPS = 15_000
FRAME_EVERY = 50
#: Independent runs, each from a liquid of its own.
N_RUNS = 2
#: Width of the box in cut-offs and in σ, whichever is more; thickness of the slab in cut-offs; height in thicknesses.
WIDTH_CUTOFFS, WIDTH_SIGMAS, THICKNESS_CUTOFFS, HEIGHT = 4.0, 9.0, 4.2, 3.0
#: 1 kJ/mol/nm² in mN/m.
_TO_MN_M = KJ_MOL_NM3_TO_BAR * BAR_NM_TO_MN_M


@dataclass(frozen=True, kw_only=True, eq=False)
class SlabProfile:
    """Density across a slab: its plateaus, and a hyperbolic tangent through its surfaces.

    ρ(z) = (ρ_l + ρ_v)/2 - (ρ_l - ρ_v)/2 · tanh(2 (|z| - z_0)/w)

    Attributes
    ----------
    heights : (n_bins,) float64 [nm]
        From the centre of mass.
    density : (n_bins,) float64 [kg/m³]
        By real molar masses.
    liquid, vapour : Estimate
        ρ_l and ρ_v [kg/m³].
    half_thickness, width : Estimate
        z_0 and w [nm]; 10 to 90 % of the change takes 1.0986 w.
    """

    heights: FloatArray
    density: FloatArray
    liquid: Estimate
    vapour: Estimate
    half_thickness: Estimate
    width: Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceTensionResult:
    """A liquid with its vapour at one temperature.

    Attributes
    ----------
    phase : Phase
    temperature : float
        [K]
    pressure_tensor, test_area : Estimate
        γ [mN/m] by the two methods, from the same frames.
    difference : Estimate
        Pressure tensor minus test area [mN/m], its error that of the difference.
    profile : SlabProfile
    runs : tuple of Estimate
        γ by the pressure tensor, of each independent run.
    components : tuple of (CGMolecule, int)
    width, height : float
        L_x = L_y and L_z [nm].
    nanoseconds : float
    experiment : MeasuredValue or None
    alarms, remarks : tuple of str
    """

    phase: Phase
    temperature: float
    pressure_tensor: Estimate
    test_area: Estimate
    difference: Estimate
    profile: SlabProfile
    runs: tuple[Estimate, ...]
    components: Components
    width: float
    height: float
    nanoseconds: float
    experiment: MeasuredValue | None
    alarms: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def method_z(self) -> float:
        """Difference of the two methods in its standard error."""
        return self.difference.value / self.difference.standard_error if self.difference.standard_error > 0 else 0.0

    @property
    def z_score(self) -> float | None:
        """Calculated (pressure tensor) minus measured, in both errors; None where nothing was measured."""
        if self.experiment is None:
            return None
        return self.experiment.z_score(self.pressure_tensor.value, self.pressure_tensor.standard_error)


def slab_request(
    phase: Phase, table: BeadTable, *, temperature: float, pressure: float = 1.0, seed: int, run: int, part: int
) -> SlabRequest:
    """One part of one of the independent runs that a surface tension rests on.

    Raises
    ------
    SettingsError
        The gas, or a model whose real molar mass is not known.
    """
    require_liquid(phase)
    small = table.subset(phase.type_names())
    width = round(max(WIDTH_CUTOFFS * table.scheme.cutoff, WIDTH_SIGMAS * float(small.sigma.max())), 3)
    thickness = THICKNESS_CUTOFFS * table.scheme.cutoff
    (molecule, n_molecules), *cosolvents = box_components(phase, table, volume=width**2 * thickness, min_beads=1)
    return SlabRequest(
        molecule=molecule,
        n_molecules=n_molecules,
        cosolvents=tuple(cosolvents),
        table=small,
        temperature=temperature,
        pressure=pressure,
        width=width,
        height=round(HEIGHT * thickness, 3),
        n_equilibration=EQUILIBRATION_STEPS,
        n_steps=PART_STEPS,
        every=FRAME_EVERY,
        seed=run_seed(seed, run),
        part=part,
    )


def anisotropies(sums: PairSums) -> tuple[FloatArray, FloatArray]:
    """w_p (n_frames, n_pairs) per ε, and w_rest (n_frames,) [kJ/mol], of every frame.

    Raises
    ------
    SettingsError
        Samples without virials.
    """
    if sums.virials is None or sums.rest_virial is None:
        raise SettingsError("these samples hold no virials", hint="sample a slab")
    by_pair: FloatArray = sums.virials[..., 2] - 0.5 * (sums.virials[..., 0] + sums.virials[..., 1])
    rest: FloatArray = sums.rest_virial[:, 2] - 0.5 * (sums.rest_virial[:, 0] + sums.rest_virial[:, 1])
    return by_pair, rest


def tension_of_frames(sums: PairSums, epsilon: FloatArray, area: float) -> FloatArray:
    """γ̂ of every frame by the pressure tensor, (n_frames,) [mN/m].

    Parameters
    ----------
    sums : PairSums
        With virials.
    epsilon : (n_pairs,) float64 [kJ/mol]
        Of ``sums.pairs``.
    area : float
        L_x L_y [nm²].
    """
    by_pair, rest = anisotropies(sums)
    return np.asarray((by_pair @ epsilon + rest) * (_TO_MN_M / (2.0 * area)))


def area_energies(sums: PairSums, epsilon: FloatArray) -> tuple[FloatArray, float]:
    """ΔU of widening and narrowing the surfaces, (n_frames, 2) [kJ/mol], and δ.

    Raises
    ------
    SettingsError
        Samples without the two scaled boxes of one test area.
    """
    if sums.scalings is None or sums.scaled_sums is None or sums.scaled_rest_energy is None or len(sums.scalings) != 2:
        raise SettingsError("these samples hold no test areas", hint="sample a slab")
    wider, narrower = sums.scalings[:, 0] * sums.scalings[:, 1] - 1.0
    if not (wider > 0.0 > narrower and abs(wider + narrower) < 1e-9 * wider):
        raise SettingsError(f"test areas must be δ and -δ, got {wider:g} and {narrower:g}")
    change = (sums.scaled_sums - sums.sums[:, None]) @ epsilon + sums.scaled_rest_energy - sums.rest_energy[:, None]
    return np.asarray(change), float(wider)


def linear_test_area(change: FloatArray, delta: float, area: float, thermal: float, free: FloatArray) -> FloatArray:
    """A series whose mean is the test-area γ and whose fluctuations are its error's, (n_frames,) [mN/m].

    Parameters
    ----------
    change : (n_frames, 2) float64 [kJ/mol]
    delta : float
    area : float
        [nm²]
    thermal : float
        kT [kJ/mol].
    free : (2,) float64 [kJ/mol]
        ΔF over all frames the series is part of: the logarithm is expanded about it.
    """
    excess = np.exp(-(change - free) / thermal) - 1.0
    shifted = free - thermal * excess
    return np.asarray((shifted[:, 0] - shifted[:, 1]) * (_TO_MN_M / (4.0 * area * delta)))


def free_changes(change: FloatArray, thermal: float) -> FloatArray:
    """ΔF = -kT ln ⟨exp(-ΔU/kT)⟩ of each column, (2,) [kJ/mol]."""
    from scipy.special import logsumexp

    return np.asarray(-thermal * (logsumexp(-change / thermal, axis=0) - np.log(len(change))))


def fit_profile(edges: FloatArray, blocks: FloatArray) -> SlabProfile:
    """Plateaus and tangent of the mean profile; errors from those to the mean profiles of groups of blocks.

    Parameters
    ----------
    edges : (n_bins + 1,) float64 [nm]
    blocks : (n_blocks, n_bins) float64 [kg/m³]
        Profiles of consecutive stretches of the runs.

    Raises
    ------
    SamplingError
        When no slab can be fitted.
    """
    heights = 0.5 * (edges[:-1] + edges[1:])
    mean = blocks.mean(axis=0)
    best = _tangent(heights, mean)
    groups = np.array_split(blocks, min(8, len(blocks)))
    fits = np.array([_tangent(heights, group.mean(axis=0)) for group in groups])
    error = fits.std(axis=0, ddof=1) / np.sqrt(len(fits)) if len(fits) > 1 else np.full(4, np.nan)
    liquid, vapour, half, width = (
        Estimate(value=float(v), standard_error=float(e), n_effective=float(len(fits)), provenance="tanh fit")
        for v, e in zip(best, error)
    )
    return SlabProfile(heights=heights, density=mean, liquid=liquid, vapour=vapour, half_thickness=half, width=width)


def _tangent(heights: FloatArray, density: FloatArray) -> FloatArray:
    """(ρ_l, ρ_v, z_0, w): ρ_l and ρ_v are means further than 2 w from the surface where there is such a place, all else is by
    least squares. A real surface has a shoulder inside, which would draw a fitted ρ_l half a per cent down.
    """
    from scipy.optimize import curve_fit

    n_far = max(len(density) // 8, 1)
    by_distance = np.argsort(np.abs(heights))
    liquid, vapour = float(np.sort(density)[-n_far:].mean()), float(density[by_distance[-n_far:]].mean())
    half = 0.5 * float((density > 0.5 * liquid).sum()) * float(heights[1] - heights[0])
    width, plateau = 0.8, False
    largest = float(heights[-1])
    for _ in range(3):

        def model(
            z: FloatArray, half: float, width: float, liquid: float = liquid, vapour: float = vapour
        ) -> FloatArray:
            shape = np.tanh(2.0 * (np.abs(z) - half) / width)
            return np.asarray(0.5 * (liquid + vapour) - 0.5 * (liquid - vapour) * shape)

        free = [] if plateau else [liquid]
        limits = ([0.0, 0.01, *(0.0 for _ in free)], [largest, largest, *(2.0 * liquid + 1e-9 for _ in free)])
        start = [min(half, largest), min(width, largest), *free]
        try:
            found, _ = curve_fit(model, heights, density, p0=start, bounds=limits)
        except (RuntimeError, ValueError) as error:
            raise SamplingError(f"the density profile is not that of a slab: {error}") from None
        half, width = float(found[0]), float(found[1])
        inside, far = np.abs(heights) < half - 2.0 * width, np.abs(heights) > half + 2.0 * width
        plateau = bool(inside.sum() >= 4)
        liquid = float(density[inside].mean()) if plateau else float(found[2]) if free else liquid
        vapour = float(density[far].mean()) if far.any() else vapour
    return np.array([liquid, vapour, half, width])


def measure_surface_tension(
    phase: Phase,
    request: SlabRequest,
    runs: Sequence[Sequence[WindowSamples]],
    records: Sequence[Sequence[Mapping[str, FloatArray]]],
    *,
    frame_every: int = FRAME_EVERY,
) -> SurfaceTensionResult:
    """Averages of all parts of all runs of one slab.

    Parameters
    ----------
    phase : Phase
    request : SlabRequest
        Any of them: all have its molecules, box and temperature.
    runs : sequence of sequences of WindowSamples
        The parts of each independent run.
    records : the same of mappings
        What is kept beside each part: its ``profile`` and ``edges``.
    frame_every : int
        Steps between frames.

    Raises
    ------
    SamplingError
        Too few frames for an error, or no slab in the profile.
    """
    whole = [join_parts(parts) for parts in runs]
    area, thermal = request.width**2, kt(request.temperature)
    epsilon = np.array(whole[0].epsilon)
    starts = [stationary_start(potential_energies(run)) for run in whole]
    kept = [run.sums.frames(slice(start, None)) for run, start in zip(whole, starts)]
    tensions = [tension_of_frames(sums, epsilon, area) for sums in kept]
    changes = [area_energies(sums, epsilon) for sums in kept]
    free = free_changes(np.concatenate([change for change, _ in changes]), thermal)
    by_area = [linear_test_area(change, delta, area, thermal, free) for change, delta in changes]
    virial, test_area = average_runs(tensions, "pressure tensor"), average_runs(by_area, "test area")
    difference = average_runs([a - b for a, b in zip(tensions, by_area)], "difference").estimate
    profile = _stored_profile(records, request.system)
    canonical = phase.components[0].molecule.canonical_smiles if len(phase.components) == 1 else ""
    used = sum(len(series) for series in tensions)
    return SurfaceTensionResult(
        phase=phase,
        temperature=request.temperature,
        pressure_tensor=virial.estimate,
        test_area=test_area.estimate,
        difference=difference,
        profile=profile,
        runs=virial.runs,
        components=request.components,
        width=request.width,
        height=request.height,
        nanoseconds=used * frame_every * TIME_STEP / 1000.0,
        experiment=measured_at("surface_tension", canonical, request.temperature) if canonical else None,
        alarms=tuple(part.alarm for parts in runs for part in parts if part.alarm),
        remarks=(
            *((phase.remark,) if phase.remark else ()),
            *trust_remarks(virial, "surface tension"),
            *_slab_remarks(profile, request),
        ),
    )


def _stored_profile(records: Sequence[Sequence[Mapping[str, FloatArray]]], system: str) -> SlabProfile:
    """Fit to the density profiles kept beside all parts."""
    profiles = [
        record["profile"].sum(axis=1) * U_NM3_TO_KG_M3
        for parts in records
        for record in parts
        if len(record["profile"])
    ]
    if not profiles:
        raise SamplingError("no density profile was stored", where=system)
    return fit_profile(records[0][0]["edges"], np.concatenate(profiles))


def _slab_remarks(profile: SlabProfile, request: SlabRequest) -> tuple[str, ...]:
    """What of the slab itself makes its tension doubtful."""
    remarks = []
    thickness, cutoff = 2.0 * profile.half_thickness.value, request.table.scheme.cutoff
    if thickness - profile.width.value < 2.5 * cutoff:
        remarks.append(
            f"the slab is {thickness:.1f} nm thick, its surfaces {profile.width.value:.1f} nm: they may feel each other"
        )
    if profile.vapour.value > 0.1 * profile.liquid.value:
        remarks.append("the vapour is more than a tenth as dense as the liquid: the critical point is near")
    return tuple(remarks)


def reweighted_surface_tension(
    pooled: PooledSamples,
    area: float,
    theta: Mapping[Pair, float] | None = None,
    *,
    temperature: float | None = None,
    min_effective: float = MIN_EFFECTIVE,
    error: bool = True,
) -> ReweightedValue:
    """γ [mN/m] by the pressure tensor at other ε or another temperature than those of the runs, with its gradient.

    Parameters
    ----------
    pooled : PooledSamples
        Runs of one slab request's molecules and box.
    area : float
        L_x L_y [nm²].
    theta : mapping of pair to float, optional
        ε [kJ/mol]; pairs not given keep the values of the last run.
    temperature : float, optional
        [K]
    min_effective : float
        Refuse with fewer effective samples.
    error : bool
        Also compute bootstrap errors.

    Raises
    ------
    SamplingError
        Too few effective samples.
    """
    values = dict(zip(pooled.pairs, pooled.epsilon(theta)))

    def tension(sums: PairSums) -> FloatArray:
        return tension_of_frames(sums, np.array([values[sorted_pair(*pair)] for pair in sums.pairs]), area)

    def explicit(sums: PairSums) -> Mapping[Pair, FloatArray]:
        by_pair, _ = anisotropies(sums)
        return {pair: by_pair[:, k] * (_TO_MN_M / (2.0 * area)) for k, pair in enumerate(sums.pairs)}

    return pooled.average(
        tension,
        theta,
        temperature=temperature,
        explicit_gradient=explicit,
        min_effective=min_effective,
        error=error,
    )


def reweighted_test_area(
    pooled: PooledSamples,
    area: float,
    theta: Mapping[Pair, float] | None = None,
    *,
    temperature: float | None = None,
    min_effective: float = MIN_EFFECTIVE,
    error: bool = True,
) -> ReweightedValue:
    """γ [mN/m] by test areas at other ε or another temperature; see :func:`reweighted_surface_tension`.

    The gradient holds the change of the weights only, and is nan: take that of the pressure tensor.
    """
    values = dict(zip(pooled.pairs, pooled.epsilon(theta)))
    thermal = kt(pooled.reference.temperature if temperature is None else temperature)

    def changes(sums: PairSums) -> tuple[FloatArray, float]:
        return area_energies(sums, np.array([values[sorted_pair(*pair)] for pair in sums.pairs]))

    free = []
    for column in (0, 1):
        factor = pooled.average(
            lambda sums, column=column: np.exp(-changes(sums)[0][:, column] / thermal),  # type: ignore[misc]
            theta,
            temperature=temperature,
            min_effective=min_effective,
            error=False,
        )
        free.append(-thermal * float(np.log(factor.value)))

    def series(sums: PairSums) -> FloatArray:
        change, delta = changes(sums)
        return linear_test_area(change, delta, area, thermal, np.array(free))

    found = pooled.average(series, theta, temperature=temperature, min_effective=min_effective, error=error)
    nothing = np.full(len(pooled.pairs), np.nan)
    return ReweightedValue(
        value=found.value,
        standard_error=found.standard_error,
        pairs=found.pairs,
        gradient=nothing,
        gradient_error=nothing,
        n_effective=found.n_effective,
    )
