"""The reduced sums of shapes in phases: made from stored runs, kept in files, and evaluated for molecules.

A file ``PHASE.npz`` of a folder holds those of all shapes in one phase. ΔG(gas → phase) of a molecule is read off the shape
nearest to it; see :mod:`topdown.properties.shapes` for what a shape is.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from topdown.errors import InputFileError
from topdown.estimators.reduced_sums import ReducedSums, reduce_sums
from topdown.estimators.reweighting import Pair, pool_samples, sorted_pair
from topdown.model import BeadTable, WindowSamples
from topdown.properties.shapes import PLACE, end_epsilon, shape_bead
from topdown.resources import atomic_write_bytes

#: Probes drawn at random between the two ends, besides the even ones.
_MIXED_PROBES: Final = 24
_ARRAYS: Final = ("sums", "offsets", "inefficiency", "free_sums", "free_offsets")


def reduce_shape(
    sticky: Sequence[WindowSamples],
    weak: Sequence[WindowSamples],
    sizes: Sequence[str],
    solvent_types: Sequence[str],
    table: BeadTable,
) -> ReducedSums:
    """Pool the runs of one shape in one phase at both ends, and keep what other ε need.

    Parameters
    ----------
    sticky, weak : sequence of WindowSamples
        From :func:`topdown.properties.solvation.sample_solvation`. Both insert the solute into the same frames of the
        solvent: the second time is left out.
    sizes : sequence of {"R", "S", "T"}
        Of the shape's beads.
    solvent_types : sequence of str
        Bead types of the phase.
    table : BeadTable
        That gave the ε of both ends.
    """
    runs = [*sticky, *(window for window in weak if window.lambda_index > 0)]
    labels = [*(w.lambda_index for w in sticky), *(1000 + w.lambda_index for w in weak if w.lambda_index > 0)]
    pooled = pool_samples(runs, np.random.default_rng(0), n_replicates=0)
    outer = [(shape_bead(size, k), other) for k, size in enumerate(sizes) for other in sorted(solvent_types)]
    ends = {end: {sorted_pair(a, b): end_epsilon(table, a[0], b, end) for a, b in outer} for end in PLACE}
    inner = {
        pair: value for pair, value in zip(pooled.pairs, pooled.reference.epsilon) if all("#" in name for name in pair)
    }
    return reduce_sums(pooled, labels, outer, _probes(ends["sticky"], ends["weak"], inner))


def _probes(
    sticky: Mapping[Pair, float], weak: Mapping[Pair, float], inner: Mapping[Pair, float]
) -> list[dict[Pair, float]]:
    """ε from a little beyond one end to a little beyond the other, all alike or each at random; the middle in the middle."""
    rng = np.random.default_rng(1)
    shares = [np.full(len(sticky), x) for x in (-0.15, 0.0, 0.25, 0.75, 1.0, 1.1)]
    mixed = list(rng.random((_MIXED_PROBES, len(sticky))) * 1.2 - 0.1)
    half = len(mixed) // 2 - 3
    shares = [*shares, *mixed[:half], np.full(len(sticky), 0.5), *mixed[half:]]
    factors = (0.7, 1.0, 1.3)
    return [
        {pair: s * value + (1.0 - s) * weak[pair] for s, (pair, value) in zip(share, sticky.items())}
        | {pair: value * factors[k % 3] for pair, value in inner.items()}
        for k, share in enumerate(shares)
    ]


def write_shape_sums(path: Path, sums: Mapping[str, ReducedSums], header: Mapping[str, Any]) -> None:
    """Keep the reduced sums of several shapes in one phase.

    Parameters
    ----------
    path : Path
        ``*.npz``; replaced whole.
    sums : mapping of shape name to ReducedSums
    header : mapping
        JSON values that say where they come from.
    """
    arrays: dict[str, Any] = {}
    shapes: dict[str, Any] = {}
    for name, reduced in sums.items():
        arrays |= {f"{name}.{key}": getattr(reduced, key) for key in _ARRAYS}
        shapes[name] = {
            "pairs": reduced.pairs,
            "inner_pairs": reduced.inner_pairs,
            "temperature": reduced.temperature,
            "path_error": reduced.path_error,
            "n_frames": reduced.n_frames,
        }
    text = json.dumps({**header, "shapes": shapes}, sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    atomic_write_bytes(path, buffer.getvalue())


def read_shape_sums(path: Path) -> tuple[dict[str, ReducedSums], dict[str, Any]]:
    """The reduced sums of a file by shape, and its header.

    Raises
    ------
    InputFileError
        No such file, or a damaged one.
    """
    with _opened(path) as file:
        header = json.loads(file["header"].tobytes())
        shapes = header.pop("shapes")
        return {name: _reduced(file, name, facts) for name, facts in shapes.items()}, header


class StoredShapeSums(Mapping[str, ReducedSums]):
    """The reduced sums of a file by shape, each read when first asked for: a molecule needs one of many.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputFileError
        No such file, or a damaged one; also when a shape is read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[str, ReducedSums] = {}
        with _opened(path) as file:
            self._facts: dict[str, Any] = json.loads(file["header"].tobytes())["shapes"]

    def __getitem__(self, name: str) -> ReducedSums:
        if name not in self._read:
            facts = self._facts[name]
            with _opened(self._path) as file:
                self._read[name] = _reduced(file, name, facts)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file of sums; what is wrong with it becomes an InputFileError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except FileNotFoundError:
        raise InputFileError("no such file of reduced sums", where=str(path)) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputFileError(f"damaged reduced sums: {error}", where=str(path)) from None


def _reduced(file: Any, name: str, facts: Mapping[str, Any]) -> ReducedSums:
    return ReducedSums(
        pairs=tuple((a, b) for a, b in facts["pairs"]),
        inner_pairs=tuple((a, b) for a, b in facts["inner_pairs"]),
        temperature=float(facts["temperature"]),
        path_error=float(facts["path_error"]),
        n_frames=int(facts["n_frames"]),
        **{key: file[f"{name}.{key}"] for key in _ARRAYS},
    )
