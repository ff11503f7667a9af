"""topdown transfer --instant: batches, refusals, and the same numbers as the sums behind it."""

import json
from pathlib import Path

import numpy as np
import pytest

from topdown.mapping import map_molecule
from topdown.properties.instant import load_instant_sums
from topdown.resources import bead_tables_folder


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_batch_is_one_object_per_molecule_and_phase_in_order(topdown, tmp_path: Path) -> None:
    file = tmp_path / "some.smi"
    file.write_text("CCCC butane\nC1CC broken\nCCCO propanol\n")
    code, out, err = topdown(
        "transfer", str(file), "--to", "octanol,hexadecane,chloroform", "--table", "topdown1", "--instant", "--json"
    )
    assert code == 3
    found = lines(out)
    assert [(o["name"], o["to"]) for o in found] == [
        (name, phase) for name in ("butane", "broken", "propanol") for phase in ("octanol", "hexadecane", "chloroform")
    ]
    assert all(o["error"]["code"] == "E_SYNTAX" for o in found[3:6])
    assert "E_SYNTAX" in err
    butane, propanol = found[1], found[7]
    assert butane["delta_g_kJ_mol"] < -5.0 < 0.0 < propanol["delta_g_kJ_mol"], "only butane prefers hexadecane to water"
    for o in (butane, propanol):
        assert 0.1 < o["standard_error"] < 3.0
        assert o["log_p"] == pytest.approx(-o["delta_g_kJ_mol"] / 5.708, rel=1e-3)
        assert o["diagnostics"]["n_effective"] > 20.0
        assert o["diagnostics"]["overlap"] is None, "nothing was sampled along a path"
        assert o["experiment"] is not None
        assert any("not simulated" in remark for remark in o["remarks"])


def test_1_octanol_is_the_octanol_of_log_p(topdown) -> None:
    _, same, _ = topdown("transfer", "CCCC", "--to", "octanol", "--json", "--instant")
    wet = lines(same)[0]
    assert (wet["to"], wet["experiment"] is None) == ("octanol", False)
    code, out, _ = topdown("transfer", "CCCC", "--to", "1-octanol", "--json", "--instant")
    assert code == 0
    assert {k: v for k, v in lines(out)[0].items() if k != "wall_s"} == {k: v for k, v in wet.items() if k != "wall_s"}
    code, _, err = topdown("transfer", "CCCC", "--to", "octan-1-ol,octanol", "--instant")
    assert code == 2
    assert "phases must differ" in err


def test_the_number_is_the_difference_of_two_reweighted_legs(topdown) -> None:
    _, out, _ = topdown("transfer", "CCCC", "--to", "octanol", "--table", "topdown1", "--instant", "--json")
    sums = load_instant_sums("topdown1")
    model = map_molecule("CCCC", sums.table)
    values = {}
    for phase in ("water", "octanol"):
        name, order, _ = sums.nearest_shape(model, phase)
        reduced = sums.sums[phase][name]
        types = [model.beads[k].bead_type for k in order]
        epsilon = [sums.table.pair(types[int(a.split("#")[1])], b)[1] for a, b in reduced.pairs]
        inner = [sums.table.pair(types[0], types[0])[1] for _ in reduced.inner_pairs]
        values[phase] = reduced.coupling(np.array([*epsilon, *inner])).value
    assert lines(out)[0]["delta_g_kJ_mol"] == pytest.approx(values["octanol"] - values["water"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CCCC", "--table", "martini3"], "has no sums for instant"),
        (["CCCC", "--to", "heptane"], "no instant free energies in heptane"),
        (["CCCC[NH3+]"], "net charge"),
        (["C[N+](C)(C)CC(=O)[O-]"], "charges has no instant"),
        (["CCCC", "--temperature", "340"], "for 298.15 K, not 340 K"),
        (["CCc1ccc2ccccc2c1"], "no shape of beads TTTTTT"),
        (["O"], "four waters"),
    ],
)
def test_what_it_cannot_know_is_one_line_that_offers_the_simulation(
    topdown, arguments: list[str], message: str
) -> None:
    with_table = arguments if "--table" in arguments else [*arguments, "--table", "topdown1"]
    code, out, err = topdown("transfer", *with_table, "--instant")
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    if message not in ("four waters", "net charge"):  # a simulation refuses those as well
        assert "--instant" in err


def test_what_has_no_shape_is_put_together_from_parts_and_says_so(topdown) -> None:
    _, out, _ = topdown("transfer", "CCCCCCCC", "--to", "hexadecane,octanol", "--instant", "--json")
    octane = lines(out)
    code, out, _ = topdown("transfer", "C" * 36, "--to", "hexadecane,octanol", "--instant", "--json")
    assert code == 0
    for short, long in zip(octane, lines(out)):
        # nine beads instead of two, and each more moves into oil, as exactly as the sum of parts says it is known
        known = long["standard_error"] / 7.0
        assert 6.0 < (long["delta_g_kJ_mol"] - short["delta_g_kJ_mol"]) / -7.0 < 16.0 + known
        assert 2.0 < long["standard_error"] < 8.0
        assert not any("parts" in remark for remark in short["remarks"])
        assert sum("put together from shapes of its parts" in remark for remark in long["remarks"]) == 1
    from_gas = lines(topdown("transfer", "C" * 36, "--from", "gas", "--to", "water", "--instant", "--json")[1])[0]
    assert from_gas["standard_error"] > 5.0


@pytest.mark.parametrize(
    ("options", "simulated"),
    [
        ([], {"anthracene": {"water", "octanol"}}),
        (["--error", "0.1"], {"anthracene": {"water", "octanol"}, "butane": {"water", "octanol"}}),
        (["--simulate"], {"anthracene": {"water", "octanol"}, "butane": {"water", "octanol"}}),
        (["--temperature", "320"], {"anthracene": {"water", "octanol"}, "butane": {"water", "octanol"}}),
    ],
)
def test_by_default_only_what_stored_sums_do_not_give_is_simulated(
    topdown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], simulated: dict
) -> None:
    import topdown.workflows.transfer as workflow
    from topdown.model import Estimate
    from topdown.properties.transfer import SolvationResult

    asked: dict[str, set[str]] = {}

    def measured(request, phase_name, sampler, effort):
        asked.setdefault({"CCCC": "butane"}.get(request.solute.name, "anthracene"), set()).add(phase_name)
        value = Estimate(value=-3.0, standard_error=0.2, n_effective=90.0)
        return SolvationResult(phase=phase_name, delta_g=value, overlap=0.1, n_windows=9, n_frames=900, n_solvent=400)

    monkeypatch.setattr(workflow, "measure_solvation", measured)
    file = tmp_path / "some.smi"
    file.write_text("CCCC butane\nCCCCCCCCCCCCc1cc2ccccc2c2ccccc12 unsampled\nCC[NH3+] ammonium\n")
    code, out, err = topdown("transfer", str(file), "--to", "octanol", "--table", "topdown1", "--json", *options)
    assert code == 3
    butane, other, ion = lines(out)
    assert asked == simulated
    assert any("not simulated" in remark for remark in butane["remarks"]) == ("butane" not in simulated)
    assert not any("not simulated" in remark for remark in other["remarks"])
    assert other["delta_g_kJ_mol"] == 0.0
    assert "net charge" in ion["error"]["message"]
    assert "net charge" in err


@pytest.mark.validate
@pytest.mark.parametrize("smiles", ["CCCC", "CC(C)=O", "CCCCCCCO"])
def test_full_simulation_agrees(topdown, smiles: str) -> None:
    arguments = ["transfer", smiles, "--to", "octanol", "--table", "topdown1", "--json"]
    instant = lines(topdown(*arguments, "--instant")[1])[0]
    full = lines(topdown(*arguments, "--simulate")[1])[0]
    error = np.hypot(instant["standard_error"], full["standard_error"])
    assert abs(instant["delta_g_kJ_mol"] - full["delta_g_kJ_mol"]) < 3.0 * error


def test_the_campaign_that_made_the_table_can_be_planned(topdown) -> None:
    code, out, _ = topdown("calibrate", "plan", str(bead_tables_folder() / "topdown1" / "campaign.toml"))
    assert code == 0
    assert "classes: 72" in out


def test_the_table_chosen_is_the_one_calibrated_on_the_phases(topdown) -> None:
    _, out, _ = topdown("transfer", "CCCC", "--from", "gas", "--to", "Octanol", "--instant", "--json")
    assert lines(out)[0]["table"] == "topdown1"
    code, _, err = topdown("transfer", "CCCC", "--to", "cyclohexane", "--instant")
    assert code == 2
    assert (
        "no instant free energies in cyclohexane (only in carbon tetrachloride, chloroform, hexadecane, octanol, toluene, water; "
        "leave --instant out" in err
    )


def test_a_map_with_the_table_says_where_the_molecule_goes(topdown) -> None:
    code, out, _ = topdown("map", "CCCCO", "--table", "topdown1")
    assert code == 0
    assert "log P octanol" in out
    _, out, _ = topdown("map", "CCCCO", "--table", "topdown1", "--json")
    found = {line["to"]: line for line in json.loads(out)["instant"]}
    _, out, _ = topdown("transfer", "CCCCO", "--to", "octanol", "--instant", "--json")
    assert found["octanol"]["log_p"] == pytest.approx(lines(out)[0]["log_p"])
    _, out, _ = topdown("map", "CCCCO", "--json")
    assert "instant" not in json.loads(out), "other tables have nothing to say"


def test_the_number_does_not_depend_on_how_the_molecule_is_written(topdown) -> None:
    found = [
        lines(topdown("transfer", smiles, "--to", "octanol", "--instant", "--json")[1])[0]["delta_g_kJ_mol"]
        for smiles in ("CCCCCCO", "OCCCCCC", "COc1ccc(Cl)cc1", "Clc1ccc(OC)cc1")
    ]
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert found[2] == pytest.approx(found[3], abs=0.02)


def test_a_molecule_unlike_any_calibrated_says_so(topdown) -> None:
    _, out, _ = topdown("transfer", "CP(C)(C)=O", "--to", "octanol", "--json", "--instant")
    assert any("unlike what topdown1 was calibrated on" in remark for remark in lines(out)[0]["remarks"])
    _, out, _ = topdown("transfer", "CCCCCO", "--to", "octanol", "--json", "--instant")
    assert not any("unlike" in remark for remark in lines(out)[0]["remarks"])


def test_json_says_what_it_was_made_with(topdown):
    from topdown import __version__
    from topdown.engine import engine_hash, engine_version

    _, out, _ = topdown("transfer", "CCCC", "--to", "octanol", "--json", "--instant")
    assert json.loads(out)["made_with"] == {
        "topdown": __version__,
        "engine": engine_version(),
        "build": engine_hash(),
        "precision": "mixed",
        "threads": 1,
        "seed": 1,
    }
