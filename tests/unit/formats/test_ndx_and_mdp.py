from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topdown.errors import InputFileError, SettingsError
from topdown.formats.mdp import (
    CouplingSettings,
    RunSettings,
    dynamics_mdp,
    free_energy_mdp,
    minimization_mdp,
    single_point_mdp,
)
from topdown.formats.ndx import index_groups, index_text, read_ndx
from topdown.model import (
    Bead,
    CGMolecule,
    Constraint,
    FlatBottomRestraint,
    NonbondedScheme,
    PositionRestraint,
    System,
)


def _options(text: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    keys = [key.strip() for key, _ in pairs]
    assert len(keys) == len(set(keys))
    return {key.strip(): value.strip() for key, value in pairs}


def test_index_has_system_molecules_and_own_groups(system):
    groups = index_groups(system, {"Solvent": range(25, 29), "head groups": [4, 9, 4]})
    assert list(groups) == ["System", "surfa", "W", "Solvent", "head_groups"]
    assert groups["surfa"].tolist() == list(range(25))
    assert groups["head_groups"].tolist() == [4, 9]


def test_index_text_counts_from_one_in_short_lines(system):
    lines = index_text(system).splitlines()
    assert lines[0] == "[ System ]"
    assert lines[1].split() == [str(k) for k in range(1, 16)]
    assert lines[-2:] == ["[ W ]", "26 27 28 29"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [({"A": []}, "empty"), ({"A": [29]}, "outside"), ({"A": [-1]}, "outside"), ({"w": [0]}, "already")],
)
def test_impossible_groups(system, groups, message):
    with pytest.raises(SettingsError, match=message):
        index_text(system, groups)


def test_an_index_is_read_back(system, tmp_path):
    (tmp_path / "i.ndx").write_text(
        "; comment\n" + index_text(system, {"Head": [9, 4]}) + "[ Empty ]\n[W]\n26 27\n28 29\n"
    )
    groups = read_ndx(tmp_path / "i.ndx")
    assert list(groups) == ["System", "surfa", "W", "Head", "Empty"]
    assert {name: members.tolist() for name, members in groups.items() if name in ("Head", "Empty", "W")} == {
        **{"W": [25, 26, 27, 28], "Head": [4, 9], "Empty": []}
    }
    np.testing.assert_array_equal(groups["System"], np.arange(29))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[ A ]\n1 2\n[ B ]\n1 0\n", 4, "count from 1, found '0'"),
        ("[ A ]\n1 2.5\n", 2, "found '2.5'"),
        ("[ A ]\n1 -2\n", 2, "found '-2'"),
        ("1 2\n", 1, "before the first group"),
        ("[ A ]\n1\n[ A ]\n2\n", 3, "a second group 'A'"),
        ("[ ]\n1\n", 1, "expected [ NAME ]"),
        ("[ A\n1\n", 1, "expected [ NAME ]"),
    ],
)
def test_a_malformed_index(tmp_path, text, line, message):
    (tmp_path / "i.ndx").write_text(text)
    with pytest.raises(InputFileError) as caught:
        read_ndx(tmp_path / "i.ndx")
    assert message in caught.value.message
    assert caught.value.where == f"{tmp_path / 'i.ndx'}:{line}"
    with pytest.raises(InputFileError, match="No such file"):
        read_ndx(tmp_path / "nothing.ndx")


def test_production_has_the_martini_settings(system):
    options = _options(dynamics_mdp(system, RunSettings(coupling="semiisotropic"), length=10.0, first=False))
    expected = {
        "dt": "0.02",
        "nsteps": "500000",
        "nstlist": "20",
        "rlist": "1.35",
        "verlet-buffer-tolerance": "-1",
        "coulombtype": "reaction-field",
        "epsilon_r": "15.0",
        "epsilon_rf": "0.0",
        "rvdw": "1.1",
        "vdw-modifier": "Potential-shift-verlet",
        "tcoupl": "v-rescale",
        "pcoupl": "c-rescale",
        "pcoupltype": "semiisotropic",
        "tau_p": "4.0",
        "compressibility": "3e-4 3e-4",
        "ref_p": "1.0 1.0",
        "gen_vel": "no",
    }
    assert {key: options[key] for key in expected} == expected


def test_equilibration_draws_velocities_with_the_seed(system):
    options = _options(dynamics_mdp(system, RunSettings(seed=7, temperature=323.0), length=1.0, first=True))
    assert (options["gen_vel"], options["gen_seed"], options["gen_temp"]) == ("yes", "7", "323.0")
    assert options["compressibility"] == "3e-4"


def test_the_cutoff_is_that_of_the_table(system):
    other = replace(system, table=replace(system.table, scheme=NonbondedScheme(cutoff=1.2, epsilon_r=2.5)))
    for text in (minimization_mdp(other), single_point_mdp(other)):
        options = _options(text)
        assert (options["rvdw"], options["rcoulomb"], options["epsilon_r"]) == ("1.2", "1.2", "2.5")


@pytest.mark.parametrize(
    ("modifier", "expected"),
    [
        ("potential-shift", {"vdw-modifier": "Potential-shift-verlet"}),
        ("none", {"vdw-modifier": "None"}),
    ],
)
def test_the_modifier_is_that_of_the_table(system, modifier, expected):
    other = replace(system, table=replace(system.table, scheme=NonbondedScheme(lj_modifier=modifier)))
    options = _options(dynamics_mdp(other, RunSettings(), length=1.0, first=True))
    assert {key: options[key] for key in options if "modifier" in key or "switch" in key} == expected


def test_a_force_shift_is_not_taken_for_a_force_switch(system):
    other = replace(system, table=replace(system.table, scheme=NonbondedScheme(lj_modifier="force-shift")))
    with pytest.raises(SettingsError, match="GROMACS has no Lennard-Jones potential with force-shift"):
        minimization_mdp(other)


def test_com_motion_stays_where_restraints_hold_all_directions(system, molecule):
    def options(**restraints):
        held = replace(molecule, **restraints)
        other = replace(system, components=((held, 5), system.components[-1]))
        return _options(dynamics_mdp(other, RunSettings(), length=1.0, first=True))

    height = (PositionRestraint(atom=0, force_constants=(0.0, 0.0, 10.0)),)
    pore = (FlatBottomRestraint(atom=0, geometry=8, radius=1.0, force_constant=10.0),)
    assert "comm-mode" not in options(position_restraints=height)
    assert "comm-mode" not in options(flat_bottom_restraints=pore)
    assert options(position_restraints=height, flat_bottom_restraints=pore)["comm-mode"] == "none"


def test_minimisation_loosens_constraints_only_where_there_are_some(system):
    assert _options(minimization_mdp(system))["define"] == "-DFLEXIBLE"
    water_only = replace(system, components=system.components[-1:], positions=system.positions[-4:], velocities=None)
    assert "define" not in _options(minimization_mdp(water_only))
    assert "lincs-order" not in _options(dynamics_mdp(water_only, RunSettings(), length=1.0, first=True))


def test_coupled_constraints_get_a_higher_lincs_order(system):
    ring = CGMolecule(
        name="ring",
        beads=tuple(Bead(name=f"R{k}", bead_type="SC3") for k in range(3)),
        constraints=tuple(Constraint(atoms=pair, length=0.3) for pair in ((0, 1), (1, 2), (0, 2))),
    )
    rigid = System(table=system.table, components=((ring, 1),), positions=np.zeros((3, 3)), box=[5.0, 5.0, 5.0])
    assert _options(dynamics_mdp(system, RunSettings(), length=1.0, first=False))["lincs-order"] == "8"
    assert _options(dynamics_mdp(rigid, RunSettings(), length=1.0, first=False))["lincs-order"] == "12"


def test_a_small_box_gets_an_automatic_list(system):
    small = replace(system, box=np.array([2.6, 5.0, 5.0]))
    options = _options(dynamics_mdp(small, RunSettings(), length=1.0, first=True))
    assert "rlist" not in options
    assert float(options["verlet-buffer-tolerance"]) > 0
    assert float(_options(single_point_mdp(replace(system, box=np.array([2.21, 5.0, 5.0]))))["rlist"]) <= 1.105


def test_free_energy_window(system):
    settings = CouplingSettings(molecule="SLT", lambdas=(0.0, 0.5, 1.0), length=2.0, seed=3)
    options = _options(free_energy_mdp(system, settings, 1))
    expected = {
        "integrator": "sd",
        "nsteps": "100000",
        "init_lambda_state": "1",
        "vdw_lambdas": "0.0 0.5 1.0",
        "couple-moltype": "SLT",
        "couple-lambda0": "none",
        "couple-lambda1": "vdw",
        "couple-intramol": "no",
        "sc-alpha": "0.5",
        "sc-sigma": "0.3",
        "ld-seed": "4",
    }
    assert {key: options[key] for key in expected} == expected
    with pytest.raises(SettingsError, match="no window 3"):
        free_energy_mdp(system, settings, 3)


@pytest.mark.parametrize("lambdas", [(0.0,), (0.0, 0.0, 1.0), (1.0, 0.0), (0.0, 1.5), (-0.1, 1.0)])
def test_lambdas_must_rise(lambdas):
    with pytest.raises(SettingsError, match="rise"):
        CouplingSettings(molecule="X", lambdas=lambdas)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0.0}, {"time_step": float("nan")}, {"production": -1.0}, {"coupling": "cubic"}, {"seed": -1}],
)
def test_run_settings_are_checked(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        RunSettings(**wrong)
