"""The distance of two groups' centres: its force, virial, images, and the distribution it samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import DIMER, LIPID, NO_LENNARD_JONES, STEROL, W, everything, gate, molecule, placed

from topdown.engine import CentreRestraint, Simulation, SimulationSettings, reference
from topdown.engine.barostats import molecular_virial
from topdown.engine.observables import measure
from topdown.engine.parameters import Parameters, build_parameters
from topdown.errors import SettingsError, SimulationError
from topdown.model import System
from topdown.units import kt

#: Half of one lipid against another and part of a third: groups that cut through molecules.
CUT = CentreRestraint(group=(2, 3, 5), reference=tuple(range(6, 16)), distance=0.3, force_constant=900.0)
#: Whole molecules only: a dimer against all lipids.
WHOLE = CentreRestraint(group=(30, 31), reference=tuple(range(24)), distance=-0.7, force_constant=400.0)


def slab(seed: int = 2) -> System:
    """Lipids in the lower part of a tall box, the rest anywhere; molecules whole but wherever they fell."""
    system = everything(seed, box=(2.9, 2.6, 6.2))
    x = np.array(system.positions)
    x[:24, 2] = 0.25 * (x[:24, 2] - x[:24, 2].mean()) + 0.2
    return system.with_coordinates(x)


def parameters_of(system: System, restraint: CentreRestraint | None) -> Parameters:
    return build_parameters(system, restraint=restraint)


def restraint_alone(system: System, restraint: CentreRestraint, x: np.ndarray, box: np.ndarray):
    """Energy, virial and forces that the restraint adds."""
    both = [measure(parameters_of(system, which), x, box) for which in (restraint, None)]
    (with_it, virial, forces), (without, plain_virial, plain_forces) = both
    return float(with_it.sum() - without.sum()), virial - plain_virial, forces - plain_forces


def centre(system: System, beads: tuple[int, ...], z: np.ndarray) -> float:
    masses = np.array([bead.mass for m, count in system.components for _ in range(count) for bead in m.beads])
    return float(np.average(z[list(beads)], weights=masses[list(beads)]))


@pytest.mark.parametrize("restraint", [CUT, WHOLE])
def test_compiled_code_equals_its_numpy_twin(restraint: CentreRestraint) -> None:
    system = slab()
    parameters, x, box = parameters_of(system, restraint), np.array(system.positions), np.array(system.box)
    energies, virial, forces = measure(parameters, x, box)
    twin = reference.total(parameters, x, box)
    assert energies[5] == pytest.approx(twin.energies[5], rel=1e-12)
    assert energies[5] > 1.0
    np.testing.assert_allclose(forces, twin.forces, atol=1e-11 * np.abs(twin.forces).max())
    np.testing.assert_allclose(virial, twin.virial, atol=1e-11 * np.abs(twin.virial).max())


@pytest.mark.parametrize("restraint", [CUT, WHOLE])
def test_force_is_minus_the_slope_and_energy_is_the_formula(restraint: CentreRestraint) -> None:
    system = slab()
    x, box = np.array(system.positions), np.array(system.box)
    energy, _, forces = restraint_alone(system, restraint, x, box)
    zeta = centre(system, restraint.group, x[:, 2]) - centre(system, restraint.reference, x[:, 2])
    away = zeta - restraint.distance - box[2] * round((zeta - restraint.distance) / box[2])
    assert energy == pytest.approx(0.5 * restraint.force_constant * away**2, rel=1e-9)
    parameters, h = parameters_of(system, restraint), 1e-5
    for bead in (0, 3, 25, 31):
        slopes = []
        for sign in (1.0, -1.0):
            moved = x.copy()
            moved[bead, 2] += sign * h
            slopes.append(reference.total(parameters, moved, box).energies[5])
        assert forces[bead, 2] == pytest.approx(-(slopes[0] - slopes[1]) / (2 * h), rel=1e-6, abs=1e-6)
    assert np.all(np.abs(forces[:, :2]) < 1e-8)
    gate("momentum given by a restraint of centres, relative", abs(forces.sum()) / np.abs(forces).sum(), 1e-12)


def test_virial_is_the_strain_derivative_for_whole_molecules() -> None:
    """∂U/∂ln L_z at fixed scaled centres of mass is 2 Ξ_zz: what a semi-isotropic barostat needs of the umbrella."""
    system = slab()
    x, box = np.array(system.positions), np.array(system.box)
    parameters = parameters_of(system, WHOLE)
    _, virial, forces = restraint_alone(system, WHOLE, x, box)
    molecular = np.zeros((3, 3))
    molecular_virial(x, np.ascontiguousarray(forces), parameters.molecules, virial, molecular)
    owner = np.searchsorted(parameters.molecules.start, np.arange(len(x)), side="right") - 1
    centres = reference.centers_of_mass(x, parameters.molecules)[owner]
    energies = []
    for strain in (1e-5, -1e-5):
        factor = np.array([1.0, 1.0, 1.0 + strain])
        energies.append(reference.total(parameters, x + (factor - 1.0) * centres, box * factor).energies[5])
    slope = (energies[0] - energies[1]) / 2e-5
    assert abs(slope) > 10.0
    assert 2.0 * molecular[2, 2] == pytest.approx(slope, rel=1e-6)
    others = molecular.copy()
    others[2, 2] = 0.0
    assert np.abs(others).max() < 1e-9 * abs(slope)


def test_nothing_depends_on_where_the_whole_is_or_in_which_images() -> None:
    """A slab of more than half the box, moved across the face and broken over it, molecule by molecule."""
    lipids, rng = molecule("LIP", "AAB", masses=[72.0, 36.0, 54.0]), np.random.default_rng(3)
    z = np.concatenate([np.linspace(-1.7, 1.7, 20), [2.4]])
    shape = np.array([[0.0, 0.0, 0.2], [0.0, 0.1, 0.0], [0.0, 0.0, -0.3]])
    places = np.column_stack([rng.uniform(0.0, 3.0, (21, 2)), z])
    x = np.concatenate([(places[:20, None] + shape).reshape(-1, 3), places[20:]])
    system = System(table=NO_LENNARD_JONES, components=((lipids, 20), (W, 1)), positions=x, box=[3.0, 3.0, 6.0])
    restraint = CentreRestraint(group=(60,), reference=tuple(range(60)), distance=2.0, force_constant=100.0)
    height = 2.4 - centre(system, restraint.reference, x[:, 2])
    expected = 50.0 * (height - 2.0) ** 2
    for shift in (0.0, 1.3, 2.9, -2.2, 40.1):
        moved = x + np.array([0.0, 0.0, shift])
        broken = moved - [0.0, 0.0, 6.0] * np.floor(moved[:, 2:] / 6.0)  # every bead by itself
        there = system.with_coordinates(broken).whole()
        run = Simulation(there, SimulationSettings(precision="double"), restraint=restraint)
        assert run.energies().restraint == pytest.approx(expected, rel=1e-9)
        group, below = run.centre_heights()
        assert (group - below - height) / 6.0 == pytest.approx(round((group - below - height) / 6.0), abs=1e-9)


def test_free_beads_spread_about_the_distance_as_boltzmann_says() -> None:
    """ζ of two ideal groups of unequal mass is Gaussian, mean d and variance kT/k, also where d is across the face."""
    pair, k, d = molecule("P", "AB", masses=[72.0, 36.0]), 240.0, 1.6
    x = np.array([[0.2, 0.3, 0.1], [1.0, 0.7, 0.2], [0.5, 1.5, 1.7], [1.5, 2.0, 1.8]])
    system = System(table=NO_LENNARD_JONES, components=((pair, 1), (pair, 1)), positions=x, box=[3.0, 3.0, 3.4])
    restraint = CentreRestraint(group=(2, 3), reference=(0, 1), distance=d, force_constant=k)
    run = Simulation(system, SimulationSettings(thermostat="langevin", tau_t=0.5), restraint=restraint, seed=3)
    heights = []
    run.run(80_000, every=40, observe=lambda s: heights.append(np.subtract(*s.centre_heights())))
    zeta = np.array(heights)
    zeta = d + (zeta - d) - 3.4 * np.round((zeta - d) / 3.4)
    spread, n = kt(300.0) / k, len(zeta) / 2.0  # frames 0.8 ps apart, decay within 1 ps
    assert abs(zeta.mean() - d) < 4.0 * np.sqrt(spread / n)
    assert abs(zeta.var() / spread - 1.0) < 4.0 * np.sqrt(2.0 / n)
    kurtosis = ((zeta - zeta.mean()) ** 4).mean() / zeta.var() ** 2
    assert abs(kurtosis - 3.0) < 4.0 * np.sqrt(24.0 / n)


def test_a_run_keeps_its_energy_and_its_momentum() -> None:
    system = placed(((DIMER, 1), (STEROL, 2), (W, 30)), (2.8, 2.8, 3.0), seed=4)
    restraint = CentreRestraint(group=(0, 1), reference=tuple(range(2, 26)), distance=0.9, force_constant=500.0)
    settings = SimulationSettings(thermostat=None, time_step=0.002, precision="double", remove_com_motion_every=0)
    run = Simulation(system, settings, restraint=restraint, seed=2)
    run.minimize(max_steps=200)
    masses = run.parameters.molecules.masses
    started = (masses[:, None] * run.velocities).sum(axis=0)
    energies = []
    run.run(600, every=20, observe=lambda s: energies.append(s.energies().potential + s.energies().kinetic))
    moved = (masses[:, None] * run.velocities).sum(axis=0)
    np.testing.assert_allclose(moved, started, atol=1e-9)
    assert run.energies().restraint > 0.0
    kinetic = run.energies().kinetic
    assert np.ptp(energies[2:]) < 0.02 * kinetic


def test_checkpoints_belong_to_one_restraint(tmp_path) -> None:
    system = slab()
    settings = SimulationSettings(time_step=0.005, barostat="semiisotropic", thermostat="langevin")
    whole = Simulation(system, settings, restraint=WHOLE, seed=1)
    whole.minimize(max_steps=100)
    whole.run(40)
    whole.save_checkpoint(tmp_path / "state")
    whole.run(60)
    again = Simulation(system, settings, restraint=WHOLE, seed=9)
    again.load_checkpoint(tmp_path / "state")
    again.run(60)
    np.testing.assert_array_equal(again.positions, whole.positions)
    np.testing.assert_array_equal(again.box, whole.box)
    assert again.energies().restraint == whole.energies().restraint
    other = Simulation(system, settings, restraint=replace(WHOLE, distance=-0.6), seed=1)
    with pytest.raises(SimulationError, match="other settings"):
        other.load_checkpoint(tmp_path / "state")


def test_restraints_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="beads in both groups"):
        replace(WHOLE, group=())
    with pytest.raises(SettingsError, match="only once"):
        replace(WHOLE, group=(3,))
    with pytest.raises(SettingsError, match="no bead -1"):
        replace(WHOLE, group=(-1,))
    with pytest.raises(SettingsError, match="positive force constant"):
        replace(WHOLE, force_constant=0.0)
    system = slab()
    with pytest.raises(SettingsError, match="no bead 1000"):
        parameters_of(system, replace(WHOLE, group=(1000,)))
    even = np.array(system.positions)
    even[:, 2] = np.linspace(0.0, 6.2, len(even), endpoint=False)
    spread = System(table=system.table, components=((W, len(even)),), positions=even, box=system.box)
    everywhere = replace(WHOLE, group=(0,), reference=tuple(range(1, len(even))))
    with pytest.raises(SettingsError, match="no centre to restrain"):
        parameters_of(spread, everywhere)
    sterols = placed(((STEROL, 1), (LIPID, 1)), (3.0, 3.0, 3.0))
    with pytest.raises(SettingsError, match="virtual sites"):
        parameters_of(sterols, CentreRestraint(group=(4, 5), reference=(12,), distance=0.0, force_constant=1.0))
    with pytest.raises(SettingsError, match="no two centres"):
        Simulation(system, SimulationSettings()).centre_heights()
