"""σ per size class in a campaign: what moves, what is asked of the sampler, and a known σ found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid
from synthetic_calibration import KAPPA, OIL, exact_density, exact_transfer, problem, start_table

from topdown.calibration.design import MatrixSettings, matrix_space
from topdown.calibration.journal import Journal
from topdown.calibration.parameters import FreeParameter, ParameterSpace
from topdown.calibration.problem import CalibrationProblem, SimulatedSystem
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.sample_pool import SamplePool
from topdown.calibration.targets import DensityTarget, SurfaceTensionTarget, Target, TransferTarget
from topdown.calibration.type_blocks import TypeSettings
from topdown.errors import SettingsError
from topdown.estimators.retyping import real_type
from topdown.estimators.size_terms import at_sizes, repulsion_of
from topdown.model import BeadTable, WindowSamples
from topdown.model.requests import CouplingRequest, SampleRequest, SlabRequest
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_json, calibration_text

SMALL_TYPES = ("A", "B")
PAIRS = (("A", "C"), ("A", "W"), ("B", "C"), ("B", "W"), ("C", "C"))


def table() -> BeadTable:
    """A and B are small beads, C and W regular ones."""
    plain = start_table()
    return replace(
        plain,
        bead_types=tuple(replace(t, size="S" if t.name in SMALL_TYPES else "R") for t in plain.bead_types),
    )


def strength(ratio: float) -> float:
    """What σ/σ⁰ makes of ε in the model: R = 2 S, so that ρ^12 R - ρ^6 (R - S) = (2ρ^12 - ρ^6) S."""
    return 2.0 * ratio**12 - ratio**6


@dataclass
class SizedSampler:
    """Frames of the harmonic model whose sums have a repulsive half."""

    asked: list[list[SampleRequest]] = field(default_factory=list)

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        self.asked.append(list(requests))
        return [run for request in requests for run in self._windows(request)]

    def _windows(self, request: SampleRequest) -> list[WindowSamples]:
        coupled = isinstance(request, CouplingRequest)
        solvent = request.solvent if coupled else request.molecule  # type: ignore[union-attr]
        model = HarmonicLiquid(
            solvent.type_names[0],
            request.solute.type_names if coupled else (),
            kappa=KAPPA,
            temperature=request.temperature,
        )
        pairs = (*model.pairs(), *model.solute_pairs())
        ratio = {p: request.table.pair(*p)[0] / 0.47 for p in pairs}
        epsilon = {p: request.table.pair(*p)[1] for p in pairs}
        text = f"{request.system} {sorted(epsilon.items())} {sorted(ratio.items())} {request.seed}"
        runs = model.sample(
            {p: epsilon[p] * strength(ratio[p]) for p in pairs},
            np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)),
            lambdas=request.lambdas if coupled else (),
            n_frames=request.n_steps // request.every,
            pressure=request.pressure,
            system=request.system,
        )
        inside, crossing = ([ratio[p] for p in of] for of in (model.pairs(), model.solute_pairs()))
        return [self._sized(run, np.array(inside), np.array(crossing), epsilon) for run in runs]

    def _sized(self, run: WindowSamples, inside, crossing, epsilon) -> WindowSamples:  # type: ignore[no-untyped-def]
        sums = run.sums
        sized = replace(
            sums,
            sums=sums.sums * strength(inside),
            repulsion=2.0 * inside**12 * sums.sums,
            solute_sums=sums.solute_sums * strength(crossing),
            solute_repulsion=2.0 * crossing**12 * sums.solute_sums,
            solute_slopes=None,
        )
        return replace(run, sums=sized, epsilon=tuple(epsilon[p] for p in (*sums.pairs, *sums.solute_pairs)))


def sized_space(prior: float = 0.05, held: float = 1e-3) -> ParameterSpace:
    settings = MatrixSettings(form="pairs", prior_width=held, sigma="size-pairs", sigma_prior_width=prior)
    return matrix_space(table(), settings, present=[*PAIRS, ("W", "W")], water=["W"], temperature=300.0)


def sized_problem(
    truth: dict[str, float], space: ParameterSpace | None = None, **settings: float
) -> CalibrationProblem:
    """Targets made with σ of R-S and of R-R pairs times ``truth``; water with itself is held."""
    space = space or sized_space()
    at = {p: table().pair(*p)[1] * strength(truth["R-S" if p[0] in SMALL_TYPES else "R-R"]) for p in PAIRS}
    task = problem({}, **settings)  # type: ignore[arg-type]
    targets: list[Target] = []
    for target in task.targets:
        if isinstance(target, TransferTarget):
            targets.append(replace(target, measured=exact_transfer(target.molecule, start_table(), at)))
        elif isinstance(target, DensityTarget):
            targets.append(replace(target, measured=exact_density(at)))
    return replace(task, table=table(), space=space, targets=tuple(targets))


def run(task: CalibrationProblem, folder: Path, sampler: SizedSampler | None = None) -> CalibrationResult:
    journal = Journal(folder / "journal.jsonl", task.digest(), resume=False)
    return run_calibration(task, sampler or SizedSampler(), journal)


def test_a_known_sigma_is_found_again(tmp_path: Path) -> None:
    """Too far for the samples of the start: more rounds, whose soft cores keep their radius, pooled with the first."""
    sampler, truth = SizedSampler(), {"R-S": 1.06, "R-R": 0.965}
    task = sized_problem(truth, ess_threshold=100.0, max_rounds=8)
    result = run(task, tmp_path, sampler)
    assert result.converged
    assert len(result.rounds) > 1
    found = {p.parameter.label: p for p in result.parameters}
    for sizes, ratio in truth.items():
        parameter = found[f"sigma {sizes}"]
        assert parameter.parameter.of_sigma
        assert abs(parameter.value - np.log(ratio)) < 4 * parameter.posterior_width
        # Frames depend on the last digits of a table; nine other draws, of up to four times the frames, gave 0.05 to 0.30.
        assert parameter.posterior_width < parameter.prior_width / 3.0
        assert parameter.verdict == "determined"
    for sigma in result.sigmas:
        factor = np.exp(found["sigma R-S" if sigma.pair[0] in SMALL_TYPES else "sigma R-R"].value)
        assert sigma.start == 0.47
        assert sigma.value == pytest.approx(0.47 * factor)
        assert sigma.prior_width == pytest.approx(sigma.value * 0.05)
        assert result.table.pair(*sigma.pair)[0] == pytest.approx(sigma.value)
    assert result.table.pair("W", "W")[0] == 0.47
    assert {s.pair for s in result.sigmas} == set(PAIRS)
    later = [r for asked in sampler.asked[1:] for r in asked if isinstance(r, CouplingRequest)]
    assert [r for r in later if r.core is not None]
    for r in later:
        if r.table.pair("A" if "A" in r.table else "B", "W" if "W" in r.table else "C")[0] != 0.47:
            assert r.core is not None
            np.testing.assert_array_equal(r.core.sigma, 0.47)
    for target in result.targets:
        assert abs(target.after.value - target.measured) < 4 * np.hypot(target.after.standard_error, target.uncertainty)


def test_the_trust_region_holds_for_sigma(tmp_path: Path) -> None:
    task = sized_problem({"R-S": 1.06, "R-R": 0.965}, ess_threshold=100.0, max_rounds=1)
    result = run(task, tmp_path)
    (record,) = result.rounds
    assert record.limited
    assert min(n for _, n in record.n_effective) >= 100
    assert 0.0 < record.x_proposal[-1] < np.log(1.06), "on the way, and not there"


def test_the_first_round_is_that_of_a_campaign_without_sigma() -> None:
    """The start table to the last bit and no core of its own, so that stored runs are found."""
    with_sigma = sized_problem({"R-S": 1.0, "R-R": 1.0})
    without = replace(with_sigma, space=replace(with_sigma.space, sizes=()))
    for system in with_sigma.systems:
        a = with_sigma.request_at(system, with_sigma.space.start(), 0)
        b = without.request_at(system, without.space.start(), 0)
        np.testing.assert_array_equal(a.table.sigma, b.table.sigma)
        np.testing.assert_array_equal(a.table.epsilon, b.table.epsilon)
        assert getattr(a, "core", None) is None
    assert with_sigma.digest() != without.digest()


def test_beads_with_names_of_their_own_keep_their_radii_too(tmp_path: Path) -> None:
    """With ``[types]`` the radii are asked for under the same names, and what comes back has the repulsion of each bead."""
    task = replace(sized_problem({"R-S": 1.0, "R-R": 1.0}), types=TypeSettings(least_gain=2.0, blocks=()))
    x = task.space.start()
    x[-1] = 0.03
    request = task.request_at("mixed in 100 oil", x, 1)
    assert isinstance(request, CouplingRequest)
    assert request.core is not None
    assert request.solute.type_names == ("A~1", "B~2")
    assert request.core.pair("A~1", "C")[0] == 0.47
    assert request.table.pair("A~1", "C")[0] == pytest.approx(0.47 * np.exp(0.03))
    pool = SamplePool(task, SizedSampler(), Journal(tmp_path / "journal.jsonl", "x", resume=False))
    pool.sample(["mixed in 100 oil"], x, 1)
    by_bead, _ = pool.by_bead("mixed in 100 oil")
    whole = pool.pool(["mixed in 100 oil"])["mixed in 100 oil"]
    assert {repulsion_of(p) for p in (("A~1", "C"), ("B~2", "C"), ("C", "C"))} < set(by_bead.pairs)
    theta = task.space.coefficients(x)
    folded = at_sizes(by_bead, task.space.sigma_ratios(x))
    assert folded.pairs == (("A~1", "C"), ("B~2", "C"), ("C", "C"))
    by_name = {pair: task.space.theta(x)[min(map(real_type, pair)), max(map(real_type, pair))] for pair in folded.pairs}
    expected = whole.coupling_free_energy(theta, error=False).value
    assert folded.coupling_free_energy(by_name, error=False).value == pytest.approx(expected, abs=1e-6)


def test_reports_say_what_became_of_sigma(tmp_path: Path) -> None:
    task = sized_problem({"R-S": 1.01, "R-R": 1.0}, n_steps=10_000)
    result = run(task, tmp_path)
    text, page = calibration_text(result), calibration_html(result, {t.label: t.molecule for t in task.targets})
    moved = next(s for s in result.sigmas if s.pair == ("A", "W"))
    row = f"{moved.value:.4f} ± {moved.posterior_width:.4f}"
    assert "sigma [nm]" in text
    assert row in text
    assert row in page
    data = calibration_json(result)
    entry = next(e for e in data["sigmas"] if e["pair"] == ["A", "W"])
    assert entry["value_nm"] == moved.value
    assert 0.0 < entry["posterior_width_nm"] < entry["prior_width_nm"]
    assert entry["shrinkage"] == pytest.approx(1.0 - moved.posterior_width / moved.prior_width)
    assert [p["of"] for p in data["parameters"]] == ["epsilon"] * 5 + ["sigma"] * 2
    assert "σ of A-C" in result.table.provenance.source


def test_a_slab_with_free_sigma_keeps_the_halves_of_its_virials() -> None:
    task = sized_problem({"R-S": 1.0, "R-R": 1.0})
    tension = SurfaceTensionTarget(
        molecule=OIL, area=19.4, system="slab", measured=25.0, uncertainty=0.5, split="held-out"
    )
    systems = {**task.systems, "slab": SimulatedSystem(name="slab", liquid=OIL, n_molecules=100, slab=(4.4, 13.9))}
    task = replace(task, targets=(*task.targets, tension), systems=systems)
    request = task.request_at("slab", task.space.start(), 0)
    assert isinstance(request, SlabRequest)
    assert request.virial_halves
    x = task.space.start()
    x[-2:] = 0.01
    assert task.request_at("slab", x, 0).table.pair("C", "C")[0] == pytest.approx(0.47 * np.exp(0.01))
    settings = MatrixSettings(form="pairs", sigma="sizes", sigma_held=(("C", "C"),))
    kept = replace(task, space=matrix_space(table(), settings, present=PAIRS, water=["W"], temperature=300.0))
    other = kept.request_at("slab", kept.space.start(), 0)
    assert isinstance(other, SlabRequest)
    assert not other.virial_halves, "a run that campaigns without free σ have stored"


# -- what moves ----------------------------------------------------------------------------------------------------------


def rows(settings: MatrixSettings, **more) -> dict[str, dict]:  # type: ignore[no-untyped-def, type-arg]
    space = matrix_space(
        table(), settings, present=[*PAIRS, ("W", "W"), ("A", "A")], water=["W"], temperature=300.0, **more
    )
    return {p.name: dict(p.rows) for p in space.sizes}


def test_one_factor_for_each_size_or_pair_of_sizes() -> None:
    assert rows(MatrixSettings(form="classes")) == {}
    pairs = rows(MatrixSettings(form="classes", sigma="size-pairs"))
    assert {name: set(found) for name, found in pairs.items()} == {
        "sigma R-R": {("C", "C")},
        "sigma R-S": {("A", "C"), ("A", "W"), ("B", "C"), ("B", "W")},
        "sigma S-S": {("A", "A")},
    }
    sizes = rows(MatrixSettings(form="classes", sigma="sizes"))
    assert sizes["sigma R"] == {("C", "C"): 1.0, **dict.fromkeys(pairs["sigma R-S"], 0.5)}
    assert sizes["sigma S"] == {("A", "A"): 1.0, **dict.fromkeys(pairs["sigma R-S"], 0.5)}


def test_named_pairs_move_frozen_and_held_ones_do_not() -> None:
    named = (FreeParameter(pair=("C", "C"), start=5.0, prior_width=0.5, lower=1.0, upper=9.0),)
    settings = MatrixSettings(form="classes", sigma="size-pairs", also=(("W", "W"),))
    assert set(rows(settings, named=named)["sigma R-R"]) == {("C", "C"), ("W", "W")}
    held = replace(settings, sigma_held=(("C", "C"),))
    assert set(rows(held, named=named)["sigma R-R"]) == {("W", "W")}
    with pytest.raises(SettingsError, match="W-W does not move anyway"):
        rows(MatrixSettings(form="classes", sigma="sizes", sigma_held=(("W", "W"),)))
    every = tuple(sorted({*PAIRS, ("A", "A")}))
    with pytest.raises(SettingsError, match="no pair is left whose σ"):
        rows(MatrixSettings(form="classes", sigma="sizes", sigma_held=every))


def test_priors_and_bounds_are_those_of_the_file() -> None:
    settings = MatrixSettings(form="pairs", sigma="sizes", sigma_prior_width=0.03, sigma_factors=(0.95, 1.08))
    space = matrix_space(table(), settings, present=PAIRS, water=["W"], temperature=300.0)
    for p in space.sizes:
        assert (p.prior_width, p.lower, p.upper) == (0.03, np.log(0.95), np.log(1.08))
    x = space.start()
    x[-2:] = 0.04, -0.02
    ratios = space.sigma_ratios(x)
    assert ratios["C", "C"] == pytest.approx(np.exp(0.04))
    assert ratios["A", "W"] == pytest.approx(np.exp(0.01))
