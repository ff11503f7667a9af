"""``topdown density``: densities of liquids and mixtures at constant pressure."""

from __future__ import annotations

from typing import Any

import click

from topdown.cli.liquid_options import liquid_options, print_liquids


@click.command(name="density")
@liquid_options("4", "kg/m3")
def command(**options: Any) -> int:
    """Density of liquids: molecules per volume times the real molar mass, with error and measured value.

    A liquid is a SMILES, a model of the bead table (HD), a name (octanol, heptane, any liquid of the data), or a mixture with
    mole fractions (ethanol:0.4,water:0.6). 'octanol' is saturated with water; 'dry octanol' is the pure liquid. Runs are stored
    in parts of 0.5 ns and extended by a later command that asks for more; --budget, --ns and --error hold for each liquid and
    temperature.

    \b
    Examples:
      topdown density octane ethanol:0.4,water:0.6
      topdown density CCCCO --temperature 298.15,320 --error 1
    """
    from topdown.report.liquid_text import density_lines
    from topdown.workflows.liquids import densities, density_json

    return print_liquids(densities, options, to_json=density_json, to_lines=density_lines)
