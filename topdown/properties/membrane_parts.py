"""Which molecules of a system are lipids, solvent and solutes, and which of their beads structure analysis looks at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from topdown.building.lipids import is_apolar
from topdown.errors import TopologyError
from topdown.model import BeadTable, CGMolecule, System
from topdown.model._arrays import FloatArray, IntArray
from topdown.properties.membrane import MembraneIndex, index_membrane

#: A kind of molecule with polar and apolar beads, this many beads and this many copies is taken for a lipid.
_LIPID_BEADS: Final = 5
_LIPID_COPIES: Final = 10
_WATER: Final = "W"


@dataclass(frozen=True, slots=True, kw_only=True)
class BondKind:
    """A bond of one species, for instance PO4–GL1 of POPC."""

    species: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Solute:
    """The copies of one molecule that is neither lipid nor solvent.

    Attributes
    ----------
    name : str
    beads : (n_copies, n_beads) int64
        Beads of the system; virtual sites too, if they are of a bead type that interacts.
    apolar : (n_beads,) bool
    """

    name: str
    beads: IntArray
    apolar: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def n_copies(self) -> int:
        """Number of molecules."""
        return len(self.beads)


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneParts:
    """Everything of a system that is looked at in each frame.

    Attributes
    ----------
    index : MembraneIndex
        Markers, tails and water.
    species : tuple of str
        Kinds of lipid, in the order of the coordinates.
    species_of : (n_lipids,) int64
        Kind of each lipid, as an index into ``species``.
    lipid_beads : (n_lipid_beads,) int64, lipid_owner : (n_lipid_beads,) int64
        Beads of all lipids, and the lipid each belongs to.
    lipid_masses : (n_lipid_beads,) float64 [u]
    bond_kinds : tuple of BondKind
    bonds : (n_bonds, 2) int64, bond_kind : (n_bonds,) int64
        Bonded pairs of beads of all lipids, outer bead first, and the kind of each.
    groups : dict of str to (n,) int64
        Beads whose density is followed, by name.
    solutes : tuple of Solute
    """

    index: MembraneIndex
    species: tuple[str, ...]
    species_of: IntArray
    lipid_beads: IntArray
    lipid_owner: IntArray
    lipid_masses: FloatArray
    bond_kinds: tuple[BondKind, ...]
    bonds: IntArray
    bond_kind: IntArray
    groups: dict[str, IntArray]
    solutes: tuple[Solute, ...]


def find_lipids(system: System) -> tuple[str, ...]:
    """Names of the molecules that look like lipids: polar and apolar beads, five or more of them, ten or more copies.

    Raises
    ------
    TopologyError
        There is none.
    """
    copies: dict[str, int] = {}
    for molecule, count in system.components:
        apolar = [is_apolar(name, system.table) for name in molecule.type_names]
        if molecule.n_beads >= _LIPID_BEADS and any(apolar) and not all(apolar):
            copies[molecule.name] = copies.get(molecule.name, 0) + count
    names = tuple(name for name, count in copies.items() if count >= _LIPID_COPIES)
    if not names:
        held = ", ".join(dict.fromkeys(molecule.name for molecule, _ in system.components))
        raise TopologyError(
            f"no molecule looks like a lipid among {held}", hint="name the lipids, for instance --lipids POPC,CHOL"
        )
    return names


def membrane_parts(system: System, lipids: Collection[str]) -> MembraneParts:
    """Sort the beads of ``system``.

    Parameters
    ----------
    system : System
    lipids : collection of str
        Names of the molecules that make up the bilayer.

    Raises
    ------
    TopologyError
        A name that no molecule has, or a lipid without head or tails.
    """
    held = {molecule.name for molecule, _ in system.components}
    for name in lipids:
        if name not in held:
            raise TopologyError(f"the system holds no molecule {name!r}", hint=f"it holds {', '.join(sorted(held))}")
    index = index_membrane(system, lipids, water=_WATER)
    species = tuple(dict.fromkeys(index.lipid_names))
    whole = [(molecule, start) for molecule, start in system.molecules() if molecule.name in lipids]
    beads = [np.arange(start, start + molecule.n_beads) for molecule, start in whole]
    groups = {name: [rows for (m, _), rows in zip(whole, beads) if m.name == name] for name in species}
    bond_kinds, bonds, bond_kind = _lipid_bonds(whole)
    ions, found = _others(system, lipids)
    phosphates = index.markers[index.is_phosphate] if index.is_phosphate.any() else index.markers
    arrays = {
        "phosphates" if index.is_phosphate.any() else "heads": phosphates,
        "tails": index.tails,
        "tail ends": index.ends,
        **{name: np.concatenate(rows) for name, rows in groups.items()},
        "water": index.water,
        "ions": ions,
        **{solute.name: solute.beads.ravel() for solute in found},
    }
    return MembraneParts(
        index=index,
        species=species,
        species_of=np.array([species.index(name) for name in index.lipid_names], dtype=np.int64),
        lipid_beads=np.concatenate(beads),
        lipid_owner=np.repeat(np.arange(len(whole)), [molecule.n_beads for molecule, _ in whole]),
        lipid_masses=np.array([bead.mass for molecule, _ in whole for bead in molecule.beads]),
        bond_kinds=bond_kinds,
        bonds=bonds,
        bond_kind=bond_kind,
        groups={name: rows for name, rows in arrays.items() if len(rows)},
        solutes=found,
    )


def _lipid_bonds(lipids: Sequence[tuple[CGMolecule, int]]) -> tuple[tuple[BondKind, ...], IntArray, IntArray]:
    """Kinds of bonds, bonds (n, 2), and the kind of each, of molecules with their first beads."""
    bonds: list[tuple[int, int]] = []
    kinds: list[int] = []
    numbers: dict[BondKind, int] = {}
    for molecule, start in lipids:
        for i, j in _bonds(molecule):
            kind = BondKind(species=molecule.name, name=f"{molecule.beads[i].name}-{molecule.beads[j].name}")
            kinds.append(numbers.setdefault(kind, len(numbers)))
            bonds.append((start + i, start + j))
    return tuple(numbers), np.asarray(bonds, dtype=np.int64).reshape(-1, 2), np.asarray(kinds, dtype=np.int64)


def _others(system: System, lipids: Collection[str]) -> tuple[IntArray, tuple[Solute, ...]]:
    """Ions, and the molecules that are neither lipid nor water."""
    ions: list[int] = []
    solutes: dict[str, tuple[CGMolecule, list[int]]] = {}
    for molecule, start in system.molecules():
        if molecule.name in lipids or (molecule.n_beads == 1 and molecule.name == _WATER):
            continue
        if molecule.n_beads == 1 and molecule.charge:
            ions.append(start)
        else:
            solutes.setdefault(molecule.name, (molecule, []))[1].append(start)
    found = tuple(_solute(name, molecule, starts, system.table) for name, (molecule, starts) in solutes.items())
    return np.asarray(ions, dtype=np.int64), found


def _bonds(molecule: CGMolecule) -> list[tuple[int, int]]:
    """Bonded or constrained pairs of beads with mass, each once."""
    sites = {site.site for site in molecule.virtual_sites}
    pairs = [(*bond.atoms,) for bond in molecule.bonds] + [(*constraint.atoms,) for constraint in molecule.constraints]
    unique = dict.fromkeys((min(i, j), max(i, j)) for i, j in pairs)
    return [pair for pair in unique if not sites.intersection(pair)]


def _solute(name: str, molecule: CGMolecule, starts: list[int], table: BeadTable) -> Solute:
    return Solute(
        name=name,
        beads=np.asarray(starts, dtype=np.int64)[:, None] + np.arange(molecule.n_beads, dtype=np.int64),
        apolar=np.array([is_apolar(bead_type, table) for bead_type in molecule.type_names]),
    )
