"""Types of a solute changed in stored samples: against the closed form, and against sums taken by the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harmonic_liquid import HarmonicLiquid
from small_world import single, small_table

import topdown.properties.planned_runs as planned_runs
from topdown.errors import SamplingError
from topdown.estimators.retyping import own_names, real_type, retyped, under_real_names
from topdown.estimators.reweighting import pool_samples
from topdown.model import Bead, Bond, CGMolecule
from topdown.model.requests import CouplingRequest
from topdown.properties.sampler import EngineSampler

EPSILON = {("C", "C"): 5.0, ("A", "C"): 3.0, ("B", "C"): 2.0, ("C", "D"): 3.8}


def epsilon(a: str, b: str) -> float:
    return EPSILON[min(real_type(a), real_type(b)), max(real_type(a), real_type(b))]


def pooled(*types: str):  # type: ignore[no-untyped-def]
    model = HarmonicLiquid("C", types)
    at = {p: epsilon(*p) for p in (*model.pairs(), *model.solute_pairs())}
    runs = model.sample(at, np.random.default_rng(3), lambdas=(0.0, 0.3, 0.6, 1.0), n_frames=2000)
    return pool_samples(runs, np.random.default_rng(1), n_replicates=20)


def test_another_type_has_the_free_energy_of_its_own_model() -> None:
    """One of two equal beads, sampled under names of their own, becomes D."""
    samples = pooled("A~1", "A~2")
    found = retyped(samples, {"A~2": "D"}, own={"A~1", "A~2"}, others={"C"}, internal=True, epsilon=epsilon)
    value = found.coupling_free_energy()
    exact = HarmonicLiquid("C", ("A", "D")).delta_g(EPSILON)
    assert abs(value.value - exact) < 4 * value.standard_error
    assert abs(HarmonicLiquid("C", ("A", "A")).delta_g(EPSILON) - exact) > 8 * value.standard_error
    assert ("C", "D") in found.pairs
    assert ("A~2", "C") not in found.pairs


def test_no_change_is_no_change() -> None:
    samples = pooled("A", "B")
    same = retyped(samples, {}, own={"A", "B"}, others={"C"}, internal=True, epsilon=epsilon)
    assert same.coupling_free_energy().value == pytest.approx(samples.coupling_free_energy().value, abs=1e-10)


def test_a_type_that_solvent_and_solute_share_changes_in_the_solute_only() -> None:
    samples = pooled("C")
    found = retyped(samples, {"C": "A"}, own={"C"}, others={"C"}, internal=False, epsilon=epsilon)
    value = found.coupling_free_energy()
    assert abs(value.value - HarmonicLiquid("C", ("A",)).delta_g(EPSILON)) < 4 * value.standard_error
    assert ("C", "C") in found.pairs


def test_sums_that_do_not_tell_solute_from_solvent_are_refused() -> None:
    samples = pooled("A", "B")
    with pytest.raises(SamplingError, match="do not tell"):
        retyped(samples, {"A": "D"}, own={"A", "C"}, others={"A", "C"}, internal=False, epsilon=epsilon)
    with pytest.raises(SamplingError, match="do not tell"):
        retyped(pooled("C"), {"C": "A"}, own={"C"}, others={"C"}, internal=True, epsilon=epsilon)


def trimer() -> CGMolecule:
    """A, B, A in a row: the ends meet each other, and the solvent holds both types."""
    beads = tuple(Bead(name=f"B{k}", bead_type=t) for k, t in enumerate("ABA"))
    bonds = tuple(Bond(atoms=(k, k + 1), length=0.4, force_constant=2000.0) for k in (0, 1))
    return CGMolecule(name="ABA", beads=beads, bonds=bonds, molar_mass=100.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Windows of the trimer in a mixture of A and B, its beads under names of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 300)
        solute, table = own_names(trimer(), small_table(1.2))
        request = CouplingRequest(
            solute=solute, solvent=single("A"), n_solvent=50, cosolvents=((single("B"), 20),), table=table,
            temperature=320.0, pressure=1.0, lambdas=(0.0, 0.5, 1.0), n_equilibration=200, n_steps=2000, every=20, seed=5,
        )  # fmt: skip
        return EngineSampler(Path(tmp_path_factory.mktemp("runs")), workers=1).sample([request])


def test_names_of_their_own_change_nothing_that_is_summed(runs) -> None:  # type: ignore[no-untyped-def]
    """Added up again, the sums are those of the real types, and every energy is the same."""
    for run in runs:
        plain = under_real_names(run)
        assert plain.sums.pairs == (("A", "A"), ("A", "B"), ("B", "B"))
        assert plain.sums.solute_pairs == (("A", "A"), ("A", "B"), ("B", "B"))
        n = len(run.sums.pairs)
        m = len(plain.sums.pairs)
        np.testing.assert_allclose(
            plain.sums.sums @ np.array(plain.epsilon[:m]), run.sums.sums @ np.array(run.epsilon[:n]), rtol=1e-12
        )
        np.testing.assert_allclose(
            np.asarray(plain.sums.solute_sums) @ np.array(plain.epsilon[m:]),
            np.asarray(run.sums.solute_sums) @ np.array(run.epsilon[n:]),
            rtol=1e-12,
        )
    assert any("~" in name for pair in runs[0].sums.pairs for name in pair), "the ends meet each other"


def test_an_end_that_is_retyped_meets_everything_as_its_new_type(runs) -> None:  # type: ignore[no-untyped-def]
    """Its energy in every frame is what the sums by real types give when that end is counted as the new type."""
    table = small_table(1.2)
    samples = pool_samples(runs, np.random.default_rng(1), n_replicates=0)
    names = [f"{t}~{k + 1}" for k, t in enumerate("ABA")]

    def at(a: str, b: str) -> float:
        return table.pair(real_type(a), real_type(b))[1]

    found = retyped(samples, {"A~3": "B"}, own=set(names), others={"A", "B"}, internal=True, epsilon=at)
    swapped = [
        replace(run, sums=replace(run.sums, pairs=_swap(run.sums.pairs), solute_pairs=_swap(run.sums.solute_pairs)))
        for run in runs
    ]
    for lambda_index in (0, 2):
        u = found.reduced_energy(lambda_index) - samples.reduced_energy(lambda_index)
        by_hand = []
        for run, before in zip(swapped, runs):
            pairs, old = (*run.sums.pairs, *run.sums.solute_pairs), (*before.sums.pairs, *before.sums.solute_pairs)
            change = np.array([at(*p) - at(*q) for p, q in zip(pairs, old)])
            n = len(run.sums.pairs)
            by_hand.append(run.sums.sums @ change[:n] + np.asarray(run.sums.solute_sums)[:, lambda_index] @ change[n:])
        whole = np.concatenate(by_hand) / (0.00831446261815324 * 320.0)
        kept = np.concatenate([w[len(w) - f.n_frames :] for w, f in zip(np.split(whole, 3), samples.frames)])
        np.testing.assert_allclose(u, kept, rtol=1e-6, atol=1e-6)
        assert np.abs(u).max() > 0.1


def _swap(pairs):  # type: ignore[no-untyped-def]
    return tuple(tuple("B" if name == "A~3" else name for name in pair) for pair in pairs)
