"""What a calibration asks a sampler for: one solute in a solvent along λ, or one liquid.

A request holds everything that decides the samples, ε included (in its table), so that a run store can name a run by
the hash of its request.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from topdown.errors import SettingsError
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule


def _check(where: str, *, temperature: float, pressure: float, n_molecules: int, n_steps: int, every: int) -> None:
    if not temperature > 0:
        raise SettingsError(f"the temperature must be positive, got {temperature} K", where=where)
    if not abs(pressure) < float("inf"):
        raise SettingsError(f"the pressure must be a finite number, got {pressure} bar", where=where)
    if n_molecules < 1:
        raise SettingsError(f"the number of molecules must be at least 1, got {n_molecules}", where=where)
    if every < 1 or n_steps < every:
        raise SettingsError(
            f"n_steps = {n_steps} with one frame every {every} steps would store nothing",
            where=where,
            hint="ask for at least one frame",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CouplingRequest:
    """One solute in a box of solvent, sampled at constant pressure at every λ: one ``WindowSamples`` per λ.

    Attributes
    ----------
    solute, solvent : CGMolecule
    n_solvent : int
        Number of solvent molecules.
    table : BeadTable
        Carries the ε and σ of the run; the soft-core radius of a pair is its σ here.
    temperature : float
        [K]
    pressure : float
        [bar]
    lambdas : tuple of float
        Increasing, from 0 (decoupled) to 1 (coupled).
    n_equilibration, n_steps, every : int
        Steps before the first frame, steps of production, and steps between stored frames; per λ.
    seed : int
    """

    solute: CGMolecule
    solvent: CGMolecule
    n_solvent: int
    table: BeadTable
    temperature: float
    pressure: float
    lambdas: tuple[float, ...]
    n_equilibration: int
    n_steps: int
    every: int
    seed: int

    def __post_init__(self) -> None:
        where = f"coupling of {self.solute.name} to {self.solvent.name}"
        _check(
            where,
            temperature=self.temperature,
            pressure=self.pressure,
            n_molecules=self.n_solvent,
            n_steps=self.n_steps,
            every=self.every,
        )
        lambdas = self.lambdas
        rising = all(a < b for a, b in pairwise(lambdas))
        if len(lambdas) < 2 or lambdas[0] != 0.0 or lambdas[-1] != 1.0 or not rising:
            raise SettingsError(f"lambdas must rise from 0 to 1, got {list(lambdas)}", where=where)

    @property
    def system(self) -> str:
        """Name under which runs are pooled: solute, solvent and size."""
        return f"{self.solute.name} in {self.n_solvent} {self.solvent.name}"


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidRequest:
    """A pure liquid at constant pressure: one ``WindowSamples``.

    Attributes
    ----------
    molecule : CGMolecule
    n_molecules : int
    table : BeadTable
    temperature : float
        [K]
    pressure : float
        [bar]
    n_equilibration, n_steps, every : int
    seed : int
    """

    molecule: CGMolecule
    n_molecules: int
    table: BeadTable
    temperature: float
    pressure: float
    n_equilibration: int
    n_steps: int
    every: int
    seed: int

    def __post_init__(self) -> None:
        _check(
            f"liquid {self.molecule.name}",
            temperature=self.temperature,
            pressure=self.pressure,
            n_molecules=self.n_molecules,
            n_steps=self.n_steps,
            every=self.every,
        )

    @property
    def system(self) -> str:
        """Name under which runs are pooled: molecule and size."""
        return f"{self.n_molecules} {self.molecule.name}"


SampleRequest = CouplingRequest | LiquidRequest
