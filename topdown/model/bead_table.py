"""The bead table: bead types, and the Lennard-Jones matrix between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from topdown.errors import BeadTableError
from topdown.model._arrays import FloatArray, IntArray, frozen_array
from topdown.model.bead import BeadType

BondLengths = Literal["centres", "surface"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NonbondedScheme:
    """How non-bonded interactions are cut: part of the force field, since another cut-off is another force field.

    Attributes
    ----------
    cutoff : float
        r_c of Lennard-Jones and Coulomb [nm].
    epsilon_r : float
        Relative permittivity inside the cut-off.
    epsilon_rf : float
        Permittivity of the reaction field; ``0`` means infinite, as in GROMACS.
    lj_modifier : {"potential-shift", "force-shift", "none"}
        What is done to Lennard-Jones at the cut-off: the energy shifted to zero (Martini), force and energy brought to zero
        smoothly over the whole range (for integrator tests), or nothing.
    """

    cutoff: float = 1.1
    epsilon_r: float = 15.0
    epsilon_rf: float = 0.0
    lj_modifier: Literal["potential-shift", "force-shift", "none"] = "potential-shift"

    @property
    def reaction_field(self) -> tuple[float, float]:
        """k_rf [nm⁻³] and c_rf [nm⁻¹] of U = f q_i q_j / ε_r (1/r + k_rf r² - c_rf) (Tironi et al. 1995)."""
        if self.epsilon_rf == 0.0:
            k_rf = 0.5 / self.cutoff**3
        else:
            k_rf = (self.epsilon_rf - self.epsilon_r) / ((2.0 * self.epsilon_rf + self.epsilon_r) * self.cutoff**3)
        return k_rf, 1.0 / self.cutoff + k_rf * self.cutoff**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a table comes from: free text, licence, and the name of the table it was derived from."""

    source: str = ""
    licence: str = ""
    citation: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingBlock:
    """A typing rule that travels with the table: a molecular fragment and the bead type experts give it.

    Attributes
    ----------
    fragment : str
        SMARTS or canonical fragment SMILES as described in ``docs/bead_tables.md``.
    bead_type : str
    source : str
    n_seen : int
        How many curated beads support the rule.
    """

    fragment: str
    bead_type: str
    source: str = ""
    n_seen: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadTable:
    """Bead types and the Lennard-Jones parameters of every pair of them.

    Attributes
    ----------
    name, version : str
    bead_types : tuple of BeadType
    epsilon : (n_types, n_types) float64 [kJ/mol]
        Symmetric well depths.
    sigma : (n_types, n_types) float64 [nm]
        Symmetric.
    scheme : NonbondedScheme
    provenance : Provenance
    building_blocks : tuple of BuildingBlock
    bond_lengths : {"centres", "surface"}
        Whether molecules mapped with the table have bonds as long as their beads' centres are apart, or longer, so that the
        beads show the surface of the atoms (:mod:`topdown.mapping.surface_match`).
    folder : str
        Where it was read from; empty for a table made in memory.

    Raises
    ------
    BeadTableError
        Duplicate names, or a matrix that is not square, symmetric and non-negative.
    """

    name: str
    bead_types: tuple[BeadType, ...]
    epsilon: FloatArray
    sigma: FloatArray
    version: str = "1"
    scheme: NonbondedScheme = field(default_factory=NonbondedScheme)
    provenance: Provenance = field(default_factory=Provenance)
    building_blocks: tuple[BuildingBlock, ...] = ()
    bond_lengths: BondLengths = "centres"
    folder: str = ""

    def __post_init__(self) -> None:
        n = len(self.bead_types)
        for label in ("epsilon", "sigma"):
            matrix = frozen_array(f"{label} of bead table {self.name!r}", getattr(self, label), (n, n))
            if not np.array_equal(matrix, matrix.T):
                i, j = (int(k) for k in np.argwhere(matrix != matrix.T)[0])
                pair = f"{self.bead_types[i].name}-{self.bead_types[j].name}"
                raise BeadTableError(f"{label} is not symmetric for {pair}", where=self.name)
            if matrix.size and matrix.min() < 0:
                raise BeadTableError(f"{label} holds a negative value", where=self.name)
            object.__setattr__(self, label, matrix)
        if len(self._index) != n:
            seen: set[str] = set()
            twice = next(t.name for t in self.bead_types if t.name in seen or seen.add(t.name))  # type: ignore[func-returns-value]
            raise BeadTableError(f"bead type {twice!r} is defined twice", where=self.name)

    def __repr__(self) -> str:
        n, blocks = len(self.bead_types), len(self.building_blocks)
        return f"<BeadTable {self.name} {self.version}: {n} bead types, {blocks} building blocks>"

    @cached_property
    def _index(self) -> dict[str, int]:
        return {bead_type.name: i for i, bead_type in enumerate(self.bead_types)}

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def index(self, name: str) -> int:
        """Row of bead type ``name``; :class:`BeadTableError` names the nearest existing ones if there is none."""
        try:
            return self._index[name]
        except KeyError:
            from difflib import get_close_matches

            near = get_close_matches(name, list(self._index), n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else f"topdown table show {self.name} lists them"
            raise BeadTableError(f"unknown bead type {name!r}", where=f"bead table {self.name}", hint=hint) from None

    def bead_type(self, name: str) -> BeadType:
        """The bead type called ``name``."""
        return self.bead_types[self.index(name)]

    def pair(self, a: str, b: str) -> tuple[float, float]:
        """(sigma [nm], epsilon [kJ/mol]) between bead types ``a`` and ``b``."""
        i, j = self.index(a), self.index(b)
        return float(self.sigma[i, j]), float(self.epsilon[i, j])

    def indices(self, names: Iterable[str]) -> IntArray:
        """Rows of several bead types, (n,) int64."""
        return np.array([self.index(name) for name in names], dtype=np.int64)

    def subset(self, names: Iterable[str]) -> BeadTable:
        """The same table restricted to ``names``, in table order and without repeats."""
        rows = np.array(sorted({self.index(name) for name in names}), dtype=np.int64)
        return replace(
            self,
            bead_types=tuple(self.bead_types[int(i)] for i in rows),
            epsilon=self.epsilon[np.ix_(rows, rows)],
            sigma=self.sigma[np.ix_(rows, rows)],
        )

    def with_epsilon(self, values: Mapping[tuple[str, str], float], *, name: str | None = None) -> BeadTable:
        """A new table whose epsilon of each given pair is replaced, both ways round."""
        epsilon = self.epsilon.copy()
        for (a, b), value in values.items():
            i, j = self.index(a), self.index(b)
            epsilon[i, j] = epsilon[j, i] = value
        return replace(self, epsilon=epsilon, name=name or self.name)

    def with_scaled_sigma(self, ratios: Mapping[tuple[str, str], float]) -> BeadTable:
        """A new table whose σ of each given pair is multiplied, both ways round."""
        sigma = self.sigma.copy()
        for (a, b), ratio in ratios.items():
            i, j = self.index(a), self.index(b)
            sigma[i, j] = sigma[j, i] = self.sigma[i, j] * ratio
        return replace(self, sigma=sigma)
