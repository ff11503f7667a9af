"""The analysis of a bilayer as a few lines of text."""

from __future__ import annotations

from topdown.model import Estimate
from topdown.properties.membrane_averages import MembraneStructure
from topdown.report.counts import counted
from topdown.report.membrane_text import estimate_text


def _maybe(estimate: Estimate | None, unit: str) -> str:
    return "–" if estimate is None else estimate_text(estimate, unit)


def _order(lipid_order: tuple[tuple[str, Estimate], ...]) -> str:
    return "  ".join(f"{bond} {order.value:.2f}±{order.standard_error:.2f}" for bond, order in lipid_order)


def analysis_lines(structure: MembraneStructure) -> tuple[str, ...]:
    """What a reader wants to know, one fact a line."""
    lines = [
        f"averaged over    {structure.n_frames} frames, {structure.first_ps / 1000:.3g} to {structure.last_ps / 1000:.3g} ns; "
        f"{structure.left_out_ps / 1000:.3g} ns before were left out",
        f"area per lipid   {estimate_text(structure.area_per_lipid, 'nm²')}"
        f"  (upper leaflet {estimate_text(structure.area_upper, 'nm²')}, lower {estimate_text(structure.area_lower, 'nm²')})",
        f"thickness D_HH   {estimate_text(structure.d_hh, 'nm')}",
        f"thickness D_B    {_maybe(structure.d_b, 'nm')}",
        f"thickness 2D_C   {_maybe(structure.d_c, 'nm')}",
    ]
    for lipid in structure.lipids:
        lines.append(f"{lipid.name:<16} {lipid.upper:.4g} in the upper leaflet, {lipid.lower:.4g} in the lower")
        if len(structure.lipids) > 1:
            lines.append(
                f"  Voronoi area   {_maybe(lipid.cell_area_upper, 'nm²')} upper, {_maybe(lipid.cell_area_lower, 'nm²')} lower"
            )
        lines.append(f"  order P2       {_order(lipid.order)}")
        if lipid.diffusion is not None:
            found = lipid.diffusion
            lines.append(
                f"  diffusion      {found.coefficient.value:.3g} ± {found.coefficient.standard_error:.2g} µm²/s in a box of "
                f"{found.edge:.3g} nm, not corrected for its size"
            )
    for solute in structure.solutes:
        text = f"{solute.name:<16} {counted(solute.n_copies, 'copy', 'copies')} at |z| = {estimate_text(solute.depth, 'nm')}"
        if solute.axis_order is not None:
            text += f", long axis P2 {solute.axis_order.value:.2f} ± {solute.axis_order.standard_error:.2f}"
        if solute.outward is not None:
            text += f", polar end outward cos {solute.outward.value:.2f} ± {solute.outward.standard_error:.2f}"
        lines.append(text)
    lines += [f"note             {note}" for note in structure.notes]
    lines.append("bilayer          " + ("; ".join(structure.problems) or "intact"))
    return tuple(lines)
