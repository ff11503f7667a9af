"""Reweighted from runs in one state, against runs in the other; single beads against the published table. ``--validate``.

The cases and what they sample are those of ``benchmarks/reweighting.py``, shorter where that can tell as well.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from statistical_checks import check

from topdown.properties.phases import find_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, measure_solvation, solvation_request
from topdown.tables import load_bead_table

pytestmark = pytest.mark.validate

ROOT = Path(__file__).parents[2]
#: Standard error of each free energy here [kJ/mol].
ERROR = 0.25


def script(name: str) -> ModuleType:
    """A benchmark script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# "reweighting" imports "bead_transfer", which is no package of its own
bead_transfer = script("bead_transfer")
reweighting = script("reweighting")


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> EngineSampler:
    folder = os.environ.get("TOPDOWN_VALIDATION_STORE")
    return EngineSampler(
        Path(folder) if folder else tmp_path_factory.mktemp("runs"),
        workers=int(os.environ.get("TOPDOWN_VALIDATION_WORKERS", "2")),
    )


@pytest.mark.parametrize("case", list(reweighting.COUPLINGS))
def test_reweighted_free_energy_against_direct_runs(sampler: EngineSampler, case: str) -> None:
    row = reweighting.coupling_row(case, sampler, ERROR)
    print(f"\n{case}: {row.before:.2f} before, {row.n_effective:.0f} effective samples, {row.milliseconds:.1f} ms")
    check(case, (row.value, row.error), row.direct, row.direct_error, limit=2.0)
    assert row.error < 0.8
    assert row.n_effective >= 50


@pytest.mark.parametrize("bead", ["C3", "SN2", "TN1"])
def test_single_beads_against_the_published_table(sampler: EngineSampler, bead: str) -> None:
    """Within 1 kJ/mol or two errors; one of each size here, 24 by ``benchmarks/bead_transfer.py``."""
    with (ROOT / "tests" / "reference_data" / "martini3_bead_transfer.csv").open(newline="") as file:
        published = {row["bead"]: float(row["dG_octanol_to_water_kJ_mol"]) for row in csv.DictReader(file)}
    table, values = load_bead_table("martini3"), []
    for name in ("octanol", "water"):
        solute = bead_transfer.one_bead(bead, table)
        request = solvation_request(solute, find_phase(name, "martini3"), table, temperature=298.15, seed=1)
        leg = measure_solvation(request, name, sampler, Effort(target_error=0.5 / np.sqrt(2.0))).delta_g
        values.append((leg.value, leg.standard_error))
    (octanol, first), (water, second) = values
    found = (water - octanol, float(np.hypot(first, second)))
    check(f"{bead} octanol to water", found, published[bead], limit=2.0, margin=1.0)
