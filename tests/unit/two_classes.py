"""Two classes of beads in two sizes, and a linear world of liquids made of them."""

import numpy as np

from topdown.calibration.class_liquids import FactorPrior, FactorSpace, LiquidValue
from topdown.model import BeadTable, BeadType

#: Two classes in two sizes, and a bead of a solvent.
TYPES = (("C01", "C01", "R"), ("P01", "P01", "R"), ("SC01", "C01", "S"), ("SP01", "P01", "S"), ("W", "W", "R"))


def class_table() -> BeadTable:
    types = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in TYPES)  # type: ignore[arg-type]
    return BeadTable(name="t", bead_types=types, epsilon=np.full((5, 5), 3.0), sigma=np.full((5, 5), 0.45))


#: Places of the two classes.
PLACES = np.array([[0.8, 0.6], [0.2, 0.5]])
#: Classes tied to nothing.
ALONE = FactorPrior(places=(0.0, 0.0), classes=(0.05, 0.25), sizes=(0.03, 0.15))
SPACE = FactorSpace(("C01", "P01"), class_table(), PLACES, ALONE)


def liquids(x: np.ndarray) -> list[LiquidValue]:
    """A linear world: ln of every value moves along fixed slopes from 100."""
    contents = [
        [("C01", "C01")],
        [("P01", "P01")],
        [("C01", "C01"), ("C01", "SP01"), ("SP01", "SP01")],
        [("P01", "P01"), ("P01", "SC01"), ("SC01", "SC01")],
        [("SP01", "SP01"), ("W", "SP01")],
    ]
    found = []
    for k, pairs in enumerate(contents):
        for quantity, by_epsilon, by_sigma in (("density", 0.3, -2.5), ("surface_tension", 2.9, -2.0)):
            shares = np.full(len(pairs), 1.0 / len(pairs))
            rows = SPACE.row(pairs, by_sigma * shares), SPACE.row(pairs, by_epsilon * shares)
            found.append(
                LiquidValue(
                    smiles=f"{k}",
                    quantity=quantity,  # type: ignore[arg-type]
                    value=100.0 * float(np.exp(np.concatenate(rows) @ x)),
                    error=0.01,
                    alarm="",
                    pairs=tuple(pairs),
                    by_epsilon=tuple(by_epsilon * shares),
                    by_sigma=tuple(by_sigma * shares),
                )
            )
    return found
