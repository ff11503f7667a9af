"""What a run is asked to do: from run parameter files and options to one checked request, and to JSON and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from topdown.engine import SimulationSettings
from topdown.errors import InputFileError, SettingsError
from topdown.formats.mdp_read import MdpSettings, read_mdp
from topdown.model import NonbondedScheme
from topdown.units import BAR_NM_TO_MN_M

TrajectoryKind = Literal["xtc", "trr", "dcd", "none"]
_TRAJECTORIES: Final = ("xtc", "trr", "dcd", "none")
#: Settings of the dynamics, by name.
_SETTINGS: Final = tuple(field.name for field in fields(SimulationSettings))
#: What may differ when a run is continued: its length, and what no later frame depends on.
_MAY_CHANGE: Final = (
    *("n_steps", "checkpoint_minutes", "checkpoint_steps", "notes"),
    *("topology", "coordinates", "reference", "include"),  # compared by what is in them
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run, completely.

    Attributes
    ----------
    topology, coordinates : Path
        ``.top`` and ``.gro`` files.
    settings : SimulationSettings
    n_steps : int
        Steps of dynamics in all; 0 to minimise only.
    defines : tuple of (str, str)
        Macros for the topology.
    include : tuple of Path
        Folders in which ``#include`` also looks.
    reference : Path or None
        ``.gro`` file with the reference points of position restraints; ``coordinates`` itself when None.
    scheme : NonbondedScheme or None
        Replaces cut-off, permittivities and modifier that go with the topology.
    minimize : bool
    minimize_steps : int
        The most steps of the minimisation.
    force_tolerance : float
        Where it stops [kJ/mol/nm].
    new_velocities : bool
        Draw velocities although the coordinates come with some.
    seed : int
    trajectory : {"xtc", "trr", "dcd", "none"}
    frame_every, energy_every : int
        Steps between frames, and between rows of energies; 0 for never.
    checkpoint_minutes : float
        Between checkpoints, by the clock; no number of the run depends on it.
    checkpoint_steps : int
        Steps between further checkpoints; 0 for none.
    notes : tuple of str
        What is done otherwise than the run parameter file says.

    Raises
    ------
    SettingsError
        A value out of its range.
    """

    topology: Path
    coordinates: Path
    settings: SimulationSettings
    n_steps: int
    defines: tuple[tuple[str, str], ...] = ()
    include: tuple[Path, ...] = ()
    reference: Path | None = None
    scheme: NonbondedScheme | None = None
    minimize: bool = False
    minimize_steps: int = 5000
    force_tolerance: float = 100.0
    new_velocities: bool = False
    seed: int = 1
    trajectory: TrajectoryKind = "xtc"
    frame_every: int = 5000
    energy_every: int = 500
    checkpoint_minutes: float = 15.0
    checkpoint_steps: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.trajectory not in _TRAJECTORIES:
            raise SettingsError(f"no trajectory {self.trajectory!r}", hint=", ".join(_TRAJECTORIES))
        for name in ("n_steps", "minimize_steps", "frame_every", "energy_every", "checkpoint_steps", "seed"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise SettingsError(f"{name} must be a whole number, 0 or more, got {value!r}")
        for name in ("force_tolerance", "checkpoint_minutes"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)!r}")
        if self.n_steps == 0 and not self.minimize:
            raise SettingsError("there is nothing to do", hint="give --steps or --time, or --minimize")

    @property
    def length_ns(self) -> float:
        """Length of the dynamics [ns]."""
        return self.n_steps * self.settings.time_step / 1000.0

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return data

    def difference(self, other: RunRequest) -> str:
        """Name of the first setting in which ``other`` would be another run, or ``""``."""
        mine, theirs = _flat(self.as_json()), _flat(other.as_json())
        return next((name for name in mine if name not in _MAY_CHANGE and mine[name] != theirs.get(name)), "")


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    settings = data["settings"]
    return {name: value for name, value in data.items() if name != "settings"} | dict(settings)


def request_from_json(data: Mapping[str, Any]) -> RunRequest:
    """Read back what :meth:`RunRequest.as_json` gave.

    Raises
    ------
    InputFileError
        Data that are not such a request.
    """
    try:
        known = {field.name for field in fields(RunRequest)}
        values = {name: value for name, value in data.items() if name in known}
        scheme = values.get("scheme")
        values["settings"] = SimulationSettings(**{k: v for k, v in values["settings"].items() if k in _SETTINGS})
        values["scheme"] = None if scheme is None else NonbondedScheme(**scheme)
        values["topology"], values["coordinates"] = Path(values["topology"]), Path(values["coordinates"])
        values["reference"] = None if values.get("reference") is None else Path(values["reference"])
        values["include"] = tuple(Path(folder) for folder in values["include"])
        values["defines"] = tuple((str(name), str(text)) for name, text in values["defines"])
        values["notes"] = tuple(values["notes"])
        return RunRequest(**values)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputFileError(f"no run to continue: {error}") from None


# -- from files and options ------------------------------------------------------------------------------------------


def make_request(
    topology: Path, coordinates: Path, options: Mapping[str, Any], *, mdp: Path | None = None
) -> RunRequest:
    """A new run.

    Parameters
    ----------
    topology, coordinates : Path
    options : mapping
        Names of fields of :class:`RunRequest` and of :class:`SimulationSettings`, and ``length_ns``, ``frame_ps`` and
        ``energy_ps``, which become whole steps. They go before what ``mdp`` says.
    mdp : Path, optional
        GROMACS run parameters.

    Raises
    ------
    SettingsError
        An unknown option, or a value out of its range.
    InputFileError
        Run parameters that cannot be used.
    """
    base = _from_mdp(read_mdp(mdp)) if mdp is not None else {"settings": {}}
    if mdp is None and not {"n_steps", "length_ns"} & options.keys() and not options.get("minimize"):
        raise SettingsError("how long is the run?", hint="give --steps or --time, or an mdp file")
    paths = {"topology": topology.absolute(), "coordinates": coordinates.absolute()}
    return _built({"n_steps": 0, **base, **paths}, options)


def continued_request(
    earlier: RunRequest,
    options: Mapping[str, Any],
    *,
    topology: Path | None = None,
    coordinates: Path | None = None,
    mdp: Path | None = None,
) -> RunRequest:
    """The run that goes on: as ``earlier``, longer or shorter where ``options`` or ``mdp`` say so.

    Raises
    ------
    SettingsError
        Something that would make it another run, by name.
    """
    base = {field.name: getattr(earlier, field.name) for field in fields(RunRequest)}
    if mdp is not None:
        kept = ("frame_every", "energy_every", "trajectory", "seed", "defines", "include")
        base |= {**_from_mdp(read_mdp(mdp)), **{name: base[name] for name in kept}}
    else:
        base["settings"] = asdict(earlier.settings)
    base |= {
        "topology": (topology or earlier.topology).absolute(),
        "coordinates": (coordinates or earlier.coordinates).absolute(),
    }
    request = _built(base, options)
    name = request.difference(earlier)
    if name:
        raise SettingsError(
            f"the run was started with {name} = {_flat(earlier.as_json())[name]}, not {_flat(request.as_json())[name]}",
            hint="only its length may change when a run is continued",
        )
    return request


def _built(base: Mapping[str, Any], options: Mapping[str, Any]) -> RunRequest:
    """``base`` with ``options`` over it; settings are still a mapping there."""
    names = {field.name for field in fields(RunRequest)} - {"topology", "coordinates", "settings", "notes", "scheme"}
    lengths = {"length_ns": "n_steps", "frame_ps": "frame_every", "energy_ps": "energy_every"}
    settings = dict(base["settings"])
    values: dict[str, Any] = {name: value for name, value in base.items() if name != "settings"}
    for name, value in options.items():
        if name in _SETTINGS:
            settings[name] = value
        elif name in names:
            values[name] = value
        elif name not in lengths:
            near = get_close_matches(name, [*_SETTINGS, *names, *lengths], n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_SETTINGS)}"
            raise SettingsError(f"no setting {name!r}", hint=hint)
    beyond = sorted(settings.keys() - set(_SETTINGS))
    if beyond:
        raise SettingsError(f"the engine has no setting {', '.join(beyond)}")
    chosen = SimulationSettings(**settings)
    for name, target in lengths.items():
        if name in options:
            if target in options:
                raise SettingsError(f"{name} and {target} say the same thing twice", hint="give one of them")
            scale = 1000.0 if name == "length_ns" else 1.0
            values[target] = _steps(name, scale * options[name], chosen.time_step)
    return RunRequest(**values, settings=chosen)


def _steps(name: str, length: float, time_step: float) -> int:
    """Whole steps nearest to ``length`` [ps]."""
    if not 0 <= length < math.inf:
        raise SettingsError(f"{name} must be 0 or more, got {length} ps")
    steps = round(length / time_step)
    if length > 0 and steps == 0:
        raise SettingsError(f"{name}: {length:g} ps are less than a time step of {time_step:g} ps")
    return steps


def parse_setting(text: str) -> tuple[str, Any]:
    """``"list_buffer=0.3"`` → name and value of a setting, a number where it is one.

    Raises
    ------
    SettingsError
        No such setting (the nearest is named), or no ``=``.
    """
    name, equals, word = (part.strip() for part in text.partition("="))
    if not equals:
        raise SettingsError(f"--set {text!r} has no value", hint="for instance --set tau_p=12")
    if name not in _SETTINGS:
        near = get_close_matches(name, _SETTINGS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_SETTINGS)}"
        raise SettingsError(f"--set: no setting {name!r}", hint=hint)
    if word == "none":
        return name, None
    for kind in (int, float):
        try:
            return name, kind(word)
        except ValueError:
            continue
    return name, word


# -- GROMACS run parameters ------------------------------------------------------------------------------------------


def _from_mdp(mdp: MdpSettings) -> dict[str, Any]:
    """Fields of a request; ``settings`` as a mapping."""
    notes = list(mdp.notes)
    fields_: dict[str, Any] = {
        "settings": _dynamics(mdp, notes),
        "scheme": mdp.scheme,
        "defines": tuple(mdp.defines.items()),
        "include": tuple(folder.absolute() for folder in mdp.include),
        "new_velocities": mdp.generate_velocities,
        "energy_every": mdp.energies_every,
    }
    if mdp.integrator == "minimize":
        fields_ |= {
            "minimize": True,
            "minimize_steps": mdp.n_steps,
            "force_tolerance": mdp.force_tolerance,
            "n_steps": 0,
        }
    else:
        fields_["n_steps"] = mdp.n_steps
        fields_ |= _output(mdp, notes)
    if mdp.generate_velocities and mdp.velocity_temperature != mdp.temperature:
        notes.append(f"gen_temp = {mdp.velocity_temperature:g}: velocities are drawn at {mdp.temperature:g} K")
    seed = mdp.seed if mdp.seed is not None else mdp.velocity_seed
    return {**fields_, **({} if seed is None else {"seed": seed}), "notes": tuple(notes)}


def _output(mdp: MdpSettings, notes: list[str]) -> dict[str, Any]:
    """One trajectory: the compressed one where it is asked for."""
    if mdp.compressed_every:
        if mdp.positions_every or mdp.velocities_every:
            notes.append("nstxout and nstvout: only the compressed trajectory is written")
        return {"trajectory": "xtc", "frame_every": mdp.compressed_every}
    if mdp.forces_every:
        notes.append("nstfout: forces are not written")
    if mdp.positions_every:
        return {"trajectory": "trr", "frame_every": mdp.positions_every}
    return {"trajectory": "none", "frame_every": 0}


def _dynamics(mdp: MdpSettings, notes: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "time_step": mdp.time_step,
        "temperature": mdp.temperature,
        "thermostat": mdp.thermostat,
        "tau_t": mdp.tau_t,
        "remove_com_motion_every": mdp.remove_com_motion_every,
    }
    for name in ("thermostat_every", "barostat_every"):
        if getattr(mdp, name) is not None:
            settings[name] = getattr(mdp, name)
    if mdp.barostat is None:
        return settings
    scaling = mdp.refcoord_scaling
    if scaling == "com":
        notes.append("refcoord_scaling = com: reference points of restraints stay where they are")
        scaling = "no"
    return settings | _pressure(mdp) | {"refcoord_scaling": scaling}


def _pressure(mdp: MdpSettings) -> dict[str, Any]:
    pressure, compressibility = mdp.pressure, mdp.compressibility
    found: dict[str, Any] = {"barostat": mdp.barostat, "tau_p": mdp.tau_p}
    if mdp.barostat == "surface-tension":
        # GROMACS gives the tension times the number of surfaces, of which there are two.
        found |= {"surface_tension": 0.5 * pressure[0] * BAR_NM_TO_MN_M, "pressure": pressure[1]}
    else:
        if len(pressure) == 3 and pressure[0] != pressure[1]:
            raise InputFileError(f"ref_p {pressure[0]:g} along x and {pressure[1]:g} along y: they must be equal")
        found["pressure"] = pressure[0]
        if pressure[-1] != pressure[0]:
            found["pressure_z"] = pressure[-1]
    if len(compressibility) == 3 and compressibility[0] != compressibility[1]:
        raise InputFileError("the compressibilities along x and y must be equal")
    found["compressibility"] = compressibility[0]
    if compressibility[-1] != compressibility[0]:
        found["compressibility_z"] = compressibility[-1]
    return found
