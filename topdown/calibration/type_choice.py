"""Bead types scored by reweighting: which type of a building block fits the measured values, and is it worth anything elsewhere?

A change of type is a change of ε of a solute alone (:mod:`topdown.estimators.retyping`), so that a candidate costs a few dot
products. The parameters and the error model are held where the campaign ended. Types are chosen greedily: the change that lowers
the cost of the calibration targets most is made, as long as it lowers it by ``least_gain``, until none does.

Choosing is fitting. So types are chosen anew without each molecule, and the molecule is calculated with what the others chose;
targets held out of the campaign are calculated with what all chose. A change is kept only where that helped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from topdown.calibration.error_model import ErrorModel
from topdown.calibration.problem import CalibrationProblem
from topdown.calibration.result import TargetResult
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.targets import TransferTarget
from topdown.calibration.type_blocks import TypeBlock
from topdown.calibration.type_results import RunnerUp, TypeCandidate, TypeOutcome, TypeResult
from topdown.errors import SamplingError
from topdown.estimators.retyping import own_name, real_type, retyped
from topdown.estimators.reweighting import PooledSamples
from topdown.estimators.size_terms import at_sizes
from topdown.model.bead_table import BeadTable, BuildingBlock
from topdown.model.molecule import CGMolecule

FloatArray = npt.NDArray[np.float64]
#: Types of some blocks, by their name: what is not in it is as it was.
Choice = Mapping[str, str]
#: New types of some beads of one molecule, by place.
Swap = tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """What other types of one molecule's beads do to its targets.

    Attributes
    ----------
    cost, held_out : float
        Change of the cost of its calibration targets, and of half the squares of those held out, in total errors.
    n_held_out : int
    differences : (n,) float64
        Calculated - measured of its calibration targets.
    n_effective : float
        Of the worst state.
    """

    cost: float
    held_out: float
    n_held_out: int
    differences: FloatArray
    n_effective: float


class TypeScorer:
    """Scores types at one point of a campaign.

    Parameters
    ----------
    problem : CalibrationProblem
        Without lost targets.
    samples : SamplePool
    x : (P,) float64
        Parameters, which are held.
    errors : ErrorModel
        Of the calibration targets, held too.
    differences : (n,) float64
        Calculated - measured of the calibration targets at ``x``.
    results : sequence of TargetResult
        Of every target, for the errors of those held out.
    """

    def __init__(
        self,
        problem: CalibrationProblem,
        samples: SamplePool,
        x: FloatArray,
        errors: ErrorModel,
        differences: FloatArray,
        results: Sequence[TargetResult],
    ) -> None:
        self._problem, self._samples, self._x = problem, samples, x
        self._errors, self._differences = errors, differences
        self._results = {r.label: r for r in results}
        self._tables: dict[float, BeadTable] = {}
        self._changes: dict[tuple[str, Swap], Change | str] = {}
        self._base = float(errors.costs(differences).sum())
        self.targets: dict[str, list[TransferTarget]] = {}
        for t in problem.targets:
            if isinstance(t, TransferTarget) and t.label not in problem.lost:
                self.targets.setdefault(t.molecule_key, []).append(t)
        self._rows = {t.label: i for i, t in enumerate(problem.targets_of("calibration"))}

    def molecule(self, key: str) -> CGMolecule:
        """The solute, under its real types."""
        return self.targets[key][0].molecule

    def rows(self, key: str) -> list[int]:
        """Places of a molecule's transfers among the calibration targets."""
        return [self._rows[t.label] for t in self.targets[key] if t.label in self._rows]

    def change(self, key: str, swap: Swap) -> Change | str:
        """What ``swap`` does to the targets of a molecule, or why that cannot be known."""
        if (key, swap) not in self._changes:
            try:
                self._changes[key, swap] = self._score(key, swap)
            except SamplingError as error:
                self._changes[key, swap] = error.message
        return self._changes[key, swap]

    def _score(self, key: str, swap: Swap) -> Change:
        self._check_types(key, swap)
        moved, held_out, n_held_out, effective = self._differences.copy(), 0.0, 0, np.inf
        for target in self.targets[key]:
            boxes = {system: self._retyped(system, target, swap) for system in target.systems}
            found = target.calculate(boxes, {}, (), min_effective=self._problem.optimizer.ess_threshold, error=False)
            effective = min(effective, found.n_effective)
            if target.label in self._rows:
                moved[self._rows[target.label]] = found.value - target.measured
            else:
                result = self._results[target.label]
                total = target.uncertainty**2 + result.model_error**2 + result.after.standard_error**2
                before, after = result.after.value - target.measured, found.value - target.measured
                held_out += 0.5 * (after**2 - before**2) / total
                n_held_out += 1
        return Change(
            cost=float(self._errors.costs(moved).sum()) - self._base,
            held_out=float(held_out),
            n_held_out=n_held_out,
            differences=moved[self.rows(key)],
            n_effective=float(effective),
        )

    def _check_types(self, key: str, swap: Swap) -> None:
        """Refuse a type that has another charge or σ than the one it takes the place of."""
        table, molecule = self._table(self._problem.temperature), self.molecule(key)
        met = {name for t in self.targets[key] for s in t.systems for name in self._solvent_types(s)}
        met |= set(molecule.type_names)
        for place, name in swap:
            old = molecule.beads[place].bead_type
            if table.bead_type(name).charge != table.bead_type(old).charge:
                raise SamplingError(f"it has another charge than {old}")
            other = next((t for t in sorted(met) if table.pair(name, t)[0] != table.pair(old, t)[0]), None)
            if other is not None:
                raise SamplingError(f"it has another σ with {other} than {old} and would have to be simulated")

    def _solvent_types(self, system: str) -> set[str]:
        return {name for molecule, _ in self._problem.systems[system].components() for name in molecule.type_names}

    def _retyped(self, system: str, target: TransferTarget, swap: Swap) -> PooledSamples:
        molecule = target.molecule
        pooled, own = self._samples.by_bead(system)
        names = [own_name(bead.bead_type, k) if own else bead.bead_type for k, bead in enumerate(molecule.beads)]
        new = dict(swap)
        renamed = {names[place]: name for place, name in swap}
        for place, name in enumerate(names):
            if name in renamed and new.get(place) != renamed[name]:
                raise SamplingError("its beads of one type were sampled together")
        table = self._table(target.temperature or self._problem.temperature)
        n = len(molecule.beads)
        return retyped(
            at_sizes(pooled, self._problem.space.sigma_ratios(self._x)),
            renamed,
            own=set(names),
            others=self._solvent_types(system),
            internal=n * (n - 1) // 2 > len(molecule.excluded_pairs()),
            epsilon=lambda a, b: table.pair(real_type(a), real_type(b))[1],
        )

    def _table(self, temperature: float) -> BeadTable:
        if temperature not in self._tables:
            space = self._problem.space
            moved = self._problem.table.with_epsilon(space.theta(self._x, temperature))
            self._tables[temperature] = moved.with_scaled_sigma(space.sigma_ratios(self._x))
        return self._tables[temperature]


def choose_types(scorer: TypeScorer, blocks: Sequence[TypeBlock], least_gain: float) -> TypeOutcome:
    """The types of ``blocks`` that the calibration targets ask for, and which of them hold for molecules they were not chosen on.

    Parameters
    ----------
    scorer : TypeScorer
    blocks : sequence of TypeBlock
    least_gain : float
        By how much a change must lower the cost.
    """
    known = [b for b in blocks if any(key in scorer.targets for key, _ in b.beads)]
    molecules = sorted({key for b in known for key, _ in b.beads if key in scorer.targets})
    fitted = [key for key in molecules if scorer.rows(key)]
    chosen = _greedy(scorer, known, fitted, least_gain)
    without = {key: _greedy(scorer, known, [m for m in fitted if m != key], least_gain) for key in fitted}
    results = [_judged(scorer, known, block, fitted, chosen, without) for block in known]
    kept = {r.name: r.chosen for r in results if r.adopted}
    return TypeOutcome(
        blocks=tuple(results),
        gain=-_cost(scorer, known, fitted, chosen),
        gain_kept=-_cost(scorer, known, fitted, kept),
        gain_left_out=-sum(_cost(scorer, known, [key], without[key]) for key in fitted),
        rms_before=_rms(scorer, known, fitted, lambda _: {}),
        rms_chosen=_rms(scorer, known, fitted, lambda _: chosen),
        rms_left_out=_rms(scorer, known, fitted, lambda key: without[key]),
        n_targets=sum(len(scorer.rows(key)) for key in fitted),
    )


def _swap(blocks: Sequence[TypeBlock], key: str, choice: Choice) -> Swap:
    return tuple(sorted((place, choice[b.name]) for b in blocks if b.name in choice for place in b.of(key)))


def _cost(scorer: TypeScorer, blocks: Sequence[TypeBlock], molecules: Collection[str], choice: Choice) -> float:
    """Change of the cost of the calibration targets of ``molecules``; infinite where it cannot be known."""
    total = 0.0
    for key in molecules:
        swap = _swap(blocks, key, choice)
        if swap:
            found = scorer.change(key, swap)
            total += np.inf if isinstance(found, str) else found.cost
    return total


def _greedy(
    scorer: TypeScorer, blocks: Sequence[TypeBlock], molecules: Sequence[str], least_gain: float
) -> dict[str, str]:
    choice: dict[str, str] = {}
    best = 0.0
    while True:
        offers = [
            (_cost(scorer, blocks, molecules, {**choice, b.name: name}), b.name, name)
            for b in blocks
            for name in b.candidates
            if choice.get(b.name) != name
        ]
        cost, block, name = min(offers, default=(np.inf, "", ""))
        if not cost < best - least_gain:
            return choice
        choice[block], best = name, cost


def _judged(
    scorer: TypeScorer,
    blocks: Sequence[TypeBlock],
    block: TypeBlock,
    fitted: Sequence[str],
    chosen: Choice,
    without: Mapping[str, Choice],
) -> TypeResult:
    """A block's candidates, the one chosen, and what it is worth for molecules it was not chosen on."""
    own = list(dict.fromkeys(key for key, _ in block.beads if key in scorer.targets))
    own_fitted = [key for key in own if key in fitted]
    tested = own_fitted if len(own_fitted) > 1 else []
    gain_left_out, n_tested = 0.0, 0
    for key in tested:
        rest = {name: value for name, value in without[key].items() if name != block.name}
        gain_left_out += _cost(scorer, blocks, [key], rest) - _cost(scorer, blocks, [key], without[key])
        n_tested += 1
    for key in own:
        swaps = [_swap(blocks, key, c) for c in (_less(chosen, block.name), chosen)]
        before, after = (scorer.change(key, swap) for swap in swaps)
        if isinstance(before, str) or isinstance(after, str) or not after.n_held_out:
            continue
        gain_left_out += before.held_out - after.held_out
        n_tested += 1
    moved = block.name in chosen
    gain = (
        _cost(scorer, blocks, fitted, _less(chosen, block.name)) - _cost(scorer, blocks, fitted, chosen)
        if moved
        else 0.0
    )
    known = bool(n_tested) and np.isfinite(gain_left_out)
    return TypeResult(
        name=block.name,
        beads=block.labels,
        environments=block.environments,
        start=block.bead_type,
        chosen=chosen.get(block.name, block.bead_type),
        gain=float(gain),
        gain_left_out=float(gain_left_out) if known else None,
        n_tested=n_tested,
        adopted=moved and known and gain_left_out > 0.0,
        candidates=tuple(_candidate(scorer, block, name, own_fitted) for name in block.candidates),
    )


def _less(choice: Choice, name: str) -> dict[str, str]:
    return {key: value for key, value in choice.items() if key != name}


def _candidate(scorer: TypeScorer, block: TypeBlock, name: str, molecules: Sequence[str]) -> TypeCandidate:
    """A candidate by itself, all other blocks as they were."""
    changes = [scorer.change(key, tuple((place, name) for place in block.of(key))) for key in molecules]
    refused = next((c for c in changes if isinstance(c, str)), "" if changes else "no calibration target holds it")
    known = [c for c in changes if isinstance(c, Change)]
    return TypeCandidate(
        bead_type=name,
        cost_change=None if refused else sum(c.cost for c in known),
        n_effective=None if refused else min(c.n_effective for c in known),
        reason=refused,
    )


def _rms(
    scorer: TypeScorer, blocks: Sequence[TypeBlock], molecules: Sequence[str], choice: Callable[[str], Choice]
) -> float:
    """Root mean square of calculated - measured of the calibration targets of ``molecules`` [kJ/mol]."""
    parts = [scorer.change(key, _swap(blocks, key, choice(key))) for key in molecules]
    values = [c.differences for c in parts if isinstance(c, Change)]
    return float(np.sqrt(np.mean(np.concatenate(values) ** 2))) if values else 0.0


def runner_ups(scorer: TypeScorer) -> tuple[RunnerUp, ...]:
    """What each bead's next-best type would do to the score of its molecule; its least sure bead is the runner-up mapping."""
    rows = []
    for key, targets in sorted(scorer.targets.items(), key=lambda item: item[1][0].molecule.name):
        beads = targets[0].molecule.beads
        unsure = [k for k, bead in enumerate(beads) if bead.alternatives]
        for k in unsure:
            found = scorer.change(key, ((k, beads[k].alternatives[0]),))
            known = None if isinstance(found, str) else found
            rows.append(
                RunnerUp(
                    molecule=targets[0].molecule.name,
                    bead=beads[k].name,
                    bead_type=beads[k].bead_type,
                    confidence=beads[k].confidence,
                    runner_up=beads[k].alternatives[0],
                    least_sure=k == min(unsure, key=lambda i: (beads[i].confidence, i)),
                    cost_change=None if known is None or not scorer.rows(key) else known.cost,
                    held_out_change=None if known is None or not known.n_held_out else known.held_out,
                    n_effective=None if known is None else known.n_effective,
                    reason=found if isinstance(found, str) else "",
                )
            )
    return tuple(rows)


#: Votes a rule of a campaign has at least: enough to decide against the estimate from chemistry.
_VOTES = 20


def with_chosen_types(table: BeadTable, outcome: TypeOutcome, source: str) -> BeadTable:
    """The table with the types that are kept among its typing rules, in place of what it had for the same fragments."""
    chosen = {fragment: b.chosen for b in outcome.blocks if b.adopted for fragment in b.environments}
    votes = dict.fromkeys(chosen, 0)
    for rule in table.building_blocks:
        if rule.fragment in votes:
            votes[rule.fragment] += rule.n_seen
    kept = [rule for rule in table.building_blocks if rule.fragment not in chosen]
    new = [
        BuildingBlock(fragment=fragment, bead_type=name, source=source, n_seen=max(_VOTES, votes[fragment]))
        for fragment, name in chosen.items()
    ]
    return (
        replace(table, building_blocks=tuple(sorted((*kept, *new), key=lambda r: (r.fragment, r.bead_type))))
        if new
        else table
    )
