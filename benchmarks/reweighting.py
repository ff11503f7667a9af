"""Free energies, densities and surface tensions reweighted from runs in one state, against runs in the other.

    python benchmarks/reweighting.py --beads --error 0.5 --store DIR
    python benchmarks/reweighting.py [--cases c1-water-solute,…] [--error 0.2] [--store DIR] [--workers 1] [--json FILE]

Every case samples a system at the ε, temperature and pressure of Martini 3 (or of a small soft liquid), goes from there to other
ε, to another temperature or pressure by MBAR alone, and then simulates there too. Free energies of coupling are sampled
until ``--error``, in both states alike (with ``--beads``, that of each transfer, as in ``bead_transfer.py``); densities and
surface tensions rest on two runs of the lengths in ``PARTS`` and ``SOFT_PARTS``. Runs are stored: interrupt and repeat.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from bead_transfer import BEADS, one_bead

from topdown.errors import SamplingError, TopdownError
from topdown.estimators.coupling import coupling_variances
from topdown.estimators.reweighting import Pair, PooledSamples, ReweightedValue, pool_samples
from topdown.model import Bead, BeadTable, BeadType, CGMolecule, NonbondedScheme
from topdown.model.requests import LiquidRequest, SlabRequest
from topdown.properties.averages import join_parts
from topdown.properties.density import box_mass, liquid_request, measure_density, reweighted_density
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import find_phase, pure_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.solvation import Effort, sample_solvation, solvation_request
from topdown.properties.surface_tension import (
    measure_surface_tension,
    reweighted_surface_tension,
    reweighted_test_area,
)
from topdown.resources import atomic_write_bytes
from topdown.tables import load_bead_table, load_molecule

#: Parts of 0.5 ns of each of two runs of a liquid, and of 2 ns of each of two runs of the soft slab.
PARTS, SOFT_PARTS = 4, 10
HOME = 298.15


@dataclass(frozen=True, kw_only=True)
class Coupling:
    """A solute coupled to a liquid, and where its free energy is taken to.

    Attributes
    ----------
    solute : str
        A bead type, or a model of the table.
    phase : str
    moves : mapping of pair to float
        Changes of ε [kJ/mol].
    temperature, pressure : float
        [K], [bar]; the runs are at 298.15 K and 1 bar.
    """

    solute: str
    phase: str
    moves: Mapping[Pair, float]
    temperature: float = HOME
    pressure: float = 1.0


#: What moves: solute-solvent ε (down from a sticky end, and up), solvent-solvent ε, several at once of a chain, a pair that is
#: in the chain, in the solvent and between them, temperature, pressure.
COUPLINGS = {
    "p4-water-solute": Coupling(solute="P4", phase="water", moves={("P4", "W"): -1.2}),
    "c1-water-solute": Coupling(solute="C1", phase="water", moves={("C1", "W"): 0.6}),
    "c1-water-solvent": Coupling(solute="C1", phase="water", moves={("W", "W"): -0.08}),
    "oco-water-chain": Coupling(solute="OCO", phase="water", moves={("SC2", "W"): 0.25, ("SP1", "W"): -0.4}),
    "oct-hexadecane-chain": Coupling(solute="OCT", phase="hexadecane", moves={("C1", "C1"): -0.06}),
    "c1-water-temperature": Coupling(solute="C1", phase="water", moves={}, temperature=303.15),
    "c1-water-pressure": Coupling(solute="C1", phase="water", moves={}, pressure=80.0),
}
#: Density of a liquid: (model, pair, change of ε).
DENSITIES: Mapping[str, tuple[str, Pair, float]] = {
    "water-density": ("W", ("W", "W"), 0.05),
    "octanol-density": ("OCO", ("SC2", "SP1"), 0.08),
    "hexadecane-density": ("HD", ("C1", "C1"), 0.04),
}
#: Surface tension of 250 soft beads: ε of the runs, and where it is taken to.
SOFT = (3.6, 3.75)
CASES = (*COUPLINGS, *DENSITIES, "soft-slab")
#: Bead types of one σ with every type of the solvent are one solute at several ε: runs of one tell of the other. Pairs whose
#: largest change of ε is below this [kJ/mol] are tried.
BEAD_STEP = 1.3


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: ``before`` in the state of the runs, ``value`` reweighted, ``direct`` simulated there."""

    case: str
    unit: str
    before: float
    value: float
    error: float
    n_effective: float
    direct: float
    direct_error: float
    milliseconds: float

    @property
    def z(self) -> float:
        """Difference in errors of both."""
        return (self.value - self.direct) / math.hypot(self.error, self.direct_error)


def free_energy(
    pooled: PooledSamples, states: tuple[int, ...], theta: Mapping[Pair, float], temperature: float, pressure: float
) -> tuple[ReweightedValue, float]:
    """ΔG of coupling in one state, and its error from the influence of frames."""
    found = pooled.coupling_free_energy(theta, temperature=temperature, pressure=pressure, error=False)
    variances = coupling_variances(pooled, states, theta, temperature=temperature, pressure=pressure)
    return found, float(np.sqrt(variances.sum()))


def predicted_row(
    case: str,
    source: tuple[PooledSamples, tuple[int, ...]],
    theta: Mapping[Pair, float],
    before: ReweightedValue,
    direct: tuple[ReweightedValue, float],
    temperature: float,
    pressure: float,
) -> Row:
    """One free energy at the ε of ``theta`` from the runs of ``source``, beside the direct one and its error."""
    began = time.process_time()
    found, error = free_energy(*source, theta, temperature, pressure)
    spent = time.process_time() - began
    return Row(
        case=case,
        unit="kJ/mol",
        before=before.value,
        value=found.value,
        error=error,
        n_effective=found.n_effective,
        direct=direct[0].value,
        direct_error=direct[1],
        milliseconds=1000.0 * spent,
    )


def coupling_row(name: str, sampler: EngineSampler, error: float) -> Row:
    """ΔG(gas → liquid) of one case of ``COUPLINGS``."""
    case, table = COUPLINGS[name], load_bead_table("martini3")
    single = case.solute in table
    solute = one_bead(case.solute, table) if single else load_molecule("martini3", case.solute)
    phase = find_phase(case.phase, "martini3")
    theta = {pair: table.pair(*pair)[1] + change for pair, change in case.moves.items()}
    effort = Effort(target_error=error)
    here = sample_solvation(solvation_request(solute, phase, table, temperature=HOME, seed=1), sampler, effort)
    pooled = pool_samples(here, np.random.default_rng(1), n_replicates=0)
    states = tuple(run.lambda_index for run in here)
    before, _ = free_energy(pooled, states, {}, HOME, 1.0)
    began = time.process_time()
    pooled.coupling_free_energy(theta, temperature=case.temperature, pressure=case.pressure, error=False)
    spent = time.process_time() - began
    found, own_error = free_energy(pooled, states, theta, case.temperature, case.pressure)
    there = solvation_request(
        solute, phase, table.with_epsilon(theta), temperature=case.temperature, pressure=case.pressure, seed=2
    )
    runs = sample_solvation(there, sampler, effort)
    again = pool_samples(runs, np.random.default_rng(1), n_replicates=0)
    direct, direct_error = free_energy(
        again, tuple(run.lambda_index for run in runs), {}, case.temperature, case.pressure
    )
    return Row(
        case=name, unit="kJ/mol", before=before.value, value=found.value, error=own_error, n_effective=found.n_effective,
        direct=direct.value, direct_error=direct_error, milliseconds=1000.0 * spent,
    )  # fmt: skip


def density_row(name: str, sampler: EngineSampler, parts: int = PARTS) -> Row:
    """Density at constant pressure of one case of ``DENSITIES``."""
    model, pair, change = DENSITIES[name]
    table, phase = load_bead_table("martini3"), find_phase(model, "martini3")
    there = table.pair(*pair)[1] + change

    def sampled(at: BeadTable) -> tuple[float, float, PooledSamples, float]:
        requests: list[list[LiquidRequest]] = [
            [
                liquid_request(phase, at, temperature=300.0, pressure=1.0, seed=1, run=run, part=part)
                for part in range(parts)
            ]
            for run in range(2)
        ]
        windows = sampler.sample([request for of_run in requests for request in of_run])
        runs = [windows[:parts], windows[parts:]]
        components = requests[0][0].components
        density = measure_density(phase, components, runs, temperature=300.0, pressure=1.0).density
        pooled = pool_samples([join_parts(of_run) for of_run in runs], np.random.default_rng(1))
        return density.value, density.standard_error, pooled, box_mass(components)

    before, _, pooled, mass = sampled(table)
    began = time.process_time()
    reweighted_density(pooled, mass, {pair: there}, error=False)
    spent = time.process_time() - began
    found = reweighted_density(pooled, mass, {pair: there})
    direct, direct_error, _, _ = sampled(table.with_epsilon({pair: there}))
    return Row(
        case=name, unit="kg/m3", before=before, value=found.value, error=found.standard_error,
        n_effective=found.n_effective, direct=direct, direct_error=direct_error, milliseconds=1000.0 * spent,
    )  # fmt: skip


def soft_table(epsilon: float) -> BeadTable:
    """One soft bead with a short cut-off, whose slab of 250 has a tension that reweighting moves by several errors."""
    types = (BeadType(name="A", chemical_class="A", size="R", mass=72.0),)
    return BeadTable(
        name="soft", bead_types=types, epsilon=np.array([[epsilon]]), sigma=np.array([[0.40]]),
        scheme=NonbondedScheme(cutoff=0.75),
    )  # fmt: skip


def slab_rows(sampler: EngineSampler, parts: int = SOFT_PARTS) -> list[Row]:
    """γ of the small slab by both methods."""
    molecule = CGMolecule(name="A", beads=(Bead(name="A", bead_type="A"),), molar_mass=72.0)
    phase, pair, width = pure_phase("A", MoleculeModel(molecule=molecule, origin="")), ("A", "A"), 2.4

    def sampled(epsilon: float) -> tuple[dict[str, tuple[float, float]], PooledSamples]:
        requests = [
            [
                SlabRequest(
                    molecule=molecule, n_molecules=250, table=soft_table(epsilon), temperature=250.0, width=width,
                    height=8.0, n_equilibration=20_000, n_steps=100_000, every=50, seed=seed, part=part,
                )
                for part in range(parts)
            ]
            for seed in (1, 2)
        ]  # fmt: skip
        windows = sampler.sample([request for of_run in requests for request in of_run])
        runs = [windows[:parts], windows[parts:]]
        records = [[sampler.record(request) for request in of_run] for of_run in requests]
        found = measure_surface_tension(phase, requests[0][0], runs, records)
        pooled = pool_samples([join_parts(of_run) for of_run in runs], np.random.default_rng(1))
        methods = {"pressure-tensor": found.pressure_tensor, "test-area": found.test_area}
        return {name: (e.value, e.standard_error) for name, e in methods.items()}, pooled

    (before, pooled), (direct, _) = sampled(SOFT[0]), sampled(SOFT[1])
    rows = []
    for name, method in (("pressure-tensor", reweighted_surface_tension), ("test-area", reweighted_test_area)):
        began = time.process_time()
        method(pooled, width**2, {pair: SOFT[1]}, error=False)
        spent = time.process_time() - began
        found = method(pooled, width**2, {pair: SOFT[1]})
        rows.append(
            Row(
                case=f"soft-slab-{name}",
                unit="mN/m",
                before=before[name][0],
                value=found.value,
                error=found.standard_error,
                n_effective=found.n_effective,
                direct=direct[name][0],
                direct_error=direct[name][1],
                milliseconds=1000.0 * spent,
            )
        )
    return rows


def bead_rows(sampler: EngineSampler, error: float, phase_name: str) -> tuple[list[Row], int]:
    """ΔG(gas → liquid) of beads from runs of other beads, every pair of ``bead_transfer.BEADS``, and how many are refused."""
    table, phase = load_bead_table("martini3"), find_phase(phase_name, "martini3")
    solvent = sorted(phase.type_names())

    def pair_of(bead: str, other: str) -> Pair:
        return (bead, other) if bead <= other else (other, bead)

    close = [
        (a, b)
        for a, b in permutations(BEADS, 2)
        if all(table.pair(a, s)[0] == table.pair(b, s)[0] for s in solvent)
        and max(abs(table.pair(a, s)[1] - table.pair(b, s)[1]) for s in solvent) < BEAD_STEP
    ]
    pools: dict[str, tuple[PooledSamples, tuple[int, ...]]] = {}
    for bead in dict.fromkeys(name for pair in close for name in pair):
        request = solvation_request(one_bead(bead, table), phase, table, temperature=HOME, seed=1)
        runs = sample_solvation(request, sampler, Effort(target_error=error / math.sqrt(2.0)))
        states = tuple(run.lambda_index for run in runs)
        pools[bead] = pool_samples(runs, np.random.default_rng(1), n_replicates=0), states
    rows, refused = [], 0
    for a, b in close:
        theta = {pair_of(a, s): table.pair(b, s)[1] for s in solvent}
        direct = free_energy(*pools[b], {}, HOME, 1.0)
        before, _ = free_energy(*pools[a], {}, HOME, 1.0)
        try:
            rows.append(predicted_row(f"{a} to {b} in {phase_name}", pools[a], theta, before, direct, HOME, 1.0))
        except SamplingError:
            refused += 1
    return rows, refused


def print_bead_pairs(sampler: EngineSampler, error: float) -> list[Row]:
    """All of both phases, one line each, and what they come to."""
    rows = []
    for phase_name in ("water", "octanol"):
        found, refused = bead_rows(sampler, error, phase_name)
        for row in found:
            print_row(row)
        z = np.array([row.z for row in found])
        gaps = np.array([row.value - row.direct for row in found])
        print(
            f"{phase_name}: {len(found)} pairs, {refused} refused for too few effective samples; "
            f"{(np.abs(z) < 2).sum()} within two errors, root mean square z {np.sqrt(np.mean(z**2)):.2f}, "
            f"mean absolute difference {np.abs(gaps).mean():.2f} kJ/mol",
            flush=True,
        )
        rows += found
    return rows


def print_row(row: Row) -> None:
    """One comparison on a line."""
    print(
        f"{row.case:28s} {row.before:9.2f} before, reweighted {row.value:9.2f} ± {row.error:.2f} "
        f"({row.n_effective:.0f} effective samples), direct {row.direct:9.2f} ± {row.direct_error:.2f} {row.unit}, "
        f"z {row.z:+.1f}, {row.milliseconds:.1f} ms",
        flush=True,
    )


def rows_of(case: str, sampler: EngineSampler, *, error: float) -> list[Row]:
    """All comparisons of one case."""
    if case in COUPLINGS:
        return [coupling_row(case, sampler, error)]
    return [density_row(case, sampler)] if case in DENSITIES else slab_rows(sampler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--error", type=float, default=0.2, help="of each free energy [kJ/mol]")
    parser.add_argument(
        "--beads",
        action="store_true",
        help="instead: beads of bead_transfer.py from one another's runs, from its store",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = options.cases.split(",")
    if unknown := set(asked) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    sampler, rows = EngineSampler(options.store, workers=options.workers), []
    if options.beads:
        asked, rows = [], [{**asdict(row), "z": row.z} for row in print_bead_pairs(sampler, options.error)]
        if options.json:
            atomic_write_bytes(options.json, json.dumps(rows, indent=1).encode())
    for case in asked:
        try:
            found = rows_of(case, sampler, error=options.error)
        except TopdownError as refused:
            print(f"{case:28s} refused: {refused}", flush=True)
            continue
        for row in found:
            print_row(row)
            rows.append({**asdict(row), "z": row.z})
        if options.json:
            atomic_write_bytes(options.json, json.dumps(rows, indent=1).encode())


if __name__ == "__main__":
    main()
