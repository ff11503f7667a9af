"""What a membrane is asked to be, read from the words of the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from topdown.errors import InputFileError, SettingsError

_NANOSECONDS: Final = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3}
PLACES: Final = ("interface", "water", "core")
#: A run until the box is steady ends here if it never is [ns].
STEADY_LIMIT: Final = 10.0

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoluteRequest:
    """A molecule that is put into the membrane.

    Attributes
    ----------
    source : str
        SMILES, or the name of an ``.itp`` file.
    name : str
        What it is called in the files.
    count : int
    place : str
        ``"interface"``, ``"water"``, ``"core"``, or ``"depth=1.2nm"``: a distance from the middle plane.
    """

    source: str
    name: str = "MOL"
    count: int = 1
    place: str = "interface"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingsError(f"--count must be at least 1, got {self.count}")
        self.depth()

    def depth(self) -> float | str:
        """Where it goes: a name, or its distance from the middle plane [nm]."""
        if self.place in PLACES:
            return self.place
        match = re.fullmatch(r"(?:depth\s*=)?\s*([0-9]*\.?[0-9]+)\s*(?:nm)?", self.place.strip())
        if match is None:
            near = get_close_matches(self.place.lower(), PLACES, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else "interface, water, core, or for instance depth=1.2nm"
            raise SettingsError(f"--place {self.place!r} is no place", hint=hint)
        return float(match[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class MembraneRequest:
    """Everything that decides a membrane run.

    Attributes
    ----------
    lipids, lower_lipids : tuple of (str, float)
        Lipids and their shares in the upper and lower leaflet; ``lower_lipids`` empty: both alike.
    own_lipids : tuple of (str, str)
        Lipids that are not curated models of the table: name, and SMILES or the name of an ``.itp`` file.
    areas : tuple of (str, float)
        Areas [nm²] that lipids start with, where they are not to be those of the table of areas.
    solutes : tuple of SoluteRequest
    table : str
        Bead table, by name or folder.
    size : (float, float, float)
        Edges of the box [nm].
    salt : float
        [mol/l]
    temperature : float
        [K]
    relax_ns : float
        Length of the run at 20 fs [ns], or the longest if it may end before; 0 to stop after minimisation.
    until_steady : bool
        End the run as soon as the area of the box is steady.
    frame_ps : float
        Time between frames kept for the averages [ps].
    seed : int
    """

    lipids: Shares
    lower_lipids: Shares = ()
    own_lipids: tuple[tuple[str, str], ...] = ()
    areas: Shares = ()
    solutes: tuple[SoluteRequest, ...] = ()
    table: str = "martini3"
    size: tuple[float, float, float] = (6.0, 6.0, 8.0)
    salt: float = 0.15
    temperature: float = 310.0
    relax_ns: float = 2.0
    until_steady: bool = False
    frame_ps: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 200.0 <= self.temperature <= 500.0:
            raise SettingsError(f"a temperature of {self.temperature:g} K is out of range", hint="200 to 500 K")
        if not 0 <= self.relax_ns < 1e6:
            raise SettingsError(f"the length of the relaxation must be 0 or more ns, got {self.relax_ns:g}")
        if self.seed < 0:
            raise SettingsError(f"--seed must not be negative, got {self.seed}")
        if not self.frame_ps > 0:
            raise SettingsError(f"the time between frames must be positive, got {self.frame_ps:g} ps")
        names = [solute.name.casefold() for solute in self.solutes]
        names += {name.casefold() for name, _ in (*self.lipids, *self.lower_lipids)}
        twice = next((name for name in names if names.count(name) > 1), "")
        if twice:
            raise SettingsError(f"two molecules are called {twice.upper()}", hint="name the solutes with --name A,B")

    def lipid_names(self) -> tuple[str, ...]:
        """Each lipid once, those of the upper leaflet first."""
        return tuple(dict.fromkeys(name for name, _ in (*self.lipids, *self.lower_lipids)))

    def as_json(self) -> dict[str, Any]:
        """Plain values, for files."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data

    def same_run(self, other: MembraneRequest) -> str:
        """Name of the first setting in which ``other`` is another run, or ``""``; the length may differ."""
        alike = replace(other, relax_ns=self.relax_ns, until_steady=self.until_steady)
        mine, theirs = self.as_json(), alike.as_json()
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
        for name in ("lipids", "lower_lipids", "areas"):
            values[name] = tuple((str(lipid), float(share)) for lipid, share in values[name])
        values["own_lipids"] = tuple((str(name), str(source)) for name, source in values["own_lipids"])
        values["solutes"] = tuple(SoluteRequest(**solute) for solute in values["solutes"])
        values["size"] = tuple(float(edge) for edge in values["size"])
        return MembraneRequest(**values)
    except FileNotFoundError:
        raise InputFileError(
            "there is no membrane run to continue", where=str(path.parent), hint="start it without --continue"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputFileError(
            "there is no membrane run to continue: its request is damaged",
            where=str(path),
            hint="start anew with --overwrite",
        ) from None


def parse_solutes(
    sources: Sequence[str], *, names: str = "", counts: str = "1", places: str = "interface"
) -> tuple[SoluteRequest, ...]:
    """Molecules with their names, counts and places; each of the three is one word for all, or as many as there are molecules.

    Parameters
    ----------
    sources : sequence of str
        SMILES or names of ``.itp`` files.
    names, counts, places : str
        Words between commas. Without names: the stem of a file, ``MOL``, or ``MOL1``, ``MOL2``… for several.

    Raises
    ------
    SettingsError
        Too few or too many words, a count that is no number, or a place that is none.
    """

    def spread(text: str, option: str) -> list[str]:
        words = [word.strip() for word in text.split(",")]
        if len(words) not in (1, len(sources)):
            raise SettingsError(
                f"{option} {text!r} has {len(words)} entries for {len(sources)} molecule{'s' * (len(sources) != 1)}",
                hint="one for all, or one for each in their order",
            )
        return words * len(sources) if len(words) == 1 else words

    if not sources:
        if names or counts != "1" or places != "interface":
            raise SettingsError("--name, --count and --place are for molecules, and none is given", hint="add a SMILES")
        return ()
    if names:
        chosen = spread(names, "--name") if len(sources) == 1 or "," in names else []
        if not chosen:
            raise SettingsError(
                f"--name {names!r} is one name for {len(sources)} molecules", hint="for instance --name A,B"
            )
    else:
        numbered = [f"MOL{k}" if len(sources) > 1 else "MOL" for k in range(1, len(sources) + 1)]
        chosen = [Path(source).stem if is_itp(source) else name for source, name in zip(sources, numbered)]
    counted = []
    for word in spread(counts, "--count"):
        if not word.isdecimal() or int(word) < 1:
            raise SettingsError(f"--count {word!r} is not a number of molecules", hint="for instance 4, or 4,2")
        counted.append(int(word))
    return tuple(
        SoluteRequest(source=source, name=name, count=count, place=place)
        for source, name, count, place in zip(sources, chosen, counted, spread(places, "--place"))
    )


def is_itp(source: str) -> bool:
    """Whether a molecule is given by a file and not by SMILES."""
    return source.lower().endswith(".itp")


def parse_own_lipids(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``"NAME=SMILES"`` or ``"NAME=FILE.itp"`` → (name, source).

    Raises
    ------
    SettingsError
        No name, nothing behind it, or a name given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        name, source = name.strip(), source.strip()
        if not (equals and source and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
            raise SettingsError(
                f"--lipid {text!r} is not NAME=SMILES or NAME=FILE.itp", hint="letters and digits in NAME"
            )
        if name.casefold() in (known.casefold() for known in found):
            raise SettingsError(f"--lipid: {name} is given twice")
        found[name] = source
    return tuple(found.items())


def parse_areas(text: str) -> Shares:
    """``"POPC=0.64,CHOL=0.38"`` → names and areas [nm²].

    Raises
    ------
    SettingsError
        Not of that form, or an area that no lipid has.
    """
    areas = []
    for part in text.split(",") if text else ():
        name, _, value = (word.strip() for word in part.partition("="))
        try:
            area = float(value.removesuffix("nm2").removesuffix("nm²"))
        except ValueError:
            area = 0.0
        if not (name and 0.1 <= area <= 10):
            raise SettingsError(f"--area {part!r} is not NAME=AREA in nm²", hint="for instance POPC=0.64,CHOL=0.38")
        areas.append((name, area))
    return tuple(areas)


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
            raise SettingsError(
                f"{option}: the share {share!r} of {name} is not a positive number", hint="for instance POPC:7,DOPE:3"
            )
        if any(name.casefold() == known.casefold() for known, _ in shares):
            raise SettingsError(f"{option}: {name} is named twice")
        shares.append((name, value))
    return tuple(shares)


def parse_relaxation(text: str) -> tuple[float, bool]:
    """``"5ns"`` → (5.0, False); ``"steady"`` → (:data:`STEADY_LIMIT`, True); ``"steady:20ns"`` → (20.0, True): longest run
    [ns], and whether it ends as soon as the box is steady.

    Raises
    ------
    SettingsError
        Neither.
    """
    word, colon, limit = (part.strip() for part in text.partition(":"))
    if word == "steady":
        return (parse_duration(limit) if colon else STEADY_LIMIT), True
    if get_close_matches(word, ["steady"], cutoff=0.7):
        raise SettingsError(f"--relax {text!r} is not a length of time", hint="did you mean steady?")
    return parse_duration(text, example="steady, 5ns or 0"), False


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


def parse_duration(text: str, *, option: str = "--relax", example: str = "2ns or 500ps") -> float:
    """``"2ns"``, ``"500ps"`` or ``"1us"`` → nanoseconds; 0 needs no unit.

    Raises
    ------
    SettingsError
        No number, or no unit of time.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(fs|ps|ns|us|µs|μs)?\s*", text)
    if match is None or (match[2] is None and float(match[1]) != 0):
        raise SettingsError(f"{option} {text!r} is not a length of time", hint=f"for instance {example}")
    unit = (match[2] or "ns").replace("µ", "u").replace("μ", "u")
    return float(match[1]) * _NANOSECONDS[unit]
