"""Whatever system is written must be read back as the same system."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topdown.formats import gro_text, read_gromacs_topology, write_gromacs
from topdown.formats.gromacs_write import topology_texts
from topdown.formats.naming import component_names
from topdown.model import Angle, Bead, BeadTable, BeadType, Bond, CGMolecule, Constraint, Dihedral, System

TYPES = ("C1", "SC3", "TP1", "Q5", "W")


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)


def _atoms(n: int, count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.permutations(range(n)).map(lambda order: tuple(order[:count]))


@st.composite
def molecules(draw: st.DrawFn) -> CGMolecule:
    """A molecule of 1 to 6 beads with random terms over them."""
    n = draw(st.integers(1, 6))
    beads = tuple(
        Bead(
            name=f"B{k}",
            bead_type=draw(st.sampled_from(TYPES)),
            charge=draw(_number(-2, 2)),
            mass=draw(_number(1, 200)),
            reason=draw(st.text(max_size=10)),
        )
        for k in range(n)
    )

    def some(build: st.SearchStrategy, least: int) -> tuple:
        return tuple(draw(st.lists(build, max_size=3))) if n >= least else ()

    length, constant, degrees = _number(0.1, 1.0), _number(0.0, 1e5), _number(-180, 180)
    bond = st.builds(Bond, atoms=_atoms(n, 2), length=length, force_constant=constant, function=st.sampled_from([1, 6]))
    angle = st.builds(
        Angle, atoms=_atoms(n, 3), angle=_number(0, 180), force_constant=constant, function=st.sampled_from([1, 2])
    )
    proper = st.builds(
        Dihedral,
        atoms=_atoms(n, 4),
        angle=degrees,
        force_constant=_number(-50, 50),
        multiplicity=st.integers(0, 6),
        function=st.sampled_from([1, 9]),
    )
    improper = st.builds(Dihedral, atoms=_atoms(n, 4), angle=degrees, force_constant=constant)
    pairs = st.sets(_atoms(n, 2).map(lambda pair: (min(pair), max(pair))), max_size=4)
    return CGMolecule(
        name=draw(st.text(max_size=8)),
        beads=beads,
        bonds=some(bond, 2),
        constraints=some(st.builds(Constraint, atoms=_atoms(n, 2), length=length), 2),
        angles=some(angle, 3),
        dihedrals=some(st.one_of(proper, improper), 4),
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(system=systems())
def test_written_and_read_back(system: System) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in topology_texts(system).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        Path(folder, "system.gro").write_text(gro_text(system, decimals=9), encoding="utf-8")
        again = read_gromacs_topology(Path(folder, "system.top"), Path(folder, "system.gro"))
    expected = [
        (molecule, label)
        for (molecule, count), label in zip(system.components, component_names(system))
        for _ in range(count)
    ]
    found = [molecule for molecule, count in again.components for _ in range(count)]
    assert [molecule.name for molecule in found] == [label for _, label in expected]
    for (old, _), new in zip(expected, found):
        assert [(b.name, b.bead_type, b.charge, b.mass) for b in new.beads] == [
            (b.name, b.bead_type, b.charge, b.mass) for b in old.beads
        ]
        for kind in ("bonds", "constraints", "angles", "dihedrals"):
            assert sorted(getattr(new, kind), key=repr) == sorted(getattr(old, kind), key=repr)
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
