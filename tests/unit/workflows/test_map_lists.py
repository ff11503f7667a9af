"""Lists of molecules and the names of their files."""

import gzip

import pytest

from topdown.errors import InputFileError
from topdown.workflows.file_names import FileNames
from topdown.workflows.map_lists import count_requests, read_requests

SMI = (
    "CCO ethanol\n\n# a comment\nCC\twith\ttabs\nC  two  blanks \n\tno smiles\n"
    "CC |$a;b$| labelled one\nCC |$a$|\nN\n\u0421 \u03b1-name\r\nO x\u2028y\n"
)


def pairs(path):
    return [(r.smiles, r.name) for r in read_requests(path)]


def test_smi(tmp_path):
    path = tmp_path / "x.SMI"
    path.write_text(SMI, encoding="utf-8", newline="")
    assert pairs(path) == [
        ("CCO", "ethanol"), ("CC", "with\ttabs"), ("C", "two  blanks"), ("", "no smiles"),
        ("CC |$a;b$|", "labelled one"), ("CC |$a$|", ""),
        ("N", ""), ("\u0421", "\u03b1-name"), ("O", "x\u2028y"),
    ]  # fmt: skip
    assert count_requests(path) == 9
    packed = tmp_path / "x.smi.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert pairs(packed) == pairs(path)


def test_csv(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes('\ufeffid,SMILES , Name\r\n1,CCO,"a, ""b"""\r\n2,C\r\n3,,x\r\n\r\n4,"C\nC",y,extra\r\n'.encode())
    assert pairs(path) == [("CCO", 'a, "b"'), ("C", ""), ("", "x"), ("C\nC", "y")]
    path.write_text("smiles\n" + "C" * 200_000 + "\n")
    assert len(pairs(path)[0][0]) == 200_000


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.csv", b"id;smiles\n1;C\n", "no column 'smiles'"),
        ("x.csv", b"smiles,name,smiles\nC,a,C\n", "there are 2 columns 'smiles'"),
        ("x.csv", b'smiles\n"C\n', "not readable as CSV"),
        ("x.csv", b"", "no column 'smiles'"),
        ("x.smi", b"# only\n\n", "no molecule"),
        ("x.smi", b"CC\xff\n", "not UTF-8"),
        ("x.smi.gz", b"CC a\n", "gzip"),
        ("x.smi.gz", gzip.compress(b"CC a\n" * 1000, mtime=0)[:-12], "gzip"),
        ("y.smi", None, "No such file"),
    ],
)
def test_wrong_lists(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputFileError, match=message):
        read_requests(tmp_path / name)


def test_names_are_unique_and_safe():
    names = FileNames()
    found = [
        names.next("C", name) for name in ["MOL"] * 3000 + ["mol"] * 1000 + ["", "../../x", "a/b", "\u03b1", "CON"]
    ]
    slugs, labels = zip(*found)
    for texts, longest in ((slugs, 66), (labels, 5)):
        assert len({text.lower() for text in texts}) == len(texts)
        assert max(map(len, texts)) <= longest
        assert all(text.replace("_", "").isalnum() and text.isascii() for text in texts)
    assert found[0] == ("MOL", "MOL")
    assert found[1] == ("MOL_2", "MOL1")
    assert not any(label[0].isdigit() for label in labels)
