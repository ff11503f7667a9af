"""Liquids behind pairs of classes: derivatives against the force field, steps that find known factors, alarms."""

from dataclasses import replace

import numpy as np
import pytest
from small_world import single, small_table
from two_classes import SPACE, class_table, liquids

from topdown.calibration.class_liquids import (
    ALARM_STEP,
    TENSION_POWER,
    LiquidValue,
    alarm_value,
    density_value,
    next_factors,
    tension_value,
)
from topdown.calibration.class_table import largest_like_epsilon
from topdown.engine import Simulation, SimulationSettings, potential_energy
from topdown.model import Estimate, PairSums, System, WindowSamples


def test_sums_give_the_derivative_of_the_energy_by_sigma() -> None:
    """∂U/∂ln σ_p = 6 ε_p (S_p + R_p), which the slopes of the density rest on."""
    table = small_table()
    rng = np.random.default_rng(1)
    grid = np.array([[i, j, k] for i in range(4) for j in range(4) for k in range(4)]) * 0.45
    system = System(
        title="small",
        components=((single("A"), 40), (single("B"), 24)),
        positions=grid + rng.uniform(-0.02, 0.02, grid.shape),
        box=np.full(3, 1.8),
        table=table,
    )
    sums = Simulation(system, SimulationSettings(precision="double"), seed=1).pair_sums()
    assert sums.repulsion is not None
    step = 1e-5
    for k, (a, b) in enumerate(sums.pairs):
        i, j = table.index(a), table.index(b)
        energies = []
        for sign in (1.0, -1.0):
            sigma = table.sigma.copy()
            sigma[i, j] = sigma[j, i] = sigma[i, j] * np.exp(sign * step)
            energies.append(potential_energy(replace(system, table=replace(table, sigma=sigma))).potential)
        slope = 6.0 * table.epsilon[i, j] * (sums.sums[0, k] + sums.repulsion[0, k])
        assert slope == pytest.approx((energies[0] - energies[1]) / (2.0 * step), rel=1e-5, abs=1e-5)


def frames(rng: np.random.Generator) -> WindowSamples:
    """Volumes that answer to two sums with known strength."""
    n = 20_000
    sums = rng.normal([-40.0, -10.0], [3.0, 1.0], (n, 2))
    repulsion = rng.normal(20.0, 1.0, (n, 2))
    volume = 50.0 * np.exp(0.002 * (sums[:, 0] + 40.0) + 0.001 * (repulsion[:, 1] - 20.0))
    return WindowSamples(
        key="k",
        system="s",
        sums=PairSums(
            pairs=(("C01", "C01"), ("C01", "SP01")),
            sums=sums,
            repulsion=repulsion,
            volume=volume,
            rest_energy=np.zeros(n),
            solute_pairs=(),
            solute_sums=np.zeros((n, 0, 0)),
            lambdas=np.zeros(0),
        ),
        epsilon=(3.0, 2.0),
        temperature=298.15,
        pressure=1.0,
        n_molecules=100,
    )


def test_slopes_are_covariances() -> None:
    estimate = Estimate(value=800.0, standard_error=1.0, n_effective=50.0)
    found = density_value("C", frames(np.random.default_rng(2)), estimate)
    beta = 1.0 / (0.0083144626 * 298.15)
    # ln ρ falls by 0.002 for each unit of the first sum: -β Cov(ln ρ, ε S) = β ε 0.002 Var(S)
    assert found.by_epsilon[0] == pytest.approx(beta * 3.0 * 0.002 * 9.0, rel=0.03)
    assert found.by_epsilon[1] == pytest.approx(0.0, abs=0.005)
    assert found.by_sigma[0] == pytest.approx(6.0 * beta * 3.0 * 0.002 * 9.0, rel=0.03)
    assert found.by_sigma[1] == pytest.approx(6.0 * beta * 2.0 * 0.001, rel=0.3)
    tension = tension_value("C", frames(np.random.default_rng(2)), estimate)
    assert sum(tension.by_sigma) == pytest.approx(-2.0)
    assert sum(tension.by_epsilon) == pytest.approx(TENSION_POWER)
    assert tension.by_epsilon[0] / tension.by_epsilon[1] == pytest.approx(120.0 / 20.0, rel=0.02)


def test_steps_find_values_that_factors_can_give() -> None:
    rng = np.random.default_rng(3)
    truth = 0.5 * SPACE.widths * rng.standard_normal(2 * SPACE.n_half)
    measured = {(v.smiles, v.quantity): (v.value, 0.01) for v in liquids(truth)}
    x, costs = np.zeros(2 * SPACE.n_half), []
    for _ in range(8):
        step = next_factors(SPACE, x, liquids(x), measured, class_table(), 298.15)
        costs.append(step.cost)
        x = step.x
    assert costs[-1] < 0.35 * costs[0]
    for v in liquids(x):
        limit = 0.025 if v.quantity == "density" else 0.08
        assert abs(np.log(v.value / measured[v.smiles, v.quantity][0])) < limit, (
            "within the model error, less than it before"
        )
    assert (step.errors <= SPACE.widths + 1e-12).all()
    assert step.errors.min() < 0.7 * SPACE.widths.min()


def test_one_round_does_not_go_far() -> None:
    measured = {(v.smiles, v.quantity): (5.0 * v.value, 0.01) for v in liquids(np.zeros(2 * SPACE.n_half))}
    step = next_factors(
        SPACE, np.zeros(2 * SPACE.n_half), liquids(np.zeros(2 * SPACE.n_half)), measured, class_table(), 298.15
    )
    factors = SPACE.factors(step.x)
    assert np.abs(factors.sigma).max() + max(map(abs, factors.sigma_sizes.values())) <= 0.20 + 1e-9
    assert np.abs(factors.epsilon).max() + max(map(abs, factors.epsilon_sizes.values())) <= 0.80 + 1e-9


@pytest.mark.parametrize("alarm", sorted(ALARM_STEP))
def test_a_liquid_that_froze_wants_weaker_beads_and_one_that_boiled_stronger(alarm: str) -> None:
    value = alarm_value("X", "density", alarm, [("P01", "P01")], [1.0])
    x = np.zeros(2 * SPACE.n_half)
    stepped = next_factors(SPACE, x, [value], {}, class_table(), 298.15).x
    factors = SPACE.factors(stepped)
    assert np.sign(factors.epsilon[1]) == np.sign(ALARM_STEP[alarm])
    assert factors.epsilon[0] == 0.0
    assert not factors.sigma.any()
    np.testing.assert_array_equal(factors.epsilon, stepped[SPACE.n_half : SPACE.n_half + 2])


def test_at_its_limit_a_like_pair_does_not_answer_to_factors() -> None:
    x = np.zeros(2 * SPACE.n_half)
    low = LiquidValue(
        smiles="X",
        quantity="surface_tension",
        value=10.0,
        error=0.1,
        alarm="",
        pairs=(("P01", "P01"),),
        by_epsilon=(2.9,),
        by_sigma=(0.0,),
    )
    measured = {("X", "surface_tension"): (40.0, 0.1)}
    moved = [
        next_factors(SPACE, x, [low], measured, class_table(), limit / largest_like_epsilon(1.0)).x.any()
        for limit in (3.0, 3.5)
    ]
    assert moved == [False, True], "ε of every pair is 3 there"


def test_a_single_bead_that_is_too_weak_for_a_liquid_gets_stronger() -> None:
    """RT = 0.9 ε at 325 K; above that the liquid asks for more, and for what is missing, below for nothing."""
    dense = replace(liquids(np.zeros(2 * SPACE.n_half))[2], by_epsilon=(0.0,), by_sigma=(0.0,))
    measured = {(dense.smiles, "density"): (100.0, 1.0)}
    x = np.zeros(2 * SPACE.n_half)
    for temperature, least, most in ((320.0, 0.0, 0.0), (420.0, 0.8, 1.0)):
        stepped = SPACE.factors(next_factors(SPACE, x, [dense], measured, class_table(), temperature).x)
        missing = np.log(0.00831446 * temperature / 0.9 / 3.0)
        answer = (stepped.epsilon[1] + stepped.epsilon_sizes["RR"]) / missing
        assert least <= answer <= most
        assert stepped.epsilon[0] == 0.0


def test_one_outlier_hardly_moves_what_others_agree_on() -> None:
    x = np.zeros(2 * SPACE.n_half)
    agreed = [replace(v, smiles=f"{v.smiles}{k}") for v in liquids(x)[:1] for k in range(6)]

    def answer(off: float, loose: float = 0.03) -> float:
        """ln σ of the class when one of six equal liquids is off by ``off`` and the others by 0.02."""
        wanted = [v.value * np.exp(-0.02) for v in agreed[1:]]
        measured = {(v.smiles, v.quantity): (w, 0.1) for v, w in zip(agreed, [agreed[0].value * np.exp(-off), *wanted])}
        error = {"density": loose, "surface_tension": 0.12}
        return float(next_factors(SPACE, x, agreed, measured, class_table(), 298.15, error).x[0])  # type: ignore[arg-type]

    assert answer(0.02) > 0.0
    assert answer(1.0) < 1.2 * answer(0.02)
    assert 0.0 < answer(0.02, loose=1.0) < 0.5 * answer(0.02), "a larger model error asks for less"
