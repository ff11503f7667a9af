"""From a built box to an equilibrated one."""

from __future__ import annotations

from topdown.engine import Simulation, SimulationSettings
from topdown.model import System

#: (time step [ps], friction time [ps], steps) of the stages that take the strain out of a built box.
SETTLING_STAGES = ((0.002, 0.1, 500), (0.005, 0.2, 500), (0.01, 0.5, 500))


def production_settings(temperature: float, pressure: float) -> SimulationSettings:
    """Constant temperature (Langevin, 1 ps) and isotropic pressure at 20 fs: what every liquid is sampled with."""
    return SimulationSettings(
        time_step=0.02,
        temperature=temperature,
        thermostat="langevin",
        tau_t=1.0,
        pressure=pressure,
        barostat="isotropic",
        tau_p=2.0,
    )


def settle(system: System, *, temperature: float, seed: int) -> System:
    """Minimise, then short strongly damped runs of growing time step at constant volume.

    Parameters
    ----------
    system : System
    temperature : float
        [K]
    seed : int

    Returns
    -------
    System
        With velocities, ready for 20 fs.
    """
    simulation = Simulation(system, SimulationSettings(temperature=temperature), seed=seed)
    simulation.minimize(max_steps=500, force_tolerance=200.0)
    for number, (time_step, tau_t, steps) in enumerate(SETTLING_STAGES):
        settings = SimulationSettings(time_step=time_step, temperature=temperature, thermostat="langevin", tau_t=tau_t)
        simulation = Simulation(simulation.system(), settings, seed=seed + 7919 * (number + 1))
        simulation.run(steps)
    return simulation.system()


def equilibrate_liquid(system: System, *, temperature: float, pressure: float, n_steps: int, seed: int) -> System:
    """Settle a built box and run it ``n_steps`` of 20 fs at constant pressure."""
    settled = settle(system, temperature=temperature, seed=seed)
    simulation = Simulation(settled, production_settings(temperature, pressure), seed=seed + 104729)
    simulation.run(n_steps)
    return simulation.system()
