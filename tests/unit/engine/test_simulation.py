"""What a run promises: reproducible, loud when it fails, honest about its settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_restart import CASES, simulation
from engine_systems import (
    CHAIN,
    COUNTER_ION,
    DIMER,
    ION,
    LIPID,
    NO_LENNARD_JONES,
    THREE_TYPES,
    WATER,
    W,
    constrained,
    everything,
    molecule,
    placed,
    water,
)

from topdown.engine import Simulation, SimulationSettings, potential_energy, reference
from topdown.errors import SettingsError, SimulationError, TopologyError
from topdown.model import Angle, Bond, Constraint, Dihedral, FlatBottomRestraint, System, TabulatedPotential
from topdown.units import KJ_MOL_NM3_TO_BAR

HALF_A_TABLE = TabulatedPotential(x=[0.0, 45.0, 90.0], energy=np.zeros(3), slope=np.zeros(3), number=4)


def moved(simulation: Simulation) -> tuple[bytes, ...]:
    return simulation.positions.tobytes(), simulation.velocities.tobytes(), simulation.box.tobytes()


@pytest.mark.parametrize("case", list(CASES))
def test_same_seed_same_bytes_other_seed_other_path(case):
    runs = [simulation(case, seed=seed) for seed in (7, 7, 8)]
    for run in runs:
        run.run(120)
    assert moved(runs[0]) == moved(runs[1])
    assert moved(runs[0]) != moved(runs[2])


def test_looking_does_not_disturb():
    """Chunks, observers, energies and sums leave the path and the clock as they were."""
    plain, watched = simulation("v-rescale c-rescale constraints"), simulation("v-rescale c-rescale constraints")
    plain.run(130)
    seen = []

    def look(running: Simulation) -> None:
        running.energies()
        running.pair_sums()
        running.system()
        seen.append((running.step, running.time))

    watched.run(130, every=7, observe=look)
    assert moved(plain) == moved(watched)
    assert plain.time == watched.time == pytest.approx(130 * 0.02)
    assert [step for step, _ in seen] == list(range(7, 131, 7))


def test_a_generator_can_be_the_seed():
    one = Simulation(water(), SimulationSettings(), seed=np.random.default_rng(5))
    two = Simulation(water(), SimulationSettings(), seed=5)
    one.run(20)
    two.run(20)
    assert moved(one) == moved(two)


def test_stored_velocities_are_used():
    first = Simulation(water(), SimulationSettings(thermostat=None), seed=1)
    first.run(30)
    second = Simulation(first.system(), SimulationSettings(thermostat=None), seed=2)
    assert second.velocities.tobytes() == first.velocities.tobytes()
    assert second.temperature > 0


# -- errors --------------------------------------------------------------------------------------------------------------


def test_a_blow_up_names_step_bead_and_energies():
    stiff = molecule("STF", "BB", masses=[1.0, 1.0], bonds=(Bond(atoms=(0, 1), length=0.3, force_constant=1e6),))
    positions = np.concatenate([water(80).positions, [[1.0, 1.0, 1.0], [1.33, 1.0, 1.0]]])
    system = System(
        table=THREE_TYPES, components=((W, 80), (stiff, 1)), positions=positions, box=np.array(water(80).box) + 0.3
    )
    run = Simulation(system, SimulationSettings(time_step=0.03, thermostat=None))
    run.minimize(max_steps=200)
    with pytest.raises(SimulationError, match=r"at step \d+; fastest bead 8[12] \(B[01] of STF\); .*bond") as caught:
        run.run(2000)
    assert "smaller time step" in str(caught.value)
    assert caught.value.exit_code == 1
    assert 0 < run.step < 2000


def test_overlapping_beads_blow_up_instead_of_running_on():
    system = water(90)
    positions = np.array(system.positions)
    positions[1] = positions[0] + 0.012
    run = Simulation(system.with_coordinates(positions), SimulationSettings())
    with pytest.raises(SimulationError, match=r"blew up at step \d+"):
        run.run(50)


def test_a_long_lived_list_is_no_blow_up():
    """Beads may travel further than the cut-off before a list with a wide margin is renewed."""
    positions = np.random.default_rng(1).uniform(0, 3, (20, 3))
    system = System(table=NO_LENNARD_JONES, components=((W, 20),), positions=positions, box=[3.0] * 3)
    run = Simulation(system, SimulationSettings(list_buffer=3.0, inner_buffer=3.0, thermostat=None))
    run.run(3000)
    assert np.linalg.norm(run.positions - positions, axis=1).max() > 5.0
    assert run.state.neighbor_list.counts[1] > 1


def test_boxes_below_twice_the_cutoff_are_refused():
    small = System(table=WATER, components=((W, 1),), positions=np.ones((1, 3)), box=[2.4, 2.199, 2.4])
    with pytest.raises(SimulationError, match=r"2\.400 x 2\.199 x 2\.400 nm is smaller than twice the cut-off of 1\.1"):
        potential_energy(small)
    with pytest.raises(SimulationError, match="twice the cut-off"):
        Simulation(small, SimulationSettings())
    exactly = System(table=WATER, components=((W, 1),), positions=np.ones((1, 3)), box=[2.2, 2.2, 2.2])
    assert potential_energy(exactly).potential == 0.0


def test_a_box_that_shrinks_below_twice_the_cutoff_stops_the_run():
    system = water(92, density=8.2)
    settings = SimulationSettings(barostat="isotropic", pressure=30000.0, tau_p=0.5)
    run = Simulation(system, settings)
    with pytest.raises(SimulationError, match="twice the cut-off"):
        run.run(3000)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            {"bonds": (Bond(atoms=(0, 1), length=0.3, force_constant=1.0, function=2),)},
            "bond function 2 is not simulated",
        ),
        ({"angles": (Angle(atoms=(0, 1, 2), angle=9, force_constant=1.0, function=5),)}, "angle function 5 is not sim"),
        (
            {"dihedrals": (Dihedral(atoms=(0, 1, 2, 3), angle=0, force_constant=1.0, function=5),)},
            "dihedral function 5 is not simulated",
        ),
        (
            {"constraints": (Constraint(atoms=(0, 1), length=0.3, function=3),)},
            "constraint function 3 is not simulated",
        ),
        ({"masses": [72.0, 0.0, 72.0, 72.0]}, "bead B1 has no mass and is no virtual site"),
        ({"angles": (Angle(atoms=(0, 1, 2), angle=9, force_constant=1.0, function=8),)}, "function 8 has no table"),
        (
            {"angles": (Angle(atoms=(0, 1, 2), angle=9, force_constant=1.0, function=8, table=HALF_A_TABLE),)},
            "table 4 reaches from 0 to 90 degrees",
        ),
        (
            {"dihedrals": (Dihedral(atoms=(0, 1, 2, 3), angle=0, force_constant=1, function=3, coefficients=(1.0,)),)},
            "dihedral function 3 has 6 coefficients, not 1",
        ),
        (
            {"dihedrals": (Dihedral(atoms=(0, 1, 2, 3), angle=0, force_constant=1, function=11),)},
            "dihedral function 11 has 5 coefficients, not 0",
        ),
        (
            {"flat_bottom_restraints": (FlatBottomRestraint(atom=0, geometry=9, radius=1.0, force_constant=1.0),)},
            "flat-bottom geometry 9 is not one of 1 to 8",
        ),
    ],
)
def test_what_the_kernels_do_not_have_is_refused_by_name(terms, message):
    system = System(
        table=THREE_TYPES, components=((molecule("ODD", "ABAB", **terms), 1),), positions=np.eye(4, 3), box=[3.0] * 3
    )
    with pytest.raises(TopologyError, match=f"ODD: .*{message}"):
        potential_energy(system)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_step": 0.0},
        {"time_step": -0.02},
        {"time_step": float("nan")},
        {"time_step": 0.06},
        {"time_step": "0.02"},
        {"temperature": 0.0},
        {"temperature": float("inf")},
        {"temperature": True},
        {"tau_t": 0.0},
        {"tau_p": -1.0},
        {"compressibility": 0.0},
        {"list_buffer": 0.0},
        {"pressure": float("nan")},
        {"pressure": None},
        {"thermostat": "nose-hoover"},
        {"thermostat": ["langevin"]},
        {"barostat": "berendsen"},
        {"thermostat_every": 0},
        {"barostat_every": 2.5},
        {"remove_com_motion_every": -1},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SimulationSettings(**wrong)


def test_negative_steps_are_refused():
    run = Simulation(water(), SimulationSettings())
    with pytest.raises(SettingsError, match="negative"):
        run.run(-1)
    run.run(0)
    assert run.step == 0


# -- minimiser -----------------------------------------------------------------------------------------------------------


def test_minimiser_lowers_the_energy_and_removes_overlaps():
    system = water(120)
    crushed = np.array(system.positions)
    crushed[::4] = crushed[1::4] + 0.02
    run = Simulation(system.with_coordinates(crushed), SimulationSettings())
    before = run.energies()
    result = run.minimize(max_steps=3000, force_tolerance=10.0)
    after = run.energies()
    assert before.potential > 1e9
    assert after.potential < -10.0 * 120
    assert result.converged
    assert result.max_force <= 10.0
    assert result.potential == pytest.approx(after.potential, rel=1e-9)
    assert np.linalg.norm(after.forces, axis=1).max() == pytest.approx(result.max_force, rel=1e-6)
    i, j = np.triu_indices(120, 1)
    separations = reference.minimum_image(run.positions[i] - run.positions[j], run.box)
    assert np.linalg.norm(separations, axis=1).min() > 0.4
    run.run(200)
    assert 150 < run.temperature < 600


def test_minimiser_ends_on_the_constraints_and_whole():
    system = constrained(2)
    squeezed = np.array(system.positions) + np.random.default_rng(3).normal(0, 0.03, system.positions.shape)
    run = Simulation(system.with_coordinates(squeezed), SimulationSettings())
    before = run.energies().potential
    result = run.minimize(max_steps=2000)
    i, j = run.parameters.constraints.pairs.T
    lengths = np.linalg.norm(run.positions[i] - run.positions[j], axis=1)
    np.testing.assert_allclose(lengths, run.parameters.constraints.lengths, rtol=1e-8)
    assert result.converged
    assert run.energies().potential < before - 100.0
    run.run(100)


def test_minimiser_stops_when_told():
    result = Simulation(everything(), SimulationSettings()).minimize(max_steps=5, force_tolerance=1e-3)
    assert (result.n_steps, result.converged) == (5, False)


# -- motion --------------------------------------------------------------------------------------------------------------


def momentum(run: Simulation) -> np.ndarray:
    return (run.parameters.molecules.masses[:, None] * run.velocities).sum(axis=0)


@pytest.mark.parametrize(("precision", "left", "change"), [("mixed", 1e-4, 1e-6), ("double", 1e-9, 1e-11)])
def test_centre_of_mass_motion_is_removed(precision, left, change):
    """Single precision sums the two forces of a pair apart, which moves the centre a little."""
    system = water(100)
    drifting = np.random.default_rng(1).standard_normal((100, 3)) * 0.2 + [0.5, 0.0, -0.3]
    system = system.with_coordinates(system.positions, velocities=drifting)
    run = Simulation(system, SimulationSettings(remove_com_motion_every=10, precision=precision))
    assert np.abs(momentum(run)).max() > 1000.0
    run.run(11)
    assert np.abs(momentum(run)).max() < left
    kept = Simulation(system, SimulationSettings(remove_com_motion_every=0, thermostat=None, precision=precision))
    before = momentum(kept)
    kept.run(50)
    np.testing.assert_allclose(momentum(kept), before, rtol=change)


def test_drawn_velocities_do_not_drift_unless_langevin():
    assert np.abs(momentum(Simulation(water(), SimulationSettings()))).max() < 1e-9
    langevin = Simulation(water(), SimulationSettings(thermostat="langevin"))
    assert np.abs(momentum(langevin)).max() > 1.0
    assert not langevin.settings.removes_com_motion
    assert langevin._dynamics.degrees_of_freedom == 300.0


def test_molecular_pressure_equals_its_numpy_twin_at_constant_volume():
    """From the mid-step velocities, which the test rebuilds by a half kick back."""
    system = placed(((CHAIN, 1), (LIPID, 2), (ION, 2), (COUNTER_ION, 2), (DIMER, 5), (W, 50)), (2.9, 2.8, 3.0))
    run = Simulation(system, SimulationSettings(thermostat=None, time_step=0.005, precision="double"))
    run.minimize(max_steps=100)
    run.run(25)
    pressure = run.energies().pressure
    molecules = run.parameters.molecules
    total = reference.total(run.parameters, run.positions, run.box)
    # a constraint force acts inside a molecule: its centre of mass is kicked by the other forces alone
    mid_step = run.velocities - 0.5 * 0.005 * total.forces / molecules.masses[:, None]
    v = reference.centers_of_mass(mid_step, molecules)
    kinetic = 0.5 * (molecules.molecule_masses[:, None] * v).T @ v
    virial = reference.molecular_virial(run.parameters, run.positions, run.box)
    expected = 2.0 / run.volume * (kinetic - virial) * KJ_MOL_NM3_TO_BAR
    np.testing.assert_allclose(pressure, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_semi_isotropic_coupling_keeps_the_ratio_of_x_and_y():
    system = placed(((W, 180),), (2.6, 3.0, 3.2), table=WATER, closest=0.33)
    run = Simulation(system, SimulationSettings(barostat="semiisotropic", tau_p=1.0), seed=2)
    run.minimize(max_steps=200)
    ratio, start = run.box[0] / run.box[1], np.array(run.box)
    run.run(400)
    assert run.box[0] / run.box[1] == pytest.approx(ratio, rel=1e-12)
    lateral, normal = run.box[0] / start[0], run.box[2] / start[2]
    assert abs(lateral - 1.0) > 1e-3
    assert abs(normal / lateral - 1.0) > 1e-3


def test_isotropic_coupling_keeps_the_shape_and_molecules_their_form():
    run = simulation("v-rescale c-rescale constraints")
    start = np.array(run.box)
    run.run(300)
    scale = run.box / start
    assert np.ptp(scale) < 1e-12
    assert abs(scale[0] - 1.0) > 1e-3


def test_constant_volume_keeps_the_box():
    run = simulation("langevin constraints")
    start = np.array(run.box)
    run.run(50)
    assert run.box.tobytes() == start.tobytes()
    assert replace(run.settings, barostat="isotropic") != run.settings


def test_molecules_broken_over_the_boundary_are_made_whole():
    system = placed(((CHAIN, 2), (LIPID, 3), (W, 40)), (2.9, 2.9, 2.9))
    whole = Simulation(system, SimulationSettings())
    wrapped = system.positions - system.box * np.floor(system.positions / system.box)
    assert np.abs(wrapped - system.positions).max() > 2.0
    again = Simulation(system.with_coordinates(wrapped), SimulationSettings())
    molecules = whole.parameters.molecules
    owner_first = np.repeat(molecules.start[:-1], np.diff(molecules.start.astype(int)))
    for run in (whole, again):
        inside = run.positions - run.positions[owner_first]
        assert np.abs(inside[:20]).max() > 1.0  # a chain longer than half the box
    np.testing.assert_allclose(
        again.positions - again.positions[owner_first], whole.positions - whole.positions[owner_first], atol=1e-9
    )
    np.testing.assert_allclose(again.energies().pressure, whole.energies().pressure, rtol=1e-8, atol=1e-6)
