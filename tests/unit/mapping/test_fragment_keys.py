"""Keys of building blocks that are kept between runs are those made anew."""

import json
from pathlib import Path

import pytest

from topdown.mapping import fragment_keys
from topdown.mapping.fragment_keys import stored_keys
from topdown.mapping.fragments import coarser

FRAGMENTS = ("[CH3][CH2][OH]", "[CH3][c]([cH:2])[cH:2]", "no SMILES (")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path))
    return tmp_path / "building_blocks"


def test_keys_are_the_same_made_and_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tuple(coarser(fragment) for fragment in FRAGMENTS)
    assert stored_keys(FRAGMENTS) == expected
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(fragment_keys.notation, "coarser", lambda _: pytest.fail("made again"))
    assert stored_keys(FRAGMENTS) == expected


def test_other_fragments_and_another_rdkit_have_keys_of_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_keys(FRAGMENTS)
    stored_keys(FRAGMENTS[:2])
    monkeypatch.setattr(fragment_keys.rdBase, "rdkitVersion", "another")
    stored_keys(FRAGMENTS)
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[[]]", json.dumps([["a", "b", 1]] * 3), json.dumps([["a", "b", "c"]])]
)
def test_a_file_that_holds_anything_else_is_made_again(folder: Path, text: str) -> None:
    expected = stored_keys(FRAGMENTS)
    (path,) = folder.iterdir()
    path.write_text(text, encoding="utf-8")
    assert stored_keys(FRAGMENTS) == expected
    assert json.loads(path.read_bytes()) == [list(keys) for keys in expected]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path / "file"))
    assert stored_keys(FRAGMENTS)[0] == coarser(FRAGMENTS[0])
