"""Lipids and sterols against the published models, and what is left to the general mapper."""

import csv
import random
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from topdown.mapping import map_molecule
from topdown.mapping.fragmenting import canonical_order
from topdown.mapping.lipid_rules import lipid_rules, sterol_models
from topdown.mapping.lipid_tails import MoleculeGraph, divide_tail, walk_tail
from topdown.mapping.lipids import recognise
from topdown.tables import load_all_molecules, load_bead_table

M3 = load_bead_table("martini3")
M2 = load_bead_table("martini2")
TABLES = pytest.mark.parametrize("table", [M3, M2], ids=["martini3", "martini2"])
CHOLESTEROL = "CC(C)CCC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C"
POPC = r"CCCCCCCC/C=C\CCCCCCCC(=O)O[C@H](COC(=O)CCCCCCCCCCCCCCC)COP(=O)([O-])OCC[N+](C)(C)C"


def chain(acid):
    """Carbons of an acid after its carbonyl as SMILES: ``18:1(9)``, all double bonds cis."""
    carbons, places = re.fullmatch(r"(\d+):\d+(?:\(([\d,]*)\))?", acid).groups()
    doubles = {int(p) for p in (places or "").split(",") if p}
    text = ""
    for number in range(2, int(carbons) + 1):
        text += "C"
        if number in doubles:
            text += "="
    return text


def glycerol(acids, third):
    """sn-2, then sn-1, then what stands at sn-3."""
    return f"C(OC(=O){chain(acids[1])})C(OC(=O){chain(acids[0])})C{third}"


HEADS = {"PC": "OP(=O)([O-])OCC[N+](C)(C)C", "PA": "OP(=O)([O-])O", "PE": "OP(=O)([O-])OCC[NH3+]"}


def lipid(cls, acids):
    """SMILES of a member of a class of ``martini3_lipidome.csv``."""
    base = "CCCCCCCCCCCCC/C=C/C(O)C({})NC(=O)" + chain(acids[0])
    sn2 = f"C(OC(=O){chain(acids[0])})"
    match cls:
        case "PC" | "PA":
            return glycerol(acids, HEADS[cls])
        case "plasmalogen PE":
            return f"C(OC={chain(acids[1])})C(OC(=O){chain(acids[0])})C{HEADS['PE']}"
        case "ether PC":
            return f"C(OC{chain(acids[1])})C(OC{chain(acids[0])})C{HEADS['PC']}"
        case "ceramide":
            return base.format("CO")
        case "SM":
            return base.format("C" + HEADS["PC"])
        case "DG":
            return glycerol(acids, "O")
        case "TAP":
            return glycerol(acids, "[N+](C)(C)C")
        case "TG":
            return glycerol(acids, f"OC(=O){chain(acids[2])}")
        case "FA":
            return f"[O-]C(=O){chain(acids[0])}"
        case "MG":
            return f"OCC(O)COC(=O){chain(acids[0])}"
        case "CL":
            half = glycerol(acids[:2], "OP(=O)([O-])O")
            return f"{half}CC(O)COP(=O)([O-])OCC(OC(=O){chain(acids[2])})COC(=O){chain(acids[3])}"
        case "2,2-BMP":
            return f"OC{sn2}COP(=O)([O-])OC{sn2}CO"
    raise AssertionError(cls)


PUBLISHED = list(csv.DictReader((Path(__file__).parents[2] / "reference_data" / "martini3_lipidome.csv").open()))
CORES = {
    "PC": ["NC3:Q1", "PO4:Q5", "GL1:SN4a", "GL2:SN4a"],
    "PA": ["PO4:Q5", "GL1:SN4a", "GL2:SN4a"],
    "plasmalogen PE": ["NH3:Q4p", "PO4:Q5", "GL1:SN4a", "PL2:SN4ah"],
    "ether PC": ["NC3:Q1", "PO4:Q5", "ET1:SN3a", "ET2:SN3a"],
    "ceramide": ["COH:TN6", "OH1:SP1", "AM2:SP2"],
    "SM": ["NC3:Q1", "PO4:Q5", "OH1:SP1", "AM2:SP2"],
    "DG": ["COH:TN6", "GL1:SN4a", "GL2:SN4a"],
    "TAP": ["NC3:Q1", "GL1:SN4a", "GL2:SN4a"],
    "TG": ["GL1:SN4a", "GL2:SN4a", "GL3:SN4a"],
    "FA": ["COO:SQ5n"],
    "MG": ["DOH:SP4r", "GL1:SN4a"],
    "CL": ["GLC:N6", "PO41:Q5", "GL11:SN4a", "GL21:SN4a", "PO42:Q5", "GL12:SN4a", "GL22:SN4a"],
    "2,2-BMP": ["PO4:Q5", "GL1:SN4a", "OH1:TN6", "GL2:SN4a", "OH2:TN6"],
}
TYPES = {"C": "C1", "c": "SC1", "D": "C4h", "F": "C5h", "T": "C4h", "t": "SC4h"}


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["name"])
def test_beads_of_the_martini_3_lipidome(row):
    molecule = map_molecule(lipid(row["class"], row["acids"].split()), M3, conformers=False)
    labels = ["A1", "B1", "A2", "B2"] if row["class"] == "CL" else ["A", "B", "C"]
    expected = list(CORES[row["class"]])
    for label, letters in zip(labels, row["tails"].split(), strict=False):
        expected += [
            f"{'D' if letter in 'DF' else letter.upper()}{k}{label}:{TYPES[letter]}"
            for k, letter in enumerate(letters, start=1)
        ]
    assert sorted(f"{bead.name}:{bead.bead_type}" for bead in molecule.beads) == sorted(expected)


#: Length [nm] of every bond, and angle [degrees] of every angle, of one lipid of each class as in the parameter files.
TERMS = {
    "DAPC": (
        "NC3-PO4 .404 PO4-GL1 .440 PO4-GL2 .524 GL1-GL2 .315 GL1-C1A .375 C1A-D2A .405 D2A-D3A .460 D3A-D4A .460 D4A-C5A .485"
        " GL2-C1B .375 C1B-D2B .405 D2B-D3B .460 D3B-D4B .460 D4B-C5B .485",
        "NC3-PO4-GL1 125 PO4-GL1-C1A 139 GL2-GL1-C1A 120 GL1-GL2-C1B 120 GL1-C1A-D2A 180 C1A-D2A-D3A 135 D2A-D3A-D4A 150"
        " D3A-D4A-C5A 135 GL2-C1B-D2B 180 C1B-D2B-D3B 135 D2B-D3B-D4B 150 D3B-D4B-C5B 135",
    ),
    "PDPC": (
        "NC3-PO4 .404 PO4-GL1 .440 PO4-GL2 .524 GL1-GL2 .315 GL1-D1A .435 D1A-D2A .490 D2A-D3A .460 D3A-D4A .460 D4A-D5A .470"
        " GL2-C1B .375 C1B-C2B .420 C2B-C3B .490 C3B-C4B .500",
        "NC3-PO4-GL1 125 PO4-GL1-D1A 139 GL2-GL1-D1A 120 GL1-GL2-C1B 120 GL1-D1A-D2A 135 D1A-D2A-D3A 150 D2A-D3A-D4A 150"
        " D3A-D4A-D5A 150 GL2-C1B-C2B 180 C1B-C2B-C3B 180 C2B-C3B-C4B 180",
    ),
    "PCER": (
        "COH-OH1 .253 COH-AM2 .306 OH1-AM2 .305 OH1-T1A .345 T1A-C2A .405 C2A-C3A .490 C3A-C4A .500 AM2-C1B .330 C1B-C2B .420"
        " C2B-C3B .490 C3B-C4B .500",
        "COH-OH1-T1A 149 AM2-OH1-T1A 85 OH1-AM2-C1B 150 OH1-T1A-C2A 180 T1A-C2A-C3A 180 C2A-C3A-C4A 180 AM2-C1B-C2B 180"
        " C1B-C2B-C3B 180 C2B-C3B-C4B 180",
    ),
    "MSM": (
        "NC3-PO4 .404 PO4-OH1 .380 PO4-AM2 .490 OH1-AM2 .305 OH1-T1A .345 T1A-C2A .405 C2A-C3A .490 C3A-C4A .500 AM2-C1B .405"
        " C1B-C2B .520 C2B-C3B .500",
        "NC3-PO4-OH1 122 PO4-OH1-T1A 175 AM2-OH1-T1A 85 OH1-AM2-C1B 150 OH1-T1A-C2A 180 T1A-C2A-C3A 180 C2A-C3A-C4A 180"
        " AM2-C1B-C2B 180 C1B-C2B-C3B 180",
    ),
    "DODG": (
        "COH-GL1 .284 COH-GL2 .362 GL1-GL2 .315 GL1-C1A .450 C1A-D2A .505 D2A-C3A .475 C3A-C4A .500 GL2-C1B .450 C1B-D2B .505"
        " D2B-C3B .475 C3B-C4B .500",
        "COH-GL1-C1A 139 GL2-GL1-C1A 120 GL1-GL2-C1B 120 GL1-C1A-D2A 180 C1A-D2A-C3A 140 D2A-C3A-C4A 180 GL2-C1B-D2B 180"
        " C1B-D2B-C3B 140 D2B-C3B-C4B 180",
    ),
    "DTLE": (
        "NH3-PO4 .357 PO4-GL1 .440 PO4-PL2 .524 GL1-PL2 .315 GL1-C1A .375 C1A-C2A .430 PL2-C1B .345 C1B-C2B .430",
        "NH3-PO4-GL1 110 PO4-GL1-C1A 139 PL2-GL1-C1A 120 GL1-PL2-C1B 120 GL1-C1A-C2A 180 PL2-C1B-C2B 180",
    ),
    "DMEC": (
        "NC3-PO4 .404 PO4-ET1 .440 PO4-ET2 .524 ET1-ET2 .315 ET1-C1A .420 C1A-C2A .520 C2A-C3A .500 ET2-C1B .420 C1B-C2B .520"
        " C2B-C3B .500",
        "NC3-PO4-ET1 125 PO4-ET1-C1A 135 ET2-ET1-C1A 120 ET1-ET2-C1B 120 ET1-C1A-C2A 180 C1A-C2A-C3A 180 ET2-C1B-C2B 180"
        " C1B-C2B-C3B 180",
    ),
    "TLA": (
        "GL1-GL2 .315 GL2-GL3 .315 GL1-GL3 .395 GL1-C1A .375 C1A-C2A .420 C2A-C3A .500 GL2-C1B .375 C1B-C2B .420 C2B-C3B .500"
        " GL3-C1C .375 C1C-C2C .420 C2C-C3C .500",
        "C1A-GL1-GL2 120 C1C-GL3-GL2 120 C1B-GL2-GL1 120 C1B-GL2-GL3 120 GL1-C1A-C2A 180 C1A-C2A-C3A 180 GL2-C1B-C2B 180"
        " C1B-C2B-C3B 180 GL3-C1C-C2C 180 C1C-C2C-C3C 180",
    ),
    "MO": (
        "DOH-GL1 .313 GL1-C1A .450 C1A-D2A .505 D2A-C3A .475 C3A-C4A .500",
        "DOH-GL1-C1A 132 GL1-C1A-D2A 180 C1A-D2A-C3A 140 D2A-C3A-C4A 180",
    ),
    "LA": (
        "COO-C1A .400 C1A-D2A .505 D2A-D3A .460 D3A-C4A .485",
        "COO-C1A-D2A 180 C1A-D2A-D3A 135 D2A-D3A-C4A 135",
    ),
    "DO2B": (
        "PO4-GL1 .440 GL1-OH1 .292 GL1-C1A .450 C1A-D2A .505 D2A-C3A .475 C3A-C4A .500 PO4-GL2 .440 GL2-OH2 .292 GL2-C1B .450"
        " C1B-D2B .505 D2B-C3B .475 C3B-C4B .500",
        "PO4-GL1-OH1 70 PO4-GL2-OH2 70 OH1-GL1-C1A 135 OH2-GL2-C1B 135 PO4-GL1-C1A 139 PO4-GL2-C1B 139 GL1-C1A-D2A 180"
        " GL2-C1B-D2B 180 C1A-D2A-C3A 140 D2A-C3A-C4A 180 C1B-D2B-C3B 140 D2B-C3B-C4B 180",
    ),
    "TMCL": (
        "GLC-PO41 .368 GLC-PO42 .368 PO41-GL11 .440 PO41-GL21 .524 GL11-GL21 .315 GL11-C1A1 .450 C1A1-C2A1 .520 C2A1-C3A1 .500"
        " GL21-C1B1 .450 C1B1-C2B1 .520 C2B1-C3B1 .500 PO42-GL12 .440 PO42-GL22 .524 GL12-GL22 .315 GL12-C1A2 .450"
        " C1A2-C2A2 .520 C2A2-C3A2 .500 GL22-C1B2 .450 C1B2-C2B2 .520 C2B2-C3B2 .500",
        "PO41-GLC-PO42 130 GLC-PO41-GL11 110 GLC-PO42-GL12 110 PO41-GL11-C1A1 139 GL21-GL11-C1A1 120 GL11-GL21-C1B1 120"
        " GL11-C1A1-C2A1 180 C1A1-C2A1-C3A1 180 GL21-C1B1-C2B1 180 C1B1-C2B1-C3B1 180 PO42-GL12-C1A2 139 GL22-GL12-C1A2 120"
        " GL12-GL22-C1B2 120 GL12-C1A2-C2A2 180 C1A2-C2A2-C3A2 180 GL22-C1B2-C2B2 180 C1B2-C2B2-C3B2 180",
    ),
}


@pytest.mark.parametrize("name", TERMS)
def test_terms_of_the_martini_3_lipidome(name):
    row = next(row for row in PUBLISHED if row["name"] == name)
    molecule = map_molecule(lipid(row["class"], row["acids"].split()), M3, conformers=False)
    names = [bead.name for bead in molecule.beads]
    for text, terms, value in zip(
        TERMS[name], (molecule.bonds, molecule.angles), (lambda t: t.length, lambda t: t.angle), strict=True
    ):
        words = text.split()
        wanted = {frozenset(k.split("-")): float(v) for k, v in zip(words[::2], words[1::2], strict=True)}
        found = {frozenset(names[a] for a in term.atoms): value(term) for term in terms}
        assert found == wanted
        assert len(terms) == len(wanted)
        for term in molecule.angles:
            middle = names[term.atoms[1]]
            assert any(k.split("-")[1] == middle for k in TERMS[name][1].split()[::2])


LIPIDS = [
    (table, curated.model.name, k)
    for table in ("martini3", "martini2")
    for curated in load_all_molecules(table)
    for k in range(len(curated.smiles))
    if len(curated.model.beads) >= 8 and not curated.model.name.endswith(("_2021", "_RIGID"))
]


@pytest.mark.parametrize(("table", "name", "which"), LIPIDS, ids=lambda value: str(value))
def test_shipped_models_come_out_of_the_rules(table, name, which):
    """Beads, order, charges, masses and every term: rules and curated files are two separate records of the same facts."""
    curated = next(c for c in load_all_molecules(table) if c.model.name == name)
    model = curated.model
    mapped = map_molecule(curated.smiles[which], load_bead_table(table), conformers=False)
    assert [(b.name, b.bead_type, b.charge, b.mass) for b in mapped.beads] == [
        (b.name, b.bead_type, b.charge, b.mass) for b in model.beads
    ]

    def terms(molecule, kind):
        def plain(term):
            atoms = term.atoms if term.atoms[0] < term.atoms[-1] else term.atoms[::-1]
            return (
                atoms,
                *(
                    getattr(term, key)
                    for key in ("length", "angle", "force_constant", "function")
                    if hasattr(term, key)
                ),
            )

        return sorted(plain(term) for term in getattr(molecule, kind))

    for kind in ("bonds", "constraints", "angles", "dihedrals"):
        assert terms(mapped, kind) == terms(model, kind), kind
    assert sorted(mapped.virtual_sites, key=lambda v: v.site) == sorted(model.virtual_sites, key=lambda v: v.site)
    assert sorted(mapped.exclusions) == sorted(model.exclusions)


def test_there_are_enough_shipped_models():
    assert len(LIPIDS) >= 26


@TABLES
@pytest.mark.parametrize("smiles", [POPC, CHOLESTEROL, lipid("CL", ["16:0", "18:1(9)", "14:0", "18:2(9,12)"])])
def test_the_way_of_writing_does_not_matter(smiles, table):
    generator = random.Random(1)
    mol = Chem.MolFromSmiles(smiles)

    def key(molecule):
        parsed = Chem.MolFromSmiles(molecule.smiles)
        ranks = list(Chem.CanonicalRankAtoms(parsed, breakTies=False))
        return sorted((b.bead_type, sorted(ranks[a] for a in b.atoms)) for b in molecule.beads)

    first = key(map_molecule(smiles, table, conformers=False))
    for _ in range(5):
        order = list(range(mol.GetNumAtoms()))
        generator.shuffle(order)
        written = Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False)
        assert key(map_molecule(written, table, conformers=False)) == first


WHOLE = [
    POPC,
    CHOLESTEROL,
    lipid("CL", ["18:1(9)"] * 4),
    lipid("TG", ["16:0", "18:1(9)", "18:0"]),
    lipid("PC", ["15:0", "17:0"]),
    lipid("FA", ["12:0"]),
    glycerol(["16:0", "18:1(9)"], "OP(=O)([O-])OC1C(O)C(O)C(O)C(O)C1O"),
    "C[C@H](/C=C/[C@H](C)C(C)C)[C@H]1CC[C@@H]2[C@@]1(CC[C@H]3C2=CC=C4[C@@]3(CC[C@@H](C4)O)C)C",
]


@pytest.mark.parametrize("smiles", WHOLE)
def test_a_recognised_molecule_is_sound(smiles):
    """Every atom in one bead, connected beads, charges, names, and coordinates that obey the model's own terms."""
    molecule = map_molecule(smiles, M3)
    mol = Chem.MolFromSmiles(smiles)
    atoms = [atom for bead in molecule.beads for atom in bead.atoms]
    assert set(atoms) == set(range(mol.GetNumAtoms()))
    assert len(atoms) - mol.GetNumAtoms() <= (1 if mol.GetRingInfo().NumRings() == 4 else 0)
    assert molecule.charge == Chem.GetFormalCharge(mol)
    assert len({bead.name for bead in molecule.beads}) == molecule.n_beads
    sites = {v.site for v in molecule.virtual_sites}
    for k, bead in enumerate(molecule.beads):
        assert bead.reason
        assert 0 < bead.confidence <= 1
        if bead.atoms:
            fragment = Chem.MolFragmentToSmiles(mol, atomsToUse=bead.atoms)
            assert "." not in fragment
        else:
            assert k in sites
    x = molecule.positions
    for constraint in molecule.constraints:
        i, j = constraint.atoms
        assert np.linalg.norm(x[i] - x[j]) == pytest.approx(constraint.length, abs=2e-6)
    for bond in molecule.bonds:
        i, j = bond.atoms
        assert np.linalg.norm(x[i] - x[j]) == pytest.approx(bond.length, abs=0.06)
    excluded = set(molecule.excluded_pairs())
    near = {frozenset((t.atoms[0], t.atoms[2])) for t in molecule.angles}
    for i, j in combinations(range(molecule.n_beads), 2):
        if (i, j) not in excluded and frozenset((i, j)) not in near:
            assert np.linalg.norm(x[i] - x[j]) > 0.3


@pytest.mark.parametrize(
    ("length", "martini3", "martini2"),
    [
        (7, "3-4", "4-3"),
        (9, "5-4", "4-5"),
        (11, "3-4-4", "4-4-3"),
        (13, "5-4-4", "4-4-5"),
        (15, "3-4-4-4", "4-4-4-3"),
        (16, "4-4-4-4", "4-4-4-4"),
        (17, "5-4-4-4", "4-4-5-4"),
        (18, "3-4-4-4-3", "4-4-4-3-3"),
        (21, "5-4-4-4-4", "4-4-5-4-4"),
    ],
)
def test_how_tails_are_divided(length, martini3, martini2):
    tail = walk_tail(MoleculeGraph(Chem.MolFromSmiles("O" + "C" * length)), 1, 0)
    for style, sizes in (("martini3", martini3), ("martini2", martini2)):
        divided = divide_tail(tail, lipid_rules(style).first_bead)
        assert divided.sizes == sizes
        assert divided.published == (length % 2 == 1)


@pytest.mark.parametrize(
    ("acid", "letters"),
    [
        ("16:1(9)", "CDCC"),
        ("18:1(9)", "CDCC"),
        ("18:2(9,12)", "CFFC"),
        ("20:1(11)", "CCDCC"),
        ("20:4(5,8,11,14)", "FFFFC"),
        ("22:6(4,7,10,13,16,19)", "FFFFF"),
        ("24:1(15)", "CCCDCC"),
    ],
)
def test_double_bonds_of_martini_2(acid, letters):
    """The tails of the Martini 2 lipid builder (Wassenaar et al. 2015); F is its C4 form of D."""
    tail = walk_tail(MoleculeGraph(Chem.MolFromSmiles("O" + chain(acid))), 1, 0)
    assert divide_tail(tail, lipid_rules("martini2").first_bead).letters == letters


@pytest.mark.parametrize(
    "smiles",
    [
        "CCCCCC(=O)OCCC",  # too short a tail
        "CC(C)CCCCCCCCCC(=O)OCC",  # branched
        "CCCCCCC(O)CCCCCCCC(=O)OCC",  # hydroxylated
        "CCCCCCCCCCCCCCCC",  # no carbonyl: a solvent, not a tail
        "c1ccccc1CCCCCCCC(=O)OC",
        "CCCCC#CCCCCCC(=O)OC",
    ],
)
def test_what_is_no_tail_is_left_alone(smiles):
    mol = Chem.MolFromSmiles(smiles)
    assert recognise(Chem.RenumberAtoms(mol, canonical_order(mol)), "martini3") is None


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCCCCCCCCCCCCCCC(=O)OC[C@@H](O)COP(=O)([O-])OCC[N+](C)(C)C", {"Q1", "Q5", "SC1", "C1"}),
        ("CCCCCCCCCCCCCCCC(=O)OC(CC(=O)[O-])C[N+](C)(C)C", {"SC1", "C1"}),
        ("CCCCCCCCCCCCCCCC(=O)O", {"SC1", "C1"}),
        (CHOLESTEROL.replace("(O)", "(OC(=O)CCCCCCC/C=C\\CCCCCCCC)"), {"SC4", "SC3", "TC2", "C4h"}),
    ],
    ids=["lysophosphatidylcholine", "palmitoylcarnitine", "palmitic acid", "cholesteryl oleate"],
)
def test_lipid_parts_are_kept_and_the_rest_is_divided_around_them(smiles, expected):
    mol = Chem.MolFromSmiles(smiles)
    order = canonical_order(mol)
    blocks = recognise(Chem.RenumberAtoms(mol, order), "martini3")
    assert blocks is not None
    assert not blocks.whole
    molecule = map_molecule(smiles, M3, conformers=False)
    groups = {tuple(sorted(order[a] for a in group)) for group in blocks.groups}
    published = [bead for bead in molecule.beads if tuple(sorted(bead.atoms)) in groups]
    assert len(published) == len(groups)
    assert expected <= {bead.bead_type for bead in published}
    assert {a for bead in molecule.beads for a in bead.atoms} == set(range(mol.GetNumAtoms()))


def test_charges_are_as_drawn():
    """A phosphatidylcholine with a neutral phosphate is not the published zwitterion; its tails still are."""
    drawn = POPC.replace("([O-])", "(O)")
    mol = Chem.MolFromSmiles(drawn)
    blocks = recognise(Chem.RenumberAtoms(mol, canonical_order(mol)), "martini3")
    assert not blocks.whole
    assert "PO4" not in {bead.name for bead in blocks.beads}
    assert map_molecule(drawn, M3, conformers=False).charge == 1


def test_stereo_of_sterols_counts_where_it_is_drawn():
    flat = Chem.MolToSmiles(Chem.MolFromSmiles(CHOLESTEROL), isomericSmiles=False)
    first, open_stereo = map_molecule(CHOLESTEROL, M3, conformers=False), map_molecule(flat, M3, conformers=False)
    assert open_stereo.type_names == first.type_names
    assert open_stereo.beads[0].confidence < first.beads[0].confidence
    epimer = CHOLESTEROL.replace("[C@@H](O)", "[C@H](O)")
    assert "cholesterol" not in map_molecule(epimer, M3, conformers=False).beads[0].reason


def test_atoms_of_sterol_beads_are_those_of_the_m3_bible():
    """Campesterol of the M3 Bible (its CGSmiles): C8 stands in two beads."""
    smiles = "O[C@@H]4C/C3=C/C[C@@H]1[C@H](CC[C@]2([C@H]1CC[C@@H]2[C@H](C)CC[C@@H](C)C(C)C)C)[C@@]3(C)CC4"
    published = "0,1,2,28;3,4,5,6;7,25,27;26;8,9,10,14;24;6,11,12,13;15,16,17;18,19,20;21,22,23"
    molecule = map_molecule(smiles, M3, conformers=False)
    assert sorted(",".join(map(str, bead.atoms)) for bead in molecule.beads) == sorted(published.split(";"))


def test_names_are_never_asked():
    """DLPC is 12:0 in Martini 2 and 18:2 in Martini 3: only the structure counts."""
    laurate, linoleate = lipid("PC", ["12:0", "12:0"]), lipid("PC", ["18:2(9,12)"] * 2)
    for table in (M3, M2):
        assert map_molecule(laurate, table, name="DLPC", conformers=False).n_beads == 10
        assert map_molecule(linoleate, table, name="DLPC", conformers=False).n_beads == 12


@pytest.mark.parametrize("sterol", sterol_models("martini3"), ids=lambda sterol: sterol["name"])
def test_sterols_at_rest_are_what_their_terms_say(sterol):
    """Bonds and constraints have their lengths at the stored positions, and sites are where they are built."""
    at = {name: np.array(place) for name, place in zip(sterol["beads"], sterol["positions"], strict=True)}
    for one, two, length, *_ in (*sterol["bonds"], *sterol["constraints"]):
        assert np.linalg.norm(at[one] - at[two]) == pytest.approx(length, abs=0.002), (one, two)
    for site, _, (i, j, k), (a, b, c) in sterol["sites"]:
        u, v = at[j] - at[i], at[k] - at[i]
        assert np.linalg.norm(at[i] + a * u + b * v + c * np.cross(u, v) - at[site]) < 0.002, site


def test_other_sterols_have_the_frame_of_cholesterol():
    cholesterol, *others = sterol_models("martini3")
    assert len(others) == 4
    for sterol in others:
        for key in ("constraints", "sites", "masses", "rigid"):
            assert sterol[key] == cholesterol[key], (sterol["name"], key)
        assert len(sterol["beads"]) == len(cholesterol["beads"]) + 1
