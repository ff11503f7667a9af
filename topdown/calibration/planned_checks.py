"""Checks of a campaign with their molecules and measured values in place."""

from __future__ import annotations

from dataclasses import dataclass

from topdown.model.molecule import CGMolecule


@dataclass(frozen=True, kw_only=True, eq=False)
class DiffusionPlan:
    """Self-diffusion of one liquid, to be measured with the new table.

    Attributes
    ----------
    liquid : str
    molecule : CGMolecule
    n_molecules : int
        In the box.
    n_real : int
        Molecules that one of the model stands for.
    temperature : float
        [K]
    n_steps : int
    viscosity : float or None
        Of the model liquid [mPa s]; from its own run when None.
    measured, uncertainty : float or None
        [10⁻⁹ m²/s]; None where nothing is known.
    how, reference : str
        How the measured value came to this temperature, and where it is from.
    """

    liquid: str
    molecule: CGMolecule
    n_molecules: int
    n_real: int
    temperature: float
    n_steps: int
    viscosity: float | None = None
    measured: float | None = None
    uncertainty: float | None = None
    how: str = ""
    reference: str = ""

    @property
    def label(self) -> str:
        """``"self-diffusion of water at 298.15 K"``."""
        return f"self-diffusion of {self.liquid} at {self.temperature:g} K"

    @property
    def n_beads(self) -> int:
        """In the box."""
        return self.n_molecules * self.molecule.n_beads

    def bead_steps(self, n_equilibration: int) -> int:
        """Cost of its run, in beads × steps."""
        return self.n_beads * (n_equilibration + self.n_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixturePlan:
    """A liquid A in a liquid B, to be calculated with both tables.

    Attributes
    ----------
    solute, solvent : str
    systems : (str, str)
        Boxes in which A is coupled to A and to B.
    real_molecules : (int, int)
        Real molecules that the liquids of the two boxes stand for.
    n_real : int
        Molecules that one of A's model stands for.
    temperature : float
        [K]
    measured, uncertainty : float or None
        log10 of the saturated concentration [mol/l]; None where nothing is known.
    reference, flag : str
    """

    solute: str
    solvent: str
    systems: tuple[str, str]
    real_molecules: tuple[int, int]
    n_real: int
    temperature: float
    measured: float | None = None
    uncertainty: float | None = None
    reference: str = ""
    flag: str = ""

    @property
    def label(self) -> str:
        """``"octane in water at 298.15 K"``."""
        return f"{self.solute} in {self.solvent} at {self.temperature:g} K"
