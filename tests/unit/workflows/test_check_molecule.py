"""The check at 20 fs: good models pass, broken ones are told apart."""

from dataclasses import replace
from functools import partial

import pytest

import topdown.workflows.check_molecule as workflow
from topdown.errors import SettingsError
from topdown.mapping import map_molecule
from topdown.model import Bond
from topdown.tables import load_bead_table
from topdown.workflows.check_molecule import check_molecule, checked_molecule

M3 = load_bead_table("martini3")


@pytest.fixture(scope="module")
def toluene():
    return map_molecule("Cc1ccccc1", M3)


def test_sound_models_are_stable_and_keep_their_shape(toluene):
    hexanol = map_molecule("OCCCCCCCCCC(=O)OC", M3)
    for molecule in (toluene, hexanol):
        report = check_molecule(molecule, M3, "martini3", nvt_steps=500, nve_steps=300)
        assert report.stable, report.reason
        assert report.simulated_ps == pytest.approx(16.0)
        assert report.constraint_error < 1e-5
        assert report.temperature == pytest.approx(300.0, abs=60.0)
        for term in report.terms:
            if term.kind == "constraint":
                assert term.mean == pytest.approx(term.target, abs=1e-4)
            if term.kind == "bond":
                assert term.mean == pytest.approx(term.expected, abs=0.03)


def test_springs_too_stiff_for_the_step_are_found_out(toluene):
    bonds = tuple(Bond(atoms=c.atoms, length=c.length, force_constant=2e6) for c in toluene.constraints)
    broken = replace(toluene, constraints=(), bonds=bonds)
    report = check_molecule(broken, M3, "martini3", nvt_steps=300, nve_steps=300)
    assert not report.stable
    assert report.reason


def test_the_report_is_plain_json_with_surface_and_volume(toluene, monkeypatch):
    """The steps of the first test; those of ``map --check`` are run in ``tests/cli/test_map_trajectory.py``."""
    monkeypatch.setattr(workflow, "check_molecule", partial(check_molecule, nvt_steps=500, nve_steps=300))
    report = checked_molecule(toluene, M3, "martini3")
    assert report["stable"] is True
    assert report["time_step_fs"] == 20.0
    assert 0.8 < report["surface"]["sasa_ratio"] < 1.2
    assert {t["kind"] for t in report["bonded"]} == {"constraint"}


def test_a_check_of_no_steps_is_refused(toluene):
    with pytest.raises(SettingsError):
        check_molecule(toluene, M3, "martini3", nvt_steps=10)
