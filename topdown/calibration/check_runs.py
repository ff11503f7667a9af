"""Runs of checks, which are no systems of the campaign: each is tried twice, and what fails stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from topdown.calibration.failures import FailedWindow
from topdown.calibration.problem import derived_seed
from topdown.calibration.sample_pool import ATTEMPTS, CAREFUL_STEP, SamplePool
from topdown.errors import SettingsError
from topdown.model import WindowFailure, WindowSamples
from topdown.model._arrays import FloatArray
from topdown.model.requests import BilayerRequest, DiffusionRequest, MeltingRequest, SampleRequest

Asked = TypeVar("Asked", DiffusionRequest, BilayerRequest, MeltingRequest)


@runtime_checkable
class Recorder(Protocol):
    """A sampler that keeps more of a run than its sums."""

    def sample(self, requests: Sequence[SampleRequest]) -> Sequence[WindowSamples | WindowFailure]:
        """As every sampler."""
        ...

    def record(self, request: DiffusionRequest | BilayerRequest | MeltingRequest) -> Mapping[str, FloatArray]:
        """What is kept beside the samples of a request."""
        ...


def recorder_of(pool: SamplePool, section: str) -> Recorder:
    """The sampler of a campaign, which must keep the frames that ``[[checks.SECTION]]`` asks for.

    Raises
    ------
    SettingsError
        It does not.
    """
    if not isinstance(pool.sampler, Recorder):
        raise SettingsError("this sampler keeps no frames of its runs", hint=f"drop [[checks.{section}]]")
    return pool.sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What tells one try of a run from another: its seed, and a smaller time step [ps] in place of that of every liquid."""

    seed: int
    time_step: float | None


def attempt_runs(
    pool: SamplePool, round_index: int, labels: Sequence[str], ask: Callable[[str, Attempt], Sequence[Asked]]
) -> tuple[dict[str, tuple[tuple[Asked, WindowSamples], ...]], dict[str, str]]:
    """Run, or find, what ``ask`` wants under each label; what fails is tried once more with another seed and smaller steps.

    Failures are in the journal before anything rests on them, and what the journal calls failed is not tried again.

    Returns
    -------
    dict of label to ((request, its run), …), dict of label to str
        What there is, and why there is nothing.
    """
    found: dict[str, tuple[tuple[Asked, WindowSamples], ...]] = {}
    reasons: dict[str, str] = {}
    for number in range(ATTEMPTS):
        todo = [label for label in labels if label not in found]
        known = {f.system: f for f in pool.journal.failures() if (f.round, f.attempt) == (round_index, number)}
        asked = {label: tuple(ask(label, _attempt(pool, round_index, label, number))) for label in todo}
        tried = [label for label in todo if label not in known]
        samples = iter(pool.sampler.sample([r for label in tried for r in asked[label]]) if tried else ())
        for label in tried:
            runs = [next(samples) for _ in asked[label]]
            failures = [run for run in runs if isinstance(run, WindowFailure)]
            if not failures:
                left = [run for run in runs if isinstance(run, WindowSamples)]
                found[label] = tuple(zip(asked[label], left, strict=True))
                continue
            failure = failures[-1]  # parts are made on the way to the last, which says why
            known[label] = FailedWindow(
                system=label,
                window=-1,
                round=round_index,
                attempt=number,
                reason=failure.reason,
                hint=failure.hint,
                kind=failure.kind,
            )
        for failed in (known[label] for label in todo if label in known):
            pool.journal.append_once(failed.event())
            pool.failures.append(failed)
            reasons[failed.system] = failed.reason
    return found, {label: reason for label, reason in reasons.items() if label not in found}


def _attempt(pool: SamplePool, round_index: int, label: str, number: int) -> Attempt:
    name = label if number == 0 else f"{label}, try {number + 1}"
    return Attempt(
        seed=derived_seed(pool.problem.sampling.seed, round_index, name),
        time_step=None if number == 0 else CAREFUL_STEP,
    )
