"""Every force is minus the derivative of its energy, every virial its strain derivative, and compiled code equals its twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from engine_systems import (
    NO_LENNARD_JONES,
    THREE_TYPES,
    W,
    constrained,
    everything,
    gate,
    molecule,
)

from topdown.engine import potential_energy, reference
from topdown.engine.observables import measure
from topdown.engine.parameters import Parameters, build_parameters
from topdown.model import Angle, Bond, CGMolecule, Dihedral, System

EDGE = 6.0


def _one(types: str, **terms) -> list[tuple[CGMolecule, int]]:
    return [(molecule("M", types, **terms), 1)]


def _dihedral_term(function: int, multiplicity: int) -> tuple[Dihedral]:
    term = Dihedral(atoms=(0, 1, 2, 3), angle=40, force_constant=12, multiplicity=multiplicity, function=function)
    return (term,)


PAIR_OF_IONS = {"charges": [1.0, -0.6]}
#: components, bead table and λ that leave one term alone
TERMS = {
    "lennard-jones": ([(molecule("M", "ABC"), 2)], THREE_TYPES, None),
    "reaction field": ([(molecule("M", "AB", **PAIR_OF_IONS), 3)], NO_LENNARD_JONES, None),
    "excluded reaction field": (_one("AB", **PAIR_OF_IONS, exclusions=((0, 1),)), NO_LENNARD_JONES, None),
    "bond 1": (_one("AB", bonds=(Bond(atoms=(0, 1), length=0.4, force_constant=3000.0),)), NO_LENNARD_JONES, None),
    "bond 6": (
        _one("AB", bonds=(Bond(atoms=(0, 1), length=0.9, force_constant=500.0, function=6),)),
        NO_LENNARD_JONES,
        None,
    ),
    **{
        f"angle {function}": (
            _one("ABA", angles=(Angle(atoms=(0, 1, 2), angle=120, force_constant=k, function=function),)),
            NO_LENNARD_JONES,
            None,
        )
        for function, k in ((1, 60.0), (2, 25.0))
    },
    **{
        f"dihedral {function}": (_one("ABAB", dihedrals=_dihedral_term(function, n)), NO_LENNARD_JONES, None)
        for function, n in ((1, 1), (9, 3), (2, 0))
    },
    **{f"soft core {lam}": ([(molecule("S", "BC"), 1), (W, 4)], THREE_TYPES, lam) for lam in (0.02, 0.3, 0.7, 1.0)},
}


def _configurations(name: str, n_wanted: int):
    """Random clusters in the middle of a large box, no pair near the cut-off, none overlapping, no angle near a singularity."""
    components, table, lam = TERMS[name]
    n_beads = sum(m.n_beads * count for m, count in components)
    rng = np.random.default_rng(len(name))
    parameters = build_parameters(
        System(table=table, components=tuple(components), positions=np.zeros((n_beads, 3)), box=[EDGE] * 3),
        solute_component=-1 if lam is None else 0,
    )
    closest = 0.05 if "soft" in name else 0.3
    found = 0
    while found < n_wanted:
        x = EDGE / 2 + rng.uniform(-0.45, 0.45, (n_beads, 3)) * (1.0 if n_beads < 5 else 1.4)
        i, j = np.triu_indices(n_beads, 1)
        r = np.linalg.norm(x[i] - x[j], axis=1)
        if name == "excluded reaction field" and r.max() > table.scheme.cutoff:
            continue
        if r.min() < closest or np.abs(r - table.scheme.cutoff).min() < 0.01:
            continue
        if name.startswith(("angle", "dihedral")) and _is_straight(x):
            continue
        if name == "dihedral 2" and abs(np.mod(_dihedral(x) - np.radians(40) + 2 * np.pi, 2 * np.pi) - np.pi) < 0.02:
            continue
        found += 1
        yield parameters, x, 1.0 if lam is None else lam


def _is_straight(x: np.ndarray) -> bool:
    a, b = x[:-2] - x[1:-1], x[2:] - x[1:-1]
    sine = np.linalg.norm(np.cross(a, b), axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return bool(sine.min() < 0.3)


def _dihedral(x: np.ndarray) -> float:
    """IUPAC angle as the turn between two projections on the plane normal to the middle bond."""
    axis = (x[2] - x[1]) / np.linalg.norm(x[2] - x[1])
    a, b = x[0] - x[1], x[3] - x[2]
    a, b = a - axis * (a @ axis), b - axis * (b @ axis)
    return float(np.arctan2(np.cross(a, b) @ axis, a @ b))


def _derivative(f: Callable[[float], float], h: float) -> float:
    """Five-point central difference at zero."""
    return (8.0 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12.0 * h)


def _energy(parameters: Parameters, x: np.ndarray, box: np.ndarray, lam: float) -> float:
    return float(measure(parameters, x, box, lam=lam)[0].sum())


@pytest.mark.parametrize("name", list(TERMS))
def test_force_is_minus_the_derivative_of_the_energy(name):
    box = np.full(3, EDGE)
    errors, squares = [], []
    for n, (parameters, x, lam) in enumerate(_configurations(name, 200)):
        forces = measure(parameters, x, box, lam=lam)[2]
        squares.append(np.mean(forces**2))
        for coordinate in (n % x.size, (n + 4) % x.size):  # in turn over the configurations
            unit = np.zeros(x.size)
            unit[coordinate] = 1.0
            unit = unit.reshape(x.shape)
            slope = _derivative(lambda h: _energy(parameters, x + h * unit, box, lam), 1e-4)  # noqa: B023
            errors.append((forces.flat[coordinate] + slope) / np.sqrt(squares[-1]))
    assert np.sqrt(np.mean(squares)) > 0.5, "the term does nothing here"
    gate(f"force of {name} against differences / F_rms", float(np.abs(errors).max()), 1e-6)


@pytest.mark.parametrize("name", list(TERMS))
def test_virial_is_half_the_strain_derivative(name):
    box, errors = np.full(3, EDGE), []
    for parameters, x, lam in _configurations(name, 10):
        virial = measure(parameters, x, box, lam=lam)[1]
        numeric = np.empty((3, 3))
        for a in range(3):
            for b in range(3):

                def strained(h: float, a: int = a, b: int = b) -> float:
                    y = x.copy()  # noqa: B023
                    y[:, a] += h * x[:, b]  # noqa: B023
                    return _energy(parameters, y, box, lam)  # noqa: B023

                numeric[b, a] = 0.5 * _derivative(strained, 2e-5)
        errors.append(np.abs(virial - numeric).max() / max(np.abs(virial).max(), 1e-3))
    gate(f"virial of {name} against strain, relative", float(max(errors)), 1e-6)


def test_virial_of_a_periodic_box_is_half_the_strain_derivative():
    """The box is strained with the beads, so that pairs over the boundary count; no pair may cross the cut-off."""
    errors = []
    for seed in range(40):
        system = everything(seed)
        x, box, parameters = np.array(system.whole().positions), np.array(system.box), build_parameters(system)
        i, j = np.triu_indices(len(x), 1)
        r = np.linalg.norm(reference.minimum_image(x[i] - x[j], box), axis=1)
        if np.abs(r - parameters.pair.cutoff).min() < 2e-5:
            continue
        virial = measure(parameters, x, box)[1]
        for d in range(3):

            def strained(h: float, d: int = d) -> float:
                scale = np.ones(3)
                scale[d] += h
                return _energy(parameters, x * scale, box * scale, 1.0)  # noqa: B023

            errors.append(abs(virial[d, d] - 0.5 * _derivative(strained, 5e-6)) / np.abs(virial).max())
    assert len(errors) >= 15
    gate("virial of a periodic box against strain, relative", float(max(errors)), 1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lam", [None, 0.0, 0.01, 0.35, 0.9, 1.0])
def test_compiled_code_equals_its_numpy_twin(seed, lam):
    system = constrained(seed) if seed % 3 == 2 else everything(seed)
    x, box = np.array(system.whole().positions), np.array(system.box)
    parameters = build_parameters(system, solute_component=-1 if lam is None else len(system.components) - 2)
    energies, virial, forces = measure(parameters, x, box, lam=1.0 if lam is None else lam)
    twin = reference.total(parameters, x, box, lam=1.0 if lam is None else lam)
    terms = dict(zip(reference.TERMS, energies))
    expected = dict(zip(reference.TERMS, twin.energies))
    largest_pair = np.abs(twin.energies).max()
    assert terms == pytest.approx(expected, rel=1e-12, abs=1e-12 * largest_pair)
    gate("forces against the twin, relative", np.abs(forces - twin.forces).max() / np.abs(twin.forces).max(), 1e-12)
    gate("virial against the twin, relative", np.abs(virial - twin.virial).max() / np.abs(twin.virial).max(), 1e-12)
    gate("sum of forces, relative", np.abs(forces.sum(axis=0)).max() / np.abs(forces).sum(), 1e-12)


def test_every_term_is_there_in_the_system_the_twins_compare():
    terms = potential_energy(everything(1))
    assert min(abs(v) for v in (terms.lj, terms.coulomb, terms.bond, terms.angle, terms.dihedral)) > 1.0
    total = terms.lj + terms.coulomb + terms.bond + terms.angle + terms.dihedral
    assert terms.potential == pytest.approx(total, rel=1e-14)
    assert np.isnan(terms.pressure).all()


def test_moving_a_bead_by_a_box_edge_changes_nothing():
    system = everything(3)
    shifted = system.positions.copy()
    shifted[::3] += system.box * [1, -2, 1]
    one, two = potential_energy(system), potential_energy(system.with_coordinates(shifted))
    assert two.potential == pytest.approx(one.potential, rel=1e-12)
    assert np.abs(one.forces - two.forces).max() < 1e-9 * np.abs(one.forces).max()
