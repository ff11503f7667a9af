"""A partition profile as a few lines of text."""

from __future__ import annotations

from topdown.model import Estimate
from topdown.properties.membrane_profile import PartitionProfile


def _value(estimate: Estimate, unit: str = "", digits: int = 2) -> str:
    return f"{estimate.value:.{digits}f} ± {estimate.standard_error:.{digits}f} {unit}".rstrip()


def profile_lines(found: PartitionProfile) -> tuple[str, ...]:
    """What a reader wants to know, one fact a line."""
    lines = [
        f"log K_V          {_value(found.log_k_v)}  (membrane over water by volume, |z| up to d = {found.depth:.2f} nm)",
    ]
    if found.log_k_m is not None:
        lines.append(
            f"log K_m          {_value(found.log_k_m)}  (L of water per kg of lipid: K_V d A N_A/M, "
            f"A = {found.area_per_lipid.value:.3f} nm²)"
        )
    lines += [
        f"ΔG minimum       {_value(found.delta_g_minimum, 'kJ/mol')} at |z| = {abs(found.minimum):.2f} nm",
        f"ΔG middle plane  {_value(found.delta_g_centre, 'kJ/mol')}",
    ]
    for c in found.comparisons:
        verdict = "agree" if c.agrees else "DISAGREE"
        lines.append(
            f"check            {c.names[0]} and {c.names[1]} {verdict}: log K_V {c.log_k[0]:.2f} and {c.log_k[1]:.2f} "
            f"(± {c.standard_error:.2f}), profiles differ by {c.rms:.1f} kJ/mol rms"
        )
    lines.append(
        f"sampling         {found.n_frames} frames, {found.n_effective:.0f} effective, weakest overlap of windows "
        f"{found.overlap:.2f}"
    )
    lines += [f"note             {remark}" for remark in found.remarks]
    return tuple(lines)
