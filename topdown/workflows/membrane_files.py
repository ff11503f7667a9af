"""Every file of a finished membrane: for GROMACS, OpenMM and LAMMPS, for viewers, and what says where it all comes from."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from topdown.engine import processor
from topdown.errors import TopdownError
from topdown.formats.gromacs_write import write_gromacs
from topdown.formats.lammps import write_lammps
from topdown.formats.mdp import RunSettings
from topdown.formats.openmm import write_openmm
from topdown.formats.pdb import pdb_text
from topdown.model import System
from topdown.resources import atomic_write_text, installed_version
from topdown.tables import load_bead_table, load_curated_molecule
from topdown.workflows.file_names import FileNames
from topdown.workflows.made_with import made_with
from topdown.workflows.map_files import write_mapping
from topdown.workflows.map_lists import MoleculeRequest
from topdown.workflows.membrane_models import SOLVENT_NAMES, MembraneModels
from topdown.workflows.membrane_request import MembraneRequest, is_itp

PROVENANCE_FILE: Final = "provenance.json"
_LIBRARIES: Final = ("numpy", "scipy", "numba", "llvmlite", "rdkit")

_RUN_SCRIPT: Final = """#!/bin/sh
# Runs this membrane with GROMACS: energy minimisation, equilibration, production.
#   sh run_gromacs.sh            all three
#   sh run_gromacs.sh md         production alone, from system.gro: it is {state}
# GMX is the program, MDRUN what goes to mdrun, for instance MDRUN="-nt 8 -gpu_id 0".
set -eu
cd "$(dirname "$0")"
: "${{GMX:=gmx}}" "${{MDRUN:=}}"
start=system.gro
prepare() {{
    "$GMX" grompp -f "$1.mdp" -c "$start" -p system.top -n index.ndx{reference} -o "$1.tpr" -po "$1_out.mdp"
}}
for stage in ${{1:-em eq md}}; do
    prepare "$stage"
    # shellcheck disable=SC2086
    "$GMX" mdrun -deffnm "$stage"{tables} $MDRUN
    start=$stage.gro
done
"""


@dataclass(frozen=True, kw_only=True)
class MembraneFiles:
    """What was written.

    Attributes
    ----------
    gromacs, openmm, lammps : dict of str to Path
        By the keys of their writers; empty where a program cannot express the system.
    others : dict of str to Path
        ``pdb``, ``viewer``, ``run_script`` and the files of each mapped molecule.
    notes : tuple of str
        What was not written, and why.
    """

    gromacs: dict[str, Path]
    openmm: dict[str, Path]
    lammps: dict[str, Path]
    others: dict[str, Path]
    notes: tuple[str, ...]

    def all(self) -> dict[str, Path]:
        """Every file by a key of its own."""
        found = {**self.gromacs, **self.others}
        found |= {f"openmm {key}": path for key, path in self.openmm.items()}
        return found | {f"lammps {key}": path for key, path in self.lammps.items()}


def write_membrane(
    system: System, models: MembraneModels, request: MembraneRequest, folder: Path, *, viewer_note: str = ""
) -> MembraneFiles:
    """Write the system for every program, the viewer, and the files of mapped molecules.

    Parameters
    ----------
    system : System
    models : MembraneModels
    request : MembraneRequest
    folder : Path
        GROMACS's files, PDB and viewer go there, the others into ``openmm``, ``lammps`` and ``mapping`` below it.
    viewer_note : str
        A sentence on the page of the viewer.

    Raises
    ------
    TopdownError
        GROMACS files that cannot be written; for OpenMM and LAMMPS that is a note.
    """
    from topdown.report.membrane_html import membrane_html

    settings = RunSettings(temperature=request.temperature, coupling="semiisotropic", seed=request.seed)
    gromacs = write_gromacs(system, folder, name="system", groups=molecule_groups(system, models), settings=settings)
    notes: list[str] = []
    written: dict[str, dict[str, Path]] = {}
    for program, write in (("openmm", write_openmm), ("lammps", write_lammps)):
        try:
            written[program] = write(system, folder / program, name="system", settings=settings)
        except TopdownError as error:
            written[program] = {}
            notes.append(f"no files for {program}: {error}")
    page = membrane_html(system, models.lipid_names, SOLVENT_NAMES, note=viewer_note)
    state = "relaxed" if request.relax_ns > 0 else "only minimised: run em and eq first"
    script = _RUN_SCRIPT.format(
        state=state,
        reference=f" -r {gromacs['reference'].name}" if "reference" in gromacs else "",
        tables="".join([" -tableb " + " ".join(sorted(k for k in gromacs if k.endswith(".xvg")))])
        if any(k.endswith(".xvg") for k in gromacs)
        else "",
    )
    others = {
        "pdb": atomic_write_text(folder / "system.pdb", pdb_text(system)),
        "viewer": atomic_write_text(folder / "viewer.html", page),
        "run_script": atomic_write_text(folder / "run_gromacs.sh", script),
    }
    others |= _write_mappings(system, models, request, folder / "mapping")
    return MembraneFiles(
        gromacs=gromacs, openmm=written["openmm"], lammps=written["lammps"], others=others, notes=tuple(notes)
    )


def molecule_groups(system: System, models: MembraneModels) -> dict[str, list[int]]:
    """Index groups that membrane runs couple: ``Membrane``, ``Solvent``, and ``Solute`` when there is one."""
    groups: dict[str, list[int]] = {"Membrane": [], "Solute": [], "Solvent": []}
    for molecule, start in system.molecules():
        name = (
            "Membrane"
            if molecule.name in models.lipid_names
            else "Solvent"
            if molecule.name in SOLVENT_NAMES
            else "Solute"
        )
        groups[name] += range(start, start + molecule.n_beads)
    return {name: beads for name, beads in groups.items() if beads}


def _write_mappings(system: System, models: MembraneModels, request: MembraneRequest, folder: Path) -> dict[str, Path]:
    """The files of ``topdown map`` for every molecule that was mapped."""
    by_name = {molecule.name: molecule for molecule, _ in system.components}
    names, found = FileNames(), {}
    full_table = load_bead_table(request.table)
    for name, smiles in models.mapped:
        slug, label = names.next(smiles, name)
        asked = MoleculeRequest(smiles=smiles, name=name)
        for path in write_mapping(by_name[name], full_table, asked, folder, slug=slug, label=label, seed=request.seed):
            found[f"mapping {path.name}"] = path
    return found


def write_provenance(
    system: System, models: MembraneModels, request: MembraneRequest, files: Mapping[str, Path], folder: Path
) -> Path:
    """``provenance.json``: what was asked, what it was made with, whose models it holds, and a hash of every file."""
    provenance = models.table.provenance
    data = {
        **made_with(request.seed),
        "processor": processor(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libraries": {name: installed_version(name) for name in _LIBRARIES},
        "request": request.as_json(),
        "bead_table": {
            "name": system.table.name,
            "version": system.table.version,
            "source": provenance.source,
            "licence": provenance.licence,
            "cite": provenance.citation,
        },
        "molecules": [_origin(name, models, request) for name in _names(system)],
        "sha256": {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(set(files.values()))
            if path.name != PROVENANCE_FILE
        },
    }
    return atomic_write_text(folder / PROVENANCE_FILE, json.dumps(data, indent=2, allow_nan=False) + "\n")


def _names(system: System) -> list[str]:
    return list(dict.fromkeys(molecule.name for molecule, _ in system.components))


def _origin(name: str, models: MembraneModels, request: MembraneRequest) -> dict[str, Any]:
    """Where a model comes from: mapped from SMILES, read from a file, or curated, with source and licence."""
    given = {**dict(request.own_lipids), **{solute.name: solute.source for solute in request.solutes}} | dict(
        models.mapped
    )
    if name in given:
        kind = "read from" if is_itp(given[name]) else "mapped from"
        return {"name": name, kind: given[name]}
    curated = load_curated_molecule(request.table, name)
    return {
        "name": name,
        "curated": curated.description,
        "source": curated.source,
        "licence": curated.licence,
        "cite": curated.citation,
    }
