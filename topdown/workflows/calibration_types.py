"""The beads a campaign may give other types: building blocks of its solutes, found by what the mapper says of them, or named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from topdown.calibration.campaign import BlockEntry, TypesEntry
from topdown.calibration.targets import Target, TransferTarget
from topdown.calibration.type_blocks import BeadPlace, TypeBlock, TypeSettings
from topdown.errors import InputFileError
from topdown.mapping.bead_fragments import bead_fragments, fragment_alone
from topdown.model import BeadTable, CGMolecule


def type_settings(
    entry: TypesEntry, targets: Sequence[Target], solvents: Collection[str], table: BeadTable, path: Path
) -> tuple[TypeSettings, tuple[str, ...]]:
    """The blocks of a campaign, and what its user should know of them.

    Parameters
    ----------
    entry : TypesEntry
    targets : sequence of Target
    solvents : collection of str
        Keys of molecules that fill a box: their types stay, since all their liquid would change with them.
    table : BeadTable
    path : Path
        Of the campaign file, for messages.

    Raises
    ------
    InputFileError
        A bead that does not exist, is in two blocks, or in a solvent, or a block of several types.
    BeadTableError
        An unknown bead type.
    """
    solutes = {t.molecule_key: t.molecule for t in targets if isinstance(t, TransferTarget)}
    fragments = {key: bead_fragments(molecule) for key, molecule in solutes.items()}
    taken: set[BeadPlace] = set()
    blocks = []
    for named in entry.blocks:
        block = _named_block(named, solutes, fragments, solvents, table, path)
        twice = taken.intersection(block.beads)
        if twice:
            raise InputFileError(f"a bead of {block.name} is in another block too", where=str(path))
        taken.update(block.beads)
        blocks.append(block)
    free = {key: molecule for key, molecule in solutes.items() if key not in solvents}
    blocks += _found_blocks(free, fragments, taken, entry.runners_up, table)
    warnings = [
        f"{solutes[key].name} is a solvent or a liquid of this campaign: the types of its beads stay"
        for key in solutes
        if key in solvents and entry.runners_up
    ]
    if not blocks:
        warnings.append("[types] finds no bead with a next-best type: name blocks with [[types.block]]")
    return TypeSettings(least_gain=entry.least_gain, blocks=tuple(blocks)), tuple(warnings)


def _found_blocks(
    solutes: Mapping[str, CGMolecule],
    fragments: Mapping[str, tuple[str, ...]],
    taken: Collection[BeadPlace],
    runners_up: int,
    table: BeadTable,
) -> list[TypeBlock]:
    """Beads of one fragment and one type, with the next-best types of their size of any of them."""
    groups: dict[tuple[str, str], list[BeadPlace]] = {}
    for key, molecule in solutes.items():
        for place, bead in enumerate(molecule.beads):
            if bead.alternatives and fragments[key][place] and (key, place) not in taken:
                groups.setdefault((fragment_alone(fragments[key][place]), bead.bead_type), []).append((key, place))
    blocks = []
    for (fragment, bead_type), beads in sorted(groups.items()):
        size = table.bead_type(bead_type).size
        ranked = [
            [name for name in solutes[key].beads[place].alternatives if table.bead_type(name).size == size][:runners_up]
            for key, place in beads
        ]
        candidates = dict.fromkeys(name for rank in zip(*ranked, strict=False) for name in rank)
        candidates |= dict.fromkeys(name for names in ranked for name in names)
        if set(candidates) - {bead_type}:
            blocks.append(
                TypeBlock(
                    name=f"{fragment} ({bead_type})",
                    environments=tuple(dict.fromkeys(fragments[key][place] for key, place in beads)),
                    beads=tuple(beads),
                    labels=tuple(f"{solutes[key].name}:{solutes[key].beads[place].name}" for key, place in beads),
                    bead_type=bead_type,
                    candidates=tuple(name for name in candidates if name != bead_type),
                )
            )
    return blocks


def _named_block(
    entry: BlockEntry,
    solutes: Mapping[str, CGMolecule],
    fragments: Mapping[str, tuple[str, ...]],
    solvents: Collection[str],
    table: BeadTable,
    path: Path,
) -> TypeBlock:
    by_name = {molecule.name: key for key, molecule in solutes.items()}
    beads: list[BeadPlace] = []
    for solute, bead in entry.beads:
        if solute not in by_name:
            raise _unknown(f"no solute is called {solute!r}", solute, by_name, entry, path)
        key = by_name[solute]
        if key in solvents:
            raise InputFileError(
                f"{solute} is a solvent or a liquid of this campaign too: its types cannot change alone",
                where=f"{path}: types.block {entry.name}",
            )
        names = [b.name for b in solutes[key].beads]
        if bead not in names:
            raise _unknown(f"{solute} has no bead {bead!r}", bead, names, entry, path)
        beads.append((key, names.index(bead)))
    types = sorted({solutes[key].beads[place].bead_type for key, place in beads})
    if len(types) > 1:
        raise InputFileError(
            f"its beads are of several types: {', '.join(types)}",
            where=f"{path}: types.block {entry.name}",
            hint="make a block of each",
        )
    for name in entry.candidates:
        table.index(name)
    found = (fragments[key][place] for key, place in beads)
    return TypeBlock(
        name=entry.name,
        environments=tuple(dict.fromkeys(f for f in found if f)),
        beads=tuple(beads),
        labels=tuple(f"{solute}:{bead}" for solute, bead in entry.beads),
        bead_type=types[0],
        candidates=tuple(name for name in entry.candidates if name != types[0]),
    )


def _unknown(message: str, word: str, known: Collection[str], entry: BlockEntry, path: Path) -> InputFileError:
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return InputFileError(message, where=f"{path}: types.block {entry.name}", hint=hint)
