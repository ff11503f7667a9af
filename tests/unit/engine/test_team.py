"""Several threads that advance one system do what one does, the same way every time, and fail as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import engine_team_failures
import numpy as np
import pytest
from engine_restart import CASES
from engine_systems import (
    CUTOFF,
    W,
    bead_table,
    constrained,
    everything,
    gate,
    none_at_the_cutoff,
    of_this_width,
    rare,
    rms,
    sterols,
    water,
)

from topdown.engine import Coupling, Simulation, SimulationSettings, reference
from topdown.engine._jit import kernel
from topdown.engine.forces import share_out
from topdown.engine.team import divide_beads, new_team, split_clusters
from topdown.errors import SettingsError
from topdown.model import System

PROGRAM = Path(engine_team_failures.__file__)
REPOSITORY = PROGRAM.parents[2]


def _coupled_water() -> System:
    system = water(150)
    return replace(system, components=((W, 1), (W, 149)))


#: Systems, settings, and the component coupled at half λ.
RUNS = {
    "nve": (lambda: water(200), {"thermostat": None, "time_step": 0.01}, None),
    "v-rescale": (everything, {"thermostat": "v-rescale", "time_step": 0.01}, None),
    "langevin": (lambda: water(200), {"thermostat": "langevin"}, None),
    "isotropic": (lambda: water(200), {"barostat": "isotropic", "pressure": 100.0, "barostat_every": 5}, None),
    "semiisotropic, bonded": (everything, {"barostat": "semiisotropic", "time_step": 0.01, "barostat_every": 5}, None),
    "constraints": (constrained, {"barostat": "isotropic", "barostat_every": 5}, None),
    "virtual sites": (sterols, {"time_step": 0.01, "barostat": "isotropic", "barostat_every": 5}, None),
    "restraints": (rare, {"time_step": 0.01}, None),
    "half-coupled solute": (_coupled_water, {}, 0),
    "half-coupled lipids": (everything, {"time_step": 0.01}, 0),
}
TEAMS = [2, 3]


def started(name: str, threads: int, **changes) -> Simulation:
    """One of ``RUNS``, minimised a little by one thread, whatever ``threads`` is."""
    make, settings, component = RUNS[name]
    coupling = None
    if component is not None:
        coupling = Coupling.charges_last((0.0, 0.5, 1.0), (1.0,), index=1, component=component)
    run = Simulation(
        of_this_width(make()), SimulationSettings(**{**settings, **changes}, threads=threads), seed=3, coupling=coupling
    )
    run.minimize(max_steps=80)
    return run


@pytest.mark.parametrize("threads", TEAMS)
@pytest.mark.parametrize("name", list(RUNS))
def test_a_team_finds_the_forces_of_one_thread(name, threads):
    """After one step, to which both came with the same forces: but for how sums over all velocities are rounded."""
    alone, team = started(name, 1), started(name, threads)
    for run in (alone, team):
        run.run(1)
    np.testing.assert_allclose(team.positions, alone.positions, rtol=0, atol=1e-13)
    error = rms(team.state.forces - alone.state.forces) / rms(alone.state.forces)
    gate(f"{name}: forces of {threads} threads against one's, rms, relative", error, 1e-6)
    twin = reference.total(team.parameters, team.positions, team.box, lam=team._lambda)
    gate(f"{name}: against the twin", rms(team.state.forces - twin.forces) / rms(twin.forces), 1e-5)


@pytest.mark.parametrize("threads", TEAMS)
@pytest.mark.parametrize("name", list(RUNS))
def test_a_team_follows_the_path_of_one_thread(name, threads):
    alone, team = started(name, 1), started(name, threads)
    for run in (alone, team):
        run.run(20)
    gate(f"{name}: path of {threads} threads after 20 steps, nm", np.abs(team.positions - alone.positions).max(), 1e-3)
    np.testing.assert_allclose(team.box, alone.box, rtol=1e-4)
    assert team.temperature == pytest.approx(alone.temperature, rel=1e-3)
    assert team.state.scratch.counters.tolist() == alone.state.scratch.counters.tolist()
    start = np.array(started(name, 1).positions)
    assert np.abs(alone.positions - start).max() > 0.01, "nothing moves"


@pytest.mark.parametrize("name", list(RUNS))
def test_a_team_keeps_what_is_to_be_kept(name):
    """In 200 steps: constraints, sites, momentum; and the lists were renewed by the team."""
    run = started(name, 2, list_buffer=0.2, inner_buffer=0.05)
    built = run.state.neighbor_list.counts[1:3].copy()
    run.run(200)
    assert (run.state.neighbor_list.counts[1:3] > built).all()
    p = run.parameters
    i, j = p.constraints.pairs.T
    lengths = np.linalg.norm(run.positions[i] - run.positions[j], axis=1)
    np.testing.assert_allclose(lengths, p.constraints.lengths, rtol=1e-8)
    placed = reference.place_sites(run.positions, p.bonded.sites)
    np.testing.assert_allclose(run.positions, placed, atol=1e-12)
    momentum = p.molecules.masses[:, None] * run.velocities
    if run.settings.removes_com_motion and name != "restraints":
        assert np.abs(momentum.sum(axis=0)).max() < 1e-5 * np.abs(momentum).sum()
    assert 150 < run.temperature < 600
    twin = reference.total(p, run.positions, run.box, lam=run._lambda)
    gate(f"{name}: forces after 200 steps", rms(run.state.forces - twin.forces) / rms(twin.forces), 1e-5)


@pytest.mark.parametrize("threads", TEAMS)
def test_a_team_conserves_energy(threads):
    run = started("nve", threads)
    masses, energies = run.parameters.molecules.masses[:, None], []

    def look(s: Simulation) -> None:
        energies.append(s.energies().potential + 0.5 * float((masses * s.velocities**2).sum()))

    run.run(400, every=10, observe=look)
    # about a thousandth of the kinetic energy, as in one thread
    assert np.ptp(energies) < 3e-3 * 0.5 * float((masses * run.velocities**2).sum())


@pytest.mark.parametrize("threads", TEAMS)
@pytest.mark.parametrize("name", ["isotropic", "constraints", "v-rescale"])
def test_the_same_team_takes_the_same_path(name, threads):
    """Whatever the order in which its threads arrive; other numbers of threads round otherwise."""
    runs = [started(name, threads) for _ in range(2)] + [started(name, 1)]
    for run in runs:
        run.run(150)
    first, second, alone = (run.positions.tobytes() + run.velocities.tobytes() + run.box.tobytes() for run in runs)
    assert first == second
    assert first != alone


@pytest.mark.parametrize("inner_buffer", [0.02, 0.3])
def test_a_team_misses_no_pair_however_its_lists_reach(inner_buffer):
    """With equal buffers nothing is pruned, and rows of different threads touch."""
    run = started("isotropic", 3, list_buffer=0.3, inner_buffer=inner_buffer)

    checked = []

    def check(s: Simulation) -> None:
        if none_at_the_cutoff(s.positions, s.box, CUTOFF):
            twin = reference.total(s.parameters, s.positions, s.box)
            assert rms(s.state.forces - twin.forces) < 1e-5 * rms(twin.forces)
            checked.append(s.step)

    run.run(120, every=1, observe=check)
    assert len(checked) > 100


def test_more_threads_than_clusters():
    few = water(3, density=3 / 2.3**3)
    alone, team = (Simulation(few, SimulationSettings(threads=n), seed=2) for n in (1, 5))
    for run in (alone, team):
        run.run(50)
    np.testing.assert_allclose(team.positions, alone.positions, atol=1e-6)


def test_lists_that_outgrow_their_rows_in_a_team():
    """A liquid that is squeezed needs more room; the team then gets buffers of the new size."""
    settings = SimulationSettings(threads=2, barostat="isotropic", pressure=8000.0, tau_p=0.5, barostat_every=5)
    run = Simulation(water(300, density=4.0), settings, seed=3)
    run.minimize(max_steps=50)
    room, volume = len(run.state.neighbor_list.outer_rows), run.volume
    run.run(600)
    assert run.volume < 0.7 * volume
    assert len(run.state.neighbor_list.outer_rows) > room
    twin = reference.total(run.parameters, run.positions, run.box)
    assert rms(run.state.forces - twin.forces) < 1e-5 * rms(twin.forces)


@kernel
def _share_out(pair, bonded, near, team):
    share_out(pair, bonded, near, team)


@kernel
def _split(near, team):
    split_clusters(near, team)


@kernel
def _divide(start, team):
    divide_beads(start, team)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_clusters_are_shared_evenly(threads):
    run = Simulation(water(2000), SimulationSettings())
    near, team = run.state.neighbor_list, new_team(threads, 8, 6, 2000)
    n = int(near.counts[0])
    packs = (near.inner_end[:n].astype(int) - near.inner_start[:n] + 4) + np.diff(
        near.masked_start[: n + 1].astype(int)
    )
    _share_out(run.parameters.pair, run.parameters.bonded, near, team)
    assert team.split[0] == 0
    assert team.split[-1] == n
    shares = [packs[a:b].sum() for a, b in zip(team.split[:-1], team.split[1:], strict=True)]
    assert max(shares) - min(shares) <= 2 * packs.max()
    for busy in (0, threads - 1):
        team.elsewhere[:] = 0.0
        team.elsewhere[busy] = packs.sum()  # as much again besides: of two threads one does only that
        _split(near, team)
        assert (np.diff(team.split) >= 0).all()
        shares = [packs[a:b].sum() for a, b in zip(team.split[:-1], team.split[1:], strict=True)]
        assert threads != 2 or shares[busy] <= packs.max()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_molecules_are_not_divided(threads):
    start = np.array([0, 12, 24, 36, 40, 41, 42, 43, 44, 45], np.uint32)
    team = new_team(threads, 8, 6)
    _divide(start, team)
    assert team.beads[0] == 0
    assert team.beads[-1] == 45
    assert (np.diff(team.beads) >= 0).all()
    assert set(team.beads.tolist()) <= set(start.tolist())
    assert np.diff(team.beads).max() <= 45 / threads + 12


# -- restarts, failures, settings ----------------------------------------------------------------------------------------


def test_restarts_and_reproducibility_are_tested_with_teams_too():
    """By ``test_checkpoints`` and ``test_simulation``."""
    assert sum(settings.get("threads", 1) > 1 for _, settings in CASES.values()) >= 2


@pytest.mark.parametrize("threads", TEAMS)
def test_failures_of_a_team_are_reported(threads):
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(threads)],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    messages = json.loads(ran.stdout)
    expected = {
        "overlapping": "blew up at step", "not_numbers": "blew up at step", "squeezed": "smaller than twice the cut-off",
        "torn": "constraints cannot be met at step",
    }  # fmt: skip
    for name, text in expected.items():
        assert messages[name].count(text) >= 1, messages[name]
        assert " and then " in messages[name], "the second call did not fail"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
        ({"threads": -2}, "threads must be a whole number of at least 1, got -2"),
        ({"threads": 1.5}, "threads must be a whole number of at least 1, got 1.5"),
        ({"threads": "2"}, "threads must be a whole number of at least 1, got '2'"),
        ({"threads": True}, "threads must be a whole number of at least 1, got True"),
        ({"threads": 2, "precision": "double"}, "double precision runs in one thread"),
    ],
)
def test_settings_of_teams_that_cannot_be(wrong, message):
    with pytest.raises(SettingsError, match=message):
        SimulationSettings(**wrong)


def test_force_shifted_pairs_are_refused_to_teams():
    system = replace(water(100), table=bead_table([[4.65]], [[0.47]], lj_modifier="force-shift"))
    with pytest.raises(SettingsError, match=r"force-shifted pairs .* by one thread.*threads=1"):
        Simulation(system, SimulationSettings(threads=2))
    Simulation(system, SimulationSettings(threads=1))
