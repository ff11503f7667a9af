"""The job behind ``topdown map``: SMILES to mapped molecules, their JSON and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from topdown.errors import BeadTableError, MappingError, MoleculeError
from topdown.mapping.mapper import UserChoices, map_parsed
from topdown.mapping.operators import Center
from topdown.mapping.smiles import DEFAULT_LIMITS, SmilesLimits, parse_smiles
from topdown.model import BeadTable, CGMolecule
from topdown.report.cgsmiles import cgsmiles
from topdown.tables import load_all_molecules, load_bead_table
from topdown.workflows.file_endings import ALL_FILES
from topdown.workflows.file_names import FileNames
from topdown.workflows.map_files import write_mapping
from topdown.workflows.map_lists import LIST_SUFFIXES, MoleculeRequest, read_requests
from topdown.workflows.map_workers import BatchSettings, time_limit
from topdown.workflows.mapping_json import error_code, mapping_json, refusal_json

__all__ = [
    "LIST_SUFFIXES",
    "MapSettings",
    "Mapper",
    "MappingResult",
    "MoleculeRequest",
    "cgsmiles",
    "map_molecules",
    "mapping_json",
    "read_requests",
    "refusal_json",
]

Refine = Callable[[CGMolecule, BeadTable], CGMolecule]
Refusal = MoleculeError | BeadTableError | MappingError


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings:
    """How molecules are mapped; the same for a whole list.

    Attributes
    ----------
    table : str
        Name of a shipped bead table, or a table folder.
    conformers : bool
        Lengths and coordinates from conformers.
    seed : int
        Seed of the conformers.
    mappings : int
        How many next-best mappings are made besides the best.
    largest_fragment : bool
        Map the largest component of salts and mixtures.
    limits : SmilesLimits
    choices : UserChoices
    center : {"geometry", "mass", "charge"}, optional
        Where beads sit, when not where the table has them; needs conformers.
    match_surface : bool
        Bonds as long as the surface of the atoms asks for; needs conformers.
    """

    table: str = "martini3"
    conformers: bool = True
    seed: int = 1
    mappings: int = 0
    largest_fragment: bool = False
    limits: SmilesLimits = DEFAULT_LIMITS
    choices: UserChoices = field(default_factory=UserChoices)
    center: Center | None = None
    match_surface: bool = False


@dataclass(frozen=True, kw_only=True)
class MappingResult:
    """What became of one request: a molecule, or the reason why not.

    Attributes
    ----------
    request : MoleculeRequest
    molecule : CGMolecule or None
    others : tuple of CGMolecule or None
        The next-best mappings, when asked for.
    error : MoleculeError, BeadTableError, MappingError or None
    files : tuple of Path
        Files written for it.
    """

    request: MoleculeRequest
    molecule: CGMolecule | None = None
    others: tuple[CGMolecule, ...] | None = None
    error: Refusal | None = None
    files: tuple[Path, ...] = ()

    @property
    def error_code(self) -> str:
        """E_… code of a refusal; E_TABLE when the bead table lacks a type for the molecule."""
        return error_code(self.error) if self.error is not None else ""


class Mapper:
    """A bead table made ready to map one molecule after the other.

    Parameters
    ----------
    settings : MapSettings

    Attributes
    ----------
    table : BeadTable
    refine : callable, optional
        Changes each molecule before it is written, such as :func:`topdown.workflows.fit_bonded.fit_bonded`.

    Raises
    ------
    BeadTableError
        The table cannot be read.
    """

    def __init__(self, settings: MapSettings) -> None:
        self.settings = settings
        self.refine: Refine | None = None
        self.table: BeadTable = load_bead_table(settings.table)
        self._published = _published_models(settings.table)

    def map(self, request: MoleculeRequest) -> MappingResult:
        """Map one molecule; a refusal is a result, too."""
        s = self.settings
        try:
            parsed = parse_smiles(request.smiles, largest_fragment=s.largest_fragment, limits=s.limits)
            best, *others = map_parsed(
                parsed,
                self.table,
                name=request.name,
                conformers=s.conformers,
                seed=s.seed,
                choices=s.choices,
                count=1 + s.mappings,
            )
        except (MoleculeError, BeadTableError, MappingError) as error:
            return MappingResult(request=request, error=error)
        if s.center is not None:
            from topdown.workflows.fit_bonded import with_center

            best = with_center(best, self.table, s.center, seed=s.seed)
        # Another centre gives new bonds, which are those between centres again.
        if s.match_surface if self.table.bond_lengths == "centres" else s.center is not None:
            from topdown.mapping.surface_match import match_surface

            best = match_surface(best, self.table, seed=s.seed, center=s.center)
        if self.refine is not None:
            best = self.refine(best, self.table)
        if best.canonical_smiles in self._published:
            note = f"a published model exists: {self._published[best.canonical_smiles]}"
            best = replace(best, warnings=(note, *best.warnings))
        return MappingResult(request=request, molecule=best, others=tuple(others) if s.mappings else None)


def map_molecules(
    requests: Sequence[MoleculeRequest],
    table_name: str,
    *,
    conformers: bool = True,
    seed: int = 1,
    folder: Path | None = None,
    refine: Refine | None = None,
) -> Iterator[MappingResult]:
    """Map molecules one after the other, in order; a refused one does not stop the rest.

    Parameters
    ----------
    requests : sequence of MoleculeRequest
    table_name : str
        Name of a shipped bead table, or a table folder.
    conformers : bool
        Lengths and coordinates from conformers; needed for the coordinates in ``folder``.
    seed : int
        Seed of the conformers.
    folder : Path, optional
        Write the files of each molecule there (:func:`topdown.workflows.map_files.write_mapping`).
    refine : callable, optional
        Changes each molecule before it is written.

    Raises
    ------
    BeadTableError
        The table cannot be read.
    """
    mapper = Mapper(MapSettings(table=table_name, conformers=conformers, seed=seed))
    mapper.refine = refine
    names = FileNames()
    for request in requests:
        slug, label = names.next(request.smiles, request.name)
        result = mapper.map(request)
        if result.molecule is not None and folder is not None:
            files = write_mapping(
                result.molecule, mapper.table, request, folder, slug=slug, label=label, endings=ALL_FILES, seed=seed
            )
            result = replace(result, files=files)
        yield result


def map_one(
    smiles: str,
    settings: BatchSettings,
    *,
    name: str = "",
    mapping: str = "",
    types: str = "",
    folder: Path | None = None,
    refine: Refine | None = None,
) -> tuple[MappingResult, BeadTable]:
    """Map one SMILES as the command line does; returns the result and the bead table.

    Parameters
    ----------
    smiles : str
    settings : BatchSettings
    name : str
    mapping, types : str
        Beads and types to keep (:func:`topdown.workflows.user_mapping.read_choices`).
    folder : Path, optional
        Where its files go.
    refine : callable, optional
        Changes the molecule before it is written.

    Raises
    ------
    BeadTableError
        The table cannot be read.
    MappingError, InputFileError
        ``mapping`` or ``types`` cannot be read or do not fit the molecule; the folder cannot be written.
    """
    from topdown.workflows.user_mapping import read_choices

    request = MoleculeRequest(smiles=smiles, name=name)
    mapper = Mapper(settings.map_settings())
    mapper.refine = refine
    try:
        with time_limit(settings.time_limit):
            if mapping or types:
                own = mapper.settings
                parsed = parse_smiles(smiles, largest_fragment=own.largest_fragment, limits=own.limits)
                choices = read_choices(mapping, types, parsed, mapper.table)
                mapper.settings = replace(own, choices=choices)
            result = mapper.map(request)
            if isinstance(result.error, MappingError):
                raise result.error
            if result.molecule is None or folder is None:
                return result, mapper.table
            slug, label = FileNames().next(smiles, name)
            files = write_mapping(
                result.molecule,
                mapper.table,
                request,
                folder,
                slug=slug,
                label=label,
                endings=settings.endings,
                seed=mapper.settings.seed,
                alternatives=settings.alternatives,
                other_mappings=result.others,
            )
            return replace(result, files=files), mapper.table
    except MoleculeError as error:
        return MappingResult(request=request, error=error), mapper.table


def _published_models(table_name: str) -> dict[str, str]:
    """Canonical SMILES of the curated models of a table, each with its name and bead types."""
    found: dict[str, str] = {}
    for curated in load_all_molecules(table_name):
        types = "-".join(curated.model.type_names)
        for smiles in curated.canonical_smiles:
            found.setdefault(smiles, f"{curated.model.name} ({types})")
    return found
