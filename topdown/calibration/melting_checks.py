"""Melting points of liquids of single beads with both tables, and which of these liquids a campaign supercools.

A melting point is measured as ``topdown melting`` does it, a crystal beside its melt (:mod:`topdown.properties.melting_search`).
A liquid that a campaign uses below it is supercooled there: it lasts as long as nothing gives it a nucleus, and must not meet a
crystal. Nothing is fitted to it, and no target is refused for it. Where neither ε nor σ of the bead with itself has moved, both
tables are one search, and so are liquids of one bead type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from topdown.calibration.check_runs import Attempt, Recorder, attempt_runs, recorder_of
from topdown.calibration.failures import REPORT_ROUND, Progress
from topdown.calibration.parameters import FloatArray
from topdown.calibration.planned_checks import MeltingPlan
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem, derived_seed
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.targets import DensityTarget, SurfaceTensionTarget, key_of
from topdown.errors import TopdownError
from topdown.model import BeadTable, CGMolecule, WindowFailure, WindowSamples
from topdown.model.measurement import Estimate
from topdown.model.requests import MeltingRequest, SampleRequest
from topdown.properties.measurements import MeasuredValue
from topdown.properties.melting import MeltingPoint
from topdown.properties.melting_runs import bead_steps
from topdown.properties.melting_search import Search, SearchOutcome, melting_points, melting_search

#: Round of these runs: after those of bilayers, with the start table and with the new one.
MELTING_ROUND = REPORT_ROUND + 40
#: Standard errors of a melting point within which a liquid is not told from a supercooled one.
UNCLEAR = 2.0

StateKind = Literal["supercooled", "liquid", "unclear", "not known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidState:
    """A liquid at a temperature at which the campaign uses it.

    Attributes
    ----------
    temperature : float
        [K]
    roles : tuple of str
        As what: ``"solvent"``, ``"density"``, ``"surface tension"``, ``"self-diffusion"``, ``"water of a bilayer"``; empty where
        it is not used, and the temperature is that of the campaign.
    below : Estimate or None
        How far that is below the melting point with the new table [K]; None where that is not known.
    """

    temperature: float
    roles: tuple[str, ...]
    below: Estimate | None

    @property
    def kind(self) -> StateKind:
        """Whether it is supercooled there."""
        if self.below is None:
            return "not known"
        if abs(self.below.value) <= UNCLEAR * self.below.standard_error:
            return "unclear"
        return "supercooled" if self.below.value > 0.0 else "liquid"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeltingRun:
    """A run that left something: its name in the store, frames, and cost in beads × steps."""

    key: str
    n_frames: int
    bead_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeltingCheck:
    """The melting point of one liquid, with the start table and with the new one.

    Attributes
    ----------
    liquid, molecule_key : str
        As the campaign calls it, and its canonical SMILES.
    n_real : int
        Molecules that one of the model stands for.
    before, after : MeltingPoint or None
        None where there is no number, and ``reasons`` says why.
    same : bool
        Neither ε nor σ of the bead with itself has moved, and both are one.
    states : tuple of LiquidState
        At every temperature of the campaign, with the new table.
    measured : MeasuredValue or None
        [K]; None where nothing is known.
    reasons : tuple of str
        What went wrong.
    runs : tuple of MeltingRun
    """

    liquid: str
    molecule_key: str
    n_real: int
    before: MeltingPoint | None = None
    after: MeltingPoint | None = None
    same: bool = False
    states: tuple[LiquidState, ...] = ()
    measured: MeasuredValue | None = None
    reasons: tuple[str, ...] = ()
    runs: tuple[MeltingRun, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known to read the numbers."""
        found = list(self.reasons)
        if self.same:
            found.append("neither ε nor σ of this bead has moved")
        if self.n_real > 1:
            found.append(f"one bead stands for {self.n_real} molecules")
        return tuple(found)


@dataclass
class _TriedTwice:
    """A sampler of crystals as every check has it: what fails is tried once more, and the journal knows of it."""

    pool: SamplePool
    recorder: Recorder
    #: What stands for a request – itself, or its second try – and its samples.
    done: dict[MeltingRequest, tuple[MeltingRequest, WindowSamples]] = field(default_factory=dict)

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples | WindowFailure]:
        named = {f"{r.system}, seed {r.seed}": r for r in requests if isinstance(r, MeltingRequest)}

        def ask(name: str, attempt: Attempt) -> tuple[MeltingRequest]:
            self.pool.spent += bead_steps(named[name])
            again = attempt.time_step is not None
            return (replace(named[name], seed=attempt.seed) if again else named[name],)

        found, reasons = attempt_runs(self.pool, MELTING_ROUND, list(named), ask)
        samples: list[WindowSamples | WindowFailure] = []
        for name, request in named.items():
            if name in reasons:
                samples.append(WindowFailure(system=request.system, lambda_index=-1, reason=reasons[name]))
                continue
            ((stands_for_it, run),) = found[name]
            self.done[request] = stands_for_it, run
            samples.append(run)
        return samples

    def record(self, request: MeltingRequest) -> Mapping[str, FloatArray]:
        return self.recorder.record(self.done[request][0])

    def runs(self, outcome: SearchOutcome) -> tuple[MeltingRun, ...]:
        """What a search has left in the store."""
        left = [(request, self.done[request][1]) for request in outcome.requests if request in self.done]
        return tuple(
            MeltingRun(key=run.key, n_frames=run.sums.n_frames, bead_steps=bead_steps(request)) for request, run in left
        )


def check_melting(
    problem: CalibrationProblem, pool: SamplePool, x: FloatArray, progress: Progress
) -> tuple[MeltingCheck, ...]:
    """Find, side by side, the melting points that the campaign asks to know; what fails says why and stops nothing.

    Raises
    ------
    SettingsError
        A sampler that does not keep what crystals did.
    """
    if not problem.melting:
        return ()
    sampler = _TriedTwice(pool, recorder_of(pool, "melting"))
    searches: dict[str, Search] = {}
    names: dict[str, tuple[str, str]] = {}
    for plan in problem.melting:
        of_both = []
        for which, point in (("start", problem.space.start()), ("new", x)):
            table = problem.table_at(set(plan.molecule.type_names), point, problem.temperature)
            of_both.append(_crystal(plan, table))
            if of_both[-1] not in searches:
                seed = derived_seed(problem.sampling.seed, MELTING_ROUND, f"{plan.label}, {which} table")
                searches[of_both[-1]] = melting_search(plan.molecule, table, replace(plan.settings, seed=seed))
        names[plan.label] = of_both[0], of_both[1]
    progress(
        f"looking for the melting points of {len(problem.melting)} liquids with both tables: {len(searches)} searches"
    )
    found = melting_points(searches, sampler)
    return tuple(_check(problem, plan, names[plan.label], found, sampler) for plan in problem.melting)


def melting_ledger(
    plans: Sequence[MeltingPlan], checks: Sequence[MeltingCheck]
) -> tuple[tuple[str, int, int, int], ...]:
    """Each liquid's runs that left something: their name, runs, frames and beads × steps; those it shares with one before it are
    counted there."""
    rows, counted = [], set[str]()
    for plan, check in zip(plans, checks):
        own = [run for run in check.runs if run.key not in counted]
        counted |= {run.key for run in own}
        rows.append((plan.label, len(own), sum(run.n_frames for run in own), sum(run.bead_steps for run in own)))
    return tuple(row for row in rows if row[1])


def supercooling(problem: CalibrationProblem, checks: Sequence[MeltingCheck]) -> dict[str, float]:
    """By how much the liquid of a density or a surface tension is supercooled with the new table [K], by the target's label; only
    targets of liquids that a check has found to be."""
    below = {
        (check.molecule_key, state.temperature): state.below.value
        for check in checks
        for state in check.states
        if state.kind == "supercooled" and state.below is not None
    }
    places = {
        t.label: (t.molecule_key, t.temperature or problem.temperature)
        for t in problem.targets
        if isinstance(t, DensityTarget | SurfaceTensionTarget)
    }
    return {label: below[place] for label, place in places.items() if place in below}


def liquid_uses(problem: CalibrationProblem, molecule: CGMolecule) -> dict[float, tuple[str, ...]]:
    """As what a campaign uses a pure liquid, by temperature [K]."""
    uses: dict[float, dict[str, None]] = {}

    def add(temperature: float, role: str) -> None:
        uses.setdefault(temperature, {})[role] = None

    for name, box in problem.systems.items():
        if key_of(box.liquid) == key_of(molecule) and not box.cosolvents:
            add(problem.temperature_of(name), _role(box))
    for moving in problem.diffusion:
        if key_of(moving.molecule) == key_of(molecule):
            add(moving.temperature, "self-diffusion")
    for bilayer in problem.bilayers:
        if key_of(bilayer.request.water) == key_of(molecule):
            add(bilayer.request.temperature, "water of a bilayer")
    return {temperature: tuple(roles) for temperature, roles in sorted(uses.items())}


def _role(box: SimulatedSystem) -> str:
    if box.solute is not None:
        return "solvent"
    return "surface tension" if box.slab is not None else "density"


def _crystal(plan: MeltingPlan, table: BeadTable) -> str:
    """All that decides where it melts, and how far that is looked into."""
    (bead,) = plan.molecule.beads
    sigma, epsilon = table.pair(bead.bead_type, bead.bead_type)
    return f"{bead.bead_type} {bead.mass} {sigma!r} {epsilon!r} {plan.settings}"


def _check(
    problem: CalibrationProblem,
    plan: MeltingPlan,
    names: tuple[str, str],
    found: Mapping[str, SearchOutcome],
    sampler: _TriedTwice,
) -> MeltingCheck:
    start, new = (found[name] for name in names)
    same = names[0] == names[1]
    both = {"": new} if same else {"start table: ": start, "new table: ": new}
    reasons = tuple(f"{which}{_why(end.error)}" for which, end in both.items() if end.error is not None)
    uses = liquid_uses(problem, plan.molecule) or {problem.temperature: ()}
    return MeltingCheck(
        liquid=plan.liquid,
        molecule_key=key_of(plan.molecule),
        n_real=plan.n_real,
        before=start.point,
        after=new.point,
        same=same,
        states=tuple(
            LiquidState(temperature=temperature, roles=roles, below=_below(new.point, temperature))
            for temperature, roles in uses.items()
        ),
        measured=plan.measured,
        reasons=reasons,
        runs=tuple(run for end in both.values() for run in sampler.runs(end)),
    )


def _why(error: TopdownError) -> str:
    """What went wrong, and what helps unless that is in the words of another command."""
    return f"{error.message} ({error.hint})" if error.hint and "--" not in error.hint else error.message


def _below(point: MeltingPoint | None, temperature: float) -> Estimate | None:
    if point is None:
        return None
    return replace(
        point.temperature,
        value=point.temperature.value - temperature,
        provenance="melting point less the temperature of a run",
    )
