"""The prose of ``data/README.md`` and of each ``SOURCES.md``."""

DATA_README = """\
# Measured values

One folder per property; `SOURCES.md` in each says where its numbers come from and what was left out. All files are
written by `scripts/import_reference_data.py`; correct the script, not the file.

| file | quantity for `load_measurements` | value column |
|---|---|---|
| partition/partition.csv, partition/solvatum.csv | `transfer_free_energy` | `delta_g_oil_to_water_kJ_mol` |
| partition/hydration.csv | `hydration_free_energy` | `delta_g_gas_to_water_kJ_mol` |
| density/density.csv | `density` | `density_kg_m3` |
| surface_tension/surface_tension.csv | `surface_tension` | `surface_tension_mN_m` |
| vaporization_enthalpy/vaporization_enthalpy.csv | `vaporization_enthalpy` | `vaporization_enthalpy_kJ_mol` |
| self_diffusion/self_diffusion.csv | `self_diffusion` | `self_diffusion_1e9_m2_s` |
| solubility/solubility.csv | `solubility` | `log10_solubility_mol_L` |
| membranes/area_per_lipid.csv | `area_per_lipid` | `area_per_lipid_nm2` |
| membranes/thickness.csv | `thickness` | `thickness_nm` |

Columns shared by all: `name`, `smiles`, `canonical_smiles` (RDKit), `phase`, `temperature_K`, the value,
`uncertainty` (one standard deviation, same unit), `unit`, `flag` (not empty: suspect, keep out of fits), `split`
(`calibration`: fit on it; `validation`: choose settings with it; by molecule), `reference`, `licence`.

**Sign.** A transfer free energy is ΔG(oil→water) = +RT ln10 · logP: positive for a molecule that prefers the oil.
Octane in octanol/water is about +29.5 kJ/mol, ethanol −1.7. Standard states 1 mol/l in both phases. `octanol/water`
is water-saturated octanol; `octanol(dry)/water` and the ethers marked `(dry)` are differences of two gas→liquid
values in the pure liquids.

**Solubility** is the saturated concentration of `name` in the solvent whose canonical SMILES stands in `phase`.

**Licences.** `partition/solvatum.csv` is derived from Solv@TUM and is CC BY-SA 4.0; it is not part of the wheel, and
everything works without it. Every other file holds facts with their reference.
"""

PARTITION = """
# Partition and hydration free energies

## `partition.csv`
- octanol/water: experimental logP collected by KOWWIN/EPI Suite (US EPA, Syracuse Research Corporation) and the CRC
  Handbook of Chemistry and Physics, 95th ed., through the PyPI package chemicals 1.5.2 (MIT). Water-saturated
  octanol.
- cyclohexane/water: side-chain analogues of Radzicka and Wolfenden, Biochemistry 27, 1664 (1988), AAindex entry
  RADA880101.

## `solvatum.csv` – CC BY-SA 4.0
Adapted from Solv@TUM 2.0: C. Hille et al., doi:10.14459/2018mp1452571.001, licensed CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/). Changes made: gas→solvent partition coefficients were combined with
Henry constants of water (compilation of R. Sander, through PyPI thermo 0.6.1) into oil/water free energies at 298.15
K. This file is under the same licence, CC BY-SA 4.0, and is kept apart from everything else for that reason; it is
excluded from the wheel.

## `hydration.csv`
ΔG(gas→water), 1 mol/l in both phases, from Henry constants: compilation of R. Sander, Atmos. Chem. Phys. 15, 4399
(2015), doi:10.5194/acp-15-4399-2015, and later versions, through PyPI thermo 0.6.1 (MIT). Uncertainties are our
assumption: 1 kJ/mol where the compilation gives a temperature dependence, 2 kJ/mol where it does not. Rows more than
4 kJ/mol away from a second compilation are flagged.

## Left out
Four solubilities of water in solvents quoted from memory (no reference), and one Solv@TUM molecule without a Henry
constant.

## Flags
`base: neutral-form logP, check` – an amine whose logP may hold protonated molecules; `sources disagree` – more than
0.4 log units apart; `suspect: LSER differs` – far from a linear solvation-energy relationship; `dry vs wet octanol
differ` – dry octanol far from the wet value; `inorganic/hydrating` – reacts with water. The noise floor of unflagged
values is 0.15–0.25 log units (0.9–1.4 kJ/mol). The alkane solvents agree with each other within 0.15 log: weight them
as one observable.
"""

DENSITY = """
# Densities of pure liquids

Saturated or 1 atm densities, 280–360 K and below the boiling point, evaluated with the PyPI package chemicals 1.5.2
(MIT) and CoolProp 8.0.0 (MIT): reference equations of state where they exist, then DIPPR 105 (Perry's Handbook, 8th
ed.), the VDI Heat Atlas and COSTALD; the method of each row stands in `reference`. Known bad entries (COSTALD for
alcohols and water) are not used.

Uncertainty: half the spread of the methods, and at least 0.5 % of the value, which is our assumption for correlations
that stand alone. Flag `density_methods_disagree>1.5%`: the methods differ by more than that.
"""

SURFACE_TENSION = """
# Surface tensions of pure liquids

Liquid against its vapour, 280–360 K and below the boiling point, evaluated with the PyPI package chemicals 1.5.2
(MIT) and CoolProp 8.0.0 (MIT): Mulero and Cachadina (doi:10.1063/1.4768782), Jasper 1972 and Lange's Handbook, VDI
Heat Atlas; the method of each row stands in `reference`. Known bad entries (Somayajulu for octane and benzene, Mulero
for ethylcyclohexane) are not used.

Uncertainty: half the spread of the methods, and at least 2 % of the value, which is our assumption for correlations
that stand alone. Flag `sigma_methods_disagree>5%`: the methods differ by more than that.
"""

VAPORIZATION = """
# Enthalpies of vaporization

At 298.15 K, by the PyPI package chemicals 1.5.2 (MIT): the CRC Handbook where it has the liquid, else the VDI Heat Atlas, Perry's
Handbook or the collection of Gharagheizi and others; the method of each row stands in `reference`. They are for reports, not for
fits: the potential of a coarse-grained model is a free energy. Values of the last collection for acids, which dimerise in the
vapour, are not used.

Uncertainty: half the spread of the methods, and at least 1 % of the value, which is our assumption. Flagged: methods that differ
by more than 5 %.
"""

SELF_DIFFUSION = """
# Self-diffusion of pure liquids

Coefficients at about 1 atm in 10⁻⁹ m²/s, by NMR with field gradients, spin echo or tracers; the paper of each row stands in
`reference`. Water is the fit D = 16.35 (T/215.05 K - 1)^2.063 of Holz, Heil and Sacco between 10 and 60 °C, good to 1 %.

How certain: water, benzene and cyclohexane agree between laboratories within 1 %. A reference that ends with "as later
literature quotes it" was not compared with the paper; the uncertainties of these rows are ours, 2 to 5 %. They are for judging
how much faster a model moves, by factors of two and more, and no targets of fits.
"""

SOLUBILITY = """
# Mutual solubilities of liquids

log10 of the saturated concentration [mol/l] near 298 K. Oils in water: AqSolDB, Sorkun et al., Sci. Data 6, 143 (2019),
doi:10.1038/s41597-019-0151-1. Water in octanol: Lang, J. Chem. Eng. Data 57, 2221 (2012), doi:10.1021/je3001427, a mole fraction
brought to mol/l with the volumes of the pure liquids.

Uncertainty: the standard deviation that AqSolDB gives, at least 0.1, and 0.3 where one value stands alone; both are our
assumption. Dodecane and hexadecane are flagged: values for higher alkanes are orders of magnitude apart. Five solubilities of
water in oils quoted from memory (no reference) are left out.
"""

MEMBRANES = """
# Bilayers of one lipid

Area per lipid and thicknesses from joint X-ray and neutron scattering analyses; the paper of each row stands in
`reference`. The numbers were collected by the Martini 3 lipid benchmark (Martini Force Field Initiative,
M3-Lipid-Parameters, Apache-2.0, commit 109b5bb).

`phase` in `thickness.csv` says which one: `DB` the Luzzati thickness (volume per lipid divided by area per lipid,
times two), `DHH` the distance between the electron-density maxima of the head groups, `2DC` the hydrocarbon
thickness.

SMILES were built from head group and tails (first tail sn-1, second sn-2, 18:1 = oleic acid, natural glycerol
configuration). PG bilayers were measured with neutralising counter-ions, the others without salt.
"""

SOURCES = {
    "partition": PARTITION,
    "density": DENSITY,
    "surface_tension": SURFACE_TENSION,
    "vaporization_enthalpy": VAPORIZATION,
    "self_diffusion": SELF_DIFFUSION,
    "solubility": SOLUBILITY,
    "membranes": MEMBRANES,
}
