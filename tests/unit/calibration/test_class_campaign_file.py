"""The campaign file of classes: what is wrong with it is said, and the one that ships is sound."""

from pathlib import Path

import pytest

from topdown.calibration.class_campaign import is_class_campaign, read_class_campaign
from topdown.errors import InputFileError
from topdown.resources import bead_tables_folder
from topdown.workflows.calibrate_classes import plan_classes

SHIPPED = bead_tables_folder() / "topdown1" / "campaign.toml"


def test_the_shipped_campaign_needs_no_simulation() -> None:
    assert is_class_campaign(SHIPPED)
    campaign = read_class_campaign(SHIPPED)
    assert campaign.coupled == {("C1", "SC2"): 0.5}
    plan = plan_classes(SHIPPED)
    assert plan["shapes"] == campaign.n_shapes > 25
    assert plan["to_sample"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("hydration_error", "hydration_eror"), "hydration_error is missing .is 'hydration_eror' meant"),
        (("temperature = 298.15", "temprature = 298.15"), "did you mean 'temperature'"),
        (("width = 0.03", 'width = "wide"'), "width must be a number above 0"),
        (("contents = [400]", "contents = [4.5]"), r"phases\[1\].contents must be a list of whole numbers"),
        (("tolerance = 0.12", ""), "tolerance is missing"),
        (('bond_lengths = "surface"', "bond_lengths = 1"), "bond_lengths must be 'centres' or 'surface'"),
        (('name = "water"', 'name = "wasser"'), "water is not among"),
        (("0.6, 0.6]", "0.6]"), "4 values of base for 5 solvents"),
        (("C1-SC2", "C1SC2"), "not a pair"),
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


def test_other_campaigns_are_not_of_classes(tmp_path: Path) -> None:
    assert not is_class_campaign(tmp_path / "none.toml")
    (tmp_path / "other.toml").write_text('name = "a"\n')
    assert not is_class_campaign(tmp_path / "other.toml")
