"""Colours of beads by chemical class, the same in every picture."""

from __future__ import annotations

import re
from collections.abc import Sequence

from topdown.model import Bead, CGMolecule

#: Class -> what it is called, and three shades of fill and one of text; hues stay apart for colour-blind eyes.
CLASSES: dict[str, tuple[str, tuple[str, str, str], str]] = {
    "C": ("apolar", ("#8fa3ad", "#b4c2c9", "#6f8894"), "#3c5059"),
    "X": ("halogenated", ("#8cc152", "#b0d68a", "#6fa336"), "#3f6614"),
    "N": ("intermediate", ("#4c9be8", "#86bdf2", "#2f7fcd"), "#1c5a99"),
    "P": ("polar", ("#ef7b5a", "#f5a58d", "#d65c3a"), "#98301b"),
    "Q+": ("positive", ("#8d7be0", "#b1a4ec", "#7361cc"), "#4a379f"),
    "Q-": ("negative", ("#f0c53a", "#f6da82", "#d9aa14"), "#776300"),
    "W": ("water", ("#6cc4d9", "#9bd8e6", "#48acc4"), "#1b6a7d"),
    "?": ("other", ("#c58fc0", "#d9b5d6", "#ad6ea7"), "#6d3468"),
}
_TYPE = re.compile(r"[ST]?([CXNPQDW])(?:\d|[dao]|$)")


def bead_class(bead: Bead) -> str:
    """The key of :data:`CLASSES` for a bead: its charge, else the letter of its type."""
    if bead.charge:
        return "Q+" if bead.charge > 0 else "Q-"
    found = _TYPE.match(bead.bead_type)
    if found is None:
        return "?"
    return {"Q": "Q+", "D": "Q+"}.get(found[1], found[1])


def bead_colors(molecule: CGMolecule) -> list[tuple[str, str]]:
    """(fill, text) of each bead: the hue tells its class, the shade sets it apart from its neighbours of that class."""
    near: list[set[int]] = [set() for _ in molecule.beads]
    for i, j in [*(b.atoms for b in molecule.bonds), *(c.atoms for c in molecule.constraints)]:
        near[i].add(j)
        near[j].add(i)
    classes = [bead_class(bead) for bead in molecule.beads]
    shades: list[int] = []
    for k, own in enumerate(classes):
        taken = [shades[other] for other in near[k] if other < k and classes[other] == own]
        shades.append(min(range(3), key=lambda shade: (taken.count(shade), shade)))
    return [(CLASSES[own][1][shade], CLASSES[own][2]) for own, shade in zip(classes, shades)]


def classes_present(beads: Sequence[Bead]) -> list[str]:
    """The classes of ``beads`` in the order of :data:`CLASSES`."""
    found = {bead_class(bead) for bead in beads}
    return [name for name in CLASSES if name in found]
