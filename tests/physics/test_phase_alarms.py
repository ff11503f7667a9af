"""Alarms on real liquids and real crystals: none in the one, always in the other. Run with ``pytest --validate``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.building.liquid import build_liquid
from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.model.requests import LiquidRequest
from topdown.sampling.equilibrate import production_settings, settle
from topdown.sampling.liquid_runs import run_liquid
from topdown.sampling.liquid_state import CLEAN_FRACTION, LiquidWatch
from topdown.tables import load_bead_table, load_molecule

pytestmark = pytest.mark.validate


def liquid(name: str, n: int, temperature: float = 300.0) -> System:
    molecule = load_molecule("martini3", name)
    table = load_bead_table("martini3").subset(molecule.type_names)
    built = build_liquid(molecule, n, table, rng=np.random.default_rng(2))
    return settle(built, temperature=temperature, seed=2)


def lattice(kind: str) -> System:
    """W beads in face-centred cubic or hexagonal close packing."""
    if kind == "fcc":
        basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
        cell, counts = np.full(3, (4.0 / 9.3) ** (1 / 3)), (5, 5, 5)
    else:
        basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]])
        cell, counts = (2**0.5 / 9.3) ** (1 / 3) * np.array([1.0, 3**0.5, (8 / 3) ** 0.5]), (7, 4, 5)
    cells = np.stack(np.meshgrid(*(np.arange(c) for c in counts), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = (cells + basis).reshape(-1, 3) * cell
    water = liquid("W", 400)
    return System(
        table=water.table,
        components=((water.components[0][0], len(positions)),),
        positions=positions,
        box=cell * np.array(counts),
    )


def watched(system: System, temperature: float, n_checks: int, every: int = 2500) -> LiquidWatch:
    run = Simulation(system, production_settings(temperature, 1.0), seed=5)
    run.run(5000)
    watch = LiquidWatch(run)
    for _ in range(n_checks):
        run.run(every)
        watch.look(run)
    return watch


@pytest.mark.parametrize(
    ("name", "n", "temperature", "n_checks"),
    [("W", 400, 300.0, 200), ("W", 400, 270.0, 100), ("OCO", 140, 300.0, 40), ("HD", 100, 300.0, 40)],
)
def test_no_alarm_in_a_liquid(name, n, temperature, n_checks):
    run = Simulation(liquid(name, n, temperature), production_settings(temperature, 1.0), seed=5)
    run.run(5000)
    watch = LiquidWatch(run)
    alarms = 0
    for _ in range(n_checks):
        run.run(2500)
        alarms += watch.look(run) is not None
    fractions = [s.crystalline_fraction for s in watch.states]
    cavities = [s.cavity_radius for s in watch.states]
    densities = np.array([s.density for s in watch.states])
    print(
        f"\n{n} {name}, {temperature:g} K: {alarms} alarms in {n_checks} checks; crystalline part at most {max(fractions):.4f}, "
        f"cavity at most {max(cavities):.2f} nm, density {densities.mean():.2f} ± {densities.std():.2f} per nm3"
    )
    assert alarms == 0


@pytest.mark.parametrize("kind", ["fcc", "hcp"])
@pytest.mark.parametrize("temperature", [280.0, 300.0])
def test_a_crystal_is_always_seen(kind, temperature):
    watch = watched(lattice(kind), temperature, 6)
    fractions = [s.crystalline_fraction for s in watch.states]
    print(f"\n{kind} W, {temperature:g} K: crystalline part {min(fractions):.3f} to {max(fractions):.3f}")
    assert min(fractions) > 0.9


def test_water_that_freezes_by_itself_is_cut_off_before_it_does():
    """Supercooled to 250 K, 400 W freeze within a nanosecond; no frame of the crystal is stored."""
    system = liquid("W", 400, 250.0)
    request = LiquidRequest(
        molecule=system.components[0][0],
        n_molecules=400,
        table=system.table,
        temperature=250.0,
        pressure=1.0,
        n_equilibration=1000,
        n_steps=150_000,
        every=50,
        seed=5,
    )
    samples = run_liquid(request, system, key="k", seed=5).samples
    print(f"\n{samples.alarm}; {samples.sums.n_frames} frames kept")
    assert "froze" in samples.alarm
    energy = samples.sums.sums[:, 0] * samples.epsilon[0] / 400
    # the crystal lies 3.5 kJ/mol per bead below the supercooled liquid
    assert np.mean(energy[-20:]) > np.mean(energy[:200]) - 1.0


def test_a_stretched_liquid_tears_and_raises_the_alarm():
    """At six tenths of its density and constant volume a liquid opens a cavity."""
    whole = liquid("W", 400)
    torn = replace(whole, positions=whole.positions, box=whole.box * [1.0, 1.0, 1.7])
    run = Simulation(torn, SimulationSettings(thermostat="langevin"), seed=3)
    run.run(5000)
    watch = LiquidWatch(run)
    alarm = watch.look(run)
    assert alarm is not None
    assert alarm.kind == "evaporated"
    assert watch.states[-1].crystalline_fraction <= CLEAN_FRACTION
