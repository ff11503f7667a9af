"""``topdown membrane profile`` as a user runs it; the runs themselves are made up here (tests/physics has a real one)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from topdown.properties.membrane_umbrella import DOWN, UP, ProfileRequest, ProfileSamples, WindowRun
from topdown.units import kt
from topdown.workflows import membrane_profile
from topdown.workflows.membrane_profile import ProfileSettings, profile_request


def made_up(request: ProfileRequest, folder: Path, **_: object) -> ProfileSamples:
    """Frames of a flat landscape but for a well of -10 kJ/mol in the core."""
    rng = np.random.default_rng(2)
    z = np.linspace(-4.5, 4.5, 9001)
    runs = []
    for target in request.targets:
        log_p = -(-10.0 * np.exp(-((z / 1.2) ** 2)) + 30.0 * (z - target) ** 2) / kt(request.temperature)
        cumulative = np.cumsum(np.exp(log_p - log_p.max()))
        for way in (DOWN, UP):
            zeta = np.interp(rng.random(120) * cumulative[-1], cumulative, z)
            frames = np.column_stack([zeta, np.full(120, 22.0), np.full(120, 8.4)])
            runs.append(WindowRun(target=target, way=way, frames=frames))
    place = (np.arange(160) + 0.5) * 0.1 - 8.0
    densities = {name: (np.abs(place) < 2.5).astype(float) for name in ("lipids", "heads", "water")}
    return ProfileSamples(runs=tuple(runs), densities=densities, n_lipids=70, spring=60.0)


def test_command_writes_profile_and_figure(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membrane_profile, "sample_profile", made_up)
    code, out, err = topdown(
        "membrane", "profile", "CCCO", "--lipids", "POPC", "--spacing", "0.4", "-o", tmp_path, "--json"
    )
    assert code == 0, err
    data = json.loads(out)
    assert data == json.loads((tmp_path / "profile.json").read_text())
    assert (data["made_with"]["precision"], data["made_with"]["seed"]) == ("mixed", 1)
    assert data["d_nm"] == pytest.approx(2.5)
    assert data["log_k_v"]["value"] == pytest.approx(1.1, abs=0.2)
    assert data["log_k_m_L_kg"]["value"] == pytest.approx(
        data["log_k_v"]["value"] + np.log10(2.5 * 22.0 / 35 * 0.602214 / 0.760), abs=0.005
    )
    assert data["delta_g_centre_kJ_mol"]["value"] == pytest.approx(-10.0, abs=1.0)
    assert [check["between"][0] for check in data["checks"]] == ["pulled in", "first half", "upper leaflet"]
    rows = list(csv.DictReader((tmp_path / "profile.csv").open()))
    assert len(rows) == len(data["profile"]["z_nm"])
    assert (tmp_path / "profile.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_windows_and_parts_follow_from_the_settings() -> None:
    settings = ProfileSettings(lipids=(("POPC", 7.0), ("CHOL", 3.0)), spacing=0.25, length_ns=1.2, size=(5.0, 5.0, 8.0))
    assert settings.targets[0] == -4.0
    assert settings.targets[-1] == 4.0
    assert len(settings.targets) == 33
    request = profile_request("CCCO", settings)
    assert request.part_steps * request.parts * 0.02 == pytest.approx(1000.0, abs=300.0)
    assert [molecule.name for molecule, _ in request.lipids] == ["POPC", "CHOL"]
    assert membrane_profile.mean_molar_mass(request) == pytest.approx(0.7 * 760.1 + 0.3 * 386.7, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("CCO",), "--lipids"),
        (("C1CC", "--lipids", "POPC"), "E_SYNTAX"),
        (("CCO", "--lipids", "POPX"), "no molecule 'POPX'"),
        (("CCO", "--lipids", "POPC:0"), "positive number"),
        (("CCO", "--lipids", "POPC", "--spacing", "3"), "--spacing 3 is out of range"),
        (("CCO", "--lipids", "POPC", "--length", "fast"), "--length 'fast'"),
        (("CCO", "--lipids", "POPC", "--equilibrate", "5"), "--equilibrate '5'"),
        (("CCO", "--lipids", "POPC", "--size", "2x2x8"), "twice the cut-off"),
        (("CCO", "--lipids", "POPC", "--depth", "-1"), "--depth"),
        (("CCO", "--lipids", "POPC", "--workers", "-1"), "workers"),
        (("CCO", "--lipids", "POPC", "--table", "martini9"), "martini9"),
    ],
)
def test_mistakes_are_one_line(topdown, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = topdown("membrane", "profile", *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
