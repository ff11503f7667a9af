"""Every error a user can cause, under one root.

Leaves also inherit the builtin that fits, so that ``except ValueError`` works, and say *what* is wrong, *where*, and
*what to do* about it. The command line prints ``str(error)`` as one line; nothing here is ever shown as a traceback.
"""

from __future__ import annotations


class TopdownError(Exception):
    """Root of all errors this package raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong.
    where : str, optional
        The file and line, the molecule or the option it was found in.
    hint : str, optional
        What the user can do about it.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(message, where, hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), dict(self.__dict__)))


def _rebuild(kind: type[TopdownError], data: dict[str, object]) -> TopdownError:
    error = kind.__new__(kind)
    error.__dict__.update(data)
    error.args = (data["message"], data["where"], data["hint"])
    return error


class MoleculeError(TopdownError, ValueError):
    """A SMILES that is refused, with one of the codes E_EMPTY, E_SYNTAX, E_CHEM, E_MIXTURE, E_ELEMENT, E_RADICAL,
    E_DUMMY or E_LIMIT."""

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code} {super().__str__()}"


class MappingError(TopdownError, ValueError):
    """Beads or bead types given by the user that do not fit the molecule."""


class BeadTableError(TopdownError, ValueError):
    """A bead table that is missing, unreadable or inconsistent, or a bead type or pair it does not hold."""


class TopologyError(TopdownError, ValueError):
    """A topology or coordinate file, or a molecule, that cannot be used as it stands."""


class InputFileError(TopdownError, ValueError):
    """Any other file given by the user that cannot be read: campaign TOML, CSV, data tables."""


class SettingsError(TopdownError, ValueError):
    """A setting or option out of its range."""


class ResourceError(TopdownError, FileNotFoundError):
    """A file that ships with the package is missing: a broken installation."""


class SimulationError(TopdownError, RuntimeError):
    """A run that failed: blow-up, constraints that do not converge, a box too small for the cut-off."""

    exit_code = 1


class PhaseChangeError(SimulationError):
    """A liquid that was none before a frame of it could be stored; ``kind`` is ``"froze"``, ``"evaporated"`` or ``"broke"``."""

    def __init__(self, message: str, *, kind: str, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.kind = kind


class StorageError(SimulationError):
    """A finished run that cannot be written: no room, no permission."""


class SamplingError(TopdownError, RuntimeError):
    """Samples that do not support the number asked for: too little overlap or too few effective samples."""

    exit_code = 1
