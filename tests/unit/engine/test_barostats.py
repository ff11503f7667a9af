"""Each coupling of the box samples the distribution it was derived from: closed forms and quadrature, on the kernels themselves.

The "system" is a potential W of the edges alone and N ideal particles, with the pressure P_kk = [N kT - ∂W/∂ln L_k] / V,
and the density of the edges is V^N exp(-[W + P0 V - Γ A]/kT). Statistics are z-scores from blocks with fixed seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_systems import NO_LENNARD_JONES, W, constrained, water

from topdown.engine import Simulation, SimulationSettings
from topdown.engine._jit import kernel
from topdown.engine.barostats import (
    draw_step,
    edge_factors,
    is_accepted,
    log_probability,
    scale_molecules,
    step_distribution,
)
from topdown.engine.integrators import Dynamics
from topdown.engine.soft_core import COUPLED
from topdown.errors import SettingsError
from topdown.model import System
from topdown.units import GAS_CONSTANT, KJ_MOL_NM3_TO_BAR

KT = 300.0 * GAS_CONSTANT
#: Number of ideal particles, stiffness of the edges' logarithms [kT] about their centres, of the model system.
N, STIFF = 30.0, np.array([250.0, 180.0, 320.0])
CENTRE = np.log([2.4, 2.9, 3.3])


def dynamics(**changes: object) -> Dynamics:
    """Kernel settings of an isotropic liquid of the model's size."""
    settings = {"barostat": "isotropic", "barostat_every": 1, "tau_p": 1.0, "time_step": 0.02, **changes}
    return SimulationSettings(**settings).dynamics(n_beads=2, n_constraints=0, cutoff=1.1, lam=COUPLED)


@kernel
def walk(n_steps, box, settings, stiff, centre, n, kt, rng, edges):
    """Step the box of the model again and again; edges (n_steps, 3). Returns the share of steps accepted."""
    pressure, drift, variance, changes = np.zeros((3, 3)), np.empty(3), np.empty(3), np.empty(3)
    new, accepted, forward, factors, old = box.copy(), 0, 0.0, (1.0, 1.0, 1.0), 0.0
    for step in range(n_steps):
        for turn in range(2):
            here = box if turn == 0 else new
            energy = 0.0
            for d in range(3):
                stretch = math.log(here[d]) - centre[d]
                energy += 0.5 * kt * stiff[d] * stretch * stretch
                pressure[d, d] = kt * (n - stiff[d] * stretch) / (here[0] * here[1] * here[2])
            step_distribution(here, settings, pressure, drift, variance)
            if turn == 0:
                draw_step(drift, variance, rng, changes)
                forward, factors, old = (
                    log_probability(drift, variance, changes, 1.0),
                    edge_factors(settings, changes),
                    energy,
                )
                for d in range(3):
                    new[d] = box[d] * factors[d]
            else:
                backward = log_probability(drift, variance, changes, -1.0)
                if is_accepted(energy - old, n, box, factors, settings, forward, backward, rng):
                    box[:] = new
                    accepted += 1
        edges[step] = box
    return accepted / n_steps


def sample(settings: Dynamics, *, stiff: np.ndarray, n_steps: int = 400_000, seed: int = 1) -> np.ndarray:
    """(n_steps, 3) edges after the first tenth; steps are so long that many are refused."""
    edges = np.empty((n_steps, 3))
    share = walk(n_steps, np.exp(CENTRE), settings, stiff, CENTRE, N, KT, np.random.default_rng(seed), edges)
    print(f"\naccepted: {share:.3f}")
    assert 0.3 < share < 0.97
    return edges[n_steps // 10 :]


def z_score(values: np.ndarray, expected: float, n_blocks: int = 30) -> float:
    blocks = values[len(values) % n_blocks :].reshape(n_blocks, -1).mean(axis=1)
    return float((blocks.mean() - expected) / (blocks.std(ddof=1) / math.sqrt(n_blocks)))


def agree(what: str, values: np.ndarray, expected: float, limit: float = 3.5) -> None:
    z = z_score(values, expected)
    print(f"\n{what}: {values.mean():.5g}, expected {expected:.5g}, z = {z:+.2f}")
    assert abs(z) < limit


def expectation(weight: Callable[..., np.ndarray], values: Callable[..., np.ndarray], *grids: np.ndarray) -> float:
    """⟨values⟩ under ``weight`` (a logarithm) over logarithms of edges."""
    mesh = np.meshgrid(*grids, indexing="ij")
    log = weight(*mesh)
    w = np.exp(log - log.max())
    return float((w * values(*mesh)).sum() / w.sum())


PRESSURE = 20.0 * KT / math.exp(CENTRE.sum())
#: So large that an Euler step alone would miss every variance by a tenth or more.
COMPRESSIBILITY = 40.0 / (PRESSURE * KJ_MOL_NM3_TO_BAR)
#: Springs relax ten times faster.
SLOW = {"pressure": PRESSURE * KJ_MOL_NM3_TO_BAR, "compressibility": COMPRESSIBILITY / 8.0, "tau_p": 1.0}
BASE = {"pressure": PRESSURE * KJ_MOL_NM3_TO_BAR, "compressibility": COMPRESSIBILITY, "tau_p": 1.0}


def energy(edges: list[np.ndarray], tension: float = 0.0) -> np.ndarray:
    """-(W + P0 V - Γ A)/kT of edges' logarithms, times the Jacobian L_x L_y L_z."""
    total = sum(edges)
    springs = sum(0.5 * k * (e - c) ** 2 for k, e, c in zip(STIFF, edges, CENTRE))
    work = PRESSURE * np.exp(total) - tension * np.exp(edges[0] + edges[1])
    return (N + 1.0) * total - springs - work / KT


def test_isotropic_coupling_of_an_ideal_gas():
    """V^N exp(-P0 V/kT): ⟨V⟩ = (N+1) kT/P0, variance ⟨V⟩²/(N+1)."""
    volumes = sample(dynamics(barostat="isotropic", **BASE), stiff=np.zeros(3)).prod(axis=1)
    mean = (N + 1.0) * KT / PRESSURE
    agree("<V>", volumes, mean)
    agree("var V", (volumes - mean) ** 2, mean**2 / (N + 1.0))


def test_anisotropic_coupling_of_an_ideal_gas_gives_the_same_volumes():
    """Its shape is free and wanders, its volume does not know about shape."""
    edges = sample(dynamics(barostat="anisotropic", **BASE), stiff=np.zeros(3), seed=2)
    mean = (N + 1.0) * KT / PRESSURE
    agree("<V>", edges.prod(axis=1), mean)
    agree("var V", (edges.prod(axis=1) - mean) ** 2, mean**2 / (N + 1.0))
    shape = np.log(edges[:, 0] / edges[:, 1])
    assert np.ptp(shape) > 1.0


def test_a_step_has_the_drift_and_noise_of_cell_rescaling():
    """Gaussian of the mean and variance it is said to have; a held direction never moves."""
    box, pressure = np.exp(CENTRE), np.diag([1.3, 0.8, 1.1]) * PRESSURE
    settings = dynamics(barostat="anisotropic", **{**BASE, "compressibility": 0.02 * COMPRESSIBILITY})
    drift, variance, changes = np.empty(3), np.empty(3), np.empty(3)
    step_distribution(box, settings, pressure, drift, variance)
    mobility = 0.02 * COMPRESSIBILITY * KJ_MOL_NM3_TO_BAR * 0.02 / 3.0
    np.testing.assert_allclose(drift, mobility * (np.diag(pressure) - PRESSURE), rtol=1e-12)
    np.testing.assert_allclose(variance, 2.0 * mobility * KT / box.prod(), rtol=1e-12)
    rng, drawn = np.random.default_rng(7), []
    for _ in range(20_000):
        draw_step(drift, variance, rng, changes)
        drawn.append((changes - drift) / np.sqrt(variance))
    assert np.abs(np.mean(drawn, axis=0)).max() < 0.03
    np.testing.assert_allclose(np.cov(np.transpose(drawn)), np.eye(3), atol=0.04)
    held = dynamics(barostat="semiisotropic", **{**BASE, "compressibility_z": 0.0})
    step_distribution(box, held, pressure, drift, variance)
    draw_step(drift, variance, rng, changes)
    assert edge_factors(held, changes)[2] == 1.0


@pytest.mark.parametrize("mobility_z", [None, 3.0 * SLOW["compressibility"]])
def test_anisotropic_coupling_of_a_box_with_springs(mobility_z):
    """Each edge has its mean and variance, whatever the mobilities."""
    edges = sample(dynamics(barostat="anisotropic", compressibility_z=mobility_z, **SLOW), stiff=STIFF, seed=3)
    grids = [c + np.linspace(-0.5, 0.5, 61) for c in CENTRE]
    for d in range(3):
        mean = expectation(lambda *e: energy(list(e)), lambda *e: e[d], *grids)  # noqa: B023
        square = expectation(lambda *e: energy(list(e)), lambda *e: (e[d] - mean) ** 2, *grids)  # noqa: B023
        agree(f"<ln L_{d}>", np.log(edges[:, d]), mean)
        agree(f"var ln L_{d}", (np.log(edges[:, d]) - mean) ** 2, square)


@pytest.mark.parametrize("tension", [0.0, 2.0])
@pytest.mark.parametrize("mobility_z", [None, 0.3 * SLOW["compressibility"]])
def test_semi_isotropic_and_surface_tension_coupling_of_a_box_with_springs(tension, mobility_z):
    """x and y as one; two surfaces of ``tension`` mN/m widen the area by the Boltzmann factor of Γ A, Γ = 20 γ bar nm."""
    kind = {"barostat": "surface-tension", "surface_tension": tension} if tension else {"barostat": "semiisotropic"}
    edges = sample(dynamics(**kind, compressibility_z=mobility_z, **SLOW), stiff=STIFF, seed=4)
    ratio = CENTRE[0] - CENTRE[1]
    assert np.ptp(edges[:, 0] / edges[:, 1]) < 1e-9
    gamma = 2.0 * tension * 10.0 / KJ_MOL_NM3_TO_BAR

    def log_weight(half: np.ndarray, height: np.ndarray) -> np.ndarray:
        return energy([half + 0.5 * ratio, half - 0.5 * ratio, height], gamma)

    grids = [CENTRE[:2].mean() + np.linspace(-0.6, 0.6, 301), CENTRE[2] + np.linspace(-0.5, 0.5, 301)]
    area, height = np.log(edges[:, 0] * edges[:, 1]), np.log(edges[:, 2])
    for what, found, factors in (("A", area, (2.0, 0.0)), ("L_z", height, (0.0, 1.0))):

        def value(half: np.ndarray, height: np.ndarray, factors: tuple[float, float] = factors) -> np.ndarray:
            return factors[0] * half + factors[1] * height

        mean = expectation(log_weight, value, *grids)
        square = expectation(log_weight, lambda a, h: value(a, h) ** 2, *grids)
        agree(f"<ln {what}>", found, mean)
        agree(f"var ln {what}", (found - mean) ** 2, square - mean**2)
        if tension and what == "A":
            without = expectation(lambda a, h: energy([a + 0.5 * ratio, a - 0.5 * ratio, h]), value, *grids)
            assert mean > without + 0.03


def test_surface_tension_at_fixed_height_has_a_closed_form():
    """Ideal gas at fixed L_z: A^N exp(-(P0 L_z - Γ) A/kT), so ⟨A⟩ = (N+1) kT/(P0 L_z - Γ), variance ⟨A⟩²/(N+1)."""
    gamma = 1.0  # mN/m, three surfaces
    settings = dynamics(barostat="surface-tension", surface_tension=gamma, n_surfaces=3, compressibility_z=0.0, **BASE)
    edges = sample(settings, stiff=np.zeros(3), seed=5)
    height = math.exp(CENTRE[2])
    assert (edges[:, 2] == height).all()
    effective = PRESSURE * height - 3.0 * gamma * 10.0 / KJ_MOL_NM3_TO_BAR
    assert effective < 0.9 * PRESSURE * height
    mean = (N + 1.0) * KT / effective
    area = edges[:, 0] * edges[:, 1]
    agree("<A>", area, mean)
    agree("var A", (area - mean) ** 2, mean**2 / (N + 1.0))


def test_fixed_area_leaves_the_height_of_an_ideal_gas():
    """L_z^N exp(-P_z A L_z/kT) with a pressure of its own along z."""
    settings = dynamics(
        barostat="semiisotropic",
        **{**BASE, "compressibility": 0.0, "compressibility_z": COMPRESSIBILITY},
        pressure_z=1.6 * BASE["pressure"],
    )
    edges = sample(settings, stiff=np.zeros(3), seed=6)
    assert (edges[:, :2] == np.exp(CENTRE[:2])).all()
    mean = (N + 1.0) * KT / (1.6 * PRESSURE * math.exp(CENTRE[:2].sum()))
    agree("<L_z>", edges[:, 2], mean)
    agree("var L_z", (edges[:, 2] - mean) ** 2, mean**2 / (N + 1.0))


def test_scaling_moves_molecules_whole():
    run = Simulation(constrained(), SimulationSettings())
    molecules, factors = run.parameters.molecules, (1.02, 0.97, 1.05)
    x = run.positions.copy()
    scale_molecules(x, molecules, factors)
    for first, last in zip(molecules.start[:-1].astype(int), molecules.start[1:].astype(int)):
        masses = molecules.masses[first:last] / molecules.masses[first:last].sum()
        before, after = run.positions[first:last], x[first:last]
        np.testing.assert_allclose(masses @ after, np.array(factors) * (masses @ before), rtol=1e-12)
        np.testing.assert_allclose(after - masses @ after, before - masses @ before, atol=1e-12)


KINDS = {
    "anisotropic": {"barostat": "anisotropic"},
    "surface-tension": {"barostat": "surface-tension", "surface_tension": 20.0},
    "fixed height": {"barostat": "surface-tension", "surface_tension": 20.0, "compressibility_z": 0.0},
    "fixed area": {"barostat": "semiisotropic", "compressibility": 0.0, "compressibility_z": 3e-4},
}


@pytest.mark.parametrize(("precision", "limit"), [("mixed", 5e-6), ("double", 1e-9)])
@pytest.mark.parametrize("kind", list(KINDS))
def test_runs_restart_to_the_bit_and_forces_stay_right(kind, precision, limit, tmp_path):
    settings = SimulationSettings(tau_p=1.0, pressure=100.0, precision=precision, **KINDS[kind])
    runs = [Simulation(water(130), settings, seed=3) for _ in range(2)]
    for run in runs:
        run.minimize(max_steps=60)
    runs[0].run(90)
    runs[0].save_checkpoint(tmp_path / "state.npz")
    runs[0].run(60)
    runs[1].load_checkpoint(tmp_path / "state.npz")
    runs[1].run(60)
    assert runs[0].positions.tobytes() == runs[1].positions.tobytes()
    assert runs[0].box.tobytes() == runs[1].box.tobytes()
    moved = runs[0].box != np.array(water(130).box)
    assert moved.tolist() == {"fixed height": [True, True, False], "fixed area": [False, False, True]}.get(
        kind, [True] * 3
    )
    fresh = Simulation(runs[0].system(), settings).energies()
    np.testing.assert_allclose(runs[0].state.forces, fresh.forces, atol=limit * np.abs(fresh.forces).max())
    other = Simulation(water(130), replace(settings, n_surfaces=3), seed=3)
    assert other.fingerprint() != runs[0].fingerprint()


@pytest.mark.parametrize(("precision", "limit"), [("mixed", 5e-6), ("double", 1e-8)])
def test_a_new_edge_keeps_constraints_and_neighbour_list(precision, limit):
    """Three edges that move apart, constrained molecules, forces as from a fresh list."""
    settings = SimulationSettings(barostat="anisotropic", tau_p=0.5, time_step=0.01, precision=precision)
    run = Simulation(constrained(3), settings, seed=1)
    run.minimize(max_steps=500)
    start = np.array(run.box)
    run.run(250)
    assert np.ptp(run.box / start) > 1e-3
    pairs = run.parameters.constraints.pairs
    lengths = np.linalg.norm(run.positions[pairs[:, 0]] - run.positions[pairs[:, 1]], axis=1)
    np.testing.assert_allclose(lengths, run.parameters.constraints.lengths, rtol=1e-6)
    fresh = Simulation(run.system(), run.settings).energies()
    np.testing.assert_allclose(run.state.forces, fresh.forces, atol=limit * np.abs(fresh.forces).max())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"barostat": "isotropic", "pressure_z": 1.0}, "pressure_z needs"),
        ({"compressibility_z": 1e-4}, "compressibility_z needs"),
        ({"barostat": "isotropic", "compressibility": 0.0}, "compressibility must be"),
        ({"barostat": "semiisotropic", "compressibility_z": -1e-4}, "compressibility_z must be"),
        ({"barostat": "semiisotropic", "compressibility": 0.0, "compressibility_z": 0.0}, "every direction"),
        ({"barostat": "anisotropic", "pressure_z": float("nan")}, "pressure_z must be"),
        ({"barostat": "semiisotropic", "surface_tension": 5.0}, "surface_tension needs"),
        ({"surface_tension": 5.0}, "surface_tension needs"),
        ({"barostat": "surface-tension", "surface_tension": float("inf")}, "surface_tension must be"),
        ({"barostat": "surface-tension", "n_surfaces": 0}, "n_surfaces"),
        ({"barostat": "surface-tension", "pressure_z": 1.0}, "mean nothing"),
        ({"barostat": "surface-tension", "compressibility": 0.0, "compressibility_z": 1e-4}, "mean nothing"),
    ],
)
def test_directions_that_make_no_sense_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        SimulationSettings(**wrong)


def test_ideal_gas_under_tension_runs():
    """The whole engine at fixed height for a short while: the area of the closed form, far from the one without tension."""
    n, height = 200, 4.0
    gas = System(
        table=NO_LENNARD_JONES,
        components=((W, n),),
        positions=np.random.default_rng(1).uniform(0, 4, (n, 3)),
        box=[4.0, 4.0, height],
    )
    pressure = n * KT / 64.0 * KJ_MOL_NM3_TO_BAR
    tension = 0.3 * pressure * height / 10.0 / 2.0  # two surfaces take off 30 % of the lateral pressure
    settings = SimulationSettings(
        barostat="surface-tension", surface_tension=tension, pressure=pressure, compressibility=1.0 / pressure,
        compressibility_z=0.0, tau_p=1.0, barostat_every=2, thermostat="langevin", tau_t=0.5, list_buffer=2.0,
    )  # fmt: skip
    run = Simulation(gas, settings, seed=2)
    run.run(2000)
    areas: list[float] = []
    run.run(20000, every=20, observe=lambda s: areas.append(float(s.box[0] * s.box[1])))
    expected = (n + 1.0) * KT / (0.7 * pressure / KJ_MOL_NM3_TO_BAR * height)
    agree("<A> of the gas", np.array(areas), expected)
    assert expected > 1.3 * 16.0
