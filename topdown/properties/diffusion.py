"""Self-diffusion from mean squared displacements, corrected for the size of the box.

The displacement of molecular centres, with the drift of the common centre of mass taken out, grows as

    ⟨|R(t) - R(0)|²⟩ = 6 D t    (Einstein),

and a periodic cubic box of edge L holds it back (Yeh and Hummer, J. Phys. Chem. B 108, 15873, 2004, doi:10.1021/jp0477147):

    D = D_box + ξ kT/(6π η L),    ξ = 2.837297.

The viscosity η is given, or follows from the off-diagonal pressure at constant volume (Green and Kubo),

    η = V/kT ∫ ⟨P_ab(0) P_ab(t)⟩ dt.

Dynamics must be Newton's: Langevin friction slows diffusion by whatever friction was chosen, so such runs are refused. A
weak global thermostat (v-rescale, τ ≥ 0.5 ps) does not disturb it. Times are simulated times; Martini's smoother landscape
makes its molecules diffuse faster than real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SamplingError, SettingsError
from topdown.estimators.time_series import block_average
from topdown.model import Estimate, System
from topdown.model._arrays import FloatArray, IntArray
from topdown.model.requests import Components
from topdown.units import KJ_MOL_NM3_TO_BAR, NM2_PS_TO_1E9_M2_S, PA_S_PER_KJ_PS_MOL_NM3, kt

#: ξ of a cubic box: minus the self-term of the Ewald sum of the Oseen tensor.
CUBIC_BOX: Final = 2.837297
#: Shortest coupling time of a thermostat that leaves the dynamics alone [ps].
WEAK_COUPLING: Final = 0.5
_N_BLOCKS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionResult:
    """A self-diffusion coefficient [10⁻⁹ m²/s].

    Attributes
    ----------
    in_box : Estimate
        As simulated.
    infinite : Estimate or None
        Corrected for the size of the box; None without a viscosity.
    edge : float
        L [nm].
    lags : (float, float)
        Range of times the slope was taken over [ps].
    exponent : float
        α of ⟨ΔR²⟩ ∝ t^α between the ends of that range: 1 for diffusion, less where the molecules are still in their cages.
    """

    in_box: Estimate
    infinite: Estimate | None
    edge: float
    lags: tuple[float, float]
    exponent: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """What a run leaves for :func:`self_diffusion` and :func:`green_kubo_viscosity`.

    Attributes
    ----------
    centers : (n_frames, n_molecules, 3) float64 [nm]
        Centres of mass of the molecules, never wrapped.
    masses : (n_molecules,) float64 [u]
    interval : float
        Time between frames [ps].
    box : (3,) float64 [nm]
    temperature : float
        [K]
    shear_stress : (n_samples, 3) float64 [bar]
        P_xy, P_xz, P_yz; empty unless asked for.
    stress_interval : float
        Time between samples of the stress [ps].
    """

    centers: FloatArray
    masses: FloatArray
    interval: float
    box: FloatArray
    temperature: float
    shear_stress: FloatArray
    stress_interval: float


def check_dynamics(settings: SimulationSettings) -> None:
    """Refuse settings under which diffusion is not Newton's.

    Raises
    ------
    SettingsError
        Langevin friction, a thermostat with a short coupling time, or a barostat, which moves molecules.
    """
    if settings.thermostat == "langevin":
        raise SettingsError(
            "Langevin friction slows diffusion by whatever friction was chosen", hint="thermostat v-rescale or none"
        )
    if settings.thermostat is not None and settings.tau_t < WEAK_COUPLING:
        raise SettingsError(
            f"a coupling time of {settings.tau_t:g} ps disturbs diffusion", hint=f"tau_t of {WEAK_COUPLING} ps or more"
        )
    if settings.barostat is not None:
        raise SettingsError("a barostat moves molecules; diffusion needs constant volume", hint="barostat none")


def run_diffusion(
    simulation: Simulation, n_steps: int, *, every: int, stress_every: int = 0, temperature: float | None = None
) -> Trajectory:
    """Run an equilibrated simulation and record what diffusion and viscosity need.

    Parameters
    ----------
    simulation : Simulation
        At constant volume, without Langevin friction.
    n_steps : int
    every : int
        Steps between frames of the centres.
    stress_every : int
        Steps between samples of the shear stress, a divisor of ``every``; 0 for none.
    temperature : float, optional
        [K]; default that of the settings. To be given when there is no thermostat.

    Raises
    ------
    SettingsError
        Dynamics that are not Newton's, or intervals that do not fit.
    """
    settings = simulation.settings
    check_dynamics(settings)
    step = stress_every or every
    if every < 1 or step < 1 or every % step or n_steps < 2 * every:
        raise SettingsError(
            f"{n_steps} steps, frames every {every} and stress every {stress_every} do not fit together"
        )
    if settings.thermostat is None and temperature is None:
        raise SettingsError("a run without thermostat has no set temperature", hint="give its mean temperature")
    owner, masses, weights = _molecules(simulation.system())
    centers: list[FloatArray] = []
    stress: list[FloatArray] = []

    def look(s: Simulation) -> None:
        if stress_every:
            p = s.energies().pressure
            stress.append(np.array([p[0, 1], p[0, 2], p[1, 2]]))
        if s.step % every == 0:
            centers.append(np.stack([np.bincount(owner, weights * s.positions[:, d]) for d in range(3)], axis=1))

    simulation.run(-simulation.step % every)
    simulation.run(n_steps, every=step, observe=look)
    return Trajectory(
        centers=np.array(centers),
        masses=masses,
        interval=every * settings.time_step,
        box=np.array(simulation.box),
        temperature=settings.temperature if temperature is None else temperature,
        shear_stress=np.array(stress).reshape(-1, 3),
        stress_interval=stress_every * settings.time_step,
    )


def _molecules(system: System) -> tuple[IntArray, FloatArray, FloatArray]:
    """Molecule of each bead, mass of each molecule, and share of each bead in its molecule's mass."""
    counts = [molecule.n_beads for molecule, _ in system.molecules()]
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    bead_masses = np.array([bead.mass for molecule, _ in system.molecules() for bead in molecule.beads])
    masses: FloatArray = np.bincount(owner, bead_masses).astype(np.float64)
    return owner, masses, bead_masses / masses[owner]


def molecule_masses(components: Components) -> FloatArray:
    """Mass of every molecule of a box (n_molecules,) [u]."""
    return np.repeat([molecule.mass for molecule, _ in components], [count for _, count in components])


def mean_squared_displacement(centers: FloatArray, n_lags: int) -> FloatArray:
    """⟨|R(t0 + t) - R(t0)|²⟩ over all origins t0, for t = 0 … n_lags - 1 frames.

    The products come from a Fourier transform (Calandrini et al., École thématique SFN 12, 201, 2011), so that the cost grows as
    n log n.

    Parameters
    ----------
    centers : (n_frames, n_molecules, 3) float64 [nm]
        Unwrapped.
    n_lags : int
        At most n_frames.

    Returns
    -------
    (n_lags, n_molecules) float64 [nm²]
    """
    n = len(centers)
    x = centers - centers.mean(axis=0)
    square = (x**2).sum(axis=2)
    spectrum = np.fft.rfft(x, n=1 << (2 * n - 1).bit_length(), axis=0)
    products = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=2), axis=0)[:n_lags]
    ends = np.concatenate([np.zeros((1, square.shape[1])), np.cumsum(square, axis=0)])
    lags = np.arange(n_lags)
    # Σ of the squares of all first and of all second members of the pairs that are t frames apart
    both = ends[n - lags] + (ends[n] - ends[lags])
    result: FloatArray = (both - 2.0 * products) / (n - lags)[:, None]
    return result


def self_diffusion(
    trajectory: Trajectory,
    *,
    lags: tuple[float, float],
    viscosity: float | None = None,
    viscosity_error: float = 0.0,
) -> DiffusionResult:
    """D from the slope of the mean squared displacement, with the correction for the box where a viscosity is given.

    Parameters
    ----------
    trajectory : Trajectory
    lags : (float, float)
        Times between which the slope is taken [ps]: beyond the ballistic and caged motion, and far below the length of the run.
    viscosity : float, optional
        [mPa s]
    viscosity_error : float
        One standard error [mPa s]; enters the error of the corrected value.

    Returns
    -------
    DiffusionResult
        Errors from blocks of the run.

    Raises
    ------
    SettingsError
        A range of lags that is empty or negative, or a box that is not cubic when it is to be corrected for.
    SamplingError
        A run shorter than ten blocks of twice the longest lag.
    """
    first, last = (round(lag / trajectory.interval) for lag in lags)
    if not 0 < first < last:
        raise SettingsError(f"lags {lags} ps hold no two frames {trajectory.interval:g} ps apart")
    relative = trajectory.centers - np.average(trajectory.centers, axis=1, weights=trajectory.masses)[:, None]
    length = len(relative) // _N_BLOCKS
    if length < 2 * last:
        needed = 2 * last * trajectory.interval * _N_BLOCKS / 1000.0
        raise SamplingError(f"lags up to {lags[1]:g} ps need a run of {needed:.2g} ns", hint="run longer")
    curves = [
        mean_squared_displacement(relative[k * length : (k + 1) * length], last + 1).mean(axis=1)
        for k in range(_N_BLOCKS)
    ]
    slopes = [_slope(curve, first) for curve in curves]
    mean = np.mean(curves, axis=0)
    blocks = block_average(np.array(slopes) / (6.0 * trajectory.interval) * NM2_PS_TO_1E9_M2_S, _N_BLOCKS)
    in_box = Estimate(
        value=blocks.mean,
        standard_error=blocks.standard_error,
        n_effective=float(_N_BLOCKS),
        provenance=f"Einstein, {lags[0]:g} to {lags[1]:g} ps",
    )
    infinite = None
    if viscosity is not None:
        correction = yeh_hummer_correction(trajectory.box, trajectory.temperature, viscosity)
        infinite = Estimate(
            value=in_box.value + correction,
            standard_error=math.hypot(in_box.standard_error, correction * viscosity_error / viscosity),
            n_effective=in_box.n_effective,
            provenance=f"{in_box.provenance}, Yeh-Hummer with {viscosity:.3g} mPa s",
        )
    return DiffusionResult(
        in_box=in_box,
        infinite=infinite,
        edge=float(trajectory.box[0]),
        lags=lags,
        exponent=math.log(mean[last] / mean[first]) / math.log(last / first),
    )


def _slope(displacement: FloatArray, first: int) -> float:
    """Least-squares slope per frame from frame ``first`` on."""
    return float(np.polyfit(np.arange(first, len(displacement)), displacement[first:], 1)[0])


def yeh_hummer_correction(box: FloatArray, temperature: float, viscosity: float) -> float:
    """ξ kT/(6π η L) [10⁻⁹ m²/s], to be added to D of a cubic box.

    Parameters
    ----------
    box : (3,) float64 [nm]
    temperature : float
        [K]
    viscosity : float
        [mPa s]

    Raises
    ------
    SettingsError
        A box that is not cubic, or a viscosity that is not positive.
    """
    if max(box) > 1.001 * min(box):
        raise SettingsError(f"the correction is for cubic boxes, got edges {np.round(box, 3).tolist()} nm")
    if not 0.0 < viscosity < math.inf:
        raise SettingsError(f"a viscosity must be positive, got {viscosity} mPa s")
    eta = viscosity * 1e-3 / PA_S_PER_KJ_PS_MOL_NM3
    return CUBIC_BOX * kt(temperature) / (6.0 * math.pi * eta * float(box[0])) * NM2_PS_TO_1E9_M2_S


def green_kubo_viscosity(trajectory: Trajectory, *, longest: float) -> Estimate:
    """Shear viscosity [mPa s] from the correlation of the off-diagonal pressure, integrated to ``longest`` [ps].

    Raises
    ------
    SamplingError
        No stress was recorded, or a run shorter than ten blocks of ten times ``longest``.
    """
    stress = trajectory.shear_stress / KJ_MOL_NM3_TO_BAR
    n_lags = round(longest / trajectory.stress_interval) + 1 if len(stress) else 0
    length = len(stress) // _N_BLOCKS
    if n_lags < 2 or length < 10 * n_lags:
        raise SamplingError(
            f"{len(stress)} samples of the stress do not give a viscosity integrated to {longest:g} ps",
            hint="record the stress, and run longer",
        )
    values = []
    for k in range(_N_BLOCKS):
        block = stress[k * length : (k + 1) * length]
        spectrum = np.fft.rfft(block, n=1 << (2 * length - 1).bit_length(), axis=0)
        products = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:n_lags].mean(axis=1) / (length - np.arange(n_lags))
        values.append((products.sum() - 0.5 * (products[0] + products[-1])) * trajectory.stress_interval)
    factor = float(np.prod(trajectory.box)) / kt(trajectory.temperature) * PA_S_PER_KJ_PS_MOL_NM3 * 1e3
    blocks = block_average(np.array(values) * factor, _N_BLOCKS)
    return Estimate(
        value=blocks.mean,
        standard_error=blocks.standard_error,
        n_effective=float(_N_BLOCKS),
        provenance=f"Green-Kubo to {longest:g} ps",
    )
