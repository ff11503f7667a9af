"""Which beads of a campaign may take other types: building blocks found in its solutes, or named in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from topdown.calibration.problem import CalibrationProblem
from topdown.errors import BeadTableError, InputFileError
from topdown.report.calibration_plan import plan_text
from topdown.workflows.calibrate import plan_calibration
from topdown.workflows.calibration_problem import read_problem

TEXT = """
name = "typed"
table = "martini2"
temperature = 300.0
[[parameters]]
pair = ["C1", "P4"]
prior_width = 0.5
"""
TARGET = """
[[targets.transfer]]
smiles = "{smiles}"
name = "{name}"
from = "water"
to = "hexadecane"
value = 1.7
uncertainty = 0.5
split = "{split}"
"""
PENTANOL, HEXANOL = ("CCCCCO", "pentanol", "calibration"), ("CCCCCCO", "hexanol", "held-out")
CETANE = ("CCCCCCCCCCCCCCCC", "cetane", "calibration")


def write(folder: Path, types: str, *solutes: tuple[str, str, str]) -> Path:
    path = folder / "campaign.toml"
    parts = [TARGET.format(smiles=s, name=n, split=split) for s, n, split in solutes or (PENTANOL, HEXANOL, CETANE)]
    path.write_text(TEXT + types + "".join(parts))
    return path


def read(folder: Path, types: str, *solutes: tuple[str, str, str]) -> CalibrationProblem:
    return read_problem(write(folder, types, *solutes))


def test_building_blocks_are_found_with_the_mappers_next_best_types(tmp_path: Path) -> None:
    problem = read(tmp_path, "[types]\nrunners_up = 1\n")
    assert problem.types is not None
    blocks = {b.name: b for b in problem.types.blocks}
    assert problem.types.least_gain == 2.0
    alcohol = blocks["OC[*:1] (P2)"]
    assert alcohol.labels == ("pentanol:B2",)
    assert (alcohol.environments, alcohol.candidates) == (("OC[C:1]",), ("P1",))
    alkyl = blocks["CCCC[*:1] (C1)"]
    assert alkyl.labels[0] == "pentanol:B1"
    assert not any(key == problem.targets[2].molecule_key for b in blocks.values() for key, _ in b.beads)
    assert any("cetane is a solvent" in text for text in problem.warnings)
    more = read(tmp_path, "[types]\nrunners_up = 3\n")
    assert more.types is not None
    assert more.digest() != problem.digest() != read(tmp_path, "").digest()
    assert max(len(b.candidates) for b in more.types.blocks) >= 3
    assert read(tmp_path, "").types is None


def test_candidates_are_of_the_beads_own_size(tmp_path: Path) -> None:
    path = write(tmp_path, "[types]\nrunners_up = 4\n", ("OCCc1ccccc1", "phenylethanol", "calibration"))
    path.write_text(path.read_text().replace('"martini2"', '"martini3"').replace('"C1", "P4"', '"TC5", "W"'))
    problem = read_problem(path)
    assert problem.types is not None
    for block in problem.types.blocks:
        size = problem.table.bead_type(block.bead_type).size
        assert {problem.table.bead_type(name).size for name in block.candidates} == {size}


def test_blocks_may_be_named(tmp_path: Path) -> None:
    types = '[types]\nrunners_up = 0\nleast_gain = 1.5\n[[types.block]]\nname = "OH"\n'
    types += 'beads = ["pentanol:B2"]\ncandidates = ["P1", "Nda", "P2"]\n'
    plan = plan_calibration(write(tmp_path, types))
    assert plan.problem.types is not None
    (block,) = plan.problem.types.blocks
    assert (block.name, block.bead_type, block.candidates) == ("OH", "P2", ("P1", "Nda"))
    assert plan.problem.types.least_gain == 1.5
    assert "types: OH: pentanol:B2  P2 or P1, Nda" in plan_text(plan, 1)


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ('beads = ["pentanl:B2"]\ncandidates = ["P1"]', "did you mean 'pentanol'"),
        ('beads = ["pentanol:B9"]\ncandidates = ["P1"]', "no bead 'B9'"),
        ('beads = ["cetane:B1"]\ncandidates = ["C2"]', "is a solvent"),
        ('beads = ["pentanol:B1", "pentanol:B2"]\ncandidates = ["C2"]', "several types: C1, P2"),
        ('beads = ["pentanol:B2"]\ncandidates = ["P99"]', "unknown bead type 'P99'"),
        ('beads = ["pentanol"]\ncandidates = ["P1"]', "SOLUTE:BEAD"),
        ('beads = ["pentanol:B2"]\ncandidates = []', "different bead types"),
        ('beads = ["pentanol:B2"]\ncandidates = ["P1"]\nsize = 3', "unknown key 'size'"),
        ('beads = ["pentanol:B2"]\ncandidates = ["P1"]\n[[types.block]]\nname = "x"\nbeads = ["pentanol:B2"]\n'
         'candidates = ["P3"]', "in another block"),
        ('beads = ["pentanol:B2"]\ncandidates = ["P1"]\n[[types.block]]\nbeads = ["pentanol:B2"]\n'
         'candidates = ["P3"]', "two of one name"),
    ],
)  # fmt: skip
def test_blocks_that_make_no_sense_are_refused(tmp_path: Path, types: str, words: str) -> None:
    with pytest.raises((InputFileError, BeadTableError), match=words) as caught:
        read(tmp_path, f"[types]\n[[types.block]]\n{types}\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("types", "words"),
    [("runners_up = -1", "runners_up"), ("least_gain = -1", "least_gain"), ("runners_up = 0", "no type could change")],
)
def test_wrong_numbers_are_refused(tmp_path: Path, types: str, words: str) -> None:
    with pytest.raises(InputFileError, match=words):
        read(tmp_path, f"[types]\n{types}\n")
