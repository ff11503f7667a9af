"""Sampling one window: the sums of the energy on stored frames."""

from __future__ import annotations

import numpy as np

from topdown.engine import Coupling, Simulation
from topdown.errors import SettingsError
from topdown.model import PairSums, System, WindowSamples
from topdown.sampling.equilibrate import production_settings


def sample_window(
    system: System,
    *,
    key: str,
    name: str,
    temperature: float,
    pressure: float,
    n_equilibration: int,
    n_steps: int,
    every: int,
    seed: int,
    coupling: Coupling | None = None,
) -> WindowSamples:
    """Equilibrate and sample ``system`` at constant pressure, storing the sums every ``every`` steps.

    Parameters
    ----------
    system : System
        An equilibrated liquid, with the solute as component ``coupling.component`` where there is one.
    key, name : str
        Of the samples made.
    temperature, pressure : float
        [K], [bar]
    n_equilibration, n_steps, every : int
        Steps of 20 fs.
    seed : int
    coupling : Coupling, optional

    Raises
    ------
    SettingsError
        When no frame would be stored.
    SimulationError
        When the run fails.
    """
    if every < 1 or n_steps < every:
        raise SettingsError(f"{n_steps} steps with a frame every {every} store nothing")
    settings = production_settings(temperature, pressure)
    simulation = Simulation(system, settings, seed=seed, coupling=coupling)
    if coupling is not None:
        simulation.minimize(max_steps=100, force_tolerance=500.0)
    simulation.run(n_equilibration)
    frames: list[PairSums] = []
    simulation.run(n_steps, every=every, observe=lambda s: frames.append(s.pair_sums()))
    sums = join_frames(frames)
    table = system.table
    epsilon = tuple(table.pair(a, b)[1] for a, b in (*sums.pairs, *sums.solute_pairs))
    component = -1 if coupling is None else coupling.component
    return WindowSamples(
        key=key,
        system=name,
        sums=sums,
        epsilon=epsilon,
        lambda_index=-1 if coupling is None else coupling.index,
        temperature=temperature,
        pressure=pressure,
        n_molecules=sum(count for k, (_, count) in enumerate(system.components) if k != component),
    )


def join_frames(frames: list[PairSums]) -> PairSums:
    """The sums of several frames as one; all of the same system."""
    first = frames[0]
    return PairSums(
        pairs=first.pairs,
        solute_pairs=first.solute_pairs,
        lambdas=first.lambdas,
        sums=np.concatenate([f.sums for f in frames]),
        solute_sums=np.concatenate([np.asarray(f.solute_sums) for f in frames]),
        rest_energy=np.concatenate([f.rest_energy for f in frames]),
        volume=np.concatenate([f.volume for f in frames]),
    )
