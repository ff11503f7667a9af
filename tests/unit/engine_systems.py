"""Small systems that between them hold every term the engine has."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from topdown.engine import reference
from topdown.engine.parameters import build_parameters
from topdown.model import (
    Angle,
    Bead,
    BeadTable,
    BeadType,
    Bond,
    CGMolecule,
    Constraint,
    Dihedral,
    FlatBottomRestraint,
    NonbondedScheme,
    PositionRestraint,
    System,
    TabulatedPotential,
    VirtualSite,
)

CUTOFF = 1.1
#: Whether this process runs the tests of pairs once more, with registers of another width (``test_simd.py``).
OTHER_WIDTH = bool(os.environ.get("TOPDOWN_SIMD_WIDTH"))
REFERENCE_DATA = Path(__file__).resolve().parents[1] / "reference_data"


def bead_table(
    epsilon: Sequence[Sequence[float]],
    sigma: Sequence[Sequence[float]],
    *,
    cutoff: float = CUTOFF,
    lj_modifier: str = "potential-shift",
) -> BeadTable:
    """Types A, B, C … with these matrices."""
    names = "ABCDEFGH"[: len(epsilon)]
    return BeadTable(
        name="toy",
        bead_types=tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in names),
        epsilon=np.array(epsilon),
        sigma=np.array(sigma),
        scheme=NonbondedScheme(cutoff=cutoff, lj_modifier=lj_modifier),
    )


THREE_TYPES = bead_table(
    [[4.65, 3.1, 2.0], [3.1, 2.4, 1.2], [2.0, 1.2, 0.8]], [[0.47, 0.43, 0.40], [0.43, 0.41, 0.36], [0.40, 0.36, 0.34]]
)
NO_LENNARD_JONES = bead_table([[0.0, 0.0], [0.0, 0.0]], [[0.47, 0.47], [0.47, 0.47]])
#: Martini 3's regular water bead.
WATER = bead_table([[4.65]], [[0.47]])
W = CGMolecule(name="W", beads=(Bead(name="W", bead_type="A", mass=72.0),))


def molecule(
    name: str, types: str, *, masses: Sequence[float] = (), charges: Sequence[float] = (), **terms
) -> CGMolecule:
    """One bead per letter of ``types``."""
    masses = masses or [72.0] * len(types)
    charges = charges or [0.0] * len(types)
    beads = tuple(
        Bead(name=f"{t}{k}", bead_type=t, mass=m, charge=q) for k, (t, m, q) in enumerate(zip(types, masses, charges))
    )
    return CGMolecule(name=name, beads=beads, **terms)


#: Flexible, charged, with both kinds of bonds, both of angles, proper and improper dihedrals and an extra exclusion.
LIPID = molecule(
    "LIP",
    "AABBCC",
    masses=[72.0, 54.0, 36.0, 72.0, 45.0, 72.0],
    charges=[1.0, -1.0, 0.0, 0.3, -0.3, 0.0],
    bonds=(
        Bond(atoms=(0, 1), length=0.40, force_constant=3000.0),
        Bond(atoms=(1, 2), length=0.38, force_constant=2500.0),
        Bond(atoms=(2, 3), length=0.42, force_constant=1800.0),
        Bond(atoms=(3, 4), length=0.40, force_constant=2200.0),
        Bond(atoms=(4, 5), length=0.36, force_constant=2000.0),
        Bond(atoms=(0, 3), length=0.80, force_constant=500.0, function=6),
    ),
    angles=(
        Angle(atoms=(0, 1, 2), angle=120.0, force_constant=35.0, function=2),
        Angle(atoms=(1, 2, 3), angle=110.0, force_constant=60.0, function=1),
        Angle(atoms=(2, 3, 4), angle=130.0, force_constant=25.0, function=2),
    ),
    dihedrals=(
        Dihedral(atoms=(0, 1, 2, 3), angle=35.0, force_constant=4.0, multiplicity=2, function=1),
        Dihedral(atoms=(1, 2, 3, 4), angle=-60.0, force_constant=3.0, multiplicity=3, function=9),
        Dihedral(atoms=(2, 3, 4, 5), angle=50.0, force_constant=20.0, function=2),
    ),
    exclusions=((2, 4),),
)
ION = molecule("ION", "C", charges=[1.0])
COUNTER_ION = molecule("CTR", "B", charges=[-1.0])
DIMER = molecule("DIM", "BC", masses=[54.0, 36.0], bonds=(Bond(atoms=(0, 1), length=0.35, force_constant=4000.0),))


def table_over_degrees(step: float = 2.0, number: int = 0) -> TabulatedPotential:
    """A bumpy angle potential as GROMACS tabulates them."""
    x = np.arange(0.0, 180.0 + 0.5 * step, step)
    t = np.radians(x)
    slope = np.radians(1.0) * (30.0 * (t - 2.1) - 8.0 * np.sin(4.0 * t))
    return TabulatedPotential(x=x, energy=15.0 * (t - 2.1) ** 2 + 2.0 * np.cos(4.0 * t), slope=slope, number=number)


#: The functions few topologies use: angles 8 (two tables) and 10, dihedrals 3 and 11, a bead bonded to a virtual site.
RARE = molecule(
    "RAR",
    "ABCBCAB",
    masses=[72.0, 54.0, 0.0, 72.0, 45.0, 72.0, 60.0],
    charges=[0.5, 0.0, -0.7, 0.0, 0.4, 0.0, -0.2],
    bonds=(
        *(Bond(atoms=a, length=0.40, force_constant=3000.0) for a in ((0, 1), (1, 3), (3, 4), (4, 5))),
        Bond(atoms=(2, 6), length=0.38, force_constant=2500.0),
    ),
    angles=(
        Angle(atoms=(0, 1, 3), angle=0.0, force_constant=1.3, function=8, table=table_over_degrees()),
        Angle(atoms=(1, 3, 4), angle=130.0, force_constant=40.0, function=10),
        Angle(atoms=(3, 4, 5), angle=0.0, force_constant=0.7, function=8, table=table_over_degrees(1.0, 1)),
        Angle(atoms=(1, 2, 6), angle=100.0, force_constant=20.0, function=10),
    ),
    dihedrals=(
        Dihedral(
            atoms=(0, 1, 3, 4), angle=0.0, force_constant=0.0, function=3, coefficients=(6.0, -3.0, 2.0, 4.0, -1.0, 1.5)
        ),
        Dihedral(
            atoms=(1, 3, 4, 5), angle=0.0, force_constant=3.0, function=11, coefficients=(2.0, -1.0, 3.0, 1.2, -0.8)
        ),
    ),
    virtual_sites=(VirtualSite(site=2, construction="2fd", atoms=(1, 3), parameters=(0.17,)),),
    position_restraints=(PositionRestraint(atom=0, force_constants=(100.0, 0.0, 300.0)),),
    flat_bottom_restraints=(
        FlatBottomRestraint(atom=4, geometry=5, radius=0.3, force_constant=200.0),
        FlatBottomRestraint(atom=5, geometry=1, radius=-2.0, force_constant=50.0),
    ),
    exclusions=((1, 2), (2, 3)),
)
#: A rigid frame with sites of every construction, some built from sites, like the sterols of Martini 3.
STEROL = molecule(
    "STE",
    "BBBCACBACBAC",
    masses=[120.0, 90.0, 100.0, 72.0, *[0.0] * 8],
    charges=[0.0] * 4 + [0.2, -0.2, 0.1, -0.1, 0.3, -0.3, 0.15, -0.15],
    constraints=tuple(Constraint(atoms=a, length=r) for a, r in (((0, 1), 0.45), ((0, 2), 0.50), ((1, 2), 0.35))),
    bonds=(Bond(atoms=(2, 3), length=0.40, force_constant=5000.0),),
    angles=(Angle(atoms=(4, 2, 3), angle=110.0, force_constant=100.0, function=1),),
    virtual_sites=(
        VirtualSite(site=4, construction="3out", atoms=(0, 1, 2), parameters=(0.7, 0.3, 0.8)),
        VirtualSite(site=10, construction="3fd", atoms=(4, 5, 8), parameters=(0.3, 0.25)),
        VirtualSite(site=5, construction="2", atoms=(0, 1), parameters=(1.4,)),
        VirtualSite(site=6, construction="2fd", atoms=(1, 2), parameters=(-0.3,)),
        VirtualSite(site=7, construction="3", atoms=(0, 1, 2), parameters=(0.6, -0.7)),
        VirtualSite(site=8, construction="3fad", atoms=(0, 1, 2), parameters=(70.0, 0.3)),
        VirtualSite(site=9, construction="4fdn", atoms=(0, 1, 2, 3), parameters=(0.8, 1.1, 0.25)),
        VirtualSite(site=11, construction="n", atoms=(0, 3, 10, 6), parameters=(2.0, 1.0, 0.5, 1.0)),
    ),
    exclusions=tuple((i, j) for i in range(12) for j in range(i + 1, 12)),
)

#: The frame of Martini 3 cholesterol (Borges-Araújo et al. 2023, doi:10.1021/acs.jctc.3c00547): three heavy beads, five sites
#: out of their plane, a tail; with the types and some charge of these toy systems.
CHOLESTEROL = molecule(
    "CHO",
    "CBBBBCCBB",
    masses=[0.0, 159.8, 157.0, 0.0, 0.0, 0.0, 0.0, 115.2, 72.0],
    charges=[0.3, 0.0, 0.0, 0.0, 0.0, 0.0, -0.3, 0.0, 0.0],
    bonds=(Bond(atoms=(7, 8), length=0.44, force_constant=15000.0),),
    constraints=tuple(
        Constraint(atoms=a, length=r) for a, r in (((7, 2), 0.75012), ((7, 1), 0.78504), ((2, 1), 0.34797))
    ),
    angles=(Angle(atoms=(4, 3, 8), angle=99.0, force_constant=250.0, function=1),),
    dihedrals=(Dihedral(atoms=(6, 4, 3, 8), angle=-70.0, force_constant=50.0, function=2),),
    virtual_sites=tuple(
        VirtualSite(site=site, construction="3out", atoms=(7, 2, 1), parameters=parameters)
        for site, parameters in (
            (0, (1.08999, 0.35891, 0.22947)),
            (3, (-0.41067, 0.83597, -0.05311)),
            (4, (0.69138, -0.10352, 0.17476)),
            (5, (0.77524, 0.22413, 0.92700)),
            (6, (0.06219, 0.32398, 0.76967)),
        )
    ),
    exclusions=tuple((i, j) for i in range(8) for j in range(i + 1, 8)),
)

#: Constraint networks: a triangle, a braced square with charges, a long chain with angles, a chain of triangles.
TRIANGLE = molecule(
    "TRI",
    "BBB",
    masses=[36.0] * 3,
    constraints=tuple(Constraint(atoms=a, length=0.29) for a in ((0, 1), (1, 2), (0, 2))),
)
SQUARE = molecule(
    "SQR",
    "BBCC",
    masses=[54.0, 36.0, 36.0, 54.0],
    charges=[0.5, 0.0, 0.0, -0.5],
    constraints=(
        *(Constraint(atoms=a, length=0.33) for a in ((0, 1), (1, 2), (2, 3), (0, 3))),
        Constraint(atoms=(0, 2), length=0.33 * 2**0.5),
    ),
    dihedrals=(Dihedral(atoms=(0, 1, 2, 3), angle=0.0, force_constant=50.0, function=2),),
    exclusions=((1, 3),),
)
CHAIN = molecule(
    "CHN",
    "BCBCBCBCBC",
    masses=[36.0, 54.0] * 5,
    constraints=tuple(Constraint(atoms=(k, k + 1), length=0.38) for k in range(9)),
    angles=tuple(Angle(atoms=(k, k + 1, k + 2), angle=150.0, force_constant=20.0) for k in range(8)),
)
FUSED_RINGS = molecule(
    "FUS",
    "BBBBB",
    masses=[45.0] * 5,
    constraints=tuple(
        Constraint(atoms=a, length=0.31) for a in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4))
    ),
    exclusions=((0, 3), (0, 4), (1, 4)),
    dihedrals=(
        Dihedral(atoms=(0, 1, 2, 3), angle=180.0, force_constant=100.0, function=2),
        Dihedral(atoms=(1, 2, 3, 4), angle=180.0, force_constant=100.0, function=2),
    ),
)
_SHAPES = {
    "TRI": [(0, 0, 0), (0.29, 0, 0), (0.145, 0.2511, 0)],
    "CHO": [
        *[(0, 0, 0), (0.70514, 0.34505, 0), (0.75012, 0, 0)],
        *[(0, 0, 0)] * 4,
        *[(0, 0, 0), (-0.30, 0.20, 0.25)],
    ],
    "SQR": [(0, 0, 0), (0.33, 0, 0), (0.33, 0.33, 0), (0, 0.33, 0)],
    "FUS": [(0, 0, 0), (0.31, 0, 0), (0.155, 0.26847, 0), (0.465, 0.26847, 0), (0.31, 0.53694, 0)],
    "CHN": [(0.367 * k, 0.0984 * (k % 2), 0) for k in range(10)],
    "LIP": [(0.0, 0, 0), (0.35, 0.2, 0), (0.7, 0, 0.05), (0.95, 0.3, 0.2), (1.3, 0.2, 0.4), (1.5, 0.4, 0.2)],
    "SOL": [(0, 0, 0), (0.35, 0, 0), (0.45, 0.2722, 0)],
    "DIM": [(0, 0, 0), (0.35, 0, 0)],
    "RAR": [
        (0, 0, 0),
        (0.35, 0.2, 0),
        (0.5, 0.1, 0.1),
        (0.75, 0.2, 0.05),
        (1, 0.5, 0.2),
        (1.4, 0.4, 0.3),
        (0.5, -0.3, 0.2),
    ],
    "STE": [(0, 0, 0), (0.45, 0, 0), (0.34166667, 0.36505327, 0), (0.5, 0.6, 0.3), *[(0.3, 0.3, 0.2)] * 8],
}


def gate(what: str, measured: float, limit: float) -> None:
    """Assert ``measured`` <= ``limit``; ``pytest -s`` shows the number, which ``docs/validation.md`` lists."""
    print(f"\ngate: {what}: {measured:.2e} (limit {limit:.0e})")
    assert measured <= limit


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def none_at_the_cutoff(x: np.ndarray, box: np.ndarray, cutoff: float) -> bool:
    """Whether no pair is so near the cut-off, where the force jumps, that float32 may take it for the other side."""
    i, j = np.triu_indices(len(x), 1)
    r = np.linalg.norm(reference.minimum_image(x[i] - x[j], box), axis=1)
    return len(r) == 0 or bool(np.abs(r - cutoff).min() > 1e-6)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def with_sites(m: CGMolecule, shape: np.ndarray) -> np.ndarray:
    """``shape`` with the virtual sites of ``m`` in place."""
    types = tuple(BeadType(name=n, chemical_class=n, size="R", mass=72.0) for n in sorted(set(m.type_names)))
    nothing = np.zeros((len(types), len(types)))
    table = BeadTable(name="none", bead_types=types, epsilon=nothing, sigma=nothing + 1.0)
    system = System(table=table, components=((m, 1),), positions=shape, box=[99.0] * 3)
    return reference.place_sites(shape, build_parameters(system).bonded.sites)


def placed(
    components: Sequence[tuple[CGMolecule, int]],
    box: Sequence[float],
    *,
    table: BeadTable = THREE_TYPES,
    seed: int = 1,
    closest: float = 0.36,
) -> System:
    """Molecules in random places and orientations, no two beads of different molecules closer than ``closest``."""
    rng = np.random.default_rng(seed)
    edges = np.array(box, dtype=float)
    beads = np.empty((0, 3))
    for m, count in components:
        shape = np.array(_SHAPES.get(m.name, [(0.0, 0.0, 0.0)]))
        if m.virtual_sites:
            shape = with_sites(m, shape)
        for _ in range(count):
            for _ in range(20000):
                trial = shape @ random_rotation(rng).T + rng.random(3) * edges
                d = trial[:, None] - beads[None]
                d -= edges * np.rint(d / edges)
                if not len(beads) or (d**2).sum(axis=-1).min() > closest**2:
                    break
            else:
                raise AssertionError("the box is too full for this test")
            beads = np.concatenate([beads, trial])
    return System(table=table, components=tuple(components), positions=beads, box=edges)


def everything(seed: int = 1, *, box: Sequence[float] = (2.9, 2.6, 3.1)) -> System:
    """Four lipids, ions, dimers and single beads: every term but constraints."""
    return placed(((LIPID, 4), (ION, 3), (COUNTER_ION, 3), (DIMER, 4), (W, 40)), box, seed=seed)


def constrained(seed: int = 1) -> System:
    """Every constraint network, in a thin liquid."""
    return placed(((CHAIN, 2), (FUSED_RINGS, 3), (SQUARE, 4), (TRIANGLE, 5), (W, 40)), (3.0, 3.0, 3.0), seed=seed)


def rare(seed: int = 1) -> System:
    """Every function, construction and restraint that :func:`everything` leaves out, in a thin liquid."""
    system = placed(((RARE, 3), (STEROL, 4), (LIPID, 1), (W, 30)), (3.2, 2.9, 3.1), seed=seed)
    away = np.random.default_rng(seed).normal(0.0, 0.3, system.positions.shape)
    return replace(system, reference_positions=system.positions + away)


def sterols(seed: int = 1, *, lj_modifier: str = "potential-shift") -> System:
    """Rigid frames with virtual sites in a thin liquid."""
    table = bead_table(THREE_TYPES.epsilon, THREE_TYPES.sigma, lj_modifier=lj_modifier)
    return placed(((STEROL, 5), (W, 40)), (3.0, 3.0, 3.0), table=table, seed=seed)


def of_this_width(system: System) -> System:
    """``system``; at another width with its exclusions but without bonded terms, whose code belongs to no width."""
    if not OTHER_WIDTH:
        return system

    def bare(m: CGMolecule) -> CGMolecule:
        return replace(m, bonds=(), angles=(), dihedrals=(), exclusions=m.excluded_pairs(), nrexcl=0)

    return replace(system, components=tuple((bare(m), count) for m, count in system.components))


def water(n: int = 100, *, density: float = 8.2, seed: int = 1, aspect: float = 1.0) -> System:
    """``n`` water beads [per nm³] on a jittered lattice; the third edge is ``aspect`` times the others."""
    edge = (n / density / aspect) ** (1 / 3)
    box = np.array([edge, edge, edge * aspect])
    cells = np.ceil(n ** (1 / 3) * np.array([1.0, 1.0, 1.0])).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(c) / c for c in cells), indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    keep = np.sort(rng.permutation(len(grid))[:n])
    positions = grid[keep] * box + rng.uniform(-0.03, 0.03, (n, 3))
    return System(table=WATER, components=((W, n),), positions=positions, box=box)


def read_reference_gro(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box of a stored GROMACS system."""
    lines = gzip.decompress((REFERENCE_DATA / "gromacs" / name / "conf.gro.gz").read_bytes()).decode().splitlines()
    n = int(lines[1])
    positions = np.array([[float(line[20 + 8 * d : 28 + 8 * d]) for d in range(3)] for line in lines[2 : 2 + n]])
    return positions, np.array([float(word) for word in lines[2 + n].split()[:3]])
