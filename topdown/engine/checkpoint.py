"""Checkpoints: one file, written whole or not at all, the one before kept beside it.

Everything the next step depends on is in it, the neighbour list and random state included, so that a restarted run is
bit-identical to one that was never stopped.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from topdown.engine._jit import engine_hash
from topdown.engine.integrators import Scratch
from topdown.engine.neighbor_list import restored, stored
from topdown.engine.parameter_arrays import PairParameters
from topdown.engine.state import State
from topdown.errors import SimulationError
from topdown.resources import atomic_write_bytes


def save(path: Path, state: State, rng: np.random.Generator, fingerprint: str) -> None:
    """Write ``state`` and ``rng`` to ``path``."""
    near = state.neighbor_list
    header = {
        "engine": engine_hash(),
        "fingerprint": fingerprint,
        "time": state.time,
        "random": rng.bit_generator.state,
    }
    buffer = io.BytesIO()
    # Not compressed: a run that is told to stop has seconds, and numbers of this kind shrink little.
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "positions": state.positions,
        "velocities": state.velocities,
        "forces": state.forces,
        "box": state.box,
        **{f"list_{name}": array for name, array in stored(near).items()},
        **{f"scratch_{name}": array for name, array in state.scratch._asdict().items()},
    }
    np.savez(buffer, **arrays)
    if path.exists():
        _keep(path)
    atomic_write_bytes(path, buffer.getvalue())


def _keep(path: Path) -> None:
    """Give the present checkpoint a second name, or a copy where the file system has no links."""
    previous = path.with_name(path.name + ".previous")
    previous.unlink(missing_ok=True)
    try:
        os.link(path, previous)
    except OSError:
        atomic_write_bytes(previous, path.read_bytes())


def load(path: Path, fingerprint: str, pair: PairParameters) -> tuple[State, np.random.Generator]:
    """Read a checkpoint of a system with these pair parameters back.

    Raises
    ------
    SimulationError
        When it is missing, damaged, or of another system, settings or engine version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["engine"] == engine_hash() and header["fingerprint"] == fingerprint:
            bit_generator = getattr(np.random, header["random"]["bit_generator"])()
            bit_generator.state = header["random"]
            state = State(
                positions=arrays["positions"],
                velocities=arrays["velocities"],
                forces=arrays["forces"],
                box=arrays["box"],
                time=header["time"],
                scratch=Scratch(**{name: arrays[f"scratch_{name}"] for name in Scratch._fields}),
                neighbor_list=restored(
                    {name.removeprefix("list_"): array for name, array in arrays.items() if name.startswith("list_")},
                    pair,
                ),
            )
            return state, np.random.Generator(bit_generator)
    except FileNotFoundError:
        raise SimulationError("no such checkpoint", where=str(path)) from None
    except Exception as error:  # a damaged archive can fail in any layer: zip, deflate, npy header, JSON
        raise SimulationError(
            f"the checkpoint is damaged ({type(error).__name__}: {error})",
            where=str(path),
            hint=f"try {path.name}.previous",
        ) from None
    if header["engine"] != engine_hash():
        raise SimulationError(
            "the checkpoint was written by another engine version or processor", where=str(path), hint="start anew"
        )
    raise SimulationError("the checkpoint belongs to another system or other settings", where=str(path))
