"""What a campaign's ``[checks]`` found, as rows and lines for its reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from topdown.calibration.bilayers import BilayerCheck, BilayerState
from topdown.calibration.dynamics import DiffusionCheck
from topdown.calibration.mixtures import MixtureCheck
from topdown.calibration.result import CalibrationResult
from topdown.model.measurement import Estimate
from topdown.properties.measurements import MeasuredValue
from topdown.properties.mixing import LEAST_GAMMA, Mixing
from topdown.report.calibration_melting import MELTING_HEADER, MELTING_NOTE, melting_line, melting_rows

#: Of :func:`diffusion_rows`.
DIFFUSION_HEADER = (
    "self-diffusion [1e-9 m2/s]",
    "T [K]",
    "in the box",
    "viscosity [mPa s]",
    "corrected",
    "measured",
    "model/measured",
    "remark",
)
#: Under the table.
DIFFUSION_NOTE = (
    "Molecules of a coarse model move at another pace than real ones, each liquid by its own factor. Times in this report are "
    "simulated times: none is divided by a factor."
)

#: Of :func:`mixture_rows`.
MIXTURE_HEADER = (
    "solute in solvent",
    "T [K]",
    "ΔG pure → solvent [kJ/mol]",
    "ln γ∞ before",
    "after",
    "solubility [log10 mol/l] before",
    "after",
    "measured",
    "remark",
)
#: Under that table.
MIXTURE_NOTE = (
    "γ∞ from solvation in the solvent and in itself, mole fractions of real molecules; solubility 1/γ∞, where that is small, the "
    "solvent taken up by the solute neglected."
)

#: Of :func:`bilayer_rows`.
BILAYER_HEADER = (
    "bilayer of",
    "T [K]",
    "lipids",
    "ns",
    "area per lipid [nm2] before",
    "after",
    "measured",
    "head to head [nm] before",
    "after",
    "remark",
)
#: Under that table.
BILAYER_NOTE = (
    "Areas are of bilayers free of tension in water without salt, with the start table and with the new one; nothing was fitted "
    "to them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTable:
    """What one kind of check found.

    Attributes
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
    summary, note : str
        A line that sums it up, and one that says how to read it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    summary: str
    note: str


def check_tables(result: CalibrationResult) -> tuple[CheckTable, ...]:
    """A table for each kind of check that a campaign has."""
    moving, mixed, areas, molten = result.diffusion, result.mixtures, result.bilayers, result.melting_points
    kinds = (
        ("Self-diffusion", DIFFUSION_HEADER, diffusion_rows(moving), speed_up_line(moving), DIFFUSION_NOTE),
        ("Mixtures", MIXTURE_HEADER, mixture_rows(mixed), mixture_line(mixed), MIXTURE_NOTE),
        ("Bilayers", BILAYER_HEADER, bilayer_rows(areas), bilayer_line(areas), BILAYER_NOTE),
        ("Melting points", MELTING_HEADER, melting_rows(molten), melting_line(molten), MELTING_NOTE),
    )
    return tuple(
        CheckTable(title=title, header=header, rows=tuple(rows), summary=summary, note=note)
        for title, header, rows, summary, note in kinds
        if rows
    )


def _number(found: Estimate | None, digits: int = 3) -> str:
    if found is None:
        return "–"
    return (
        f"{found.value:.{digits}g} ± {found.standard_error:.2g}"
        if found.standard_error
        else f"{found.value:.3g} (given)"
    )


def diffusion_rows(checks: Sequence[DiffusionCheck]) -> list[tuple[str, ...]]:
    """One row for each liquid."""
    return [
        (
            c.liquid,
            f"{c.temperature:g}",
            _number(c.in_box),
            _number(c.viscosity),
            _number(c.infinite),
            "not known" if c.measured is None else f"{c.measured.value:.3g} ± {c.measured.uncertainty:.2g}",
            _number(c.speed_up),
            "; ".join(_remarks(c)),
        )
        for c in checks
    ]


def _remarks(c: DiffusionCheck) -> list[str]:
    remarks = [c.reason] if c.reason else []
    if c.group_speed_up is not None:
        remarks.append(f"{_number(c.group_speed_up)} against the centre of {c.n_real} independent molecules")
    if c.measured is not None and c.measured.how != "measured":
        remarks.append(c.measured.how)
    return remarks


def speed_up_line(checks: Sequence[DiffusionCheck]) -> str:
    """Between which factors the liquids are too fast."""
    found = [(c.speed_up.value, c.liquid) for c in checks if c.speed_up is not None]
    if not found:
        return "self-diffusion: no liquid has both a simulated and a measured value"
    (low, slow), (high, fast) = min(found), max(found)
    if len(found) == 1:
        return f"self-diffusion: {fast} moves {high:.2g} times as fast as measured"
    return (
        f"self-diffusion: {len(found)} liquids move {low:.2g} ({slow}) to {high:.2g} ({fast}) times as fast as measured; no one "
        "factor serves all"
    )


def diffusion_json(checks: Sequence[DiffusionCheck]) -> list[dict[str, Any]]:
    """The checks as plain data, with the factors that follow from them."""
    return [
        asdict(c)
        | _measured_data(c.measured)
        | {
            "unit": "1e-9 m2/s",
            "speed_up": None if c.speed_up is None else asdict(c.speed_up),
            "group_speed_up": None if c.group_speed_up is None else asdict(c.group_speed_up),
        }
        for c in checks
    ]


def _measured_data(found: MeasuredValue | None) -> dict[str, Any]:
    """A measured value as plain data, null where nothing is known."""
    if found is None:
        return {"measured": None, "uncertainty": None, "how": "", "reference": ""}
    return {
        "measured": found.value,
        "uncertainty": found.uncertainty,
        "how": found.how,
        "reference": found.reference,
    }


def mixture_rows(checks: Sequence[MixtureCheck]) -> list[tuple[str, ...]]:
    """One row for each pair of liquids."""
    return [
        (
            f"{c.solute} in {c.solvent}",
            f"{c.temperature:g}",
            "–" if c.after is None else _plain(c.after.delta_g),
            *(_gamma(c, found) for found in (c.before, c.after)),
            *(_solubility(found) for found in (c.before, c.after)),
            "not known" if c.measured is None else f"{c.measured.value:.2f} ± {c.measured.uncertainty:.2f}",
            "; ".join(c.remarks),
        )
        for c in checks
    ]


def _plain(found: Estimate) -> str:
    return f"{found.value:.2f} ± {found.standard_error:.2f}"


def _gamma(check: MixtureCheck, found: Mixing | None) -> str:
    return "–" if found is None or check.n_real > 1 else _plain(found.ln_gamma)


def _solubility(found: Mixing | None) -> str:
    if found is None:
        return "–"
    return _plain(found.log10_c) if found.is_dilute else "large"


def mixture_line(checks: Sequence[MixtureCheck]) -> str:
    """How far the solubilities are from the measured ones, with both tables, over pairs that have them with both."""
    pairs = [
        (c.before.log10_c.value - c.measured.value, c.after.log10_c.value - c.measured.value)
        for c in checks
        if c.measured is not None and c.before and c.after and c.before.is_dilute and c.after.is_dilute
    ]
    if not pairs:
        return f"mixtures: none of {len(checks)} pairs of liquids has both a calculated and a measured solubility"
    before, after = (math.sqrt(sum(d[k] ** 2 for d in pairs) / len(pairs)) for k in (0, 1))
    return (
        f"mixtures: solubilities of {len(pairs)} of {len(checks)} pairs of liquids are off by {before:.2f} log units before and "
        f"{after:.2f} after (root mean square)"
    )


def mixture_json(checks: Sequence[MixtureCheck]) -> list[dict[str, Any]]:
    """The checks as plain data; ``solubility_*`` is null where the liquids mix in large parts."""
    return [
        {
            "solute": c.solute,
            "solvent": c.solvent,
            "temperature_K": c.temperature,
            "n_real": c.n_real,
            "least_gamma": LEAST_GAMMA,
            **{f"delta_g_{when}_kJ_mol": _data(m.delta_g if m else None) for when, m in _both(c)},
            **{f"ln_gamma_{when}": _data(m.ln_gamma if m and c.n_real == 1 else None) for when, m in _both(c)},
            **{
                f"solubility_{when}_log10_mol_L": _data(m.log10_c if m and m.is_dilute else None)
                for when, m in _both(c)
            },
            "measured_log10_mol_L": None if c.measured is None else c.measured.value,
            "uncertainty_log10_mol_L": None if c.measured is None else c.measured.uncertainty,
            "reference": "" if c.measured is None else c.measured.reference,
            "remarks": list(c.remarks),
        }
        for c in checks
    ]


def bilayer_rows(checks: Sequence[BilayerCheck]) -> list[tuple[str, ...]]:
    """One row for each bilayer."""
    return [
        (
            c.lipid,
            f"{c.temperature:g}",
            f"{c.n_lipids}",
            f"{c.nanoseconds:g}",
            *("–" if s is None else f"{s.area.value:.3f} ± {s.area.standard_error:.3f}" for s in (c.before, c.after)),
            f"{c.measured.value:.3f} ± {c.measured.uncertainty:.3f}",
            *("–" if s is None else _plain(s.thickness) for s in (c.before, c.after)),
            "; ".join(c.remarks),
        )
        for c in checks
    ]


def bilayer_line(checks: Sequence[BilayerCheck]) -> str:
    """How far the areas are from the measured ones, with both tables, over bilayers that have them with both."""
    found = [
        (c.before.area.value - c.measured.value, c.after.area.value - c.measured.value)
        for c in checks
        if c.before is not None and c.after is not None
    ]
    if not found:
        return f"bilayers: none of {len(checks)} has an area with both tables"
    before, after = (math.sqrt(sum(d[k] ** 2 for d in found) / len(found)) for k in (0, 1))
    return (
        f"bilayers: areas per lipid of {len(found)} of {len(checks)} are off by {before:.3f} nm2 before and {after:.3f} nm2 "
        "after (root mean square)"
    )


def bilayer_json(checks: Sequence[BilayerCheck]) -> list[dict[str, Any]]:
    """The checks as plain data."""
    return [
        {
            "lipid": c.lipid,
            "temperature_K": c.temperature,
            "n_lipids": c.n_lipids,
            "simulated_ns": c.nanoseconds,
            "before": _bilayer_data(c.before),
            "after": _bilayer_data(c.after),
            "measured_area_per_lipid_nm2": c.measured.value,
            "uncertainty_nm2": c.measured.uncertainty,
            "measured_how": c.measured.how,
            "reference": c.measured.reference,
            "one_run": c.same,
            "remarks": list(c.remarks),
        }
        for c in checks
    ]


def _bilayer_data(state: BilayerState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "area_per_lipid_nm2": asdict(state.area),
        "thickness_nm": asdict(state.thickness),
        "left_out": state.left_out,
        "relaxation": state.steadiness.as_json(),
        "intact": not state.problems,
    }


def _both(check: MixtureCheck) -> tuple[tuple[str, Mixing | None], ...]:
    return (("before", check.before), ("after", check.after))


def _data(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)
