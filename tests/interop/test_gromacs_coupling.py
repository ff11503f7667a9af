"""∂H/∂λ and energies along the coupling path against GROMACS, Lennard-Jones and charges, at several states of one frame.

GROMACS shifts and cuts its soft core at the soft-core radius s^(1/6), U = λ [LJ(s) - LJ(r_c)], while the engine shifts at
r_c along the whole path; the two agree at both ends. :func:`gromacs_core` is that flavour, so that radius, α, power and the
choice of pairs are compared at every λ, and the engine's own sums where the flavours meet. With ``couple-intramol = no``
GROMACS turns the pairs inside the solute into exclusions and plain pairs, and scales their reaction-field correction and the
self terms with the charges; the engine leaves the inside of the solute alone. The difference is written out in
:func:`inner_reaction_field`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from topdown.engine import Coupling, Simulation, SimulationSettings
from topdown.formats import write_gromacs
from topdown.formats.naming import component_names
from topdown.model import Bead, Bond, CGMolecule, System
from topdown.resources import atomic_write_text
from topdown.tables import load_bead_table, load_molecule

PATH = Coupling.charges_last((0.0, 0.2, 0.5, 0.8, 1.0), (0.4, 1.0), index=0)
MDP = """integrator = md
nsteps = 0
continuation = yes
nstlist = 1
nstcalcenergy = 1
nstenergy = 1
cutoff-scheme = Verlet
verlet-buffer-tolerance = -1
rlist = 1.55
coulombtype = reaction-field
rcoulomb = 1.1
epsilon_r = 15
epsilon_rf = 0
vdw-modifier = Potential-shift-verlet
rvdw = 1.1
free-energy = yes
init-lambda-state = {index}
vdw-lambdas = {lambdas}
coul-lambdas = {charges}
couple-moltype = {name}
couple-lambda0 = none
couple-lambda1 = vdw-q
couple-intramol = no
sc-alpha = 0.5
sc-power = 1
sc-sigma = 0.3
sc-coul = no
calc-lambda-neighbors = -1
nstdhdl = 1
dhdl-print-energy = no
separate-dhdl-file = yes
"""


def system() -> System:
    """A chain of five beads, two of them charged, crowded by water and ions."""
    types, charges = ["Q1", "C1", "Q5", "SC3", "TP1"], [1.0, 0.0, -1.0, 0.0, 0.0]
    chain = CGMolecule(
        name="SLT",
        beads=tuple(Bead(name=f"B{k}", bead_type=t, charge=q) for k, (t, q) in enumerate(zip(types, charges))),
        bonds=tuple(Bond(atoms=(k, k + 1), length=0.4, force_constant=2000.0) for k in range(4)),
    )
    water, sodium, chloride = (load_molecule("martini3", name) for name in ("W", "NA", "CL"))
    table = load_bead_table("martini3").subset({*types, *water.type_names, *sodium.type_names, *chloride.type_names})
    rng, edge = np.random.default_rng(3), 3.2
    grid = np.stack(np.unravel_index(np.arange(343), (7, 7, 7)), axis=-1) * (edge / 7)
    spots = grid[rng.permutation(len(grid))[:240]] + rng.uniform(-0.05, 0.05, (240, 3))
    shape = np.array([1.6, 1.5, 1.4]) + np.cumsum(rng.uniform(0.1, 0.18, (5, 3)) * [1, -1, 1], axis=0)
    free = [s for s in spots if np.linalg.norm(shape - s, axis=1).min() > 0.33][:200]
    return System(
        table=table,
        components=((chain, 1), (water, 176), (sodium, 12), (chloride, 12)),
        positions=np.concatenate([shape, free]).round(4),
        box=np.full(3, edge),
    )


def gromacs_core(r: np.ndarray, epsilon: np.ndarray, sigma: np.ndarray, cutoff: float, lam: float) -> np.ndarray:
    """U of solute-solvent pairs in GROMACS's flavour (Gromacs manual, "Soft-core interactions: Beutler et al.")."""

    def plain(x6: np.ndarray) -> np.ndarray:
        return 4.0 * epsilon * ((sigma**6 / x6) ** 2 - sigma**6 / x6)

    s = 0.5 * (1.0 - lam) * sigma**6 + r**6
    return np.where(s < cutoff**6, lam * (plain(s) - plain(np.full_like(s, cutoff**6))), 0.0)


def inner_reaction_field(solute: np.ndarray, charges: np.ndarray, coulomb: np.ndarray, cutoff: float) -> float:
    """Reaction field of all pairs inside the solute and of each charge with itself, which GROMACS scales with λ."""
    scale, k_rf, c_rf = coulomb
    i, j = np.triu_indices(len(solute), 1)
    r = np.linalg.norm(solute[i] - solute[j], axis=1)
    pairs = np.where(r < cutoff, charges[i] * charges[j] * (k_rf * r**2 - c_rf), 0.0).sum()
    return float(scale * (pairs - 0.5 * c_rf * (charges**2).sum()))


def run_gromacs(gromacs, folder: Path, system: System, index: int) -> tuple[np.ndarray, np.ndarray]:
    """(∂H/∂λ of charges, of Lennard-Jones) and ΔH to every state."""
    files = write_gromacs(system, folder, decimals=4)
    text = MDP.format(
        index=index,
        lambdas=" ".join(map(str, PATH.lambdas)),
        charges=" ".join(map(str, PATH.charge_lambdas)),
        name=component_names(system)[0],
    )
    atomic_write_text(folder / "point.mdp", text)
    inputs = ("-c", files["gro"].name, "-p", files["top"].name, "-maxwarn", "5")
    gromacs.call(folder, "grompp", "-f", "point.mdp", *inputs, "-o", "point.tpr", "-po", "point_out.mdp")
    gromacs.call(
        folder, "mdrun", "-s", "point.tpr", "-deffnm", "point", "-dhdl", "point.xvg", "-nt", "1", "-pin", "off"
    )
    lines = (folder / "point.xvg").read_text().splitlines()
    legends = [line.split('"')[1] for line in lines if re.match(r"@ s\d+ legend", line)]
    values = np.array([float(word) for word in lines[-1].split()[1:]])
    assert len(legends) == len(values)
    slopes = [
        [v for v, text in zip(values, legends) if text.startswith("dH/d") and kind in text] for kind in ("coul", "vdw")
    ]
    assert [len(found) for found in slopes] == [1, 1], legends
    deltas = np.array([v for v, text in zip(values, legends) if " to " in text])
    return np.array(slopes)[:, 0], deltas


@pytest.mark.parametrize("index", range(len(PATH.lambdas)))
def test_slopes_and_energies_along_the_path(gromacs, tmp_path, index):
    here = system()
    theirs, deltas = run_gromacs(gromacs, tmp_path, here, index)
    run = Simulation(here, SimulationSettings(), coupling=Coupling(
        lambdas=PATH.lambdas, charge_lambdas=PATH.charge_lambdas, index=index
    ))  # fmt: skip
    sums = run.pair_sums()
    pair, n, cutoff = run.parameters.pair, 5, here.table.scheme.cutoff
    d = here.positions[:n, None] - here.positions[None, n:]
    r = np.linalg.norm(d - here.box * np.rint(d / here.box), axis=-1)
    types = [bead.bead_type for m, count in here.components for _ in range(count) for bead in m.beads]
    sigma, epsilon = np.array([[here.table.pair(a, b) for b in types[n:]] for a in types[:n]]).transpose(2, 0, 1)

    def core(lam: float) -> float:
        return float(np.where(r < 3.0, gromacs_core(r, epsilon, sigma, cutoff, lam), 0.0).sum())

    h = 1e-5
    lam = PATH.lambdas[index]
    low, high = max(lam - h, 0.0), min(lam + h, 1.0)
    scale = abs(core(1.0)) + abs(sums.solute_coulomb[0])
    if 0.0 < lam < 1.0:
        lj_slope = (core(high) - core(low)) / (high - low)
    else:
        inward = h if lam == 0.0 else -h
        lj_slope = (-3.0 * core(lam) + 4.0 * core(lam + inward) - core(lam + 2.0 * inward)) / (2.0 * inward)
    coulomb = float(sums.solute_coulomb[0]) + inner_reaction_field(
        here.positions[:n], pair.charges[:n], pair.coulomb, cutoff
    )
    limit = 2e-6 if gromacs.double else 2e-4
    values = np.array([here.table.pair(a, b)[1] for a, b in sums.solute_pairs])
    ours = sums.solute_sums[0] @ values
    print(
        f"\nstate {index}: GROMACS {theirs}, ours {coulomb:.6f} {lj_slope:.6f} (own flavour {sums.solute_slopes[0] @ values:.4f})"
    )
    assert theirs[0] == pytest.approx(coulomb, abs=limit * scale)
    assert theirs[1] == pytest.approx(lj_slope, abs=max(limit, 1e-5) * scale)
    expected = [
        core(a) - core(lam) + (b - PATH.charge_lambdas[index]) * coulomb
        for a, b in zip(PATH.lambdas, PATH.charge_lambdas)
    ]
    np.testing.assert_allclose(deltas, expected, atol=limit * scale)
    # the engine's own path meets GROMACS's at both ends of the Lennard-Jones part
    assert ours[-1] - ours[0] == pytest.approx(deltas[4] - deltas[0], abs=limit * scale)
    assert abs(coulomb) > 1.0
    assert abs(core(1.0)) > 10.0
