"""The data file of LAMMPS: box, types, beads, velocities, and the entries of every term, in units real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from topdown.errors import TopologyError
from topdown.formats.lammps_rigid import SITE_MASS, Cluster, constraint_clusters, onto_constraints
from topdown.formats.lammps_terms import ANGSTROM, SPRING, Entry, MoleculeTerms, Registry, molecule_terms, number
from topdown.formats.naming import one_line
from topdown.formats.site_positions import with_sites_placed
from topdown.model import Bead, CGMolecule, System
from topdown.model._arrays import FloatArray

#: Axes along which a flat-bottomed restraint measures its distance, by GROMACS's geometry number.
FLAT_AXES = {1: "xyz", 3: "x", 4: "y", 5: "z", 6: "yz", 7: "xz", 8: "xy"}

#: Section of per-bead values in the data file: the id of their fix, under which LAMMPS writes them out again.
FIELDS_SECTION = "fields"

#: An atom type of LAMMPS: bead type, mass [u], whether it carries charge.
AtomType = tuple[str, float, bool]


def atom_type(bead: Bead) -> AtomType:
    """The type LAMMPS gives ``bead``: there, mass belongs to the type, and only charged types need the Coulomb style."""
    return bead.bead_type, bead.mass or SITE_MASS, bead.charge != 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """A system turned into what LAMMPS has words for.

    Attributes
    ----------
    system : System
        Molecules whole, virtual sites placed.
    registry : Registry
    atom_types : tuple of AtomType
        In the order of their numbers, from 1.
    terms, clusters : tuples
        Per component.
    columns : dict of str to (n_beads,) arrays
        Custom per-bead values: ``i_body``, reference points ``d_rx``…, constants of restraints; those in use only.
    on_constraints : (n_beads, 3) float64 [nm] or None
        Positions with the beads of rigid bodies on their constraints; None without rigid bodies.
    """

    system: System
    registry: Registry
    atom_types: tuple[AtomType, ...]
    terms: tuple[MoleculeTerms, ...]
    clusters: tuple[tuple[Cluster, ...], ...]
    columns: dict[str, FloatArray]
    on_constraints: FloatArray | None

    @property
    def holdings(self) -> frozenset[str]:
        """How constraints are held, over all molecules."""
        return frozenset(holding for _, holding in self.registry.constraints.values())

    @property
    def flat_geometries(self) -> tuple[int, ...]:
        """Geometry numbers of the flat-bottomed restraints."""
        return tuple(g for g in FLAT_AXES if f"d_fk{g}" in self.columns)

    def entries(self, kind: str) -> int:
        """How many ``bonds``, ``angles`` or ``dihedrals`` the whole system has."""
        return sum(len(getattr(t, kind)) * count for t, (_, count) in zip(self.terms, self.system.components))


def lammps_content(system: System) -> Content:
    """Translate ``system``.

    Raises
    ------
    TopologyError
        A term, virtual site or restraint that LAMMPS cannot express.
    """
    system = replace(system, components=tuple((m, count) for m, count in system.components if count))
    molecules = {id(molecule): molecule for molecule, _ in system.components}
    clusters = {key: constraint_clusters(molecule) for key, molecule in molecules.items()}
    registry = Registry(table=system.table)
    terms = {key: molecule_terms(molecule, clusters[key], registry) for key, molecule in molecules.items()}
    whole = _moved(system.whole(), with_sites_placed)
    columns = _restraint_columns(system)
    on_constraints = None
    if any(cluster.holding == "rigid" for each in clusters.values() for cluster in each):
        columns["i_body"] = _bodies(system, clusters)
        straight = _moved(whole, lambda x, molecule: onto_constraints(x, molecule, clusters[id(molecule)]))
        on_constraints = _moved(straight, with_sites_placed).positions
    return Content(
        system=whole,
        registry=registry,
        atom_types=tuple(dict.fromkeys(atom_type(b) for molecule, _ in system.components for b in molecule.beads)),
        terms=tuple(terms[id(molecule)] for molecule, _ in system.components),
        clusters=tuple(clusters[id(molecule)] for molecule, _ in system.components),
        columns=columns,
        on_constraints=on_constraints,
    )


def _moved(system: System, move: Callable[[FloatArray, CGMolecule], FloatArray]) -> System:
    """``system`` after ``move`` has changed the positions (n_copies, n_beads, 3) of every component."""
    positions, start = np.array(system.positions), 0
    for molecule, count in system.components:
        stop = start + molecule.n_beads * count
        positions[start:stop] = move(positions[start:stop].reshape(count, -1, 3), molecule).reshape(-1, 3)
        start = stop
    return replace(system, positions=positions)


def _bodies(system: System, clusters: dict[int, tuple[Cluster, ...]]) -> FloatArray:
    """Number of the rigid body each bead belongs to, from 1; 0 for none."""
    parts, last = [], 0
    for molecule, count in system.components:
        rigid = [cluster for cluster in clusters[id(molecule)] if cluster.holding == "rigid"]
        pattern = np.zeros(molecule.n_beads, dtype=np.int64)
        for k, cluster in enumerate(rigid, start=1):
            pattern[[*cluster.atoms, *cluster.sites]] = k
        offset = last + len(rigid) * np.arange(count)[:, None]
        parts.append(np.where(pattern > 0, pattern + offset, 0).ravel())
        last += len(rigid) * count
    return np.concatenate(parts)


def _restraint_columns(system: System) -> dict[str, FloatArray]:
    """Reference points [Å] and constants [kcal/mol/Å²] of restraints by column name, those in use."""
    columns: dict[str, FloatArray] = {}

    def column(name: str) -> FloatArray:
        return columns.setdefault(name, np.zeros(system.n_beads))

    for molecule, start in system.molecules():
        for restraint in molecule.position_restraints:
            for axis, k in zip("xyz", restraint.force_constants):
                column(f"d_k{axis}")[start + restraint.atom] += k * SPRING
        for flat in molecule.flat_bottom_restraints:
            geometry, atom = 8 if flat.geometry == 2 else flat.geometry, start + flat.atom
            if geometry not in FLAT_AXES:
                raise TopologyError(f"flat-bottom geometry {flat.geometry} is unknown", where=molecule.name)
            if column(f"d_fk{geometry}")[atom] != 0.0:
                raise TopologyError(
                    f"bead {flat.atom + 1} has two flat-bottomed restraints of geometry {geometry}, room is for one",
                    where=molecule.name,
                )
            column(f"d_fk{geometry}")[atom] = flat.force_constant * SPRING
            column(f"d_fr{geometry}")[atom] = flat.radius * ANGSTROM
    if columns:
        points = system.positions if system.reference_positions is None else system.reference_positions
        for d, axis in enumerate("xyz"):
            columns[f"d_r{axis}"] = np.asarray(points[:, d]) * ANGSTROM
    return columns


def data_text(content: Content) -> str:
    """The data file of ``content``."""
    system, registry = content.system, content.registry
    lines = [f"{one_line(system.title, limit=120) or 'topdown'} (units real, by topdown)", ""]
    sizes = [
        (kind, content.entries(kind), len(getattr(registry, kind).types)) for kind in ("bonds", "angles", "dihedrals")
    ]
    lines += [f"{system.n_beads} atoms", *(f"{n} {kind}" for kind, n, _ in sizes if n)]
    lines += [f"{len(content.atom_types)} atom types"]
    lines += [f"{n_types} {kind[:-1]} types" for kind, _, n_types in sizes if n_types]
    lines += ["", *(f"0.0 {number(edge * ANGSTROM)} {axis}lo {axis}hi" for edge, axis in zip(system.box, "xyz"))]
    lines += ["", "Masses", ""]
    lines += [f"{k} {number(mass)} # {name}" for k, (name, mass, _) in enumerate(content.atom_types, start=1)]
    lines += ["", "Atoms # full", "", *_atoms(content)]
    if system.velocities is not None:
        rows = np.asarray(system.velocities) * (ANGSTROM / 1000.0)
        lines += ["", "Velocities", ""]
        lines += [f"{k} {number(vx)} {number(vy)} {number(vz)}" for k, (vx, vy, vz) in enumerate(rows, start=1)]
    for kind, n, _ in sizes:
        if n:
            lines += ["", kind.capitalize(), "", *_entries(content, kind)]
    if content.columns:
        lines += ["", FIELDS_SECTION, ""]
        names = list(content.columns)
        values = zip(*(content.columns[name] for name in names))
        lines += [
            f"{k} " + " ".join(str(int(v)) if n.startswith("i_") else number(v) for n, v in zip(names, row))
            for k, row in enumerate(values, start=1)
        ]
    return "\n".join(lines) + "\n"


def _atoms(content: Content) -> Iterator[str]:
    types = {key: k for k, key in enumerate(content.atom_types, start=1)}
    positions = np.asarray(content.system.positions) * ANGSTROM
    for number_of_molecule, (molecule, start) in enumerate(content.system.molecules(), start=1):
        for k, bead in enumerate(molecule.beads, start=start):
            x, y, z = positions[k]
            yield (
                f"{k + 1} {number_of_molecule} {types[atom_type(bead)]} {number(bead.charge)} "
                f"{number(x)} {number(y)} {number(z)}"
            )


def _entries(content: Content, kind: str) -> Iterator[str]:
    row, start = 0, 1
    for terms, (molecule, count) in zip(content.terms, content.system.components):
        entries: tuple[Entry, ...] = getattr(terms, kind)
        for _ in range(count):
            for number_of_type, atoms in entries:
                row += 1
                yield f"{row} {number_of_type} " + " ".join(str(start + atom) for atom in atoms)
            start += molecule.n_beads


def start_text(content: Content) -> str:
    """Positions that satisfy the constraints of rigid bodies, of the beads in those, as a dump LAMMPS can read."""
    positions = content.on_constraints
    assert positions is not None
    rows = np.flatnonzero(content.columns["i_body"])
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(rows)), "ITEM: BOX BOUNDS pp pp pp"]
    lines += [f"0.0 {number(edge * ANGSTROM)}" for edge in content.system.box]
    lines += ["ITEM: ATOMS id xu yu zu"]
    lines += [f"{k + 1} " + " ".join(number(value * ANGSTROM) for value in positions[k]) for k in rows]
    return "\n".join(lines) + "\n"


def longest_reach(content: Content) -> float:
    """Largest distance [Å] between two beads of one entry or rigid body: what communication must cover."""
    reach, start = 0.0, 0
    for terms, clusters, (molecule, count) in zip(content.terms, content.clusters, content.system.components):
        stop = start + molecule.n_beads * count
        block = np.asarray(content.system.positions[start:stop]).reshape(count, molecule.n_beads, 3)
        groups = {atoms for entries in (terms.bonds, terms.angles, terms.dihedrals) for _, atoms in entries}
        groups |= {(*c.atoms, *c.sites) for c in clusters}
        for atoms in groups:
            points = block[:, list(atoms)]
            apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
            reach = max(reach, float(apart.max(initial=0.0)))
        start = stop
    return reach * ANGSTROM
