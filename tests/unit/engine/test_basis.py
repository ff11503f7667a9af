"""The energy is linear in ε: U = Σ ε S + Σ ε T_λ + rest, exactly, at every λ; the path ends where it should."""

from __future__ import annotations

import numpy as np
import pytest
from engine_systems import DIMER, THREE_TYPES, TRIANGLE, WATER, W, bead_table, everything, gate, molecule, placed, water

from topdown.engine import Coupling, Simulation, SimulationSettings, potential_energy
from topdown.engine.observables import measure
from topdown.engine.parameters import build_parameters
from topdown.errors import SettingsError

LAMBDAS = (0.0, 0.05, 0.3, 0.55, 0.9, 1.0)
SOLUTE = molecule("SOL", "BBC", masses=[36.0] * 3, bonds=DIMER.bonds, constraints=TRIANGLE.constraints[1:2])


def _solvated(seed: int = 1):
    return placed(((SOLUTE, 1), (DIMER, 10), (W, 60)), (2.6, 2.8, 2.5), seed=seed)


def _epsilons(table, pairs):
    return np.array([table.pair(a, b)[1] for a, b in pairs])


@pytest.mark.parametrize("index", range(len(LAMBDAS)))
def test_energy_is_the_dot_product_of_epsilon_and_sums(index):
    simulation = Simulation(_solvated(), SimulationSettings(), coupling=Coupling(lambdas=LAMBDAS, index=index))
    simulation.minimize(max_steps=50)
    simulation.run(20)
    sums = simulation.pair_sums()
    table = simulation.system().table
    linear = sums.sums[0] @ _epsilons(table, sums.pairs) + sums.solute_sums[0, index] @ _epsilons(
        table, sums.solute_pairs
    )
    potential = simulation.energies().potential
    gate("U - sum of eps S, relative", abs(linear + sums.rest_energy[0] - potential) / abs(potential), 1e-10)
    assert sums.rest_energy[0] != 0.0
    assert sums.volume[0] == pytest.approx(np.prod(simulation.box))
    assert sums.lambdas.tolist() == list(LAMBDAS)
    assert (np.abs(sums.solute_sums[0, 1:]).sum(axis=1) > 0).all()
    assert (sums.solute_sums[0, 0] == 0.0).all()


def test_another_epsilon_is_predicted_exactly():
    """What reweighting rests on: the energy at a matrix that was never simulated."""
    system = _solvated()
    index = 3
    simulation = Simulation(system, SimulationSettings(), coupling=Coupling(lambdas=LAMBDAS, index=index))
    sums = simulation.pair_sums()
    other = THREE_TYPES.with_epsilon({("A", "B"): 1.9, ("A", "A"): 4.0, ("B", "C"): 3.3})
    parameters = build_parameters(type(system)(**{**_fields(system), "table": other}), solute_component=0)
    direct = measure(parameters, simulation.positions, simulation.box, lam=LAMBDAS[index])[0].sum()
    linear = sums.sums[0] @ _epsilons(other, sums.pairs) + sums.solute_sums[0, index] @ _epsilons(
        other, sums.solute_pairs
    )
    assert linear + sums.rest_energy[0] == pytest.approx(direct, rel=1e-10)


def _fields(system):
    return {name: getattr(system, name) for name in ("table", "components", "positions", "box")}


def test_without_a_solute_all_pairs_are_summed():
    simulation = Simulation(everything(2), SimulationSettings())
    sums = simulation.pair_sums()
    linear = sums.sums[0] @ _epsilons(THREE_TYPES, sums.pairs)
    assert linear + sums.rest_energy[0] == pytest.approx(simulation.energies().potential, rel=1e-10)
    assert sums.solute_pairs == ()
    assert sums.solute_sums.shape == (1, 0, 0)


def test_the_coupled_end_is_the_plain_energy():
    system = _solvated(3)
    plain = potential_energy(system)
    parameters = build_parameters(system, solute_component=0)
    energies, virial, forces = measure(parameters, np.array(system.whole().positions), np.array(system.box), lam=1.0)
    gate("energy at lambda 1 against plain, relative", abs(energies.sum() / plain.potential - 1.0), 1e-12)
    assert np.abs(forces - plain.forces).max() <= 1e-12 * np.abs(plain.forces).max()
    assert np.abs(virial - plain.virial).max() <= 1e-12 * np.abs(plain.virial).max()


def test_the_decoupled_end_feels_nothing():
    system = _solvated(4)
    parameters = build_parameters(system, solute_component=0)
    x, box = np.array(system.whole().positions), np.array(system.box)
    energies, _, forces = measure(parameters, x, box, lam=0.0)
    n = SOLUTE.n_beads
    fields = _fields(system)
    alone = type(system)(**{**fields, "components": system.components[:1], "positions": x[:n]})
    solvent = type(system)(**{**fields, "components": system.components[1:], "positions": x[n:]})
    apart = potential_energy(alone), potential_energy(solvent)
    assert energies.sum() == pytest.approx(apart[0].potential + apart[1].potential, rel=1e-12)
    assert np.abs(forces - np.concatenate([apart[0].forces, apart[1].forces])).max() < 1e-9


def test_a_solute_bead_on_top_of_a_solvent_bead_is_finite_below_one():
    pair = placed(((molecule("S", "B"), 1), (W, 1)), (3.0, 3.0, 3.0))
    system = pair.with_coordinates(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0 + 1e-5]]))
    parameters = build_parameters(system, solute_component=0)
    energies, _, forces = measure(parameters, np.array(system.positions), np.array(system.box), lam=0.5)
    expected = 0.5 * 4.0 * 3.1 * (1.0 / 0.25**2 - 1.0 / 0.25)  # s = α(1-λ)σ^6 at r = 0
    assert energies[0] == pytest.approx(expected, rel=2e-3)  # the shift at the cut-off is small
    assert np.abs(forces).max() < 1e-3 * abs(expected)


def test_missing_solutes_and_charges_without_a_path_are_refused():
    system = everything(1)
    for component in (0, 1):
        with pytest.raises(SettingsError, match="is charged, and the path has no charge_lambdas"):
            Simulation(
                system, SimulationSettings(), coupling=Coupling(lambdas=(0.0, 1.0), index=0, component=component)
            )
    for component in (5, -1):
        with pytest.raises(SettingsError, match="no component"):
            Simulation(
                system, SimulationSettings(), coupling=Coupling(lambdas=(0.0, 1.0), index=0, component=component)
            )


@pytest.mark.parametrize(
    "lambdas", [(), (0.0,), (0.0, 0.5), (0.1, 1.0), (0.0, 0.5, 0.5, 1.0), (1.0, 0.0), (0.0, float("nan"), 1.0)]
)
def test_paths_that_do_not_run_from_zero_to_one_are_refused(lambdas):
    with pytest.raises(SettingsError, match="lambdas"):
        Coupling(lambdas=lambdas, index=0)


@pytest.mark.parametrize(
    ("lambdas", "charges", "words"),
    [
        ((0.0, 1.0), (0.0, 0.5, 1.0), "2 lambdas but 3 charge_lambdas"),
        ((0.0, 1.0, 1.0), (0.0, 0.0, 0.9), "must rise"),
        ((0.0, 1.0, 1.0), (0.0, 0.0, 0.0), "must rise"),
        ((0.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0), "must rise"),
        ((0.0, 1.0, 1.0, 1.0), (0.0, 0.6, 0.5, 1.0), "must rise"),
        ((0.0, 0.5, 1.0), (0.0, 0.5, 1.0), "only where lambda is 1"),
        ((0.0, 0.9, 1.0), (0.0, 1.0, 1.0), "only where lambda is 1"),
    ],
)
def test_paths_of_charges_that_do_not_rise_on_full_cores_are_refused(lambdas, charges, words):
    with pytest.raises(SettingsError, match=words):
        Coupling(lambdas=lambdas, charge_lambdas=charges, index=0)


def test_charges_follow_the_cores():
    path = Coupling.charges_last((0.0, 0.4, 1.0), (0.3, 1.0), index=3, component=2)
    assert path.lambdas == (0.0, 0.4, 1.0, 1.0, 1.0)
    assert path.charge_lambdas == (0.0, 0.0, 0.0, 0.3, 1.0)
    assert path.states[path.index] == (1.0, 0.3)
    assert path.component == 2
    assert [charge for _, charge in Coupling(lambdas=(0.0, 1.0), index=0).states] == [0.0, 0.0]


def test_a_lambda_index_outside_the_path_is_refused():
    for index in (-1, 2):
        with pytest.raises(SettingsError, match="lambda index"):
            Coupling(lambdas=(0.0, 1.0), index=index)


def test_a_ghost_solute_does_not_disturb_the_solvent():
    """At λ = 0 the solvent moves as without the solute, apart from its own random numbers: same forces, same NVE path."""
    solvent = water(100, seed=3)
    table = bead_table([[4.65, 3.0], [3.0, 2.0]], [[0.47, 0.43], [0.43, 0.41]])
    velocities = np.random.default_rng(1).standard_normal((100, 3)) * 0.1
    settings = SimulationSettings(thermostat=None, remove_com_motion_every=0, time_step=0.01)
    alone = Simulation(solvent.with_coordinates(solvent.positions, velocities=velocities), settings)
    with_ghost = type(solvent)(
        table=table,
        components=((molecule("G", "B"), 1), (W, 100)),
        positions=np.concatenate([[[0.5, 0.5, 0.5]], solvent.positions]),
        box=solvent.box,
        velocities=np.concatenate([np.zeros((1, 3)), velocities]),
    )
    ghost = Simulation(with_ghost, settings, coupling=Coupling(lambdas=(0.0, 1.0), index=0))
    alone.run(50)
    ghost.run(50)
    assert WATER.pair("A", "A") == table.pair("A", "A")
    np.testing.assert_allclose(ghost.positions[1:], alone.positions, atol=1e-9)
    assert ghost.positions[0].tolist() == [0.5, 0.5, 0.5]
