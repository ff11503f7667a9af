"""``topdown run`` as a user runs it: stopped, killed and continued it leaves the same bytes as a run in one go."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from topdown.building.liquid import build_liquid
from topdown.engine import Simulation
from topdown.errors import InputFileError
from topdown.formats import read_gro, write_gromacs
from topdown.formats.trajectory import read_trajectory
from topdown.model import Bead, Bond, CGMolecule, System
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows import run as run_workflow

COMPARED = ("energies.csv", "trajectory.trr", "final.gro")
#: Constraints, charges of nothing, bonds and angles; a barostat; rows, frames and checkpoints at steps that do not coincide.
DYNAMICS = (
    *("--steps", "3000", "--barostat", "isotropic", "--seed", "4", "--trajectory", "trr"),
    *("--energies-every", "1ps", "--frames-every", "3ps", "--checkpoint", "70"),
)


@pytest.fixture(scope="module")
def octanol(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small box of octanol in GROMACS files, minimised."""
    folder = tmp_path_factory.mktemp("octanol")
    model = load_molecule("martini3", "OCO")
    table = load_bead_table("martini3").subset(model.type_names)
    system = build_liquid(model, 75, table, rng=np.random.default_rng(1))
    files = write_gromacs(system, folder, decimals=5)
    return files["top"], files["gro"]


@pytest.fixture(scope="module")
def uninterrupted(topdown, octanol: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    code, _, err = topdown("run", *octanol, "--minimize", *DYNAMICS, "-o", folder)
    assert code == 0, err
    return folder


def _start(*arguments: object, **options) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "topdown.cli.main", "run", *map(str, arguments)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def _wait_for(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "energies.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _same(folder: Path, whole: Path) -> None:
    for name in COMPARED:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def test_files_say_what_ran(uninterrupted: Path, octanol: tuple[Path, Path]) -> None:
    rows = _rows(uninterrupted)
    assert [row["step"] for row in rows] == list(range(0, 3001, 50))
    assert rows[-1]["time_ps"] == pytest.approx(60.0)
    for row in rows:
        terms = sum(row[f"{term}_kJ_mol"] for term in ("bond", "angle", "dihedral", "restraint", "lj", "coulomb"))
        assert row["potential_kJ_mol"] == pytest.approx(terms, abs=1e-5)
        assert row["total_kJ_mol"] == pytest.approx(row["potential_kJ_mol"] + row["kinetic_kJ_mol"], abs=1e-5)
        pressures = [row[f"pressure_{axis}_bar"] for axis in ("xx", "yy", "zz")]
        assert row["pressure_bar"] == pytest.approx(np.mean(pressures), rel=1e-6)
        assert row["volume_nm3"] == pytest.approx(row["box_x_nm"] * row["box_y_nm"] * row["box_z_nm"], rel=1e-6)
    mean = np.mean([row["temperature_K"] for row in rows[20:]])
    assert mean == pytest.approx(300, abs=12)
    final = read_gro(uninterrupted / "final.gro")
    mass = 75 * load_molecule("martini3", "OCO").mass
    assert rows[-1]["density_kg_m3"] == pytest.approx(mass / np.prod(final.box) * 1.66053907, rel=1e-4)
    assert final.velocities is not None
    frames = list(read_trajectory(uninterrupted / "trajectory.trr"))
    assert [frame.step for frame in frames] == list(range(0, 3001, 150))
    np.testing.assert_allclose(frames[-1].positions, final.positions, atol=6e-4)
    np.testing.assert_allclose(frames[-1].velocities, final.velocities, atol=6e-5)
    record = json.loads((uninterrupted / "run.json").read_text())
    assert (record["status"], record["step"], record["request"]["seed"]) == ("finished", 3000, 4)
    assert set(record["inputs"]) == {"topology", "coordinates"}
    assert record["engine"]["precision"] == "double"
    assert {"numpy", "numba", "chemfiles"} <= record["packages"].keys()


def test_the_same_seed_gives_the_same_bytes_however_often_it_looks(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_workflow, "_LOOK_EVERY", 1e-4)
    code, out, err = topdown("run", *octanol, "--minimize", *DYNAMICS, "-o", tmp_path / "again", "--json")
    assert code == 0, err
    _same(tmp_path / "again", uninterrupted)
    result = json.loads(out)
    assert result["finished"]
    assert result["minimization"]["converged"]
    assert result["ns_per_day"] > 0
    assert result["energies"]["potential_kJ_mol"] == pytest.approx(_rows(uninterrupted)[-1]["potential_kJ_mol"])


def test_killed_at_any_moment_and_continued(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    folder, rng = tmp_path / "killed", np.random.default_rng()
    process = _start(*octanol, "--minimize", *DYNAMICS, "-o", folder)
    _wait_for((folder / "state.ckpt.previous").exists, process)
    time.sleep(float(rng.random()) * 0.5)
    process.kill()
    process.communicate()
    code, out, err = topdown("run", "--continue", "-o", folder)
    assert code == 0, err
    assert "finished         step 3000 of 3000" in out
    _same(folder, uninterrupted)


def test_what_lies_beyond_the_checkpoint_is_cut_off(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    """As after a kill between a row, half a row, a frame and the checkpoint, and with the last checkpoint damaged."""
    folder = tmp_path / "run"
    code, _, err = topdown("run", *octanol, "--minimize", *DYNAMICS, "--steps", "500", "-o", folder)
    assert code == 0, err
    with (folder / "energies.csv").open("a") as energies:
        energies.write("550,11,1,2\n600,1")
    (folder / "trajectory.trr").write_bytes((uninterrupted / "trajectory.trr").read_bytes()[:-100])
    (folder / "state.ckpt").write_bytes((folder / "state.ckpt").read_bytes()[:-3000])
    (folder / "final.gro").unlink()
    code, _, err = topdown("run", "--continue", "-o", folder, "--steps", "3000")
    assert code == 0, err
    assert "state.ckpt is damaged: went back to the one before it" in err
    _same(folder, uninterrupted)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 138)])
def test_signals_write_a_checkpoint_and_exit_soon(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path, name: str, code: int
) -> None:
    folder = tmp_path / "stopped"
    arguments = (*DYNAMICS[:-1], "15min")  # no checkpoint but that of step 0 and that of the signal
    process = _start(*octanol, "--minimize", *arguments, "--steps", "100000000", "-o", folder)
    _wait_for(lambda: (folder / "energies.csv").exists() and len(_rows(folder)) > 3, process)
    begun = time.monotonic()
    process.send_signal(signal.Signals[name])
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert time.monotonic() - begun < 5
    assert f"stopped by {name}; go on with: topdown run --continue -o {folder}" in err
    assert not (folder / "final.gro").exists()
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == name
    assert record["step"] > 100
    if record["step"] < 3000:
        assert topdown("run", "--continue", "-o", folder, "--steps", "3000")[0] == 0
        _same(folder, uninterrupted)


def test_stopped_before_the_first_step_it_begins_again(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "early"

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was not heard")

    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "minimize", interrupted)
        code, _, err = topdown("run", *octanol, "--minimize", *DYNAMICS, "-o", folder)
    assert (code, "go on with" in err) == (143, True)
    assert not (folder / "state.ckpt").exists()
    assert topdown("run", "--continue", "-o", folder)[0] == 0
    _same(folder, uninterrupted)


def test_continued_it_may_be_longer_but_not_another_run(
    topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "longer"
    shutil.copytree(uninterrupted, folder)
    before = (folder / "energies.csv").read_bytes()
    for option, name in (
        (("--temperature", "310"), "temperature = 300.0, not 310.0"),
        (("--seed", "5"), "seed = 4, not 5"),
        (("--dt", "0.01", "--steps", "4000"), "time_step = 0.02, not 0.01"),
        (("--trajectory", "xtc"), "trajectory = trr, not xtc"),
        (("--steps", "2000"), "at step 3000 already"),
    ):
        code, _, err = topdown("run", "--continue", "-o", folder, *option)
        assert code == 2
        assert name in err
    top, gro = (tmp_path / path.name for path in octanol)
    shutil.copytree(octanol[0].parent, tmp_path, dirs_exist_ok=True)
    gro.write_text(gro.read_text().replace("0.0", "0.1", 1))
    code, _, err = topdown("run", top, gro, "--continue", "-o", folder, "--steps", "3100")
    assert (code, "not what it was when the run began" in err) == (2, True)
    assert (folder / "energies.csv").read_bytes() == before
    code, out, err = topdown("run", *octanol, "--continue", "-o", folder, "--time", "62ps")
    assert code == 0, err
    assert "step 3100 of 3100, 0.062 ns" in out
    assert (folder / "energies.csv").read_bytes().startswith(before)
    assert len(list(read_trajectory(folder / "trajectory.trr"))) == 21


def test_a_folder_holds_one_run(topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    shutil.copytree(uninterrupted, folder)
    code, _, err = topdown("run", *octanol, *DYNAMICS, "-o", folder)
    assert (code, "already holds run.json" in err) == (2, True)
    assert "--continue" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "final.gro").write_text("precious")
    code, _, err = topdown("run", *octanol, *DYNAMICS, "-o", tmp_path / "mine")
    assert (code, "already holds final.gro" in err) == (2, True)
    code, _, err = topdown("run", *octanol, "--minimize", "-o", folder, "--force")
    assert code == 0, err
    assert not (folder / "trajectory.trr").exists()
    code, _, err = topdown("run", "--continue", "-o", tmp_path / "mine")
    assert (code, "no run to continue" in err) == (2, True)


def test_minimisation_alone(topdown, octanol: tuple[Path, Path], tmp_path: Path) -> None:
    code, out, err = topdown("run", *octanol, "--minimize", "-o", tmp_path / "min", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["step"], found["n_steps"]) == (0, 0)
    assert found["minimization"]["max_force_kJ_mol_nm"] <= 100
    code, out, _ = topdown("energy", octanol[0], tmp_path / "min" / "final.gro", "--json")
    assert json.loads(out)["potential"] == pytest.approx(found["minimization"]["potential_kJ_mol"], rel=2e-3)


def test_run_parameters_of_gromacs(topdown, octanol: tuple[Path, Path], tmp_path: Path) -> None:
    mdp = octanol[0].parent / "md.mdp"
    folder = tmp_path / "mdp"
    code, _, err = topdown(
        *("run", *octanol, "--mdp", mdp, "--minimize", "--steps", "200", "--energies-every", "1ps", "-o", folder)
    )
    assert code == 0, err
    request = json.loads((folder / "run.json").read_text())["request"]
    assert request["settings"]["barostat"] == "isotropic"
    assert request["settings"]["pressure"] == 1.0
    assert request["scheme"]["cutoff"] == 1.1
    assert (request["trajectory"], request["frame_every"]) == ("xtc", 5000)
    assert (request["n_steps"], request["energy_every"]) == (200, 50)
    code, _, err = topdown("run", "--mdp", mdp, "--continue", "-o", folder, "--steps", "250", "--minimize")
    assert code == 0, err
    text = mdp.read_text().replace("v-rescale", "nose-hoover").replace("ref_t", "ref_q")
    (tmp_path / "bad.mdp").write_text(text)
    code, _, err = topdown("run", *octanol, "--mdp", tmp_path / "bad.mdp", "-o", tmp_path / "bad")
    assert (code, "bad.mdp:" in err) == (2, True)


def test_a_blow_up_names_the_bond_and_the_checkpoint(topdown, tmp_path: Path) -> None:
    """A dimer whose stiff bond a time step of 50 fs cannot follow."""
    table = load_bead_table("martini3").subset(["C1"])
    beads = (Bead(name="A", bead_type="C1"), Bead(name="B", bead_type="C1"))
    dimer = CGMolecule(name="DIM", beads=beads, bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=3e5),))
    rng = np.random.default_rng(3)
    first = np.stack(np.meshgrid(*[np.arange(4) * 0.8] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = np.concatenate([first, first + np.array([0.4, 0.0, 0.0])], axis=1) + rng.uniform(
        -0.005, 0.005, (64, 2, 3)
    )
    system = System(table=table, components=((dimer, 64),), positions=positions.reshape(-1, 3), box=[3.2] * 3)
    files = write_gromacs(system, tmp_path)
    folder = tmp_path / "run"
    code, _, err = topdown("run", files["top"], files["gro"], "--steps", "5000", "--dt", "0.05", "-o", folder)
    assert code == 1
    assert "blew up at step" in err or "is not a finite number at step" in err
    assert "worst bond A-B of DIM (molecule" in err
    assert "nm instead of 0.4" in err
    assert f"the last good checkpoint is {folder / 'state.ckpt'}" in err
    assert "Traceback" not in err
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "how long is the run? (give --steps or --time"),
        (("--steps", "10", "--time", "1ns"), "--time and --steps exclude each other"),
        (("--time", "5"), "--time '5' is not a length of time"),
        (("--steps", "-5"), "n_steps must be a whole number"),
        (("--steps", "10", "--barostat", "isotrop"), "no barostat 'isotrop'"),
        (("--steps", "10", "--thermostat", "vrescale"), "no thermostat 'vrescale'"),
        (("--steps", "10", "--temperature", "-3"), "temperature must be a positive number"),
        (("--steps", "10", "--set", "list_bufer=0.3"), "did you mean list_buffer?"),
        (("--steps", "10", "--set", "list_buffer"), "has no value"),
        (("--steps", "10", "--trajectory", "xtz"), "no trajectory 'xtz' (xtc, trr, dcd, none)"),
        (("--steps", "10", "--frames-every", "1fs"), "less than a time step"),
        (("--steps", "10", "--checkpoint", "often"), "neither a time"),
        (("--steps", "10", "--mdp", "no.mdp"), "no.mdp"),
        (("--steps", "10", "--continue"), "no run to continue"),
        (("--steps", "10", "--continue", "--overwrite"), "exclude each other"),
        (("--steps", "1000000000000", "--frames-every", "20fs"), "GB are free"),
    ],
)
def test_mistakes_are_one_line(
    topdown, octanol: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = topdown("run", *octanol, *arguments, "-o", tmp_path / "run")
    assert (code, out) == (2, "")
    assert message in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert not (tmp_path / "run" / "trajectory.xtc").exists()


def test_files_are_needed(topdown, octanol: tuple[Path, Path], tmp_path: Path) -> None:
    assert topdown("run", octanol[0], "--steps", "10")[0] == 2
    code, _, err = topdown("run", octanol[0], tmp_path / "no.gro", "--steps", "10", "-o", tmp_path / "run")
    assert (code, "no.gro" in err) == (2, True)


def test_a_folder_that_cannot_be_made(topdown, octanol: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = topdown("run", *octanol, "--steps", "10", "-o", tmp_path / "file" / "run")
    assert (code, "cannot write there" in err) == (2, True)


def test_a_disk_that_fills_up(topdown, octanol: tuple[Path, Path], uninterrupted: Path, tmp_path: Path) -> None:
    """No file may grow beyond 100 kB: the trajectory fails first, and the run goes on where there is room."""
    folder = tmp_path / "full"
    limit = 100_000
    assert (uninterrupted / "trajectory.trr").stat().st_size > limit > (uninterrupted / "energies.csv").stat().st_size
    arguments = (*DYNAMICS[:-2], "--checkpoint", "15min")

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code, _, err = topdown("run", *octanol, "--minimize", *arguments, "--steps", "0", "-o", folder)
    assert code == 0, err
    process = _start("--continue", "--steps", "3000", "-o", folder, preexec_fn=small_disk)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2, err
    assert "cannot write the trajectory: File too large" in err
    assert "Traceback" not in err
    frames = list(read_trajectory(folder / "trajectory.trr"))
    assert 0 < len(frames) < 21
    code, _, err = topdown("run", "--continue", "-o", folder)
    assert code == 0, err
    _same(folder, uninterrupted)


def test_two_processes_in_one_folder(topdown, octanol: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    process = _start(*octanol, "--minimize", "--steps", "100000000", "-o", folder)
    try:
        _wait_for((folder / "state.ckpt").exists, process)
        code, _, err = topdown("run", *octanol, "--steps", "1", "--overwrite", "-o", folder)
        assert (code, "another process is running" in err) == (2, True)
    finally:
        process.terminate()
        process.communicate()


def test_a_record_that_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputFileError, match="no record"):
        run_workflow.earlier_request(tmp_path)
    (tmp_path / "run.json").write_text('{"request": {"n_steps": 5}}')
    with pytest.raises(InputFileError, match="no run to continue"):
        run_workflow.earlier_request(tmp_path)
