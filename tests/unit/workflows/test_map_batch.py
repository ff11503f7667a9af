"""Long lists: order, resumption after a kill, molecules that hang or crash, tables."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from topdown.errors import BeadTableError, InputFileError, MoleculeError
from topdown.workflows import map_batch, map_molecules, map_workers
from topdown.workflows.map_batch import map_list
from topdown.workflows.map_workers import BatchSettings

GRAPH = {"table": "martini3", "conformers": False}


def settings(**changes):
    return BatchSettings(**{"mapping": dict(GRAPH), **changes})


@pytest.fixture
def listed(tmp_path):
    """A list of 100 molecules: alkanes, with every tenth refused."""
    path = tmp_path / "list.smi"
    path.write_text("".join(f"{'C' * (k % 7 + 1)}{'(' if k % 10 == 9 else ''} m {k}\n" for k in range(100)))
    return path


@pytest.fixture
def quick(monkeypatch):
    """All lists are short: no workers, which take a second to start."""
    monkeypatch.setattr(map_batch, "SHORT_LIST", 10**6)


def lines_of(folder):
    return [json.loads(line) for line in (folder / "mappings.jsonl").read_text().splitlines()]


def test_workers_keep_the_order_and_agree_with_one_process(listed):
    alone = [(b.text, b.code, b.number) for b in map_list(listed, settings(), workers=1)]
    team = [(b.text, b.code, b.number) for b in map_list(listed, settings(), workers=3)]
    assert alone == team
    assert [json.loads(text)["name"] for text, _, _ in team] == [f"m {k}" for k in range(100)]
    assert [code for _, code, _ in team] == ["E_SYNTAX" if k % 10 == 9 else "" for k in range(100)]


def test_tables(quick, listed, tmp_path):
    out = tmp_path / "out"
    assert len(list(map_list(listed, settings(), folder=out))) == 100
    with (out / "mappings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"m {k}" for k in range(100) if k % 10 != 9]
    assert rows[4]["types"] == "C1"
    assert rows[4]["beads"] == "1"
    with (out / "rejects.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [(row["number"], row["code"]) for row in rejected] == [(str(k + 1), "E_SYNTAX") for k in range(9, 100, 10)]
    assert "never closed" in rejected[0]["message"]
    assert not [p for p in out.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.parametrize("torn", ['{"smiles": "CC', "", '{"smiles": "C", "name": "m 0"}garbage', "\x00" * 4096])
def test_a_torn_last_line_is_cut_off_and_the_rest_not_computed_again(quick, listed, tmp_path, monkeypatch, torn):
    out = tmp_path / "out"
    whole = [b.text for b in map_list(listed, settings(), folder=out)]
    kept = whole[:90]
    (out / "mappings.jsonl").write_text("".join(f"{line}\n" for line in kept) + torn)
    done = []
    real = map_workers._answer
    monkeypatch.setattr(map_workers, "_answer", lambda job, *a, **k: done.append(job.number) or real(job, *a, **k))
    assert [b.text for b in map_list(listed, settings(), folder=out)] == whole
    assert done == list(range(90, 100))
    assert (out / "mappings.jsonl").read_text() == "".join(f"{line}\n" for line in whole)


def test_a_finished_list_is_only_read_back(quick, listed, tmp_path, monkeypatch):
    out = tmp_path / "out"
    whole = [b.text for b in map_list(listed, settings(), folder=out)]
    monkeypatch.setattr(map_workers, "_answer", lambda *a, **k: pytest.fail("computed again"))
    assert [b.text for b in map_list(listed, settings(), folder=out)] == whole


def test_a_longer_list_goes_on(quick, listed, tmp_path):
    out = tmp_path / "out"
    list(map_list(listed, settings(), folder=out))
    with listed.open("a") as file:
        file.write("CCO ethanol\n")
    assert [b.code for b in map_list(listed, settings(), folder=out)][-1] == ""
    assert lines_of(out)[-1]["name"] == "ethanol"


def test_another_list_or_other_settings_are_refused(quick, listed, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other.smi"
    list(map_list(listed, settings(), folder=out))
    other.write_text("CCO ethanol\n")
    with pytest.raises(InputFileError, match="line 1 is not molecule 1"):
        list(map_list(other, settings(), folder=out))
    with pytest.raises(InputFileError, match="made otherwise"):
        list(map_list(listed, settings(alternatives=0), folder=out))
    assert len(lines_of(out)) == 100


def test_kill_minus_nine_loses_nothing_that_was_written(quick, tmp_path):
    path, out = tmp_path / "list.smi", tmp_path / "out"
    path.write_text("".join(f"{'C' * (k % 40 + 1)} m{k}\n" for k in range(3000)))
    command = [
        sys.executable,
        "-m",
        "topdown.cli.main",
        "map",
        str(path),
        "-o",
        str(out),
        "--no-conformers",
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = out / "mappings.jsonl"
    while process.poll() is None and not (lines.exists() and lines.stat().st_size > 0):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = lines.read_bytes()
    count = before.count(b"\n")
    assert 0 < count < 3000
    short = tmp_path / "short.smi"
    short.write_text("".join(path.read_text().splitlines(keepends=True)[: count + 40]))
    limits = {"mapping": {**GRAPH, "seed": 1, "mappings": 0, "largest_fragment": False}}
    found = [json.loads(b.text) for b in map_list(short, settings(**limits), folder=out)]
    assert [line["name"] for line in found] == [f"m{k}" for k in range(count + 40)]
    assert lines.read_bytes().startswith(before[: before.rfind(b"\n") + 1])


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """Workers whose mapper hangs or dies at certain molecules: a module they import at the start."""

    def set_trap(body):
        (tmp_path / "sitecustomize.py").write_text(body)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    return set_trap


TRAP = """
import sys, importlib.abc, importlib.util
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "topdown.workflows.map_molecules":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loader = spec.loader
        run = loader.exec_module
        def exec_module(module):
            run(module)
            real = module.Mapper.map
            def caught(self, request):
                {body}
                return real(self, request)
            module.Mapper.map = caught
        loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Finder())
"""


BODY = """
                if request.name == "m 20":
                    while True: pass
                if request.name == "m 40":
                    import os; os.kill(os.getpid(), 11)
                if request.name == "m 60":
                    sum(range(10**12))  # compiled, and deaf to signals
"""


def test_only_the_molecules_that_hang_or_crash_are_refused(listed, trap):
    trap(TRAP.format(body=BODY.strip()))
    found = [json.loads(b.text) for b in map_list(listed, settings(time_limit=0.4), workers=1)]
    refused = {
        line["name"]: line["error"]["message"] for line in found if line.get("error", {}).get("code") == "E_LIMIT"
    }
    assert refused == {
        "m 20": "it took more than 0.4 s of processor time",
        "m 40": "the process that worked on it died (exit status -11)",
        "m 60": "it took more than 0.8 s of processor time",
    }
    assert [line["name"] for line in found] == [f"m {k}" for k in range(100)]


def test_time_limit_leaves_no_timer_behind():
    with map_workers.time_limit(5.0):
        pass
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_an_alarm_that_is_lost_rings_again():
    """Within a callback of the garbage collector nothing can be raised."""

    def work(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            sum(range(1000))

    def interrupted_twice() -> None:
        with map_workers.time_limit(0.02):
            with contextlib.suppress(MoleculeError):
                work(5.0)
            work(5.0)

    with pytest.raises(MoleculeError, match="processor time"):
        interrupted_twice()


def test_long_lists_are_not_held_in_memory(tmp_path, monkeypatch):
    path = tmp_path / "list.smi"
    path.write_text("C m\n" * 500)
    reached = []
    real = map_batch.iterate_requests
    monkeypatch.setattr(map_batch, "count_requests", lambda path: 500)
    monkeypatch.setattr(map_batch, "iterate_requests", lambda p: (reached.append(1) or r for r in real(p)))
    answers = map_list(path, settings(time_limit=5.0))
    monkeypatch.setattr(map_batch, "SHORT_LIST", 1000)
    for _ in range(10):
        next(answers)
    assert len(reached) <= 12
    answers.close()


def test_a_bug_costs_one_molecule_and_a_broken_table_the_run(quick, listed, tmp_path, monkeypatch):
    real = map_molecules.Mapper.map

    def buggy(self, request):
        assert request.name != "m 7", "a bug"
        return real(self, request)

    monkeypatch.setattr(map_molecules.Mapper, "map", buggy)
    found = [json.loads(b.text) for b in map_list(listed, settings())]
    assert found[7]["error"]["code"] == "E_LIMIT"
    assert "internal error, please report it: AssertionError: a bug" in found[7]["error"]["message"]
    assert sum("error" in line for line in found) == 11
    with pytest.raises(BeadTableError, match="martini9"):
        list(map_list(listed, settings(mapping={"table": "martini9", "conformers": False}), workers=1))
