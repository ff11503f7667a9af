"""From run parameter files and options to the request of a run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from topdown.engine import SimulationSettings
from topdown.errors import InputFileError, SettingsError
from topdown.workflows.run_request import RunRequest, continued_request, make_request, parse_setting, request_from_json

TOP, GRO = Path("a.top"), Path("a.gro")
MARTINI = """
integrator = md
dt = 0.02
nsteps = 1000
nstxout-compressed = 100
nstenergy = 50
cutoff-scheme = Verlet
coulombtype = reaction-field
rcoulomb = 1.1
epsilon_r = 15
vdw_type = cutoff
vdw-modifier = Potential-shift-verlet
rvdw = 1.1
tcoupl = v-rescale
tc-grps = System
tau_t = 1.0
ref_t = 310
"""
KNOWN = {field.name for field in fields(SimulationSettings)}


def _request(tmp_path: Path, more: str = "", *, text: str = MARTINI, **options: object) -> RunRequest:
    path = tmp_path / "run.mdp"
    path.write_text(text + more)
    return make_request(TOP, GRO, options, mdp=path)


def test_what_an_mdp_file_says(tmp_path: Path) -> None:
    request = _request(tmp_path, "gen_vel = yes\ngen_temp = 200\nld_seed = 7\ndefine = -DPOSRES -DK=5\n")
    assert (request.n_steps, request.frame_every, request.energy_every, request.seed) == (1000, 100, 50, 7)
    assert (request.settings.temperature, request.settings.thermostat, request.settings.barostat) == (
        310,
        "v-rescale",
        None,
    )
    assert request.defines == (("POSRES", ""), ("K", "5"))
    assert request.new_velocities
    assert request.notes == ("gen_temp = 200: velocities are drawn at 310 K",)
    assert request.scheme is not None
    assert (request.scheme.cutoff, request.scheme.epsilon_r) == (1.1, 15.0)


def test_options_go_before_the_file(tmp_path: Path) -> None:
    request = _request(tmp_path, length_ns=0.1, temperature=280.0, frame_ps=10.0, trajectory="trr")
    assert (request.n_steps, request.settings.temperature) == (5000, 280.0)
    assert (request.frame_every, request.trajectory) == (500, "trr")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("pcoupltype = isotropic\nref_p = 2\ncompressibility = 3e-4\n", {"pressure": 2.0, "compressibility": 3e-4}),
        ("pcoupltype = semiisotropic\nref_p = 1 1\ncompressibility = 3e-4 3e-4\n", {"barostat": "semiisotropic"}),
        (
            "pcoupltype = semiisotropic\nref_p = 1 5\ncompressibility = 3e-4 0\n",
            {"pressure": 1.0, "pressure_z": 5.0, "compressibility_z": 0.0},
        ),
        (
            "pcoupltype = surface-tension\nref_p = 600 1\ncompressibility = 3e-4 3e-4\n",
            {"surface_tension": 30.0, "pressure": 1.0, "barostat": "surface-tension"},
        ),
    ],
)
def test_pressure_coupling(tmp_path: Path, more: str, expected: dict[str, object]) -> None:
    """Surface tension: 600 bar nm over two surfaces are 30 mN/m."""
    text = f"pcoupl = c-rescale\ntau_p = 12\n{more}"
    if not expected.keys() <= KNOWN:
        with pytest.raises(SettingsError, match="the engine has no setting"):
            _request(tmp_path, text)
        return
    settings = _request(tmp_path, text).settings
    assert settings.tau_p == 12
    for name, value in expected.items():
        found = getattr(settings, name)
        assert found == (value if isinstance(value, str) else pytest.approx(value)), name


def test_reference_points_that_follow_the_centre_of_mass_are_told(tmp_path: Path) -> None:
    coupling = "pcoupl = c-rescale\npcoupltype = isotropic\ntau_p = 4\nref_p = 1\ncompressibility = 3e-4\n"
    request = _request(tmp_path, coupling + "refcoord_scaling = com\n")
    assert request.notes == ("refcoord_scaling = com: reference points of restraints stay where they are",)
    assert _request(tmp_path, coupling + "refcoord_scaling = all\n").settings.refcoord_scaling == "all"


def test_minimisation_and_trajectories(tmp_path: Path) -> None:
    steep = _request(tmp_path, text=MARTINI.replace("= md", "= steep"), more="emtol = 50\n")
    assert (steep.minimize, steep.minimize_steps, steep.force_tolerance, steep.n_steps) == (True, 1000, 50.0, 0)
    both = _request(tmp_path, "nstxout = 20\nnstvout = 20\n")
    assert (both.trajectory, both.frame_every) == ("xtc", 100)
    assert "only the compressed trajectory" in both.notes[0]
    full = _request(tmp_path, "nstxout = 20\nnstfout = 20\n", text=MARTINI.replace("nstxout-compressed = 100", ""))
    assert (full.trajectory, full.frame_every, full.notes) == ("trr", 20, ("nstfout: forces are not written",))


def test_unequal_pressures_along_x_and_y_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="must be equal"):
        _request(
            tmp_path,
            "pcoupl = c-rescale\npcoupltype = anisotropic\ntau_p = 4\nref_p = 1 2 1 0 0 0\n"
            "compressibility = 3e-4 3e-4 3e-4 0 0 0\n",
        )


def test_json_and_back(tmp_path: Path) -> None:
    request = _request(tmp_path, "define = -DX=1\n", include=(Path("/a"),), reference=Path("/r.gro"))
    assert request_from_json(request.as_json()) == request
    with pytest.raises(InputFileError, match="no run to continue"):
        request_from_json({"settings": {}})


def test_only_the_length_may_change() -> None:
    earlier = make_request(TOP, GRO, {"n_steps": 100, "seed": 3})
    longer = continued_request(earlier, {"length_ns": 0.01, "checkpoint_steps": 50})
    assert (longer.n_steps, longer.seed) == (500, 3)
    assert continued_request(earlier, {}) == earlier
    with pytest.raises(SettingsError, match=r"tau_t = 1.0, not 2.0"):
        continued_request(earlier, {"tau_t": 2.0})


def test_settings_by_name() -> None:
    assert parse_setting("list_buffer=0.3") == ("list_buffer", 0.3)
    assert parse_setting(" barostat_every = 5 ") == ("barostat_every", 5)
    assert parse_setting("thermostat=none") == ("thermostat", None)
    assert parse_setting("barostat=isotropic") == ("barostat", "isotropic")
    with pytest.raises(SettingsError, match="did you mean temperature"):
        make_request(TOP, GRO, {"n_steps": 10, "temprature": 3.0})
