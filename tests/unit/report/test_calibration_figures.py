"""Figures of a calibration: what they are made from is right, and each comes as SVG and as PNG."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from synthetic_calibration import (
    MIXED,
    OTHER,
    SMALL,
    FailingSampler,
    SyntheticSampler,
    exact_transfer,
    problem,
    start_table,
)

from topdown.calibration.journal import Journal
from topdown.calibration.result import CalibrationResult, StateOverlap
from topdown.calibration.rounds import run_calibration
from topdown.mapping import map_molecule
from topdown.report.calibration_figures import figure_pngs, figures
from topdown.report.calibration_plots import MOST_COLUMNS, overlap_svg, parity_svg, sensitivity_columns
from topdown.report.svg_png import spelt_out, svg_png
from topdown.tables import load_bead_table

Image = pytest.importorskip("PIL.Image")
TRUTH = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
NASTY = '<b>"&/../x'


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CalibrationResult:
    """Of a campaign in which one window of one system is missing."""
    task = problem(TRUTH, width=20.0)
    sampler = FailingSampler(fails=lambda system, window, careful: (system, window) == ("mixed in 100 oil", 2))
    journal = Journal(tmp_path_factory.mktemp("figures") / "j.jsonl", task.digest(), resume=False)
    return run_calibration(task, sampler, journal)


def test_sensitivities_are_the_derivatives_of_the_targets(result: CalibrationResult) -> None:
    """Against the closed form of the model liquid; the density depends on nothing but C-C."""
    at = {p.parameter.pair: p.value for p in result.parameters}
    solutes = {"small": SMALL, "mixed": MIXED, "other": OTHER}
    assert result.sensitivities.shape == (4, 3)
    for i, target in enumerate(result.targets):
        name = target.label.split()[0]
        for k, pair in enumerate(at):
            if name not in solutes:
                assert (abs(result.sensitivities[i, k]) > 1e-3) == (pair == ("C", "C"))
                continue
            up, down = ({**at, pair: at[pair] + h} for h in (1e-4, -1e-4))
            slope = (
                exact_transfer(solutes[name], start_table(), up) - exact_transfer(solutes[name], start_table(), down)
            ) / 2e-4
            assert result.sensitivities[i, k] == pytest.approx(slope, abs=0.03 + 0.05 * abs(slope))


def test_overlaps_are_of_the_states_that_were_sampled(result: CalibrationResult) -> None:
    found = {o.system: o for o in result.overlaps}
    assert set(found) == {
        f"{solute} in 100 {liquid}" for solute in ("small", "mixed", "other") for liquid in ("water", "oil")
    }
    assert found["small in 100 oil"].states == ("0", "0.2", "0.5", "1")
    assert found["mixed in 100 oil"].states == ("0", "0.2", "1")
    for overlap in found.values():
        np.testing.assert_allclose(np.diag(overlap.matrix), 0.5, atol=1e-12)
        np.testing.assert_allclose(overlap.matrix, overlap.matrix.T)
        assert 0.0 < overlap.weakest <= 0.5
        assert overlap.matrix[0, -1] <= overlap.weakest + 1e-12


def test_states_of_earlier_rounds_are_left_aside(tmp_path: Path) -> None:
    far = {("A", "W"): 4.0, ("B", "W"): 1.6, ("C", "C"): 6.5}
    task = problem(far, width=20.0, n_steps=10_000, max_rounds=2, ess_threshold=15.0)
    result = run_calibration(task, SyntheticSampler(), Journal(tmp_path / "j.jsonl", task.digest(), resume=False))
    assert len(result.rounds) == 2
    assert all(len(o.states) == 4 for o in result.overlaps)


def test_a_thin_chain_is_seen() -> None:
    thin = StateOverlap(system=NASTY, states=("0", "1"), matrix=np.array([[0.5, 0.001], [0.001, 0.5]]), weakest=0.001)
    svg = overlap_svg(thin)
    ElementTree.fromstring(svg)
    assert "#a02010" in svg
    assert "#a02010" not in overlap_svg(replace(thin, weakest=0.2))


def test_every_figure_comes_as_svg_and_as_png(result: CalibrationResult) -> None:
    nasty = replace(result, targets=tuple(replace(t, label=t.label + NASTY, chemotype=NASTY) for t in result.targets))
    drawn = figures(nasty, 50.0)
    assert {
        "matrix",
        "sensitivities",
        "parity_density_fitted",
        "parity_transfer_free_energy_unseen",
        "overlap_6",
    } <= set(drawn)
    benzene = map_molecule("c1ccccc1", load_bead_table("martini2"))
    pictures = figure_pngs(nasty, {t.label: benzene for t in nasty.targets}, 50.0)
    assert {f"{name}.png" for name in drawn} | {"worst_1.png"} <= set(pictures)
    assert all(name.replace("_", "").removesuffix(".png").isalnum() for name in pictures)
    for name, svg in drawn.items():
        root = ElementTree.fromstring(svg)
        image = Image.open(io.BytesIO(pictures[f"{name}.png"]))
        assert image.size == tuple(round(2 * float(root.attrib[side])) for side in ("width", "height"))
        assert len(image.convert("RGB").getcolors(100_000)) > 3
    assert svg_png(drawn["matrix"]) == pictures["matrix.png"], "the same bytes each time"


def test_a_wide_table_keeps_the_parameters_that_matter(result: CalibrationResult) -> None:
    many = 40
    strength = np.linspace(1.0, 2.0, many)[::-1]
    wide = replace(
        result,
        parameters=result.parameters[:1] * many,
        sensitivities=np.outer(np.ones(len(result.targets)), strength),
    )
    assert sensitivity_columns(wide) == list(range(MOST_COLUMNS))


SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" viewBox="0 0 60 40">
<rect x="5" y="5" width="10" height="10" fill="#ff0000"/>
<rect x="20" y="5" width="10" height="10" fill="none" stroke="#00ff00"/>
<g stroke="none" fill="rgb(0,0,255)"><title>no picture</title><circle cx="40" cy="10" r="5"/>
<circle cx="53" cy="10" r="5" fill-opacity="0.5"/></g>
<line x1="0" y1="20" x2="60" y2="20" stroke="#888"/>
<text x="30" y="36" font-size="12" text-anchor="middle">A</text></svg>"""


def test_shapes_are_where_the_svg_has_them() -> None:
    image = Image.open(io.BytesIO(svg_png(SVG))).convert("RGB")
    assert image.size == (120, 80)

    def at(x: float, y: float) -> tuple[int, int, int]:
        return tuple(image.getpixel((round(2 * x), round(2 * y))))  # type: ignore[return-value]

    assert at(10, 10) == (255, 0, 0)
    assert at(25, 10) == (255, 255, 255)
    assert at(20, 10)[1] > 200 > at(20, 10)[0]
    assert at(40, 10) == (0, 0, 255)
    assert at(53, 10) == pytest.approx((128, 128, 255), abs=1)
    assert at(30, 20) == pytest.approx((136, 136, 136), abs=60)
    dark = np.argwhere(np.asarray(image.convert("L"))[44:] < 100)
    assert len(dark) > 20
    assert abs(dark[:, 1].mean() - 60) < 6, "the letter stands in the middle"
    assert 50 < 44 + dark[:, 0].mean() < 74


def test_letters_the_drawer_lacks_are_spelt_out() -> None:
    assert spelt_out("ε ± 0.1 → λ² é 水") == "eps +- 0.1 -> lambda2 e ?"


def test_error_bars_stay_inside_their_plot(result: CalibrationResult) -> None:
    wide = [replace(t, uncertainty=2.0, after=replace(t.after, standard_error=3.0)) for t in result.targets]
    picture = ElementTree.fromstring(
        parity_svg([t for t in wide if t.quantity == "transfer_free_energy"], unseen=False)
    )
    frame = next(e for e in picture if e.tag.endswith("rect"))
    left, top, width, height = (float(frame.attrib[name]) for name in ("x", "y", "width", "height"))
    bars = [e for e in picture.iter() if e.tag.endswith("line")]
    assert len(bars) > 3
    for bar in bars:
        assert left <= float(bar.attrib["x1"]) <= float(bar.attrib["x2"]) <= left + width
        assert all(top <= float(bar.attrib[name]) <= top + height for name in ("y1", "y2"))
