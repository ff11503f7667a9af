"""Content-addressed store of runs: the name of a file is the hash of everything that decided its content.

"Which of these have been done?" is then the only question a killed campaign, a lost worker or a second user has to ask.
Files are written to a temporary name, synced and renamed; a file that cannot be read counts as missing and is made again.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.errors import StorageError
from topdown.model import PairSums, WindowSamples
from topdown.resources import atomic_write_bytes

Arrays = dict[str, npt.NDArray[Any]]
#: What reading a damaged file may end in: the archive, its compression, or what was compressed is broken.
_DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


def _kind_in(alarm: str, system: str) -> str:
    """The kind of an alarm that was stored as ``"SYSTEM KIND: what was seen"`` only, as runs were until kinds were stored."""
    return alarm.removeprefix(f"{system} ").partition(":")[0]


class RunStore:
    """A folder of finished runs.

    Parameters
    ----------
    folder : Path
        Made when first written to. Two processes may use it at once.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """File of the run called ``key``."""
        return self.folder / key[:2] / f"{key}.npz"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.path(key).is_file()

    def save(self, key: str, arrays: Arrays, header: dict[str, Any]) -> None:
        """Keep ``arrays`` and a JSON ``header`` under ``key``, atomically.

        Raises
        ------
        StorageError
            The folder cannot be written to, or the disk is full.
        """
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
        np.savez_compressed(buffer, header=text, **arrays)  # type: ignore[arg-type]
        try:
            atomic_write_bytes(self.path(key), buffer.getvalue())
        except OSError as error:
            raise StorageError(
                f"a finished run cannot be stored: {error.strerror}",
                where=str(self.folder),
                hint="runs stored before are kept: make room and run again",
            ) from None

    def load(self, key: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Arrays and header kept under ``key``; None when there are none or the file is damaged."""
        try:
            with np.load(self.path(key), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return arrays, json.loads(arrays.pop("header").tobytes())
        except _DAMAGE:
            return None

    def save_window(self, samples: WindowSamples, provenance: dict[str, Any]) -> None:
        """Keep a window under its own key."""
        sums = samples.sums
        header = {
            "system": samples.system,
            "pairs": sums.pairs,
            "solute_pairs": sums.solute_pairs,
            "epsilon": samples.epsilon,
            "lambda_index": samples.lambda_index,
            "temperature": samples.temperature,
            "pressure": samples.pressure,
            "n_molecules": samples.n_molecules,
            "alarm": samples.alarm,
            "alarm_kind": samples.alarm_kind,
            "provenance": provenance,
        }
        self.save(samples.key, sums.arrays(), header)

    def load_window(self, key: str) -> WindowSamples | None:
        """The window kept under ``key``; None when there is none, or the file or a number in it is damaged."""
        found = self.load(key)
        if found is None:
            return None
        arrays, header = found
        try:
            sums = PairSums(
                pairs=tuple((a, b) for a, b in header["pairs"]),
                solute_pairs=tuple((a, b) for a, b in header["solute_pairs"]),
                **arrays,
            )
            return WindowSamples(
                key=key,
                system=header["system"],
                sums=sums,
                epsilon=tuple(header["epsilon"]),
                lambda_index=header["lambda_index"],
                temperature=header["temperature"],
                pressure=header["pressure"],
                n_molecules=header["n_molecules"],
                alarm=header["alarm"],
                alarm_kind=header.get("alarm_kind", _kind_in(header["alarm"], header["system"])),
            )
        except (KeyError, TypeError, ValueError):
            return None
