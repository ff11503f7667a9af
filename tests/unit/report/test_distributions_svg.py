"""The page of distributions of bonded coordinates."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from topdown.mapping import map_molecule
from topdown.mapping.distributions import distribution
from topdown.report.distributions_svg import distributions_svg
from topdown.tables import load_bead_table


@pytest.fixture(scope="module")
def page() -> ElementTree.Element:
    molecule = replace(
        map_molecule("CCCCCCCCO", load_bead_table("martini3"), conformers=False), name="<octanol> & more"
    )
    rng = np.random.default_rng(1)
    found = [
        distribution("bond", (0, 1), 0.45, rng.normal(0.44, 0.02, 300)),
        distribution("angle", (0, 1, 2), 160.0, rng.normal(140.0, 10.0, 300)),
    ]
    return ElementTree.fromstring(distributions_svg(molecule, found).encode())


def texts(page: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in page.iter("{http://www.w3.org/2000/svg}text")]


def test_it_says_what_is_drawn_and_in_which_units(page: ElementTree.Element) -> None:
    said = texts(page)
    assert said[0] == "<octanol> & more"
    assert said[1] == "probability density; mean ± standard deviation; dashed: minimum of the model"
    assert any(text.startswith("bond ") and text.endswith(" nm") for text in said)
    assert any(text.startswith("angle ") and text.endswith("°") for text in said)
    assert {"0.0°", "180.0°"} <= set(said), "both ends of an axis"


def test_everything_lies_on_the_page(page: ElementTree.Element) -> None:
    width, height = float(page.attrib["width"]), float(page.attrib["height"])
    for element in page.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 < float(element.attrib["x"]) <= width
        assert 0 < float(element.attrib["y"]) < height - 4
