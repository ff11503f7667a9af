"""Limiting activity coefficients and solubilities of liquids from free energies of solvation.

With ΔG*(A in B) the free energy of solvation of A at infinite dilution in B, 1 mol/l in gas and liquid, and V the molar volumes
of the pure liquids,

    p_A = x γ∞ p_A(sat) = c RT exp(ΔG*(A in B)/RT),   c = x/V_B      (Henry)
    p_A(sat) = (RT/V_A) exp(ΔG*(A in A)/RT)                          (A above itself)
    γ∞ = (V_A/V_B) exp{[ΔG*(A in B) - ΔG*(A in A)]/RT}

(Ben-Naim and Marcus, J. Chem. Phys. 81, 2016, 1984, for ΔG* and self-solvation; Winget, Hawkins, Cramer and Truhlar, J. Phys.
Chem. B 104, 4726, 2000, for the vapour pressure from it.) Mole fractions and V count real molecules: a W bead that stands for
four waters and takes 0.12 nm³ has V = 0.03 nm³.

A second liquid phase of nearly pure A holds A at activity 1, so that x γ = 1 in B. Where A is dilute there, γ = γ∞ and

    x = 1/γ∞,   c = x/V_B = exp{-[ΔG*(A in B) - ΔG*(A in A)]/RT}/V_A.

That A takes up B, too, is neglected. For γ∞ below :data:`LEAST_GAMMA` nothing is said: A is not dilute at x > 0.1, and a regular
solution, ln γ∞ = χ, has no second phase at all below χ = 2, γ∞ = 7.4.

A model that stands for n > 1 molecules dissolves in groups of n. c still counts what its saturated solution holds, but the
insertion of a group says nothing of one molecule at infinite dilution: there is no γ∞ then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from topdown.errors import SettingsError
from topdown.model.measurement import Estimate
from topdown.units import NM3_TO_CM3_MOL, kt

#: Activity coefficients at infinite dilution below this give no solubility.
LEAST_GAMMA: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """A liquid A at infinite dilution in a liquid B.

    Attributes
    ----------
    delta_g : Estimate
        ΔG*(A in B) - ΔG*(A in A), pure A → B at 1 mol/l [kJ/mol].
    ln_gamma : Estimate
        ln γ∞ on the scale of mole fractions. Of a model that stands for several molecules it is minus ln of the mole fraction of
        saturation only.
    log10_c : Estimate
        log10 of the saturated concentration of A [mol/l], whether the solution is dilute or not.
    """

    delta_g: Estimate
    ln_gamma: Estimate
    log10_c: Estimate

    @property
    def is_dilute(self) -> bool:
        """Whether a saturated solution is dilute enough for ``log10_c`` to mean something."""
        return self.ln_gamma.value >= math.log(LEAST_GAMMA)


def mixing(
    pure: Estimate, mixed: Estimate, pure_volume: Estimate, solvent_volume: Estimate, temperature: float
) -> Mixing:
    """γ∞ and the solubility of A in B; see the module.

    Parameters
    ----------
    pure, mixed : Estimate
        ΔG* of coupling A to A and to B [kJ/mol].
    pure_volume, solvent_volume : Estimate
        Volumes per real molecule of the liquids A and B [nm³].
    temperature : float
        [K]

    Raises
    ------
    SettingsError
        A volume or a temperature that is not positive.
    """
    if not (pure_volume.value > 0.0 and solvent_volume.value > 0.0 and temperature > 0.0):
        raise SettingsError(
            f"volumes and temperature must be positive, got {pure_volume.value:g} nm³, {solvent_volume.value:g} nm³, "
            f"{temperature:g} K"
        )
    energy = kt(temperature)
    difference = mixed.value - pure.value
    error = math.hypot(mixed.standard_error, pure.standard_error)
    of_a, of_b = (v.standard_error / v.value for v in (pure_volume, solvent_volume))
    n_effective = min(e.n_effective for e in (pure, mixed, pure_volume, solvent_volume))

    def estimate(value: float, standard_error: float) -> Estimate:
        return Estimate(
            value=value,
            standard_error=standard_error,
            n_effective=n_effective,
            provenance="solvation in the solvent and in itself",
        )

    litres = pure_volume.value * NM3_TO_CM3_MOL / 1000.0
    return Mixing(
        delta_g=estimate(difference, error),
        ln_gamma=estimate(
            math.log(pure_volume.value / solvent_volume.value) + difference / energy,
            math.sqrt((error / energy) ** 2 + of_a**2 + of_b**2),
        ),
        log10_c=estimate(
            (-difference / energy - math.log(litres)) / math.log(10.0),
            math.hypot(error / energy, of_a) / math.log(10.0),
        ),
    )
