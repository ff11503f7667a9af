"""A campaign with its molecules and measured values in place: what to simulate at any ε, and what to compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from topdown.calibration.campaign import OptimizerSettings, SamplingSettings
from topdown.calibration.parameters import Pair, ParameterSpace
from topdown.calibration.targets import Split, Target
from topdown.errors import SettingsError
from topdown.model.bead_table import BeadTable
from topdown.model.molecule import CGMolecule
from topdown.model.requests import CouplingRequest, LiquidRequest, SampleRequest
from topdown.sampling.fingerprints import describe_molecule, hash_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedSystem:
    """One box to be sampled.

    Attributes
    ----------
    name : str
        The ``system`` of its request.
    liquid : CGMolecule
        What fills the box: solvent, or the liquid itself.
    n_molecules : int
        How many of them.
    solute : CGMolecule or None
    """

    name: str
    liquid: CGMolecule
    n_molecules: int
    solute: CGMolecule | None = None

    def bead_types(self) -> set[str]:
        """Names of the bead types in the box."""
        return {*self.liquid.type_names, *(self.solute.type_names if self.solute else ())}

    def n_beads(self) -> int:
        """Beads in the box."""
        return self.n_molecules * self.liquid.n_beads + (self.solute.n_beads if self.solute else 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationProblem:
    """All a calibration needs but the samples.

    Attributes
    ----------
    name : str
    table : BeadTable
        The start table.
    temperature, pressure : float
        [K], [bar]
    space : ParameterSpace
    targets : tuple of Target
    systems : mapping of name to SimulatedSystem
    sampling : SamplingSettings
    optimizer : OptimizerSettings
    warnings : tuple of str
        What the user should know before believing the outcome.
    """

    name: str
    table: BeadTable
    temperature: float
    pressure: float
    space: ParameterSpace
    targets: tuple[Target, ...]
    systems: Mapping[str, SimulatedSystem]
    sampling: SamplingSettings
    optimizer: OptimizerSettings
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = [t.label for t in self.targets]
        twice = next((x for i, x in enumerate(labels) if x in labels[:i]), None)
        if twice is not None:
            raise SettingsError(f"the target {twice!r} is given twice", where=self.name, hint="keep one of them")
        used = {s for t in self.targets if t.split == "calibration" for s in t.systems}
        present = [self.systems[s].bead_types() for s in sorted(used)]
        for parameter in self.space.parameters:
            if not any(set(parameter.pair) <= types for types in present):
                raise SettingsError(
                    f"no calibration target holds both bead types of {parameter.label}",
                    where=self.name,
                    hint="add a target that depends on it, or drop the parameter",
                )

    def targets_of(self, split: Split) -> tuple[Target, ...]:
        """The targets of one split."""
        return tuple(t for t in self.targets if t.split == split)

    def systems_of(self, split: Split) -> tuple[str, ...]:
        """Names of the systems the targets of one split need, in order and once each."""
        return tuple(dict.fromkeys(s for t in self.targets_of(split) for s in t.systems))

    def request(self, system: str, theta: Mapping[Pair, float], round_index: int) -> SampleRequest:
        """What to sample for ``system`` at the ε of ``theta``.

        The table holds only the bead types in the box, so that a run is known again whatever happens to other pairs.
        """
        box, sampling = self.systems[system], self.sampling
        types = box.bead_types()
        moved = {pair: value for pair, value in theta.items() if set(pair) <= types}
        table = self.table.subset(types).with_epsilon(moved)
        seed = derived_seed(sampling.seed, round_index, system)
        if box.solute is None:
            return LiquidRequest(
                molecule=box.liquid,
                n_molecules=box.n_molecules,
                table=table,
                temperature=self.temperature,
                pressure=self.pressure,
                n_equilibration=sampling.n_equilibration,
                n_steps=sampling.n_steps,
                every=sampling.every,
                seed=seed,
            )
        return CouplingRequest(
            solute=box.solute,
            solvent=box.liquid,
            n_solvent=box.n_molecules,
            table=table,
            temperature=self.temperature,
            pressure=self.pressure,
            lambdas=sampling.lambdas,
            n_equilibration=sampling.n_equilibration,
            n_steps=sampling.n_steps,
            every=sampling.every,
            seed=seed,
        )

    def bead_steps(self, systems: Sequence[str]) -> int:
        """Cost of sampling ``systems`` once, in beads × steps."""
        steps = self.sampling.n_steps + self.sampling.n_equilibration
        windows = {s: len(self.sampling.lambdas) if self.systems[s].solute else 1 for s in systems}
        return sum(self.systems[s].n_beads() * steps * windows[s] for s in systems)

    def digest(self) -> str:
        """Hash of everything that decides the outcome, 16 hexadecimal digits."""
        types = sorted(set().union(*(s.bead_types() for s in self.systems.values())))
        content = {
            "name": self.name,
            "state": [self.temperature, self.pressure],
            "parameters": [asdict(p) for p in self.space.parameters],
            "targets": [
                [t.label, t.measured, t.uncertainty, t.model_error, t.split, list(t.systems)] for t in self.targets
            ],
            "systems": [
                [s.name, s.n_molecules, _shape(s.liquid), _shape(s.solute) if s.solute else None]
                for _, s in sorted(self.systems.items())
            ],
            "pairs": [[a, b, *self.table.pair(a, b)] for a in types for b in types if a <= b],
            "scheme": asdict(self.table.scheme),
            "sampling": asdict(self.sampling),
            "optimizer": asdict(self.optimizer),
        }
        return hash_of(content)[:16]


def _shape(molecule: CGMolecule) -> list[object]:
    """What of a molecule decides its simulation and its density."""
    return [describe_molecule(molecule), molecule.molar_mass]


def derived_seed(seed: int, round_index: int, system: str) -> int:
    """A seed below 2³¹ for one system in one round, from the seed of the campaign."""
    text = json.dumps([seed, round_index, system])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
