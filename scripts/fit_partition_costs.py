"""Fit the costs of :mod:`topdown.mapping.partition_costs` to expert mappings.

    python scripts/fit_partition_costs.py --source DIR

``DIR`` holds ``martini3_curated.csv`` and ``martini2_curated.csv`` (columns smiles, atom_mapping). The model is
log-linear: P(partition) ∝ exp(-Σ cost), over the cheapest partitions of each molecule; the costs maximise the
likelihood of the published ones under a Gaussian prior around :func:`prior_cost`. The lists of cheapest partitions and
the costs are found in turn. ``--folds K`` prints K-fold cross-validated accuracy instead of writing.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from curated_mappings import SOURCES, MappedRow, read_rows
from rdkit import Chem
from scipy.optimize import minimize

from topdown.formats.atomic import atomic_write_text
from topdown.mapping import fragmenting, group_features

#: One unit of cost in the table is 1/100 of log-likelihood.
SCALE = 100
KEEP = 60
#: Longest SMILES of the labelled Martini 2 set fitted to.
MAX_LABELLED = 32

Groups = tuple[tuple[int, ...], ...]


@dataclass
class Example:
    """A molecule with its published mappings, and the partitions listed for it."""

    name: str
    smiles: str
    mol: object
    graph: group_features.MoleculeGraph
    symmetries: list[tuple[int, ...]]
    published: list[Groups]
    listed: dict[Groups, tuple[dict[str, int], bool]] = field(default_factory=dict)

    def agrees(self, groups: Groups) -> bool:
        return any(fragmenting.partition_agrees(groups, p, self.symmetries) for p in self.published)

    def add(self, groups: Groups) -> None:
        groups = tuple(sorted(groups))
        if groups in self.listed:
            return
        counts: dict[str, int] = {}
        for group in groups:
            for name, count in group_features.group_features(self.graph, sum(1 << a for a in group)).items():
                counts[name] = counts.get(name, 0) + count
        merged = fragmenting.share_by_symmetry(self.graph, groups, self.symmetries)
        counts["asymmetry"] = fragmenting.asymmetry(self.graph, merged)
        self.listed[groups] = (counts, self.agrees(merged))


def prior_cost(name: str) -> float:
    """Cost of a feature before any data, from the published size rules (4 in chains, 3 in rings, 2 in aromatics)."""
    chain = {1: 6.0, 2: 2.0, 3: 0.8, 4: 0.0, 5: 2.2, 6: 6.0}
    if match := re.fullmatch(r"(alkyl|polar\d|halogen) (\d)", name):
        return chain[int(match[2])]
    if match := re.fullmatch(r"(arom|ring|mixed) (\d)\+(\d)", name):
        ring, rest = int(match[2]), int(match[3])
        if match[1] == "arom":
            base = {1: 1.5, 2: 0.0, 3: 3.0, 4: 5.0}.get(ring, 8.0)
            return base + {0: 0.0, 1: 0.3, 2: 2.0, 3: 3.0}.get(rest, 5.0)
        base = {1: 1.0, 2: 1.0, 3: 0.0, 4: 2.0}.get(ring, 6.0)
        return base + {0: 0.0, 1: 0.5, 2: 1.5, 3: 2.5}.get(rest, 5.0)
    if name == "asymmetry":
        return 0.5
    if name == "several groups":
        return 1.0
    if match := re.fullmatch(r"branched (\d) (\d)", name):
        return -0.5
    if name.startswith("whole"):
        return -0.5
    if name.startswith("cut:"):
        rules = {"cut:multiple": 2.0, "cut:in group": 1.5, "cut:C-C": 0.0, "cut:polar": 0.2}
        return next((value for start, value in rules.items() if name.startswith(start)), 0.5 if "=" in name else 0.1)
    return 0.0


def all_features() -> list[str]:
    """Every feature name that can occur."""
    names = [f"{w} {n}" for w in ("alkyl", "halogen") for n in range(1, 7)]
    names += [f"polar{k} {n}" for k in range(1, 6) for n in range(k, 7)]
    names += [
        f"arom {a}+{c} of {s}" for a in range(1, 4) for c in range(4) for s in ("f", "0", "1", "2", "2p", "3", "4")
    ]
    names += [f"branched {n} {k}" for n in range(4, 7) for k in range(3, n)]
    names += [f"whole {n}" for n in range(2, 7)]
    for what in ("arom", "ring", "mixed"):
        names += [f"{what} {n}+{c}" for n in range(1, 7) for c in range(7 - n)]
    names += ["arom polar", "several groups", "asymmetry"]
    for kind in ("arom", "aliph"):
        names += [f"cut:{kind} {r} {e}{u}" for r in ("ring", "fused") for e in ("CC", "CX", "XX") for u in ("", "=")]
    names += [f"cut:{k}" for k in ("biaryl", "aryl-C", "aryl-CH3", "aryl-polar", "aryl-XH", "C-C")]
    names += [f"cut:{k} {e}" for k in ("multiple", "in group", "polar", "polar end") for e in ("CC", "CX", "XX")]
    return names


def read_examples(rows: Iterable[MappedRow]) -> list[Example]:
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
            graph = group_features.MoleculeGraph.of(mol)
            found[key] = Example(row.name, row.smiles, mol, graph, fragmenting.automorphisms(mol), [])
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
    """Put the costs of one style into ``topdown/mapping/partition_costs.py``, leaving the other style as it is."""
    from topdown.mapping import partition_costs

    path = Path(partition_costs.__file__)
    tables = {**partition_costs.PARTITION_COSTS, style: dict(sorted(table.items()))}
    lines = ['"""Costs of the features of a group, in 1/100 of log-likelihood.', ""]
    lines += [
        "Written by ``scripts/fit_partition_costs.py``, which says how they are fitted and to what; do not edit.",
        '"""',
        "",
    ]
    lines += ["PARTITION_COSTS: dict[str, dict[str, int]] = {"]
    for name in sorted(tables):
        lines += [f'    "{name}": {{', *(f'        "{k}": {v},' for k, v in tables[name].items()), "    },"]
    atomic_write_text(path, "\n".join([*lines, "}"]) + "\n")


def fit(examples: list[Example], *, width: float, rounds: int) -> tuple[list[str], np.ndarray]:
    """Costs of largest posterior for ``examples``."""
    names = all_features()
    index = {name: i for i, name in enumerate(names)}
    prior = np.array([prior_cost(name) for name in names])
    weights = prior.copy()
    for example in examples:
        list_published(example)
    for _ in range(rounds):
        table = to_table(names, weights)
        for example in examples:
            keep = KEEP if example.graph.n_atoms <= 20 else 20
            for _, groups in fragmenting.cheapest_covers(example.graph, table, keep=keep)[0]:
                example.add(groups)
        data = [_count_matrix(e, index) for e in examples if any(good for _, good in e.listed.values())]
        weights = minimize(
            _objective, weights, (prior, width, data), jac=True, method="L-BFGS-B", options={"maxiter": 300}
        ).x
    return names, weights


def _count_matrix(example: Example, index: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """(feature counts of each listed partition, whether it is a published one)."""
    matrix = np.zeros((len(example.listed), len(index)))
    for row, (counts, _) in enumerate(example.listed.values()):
        for name, count in counts.items():
            matrix[row, index[name]] = count
    return matrix, np.array([good for _, good in example.listed.values()])


def _objective(
    weights: np.ndarray, prior: np.ndarray, width: float, data: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[float, np.ndarray]:
    """Negative log posterior and its gradient."""
    value = 0.5 * float(np.sum((weights - prior) ** 2)) / width**2
    gradient = (weights - prior) / width**2
    for matrix, good in data:
        score = -matrix @ weights
        p_all = np.exp(score - score.max())
        p_good = p_all * good
        value += np.log(p_all.sum()) - np.log(p_good.sum() + 1e-300)
        gradient = gradient + matrix.T @ (p_good / (p_good.sum() + 1e-300) - p_all / p_all.sum())
    return value, gradient


def score(examples: list[Example], table: dict[str, int]) -> tuple[int, float, list[str]]:
    """(exact partitions, mean share of atoms right, failures)."""
    exact, atoms, failed = 0, [], []
    for example in examples:
        groups = fragmenting.partition_atoms(example.mol, costs=table).groups
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
    parser.add_argument("--width", type=float, default=0.8, help="width of the prior")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    examples = read_examples(read_rows(arguments.source, arguments.style, max_labelled=MAX_LABELLED))
    print(f"{len(examples)} molecules")
    if arguments.folds:
        total, atoms = 0, 0.0
        for fold in range(arguments.folds):
            train = [e for i, e in enumerate(examples) if i % arguments.folds != fold]
            test = [e for i, e in enumerate(examples) if i % arguments.folds == fold]
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
