"""A small table to break."""

import numpy as np
import pytest

from topdown.model import BeadTable, BeadType, NonbondedScheme, Provenance
from topdown.tables import write_bead_table


@pytest.fixture
def small_table() -> BeadTable:
    """Three types with values that have no short decimal form."""
    names = ("C1", "P4", "SQ0")
    epsilon = np.array([[3.5, 2.0 / 3.0, 2.0], [2.0 / 3.0, 5.0, 0.1 + 0.2], [2.0, 0.1 + 0.2, 0.0]])
    sigma = np.array([[0.47, 0.47, 0.62], [0.47, 0.47, 1.41 / 3], [0.62, 1.41 / 3, 0.43]])
    return BeadTable(
        name="small",
        version="7",
        bead_types=tuple(
            BeadType(
                name=name,
                chemical_class=name.removeprefix("S"),
                size="S" if name.startswith("S") else "R",
                mass=72.0,
                charge=-1.0 if name == "SQ0" else 0.0,
                description='a "quoted", description',
            )
            for name in names
        ),
        epsilon=epsilon,
        sigma=sigma,
        scheme=NonbondedScheme(cutoff=1.2, epsilon_r=2.5, epsilon_rf=78.0, lj_modifier="force-shift"),
        provenance=Provenance(source='line\nbreak and "quotes"', licence="Apache-2.0", citation="ζ", parent="martini2"),
    )


@pytest.fixture
def small_folder(small_table, tmp_path):
    """The same table as a folder."""
    return write_bead_table(small_table, tmp_path / "small")
