"""Bead types of tables whose classes were found from measured values: strengths estimated from atoms, then the nearest class.

A class is a point in the space of *places*: for each kind of solvent bead where, between the weakest (0) and the strongest
(1) of the parent table's bead types, its interaction lies. The places of a fragment are estimated as a sum over the
features of its atoms (:mod:`topdown.mapping.environments`); the class nearest in what it would do to free energies of
transfer gives the type, or one nearly as near where that is better for the molecule as a whole
(:mod:`topdown.mapping.class_rounding`).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from topdown.errors import BeadTableError
from topdown.mapping.atom_roles import atom_roles
from topdown.mapping.bead_typing import TypeChoice
from topdown.mapping.bead_volume import VOLUME_LEVELS, VOLUME_SUFFIXES, bead_volumes, volume_levels
from topdown.mapping.class_rounding import round_together
from topdown.mapping.environments import Feature, bead_features
from topdown.mapping.type_features import size_rule
from topdown.model import BeadTable
from topdown.model.bead import SIZES, BeadType
from topdown.resources import bead_tables_folder

FloatArray = npt.NDArray[np.float64]

CLASSES_FILE: Final = "classes.csv"
WEIGHTS_FILE: Final = "class_weights.csv"
#: Rows of the weights file that are not features.
_BASE, _SIZE, _METRIC, _FEATURE = "base", "size", "metric", "feature"
#: Typical error of an estimated contribution to a free energy [kJ/mol]: the scale of the confidences.
_ERROR: Final = 1.5
#: Further from the nearest class than this in free energies, a bead is unlike what the table was calibrated on [kJ/mol].
FAR: Final = 3.0
#: Charged types of the parent, by charge and the element that carries it: as Martini 3 assigns them (Souza et al. 2021).
_CHARGED: Final = {(1, "N", True): "Q4p", (1, "N", False): "Q1", (-1, "O", False): "Q5n", (-1, "P", False): "Q5"}


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassModel:
    """How beads get their class.

    Attributes
    ----------
    names : tuple of str
        Of the K classes.
    solvents : tuple of str
        The V solvent bead types that places refer to.
    places : (K, V) float64
        Of every class.
    base : (V,) float64
        Place of a bead without features.
    sizes : (3, V) float64
        What each of the sizes R, S, T adds.
    weights : mapping of Feature to (V,) float64
        What each feature adds, each time it occurs.
    metric : (3, C, V) float64 [kJ/mol]
        For each size, what a unit of place does to each of C free energies.
    labels : tuple of str
        Names of the C free energies.
    """

    names: tuple[str, ...]
    solvents: tuple[str, ...]
    places: FloatArray
    base: FloatArray
    sizes: FloatArray
    weights: Mapping[Feature, FloatArray]
    metric: FloatArray
    labels: tuple[str, ...]

    def estimate(self, features: Mapping[Feature, float], size: str) -> FloatArray:
        """Places (V,) of a bead."""
        total = self.base + self.sizes[SIZES.index(size)]
        for feature, count in features.items():
            found = self.weights.get(feature)
            if found is not None:
                total = total + count * found
        return np.asarray(total)

    def deviations(self, places: FloatArray, size: str) -> FloatArray:
        """What each class in place of ``places`` changes in the free energies, (K, C) [kJ/mol]."""
        found: FloatArray = (self.places - places) @ self.metric[SIZES.index(size)].T
        return found


def type_name(class_name: str, size: str, level: int = 0) -> str:
    """``"SN03"`` of class N03 and size S; regular beads carry no letter. ``"SN03c"`` is one step more compact than usual,
    ``"SN03b2"`` two steps bulkier (``level`` -1 and 2)."""
    return f"{'' if size == 'R' else size}{class_name}{VOLUME_SUFFIXES[level]}"


def volume_level(bead_type: BeadType) -> int:
    """How many steps the volume of a type is above the usual one of its class and size; 0 for types of no class."""
    known = (k for k in VOLUME_LEVELS if bead_type.name == type_name(bead_type.chemical_class, bead_type.size, k))
    return next(known, 0)


def size_of_type(name: str) -> str:
    """R, S or T of a bead type of the parent table or of a class: ``"S"`` of ``SN4a``."""
    return name[0] if name[:1] in ("S", "T") and name[1:2].isupper() else "R"


@lru_cache(maxsize=8)
def class_model_of(table: BeadTable) -> ClassModel | None:
    """The class model beside a table, or beside its parent when that ships; None for tables without classes."""
    parent = table.provenance.parent
    folders = [Path(table.folder)] if table.folder else []
    if parent and "/" not in parent:
        folders.append(bead_tables_folder() / parent)
    found = next((folder for folder in folders if (folder / CLASSES_FILE).is_file()), None)
    return None if found is None else read_class_model(found)


def choose_classes(
    mol: Any,
    groups: Sequence[Sequence[int]],
    table: BeadTable,
    model: ClassModel,
    *,
    sizes: Sequence[str] = (),
    together: bool = True,
) -> list[TypeChoice]:
    """The bead type of every group of atoms.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    groups : sequence of sequence of int
    table : BeadTable
        Holds the types.
    model : ClassModel
    sizes : sequence of str
        R, S or T of every group; by :func:`bead_sizes` when empty.
    together : bool
        Classes that are right for the molecule as a whole; else each bead gets the nearest.

    Raises
    ------
    BeadTableError
        The table has no type of a class and size.
    """
    sizes = sizes or bead_sizes(mol, groups)
    features = bead_features(mol, groups)
    places = [model.estimate(found, size) for found, size in zip(features, sizes, strict=True)]
    charged = [_charged_type(mol, group, size) for group, size in zip(groups, sizes, strict=True)]
    # what the classes change, of neutral beads
    off = {k: model.deviations(places[k], sizes[k]) for k, name in enumerate(charged) if not name}
    classes: dict[int, int] = {}
    if off:
        rows = np.array(list(off.values()))
        chosen = round_together(rows) if together else (rows**2).sum(axis=2).argmin(axis=1)
        classes = dict(zip(off, map(int, chosen)))
    levels = _levels(mol, groups, sizes, list(off), table, model, together)
    found = []
    for k, name in enumerate(charged):
        if name:
            found.append(_charged_choice(name, table))
            continue
        unknown = sum(feature not in model.weights for feature in features[k] if feature[0] <= 1)
        distances = np.linalg.norm(off[k], axis=1)
        found.append(_class_choice(classes[k], distances, places[k], sizes[k], levels[k], unknown, table, model))
    return found


def bead_sizes(mol: Any, groups: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """R, S or T of every group by the published rules (:func:`topdown.mapping.type_features.size_rule`)."""
    roles = atom_roles(mol)
    counted = Counter(k for group in groups for k in group)
    shared = frozenset(k for k, n in counted.items() if n > 1)
    return tuple(size_rule(roles, tuple(group), shared, "martini3") for group in groups)


def _charged_choice(name: str, table: BeadTable) -> TypeChoice:
    table.index(name)
    return TypeChoice(
        bead_type=name,
        reason="charged: as the parent table types the group",
        confidence=0.5,
        alternatives=(),
        level="estimate",
        support="",
    )


def _levels(
    mol: Any,
    groups: Sequence[Sequence[int]],
    sizes: Sequence[str],
    neutral: Sequence[int],
    table: BeadTable,
    model: ClassModel,
    together: bool,
) -> dict[int, int]:
    """Volumes of the ``neutral`` groups, all usual where the table's types come in one volume."""
    if not neutral or type_name(model.names[0], SIZES[0], 1) not in table:
        return dict.fromkeys(neutral, 0)
    volumes = bead_volumes(mol, groups)[list(neutral)]
    levels = volume_levels(volumes, [sizes[k] for k in neutral], together=together)
    return dict(zip(neutral, map(int, levels)))


def _class_choice(
    own: int,
    distances: FloatArray,
    places: FloatArray,
    size: str,
    level: int,
    unknown: int,
    table: BeadTable,
    model: ClassModel,
) -> TypeChoice:
    """Class ``own`` of a bead with the strengths ``places``, and what there is to say about it."""
    nearest = int(np.argmin(distances))
    order = [own, *(int(k) for k in np.argsort(distances, kind="stable") if k != own)]
    likely = np.exp(-0.5 * (distances[order] ** 2 - distances[nearest] ** 2) / _ERROR**2)
    likely /= likely.sum()
    names = [type_name(model.names[k], size, level) for k in order[:4]]
    table.index(names[0])
    strengths = ", ".join(f"{solvent} {place:.2f}" for solvent, place in zip(model.solvents, places))
    away = f"strengths estimated from its atoms ({strengths}), {distances[own]:.1f} kJ/mol away"
    reason = f"nearest class to the {away}"
    if own != nearest:
        near = type_name(model.names[nearest], size, level)
        reason = (
            f"class near the {away}; {near} is at {distances[nearest]:.1f}, but this makes the molecule's sum right"
        )
    if unknown:
        reason += f"; {unknown} of its features were never measured"
    if level:
        reason += f"; {'bulky' if level > 0 else 'compact'} by the volume of its atoms"
    unlike = bool(unknown) or distances[nearest] > FAR
    return TypeChoice(
        bead_type=names[0],
        reason=reason,
        confidence=round(float(likely[0]), 3),
        alternatives=tuple(names[1:]),
        level="estimate" if unlike else "fragment",
        support="",
        probabilities=tuple(float(p) for p in likely[:4]),
    )


def _charged_type(mol: Any, group: Sequence[int], size: str) -> str:
    """Type of a group with a net charge; empty for a neutral one."""
    atoms = [mol.GetAtomWithIdx(k) for k in group]
    net = sum(atom.GetFormalCharge() for atom in atoms)
    if net == 0:
        return ""
    carrier = next(atom for atom in atoms if atom.GetFormalCharge() * net > 0)
    element = "P" if any(atom.GetSymbol() == "P" for atom in atoms) and net < 0 else carrier.GetSymbol()
    hydrogens = bool(carrier.GetTotalNumHs()) and net > 0
    if abs(net) > 1:
        return type_name("D", size)
    return type_name(_CHARGED.get((net, element, hydrogens), "Q1" if net > 0 else "Q5n"), size)


@lru_cache(maxsize=4)
def read_class_model(folder: Path) -> ClassModel:
    """Read ``classes.csv`` and ``class_weights.csv`` of a table.

    Raises
    ------
    BeadTableError
        Missing or damaged files.
    """
    classes = _rows(folder / CLASSES_FILE)
    rows = _rows(folder / WEIGHTS_FILE)
    try:
        solvents = tuple(name.removeprefix("place ") for name in classes[0] if name.startswith("place "))
        vectors = [(row["kind"], row["name"], np.array([float(row[s]) for s in solvents])) for row in rows]
        base = next(v for kind, _, v in vectors if kind == _BASE)
        of_size = {name: v for kind, name, v in vectors if kind == _SIZE}
        labels = tuple(dict.fromkeys(name.split(" ", 1)[1] for kind, name, _ in vectors if kind == _METRIC))
        metric = {name: v for kind, name, v in vectors if kind == _METRIC}
        weights: dict[Feature, FloatArray] = {}
        for kind, name, vector in vectors:
            if kind == _FEATURE:
                level, text = name.split(" ", 1)
                weights[int(level), text] = vector
        return ClassModel(
            names=tuple(row["class"] for row in classes),
            solvents=solvents,
            places=np.array([[float(row[f"place {s}"]) for s in solvents] for row in classes]),
            base=base,
            sizes=np.stack([of_size[s] for s in SIZES]),
            weights=weights,
            metric=np.stack([[metric[f"{s} {label}"] for label in labels] for s in SIZES]),
            labels=labels,
        )
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise BeadTableError(f"damaged class model: {error}", where=str(folder)) from None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise BeadTableError(f"cannot be read: {error}", where=str(path)) from None


def class_model_rows(model: ClassModel) -> list[list[str]]:
    """The rows of ``class_weights.csv``, the header first."""

    def row(kind: str, name: str, vector: FloatArray) -> list[str]:
        return [kind, name, *(f"{value:.5g}" for value in vector)]

    rows = [["kind", "name", *model.solvents], row(_BASE, "", model.base)]
    rows += [row(_SIZE, s, model.sizes[k]) for k, s in enumerate(SIZES)]
    rows += [
        row(_METRIC, f"{s} {label}", model.metric[k, c])
        for k, s in enumerate(SIZES)
        for c, label in enumerate(model.labels)
    ]
    return rows + [
        row(_FEATURE, f"{level} {text}", model.weights[level, text]) for level, text in sorted(model.weights)
    ]
