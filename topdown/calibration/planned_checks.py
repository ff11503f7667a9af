"""Checks of a campaign with their molecules and measured values in place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule
from topdown.model.requests import BilayerRequest, MeltingRequest
from topdown.properties.measurements import MeasuredValue
from topdown.properties.melting_runs import bead_steps
from topdown.properties.melting_search import MeltingSettings


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
    measured : MeasuredValue or None
        [10⁻⁹ m²/s]; None where nothing is known.
    """

    liquid: str
    molecule: CGMolecule
    n_molecules: int
    n_real: int
    temperature: float
    n_steps: int
    viscosity: float | None = None
    measured: MeasuredValue | None = None

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
    measured : MeasuredValue or None
        log10 of the saturated concentration [mol/l]; None where nothing is known.
    """

    solute: str
    solvent: str
    systems: tuple[str, str]
    real_molecules: tuple[int, int]
    n_real: int
    temperature: float
    measured: MeasuredValue | None = None

    @property
    def label(self) -> str:
        """``"octane in water at 298.15 K"``."""
        return f"{self.solute} in {self.solvent} at {self.temperature:g} K"


@dataclass(frozen=True, kw_only=True, eq=False)
class BilayerPlan:
    """The area per lipid of a bilayer of one lipid, to be measured with both tables.

    Attributes
    ----------
    lipid : str
    request : BilayerRequest
        The first part of its run, with the start table.
    n_parts : int
    measured : MeasuredValue
        [nm²]
    """

    lipid: str
    request: BilayerRequest
    n_parts: int
    measured: MeasuredValue

    @property
    def label(self) -> str:
        """``"area per lipid of DPPC at 323.15 K"``."""
        return f"area per lipid of {self.lipid} at {self.request.temperature:g} K"

    @property
    def n_beads(self) -> int:
        """In the box."""
        return sum(molecule.n_beads * count for molecule, count in self.request.components)

    @property
    def n_steps(self) -> int:
        """Of all parts together."""
        return self.n_parts * self.request.n_steps

    @property
    def bead_steps(self) -> int:
        """Cost of its run with one table, in beads × steps."""
        return self.n_beads * self.n_steps

    def parts(self, table: BeadTable, seed: int, time_step: float | None) -> tuple[BilayerRequest, ...]:
        """All parts of a run with another table."""
        return tuple(
            replace(self.request, table=table, seed=seed, time_step=time_step, part=part)
            for part in range(self.n_parts)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MeltingPlan:
    """The melting point of a liquid of single beads, to be looked for with both tables.

    Attributes
    ----------
    liquid : str
    molecule : CGMolecule
    n_real : int
        Molecules that one of the model stands for.
    table : BeadTable
        The start table.
    settings : MeltingSettings
        Its seed is that of the campaign; every search has one of its own.
    measured : MeasuredValue or None
        [K]; None where nothing is known.
    """

    liquid: str
    molecule: CGMolecule
    n_real: int
    table: BeadTable
    settings: MeltingSettings
    measured: MeasuredValue | None = None

    @property
    def label(self) -> str:
        """``"melting point of water"``."""
        return f"melting point of {self.liquid}"

    @property
    def n_beads(self) -> int:
        """In the box."""
        return self._any_run.components[0][1]

    @property
    def most_bead_steps(self) -> int:
        """Most that it may cost with one table, in beads × steps."""
        return self.settings.most_runs * bead_steps(self._any_run)

    @property
    def _any_run(self) -> MeltingRequest:
        """One of its runs; all are as long."""
        return self.settings.request(self.molecule, self.table, 300.0)
