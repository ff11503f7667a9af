"""Twenty molecules of every curated model in one dense box at 20 fs: constraints hold, sites stay placed, and each kind of
molecule has the temperature of the thermostat – one that its time step heats would not."""

from __future__ import annotations

import numpy as np
import pytest

from topdown.building import build_mixture
from topdown.building.bonded_energy import bonded_terms
from topdown.engine import Simulation, SimulationSettings
from topdown.model import System
from topdown.tables import load_all_molecules, load_bead_table
from topdown.units import GAS_CONSTANT

COPIES = 20
TEMPERATURE = 310.0


def every_model(table_name: str) -> System:
    """Twenty of each, and ions that neutralise them."""
    models = {m.model.name: m.model for m in load_all_molecules(table_name)}
    components = [(model, COPIES) for model in models.values()]
    excess = round(sum(model.charge for model in models.values())) * COPIES
    components.append((models["CL" if excess > 0 else "NA"], abs(excess)))
    table = load_bead_table(table_name).subset({t for model in models.values() for t in model.type_names})
    return build_mixture(components, table, rng=np.random.default_rng(3))


def constraint_error(system: System, x: np.ndarray) -> dict[str, float]:
    """Largest relative error of a constraint of each kind of molecule that has any."""
    worst: dict[str, float] = {}
    for molecule, start in system.molecules():
        for c in molecule.constraints:
            error = abs(np.linalg.norm(x[start + c.atoms[0]] - x[start + c.atoms[1]]) / c.length - 1.0)
            worst[molecule.name] = max(worst.get(molecule.name, 0.0), float(error))
    return worst


def temperatures(system: System, masses: np.ndarray, velocities: np.ndarray) -> dict[str, float]:
    """Kinetic temperature of each kind of molecule [K], degrees of freedom without constraints and sites."""
    kinetic, start = 0.5 * masses[:, None] * velocities**2, 0
    found: dict[str, list[float]] = {}
    for molecule, count in system.components:
        stop = start + molecule.n_beads * count
        freedom = count * (3 * sum(bead.mass > 0 for bead in molecule.beads) - len(molecule.constraints))
        found.setdefault(molecule.name, []).append(2 * float(kinetic[start:stop].sum()) / (freedom * GAS_CONSTANT))
        start = stop
    return {name: values[0] for name, values in found.items()}


@pytest.mark.validate
@pytest.mark.parametrize("table", ["martini2", "martini3"])
def test_every_model_stands_20_fs(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    system = every_model(table)
    settle = SimulationSettings(temperature=TEMPERATURE, thermostat="langevin", tau_t=0.1, time_step=0.002)
    start = Simulation(system, settle, seed=1)
    # Minimising holds constraints by springs, and putting beads back onto them raises the energy again.
    for tolerance in (2000.0, 2000.0, 1000.0, 500.0):
        start.minimize(max_steps=1000, force_tolerance=tolerance)
    start.run(3000)
    run = Simulation(start.system(), SimulationSettings(temperature=TEMPERATURE, time_step=0.02), seed=2)
    masses, terms = run.parameters.molecules.masses, bonded_terms(system.components)
    worst: dict[str, float] = {}
    heat: dict[str, list[float]] = {}

    def observe(simulation: Simulation) -> None:
        x = np.array(simulation.positions)
        np.testing.assert_allclose(terms.place(x), x, atol=1e-9)
        for name, error in constraint_error(system, x).items():
            worst[name] = max(worst.get(name, 0.0), error)
        for name, value in temperatures(system, masses, simulation.velocities).items():
            heat.setdefault(name, []).append(value)

    run.run(5000, every=25, observe=observe)
    rows = {name: (np.mean(values[20:]), worst.get(name)) for name, values in heat.items()}
    with capsys.disabled():
        print(f"\n{table}: {system.n_beads} beads, 100 ps at 20 fs, {TEMPERATURE:g} K")
        for name, (temperature, error) in rows.items():
            print(f"  {name:<11} {temperature:6.1f} K" + ("" if error is None else f"  constraints {error:.1e}"))
    assert max(worst.values()) < 1e-5
    for model, _ in system.components:
        freedom = COPIES * (3 * sum(bead.mass > 0 for bead in model.beads) - len(model.constraints))
        # 180 frames half a picosecond apart, of which about one in four is independent; 5 % for the time step itself
        noise = TEMPERATURE * np.sqrt(2.0 / (freedom * 45))
        assert rows[model.name][0] == pytest.approx(TEMPERATURE, abs=0.05 * TEMPERATURE + 4 * noise), model.name
