"""Shapes: matching of molecules, their tables, and files of reduced sums."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from topdown.errors import InputFileError, SettingsError
from topdown.estimators.reduced_sums import ReducedSums
from topdown.mapping import map_molecule
from topdown.properties.shape_sums import StoredShapeSums, read_shape_sums, write_shape_sums
from topdown.properties.shapes import (
    Shape,
    end_epsilon,
    match_shapes,
    neutral_types,
    place_range,
    shape_molecule,
    shape_of,
    shape_table,
)
from topdown.tables import load_bead_table

TABLE = load_bead_table("martini3")


def triangle(*sides: float, sizes: str = "RST") -> Shape:
    a, b, c = sides
    distances = np.array([[0, a, b], [a, 0, c], [b, c, 0]], dtype=float)
    return Shape(sizes=tuple(sizes), bonds=frozenset({(0, 1), (1, 2)}), distances=distances)


def test_a_molecule_matches_itself_in_any_order() -> None:
    shape = triangle(0.3, 0.5, 0.4)
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        place = {old: new for new, old in enumerate(order)}
        turned = Shape(
            sizes=tuple(shape.sizes[k] for k in order),
            bonds=frozenset(tuple(sorted((place[i], place[j]))) for i, j in shape.bonds),
            distances=shape.distances[np.ix_(order, order)],
        )
        found = match_shapes(turned, shape)
        assert found is not None
        assert found[1] == 0.0
        assert tuple(order[k] for k in found[0]) == (0, 1, 2)


def test_sizes_bonds_and_distances_decide() -> None:
    shape = triangle(0.3, 0.5, 0.4)
    assert match_shapes(triangle(0.3, 0.5, 0.4, sizes="RSS"), shape) is None
    other_bonds = replace(shape, bonds=frozenset({(0, 2), (1, 2)}))
    assert match_shapes(other_bonds, shape) is None
    found = match_shapes(triangle(0.3, 0.5, 0.47), shape)
    assert found is not None
    assert found[1] == pytest.approx(0.07)
    # of two beads of one size the better assignment is taken
    symmetric = triangle(0.3, 0.5, 0.4, sizes="SRS")
    found = match_shapes(triangle(0.4, 0.5, 0.3, sizes="SRS"), symmetric)
    assert found == ((2, 1, 0), 0.0)


def test_shape_of_a_mapped_molecule_and_its_own_bead_types() -> None:
    model = map_molecule("CCCCCCCCO", TABLE, name="octanol")
    shape = shape_of(model, TABLE)
    assert shape.n_beads == model.n_beads
    (i, j), *_ = sorted(shape.bonds)
    assert shape.distances[i, j] == pytest.approx(model.bonds[0].length)
    apart = shape_molecule(model, TABLE)
    assert len(set(apart.type_names)) == apart.n_beads
    with pytest.raises(SettingsError, match="coordinates"):
        shape_of(replace(model, positions=None), TABLE)


def test_ends_lie_inside_the_range_of_the_table() -> None:
    sticky = shape_table(("R", "T"), ("W", "C1"), TABLE, "sticky")
    weak = shape_table(("R", "T"), ("W", "C1"), TABLE, "weak")
    types = [t.name for t in neutral_types(TABLE) if t.size == "R"]
    epsilon = [TABLE.pair(name, "W")[1] for name in types]
    assert min(epsilon) < weak.pair("R#0", "W")[1] < sticky.pair("R#0", "W")[1] < max(epsilon)
    assert sticky.pair("R#0", "W")[1] == end_epsilon(TABLE, "R", "W", "sticky")
    assert sticky.pair("W", "C1") == TABLE.pair("W", "C1"), "the solvent is as it was"
    assert sticky.pair("R#0", "T#1") == weak.pair("R#0", "T#1"), "inside, both ends are alike"
    assert place_range(TABLE, "R", "X2")[1] == 2.0, "a narrow range is widened"


def test_sums_read_back_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sums = ReducedSums(
        pairs=(("R#0", "W"),),
        inner_pairs=(),
        sums=rng.integers(-3000, 500, (40, 1)).astype(np.int16),
        offsets=rng.standard_normal(40).astype(np.float32),
        inefficiency=np.full(40, 2.0, dtype=np.float32),
        free_sums=np.zeros((1, 0), dtype=np.int16),
        free_offsets=np.array([0.3], dtype=np.float32),
        temperature=298.15,
        path_error=0.4,
        n_frames=100,
    )
    path = tmp_path / "water.npz"
    write_shape_sums(path, {"shape-001": sums}, {"parent": "martini3"})
    found, header = read_shape_sums(path)
    assert header == {"parent": "martini3"}
    at = np.array([3.3])
    assert found["shape-001"].coupling(at).value == sums.coupling(at).value
    stored = StoredShapeSums(path)
    assert list(stored) == ["shape-001"]
    assert stored["shape-001"].coupling(at).value == sums.coupling(at).value
    assert stored["shape-001"] is stored["shape-001"]
    unread = StoredShapeSums(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputFileError, match="damaged"):
        read_shape_sums(path)
    with pytest.raises(InputFileError, match="damaged"):
        _ = unread["shape-001"]
    with pytest.raises(InputFileError, match="no such file"):
        read_shape_sums(tmp_path / "none.npz")
