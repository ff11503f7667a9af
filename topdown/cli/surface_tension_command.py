"""``topdown surface-tension``: surface tensions of liquids and mixtures from a slab."""

from __future__ import annotations

from typing import Any

import click

from topdown.cli.liquid_options import liquid_options, print_liquids


@click.command(name="surface-tension")
@liquid_options("8", "mN/m")
def command(**options: Any) -> int:
    """Surface tension of liquids from a slab with its vapour, by pressure tensor and test areas.

    A liquid is written as for 'topdown density'. The slab is cut from a liquid equilibrated at --pressure and has none
    itself. Printed beside the two surface tensions: the densities of liquid and vapour, the width of the surface, and the
    measured value. Runs are stored in parts of 0.5 ns and extended by a later command that asks for more;
    --budget, --ns and --error hold for each liquid and temperature.

    \b
    Examples:
      topdown surface-tension octane --table topdown1 --budget 10min
    """
    from topdown.report.liquid_text import surface_tension_lines
    from topdown.workflows.liquids import surface_tension_json, surface_tensions

    return print_liquids(surface_tensions, options, to_json=surface_tension_json, to_lines=surface_tension_lines)
