"""Shapes: the geometry of a bead molecule without its bead types, sampled once for all molecules that share it.

Every bead of a shape is a bead type of its own (``R#0``, ``S#1``…), so that the sums stored along the path tell the beads
apart. Sampled at two ends, sticky (strong interactions with every solvent bead) and weak, they hold what any bead types in
between would give: reweighting goes down from the one and up from the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from typing import Final, Literal

import numpy as np

from topdown.errors import SettingsError
from topdown.model import BeadTable, CGMolecule
from topdown.model._arrays import FloatArray
from topdown.model.bead import BeadType
from topdown.model.requests import Components, CouplingRequest
from topdown.properties.phases import Phase
from topdown.properties.solvation import EVERY, GRID, PART_STEPS, SETTLING_STEPS

End = Literal["sticky", "weak"]

#: σ between beads of each pair of sizes [nm] (Souza et al. 2021, without the exceptions of single types).
SIGMA: Final[Mapping[str, float]] = {"RR": 0.47, "RS": 0.43, "RT": 0.395, "SS": 0.41, "ST": 0.365, "TT": 0.34}
#: Where in the range of ε that neutral bead types of a size have with a solvent bead, from lowest to highest, each end lies.
PLACE: Final[Mapping[End, float]] = {"sticky": 0.8, "weak": 0.1}
_NEUTRAL: Final = ("P", "N", "C", "X")
MASSES: Final = {"R": 72.0, "S": 54.0, "T": 36.0}
#: Most beads of a shape that are matched by trying every order of them.
MOST_BEADS: Final = 7


def size_pair(a: str, b: str) -> str:
    """``"ST"`` of ``"T"`` and ``"S"``: sizes in the order R, S, T."""
    return "".join(sorted(a + b))


def bead_sizes(molecule: CGMolecule, table: BeadTable) -> tuple[str, ...]:
    """R, S or T of every bead."""
    return tuple(table.bead_type(bead.bead_type).size for bead in molecule.beads)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """Sizes, bonds and distances of a molecule's beads.

    Attributes
    ----------
    sizes : tuple of {"R", "S", "T"}
    bonds : frozenset of (int, int)
        Bonded or constrained beads, i < j.
    distances : (n, n) float64 [nm]
        Between beads in the molecule's conformation; lengths of bonds and constraints where there are any.
    """

    sizes: tuple[str, ...]
    bonds: frozenset[tuple[int, int]]
    distances: FloatArray

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.sizes)

    def part(self, beads: Sequence[int]) -> Shape:
        """The shape of some of its beads, in the order given."""
        place = {bead: k for k, bead in enumerate(beads)}
        inside = (sorted((place[a], place[b])) for a, b in self.bonds if a in place and b in place)
        return Shape(
            sizes=tuple(self.sizes[k] for k in beads),
            bonds=frozenset((i, j) for i, j in inside),
            distances=self.distances[np.ix_(beads, beads)],
        )


def shape_of(molecule: CGMolecule, table: BeadTable) -> Shape:
    """The shape of a molecule with coordinates.

    Raises
    ------
    SettingsError
        No coordinates.
    """
    if molecule.positions is None:
        raise SettingsError("a shape needs coordinates", where=molecule.name)
    x = np.asarray(molecule.positions)
    distances = np.linalg.norm(x[:, None] - x[None, :], axis=-1)
    bonds = set()
    lengths = [*((t.atoms, t.length) for t in molecule.bonds), *((t.atoms, t.length) for t in molecule.constraints)]
    for atoms, length in lengths:
        i, j = sorted(atoms)
        bonds.add((i, j))
        distances[i, j] = distances[j, i] = length
    return Shape(sizes=bead_sizes(molecule, table), bonds=frozenset(bonds), distances=distances)


def match_shapes(shape: Shape, template: Shape) -> tuple[tuple[int, ...], float] | None:
    """The best order of the beads of ``shape`` along those of ``template``, and the largest difference of a distance [nm].

    Returns
    -------
    (order, difference) or None
        Bead ``order[k]`` of ``shape`` stands for bead k of ``template``; None when sizes or bonds differ, or there are more than
        ``MOST_BEADS`` beads.
    """
    n = shape.n_beads
    if n > MOST_BEADS or sorted(shape.sizes) != sorted(template.sizes) or len(shape.bonds) != len(template.bonds):
        return None
    best: tuple[tuple[int, ...], float] | None = None
    for order in permutations(range(n)):
        if any(shape.sizes[i] != size for i, size in zip(order, template.sizes)):
            continue
        if any(tuple(sorted((order[i], order[j]))) not in shape.bonds for i, j in template.bonds):
            continue
        difference = float(np.abs(shape.distances[np.ix_(order, order)] - template.distances).max())
        if best is None or difference < best[1]:
            best = (order, difference)
    return best


def nearest_shape(shape: Shape, templates: Mapping[str, Shape]) -> tuple[str, tuple[int, ...], float] | None:
    """Name of the template nearest to ``shape``, the order of its beads along it, and the difference [nm]; None without any."""
    best: tuple[str, tuple[int, ...], float] | None = None
    for name, template in templates.items():
        found = match_shapes(shape, template)
        if found is not None and (best is None or found[1] < best[2]):
            best = (name, *found)
    return best


def neutral_types(table: BeadTable) -> tuple[BeadType, ...]:
    """Types of beads without charge that a solute's bead may be: of the classes P, N, C and X."""
    return tuple(
        t for t in table.bead_types if t.chemical_class[:1] in _NEUTRAL and t.charge == 0.0 and t.size in MASSES
    )


@cache
def _rows(table: BeadTable, size: str) -> list[int]:
    known = set(neutral_types(table))
    return [i for i, t in enumerate(table.bead_types) if t in known and t.size == size]


@cache
def _range(table: BeadTable, size: str, other: str) -> tuple[float, float]:
    values = table.epsilon[_rows(table, size), table.index(other)]
    return float(values.min()), float(values.max())


#: Narrowest range of ε that places refer to; narrower ones are widened about their middle [kJ/mol].
_NARROW, _WIDENED = 1.6, 2.0


@cache
def place_range(table: BeadTable, size: str, other: str) -> tuple[float, float]:
    """ε of place 0 and the distance to place 1, for beads of ``size`` with the solvent bead ``other`` [kJ/mol].

    The weakest and the strongest of the neutral bead types of ``table``, or 2 kJ/mol about their middle where those are less
    than 1.6 kJ/mol apart.
    """
    low, high = _range(table, size, other)
    if high - low < _NARROW:
        low, high = 0.5 * (low + high - _WIDENED), 0.5 * (low + high + _WIDENED)
    return low, high - low


def end_epsilon(table: BeadTable, size: str, other: str, end: End) -> float:
    """ε of a shape's bead of ``size`` with the solvent bead ``other`` at one end of the sampling [kJ/mol]."""
    low, high = _range(table, size, other)
    return round(low + PLACE[end] * (high - low), 3)


@cache
def inner_epsilon(table: BeadTable, a: str, b: str) -> float:
    """ε between two beads of one shape that are not excluded from each other: the median of neutral types."""
    return round(float(np.median(table.epsilon[np.ix_(_rows(table, a), _rows(table, b))])), 3)


def shape_bead(size: str, index: int) -> str:
    """Name of the bead type of one bead of a shape."""
    return f"{size}#{index}"


def shape_molecule(molecule: CGMolecule, table: BeadTable) -> CGMolecule:
    """``molecule`` with a bead type of its own for every bead and no charges."""
    sizes = bead_sizes(molecule, table)
    beads = tuple(
        replace(bead, name=f"B{k + 1}", bead_type=shape_bead(size, k), charge=0.0, atoms=(), reason="", alternatives=())
        for k, (bead, size) in enumerate(zip(molecule.beads, sizes))
    )
    return replace(molecule, beads=beads, table="", warnings=())


def shape_table(sizes: Sequence[str], solvent_types: Sequence[str], table: BeadTable, end: End) -> BeadTable:
    """The bead types of a shape and of a solvent: the solvent's as in ``table``, the others at one end of the sampling."""
    solvent = table.subset(solvent_types).bead_types
    own = tuple(
        BeadType(name=shape_bead(size, k), chemical_class="#", size=size, mass=MASSES[size])  # type: ignore[arg-type]
        for k, size in enumerate(sizes)
    )
    n = len(own) + len(solvent)
    sigma, epsilon = np.zeros((n, n)), np.zeros((n, n))
    types = (*own, *solvent)
    for i, a in enumerate(types):
        for j, b in enumerate(types[: i + 1]):
            if b in solvent:
                pair = table.pair(a.name, b.name)
            else:
                mixed = a in solvent
                value = end_epsilon(table, b.size, a.name, end) if mixed else inner_epsilon(table, a.size, b.size)
                pair = SIGMA[size_pair(a.size, b.size)], value
            (sigma[i, j], epsilon[i, j]) = (sigma[j, i], epsilon[j, i]) = pair
    return BeadTable(name=f"{table.name} shapes", bead_types=types, sigma=sigma, epsilon=epsilon, scheme=table.scheme)


def shape_request(
    molecule: CGMolecule,
    phase: Phase,
    contents: Components,
    table: BeadTable,
    end: End,
    *,
    temperature: float = 298.15,
    pressure: float = 1.0,
    seed: int = 1,
) -> CouplingRequest:
    """What to run for one shape in one phase at one end; see :func:`topdown.properties.solvation.measure_solvation`.

    Parameters
    ----------
    molecule : CGMolecule
        With the types of ``table``, which give the sizes of its beads.
    phase : Phase
    contents : tuple of (CGMolecule, int)
        What is in the box: one composition for all shapes, so that all share the frames of their solvent.
    table : BeadTable
        Of the solvent, and of the range of ε.
    end : {"sticky", "weak"}
    temperature, pressure : float
        [K], [bar]
    seed : int
    """
    (solvent, n_solvent), *cosolvents = contents
    return CouplingRequest(
        solute=shape_molecule(molecule, table),
        solvent=solvent,
        n_solvent=n_solvent,
        cosolvents=tuple(cosolvents),
        table=shape_table(bead_sizes(molecule, table), sorted(phase.type_names()), table, end),
        temperature=temperature,
        pressure=pressure,
        lambdas=GRID,
        n_equilibration=SETTLING_STEPS,
        n_steps=PART_STEPS,
        every=EVERY,
        seed=seed,
    )
