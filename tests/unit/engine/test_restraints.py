"""Restraints in a run: beads stay near their reference points, which stay in place or follow the box."""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import NO_LENNARD_JONES, gate, molecule

from topdown.engine import Simulation, SimulationSettings, potential_energy
from topdown.errors import SettingsError
from topdown.model import FlatBottomRestraint, PositionRestraint, System
from topdown.units import GAS_CONSTANT

BOX = np.array([3.0, 3.2, 3.4])
K = (200.0, 800.0, 50.0)
HELD = molecule("H", "A", position_restraints=(PositionRestraint(atom=0, force_constants=K),))


def _held(n: int = 400) -> System:
    """Beads that feel nothing but their restraint."""
    points = np.random.default_rng(1).random((n, 3)) * BOX
    return System(table=NO_LENNARD_JONES, components=((HELD, n),), positions=points, box=BOX)


def _flat(geometry: int, radius: float, away: tuple[float, float, float]) -> System:
    restraint = FlatBottomRestraint(atom=0, geometry=geometry, radius=radius, force_constant=100.0)
    point = np.array([[2.9, 0.1, 1.7]])
    return System(
        table=NO_LENNARD_JONES,
        components=((molecule("F", "A", flat_bottom_restraints=(restraint,)), 1),),
        positions=point + away,
        reference_positions=point,
        box=BOX,
    )


def test_held_beads_spread_as_boltzmann_says():
    run = Simulation(_held(), SimulationSettings(thermostat="langevin", tau_t=0.5, time_step=0.02), seed=3)
    squares = []
    run.run(2000, every=100, observe=lambda s: squares.append(((s.positions - _held().positions) ** 2).mean(axis=0)))
    measured = np.mean(squares[5:], axis=0)
    expected = 300.0 * GAS_CONSTANT / np.array(K)
    # 15 frames 2 ps apart, of 400 independent beads
    gate("variance of held beads / Boltzmann's - 1", float(np.abs(measured / expected - 1.0).max()), 0.12)


def test_the_start_is_the_reference_where_none_is_given():
    system = _held(5)
    assert potential_energy(system).restraint == 0.0
    run = Simulation(system, SimulationSettings(thermostat="langevin"))
    run.run(50)
    after = run.system()
    assert np.array_equal(after.reference_positions, system.positions)
    assert potential_energy(after).restraint == pytest.approx(run.energies().restraint, rel=1e-12)
    assert run.energies().restraint > 0.0


@pytest.mark.parametrize("scaling", ["no", "all"])
def test_a_barostat_moves_reference_points_only_when_asked_to(scaling):
    settings = SimulationSettings(
        thermostat="langevin", barostat="isotropic", pressure=300.0, tau_p=1.0, refcoord_scaling=scaling
    )
    run = Simulation(_held(60), settings, seed=2)
    run.run(200)
    scale = run.box / BOX
    assert abs(scale[0] - 1.0) > 0.003
    after = run.system()
    expected = _held(60).positions * (scale if scaling == "all" else 1.0)
    np.testing.assert_allclose(after.reference_positions, expected, rtol=1e-12)
    assert potential_energy(after).restraint == pytest.approx(run.energies().restraint, rel=1e-9)


@pytest.mark.parametrize(
    ("geometry", "distance"),
    [(1, 0.7), (2, 0.5), (3, 0.3), (4, 0.4), (5, 0.24**0.5), (6, 0.4**0.5), (7, 0.33**0.5), (8, 0.5)],
)
def test_flat_bottoms_measure_the_distance_of_their_geometry(geometry, distance):
    """By hand, from 0.3, -0.4, √0.24 nm across two faces of the box."""
    away = (0.3, -0.4, 0.24**0.5)
    assert potential_energy(_flat(geometry, distance + 0.01, away)).restraint == 0.0
    outside = potential_energy(_flat(geometry, distance - 0.2, away))
    assert outside.restraint == pytest.approx(50.0 * 0.2**2, rel=1e-9)
    assert np.linalg.norm(outside.forces) == pytest.approx(100.0 * 0.2, rel=1e-9)
    assert float(outside.forces[0] @ away) < 0.0
    inside = potential_energy(_flat(geometry, -(distance + 0.1), away))
    assert inside.restraint == pytest.approx(50.0 * 0.1**2, rel=1e-9)
    assert float(inside.forces[0] @ away) > 0.0
    assert potential_energy(_flat(geometry, -(distance - 0.01), away)).restraint == 0.0


def test_a_bead_in_the_middle_of_a_forbidden_region_is_not_torn():
    terms = potential_energy(_flat(1, -0.5, (0.0, 0.0, 0.0)))
    assert terms.restraint == 0.0
    assert np.all(terms.forces == 0.0)


def test_other_reference_scalings_are_refused():
    with pytest.raises(SettingsError, match="refcoord_scaling 'com'"):
        SimulationSettings(refcoord_scaling="com")
