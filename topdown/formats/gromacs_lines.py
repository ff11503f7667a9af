"""One line of a GROMACS topology, split into columns that are checked as they are read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from topdown.errors import TopologyError


@dataclass(frozen=True, slots=True)
class Fields:
    """The words of one line, the section it stands in, and its file and line."""

    words: tuple[str, ...]
    section: str
    where: str

    def error(self, message: str, hint: str = "") -> TopologyError:
        """An error that names the section and the place."""
        return TopologyError(f"[ {self.section} ] {message}", where=self.where, hint=hint)

    def check_count(self, least: int, most: int) -> None:
        """Refuse a line with fewer than ``least`` or more than ``most`` columns."""
        if not least <= len(self.words) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"needs {wanted} columns, found {len(self.words)}: {' '.join(self.words)!r}")

    def integer(self, k: int) -> int:
        """Column ``k`` (from 0) as a whole number; published files write ``1.0`` too."""
        match = re.fullmatch(r"([+-]?[0-9]+)(\.0*)?", self.words[k])
        if match is None:
            raise self.error(f"column {k + 1} must be a whole number, found {self.words[k]!r}")
        return int(match[1])

    def number(self, k: int) -> float:
        """Column ``k`` (from 0) as a finite number."""
        try:
            value = float(self.words[k].replace("_", "?"))
        except ValueError:
            hint = "a macro that is not defined?" if re.match(r"[A-Za-z_]", self.words[k]) else ""
            raise self.error(f"column {k + 1} must be a number, found {self.words[k]!r}", hint) from None
        if not math.isfinite(value):
            raise self.error(f"column {k + 1} must be finite, found {self.words[k]!r}")
        return value

    def numbers(self, start: int) -> tuple[float, ...]:
        """All columns from ``start`` (from 0) as finite numbers."""
        return tuple(self.number(k) for k in range(start, len(self.words)))
