"""All runs of a campaign so far, pooled by system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.problem import CalibrationProblem, derived_seed
from topdown.calibration.sampler import Sampler
from topdown.errors import SimulationError
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.model.requests import CouplingRequest
from topdown.model.samples import WindowSamples

FloatArray = npt.NDArray[np.float64]


class SamplePool:
    """All runs so far by system, and their pooled samples, which are made when first asked for.

    Attributes
    ----------
    runs : dict of system to list of WindowSamples
    spent : int
        Beads × steps of what was asked for.
    """

    def __init__(self, problem: CalibrationProblem, sampler: Sampler) -> None:
        self.problem, self.sampler = problem, sampler
        self.runs: dict[str, list[WindowSamples]] = {}
        self.spent = 0
        self._pooled: dict[str, PooledSamples] = {}

    def sample(self, systems: Sequence[str], x: FloatArray, round_index: int) -> None:
        """Run, or find, every window of ``systems`` at ``x``."""
        if not systems:
            return
        space = self.problem.space
        requests = [
            self.problem.request(system, space.theta(x, self.problem.temperature_of(system)), round_index)
            for system in systems
        ]
        windows = [len(r.lambdas) if isinstance(r, CouplingRequest) else 1 for r in requests]
        samples = self.sampler.sample(requests)
        if len(samples) != sum(windows):
            raise SimulationError(f"{sum(windows)} windows were asked for and {len(samples)} came back")
        start = 0
        for system, n_windows in zip(systems, windows):
            found = [replace(run, system=system) for run in samples[start : start + n_windows]]
            self.runs.setdefault(system, []).extend(found)
            self._pooled.pop(system, None)
            start += n_windows
        self.spent += self.problem.bead_steps(systems)

    def pool(self, systems: Sequence[str]) -> dict[str, PooledSamples]:
        """Pooled samples of ``systems``; those of unchanged systems are kept."""
        for system in systems:
            if system not in self._pooled:
                runs = self.runs[system]
                rng = np.random.default_rng(derived_seed(self.problem.sampling.seed, len(runs), f"bootstrap {system}"))
                self._pooled[system] = pool_samples(runs, rng)
        return {system: self._pooled[system] for system in systems}

    def effective_samples(self, systems: Sequence[str], x: FloatArray) -> dict[str, float]:
        """Effective samples of each system at ``x``, each at its own temperature."""
        space, pooled = self.problem.space, self.pool(systems)
        return {s: p.effective_samples(space.theta(x, self.problem.temperature_of(s))) for s, p in pooled.items()}

    def trusted(self, systems: Sequence[str]) -> Callable[[FloatArray], bool]:
        """Whether a point leaves every one of ``systems`` the effective samples the campaign asks for."""
        space, least, pooled = self.problem.space, self.problem.optimizer.ess_threshold, self.pool(systems)

        def enough(x: FloatArray) -> bool:
            at: dict[float, dict[tuple[str, str], float]] = {}
            for system, samples in pooled.items():
                temperature = self.problem.temperature_of(system)
                if temperature not in at:
                    at[temperature] = space.theta(x, temperature)
                if samples.effective_samples(at[temperature]) < least:
                    return False
            return True

        return enough

    def keys(self) -> tuple[str, ...]:
        """Keys of all runs, by system and in order."""
        return tuple(run.key for _, runs in sorted(self.runs.items()) for run in runs)

    def alarms(self) -> tuple[str, ...]:
        """What became of runs that froze or evaporated and were cut short."""
        return tuple(run.alarm for _, runs in sorted(self.runs.items()) for run in runs if run.alarm)
