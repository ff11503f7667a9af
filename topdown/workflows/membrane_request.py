"""What a membrane is asked to be, read from the words of the command line."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from topdown.errors import InputFileError, SettingsError

_NANOSECONDS: Final = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3}
PLACES: Final = ("interface", "water", "core")

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembraneRequest:
    """Everything that decides a membrane run.

    Attributes
    ----------
    lipids, lower_lipids : tuple of (str, float)
        Curated models and their shares in the upper and lower leaflet; ``lower_lipids`` empty: both alike.
    table : str
        Bead table, by name or folder.
    size : (float, float, float)
        Edges of the box [nm].
    smiles, solute_name : str
        Molecule to put in, if any, and its name in the files.
    count : int
        How many of it.
    place : str
        ``"interface"``, ``"water"``, ``"core"``, or a distance from the middle plane in nm as text.
    salt : float
        [mol/l]
    temperature : float
        [K]
    relax_ns : float
        Length of the run at 20 fs [ns]; 0 to stop after minimisation.
    frame_ps : float
        Time between frames kept for the averages [ps].
    seed : int
    """

    lipids: Shares
    lower_lipids: Shares = ()
    table: str = "martini3"
    size: tuple[float, float, float] = (6.0, 6.0, 8.0)
    smiles: str = ""
    solute_name: str = "MOL"
    count: int = 1
    place: str = "interface"
    salt: float = 0.15
    temperature: float = 310.0
    relax_ns: float = 2.0
    frame_ps: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 1000:
            raise SettingsError(f"the temperature must be between 0 and 1000 K, got {self.temperature:g}")
        if not 0 <= self.relax_ns < 1e6:
            raise SettingsError(f"the length of the relaxation must be 0 or more ns, got {self.relax_ns:g}")
        if self.count < 1:
            raise SettingsError(f"--count must be at least 1, got {self.count}")
        if self.seed < 0:
            raise SettingsError(f"--seed must not be negative, got {self.seed}")
        if not self.frame_ps > 0:
            raise SettingsError(f"the time between frames must be positive, got {self.frame_ps:g} ps")
        self.depth()

    def depth(self) -> float | str:
        """Where the solute goes: a name, or its distance from the middle plane [nm]."""
        if self.place in PLACES:
            return self.place
        try:
            value = float(self.place)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise SettingsError(f"--place {self.place!r} is no place", hint="interface, water, core, or a depth in nm")
        return value

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data

    def same_run(self, other: MembraneRequest) -> str:
        """Name of the first setting in which ``other`` is another run, or ``""``; the length may differ."""
        mine, theirs = self.as_json(), replace(other, relax_ns=self.relax_ns).as_json()
        return next((name for name in mine if mine[name] != theirs[name]), "")


def request_from_json(path: Path) -> MembraneRequest:
    """Read back what :meth:`MembraneRequest.as_json` gave.

    Raises
    ------
    InputFileError
        A file that is missing or not such a request.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))["request"]
        known = {field.name for field in fields(MembraneRequest)}
        values = {name: value for name, value in data.items() if name in known}
        for name in ("lipids", "lower_lipids"):
            values[name] = tuple((str(lipid), float(share)) for lipid, share in values[name])
        values["size"] = tuple(float(edge) for edge in values["size"])
        return MembraneRequest(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputFileError(f"no membrane run to continue: {error}", where=str(path)) from None


def parse_lipids(text: str, *, option: str = "--lipids") -> Shares:
    """``"POPC:7,CHOL:3"`` → names and shares; a share that is not given is 1.

    Raises
    ------
    SettingsError
        An empty list, a share that is not a positive number, a lipid named twice.
    """
    shares: list[tuple[str, float]] = []
    for part in text.split(","):
        name, colon, share = (word.strip() for word in part.partition(":"))
        if not name:
            raise SettingsError(f"{option} {text!r} has an empty entry", hint="for instance POPC:7,DOPE:3")
        try:
            value = float(share) if colon else 1.0
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise SettingsError(f"{option}: the share {share!r} of {name} is not a positive number")
        if any(name.casefold() == known.casefold() for known, _ in shares):
            raise SettingsError(f"{option}: {name} is named twice")
        shares.append((name, value))
    return tuple(shares)


def parse_size(text: str, *, option: str = "--size") -> tuple[float, float, float]:
    """``"6x6x8"`` → (6.0, 6.0, 8.0) [nm]; a cross or an asterisk does as well as an x.

    Raises
    ------
    SettingsError
        Not three positive numbers.
    """
    try:
        edges = tuple(float(word) for word in re.split(r"[xX×*]", text.strip().removesuffix("nm")))
    except ValueError:
        edges = ()
    if len(edges) != 3 or not all(0 < edge <= 1000 for edge in edges):
        raise SettingsError(f"{option} {text!r} is not three lengths in nm", hint="for instance 6x6x8")
    return edges[0], edges[1], edges[2]


def parse_duration(text: str, *, option: str = "--relax") -> float:
    """``"2ns"``, ``"500ps"`` or ``"1us"`` → nanoseconds; 0 needs no unit.

    Raises
    ------
    SettingsError
        No number, or no unit of time.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(fs|ps|ns|us|µs|μs)?\s*", text)
    if match is None or (match[2] is None and float(match[1]) != 0):
        raise SettingsError(f"{option} {text!r} is not a length of time", hint="for instance 2ns or 500ps")
    unit = (match[2] or "ns").replace("µ", "u").replace("μ", "u")
    return float(match[1]) * _NANOSECONDS[unit]
