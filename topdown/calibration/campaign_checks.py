"""The ``[checks]`` section of a campaign file: what is simulated with the new table and reported, and never fitted."""

from __future__ import annotations

from dataclasses import dataclass

from topdown.calibration.campaign_sections import Section, real_number

#: Fewest steps of a run that diffusion is measured in: 0.5 ns.
FEWEST_DIFFUSION_STEPS = 25_000


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
class ChecksEntry:
    """The whole section.

    Attributes
    ----------
    diffusion : tuple of DiffusionCheckEntry
    diffusion_steps : int
        Steps of 20 fs of each of their runs.
    mixtures : tuple of MixtureCheckEntry
    """

    diffusion: tuple[DiffusionCheckEntry, ...] = ()
    diffusion_steps: int = 100_000
    mixtures: tuple[MixtureCheckEntry, ...] = ()


def read_checks(section: Section) -> ChecksEntry:
    """The section ``[checks]``; empty when the campaign has none.

    Raises
    ------
    InputFileError
        An unknown key, a value of the wrong kind, or a liquid that is checked twice at one temperature.
    """
    known = ChecksEntry()
    found = ChecksEntry(
        diffusion=tuple(_diffusion(s) for s in section.sections("diffusion")),
        diffusion_steps=section.whole("diffusion_steps", known.diffusion_steps, least=FEWEST_DIFFUSION_STEPS),
        mixtures=tuple(_mixture(s) for s in section.sections("mixture")),
    )
    section.close()
    if "diffusion_steps" in section.data and not found.diffusion:
        raise section.fail("diffusion_steps", "does nothing", "add [[checks.diffusion]]")
    liquids = [(entry.liquid, entry.temperature) for entry in found.diffusion]
    if len(set(liquids)) < len(liquids):
        raise section.fail("diffusion", "names a liquid twice", "keep one of them")
    pairs = [(entry.solute, entry.solvent, entry.temperature) for entry in found.mixtures]
    if len(set(pairs)) < len(pairs):
        raise section.fail("mixture", "names a pair of liquids twice", "keep one of them")
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


def _both_or_neither(section: Section, value: float | None, uncertainty: float | None) -> None:
    if (value is None) != (uncertainty is None):
        raise section.fail("value" if value is None else "uncertainty", "is missing", "give both or neither")


def _positive(section: Section, key: str) -> float | None:
    return section.optional(key, lambda v: real_number(v, 0.0), "a number above 0")
