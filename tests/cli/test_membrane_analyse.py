"""``topdown membrane analyse`` as a user runs it, on a made-up trajectory of upright lipids whose numbers are known."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from topdown.formats.gro import gro_text
from topdown.formats.gromacs_write import write_gromacs
from topdown.formats.trajectory import TrajectoryWriter
from topdown.model import System
from topdown.properties.membrane import empty_series, index_membrane, join_series, observe_membrane
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.run_request import make_request

TABLE = load_bead_table("martini2")
DPPC, WATER, OCTANOL = (load_molecule("martini2", name) for name in ("DPPC", "W", "OCO"))
STATURE = np.array([2.3, 2.0, 1.6, 1.5, 1.3, 0.9, 0.6, 0.3, 1.2, 0.8, 0.5, 0.25])
N, FRAMES, BOX = 16, 60, np.array([4.0, 4.0, 8.0])


def start() -> System:
    """16 upright lipids per leaflet 0.5 nm above the lower end of the box, so that the bilayer lies across the boundary."""
    columns = np.array([((i + 0.5), (j + 0.5)) for i in range(4) for j in range(4)])
    lipids = np.zeros((2 * N, 12, 3))
    lipids[:, :, :2] = np.tile(columns, (2, 1))[:, None]
    lipids[:N, :, 2], lipids[N:, :, 2] = 0.5 + STATURE, 0.5 - STATURE
    solute = np.array([[2.0, 2.0, 1.5], [2.0, 2.0, 1.9]])
    rng = np.random.default_rng(3)
    water = rng.uniform(0, 1, size=(200, 3)) * BOX
    water[:, 2] = 0.5 + rng.uniform(2.5, 5.5, 200)
    components = ((DPPC, N), (DPPC, N), (OCTANOL, 1), (WATER, 200))
    positions = np.concatenate([lipids.reshape(-1, 3), solute, water])
    return System(table=TABLE, components=components, positions=positions, box=BOX)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with system.top, system.gro and md.xtc; lipids walk with D = 50 µm²/s, the area breathes by 1 %."""
    folder = tmp_path_factory.mktemp("run")
    system = start()
    write_gromacs(system, folder, name="system")
    rng = np.random.default_rng(8)
    walk = np.cumsum(rng.standard_normal((FRAMES, 2 * N, 2)) * np.sqrt(2 * 50e-6 * 200.0), axis=0)
    with TrajectoryWriter(folder / "md.xtc", system) as writer:
        for k in range(FRAMES):
            positions = system.positions.copy()
            positions[: 24 * N].reshape(2 * N, 12, 3)[:, :, :2] += walk[k][:, None]
            scale = np.array([1 + 0.01 * rng.standard_normal(), 1.0, 1.0])
            writer.write(positions * scale, BOX * scale, step=k, time=200.0 * k)
    return folder


def test_a_folder_is_analysed_and_everything_is_written(topdown, run: Path, tmp_path: Path) -> None:
    code, out, err = topdown("membrane", "analyse", run, "-o", tmp_path / "out", "--json")
    assert code == 0, err
    data = json.loads(out)
    assert data == json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert data["lipids"] == ["DPPC"]
    assert data["equilibration_ns"] < 6.0
    area = data["area_per_lipid_nm2"]
    assert area["value"] == pytest.approx(1.0, abs=4 * area["standard_error"])
    assert 0.0005 < area["standard_error"] < 0.005
    assert data["thickness_nm"]["DHH"]["value"] == pytest.approx(4.0, abs=0.06)
    (species,) = data["species"]
    assert (species["upper"], species["lower"]) == (16, 16)
    assert species["voronoi_area_upper_nm2"]["value"] == pytest.approx(1.0, abs=0.01)
    assert species["order_P2"]["NC3-PO4"]["value"] == pytest.approx(1.0, abs=1e-3)
    assert species["lateral_diffusion_um2_s"]["value"] == pytest.approx(50.0, rel=0.35)
    assert species["lateral_diffusion_um2_s"]["corrected_for_box"] is False
    (solute,) = data["solutes"]
    assert solute["depth_nm"]["value"] == pytest.approx(1.2, abs=0.01)
    assert abs(solute["polar_end_outward_cosine"]["value"]) == pytest.approx(1.0, abs=1e-3)
    rows = list(csv.DictReader((tmp_path / "out" / "profiles.csv").open()))
    phosphates = np.array([[float(row["z_nm"]), float(row["phosphates"])] for row in rows])
    assert abs(phosphates[np.argmax(phosphates[:, 1]), 0]) == pytest.approx(2.0, abs=0.05)
    for name in ("density", "order", "time"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_topology_and_trajectory_are_named_and_text_is_printed(topdown, run: Path, tmp_path: Path) -> None:
    code, out, err = topdown(
        "membrane", "analyse", run / "system.top", run / "md.xtc", "--no-plots", "-o", tmp_path, "--stop", 30
    )
    assert code == 0, err
    assert "area per lipid   " in out
    assert "OCO              1 copy at |z| = 1.200" in out
    assert "no lateral diffusion: " in out
    assert not list(tmp_path.glob("*.png"))


def test_many_frames_of_a_gro_file_and_trr_say_the_same(topdown, run: Path, tmp_path: Path) -> None:
    system = start()
    texts, found = [], {}
    with TrajectoryWriter(tmp_path / "md.trr", system) as writer:
        for k in range(12):
            scale = np.array([1 + 0.01 * (-1) ** k, 1.0, 1.0])
            moved = system.with_coordinates(system.positions * scale, BOX * scale)
            texts.append(gro_text(moved).replace("topdown", f"frame t= {10.0 * k:.5f}", 1))
            writer.write(moved.positions, moved.box, step=k, time=10.0 * k)
    (tmp_path / "md.gro").write_text("".join(texts))
    for name in ("md.gro", "md.trr"):
        code, out, err = topdown(
            "membrane", "analyse", run / "system.top", tmp_path / name, "--no-plots", "--json", "-o", tmp_path
        )
        assert code == 0, err
        found[name] = json.loads(out)
    gro, trr = found["md.gro"], found["md.trr"]
    assert gro["frames"] == trr["frames"]
    assert gro["area_per_lipid_nm2"]["value"] == pytest.approx(trr["area_per_lipid_nm2"]["value"], rel=1e-4)
    assert gro["thickness_nm"]["DHH"]["value"] == pytest.approx(trr["thickness_nm"]["DHH"]["value"], abs=0.01)


def test_a_folder_without_trajectory_is_averaged_from_the_frames_it_kept(topdown, run: Path, tmp_path: Path) -> None:
    system = start()
    index = index_membrane(system, {"DPPC"})
    series = empty_series()
    for k in range(30):
        scale = np.array([1 + 0.01 * np.sin(k), 1.0, 1.0])
        series = join_series([series, observe_membrane(system.positions * scale, BOX * scale, 10.0 * k, index)])
    for path in run.glob("*"):
        if path.suffix != ".xtc":
            shutil.copy(path, tmp_path)
    np.savez(tmp_path / "series.npz", **series.arrays())
    code, out, err = topdown("membrane", "analyse", tmp_path, "--json", "--no-plots")
    assert code == 0, err
    data = json.loads(out)
    assert data["area_per_lipid_nm2"]["value"] == pytest.approx(1.0, abs=0.005)
    assert data["area_per_lipid_upper_nm2"]["value"] == pytest.approx(1.0, abs=0.005)
    assert data["thickness_nm"]["DHH"]["value"] == pytest.approx(4.0, abs=0.06)
    assert data["species"][0]["order_P2"] == {}
    assert any("it needs the coordinates of a trajectory" in note for note in data["notes"])
    (tmp_path / "series.npz").write_bytes(b"PK nonsense")
    code, _, err = topdown("membrane", "analyse", tmp_path, "--no-plots")
    assert code == 2
    assert "the stored frames cannot be read" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "no such file or folder"),
        (("{run}/system.top",), "a topology needs a trajectory"),
        (("{run}/system.gro", "{run}/md.xtc"), "this is no topology"),
        (("{run}/system.top", "{run}/system.ndx"), "this is no trajectory"),
        (("{run}/system.top", "{run}/none.xtc"), "no such trajectory"),
        (("{run}", "--lipids", "POPC"), "no molecule 'POPC'"),
        (("{run}", "--lipids", "DPPC,,W"), "empty entry"),
        (("{run}", "--stop", "5"), "5 frames are too few"),
        (("{run}", "--start", "1000"), "there is no frame"),
        (("{run}", "--stride", "0"), "stride"),
    ],
)
def test_mistakes_are_one_line(topdown, run: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    words = [word.replace("{run}", str(run)) for word in arguments]
    code, out, err = topdown("membrane", "analyse", *words, "--no-plots", "-o", tmp_path)
    assert code != 0
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_the_folder_of_a_run_is_analysed_with_the_topology_that_ran(topdown, run: Path, tmp_path: Path) -> None:
    request = make_request(run / "system.top", run / "system.gro", {"n_steps": 10})
    (tmp_path / "run.json").write_text(json.dumps({"request": request.as_json()}))
    shutil.copy(run / "md.xtc", tmp_path / "trajectory.xtc")
    code, out, err = topdown("membrane", "analyse", tmp_path, "--json", "--no-plots")
    assert code == 0, err
    assert json.loads(out)["area_per_lipid_nm2"]["value"] == pytest.approx(1.0, abs=0.02)
    (tmp_path / "run.json").write_text("{}")
    code, _, err = topdown("membrane", "analyse", tmp_path, "--no-plots")
    assert (code, "run.json: this is no record of a run" in err) == (2, True)


def test_folders_without_or_with_too_many_trajectories(topdown, run: Path, tmp_path: Path) -> None:
    for path in run.glob("*"):
        if path.suffix != ".xtc":
            shutil.copy(path, tmp_path)
    code, _, err = topdown("membrane", "analyse", tmp_path, "--no-plots")
    assert code == 2
    assert "holds no trajectory" in err
    for name in ("eq.xtc", "md.xtc"):
        shutil.copy(run / "md.xtc", tmp_path / name)
    code, _, err = topdown("membrane", "analyse", tmp_path, "--no-plots")
    assert code == 2
    assert "more than one trajectory: eq.xtc, md.xtc" in err
    (tmp_path / "wrong.gro").write_text((run / "system.gro").read_text())
    wrong = start()
    fewer = System(table=TABLE, components=((WATER, 3),), positions=wrong.positions[:3], box=BOX)
    with TrajectoryWriter(tmp_path / "other.xtc", fewer) as writer:
        writer.write(fewer.positions, BOX, step=0, time=0.0)
    code, _, err = topdown("membrane", "analyse", tmp_path, tmp_path / "other.xtc", "--no-plots")
    assert code == 2
    assert "holds 3 beads" in err
