"""Differences of tables, and the plain-text drawing of tables."""

from dataclasses import replace

import pytest

from topdown.model import NonbondedScheme
from topdown.report.table_text import core_types, difference_text, matrix_text
from topdown.tables import diff_bead_tables, load_bead_table


def test_equal_tables_do_not_differ(small_table):
    difference = diff_bead_tables(small_table, small_table)
    assert difference.is_empty
    assert difference.n_common_pairs == 6


def test_changes_are_sorted_by_size_whatever_the_order_of_types(small_table):
    changed = small_table.with_epsilon({("C1", "C1"): 3.6, ("P4", "SQ0"): 4.0, ("P4", "P4"): 4.0}, name="b")
    shuffled = replace(
        changed,
        bead_types=changed.bead_types[::-1],
        epsilon=changed.epsilon[::-1, ::-1],
        sigma=changed.sigma[::-1, ::-1],
    )
    for other in (changed, shuffled):
        changes = diff_bead_tables(small_table, other).changes
        assert [(c.type_a, c.type_b) for c in changes] == [("P4", "SQ0"), ("P4", "P4"), ("C1", "C1")]
        assert changes[0].epsilon_change == pytest.approx(3.7)
        assert changes[1].epsilon_change == pytest.approx(-1.0)
        assert {c.sigma_change for c in changes} == {0.0}


def test_sigma_types_and_scheme_are_compared_too(small_table):
    sigma = small_table.sigma.copy()
    sigma[0, 0] = 0.5
    other = replace(
        small_table,
        sigma=sigma,
        name="b",
        bond_lengths="surface",
        scheme=NonbondedScheme(cutoff=1.1, epsilon_r=2.5, epsilon_rf=78, lj_modifier="none"),
    )
    difference = diff_bead_tables(small_table, other)
    assert [(c.type_a, c.sigma_change) for c in difference.changes] == [("C1", pytest.approx(0.03))]
    assert difference.scheme_changes == (
        "cutoff 1.2 -> 1.1",
        "lj_modifier force-shift -> none",
        "bond_lengths centres -> surface",
    )
    part = diff_bead_tables(small_table, small_table.subset(["C1", "P4"]))
    assert part.only_in_a == ("SQ0",)
    assert not part.is_empty
    text = difference_text(difference)
    assert "1 of 6 common pairs changed" in text
    assert "0.47 -> 0.5" in text
    assert "scheme: cutoff 1.2 -> 1.1" in text


def test_difference_text_says_how_much_it_hides(small_table):
    changed = small_table.with_epsilon({("C1", "C1"): 3.6, ("P4", "P4"): 4.0})
    text = difference_text(diff_bead_tables(small_table, changed), limit=1)
    assert "P4 P4" in text
    assert "C1 C1" not in text
    assert text.endswith("… and 1 more\n")


def test_core_types():
    two, three = load_bead_table("martini2"), load_bead_table("martini3")
    assert " ".join(core_types(two)) == "Qda Qd Qa Q0 P5 P4 P3 P2 P1 Nda Nd Na N0 C5 C4 C3 C2 C1"
    assert core_types(three) == (
        *(f"{letter}{n}" for letter in "PNC" for n in range(6, 0, -1)),
        *("X4", "X3", "X2", "X1", "W"),
    )
    assert core_types(two.subset(["SC1", "SC2"])) == ("SC2", "SC1")


def test_the_matrix_fits_and_holds_the_values():
    table = load_bead_table("martini2")
    types = core_types(table)
    lines = matrix_text(table, types, width=100).splitlines()
    assert len(lines) == 19
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == list(types)
    for line in lines[1:]:
        name, *values = line.split()
        assert [float(v) for v in values] == [pytest.approx(table.pair(name, t)[1], abs=0.005) for t in types]
    sigma = matrix_text(table, types, quantity="sigma").splitlines()
    assert sigma[-1].split()[:5] == ["C1", "0.620", "0.620", "0.620", "0.620"]
    assert max(map(len, sigma)) <= 120


def test_a_narrow_matrix_is_cut_into_blocks():
    table = load_bead_table("martini2")
    types = core_types(table)
    text = matrix_text(table, types, width=40)
    assert max(map(len, text.splitlines())) <= 40
    headers = [line.split() for line in text.splitlines() if line.startswith("   ")]
    assert [name for header in headers for name in header] == list(types)
    assert text.count("\n\n") == len(headers) - 1 == 2
    assert matrix_text(table, ("C1",), width=1).splitlines()[1].split() == ["C1", "3.50"]


def test_paint_sees_every_cell():
    table = load_bead_table("martini2")
    seen = []
    matrix_text(table, ("C1", "P4"), paint=lambda text, value: seen.append((text.strip(), value)) or text)
    assert seen == [("3.50", 3.5), ("2.00", 2.0), ("2.00", 2.0), ("5.00", 5.0)]
