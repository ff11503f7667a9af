"""Tabulated angle potentials of GROMACS: ``table_aN.xvg`` with x [degrees], f(x) and −f'(x) [1/degree], from 0 to 180."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from topdown.errors import TopologyError
from topdown.model import TabulatedPotential


def table_name(number: int) -> str:
    """File name of angle table ``number``, as ``gmx mdrun -tableb`` wants it."""
    return f"table_a{number}.xvg"


def same_table(a: TabulatedPotential, b: TabulatedPotential) -> bool:
    """Whether two tables hold the same points, whatever their numbers."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("x", "energy", "slope"))


def _check_range(table: TabulatedPotential, where: str) -> None:
    if table.x[0] != 0.0 or table.x[-1] != 180.0:
        raise TopologyError(
            f"an angle table must go from 0 to 180 degrees, not from {table.x[0]:g} to {table.x[-1]:g}", where=where
        )


def table_text(table: TabulatedPotential) -> str:
    """The table as an ``.xvg`` file, with as many digits as it takes to read the same bits back.

    Raises
    ------
    TopologyError
        A table that does not go from 0 to 180 degrees.
    """
    _check_range(table, f"table {table.number}")
    rows = zip(table.x.tolist(), table.energy.tolist(), table.slope.tolist())
    return "# angle [degrees], f, -df/dx [1/degree]\n" + "".join(f"{x!r} {f!r} {-slope!r}\n" for x, f, slope in rows)


def read_table(path: Path | str, number: int) -> TabulatedPotential:
    """Read ``path`` as angle table ``number``.

    Raises
    ------
    TopologyError
        With file and line: a file that is missing, a row that is not three finite numbers, or points that do not go from 0 to
        180 degrees in equal steps.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise TopologyError(f"cannot read the table: {error.strerror or 'not a file'}", where=str(path)) from None
    rows: list[tuple[float, ...]] = []
    for count, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip()[0] in "#@&":
            continue
        try:
            row = tuple(float(word) for word in line.split())
        except ValueError:
            row = ()
        if len(row) != 3 or not np.all(np.isfinite(row)):
            raise TopologyError(f"expected x, f and -f', found {line.strip()!r}", where=f"{path}:{count}")
        rows.append(row)
    if len(rows) < 2:
        raise TopologyError("a table needs at least two rows", where=str(path))
    x, energy, minus_slope = np.array(rows).T
    try:
        table = TabulatedPotential(x=x, energy=energy, slope=-minus_slope, number=number)
    except TopologyError as error:
        raise TopologyError(error.message, where=str(path)) from None
    _check_range(table, str(path))
    return table
