"""Whatever system is written must be read back as the same system."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topdown.formats import gro_text, read_gromacs_topology, write_gromacs
from topdown.formats.gromacs_contents import TERMS
from topdown.formats.gromacs_write import topology_texts
from topdown.formats.naming import component_names
from topdown.model import (
    CONSTRUCTIONS,
    Angle,
    Bead,
    BeadTable,
    BeadType,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    System,
    TabulatedPotential,
    VirtualSite,
)

TYPES = ("C1", "SC3", "TP1", "Q5", "W")


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


def _atoms(n: int, count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.permutations(range(n)).map(lambda order: tuple(order[:count]))


@st.composite
def sites(draw: st.DrawFn, site: int, n: int) -> VirtualSite:
    """Bead ``site`` built from some of the first ``n``."""
    fitting = [name for name, (atoms, _) in CONSTRUCTIONS.items() if atoms <= n]
    construction = draw(st.sampled_from(fitting))
    count, n_parameters = CONSTRUCTIONS[construction]
    if construction == "n":
        count = n_parameters = draw(st.integers(1, n))
        weights = draw(st.sampled_from([_number(0.1, 5.0), st.just(1.0)]))
        parameters = draw(st.tuples(*[weights] * count))
    else:
        parameters = draw(st.tuples(*[_number(-2.0, 2.0)] * n_parameters))
    return VirtualSite(site=site, construction=construction, atoms=draw(_atoms(n, count)), parameters=parameters)


@st.composite
def tables(draw: st.DrawFn) -> TabulatedPotential:
    """An angle table, one of few, so that some are shared and some only share their number."""
    rng = np.random.default_rng(draw(st.integers(0, 2)))
    n = draw(st.sampled_from([3, 7]))
    energy, slope = rng.normal(size=(2, n))
    return TabulatedPotential(x=np.linspace(0.0, 180.0, n), energy=energy, slope=slope, number=draw(st.integers(0, 1)))


_CONSTANT, _DEGREES = _number(0.0, 1e5), _number(-180, 180)


def _angles(n: int) -> st.SearchStrategy[Angle]:
    """Over beads 0 to n - 1, of every function."""
    plain = st.builds(
        Angle, atoms=_atoms(n, 3), angle=_number(0, 180), force_constant=_CONSTANT, function=st.sampled_from([1, 2, 10])
    )
    tabulated = st.builds(
        Angle, atoms=_atoms(n, 3), angle=st.just(0.0), force_constant=_CONSTANT, function=st.just(8), table=tables()
    )
    return st.one_of(plain, tabulated)


def _dihedrals(n: int) -> st.SearchStrategy[Dihedral]:
    """Over beads 0 to n - 1, of every function."""
    proper = st.builds(
        Dihedral,
        atoms=_atoms(n, 4),
        angle=_DEGREES,
        force_constant=_number(-50, 50),
        multiplicity=st.integers(0, 6),
        function=st.sampled_from([1, 9]),
    )
    improper = st.builds(Dihedral, atoms=_atoms(n, 4), angle=_DEGREES, force_constant=_CONSTANT)
    polynomial = st.builds(
        Dihedral,
        atoms=_atoms(n, 4),
        angle=st.just(0.0),
        force_constant=st.just(0.0),
        function=st.just(3),
        coefficients=st.tuples(*[_DEGREES] * 6),
    )
    torsion = st.builds(
        Dihedral,
        atoms=_atoms(n, 4),
        angle=st.just(0.0),
        force_constant=_CONSTANT,
        function=st.just(11),
        coefficients=st.tuples(*[_DEGREES] * 5),
    )
    return st.one_of(proper, improper, polynomial, torsion)


@st.composite
def molecules(draw: st.DrawFn) -> CGMolecule:
    """A molecule of 1 to 6 beads and up to two virtual sites, with random terms over them."""
    n = draw(st.integers(1, 6))
    n_sites = draw(st.integers(0, 2))
    beads = tuple(
        Bead(
            name=f"B{k}",
            bead_type=draw(st.sampled_from(TYPES)),
            charge=draw(_number(-2, 2)),
            mass=draw(_number(1, 200)) if k < n else 0.0,
            reason=draw(st.text(max_size=10)),
            residue=draw(st.sampled_from(["", "ALA", "GLY"])),
            residue_number=k // 3,
        )
        for k in range(n + n_sites)
    )

    def some(build: st.SearchStrategy, least: int) -> tuple:
        return tuple(draw(st.lists(build, max_size=3))) if n >= least else ()

    length = _number(0.1, 1.0)
    bond = st.builds(
        Bond, atoms=_atoms(n, 2), length=length, force_constant=_CONSTANT, function=st.sampled_from([1, 6])
    )
    atom = st.integers(0, n - 1)
    held = st.builds(PositionRestraint, atom=atom, force_constants=st.tuples(_CONSTANT, _CONSTANT, _CONSTANT))
    flat = st.builds(
        FlatBottomRestraint,
        atom=atom,
        geometry=st.integers(1, 8),
        radius=_number(-2, 2),
        force_constant=_CONSTANT,
    )
    pairs = st.sets(_atoms(n, 2).map(lambda pair: (min(pair), max(pair))), max_size=4)
    return CGMolecule(
        name=draw(st.text(max_size=8)),
        beads=beads,
        bonds=some(bond, 2),
        constraints=some(st.builds(Constraint, atoms=_atoms(n, 2), length=length, function=st.sampled_from([1, 2])), 2),
        angles=some(_angles(n), 3),
        dihedrals=some(_dihedrals(n), 4),
        virtual_sites=tuple(draw(sites(n + k, n)) for k in range(n_sites)),
        position_restraints=some(held, 1),
        flat_bottom_restraints=some(flat, 1),
        exclusions=tuple(sorted(draw(pairs))) if n > 1 else (),
        nrexcl=draw(st.integers(0, 3)),
        smiles=draw(st.text(max_size=10)),
    )


@st.composite
def systems(draw: st.DrawFn) -> System:
    """A few of those in a box, molecules scattered over neighbouring images."""
    components = tuple(draw(st.lists(st.tuples(molecules(), st.integers(0, 3)), min_size=1, max_size=3)))
    if not any(count for _, count in components):
        components = ((components[0][0], 1),)
    n_types = len(TYPES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    epsilon, sigma = rng.uniform(0, 4, size=(2, n_types, n_types)) * rng.integers(0, 2, size=(n_types, n_types))
    blocks = [
        rng.uniform(-9, 9, 3) + rng.uniform(0, 0.9, (molecule.n_beads, 3))
        for molecule, count in components
        for _ in range(count)
    ]
    return System(
        table=BeadTable(
            name="t",
            bead_types=tuple(BeadType(name=t, chemical_class=t, size="R", mass=72.0) for t in TYPES),
            epsilon=epsilon + epsilon.T,
            sigma=sigma + sigma.T,
        ),
        components=components,
        positions=np.concatenate(blocks),
        velocities=rng.normal(size=(sum(map(len, blocks)), 3)) if draw(st.booleans()) else None,
        box=rng.uniform(3, 8, size=3).round(5),
        title=draw(st.text(max_size=20)),
    )


def _written(system: System, folder: str) -> dict[str, str]:
    texts = topology_texts(system)
    for name, text in texts.items():
        Path(folder, name).write_text(text, encoding="utf-8")
    Path(folder, "system.gro").write_text(gro_text(system, decimals=9), encoding="utf-8")
    return texts


def _without_comments(texts: dict[str, str]) -> dict[str, list[str]]:
    return {
        name: [line.split(";")[0].rstrip() for line in text.splitlines() if not line.startswith(";")]
        for name, text in texts.items()
    }


def _bead(bead: Bead) -> tuple[object, ...]:
    return (bead.name, bead.bead_type, bead.charge, bead.mass, bead.residue, bead.residue_number)


def _terms(molecule: CGMolecule, kind: str) -> list[object]:
    """The terms of a kind, tables by their numbers."""
    return sorted(
        (
            (replace(t, table=None), t.table and tuple(zip(t.table.x, t.table.energy, t.table.slope)))
            if isinstance(t, Angle)
            else t
            for t in getattr(molecule, kind)
        ),
        key=repr,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(system=systems())
def test_written_and_read_back(system: System) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = _written(system, folder)
        again = read_gromacs_topology(Path(folder, "system.top"), Path(folder, "system.gro"))
    with tempfile.TemporaryDirectory() as folder:
        second = _written(again, folder)
        thrice = read_gromacs_topology(Path(folder, "system.top"), Path(folder, "system.gro"))
    # comments (SMILES, reasons, source) are not read; all else is the same bytes, and with them from the second time on
    assert _without_comments(second) == _without_comments(first)
    assert topology_texts(thrice) == second
    expected = [
        (molecule, label)
        for (molecule, count), label in zip(system.components, component_names(system))
        for _ in range(count)
    ]
    found = [molecule for molecule, count in again.components for _ in range(count)]
    assert [molecule.name for molecule in found] == [label for _, label in expected]
    for (old, _), new in zip(expected, found):
        assert [_bead(b) for b in new.beads] == [_bead(b) for b in old.beads]
        for kind in TERMS:
            assert _terms(new, kind) == _terms(old, kind)
        assert (new.exclusions, new.nrexcl) == (old.exclusions, old.nrexcl)
        assert new.excluded_pairs() == old.excluded_pairs()
    for a in again.table.bead_types:
        for b in again.table.bead_types:
            assert again.table.pair(a.name, b.name) == system.table.pair(a.name, b.name)
    _assert_same_places(system, again)


def _assert_same_places(old: System, new: System) -> None:
    np.testing.assert_allclose(new.box, old.box, atol=1e-9)
    shift = (new.positions - old.positions) / old.box
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-7)
    start = 0
    for molecule, count in old.components:
        for _ in range(count):
            images = np.round(shift[start : start + molecule.n_beads])
            assert np.all(images == images[:1])
            start += molecule.n_beads
    if old.velocities is None:
        assert new.velocities is None
    else:
        np.testing.assert_allclose(new.velocities, old.velocities, atol=1e-9)


def test_a_changed_number_is_noticed(system: System, tmp_path: Path) -> None:
    files = write_gromacs(system, tmp_path)
    itp = files["surfa.itp"]
    itp.write_text(itp.read_text().replace("0.30000000000000004", "0.3"))
    again = read_gromacs_topology(files["top"], files["gro"])
    assert again.components[0][0].bonds[1].length == 0.3
    assert again.components[0][0].bonds != system.components[0][0].bonds
    with pytest.raises(AssertionError):
        _assert_same_places(system.with_coordinates(system.positions + 0.01), again)
