"""Writing a bead table folder that reads back exactly."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from topdown.errors import BeadTableError
from topdown.model.bead_table import BeadTable
from topdown.model.type_volumes import TypeVolumes
from topdown.resources import atomic_write_bytes
from topdown.tables.folder import (
    BLOCKS_FILE,
    FORMS,
    PACKED_PAIRS_FILE,
    PAIRS_FILE,
    TABLE_FILE,
    TYPES_FILE,
    UNITS,
    ancestors,
    read_header,
)
from topdown.tables.reader import (
    BLOCK_COLUMNS,
    MANY_PAIRS,
    PAIR_COLUMNS,
    TYPE_COLUMNS,
    load_building_blocks,
)


def write_bead_table(
    table: BeadTable,
    folder: Path | str,
    *,
    description: str = "",
    among_others: bool = False,
    volumes: TypeVolumes | None = None,
) -> Path:
    """Write ``table`` as a folder that :func:`~topdown.tables.load_bead_table` reads back exactly.

    ``building_blocks.csv`` is written only when the rules differ from those the parent table hands down. A new folder
    appears whole or not at all; in an existing bead table each file is replaced atomically and everything else in it
    (curated molecules, notes) is left alone.

    Parameters
    ----------
    table : BeadTable
    folder : Path or str
    description : str
        One line for ``table.toml``.
    among_others : bool
        Whether the folder may hold other files although it is no bead table yet, such as the campaign that makes it.
    volumes : TypeVolumes, optional
        What types of ``table``, which then are the usual ones, come in several volumes; read back is the table with all.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BeadTableError
        The folder exists, is not empty and is not a bead table; or it cannot be written.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise BeadTableError("is a file, not a folder", where=str(folder), hint="choose another folder")
        if not folder.is_dir() or not any(folder.iterdir()):
            _write_new(table, folder, description, volumes)
        elif among_others or (folder / TABLE_FILE).is_file():
            _replace(table, folder, description, volumes)
        else:
            raise BeadTableError(
                "the folder is not empty and is no bead table", where=str(folder), hint="choose another folder"
            )
    except OSError as error:
        raise BeadTableError(f"cannot be written: {error.strerror or error}", where=str(folder)) from None
    return folder


def _write_new(table: BeadTable, folder: Path, description: str, volumes: TypeVolumes | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:60]}.", suffix=".tmp"))
    try:
        staging.chmod(0o755)
        _replace(table, staging, description, volumes)
        os.replace(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _replace(table: BeadTable, folder: Path, description: str, volumes: TypeVolumes | None) -> None:
    n = len(table.bead_types)
    packed = n * (n + 1) // 2 > MANY_PAIRS
    pairs = pairs_text(table).encode()
    if packed:
        # mtime 0 and no file name: the same table gives the same bytes
        pairs = gzip.compress(pairs, compresslevel=9, mtime=0)
    atomic_write_bytes(folder / TYPES_FILE, bead_types_text(table).encode())
    atomic_write_bytes(folder / (PACKED_PAIRS_FILE if packed else PAIRS_FILE), pairs)
    (folder / (PAIRS_FILE if packed else PACKED_PAIRS_FILE)).unlink(missing_ok=True)
    atomic_write_bytes(folder / TABLE_FILE, table_toml(table, description, volumes).encode())
    if table.building_blocks != _inherited_blocks(folder):
        rows = ((b.fragment, b.bead_type, b.source, str(b.n_seen)) for b in table.building_blocks)
        atomic_write_bytes(folder / BLOCKS_FILE, csv_text(BLOCK_COLUMNS, rows).encode())


def _inherited_blocks(folder: Path) -> tuple[object, ...]:
    """Rules the folder would have as it stands: its own or its parent's."""
    places = ancestors(folder, read_header(folder))
    return load_building_blocks(folder) if any((place / BLOCKS_FILE).is_file() for place in places) else ()


def table_toml(table: BeadTable, description: str = "", volumes: TypeVolumes | None = None) -> str:
    """The text of ``table.toml``."""
    origin = table.provenance
    top = {"name": table.name, "version": table.version, "description": description}
    if table.bond_lengths != "centres":
        top["bond_lengths"] = table.bond_lengths
    scheme = table.scheme
    sections: list[tuple[str, dict[str, str | float]]] = [
        ("units", dict(UNITS)),
        (
            "nonbonded",
            {
                "lennard_jones": FORMS["lennard_jones"],
                "modifier": scheme.lj_modifier,
                "coulomb": FORMS["coulomb"],
                "cutoff": scheme.cutoff,
                "epsilon_r": scheme.epsilon_r,
                "epsilon_rf": scheme.epsilon_rf,
            },
        ),
        (
            "provenance",
            {
                "source": origin.source,
                "licence": origin.licence,
                "citation": origin.citation,
                "parent": origin.parent,
            },
        ),
    ]
    lines = [f"{key} = {toml_value(value)}" for key, value in top.items() if value or key != "description"]
    if volumes is not None:
        sections += [(f"volumes.{key}", dict(getattr(volumes, key))) for key in ("steps", "sigma", "epsilon")]
        classes = ", ".join(toml_value(name) for name in volumes.classes)
        lines += ["", "[volumes]", f"classes = [{classes}]", f"like_limit = {toml_value(volumes.like_limit)}"]
    for title, values in sections:
        lines += ["", f"[{title}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    text = "\n".join(lines) + "\n"
    return text.replace(
        f"epsilon_rf = {toml_value(scheme.epsilon_rf)}", f"epsilon_rf = {toml_value(scheme.epsilon_rf)}  # 0 = infinite"
    )


def toml_value(value: str | float) -> str:
    """A TOML string or float; JSON's escapes are TOML's, except for the DEL character."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(float(value))


def bead_types_text(table: BeadTable) -> str:
    """The text of ``bead_types.csv``, in table order."""
    return csv_text(
        TYPE_COLUMNS,
        (
            (t.name, t.chemical_class, t.size, repr(float(t.mass)), repr(float(t.charge)), t.description)
            for t in table.bead_types
        ),
    )


def pairs_text(table: BeadTable) -> str:
    """The text of ``pairs.csv``: each unordered pair once, names sorted inside the pair and pairs sorted."""
    order = sorted(range(len(table.bead_types)), key=lambda i: table.bead_types[i].name)
    names = [bead_type.name for bead_type in table.bead_types]
    epsilon, sigma = table.epsilon.tolist(), table.sigma.tolist()
    return csv_text(
        PAIR_COLUMNS,
        (
            (names[i], names[j], repr(epsilon[i][j]), repr(sigma[i][j]))
            for position, i in enumerate(order)
            for j in order[position:]
        ),
    )


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV with ``\\n`` line ends and quotes only where needed."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
