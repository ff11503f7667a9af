"""Choose the shapes that stand for the molecules of the partition data, and write them as molecule files.

    python scripts/choose_shapes.py --out bead_tables/topdown1/shapes
    python scripts/choose_shapes.py --out bead_tables/topdown1/shapes --bond-lengths surface --tolerance 0.08 --first 20

Molecules are mapped with the martini3 table. A shape stands for another when sizes and bonds agree and no distance differs by
more than the tolerance; the one that stands for most molecules is chosen first. Measured values play no part in it. Shapes that
the folder has already stay and count: new ones stand for molecules that none of those stands for, and are numbered on.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from topdown.mapping import map_molecule
from topdown.mapping.surface_match import match_surface
from topdown.properties.measurements import load_measurements
from topdown.properties.shapes import match_shapes, nearest_shape, shape_of
from topdown.tables import load_bead_table
from topdown.tables.molecule_writer import write_molecule
from topdown.tables.molecules import read_molecule

#: Largest difference of a distance between a molecule and the shape that stands for it [nm].
TOLERANCE = 0.06


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--first", type=int, default=60, help="how many shapes to write")
    parser.add_argument("--bond-lengths", choices=("centres", "surface"), default="centres")
    arguments = parser.parse_args()
    table = load_bead_table("martini3")
    rows = load_measurements("transfer_free_energy", include_flagged=True)
    models = [map_molecule(s, table, name=s, seed=1) for s in sorted({row.canonical_smiles for row in rows})]
    if arguments.bond_lengths == "surface":
        models = [replace(match_surface(m, table), warnings=()) for m in models]
    shapes = [shape_of(m, table) for m in models]
    files = sorted(arguments.out.glob("shape-*.toml"))
    kept = {file.stem: shape_of(read_molecule(file, table.bead_types).model, table) for file in files}
    nearest = [nearest_shape(shape, kept) for shape in shapes]
    covered_already = np.array([found is not None and found[2] <= arguments.tolerance for found in nearest])
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for k, shape in enumerate(shapes):
        groups["".join(sorted(shape.sizes)), len(shape.bonds)].append(k)
    chosen: list[tuple[int, int]] = []
    for members in groups.values():
        close = np.array([[_close(shapes[i], shapes[j], arguments.tolerance) for j in members] for i in members])
        left = ~covered_already[members]
        while left.any():
            best = max(range(len(members)), key=lambda i: (int(close[i, left].sum()), -i))
            if not close[best, left].any():  # a molecule with too many beads stands for nothing but itself
                best = int(np.flatnonzero(left)[0])
            covered = (close[best] | (np.arange(len(members)) == best)) & left
            chosen.append((int(covered.sum()), members[best]))
            left &= ~covered
    chosen.sort(key=lambda item: (-item[0], item[1]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, (count, k) in enumerate(chosen[: arguments.first], start=len(files) + 1):
        model = models[k]
        assert model.positions is not None
        named = replace(model, name=f"shape-{number:03d}", positions=np.round(np.asarray(model.positions), 4), table="")
        write_molecule(named, arguments.out, bead_types=table.bead_types)
        print(f"{named.name} {''.join(shapes[k].sizes)} stands for {count}: {model.canonical_smiles}")


def _close(a: object, b: object, tolerance: float) -> bool:
    found = match_shapes(a, b)  # type: ignore[arg-type]
    return found is not None and found[1] <= tolerance


if __name__ == "__main__":
    main()
