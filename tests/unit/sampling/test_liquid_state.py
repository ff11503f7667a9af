"""Alarms: local order against a plain twin and known lattices, cavities, and what is done with the frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_systems import WATER, W, read_reference_gro, water
from scipy.special import sph_harm_y

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import SimulationError
from topdown.model import System
from topdown.model.requests import LiquidRequest
from topdown.sampling import equilibrate, liquid_runs, liquid_state
from topdown.sampling.liquid_runs import run_liquid
from topdown.sampling.liquid_state import (
    LiquidState,
    LiquidWatch,
    cavity_radius,
    evaporation_alarm,
    freezing_alarm,
    local_order,
)

LIQUID = LiquidState(time=0.0, crystalline_fraction=0.0, cavity_radius=0.42, density=8.26)


def run_of(**columns: list[float]) -> list[LiquidState]:
    """States that differ from a liquid's in the named columns."""
    rows = zip(*columns.values())
    return [replace(LIQUID, time=100.0 * k, **dict(zip(columns, row))) for k, row in enumerate(rows)]


def fcc(n: int, spacing: float, jitter: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """``n``³ cells of a face-centred cubic lattice."""
    basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = (cells + basis).reshape(-1, 3) * spacing
    return positions + np.random.default_rng(1).normal(0.0, jitter, positions.shape), np.full(3, n * spacing)


def crystal(temperature_like_jitter: float = 0.02) -> System:
    """500 W beads in a crystal."""
    positions, box = fcc(5, (4.0 / 9.3) ** (1 / 3), temperature_like_jitter)
    liquid = water(500)
    return replace(liquid, positions=positions, box=box)


def liquid_water() -> System:
    """1,600 W beads as GROMACS left them at 300 K."""
    positions, box = read_reference_gro("w1600")
    return System(table=WATER, components=((W, len(positions)),), positions=positions, box=box)


def plain_order(positions: np.ndarray, box: np.ndarray) -> np.ndarray:
    """q̄_6 by its definition, bead by bead, with scipy's complex spherical harmonics."""
    near, single = [], []
    for r in positions:
        d = positions - r
        d -= box * np.rint(d / box)
        length = np.linalg.norm(d, axis=1)
        nearest = np.argsort(length)[1:13]
        x, y, z = (d[nearest] / length[nearest, None]).T
        near.append(nearest)
        single.append([sph_harm_y(6, m, np.arccos(z), np.arctan2(y, x)).mean() for m in range(-6, 7)])
    q = np.array(single)
    mean = np.array([(q[i] + q[near[i]].sum(axis=0)) / 13.0 for i in range(len(q))])
    return np.sqrt(4.0 * np.pi / 13.0 * (np.abs(mean) ** 2).sum(axis=1))


def test_local_order_is_that_of_its_definition() -> None:
    positions, box = read_reference_gro("w400c1")
    np.testing.assert_allclose(local_order(positions, box), plain_order(positions, box), rtol=0, atol=1e-12)


def test_local_order_of_a_perfect_crystal_anywhere_and_any_way_round() -> None:
    """0.57452 for twelve neighbours in face-centred cubic order (Steinhardt, Nelson and Ronchetti 1983)."""
    positions, box = fcc(4, 0.75)
    np.testing.assert_allclose(local_order(positions, box), 0.57452, atol=1e-5)
    moved = positions[:, [2, 0, 1]] + [17.3, -40.1, 3.0]
    np.testing.assert_allclose(local_order(moved, box), 0.57452, atol=1e-5)


def test_cavity_radius() -> None:
    positions, box = fcc(5, 0.7)
    assert cavity_radius(positions, box) < 0.36
    centre = np.full(3, 1.75)
    hole = np.linalg.norm(positions - centre, axis=1) > 1.0
    assert 0.85 < cavity_radius(positions[hole] + 9.9, box) <= 1.15


def test_a_liquid_raises_no_alarm() -> None:
    positions, box = read_reference_gro("w1600")
    states = [liquid_state.liquid_state(positions, box)] * 10
    assert freezing_alarm(states) is None
    assert evaporation_alarm(states) is None


@pytest.mark.parametrize(
    ("column", "values", "last_good", "kind"),
    [
        ("crystalline_fraction", [0.0, 0.01, 0.02, 0.07, 0.4, 0.9], 2, "froze"),
        ("crystalline_fraction", [0.5, 0.6], -1, "froze"),
        ("density", [8.2, 8.3, 8.3, 8.25, 8.5, 9.3, 9.3, 9.3], 4, "froze"),
        ("cavity_radius", [0.42, 0.45, 0.5, 0.7, 1.2], 2, "evaporated"),
        ("density", [8.2, 8.3, 8.3, 8.25, 7.0, 4.0, 1.0, 0.1], 3, "evaporated"),
    ],
)
def test_alarms_name_the_last_good_check(column: str, values: list[float], last_good: int, kind: str) -> None:
    states = run_of(**{column: values})
    alarm = freezing_alarm(states) if kind == "froze" else evaporation_alarm(states)
    other = evaporation_alarm(states) if kind == "froze" else freezing_alarm(states)
    assert alarm is not None
    assert (alarm.kind, alarm.last_good) == (kind, last_good)
    assert other is None


def test_fluctuations_are_no_alarm() -> None:
    rng = np.random.default_rng(5)
    states = run_of(
        crystalline_fraction=list(rng.uniform(0, 0.05, 200)),
        cavity_radius=list(rng.uniform(0.38, 0.6, 200)),
        density=list(rng.normal(8.26, 0.1, 200)),
    )
    assert freezing_alarm(states) is None
    assert evaporation_alarm(states) is None


def _sample(system: System, **changes: int):
    values = {"n_equilibration": 0, "n_steps": 400, "every": 20, **changes}
    ((water, count),) = system.components
    request = LiquidRequest(
        molecule=water, n_molecules=count, table=system.table, temperature=300.0, pressure=1.0, seed=3, **values
    )
    return run_liquid(request, system, key="k", seed=3).samples


def test_frames_after_the_last_good_check_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks every 100 steps, five frames between two; good, good, doubtful, frozen."""
    fractions = iter([0.0, 0.01, 0.10, 0.5])
    monkeypatch.setattr(liquid_runs, "CHECK_EVERY", 100)
    monkeypatch.setattr(
        liquid_state,
        "liquid_state",
        lambda x, box, time: replace(LIQUID, time=time, crystalline_fraction=next(fractions)),
    )
    cut = _sample(liquid_water())
    assert cut.sums.n_frames == 5
    assert "froze" in cut.alarm
    assert "10 frames" in cut.alarm
    monkeypatch.setattr(liquid_state, "liquid_state", lambda x, box, time: LIQUID)
    full = _sample(liquid_water())
    assert full.alarm == ""
    np.testing.assert_array_equal(full.sums.sums[:5], cut.sums.sums)


def test_checks_leave_the_run_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seldom = _sample(liquid_water())
    monkeypatch.setattr(liquid_runs, "CHECK_EVERY", 60)
    often = _sample(liquid_water())
    np.testing.assert_array_equal(seldom.sums.sums, often.sums.sums)


def test_a_crystal_is_refused_as_a_liquid() -> None:
    with pytest.raises(SimulationError, match=r"500 W: the liquid froze before .*raise the temperature"):
        _sample(crystal())
    with pytest.raises(SimulationError, match="froze during equilibration"):
        equilibrate.equilibrate_liquid(crystal(), temperature=280.0, pressure=1.0, n_steps=200, seed=1)


def test_a_torn_liquid_is_an_alarm() -> None:
    """A box twice as large in z at constant volume holds a slab and a gap."""
    liquid = water(400)
    torn = replace(liquid, box=liquid.box * [1.0, 1.0, 2.0])
    run = Simulation(torn, SimulationSettings(temperature=300.0), seed=1)
    watch = LiquidWatch(run)
    alarm = watch.look(run)
    assert alarm is not None
    assert alarm.kind == "evaporated"
