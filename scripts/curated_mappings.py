"""Published mappings as the scripts beside this one read them: curated CSV files, and the rule for Martini 3 lipids."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem

from topdown.mapping.atom_roles import AtomRoles, atom_roles
from topdown.mapping.smiles import parse_smiles
from topdown.mapping.type_features import size_rule

#: Files each style learns from.
SOURCES = {
    "martini3": ("martini3_curated.csv",),
    "martini2": ("martini2_curated.csv", "martini2_labelled.csv"),
}
#: Longest SMILES taken from the labelled set, whose lipids repeat the same pieces over and over.
MAX_LABELLED = 60
_GLYCEROL = Chem.MolFromSmarts(
    "[CX3](=[OX1])([CH2])[OX2][CH2][CH]([OX2][CX3](=[OX1])[CH2])[CH2][OX2]P(=[OX1])([O-])[OX2][#6]"
)


@dataclass(frozen=True)
class MappedRow:
    """One published mapping.

    Attributes
    ----------
    name, smiles, source : str
    mol : Chem.Mol
        Heavy atoms in the order of ``smiles``.
    beads : tuple of (atoms, type)
        Without virtual sites.
    """

    name: str
    smiles: str
    source: str
    mol: Chem.Mol
    beads: tuple[tuple[tuple[int, ...], str], ...]

    @property
    def shared(self) -> frozenset[int]:
        """Atoms that stand in more than one bead."""
        return shared_atoms(bead for bead, _ in self.beads)


def shared_atoms(groups: Iterable[tuple[int, ...]]) -> frozenset[int]:
    """Atoms of more than one group."""
    count = Counter(a for group in groups for a in group)
    return frozenset(a for a, n in count.items() if n > 1)


def read_rows(
    source: Path, style: str, names: Iterable[str] | None = None, *, max_labelled: int = MAX_LABELLED
) -> Iterator[MappedRow]:
    """Every row of the curated files whose mapping is published or follows from the lipid rule."""
    for file_name in names or SOURCES[style]:
        with (source / file_name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if "labelled" not in file_name or len(row["smiles"]) <= max_labelled:
                mapped = _mapped(row, style)
                if mapped is not None:
                    yield mapped


def published_rows(style: str) -> Iterator[MappedRow]:
    """Residues of ``published_blocks.csv`` beside this script: only the beads that are published, caps left out."""
    with (Path(__file__).resolve().parent / "published_blocks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["table"] == style:
                mol = parse_smiles(row["smiles"]).mol
                groups = [tuple(int(a) for a in bead.split(",")) for bead in row["atom_mapping"].split(";")]
                beads = tuple(zip(groups, row["bead_types"].split(";"), strict=True))
                yield MappedRow(row["name"], row["smiles"], row["source"], mol, beads)


def _mapped(row: dict[str, str], style: str) -> MappedRow | None:
    try:
        mol = parse_smiles(row["smiles"]).mol
    except ValueError:
        return None
    types = row["bead_types"].split(";")
    if row["atom_mapping"] != "-":
        groups = [tuple(int(a) for a in bead.split(",") if a.isdigit()) for bead in row["atom_mapping"].split(";")]
    else:
        groups = diacyl_lipid_beads(mol) if style == "martini3" else []
    if len(groups) != len(types):
        return None
    beads = [(group, t) for group, t in zip(groups, types) if t != "U" and group]
    if not beads or max(a for group, _ in beads for a in group) >= mol.GetNumAtoms():
        return None
    if style == "martini2":
        roles, shared = atom_roles(mol), shared_atoms(group for group, _ in beads)
        beads = [(group, martini2_name(t, roles, group, shared)) for group, t in beads]
    source = row.get("source") or row.get("itp_source") or ""
    return MappedRow(row["name"], row["smiles"], source, mol, tuple(beads))


def diacyl_lipid_beads(mol: Chem.Mol) -> list[tuple[int, ...]]:
    """Beads of a glycerophospholipid in the order head, phosphate, two glycerol esters, sn-2 tail, sn-1 tail.

    The rule all published diacyl lipids follow: the glycerol with its two esters makes two beads, the phosphate one,
    and a tail of n carbons beyond the carbonyl makes beads of four from its end, the first taking three when
    n mod 4 = 3 and five when n mod 4 = 1.
    """
    match = mol.GetSubstructMatch(_GLYCEROL)
    if not match:
        return []
    c1, o1, tail_b, oe1, g1, g2, oe2, c2, o2, tail_a, g3, op, p, op1, op2, oh, head = match
    phosphate = {p, op, op1, op2, oh}
    heads = _beyond(mol, head, phosphate)
    if len(heads) > 6:
        return []
    beads = [tuple(sorted(heads)), tuple(sorted(phosphate)), (g3, g2, oe2, c2, o2), (g1, oe1, c1, o1)]
    for start, carbonyl in ((tail_a, c2), (tail_b, c1)):
        chain = _chain(mol, start, carbonyl)
        first = {0: 4, 1: 5, 2: 2, 3: 3}[len(chain) % 4]
        beads.append(tuple(chain[:first]))
        beads += [tuple(chain[i : i + 4]) for i in range(first, len(chain), 4)]
    return [tuple(sorted(bead)) for bead in beads]


def _beyond(mol: Chem.Mol, start: int, wall: set[int]) -> set[int]:
    reached, frontier = {start}, [start]
    while frontier:
        for neighbor in mol.GetAtomWithIdx(frontier.pop()).GetNeighbors():
            if neighbor.GetIdx() not in reached | wall:
                reached.add(neighbor.GetIdx())
                frontier.append(neighbor.GetIdx())
    return reached


def _chain(mol: Chem.Mol, start: int, before: int) -> list[int]:
    chain, last = [start], before
    while True:
        onwards = [n.GetIdx() for n in mol.GetAtomWithIdx(chain[-1]).GetNeighbors() if n.GetIdx() != last]
        if len(onwards) != 1:
            return chain
        last = chain[-1]
        chain.append(onwards[0])


def martini2_name(bead_type: str, roles: AtomRoles, bead: tuple[int, ...], shared: frozenset[int]) -> str:
    """Undo two habits of the labelled set: capitals throughout, and ring beads without their S.

    AC1 and AC2 are C1 and C2 but for a clash with Q inside proteins; small molecules take the plain ones.
    """
    upper = {"NA": "Na", "ND": "Nd", "NDA": "Nda", "QA": "Qa", "QD": "Qd", "QDA": "Qda"}
    if bead_type in ("AC1", "AC2"):
        return bead_type[1:]
    name = upper.get(bead_type, bead_type)
    small = size_rule(roles, bead, shared, "martini2") == "S"
    return f"S{name}" if small and not name.startswith("S") else name
