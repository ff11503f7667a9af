"""The stage of a campaign that fits liquids: which are chosen, what became of each, where rounds begin and end."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_world import dimer, single
from two_classes import ALONE, PLACES, SPACE, class_table

from topdown.calibration.class_campaign import LiquidStage
from topdown.calibration.class_liquids import LiquidStep, LiquidValue
from topdown.calibration.class_table import PairFactors
from topdown.errors import InputFileError, PhaseChangeError, SimulationError
from topdown.model import BeadTable, PairSums, WindowSamples
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
from topdown.workflows.start_files import read_start

_NOTHING = PairSums(pairs=(), sums=np.zeros((1, 0)), rest_energy=np.zeros(1), volume=np.ones(1))


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
