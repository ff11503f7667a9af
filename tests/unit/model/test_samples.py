"""Stored sums: shapes checked, frames cut and joined, another σ by powers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import SettingsError
from topdown.model import PairSums
from topdown.model.requests import CouplingRequest, charges_last, check_path
from topdown.model.samples import join_frames

RNG = np.random.default_rng(1)
N, K = 4, 3


def pairs_of(r: np.ndarray, sigma: float, cutoff: float = 1.1) -> tuple[np.ndarray, np.ndarray]:
    """Repulsion and S of frames (n, m) of distances."""
    twelve, six = ((4.0 * ((sigma / r) ** p - (sigma / cutoff) ** p)).sum(axis=1) for p in (12, 6))
    return twelve, twelve - six


DISTANCES = RNG.uniform(0.4, 1.1, (N, 30))


def sums(sigma: float = 0.47, **more: np.ndarray) -> PairSums:
    repulsion, total = pairs_of(DISTANCES, sigma)
    values = {
        "sums": np.stack([total, 2.0 * total], axis=1),
        "repulsion": np.stack([repulsion, 2.0 * repulsion], axis=1),
        "solute_sums": np.tile(total[:, None, None], (1, K, 1)),
        "solute_repulsion": np.tile(repulsion[:, None, None], (1, K, 1)),
        "solute_coulomb": np.arange(N, dtype=float),
        **more,
    }
    return PairSums(
        pairs=(("A", "A"), ("A", "B")),
        solute_pairs=(("B", "C"),),
        lambdas=np.array([0.0, 1.0, 1.0]),
        charge_lambdas=np.array([0.0, 0.0, 1.0]),
        rest_energy=np.arange(N) * 1.0,
        volume=np.arange(N) + 10.0,
        **values,
    )


def test_what_is_not_given_is_zero_or_absent():
    bare = PairSums(pairs=(("A", "A"),), sums=np.ones((2, 1)), rest_energy=np.zeros(2), volume=np.ones(2))
    assert sorted(bare.arrays()) == sorted(
        ["sums", "rest_energy", "volume", "solute_sums", "solute_coulomb", "lambdas", "charge_lambdas"]
    )
    assert bare.solute_sums.shape == (2, 0, 0)
    assert bare.solute_coulomb.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"repulsion": np.zeros((N, 3))}, "repulsion has shape"),
        ({"solute_coulomb": np.zeros(N + 1)}, "solute_coulomb has shape"),
        ({"virials": np.zeros((N, 2, 3))}, "hold virials but not solute_virials, rest_virial, kinetic"),
        ({"virial_repulsion": np.zeros((N, 2, 3))}, "hold virial_repulsion but not virials"),
        ({"scalings": np.ones((2, 3))}, "scaled_sums"),
        ({"scalings": np.ones((2, 2))}, "scalings has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        sums(**wrong)


def test_another_sigma_is_what_its_own_distances_give():
    found, expected = sums(0.47).with_sigma({("B", "A"): 0.41 / 0.47, ("C", "B"): 0.5 / 0.47}), sums(0.41)
    np.testing.assert_allclose(found.sums[:, 1], expected.sums[:, 1], rtol=1e-12)
    np.testing.assert_allclose(found.repulsion[:, 1], expected.repulsion[:, 1], rtol=1e-12)
    np.testing.assert_array_equal(found.sums[:, 0], sums(0.47).sums[:, 0])
    np.testing.assert_allclose(found.solute_sums[:, 1], sums(0.5).solute_sums[:, 1], rtol=1e-12)
    there_and_back = found.with_sigma({("A", "B"): 0.47 / 0.41, ("B", "C"): 0.47 / 0.5})
    np.testing.assert_allclose(there_and_back.sums, sums(0.47).sums, rtol=1e-11)
    assert found.charge_lambdas.tolist() == [0.0, 0.0, 1.0]
    assert found.solute_coulomb.tolist() == sums().solute_coulomb.tolist()


def test_without_repulsion_or_with_no_ratio_sigma_stays():
    with pytest.raises(SettingsError, match="no repulsion"):
        replace(sums(), repulsion=None).with_sigma({})
    for ratio in (0.0, float("nan"), -1.0):
        with pytest.raises(SettingsError, match="ratios of σ"):
            sums().with_sigma({("A", "A"): ratio})


def test_frames_are_cut_and_joined():
    whole = sums()
    again = join_frames([whole.frames(slice(0, 1)), whole.frames(slice(1, None))])
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values)
    assert whole.frames(slice(2, None)).n_frames == 2


@pytest.mark.parametrize(
    "other",
    [
        {"pairs": (("A", "A"), ("A", "C"))},
        {"charge_lambdas": np.array([0.0, 0.5, 1.0])},
        {"repulsion": None},
    ],
)
def test_unlike_frames_are_not_joined(other):
    with pytest.raises(SettingsError, match="cannot be joined"):
        join_frames([sums(), replace(sums(), **other)])
    with pytest.raises(SettingsError, match="no frames"):
        join_frames([])


def test_paths():
    lambdas, charges = charges_last((0.0, 0.5, 1.0), (0.5, 1.0))
    assert lambdas == (0.0, 0.5, 1.0, 1.0, 1.0)
    assert charges == (0.0, 0.0, 0.0, 0.5, 1.0)
    check_path(lambdas, charges)
    with pytest.raises(SettingsError, match=r"here: .*must rise"):
        check_path((0.0, 0.5), where="here")


def test_a_request_for_a_charged_solute_needs_charges():
    from engine_systems import ION, THREE_TYPES, W

    common = {
        "solute": ION, "solvent": W, "n_solvent": 10, "table": THREE_TYPES, "temperature": 300.0, "pressure": 1.0,
        "n_equilibration": 1, "n_steps": 10, "every": 5, "seed": 1,
    }  # fmt: skip
    with pytest.raises(SettingsError, match="need charge_lambdas"):
        CouplingRequest(lambdas=(0.0, 1.0), **common)
    lambdas, charges = charges_last((0.0, 1.0), (1.0,))
    assert CouplingRequest(lambdas=lambdas, charge_lambdas=charges, **common).charge_lambdas == (0.0, 0.0, 1.0)
