"""topdown density and topdown surface-tension: how far runs are extended, what is printed, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import topdown.properties.density as density_module
import topdown.properties.phases as phases_module
import topdown.properties.planned_runs as planned_runs
import topdown.properties.sampler as sampler_module
import topdown.properties.surface_tension as tension_module
import topdown.workflows.liquids as liquids_module
from topdown.errors import SettingsError
from topdown.sampling.run_store import RunStore
from topdown.workflows.liquids import Effort, parse_wall_time


@dataclass
class FakeState:
    """Two runs of parts of 0.5 ns whose error falls as one over the root of the parts; counts what it is asked for."""

    first_error: float = 1.0
    alarm_at: int = 10**9
    n_runs: int = 2
    part_ns: float = 0.5
    default_ns: float = 4.0
    asked: list[int] = field(default_factory=list)

    def request(self, run: int, part: int) -> Any:
        return ("request", run, part)

    def measure(self, sampler: Any, requests: list[list[Any]], runs: list[list[Any]]) -> Any:
        parts = len(requests[0])
        assert runs == requests, "parts come back in their order"
        self.asked.append(parts)
        alarms = ("it froze",) if parts >= self.alarm_at else ()
        return SimpleNamespace(alarms=alarms, error=self.first_error / parts**0.5)

    def error(self, result: Any) -> float:
        return result.error


class FakeSampler:
    def __init__(self, folder: Path) -> None:
        self.store = RunStore(folder)

    def sample(self, requests: list[Any]) -> list[Any]:
        return requests

    def key(self, request: Any) -> str:
        return str(request)


def extend(state: FakeState, folder: Path, **effort: Any) -> tuple[Any, tuple[str, ...]]:
    return liquids_module._extend(state, Effort(**effort), FakeSampler(folder))  # type: ignore[arg-type]


def test_length_decides_when_nothing_else_is_asked(tmp_path: Path) -> None:
    state = FakeState()
    assert extend(state, tmp_path)[1] == ()
    extend(state, tmp_path, nanoseconds=2.0)
    extend(state, tmp_path, nanoseconds=2.3)
    extend(state, tmp_path, nanoseconds=0.1)
    assert state.asked == [4, 2, 3, 1]


def test_extended_until_the_error_is_reached(tmp_path: Path) -> None:
    state = FakeState(first_error=1.0)
    result, remarks = extend(state, tmp_path, error=0.25)
    assert result.error <= 0.25
    assert remarks == ()
    assert state.asked[0] == 1
    assert all(later <= 3 * earlier for earlier, later in zip(state.asked, state.asked[1:]))
    assert state.asked[-1] <= 1.2 * 16 + 1, "not much further than needed"
    again = FakeState(first_error=1.0)
    extend(again, tmp_path, error=0.25)
    assert again.asked == state.asked, "the same decisions every time"


def test_limits_of_an_error_are_told(tmp_path: Path) -> None:
    state = FakeState()
    _, remarks = extend(state, tmp_path, error=0.1, nanoseconds=8.0)
    assert state.asked[-1] == 8
    assert "not reached within 8 ns" in remarks[0]


def test_an_alarm_ends_it(tmp_path: Path) -> None:
    state = FakeState(alarm_at=3)
    _, remarks = extend(state, tmp_path, error=0.1)
    assert state.asked[-1] == 3
    assert "alarm" in remarks[0]


def test_a_budget_is_kept_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that takes 10 s for each part: 65 s are six parts, and six again when the clock has become slow."""
    now = SimpleNamespace(seconds=0.0, pace=10.0, done=0)
    monkeypatch.setattr(liquids_module.time, "perf_counter", lambda: now.seconds)

    class Slow(FakeState):
        def measure(self, sampler: Any, requests: list[list[Any]], runs: list[list[Any]]) -> Any:
            now.seconds += now.pace * (len(requests[0]) - now.done)
            now.done = len(requests[0])
            return super().measure(sampler, requests, runs)

    state = Slow()
    extend(state, tmp_path, wall_s=65.0)
    assert state.asked == [1, 2, 4, 6]
    now.pace, now.done = 1000.0, 0
    again = Slow()
    extend(again, tmp_path, wall_s=65.0)
    assert again.asked[-1] == 6
    now.seconds, now.pace, now.done = 0.0, 100.0, 0
    other = Slow()
    _, remarks = extend(other, tmp_path, wall_s=66.0, error=0.1)
    assert other.asked == [1], "another budget is another decision; one part is always done"
    assert "within the budget" in remarks[0]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("5min", 300.0), (" 1.5 h", 5400.0), ("2M", 120.0)])
def test_wall_times(text: str, seconds: float) -> None:
    assert parse_wall_time(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "min", "5 days", "-3s", "0s", "1.2.3s", "infs"])
def test_wall_times_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match="--budget must be a time"):
        parse_wall_time(text)


@pytest.mark.parametrize("command", ["density", "surface-tension"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["C1CC"], "E_SYNTAX"),
        (["octanoll"], "did you mean octanol"),
        (["model:XYZ"], "no molecule 'XYZ'"),
        (["hexane:0.5,water"], "no mole fraction"),
        (["gas"], "gas phase"),
        (["CCO", "--table", "martini4"], "martini4"),
        (["CCO", "--temperature", "-3"], "temperature"),
        (["CCO", "--temperature", "warm"], "--temperature must be numbers"),
        (["CCO", "--temperature", "300,300"], "must differ"),
        (["CCO", "--ns", "0"], "--ns"),
        (["CCO", "--ns", "nan"], "--ns"),
        (["CCO", "--error", "-1"], "--error"),
        (["CCO", "--budget", "soon"], "--budget"),
        (["CCO", "--pressure", "nan"], "pressure"),
        (["CCO", "--seed", "-1"], "seed"),
        (["CCO", "--workers", "-1", "--ns", "0.1"], "workers"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_are_one_line(topdown, tmp_path: Path, command: str, arguments: list[str], message: str) -> None:
    code, out, err = topdown(command, *arguments, "--store", tmp_path)
    assert code == 2, err
    assert message in err
    assert err.count("\n") == 1, err
    assert out == ""


@pytest.fixture
def small_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs too short for a good number, long enough for the contract."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 600)
    monkeypatch.setattr(phases_module, "MIN_BEADS", 150)
    for module in (density_module, tension_module):
        monkeypatch.setattr(module, "PART_STEPS", 2000)
        monkeypatch.setattr(module, "EQUILIBRATION_STEPS", 400)
        monkeypatch.setattr(module, "FRAME_EVERY", 40)
    monkeypatch.setattr(density_module, "_GAS_STEPS", 2000)
    monkeypatch.setattr(tension_module, "WIDTH_CUTOFFS", 2.1)
    monkeypatch.setattr(tension_module, "WIDTH_SIGMAS", 1.0)
    monkeypatch.setattr(tension_module, "THICKNESS_CUTOFFS", 3.0)


@pytest.mark.usefixtures("small_and_short")
def test_density_as_json_and_text(topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["density", "CCCCCCCC", "--ns", "0.16", "--workers", "1", "--store", str(tmp_path)]
    code, out, err = topdown(*arguments, "--temperature", "310", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["table"], found["made_with"]["seed"]) == ("martini3", 1)
    assert 500.0 < found["density_kg_m3"] < 1000.0
    assert found["standard_error"] > 0
    assert found["n_effective"] > 1
    molar_mass = found["components"][0]["molar_mass_g_mol"]
    assert molar_mass == pytest.approx(114.232)
    assert found["molar_volume_cm3_mol"] * found["density_kg_m3"] / 1000 == pytest.approx(molar_mass, rel=1e-3)
    assert found["components"][0]["model"].startswith("published model OCT")
    assert found["experiment"]["density_kg_m3"] == 688.94
    assert found["experiment"]["how"] == "measured"
    z = (found["density_kg_m3"] - 688.94) / (found["standard_error"] ** 2 + 3.44**2) ** 0.5
    assert found["z_score"] == pytest.approx(z, rel=1e-2)
    assert 5.0 < found["vaporization_enthalpy_kJ_mol"] < 80.0
    assert len(found["runs"]) == 2
    assert found["alarms"] == []
    monkeypatch.setattr(sampler_module, "run_window", lambda task: pytest.fail("ran again"))
    again = json.loads(topdown(*arguments, "--temperature", "310", "--json")[1])
    again["wall_s"] = found["wall_s"]
    assert again == found
    code, out, _ = topdown(*arguments, "--temperature", "310")
    assert code == 0
    assert "measured                688.94 ± 3.44 kg/m³ at 310 K" in out
    assert "ΔH of vaporisation" in out


@pytest.mark.usefixtures("small_and_short")
def test_several_liquids_and_one_that_is_none(topdown, tmp_path: Path) -> None:
    arguments = ["density", "W", "nonsense!", "--ns", "0.1", "--workers", "1", "--store", str(tmp_path), "--json"]
    code, out, err = topdown(*arguments)
    assert code == 3, "a partly refused batch"
    good, bad = [json.loads(line) for line in out.splitlines()]
    assert good["components"][0]["name"] == "W"
    assert good["vaporization_enthalpy_kJ_mol"] is None
    assert good["vaporization_enthalpy_experiment"]["vaporization_enthalpy_kJ_mol"] == 43.98
    assert bad["liquid"] == "nonsense!"
    assert bad["error"]["code"] == "E_SYNTAX"
    assert "nonsense!" in err


@pytest.mark.usefixtures("small_and_short")
def test_surface_tension_as_json_and_text(topdown, tmp_path: Path) -> None:
    arguments = ["surface-tension", "water:0.9,octane:0.1", "--ns", "0.1", "--workers", "1", "--store", str(tmp_path)]
    code, out, err = topdown(*arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["surface_tension_mN_m"] == found["pressure_tensor"]["surface_tension_mN_m"]
    assert found["test_area"]["surface_tension_mN_m"] == pytest.approx(
        found["surface_tension_mN_m"], abs=5 * abs(found["method_difference_mN_m"]) + 0.5
    )
    assert found["liquid_density_kg_m3"] > 500.0 > found["vapour_density_kg_m3"]
    assert len(found["profile"]["z_nm"]) == len(found["profile"]["density_kg_m3"])
    assert [c["mole_fraction"] for c in found["components"]] == pytest.approx([0.9, 0.1])
    assert found["experiment"] is None
    assert found["z_score"] is None
    code, out, _ = topdown(*arguments)
    assert code == 0
    assert "γ, pressure tensor" in out
    assert "γ, test area" in out
    assert "none known" in out


def test_help_is_clear(topdown) -> None:
    for command in ("density", "surface-tension"):
        code, out, _ = topdown(command, "--help")
        assert code == 0
        for word in ("--table", "--temperature", "--ns", "--error", "--budget", "--store", "--json", "MIXTURE"):
            assert word in out
