"""Every force is minus the derivative of its energy, every virial its strain derivative, and compiled code equals its twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_systems import (
    NO_LENNARD_JONES,
    THREE_TYPES,
    W,
    bead_table,
    constrained,
    everything,
    gate,
    molecule,
    rare,
    table_over_degrees,
)

from topdown.engine import forces as engine_forces
from topdown.engine import potential_energy, reference
from topdown.engine.observables import measure
from topdown.engine.parameters import Parameters, build_parameters
from topdown.model import (
    Angle,
    Bond,
    CGMolecule,
    Dihedral,
    FlatBottomRestraint,
    PositionRestraint,
    System,
    VirtualSite,
)

EDGE = 6.0


@pytest.fixture(autouse=True)
def _parts_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which compiled parts a system needs follows from its parameters; to ask at every point takes longer than its forces."""
    look_up, known = engine_forces.force_parts, {}

    def force_parts(frame, pair, bonded, *others, **options):
        key = id(pair), id(bonded), *options.items()
        if key not in known:
            known[key] = (
                look_up(frame, pair, bonded, *others, **options),
                pair,
                bonded,
            )  # kept, so that their ids are theirs
        return known[key][0]

    monkeypatch.setattr(engine_forces, "force_parts", force_parts)


def _one(types: str, **terms) -> list[tuple[CGMolecule, int]]:
    return [(molecule("M", types, **terms), 1)]


def _dihedral_term(function: int, multiplicity: int) -> tuple[Dihedral]:
    coefficients = {3: (3.0, -6.0, 8.0, 5.0, -7.0, 4.0), 11: (2.0, -1.0, 3.0, 5.0, -4.0)}.get(function, ())
    term = Dihedral(
        atoms=(0, 1, 2, 3), angle=40, force_constant=12, multiplicity=multiplicity, function=function,
        coefficients=coefficients,
    )  # fmt: skip
    return (term,)


FORCE_SHIFTED = bead_table(THREE_TYPES.epsilon, THREE_TYPES.sigma, lj_modifier="force-shift")
CUT = bead_table(THREE_TYPES.epsilon, THREE_TYPES.sigma, lj_modifier="none")
#: Parameters of one site of each construction.
CONSTRUCTIONS = {
    "2": (0.3,), "2fd": (0.25,), "3": (0.4, -0.3), "3fd": (0.4, -0.2), "3fad": (110.0, 0.3), "3out": (0.3, 0.4, -1.5),
    "4fdn": (0.7, 1.2, 0.3), "n": (1.0, 3.0, -0.5, 2.0),
}  # fmt: skip
SIZES = {"2": 2, "2fd": 2, "4fdn": 4, "n": 4}


def _site(construction: str) -> list[tuple[CGMolecule, int]]:
    """Two molecules of which only the sites feel each other."""
    n = SIZES.get(construction, 3)
    site = VirtualSite(site=n, construction=construction, atoms=tuple(range(n)), parameters=CONSTRUCTIONS[construction])
    types, masses, charges = "A" * (n + 1), [72.0] * n + [0.0], [0.0] * n + [3.0]
    return [(molecule("M", types, masses=masses, charges=charges, virtual_sites=(site,)), 2)]


def _nested_sites() -> list[tuple[CGMolecule, int]]:
    """A site built from a bead and two sites, given in the wrong order."""
    sites = (
        VirtualSite(site=5, construction="3fd", atoms=(3, 4, 2), parameters=(0.4, 0.2)),
        VirtualSite(site=4, construction="3out", atoms=(0, 1, 2), parameters=(0.3, 0.4, 1.5)),
        VirtualSite(site=3, construction="2fd", atoms=(1, 0), parameters=(0.3,)),
    )
    charges = [0.0, 0.0, 0.0, 0.0, 1.0, 3.0]
    return [(molecule("M", "AAAAAA", masses=[72.0] * 3 + [0.0] * 3, charges=charges, virtual_sites=sites), 2)]


def _flat(geometry: int) -> list[tuple[CGMolecule, int]]:
    restraints = (
        FlatBottomRestraint(atom=0, geometry=geometry, radius=0.1, force_constant=400.0),
        FlatBottomRestraint(atom=1, geometry=geometry, radius=-0.6, force_constant=300.0),
    )
    return _one("AA", flat_bottom_restraints=restraints)


PAIR_OF_IONS = {"charges": [1.0, -0.6]}
#: components, bead table and λ that leave one term alone
TERMS = {
    "lennard-jones": ([(molecule("M", "ABC"), 2)], THREE_TYPES, None),
    "lennard-jones, force-shifted": ([(molecule("M", "ABC"), 2)], FORCE_SHIFTED, None),
    "lennard-jones, cut": ([(molecule("M", "ABC"), 2)], CUT, None),
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
        for function, k in ((1, 60.0), (2, 25.0), (10, 30.0))
    },
    "angle 8": (
        _one(
            "ABA", angles=(Angle(atoms=(0, 1, 2), angle=0, force_constant=2.0, function=8, table=table_over_degrees()),)
        ),
        NO_LENNARD_JONES,
        None,
    ),
    **{
        f"dihedral {function}": (_one("ABAB", dihedrals=_dihedral_term(function, n)), NO_LENNARD_JONES, None)
        for function, n in ((1, 1), (9, 3), (2, 0), (3, 0), (11, 0))
    },
    **{f"site {c}": (_site(c), NO_LENNARD_JONES, None) for c in CONSTRUCTIONS},
    "site of sites": (_nested_sites(), NO_LENNARD_JONES, None),
    "position restraint": (
        _one("AA", position_restraints=(PositionRestraint(atom=0, force_constants=(300.0, 0.0, 50.0)),)),
        NO_LENNARD_JONES,
        None,
    ),
    **{f"flat-bottom {g}": (_flat(g), NO_LENNARD_JONES, None) for g in range(1, 9)},
    **{f"soft core {lam}": ([(molecule("S", "BC"), 1), (W, 4)], THREE_TYPES, lam) for lam in (0.02, 0.3, 0.7, 1.0)},
}


def _configurations(name: str, n_wanted: int):
    """Random clusters in the middle of a large box, no pair near the cut-off, none overlapping, no angle near a singularity."""
    components, table, lam = TERMS[name]
    n_beads = sum(m.n_beads * count for m, count in components)
    rng = np.random.default_rng(len(name))
    start = EDGE / 2 + rng.uniform(-0.2, 0.2, (n_beads, 3))
    system = System(table=table, components=tuple(components), positions=start, box=[EDGE] * 3)
    parameters = build_parameters(system, solute_component=-1 if lam is None else 0)
    closest = 0.05 if "soft" in name else 0.1 if "site" in name else 0.3
    spread = 0.45 if n_beads < 5 else 0.55 if "site" in name else 0.63
    found = 0
    for _ in range(100_000):
        if found == n_wanted:
            return
        x = EDGE / 2 + rng.uniform(-spread, spread, (n_beads, 3))
        x = reference.place_sites(x, parameters.bonded.sites)
        i, j = np.triu_indices(n_beads, 1)
        r = np.linalg.norm(x[i] - x[j], axis=1)
        if name == "excluded reaction field" and r.max() > table.scheme.cutoff:
            continue
        if r.min() < closest or np.abs(r - table.scheme.cutoff).min() < 0.01:
            continue
        if name.startswith(("angle", "dihedral")) and _is_straight(x):
            continue
        half = n_beads // 2
        n_massive = np.count_nonzero(parameters.molecules.masses) // 2
        if "site" in name and (_is_degenerate(x[:half], n_massive) or _is_degenerate(x[half:], n_massive)):
            continue
        if name.startswith("flat") and _is_at_the_edge(x, parameters.bonded.restraints):
            continue
        if name == "dihedral 2" and abs(np.mod(_dihedral(x) - np.radians(40) + 2 * np.pi, 2 * np.pi) - np.pi) < 0.02:
            continue
        found += 1
        yield parameters, x, 1.0 if lam is None else lam
    raise AssertionError("hardly any configuration is accepted")


def _is_straight(x: np.ndarray) -> bool:
    a, b = x[:-2] - x[1:-1], x[2:] - x[1:-1]
    sine = np.linalg.norm(np.cross(a, b), axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return bool(sine.min() < 0.3)


def _is_degenerate(x: np.ndarray, n_massive: int) -> bool:
    """Whether three beads hardly span a plane, or four hardly the normal that 4fdn goes along."""
    if n_massive < 3:
        return False
    a, b = x[1] - x[0], x[2] - x[0]
    p, q, _ = CONSTRUCTIONS["4fdn"]
    normal = np.cross(p * b - a, q * (x[3] - x[0]) - a) if n_massive == 4 else np.cross(a, b)
    return bool(np.linalg.norm(normal) < 0.05)


def _is_at_the_edge(x: np.ndarray, restraints) -> bool:
    """Where a flat bottom ends the second derivative jumps, and differences are not exact."""
    d = np.linalg.norm((x[restraints.flat_beads] - restraints.flat_points) * restraints.flat_axes, axis=1)
    return bool(np.abs(d - np.abs(restraints.flat_values[:, 0])).min() < 1e-3 or d.min() < 1e-3)


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
        assert np.all(forces[parameters.molecules.masses == 0.0] == 0.0)
        for coordinate in (n % x.size, (n + 4) % x.size):  # in turn over the configurations
            unit = np.zeros(x.size)
            unit[coordinate] = 1.0
            unit = unit.reshape(x.shape)
            slope = _derivative(lambda h: _energy(parameters, x + h * unit, box, lam), 1e-4)  # noqa: B023
            errors.append((forces.flat[coordinate] + slope) / (np.sqrt(squares[-1]) or 1.0))  # 1: out of reach
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


@pytest.mark.parametrize(("make", "scaling"), [(everything, "no"), (rare, "no"), (rare, "all")])
def test_virial_of_a_periodic_box_is_half_the_strain_derivative(make, scaling):
    """The box is strained with the beads, so that pairs over the boundary count; no pair may cross the cut-off."""
    errors = []
    for seed in range(40):
        system = make(seed)
        x, box = np.array(system.whole().positions), np.array(system.box)
        parameters = build_parameters(system, refcoord_scaling=scaling)
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
    gate(f"virial of a periodic box ({make.__name__}, {scaling}) against strain, relative", float(max(errors)), 1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lam", [None, 0.0, 0.01, 0.35, 0.9, 1.0])
def test_compiled_code_equals_its_numpy_twin(seed, lam):
    system = (everything, rare, constrained)[seed % 3](seed)
    if lam is None and seed > 2:
        table = replace(system.table, scheme=replace(system.table.scheme, lj_modifier="force-shift"))
        system = replace(system, table=table)
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
    if system.reference_positions is None:
        gate("sum of forces, relative", np.abs(forces.sum(axis=0)).max() / np.abs(forces).sum(), 1e-12)
    else:
        assert np.all(forces[parameters.molecules.masses == 0.0] == 0.0)


def test_every_term_is_there_in_the_system_the_twins_compare():
    for terms in (potential_energy(everything(1)), potential_energy(rare(1))):
        parts = [getattr(terms, name) for name in reference.TERMS]
        assert min(abs(v) for v in parts[:5]) > 1.0
        assert terms.potential == pytest.approx(sum(parts), rel=1e-14)
    assert terms.restraint > 1.0
    total = sum(parts)
    assert terms.potential == pytest.approx(total, rel=1e-14)
    assert np.isnan(terms.pressure).all()


def test_moving_a_bead_by_a_box_edge_changes_nothing():
    system = everything(3)
    shifted = system.positions.copy()
    shifted[::3] += system.box * [1, -2, 1]
    one, two = potential_energy(system), potential_energy(system.with_coordinates(shifted))
    assert two.potential == pytest.approx(one.potential, rel=1e-12)
    assert np.abs(one.forces - two.forces).max() < 1e-9 * np.abs(one.forces).max()


def _line(x: list[tuple[float, float, float]], **terms) -> System:
    m = molecule("M", "A" * len(x), **terms)
    return System(table=NO_LENNARD_JONES, components=((m, 1),), positions=np.array(x), box=[EDGE] * 3)


@pytest.mark.parametrize("opening", [0.0, 1e-9, 1e-6, 1e-4, 3e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_restricted_bending_pushes_away_from_the_line_and_stays_finite(opening, side):
    """At 180° and at 0°: the energy neither falls nor jumps towards the line, and the force is what the energy says."""
    angle = Angle(atoms=(0, 1, 2), angle=110.0, force_constant=40.0, function=10)
    energies = []
    for y in (opening, 1.01 * opening + 1e-12):
        x = [(0.4, 0.0, 0.0), (0.0, 0.0, 0.0), (-side * 0.4, y * 0.4, 0.0)]
        terms = potential_energy(_line(x, angles=(angle,)))
        assert np.isfinite(terms.forces).all()
        assert np.isfinite(terms.angle)
        assert terms.forces[2, 1] >= 0.0
        energies.append(terms.angle)
    assert energies[1] <= energies[0] * (1.0 + 1e-12)
    if opening in (1e-4, 3e-4, 1e-2):

        def energy(h: float) -> float:
            bent = [(0.4, 0.0, 0.0), (0.0, 0.0, 0.0), (-side * 0.4, opening * 0.4 + h, 0.0)]
            return potential_energy(_line(bent, angles=(angle,))).angle

        force = potential_energy(
            _line([(0.4, 0, 0), (0, 0, 0), (-side * 0.4, opening * 0.4, 0)], angles=(angle,))
        ).forces
        assert force[2, 1] == pytest.approx(-_derivative(energy, 1e-3 * opening), rel=1e-4)


def test_restricted_bending_is_finite_at_a_straight_minimum():
    angle = Angle(atoms=(0, 1, 2), angle=180.0, force_constant=40.0, function=10)
    for y in (0.0, 1e-8, 1e-5, 1e-3):
        terms = potential_energy(_line([(0.4, 0, 0), (0, 0, 0), (-0.4, y, 0)], angles=(angle,)))
        assert terms.angle == pytest.approx(20.0 * np.tan(0.5 * np.arctan2(y, 0.4)) ** 2, abs=1e-5)
        assert np.abs(terms.forces).max() < 200.0 * y + 1e-6


@pytest.mark.parametrize("bend", [0.0, 1e-9, 1e-6, 1e-3])
def test_combined_bending_torsion_vanishes_smoothly_on_a_line(bend):
    """U and its force go to zero as the third and second power of sin θ, in whatever direction the line is left."""
    coefficients = (2.0, -1.0, 3.0, 5.0, -4.0)
    term = Dihedral(atoms=(0, 1, 2, 3), angle=0, force_constant=12.0, function=11, coefficients=coefficients)
    for direction in range(8):
        y, z = bend * np.cos(direction), bend * np.sin(direction)
        x = [(-0.4, y, z), (0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (0.6, 0.35, 0.0)]
        terms = potential_energy(_line(x, dihedrals=(term,)))
        scale = 12.0 * sum(map(abs, coefficients))
        assert abs(terms.dihedral) <= scale * (bend / 0.4) ** 3 * (1.0 + 1e-9)
        assert np.abs(terms.forces).max() <= 20.0 * scale / 0.4 * (bend / 0.4) ** 2 + 1e-12
        assert np.isfinite(terms.forces).all()
