"""The campaign file of classes: what is wrong with it is said, and the one that ships is sound."""

from dataclasses import replace
from pathlib import Path

import pytest

from topdown.calibration.class_campaign import is_class_campaign, read_class_campaign
from topdown.calibration.class_liquids import MODEL_ERROR, USUAL_PRIOR
from topdown.errors import InputFileError
from topdown.resources import bead_tables_folder
from topdown.workflows.calibrate_classes import calibrate_classes, plan_classes
from topdown.workflows.start_files import read_class_start

SHIPPED = bead_tables_folder() / "topdown1" / "campaign.toml"


def test_the_shipped_campaign_needs_no_simulation() -> None:
    assert is_class_campaign(SHIPPED)
    campaign = read_class_campaign(SHIPPED)
    assert campaign.correlated
    assert campaign.liquids is not None
    assert campaign.liquids.prior == USUAL_PRIOR
    assert campaign.liquids.model_error == MODEL_ERROR
    plan = plan_classes(SHIPPED)
    assert plan["shapes"] == campaign.n_shapes > 25
    assert plan["to_sample"] == []
    assert plan["phases"] == [phase.name for phase in (*campaign.phases, *campaign.further)]
    assert [phase.n_shapes for phase in campaign.further] == [None, 40]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("hydration_error", "hydration_eror"), "hydration_error is missing .is 'hydration_eror' meant"),
        (("temperature = 298.15", "temprature = 298.15"), "did you mean 'temperature'"),
        (("width = 0.03", 'width = "wide"'), "width must be a number above 0"),
        (("contents = [400]", "contents = [4.5]"), r"phases\[1\].contents must be a list of whole numbers"),
        (("tolerance = 0.12", ""), "tolerance is missing"),
        (("further_widths = [", "further_widths = [-"), "fit.further_widths must be two numbers above 0"),
        (('name = "toluene"', 'name = "octanol"'), "phases given twice: octanol"),
        (("shapes = 40", "shapes = 0"), r"further\[2\].shapes must be a whole number of at least 1"),
        (("contents = [300]", "content = [300]"), r"further\[1\].contents is missing"),
        (('bond_lengths = "surface"', "bond_lengths = 1"), "bond_lengths must be 'centres' or 'surface'"),
        (('name = "water"', 'name = "wasser"'), "water is not among"),
        (("0.6, 0.6]", "0.6]"), "4 values of base for 5 solvents"),
        (("correlated = true", "correlated = 0.3"), "true or false"),
        (("place_widths = [0.03, 0.25]", "place_widths = [0.05]"), "liquids.place_widths must be two numbers above 0"),
        (
            ("size_widths = [0.03, 0.05]", "size_widths = [0.0, 0.05]"),
            "liquids.size_widths must be two numbers above 0",
        ),
        (("last_step = true", "last_step = 1"), "liquids.last_step must be true or false"),
        (('always = ["CCCCCC"', "always = [6"), "liquids.always must be a list of SMILES"),
        (("density_error", "densityerror"), "did you mean 'density_error'"),
        (('kind = "classes"', 'kind = "classes'), "broken TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "campaign.toml"
    text = SHIPPED.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(InputFileError, match=message):
        read_class_campaign(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "toluene"', 'name = "tolune"'), "no phase 'tolune' .did you mean toluene"),
        (('"X2"]', '"X22"]'), "unknown bead type 'X22'"),
        (('"X4",', '"X44",'), "unknown bead type 'X44'"),
        (("contents = [150, 14]", "contents = [150]"), "contents of octanol has 1 numbers for 2 kinds of molecules"),
    ],
)
def test_what_nobody_knows_is_refused_before_anything_is_sampled(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "campaign.toml"
    text = SHIPPED.read_text().replace('start = "class_start.csv"', "").replace('start = "liquid_start.csv"', "")
    assert change[0] in text
    path.write_text(text.replace(*change))
    for run in (plan_classes, calibrate_classes):
        with pytest.raises(InputFileError, match=f"campaign.toml: {message}"):
            run(path)


def test_other_campaigns_are_not_of_classes(tmp_path: Path) -> None:
    assert not is_class_campaign(tmp_path / "none.toml")
    (tmp_path / "other.toml").write_text('name = "a"\n')
    assert not is_class_campaign(tmp_path / "other.toml")


def test_settings_of_liquids_are_read(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    text = SHIPPED.read_text()
    path.write_text(
        text.replace("class_widths = [0.02, 0.10]", "class_widths = [0.01, 0.2]")
        .replace("density_error = 0.04", "density_error = 0.02")
        .replace("last_step = true", "last_step = false")
        .replace("size_widths = [0.03, 0.05]", "volume_widths = [0.5, 1.5]")
    )
    found = read_class_campaign(path).liquids
    assert found is not None
    assert found.prior == replace(USUAL_PRIOR, classes=(0.01, 0.2), volumes=(0.5, 1.5))
    assert found.model_error == {"density": 0.02, "surface_tension": 0.12}
    assert (found.last_step, found.start, found.volumes) == (False, "liquid_start.csv", True)
    assert "CCCCCC" in found.always
    path.write_text(text[: text.index("[liquids]")] + "[liquids]\n")
    plain = read_class_campaign(path).liquids
    assert plain is not None
    assert (plain.prior, plain.start, plain.always, plain.last_step) == (USUAL_PRIOR, "", (), False)


def test_classes_to_start_from_are_read_and_checked(tmp_path: Path) -> None:
    shipped = read_class_start(read_class_campaign(SHIPPED))
    assert shipped is not None
    assert shipped[1].shape == (len(shipped[0]), 5) == (72, 5)
    path = tmp_path / "campaign.toml"
    path.write_text(SHIPPED.read_text().replace("classes = 72", "classes = 2"))
    with pytest.raises(InputFileError, match="no classes to start from: FileNotFoundError"):
        plan_classes(path)
    start = tmp_path / "class_start.csv"
    head = "class,place W,place C1,place SC2,place SP1,place X2\n"
    start.write_text(head + "C01,0.1,0.2,0.3,0.4,0.5\nP01,1.1,1.2,1.3,1.4,1.5\n")
    found = read_class_start(read_class_campaign(path))
    assert found is not None
    assert found[0] == ("C01", "P01")
    assert found[1].tolist() == [[0.1, 0.2, 0.3, 0.4, 0.5], [1.1, 1.2, 1.3, 1.4, 1.5]]
    for text, message in (
        (head + "C01,0.1,0.2,0.3,0.4,0.5\n", "fit.start has 1 classes, the campaign 2"),
        (head + "C01,0.1,0.2,0.3,0.4,nan\nP01,1,1,1,1,1\n", "is no number"),
        (head.replace("X2", "X3") + "C01,0.1,0.2,0.3,0.4,0.5\n", "no classes to start from: KeyError"),
        (head + "C01,0.1,0.2\n", "no classes to start from"),
    ):
        start.write_text(text)
        with pytest.raises(InputFileError, match=message):
            plan_classes(path)
