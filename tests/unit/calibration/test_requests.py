"""Requests that could not be sampled are refused before anything runs."""

from dataclasses import replace

import pytest
from synthetic_calibration import OIL, SMALL, start_table

from topdown.errors import SettingsError
from topdown.model.requests import CouplingRequest, GasRequest, LiquidRequest, SlabRequest

COUPLING = CouplingRequest(
    solute=SMALL,
    solvent=OIL,
    n_solvent=10,
    table=start_table(),
    temperature=300.0,
    pressure=1.0,
    lambdas=(0.0, 0.5, 1.0),
    n_equilibration=0,
    n_steps=100,
    every=10,
    seed=1,
)
LIQUID = LiquidRequest(
    molecule=OIL,
    n_molecules=10,
    table=start_table(),
    temperature=300.0,
    pressure=1.0,
    n_equilibration=0,
    n_steps=100,
    every=10,
    seed=1,
)


def test_systems_are_named_by_what_is_in_the_box() -> None:
    assert COUPLING.system == "small in 10 oil"
    assert LIQUID.system == "10 oil"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"pressure": float("nan")}, "pressure"),
        ({"n_steps": 9}, "would store nothing"),
        ({"every": 0}, "would store nothing"),
    ],
)
def test_impossible_requests_are_refused(wrong: dict, words: str) -> None:
    for request in (COUPLING, LIQUID):
        with pytest.raises(SettingsError, match=words):
            replace(request, **wrong)


@pytest.mark.parametrize("lambdas", [(0.0,), (0.0, 0.5), (0.1, 1.0), (0.0, 0.6, 0.5, 1.0), (0.0, 0.5, 0.5, 1.0)])
def test_a_path_must_rise_from_0_to_1(lambdas: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match="rise from 0 to 1"):
        replace(COUPLING, lambdas=lambdas)


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        replace(COUPLING, n_solvent=0)
    with pytest.raises(SettingsError, match="at least 1"):
        replace(LIQUID, n_molecules=0)


def test_mixtures_slabs_and_gases() -> None:
    wet = replace(LIQUID, cosolvents=((SMALL, 3),))
    assert wet.system == "10 oil, 3 small"
    assert replace(COUPLING, cosolvents=((SMALL, 3),)).system == "small in 10 oil, 3 small"
    with pytest.raises(SettingsError, match="at least 1, got 0 small"):
        replace(LIQUID, cosolvents=((SMALL, 0),))
    slab = SlabRequest(
        molecule=OIL, n_molecules=10, table=start_table(), temperature=300.0, width=4.4, height=14.0,
        n_equilibration=0, n_steps=100, every=10, seed=1,
    )  # fmt: skip
    assert slab.system == "slab of 10 oil in 4.4 x 4.4 x 14 nm"
    for wrong, words in (({"height": 4.0}, "taller than wide"), ({"part": -1}, "part"), ({"every": 0}, "nothing")):
        with pytest.raises(SettingsError, match=words):
            replace(slab, **wrong)
    with pytest.raises(SettingsError, match="part"):
        replace(LIQUID, part=-1)
    gas = GasRequest(
        molecule=OIL, table=start_table(), temperature=300.0, n_equilibration=0, n_steps=100, every=10, seed=1
    )
    assert (gas.system, gas.components) == ("oil alone", ((OIL, 1),))
    with pytest.raises(SettingsError, match="temperature"):
        replace(gas, temperature=-1.0)
