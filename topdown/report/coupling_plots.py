"""Figures of a coupling free energy: overlap of states, ∂U/∂λ, convergence in time.

They need matplotlib, ``pip install topdown[plot]``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from topdown.errors import SettingsError
from topdown.estimators.coupling import CouplingDiagnostics

#: Overlap below which neighbouring states count as apart (Klimovich, Shirts, Mobley 2015).
_LEAST_OVERLAP = 0.03


def require_matplotlib() -> None:
    """Raise SettingsError where matplotlib is not installed, before any long work."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SettingsError("plots need matplotlib", hint="pip install 'topdown[plot]'") from None


def coupling_figure(legs: Sequence[tuple[str, CouplingDiagnostics]], *, title: str = "") -> bytes:
    """A PNG with one row per leg: overlap matrix, ⟨∂U/∂λ⟩, and ΔG from the first and the last part of the data.

    Parameters
    ----------
    legs : sequence of (str, CouplingDiagnostics)
        Name of the phase, and what its free energy rests on.
    title : str

    Raises
    ------
    SettingsError
        matplotlib is not installed, or there are no legs.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not legs:
        raise SettingsError("there is nothing to plot")
    figure = Figure(figsize=(13.0, 4.2 * len(legs)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(legs), 3, squeeze=False)
    for row, (phase, found) in zip(axes, legs):
        _overlap(row[0], phase, found)
        _slopes(row[1], found)
        _convergence(row[2], found)
    if title:
        figure.suptitle(_plain(title))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _plain(text: str) -> str:
    """Text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _state_names(found: CouplingDiagnostics) -> list[str]:
    return [f"{lam:g}" if q == 0.0 else f"q {q:g}" for lam, q in zip(found.lambdas, found.charge_lambdas)]


def _overlap(axis: Any, phase: str, found: CouplingDiagnostics) -> None:
    n = len(found.lambdas)
    axis.imshow(found.overlap, cmap="Blues", vmin=0.0, vmax=0.6, origin="upper")
    for i in range(n):
        for j in range(n):
            value = found.overlap[i, j]
            if value >= 0.005:
                broken = abs(i - j) == 1 and value < _LEAST_OVERLAP
                colour = "crimson" if broken else "white" if value > 0.35 else "black"
                axis.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    names = _state_names(found)
    axis.set_xticks(range(n), names, rotation=90 if n > 8 else 0)
    axis.set_yticks(range(n), names)
    axis.set_xlabel("λ")
    axis.set_ylabel("λ")
    axis.set_title(f"{_plain(phase)}: overlap of states (red: below {_LEAST_OVERLAP:g})", fontsize="medium")


def _slopes(axis: Any, found: CouplingDiagnostics) -> None:
    x = np.where(found.charge_lambdas > 0.0, 1.0 + found.charge_lambdas, found.lambdas)
    axis.errorbar(x, found.slopes, yerr=found.slope_errors, marker="o", markersize=4, capsize=3, color="tab:blue")
    axis.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    charged = bool(np.any(found.charge_lambdas > 0.0))
    axis.set_xlabel("λ (Lennard-Jones 0 to 1, charges 1 to 2)" if charged else "λ")
    axis.set_ylabel("⟨∂U/∂λ⟩ [kJ/mol]")
    shares = axis.twinx()
    width = 0.6 * min(np.diff(x).min(initial=0.2), 0.08)
    total = max(float(found.variances.sum()), 1e-300)
    shares.bar(x, 100.0 * found.variances / total, width=width, color="tab:orange", alpha=0.35)
    shares.set_ylim(0.0, 100.0)
    shares.set_ylabel("share in the variance [%]", color="tab:orange")
    axis.set_zorder(shares.get_zorder() + 1)
    axis.patch.set_visible(False)
    axis.set_title("slope along the path", fontsize="medium")


def _convergence(axis: Any, found: CouplingDiagnostics) -> None:
    last, error = float(found.forward[-1]), float(found.forward_errors[-1])
    axis.axhspan(last - error, last + error, color="0.9", zorder=0)
    for values, errors, name, colour in (
        (found.forward, found.forward_errors, "first part", "tab:blue"),
        (found.backward, found.backward_errors, "last part", "tab:red"),
    ):
        axis.errorbar(
            found.fractions, values, yerr=errors, marker="o", markersize=4, capsize=3, label=name, color=colour
        )
    axis.set_xlabel("part of the data")
    axis.set_ylabel("ΔG [kJ/mol]")
    axis.legend(frameon=False)
    axis.set_title(f"convergence: {last:.2f} ± {error:.2f} kJ/mol")
