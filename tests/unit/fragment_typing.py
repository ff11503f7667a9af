"""Types of single fragments, and small bead tables to choose them from."""

import numpy as np
from rdkit import Chem

from topdown.mapping.bead_typing import choose_type
from topdown.model import BeadTable, BeadType, BuildingBlock
from topdown.tables import load_bead_table

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")


def small_table(names, blocks=()):
    types = tuple(
        BeadType(
            name=n,
            chemical_class=n.lstrip("ST"),
            size="S" if n[0] == "S" else "T" if n[0] == "T" else "R",
            mass=72.0,
        )
        for n in names
    )
    flat = np.ones((len(types), len(types)))
    rows = tuple(BuildingBlock(fragment=f, bead_type=t, n_seen=n, source="a paper") for f, t, n in blocks)
    return BeadTable(name="own", bead_types=types, epsilon=flat, sigma=flat * 0.47, building_blocks=rows)


def choose(smiles, group, table, shared=()):
    return choose_type(Chem.MolFromSmiles(smiles), tuple(group), table, shared=frozenset(shared))
