"""SMILES to :class:`~topdown.model.CGMolecule`: partition, bead types, bonded terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from rdkit.Chem import rdMolDescriptors

from topdown.errors import BeadTableError, MappingError, SettingsError
from topdown.mapping.atom_roles import known_facts
from topdown.mapping.bead_typing import TypeChoice, choose_types, ion_choice
from topdown.mapping.canonical_molecule import CanonicalMolecule
from topdown.mapping.class_typing import choose_classes, class_model_of
from topdown.mapping.conformers import seen_as_beads
from topdown.mapping.fragmenting import Partition, best_partitions
from topdown.mapping.geometry import BondedTerms, bonded_terms
from topdown.mapping.lipids import recognise
from topdown.mapping.published import fits_table, given_choices, published_molecule, typed_by_classes
from topdown.mapping.smiles import DEFAULT_LIMITS, ParsedMolecule, SmilesLimits, parse_smiles
from topdown.mapping.surface import MappedSurface, largest_factor, radii_of
from topdown.mapping.surface_match import with_longer_bonds
from topdown.mapping.type_estimate import table_style
from topdown.mapping.user_groups import check_groups
from topdown.model import Bead, BeadTable, CGMolecule

_WATERS_PER_BEAD = 4
#: Bead that stands for four waters, first that exists.
_WATER_TYPES = ("W", "P4")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChoices:
    """What the user has decided on.

    Attributes
    ----------
    groups : tuple of tuple of int
        Beads: heavy atoms in the order written, counted from 0; the rest is divided around them.
    types : mapping of str to str
        Bead types by the name of the bead (``B2``) or its number counted from 1 (``2``).
    group_types : tuple of str
        A bead type for each of ``groups``, empty where it is open; ``types`` overrules it.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    group_types: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)


def map_molecule(
    smiles: str,
    table: BeadTable,
    *,
    name: str = "",
    conformers: bool = True,
    seed: int = 1,
    choices: UserChoices | None = None,
    largest_fragment: bool = False,
    limits: SmilesLimits = DEFAULT_LIMITS,
) -> CGMolecule:
    """Coarse-grain one molecule.

    Parameters
    ----------
    smiles : str
        One closed-shell molecule without metals, at most 1,000 atoms, or an ion of the table.
    table : BeadTable
        Bead types and the building blocks they are chosen by.
    name : str
        Any text; the canonical SMILES when empty.
    conformers : bool
        Lengths, angles and coordinates from conformers; otherwise estimates from the graph and no coordinates.
    seed : int
        Seed of the conformers.
    choices : UserChoices, optional
        Beads and bead types to be kept.
    largest_fragment : bool
        Of a salt or mixture map the largest component; a warning says what was left out.
    limits : SmilesLimits
        Largest input.

    Returns
    -------
    CGMolecule
        Beads in the order in which their atoms come in ``smiles``. The same for every way of writing the molecule, up
        to that order. Lipids and sterols that the rules of the table cover come out as the published models, with their
        names and in their order (:mod:`topdown.mapping.lipids`).

    Raises
    ------
    MoleculeError
        The SMILES is refused (:func:`topdown.mapping.smiles.parse_smiles`).
    BeadTableError
        The table has no bead type for one of the fragments.
    MappingError
        The choices do not fit the molecule.
    """
    parsed = parse_smiles(smiles, largest_fragment=largest_fragment, limits=limits)
    return map_parsed(parsed, table, name=name, conformers=conformers, seed=seed, choices=choices)[0]


def map_parsed(
    parsed: ParsedMolecule,
    table: BeadTable,
    *,
    name: str = "",
    conformers: bool = True,
    seed: int = 1,
    choices: UserChoices | None = None,
    count: int = 1,
) -> tuple[CGMolecule, ...]:
    """The ``count`` best mappings of a molecule that passed the gate, best first; as :func:`map_molecule`.

    There are fewer when the molecule cannot be divided in so many ways. Only the best has conformers.
    """
    if seed < 0:
        raise SettingsError(f"the seed must not be negative, got {seed}")
    choices = UserChoices() if choices is None else choices
    if parsed.canonical_smiles == "O" and not choices.types:
        return (_water(parsed, table, name, conformers),)
    canonical = CanonicalMolecule.of(parsed)
    mol, order = canonical.mol, canonical.order
    style = table_style(table)
    # The user's judgement comes before that of the published models.
    blocks = None if choices.groups else recognise(mol, style)
    classes = class_model_of(table)
    if blocks is not None and blocks.whole and classes is not None:
        blocks = typed_by_classes(mol, blocks, table, classes)
    molecules = []
    if blocks is not None and fits_table(blocks, table):
        model = published_molecule(parsed, order, blocks, table, name, conformers)
        molecules.append(_retyped(model, choices, table, parsed))
    known = given_choices(blocks, table) if not molecules else {}
    fixed = _canonical_groups(parsed, order, choices.groups) or tuple(known)
    wanted = count - len(molecules)
    for partition in best_partitions(mol, style, wanted, fixed=fixed) if wanted else ():
        first = not molecules
        molecules.append(
            _assemble(parsed, canonical, partition, table, name, conformers and first, seed, choices, known)
        )
    return tuple(molecules)


def _retyped(model: CGMolecule, choices: UserChoices, table: BeadTable, parsed: ParsedMolecule) -> CGMolecule:
    """A published model with the bead types that the user gives, and a warning about what was left out."""
    beads = list(model.beads)
    for place, kind in _fixed_types(choices.types, range(len(beads)), table, [bead.name for bead in beads]).items():
        reason = "given by the user"
        beads[place] = replace(beads[place], bead_type=kind, reason=reason, confidence=1.0, alternatives=())
    return replace(model, beads=tuple(beads), warnings=(*_left_out(parsed), *model.warnings))


def _left_out(parsed: ParsedMolecule) -> tuple[str, ...]:
    return (f"largest component mapped; left out: {', '.join(parsed.left_out)}",) if parsed.left_out else ()


def _canonical_groups(
    parsed: ParsedMolecule, order: Sequence[int], groups: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """Groups of heavy atoms as written, in the indices of the molecule in canonical order."""
    if not groups:
        return ()
    place = parsed.atom_of_written()
    neighbors = [[n.GetIdx() for n in atom.GetNeighbors()] for atom in parsed.mol.GetAtoms()]
    own = [tuple(place.get(a, -1) for a in group) for group in groups]
    check_groups(own, len(parsed.written), neighbors)
    new = {old: index for index, old in enumerate(order)}
    return tuple(tuple(sorted({new[a] for a in group})) for group in own)


def _assemble(
    parsed: ParsedMolecule,
    canonical: CanonicalMolecule,
    partition: Partition,
    table: BeadTable,
    name: str,
    conformers: bool,
    seed: int,
    choices: UserChoices,
    known: Mapping[tuple[int, ...], TypeChoice],
) -> CGMolecule:
    """A partition with its bead types and bonded terms."""
    mol, groups = canonical.mol, partition.groups
    written = parsed.written_atoms(canonical.order, groups)
    sequence = sorted(range(len(groups)), key=written.__getitem__)
    given = dict(zip(map(frozenset, choices.groups), choices.group_types))
    fixed_types = {k: kind for k, atoms in enumerate(written) if (kind := given.get(frozenset(atoms), ""))}
    fixed_types |= _fixed_types(choices.types, sequence, table)
    ion = ion_choice(parsed.canonical_smiles, table) if mol.GetNumAtoms() == 1 else None
    if ion is not None and not fixed_types:
        chosen = [ion]
    else:
        of_models = {k: known[group].bead_type for k, group in enumerate(groups) if group in known}
        fixed = {**of_models, **fixed_types}
        typed = _types(mol, groups, table, partition, fixed)
        # Beads of a recognised part keep the reason and confidence of their model.
        chosen = [
            known[group] if k in of_models and k not in fixed_types else choice
            for k, (group, choice) in enumerate(zip(groups, typed))
        ]
    terms, seen, warnings = _geometry(canonical, groups, chosen, table, conformers, seed)
    if not partition.exact:
        warnings.insert(0, "too many ways to divide this molecule: its partition is good but not proven the best")
    unsure = sum(choice.level == "estimate" for choice in chosen)
    if unsure:
        why = "no building block knows the fragment"
        if class_model_of(table) is not None:
            why = f"unlike what {table.name} was calibrated on"
        warnings.append(f"{unsure} of {len(chosen)} bead types are estimates: {why}")
    warnings[:0] = _left_out(parsed)
    beads, terms = _in_written_order(mol, groups, written, sequence, chosen, terms, table)
    molecule = CGMolecule(
        name=name or parsed.canonical_smiles,
        beads=beads,
        bonds=terms.bonds,
        constraints=terms.constraints,
        angles=terms.angles,
        dihedrals=terms.dihedrals,
        virtual_sites=terms.virtual_sites,
        exclusions=terms.exclusions,
        positions=terms.positions,
        smiles=parsed.smiles,
        canonical_smiles=parsed.canonical_smiles,
        table=table.name,
        molar_mass=float(rdMolDescriptors._CalcMolWt(mol)),
        warnings=tuple(warnings),
    )
    if seen is None:
        return molecule
    return with_longer_bonds(molecule, seen.matching_factor(largest_factor(molecule, table)))


def _types(
    mol: Any, groups: tuple[tuple[int, ...], ...], table: BeadTable, partition: Partition, fixed: Mapping[int, str]
) -> Sequence[TypeChoice]:
    """Bead types by the classes of the table where it has them, else by its building blocks."""
    model = class_model_of(table)
    if model is None:
        return choose_types(mol, groups, table, shared=partition.shared, fixed=fixed)
    chosen = choose_classes(mol, groups, table, model)
    for k, name in fixed.items():
        table.index(name)
        chosen[k] = replace(chosen[k], bead_type=name, reason="given by the user", confidence=1.0, alternatives=())
    return chosen


def _fixed_types(
    types: Mapping[str, str], sequence: Sequence[int], table: BeadTable, names: Sequence[str] = ()
) -> dict[int, str]:
    """Bead types given by the user, by place in the partition; ``names`` are those of the beads if not B1, B2…

    Raises
    ------
    MappingError
        A bead or a bead type that does not exist, or a bead given twice.
    """
    names = names or [f"B{number}" for number in range(1, len(sequence) + 1)]
    found: dict[int, str] = {}
    for label, bead_type in types.items():
        if label in names:
            number = names.index(label)
        elif label.isdecimal() and 1 <= int(label) <= len(sequence):
            number = int(label) - 1
        else:
            shown = f"{names[0]} to {names[-1]}" if names[0] == "B1" else ", ".join(names)
            raise MappingError(
                f"there is no bead {label!r} for the type {bead_type}",
                hint=f"beads are 1 to {len(sequence)}, or {shown}",
            )
        if bead_type not in table:
            raise MappingError(
                f"{bead_type!r}, given for bead {label}, is no bead type of {table.name}",
                hint=_near_types(bead_type, table),
            )
        place = sequence[number]
        if place in found:
            raise MappingError(f"two types are given for bead {number + 1}: {found[place]} and {bead_type}")
        found[place] = bead_type
    return found


def _near_types(name: str, table: BeadTable) -> str:
    """What a mistyped bead type may have meant."""
    names = [bead.name for bead in table.bead_types]
    near = get_close_matches(name, names, n=5, cutoff=0.5) or names[:8]
    return f"close to it are {', '.join(near)}; 'topdown table show {table.name}' lists all {len(names)}"


def _geometry(
    canonical: CanonicalMolecule,
    groups: tuple[tuple[int, ...], ...],
    choices: list[TypeChoice],
    table: BeadTable,
    conformers: bool,
    seed: int,
) -> tuple[BondedTerms, MappedSurface | None, list[str]]:
    """Bonded terms of the groups, their surface where the table's bonds follow it, and what there is to say about them."""
    warnings = []
    ensemble = surface = None
    matched = table.bond_lengths == "surface" and len(groups) > 1
    if conformers:
        relabelled = tuple(tuple(canonical.places[a] for a in group) for group in groups)
        with_hydrogens = table_style(table) == "martini3"
        made = canonical.conformers(seed)
        if made is None:
            warnings.append("no conformer could be made: lengths and angles are estimates from the molecular graph")
        else:
            ensemble = seen_as_beads(made, relabelled, with_hydrogens=with_hydrogens)
            if matched:
                radii = radii_of([choice.bead_type for choice in choices], table)
                surface = MappedSurface.of_conformers(made, relabelled, radii, with_hydrogens=with_hydrogens)
    if matched and surface is None:
        warnings.append(f"bonds of {table.name} match the surface of the atoms: without conformers they are too short")
    masses = [table.bead_type(choice.bead_type).mass for choice in choices]
    return bonded_terms(canonical.mol, groups, masses, ensemble), surface, warnings


def _in_written_order(
    mol: Any,
    groups: tuple[tuple[int, ...], ...],
    written: Sequence[tuple[int, ...]],
    sequence: Sequence[int],
    choices: list[TypeChoice],
    terms: BondedTerms,
    table: BeadTable,
) -> tuple[tuple[Bead, ...], BondedTerms]:
    """Beads and terms renumbered so that beads follow the SMILES as written."""
    terms, facts = terms.renumbered(sequence), known_facts(mol)
    counted: set[int] = set()
    beads = []
    for place, old in enumerate(sequence):
        choice = choices[old]
        bead_type = table.bead_type(choice.bead_type)
        charge = sum(facts[a].charge for a in groups[old] if a not in counted)
        counted.update(groups[old])
        beads.append(
            Bead(
                name=f"B{place + 1}",
                bead_type=bead_type.name,
                charge=float(charge),
                mass=terms.masses[place],
                atoms=written[old],
                reason=choice.reason,
                confidence=choice.confidence,
                alternatives=choice.alternatives,
            )
        )

    return tuple(beads), terms


def _water(parsed: ParsedMolecule, table: BeadTable, name: str, conformers: bool) -> CGMolecule:
    """One bead for four waters."""
    water = next((w for w in _WATER_TYPES if w in table), None)
    if water is None:
        raise BeadTableError("no water bead (W or P4)", where=f"bead table {table.name}")
    bead = Bead(
        name="W",
        bead_type=water,
        mass=table.bead_type(water).mass,
        atoms=(0,),
        reason="water: one bead stands for four molecules",
    )
    return CGMolecule(
        name=name or "W",
        beads=(bead,),
        positions=np.zeros((1, 3)) if conformers else None,
        smiles=parsed.smiles,
        canonical_smiles=parsed.canonical_smiles,
        table=table.name,
        molar_mass=_WATERS_PER_BEAD * float(rdMolDescriptors._CalcMolWt(parsed.mol)),
        warnings=("one bead stands for four water molecules",),
    )
