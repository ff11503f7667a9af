"""Trajectories by chemfiles: XTC, TRR and DCD that can be cut and continued at any frame, and reading them back.

Every frame is encoded by chemfiles on its own and added to the file by one write, so that a program that is killed leaves
whole frames behind, and a file continued after a restart holds the same bytes as one written in one go.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Literal, Self

import numpy as np

from topdown.errors import InputFileError, SettingsError
from topdown.formats.gro import wrapped_positions
from topdown.formats.trajectory_frames import RESUMABLE, DcdClock, dcd_header, read_dcd_clock, scan_frames
from topdown.model import System
from topdown.model._arrays import FloatArray

Wrapping = Literal["molecules", "beads", "none"]
_ANGSTROM_PER_NM = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TrajectoryFrame:
    """One frame.

    Attributes
    ----------
    positions : (n_beads, 3) float64 [nm]
    box : (3,) float64 [nm]
        Edges; zeros where the file has no box.
    velocities : (n_beads, 3) float64 [nm/ps] or None
    time : float
        [ps]; NaN where the file does not say.
    step : int
        Step of the run, or the number of the frame where the file does not say.
    """

    positions: FloatArray
    box: FloatArray
    velocities: FloatArray | None
    time: float
    step: int


def chemfiles_module() -> ModuleType:
    """chemfiles, loaded when a trajectory is first touched, with its warnings silenced: errors say the same."""
    import chemfiles
    from chemfiles.misc import ChemfilesWarning

    chemfiles.set_warnings_callback(lambda _: None)
    warnings.simplefilter("ignore", ChemfilesWarning)  # of warnings that cannot be decoded
    module: ModuleType = chemfiles
    return module


@contextlib.contextmanager
def chemfiles_failures(path: Path, what: str) -> Iterator[None]:
    """What chemfiles raises inside the block as an error of the user's file.

    Raises
    ------
    InputFileError
        ``what``, and what chemfiles says of ``path``.
    """
    try:
        yield
    except chemfiles_module().ChemfilesError as error:
        raise InputFileError(f"{what}: {error}", where=str(path)) from None
    except UnicodeDecodeError:  # names, or the message that quotes them
        raise InputFileError(f"{what}: binary where text should be", where=str(path)) from None


class TrajectoryWriter:
    """Adds frames to a trajectory file; a context manager.

    Parameters
    ----------
    path : path
        ``.xtc`` (positions to 0.001 nm), ``.trr`` (single precision, with velocities) or ``.dcd`` (single precision).
    system : System
        Says what belongs to one molecule.
    keep : int
        How many frames already in the file stay; later ones are cut off and writing goes on there. 0 starts a new file.
    wrap : {"molecules", "beads", "none"}
        Whole molecules with their centres in the box, every bead in the box, or positions as they are.
    velocities : bool
        Write velocities where the format has them (TRR).
    first_step, every, time_step
        For the header of a DCD, which gives no time to single frames: step of the first frame, steps between frames,
        and the time step [ps].

    Raises
    ------
    SettingsError
        A format that cannot be written this way.
    InputFileError
        A file that cannot be written, or holds fewer frames than ``keep``.
    """

    def __init__(
        self,
        path: Path | str,
        system: System,
        *,
        keep: int = 0,
        wrap: Wrapping = "molecules",
        velocities: bool = True,
        first_step: int = 0,
        every: int = 1,
        time_step: float = 0.0,
    ) -> None:
        self.path = Path(path)
        self._kind = self.path.suffix.lower()
        if self._kind not in RESUMABLE:
            raise SettingsError(
                f"cannot write a trajectory {self.path.suffix or self.path.name!r}",
                where=str(self.path),
                hint=f"one of {', '.join(RESUMABLE)}",
            )
        if wrap not in ("molecules", "beads", "none"):
            raise SettingsError(f"wrap must be molecules, beads or none, got {wrap!r}")
        self._system = system
        self._wrap = wrap
        self._velocities = velocities and self._kind == ".trr"
        self._clock = DcdClock(first_step=first_step, every=every, time_step=time_step)
        self._scratch = tempfile.TemporaryDirectory(prefix="topdown-frame-")
        self._n_frames = keep
        self._header = b""
        try:
            self._file, self._size = self._opened(keep)
        except BaseException:
            self._scratch.cleanup()
            raise

    def _opened(self, keep: int) -> tuple[int, int]:
        size = 0
        if keep:
            table = scan_frames(self.path)
            if table.n_frames < keep:
                raise InputFileError(
                    f"the trajectory holds {table.n_frames} whole frames; {keep} are needed to continue it",
                    where=str(self.path),
                )
            size = table.end_of(keep)
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            os.ftruncate(handle, size)
            if keep and self._kind == ".dcd":
                self._header = os.pread(handle, table.start, 0)
                os.pwrite(handle, dcd_header(self._header, n_frames=keep, clock=self._clock), 0)
        except OSError as error:
            raise self._unwritable(error) from None
        return handle, size

    def _unwritable(self, error: OSError) -> InputFileError:
        return InputFileError(f"cannot write the trajectory: {error.strerror}", where=str(self.path))

    @property
    def n_frames(self) -> int:
        """Frames in the file."""
        return self._n_frames

    def write(
        self,
        positions: FloatArray,
        box: FloatArray,
        *,
        step: int,
        time: float,
        velocities: FloatArray | None = None,
    ) -> None:
        """Add a frame.

        Parameters
        ----------
        positions : (n_beads, 3) [nm]
            Molecules whole.
        box : (3,) [nm]
        step : int
        time : float
            [ps]
        velocities : (n_beads, 3) [nm/ps], optional
            Left out of files that have no place for them.

        Raises
        ------
        InputFileError
            The file cannot be written (a full disk); it then ends with the frame before.
        """
        data = self._encoded(positions, box, step, time, velocities if self._velocities else None)
        try:
            if self._kind == ".dcd":
                data = self._without_header(data)
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, memoryview(data)[written:], self._size + written)
            self._size += len(data)
            self._n_frames += 1
            if self._kind == ".dcd":
                os.pwrite(self._file, dcd_header(self._header, n_frames=self._n_frames, clock=self._clock), 0)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise self._unwritable(error) from None

    def _without_header(self, data: bytes) -> bytes:
        """The frame of a one-frame DCD; its header goes to the file before the first frame."""
        start = scan_frames(self._one_frame).start
        if not self._header:
            self._header = data[:start]
            os.pwrite(self._file, dcd_header(self._header, n_frames=0, clock=self._clock), 0)
            self._size = start
        return data[start:]

    @property
    def _one_frame(self) -> Path:
        return Path(self._scratch.name) / f"frame{self._kind}"

    def _encoded(
        self, positions: FloatArray, box: FloatArray, step: int, time: float, velocities: FloatArray | None
    ) -> bytes:
        chemfiles = chemfiles_module()
        frame = chemfiles.Frame()
        frame.resize(len(positions))
        frame.positions[:] = self._placed(positions, box) * _ANGSTROM_PER_NM
        # From its matrix the cell is rectangular to the last bit, from its edges it is not.
        frame.cell = chemfiles.UnitCell(np.diag(np.asarray(box, dtype=np.float64)) * _ANGSTROM_PER_NM)
        frame.step = step
        frame["time"] = float(time)
        if velocities is not None:
            frame.add_velocities()
            frame.velocities[:] = velocities * _ANGSTROM_PER_NM
        with (
            chemfiles_failures(self.path, "cannot encode a frame"),
            chemfiles.Trajectory(str(self._one_frame), "w") as file,
        ):
            file.write(frame)
        return self._one_frame.read_bytes()

    def _placed(self, positions: FloatArray, box: FloatArray) -> FloatArray:
        if self._wrap == "molecules":
            return wrapped_positions(self._system.with_coordinates(positions, box))
        return positions - np.floor(positions / box) * box if self._wrap == "beads" else positions

    def sync(self) -> None:
        """Return when all frames are on the disk, not only on their way to it."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def read_trajectory(
    path: Path | str, *, n_beads: int | None = None, start: int = 0, stop: int | None = None, stride: int = 1
) -> Iterator[TrajectoryFrame]:
    """Frames of a trajectory in any format chemfiles reads.

    A last frame of an XTC, TRR or DCD file that was cut short, as by a full disk, is left out.

    Parameters
    ----------
    path : path
    n_beads : int, optional
        Refuse frames with another number of beads.
    start, stop, stride : int
        Which frames, as in a slice; not negative.

    Yields
    ------
    TrajectoryFrame

    Raises
    ------
    InputFileError
        A file that is missing, unreadable or damaged, or a frame with another number of beads.
    SettingsError
        A negative ``start``, ``stop`` or ``stride``.
    """
    path = Path(path)
    if start < 0 or stride < 1 or (stop is not None and stop < 0):
        raise SettingsError(f"no frames {start}:{stop}:{stride}", hint="start and stop from 0, stride from 1")
    if not path.is_file():
        raise InputFileError("no such trajectory", where=str(path))
    kind = path.suffix.lower()
    whole = scan_frames(path).n_frames if kind in RESUMABLE else None
    clock = read_dcd_clock(path) if kind == ".dcd" and whole else None
    if whole == 0:
        return
    chemfiles = chemfiles_module()
    with chemfiles_failures(path, "cannot read the trajectory"), chemfiles.Trajectory(str(path)) as file:
        last = file.nsteps if whole is None else min(whole, file.nsteps)
        for number in range(start, last if stop is None else min(stop, last), stride):
            yield _frame(file.read_step(number), number, n_beads, clock, path)


def _frame(frame: object, number: int, n_beads: int | None, clock: DcdClock | None, path: Path) -> TrajectoryFrame:
    from chemfiles import Frame

    assert isinstance(frame, Frame)
    positions = np.array(frame.positions, dtype=np.float64) / _ANGSTROM_PER_NM
    if n_beads is not None and len(positions) != n_beads:
        raise InputFileError(
            f"frame {number} holds {len(positions)} beads, the system {n_beads}",
            where=str(path),
            hint="of another system?",
        )
    time, step = float("nan"), int(frame.step)
    # chemfiles gives the times of a DCD in CHARMM's unit, and as if every file began at 0.
    if clock is not None and clock.time_step > 0:
        step = clock.step(number)
        time = step * clock.time_step
    elif clock is None and "time" in frame.list_properties():
        time = float(frame["time"])
    return TrajectoryFrame(
        positions=positions,
        box=np.array(frame.cell.lengths, dtype=np.float64) / _ANGSTROM_PER_NM,
        velocities=np.array(frame.velocities, dtype=np.float64) / _ANGSTROM_PER_NM if frame.has_velocities() else None,
        time=time,
        step=step,
    )
