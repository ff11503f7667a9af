"""Bonded terms by the practice of published models: lengths, hinges, exclusions, and nothing that flips."""

import itertools
import math

import numpy as np
import pytest
from rdkit import Chem

from topdown.mapping import map_molecule
from topdown.mapping.conformers import BeadEnsemble, conformers, flat_positions, superposed
from topdown.mapping.geometry import BOND_RANGE, bonded_terms
from topdown.mapping.stability import SHORTEST_PERIOD, Skeleton, independent_constraints, shortest_period
from topdown.tables import load_bead_table
from topdown.units import kt

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")

#: Ring models of Alessandri et al., Adv. Theory Simul. 5, 2100391 (2022), doi:10.1002/adts.202100391: partition, and
#: constraint lengths [nm] between beads in that order, from centres of geometry.
PUBLISHED = {
    "c1ccc2ccccc2c1": (
        ((0, 9), (1, 2), (3, 8), (4, 5), (6, 7)),
        {(0, 1): 0.294, (0, 4): 0.416, (1, 4): 0.509, (1, 3): 0.416, (3, 4): 0.294},
    ),
    "c1ccccc1": (((0, 1), (2, 3), (4, 5)), {(0, 1): 0.290, (0, 2): 0.290, (1, 2): 0.290}),
    "CCc1cccc2ccccc12": (
        ((0, 1), (2, 3), (4, 5), (6, 11), (7, 8), (9, 10)),
        {(1, 2): 0.255, (1, 5): 0.447, (2, 5): 0.511, (2, 4): 0.416, (4, 5): 0.286},
    ),
}


def ensemble_of(mol, groups, seed=1):
    from topdown.mapping.conformers import bead_ensemble

    return bead_ensemble(mol, groups, seed=seed, with_hydrogens=True)


@pytest.mark.parametrize("smiles", PUBLISHED)
def test_rings_have_the_published_lengths(smiles):
    groups, lengths = PUBLISHED[smiles]
    mol = Chem.MolFromSmiles(smiles)
    terms = bonded_terms(mol, groups, [36.0] * len(groups), ensemble_of(mol, groups))
    assert len(terms.constraints) == len(lengths)
    for constraint in terms.constraints:
        # Of the two diagonals of a rectangle either will do.
        assert constraint.length == pytest.approx(lengths.get(constraint.atoms, 0.509), abs=0.012)


@pytest.mark.parametrize(("smiles", "length"), [("Cc1ccccc1", 0.330), ("Nc1ccccc1", 0.312), ("Oc1ccccc1", 0.285)])
def test_shared_atoms_put_beads_where_published_models_have_them(smiles, length):
    """Toluene, aniline, phenol: the substituted bead shares both ortho carbons, the others share the para carbon."""
    groups = ((0, 1, 2, 6), (2, 3, 4), (4, 5, 6))
    mol = Chem.MolFromSmiles(smiles)
    terms = bonded_terms(mol, groups, [54.0, 36.0, 36.0], ensemble_of(mol, groups))
    found = {c.atoms: c.length for c in terms.constraints}
    assert found[0, 1] == found[0, 2] == pytest.approx(length, abs=0.005)


def test_ethylnaphthalene_hangs_its_ethyl_by_two_springs():
    """As published: bonds of 0.261 and 0.376 nm to a corner and to the site, an improper, and exclusions of everything."""
    smiles = "CCc1cccc2ccccc12"
    groups, _ = PUBLISHED[smiles]
    mol = Chem.MolFromSmiles(smiles)
    terms = bonded_terms(mol, groups, [36.0] * 6, ensemble_of(mol, groups))
    assert {b.atoms for b in terms.bonds} == {(0, 1), (0, 3)}
    assert [b.length for b in terms.bonds] == pytest.approx([0.261, 0.376], abs=0.012)
    assert terms.masses == (36.0, 45.0, 45.0, 0.0, 45.0, 45.0)
    (site,) = terms.virtual_sites
    assert (site.site, set(site.atoms), len(set(site.parameters))) == (3, {1, 2, 4, 5}, 1)
    excluded = set(terms.exclusions) | {t.atoms for t in (*terms.bonds, *terms.constraints)}
    assert excluded == set(itertools.combinations(range(6), 2))
    assert sum(d.function == 2 for d in terms.dihedrals) == 2


def test_biphenyl_turns_about_its_bond_by_a_dihedral_that_cannot_become_singular():
    molecule = map_molecule("c1ccc(-c2ccccc2)cc1", M3)
    (torsion,) = [d for d in molecule.dihedrals if d.function == 1]
    assert torsion.multiplicity in (2, 4)
    x = molecule.positions
    for a, b, c in (torsion.atoms[:3], torsion.atoms[1:]):
        u, v = x[a] - x[b], x[c] - x[b]
        angle = math.degrees(math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
        assert 45 < angle < 135
    rings = [(0, 1, 2), (3, 4, 5)]
    assert set(itertools.product(*rings)) <= set(molecule.excluded_pairs())


@pytest.mark.parametrize("conformers", [True, False])
@pytest.mark.parametrize(
    "smiles",
    [
        "c1ccc2cc3ccccc3cc2c1",
        "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
        "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
        "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
        "CC(C)(C)c1cc(O)cc(c1)C(C)(C)C",
        "C1CCC2(CC1)CCCCC2",
        "c1ccc(cc1)C#Cc1ccccc1",
        "C12C3C4C1C5C2C3C45",
        "C1CCCCCCCCCCCC1",
    ],
)
def test_models_are_sound(smiles, conformers):
    molecule = map_molecule(smiles, M3, conformers=conformers)
    masses = tuple(bead.mass for bead in molecule.beads)
    if conformers:
        _, redundant = independent_constraints(molecule.positions, masses, molecule.constraints)
        assert not redundant
        body = Skeleton(
            positions=molecule.positions,
            masses=masses,
            constraints=molecule.constraints,
            sites=molecule.virtual_sites,
        )
        terms = (molecule.bonds, molecule.angles, molecule.dihedrals)
        assert shortest_period(body, terms) >= 0.999 * SHORTEST_PERIOD
    proper = {t for d in molecule.dihedrals if d.function == 1 for t in (d.atoms[:3], d.atoms[1:])}
    for angle in molecule.angles:
        if angle.atoms in proper or angle.atoms[::-1] in proper:
            assert angle.function == 10
    assert all(b.force_constant <= BOND_RANGE[1] for b in molecule.bonds)
    # Massless beads are exactly the sites, and none is constrained (CGMolecule refuses it).
    assert {k for k, m in enumerate(masses) if m == 0} == {v.site for v in molecule.virtual_sites}


def test_equivalent_terms_have_equal_numbers():
    molecule = map_molecule("CC(=O)Nc1ccc(O)cc1", M3)
    lengths = {c.atoms: c.length for c in molecule.constraints}
    assert lengths[1, 3] == lengths[2, 3]
    assert molecule.bonds[0].length == molecule.bonds[1].length


def test_martini2_sits_at_centres_of_mass_of_heavy_atoms():
    benzene = map_molecule("c1ccccc1", M2)
    # Midpoints of alternate C-C bonds of 0.1395 nm: sides of √3/2·0.1395·√3 nm.
    assert benzene.constraints[0].length == pytest.approx(1.5 * 0.1395, abs=0.003)


def test_fits_of_dynamics_recover_what_was_put_in():
    """Beads of octane at distances drawn from r² exp(-k/2kT (r - r0)²)."""
    mol = Chem.MolFromSmiles("CCCCCCCC")
    r0, k = 0.47, 2600.0
    rng = np.random.default_rng(4)
    spread = math.sqrt(kt(310.0) / k)
    grid = np.linspace(r0 - 6 * spread, r0 + 6 * spread, 20_001)
    c = np.cumsum(grid**2 * np.exp(-0.5 * ((grid - r0) / spread) ** 2))
    r = np.interp(rng.uniform(0, c[-1], 4000), c, grid)
    x = np.zeros((4000, 2, 3))
    x[:, 1, 0] = r
    ensemble = BeadEnsemble(positions=x, weights=np.full(4000, 1 / 4000), temperature=310.0, thermal=True)
    (bond,) = bonded_terms(mol, ((0, 1, 2, 3), (4, 5, 6, 7)), [72.0, 72.0], ensemble).bonds
    assert bond.length == pytest.approx(r0, abs=5 * spread / math.sqrt(4000))
    assert bond.force_constant == pytest.approx(k, rel=5 * math.sqrt(2 / 4000))


def test_stiff_distances_of_dynamics_become_constraints():
    mol = Chem.MolFromSmiles("CCCCCCCC")
    x = np.zeros((500, 2, 3))
    x[:, 1, 0] = 0.4 + 0.004 * np.random.default_rng(1).standard_normal(500)
    ensemble = BeadEnsemble(positions=x, weights=np.full(500, 1 / 500), thermal=True)
    terms = bonded_terms(mol, ((0, 1, 2, 3), (4, 5, 6, 7)), [72.0, 72.0], ensemble)
    assert not terms.bonds
    assert terms.constraints[0].length == pytest.approx(0.4, abs=0.001)


def test_chains_of_dynamics_turn_by_restricted_angles_and_dihedrals():
    """Four beads with angles about 110 degrees and a preference for gauche: a dihedral, whose angles are of function 10."""
    mol = Chem.MolFromSmiles("C" * 16)
    rng = np.random.default_rng(5)
    n, bond = 3000, 0.45
    theta = np.radians(110.0) + 0.08 * rng.standard_normal((n, 2))
    phi = np.radians(60.0) + 0.25 * rng.standard_normal(n)
    phi *= rng.choice([-1.0, 1.0], n)
    x = np.zeros((n, 4, 3))
    x[:, 0] = bond * np.column_stack([np.cos(theta[:, 0]), np.sin(theta[:, 0]), np.zeros(n)])
    x[:, 2, 0] = bond
    bend = np.pi - theta[:, 1]
    x[:, 3] = x[:, 2] + bond * np.column_stack([np.cos(bend), np.sin(bend) * np.cos(phi), np.sin(bend) * np.sin(phi)])
    ensemble = BeadEnsemble(positions=x, weights=np.full(n, 1 / n), thermal=True)
    groups = [tuple(range(4 * b, 4 * b + 4)) for b in range(4)]
    terms = bonded_terms(mol, groups, [72.0] * 4, ensemble)
    assert {a.function for a in terms.angles} == {10}
    assert all(a.angle == pytest.approx(110.0, abs=2.0) for a in terms.angles)
    assert terms.dihedrals
    angles = np.radians(np.arange(-180, 181))
    energy = sum(
        d.force_constant * (1 + np.cos(d.multiplicity * angles - math.radians(d.angle))) for d in terms.dihedrals
    )
    assert abs(math.degrees(angles[np.argmin(energy)])) == pytest.approx(60.0, abs=15.0)


def test_flat_shapes_are_near_those_of_conformers():
    mol = Chem.MolFromSmiles("c1ccc2ccccc2c1")
    groups, lengths = PUBLISHED["c1ccc2ccccc2c1"]
    x = flat_positions(mol, groups)
    for (i, j), length in lengths.items():
        assert np.linalg.norm(x[i] - x[j]) == pytest.approx(length, rel=0.03)


def test_drawing_leaves_the_molecule_as_it_was():
    mol = Chem.MolFromSmiles("Cc1ccccc1")
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetAtomPosition(0, (1.0, 2.0, 3.0))
    mol.AddConformer(conformer)
    flat_positions(mol, ((0, 1), (2, 3), (4, 5, 6)))
    assert [list(c.GetPositions()[0]) for c in mol.GetConformers()] == [[1.0, 2.0, 3.0]]


def test_superposition_turns_but_never_mirrors():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    np.testing.assert_allclose(superposed(x @ turn.T + 3.0, x), x, atol=1e-12)
    assert np.abs(superposed(x * [1, 1, -1], x) - x).max() > 0.1


def test_conformers_keep_to_their_time(monkeypatch):
    import topdown.mapping.conformers as module

    monkeypatch.setattr(module, "TIME_LIMIT_S", 0.0)
    mol = Chem.MolFromSmiles("CCCCCCCCCC(=O)OCC")
    found = conformers(mol, seed=1)
    # Nothing left for more than the first minimisation.
    assert found is None or len(found[2]) == 1


def test_graph_lengths_count_atoms_in_two_beads_half():
    """Octane: 4 bonds between the beads; heptane, whose beads share the middle carbon: 24/7, as their centres lie."""
    octane, heptane = (map_molecule("C" * n, M3, conformers=False) for n in (8, 7))
    assert octane.bonds[0].length == pytest.approx(4 * 0.118, abs=1e-4)
    assert set(heptane.beads[0].atoms) & set(heptane.beads[1].atoms) == {3}
    assert heptane.bonds[0].length == pytest.approx(24 / 7 * 0.118, abs=1e-4)
