"""A campaign file: TOML, in which every key is known or refused. ``docs/calibration.md`` describes it."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from topdown.calibration.parameters import Scale
from topdown.calibration.targets import Split
from topdown.errors import InputFileError

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterEntry:
    """A ``[[parameters]]`` section: one free ε."""

    pair: tuple[str, str]
    prior_width: float
    bounds: tuple[float, float] | None
    scale: Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEntry:
    """A ``[[targets.transfer]]`` section: ΔG(from→to) of one solute [kJ/mol]."""

    name: str
    smiles: str
    model: str
    origin: str
    destination: str
    value: float | None
    uncertainty: float | None
    model_error: float
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityEntry:
    """A ``[[targets.density]]`` section: density of one liquid [kg/m³]."""

    liquid: str
    value: float | None
    uncertainty: float | None
    model_error: float
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """The ``[sampling]`` section.

    Attributes
    ----------
    lambdas : tuple of float
    n_steps, n_equilibration, every : int
        Steps of production and equilibration of each λ window or liquid, and between stored frames.
    n_beads : int
        Size of every box: as many solvent molecules as make at least this many beads.
    seed : int
    """

    lambdas: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
    n_steps: int = 40_000
    n_equilibration: int = 10_000
    every: int = 50
    n_beads: int = 400
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """The ``[optimizer]`` section.

    Attributes
    ----------
    max_rounds : int
        Most rounds of simulation.
    ess_threshold : float
        Effective samples every phase must keep for a step to be trusted.
    tolerance : float
        A fit ends when its step is shorter than this many posterior standard deviations.
    """

    max_rounds: int = 4
    ess_threshold: float = 50.0
    tolerance: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign file says, checked but not yet resolved into molecules and numbers.

    Attributes
    ----------
    path : Path
    name : str
        Also the name of the table that results.
    table : str
        Start table, by name or folder.
    temperature, pressure : float
        [K], [bar]
    phases : tuple of (str, str)
        Names of phases and the curated models that stand for them, where the names alone do not tell.
    parameters, transfers, densities : tuples of entries
    sampling : SamplingSettings
    optimizer : OptimizerSettings
    """

    path: Path
    name: str
    table: str
    temperature: float
    pressure: float
    phases: tuple[tuple[str, str], ...]
    parameters: tuple[ParameterEntry, ...]
    transfers: tuple[TransferEntry, ...]
    densities: tuple[DensityEntry, ...]
    sampling: SamplingSettings
    optimizer: OptimizerSettings


class _Section:
    """One table of the file: keys are taken one by one, and :meth:`close` refuses what nobody took."""

    def __init__(self, data: dict[str, Any], path: Path, title: str) -> None:
        self.data, self.path, self.title = data, path, title
        self.taken: list[str] = []

    def fail(self, key: str, message: str, hint: str = "") -> InputFileError:
        label = f"{self.title}.{key}" if self.title else key
        return InputFileError(f"{label} {message}", where=str(self.path), hint=hint)

    def take(self, key: str, check: Callable[[Any], T | None], expected: str, default: T | None = None) -> T:
        """The value of ``key`` after ``check``, which returns None for a wrong value; required without ``default``."""
        self.taken.append(key)
        if key not in self.data:
            if default is None:
                raise self.fail(key, "is missing", f"give {expected}")
            return default
        value = check(self.data[key])
        if value is None:
            raise self.fail(key, f"must be {expected}, not {self.data[key]!r}")
        return value

    def optional(self, key: str, check: Callable[[Any], T | None], expected: str) -> T | None:
        """As :meth:`take`, None when the key is absent."""
        if key not in self.data:
            self.taken.append(key)
            return None
        return self.take(key, check, expected)

    def text(self, key: str, default: str | None = None) -> str:
        return self.take(key, lambda v: v if isinstance(v, str) and (v or default == "") else None, "text", default)

    def number(self, key: str, default: float | None = None, *, above: float = -math.inf) -> float:
        expected = "a number" if above == -math.inf else f"a number above {above:g}"
        return self.take(key, lambda v: _number(v, above), expected, default)

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        def check(value: Any) -> int | None:
            ok = isinstance(value, int) and not isinstance(value, bool) and value >= least
            return value if ok else None

        return self.take(key, check, f"a whole number of at least {least}", default)

    def choice(self, key: str, options: tuple[str, ...], default: str) -> str:
        return self.take(key, lambda v: v if v in options else None, " or ".join(map(repr, options)), default)

    def section(self, key: str) -> _Section:
        nothing: dict[str, Any] = {}
        found = self.take(key, lambda v: v if isinstance(v, dict) else None, f"a section [{key}]", nothing)
        return _Section(found, self.path, f"{self.title}.{key}" if self.title else key)

    def sections(self, key: str) -> list[_Section]:
        title = f"{self.title}.{key}" if self.title else key
        nothing: list[dict[str, Any]] = []

        def check(value: Any) -> list[dict[str, Any]] | None:
            return value if isinstance(value, list) and all(isinstance(v, dict) for v in value) else None

        found = self.take(key, check, f"sections [[{title}]]", nothing)
        return [_Section(entry, self.path, f"{title}[{i + 1}]") for i, entry in enumerate(found)]

    def close(self) -> None:
        for key in self.data:
            if key not in self.taken:
                near = get_close_matches(key, self.taken, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(self.taken)}"
                raise InputFileError(
                    f"unknown key {key!r}{f' in {self.title}' if self.title else ''}", where=str(self.path), hint=hint
                )


def _number(value: Any, above: float = -math.inf) -> float | None:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > above
    return float(value) if ok else None


def _pair(value: Any) -> tuple[str, str] | None:
    ok = isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) and v for v in value)
    return cast("tuple[str, str]", tuple(sorted(value))) if ok else None


def _range(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = (_number(v) for v in value)
    return (low, high) if low is not None and high is not None and 0 <= low < high else None


def _lambdas(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) < 2:
        return None
    numbers = [_number(v) for v in value]
    if any(v is None for v in numbers):
        return None
    grid = tuple(cast("list[float]", numbers))
    return grid if grid[0] == 0.0 and grid[-1] == 1.0 and all(a < b for a, b in pairwise(grid)) else None


def read_campaign(path: Path | str) -> Campaign:
    """Read and check a campaign file.

    Raises
    ------
    InputFileError
        Missing or unreadable file, broken TOML (with the line), unknown key (with the nearest known one), or a value of
        the wrong kind.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise InputFileError("no such file", where=str(path), hint="see examples/ for campaigns") from None
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputFileError(f"broken TOML: {error}", where=str(path), hint="correct this line") from None
    return _campaign(_Section(data, path, ""))


def _campaign(top: _Section) -> Campaign:
    targets = top.section("targets")
    phases = top.section("phases")
    named = tuple((phase, phases.text(phase)) for phase in phases.data)
    campaign = Campaign(
        path=top.path,
        name=top.take("name", _safe_name, "a name of letters, digits, '.', '_' and '-'"),
        table=top.text("table"),
        temperature=top.number("temperature", 298.15, above=0.0),
        pressure=top.number("pressure", 1.0),
        phases=named,
        parameters=tuple(_parameter(s) for s in top.sections("parameters")),
        transfers=tuple(_transfer(s) for s in targets.sections("transfer")),
        densities=tuple(_density(s) for s in targets.sections("density")),
        sampling=_sampling(top.section("sampling")),
        optimizer=_optimizer(top.section("optimizer")),
    )
    targets.close()
    top.close()
    if not campaign.parameters:
        raise top.fail("parameters", "is missing", "add a [[parameters]] section with a pair to fit")
    if "calibration" not in {*(t.split for t in campaign.transfers), *(d.split for d in campaign.densities)}:
        raise top.fail("targets", "holds no calibration target", "add [[targets.transfer]] or [[targets.density]]")
    return campaign


def _safe_name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _parameter(section: _Section) -> ParameterEntry:
    entry = ParameterEntry(
        pair=section.take("pair", _pair, 'two bead types, such as ["C1", "P4"]'),
        prior_width=section.number("prior_width", above=0.0),
        bounds=section.optional("bounds", _range, "two rising numbers [kJ/mol], such as [1.0, 4.0]"),
        scale=cast(Scale, section.choice("scale", ("linear", "log"), "linear")),
    )
    section.close()
    return entry


def _measured(section: _Section) -> tuple[float | None, float | None, float, Split]:
    value = section.optional("value", _number, "a number")
    uncertainty = section.optional("uncertainty", lambda v: _number(v, 0.0), "a number above 0")
    if value is not None and uncertainty is None:
        raise section.fail("uncertainty", "is missing", "a value needs its uncertainty")
    model_error = section.take(
        "model_error", lambda v: n if (n := _number(v)) is not None and n >= 0 else None, "a number of at least 0", 0.0
    )
    split = cast(
        Literal["calibration", "held-out"], section.choice("split", ("calibration", "held-out"), "calibration")
    )
    return value, uncertainty, model_error, split


def _transfer(section: _Section) -> TransferEntry:
    value, uncertainty, model_error, split = _measured(section)
    entry = TransferEntry(
        name=section.text("name", ""),
        smiles=section.text("smiles", ""),
        model=section.text("model", ""),
        origin=section.text("from"),
        destination=section.text("to"),
        value=value,
        uncertainty=uncertainty,
        model_error=model_error,
        split=split,
    )
    section.close()
    if not entry.smiles and not entry.model:
        raise section.fail("smiles", "is missing", "give smiles, or model for a curated molecule")
    if entry.origin == entry.destination:
        raise section.fail("to", f"is the same phase as from: {entry.origin!r}")
    return entry


def _density(section: _Section) -> DensityEntry:
    value, uncertainty, model_error, split = _measured(section)
    entry = DensityEntry(
        liquid=section.text("liquid"), value=value, uncertainty=uncertainty, model_error=model_error, split=split
    )
    section.close()
    return entry


def _sampling(section: _Section) -> SamplingSettings:
    known = SamplingSettings()
    settings = SamplingSettings(
        lambdas=section.take("lambdas", _lambdas, "numbers that rise from 0 to 1", known.lambdas),
        n_steps=section.whole("steps", known.n_steps),
        n_equilibration=section.whole("equilibration_steps", known.n_equilibration, least=0),
        every=section.whole("every", known.every),
        n_beads=section.whole("n_beads", known.n_beads, least=50),
        seed=section.whole("seed", known.seed, least=0),
    )
    section.close()
    if settings.n_steps < 100 * settings.every:
        raise section.fail(
            "steps", f"store only {settings.n_steps // settings.every} frames", "at least 100 are needed"
        )
    return settings


def _optimizer(section: _Section) -> OptimizerSettings:
    known = OptimizerSettings()
    settings = OptimizerSettings(
        max_rounds=section.whole("max_rounds", known.max_rounds),
        ess_threshold=section.number("ess_threshold", known.ess_threshold, above=1.0),
        tolerance=section.number("tolerance", known.tolerance, above=0.0),
    )
    section.close()
    return settings
