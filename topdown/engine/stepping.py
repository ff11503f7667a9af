"""Steps of a run, done by one thread or a team of them: what they share between two calls of the kernel, and who calls it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from topdown.engine.bead_order import into_rows, out_of_rows
from topdown.engine.box_steps import Trial, new_trial
from topdown.engine.cold_start import first_parts
from topdown.engine.integrators import Dynamics, StepParts, advance
from topdown.engine.parameter_arrays import TERMS
from topdown.engine.parameters import Parameters
from topdown.engine.state import State
from topdown.engine.team import Team, new_team


class Stepper:
    """Calls :func:`advance` for one system.

    Beads of a large system stay in the order of its slots from one call to the next; :meth:`restore_order` before anybody
    looks at them.

    Parameters
    ----------
    parameters : Parameters
    dynamics : Dynamics
    threads : int
        Size of the team.
    """

    def __init__(self, parameters: Parameters, dynamics: Dynamics, threads: int) -> None:
        self._parameters, self._dynamics, self._n_threads = parameters, dynamics, threads
        self._team: Team | None = None
        self._trial: Trial | None = None
        self._parts: StepParts | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._in_rows = False

    def restore_order(self, state: State) -> None:
        """Put the beads of ``state`` back into the order of the system."""
        if self._in_rows:
            out_of_rows(state.frame(), state.neighbor_list)
            self._in_rows = False

    def forget_order(self) -> None:
        """Another state follows, whose beads are in the order of the system."""
        self._in_rows = False

    def advance(self, state: State, n_steps: int, rng: np.random.Generator) -> tuple[int, int]:
        """Do up to ``n_steps`` steps in every thread of the team; for no steps in one, so that all begin with the same forces.

        Returns
        -------
        (int, int)
            Steps done, and the status they ended with.
        """
        n = self._n_threads if n_steps > 0 else 1
        near = state.neighbor_list
        team = self._team
        if team is None or len(team.split) != n + 1 or (n > 1 and team.forces.shape[1] != 4 * len(near.order)):
            team = self._team = new_team(n, len(near.order), len(TERMS))
        frame = state.frame()
        if len(near.labels) and not self._in_rows:
            into_rows(frame, near)
            self._in_rows = True
        p, settings, scratch = self._parameters, self._dynamics, state.scratch
        if self._trial is None:
            self._trial = new_trial(len(state.positions) if settings.barostat else 0, len(TERMS))
        trial = self._trial
        if self._parts is None:
            self._parts = first_parts(
                frame, p.pair, p.bonded, p.constraints, p.molecules, near, settings, scratch, team, trial, rng,
                self._n_threads > 1
            )  # fmt: skip
        parts = self._parts
        gate = threading.Barrier(n)  # inside the kernel they wait for one another without end: all enter or none

        def one(thread: int) -> tuple[int, int]:
            if n > 1:
                gate.wait()
            done, status = advance(
                thread, n_steps, frame, p.pair, p.bonded, p.constraints, p.molecules, near, settings, scratch, team,
                trial, parts, rng
            )  # fmt: skip
            return int(done), int(status)

        if n == 1:
            return one(0)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(n - 1, thread_name_prefix="topdown")
        try:
            others = [self._threads.submit(one, thread) for thread in range(1, n)]
            result = one(0)
        except BaseException:
            gate.abort()
            raise
        for other in others:
            other.result()
        return result
