"""The free-energy profile of a molecule across a bilayer as a figure, over the densities of lipids and water."""

from __future__ import annotations

import io

import numpy as np

from topdown.properties.membrane_profile import PartitionProfile
from topdown.properties.membrane_umbrella import ProfileSamples
from topdown.report.coupling_plots import require_matplotlib
from topdown.report.membrane_plots import plain
from topdown.sampling.umbrella import DENSITY_BIN, DENSITY_REACH


def partition_figure(found: PartitionProfile, samples: ProfileSamples, *, title: str = "") -> bytes:
    """A PNG: ΔG(z) with its error as a band, mirrored thinly for the other leaflet, d, and the densities below."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.5, 1.0))
    z, value, error = found.profile.z, found.profile.delta_g, found.standard_error
    above.fill_between(z, value - error, value + error, color="tab:blue", alpha=0.3, linewidth=0)
    above.plot(z, value, color="tab:blue", linewidth=1.6)
    above.plot(-z, value, color="tab:blue", linewidth=0.7, linestyle=":", label="mirrored")
    above.axhline(0.0, color="0.7", linewidth=0.8)
    for side in (-found.depth, found.depth):
        above.axvline(side, color="0.6", linewidth=0.8, linestyle="--")
    above.set_ylabel("ΔG [kJ/mol]")
    text = f"log $K_V$ = {found.log_k_v.value:.2f} ± {found.log_k_v.standard_error:.2f}, d = {found.depth:.2f} nm"
    above.set_title(f"{plain(title)}\n{text}" if title else text)
    above.legend(frameon=False)
    places = (np.arange(len(samples.densities["lipids"])) + 0.5) * DENSITY_BIN - DENSITY_REACH
    shown = np.abs(places) <= float(np.abs(z).max()) + 0.05
    for name, density in samples.densities.items():
        below.plot(places[shown], density[shown], label=name)
    below.set_xlabel("distance from the middle plane [nm]")
    below.set_ylabel("beads/nm³")
    below.set_ylim(bottom=0.0)
    below.legend(frameon=False, ncols=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
