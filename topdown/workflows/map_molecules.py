"""The job behind ``topdown map``: SMILES or a file of them to mapped molecules, JSON, topologies and pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from topdown.building.single import single_molecule
from topdown.errors import BeadTableError, InputFileError, MoleculeError
from topdown.formats import atomic_write_text, gro_text, molecule_itp
from topdown.formats.naming import plain, short_names
from topdown.mapping import map_molecule
from topdown.model import BeadTable, CGMolecule
from topdown.tables import load_all_molecules, load_bead_table

#: Files that ``map`` reads many molecules from.
LIST_SUFFIXES = (".smi", ".csv")
_MAX_SLUG = 60
_EMPTY_RIM_NM = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeRequest:
    """One molecule to map, as the user wrote it."""

    smiles: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class MappingResult:
    """What became of one request: a molecule, or the reason why not.

    Attributes
    ----------
    request : MoleculeRequest
    molecule : CGMolecule or None
    error : MoleculeError or BeadTableError or None
    files : tuple of Path
        Files written for it.
    """

    request: MoleculeRequest
    molecule: CGMolecule | None = None
    error: MoleculeError | BeadTableError | None = None
    files: tuple[Path, ...] = ()

    @property
    def error_code(self) -> str:
        """E_… code of a refusal; E_TABLE when the bead table lacks a type for the molecule."""
        return self.error.code if isinstance(self.error, MoleculeError) else "E_TABLE" if self.error else ""


def read_requests(path: Path) -> tuple[MoleculeRequest, ...]:
    """The molecules of a ``.smi`` file (``SMILES name`` per line, no header) or of a CSV with columns smiles and name.

    Raises
    ------
    InputFileError
        The file is missing, is not UTF-8 text, or a CSV without a column ``smiles``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputFileError(error.strerror or "cannot be read", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"not UTF-8 text (byte {error.start})", where=str(path)) from None
    if path.suffix.lower() == ".csv":
        return _csv_requests(text, path)
    requests = []
    for line in text.splitlines():
        if line.strip():
            smiles, _, name = line.strip().replace("\t", " ").partition(" ")
            requests.append(MoleculeRequest(smiles=smiles, name=name.strip()))
    if not requests:
        raise InputFileError("there is no molecule in it", where=str(path), hint="one line per molecule: SMILES name")
    return tuple(requests)


def _csv_requests(text: str, path: Path) -> tuple[MoleculeRequest, ...]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        if "smiles" not in columns:
            found = ", ".join(filter(None, columns)) or "none"
            raise InputFileError(
                f"no column 'smiles' (columns found: {found})", where=str(path), hint="the first line names the columns"
            )
        smiles, name = columns["smiles"], columns.get("name")
        requests = tuple(
            MoleculeRequest(smiles=row[smiles] or "", name=(row[name] or "") if name is not None else "")
            for row in reader
        )
    except csv.Error as error:
        raise InputFileError(f"not readable as CSV: {error}", where=str(path)) from None
    if not requests:
        raise InputFileError("there is no molecule in it", where=str(path), hint="one row per molecule")
    return requests


def map_molecules(
    requests: Sequence[MoleculeRequest],
    table_name: str,
    *,
    conformers: bool = True,
    seed: int = 1,
    folder: Path | None = None,
    refine: Callable[[CGMolecule, BeadTable], CGMolecule] | None = None,
) -> Iterator[MappingResult]:
    """Map molecules one after the other, in order; a refused one does not stop the rest.

    Parameters
    ----------
    requests : sequence of MoleculeRequest
    table_name : str
        Name of a shipped bead table, or a table folder.
    conformers : bool
        Lengths and coordinates from conformers; needed for ``folder``.
    seed : int
        Seed of the conformers.
    folder : Path, optional
        Write ``<name>.itp``, ``.gro``, ``.svg`` and ``.json`` of each molecule there.
    refine : callable, optional
        Changes each molecule before it is written, such as :func:`topdown.workflows.fit_bonded.fit_bonded`.

    Raises
    ------
    BeadTableError
        The table cannot be read.
    """
    table = load_bead_table(table_name)
    published = _published_models(table_name)
    slugs = _slugs(requests)
    short = short_names(request.name or slug for request, slug in zip(requests, slugs))
    for request, slug, label in zip(requests, slugs, short):
        try:
            molecule = map_molecule(request.smiles, table, name=request.name, conformers=conformers, seed=seed)
        except (MoleculeError, BeadTableError) as error:
            yield MappingResult(request=request, error=error)
            continue
        if refine is not None:
            molecule = refine(molecule, table)
        if molecule.canonical_smiles in published:
            model = published[molecule.canonical_smiles]
            note = f"a published model exists: {model}"
            molecule = replace(molecule, warnings=(note, *molecule.warnings))
        files = () if folder is None else write_mapping(molecule, table, request, folder, slug=slug, label=label)
        yield MappingResult(request=request, molecule=molecule, files=files)


def _published_models(table_name: str) -> dict[str, str]:
    """Canonical SMILES of the curated models of a table, each with its name and bead types."""
    found: dict[str, str] = {}
    for curated in load_all_molecules(table_name):
        types = "-".join(curated.model.type_names)
        for smiles in curated.canonical_smiles:
            found.setdefault(smiles, f"{curated.model.name} ({types})")
    return found


def _slugs(requests: Sequence[MoleculeRequest]) -> list[str]:
    """A file name for each request: plain characters, at most 60, unique without regard to case."""
    taken: set[str] = set()
    slugs = []
    for number, request in enumerate(requests, start=1):
        stem = plain(request.name or request.smiles[:_MAX_SLUG], default=f"molecule{number}")[:_MAX_SLUG]
        slug, count = stem, 1
        while slug.lower() in taken:
            count += 1
            slug = f"{stem}_{count}"
        taken.add(slug.lower())
        slugs.append(slug)
    return slugs


def write_mapping(
    molecule: CGMolecule, table: BeadTable, request: MoleculeRequest, folder: Path, *, slug: str, label: str
) -> tuple[Path, ...]:
    """Write topology, coordinates, picture and JSON of one molecule.

    Parameters
    ----------
    molecule : CGMolecule
    table : BeadTable
    request : MoleculeRequest
        For the JSON, which echoes it.
    folder : Path
        Made if missing.
    slug : str
        File name without its ending.
    label : str
        Name inside itp and gro, at most five characters.

    Raises
    ------
    InputFileError
        The folder cannot be written.
    """
    from topdown.report.mapping_svg import mapping_svg

    texts = {
        ".itp": molecule_itp(molecule, table, name=label),
        ".svg": mapping_svg(molecule),
        ".json": json.dumps(mapping_json(molecule, table, request), indent=1, allow_nan=False) + "\n",
    }
    if molecule.positions is not None:
        texts[".gro"] = gro_text(single_molecule(replace(molecule, name=label), table, rim=_EMPTY_RIM_NM))
    try:
        return tuple(atomic_write_text(folder / f"{slug}{ending}", text) for ending, text in sorted(texts.items()))
    except OSError as error:
        raise InputFileError(f"cannot write there: {error.strerror}", where=str(folder)) from None


def mapping_json(
    molecule: CGMolecule, table: BeadTable, request: MoleculeRequest, *, alternatives: int = 3
) -> dict[str, Any]:
    """A mapped molecule as the JSON contract has it; bead indices count from 0."""
    return {
        "smiles": request.smiles,
        "name": request.name,
        "canonical_smiles": molecule.canonical_smiles,
        "table": molecule.table,
        "beads": [
            {
                "name": bead.name,
                "type": bead.bead_type,
                "size": table.bead_type(bead.bead_type).size,
                "charge": bead.charge,
                "mass": bead.mass,
                "atoms": list(bead.atoms),
                "reason": bead.reason,
                "confidence": bead.confidence,
                "alternatives": list(bead.alternatives[:alternatives]),
            }
            for bead in molecule.beads
        ],
        "bonds": [
            {"atoms": list(b.atoms), "length": b.length, "force_constant": b.force_constant, "function": b.function}
            for b in molecule.bonds
        ],
        "constraints": [{"atoms": list(c.atoms), "length": c.length} for c in molecule.constraints],
        "angles": [
            {"atoms": list(a.atoms), "angle": a.angle, "force_constant": a.force_constant, "function": a.function}
            for a in molecule.angles
        ],
        "dihedrals": [
            {
                "atoms": list(d.atoms),
                "angle": d.angle,
                "force_constant": d.force_constant,
                "multiplicity": d.multiplicity,
                "function": d.function,
            }
            for d in molecule.dihedrals
        ],
        "virtual_sites": [
            {"site": v.site, "construction": v.construction, "atoms": list(v.atoms), "parameters": list(v.parameters)}
            for v in molecule.virtual_sites
        ],
        "exclusions": [list(pair) for pair in molecule.exclusions],
        "cgsmiles": cgsmiles(molecule),
        "warnings": list(molecule.warnings),
    }


def refusal_json(result: MappingResult) -> dict[str, Any]:
    """A refusal as the JSON contract has it."""
    assert result.error is not None
    message = result.error.message + (f" ({result.error.hint})" if result.error.hint else "")
    return {
        "smiles": result.request.smiles,
        "name": result.request.name,
        "error": {"code": result.error_code, "message": message},
    }


def cgsmiles(molecule: CGMolecule) -> str:
    """The bead graph as a CGSmiles string, ``{[#C1][#C1]}``: nodes are bead types, edges bonds and constraints."""
    near: list[list[int]] = [[] for _ in molecule.beads]
    for i, j in sorted({*(b.atoms for b in molecule.bonds), *(c.atoms for c in molecule.constraints)}):
        near[i].append(j)
        near[j].append(i)
    parent, children, closures = _spanning_tree(near)
    numbers: dict[tuple[int, int], str] = {}
    for number, edge in enumerate(closures, start=1):
        numbers[edge] = str(number) if number < 10 else f"%{number}"

    def write(bead: int) -> str:
        rings = "".join(numbers[edge] for edge in closures if bead in edge)
        branches = [write(child) for child in children[bead]]
        return f"[#{molecule.beads[bead].bead_type}]{rings}" + "".join(
            [*(f"({branch})" for branch in branches[:-1]), *branches[-1:]]
        )

    return "{" + ".".join(write(root) for root in range(len(near)) if parent[root] == root) + "}"


def _spanning_tree(near: list[list[int]]) -> tuple[list[int], list[list[int]], list[tuple[int, int]]]:
    """(parent of each node, its children, the edges that close rings) of a depth-first walk."""
    n = len(near)
    parent, children = [-1] * n, [[] for _ in range(n)]  # type: tuple[list[int], list[list[int]]]
    closures: list[tuple[int, int]] = []
    for root in range(n):
        if parent[root] >= 0:
            continue
        parent[root] = root
        stack = [root]
        while stack:
            node = stack[-1]
            new = next((other for other in near[node] if parent[other] < 0), None)
            if new is None:
                stack.pop()
                continue
            parent[new] = node
            children[node].append(new)
            stack.append(new)
    for i in range(n):
        closures += [(i, j) for j in near[i] if i < j and parent[j] != i and parent[i] != j]
    return parent, children, closures
