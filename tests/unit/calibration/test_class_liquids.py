"""Liquids behind pairs of classes: derivatives against the force field, steps that find known factors, alarms, kept rounds."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import dimer, single, small_table

from topdown.calibration.class_campaign import LiquidStage
from topdown.calibration.class_liquids import (
    ALARM_STEP,
    TENSION_POWER,
    FactorPrior,
    FactorSpace,
    LiquidStep,
    LiquidValue,
    alarm_value,
    density_value,
    next_factors,
    tension_value,
)
from topdown.calibration.class_table import PairFactors, largest_like_epsilon
from topdown.engine import Simulation, SimulationSettings, potential_energy
from topdown.errors import InputFileError, PhaseChangeError, SimulationError
from topdown.mapping.bead_volume import VOLUME_STEP
from topdown.model import BeadTable, BeadType, Estimate, PairSums, System, WindowSamples
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import pure_phase
from topdown.properties.sampler import EngineSampler
from topdown.resources import bead_tables_folder
from topdown.workflows.calibrate_liquids import (
    FACTOR_COLUMNS,
    FACTORS_FILE,
    LiquidFit,
    _measure,
    _Task,
    choose_liquids,
    fit_liquids,
    wanted_values,
    write_liquid_files,
)
from topdown.workflows.liquid_runs import EPSILON_TOLERANCE, LiquidRuns, RunKey
from topdown.workflows.start_files import read_start

_NOTHING = PairSums(pairs=(), sums=np.zeros((1, 0)), rest_energy=np.zeros(1), volume=np.ones(1))
#: Two classes in two sizes, and a bead of a solvent.
TYPES = (("C01", "C01", "R"), ("P01", "P01", "R"), ("SC01", "C01", "S"), ("SP01", "P01", "S"), ("W", "W", "R"))


def class_table() -> BeadTable:
    types = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in TYPES)  # type: ignore[arg-type]
    return BeadTable(name="t", bead_types=types, epsilon=np.full((5, 5), 3.0), sigma=np.full((5, 5), 0.45))


#: Places of the two classes.
PLACES = np.array([[0.8, 0.6], [0.2, 0.5]])
#: Classes tied to nothing.
ALONE = FactorPrior(places=(0.0, 0.0), classes=(0.05, 0.25), sizes=(0.03, 0.15))
SPACE = FactorSpace(("C01", "P01"), class_table(), PLACES, ALONE)


def test_sums_give_the_derivative_of_the_energy_by_sigma() -> None:
    """∂U/∂ln σ_p = 6 ε_p (S_p + R_p), which the slopes of the density rest on."""
    table = small_table()
    rng = np.random.default_rng(1)
    grid = np.array([[i, j, k] for i in range(4) for j in range(4) for k in range(4)]) * 0.45
    system = System(
        title="small",
        components=((single("A"), 40), (single("B"), 24)),
        positions=grid + rng.uniform(-0.02, 0.02, grid.shape),
        box=np.full(3, 1.8),
        table=table,
    )
    sums = Simulation(system, SimulationSettings(precision="double"), seed=1).pair_sums()
    assert sums.repulsion is not None
    step = 1e-5
    for k, (a, b) in enumerate(sums.pairs):
        i, j = table.index(a), table.index(b)
        energies = []
        for sign in (1.0, -1.0):
            sigma = table.sigma.copy()
            sigma[i, j] = sigma[j, i] = sigma[i, j] * np.exp(sign * step)
            energies.append(potential_energy(replace(system, table=replace(table, sigma=sigma))).potential)
        slope = 6.0 * table.epsilon[i, j] * (sums.sums[0, k] + sums.repulsion[0, k])
        assert slope == pytest.approx((energies[0] - energies[1]) / (2.0 * step), rel=1e-5, abs=1e-5)


def frames(rng: np.random.Generator) -> WindowSamples:
    """Volumes that answer to two sums with known strength."""
    n = 20_000
    sums = rng.normal([-40.0, -10.0], [3.0, 1.0], (n, 2))
    repulsion = rng.normal(20.0, 1.0, (n, 2))
    volume = 50.0 * np.exp(0.002 * (sums[:, 0] + 40.0) + 0.001 * (repulsion[:, 1] - 20.0))
    return WindowSamples(
        key="k",
        system="s",
        sums=PairSums(
            pairs=(("C01", "C01"), ("C01", "SP01")),
            sums=sums,
            repulsion=repulsion,
            volume=volume,
            rest_energy=np.zeros(n),
            solute_pairs=(),
            solute_sums=np.zeros((n, 0, 0)),
            lambdas=np.zeros(0),
        ),
        epsilon=(3.0, 2.0),
        temperature=298.15,
        pressure=1.0,
        n_molecules=100,
    )


def test_slopes_are_covariances() -> None:
    estimate = Estimate(value=800.0, standard_error=1.0, n_effective=50.0)
    found = density_value("C", frames(np.random.default_rng(2)), estimate)
    beta = 1.0 / (0.0083144626 * 298.15)
    # ln ρ falls by 0.002 for each unit of the first sum: -β Cov(ln ρ, ε S) = β ε 0.002 Var(S)
    assert found.by_epsilon[0] == pytest.approx(beta * 3.0 * 0.002 * 9.0, rel=0.03)
    assert found.by_epsilon[1] == pytest.approx(0.0, abs=0.005)
    assert found.by_sigma[0] == pytest.approx(6.0 * beta * 3.0 * 0.002 * 9.0, rel=0.03)
    assert found.by_sigma[1] == pytest.approx(6.0 * beta * 2.0 * 0.001, rel=0.3)
    tension = tension_value("C", frames(np.random.default_rng(2)), estimate)
    assert sum(tension.by_sigma) == pytest.approx(-2.0)
    assert sum(tension.by_epsilon) == pytest.approx(TENSION_POWER)
    assert tension.by_epsilon[0] / tension.by_epsilon[1] == pytest.approx(120.0 / 20.0, rel=0.02)


def liquids(x: np.ndarray) -> list[LiquidValue]:
    """A linear world: ln of every value moves along fixed slopes from 100."""
    contents = [
        [("C01", "C01")],
        [("P01", "P01")],
        [("C01", "C01"), ("C01", "SP01"), ("SP01", "SP01")],
        [("P01", "P01"), ("P01", "SC01"), ("SC01", "SC01")],
        [("SP01", "SP01"), ("W", "SP01")],
    ]
    found = []
    for k, pairs in enumerate(contents):
        for quantity, by_epsilon, by_sigma in (("density", 0.3, -2.5), ("surface_tension", 2.9, -2.0)):
            shares = np.full(len(pairs), 1.0 / len(pairs))
            rows = SPACE.row(pairs, by_sigma * shares), SPACE.row(pairs, by_epsilon * shares)
            found.append(
                LiquidValue(
                    smiles=f"{k}",
                    quantity=quantity,  # type: ignore[arg-type]
                    value=100.0 * float(np.exp(np.concatenate(rows) @ x)),
                    error=0.01,
                    alarm="",
                    pairs=tuple(pairs),
                    by_epsilon=tuple(by_epsilon * shares),
                    by_sigma=tuple(by_sigma * shares),
                )
            )
    return found


def test_steps_find_values_that_factors_can_give() -> None:
    rng = np.random.default_rng(3)
    truth = 0.5 * SPACE.widths * rng.standard_normal(2 * SPACE.n_half)
    measured = {(v.smiles, v.quantity): (v.value, 0.01) for v in liquids(truth)}
    x, costs = np.zeros(2 * SPACE.n_half), []
    for _ in range(8):
        step = next_factors(SPACE, x, liquids(x), measured, class_table(), 298.15)
        costs.append(step.cost)
        x = step.x
    assert costs[-1] < 0.35 * costs[0]
    for v in liquids(x):
        limit = 0.025 if v.quantity == "density" else 0.08
        assert abs(np.log(v.value / measured[v.smiles, v.quantity][0])) < limit, (
            "within the model error, less than it before"
        )
    assert (step.errors <= SPACE.widths + 1e-12).all()
    assert step.errors.min() < 0.7 * SPACE.widths.min()


def test_one_round_does_not_go_far() -> None:
    measured = {(v.smiles, v.quantity): (5.0 * v.value, 0.01) for v in liquids(np.zeros(2 * SPACE.n_half))}
    step = next_factors(
        SPACE, np.zeros(2 * SPACE.n_half), liquids(np.zeros(2 * SPACE.n_half)), measured, class_table(), 298.15
    )
    factors = SPACE.factors(step.x)
    assert np.abs(factors.sigma).max() + max(map(abs, factors.sigma_sizes.values())) <= 0.20 + 1e-9
    assert np.abs(factors.epsilon).max() + max(map(abs, factors.epsilon_sizes.values())) <= 0.80 + 1e-9


@pytest.mark.parametrize("alarm", sorted(ALARM_STEP))
def test_a_liquid_that_froze_wants_weaker_beads_and_one_that_boiled_stronger(alarm: str) -> None:
    value = alarm_value("X", "density", alarm, [("P01", "P01")], [1.0])
    x = np.zeros(2 * SPACE.n_half)
    stepped = next_factors(SPACE, x, [value], {}, class_table(), 298.15).x
    factors = SPACE.factors(stepped)
    assert np.sign(factors.epsilon[1]) == np.sign(ALARM_STEP[alarm])
    assert factors.epsilon[0] == 0.0
    assert not factors.sigma.any()
    np.testing.assert_array_equal(factors.epsilon, stepped[SPACE.n_half : SPACE.n_half + 2])


def test_at_its_limit_a_like_pair_does_not_answer_to_factors() -> None:
    x = np.zeros(2 * SPACE.n_half)
    low = LiquidValue(
        smiles="X",
        quantity="surface_tension",
        value=10.0,
        error=0.1,
        alarm="",
        pairs=(("P01", "P01"),),
        by_epsilon=(2.9,),
        by_sigma=(0.0,),
    )
    measured = {("X", "surface_tension"): (40.0, 0.1)}
    moved = [
        next_factors(SPACE, x, [low], measured, class_table(), limit / largest_like_epsilon(1.0)).x.any()
        for limit in (3.0, 3.5)
    ]
    assert moved == [False, True], "ε of every pair is 3 there"


def test_a_single_bead_that_is_too_weak_for_a_liquid_gets_stronger() -> None:
    """RT = 0.9 ε at 325 K; above that the liquid asks for more, and for what is missing, below for nothing."""
    dense = replace(liquids(np.zeros(2 * SPACE.n_half))[2], by_epsilon=(0.0,), by_sigma=(0.0,))
    measured = {(dense.smiles, "density"): (100.0, 1.0)}
    x = np.zeros(2 * SPACE.n_half)
    for temperature, least, most in ((320.0, 0.0, 0.0), (420.0, 0.8, 1.0)):
        stepped = SPACE.factors(next_factors(SPACE, x, [dense], measured, class_table(), temperature).x)
        missing = np.log(0.00831446 * temperature / 0.9 / 3.0)
        answer = (stepped.epsilon[1] + stepped.epsilon_sizes["RR"]) / missing
        assert least <= answer <= most
        assert stepped.epsilon[0] == 0.0


def test_a_vector_is_sigma_then_epsilon_classes_then_sizes() -> None:
    x = np.arange(2.0 * SPACE.n_half)
    factors = SPACE.factors(x)
    parts = (factors.sigma, factors.sigma_sizes.values(), factors.epsilon, factors.epsilon_sizes.values())
    np.testing.assert_array_equal(np.concatenate([list(part) for part in parts]), x)
    none, found = PairFactors.none(2), SPACE.factors(0.0 * x)
    assert (found.sigma_sizes, found.epsilon_sizes) == (none.sigma_sizes, none.epsilon_sizes)
    assert not np.concatenate([found.sigma, found.epsilon]).any()
    assert not SPACE.row([("W", "C01")], [1.0]).any(), "beads of solvents stay as they are"


def test_slopes_by_volume_follow_the_sizes_of_beads() -> None:
    """Where types come in three volumes: a row holds what the volumes of its beads do, and the factors give it back."""
    types = (*TYPES, ("C01b", "C01", "R"), ("SP01c", "P01", "S"))
    beads = tuple(BeadType(name=n, chemical_class=c, size=s, mass=72.0) for n, c, s in types)  # type: ignore[arg-type]
    table = BeadTable(name="t", bead_types=beads, epsilon=np.full((7, 7), 3.0), sigma=np.full((7, 7), 0.45))
    space = FactorSpace(("C01", "P01"), table, PLACES, ALONE)
    assert space.labels == (*SPACE.labels, "volume R", "volume S", "volume T")
    assert space.widths[[SPACE.n_half, space.n_half + SPACE.n_half]] == pytest.approx(ALONE.volumes)
    row = space.row([("C01b", "SP01c"), ("C01", "C01")], [2.0, 4.0])
    np.testing.assert_allclose(row[SPACE.n_half :], [VOLUME_STEP, -VOLUME_STEP, 0.0])
    np.testing.assert_allclose(row[: SPACE.n_half], SPACE.row([("C01", "SP01"), ("C01", "C01")], [2.0, 4.0]))
    factors = space.factors(np.arange(2.0 * space.n_half))
    n = SPACE.n_half
    assert factors.sigma_volumes == {"R": n, "S": n + 1, "T": n + 2}
    assert factors.epsilon_volumes == {"R": 2 * n + 3, "S": 2 * n + 4, "T": 2 * n + 5}


def test_the_liquids_chosen_show_every_class() -> None:
    table = class_table()
    stage = LiquidStage(densities=3, tensions=2, rounds=1, steps=2000, seed=1)

    def phase(*names: str) -> object:
        molecule = replace(
            dimer(),
            name="-".join(names),
            bonds=(),
            beads=tuple(replace(dimer().beads[0], name=n, bead_type=n) for n in names),
        )
        return pure_phase(molecule.name, MoleculeModel(molecule=molecule, origin=""))

    many = {f"c{k}": phase("C01", "SC01") for k in range(6)} | {"p": phase("SP01"), "cp": phase("C01", "SP01")}
    chosen = choose_liquids(many, table, 3)  # type: ignore[arg-type]
    assert "p" in chosen
    assert choose_liquids(many, table, 2) == chosen[:2]  # type: ignore[arg-type]
    assert len(choose_liquids(many, table, 100)) == 8  # type: ignore[arg-type]
    measured = {(s, quantity): (1.0, 0.1) for s in many for quantity in ("density", "surface_tension")}
    plain = wanted_values(stage, many, table, measured)  # type: ignore[arg-type]
    assert plain == [*((s, "density") for s in chosen), *((s, "surface_tension") for s in chosen[:2])]
    more = wanted_values(replace(stage, always=(chosen[2], "c5")), many, table, measured)  # type: ignore[arg-type]
    assert set(more) - set(plain) == {("c5", "density"), ("c5", "surface_tension"), (chosen[2], "surface_tension")}
    assert len(more) == len(plain) + 3
    with pytest.raises(InputFileError, match="'CCO' cannot be fitted"):
        wanted_values(replace(stage, always=("CCO",)), many, table, measured)  # type: ignore[arg-type]
    del measured[chosen[0], "density"]
    other = wanted_values(stage, many, table, measured)  # type: ignore[arg-type]
    fourth = choose_liquids(many, table, 4)[3]  # type: ignore[arg-type]
    assert other == [*((s, "density") for s in [*chosen[1:], fourth]), *((s, "surface_tension") for s in chosen[:2])]
    with pytest.raises(InputFileError, match="cannot be fitted"):
        wanted_values(replace(stage, always=(chosen[0],)), many, table, measured)  # type: ignore[arg-type]


@pytest.mark.parametrize("quantity", ["density", "surface_tension"])
def test_what_became_of_a_liquid_is_told_by_the_kind_of_its_error(
    monkeypatch: pytest.MonkeyPatch, quantity: str
) -> None:
    """Not by its text, which names the liquid, and may name another thing that froze."""
    molecule = replace(dimer(), canonical_smiles="CC")
    molecule = replace(molecule, beads=tuple(replace(b, bead_type=t) for b, t in zip(molecule.beads, ("C01", "P01"))))
    task = _Task(
        quantity=quantity,  # type: ignore[arg-type]
        phase=pure_phase("CC", MoleculeModel(molecule=molecule, origin="")),
        table=class_table(),
        stage=LiquidStage(densities=1, tensions=1, rounds=1, steps=1000, seed=1),
        store=None,
    )

    def measured(error: Exception) -> LiquidValue | None:
        def fail(self: EngineSampler, requests: object) -> None:
            raise error

        monkeypatch.setattr(EngineSampler, "sample", fail)
        return _measure(task)

    for kind in ("froze", "evaporated"):
        found = measured(PhaseChangeError("froze, or evaporated", kind=kind))
        assert found is not None
        assert (found.alarm, found.quantity) == (kind, quantity)
        assert found.pairs == (("C01", "C01"), ("C01", "P01"), ("P01", "P01"))
        assert found.by_epsilon == (0.25, 0.5, 0.25)
    assert measured(PhaseChangeError("it froze in two", kind="broke")) is None
    assert measured(SimulationError("the screen froze")) is None
    window = WindowSamples(
        key="k", system="s", sums=_NOTHING, epsilon=(), temperature=298.15, pressure=1.0, n_molecules=1,
        alarm="evaporated froze: x", alarm_kind="froze",
    )  # fmt: skip
    monkeypatch.setattr(EngineSampler, "sample", lambda self, requests: [window])
    assert _measure(task).alarm == "froze"  # type: ignore[union-attr]


def run_key(**changes: object) -> RunKey:
    key = RunKey(
        quantity="density",
        smiles="CC",
        types=("C01", "C01"),
        steps=1000,
        seed=1,
        epsilon=(3.0, 2.5, 3.5),
        sigma=(0.45, 0.43, 0.41),
    )
    return replace(key, **changes)  # type: ignore[arg-type]


def test_runs_are_kept_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rounds.json"
    runs = LiquidRuns(path)
    value = replace(liquids(np.zeros(2 * SPACE.n_half))[0], smiles="CC", value=1.0 / 3.0)
    frozen = alarm_value("X", "density", "froze", [("P01", "P01")], [1.0])
    keys = [run_key(), run_key(smiles="X"), run_key(seed=2)]
    for key, found in zip(keys, (value, frozen, None)):
        runs.add(key, found)
    runs.save()
    again = LiquidRuns(path)
    assert again[keys[0]] == value, "to the last digit"
    assert again[keys[1]].alarm == "froze"  # type: ignore[union-attr]
    assert again[keys[2]] is None
    assert run_key(seed=3) not in again
    with pytest.raises(KeyError):
        again[run_key(seed=3)]
    path.write_text('[{"smiles": 1}]')
    with pytest.raises(InputFileError, match="damaged results of liquids"):
        LiquidRuns(path)


def test_a_run_stands_for_a_table_that_differs_in_its_last_digits(tmp_path: Path) -> None:
    """The nearest within the tolerance; every other difference asks for a run of its own."""
    runs = LiquidRuns(tmp_path / "rounds.json")
    first, second = (replace(liquids(np.zeros(2 * SPACE.n_half))[0], value=v) for v in (1.0, 2.0))
    runs.add(run_key(), first)
    runs.add(run_key(epsilon=(3.0, 2.5 + 1.5 * EPSILON_TOLERANCE, 3.5)), second)
    assert runs[run_key(epsilon=(3.0, 2.5 + 0.4 * EPSILON_TOLERANCE, 3.5))] == first
    assert runs[run_key(epsilon=(3.0, 2.5 + 1.1 * EPSILON_TOLERANCE, 3.5))] == second
    others = [
        {"epsilon": (3.0, 2.5, 3.5 + 1.1 * EPSILON_TOLERANCE)},
        {"sigma": (0.45, 0.4301, 0.41)},
        {"types": ("C01", "SC01")},
        {"quantity": "surface_tension"},
        {"steps": 2000},
        {"smiles": "CCC"},
    ]
    assert not any(run_key(**other) in runs for other in others)


def test_classes_without_data_follow_those_like_them() -> None:
    """The prior of a class is a linear function of its place and something of its own."""
    places = np.array([[0.0], [0.4], [0.6], [1.0]])
    prior = FactorPrior(places=(0.02, 0.3), classes=(0.01, 0.1), sizes=(0.02, 0.05))
    covariance = prior.covariance(places)
    n_half = len(covariance) // 2
    np.testing.assert_allclose(covariance[4:n_half, 4:n_half], 0.02**2 * np.eye(n_half - 4))
    assert not covariance[:n_half, n_half:].any(), "σ says nothing about ε"
    epsilon = covariance[n_half : n_half + 4, n_half : n_half + 4]
    # in standard deviations, which are √0.13, from the mean
    away = (places[:, 0] - 0.5) / np.sqrt(0.13)
    np.testing.assert_allclose(epsilon, 0.3**2 * np.outer(away, away) + 0.1**2 * np.eye(4), atol=1e-12)
    assert prior.covariance(np.zeros((3, 2)))[0, 0] == pytest.approx(0.01**2), "places that are all alike say nothing"
    names = ("C01", "C02", "C03", "C04")
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in names)
    table = BeadTable(name="t", bead_types=types, epsilon=np.full((4, 4), 3.0), sigma=np.full((4, 4), 0.45))
    space = FactorSpace(names, table, places, prior)
    asked = [
        LiquidValue(
            smiles=name,
            quantity="surface_tension",
            value=20.0,
            error=0.1,
            alarm="",
            pairs=((name, name),),
            by_epsilon=(2.9,),
            by_sigma=(-2.0,),
        )
        for name in names[1:3]
    ]
    measured = {("C02", "surface_tension"): (25.0, 0.1), ("C03", "surface_tension"): (16.0, 0.1)}
    found = space.factors(next_factors(space, np.zeros(2 * n_half), asked, measured, table, 298.15).x).epsilon
    assert found[0] > found[1] > 0.02
    assert found[3] < found[2] < -0.02
    alone = FactorSpace(names, table, places, replace(prior, places=(0.0, 0.0)))
    found = alone.factors(next_factors(alone, np.zeros(2 * n_half), asked, measured, table, 298.15).x).epsilon
    assert found[0] == found[3] == 0.0


def test_one_outlier_hardly_moves_what_others_agree_on() -> None:
    x = np.zeros(2 * SPACE.n_half)
    agreed = [replace(v, smiles=f"{v.smiles}{k}") for v in liquids(x)[:1] for k in range(6)]

    def answer(off: float, loose: float = 0.03) -> float:
        """ln σ of the class when one of six equal liquids is off by ``off`` and the others by 0.02."""
        wanted = [v.value * np.exp(-0.02) for v in agreed[1:]]
        measured = {(v.smiles, v.quantity): (w, 0.1) for v, w in zip(agreed, [agreed[0].value * np.exp(-off), *wanted])}
        error = {"density": loose, "surface_tension": 0.12}
        return float(next_factors(SPACE, x, agreed, measured, class_table(), 298.15, error).x[0])  # type: ignore[arg-type]

    assert answer(0.02) > 0.0
    assert answer(1.0) < 1.2 * answer(0.02)
    assert 0.0 < answer(0.02, loose=1.0) < 0.5 * answer(0.02), "a larger model error asks for less"


def test_factors_to_start_from(tmp_path: Path) -> None:
    path = tmp_path / "start.csv"
    lines = [f"{label},{0.01 * k:.5f},{-0.02 * k:.5f}" for k, label in enumerate(SPACE.labels)]
    path.write_text("\n".join(["class or sizes,ln sigma,ln epsilon", *reversed(lines)]) + "\n")
    k = np.arange(SPACE.n_half)
    np.testing.assert_allclose(read_start(path, SPACE), np.concatenate([0.01 * k, -0.02 * k]))
    for text, message in (
        ("\n".join(["class or sizes,ln sigma,ln epsilon", *lines[1:]]), "other classes than the campaign has: C01"),
        ("class,ln sigma,ln epsilon\nC01,0,0\n", "no factors to start from"),
        ("class or sizes,ln sigma,ln epsilon\nC01,x,0\n", "no factors to start from"),
    ):
        path.write_text(text)
        with pytest.raises(InputFileError, match=message):
            read_start(path, SPACE)
    with pytest.raises(InputFileError, match="no factors to start from"):
        read_start(tmp_path / "none.csv", SPACE)


@pytest.mark.parametrize("last_step", [False, True])
def test_rounds_begin_at_the_start_and_end_where_the_campaign_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last_step: bool
) -> None:
    """One liquid of one class, 4 % too dense at the factors of the start; a second call finds its run."""
    names, places = ("C01", "P01"), PLACES
    molecule = replace(single("C01"), canonical_smiles="C")
    phase = pure_phase("C", MoleculeModel(molecule=molecule, origin=""))
    measured = {("C", "density"): (100.0, 0.1), ("C", "surface_tension"): (20.0, 0.1)}
    start = ["class or sizes,ln sigma,ln epsilon", *(f"{label},0.01,0.02" for label in SPACE.labels)]
    (tmp_path / "start.csv").write_text("\n".join(start) + "\n")
    asked: list[PairFactors] = []
    runs: list[str] = []

    def table_with(factors: PairFactors) -> BeadTable:
        asked.append(factors)
        return class_table()

    def run_tasks(measure: object, tasks: list[_Task], workers: int) -> list[tuple[int, LiquidValue]]:
        runs.extend(task.phase.name for task in tasks)
        value = LiquidValue(
            smiles="C",
            quantity="density",
            value=104.0,
            error=0.1,
            alarm="",
            pairs=(("C01", "C01"),),
            by_epsilon=(0.2,),
            by_sigma=(-2.5,),
        )
        return [(k, value) for k in range(len(tasks))]

    module = "topdown.workflows.calibrate_liquids."
    monkeypatch.setattr(module + "measured_liquids", lambda: measured)
    monkeypatch.setattr(module + "liquid_phases", lambda smiles, table, space: {"C": phase})
    monkeypatch.setattr(module + "run_tasks", run_tasks)
    stage = LiquidStage(
        densities=1, tensions=0, rounds=1, steps=2000, seed=1, start="start.csv", last_step=last_step, prior=ALONE
    )
    told: list[str] = []
    for _ in range(2):
        found = fit_liquids(
            stage, names, places, class_table(), table_with, tmp_path, store=None, workers=1, progress=told.append
        )
    assert runs == ["C"]
    assert [set(factors.sigma) for factors in asked] == [{0.01}, {0.01}]
    assert found.factors.sigma[1] == pytest.approx(0.01 if not last_step else 0.0, abs=1e-4), "P01 has no liquid"
    assert (found.factors.sigma[0] > 0.012) == last_step, "less dense with larger beads"


def test_every_column_of_the_factors_has_its_own_name(tmp_path: Path) -> None:
    """In what a fit writes and in what is shipped: read by name, each class has its own two standard deviations."""
    n = SPACE.n_half
    step = LiquidStep(x=np.arange(2.0 * n), errors=0.001 * np.arange(1.0, 2 * n + 1), cost=1.0)
    fit = LiquidFit(
        factors=SPACE.factors(step.x),
        x=step.x,
        labels=SPACE.labels,
        step=step,
        values=(),
        costs=(1.0,),
        measured={},
    )
    write_liquid_files(fit, tmp_path)
    with (tmp_path / FACTORS_FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("ln sigma", "sd of ln sigma", "ln epsilon", "sd of ln epsilon")
    for k, row in enumerate(rows):
        assert [float(row[name]) for name in names] == [
            k,
            round(0.001 * (k + 1), 4),
            n + k,
            round(0.001 * (n + k + 1), 4),
        ]
    assert [row["class or sizes"] for row in rows[:2]] == ["C01", "P01"]
    shipped = bead_tables_folder() / "topdown1" / FACTORS_FILE
    assert tuple(shipped.read_text(encoding="utf-8").splitlines()[0].split(",")) == FACTOR_COLUMNS
    assert len(set(FACTOR_COLUMNS)) == 5
