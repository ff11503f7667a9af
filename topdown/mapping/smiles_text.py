"""The text of a SMILES, looked at before any chemistry: characters, tokens, branches, rings and sizes.

RDKit alone is no gate: it reads ``'CC O'`` as ethane, an empty string as a molecule without atoms, and does not return
from some strings of 100,000 characters. Everything here takes time linear in the part of the text that is looked at, and
at most :data:`MAX_LENGTH` characters are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from topdown.errors import MoleculeError

#: Longest SMILES read [characters], deepest nesting of branches, most atoms and most rings.
MAX_LENGTH = 4096
MAX_DEPTH = 500
MAX_ATOMS = 1000
MAX_RINGS = 200
#: Numbers in brackets beyond these make no molecule: isotope, hydrogens, charge, atom map.
_MAX_CHARGE = 4

_TOKEN = re.compile(
    r"(?P<atom>Br|Cl|[BCNOPSFI]|[bcnops])"
    r"|(?P<bracket>\[[^\[\]]*\])"
    r"|(?P<ring>%\(\d{1,5}\)|%\d\d|\d)"
    r"|(?P<bond>->|<-|[-=#$:/\\])"
    r"|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)
_BRACKET = re.compile(
    r"\[(?P<isotope>\d{0,3})(?P<symbol>[A-Z][a-z]?|[bcnops]|se|as|te|si)"
    r"(?P<chiral>@{0,2}|@(?:TH|AL|SP|TB|OH)\d{1,2})(?P<hydrogens>H\d?)?"
    r"(?P<charge>\+\+?\+?|--?-?|[+-]\d{1,2})?(?P<map>:\d{1,6})?\]"
)
_EXTENSION = re.compile(r"[ \t]+\|[^|]*\|\Z")
_QUERY = re.compile(r"\[[^\[\]]*?(?:[,;&!~]|#\d|\$\()")
_R_GROUP = re.compile(r"\[R\d*\]|\[(?:A|Q|X|M)\]")
_FOREIGN_MARKS = (
    (re.compile(r"(?<!-)>"), "a reaction"),
    (re.compile(r"\*"), "a wildcard atom"),
    (re.compile(r"~"), "a query bond"),
    (re.compile(r"\$\("), "a query"),
    (_R_GROUP, "an open position"),
    (_QUERY, "a query"),
)
_INCHI_KEY = re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmilesLimits:
    """How large an input may be.

    Attributes
    ----------
    length : int
        Characters.
    atoms : int
        Atoms written, explicit hydrogens included.
    """

    length: int = MAX_LENGTH
    atoms: int = MAX_ATOMS


DEFAULT_LIMITS = SmilesLimits()
#: For molecules that have been through the gate before.
NO_LIMITS = SmilesLimits(length=10**9, atoms=10**9)


def shown(smiles: str) -> str:
    """The start of a SMILES as it may stand in a message: printable and short."""
    text = smiles[:80]
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return f"{text[:57]}..." if len(text) > 60 or len(smiles) > 80 else text


def core_smiles(smiles: str, limits: SmilesLimits = DEFAULT_LIMITS) -> str:
    """The SMILES proper of ``smiles`` – without the CXSMILES extension ``|…|`` – once its text has been found sound.

    Raises
    ------
    MoleculeError
        With code E_EMPTY, E_SYNTAX, E_DUMMY, E_CHEM or E_LIMIT.
    """
    if not smiles or smiles.isspace():
        raise MoleculeError("E_EMPTY", "the SMILES is empty", hint="give a molecule, for instance CCO")
    if len(smiles) > limits.length:
        raise MoleculeError(
            "E_LIMIT",
            f"{len(smiles)} characters, at most {limits.length} are read",
            where=shown(smiles),
            hint=f"molecules of up to {limits.atoms} atoms are mapped",
        )
    core = smiles
    extension = _EXTENSION.search(smiles)
    if extension is not None:
        _check_characters(extension.group().strip(), smiles, extension.start() + 1, blanks=True)
        core = smiles[: extension.start()]
        if not core:
            raise MoleculeError("E_EMPTY", "there is no SMILES before the extension |…|", where=shown(smiles))
    _check_characters(core, smiles, 0)
    _check_notation(core, smiles)
    _check_tokens(core, smiles, limits)
    return core


def _syntax(message: str, smiles: str, hint: str = "") -> MoleculeError:
    return MoleculeError("E_SYNTAX", message, where=shown(smiles), hint=hint)


def _check_characters(text: str, smiles: str, offset: int, *, blanks: bool = False) -> None:
    if text.isascii() and text.isprintable() and (blanks or " " not in text):
        return
    for position, character in enumerate(text, start=offset + 1):
        if "!" <= character <= "~" or (blanks and character == " "):
            continue
        code = f"U+{ord(character):04X}"
        if character.isspace() or not character.isprintable():
            name = "a blank" if character == " " else f"the character {code}"
            hint = "a SMILES has no blanks or control characters; in a .smi file the name follows after one"
        else:
            name = f"{character!r} ({code}, {unicodedata.name(character, 'unnamed')})"
            hint = "SMILES are plain ASCII; this character may only look like a Latin letter"
        raise _syntax(f"{name} at position {position}", smiles, hint)


def _check_notation(core: str, smiles: str) -> None:
    """Text that is another notation, or a SMILES of more or less than one complete molecule."""
    if core.lower().startswith("inchi="):
        raise _syntax("this is an InChI", smiles, "give the SMILES")
    if _INCHI_KEY.fullmatch(core):
        raise _syntax("this is an InChIKey", smiles, "structures are not looked up; give the SMILES")
    if core.startswith("{"):
        raise _syntax("this is a CGsmiles string", smiles, "give the atoms; beads go to --mapping")
    arrow = re.search(r"<(?!-)", core)
    if arrow is not None:
        raise _syntax(_unreadable(core, arrow.start()), smiles, "give a SMILES; names are not looked up")
    for mark, meaning in _FOREIGN_MARKS:
        found = mark.search(core)
        if found:
            raise MoleculeError(
                "E_DUMMY",
                f"{found.group()[:20]!r} at position {found.start() + 1} marks {meaning}",
                where=shown(smiles),
                hint="give one complete molecule",
            )


def _check_tokens(core: str, smiles: str, limits: SmilesLimits) -> None:
    """Walk over the tokens once: every character belongs to one, branches and rings close, sizes are within limits."""
    position, atoms, closures = 0, 0, 0
    branches: list[int] = []
    rings: dict[int, str] = {}
    previous = "start"
    for token in _TOKEN.finditer(core):
        if token.start() != position:
            break
        position = token.end()
        kind = token.lastgroup or ""
        if kind in ("atom", "bracket"):
            atoms += 1
            if kind == "bracket":
                _check_bracket(token.group(), token.start() + 1, smiles)
        elif kind == "open":
            if previous not in ("atom", "bracket", "ring", "close"):
                raise _syntax(f"'(' at position {position} follows no atom", smiles)
            branches.append(position)
            if len(branches) > MAX_DEPTH:
                raise MoleculeError("E_LIMIT", f"branches nested deeper than {MAX_DEPTH}", where=shown(smiles))
        elif kind == "close":
            if not branches:
                raise _syntax(f"')' at position {position} closes nothing", smiles)
            if previous in ("open", "bond", "dot"):
                raise _syntax(f"the branch that ends at position {position} is incomplete", smiles)
            branches.pop()
        elif kind == "ring":
            number = int(token.group().strip("%()"))
            if previous not in ("atom", "bracket", "ring", "bond"):
                raise _syntax(f"ring number {number} at position {token.start() + 1} follows no atom", smiles)
            mark = core[token.start() - 1] if previous == "bond" and core[token.start() - 1] not in "/\\" else ""
            opened = rings.pop(number, None)
            if opened is None:
                rings[number] = mark
            elif opened and mark and opened != mark:
                raise _syntax(f"ring {number} is opened with the bond {opened!r} and closed with {mark!r}", smiles)
            else:
                closures += 1
        elif kind == "dot" and previous in ("start", "dot", "bond", "open"):
            raise _syntax(f"'.' at position {position} follows no atom", smiles)
        elif kind == "bond" and previous in ("start", "bond", "dot"):
            raise _syntax(f"the bond at position {token.start() + 1} follows no atom", smiles)
        previous = kind
        if atoms > limits.atoms:
            break
    if atoms > limits.atoms:
        raise MoleculeError("E_LIMIT", f"more than {limits.atoms} atoms", where=shown(smiles))
    if position != len(core):
        raise _syntax(_unreadable(core, position), smiles, "give a SMILES; names are not looked up")
    if branches:
        raise _syntax(f"the branch '(' at position {branches[-1]} is never closed", smiles)
    if rings:
        names = ", ".join(str(number) for number in sorted(rings)[:5])
        raise _syntax(f"ring {names} is opened but never closed", smiles)
    if previous in ("bond", "dot"):
        raise _syntax(f"it ends with {core[-1]!r}", smiles)
    if closures > MAX_RINGS:
        raise MoleculeError("E_LIMIT", f"{closures} ring closures, at most {MAX_RINGS} are read", where=shown(smiles))


def _unreadable(core: str, position: int) -> str:
    character = core[position]
    if character in "[]" and core.count("[") != core.count("]"):
        return f"square brackets do not match at position {position + 1}"
    if character in "DT":
        return f"{character!r} at position {position + 1}: write deuterium as [2H], tritium as [3H]"
    return f"not a SMILES: it cannot be read from position {position + 1}: {core[position : position + 10]!r}"


def _check_bracket(text: str, position: int, smiles: str) -> None:
    found = _BRACKET.fullmatch(text)
    if found is None:
        raise _syntax(f"the atom {text[:20]} at position {position} cannot be read", smiles)
    charge = found["charge"] or ""
    size = int(charge[1:]) if charge[1:].isdigit() else len(charge)
    if size > _MAX_CHARGE:
        raise MoleculeError("E_CHEM", f"the atom {text[:20]} has an impossible charge", where=shown(smiles))
