"""Fit the costs of :mod:`topdown.mapping.partition_costs` to expert mappings and write them beside the bead tables.

    python scripts/fit_partition_costs.py --source DIR

``DIR`` holds ``martini3_curated.csv`` and ``martini2_curated.csv`` (columns smiles, atom_mapping). The model is
log-linear: P(partition) ∝ exp(-Σ cost), over the cheapest partitions of each molecule; the costs maximise the
likelihood of the published ones under a Gaussian prior around :func:`prior_costs`. The lists of cheapest partitions and
the costs are found in turn. ``--folds K`` prints K-fold cross-validated accuracy instead of writing.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from curated_mappings import SOURCES, MappedRow, read_rows
from rdkit import Chem
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from topdown.mapping import fragmenting, partition_symmetry
from topdown.mapping.candidate_groups import Candidates
from topdown.mapping.group_features import group_features
from topdown.mapping.lipids import recognise
from topdown.mapping.molecule_graph import MoleculeGraph
from topdown.mapping.partition_costs import COSTS_FILE
from topdown.resources import atomic_write_text, bead_tables_folder

#: One unit of cost in the table is 1/100 of log-likelihood.
SCALE = 100
KEEP = 60
#: Width of the prior [log-likelihood], and how often lists and costs are found in turn.
WIDTH = 1.0
ROUNDS = 3
#: Longest SMILES of the labelled Martini 2 set fitted to.
MAX_LABELLED = 32

Groups = tuple[tuple[int, ...], ...]


@dataclass
class Example:
    """A molecule with its published mappings, and the partitions listed for it.

    ``style`` is that of the table; ``by_rule`` says that it is a lipid or sterol with rules of its own, which the costs
    never divide.
    """

    name: str
    smiles: str
    source: str
    mol: Chem.Mol
    graph: MoleculeGraph
    symmetries: list[tuple[int, ...]]
    published: list[Groups]
    by_rule: bool = False
    style: str = "martini3"
    listed: dict[Groups, tuple[dict[str, int], bool]] = field(default_factory=dict)
    known: dict[Groups, bool] = field(default_factory=dict)

    @cached_property
    def sharing(self) -> partition_symmetry.SymmetricSharing:
        """How its beads share atoms for the sake of its symmetries."""
        return partition_symmetry.SymmetricSharing(self.graph, self.symmetries)

    def agrees(self, groups: Groups) -> bool:
        if groups not in self.known:
            self.known[groups] = any(
                len(p) == len(groups) and fragmenting.partition_agrees(groups, p, self.symmetries)
                for p in self.published
            )
        return self.known[groups]

    def add(self, groups: Groups) -> None:
        groups = tuple(sorted(groups))
        if groups in self.listed:
            return
        counts: dict[str, int] = {}
        for group in groups:
            for name, count in group_features(self.graph, sum(1 << a for a in group)).items():
                counts[name] = counts.get(name, 0) + count
        largest = partition_symmetry.MOST_BEFORE_SHARING[self.style]
        merged = self.sharing.averaged(partition_symmetry.share_in_rings(self.graph, groups, largest))
        counts["asymmetry"] = sum(self.sharing.kinds.asymmetries(merged).values())
        self.listed[groups] = (counts, self.agrees(merged))

    def list_cheapest(self, table: dict[str, int], count: int) -> None:
        """Put the ``count`` cheapest partitions under ``table`` on the list."""
        candidates = Candidates.of(self.graph, table)
        for _, groups in candidates.cheapest(count).ranked:
            self.add(candidates.atoms(groups))


def prior_costs() -> dict[str, float]:
    """Costs before any data: the published size rules (4 atoms in chains, 3 in rings, 2 in aromatic rings), and not
    cutting what belongs together. Features that are not named here start from 0 with a narrower prior."""
    chain = {1: 6.0, 2: 2.0, 3: 0.8, 4: 0.0, 5: 2.2, 6: 6.0}
    prior = {f"chain {n}": cost for n, cost in chain.items()}
    for n in range(1, 7):
        for c in range(7 - n):
            arom = {1: 3.0 if c == 0 else 1.0, 2: 0.0, 3: 3.0, 4: 5.0}.get(n, 8.0) + {
                0: 0.0,
                1: 0.3,
                2: 2.5,
                3: 3.0,
            }.get(c, 5.0)
            ring = {1: 3.0 if c == 0 else 1.5, 2: 1.0, 3: 0.0, 4: 2.0}.get(n, 6.0) + {
                0: 0.0,
                1: 0.5,
                2: 1.5,
                3: 2.5,
            }.get(c, 5.0)
            prior |= {f"arom {n}+{c}": arom, f"ring {n}+{c}": ring, f"mixed {n}+{c}": ring + 1.5}
        prior |= {f"branched {n} {b}": -0.5 * b for b in (1, 2, 3)}
        prior[f"whole {n}"] = -0.5
    prior |= {f"several groups {k}": 1.0 * (k - 1) for k in (2, 3, 4)}
    prior["asymmetry"] = 0.5
    for e in ("CC", "CX", "XX"):
        prior |= {f"cut:multiple {e}": 2.0, f"cut:in group {e}": 1.5, f"cut:polar {e}": 0.2, f"cut:polar end {e}": 0.2}
        for ring in ("ring", "fused"):
            prior |= {f"cut:{k} {ring} {e}{u}": 2.0 if u else 0.1 for k in ("arom", "aliph") for u in ("", "=")}
    prior |= {f"cut:{k}": 0.1 for k in ("biaryl", "aryl-C", "aryl-CH3", "aryl-polar", "aryl-XH")}
    prior["cut:carbonyl"] = 0.2
    # The heteroatom of furan and thiophene is a bead of its own between two C=C; that of an aliphatic ring keeps both
    # its neighbours.
    prior |= {
        "arom one S 5": -3.0,
        "arom one O 5": -3.0,
        "arom one C 5": 1.0,
        "arom one C 6": 1.0,
        "cut:aliph ring CX": 0.8,
    }
    # Para-disubstituted rings are four beads, one on each side.
    prior |= {f"arom 2+{c} of 2p": 1.0 for c in (1, 2)} | {f"arom 1+{c} of 2p": -1.5 for c in (1, 2, 3)}
    prior |= {"whole 5": -1.5, "whole 5 polar end": 2.0, "cut:biaryl": -0.5, "carbonyl 2": 1.0}
    prior |= {"alkene 2": -0.5, "polar alkene 5": 2.0, "cut:acetal": 0.2, "cut:acetal ring": 0.2}
    # A bead takes both oxygens of an acetal, and a ring of five is two beads: two atoms and three.
    prior |= {"ring 4 of 5": 1.0, "ring 1 of 5": 0.5}
    prior |= {f"alkyl 3 inner {k}": -0.3 for k in (1, 2)}
    return prior


#: Width of the prior of the other features, relative to that of the features above.
DETAIL_WIDTH = 0.5


def read_examples(rows: Iterable[MappedRow], style: str) -> list[Example]:
    """Distinct molecules of two atoms or more, each with all its published mappings."""
    found: dict[str, Example] = {}
    for row in rows:
        order = fragmenting.canonical_order(row.mol)
        mol = Chem.RenumberAtoms(row.mol, order)
        place = {old: new for new, old in enumerate(order)}
        if mol.GetNumAtoms() < 2 or len({a for bead, _ in row.beads for a in bead}) < mol.GetNumAtoms() - 2:
            continue
        key = Chem.MolToSmiles(mol, isomericSmiles=False)
        if key not in found:
            graph = MoleculeGraph.of(mol)
            blocks = recognise(mol, style)
            found[key] = Example(
                row.name,
                row.smiles,
                row.source,
                mol,
                graph,
                partition_symmetry.automorphisms(mol),
                [],
                by_rule=blocks is not None and blocks.whole,
                style=style,
            )
        mapped = tuple(sorted(tuple(sorted(place[a] for a in bead)) for bead, _ in row.beads))
        if mapped not in found[key].published:
            found[key].published.append(mapped)
    return list(found.values())


def list_published(example: Example) -> None:
    """Put the published mappings, shared atoms given to one bead or the other, on the example's list."""
    for published in example.published:
        owners: dict[int, list[int]] = {}
        for i, group in enumerate(published):
            for atom in group:
                owners.setdefault(atom, []).append(i)
        missing = set(range(example.graph.n_atoms)) - set(owners)
        if missing:
            continue
        shared = [a for a, beads in owners.items() if len(beads) > 1]
        if len(shared) > 7:
            continue
        for choice in itertools.product(*(owners[a] for a in shared)):
            chosen = dict(zip(shared, choice))
            groups = [tuple(a for a in g if chosen.get(a, i) == i) for i, g in enumerate(published)]
            masks = [sum(1 << a for a in g) for g in groups]
            whole = all(not (u & m) or not (u & ~m) for u in example.graph.units for m in masks)
            if whole and all(groups) and all(len(example.graph.pieces(m)) == 1 for m in masks):
                example.add(tuple(groups))


def to_table(names: list[str], weights: np.ndarray) -> dict[str, int]:
    return {name: round(SCALE * float(w)) for name, w in zip(names, weights) if round(SCALE * float(w))}


def write_table(style: str, table: dict[str, int]) -> None:
    """Write the costs of one style, sorted by feature, beside its bead table."""
    path = bead_tables_folder() / style / COSTS_FILE
    lines = ["feature,cost", *(f"{feature},{cost}" for feature, cost in sorted(table.items()))]
    atomic_write_text(path, "\n".join(lines) + "\n")


def fit(examples: list[Example], *, width: float, rounds: int) -> tuple[list[str], np.ndarray]:
    """Names and costs of largest posterior for those of ``examples`` that the costs divide.

    Sterols and lipids that go by their own rules have habits of their own, such as beads of a single methyl group.
    """
    examples = [example for example in examples if not example.by_rule]
    prior = prior_costs()
    names, weights = list(prior), np.array(list(prior.values()))
    for example in examples:
        list_published(example)
    for _ in range(rounds):
        table = to_table(names, weights)
        for example in examples:
            example.list_cheapest(table, KEEP if example.graph.n_atoms <= 20 else 20)
        data = _Lists.of([e for e in examples if any(good for _, good in e.listed.values())], names)
        start = np.zeros(len(data.names))
        start[: len(weights)] = weights
        centre = np.array([prior.get(name, 0.0) for name in data.names])
        widths = np.array([width if name in prior else width * DETAIL_WIDTH for name in data.names])
        found = minimize(data.objective, start, (centre, widths), jac=True, method="L-BFGS-B", options={"maxiter": 300})
        names, weights = data.names, found.x
    return names, weights


@dataclass
class _Lists:
    """Feature counts of every listed partition of every example, one below the other."""

    names: list[str]
    counts: csr_matrix
    good: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, examples: list[Example], names: list[str]) -> _Lists:
        place = {name: i for i, name in enumerate(names)}
        rows, columns, values, good, starts = [], [], [], [], []
        for example in examples:
            starts.append(len(good))
            # Of the ways to give shared atoms to one bead or the other, those that leave a bead small teach nothing.
            evenness = max(min(map(len, groups)) for groups, (_, is_good) in example.listed.items() if is_good)
            for groups, (counts, is_good) in example.listed.items():
                if is_good and min(map(len, groups)) < evenness:
                    continue
                for name, count in counts.items():
                    rows.append(len(good))
                    columns.append(place.setdefault(name, len(place)))
                    values.append(float(count))
                good.append(is_good)
        matrix = csr_matrix((values, (rows, columns)), shape=(len(good), len(place)))
        return cls(list(place), matrix, np.array(good), np.array(starts))

    def objective(self, weights: np.ndarray, centre: np.ndarray, widths: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log posterior and its gradient."""
        sizes = np.diff([*self.starts, len(self.good)])
        score = -self.counts @ weights
        p_all = np.exp(score - np.repeat(np.maximum.reduceat(score, self.starts), sizes))
        p_good = p_all * self.good
        sum_all = np.add.reduceat(p_all, self.starts)
        sum_good = np.add.reduceat(p_good, self.starts) + 1e-300
        off = (weights - centre) / widths
        value = 0.5 * float(off @ off) + float(np.sum(np.log(sum_all) - np.log(sum_good)))
        slope = p_good / np.repeat(sum_good, sizes) - p_all / np.repeat(sum_all, sizes)
        return value, off / widths + self.counts.T @ slope


def score(examples: list[Example], table: dict[str, int]) -> tuple[int, float, list[str]]:
    """(exact partitions, mean share of atoms right, failures)."""
    exact, atoms, failed = 0, [], []
    for example in examples:
        groups = fragmenting.partition_atoms(example.mol, example.style, costs=table).groups
        if example.agrees(groups):
            exact += 1
            atoms.append(1.0)
            continue
        failed.append(f"{example.name} {example.smiles}: {groups} not {example.published}")
        best = 0
        for published, symmetry in itertools.product(
            example.published, [tuple(range(example.graph.n_atoms)), *example.symmetries]
        ):
            ours = [frozenset(symmetry[a] for a in g) for g in groups]
            best = max(best, fragmenting.correct_atoms(ours, [frozenset(g) for g in published]))
        atoms.append(best / example.graph.n_atoms)
    return exact, float(np.mean(atoms)), failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--style", choices=list(SOURCES), default="martini3")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--width", type=float, default=WIDTH, help="width of the prior")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    examples = read_examples(read_rows(arguments.source, arguments.style, max_labelled=MAX_LABELLED), arguments.style)
    print(f"{len(examples)} molecules, {sum(e.by_rule for e in examples)} of them by their own rules and left out")
    examples = [example for example in examples if not example.by_rule]
    if arguments.folds:
        total, atoms = 0, 0.0
        for fold in range(arguments.folds):
            train = [e for i, e in enumerate(examples) if i % arguments.folds != fold]
            test = [e for i, e in enumerate(examples) if i % arguments.folds == fold]
            for example in examples:
                # What other folds listed was cheap under costs that have seen this one.
                example.listed.clear()
            names, weights = fit(train, width=arguments.width, rounds=arguments.rounds)
            exact, right, failed = score(test, to_table(names, weights))
            total += exact
            atoms += right * len(test)
            if arguments.verbose:
                print("\n".join(failed))
        print(
            f"held out: {total}/{len(examples)} exact = {total / len(examples):.1%}, atoms {atoms / len(examples):.1%}"
        )
        return
    names, weights = fit(examples, width=arguments.width, rounds=arguments.rounds)
    table = to_table(names, weights)
    exact, right, failed = score(examples, table)
    print("\n".join(failed))
    print(f"in sample: {exact}/{len(examples)} exact = {exact / len(examples):.1%}, atoms {right:.1%}")
    write_table(arguments.style, table)


if __name__ == "__main__":
    main()
