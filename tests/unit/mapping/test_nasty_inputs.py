"""Hostile, mistaken and borderline inputs: each is read or refused with the code its kind calls for."""

import string

import pytest

from topdown.errors import MoleculeError
from topdown.mapping.smiles import ELEMENTS, SmilesLimits, parse_smiles

EMPTY = [
    "",
    " ",
    "   ",
    "\t",
    "\n",
    "\r\n",
    "\u00a0",
    "\u3000",
    " " * 100_000,
    "[H][H]",
    "[H+]",
    "[2H][2H]",
    "[H-]",
    "[2H+]",
]

#: Characters a SMILES never has: look-alikes, marks of direction, controls, blanks, emoji, full-width forms.
CHARACTERS = [
    "CC\u041e", "\u0421CO", "C\u039fC", "CC\uff2f", "C\u200bC", "C\u202eCO", "\u202aCCO\u202c", "C\u200fC",
    "\ufeffCCO", "CC\ufeff", "CCO\U0001f600", "\U0001f4a9", "C\u0301C", "C\u2212C", "C\u2013C", "C\u2261N",
    "CC\u2192C", "\u03b1", "é", "CCO\u2028", "C\u0085C", "C\x00C", "\x00", "CC\x07", "C\x1b[31mC", "CC\x7f", "C C",
    "CC O", " CCO", "CCO ", "C\tC", "CCO\n", "CCO\r\n", "C\nC", "C\x0bC", "C\x0cC", "CC name", "CC |$a;b$",
    "CC |$a;b$| name", "CC | ", "CC |a|b|", "CC |\u041e|", "CC |\x00|", "|$a$|", " |$a$|",
]  # fmt: skip

#: Other notations, names, and text that is no chemistry.
NOT_SMILES = [
    "InChI=1S/CH4/h1H4", "inchi=1S/CH4/h1H4", "InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N",
    "VNWKTOKETHGBQD-UHFFFAOYSA-N", "aspirin", "caffeine", "water", "benzene", "Ethanol", "hello", "paracetamol.smi",
    "a.csv", "50-78-2", "C2H5OH", "H2O", "NaCl", "CH3CH2OH", "C6H6", "../../etc/passwd", "/etc/passwd", "C:\\x",
    "--json", "-h", "`id`", "C;rm", "<script>alert(1)</script>", "{[#A][#B]}", "{\"a\":1}", "None", "null", "NaN",
    "0", "1", "12345", "%", "%%", "#", "&", "!", "?", "@", "^", "_", '"', "'", "M  END", "\n  RDKit\n\n  1  0  0  0",
    "D", "T", "DC", "H", "HC", "Xy", "Rb", "Fe", "Si", "Na",
]  # fmt: skip

#: Broken grammar.
GRAMMAR = [
    "C1CC", "C%12CC", "C%(123)CC", "C1CC2", "C1CCC1C2CC", "1CC1", "C%", "C%1", "CC%(", "CC%()", "CC%(123456)C",
    "C%(1C", "C(C", "CC)", "C(C))", "((C))", "()", "(C)", "C()", "C()C", "(", ")", "C(", "C)C(", "C(=)C", "C(C=)C",
    "C=", "C#", "C-", "C:", "C/", "C\\", "=C", "#C", "-C", "/C", "C==C", "C=#C", "C--C", "C//C=C", ".C", "C.", "C..C",
    ".", "C.=C", "C=.C", "C(.C)C(", "[", "]", "[]", "[C", "C]", "[[C]]", "[C]]", "[CH4", "C[H", "[C@@@H](F)(Cl)Br",
    "[C@XX1](F)(Cl)Br", "[1234C]", "[C:x]", "[C:]", "[C:12345678]", "[CH4+-]", "[C+-]", "[HC]", "[4H]C[", "[xx]",
    "[Xx]", "[Qq]", "[ C]", "[C ]", "[cl]", "[CL]", "[]C", "C[]", "C11", "C1C1", "C12CC12", "C=1CC#1", "C-1CC=1",
    "CC&1", "C$$C", "C<C", "CX", "CCX", "CJ", "CCl2", "C[C", "CC(C)(C", "c1ccccc1)", "c1ccccc", "[nH]1ccc",
    "CC(C)C)C", "N1", "O=", "C(=O", "C(=O)[O-", "[Na+", "Na+]",
]  # fmt: skip

CHEMISTRY = [
    "CC(C)(C)(C)C", "C(C)(C)(C)(C)C", "N(C)(C)(C)C", "O(C)(C)C", "FC(F)(F)(F)F", "F(C)C", "C#C#C", "C=C(=C)=C",
    "[CH5]", "[NH5]", "[OH3]", "C=[O]=C", "c1cccc1", "cC", "c", "n", "cc", "c1ccccc1c", "n1cccc1", "c1ccccc1=c",
    "o1ccccc1", "C:C", "c1cnc[nH]n[nH]1c", "c1cc2cccc2c1c", "[C+10]", "[C-9]", "[Cl-9]", "[O-2]", "[N+4]", "[C+99]",
    "[Cl+]", "[F+]", "[Si+2]", "O->C", "C->N", "CN(=O)(=O)(=O)C", "[BH6]", "P(C)(C)(C)(C)(C)(C)C", "Cl(C)C",
    "C[N+](C)(C)(C)C", "OC1=Cn(=C(O)C=C1)O", "CC1=n(C)C(=C(C)C(=C1C)C)C", "CC1=C2C=CC=NC2=n3N=CC=CC3=C1",
]  # fmt: skip

MIXTURES = [
    "[Na+].[Cl-]", "CC(=O)[O-].[Na+]", "CCO.CCO", "C.C", "O.O", "[K+].[Br-]", "CCN.Cl", "CCO.O", "CCO.[Fe+2]",
    "C1CC1.C1CC1", "C.C.C.C.C", ".".join("C" * 900), "[Ca+2].[Cl-].[Cl-]", "c1ccccc1.Cl", "C1CC1.C2CC2",
    "CC.C1CC1.CC", "[NH4+].[Cl-]", "CC |$a;b$|"[:2] + ".C |$a$|",
]  # fmt: skip

METALS = [
    "Li", "Be", "Mg", "Al", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Rb", "Sr", "Zr",
    "Mo", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "Cs", "Ba", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg",
    "Tl", "Pb", "Bi", "U", "Pu", "He", "Ne", "Ar", "Kr", "Xe", "La", "Gd",
]  # fmt: skip
ELEMENTS_REFUSED = [
    *(f"[{symbol}]" for symbol in METALS), "[Li+]", "[Mg+2]", "[Zn+2]", "[Fe+3]", "[Cs+]", "Cl[Pt](Cl)(N)N", "C[Hg]C",
    "[Na]C", "[NaH]", "[Na]", "[K]", "[Ca]", "[Ca+]", "[Na+2]", "[Na-]", "C[Sn](C)(C)C", "[Al](C)(C)C", "C[As](C)C",
    "C->[Fe]", "[As]", "C[Te]C", "[Fe@OH1]", "CC(=O)O[Na]", "C[Mg]Br", "[238U]",
]  # fmt: skip

RADICALS = [
    "[CH3]", "[CH2]", "[CH]", "[C]", "C[O]", "[OH]", "[O]", "[N]", "[NH]", "[NH2]", "C[NH]", "[Cl]", "[Br]", "[F]",
    "[I]", "[S]", "[SH]", "[B]", "[P]", "[O][O]", "C[CH]C", "CC[CH2]", "[C-]", "[N]=O", "CN(C)[O]", "[Si](C)(C)C",
    "[C:1]", "[13C]", "[999C]", "[Si]", "[Se]", "c1cc[c]cc1", "C[C]C", "[O]O", "[C]#N", "[CH2]C=C",
]  # fmt: skip

DUMMIES = [
    "$(id)", "*", "C*", "*C", "[*]", "C[*]", "[0*]", "[1*]CC[2*]", "[*:1]C", "*CC*", "CC>>CCO", "CC>O>CCO", ">>",
    "C>", ">C", "C~C", "[#6]", "[#6]C", "C[#8]", "[C,N]", "[!C]", "[C;R]", "[C&H1]", "[$(C)]", "C[$(CO)]", "[R]",
    "[R1]", "C[R2]", "[A]", "[Q]", "[X]", "[M]", "[c,n]1ccccc1", "[#6]~[#7]", "[CX4;H2]", "[N;!H0]", "[C;r5]",
    "CC(=O)[#8]",
]  # fmt: skip

LIMITS = [
    "C" * 1001, "C" * 4096, "C" * 4097, "C" * 100_000, "C" * 10_000_000, "(" * 200_000, "C" + "(C" * 200_000,
    "C" + "(C" * 501 + ")" * 501, "[" * 200_000, ")" * 200_000, "c1ccccc1" * 200, "C1" * 3000, "." * 10_000,
    "C%10" * 2000, "C%(99999)" * 1000, "[C@@H](F)" * 800, "\u041e" * 10_000, "C=" * 3000, "\x00" * 5000,
    "C" * 5000 + "\u041e", "[H]" * 1200, "C" * 4090 + " |$a$|", "0" * 5000, "[CH2]" * 1001, "N#" * 4000, "-" * 5000,
    "C" + "1" * 5000, "[" + "9" * 10_000 + "C]", "[C" + "+" * 10_000 + "]", "%" * 10_000, "C.C" * 2000,
]  # fmt: skip

READ = [
    ("C1.C1", "CC"), ("C1CC.C1", "CCCC"), ("C%10CC.C%10", "CCCC"), ("CC |$a;b$|", "CC"), ("CC\t|$a;b$|", "CC"),
    ("CC  |c:1,2|", "CC"), ("CC ||", "CC"), ("CO |$<b>;\"&$|", "CO"), ("[2H]O[2H]", "O"), ("[2H]C([2H])O", "CO"),
    ("[13CH4]", "C"), ("[14CH3]C", "CC"), ("[3H]C", "C"), ("[18OH2]", "O"), ("[Na+]", "[Na+]"), ("[23Na+]", "[Na+]"),
    ("[K+]", "[K+]"), ("[Cl-]", "[Cl-]"), ("[Ca+2]", "[Ca+2]"), ("[Ca++]", "[Ca+2]"), ("[NH4+]", "[NH4+]"),
    ("[OH-]", "[OH-]"), ("[I-]", "[I-]"), ("[S-2]", "[S-2]"), ("[S--]", "[S-2]"),
    ("O=[N+]([O-])[O-]", "O=[N+]([O-])[O-]"), ("F[B-](F)(F)F", "F[B-](F)(F)F"), ("[H]OC([H])([H])C", "CCO"),
    ("C[H]", "C"), ("[CH3:7][OH:1]", "CO"), ("C%(100)CC%(100)", "C1CC1"), ("C0CC0", "C1CC1"), ("C(C)", "CC"),
    ("C((C))", None), ("C1=CC=CC=C1", "c1ccccc1"), ("F/C=C/F", "F/C=C/F"), ("C[C@H](O)F", "C[C@H](O)F"),
    ("[C@TH1H](F)(Cl)Br", "F[C@@H](Cl)Br"), ("[se]1cccc1", "c1cc[se]c1"), ("C[Se]C", "C[Se]C"),
    ("C[Si](C)(C)C", "C[Si](C)(C)C"), ("OB(O)c1ccccc1", "OB(O)c1ccccc1"), ("C[N+](C)(C)C", "C[N+](C)(C)C"),
    ("[NH3+]CC([O-])=O", "[NH3+]CC(=O)[O-]"), ("S", "S"), ("P", "P"), ("O=O", "O=O"), ("N#N", "N#N"),
    ("[C-]#[O+]", "[C-]#[O+]"), ("O=S(=O)(O)O", "O=S(=O)(O)O"), ("OCl(=O)(=O)=O", "[O-][Cl+3]([O-])([O-])O"),
    ("BrBr", "BrBr"), ("II", "II"), ("C1CC1C1CC1", "C1CC1C1CC1"), ("C12C3C4C1C5C2C3C45", "C12C3C4C1C1C2C3C41"),
    ("C$C", None), ("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"), ("C" * 1000, "C" * 1000),
    ("[CH2-]C", "[CH2-]C"), ("[CH3+]", "[CH3+]"), ("C[N-]C", "C[N-]C"),
]  # fmt: skip

CASES = [
    *((text, "E_EMPTY") for text in EMPTY),
    *((text, "E_SYNTAX") for text in [*CHARACTERS[:-1], *NOT_SMILES, *GRAMMAR]),
    (" |$a$|", "E_EMPTY"),
    *((text, "E_CHEM") for text in CHEMISTRY),
    *((text, "E_MIXTURE") for text in MIXTURES),
    *((text, "E_ELEMENT") for text in ELEMENTS_REFUSED),
    *((text, "E_RADICAL") for text in RADICALS),
    *((text, "E_DUMMY") for text in DUMMIES),
    *((text, "E_LIMIT") for text in LIMITS),
]


def test_there_are_many_of_them():
    assert len({text for text, _ in CASES}) + len(READ) >= 450


@pytest.mark.parametrize(("text", "code"), CASES, ids=[f"{i}:{c}:{t[:20]!a}" for i, (t, c) in enumerate(CASES)])
def test_refused(text, code):
    with pytest.raises(MoleculeError) as caught:
        parse_smiles(text)
    assert caught.value.code == code, str(caught.value)
    line = str(caught.value)
    assert line.startswith(code)
    assert len(line) < 500
    assert line.isprintable()


@pytest.mark.parametrize(("text", "canonical"), [(t, c) for t, c in READ if c], ids=lambda v: ascii(str(v)[:30]))
def test_read(text, canonical):
    parsed = parse_smiles(text)
    assert parsed.canonical_smiles == canonical
    assert parsed.smiles == text


@pytest.mark.parametrize("character", [c for c in string.printable if c not in string.ascii_letters + string.digits])
def test_a_stray_character_is_never_ignored(character):
    # Read as part of the molecule, or refused, but never dropped.
    with pytest.raises(MoleculeError):
        parse_smiles(f"CCO{character}")
    with pytest.raises(MoleculeError):
        parse_smiles(f"{character}CCO")


def test_every_element_is_read_or_named():
    from rdkit import Chem

    for number in range(1, 119):
        symbol = Chem.GetPeriodicTable().GetElementSymbol(number)
        if symbol in ELEMENTS:
            continue
        with pytest.raises(MoleculeError, match=rf"E_ELEMENT .*no bead is known for {symbol} "):
            parse_smiles(f"[{symbol}]")


def test_limits_can_be_moved():
    assert parse_smiles("C" * 1500, limits=SmilesLimits(length=4096, atoms=2000)).mol.GetNumAtoms() == 1500
    with pytest.raises(MoleculeError, match="at most 10 are read"):
        parse_smiles("C" * 11, limits=SmilesLimits(length=10))
    with pytest.raises(MoleculeError, match="more than 5 atoms"):
        parse_smiles("C" * 6, limits=SmilesLimits(atoms=5))


@pytest.mark.parametrize(
    ("text", "canonical", "written", "left_out"),
    [
        ("[Na+].CC(=O)[O-]", "CC(=O)[O-]", (1, 2, 3, 4), ("[Na+]",)),
        ("CCO.CCO", "CCO", (0, 1, 2), ("CCO",)),
        ("Cl.CCN.[Fe+3]", "CCN", (1, 2, 3), ("Cl", "[Fe+3]")),
        ("[2H]C.CC([H])Br", "CCBr", (1, 2, 3), ("C",)),
        ("C1.O.CCC1", "CCCC", (0, 2, 3, 4), ("O",)),
        ("CO.CS", "CS", (2, 3), ("CO",)),
        ("CCO", "CCO", (0, 1, 2), ()),
    ],
)
def test_largest_component(text, canonical, written, left_out):
    parsed = parse_smiles(text, largest_fragment=True)
    assert parsed.canonical_smiles == canonical
    assert parsed.written == written
    assert parsed.left_out == left_out


def test_the_largest_component_must_still_be_a_molecule():
    with pytest.raises(MoleculeError) as caught:
        parse_smiles("[CH2]CC.O", largest_fragment=True)
    assert caught.value.code == "E_RADICAL"
