"""Umbrella sampling, on systems small enough that the answer is an integral."""

from __future__ import annotations

import numpy as np

from topdown.model import Bead, BeadTable, BeadType, Bond, CGMolecule, System
from topdown.properties.membrane_profile import partition_profile
from topdown.properties.membrane_umbrella import DOWN, UP, ProfileSamples, WindowRun
from topdown.sampling.umbrella import Umbrella, pulled, run_umbrella, umbrella_settings
from topdown.units import kt

TEMPERATURE = 300.0
SIGMA, EPSILON, EDGE = 0.47, 9.0, 2.4


def table(epsilon: float) -> BeadTable:
    types = tuple(BeadType(name=name, chemical_class=name, size="R", mass=30.0) for name in ("A", "B"))
    matrix = np.array([[0.0, epsilon], [epsilon, 0.0]])
    return BeadTable(name="pair", bead_types=types, epsilon=matrix, sigma=np.full((2, 2), SIGMA))


def bead(kind: str, name: str) -> Bead:
    return Bead(name=name, bead_type=kind, mass=30.0)


def pair(epsilon: float = EPSILON, z: float = 0.8) -> tuple[System, Umbrella]:
    """One bead, the bilayer, and one solute bead."""
    bilayer = CGMolecule(name="MEM", beads=(bead("A", "M"),))
    solute = CGMolecule(name="SOL", beads=(bead("B", "S"),))
    positions = np.array([[0.3, 0.4, 0.0], [1.5, 1.2, z]])
    system = System(
        table=table(epsilon),
        components=((bilayer, 1), (solute, 1)),
        positions=positions,
        box=np.array([EDGE, EDGE, 6.0]),
    )
    return system, Umbrella(solute=(1,), lipids=(0,), spring=100.0)


def chains() -> tuple[System, Umbrella]:
    """Two chains of two beads, across the face of the box, and a solute of two beads; no non-bonded interaction."""
    chain = CGMolecule(
        name="MEM",
        beads=(bead("A", "H"), bead("A", "T")),
        bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=500.0),),
    )
    solute = CGMolecule(
        name="SOL",
        beads=(bead("B", "S"), bead("B", "R")),
        bonds=(Bond(atoms=(0, 1), length=0.3, force_constant=900.0),),
    )
    rng = np.random.default_rng(4)
    positions = rng.uniform(0.0, 1.0, size=(6, 3))
    positions[1::2] = positions[::2] + np.array([0.0, 0.0, 0.35])
    positions[2:4, 2] += 7.2
    system = System(
        table=table(0.0), components=((chain, 2), (solute, 1)), positions=positions, box=np.array([3.0, 3.0, 8.0])
    )
    return system, Umbrella(solute=(4, 5), lipids=(0, 1, 2, 3), spring=100.0)


def test_without_interactions_zeta_spreads_as_the_spring_lets_it() -> None:
    """Mean q and var ζ = kT/k, while nothing holds the bilayer, which drifts by many times that."""
    system, umbrella = chains()
    settings = umbrella_settings(TEMPERATURE, None)
    samples = run_umbrella(
        system, umbrella, 1.3, settings=settings, n_equilibration=1000, n_steps=60_000, every=40, seed=5
    )
    zeta = samples.frames[:, 0]
    n = len(zeta) / 4  # frames 0.8 ps apart, decay within 3 ps
    spread = kt(TEMPERATURE) / umbrella.spring
    assert abs(zeta.mean() - 1.3) < 4 * np.sqrt(spread / n)
    assert abs(zeta.var() / spread - 1) < 4 * np.sqrt(2 / n)
    assert np.all(samples.frames[:, 1] == 9.0)
    assert abs(samples.end.positions[:4, 2].mean() - system.positions[:4, 2].mean()) > 1.0


def test_pulling_takes_the_solute_along() -> None:
    system, umbrella = pair(epsilon=0.5, z=1.0)
    reached = pulled(system, umbrella, [1.0, 0.4, -1.0], temperature=TEMPERATURE, pressure=None, steps=400, seed=1)
    assert len(reached) == 3
    zeta = [found.positions[1, 2] - found.positions[0, 2] for found in reached]
    np.testing.assert_allclose(zeta, [1.0, 0.4, -1.0], atol=5 * np.sqrt(kt(TEMPERATURE) / 100.0))


def exact(z: np.ndarray) -> np.ndarray:
    """ΔG(z) = -kT ln ⟨e^{-βu}⟩ over the plane, of a Lennard-Jones pair cut and shifted at 1.1 nm in the periodic box."""
    x = (np.arange(400) + 0.5) / 400 * EDGE - EDGE / 2
    plane = x[:, None] ** 2 + x[None, :] ** 2

    def energy(r2: np.ndarray) -> np.ndarray:
        s = SIGMA**6 / r2**3
        return 4 * EPSILON * (s**2 - s)

    values = []
    for height in z:
        r2 = plane + height**2
        u = np.where(r2 < 1.1**2, energy(r2) - energy(np.array(1.1**2)), 0.0)
        values.append(-kt(TEMPERATURE) * np.log(np.mean(np.exp(-u / kt(TEMPERATURE)))))
    return np.array(values)


def test_profile_of_a_lennard_jones_pair_is_that_of_an_integral() -> None:
    system, umbrella = pair()
    settings = umbrella_settings(TEMPERATURE, None)
    runs = []
    for k, target in enumerate(np.arange(-2.0, 2.01, 0.25)):
        for way in (DOWN, UP):
            moved = system.positions.copy()
            moved[1, 2] = target
            start = system.with_coordinates(moved, system.box)
            found = run_umbrella(
                start, umbrella, float(target), settings=settings, n_equilibration=1000, n_steps=24_000, every=80,
                seed=1000 * way + k,
            )  # fmt: skip
            runs.append(WindowRun(target=float(target), way=way, frames=found.frames))
    samples = ProfileSamples(runs=tuple(runs), densities={"lipids": np.ones(160)}, n_lipids=2, spring=umbrella.spring)
    seen = partition_profile(samples, temperature=TEMPERATURE, molar_mass=0.0, depth=1.2, replicates=10)
    fine = (np.arange(20) + 0.5) / 200 - 0.05
    truth = np.array(
        [-kt(TEMPERATURE) * np.log(np.mean(np.exp(-exact(z + fine) / kt(TEMPERATURE)))) for z in seen.profile.z]
    )
    inside = np.abs(seen.profile.z) < 1.6
    z_scores = (seen.profile.delta_g - truth)[inside] / seen.standard_error[inside]
    assert truth.min() < -2.0
    assert np.sqrt(np.mean(z_scores**2)) < 2.0, z_scores
    grid = (np.arange(1200) + 0.5) / 1000
    log_k = np.log10(np.mean(np.exp(-exact(grid) / kt(TEMPERATURE))))
    assert seen.log_k_v.standard_error < 0.06
    assert abs(seen.log_k_v.value - log_k) < 3.5 * seen.log_k_v.standard_error
