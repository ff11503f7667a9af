"""What starting the engine costs: kernels compiled once each, kept, and nothing loaded that a run does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import engine_signatures
import numpy as np
import pytest
from engine_systems import W, placed
from numba import types
from numba.core import event

from topdown.engine import Simulation, SimulationSettings, _jit, cold_start, stepping, vector_forces
from topdown.engine._jit import engine_hash, helper, kernel, kind_of, part
from topdown.engine.integrators import advance
from topdown.engine.list_search import _most_frequent

PROGRAM = Path(engine_signatures.__file__)
REPOSITORY = PROGRAM.parents[2]


def _start(*arguments: str, **environment: str) -> subprocess.Popen:
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _output(process: subprocess.Popen) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def test_python_calls_every_kernel_with_one_set_of_types():
    """None twice: each version costs seconds once and a load at every start. None never: it should be a helper."""
    versions = json.loads(_output(_start(str(PROGRAM))))
    if set(versions.values()) != {1}:  # it may have compiled: then what only kernels call was loaded, too
        versions = json.loads(_output(_start(str(PROGRAM))))
    assert len(versions) > 10
    assert {name: n for name, n in versions.items() if n != 1} == {}


@pytest.mark.validate
def test_nothing_is_compiled_twice_from_an_empty_cache(tmp_path):
    versions = json.loads(_output(_start(str(PROGRAM), TOPDOWN_CACHE=str(tmp_path))))
    assert {name: n for name, n in versions.items() if n != 1} == {}
    stored = sorted((tmp_path / "kernels" / engine_hash()).rglob("*.nbc"))
    assert len(stored) >= len(versions) + 15  # parts come on top
    names = [path.name.rpartition("-")[0] for path in stored]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("topdown.engine._jit.processor", lambda: ("another", "+none")),
        ("topdown.engine._jit.engine_version", lambda: "0" * 16),
        ("numba.__version__", "0.0"),
        ("llvmlite.__version__", "0.0"),
    ],
)
def test_compiled_code_is_kept_apart(monkeypatch, target, value):
    here = _jit.engine_hash.__wrapped__()
    monkeypatch.setattr(target, value)
    assert _jit.engine_hash.__wrapped__() != here


SMALL_KERNEL = """
import sys
from numpy import arange
from topdown.engine._jit import helper, kernel

@helper
def square(x):
    return x * x

@kernel
def total(values):
    result = 0.0
    for value in values:
        result += square(value)
    return result

if __name__ == "__main__":
    print(total(arange(4.0)), square(3.0), sum(total.stats.cache_hits.values()), "scipy.linalg" in sys.modules)
"""


def test_processes_that_compile_at_once_share_one_cache(tmp_path):
    program, folder = tmp_path / "small.py", tmp_path / "cache"
    program.write_text(SMALL_KERNEL)
    at_once = [_start(str(program), TOPDOWN_CACHE=str(folder)) for _ in range(2)]
    for process in at_once:
        out = _output(process).split()
        assert out[:2] == ["14.0", "9.0"]
        assert out[3] == "False" or not _jit.IS_KNOWN  # numba asks SciPy for nothing
    assert _output(_start(str(program), TOPDOWN_CACHE=str(folder))).split()[:3] == ["14.0", "9.0", "1"]
    assert len(list(folder.rglob("*.nbc"))) == 1


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("topdown.engine", ("scipy.linalg", "pandas", "rdkit", "topdown.engine.reference")),
        ("topdown.properties.sampler", ("scipy.optimize", "scipy.sparse", "scipy.spatial", "pandas", "rdkit")),
        ("topdown.sampling.executors", ("numpy", "numba")),
    ],
)
def test_a_worker_loads_only_what_it_needs(module, unwanted):
    loaded = json.loads(_output(_start("-c", f"import json, sys, {module}; print(json.dumps(list(sys.modules)))")))
    assert module in loaded
    assert [name for name in unwanted if name in loaded] == []


class _Compilations(event.Listener):
    """Names of the functions that numba compiles."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event):
        pass


@pytest.mark.skipif(not _jit.IS_KNOWN, reason="the compiler of this release of numba is not known from inside")
def test_a_helper_is_compiled_once_whoever_calls_it(monkeypatch, tmp_path):
    monkeypatch.setattr(_jit, "_kernel_cache", lambda: str(tmp_path))

    @helper
    def doubled(x):
        return x + x

    @helper
    def between(x):
        return doubled(x) + 1.0

    def called_by_python(x):
        return doubled(x) + between(x)

    def called_by_address(x):
        return int(doubled(x) + between(x))

    found = _Compilations()
    with event.install_listener("numba:compile", found):
        assert kernel(called_by_python)(2.0) == 9.0
        assert part(called_by_address).address((types.float64,)) != 0
    assert found.names.count("doubled") == found.names.count("between") == 1


def test_the_most_frequent_number_is_the_first_of_several():
    rng = np.random.default_rng(1)
    for _ in range(20):
        numbers = rng.integers(0, 6, rng.integers(1, 12)).astype(np.uint32)
        assert _most_frequent(numbers, 6) == np.argmax(np.bincount(numbers))


@pytest.fixture
def arguments(monkeypatch):
    """What the first simulation on a machine hands to :func:`cold_start.first_parts`."""
    seen = []
    monkeypatch.setattr(
        stepping, "first_parts", lambda *own: seen.append(own) or cold_start.step_parts(*own[:7], *own[8:10], own[11])
    )
    Simulation(placed(((W, 60),), (2.7, 2.7, 2.7)), SimulationSettings(time_step=0.001))
    return seen[0]


class _Second:
    """In place of a process: what is written to it, and whether it was waited for or killed."""

    def __init__(self, *arguments, **options):
        self.stdin, self.events = self, []
        self.job = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.events.append("closed")

    def write(self, text):
        self.job = json.loads(text)

    def flush(self):
        pass

    def wait(self):
        self.events.append("waited")

    def kill(self):
        self.events.append("killed")


@pytest.fixture
def second(monkeypatch):
    process = _Second()
    monkeypatch.setattr(cold_start.subprocess, "Popen", lambda *arguments, **options: process)
    monkeypatch.setattr(cold_start, "_asked", False)
    monkeypatch.setattr(cold_start, "_is_worth_it", lambda: True)
    return process


def test_the_second_process_compiles_for_the_types_of_the_first(arguments, second):
    parts = cold_start.first_parts(*arguments)
    assert second.events == ["closed", "waited"]
    job = second.job
    values = [cold_start.example(description) for description in job["arguments"]]
    given = (0, 0, *arguments[:8], arguments[8], arguments[9], parts, arguments[10])
    assert [kind_of(value) for value in values] == [kind_of(value) for value in given]
    cold_start.do_share(job["double"], job["arguments"])
    assert len(advance.signatures) == 1
    assert cold_start.first_parts(*arguments) == parts  # and nobody is asked again
    assert second.events == ["closed", "waited"]


def test_a_second_process_that_dies_costs_nothing_but_time(arguments, second, monkeypatch):
    def broken(text):
        raise BrokenPipeError

    monkeypatch.setattr(second, "write", broken)
    assert cold_start.first_parts(*arguments).forces.pairs != 0


def test_no_second_process_outlives_an_error(arguments, second, monkeypatch):
    def fail(*own):
        raise KeyboardInterrupt

    monkeypatch.setattr(cold_start, "step_parts", fail)
    with pytest.raises(KeyboardInterrupt):
        cold_start.first_parts(*arguments)
    assert second.events == ["closed", "killed", "waited"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vector_forces.vector_forces, vector_forces.team_vector_forces),
        (vector_forces.vector_forces_and_energies, vector_forces.team_vector_forces_and_energies),
    ],
)
def test_functions_of_one_factory_are_told_apart(one, other):
    """Their compiled code is called by name: one cached by another process must not stand in for the other."""
    assert one.__code__ is other.__code__
    assert one.__qualname__ != other.__qualname__


def test_there_is_a_second_process_only_before_anything_is_compiled(arguments, monkeypatch, tmp_path):
    assert not cold_start._is_worth_it()  # the fixture has compiled it
    monkeypatch.setattr(
        cold_start, "advance", type("Empty", (), {"stats": type("Stats", (), {"cache_path": tmp_path})})
    )
    monkeypatch.setattr(cold_start, "available_processors", lambda: 2)
    assert cold_start._is_worth_it()
    monkeypatch.setattr(cold_start, "available_processors", lambda: 1)
    assert not cold_start._is_worth_it()
