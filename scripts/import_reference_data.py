"""Write ``bead_tables/martini2``, ``bead_tables/martini3`` and ``data/`` from a folder of published values.

    python scripts/import_reference_data.py --source DIR [--only tables|data] [--target DIR]

``DIR`` holds bead_tables/, lipids/, liquids/, membranes/ and partition/. The same source gives the same bytes; what was written
is read back and checked. Typing rules (``building_blocks.csv``) are not touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from import_bead_tables import import_tables
from import_measurements import import_data


def main(arguments: list[str] | None = None) -> None:
    """Parse the options and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of published values")
    parser.add_argument("--only", choices=("tables", "data"), help="write only this half")
    parser.add_argument(
        "--target",
        type=Path,
        default=Path(__file__).resolve().parent.parent,
        help="where bead_tables/ and data/ are written",
    )
    options = parser.parse_args(arguments)
    if not options.source.is_dir():
        parser.error(f"no folder {options.source}")
    report: list[str] = []
    if options.only != "data":
        report += import_tables(options.source, options.target / "bead_tables")
    if options.only != "tables":
        report += import_data(options.source, options.target / "data")
    print("\n".join(report))


if __name__ == "__main__":
    main()
