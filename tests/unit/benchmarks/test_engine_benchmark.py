"""The engine's benchmark: boxes, settings, arithmetic and tables; the whole script once, on the smallest case."""

from __future__ import annotations

import importlib
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[3]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """The benchmark's modules by their last word."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("cases", "peers", "gromacs", "accuracy", "worker", "report", "jobs")
        found = {name: importlib.import_module(f"engine_{name}") for name in names}
        spec = importlib.util.spec_from_file_location("engine_benchmark_script", BENCHMARKS / "engine.py")
        found["script"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found["script"])
    finally:
        sys.path.remove(str(BENCHMARKS))
    return SimpleNamespace(**found)


def closest(system) -> float:
    box = np.asarray(system.box)
    tree = cKDTree(np.mod(system.positions, box) % box, boxsize=box)
    return float(tree.query(tree.data, k=2)[0][:, 1].min())


# -- cases ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [(2, 2, 2), (1, 3, 2)])
def test_a_repeated_box_is_the_same_liquid(bench, copies):
    one = bench.cases.CASES["water"].system()
    many = bench.cases.replicate(one, copies)
    n = int(np.prod(copies))
    assert many.n_beads == n * one.n_beads
    assert len(many.components) == 1
    assert many.box == pytest.approx(one.box * np.array(copies))
    assert many.n_beads / np.prod(many.box) == pytest.approx(one.n_beads / np.prod(one.box), rel=1e-12)
    assert closest(many) == pytest.approx(closest(one), abs=1e-9)
    assert bench.cases.pair_count(many) == n * bench.cases.pair_count(one)


def test_a_repeated_mixture_keeps_its_order(bench):
    one = bench.cases.CASES["water_solute"].system()
    many = bench.cases.replicate(one, (1, 1, 2))
    assert [(m.name, n) for m, n in many.components] == [("SLT", 1), ("W", 400)] * 2
    assert np.array_equal(many.positions[: one.n_beads], one.positions)
    assert many.positions[one.n_beads :] == pytest.approx(one.positions + one.box * [0, 0, 1])
    with pytest.raises(ValueError, match="at least once"):
        bench.cases.replicate(one, (1, 0, 1))


def test_pairs_are_counted_across_the_boundary(bench):
    system = bench.cases.CASES["water_solute"].system()
    apart = system.positions[:, None] - system.positions[None]
    apart -= system.box * np.rint(apart / system.box)
    within = (np.linalg.norm(apart, axis=-1) <= system.table.scheme.cutoff).sum() - system.n_beads
    assert bench.cases.pair_count(system) == within // 2


@pytest.mark.parametrize("beads", [1_600, 12_800, 102_400, 1_024_000])
def test_sizes_are_what_they_are_called(bench, beads):
    case = bench.cases.water_case(bench.cases.SCALING[beads])
    assert case.name == f"water_{beads}"
    assert case.label == f"{beads:,} W"
    assert 1600 * np.prod(case.copies) == beads


def options_of(text: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in text.splitlines())


def test_gromacs_is_asked_for_the_same_dynamics(bench):
    cases = bench.cases
    membrane = options_of(cases.mdp_text(cases.CASES["popc"]))
    assert membrane["pcoupltype"] == "semiisotropic"
    assert membrane["ref-p"] == "1.0 1.0"
    assert membrane["nstlist"] == "20"
    window = options_of(cases.mdp_text(cases.CASES["window"], solute="SLT", index=3, nsteps=7, nstcalcenergy=5))
    assert window["pcoupltype"] == "isotropic"
    assert window["couple-moltype"] == "SLT"
    assert float(window["vdw-lambdas"].split()[int(window["init-lambda-state"])]) == 0.3
    assert (window["nstdhdl"], window["nsteps"], window["nstcalcenergy"]) == ("100", "7", "5")
    free = options_of(cases.mdp_text(cases.CASES["water"], ensemble="nve"))
    assert not {"tcoupl", "pcoupl", "free-energy"} & set(free)


def test_who_may_use_mixing_rules(bench):
    cases, rule = bench.cases.CASES, bench.worker.lorentz_berthelot
    assert rule(cases["water"].system())
    assert not rule(cases["water_solute"].system())
    assert not rule(cases["popc"].system())


def test_reasons_are_given(bench):
    cases, reason = bench.cases.CASES, bench.peers.reason_against
    assert "coupling path" in reason("openmm", cases["window"], 1, False)
    assert "Lorentz" in reason("openmm-lj", cases["popc"], 1, False)
    assert reason("openmm-lj", cases["water"], 1, True) is None
    assert reason("topdown", cases["water"], 1, True) is None


# -- reading what GROMACS writes -----------------------------------------------------------------------------------------

LOG = """Performance:        1.000        1.000
               Core t (s)   Wall t (s)        (%)
       Time:        3.996        2.000      199.8
                 (ns/day)    (hour/ns)
Performance:      864.000        0.028
"""


def test_the_log_gives_steps_and_wall_time_of_the_loop(bench):
    timing = bench.gromacs.loop_timing(LOG, 0.02, 4.1)
    # 864 ns a day are 10 ps a second, 500 steps of 20 fs
    assert timing.rate == pytest.approx(500.0)
    assert timing.steps == pytest.approx(1000.0)
    assert (timing.wall, timing.cpu) == (2.0, 4.1)


def trr_frame(forces: np.ndarray | None, real: str, positions: np.ndarray) -> bytes:
    size = struct.calcsize(real)
    n = len(positions)
    blocks = [0, 0, 9 * size, 0, 0, 0, 0, 3 * n * size, 0, 3 * n * size if forces is not None else 0]
    head = struct.pack(">3i", 1993, 13, 12) + b"GMX_trn_file" + struct.pack(">13i", *blocks, n, 5, 0)
    values = [np.zeros(2), np.eye(3), positions, *([forces] if forces is not None else [])]
    return head + b"".join(v.astype(f">f{size}").tobytes() for v in values)


@pytest.mark.parametrize("real", ["f", "d"])
def test_forces_come_out_of_a_trr(bench, tmp_path, real):
    forces = np.arange(12.0).reshape(2, 2, 3) / 8.0
    path = tmp_path / "run.trr"
    frames = [
        trr_frame(forces[0], real, forces[1]),
        trr_frame(None, real, forces[0]),
        trr_frame(forces[1], real, forces[0]),
    ]
    path.write_bytes(b"".join(frames))
    found = list(bench.gromacs.trr_forces(path))
    assert np.array_equal(found, forces)
    path.write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="full precision"):
        list(bench.gromacs.trr_forces(path))


def test_builds_are_asked_for_their_kernels(bench):
    def kernels(simd: str) -> tuple[str, ...]:
        return tuple(bench.gromacs.Build("any", "gmx", "2022.5", simd).kernels())

    assert kernels("SSE4.1") == ("",)
    assert kernels("AVX2_256") == ("4xN", "2xNN")
    assert all(kernel in bench.gromacs.KERNELS for kernel in kernels("AVX_512"))
    with pytest.raises(bench.peers.Unavailable, match="no program"):
        bench.gromacs.Build.find("none", "no-such-gromacs")


# -- arithmetic ----------------------------------------------------------------------------------------------------------


def row(bench, label: str, *spent: tuple[float, float, float], **changes):
    timings = tuple(bench.peers.Timing(*one) for one in spent)
    facts = {"case": "water", "case_label": "1,600 W", "detail": "", "threads": 1, "beads": 1600, "pairs": 40_000}
    return bench.report.Row(**facts | changes, label=label, timings=timings)


def test_ratios_are_medians_over_turns(bench):
    # the machine was slow in the second turn for both, in the third for one
    ours = row(bench, "topdown mixed", (300, 1, 1), (150, 1, 0.5), (300, 1, 1))
    other = row(bench, "GROMACS any", (200, 1, 1), (100, 1, 0.3), (100, 1, 1))
    assert bench.report.ratio(ours, other) == pytest.approx(1.5)
    assert bench.report.cpu_ratio(ours, other) == pytest.approx(1.5)
    slow = replace(other, timings=tuple(replace(t, cpu=2 * t.cpu) for t in other.timings))
    assert bench.report.cpu_ratio(ours, slow) == pytest.approx(3.0)


def test_numbers_of_a_row(bench):
    one = row(bench, "topdown", (1000, 2, 4), (500, 1, 2), (900, 2, 3.6), threads=2)
    assert one.rate == pytest.approx(500.0)
    assert one.ns_per_bead == pytest.approx(1e9 / 500 / 1600)
    assert one.cpu_ns_per_bead == pytest.approx(1e9 * 4 / 1000 / 1600)
    assert one.million_pairs == pytest.approx(500 * 40_000 / 2 / 1e6)
    assert one.busy == pytest.approx(2.0)


def test_of_several_kernels_the_fastest_counts(bench):
    slow, fast = (row(bench, "GROMACS any", (n, 1, 1), detail=kernel) for n, kernel in ((100, "4x8"), (120, "4x4")))
    other = row(bench, "LAMMPS", (10, 1, 1))
    assert bench.report.fastest([slow, fast, other]) == [fast, other]


def test_each_turn_begins_with_another_and_failures_leave(bench):
    called = []

    class Fake:
        detail = ""

        def __init__(self, label: str) -> None:
            self.label = label

        def timed(self, seconds: float):
            called.append(self.label)
            if self.label == "c" and called.count("c") == 2:
                raise bench.peers.Unavailable("broken")
            return bench.peers.Timing(10, seconds, seconds)

    fakes = [Fake(label) for label in "abc"]
    found, failed = bench.script.turns(fakes, 0.5, 3)
    assert "".join(called) == "abc" + "bca" + "ab"
    assert [(runner.label, len(timings)) for runner, timings in found] == [("a", 3), ("b", 3)]
    assert failed == [(fakes[2], "broken")]


def test_slopes_and_missed_forces(bench):
    times = np.linspace(0.0, 2.0, 400)
    noise = np.random.default_rng(1).normal(0.0, 0.3, 400)
    value, error = bench.accuracy.slope(times, 5.0 - 0.7 * times + noise)
    assert error == pytest.approx(0.3 / np.sqrt(((times - 1.0) ** 2).sum()), rel=0.1)
    assert abs(value + 0.7) < 3 * error
    right = np.zeros((4, 3))
    wrong = right.copy()
    wrong[1, 2], wrong[3, 0], wrong[0, 0] = -0.9, 0.51, 0.4
    assert bench.accuracy.misses([(wrong, right), (right, right)]) == (2, 24, 0.9)


# -- tables --------------------------------------------------------------------------------------------------------------


def small_report(bench):
    build = bench.gromacs.Build("SSE", "gmx", "2022.5", "SSE4.1")
    report = bench.report.Report(builds=[build], options={"seconds": 5.0, "repeats": 1})
    report.speed = [
        row(bench, "topdown", (3000, 1, 1)),
        row(bench, "GROMACS SSE", (2000, 1, 1), detail="4x4"),
        row(bench, "GROMACS AVX2", (2500, 1, 0.5)),
        row(bench, "topdown", (50, 1, 1), case="popc", case_label="POPC"),
    ]
    report.skipped = ["LAMMPS, POPC: it is not installed"]
    report.accuracy = [bench.accuracy.Accuracy("water", "topdown", 1e-3, 0, 4800, 0.25, -0.5, 0.125)]
    report.jobs = [bench.jobs.Job("warm start", "topdown", 1.25, "s", 1.0, "imports 0.5 s")]
    report.sizes = [bench.jobs.Size(1600, 71.4, 70.0, 900.0)]
    return report


def test_the_report_as_markdown(bench):
    text = bench.report.markdown(small_report(bench))
    lines = text.splitlines()
    assert "| 1,600 W | 1 | 1.20 (0.60) | 1.50 (1.50) | 1.20 (0.60) |" in lines
    assert "| POPC | 1 |  |  |  |" in lines
    assert "| 1,600 W | 1 | GROMACS SSE (4x4) | 2,000 | 312 | 312 | 1.00 | 80 | 1.50 | 1.50 |" in lines
    assert "- LAMMPS, POPC: it is not installed" in lines
    assert "| 1,600 W | topdown | 1.0e-03 | 0 of 4,800 | 2.5e-01 | -5.0e-01 ± 1.2e-01 |" in lines
    assert "| warm start | topdown | 1.25 s | 1.00 | imports 0.5 s |" in lines
    assert "| 1,600 | 71 | 70 | 900 |" in lines
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({line.count("|") for line in block.strip().splitlines()}) == 1 for block in tables)


def test_the_report_as_json(bench):
    written = json.loads(json.dumps(small_report(bench).as_json()))
    assert written["speed"][1]["ratio"] == pytest.approx(1.5)
    assert written["speed"][2]["cpu_ratio"] == pytest.approx(0.6)
    assert written["speed"][0]["timings"] == [{"steps": 3000, "wall": 1, "cpu": 1}]
    assert written["versions"]["GROMACS SSE"] == "2022.5, SSE4.1"
    assert written["scaling"][0]["bytes_per_bead"] == 900.0


# -- processes -----------------------------------------------------------------------------------------------------------


def test_a_worker_that_fails_says_why(bench):
    with pytest.raises(bench.peers.Unavailable, match="no-such-task"):
        bench.peers.run_worker({"task": "no-such-task"})


def test_the_script(tmp_path):
    """One short timing of the engine alone, and its two files."""
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--cases", "water_solute", "--peers", "topdown"]
    command += ["--parts", "speed", "--seconds", "0.25", "--repeats", "2"]
    command += ["--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "out.md")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads((tmp_path / "out.json").read_text())["speed"]
    assert one["label"].startswith("topdown")
    assert (one["beads"], one["pairs"], len(one["timings"])) == (401, 9645, 2)
    assert all(t["steps"] > 0 and t["wall"] >= 0.25 and t["cpu"] > 0 for t in one["timings"])
    assert "| 400 W + C1 | 1 | topdown" in (tmp_path / "out.md").read_text()


def test_unknown_names_are_refused():
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--cases", "wine"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300
    )
    assert done.returncode == 2
    assert "no wine; there are water_solute" in done.stderr
    assert "Traceback" not in done.stderr
