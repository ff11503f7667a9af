"""Figures of a bilayer: density profiles, order of bonds, area and thickness in time. They need matplotlib."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from topdown.properties.membrane import PROFILE_BIN
from topdown.properties.membrane_averages import MembraneStructure
from topdown.properties.membrane_structure import StructureSeries
from topdown.report.coupling_plots import require_matplotlib


def _figure(width: float, height: float) -> Any:
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def profile_figure(series: StructureSeries, structure: MembraneStructure) -> bytes:
    """Number density of every group along the normal, with one standard error as a band, as far as the lowest box reaches."""
    figure = _figure(8.0, 5.0)
    axis = figure.subplots()
    rows = np.abs(structure.z) + 0.5 * PROFILE_BIN <= 0.5 * series.basic.box[:, 2].min()
    z = structure.z[rows]
    for name, profile in structure.profiles.items():
        density, error = profile.density[rows], profile.standard_error[rows]
        line = axis.plot(z, density, label=plain(name), linewidth=1.6)[0]
        axis.fill_between(z, density - error, density + error, color=line.get_color(), alpha=0.25, linewidth=0)
    half = structure.d_hh.value / 2
    for side in (-half, half):
        axis.axvline(side, color="0.6", linewidth=0.8, linestyle=":")
    axis.set_xlabel("distance from the middle plane [nm]")
    axis.set_ylabel("number density [nm⁻³]")
    axis.set_ylim(bottom=0.0)
    axis.set_title(f"$D_{{HH}}$ = {structure.d_hh.value:.2f} ± {structure.d_hh.standard_error:.2f} nm")
    axis.legend(frameon=False, ncols=2)
    return _png(figure)


def order_figure(structure: MembraneStructure) -> bytes:
    """P2 of every bond with its error, one row per species of lipid."""
    figure = _figure(8.0, 3.2 * len(structure.lipids))
    axes = figure.subplots(len(structure.lipids), 1, squeeze=False)[:, 0]
    for axis, lipid in zip(axes, structure.lipids):
        values = [order.value for _, order in lipid.order]
        errors = [order.standard_error for _, order in lipid.order]
        axis.errorbar(range(len(values)), values, yerr=errors, marker="o", markersize=5, capsize=3, linestyle="none")
        axis.set_xticks(range(len(values)), [plain(bond) for bond, _ in lipid.order], rotation=60, fontsize=8)
        axis.axhline(0.0, color="0.7", linewidth=0.8)
        axis.set_ylim(-0.55, 1.05)
        axis.set_ylabel("order P2")
        axis.set_title(plain(lipid.name))
    return _png(figure)


def time_figure(series: StructureSeries, structure: MembraneStructure) -> bytes:
    """Area per lipid and height of the heads in time; what was left out of the averages is grey."""
    figure = _figure(8.0, 5.0)
    above, below = figure.subplots(2, 1, sharex=True)
    time = series.basic.time / 1000.0
    n_lipids = series.counts[0].sum()
    area = series.basic.box[:, 0] * series.basic.box[:, 1] / (n_lipids / 2)
    above.plot(time, area, linewidth=0.9)
    value, error = structure.area_per_lipid.value, structure.area_per_lipid.standard_error
    above.axhspan(value - error, value + error, color="tab:orange", alpha=0.4, label="mean with its standard error")
    above.legend(frameon=False, loc="upper left")
    above.set_ylabel("area per lipid [nm²]")
    above.set_title(f"area per lipid {value:.3f} ± {error:.3f} nm²")
    below.plot(time, series.head_height, linewidth=0.9, color="tab:green")
    below.set_ylabel("mean height of heads [nm]")
    below.set_xlabel("time [ns]")
    if structure.left_out_ps > 0:
        for axis in (above, below):
            axis.axvspan(time[0], structure.first_ps / 1000.0, color="0.9", zorder=0)
    return _png(figure)
