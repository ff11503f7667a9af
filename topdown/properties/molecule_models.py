"""The model that stands for a molecule: the published one where the bead table has it, else our own mapping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from topdown.model import BeadTable, CGMolecule
from topdown.tables import list_molecules, load_all_molecules, load_curated_molecule
from topdown.tables.molecules import standing_for

_WATER = "O"
_WATERS_PER_BEAD = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class MoleculeModel:
    """A model, where it comes from, and how many real molecules one of it stands for.

    Attributes
    ----------
    molecule : CGMolecule
        Its ``molar_mass`` is that of all real molecules it stands for.
    origin : str
        For the user: ``"published model OCO: SC2 SC2 SP1"`` or ``"mapped: …"``.
    n_real : int
        Real molecules in one model molecule: 4 for a W bead.
    """

    molecule: CGMolecule
    origin: str
    n_real: int = 1


def molecule_model(
    smiles: str,
    table: BeadTable,
    table_name: str | Path,
    *,
    name: str = "",
    seed: int = 1,
    longer_bonds: bool = False,
) -> MoleculeModel:
    """The model of a molecule given by SMILES.

    Parameters
    ----------
    smiles : str
    table : BeadTable
        For the mapping.
    table_name : str or Path
        The same table by name or folder, for its curated models.
    name : str
        Of the molecule returned; default the published model's own, or the canonical SMILES.
    seed : int
        Of the conformers of a mapped molecule.
    longer_bonds : bool
        Bonds of a mapped molecule as long as its surface asks for (:mod:`topdown.mapping.surface_match`); some tables have them
        so anyway.

    Raises
    ------
    MoleculeError
        The SMILES is refused.
    BeadTableError
        No published model, and no bead type for one of the fragments.
    """
    from topdown.mapping import canonical_smiles, map_molecule

    canonical = canonical_smiles(smiles)
    for curated in load_all_molecules(table_name):
        if canonical in curated.canonical_smiles:
            molecule = standing_for(curated, curated.canonical_smiles.index(canonical))
            return MoleculeModel(
                molecule=replace(molecule, name=name or molecule.name),
                origin=_published(molecule),
                n_real=curated.n_molecules,
            )
    molecule = map_molecule(smiles, table, name=name or canonical, seed=seed)
    how = "mapped"
    if longer_bonds and table.bond_lengths == "centres":
        from topdown.mapping.surface_match import surface_factor, with_longer_bonds

        factor = surface_factor(molecule, table, seed=seed)
        molecule, how = with_longer_bonds(molecule, factor), f"mapped, bonds {100.0 * (factor - 1.0):.0f} % longer"
    return MoleculeModel(
        molecule=molecule,
        origin=f"{how}: {' '.join(molecule.type_names)}",
        n_real=_WATERS_PER_BEAD if canonical == _WATER else 1,
    )


def curated_model(model: str, table_name: str | Path) -> MoleculeModel:
    """A published model by its name, any case.

    Raises
    ------
    BeadTableError
        The table has no such model.
    """
    curated = load_curated_molecule(table_name, model)
    return MoleculeModel(molecule=curated.model, origin=_published(curated.model), n_real=curated.n_molecules)


def is_curated(model: str, table_name: str | Path) -> bool:
    """Whether the table has a published model of exactly this name."""
    return model in list_molecules(table_name)


def _published(molecule: CGMolecule) -> str:
    return f"published model {molecule.name}: {' '.join(molecule.type_names)}"
