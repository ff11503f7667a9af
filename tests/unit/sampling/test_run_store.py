"""The run store: what is written is read back, damage counts as missing, a kill leaves nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.model import PairSums, WindowSamples
from topdown.sampling.fingerprints import hash_of
from topdown.sampling.run_store import RunStore


def window(key: str, n_frames: int = 7) -> WindowSamples:
    rng = np.random.default_rng(3)
    sums = PairSums(
        pairs=(("C1", "C1"), ("C1", "W")),
        sums=rng.normal(size=(n_frames, 2)),
        rest_energy=rng.normal(size=n_frames),
        volume=rng.uniform(40, 50, n_frames),
        solute_pairs=(("C1", "W"),),
        solute_sums=rng.normal(size=(n_frames, 3, 1)),
        lambdas=np.array([0.0, 0.5, 1.0]),
    )
    return WindowSamples(
        key=key, system="x in 10 y", sums=sums, epsilon=(3.5, 2.0, 2.0), temperature=300.0, pressure=1.0,
        n_molecules=10, lambda_index=1,
    )  # fmt: skip


def full_sums(sums: PairSums) -> PairSums:
    """The same with every optional array filled in at random."""
    rng, n, p, k, q, m = np.random.default_rng(4), sums.n_frames, len(sums.pairs), 3, 1, 2
    shapes = {
        "repulsion": (n, p), "solute_repulsion": (n, k, q), "solute_slopes": (n, q), "solute_coulomb": (n,),
        "virials": (n, p, 3), "solute_virials": (n, q, 3), "rest_virial": (n, 3), "kinetic": (n, 3), "scalings": (m, 3),
        "scaled_sums": (n, m, p), "scaled_solute_sums": (n, m, q), "scaled_solute_coulomb": (n, m),
        "scaled_rest_energy": (n, m), "charge_lambdas": (k,), "virial_repulsion": (n, p, 3),
    }  # fmt: skip
    return replace(sums, **{name: rng.normal(size=shape) for name, shape in shapes.items()})


def test_round_trip_is_exact(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    kept = window("ab12")
    store.save_window(kept, {"seed": 1})
    found = store.load_window("ab12")
    assert found is not None
    assert (found.epsilon, found.lambda_index, found.system, found.pressure) == ((3.5, 2.0, 2.0), 1, "x in 10 y", 1.0)
    for name in ("sums", "solute_sums", "lambdas", "rest_energy", "volume"):
        np.testing.assert_array_equal(getattr(found.sums, name), getattr(kept.sums, name))
    assert found.sums.pairs == kept.sums.pairs


def test_everything_a_frame_can_hold_is_kept(tmp_path: Path) -> None:
    store, plain = RunStore(tmp_path), window("ab12")
    full = replace(plain, sums=full_sums(plain.sums))
    store.save_window(full, {})
    found = store.load_window("ab12")
    assert found is not None
    there, here = found.sums.arrays(), full.sums.arrays()
    assert there.keys() == here.keys()
    assert len(here) == 20
    for name, values in here.items():
        np.testing.assert_array_equal(there[name], values)


def test_a_window_stored_before_there_were_more_arrays_is_read(tmp_path: Path) -> None:
    store, kept = RunStore(tmp_path), window("ab12")
    store.save_window(kept, {})
    loaded = store.load("ab12")
    assert loaded is not None
    old, header = loaded
    for name in ("solute_coulomb", "charge_lambdas"):
        del old[name]
    assert sorted(old) == ["lambdas", "rest_energy", "solute_sums", "sums", "volume"]
    store.save("cd34", old, header)
    found = store.load_window("cd34")
    assert found is not None
    assert found.sums.repulsion is None
    assert not found.sums.solute_coulomb.any()
    np.testing.assert_array_equal(found.sums.sums, kept.sums.sums)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_file_counts_as_missing(tmp_path: Path, damage: str) -> None:
    store = RunStore(tmp_path)
    store.save_window(window("ab12"), {})
    path = store.path("ab12")
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "garbage": b"x" * len(data), "empty": b""}[damage])
    assert store.load_window("ab12") is None
    assert store.load_window("never") is None


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    path = store.path("ab12")
    path.parent.mkdir()
    with path.open("wb") as file:
        np.savez(file, header=np.array([{"a": 1}], dtype=object))
    assert store.load("ab12") is None


def test_kill_while_writing_leaves_whole_files_only(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_run_store import window; "
        "from topdown.sampling.run_store import RunStore\n"
        "store = RunStore(sys.argv[1]); k = 0\n"
        "while True: store.save_window(window(f'{k % 9:04d}', 4000), {}); print(k, flush=True); k += 1"
    )
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.15 + 0.05 * np.random.default_rng(process.pid).random())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    files = list(tmp_path.rglob("*.npz"))
    assert files
    store = RunStore(tmp_path)
    assert all(store.load_window(path.stem) is not None for path in files)


def test_hash_depends_on_every_bit() -> None:
    base = {"a": [1.0, 2.0], "b": "x"}
    assert hash_of(base) == hash_of({"b": "x", "a": [1.0, 2.0]})
    assert hash_of(base) != hash_of({"a": [1.0, float(np.nextafter(2.0, 3.0))], "b": "x"})
    with pytest.raises(ValueError, match="JSON"):
        hash_of({"a": float("nan")})


def test_whatever_is_damaged_counts_as_missing(tmp_path: Path) -> None:
    """A byte turned anywhere is noticed, or changes nothing that is read."""
    store, kept, rng = RunStore(tmp_path), window("ab12", n_frames=400), np.random.default_rng(7)
    store.save_window(kept, {})
    whole, missing = store.path("ab12").read_bytes(), 0
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        store.path("ab12").write_bytes(bytes(damaged))
        found = store.load_window("ab12")
        missing += found is None
        if found is not None:
            np.testing.assert_array_equal(found.sums.sums, kept.sums.sums)
            assert found.epsilon == kept.epsilon
    assert missing > 200


def test_a_window_with_what_is_not_a_number_counts_as_missing(tmp_path: Path) -> None:
    store, kept = RunStore(tmp_path), window("ab12")
    store.save_window(kept, {})
    arrays, header = store.load("ab12")  # type: ignore[misc]
    arrays["sums"][3, 1] = np.nan
    store.save("ab12", arrays, header)
    assert store.load_window("ab12") is None
    assert "ab12" in store
