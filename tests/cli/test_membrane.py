"""``topdown membrane`` as a user runs it: a small box from names of lipids to files that GROMACS takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.building.single import single_molecule
from topdown.formats.gro import read_gro
from topdown.formats.gromacs_read import read_gromacs_topology
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.membrane import build_membrane, prepare_membrane
from topdown.workflows.membrane_gates import check_models, check_start, check_written
from topdown.workflows.membrane_relaxation import CHECKPOINT_FILE, SERIES_FILE, Progress
from topdown.workflows.membrane_request import (
    MembraneRequest,
    parse_duration,
    parse_lipids,
    parse_relaxation,
    parse_size,
    parse_solutes,
)

SMALL = ("--lipids", "DPPC", "--table", "martini2", "--size", "3.2x3.2x7", "--temperature", "323")
REQUEST = MembraneRequest(
    lipids=(("DPPC", 1.0),), table="martini2", size=(3.2, 3.2, 7.0), temperature=323.0, relax_ns=0.006, seed=5, salt=0.0
)


@pytest.fixture(scope="module")
def relaxed(topdown, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str]:
    """A small DPPC bilayer with salt after 20 ps."""
    folder = tmp_path_factory.mktemp("membrane") / "dppc"
    code, out, err = topdown(
        "membrane", *SMALL, "--relax", "20ps", "--salt", "0.2", "--seed", "3", "-o", str(folder), "--json",
        "--no-compare",
    )  # fmt: skip
    assert code == 0, err
    return folder, json.loads(out), err


def test_report_says_what_was_built_and_measured(relaxed: tuple[Path, dict, str]) -> None:
    folder, report, _ = relaxed
    assert json.loads((folder / "report.json").read_text()) == report
    assert [name for name, _ in report["molecules"]] == ["DPPC", "DPPC", "W", "NA", "CL"]
    assert report["molecules"][0][1] == report["molecules"][1][1] == 16
    assert report["start_min_distance_nm"] >= 0.30
    assert report["simulated_ns"] == pytest.approx(0.02)
    assert report["area_per_lipid_nm2"] == pytest.approx(0.63, abs=0.08)
    assert 0 < report["standard_error"] < 0.05
    assert 3.3 < report["thickness_nm"] < 4.6
    assert report["intact"]
    measured = report["measured"]["area_per_lipid"]
    assert (measured["value"], measured["temperature_K"]) == (0.631, 323.15)
    assert measured["reference"].startswith("doi:")


def test_progress_and_nothing_else_goes_to_stderr(relaxed: tuple[Path, dict, str]) -> None:
    _, _, err = relaxed
    stages = list(dict.fromkeys(line.split("  ")[0] for line in err.splitlines()))
    assert stages == ["build", "minimise", "settle, 2 fs", "warm, 5 fs", "expand, 10 fs", "relax, 20 fs", "write"]
    assert re.search(r"ns/day {2}area per lipid 0\.\d{3} nm²", err)


def test_files_hold_the_relaxed_system(relaxed: tuple[Path, dict, str]) -> None:
    folder, report, _ = relaxed
    names = {"system.top", "system.gro", "index.ndx", "em.mdp", "eq.mdp", "md.mdp", "report.json", "DPPC.itp", "W.itp"}
    names |= {"system.pdb"}
    assert names <= {path.name for path in folder.iterdir()}
    system = read_gromacs_topology(folder / "system.top", folder / "system.gro")
    assert system.n_beads == report["n_beads"]
    pdb = (folder / "system.pdb").read_text()
    assert pdb.count("HETATM") == report["n_beads"]
    assert "CONECT" in pdb
    gro = read_gro(folder / "system.gro")
    assert gro.velocities is not None
    np.testing.assert_allclose(gro.box, report["box_nm"], atol=1e-5)
    groups = re.findall(r"\[ (\w+) \]", (folder / "index.ndx").read_text())
    assert {"System", "DPPC", "W", "Membrane", "Solvent"} <= set(groups)
    assert re.search(r"pcoupltype\s*= semiisotropic", (folder / "md.mdp").read_text())
    assert re.search(r"ref_t\s*= 323", (folder / "md.mdp").read_text())


@pytest.mark.skipif(shutil.which("gmx") is None, reason="needs GROMACS")
@pytest.mark.parametrize("name", ["em", "eq", "md"])
def test_grompp_takes_the_files_without_a_warning(relaxed: tuple[Path, dict, str], name: str, tmp_path: Path) -> None:
    folder = relaxed[0]
    done = subprocess.run(
        ["gmx", "-nobackup", "grompp", "-f", f"{name}.mdp", "-c", "system.gro", "-p", "system.top", "-n", "index.ndx",
         "-o", str(tmp_path / "a.tpr"), "-po", str(tmp_path / "out.mdp")],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert not re.findall(r"^\s*(?:WARNING|NOTE|ERROR).*", said, re.MULTILINE), said


def test_a_second_run_does_not_destroy_the_first(topdown, relaxed: tuple[Path, dict, str]) -> None:
    folder = relaxed[0]
    before = (folder / CHECKPOINT_FILE).read_bytes()
    code, _, err = topdown("membrane", *SMALL, "--relax", "20ps", "--salt", "0.2", "--seed", "3", "-o", str(folder))
    assert code == 2
    assert "already holds a membrane run" in err
    assert (folder / CHECKPOINT_FILE).read_bytes() == before


def test_continue_goes_on_and_refuses_other_settings(topdown, relaxed: tuple[Path, dict, str], tmp_path: Path) -> None:
    folder = shutil.copytree(relaxed[0], tmp_path / "copy")
    settings = (*SMALL, "--salt", "0.2", "--seed", "3", "-o", str(folder), "--continue", "--no-compare")
    code, _, err = topdown("membrane", *settings, "--relax", "20ps", "--area", "DPPC=0.7")
    assert code == 2
    assert "another areas: []" in err
    code, out, err = topdown("membrane", *settings, "--relax", "21ps")
    assert code == 0, err
    assert "settle" not in err
    assert "simulated        0.021 ns" in out
    assert "(measured for the pure lipid 0.631 ± 0.013 nm² at 323.15 K, doi:" in out


def test_interrupted_and_continued_is_bit_identical_to_straight(tmp_path: Path) -> None:
    straight = prepare_membrane(REQUEST, tmp_path / "straight", compare=False)
    frames = 0

    def interrupt(progress: Progress) -> None:
        nonlocal frames
        frames += progress.stage.startswith("relax")
        if frames == 7:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        prepare_membrane(REQUEST, tmp_path / "broken", compare=False, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (tmp_path / "broken" / CHECKPOINT_FILE).exists()
    assert not (tmp_path / "broken" / "report.json").exists()
    resumed = prepare_membrane(REQUEST, tmp_path / "broken", resume=True, compare=False)
    np.testing.assert_array_equal(resumed.system.positions, straight.system.positions)
    np.testing.assert_array_equal(resumed.system.velocities, straight.system.velocities)
    for name in ("system.gro", "report.json"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()


def test_frames_beyond_the_checkpoint_are_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    whole = prepare_membrane(REQUEST, folder, compare=False)
    # As after a kill between the two files: the series is of a later time than the checkpoint.
    longer = MembraneRequest(**{**_fields(REQUEST), "relax_ns": 0.008})
    shutil.copy(folder / CHECKPOINT_FILE, tmp_path / "early")
    once = prepare_membrane(longer, folder, resume=True, compare=False)
    shutil.copy(tmp_path / "early", folder / CHECKPOINT_FILE)
    again = prepare_membrane(longer, folder, resume=True, compare=False)
    assert whole.simulated_ns < again.simulated_ns
    np.testing.assert_array_equal(once.system.positions, again.system.positions)
    with np.load(folder / SERIES_FILE) as stored:
        assert np.all(np.diff(stored["time"]) > 0)


def _fields(request: MembraneRequest) -> dict:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}


def test_damaged_state_is_an_error_and_not_a_traceback(topdown, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    prepare_membrane(REQUEST, folder, compare=False)
    arguments = (
        "--lipids",
        "DPPC",
        "--table",
        "martini2",
        "--size",
        "3.2x3.2x7",
        "--temperature",
        "323",
        "--salt",
        "0",
    )
    arguments += ("--seed", "5", "--relax", "6ps", "-o", str(folder), "--continue")
    (folder / SERIES_FILE).write_bytes(b"PK\x03\x04 torn")
    code, _, err = topdown("membrane", *arguments)
    assert code == 2
    assert "stored frames cannot be read" in err
    (folder / "request.json").write_text("{}")
    code, _, err = topdown("membrane", *arguments)
    assert code == 2
    assert "no membrane run to continue" in err


def test_without_relaxation_the_start_is_written(topdown, tmp_path: Path) -> None:
    code, out, err = topdown("membrane", *SMALL, "--relax", "0", "--no-compare", "-o", str(tmp_path / "start"))
    assert code == 0, err
    assert "not simulated" in out
    assert (tmp_path / "start" / "system.gro").exists()
    report = json.loads((tmp_path / "start" / "report.json").read_text())
    assert "area_per_lipid_nm2" not in report


def test_molecule_from_smiles_is_placed_in_the_membrane(topdown, tmp_path: Path) -> None:
    code, _, err = topdown(
        "membrane",
        "CCCCCCCCO", "--lipids", "POPC", "--size", "3.2x3.2x7.4", "--count", "2", "--name", "octanol", "--relax", "0",
        "--no-compare", "-o", str(tmp_path / "guest"),
    )  # fmt: skip
    assert code == 0, err
    system = read_gromacs_topology(tmp_path / "guest" / "system.top", tmp_path / "guest" / "system.gro")
    names = [molecule.name for molecule, _ in system.components]
    assert names[:3] == ["POPC", "octan", "W"]
    assert system.components[1][1] == 2
    start = system.components[0][0].n_beads * system.components[0][1]
    n = system.components[1][0].n_beads
    z = np.abs(system.positions[start : start + 2 * n, 2].reshape(2, n).mean(axis=1) - system.box[2] / 2)
    assert np.all((z > 0.8) & (z < 2.4))
    assert "Solute" in (tmp_path / "guest" / "index.ndx").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--lipids", "DPPX", "--table", "martini2"), "did you mean DPP"),
        (("--lipids", "DPPC:x", "--table", "martini2"), "not a positive number"),
        (("--lipids", "DPPC,,POPC"), "empty entry"),
        (("--lipids", "DPPC,dppc"), "named twice"),
        (("--lipids", "DPPC", "--table", "martini9"), "martini9"),
        (("--lipids", "DPPC", "--size", "6x6"), "is not three lengths in nm"),
        (("--lipids", "POPC", "--size", "600x600x8"), "a box of 600 × 600 × 8 nm would hold 2"),
        (
            ("CCO", "--lipids", "DPPC", "--count", "1000000000"),
            "the molecules would hold 1,000,000,000 beads, more than",
        ),
        (("--lipids", "DPPC", "--size", "2x6x8"), "shorter than twice the cut-off with its buffer"),
        (("--lipids", "DPPC", "--size", "4x4x4", "--table", "martini2"), "leaves no room for water"),
        (("--lipids", "DPPC", "--relax", "2"), "not a length of time"),
        (("CCO", "--lipids", "DPPC", "--place", "attic"), "is no place"),
        (("--lipids", "DPPC", "--salt", "-1"), "0 to 6 mol/l"),
        (("--lipids", "DPPC", "--temperature", "0"), "temperature"),
        (("--lipids", "W"), "only polar"),
        (("CCO", "--lipids", "DPPC", "--count", "0"), "--count"),
        (("--lipids", "DPPC", "--continue"), "no membrane run to continue"),
        (("--lipids", "DPPC", "--continue", "--overwrite"), "exclude each other"),
        (("C1CC", "--lipids", "DPPC"), "E_SYNTAX"),
        ((), "--lipids"),
        (("--upper", "DPPC"), "both --upper and --lower"),
        (("--lipids", "DPPC", "--upper", "DPPC", "--lower", "POPC"), "leave nothing to --lipids"),
        (("CCO", "--lipids", "DPPC", "--place", "interfase"), "did you mean interface?"),
        (("CCO", "--lipids", "DPPC", "--place", "depth=far"), "is no place"),
        (("CCO", "CCC", "--lipids", "DPPC", "--count", "1,2,3"), "3 entries for 2 molecules"),
        (("CCO", "CCC", "--lipids", "DPPC", "--name", "A"), "one name for 2 molecules"),
        (("CCO", "CCC", "--lipids", "DPPC", "--name", "A,a"), "two molecules are called A"),
        (("CCO", "--lipids", "DPPC", "--name", "DPPC"), "two molecules are called DPPC"),
        (("CCO", "--lipids", "DPPC", "--name", "w"), "cannot be called w"),
        (("--lipids", "DPPC", "--count", "2"), "none is given"),
        (("--lipids", "DPPC", "--area", "DPPC=65"), "is not NAME=AREA"),
        (("--lipids", "DPPC", "--area", "POPC=0.65"), "which no leaflet has"),
        (("--lipids", "MYPC"), "--lipid MYPC=SMILES"),
        (("--lipids", "DPPC", "--lipid", "MYPC=CCCC"), "which no leaflet has"),
        (("--lipids", "MYPC", "--lipid", "MYPC"), "is not NAME=SMILES"),
        (("--lipids", "MYPC", "--lipid", "MYPC=none.itp"), "there is no such file"),
        (("--lipids", "MYPC", "--lipid", "MYPC=CCCCCCCC"), "only apolar"),
        (("--lipids", "DPPC", "--relax", "stedy"), "did you mean steady?"),
        (("--lipids", "DPPC", "--relax", "steady:5"), "not a length of time"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_no_files(
    topdown, arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    code, out, err = topdown("membrane", *arguments, "-o", str(folder))
    assert code == 2
    assert out == ""
    errors = [line for line in err.splitlines() if line != "build"]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert message in errors[0]
    assert not folder.exists()


def test_gates_refuse_what_cannot_run(tmp_path: Path) -> None:
    system = build_membrane(REQUEST)
    assert check_start(system) >= 0.30
    clash = np.array(system.positions)
    clash[-1] = clash[-2] + [0.05, 0.0, 0.0]
    with pytest.raises(Exception, match="apart after building"):
        check_start(system.with_coordinates(clash))
    from topdown.formats.gromacs_write import write_gromacs

    files = write_gromacs(system, tmp_path, name="a", groups={"Membrane": range(10)})
    with pytest.raises(Exception, match="do not share out the system"):
        check_written(system, files)
    files = write_gromacs(system, tmp_path, name="a")
    check_written(system, files)
    text = files["top"].read_text()
    n_water = system.components[-1][1]
    assert f"W     {n_water}" in text
    other = build_membrane(MembraneRequest(**{**_fields(REQUEST), "seed": 6}))
    with pytest.raises(Exception, match="read back"):
        check_written(other.with_coordinates(np.array(other.positions) * 0.9), files)
    gro, index = files["gro"].read_text(), files["ndx"].read_text()
    files["gro"].write_text(gro.replace("  NC3", "  XXX", 1), encoding="utf-8")
    with pytest.raises(Exception, match="bead 'XXX', but the topology has 'NC3'"):
        check_written(system, files)
    files["gro"].write_text(gro, encoding="utf-8")
    files["ndx"].write_text(index.replace("[ W ]\n", "[ W ]\n1 "), encoding="utf-8")
    with pytest.raises(Exception, match="group W of"):
        check_written(system, files)


def test_water_in_the_core_is_refused() -> None:
    system = build_membrane(REQUEST)
    x = np.array(system.positions)
    lipids = sum(m.n_beads * count for m, count in system.components[:2])
    hole = np.array([1.6, 1.6, system.box[2] / 2])
    from scipy.spatial import cKDTree

    tree = cKDTree(np.mod(x, system.box), boxsize=system.box)
    grid = hole + np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, 40)] * 2, np.linspace(-0.4, 0.4, 9)), -1).reshape(-1, 3)
    room = tree.query(np.mod(grid, system.box))[0]
    x[lipids] = grid[np.argmax(room)]
    assert room.max() >= 0.30
    with pytest.raises(Exception, match="1 beads of water lie in the core"):
        check_start(system.with_coordinates(x), {"DPPC"})


def test_constraints_that_contradict_each_other_are_told() -> None:
    benzene = load_molecule("martini2", "BENZ")
    first = benzene.constraints[0]
    broken = replace(benzene, constraints=(replace(first, length=2.0), *benzene.constraints[1:]))
    system = single_molecule(benzene, load_bead_table("martini2"), rim=2.0)
    check_models(system)
    with pytest.raises(Exception, match=r"the constraints of BENZ contradict one another: .* is off by 0"):
        check_models(replace(system, components=((broken, 1),)))


def test_words_of_the_command_line() -> None:
    assert parse_lipids("POPC:7, DOPE:3") == (("POPC", 7.0), ("DOPE", 3.0))
    assert parse_lipids("DPPC") == (("DPPC", 1.0),)
    assert parse_size("6x6.5X8") == (6.0, 6.5, 8.0)
    durations = [parse_duration(text) for text in ("2ns", "500ps", "1us", "0", "20 fs")]
    assert durations == pytest.approx([2.0, 0.5, 1000.0, 0.0, 2e-5])
    assert parse_relaxation("5ns") == (5.0, False)
    assert parse_relaxation("steady:20ns") == (20.0, True)
    assert parse_relaxation("steady") == (10.0, True)
    several = parse_solutes(["CCO", "C1CCCCC1", "dir/Drug.itp"], counts="4,1,2", places="depth=1.2nm,core,interface")
    assert [(s.name, s.count, s.depth()) for s in several] == [
        ("MOL1", 4, 1.2),
        ("MOL2", 1, "core"),
        ("Drug", 2, "interface"),
    ]
    assert [s.name for s in parse_solutes(["CCO"])] == ["MOL"]
    assert [(s.name, s.count) for s in parse_solutes(["CCO", "CCC"], names="A, B", counts="3")] == [("A", 3), ("B", 3)]
