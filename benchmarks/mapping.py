"""Score the mapper against expert mappings it has not seen.

    python benchmarks/mapping.py --source DIR [--table martini3] [--folds 5 [--shuffle N] | --by-source] [--report FILE] [-v]

``DIR`` holds the curated CSV files (columns smiles, bead_types, atom_mapping). Partitions: the costs are fitted anew
without the molecules of each fold (``--folds 0`` uses the shipped ones, which have seen them). Bead types: the
building blocks are derived anew without the molecule itself, and the weights of the estimate without the molecules of
the fold. Scores are up to molecular symmetry; a shared atom is right in either of its beads, and a molecule published
more than once is right when it equals one of them. Types given the published partition: ``mapping_types.py``.

The general partition and typing are scored, unless ``--as-mapped`` puts the rules for lipids and sterols before them, as
``topdown map`` does; those rules were written with published lipids in view and are not fitted anew.

``--shuffle N`` divides the molecules into folds at random instead of in turn, ``--by-source`` hides one collection
after the other: costs and weights of the estimate then come from the other collections alone.

``--report FILE`` writes, as Markdown, the scores per source and per class of molecule and the ten worst molecules with
what differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import derive_building_blocks as derive
import fit_partition_costs as fitting
import fit_type_weights as weighing
from curated_mappings import MappedRow, read_rows

from topdown.mapping import fragmenting
from topdown.mapping.bead_typing import BuildingBlockIndex, choose_types
from topdown.mapping.lipids import recognise
from topdown.mapping.partition_costs import PARTITION_COSTS
from topdown.mapping.partition_symmetry import Groups
from topdown.mapping.published import given_choices
from topdown.mapping.type_estimate import TypeModel
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table


def core(bead_type: str) -> str:
    """A bead type without its labels: SN3ar -> SN3."""
    head = len(bead_type) - len(bead_type.lstrip("ST")) + 2
    return bead_type[:head]


def pair_beads(ours: tuple, theirs: tuple) -> list[tuple[int, int]]:
    """Pairs of beads with the largest overlap."""
    overlap = [[-len(set(g) & set(t)) for t in theirs] for g in ours]
    rows, columns = linear_sum_assignment(overlap)
    return [(int(i), int(j)) for i, j in zip(rows, columns) if overlap[i][j]]


def published_types(rows: Iterable[MappedRow]) -> dict[str, list[tuple[tuple, tuple]]]:
    """Canonical SMILES -> [(groups in canonical order, types)]."""
    found: dict[str, list[tuple[tuple, tuple]]] = defaultdict(list)
    for row in rows:
        place = {old: new for new, old in enumerate(fragmenting.canonical_order(row.mol))}
        groups, types = zip(*row.beads)
        name = Chem.MolToSmiles(row.mol, isomericSmiles=False)
        found[name].append((tuple(tuple(sorted(place[a] for a in g)) for g in groups), tuple(types)))
    return found


#: Classes of molecules, the first that fits; SMARTS, or None for what is left.
CLASSES = (
    ("phospholipid", "P(=O)([O-])(OCC)OCC"),
    ("sterol", "C1~C~C~C2~C(~C~1)~C~C~C1~C~2~C~C~C2~C~C~C~C~1~2"),
    ("sugar", "[OX2;R][C;R]([OX2])[C;R]([OX2H])"),
    ("fused aromatic", "c12aaaac1aa*2"),
    ("fused aromatic", "c12aaaac1aaaa2"),
    ("aromatic six-ring", "a1aaaaa1"),
    ("aromatic five-ring", "a1aaaa1"),
    ("aliphatic ring", "[R]"),
    ("chain ester or acid", "C(=O)[OX2,O-]"),
    ("chain amide", "C(=O)N"),
    ("chain with N", "[#7]"),
    ("chain with O", "[#8]"),
    ("chain with other groups", "[!#6]"),
    ("hydrocarbon chain", None),
)


def class_of(mol: Chem.Mol) -> str:
    """Class of a molecule in :data:`CLASSES`."""
    bare = Chem.MolFromSmiles(Chem.MolToSmiles(mol))
    return next(n for n, smarts in CLASSES if smarts is None or bare.HasSubstructMatch(Chem.MolFromSmarts(smarts)))


@dataclass(frozen=True)
class Score:
    """One held-out molecule.

    Attributes
    ----------
    name, smiles, source, kind : str
    exact : bool
        Whether the partition is a published one.
    right, atoms : int
        Atoms in the right bead, of how many.
    hits, cores, beads : int
        Beads of the right type, of the right type but for its labels, of how many published.
    seconds, dividing : float
        Processor time of the mapping, and of the partition alone.
    why : str
        What differs from the published partition nearest to ours.
    text : str
        Our beads and the published ones.
    """

    name: str
    smiles: str
    source: str
    kind: str
    exact: bool
    right: int
    atoms: int
    hits: int
    cores: int
    beads: int
    seconds: float
    dividing: float
    why: str
    text: str


def why(mol: Chem.Mol, ours: tuple, theirs: tuple) -> str:
    """What differs: the beads that are only in one of the two."""
    same = {frozenset(g) for g in ours} & {frozenset(g) for g in theirs}

    def text(groups: tuple) -> str:
        return ", ".join(Chem.MolFragmentToSmiles(mol, list(g)) for g in groups if frozenset(g) not in same)

    return f"{len(ours)} beads for {len(theirs)}; ours {text(ours)}; published {text(theirs)}"


def collection_of(example: fitting.Example) -> str:
    """Collection an example was taken from."""
    return example.source.split(":")[0].rsplit("/", 1)[-1]


def held_out_sets(
    examples: Sequence[fitting.Example], folds: int, *, shuffle: int = 0, by_source: bool = False
) -> list[list[fitting.Example]]:
    """The examples held out together; every example is in one of the lists."""
    if by_source:
        return [[e for e in examples if collection_of(e) == c] for c in sorted({collection_of(e) for e in examples})]
    ordered = list(examples)
    if shuffle:
        random.Random(shuffle).shuffle(ordered)
    return [ordered[fold::folds] for fold in range(folds)]


class Judge:
    """Maps held-out molecules and scores them.

    Parameters
    ----------
    source : Path
        Folder of the curated files.
    style : {"martini3", "martini2"}
    refit : bool
        Whether costs come from the other molecules alone instead of the shipped file.
    as_mapped : bool
        Whether lipids and sterols go by their own rules first, as in ``topdown map``.
    """

    def __init__(self, source: Path, style: str, *, refit: bool = True, as_mapped: bool = False) -> None:
        self.style, self.refit, self.as_mapped = style, refit, as_mapped
        self.table = load_bead_table(style)
        self.known = published_types(read_rows(source, style, [f"{style}_curated.csv"]))
        every = fitting.read_examples(read_rows(source, style, max_labelled=fitting.MAX_LABELLED), style)
        self.examples = [e for e in every if Chem.MolToSmiles(e.mol, isomericSmiles=False) in self.known]
        self.facts = derive.observations(source, style)
        self.encode = weighing.Encoder(style)
        self._indices: dict[str, BuildingBlockIndex] = {}

    def scores(self, test: Sequence[fitting.Example]) -> list[Score]:
        """The molecules of ``test``, with nothing learnt from any of them."""
        costs = self._costs_without(test) if self.refit else PARTITION_COSTS[self.style]
        unseen = {Chem.MolToSmiles(e.mol, isomericSmiles=False) for e in test}
        model = weighing.fit([f for f in self.facts if f.molecule not in unseen], self.style, self.encode)
        return [self._score(example, costs, model) for example in test]

    def _costs_without(self, test: Sequence[fitting.Example]) -> dict[str, int]:
        for example in self.examples:
            # What other folds listed was cheap under costs that have seen this one.
            example.listed.clear()
        held = {Chem.MolToSmiles(e.mol) for e in test}
        rest = [e for e in self.examples if Chem.MolToSmiles(e.mol) not in held]
        return fitting.to_table(*fitting.fit(rest, width=fitting.WIDTH, rounds=fitting.ROUNDS))

    def _index_without(self, name: str) -> BuildingBlockIndex:
        if name not in self._indices:
            blocks = derive.building_blocks(f for f in self.facts if f.molecule != name)
            self._indices[name] = BuildingBlockIndex(blocks)
        return self._indices[name]

    def _score(self, example: fitting.Example, costs: Mapping[str, int], model: TypeModel) -> Score:
        name = Chem.MolToSmiles(example.mol, isomericSmiles=False)
        index = self._index_without(name)
        start = time.process_time()
        blocks = recognise(example.mol, self.style) if self.as_mapped else None
        given = given_choices(blocks, self.table)
        if blocks is not None and blocks.whole and given:
            groups: Groups = blocks.groups
            dividing = time.process_time() - start
            types = [given[group].bead_type for group in groups]
        else:
            partition = fragmenting.partition_atoms(example.mol, self.style, costs=costs, fixed=tuple(given))
            groups = partition.groups
            dividing = time.process_time() - start
            chosen = choose_types(example.mol, groups, self.table, shared=partition.shared, index=index, model=model)
            types = [given[g].bead_type if g in given else c.bead_type for g, c in zip(groups, chosen)]
        seconds = time.process_time() - start
        right, hits, cores, beads, differs = self._nearest(example, groups, types, self.known[name])
        published = "".join(f"\n   published {sorted(zip(*row))}" for row in self.known[name])
        return Score(
            name=example.name,
            smiles=name,
            source=collection_of(example),
            kind=class_of(example.mol),
            exact=example.agrees(tuple(groups)),
            right=right,
            atoms=example.graph.n_atoms,
            hits=hits,
            cores=cores,
            beads=beads,
            seconds=seconds,
            dividing=dividing,
            why=differs,
            text=f"{example.name} {Chem.MolToSmiles(example.mol)}\n   ours      {sorted(zip(groups, types))}{published}",
        )

    @staticmethod
    def _nearest(
        example: fitting.Example, groups: Groups, types: Sequence[str], published: Iterable[tuple[tuple, tuple]]
    ) -> tuple[int, int, int, int, str]:
        """(atoms right, types right, core types right, beads, what differs) beside the published mapping nearest to ours."""
        best, differs = (0, 0, 0, 0), ""
        for theirs, their_types in published:
            for s in (tuple(range(example.graph.n_atoms)), *example.symmetries):
                ours = tuple(tuple(sorted(s[a] for a in g)) for g in groups)
                atoms = fragmenting.correct_atoms([frozenset(g) for g in ours], [frozenset(g) for g in theirs])
                pairs = pair_beads(ours, theirs)
                hits = sum(types[i] == their_types[j] for i, j in pairs)
                cores = sum(core(types[i]) == core(their_types[j]) for i, j in pairs)
                if atoms > best[0]:
                    differs = why(example.mol, ours, theirs)
                best = max(best, (atoms, hits, cores, len(their_types)))
        return *best, differs


def report(scores: list[Score]) -> str:
    """Markdown tables: per source, per class, and the ten worst."""
    lines = []
    for title, key in (("source", lambda s: s.source), ("class", lambda s: s.kind)):
        lines += [
            f"| {title} | molecules | exact partition | atoms in right bead | types exact |",
            "|---|---|---|---|---|",
        ]
        for group in sorted({key(s) for s in scores}):
            found = [s for s in scores if key(s) == group]
            exact = sum(s.exact for s in found) / len(found)
            atoms = sum(s.right for s in found) / sum(s.atoms for s in found)
            types = sum(s.hits for s in found) / sum(s.beads for s in found)
            lines.append(f"| {group} | {len(found)} | {exact:.0%} | {atoms:.0%} | {types:.0%} |")
        lines.append("")
    lines += ["| worst | atoms right | what differs |", "|---|---|---|"]
    wrong = sorted((s for s in scores if not s.exact), key=lambda s: (s.right / s.atoms, s.smiles))
    lines += [f"| {s.name} `{s.smiles}` | {s.right}/{s.atoms} | {s.why} |" for s in wrong[:10]]
    return "\n".join(lines) + "\n"


def summary(scores: Sequence[Score]) -> str:
    """The totals."""
    exact, n = sum(s.exact for s in scores), len(scores)
    right, atoms = sum(s.right for s in scores), sum(s.atoms for s in scores)
    hits, cores, beads = (sum(getattr(s, name) for s in scores) for name in ("hits", "cores", "beads"))
    lines = [
        f"exact partition        {exact}/{n} = {exact / n:.1%}",
        f"atoms in right bead    {right}/{atoms} = {right / atoms:.1%}",
        f"bead types exact       {hits}/{beads} = {hits / beads:.1%}  (core type {cores / beads:.1%})",
    ]
    for title, name in (("CPU per molecule      ", "seconds"), ("   of it the partition", "dividing")):
        spent = sorted(getattr(s, name) for s in scores)
        lines.append(f"{title} median {spent[len(spent) // 2] * 1e3:.1f} ms, largest {spent[-1] * 1e3:.0f} ms")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--shuffle", type=int, default=0, help="seed of a random division into folds, 0 for in turn")
    parser.add_argument("--by-source", action="store_true", help="hold out one collection after the other")
    parser.add_argument("--as-mapped", action="store_true", help="lipids and sterols by their rules, as 'topdown map'")
    parser.add_argument("--report", type=Path, help="file for the scores per source and class")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every difference")
    arguments = parser.parse_args()
    judge = Judge(
        arguments.source,
        arguments.table,
        refit=arguments.folds > 0 or arguments.by_source,
        as_mapped=arguments.as_mapped,
    )
    tests = held_out_sets(
        judge.examples, max(arguments.folds, 1), shuffle=arguments.shuffle, by_source=arguments.by_source
    )
    scores = [score for test in tests for score in judge.scores(test)]
    if arguments.verbose:
        print("\n".join(s.text for s in scores if s.hits < s.beads or not s.exact))
    hidden = "one source held out" if arguments.by_source else f"folds {arguments.folds}, shuffle {arguments.shuffle}"
    by_rule = ", lipids and sterols by their rules" if arguments.as_mapped else ""
    print(
        f"{arguments.table}: {len(scores)} distinct molecules, {sum(s.beads for s in scores)} beads, {hidden}{by_rule}"
    )
    print(summary(scores))
    if arguments.report:
        atomic_write_text(arguments.report, report(scores))


if __name__ == "__main__":
    main()
