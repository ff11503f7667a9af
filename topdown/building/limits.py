"""How many beads a system may have that is built here, so that a slip in a number does not take all memory."""

from __future__ import annotations

from typing import Final

from topdown.errors import SettingsError

#: As many as the engine has been run with. Building and writing a bilayer takes 1.7 kB of memory per bead, running it 0.7 kB.
MOST_BEADS: Final = 1_000_000


def check_bead_count(n_beads: float, what: str, *, hint: str) -> None:
    """Refuse what would be larger than :data:`MOST_BEADS`, before any of it is made.

    Parameters
    ----------
    n_beads : float
        Expected.
    what : str
        Begins the sentence.
    hint : str

    Raises
    ------
    SettingsError
    """
    if n_beads > MOST_BEADS:
        raise SettingsError(f"{what} would hold {n_beads:,.0f} beads, more than the {MOST_BEADS:,} allowed", hint=hint)
