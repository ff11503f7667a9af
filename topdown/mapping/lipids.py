"""Lipids by rule: beads, names and bonded terms of the published models for the lipid part of any molecule.

:func:`recognise` finds glycerolipids, sphingolipids, fatty acids and sterols in a molecular graph and divides them as the
published models of a table do. When that covers the whole molecule, its bonded terms are those of the published parameter
files; otherwise the recognised groups are fixed points for the general partition and everything between them is left to it.

Sources and limits: ``docs/lipids.md``; the numbers themselves travel with each table (``lipids.toml``, ``sterols.toml``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from topdown.mapping.lipid_cores import Core, acyl_tails, find_cores
from topdown.mapping.lipid_rules import HEAD, LipidRules, lipid_rules, tail_label
from topdown.mapping.lipid_tails import DividedTail, MoleculeGraph, Tail, divide_tail, may_have_tails
from topdown.mapping.recognised import PublishedTerms, RecognisedBead, RecognisedBlocks
from topdown.mapping.sterols import find_sterol
from topdown.model import Angle, Bond, Constraint, Dihedral, VirtualSite

#: Share of published models that the rules give back bead for bead (docs/lipids.md); tails of lengths nobody published.
CONFIDENCE_PUBLISHED, CONFIDENCE_EXTENDED = 0.97, 0.5
#: What kinds and heads are called in reasons.
_TITLES = {
    "bmp_22": "bis(monoacylglycero)phosphate",
    "diether": "diether phosphatidyl",
    "plasmalogen": "plasmalogen phosphatidyl",
}
#: Kinds that are phosphatidic acids where nothing else is on the phosphate.
_ACIDS = ("phosphatidyl", "diether", "plasmalogen", "lysophosphatidyl")
_HEADS = {"NC3": "choline", "NH3": "ethanolamine", "GL0": "glycerol", "CNO": "serine"}


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A bead under construction: ``bond`` and ``angle`` are its kinds in the tables of the tails."""

    bead: RecognisedBead
    bond: str = ""
    angle: str = ""


def recognise(mol: Any, style: str) -> RecognisedBlocks | None:
    """The lipid part of a molecule.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        Heavy atoms in canonical order (:func:`topdown.mapping.fragmenting.canonical_order`).
    style : str
        ``martini3`` or ``martini2``.

    Returns
    -------
    RecognisedBlocks or None
        ``None`` when nothing was recognised. With ``terms`` when the whole molecule is one published kind of lipid.
    """
    # Every lipid has a tail.
    if not may_have_tails(mol):
        sterol = find_sterol(mol, style)
        return sterol if sterol is not None and sterol.beads else None
    graph = MoleculeGraph(mol)
    rules = lipid_rules(style)
    cores = find_cores(graph)
    for core in cores:
        whole = _whole(graph, core, rules, style)
        if whole is not None:
            return whole
    sterol = find_sterol(mol, style)
    if sterol is not None and sterol.whole:
        return sterol
    beads = _partial(graph, cores, rules)
    if sterol is not None:
        taken = {atom for bead in beads for atom in bead.atoms}
        beads += [bead for bead in sterol.beads if not taken & set(bead.atoms)]
    if not beads:
        return None
    return RecognisedBlocks(beads=tuple(beads), model="", terms=None, n_atoms=len(graph))


def _whole(graph: MoleculeGraph, core: Core, rules: LipidRules, style: str) -> RecognisedBlocks | None:
    """Beads and terms when ``core`` and its tails are the whole molecule and every term of it is published."""
    if core.kind not in rules.kinds or not core.complete:
        return None
    pieces = _pieces(core, rules)
    if pieces is None:
        return None
    atoms = [atom for piece in pieces.values() for atom in piece.bead.atoms]
    if len(set(atoms)) != len(atoms) or len(atoms) != len(graph):
        return None
    charge = sum(piece.bead.charge for piece in pieces.values())
    if charge != sum(graph.charges) or any(
        piece.bead.charge != sum(graph.charges[a] for a in piece.bead.atoms) for piece in pieces.values()
    ):
        return None
    terms = _Terms(core, rules, pieces, style).build()
    if terms is None:
        return None
    return RecognisedBlocks(
        beads=tuple(piece.bead for piece in pieces.values()),
        model=_title(core),
        terms=terms,
        n_atoms=len(graph),
    )


def _title(core: Core) -> str:
    title = _TITLES.get(core.kind, core.kind.replace("_", " "))
    if not title.endswith("phosphatidyl"):
        return title
    return title + _HEADS[core.head] if core.head else title[: -len("yl")] + "ic acid" if core.complete else title


def _source(core: Core, rules: LipidRules) -> str:
    return str(rules.kinds.get(core.kind, {}).get("source", rules.source))


def _core_atoms(core: Core, rules: LipidRules) -> dict[str, tuple[int, ...]]:
    """Atoms by the bead names of the table, which may call or cut them differently."""
    names = rules.kinds[core.kind].get("names", {})
    atoms: dict[str, tuple[int, ...]] = {}
    for name, group in core.beads.items():
        name = names.get(name, name)
        atoms[name] = (*atoms.get(name, ()), *group)
    return atoms


def _pieces(core: Core, rules: LipidRules) -> dict[str, _Piece] | None:
    """The beads of a lipid by name, in the order of the published model; ``None`` where the table has no such head."""
    kind = rules.kinds[core.kind]
    atoms = _core_atoms(core, rules)
    linkers: dict[str, str] = dict(kind["tails"].values())
    pieces: dict[str, _Piece] = {}
    for entry in kind["order"]:
        label = tail_label(entry)
        if label:
            divided = _divide(core.tails[label], rules, label == core.sphingoid)
            for piece in _tail_pieces(divided, label, rules, _source(core, rules), core.tails[label]):
                pieces[piece.bead.name] = piece
            continue
        name = core.head if entry == HEAD else entry
        if entry == HEAD and not name:
            continue
        bead_type = rules.heads.get(name, {}).get("type") if entry == HEAD else kind["beads"][name]
        if bead_type is None:
            return None
        pieces[name] = _Piece(
            bead=RecognisedBead(
                name=name,
                bead_type=bead_type,
                atoms=tuple(sorted(atoms.get(name, ()))),
                charge=_core_charge(name, core, rules),
                reason=f"{name} of a {_title(core)} -> {bead_type} [{_source(core, rules)}]",
                confidence=CONFIDENCE_PUBLISHED,
            ),
            bond=linkers.get(name, ""),
            angle=linkers.get(name, ""),
        )
    return pieces


def _phosphate_pieces(core: Core, rules: LipidRules) -> dict[str, _Piece]:
    """Head and phosphate of a phospholipid whose backbone the table does not know."""
    known = {"PO4": str(rules.kinds["phosphatidyl"]["beads"]["PO4"])}
    if core.head in rules.heads:
        known[core.head] = str(rules.heads[core.head]["type"])
    return {
        name: _Piece(
            bead=RecognisedBead(
                name=name,
                bead_type=bead_type,
                atoms=tuple(sorted(core.beads[name])),
                charge=_core_charge(name, core, rules),
                reason=f"{name} as in phospholipids -> {bead_type} [{rules.source}]",
                confidence=CONFIDENCE_PUBLISHED,
            )
        )
        for name, bead_type in known.items()
        if name in core.beads
    }


def _core_charge(name: str, core: Core, rules: LipidRules) -> int:
    """Formal charge that the published bead stands for."""
    if name.startswith("PO4"):
        return core.phosphate_charge if core.phosphate_charge in _phosphate_charges(core) else -1
    return {"NC3": 1, "NH3": 1}.get(name, -1 if core.kind == "carboxylate" and name == "COO" else 0)


def _phosphate_charges(core: Core) -> tuple[int, ...]:
    """Published charges of a phosphate: that of a diester, and both of phosphatidic acid."""
    return (-1, -2) if core.complete and not core.head and core.kind in _ACIDS else (-1,)


@lru_cache(maxsize=1024)
def _divide_cached(n: int, doubles: tuple[tuple[int, str], ...], first_bead: str, sphingoid: bool) -> DividedTail:
    return divide_tail(Tail(carbons=tuple(range(n)), doubles=doubles), first_bead, sphingoid=sphingoid)


def _divide(tail: Tail, rules: LipidRules, sphingoid: bool) -> DividedTail:
    plan = _divide_cached(len(tail.carbons), tail.doubles, rules.first_bead, sphingoid)
    groups = tuple(tuple(tail.carbons[k] for k in group) for group in plan.groups)
    return DividedTail(groups=groups, letters=plan.letters, published=plan.published, assumed_cis=plan.assumed_cis)


def _tail_pieces(divided: DividedTail, label: str, rules: LipidRules, source: str, tail: Tail) -> list[_Piece]:
    n = len(tail.carbons)
    said = f"tail of {n} carbons after the carbonyl: {divided.sizes}"
    if tail.doubles:
        at = ", ".join(f"{position + 2}{'t' if side == 'trans' else 'c'}" for position, side in tail.doubles)
        said += f", double bonds at {at}" + (" (cis assumed)" if divided.assumed_cis else "")
    if not divided.published:
        said += ", a length without published model"
    pieces = []
    for place, (letter, group) in enumerate(zip(divided.letters, divided.groups), start=1):
        kind = rules.tails[letter]
        shown = "D" if letter in "FfDd" else letter.upper()
        pieces.append(
            _Piece(
                bead=RecognisedBead(
                    name=f"{shown}{place}{label}",
                    bead_type=kind["type"],
                    atoms=tuple(sorted(group)),
                    charge=0,
                    reason=f"{said}; bead {place} -> {kind['type']} [{source}]",
                    confidence=CONFIDENCE_PUBLISHED if divided.published else CONFIDENCE_EXTENDED,
                ),
                bond=kind["bond"],
                angle=kind["angle"],
            )
        )
    return pieces


class _Terms:
    """Bonded terms of a whole lipid: those of its core by name, those of its tails by kind."""

    def __init__(self, core: Core, rules: LipidRules, pieces: dict[str, _Piece], style: str) -> None:
        self.core, self.rules, self.pieces = core, rules, pieces
        self.kind = rules.kinds[core.kind]
        self.index = {name: place for place, name in enumerate(pieces)}
        self.tails = {
            label: [n for n in pieces if n[0] in "CDT" and n.endswith(label) and n[1 : -len(label)].isdigit()]
            for label in self.kind["tails"]
        }
        self.style = style
        self.bonds: list[Bond] = []
        self.angles: list[Angle] = []
        self.published = True

    def build(self) -> PublishedTerms | None:
        """All terms, or ``None`` when one of them has no published value."""
        self._head()
        for one, two, length, force in self.kind["bonds"]:
            self._bond(one, two, (length, force))
        for one, two, three, angle, force, *function in self.kind["angles"]:
            self._angle(one, two, three, (angle, force), *function)
        for label, (linker, _) in self.kind["tails"].items():
            self._tail(linker, self.tails[label])
        if not self.published:
            return None
        sites = tuple(
            VirtualSite(
                site=self._at(site), construction=how, atoms=tuple(map(self._at, of)), parameters=tuple(weights)
            )
            for site, how, of, weights in self.kind.get("sites", ())
        )
        return PublishedTerms(
            bonds=tuple(self.bonds),
            constraints=tuple(
                Constraint(atoms=self._pair(a, b), length=length) for a, b, length in self.kind.get("constraints", ())
            ),
            angles=tuple(self.angles),
            dihedrals=tuple(
                Dihedral(
                    atoms=(self._at(a), self._at(b), self._at(c), self._at(d)),
                    angle=angle,
                    force_constant=force,
                    function=function,
                    multiplicity=multiplicity,
                )
                for a, b, c, d, angle, force, function, multiplicity in self.kind.get("dihedrals", ())
            ),
            virtual_sites=sites,
            exclusions=tuple(self._pair(a, b) for a, b in self.kind.get("exclusions", ())),
            masses={site.site: 0.0 for site in sites},
            positions=None,
        )

    def _at(self, name: str) -> int:
        label = tail_label(name)
        return self.index[self.tails[label][0] if label else name]

    def _pair(self, one: str, two: str) -> tuple[int, int]:
        i, j = self._at(one), self._at(two)
        return (i, j) if i < j else (j, i)

    def _bond(self, one: str, two: str, value: tuple[float, float] | None) -> None:
        if value is None:
            self.published = False
            return
        self.bonds.append(Bond(atoms=self._pair(one, two), length=value[0], force_constant=value[1]))

    def _angle(self, one: str, two: str, three: str, value: tuple[float, float] | None, function: int = 0) -> None:
        if value is None:
            self.published = False
            return
        self.angles.append(
            Angle(
                atoms=(self._at(one), self._at(two), self._at(three)),
                angle=value[0],
                force_constant=value[1],
                function=function or self.rules.angle_function,
            )
        )

    def _head(self) -> None:
        if not self.core.head:
            return
        head = self.rules.heads[self.core.head]
        self._bond(self.core.head, "PO4", tuple(head["bond"]))
        linker = self.kind.get("linker", "")
        if linker:
            first = self.kind["order"][self.kind["order"].index("PO4") + 1]
            self._angle(self.core.head, "PO4", first, tuple(head[linker]) if linker in head else None)

    def _tail(self, linker: str, names: list[str]) -> None:
        pieces = [self.pieces[linker], *(self.pieces[name] for name in names)]
        sizes = [len(piece.bead.atoms) for piece in pieces]
        for k in range(len(names)):
            long = {5: "long", 4: "four"}.get(sizes[1], "") if k == 0 else ""
            if k == 1 and sizes[1] == 5:
                place = "long"
            else:
                place = long or ("end" if k == len(names) - 1 else "mid")
            one, two = pieces[k], pieces[k + 1]
            self._bond(one.bead.name, two.bead.name, self.rules.bond(one.bond, two.bond, place))
        for before, middle, after in zip(pieces, pieces[1:], pieces[2:]):
            value = self.rules.angle(before.angle, middle.angle, after.angle)
            self._angle(before.bead.name, middle.bead.name, after.bead.name, value)


def _partial(graph: MoleculeGraph, cores: list[Core], rules: LipidRules) -> list[RecognisedBead]:
    """Beads of recognised lipids inside a larger molecule, then of every tail that is left."""
    beads: list[RecognisedBead] = []
    taken: set[int] = set()
    for core in cores:
        pieces = _pieces(core, rules) if core.kind in rules.kinds else _phosphate_pieces(core, rules)
        for piece in (pieces or {}).values():
            atoms = set(piece.bead.atoms)
            fits = piece.bead.charge == sum(graph.charges[a] for a in atoms)
            if atoms and fits and not atoms & taken:
                beads.append(piece.bead)
                taken |= atoms
    loose = [(tail, False) for tail in acyl_tails(graph)]
    loose += [(tail, label == core.sphingoid) for core in cores for label, tail in core.tails.items()]
    for tail, sphingoid in loose:
        if not taken & set(tail.carbons):
            divided = _divide(tail, rules, sphingoid)
            beads += [piece.bead for piece in _tail_pieces(divided, "A", rules, rules.source, tail)]
            taken |= set(tail.carbons)
    return beads
