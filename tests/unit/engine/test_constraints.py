"""Triangles, braced squares, fused rings and long chains stay within 1e-5 of their lengths at 20 fs, whatever couples."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from engine_systems import CHAIN, FUSED_RINGS, SQUARE, THREE_TYPES, TRIANGLE, W, constrained, gate, molecule, placed

from topdown.engine import Simulation, SimulationSettings
from topdown.engine import constraints as kernels
from topdown.engine.parameters import build_parameters
from topdown.errors import SimulationError
from topdown.model import Constraint, System
from topdown.units import GAS_CONSTANT


def worst_deviation(simulation: Simulation) -> float:
    """Largest relative error of a constrained distance."""
    i, j = simulation.parameters.constraints.pairs.T
    r = np.linalg.norm(simulation.positions[i] - simulation.positions[j], axis=1)
    return float(np.abs(r / simulation.parameters.constraints.lengths - 1.0).max())


def fastest_along(simulation: Simulation) -> float:
    """Largest speed of a constrained pair along its own direction, in units of the thermal speed."""
    i, j = simulation.parameters.constraints.pairs.T
    d = simulation.positions[i] - simulation.positions[j]
    along = (d * (simulation.velocities[i] - simulation.velocities[j])).sum(axis=1) / np.linalg.norm(d, axis=1)
    return float(np.abs(along).max() / np.sqrt(GAS_CONSTANT * 300.0 / 36.0))


@pytest.mark.parametrize(
    ("thermostat", "barostat"),
    [("v-rescale", None), ("v-rescale", "isotropic"), ("v-rescale", "semiisotropic"), ("langevin", "isotropic")],
)
def test_constraints_hold_at_every_step_of_20_fs(thermostat, barostat):
    system = constrained()
    simulation = Simulation(
        system, SimulationSettings(time_step=0.02, thermostat=thermostat, barostat=barostat, pressure=50.0), seed=3
    )
    assert simulation.minimize().converged
    assert worst_deviation(simulation) < 1e-8
    found = []
    simulation.run(600, every=3, observe=lambda s: found.append((worst_deviation(s), fastest_along(s))))
    assert len(found) == 200
    lengths, speeds = np.max(found, axis=0)
    gate(f"constrained lengths, {thermostat} {barostat}, relative", float(lengths), 1e-5)
    gate(f"speed along constraints, {thermostat} {barostat}, thermal units", float(speeds), 1e-5)
    assert np.linalg.norm(simulation.positions - system.positions, axis=1).max() > 0.1, "nothing moved"


def test_starting_velocities_have_the_temperature_on_the_constraints():
    settings = SimulationSettings(temperature=300.0)
    temperatures = []
    for seed in range(60):
        simulation = Simulation(constrained(), settings, seed=seed)
        assert fastest_along(simulation) < 1e-5
        temperatures.append(simulation.temperature)
    degrees = simulation._dynamics.degrees_of_freedom
    assert degrees == 3 * simulation.system().n_beads - len(simulation.parameters.constraints.pairs) - 3
    error = 300.0 * np.sqrt(2.0 / degrees / 60)
    assert abs(np.mean(temperatures) - 300.0) < 3.5 * error


def test_lengths_that_cannot_be_met_are_an_error():
    """A bead on top of its partner leaves no direction to move along."""
    positions = np.array([[1.5, 1.5, 1.5], [1.5, 1.5, 1.5], [1.6, 1.75, 1.5]])
    system = System(table=THREE_TYPES, components=((TRIANGLE, 1),), positions=positions, box=[3.0] * 3)
    with pytest.raises(SimulationError, match="constraints"):
        Simulation(system, SimulationSettings())


def test_stretched_molecules_are_put_on_their_constraints():
    system = constrained()
    simulation = Simulation(system.with_coordinates(system.positions), SimulationSettings())
    rng = np.random.default_rng(1)
    bent = simulation.positions + rng.normal(0, 0.02, simulation.positions.shape)
    again = Simulation(system.with_coordinates(bent), SimulationSettings())
    assert worst_deviation(again) < 1e-8
    assert len(again.parameters.constraints.group_start) == 1 + 2 + 3 + 4 + 5
    assert CHAIN.n_beads - 1 == again.parameters.constraints.group_start[1]


def _group(m, seed: int):
    """Positions on the constraints of one molecule, displaced positions, velocities, and its constraints."""
    system = placed(((m, 1),), (6.0, 6.0, 6.0), seed=seed)
    simulation = Simulation(system, SimulationSettings(), seed=seed)
    x = np.array(simulation.positions)
    rng = np.random.default_rng(seed)
    parameters = simulation.parameters
    moved, velocities = x + rng.normal(0.0, 0.01, x.shape), rng.normal(0.0, 0.2, x.shape)
    return x, moved, velocities, parameters.constraints, parameters.molecules.inverse_masses


@pytest.mark.parametrize("m", [TRIANGLE, SQUARE, FUSED_RINGS, CHAIN], ids=lambda m: m.name)
def test_direct_solution_and_sweeps_agree(m):
    """Both put the beads where x = moved - M⁻¹ Jᵀ λ meets the lengths; that point is one."""
    for seed in range(5):
        x, moved, v, c, inverse = _group(m, seed)
        one, two = moved.copy(), moved.copy()
        assert kernels._solve_positions(one, x, c.pairs, c.lengths, inverse, kernels._room())
        assert kernels._sweep_positions(two, x, c.pairs, c.lengths, inverse)
        assert np.abs(one - moved).max() > 1e-3
        gate(f"positions of {m.name}, direct against sweeps [nm]", float(np.abs(one - two).max()), 1e-7)
        one, two = v.copy(), v.copy()
        assert kernels._solve_velocities(one, x, c.pairs, c.lengths, inverse, kernels._room())
        assert kernels._sweep_velocities(two, x, c.pairs, c.lengths, inverse)
        assert np.abs(one - v).max() > 1e-2
        gate(f"velocities of {m.name}, direct against sweeps [nm/ps]", float(np.abs(one - two).max()), 1e-7)
        # corrections are of the form M⁻¹ f with f internal: neither momentum nor angular momentum changes
        masses = 1.0 / inverse
        assert np.abs(((one - v) * masses[:, None]).sum(axis=0)).max() < 1e-12
        assert np.abs(np.cross(x - x[0], (one - v) * masses[:, None]).sum(axis=0)).max() < 1e-12


#: Four beads in a plane with all six distances fixed: one says what the others say.
REDUNDANT = replace(SQUARE, constraints=(*SQUARE.constraints, Constraint(atoms=(1, 3), length=0.33 * 2**0.5)))


def test_redundant_constraints_are_left_to_the_sweeps():
    x, _, v, c, inverse = _group(REDUNDANT, 1)
    turned = x + 0.02 * np.cross([0.3, -0.5, 0.8], x - x.mean(axis=0))
    tried = turned.copy()
    assert not kernels._solve_positions(tried, x, c.pairs, c.lengths, inverse, kernels._room())
    assert np.array_equal(tried, turned)
    assert kernels.constrain_positions(tried, x, c, inverse)
    r = np.linalg.norm(tried[c.pairs[:, 0]] - tried[c.pairs[:, 1]], axis=1)
    assert np.abs(r / c.lengths - 1.0).max() < 1e-8
    assert np.abs(tried - turned).max() > 1e-6
    tried = v.copy()
    assert not kernels._solve_velocities(tried, x, c.pairs, c.lengths, inverse, kernels._room())
    assert np.array_equal(tried, v)
    assert kernels.constrain_velocities(tried, x, c, inverse)


def test_a_direct_solution_that_does_not_converge_leaves_the_beads_where_they_were():
    x, _, _, c, inverse = _group(CHAIN, 1)
    far = x + np.random.default_rng(1).normal(0.0, 0.4, x.shape)
    tried = far.copy()
    assert not kernels._solve_positions(tried, x, c.pairs, c.lengths, inverse, kernels._room())
    assert np.array_equal(tried, far)


@pytest.mark.parametrize("n", [kernels.LARGEST_DIRECT, kernels.LARGEST_DIRECT + 1, 60])
def test_chains_of_any_length_hold(n):
    """The last group that is solved directly, the first that is swept, and a long one."""
    m = molecule(
        "LON", "BC" * ((n + 2) // 2), constraints=tuple(Constraint(atoms=(k, k + 1), length=0.38) for k in range(n))
    )
    k = np.arange(m.n_beads)
    x = np.stack([0.36 * k, 0.1217 * (k % 2), 0.0 * k], axis=-1)
    system = System(table=THREE_TYPES, components=((m, 1),), positions=x, box=[50.0] * 3)
    simulation = Simulation(system, SimulationSettings(time_step=0.02), seed=1)
    assert np.diff(simulation.parameters.constraints.group_start).tolist() == [n]
    simulation.run(20)
    assert worst_deviation(simulation) < 1e-8
    assert fastest_along(simulation) < 1e-5


def test_groups_are_constraints_that_share_beads():
    """Two triangles and a pair in one molecule, their constraints in any order and joined late, are three groups."""
    links = ((0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (2, 0), (5, 3))
    m = molecule("TWO", "BBBBBBBB", constraints=tuple(Constraint(atoms=a, length=0.3 + 0.01 * sum(a)) for a in links))
    system = System(
        table=THREE_TYPES, components=((W, 1), (m, 2)), positions=np.zeros((17, 3)), box=[4.0] * 3
    )  # fmt: skip
    c = build_parameters(system).constraints
    assert np.diff(c.group_start).tolist() == [1, 3, 3] * 2
    assert sorted(map(tuple, (c.pairs[:7] - 1).tolist())) == sorted(links)
    assert sorted(map(tuple, (c.pairs[7:] - 9).tolist())) == sorted(links)
    for first, last in pairwise(c.group_start.tolist()):
        others = np.concatenate([c.pairs[:first], c.pairs[last:]])
        assert not set(c.pairs[first:last].ravel().tolist()) & set(others.ravel().tolist())
    i, j = (c.pairs[:7].astype(int) - 1).T
    assert c.lengths[:7] == pytest.approx(0.3 + 0.01 * (i + j))
    joined = replace(m, constraints=(*m.constraints, Constraint(atoms=(2, 7), length=0.3)))
    c = build_parameters(replace(system, components=((W, 1), (joined, 2)))).constraints
    assert np.diff(c.group_start).tolist() == [3, 5] * 2


@pytest.mark.parametrize("m", [TRIANGLE, SQUARE, FUSED_RINGS, CHAIN], ids=lambda m: m.name)
def test_the_matrix_of_a_group_is_that_of_its_jacobian(m):
    x, _, _, c, inverse = _group(
        replace(m, beads=tuple(replace(b, mass=30.0 + 7 * k) for k, b in enumerate(m.beads))), 1
    )
    n = len(c.pairs)
    jacobian = np.zeros((n, len(x), 3))
    i, j = c.pairs.astype(int).T
    jacobian[np.arange(n), i], jacobian[np.arange(n), j] = x[i] - x[j], x[j] - x[i]
    expected = np.linalg.cholesky(np.einsum("nbd,b,mbd->nm", jacobian, inverse, jacobian))
    matrix, arms, values, _ = kernels._room()
    assert kernels._factorise(x, c.pairs, inverse, arms, matrix)
    assert arms[:n] == pytest.approx(x[i] - x[j], abs=1e-15)
    assert np.tril(matrix[:n, :n], -1) == pytest.approx(np.tril(expected, -1), rel=1e-9, abs=1e-12)
    assert 1.0 / np.diagonal(matrix[:n, :n]) == pytest.approx(np.diagonal(expected), rel=1e-9)
    values[:n] = np.arange(1.0, n + 1.0)
    kernels._solve(matrix, n, values)
    assert expected @ expected.T @ values[:n] == pytest.approx(np.arange(1.0, n + 1.0), rel=1e-9)
