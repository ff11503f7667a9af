"""What a campaign's ``[checks]`` found, as rows and lines for its reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from topdown.calibration.dynamics import DiffusionCheck
from topdown.calibration.mixtures import MixtureCheck
from topdown.model.measurement import Estimate
from topdown.properties.mixing import LEAST_GAMMA, Mixing

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
            "not known" if c.measured is None else f"{c.measured:.3g} ± {c.uncertainty:.2g}",
            _number(c.speed_up),
            "; ".join(_remarks(c)),
        )
        for c in checks
    ]


def _remarks(c: DiffusionCheck) -> list[str]:
    remarks = [c.reason] if c.reason else []
    if c.group_speed_up is not None:
        remarks.append(f"{_number(c.group_speed_up)} against the centre of {c.n_real} independent molecules")
    if c.how not in ("", "measured"):
        remarks.append(c.how)
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
        | {
            "unit": "1e-9 m2/s",
            "speed_up": None if c.speed_up is None else asdict(c.speed_up),
            "group_speed_up": None if c.group_speed_up is None else asdict(c.group_speed_up),
        }
        for c in checks
    ]


def mixture_rows(checks: Sequence[MixtureCheck]) -> list[tuple[str, ...]]:
    """One row for each pair of liquids."""
    return [
        (
            f"{c.solute} in {c.solvent}",
            f"{c.temperature:g}",
            "–" if c.after is None else _plain(c.after.delta_g),
            *(_gamma(c, found) for found in (c.before, c.after)),
            *(_solubility(found) for found in (c.before, c.after)),
            "not known" if c.measured is None else f"{c.measured:.2f} ± {c.uncertainty:.2f}",
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
        (c.before.log10_c.value - c.measured, c.after.log10_c.value - c.measured)
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
            "measured_log10_mol_L": c.measured,
            "uncertainty_log10_mol_L": c.uncertainty,
            "reference": c.reference,
            "remarks": list(c.remarks),
        }
        for c in checks
    ]


def _both(check: MixtureCheck) -> tuple[tuple[str, Mixing | None], ...]:
    return (("before", check.before), ("after", check.after))


def _data(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)
