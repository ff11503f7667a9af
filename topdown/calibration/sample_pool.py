"""All runs of a campaign so far, pooled by system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.failures import FailedWindow
from topdown.calibration.journal import Journal
from topdown.calibration.liquid_records import freezing_seen
from topdown.calibration.parameters import Pair
from topdown.calibration.problem import CalibrationProblem, derived_seed
from topdown.calibration.sampler import Sampler
from topdown.errors import SamplingError, SimulationError
from topdown.estimators.retyping import under_real_names
from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.estimators.size_terms import with_size_terms
from topdown.model.requests import CouplingRequest, LiquidRequest, SampleRequest, SlabRequest
from topdown.model.samples import WindowSamples

FloatArray = npt.NDArray[np.float64]


#: Tries of a window, the second with another seed and half the time step.
ATTEMPTS = 2
#: Time step of the second try [ps].
CAREFUL_STEP = 0.01


class SamplePool:
    """All runs so far by system, and their pooled samples, which are made when first asked for.

    A window that fails is tried once more with another seed and a smaller step. Failures are in the journal before anything
    rests on them, and a window that the journal calls failed is not tried again.

    Attributes
    ----------
    runs : dict of system to list of WindowSamples
    failures : list of FailedWindow
        In the order they are found in.
    spent : int
        Beads × steps of what was asked for.
    last_freezing : dict of system to str
        What was seen when runs of a system froze at the last parameters it was sampled at; empty where none did.
    """

    def __init__(self, problem: CalibrationProblem, sampler: Sampler, journal: Journal) -> None:
        self.problem, self.sampler, self.journal = problem, sampler, journal
        self.runs: dict[str, list[WindowSamples]] = {}
        self.failures: list[FailedWindow] = []
        self.spent = 0
        self.last_freezing: dict[str, str] = {}
        self._pooled: dict[str, PooledSamples] = {}
        self._bead_runs: dict[str, list[WindowSamples]] = {}
        self._by_bead: dict[str, PooledSamples] = {}

    def sample(
        self, systems: Sequence[str], x: FloatArray, round_index: int, *, judged: bool = True
    ) -> tuple[FailedWindow, ...]:
        """Run, or find, every window of ``systems`` at ``x``; returns those that failed at every try.

        Whether they froze counts where ``judged``: not with a table that is only compared with.
        """
        if not systems:
            return ()
        requests = {system: self.problem.request_at(system, x, round_index) for system in systems}
        ratios = self.problem.space.sigma_ratios(x)
        wanted = {s: (r.indices if isinstance(r, CouplingRequest) else (-1,)) for s, r in requests.items()}
        found: dict[str, list[WindowSamples]] = {}
        failed: tuple[FailedWindow, ...] = ()
        for attempt in range(ATTEMPTS):
            failed = self._attempt(requests, wanted, round_index, attempt, found, ratios)
            wanted = {s: tuple(f.window for f in failed if f.system == s) for s in systems}
            if not failed:
                break
        for system in systems if judged else ():
            tried = [f for f in self.failures if (f.system, f.round) == (system, round_index)]
            self.last_freezing[system] = freezing_seen(found.get(system, ()), tried)
        for system, runs in found.items():
            self.runs.setdefault(system, []).extend(sorted(runs, key=lambda run: run.lambda_index))
            self._pooled.pop(system, None)
            self._by_bead.pop(system, None)
        return failed

    def _attempt(
        self,
        requests: Mapping[str, SampleRequest],
        wanted: Mapping[str, tuple[int, ...]],
        round_index: int,
        attempt: int,
        found: dict[str, list[WindowSamples]],
        ratios: Mapping[Pair, float],
    ) -> tuple[FailedWindow, ...]:
        """Try the windows ``wanted`` of each system; adds to ``found`` and returns what failed, by system and window.

        ``ratios`` are σ/σ⁰ of the requests; what is kept holds sums at σ⁰.
        """
        free = self.problem.space.size_pairs
        known = {
            (f.system, f.window): f for f in self.journal.failures() if (f.round, f.attempt) == (round_index, attempt)
        }
        tried = {s: tuple(k for k in windows if (s, k) not in known) for s, windows in wanted.items()}
        places = [(s, k) for s, windows in tried.items() for k in windows]
        samples = self.sampler.sample(
            [
                _again(requests[s], self.problem, s, windows, round_index, attempt)
                for s, windows in tried.items()
                if windows
            ]
        )
        if len(samples) != len(places):
            raise SimulationError(f"{len(places)} windows were asked for and {len(samples)} came back")
        fresh: dict[tuple[str, int], FailedWindow] = {}
        for (system, k), run in zip(places, samples):
            if isinstance(run, WindowSamples):
                run = replace(run, system=system)
                if self._is_by_bead(system):
                    self._bead_runs.setdefault(system, []).append(with_size_terms(run, free, ratios))
                    run = under_real_names(run)
                found.setdefault(system, []).append(with_size_terms(run, free, ratios))
            else:
                fresh[system, k] = FailedWindow(
                    system=system,
                    window=k,
                    round=round_index,
                    attempt=attempt,
                    reason=run.reason,
                    hint=run.hint,
                    kind=run.kind,
                )
        self.spent += sum(self.problem.window_bead_steps(s) * len(windows) for s, windows in wanted.items())
        failed = []
        for system, windows in wanted.items():
            for k in windows:
                failure = known.get((system, k)) or fresh.get((system, k))
                if failure is not None:
                    self.journal.append_once(failure.event())
                    failed.append(failure)
        self.failures.extend(failed)
        return tuple(failed)

    def unusable(self, systems: Sequence[str], x: FloatArray) -> dict[str, str]:
        """Systems that failed windows have left without an answer at ``x``, or whose liquid froze, and why.

        A system none of whose windows failed is not among them: too short runs are an error of the campaign.
        """
        last = {f.system: f.reason for f in self.failures}
        found = {s: self.what_is_wrong(s, x) for s in systems if s in last}
        frozen = {s: self.freezing(s) for s in systems}
        return {s: f"{reason}: {last[s]}" for s, reason in found.items() if reason} | {
            s: f"refused, it is no liquid: {seen}" for s, seen in frozen.items() if seen
        }

    def freezing(self, system: str) -> str:
        """What was seen when a box of liquid, or a slab, froze at the last parameters it was sampled at; else empty.

        A solute's windows are another matter: few of many may meet a metastable solvent's freezing, the frames before it are
        good, and the others stand.
        """
        if self.problem.systems[system].solute is not None:
            return ""
        return self.last_freezing.get(system, "")

    def what_is_wrong(self, system: str, x: FloatArray) -> str:
        """Why the samples of a system give no answer at ``x``; empty when they do."""
        if system not in self.runs:
            return "every window failed"
        theta = self.problem.space.coefficients(x, self.problem.temperature_of(system))
        least = self.problem.optimizer.ess_threshold
        try:
            samples = self.pool([system])[system]
            if len(samples.lambdas):
                samples.coupling_free_energy(theta, min_effective=least)
            elif samples.effective_samples(theta) < least:
                return "too few effective samples are left"
        except SamplingError as error:
            return error.message
        return ""

    def pool(self, systems: Sequence[str]) -> dict[str, PooledSamples]:
        """Pooled samples of ``systems``; those of unchanged systems are kept."""
        for system in systems:
            if system not in self._pooled:
                runs = self.runs[system]
                rng = np.random.default_rng(derived_seed(self.problem.sampling.seed, len(runs), f"bootstrap {system}"))
                self._pooled[system] = pool_samples(runs, rng)
        return {system: self._pooled[system] for system in systems}

    def _is_by_bead(self, system: str) -> bool:
        return self.problem.types is not None and self.problem.systems[system].solute is not None

    def by_bead(self, system: str) -> tuple[PooledSamples, bool]:
        """Pooled samples of a system whose solute's beads have names of their own, if they were sampled so, and whether they
        were; without replicates for errors then."""
        if not self._is_by_bead(system):
            return self.pool([system])[system], False
        if system not in self._by_bead:
            self._by_bead[system] = pool_samples(self._bead_runs[system], np.random.default_rng(0), n_replicates=0)
        return self._by_bead[system], True

    def effective_samples(self, systems: Sequence[str], x: FloatArray) -> dict[str, float]:
        """Effective samples of each system at ``x``, each at its own temperature."""
        space, pooled = self.problem.space, self.pool(systems)
        return {
            s: p.effective_samples(space.coefficients(x, self.problem.temperature_of(s))) for s, p in pooled.items()
        }

    def trusted(self, systems: Sequence[str]) -> Callable[[FloatArray], bool]:
        """Whether a point leaves every one of ``systems`` the effective samples the campaign asks for."""
        space, least, pooled = self.problem.space, self.problem.optimizer.ess_threshold, self.pool(systems)

        def enough(x: FloatArray) -> bool:
            at: dict[float, dict[tuple[str, str], float]] = {}
            for system, samples in pooled.items():
                temperature = self.problem.temperature_of(system)
                if temperature not in at:
                    at[temperature] = space.coefficients(x, temperature)
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


def _again(
    request: SampleRequest,
    problem: CalibrationProblem,
    system: str,
    windows: tuple[int, ...],
    round_index: int,
    attempt: int,
) -> SampleRequest:
    """The request for some of its windows: the first time as it is, then with another seed and smaller steps."""
    if isinstance(request, CouplingRequest) and windows != request.indices:
        request = replace(request, sampled=windows)
    if attempt == 0 or not isinstance(request, CouplingRequest | LiquidRequest | SlabRequest):
        return request
    seed = derived_seed(problem.sampling.seed, round_index, f"{system}, try {attempt + 1}")
    return replace(request, seed=seed, time_step=CAREFUL_STEP)
