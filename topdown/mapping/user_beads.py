"""Beads that a user gives: as a CGsmiles string, or as atoms per bead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase

from topdown.errors import MappingError
from topdown.mapping.mapper import UserChoices
from topdown.mapping.smiles import ParsedMolecule
from topdown.model import BeadTable

_NODE = re.compile(r"\[#([^\[\];]+)(?:;[^\[\]]*)?\](?:\|(\d{1,3}))?")
_GRAPH_TOKEN = re.compile(rf"(?P<node>{_NODE.pattern})|(?P<open>\()|(?P<close>\))|(?P<ring>%\d\d|\d)|(?P<skip>[-=#$.])")
_DEFINITION = re.compile(r"#([^=,{}]+)=([^,{}]+)")
#: An open end, bare or as a branch of its own; a bracket that closes a longer branch is not its.
_MARK = re.compile(r"(?P<open>\()?(?P<bond>[-=#:]?)\[(?P<kind>[$<>!])(?P<label>\w*)\](?(open)\))")
_PARTNER = {"$": "$", ">": "<", "<": ">", "!": "!"}
_MAX_NODES = 1000
_MAX_MATCHES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """An open end of a fragment: operator and label, the atom it stands on, the bond it makes."""

    kind: str
    label: str
    atom: int
    bond: Any


def _wrong(message: str, hint: str = "{[#A][#B]}.{#A=CC[$],#B=[$]CO} is an example") -> MappingError:
    return MappingError(message, where="--mapping", hint=hint)


def choices_from_groups(
    groups: Mapping[str, Sequence[int]], parsed: ParsedMolecule, *, types: Sequence[str] = (), all_atoms: bool = False
) -> UserChoices:
    """Choices out of the atoms of each bead.

    Parameters
    ----------
    groups : mapping of str to sequence of int
        Atoms of each bead, from 0.
    parsed : ParsedMolecule
    types : sequence of str
        A bead type for each group, empty where it is open.
    all_atoms : bool
        Numbers count heavy atoms first and then the hydrogens of each, as the files of ``topdown map`` do; hydrogens go with
        their heavy atoms and are left out. Otherwise numbers count heavy atoms as in the JSON.

    Raises
    ------
    MappingError
        An atom that does not exist, or a bead of hydrogens only.
    """
    n_heavy, places = parsed.mol.GetNumAtoms(), parsed.written
    total = n_heavy + sum(atom.GetTotalNumHs() for atom in parsed.mol.GetAtoms())
    chosen = []
    for name, atoms in groups.items():
        if all_atoms:
            wrong = next((a for a in atoms if not 0 <= a < total), None)
            if wrong is not None:
                raise MappingError(
                    f"atom {wrong + 1} of bead {name} does not exist",
                    where="--mapping",
                    hint=f"there are {n_heavy} heavy atoms, 1 to {n_heavy}, then {total - n_heavy} hydrogens",
                )
            atoms = [places[a] for a in atoms if a < n_heavy]
            if not atoms:
                raise MappingError(f"bead {name} holds hydrogens only", where="--mapping")
        chosen.append(tuple(sorted(set(atoms))))
    return UserChoices(groups=tuple(chosen), group_types=tuple(types))


def choices_from_cgsmiles(text: str, parsed: ParsedMolecule, table: BeadTable) -> UserChoices:
    """Choices out of a CGsmiles string whose fragments are found in the molecule.

    A fragment whose name is a bead type of the table – a number after an underscore apart – keeps that type. The string may
    stand for a part of the molecule; of several places where it fits, the first in the order of the SMILES is taken.

    Raises
    ------
    MappingError
        The string cannot be read, or its fragments do not occur in the molecule.
    """
    graph, _, rest = text.strip().partition("}.{")
    if not rest or not graph.startswith("{") or not rest.endswith("}"):
        raise _wrong("not a CGsmiles string with definitions of its fragments")
    definitions = dict(_DEFINITION.findall(rest[:-1]))
    if ",".join(f"#{name}={body}" for name, body in definitions.items()) != rest[:-1]:
        raise _wrong("the definitions of the fragments cannot be read")
    names, edges = _read_graph(graph[1:])
    missing = sorted({name for name in names if name not in definitions})
    if missing:
        raise _wrong(f"the fragment {missing[0]!r} is not defined", hint=f"defined are {', '.join(definitions)}")
    query, members = _joined([_read_fragment(name, definitions[name]) for name in names], edges, names)
    found = _best_match(parsed, query)
    if found is None:
        raise _wrong(
            "its fragments, joined as the graph says, are not part of the molecule",
            hint=f"{Chem.MolToSmarts(query)[:200]} is looked for in {parsed.canonical_smiles[:200]}",
        )
    groups = tuple(tuple(sorted({parsed.written[found[a]] for a in group})) for group in members)
    types = tuple(base if (base := re.sub(r"_\d+\Z", "", name)) in table else "" for name in names)
    return UserChoices(groups=groups, group_types=types)


def _read_graph(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Names of the nodes and the edges between them."""
    names: list[str] = []
    edges: list[tuple[int, int]] = []
    branches: list[int] = []
    rings: dict[str, int] = {}
    last, position, joined = -1, 0, True
    for token in _GRAPH_TOKEN.finditer(text):
        if token.start() != position:
            break
        position = token.end()
        if token["node"]:
            for _ in range(int(token[3] or 1)):
                if last >= 0 and joined:
                    edges.append((last, len(names)))
                last, joined = len(names), True
                names.append(token[2])
                if len(names) > _MAX_NODES:
                    raise _wrong(f"more than {_MAX_NODES} beads")
        elif token["open"] and last >= 0:
            branches.append(last)
        elif token["close"] and branches:
            last = branches.pop()
        elif token["ring"] and last >= 0:
            number = token["ring"].lstrip("%0")
            if number in rings:
                edges.append((rings.pop(number), last))
            else:
                rings[number] = last
        elif token["skip"]:
            joined = token["skip"] != "."
        else:
            raise _wrong(f"the graph of beads cannot be read at {text[token.start() : token.start() + 10]!r}")
    if position != len(text) or not names or branches or rings:
        raise _wrong(f"the graph of beads cannot be read at {text[position : position + 10]!r}")
    return names, edges


def _read_fragment(name: str, text: str) -> tuple[Any, tuple[_Mark, ...]]:
    """The atoms of a fragment and its open ends; a mark stands on the atom before it, at the start on the one after it."""
    kinds: list[tuple[str, str]] = []

    def dummy(found: re.Match[str]) -> str:
        kinds.append((found["kind"], found["label"]))
        return f"{found['bond']}[{len(kinds)}*]"

    head, tail = "", text
    while leading := _MARK.match(tail):
        after = re.match(r"[-=#:]?", tail[leading.end() :])
        bond = (after.group() if after else "") or leading["bond"]
        kinds.append((leading["kind"], leading["label"]))
        head += f"({bond}[{len(kinds)}*])"
        tail = tail[leading.end() + len(after.group() if after else "") :]
    atom = re.match(r"(?:\[[^\]]*\]|Br|Cl|[A-Za-z])(?:%\d\d|\d)*", tail)
    if atom is None:
        raise _wrong(f"the fragment {name} has no atom: {text[:40]!r}")
    body = tail[: atom.end()] + head + _MARK.sub(lambda m: f"({dummy(m)})", tail[atom.end() :])
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(body, sanitize=False) if body.isascii() and len(body) < 4096 else None
    if mol is None:
        raise _wrong(f"the fragment {name} is not a SMILES: {text[:40]!r}")
    marks = []
    for end in mol.GetAtoms():
        if end.GetAtomicNum() == 0:
            if not 1 <= end.GetIsotope() <= len(kinds) or end.GetDegree() != 1:
                raise _wrong(f"the fragment {name} has a wildcard atom: {text[:40]!r}")
            kind, label = kinds[end.GetIsotope() - 1]
            bond = end.GetBonds()[0]
            marks.append(
                _Mark(kind=kind, label=label, atom=bond.GetOtherAtomIdx(end.GetIdx()), bond=bond.GetBondType())
            )
    return mol, tuple(marks)


def _joined(
    fragments: list[tuple[Any, tuple[_Mark, ...]]], edges: list[tuple[int, int]], names: list[str]
) -> tuple[Any, list[list[int]]]:
    """The query molecule made of all fragments, and the atoms of each."""
    query = Chem.RWMol()
    place: list[dict[int, int]] = []
    for mol, _ in fragments:
        new: dict[int, int] = {}
        for atom in mol.GetAtoms():
            if atom.GetAtomicNum() > 1:
                pattern = f"[#{atom.GetAtomicNum()}{atom.GetFormalCharge():+d}]"
                new[atom.GetIdx()] = query.AddAtom(Chem.AtomFromSmarts(pattern))
        for bond in mol.GetBonds():
            if bond.GetBeginAtomIdx() in new and bond.GetEndAtomIdx() in new:
                _bond(query, new[bond.GetBeginAtomIdx()], new[bond.GetEndAtomIdx()], _pattern(bond))
        place.append(new)
    open_ends = [list(marks) for _, marks in fragments]
    merged: dict[int, int] = {}
    for i, j in edges:
        pairs = [
            (a, b) for a in open_ends[i] for b in open_ends[j] if _PARTNER[a.kind] == b.kind and a.label == b.label
        ]
        if not pairs:
            raise _wrong(f"the beads {names[i]} and {names[j]} are joined, but no open ends of theirs belong together")
        # All of one label: two beads may be joined by several bonds, and may share several atoms.
        used: set[int] = set()
        for a, b in pairs:
            if id(a) in used or id(b) in used or (used and not a.label):
                continue
            used |= {id(a), id(b)}
            open_ends[i].remove(a)
            open_ends[j].remove(b)
            if a.kind == "!":
                merged[place[j][b.atom]] = place[i][a.atom]
            else:
                _bond(query, place[i][a.atom], place[j][b.atom], "~" if a.bond == Chem.BondType.SINGLE else "=,:,#")
    return _merge(query, merged, [list(new.values()) for new in place])


def _pattern(bond: Any) -> str:
    kinds = {Chem.BondType.SINGLE: "-,:", Chem.BondType.DOUBLE: "=,:", Chem.BondType.TRIPLE: "#"}
    return "~" if bond.GetIsAromatic() else kinds.get(bond.GetBondType(), "~")


def _bond(query: Any, i: int, j: int, pattern: str) -> None:
    if query.GetBondBetweenAtoms(i, j) is None and i != j:
        query.AddBond(i, j, Chem.BondType.SINGLE)
        query.ReplaceBond(query.GetBondBetweenAtoms(i, j).GetIdx(), Chem.BondFromSmarts(pattern))


def _merge(query: Any, merged: dict[int, int], members: list[list[int]]) -> tuple[Any, list[list[int]]]:
    """Put shared atoms, of which each fragment brought its own copy, together."""
    for copy, kept in merged.items():
        for neighbor in list(query.GetAtomWithIdx(copy).GetNeighbors()):
            bond = query.GetBondBetweenAtoms(copy, neighbor.GetIdx())
            other = merged.get(neighbor.GetIdx(), neighbor.GetIdx())
            _bond(query, kept, other, bond.GetSmarts() or "~")
    new: dict[int, int] = {}
    for atom in range(query.GetNumAtoms()):
        if atom not in merged:
            new[atom] = len(new)
    groups = [[new[merged.get(a, a)] for a in group] for group in members]
    for atom in sorted(merged, reverse=True):
        query.RemoveAtom(atom)
    return query.GetMol(), groups


def _best_match(parsed: ParsedMolecule, query: Any) -> tuple[int, ...] | None:
    """Where the query lies in the molecule: the match that comes first in the order written."""
    with rdBase.BlockLogs():
        query.UpdatePropertyCache(strict=False)
        matches = parsed.mol.GetSubstructMatches(query, uniquify=False, maxMatches=_MAX_MATCHES)
    return min(matches, default=None)
