"""What starting the engine costs: kernels compiled once each, kept, and nothing loaded that a run does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import engine_signatures
import pytest

from topdown.engine import _jit
from topdown.engine._jit import engine_hash

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
    _output(_start(str(PROGRAM)))  # leaves compiled code behind, so that what only kernels call is not loaded below
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
    print(total(arange(4.0)), square(3.0), sum(total.stats.cache_hits.values()))
"""


def test_processes_that_compile_at_once_share_one_cache(tmp_path):
    program, folder = tmp_path / "small.py", tmp_path / "cache"
    program.write_text(SMALL_KERNEL)
    at_once = [_start(str(program), TOPDOWN_CACHE=str(folder)) for _ in range(3)]
    for process in at_once:
        assert _output(process).split()[:2] == ["14.0", "9.0"]
    assert _output(_start(str(program), TOPDOWN_CACHE=str(folder))).split() == ["14.0", "9.0", "1"]
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
