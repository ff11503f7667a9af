"""A free energy of transfer as a few lines of text."""

from __future__ import annotations

from topdown.properties.transfer import TransferResult
from topdown.report.counts import counted


def transfer_lines(name: str, model: str, result: TransferResult) -> tuple[str, ...]:
    """Both free energies of solvation, their difference, log P, the measured value and the remarks.

    Parameters
    ----------
    name : str
        What the molecule is called.
    model : str
        Bead table, and how the molecule is represented in it.
    result : TransferResult
    """
    lines = [
        f"{name}  {result.from_phase} → {result.to_phase} at {result.temperature:g} K",
        f"  model       {model}",
    ]
    for leg in result.legs:
        sampled = f"{leg.n_solvent} solvent molecules, {counted(leg.n_windows, 'window')}, overlap {leg.overlap:.2f}, "
        lines.append(
            f"  ΔG(gas → {leg.phase})".ljust(26)
            + f"{leg.delta_g.value:8.2f} ± {leg.delta_g.standard_error:.2f} kJ/mol   "
            f"{sampled if leg.n_windows else ''}{leg.delta_g.n_effective:.0f} effective samples"
        )
    lines.append(
        "  ΔG transfer".ljust(26) + f"{result.delta_g.value:8.2f} ± {result.delta_g.standard_error:.2f} kJ/mol"
    )
    lines.append("  log P".ljust(26) + f"{result.log_p:8.2f} ± {result.log_p_error:.2f}")
    measured = result.experiment
    if measured is None:
        lines.append("  measured".ljust(26) + "    none known")
    else:
        suspect = f"; suspect: {measured.flag}" if measured.flag else ""
        lines.append(
            "  measured ΔG".ljust(26)
            + f"{measured.value:8.2f} ± {measured.uncertainty:.2f} kJ/mol   ({measured.reference}{suspect})"
        )
    lines += [f"  note: {remark}" for remark in result.remarks]
    return tuple(lines)
