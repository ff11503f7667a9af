"""Targets whose values at any ε are known in closed form, their statistical errors drawn once: calibration without simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topdown.calibration.targets import CalculatedValue, TransferTarget
from topdown.model import Bead, CGMolecule

Pair = tuple[str, str]
SOLVENTS = {"water": "W", "hexadecane": "O", "dodecane": "O2", "octanol": "A"}
FAMILIES = {"hexadecane": "alkane", "dodecane": "alkane", "octanol": "alcohol", "water": "water"}


def molecule(name: str, *types: str) -> CGMolecule:
    beads = tuple(Bead(name=f"B{i}", bead_type=t) for i, t in enumerate(types))
    return CGMolecule(name=name, beads=beads, canonical_smiles=name)


def leg(types: tuple[str, ...], phase: str, theta: Mapping[Pair, float]) -> tuple[float, dict[Pair, float]]:
    """ΔG of solvation and its derivatives: each bead takes -4 ε + 0.1 ε² in its phase."""
    value, slopes = 0.0, {}
    for t in types:
        pair = tuple(sorted((t, SOLVENTS[phase])))
        e = theta[pair]
        value += -4.0 * e + 0.1 * e * e
        slopes[pair] = slopes.get(pair, 0.0) - 4.0 + 0.2 * e
    return value, slopes


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalyticTransfer(TransferTarget):
    """A transfer free energy with the exact value plus a fixed error of each leg."""

    errors: Mapping[str, tuple[float, float]]  # system: (standard error, error)

    def calculate(self, samples, theta, pairs, *, min_effective, error):  # type: ignore[no-untyped-def]
        value, gradient, legs = 0.0, np.zeros(len(pairs)), []
        for system, phase, sign in zip(self.systems, (self.origin, self.destination), (-1.0, 1.0)):
            found, slopes = leg(self.molecule.type_names, phase, {**BASE, **theta})
            spread, shift = self.errors[system]
            value += sign * (found + shift)
            gradient += sign * np.array([slopes.get(pair, 0.0) for pair in pairs])
            legs.append((system, sign, spread))
        return CalculatedValue(
            value=value,
            standard_error=float(np.hypot(legs[0][2], legs[1][2])),
            gradient=gradient,
            n_effective=1000.0,
            legs=tuple(legs),
        )


TYPES = ("C", "N", "P")
BASE: dict[Pair, float] = {tuple(sorted((t, s))): 3.0 for t in (*TYPES, "Z") for s in SOLVENTS.values()}  # type: ignore[misc]


def transfer(
    solute: CGMolecule,
    destination: str,
    truth: Mapping[Pair, float],
    *,
    uncertainty: float = 0.5,
    noise: float = 0.0,
    errors: Mapping[str, tuple[float, float]] | None = None,
    learn: bool = False,
    model_error: float = 0.0,
    chemotype: str = "",
) -> AnalyticTransfer:
    """Water → ``destination``, measured value: the truth plus ``noise``."""
    systems = [f"{solute.name} in {phase}" for phase in ("water", destination)]
    exact = leg(solute.type_names, destination, truth)[0] - leg(solute.type_names, "water", truth)[0]
    return AnalyticTransfer(
        molecule=solute,
        origin="water",
        destination=destination,
        origin_system=systems[0],
        destination_system=systems[1],
        origin_family="water",
        destination_family=FAMILIES[destination],
        measured=exact + noise,
        uncertainty=uncertainty,
        model_error=model_error,
        learn_model_error=learn,
        split="calibration",
        chemotype=chemotype,
        errors=errors or dict.fromkeys(systems, (0.0, 0.0)),
    )
