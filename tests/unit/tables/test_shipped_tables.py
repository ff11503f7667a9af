"""Shipped tables against values published elsewhere."""

import numpy as np
import pytest

from topdown.tables import list_bead_tables, load_bead_table, load_bead_types

MARTINI2_CORE = [
    *("Qda", "Qd", "Qa", "Q0"),
    *("P5", "P4", "P3", "P2", "P1"),
    *("Nda", "Nd", "Na", "N0"),
    *("C5", "C4", "C3", "C2", "C1"),
]


@pytest.fixture(scope="module")
def martini2():
    return load_bead_table("martini2")


@pytest.fixture(scope="module")
def martini3():
    return load_bead_table("martini3")


@pytest.mark.parametrize(
    ("a", "b", "sigma", "epsilon"),
    [  # Marrink et al. 2007, Table 1
        ("C1", "C1", 0.47, 3.5),
        ("C1", "P4", 0.47, 2.0),
        ("P4", "P4", 0.47, 5.0),
        ("P5", "P5", 0.47, 5.6),
        ("Q0", "C1", 0.62, 2.0),
        ("Qda", "C2", 0.62, 2.0),
        ("Q0", "Q0", 0.47, 3.5),
        ("Q0", "P4", 0.47, 5.6),
        ("Na", "Na", 0.47, 4.0),
        ("Nda", "Nda", 0.47, 4.5),
        # ring beads: three quarters of the depth and 0.43 nm among themselves, unchanged with ordinary beads
        ("SC4", "SC4", 0.43, 2.625),
        ("SP5", "SP5", 0.43, 4.2),
        ("SC4", "C4", 0.47, 3.5),
        # the published file leaves level IX unscaled among ring beads
        ("SQ0", "SC1", 0.62, 2.0),
        ("BP4", "P4", 0.57, 5.6),
        ("BP4", "BP4", 0.47, 5.0),
        ("AC1", "Q0", 0.47, 2.0),
    ],
)
def test_martini2_pair(martini2, a, b, sigma, epsilon):
    assert martini2.pair(a, b) == (sigma, epsilon)
    assert martini2.pair(b, a) == (sigma, epsilon)


def test_martini2_agrees_with_the_c6_c12_of_published_topologies(martini2):
    # C6 [kJ/mol nm^6] and C12 [kJ/mol nm^12] of martini_v2.1.itp, five significant digits
    for a, b, c6, c12 in [
        ("P5", "P5", 0.24145, 0.0026027),
        ("P4", "AC1", 0.086233, 0.00092953),
        ("P4", "BP4", 0.76824, 0.026348),
        ("C5", "BP4", 0.13366, 0.0014408),
    ]:
        sigma, epsilon = martini2.pair(a, b)
        assert 4 * epsilon * sigma**6 == pytest.approx(c6, rel=1e-3)
        assert 4 * epsilon * sigma**12 == pytest.approx(c12, rel=1e-3)


def test_martini2_types(martini2):
    names = [t.name for t in martini2.bead_types]
    assert names == [*MARTINI2_CORE, *("S" + name for name in MARTINI2_CORE), "AC2", "AC1", "BP4"]
    assert {t.mass for t in martini2.bead_types if t.size == "R"} == {72.0}
    assert {t.mass for t in martini2.bead_types if t.size == "S"} == {45.0}
    assert martini2.bead_type("SC3").chemical_class == "C3"


def test_martini2_ring_types_meet_special_types_as_their_regular_forms_do(martini2):
    for name in MARTINI2_CORE:
        for special in ("AC1", "AC2", "BP4"):
            if (name, special) != ("P4", "BP4"):
                assert martini2.pair("S" + name, special) == martini2.pair(name, special)
    assert martini2.pair("SP4", "BP4") == (0.47, 5.0)


@pytest.mark.parametrize(
    ("a", "b", "sigma", "epsilon"),
    [  # martini_v3.0.0.itp, as it stands in published topologies
        ("W", "W", 0.47, 4.65),
        ("SC3", "Q5", 0.473, 1.463),
        ("SN4a", "SN4a", 0.41, 2.6),
        ("SC3", "C1", 0.43, 2.92),
        ("Q5", "Q1", 0.47, 3.79),
        ("C1", "P4", 0.47, 2.44),
        ("C1", "W", 0.47, 2.06),
    ],
)
def test_martini3_pair(martini3, a, b, sigma, epsilon):
    assert martini3.pair(a, b) == martini3.pair(b, a) == (sigma, epsilon)


def test_martini3_is_whole(martini3):
    sizes = [t.size for t in martini3.bead_types]
    assert len(sizes) == 843
    assert (sizes.count("R"), sizes.count("S"), sizes.count("T")) == (281, 281, 281)
    assert martini3.epsilon.min() == 0.5
    assert 0.3 < martini3.sigma.min() < martini3.sigma.max() <= 0.62
    assert {t.size: t.mass for t in martini3.bead_types} == {"R": 72.0, "S": 54.0, "T": 36.0}
    assert "U" not in martini3


@pytest.mark.parametrize("name", ["martini2", "martini3"])
def test_every_pair_reads_the_same_both_ways(name):
    table = load_bead_table(name)
    assert np.array_equal(table.epsilon, table.epsilon.T)
    assert np.array_equal(table.sigma, table.sigma.T)
    assert table.sigma.min() > 0
    assert (table.scheme.cutoff, table.scheme.epsilon_r, table.scheme.epsilon_rf) == (1.1, 15.0, 0.0)
    assert table.provenance.source
    assert table.provenance.licence
    assert "doi:" in table.provenance.citation


def test_bead_types_alone_are_those_of_the_table(martini3):
    assert load_bead_types("martini3") == martini3.bead_types


def test_list_of_tables():
    headers = {header.name: header for header in list_bead_tables()}
    assert {"martini2", "martini3"} <= set(headers)
    assert headers["martini3"].version == "3.0.0"
