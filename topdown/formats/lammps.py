"""Systems for LAMMPS: a data file, styles and coefficients to include, and three inputs that stock LAMMPS runs.

Units are ``real`` (Å, kcal/mol, fs, e), what users of LAMMPS expect: a kcal is exactly 4.184 kJ, so no digit is lost, and
LAMMPS's own Coulomb constant is divided out. Packages: MOLECULE, EXTRA-MOLECULE, EXTRA-DUMP, EXTRA-FIX, RIGID and LEPTON.
"""

from __future__ import annotations

from pathlib import Path

from topdown.formats.lammps_data import data_text, lammps_content, start_text
from topdown.formats.lammps_input import (
    FileNames,
    angle_table_text,
    init_text,
    minimize_text,
    run_text,
    settings_text,
    single_point_text,
)
from topdown.formats.mdp import RunSettings
from topdown.formats.naming import plain
from topdown.model import System
from topdown.resources import atomic_write_text


def write_lammps(
    system: System, folder: Path | str, *, name: str = "system", settings: RunSettings | None = None
) -> dict[str, Path]:
    """Write everything LAMMPS needs to run ``system``; every text is made before the first file is written.

    ``lmp -in in.single_point`` writes ``single_point.json`` (the terms of ``topdown energy``, kJ/mol) and
    ``single_point.forces``; ``in.minimize`` writes ``minimized.data``; ``in.run`` equilibrates and produces ``NAME.xtc``.
    See ``docs/export.md`` for how constraints and virtual sites are held.

    Parameters
    ----------
    system : System
    folder : path
        Made when missing; files of the same name are replaced, each in one step.
    name : str
        Stem of the data file and its includes, reduced to plain characters.
    settings : RunSettings, optional
        Temperature, pressure coupling and lengths of the run.

    Returns
    -------
    dict
        ``data``, ``init``, ``settings``, ``single_point``, ``minimize``, ``run``; ``table`` with tabulated angles; ``start``
        (positions that meet the constraints) with rigid bodies → path.

    Raises
    ------
    TopologyError
        A term, virtual site or restraint that LAMMPS cannot express, or constraints the positions cannot be brought to.
    """
    folder, names = Path(folder), FileNames(stem=plain(name, default="system"))
    content = lammps_content(system)
    texts = {
        "data": (names.data, data_text(content)),
        "init": (names.init, init_text(content)),
        "settings": (names.settings, settings_text(content, names)),
        "single_point": ("in.single_point", single_point_text(content, names)),
        "minimize": ("in.minimize", minimize_text(content, names)),
        "run": ("in.run", run_text(content, names, settings or RunSettings())),
    }
    if content.registry.angle_tables:
        texts["table"] = (names.table, angle_table_text(content))
    if content.on_constraints is not None:
        texts["start"] = (names.start, start_text(content))
    return {key: atomic_write_text(folder / file, text) for key, (file, text) in texts.items()}
