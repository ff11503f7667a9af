"""A curated model as TOML that reads back exactly, and its place in a bead table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from topdown.errors import BeadTableError
from topdown.model.bead import Bead, BeadType
from topdown.model.bonded import Angle, Bond, Constraint, Dihedral, VirtualSite
from topdown.model.molecule import CGMolecule
from topdown.resources import atomic_write_text
from topdown.tables.molecule_reader import ANGLE_FUNCTIONS, DIHEDRAL_FUNCTIONS
from topdown.tables.molecules import CuratedMolecule
from topdown.tables.writer import toml_value


def molecule_toml(molecule: CuratedMolecule | CGMolecule, *, bead_types: Iterable[BeadType] = ()) -> str:
    """The text of a molecule file, from which :func:`~topdown.tables.load_molecule` makes the same model.

    Everything the engine and the topology writers use is kept, floats to the last bit, and so are the coordinates.
    What a mapping says about its beads (atoms, reasons, alternatives) is not: a curated model is taken as given.

    Parameters
    ----------
    molecule : CuratedMolecule or CGMolecule
    bead_types : iterable of BeadType, optional
        Types of the table the file is for: masses that equal those of the type are then left out.

    Raises
    ------
    BeadTableError
        A name or a term that such a file cannot hold: bead names that are not unique and of 1 to 5 characters, tabulated
        angles, restraints.
    """
    curated = molecule if isinstance(molecule, CuratedMolecule) else _bare(molecule)
    model = curated.model
    _check(model)
    names = [bead.name for bead in model.beads]
    masses = {bead_type.name: bead_type.mass for bead_type in bead_types}
    lines = [
        f"name = {toml_value(model.name)}",
        f"group = {toml_value(curated.group)}",
        f"description = {toml_value(curated.description)}",
        f"smiles = {_texts(curated.smiles)}",
        f"canonical_smiles = {_texts(curated.canonical_smiles)}",
        f"molar_mass = {_floats(curated.molar_masses)}  # g/mol",
        f"n_molecules = {curated.n_molecules}",
        *([f"nrexcl = {model.nrexcl}"] if model.nrexcl != 1 else []),
        f"source = {toml_value(curated.source)}",
        f"licence = {toml_value(curated.licence)}",
        f"cite = {toml_value(curated.citation)}",
        f"note = {toml_value(curated.note)}",
        "",
        *_block("beads", [_bead(bead, masses) for bead in model.beads]),
        *_block("bonds", [f"{_atoms(t.atoms, names)}, {_spring('length', t.length, t)}" for t in model.bonds]),
        *_block("constraints", [_constraint(t, names) for t in model.constraints]),
        *_block("virtual_sites", [_virtual_site(t, names) for t in model.virtual_sites]),
        *_block("angles", [f"{_atoms(t.atoms, names)}, {_spring('angle', t.angle, t)}" for t in model.angles]),
        *_block("dihedrals", [_dihedral(t, names) for t in model.dihedrals]),
        *_exclusions(model, names),
        *_positions(model),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def write_molecule(
    molecule: CuratedMolecule | CGMolecule, folder: Path | str, *, bead_types: Iterable[BeadType]
) -> Path:
    """Write ``<name>.toml`` below ``folder``, normally the ``molecules`` folder of a bead table.

    Parameters
    ----------
    molecule : CuratedMolecule or CGMolecule
        Its name becomes the name of the file: letters, digits, and ``_+-`` after the first.
    folder : Path or str
        Made when missing; a file of that name is replaced.
    bead_types : iterable of BeadType
        As for :func:`molecule_toml`.

    Raises
    ------
    BeadTableError
        A name that cannot be a file name, what :func:`molecule_toml` refuses, or a folder that cannot be written.
    """
    model = molecule.model if isinstance(molecule, CuratedMolecule) else molecule
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,63}", model.name):
        raise BeadTableError(
            f"{model.name[:64]!r} cannot be the name of a curated molecule", hint="letters, digits, _, + and - only"
        )
    text = molecule_toml(molecule, bead_types=bead_types)
    path = Path(folder) / f"{model.name}.toml"
    try:
        return atomic_write_text(path, text)
    except OSError as error:
        raise BeadTableError(f"cannot be written: {error.strerror or error}", where=str(path)) from None


def _bare(model: CGMolecule) -> CuratedMolecule:
    known = bool(model.smiles or model.canonical_smiles or model.molar_mass)
    return CuratedMolecule(
        model=model,
        group="",
        smiles=(model.smiles,) if known else (),
        canonical_smiles=(model.canonical_smiles,) if known else (),
        molar_masses=(model.molar_mass,) if known else (),
        n_molecules=1,
        description="",
        source="",
        licence="",
        citation="",
        note="",
        path=Path(),
    )


def _check(model: CGMolecule) -> None:
    names = [bead.name for bead in model.beads]
    bad = next((n for k, n in enumerate(names) if not 1 <= len(n) <= 5 or n in names[:k]), None)
    if bad is not None:
        raise BeadTableError(f"bead name {bad!r} is not unique and of 1 to 5 characters", where=model.name)
    known = {"angle": ANGLE_FUNCTIONS, "dihedral": tuple(DIHEDRAL_FUNCTIONS)}
    for kind, terms in (("angle", model.angles), ("dihedral", model.dihedrals)):
        odd = next((t.function for t in terms if t.function not in known[kind]), None)
        if odd is not None:
            raise BeadTableError(f"{kind} function {odd} cannot stand in a molecule file", where=model.name)
    if model.position_restraints or model.flat_bottom_restraints:
        raise BeadTableError("restraints cannot stand in a molecule file", where=model.name, hint="leave them out")


def _texts(values: Sequence[str]) -> str:
    """A list of texts, on one line for one value."""
    if len(values) <= 1:
        return f"[{', '.join(map(toml_value, values))}]"
    return "[\n" + "".join(f"  {toml_value(value)},\n" for value in values) + "]"


def _floats(values: Iterable[float]) -> str:
    return f"[{', '.join(repr(float(value)) for value in values)}]"


def _block(key: str, entries: list[str]) -> list[str]:
    """A list of inline tables, one to a line, followed by an empty line; nothing when there are none."""
    return [f"{key} = [", *(f"  {{ {entry} }}," for entry in entries), "]", ""] if entries else []


def _atoms(atoms: Iterable[int], names: list[str]) -> str:
    return f"atoms = [{', '.join(toml_value(names[k]) for k in atoms)}]"


def _bead(bead: Bead, masses: dict[str, float]) -> str:
    entry = f"name = {toml_value(bead.name)}, type = {toml_value(bead.bead_type)}, charge = {float(bead.charge)!r}"
    if bead.mass != masses.get(bead.bead_type):
        entry += f", mass = {float(bead.mass)!r}"
    if bead.residue:
        entry += f", residue = {toml_value(bead.residue)}"
    if bead.residue_number != 1:
        entry += f", residue_number = {bead.residue_number}"
    return entry


def _constraint(term: Constraint, names: list[str]) -> str:
    function = "" if term.function == 1 else f", function = {term.function}"
    return f"{_atoms(term.atoms, names)}, length = {float(term.length)!r}{function}"


def _spring(key: str, value: float, term: Bond | Angle) -> str:
    return f"{key} = {float(value)!r}, force_constant = {float(term.force_constant)!r}, function = {term.function}"


def _virtual_site(term: VirtualSite, names: list[str]) -> str:
    built = f"site = {toml_value(names[term.site])}, construction = {toml_value(term.construction)}"
    return f"{built}, {_atoms(term.atoms, names)}, parameters = {_floats(term.parameters)}"


def _dihedral(term: Dihedral, names: list[str]) -> str:
    needed, n_coefficients = DIHEDRAL_FUNCTIONS[term.function]
    values = {
        "angle": repr(float(term.angle)),
        "force_constant": repr(float(term.force_constant)),
        "multiplicity": str(term.multiplicity),
    }
    said = [f"{name} = {values[name]}" for name in needed]
    if n_coefficients:
        said.append(f"coefficients = {_floats(term.coefficients)}")
    return f"{_atoms(term.atoms, names)}, {', '.join(said)}, function = {term.function}"


def _exclusions(model: CGMolecule, names: list[str]) -> list[str]:
    """Pairs of names, one line for all pairs of a first bead."""
    pairs = sorted({(min(pair), max(pair)) for pair in model.exclusions})
    lines = [
        "  " + " ".join(f"[{toml_value(names[i])}, {toml_value(names[j])}]," for i, j in same)
        for _, same in groupby(pairs, key=lambda pair: pair[0])
    ]
    return ["exclusions = [", *lines, "]", ""] if lines else []


def _positions(model: CGMolecule) -> list[str]:
    if model.positions is None:
        return []
    return ["positions = [  # nm", *(f"  {_floats(row)}," for row in model.positions.tolist()), "]", ""]
