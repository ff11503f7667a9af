"""What ``--json`` and stderr say of a molecule or a liquid that gave no number."""

from __future__ import annotations

from typing import Any, Final

from topdown.errors import (
    BeadTableError,
    InputFileError,
    MappingError,
    MoleculeError,
    SamplingError,
    SettingsError,
    SimulationError,
    TopdownError,
)

_CODES: Final[tuple[tuple[type[TopdownError], str], ...]] = (
    (BeadTableError, "E_TABLE"),
    (MappingError, "E_MAPPING"),
    (SettingsError, "E_SETTING"),
    (InputFileError, "E_FILE"),
    (SimulationError, "E_RUN"),
    (SamplingError, "E_SAMPLING"),
)


def refusal_code(error: TopdownError) -> str:
    """The code of a SMILES that is refused, else one by the kind of error; E_OTHER for none of them."""
    if isinstance(error, MoleculeError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), "E_OTHER")


def refusal_object(error: TopdownError) -> dict[str, Any]:
    """``{code, message}``."""
    where = f"{error.where}: " if error.where and not isinstance(error, MoleculeError) else ""
    return {"code": refusal_code(error), "message": where + error.message + (f" ({error.hint})" if error.hint else "")}
