"""Where the frames of a binary trajectory begin and end, so that files can be cut and continued at a frame.

XTC and TRR are sequences of big-endian (XDR) frames that need no header of the file; DCD has one header and frames of one
length, little-endian here. Layouts: GROMACS reference manual, "File formats"; CHARMM and X-PLOR documentation of DCD
(the first record holds 'CORD' and twenty integers, among them the frame count, first step, steps between frames and DELTA).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from topdown.errors import InputFileError

#: Kinds of files that can be cut and continued, by the end of their names.
RESUMABLE: Final = (".xtc", ".trr", ".dcd")
#: CHARMM's unit of time, sqrt(u Å² mol/kcal) [ps].
AKMA_PS: Final = 0.04888821

_XTC_MAGIC, _TRR_MAGIC = 1995, 1993
_DCD_FIRST: Final = struct.Struct("<i4s20ii")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTable:
    """The whole frames of a file.

    Attributes
    ----------
    ends : tuple of int
        First byte behind each whole frame.
    start : int
        Length of the file's header; 0 for XTC and TRR.
    size : int
        Length of the file; larger than the last end when its last frame was cut short.
    """

    ends: tuple[int, ...]
    start: int
    size: int

    @property
    def n_frames(self) -> int:
        """Number of whole frames."""
        return len(self.ends)

    def end_of(self, n_frames: int) -> int:
        """Length of the file with its first ``n_frames`` frames."""
        return self.ends[n_frames - 1] if n_frames else self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class DcdClock:
    """How a DCD file counts: the step of its first frame, steps between frames, and the time step [ps]; 0 when not said."""

    first_step: int
    every: int
    time_step: float

    def step(self, frame: int) -> int:
        """Step of a frame."""
        return self.first_step + frame * self.every


def scan_frames(path: Path) -> FrameTable:
    """Find the whole frames of an XTC, TRR or DCD file, from their headers alone.

    Raises
    ------
    InputFileError
        A file that is missing, of another kind, or damaged before its last frame.
    """
    kind = path.suffix.lower()
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if kind == ".dcd":
                start = _dcd_start(file, path) if size else 0
                lengths = _dcd_lengths(file, start)
            else:
                start, lengths = 0, (_xtc_lengths if kind == ".xtc" else _trr_lengths)(file, path)
            ends, end = [], start
            for length in lengths:
                if end + length > size:
                    break
                end += length
                ends.append(end)
                file.seek(end)
    except OSError as error:
        raise InputFileError(f"cannot read the trajectory: {error.strerror}", where=str(path)) from None
    return FrameTable(ends=tuple(ends), start=start, size=size)


def _damaged(path: Path, file: BinaryIO, what: str) -> InputFileError:
    return InputFileError(
        f"{what} at byte {file.tell()}", where=str(path), hint="the file is damaged or of another kind"
    )


def _xtc_lengths(file: BinaryIO, path: Path) -> Iterator[int]:
    """Magic, beads, step, time, 9 box numbers; then the bead count again and the packed coordinates, padded to four bytes."""
    while len(head := file.read(92)) >= 56:
        magic, beads = struct.unpack_from(">ii", head)
        if magic != _XTC_MAGIC or beads < 0:
            raise _damaged(path, file, "this is no XTC frame")
        if beads <= 9:
            yield 56 + 12 * beads
        elif len(head) == 92:
            packed = struct.unpack_from(">i", head, 88)[0]
            yield 92 + packed + (-packed % 4)
        else:
            return


def _trr_lengths(file: BinaryIO, path: Path) -> Iterator[int]:
    """Magic, a version text, ten sizes of parts, beads, step, an unused number, time and lambda; then the parts."""
    while len(head := file.read(76)) == 76:
        magic, _, text = struct.unpack_from(">iii", head)
        if magic != _TRR_MAGIC or text != 12:
            raise _damaged(path, file, "this is no TRR frame")
        sizes = struct.unpack_from(">10i", head, 24)
        beads = struct.unpack_from(">i", head, 64)[0]
        if min(sizes) < 0 or beads <= 0:
            raise _damaged(path, file, "this is no TRR frame")
        # Numbers are of four or eight bytes; the box has nine, every other part three for each bead.
        real = sizes[2] // 9 if sizes[2] else max(sizes[7:]) // (3 * beads)
        yield 76 + 2 * real + sum(sizes)


def _dcd_record(file: BinaryIO, path: Path) -> bytes:
    """One Fortran record: its length, the bytes, its length."""
    head = file.read(4)
    length = struct.unpack("<i", head)[0] if len(head) == 4 else -1
    body = file.read(length + 4) if 0 <= length < 1 << 24 else b""
    if len(body) != length + 4 or body[length:] != head:
        raise _damaged(path, file, "this is no DCD header")
    return body[:length]


def _dcd_start(file: BinaryIO, path: Path) -> int:
    if _dcd_record(file, path)[:4] != b"CORD":
        raise _damaged(path, file, "this is no DCD header")
    for _ in range(2):  # title, bead count
        _dcd_record(file, path)
    return file.tell()


def _dcd_lengths(file: BinaryIO, start: int) -> Iterator[int]:
    """The cell, x, y and z of a frame: four records whose lengths are those of the first frame."""
    length = 0
    for _ in range(4):
        file.seek(start + length)
        head = file.read(4)
        if len(head) < 4:
            return
        length += struct.unpack("<i", head)[0] + 8
    while True:
        yield length


def read_dcd_clock(path: Path) -> DcdClock:
    """What the header of a DCD file says about time."""
    with path.open("rb") as file:
        head = file.read(_DCD_FIRST.size)
    if len(head) < _DCD_FIRST.size:
        raise InputFileError("this is no DCD header", where=str(path))
    delta = struct.unpack_from("<f", head, 44)[0]
    return DcdClock(
        first_step=struct.unpack_from("<i", head, 12)[0],
        every=struct.unpack_from("<i", head, 16)[0],
        time_step=float(delta) * AKMA_PS,
    )


def dcd_header(header: bytes, *, n_frames: int, clock: DcdClock) -> bytes:
    """``header`` with frame count and times filled in."""
    changed = bytearray(header)
    last = clock.step(n_frames - 1) if n_frames else 0
    struct.pack_into("<4i", changed, 8, n_frames, clock.first_step, clock.every, last)
    struct.pack_into("<f", changed, 44, clock.time_step / AKMA_PS)
    return bytes(changed)
