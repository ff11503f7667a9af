"""Fit the weights by which bead types of fragments are estimated, and the calibration of their confidence.

    python scripts/fit_type_weights.py --source DIR [--tables DIR] [--no-calibration]

``DIR`` holds the curated CSV files. Writes ``type_weights.csv`` beside each shipped table and prints ``CALIBRATION`` for
``topdown/mapping/bead_typing.py``. Three multinomial logistic models (size, class, labels given the class) minimise the
weighted cross entropy of published beads plus a ridge towards the rules of size and functional groups; neighbouring levels of
a class share strength. Equal facts count as their number to the power 1/4, so that thousands of alkyl beads do not drown the
rest. The same input gives the same bytes on one machine.
"""

from __future__ import annotations

import argparse
import csv
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import derive_building_blocks as derive
import numpy as np
from curated_mappings import SOURCES
from rdkit import Chem
from scipy.optimize import minimize

from topdown.mapping.atom_roles import AtomRoles, atom_roles
from topdown.mapping.bead_fragments import fragment_alone
from topdown.mapping.bead_typing import KNOWN_LEVELS, BuildingBlockIndex, TypeChoice, calibration_terms, choose_type
from topdown.mapping.type_estimate import CLASSES, LABELS, SIZES, WEIGHTS_FILE, TypeModel, type_parts, weight_columns
from topdown.mapping.type_features import bead_features
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table

#: Log-odds the rule of size, the rule of the functional group and its labels start with.
RULE_SIZE, RULE_CLASS, RULE_LABEL = 4.0, 8.0, 5.0
#: Ridge of the three models.
RIDGE_SIZE, RIDGE_CLASS, RIDGE_LABEL = 4.0, 3.0, 12.0
#: How fast the start of a class falls with levels from the rule's, and how far levels share strength.
RULE_REACH, SHARING_REACH = 1.5, 1.5
#: Equal facts seen n times weigh n to this power.
REPETITION_POWER = 0.25
#: A feature must occur in this many distinct fragments.
LEAST_FRAGMENTS = 2
FOLDS = 10


class Encoder:
    """Features of observations, computed once."""

    def __init__(self, style: str) -> None:
        self.style = style
        self._roles: dict[int, tuple[Chem.Mol, AtomRoles]] = {}
        self._features: dict[tuple[int, tuple[int, ...]], dict[str, float]] = {}

    def roles(self, mol: Chem.Mol) -> AtomRoles:
        """Roles of a molecule's atoms."""
        if id(mol) not in self._roles:
            self._roles[id(mol)] = (mol, atom_roles(mol))
        return self._roles[id(mol)][1]

    def __call__(self, fact: derive.Observation) -> dict[str, float]:
        key = id(fact.mol), fact.group
        if key not in self._features:
            self._features[key] = bead_features(self.roles(fact.mol), fact.group, fact.shared, self.style)[0]
        return self._features[key]


def fit(facts: Iterable[derive.Observation], style: str, encode: Encoder) -> TypeModel:
    """The model of a style from published beads."""
    sizes, classes, labels = SIZES[style], CLASSES[style], LABELS[style]
    distinct: dict[tuple[str, str, tuple[tuple[str, float], ...]], set[str]] = {}
    for fact in facts:
        parts = type_parts(fact.bead_type, style)
        if parts.size in sizes and parts.core[:1] in "CNPXQD" and parts.labels is not None:
            features = tuple(sorted(encode(fact).items()))
            distinct.setdefault((fact.fragment, fact.bead_type, features), set()).add(fact.molecule)
    rows = sorted(distinct)
    seen = Counter(name for fragment in {(r[0], r[2]) for r in rows} for name, _ in fragment[1])
    names = sorted(
        {name for name, count in seen.items() if count >= LEAST_FRAGMENTS}
        | {f"size {s}" for s in sizes}
        | {f"class {c}" for c in classes}
        | {f"labels {text}" for text in labels}
    )
    place = {name: i for i, name in enumerate(names)}
    x = np.zeros((len(rows), len(names)))
    for i, (_, _, features) in enumerate(rows):
        for name, value in features:
            if name in place:
                x[i, place[name]] = value
    weights = np.array([len(distinct[r]) ** REPETITION_POWER for r in rows])
    parts_of = [type_parts(r[1], style) for r in rows]

    size_start = _start(place, len(names), sizes, "size ", lambda a, b: RULE_SIZE * (a == b))
    size_y = np.array([sizes.index(p.size) for p in parts_of])
    size = _multinomial(x, size_y, weights, size_start, RIDGE_SIZE, np.eye(len(sizes)))

    neutral = [i for i, p in enumerate(parts_of) if p.core in classes and p.labels in labels]
    x, weights, parts_of = x[neutral], weights[neutral], [parts_of[i] for i in neutral]
    class_start = _start(place, len(names), classes, "class ", _class_start(classes))
    class_y = np.array([classes.index(p.core) for p in parts_of])
    core = _multinomial(x, class_y, weights, class_start, RIDGE_CLASS, _sharing(classes))

    given = np.zeros((len(classes), len(classes) + 4))
    for i, name in enumerate(classes):
        given[i, i], given[i, len(classes) + "CNPX".index(name[0])] = 1.0, 1.5
    label_start = np.vstack(
        [
            _start(place, len(names), labels, "labels ", lambda a, b: RULE_LABEL * (a == b)),
            np.zeros((given.shape[1], len(labels))),
        ]
    )
    label_y = np.array([labels.index(p.labels) for p in parts_of])
    both = np.hstack([x, given[class_y]])
    label = _multinomial(both, label_y, weights, label_start, RIDGE_LABEL, np.eye(len(labels)))
    return TypeModel(style, place, size, core, label[: len(names)], given @ label[len(names) :])


def _start(
    place: dict[str, int], n_features: int, values: Sequence[str], stem: str, log_odds: Callable[[str, str], float]
) -> np.ndarray:
    found = np.zeros((n_features, len(values)))
    for rule in values:
        for j, value in enumerate(values):
            found[place[f"{stem}{rule}"], j] = log_odds(rule, value)
    return found


def _class_start(classes: Sequence[str]) -> Callable[[str, str], float]:
    order = {name: i for i, name in enumerate(classes)}

    def log_odds(rule: str, value: str) -> float:
        if (rule[0] == "X") != (value[0] == "X"):
            return 0.0
        return RULE_CLASS * float(np.exp(-abs(order[rule] - order[value]) / RULE_REACH))

    return log_odds


def _sharing(classes: Sequence[str]) -> np.ndarray:
    """Cholesky factor of the prior covariance between classes: near levels alike, one letter alike, and each its own."""
    covariance = np.zeros((len(classes), len(classes)))
    for i, a in enumerate(classes):
        for j, b in enumerate(classes):
            if (a[0] == "X") == (b[0] == "X"):
                covariance[i, j] += 0.8 * np.exp(-((i - j) ** 2) / (2 * SHARING_REACH**2))
            covariance[i, j] += 0.2 * (a[0] == b[0]) + 0.1 * (i == j)
    return np.linalg.cholesky(covariance + 1e-9 * np.eye(len(classes)))


def _multinomial(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, start: np.ndarray, ridge: float, factor: np.ndarray
) -> np.ndarray:
    """Weights (n_features, n_values) of a multinomial logistic model near ``start``."""
    n, d = x.shape
    k = start.shape[1]
    if k == 1:
        return start
    offset, target = x @ start, np.zeros((n, k))
    target[np.arange(n), y] = 1.0

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        free = flat.reshape(d, k)
        scores = offset + x @ (free @ factor.T)
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        value = -(weights * np.log(probabilities[np.arange(n), y] + 1e-300)).sum() + 0.5 * ridge * (free**2).sum()
        gradient = x.T @ ((probabilities - target) * weights[:, None]) @ factor + ridge * free
        return float(value), gradient.ravel()

    found = minimize(cost, np.zeros(d * k), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return start + found.x.reshape(d, k) @ factor.T


def to_csv(model: TypeModel) -> str:
    """The text of ``type_weights.csv``: two decimals, rows that say nothing left out."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["feature", *weight_columns(model.style)])

    def cells(values: np.ndarray) -> list[str]:
        return ["" if abs(v) < 0.005 else f"{v:.2f}" for v in values]

    for name, row in sorted(model.features.items()):
        values = np.concatenate([model.sizes[row], model.classes[row], model.labels[row]])
        if np.abs(values).max() >= 0.05:
            writer.writerow([name, *cells(values)])
    blank = [""] * (len(SIZES[model.style]) + len(CLASSES[model.style]))
    for core, values in zip(CLASSES[model.style], model.labels_of_class):
        writer.writerow([f"given {core}", *blank, *cells(values)])
    return out.getvalue()


def fold_of(name: str, folds: int = FOLDS) -> int:
    """The same fold for the same text, on every machine."""
    return zlib.crc32(name.encode()) % folds


@dataclass(frozen=True)
class Held:
    """A published bead and the type chosen for it without having seen it."""

    fact: derive.Observation
    choice: TypeChoice

    @property
    def right(self) -> bool:
        return self.choice.bead_type == self.fact.bead_type

    @property
    def known(self) -> bool:
        return self.choice.level in KNOWN_LEVELS


def held_out(
    facts: Sequence[derive.Observation],
    style: str,
    encode: Encoder,
    key: Callable[[derive.Observation], str],
    *,
    one_by_one: bool = False,
) -> list[Held]:
    """Types of all beads, each without the beads of its own molecule and without those that have its ``key``.

    Votes leave out exactly those. The weights are fitted once per fold of keys (with ``one_by_one``, per key and without
    any molecule that has the key), on the facts of the other folds.
    """
    table = load_bead_table(style)
    keys = {id(f): key(f) for f in facts}
    names = sorted(set(keys.values()))
    fold_of_key = {name: i if one_by_one else zlib.crc32(name.encode()) % FOLDS for i, name in enumerate(names)}
    found = []
    for fold in sorted(set(fold_of_key.values())):
        test = [f for f in facts if fold_of_key[keys[id(f)]] == fold]
        hidden = {f.molecule for f in test} if one_by_one else set()
        rest = [f for f in facts if fold_of_key[keys[id(f)]] != fold and f.molecule not in hidden]
        model = fit(rest, style, encode)
        indices: dict[tuple[str, str], BuildingBlockIndex] = {}
        for fact in test:
            held = (fact.molecule, keys[id(fact)])
            if held not in indices:
                others = (f for f in facts if f.molecule != held[0] and keys[id(f)] != held[1])
                indices[held] = BuildingBlockIndex(derive.building_blocks(others))
            found.append(
                Held(
                    fact,
                    choose_type(fact.mol, fact.group, table, shared=fact.shared, index=indices[held], model=model),
                )
            )
    return found


def by_molecule(fact: derive.Observation) -> str:
    """Key under which a molecule is left out."""
    return fact.molecule


def by_fragment(fact: derive.Observation) -> str:
    """Key under which a fragment is left out wherever it occurs."""
    return fragment_alone(fact.fragment)


def by_origin(fact: derive.Observation) -> str:
    """Key under which a source is left out."""
    return fact.origin


def calibration(results: Iterable[Held], *, with_votes: bool) -> tuple[float, float, float, float]:
    """The numbers of ``CALIBRATION``, by maximum likelihood with a weak pull towards (0, 1, 0, 0).

    Without votes the last two are 0.
    """
    held = list(results)
    right = np.array([r.right for r in held], dtype=float)
    x = np.array([calibration_terms(r.choice.probabilities[0], r.choice.chemistry, r.choice.n_votes) for r in held])
    start = np.array([0.0, 1.0, 0.0, 0.0])
    x = x if with_votes else x * [1.0, 1.0, 0.0, 0.0]

    def cost(beta: np.ndarray) -> float:
        z = x @ beta
        return float((np.logaddexp(0.0, z) - right * z).sum() + 0.5 * ((beta - start) ** 2).sum())

    a, b, c, d = (round(float(value), 2) + 0.0 for value in minimize(cost, start).x)
    return a, b, c, d


def left_out_loss(results: Iterable[Held], *, with_votes: bool) -> float:
    """Mean log-loss of the stated confidence of each source's beads under the calibration of all other sources."""
    held = list(results)
    loss = 0.0
    for origin in {r.fact.origin for r in held}:
        numbers = calibration([r for r in held if r.fact.origin != origin], with_votes=with_votes)
        for r in held:
            if r.fact.origin == origin:
                terms = calibration_terms(r.choice.probabilities[0], r.choice.chemistry, r.choice.n_votes)
                z = float(np.dot(numbers, terms))
                loss += float(np.logaddexp(0.0, -z if r.right else z))
    return loss / max(len(held), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder with the curated CSV files")
    parser.add_argument("--tables", type=Path, default=Path(__file__).resolve().parents[1] / "bead_tables")
    parser.add_argument("--no-calibration", action="store_true", help="write the weights only")
    arguments = parser.parse_args()
    for style in SOURCES:
        facts, encode = derive.observations(arguments.source, style), Encoder(style)
        model = fit(facts, style, encode)
        text = to_csv(model)
        path = atomic_write_text(arguments.tables / style / WEIGHTS_FILE, text)
        print(f"{path}: {text.count(chr(10)) - 1} rows, {len(text) / 1024:.0f} KiB", flush=True)
        if arguments.no_calibration:
            continue
        # What users bring is neither a molecule nor, often, a source seen here: all three kinds of hiding count.
        results = [
            *held_out(facts, style, encode, by_molecule),
            *held_out(facts, style, encode, by_origin, one_by_one=True),
            *(r for r in held_out(facts, style, encode, by_fragment) if not r.known),
        ]
        for name, known in (("known", True), ("unseen", False)):
            chosen = [r for r in results if r.known == known]
            losses = [left_out_loss(chosen, with_votes=with_votes) for with_votes in (False, True)]
            numbers = calibration(chosen, with_votes=losses[1] < losses[0])
            told = f"{len(chosen)} beads, log-loss with a source left out {losses[0]:.3f}, with votes {losses[1]:.3f}"
            print(f'    ("{style}", "{name}"): {numbers},  # {told}', flush=True)


if __name__ == "__main__":
    main()
