"""A calibration whose answer is known: a problem over the harmonic model liquid, and a sampler that draws from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from harmonic_liquid import HarmonicLiquid

from topdown.calibration.campaign import OptimizerSettings, SamplingSettings
from topdown.calibration.error_model import CostSettings
from topdown.calibration.parameters import FreeParameter, ParameterSpace
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.targets import DensityTarget, TransferTarget
from topdown.model import Bead, BeadTable, BeadType, CGMolecule, WindowFailure, WindowSamples
from topdown.model.requests import CouplingRequest, SampleRequest
from topdown.properties.measurements import MeasuredValue
from topdown.units import U_NM3_TO_KG_M3

TEMPERATURE, PRESSURE = 300.0, 1.0
KAPPA = 8.0
Theta = Mapping[tuple[str, str], float]


def molecule(name: str, *types: str) -> CGMolecule:
    beads = tuple(Bead(name=f"B{i}", bead_type=t) for i, t in enumerate(types))
    places = np.array([[0.3 * i, 0.0, 0.0] for i in range(len(beads))])
    return CGMolecule(name=name, beads=beads, molar_mass=20.0 * len(beads), canonical_smiles=name, positions=places)


WATER, OIL = molecule("water", "W"), molecule("oil", "C")
SMALL, MIXED, OTHER = molecule("small", "A"), molecule("mixed", "A", "B"), molecule("other", "B", "B")


def measured(value: float, uncertainty: float, how: str = "measured") -> MeasuredValue:
    """What somebody found."""
    return MeasuredValue(
        value=value,
        uncertainty=uncertainty,
        temperature=TEMPERATURE,
        how=how,
        unit="",
        name="",
        flag="",
        reference="somebody",
    )


def start_table() -> BeadTable:
    names = ("A", "B", "C", "W")
    epsilon = np.array([[3.0, 3.1, 4.0, 2.0], [3.1, 3.2, 3.0, 2.5], [4.0, 3.0, 5.0, 2.2], [2.0, 2.5, 2.2, 6.0]])
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in names)
    return BeadTable(name="start", bead_types=types, epsilon=epsilon, sigma=np.full((4, 4), 0.47))


@dataclass
class SyntheticSampler:
    """Draws exact frames; ``asked`` lists what it was asked for, ``stop_after`` raises Ctrl-C in that call."""

    asked: list[list[SampleRequest]] = field(default_factory=list)
    stop_after: int | None = None

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(list(requests))
        return [window for request in requests for window in self._asked_for(request)]

    def _asked_for(self, request: SampleRequest) -> list[WindowSamples]:
        """The windows of a request that are to be sampled."""
        windows = self._windows(request)
        return [windows[k] for k in request.indices] if isinstance(request, CouplingRequest) else windows

    def _windows(self, request: SampleRequest) -> list[WindowSamples]:
        coupled = isinstance(request, CouplingRequest)
        solvent = request.solvent if coupled else request.molecule
        model = HarmonicLiquid(
            solvent.type_names[0],
            request.solute.type_names if coupled else (),
            kappa=KAPPA,
            temperature=request.temperature,
        )
        epsilon = {p: request.table.pair(*p)[1] for p in (*model.pairs(), *model.solute_pairs())}
        text = f"{request.system} {sorted(epsilon.items())} {request.seed} {request.n_steps}"
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
        return model.sample(
            epsilon,
            np.random.default_rng(seed),
            lambdas=request.lambdas if coupled else (),
            n_frames=request.n_steps // request.every,
            pressure=request.pressure,
            system=request.system,
        )


@dataclass
class FailingSampler(SyntheticSampler):
    """The same, but runs of which ``fails(system, window, careful)`` holds fail; ``careful`` are those with a small step."""

    fails: Callable[[str, int, bool], bool] = lambda system, window, careful: False

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:  # type: ignore[override]
        return [
            WindowFailure(
                system=request.system, lambda_index=run.lambda_index, reason=f"it blew up <{run.lambda_index}>"
            )
            if self.fails(request.system, run.lambda_index, request.time_step is not None)  # type: ignore[union-attr]
            else run
            for request in requests
            for run in super(FailingSampler, self).sample([request])
        ]


def exact_transfer(solute: CGMolecule, table: BeadTable, theta: Theta) -> float:
    """ΔG(water→oil) in closed form."""
    at = table.with_epsilon(theta)
    values = []
    for solvent in (WATER, OIL):
        model = HarmonicLiquid(solvent.type_names[0], solute.type_names, temperature=TEMPERATURE)
        values.append(model.delta_g({p: at.pair(*p)[1] for p in (*model.pairs(), *model.solute_pairs())}))
    return float(values[1] - values[0])


def exact_density(theta: Theta, n: int = 100) -> float:
    """Density of the oil for a volume that hardly fluctuates."""
    epsilon = {("C", "C"): start_table().with_epsilon(theta).pair("C", "C")[1]}
    model = HarmonicLiquid("C", kappa=KAPPA, temperature=TEMPERATURE)
    rng = np.random.default_rng(0)
    mean = model.mean_volume(epsilon, PRESSURE)
    volume = mean + np.sqrt(0.00831446 * TEMPERATURE / KAPPA) * rng.normal(size=200_000)
    return n * OIL.molar_mass * U_NM3_TO_KG_M3 * float(np.mean(1.0 / volume))


def problem(
    truth: Theta,
    *,
    uncertainty: float = 0.05,
    n_steps: int = 20_000,
    width: float = 1.0,
    scale: str = "linear",
    **optimizer: float,
) -> CalibrationProblem:
    """Free A-W, B-W and C-C; calibrated on two solutes and the oil's density, with one solute held out."""
    table = start_table()
    systems: dict[str, SimulatedSystem] = {}
    targets: list[TransferTarget | DensityTarget] = []
    for solute, split in ((SMALL, "calibration"), (MIXED, "calibration"), (OTHER, "held-out")):
        names = []
        for liquid in (WATER, OIL):
            name = f"{solute.name} in 100 {liquid.name}"
            systems[name] = SimulatedSystem(name=name, liquid=liquid, n_molecules=100, solute=solute)
            names.append(name)
        targets.append(
            TransferTarget(
                molecule=solute,
                origin="water",
                destination="oil",
                origin_system=names[0],
                destination_system=names[1],
                measured=exact_transfer(solute, table, truth),
                uncertainty=uncertainty,
                split=split,  # type: ignore[arg-type]
            )
        )
    systems["100 oil"] = SimulatedSystem(name="100 oil", liquid=OIL, n_molecules=100)
    targets.append(
        DensityTarget(
            molecule=OIL,
            n_molecules=100,
            system="100 oil",
            measured=exact_density(truth),
            uncertainty=0.5,
            split="calibration",
        )
    )
    parameters = tuple(
        FreeParameter(pair=p, start=table.pair(*p)[1], prior_width=width, lower=0.5, upper=12.0, scale=scale)  # type: ignore[arg-type]
        for p in (("A", "W"), ("B", "W"), ("C", "C"))
    )
    return CalibrationProblem(
        name="synthetic",
        table=table,
        temperature=TEMPERATURE,
        pressure=PRESSURE,
        space=ParameterSpace(parameters=parameters),
        targets=tuple(targets),
        systems=systems,
        sampling=SamplingSettings(lambdas=(0.0, 0.2, 0.5, 1.0), n_steps=n_steps, n_equilibration=0, every=100, seed=7),
        optimizer=OptimizerSettings(**optimizer),  # type: ignore[arg-type]
        cost=CostSettings(loss="gauss"),
    )
