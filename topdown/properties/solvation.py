"""Free energies of solvation to a wanted error: where to sample is decided on the way, from what has been sampled.

The path is a fixed, fine grid of λ, and every frame stores its sums at all of it; only some states are run. The decoupled end
needs no run of its own: the solute is put into stored frames of the solvent, which every solute shares. A pilot at a few states
shows how far neighbours are apart (:func:`topdown.estimators.planning.state_distances`); states at equal steps along the path
follow, and then, part by part, sampling goes where it lowers the variance most for its cost. Decisions count beads times steps,
never time, so that a repeated command decides as before and finds its runs in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Final, Protocol

import numpy as np

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.coupling import CouplingDiagnostics, coupling_diagnostics, coupling_variances
from topdown.estimators.planning import allocate, spread_out, state_distances, variance_after
from topdown.estimators.random_effects import FEWEST, CommonMean, common_mean
from topdown.estimators.reweighting import MIN_EFFECTIVE, MIN_OVERLAP, PooledSamples, pool_samples
from topdown.model import BeadTable, CGMolecule, Estimate, WindowSamples
from topdown.model.requests import CouplingRequest, InsertionRequest, LiquidRequest, SampleRequest
from topdown.model.samples import join_frames
from topdown.properties.density import run_seed
from topdown.properties.phases import Phase
from topdown.properties.transfer import SolvationResult, coupling_request
from topdown.sampling.equilibrate import TIME_STEP

#: λ of the Lennard-Jones interactions at which every frame stores its sums.
GRID: Final = tuple(round(0.05 * k, 2) for k in range(21))
#: Where the pilot runs: λ at which Martini beads of any kind are still neighbours, and the end.
PILOT: Final = (0.2, 0.4, 0.65, 1.0)
#: Longest step between states that are run, in standard deviations of the work between them.
LARGEST_STEP: Final = 1.6
#: Steps of one part of a window, before its first frame, and between frames.
PART_STEPS, SETTLING_STEPS, EVERY = 5000, 2500, 25
#: Steps of one part of the solvent's run, and between its frames; parts it begins with; poses in each frame.
SOLVENT_STEPS, SOLVENT_EVERY, SOLVENT_PARTS, POSES = 25_000, 50, 2, 8
#: Beads times steps that one processor does in a second, nominally: what a budget of time is reckoned by.
NOMINAL_SPEED: Final = 4e6
#: Most boxes of a mixture that a free energy is measured in; the fewest are those a common mean takes.
MOST_BOXES: Final = 8
#: Error that each box of a mixture is aimed at, in errors asked for: what three to four boxes that agree need.
ERROR_OF_BOX: Final = 1.7
#: Standard deviation of ΔG between boxes of a mixture, beyond what runs see, that is as likely exceeded as not [kJ/mol].
BOX_SPREAD: Final = 1.0
#: Most rounds of sampling before the result is given as it is.
MOST_ROUNDS: Final = 40


class Sampler(Protocol):
    """Anything that turns requests into samples; see :class:`topdown.properties.sampler.EngineSampler`."""

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        """Samples of every request in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How well, or how long.

    Attributes
    ----------
    target_error : float
        Standard error of ΔG at which sampling ends [kJ/mol].
    budget : float
        Beads times steps at which it ends in any case, the solvent's shared run not counted; see :data:`NOMINAL_SPEED`.
    """

    target_error: float = 0.3
    budget: float = inf

    def __post_init__(self) -> None:
        if not 0.01 <= self.target_error <= 100.0:
            raise SettingsError(f"an error of {self.target_error:g} kJ/mol cannot be aimed at", hint="0.01 to 100")
        if not self.budget > 0.0:
            raise SettingsError(f"the budget must be positive, got {self.budget:g}")


class _Leg:
    """The samples of one solute in one solvent, as they grow."""

    def __init__(self, base: CouplingRequest, sampler: Sampler, seed: int) -> None:
        self.base, self._sampler, self._seed = base, sampler, seed
        self._parts: dict[int, list[WindowSamples]] = {}
        self._solvent_parts = 0
        self._inserted: WindowSamples | None = None
        self._pool: PooledSamples | None = None
        self._measured: tuple[float, float] | None = None
        self.cost = 0.0
        self._n_beads = sum(molecule.n_beads * count for molecule, count in base.components) + base.solute.n_beads

    def extend(self, more: dict[int, int]) -> None:
        """Sample so many more parts of every state; state 0 is that of the solvent's frames."""
        self._pool, self._measured = None, None
        requests: list[SampleRequest] = []
        owners: list[int] = []
        for state in sorted(more):
            have = len(self._parts.get(state, ())) if state else self._solvent_parts
            if state == 0:
                self._solvent_parts += more[0]
                requests.append(InsertionRequest(coupling=self.base, solvent=self._solvent(), n_poses=POSES))
                owners.append(0)
                continue
            for part in range(have, have + more[state]):
                requests.append(replace(self.base, sampled=(state,), part=part))
                owners.append(state)
                self.cost += self._n_beads * (PART_STEPS + (SETTLING_STEPS if part == 0 else 0))
        for state, samples in zip(owners, self._sampler.sample(requests)):
            if state == 0:
                self._inserted = samples
            else:
                self._parts.setdefault(state, []).append(samples)

    def _solvent(self) -> tuple[LiquidRequest, ...]:
        base = self.base
        types = {name for molecule, _ in base.components for name in molecule.type_names}
        first = LiquidRequest(
            molecule=base.solvent,
            n_molecules=base.n_solvent,
            cosolvents=base.cosolvents,
            table=base.table.subset(types),
            temperature=base.temperature,
            pressure=base.pressure,
            n_equilibration=SETTLING_STEPS,
            n_steps=SOLVENT_STEPS,
            every=SOLVENT_EVERY,
            seed=self._seed,
            keep_positions=True,
        )
        return tuple(replace(first, part=part) for part in range(self._solvent_parts))

    @property
    def sampled(self) -> tuple[int, ...]:
        """States that have samples."""
        return tuple(sorted({*self._parts, *((0,) if self._inserted is not None else ())}))

    @property
    def n_parts(self) -> int:
        """Parts of windows there are."""
        return sum(len(parts) for parts in self._parts.values())

    def can_grow(self, state: int) -> bool:
        """Whether there can be more of a state: not after an alarm."""
        return state == 0 or not self._parts[state][-1].alarm

    def windows(self) -> list[WindowSamples]:
        """One run for each state, its parts joined."""
        runs = [] if self._inserted is None else [self._inserted]
        for state in sorted(self._parts):
            parts = self._parts[state]
            runs.append(replace(parts[-1], sums=join_frames([part.sums for part in parts])))
        return runs

    def pooled(self) -> PooledSamples:
        """MBAR over all of them, solved once for what there is."""
        if self._pool is None:
            self._pool = pool_samples(self.windows(), np.random.default_rng(0), n_replicates=0)
        return self._pool

    def measured(self) -> tuple[float, float]:
        """ΔG from these samples alone and the error they state [kJ/mol]."""
        if self._measured is None:
            pool = self.pooled()
            value = pool.coupling_free_energy(min_effective=0.0, error=False).value
            self._measured = value, float(np.sqrt(coupling_variances(pool, self.sampled).sum()))
        return self._measured


def solvation_request(
    solute: CGMolecule, phase: Phase, table: BeadTable, *, temperature: float, pressure: float = 1.0, seed: int
) -> CouplingRequest:
    """The path of ``solute`` into ``phase`` on :data:`GRID`, in parts; else as
    :func:`topdown.properties.transfer.coupling_request`."""
    request = coupling_request(
        solute,
        phase,
        table,
        temperature=temperature,
        pressure=pressure,
        nanoseconds=PART_STEPS * TIME_STEP / 1000.0,
        seed=seed,
        lambdas=GRID,
    )
    return replace(request, n_equilibration=SETTLING_STEPS, n_steps=PART_STEPS, every=EVERY)


def measure_solvation(
    request: CouplingRequest,
    phase_name: str,
    sampler: Sampler,
    effort: Effort,
    *,
    report: Callable[[str], None] | None = None,
) -> SolvationResult:
    """ΔG(gas → phase) to the error asked for, or as good as the budget allows.

    In a mixture it is measured in three to eight boxes that start independently: which molecules are near a solute changes over
    times that one box may not see. ΔG is their common mean. Its error holds what boxes differ by, and that a few of them
    hardly say how much that is (:func:`topdown.estimators.random_effects.common_mean`). Boxes are added until the error is
    reached, the budget spent, or there are :data:`MOST_BOXES`.

    Parameters
    ----------
    request : CouplingRequest
        From :func:`solvation_request`.
    phase_name : str
    sampler : Sampler
    effort : Effort
    report : callable, optional
        Called with a line after every round.

    Raises
    ------
    SamplingError
        When in the end fewer than 50 effective samples support an end of the path, or its states do not overlap.
    """
    if not request.cosolvents:
        return _result([_sampled_leg(request, sampler, effort, report)], phase_name)
    each = replace(effort, target_error=min(ERROR_OF_BOX * effort.target_error, 100.0), budget=effort.budget / FEWEST)
    legs: list[_Leg] = []
    while len(legs) < FEWEST or (
        len(legs) < MOST_BOXES
        and sum(leg.cost for leg in legs) < effort.budget
        and _between_boxes(legs).standard_error > effort.target_error
    ):
        legs.append(_sampled_leg(replace(request, seed=run_seed(request.seed, len(legs))), sampler, each, report))
    return _result(legs, phase_name)


def sample_solvation(
    request: CouplingRequest,
    sampler: Sampler,
    effort: Effort,
    *,
    report: Callable[[str], None] | None = None,
) -> list[WindowSamples]:
    """The samples :func:`measure_solvation` rests on, one run for each state, the solvent's frames (λ = 0) first.

    :func:`topdown.estimators.reweighting.pool_samples` takes them to any other ε, and to a temperature and pressure nearby.
    """
    return _sampled_leg(request, sampler, effort, report).windows()


def _sampled_leg(
    request: CouplingRequest, sampler: Sampler, effort: Effort, report: Callable[[str], None] | None
) -> _Leg:
    """Sample until the error is reached, the budget spent, or nothing can be added."""
    leg = _Leg(request, sampler, request.seed)
    last = len(request.lambdas) - 1
    pilot = {min(range(len(GRID)), key=lambda k: abs(GRID[k] - lam)) for lam in PILOT} | {last}
    leg.extend({0: SOLVENT_PARTS, **dict.fromkeys(sorted(pilot), 1)})
    _fill_gaps(leg, last)
    for _ in range(MOST_ROUNDS):
        pooled = leg.pooled()
        variances = coupling_variances(pooled, leg.sampled)
        error = float(np.sqrt(variances.sum()))
        if report is not None:
            report(f"{request.system}: ± {error:.2f} kJ/mol from {len(leg.sampled)} states")
        more = _next_parts(leg, variances, effort) or _weak_end(leg, pooled, effort)
        if not more:
            break
        leg.extend(more)
    return leg


def _fill_gaps(leg: _Leg, last: int) -> None:
    """Add states until none is further from the next one than the longest step."""
    for first in (True, False, False, False):
        pooled = leg.pooled()
        weights = np.stack([pooled.solution.perturb(pooled.reduced_energy(k)).weights for k in range(last + 1)])
        along = np.concatenate([[0.0], np.cumsum(state_distances(weights))])
        if first:
            missing = set(spread_out(np.diff(along), LARGEST_STEP)) - set(leg.sampled)
        else:
            gaps = [(a, b) for a, b in pairwise(leg.sampled) if along[b] - along[a] > 1.25 * LARGEST_STEP and b > a + 1]
            missing = {a + 1 + int(np.argmin(np.abs(along[a + 1 : b] - 0.5 * (along[a] + along[b])))) for a, b in gaps}
        if not missing and not first:
            return
        if missing:
            leg.extend(dict.fromkeys(sorted(missing), 1))


def _next_parts(leg: _Leg, variances: np.ndarray, effort: Effort) -> dict[int, int]:
    """Parts to sample next: enough for the error wanted, at most as many as there are, none beyond the budget."""
    states, wanted = leg.sampled, effort.target_error**2
    windows = leg.windows()
    lengths = [window.sums.n_frames for window in windows]
    chunks = [SOLVENT_STEPS // SOLVENT_EVERY * POSES if k == 0 else PART_STEPS // EVERY for k in states]
    steps = [SOLVENT_STEPS if k == 0 else PART_STEPS for k in states]
    costs = [cost if leg.can_grow(k) else inf for k, cost in zip(states, steps)]
    if variances.sum() <= wanted or leg.cost >= effort.budget or all(np.isinf(costs)):
        return {}
    given = np.zeros(len(states), dtype=np.int64)
    for n_chunks in range(1, leg.n_parts + 1):
        given = allocate(variances, lengths, chunks, costs, n_chunks=n_chunks)
        if variance_after(variances, lengths, chunks, given) <= 0.9 * wanted:
            break
    return {state: int(n) for state, n in zip(states, given) if n}


def _weak_end(leg: _Leg, pooled: PooledSamples, effort: Effort) -> dict[int, int]:
    """One more part of an end of the path that has too few effective samples to be given as a number."""
    ends = [k for k in (0, len(pooled.lambdas) - 1) if leg.can_grow(k)]
    found = {k: pooled.effective_samples_at(k) for k in ends}
    weak = {k: n for k, n in found.items() if n < MIN_EFFECTIVE}
    return {min(weak, key=lambda k: weak[k]): 1} if weak and leg.cost < effort.budget else {}


def _result(legs: Sequence[_Leg], phase_name: str) -> SolvationResult:
    windows = [window for leg in legs for window in leg.windows()]
    pooled = pool_samples(windows, np.random.default_rng(0), n_replicates=0)
    value = pooled.coupling_free_energy(min_effective=MIN_EFFECTIVE, error=False)
    overlap = pooled.solution.bottleneck_overlap()
    if overlap < MIN_OVERLAP:
        raise SamplingError(
            f"the weakest overlap along the path is {overlap:.3f}, below {MIN_OVERLAP:g}", where=legs[0].base.system
        )
    diagnostics: CouplingDiagnostics = coupling_diagnostics(windows, pooled)
    provenance = f"MBAR over {len(windows)} states, error from the influence of frames"
    delta_g, standard_error = value.value, diagnostics.standard_error
    if len(legs) > 1:
        common = _between_boxes(legs)
        delta_g, standard_error = common.value, common.standard_error
        provenance += f"; {len(legs)} boxes, which differ by {common.spread:.1f} kJ/mol beyond that"
    return SolvationResult(
        phase=phase_name,
        delta_g=Estimate(
            value=delta_g,
            standard_error=standard_error,
            n_effective=value.n_effective,
            provenance=provenance,
        ),
        overlap=overlap,
        n_windows=len(windows),
        n_frames=pooled.n_frames,
        n_solvent=windows[0].n_molecules,
        alarms=tuple(window.alarm for window in windows if window.alarm),
        diagnostics=diagnostics,
        cost=sum(leg.cost for leg in legs),
    )


def _between_boxes(legs: Sequence[_Leg]) -> CommonMean:
    """What independent boxes have in common [kJ/mol]."""
    values, errors = zip(*(leg.measured() for leg in legs))
    return common_mean(values, errors, scale=BOX_SPREAD)
