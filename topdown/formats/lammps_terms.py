"""The terms of molecules in LAMMPS's words: numbered types with a style and coefficients (units real), and what uses them.

LAMMPS excludes from the non-bonded sums what ``Bonds`` connects, and nothing else (``special_bonds lj/coul 0 1 1``). So every
excluded pair has an entry there, of style ``zero`` where no bond is meant, and of style ``lepton`` with the reaction field that
excluded charges feel. A bond whose pair is *not* excluded (function 6) is the Urey-Bradley part of an angle (style ``charmm``, no
bending), since angles exclude nothing; where the molecule has no third bead, and for constraints of that kind, an entry of style
``special`` gives the pair its interaction back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from topdown.errors import TopologyError
from topdown.formats.lammps_rigid import Cluster
from topdown.model import Angle, BeadTable, CGMolecule, Dihedral, NonbondedScheme, TabulatedPotential
from topdown.units import COULOMB_CONSTANT, KCAL_TO_KJ

ANGSTROM = 10.0
#: 1 kJ/mol/nm² in kcal/mol/Å².
SPRING = 1.0 / (KCAL_TO_KJ * ANGSTROM**2)
#: LAMMPS's own Coulomb constant in units real [kcal/mol Å e⁻²], by which it multiplies products of charges.
LAMMPS_COULOMB = 332.06371

Entry = tuple[int, tuple[int, ...]]


def number(value: float) -> str:
    """Shortest text that reads back as the same float64."""
    return repr(float(value))


@dataclass(frozen=True, slots=True)
class TermType:
    """What a numbered type stands for: the style and its coefficients, as one line of the settings file holds them."""

    style: str
    coefficients: str


@dataclass(slots=True)
class Types:
    """Numbers (from 1) given to term types in the order they are first met."""

    numbers: dict[object, int] = field(default_factory=dict)
    types: list[TermType] = field(default_factory=list)

    def of(self, style: str, coefficients: str, key: object = None) -> int:
        """The number of a type; types that share style, coefficients and ``key`` are one."""
        full = (style, coefficients, key)
        if full not in self.numbers:
            self.types.append(TermType(style, coefficients))
            self.numbers[full] = len(self.types)
        return self.numbers[full]

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles in use, each once."""
        return tuple(dict.fromkeys(t.style for t in self.types))


@dataclass(slots=True)
class Registry:
    """Types of the whole system.

    ``constraints`` holds length [Å] and holding by bond type, ``angle_tables`` the tables by identity and force constant.
    """

    table: BeadTable
    bonds: Types = field(default_factory=Types)
    angles: Types = field(default_factory=Types)
    dihedrals: Types = field(default_factory=Types)
    constraints: dict[int, tuple[float, str]] = field(default_factory=dict)
    angle_tables: dict[tuple[int, float], TabulatedPotential] = field(default_factory=dict)

    @property
    def scheme(self) -> NonbondedScheme:
        """Cut-off and permittivities."""
        return self.table.scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeTerms:
    """Entries (type, beads) of one molecule; ``bonds`` begin with the constraints, which ``fix shake`` must find first."""

    bonds: tuple[Entry, ...]
    angles: tuple[Entry, ...]
    dihedrals: tuple[Entry, ...]


def reaction_field(scheme: NonbondedScheme) -> tuple[float, float, float]:
    """Factor to LAMMPS's product of charges over ``dielectric``, k_rf [Å⁻³] and c_rf [Å⁻¹]."""
    k_rf, c_rf = scheme.reaction_field
    factor = COULOMB_CONSTANT * ANGSTROM / KCAL_TO_KJ / LAMMPS_COULOMB
    return factor, k_rf / ANGSTROM**3, c_rf / ANGSTROM


def charge_energy(scheme: NonbondedScheme, qq: float) -> float:
    """f q_i q_j / ε_r [kcal/mol Å]."""
    return COULOMB_CONSTANT * ANGSTROM / KCAL_TO_KJ / scheme.epsilon_r * qq


def molecule_terms(molecule: CGMolecule, clusters: Iterable[Cluster], registry: Registry) -> MoleculeTerms:
    """Entries of one molecule, its types added to ``registry``.

    Raises
    ------
    TopologyError
        A term LAMMPS has no counterpart for.
    """
    bonds, springs = _bonds(molecule, registry)
    constraints = _constraints(molecule, clusters, registry)
    linked = {_pair(atoms) for _, atoms in (*constraints, *bonds)}
    return MoleculeTerms(
        bonds=(*constraints, *bonds, *_pair_entries(molecule, linked, registry)),
        angles=(*(_angle(angle, registry, molecule) for angle in molecule.angles), *springs),
        dihedrals=tuple(_dihedral(dihedral, registry, molecule) for dihedral in molecule.dihedrals),
    )


def _constraints(molecule: CGMolecule, clusters: Iterable[Cluster], registry: Registry) -> list[Entry]:
    entries: list[Entry] = []
    for cluster in clusters:
        for n in cluster.constraints:
            constraint = molecule.constraints[n]
            # no force of their own; the length is for SHAKE, and would only stretch LAMMPS's estimates for rigid bodies
            length = 0.0 if cluster.holding == "rigid" else constraint.length * ANGSTROM
            kind = registry.bonds.of("harmonic", f"0.0 {number(length)}", cluster.holding)
            registry.constraints[kind] = (length, cluster.holding)
            entries.append((kind, constraint.atoms))
    return entries


def _pair(atoms: tuple[int, ...]) -> tuple[int, int]:
    return min(atoms), max(atoms)


def _bonds(molecule: CGMolecule, registry: Registry) -> tuple[list[Entry], list[Entry]]:
    """Entries of the harmonic bonds: as bonds where the pair is excluded, else as Urey-Bradley parts of angles."""
    excluded = set(molecule.excluded_pairs())
    held = {_pair(c.atoms) for c in molecule.constraints}
    sites = {v.site for v in molecule.virtual_sites}
    bonds: list[Entry] = []
    springs: list[Entry] = []
    for bond in molecule.bonds:
        if bond.function not in (1, 6):
            _unknown("bond", bond.function, molecule)
        values = f"{number(0.5 * bond.force_constant * SPRING)} {number(bond.length * ANGSTROM)}"
        i, j = bond.atoms
        third = [k for k in range(molecule.n_beads) if k not in (i, j) and k not in sites]
        if _pair(bond.atoms) in excluded | held or not third:
            bonds.append((registry.bonds.of("harmonic", values), bond.atoms))
        else:
            between = min(third, key=lambda k: abs(k - i) + abs(k - j))
            springs.append((registry.angles.of("charmm", f"0.0 0.0 {values}"), (i, between, j)))
    return bonds, springs


def _pair_entries(molecule: CGMolecule, linked: set[tuple[int, int]], registry: Registry) -> list[Entry]:
    """Entries that make the excluded pairs what :meth:`CGMolecule.excluded_pairs` says; ``linked`` pairs have one already."""
    excluded = set(molecule.excluded_pairs())
    entries: list[Entry] = []
    for pair in sorted(linked | excluded):
        i, j = pair
        qq = molecule.beads[i].charge * molecule.beads[j].charge
        if pair not in excluded:
            # equal weights: LAMMPS releases differ in which of the two is for Lennard-Jones
            entries.append((registry.bonds.of("special", "1.0 1.0"), pair))
        elif qq != 0.0:
            entries.append((registry.bonds.of("lepton", _excluded_charges(registry.scheme, qq)), pair))
        elif pair not in linked:
            entries.append((registry.bonds.of("zero", "0.0", "excluded"), pair))
    return entries


def _excluded_charges(scheme: NonbondedScheme, qq: float) -> str:
    """The reaction field between two excluded charges inside the cut-off."""
    _, k_rf, c_rf = reaction_field(scheme)
    shape = f"{number(k_rf)}*r^2-{number(c_rf)}"
    return f'0.0 "{number(charge_energy(scheme, qq))}*({shape})*step({number(scheme.cutoff * ANGSTROM)}-r)"'


def _angle(angle: Angle, registry: Registry, molecule: CGMolecule) -> Entry:
    half, degrees = number(0.5 * angle.force_constant / KCAL_TO_KJ), number(angle.angle)
    styles = {1: "harmonic", 2: "cosine/squared", 10: "cosine/squared/restricted"}
    if angle.function in styles:
        return registry.angles.of(styles[angle.function], f"{half} {degrees}"), angle.atoms
    if angle.function != 8 or angle.table is None:
        _unknown("angle", angle.function, molecule)
    assert angle.table is not None
    registry.angle_tables.setdefault((id(angle.table), angle.force_constant), angle.table)
    place = list(registry.angle_tables).index((id(angle.table), angle.force_constant))
    return registry.angles.of("table", table_keyword(place)), angle.atoms


def table_keyword(place: int) -> str:
    """Name of the section of a tabulated angle in the table file."""
    return f"ANGLE_{place + 1}"


def _dihedral(dihedral: Dihedral, registry: Registry, molecule: CGMolecule) -> Entry:
    k, degrees = dihedral.force_constant / KCAL_TO_KJ, number(dihedral.angle)
    if dihedral.function in (1, 9):
        style, values = "fourier", f"1 {number(k)} {abs(dihedral.multiplicity)} {degrees}"
        if dihedral.multiplicity < 0:
            values = f"1 {number(k)} {-dihedral.multiplicity} {number(-dihedral.angle)}"
    elif dihedral.function == 2:
        if k < 0:
            raise TopologyError("an improper dihedral with a negative force constant", where=molecule.name)
        style, values = "quadratic", f"{number(0.5 * k)} {degrees}"
    elif dihedral.function == 3:
        terms = [number((-1.0) ** n * c / KCAL_TO_KJ) for n, c in enumerate(dihedral.coefficients)]
        style, values = "nharmonic", f"{len(terms)} {' '.join(terms)}"
    elif dihedral.function == 11:
        style, values = "spherical", _bending_torsion(k, dihedral.coefficients)
    else:
        _unknown("dihedral", dihedral.function, molecule)
    return registry.dihedrals.of(style, values), dihedral.atoms


def _bending_torsion(k: float, coefficients: tuple[float, ...]) -> str:
    """sin³θ1 sin³θ2 Σ a_n cosⁿφ as products of single cosines, the form of ``dihedral_style spherical``.

    4 sin³θ = 3 cos(θ - 90°) - cos(3 (θ - 30°)), and cosⁿφ is a sum of cos mφ, m ≤ n. Each factor of that style is (offset - cos).
    """
    harmonics = [0.0] * len(coefficients)
    for n, a in enumerate(coefficients):
        for j in range(n + 1):
            harmonics[abs(n - 2 * j)] += a * math.comb(n, j) / 2.0**n
    sines = ((3.0, 1, 90), (-1.0, 3, 30))
    terms = [
        # the minus signs of the two angles cancel, that of cos mφ does not; the constant is written 2 - cos 0
        f"{number(k / 16.0 * c * s1 * s2 * (1.0 if m == 0 else -1.0))} "
        + (f"{m} 0.0 0.0" if m else "0 0.0 2.0")
        + f" {l1} {b1}.0 0.0 {l2} {b2}.0 0.0"
        for m, c in enumerate(harmonics)
        if c != 0.0
        for s1, l1, b1 in sines
        for s2, l2, b2 in sines
    ]
    return f"{len(terms)} {' '.join(terms)}" if terms else "1 0.0 1 0.0 0.0 1 90.0 0.0 1 90.0 0.0"


def _unknown(kind: str, function: int, molecule: CGMolecule) -> None:
    raise TopologyError(
        f"{kind} function {function} has no counterpart in LAMMPS",
        where=molecule.name,
        hint="export to GROMACS or OpenMM",
    )
