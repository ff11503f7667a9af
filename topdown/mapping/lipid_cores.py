"""What holds the tails together: glycerol with its esters, ethers and phosphates, sphingoid bases, fatty acids.

Every finder reads the molecular graph and returns :class:`Core` objects: which kind of lipid it is in the rules of the table,
which atoms each bead of its core holds, and the tails by label. Nothing here knows bead types or parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from topdown.mapping.lipid_tails import MoleculeGraph, Tail, walk_tail

Class = Literal["hydroxyl", "ester", "ether", "vinyl", "phosphate", "trimethylammonium", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituent:
    """What hangs on one carbon of a glycerol.

    Attributes
    ----------
    kind : str
    atoms : tuple of int
        Its atoms up to the tail: O, C and =O of an ester, O and the first carbon of an ether, the O of a hydroxyl.
    tail : Tail or None
    phosphorus : int
        Of a phosphate, else -1.
    """

    kind: Class
    atoms: tuple[int, ...] = ()
    tail: Tail | None = None
    phosphorus: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Glycerol:
    """Three carbons in a row that each carry one group: ``ends`` and ``middle``."""

    ends: tuple[int, int]
    middle: int
    groups: tuple[Substituent, Substituent, Substituent]

    @property
    def at_ends(self) -> tuple[Substituent, Substituent]:
        """Groups at the two ends."""
        return self.groups[0], self.groups[2]

    @property
    def at_middle(self) -> Substituent:
        """Group in the middle."""
        return self.groups[1]


@dataclass(frozen=True, kw_only=True)
class Core:
    """A lipid found in a molecule.

    Attributes
    ----------
    kind : str
        Name in the rules of the table.
    beads : dict of str to tuple of int
        Atoms of each core bead.
    tails : dict of str to Tail
        By label.
    head : str
        Name of the head bead of a phospholipid, empty without one.
    phosphate_charge : int
        Formal charge of the PO4 bead, 0 where there is none.
    sphingoid : str
        Label of the tail that belongs to a sphingoid base.
    complete : bool
        False when the head is not one of the published ones: the rest stands.
    """

    kind: str
    beads: dict[str, tuple[int, ...]]
    tails: dict[str, Tail]
    head: str = ""
    phosphate_charge: int = 0
    sphingoid: str = ""
    complete: bool = True


def find_cores(graph: MoleculeGraph) -> list[Core]:
    """All lipid cores of a molecule, larger kinds first; they may overlap."""
    glycerols = _glycerols(graph)
    cores: list[Core] = []
    cores += _cardiolipins(graph, glycerols)
    cores += _bis_monoacyl(graph, glycerols)
    for glycerol in glycerols:
        core = _phospholipid(graph, glycerol) or _glyceride(graph, glycerol)
        if core is not None:
            cores.append(core)
    cores += _sphingolipids(graph)
    cores += _fatty_acids(graph)
    return cores


def acyl_tails(graph: MoleculeGraph) -> list[Tail]:
    """Tails on any carbonyl: esters, amides, thioesters, acids."""
    tails = []
    for carbon in range(len(graph)):
        if not graph.is_chain_carbon(carbon, hydrogens=0) or len(graph.neighbours[carbon]) != 3:
            continue
        oxygens = [x for x in graph.neighbours[carbon] if graph.symbols[x] == "O" and graph.order(carbon, x) == 2.0]
        chain = [x for x in graph.neighbours[carbon] if graph.symbols[x] == "C"]
        if oxygens and len(chain) == 1:
            tail = walk_tail(graph, chain[0], carbon)
            if tail is not None:
                tails.append(tail)
    return tails


def _glycerols(graph: MoleculeGraph) -> list[Glycerol]:
    found = []
    for middle in range(len(graph)):
        if not graph.is_chain_carbon(middle, hydrogens=1) or len(graph.neighbours[middle]) != 3:
            continue
        ends = [x for x in graph.neighbours[middle] if graph.is_chain_carbon(x, hydrogens=2)]
        ends = [x for x in ends if len(graph.neighbours[x]) == 2]
        links = [x for x in graph.neighbours[middle] if x not in ends]
        if len(ends) != 2 or len(links) != 1 or graph.symbols[links[0]] != "O":
            continue
        outer = [graph.others(end, middle)[0] for end in ends]
        groups = (
            _substituent(graph, outer[0], ends[0]),
            _substituent(graph, links[0], middle),
            _substituent(graph, outer[1], ends[1]),
        )
        found.append(Glycerol(ends=(ends[0], ends[1]), middle=middle, groups=groups))
    return found


def _substituent(graph: MoleculeGraph, atom: int, carbon: int) -> Substituent:
    if graph.symbols[atom] == "N" and graph.charges[atom] == 1:
        methyls = graph.others(atom, carbon)
        if len(methyls) == 3 and all(graph.is_chain_carbon(x, hydrogens=3) for x in methyls):
            return Substituent(kind="trimethylammonium", atoms=(atom, *methyls))
    if graph.symbols[atom] != "O" or graph.charges[atom] != 0:
        return Substituent(kind="other")
    beyond = graph.others(atom, carbon)
    if not beyond:
        return Substituent(kind="hydroxyl", atoms=(atom,))
    far = beyond[0]
    if graph.symbols[far] == "P":
        return Substituent(kind="phosphate", atoms=(atom,), phosphorus=far)
    if not graph.is_chain_carbon(far):
        return Substituent(kind="other")
    onward = graph.others(far, atom)
    oxo = [x for x in onward if graph.symbols[x] == "O" and graph.order(far, x) == 2.0]
    chain = [x for x in onward if graph.symbols[x] == "C"]
    if len(chain) != 1 or len(oxo) + 1 != len(onward):
        return Substituent(kind="other")
    tail = walk_tail(graph, chain[0], far)
    if tail is None:
        return Substituent(kind="other")
    if oxo:
        return Substituent(kind="ester", atoms=(atom, far, oxo[0]), tail=tail)
    kind: Class = "vinyl" if graph.order(far, chain[0]) == 2.0 else "ether"
    return Substituent(kind=kind, atoms=(atom, far), tail=tail)


def _phosphate(graph: MoleculeGraph, phosphorus: int, came_from: int) -> tuple[tuple[int, ...], int, int] | None:
    """(P and its four O, their charge, the other bridging O or -1) of a phosphate mono- or diester."""
    oxygens = graph.neighbours[phosphorus]
    if len(oxygens) != 4 or any(graph.symbols[x] != "O" for x in oxygens) or graph.charges[phosphorus] != 0:
        return None
    bridges = [x for x in oxygens if len(graph.neighbours[x]) == 2 and x != came_from]
    if len(bridges) > 1:
        return None
    charge = sum(graph.charges[x] for x in oxygens)
    return (phosphorus, *oxygens), charge, bridges[0] if bridges else -1


def _head(graph: MoleculeGraph, oxygen: int, phosphorus: int) -> tuple[str, dict[str, tuple[int, ...]]] | None:
    """Name and atoms of the published head on a phosphate's second oxygen."""
    (first,) = graph.others(oxygen, phosphorus)
    ring = _inositol(graph, first, oxygen)
    if ring is not None:
        return "inositol", ring
    if not graph.is_chain_carbon(first, hydrogens=2):
        return None
    (second,) = graph.others(first, oxygen) or (-1,)
    if second < 0 or not graph.is_chain_carbon(second):
        return None
    rest = graph.others(second, first)
    if (
        graph.hydrogens[second] == 2
        and len(rest) == 1
        and graph.symbols[rest[0]] == "N"
        and graph.charges[rest[0]] == 1
    ):
        (nitrogen,) = rest
        methyls = graph.others(nitrogen, second)
        if not methyls:
            return "NH3", {"NH3": (first, second, nitrogen)}
        if len(methyls) == 3 and all(graph.is_chain_carbon(x, hydrogens=3) for x in methyls):
            return "NC3", {"NC3": (first, second, nitrogen, *methyls)}
    if graph.hydrogens[second] == 1 and len(rest) == 2:
        return _serine_or_glycerol(graph, first, second, rest)
    return None


def _serine_or_glycerol(
    graph: MoleculeGraph, first: int, second: int, rest: list[int]
) -> tuple[str, dict[str, tuple[int, ...]]] | None:
    hetero = [x for x in rest if graph.symbols[x] != "C"]
    carbon = [x for x in rest if graph.is_chain_carbon(x)]
    if len(hetero) != 1 or len(carbon) != 1 or graph.others(hetero[0], second):
        return None
    oxygens = graph.others(carbon[0], second)
    if any(graph.symbols[x] != "O" or graph.others(x, carbon[0]) for x in oxygens):
        return None
    atoms = (first, second, hetero[0], carbon[0], *oxygens)
    if graph.symbols[hetero[0]] == "N" and graph.charges[hetero[0]] == 1 and len(oxygens) == 2:
        return ("CNO", {"CNO": atoms}) if sum(graph.charges[x] for x in oxygens) == -1 else None
    if graph.symbols[hetero[0]] == "O" and graph.charges[hetero[0]] == 0 and len(oxygens) == 1:
        return ("GL0", {"GL0": atoms}) if graph.hydrogens[carbon[0]] == 2 and graph.charges[oxygens[0]] == 0 else None
    return None


def _inositol(graph: MoleculeGraph, first: int, oxygen: int) -> dict[str, tuple[int, ...]] | None:
    """C1 nearest the phosphate, C2 and C3: two neighbouring ring carbons and their hydroxyls each."""
    ring = [first]
    if not graph.ring[first] or graph.symbols[first] != "C":
        return None
    way = sorted(x for x in graph.neighbours[first] if x != oxygen)
    if len(way) != 2:
        return None
    before, current = first, way[0]
    while current != first and len(ring) <= 6:
        inside = [x for x in graph.others(current, before) if graph.ring[x]]
        outside = [x for x in graph.others(current, before) if not graph.ring[x]]
        if graph.symbols[current] != "C" or len(inside) != 1 or len(outside) != 1:
            return None
        if graph.symbols[outside[0]] != "O" or len(graph.neighbours[outside[0]]) != 1 or graph.charges[outside[0]]:
            return None
        ring.append(current)
        before, current = current, inside[0]
    if len(ring) != 6:
        return None
    hydroxyl = {c: next(x for x in graph.neighbours[c] if not graph.ring[x]) for c in ring[1:]}
    return {
        "C1": (ring[0], ring[1], hydroxyl[ring[1]]),
        "C3": (ring[2], ring[3], hydroxyl[ring[2]], hydroxyl[ring[3]]),
        "C2": (ring[4], ring[5], hydroxyl[ring[4]], hydroxyl[ring[5]]),
    }


def _phospholipid(graph: MoleculeGraph, glycerol: Glycerol) -> Core | None:
    """One phosphate at an end, the rest at the middle (sn-2, tail A) and the other end (sn-1, tail B)."""
    ends = glycerol.at_ends
    side = next((k for k in (0, 1) if ends[k].kind == "phosphate" and ends[1 - k].kind != "phosphate"), None)
    if side is None:
        return None
    phosphate = _phosphate(graph, ends[side].phosphorus, ends[side].atoms[0])
    if phosphate is None:
        return None
    two, one = glycerol.at_middle, ends[1 - side]
    near, far = glycerol.ends[side], glycerol.ends[1 - side]
    kind, names = {
        ("ester", "ester"): ("phosphatidyl", ("GL1", "GL2")),
        ("ether", "ether"): ("diether", ("ET1", "ET2")),
        ("ester", "vinyl"): ("plasmalogen", ("GL1", "PL2")),
        ("hydroxyl", "ester"): ("lysophosphatidyl", ("GL1", "GL2")),
    }.get((two.kind, one.kind), ("", ("", "")))
    if not kind:
        return None
    beads = {
        "PO4": phosphate[0],
        names[0]: (near, glycerol.middle, *two.atoms),
        names[1]: (far, *one.atoms),
    }
    tails = {label: group.tail for label, group in (("A", two), ("B", one)) if group.tail is not None}
    return _with_head(graph, kind, beads, tails, phosphate, ends[side].phosphorus)


def _with_head(
    graph: MoleculeGraph,
    kind: str,
    beads: dict[str, tuple[int, ...]],
    tails: dict[str, Tail],
    phosphate: tuple[tuple[int, ...], int, int],
    phosphorus: int,
    sphingoid: str = "",
) -> Core:
    _, charge, bridge = phosphate
    name, complete = "", bridge < 0
    if bridge >= 0:
        head = _head(graph, bridge, phosphorus)
        if head is not None and head[0] == "inositol":
            kind, complete = ("phosphatidylinositol", True) if kind == "phosphatidyl" else (kind, False)
            beads = {**head[1], **beads}
        elif head is not None:
            name, complete = head[0], True
            beads = {**head[1], **beads}
    return Core(
        kind=kind, beads=beads, tails=tails, head=name, phosphate_charge=charge, sphingoid=sphingoid, complete=complete
    )


def _glyceride(graph: MoleculeGraph, glycerol: Glycerol) -> Core | None:
    """Mono-, di- and triglycerides, and trimethylammonium propanes."""
    a, b = glycerol.at_ends
    middle = glycerol.at_middle
    kinds = (a.kind, middle.kind, b.kind)
    if kinds == ("ester", "ester", "ester"):
        beads = {
            "GL1": (glycerol.ends[0], *a.atoms),
            "GL2": (glycerol.middle, *middle.atoms),
            "GL3": (glycerol.ends[1], *b.atoms),
        }
        tails = {label: g.tail for label, g in (("A", a), ("B", middle), ("C", b)) if g.tail is not None}
        return Core(kind="triglyceride", beads=beads, tails=tails)
    for side, (near, far) in enumerate(((a, b), (b, a))):
        end, other = glycerol.ends[side], glycerol.ends[1 - side]
        if far.kind != "ester" or far.tail is None:
            continue
        linker = (other, *far.atoms)
        if near.kind == "hydroxyl" and middle.kind == "hydroxyl":
            head = (end, *near.atoms, glycerol.middle, *middle.atoms)
            return Core(kind="monoglyceride", beads={"DOH": head, "GL1": linker}, tails={"A": far.tail})
        if middle.kind != "ester" or middle.tail is None:
            continue
        beads = {"GL1": (glycerol.middle, *middle.atoms), "GL2": linker}
        tails = {"A": middle.tail, "B": far.tail}
        if near.kind == "hydroxyl":
            return Core(kind="diglyceride", beads={"COH": (end, *near.atoms), **beads}, tails=tails)
        if near.kind == "trimethylammonium":
            return Core(kind="trimethylammonium_propane", beads={"NC3": (end, *near.atoms), **beads}, tails=tails)
    return None


def _cardiolipins(graph: MoleculeGraph, glycerols: list[Glycerol]) -> list[Core]:
    """A glycerol between two phosphates that each hold a diacylglycerol."""
    cores = []
    lipids = {g.groups[k].phosphorus: (g, k) for g in glycerols for k in (0, 2) if _is_diacyl_phosphate(g, k)}
    for central in glycerols:
        one, two = central.at_ends
        if one.phosphorus not in lipids or two.phosphorus not in lipids or central.at_middle.kind != "hydroxyl":
            continue
        beads = {"GLC": (*central.ends, central.middle, *central.at_middle.atoms)}
        tails: dict[str, Tail] = {}
        charges = []
        for number, group in ((1, one), (2, two)):
            lipid, end = lipids[group.phosphorus]
            phosphate = _phosphate(graph, group.phosphorus, group.atoms[0])
            if phosphate is None:
                break
            charges.append(phosphate[1])
            far = lipid.groups[2 - end]
            near, other = (lipid.ends[0], lipid.ends[1]) if end == 0 else (lipid.ends[1], lipid.ends[0])
            beads[f"PO4{number}"] = phosphate[0]
            beads[f"GL1{number}"] = (near, lipid.middle, *lipid.at_middle.atoms)
            beads[f"GL2{number}"] = (other, *far.atoms)
            assert lipid.at_middle.tail is not None
            assert far.tail is not None
            tails[f"A{number}"], tails[f"B{number}"] = lipid.at_middle.tail, far.tail
        if charges == [-1, -1]:
            cores.append(Core(kind="cardiolipin", beads=beads, tails=tails, phosphate_charge=-1))
    return cores


def _is_diacyl_phosphate(glycerol: Glycerol, end: int) -> bool:
    other = glycerol.groups[2 - end]
    return glycerol.groups[end].kind == "phosphate" and other.kind == "ester" and glycerol.at_middle.kind == "ester"


def _bis_monoacyl(graph: MoleculeGraph, glycerols: list[Glycerol]) -> list[Core]:
    """Bis(monoacylglycero)phosphate with the acids on the middle oxygens."""
    halves: dict[int, list[tuple[Glycerol, int]]] = {}
    for glycerol in glycerols:
        for end in (0, 2):
            if (
                glycerol.groups[end].kind == "phosphate"
                and glycerol.groups[2 - end].kind == "hydroxyl"
                and glycerol.at_middle.kind == "ester"
            ):
                halves.setdefault(glycerol.groups[end].phosphorus, []).append((glycerol, end))
    cores = []
    for phosphorus, pair in halves.items():
        if len(pair) != 2:
            continue
        phosphate = _phosphate(graph, phosphorus, pair[0][0].groups[pair[0][1]].atoms[0])
        if phosphate is None:
            continue
        beads: dict[str, tuple[int, ...]] = {"PO4": phosphate[0]}
        tails: dict[str, Tail] = {}
        for number, (half, end) in enumerate(pair, start=1):
            near, far = (half.ends[0], half.ends[1]) if end == 0 else (half.ends[1], half.ends[0])
            beads[f"GL{number}"] = (near, half.middle, *half.at_middle.atoms)
            beads[f"OH{number}"] = (far, *half.groups[2 - end].atoms)
            assert half.at_middle.tail is not None
            tails["AB"[number - 1]] = half.at_middle.tail
        cores.append(Core(kind="bmp_22", beads=beads, tails=tails, phosphate_charge=phosphate[1]))
    return cores


def _sphingolipids(graph: MoleculeGraph) -> list[Core]:
    """Sphingosine (4-trans) with an amide on its nitrogen, and a phosphate (sphingomyelin) or a hydroxyl (ceramide)."""
    cores = []
    for two in range(len(graph)):
        if not graph.is_chain_carbon(two, hydrogens=1) or len(graph.neighbours[two]) != 3:
            continue
        nitrogen = [x for x in graph.neighbours[two] if graph.symbols[x] == "N" and graph.hydrogens[x] == 1]
        one = [x for x in graph.neighbours[two] if graph.is_chain_carbon(x, hydrogens=2)]
        three = [x for x in graph.neighbours[two] if graph.is_chain_carbon(x, hydrogens=1)]
        if not len(nitrogen) == len(one) == len(three) == 1:
            continue
        amide = _amide(graph, nitrogen[0], two)
        base = _sphingoid_chain(graph, three[0], two)
        outer = graph.others(one[0], two)
        if amide is None or base is None or len(outer) != 1:
            continue
        hydroxyl, chain = base
        end = _substituent(graph, outer[0], one[0])
        beads = {"AM2": amide[0], "OH1": (two, three[0], hydroxyl)}
        tails = {"A": chain, "B": amide[1]}
        if end.kind == "hydroxyl":
            beads = {"COH": (one[0], *end.atoms), **beads}
            cores.append(Core(kind="ceramide", beads=beads, tails=tails, sphingoid="A"))
        elif end.kind == "phosphate":
            phosphate = _phosphate(graph, end.phosphorus, end.atoms[0])
            if phosphate is not None:
                beads["OH1"] = (one[0], *beads["OH1"])
                beads = {"PO4": phosphate[0], **beads}
                cores.append(_with_head(graph, "sphingomyelin", beads, tails, phosphate, end.phosphorus, sphingoid="A"))
    return cores


def _amide(graph: MoleculeGraph, nitrogen: int, base: int) -> tuple[tuple[int, ...], Tail] | None:
    """(N, C, O) of the amide, and its tail."""
    beyond = graph.others(nitrogen, base)
    if len(beyond) != 1 or not graph.is_chain_carbon(beyond[0]):
        return None
    onward = graph.others(beyond[0], nitrogen)
    oxo = [x for x in onward if graph.symbols[x] == "O" and graph.order(beyond[0], x) == 2.0]
    chain = [x for x in onward if graph.symbols[x] == "C"]
    if len(oxo) != 1 or len(chain) != 1:
        return None
    tail = walk_tail(graph, chain[0], beyond[0])
    return None if tail is None else ((nitrogen, beyond[0], oxo[0]), tail)


def _sphingoid_chain(graph: MoleculeGraph, three: int, two: int) -> tuple[int, Tail] | None:
    """(hydroxyl of carbon 3, chain from carbon 4); the 4,5 double bond is there and not cis."""
    around = graph.others(three, two)
    hydroxyl = [x for x in around if graph.symbols[x] == "O" and len(graph.neighbours[x]) == 1 and not graph.charges[x]]
    chain = [x for x in around if graph.symbols[x] == "C"]
    if len(hydroxyl) != 1 or len(chain) != 1:
        return None
    tail = walk_tail(graph, chain[0], three)
    if tail is None or not tail.doubles or tail.doubles[0][0] != 0 or tail.doubles[0][1] == "cis":
        return None
    return hydroxyl[0], tail


def _fatty_acids(graph: MoleculeGraph) -> list[Core]:
    """Carboxylates and carboxylic acids on a tail."""
    cores = []
    for tail in acyl_tails(graph):
        (carbon,) = [x for x in graph.neighbours[tail.carbons[0]] if x not in tail.carbons]
        oxygens = graph.others(carbon, tail.carbons[0])
        if len(oxygens) == 2 and all(graph.symbols[x] == "O" and len(graph.neighbours[x]) == 1 for x in oxygens):
            charge = sum(graph.charges[x] for x in oxygens)
            kind = {-1: "carboxylate", 0: "carboxylic_acid"}.get(charge)
            if kind is not None:
                cores.append(Core(kind=kind, beads={"COO": (carbon, *oxygens)}, tails={"A": tail}))
    return cores
