"""The NumPy bonded energy: gradient against finite differences, and values that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building.bonded_energy import bonded_energy, bonded_terms, torsions
from topdown.model import Angle, Bead, Bond, CGMolecule, Constraint, Dihedral, TabulatedPotential


def molecule(n: int, **terms: object) -> CGMolecule:
    beads = tuple(Bead(name=f"B{i}", bead_type="C1") for i in range(n))
    return CGMolecule(name="TEST", beads=beads, **terms)  # type: ignore[arg-type]


FULL = molecule(
    5,
    bonds=(Bond(atoms=(0, 1), length=0.47, force_constant=1250.0), Bond(atoms=(1, 2), length=0.3, force_constant=5e3)),
    constraints=(Constraint(atoms=(2, 3), length=0.27), Constraint(atoms=(3, 4), length=0.4)),
    angles=(
        Angle(atoms=(0, 1, 2), angle=120.0, force_constant=25.0, function=2),
        Angle(atoms=(1, 2, 3), angle=100.0, force_constant=40.0, function=1),
        Angle(atoms=(2, 3, 4), angle=110.0, force_constant=30.0, function=10),
    ),
    dihedrals=(
        Dihedral(atoms=(0, 1, 2, 3), angle=30.0, force_constant=15.0, multiplicity=0, function=2),
        Dihedral(atoms=(1, 2, 3, 4), angle=-40.0, force_constant=3.0, multiplicity=3, function=9),
        Dihedral(
            atoms=(0, 1, 2, 3), angle=0.0, force_constant=0.0, function=3, coefficients=(1.0, 2.0, -3.0, 4.0, 5.0, -6.0)
        ),
        Dihedral(
            atoms=(1, 2, 3, 4), angle=0.0, force_constant=2.0, function=11, coefficients=(1.0, 2.0, -3.0, 4.0, 5.0)
        ),
    ),
)


@pytest.mark.parametrize("seed", range(5))
def test_gradient_is_the_derivative_of_the_energy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    terms = bonded_terms([(FULL, 2)])
    x = rng.uniform(0, 1, size=(10, 3))
    _, gradient = bonded_energy(x, terms)
    step = 1e-6
    for bead in range(10):
        for axis in range(3):
            shift = np.zeros_like(x)
            shift[bead, axis] = step
            slope = (bonded_energy(x + shift, terms)[0] - bonded_energy(x - shift, terms)[0]) / (2 * step)
            assert gradient[bead, axis] == pytest.approx(slope, rel=1e-5, abs=1e-3)
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-8)


def test_stretched_bond_and_bent_angle_have_their_textbook_energy() -> None:
    chain = molecule(
        3,
        bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=1000.0),),
        angles=(Angle(atoms=(0, 1, 2), angle=180.0, force_constant=25.0, function=2),),
    )
    bent = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.4, 0.0]])
    energy, _ = bonded_energy(bent, bonded_terms([(chain, 1)]))
    assert energy == pytest.approx(0.5 * 1000.0 * 0.1**2 + 0.5 * 25.0 * 1.0**2)


def test_dihedral_sign_is_iupac() -> None:
    # Looking from the second bead to the third, the fourth is a quarter turn clockwise of the first: +90 degrees.
    x = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert np.degrees(torsions(x, np.array([[0, 1, 2, 3]])))[0] == pytest.approx(90.0)
    trans = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])
    assert abs(np.degrees(torsions(trans, np.array([[0, 1, 2, 3]])))[0]) == pytest.approx(180.0)


def test_terms_of_copies_are_shifted_by_whole_molecules() -> None:
    terms = bonded_terms([(molecule(1), 3), (FULL, 2)])
    assert terms.n_beads == 13
    np.testing.assert_array_equal(terms.pair_atoms[:4], [[3, 4], [4, 5], [5, 6], [6, 7]])
    np.testing.assert_array_equal(terms.pair_atoms[4:], terms.pair_atoms[:4] + 5)
    codes = {(int(code) // 13, int(code) % 13) for code in terms.excluded}
    assert codes == {(3 + k + 5 * copy, 4 + k + 5 * copy) for k in range(4) for copy in range(2)}


def test_polynomial_torsions_have_the_values_of_their_definitions() -> None:
    trans = np.array([[0.4, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.4], [-0.4, 0.0, 0.4]])
    rb = Dihedral(
        atoms=(0, 1, 2, 3), angle=0.0, force_constant=0.0, function=3, coefficients=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    )
    cbt = Dihedral(
        atoms=(0, 1, 2, 3), angle=0.0, force_constant=2.0, function=11, coefficients=(1.0, 2.0, 3.0, 4.0, 5.0)
    )
    energies = [bonded_energy(trans, bonded_terms([(molecule(4, dihedrals=(d,)), 1)]))[0] for d in (rb, cbt)]
    assert energies == pytest.approx([1 + 2 + 3 + 4 + 5 + 6, 2.0 * (1 - 2 + 3 - 4 + 5)])  # cos ψ = 1, cos φ = -1


def test_tabulated_angles_are_left_to_the_engine() -> None:
    table = TabulatedPotential(x=[0.0, 180.0], energy=[0.0, 1.0], slope=[0.0, 0.0])
    tabulated = Angle(atoms=(0, 1, 2), angle=0.0, force_constant=1.0, function=8, table=table)
    cosine = Angle(atoms=(0, 1, 2), angle=120.0, force_constant=25.0)
    terms = bonded_terms([(molecule(3, angles=(tabulated, cosine)), 1)])
    assert terms.angle_atoms.tolist() == [[0, 1, 2]]
    assert terms.angle_constant.tolist() == [25.0]
