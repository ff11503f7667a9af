"""Densities and surface tensions as a few lines of text."""

from __future__ import annotations

import math
from typing import Any

from topdown.model import Estimate
from topdown.properties.density import DensityResult
from topdown.properties.measurements import MeasuredValue
from topdown.properties.surface_tension import SurfaceTensionResult
from topdown.report.counts import counted

_INDENT = 26


def _row(label: str, text: str) -> str:
    return f"  {label}".ljust(_INDENT) + text


def rounded(estimate: Estimate, unit: str) -> str:
    """Value and standard error to two digits of the error: ``769.43 ± 0.24 kg/m³``."""
    error = estimate.standard_error
    decimals = 3 if not 0.0 < error < math.inf else min(max(1 - math.floor(math.log10(error)), 0), 6)
    return f"{estimate.value:.{decimals}f} ± {error:.{decimals}f} {unit}"


def _measured(experiment: MeasuredValue | None, unit: str, z: float | None, label: str = "measured") -> str:
    if experiment is None:
        return _row(label, "none known")
    how = "" if experiment.how == "measured" else f", {experiment.how}"
    suspect = f"; suspect: {experiment.flag}" if experiment.flag else ""
    return _row(
        label,
        f"{experiment.value:g} ± {experiment.uncertainty:g} {unit} at {experiment.temperature:g} K{how}"
        f"{'' if z is None else f'   z {z:+.1f}'}   ({experiment.reference}{suspect})",
    )


def _models(result: DensityResult | SurfaceTensionResult) -> list[str]:
    lines = []
    for component, (molecule, count) in zip(result.phase.components, result.components, strict=True):
        share = f"mole fraction {component.fraction:.3g}, " if len(result.components) > 1 else ""
        several = f" for {component.model.n_real} molecules" if component.model.n_real > 1 else ""
        lines.append(
            _row(
                "model",
                f"{component.model.origin}; {share}{count} in the box, {molecule.molar_mass:g} g/mol{several}",
            )
        )
    return lines


def density_lines(liquid: str, result: DensityResult) -> tuple[str, ...]:
    """What a reader wants to know of a density, one fact a line."""
    lines = [f"{liquid}  at {result.temperature:g} K and {result.pressure:g} bar", *_models(result)]
    lines.append(_row("density", rounded(result.density, "kg/m³")))
    lines.append(_measured(result.experiment, "kg/m³", result.z_score))
    lines.append(_row("molar volume", rounded(result.molar_volume, "cm³/mol")))
    lines.append(_row("energy per model", rounded(result.energy, "kJ/mol")))
    if result.vaporization_enthalpy is not None:
        lines.append(_row("ΔH of vaporisation", rounded(result.vaporization_enthalpy, "kJ/mol (from energies)")))
    if result.vaporization_experiment is not None:
        # Not to be judged by: the energy of a coarse-grained model is a free energy.
        lines.append(_measured(result.vaporization_experiment, "kJ/mol", None, "ΔH measured"))
    lines.append(_row("sampled", _sampled(result, result.density)))
    return (*lines, *_notes(result))


def surface_tension_lines(liquid: str, result: SurfaceTensionResult) -> tuple[str, ...]:
    """What a reader wants to know of a surface tension, one fact a line."""
    profile = result.profile
    lines = [
        f"{liquid}  slab in {result.width:g} x {result.width:g} x {result.height:g} nm at {result.temperature:g} K",
        *_models(result),
        _row("γ, pressure tensor", rounded(result.pressure_tensor, "mN/m")),
        _row("γ, test area", f"{rounded(result.test_area, 'mN/m')}   difference z {result.method_z:+.1f}"),
        _measured(result.experiment, "mN/m", result.z_score),
        _row("liquid, vapour", f"{rounded(profile.liquid, 'kg/m³')}, {rounded(profile.vapour, 'kg/m³')}"),
        _row("interface", f"{rounded(profile.width, 'nm')} wide, slab {2 * profile.half_thickness.value:.2f} nm thick"),
        _row("sampled", _sampled(result, result.pressure_tensor)),
    ]
    return (*lines, *_notes(result))


def _sampled(result: Any, estimate: Estimate) -> str:
    return f"{result.nanoseconds:.3g} ns in {counted(len(result.runs), 'run')}, {estimate.n_effective:.0f} effective samples"


def _notes(result: DensityResult | SurfaceTensionResult) -> list[str]:
    return [f"  alarm: {text}" for text in result.alarms] + [f"  note: {text}" for text in result.remarks]
