"""The gate: what a user typed becomes a clean RDKit molecule, or one refusal with a code and advice.

The text is checked first (:mod:`topdown.mapping.smiles_text`), then RDKit parses it, then what it parsed is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase

from topdown.errors import MoleculeError
from topdown.mapping.atom_roles import atoms_of, bonds_of
from topdown.mapping.smiles_text import (
    DEFAULT_LIMITS,
    MAX_ATOMS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_RINGS,
    NO_LIMITS,
    SmilesLimits,
    core_smiles,
    shown,
)

#: Version of RDKit, whose reading, rings, conformers and drawings every mapping rests on.
RDKIT_VERSION: str = rdBase.rdkitVersion

__all__ = [
    "DEFAULT_LIMITS",
    "ELEMENTS",
    "ION_ELEMENTS",
    "MAX_ATOMS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_RINGS",
    "NO_LIMITS",
    "RDKIT_VERSION",
    "ParsedMolecule",
    "SmilesLimits",
    "canonical_smiles",
    "parse_smiles",
]

#: Elements that Martini models exist for; everything else is refused.
ELEMENTS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I"})
#: Metals that are beads when they come alone, with the charge they have then.
ION_ELEMENTS = {"Na": 1, "K": 1, "Ca": 2}
#: Charges that atoms of molecules in water have; those not named may have -2 to 2.
_CHARGES = {"C": (-1, 1), "N": (-1, 1), "O": (-1, 1), "F": (-1, 0), "Si": (-1, 0), "P": (-1, 1), "B": (-1, 0)}
#: Chlorine, bromine and iodine in oxo acids are written with charges by RDKit's clean-up, so they are not judged.
_HALOGENS = ("Cl", "Br", "I")
_SALT_HINT = "--largest-fragment maps the largest alone, {largest!r}; or map them one by one"


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedMolecule:
    """A molecule that passed the gate.

    Attributes
    ----------
    smiles : str
        As written.
    canonical_smiles : str
        RDKit's canonical isomeric SMILES, without isotopes.
    mol : rdkit.Chem.Mol
        Heavy atoms only, numbered in the order written.
    written : tuple of int
        Place of each atom of ``mol`` among the heavy atoms of ``smiles``: 0, 1, 2… unless components were left out.
    left_out : tuple of str
        Canonical SMILES of the components that were left out, sorted.
    """

    smiles: str
    canonical_smiles: str
    mol: Any
    written: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()

    def written_atoms(self, order: Sequence[int], groups: Iterable[Iterable[int]]) -> list[tuple[int, ...]]:
        """Groups of atoms of ``mol`` renumbered by ``order``, as sorted places among the heavy atoms of ``smiles``."""
        return [tuple(sorted(self.written[order[a]] for a in group)) for group in groups]

    def atom_of_written(self) -> dict[int, int]:
        """The atom of ``mol`` at each place among the heavy atoms of ``smiles``."""
        return {place: atom for atom, place in enumerate(self.written)}


def canonical_smiles(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES of a molecule that may be mapped.

    Raises
    ------
    MoleculeError
        As :func:`parse_smiles`.
    """
    return parse_smiles(smiles).canonical_smiles


def parse_smiles(
    smiles: str, *, largest_fragment: bool = False, limits: SmilesLimits = DEFAULT_LIMITS
) -> ParsedMolecule:
    """Read one SMILES of one closed-shell molecule.

    Parameters
    ----------
    smiles : str
        Exactly as the user wrote it. A CXSMILES extension ``|…|`` after it is ignored, and so are isotopes and atom maps.
    largest_fragment : bool
        Of several molecules take the one of most heavy atoms – of those, of largest mass, then the first – instead of
        refusing them all.
    limits : SmilesLimits
        How large it may be.

    Returns
    -------
    ParsedMolecule

    Raises
    ------
    MoleculeError
        With code E_EMPTY, E_SYNTAX, E_CHEM, E_MIXTURE, E_ELEMENT, E_RADICAL, E_DUMMY or E_LIMIT.
    """
    global _latest
    core = core_smiles(smiles, limits)
    # Without brackets there are no charges, isotopes, atom maps, radicals, hydrogens or elements that are refused.
    bare = "[" not in core
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(core, sanitize=False)
        if mol is None:
            raise MoleculeError("E_SYNTAX", f"not a SMILES: {_parser_reason(core)}", where=shown(smiles))
        if not bare:
            for atom in atoms_of(mol):
                atom.SetAtomMapNum(0)
                atom.SetIsotope(0)
        left_out: tuple[str, ...] = ()
        fragments = Chem.GetMolFrags(mol) if "." in core else ()
        if len(fragments) > 1:
            mol, left_out = _one_component(mol, fragments, smiles, take_largest=largest_fragment)
        elif not bare:
            _number_heavy_atoms(mol)
        if not bare or _DATIVE_MARK.search(core):
            _check_atoms(mol, smiles)
        # What was read is looked at again where it is refused; a component of several cannot be read by itself.
        before = Chem.Mol(mol) if len(fragments) > 1 else None
        mol = _sanitised(mol, smiles, lambda: before or Chem.MolFromSmiles(core, sanitize=False))
        if not bare and any(atom.GetAtomicNum() == 1 for atom in atoms_of(mol)):
            mol = Chem.RemoveAllHs(mol)
    if mol.GetNumAtoms() == 0:
        raise MoleculeError("E_EMPTY", "there is no heavy atom", where=shown(smiles), hint="hydrogen alone has no bead")
    if not bare:
        _check_electrons(mol, smiles)
    numbered = not bare or len(fragments) > 1
    parsed = ParsedMolecule(
        smiles=smiles,
        canonical_smiles=Chem.MolToSmiles(mol),
        mol=mol,
        written=tuple(a.GetIntProp(_PLACE) for a in atoms_of(mol)) if numbered else tuple(range(mol.GetNumAtoms())),
        left_out=left_out,
    )
    _latest = parsed
    return parsed


#: What was read last: the report on a molecule asks for it again.
_latest: ParsedMolecule | None = None


def read_before(smiles: str) -> ParsedMolecule:
    """A SMILES that passed the gate before, the largest component of several; nobody may change the molecule."""
    latest = _latest
    if latest is not None and latest.smiles == smiles:
        return latest
    return parse_smiles(smiles, largest_fragment=True, limits=NO_LIMITS)


_PLACE = "_written"


def _number_heavy_atoms(mol: Any) -> None:
    """Note on every heavy atom its place among those written."""
    place = 0
    for atom in atoms_of(mol):
        if atom.GetAtomicNum() != 1:
            atom.SetIntProp(_PLACE, place)
            place += 1


def _one_component(
    mol: Any, fragments: tuple[tuple[int, ...], ...], smiles: str, *, take_largest: bool
) -> tuple[Any, tuple[str, ...]]:
    """The largest component of several and the SMILES of the others, or the refusal that says which it is."""
    _number_heavy_atoms(mol)
    pieces = Chem.GetMolFrags(mol, asMols=True, sanitizeFrags=False)

    def size(piece: Any) -> tuple[int, int]:
        numbers = [atom.GetAtomicNum() for atom in piece.GetAtoms()]
        return sum(number > 1 for number in numbers), sum(numbers)

    largest = max(range(len(pieces)), key=lambda k: (*size(pieces[k]), -k))
    if not take_largest:
        text = Chem.MolFragmentToSmiles(mol, list(fragments[largest]), canonical=False)
        raise MoleculeError(
            "E_MIXTURE",
            f"{len(fragments)} separate molecules",
            where=shown(smiles),
            hint=_SALT_HINT.format(largest=shown(text)),
        )
    others = tuple(
        sorted(Chem.MolToSmiles(Chem.RemoveAllHs(p, sanitize=False)) for k, p in enumerate(pieces) if k != largest)
    )
    return pieces[largest], others


def _check_atoms(mol: Any, smiles: str) -> None:
    """Elements of the parsed but not yet sanitised molecule."""
    atoms = atoms_of(mol)
    if any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in atoms):
        raise MoleculeError(
            "E_DUMMY", "a wildcard or query atom", where=shown(smiles), hint="give one complete molecule"
        )
    for atom in atoms:
        symbol = atom.GetSymbol()
        if symbol in ELEMENTS:
            continue
        if mol.GetNumAtoms() == 1 and ION_ELEMENTS.get(symbol) == atom.GetFormalCharge() and not atom.GetTotalNumHs():
            continue
        raise MoleculeError(
            "E_ELEMENT",
            f"no bead is known for {symbol}",
            where=shown(smiles),
            hint=f"elements that can be mapped: {' '.join(sorted(ELEMENTS))}; alone, as ions: "
            + " ".join(f"{ion}{'+' if charge == 1 else f'{charge}+'}" for ion, charge in ION_ELEMENTS.items()),
        )
    if any(b.GetBondType() in _DATIVE for b in bonds_of(mol)):
        raise MoleculeError(
            "E_CHEM", "a dative bond", where=shown(smiles), hint="write it as a single bond with charges"
        )


_DATIVE_MARK = re.compile("<-|->")
_DATIVE = (Chem.BondType.DATIVE, Chem.BondType.DATIVEONE, Chem.BondType.DATIVEL, Chem.BondType.DATIVER)


def _sanitised(mol: Any, smiles: str, before: Callable[[], Any]) -> Any:
    """The molecule with its rings, aromatic atoms and stereo; ``before`` gives it as it was read."""
    if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        raise MoleculeError(
            "E_CHEM",
            _chemistry_reason(_complaint(before())),
            where=shown(smiles),
            hint="check valences, charges and aromatic (lower-case) atoms",
        )
    if ":" in smiles and any(
        b.GetBondType() == Chem.BondType.AROMATIC and not b.GetIsAromatic() for b in bonds_of(mol)
    ):
        raise MoleculeError("E_CHEM", "an aromatic bond ':' outside any aromatic ring", where=shown(smiles))
    Chem.AssignStereochemistry(mol, cleanIt=True)
    return mol


def _complaint(mol: Any) -> str:
    """What RDKit says against a molecule: the first problem it lists, or that at which its clean-up stops."""
    problems = Chem.DetectChemistryProblems(mol)
    if problems:
        return str(problems[0].Message())
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        return str(error)
    return ""


def _check_electrons(mol: Any, smiles: str) -> None:
    """Charges that do not occur, and unpaired electrons."""
    alone = mol.GetNumAtoms() == 1
    for atom in atoms_of(mol):
        symbol, charge = atom.GetSymbol(), atom.GetFormalCharge()
        low, high = _CHARGES.get(symbol, (-2, 2))
        if symbol in _HALOGENS:
            low, high = -1, (0 if alone else 3)
        if not low <= charge <= high or (alone and symbol == "S" and charge > 1):
            raise MoleculeError(
                "E_CHEM", f"heavy atom {atom.GetIdx()} ({symbol}) has charge {charge:+d}", where=shown(smiles)
            )
        if atom.GetNumRadicalElectrons():
            raise MoleculeError(
                "E_RADICAL",
                f"heavy atom {atom.GetIdx()} ({symbol}) has unpaired electrons",
                where=shown(smiles),
                hint="atoms in square brackets carry only the hydrogens written: [CH3] is a radical, C is not",
            )


def _parser_reason(core: str) -> str:
    """Why RDKit's parser refuses a text whose tokens are sound."""
    known = {Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119)}
    for found in re.finditer(r"\[\d*([A-Z][a-z]?)", core):
        if found[1] not in known and found[1][0] not in known:
            return f"{found[1]!r} at position {found.start(1) + 1} is no element"
    return "two atoms are joined twice, an atom is joined to itself, or two bond marks of one ring differ"


def _chemistry_reason(message: str) -> str:
    """RDKit's complaint without its line breaks and jargon."""
    text = " ".join(message.split())
    if "kekulize" in text.lower():
        return "the aromatic atoms admit no alternating double bonds (a pyrrole-like nitrogen is written [nH])"
    if "non-ring atom" in text:
        return "an aromatic (lower-case) atom stands outside any ring"
    return text.removeprefix("Explicit valence for ").strip() or "impossible chemistry"
