"""GROMACS topologies of Martini systems, read strictly: what is not understood is an error with file and line.

A molecule that uses interactions the engine does not have can be in an included file, but not in ``[ molecules ]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topdown.errors import TopologyError
from topdown.formats.gro import GroFile, read_gro
from topdown.formats.gromacs_contents import TERMS, Contents, MoleculeDraft, named
from topdown.formats.gromacs_sections import read_contents
from topdown.formats.gromacs_sites import massless_bead
from topdown.formats.pair_parameters import combined, converted
from topdown.model import BeadTable, BeadType, CGMolecule, NonbondedScheme, Provenance, System
from topdown.model._arrays import FloatArray
from topdown.model.bead import Size

Components = tuple[tuple[CGMolecule, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Topology:
    """A topology without coordinates.

    Attributes
    ----------
    table : BeadTable
        The bead types in use, under the name of the file that holds ``[ defaults ]``.
    components : tuple of (CGMolecule, int)
        One for each line of ``[ molecules ]``.
    title : str
    """

    table: BeadTable
    components: Components
    title: str


def _size(name: str) -> Size:
    """Size of a bead type by Martini's naming: S and T before a class letter, U a dummy, all others regular."""
    if name.startswith(("S", "T")) and name[1:2] in tuple("CNPQXDW"):
        return "S" if name[0] == "S" else "T"
    return "U" if name.startswith("U") else "R"


def _bead_table(contents: Contents, used: set[str], top: Path, scheme: NonbondedScheme | None) -> BeadTable:
    names = [name for name in contents.atom_types if name in used]
    sigma = np.zeros((len(names), len(names)))
    epsilon = np.zeros_like(sigma)
    for i, a in enumerate(names):
        for j, b in enumerate(names[: i + 1]):
            key = (a, b) if a <= b else (b, a)
            types = contents.atom_types[a].parameters, contents.atom_types[b].parameters
            values, where = contents.pairs.get(key, (None, str(top)))
            values = combined(contents.rule, *types) if values is None else values
            sigma[i, j], epsilon[i, j] = converted(contents.rule, values, pair=f"{a} {b}", where=where)
            sigma[j, i], epsilon[j, i] = sigma[i, j], epsilon[i, j]
    bead_types = []
    for name in names:
        size, atom_type = _size(name), contents.atom_types[name]
        short = name[1:] if size in ("S", "T") else name
        bead_types.append(
            BeadType(name=name, chemical_class=short, size=size, mass=atom_type.mass, charge=atom_type.charge)
        )
    return BeadTable(
        name=contents.force_field or top.stem,
        bead_types=tuple(bead_types),
        epsilon=epsilon,
        sigma=sigma,
        scheme=scheme or NonbondedScheme(),
        provenance=Provenance(source=f"read from {top.name}"),
    )


def _built(draft: MoleculeDraft, table: str) -> CGMolecule:
    obstacle = draft.obstacle or massless_bead(draft)
    if obstacle is not None:
        raise obstacle
    terms = {kind: tuple(draft.terms[kind]) for kind in TERMS}
    try:
        return CGMolecule(
            name=draft.name,
            beads=tuple(draft.beads),
            exclusions=tuple(sorted(draft.exclusions)),
            nrexcl=draft.nrexcl,
            warnings=tuple(draft.warnings),
            table=table,
            **terms,  # type: ignore[arg-type]  # one dictionary, tuples of different terms
        )
    except TopologyError as error:  # virtual sites in a circle, or constrained
        raise TopologyError(f"{draft.name}: {error.message}", where=draft.where, hint=error.hint) from None


def read_topology(
    top: Path | str,
    defines: Mapping[str, str] | None = None,
    *,
    include: Sequence[Path | str] = (),
    scheme: NonbondedScheme | None = None,
) -> Topology:
    """Read a GROMACS topology with everything it includes.

    Parameters
    ----------
    top : path
        ``.top`` file; ``table_aN.xvg`` of tabulated angles stand beside it.
    defines : mapping, optional
        Macros such as ``{"FLEXIBLE": ""}``; none are set by default.
    include : paths, optional
        Further folders searched for ``#include``.
    scheme : NonbondedScheme, optional
        Cut-off and permittivities, which GROMACS keeps in the ``.mdp`` file; Martini's by default.

    Raises
    ------
    TopologyError
        With file and line, for anything malformed, and for anything the engine does not simulate in a molecule of
        ``[ molecules ]``.
    """
    top = Path(top)
    contents = read_contents(top, defines, include)
    built: dict[str, CGMolecule] = {}
    components = []
    for name, count, where in contents.counts:
        draft = named(contents.molecule_types, name, where)
        if not draft.beads:
            raise TopologyError(f"moleculetype {name!r} has no [ atoms ]", where=where)
        if count and draft.name not in built:
            built[draft.name] = _built(draft, contents.force_field or top.stem)
        if count:
            components.append((built[draft.name], count))
    used = {bead.bead_type for molecule in built.values() for bead in molecule.beads}
    return Topology(
        table=_bead_table(contents, used, top, scheme),
        components=tuple(components),
        title=" ".join(contents.title) or top.stem,
    )


def _check_names(components: Components, gro: GroFile, path: Path) -> None:
    """Refuse coordinates of other beads; columns of a ``.gro`` file hold the first five characters of a name."""
    expected = sum(molecule.n_beads * count for molecule, count in components)
    if expected != len(gro.names):
        raise TopologyError(
            f"{len(gro.names)} beads, but the topology has {expected}", where=str(path), hint="do the counts agree?"
        )
    index = 0
    for molecule, count in components:
        names = tuple(bead.name[:5] for bead in molecule.beads)
        for _ in range(count):
            if gro.names[index : index + len(names)] != names:
                k = next(k for k, name in enumerate(names) if gro.names[index + k] != name)
                raise TopologyError(
                    f"bead {gro.names[index + k]!r}, but the topology has {names[k]!r} of {molecule.name}",
                    where=f"{path}:{index + k + 3}",
                    hint="is the order of the molecules the same?",
                )
            index += len(names)


def read_gromacs_topology(
    top: Path | str,
    gro: Path | str,
    *,
    defines: Mapping[str, str] | None = None,
    include: Sequence[Path | str] = (),
    reference: Path | str | None = None,
    scheme: NonbondedScheme | None = None,
) -> System:
    """Read a topology and its coordinates.

    Parameters
    ----------
    top, gro : path
        ``.top`` and ``.gro`` files.
    defines, include, scheme
        As for :func:`read_topology`.
    reference : path, optional
        ``.gro`` file with the reference points of position restraints, as ``gmx grompp -r``; ``gro`` itself by default.

    Returns
    -------
    System
        Molecules made whole along their bonds.

    Raises
    ------
    TopologyError
        As :func:`read_topology`, and when number or names of the beads differ between the files.
    """
    topology, coordinates = read_topology(top, defines, include=include, scheme=scheme), read_gro(gro)
    _check_names(topology.components, coordinates, Path(gro))
    points: FloatArray | None = None
    if reference is not None:
        there = read_gro(reference)
        _check_names(topology.components, there, Path(reference))
        points = there.positions
    return System(
        table=topology.table,
        components=topology.components,
        positions=coordinates.positions,
        box=coordinates.box,
        velocities=coordinates.velocities,
        reference_positions=points,
        title=topology.title,
    ).whole()
