"""Liquids and solutions: composition, density, no overlaps, whole molecules, same seed same box."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building import build_liquid, build_mixture, build_solution, closest_distance
from topdown.building.liquid import _free_sites
from topdown.errors import SettingsError
from topdown.model import System
from topdown.tables import load_bead_table, load_molecule

M2, M3 = load_bead_table("martini2"), load_bead_table("martini3")
TABLES = {"martini2": M2, "martini3": M3}


def longest_bond_error(system: System) -> float:
    worst = 0.0
    for molecule, start in system.molecules():
        for term in (*molecule.bonds, *molecule.constraints):
            i, j = (start + a for a in term.atoms)
            worst = max(worst, abs(float(np.linalg.norm(system.positions[i] - system.positions[j])) - term.length))
    return worst


@pytest.mark.parametrize(
    ("table", "name", "n"),
    [("martini2", "W", 400), ("martini2", "HD", 150), ("martini3", "OCO", 150), ("martini2", "BENZ", 120)],
)
def test_liquid_has_no_overlaps_and_whole_molecules(table: str, name: str, n: int) -> None:
    molecule = load_molecule(table, name)
    system = build_liquid(molecule, n, TABLES[table], rng=np.random.default_rng(1))
    assert system.components == ((molecule, n),)
    assert closest_distance(system) >= 0.30
    assert longest_bond_error(system) < 0.1
    assert np.ptp(system.box) == 0.0


def test_density_is_the_one_asked_for() -> None:
    hexadecane = load_molecule("martini2", "HD")
    a = build_liquid(hexadecane, 50, M2, rng=np.random.default_rng(1), density_beads_nm3=7.0)
    assert a.n_beads / np.prod(a.box) == pytest.approx(7.0)
    b = build_liquid(hexadecane, 50, M2, rng=np.random.default_rng(1), molecules_per_nm3=1.9)
    assert 50 / np.prod(b.box) == pytest.approx(1.9)
    water = build_liquid(load_molecule("martini3", "W"), 100, M3, rng=np.random.default_rng(1))
    assert 100 / np.prod(water.box) == pytest.approx(8.26, rel=0.01)


def test_same_generator_state_gives_the_same_box() -> None:
    octanol = load_molecule("martini3", "OCO")
    first, again, other = (
        build_liquid(octanol, 40, M3, rng=np.random.default_rng(seed)).positions for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_molecules_point_in_all_directions() -> None:
    octane = load_molecule("martini2", "OCT")
    x = build_liquid(octane, 300, M2, rng=np.random.default_rng(2)).positions.reshape(300, 2, 3)
    direction = x[:, 1] - x[:, 0]
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    order = 1.5 * (direction**2).mean(axis=0) - 0.5
    assert np.all(np.abs(order) < 4 * np.sqrt(0.2 / 300))


@pytest.mark.parametrize(
    ("solute", "solvent", "n"), [("DPPC", "W", 500), ("BENZ", "HD", 100), ("W", "OCT", 150), ("W", "W", 200)]
)
def test_solute_is_alone_in_the_middle(solute: str, solvent: str, n: int) -> None:
    guest, host = load_molecule("martini2", solute), load_molecule("martini2", solvent)
    system = build_solution(guest, host, n, M2, rng=np.random.default_rng(3))
    assert system.components == ((guest, 1), (host, n))
    middle = system.positions[: guest.n_beads].mean(axis=0)
    np.testing.assert_allclose(middle, system.box / 2, atol=1e-6)
    assert closest_distance(system) >= 0.30
    assert longest_bond_error(system) < 0.1
    again = build_solution(guest, host, n, M2, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(system.positions, again.positions)


def test_no_solvent_starts_on_top_of_the_solute() -> None:
    # Across the boundary too: pushing apart alone could leave a bead caught inside a ring.
    box, solute = np.full(3, 3.0), np.array([[2.98, 1.25, 1.25], [1.3, 1.7, 1.8]])
    sites = _free_sites(200, box, np.random.default_rng(1), keep_clear=solute)
    apart = sites[:, None] - solute[None]
    apart -= np.round(apart / box) * box
    assert sites.shape == (200, 3)
    assert np.linalg.norm(apart, axis=2).min() > 0.35


def test_mixture_keeps_the_order_of_its_components() -> None:
    octanol, water = load_molecule("martini3", "OCO"), load_molecule("martini3", "W")
    system = build_mixture([(octanol, 88), (water, 8)], M3, rng=np.random.default_rng(1))
    assert [(m.name, count) for m, count in system.components] == [("OCO", 88), ("W", 8)]
    assert closest_distance(system) >= 0.28


def test_bad_numbers_are_refused() -> None:
    water, rng = load_molecule("martini2", "W"), np.random.default_rng(1)
    with pytest.raises(SettingsError, match="at least one molecule"):
        build_liquid(water, 0, M2, rng=rng)
    with pytest.raises(SettingsError, match="must be positive"):
        build_liquid(water, 10, M2, rng=rng, density_beads_nm3=-1.0)
    with pytest.raises(SettingsError, match="not both"):
        build_liquid(water, 10, M2, rng=rng, density_beads_nm3=8.0, molecules_per_nm3=8.0)
    with pytest.raises(SettingsError, match="at least one molecule"):
        build_solution(water, water, 0, M2, rng=rng)
