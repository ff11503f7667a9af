"""Bead types chosen in a campaign, and what those of runner-up mappings would do, as rows and sentences."""

from __future__ import annotations

import csv
import io

from topdown.calibration.result import CalibrationResult
from topdown.calibration.type_results import TypeOutcome

#: Of :func:`type_rows` and :func:`runner_up_rows`.
TYPE_HEADER = ("building block", "beads", "type", "chosen", "gain", "gain left out", "tested on", "", "candidates")
RUNNER_UP_HEADER = (
    "molecule",
    "bead",
    "type",
    "confidence",
    "runner-up",
    "Δ score",
    "Δ held out",
    "effective samples",
    "",
)


def type_rows(outcome: TypeOutcome) -> list[tuple[str, ...]]:
    """A row for each building block whose type could change."""
    return [
        (
            b.name,
            " ".join(b.beads),
            b.start,
            b.chosen if b.chosen != b.start else "as it is",
            f"{b.gain:.2f}",
            "not known" if b.gain_left_out is None else f"{b.gain_left_out:.2f}",
            str(b.n_tested),
            "kept" if b.adopted else "not kept" if b.chosen != b.start else "",
            "; ".join(
                f"{c.bead_type} {c.reason if c.cost_change is None else f'{c.cost_change:+.2f}'}" for c in b.candidates
            ),
        )
        for b in outcome.blocks
    ]


def type_summary(outcome: TypeOutcome) -> str:
    """What the choice of types is worth, for molecules it was not made on, too."""
    moved = [b for b in outcome.blocks if b.chosen != b.start]
    return (
        f"{len(moved)} of {len(outcome.blocks)} building blocks would take another type, {sum(b.adopted for b in moved)} are "
        f"kept; the cost of their {outcome.n_targets} calibration targets falls by {outcome.gain:.2f} (what is kept: "
        f"{outcome.gain_kept:.2f}), of molecules left out of the choice by {outcome.gain_left_out:.2f}; root mean square error "
        f"{outcome.rms_before:.2f} before, {outcome.rms_chosen:.2f} chosen, {outcome.rms_left_out:.2f} kJ/mol left out"
    )


def runner_up_rows(result: CalibrationResult) -> list[tuple[str, ...]]:
    """A row for each bead with a next-best type; the least sure one of a molecule is its runner-up mapping."""

    def number(value: float | None, text: str) -> str:
        return "" if value is None else format(value, text)

    return [
        (
            r.molecule,
            r.bead,
            r.bead_type,
            f"{r.confidence:.2f}",
            r.runner_up,
            number(r.cost_change, "+.2f"),
            number(r.held_out_change, "+.2f"),
            number(r.n_effective, ".0f"),
            r.reason or ("least sure" if r.least_sure else ""),
        )
        for r in result.runner_ups
    ]


def runner_up_line(result: CalibrationResult) -> str:
    """How many molecules would be scored better by their runner-up mapping."""
    rows = [r for r in result.runner_ups if r.least_sure]
    known = [r for r in rows if r.cost_change is not None]
    better = [r for r in known if r.cost_change is not None and r.cost_change < 0.0]
    return (
        f"runner-up mappings: of {len(rows)} molecules with one, {len(known)} could be scored by reweighting; the cost would be "
        f"lower for {len(better)}{': ' + ', '.join(r.molecule for r in better) if better else ''}"
    )


def types_csv(outcome: TypeOutcome) -> str:
    """Every building block with the type it had, the one chosen, and whether that is kept; one row for each fragment."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("fragment", "building_block", "beads", "bead_type", "chosen", "kept", "gain", "gain_left_out", "tested_on")
    )
    for b in outcome.blocks:
        known = "" if b.gain_left_out is None else f"{b.gain_left_out:.4f}"
        for fragment in b.environments or ("",):
            writer.writerow(
                (fragment, b.name, " ".join(b.beads), b.start, b.chosen, b.adopted, f"{b.gain:.4f}", known, b.n_tested)
            )
    return text.getvalue()
