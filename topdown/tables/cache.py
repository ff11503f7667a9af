"""Binary copies of large pair matrices, keyed by the content they were made from: a stale or torn copy cannot be read.

Losing the cache costs the time of one parse, so a folder that cannot be written is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from topdown.model._arrays import FloatArray
from topdown.resources import atomic_write_bytes, cache_folder

_LAYOUT = "topdown bead table cache 1"


def table_key(names: Sequence[str], packed: bytes) -> str:
    """Hash of the names and order of the bead types, the bytes of the pairs file, and the layout of the cache."""
    digest = hashlib.sha256(_LAYOUT.encode())
    digest.update("\0".join(names).encode())
    digest.update(b"\0\0")
    digest.update(packed)
    return digest.hexdigest()


def read_cached_matrices(key: str, n_types: int) -> tuple[FloatArray, FloatArray] | None:
    """ε [kJ/mol] and σ [nm], (n_types, n_types), stored under ``key``; None when absent or unreadable."""
    path = cache_folder() / "bead_tables" / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            epsilon, sigma = stored["epsilon"], stored["sigma"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    shape = (n_types, n_types)
    if any(matrix.shape != shape or matrix.dtype != np.float64 for matrix in (epsilon, sigma)):
        return None
    return epsilon, sigma


def store_matrices(key: str, epsilon: FloatArray, sigma: FloatArray) -> None:
    """Remember the matrices under ``key``; does nothing where the cache folder cannot be written."""
    buffer = io.BytesIO()
    np.savez(buffer, epsilon=epsilon, sigma=sigma)
    with contextlib.suppress(OSError):
        atomic_write_bytes(cache_folder() / "bead_tables" / f"{key}.npz", buffer.getvalue())
