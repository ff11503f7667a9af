"""Bilayers as built: composition, geometry, neutrality, water outside, solutes at their depth."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from topdown.building import closest_distance, limits
from topdown.building.bilayer import (
    Leaflets,
    Placement,
    Solvent,
    build_bilayer,
    leaflet_counts,
    staggered_grid,
)
from topdown.building.bonded_energy import bonded_terms
from topdown.building.leaflets import stand_leaflets
from topdown.building.lipids import starting_areas
from topdown.building.placement import guests, place_solutes, sides_of
from topdown.errors import SettingsError, TopologyError
from topdown.model import CGMolecule, System
from topdown.tables import load_bead_table, load_molecule

M2 = load_bead_table("martini2")


def model(name: str) -> CGMolecule:
    return load_molecule("martini2", name)


def solvent(salt: float = 0.15) -> Solvent:
    return Solvent(water=model("W"), cation=model("NA"), anion=model("CL"), salt_molarity=salt)


def build(
    lipids: tuple[tuple[str, float], ...] = (("DPPC", 1.0),),
    *,
    lower: tuple[tuple[str, float], ...] = (),
    size: tuple[float, float, float] = (4.0, 4.0, 7.0),
    salt: float = 0.15,
    seed: int = 1,
    placements: tuple[Placement, ...] = (),
    area_per_lipid: dict[str, float] | None = None,
) -> System:
    leaflets = Leaflets(
        upper=tuple((model(name), share) for name, share in lipids),
        lower=tuple((model(name), share) for name, share in lower),
    )
    return build_bilayer(
        leaflets, size, M2, solvent(salt), rng=np.random.default_rng(seed), placements=placements,
        area_per_lipid=area_per_lipid,
    )  # fmt: skip


def from_middle(system: System, molecule_name: str, bead_name: str) -> np.ndarray:
    """z from the middle plane of one named bead of all molecules of a name."""
    found = [
        system.positions[start + i, 2] - system.box[2] / 2
        for molecule, start in system.molecules()
        if molecule.name == molecule_name
        for i, bead in enumerate(molecule.beads)
        if bead.name == bead_name
    ]
    return np.asarray(found)


def counts(system: System) -> list[tuple[str, int]]:
    return [(molecule.name, count) for molecule, count in system.components]


@pytest.fixture(scope="module")
def dppc() -> System:
    return build()


def test_order_composition_and_area(dppc: System) -> None:
    names = [name for name, _ in counts(dppc)]
    assert names == ["DPPC", "DPPC", "W", "NA", "CL"]
    assert counts(dppc)[0][1] == counts(dppc)[1][1] == round(16.0 / 0.63)
    np.testing.assert_array_equal(dppc.box, [4.0, 4.0, 7.0])


def test_start_has_no_overlap_and_no_charge(dppc: System) -> None:
    assert closest_distance(dppc) >= 0.30
    assert sum(m.charge * count for m, count in dppc.components) == 0.0


def test_leaflets_face_each_other_tail_to_tail(dppc: System) -> None:
    n = dppc.components[0][1]
    heads, tails = from_middle(dppc, "DPPC", "PO4"), from_middle(dppc, "DPPC", "C4B")
    assert np.all(heads[:n] > 1.5)
    assert np.all(heads[n:] < -1.5)
    # Tips meet in the middle and do not cross into the other leaflet by more than a bead.
    assert np.all(tails[:n] > -0.4)
    assert np.all(tails[n:] < 0.4)
    thickness = heads[:n].mean() - heads[n:].mean()
    assert 3.6 < thickness < 4.8


def test_lower_leaflet_is_turned_and_not_mirrored() -> None:
    system = build(salt=0.0)
    n = system.components[0][1]
    x = system.positions[: 2 * n * 12].reshape(2 * n, 12, 3)
    names = [bead.name for bead in system.components[0][0].beads]
    head, glycerol, tail = (names.index(name) for name in ("NC3", "GL2", "C4A"))
    third = names.index("C4B")
    handed = np.sum(
        np.cross(x[:, head] - x[:, glycerol], x[:, tail] - x[:, glycerol]) * (x[:, third] - x[:, glycerol]), 1
    )
    # Every lipid is a copy of one conformation: mirrored ones would have the other sign.
    assert np.mean(np.sign(handed[:n])) * np.mean(np.sign(handed[n:])) > 0


def test_no_water_or_ion_in_the_core(dppc: System) -> None:
    for name in ("W", "NA", "CL"):
        assert np.abs(from_middle(dppc, name, name)).min() > 1.0


def test_water_fills_what_the_lipids_leave_of_the_box(dppc: System) -> None:
    # 1.23 nm³ per DPPC in a fluid bilayer, 8.26 beads of water per nm³.
    found = dict(counts(dppc)[2:])
    expected = (4.0 * 4.0 * 7.0 - 50 * 1.23) * 8.26
    assert found["W"] + found["NA"] + found["CL"] == pytest.approx(expected, rel=0.02)
    z = np.abs(from_middle(dppc, "W", "W"))
    assert np.histogram(z, bins=4, range=(2.5, 3.5))[0].min() > 0


def test_salt_follows_the_volume_of_water(dppc: System) -> None:
    found = dict(counts(dppc)[2:])
    n_sites = found["W"] + found["NA"] + found["CL"]
    assert found["NA"] == found["CL"] == round(0.15 * 4 * n_sites / 55.51)
    assert dict(counts(build(salt=0.0))[2:]).keys() == {"W"}


def test_charged_lipids_are_neutralised_without_salt() -> None:
    system = build((("POPC", 2.0), ("POPG", 1.0)), salt=0.0)
    found = counts(system)
    n_charged = sum(count for name, count in found if name == "POPG")
    assert dict(found[4:]) == {"W": dict(found[4:])["W"], "NA": n_charged}
    assert n_charged > 0
    assert sum(m.charge * count for m, count in system.components) == 0.0


def test_leaflets_may_differ() -> None:
    system = build((("POPC", 1.0),), lower=(("DOPE", 1.0), ("POPC", 1.0)))
    names = [name for name, _ in counts(system)[:3]]
    assert names == ["POPC", "DOPE", "POPC"]
    assert np.all(from_middle(system, "DOPE", "PO4") < 0)


@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_cholesterol_stands_among_the_lipids_with_its_hydroxyl_outside(table: str) -> None:
    popc, cholesterol, water, sodium, chloride = (
        load_molecule(table, name) for name in ("POPC", "CHOL", "W", "NA", "CL")
    )
    system = build_bilayer(
        Leaflets(upper=((popc, 7.0), (cholesterol, 3.0))), (4.0, 4.0, 7.0), load_bead_table(table),
        Solvent(water=water, cation=sodium, anion=chloride), rng=np.random.default_rng(1),
    )  # fmt: skip
    found = counts(system)[:4]
    assert [name for name, _ in found] == ["POPC", "CHOL", "POPC", "CHOL"]
    n_popc, n_sterol = found[0][1], found[1][1]
    areas = starting_areas(((popc, 7.0), (cholesterol, 3.0)))
    assert n_popc + n_sterol == round(16.0 / (0.7 * areas["POPC"] + 0.3 * areas["CHOL"]))
    assert n_sterol / (n_popc + n_sterol) == pytest.approx(0.3, abs=0.02)
    hydroxyl, tail = from_middle(system, "CHOL", "ROH"), from_middle(system, "CHOL", "C2")
    assert np.all(hydroxyl[:n_sterol] > np.maximum(tail[:n_sterol] + 0.5, 0.9))
    assert np.all(hydroxyl[n_sterol:] < np.minimum(tail[n_sterol:] - 0.5, -0.9))
    assert np.abs(hydroxyl).mean() < np.abs(from_middle(system, "POPC", "PO4")).mean()
    assert closest_distance(system) >= 0.30
    terms = bonded_terms(system.components)
    assert len(terms.sites.beads) == 2 * n_sterol * len(cholesterol.virtual_sites)
    np.testing.assert_allclose(terms.place(system.positions), system.positions, atol=1e-12)


def test_area_table_can_be_replaced() -> None:
    assert counts(build(area_per_lipid={"DPPC": 0.8}))[0][1] == 20


def test_same_seed_same_membrane(dppc: System) -> None:
    np.testing.assert_array_equal(dppc.positions, build().positions)
    assert not np.allclose(dppc.positions[:100], build(seed=2).positions[:100])


@pytest.mark.parametrize(("depth", "low", "high"), [("core", 0.0, 0.5), ("water", 2.4, 3.5), (1.0, 0.6, 1.4)])
def test_solute_is_put_at_its_depth(depth: str | float, low: float, high: float) -> None:
    solute = model("BENZ")
    system = build(placements=(Placement(solute=solute, count=2, depth=depth),), salt=0.0)
    assert [name for name, _ in counts(system)] == ["DPPC", "DPPC", "BENZ", "W"]
    start = sum(m.n_beads * count for m, count in system.components[:2])
    z = system.positions[start : start + 6, 2].reshape(2, 3).mean(axis=1) - system.box[2] / 2
    assert np.all((np.abs(z) >= low) & (np.abs(z) <= high))
    if depth != "core":
        assert z[0] > 0 > z[1]
    assert closest_distance(system) >= 0.30


def test_amphiphile_at_the_interface_has_its_polar_bead_outside_and_takes_a_lipids_place() -> None:
    octanol = model("OCO")
    system = build(placements=(Placement(solute=octanol, count=6, depth="interface"),), salt=0.0)
    polar, apolar = (from_middle(system, "OCO", octanol.beads[k].name) for k in (0, 1))
    assert octanol.beads[0].bead_type == "P1"
    assert np.all(np.abs(polar) > np.abs(apolar))
    assert np.sum(polar > 0) == np.sum(polar < 0) == 3
    assert counts(system)[0][1] < counts(build())[0][1]


def test_counts_keep_shares_and_never_lose_a_kind() -> None:
    lipids = [(model("POPC"), 98.0), (model("DOPE"), 1.0), (model("POPG"), 1.0)]
    n = leaflet_counts(lipids, 20.0, {"POPC": 0.5, "DOPE": 0.5, "POPG": 0.5})
    assert sum(n) == 40
    assert n[1] >= 1
    assert n[2] >= 1
    assert leaflet_counts([(model("POPC"), 7.0), (model("DOPE"), 3.0)], 6.5, {"POPC": 0.65, "DOPE": 0.65}) == [7, 3]


@pytest.mark.parametrize("n", [1, 2, 7, 25, 57, 100])
def test_grid_points_are_evenly_apart(n: int) -> None:
    width, depth = 6.0, 5.0
    points = staggered_grid(n, width, depth)
    assert points.shape == (n, 2)
    assert np.all((points >= 0) & (points < [width, depth]))
    if n > 6:
        apart = points[:, None] - points[None]
        apart -= np.round(apart / [width, depth]) * [width, depth]
        nearest = np.sort(np.linalg.norm(apart, axis=2), axis=1)[:, 1]
        assert nearest.min() > 0.65 * np.sqrt(width * depth / n)


def test_impossible_requests_say_what_is_wrong() -> None:
    with pytest.raises(SettingsError, match=r"no area for lipids \(enlarge --size, or lower --count\)"):
        leaflet_counts([(model("POPC"), 1.0)], -0.5, {"POPC": 0.65})
    with pytest.raises(SettingsError, match="no room for water"):
        build(size=(4.0, 4.0, 4.0))
    with pytest.raises(SettingsError, match="three positive edges"):
        build(size=(4.0, -4.0, 7.0))
    with pytest.raises(SettingsError, match="share of DPPC"):
        Leaflets(upper=((model("DPPC"), 0.0),))
    with pytest.raises(SettingsError, match="at least one lipid"):
        Leaflets(upper=())
    with pytest.raises(SettingsError, match="no place 'roof'"):
        Placement(solute=model("OCO"), depth="roof")
    with pytest.raises(SettingsError, match="outside the box"):
        build(placements=(Placement(solute=model("OCO"), depth=9.0),))
    with pytest.raises(SettingsError, match="0 to 6"):
        solvent(7.0)
    with pytest.raises(SettingsError, match="cation"):
        Solvent(water=model("W"), cation=model("CL"), anion=model("CL"))
    with pytest.raises(TopologyError, match="only apolar"):
        build((("HD", 1.0),))
    with pytest.raises(SettingsError, match="fewer than kinds"):
        build((("DPPC", 1.0), ("POPC", 1.0), ("DOPC", 1.0)), size=(1.0, 1.0, 8.0))


def test_a_box_too_large_is_refused_with_the_beads_it_would_hold(dppc: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted before anything is built, and nearly right."""
    monkeypatch.setattr(limits, "MOST_BEADS", dppc.n_beads // 2)
    with pytest.raises(SettingsError, match=r"would hold [\d,]+ beads") as refused:
        build()
    counted = int(refused.value.message.split(" hold ")[1].split()[0].replace(",", ""))
    assert counted == pytest.approx(dppc.n_beads, rel=0.02)
    with pytest.raises(SettingsError, match="the molecules would hold 8,000 beads"):
        build(placements=(Placement(solute=model("OCO"), count=4000),))


def test_single_solutes_of_several_kinds_are_shared_out_to_both_leaflets_and_stand_apart() -> None:
    kinds = [replace(model("OCO"), name=f"S{k}") for k in range(4)]
    system = build(placements=tuple(Placement(solute=solute) for solute in kinds), salt=0.0)
    heights = [from_middle(system, solute.name, solute.beads[0].name)[0] for solute in kinds]
    np.testing.assert_array_equal(np.sign(heights), [1, -1, 1, -1])
    start = sum(m.n_beads * count for m, count in system.components[:2])
    xy = system.positions[start : start + 8, :2].reshape(4, 2, 2).mean(axis=1)
    for one, other in ((0, 2), (1, 3)):
        apart = xy[one] - xy[other]
        assert np.linalg.norm(apart - np.round(apart / 4.0) * 4.0) > 0.45
    sides = sides_of([Placement(solute=kinds[0], count=3), Placement(solute=kinds[1], count=1, depth="core")])
    assert [list(row) for row in sides] == [[1, -1, 1], [1]]


def test_free_solutes_take_the_place_with_most_room() -> None:
    placements = (Placement(solute=model("BENZ"), count=8, depth="water"),)
    box, rng = np.array([4.0, 4.0, 8.0]), np.random.default_rng(4)
    leaflets = Leaflets(upper=((model("DPPC"), 1.0),))
    bilayer = stand_leaflets(leaflets, box, M2, {"DPPC": 0.63}, guests(placements, M2), rng)
    (block,) = place_solutes(placements, bilayer, box, M2, rng)
    rings = block.reshape(8, 3, 3)
    for one, other in combinations(rings, 2):
        apart = one[:, None] - other[None]
        assert np.linalg.norm(apart - np.round(apart / box) * box, axis=2).min() > 0.5
