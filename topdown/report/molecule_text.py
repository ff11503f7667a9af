"""A curated model as plain text: its beads, what holds them together, and how its virtual sites are built."""

from __future__ import annotations

from collections.abc import Sequence

from topdown.model import CGMolecule, VirtualSite
from topdown.report.counts import counted
from topdown.tables import CuratedMolecule

#: Meaning of GROMACS's function numbers.
_BONDS = {1: "harmonic", 6: "harmonic, no exclusion"}
_CONSTRAINTS = {1: "fixed length", 2: "fixed length, no exclusion"}
_ANGLES = {1: "harmonic", 2: "cosine", 8: "tabulated", 10: "restricted bending"}
_DIHEDRALS = {1: "proper", 2: "improper", 3: "Ryckaert-Bellemans", 9: "proper", 11: "combined bending-torsion"}


def molecules_text(molecules: Sequence[CuratedMolecule]) -> str:
    """One line for each model: name, group, number of beads and virtual sites, charge, description."""
    width = max((len(m.model.name) for m in molecules), default=4)
    group = max((len(m.group) for m in molecules), default=5)
    lines = [f"{'name':<{width}}  {'group':<{group}}  beads  sites  charge  stands for"]
    for m in molecules:
        model = m.model
        lines.append(
            f"{model.name:<{width}}  {m.group:<{group}}  {model.n_beads:>5}  {len(model.virtual_sites) or '':>5}  "
            f"{_charge(model.charge):>6}  {m.description}"
        )
    return "\n".join(lines) + "\n"


def molecule_text(molecule: CuratedMolecule) -> str:
    """Everything a model consists of, one bead and one term to a line."""
    model = molecule.model
    sites = {v.site: v for v in model.virtual_sites}
    names = [bead.name for bead in model.beads]
    mass = f"{model.mass:g} u" + (f", molar mass {model.molar_mass:g} g/mol" if model.molar_mass else "")
    n_sites = f", {len(sites)} of them virtual sites" if sites else ""
    lines = [
        f"{model.name}: {molecule.description or 'no description'}",
        f"{counted(model.n_beads, 'bead')}{n_sites}, charge {_charge(model.charge)}, mass {mass}, nrexcl {model.nrexcl}",
        *(f"SMILES {smiles}" for smiles in molecule.smiles),
        f"{molecule.citation or 'no citation'}; licence: {molecule.licence or 'not given'}",
        *([f"note: {molecule.note}"] if molecule.note else []),
        "",
        f"{'bead':<5}  {'type':<6}  {'charge':>6}  {'mass':>7}",
    ]
    for k, bead in enumerate(model.beads):
        built = f"  {site_text(sites[k], names)}" if k in sites else ""
        lines.append(f"{bead.name:<5}  {bead.bead_type:<6}  {_charge(bead.charge):>6}  {bead.mass:>7g}{built}")
    return "\n".join([*lines, *_terms(model, names)]) + "\n"


def _charge(value: float) -> str:
    return f"{value:+g}" if value else "0"


def site_text(site: VirtualSite, names: Sequence[str]) -> str:
    """``virtual site 3out of C1, R2, R1 (1.08999, 0.35891, 0.22947)``."""
    built_from = ", ".join(names[i] for i in site.atoms)
    return f"virtual site {site.construction} of {built_from} ({', '.join(f'{p:g}' for p in site.parameters)})"


def _terms(model: CGMolecule, names: Sequence[str]) -> list[str]:
    def of(atoms: Sequence[int]) -> str:
        return "-".join(names[i] for i in atoms)

    blocks = {
        "bonds": [f"{of(t.atoms)}  {t.length:g} nm  {t.force_constant:g}  {_BONDS[t.function]}" for t in model.bonds],
        "constraints": [f"{of(t.atoms)}  {t.length:g} nm  {_CONSTRAINTS[t.function]}" for t in model.constraints],
        "angles": [f"{of(t.atoms)}  {t.angle:g}°  {t.force_constant:g}  {_ANGLES[t.function]}" for t in model.angles],
        "dihedrals": [
            f"{of(t.atoms)}  {_dihedral_values(t.coefficients, t.angle, t.force_constant, t.multiplicity)}  "
            f"{_DIHEDRALS[t.function]}"
            for t in model.dihedrals
        ],
    }
    lines = [line for title, rows in blocks.items() if rows for line in ("", title, *(f"  {row}" for row in rows))]
    if model.exclusions:
        lines += ["", f"{len(model.exclusions)} explicit exclusions"]
    return lines


def _dihedral_values(coefficients: Sequence[float], angle: float, constant: float, multiplicity: int) -> str:
    if coefficients:
        scale = f"{constant:g} × " if constant else ""
        return scale + " ".join(f"{c:g}" for c in coefficients)
    return f"{angle:g}°  {constant:g}" + (f"  n = {multiplicity}" if multiplicity else "")
