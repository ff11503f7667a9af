"""The unit system and every conversion factor.

Inside the package: nm, ps, u, kJ/mol, K, e, bar (GROMACS's set; u nm²/ps² = kJ/mol). Other units occur only at the
border and in a name that ends in them.
"""

from __future__ import annotations

from typing import Final

#: Boltzmann constant times Avogadro constant [kJ/mol/K] (CODATA 2018).
GAS_CONSTANT: Final = 8.31446261815324e-3
#: Coulomb constant f = 1/(4 pi eps0) [kJ/mol nm e^-2] (CODATA 2018, to the digits GROMACS' energies imply).
COULOMB_CONSTANT: Final = 138.93545764
#: 1 kJ/mol/nm^3 in bar.
KJ_MOL_NM3_TO_BAR: Final = 16.6053906717
#: 1 bar nm in mN/m.
BAR_NM_TO_MN_M: Final = 0.1
#: 1 u/nm^3 in kg/m^3.
U_NM3_TO_KG_M3: Final = 1.66053906717
#: 1 nm³ per molecule in cm³/mol.
NM3_TO_CM3_MOL: Final = 602.214076
#: 1 nm²/ps in 10⁻⁹ m²/s.
NM2_PS_TO_1E9_M2_S: Final = 1e3
#: 1 kJ/mol ps/nm³ in Pa s.
PA_S_PER_KJ_PS_MOL_NM3: Final = 1.66053906717e-6
#: 1 kcal in kJ.
KCAL_TO_KJ: Final = 4.184
#: ln 10: log10 K = -dG / (R T ln 10).
LN10: Final = 2.302585092994046


def kt(temperature: float) -> float:
    """Thermal energy k_B T per mole.

    Parameters
    ----------
    temperature : float
        Temperature [K].

    Returns
    -------
    float
        R T [kJ/mol].
    """
    return GAS_CONSTANT * temperature


def kj_mol_per_log_unit(temperature: float) -> float:
    """Free energy of one decade in a partition coefficient, R T ln 10 [kJ/mol] at ``temperature`` [K]."""
    return GAS_CONSTANT * temperature * LN10
