"""How probable each bead type is for a fragment, published or not.

A type has three parts, estimated apart: its size, its class (``P3``) and its labels. Each is a multinomial logistic model of
:func:`topdown.mapping.type_features.bead_features`, drawn towards the published rules of size and of functional groups where
few examples speak; ``type_weights.csv`` beside the bead table holds the weights, written by ``scripts/fit_type_weights.py``.
Fragments nobody has published are also judged by their octanol/water free energy, the sum of the contributions of their
atoms and hydrogens (Wildman and Crippen, J. Chem. Inf. Comput. Sci. 39, 868 (1999)): types far from it lose.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from topdown.mapping.atom_roles import known_facts
from topdown.mapping.functional_groups import FunctionalGroup
from topdown.mapping.remembered import Remembered
from topdown.mapping.surroundings import Surroundings
from topdown.model import BeadTable
from topdown.resources import bead_tables_folder
from topdown.units import kj_mol_per_log_unit

FloatArray = npt.NDArray[np.float64]

WEIGHTS_FILE = "type_weights.csv"
#: Columns of each style: sizes, classes of neutral beads, labels.
SIZES = {"martini3": ("T", "S", "R"), "martini2": ("S", "R")}
CLASSES = {
    "martini3": (*(f"{letter}{level}" for letter in "CNP" for level in range(1, 7)), "X1", "X2", "X3", "X4"),
    "martini2": ("C1", "C2", "C3", "C4", "C5", "N0", "Na", "Nd", "Nda", "P1", "P2", "P3", "P4", "P5"),
}
LABELS = {
    "martini3": ("", "a", "ah", "ar", "d", "e", "h", "r"),
    "martini2": ("",),
}
#: Octanol → water free energy of beads [kJ/mol] per size R, S, T; Souza et al., Nat. Methods 18, 382 (2021), supporting
#: information, as tabulated in Automartini_M3.
_FREE_ENERGY_M3: dict[str, tuple[float, float, float]] = {
    "C1": (18.9, 14.2, 12.0), "C2": (14.8, 9.9, 7.8), "C3": (13.8, 9.2, 6.7), "C4": (13.4, 8.4, 6.4),
    "C5": (11.2, 6.3, 4.5), "C6": (10.1, 5.3, 3.6), "N1": (8.1, 3.6, 2.3), "N2": (5.6, 2.1, 0.3),
    "N3": (1.8, -1.8, -3.1), "N4": (2.2, -0.9, -2.9), "N5": (0.0, -3.6, -4.9), "N6": (-1.1, -4.2, -6.1),
    "P1": (-2.0, -5.2, -7.2), "P2": (-3.8, -6.9, -8.8), "P3": (-5.1, -7.7, -9.8), "P4": (-7.4, -9.8, -12.1),
    "P5": (-9.1, -11.8, -15.2), "P6": (-9.2, -12.0, -14.8), "X1": (14.3, 9.4, 7.6), "X2": (12.7, 7.2, 5.2),
    "X3": (13.9, 8.0, 5.4), "X4": (8.7, 4.3, 2.7),
}  # fmt: skip
#: What a donor or acceptor label adds [kJ/mol]; same source.
_LABEL_SHIFT = 2.3
#: The same for Martini 2: thermodynamic integration of Bereau and Kremer, J. Chem. Theory Comput. 11, 2783 (2015).
_FREE_ENERGY_M2 = {
    "P5": -8.9, "P4": -9.3, "P3": -8.8, "P2": -3.9, "P1": -2.3, "Na": 2.5, "Nd": 2.5, "Nda": 2.5, "N0": 4.2,
    "C5": 6.9, "C4": 10.1, "C3": 12.3, "C2": 13.7, "C1": 14.2,
}  # fmt: skip
#: Loss of log-probability per kJ/mol between the free energies of fragment and bead; the flat optimum of held-out beads.
FREE_ENERGY_WEIGHT = 0.1
_TEMPERATURE = 298.15
#: Contributions of atoms [kJ/mol] by what lies around them.
_ATOM_ENERGIES: Remembered[tuple[object, ...], float] = Remembered(20_000)
#: Log-odds a charged type loses per step of Q level, and for other labels than the rule's.
_ION_LEVEL, _ION_LABEL = 1.5, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeParts:
    """A bead type taken apart: ``SN4ah`` is size ``S``, class ``N4``, labels ``ah``."""

    size: str
    core: str
    labels: str


@lru_cache(maxsize=8)
def table_style(table: BeadTable) -> str:
    """``martini3`` for tables with tiny beads, ``martini2`` for those without."""
    return "martini3" if any(t.size == "T" for t in table.bead_types) else "martini2"


def type_parts(name: str, style: str) -> TypeParts:
    """Size, class and labels of a bead type's name."""
    size = name[0] if name[:1] in (("S", "T") if style == "martini3" else ("S",)) else "R"
    rest = name if size == "R" else name[1:]
    if style == "martini2":
        return TypeParts(size=size, core=rest, labels="")
    length = 1 if rest[:1] == "D" else 2
    return TypeParts(size=size, core=rest[:length], labels=rest[length:])


@dataclass(frozen=True, eq=False)
class TypeModel:
    """Weights of the three multinomial models of one style.

    Attributes
    ----------
    style : {"martini3", "martini2"}
    features : dict
        Name → row.
    sizes : (n_features, n_sizes) float64
    classes : (n_features, n_classes) float64
    labels : (n_features, n_labels) float64
    labels_of_class : (n_classes, n_labels) float64
        What a class adds to the log-odds of each label.
    """

    style: str
    features: dict[str, int]
    sizes: FloatArray
    classes: FloatArray
    labels: FloatArray
    labels_of_class: FloatArray

    def parts(self, features: dict[str, float]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Probabilities of sizes (n_sizes,), classes (n_classes,), and labels given the class (n_classes, n_labels)."""
        # Sorted, so that the last bits do not depend on the order in which a bead was looked at.
        known = sorted((self.features[name], value) for name, value in features.items() if name in self.features)
        scores = np.array([value for _, value in known]) @ self.weights[[row for row, _ in known]]
        first, second = self.sizes.shape[1], self.sizes.shape[1] + self.classes.shape[1]
        size, core, label = scores[:first], scores[first:second], scores[second:]
        return _softmax(size), _softmax(core), _softmax(label + self.labels_of_class)

    @cached_property
    def weights(self) -> FloatArray:
        """The three side by side."""
        return np.hstack([self.sizes, self.classes, self.labels])


def _softmax(scores: FloatArray) -> FloatArray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def weight_columns(style: str) -> list[str]:
    """Header of ``type_weights.csv`` after the feature: ``size S``, ``class N4``, ``labels ah``."""
    return (
        [f"size {s}" for s in SIZES[style]]
        + [f"class {c}" for c in CLASSES[style]]
        + [f"labels {text or '-'}" for text in LABELS[style]]
    )


def read_type_model(path: Path, style: str) -> TypeModel:
    """A model from ``type_weights.csv``: empty cells are zero; rows ``given N4`` hold what a class adds to labels."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader)
        if header != ["feature", *weight_columns(style)]:
            raise ValueError(f"{path}: unexpected columns")
        rows = list(reader)
    table = np.array([[float(cell) if cell else 0.0 for cell in row[1:]] for row in rows])
    n_sizes, n_classes = len(SIZES[style]), len(CLASSES[style])
    given = {row[0].removeprefix("given "): values for row, values in zip(rows, table) if row[0].startswith("given ")}
    plain = [i for i, row in enumerate(rows) if not row[0].startswith("given ")]
    return TypeModel(
        style,
        {rows[i][0]: place for place, i in enumerate(plain)},
        table[plain, :n_sizes],
        table[plain, n_sizes : n_sizes + n_classes],
        table[plain, n_sizes + n_classes :],
        np.array([given[c][n_sizes + n_classes :] for c in CLASSES[style]]),
    )


@lru_cache(maxsize=2)
def type_model(style: str) -> TypeModel:
    """The shipped model of a style."""
    return read_type_model(bead_tables_folder() / style / WEIGHTS_FILE, style)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Types of a table in the terms of a model.

    Attributes
    ----------
    neutral, ionic : (n_types,) bool
        Types a group without or with a net charge may take.
    places : (n_known,) int
        Indices of neutral types the model knows the parts of; ``size``, ``core`` and ``label`` are theirs.
    free_energy : (n_types,) float64 [kJ/mol]
        Octanol → water, NaN where unknown.
    ions : tuple
        (index, parts) of the charged types.
    """

    neutral: npt.NDArray[np.bool_]
    ionic: npt.NDArray[np.bool_]
    places: npt.NDArray[np.intp]
    size: npt.NDArray[np.intp]
    core: npt.NDArray[np.intp]
    label: npt.NDArray[np.intp]
    free_energy: FloatArray
    ions: tuple[tuple[int, TypeParts], ...]

    @cached_property
    def without_energy(self) -> npt.NDArray[np.bool_]:
        """Types whose free energy is unknown (n_types,)."""
        return np.isnan(self.free_energy)


@lru_cache(maxsize=8)
def candidates(table: BeadTable) -> Candidates:
    """The types of ``table`` a fragment may take."""
    style = table_style(table)
    families = [t.chemical_class[:1] for t in table.bead_types]
    parts = [type_parts(t.name, style) for t in table.bead_types]
    known = []
    free_energy = np.full(len(parts), np.nan)
    for i, p in enumerate(parts):
        if p.core in CLASSES[style] and p.labels in LABELS[style] and p.size in SIZES[style] and families[i] in "PNCX":
            known.append((i, SIZES[style].index(p.size), CLASSES[style].index(p.core), LABELS[style].index(p.labels)))
            free_energy[i] = bead_free_energy(p, style)
    columns = np.array(known, dtype=np.intp).reshape(-1, 4)
    return Candidates(
        np.array([f in ("P", "N", "C", "X") for f in families]),
        np.array([f in ("Q", "D") for f in families]),
        columns[:, 0],
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        free_energy,
        tuple((i, p) for i, p in enumerate(parts) if families[i] in ("Q", "D")),
    )


def bead_free_energy(parts: TypeParts, style: str) -> float:
    """Published octanol → water free energy of a neutral bead [kJ/mol]."""
    if style == "martini2":
        return _FREE_ENERGY_M2[parts.core]
    shift = _LABEL_SHIFT if parts.labels[:1] in ("a", "d") and parts.labels else 0.0
    return _FREE_ENERGY_M3[parts.core]["RST".index(parts.size)] + shift


def type_probabilities(
    model: TypeModel, features: dict[str, float], chemistry: FunctionalGroup, charge: int, table: BeadTable
) -> FloatArray:
    """Probability of every type of ``table`` [(n_types,)]; even where the model knows none of the types allowed."""
    there = candidates(table)
    found = np.zeros(len(table.bead_types))
    size, core, label = model.parts(features)
    if charge:
        for place, parts in there.ions:
            found[place] = size[SIZES[model.style].index(parts.size)] * _ion_weight(parts, chemistry, charge)
    else:
        found[there.places] = size[there.size] * core[there.core] * label[there.core, there.label]
    total = float(found.sum())
    if total > 0:
        return np.asarray(found / total)
    allowed = there.ionic if charge else there.neutral
    return allowed / max(int(allowed.sum()), 1)


def _ion_weight(parts: TypeParts, chemistry: FunctionalGroup, charge: int) -> float:
    """How well a charged type suits what the rule of the functional group names."""
    if parts.core == chemistry.core and parts.labels == chemistry.labels:
        return 1.0
    levels = parts.core[1:], chemistry.core[1:]
    steps = abs(int(levels[0]) - int(levels[1])) if all(text.isdigit() for text in levels) else 2
    same_kind = (parts.core[:1] == "D") == (abs(charge) > 1)
    loss = _ION_LEVEL * steps + _ION_LABEL * (parts.labels != chemistry.labels) + (0.0 if same_kind else 4.0)
    return float(np.exp(-1.0 - loss))


def atom_free_energies(mol: Any) -> FloatArray:
    """Octanol → water contribution of each heavy atom with its hydrogens [kJ/mol]."""
    with rdBase.BlockLogs():
        full = Chem.AddHs(mol)
        contributions = rdMolDescriptors._CalcCrippenContribs(full)
    found = [contribution for contribution, _ in contributions[: mol.GetNumAtoms()]]
    # The hydrogens follow the heavy atoms, in the order of those.
    of_hydrogens = iter(contributions[len(found) :])
    for heavy, facts in enumerate(known_facts(mol)):
        for _ in range(facts.hydrogens):
            found[heavy] += next(of_hydrogens)[0]
    return np.array(found) * kj_mol_per_log_unit(_TEMPERATURE)


def free_energy(mol: Any, group: tuple[int, ...], shared: frozenset[int], surroundings: Surroundings) -> float:
    """Octanol → water free energy of a fragment [kJ/mol]: the sum over its atoms, half for those two beads share.

    Atoms in surroundings met before are looked up; otherwise those of the whole molecule are worked out and remembered.
    """
    found = [_ATOM_ENERGIES.get(surroundings.atom_key(a)) for a in group]
    if None in found:
        energies: list[float] = atom_free_energies(mol).tolist()
        for atom, energy in enumerate(energies):
            _ATOM_ENERGIES[surroundings.atom_key(atom)] = energy
        found = [energies[a] for a in group]
    return math.fsum((0.5 if a in shared else 1.0) * (energy or 0.0) for a, energy in zip(group, found))


def weighted_by_free_energy(probabilities: FloatArray, target: float, table: BeadTable) -> FloatArray:
    """Probabilities after types far from a fragment's free energy ``target`` [kJ/mol] have lost."""
    there = candidates(table)
    off = np.abs(there.free_energy - target)
    off[there.without_energy] = 0.0
    found = probabilities * np.exp(-FREE_ENERGY_WEIGHT * off)
    total = float(found.sum())
    return np.asarray(found / total) if total > 0 else probabilities
