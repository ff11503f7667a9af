"""Self-diffusion coefficients of liquids for ``import_measurements.py``."""

from __future__ import annotations

from typing import Final

_HOLZ: Final = "Holz, Heil and Sacco, Phys. Chem. Chem. Phys. 2, 4740 (2000), doi:10.1039/b005319h"
_MILLS: Final = "Mills, J. Phys. Chem. 79, 852 (1975)"
_COLLINGS: Final = "Collings and Mills, Trans. Faraday Soc. 66, 2761 (1970), doi:10.1039/tf9706602761"
_DOUGLASS: Final = "Douglass and McCall, J. Phys. Chem. 62, 1102 (1958)"
_MECKL: Final = "Meckl and Zeidler, Mol. Phys. 63, 85 (1988)"
#: Ends the reference of a value that was not compared with the paper itself.
_QUOTED: Final = "; as later literature quotes it"

#: D = D₀ (T/T_s - 1)^γ of water between 0 and 100 °C: D₀ [10⁻⁹ m²/s], T_s [K], γ (Holz, Heil and Sacco 2000).
WATER_FIT: Final = (16.35, 215.05, 2.063)
WATER_TEMPERATURES: Final = tuple(283.15 + 5.0 * k for k in range(11))
WATER_FIT_REFERENCE: Final = f"{_HOLZ}, fit of D(T)"
#: Relative error of that fit.
WATER_ERROR: Final = 0.01

#: (name, SMILES, D [10⁻⁹ m²/s] at 298.15 K, standard uncertainty, reference).
SELF_DIFFUSION: Final = (
    ("cyclohexane", "C1CCCCC1", 1.424, 0.014, f"{_MILLS}; {_HOLZ}"),
    ("benzene", "c1ccccc1", 2.207, 0.022, _MILLS),
    ("dodecane", "CCCCCCCCCCCC", 0.871, 0.017, _HOLZ + _QUOTED),
    ("dimethyl sulfoxide", "CS(C)=O", 0.730, 0.015, _HOLZ + _QUOTED),
    ("1-pentanol", "CCCCCO", 0.296, 0.006, _HOLZ + _QUOTED),
    ("carbon tetrachloride", "ClC(Cl)(Cl)Cl", 1.30, 0.03, _COLLINGS + _QUOTED),
    ("hexane", "CCCCCC", 4.21, 0.21, _DOUGLASS + _QUOTED),
    ("heptane", "CCCCCCC", 3.12, 0.16, _DOUGLASS + _QUOTED),
    ("decane", "CCCCCCCCCC", 1.31, 0.07, _DOUGLASS + _QUOTED),
    ("ethanol", "CCO", 1.07, 0.05, _MECKL + _QUOTED),
)


def water_rows() -> list[tuple[float, float, float]]:
    """(T [K], D, uncertainty [10⁻⁹ m²/s]) of water."""
    d_0, t_s, gamma = WATER_FIT
    values = [(t, d_0 * (t / t_s - 1.0) ** gamma) for t in WATER_TEMPERATURES]
    return [(t, d, WATER_ERROR * d) for t, d in values]
