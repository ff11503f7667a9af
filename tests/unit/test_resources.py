"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from topdown.resources import atomic_file, atomic_write_bytes, atomic_write_text


def test_the_old_content_is_there_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "below" / "table.csv"
    with atomic_file(path, "w", encoding="utf-8", newline="") as file:
        file.write("ε\r\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "ε\r\n".encode()
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == "ε\r\n".encode()
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]


def test_after_an_error_the_old_content_stays_and_nothing_else(tmp_path: Path) -> None:
    path = atomic_write_bytes(tmp_path / "a", b"old")

    def interrupted() -> None:
        with atomic_file(path) as file:
            file.write(b"half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_has_the_same_bytes_everywhere(tmp_path: Path) -> None:
    path = atomic_write_text(tmp_path / "a", "σ\nε\n")
    assert path.read_bytes() == "σ\nε\n".encode()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644, "the temporary file is its owner's alone"
