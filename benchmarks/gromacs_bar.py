"""Solvation free energy of one molecule by GROMACS: Langevin dynamics in soft-core windows, then ``gmx bar``.

An independent answer for the engine's own free energies. Input is a system whose first component is one solute; it is
written by ``topdown.formats``, minimised, run at every λ and analysed by GROMACS alone. Positive means that the molecule
prefers the gas phase.

    python benchmarks/gromacs_bar.py --bead C1 --length 3 --folder c1
"""

from __future__ import annotations

import argparse
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topdown.formats import write_gromacs
from topdown.formats.mdp import CouplingSettings, free_energy_mdp
from topdown.formats.naming import component_names
from topdown.model import Bead, CGMolecule, Estimate, System
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table, load_molecule

#: The last line of what ``gmx bar`` prints [kJ/mol].
_TOTAL = re.compile(r"^total\s+\S+\s+-\s+\S+,\s+DG\s+(\S+)\s+\+/-\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class GromacsRun:
    """Where GROMACS runs, and what it is called."""

    folder: Path
    program: str = "gmx"

    def call(self, *arguments: str, answer: str = "") -> str:
        """Run one tool, ``answer`` on its input, and return all it printed; RuntimeError with the end of it when it failed."""
        command = [self.program, "-nobackup", *arguments]
        done = subprocess.run(command, cwd=self.folder, input=answer, capture_output=True, text=True)
        text = done.stdout + done.stderr
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{text[-2000:]}")
        return text

    def dynamics(self, name: str, *extra: str) -> None:
        """One single-threaded ``mdrun`` of ``NAME.tpr``."""
        self.call("mdrun", "-s", f"{name}.tpr", "-deffnm", name, "-nt", "1", "-pin", "off", *extra)


def solvation_free_energy(
    system: System,
    folder: Path,
    *,
    settings: CouplingSettings | None = None,
    discard: float = 0.1,
    workers: int = 1,
    program: str = "gmx",
) -> Estimate:
    """ΔG of moving the first molecule of ``system`` from the gas phase into the rest [kJ/mol].

    Parameters
    ----------
    system : System
        First component: one uncharged solute.
    folder : Path
        For all files; made when missing.
    settings : CouplingSettings, optional
        λ values, temperature, pressure and length of each window; its ``molecule`` is replaced by the solute's name.
    discard : float
        Start of each window left out of the analysis [ns].
    workers : int
        Windows run at a time.
    program : str
        ``gmx`` or ``gmx_d``.

    Raises
    ------
    RuntimeError
        When GROMACS fails or prints no result.
    ValueError
        When the solute is charged or there is not exactly one: discharging is not part of this path.
    """
    solute, count = system.components[0]
    if count != 1 or any(bead.charge for bead in solute.beads):
        raise ValueError("the first component must be one uncharged molecule")
    given = settings or CouplingSettings(molecule="")
    path = CouplingSettings(
        molecule=component_names(system)[0],
        lambdas=given.lambdas,
        temperature=given.temperature,
        pressure=given.pressure,
        length=given.length,
        time_step=given.time_step,
        seed=given.seed,
    )
    files = write_gromacs(system, folder, decimals=6)
    gromacs = GromacsRun(Path(folder), program)
    inputs = ("-p", files["top"].name, "-n", files["ndx"].name)
    gromacs.call(
        "grompp", "-f", files["em"].name, "-c", files["gro"].name, *inputs, "-o", "em.tpr", "-po", "em_out.mdp"
    )
    gromacs.dynamics("em")

    def window(index: int) -> str:
        name = f"window{index:02d}"
        atomic_write_text(gromacs.folder / f"{name}.mdp", free_energy_mdp(system, path, index))
        output = ("-o", f"{name}.tpr", "-po", f"{name}_out.mdp")
        gromacs.call("grompp", "-f", f"{name}.mdp", "-c", "em.gro", *inputs, *output)
        gromacs.dynamics(name, "-dhdl", f"{name}.xvg")
        return f"{name}.xvg"

    with ThreadPoolExecutor(workers) as pool:
        energies = list(pool.map(window, range(len(path.lambdas))))
    said = gromacs.call("bar", "-f", *energies, "-b", f"{discard * 1000:g}", "-o", "bar.xvg")
    found = _TOTAL.search(said)
    if found is None:
        raise RuntimeError(f"gmx bar printed no total:\n{said[-2000:]}")
    return Estimate(
        value=float(found[1]),
        standard_error=float(found[2]),
        n_effective=float("nan"),
        provenance=f"gmx bar, {len(path.lambdas)} windows of {path.length:g} ns",
    )


def bead_in_water(bead_type: str, *, table: str = "martini3", n_water: int = 400, seed: int = 1) -> System:
    """One bead among ``n_water`` water beads on a shuffled lattice at the density of Martini water."""
    water = load_molecule(table, "W")
    solute = CGMolecule(name="SLT", beads=(Bead(name="S", bead_type=bead_type),))
    edge = ((n_water + 1) / 8.26) ** (1 / 3)
    side = int(np.ceil((n_water + 1) ** (1 / 3)))
    cells = np.stack(np.unravel_index(np.arange(side**3), (side, side, side)), axis=-1)
    chosen = np.random.default_rng(seed).permutation(cells)[: n_water + 1]
    return System(
        table=load_bead_table(table).subset([bead_type, *water.type_names]),
        components=((solute, 1), (water, n_water)),
        positions=(chosen + 0.5) * edge / side,
        box=np.full(3, edge),
        title=f"{bead_type} in {n_water} W",
    )


def main() -> None:
    """Print ΔG of one bead from the gas phase into water."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bead", default="C1", help="bead type of the solute")
    parser.add_argument("--table", default="martini3")
    parser.add_argument("--waters", type=int, default=400)
    parser.add_argument("--length", type=float, default=1.0, help="per window [ns]")
    parser.add_argument("--windows", type=int, default=11)
    parser.add_argument("--temperature", type=float, default=300.0, help="[K]")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True, help="for GROMACS's files")
    options = parser.parse_args()
    settings = CouplingSettings(
        molecule="SLT",
        lambdas=tuple(np.linspace(0.0, 1.0, options.windows).round(6).tolist()),
        temperature=options.temperature,
        length=options.length,
        seed=options.seed,
    )
    system = bead_in_water(options.bead, table=options.table, n_water=options.waters, seed=options.seed)
    result = solvation_free_energy(system, options.folder, settings=settings, workers=options.workers)
    print(f"{options.bead}: {result.value:.2f} ± {result.standard_error:.2f} kJ/mol ({result.provenance})")


if __name__ == "__main__":
    main()
