"""The engine against stored GROMACS double-precision single points, with topologies from our own tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.engine import potential_energy
from topdown.model import BeadTable
from topdown.tables import load_bead_table

SYSTEMS = ["w400c1", "w1600", "hd1000", "oco2000", "popc128", "popcchol"]


#: σ [nm], ε [kJ/mol] → C6, C12 with the five digits Martini 2 was published with (Marrink et al. 2007), some cut, some rounded
PUBLISHED = {
    (0.47, 5.6): (0.24145, 0.0026027),
    (0.47, 5.0): (0.21558, 0.0023238),
    (0.47, 4.5): (0.19402, 0.0020914),
    (0.47, 4.0): (0.17246, 0.0018590),
    (0.47, 3.5): (0.15091, 0.0016267),
    (0.47, 2.7): (0.11642, 0.0012549),
    (0.47, 2.0): (0.086233, 0.00092953),
    (0.62, 2.0): (0.45440, 0.025810),
}


def _published(table: BeadTable) -> BeadTable:
    """Martini 2 as GROMACS reads it from its published C6 and C12."""
    levels = np.stack([table.sigma, table.epsilon], axis=-1).reshape(-1, 2)
    c6, c12 = np.array([PUBLISHED[sigma, epsilon] for sigma, epsilon in levels.tolist()]).T.reshape(
        2, *table.sigma.shape
    )
    return replace(table, sigma=(c12 / c6) ** (1 / 6), epsilon=c6**2 / (4 * c12))


def _compare(terms, reference, *, relative: float, force: float) -> None:
    ours = {
        "Bond": terms.bond,
        "angles": terms.angle,
        "Improper Dih.": terms.dihedral,
        "LJ (SR)": terms.lj,
        "Coulomb (SR)": terms.coulomb,
        "Potential": terms.potential,
    }
    theirs = {name: reference.energies.get(name, 0.0) for name in ours}
    theirs["angles"] = reference.energies.get("G96Angle", 0.0) + reference.energies.get("Angle", 0.0)
    assert ours == pytest.approx(theirs, rel=relative, abs=1e-9)
    assert np.sqrt(np.mean((terms.forces - reference.forces) ** 2)) < force
    if any(molecule.constraints for molecule, _ in reference.system.components):
        return  # GROMACS's virial holds the forces of constraints, which a single point of ours does not have
    scale = np.abs(reference.virial).max()
    assert np.abs(terms.virial - reference.virial).max() < 10 * relative * scale


@pytest.mark.parametrize("name", SYSTEMS)
def test_martini3_terms_and_forces_match_gromacs(name, reference):
    expected = reference(name)
    # float32 storage rounds forces of order 100 to 4e-6
    _compare(potential_energy(expected.system), expected, relative=1e-8, force=1e-5)


def test_martini2_matches_with_the_published_digits(reference):
    expected = reference("dppc128_m2")
    system = replace(expected.system, table=_published(expected.system.table))
    _compare(potential_energy(system), expected, relative=1e-8, force=1e-5)


def test_martini2_level_values_differ_from_the_published_digits_by_rounding_only(reference):
    expected = reference("dppc128_m2")
    lj = potential_energy(expected.system).lj
    assert lj == pytest.approx(expected.energies["LJ (SR)"], rel=5e-5)
    assert lj != pytest.approx(expected.energies["LJ (SR)"], rel=1e-7)


def test_a_wrong_pair_is_noticed(reference):
    expected = reference("oco2000")
    table = load_bead_table("martini3").subset(["SC2", "SP1"]).with_epsilon({("SC2", "SP1"): 1.7501})
    with pytest.raises(AssertionError):
        _compare(potential_energy(replace(expected.system, table=table)), expected, relative=1e-8, force=1e-5)
