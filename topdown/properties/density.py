"""Density of a liquid at constant pressure: molecules per volume × real molar mass.

Masses of Martini beads are conventions and take no part. Several independent runs give the mean, its error by blocks, and a
check that they agree. From the same frames the density at any other ε, and at a temperature and pressure nearby, follows by
reweighting, with ∂⟨ρ⟩/∂ε_p = -β Cov(ρ, S_p).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.errors import SettingsError
from topdown.estimators.reweighting import MIN_EFFECTIVE, Pair, PooledSamples, ReweightedValue
from topdown.model import BeadTable, Estimate, PairSums, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import Components, GasRequest, LiquidRequest
from topdown.properties.averages import average_runs, join_parts, series_estimate, stationary_start, trust_remarks
from topdown.properties.measurements import MeasuredValue, measured_at
from topdown.properties.phases import Phase, box_components
from topdown.sampling.equilibrate import TIME_STEP
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR, NM3_TO_CM3_MOL, U_NM3_TO_KG_M3

#: Steps of one part of a run, before its first frame, and between frames.
PART_STEPS = 25_000
EQUILIBRATION_STEPS = 5_000
FRAME_EVERY = 50
#: Independent runs of one state, each from a box of its own.
N_RUNS = 2
#: A molecule alone: steps, and steps between frames.
_GAS_STEPS, _GAS_EVERY = 200_000, 100


@dataclass(frozen=True, kw_only=True)
class DensityResult:
    """A liquid at one temperature and pressure.

    Attributes
    ----------
    phase : Phase
    temperature, pressure : float
        [K], [bar]
    density : Estimate
        [kg/m³]
    molar_volume : Estimate
        [cm³/mol], of real molecules; their mean in a mixture.
    energy : Estimate
        Potential energy per model molecule [kJ/mol].
    vaporization_enthalpy : Estimate or None
        ⟨U⟩ of a molecule alone - ⟨U⟩/N + RT - pV/N [kJ/mol]; None for mixtures and for models that stand for several molecules.
    runs : tuple of Estimate
        Density of each independent run.
    components : tuple of (CGMolecule, int)
        Of one box.
    nanoseconds : float
        Simulated in all runs together, equilibration apart.
    experiment, vaporization_experiment : MeasuredValue or None
        Density [kg/m³] and enthalpy of vaporization [kJ/mol] measured.
    alarms, remarks : tuple of str
    """

    phase: Phase
    temperature: float
    pressure: float
    density: Estimate
    molar_volume: Estimate
    energy: Estimate
    vaporization_enthalpy: Estimate | None
    runs: tuple[Estimate, ...]
    components: Components
    nanoseconds: float
    experiment: MeasuredValue | None
    vaporization_experiment: MeasuredValue | None = None
    alarms: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def z_score(self) -> float | None:
        """Density calculated minus measured, in both errors; None where nothing was measured."""
        if self.experiment is None:
            return None
        return self.experiment.z_score(self.density.value, self.density.standard_error)


def run_seed(seed: int, run: int) -> int:
    """Seed of the ``run``-th independent run."""
    return seed if run == 0 else int(np.random.SeedSequence([seed, run]).generate_state(1)[0] >> 1)


def liquid_request(
    phase: Phase, table: BeadTable, *, temperature: float, pressure: float, seed: int, run: int, part: int
) -> LiquidRequest:
    """One part of one of the independent runs that a density rests on.

    Raises
    ------
    SettingsError
        The gas, or a model whose real molar mass is not known.
    """
    (molecule, n_molecules), *cosolvents = liquid_components(phase, table)
    return LiquidRequest(
        molecule=molecule,
        n_molecules=n_molecules,
        cosolvents=tuple(cosolvents),
        table=table.subset(phase.type_names()),
        temperature=temperature,
        pressure=pressure,
        n_equilibration=EQUILIBRATION_STEPS,
        n_steps=PART_STEPS,
        every=FRAME_EVERY,
        seed=run_seed(seed, run),
        part=part,
    )


def require_liquid(phase: Phase) -> None:
    """Refuse what is no liquid to be measured.

    Raises
    ------
    SettingsError
        The gas, a model whose real molar mass is not known, or molecules whose charges do not add up to zero.
    """
    if not phase.components:
        raise SettingsError("nothing is simulated in the gas phase", hint="name a liquid")
    for component in phase.components:
        if not component.molecule.molar_mass > 0.0:
            raise SettingsError(
                f"the real molar mass of model {component.molecule.name} is not known",
                hint="give molar_mass in its file, or a SMILES",
            )
        if abs(component.molecule.charge) > 1e-6:
            raise SettingsError(
                f"{component.molecule.name} carries a net charge of {component.molecule.charge:+g}",
                hint="only neutral molecules make a liquid here",
            )


def liquid_components(phase: Phase, table: BeadTable) -> Components:
    """The box a density is measured in: at least 400 beads, wider than two cut-offs with room to shrink, and than a stretched
    molecule and a cut-off.
    """
    require_liquid(phase)
    longest = max(float(np.ptp(conformation_of(part.molecule), axis=0).max()) for part in phase.components)
    edge = table.scheme.cutoff + max(table.scheme.cutoff + 0.6, longest + 0.3)
    return box_components(phase, table, volume=edge**3)


def gas_request(phase: Phase, table: BeadTable, *, temperature: float, seed: int) -> GasRequest | None:
    """What ΔH of vaporisation needs besides the liquid; None where there is no such thing, see :class:`DensityResult`."""
    if len(phase.components) != 1 or phase.components[0].model.n_real != 1:
        return None
    return GasRequest(
        molecule=phase.components[0].molecule,
        table=table.subset(phase.type_names()),
        temperature=temperature,
        n_equilibration=EQUILIBRATION_STEPS,
        n_steps=_GAS_STEPS,
        every=_GAS_EVERY,
        seed=seed,
    )


def box_mass(components: Components) -> float:
    """Real mass of a box [u]."""
    return sum(count * molecule.molar_mass for molecule, count in components)


def potential_energies(samples: WindowSamples) -> FloatArray:
    """Potential energy of every frame of a run without a solute, (n_frames,) [kJ/mol]."""
    return np.asarray(samples.sums.sums @ np.array(samples.epsilon) + samples.sums.rest_energy)


def measure_density(
    phase: Phase,
    components: Components,
    runs: Sequence[Sequence[WindowSamples]],
    *,
    temperature: float,
    pressure: float,
    gas: WindowSamples | None = None,
) -> DensityResult:
    """Averages of all parts of all runs of one state.

    Parameters
    ----------
    phase : Phase
    components : tuple of (CGMolecule, int)
        What one box holds.
    runs : sequence of sequences of WindowSamples
        The parts of each independent run.
    temperature, pressure : float
        [K], [bar]
    gas : WindowSamples, optional
        One molecule alone.

    Raises
    ------
    SamplingError
        Too few frames for an error.
    """
    whole = [join_parts(parts) for parts in runs]
    mass = box_mass(components) * U_NM3_TO_KG_M3
    densities = [mass / run.sums.volume for run in whole]
    starts = [stationary_start(series) for series in densities]
    density = average_runs([series[k:] for series, k in zip(densities, starts)])
    volume = average_runs([run.sums.volume[k:] for run, k in zip(whole, starts)]).estimate
    energy = average_runs([potential_energies(run)[k:] for run, k in zip(whole, starts)]).estimate
    n_models = sum(count for _, count in components)
    n_real = sum(
        count * component.model.n_real for component, (_, count) in zip(phase.components, components, strict=True)
    )
    per_molecule = _scaled(energy, 1.0 / n_models)
    work = pressure / KJ_MOL_NM3_TO_BAR * volume.value / n_models
    canonical = phase.components[0].molecule.canonical_smiles if len(phase.components) == 1 else ""
    used = sum(len(series) - k for series, k in zip(densities, starts))
    return DensityResult(
        phase=phase,
        temperature=temperature,
        pressure=pressure,
        density=density.estimate,
        molar_volume=_scaled(volume, NM3_TO_CM3_MOL / n_real),
        energy=per_molecule,
        vaporization_enthalpy=None if gas is None else _vaporization(gas, per_molecule, temperature, work),
        runs=density.runs,
        components=components,
        nanoseconds=used * FRAME_EVERY * TIME_STEP / 1000.0,
        experiment=measured_at("density", canonical, temperature) if canonical else None,
        vaporization_experiment=measured_at("vaporization_enthalpy", canonical, temperature) if canonical else None,
        alarms=tuple(part.alarm for parts in runs for part in parts if part.alarm),
        remarks=(*((phase.remark,) if phase.remark else ()), *trust_remarks(density, "density")),
    )


def _vaporization(gas: WindowSamples, liquid: Estimate, temperature: float, work: float) -> Estimate:
    """Molar enthalpy of vaporization: ``liquid`` is the energy of a molecule there, ``work`` its pV, both [kJ/mol]."""
    alone = series_estimate(potential_energies(gas))
    return Estimate(
        value=alone.value - liquid.value + GAS_CONSTANT * temperature - work,
        standard_error=math.hypot(alone.standard_error, liquid.standard_error),
        n_effective=min(alone.n_effective, liquid.n_effective),
        provenance="energy of a molecule alone, less that in the liquid, plus RT - pV",
    )


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(
        value=estimate.value * factor,
        standard_error=estimate.standard_error * abs(factor),
        n_effective=estimate.n_effective,
        provenance=estimate.provenance,
    )


def reweighted_density(
    pooled: PooledSamples,
    mass: float,
    theta: Mapping[Pair, float] | None = None,
    *,
    temperature: float | None = None,
    pressure: float | None = None,
    min_effective: float = MIN_EFFECTIVE,
    error: bool = True,
) -> ReweightedValue:
    """Density [kg/m³] at other ε, temperature or pressure than those of the runs, with its gradient.

    Parameters
    ----------
    pooled : PooledSamples
        Runs of one liquid at constant pressure.
    mass : float
        Real mass of the box [u], see :func:`box_mass`.
    theta : mapping of pair to float, optional
        ε [kJ/mol]; pairs not given keep the values of the last run.
    temperature, pressure : float, optional
        [K], [bar]
    min_effective : float
        Refuse with fewer effective samples.
    error : bool
        Also compute bootstrap errors.

    Raises
    ------
    SamplingError
        Too few effective samples.
    """

    def density(frames: PairSums) -> FloatArray:
        return mass * U_NM3_TO_KG_M3 / frames.volume

    return pooled.average(
        density, theta, temperature=temperature, pressure=pressure, min_effective=min_effective, error=error
    )
