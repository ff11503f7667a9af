"""Where a system that blew up is worst: the bond or constraint furthest from its length, and beads without a position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topdown.model import System


def worst_place(system: System, positions: npt.NDArray[np.float64], box: npt.NDArray[np.float64]) -> str:
    """The bond or constraint most wrong relative to its length, and how many beads have no position any more.

    Parameters
    ----------
    system : System
    positions : (n_beads, 3) float64 [nm]
        May hold numbers that are not finite.
    box : (3,) float64 [nm]

    Returns
    -------
    str
        Fit to follow a message; empty for a system without bonds whose positions are all numbers.
    """
    found: list[tuple[float, str]] = []
    start = molecules_before = 0
    for molecule, count in system.components:
        stop = start + count * molecule.n_beads
        block = positions[start:stop].reshape(count, molecule.n_beads, 3)
        terms = [("bond", t.atoms, t.length) for t in molecule.bonds]
        terms += [("constraint", t.atoms, t.length) for t in molecule.constraints]
        for kind, (i, j), length in terms:
            apart = block[:, i] - block[:, j]
            with np.errstate(invalid="ignore"):
                apart = apart - box * np.rint(apart / box)
            distances = np.sqrt((apart**2).sum(axis=1))
            wrong = np.where(np.isfinite(distances), np.abs(distances - length) / max(length, 0.1), -1.0)
            if wrong.size and wrong.max() >= 0.0:
                k = int(wrong.argmax())
                names = f"{molecule.beads[i].name}-{molecule.beads[j].name}"
                place = f"{kind} {names} of {molecule.name} (molecule {molecules_before + k + 1})"
                found.append((float(wrong[k]), f"worst {place}: {distances[k]:.3g} nm instead of {length:g}"))
        start, molecules_before = stop, molecules_before + count
    parts = [max(found)[1]] if found else []
    lost = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(lost):
        parts.append(f"{len(lost)} beads have no position, bead {lost[0] + 1} the first")
    return "; ".join(parts)
