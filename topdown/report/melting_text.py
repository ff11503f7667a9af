"""A melting point as a few lines of text."""

from __future__ import annotations

from itertools import groupby
from statistics import fmean
from typing import Any

from topdown.properties.melting import MeltingPoint
from topdown.report.liquid_text import rounded


def melting_lines(liquid: str, result: Any) -> tuple[str, ...]:
    """Melting point, and how fast the crystal grew at every temperature.

    Parameters
    ----------
    liquid : str
    result : MeltingResult
    """
    point: MeltingPoint = result.point
    several = f" for {result.n_real} molecules" if result.n_real > 1 else ""
    lines = [
        f"{liquid}  crystal beside melt",
        f"  model                   {result.model}{several}",
        f"  melting point           {rounded(point.temperature, 'K')}",
    ]
    by_temperature = sorted(point.rates, key=lambda rate: rate.temperature)
    for temperature, group in groupby(by_temperature, key=lambda rate: rate.temperature):
        rates = list(group)
        speeds = ", ".join(f"{rate.speed:+.1f}" for rate in rates)
        what = "grows" if fmean(rate.speed for rate in rates) > 0.0 else "melts"
        lines.append(f"  {temperature:7.1f} K  {what}     {speeds} m/s")
    return tuple(lines)
