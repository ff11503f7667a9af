"""The keys of a table's building blocks, kept between runs: to parse them all takes longer than to map several molecules."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from rdkit import rdBase

from topdown.mapping import fragments as notation
from topdown.resources import atomic_write_bytes, cache_folder

Keys = tuple[str, str, str, str]


def stored_keys(fragments: Sequence[str]) -> tuple[Keys, ...]:
    """:func:`topdown.mapping.fragments.coarser` of each fragment, from the cache folder where it is there.

    The file's name is a hash of the fragments, of RDKit's version and of the code that makes the keys: a stale file is
    never read. A file that cannot be read or written only costs the time of making the keys.
    """
    if not fragments:
        return ()
    made_by = rdBase.rdkitVersion.encode() + Path(notation.__file__).read_bytes()
    name = hashlib.sha256(made_by + "\n".join(fragments).encode()).hexdigest()
    path = cache_folder() / "building_blocks" / f"{name}.json"
    known = _read(path, len(fragments))
    if known is None:
        known = tuple(notation.coarser(fragment) for fragment in fragments)
        with contextlib.suppress(OSError):
            atomic_write_bytes(path, json.dumps(known).encode())
    return known


def _read(path: Path, count: int) -> tuple[Keys, ...] | None:
    """The keys in a file; None when there are not ``count`` of them."""
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    good = isinstance(rows, list) and len(rows) == count
    if not good or not all(isinstance(row, list) and [type(key) for key in row] == [str] * 4 for row in rows):
        return None
    return tuple((row[0], row[1], row[2], row[3]) for row in rows)
