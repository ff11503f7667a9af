"""Sampling that decides for itself: error reached, budget kept, decisions repeated, on a liquid with a known answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid

from topdown.errors import SamplingError, SettingsError
from topdown.estimators.coupling import coupling_variances
from topdown.estimators.reweighting import pool_samples
from topdown.model import WindowSamples
from topdown.model.requests import CouplingRequest, InsertionRequest, SampleRequest
from topdown.properties.phases import find_phase
from topdown.properties.solvation import (
    EVERY,
    GRID,
    MOST_BOXES,
    PART_STEPS,
    Effort,
    measure_solvation,
    sample_solvation,
    solvation_request,
)
from topdown.tables import load_bead_table, load_molecule

EPSILON = {("W", "W"): 2.0, ("A", "W"): 9.0, ("B", "W"): 30.0}
LIQUID = HarmonicLiquid(solvent_type="W", solute_types=("A", "B"), modes_per_bead=5)


class ModelSampler:
    """Answers requests from the model liquid: frames depend on the request alone, as those of a store do."""

    def __init__(self, *, alarm_at: int | None = None, box_spread: float = 0.0) -> None:
        self.asked: list[tuple[int, int]] = []
        self.seeds: set[int] = set()
        self._alarm_at, self._box_spread = alarm_at, box_spread

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        return [self._one(request) for request in requests]

    def _one(self, request: SampleRequest) -> WindowSamples:
        if isinstance(request, InsertionRequest):
            state, part, n_frames = 0, len(request.solvent), 800 * len(request.solvent)
        else:
            assert isinstance(request, CouplingRequest)
            (state,), part, n_frames = request.indices, request.part, request.n_steps // request.every
        self.asked.append((state, part))
        seed = request.coupling.seed if isinstance(request, InsertionRequest) else request.seed
        self.seeds.add(seed)
        rng = np.random.default_rng([seed, state, part])
        # a box whose solvent stays by itself or with the solute for as long as anyone looks
        off = 1.0 + self._box_spread * np.random.default_rng(seed).standard_normal()
        frames = {pair: value * (1.0 if pair == ("W", "W") else off) for pair, value in EPSILON.items()}
        window = LIQUID._window(frames, rng, GRID, state, n_frames, 1.0, 0.5, request.system)
        nominal = LIQUID._window(EPSILON, rng, GRID, state, 4, 1.0, 0.5, request.system)
        window = replace(window, epsilon=nominal.epsilon)
        return replace(window, alarm="it froze") if state == self._alarm_at else window


@cache
def request(seed: int = 1) -> CouplingRequest:
    table = load_bead_table("martini3")
    return solvation_request(
        load_molecule("martini3", "OCO"), find_phase("water", "martini3"), table, temperature=300.0, seed=seed
    )


def measure(sampler: ModelSampler, seed: int = 1, **effort: float):
    return measure_solvation(request(seed), "water", sampler, Effort(**effort))


def test_the_error_asked_for_is_reached_and_honest() -> None:
    exact, z = LIQUID.delta_g(EPSILON), []
    for seed in range(8):
        found = measure(ModelSampler(), seed, target_error=0.4)
        assert found.delta_g.standard_error <= 0.4
        z.append((found.delta_g.value - exact) / found.delta_g.standard_error)
    assert abs(np.mean(z)) < 3.5 / np.sqrt(len(z))
    assert np.abs(z).max() < 3.5
    assert 0.4 < np.sqrt(np.mean(np.square(z))) < 1.8


@cache
def mixed_request(seed: int) -> CouplingRequest:
    return replace(request(seed), cosolvents=((load_molecule("martini3", "OCO"), 20),))


def test_a_mixture_is_measured_in_several_boxes_and_what_they_disagree_by_is_in_the_error() -> None:
    """Frames of a box are all alike in what no part of a run gets to see: errors from within one box are far too small."""
    exact = LIQUID.delta_g(EPSILON)
    z: dict[str, list[float]] = {"one": [], "several": []}
    for seed in range(8):
        for name, asked in (("one", request(seed)), ("several", mixed_request(seed))):
            sampler = ModelSampler(box_spread=0.15)
            found = measure_solvation(asked, "octanol", sampler, Effort(target_error=1.2)).delta_g
            if name == "one":
                assert len(sampler.seeds) == 1
            else:
                assert 3 <= len(sampler.seeds) <= MOST_BOXES
                assert found.standard_error <= 1.2 or len(sampler.seeds) == MOST_BOXES
            z[name].append(abs(found.value - exact) / found.standard_error)
    assert np.mean(np.array(z["one"]) < 2.0) < 0.6
    assert np.mean(np.array(z["several"]) < 2.0) >= 0.85
    assert np.median(z["several"]) < 0.6 * np.median(z["one"])


def test_boxes_that_agree_reach_the_error_asked_for() -> None:
    """That a few boxes agree says little of what others would give: to know it costs about twice what one box costs."""
    one = measure_solvation(request(3), "octanol", ModelSampler(), Effort(target_error=0.2))
    several = measure_solvation(mixed_request(3), "octanol", ModelSampler(), Effort(target_error=0.2))
    assert several.delta_g.standard_error <= 0.2
    assert several.cost / n_beads(mixed_request(3)) < 2.5 * one.cost / n_beads(request(3))
    assert "boxes" in several.delta_g.provenance


def n_beads(asked: CouplingRequest) -> int:
    return sum(molecule.n_beads * count for molecule, count in asked.components) + asked.solute.n_beads


def test_a_spent_budget_ends_the_adding_of_boxes() -> None:
    sampler = ModelSampler(box_spread=0.3)
    measure_solvation(mixed_request(2), "octanol", sampler, Effort(target_error=0.1, budget=1e6))
    assert len(sampler.seeds) == 3


def test_its_samples_go_to_another_matrix() -> None:
    """The runs behind a result are to be had, and give it again, and ΔG at an ε that nobody sampled."""
    effort, there = Effort(target_error=0.3), {**EPSILON, ("A", "W"): 6.0, ("W", "W"): 2.1}
    found = measure_solvation(request(), "water", ModelSampler(), effort)
    runs = sample_solvation(request(), ModelSampler(), effort)
    assert [run.lambda_index for run in runs] == [GRID.index(lam) for lam in found.diagnostics.lambdas]
    pooled = pool_samples(runs, np.random.default_rng(1), n_replicates=0)
    assert pooled.coupling_free_energy(error=False).value == found.delta_g.value
    elsewhere = pooled.coupling_free_energy(there, error=False).value
    error = np.sqrt(coupling_variances(pooled, [run.lambda_index for run in runs], there).sum())
    assert abs(elsewhere - LIQUID.delta_g(there)) < 3.0 * error
    assert abs(LIQUID.delta_g(there) - LIQUID.delta_g(EPSILON)) > 3.0 * error


def test_a_smaller_error_asks_for_the_same_runs_and_more() -> None:
    coarse, fine = ModelSampler(), ModelSampler()
    rough = measure(coarse, target_error=0.6)
    good = measure(fine, target_error=0.2)
    assert good.delta_g.standard_error < rough.delta_g.standard_error
    assert good.cost > 1.5 * rough.cost
    # decisions follow from samples alone, so that the pilot is the same and no run is asked for twice
    assert fine.asked[:5] == coarse.asked[:5]
    windows = [run for run in fine.asked if run[0] > 0]
    assert len(set(windows)) == len(windows)
    again = ModelSampler()
    assert measure(again, target_error=0.2).delta_g == good.delta_g
    assert again.asked == fine.asked


def test_sampling_goes_where_the_error_comes_from() -> None:
    sampler = ModelSampler()
    found = measure(sampler, target_error=0.25)
    assert found.diagnostics is not None
    per_frame = found.diagnostics.variances / found.diagnostics.n_frames
    grown = found.diagnostics.n_frames > PART_STEPS // EVERY
    assert grown[1:].any()
    # what was extended most is where a frame still counts most: gains have been evened out
    most = int(np.argmax(found.diagnostics.n_frames[1:])) + 1
    assert per_frame[most] < 3.0 * np.median(per_frame[1:])


def test_the_budget_ends_it() -> None:
    small = measure(ModelSampler(), target_error=0.02, budget=2e7)
    large = measure(ModelSampler(), target_error=0.02, budget=6e7)
    assert 2e7 <= small.cost < 5e7 <= large.cost < 1.4e8
    assert small.delta_g.standard_error > large.delta_g.standard_error > 0.02


def test_no_step_of_the_path_is_longer_than_it_may_be() -> None:
    found = measure(ModelSampler(), target_error=1.0)
    assert found.diagnostics is not None
    neighbours = np.diag(found.diagnostics.overlap, 1)
    assert neighbours.min() > 0.03
    assert found.overlap > 0.1
    assert {0.0, 1.0} <= set(found.diagnostics.lambdas.tolist())


def test_a_run_that_froze_is_not_extended() -> None:
    state = GRID.index(0.4)
    sampler = ModelSampler(alarm_at=state)
    found = measure(sampler, target_error=0.3)
    assert [run for run in sampler.asked if run[0] == state] == [(state, 0)]
    assert found.alarms == ("it froze",)


def test_efforts_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be aimed at"):
        Effort(target_error=0.0)
    with pytest.raises(SettingsError, match="budget"):
        Effort(budget=0.0)


def test_an_end_with_few_effective_samples_is_sampled_further(monkeypatch: pytest.MonkeyPatch) -> None:
    import topdown.properties.solvation as solvation

    easy = measure(ModelSampler(), target_error=1.0)
    monkeypatch.setattr(solvation, "MIN_EFFECTIVE", 1.3 * easy.delta_g.n_effective)
    sampler = ModelSampler()
    found = measure(sampler, target_error=1.0)
    assert found.delta_g.n_effective >= 1.3 * easy.delta_g.n_effective
    assert found.cost >= easy.cost
    assert {state for state, part in sampler.asked if part > 2} <= {0, len(GRID) - 1}


def test_too_few_samples_give_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import topdown.properties.solvation as solvation

    monkeypatch.setattr(solvation, "MIN_EFFECTIVE", 1e6)
    with pytest.raises(SamplingError, match="effective samples"):
        measure(ModelSampler(), target_error=1.0, budget=1e6)
