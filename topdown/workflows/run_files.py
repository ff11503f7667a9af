"""The folder of a run: who may write there, its energies, trajectory and checkpoints, and cutting all of them back to one step.

The checkpoint is the truth. Rows and frames stand at known steps, so that a checkpoint of step S says how many of each belong to
it; what is beyond was written by a process that died, and is cut off before the run goes on. Files are flushed to the disk before
each checkpoint, so that none ever holds less than its checkpoint needs.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from topdown.engine import Simulation
from topdown.errors import InputFileError, SettingsError, SimulationError
from topdown.formats.trajectory import TrajectoryWriter
from topdown.model import System
from topdown.resources import atomic_write_text
from topdown.workflows.run_request import RunRequest, request_from_json

try:
    import fcntl
except ImportError:  # not on this system; two runs in one folder are then not noticed
    fcntl = None  # type: ignore[assignment]

RUN_FILE: Final = "run.json"
ENERGY_FILE: Final = "energies.csv"
CHECKPOINT_FILE: Final = "state.ckpt"
PREVIOUS_CHECKPOINT_FILE: Final = CHECKPOINT_FILE + ".previous"
FINAL_FILE: Final = "final.gro"
LOG_FILE: Final = "run.log"
_ENDINGS: Final = ("xtc", "trr", "dcd")
_MADE_BY_A_RUN: Final = (
    *(RUN_FILE, ENERGY_FILE, CHECKPOINT_FILE, PREVIOUS_CHECKPOINT_FILE, FINAL_FILE, LOG_FILE),
    *(f"trajectory.{ending}" for ending in _ENDINGS),
)
#: Fewest bytes of a bead in a frame; XTC packs dense liquids to about five.
_BYTES_PER_BEAD: Final = {"xtc": 3, "trr": 24, "dcd": 12, "none": 0}


def _unwritable(path: Path, error: OSError) -> InputFileError:
    return InputFileError(f"cannot write there: {error.strerror}", where=str(path))


def read_run(folder: Path) -> tuple[dict[str, Any], RunRequest]:
    """The contents of ``run.json``, and what the run in ``folder`` was asked to do.

    Raises
    ------
    InputFileError
        It is missing or damaged.
    """
    path = folder / RUN_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"cannot be read: {error}", where=str(path)) from None
    if not isinstance(data, dict) or "request" not in data:
        raise InputFileError("this is no record of a run", where=str(path))
    return data, request_from_json(data["request"])


def request_of_run(folder: Path) -> RunRequest:
    """What the run in ``folder`` was asked to do; see :func:`read_run`."""
    return read_run(folder)[1]


class RunFolder:
    """A folder held by one run; a context manager.

    Parameters
    ----------
    folder : Path
        Made when missing.
    resume : bool
        Go on with the run that is in it.
    overwrite : bool
        Remove the files of the run that is in it.

    Raises
    ------
    SettingsError
        The folder holds a run and neither ``resume`` nor ``overwrite`` is set, it holds none and ``resume`` is, or another
        process is running there.
    InputFileError
        The folder cannot be written.
    """

    def __init__(self, folder: Path, *, resume: bool, overwrite: bool) -> None:
        self.folder = folder
        present = [name for name in _MADE_BY_A_RUN if (folder / name).exists()]
        if resume and RUN_FILE not in present:
            raise SettingsError(f"there is no run to continue in {folder}", hint="start it without --continue")
        if present and present != [LOG_FILE] and not (resume or overwrite):  # a log alone: its run did not begin
            raise SettingsError(
                f"{folder} already holds {present[0]}",
                hint="--continue that run, --overwrite it, or choose another folder",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._log = (folder / LOG_FILE).open("a", encoding="utf-8")
        except OSError as error:
            raise _unwritable(folder, error) from None
        self._lock()
        if not resume:
            for name in present:
                if name != LOG_FILE:
                    (folder / name).unlink(missing_ok=True)
            self._log.truncate(0)

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._log.close()
            raise SettingsError(f"another process is running in {self.folder}") from None
        except OSError:
            pass  # a file system without locks

    def log(self, text: str) -> None:
        """Add a line to the log, with the time of day."""
        try:
            self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")
            self._log.flush()
        except OSError as error:
            raise _unwritable(self.folder / LOG_FILE, error) from None

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def write_record(self, data: Mapping[str, Any]) -> None:
        """Write ``run.json``."""
        self.write_text(RUN_FILE, json.dumps(data, indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write a file whole or not at all."""
        try:
            return atomic_write_text(self.path(name), text)
        except OSError as error:
            raise _unwritable(self.path(name), error) from None

    def check_space(self, request: RunRequest, n_beads: int, n_steps: int) -> None:
        """Refuse to begin ``n_steps`` steps whose files certainly will not fit on the disk.

        Raises
        ------
        SettingsError
            With both sizes.
        """
        frames = n_steps // request.frame_every if request.frame_every else 0
        rows = n_steps // request.energy_every if request.energy_every else 0
        # A checkpoint holds four arrays of three float64 a bead and some fifty neighbours; two are kept, one is being written.
        needed = frames * n_beads * _BYTES_PER_BEAD[request.trajectory] + rows * 200 + 3 * n_beads * 300
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise SettingsError(
                f"the run will write at least {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free in {self.folder}",
                hint="write frames less often, or choose another folder",
            )

    def close(self) -> None:
        """Let go of the folder."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class EnergyFile:
    """Rows of numbers, each written by one call, that can be cut back to a number of rows.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    keep : int
        Rows already in the file that stay.
    """

    def __init__(self, path: Path, columns: tuple[str, ...], *, keep: int | None) -> None:
        self.path = path
        header = (",".join(columns) + "\n").encode()
        size = 0
        if keep is not None:
            size = _end_of_row(path, header, keep)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.ftruncate(self._file, size)
            self._size = size
        except OSError as error:
            raise _unwritable(path, error) from None
        if not size:
            self._append(header)

    def write(self, step: int, values: tuple[float, ...]) -> None:
        """Add a row; the step first."""
        self._append(f"{step},{','.join(f'{value:.10g}' for value in values)}\n".encode())

    def _append(self, data: bytes) -> None:
        try:
            if os.pwrite(self._file, data, self._size) < len(data):
                raise OSError(28, os.strerror(28))
            self._size += len(data)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise _unwritable(self.path, error) from None

    def sync(self) -> None:
        """Return when all rows are on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _end_of_row(path: Path, header: bytes, rows: int) -> int:
    """Length of the file with its first ``rows`` rows."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"the energies cannot be read: {error.strerror}", where=str(path)) from None
    if not data.startswith(header):
        raise InputFileError("the columns are not those of this version", where=str(path), hint="start the run anew")
    end = len(header)
    for row in range(rows):
        newline = data.find(b"\n", end)
        if newline < 0:
            raise InputFileError(
                f"the file holds {row} rows; {rows} are needed to continue the run",
                where=str(path),
                hint="start it anew",
            )
        end = newline + 1
    return end


class RunOutput:
    """Energies, trajectory and checkpoints of a running simulation.

    Parameters
    ----------
    folder : RunFolder
    request : RunRequest
    system : System
    columns : tuple of str
        Of the energies, the step first.
    step : int or None
        Step of the checkpoint the run goes on from; None at its beginning.
    """

    def __init__(
        self, folder: RunFolder, request: RunRequest, system: System, columns: tuple[str, ...], *, step: int | None
    ) -> None:
        self._folder = folder
        self._request = request
        self.energies: EnergyFile | None = None
        self.trajectory: TrajectoryWriter | None = None
        self.saved_step = -1 if step is None else step
        self._saved_at = time.monotonic()
        if request.energy_every:
            keep = None if step is None else step // request.energy_every + 1
            self.energies = EnergyFile(folder.path(ENERGY_FILE), columns, keep=keep)
        if request.trajectory != "none" and request.frame_every:
            self.trajectory = TrajectoryWriter(
                folder.path(f"trajectory.{request.trajectory}"),
                system,
                keep=0 if step is None else step // request.frame_every + 1,
                every=request.frame_every,
                time_step=request.settings.time_step,
            )

    def next_event(self, step: int) -> int:
        """The first step after ``step`` at which something is written or saved."""
        every = [n for n in (self._request.energy_every, self._request.checkpoint_steps) if n]
        if self.trajectory is not None:
            every.append(self._request.frame_every)
        return min(((step // n + 1) * n for n in every), default=step + (1 << 40))

    def frame_is_due(self, step: int) -> bool:
        """Whether a frame stands at ``step``."""
        return self.trajectory is not None and step % self._request.frame_every == 0

    def row_is_due(self, step: int) -> bool:
        """Whether a row of energies stands at ``step``."""
        return self.energies is not None and step % self._request.energy_every == 0

    def checkpoint_is_due(self, step: int) -> bool:
        """By steps or by the clock."""
        if self._request.checkpoint_steps and step % self._request.checkpoint_steps == 0:
            return True
        return time.monotonic() - self._saved_at > 60.0 * self._request.checkpoint_minutes

    def save(self, simulation: Simulation) -> None:
        """Write a checkpoint, after everything that belongs before it."""
        if simulation.step == self.saved_step:
            return
        try:
            if self.trajectory is not None:
                self.trajectory.sync()
            if self.energies is not None:
                self.energies.sync()
            simulation.save_checkpoint(self._folder.path(CHECKPOINT_FILE))
        except OSError as error:
            raise _unwritable(self._folder.path(CHECKPOINT_FILE), error) from None
        self.saved_step, self._saved_at = simulation.step, time.monotonic()

    def close(self) -> None:
        """Close all files."""
        for file in (self.energies, self.trajectory):
            if file is not None:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def load_checkpoint(simulation: Simulation, folder: RunFolder) -> str:
    """Bring a simulation to the last checkpoint, or to the one before when the last is damaged.

    Returns
    -------
    str
        Name of the file it came from; empty when the run was stopped before its first checkpoint.

    Raises
    ------
    SimulationError
        Neither can be used: both damaged, or of another system, other settings or another engine version.
    """
    first: SimulationError | None = None
    for name in (CHECKPOINT_FILE, PREVIOUS_CHECKPOINT_FILE):
        if not folder.path(name).exists():
            continue
        try:
            simulation.load_checkpoint(folder.path(name))
        except SimulationError as error:
            first = first or error
            continue
        if name == PREVIOUS_CHECKPOINT_FILE:  # the next one must not push out the only good one
            os.replace(folder.path(name), folder.path(CHECKPOINT_FILE))
        return name
    if first is not None:
        raise first
    return ""
