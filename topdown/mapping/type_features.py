"""What is counted of a bead to estimate its type: names of features and how much of each it has.

Sizes follow from atoms, rings, branching and sharing; classes from roles, the functional group and what the bead is attached
to. Nothing here knows a published type; :mod:`topdown.mapping.type_estimate` holds the weights.
"""

from __future__ import annotations

from topdown.mapping.atom_roles import HALOGENS, AtomFacts, AtomRoles
from topdown.mapping.functional_groups import FunctionalGroup, functional_group

_POLAR = (7, 8)
#: "Ring particles" of Martini 2 stand for two to three heavy atoms (Marrink et al., J. Phys. Chem. B 111, 7812 (2007)).
#: A fourth atom on two atoms of a flat ring does not take the bead out of it: it sits 0.3 nm from the next.
_MOST_SMALL_M2, _MOST_ON_FLAT_RING_M2 = 3.0, 4.0
_ETHER_LIKE = ("o", "ester O", "aryl ether O", "ether O", "acetal O")


def size_rule(roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str) -> str:
    """Size by the published rules: ``R`` for four atoms, ``S`` for three, ``T`` for two, compact shapes one size less.

    An atom two beads share counts half; iodine counts twice, for its bulk. Pieces of four atoms are small in aliphatic
    rings, when fully branched, and when flat and polar (Alessandri et al., Adv. Theory Simul. 5, 2100391 (2022)). Quaternary
    ammonium is regular from four atoms on, as in the published tetramethylammonium (five), DOTAP (five), phosphocholines (six)
    and cetyltrimethylammonium (four; P. Vainikka, github.com/vainikanpete/martini3-DES-models). Ions of one atom follow the
    published ion models. Martini 2 has small beads in rings only, for up to three atoms of which one is in a ring – CB and CG
    of histidine are SC4 – or four of which two are aromatic.
    """
    facts = roles.facts
    weight = effective_atoms(roles, group, shared)
    ring = sum(facts[a].in_ring for a in group)
    if style == "martini2":
        on_flat_ring = sum(facts[a].aromatic for a in group) >= 2
        return "S" if ring and weight <= (_MOST_ON_FLAT_RING_M2 if on_flat_ring else _MOST_SMALL_M2) else "R"
    aromatic = any(facts[a].aromatic for a in group)
    if weight < 2.75 and len(group) < 4:
        # A charge brings its hydration along: only flat rings and hard ions of one atom stay tiny.
        charge = roles.charge(group)
        soft = len(group) > 1 or abs(charge) > 1 or facts[group[0]].element in (35, 53)
        return "S" if charge and not aromatic and soft else "T"
    if weight < 3.5 or (ring and weight <= (3.5 if aromatic else 4.0)):
        return "S"
    inside = set(group)
    centre = max(group, key=lambda a: sum(j in inside for j, _, _, _ in facts[a].neighbours))
    branches = sum(j in inside for j, _, _, _ in facts[centre].neighbours)
    if sum(facts[a].element in (17, 35) for a in group) > 1:
        return "R"
    return "S" if branches == 3 and weight <= 4.0 and _is_compact(roles, group, centre) else "R"


def _is_compact(roles: AtomRoles, group: tuple[int, ...], centre: int) -> bool:
    """Whether four atoms around ``centre`` are flat and polar, as an acid or a guanidinium, or leave it no hydrogen.

    Quaternary ammonium is not.
    """
    atom = roles.facts[centre]
    substituted = len(atom.neighbours) == 4
    if (atom.element == 7 and not substituted) or (atom.element == 6 and substituted):
        return True
    polar = sum(z in (7, 8) for j, z, _, _ in atom.neighbours if j in group)
    return atom.element == 6 and atom.has_double_bond and polar > 1


def bead_size(
    chemistry: FunctionalGroup, roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str
) -> str:
    """R, S or T of a bead: that of its functional group, where published models give the group one of its own, else by rule."""
    return chemistry.size or size_rule(roles, group, shared, style)


def effective_atoms(roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int]) -> float:
    """Heavy atoms of a bead: a shared one counts half, iodine twice."""
    return sum(0.5 if a in shared else 1.0 for a in group) + sum(roles.facts[a].element == 53 for a in group)


def bead_features(
    roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str
) -> tuple[dict[str, float], FunctionalGroup]:
    """Features of one bead, and its functional group."""
    found: dict[str, float] = {"constant": 1.0}
    chemistry = functional_group(roles, group, shared, style)
    for part in (
        _of_size(roles, group, shared, style, chemistry),
        _of_roles(roles, group),
        _of_chemistry(roles, group, chemistry),
        _of_surroundings(roles, group),
    ):
        found.update(part)
    return found, chemistry


def _of_size(
    roles: AtomRoles, group: tuple[int, ...], shared: frozenset[int], style: str, chemistry: FunctionalGroup
) -> dict[str, float]:
    facts, inside, n = roles.facts, set(group), len(group)
    weight = sum(0.5 if a in shared else 1.0 for a in group)
    degree = [sum(j in inside for j, _, _, _ in facts[a].neighbours) for a in group]
    aromatic = sum(facts[a].aromatic for a in group)
    ring = sum(facts[a].in_ring for a in group) - aromatic
    found = {
        "n": n / 4,
        "weight": weight / 4,
        f"n={min(n, 7)}": 1.0,
        f"weight={min(weight, 7.0)}": 1.0,
        f"effective={min(effective_atoms(roles, group, shared), 6.0)}": 1.0,
        f"size {bead_size(chemistry, roles, group, shared, style)}": 1.0,
        "hydrogens": sum(facts[a].hydrogens for a in group) / 3,
        "aromatic atoms": float(aromatic),
        "ring atoms": float(ring),
        "branchings": float(sum(d > 2 for d in degree)),
        "quaternary": float(sum(d > 3 for d in degree)),
        "shared atoms": float(sum(a in shared for a in group)),
        "wholly ring": float(ring == n),
    }
    if aromatic:
        found[f"aromatic n={min(n, 6)}"] = found[f"aromatic weight={min(weight, 6.0)}"] = 1.0
    elif ring:
        found[f"ring n={min(n, 6)}"] = found[f"ring weight={min(weight, 6.0)}"] = 1.0
    else:
        found[f"chain n={min(n, 6)}"] = 1.0
    return {name: value for name, value in found.items() if value}


def _of_roles(roles: AtomRoles, group: tuple[int, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    facts = roles.facts
    for atom in group:
        count = f"#{roles.names[atom]}"
        found[count] = found.get(count, 0.0) + 1.0
        found[f"has {roles.names[atom]}"] = 1.0
    kinds = {_kind(roles.names[a], facts[a]) for a in group}
    carbons = min(sum(facts[a].element == 6 for a in group), 4)
    polar = [facts[a] for a in group if facts[a].element in (7, 8, 15, 16)]
    halogens = sum(facts[a].element in HALOGENS for a in group)
    for kind in kinds:
        found[f"~{kind}"] = 1.0
        if polar and not kind.startswith("C"):
            found[f"~{kind} carbons={carbons}"] = 1.0
    if halogens:
        found["halogens"] = float(halogens)
    if polar:
        oxygens, nitrogens = (sum(f.element == z for f in polar) for z in (8, 7))
        found[f"O={min(oxygens, 3)} N={min(nitrogens, 3)}"] = 1.0
        found["polar share"] = (oxygens + nitrogens) / len(group)
        donor = any(f.hydrogens for f in polar if f.element in _POLAR)
        acceptor = any(_accepts(roles.names[a], facts[a]) for a in group)
        found[f"donor={donor} acceptor={acceptor}"] = 1.0
    elif not halogens:
        found["only carbon"] = found[f"only carbon n={min(len(group), 6)}"] = 1.0
    found["unsaturated"] = float(sum(facts[a].element == 6 and facts[a].has_double_bond for a in group))
    return {name: value for name, value in found.items() if value}


def _accepts(role: str, atom: AtomFacts) -> bool:
    if atom.element == 8:
        return role not in ("OH acid", "O- nitro")
    return atom.element == 7 and atom.hydrogens == 0 and role in ("n", "nitrile N", "imine N", "amine N0")


def _kind(role: str, atom: AtomFacts) -> str:
    """A role told coarsely, so that rare roles learn from their kin."""
    if atom.element in (16, 34):
        return "S" if role in ("s", "SH", "S", "S-S") else "S=O" if role in ("SO", "SO2") else "S other"
    if atom.element in HALOGENS:
        return HALOGENS[atom.element]
    if atom.element == 8:
        if role.startswith("OH"):
            return "OH acidic" if role in ("OH acid", "OH other") else "OH"
        if role.startswith("=O"):
            return "=O"
        return "ether O" if role.removesuffix("r") in _ETHER_LIKE else "O other"
    if atom.element == 7:
        if role in ("nH", "nR"):
            return "n three-coordinate"
        if role.startswith(("amine", "aniline")):
            return f"amine N{min(atom.hydrogens, 2)}"
        return "n" if role == "n" else "amide N" if role.startswith("amide") else "N other"
    if atom.element == 6:
        return "C aromatic" if atom.aromatic else "C=O" if role.startswith("C(=O)") else "C"
    return "other"


def _of_chemistry(roles: AtomRoles, group: tuple[int, ...], chemistry: FunctionalGroup) -> dict[str, float]:
    facts = roles.facts
    # Conjugation makes a group less polar: acetophenone SN4a, ketones SN6a.
    conjugated = not any(facts[a].aromatic for a in group) and any(
        aromatic for a in group for _, _, _, aromatic in facts[a].neighbours
    )
    found = {f"group {chemistry.name} on an aromatic ring": 1.0} if conjugated else {}
    return found | {
        f"group {chemistry.name}": 1.0,
        f"group {chemistry.name} n={min(len(group), 5)}": 1.0,
        f"class {chemistry.core}": 1.0,
        f"labels {chemistry.labels}": 1.0,
        f"labels {chemistry.core[0]} {chemistry.labels}": 1.0,
    }


def _of_surroundings(roles: AtomRoles, group: tuple[int, ...]) -> dict[str, float]:
    """Atoms one and two bonds outside the bead: neighbours shift polarity."""
    facts, inside = roles.facts, set(group)
    polar_inside = any(facts[a].element not in (6,) for a in group)
    aromatic_inside = any(facts[a].aromatic for a in group)
    found: dict[str, float] = {}

    def add(name: str, amount: float = 1.0) -> None:
        found[name] = found.get(name, 0.0) + amount

    first: set[int] = set()
    n_bonds = 0
    for atom in group:
        for j, z, _, aromatic in facts[atom].neighbours:
            if j in inside:
                continue
            n_bonds += 1
            first.add(j)
            add(f"beside {'c' if aromatic else 'C' if z == 6 else HALOGENS.get(z, str(z))}")
            if z == 6 and roles.carbonyls[j]:
                add("beside C=O")
            elif z == 6 and facts[j].has_double_bond:
                add("beside C=C")
            if z == 6 and any(y in _POLAR for k, y, _, _ in facts[j].neighbours if k not in inside):
                add("beside polar carbon")
            if z in _POLAR and not polar_inside:
                add("apolar beside polar")
    add("bonds out", n_bonds / 2)
    if not n_bonds:
        add("whole molecule")
    second = {k for j in first for k, _, _, _ in facts[j].neighbours if k not in inside and k not in first}
    polar = sum(facts[k].element in _POLAR for k in second)
    if polar:
        add("polar at two bonds", float(min(polar, 3)))
        add("any polar at two bonds")
    halogens = sum(facts[k].element in HALOGENS for k in first | second)
    if halogens:
        add("halogens near", float(min(halogens, 3)))
    if not polar_inside and not aromatic_inside:
        nearest = 1 if any(facts[j].element in _POLAR for j in first) else 2 if polar else 3
        add(f"apolar, polar at {nearest}")
    return {name: value for name, value in found.items() if value}
