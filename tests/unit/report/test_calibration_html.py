"""The report of a campaign as one HTML file: complete, self-contained, and safe whatever names are in it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_calibration import SyntheticSampler, problem, start_table

from topdown.calibration.journal import Journal
from topdown.calibration.result import CalibrationResult
from topdown.calibration.rounds import run_calibration
from topdown.calibration.stickiness import compare_second_virials
from topdown.mapping import map_molecule
from topdown.report.calibration_html import calibration_html
from topdown.report.calibration_text import calibration_text, score_table
from topdown.tables import load_bead_table

TRUTH = {("A", "W"): 2.6, ("B", "W"): 2.1, ("C", "C"): 5.3}
NASTY = '<script>alert("1")</script>&'


class Tags(HTMLParser):
    """Checks that tags close in order, and keeps their names and attributes."""

    VOID = ("meta", "br", "rect", "line", "circle", "path", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []

    def handle_startendtag(self, tag, attrs):  # type: ignore[no-untyped-def]
        self.seen.append((tag, dict(attrs)))

    def handle_starttag(self, tag, attrs):  # type: ignore[no-untyped-def]
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):  # type: ignore[no-untyped-def]
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CalibrationResult:
    task = problem(TRUTH)
    targets = tuple(
        replace(t, molecule=replace(t.molecule, name=f"{t.molecule.name}{NASTY}"), chemotype=f"kind {k}{NASTY}")
        for k, t in enumerate(task.targets)
    )
    task = replace(task, name="synthetic", targets=targets, warnings=(f"beware of {NASTY}",))
    folder: Path = tmp_path_factory.mktemp("html")
    return run_calibration(task, SyntheticSampler(), Journal(folder / "j.jsonl", task.digest(), resume=False))


@pytest.fixture(scope="module")
def page(result: CalibrationResult) -> str:
    drawn = map_molecule("CCCCO", load_bead_table("martini2"), name=f"butanol{NASTY}")
    molecules = {t.label: drawn for t in result.targets}
    virials = compare_second_virials(problem(TRUTH).targets, start_table(), result.table, 300.0)
    return calibration_html(result, molecules, virials)


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    names = {name for name, _ in tags.seen}
    assert not names & {"script", "link", "iframe", "object", "img"}
    for _, attributes in tags.seen:
        assert not {"src", "href", "xlink:href", "onload", "onclick"} & attributes.keys()
    assert "default-src 'none'" in page
    assert not re.search(r"url\s*\(|@import", page)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"} | _references(page)


def _references(page: str) -> set[str]:
    """Addresses in the text of table cells, where sources of data stand."""
    return set(re.findall(r"<td>[^<]*?(https?://[^\s<]+)", page))


def test_names_are_escaped(page: str) -> None:
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;") > 10


def test_it_holds_what_a_reader_needs(result: CalibrationResult, page: str) -> None:
    for heading in (
        "Errors",
        "Parameters",
        "Matrix",
        "Residuals by chemistry",
        "Targets",
        "Effective samples",
        "Overlap of states",
        "Sensitivities",
        "Failed windows",
        "Ledger",
    ):
        assert f">{heading}</h" in page
    for words in ("molecule left out", "chemotype left out", "Worst molecules", "Second virial", "Runs cut short"):
        assert words in page
    for p in result.parameters:
        assert f"<td>{p.parameter.label}</td>" in page
    assert page.count("<circle") >= 2 * 2 * len(result.targets), "every target in both plots, with its start"
    assert page.count("<figure>") >= 4 + 2


def test_what_was_fitted_never_stands_alone(result: CalibrationResult) -> None:
    text = calibration_text(result)
    rows = [line for line in text.splitlines() if line.startswith("transfer_free_energy") and " calibration " in line]
    (score,) = (s for s in result.scores() if s.quantity == "transfer_free_energy" and s.split == "calibration")
    assert score.rms_left_out is not None
    assert score.rms_left_out > score.rms_after
    assert f"{score.rms_left_out:.2f}" in rows[0]
    assert f"{score.rms_after:.2f} ±" in rows[0]
    nobody = replace(result, targets=tuple(replace(t, left_out=None) for t in result.targets))
    assert "not known" in calibration_text(nobody)


def test_columns_of_fits_that_were_not_made_are_left_out(result: CalibrationResult) -> None:
    header, rows = score_table(replace(result, n_folds=0, n_chemotypes=0))
    assert not any("left out" in name for name in header)
    assert {len(row) for row in rows} == {len(header)}
    assert len(score_table(result)[0]) == len(header) + 2
