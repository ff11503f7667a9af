"""Text files as editors of Windows save them: a byte-order mark at the start, and other line ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topdown.formats import read_mdp, read_ndx, read_pdb, read_topology
from topdown.formats.gro import read_gro

FILES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a.top": (
        "[ defaults ]\n1 2\n[ atomtypes ]\nA 72.0 0.0 A 0.47 3.5\n[ moleculetype ]\nMOL 1\n[ atoms ]\n1 A 1 MOL X 1\n"
        "[ system ]\nname\n[ molecules ]\nMOL 2\n",
        lambda path: [(m.name, m.type_names, count) for m, count in read_topology(path).components],
    ),
    "a.gro": (
        "title\n1\n    1MOL      X    1   1.000   2.000   3.000\n   4.0 4.0 4.0\n",
        lambda path: (lambda found: (found.title, found.positions.tolist()))(read_gro(path)),
    ),
    "a.mdp": ("integrator = md\nnsteps = 5\ncoulombtype = reaction-field\n", read_mdp),
    "a.ndx": ("[ one ]\n1 2 3\n", lambda path: {name: rows.tolist() for name, rows in read_ndx(path).items()}),
    "a.pdb": (
        "CRYST1   40.000   40.000   40.000  90.00  90.00  90.00\n"
        "ATOM      1  X   MOL     1      10.000  20.000  30.000\nEND\n",
        lambda path: (lambda found: (found.positions.tolist(), np.asarray(found.box).tolist()))(read_pdb(path)),
    ),
}


@pytest.mark.parametrize("name", list(FILES))
def test_byte_order_mark_and_line_ends(name: str, tmp_path: Path) -> None:
    text, read = FILES[name]
    path = tmp_path / name
    path.write_text(text)
    expected = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read(path) == expected
