from __future__ import annotations

import numpy as np
import pytest

from topdown.errors import TopologyError
from topdown.model import (
    Bead,
    BeadTable,
    BeadType,
    Bond,
    CGMolecule,
    Constraint,
    System,
    TabulatedPotential,
    VirtualSite,
)

TABLE = BeadTable(
    name="t",
    bead_types=(BeadType(name="C1", chemical_class="C1", size="R", mass=72.0),),
    epsilon=np.ones((1, 1)),
    sigma=np.full((1, 1), 0.47),
)


def _chain(n: int, bonds: list[tuple[int, int]], **more) -> CGMolecule:
    sites = {v.site for v in more.get("virtual_sites", ())}
    return CGMolecule(
        name="chain",
        beads=tuple(Bead(name=f"B{k}", bead_type="C1", mass=0.0 if k in sites else 72.0) for k in range(n)),
        bonds=tuple(Bond(atoms=pair, length=0.4, force_constant=100.0) for pair in bonds),
        **more,
    )


def _site(site: int, *atoms: int, kind: str = "n") -> VirtualSite:
    return VirtualSite(site=site, construction=kind, atoms=atoms, parameters=(1.0,) * len(atoms))


def test_the_tree_follows_bonds_and_hangs_strays_on_the_first_bead():
    assert _chain(5, [(0, 2), (2, 1), (3, 4)]).spanning_tree() == ((0, 2), (2, 1), (0, 3), (3, 4))
    assert _chain(1, []).spanning_tree() == ()


def test_the_tree_reaches_a_virtual_site_from_its_beads():
    assert (1, 2) in _chain(4, [(0, 1)], virtual_sites=(_site(2, 1, 3),)).spanning_tree()


def test_a_chain_longer_than_half_the_box_is_put_together():
    straight = np.zeros((8, 3))
    straight[:, 0] = 0.4 * np.arange(8)
    broken = straight % 2.0
    chain = _chain(8, [(k, k + 1) for k in range(7)])
    system = System(
        table=TABLE, components=((chain, 2),), positions=np.concatenate([broken, broken + 0.25]), box=[2.0] * 3
    )
    whole = system.whole().positions
    np.testing.assert_allclose(whole[:8], straight, atol=1e-12)
    np.testing.assert_allclose(whole[8:], straight + 0.25, atol=1e-12)
    assert np.array_equal(system.whole().whole().positions, whole)


def test_sites_are_ordered_so_that_each_is_built_from_beads_already_placed():
    molecule = _chain(5, [(0, 1)], virtual_sites=(_site(2, 3, 4), _site(3, 0, 1), _site(4, 0, 1, 3)))
    assert [v.site for v in molecule.construction_order()] == [3, 4, 2]


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ((_site(2, 3), _site(3, 2)), "virtual sites 3, 4 are built from one another"),
        ((_site(2, 0), _site(2, 1)), "placed twice"),
        ((_site(2, 0, 1, 3, kind="3"),), "needs 3 beads and 2 parameters"),
        ((_site(2, 0, 7),), "does not fit a molecule of 4 beads"),
        ((VirtualSite(site=2, construction="n", atoms=(0, 1), parameters=(1.0, -1.0)),), "add up to zero"),
    ],
)
def test_impossible_virtual_sites_are_refused(sites, message):
    with pytest.raises(TopologyError, match=message):
        _chain(4, [(0, 1)], virtual_sites=sites)


def test_a_virtual_site_has_no_mass_and_no_constraint():
    with pytest.raises(TopologyError, match="virtual site 1 has mass 72"):
        CGMolecule(
            name="m",
            beads=(Bead(name="A", bead_type="C1"), Bead(name="B", bead_type="C1")),
            virtual_sites=(_site(0, 1),),
        )
    with pytest.raises(TopologyError, match="a virtual site is constrained"):
        _chain(3, [(0, 1)], virtual_sites=(_site(2, 0, 1),), constraints=(Constraint(atoms=(1, 2), length=0.3),))


def test_constraints_of_function_2_exclude_nothing():
    links = (Constraint(atoms=(0, 1), length=0.3), Constraint(atoms=(1, 2), length=0.3, function=2))
    assert _chain(3, [], constraints=links).excluded_pairs() == ((0, 1),)


def test_a_table_has_equal_steps():
    TabulatedPotential(x=[0.0, 1.0, 2.0], energy=[0.0] * 3, slope=[0.0] * 3)
    with pytest.raises(TopologyError, match="equally spaced"):
        TabulatedPotential(x=[0.0, 1.0, 3.0], energy=[0.0] * 3, slope=[0.0] * 3)
