"""Coordinates from bonded terms: every published lipid gets its bond lengths, angles and an upright shape."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building.bonded_energy import bonded_energy, bonded_terms, torsions
from topdown.building.conformation import conformation_of, initial_conformation, path_lengths
from topdown.building.lipids import (
    AREA_PER_LIPID,
    DEFAULT_AREA,
    hanging_lipid,
    head_bead,
    starting_area,
    starting_areas,
    tail_ends,
)
from topdown.errors import TopologyError
from topdown.model import Angle, Bead, Bond, CGMolecule, Constraint, Dihedral, VirtualSite
from topdown.tables import load_bead_table, load_molecule

LIPIDS = [
    ("martini2", "DPPC"), ("martini2", "POPC"), ("martini2", "POPG"), ("martini2", "DPSM"), ("martini2", "DOPE"),
    ("martini3", "POPC"), ("martini3", "DLPC"), ("martini3", "POPS"), ("martini3", "PSM"),
]  # fmt: skip


def lengths_of(molecule: CGMolecule, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    terms = (*molecule.bonds, *molecule.constraints)
    have = np.array([np.linalg.norm(x[t.atoms[0]] - x[t.atoms[1]]) for t in terms])
    return have, np.array([t.length for t in terms])


@pytest.mark.parametrize(("table", "name"), LIPIDS)
def test_lipid_satisfies_its_terms_and_hangs_from_its_head(table: str, name: str) -> None:
    lipid, beads = load_molecule(table, name), load_bead_table(table)
    head = head_bead(lipid, beads)
    x = initial_conformation(lipid, root=head)
    have, want = lengths_of(lipid, x)
    np.testing.assert_allclose(have, want, atol=0.005)
    for angle in lipid.angles:
        u, v = x[angle.atoms[0]] - x[angle.atoms[1]], x[angle.atoms[2]] - x[angle.atoms[1]]
        cosine = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
        assert abs(cosine - np.cos(np.radians(angle.angle))) < 0.15
    ends = list(tail_ends(lipid, beads))
    assert len(ends) == 2
    assert x[head, 2] == x[:, 2].max()
    assert x[ends, 2].max() < x[head, 2] - 1.2


@pytest.mark.parametrize(("table", "name"), LIPIDS)
def test_squeezed_lipid_is_as_tall_as_its_leaflet_and_keeps_its_bonds(table: str, name: str) -> None:
    lipid, beads = load_molecule(table, name), load_bead_table(table)
    x = hanging_lipid(lipid, beads, AREA_PER_LIPID.get(name, DEFAULT_AREA))
    have, want = lengths_of(lipid, x)
    np.testing.assert_allclose(have, want, rtol=0.1)
    assert x[:, 2].min() == pytest.approx(0.0)
    assert 1.5 < x[head_bead(lipid, beads), 2] < 2.6


def test_head_of_a_lipid_is_its_outermost_polar_bead() -> None:
    for table, name, head in (("martini2", "DPPC", "NC3"), ("martini2", "POPG", "GL0"), ("martini3", "POPS", "CNO")):
        lipid = load_molecule(table, name)
        assert lipid.beads[head_bead(lipid, load_bead_table(table))].name == head


def test_molecule_without_head_or_tail_is_no_lipid() -> None:
    table = load_bead_table("martini2")
    with pytest.raises(TopologyError, match="only apolar"):
        head_bead(load_molecule("martini2", "HD"), table)
    with pytest.raises(TopologyError, match="only polar"):
        head_bead(load_molecule("martini2", "W"), table)


def test_ring_closes_into_an_equilateral_triangle() -> None:
    benzene = load_molecule("martini2", "BENZ")
    x = initial_conformation(benzene)
    have, want = lengths_of(benzene, x)
    np.testing.assert_allclose(have, want, atol=1e-3)


def test_fused_rings_are_found_from_constraints_alone() -> None:
    # Five beads, nine distances: two tetrahedra on a common face.
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4)]
    cage = CGMolecule(
        name="CAGE",
        beads=tuple(Bead(name=f"B{i}", bead_type="SC1") for i in range(5)),
        constraints=tuple(Constraint(atoms=edge, length=0.3) for edge in edges),
        exclusions=((3, 4),),
    )
    have, want = lengths_of(cage, initial_conformation(cage))
    np.testing.assert_allclose(have, want, atol=2e-3)


@pytest.mark.parametrize("phase", [60.0, -60.0])
def test_improper_keeps_its_sign(phase: float) -> None:
    chain = CGMolecule(
        name="TWIST",
        beads=tuple(Bead(name=f"B{i}", bead_type="C1") for i in range(4)),
        bonds=tuple(Bond(atoms=(i, i + 1), length=0.47, force_constant=1250.0) for i in range(3)),
        dihedrals=(Dihedral(atoms=(0, 1, 2, 3), angle=phase, force_constant=50.0),),
    )
    x = initial_conformation(chain)
    assert np.degrees(torsions(x, np.array([[0, 1, 2, 3]])))[0] == pytest.approx(phase, abs=3.0)


def test_chain_without_angles_is_stretched_along_z() -> None:
    n = 8
    chain = CGMolecule(
        name="CHAIN",
        beads=tuple(Bead(name=f"B{i}", bead_type="C1") for i in range(n)),
        bonds=tuple(Bond(atoms=(i, i + 1), length=0.47, force_constant=1250.0) for i in range(n - 1)),
    )
    x = initial_conformation(chain)
    assert np.ptp(x[:, 2]) > 0.8 * 0.47 * (n - 1)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)


def test_same_molecule_gives_the_same_coordinates_and_own_positions_win() -> None:
    lipid = load_molecule("martini3", "POPC")
    np.testing.assert_array_equal(initial_conformation(lipid), initial_conformation(lipid))
    placed = lipid.with_positions(np.arange(36, dtype=float).reshape(12, 3))
    np.testing.assert_array_equal(conformation_of(placed), placed.positions)


def test_single_bead_sits_at_the_origin_and_loose_beads_are_refused() -> None:
    np.testing.assert_array_equal(initial_conformation(load_molecule("martini2", "W")), np.zeros((1, 3)))
    loose = CGMolecule(name="PAIR", beads=(Bead(name="A", bead_type="C1"), Bead(name="B", bead_type="C1")))
    with pytest.raises(TopologyError, match="not connected"):
        path_lengths(loose)


STEROLS = [("martini2", "CHOL"), ("martini2", "CHOL_RIGID"), ("martini3", "CHOL")]


def out_of_plane(x: np.ndarray, site: VirtualSite) -> np.ndarray:
    """Where a site of construction 3 or 3out belongs, from the definition."""
    i, j, k = (x[atom] for atom in site.atoms)
    a, b, c = (*site.parameters, 0.0)[:3]
    return i + a * (j - i) + b * (k - i) + c * np.cross(j - i, k - i)


@pytest.mark.parametrize(("table", "name"), STEROLS)
@pytest.mark.parametrize("standing", [False, True])
def test_sterol_has_its_sites_in_place_its_frame_rigid_and_its_hydroxyl_on_top(
    table: str, name: str, standing: bool
) -> None:
    sterol, beads = load_molecule(table, name), load_bead_table(table)
    x = hanging_lipid(sterol, beads, 0.40) if standing else initial_conformation(sterol)
    for site in sterol.virtual_sites:
        np.testing.assert_allclose(x[site.site], out_of_plane(x, site), atol=1e-12)
    have, want = lengths_of(sterol, x)
    np.testing.assert_allclose(have, want, atol=2e-3 if standing else 1e-5)
    names = [bead.name for bead in sterol.beads]
    head, tail = names.index("ROH"), names.index("C2")
    assert head_bead(sterol, beads) == head
    assert tail_ends(sterol, beads) == (tail,)
    assert x[head, 2] == x[:, 2].max()
    assert x[head, 2] - x[tail, 2] > (1.0 if standing else 1.4)
    terms = bonded_terms([(sterol, 1)])
    assert bonded_energy(x, terms)[0] < 0.1  # also the angle and the dihedral that hold the tail of martini3's


def test_gradient_with_virtual_sites_is_that_of_the_beads_they_are_built_from() -> None:
    sterol = load_molecule("martini3", "CHOL")
    terms = bonded_terms([(load_molecule("martini3", "W"), 1), (sterol, 2)])
    rng = np.random.default_rng(3)
    x = rng.normal(size=(19, 3))

    def energy(at: np.ndarray) -> float:
        return bonded_energy(terms.place(at), terms)[0]

    placed = terms.place(x)
    _, gradient = bonded_energy(placed, terms)
    terms.hand_on(placed, gradient)
    sites = {1 + copy * 9 + v.site for v in sterol.virtual_sites for copy in (0, 1)}
    assert not gradient[sorted(sites)].any()
    for bead in (2, 3, 8, 11, 18):
        for axis in range(3):
            step = np.zeros_like(x)
            step[bead, axis] = 1e-6
            slope = (energy(x + step) - energy(x - step)) / 2e-6
            assert gradient[bead, axis] == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_bead_bound_to_nothing_but_a_virtual_site_is_reached_through_it() -> None:
    square = CGMolecule(
        name="SQUARE",
        beads=(*(Bead(name=f"B{i}", bead_type="SC1") for i in range(4)), Bead(name="V", bead_type="SC1", mass=0.0)),
        bonds=(Bond(atoms=(3, 4), length=0.40, force_constant=1250.0),),
        constraints=tuple(Constraint(atoms=pair, length=0.3) for pair in ((0, 1), (1, 2), (0, 2))),
        virtual_sites=(VirtualSite(site=4, construction="n", atoms=(0, 1, 2), parameters=(1.0, 1.0, 1.0)),),
    )
    x = initial_conformation(square)
    np.testing.assert_allclose(x[4], x[:3].mean(axis=0), atol=1e-12)
    assert np.linalg.norm(x[3] - x[4]) == pytest.approx(0.40, abs=2e-3)
    assert path_lengths(square)[3, 0] == pytest.approx(0.40 + 0.3 / np.sqrt(3), abs=1e-3)


def test_own_positions_get_their_sites_placed() -> None:
    sterol = load_molecule("martini3", "CHOL")
    good = initial_conformation(sterol)
    moved = np.array(good)
    moved[0] += 0.1
    np.testing.assert_allclose(conformation_of(sterol.with_positions(moved)), good, atol=1e-12)


def test_tabulated_angles_do_not_bend_the_start() -> None:
    def chain(**terms: object) -> CGMolecule:
        return CGMolecule(
            name="CHAIN",
            beads=tuple(Bead(name=f"B{i}", bead_type="C1") for i in range(4)),
            bonds=tuple(Bond(atoms=(i, i + 1), length=0.47, force_constant=1250.0) for i in range(3)),
            **terms,  # type: ignore[arg-type]
        )

    angle = Angle(atoms=(0, 1, 2), angle=0.0, force_constant=50.0, function=8)
    np.testing.assert_array_equal(initial_conformation(chain(angles=(angle,))), initial_conformation(chain()))


def test_start_areas_follow_the_lipid_and_not_its_name() -> None:
    assert starting_area(load_molecule("martini2", "DLPC")) == AREA_PER_LIPID["DLPC"] == 0.61
    assert starting_area(load_molecule("martini3", "DUPC")) == pytest.approx(0.61 - 0.034)
    assert starting_area(load_molecule("martini2", "DIPC")) == AREA_PER_LIPID["DIPC"] == 0.70
    assert starting_area(load_molecule("martini3", "DLPC")) == pytest.approx(0.70 - 0.034)


def test_start_areas_are_those_of_the_model() -> None:
    assert starting_area(load_molecule("martini3", "POPC")) == 0.60
    assert starting_area(load_molecule("martini2", "POPC")) == AREA_PER_LIPID["POPC"] == 0.65


def test_a_leaflet_with_cholesterol_starts_condensed() -> None:
    popc, chol = load_molecule("martini3", "POPC"), load_molecule("martini3", "CHOL")
    mixed = starting_areas(((popc, 7.0), (chol, 3.0)))
    assert 0.7 * mixed["POPC"] + 0.3 * mixed["CHOL"] == pytest.approx(0.468, abs=0.003)
    assert mixed["POPC"] / mixed["CHOL"] == pytest.approx(starting_area(popc) / starting_area(chol))
    assert starting_areas(((popc, 2.0),)) == {"POPC": starting_area(popc)}
    assert starting_areas(((chol, 1.0),)) == {"CHOL": pytest.approx(starting_area(chol))}
    both = starting_areas(((popc, 7.0), (chol, 3.0)), ((popc, 1.0),))
    assert both["POPC"] == pytest.approx((mixed["POPC"] + starting_area(popc)) / 2)
    old = load_molecule("martini2", "CHOL"), load_molecule("martini2", "POPC")
    assert starting_areas(((old[0], 1.0), (old[1], 1.0))) == {m.name: starting_area(m) for m in old}, (
        "not measured there"
    )
    assert starting_area(load_molecule("martini3", "POPC_2021")) == AREA_PER_LIPID["POPC"]
    for table, name in (("martini2", "CHOL_RIGID"), ("martini3", "CHOL")):
        assert starting_area(load_molecule(table, name)) == AREA_PER_LIPID["CHOL"]
