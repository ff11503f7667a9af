"""Surface tension of a slab by GROMACS: Langevin dynamics at constant volume, then its own pressure tensor.

An independent answer for ``topdown surface-tension``. The slab is built and settled by this package as that command does it,
written by ``topdown.formats``, and run and analysed by GROMACS alone; γ = (#Surf*SurfTen)/2.

    python benchmarks/gromacs_slab.py --liquid W --length 10 --temperature 298.15 --folder slab_w
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from gromacs_bar import GromacsRun

from topdown.building.liquid import build_mixture
from topdown.building.slab import build_slab
from topdown.formats import write_gromacs
from topdown.model import Estimate, System
from topdown.properties.averages import series_estimate
from topdown.properties.phases import find_phase
from topdown.properties.surface_tension import slab_request
from topdown.resources import atomic_write_text
from topdown.sampling.equilibrate import equilibrate_liquid, settle
from topdown.tables import load_bead_table
from topdown.units import BAR_NM_TO_MN_M

_MDP = """\
integrator = sd
dt = 0.02
nsteps = {steps}
nstcalcenergy = {every}
nstenergy = {every}
nstlog = 0
nstxout-compressed = 0
cutoff-scheme = Verlet
nstlist = 20
verlet-buffer-tolerance = -1
rlist = 1.35
coulombtype = reaction-field
rcoulomb = {cutoff}
epsilon_r = {epsilon_r}
epsilon_rf = 0
vdwtype = cut-off
vdw-modifier = Potential-shift-verlet
rvdw = {cutoff}
DispCorr = no
tc-grps = System
tau_t = 1.0
ref_t = {temperature}
pcoupl = no
gen_vel = yes
gen_temp = {temperature}
gen_seed = {seed}
ld_seed = {seed}
continuation = no
"""


def settled_slab(liquid: str, table_name: str, temperature: float, seed: int) -> System:
    """The slab the command would run."""
    table = load_bead_table(table_name)
    request = slab_request(find_phase(liquid, table_name), table, temperature=temperature, seed=seed, run=0, part=0)
    built = build_mixture(request.components, request.table, rng=np.random.default_rng(seed), title=liquid)
    full = equilibrate_liquid(built, temperature=temperature, pressure=request.pressure, n_steps=25_000, seed=seed)
    return settle(build_slab(full, width=request.width, height=request.height), temperature=temperature, seed=seed)


def surface_tension(
    slab: System,
    folder: Path,
    *,
    temperature: float,
    length: float,
    discard: float = 0.3,
    every: int = 20,
    seed: int = 1,
    program: str = "gmx",
) -> Estimate:
    """γ of one of the two surfaces of ``slab`` [mN/m] from a run of ``length`` ns, the first ``discard`` ns left out."""
    files = write_gromacs(slab, folder, decimals=6)
    gromacs = GromacsRun(Path(folder), program)
    scheme = slab.table.scheme
    text = _MDP.format(
        steps=round((length + discard) * 50_000),
        every=every,
        cutoff=scheme.cutoff,
        epsilon_r=scheme.epsilon_r,
        temperature=temperature,
        seed=seed,
    )
    atomic_write_text(gromacs.folder / "slab.mdp", text)
    inputs = ("-c", files["gro"].name, "-p", files["top"].name, "-o", "slab.tpr", "-po", "slab_out.mdp")
    gromacs.call("grompp", "-f", "slab.mdp", *inputs, "-maxwarn", "1")
    gromacs.dynamics("slab")
    gromacs.call("energy", "-f", "slab.edr", "-o", "tension.xvg", "-xvg", "none", "-b", f"{discard * 1000:g}",
                 answer="#Surf*SurfTen\n0\n")  # fmt: skip
    series = np.loadtxt(gromacs.folder / "tension.xvg")[:, 1] / 2.0 * BAR_NM_TO_MN_M
    return series_estimate(series)


def main() -> None:
    """Print γ of one liquid by GROMACS."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liquid", default="W", help="as for topdown surface-tension")
    parser.add_argument("--table", default="martini3")
    parser.add_argument("--length", type=float, default=10.0, help="[ns]")
    parser.add_argument("--temperature", type=float, default=298.15, help="[K]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True, help="for GROMACS's files")
    options = parser.parse_args()
    slab = settled_slab(options.liquid, options.table, options.temperature, options.seed)
    found = surface_tension(
        slab, options.folder, temperature=options.temperature, length=options.length, seed=options.seed
    )
    print(
        f"{options.liquid}: {found.value:.2f} ± {found.standard_error:.2f} mN/m, {found.n_effective:.0f} effective samples"
    )


if __name__ == "__main__":
    main()
