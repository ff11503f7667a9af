"""The ``[checks]`` section of a campaign file: what is simulated with the new table and reported, and never fitted."""

from __future__ import annotations

from dataclasses import dataclass

from topdown.calibration.campaign_sections import Section, real_number

#: Fewest steps of a run that diffusion, or an area, is measured in: 0.5 ns.
FEWEST_STEPS = 25_000
#: Fewest steps of a run, and fewest unit cells across a crystal, that a melting point is measured in.
FEWEST_MELTING_STEPS, FEWEST_CELLS = 1_000, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionCheckEntry:
    """A ``[[checks.diffusion]]`` section: self-diffusion of one liquid.

    Attributes
    ----------
    liquid : str
    temperature : float or None
        [K]; that of the campaign when None.
    value, uncertainty : float or None
        Measured coefficient [10⁻⁹ m²/s]; from the data when None.
    viscosity : float or None
        Of the model liquid [mPa s]; from its own run when None.
    """

    liquid: str
    temperature: float | None
    value: float | None
    uncertainty: float | None
    viscosity: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureCheckEntry:
    """A ``[[checks.mixture]]`` section: one liquid in another.

    Attributes
    ----------
    solute, solvent : str
    temperature : float or None
        [K]; that of the campaign when None.
    value, uncertainty : float or None
        Measured log10 of the saturated concentration of the solute [mol/l]; from the data when None.
    """

    solute: str
    solvent: str
    temperature: float | None
    value: float | None
    uncertainty: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BilayerCheckEntry:
    """A ``[[checks.bilayer]]`` section: the area per lipid of a bilayer of one lipid.

    Attributes
    ----------
    lipid : str
        A model of the table, or what to call the lipid of ``smiles``.
    smiles : str
        Empty where the lipid is a model of the table.
    n_lipids : int
        In both leaflets together.
    temperature : float or None
        [K]; that of the campaign when None.
    value, uncertainty : float or None
        Measured area per lipid [nm²]; from the data when None.
    """

    lipid: str
    smiles: str
    n_lipids: int
    temperature: float | None
    value: float | None
    uncertainty: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeltingCheckEntry:
    """A ``[[checks.melting]]`` section: the melting point of one liquid of single beads.

    Attributes
    ----------
    liquid : str
    value, uncertainty : float or None
        Measured melting point [K]; not compared when None.
    """

    liquid: str
    value: float | None
    uncertainty: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksEntry:
    """The whole section.

    Attributes
    ----------
    diffusion : tuple of DiffusionCheckEntry
    diffusion_steps : int
        Steps of 20 fs of each of their runs.
    mixtures : tuple of MixtureCheckEntry
    bilayers : tuple of BilayerCheckEntry
    bilayer_steps : int
        Steps of 20 fs of each of their runs.
    melting : tuple of MeltingCheckEntry
    melting_of_all : bool
        Of every liquid of single beads that the campaign simulates.
    melting_runs, melting_steps, melting_cells : int
        Runs at each temperature, longest of them in steps of 20 fs, and unit cells across their crystals.
    """

    diffusion: tuple[DiffusionCheckEntry, ...] = ()
    diffusion_steps: int = 100_000
    mixtures: tuple[MixtureCheckEntry, ...] = ()
    bilayers: tuple[BilayerCheckEntry, ...] = ()
    bilayer_steps: int = 500_000
    melting: tuple[MeltingCheckEntry, ...] = ()
    melting_of_all: bool = False
    melting_runs: int = 3
    melting_steps: int = 20_000
    melting_cells: int = 5


def read_checks(section: Section) -> ChecksEntry:
    """The section ``[checks]``; empty when the campaign has none.

    Raises
    ------
    InputFileError
        An unknown key, a value of the wrong kind, or what is checked twice at one temperature.
    """
    known = ChecksEntry()
    of_all = section.data.get("melting") == "all"
    found = ChecksEntry(
        diffusion=tuple(_diffusion(s) for s in section.sections("diffusion")),
        diffusion_steps=section.whole("diffusion_steps", known.diffusion_steps, least=FEWEST_STEPS),
        mixtures=tuple(_mixture(s) for s in section.sections("mixture")),
        bilayers=tuple(_bilayer(s) for s in section.sections("bilayer")),
        bilayer_steps=section.whole("bilayer_steps", known.bilayer_steps, least=FEWEST_STEPS),
        melting=() if of_all else tuple(_melting(s) for s in _melting_sections(section)),
        melting_of_all=of_all,
        melting_runs=section.whole("melting_runs", known.melting_runs),
        melting_steps=section.whole("melting_steps", known.melting_steps, least=FEWEST_MELTING_STEPS),
        melting_cells=section.whole("melting_cells", known.melting_cells, least=FEWEST_CELLS),
    )
    section.taken.append("melting")
    section.close()
    for kind, settings, wanted in (
        ("diffusion", ("steps",), found.diffusion),
        ("bilayer", ("steps",), found.bilayers),
        ("melting", ("runs", "steps", "cells"), of_all or found.melting),
    ):
        unused = next((f"{kind}_{name}" for name in settings if f"{kind}_{name}" in section.data), None)
        if unused and not wanted:
            raise section.fail(unused, "does nothing", f"add [[checks.{kind}]]")
    for key, what, names in (
        ("diffusion", "liquid", [(entry.liquid, entry.temperature) for entry in found.diffusion]),
        ("mixture", "pair of liquids", [(entry.solute, entry.solvent, entry.temperature) for entry in found.mixtures]),
        ("bilayer", "lipid", [(entry.lipid, entry.temperature) for entry in found.bilayers]),
        ("melting", "liquid", [(entry.liquid,) for entry in found.melting]),
    ):
        if len(set(names)) < len(names):
            raise section.fail(key, f"names a {what} twice", "keep one of them")
    return found


def _diffusion(section: Section) -> DiffusionCheckEntry:
    value, uncertainty = _positive(section, "value"), _positive(section, "uncertainty")
    entry = DiffusionCheckEntry(
        liquid=section.text("liquid"),
        temperature=_positive(section, "temperature"),
        value=value,
        uncertainty=uncertainty,
        viscosity=_positive(section, "viscosity"),
    )
    section.close()
    _both_or_neither(section, value, uncertainty)
    return entry


def _mixture(section: Section) -> MixtureCheckEntry:
    value, uncertainty = section.optional("value", real_number, "a number"), _positive(section, "uncertainty")
    entry = MixtureCheckEntry(
        solute=section.text("solute"),
        solvent=section.text("solvent"),
        temperature=_positive(section, "temperature"),
        value=value,
        uncertainty=uncertainty,
    )
    section.close()
    _both_or_neither(section, value, uncertainty)
    if entry.solute == entry.solvent:
        raise section.fail("solvent", f"is the same liquid as the solute: {entry.solute!r}")
    return entry


def _bilayer(section: Section) -> BilayerCheckEntry:
    value, uncertainty = _positive(section, "value"), _positive(section, "uncertainty")
    entry = BilayerCheckEntry(
        lipid=section.text("lipid"),
        smiles=section.text("smiles", ""),
        n_lipids=section.whole("n_lipids", 128, least=2),
        temperature=_positive(section, "temperature"),
        value=value,
        uncertainty=uncertainty,
    )
    section.close()
    _both_or_neither(section, value, uncertainty)
    return entry


def _melting_sections(section: Section) -> list[Section]:
    if isinstance(section.data.get("melting"), str):
        raise section.fail("melting", 'must be "all", or sections [[checks.melting]]')
    return section.sections("melting")


def _melting(section: Section) -> MeltingCheckEntry:
    value, uncertainty = _positive(section, "value"), _positive(section, "uncertainty")
    entry = MeltingCheckEntry(liquid=section.text("liquid"), value=value, uncertainty=uncertainty)
    section.close()
    _both_or_neither(section, value, uncertainty)
    return entry


def _both_or_neither(section: Section, value: float | None, uncertainty: float | None) -> None:
    if (value is None) != (uncertainty is None):
        raise section.fail("value" if value is None else "uncertainty", "is missing", "give both or neither")


def _positive(section: Section, key: str) -> float | None:
    return section.optional(key, lambda v: real_number(v, 0.0), "a number above 0")
