"""The figures of a calibration by name, for those who want them as files of their own."""

from __future__ import annotations

from collections.abc import Mapping

from topdown.calibration.result import CalibrationResult, TargetResult
from topdown.errors import TopdownError
from topdown.model import CGMolecule
from topdown.report.calibration_plots import (
    chemistry_svg,
    effective_svg,
    matrix_svg,
    overlap_svg,
    parity_svg,
    sensitivity_svg,
)
from topdown.report.mapping_png import mapping_png
from topdown.report.svg_png import svg_png

#: Molecules drawn with their beads.
WORST = 6


def figures(result: CalibrationResult, least: float) -> dict[str, str]:
    """SVG of every plot by a name fit for a file; plots without anything on them are left out.

    Parameters
    ----------
    result : CalibrationResult
    least : float
        Effective samples the campaign asks for.
    """
    found: dict[str, str] = {}
    for quantity in dict.fromkeys(t.quantity for t in result.targets):
        chosen = [t for t in result.targets if t.quantity == quantity]
        for name, unseen in (("fitted", False), ("unseen", True)):
            found[f"parity_{quantity}_{name}"] = parity_svg(chosen, unseen=unseen)
    found |= {
        "matrix": matrix_svg(result.epsilons),
        "residuals_by_chemistry": chemistry_svg(result.targets),
        "sensitivities": sensitivity_svg(result),
        "effective_samples": effective_svg(result, least),
        **{f"overlap_{k}": overlap_svg(o) for k, o in enumerate(result.overlaps, start=1)},
    }
    return {name: text for name, text in found.items() if text.startswith("<svg")}


def total_error(t: TargetResult) -> float:
    """What a miss is measured in: errors of the measured value, of the model, and of the simulation."""
    return float((t.uncertainty**2 + t.model_error**2 + t.after.standard_error**2) ** 0.5)


def unseen_value(t: TargetResult) -> float:
    """As calculated by a fit that had not seen it, where there is one."""
    return t.after.value if t.left_out is None else t.left_out


def worst_targets(result: CalibrationResult, molecules: Mapping[str, CGMolecule]) -> list[TargetResult]:
    """The targets that fits without their molecule miss most, in their total errors; one for each molecule."""
    ranked = sorted(result.targets, key=lambda t: -abs(unseen_value(t) - t.measured) / total_error(t))
    chosen: dict[str, TargetResult] = {}
    for t in ranked:
        if t.label in molecules:
            chosen.setdefault(t.molecule_key, t)
    return list(chosen.values())[:WORST]


def figure_pngs(result: CalibrationResult, molecules: Mapping[str, CGMolecule], least: float) -> dict[str, bytes]:
    """PNG of every figure of the HTML report by file name."""
    found = {f"{name}.png": svg_png(text) for name, text in figures(result, least).items()}
    for k, t in enumerate(worst_targets(result, molecules), start=1):
        try:
            found[f"worst_{k}.png"] = mapping_png(molecules[t.label])
        except TopdownError:
            continue  # a model that has no atoms
    return found
