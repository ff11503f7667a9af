from __future__ import annotations

from pathlib import Path

import pytest

from topdown.errors import InputFileError
from topdown.formats import RunSettings, read_mdp
from topdown.formats.mdp import CouplingSettings, dynamics_mdp, free_energy_mdp, minimization_mdp, single_point_mdp
from topdown.model import NonbondedScheme

BASE = """; Martini
integrator = md
dt = 0.02  ; ps
nsteps = 500
coulombtype = reaction-field
rcoulomb = 1.1
epsilon_r = 15
rvdw = 1.1
"""


def _read(tmp_path, text=""):
    (tmp_path / "run.mdp").write_text(BASE + text)
    return read_mdp(tmp_path / "run.mdp")


def test_defaults_are_those_of_gromacs(tmp_path):
    settings = _read(tmp_path)
    assert (settings.integrator, settings.time_step, settings.n_steps) == ("md", 0.02, 500)
    assert settings.scheme == NonbondedScheme(cutoff=1.1, epsilon_r=15.0, epsilon_rf=0.0)
    assert (settings.thermostat, settings.barostat) == (None, None)
    assert (settings.energies_every, settings.log_every, settings.compressed_every) == (1000, 1000, 0)
    assert (settings.remove_com_motion_every, settings.generate_velocities, settings.seed) == (100, False, None)
    assert (settings.notes, settings.ignored) == ((), ())


def test_couplings_output_and_start(tmp_path):
    settings = _read(
        tmp_path,
        "TCoupl = V-rescale\ntc_grps = System\ntau-t = 1.5\nref_t = 310\nnsttcouple = 20\n"
        "pcoupl = C-rescale\npcoupltype = Semi-isotropic\ntau_p = 4\nref-p = 1 0.5\ncompressibility = 3e-4 0\n"
        "nstxout-compressed = 100\nnstxout = 200\nnstvout=300\nnstfout=400\nnstenergy = 50\nnstlog = 60\n"
        "gen-vel = yes\ngen-temp = 305\ngen-seed = 7\nld-seed = -1\nnstcomm = 10\ncontinuation = no\n"
        "refcoord_scaling = com\ndefine = -DPOSRES -DFC=500\ninclude = -Ilib -I/opt/ff\nnstpcouple = -1\n",
    )
    assert (settings.thermostat, settings.tau_t, settings.temperature) == ("v-rescale", 1.5, 310.0)
    assert settings.thermostat_every == 20
    assert (settings.barostat, settings.tau_p, settings.barostat_every) == ("semiisotropic", 4.0, None)
    assert (settings.pressure, settings.compressibility) == ((1.0, 0.5), (3e-4, 0.0))
    assert (settings.compressed_every, settings.positions_every, settings.velocities_every) == (100, 200, 300)
    assert (settings.forces_every, settings.energies_every, settings.log_every) == (400, 50, 60)
    assert (settings.generate_velocities, settings.velocity_temperature, settings.velocity_seed) == (True, 305.0, 7)
    assert (settings.seed, settings.remove_com_motion_every, settings.refcoord_scaling) == (None, 10, "com")
    assert settings.defines == {"POSRES": "", "FC": "500"}
    assert settings.include == (tmp_path / "lib", Path("/opt/ff"))
    assert settings.notes == ()


@pytest.mark.parametrize(
    ("kind", "pressure", "expected"),
    [
        ("isotropic", "1.5", (1.5,)),
        ("surface-tension", "300 1", (300.0, 1.0)),
        ("anisotropic", "1 2 3 0 0 0", (1.0, 2.0, 3.0)),
    ],
)
def test_pressures_along_the_edges(tmp_path, kind, pressure, expected):
    compressibility = " ".join(["3e-4"] * min(len(expected), 3) + ["0"] * (3 if kind == "anisotropic" else 0))
    settings = _read(
        tmp_path, f"pcoupl = c-rescale\npcoupltype = {kind}\nref_p = {pressure}\ncompressibility = {compressibility}\n"
    )
    assert (settings.barostat, settings.pressure) == (kind, expected)
    assert settings.compressibility == (3e-4,) * len(expected)


def test_langevin_and_minimisers(tmp_path):
    text = BASE.replace("= md", "= sd") + "tcoupl = v-rescale\ntau_t = 2\nref_t = 300\n"
    (tmp_path / "sd.mdp").write_text(text)
    settings = read_mdp(tmp_path / "sd.mdp")
    assert (settings.integrator, settings.thermostat, settings.tau_t) == ("sd", "langevin", 2.0)
    (tmp_path / "em.mdp").write_text(BASE.replace("= md", "= steep") + "emtol = 50\npcoupl = berendsen\n")
    settings = read_mdp(tmp_path / "em.mdp")
    assert (settings.integrator, settings.force_tolerance, settings.barostat) == ("minimize", 50.0, None)
    assert "steep" in settings.notes[0]


def test_what_is_done_otherwise_is_noted(tmp_path):
    settings = _read(
        tmp_path,
        "tcoupl = nose-hoover\ntc-grps = lipids water\ntau_t = 1 1\nref_t = 310 310\ncomm-grps = lipids water\n"
        "pcoupl = parrinello-rahman\nref_p = 1\ncompressibility = 3e-4\ncompressed-x-grps = lipids\nnstlist = 20\n",
    )
    assert (settings.thermostat, settings.barostat) == ("v-rescale", "isotropic")
    assert len(settings.notes) == 5
    for word, note in zip(("nose-hoover", "tc-grps", "parrinello", "comm-grps", "compressed-x-grps"), settings.notes):
        assert word in note
    assert settings.ignored == ("nstlist",)


def test_the_old_name_of_continuation(tmp_path):
    assert _read(tmp_path, "unconstrained-start = yes\n").continuation
    assert not _read(tmp_path, "unconstrained-start = no\n").continuation


@pytest.mark.parametrize(
    ("line", "modifier"),
    [
        ("vdw-modifier = Potential-shift-Verlet", "potential-shift"),
        ("vdw_modifier = none", "none"),
    ],
)
def test_modifiers(tmp_path, line, modifier):
    assert _read(tmp_path, line + "\n").scheme.lj_modifier == modifier


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nstcom = 100", "unknown key 'nstcom' (did you mean nstcomm?)"),
        ("tau_tt = 1", "did you mean tau-t?"),
        ("xyzzyplugh = 1", "no GROMACS key is like it"),
        ("DT = 0.01", "DT stands twice (first in line 3)"),
        ("just words", "expected KEY = VALUE"),
        ("= 5", "expected KEY = VALUE"),
        ("free-energy = yes", "not supported (topdown transfer"),
        ("pull = yes", "pull = yes is not supported"),
        ("freezegrps = Lipids", "position restraints"),
        ("constraints = h-bonds", "write none"),
        ("annealing = single no", "not supported"),
        ("DispCorr = EnerPres", "not supported"),
        ("pbc = xy", "pbc = xy is not supported"),
        ("cutoff-scheme = group", "group scheme is gone"),
        ("vdw-modifier = force-switch", "force-switch is not supported"),
        ("vdwtype = shift", "vdwtype = shift is not supported"),
        ("vdwtype = PME", "vdwtype = PME is not supported"),
        ("tcoupl = v-rescale\nref_t = 300 310\ntau_t = 1 1", "same for all groups"),
        ("tcoupl = v-rescale\nref_t = 300\ntau_t = -1", "must be positive"),
        ("tcoupl = v-rescale\ntau_t = 1", "tcoupl needs ref-t"),
        ("tcoupl = dpd", "tcoupl = dpd is not supported"),
        ("pcoupl = c-rescale\nref_p = 1 1\ncompressibility = 3e-4", "ref_p needs 1 numbers"),
        ("pcoupl = c-rescale\nref_p = 1\ncompressibility = -3e-4", "must not be negative"),
        (
            "pcoupl = c-rescale\npcoupltype = anisotropic\nref_p = 1 1 1 0 0 0\ncompressibility = 1 1 1 1 0 0",
            "diagonal",
        ),
        ("nstlog = 5.5", "whole number"),
        ("nstlog = -5", "at least 0"),
        ("epsilon_rf = x", "must be a number"),
        ("epsilon_rf = inf", "must be finite"),
        ("epsilon_rf = 1 2", "needs one number"),
        ("define = POSRES", "needs -DNAME"),
        ("include = lib", "needs -IFOLDER"),
        ("gen-vel = maybe", "gen-vel = maybe is not supported"),
        ("gen-seed = -2", "at least -1"),
    ],
)
def test_errors_name_file_and_line(tmp_path, line, message):
    with pytest.raises(InputFileError) as caught:
        _read(tmp_path, line + "\n")
    assert message in str(caught.value)
    place, _, number = caught.value.where.rpartition(":")
    assert place == str(tmp_path / "run.mdp")
    assert 9 <= int(number) <= 9 + line.count("\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reaction-field", "PME", "coulombtype = PME is not supported (Martini: coulombtype = reaction-field)"),
        ("rcoulomb = 1.1", "rcoulomb = 1.2", "rcoulomb must be equal to rvdw"),
        ("dt = 0.02", "dt = 0", "dt must be more than 0"),
        ("nsteps = 500", "nsteps = -1", "nsteps must be at least 0"),
        ("integrator = md", "integrator = bd", "integrator = bd is not supported"),
        ("rvdw = 1.1", "rvdw = -1", "rvdw must be more than 0"),
    ],
)
def test_wrong_values(tmp_path, old, new, message):
    (tmp_path / "run.mdp").write_text(BASE.replace(old, new))
    with pytest.raises(InputFileError) as caught:
        read_mdp(tmp_path / "run.mdp")
    assert message in str(caught.value)
    line = BASE[: BASE.index(old)].count("\n") + 1
    assert caught.value.where == f"{tmp_path / 'run.mdp'}:{line}"


def test_a_method_left_to_its_default_is_refused_by_file(tmp_path):
    (tmp_path / "run.mdp").write_text("integrator = md\n")
    with pytest.raises(InputFileError, match="coulombtype = cut-off is not supported") as caught:
        read_mdp(tmp_path / "run.mdp")
    assert caught.value.where == str(tmp_path / "run.mdp")
    with pytest.raises(InputFileError, match="No such file"):
        read_mdp(tmp_path / "nothing.mdp")


def test_our_own_files_are_read(system, tmp_path):
    settings = RunSettings(temperature=310.0, coupling="semiisotropic", seed=5)
    for name, text in (
        ("em", minimization_mdp(system)),
        ("md", dynamics_mdp(system, settings, length=1.0, first=True)),
        ("sp", single_point_mdp(system)),
    ):
        (tmp_path / name).write_text(text)
        assert read_mdp(tmp_path / name).scheme == system.table.scheme
    found = read_mdp(tmp_path / "md")
    assert (found.temperature, found.velocity_temperature, found.velocity_seed, found.seed) == (310.0, 310.0, 5, 5)
    assert (found.barostat, found.pressure, found.compressibility) == ("semiisotropic", (1.0, 1.0), (3e-4, 3e-4))
    assert (found.n_steps, found.compressed_every, found.notes) == (50000, 1000, ())
    assert read_mdp(tmp_path / "em").defines == {"FLEXIBLE": ""}
    (tmp_path / "fep").write_text(free_energy_mdp(system, CouplingSettings(molecule="W"), 0))
    with pytest.raises(InputFileError, match="free_energy = yes"):
        read_mdp(tmp_path / "fep")
