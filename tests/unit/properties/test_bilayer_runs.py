"""Bilayers through the run store: built and relaxed once, run in parts that go on from one another, averaged over all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.building.aqueous import Solvent
from topdown.calibration.bilayers import BILAYER_ROUND, BilayerCheck, check_bilayers
from topdown.calibration.journal import Journal
from topdown.calibration.planned_checks import BilayerPlan
from topdown.calibration.problem import derived_seed
from topdown.calibration.sample_pool import SamplePool
from topdown.errors import SettingsError, SimulationError
from topdown.model.requests import BilayerRequest
from topdown.properties.bilayer_runs import bilayer_request, build, frames_of
from topdown.properties.measurements import measured_at
from topdown.properties.planned_runs import windows_of
from topdown.properties.sampler import EngineSampler
from topdown.tables import load_bead_table, load_molecule
from topdown.workflows.calibrate import engine_sampler
from topdown.workflows.calibration_problem import read_problem

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "martini2_alkanes.toml"
STEPS, EVERY = 600, 40


def small(lipid: str = "DPPC", n_lipids: int = 36, height: float = 6.0) -> BilayerRequest:
    water, cation, anion = (load_molecule("martini2", name) for name in ("W", "NA", "CL"))
    return bilayer_request(
        load_molecule("martini2", lipid),
        n_lipids,
        Solvent(water=water, cation=cation, anion=anion),
        load_bead_table("martini2"),
        temperature=323.15,
        n_steps=STEPS,
        every=EVERY,
        seed=3,
        height=height,
    )


def test_the_start_has_the_lipids_asked_for_and_no_salt() -> None:
    asked = small()
    counts = [(molecule.name, n) for molecule, n in build(asked).components]
    assert counts == [("DPPC", 18), ("DPPC", 18), ("W", asked.n_solvent)]
    charged = small("POPG")
    counts = [(molecule.name, n) for molecule, n in build(charged).components]
    assert ("NA", 36) in counts
    assert "CL" not in dict(counts)
    assert sum(n for name, n in counts if name in ("W", "NA")) == charged.n_solvent


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(SettingsError, match="no room for water"):
        small(height=4.0)
    with pytest.raises(SettingsError, match="at least 34 lipids"):
        small(n_lipids=32)
    small(n_lipids=34)


def test_a_run_is_named_by_all_that_decides_it() -> None:
    asked = small()
    table = asked.table.with_epsilon({("C1", "P4"): 1.9})
    others = (
        *(
            replace(asked, seed=4),
            replace(asked, part=1),
            replace(asked, temperature=330.0),
            replace(asked, table=table),
        ),
        *(
            replace(asked, n_lipids=38),
            replace(asked, height=7.0),
            replace(asked, pressure=2.0),
            replace(asked, area=0.6),
        ),
        replace(asked, time_step=0.01),
    )
    assert len({windows_of(r)[0].key() for r in (asked, *others)}) == len(others) + 1
    before = windows_of(replace(asked, part=1))[0].before()
    assert before is not None
    assert before.key() == windows_of(asked)[0].key()


def test_a_campaign_sees_a_bilayer_with_both_tables_and_finds_it_again(tmp_path: Path) -> None:
    """36 DPPC for 24 ps: two parts of 12 ps, with the start table and with one whose C1-P4 is weaker."""
    measured = measured_at(
        "area_per_lipid", load_molecule("martini2", "DPPC").canonical_smiles, 323.15, phase="bilayer"
    )
    assert measured is not None
    plan = BilayerPlan(lipid="DPPC", request=small(), n_parts=2, measured=measured)
    task = replace(read_problem(EXAMPLE), bilayers=(plan,))
    x = task.space.start() - np.array([0.1, 0.0])

    def check(store: Path, journal: str) -> BilayerCheck:
        sampler = engine_sampler(workers=1, store=store)
        pool = SamplePool(task, sampler, Journal(tmp_path / journal, task.digest(), resume=False))
        (found,) = check_bilayers(task, pool, x, lambda _: None)
        return found

    found = check(tmp_path / "store", "a.jsonl")
    assert found.reasons == ()
    for state in (found.before, found.after):
        assert state is not None
        assert state.area.value == pytest.approx(0.63, abs=0.08)
        assert 3.3 < state.thickness.value < 4.8
        assert state.problems == ()
    assert found.before != found.after

    # parts go on from one another: times are even, and the box does not jump
    sampler = EngineSampler(tmp_path / "store", workers=1)
    seed = derived_seed(task.sampling.seed, BILAYER_ROUND, f"{plan.label}, start table")
    requests = plan.parts(plan.request.table, seed, None)
    assert [windows_of(r)[0].key() for r in requests] == list(found.runs[:2])
    series, index = frames_of(requests[0], [sampler.record(r) for r in requests])
    np.testing.assert_allclose(series.time, 0.02 * EVERY * np.arange(1, 2 * STEPS // EVERY + 1), atol=1e-9)
    assert index.n_lipids == 36
    steps, between = np.abs(np.diff(series.box[:, 0])), STEPS // EVERY - 1
    assert steps[between] < 2.0 * np.delete(steps, between).max()

    # a part that is lost is made again, from the end of the one before it, and is the same
    lost = sampler.store.path(windows_of(requests[1])[0].key())
    lost.unlink()
    again = check(tmp_path / "store", "b.jsonl")
    assert (again.before, again.after) == (found.before, found.after)
    assert lost.exists()

    with pytest.raises(SimulationError, match="gone from the run store"):
        frames_of(requests[0], [{}])
