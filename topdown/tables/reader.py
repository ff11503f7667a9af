"""Reading a bead table folder into a :class:`~topdown.model.BeadTable`, with every mistake named by file and line."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import get_args

import numpy as np

from topdown.errors import BeadTableError
from topdown.model.bead import BeadType, Size
from topdown.model.bead_table import BeadTable, BuildingBlock
from topdown.model.type_volumes import types_in_volumes, with_volumes
from topdown.tables.cache import read_cached_matrices, store_matrices, table_key
from topdown.tables.folder import (
    BLOCKS_FILE,
    PACKED_PAIRS_FILE,
    PAIRS_FILE,
    TYPES_FILE,
    ancestors,
    read_header,
    read_text,
    table_folder,
)

TYPE_COLUMNS = ("name", "class", "size", "mass", "charge", "description")
PAIR_COLUMNS = ("type_a", "type_b", "epsilon", "sigma")
BLOCK_COLUMNS = ("fragment", "bead_type", "source", "n_seen")

#: Tables with more pairs than this are stored packed, and remembered in binary form after the first reading.
MANY_PAIRS = 5000


def load_bead_table(name_or_path: str | Path) -> BeadTable:
    """Read a bead table.

    Parameters
    ----------
    name_or_path : str or Path
        ``"martini2"``, ``"martini3"``, or a folder as described in ``docs/bead_tables.md``.

    Returns
    -------
    BeadTable
        ε [kJ/mol] and σ [nm] of all pairs, (n_types, n_types), and the building blocks of the table or of its parent.

    Raises
    ------
    BeadTableError
        Anything missing or wrong, with ``file:line`` and what to do.
    """
    folder = table_folder(name_or_path)
    header = read_header(folder)
    bead_types = read_bead_types(folder / TYPES_FILE)
    pairs_path = find_pairs_file(folder)
    try:
        packed = pairs_path.read_bytes()
    except OSError as error:
        raise BeadTableError(f"cannot be read: {error.strerror}", where=str(pairs_path)) from None
    names = tuple(bead_type.name for bead_type in bead_types)
    n = len(names)
    remember = n * (n + 1) // 2 > MANY_PAIRS
    key = table_key(names, packed) if remember else ""
    matrices = read_cached_matrices(key, n) if remember else None
    if matrices is None:
        matrices = parse_pairs(packed, pairs_path, names)
        if remember:
            store_matrices(key, *matrices)
    table = BeadTable(
        name=header.name,
        version=header.version,
        bead_types=bead_types,
        epsilon=matrices[0],
        sigma=matrices[1],
        scheme=header.scheme,
        provenance=header.provenance,
        building_blocks=load_building_blocks(folder),
        bond_lengths=header.bond_lengths,
        folder=str(folder),
    )
    return table if header.volumes is None else with_volumes(table, header.volumes)


def load_bead_types(name_or_path: str | Path) -> tuple[BeadType, ...]:
    """The bead types of a table, in its order, without touching the pairs."""
    folder = table_folder(name_or_path)
    volumes = read_header(folder).volumes
    written = read_bead_types(folder / TYPES_FILE)
    return written if volumes is None else types_in_volumes(written, volumes)


def load_building_blocks(name_or_path: str | Path) -> tuple[BuildingBlock, ...]:
    """The typing rules of a table; a table without its own has those of its parent whose bead types it holds.

    Returns
    -------
    tuple of BuildingBlock
        Empty when neither the table nor a shipped ancestor has any.
    """
    folder = table_folder(name_or_path)
    known = {bead_type.name for bead_type in load_bead_types(folder)}
    for place in ancestors(folder, read_header(folder)):
        path = place / BLOCKS_FILE
        if path.is_file():
            if place == folder:
                return read_building_blocks(path, known)
            types_there = {bead_type.name for bead_type in load_bead_types(place)}
            return tuple(block for block in read_building_blocks(path, types_there) if block.bead_type in known)
    return ()


def find_pairs_file(folder: Path) -> Path:
    """``pairs.csv`` or ``pairs.csv.gz``, whichever is there; both or none is an error."""
    found = [folder / name for name in (PAIRS_FILE, PACKED_PAIRS_FILE) if (folder / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise BeadTableError(f"holds both {PAIRS_FILE} and {PACKED_PAIRS_FILE}", where=str(folder), hint="delete one")
    raise BeadTableError(
        "the file is missing", where=str(folder / PAIRS_FILE), hint=f"a table needs {PAIRS_FILE} or {PACKED_PAIRS_FILE}"
    )


def csv_rows(text: str, path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and the values of ``columns`` (in that order) of every row; other columns are allowed and ignored."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    good = 0
    try:
        header = [name.strip() for name in next(reader, [])]
        for column in columns:
            if header.count(column) != 1:
                problem = "is missing" if column not in header else "comes twice"
                raise BeadTableError(
                    f"column {column!r} {problem}",
                    where=f"{path}:1",
                    hint=f"the first line must be {','.join(columns)}",
                )
        picks = [header.index(column) for column in columns]
        good = reader.line_num
        for row in reader:
            good = reader.line_num
            if not row:
                continue
            if len(row) != len(header):
                raise BeadTableError(
                    f"{len(row)} values where the header has {len(header)} columns",
                    where=f"{path}:{reader.line_num}",
                    hint="correct this line",
                )
            yield reader.line_num, [row[k] for k in picks]
    except csv.Error as error:
        raise BeadTableError(f"not CSV: {error}", where=f"{path}:{good + 1}", hint="correct this line") from None


def number(text: str, column: str, where: str, *, negative: bool = False) -> float:
    """``text`` as a finite number, not negative unless allowed."""
    try:
        value = float(text)
    except ValueError:
        raise BeadTableError(f"{column} {text!r} is not a number", where=where, hint="correct this line") from None
    if not math.isfinite(value):
        raise BeadTableError(f"{column} {text!r} is not finite", where=where, hint="correct this line")
    if value < 0 and not negative:
        raise BeadTableError(f"{column} {text} is negative", where=where, hint="it must be 0 or more")
    return value


def read_bead_types(path: Path) -> tuple[BeadType, ...]:
    """Read ``bead_types.csv``; names must be unique and without white space, sizes R, S, T or U."""
    return _bead_types(read_text(path), path)


# The table, its building blocks and its molecules all ask for the bead types.
@lru_cache(maxsize=4)
def _bead_types(text: str, path: Path) -> tuple[BeadType, ...]:
    types: dict[str, BeadType] = {}
    for line, (name, chemical_class, size, mass, charge, description) in csv_rows(text, path, TYPE_COLUMNS):
        where = f"{path}:{line}"
        if not name or any(c.isspace() or c in "\"';," for c in name):
            raise BeadTableError(f"{name!r} cannot be the name of a bead type", where=where, hint="letters and digits")
        if name in types:
            raise BeadTableError(f"bead type {name!r} is defined twice", where=where, hint="delete one of the lines")
        if size not in get_args(Size):
            raise BeadTableError(f"size {size!r} is none of R, S, T, U", where=where, hint="correct this line")
        types[name] = BeadType(
            name=name,
            chemical_class=chemical_class,
            size=size,  # type: ignore[arg-type]
            mass=number(mass, "mass", where),
            charge=number(charge, "charge", where, negative=True),
            description=description,
        )
    if not types:
        raise BeadTableError("holds no bead types", where=str(path), hint="add one line per bead type")
    return tuple(types.values())


def read_building_blocks(path: Path, known_types: set[str]) -> tuple[BuildingBlock, ...]:
    """Read ``building_blocks.csv``: fragment, bead type, source and how many curated beads support it."""
    blocks = []
    for line, (fragment, bead_type, source, n_seen) in csv_rows(read_text(path), path, BLOCK_COLUMNS):
        where = f"{path}:{line}"
        if not fragment:
            raise BeadTableError("fragment is empty", where=where, hint="correct this line")
        if bead_type not in known_types:
            raise unknown_type(bead_type, known_types, where)
        if not n_seen.isascii() or not n_seen.isdigit() or int(n_seen) < 1:
            raise BeadTableError(
                f"n_seen {n_seen!r} is not a count of 1 or more", where=where, hint="correct this line"
            )
        blocks.append(BuildingBlock(fragment=fragment, bead_type=bead_type, source=source, n_seen=int(n_seen)))
    return tuple(blocks)


def unknown_type(name: str, known: set[str], where: str) -> BeadTableError:
    """The error for a bead type that ``bead_types.csv`` does not define."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return BeadTableError(f"unknown bead type {name!r}", where=where, hint=f"{hint}{TYPES_FILE} must define it")


def parse_pairs(
    packed: bytes, path: Path, names: Sequence[str]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """ε [kJ/mol] and σ [nm], (n, n) float64, out of the bytes of ``pairs.csv`` or ``pairs.csv.gz``.

    Each unordered pair stands there exactly once, in either order.

    Raises
    ------
    BeadTableError
        An unknown type, a pair given twice or not at all, a value that is not a finite number ≥ 0.
    """
    text = _unpack(packed, path)
    index = {name: i for i, name in enumerate(names)}
    n = len(names)
    epsilon, sigma = np.zeros((n, n)), np.zeros((n, n))
    first_line = np.zeros((n, n), dtype=np.int64)
    for line, (a, b, eps_text, sig_text) in csv_rows(text, path, PAIR_COLUMNS):
        i, j = index.get(a, -1), index.get(b, -1)
        if i < 0 or j < 0:
            raise unknown_type(a if i < 0 else b, set(names), f"{path}:{line}")
        if i > j:
            i, j = j, i
        if first_line[i, j]:
            raise BeadTableError(
                f"pair {a} {b} is given twice, first in line {first_line[i, j]}",
                where=f"{path}:{line}",
                hint="delete one of the lines",
            )
        first_line[i, j] = line
        epsilon[i, j] = number(eps_text, "epsilon", f"{path}:{line}")
        sigma[i, j] = number(sig_text, "sigma", f"{path}:{line}")
    _require_complete(first_line, names, path)
    return _mirrored(epsilon), _mirrored(sigma)


def _unpack(packed: bytes, path: Path) -> str:
    if path.suffix == ".gz":
        try:
            packed = gzip.decompress(packed)
        except (OSError, EOFError, zlib.error) as error:
            raise BeadTableError(f"not a whole gzip file: {error}", where=str(path), hint="restore the file") from None
    try:
        return packed.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BeadTableError(f"not UTF-8 text (byte {error.start})", where=str(path), hint="save it as UTF-8") from None


def _require_complete(
    first_line: np.ndarray[tuple[int, int], np.dtype[np.int64]], names: Sequence[str], path: Path
) -> None:
    rows, columns = np.triu_indices(len(names))
    gaps = np.flatnonzero(first_line[rows, columns] == 0)
    if gaps.size:
        examples = ", ".join(f"{names[rows[k]]} {names[columns[k]]}" for k in gaps[:3])
        more = ", …" if gaps.size > 3 else ""
        raise BeadTableError(
            f"{gaps.size} of {rows.size} pairs are missing: {examples}{more}",
            where=str(path),
            hint="add a line for each",
        )


def _mirrored(
    upper: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    full: np.ndarray[tuple[int, int], np.dtype[np.float64]] = upper + np.triu(upper, k=1).T
    return full
