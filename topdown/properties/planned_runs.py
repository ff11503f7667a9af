"""What a request comes down to: the runs it takes, the boxes they start from, and the names both are stored under.

A name is the hash of everything that decides a run, so that whoever needs it asks for the same name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from topdown.engine import engine_version
from topdown.model import BeadTable
from topdown.model.requests import (
    BilayerRequest,
    Components,
    CouplingRequest,
    DiffusionRequest,
    GasRequest,
    InsertionRequest,
    LiquidRequest,
    MeltingRequest,
    SampleRequest,
    SlabRequest,
    contents_text,
)
from topdown.sampling.fingerprints import describe_molecule, describe_table, hash_of
from topdown.sampling.liquid_runs import TEST_AREA_SCALINGS

#: Changes when the way runs are made changes, so that older runs are not taken for new ones.
PROTOCOL = "windows-2"
#: Steps of 20 fs a freshly built liquid is run before it is stored as equilibrated.
LIQUID_EQUILIBRATION = 25_000
#: Changes when the way molecules are followed changes.
MOTION_PROTOCOL = "v-rescale-1"
#: Changes when the way bilayers are built, relaxed and run changes.
BILAYER_PROTOCOL = "bilayer-1"
#: Changes when the way a crystal is put beside its melt changes.
MELTING_PROTOCOL = "fcc-1"
#: Steps between two shapes of a solute alone.
SHAPE_EVERY = 25


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """An equilibrated box of one liquid or mixture, shared by all windows that start from it."""

    components: Components
    table: BeadTable
    temperature: float
    pressure: float
    seed: int
    n_steps: int
    time_step: float | None = None

    def key(self) -> str:
        """Under which its coordinates are stored."""
        (molecule, n_molecules), *others = self.components
        description: dict[str, Any] = {
            "protocol": PROTOCOL,
            "engine": engine_version(),
            "box": describe_molecule(molecule),
            "table": describe_table(self.table, [m for m, _ in self.components]),
            "n": n_molecules,
            "temperature": self.temperature,
            "pressure": self.pressure,
            "steps": self.n_steps,
            "seed": self.seed,
        }
        if self.time_step is not None:
            description["time_step"] = self.time_step
        if others:
            description["others"] = [[describe_molecule(m), n] for m, n in others]
        return hash_of(description)

    @property
    def name(self) -> str:
        """What is in it, for people."""
        return contents_text(self.components)

    def cost(self) -> float:
        """Beads times steps."""
        return float(sum(molecule.n_beads * count for molecule, count in self.components) * self.n_steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """One run: a request, which λ of it (-1 where there is none), and the box it starts from (gas, bilayers, crystals: none)."""

    request: SampleRequest
    lambda_index: int
    box: Box | None

    def key(self) -> str:
        """Under which its samples are stored."""
        request = self.request
        if isinstance(request, InsertionRequest):
            return hash_of(_describe_insertion(request))
        description: dict[str, Any] = {
            "lambda_index": self.lambda_index,
            "steps": [request.n_equilibration, request.n_steps, request.every],
            "seed": request.seed,
            "system": request.system,
        }
        if self.box is not None:
            description["box"] = self.box.key()
        if isinstance(request, CouplingRequest):
            description["solute"] = describe_molecule(request.solute)
            description["lambdas"] = list(request.lambdas)
            if request.charge_lambdas is not None:
                description["charge_lambdas"] = list(request.charge_lambdas)
            molecules = [request.solute, *(molecule for molecule, _ in request.components)]
            description["table"] = describe_table(request.table, molecules)
            if request.core is not None:
                radii = describe_table(request.core, molecules)["pairs"]
                description["core"] = [[a, b, sigma] for a, b, sigma, _ in radii]
        elif isinstance(request, GasRequest | MeltingRequest):
            description["gas"] = describe_molecule(request.molecule)
            description["table"] = describe_table(request.table, [request.molecule])
            description["state"] = [PROTOCOL, engine_version(), request.temperature]
        elif isinstance(request, BilayerRequest):
            description["bilayer"] = [describe_molecule(molecule) for molecule in request.molecules]
            description["table"] = describe_table(request.table, request.molecules)
            description["state"] = [BILAYER_PROTOCOL, engine_version(), request.temperature, request.pressure]
            description["start"] = [request.n_lipids, request.area, request.height]
        if isinstance(request, LiquidRequest) and request.keep_positions:
            description["positions"] = True
        if isinstance(request, DiffusionRequest):
            description["motion"] = [MOTION_PROTOCOL, request.stress_every]
        elif isinstance(request, MeltingRequest):
            description["melting"] = [MELTING_PROTOCOL, request.n_across, request.pressure]
        elif not isinstance(request, GasRequest) and request.part:
            description["part"] = request.part
        if not isinstance(request, GasRequest | MeltingRequest) and request.time_step is not None:
            description["time_step"] = request.time_step
        if isinstance(request, SlabRequest):
            description["slab"] = [request.width, request.height, *TEST_AREA_SCALINGS]
            description["masses"] = [molecule.molar_mass for molecule, _ in request.components]
            if request.virial_halves:
                description["virial_halves"] = True
        return hash_of(description)

    def end_key(self) -> str:
        """Under which the end of a part is kept, and a slab's profile."""
        return hash_of({"end": self.key()})

    def before(self) -> Window | None:
        """The part that this one goes on from."""
        request = self.request
        if isinstance(request, GasRequest | InsertionRequest | DiffusionRequest | MeltingRequest) or request.part == 0:
            return None
        return replace(self, request=replace(request, part=request.part - 1))

    def cost(self) -> float:
        """Beads times steps of this part; a solute's beads are not worth counting."""
        request = self.request
        if isinstance(request, InsertionRequest):
            return float(request.coupling.solute.n_beads * request.n_shapes * SHAPE_EVERY)
        n_beads = sum(molecule.n_beads * count for molecule, count in request.components)
        return float(n_beads * (request.n_equilibration * (self.before() is None) + request.n_steps))

    @property
    def label(self) -> str:
        """What it is, for people."""
        request = self.request
        if isinstance(request, InsertionRequest):
            return f"{request.coupling.solute.name} put into {contents_text(request.coupling.components)}"
        if not isinstance(request, CouplingRequest):
            return request.system
        charge = 0.0 if request.charge_lambdas is None else request.charge_lambdas[self.lambda_index]
        state = f"λ = {request.lambdas[self.lambda_index]:g}" + (f", charges {charge:g}" if charge else "")
        return f"{request.solute.name} in {' + '.join(m.name for m, _ in request.components)}, {state}"


def _describe_insertion(request: InsertionRequest) -> dict[str, Any]:
    first = replace(request.coupling, part=0, sampled=(0,), n_equilibration=0, n_steps=1, every=1)
    return {
        "coupled": [window.key() for window in windows_of(first)],
        "frames": [window.key() for run in request.solvent for window in windows_of(run)],
        "numbers": [request.n_poses, request.n_shapes],
    }


def windows_of(request: SampleRequest) -> list[Window]:
    """The runs of a request in order, a coupling request having one per λ that is sampled."""
    if isinstance(request, GasRequest | BilayerRequest | MeltingRequest):
        return [Window(request=request, lambda_index=-1, box=None)]
    if isinstance(request, InsertionRequest):
        return [Window(request=request, lambda_index=0, box=None)]
    box = Box(
        components=request.components,
        table=request.table.subset({name for molecule, _ in request.components for name in molecule.type_names}),
        temperature=request.temperature,
        pressure=request.pressure,
        seed=request.seed,
        n_steps=LIQUID_EQUILIBRATION,
        time_step=request.time_step,
    )
    indices = request.indices if isinstance(request, CouplingRequest) else (-1,)
    return [Window(request=request, lambda_index=k, box=box) for k in indices]
