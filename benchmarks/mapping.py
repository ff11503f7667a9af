"""Score the mapper against expert mappings it has not seen.

    python benchmarks/mapping.py --source DIR [--table martini3] [--folds 5 [--shuffle N] | --by-source] [--report FILE] [-v]

``DIR`` holds the curated CSV files (columns smiles, bead_types, atom_mapping). Partitions: the costs are fitted anew
without the molecules of each fold (``--folds 0`` uses the shipped ones, which have seen them). Bead types: the
building blocks are derived anew without the molecule itself, and the weights of the estimate without the molecules of
the fold. Scores are up to molecular symmetry; a shared atom is right in either of its beads, and a molecule published
more than once is right when it equals one of them. Types given the published partition: ``mapping_types.py``.

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import derive_building_blocks as derive
import fit_partition_costs as fitting
import fit_type_weights as weighing
from curated_mappings import MappedRow, read_rows

from topdown.formats.atomic import atomic_write_text
from topdown.mapping import fragmenting
from topdown.mapping.bead_typing import BuildingBlockIndex, choose_types
from topdown.mapping.partition_costs import PARTITION_COSTS
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


@dataclass
class Score:
    """One held-out molecule."""

    name: str
    smiles: str
    source: str
    kind: str
    exact: bool
    right: int
    atoms: int
    why: str


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


def report(scores: list[Score]) -> str:
    """Markdown tables: per source, per class, and the ten worst."""
    lines = []
    for title, key in (("source", lambda s: s.source), ("class", lambda s: s.kind)):
        lines += [f"| {title} | molecules | exact partition | atoms in right bead |", "|---|---|---|---|"]
        for group in sorted({key(s) for s in scores}):
            found = [s for s in scores if key(s) == group]
            atoms = sum(s.right for s in found) / sum(s.atoms for s in found)
            lines.append(f"| {group} | {len(found)} | {sum(s.exact for s in found) / len(found):.0%} | {atoms:.0%} |")
        lines.append("")
    lines += ["| worst | atoms right | what differs |", "|---|---|---|"]
    wrong = sorted((s for s in scores if not s.exact), key=lambda s: (s.right / s.atoms, s.smiles))
    lines += [f"| {s.name} `{s.smiles}` | {s.right}/{s.atoms} | {s.why} |" for s in wrong[:10]]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--table", choices=["martini3", "martini2"], default="martini3")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--shuffle", type=int, default=0, help="seed of a random division into folds, 0 for in turn")
    parser.add_argument("--by-source", action="store_true", help="hold out one collection after the other")
    parser.add_argument("--report", type=Path, help="file for the scores per source and class")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every difference")
    arguments = parser.parse_args()
    table = load_bead_table(arguments.table)
    examples = fitting.read_examples(read_rows(arguments.source, arguments.table, max_labelled=fitting.MAX_LABELLED))
    known = published_types(read_rows(arguments.source, arguments.table, [f"{arguments.table}_curated.csv"]))
    examples = [e for e in examples if Chem.MolToSmiles(e.mol, isomericSmiles=False) in known]
    facts = derive.observations(arguments.source, arguments.table)
    encode = weighing.Encoder(arguments.table)
    indices = {}

    def index_without(name: str) -> BuildingBlockIndex:
        if name not in indices:
            indices[name] = BuildingBlockIndex(derive.building_blocks(f for f in facts if f.molecule != name))
        return indices[name]

    exact = right = total_atoms = 0
    beads = exact_types = core_types = 0
    seconds = []
    dividing = []
    scores = []
    refit = arguments.folds > 0 or arguments.by_source
    for test in held_out_sets(
        examples, max(arguments.folds, 1), shuffle=arguments.shuffle, by_source=arguments.by_source
    ):
        costs = PARTITION_COSTS[arguments.table]
        if refit:
            for example in examples:
                # What other folds listed was cheap under costs that have seen this one.
                example.listed.clear()
            held = {Chem.MolToSmiles(e.mol) for e in test}
            names, weights = fitting.fit(
                [e for e in examples if Chem.MolToSmiles(e.mol) not in held], width=fitting.WIDTH, rounds=fitting.ROUNDS
            )
            costs = fitting.to_table(names, weights)
        unseen = {Chem.MolToSmiles(e.mol, isomericSmiles=False) for e in test}
        model = weighing.fit([f for f in facts if f.molecule not in unseen], arguments.table, encode)
        for example in test:
            name = Chem.MolToSmiles(example.mol, isomericSmiles=False)
            index = index_without(name)
            start = time.process_time()
            partition = fragmenting.partition_atoms(example.mol, costs=costs)
            dividing.append(time.process_time() - start)
            choices = choose_types(
                example.mol, partition.groups, table, shared=partition.shared, index=index, model=model
            )
            seconds.append(time.process_time() - start)
            exact += example.agrees(partition.groups)
            total_atoms += example.graph.n_atoms
            best = (0, 0, 0, 0)
            differs = ""
            symmetries = [tuple(range(example.graph.n_atoms)), *example.symmetries]
            for groups, types in known[name]:
                for s in symmetries:
                    ours = tuple(tuple(sorted(s[a] for a in g)) for g in partition.groups)
                    atoms = fragmenting.correct_atoms([frozenset(g) for g in ours], [frozenset(g) for g in groups])
                    pairs = pair_beads(ours, groups)
                    hits = sum(choices[i].bead_type == types[j] for i, j in pairs)
                    cores = sum(core(choices[i].bead_type) == core(types[j]) for i, j in pairs)
                    if atoms > best[0]:
                        differs = why(example.mol, ours, groups)
                    best = max(best, (atoms, hits, cores, len(types)))
            agrees = example.agrees(partition.groups)
            scores.append(
                Score(
                    name=example.name,
                    smiles=name,
                    source=collection_of(example),
                    kind=class_of(example.mol),
                    exact=agrees,
                    right=best[0],
                    atoms=example.graph.n_atoms,
                    why=differs,
                )
            )
            right += best[0]
            exact_types += best[1]
            core_types += best[2]
            beads += best[3]
            if arguments.verbose and (best[1] < best[3] or not example.agrees(partition.groups)):
                print(f"{example.name} {Chem.MolToSmiles(example.mol)}")
                print("   ours     ", sorted(zip(partition.groups, (c.bead_type for c in choices))))
                for groups, types in known[name]:
                    print("   published", sorted(zip(groups, types)))
    print(
        f"{arguments.table}: {len(examples)} distinct molecules, {beads} beads, "
        f"{'one source held out' if arguments.by_source else f'folds {arguments.folds}, shuffle {arguments.shuffle}'}"
    )
    print(f"exact partition        {exact}/{len(examples)} = {exact / len(examples):.1%}")
    print(f"atoms in right bead    {right}/{total_atoms} = {right / total_atoms:.1%}")
    print(
        f"bead types exact       {exact_types}/{beads} = {exact_types / beads:.1%}  (core type {core_types / beads:.1%})"
    )
    print(
        f"CPU per molecule       median {sorted(seconds)[len(seconds) // 2] * 1e3:.1f} ms, largest {max(seconds) * 1e3:.0f} ms"
    )
    middle, largest = sorted(dividing)[len(dividing) // 2], max(dividing)
    print(f"   of it the partition  median {middle * 1e3:.1f} ms, largest {largest * 1e3:.0f} ms")
    if arguments.report:
        atomic_write_text(arguments.report, report(scores))


if __name__ == "__main__":
    main()
