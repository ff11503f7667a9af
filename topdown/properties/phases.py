"""Phases and liquids by name, SMILES or composition, and the models behind them.

A phase is written as

- a name: ``octanol``, ``heptane``, ``gas``, any liquid of the density data;
- a SMILES, also as ``smiles:CCO``;
- a curated model of the bead table, ``HD`` or ``model:HD``;
- a mixture of these with mole fractions: ``ethanol:0.4,water:0.6``.

A name wins over a model, a model over a SMILES. Fractions count real molecules: a W bead stands for four.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from typing import Final

import numpy as np

from topdown.building.conformation import conformation_of
from topdown.building.limits import check_bead_count
from topdown.building.liquid import estimated_volume
from topdown.errors import MoleculeError, SettingsError
from topdown.mapping.class_typing import class_model_of
from topdown.model import BeadTable, CGMolecule
from topdown.model.requests import Components
from topdown.properties.measurements import load_measurements
from topdown.properties.molecule_models import MoleculeModel, curated_model, is_curated, molecule_model
from topdown.tables import load_bead_table
from topdown.tables.folder import shipped_table_names

#: Solvents by the names people use, as canonical SMILES.
SOLVENTS: Final[dict[str, str]] = {
    "water": "O",
    "dry octanol": "CCCCCCCCO",
    **{
        name: "C" * n
        for n, name in enumerate(
            (
                "hexane", "heptane", "octane", "nonane", "decane", "undecane", "dodecane", "tridecane", "tetradecane",
                "pentadecane", "hexadecane",
            ),
            start=6,
        )
    },
    "isooctane": "CC(C)CC(C)(C)C",
    "cyclohexane": "C1CCCCC1",
    "methylcyclohexane": "CC1CCCCC1",
    "benzene": "c1ccccc1",
    "toluene": "Cc1ccccc1",
    "chlorobenzene": "Clc1ccccc1",
    "dichloromethane": "ClCCl",
    "chloroform": "ClC(Cl)Cl",
    "carbon tetrachloride": "ClC(Cl)(Cl)Cl",
    "diethyl ether": "CCOCC",
    "dibutyl ether": "CCCCOCCCC",
    "ethanol": "CCO",
}  # fmt: skip
#: Mole fraction of water in octanol saturated with water at 298 K, as simulations of wet octanol take it; the IUPAC-NIST
#: Solubility Database evaluates 0.258 (https://srdata.nist.gov/solubility, 1-octanol with hexane and water).
WATER_IN_OCTANOL: Final = 0.27
#: Mixtures by name, and what to tell the user about them.
MIXTURES: Final[dict[str, tuple[tuple[tuple[str, float], ...], str]]] = {
    "octanol": (
        (("dry octanol", 1.0 - WATER_IN_OCTANOL), ("water", WATER_IN_OCTANOL)),
        f"octanol saturated with water, mole fraction {WATER_IN_OCTANOL:g}; 'dry octanol' is the pure liquid",
    ),
}
_OTHER_NAMES: Final = {
    "wet octanol": "octanol",
    "octanol(dry)": "dry octanol",
    "tetrachloromethane": "carbon tetrachloride",
    "trichloromethane": "chloroform",
    "methylbenzene": "toluene",
}
#: What the partition data call a phase, where it is not our name for it.
DATA_NAMES: Final = {
    "dry octanol": "octanol(dry)",
    "diethyl ether": "diethyl ether(dry)",
    "dibutyl ether": "dibutyl ether(dry)",
}
#: Smallest number of beads in a box of liquid.
MIN_BEADS = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseComponent:
    """One molecule of a phase.

    Attributes
    ----------
    model : MoleculeModel
    fraction : float
        Mole fraction, counting real molecules; those of a phase add up to 1.
    """

    model: MoleculeModel
    fraction: float = 1.0

    @property
    def molecule(self) -> CGMolecule:
        """The model molecule."""
        return self.model.molecule


@dataclass(frozen=True, kw_only=True, eq=False)
class Phase:
    """A phase in the models of one bead table.

    Attributes
    ----------
    name : str
        As results call it.
    components : tuple of PhaseComponent
        Empty for the gas.
    remark : str
        What the user must know about it.
    """

    name: str
    components: tuple[PhaseComponent, ...] = ()
    remark: str = ""

    @property
    def solvent(self) -> CGMolecule | None:
        """The first component's molecule, the main one of a named mixture; None for the gas."""
        return self.components[0].molecule if self.components else None

    @property
    def data_name(self) -> str:
        """What the partition data call it."""
        return DATA_NAMES.get(self.name, self.name)

    def type_names(self) -> set[str]:
        """Bead types in it."""
        return {name for component in self.components for name in component.molecule.type_names}


def pure_phase(name: str, model: MoleculeModel, remark: str = "") -> Phase:
    """A phase of one molecule."""
    return Phase(name=name, components=(PhaseComponent(model=model),), remark=remark)


def find_phase(name: str, table_name: str | Path, *, seed: int = 1, longer_bonds: bool = False) -> Phase:
    """The phase written as ``name``, see the module, in the models of a bead table.

    Parameters
    ----------
    name : str
    table_name : str or Path
    seed : int
        Of the conformers of mapped molecules.
    longer_bonds : bool
        Bonds of mapped molecules as long as their surface asks for (:mod:`topdown.mapping.surface_match`).

    Raises
    ------
    SettingsError
        An unknown name, or fractions that make no mixture.
    MoleculeError, BeadTableError
        A SMILES that is refused or cannot be mapped; a model the table does not have.
    """
    known = plain_name(name)
    if known == "gas":
        return Phase(name="gas", remark="ideal gas, 1 mol/L")
    from_smiles = partial(
        molecule_model,
        table=load_bead_table(table_name),
        table_name=table_name,
        seed=seed,
        longer_bonds=longer_bonds,
    )
    if known in MIXTURES:
        parts, remark = MIXTURES[known]
        return Phase(name=known, components=_mixed(parts, table_name, from_smiles), remark=remark)
    if "," in name:
        given = [_fraction_of(item, name) for item in name.split(",")]
        parts = tuple((item, fraction) for item, fraction in given)
        components = _mixed(parts, table_name, from_smiles)
        label = ",".join(f"{plain_name(item)}:{part.fraction:g}" for (item, _), part in zip(parts, components))
        return Phase(name=label, components=components)
    model = _pure(name, table_name, from_smiles)
    label = known if known in SOLVENTS or known in _liquid_names() else model.molecule.canonical_smiles
    return pure_phase(label or model.molecule.name, model)


def solvent_phase(name: str, table_name: str | Path, *, seed: int = 1) -> Phase:
    """The phase written as ``name`` as a solute meets it.

    Pairs of classes are fitted to pure liquids, whose energies are right where free energies are not; a table of classes
    therefore meets solvents as its parent models them, as far as it holds their beads. Parameters and errors of
    :func:`find_phase`.
    """
    own, table = find_phase(name, table_name, seed=seed), load_bead_table(table_name)
    model, parent = class_model_of(table), table.provenance.parent
    if model is None or parent not in shipped_table_names():
        return own
    if not any(table.bead_type(t).chemical_class in model.names for t in own.type_names()):
        return own
    theirs = find_phase(name, parent, seed=seed)
    return theirs if all(t in table for t in theirs.type_names()) else own


def split_phases(text: str) -> tuple[str, ...]:
    """The phases in a list separated by commas; neighbours with fractions make one mixture.

    ``"hexadecane,ethanol:0.4,water:0.6"`` is hexadecane and one mixture.
    """
    phases: list[str] = []
    mixing = False
    for item in text.split(","):
        has_fraction = _number_after_colon(item) is not None
        if has_fraction and mixing:
            phases[-1] += f",{item}"
        else:
            phases.append(item)
        mixing = has_fraction
    return tuple(phase.strip() for phase in phases)


def plain_name(name: str) -> str:
    """The one spelling of a known name; any other text as it is, without blanks around it."""
    key = name.strip()
    lower = _OTHER_NAMES.get(key.lower(), key.lower())
    known = {"gas", *MIXTURES, *SOLVENTS, *_liquid_names()}
    return next((name for name in (lower, lower.removeprefix("n-")) if name in known), key)


def _liquid_names() -> dict[str, str]:
    """Canonical SMILES of every liquid with a measured density, by lower-case name."""
    return {row.name.lower(): row.canonical_smiles for row in load_measurements("density")}


def _pure(name: str, table_name: str | Path, from_smiles: Callable[[str], MoleculeModel]) -> MoleculeModel:
    known = plain_name(name)
    if known in MIXTURES:
        parts = ", ".join(part for part, _ in MIXTURES[known][0])
        raise SettingsError(f"{known} is a mixture itself", hint=f"name its components: {parts}")
    smiles = SOLVENTS.get(known) or _liquid_names().get(known)
    if smiles:
        return from_smiles(smiles)
    kind, colon, rest = known.partition(":")
    if colon and kind == "model":
        return curated_model(rest, table_name)
    if colon and kind == "smiles":
        return from_smiles(rest)
    if is_curated(known, table_name):
        return curated_model(known, table_name)
    try:
        return from_smiles(known)
    except MoleculeError as error:
        names = ["gas", *MIXTURES, *SOLVENTS, *_liquid_names()]
        near = get_close_matches(known.lower(), names, n=1, cutoff=0.75)
        if near:
            raise SettingsError(f"no phase {name.strip()!r}", hint=f"did you mean {near[0]}?") from None
        hint = "a name such as octanol, a SMILES, a model of the bead table, or a mixture A:0.7,B:0.3"
        if error.hint and "names are not" not in error.hint:  # which is true of the mapper, not here
            hint = error.hint
        raise MoleculeError(error.code, error.message, where=error.where or known, hint=hint) from None


def _mixed(
    parts: Sequence[tuple[str, float]], table_name: str | Path, from_smiles: Callable[[str], MoleculeModel]
) -> tuple[PhaseComponent, ...]:
    if "gas" in (plain_name(item) for item, _ in parts):
        raise SettingsError("the gas cannot be part of a mixture")
    if len(parts) < 2:
        raise SettingsError(f"a mixture needs two components, got {parts[0][0]}", hint="A:0.7,B:0.3")
    total = sum(fraction for _, fraction in parts)
    components = tuple(
        PhaseComponent(model=_pure(item, table_name, from_smiles), fraction=fraction / total)
        for item, fraction in parts
    )
    names = [component.molecule.name for component in components]
    if len(set(names)) < len(names):
        raise SettingsError(f"a component is given twice: {', '.join(names)}")
    return components


def _number_after_colon(item: str) -> float | None:
    _, colon, number = item.rpartition(":")
    try:
        return float(number) if colon else None
    except ValueError:
        return None


def _fraction_of(item: str, whole: str) -> tuple[str, float]:
    """Name and mole fraction of ``"water:0.27"``."""
    fraction = _number_after_colon(item)
    name = item.rpartition(":")[0].strip()
    if fraction is None or not name:
        raise SettingsError(f"{item.strip()!r} in {whole!r} has no mole fraction", hint="write A:0.7,B:0.3")
    if not (isfinite(fraction) and fraction > 0):
        raise SettingsError(f"the mole fraction of {name} must be positive, got {fraction:g}")
    return name, fraction


def solvent_components(solute: CGMolecule, phase: Phase, table: BeadTable) -> Components:
    """What to fill a box with in which ``solute`` is to be dissolved in ``phase``.

    At least ``MIN_BEADS`` beads, and an edge of two cut-offs and the solute's length.
    """
    return box_components(phase, table, volume=_room_for(solute, table))


def box_components(phase: Phase, table: BeadTable, *, volume: float = 0.0, min_beads: int | None = None) -> Components:
    """How many of each molecule of a phase fill a box.

    Parameters
    ----------
    phase : Phase
        Not the gas.
    table : BeadTable
        For the sizes of the beads.
    volume : float
        Least volume, estimated from the sizes of the beads [nm³].
    min_beads : int, optional
        Least number of beads; default ``MIN_BEADS``.

    Returns
    -------
    tuple of (CGMolecule, int)
        As many of the first component as are needed, and of the others what the mole fractions say, at least one.

    Raises
    ------
    SettingsError
        The gas, or a first component so rare that one molecule of it needs a box larger than
        :data:`topdown.building.limits.MOST_BEADS`.
    """
    if not phase.components:
        raise SettingsError("nothing is simulated in the gas phase")
    least = MIN_BEADS if min_beads is None else min_beads
    models = [component.molecule for component in phase.components]
    shares = np.array([component.fraction / component.model.n_real for component in phase.components])
    shares /= shares[0]
    by_volume = volume / sum(share * estimated_volume(model, table) for share, model in zip(shares, models))
    by_beads = least / sum(share * model.n_beads for share, model in zip(shares, models))
    n_first = ceil(max(by_volume, by_beads, 1.0))
    check_bead_count(
        n_first * sum(share * model.n_beads for share, model in zip(shares, models)),
        f"a box of {phase.name} with {n_first} {models[0].name}",
        hint="mole fractions that differ less",
    )
    return tuple((model, max(round(n_first * share), 1)) for share, model in zip(shares, models))


def _room_for(solute: CGMolecule, table: BeadTable) -> float:
    """Volume of a cube of two cut-offs and the solute's length [nm³]."""
    shape = conformation_of(solute)
    length = float(np.linalg.norm(shape[:, None] - shape[None, :], axis=-1).max())
    return float((2.0 * table.scheme.cutoff + length + 0.35) ** 3)
