"""Signs, phases and refusals of transfer free energies; an exactly known coupling free energy through the whole chain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import topdown.properties.planned_runs as planned_runs
from topdown.errors import SamplingError, SettingsError
from topdown.estimators.reweighting import pool_samples
from topdown.model import Bead, BeadTable, BeadType, Bond, CGMolecule, Estimate, NonbondedScheme
from topdown.model.requests import CouplingRequest, charges_last
from topdown.properties.molecule_models import MoleculeModel
from topdown.properties.phases import Phase, find_phase, pure_phase, solvent_components
from topdown.properties.sampler import EngineSampler
from topdown.properties.transfer import (
    CHARGES,
    LAMBDAS,
    SolvationResult,
    coupling_request,
    measured_transfer,
    transfer_free_energy,
)
from topdown.properties.window_runs import load_box
from topdown.tables import load_bead_table, load_molecule
from topdown.units import COULOMB_CONSTANT, kj_mol_per_log_unit, kt


def leg(phase: str, value: float, error: float) -> SolvationResult:
    estimate = Estimate(value=value, standard_error=error, n_effective=100.0)
    return SolvationResult(phase=phase, delta_g=estimate, overlap=0.2, n_windows=9, n_frames=900, n_solvent=400)


def phase(name: str) -> Phase:
    if name == "gas":
        return Phase(name="gas")
    molecule = CGMolecule(name=name, beads=(Bead(name="A", bead_type="A"),))
    return pure_phase(name, MoleculeModel(molecule=molecule, origin=""))


def test_transfer_is_the_difference_of_the_legs() -> None:
    legs = {"water": leg("water", 10.0, 0.3), "octanol": leg("octanol", -14.0, 0.4)}
    result = transfer_free_energy(phase("water"), phase("octanol"), legs, temperature=298.15, canonical_smiles="x")
    assert result.delta_g.value == pytest.approx(-24.0)
    assert result.delta_g.standard_error == pytest.approx(0.5)
    assert result.log_p == pytest.approx(24.0 / 5.708, rel=1e-4)
    assert result.log_p_error == pytest.approx(0.5 / kj_mol_per_log_unit(298.15))
    back = transfer_free_energy(phase("octanol"), phase("water"), legs, temperature=298.15, canonical_smiles="x")
    assert back.delta_g.value == pytest.approx(24.0)
    from_gas = transfer_free_energy(phase("gas"), phase("water"), legs, temperature=298.15, canonical_smiles="x")
    assert from_gas.delta_g.value == pytest.approx(10.0)
    assert len(from_gas.legs) == 1


def test_measured_values_have_the_sign_of_the_question() -> None:
    """Octane is at home in octanol (log P about 5.15), ethanol hardly less so in water; both float out of water."""
    there = measured_transfer("CCCCCCCC", "water", "octanol")
    back = measured_transfer("CCCCCCCC", "octanol", "water")
    assert there is not None
    assert back is not None
    assert -32.0 < there.value < -27.0
    assert back.value == -there.value
    hydration = measured_transfer("CCO", "gas", "water")
    assert hydration is not None
    assert -24.0 < hydration.value < -18.0
    assert measured_transfer("CCO", "octanol", "hexadecane") is None


@pytest.mark.parametrize("oil", ["octanol", "dry octanol", "hexadecane", "water"])
def test_boxes_hold_the_solute_twice_over(oil: str) -> None:
    table = load_bead_table("martini3")
    solute = load_molecule("martini3", "HD")
    components = solvent_components(solute, find_phase(oil, "martini3"), table)
    assert sum(n * solvent.n_beads for solvent, n in components) >= 400
    from topdown.building.conformation import conformation_of
    from topdown.building.liquid import estimated_volume

    length = float(np.ptp(conformation_of(solute), axis=0).max())
    assert sum(n * estimated_volume(solvent, table) for solvent, n in components) ** (1 / 3) >= 2.2 + length


def test_refusals() -> None:
    table = load_bead_table("martini3")
    water = find_phase("water", "martini3")
    ion = load_molecule("martini3", "NA")
    with pytest.raises(SettingsError, match=r"net charge of \+1"):
        coupling_request(ion, water, table, temperature=300.0, nanoseconds=0.1, seed=1)
    zwitterion = CGMolecule(
        name="ZWI",
        beads=(Bead(name="P", bead_type="Q1", charge=1.0), Bead(name="M", bead_type="Q5", charge=-1.0)),
        bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=5000.0),),
    )
    request = coupling_request(zwitterion, water, table, temperature=300.0, nanoseconds=0.1, seed=1)
    assert request.charge_lambdas == (*(0.0,) * len(LAMBDAS), *CHARGES)
    assert request.lambdas == (*LAMBDAS, *(1.0,) * len(CHARGES))
    hexane = load_molecule("martini3", "HEX")
    assert coupling_request(hexane, water, table, temperature=300.0, nanoseconds=0.1, seed=1).charge_lambdas is None
    with pytest.raises(SettingsError, match="gas"):
        coupling_request(hexane, find_phase("gas", "martini3"), table, temperature=300.0, nanoseconds=0.1, seed=1)
    with pytest.raises(SettingsError, match="out of range"):
        coupling_request(hexane, water, table, temperature=300.0, nanoseconds=0.0, seed=1)


def widom(
    table: BeadTable, positions: list[np.ndarray], boxes: list[np.ndarray], temperature: float, qq: float
) -> np.ndarray:
    """exp(-U/kT) of a B bead put at random places of frames of A: a second way to the same free energy."""
    rng = np.random.default_rng(8)
    sigma, epsilon = table.pair("A", "B")
    cutoff = table.scheme.cutoff
    shift = 4 * epsilon * ((sigma / cutoff) ** 12 - (sigma / cutoff) ** 6)
    factors = []
    for x, box in zip(positions, boxes):
        trial = rng.random((400, 3)) * box
        gap = trial[:, None, :] - x[None, :, :]
        gap -= box * np.rint(gap / box)
        r2 = np.maximum((gap**2).sum(axis=-1), 1e-4)
        sr6 = (sigma**2 / r2) ** 3
        scale = COULOMB_CONSTANT / table.scheme.epsilon_r * qq
        coulomb = scale * (1 / np.sqrt(r2) + r2 / (2 * cutoff**3) - 1.5 / cutoff)
        energy = np.where(r2 < cutoff**2, 4 * epsilon * (sr6**2 - sr6) - shift + coulomb, 0.0).sum(axis=1)
        factors.append(np.exp(-energy / kt(temperature)).mean())
    return np.array(factors)


@pytest.mark.parametrize("charge", [0.0, 2.0])
def test_coupling_agrees_with_widom_insertion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, charge: float) -> None:
    """A small bead in a light solvent, without charges or drawn to the solvent's: soft core, charging and MBAR against
    particle insertion, which shares no code with them."""
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 2000)
    temperature = 300.0
    types = (
        BeadType(name="A", chemical_class="A", size="R", mass=72.0),
        BeadType(name="B", chemical_class="B", size="T", mass=36.0),
    )
    table = BeadTable(
        name="small", bead_types=types, epsilon=np.array([[3.2, 2.5], [2.5, 1.0]]),
        sigma=np.array([[0.44, 0.30], [0.30, 0.26]]), scheme=NonbondedScheme(cutoff=0.9, epsilon_r=5.0),
    )  # fmt: skip
    a = CGMolecule(name="A", beads=(Bead(name="A", bead_type="A", charge=-0.03 if charge else 0.0),))
    b = CGMolecule(name="B", beads=(Bead(name="B", bead_type="B", mass=36.0, charge=charge),))
    lambdas, charges = charges_last((0.0, 0.3, 0.6, 1.0), (0.5, 1.0) if charge else ())
    request = CouplingRequest(
        solute=b, solvent=a, n_solvent=110, table=table, temperature=temperature, pressure=20.0,
        lambdas=lambdas, charge_lambdas=charges if charge else None,
        n_equilibration=1000, n_steps=20000, every=40, seed=3,
    )  # fmt: skip
    sampler = EngineSampler(tmp_path, workers=1)
    pooled = pool_samples(sampler.sample([request]), np.random.default_rng(1))
    found = pooled.coupling_free_energy(min_effective=10)

    from topdown.engine import Simulation
    from topdown.sampling.equilibrate import production_settings

    box = planned_runs.windows_of(request)[0].box
    simulation = Simulation(load_box(box, sampler.store, table.subset({"A"})), production_settings(temperature, 20.0))
    frames: list[np.ndarray] = []
    boxes: list[np.ndarray] = []

    def keep(s: Simulation) -> None:
        frames.append(s.positions.copy())
        boxes.append(s.box.copy())

    simulation.run(40_000, every=100, observe=keep)
    factors = widom(table, frames, boxes, temperature, -0.03 * charge) * np.array([np.prod(b) for b in boxes])
    blocks = factors.reshape(10, -1).mean(axis=1) / np.mean([np.prod(b) for b in boxes])
    expected = -kt(temperature) * math.log(blocks.mean())
    error = kt(temperature) * float(blocks.std(ddof=1)) / math.sqrt(10) / float(blocks.mean())
    z = (found.value - expected) / math.hypot(error, found.standard_error)
    print(
        f"\ncoupling {found.value:.2f} ± {found.standard_error:.2f}, insertion {expected:.2f} ± {error:.2f}, z {z:+.2f}"
    )
    assert math.hypot(error, found.standard_error) < 0.5
    assert abs(z) < 3.0


def test_too_little_sampling_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_runs, "LIQUID_EQUILIBRATION", 50)
    types = (BeadType(name="A", chemical_class="A", size="R", mass=72.0),)
    table = BeadTable(
        name="small", bead_types=types, epsilon=np.array([[3.2]]), sigma=np.array([[0.4]]),
        scheme=NonbondedScheme(cutoff=0.8),
    )  # fmt: skip
    a = CGMolecule(name="A", beads=(Bead(name="A", bead_type="A"),))
    request = CouplingRequest(
        solute=a, solvent=a, n_solvent=80, table=table, temperature=400.0, pressure=1.0, lambdas=(0.0, 1.0),
        n_equilibration=10, n_steps=100, every=10, seed=3,
    )  # fmt: skip
    windows = EngineSampler(tmp_path, workers=1).sample([request])
    with pytest.raises(SamplingError, match="effective samples"):
        pool_samples(windows, np.random.default_rng(1)).coupling_free_energy()
