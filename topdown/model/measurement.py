"""A measured value, and a calculated one with its error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A simulated number; none leaves the package without its error.

    Attributes
    ----------
    value : float
    standard_error : float
        One standard error, same unit as ``value``.
    n_effective : float
        Number of independent samples behind it (Kish, divided by the statistical inefficiency).
    provenance : str
        How it was obtained.
    """

    value: float
    standard_error: float
    n_effective: float
    provenance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One row of the experimental data.

    Attributes
    ----------
    quantity : str
        ``"transfer_free_energy"``, ``"density"``, ``"surface_tension"``, ``"area_per_lipid"``…
    name, smiles : str
        Molecule.
    value, uncertainty : float
        In ``unit``.
    unit : str
    temperature : float
        [K]
    phase : str
        Solvent pair ``"octanol/water"``, or the liquid.
    canonical_smiles : str
        RDKit's canonical form of ``smiles``: the key measurements are found by.
    reference, licence, split : str
        Where it is published, the licence of the number, and ``"calibration"`` or ``"validation"``.
    flag : str
        Non-empty when the row is suspect and must stay out of fits.
    """

    quantity: str
    name: str
    smiles: str
    value: float
    uncertainty: float
    unit: str
    temperature: float
    phase: str = ""
    reference: str = ""
    licence: str = ""
    split: str = ""
    flag: str = ""
    canonical_smiles: str = ""
