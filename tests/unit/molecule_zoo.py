"""Molecules that between them hold every function number and every virtual site, and boxes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from engine_systems import ION, THREE_TYPES, W, everything, molecule, random_rotation

from topdown.model import (
    Angle,
    BeadTable,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    System,
    TabulatedPotential,
    VirtualSite,
)

_STEPS = np.linspace(0.0, 180.0, 37)
_RADIANS = np.radians(_STEPS)
WAVE = TabulatedPotential(
    x=_STEPS, energy=np.cos(3 * _RADIANS) + _RADIANS, slope=np.radians(1 - 3 * np.sin(3 * _RADIANS)), number=1
)
#: Slopes that are not those of its values: a spline through the values alone would be another potential.
KINKED = TabulatedPotential(x=np.linspace(0.0, 180.0, 7), energy=np.arange(7.0) % 3, slope=np.full(7, 0.02), number=4)

#: Changes of the cut-off's scheme that every engine must follow.
CUT_OFFS = [
    {"lj_modifier": "force-shift"},
    {"lj_modifier": "none"},
    {"epsilon_rf": 80.0},
    {"cutoff": 1.2, "epsilon_r": 2.5},
]


def with_cut_off(scheme: dict[str, object]) -> tuple[System, System, str]:
    """A box with every term, the same with another scheme, and the energy term in which they must differ."""
    system = everything()
    table = replace(system.table, scheme=replace(system.table.scheme, **scheme))
    return system, replace(system, table=table), "coulomb" if "epsilon_rf" in scheme else "lj"


def proper(k: float, n: int, function: int = 1, angle: float = 40.0) -> Dihedral:
    return Dihedral(atoms=(0, 1, 2, 3), angle=angle, force_constant=k, multiplicity=n, function=function)


def angles(function: int, *references: float) -> tuple[Angle, ...]:
    return tuple(
        Angle(atoms=(k, k + 1, k + 2), angle=a, force_constant=30.0 + k, function=function)
        for k, a in enumerate(references)
    )


BONDED = {
    "bond": {
        "bonds": (
            Bond(atoms=(0, 1), length=0.31, force_constant=2000.0),
            Bond(atoms=(1, 4), length=0.5, force_constant=500.0, function=6),
            Bond(atoms=(2, 3), length=0.33, force_constant=900.0),
        ),
        "constraints": (Constraint(atoms=(3, 4), length=0.3), Constraint(atoms=(4, 5), length=0.3, function=2)),
        "exclusions": ((0, 5), (1, 3)),
    },
    "angle-1": {"angles": angles(1, 100.0, 140.0)},
    "angle-2": {"angles": angles(2, 100.0, 180.0)},
    "angle-10": {"angles": angles(10, 100.0, 140.0)},
    "angle-8": {
        "angles": tuple(
            Angle(atoms=(k, k + 1, k + 2), angle=0.0, force_constant=20.0, function=8, table=table)
            for k, table in enumerate((WAVE, KINKED, WAVE))
        )
    },
    "dihedral-1": {"dihedrals": (proper(3.0, 2), proper(2.0, -3), proper(1.5, 0))},
    "dihedral-9": {"dihedrals": (proper(3.0, 1, 9), proper(2.0, 2, 9, -110.0))},
    "dihedral-2": {
        "dihedrals": tuple(
            Dihedral(atoms=(k, k + 1, k + 2, k + 3), angle=angle, force_constant=40.0)
            for k, angle in enumerate((170.0, -175.0, 20.0))
        )
    },
    "dihedral-3": {
        "dihedrals": (
            Dihedral(
                atoms=(1, 2, 3, 4),
                angle=0,
                force_constant=0,
                function=3,
                coefficients=(9.3, 12.2, -13.1, -3.1, 26.2, -31.5),
            ),
        )
    },
    "dihedral-11": {
        "dihedrals": (
            Dihedral(
                atoms=(0, 1, 2, 3), angle=0, force_constant=1.5, function=11, coefficients=(4.0, -3.0, 2.0, 1.0, -0.7)
            ),
        )
    },
}

SITES = (
    ("2", (0, 1), (0.3,)),
    ("2fd", (1, 0), (0.21,)),
    ("3", (0, 1, 2), (0.4, 0.35)),
    ("3fd", (0, 1, 2), (0.4, -0.22)),
    ("3fad", (2, 1, 0), (110.0, 0.24)),
    ("3out", (0, 1, 2), (0.3, 0.25, -2.0)),
    ("4fdn", (0, 1, 2, 3), (0.8, 0.9, 0.2)),
    ("n", (3,), (2.0,)),
    ("n", (0, 3), (1.0, 3.0)),
    ("n", (0, 1, 3), (1.0, 1.0, 2.0)),
    ("n", (0, 1, 2, 3), (1.0, 1.0, 1.0, -0.5)),
)


def with_sites(*sites: tuple[str, tuple[int, ...], tuple[float, ...]], rigid: bool = False) -> CGMolecule:
    """Four beads on a frame, and charged sites built from them; bead 4 is the first site."""
    n = len(sites)
    bonds = tuple(Bond(atoms=(k, k + 1), length=0.35, force_constant=3000.0) for k in range(3))
    edges = tuple(Constraint(atoms=pair, length=0.35) for pair in combinations(range(4), 2))
    return molecule(
        "VST",
        "BBCC" + "A" * n,
        masses=[54.0, 60.0, 66.0, 72.0] + [0.0] * n,
        charges=[0.2, 0.0, -0.3, 0.0] + [0.4] * n,
        bonds=() if rigid else bonds,
        constraints=edges if rigid else (),
        virtual_sites=tuple(
            VirtualSite(site=4 + k, construction=c, atoms=a, parameters=p) for k, (c, a, p) in enumerate(sites)
        ),
        exclusions=tuple((i, j) for j in range(4, 4 + n) for i in range(j)),
    )


#: As in Martini 3's cholesterol: three constrained beads carry all mass, the others are built from them.
STEROL = molecule(
    "STE",
    "BBBAAC",
    masses=[132.0, 132.0, 132.0, 0.0, 0.0, 72.0],
    charges=[0.0, 0.0, 0.0, 0.3, -0.3, 0.0],
    constraints=tuple(Constraint(atoms=a, length=d) for a, d in (((0, 1), 0.48), ((0, 2), 0.52), ((1, 2), 0.47))),
    bonds=(Bond(atoms=(2, 5), length=0.42, force_constant=1250.0),),
    virtual_sites=(
        VirtualSite(site=3, construction="3out", atoms=(0, 1, 2), parameters=(0.6, 0.2, 1.1)),
        VirtualSite(site=4, construction="3out", atoms=(1, 0, 2), parameters=(0.3, 0.3, -1.4)),
    ),
    exclusions=tuple((i, j) for j in range(6) for i in range(j)),
    positions=np.array([[0, 0, 0], [0.48, 0, 0], [0.2966, 0.4271, 0], [0, 0, 0], [0, 0, 0], [0.55, 0.76, 0.0]]),
)


def frame(m: CGMolecule, rng: np.random.Generator) -> np.ndarray:
    """The molecule's own shape, or a crooked walk; centred."""
    shape = list(m.positions) if m.positions is not None else [np.zeros(3)]
    while len(shape) < m.n_beads:
        step = rng.standard_normal(3)
        trial = shape[-1] + 0.3 * step / np.linalg.norm(step)
        if min(np.linalg.norm(trial - other) for other in shape) > 0.27:
            shape.append(trial)
    return np.array(shape) - np.mean(shape, axis=0)


def scattered(
    components: tuple[tuple[CGMolecule, int], ...],
    *,
    table: BeadTable = THREE_TYPES,
    spacing: float = 1.3,
    seed: int = 3,
) -> System:
    """Molecules turned at random on a grid; the first beads are wrapped one by one, and made whole again."""
    rng = np.random.default_rng(seed)
    frames = {id(m): frame(m, rng) for m, _ in components}
    edge = int(np.ceil(sum(count for _, count in components) ** (1 / 3)))
    box = np.array([edge * spacing, edge * spacing - 0.3, edge * spacing + 0.3])
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3), axis=-1).reshape(-1, 3) / edge * box
    kinds = [m for m, count in components for _ in range(count)]
    blocks = [
        frames[id(m)] @ random_rotation(rng).T + center + rng.uniform(-0.05, 0.05, 3) for m, center in zip(kinds, grid)
    ]
    return System(table=table, components=components, positions=np.concatenate(blocks) % box, box=box).whole()


def in_a_box(m: CGMolecule) -> System:
    """Some of ``m`` among ions and water."""
    return scattered(((m, 4), (ION, 3), (W, 20)))


def six(**terms) -> CGMolecule:
    linked = terms.pop("bonds", tuple(Bond(atoms=(k, k + 1), length=0.3, force_constant=100.0) for k in range(5)))
    charges = [0.5, -0.5, 0.0, 0.3, 0.0, -0.3]
    return molecule("SIX", "AABBCC", charges=charges, bonds=linked, **terms)
