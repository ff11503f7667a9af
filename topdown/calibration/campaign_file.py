"""A campaign file: TOML, in which every key is known or refused. ``docs/calibration.md`` describes it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from topdown.calibration.campaign import (
    BlockEntry,
    Campaign,
    GroupEntry,
    LiquidEntry,
    OptimizerSettings,
    ParameterEntry,
    SamplingSettings,
    TransferEntry,
    TypesEntry,
    ValidationSettings,
)
from topdown.calibration.campaign_checks import read_checks
from topdown.calibration.campaign_sections import Section, load_toml, real_number
from topdown.calibration.design import Form, MatrixSettings, SigmaForm
from topdown.calibration.error_model import CostSettings, Loss
from topdown.calibration.parameters import Pair, Scale
from topdown.calibration.targets import Split

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def _pair(value: Any) -> tuple[str, str] | None:
    ok = isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) and v for v in value)
    return cast("tuple[str, str]", tuple(sorted(value))) if ok else None


def _range(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = (real_number(v) for v in value)
    return (low, high) if low is not None and high is not None and 0 <= low < high else None


def _lambdas(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) < 2:
        return None
    numbers = [real_number(v) for v in value]
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
    return _campaign(Section(load_toml(path), path, ""))


def _campaign(top: Section) -> Campaign:
    targets = top.section("targets")
    phases = top.section("phases")
    validation = top.section("validation")
    named = tuple((phase, phases.text(phase)) for phase in phases.data)
    parameters = top.sections("parameters")
    campaign = Campaign(
        path=top.path,
        name=top.take("name", _safe_name, "a name of letters, digits, '.', '_' and '-'"),
        table=top.text("table"),
        temperature=top.number("temperature", 298.15, above=0.0),
        pressure=top.number("pressure", 1.0),
        phases=named,
        parameters=tuple(_parameter(s) for s in parameters if "pairs" not in s.data),
        groups=tuple(_group(s) for s in parameters if "pairs" in s.data),
        matrix=_matrix(top.section("matrix")),
        transfers=tuple(_transfer(s) for s in targets.sections("transfer")),
        densities=tuple(_liquid(s) for s in targets.sections("density")),
        tensions=tuple(_liquid(s) for s in targets.sections("surface_tension")),
        sampling=_sampling(top.section("sampling")),
        optimizer=_optimizer(top.section("optimizer")),
        cost=_cost(top.section("cost")),
        validation=_validation(validation),
        other_properties=validation.flag("other_properties", True),
        budget=_budget(top.section("budget")),
        types=_types(top),
        checks=read_checks(top.section("checks")),
    )
    targets.close()
    validation.close()
    top.close()
    if not (campaign.parameters or campaign.groups or campaign.matrix):
        raise top.fail("parameters", "is missing", "add a [[parameters]] section with a pair to fit, or [matrix]")
    if "calibration" not in {t.split for t in campaign.targets}:
        raise top.fail("targets", "holds no calibration target", "add [[targets.transfer]] or [[targets.density]]")
    return campaign


def _safe_name(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _parameter(section: Section) -> ParameterEntry:
    entry = ParameterEntry(
        pair=section.take("pair", _pair, 'two bead types, such as ["C1", "P4"]'),
        prior_width=section.number("prior_width", above=0.0),
        bounds=section.optional("bounds", _range, "two rising numbers [kJ/mol], such as [1.0, 4.0]"),
        scale=cast(Scale, section.choice("scale", ("linear", "log"), "linear")),
    )
    section.close()
    return entry


def _pairs(value: Any) -> tuple[Pair, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    pairs = [_pair(item) for item in value]
    known = tuple(pair for pair in pairs if pair is not None)
    return known if len(set(known)) == len(pairs) else None


def _factors(section: Section, key: str = "factors", default: tuple[float, float] = (0.5, 2.0)) -> tuple[float, float]:
    def check(value: Any) -> tuple[float, float] | None:
        found = _range(value)
        return found if found is not None and 0.0 < found[0] < 1.0 < found[1] else None

    return section.take(key, check, f"a factor below 1 and one above, such as {list(default)}", default)


def _group(section: Section) -> GroupEntry:
    entry = GroupEntry(
        pairs=section.take("pairs", _pairs, 'different pairs of bead types, such as [["C1", "P4"], ["C2", "P4"]]'),
        name=section.text("name"),
        prior_width=section.number("prior_width", above=0.0),
        factors=_factors(section),
    )
    section.close()
    return entry


def _matrix(section: Section) -> MatrixSettings | None:
    if not section.data:
        return None
    known = MatrixSettings(form="classes")
    nothing: tuple[Pair, ...] = ()
    settings = MatrixSettings(
        form=cast(Form, section.choice("form", ("pairs", "levels", "classes"), known.form)),
        prior_width=section.number("prior_width", known.prior_width, above=0.0),
        size_prior_width=section.take(
            "size_prior_width", _at_least_0, "a number of at least 0", known.size_prior_width
        ),
        slope_prior_width=section.take("slope_prior_width", _at_least_0, "a number of at least 0", 0.0),
        factors=_factors(section),
        also=section.take("also", _pairs, 'different pairs of bead types, such as [["P4", "P4"]]', nothing),
        sigma=cast(SigmaForm, section.choice("sigma", ("off", "sizes", "size-pairs"), known.sigma)),
        sigma_prior_width=section.number("sigma_prior_width", known.sigma_prior_width, above=0.0),
        sigma_factors=_factors(section, "sigma_factors", known.sigma_factors),
        sigma_held=section.take("sigma_held", _pairs, 'different pairs of bead types, such as [["C1", "C1"]]', nothing),
    )
    idle = [key for key in ("sigma_prior_width", "sigma_factors", "sigma_held") if key in section.data]
    section.close()
    if settings.sigma == "off" and idle:
        raise section.fail(idle[0], "does nothing while σ is held", 'add sigma = "sizes" or "size-pairs"')
    return settings


def _at_least_0(value: Any) -> float | None:
    found = real_number(value)
    return found if found is not None and found >= 0.0 else None


class _Measured(TypedDict):
    value: float | None
    uncertainty: float | None
    model_error: float | None
    temperature: float | None
    split: Split


def _measured(section: Section) -> _Measured:
    """What every target may say."""
    value = section.optional("value", real_number, "a number")
    uncertainty = section.optional("uncertainty", lambda v: real_number(v, 0.0), "a number above 0")
    if value is not None and uncertainty is None:
        raise section.fail("uncertainty", "is missing", "a value needs its uncertainty")
    model_error = section.optional("model_error", _at_least_0, "a number of at least 0")
    temperature = section.optional("temperature", lambda v: real_number(v, 0.0), "a number above 0")
    split = cast(
        Literal["calibration", "held-out"], section.choice("split", ("calibration", "held-out"), "calibration")
    )
    return {
        "value": value,
        "uncertainty": uncertainty,
        "model_error": model_error,
        "temperature": temperature,
        "split": split,
    }


def _transfer(section: Section) -> TransferEntry:
    measured = _measured(section)
    entry = TransferEntry(
        name=section.text("name", ""),
        smiles=section.text("smiles", ""),
        model=section.text("model", ""),
        origin=section.text("from"),
        destination=section.text("to"),
        **measured,
    )
    section.close()
    if not entry.smiles and not entry.model:
        raise section.fail("smiles", "is missing", "give smiles, or model for a curated molecule")
    if entry.origin == entry.destination:
        raise section.fail("to", f"is the same phase as from: {entry.origin!r}")
    return entry


def _liquid(section: Section) -> LiquidEntry:
    measured = _measured(section)
    entry = LiquidEntry(
        liquid=section.text("liquid"),
        **measured,
    )
    section.close()
    return entry


def _sampling(section: Section) -> SamplingSettings:
    known = SamplingSettings()
    settings = SamplingSettings(
        lambdas=section.take("lambdas", _lambdas, "numbers that rise from 0 to 1", known.lambdas),
        n_steps=section.whole("steps", known.n_steps),
        n_equilibration=section.whole("equilibration_steps", known.n_equilibration, least=0),
        every=section.whole("every", known.every),
        n_beads=section.whole("n_beads", known.n_beads, least=50),
        seed=section.whole("seed", known.seed, least=0),
        slab_steps=section.whole("slab_steps", known.slab_steps),
        slab_equilibration=section.whole("slab_equilibration_steps", known.slab_equilibration, least=0),
    )
    section.close()
    for key, steps in (("steps", settings.n_steps), ("slab_steps", settings.slab_steps)):
        if steps < 100 * settings.every:
            raise section.fail(key, f"store only {steps // settings.every} frames", "at least 100 are needed")
    return settings


def _optimizer(section: Section) -> OptimizerSettings:
    known = OptimizerSettings()
    settings = OptimizerSettings(
        max_rounds=section.whole("max_rounds", known.max_rounds),
        ess_threshold=section.number("ess_threshold", known.ess_threshold, above=1.0),
        tolerance=section.number("tolerance", known.tolerance, above=0.0),
    )
    section.close()
    return settings


def _cost(section: Section) -> CostSettings:
    known = CostSettings()
    settings = CostSettings(
        loss=cast(Loss, section.choice("loss", ("student", "gauss"), known.loss)),
        correlated=section.flag("correlated", known.correlated),
    )
    section.close()
    return settings


def _validation(section: Section) -> ValidationSettings:
    known = ValidationSettings()
    settings = ValidationSettings(
        folds=section.whole("folds", known.folds, least=2), chemotypes=section.flag("chemotypes", known.chemotypes)
    )
    return settings


def _budget(section: Section) -> int | None:
    def check(value: Any) -> int | None:
        found = real_number(value, 0.0)
        return int(found) if found is not None and found >= 1.0 else None

    budget = section.optional("bead_steps", check, "a number of at least 1, such as 5e9")
    section.close()
    return budget


def _types(top: Section) -> TypesEntry | None:
    if "types" not in top.data:
        return None
    section, known = top.section("types"), TypesEntry()
    found = TypesEntry(
        runners_up=section.whole("runners_up", known.runners_up, least=0),
        least_gain=section.take("least_gain", _at_least_0, "a number of at least 0", known.least_gain),
        blocks=tuple(_block(s) for s in section.sections("block")),
    )
    section.close()
    names = [b.name for b in found.blocks]
    if len(set(names)) < len(names):
        raise section.fail("block", "has two of one name", "give each its own name")
    if not found.blocks and not found.runners_up:
        raise section.fail("runners_up", "is 0 and there is no [[types.block]]", "no type could change")
    return found


def _block(section: Section) -> BlockEntry:
    def beads(value: Any) -> tuple[tuple[str, str], ...] | None:
        known = _words(value)
        parts = [tuple(word.rpartition(":")[::2]) for word in known or ()]
        good = known is not None and all(solute and bead for solute, bead in parts)
        return cast("tuple[tuple[str, str], ...]", tuple(parts)) if good else None

    of = section.take("beads", beads, 'different beads as "SOLUTE:BEAD", such as ["butanol:B2"]')
    entry = BlockEntry(
        name=section.text("name", f"{of[0][0]}:{of[0][1]}"),
        beads=of,
        candidates=section.take("candidates", _words, 'different bead types, such as ["P2", "Nda"]'),
    )
    section.close()
    return entry


def _words(value: Any) -> tuple[str, ...] | None:
    """Different texts, in a list that is not empty."""
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
        return None
    return tuple(value) if len(set(value)) == len(value) else None
