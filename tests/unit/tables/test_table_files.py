"""Round trips, and every way a table folder can be wrong."""

import gzip
import os
from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import BeadTableError
from topdown.model import BeadTable, BeadType, BuildingBlock
from topdown.model.type_volumes import TypeVolumes, with_volumes
from topdown.tables import (
    folder,
    load_bead_table,
    load_bead_types,
    load_building_blocks,
    table_folder,
    write_bead_table,
)


def same(a: BeadTable, b: BeadTable) -> bool:
    fields = ("name", "version", "bead_types", "scheme", "provenance")
    return (
        all(getattr(a, field) == getattr(b, field) for field in fields)
        and np.array_equal(a.epsilon, b.epsilon)
        and np.array_equal(a.sigma, b.sigma)
    )


def many_types(n: int, seed: int = 1) -> BeadTable:
    rng = np.random.default_rng(seed)
    epsilon, sigma = rng.uniform(1, 5, (n, n)), rng.uniform(0.3, 0.6, (n, n))
    return BeadTable(
        name="many",
        bead_types=tuple(BeadType(name=f"T{k}", chemical_class="T", size="T", mass=36.0) for k in range(n)),
        epsilon=(epsilon + epsilon.T) / 2,
        sigma=(sigma + sigma.T) / 2,
    )


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_round_trip_is_exact(small_table, small_folder):
    back = load_bead_table(small_folder)
    assert same(back, small_table)
    assert sorted(p.name for p in small_folder.iterdir()) == [
        "bead_types.csv",
        "building_blocks.csv",
        "pairs.csv",
        "table.toml",
    ]


def test_bond_lengths_come_back(small_table, tmp_path):
    assert load_bead_table(write_bead_table(small_table, tmp_path / "a")).bond_lengths == "centres"
    longer = replace(small_table, bond_lengths="surface")
    assert load_bead_table(write_bead_table(longer, tmp_path / "b")).bond_lengths == "surface"
    assert longer.subset(["C1"]).bond_lengths == "surface"


def test_round_trip_of_a_packed_table_is_exact_and_repeatable(tmp_path, monkeypatch):
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path / "cache"))
    table = many_types(120)
    first, second = (write_bead_table(table, tmp_path / name) for name in "ab")
    assert not (first / "pairs.csv").exists()
    assert (first / "pairs.csv.gz").read_bytes() == (second / "pairs.csv.gz").read_bytes()
    assert same(load_bead_table(first), table)
    assert same(load_bead_table(first), table)  # now from the cache


RULE = TypeVolumes(
    classes=("C1",), steps={"b": 0.06, "c2": -0.12}, sigma={"R": 0.7}, epsilon={"R": 1.5}, like_limit=3.8
)


def test_types_in_volumes_are_written_once_and_read_back_all(small_table, tmp_path):
    folder = write_bead_table(small_table, tmp_path / "volumes", volumes=RULE)
    assert len((folder / "pairs.csv").read_text().splitlines()) == 7
    back = load_bead_table(folder)
    assert same(back, with_volumes(small_table, RULE))
    assert [t.name for t in load_bead_types(folder)] == ["C1c2", "C1", "C1b", "P4", "SQ0"]
    assert {"C1b", "C1c2"} <= {block.bead_type for block in _blocks_of(folder, "C1b", "C1c2")}
    again = write_bead_table(back, folder)
    assert "volumes" not in (again / "table.toml").read_text(), "all types are written now"
    assert same(load_bead_table(again), back)


def _blocks_of(folder, *bead_types):
    rows = [f"fragment{k},{name},mine,1" for k, name in enumerate(bead_types)]
    (folder / "building_blocks.csv").write_text("\n".join(["fragment,bead_type,source,n_seen", *rows]) + "\n")
    return load_building_blocks(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('classes = ["C1"]', 'classes = ["C9"]', "no bead type has the class 'C9'"),
        ('classes = ["C1"]', "classes = []", "volumes.classes must be a list of classes"),
        ("like_limit = 3.8", "", "volumes.like_limit is missing"),
        ("like_limit = 3.8", "like_limit = -1.0", "must be a number not below 0"),
        ("c2 = -0.12", 'c2 = "small"', "volumes.steps must be a section of numbers"),
        ("c2 = -0.12", '"c 2" = -0.12', "'c 2' cannot end a name"),
        ("R = 0.7", "X = 0.7", "volumes.sigma has the size 'X'"),
        ("c2 = -0.12", '"" = -0.12', "'' cannot end a name"),
    ],
)
def test_a_wrong_rule_of_volumes_is_told(small_table, tmp_path, old, new, message):
    folder = write_bead_table(small_table, tmp_path / "volumes", volumes=RULE)
    edit(folder / "table.toml", old, new)
    with pytest.raises(BeadTableError, match=message):
        load_bead_table(folder)


def test_pairs_are_sorted_and_each_stands_once(small_folder):
    lines = (small_folder / "pairs.csv").read_text().splitlines()
    assert lines[0] == "type_a,type_b,epsilon,sigma"
    pairs = [tuple(line.split(",")[:2]) for line in lines[1:]]
    assert pairs == sorted(pairs)
    assert all(a <= b for a, b in pairs)
    assert len(set(pairs)) == 6


def test_rewriting_keeps_what_else_is_in_the_folder(small_table, small_folder):
    (small_folder / "notes.txt").write_text("mine")
    write_bead_table(small_table.with_epsilon({("C1", "P4"): 9.25}), small_folder)
    assert load_bead_table(small_folder).pair("P4", "C1")[1] == 9.25
    assert (small_folder / "notes.txt").read_text() == "mine"


def test_growing_over_the_limit_replaces_the_pairs_file(small_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TOPDOWN_CACHE", str(tmp_path / "cache"))
    write_bead_table(many_types(120), small_folder)
    assert (small_folder / "pairs.csv.gz").exists()
    assert not (small_folder / "pairs.csv").exists()
    assert len(load_bead_table(small_folder).bead_types) == 120


def test_a_folder_of_other_things_is_not_overwritten(small_table, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(BeadTableError, match="not empty and is no bead table"):
        write_bead_table(small_table, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]
    with pytest.raises(BeadTableError, match="is a file"):
        write_bead_table(small_table, tmp_path / "thesis.tex")


def test_a_crash_while_writing_leaves_nothing(small_table, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BeadTableError, match="No space left"):
        write_bead_table(small_table, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_building_blocks_come_from_the_parent_unless_the_table_has_its_own(small_table, tmp_path):
    types = load_bead_types("martini2")
    own = (BuildingBlock(fragment="CCCC", bead_type="C1", source="here, there", n_seen=3),)
    parent = load_bead_table("martini2")
    heir = replace(parent, name="heir", provenance=replace(parent.provenance, parent="martini2"))
    folder = write_bead_table(heir, tmp_path / "heir")
    assert not (folder / "building_blocks.csv").exists()
    assert load_building_blocks(folder) == load_building_blocks("martini2")
    rebel = write_bead_table(replace(heir, building_blocks=own), tmp_path / "rebel")
    assert load_bead_table(rebel).building_blocks == own
    # the small table lacks most of the parent's types, so it inherits only the rules it can use
    subset = write_bead_table(replace(parent.subset(["C1", "P4"]), provenance=heir.provenance), tmp_path / "subset")
    (subset / "building_blocks.csv").unlink(missing_ok=True)
    assert {block.bead_type for block in load_building_blocks(subset)} <= {"C1", "P4"}
    assert len(types) == 39


def test_a_name_wins_over_a_folder_and_a_path_reaches_the_folder(small_table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bead_table(small_table, tmp_path / "martini2")
    assert load_bead_table("martini2").name == "martini2"
    assert load_bead_table("./martini2").name == "small"
    assert table_folder("martini2/table.toml").resolve() == tmp_path / "martini2"


BROKEN = [
    # file, old, new, what is said, line (None: the file alone)
    ("pairs.csv", "C1,P4,0.6666666666666666,0.47\n", "", "1 of 6 pairs are missing: C1 P4", None),
    ("pairs.csv", "P4,P4", "P4,C1", "pair P4 C1 is given twice, first in line 3", 5),
    ("pairs.csv", "C1,SQ0", "C1,SQ9", "unknown bead type 'SQ9'", 4),
    ("pairs.csv", "2.0,0.62", "two,0.62", "epsilon 'two' is not a number", 4),
    ("pairs.csv", "2.0,0.62", "-2.0,0.62", "epsilon -2.0 is negative", 4),
    ("pairs.csv", "2.0,0.62", "2.0,nan", "sigma 'nan' is not finite", 4),
    ("pairs.csv", "2.0,0.62", "inf,0.62", "epsilon 'inf' is not finite", 4),
    ("pairs.csv", "2.0,0.62", "2.0,0.62,1", "5 values where the header has 4 columns", 4),
    ("pairs.csv", "2.0,0.62", '2.0,"0.62', "not CSV", 4),
    ("pairs.csv", "epsilon,sigma", "epsilon,sgima", "column 'sigma' is missing", 1),
    ("bead_types.csv", "size", "type", "column 'size' is missing", 1),
    ("bead_types.csv", "name,class", "name,name", "column 'name' comes twice", 1),
    ("bead_types.csv", "P4,P4,R", "C1,P4,R", "bead type 'C1' is defined twice", 3),
    ("bead_types.csv", "P4,P4,R", "P4,P4,XL", "size 'XL' is none of R, S, T, U", 3),
    ("bead_types.csv", "P4,P4,R,72.0", "P4,P4,R,-72.0", "mass -72.0 is negative", 3),
    ("bead_types.csv", "P4,P4,R,72.0", "P 4,P4,R,72.0", "cannot be the name of a bead type", 3),
    ("table.toml", 'version = "7"', "version = 7", "version must be text in quotes", 2),
    ("table.toml", 'version = "7"', "version = ", "broken TOML", 2),
    ("table.toml", 'length = "nm"', 'length = "angstrom"', "units.length is 'angstrom', but only 'nm'", 5),
    ("table.toml", 'energy = "kJ/mol"', 'energy = "kcal/mol"', "only 'kJ/mol' is understood", 6),
    ("table.toml", 'modifier = "force-shift"', 'modifier = "switch"', "nonbonded.modifier is 'switch'", 12),
    ("table.toml", "cutoff = 1.2\n", "", "nonbonded.cutoff is missing", None),
    ("table.toml", "cutoff = 1.2", "cutoff = 0", "nonbonded.cutoff must be positive", 14),
    ("table.toml", "cutoff = 1.2", "cutoff = nan", "must be a number not below 0", 14),
    ("table.toml", "epsilon_r = 2.5", "epsilon_r = true", "must be a number not below 1", 15),
    ("table.toml", 'name = "small"', 'name = " "', "name is empty", 1),
    ("table.toml", 'version = "7"', 'version = "7"\nbond_lengths = "area"', "bond_lengths is 'area'", 3),
]


@pytest.mark.parametrize(("file", "old", "new", "message", "line"), BROKEN)
def test_a_broken_file_is_named_with_its_line(small_folder, file, old, new, message, line):
    edit(small_folder / file, old, new)
    with pytest.raises(BeadTableError) as caught:
        load_bead_table(small_folder)
    text = str(caught.value)
    assert message in text
    assert caught.value.where == str(small_folder / file) + (f":{line}" if line else "")
    assert "\n" not in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("file", ["table.toml", "bead_types.csv", "pairs.csv"])
def test_a_missing_file_is_named(small_folder, file):
    (small_folder / file).unlink()
    with pytest.raises(BeadTableError, match=file):
        load_bead_table(small_folder)


def test_bytes_that_are_no_text_and_damaged_gzip(small_folder):
    packed = gzip.compress((small_folder / "pairs.csv").read_bytes())
    (small_folder / "pairs.csv.gz").write_bytes(packed[:-30])
    with pytest.raises(BeadTableError, match="holds both"):
        load_bead_table(small_folder)
    (small_folder / "pairs.csv").unlink()
    with pytest.raises(BeadTableError, match="not a whole gzip file"):
        load_bead_table(small_folder)
    (small_folder / "pairs.csv.gz").write_bytes(packed)
    assert load_bead_table(small_folder).pair("C1", "C1") == (0.47, 3.5)
    (small_folder / "bead_types.csv").write_bytes(b"name,class\xff\xfe")
    with pytest.raises(BeadTableError, match="not UTF-8"):
        load_bead_table(small_folder)
    (small_folder / "bead_types.csv").write_text("name,class,size,mass,charge,description\n")
    with pytest.raises(BeadTableError, match="holds no bead types"):
        load_bead_table(small_folder)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("CCC,C7,x,1", "unknown bead type 'C7'"),
        ("CCC,C1,x,0", "n_seen '0'"),
        ("CCC,C1,x,1.5", "n_seen '1.5'"),
        (",C1,x,1", "fragment is empty"),
        ("CCC,C1,x", "3 values where the header has 4 columns"),
    ],
)
def test_a_broken_building_block_is_named_with_its_line(small_folder, row, message):
    path = small_folder / "building_blocks.csv"
    path.write_text(f"fragment,bead_type,source,n_seen\nCCCC,C1,x,2\n{row}\n")
    with pytest.raises(BeadTableError) as caught:
        load_bead_table(small_folder)
    assert message in str(caught.value)
    assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize("name", ["martini4", "nowhere/at/all", "", "../martini2"])
def test_an_unknown_table_says_what_there_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BeadTableError, match="martini"):
        load_bead_table(name)


def test_a_folder_without_a_table(tmp_path):
    with pytest.raises(BeadTableError, match=r"holds no table\.toml"):
        load_bead_table(tmp_path)


def test_blank_lines_and_other_columns_are_allowed(small_folder, small_table):
    path = small_folder / "pairs.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n\n".join([lines[0] + ",comment", *(line + ",why" for line in lines[1:])]) + "\n\n")
    assert same(load_bead_table(small_folder), small_table)


def test_a_file_is_parsed_once_until_it_changes(tmp_path, monkeypatch):
    path, parsed, parse = tmp_path / "one.toml", [], folder.tomllib.loads
    monkeypatch.setattr(folder.tomllib, "loads", lambda text: parsed.append(text) or parse(text))
    for number in (71, 71, 72):  # numbers no other file has
        path.write_text(f"only_here = {number}\n")
        assert folder.read_toml(path) == ({"only_here": number}, f"only_here = {number}\n")
    assert len(parsed) == 2
