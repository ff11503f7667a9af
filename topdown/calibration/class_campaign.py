"""A campaign that makes a table of classes: TOML, in which every key is known or refused. ``docs/topdown1.md`` describes it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from topdown.calibration.campaign_sections import Section, load_toml, real_number
from topdown.calibration.class_liquids import MODEL_ERROR, USUAL_PRIOR, FactorPrior, Quantity
from topdown.errors import InputFileError
from topdown.model.bead_table import BondLengths
from topdown.tables.folder import BOND_LENGTHS

#: Prior standard deviations of the fit to further phases where a campaign says none.
FURTHER_WIDTHS: Final = (0.3, 0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPhase:
    """A phase the table is fitted to.

    Attributes
    ----------
    name : str
    contents : tuple of int
        Molecules of each component in the box.
    family : tuple of str
        Phases whose data stand in for this one where a molecule has none of its own.
    model_error : float
        How far a model of this resolution may stay from the truth [kJ/mol].
    n_shapes : int, optional
        How many of the campaign's shapes are sampled in it; default all.
    """

    name: str
    contents: tuple[int, ...]
    family: tuple[str, ...]
    model_error: float
    n_shapes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidStage:
    """The fit of pairs of classes to pure liquids.

    Attributes
    ----------
    densities, tensions : int
        Liquids whose density is fitted, and how many of them with their surface tension.
    rounds : int
        Simulations of all of them.
    steps : int
        Of one run of a density; a surface tension takes twice as many.
    seed : int
    always : tuple of str
        SMILES of liquids whose density and surface tension are fitted beside those chosen.
    start : str
        File beside the campaign with the factors of the first round; empty for none.
    last_step : bool
        Whether factors follow from the last round by one more step, with which no liquid has been simulated, or are the best
        of those that were.
    volumes : bool
        Whether types come in several volumes (:mod:`topdown.mapping.bead_volume`).
    density_error, tension_error : float
        What a model of this resolution may miss, relative.
    prior : FactorPrior
    """

    densities: int
    tensions: int
    rounds: int
    steps: int
    seed: int
    always: tuple[str, ...] = ()
    start: str = ""
    last_step: bool = False
    volumes: bool = False
    density_error: float = MODEL_ERROR["density"]
    tension_error: float = MODEL_ERROR["surface_tension"]
    prior: FactorPrior = USUAL_PRIOR

    @property
    def model_error(self) -> dict[Quantity, float]:
        """By quantity."""
        return {"density": self.density_error, "surface_tension": self.tension_error}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCampaign:
    """What the campaign file says.

    Attributes
    ----------
    path : Path
    name, parent : str
    temperature : float
        [K]
    solvents : tuple of str
        Solvent bead types that strengths refer to.
    base : tuple of float
        Place with each of them before anything is known.
    kept : tuple of str
        Further bead types of the parent that the table keeps: other solvents are made of them.
    phases : tuple of CampaignPhase
        Water among them.
    further : tuple of CampaignPhase
        Phases that classes, once made, are fitted to (:mod:`topdown.calibration.class_further`).
    hydration_error : float
        Model error of hydration free energies [kJ/mol].
    n_shapes : int
        How many of the shapes beside the file are sampled, in their order.
    tolerance : float
        Largest difference of a distance between a molecule and the shape that stands for it [nm].
    bond_lengths : {"centres", "surface"}
        Of molecules, in the campaign and in the table it makes.
    sampling_error : float
        Standard error at which the sampling of each end of each shape ends [kJ/mol].
    seed : int
    n_classes : int
    width, class_width : float
        Prior standard deviations of the weights of features, and of the places of classes about their centroids.
    correlated : bool
        Whether weights with the several solvents are correlated (:func:`topdown.calibration.class_fit.fit_continuous`).
    class_start : str
        File beside the campaign with names and centroids that the classes start from; empty for none.
    further_widths : tuple of float
        Prior standard deviations of the fit to further phases: of the elements of the map, and of deviations of classes.
    liquids : LiquidStage or None
    """

    path: Path
    name: str
    parent: str
    temperature: float
    solvents: tuple[str, ...]
    base: tuple[float, ...]
    phases: tuple[CampaignPhase, ...]
    hydration_error: float
    n_shapes: int
    tolerance: float
    bond_lengths: BondLengths
    sampling_error: float
    seed: int
    n_classes: int
    width: float
    class_width: float
    correlated: bool = False
    class_start: str = ""
    kept: tuple[str, ...] = ()
    further: tuple[CampaignPhase, ...] = ()
    further_widths: tuple[float, float] = FURTHER_WIDTHS
    liquids: LiquidStage | None = None

    @property
    def all_phases(self) -> tuple[CampaignPhase, ...]:
        """Those that classes are made with, then the further ones."""
        return (*self.phases, *self.further)


def is_class_campaign(path: Path | str) -> bool:
    """Whether a campaign file says ``kind = "classes"``; False for what cannot be read."""
    try:
        return load_toml(Path(path)).get("kind") == "classes"
    except InputFileError:
        return False


def read_class_campaign(path: Path | str) -> ClassCampaign:
    """Read and check a campaign file.

    Raises
    ------
    InputFileError
        Missing or unreadable file, broken TOML, an unknown or missing key, or a value of the wrong kind.
    """
    path = Path(path)
    top = Section(load_toml(path), path, "")
    top.choice("kind", ("classes",), "classes")
    shapes, sampling, fit = (top.section(key) for key in ("shapes", "sampling", "fit"))
    solvents = top.take("solvents", _texts, "a list of bead types")
    phases = tuple(_phase(section) for section in top.sections("phases"))
    further = tuple(_phase(section) for section in top.sections("further"))
    liquids = top.section("liquids") if "liquids" in top.data else None
    campaign = ClassCampaign(
        path=path,
        name=top.text("name"),
        parent=top.text("parent"),
        temperature=top.number("temperature", 298.15, above=0.0),
        solvents=solvents,
        base=top.take("base", _numbers, "a list of numbers"),
        kept=top.take("kept", _texts, "a list of bead types", ()),
        phases=phases,
        further=further,
        hydration_error=top.number("hydration_error", above=0.0),
        n_shapes=shapes.take("first", _count, "a whole number of at least 1"),
        tolerance=shapes.number("tolerance", above=0.0),
        bond_lengths=cast(BondLengths, shapes.choice("bond_lengths", BOND_LENGTHS, "centres")),
        sampling_error=sampling.number("error", above=0.0),
        seed=sampling.whole("seed", 1, least=0),
        n_classes=fit.take("classes", _count, "a whole number of at least 1"),
        width=fit.number("width", above=0.0),
        class_width=fit.number("class_width", above=0.0),
        correlated=fit.flag("correlated", False),
        class_start=fit.text("start", ""),
        further_widths=fit.take("further_widths", _widths, "two numbers above 0, for map and classes", FURTHER_WIDTHS),
        liquids=None if liquids is None else _liquids(liquids),
    )
    for section in (top, shapes, sampling, fit):
        section.close()
    twice = [name for name, n in Counter(p.name for p in campaign.all_phases).items() if n > 1]
    if twice:
        raise InputFileError(f"phases given twice: {', '.join(twice)}", where=str(path))
    if "water" not in {p.name for p in phases}:
        raise InputFileError(
            "water is not among the phases", where=str(path), hint="free energies are from or to water"
        )
    if len(campaign.base) != len(solvents):
        raise InputFileError(f"{len(campaign.base)} values of base for {len(solvents)} solvents", where=str(path))
    return campaign


def _phase(section: Section) -> CampaignPhase:
    found = CampaignPhase(
        name=section.text("name"),
        contents=section.take("contents", _counts, "a list of whole numbers of molecules"),
        family=section.take("family", _texts, "a list of phases", ()),
        model_error=section.number("model_error", 0.0),
        n_shapes=section.optional("shapes", _count, "a whole number of at least 1"),
    )
    section.close()
    return found


def _liquids(section: Section) -> LiquidStage:
    densities = section.whole("densities", 120)
    usual, expected = USUAL_PRIOR, "two numbers above 0, for ln σ and ln ε"
    found = LiquidStage(
        densities=densities,
        tensions=section.whole("tensions", densities // 2, least=0),
        rounds=section.whole("rounds", 3),
        steps=section.whole("steps", 10_000, least=2000),
        seed=section.whole("seed", 1, least=0),
        always=section.take("always", _texts, "a list of SMILES", ()),
        start=section.text("start", ""),
        last_step=section.flag("last_step", False),
        volumes=section.flag("volumes", False),
        density_error=section.number("density_error", MODEL_ERROR["density"], above=0.0),
        tension_error=section.number("tension_error", MODEL_ERROR["surface_tension"], above=0.0),
        prior=FactorPrior(
            places=section.take("place_widths", _widths, expected, usual.places),
            classes=section.take("class_widths", _widths, expected, usual.classes),
            sizes=section.take("size_widths", _widths, expected, usual.sizes),
            volumes=section.take("volume_widths", _widths, expected, usual.volumes),
        ),
    )
    section.close()
    return found


def _widths(value: Any) -> tuple[float, float] | None:
    found = _numbers(value)
    return (found[0], found[1]) if found and len(found) == 2 and min(found) > 0.0 else None


def _texts(value: Any) -> tuple[str, ...] | None:
    ok = isinstance(value, list) and all(isinstance(v, str) and v for v in value)
    return tuple(value) if ok else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    ok = isinstance(value, list) and all(real_number(v, -math.inf) is not None for v in value)
    return tuple(float(v) for v in value) if ok else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _counts(value: Any) -> tuple[int, ...] | None:
    ok = isinstance(value, list) and value and all(_count(v) is not None for v in value)
    return tuple(value) if ok else None
