"""The molecules of a membrane: lipids from the table, from SMILES or from files, solutes, water and ions, with the bead table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from topdown.building.bilayer import Leaflets, Placement, Solvent
from topdown.errors import InputFileError, SettingsError, TopdownError
from topdown.model import BeadTable, CGMolecule
from topdown.tables import list_molecules, load_bead_table, load_molecule
from topdown.tables.folder import shipped_table_names
from topdown.tables.molecules import load_curated_molecule
from topdown.workflows.export import molecule_of_itp
from topdown.workflows.membrane_request import MembraneRequest, Shares, is_itp

#: Water, cation and anion of every table.
SOLVENT_NAMES: Final = ("W", "NA", "CL")


@dataclass(frozen=True, kw_only=True, eq=False)
class MembraneModels:
    """Everything a membrane is built from.

    Attributes
    ----------
    table : BeadTable
        Restricted to the types in use.
    lipids : mapping of str to CGMolecule
        By the name they were asked for.
    leaflets : Leaflets
    placements : tuple of Placement
    solvent : Solvent
    areas : mapping of str to float
        Area [nm²] that a lipid is to start with in place of its usual one, by the name of its model.
    mapped : tuple of (str, str)
        Name and SMILES of the molecules that were mapped.
    """

    table: BeadTable
    lipids: Mapping[str, CGMolecule]
    leaflets: Leaflets
    placements: tuple[Placement, ...]
    solvent: Solvent
    areas: Mapping[str, float]
    mapped: tuple[tuple[str, str], ...]

    @property
    def lipid_names(self) -> frozenset[str]:
        """Names of the lipid models in the system."""
        return frozenset(lipid.name for lipid in self.lipids.values())


def membrane_models(request: MembraneRequest) -> MembraneModels:
    """Load, map or read every molecule a request names.

    Raises
    ------
    TopdownError
        An unknown table or lipid, SMILES that are refused, a file that cannot be read, a bead type the table does not have.
    """
    table = load_bead_table(request.table)
    inherited = _inherited(request, table)
    request = replace(request, own_lipids=(*request.own_lipids, *inherited))
    lipids = {name: _lipid(name, request, table) for name in request.lipid_names()}
    unused = next((name for name, _ in request.own_lipids if _match(name, lipids) is None), "")
    if unused:
        raise SettingsError(f"--lipid defines {unused}, which no leaflet has", hint=f"for instance --lipids {unused}")
    water, cation, anion = (load_molecule(request.table, name) for name in SOLVENT_NAMES)
    placements = []
    for solute in request.solutes:
        if solute.name.upper() in SOLVENT_NAMES:
            raise SettingsError(f"a molecule cannot be called {solute.name}", hint="that is the solvent's; see --name")
        model = _from_source(solute.source, solute.name, request, table)
        placements.append(Placement(solute=model, count=solute.count, depth=solute.depth()))
    used = [*lipids.values(), water, cation, anion, *(placement.solute for placement in placements)]
    for molecule in used:
        check_bead_types(molecule, table)
    sources = [*request.own_lipids, *((solute.name, solute.source) for solute in request.solutes)]
    return MembraneModels(
        table=table.subset({bead for molecule in used for bead in molecule.type_names}),
        lipids=lipids,
        leaflets=Leaflets(upper=_leaflet(request.lipids, lipids), lower=_leaflet(request.lower_lipids, lipids)),
        placements=tuple(placements),
        solvent=Solvent(water=water, cation=cation, anion=anion, salt_molarity=request.salt),
        areas=_areas(request, lipids),
        mapped=tuple((name, source) for name, source in sources if not is_itp(source)),
    )


def check_bead_types(molecule: CGMolecule, table: BeadTable) -> None:
    """Every bead type of ``molecule`` must be in the table.

    Raises
    ------
    SettingsError
        The bead and the type the table does not have.
    """
    known = {bead_type.name for bead_type in table.bead_types}
    for bead in molecule.beads:
        if bead.bead_type not in known:
            near = get_close_matches(bead.bead_type, sorted(known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else "choose the table it was made for with --table"
            raise SettingsError(
                f"bead {bead.name} is of type {bead.bead_type}, which bead table {table.name} does not have",
                where=molecule.name,
                hint=hint,
            )


def _leaflet(shares: Shares, lipids: Mapping[str, CGMolecule]) -> tuple[tuple[CGMolecule, float], ...]:
    return tuple((lipids[name], share) for name, share in shares)


def _match(name: str, known: Iterable[str]) -> str | None:
    return next((other for other in known if other.casefold() == name.casefold()), None)


def _lipid(name: str, request: MembraneRequest, table: BeadTable) -> CGMolecule:
    own = dict(request.own_lipids)
    defined = _match(name, own)
    if defined is not None:
        return _from_source(own[defined], defined, request, table)
    try:
        return load_molecule(request.table, name)
    except TopdownError as error:
        near = get_close_matches(name.upper(), [*own, *list_molecules(request.table)], n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise SettingsError(
            error.message,
            where=error.where,
            hint=f"{hint or 'topdown table show lists those of a table; '}your own: --lipid {name}=SMILES or {name}=FILE.itp",
        ) from None


def _inherited(request: MembraneRequest, table: BeadTable) -> tuple[tuple[str, str], ...]:
    """Name and SMILES of the lipids that the table has no model of, but the table it was made from: to be mapped."""
    parent, own = table.provenance.parent, [*dict(request.own_lipids), *list_molecules(request.table)]
    if parent not in shipped_table_names():
        return ()
    missing = [name for name in request.lipid_names() if _match(name, own) is None]
    found = [other for name in missing if (other := _match(name, list_molecules(parent)))]
    return tuple((other, load_curated_molecule(parent, other).smiles[0]) for other in found)


def _from_source(source: str, name: str, request: MembraneRequest, table: BeadTable) -> CGMolecule:
    """A molecule from an ``.itp`` file, or mapped from SMILES, under the name it is to have."""
    if is_itp(source):
        path = Path(source)
        if not path.is_file():
            raise InputFileError("there is no such file", where=source)
        return replace(molecule_of_itp(path, request.table)[0], name=name)
    from topdown.mapping import map_molecule

    return map_molecule(source, table, name=name, conformers=True, seed=request.seed)


def _areas(request: MembraneRequest, lipids: Mapping[str, CGMolecule]) -> dict[str, float]:
    areas: dict[str, float] = {}
    for name, area in request.areas:
        found = _match(name, lipids)
        if found is None:
            raise SettingsError(f"--area names {name}, which no leaflet has", hint=f"there are {', '.join(lipids)}")
        areas[lipids[found].name] = area
    return areas
