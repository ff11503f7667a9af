"""From a built box to an equilibrated one."""

from __future__ import annotations

from topdown.engine import Simulation, SimulationSettings
from topdown.errors import PhaseChangeError
from topdown.model import System
from topdown.sampling.liquid_state import ALARM_HINT, evaporation_alarm, freezing_alarm, liquid_state

#: Time step of every liquid that is sampled [ps].
TIME_STEP = 0.02
#: (time step [ps], friction time [ps], steps) of the stages that take the strain out of a built box.
SETTLING_STAGES = ((0.002, 0.1, 500), (0.005, 0.2, 500), (0.01, 0.5, 500))


def production_settings(temperature: float, pressure: float, time_step: float | None = None) -> SimulationSettings:
    """Constant temperature (Langevin, 1 ps) and isotropic pressure at 20 fs: what every liquid is sampled with.

    ``time_step`` [ps] is for runs that failed at 20 fs.
    """
    return SimulationSettings(
        time_step=time_step or TIME_STEP,
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


def equilibrate_liquid(
    system: System, *, temperature: float, pressure: float, n_steps: int, seed: int, time_step: float | None = None
) -> System:
    """Settle a built box and run it ``n_steps`` of 20 fs, or of ``time_step`` [ps], at constant pressure.

    Raises
    ------
    SimulationError
        When a run fails; a :class:`~topdown.errors.PhaseChangeError` when what is left at the end is a crystal or has a cavity.
    """
    settled = settle(system, temperature=temperature, seed=seed)
    simulation = Simulation(settled, production_settings(temperature, pressure, time_step), seed=seed + 104729)
    simulation.run(n_steps)
    states = [liquid_state(simulation.positions, simulation.box, time=simulation.time)]
    alarm = freezing_alarm(states) or evaporation_alarm(states)
    if alarm is not None:
        raise PhaseChangeError(
            f"the liquid {alarm.kind} during equilibration: {alarm.message}",
            kind=alarm.kind,
            where=system.title,
            hint=ALARM_HINT,
        )
    return simulation.system()
