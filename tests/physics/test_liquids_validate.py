"""Liquids and slabs by the functions behind ``topdown density`` and ``topdown surface-tension``, against other programs,
against published surface tensions of the Lennard-Jones fluid, and reweighted values against direct runs.

Runs are kept in the folder TOPDOWN_VALIDATION_STORE names, if it names one, so that a second start goes on with the first.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gromacs_averages import gromacs_averages
from small_world import single, small_table
from statistical_checks import check

from topdown.estimators.reweighting import PooledSamples, pool_samples
from topdown.model import Bead, BeadTable, BeadType, CGMolecule, NonbondedScheme
from topdown.model.requests import SlabRequest
from topdown.properties.averages import join_parts
from topdown.properties.density import box_mass, liquid_request, measure_density, reweighted_density
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import Phase, find_phase, pure_phase
from topdown.properties.sampler import EngineSampler
from topdown.properties.surface_tension import (
    SurfaceTensionResult,
    measure_surface_tension,
    reweighted_surface_tension,
    reweighted_test_area,
    slab_request,
)
from topdown.tables import load_bead_table
from topdown.units import GAS_CONSTANT

pytestmark = pytest.mark.validate

#: Parts of 0.5 ns of each of two runs.
DENSITY_PARTS, SLAB_PARTS = 4, 6


@pytest.fixture(scope="session")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> EngineSampler:
    folder = os.environ.get("TOPDOWN_VALIDATION_STORE")
    return EngineSampler(
        Path(folder) if folder else tmp_path_factory.mktemp("runs"),
        workers=int(os.environ.get("TOPDOWN_VALIDATION_WORKERS", "2")),
    )


def liquid(
    sampler: EngineSampler,
    phase: Phase,
    table: BeadTable,
    parts: int,
    *,
    temperature: float = 300.0,
    pressure: float = 1.0,
) -> tuple[Any, PooledSamples, float]:
    requests = [
        [
            liquid_request(phase, table, temperature=temperature, pressure=pressure, seed=1, run=run, part=part)
            for part in range(parts)
        ]
        for run in range(2)
    ]
    windows = sampler.sample([request for of_run in requests for request in of_run])
    runs = [windows[:parts], windows[parts:]]
    components = requests[0][0].components
    result = measure_density(phase, components, runs, temperature=temperature, pressure=pressure)
    pooled = pool_samples([join_parts(of_run) for of_run in runs], np.random.default_rng(1))
    return result, pooled, box_mass(components)


def slab(
    sampler: EngineSampler, phase: Phase, table: BeadTable, parts: int, *, temperature: float = 300.0
) -> tuple[SurfaceTensionResult, PooledSamples, float]:
    requests = [
        [slab_request(phase, table, temperature=temperature, seed=1, run=run, part=part) for part in range(parts)]
        for run in range(2)
    ]
    windows = sampler.sample([request for of_run in requests for request in of_run])
    runs = [windows[:parts], windows[parts:]]
    records = [[sampler.record(request) for request in of_run] for of_run in requests]
    result = measure_surface_tension(phase, requests[0][0], runs, records)
    pooled = pool_samples([join_parts(of_run) for of_run in runs], np.random.default_rng(1))
    return result, pooled, requests[0][0].width ** 2


#: By bead masses [kg/m³].
GROMACS = gromacs_averages("density")


@pytest.mark.parametrize("model", list(GROMACS))
def test_density_against_gromacs(sampler: EngineSampler, model: str) -> None:
    """Real masses here, bead masses there: compared as molecules per volume."""
    table = load_bead_table("martini3")
    result, _, _ = liquid(sampler, find_phase(model, "martini3"), table, DENSITY_PARTS)
    molecule = result.components[0][0]
    factor = molecule.mass / molecule.molar_mass
    found = result.density
    check(f"density of {model} by bead masses", (found.value * factor, found.standard_error * factor), *GROMACS[model])


#: (pair, change of ε [kJ/mol]) of each liquid.
MOVES = {"W": (("W", "W"), 0.05), "OCO": (("SC2", "SP1"), 0.08), "HD": (("C1", "C1"), 0.04)}


@pytest.mark.parametrize("model", list(MOVES))
def test_reweighted_density_against_direct_runs(sampler: EngineSampler, model: str) -> None:
    table, phase = load_bead_table("martini3"), find_phase(model, "martini3")
    pair, change = MOVES[model]
    there = table.pair(*pair)[1] + change
    _, pooled, mass = liquid(sampler, phase, table, DENSITY_PARTS)
    direct = liquid(sampler, phase, table.with_epsilon({pair: there}), DENSITY_PARTS)[0].density
    found = reweighted_density(pooled, mass, {pair: there})
    here = reweighted_density(pooled, mass)
    print(f"\n{model}: {here.value:.2f} before, slope {here.gradient_of(pair):.1f} kg/m³ per kJ/mol, "
          f"{found.n_effective:.0f} effective samples")  # fmt: skip
    check(f"density of {model} at {pair} {change:+g}", (found.value, found.standard_error), direct.value,
          direct.standard_error, limit=2.0)  # fmt: skip


def test_reweighted_density_at_another_temperature_and_pressure(sampler: EngineSampler) -> None:
    table, phase = load_bead_table("martini3"), find_phase("OCO", "martini3")
    _, pooled, mass = liquid(sampler, phase, table, DENSITY_PARTS)
    for temperature, pressure in ((310.0, 1.0), (300.0, 120.0)):
        direct = liquid(sampler, phase, table, DENSITY_PARTS, temperature=temperature, pressure=pressure)[0].density
        found = reweighted_density(pooled, mass, temperature=temperature, pressure=pressure)
        check(f"density of OCO at {temperature:g} K, {pressure:g} bar", (found.value, found.standard_error), direct.value,
              direct.standard_error, limit=2.0)  # fmt: skip


@pytest.mark.parametrize("model", ["W", "OCO"])
def test_reweighted_surface_tension_against_direct_runs(sampler: EngineSampler, model: str) -> None:
    table, phase = load_bead_table("martini3"), find_phase(model, "martini3")
    pair, change = MOVES[model]
    there = table.pair(*pair)[1] + change
    at_here, pooled, area = slab(sampler, phase, table, SLAB_PARTS)
    direct = slab(sampler, phase, table.with_epsilon({pair: there}), SLAB_PARTS)[0]
    found = reweighted_surface_tension(pooled, area, {pair: there})
    by_area = reweighted_test_area(pooled, area, {pair: there})
    slope = reweighted_surface_tension(pooled, area).gradient_of(pair)
    print(f"\n{model}: γ {at_here.pressure_tensor.value:.2f} before, slope {slope:.1f} mN/m per kJ/mol, "
          f"{found.n_effective:.0f} effective samples, methods differ by {at_here.method_z:+.1f} errors")  # fmt: skip
    assert abs(at_here.method_z) < 3.0
    check(f"γ of {model} at {pair} {change:+g}", (found.value, found.standard_error), direct.pressure_tensor.value,
          direct.pressure_tensor.standard_error, limit=2.0)  # fmt: skip
    check(f"γ of {model}, test areas", (by_area.value, by_area.standard_error), direct.test_area.value,
          direct.test_area.standard_error, limit=2.0)  # fmt: skip


def test_reweighted_surface_tension_of_a_small_slab(sampler: EngineSampler) -> None:
    """250 soft beads, whose tension changes by several errors where reweighting still reaches."""
    molecule = replace(single("A"), molar_mass=72.0)
    phase, pair = pure_phase("A", MoleculeModel(molecule=molecule, origin="")), ("A", "A")

    def sampled(epsilon: float) -> tuple[SurfaceTensionResult, PooledSamples]:
        requests = [
            [
                SlabRequest(
                    molecule=molecule, n_molecules=250, table=small_table().with_epsilon({pair: epsilon}),
                    temperature=250.0, width=2.4, height=8.0, n_equilibration=20_000, n_steps=100_000, every=50,
                    seed=seed, part=part,
                )
                for part in range(10)
            ]
            for seed in (1, 2)
        ]  # fmt: skip
        windows = sampler.sample([request for of_run in requests for request in of_run])
        runs = [windows[:10], windows[10:]]
        records = [[sampler.record(request) for request in of_run] for of_run in requests]
        pooled = pool_samples([join_parts(of_run) for of_run in runs], np.random.default_rng(1))
        return measure_surface_tension(phase, requests[0][0], runs, records), pooled

    here, pooled = sampled(3.6)
    direct, other = sampled(3.75)
    slopes = [reweighted_surface_tension(p, 2.4**2) for p in (pooled, other)]
    mean_slope = 0.5 * sum(s.gradient_of(pair) for s in slopes)
    slope_error = 0.5 * float(np.hypot(*(s.gradient_error[0] for s in slopes)))
    rise = direct.pressure_tensor.value - here.pressure_tensor.value
    rise_error = float(np.hypot(direct.pressure_tensor.standard_error, here.pressure_tensor.standard_error))
    check(
        "γ of the small slab, rise by its slope", (0.15 * mean_slope, 0.15 * slope_error), rise, rise_error, limit=2.0
    )
    assert rise > 2.0 * rise_error, "the test can tell"
    for name, method, expected in (
        ("pressure tensor", reweighted_surface_tension, direct.pressure_tensor),
        ("test area", reweighted_test_area, direct.test_area),
    ):
        found = method(pooled, 2.4**2, {pair: 3.75})
        print(f"\n{name}: {found.n_effective:.0f} effective samples; before {here.pressure_tensor.value:.2f}")
        check(f"γ of the small slab, {name}", (found.value, found.standard_error), expected.value,
              expected.standard_error, limit=2.0)  # fmt: skip


#: T*: γ* and ρ* of the liquid of the Lennard-Jones fluid cut and shifted at 2.5 σ (Vrabec et al., Mol. Phys. 104, 1509, 2006).
VRABEC = {0.70: (0.585, 0.787), 0.80: (0.403, 0.730), 0.90: (0.235, 0.663)}
SIGMA, EPSILON = 0.47, 3.5


@pytest.mark.parametrize("reduced", list(VRABEC))
def test_slab_of_the_lennard_jones_fluid(sampler: EngineSampler, reduced: float) -> None:
    """Martini's bead size, this command's slab, heavy beads so that 20 fs is 0.0056 τ; 5 % or two errors, density 1 %."""
    molecule = CGMolecule(name="LJ", beads=(Bead(name="A", bead_type="A", mass=200.0),), molar_mass=200.0)
    types = (BeadType(name="A", chemical_class="A", size="R", mass=200.0),)
    table = BeadTable(
        name="LJ", bead_types=types, epsilon=np.array([[EPSILON]]), sigma=np.array([[SIGMA]]),
        scheme=NonbondedScheme(cutoff=2.5 * SIGMA),
    )  # fmt: skip
    phase = pure_phase("LJ", MoleculeModel(molecule=molecule, origin=""))
    result, _, _ = slab(sampler, phase, table, SLAB_PARTS, temperature=reduced * EPSILON / GAS_CONSTANT)
    unit = EPSILON / SIGMA**2 * 1.66053906717
    tension, density = VRABEC[reduced]
    bulk = result.profile.liquid.value / (200.0 * 1.66053906717) * SIGMA**3
    for name, found in (("pressure tensor", result.pressure_tensor), ("test area", result.test_area)):
        value, error = found.value / unit, found.standard_error / unit
        print(f"\nT* {reduced} γ* by {name} {value:.4f} ± {error:.4f}, Vrabec {tension}")
        assert abs(value - tension) < max(0.05 * tension, 2.0 * error)
    print(f"T* {reduced} ρ* {bulk:.4f}, Vrabec {density}; methods differ by {result.method_z:+.2f} errors")
    assert abs(bulk - density) < 0.01 * density
    assert abs(result.method_z) < 3.0
    assert result.alarms == ()
