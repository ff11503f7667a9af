"""The benchmarks that score mappings: against experts, held out, and against themselves for other ways of writing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from rdkit import Chem

from topdown.mapping.type_estimate import type_model

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"

#: Name, SMILES, bead types and atoms as an expert would give them; the last is divided as nobody would.
CURATED = """name,smiles,n_beads,bead_types,atom_mapping,charge,source,notes
octane,CCCCCCCC,2,C1;C1,"0,1,2,3;4,5,6,7",0,x/first:b,
nonane,CCCCCCCCC,3,SC2;SC1;SC2,"0,1,2;3,4,5;6,7,8",0,x/first:b,
octanol,CCCCCCCCO,3,SC2;SC1;SP1,"0,1,2;3,4,5;6,7,8",0,x/first:b,
benzene,c1ccccc1,3,TC5;TC5;TC5,"0,1;2,3;4,5",0,x/second:b,
toluene,Cc1ccccc1,3,SC4;TC5;TC5,"0,1,2,6;2,3,4;4,5,6",0,x/second:b,
hexane,CCCCCC,3,TC3;TC3;SC1,"0;1;2,3,4,5",0,x/second:b,
"""


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_script", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_held_out_molecules_are_scored_against_their_published_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _loaded("mapping")
    (tmp_path / "martini3_curated.csv").write_text(CURATED)
    report = tmp_path / "report.md"
    arguments = ["mapping.py", "--source", str(tmp_path), "--folds", "0", "--report", str(report), "-v"]
    monkeypatch.setattr(sys, "argv", arguments)
    # Fitting weights has its own tests and takes seconds.
    monkeypatch.setattr(script.weighing, "fit", lambda facts, style, encode: type_model(style))
    script.main()
    said = capsys.readouterr().out
    assert "martini3: 6 distinct molecules, 17 beads" in said
    assert "exact partition        5/6" in said
    assert "hexane" in said
    table = report.read_text()
    assert "| first | 3 | 100% | 100% |" in table
    assert "| second | 3 | 67% |" in table
    assert "hexane `CCCCCC`" in table


def test_a_fold_is_not_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _loaded("mapping")
    (tmp_path / "martini3_curated.csv").write_text(CURATED)
    judge = script.Judge(tmp_path, "martini3")
    learnt: list[set[str]] = []

    def fit(examples: list, **_: object) -> tuple[list[str], object]:
        learnt.append({example.name for example in examples})
        return [], []

    monkeypatch.setattr(script.fitting, "fit", fit)
    tests = script.held_out_sets(judge.examples, 5, by_source=True)
    assert [{e.name for e in test} for test in tests] == [
        {"octane", "nonane", "octanol"},
        {"benzene", "toluene", "hexane"},
    ]
    for test in tests:
        judge._costs_without(test)
    assert learnt == [{"benzene", "toluene", "hexane"}, {"octane", "nonane", "octanol"}]


def test_costs_are_not_learnt_from_lipids_and_sterols_with_rules_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = _loaded("mapping")
    cholesterol = "CC(C)CCCC(C)C1CCC2C3CC=C4CC(O)CCC4(C)C3CCC12C"
    beads = ";".join(str(atom) for atom in range(28))
    row = f'cholesterol,{cholesterol},28,{";".join(["TC2"] * 28)},"{beads}",0,x/third:b,\n'
    (tmp_path / "martini3_curated.csv").write_text(CURATED + row)
    rows = script.read_rows(tmp_path, "martini3", ["martini3_curated.csv"])
    examples = script.fitting.read_examples(rows, "martini3")
    assert [e.name for e in examples if e.by_rule] == ["cholesterol"]
    listed: list[str] = []
    monkeypatch.setattr(script.fitting, "list_published", lambda example: listed.append(example.name))
    with_sterol, without = (script.fitting.fit(e, width=1.0, rounds=1) for e in (examples, examples[:-1]))
    assert "cholesterol" not in listed
    assert "octane" in listed
    assert with_sterol[0] == without[0]
    assert list(with_sterol[1]) == list(without[1])


@pytest.fixture
def invariance() -> ModuleType:
    return _loaded("mapping_invariance")


def test_the_invariance_log_is_continued_and_summed_up(
    invariance: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(invariance, "molecules", lambda source: ["CCO", "Cc1ccccc1O"])
    log = tmp_path / "log.jsonl"
    asked: list[str] = []
    examined = invariance.examined

    def counted(smiles: str, *arguments: object) -> dict[str, object]:
        asked.append(smiles)
        line = examined(smiles, *arguments)
        return line if smiles == "CCO" else line | {"types": 2}

    monkeypatch.setattr(invariance, "examined", counted)
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["mapping_invariance.py", str(log), "--spellings", "3"])
        invariance.main()
    assert asked == ["CCO", "Cc1ccccc1O"]
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert (first["partitions"], first["types"], first["terms"], first["covered"], first["proven"]) == (
        1,
        1,
        1,
        True,
        True,
    )
    assert len(second["cpu_ms"]) == 3
    said = capsys.readouterr().out
    assert "one partition          2/2" in said
    assert "one set of bead types  1/2" in said
    assert "several mappings of Cc1ccccc1O" in said


def test_mappings_that_differ_are_told_apart(invariance: ModuleType) -> None:
    from topdown.mapping import map_molecule
    from topdown.mapping.mapper import UserChoices
    from topdown.tables import load_bead_table

    table = load_bead_table("martini3")
    mol = Chem.MolFromSmiles("CCCCCCCO")
    choices = [
        UserChoices(),
        UserChoices(groups=((0, 1, 2),)),
        UserChoices(types={"1": "C2"}),
    ]
    molecules = [map_molecule("CCCCCCCO", table, conformers=False, choices=choice) for choice in choices]
    plain, moved, retyped = (invariance.drawing(mol, m, table, typed=False) for m in molecules)
    assert plain == retyped != moved
    assert len({invariance.drawing(mol, m, table, typed=True) for m in molecules}) == 3
    assert invariance.terms(molecules[0]) != invariance.terms(molecules[1])


def test_a_bead_is_outvoted_by_those_of_other_sources_that_are_like_it():
    def fact(bead_type, origin, surroundings="CC[C:1]"):
        return SimpleNamespace(bead_type=bead_type, origin=origin, surroundings=surroundings)

    facts = [fact("TC3", "a"), fact("TC3", "b"), fact("TC2", "c"), fact("TC2", "a"), fact("P1", "a", "CO[C:1]")]
    scores = _loaded("mapping_types")
    against = scores.outvoted(facts, scores.same_surroundings, lambda one: one.origin)
    # Those of a see a tie; that of b sees TC2 twice and TC3 once, that of c the other way round; the last has no like.
    assert [against.get(id(one)) for one in facts] == [False, True, True, False, None]
