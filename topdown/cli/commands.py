"""The commands by name, without importing any of them, so that ``--help`` stays fast."""

from __future__ import annotations

import click

#: command name -> (module with a ``command``, one-line help). Only commands that work are listed.
COMMANDS: dict[str, tuple[str, str]] = {
    "map": ("topdown.cli.map_command", "Coarse-grain molecules: SMILES to beads, topology files, picture."),
    "map-trajectory": (
        "topdown.cli.map_trajectory_command",
        "All-atom trajectory to beads, and distributions of bonds.",
    ),
    "transfer": ("topdown.cli.transfer_command", "Free energy of transfer and log P between two liquids."),
    "density": ("topdown.cli.density_command", "Density of a liquid or mixture, and its heat of vaporisation."),
    "surface-tension": ("topdown.cli.surface_tension_command", "Surface tension of a liquid from a slab, two ways."),
    "melting": ("topdown.cli.melting_command", "Melting point of a liquid of single beads."),
    "calibrate": ("topdown.cli.calibrate_command", "Fit the ε of a bead table to measured values."),
    "window": ("topdown.cli.window_command", "One system of a calibration by itself, for job arrays."),
    "membrane": ("topdown.cli.membrane_command", "A relaxed bilayer, ready to run, with or without a molecule in it."),
    "run": ("topdown.cli.run_command", "Dynamics of a Martini GROMACS system, with checkpoints."),
    "energy": ("topdown.cli.energy_command", "Single-point energy of a Martini GROMACS system, term by term."),
    "export": ("topdown.cli.export_command", "Write a model or a system for GROMACS, OpenMM, LAMMPS or as PDB."),
    "table": ("topdown.cli.table_command", "List, show, check and compare bead tables."),
    "doctor": (
        "topdown.cli.doctor_command",
        "Versions, folders, other programs, and a test of everything that matters.",
    ),
}

#: command name -> commands beside it, found where its first argument would be (``topdown membrane analyse``): as above.
SUBCOMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "membrane": {
        "analyse": (
            "topdown.cli.membrane_analyse_command",
            "Areas, thicknesses, order, densities, diffusion and solutes of a trajectory.",
        ),
        "profile": (
            "topdown.cli.membrane_profile_command",
            "Free energy of a molecule across a bilayer, and log K(membrane/water).",
        ),
    },
}


class CommandWithOthers(click.Command):
    """A command whose help also lists the commands beside it in :data:`SUBCOMMANDS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        beside = SUBCOMMANDS.get(self.name or "", {})
        if beside:
            with formatter.section("Commands beside it"):
                formatter.write_dl([(f"{self.name} {name}", text) for name, (_, text) in beside.items()])
