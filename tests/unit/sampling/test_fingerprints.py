"""What decides a run is in its name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_systems import RARE, STEROL, W, bead_table, table_over_degrees

from topdown.sampling.fingerprints import describe_molecule, describe_table, hash_of


def test_every_term_of_a_molecule_names_its_run() -> None:
    """Virtual sites, restraints, tables and the cut-off's modifier decide a run as much as bonds do."""
    sites = tuple(replace(v, parameters=(9.0, *v.parameters[1:])) for v in STEROL.virtual_sites)
    angles = tuple(replace(a, table=table_over_degrees(4.0)) if a.table else a for a in RARE.angles)
    changed = [
        (STEROL, replace(STEROL, virtual_sites=sites)),
        (RARE, replace(RARE, angles=angles)),
        (RARE, replace(RARE, dihedrals=tuple(replace(d, coefficients=d.coefficients[::-1]) for d in RARE.dihedrals))),
        (RARE, replace(RARE, position_restraints=())),
        (RARE, replace(RARE, flat_bottom_restraints=RARE.flat_bottom_restraints[:1])),
    ]
    for before, after in changed:
        assert hash_of(describe_molecule(before)) != hash_of(describe_molecule(after))
        assert hash_of(describe_molecule(before)) == hash_of(describe_molecule(replace(before, name="other")))
    shifted = bead_table([[1.0]], [[0.5]], lj_modifier="force-shift")
    one = (hash_of(describe_table(table, [W])) for table in (shifted, bead_table([[1.0]], [[0.5]])))
    assert len(set(one)) == 2
    with pytest.raises(TypeError, match="cannot be described"):
        hash_of({"a": object()})
